//! What two rule sets make of the same input, beside each other.
//!
//! Two runs, or two JSON reports, become a [`Side`] each; a [`Diff`] says which groups change their verdict, which
//! rules fire on whom, and how much traffic and money that is. There are no labels here, so nothing is said about
//! who is guilty: no rate of false alarms is made up.

mod nights;
mod read;
mod text;

pub use nights::{Changes, changes, changes_json, changes_text};
pub use read::report;
pub use text::{json, text};

use crate::base::error::{Error, Result};
use crate::base::money::Micro;
use crate::base::text::Text;
use crate::base::time::show;
use crate::history::{Line, Presence, Record};
use crate::report::{Arrived, First, Moved as Told, News, Report};
use crate::signals;
use crate::verdicts::{Pin, State, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// What one rule said over all groups of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub groups: u64,
    pub fires: u64,
    pub silent: u64,
    pub unknown: u64,
    pub suppressed: u64,
}

/// The name of a group: one value per column of the grain.
pub type Key = Vec<Option<Text>>;

/// What a stored night knows of a group besides.
#[derive(Clone, Debug, PartialEq)]
pub struct Remembered {
    pub state: State,
    pub pin: Option<Pin>,
    pub presence: Presence,
}

/// One group as a run sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    pub verdict: String,
    /// The rules that fire on it, with effect or without.
    pub fired: BTreeSet<String>,
    pub clicks: u64,
    pub spend: Option<Micro>,
    pub revenue: Option<Micro>,
    pub at_risk: Option<Micro>,
    /// Why it has its verdict, in a line; of a stored night its state and its pin say it.
    pub why: Option<String>,
    /// None where the group is of a report.
    pub kept: Option<Box<Remembered>>,
}

impl Group {
    /// Why it has its verdict, given what it was before.
    fn why(&self, before: Option<&Group>) -> Option<String> {
        let Some(kept) = &self.kept else { return self.why.clone() };
        let pin = before.and_then(|group| group.kept.as_ref()?.pin.as_ref());
        let verdict = Verdict::of(&self.verdict).unwrap_or(Verdict::Undecided);
        Some(kept.state.why(verdict, kept.pin.as_ref(), pin)).filter(|why| !why.is_empty())
    }
}

/// One run.
#[derive(Clone, Debug, Default)]
pub struct Side {
    /// The moment or night it is of, where that is known.
    pub when: Option<String>,
    pub grain: Vec<String>,
    pub currency: Option<Text>,
    /// The inputs by their digests, sorted.
    pub inputs: Vec<String>,
    pub rules_digest: String,
    pub rules: BTreeMap<String, Counts>,
    pub groups: BTreeMap<Key, Group>,
}

impl Side {
    /// What a run came to.
    pub fn of(report: &Report) -> Side {
        let run = &report.run;
        let mut inputs: Vec<String> = run.inputs.iter().map(|input| input.digest.clone()).collect();
        inputs.sort();
        let audited = report.groups.iter().filter(|group| group.subject.grain == run.grain);
        Side {
            when: run.as_of.map(show),
            grain: run.grain.columns().iter().map(|c| c.name().to_owned()).collect(),
            currency: run.currency.clone(),
            inputs,
            rules_digest: run.rules_digest.clone(),
            rules: report
                .rules
                .iter()
                .map(|tally| {
                    let counts = Counts {
                        groups: tally.groups(),
                        fires: tally.fires,
                        silent: tally.silent,
                        unknown: tally.unknown,
                        suppressed: tally.suppressed,
                    };
                    (tally.rule.id.clone(), counts)
                })
                .collect(),
            groups: by_key(audited.map(|group| (shown(&group.subject.key), of_group(group)))),
        }
    }
}

fn of_group(group: &crate::verdicts::Judged) -> Group {
    let revenue = signals::find("revenue").and_then(|s| group.subject.row.reading(s).estimate());
    let idle = group.idle.iter().map(|idle| &idle.finding);
    let title = || group.findings.first().map(|finding| finding.title.clone());
    let kept = group.kept.as_ref().map(|kept| kept.why(group.verdict));
    Group {
        verdict: group.verdict.word().to_owned(),
        fired: group.findings.iter().chain(idle).map(|finding| finding.rule.id.clone()).collect(),
        clicks: group.subject.clicks,
        spend: group.subject.spend,
        revenue: revenue.map(|e| micro(e.value())),
        at_risk: group.money_at_risk,
        why: kept.filter(|why| !why.is_empty()).or_else(title),
        kept: None,
    }
}

