//! The part of the table about findings without effect: what only observes, and what somebody answers for.

use super::{BELOW, LABEL, Page, name};
use crate::report::{Report, phrase};
use crate::verdicts::{Because, Idle, Judged};
use phrase::counted;

/// Groups that are named, and the cells for each; the JSON report has all.
const SHOWN: usize = 20;
/// Rules named for each group.
const RULES_SHOWN: usize = 2;

pub(super) fn parts(page: &mut Page, report: &Report) {
    observed(page, report);
    suppressed(page, report);
}

/// Groups whose verdict would be worse if what observes acted, the worst first.
fn observed(page: &mut Page, report: &Report) {
    let mut groups: Vec<&Judged> = report.ordered().into_iter().filter(|g| g.would_be < g.verdict).collect();
    groups.sort_by_key(|g| g.would_be);
    if groups.is_empty() {
        return;
    }
    page.part();
    let whom = counted(groups.len() as u64, "group", "groups");
    page.line("", 0, &format!("Would have been, for {whom}; these rules only observe, and nothing acts:"));
    for group in groups.iter().take(SHOWN) {
        let rules = idle(group, &Because::Observed).map(|idle| idle.finding.rule.id.as_str());
        let line = format!("{}: {}", name(&group.subject.key), some(rules));
        page.line(group.would_be.word(), BELOW, &line);
    }
    more(page, groups.len());
}

/// Findings that somebody looked at, with the reason and the end.
fn suppressed(page: &mut Page, report: &Report) {
    let groups = report.ordered();
    let all: Vec<(&Judged, &Idle)> = groups
        .into_iter()
        .flat_map(|group| group.idle.iter().map(move |idle| (group, idle)))
        .filter(|(_, idle)| matches!(idle.because, Because::Suppressed(_)))
        .collect();
    if all.is_empty() {
        return;
    }
    page.part();
    let findings = counted(all.len() as u64, "finding is", "findings are");
    page.line("", 0, &format!("{findings} suppressed and without effect:"));
    for (group, idle) in all.iter().take(SHOWN) {
        let line = format!(
            "{}: {} ({})",
            name(&group.subject.key),
            idle.finding.rule.id,
            phrase::because(&idle.because)
        );
        page.line("", LABEL, &line);
    }
    more(page, all.len());
}

fn idle<'g, 'r>(group: &'g Judged<'r>, because: &'g Because) -> impl Iterator<Item = &'g Idle<'r>> {
    group.idle.iter().filter(move |idle| idle.because == *because)
}

fn some<'r>(rules: impl Iterator<Item = &'r str>) -> String {
    let rules: Vec<&str> = rules.collect();
    let more = rules.len().saturating_sub(RULES_SHOWN) as u64;
    let mut shown = rules.into_iter().take(RULES_SHOWN).collect::<Vec<_>>().join(", ");
    if more > 0 {
        shown.push_str(&format!(" and {}", counted(more, "more rule", "more rules")));
    }
    shown
}

fn more(page: &mut Page, all: usize) {
    if all > SHOWN {
        page.line("", BELOW, &format!("and {} more; the JSON report has all", all - SHOWN));
    }
}
