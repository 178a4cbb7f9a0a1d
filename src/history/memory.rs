//! What a night knows of earlier ones.

use super::folder::{Folder, Pinning};
use super::record::{Line, Record, Seen};
use crate::base::column::Grain;
use crate::base::error::Result;
use crate::base::time::{DAY, SECOND};
use crate::past::{Counts, News, Past, Point};
use crate::rules::{Limit, Node, Rule, RuleSet};
use crate::signals::{self, Interval, Row, Signal};
use crate::verdicts::Standing;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What the rules of a run ask of earlier nights.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub signals: BTreeSet<&'static str>,
    /// How many days back the longest question reaches.
    pub days: i32,
}

impl Asked {
    /// By the tests of these rules against a group's own past.
    pub fn by(rules: &RuleSet) -> Asked {
        let mut asked = Asked::default();
        for (signal, over_s) in rules.rules.iter().flat_map(questions) {
            asked.signals.insert(signal.name);
            asked.days = asked.days.max((over_s * SECOND as f64 / DAY as f64).floor() as i32);
        }
        asked
    }
}

fn questions(rule: &Rule) -> Vec<(&'static Signal, f64)> {
    let nodes: Vec<&Node> = std::iter::once(&rule.when).chain(&rule.clear).collect();
    let tests = nodes.into_iter().flat_map(Node::tests);
    tests
        .filter_map(|test| match test.limit {
            Limit::Past(past) => Some((test.signal, past.over_s)),
            _ => None,
        })
        .collect()
}

/// Where earlier nights are looked for.
#[derive(Clone, Debug, Default)]
pub enum Earlier {
    /// Nowhere: one run without history.
    #[default]
    None,
    /// In a store.
    Store(PathBuf),
    /// In these records, in order: a walk through stored days.
    Records(Vec<Record>),
}

/// The earlier nights of one run.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// There is a store, be it empty.
    pub kept: bool,
    /// In days since 1970.
    pub tonight: i32,
    /// The night before.
    pub previous: Option<Record>,
    /// How many nights are there before tonight.
    pub nights: usize,
    pub pins: Vec<Pinning>,
    /// The store holds later nights: this one is run again.
    pub is_past: bool,
    /// Of a window that moves on: the nights whose days it leaves behind, all of them or none.
    left: Vec<Record>,
    /// Values of the asked signals by group and signal, without the nights on which the group was flagged.
    points: BTreeMap<Vec<Option<String>>, BTreeMap<&'static str, Vec<Point>>>,
}

impl Memory {
    /// What is known on a night.
    ///
    /// # Errors
    /// A record cannot be read.
    pub fn of(source: &Earlier, grain: &Grain, tonight: i32, asked: &Asked) -> Result<Memory> {
        let mut memory = Memory { tonight, ..Memory::default() };
        match source {
            Earlier::None => {}
            Earlier::Records(records) => memory.take(records.iter().cloned(), asked),
            Earlier::Store(store) => {
                let folder = Folder::of(store, grain);
                let nights = folder.nights()?;
                memory.is_past = nights.last().is_some_and(|newest| *newest > tonight);
                memory.pins = folder.pins()?;
                let earlier: Vec<i32> = nights.into_iter().filter(|night| *night < tonight).collect();
                let needed = |at: usize| at + 1 == earlier.len() || earlier[at] >= tonight - asked.days;
                let read = (0..earlier.len()).filter(|at| needed(*at)).map(|at| folder.read(earlier[at]));
                let records = read.collect::<Result<Vec<Record>>>()?;
                memory.take(records.into_iter(), asked);
                memory.nights = earlier.len();
            }
        }
        memory.kept = !matches!(source, Earlier::None);
        Ok(memory)
    }

