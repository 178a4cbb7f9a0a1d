//! What would have been done on which night, and what that would have saved.
//!
//! The nights of some exports are walked through as if each had been run on its own morning ([`crate::audit::walk`]);
//! here is only the bookkeeping. A source that would have been blocked goes on in the exports as it did: what it sent
//! from the next night on is what a block would have saved, and what it earned what a block would have cost. Nobody
//! knows what it would have sent under another name.

mod text;

pub use text::{json, text};

use crate::audit::{Settings, Walked, walk};
use crate::base::error::{Error, Result};
use crate::base::money::Micro;
use crate::base::text::Text;
use crate::base::time::parse_day;
use crate::evaluate::Planted;
use crate::history::{Line, Record, is_called};
use crate::rules::RuleSet;
use crate::verdicts::Verdict;
use std::collections::{BTreeMap, BTreeSet};

/// The texts of a group's columns.
pub type Key = Vec<Option<String>>;

/// What was sent and earned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub clicks: u64,
    pub spend: Option<Micro>,
    pub revenue: Option<Micro>,
}

impl Sum {
    fn add(&mut self, other: Sum) {
        let add = |a: Option<Micro>, b: Option<Micro>| match (a, b) {
            (Some(a), Some(b)) => Some(Micro(a.0.saturating_add(b.0))),
            (a, b) => a.or(b),
        };
        self.clicks += other.clicks;
        self.spend = add(self.spend, other.spend);
        self.revenue = add(self.revenue, other.revenue);
    }

    /// What came between two nights of a window that grows.
    fn between(before: Option<&Line>, now: &Line) -> Sum {
        let less = |now: Option<i64>, before: Option<Option<i64>>| {
            now.map(|now| Micro(now.saturating_sub(before.flatten().unwrap_or(0))))
        };
        Sum {
            clicks: now.clicks.saturating_sub(before.map_or(0, |line| line.clicks)),
            spend: less(now.spend, before.map(|line| line.spend)),
            revenue: less(now.revenue, before.map(|line| line.revenue)),
        }
    }
}

/// A group on which somebody would have acted.
#[derive(Clone, Debug)]
pub struct Cut {
    pub key: Key,
    /// The gravest verdict that it ever had: block or hold.
    pub verdict: Verdict,
    /// The first night of it, and how many nights after the group was first seen.
    pub night: i32,
    pub after: i32,
    pub reason: String,
    /// What came on the nights after, as long as the verdict stood.
    pub saved: Sum,
}

/// The cuts beside what is known to be true.
#[derive(Clone, Debug, Default)]
pub struct Against {
    /// Kind, planted, found, median nights to the first cut.
    pub kinds: Vec<(String, usize, usize, Option<i32>)>,
    /// Groups that were cut and are no planted ones.
    pub others: Vec<Key>,
}

/// A zone that somebody blocked by hand.
#[derive(Clone, Debug)]
pub struct Mine {
    pub name: String,
    /// The day on which it was blocked, if the list says it.
    pub since: Option<i32>,
    /// None where no such group is in the exports.
    pub key: Option<Key>,
    pub cut: Option<Cut>,
}

/// What sixty zones that were blocked by hand come to.
#[derive(Clone, Debug, Default)]
pub struct MyList {
    pub mine: Vec<Mine>,
    /// Groups that would have been blocked and are not on the list.
    pub others: Vec<Cut>,
}

/// What the walk came to.
#[derive(Clone, Debug, Default)]
pub struct Backtest {
    pub grain: Vec<String>,
    pub currency: Option<Text>,
    pub rules: String,
    pub nights: Vec<i32>,
    /// Nights that judged nobody, and why.
    pub gated: Vec<(i32, String)>,
    /// All that there was.
    pub all: Sum,
    /// The gravest first, then by spend saved from large to small, then by key.
    pub cuts: Vec<Cut>,
    pub against: Option<Against>,
    pub my_list: Option<MyList>,
}

/// A line of a list that was made by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub name: String,
    pub since: Option<i32>,
}

/// Reads a list that was made by hand: `ID` or `traffic_source:ID` in a line, with the day of the block behind it
/// where that is known; `#` begins a comment.
///
/// # Errors
/// A line with anything else, or a list of nobody.
pub fn my_list(text: &str, file: &str) -> Result<Vec<Listed>> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()).enumerate();
    let listed: Vec<Listed> = lines
        .filter(|(_, line)| !line.is_empty())
        .map(|(at, line)| listed(line, at + 1, file))
        .collect::<Result<_>>()?;
    if listed.is_empty() {
        return Err(Error::usage(format!("{file} lists nobody")).help("write one ID a line"));
    }
    Ok(listed)
}

