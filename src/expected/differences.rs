//! The differences between what was expected and what was found, each group's in one fault.

use super::{Expected, ExpectedGroup};
use crate::audit::Audited;
use crate::base::column::Col;
use crate::base::diag::{self, Diag};
use crate::rules::{Expect, Why};
use crate::verdicts::{Judged, Subject};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that differs; nothing if the audit found what was expected and no more.
pub fn differences(expected: &Expected, audited: &Audited) -> Vec<Diag> {
    let groups = &audited.report.groups;
    let mut faults = Vec::new();
    let mut met = BTreeSet::new();
    for wanted in &expected.groups {
        match groups.iter().position(|group| key(&group.subject) == wanted.key) {
            Some(at) => {
                met.insert(at);
                faults.extend(fault(expected, wanted, &of_group(wanted, &groups[at])));
            }
            None => faults.extend(fault(expected, wanted, &of_nobody(wanted))),
        }
    }
    let others = groups.iter().enumerate().filter(|(at, _)| !met.contains(at)).map(|(_, group)| group);
    faults.extend(others.filter_map(|group| unexpected(expected, group)));
    faults.extend(rejects(expected, audited));
    faults
}

/// The columns of a group that have a text.
pub fn key(subject: &Subject) -> BTreeMap<Col, String> {
    subject.texts().into_iter().filter_map(|(column, text)| Some((column, text?))).collect()
}

/// `source pub7, campaign 12`.
fn named(key: &BTreeMap<Col, String>) -> String {
    let part = |(column, text): (&Col, &String)| format!("{column} {text}");
    let parts: Vec<String> = key.iter().map(part).collect();
    if parts.is_empty() { "the group without a key".to_owned() } else { parts.join(", ") }
}

fn fault(expected: &Expected, wanted: &ExpectedGroup, lines: &[String]) -> Option<Diag> {
    if lines.is_empty() {
        return None;
    }
    let message = format!("{} is not as expected", named(&wanted.key));
    let fault = Diag::new(&diag::FAILED_TEST, &expected.name, message);
    Some(fault.at(&expected.text, wanted.span.clone()).help(lines.join("\n")))
}

/// What differs about a group that is there: `-` is what was expected, `+` what was found.
fn of_group(wanted: &ExpectedGroup, group: &Judged) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(verdict) = wanted.verdict.filter(|verdict| *verdict != group.verdict) {
        lines.push(format!("- verdict: {}", verdict.word()));
        lines.push(format!("+ verdict: {}", group.verdict.word()));
    }
    let expectations = [
        (Expect::Fires, &wanted.fires),
        (Expect::Silent, &wanted.silent),
        (Expect::Unknown, &wanted.unknown),
    ];
    for (expect, ids) in expectations {
        for id in ids {
            lines.extend(of_rule(id, expect, &group.subject));
        }
    }
    lines.extend(others(wanted, group));
    lines
}

fn of_rule(id: &str, expect: Expect, subject: &Subject) -> Vec<String> {
    let minus = format!("- {}: {id}", expect.word());
    match subject.answers.of_rule(id) {
        Some(found) if found == expect => Vec::new(),
        Some(Expect::Fires) => vec![minus, fires(id, subject)],
        Some(found) => vec![minus, format!("+ {}: {id}{}", found.word(), lacks(id, subject))],
        None => vec![minus, format!("+ {id} is not asked about groups of {}", subject.grain)],
    }
}

/// `+ fires: ID (what it rests on)`.
fn fires(id: &str, subject: &Subject) -> String {
    let outcome = subject.answers.fired().find(|outcome| outcome.rule.id == id);
    let evidence = outcome.map(|o| o.evidence.as_slice()).unwrap_or_default();
    let value = |e: &crate::rules::Evidence| {
        format!("{} {} of n {}", e.signal.name, e.signal.unit.format(e.estimate.value()), e.estimate.n)
    };
    let values: Vec<String> = evidence.iter().map(value).collect();
    if values.is_empty() {
        format!("+ fires: {id}")
    } else {
        format!("+ fires: {id} ({})", values.join("; "))
    }
}

/// ` (why a rule has no answer)`.
fn lacks(id: &str, subject: &Subject) -> String {
    let unknown = subject.answers.unknown();
    let why = unknown.iter().find(|(rule, _)| rule.id == id).map(|(_, why)| why.iter());
    let reasons: Vec<String> = why.into_iter().flatten().map(Why::to_string).collect();
    if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) }
}

/// Rules that fire and are not expected to; those that are named elsewhere are told there.
fn others(wanted: &ExpectedGroup, group: &Judged) -> Vec<String> {
    let named: BTreeSet<&String> = wanted.fires.iter().chain(&wanted.silent).chain(&wanted.unknown).collect();
    let fired = group.subject.answers.fired().filter(|outcome| !named.contains(&outcome.rule.id));
    fired.map(|outcome| fires(&outcome.rule.id, &group.subject)).collect()
}

/// A group that is expected and not there, or of a grain of which only groups with findings are kept.
fn of_nobody(wanted: &ExpectedGroup) -> Vec<String> {
    let mut lines: Vec<String> = wanted.verdict.iter().map(|v| format!("- verdict: {}", v.word())).collect();
    lines.extend(wanted.fires.iter().map(|id| format!("- fires: {id}")));
    if lines.is_empty() {
        return lines;
    }
    lines.push("+ there is no such group, or no rule of its own grain fires on it".to_owned());
    lines
}

/// A finding about a group that the file does not name.
fn unexpected(expected: &Expected, group: &Judged) -> Option<Diag> {
    let mut lines: Vec<String> =
        group.subject.answers.fired().map(|outcome| fires(&outcome.rule.id, &group.subject)).collect();
    if lines.is_empty() {
        return None;
    }
    lines.insert(0, format!("+ verdict: {}", group.verdict.word()));
    let message = format!("nothing was expected of {}", named(&key(&group.subject)));
    let fault = Diag::new(&diag::FAILED_TEST, &expected.name, message);
    Some(fault.at(&expected.text, 0..0).help(lines.join("\n")))
}

/// Rejected rows by reason, if the file says what is expected of them.
fn rejects(expected: &Expected, audited: &Audited) -> Option<Diag> {
    let wanted = expected.rejects.as_ref()?;
    let found = rejected(audited);
    let words: BTreeSet<&str> = wanted.keys().chain(found.keys()).copied().collect();
    let mut lines = Vec::new();
    for word in words {
        let [wanted, found] = [wanted, &found].map(|counts| counts.get(word).copied().unwrap_or(0));
        if wanted != found {
            lines.push(format!("- {word}: {wanted}"));
            lines.push(format!("+ {word}: {found}"));
        }
    }
    if lines.is_empty() {
        return None;
    }
    let at = expected.text.find("rejects").unwrap_or_default();
    let fault = Diag::new(&diag::FAILED_TEST, &expected.name, "other rows are rejected than expected");
    Some(fault.at(&expected.text, at..at + "rejects".len()).help(lines.join("\n")))
}

/// Rejected rows of all files by the word of their reason.
pub fn rejected(audited: &Audited) -> BTreeMap<&'static str, u64> {
    let mut rejected = BTreeMap::new();
    for (reason, count) in audited.files.iter().flat_map(|file| &file.rejects.counts) {
        *rejected.entry(reason.slug()).or_default() += count;
    }
    rejected
}
