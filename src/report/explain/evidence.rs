//! Why: the rules that fired, and every signal beside its peers.

use super::{Page, Sheet, aligned};
use crate::peers::{Direction, Standing, TooFew, Versus};
use crate::report::phrase::{self, count, counted};
use crate::report::signs::{self, Sign};
use crate::rules::Action;
use crate::signals::{self, Interval, Reading, Signal};
use crate::verdicts::{Finding, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// Findings whose reason is told in full.
const REASONS_TOLD: usize = 3;

pub(super) fn write(sheet: &mut Sheet, page: &Page) {
    sheet.heading("Why");
    findings(sheet, page);
    sheet.heading("Signals");
    let remarkable = signs::remarkable(&page.group);
    table(sheet, page, &remarkable);
    let names: BTreeSet<&str> = remarkable.iter().map(|(s, _)| s.name).collect();
    others(sheet, page, &names);
}

fn findings(sheet: &mut Sheet, page: &Page) {
    let findings = &page.group.findings;
    if findings.is_empty() {
        sheet.say(nothing(page.group.verdict));
    }
    let mut told = BTreeSet::new();
    for (at, finding) in findings.iter().enumerate() {
        fired(sheet, page, finding, &mut told);
        if at < REASONS_TOLD {
            sheet.lines.line("", 10, &phrase::unwrapped(&finding.rule.why));
        }
    }
    for idle in &page.group.idle {
        let would = idle.finding.action.word();
        sheet.say(&format!(
            "Without effect, it would be {would}: {} ({}).",
            phrase::finding(&idle.finding),
            phrase::because(&idle.because)
        ));
    }
    let reasons = &page.group.subject.fraud_reasons;
    if !reasons.is_empty() {
        let told: Vec<String> =
            reasons.iter().take(8).map(|(word, n)| format!("{} ({})", word.term(60), count(*n))).collect();
        sheet.say(&format!("Flagged by an anti-fraud service: {}.", told.join(", ")));
    }
    let classes = &page.group.subject.reject_classes;
    if !classes.is_empty() {
        let told: Vec<String> =
            classes.iter().map(|(class, n)| format!("{} ({})", class.replace('_', " "), count(*n))).collect();
        sheet.say(&format!(
            "Rejected by reason: {}; only quality and fraud count against it.",
            told.join(", ")
        ));
    }
    let innocent = phrase::innocent(findings);
    if !innocent.is_empty() {
        sheet.say(&format!("Before you accuse anybody, rule out: {}.", innocent.join("; ")));
    }
    if page.group.not_possible > 0 {
        let checks = counted(page.group.not_possible as u64, "other check was", "other checks were");
        sheet.say(&format!("{checks} not possible with these exports."));
    }
}

fn nothing(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Undecided => {
            "No rule found anything, but some that decide could not be answered; see below."
        }
        _ => "No rule found anything.",
    }
}

/// One finding; evidence that an earlier one told is not told again.
fn fired(sheet: &mut Sheet, page: &Page, finding: &Finding, told: &mut BTreeSet<String>) {
    let rule = finding.rule;
    let label = format!("  {:<7} ", finding.action.word());
    sheet.lines.line(&label, 10, &format!("{} ({}, {})", finding.title, rule.id, rule.class.word()));
    let evidence = finding.evidence.iter().map(phrase::evidence);
    let new: Vec<String> = evidence.filter(|words| told.insert(words.clone())).collect();
    if new.is_empty() && !finding.evidence.is_empty() {
        sheet.lines.line("", 10, "By what is told above.");
    }
    for words in &new {
        sheet.lines.line("", 10, words);
    }
    if let Some(why) = finding.reduced.filter(|_| finding.action != rule.action) {
        let words = format!("The rule asks for {}, but: {why}.", rule.action.word());
        sheet.lines.line("", 10, &words);
    }
    if let Some(money) = finding.money.filter(|_| finding.action != Action::Note) {
        let currency = page.run.currency.as_ref().map_or(String::new(), |c| format!(" {}", c.term(20)));
        sheet.lines.line("", 10, &format!("At least {}{currency} at risk.", phrase::money(Some(money))));
    }
}