/// Groups by their names; where masks make two names one, the graver verdict stands for both.
fn by_key(groups: impl Iterator<Item = (Key, Group)>) -> BTreeMap<Key, Group> {
    let mut found: BTreeMap<Key, Group> = BTreeMap::new();
    for (key, group) in groups {
        match found.get(&key) {
            Some(other) if place(&other.verdict) <= place(&group.verdict) => {}
            _ => drop(found.insert(key, group)),
        }
    }
    found
}

/// A name as reports show it, so that a run and a report of it say the same.
fn shown(key: &Key) -> Key {
    key.iter().map(|part| part.as_ref().map(|part| Text::new(part.json()))).collect()
}

/// The changes, for the outputs of the newer run.
impl From<Changes> for News {
    fn from(changes: Changes) -> News {
        let moved = changes.changed.into_iter().map(|c| Told {
            key: c.key,
            change: c.change,
            from: c.from,
            to: c.to,
            at_risk: c.group.at_risk,
            why: c.group.why,
        });
        let gone = changes.gone.into_iter().map(|gone| (gone.key, gone.was));
        let first = |(key, group): (Key, Group)| First { key, clicks: group.clicks, verdict: group.verdict };
        News {
            since: changes.from,
            moved: moved.collect(),
            gone: gone.collect(),
            arrived: Arrived::of(changes.arrived, changes.named.into_iter().map(first).collect()),
            notes: changes.notes,
        }
    }
}

fn micro(units: f64) -> Micro {
    Micro((units * crate::base::money::SCALE as f64).round() as i64)
}

/// A stored night.
impl From<&Record> for Side {
    fn from(record: &Record) -> Side {
        let head = &record.head;
        let text = |part: &Option<String>| part.as_deref().map(Text::new);
        Side {
            when: Some(head.night.clone()),
            grain: head.grain.clone(),
            currency: head.currency.as_deref().map(Text::new),
            inputs: head.inputs.clone(),
            rules_digest: head.rules.clone(),
            rules: BTreeMap::new(),
            groups: record
                .lines
                .iter()
                .map(|line| (line.key.iter().map(text).collect(), of_line(line)))
                .collect(),
        }
    }
}

fn of_line(line: &Line) -> Group {
    Group {
        verdict: line.verdict.clone(),
        fired: line.findings.iter().map(|found| found.rule.clone()).collect(),
        clicks: line.clicks,
        spend: line.spend.map(Micro),
        revenue: line.revenue.map(Micro),
        at_risk: line.at_risk.map(Micro),
        why: None,
        kept: Some(Box::new(Remembered {
            state: line.state.clone(),
            pin: line.pin.clone(),
            presence: line.into(),
        })),
    }
}

/// Groups, and what they are about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub groups: u64,
    pub clicks: u64,
    /// None where no group's is known.
    pub spend: Option<Micro>,
    pub revenue: Option<Micro>,
}

impl Sum {
    fn add(&mut self, group: &Group) {
        let add = |sum: &mut Option<Micro>, more: Option<Micro>| {
            if let Some(more) = more {
                *sum = Some(Micro(sum.unwrap_or_default().0.saturating_add(more.0)));
            }
        };
        self.groups += 1;
        self.clicks += group.clicks;
        add(&mut self.spend, group.spend);
        add(&mut self.revenue, group.revenue);
    }

    fn of<'g>(groups: impl Iterator<Item = &'g Group>) -> Sum {
        groups.fold(Sum::default(), |mut sum, group| {
            sum.add(group);
            sum
        })
    }
}

/// One group whose verdict changes.
#[derive(Clone, Debug)]
pub struct Moved {
    pub key: Key,
    pub from: String,
    pub to: String,
    pub sum: Sum,
}

