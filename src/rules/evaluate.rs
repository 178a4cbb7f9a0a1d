//! The three-valued answer of a condition, with the evidence for it.
//!
//! The audit and the inline tests go through this one function. It never looks at a point value and never
//! takes an absent signal for zero. A group that cannot be compared with peers is neither like them nor
//! unlike them: the rule says what this means, and unless it does the answer is unknown.

use super::model::{Bar, Evidence, Few, Limit, Node, Outcome, PeerLimit, Rule, Test, Truth, Why, directions};
use crate::peers::{Pattern, Profile, Standing, Versus};
use crate::signals::{self, CONFIDENCE, Estimate, Reading, Signal};

/// The largest p-value of a signal that is named as a reason for the risk or the pattern of its group.
const NOTABLE_P: f64 = 0.01;

/// What rules read of one group.
pub struct View<'v> {
    /// What each signal says.
    pub read: &'v dyn Fn(&'static Signal) -> Reading,
    /// How the group stands among its peers.
    pub profile: &'v Profile,
}

/// Asks a rule about a group.
pub fn evaluate<'a>(rule: &'a Rule, view: &View) -> Outcome<'a> {
    let Answer { truth, evidence } = node(&rule.when, view);
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

    /// Fires on one piece of evidence.
    fn of(evidence: Evidence) -> Answer {
        Answer { truth: Truth::Fires, evidence: vec![evidence] }
    }
}

