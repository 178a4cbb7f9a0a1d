//! Conditions: units, ranges, and whether they can hold at all.

use super::check::Checker;
use super::contradictions::{contradiction, opposites};
use super::format::{RawNode, RawPast, RawPattern, RawPeers, RawRisk, RawTest, RawTexts};
use super::model::{Bar, ColumnTest, Few, Limit, Node, PastLimit, PeerLimit, Test, directions};
use crate::base::column::{Col, Grain};
use crate::base::diag;
use crate::base::unit::Unit;
use crate::base::yaml::Spanned;
use crate::peers::{Direction, PATTERNS, Pattern};
use crate::signals::{CONFIDENCE, IntervalKind, Side, Signal, Suspicious};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// The confidences that can be asked for.
const CONFIDENCES: (f64, f64) = (0.5, 0.9999);
/// The largest q or p-value that can be asked for; a coin is as good.
const MAX_LEVEL: f64 = 0.5;
/// How far back a group's own past reaches unless said, and at least, in seconds.
const PAST_S: f64 = 28.0 * DAY_S;
const DAY_S: f64 = 86_400.0;
/// No risk lies above this.
pub(super) const MAX_RISK: f64 = 100.0;

/// Checks a condition.
pub(super) fn node(checker: &mut Checker, raw: &RawNode) -> Option<Node> {
    match raw {
        RawNode::All(nodes) => {
            let (mut children, whole) = list(checker, "all", nodes);
            tie(&mut children);
            if let Some(why) = contradiction(&children) {
                checker.fault(&diag::CONSTANT, &nodes.span, format!("this can never hold: {why}"));
            }
            whole.then_some(Node::All(children))
        }
        RawNode::Any(nodes) => {
            let (children, whole) = list(checker, "any", nodes);
            if let Some(why) = opposites(&children) {
                checker.fault(&diag::CONSTANT, &nodes.span, format!("this always holds: {why}"));
            }
            whole.then_some(Node::Any(children))
        }
        RawNode::Not(inner) => Some(Node::Not(Box::new(node(checker, inner)?))),
        RawNode::Test(raw) if raw.column.is_some() => {
            checker.place(&raw.span);
            column_test(checker, raw).map(Node::Column)
        }
        RawNode::Test(raw) => test(checker, raw),
        RawNode::Risk(raw) => {
            checker.place(&raw.span);
            risk(checker, raw)
        }
        RawNode::Significant(wanted) => {
            checker.place(&(0..0));
            Some(Node::Significant(*wanted))
        }
        RawNode::Pattern(raw) => {
            checker.place(&raw.span);
            pattern_node(checker, raw)
        }
    }
}

/// Ties comparisons that fire for want of peers to the fixed limit of the same signal beside them: where most
/// sources of an offer are beyond it, it says nothing of one of them.
fn tie(children: &mut [Node]) {
    let fixed: Vec<(&str, Direction, f64)> = children.iter().filter_map(fixed).collect();
    for child in children {
        let Node::Test(Test { signal, limit: Limit::Peers(limit), .. }) = child else { continue };
        let found = fixed.iter().find(|(name, side, _)| *name == signal.name && *side == limit.direction);
        limit.fixed = found.map(|(.., value)| *value).filter(|_| limit.few == Few::Fires);
    }
}

/// The limit of a test that looks one way.
fn fixed(node: &Node) -> Option<(&'static str, Direction, f64)> {
    let Node::Test(test) = node else { return None };
    match test.limit {
        Limit::Above(value) => Some((test.signal.name, Direction::High, value)),
        Limit::Below(value) => Some((test.signal.name, Direction::Low, value)),
        _ => None,
    }
}

/// Whether a condition fires (or is silent) wherever there are too few peers, whatever else holds.
pub(super) fn settled_by_lack(node: &Node, fires: bool) -> bool {
    match node {
        Node::All(nodes) if fires => nodes.iter().all(|n| settled_by_lack(n, fires)),
        Node::All(nodes) => nodes.iter().any(|n| settled_by_lack(n, fires)),
        Node::Any(nodes) if fires => nodes.iter().any(|n| settled_by_lack(n, fires)),
        Node::Any(nodes) => nodes.iter().all(|n| settled_by_lack(n, fires)),
        Node::Not(inner) => settled_by_lack(inner, !fires),
        Node::Test(Test { limit: Limit::Peers(PeerLimit { few, .. }), .. }) | Node::Risk { few, .. } => {
            *few == if fires { Few::Fires } else { Few::Silent }
        }
        Node::Test(_) | Node::Column(_) | Node::Significant(_) | Node::Pattern { .. } => false,
    }
}

