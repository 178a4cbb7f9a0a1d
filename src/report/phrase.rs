//! Findings in words, the same in every output for people: rule, signal, value, sample, interval, limit.
//!
//! Only the program's own words and numbers stand here, and what a suppression says; no text from data.

use crate::base::money::Micro;
use crate::base::text::Text;
use crate::base::time::show_day;
use crate::base::unit::Unit;
use crate::peers::Direction;
use crate::report::{Coverage, RowCount};
use crate::rules::{Class, Evidence, Limit, Why};
use crate::signals::{Estimate, Interval, Signal};
use crate::verdicts::{Because, Finding, Judged, Standing, Verdict};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Tests of one rule that are spelled out; the JSON report has all of them.
const EVIDENCE_SHOWN: usize = 3;
/// Cells for who suppressed a finding, and why.
const NAME: usize = 60;
const REASON: usize = 300;

/// `conversions-too-fast (fraud): ctit_short_share 61.2% of 240 (55.0–67.1%, limit: above 30%)`.
pub fn finding(finding: &Finding) -> String {
    let evidence: Vec<String> = finding.evidence.iter().take(EVIDENCE_SHOWN).map(evidence).collect();
    let mut text = format!("{} ({})", finding.rule.id, finding.rule.class.word());
    if !evidence.is_empty() {
        text.push_str(": ");
        text.push_str(&evidence.join(" and "));
    }
    if let Some(reduced) = finding.reduced.filter(|_| finding.action != finding.rule.action) {
        text.push_str(&format!(
            "; by itself {}, not {}: {reduced}",
            finding.action.word(),
            finding.rule.action.word()
        ));
    }
    text
}

/// `ctit_short_share 61.2% of 240 (55.0–67.1%, limit: above 30%)`; limits of a counted fact are left out.
pub fn evidence(evidence: &Evidence) -> String {
    let (unit, estimate) = (evidence.signal.unit, &evidence.estimate);
    let limit = limit(evidence);
    let value = unit.format(estimate.value());
    let name = evidence.signal.name;
    let limit = if estimate.allocated { format!("{limit}, allocated cost") } else { limit };
    let limit = evidence.cut.as_ref().map_or(limit.clone(), |cut| format!("{limit}, {cut}"));
    if let Interval::Exact(_) = estimate.interval {
        return format!("{name} {value} ({limit})");
    }
    let (low, high) = estimate.at(evidence.confidence);
    let n = count(estimate.n);
    format!("{name} {value} of {n} ({}, {limit})", range(unit, low, high))
}

/// `limit: above 30%`; a test for presence has no threshold.
fn limit(evidence: &Evidence) -> String {
    let text = evidence.limit.text(evidence.signal.unit);
    match evidence.limit {
        Limit::Present(_) => text,
        Limit::Peers(_) => peers(evidence).unwrap_or(text),
        Limit::Past(_) => own_past(evidence).unwrap_or(text),
        Limit::Between(..) => format!("limit: {text}"),
        Limit::Above(_) | Limit::Below(_) | Limit::Equals(_) => {
            format!("limit: {} {text}", evidence.limit.word())
        }
    }
}

/// `4.2 times 20 peers' 1.2%, q 0.0004`; of a test inside the group there is q alone.
fn peers(evidence: &Evidence) -> Option<String> {
    let versus = evidence.versus.as_ref()?;
    if versus.peers == 0 {
        return Some(format!("by itself, {}", q(versus.q)));
    }
    let expected = evidence.signal.unit.format(versus.expected);
    let (ratio, n) = (times(versus.ratio), count(u64::from(versus.peers)));
    Some(format!("{ratio} times {n} peers' {expected}, {}", q(versus.q)))
}

/// How many times what peers have; beyond a thousand the figure says no more.
pub fn times(ratio: f64) -> String {
    match ratio {
        r if r >= 1_000.0 => "over 1,000".to_owned(),
        r if r < 0.001 => "under 0.001".to_owned(),
        r if r < 0.1 => format!("{r:.3}"),
        r => Unit::Ratio.format(r),
    }
}