fn node(node_: &Node, view: &View) -> Answer {
    match node_ {
        Node::All(nodes) => all(nodes.iter().map(|n| node(n, view)).collect()),
        Node::Any(nodes) => any(nodes.iter().map(|n| node(n, view)).collect()),
        Node::Not(inner) => not(node(inner, view)),
        Node::Test(test) => ask(test, view),
        Node::Risk { above, few } => risk(*above, *few, view),
        Node::Significant(wanted) => significant(*wanted, view),
        Node::Pattern { pattern, p } => fits(*pattern, *p, view),
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

/// All evidence, each piece once: what is named for the whole group may have been tested by itself.
fn fires(answers: Vec<Answer>) -> Answer {
    let mut evidence: Vec<Evidence> = Vec::new();
    for piece in answers.into_iter().flat_map(|a| a.evidence) {
        if !evidence.iter().any(|e| e.signal == piece.signal && same(e.limit, piece.limit)) {
            evidence.push(piece);
        }
    }
    Answer { truth: Truth::Fires, evidence }
}

/// Whether two limits say the same; peers are told once, however strict the test was.
fn same(a: Limit, b: Limit) -> bool {
    match (a, b) {
        (Limit::Peers(a), Limit::Peers(b)) => a.direction == b.direction,
        _ => a == b,
    }
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

fn ask(test: &Test, view: &View) -> Answer {
    let signal = test.signal;
    match (test.limit, (view.read)(signal)) {
        (Limit::Present(false), Reading::Absent(_)) => Answer::bare(Truth::Fires),
        (Limit::Present(true), Reading::Absent(_)) => Answer::bare(Truth::Silent),
        (_, Reading::Absent(absence)) => Answer::bare(Truth::Unknown(vec![Why::Absent { signal, absence }])),
        (_, Reading::Present(e)) if e.n < test.min_sample => {
            Answer::bare(Truth::Unknown(vec![Why::Sample { signal, n: e.n, needed: test.min_sample }]))
        }
        (_, Reading::Present(e)) => hold(test, e, view),
    }
}

/// Holds a value against the limit.
fn hold(test: &Test, estimate: Estimate, view: &View) -> Answer {
    let (low, high) = estimate.at(test.confidence);
    let holds = match test.limit {
        Limit::Above(threshold) => low > threshold,
        Limit::Below(threshold) => high < threshold,
        Limit::Between(from, to) => from <= low && high <= to,
        Limit::Present(wanted) => wanted,
        Limit::Peers(limit) => return beside_peers(test, limit, estimate, view),
    };
    if holds { Answer::of(evidence(test, estimate, None)) } else { Answer::bare(Truth::Silent) }
}

fn evidence(test: &Test, estimate: Estimate, versus: Option<Versus>) -> Evidence {
    let &Test { signal, limit, confidence, .. } = test;
    Evidence { signal, estimate, limit, confidence, versus }
}

fn beside_peers(test: &Test, limit: PeerLimit, estimate: Estimate, view: &View) -> Answer {
    let signal = test.signal;
    match view.profile.standing(signal) {
        Standing::Compared(v) if beyond(limit, &v) => Answer::of(evidence(test, estimate, Some(v))),
        Standing::Compared(_) => Answer::bare(Truth::Silent),
        Standing::TooFew(why) => lacking(limit.few, Why::Peers { signal, why }),
    }
}

/// Whether the signal lies far enough beyond its peers, by an effect that matters.
fn beyond(limit: PeerLimit, versus: &Versus) -> bool {
    let reached = match limit.bar {
        Bar::Q(q) => versus.q <= q,
        Bar::P(p) => versus.ln_p(limit.direction).is_some_and(|ln_p| ln_p <= p.ln()),
    };
    reached && versus.direction == limit.direction && versus.large
}

/// The answer where there is nobody to compare with. It is no evidence of its own.
fn lacking(few: Few, why: Why) -> Answer {
    Answer::bare(match few {
        Few::Fires => Truth::Fires,
        Few::Silent => Truth::Silent,
        Few::Unknown => Truth::Unknown(vec![why]),
    })
}

fn risk(above: f64, few: Few, view: &View) -> Answer {
    match view.profile.risk {
        Some(risk) => of_the_whole(risk > above, view),
        None => lacking(few, Why::Uncompared),
    }
}

fn significant(wanted: bool, view: &View) -> Answer {
    match view.profile.ln_p {
        Some(_) if wanted => of_the_whole(view.profile.significant, view),
        Some(_) => not(of_the_whole(view.profile.significant, view)),
        None => lacking(Few::Unknown, Why::Uncompared),
    }
}

fn fits(pattern: Pattern, p: Option<f64>, view: &View) -> Answer {
    if view.profile.ln_p.is_none() {
        return lacking(Few::Unknown, Why::Uncompared);
    }
    let enough = |ln_p: f64| p.is_none_or(|p| ln_p <= p.ln());
    of_the_whole(view.profile.patterns.iter().any(|(found, ln_p)| *found == pattern && enough(*ln_p)), view)
}

/// An answer about the whole group; its evidence are the signals that make the group abnormal.
fn of_the_whole(holds: bool, view: &View) -> Answer {
    if !holds {
        return Answer::bare(Truth::Silent);
    }
    let mut found: Vec<(f64, Evidence)> = signals::all().iter().filter_map(|s| notable(s, view)).collect();
    found.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    Answer { truth: Truth::Fires, evidence: found.into_iter().map(|(_, evidence)| evidence).collect() }
}

/// ln p and the evidence of a signal that lies far beyond its peers, on a side that is suspicious.
fn notable(signal: &'static Signal, view: &View) -> Option<(f64, Evidence)> {
    let Standing::Compared(versus) = view.profile.standing(signal) else { return None };
    let Reading::Present(estimate) = (view.read)(signal) else { return None };
    let limit = PeerLimit { direction: versus.direction, bar: Bar::P(NOTABLE_P), few: Few::Unknown };
    let test = Test { signal, limit: Limit::Peers(limit), confidence: CONFIDENCE, min_sample: 0 };
    let ln_p = versus.ln_p(versus.direction)?;
    let suspicious = directions(signal).contains(&versus.direction);
    (suspicious && beyond(limit, &versus)).then(|| (ln_p, evidence(&test, estimate, Some(versus))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::{Direction, TooFew};
    use crate::signals::Absence;

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

    /// The answer of a condition about a group that is compared with nobody.
    fn seen(condition: &Node, read: &dyn Fn(&'static Signal) -> Reading) -> Answer {
        node(condition, &View { read, profile: &Profile::default() })
    }

    #[track_caller]
    fn check(limit: Limit, reading: Reading, expected: char) {
        assert_eq!(
            letter(&seen(&Node::Test(test("ctit_short_share", limit)), &|_| reading.clone()).truth),
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
            assert_eq!(letter(&seen(&Node::Not(Box::new(leaf(a))), &nothing).truth), flip(a));
            for b in "SUF".chars() {
                let ask = |n: Node| rank(letter(&seen(&n, &nothing).truth));
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
        let Answer { truth, evidence } = seen(&any, &read);
        assert_eq!((truth, evidence.len()), (Truth::Fires, 1));
        let double = Node::All(vec![fires(Limit::Above(0.3)), fires(Limit::Above(0.5))]);
        assert_eq!(seen(&double, &read).evidence.len(), 2);
        assert_eq!(seen(&Node::Not(Box::new(fires(Limit::Above(0.9)))), &read).evidence, []);
        let open = Node::All(vec![small.clone(), small, leaf('U'), fires(Limit::Above(0.3))]);
        let Truth::Unknown(why) = seen(&open, &read).truth else { panic!("not unknown") };
        let why: Vec<String> = why.iter().map(ToString::to_string).collect();
        assert_eq!(why, ["orphan_share: a sample of 10, at least 20 needed", "cr: no clicks were given"]);
    }

    // ------------------------------------------------------------ peers

    fn versus(direction: Direction, q: f64, p: f64) -> Versus {
        let ln_p = |of| (of == direction).then_some(p.ln());
        Versus {
            expected: 0.012,
            level: "offer, country".into(),
            peers: 24,
            ratio: 9.0,
            ratio_limit: 4.0,
            z: 6.0,
            direction,
            ln_p_high: ln_p(Direction::High),
            ln_p_low: ln_p(Direction::Low),
            q,
            large: true,
            decibans: 40.0,
        }
    }

    /// A group whose short share is present and stands so.
    fn beside(standing: Standing) -> Profile {
        Profile { signals: vec![("ctit_short_share", standing)], ln_p: Some(-9.0), ..Profile::default() }
    }

    fn asked(condition: &Node, profile: &Profile) -> Answer {
        let read = |s: &'static Signal| match s.name {
            "ctit_short_share" => share(149, 240),
            _ => nothing(s),
        };
        node(condition, &View { read: &read, profile })
    }

    fn above(bar: Bar, few: Few) -> Node {
        let limit = PeerLimit { direction: Direction::High, bar, few };
        Node::Test(test("ctit_short_share", Limit::Peers(limit)))
    }

    #[track_caller]
    fn check_peers(standing: Standing, few: Few, expected: char) {
        let answer = asked(&above(Bar::Q(0.1), few), &beside(standing.clone()));
        assert_eq!(letter(&answer.truth), expected, "{standing:?} {few:?}");
        let versus = matches!(standing, Standing::Compared(_));
        assert_eq!(answer.evidence.len(), usize::from(expected == 'F' && versus), "{standing:?} {few:?}");
    }

    #[test]
    fn a_signal_beyond_its_peers_fires() {
        let compared = |direction, q| Standing::Compared(versus(direction, q, 1e-9));
        check_peers(compared(Direction::High, 0.1), Few::Unknown, 'F');
        check_peers(compared(Direction::High, 0.1001), Few::Fires, 'S');
        check_peers(compared(Direction::Low, 0.001), Few::Fires, 'S');
        let small = Versus { large: false, ..versus(Direction::High, 0.001, 1e-9) };
        check_peers(Standing::Compared(small), Few::Fires, 'S');
    }

    #[test]
    fn too_few_peers_answer_as_the_rule_says() {
        for why in [TooFew::Peers, TooFew::Sample, TooFew::Absent, TooFew::NotCompared] {
            for (few, expected) in [(Few::Fires, 'F'), (Few::Silent, 'S'), (Few::Unknown, 'U')] {
                check_peers(Standing::TooFew(why), few, expected);
            }
        }
        let open = asked(&above(Bar::Q(0.1), Few::Unknown), &beside(Standing::TooFew(TooFew::Peers)));
        let Truth::Unknown(why) = open.truth else { panic!("not unknown") };
        assert_eq!(why[0].to_string(), "ctit_short_share: too few peers to compare with");
    }

    #[test]
    fn an_absent_signal_is_unknown_whatever_peers_say() {
        let limit = PeerLimit { direction: Direction::High, bar: Bar::Q(0.1), few: Few::Fires };
        let condition = Node::Test(test("orphan_share", Limit::Peers(limit)));
        assert_eq!(letter(&asked(&condition, &Profile::default()).truth), 'U');
    }

    #[test]
    fn p_is_that_of_the_signal_alone() {
        let profile = beside(Standing::Compared(versus(Direction::High, 0.9, 0.001)));
        assert_eq!(letter(&asked(&above(Bar::P(0.001), Few::Unknown), &profile).truth), 'F');
        assert_eq!(letter(&asked(&above(Bar::P(0.0009), Few::Unknown), &profile).truth), 'S');
    }

    #[test]
    fn the_whole_group_answers_with_the_signals_that_make_it_abnormal() {
        let mut profile = beside(Standing::Compared(versus(Direction::High, 0.001, 1e-6)));
        profile.patterns = vec![(Pattern::Injection, 1e-6f64.ln())];
        profile.risk = Some(97.0);
        profile.significant = true;
        let pattern = |pattern, p| Node::Pattern { pattern, p };
        for (condition, expected) in [
            (Node::Risk { above: 96.0, few: Few::Unknown }, 'F'),
            (Node::Risk { above: 97.0, few: Few::Fires }, 'S'),
            (Node::Significant(true), 'F'),
            (Node::Significant(false), 'S'),
            (pattern(Pattern::Injection, None), 'F'),
            (pattern(Pattern::Injection, Some(1e-5)), 'F'),
            (pattern(Pattern::Injection, Some(1e-7)), 'S'),
            (pattern(Pattern::Flooding, None), 'S'),
        ] {
            let answer = asked(&condition, &profile);
            assert_eq!(letter(&answer.truth), expected, "{condition:?}");
            let named: Vec<&str> = answer.evidence.iter().map(|e| e.signal.name).collect();
            assert_eq!(named.len(), usize::from(expected == 'F'), "{condition:?} {named:?}");
        }
        let other_side = vec![("ctit_short_share", Standing::Compared(versus(Direction::Low, 0.001, 1e-6)))];
        let better = Profile { signals: other_side, ..profile.clone() };
        assert_eq!(asked(&Node::Significant(true), &better).evidence, []);
        let twice = Node::All(vec![above(Bar::Q(0.1), Few::Unknown), Node::Significant(true)]);
        let evidence = asked(&twice, &profile).evidence;
        assert_eq!(evidence.len(), 1);
        assert_eq!(evidence[0].versus.as_ref().map(|v| v.peers), Some(24));
    }

    #[test]
    fn a_group_that_is_compared_with_nobody_has_no_risk_and_no_pattern() {
        let nobody = Profile::default();
        for condition in [
            Node::Significant(true),
            Node::Significant(false),
            Node::Pattern { pattern: Pattern::Replay, p: None },
            Node::Risk { above: 60.0, few: Few::Unknown },
        ] {
            assert_eq!(asked(&condition, &nobody).truth, Truth::Unknown(vec![Why::Uncompared]));
        }
        assert_eq!(asked(&Node::Risk { above: 60.0, few: Few::Silent }, &nobody).truth, Truth::Silent);
    }
}
