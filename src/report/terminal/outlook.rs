//! The parts of the table that stand beside the verdicts: shared visitors, odd sources, money, growth.

use super::{BELOW, LONGEST_TEXT, Page, name, with_currency};
use crate::base::money::Micro;
use crate::base::unit::Unit;
use crate::peers::anomaly::{Odd, Z_CAP};
use crate::report::money::{Claim, claimed};
use crate::report::{Report, phrase};
use crate::verdicts::{Judged, Resold, Verdict};
use phrase::{count, counted};

/// Clusters, members of one, and groups that may be scaled that are named; the JSON report has all.
const CLUSTERS_SHOWN: usize = 5;
const MEMBERS_SHOWN: usize = 8;
const SCALABLE_SHOWN: usize = 8;

/// Everything beside the verdicts that there is to say.
pub(super) fn parts(page: &mut Page, report: &Report) {
    money(page, report);
    clusters(page, report);
    odd(page, report);
    growth(page, report);
}

/// What can be claimed back, and what blocking is expected to save, with the assumptions.
fn money(page: &mut Page, report: &Report) {
    let claim = claimed(report, report.groups.iter());
    let flagged = report.groups.iter().filter(|g| g.verdict <= Verdict::Hold && !g.protected);
    let savings: Vec<i64> = flagged
        .filter_map(|g| g.outlook.loss.map(|loss| loss.expected_saving.0))
        .filter(|saving| *saving > 0)
        .collect();
    if claim.is_none() && savings.is_empty() {
        return;
    }
    page.part();
    if let Some(claim) = claim {
        page.line("", 0, &recoverable(report, &claim));
    }
    if !savings.is_empty() {
        let saving = with_currency(report, Micro(savings.iter().fold(0, |sum, s| sum.saturating_add(*s))));
        let which = counted(savings.len() as u64, "group at block or hold", "groups at block or hold");
        page.line("", 0, &format!("Blocking {which} is expected to save {saving}."));
        page.line("", BELOW, &format!("An estimate, which assumes: {}.", assumptions(report)));
    }
}

/// `1,380.00 USD was paid, or is due, and can be claimed back now: 852.00 for …, 528.00 for …`.
pub fn recoverable(report: &Report, claim: &Claim) -> String {
    let amount = with_currency(report, claim.total);
    format!("{amount} was paid, or is due, and can be claimed back now: {}.", claim.told())
}

/// What a saving rests on: parameters of the run, and the words around them.
const ASSUMED: [(&str, &str); 5] = [
    ("assumed_fraud_given_abnormal", "{} of abnormal sources are frauds"),
    ("assumed_least_faked_share", "these fake at least {} of their payouts"),
    ("assumed_margin", "an honest source leaves a margin of {}"),
    ("assumed_relation_cost", "to have blocked one costs {} more"),
    ("assumed_horizon_days", "payouts go on for {} days as in this window"),
];

/// The assumptions with the numbers of the run.
pub fn assumptions(report: &Report) -> String {
    let said = ASSUMED.iter().filter_map(|(name, words)| {
        let value = report.run.parameters.get(name)?;
        Some(words.replace("{}", value))
    });
    said.collect::<Vec<String>>().join(", ")
}

fn clusters(page: &mut Page, report: &Report) {
    if report.clusters.is_empty() {
        return;
    }
    page.part();
    page.line("", 0, "These sources send the same visitors (by itself no fault: zones of one site do so):");
    let all = report.clusters.iter().zip(report.clustered());
    for (resold, members) in all.take(CLUSTERS_SHOWN) {
        page.line("", BELOW, &cluster(report, resold, &members));
    }
    let more = report.clusters.len().saturating_sub(CLUSTERS_SHOWN) as u64;
    if more > 0 {
        page.line("", BELOW, &format!("and {}", counted(more, "more cluster", "more clusters")));
    }
}

/// `a/1, a/2: at least 65.0% of their networks in common; together hold (1 of 2) · 1,204 clicks · 12.00 USD at risk`.
pub fn cluster(report: &Report, resold: &Resold, members: &[&Judged]) -> String {
    let overlap = Unit::Share.format(resold.overlap);
    let what = if resold.of_clicks { "clicks from networks of their own" } else { "networks in common" };
    let (by, of) = (count(resold.carried_by as u64), count(members.len() as u64));
    let mut text = format!(
        "{}: at least {overlap} of their {what}; together {} ({by} of {of}) · {}",
        shown(members, MEMBERS_SHOWN),
        resold.verdict.word(),
        counted(resold.clicks, "click", "clicks")
    );
    if let Some(risk) = resold.money_at_risk {
        text.push_str(&format!(" · {} at risk", with_currency(report, risk)));
    }
    text
}

fn odd(page: &mut Page, report: &Report) {
    let odd = report.odd();
    if odd.is_empty() {
        return;
    }
    page.part();
    page.line("", 0, "Worth a look, no verdict (the oddest over all signals; there always is an oddest):");
    for (group, odd) in odd {
        page.line("", BELOW, &oddity(group, odd));
    }
}

/// `a/1 (watch): ip_hhi 4.2 sd off`.
pub fn oddity(group: &Judged, odd: &Odd) -> String {
    let far = odd.signals.iter().map(|&(signal, z)| distance(signal, z));
    let far = far.collect::<Vec<String>>().join(", ");
    format!("{} ({}): {far}", name(&group.subject.key), group.verdict.word())
}

/// `ip_hhi 4.2 sd off`; how far beyond the cap tells nothing more.
fn distance(signal: &str, z: f64) -> String {
    let far = if z > Z_CAP { format!("over {Z_CAP}") } else { format!("{z:.1}") };
    format!("{signal} {far} sd off")
}

fn growth(page: &mut Page, report: &Report) {
    let growing: Vec<&Judged> = report.ordered().into_iter().filter(|g| g.outlook.scalable).collect();
    if growing.is_empty() || !report.coverage.gates.is_empty() {
        return;
    }
    page.part();
    page.line("", 0, &scaled(report, growing.len()));
    page.line("", BELOW, &shown(&growing, SCALABLE_SHOWN));
}

/// How many sources may be bought more of, and why.
pub fn scaled(report: &Report, sources: usize) -> String {
    let total = counted(sources as u64, "source", "sources");
    let target = report.run.parameters.get("target_roi").and_then(|text| text.parse().ok()).unwrap_or(0.0);
    let target = Unit::Share.format(target);
    format!("{total} could be scaled: clean, and the ROI is above {target} at its lower limit.")
}

/// The first groups by name.
fn shown(groups: &[&Judged], most: usize) -> String {
    let mut names: Vec<String> = groups.iter().take(most).map(|g| name(&g.subject.key)).collect();
    if groups.len() > most {
        names.push(format!("{} more", count((groups.len() - most) as u64)));
    }
    crate::base::text::Text::new(names.join(", ")).term(LONGEST_TEXT)
}
