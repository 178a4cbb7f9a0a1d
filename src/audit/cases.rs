//! Single conversions behind what was found: what is wrong by count, and the conversions of flagged groups with
//! the reason that concerns each.

use super::Workings;
use super::explain::samples;
use crate::base::column::{Col, Grain};
use crate::base::error::Result;
use crate::base::money::Micro;
use crate::base::symbol::{Symbol, Symbols};
use crate::base::text::Text;
use crate::clean::Status;
use crate::matching::{Class, Matched, MatchedConversion};
use crate::report::evidence::{Case, Dossier, Reason, accuses, reason, same_click, unlike_peers};
use crate::signals::Signal;
use crate::verdicts::{Finding, Judged};
use std::collections::{BTreeMap, BTreeSet};

/// Which group of the audited grain a conversion belongs to.
struct Places<'a> {
    columns: Vec<usize>,
    symbols: &'a Symbols,
    groups: BTreeMap<Vec<Option<String>>, usize>,
    known: BTreeMap<Vec<Symbol>, Option<usize>>,
}

impl<'a> Places<'a> {
    fn of(groups: &[Judged], columns: &[Col], symbols: &'a Symbols, grain: &Grain) -> Places<'a> {
        let place = |col: &Col| columns.iter().position(|c| c == col).expect("rows are placed by it");
        let key = |g: &Judged| g.subject.key.iter().map(|t| t.as_ref().map(|t| t.raw().to_owned())).collect();
        let audited = groups.iter().enumerate().filter(|(_, g)| g.subject.grain == *grain);
        Places {
            columns: grain.columns().iter().map(place).collect(),
            symbols,
            groups: audited.map(|(at, group)| (key(group), at)).collect(),
            known: BTreeMap::new(),
        }
    }

    fn at(&mut self, m: &MatchedConversion) -> Option<usize> {
        let key: Vec<Symbol> = self.columns.iter().map(|&at| m.columns[at]).collect();
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let texts: Vec<Option<String>> =
            key.iter().map(|s| self.symbols.text(*s).map(str::to_owned)).collect();
        let found = self.groups.get(&texts).copied();
        self.known.insert(key, found);
        found
    }
}

/// Counts for every audited group what may be claimed back. What was rejected or taken back already is not in it.
pub fn claw_back(
    groups: &mut [Judged],
    matched: &Matched,
    columns: &[Col],
    symbols: &Symbols,
    grain: &Grain,
) {
    let mut places = Places::of(groups, columns, symbols, grain);
    for m in &matched.conversions {
        let Some(at) = places.at(m) else { continue };
        let clawback = groups[at].outlook.clawback.get_or_insert_default();
        if !payable(m) {
            continue;
        }
        let part = match m {
            _ if m.replay => &mut clawback.replays,
            _ if m.class == Class::BeforeClick => &mut clawback.before_click,
            _ if repeats(m) => &mut clawback.repeats,
            _ => continue,
        };
        part.add(amount(m));
    }
}

fn payable(m: &MatchedConversion) -> bool {
    matches!(m.conversion.status, Status::Approved | Status::Pending)
}

/// What the conversion pays.
fn amount(m: &MatchedConversion) -> Option<Micro> {
    m.conversion.payout.or(m.conversion.revenue).map(Micro)
}

/// A once-only event that its click had before.
fn repeats(m: &MatchedConversion) -> bool {
    m.conversion.once && m.class == Class::Matched && !m.first_of_event
}

/// The flagged groups with the conversions that their findings concern.
///
/// # Errors
/// The addresses cannot be read.
pub fn dossiers(workings: &Workings, grain: &Grain) -> Result<Vec<Dossier>> {
    let groups = workings.groups;
    let mut places = Places::of(groups, workings.columns, workings.symbols, grain);
    let mut rows: BTreeMap<usize, Vec<&MatchedConversion>> = BTreeMap::new();
    let flagged = |at: &usize| groups[*at].findings.iter().any(accuses);
    for m in &workings.matched.conversions {
        if let Some(at) = places.at(m).filter(flagged) {
            rows.entry(at).or_default().push(m);
        }
    }
    let found = Found {
        addresses: samples::addresses(workings, rows.values().flatten().copied())?,
        transactions: first_reports(workings, rows.values().flatten().copied()),
    };
    let audited = (0..groups.len()).filter(|at| groups[*at].subject.grain == *grain && flagged(at));
    let of = |at: usize| dossier(workings, at, rows.get(&at).map_or(&[], Vec::as_slice), &found);
    Ok(audited.map(of).collect())
}

/// What is looked up for the conversions of all flagged groups at once.
struct Found {
    addresses: BTreeMap<u64, Text>,
    /// When each transaction was reported first.
    transactions: BTreeMap<u64, i64>,
}

fn first_reports<'a>(
    workings: &Workings,
    rows: impl Iterator<Item = &'a MatchedConversion>,
) -> BTreeMap<u64, i64> {
    let key = |m: &MatchedConversion| m.conversion.transaction_id.as_ref().map(|id| id.key);
    let mut first: BTreeMap<u64, i64> =
        rows.filter(|m| m.replay || m.shared).filter_map(|m| Some((key(m)?, m.conversion.time))).collect();
    for m in &workings.matched.conversions {
        if let Some(time) = key(m).and_then(|key| first.get_mut(&key)) {
            *time = m.conversion.time.min(*time);
        }
    }
    first
}