    /// Looks up the nights that the window leaves behind, so that what is new tonight is known to the row.
    ///
    /// # Errors
    /// A record cannot be read.
    pub fn slide(&mut self, earlier: &Earlier, grain: &Grain, window: Window) -> Result<()> {
        let (Some((from, _)), Some((first, _))) = (self.window_before(), window) else { return Ok(()) };
        if self.overlap(window) == Overlap::None || first <= from {
            return Ok(());
        }
        self.left = match earlier {
            Earlier::None => Vec::new(),
            Earlier::Records(records) => {
                let left = |r: &&Record| (from..first).contains(&r.head.day());
                records.iter().filter(left).cloned().collect()
            }
            Earlier::Store(store) => {
                let folder = Folder::of(store, grain);
                let left = folder.nights()?.into_iter().filter(|night| (from..first).contains(night));
                left.map(|night| folder.read(night)).collect::<Result<_>>()?
            }
        };
        // A night that is missing, or that brought more than its own day, does not say what its day was.
        let single = |r: &Record| r.head.brings_one_day();
        if self.left.len() as i32 != first - from || !self.left.iter().all(single) {
            self.left.clear();
        }
        Ok(())
    }

    /// Takes the records of earlier nights, in order.
    fn take(&mut self, records: impl Iterator<Item = Record>, asked: &Asked) {
        let tonight = self.tonight;
        for record in records.filter(|r| r.head.day() < tonight) {
            self.nights += 1;
            if record.head.day() >= self.tonight - asked.days {
                self.remember(&record, asked);
            }
            self.previous = Some(record);
        }
    }

    fn remember(&mut self, record: &Record, asked: &Asked) {
        let night = record.head.day();
        for line in record.lines.iter().filter(|line| line.state.standing < Standing::Flagged) {
            for signal in &asked.signals {
                let Some(value) = line.tonight.as_ref().and_then(|_| line.new_value(signal)) else {
                    continue;
                };
                let of_group = self.points.entry(line.key.clone()).or_default();
                of_group.entry(signal).or_default().push(Point { night, value });
            }
        }
    }

    /// The line of a group on the night before.
    pub fn line(&self, key: &[Option<String>]) -> Option<&Line> {
        self.previous.as_ref()?.line(key)
    }

    /// What rules may ask of a group's past; `None` without a store.
    pub fn past(&self, key: &[Option<String>], row: &Row, window: Window) -> Option<Past> {
        if !self.kept {
            return None;
        }
        let news = self.news(key, row, window);
        Some(Past {
            tonight: self.tonight,
            points: self.points.get(key).cloned().unwrap_or_default(),
            news: news
                .into_iter()
                .map(|(name, c)| (name, (c.x.round() as u64, c.n.round() as u64)))
                .collect(),
            rules: self.line(key).map(|line| line.rules.clone()).unwrap_or_default(),
        })
    }

    /// What is new about a group: what its window has and the night before had not.
    pub fn news_of(&self, key: &[Option<String>], row: &Row, clicks: u64, window: Window) -> News {
        let overlap = self.overlap(window);
        let before = self.line(key).filter(|line| line.tonight.is_some()).map_or(0, |line| line.clicks);
        let clicks = match overlap {
            Overlap::None => clicks,
            Overlap::Grown => clicks.saturating_sub(before),
            Overlap::Slid(_) if !self.left.is_empty() => {
                let left: u64 = self.left_lines(key).map(|line| line.new_clicks).sum();
                clicks.saturating_sub(before.saturating_sub(left))
            }
            Overlap::Slid(part) => (clicks as f64 * part).round() as u64,
        };
        News { clicks, rates: self.news(key, row, window) }
    }

    /// How many days of clicks the window has that the night before had not.
    pub fn new_days(&self, window: Window) -> i32 {
        match (self.window_before(), window) {
            (Some((_, before)), Some((first, last))) => last - before.max(first - 1),
            (None, Some((first, last))) => last - first + 1,
            (_, None) => 0,
        }
    }

    /// Whether all of the window is new.
    pub fn all_is_new(&self, window: Window) -> bool {
        self.overlap(window) == Overlap::None
    }

