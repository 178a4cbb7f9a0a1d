//! A condition in words, for pages about a rule: what is looked at, not what came out.

use super::model::{Bar, Few, Limit, Node, PeerLimit, Rule, Test};
use crate::base::unit::Unit;
use crate::signals::{IntervalKind, Signal};

/// Texts of a list that are spelled out.
const TEXTS_SHOWN: usize = 6;

/// One line of a condition and how deep it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub depth: usize,
    pub text: String,
}

/// The condition of a rule, a line for each part.
pub fn condition(rule: &Rule) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    lines.extend(rule.cut.iter().map(|cut| Line { depth: 0, text: format!("among rows {cut}:") }));
    add(&rule.when, lines.len(), "", &mut lines);
    lines
}

/// The signals that a rule looks at, each once, in the order of the condition.
pub fn signals(rule: &Rule) -> Vec<&'static Signal> {
    let mut found: Vec<&'static Signal> = Vec::new();
    for test in rule.when.tests() {
        if !found.contains(&test.signal) {
            found.push(test.signal);
        }
    }
    found
}

fn add(node: &Node, depth: usize, before: &str, lines: &mut Vec<Line>) {
    let mut say = |text: &str| lines.push(Line { depth, text: format!("{before}{text}") });
    match node {
        Node::All(nodes) => {
            say("all of these:");
            nodes.iter().for_each(|node| add(node, depth + 1, "", lines));
        }
        Node::Any(nodes) => {
            say("at least one of these:");
            nodes.iter().for_each(|node| add(node, depth + 1, "", lines));
        }
        Node::Not(inner) => add(inner, depth, "not ", lines),
        Node::Column(test) => {
            let texts: Vec<&str> = test.texts.iter().map(String::as_str).collect();
            let more = texts.len().saturating_sub(TEXTS_SHOWN);
            let mut shown = texts.into_iter().take(TEXTS_SHOWN).collect::<Vec<_>>().join(", ");
            if more > 0 {
                shown.push_str(&format!(" or {more} more"));
            }
            say(&format!("{} is one of {shown}", test.column.name()));
        }
        Node::Test(test) => say(&sentence(test)),
        Node::Risk { above, few } => say(&format!("the group's risk is above {above}{}", lacking(*few))),
        Node::Significant(true) => say("the group is significant among its peers"),
        Node::Significant(false) => say("the group is not significant among its peers"),
        Node::Pattern { pattern, p } => {
            let certain = p.map_or(String::new(), |p| format!(" with p at most {p}"));
            say(&format!("it looks like {}{certain}", pattern.word().replace('_', " ")));
        }
    }
}

/// `ctit_short_share above 30%, of at least 30 conversions`.
fn sentence(test: &Test) -> String {
    let signal = test.signal;
    match test.limit {
        Limit::Present(true) => format!("{} has a value", signal.name),
        Limit::Present(false) => format!("{} has no value", signal.name),
        Limit::Peers(limit) => beside_peers(signal, limit, test.limit.word()),
        limit => format!("{} {} {}{}", signal.name, limit.word(), limit.text(signal.unit), sample(test)),
    }
}

fn sample(test: &Test) -> String {
    let n = Unit::Count.format(test.min_sample as f64);
    let sample = match test.min_sample {
        0 => String::new(),
        _ => format!(", of at least {n} {}", test.signal.sample),
    };
    let certain = test.signal.kind != IntervalKind::Exact;
    let confidence = Unit::Share.format(test.confidence).replace(".0%", "%");
    if certain { format!("{sample}, with {confidence} confidence") } else { sample }
}

fn beside_peers(signal: &Signal, limit: PeerLimit, word: &str) -> String {
    let side = if word == "above_peers" { "above" } else { "below" };
    let bar = match limit.bar {
        Bar::Q(q) => format!("q at most {q}"),
        Bar::P(p) => format!("p at most {p}"),
    };
    let lacking = match limit.fixed {
        Some(_) => " (or there are too few peers, and its offer's middle source is within the limit)",
        None => lacking(limit.few),
    };
    format!("{} {side} that of its peers, {bar}{lacking}", signal.name)
}

/// What follows where there is nobody to compare with.
fn lacking(few: Few) -> &'static str {
    match few {
        Few::Fires => " (or there are too few peers)",
        Few::Silent => " (and there are enough peers)",
        Few::Unknown => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{RuleFile, RuleSet};

    #[test]
    fn a_condition_is_told_part_by_part() {
        let text = "\
id: too-fast
title: T
status: experimental
class: fraud
action: hold
why: W
when:
  all:
    - test: {signal: ctit_short_share, above: 30%, min_sample: 30}
    - test: {signal: ctit_short_share, above_peers: {q: 0.10, few: fires}}
    - not: {test: {signal: replayed_count, above: 4}}
    - any: [{test: {signal: lander_click_share, present: false}}, {risk: {above: 60}}]
";
        let set = RuleSet::of(&[RuleFile::new("too-fast.yml", text)]).expect("a good rule");
        let lines: Vec<String> =
            condition(&set.rules[0]).iter().map(|l| format!("{}{}", "  ".repeat(l.depth), l.text)).collect();
        let sample = crate::signals::find("ctit_short_share").expect("declared").sample;
        assert_eq!(
            lines,
            [
                "all of these:".to_owned(),
                format!("  ctit_short_share above 30%, of at least 30 {sample}, with 95% confidence"),
                "  ctit_short_share above that of its peers, q at most 0.1 (or there are too few peers, and its \
                 offer's middle source is within the limit)"
                    .to_owned(),
                "  not replayed_count above 4".to_owned(),
                "  at least one of these:".to_owned(),
                "    lander_click_share has no value".to_owned(),
                "    the group's risk is above 60".to_owned(),
            ]
        );
        let names: Vec<&str> = signals(&set.rules[0]).iter().map(|s| s.name).collect();
        assert_eq!(names, ["ctit_short_share", "replayed_count", "lander_click_share"]);
    }
}