/// The pattern of this word.
pub(super) fn pattern(checker: &mut Checker, word: &str, span: &Range<usize>) -> Option<Pattern> {
    let found = PATTERNS.iter().find(|(_, name, _)| *name == word);
    if found.is_none() {
        let help = diag::did_you_mean(word, PATTERNS.iter().map(|(_, name, _)| *name));
        checker.fault_help(&diag::UNKNOWN_WORD, span, format!("there is no pattern `{word}`"), help);
    }
    found.map(|(pattern, ..)| *pattern)
}

/// A q or p-value that makes sense.
pub(super) fn level(checker: &mut Checker, raw: &Spanned<String>) -> Option<f64> {
    let value = checker.amount(Unit::Ratio, raw, &raw.span)?;
    let inside = value > 0.0 && value <= MAX_LEVEL;
    if !inside {
        let message = format!("a q or p-value lies above 0 and is at most {MAX_LEVEL}, not {}", raw.value);
        checker.fault(&diag::PEER_LEVEL, &raw.span, message);
    }
    inside.then_some(value)
}

/// Whether every way to fire needs a conversion-side signal that can accuse and has a value.
pub(super) fn needs_conversions(node: &Node) -> bool {
    match node {
        Node::All(nodes) => nodes.iter().any(needs_conversions),
        Node::Any(nodes) => nodes.iter().all(needs_conversions),
        Node::Not(_) | Node::Column(_) => false,
        Node::Risk { .. } | Node::Significant(_) | Node::Pattern { .. } => false,
        Node::Test(Test { limit: Limit::Present(false), .. }) => false,
        Node::Test(Test { limit: Limit::Peers(PeerLimit { few: Few::Fires, .. }), .. }) => false,
        Node::Test(Test { signal, .. }) => {
            signal.side == Side::Conversion && signal.suspicious != Suspicious::Neither
        }
    }
}

/// The values a signal can take, for messages.
pub(super) fn range(signal: &Signal) -> String {
    let text = |v: f64| Limit::Above(v).text(signal.unit);
    // The largest number that can be written is no limit.
    let ends = |high: f64| high < f64::MAX;
    match signal.range {
        (low, high) if low.is_finite() && ends(high) => {
            format!("`{}` lies between {} and {}", signal.name, text(low), text(high))
        }
        (low, _) if low.is_finite() => format!("`{}` is at least {}", signal.name, text(low)),
        (_, high) if ends(high) => format!("`{}` is at most {}", signal.name, text(high)),
        _ => format!("`{}` can take any value", signal.name),
    }
}

/// The children that could be read, and whether that is all of them: what is wrong with one hides no fault of the
/// others.
fn list(checker: &mut Checker, key: &str, nodes: &Spanned<Vec<RawNode>>) -> (Vec<Node>, bool) {
    if nodes.is_empty() {
        checker.fault(&diag::CONSTANT, &nodes.span, format!("`{key}` lists no condition"));
    }
    let children: Vec<Node> = nodes.iter().filter_map(|n| node(checker, n)).collect();
    let whole = !nodes.is_empty() && children.len() == nodes.len();
    (children, whole)
}

/// A test of a signal; of several facts one of which it may be, any.
fn test(checker: &mut Checker, raw: &Spanned<Box<RawTest>>) -> Option<Node> {
    let single = one_limit(checker, raw);
    let min_sample = raw.min_sample.as_ref().map(|n| checker.count(n));
    let Some(name) = &raw.signal else {
        let message = "this test names no signal";
        checker.fault(&diag::MISSING_KEY, &raw.span, message);
        return None;
    };
    let signal = checker.signal(name)?;
    let confidence = confidence(checker, signal, raw.confidence.as_ref());
    let limits = limits(checker, signal, raw).filter(|_| single)?;
    let (confidence, min_sample) = (confidence?, min_sample.unwrap_or(Some(default_sample(signal, raw)))?);
    let test = |limit: Limit| {
        checker.place(&raw.span);
        Node::Test(Test::new(signal, limit, confidence, min_sample))
    };
    let mut tests: Vec<Node> = limits.into_iter().map(test).collect();
    if tests.len() == 1 { tests.pop() } else { Some(Node::Any(tests)) }
}

