//! The table from evidence to verdict: which findings may act as their rule asks, and which must do less.
//!
//! The verdict of a group is the strongest action that any of its findings may still take, so every
//! verdict of one night can be read off its findings. What earlier nights make of it is in `state`.

use super::{Answers, Finding, Subject, Verdict, money};
use crate::rules::{Action, Allowance, Class, Evidence, Nights, Node, Outcome, Rule, Status, Test};
use crate::signals::{Side, Suspicious};

/// One fired rule and what decides how far it may act.
struct Case<'o, 'r> {
    outcome: &'o Outcome<'r>,
    /// Most of the group's offers allow what the rule finds.
    allowed: bool,
    /// It rests on a cost that was allocated to the group.
    allocated: bool,
    /// Its evidence rests on conversions.
    conversion_side: bool,
    /// It is one of several rules that back each other.
    company: bool,
    /// The group as a whole is far from its peers: the second leg of a rule that stands alone in its family.
    backed: bool,
}

/// One reason to do less than the rule asks.
struct Reduction {
    reason: &'static str,
    at_most: Action,
    applies: fn(&Case) -> bool,
}

/// The reductions, the severest first: the first that weakens a rule's action is the one that is named.
const REDUCTIONS: &[Reduction] = &[
    // What was agreed is no fault.
    Reduction { reason: "allowed by the offer", at_most: Action::Note, applies: |c| c.allowed },
    // The rule says itself on how many nights it must hold.
    Reduction {
        reason: "too few nights yet",
        at_most: Action::Watch,
        applies: |c| c.outcome.nights == Nights::Waiting,
    },
    // An allocated cost is true at its own grain and an assumption below it.
    Reduction { reason: "allocated cost", at_most: Action::Watch, applies: |c| c.allocated },
    Reduction { reason: "not a stable rule", at_most: Action::Hold, applies: |c| !is_stable(c.rule()) },
    // Anyone can send clicks with a rival's ID.
    Reduction {
        reason: "click side only",
        at_most: Action::Hold,
        applies: |c| !(c.conversion_side || c.company),
    },
    Reduction {
        reason: "one family only",
        at_most: Action::Hold,
        applies: |c| !(c.rule().alone || c.rule().deterministic || c.company || c.backed),
    },
];

/// The findings of a group from the outcomes that count, strongest first.
pub(super) fn findings<'r>(subject: &Subject<'r>, counts: impl Fn(&Outcome) -> bool) -> Vec<Finding<'r>> {
    let cases = cases(subject, counts);
    let mut findings: Vec<Finding> = cases.iter().map(|case| finding(case, subject)).collect();
    findings.sort_by(|a, b| order(a).cmp(&order(b)));
    findings
}

/// The verdict that the findings and the answers of the deciding rules lead to.
pub(super) fn verdict(findings: &[Finding], answers: &Answers) -> Verdict {
    match findings.first().map(|f| f.action) {
        Some(Action::Block) => Verdict::Block,
        Some(Action::Hold) => Verdict::Hold,
        Some(Action::Watch) => Verdict::Watch,
        Some(Action::Note) | None if answers.decided() => Verdict::Clean,
        Some(Action::Note) | None => Verdict::Undecided,
    }
}

/// A group that an observed rule would have held, blocked or watched is not called clean.
pub(super) fn not_cleared(verdict: Verdict, would_be: Verdict) -> Verdict {
    if verdict == Verdict::Clean && would_be < Verdict::Clean { Verdict::Undecided } else { verdict }
}

/// The rules that fired and count, each knowing whether others back it.
fn cases<'s, 'r>(subject: &'s Subject<'r>, counts: impl Fn(&Outcome) -> bool) -> Vec<Case<'s, 'r>> {
    let case = |outcome: &'s Outcome<'r>| Case {
        outcome,
        allowed: is_allowed(outcome.rule, subject),
        allocated: allocated(outcome, subject),
        conversion_side: on_conversion_side(outcome),
        company: false,
        backed: false,
    };
    let fired = subject.answers.fired().filter(|o| counts(o));
    let mut cases: Vec<Case> = fired.map(case).collect();
    let corroborated = corroborated(&cases);
    let far = is_far(subject);
    for case in &mut cases {
        case.backed = far && case.is_leg();
        case.company = corroborated && case.is_leg();
    }
    cases
}

/// The risk from which peers are a second leg (design of the verdicts: risk 95 with significance and effect).
const FAR: f64 = 95.0;

/// Whether the group differs from its peers beyond doubt.
fn is_far(subject: &Subject) -> bool {
    subject.profile.significant && subject.profile.risk.is_some_and(|risk| risk >= FAR)
}

/// Whether rules that ask for a block fired in two families.
fn corroborated(cases: &[Case]) -> bool {
    let legs: Vec<&Case> = cases.iter().filter(|c| c.is_leg()).collect();
    legs.iter().any(|c| c.rule().family != legs[0].rule().family)
}

