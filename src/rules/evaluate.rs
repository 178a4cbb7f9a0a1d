//! The three-valued answer of a condition, with the evidence for it.
//!
//! The audit and the inline tests go through the same tests, evidence and reasons; the audit asks about many groups
//! at once ([`super::panel`]). A point value is never looked at, and an absent signal is never taken for zero. A group that cannot be compared with peers is neither like them nor
//! unlike them: the rule says what this means, and unless it does the answer is unknown.

use super::model::{
    Bar, ColumnTest, Evidence, Few, Limit, Nights, Node, Outcome, PastLimit, PeerLimit, Rule, Test, Truth,
    Why, directions,
};
use crate::base::column::Col;
use crate::past::{Held, Own, Past};
use crate::peers::{Direction, Profile, Standing, TooFew, Versus, is_joint};
use crate::signals::{self, Absence, CONFIDENCE, Estimate, Reading, Row, Signal};

/// The largest p-value of a signal that is named as a reason for the risk or the pattern of its group.
const NOTABLE_P: f64 = 0.01;

/// What rules read of one group.
pub struct View<'v> {
    row: &'v Row,
    key: &'v [(Col, Option<String>)],
    profile: &'v Profile,
    /// What is remembered of the group, where runs are stored.
    past: Option<&'v Past>,
}

impl<'v> View<'v> {
    /// A group: what its signals say, the texts of the columns that make it, and how it stands among its peers.
    pub fn new(row: &'v Row, key: &'v [(Col, Option<String>)], profile: &'v Profile) -> View<'v> {
        View { row, key, profile, past: None }
    }

    /// The same with what is remembered of the group.
    pub fn with_past(self, past: Option<&'v Past>) -> View<'v> {
        View { past, ..self }
    }

    /// The rules that fired in an earlier run and have not been cleared since.
    pub(super) fn holding(&self) -> impl Iterator<Item = &'v str> + use<'v> {
        let rules = self.past.into_iter().flat_map(|past| &past.rules);
        rules.filter(|(_, held)| held.holding).map(|(id, _)| id.as_str())
    }

    /// What the signal at this place says.
    pub(super) fn reading(&self, at: usize) -> &'v Reading {
        &self.row.readings[at]
    }
}

/// Asks a rule about a group.
pub fn evaluate<'a>(rule: &'a Rule, view: &View) -> Outcome<'a> {
    told(rule, view, look(&rule.when, view))
}

/// An answer of which the truth of the condition is known, with what it rests on.
pub(super) fn told<'a>(rule: &'a Rule, view: &View, look: Look) -> Outcome<'a> {
    let Answer { truth, evidence } = answer(&rule.when, view, look);
    let evidence = of_cut(rule, evidence);
    let held = view.past.and_then(|past| past.rules.get(&rule.id));
    let anew = truth == Truth::Fires;
    if !anew && held.is_some_and(|held| held.holding) && !is_cleared(rule, &truth, view) {
        return still(rule, view);
    }
    let told = rule.message.as_ref().filter(|_| anew);
    let message = told.map(|message| message.text(|signal| view.row.reading(signal)));
    let nights = if anew { nights(rule, view.past, held) } else { Nights::Unasked };
    Outcome { rule, truth, evidence, message, nights, anew, part: None }
}

/// The same evidence, of the rows that the rule is about.
fn of_cut(rule: &Rule, mut evidence: Vec<Evidence>) -> Vec<Evidence> {
    if rule.cut.is_some() {
        evidence.iter_mut().for_each(|piece| piece.cut.clone_from(&rule.cut));
    }
    evidence
}

/// Whether what ends the rule has come: its `clear`, or else that its `when` is silent.
fn is_cleared(rule: &Rule, truth: &Truth, view: &View) -> bool {
    rule.clear.as_ref().map_or(*truth == Truth::Silent, |clear| look(clear, view) == Look::Fires)
}

/// A rule that fired in an earlier run and has not been cleared: its signals are shown as they are now.
fn still<'a>(rule: &'a Rule, view: &View) -> Outcome<'a> {
    let now = |test: &&Test| Some(evidence(test, *view.row.reading(test.signal).estimate()?, None));
    let message = format!("{}: since an earlier run, and not cleared yet", rule.title);
    Outcome {
        truth: Truth::Fires,
        evidence: of_cut(rule, rule.when.tests().iter().filter_map(now).collect()),
        message: Some(message),
        nights: Nights::Confirmed,
        ..Outcome::silent(rule)
    }
}

