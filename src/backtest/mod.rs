//! What would have been done on which night, and what that would have saved.
//!
//! The nights of some exports are walked through as if each had been run on its own morning ([`crate::audit::walk`]);
//! here is only the bookkeeping. A source that would have been blocked goes on in the exports as it did: what it sent
//! from the next night on is what a block would have saved, and what it earned what a block would have cost. Nobody
//! knows what it would have sent under another name. A hold stops no clicks: it saves nothing here, and the money that
//! it keeps from being paid is told by itself.

mod text;
mod what_if;

pub use text::{json, text};
pub use what_if::WhatIf;

use crate::audit::{Settings, Sum, Sums, Walked, walk};
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
    /// What came on the nights after, as long as the block stood.
    pub saved: Sum,
    /// The most money at risk on a night on which it was on hold.
    pub held: Option<Micro>,
    /// It is on a protect list: nobody would have acted, and nothing is saved.
    pub protected: bool,
}

/// A group on which nobody would have acted.
#[derive(Clone, Debug)]
pub struct Spared {
    /// The gravest verdict that it ever had: watch, clean or undecided; since when, and why.
    pub worst: Verdict,
    pub night: i32,
    pub reason: String,
    /// All that it sent and earned.
    pub sent: Sum,
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
    /// What it was where it would not have been found.
    pub spared: Option<Spared>,
}

impl Against {
    /// How many planted groups were found.
    pub fn found(&self) -> usize {
        self.kinds.iter().map(|kind| kind.2).sum()
    }
}

impl MyList {
    /// How many of the list would have been found.
    pub fn found(&self) -> usize {
        self.mine.iter().filter(|mine| mine.cut.is_some()).count()
    }
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
    /// How many days every night looks at.
    pub window: u32,
    pub nights: Vec<i32>,
    /// Nights that judged nobody, and why.
    pub gated: Vec<(i32, String)>,
    /// All that there was.
    pub all: Sum,
    /// The gravest first, then by spend saved from large to small, then by key.
    pub cuts: Vec<Cut>,
    pub against: Option<Against>,
    pub my_list: Option<MyList>,
    /// The same with the rules as they are, where others are asked about.
    pub what_if: Option<WhatIf>,
}

/// A night that judged somebody.
struct Night {
    record: Record,
    sums: Sums,
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

/// Walks through the exports, each night with a window of so many days.
///
/// # Errors
/// Whatever keeps an audit from completing; labels of another grain.
pub fn backtest(
    settings: &mut Settings,
    rules: &RuleSet,
    window: u32,
    truth: Option<&[Planted]>,
    list: Option<&[Listed]>,
) -> Result<Backtest> {
    let mut nights = Vec::new();
    let mut found = Backtest { rules: rules.digest.clone(), window, ..Backtest::default() };
    walk(settings, rules, window, &mut |walked: Walked| {
        found.nights.push(walked.night);
        found.gated.extend(walked.gate.map(|why| (walked.night, why)));
        nights.extend(walked.record.map(|record| Night { record, sums: walked.sums }));
    })?;
    let protected = |key: &Key| {
        let key: Vec<Option<Text>> = key.iter().map(|part| part.as_deref().map(Text::new)).collect();
        settings.protect.covers(&settings.grain, &key)
    };
    found.book(&nights, &protected);
    found.against = truth.map(|truth| found.against(truth, &nights));
    found.my_list = list.map(|list| found.beside(list, &nights));
    Ok(found)
}

impl Backtest {
    /// Books what the nights came to.
    fn book(&mut self, nights: &[Night], protected: &dyn Fn(&Key) -> bool) {
        let Some(last) = nights.last() else { return };
        self.grain.clone_from(&last.record.head.grain);
        self.currency = last.record.head.currency.as_deref().map(Text::new);
        last.sums.values().for_each(|sum| self.all.add(*sum));
        let mut cuts: BTreeMap<&Key, Cut> = BTreeMap::new();
        let mut before: Option<&Night> = None;
        for night in nights {
            for line in &night.record.lines {
                let earlier = before.and_then(|night| night.record.line(&line.key));
                let stands = earlier.is_some_and(acts) && line.tonight.is_some();
                if let Some(cut) = cuts.get_mut(&line.key).filter(|cut| stands && !cut.protected) {
                    cut.saved
                        .add(night.sum(&line.key).since(before.map_or(Sum::default(), |n| n.sum(&line.key))));
                }
                note(&mut cuts, line, night.record.head.day(), protected);
            }
            before = Some(night);
        }
        self.cuts = cuts.into_values().collect();
        let saved = |cut: &Cut| cut.saved.spend.map_or(0, |spend| spend.0);
        self.cuts.sort_by(|a, b| (a.verdict, saved(b), &a.key).cmp(&(b.verdict, saved(a), &b.key)));
    }