/// Who enters and who leaves a verdict, or what a rule fires on.
#[derive(Clone, Debug)]
pub struct Change {
    /// The verdict, or the rule.
    pub name: String,
    /// How many groups there are on each side; none where the rule is not there.
    pub old: Option<u64>,
    pub new: Option<u64>,
    pub enter: Sum,
    pub leave: Sum,
}

/// What changes from one rule set to another.
#[derive(Clone, Debug)]
pub struct Diff {
    pub old_rules: (usize, String),
    pub new_rules: (usize, String),
    pub grain: Vec<String>,
    pub currency: Option<Text>,
    pub groups: u64,
    pub moved: Vec<Moved>,
    pub verdicts: Vec<Change>,
    /// Rules that are on one side only, or fire on other groups.
    pub rules: Vec<Change>,
    /// What a reader has to know.
    pub notes: Vec<String>,
}

/// The verdicts of this version, from the most severe; words of others come after them.
const VERDICTS: [&str; 5] = ["block", "hold", "watch", "clean", "undecided"];

/// Compares two runs.
///
/// # Errors
/// Their groups are made of different columns.
pub fn diff(old: &Side, new: &Side) -> Result<Diff> {
    if old.grain != new.grain {
        let (old, new) = (old.grain.join(","), new.grain.join(","));
        return Err(Error::input(format!(
            "the groups cannot be compared: one side is by {old}, the other by {new}"
        ))
        .help("audit both with the same --by"));
    }
    let both: Vec<(&Key, &Group, &Group)> =
        old.groups.iter().filter_map(|(key, group)| Some((key, group, new.groups.get(key)?))).collect();
    Ok(Diff {
        old_rules: (old.rules.len(), old.rules_digest.clone()),
        new_rules: (new.rules.len(), new.rules_digest.clone()),
        grain: new.grain.clone(),
        currency: new.currency.clone(),
        groups: both.len() as u64,
        moved: moved(&both),
        verdicts: verdicts(&both),
        rules: rules(old, new, &both),
        notes: notes(old, new, both.len()),
    })
}

fn place(verdict: &str) -> usize {
    VERDICTS.iter().position(|v| *v == verdict).unwrap_or(VERDICTS.len())
}

/// Groups whose verdict changes, the most severe new verdict first.
fn moved(both: &[(&Key, &Group, &Group)]) -> Vec<Moved> {
    let changed = both.iter().filter(|(_, old, new)| old.verdict != new.verdict);
    let mut moved: Vec<Moved> = changed
        .map(|(key, old, new)| Moved {
            key: (*key).clone(),
            from: old.verdict.clone(),
            to: new.verdict.clone(),
            sum: Sum::of(std::iter::once(*new)),
        })
        .collect();
    moved.sort_by(|a, b| (place(&a.to), place(&a.from), &a.key).cmp(&(place(&b.to), place(&b.from), &b.key)));
    moved
}

fn verdicts(both: &[(&Key, &Group, &Group)]) -> Vec<Change> {
    let words: BTreeSet<&str> = both
        .iter()
        .flat_map(|(_, old, new)| [old.verdict.as_str(), new.verdict.as_str()])
        .chain(VERDICTS)
        .collect();
    let mut words: Vec<&str> = words.into_iter().collect();
    words.sort_by_key(|word| (place(word), *word));
    words.into_iter().map(|word| change(word, both, |group| group.verdict == word)).collect()
}

/// Who is `in` it on one side only.
fn change(name: &str, both: &[(&Key, &Group, &Group)], is_in: impl Fn(&Group) -> bool) -> Change {
    let only = |a: bool, b: bool| a && !b;
    let (mut enter, mut leave, mut olds, mut news) = (Sum::default(), Sum::default(), 0, 0);
    for (_, old, new) in both {
        let (was, is) = (is_in(old), is_in(new));
        olds += u64::from(was);
        news += u64::from(is);
        if only(is, was) {
            enter.add(new);
        }
        if only(was, is) {
            leave.add(old);
        }
    }
    Change { name: name.to_owned(), old: Some(olds), new: Some(news), enter, leave }
}

