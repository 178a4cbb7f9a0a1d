//! Boundary mutation: a limit that can be moved by a hair without any test noticing is not tested.
//!
//! A blocking rule costs somebody a payment, so its tests must hold each of its limits in place: on the strict
//! side (`>` is not `>=`) and from both sides, and the sample that it asks for. What is moved is the rule, never the
//! evaluator. What a fault advises are the examples that would have noticed.

use super::model::{Action, Bar, Limit, Node, PeerLimit, Rule, RuleSet, Test};
use super::selftest::answers_as_expected;
use crate::base::diag::{self, Diag};
use crate::base::unit::Unit;
use crate::signals::Signal;
use std::ops::Range;

/// A hair: this part of a limit, or one whole thing of a count.
const HAIR: f64 = 1e-3;
/// What makes `>` of `>=` where a limit is compared on another scale than it is written.
const SLIGHTEST: f64 = 1e-9;

/// The mutants of blocking rules that every test lets pass, in the order of ids and files.
pub fn survivors(set: &RuleSet) -> Vec<Diag> {
    let blocking = set.rules.iter().filter(|rule| rule.action == Action::Block);
    let mut faults: Vec<Diag> = blocking.flat_map(of_rule).collect();
    diag::sort(&mut faults);
    faults
}

fn of_rule(rule: &Rule) -> Vec<Diag> {
    let mut found = Vec::new();
    for (at, leaf) in rule.when.leaves().into_iter().enumerate() {
        let survives = |mutant: &&Mutant| {
            let when = replaced(&rule.when, &mut at.clone(), &mutant.leaf);
            let mutated = Rule { when, ..rule.clone() };
            rule.tests.iter().all(|example| answers_as_expected(&mutated, example))
        };
        let place = &rule.places[at];
        let written = rule.file.text.get(place.clone()).unwrap_or_default();
        let mutants = mutants(leaf, written.contains("min_sample"));
        found.extend(mutants.iter().filter(survives).map(|mutant| fault(rule, place, leaf, mutant)));
    }
    found
}

/// A condition that differs by a hair, what it says in words, and which examples tell it from the rule's own.
struct Mutant {
    leaf: Node,
    words: String,
    help: String,
}

/// The mutants of one test of the condition; `sampled` where it says itself which sample it needs.
fn mutants(leaf: &Node, sampled: bool) -> Vec<Mutant> {
    match leaf {
        Node::Test(test) => {
            let of_limit = limits(test).into_iter().map(|(limit, words, examples)| Mutant {
                leaf: Node::Test(Test { limit, ..test.clone() }),
                words,
                help: advice(&examples),
            });
            let of_sample = if sampled { samples(test) } else { Vec::new() };
            of_limit.chain(of_sample).collect()
        }
        Node::Risk { above, few } => {
            let help = advice(&[format!("risk: {above}"), format!("risk: {}", above + 1.0)]);
            let risk = |above: f64, words: String| {
                let leaf = Node::Risk { above, few: *few };
                Mutant { leaf, words, help: help.clone() }
            };
            let or_equal = risk(above.next_down(), format!("at or above {above}"));
            let moved = [above - 1.0, above + 1.0].map(|above| risk(above, format!("above {above}")));
            [or_equal].into_iter().chain(moved).collect()
        }
        _ => Vec::new(),
    }
}

fn advice([at, beyond]: &[String; 2]) -> String {
    format!("add one example exactly at the limit, `{at}`, and one just beyond it, `{beyond}`")
}

/// The same test on a sample that is one smaller or larger; a test on none is no test.
fn samples(test: &Test) -> Vec<Mutant> {
    let least = test.min_sample;
    let value = match limits(test).into_iter().next() {
        Some((_, _, [_, beyond])) => beyond,
        None => return Vec::new(),
    };
    let short = value.replace(&format!("n: {least}"), &format!("n: {}", least.saturating_sub(1)));
    let help = format!(
        "add one example that fires on the smallest sample, `{value}`, and the same one case short, `{short}`, \
         which is `unknown`"
    );
    let moved = [least.saturating_sub(1), least.saturating_add(1)];
    let possible = moved.into_iter().filter(|n| *n > 0 && *n != least);
    let mutant = |n: u64| Mutant {
        leaf: Node::Test(Test { min_sample: n, ..test.clone() }),
        words: format!("on a sample of {n}"),
        help: help.clone(),
    };
    possible.map(mutant).collect()
}