/// Whether a rule that fires has held in as many of the last runs as it must, this one among them.
fn nights(rule: &Rule, past: Option<&Past>, held: Option<&Held>) -> Nights {
    let (Some(runs), Some(_)) = (rule.runs, past) else { return Nights::Unasked };
    let earlier = held.map_or(&[][..], |held| &held.fired).iter().take(runs.of as usize - 1);
    let count = 1 + earlier.filter(|fired| **fired).count();
    if count >= runs.held as usize { Nights::Confirmed } else { Nights::Waiting }
}

/// A truth with the tests that held; there are none unless it fires.
#[derive(Clone, Debug, PartialEq)]
struct Answer {
    truth: Truth,
    evidence: Vec<Evidence>,
}

/// Evidence and reasons are only gathered once the truth is known: of most groups most rules are silent.
fn answer(node: &Node, view: &View, look: Look) -> Answer {
    let (mut evidence, mut reasons) = (Vec::new(), Vec::new());
    let truth = match look {
        Look::Silent => Truth::Silent,
        Look::Fires => {
            gather(node, view, &mut evidence);
            Truth::Fires
        }
        Look::Unknown => {
            lacks(node, view, &mut reasons);
            Truth::Unknown(reasons.into())
        }
    };
    Answer { truth, evidence }
}

/// The three truths, in the order of Kleene's strong logic: `all` is the least, `any` the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Look {
    Silent,
    Unknown,
    Fires,
}

impl Look {
    fn of(holds: bool) -> Look {
        if holds { Look::Fires } else { Look::Silent }
    }

    fn not(self) -> Look {
        match self {
            Look::Silent => Look::Fires,
            Look::Unknown => Look::Unknown,
            Look::Fires => Look::Silent,
        }
    }
}

/// The truth of a condition, and nothing else.
pub(super) fn look(node: &Node, view: &View) -> Look {
    match node {
        Node::All(nodes) => all(nodes, view),
        Node::Any(nodes) => any(nodes, view),
        Node::Not(inner) => look(inner, view).not(),
        Node::Test(test) => ask(test, view).look(),
        Node::Column(test) => text(test, view),
        Node::Risk { above, few } => match view.profile.risk {
            Some(risk) => Look::of(risk > *above),
            None => lacking(*few),
        },
        Node::Significant(_) | Node::Pattern { .. } if view.profile.ln_p.is_none() => Look::Unknown,
        Node::Significant(wanted) => Look::of(view.profile.significant == *wanted),
        Node::Pattern { pattern, p } => {
            let enough = |ln_p: f64| p.is_none_or(|p| ln_p <= p.ln());
            Look::of(view.profile.patterns.iter().any(|(found, ln_p)| found == pattern && enough(*ln_p)))
        }
    }
}

/// One silent answer settles it; otherwise one unknown leaves it open.
fn all(nodes: &[Node], view: &View) -> Look {
    let mut least = Look::Fires;
    for node in nodes {
        least = least.min(look(node, view));
        if least == Look::Silent {
            break;
        }
    }
    least
}

/// One firing answer settles it; otherwise one unknown leaves it open.
fn any(nodes: &[Node], view: &View) -> Look {
    let mut most = Look::Silent;
    for node in nodes {
        most = most.max(look(node, view));
        if most == Look::Fires {
            break;
        }
    }
    most
}

/// The answer where there is nobody to compare with.
fn lacking(few: Few) -> Look {
    match few {
        Few::Fires => Look::Fires,
        Few::Silent => Look::Silent,
        Few::Unknown => Look::Unknown,
    }
}

/// A group without a text in the column is none of those that are named.
fn text(test: &ColumnTest, view: &View) -> Look {
    let found = view.key.iter().find(|(column, _)| *column == test.column);
    found.map_or(Look::Unknown, |(_, text)| Look::of(text.as_ref().is_some_and(|t| test.texts.contains(t))))
}

/// What one test of a signal says.
pub(super) enum Said<'v> {
    /// It holds, with the estimate and the comparison that it rests on, if it rests on any.
    Holds(Option<(&'v Estimate, Option<&'v Versus>)>),
    Not,
    Lacks(Lack<'v>),
}

/// What a test of a signal lacks.
pub(super) enum Lack<'v> {
    Value(&'v Absence),
    Sample(u64),
    Peers(TooFew),
    History,
    ShortHistory,
}