fn table(sheet: &mut Sheet, page: &Page, remarkable: &[Sign]) {
    if remarkable.is_empty() {
        return sheet.say("None stands out.");
    }
    let heads = ["signal", "value", "95 % interval", "of", "peers", "times", "decibans", ""];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(remarkable.iter().filter_map(|(signal, versus)| row(page, signal, versus.as_ref())));
    if sheet.fits(&rows) {
        sheet.table(&rows, &[false, true, true, true, true, true, true, false]);
    } else {
        narrow(sheet, &rows);
    }
    if remarkable.iter().any(|(_, versus)| versus.is_some()) {
        sheet.say(
            "of: the sample. peers: what is expected among them; of several offers, on the one where it differs \
             most. times: how many times the peers' odds (of a share) or value. decibans: the most that this can \
             weigh against its being ordinary; 10 is ten to one, 20 a hundred to one, 60 the end of the scale. \
             Signals hang together, so these are not to be added up.",
        );
    }
}

/// The table of signals on a page too narrow for it: names and sides stand above their numbers.
fn narrow(sheet: &mut Sheet, rows: &[Vec<String>]) {
    let numbers: Vec<Vec<String>> = rows.iter().map(|row| row[1..row.len() - 1].to_vec()).collect();
    for (row, numbers) in rows.iter().zip(aligned(&numbers, &[true; 6])) {
        let (name, side) = (&row[0], &row[row.len() - 1]);
        sheet.row(&format!("{name} {side}"));
        sheet.row(&format!("  {numbers}"));
    }
}

fn row(page: &Page, signal: &'static Signal, versus: Option<&Versus>) -> Option<Vec<String>> {
    let estimate = signs::estimate(&page.group, signal)?;
    let unit = signal.unit;
    let (low, high) = estimate.printed();
    let interval = match estimate.interval {
        Interval::Exact(_) => String::new(),
        _ => phrase::range(unit, low, high),
    };
    let mut row = vec![signal.name.to_owned(), unit.format(estimate.value()), interval, count(estimate.n)];
    row.extend(match versus {
        Some(v) if v.peers > 0 => {
            [unit.format(v.expected), phrase::times(v.ratio), format!("{:.0}", v.decibans), side(signal, v)]
        }
        Some(v) => [String::new(), String::new(), format!("{:.0}", v.decibans), "by itself".to_owned()],
        None => ["–".to_owned(), "–".to_owned(), "–".to_owned(), String::new()],
    });
    Some(row)
}

fn side(signal: &Signal, versus: &Versus) -> String {
    let side = match versus.direction {
        Direction::High => "▲ higher",
        Direction::Low => "▼ lower",
    };
    if signs::is_context(signal) { format!("{side}, context") } else { side.to_owned() }
}

/// What does not stand out, what could not be compared, and what is not there.
fn others(sheet: &mut Sheet, page: &Page, shown: &BTreeSet<&str>) {
    let mut alike: Vec<String> = Vec::new();
    let mut alone: BTreeMap<TooFew, Vec<String>> = BTreeMap::new();
    let mut absent: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for signal in signals::all().iter().filter(|s| !shown.contains(s.name)) {
        let estimate = match page.group.subject.row.reading(signal) {
            Reading::Present(estimate) => estimate,
            Reading::Absent(why) => {
                absent.entry(why.to_string()).or_default().push(signal.name);
                continue;
            }
        };
        let value = format!("{} {}", signal.name, signal.unit.format(estimate.value()));
        match page.group.subject.profile.standing(signal) {
            Standing::Compared(v) if v.peers > 0 => {
                alike.push(format!("{value} ({})", signal.unit.format(v.expected)));
            }
            Standing::Compared(_) => alike.push(value),
            Standing::TooFew(why) => alone.entry(*why).or_default().push(value),
        }
    }
    if !alike.is_empty() {
        let words = "Within what honest groups differ by, or on the harmless side (peers in brackets)";
        sheet.say(&format!("{words}: {}.", alike.join(", ")));
    }
    for (why, values) in alone {
        sheet.say(&format!("{}: {}.", uncompared(why), values.join(", ")));
    }
    for (why, names) in absent {
        sheet.say(&format!("Absent ({why}): {}.", names.join(", ")));
    }
}

/// What values have in common that no peers stand beside.
fn uncompared(why: TooFew) -> &'static str {
    match why {
        TooFew::NotCompared => "Facts of which peers say nothing",
        TooFew::Peers | TooFew::Alike => "Too few peers to compare with",
        TooFew::Sample => "Too small a sample to differ from peers",
        TooFew::Absent => "Nothing to compare",
    }
}
