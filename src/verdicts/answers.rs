//! What the rules said of one group, without what no output needs.
//!
//! A thousand rules about a hundred thousand groups are a hundred million answers, nearly all of them silent. So a
//! silent answer is only the absence of another one, an unknown one of a rule that does not decide takes four
//! bytes, and groups that lack the same share one list of reasons.

use crate::rules::{Expect, Outcome, Rule, Truth, Why};
use crate::signals::Absence;
use std::sync::Arc;

/// The answers of the rules about one group.
#[derive(Clone, Debug)]
pub struct Answers<'r> {
    /// Every rule that was asked, in the order of the set.
    pub asked: Arc<[&'r Rule]>,
    /// Those that fire, and those that decide and are unknown; any other rule was silent or stands below.
    told: Vec<Outcome<'r>>,
    /// Places among `asked` of the rules that were unknown and do not decide: by themselves, or because exports of
    /// this kind never answer them.
    not_possible: Vec<u32>,
}

impl<'r> Answers<'r> {
    /// Before any answer.
    pub fn of(asked: Arc<[&'r Rule]>) -> Answers<'r> {
        Answers { asked, told: Vec::new(), not_possible: Vec::new() }
    }

    /// Takes the answer of the rule at this place among `asked`.
    pub fn take(&mut self, at: usize, outcome: Outcome<'r>) {
        match &outcome.truth {
            Truth::Silent => {}
            Truth::Unknown(why) if !outcome.rule.decides || is_impossible(why) => {
                self.not_possible.push(at as u32);
            }
            Truth::Fires | Truth::Unknown(_) => self.told.push(outcome),
        }
    }

    /// The rules that fire.
    pub fn fired(&self) -> impl Iterator<Item = &Outcome<'r>> {
        self.told.iter().filter(|outcome| outcome.truth == Truth::Fires)
    }

    /// The deciding rules without an answer and what each of them lacks, by rule ID.
    pub fn unknown(&self) -> Vec<(&'r Rule, Arc<[Why]>)> {
        let lacking = |outcome: &Outcome<'r>| match &outcome.truth {
            Truth::Unknown(why) => Some((outcome.rule, Arc::clone(why))),
            Truth::Fires | Truth::Silent => None,
        };
        let mut unknown: Vec<(&Rule, Arc<[Why]>)> = self.told.iter().filter_map(lacking).collect();
        unknown.sort_by(|a, b| a.0.id.cmp(&b.0.id));
        unknown
    }

    /// The answers if the rules that ask about all rows of the group said this; those of the others stay.
    pub fn again(&self, ask: impl Fn(&'r Rule) -> Outcome<'r>) -> Answers<'r> {
        let mut answers = Answers::of(Arc::clone(&self.asked));
        let of_cuts = self.told.iter().filter(|outcome| outcome.rule.cut.is_some());
        answers.told = of_cuts.cloned().collect();
        let is_of_cut = |at: &&u32| self.asked[**at as usize].cut.is_some();
        answers.not_possible = self.not_possible.iter().filter(is_of_cut).copied().collect();
        let others = self.asked.iter().enumerate().filter(|(_, rule)| rule.cut.is_none());
        others.for_each(|(at, rule)| answers.take(at, ask(rule)));
        answers
    }

    /// How many rules were unknown and do not decide.
    pub fn not_possible(&self) -> usize {
        self.not_possible.len()
    }

    /// What a rule said; `None` if it was not asked.
    pub fn of_rule(&self, id: &str) -> Option<Expect> {
        let at = self.asked.iter().position(|rule| rule.id == id)?;
        let told = self.told.iter().find(|outcome| outcome.rule.id == id);
        let counted = self.not_possible.iter().any(|place| *place as usize == at);
        let unsaid = if counted { Expect::Unknown } else { Expect::Silent };
        Some(told.map_or(unsaid, |outcome| outcome.truth.as_expected()))
    }

    /// Whether deciding rules were answered, and all of them that exports of this kind can answer.
    pub fn decided(&self) -> bool {
        let open = |outcome: &Outcome| matches!(outcome.truth, Truth::Unknown(_));
        let answered = |(at, rule): (u32, &&Rule)| rule.decides && !self.not_possible.contains(&at);
        (0..).zip(self.asked.iter()).any(answered) && !self.told.iter().any(open)
    }