    /// What the cuts of a verdict save.
    fn saved(&self, verdict: Verdict) -> Sum {
        total(self.cuts.iter().filter(|cut| cut.verdict == verdict))
    }

    fn against(&self, truth: &[Planted], nights: &[Night]) -> Against {
        let mut kinds: BTreeMap<&str, Vec<Option<i32>>> = BTreeMap::new();
        let mut planted_keys = BTreeSet::new();
        for planted in truth {
            let keys = known(nights).into_iter().filter(|key| is_planted(key, planted));
            let keys: Vec<&Key> = keys.collect();
            planted_keys.extend(keys.iter().copied());
            let cut = self.cuts.iter().find(|cut| keys.contains(&&cut.key));
            let since = planted.since.as_deref().and_then(parse_day);
            let after = cut.map(|cut| since.map_or(cut.after, |since| (cut.night - since).max(0)));
            kinds.entry(&planted.kind).or_default().push(after);
        }
        let others = self.cuts.iter().map(|cut| &cut.key).filter(|key| !planted_keys.contains(key));
        let row = |(kind, nights): (&str, Vec<Option<i32>>)| {
            let found: Vec<i32> = nights.iter().flatten().copied().collect();
            (kind.to_owned(), nights.len(), found.len(), median(found))
        };
        Against { others: others.cloned().collect(), kinds: kinds.into_iter().map(row).collect() }
    }

    fn beside(&self, list: &[Listed], nights: &[Night]) -> MyList {
        let known = known(nights);
        let mine: Vec<Mine> = list
            .iter()
            .map(|listed| {
                let key = known.iter().find(|key| is_called(key, &listed.name)).map(|key| (*key).clone());
                let cut = self.cuts.iter().find(|cut| Some(&cut.key) == key.as_ref()).cloned();
                let spared = key.as_ref().filter(|_| cut.is_none()).and_then(|key| spared(key, nights));
                Mine { name: listed.name.clone(), since: listed.since, key, cut, spared }
            })
            .collect();
        let keys: BTreeSet<&Key> = mine.iter().filter_map(|mine| mine.key.as_ref()).collect();
        let others = self.cuts.iter().filter(|cut| cut.verdict == Verdict::Block && !keys.contains(&cut.key));
        MyList { others: others.cloned().collect(), mine }
    }
}

impl Night {
    /// What a group sent and earned up to this night.
    fn sum(&self, key: &Key) -> Sum {
        self.sums.get(key).copied().unwrap_or_default()
    }
}

/// What cuts save together.
fn total<'c>(cuts: impl Iterator<Item = &'c Cut>) -> Sum {
    cuts.fold(Sum::default(), |mut sum, cut| {
        sum.add(cut.saved);
        sum
    })
}

/// The most that cuts kept on hold.
fn held<'c>(cuts: impl Iterator<Item = &'c Cut>) -> Option<Micro> {
    cuts.filter_map(|cut| cut.held).reduce(|a, b| Micro(a.0.saturating_add(b.0)))
}

/// What a group was on its worst night, on which nobody acted either.
fn spared(key: &Key, nights: &[Night]) -> Option<Spared> {
    let lines = nights.iter().filter_map(|night| Some((night.record.head.day(), night.record.line(key)?)));
    let judged = lines.filter_map(|(night, line)| Some((Verdict::of(&line.verdict)?, night, line)));
    let (worst, night, line) = judged.min_by_key(|(verdict, night, _)| (*verdict, *night))?;
    let sent = nights.last().map_or(Sum::default(), |night| night.sum(key));
    Some(Spared { worst, night, reason: line.state.why(worst, None, None), sent })
}

