//! What would have to change for a verdict to change: the rules are asked again about values that are a little
//! different, until their answer changes. Nothing here knows a limit; all of them are the rules' own.
//!
//! One signal moves at a time, at the same sample and with an interval of the same kind; all others stay as they are,
//! and so does what peers do. How the signal then stands among them is asked anew where that can be told (a rate of
//! one peer group); elsewhere its standing stays, too.

use crate::base::column::Col;
use crate::base::unit::Unit;
use crate::peers::{Profile, Standing, Turning};
use crate::report::explain::{Change, Move, Outlook};
use crate::rules::{Action, Evidence, Limit, Node, Outcome, Rule, Test, Truth, View, evaluate};
use crate::signals::{self, Estimate, Interval, Link, Reading, Row, Signal, Suspicious};
use crate::verdicts::{Judged, Protect, Subject, Verdict, judge};

/// Rules near to firing that are told.
const NEAREST: usize = 3;

/// The outlook of a group; `ranked` are ln p of all groups of its grain, the least first.
pub fn outlook<'r>(group: &Judged<'r>, ranked: &[f64]) -> Outlook<'r> {
    match group.verdict {
        Verdict::Block | Verdict::Hold | Verdict::Watch => carried(group, ranked),
        Verdict::Clean => nearest(group, ranked),
        Verdict::Undecided => Outlook::default(),
    }
}

/// What a rule sees of a group besides its key, and what it would see if signals moved.
#[derive(Clone)]
struct Sight<'a> {
    row: Row,
    profile: Profile,
    ranked: &'a [f64],
}

impl<'a> Sight<'a> {
    /// How a signal that moves from here would stand among its peers, where that can be told.
    fn turning(&self, signal: &'static Signal) -> Option<Turning<'a>> {
        let from = self.row.reading(signal).estimate()?;
        Turning::of(signal, from, self.profile.standing(signal), self.ranked)
    }

    /// After a move of one signal, with how it then stands.
    fn moved(&self, signal: &'static Signal, to: Estimate, standing: Option<Standing>) -> Sight<'a> {
        let mut sight = self.clone();
        sight.row.readings[signals::place(signal)] = Reading::Present(to);
        standing.into_iter().for_each(|standing| sight.profile.signals.put(signal, standing));
        sight
    }

    /// After all of these moves.
    fn after(&self, moves: &[Move]) -> Sight<'a> {
        moves.iter().fold(self.clone(), |sight, step| {
            let standing = sight.turning(step.signal).map(|turning| turning.at(&step.to));
            sight.moved(step.signal, step.to, standing)
        })
    }

    /// What a rule says.
    fn ask<'r>(&self, rule: &'r Rule, key: &[(Col, Option<String>)]) -> Outcome<'r> {
        evaluate(rule, &View::new(&self.row, key, &self.profile))
    }
}

/// How each of the rules that carry the verdict would be silent.
fn carried<'r>(group: &Judged<'r>, ranked: &[f64]) -> Outlook<'r> {
    let subject = &group.subject;
    let sight = sight(subject, ranked);
    let top = group.findings.first().map(|f| f.action);
    let carrying = group.findings.iter().filter(|f| Some(f.action) == top);
    let ways: Vec<(&'r Rule, Way)> =
        carrying.map(|f| (f.rule, silencing(f.rule, &f.evidence, subject, &sight))).collect();
    let rules: Vec<&Rule> = ways.iter().map(|(rule, _)| *rule).collect();
    let change = |(rule, way): (&'r Rule, Way)| {
        let verdict = match way.first() {
            [] => silenced(subject, &[rule]),
            _ if rule.cut.is_some() => silenced(subject, &[rule]),
            moves => judged(moved(subject, sight.after(moves))),
        };
        Change { rule, moves: way.moves, together: way.together, verdict }
    };
    Outlook { without_all: Some(silenced(subject, &rules)), changes: ways.into_iter().map(change).collect() }
}

fn sight<'a>(subject: &Subject, ranked: &'a [f64]) -> Sight<'a> {
    Sight { row: subject.row.clone(), profile: subject.profile.clone(), ranked }
}