/// A test of a column that makes the group.
fn column_test(checker: &mut Checker, raw: &Spanned<Box<RawTest>>) -> Option<ColumnTest> {
    let name = raw.column.as_ref()?;
    let column = column(checker, name);
    let others = [raw.above.is_some(), raw.below.is_some(), raw.between.is_some(), raw.present.is_some()];
    let beyond = [raw.above_peers.is_some(), raw.below_peers.is_some()];
    let past = [raw.above_own_past.is_some(), raw.below_own_past.is_some()];
    let beside = [raw.signal.is_some(), raw.confidence.is_some(), raw.min_sample.is_some()];
    let other = others.iter().chain(&beyond).chain(&past).chain(&beside).any(|g| *g);
    let texts = match (&raw.equals, &raw.one_of) {
        (Some(text), None) if !other => Some(Arc::new(BTreeSet::from([text.value.clone()]))),
        (None, Some(one_of)) if !other => texts(checker, one_of),
        _ => {
            let help = "write `{column: source, equals: pub1}` or `{column: source, in: [pub1, pub2]}`";
            let message = "a test of a column has `equals` or `in` and nothing else";
            checker.fault_help(&diag::ONE_LIMIT, &raw.span, message, Some(help.to_owned()));
            None
        }
    };
    Some(ColumnTest { column: column?, texts: texts? })
}

/// A column that can make a group.
pub(super) fn column(checker: &mut Checker, name: &Spanned<String>) -> Option<Col> {
    let found = Grain::choices().find(|c| *c == name.as_str()).and_then(Col::of);
    if found.is_none() {
        let help = diag::did_you_mean(name, Grain::choices());
        let message = format!("`{}` is no column that can make a group", name.value);
        checker.fault_help(&diag::WRONG_COLUMN, &name.span, message, help);
    }
    found
}

/// The texts that are written out or on the list.
pub(super) fn texts(checker: &mut Checker, raw: &Spanned<RawTexts>) -> Option<Arc<BTreeSet<String>>> {
    match &raw.value {
        RawTexts::One(text) => Some(Arc::new(BTreeSet::from([text.clone()]))),
        RawTexts::Many(texts) if texts.is_empty() => {
            checker.fault(&diag::BAD_LIST, &raw.span, "the list is empty");
            None
        }
        RawTexts::Many(texts) => Some(Arc::new(texts.iter().map(|t| t.value.clone()).collect())),
        RawTexts::List(name) => checker.list(&name.list),
    }
}

/// Whether a signal is there does not depend on its sample, and a comparison knows its own.
fn default_sample(signal: &Signal, raw: &RawTest) -> u64 {
    if sampled(raw) { signal.min_sample } else { 0 }
}

/// Whether the limit is held against the interval of a sample.
fn sampled(raw: &RawTest) -> bool {
    raw.present.is_none() && raw.above_peers.is_none() && raw.below_peers.is_none()
}

/// A test has exactly one limit; `present` and the peers have nothing beside it.
fn one_limit(checker: &mut Checker, raw: &Spanned<Box<RawTest>>) -> bool {
    let absolute = [raw.above.is_some(), raw.below.is_some(), raw.between.is_some(), raw.present.is_some()];
    let facts = [raw.equals.is_some(), raw.one_of.is_some()];
    let peers = [raw.above_peers.is_some(), raw.below_peers.is_some()];
    let past = [raw.above_own_past.is_some(), raw.below_own_past.is_some()];
    let given = absolute.iter().chain(&facts).chain(&peers).chain(&past).filter(|g| **g).count();
    let message = match given {
        1 if sampled(raw) => return true,
        1 if raw.confidence.is_none() && raw.min_sample.is_none() => return true,
        1 => "`present`, `above_peers` and `below_peers` take neither `confidence` nor `min_sample`",
        0 => "this test has no limit",
        _ => "this test has more than one limit",
    };
    let help = "write exactly one of `above`, `below`, `between`, `equals`, `in`, `present`, `above_peers`, \
                `below_peers`, `above_own_past` and `below_own_past`; two limits are two tests";
    checker.fault_help(&diag::ONE_LIMIT, &raw.span, message, Some(help.to_owned()));
    false
}

fn confidence(checker: &mut Checker, signal: &Signal, raw: Option<&Spanned<String>>) -> Option<f64> {
    let Some(raw) = raw else { return Some(CONFIDENCE) };
    let text = checker.resolved(raw, &raw.span)?;
    let (low, high) = CONFIDENCES;
    let possible = |value: &f64| (low..=high).contains(value);
    let read = Unit::Share.parse(&text);
    let Some(value) = read.as_ref().ok().copied().filter(possible) else {
        let message = format!("a confidence lies between {low} and {high}, not at {}", raw.value);
        // What is above one was perhaps meant in per cent; 1.5 % is no confidence either.
        let guess = read
            .err()
            .and_then(|fault| fault.guess)
            .filter(|guess| Unit::Share.parse(guess).is_ok_and(|value| possible(&value)));
        let help =
            guess.map_or_else(|| "write `0.95`, or `95%`".to_owned(), |g| format!("did you mean {g}?"));
        checker.fault_help(&diag::CONFIDENCE, &raw.span, message, Some(help));
        return None;
    };
    if signal.kind == IntervalKind::Limits95 && value != CONFIDENCE {
        let message = format!("the limits of `{}` are known at {CONFIDENCE} only", signal.name);
        checker.fault_help(&diag::CONFIDENCE, &raw.span, message, Some("leave `confidence` out".to_owned()));
        return None;
    }
    Some(value)
}

