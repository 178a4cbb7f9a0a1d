//! What the rules of a run were, and what they could answer.
//!
//! A rule that answers nobody looks like a rule that finds nothing. So a run says which rules were unknown for nearly
//! every group, and why: it is usually a column that no mapping names.

use super::phrase::{count, counted};
use crate::rules::{Changed, LeftOut, Pack, Rule, RuleSet, Status, Truth, Why};
use crate::signals::{Absence, of_side};
use std::collections::{BTreeMap, BTreeSet};

/// The share of groups above which a rule is said to be unknown.
const NEARLY_ALL: f64 = 0.9;

/// The rules of a run in numbers, and what was changed about them.
#[derive(Clone, Debug, Default)]
pub struct RulesInfo {
    pub stable: usize,
    pub experimental: usize,
    pub retired: usize,
    /// Ids of rules that are not evaluated, with the reason; retired ones are not among them.
    pub left_out: Vec<(String, LeftOut)>,
    pub packs: Vec<&'static str>,
    /// Rules that only observe.
    pub observed: usize,
    /// What was changed for this run, by rule.
    pub changed: Vec<(String, Changed)>,
    /// The whole run only observes.
    pub observe: bool,
    pub suppressions: usize,
}

impl RulesInfo {
    /// What a rule set is made of.
    pub fn of(set: &RuleSet, suppressions: usize) -> RulesInfo {
        let status = |status| set.rules.iter().filter(|rule| rule.status == status).count();
        let changed = |rule: &Rule| {
            let id = rule.id.clone();
            rule.changed.iter().map(move |change| (id.clone(), change.clone())).collect::<Vec<_>>()
        };
        RulesInfo {
            stable: status(Status::Stable),
            experimental: status(Status::Experimental),
            retired: set.retired.len(),
            left_out: set.left_out.iter().map(|(rule, why)| (rule.id.clone(), why.clone())).collect(),
            packs: set.packs.iter().map(|pack| Pack::word(*pack)).collect(),
            observed: set.rules.iter().filter(|rule| rule.observe).count(),
            changed: set.rules.iter().flat_map(changed).collect(),
            observe: set.observe,
            suppressions,
        }
    }

    /// Rules that are evaluated.
    pub fn evaluated(&self) -> usize {
        self.stable + self.experimental
    }

    /// `66 rules: 64 stable, 2 experimental; pack core; 1 changed; 1 observes; 1 switched off`.
    pub fn sentence(&self) -> String {
        let n = |n: usize, what: &str| (n > 0).then(|| format!("{} {what}", count(n as u64)));
        let status = [
            n(self.stable, "stable"),
            n(self.experimental, "experimental"),
            n(self.retired, "retired and not evaluated"),
        ];
        let status: Vec<String> = status.into_iter().flatten().collect();
        let rules = counted(self.evaluated() as u64, "rule", "rules");
        let mut parts = vec![match status.is_empty() {
            true => rules,
            false => format!("{rules}: {}", status.join(", ")),
        }];
        if !self.packs.is_empty() {
            let word = if self.packs.len() == 1 { "pack" } else { "packs" };
            parts.push(format!("{word} {}", self.packs.join(", ")));
        }
        let changed = self.changed.iter().map(|(rule, _)| rule).collect::<BTreeSet<_>>().len();
        parts.extend(n(changed, "changed"));
        if self.observe {
            parts.push("the whole run observes".to_owned());
        } else {
            parts.extend(n(self.observed, if self.observed == 1 { "observes" } else { "observe" }));
        }
        let left_out = |of: fn(&LeftOut) -> bool| self.left_out.iter().filter(|(_, why)| of(why)).count();
        parts.extend(n(left_out(|why| matches!(why, LeftOut::Replaced(_))), "replaced"));
        parts.extend(n(left_out(|why| *why == LeftOut::Disabled), "switched off"));
        let word = if self.suppressions == 1 { "suppression" } else { "suppressions" };
        parts.extend(n(self.suppressions, word));
        parts.join("; ")
    }
}

/// What one rule said of the groups it was asked about.
#[derive(Clone, Debug)]
pub struct RuleTally<'r> {
    pub rule: &'r Rule,
    pub fires: u64,
    pub silent: u64,
    pub unknown: u64,
    /// Findings among those that fire that were suppressed.
    pub suppressed: u64,
    /// What stood in the way of an answer, in the order met.
    lacks: Vec<(Why, u64)>,
}