/// The rules that the least change of one value would make fire.
fn nearest<'r>(group: &Judged<'r>, ranked: &[f64]) -> Outlook<'r> {
    let (subject, key) = (&group.subject, group.subject.texts());
    let sight = sight(subject, ranked);
    // What a rule sees of a cut is only kept where it fires.
    let whole = subject.answers.asked.iter().filter(|rule| rule.cut.is_none());
    let accusing = whole.filter(|rule| rule.action != Action::Note);
    let silent = accusing.filter(|rule| sight.ask(rule, &key).truth == Truth::Silent);
    let way = |rule: &&'r Rule| {
        let fires = |sight: &Sight| sight.ask(rule, &key).truth == Truth::Fires;
        let tests = rule.when.tests();
        let moves = tests.iter().filter(|t| accuses(t.signal)).filter_map(|test| step(test, &sight, &fires));
        let best = moves.min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
        Some((distance(&best), *rule, best))
    };
    let mut found: Vec<(f64, &'r Rule, Move)> = silent.filter_map(way).collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.id.cmp(&b.1.id)));
    found.truncate(NEAREST);
    let change = |(_, rule, best): (f64, &'r Rule, Move)| {
        let verdict = judged(moved(subject, sight.after(std::slice::from_ref(&best))));
        Change { rule, moves: vec![best], together: false, verdict }
    };
    Outlook { changes: found.into_iter().map(change).collect(), without_all: None }
}

/// How a rule would change its answer.
struct Way {
    moves: Vec<Move>,
    /// None of the moves is enough alone.
    together: bool,
}

impl Way {
    /// The moves of the first way.
    fn first(&self) -> &[Move] {
        if self.together { &self.moves } else { &self.moves[..self.moves.len().min(1)] }
    }
}

/// The least moves that make a rule silent: of one signal, or else of all that it rests on.
fn silencing(rule: &Rule, evidence: &[Evidence], subject: &Subject, sight: &Sight) -> Way {
    let key = subject.texts();
    let part = subject.answers.fired().find(|outcome| outcome.rule.id == rule.id);
    let seen = match part.and_then(|outcome| outcome.part.as_ref()) {
        Some(part) => Sight { row: part.row.clone(), ..sight.clone() },
        None => sight.clone(),
    };
    let silent = |sight: &Sight| sight.ask(rule, &key).truth == Truth::Silent;
    let only = |test: &Test| Rule { when: Node::Test(test.clone()), ..rule.clone() };
    let tests = telling(evidence, &seen);
    let told = |step: Move| {
        // Of several limits of one signal the one that the move falls below is told.
        let after = seen.after(std::slice::from_ref(&step));
        let of_signal = limits(evidence, step.signal);
        let gives_way = |test: &&Test| after.ask(&only(test), &key).truth == Truth::Silent;
        Move { limit: of_signal.iter().find(gives_way).map_or(step.limit, |test| test.limit), ..step }
    };
    let alone: Vec<Move> = tests.iter().filter_map(|test| step(test, &seen, &silent)).map(told).collect();
    if !alone.is_empty() {
        return Way { moves: alone, together: false };
    }
    let each = |test: &Test| {
        let only = only(test);
        step(test, &seen, &|sight| sight.ask(&only, &key).truth == Truth::Silent)
    };
    let moves: Vec<Move> = tests.iter().filter_map(each).collect();
    let enough = silent(&seen.after(&moves));
    Way { moves: if enough { moves } else { Vec::new() }, together: true }
}

/// The tests of one signal that held.
fn limits(evidence: &[Evidence], signal: &Signal) -> Vec<Test> {
    let of_signal = evidence.iter().filter(|e| e.signal == signal);
    of_signal.map(|e| Test::new(e.signal, e.limit, e.confidence, 0)).collect()
}