type Moved = (Limit, String, [String; 2]);

/// The limits that differ by a hair from a test's.
fn limits(test: &Test) -> Vec<Moved> {
    let unit = test.signal.unit;
    let moved = |v: f64| [v - hair(v, unit), v + hair(v, unit)];
    let say = |word: &str, v: f64| format!("{word} {}", exactly(v, unit));
    let (above, below) = (|v: f64| held(test, v, 1.0), |v: f64| held(test, v, -1.0));
    match test.limit {
        Limit::Above(v) => {
            let or_equal = (Limit::Above(v.next_down()), say("at or above", v), above(v));
            let others = moved(v).map(|m| (Limit::Above(m), say("above", m), above(v)));
            [or_equal].into_iter().chain(others).collect()
        }
        Limit::Below(v) => {
            let or_equal = (Limit::Below(v.next_up()), say("at or below", v), below(v));
            let others = moved(v).map(|m| (Limit::Below(m), say("below", m), below(v)));
            [or_equal].into_iter().chain(others).collect()
        }
        Limit::Between(low, high) => {
            let strict = [
                (Limit::Between(low.next_up(), high), say("between, but not at,", low), below(low)),
                (Limit::Between(low, high.next_down()), say("between, but not at,", high), above(high)),
            ];
            // A limit at an end of the signal's range cannot be moved beyond it.
            let inside = |m: &f64| (test.signal.range.0..=test.signal.range.1).contains(m);
            let lows = moved(low).into_iter().filter(inside);
            let lows = lows.map(|m| (Limit::Between(m, high), say("between from", m), below(low)));
            let highs = moved(high).into_iter().filter(inside);
            let highs = highs.map(|m| (Limit::Between(low, m), say("between up to", m), above(high)));
            strict.into_iter().chain(lows).chain(highs).collect()
        }
        Limit::Equals(v) => moved(v).map(|m| (Limit::Equals(m), say("equals", m), above(v))).into(),
        Limit::Peers(limit) => bars(test, limit),
        Limit::Present(_) | Limit::Past(_) => Vec::new(),
    }
}

/// Examples that hold a limit in place: exactly at it, and half a hair (or one of a count) beyond it on this side.
fn held(test: &Test, limit: f64, side: f64) -> [String; 2] {
    let Signal { unit, name, .. } = *test.signal;
    let step = if unit == Unit::Count { 1.0 } else { hair(limit, unit) / 2.0 };
    let n = test.min_sample.max(1);
    let example = |value: f64| format!("{name}: {{value: {}, n: {n}}}", exactly(value, unit));
    let beyond = limit + side * step;
    let possible = (test.signal.range.0..=test.signal.range.1).contains(&beyond);
    [example(limit), example(if possible { beyond } else { limit - side * step })]
}

fn bars(test: &Test, limit: PeerLimit) -> Vec<Moved> {
    let (v, word) = match limit.bar {
        Bar::Q(v) => (v, "q"),
        Bar::P(v) => (v, "p"),
    };
    let bar = |v: f64| if word == "q" { Bar::Q(v) } else { Bar::P(v) };
    let example = |v: f64| format!("{}: {{value: …, n: …, {word}: {v}}}", test.signal.name);
    let examples = [example(v), example(v * (1.0 + HAIR / 2.0))];
    let with =
        |v: f64, words: String| (Limit::Peers(PeerLimit { bar: bar(v), ..limit }), words, examples.clone());
    let moved = [1.0 - HAIR, 1.0 + HAIR].map(|by| with(v * by, format!("{word} at most {}", v * by)));
    let strict = with(v * (1.0 - SLIGHTEST), format!("{word} below {v}"));
    [strict].into_iter().chain(moved).collect()
}