impl<'r> RuleTally<'r> {
    /// Before any group.
    pub fn new(rule: &'r Rule) -> RuleTally<'r> {
        RuleTally { rule, fires: 0, silent: 0, unknown: 0, suppressed: 0, lacks: Vec::new() }
    }

    /// Counts one answer.
    pub fn add(&mut self, truth: &Truth) {
        match truth {
            Truth::Fires => self.fires += 1,
            Truth::Silent => self.silent += 1,
            Truth::Unknown(why) => {
                self.unknown += 1;
                why.iter().for_each(|why| self.lack(why));
            }
        }
    }

    fn lack(&mut self, why: &Why) {
        match self.lacks.iter_mut().find(|(known, _)| alike(known, why)) {
            Some((_, n)) => *n += 1,
            None => self.lacks.push((why.clone(), 1)),
        }
    }

    /// Groups that were asked about.
    pub fn groups(&self) -> u64 {
        self.fires + self.silent + self.unknown
    }

    /// Whether hardly any group had an answer.
    pub fn is_unanswered(&self) -> bool {
        self.unknown as f64 > NEARLY_ALL * self.groups() as f64
    }

    /// What stood in the way, the commonest first, in words without the numbers of a group.
    pub fn reasons(&self) -> Vec<(String, u64)> {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for (why, n) in &self.lacks {
            *counts.entry(super::phrase::why(why)).or_default() += n;
        }
        let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
        counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        counts
    }

    /// The kind of the commonest obstacle.
    fn cause(&self) -> Cause {
        let mut causes: BTreeMap<Cause, u64> = BTreeMap::new();
        for (why, n) in &self.lacks {
            *causes.entry(cause(why)).or_default() += n;
        }
        causes.into_iter().rev().max_by_key(|(_, n)| *n).map_or(Cause::Other, |(cause, _)| cause)
    }

    /// Columns that no input maps, with the side that lacks them.
    fn columns(&self) -> impl Iterator<Item = String> {
        self.lacks.iter().flat_map(|(why, _)| match why {
            Why::Absent { absence: Absence::Columns(side, columns), .. } => {
                columns.iter().map(|column| of_side(*side, *column)).collect()
            }
            Why::Untold(columns) => columns.iter().map(|column| of_side(None, *column)).collect(),
            _ => Vec::new(),
        })
    }

    /// Why exports of this kind never answer.
    fn presets(&self) -> impl Iterator<Item = &'static str> {
        self.lacks.iter().filter_map(|(why, _)| match why {
            Why::Absent { absence: Absence::Preset(why), .. } => Some(*why),
            _ => None,
        })
    }
}

/// Whether two reasons differ in a group's numbers at most.
fn alike(a: &Why, b: &Why) -> bool {
    match (a, b) {
        (Why::Sample { signal: a, needed: x, .. }, Why::Sample { signal: b, needed: y, .. }) => {
            (a.name, x) == (b.name, y)
        }
        (Why::Peers { signal: a, why: x }, Why::Peers { signal: b, why: y }) => a.name == b.name && x == y,
        _ => a == b,
    }
}

/// What kind of obstacle it is; what a user can repair comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    Columns,
    Inputs,
    Samples,
    Peers,
    History,
    Groups,
    Presets,
    Other,
}

fn cause(why: &Why) -> Cause {
    match why {
        Why::Absent { absence: Absence::Columns(..), .. } => Cause::Columns,
        Why::Absent {
            absence: Absence::NoClicks | Absence::NoConversions | Absence::Aggregated | Absence::Engine(_),
            ..
        } => Cause::Inputs,
        Why::Absent { absence: Absence::Preset(_), .. } => Cause::Presets,
        Why::Sample { .. } => Cause::Samples,
        Why::Peers { .. } | Why::Uncompared => Cause::Peers,
        Why::NoHistory { .. } | Why::ShortHistory { .. } => Cause::History,
        Why::Column(_) => Cause::Groups,
        Why::Untold(_) => Cause::Columns,
        Why::TooYoung(_) => Cause::Samples,
        Why::Absent { .. } => Cause::Other,
    }
}