impl<'r> Case<'_, 'r> {
    fn rule(&self) -> &'r Rule {
        self.outcome.rule
    }

    /// Whether it can be one of the two pieces of evidence of a block. Bad business and bad data are no
    /// second sign of a fraud, and neither are clicks: a rival can send them to a source that is on hold.
    fn is_leg(&self) -> bool {
        let rule = self.rule();
        let accuses = matches!(rule.class, Class::Fraud | Class::Quality) && !self.allowed;
        accuses && rule.action == Action::Block && is_stable(rule) && !self.allocated && self.conversion_side
    }
}

fn finding<'r>(case: &Case<'_, 'r>, subject: &Subject<'r>) -> Finding<'r> {
    let rule = case.rule();
    let weaker = |r: &&Reduction| strength(r.at_most) > strength(rule.action);
    let reduction = REDUCTIONS.iter().filter(weaker).find(|r| (r.applies)(case));
    Finding {
        rule,
        title: case.outcome.title(),
        action: reduction.map_or(rule.action, |r| r.at_most),
        reduced: reduction.map(|r| r.reason),
        confirmed: case.outcome.nights == Nights::Confirmed,
        evidence: case.outcome.evidence.clone(),
        money: money::of(case.outcome, subject),
    }
}

fn is_stable(rule: &Rule) -> bool {
    rule.status == Status::Stable
}

/// Whether the offers of most of the group's rows allow what the rule finds.
fn is_allowed(rule: &Rule, subject: &Subject) -> bool {
    let signal = match rule.allowed_by {
        None => return false,
        Some(Allowance::Incentive) => "incentive_allowed_share",
        Some(Allowance::Brand) => "brand_allowed_share",
    };
    let signal = crate::signals::find(signal).expect("the signal is declared");
    subject.row.reading(signal).estimate().is_some_and(|e| e.value() > 0.5)
}

/// Whether the rule fired because of an allocated cost, also where it fired because something about the
/// cost did not hold, which leaves no evidence.
fn allocated(outcome: &Outcome, subject: &Subject) -> bool {
    let row = outcome.part.as_ref().map_or(&subject.row, |part| &part.row);
    let in_row = |t: &Test| row.reading(t.signal).estimate().is_some_and(|e| e.allocated);
    outcome.evidence.iter().any(|e| e.estimate.allocated)
        || denied(&outcome.rule.when).into_iter().any(in_row)
}

/// The tests below a `not`.
fn denied(node: &Node) -> Vec<&Test> {
    match node {
        Node::All(nodes) | Node::Any(nodes) => nodes.iter().flat_map(denied).collect(),
        Node::Not(inner) => inner.tests(),
        Node::Test(_) | Node::Column(_) => Vec::new(),
        Node::Risk { .. } | Node::Significant(_) | Node::Pattern { .. } => Vec::new(),
    }
}

/// Whether the evidence rests on conversions. Context (a least number of conversions, say) does not count,
/// except for a rule that rests on context alone, and for a profit rule: it acts on the whole account.
fn on_conversion_side(outcome: &Outcome) -> bool {
    let telling = |e: &&Evidence| e.signal.suspicious != Suspicious::Neither;
    let all = outcome.rule.class == Class::Profit || !outcome.evidence.iter().any(|e| telling(&e));
    outcome.evidence.iter().filter(|e| all || telling(e)).any(|e| e.signal.side == Side::Conversion)
}

/// The place of a finding: by action, then class, then rule ID.
fn order<'f>(finding: &'f Finding) -> (u8, u8, &'f str) {
    (strength(finding.action), weight(finding.rule.class), &finding.rule.id)
}

/// 0 is the strongest action.
fn strength(action: Action) -> u8 {
    match action {
        Action::Block => 0,
        Action::Hold => 1,
        Action::Watch => 2,
        Action::Note => 3,
    }
}