    /// As if these rules had been silent.
    pub fn without(mut self, rules: &[&Rule]) -> Answers<'r> {
        self.told.retain(|outcome| rules.iter().all(|rule| rule.id != outcome.rule.id));
        self
    }
}

/// Lets groups share their reasons: of every rule the last ones are remembered.
pub struct Shared {
    last: Vec<Arc<[Why]>>,
}

impl Shared {
    /// For so many rules.
    pub fn of(rules: usize) -> Shared {
        Shared { last: (0..rules).map(|_| Arc::from([])).collect() }
    }

    /// The same answer of the rule at this place, with the reasons of the group before if they are the same.
    pub fn with<'r>(&mut self, at: usize, mut outcome: Outcome<'r>) -> Outcome<'r> {
        if let Truth::Unknown(why) = &mut outcome.truth {
            if *why == self.last[at] {
                *why = Arc::clone(&self.last[at]);
            }
            self.last[at] = Arc::clone(why);
        }
        outcome
    }
}

/// Whether nothing stands in the way but what exports of this kind never say: no source could ever be clean.
fn is_impossible(why: &[Why]) -> bool {
    let never = |why: &Why| matches!(why, Why::Absent { absence: Absence::Preset(_), .. });
    !why.is_empty() && why.iter().all(never)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::column::Col;

    fn unknown<'r>(rule: &'r Rule, why: &[Why]) -> Outcome<'r> {
        Outcome { truth: Truth::Unknown(why.into()), ..Outcome::silent(rule) }
    }

    #[test]
    fn only_what_outputs_need_is_kept() {
        let decides = Rule::sample("aaa");
        let other = Rule { decides: false, ..Rule::sample("bbb") };
        let mut answers = Answers::of([&decides, &other].into());
        answers.take(0, Outcome::silent(&decides));
        answers.take(1, Outcome { truth: Truth::Fires, ..Outcome::silent(&other) });
        answers.take(1, unknown(&other, &[Why::Uncompared]));
        assert_eq!((answers.told.len(), answers.not_possible(), answers.decided()), (1, 1, true));
        assert_eq!(answers.clone().without(&[&other]).fired().count(), 0);
        answers.take(0, unknown(&decides, &[Why::Uncompared]));
        assert!(!answers.decided() && answers.unknown().len() == 1);
        let said = ["aaa", "bbb", "ccc"].map(|id| answers.of_rule(id));
        assert_eq!(said, [Some(Expect::Unknown), Some(Expect::Fires), None]);
    }

    #[test]
    fn what_such_exports_never_answer_leaves_nobody_undecided() {
        let (decides, other) = (Rule::sample("aaa"), Rule::sample("bbb"));
        let signal = crate::signals::find("orphan_share").expect("declared");
        let absent = |absence| Why::Absent { signal, absence };
        let never = absent(Absence::Preset("the tracker drops them"));
        let mut answers = Answers::of([&decides, &other].into());
        answers.take(0, unknown(&decides, std::slice::from_ref(&never)));
        assert_eq!((answers.decided(), answers.not_possible(), answers.unknown().len()), (true, 1, 0));
        assert_eq!(answers.of_rule("aaa"), Some(Expect::Unknown));
        for why in
            [absent(Absence::Columns(None, vec![Col::Ip])), absent(Absence::Fact("this group has none"))]
        {
            let mut open = answers.clone();
            open.take(1, unknown(&other, &[never.clone(), why]));
            assert!(!open.decided() && open.unknown().len() == 1);
        }
        // Where no deciding rule can be answered at all, nobody is clean.
        answers.take(1, unknown(&other, &[never]));
        assert!(!answers.decided());
    }

    #[test]
    fn equal_reasons_are_kept_once() {
        let rule = Rule::sample("aaa");
        let mut shared = Shared::of(1);
        let why = |outcome: Outcome| match outcome.truth {
            Truth::Unknown(why) => why,
            truth => panic!("{truth:?}"),
        };
        let first = why(shared.with(0, unknown(&rule, &[Why::Uncompared])));
        let second = why(shared.with(0, unknown(&rule, &[Why::Uncompared])));
        let third = why(shared.with(0, unknown(&rule, &[Why::Column(Col::Source)])));
        assert!(Arc::ptr_eq(&first, &second) && !Arc::ptr_eq(&second, &third));
    }
}