/// How many rules hardly any group had an answer to, and why; `None` if there is none.
pub fn unanswered(tallies: &[RuleTally]) -> Option<String> {
    let open: Vec<&RuleTally> = tallies.iter().filter(|t| t.is_unanswered()).collect();
    if open.is_empty() {
        return None;
    }
    let mut causes: BTreeMap<Cause, Vec<&RuleTally>> = BTreeMap::new();
    open.iter().for_each(|tally| causes.entry(tally.cause()).or_default().push(tally));
    let parts: Vec<String> = causes.into_iter().map(|(cause, tallies)| part(cause, &tallies)).collect();
    Some(format!(
        "{} of {} without an answer for more than {:.0}% of the groups: {}",
        count(open.len() as u64),
        counted(tallies.len() as u64, "rule", "rules"),
        100.0 * NEARLY_ALL,
        parts.join(", ")
    ))
}

/// `4 for want of columns (no mapping names asn, is_bot)`.
fn part(cause: Cause, tallies: &[&RuleTally]) -> String {
    let n = count(tallies.len() as u64);
    match cause {
        Cause::Columns => {
            let columns: BTreeSet<String> = tallies.iter().flat_map(|tally| tally.columns()).collect();
            let columns: Vec<String> = columns.into_iter().collect();
            format!("{n} for want of columns (no mapping names {})", columns.join(", "))
        }
        Cause::Inputs => format!("{n} for want of single clicks or conversions"),
        Cause::Samples => format!("{n} for too small samples"),
        Cause::Peers => format!("{n} for too few peers"),
        Cause::History => format!("{n} for want of stored runs"),
        Cause::Groups => format!("{n} because the audited groups are not made of their columns"),
        Cause::Presets => {
            let why: BTreeSet<&str> = tallies.iter().flat_map(|tally| tally.presets()).collect();
            let why: Vec<&str> = why.into_iter().collect();
            let why = why.join("; ");
            format!("{n} that such exports never answer, so that they leave nobody undecided ({why})")
        }
        Cause::Other => format!("{n} because groups have nothing of what they look at"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::column::Col;
    use crate::measures::Rows;
    use crate::signals;

    fn absent(columns: &[Col]) -> Truth {
        let signal = signals::find("known_bot_share").expect("declared");
        let absence = Absence::Columns(Some(Rows::Conversions), columns.to_vec());
        Truth::Unknown([Why::Absent { signal, absence }].into())
    }

    fn sample(n: u64) -> Truth {
        let signal = signals::find("cr").expect("declared");
        Truth::Unknown([Why::Sample { signal, n, needed: 100 }].into())
    }

    fn tally<'r>(rule: &'r Rule, answers: &[(Truth, usize)]) -> RuleTally<'r> {
        let mut tally = RuleTally::new(rule);
        for (truth, n) in answers {
            (0..*n).for_each(|_| tally.add(truth));
        }
        tally
    }

    #[test]
    fn a_rule_is_unanswered_above_nine_of_ten_groups() {
        let rule = Rule::sample("a");
        assert!(!tally(&rule, &[(sample(1), 9), (Truth::Silent, 1)]).is_unanswered());
        assert!(tally(&rule, &[(sample(1), 10), (Truth::Silent, 1)]).is_unanswered());
        assert!(!tally(&rule, &[]).is_unanswered());
    }

    #[test]
    fn what_can_be_repaired_is_said_first() {
        let rule = Rule::sample("a");
        let tallies = [
            tally(&rule, &[(absent(&[Col::PlayerId, Col::Country]), 30)]),
            tally(&rule, &[(sample(1), 20), (sample(7), 10)]),
            tally(&rule, &[(Truth::Fires, 30)]),
        ];
        assert_eq!(
            unanswered(&tallies).as_deref(),
            Some(
                "2 of 3 rules without an answer for more than 90% of the groups: 1 for want of columns (no mapping \
                 names conversions.country, player_id), 1 for too small samples"
            )
        );
        assert_eq!(unanswered(&tallies[2..]), None);
        assert_eq!(tallies[1].reasons(), [("cr: a sample below 100".to_owned(), 30)]);
    }

    #[test]
    fn a_rule_set_is_told_in_a_sentence() {
        let mut info = RulesInfo { stable: 64, experimental: 2, packs: vec!["core"], ..RulesInfo::default() };
        assert_eq!(info.sentence(), "66 rules: 64 stable, 2 experimental; pack core");
        info.observed = 1;
        info.suppressions = 3;
        info.left_out = vec![("a".to_owned(), LeftOut::Disabled), ("b".to_owned(), LeftOut::Pack)];
        assert!(
            info.sentence().ends_with("; 1 observes; 1 switched off; 3 suppressions"),
            "{}",
            info.sentence()
        );
        info.observe = true;
        assert!(info.sentence().contains("the whole run observes"));
    }
}
