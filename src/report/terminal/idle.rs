//! The part of the table about findings without effect: what only observes, and what somebody answers for.

use super::{BELOW, LABEL, Page, name};
use crate::report::{Report, idle};

/// Groups that are named, and the cells for each; the JSON report has all.
const SHOWN: usize = 20;

pub(super) fn parts(page: &mut Page, report: &Report) {
    observed(page, report);
    suppressed(page, report);
}

fn observed(page: &mut Page, report: &Report) {
    let groups = idle::observed(report);
    if groups.is_empty() {
        return;
    }
    page.part();
    page.line("", 0, &format!("{}:", idle::would(groups.len())));
    for group in groups.iter().take(SHOWN) {
        let line = format!("{}: {}", name(&group.subject.key), idle::rules(group));
        page.line(group.would_be.word(), BELOW, &line);
    }
    more(page, groups.len());
}

fn suppressed(page: &mut Page, report: &Report) {
    let all = idle::suppressed(report);
    if all.is_empty() {
        return;
    }
    page.part();
    page.line("", 0, &format!("{}:", idle::silenced(all.len())));
    for (group, idle) in all.iter().take(SHOWN) {
        page.line("", LABEL, &format!("{}: {}", name(&group.subject.key), idle::told(idle)));
    }
    more(page, all.len());
}

fn more(page: &mut Page, all: usize) {
    if all > SHOWN {
        page.line("", BELOW, &format!("and {} more; the JSON report has all", all - SHOWN));
    }
}