fn hair(value: f64, unit: Unit) -> f64 {
    match unit {
        Unit::Count => 1.0,
        _ if value == 0.0 => HAIR,
        _ => value.abs() * HAIR,
    }
}

/// As it would be written, with all its digits.
fn exactly(value: f64, unit: Unit) -> String {
    let round = |v: f64| (v * 1e9).round() / 1e9;
    match unit {
        Unit::Share => format!("{}%", round(value * 100.0)),
        Unit::Seconds => format!("{}s", round(value)),
        Unit::Count | Unit::Money | Unit::Ratio => round(value).to_string(),
    }
}

/// The condition with one of its leaves replaced; `left` counts the leaves before it.
fn replaced(node: &Node, left: &mut usize, by: &Node) -> Node {
    let mut each = |nodes: &[Node]| nodes.iter().map(|n| replaced(n, left, by)).collect();
    match node {
        Node::All(nodes) => Node::All(each(nodes)),
        Node::Any(nodes) => Node::Any(each(nodes)),
        Node::Not(inner) => Node::Not(Box::new(replaced(inner, left, by))),
        leaf => {
            let it = *left == 0;
            *left = left.wrapping_sub(1);
            if it { by.clone() } else { leaf.clone() }
        }
    }
}

fn fault(rule: &Rule, place: &Range<usize>, leaf: &Node, mutant: &Mutant) -> Diag {
    let name = match leaf {
        Node::Test(test) => test.signal.name,
        _ => "risk",
    };
    let message = format!("rule `{}`: no test notices if `{name}` is asked for {}", rule.id, mutant.words);
    Diag::new(&diag::UNTESTED_LIMIT, &rule.file.name, message)
        .at(&rule.file.text, place.clone())
        .help(mutant.help.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RuleFile;

    /// What the tests of a blocking rule with this condition and these examples let pass.
    #[track_caller]
    fn check(when: &str, given: &[(&str, &str)], expected: &[&str]) {
        let tests: String = given
            .iter()
            .enumerate()
            .map(|(i, (given, expect))| format!("  - {{name: t{i}, given: {{{given}}}, expect: {expect}}}\n"))
            .collect();
        let text = format!(
            "id: too-fast\ntitle: T\nstatus: stable\nclass: fraud\naction: block\nwhy: W\ninnocent: [none]\n\
             when: {{{when}}}\ntests:\n{tests}"
        );
        let set = RuleSet::of(&[RuleFile::new("too-fast.yml", &text)]);
        let set = set.unwrap_or_else(|d| panic!("{}", diag::plain(&d)));
        let prefix = "rule `too-fast`: no test notices if ";
        let found = survivors(&set);
        let found: Vec<&str> = found.iter().filter_map(|d| d.message.strip_prefix(prefix)).collect();
        assert_eq!(found, expected);
    }

    /// What the first fault of a rule with this test, and no example at its limits, advises.
    #[track_caller]
    fn advises(test: &str, far: [&str; 2], expected: &str) {
        let text = format!(
            "id: too-fast\ntitle: T\nstatus: stable\nclass: fraud\naction: block\nwhy: W\ninnocent: [none]\n\
             when: {{test: {{{test}}}}}\ntests:\n  - {{name: a, given: {{{}}}, expect: fires}}\n  \
             - {{name: b, given: {{{}}}, expect: silent}}\n",
            far[0], far[1]
        );
        let set = RuleSet::of(&[RuleFile::new("too-fast.yml", &text)]);
        let found = survivors(&set.unwrap_or_else(|d| panic!("{}", diag::plain(&d))));
        assert_eq!(found[0].help.as_deref(), Some(expected));
    }

    #[test]
    fn the_advice_is_about_this_limit() {
        advises(
            "signal: cr, below: 10%, min_sample: 40",
            ["cr: {value: 1%, n: 900}", "cr: {value: 60%, n: 900}"],
            "add one example exactly at the limit, `cr: {value: 10%, n: 40}`, and one just beyond it, \
             `cr: {value: 9.995%, n: 40}`",
        );
        advises(
            "signal: replayed_count, above: 2",
            ["replayed_count: 9", "replayed_count: 0"],
            "add one example exactly at the limit, `replayed_count: {value: 2, n: 1}`, and one just beyond it, \
             `replayed_count: {value: 3, n: 1}`",
        );
    }

    #[test]
    fn the_sample_that_is_asked_for_is_held_in_place() {
        let when = "test: {signal: ctit_short_share, above: 30%, min_sample: 40}";
        let (at, beyond) =
            ("ctit_short_share: {value: 30%, n: 40}", "ctit_short_share: {value: 30.01%, n: 40}");
        let few = "ctit_short_share: {value: 60%, n: 39}";
        check(when, &[(at, "silent"), (beyond, "fires"), (few, "unknown")], &[]);
        check(
            when,
            &[(at, "silent"), (beyond, "fires")],
            &["`ctit_short_share` is asked for on a sample of 39"],
        );
        check(
            when,
            &[("ctit_short_share: 30%", "silent"), ("ctit_short_share: 30.01%", "fires"), (few, "unknown")],
            &["`ctit_short_share` is asked for on a sample of 41"],
        );
    }

    #[test]
    fn a_limit_is_held_from_both_sides() {
        let when = "test: {signal: ctit_short_share, above: 30%}";
        let (far, low) = (("ctit_short_share: 60%", "fires"), ("ctit_short_share: 10%", "silent"));
        let all = [
            "`ctit_short_share` is asked for above 29.97%",
            "`ctit_short_share` is asked for above 30.03%",
            "`ctit_short_share` is asked for at or above 30%",
        ];
        check(when, &[far, low], &all);
        let (at, beyond) = (("ctit_short_share: 30%", "silent"), ("ctit_short_share: 30.01%", "fires"));
        check(when, &[at, far], &all[1..2]);
        check(when, &[beyond, low], &[all[0], all[2]]);
        check(when, &[at, beyond], &[]);
    }

    #[test]
    fn every_kind_of_limit_has_its_mutants() {
        let share = |value: &str| format!("ctit_short_share: {value}");
        let (a, b, c, d) = (share("10%"), share("30%"), share("9.995%"), share("30.01%"));
        let held = [(a.as_str(), "fires"), (&b, "fires"), (&c, "silent"), (&d, "silent")];
        let when = "test: {signal: ctit_short_share, between: [10%, 30%]}";
        check(when, &held, &[]);
        check(when, &held[..3], &["`ctit_short_share` is asked for between up to 30.03%"]);
        let when = "test: {signal: ctit_short_share, above_peers: {q: 0.1}}";
        let (a, b) = (share("{x: 1, n: 2, q: 0.1}"), share("{x: 1, n: 2, q: 0.10005}"));
        check(when, &[(&a, "fires"), (&b, "silent")], &[]);
        check(
            when,
            &[(&a, "fires"), ("cr: 1%", "unknown")],
            &["`ctit_short_share` is asked for q at most 0.1001"],
        );
        let when = "test: {signal: replayed_count, above: 2, min_sample: 1}";
        let least = "replayed_count: {value: 3, n: 1}";
        check(when, &[(least, "fires"), ("replayed_count: 2", "silent")], &[]);
        let risk = "all: [{test: {signal: replayed_count, above: 2, min_sample: 1}}, {risk: {above: 60}}]";
        let (a, b) = ("replayed_count: {value: 3, n: 1}, risk: 61", "replayed_count: 3, risk: 60");
        let low = ("replayed_count: 2, risk: 61", "silent");
        check(risk, &[(a, "fires"), (b, "silent"), low], &[]);
        check(
            risk,
            &[(a, "fires"), low],
            &["`risk` is asked for above 59", "`risk` is asked for at or above 60"],
        );
    }
}