/// The tests that held, each signal once; context only where there is nothing else. What was held against peers
/// changes with the value only where the comparison can be turned round.
fn telling(evidence: &[Evidence], sight: &Sight) -> Vec<Test> {
    let mut tests: Vec<Test> = Vec::new();
    let moves = |e: &&Evidence| !matches!(e.limit, Limit::Peers(_)) || sight.turning(e.signal).is_some();
    for e in evidence.iter().filter(moves) {
        if !tests.iter().any(|t| t.signal == e.signal) {
            tests.push(Test::new(e.signal, e.limit, e.confidence, 0));
        }
    }
    let accusing: Vec<Test> = tests.iter().filter(|t| accuses(t.signal)).cloned().collect();
    if accusing.is_empty() { tests } else { accusing }
}

fn accuses(signal: &Signal) -> bool {
    signal.suspicious != Suspicious::Neither
}

/// The group as it would be seen, with the answers of its rules.
fn moved<'r>(subject: &Subject<'r>, sight: Sight) -> Subject<'r> {
    let key = subject.texts();
    let answers = subject.answers.again(|rule| sight.ask(rule, &key));
    Subject { row: sight.row, profile: sight.profile, answers, ..subject.clone() }
}

fn judged(subject: Subject) -> Verdict {
    judge(subject, &Protect::nobody()).verdict
}

/// The verdict if these rules were silent.
fn silenced(subject: &Subject, rules: &[&Rule]) -> Verdict {
    judged(Subject { answers: subject.answers.clone().without(rules), ..subject.clone() })
}

/// The least move of a test's signal that makes `holds` true, in either direction.
fn step(test: &Test, sight: &Sight, holds: &dyn Fn(&Sight) -> bool) -> Option<Move> {
    let from = *sight.row.reading(test.signal).estimate()?;
    let turning = sight.turning(test.signal);
    let to = |to: Estimate| Move { signal: test.signal, from, to, limit: test.limit };
    let after = |estimate: Estimate| {
        let standing = turning.as_ref().map(|turning| turning.at(&estimate));
        holds(&sight.moved(test.signal, estimate, standing))
    };
    let ends = ends(test, &from);
    let found = ends.into_iter().filter_map(|end| least(test.signal, &from, end, &after));
    found.map(to).min_by(|a, b| distance(a).total_cmp(&distance(b)))
}

/// How far a move is, so that moves of different signals can be ranked: in standard errors where there is one,
/// else relative to the larger value.
fn distance(step: &Move) -> f64 {
    let gap = (step.to.value() - step.from.value()).abs();
    let (low, high) = step.to.printed();
    let width = match step.to.interval {
        Interval::Exact(_) => step.to.value().abs().max(step.from.value().abs()),
        _ => (high - low) / 4.0,
    };
    gap / width.max(f64::MIN_POSITIVE)
}

/// The scale on which an estimate moves: successes, the value, or the scale of its link.
fn position(estimate: &Estimate) -> f64 {
    match estimate.interval {
        Interval::Share { x } => x as f64,
        Interval::Normal { y, .. } => y,
        _ => estimate.value(),
    }
}

/// The estimate at another position.
fn at(estimate: &Estimate, position: f64) -> Estimate {
    let interval = match estimate.interval {
        Interval::Exact(_) => Interval::Exact(position),
        Interval::Share { .. } => Interval::Share { x: position as u64 },
        Interval::Limits { value, low, high } => {
            let by = position - value;
            Interval::Limits { value: position, low: low + by, high: high + by }
        }
        Interval::Normal { link, v, df, .. } => Interval::Normal { link, y: position, v, df },
    };
    Estimate { interval, ..*estimate }
}

/// The positions up to which a search goes: the ends of what is possible, else well beyond the limit.
fn ends(test: &Test, estimate: &Estimate) -> [f64; 2] {
    const FAR: f64 = 20.0;
    let (low, high) = estimate.printed();
    let reach = test.limit.values().iter().map(|v| v.abs()).fold(estimate.value().abs(), f64::max);
    let reach = 4.0 * (reach + (high - low)) + 1.0;
    let (least, most) = test.signal.range;
    match estimate.interval {
        Interval::Share { .. } => [0.0, estimate.n as f64],
        Interval::Normal { link: Link::Log | Link::Atanh, y, .. } => [y - FAR, y + FAR],
        _ => [(-reach).max(least), reach.min(most)],
    }
}

