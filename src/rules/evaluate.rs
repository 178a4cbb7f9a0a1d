//! The three-valued answer of a condition, with the evidence for it.
//!
//! The audit and the inline tests go through this one function. It never looks at a point value and never
//! takes an absent signal for zero.

use super::model::{Evidence, Limit, Node, Outcome, Rule, Test, Truth, Why};
use crate::signals::{Estimate, Reading, Signal};

/// Asks a rule about the group whose signals `read` gives.
pub fn evaluate<'a>(rule: &'a Rule, read: &dyn Fn(&'static Signal) -> Reading) -> Outcome<'a> {
    let Answer { truth, evidence } = node(&rule.when, read);
    Outcome { rule, truth, evidence }
}

/// A truth with the tests that held; there are none unless it fires.
#[derive(Clone, Debug, PartialEq)]
struct Answer {
    truth: Truth,
    evidence: Vec<Evidence>,
}

impl Answer {
    fn bare(truth: Truth) -> Answer {
        Answer { truth, evidence: Vec::new() }
    }
}

fn node(node_: &Node, read: &dyn Fn(&'static Signal) -> Reading) -> Answer {
    match node_ {
        Node::All(nodes) => all(nodes.iter().map(|n| node(n, read)).collect()),
        Node::Any(nodes) => any(nodes.iter().map(|n| node(n, read)).collect()),
        Node::Not(inner) => not(node(inner, read)),
        Node::Test(test) => ask(test, read(test.signal)),
    }
}

/// One silent answer settles it; otherwise one unknown leaves it open (Kleene's strong logic).
fn all(answers: Vec<Answer>) -> Answer {
    if answers.iter().any(|a| a.truth == Truth::Silent) {
        return Answer::bare(Truth::Silent);
    }
    open(&answers).unwrap_or_else(|| fires(answers))
}

/// One firing answer settles it; otherwise one unknown leaves it open.
fn any(answers: Vec<Answer>) -> Answer {
    let (firing, others): (Vec<_>, Vec<_>) = answers.into_iter().partition(|a| a.truth == Truth::Fires);
    if !firing.is_empty() {
        return fires(firing);
    }
    open(&others).unwrap_or_else(|| Answer::bare(Truth::Silent))
}

/// That something did not hold is no evidence of its own.
fn not(answer: Answer) -> Answer {
    Answer::bare(match answer.truth {
        Truth::Fires => Truth::Silent,
        Truth::Silent => Truth::Fires,
        unknown @ Truth::Unknown(_) => unknown,
    })
}

fn fires(answers: Vec<Answer>) -> Answer {
    Answer { truth: Truth::Fires, evidence: answers.into_iter().flat_map(|a| a.evidence).collect() }
}

/// Unknown for all reasons together, each once; `None` if nothing is unknown.
fn open(answers: &[Answer]) -> Option<Answer> {
    let mut reasons: Vec<Why> = Vec::new();
    for answer in answers {
        let Truth::Unknown(why) = &answer.truth else { continue };
        reasons.extend(why.iter().filter(|w| !reasons.contains(w)).cloned().collect::<Vec<_>>());
    }
    let unknown = answers.iter().any(|a| matches!(a.truth, Truth::Unknown(_)));
    unknown.then(|| Answer::bare(Truth::Unknown(reasons)))
}

fn ask(test: &Test, reading: Reading) -> Answer {
    let signal = test.signal;
    match (test.limit, reading) {
        (Limit::Present(false), Reading::Absent(_)) => Answer::bare(Truth::Fires),
        (Limit::Present(true), Reading::Absent(_)) => Answer::bare(Truth::Silent),
        (_, Reading::Absent(absence)) => Answer::bare(Truth::Unknown(vec![Why::Absent { signal, absence }])),
        (_, Reading::Present(e)) if e.n < test.min_sample => {
            Answer::bare(Truth::Unknown(vec![Why::Sample { signal, n: e.n, needed: test.min_sample }]))
        }
        (_, Reading::Present(e)) if holds(test, &e) => fires_on(test, e),
        _ => Answer::bare(Truth::Silent),
    }
}

fn holds(test: &Test, estimate: &Estimate) -> bool {
    let (low, high) = estimate.at(test.confidence);
    match test.limit {
        Limit::Above(threshold) => low > threshold,
        Limit::Below(threshold) => high < threshold,
        Limit::Between(from, to) => from <= low && high <= to,
        Limit::Present(wanted) => wanted,
    }
}

fn fires_on(test: &Test, estimate: Estimate) -> Answer {
    let &Test { signal, limit, confidence, .. } = test;
    Answer { truth: Truth::Fires, evidence: vec![Evidence { signal, estimate, limit, confidence }] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::{self, Absence};

    fn signal(name: &str) -> &'static Signal {
        signals::find(name).expect(name)
    }

    fn test(name: &str, limit: Limit) -> Test {
        Test { signal: signal(name), limit, confidence: 0.95, min_sample: 20 }
    }

    /// `F` fires, `S` silent, `U` unknown, by tests of their own.
    fn leaf(letter: char) -> Node {
        let limit = match letter {
            'F' => Limit::Present(false),
            'S' => Limit::Present(true),
            _ => Limit::Above(0.1),
        };
        Node::Test(test("cr", limit))
    }

    fn letter(truth: &Truth) -> char {
        match truth {
            Truth::Fires => 'F',
            Truth::Silent => 'S',
            Truth::Unknown(_) => 'U',
        }
    }

    fn nothing(_: &'static Signal) -> Reading {
        Reading::Absent(Absence::NoClicks)
    }

    #[track_caller]
    fn check(limit: Limit, reading: Reading, expected: char) {
        assert_eq!(
            letter(&ask(&test("ctit_short_share", limit), reading.clone()).truth),
            expected,
            "{reading:?}"
        );
    }

    fn share(x: u64, n: u64) -> Reading {
        Reading::Present(Estimate::share(x, n))
    }

    #[test]
    fn limits_act_on_the_interval() {
        check(Limit::Above(0.5), share(149, 240), 'F');
        check(Limit::Above(0.5), share(13, 24), 'S');
        check(Limit::Below(0.5), share(40, 240), 'F');
        check(Limit::Below(0.5), share(11, 24), 'S');
        check(Limit::Between(0.4, 0.6), share(500, 1000), 'F');
        check(Limit::Between(0.4, 0.6), share(12, 24), 'S');
        check(Limit::Above(0.5), Reading::Present(Estimate::exact(0.5, 100)), 'S');
        check(Limit::Below(0.5), Reading::Present(Estimate::exact(0.5, 100)), 'S');
        check(Limit::Above(0.3), Reading::Present(Estimate::limits(0.5, 0.31, 0.8, 100)), 'F');
        check(Limit::Above(0.3), Reading::Present(Estimate::limits(0.5, 0.29, 0.8, 100)), 'S');
    }

    #[test]
    fn a_small_sample_or_an_absent_signal_is_unknown() {
        check(Limit::Above(0.1), share(19, 19), 'U');
        check(Limit::Above(0.1), share(20, 20), 'F');
        check(Limit::Above(0.1), Reading::Absent(Absence::NoConversions), 'U');
        check(Limit::Present(true), Reading::Absent(Absence::NoConversions), 'S');
        check(Limit::Present(false), Reading::Absent(Absence::NoConversions), 'F');
        check(Limit::Present(false), share(20, 20), 'S');
    }

    #[test]
    fn kleene_tables() {
        let rank = |c: char| "SUF".find(c).expect("a letter");
        let flip = |c: char| "SUF".chars().rev().nth(rank(c)).expect("three letters");
        for a in "SUF".chars() {
            assert_eq!(letter(&node(&Node::Not(Box::new(leaf(a))), &nothing).truth), flip(a));
            for b in "SUF".chars() {
                let ask = |n: Node| rank(letter(&node(&n, &nothing).truth));
                let (all, any) = (Node::All(vec![leaf(a), leaf(b)]), Node::Any(vec![leaf(a), leaf(b)]));
                assert_eq!(ask(all.clone()), rank(a).min(rank(b)), "all {a} {b}");
                assert_eq!(ask(any.clone()), rank(a).max(rank(b)), "any {a} {b}");
                let not = |n: Node| Node::Not(Box::new(n));
                assert_eq!(
                    ask(not(all)),
                    ask(Node::Any(vec![not(leaf(a)), not(leaf(b))])),
                    "De Morgan {a} {b}"
                );
                assert_eq!(
                    ask(not(any)),
                    ask(Node::All(vec![not(leaf(a)), not(leaf(b))])),
                    "De Morgan {a} {b}"
                );
            }
        }
    }

    #[test]
    fn evidence_is_every_test_that_held_and_all_reasons_are_kept() {
        let read = |s: &'static Signal| match s.name {
            "ctit_short_share" => share(149, 240),
            "orphan_share" => share(5, 10),
            _ => Reading::Absent(Absence::NoClicks),
        };
        let fires = |limit| Node::Test(test("ctit_short_share", limit));
        let small = Node::Test(test("orphan_share", Limit::Above(0.1)));
        let any = Node::Any(vec![small.clone(), fires(Limit::Above(0.3)), fires(Limit::Above(0.9))]);
        let Answer { truth, evidence } = node(&any, &read);
        assert_eq!((truth, evidence.len()), (Truth::Fires, 1));
        let double = Node::All(vec![fires(Limit::Above(0.3)), fires(Limit::Above(0.5))]);
        assert_eq!(node(&double, &read).evidence.len(), 2);
        assert_eq!(node(&Node::Not(Box::new(fires(Limit::Above(0.9)))), &read).evidence, []);
        let open = Node::All(vec![small.clone(), small, leaf('U'), fires(Limit::Above(0.3))]);
        let Truth::Unknown(why) = node(&open, &read).truth else { panic!("not unknown") };
        let why: Vec<String> = why.iter().map(ToString::to_string).collect();
        assert_eq!(why, ["orphan_share: a sample of 10, at least 20 needed", "cr: no clicks were given"]);
    }
}