fn listed(line: &str, number: usize, file: &str) -> Result<Listed> {
    let mut parts = line.split([' ', ',', ';', '\t']).filter(|part| !part.is_empty());
    let name = parts.next().unwrap_or_default().replacen(':', "/", 1);
    let no_day = |text: &str| {
        let text = Text::new(text).term(40);
        Error::usage(format!("{file}:{number}: `{text}` is no day"))
            .help("write `ID 2026-03-09`, or the ID alone")
    };
    let since = parts.next().map(|text| parse_day(text).ok_or_else(|| no_day(text))).transpose()?;
    Ok(Listed { name, since })
}

/// Walks through the exports.
///
/// # Errors
/// Whatever keeps an audit from completing; labels of another grain.
pub fn backtest(
    settings: &mut Settings,
    rules: &RuleSet,
    truth: Option<&[Planted]>,
    list: Option<&[Listed]>,
) -> Result<Backtest> {
    let mut records = Vec::new();
    let mut found = Backtest { rules: rules.digest.clone(), ..Backtest::default() };
    walk(settings, rules, &mut |walked: Walked| {
        found.nights.push(walked.night);
        found.gated.extend(walked.gate.map(|why| (walked.night, why)));
        records.extend(walked.record);
    })?;
    found.book(&records);
    found.against = truth.map(|truth| found.against(truth, &records));
    found.my_list = list.map(|list| found.beside(list, &records));
    Ok(found)
}

impl Backtest {
    /// Books what the nights came to.
    fn book(&mut self, records: &[Record]) {
        let Some(last) = records.last() else { return };
        self.grain.clone_from(&last.head.grain);
        self.currency = last.head.currency.as_deref().map(Text::new);
        last.lines.iter().for_each(|line| self.all.add(Sum::between(None, line)));
        let mut cuts: BTreeMap<&Key, Cut> = BTreeMap::new();
        let mut before: Option<&Record> = None;
        for record in records {
            for line in &record.lines {
                let earlier = before.and_then(|record| record.line(&line.key));
                let stands = earlier.is_some_and(acts) && line.tonight.is_some();
                if let Some(cut) = cuts.get_mut(&line.key).filter(|_| stands) {
                    cut.saved.add(Sum::between(earlier, line));
                }
                note(&mut cuts, line, record.head.day());
            }
            before = Some(record);
        }
        self.cuts = cuts.into_values().collect();
        let saved = |cut: &Cut| cut.saved.spend.map_or(0, |spend| spend.0);
        self.cuts.sort_by(|a, b| (a.verdict, saved(b), &a.key).cmp(&(b.verdict, saved(a), &b.key)));
    }

    fn against(&self, truth: &[Planted], records: &[Record]) -> Against {
        let mut kinds: BTreeMap<&str, Vec<Option<i32>>> = BTreeMap::new();
        let mut planted_keys = BTreeSet::new();
        for planted in truth {
            let keys = known(records).into_iter().filter(|key| is_planted(key, planted));
            let keys: Vec<&Key> = keys.collect();
            planted_keys.extend(keys.iter().copied());
            let cut = self.cuts.iter().find(|cut| keys.contains(&&cut.key));
            let since = planted.since.as_deref().and_then(parse_day);
            let nights = cut.map(|cut| since.map_or(cut.after, |since| (cut.night - since).max(0)));
            kinds.entry(&planted.kind).or_default().push(nights);
        }
        let others = self.cuts.iter().map(|cut| &cut.key).filter(|key| !planted_keys.contains(key));
        let row = |(kind, nights): (&str, Vec<Option<i32>>)| {
            let found: Vec<i32> = nights.iter().flatten().copied().collect();
            (kind.to_owned(), nights.len(), found.len(), median(found))
        };
        Against { others: others.cloned().collect(), kinds: kinds.into_iter().map(row).collect() }
    }

    fn beside(&self, list: &[Listed], records: &[Record]) -> MyList {
        let known = known(records);
        let mine: Vec<Mine> = list
            .iter()
            .map(|listed| {
                let key = known.iter().find(|key| is_called(key, &listed.name)).map(|key| (*key).clone());
                let cut = self.cuts.iter().find(|cut| Some(&cut.key) == key.as_ref()).cloned();
                Mine { name: listed.name.clone(), since: listed.since, key, cut }
            })
            .collect();
        let keys: BTreeSet<&Key> = mine.iter().filter_map(|mine| mine.key.as_ref()).collect();
        let others = self.cuts.iter().filter(|cut| cut.verdict == Verdict::Block && !keys.contains(&cut.key));
        MyList { others: others.cloned().collect(), mine }
    }
}

/// Whether somebody would act on a group from then on.
fn acts(line: &Line) -> bool {
    Verdict::of(&line.verdict) == Some(Verdict::Block)
}