    fn news(&self, key: &[Option<String>], row: &Row, window: Window) -> BTreeMap<&'static str, Counts> {
        let overlap = self.overlap(window);
        let before = self.line(key).filter(|line| line.tonight.is_some());
        let mut news = BTreeMap::new();
        for signal in signals::all() {
            let Some(seen) = seen(row, signal) else { continue };
            let Some(x) = seen.x else { continue };
            let known = before.and_then(|line| line.signals.get(signal.name)).map(Seen::counts);
            let left = self.left_lines(key).filter_map(|line| line.news_of(signal.name));
            let stayed = known.map(|known| less(known, left.fold(Counts::default(), more)));
            let exact = overlap == Overlap::Grown || !self.left.is_empty();
            let counts = overlap.of(Counts { x: x as f64, n: seen.n as f64 }, stayed, exact);
            news.insert(signal.name, counts);
        }
        news
    }

    fn left_lines(&self, key: &[Option<String>]) -> impl Iterator<Item = &Line> {
        self.left.iter().filter_map(move |record| record.line(key)).filter(|line| line.tonight.is_some())
    }

    fn window_before(&self) -> Window {
        self.previous.as_ref().and_then(|record| record.head.days())
    }

    fn overlap(&self, window: Window) -> Overlap {
        Overlap::between(self.window_before(), window)
    }
}

/// First and last day of the clicks.
pub type Window = Option<(i32, i32)>;

/// How tonight's window goes on from that of the night before.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Overlap {
    /// Not at all: all of it is new.
    None,
    /// It begins on the same day or earlier: what is new is the difference, to the last click.
    Grown,
    /// It moved on: this part of its days is new. What is new is the difference once what it left behind is known,
    /// and this part of it, an approximation, where it is not.
    Slid(f64),
}

impl Overlap {
    fn between(before: Window, now: Window) -> Overlap {
        let (Some(before), Some(now)) = (before, now) else { return Overlap::None };
        if now.0 > before.1 {
            return Overlap::None;
        }
        if now.0 <= before.0 {
            return Overlap::Grown;
        }
        let new = (now.1 - before.1).max(0);
        Overlap::Slid(f64::from(new) / f64::from(now.1 - now.0 + 1))
    }

    /// What of the counts is new, given those that were there before and stayed.
    fn of(self, counts: Counts, stayed: Option<Counts>, exact: bool) -> Counts {
        match (self, stayed) {
            (Overlap::None, _) => counts,
            (Overlap::Slid(part), _) if !exact => Counts { x: counts.x * part, n: counts.n * part },
            (_, None) => counts,
            (_, Some(stayed)) => less(counts, stayed),
        }
    }
}

fn more(a: Counts, b: Counts) -> Counts {
    Counts { x: a.x + b.x, n: a.n + b.n }
}

/// Late rows may belong to another night than the one that told them: never below nothing, never more than all.
fn less(a: Counts, b: Counts) -> Counts {
    let n = (a.n - b.n).max(0.0);
    Counts { x: (a.x - b.x).clamp(0.0, n), n }
}

/// A signal as a night sees it.
pub fn seen(row: &Row, signal: &'static Signal) -> Option<Seen> {
    let estimate = row.reading(signal).estimate()?;
    let x = match estimate.interval {
        Interval::Share { x } => Some(x),
        _ => None,
    };
    Some(Seen { value: estimate.value(), n: estimate.n, x })
}

impl Line {
    /// What the night added to a signal where that is known, or else the window's value.
    fn new_value(&self, signal: &str) -> Option<f64> {
        match self.news.get(signal) {
            Some(news) if news.n < 1.0 => None,
            Some(news) => Some(news.x / news.n),
            None => self.signals.get(signal).map(|seen| seen.value),
        }
    }

    /// What the night added to a share.
    fn news_of(&self, signal: &str) -> Option<Counts> {
        let whole = || self.signals.get(signal).filter(|seen| seen.x.is_some()).map(Seen::counts);
        self.news.get(signal).copied().or_else(whole)
    }
}