impl Said<'_> {
    pub(super) fn look(&self) -> Look {
        match self {
            Said::Holds(_) => Look::Fires,
            Said::Not => Look::Silent,
            Said::Lacks(_) => Look::Unknown,
        }
    }
}

/// Asks one test of a signal.
pub(super) fn ask<'v>(test: &Test, view: &'v View) -> Said<'v> {
    match (&view.row.readings[test.at], test.limit) {
        (Reading::Absent(_), Limit::Present(wanted)) if wanted => Said::Not,
        (Reading::Absent(_), Limit::Present(_)) => Said::Holds(None),
        (Reading::Absent(absence), _) => Said::Lacks(Lack::Value(absence)),
        (Reading::Present(e), _) if e.n < test.min_sample => Said::Lacks(Lack::Sample(e.n)),
        (Reading::Present(e), Limit::Peers(limit)) => beside_peers(test, limit, e, view),
        (Reading::Present(e), Limit::Past(limit)) => beside_past(test, limit, e, view).0,
        (Reading::Present(e), limit) if holds(limit, || e.at(test.confidence)) => {
            Said::Holds(Some((e, None)))
        }
        (Reading::Present(_), _) => Said::Not,
    }
}

/// Holds an interval against a limit of its own.
pub(super) fn holds(limit: Limit, interval: impl Fn() -> (f64, f64)) -> bool {
    match limit {
        Limit::Above(threshold) => interval().0 > threshold,
        Limit::Below(threshold) => interval().1 < threshold,
        Limit::Between(from, to) => {
            let (low, high) = interval();
            from <= low && high <= to
        }
        Limit::Equals(fact) => interval() == (fact, fact),
        Limit::Present(wanted) => wanted,
        Limit::Peers(_) | Limit::Past(_) => unreachable!("held against others, not against the interval"),
    }
}

fn beside_peers<'v>(test: &Test, limit: PeerLimit, estimate: &'v Estimate, view: &'v View) -> Said<'v> {
    match view.profile.standing(test.signal) {
        Standing::Compared(versus) if beyond(limit, versus) => Said::Holds(Some((estimate, Some(versus)))),
        Standing::Compared(_) => Said::Not,
        Standing::TooFew(why) => match lacking(limit.few) {
            Look::Fires => alone(*why, test, limit, view),
            Look::Silent => Said::Not,
            Look::Unknown => Said::Lacks(Lack::Peers(*why)),
        },
    }
}

/// What a test says that leaves the decision to a fixed limit where a signal cannot be compared. A sample too
/// small to differ from its peers is not enough to accuse, and a limit that most sources of an offer are beyond
/// says something of the offer.
fn alone<'v>(why: TooFew, test: &Test, limit: PeerLimit, view: &View) -> Said<'v> {
    let usual = view.profile.usual.get(test.signal.name).zip(limit.fixed);
    let beyond = usual.is_some_and(|(middle, fixed)| match limit.direction {
        Direction::High => middle.lower > fixed,
        Direction::Low => middle.upper < fixed,
    });
    match why {
        TooFew::Sample => Said::Lacks(Lack::Peers(why)),
        TooFew::Peers if beyond => Said::Lacks(Lack::Peers(TooFew::Alike)),
        _ => Said::Holds(None),
    }
}

/// Holds tonight's interval against the median of earlier nights; with what was compared.
fn beside_past<'v>(
    test: &Test,
    limit: PastLimit,
    window: &'v Estimate,
    view: &'v View,
) -> (Said<'v>, Option<(Estimate, Own)>) {
    let Some(past) = view.past else { return (Said::Lacks(Lack::History), None) };
    let (Some(own), Some(tonight)) = (past.own(test.signal, limit.over_s), past.tonight(test.signal, window))
    else {
        return (Said::Lacks(Lack::ShortHistory), None);
    };
    if tonight.n < test.min_sample {
        return (Said::Lacks(Lack::Sample(tonight.n)), None);
    }
    let (low, high) = tonight.at(test.confidence);
    let holds = match limit.direction {
        Direction::High => low > limit.ratio * own.value,
        Direction::Low => high < limit.ratio * own.value,
    };
    if holds { (Said::Holds(Some((window, None))), Some((tonight, own))) } else { (Said::Not, None) }
}