/// `q 0.023`, and `q 2.1e-98` where the zeros would have to be counted.
pub fn q(q: f64) -> String {
    if q < 0.0001 {
        return format!("q {q:.1e}");
    }
    let decimals = (1.0 - q.log10().floor()) as usize;
    if q < 0.995 { format!("q {q:.decimals$}") } else { "q 1".to_owned() }
}

/// `limit: above 2.00 times its own 3.1%, the median of 9 nights`.
fn own_past(evidence: &Evidence) -> Option<String> {
    let (own, Limit::Past(limit)) = (evidence.own?, evidence.limit) else { return None };
    let side = if limit.direction == Direction::High { "above" } else { "below" };
    let value = evidence.signal.unit.format(own.value);
    let times = Unit::Ratio.format(limit.ratio);
    Some(format!("limit: {side} {times} times its own {value}, the median of {} nights", own.nights))
}

/// What earlier nights make of a group, in a line; none where they change nothing.
pub fn kept(group: &Judged) -> Option<String> {
    let kept = group.kept.as_ref()?;
    let mut parts = Vec::new();
    if let Some(pin) = &kept.pin {
        parts.push(Text::of_user(pin.words()).term(REASON));
    }
    let state = &kept.state;
    if state.standing != Standing::Ok {
        let reason = Text::new(state.reason.as_str()).term(REASON);
        parts.push(format!("{} since {}: {reason}", state.standing.word(), show_day(state.since)));
    }
    if kept.tonight != group.verdict {
        parts.push(format!("tonight by itself {}", kept.tonight.word()));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// `149 of 240 (62.1%)`, `3h12m`: a value as people count it.
pub fn told(signal: &Signal, estimate: &Estimate) -> String {
    let value = signal.unit.format(estimate.value());
    match estimate.interval {
        Interval::Share { x } => format!("{} of {} ({value})", count(x), count(estimate.n)),
        _ => value,
    }
}

/// `55.0–67.1%`: the unit's sign stands once where both ends have it; negative ends are kept apart.
pub fn range(unit: Unit, low: f64, high: f64) -> String {
    let (low, high) = (unit.format(low), unit.format(high));
    let low = if high.ends_with('%') { low.trim_end_matches('%') } else { &low };
    if low.starts_with('-') { format!("{low} to {high}") } else { format!("{low}–{high}") }
}

/// Why a rule could not be decided, without the numbers of the single group, so that reasons can be counted.
pub fn why(why: &Why) -> String {
    match why {
        Why::Absent { signal, absence } => format!("{}: {absence}", signal.name),
        Why::Sample { signal, needed, .. } => format!("{}: a sample below {}", signal.name, count(*needed)),
        Why::Peers { .. } | Why::Uncompared | Why::Column(_) => why.to_string(),
        Why::NoHistory { .. } | Why::ShortHistory { .. } => why.to_string(),
        Why::TooYoung(_) | Why::Untold(_) => why.to_string(),
    }
}

/// `observed`, or `suppressed until 2026-06-30 by ana: one-tap offer`.
pub fn because(because: &Because) -> String {
    let Because::Suppressed(by) = because else { return because.word().to_owned() };
    let end = by.expires.map_or("for good".to_owned(), |last| format!("until {}", show_day(last)));
    format!("suppressed {end} by {}: {}", by.by.term(NAME), by.reason.term(REASON))
}

/// `12,345`.
pub fn count(n: u64) -> String {
    Unit::Count.format(n as f64)
}

/// `1,204.50`, or a dash where it cannot be said.
pub fn money(amount: Option<Micro>) -> String {
    amount.map_or("–".to_owned(), |m| Unit::Money.format(m.units()))
}

/// What the known amounts come to; nothing where none is known.
pub fn sum(amounts: impl Iterator<Item = Option<Micro>>) -> Option<Micro> {
    amounts.flatten().reduce(|a, b| Micro(a.0.saturating_add(b.0)))
}

/// What became of the rows of each side, after cleaning:
/// `conversions: 3,396 rows read = 2,389 used + 0 rejected + 1,007 duplicate (status_update 987, retry 20)`.
pub fn accounts(coverage: &Coverage) -> Vec<String> {
    let line = |(side, rows): (&str, &Option<RowCount>)| {
        let rows = rows.as_ref()?;
        let mut reasons: Vec<(&String, &u64)> = rows.rejected.iter().chain(&rows.duplicate).collect();
        reasons.sort_by_key(|(_, n)| Reverse(**n));
        let said: Vec<String> = reasons
            .into_iter()
            .map(|(why, n)| format!("{} {}", Text::of_user(why.as_str()).term(NAME), count(*n)))
            .collect();
        let why = if said.is_empty() { String::new() } else { format!(" ({})", said.join(", ")) };
        Some(format!("{side}: {}{why}", rows_of(rows)))
    };
    [("clicks", &coverage.clicks), ("conversions", &coverage.conversions)]
        .into_iter()
        .filter_map(line)
        .collect()
}

/// `41,215 rows read = 41,203 used + 8 rejected + 4 duplicate`.
pub fn rows_of(rows: &RowCount) -> String {
    let sum = |reasons: &BTreeMap<String, u64>| count(reasons.values().sum());
    let (rejected, duplicate) = (sum(&rows.rejected), sum(&rows.duplicate));
    format!(
        "{} rows read = {} used + {rejected} rejected + {duplicate} duplicate",
        count(rows.read),
        count(rows.used)
    )
}

/// `1 click`, `12 clicks`.
pub fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// What a verdict means for who has to act on it.
pub fn meaning(group: &Judged) -> &'static str {
    match (group.verdict, group.class) {
        (Verdict::Block, Some(Class::Profit)) => {
            "Stop buying it: it loses money. That accuses nobody of anything."
        }
        (Verdict::Block, _) => "Stop the traffic and do not pay for it.",
        (Verdict::Hold, _) => "Do not pay yet: a person has to look at the evidence below.",
        (Verdict::Watch, _) => "Nothing to do yet: look again after the next run.",
        (Verdict::Clean, _) if group.subject.profile.significant => {
            "No rule found anything, but it stands out among its peers: look at the signals below."
        }
        (Verdict::Clean, _) => "Nothing to do: all rules that decide were answered, and none found anything.",
        (Verdict::Undecided, _) if group.would_be < Verdict::Undecided => {
            "Rules that only observe found something, so that it is not called clean."
        }
        (Verdict::Undecided, _) => "Nobody can tell yet: too little is known to call it clean.",
    }
}

/// `of the same offer and country`.
pub fn circle(level: &str) -> String {
    let columns: Vec<&str> = level.split(", ").collect();
    match columns.as_slice() {
        ["all"] => "of this input".to_owned(),
        [only] => format!("of the same {only}"),
        [first @ .., last] => format!("of the same {} and {last}", first.join(", ")),
        [] => String::new(),
    }
}

/// Text of a rule file on one line.
pub fn unwrapped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<&str>>().join(" ")
}

/// What else could explain the findings, each once: first the causes of those that carry the verdict.
pub fn innocent<'f>(findings: &'f [Finding]) -> Vec<&'f str> {
    let mut all: Vec<&str> = Vec::new();
    for cause in findings.iter().flat_map(|f| &f.rule.innocent) {
        if !all.contains(&cause.as_str()) {
            all.push(cause);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_q_has_two_figures() {
        let told = [1.0, 0.995, 0.994, 0.36, 0.023, 0.000_123, 9.4e-13, 0.0].map(q);
        assert_eq!(told, ["q 1", "q 1", "q 0.99", "q 0.36", "q 0.023", "q 0.00012", "q 9.4e-13", "q 0.0e0"]);
    }
}