/// The position nearest to the estimate's at which `after` holds, on the way to `end`; that it holds from there
/// on is what the search takes for granted. `None` if it does not hold at the end.
fn least(signal: &Signal, from: &Estimate, end: f64, after: &dyn Fn(Estimate) -> bool) -> Option<Estimate> {
    const STEPS: usize = 64;
    let whole = signal.unit == Unit::Count || matches!(from.interval, Interval::Share { .. });
    let start = position(from);
    let place = |part: f64| {
        let place = start + (end - start) * part;
        match whole {
            true if end < start => at(from, place.floor()),
            true => at(from, place.ceil()),
            false => at(from, place),
        }
    };
    if !after(place(1.0)) {
        return None;
    }
    let (mut no, mut yes) = (0.0, 1.0);
    for _ in 0..STEPS {
        let middle = f64::midpoint(no, yes);
        if after(place(middle)) { yes = middle } else { no = middle }
    }
    Some(place(yes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rule with one test on a signal, and a row on which that signal is `from`.
    #[track_caller]
    fn check(name: &str, limit: Limit, from: Estimate, wanted: Truth, expected: Option<f64>) {
        let signal = signals::find(name).expect(name);
        let test = Test::new(signal, limit, 0.95, 0);
        let rule = Rule { when: Node::Test(test.clone()), ..Rule::sample("a") };
        let absent = |_: &&Signal| Reading::Absent(signals::Absence::NoClicks);
        let readings = signals::all().iter().map(absent).collect();
        let sight = Sight { row: Row { readings }, profile: Profile::default(), ranked: &[] };
        let sight = sight.moved(signal, from, None);
        let found = step(&test, &sight, &|sight| sight.ask(&rule, &[]).truth == wanted);
        assert_eq!(found.map(|m| position(&m.to)), expected);
    }

    #[test]
    fn the_least_move_is_the_rules_own_answer() {
        let (above, below) = (Limit::Above(0.3), Limit::Below(0.5));
        // 87 of 240 has a lower limit of 30.4 %, 86 of 240 one of 30.03 %, 85 of 240 one of 29.6 %.
        check("ctit_short_share", above, Estimate::share(149, 240), Truth::Silent, Some(85.0));
        check("ctit_short_share", above, Estimate::share(10, 240), Truth::Fires, Some(86.0));
        check("approval_share", below, Estimate::share(10, 100), Truth::Silent, Some(41.0));
        let count = |n: f64| Estimate::exact(n, 100);
        check("replayed_count", Limit::Above(2.0), count(12.0), Truth::Silent, Some(2.0));
        check("replayed_count", Limit::Above(2.0), count(0.0), Truth::Fires, Some(3.0));
    }

    #[test]
    fn a_value_between_limits_leaves_by_the_nearer_end() {
        let limits = Estimate::limits(10.0, 9.0, 11.0, 50);
        let signal = signals::find("ctit_p50_s").expect("declared");
        let test = Test::new(signal, Limit::Between(5.0, 13.0), 0.95, 0);
        let rule = Rule { when: Node::Test(test.clone()), ..Rule::sample("a") };
        let row = Row { readings: signals::all().iter().map(|_| Reading::Present(limits)).collect() };
        let sight = Sight { row, profile: Profile::default(), ranked: &[] };
        let silent = |sight: &Sight| sight.ask(&rule, &[]).truth == Truth::Silent;
        let found = step(&test, &sight, &silent).expect("a way out");
        assert!((found.to.value() - 12.0).abs() < 1e-6, "{:?}", found.to);
    }

    #[test]
    fn what_no_value_can_do_is_not_offered() {
        check("ctit_short_share", Limit::Above(0.9), Estimate::share(3, 5), Truth::Fires, None);
        check("ctit_short_share", Limit::Present(true), Estimate::share(3, 5), Truth::Silent, None);
    }
}