/// Whether the signal lies far enough beyond its peers, by an effect that matters.
fn beyond(limit: PeerLimit, versus: &Versus) -> bool {
    let reached = match limit.bar {
        Bar::Q(q) => versus.q <= q,
        Bar::P(p) => versus.ln_p(limit.direction).is_some_and(|ln_p| ln_p <= p.ln()),
    };
    reached && versus.direction == limit.direction && versus.large
}

/// The evidence of a condition that fires, each piece once. That something did not hold, that nobody could be
/// asked, and which texts a group has are no evidence of their own.
fn gather(node: &Node, view: &View, found: &mut Vec<Evidence>) {
    match node {
        Node::All(nodes) => nodes.iter().for_each(|n| gather(n, view, found)),
        Node::Any(nodes) => {
            let firing = nodes.iter().filter(|n| look(n, view) == Look::Fires);
            firing.for_each(|n| gather(n, view, found));
        }
        Node::Test(test) => {
            if let Said::Holds(Some((estimate, versus))) = ask(test, view) {
                let piece = evidence(test, *estimate, versus.cloned());
                add(found, with_own(piece, test, estimate, view));
            }
        }
        Node::Not(_) | Node::Column(_) | Node::Significant(false) => {}
        Node::Risk { .. } if view.profile.risk.is_none() => {}
        Node::Risk { .. } | Node::Significant(true) | Node::Pattern { .. } => {
            abnormal(view).into_iter().for_each(|piece| add(found, piece));
        }
    }
}

/// Evidence against the group's own past shows what is new tonight, and what it had.
fn with_own(piece: Evidence, test: &Test, estimate: &Estimate, view: &View) -> Evidence {
    let Limit::Past(limit) = test.limit else { return piece };
    match beside_past(test, limit, estimate, view).1 {
        Some((estimate, own)) => Evidence { estimate, own: Some(own), ..piece },
        None => piece,
    }
}

/// What is named for the whole group may have been tested by itself.
fn add(found: &mut Vec<Evidence>, piece: Evidence) {
    if !found.iter().any(|e| e.signal == piece.signal && same(e.limit, piece.limit)) {
        found.push(piece);
    }
}

/// Whether two limits say the same; peers are told once, however strict the test was.
fn same(a: Limit, b: Limit) -> bool {
    match (a, b) {
        (Limit::Peers(a), Limit::Peers(b)) => a.direction == b.direction,
        _ => a == b,
    }
}

/// All reasons why a condition is unknown, each once.
fn lacks(node: &Node, view: &View, reasons: &mut Vec<Why>) {
    match node {
        Node::All(nodes) | Node::Any(nodes) => {
            let unknown = nodes.iter().filter(|n| look(n, view) == Look::Unknown);
            unknown.for_each(|n| lacks(n, view, reasons));
        }
        Node::Not(inner) => lacks(inner, view, reasons),
        _ => {
            let why = lack(node, view);
            if !reasons.contains(&why) {
                reasons.push(why);
            }
        }
    }
}

/// What an unknown condition without parts lacks.
fn lack(node: &Node, view: &View) -> Why {
    let test = match node {
        Node::Test(test) => test,
        Node::Column(test) => return Why::Column(test.column),
        _ => return Why::Uncompared,
    };
    let (signal, needed) = (test.signal, test.min_sample);
    match ask(test, view) {
        Said::Lacks(Lack::Value(absence)) => Why::Absent { signal, absence: absence.clone() },
        Said::Lacks(Lack::Sample(n)) => Why::Sample { signal, n, needed },
        Said::Lacks(Lack::Peers(why)) => Why::Peers { signal, why },
        Said::Lacks(Lack::ShortHistory) => Why::ShortHistory { signal },
        Said::Lacks(Lack::History) | Said::Holds(_) | Said::Not => Why::NoHistory { signal },
    }
}

fn evidence(test: &Test, estimate: Estimate, versus: Option<Versus>) -> Evidence {
    let &Test { signal, limit, confidence, .. } = test;
    Evidence { signal, estimate, limit, confidence, versus, own: None, cut: None }
}

/// The signals that make the whole group abnormal, the least likely first.
fn abnormal(view: &View) -> Vec<Evidence> {
    let mut found: Vec<(f64, Evidence)> = signals::all().iter().filter_map(|s| notable(s, view)).collect();
    found.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    found.into_iter().map(|(_, evidence)| evidence).collect()
}