fn rules(old: &Side, new: &Side, both: &[(&Key, &Group, &Group)]) -> Vec<Change> {
    let ids: BTreeSet<&String> = old.rules.keys().chain(new.rules.keys()).collect();
    let of_rule = |id: &String| {
        let found = change(id, both, |group| group.fired.contains(id));
        Change {
            old: found.old.filter(|_| old.rules.contains_key(id)),
            new: found.new.filter(|_| new.rules.contains_key(id)),
            ..found
        }
    };
    let differs = |c: &Change| c.old.is_none() || c.new.is_none() || c.enter.groups + c.leave.groups > 0;
    ids.into_iter().map(of_rule).filter(differs).collect()
}

fn notes(old: &Side, new: &Side, both: usize) -> Vec<String> {
    let mut notes = Vec::new();
    if old.inputs != new.inputs {
        notes.push("the two sides read different inputs: what differs may be the data".to_owned());
    }
    let only = old.groups.len() + new.groups.len() - 2 * both;
    if only > 0 {
        notes.push(format!("groups that are on one side only, and not compared: {only}"));
    }
    notes.push("nothing here is labelled: this says whom the rules hit, not who is guilty".to_owned());
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        vec![None, Some(Text::new(name))]
    }

    fn group(verdict: &str, fired: &[&str], clicks: u64) -> Group {
        Group {
            verdict: verdict.to_owned(),
            fired: fired.iter().map(|id| (*id).to_owned()).collect(),
            clicks,
            spend: Some(Micro(clicks as i64 * 1_000_000)),
            revenue: None,
            at_risk: None,
            why: None,
            kept: None,
        }
    }

    fn side(rules: &[&str], groups: &[(&str, Group)]) -> Side {
        Side {
            grain: vec!["traffic_source".to_owned(), "source".to_owned()],
            rules: rules.iter().map(|id| ((*id).to_owned(), Counts::default())).collect(),
            groups: groups.iter().map(|(name, group)| (key(name), group.clone())).collect(),
            ..Side::default()
        }
    }

    fn compared() -> Diff {
        let old = side(
            &["late", "too-fast"],
            &[
                ("a", group("block", &["too-fast"], 100)),
                ("b", group("clean", &[], 20)),
                ("c", group("clean", &[], 7)),
            ],
        );
        let new = side(
            &["half", "too-fast"],
            &[
                ("a", group("hold", &["too-fast"], 100)),
                ("b", group("hold", &["half"], 20)),
                ("d", group("hold", &[], 9)),
            ],
        );
        diff(&old, &new).expect("the same grain")
    }

    #[test]
    fn who_enters_and_leaves_a_verdict_is_added_up() {
        let diff = compared();
        let told: Vec<String> = diff
            .verdicts
            .iter()
            .map(|c| {
                format!(
                    "{} +{}/{} -{}/{}",
                    c.name, c.enter.groups, c.enter.clicks, c.leave.groups, c.leave.clicks
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                "block +0/0 -1/100",
                "hold +2/120 -0/0",
                "watch +0/0 -0/0",
                "clean +0/0 -1/20",
                "undecided +0/0 -0/0"
            ]
        );
        assert_eq!(diff.verdicts[1].enter.spend, Some(Micro(120_000_000)));
        assert_eq!(diff.verdicts[1].enter.revenue, None);
        let moved: Vec<String> = diff.moved.iter().map(|m| format!("{} to {}", m.from, m.to)).collect();
        assert_eq!(moved, ["block to hold", "clean to hold"]);
    }

    #[test]
    fn rules_that_come_go_or_hit_others_are_told() {
        let diff = compared();
        let told: Vec<_> =
            diff.rules.iter().map(|c| (c.name.as_str(), c.old, c.new, c.enter.groups)).collect();
        assert_eq!(told, [("half", None, Some(1), 1), ("late", Some(0), None, 0)]);
        assert!(diff.notes.iter().any(|note| note.contains("on one side only, and not compared: 2")));
    }

    #[test]
    fn groups_of_other_columns_are_not_compared() {
        let other = Side { grain: vec!["campaign".to_owned()], ..Side::default() };
        assert!(diff(&side(&[], &[]), &other).is_err());
    }
}