/// The conversions that the findings concern, each with its reasons. Where they concern none in particular, all
/// conversions of the group have the reasons that concern it as a whole.
fn dossier(workings: &Workings, at: usize, rows: &[&MatchedConversion], found: &Found) -> Dossier {
    let group = &workings.groups[at];
    let mut reasons: Vec<Vec<&'static Reason>> = vec![Vec::new(); rows.len()];
    let mut of_all: Vec<&'static Reason> = Vec::new();
    for finding in group.findings.iter().filter(|f| accuses(f)) {
        for (signal, reason) in told(finding) {
            let concerned = signal.map_or(Vec::new(), |signal| concerned(workings, signal, reason, rows));
            if concerned.is_empty() && !of_all.contains(&reason) {
                of_all.push(reason);
            }
            for at in concerned {
                if !reasons[at].contains(&reason) {
                    reasons[at].push(reason);
                }
            }
        }
    }
    let as_a_whole = reasons.iter().all(Vec::is_empty);
    if as_a_whole {
        reasons.iter_mut().for_each(|r| r.clone_from(&of_all));
    }
    spread(rows, &mut reasons);
    let mut cases: Vec<Case> = rows
        .iter()
        .zip(reasons)
        .filter(|(_, reasons)| !reasons.is_empty())
        .map(|(m, reasons)| case(workings, m, reasons, found))
        .collect();
    cases.sort_by_key(|c| (c.sample.time, c.content));
    Dossier { group: at, all: rows.len() as u64, as_a_whole, cases }
}

/// Questions whatever else came of a click that is in question.
fn spread(rows: &[&MatchedConversion], reasons: &mut [Vec<&'static Reason>]) {
    let spreads = |reasons: &[&Reason]| reasons.iter().any(|r| r.spreads);
    let key = |m: &MatchedConversion| m.conversion.click_id.as_ref().map(|id| id.key);
    let questioned = rows.iter().zip(reasons.iter()).filter(|(_, r)| spreads(r));
    let clicks: BTreeSet<u64> = questioned.filter_map(|(m, _)| key(m)).collect();
    for (m, reasons) in rows.iter().zip(reasons) {
        if reasons.is_empty() && key(m).is_some_and(|click| clicks.contains(&click)) {
            reasons.push(same_click());
        }
    }
}

/// The reasons that a finding gives, with the signal of each.
fn told(finding: &Finding) -> Vec<(Option<&'static Signal>, &'static Reason)> {
    let signals = finding.evidence.iter().map(|e| e.signal);
    let known: Vec<_> = signals.filter_map(|s| Some((Some(s), reason(s.name)?))).collect();
    if known.is_empty() { vec![(None, unlike_peers())] } else { known }
}

/// The places of the conversions that a signal counts.
fn concerned(
    workings: &Workings,
    signal: &'static Signal,
    reason: &Reason,
    rows: &[&MatchedConversion],
) -> Vec<usize> {
    let of = |wanted: &dyn Fn(&MatchedConversion) -> bool| {
        rows.iter().enumerate().filter(|(_, m)| wanted(m)).map(|(at, _)| at).collect()
    };
    match reason.code {
        "replayed_transaction" => of(&|m| m.replay),
        "shared_transaction" => of(&|m| m.shared),
        "repeated_event" => of(&repeats),
        "few_addresses" => match busiest_address(rows) {
            Some(address) => of(&|m| m.conversion.ip == Some(address)),
            None => Vec::new(),
        },
        _ => {
            let chosen = samples::concerned(workings, signal, rows).map_or(Vec::new(), |(_, chosen)| chosen);
            let chosen: BTreeSet<*const MatchedConversion> =
                chosen.into_iter().map(std::ptr::from_ref).collect();
            of(&|m| chosen.contains(&std::ptr::from_ref(m)))
        }
    }
}

fn busiest_address(rows: &[&MatchedConversion]) -> Option<u64> {
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    rows.iter().filter_map(|m| m.conversion.ip).for_each(|ip| *counts.entry(ip).or_default() += 1);
    counts.into_iter().filter(|(_, n)| *n > 1).max_by_key(|(ip, n)| (*n, *ip)).map(|(ip, _)| ip)
}

fn case(workings: &Workings, m: &MatchedConversion, reasons: Vec<&'static Reason>, found: &Found) -> Case {
    let mut sample = samples::sample(workings, m, &found.addresses);
    sample.amount = amount(m);
    Case {
        sample,
        click_time: m.click_time,
        lock_time: m.conversion.lock_time,
        first_report: first_report(m, found),
        payable: payable(m),
        reasons,
        content: m.conversion.content,
    }
}

/// When the transaction was reported before, where it was.
fn first_report(m: &MatchedConversion, found: &Found) -> Option<i64> {
    let id = m.conversion.transaction_id.as_ref().filter(|_| m.replay || m.shared)?;
    found.transactions.get(&id.key).copied().filter(|first| *first < m.conversion.time)
}