/// 0 is the gravest class. Profit is last: a group that is fraudulent and unprofitable belongs on the list
/// of the fraudulent ones.
fn weight(class: Class) -> u8 {
    match class {
        Class::Fraud => 0,
        Class::Quality => 1,
        Class::Data => 2,
        Class::Profit => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Limit;
    use crate::signals;
    use crate::verdicts::samples::{judged, outcome, row, rule, subject};

    /// The verdict, and each finding that was reduced with the reason.
    fn check(cases: &[&str], expected: &str) {
        let told = judged(cases, |j| {
            let reduced =
                j.findings.iter().filter_map(|f| f.reduced.map(|r| format!("; {}: {r}", f.rule.id)));
            format!("{}{}", j.verdict.word(), reduced.collect::<String>())
        });
        assert_eq!(told, expected, "{cases:?}");
    }

    #[test]
    fn deterministic_evidence_of_conversions_blocks() {
        check(&["block deterministic replayed_count"], "block");
        check(&["block deterministic reused_click_id_share"], "hold; a: click side only");
        check(&["hold deterministic replayed_count"], "hold");
    }

    #[test]
    fn two_families_block() {
        check(&["block ctit_short_share", "block conversion_top_ip_share"], "block");
        check(&["block ctit_short_share", "block quality approval_share"], "block");
        // Clicks are no second leg: a rival can send them.
        check(
            &["block ctit_short_share", "block top_ip_share"],
            "hold; a: one family only; b: click side only",
        );
    }

    #[test]
    fn one_family_holds() {
        check(&["block ctit_short_share"], "hold; a: one family only");
        check(
            &["block orphan_share", "block replayed_count"],
            "hold; a: one family only; b: one family only",
        );
        check(&["block ctit_short_share", "hold conversion_top_ip_share"], "hold; a: one family only");
    }

    #[test]
    fn a_rule_that_stands_alone_blocks() {
        check(&["block alone ctit_short_share"], "block");
        check(&["block alone profit-class profit"], "block");
        check(&["block alone ctit_short_share", "block ctit_short_share"], "block; b: one family only");
        check(&["block alone ctit_short_share", "block top_ip_share"], "block; b: click side only");
    }

    #[test]
    fn clicks_alone_never_block() {
        check(&["block alone top_ip_share"], "hold; a: click side only");
        check(&["block top_ip_share"], "hold; a: click side only");
        check(
            &["block top_ip_share", "block reused_click_id_share"],
            "hold; a: click side only; b: click side only",
        );
        check(&["block top_ip_share", "watch ctit_short_share"], "hold; a: click side only");
    }

    #[test]
    fn context_is_no_evidence_of_conversions() {
        check(&["block alone top_ip_share conversion_count"], "hold; a: click side only");
        check(&["block alone profit-class cost converted_click_count"], "block");
        check(&["block alone profit-class distinct_ip_share converted_click_count"], "block");
        check(&["block alone ctit_short_share click_count"], "block");
    }

    #[test]
    fn bad_business_and_bad_data_are_no_second_family() {
        for second in ["block profit-class profit", "block data missing_click_id_share"] {
            check(&["block ctit_short_share", second], "hold; a: one family only; b: one family only");
        }
        check(&["block profit-class profit"], "hold; a: one family only");
        check(&["block alone data missing_click_id_share"], "block");
    }

    #[test]
    fn an_allocated_cost_is_only_watched() {
        check(&["block alone allocated profit-class profit"], "watch; a: allocated cost");
        check(&["hold allocated profit-class profit"], "watch; a: allocated cost");
        check(&["watch allocated profit-class profit"], "watch");
        check(&["note decides allocated profit-class profit"], "clean");
        check(
            &["block quality allocated roi", "block ctit_short_share"],
            "hold; b: one family only; a: allocated cost",
        );
    }

    #[test]
    fn an_allocated_cost_that_leaves_no_evidence_is_watched_too() {
        let signal = signals::find("cost").expect("the signal is declared");
        let test = Test::new(signal, Limit::Above(1.0), 0.95, 0);
        let when = Node::All(vec![Node::Not(Box::new(Node::Test(test)))]);
        let case = "block alone ctit_short_share";
        let rule = Rule { when, ..rule("a", case) };
        for (allocated, action) in [(false, Action::Block), (true, Action::Watch)] {
            let mut subject = subject(&["net", "zone1"], vec![outcome(&rule, case)]);
            subject.row = row(&[("cost", 0.5)], allocated);
            assert_eq!(findings(&subject, |_| true)[0].action, action);
        }
    }

    #[test]
    fn a_rule_that_is_not_stable_holds_at_most() {
        check(&["block alone experimental ctit_short_share"], "hold; a: not a stable rule");
        check(
            &["block experimental conversion_top_ip_share", "block ctit_short_share"],
            "hold; a: not a stable rule; b: one family only",
        );
        check(&["watch experimental ctit_short_share"], "watch");
    }

    #[test]
    fn weaker_rules_do_what_they_say() {
        check(&["hold ctit_short_share"], "hold");
        check(&["hold top_ip_share", "watch ctit_short_share"], "hold");
        check(&["watch ctit_short_share", "silent decides"], "watch");
        check(&["watch ctit_short_share", "unknown decides"], "watch");
    }

    #[test]
    fn clean_needs_every_deciding_rule_answered() {
        check(&["silent decides", "silent decides", "unknown"], "clean");
        check(&["silent decides", "unknown decides"], "undecided");
        check(&["silent decides", "note ctit_short_share"], "clean");
        check(&["unknown decides", "note ctit_short_share"], "undecided");
        check(&["silent"], "undecided");
        check(&[], "undecided");
    }

    #[test]
    fn findings_are_sorted_and_the_first_gives_the_class() {
        let cases = [
            "watch quality approval_share",
            "block alone profit-class profit",
            "hold ctit_short_share",
            "block alone orphan_share",
            "note orphan_share",
            "hold conversion_top_ip_share",
        ];
        judged(&cases, |j| {
            let ids: String = j.findings.iter().map(|f| f.rule.id.as_str()).collect();
            assert_eq!((ids.as_str(), j.class), ("dbcfae", Some(Class::Fraud)));
            assert_eq!(j.findings[0].action, Action::Block);
        });
    }

    #[test]
    fn what_could_not_be_answered_is_told() {
        judged(&["unknown decides", "unknown", "silent decides", "unknown decides", "unknown"], |j| {
            let ids: Vec<&str> = j.unknown.iter().map(|(rule, _)| rule.id.as_str()).collect();
            assert_eq!((ids, j.not_possible), (vec!["a", "d"], 2));
        });
    }
}
