//! What was found, written as what is expected from now on.
//!
//! The comment at the head, the clock and the rules that are named stay; what they answer is what was found.

use super::differences::{key, rejected};
use super::{Expected, ExpectedGroup};
use crate::audit::Audited;
use crate::base::time::show;
use crate::rules::Expect;
use crate::verdicts::{Judged, Verdict};
use std::fmt::Write as _;

/// The file for what was found: every group that was named or has a finding or a verdict other than clean and
/// undecided, in the order of the report.
pub fn written(expected: &Expected, audited: &Audited) -> String {
    let mut out = head(expected);
    let newest = audited.report.run.as_of.map(show).unwrap_or_default();
    let _ = writeln!(out, "as_of: {}", quoted(expected.as_of.as_deref().unwrap_or(&newest)));
    let named = |group: &Judged| expected.groups.iter().find(|wanted| wanted.key == key(&group.subject));
    let telling = |group: &&Judged| {
        let quiet = matches!(group.verdict, Verdict::Clean | Verdict::Undecided);
        named(group).is_some() || !quiet || group.subject.answers.fired().next().is_some()
    };
    let groups: Vec<&Judged> = audited.report.groups.iter().filter(telling).collect();
    out.push_str(if groups.is_empty() { "groups: []\n" } else { "groups:\n" });
    groups.iter().for_each(|group| out.push_str(&one(group, named(group))));
    let rejected = rejected(audited);
    if expected.rejects.is_some() || !rejected.is_empty() {
        let counts: Vec<String> = rejected.iter().map(|(word, n)| format!("{word}: {n}")).collect();
        let _ = writeln!(out, "rejects: {{{}}}", counts.join(", "));
    }
    out
}

/// The lines of comment at the head of the file.
fn head(expected: &Expected) -> String {
    let comment = expected.text.lines().take_while(|line| line.starts_with('#'));
    comment.map(|line| format!("{line}\n")).collect()
}

fn one(group: &Judged, named: Option<&ExpectedGroup>) -> String {
    let key = key(&group.subject);
    let key: Vec<String> = key.iter().map(|(column, text)| format!("{column}: {}", quoted(text))).collect();
    let mut out = format!("  - key: {{{}}}\n    verdict: {}\n", key.join(", "), group.verdict.word());
    for expect in [Expect::Fires, Expect::Silent, Expect::Unknown] {
        let ids = ids(group, named, expect);
        if !ids.is_empty() {
            let _ = writeln!(out, "    {}: [{}]", expect.word(), ids.join(", "));
        }
    }
    out
}

/// The rules that answered so: all that fire, and of the others those that were named.
fn ids<'a>(group: &'a Judged, named: Option<&'a ExpectedGroup>, expect: Expect) -> Vec<&'a str> {
    let answers = &group.subject.answers;
    let mut ids: Vec<&str> = match expect {
        Expect::Fires => answers.fired().map(|outcome| outcome.rule.id.as_str()).collect(),
        Expect::Silent | Expect::Unknown => {
            let named = named.into_iter().flat_map(|g| g.fires.iter().chain(&g.silent).chain(&g.unknown));
            named.map(String::as_str).filter(|id| answers.of_rule(id) == Some(expect)).collect()
        }
    };
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// A text between quotes, which YAML and JSON read alike.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text is JSON")
}