/// The limit, or several facts one of which the signal may be.
fn limits(checker: &mut Checker, signal: &Signal, raw: &RawTest) -> Option<Vec<Limit>> {
    let facts: Vec<Spanned<String>> = match (&raw.equals, &raw.one_of) {
        (Some(fact), _) => vec![fact.clone()],
        (None, Some(one_of)) => match &one_of.value {
            RawTexts::One(text) => vec![Spanned { value: text.clone(), span: one_of.span.clone() }],
            RawTexts::Many(texts) => texts.clone(),
            RawTexts::List(name) => {
                let texts = checker.list(&name.list)?;
                texts.iter().map(|t| Spanned { value: t.clone(), span: one_of.span.clone() }).collect()
            }
        },
        (None, None) => return limit(checker, signal, raw).map(|limit| vec![limit]),
    };
    if signal.kind != IntervalKind::Exact {
        let span = facts.first().map_or(0..0, |f| f.span.clone());
        let message = format!("`{}` is known within an interval, which equals no number", signal.name);
        let help = "use `above`, `below` or `between`".to_owned();
        checker.fault_help(&diag::NOT_A_FACT, &span, message, Some(help));
        return None;
    }
    let limits: Vec<Option<Limit>> =
        facts.iter().map(|f| threshold(checker, signal, f).map(Limit::Equals)).collect();
    limits.into_iter().collect()
}

fn limit(checker: &mut Checker, signal: &Signal, raw: &RawTest) -> Option<Limit> {
    if let Some(above) = &raw.above {
        let value = threshold(checker, signal, above)?;
        let never = (value >= signal.range.1).then_some("is never above");
        return possible(checker, signal, above, never, Limit::Above(value));
    }
    if let Some(below) = &raw.below {
        let value = threshold(checker, signal, below)?;
        let never = (value <= signal.range.0).then_some("is never below");
        return possible(checker, signal, below, never, Limit::Below(value));
    }
    if let Some((from, to)) = &raw.between {
        let (low, high) = (threshold(checker, signal, from), threshold(checker, signal, to));
        let (low, high) = (low?, high?);
        let constant = match () {
            () if low > high => Some("is never between these: the first is the larger one, at"),
            () if (low, high) == signal.range => Some("is always between these, from"),
            () => None,
        };
        return possible(checker, signal, from, constant, Limit::Between(low, high));
    }
    let beyond = [(&raw.above_peers, Direction::High), (&raw.below_peers, Direction::Low)];
    if let Some((peers, direction)) = beyond.into_iter().find_map(|(p, d)| Some((p.as_ref()?, d))) {
        return peer_limit(checker, signal, peers, direction).map(Limit::Peers);
    }
    let past = [(&raw.above_own_past, Direction::High), (&raw.below_own_past, Direction::Low)];
    if let Some((past, direction)) = past.into_iter().find_map(|(p, d)| Some((p.as_ref()?, d))) {
        return past_limit(checker, past, direction).map(Limit::Past);
    }
    raw.present.as_ref().map(|p| Limit::Present(p.value))
}

fn past_limit(checker: &mut Checker, raw: &Spanned<RawPast>, direction: Direction) -> Option<PastLimit> {
    let ratio = checker.amount(Unit::Ratio, &raw.ratio, &raw.ratio.span);
    let over = raw.over.as_ref().map_or(Some(PAST_S), |over| checker.amount(Unit::Seconds, over, &over.span));
    let (ratio, over_s) = (ratio?, over?);
    let message = match direction {
        Direction::High if ratio <= 1.0 => format!("{} times the past is not above it", raw.ratio.value),
        Direction::Low if ratio <= 0.0 || ratio >= 1.0 => {
            format!("{} times the past is not below it", raw.ratio.value)
        }
        _ if over_s < DAY_S => "the past reaches back at least a day".to_owned(),
        _ => return Some(PastLimit { direction, ratio, over_s }),
    };
    let help = "write `above_own_past: {ratio: 2}` or `below_own_past: {ratio: 0.5, over: 28d}`".to_owned();
    checker.fault_help(&diag::BAD_PAST, &raw.span, message, Some(help));
    None
}