/// Notes the first night on which a group is to be held or blocked, and the first on which that gets graver.
fn note<'l>(cuts: &mut BTreeMap<&'l Key, Cut>, line: &'l Line, night: i32) {
    let Some(verdict) = Verdict::of(&line.verdict).filter(|v| *v <= Verdict::Hold) else { return };
    let new = || Cut {
        key: line.key.clone(),
        verdict,
        night,
        after: night - line.state.first_seen,
        reason: line.state.reason.clone(),
        saved: Sum::default(),
    };
    match cuts.get_mut(&line.key) {
        Some(cut) if verdict < cut.verdict => *cut = Cut { saved: cut.saved, ..new() },
        Some(_) => {}
        None => drop(cuts.insert(&line.key, new())),
    }
}

fn known(records: &[Record]) -> BTreeSet<&Key> {
    records.iter().flat_map(|record| &record.lines).map(|line| &line.key).collect()
}

fn is_planted(key: &Key, planted: &Planted) -> bool {
    let source = key.last().and_then(Option::as_deref) == Some(planted.source.as_str());
    let traffic = planted.traffic_source.as_deref();
    source && traffic.is_none_or(|name| key.first().and_then(Option::as_deref) == Some(name))
}

fn median(mut values: Vec<i32>) -> Option<i32> {
    values.sort_unstable();
    values.get(values.len() / 2).copied().filter(|_| !values.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::samples::{head, line};

    /// Nights of one source with a verdict and clicks so far, which cost a cent each.
    fn records(nights: &[(&str, &str, u64)]) -> Vec<Record> {
        let one = |&(night, verdict, clicks): &(&str, &str, u64)| {
            let mut line = line("z", verdict, clicks);
            line.state.first_seen = parse_day("2026-03-01").expect("a day");
            Record { head: head(night), lines: vec![line] }
        };
        nights.iter().map(one).collect()
    }

    fn booked(nights: &[(&str, &str, u64)]) -> Backtest {
        let mut found = Backtest::default();
        found.book(&records(nights));
        found
    }

    #[test]
    fn what_comes_after_a_block_is_saved_while_it_stands() {
        let found = booked(&[
            ("2026-03-01", "clean", 100),
            ("2026-03-02", "block", 250),
            ("2026-03-03", "block", 300),
            ("2026-03-04", "clean", 370),
            ("2026-03-05", "clean", 500),
        ]);
        let cut = &found.cuts[0];
        assert_eq!((cut.verdict, cut.after), (Verdict::Block, 1));
        assert_eq!((cut.saved.clicks, cut.saved.spend), (120, Some(Micro(1_200_000))));
        assert_eq!(found.all.clicks, 500);
    }

    #[test]
    fn a_hold_saves_nothing_and_becomes_a_block_when_it_does() {
        let nights =
            [("2026-03-01", "hold", 100), ("2026-03-02", "block", 150), ("2026-03-03", "block", 160)];
        let found = booked(&nights);
        assert_eq!(
            (found.cuts[0].verdict, found.cuts[0].after, found.cuts[0].saved.clicks),
            (Verdict::Block, 1, 10)
        );
        assert_eq!(booked(&nights[..1]).cuts[0].verdict, Verdict::Hold);
    }

    #[test]
    fn labels_say_what_was_found_and_when() {
        let found = booked(&[("2026-03-01", "clean", 1), ("2026-03-04", "block", 2)]);
        let planted = |source: &str, since: Option<&str>| Planted {
            traffic_source: None,
            source: source.to_owned(),
            kind: "injection".to_owned(),
            strength: None,
            since: since.map(str::to_owned),
            conversions: None,
            touched_payout: None,
            line: 2,
        };
        let records = records(&[("2026-03-04", "block", 2)]);
        let against = found.against(&[planted("z", Some("2026-03-02")), planted("y", None)], &records);
        assert_eq!(against.kinds, [("injection".to_owned(), 2, 1, Some(2))]);
        assert_eq!(found.against(&[], &records).others.len(), 1);
    }

    #[test]
    fn a_list_by_hand_is_read_and_compared() {
        let list = my_list("# mine\nnet:z 2026-03-09\n\nx # gone\n", "mine.txt").expect("a list");
        let since = parse_day("2026-03-09");
        assert_eq!(list, [Listed { name: "net/z".into(), since }, Listed { name: "x".into(), since: None }]);
        let nights = [("2026-03-01", "block", 1)];
        let found = booked(&nights).beside(&list, &records(&nights));
        assert!(found.mine[0].cut.is_some() && found.mine[1].key.is_none() && found.others.is_empty());
        assert!(my_list("# nobody\n", "mine.txt").is_err());
        let error = my_list("z tomorrow\n", "mine.txt").expect_err("no day").to_string();
        assert_eq!(error, "mine.txt:1: `tomorrow` is no day");
    }
}