impl Seen {
    fn counts(&self) -> Counts {
        Counts { x: self.x.unwrap_or(0) as f64, n: self.n as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time;
    use crate::history::samples::{head, line};
    use crate::signals::{Absence, Estimate, Reading};

    fn key(source: &str) -> Vec<Option<String>> {
        vec![Some("net".to_owned()), Some(source.to_owned())]
    }

    fn row(x: u64, n: u64) -> Row {
        let signal = signals::find("ctit_short_share").expect("declared");
        Row::of(&[(signal, Reading::Present(Estimate::share(x, n)))], &Absence::NoClicks)
    }

    fn record(night: &str, window: (&str, &str), x: u64, n: u64) -> Record {
        let mut line = line("a", "clean", 100);
        line.signals.insert("ctit_short_share".into(), Seen { value: x as f64 / n as f64, n, x: Some(x) });
        let window = Some((window.0.to_owned(), window.1.to_owned()));
        Record { head: crate::history::Head { window, ..head(night) }, lines: vec![line] }
    }

    fn memory(records: Vec<Record>, tonight: &str) -> Memory {
        let tonight = time::parse_day(tonight).expect("a day");
        let asked = Asked { signals: BTreeSet::from(["ctit_short_share"]), days: 28 };
        Memory::of(&Earlier::Records(records), &Grain::source(), tonight, &asked).expect("a memory")
    }

    fn days(first: &str, last: &str) -> Window {
        Some((time::parse_day(first).expect("a day"), time::parse_day(last).expect("a day")))
    }

    #[test]
    fn what_is_new_depends_on_how_the_window_goes_on() {
        let before = || vec![record("2026-03-09", ("2026-03-01", "2026-03-09"), 10, 100)];
        let memory = memory(before(), "2026-03-10");
        let news = |window| {
            let news = memory.news_of(&key("a"), &row(40, 200), 300, window);
            let counts = news.rates["ctit_short_share"];
            (news.clicks, counts.x, counts.n)
        };
        assert_eq!(news(days("2026-03-10", "2026-03-10")), (300, 40.0, 200.0));
        assert_eq!(news(days("2026-03-01", "2026-03-10")), (200, 30.0, 100.0));
        assert_eq!(news(days("2026-03-06", "2026-03-10")), (60, 8.0, 40.0));
        let mut slid = memory;
        let records: Vec<Record> = (1..=5)
            .map(|day| {
                let night = format!("2026-03-{day:02}");
                record(&night, ("2026-03-01", &night), 2, 10)
            })
            .chain(before())
            .collect();
        let window = days("2026-03-06", "2026-03-10");
        slid.slide(&Earlier::Records(records.clone()), &Grain::source(), window).expect("no fault");
        // Of 10 in 100 the five nights that are left behind had 2 in 10 each: none in 50 stayed.
        let news = slid.news_of(&key("a"), &row(40, 200), 300, window);
        assert_eq!((news.rates["ctit_short_share"], news.clicks), (Counts { x: 40.0, n: 150.0 }, 300));
        // One of them is missing: nobody knows what stayed.
        slid.slide(&Earlier::Records(records[1..].to_vec()), &Grain::source(), window).expect("no fault");
        assert!(slid.left.is_empty());
        let memory = slid;
        let unknown = memory.news_of(&key("b"), &row(40, 200), 300, days("2026-03-01", "2026-03-10"));
        assert_eq!(unknown.clicks, 300);
    }

    #[test]
    fn later_nights_are_not_known_and_tonight_is_not_its_own_past() {
        let store = tempfile::tempdir().expect("a folder");
        let folder = Folder::of(store.path(), &Grain::source());
        for night in ["2026-03-08", "2026-03-09"] {
            folder.write(&record(night, (night, night), 1, 10)).expect("written");
        }
        let of = |night: &str| {
            let tonight = time::parse_day(night).expect("a day");
            let source = Earlier::Store(store.path().to_owned());
            Memory::of(&source, &Grain::source(), tonight, &Asked::default())
        };
        let again = of("2026-03-09").expect("the same night again");
        let again_is_past = again.is_past;
        assert_eq!((again.nights, again.previous.map(|r| r.head.night)), (1, Some("2026-03-08".into())));
        let past = of("2026-03-08").expect("a past night again");
        assert!(past.is_past && past.nights == 0 && !again_is_past);
        assert_eq!(of("2026-03-20").expect("a gap").nights, 2);
    }

    #[test]
    fn nights_on_which_a_group_was_flagged_are_no_past_of_its() {
        let mut records: Vec<Record> = (1..=6)
            .map(|day| {
                let night = format!("2026-03-{day:02}");
                record(&night, (&night, &night), day, 100)
            })
            .collect();
        records[5].lines[0].state.standing = Standing::Flagged;
        let memory = memory(records, "2026-03-07");
        let past = memory.past(&key("a"), &row(1, 10), None).expect("a past");
        assert_eq!(past.points["ctit_short_share"].len(), 5);
        assert!(Memory::default().past(&key("a"), &row(1, 10), None).is_none());
    }
}