fn peer_limit(
    checker: &mut Checker,
    signal: &Signal,
    raw: &Spanned<RawPeers>,
    direction: Direction,
) -> Option<PeerLimit> {
    let compared = is_compared(checker, signal, direction, &raw.span);
    let bar = match (&raw.q, &raw.p) {
        (Some(q), None) => level(checker, q).map(Bar::Q),
        (None, Some(p)) => level(checker, p).map(Bar::P),
        (given, _) => {
            let count = if given.is_some() { "both `q` and `p`" } else { "neither `q` nor `p`" };
            let help = "`q: 0.1` has paid for all that was looked at, `p: 0.001` is of this signal alone";
            let message = format!("the comparison has {count}");
            checker.fault_help(&diag::PEER_LEVEL, &raw.span, message, Some(help.to_owned()));
            None
        }
    };
    let few = raw.few.unwrap_or(Few::Unknown);
    Some(PeerLimit { direction, bar: bar.filter(|_| compared)?, few, fixed: None })
}

/// Whether peers are asked about this side of a signal.
fn is_compared(checker: &mut Checker, signal: &Signal, direction: Direction, span: &Range<usize>) -> bool {
    let possible = directions(signal);
    if possible.contains(&direction) {
        return true;
    }
    let (message, help) = match possible.first() {
        None => (
            format!("`{}` is not compared with peers", signal.name),
            "`clickaudit signals` says which signals are; use a limit of its own here",
        ),
        Some(Direction::High) => (format!("a low `{}` is not suspicious", signal.name), "use `above_peers`"),
        Some(Direction::Low) => (format!("a high `{}` is not suspicious", signal.name), "use `below_peers`"),
    };
    checker.fault_help(&diag::NOT_COMPARED, span, message, Some(help.to_owned()));
    false
}

fn risk(checker: &mut Checker, raw: &RawRisk) -> Option<Node> {
    let above = checker.count(&raw.above)? as f64;
    let inside = above < MAX_RISK;
    if !inside {
        let message = format!("a risk is never above {}", raw.above.value);
        let help = "risk lies between 0 and 100".to_owned();
        checker.fault_help(&diag::OUT_OF_RANGE, &raw.above.span, message, Some(help));
    }
    inside.then_some(Node::Risk { above, few: raw.few.unwrap_or(Few::Unknown) })
}

fn pattern_node(checker: &mut Checker, raw: &Spanned<RawPattern>) -> Option<Node> {
    let (found, p) = match &raw.value {
        RawPattern::Word(word) => (pattern(checker, word, &raw.span), None),
        RawPattern::Fits(fits) => {
            let found = pattern(checker, &fits.is, &fits.is.span);
            (found, Some(level(checker, &fits.p)?))
        }
    };
    found.map(|pattern| Node::Pattern { pattern, p })
}

/// A limit in the signal's unit and range.
fn threshold(checker: &mut Checker, signal: &Signal, raw: &Spanned<String>) -> Option<f64> {
    let value = checker.amount(signal.unit, raw, &raw.span)?;
    let (low, high) = signal.range;
    let inside = (low..=high).contains(&value);
    if !inside {
        let message = format!("`{}` can never reach {}", signal.name, raw.value);
        checker.fault_help(&diag::OUT_OF_RANGE, &raw.span, message, Some(range(signal)));
    }
    inside.then_some(value)
}

/// The limit, unless it makes the test constant.
fn possible(
    checker: &mut Checker,
    signal: &Signal,
    raw: &Spanned<String>,
    constant: Option<&str>,
    limit: Limit,
) -> Option<Limit> {
    let Some(why) = constant else { return Some(limit) };
    let message = format!("`{}` {why} {}", signal.name, raw.value);
    checker.fault_help(&diag::CONSTANT, &raw.span, message, Some(range(signal)));
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals;

    #[test]
    fn evidence_of_clicks_alone_is_seen() {
        let test = |name: &str| {
            let signal = signals::find(name).expect(name);
            Node::Test(Test::new(signal, Limit::Above(0.1), 0.95, 0))
        };
        let (click, conversion, context) = (test("top_ip_share"), test("cr"), test("conversion_count"));
        let needs = |n: Node| needs_conversions(&n);
        assert!(!needs(click.clone()) && needs(conversion.clone()) && !needs(context));
        assert!(needs(Node::All(vec![click.clone(), conversion.clone()])));
        assert!(!needs(Node::Any(vec![click, conversion.clone()])));
        assert!(!needs(Node::Not(Box::new(conversion))));
    }
}