/// ln p and the evidence of a signal that lies far beyond its peers, on a side that is suspicious by itself or as
/// a sign of a pattern.
fn notable(signal: &'static Signal, view: &View) -> Option<(f64, Evidence)> {
    let Standing::Compared(versus) = view.profile.standing(signal) else { return None };
    let Reading::Present(estimate) = view.row.reading(signal) else { return None };
    let limit =
        PeerLimit { direction: versus.direction, bar: Bar::P(NOTABLE_P), few: Few::Unknown, fixed: None };
    let test = Test::new(signal, Limit::Peers(limit), CONFIDENCE, 0);
    let ln_p = versus.ln_p(versus.direction)?;
    let by_itself = directions(signal).contains(&versus.direction);
    let suspicious = by_itself || is_joint(signal.name, versus.direction);
    (suspicious && beyond(limit, versus)).then(|| (ln_p, evidence(&test, *estimate, Some(versus.clone()))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::{Level, Middle, Pattern, Sides, Standings};
    use std::collections::BTreeSet;

    fn signal(name: &str) -> &'static Signal {
        signals::find(name).expect(name)
    }

    fn test(name: &str, limit: Limit) -> Test {
        Test::new(signal(name), limit, 0.95, 20)
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
        beside_nobody(condition, &[], read)
    }

    fn asked_of(condition: &Node, view: &View) -> Answer {
        answer(condition, view, look(condition, view))
    }

    fn beside_nobody(
        condition: &Node,
        key: &[(Col, Option<String>)],
        read: &dyn Fn(&'static Signal) -> Reading,
    ) -> Answer {
        asked_of(condition, &View::new(&row(read), key, &Profile::default()))
    }

    fn row(read: &dyn Fn(&'static Signal) -> Reading) -> Row {
        Row { readings: signals::all().iter().map(|s| read(s)).collect() }
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

    #[test]
    fn a_fact_equals_a_number_and_an_interval_does_not() {
        check(Limit::Equals(3.0), Reading::Present(Estimate::exact(3.0, 100)), 'F');
        check(Limit::Equals(3.0), Reading::Present(Estimate::exact(4.0, 100)), 'S');
        check(Limit::Equals(0.5), share(50, 100), 'S');
    }

    #[test]
    fn columns_of_the_key_are_compared_by_text() {
        let texts = BTreeSet::from(["pub1".to_owned(), "pub2".to_owned()]);
        let node = Node::Column(ColumnTest { column: Col::Source, texts: texts.into() });
        let asked = |key: &[(Col, Option<String>)]| letter(&beside_nobody(&node, key, &nothing).truth);
        assert_eq!(asked(&[(Col::TrafficSource, None), (Col::Source, Some("pub2".to_owned()))]), 'F');
        assert_eq!(asked(&[(Col::Source, Some("PUB2".to_owned()))]), 'S');
        assert_eq!(asked(&[(Col::Source, None)]), 'S');
        assert_eq!(asked(&[(Col::Campaign, Some("pub2".to_owned()))]), 'U');
        let Truth::Unknown(why) = beside_nobody(&node, &[], &nothing).truth else { panic!("not unknown") };
        assert_eq!(*why, [Why::Column(Col::Source)]);
    }

    #[test]
    fn without_stored_runs_the_past_is_unknown() {
        let limit = PastLimit { direction: Direction::High, ratio: 2.0, over_s: 28.0 * 86_400.0 };
        check(Limit::Past(limit), share(20, 20), 'U');
        let node = Node::Test(test("ctit_short_share", Limit::Past(limit)));
        let Truth::Unknown(why) = seen(&node, &|_| share(20, 20)).truth else { panic!("not unknown") };
        assert_eq!(why[0].to_string(), "ctit_short_share: there are no stored runs to compare with");
    }

    // ------------------------------------------------------------ peers

    fn versus(direction: Direction, q: f64, p: f64) -> Versus {
        let ln_p = |of| (of == direction).then_some(p.ln());
        Versus {
            expected: 0.012,
            level: Level::of(&[Col::Offer, Col::Country]),
            peers: 24,
            ratio: 9.0,
            ratio_limit: 4.0,
            z: 6.0,
            direction,
            sides: Sides::new(ln_p(Direction::High), ln_p(Direction::Low)),
            q,
            large: true,
            decibans: 40.0,
        }
    }

    fn stands(standing: Standing) -> Standings {
        Standings::of([(signal("ctit_short_share"), standing)])
    }

    /// A group whose short share is present and stands so.
    fn beside(standing: Standing) -> Profile {
        Profile { signals: stands(standing), ln_p: Some(-9.0), ..Profile::default() }
    }

    fn asked(condition: &Node, profile: &Profile) -> Answer {
        let read = |s: &'static Signal| match s.name {
            "ctit_short_share" => share(149, 240),
            _ => nothing(s),
        };
        asked_of(condition, &View::new(&row(&read), &[], profile))
    }

    fn above(bar: Bar, few: Few) -> Node {
        let limit = PeerLimit { direction: Direction::High, bar, few, fixed: Some(0.3) };
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
        for why in [TooFew::Peers, TooFew::Absent, TooFew::NotCompared] {
            for (few, expected) in [(Few::Fires, 'F'), (Few::Silent, 'S'), (Few::Unknown, 'U')] {
                check_peers(Standing::TooFew(why), few, expected);
            }
        }
        // A sample that is too small to differ from its peers is no licence for a fixed limit.
        for (few, expected) in [(Few::Fires, 'U'), (Few::Silent, 'S'), (Few::Unknown, 'U')] {
            check_peers(Standing::TooFew(TooFew::Sample), few, expected);
        }
        let open = asked(&above(Bar::Q(0.1), Few::Unknown), &beside(Standing::TooFew(TooFew::Peers)));
        let Truth::Unknown(why) = open.truth else { panic!("not unknown") };
        assert_eq!(why[0].to_string(), "ctit_short_share: too few peers to compare with");
    }

    #[track_caller]
    fn check_usual(middle: Option<(f64, f64)>, limit: PeerLimit, expected: char) {
        let usual = middle.map(|(lower, upper)| ("ctit_short_share", Middle { lower, upper }));
        let profile =
            Profile { usual: usual.into_iter().collect(), ..beside(Standing::TooFew(TooFew::Peers)) };
        let truth = asked(&Node::Test(test("ctit_short_share", Limit::Peers(limit))), &profile).truth;
        assert_eq!(letter(&truth), expected, "{middle:?} {limit:?}");
        if let Truth::Unknown(why) = truth {
            assert_eq!(*why, [Why::Peers { signal: signal("ctit_short_share"), why: TooFew::Alike }]);
        }
    }

    #[test]
    fn a_limit_that_most_sources_of_an_offer_are_beyond_accuses_none_of_them() {
        let above =
            PeerLimit { direction: Direction::High, bar: Bar::Q(0.1), few: Few::Fires, fixed: Some(0.3) };
        check_usual(None, above, 'F');
        check_usual(Some((0.3, 0.9)), above, 'F');
        check_usual(Some((0.31, 0.9)), above, 'U');
        check_usual(Some((0.31, 0.9)), PeerLimit { fixed: None, ..above }, 'F');
        check_usual(Some((0.31, 0.9)), PeerLimit { few: Few::Silent, ..above }, 'S');
        let below = PeerLimit { direction: Direction::Low, ..above };
        check_usual(Some((0.1, 0.3)), below, 'F');
        check_usual(Some((0.1, 0.29)), below, 'U');
    }

    #[test]
    fn an_absent_signal_is_unknown_whatever_peers_say() {
        let limit = PeerLimit { direction: Direction::High, bar: Bar::Q(0.1), few: Few::Fires, fixed: None };
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
        let other_side = stands(Standing::Compared(versus(Direction::Low, 0.001, 1e-6)));
        let better = Profile { signals: other_side, ..profile.clone() };
        assert_eq!(asked(&Node::Significant(true), &better).evidence, []);
        // Clicks at night accuse nobody by themselves, but are a sign of bots.
        let night = signal("night_click_share");
        for (direction, named) in [(Direction::High, 1), (Direction::Low, 0)] {
            let standing = Standing::Compared(versus(direction, 1.0, 1e-9));
            let profile = Profile { signals: Standings::of([(night, standing)]), ..profile.clone() };
            let read = |s: &'static Signal| if s.name == night.name { share(70, 100) } else { nothing(s) };
            let evidence =
                asked_of(&Node::Significant(true), &View::new(&row(&read), &[], &profile)).evidence;
            assert_eq!(evidence.len(), named, "{direction:?}");
        }
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
            assert_eq!(asked(&condition, &nobody).truth, Truth::Unknown([Why::Uncompared].into()));
        }
        assert_eq!(asked(&Node::Risk { above: 60.0, few: Few::Silent }, &nobody).truth, Truth::Silent);
    }
}