/// Whether somebody would act on a group from then on.
fn acts(line: &Line) -> bool {
    Verdict::of(&line.verdict) == Some(Verdict::Block)
}

/// Notes the first night on which a group is to be held or blocked, and the first on which that gets graver.
fn note<'l>(cuts: &mut BTreeMap<&'l Key, Cut>, line: &'l Line, night: i32, protected: &dyn Fn(&Key) -> bool) {
    let Some(verdict) = Verdict::of(&line.verdict).filter(|v| *v <= Verdict::Hold) else { return };
    let held = line.at_risk.map(Micro).filter(|_| verdict == Verdict::Hold);
    let new = || Cut {
        key: line.key.clone(),
        verdict,
        night,
        after: night - line.state.first_seen,
        reason: line.state.reason.clone(),
        saved: Sum::default(),
        held,
        protected: protected(&line.key),
    };
    match cuts.get_mut(&line.key) {
        Some(cut) if verdict < cut.verdict => *cut = Cut { saved: cut.saved, held: cut.held, ..new() },
        Some(cut) => cut.held = cut.held.max(held),
        None => drop(cuts.insert(&line.key, new())),
    }
}

fn known(nights: &[Night]) -> BTreeSet<&Key> {
    nights.iter().flat_map(|night| &night.record.lines).map(|line| &line.key).collect()
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

    impl Cut {
        /// A cut of nobody.
        pub fn sample() -> Cut {
            Cut {
                key: Vec::new(),
                verdict: Verdict::Block,
                night: 0,
                after: 0,
                reason: String::new(),
                saved: Sum::default(),
                held: None,
                protected: false,
            }
        }
    }

    /// Nights of one source with a verdict and clicks so far, which cost a cent each.
    fn records(nights: &[(&str, &str, u64)]) -> Vec<Night> {
        let one = |&(night, verdict, clicks): &(&str, &str, u64)| {
            let mut line = line("z", verdict, clicks);
            line.state.first_seen = parse_day("2026-03-01").expect("a day");
            line.at_risk = Some(clicks as i64);
            let spend = Some(Micro(clicks as i64 * 10_000));
            let sums = Sums::from([(line.key.clone(), Sum { clicks, spend, revenue: None })]);
            // A window of one day: what the night looks at says nothing of the days before.
            (line.clicks, line.spend) = (1, None);
            Night { record: Record { head: head(night), lines: vec![line] }, sums }
        };
        nights.iter().map(one).collect()
    }

    fn booked(nights: &[(&str, &str, u64)]) -> Backtest {
        let mut found = Backtest::default();
        found.book(&records(nights), &|_| false);
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
    fn nothing_is_saved_where_a_list_protects() {
        let mut found = Backtest::default();
        found.book(&records(&[("2026-03-01", "block", 100), ("2026-03-02", "block", 250)]), &|_| true);
        let cut = &found.cuts[0];
        assert_eq!((cut.verdict, cut.protected, cut.saved.clicks), (Verdict::Block, true, 0));
        assert_eq!(found.all.clicks, 250);
    }

    #[test]
    fn a_hold_tells_the_most_money_that_was_at_risk() {
        let nights = [("2026-03-01", "hold", 100), ("2026-03-02", "hold", 150), ("2026-03-03", "clean", 900)];
        let found = booked(&nights);
        assert_eq!((found.cuts[0].held, found.cuts[0].saved), (Some(Micro(150)), Sum::default()));
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
        // Who was not found says what it was on its worst night.
        let nights = [("2026-03-01", "undecided", 1), ("2026-03-02", "watch", 8), ("2026-03-03", "watch", 9)];
        let beside = booked(&nights).beside(&list, &records(&nights));
        let spared = beside.mine[0].spared.as_ref().expect("it was there");
        let expected = (Verdict::Watch, parse_day("2026-03-02").expect("a day"), 9);
        assert_eq!((spared.worst, spared.night, spared.sent.clicks), expected);
        assert!(beside.mine[1].spared.is_none() && beside.found() == 0);
        assert!(my_list("# nobody\n", "mine.txt").is_err());
        let error = my_list("z tomorrow\n", "mine.txt").expect_err("no day").to_string();
        assert_eq!(error, "mine.txt:1: `tomorrow` is no day");
    }
}
