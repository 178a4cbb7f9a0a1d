//! Conversions to look at: those that the strongest evidence counts, else the newest.

use super::Workings;
use crate::base::column::Col;
use crate::base::error::Result;
use crate::base::money::Micro;
use crate::base::text::Text;
use crate::ingest::{Field, KeySet, key};
use crate::matching::MatchedConversion;
use crate::measures::{ConversionSet, Filter, Kind, M, Rows};
use crate::report::explain::{Sample, Samples};
use crate::signals::{Against, IntervalKind, Signal, Suspicious};
use crate::verdicts::Judged;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Conversions that are shown.
const SHOWN: usize = 8;
/// Without findings, signals that weigh less than this are no reason to choose a conversion, in decibans.
const REMARKABLE: f64 = 10.0;

/// Some conversions of a group.
///
/// # Errors
/// The addresses cannot be read.
pub fn samples(workings: &Workings, group: &Judged, rows: &[&MatchedConversion]) -> Result<Samples> {
    let concerned = evidence(group).into_iter().find_map(|signal| concerned(workings, signal, rows));
    let (what, mut rows) = concerned.unwrap_or_else(|| ("the newest".to_owned(), newest(rows)));
    let all = rows.len() as u64;
    rows.truncate(SHOWN);
    let addresses = addresses(workings, rows.iter().copied())?;
    Ok(Samples { what, all, rows: rows.iter().map(|m| sample(workings, m, &addresses)).collect() })
}

/// The signals that findings rest on, then those that stand out among peers, each in the order of its strength.
fn evidence(group: &Judged) -> Vec<&'static Signal> {
    let tested = group.findings.iter().flat_map(|f| &f.evidence).map(|e| e.signal);
    let compared = group.subject.profile.signals.compared();
    let mut standing: Vec<(f64, &'static Signal)> =
        compared.map(|(s, versus)| (versus.decibans, s)).collect();
    standing.retain(|(weight, _)| *weight >= REMARKABLE);
    standing.sort_by(|a, b| b.0.total_cmp(&a.0));
    let accuses = |s: &&Signal| s.suspicious != Suspicious::Neither;
    tested.chain(standing.into_iter().map(|(_, signal)| signal)).filter(accuses).collect()
}

type Chosen<'a> = (String, Vec<&'a MatchedConversion>);

/// The conversions that make a signal what it is; `None` where it does not count conversions.
pub fn concerned<'a>(
    workings: &Workings,
    signal: &'static Signal,
    rows: &[&'a MatchedConversion],
) -> Option<Chosen<'a>> {
    if signal.against == Against::Spikes(M::Ctit) {
        return at_the_peak(rows);
    }
    if signal.kind != IntervalKind::Share || signal.measures.iter().any(|m| m.decl().rows == Rows::Clicks) {
        return None;
    }
    let counted = |m: &&M| m.decl().kind == Kind::Count;
    let mut measures = signal.measures.iter().filter(counted).copied();
    let (part, whole) = (measures.next()?, measures.next()?);
    let set =
        ConversionSet { rows: &[], clock: workings.clock, main_event: workings.main_event, cost_days: None };
    let of =
        |wanted: &dyn Fn(&MatchedConversion) -> bool| rows.iter().copied().filter(|m| wanted(m)).collect();
    let (what, chosen): Chosen = match signal.suspicious {
        Suspicious::High => (part.decl().summary.to_owned(), of(&|m| set.counts(part, m))),
        Suspicious::Low => {
            let lacking = |m: &MatchedConversion| set.counts(whole, m) && !set.counts(part, m);
            (format!("those that lower {}", signal.name), of(&lacking))
        }
        Suspicious::Either | Suspicious::Neither => return None,
    };
    (!chosen.is_empty()).then(|| (what, ordered(part, chosen)))
}

/// The most telling first: the fastest of the fast, the latest of the late, else the newest.
fn ordered(part: M, mut chosen: Vec<&MatchedConversion>) -> Vec<&MatchedConversion> {
    let filters = part.decl().filters;
    let late = filters.iter().any(|f| matches!(f, Filter::Long | Filter::HourLater));
    let timed = late || filters.contains(&Filter::HasCtit);
    chosen.sort_by_key(|m| {
        let ctit = m.ctit_s.filter(|_| timed).map(|t| if late { -t } else { t });
        (ctit, -m.conversion.time, m.conversion.content)
    });
    chosen
}

/// The conversions within two seconds of the commonest time from the click.
fn at_the_peak<'a>(rows: &[&'a MatchedConversion]) -> Option<Chosen<'a>> {
    const NEAR: i64 = 2;
    let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
    rows.iter().filter_map(|m| m.ctit_s).for_each(|t| *counts.entry(t).or_default() += 1);
    let (peak, _) = counts.iter().rev().max_by_key(|(_, n)| **n)?;
    let near = |m: &&&MatchedConversion| m.ctit_s.is_some_and(|t| (t - peak).abs() <= NEAR);
    let chosen: Vec<&MatchedConversion> = rows.iter().filter(near).copied().collect();
    Some((format!("{peak} s after their click, give or take {NEAR} s"), ordered(M::CtitCount, chosen)))
}

fn newest<'a>(rows: &[&'a MatchedConversion]) -> Vec<&'a MatchedConversion> {
    ordered(M::Conversions, rows.to_vec())
}

pub fn sample(workings: &Workings, m: &MatchedConversion, addresses: &BTreeMap<u64, Text>) -> Sample {
    let c = &m.conversion;
    let column = |col: Col| {
        let at = workings.columns.iter().position(|c| *c == col)?;
        workings.symbols.text(m.columns[at]).map(Text::new)
    };
    let id = |id: &Option<crate::clean::Id>| id.as_ref().map(|id| Text::id(&*id.text));
    Sample {
        click_id: id(&c.click_id),
        transaction_id: id(&c.transaction_id),
        time: c.time,
        ctit_s: m.ctit_s,
        class: m.class.word(),
        event: Text::new(workings.symbols.text(c.event).unwrap_or_default()),
        status: c.status.word(),
        amount: c.payout.or(c.revenue).or(c.sale_amount).map(Micro),
        offer: column(Col::Offer),
        country: column(Col::Country),
        address: c.ip.and_then(|ip| addresses.get(&ip).cloned()),
        fraud_reason: workings.symbols.text(c.fraud_reason).map(Text::new),
    }
}

/// The rows' addresses by their key. Addresses are kept as keys only, so the few that are asked for are looked up
/// in the intake.
pub fn addresses<'a>(
    workings: &Workings,
    rows: impl Iterator<Item = &'a MatchedConversion>,
) -> Result<BTreeMap<u64, Text>> {
    let wanted: Arc<KeySet> = Arc::new(rows.filter_map(|m| m.conversion.ip).collect());
    let mut addresses = BTreeMap::new();
    if wanted.is_empty() {
        return Ok(addresses);
    }
    let intake = workings.intake;
    let table = if intake.combined { &intake.clicks } else { &intake.conversions };
    let fields = [Field::Value(Col::Ip), Field::Key(Col::Ip)];
    table.scan(&fields, Some((Col::Ip, &wanted)), &mut |batch| {
        for address in batch.texts(Col::Ip).into_iter().flat_map(|texts| texts.iter().flatten()) {
            if address.trim().parse::<IpAddr>().is_ok() {
                addresses.insert(key(address.as_bytes()), Text::new(address.trim()));
            }
        }
        Ok(())
    })?;
    Ok(addresses)
}
