//! The report for people: what was audited, what to do, why, and how much of the input that rests on.
//!
//! Every group is one line with its reasons below it, so that it reads the same at 80 and at 200 columns. The
//! width of a terminal decides where lines are wrapped and how much of a long ID is shown, never what is
//! said; without a terminal nothing is wrapped or cut.

mod idle;
pub(super) mod outlook;

use super::forwarded::lines as forwarded_lines;
use super::{AbsentSignal, Format, Kind, Look, Rendered, Report, RowCount, phrase, unanswered};
use crate::base::column::Col;
use crate::base::error::Result;
use crate::base::money::Micro;
use crate::base::text::{Text, wrapped};
use crate::base::time;
use crate::base::unit::Unit;
use crate::measures::Incident;
use crate::peers::Sibling;
use crate::peers::shaving::{Halves, Mix};
use crate::signals;
use crate::verdicts::{Finding, Judged, Verdict};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use phrase::{count, counted, money};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Findings spelled out per group; the JSON and CSV reports have all.
const FINDINGS_SHOWN: usize = 2;
/// Incidents, and networks that fall behind, that are spelled out.
const INCIDENTS_SHOWN: usize = 10;
/// Groups that changed since the run before that are listed.
const NEWS_SHOWN: usize = 12;
/// Groups at watch that are listed.
const WATCHED_SHOWN: usize = 20;
/// Undecided groups that are named, and cells for each part of a name.
const NAMES_SHOWN: usize = 8;
const NAME_CELLS: usize = 24;

/// Reasons for undecided groups, and IDs that no list can hold, that are listed.
const REASONS_SHOWN: usize = 5;
/// How a reason begins that names columns, how many such reasons are spelled out, and how many others.
const UNMAPPED: &str = "no column is mapped to ";
const UNMAPPED_SHOWN: usize = 2;
const ABSENT_SHOWN: usize = 4;
/// Cells of an ID without a terminal: only hostile IDs are longer.
const LONGEST_ID: usize = 200;
/// Cells of a sentence or a path.
const LONGEST_TEXT: usize = 1_000;
/// Cells that the columns beside the key take.
const BESIDE_KEY: usize = 65;
/// Indent of what stands below a group, and of what belongs to a label.
const BELOW: usize = 11;
const LABEL: usize = 13;

fn render(report: &Report, look: &Look) -> Result<Rendered> {
    let mut page = Page { look: *look, text: String::new() };
    headline(&mut page, report);
    news(&mut page, report);
    gates(&mut page, report);
    incidents(&mut page, report);
    siblings(&mut page, report);
    forwarded(&mut page, report);
    flagged(&mut page, report);
    undecided(&mut page, report);
    idle::parts(&mut page, report);
    outlook::parts(&mut page, report);
    lists(&mut page, report);
    quality(&mut page, report);
    Ok(Rendered::Bytes(page.text.into_bytes()))
}

/// The text so far, and how it is to look.
pub(super) struct Page {
    pub(super) look: Look,
    pub(super) text: String,
}

impl Page {
    /// A line, wrapped at words where there is a terminal; what follows the first line is indented.
    pub(super) fn line(&mut self, first: &str, indent: usize, words: &str) {
        self.text.push_str(&wrapped(first, indent, words, self.look.width));
    }

    pub(super) fn end(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// An empty line before the next part.
    pub(super) fn part(&mut self) {
        self.text.push('\n');
    }
}

/// The colour of a verdict: SGR codes, the only escapes that ever leave this program.
fn colour(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Block => "\u{1b}[1;31m",
        Verdict::Hold => "\u{1b}[33m",
        Verdict::Watch => "\u{1b}[36m",
        Verdict::Clean => "\u{1b}[32m",
        Verdict::Undecided => "\u{1b}[2m",
    }
}

pub(super) const PLAIN: &str = "\u{1b}[0m";

pub(super) fn painted(look: &Look, verdict: Verdict, text: &str) -> String {
    if look.colour { format!("{}{text}{PLAIN}", colour(verdict)) } else { text.to_owned() }
}

fn headline(page: &mut Page, report: &Report) {
    let (run, totals) = (&report.run, &report.totals);
    let mut parts = vec![
        format!("clickaudit {}", run.version),
        format!("{}, {}", clicks(totals.clicks), counted(totals.conversions, "conversion", "conversions")),
    ];
    if let Some((first, last)) = run.window {
        parts.push(format!("{} to {} ({})", time::show_day(first), time::show_day(last), run.tz));
    }
    parts.push(format!("by {}", run.grain));
    parts.push(format!("{}'s view", run.perspective));
    parts.extend(run.currency.as_ref().map(|c| c.term(LONGEST_ID)));
    page.line("", 0, &parts.join(" · "));
    let amounts = [("cost", totals.cost), ("revenue", totals.revenue), ("profit", totals.profit)];
    let known = amounts.into_iter().filter(|(_, amount)| amount.is_some());
    let known: Vec<String> = known.map(|(name, amount)| format!("{name} {}", money(amount))).collect();
    if !known.is_empty() {
        page.line("", 0, &known.join(" · "));
    }
    page.line("", 0, &summary(report));
    history(page, report);
    if run.rules.observe {
        page.line(
            "",
            0,
            &format!(
                "observe mode: nothing acts and no list is written; it would have been {}",
                would(report)
            ),
        );
    }
}

/// On the first night there is nothing to compare with.
fn history(page: &mut Page, report: &Report) {
    if let Some(first) = report.since_before().filter(|_| report.news.is_none()) {
        page.line("", 0, &first);
    }
}

/// What changed since the night before, or since the run that was named.
fn news(page: &mut Page, report: &Report) {
    let Some(news) = &report.news else { return };
    let currency = report.run.currency.as_ref().map_or(String::new(), |c| format!(" {}", c.term(LONGEST_ID)));
    page.line("", 0, &news.headline(&currency));
    for moved in news.moved.iter().take(NEWS_SHOWN) {
        let parts: Vec<String> = moved.key.iter().flatten().map(|t| t.term(NAME_CELLS)).collect();
        let money = moved.at_risk.map_or(String::new(), |m| format!(" · {} at risk", money(Some(m))));
        let why =
            moved.why.as_deref().map_or(String::new(), |w| format!(": {}", Text::new(w).term(LONGEST_TEXT)));
        page.line(moved.change.word(), BELOW, &format!("{}: {}{money}{why}", parts.join("/"), moved.step()));
    }
    if news.moved.len() > NEWS_SHOWN {
        page.line("", BELOW, &format!("and {} more", news.moved.len() - NEWS_SHOWN));
    }
    news.notes.iter().for_each(|note| page.line("note", BELOW, note));
}

/// `2 block · 1 hold · 0 watch`, had the rules acted.
fn would(report: &Report) -> String {
    let n = |verdict: Verdict| report.groups.iter().filter(|g| g.would_be == verdict).count() as u64;
    let acting = VERDICTS.into_iter().filter(|verdict| *verdict <= Verdict::Watch);
    acting.map(|verdict| format!("{} {}", count(n(verdict)), verdict.word())).collect::<Vec<_>>().join(" · ")
}

fn clicks(n: u64) -> String {
    counted(n, "click", "clicks")
}

const VERDICTS: [Verdict; 5] =
    [Verdict::Block, Verdict::Hold, Verdict::Watch, Verdict::Clean, Verdict::Undecided];

/// `2 block (1,204.50 USD at risk) · 1 hold · 0 watch · …`.
fn summary(report: &Report) -> String {
    let verdict = |verdict: Verdict| {
        let groups: Vec<&Judged> = report.groups.iter().filter(|g| g.verdict == verdict).collect();
        let mut text = format!("{} {}", count(groups.len() as u64), verdict.word());
        if let Some(risk) = at_risk(&groups).filter(|_| verdict <= Verdict::Hold) {
            text.push_str(&format!(" ({} at risk)", with_currency(report, risk)));
        }
        text
    };
    VERDICTS.map(verdict).join(" · ")
}

fn at_risk(groups: &[&Judged]) -> Option<Micro> {
    let amounts = groups.iter().filter_map(|g| g.money_at_risk);
    amounts.reduce(|a, b| Micro(a.0.saturating_add(b.0)))
}

fn with_currency(report: &Report, amount: Micro) -> String {
    let currency = report.run.currency.as_ref().map_or(String::new(), |c| format!(" {}", c.term(LONGEST_ID)));
    money(Some(amount)) + &currency
}

fn gates(page: &mut Page, report: &Report) {
    let gates = &report.coverage.gates;
    if gates.is_empty() {
        return;
    }
    page.part();
    page.line("", 0, "This input cannot be judged as a whole; no list is written:");
    for gate in gates {
        page.line("  ", 4, &format!("{}: {}", gate.name, gate.sentence.term(LONGEST_TEXT)));
    }
}

/// Days that judge nobody, each with what is missing.
fn incidents(page: &mut Page, report: &Report) {
    if report.incidents.is_empty() {
        return;
    }
    page.part();
    page.line("", 0, "Incidents; their days judge no source:");
    for incident in report.incidents.iter().take(INCIDENTS_SHOWN) {
        page.line("  ", 4, &self::incident(incident));
    }
    let more = report.incidents.len().saturating_sub(INCIDENTS_SHOWN) as u64;
    if more > 0 {
        page.line("  ", 4, &format!("and {}", counted(more, "more incident", "more incidents")));
    }
}

/// `offer 17, 2026-03-05 to 2026-03-06: 0 conversions where 61 (38–99) were to be expected, …`.
pub(super) fn incident(incident: &Incident) -> String {
    let unit = incident.unit.as_ref();
    let unit =
        unit.map_or("all traffic".to_owned(), |(col, name)| format!("{col} `{}`", name.term(NAME_CELLS)));
    let (first, last) = (time::show_day(incident.first_day), time::show_day(incident.last_day));
    let days = if first == last { first } else { format!("{first} to {last}") };
    let whole = |n: f64| count(n.round() as u64);
    if let Some((from, to)) = incident.hours {
        return format!(
            "{unit}, {} to {}: clicks of {} and not one conversion, where {} ({}–{}) were to be expected: \
             probably lost postbacks",
            time::show(from),
            time::show(to),
            counted(incident.told as u64, "source", "sources"),
            whole(incident.expected),
            whole(incident.low),
            whole(incident.high)
        );
    }
    format!(
        "{unit}, {days}: {} where {} ({}–{}) were to be expected, in {} of {} that can tell: a cap, \
         a landing page that is down, or lost postbacks",
        counted(incident.observed, "conversion", "conversions"),
        whole(incident.expected),
        whole(incident.low),
        whole(incident.high),
        count(incident.fell as u64),
        counted(incident.told as u64, "source", "sources"),
    )
}

/// Networks that fall behind others with the same offer.
fn siblings(page: &mut Page, report: &Report) {
    let behind: Vec<&Sibling> = report.siblings.iter().filter(|s| s.behind || s.turn.is_some()).collect();
    if behind.is_empty() {
        return;
    }
    page.part();
    page.line("", 0, "The same offer on the same zones; this accuses no source:");
    for sibling in behind.iter().take(INCIDENTS_SHOWN) {
        if sibling.behind {
            page.line("  ", 4, &comparison(sibling));
        }
        turn(sibling).into_iter().for_each(|line| page.line("  ", 4, &line));
    }
    let more = behind.len().saturating_sub(INCIDENTS_SHOWN) as u64;
    if more > 0 {
        page.line("  ", 4, &format!("and {}", counted(more, "more network", "more networks")));
    }
}

/// What the traffic sources were told.
fn forwarded(page: &mut Page, report: &Report) {
    let Some(found) = &report.forwarded else { return };
    page.part();
    forwarded_lines(found).iter().for_each(|line| page.line("", 4, line));
}

pub(super) fn comparison(sibling: &Sibling) -> String {
    let name = |text: &Text| text.term(NAME_CELLS);
    let less = |ratio: f64| format!("{:.0}", 100.0 * (1.0 - ratio));
    format!(
        "offer `{}`: conversions at network `{}` fall {}% ({}–{}%) behind network `{}` on {}: shaving, or a \
         worse landing page",
        name(&sibling.offer),
        name(&sibling.network),
        less(sibling.ratio),
        less(sibling.high),
        less(sibling.low),
        name(&sibling.against),
        counted(sibling.zones as u64, "shared zone", "shared zones"),
    )
}

/// Since when a network falls behind, and what else changed on that day.
pub(super) fn turn(sibling: &Sibling) -> Vec<String> {
    let Some(turn) = &sibling.turn else { return Vec::new() };
    let name = |text: &Text| text.term(NAME_CELLS);
    let halves = |what: &str, halves: &Halves| {
        let delay = |mix: &Mix| mix.delay_s.map_or("–".to_owned(), |s| Unit::Seconds.format(s as f64));
        let share = |share: Option<f64>| share.map_or("–".to_owned(), |s| Unit::Share.format(s));
        let Halves { before, after } = halves;
        format!(
            "{what}: CR {} → {}, median delay {} → {}, approved of decided {} → {}",
            share(before.rate()),
            share(after.rate()),
            delay(before),
            delay(after),
            share(before.approval()),
            share(after.approval())
        )
    };
    let mut lines = vec![
        format!(
            "offer `{}`: since {} network `{}` converts at {:.2} of network `{}`, before at {:.2}; beside each other, \
             before and after:",
            name(&sibling.offer),
            time::show_day(turn.day),
            name(&sibling.network),
            turn.ratio.1,
            name(&sibling.against),
            turn.ratio.0
        ),
        halves(&format!("- `{}`", name(&sibling.network)), &turn.network),
        halves(&format!("- `{}`", name(&sibling.against)), &turn.against),
    ];
    if turn.other_offers.before.clicks > 0 && turn.other_offers.after.clicks > 0 {
        lines.push(halves(&format!("- other offers of `{}`", name(&sibling.network)), &turn.other_offers));
    }
    lines
}

/// One line for each group at block, hold and watch, with its strongest reasons below it.
fn flagged(page: &mut Page, report: &Report) {
    let (listed, left_out) = listed(report);
    if listed.is_empty() {
        return;
    }
    page.part();
    let table = table(&page.look, report, &listed);
    let mut lines = table.lines();
    page.end(&lines.next().unwrap_or_default());
    for (group, line) in listed.iter().zip(lines) {
        let rest = line.strip_prefix(group.verdict.word()).unwrap_or(&line);
        let verdict = painted(&page.look, group.verdict, group.verdict.word());
        page.end(&format!("{verdict}{rest}"));
        reasons(page, group);
    }
    if left_out > 0 {
        let more = counted(left_out as u64, "more group", "more groups");
        page.line("", BELOW, &format!("and {more} at watch; `-o csv=PATH` has all of them"));
    }
}

/// The groups of the table, and how many at watch are left out of it.
fn listed<'a, 'r>(report: &'a Report<'r>) -> (Vec<&'a Judged<'r>>, usize) {
    let (mut listed, mut watched) = (Vec::new(), 0);
    for group in report.ordered().into_iter().filter(|g| g.verdict <= Verdict::Watch) {
        watched += usize::from(group.verdict == Verdict::Watch);
        if watched <= WATCHED_SHOWN {
            listed.push(group);
        }
    }
    (listed, watched.saturating_sub(WATCHED_SHOWN))
}

fn table(look: &Look, report: &Report, groups: &[&Judged]) -> Table {
    let columns = shown_columns(report, groups);
    let room = key_room(look, columns.len());
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let names = columns.iter().map(|(_, col)| col.name());
    let numbers = ["clicks", "conversions", "cost", "at risk", "score"];
    table.set_header(std::iter::once("verdict").chain(names).chain(numbers));
    for group in groups {
        table.add_row(row(group, &columns, room));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    for column in table.column_iter_mut().skip(1 + columns.len()) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// The columns of the key that say anything, with their place in it.
fn shown_columns(report: &Report, groups: &[&Judged]) -> Vec<(usize, Col)> {
    let all = report.run.grain.columns().iter().copied().enumerate();
    let says = |at: usize| groups.iter().any(|g| g.subject.key.get(at).is_some_and(Option::is_some));
    let shown: Vec<(usize, Col)> = all.clone().filter(|(at, _)| says(*at)).collect();
    if shown.is_empty() { all.collect() } else { shown }
}

/// Cells for each column of the key.
fn key_room(look: &Look, columns: usize) -> usize {
    let Some(width) = look.width else { return LONGEST_ID };
    (width.saturating_sub(BESIDE_KEY) / columns.max(1)).saturating_sub(2).clamp(8, LONGEST_ID)
}

fn row(group: &Judged, columns: &[(usize, Col)], room: usize) -> Vec<String> {
    let mut cells = vec![group.verdict.word().to_owned()];
    for (at, _) in columns {
        let part = group.subject.key.get(*at).and_then(Option::as_ref);
        cells.push(part.map_or("(none)".to_owned(), |text| text.term(room)));
    }
    let conversions = signals::find("conversion_count")
        .and_then(|s| group.subject.row.reading(s).estimate())
        .map_or("–".to_owned(), |e| count(e.value() as u64));
    cells.extend([
        count(group.subject.clicks),
        conversions,
        money(group.subject.spend),
        money(group.money_at_risk),
        group.score().map_or("–".to_owned(), |score| format!("{score:.0}")),
    ]);
    cells
}

fn reasons(page: &mut Page, group: &Judged) {
    if group.protected {
        page.line("", BELOW, "protected: it is never put on a list");
    }
    if let Some(kept) = phrase::kept(group) {
        page.line("", BELOW, &kept);
    }
    let shown = telling(&group.findings);
    for finding in &shown {
        page.line("", BELOW, &phrase::finding(finding));
    }
    let more = (group.findings.len() - shown.len()) as u64;
    if more > 0 {
        page.line("", BELOW, &format!("and {}", counted(more, "more finding", "more findings")));
    }
}

/// The strongest findings, each with a signal that those before it do not rest on: a second rule on the same
/// numbers tells nothing new.
fn telling<'f, 'r>(findings: &'f [Finding<'r>]) -> Vec<&'f Finding<'r>> {
    let signals = |f: &Finding| f.evidence.iter().map(|e| e.signal.name).collect::<BTreeSet<_>>();
    let mut shown: Vec<&Finding> = Vec::new();
    for finding in findings {
        let known = |earlier: &&Finding| signals(finding).is_subset(&signals(earlier));
        if shown.len() < FINDINGS_SHOWN && !shown.iter().any(known) {
            shown.push(finding);
        }
    }
    shown
}

/// How many groups cannot be decided, and what most of them lack.
fn undecided(page: &mut Page, report: &Report) {
    let open = |g: &&Judged| g.verdict == Verdict::Undecided && g.would_be == Verdict::Undecided;
    let groups: Vec<&Judged> = report.groups.iter().filter(open).collect();
    if groups.is_empty() {
        return;
    }
    page.part();
    let total = counted(groups.len() as u64, "group is", "groups are");
    page.line("", 0, &format!("{total} undecided: too little is known to call them clean."));
    page.line("", BELOW, &names(&groups));
    let lacks = lacks(&groups);
    for (why, n) in lacks.iter().take(REASONS_SHOWN) {
        page.line("", BELOW, &format!("{why} ({})", counted(*n, "group", "groups")));
    }
    let more = lacks.len().saturating_sub(REASONS_SHOWN) as u64;
    if more > 0 {
        page.line("", BELOW, &format!("and {}", counted(more, "more reason", "more reasons")));
    }
}

/// The first undecided groups by name.
fn names(groups: &[&Judged]) -> String {
    let mut keys: Vec<&[Option<Text>]> = groups.iter().map(|g| g.subject.key.as_slice()).collect();
    keys.sort();
    let shown: Vec<String> = keys.iter().take(NAMES_SHOWN).map(|key| name(key)).collect();
    let more = if keys.len() > NAMES_SHOWN { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// A group's key in one word.
pub(super) fn name(key: &[Option<Text>]) -> String {
    let parts: Vec<String> = key.iter().flatten().map(|part| part.term(NAME_CELLS)).collect();
    if parts.is_empty() { "(none)".to_owned() } else { parts.join("/") }
}

/// What groups lack and how many of them, the commonest first.
pub(super) fn lacks(groups: &[&Judged]) -> Vec<(String, u64)> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for group in groups {
        let whys: BTreeSet<String> =
            group.unknown.iter().flat_map(|(_, why)| why.iter().map(phrase::why)).collect();
        for why in whys {
            *counts.entry(why).or_default() += 1;
        }
    }
    let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, n)| Reverse(*n));
    counts
}

/// Says why a list could not be written, or which blocked IDs it cannot hold.
fn lists(page: &mut Page, report: &Report) {
    for (name, list) in [("blocklist", &report.lists.block), ("profit list", &report.lists.profit)] {
        match list.merged() {
            // It is said at the top.
            Err(_) if report.run.rules.observe => {}
            Err(why) => {
                page.part();
                page.line("", 0, &format!("No {name}: {}", Text::new(why).term(LONGEST_TEXT)));
            }
            Ok(listing) if !listing.rejected.is_empty() => {
                page.part();
                page.line("", 0, &format!("The {name} leaves out:"));
                rejected(page, &listing.rejected);
            }
            Ok(_) => {}
        }
    }
}

fn rejected(page: &mut Page, rejected: &[(Text, &'static str)]) {
    let mut rejected: Vec<_> = rejected.iter().collect();
    rejected.sort_unstable();
    for (id, why) in rejected.iter().take(REASONS_SHOWN) {
        page.line("", BELOW, &format!("`{}`: {why}", id.term(40)));
    }
    let more = rejected.len().saturating_sub(REASONS_SHOWN) as u64;
    if more > 0 {
        page.line("", BELOW, &format!("and {}", counted(more, "more ID", "more IDs")));
    }
}

/// How much of the input the verdicts rest on.
fn quality(page: &mut Page, report: &Report) {
    let (coverage, run) = (&report.coverage, &report.run);
    page.part();
    rows(page, "clicks", coverage.clicks.as_ref());
    rows(page, "conversions", coverage.conversions.as_ref());
    if coverage.conversions.is_some() {
        let class = |(_, words, n): (&str, &str, u64)| format!("{} {words}", count(n));
        let classes: Vec<String> = coverage.classes.table().into_iter().map(class).collect();
        page.line("matching", LABEL, &classes.join(" · "));
    }
    if coverage.conflicts > 0 {
        let ids = counted(coverage.conflicts, "click ID stands", "click IDs stand");
        page.line("conflicts", LABEL, &format!("{ids} under more than one source"));
    }
    absent(page, &coverage.absent, report.groups.len() as u64);
    peers(page, report);
    let as_of = run.as_of.map_or(String::new(), |t| format!(" · as of {}", time::show(t)));
    let digest: String = run.rules_digest.chars().take(12).collect();
    page.line("rules", LABEL, &format!("{} ({digest}){as_of}", run.rules.sentence()));
    if let Some(unanswered) = unanswered(&report.rules) {
        page.line("", LABEL, &unanswered);
    }
    for note in &coverage.notes {
        page.line("note", LABEL, &note.term(LONGEST_TEXT));
    }
}

/// How many groups could be held against each other, and what that came to.
fn peers(page: &mut Page, report: &Report) {
    let (groups, peers) = (report.groups.len() as u64, &report.peers);
    let sentence = match peers.tested as u64 {
        0 => "too few groups to be held against each other; rules use their fixed limits alone".to_owned(),
        tested => {
            let differ = counted(peers.significant as u64, "differs", "differ");
            format!(
                "{} of {} could be held against their peers; {differ} significantly",
                count(tested),
                counted(groups, "group", "groups")
            )
        }
    };
    page.line("peers", LABEL, &sentence);
}

/// `41,215 read = 41,203 used + 8 rejected + 4 duplicate`, and the reasons below.
fn rows(page: &mut Page, side: &str, rows: Option<&RowCount>) {
    let Some(rows) = rows else { return page.line(side, LABEL, "not given") };
    page.line(side, LABEL, &phrase::rows_of(rows));
    for (what, reasons) in [("rejected", &rows.rejected), ("duplicate", &rows.duplicate)] {
        if !reasons.is_empty() {
            page.line("", LABEL, &format!("{what}: {}", by_reason(reasons)));
        }
    }
}

/// `click_time is no time (8), no source (2)`, the commonest first.
fn by_reason(reasons: &BTreeMap<String, u64>) -> String {
    let mut reasons: Vec<(&String, &u64)> = reasons.iter().collect();
    reasons.sort_by_key(|(_, n)| Reverse(**n));
    let part = |(why, n): (&String, &u64)| format!("{} ({})", Text::new(why).term(LONGEST_TEXT), count(*n));
    let parts = reasons.into_iter().map(part);
    parts.collect::<Vec<String>>().join(", ")
}

/// Absent signals, those with one reason together. Where many columns are missing they are named in one line;
/// what only a few groups lack, and what is too much for a page, is in the JSON report.
fn absent(page: &mut Page, absent: &[AbsentSignal], groups: u64) {
    let mut together: BTreeMap<(&str, u64), BTreeSet<&str>> = BTreeMap::new();
    for a in absent {
        together.entry((&a.reason, a.groups)).or_default().insert(a.signal);
    }
    let column = |(reason, n): &(&str, u64)| reason.strip_prefix(UNMAPPED).filter(|_| *n == groups).is_some();
    if together.keys().filter(|key| column(key)).count() > UNMAPPED_SHOWN {
        unmapped(page, &together.extract_if(.., |key, _| column(key)).collect::<Vec<_>>());
    }
    let few = |n: u64| n < groups && n * 5 <= groups;
    let all = together.len();
    let mut shown: Vec<_> = together.into_iter().filter(|((_, n), _)| !few(*n)).collect();
    shown.sort_by_key(|((_, n), names)| Reverse((*n, names.len())));
    shown.truncate(ABSENT_SHOWN);
    let hidden = (all - shown.len()) as u64;
    for ((reason, n), names) in shown {
        let names = names.into_iter().collect::<Vec<&str>>().join(", ");
        let whom = if n == groups { "all groups".to_owned() } else { counted(n, "group", "groups") };
        page.line("absent", LABEL, &format!("{names}: {} ({whom})", Text::new(reason).term(LONGEST_TEXT)));
    }
    if hidden > 0 {
        let more = counted(hidden, "more reason", "more reasons");
        page.line(
            "absent",
            LABEL,
            &format!("{more} why signals of some groups have no value: see the JSON report"),
        );
    }
}

/// The signals that no group has for want of columns, and these.
fn unmapped(page: &mut Page, lacks: &[((&str, u64), BTreeSet<&str>)]) {
    let columns: BTreeSet<&str> =
        lacks.iter().flat_map(|((reason, _), _)| reason.trim_start_matches(UNMAPPED).split(" or ")).collect();
    let signals: usize = lacks.iter().map(|(_, names)| names.len()).sum();
    let columns = columns.into_iter().collect::<Vec<&str>>().join(", ");
    let signals = counted(signals as u64, "signal", "signals");
    page.line("absent", LABEL, &format!("{signals} for want of columns; not mapped are {columns}"));
}

pub const FORMAT: Format = Format {
    name: "table",
    summary: "verdicts with their reasons, for people",
    list: false,
    kind: Kind::Styled,
    pictures: 0,
    render,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::HOSTILE;
    use crate::report::{Gate, sample};

    fn shown(report: &Report, look: Look) -> String {
        let Rendered::Bytes(bytes) = render(report, &look).unwrap() else { panic!("withheld") };
        String::from_utf8(bytes).unwrap()
    }

    fn at(width: usize) -> Look {
        Look { width: Some(width), colour: false }
    }

    #[test]
    fn the_sample_as_a_table() {
        let rules = sample::rules();
        assert_eq!(shown(&sample::report(&rules), Look::PLAIN), sample::TABLE);
    }

    #[test]
    fn what_stands_beside_the_verdicts() {
        let rules = sample::rules();
        let out = shown(&sample::with_outlook(&rules), Look::PLAIN);
        assert!(out.contains(sample::OUTLOOK), "{out}");
        let gate = Gate { name: "match-rate", sentence: Text::new("nothing matches") };
        let mut gated = sample::with_outlook(&rules);
        gated.coverage.gates.push(gate);
        assert!(!shown(&gated, Look::PLAIN).contains("could be scaled"));
    }

    #[test]
    fn the_sample_at_80_columns() {
        let rules = sample::rules();
        assert_eq!(shown(&sample::report(&rules), at(80)), sample::TABLE_80);
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let rules = sample::rules();
        let long = "x".repeat(300);
        for text in HOSTILE.iter().chain([&long.as_str()]) {
            for width in [80, 100, 120, 160, 200] {
                let out = shown(&sample::hostile(&rules, text), at(width));
                let table = out.lines().filter(|l| l.starts_with("block") || l.starts_with("verdict"));
                for line in table {
                    assert!(line.chars().count() <= width, "{width}: {line}");
                }
            }
        }
    }

    #[test]
    fn colour_adds_codes_and_nothing_else() {
        let rules = sample::rules();
        let mut out = shown(&sample::report(&rules), Look { width: None, colour: true });
        assert!(out.contains("\u{1b}[1;31mblock\u{1b}[0m"));
        for verdict in VERDICTS {
            out = out.replace(colour(verdict), "");
        }
        assert_eq!(out.replace(PLAIN, ""), sample::TABLE);
    }

    #[test]
    fn the_width_changes_no_word() {
        let rules = sample::rules();
        let words = |out: String| out.split_whitespace().map(str::to_owned).collect::<Vec<String>>();
        let report = sample::report(&rules);
        assert_eq!(words(shown(&report, at(80))), words(shown(&report, Look::PLAIN)));
    }

    #[test]
    fn a_gate_and_a_withheld_list_are_said() {
        let mut report = sample::empty();
        let sentence = Text::new("2 of 884 conversions match a click; is the time zone right?");
        report.coverage.gates.push(Gate { name: "match-rate", sentence });
        report.lists.block = crate::report::List::Withheld("a gate fired".into());
        assert_eq!(shown(&report, Look::PLAIN), sample::GATED);
    }

    #[test]
    fn incidents_and_siblings_are_said() {
        let mut report = sample::empty();
        report.incidents =
            vec![sample::incident(), Incident { unit: None, last_day: 20_517, ..sample::incident() }];
        report.siblings = vec![sample::sibling(), Sibling { behind: false, ..sample::sibling() }];
        let shown = shown(&report, Look::PLAIN);
        let said = [
            "    offer `offer-7`, 2026-03-05 to 2026-03-06: 0 conversions where 61 (38–99) were to be expected, in 9 of 9 \
             sources that can tell: a cap, a landing page that is down, or lost postbacks\n",
            "    all traffic, 2026-03-05: 0 conversions",
            "    offer `offer-7`: conversions at network `alpha` fall 40% (30–50%) behind network `beta` on 12 shared \
             zones: shaving, or a worse landing page\n\n",
        ];
        for phrase in said {
            assert!(shown.contains(phrase), "no `{phrase}` in\n{shown}");
        }
    }

    #[test]
    fn watched_groups_beyond_the_limit_are_counted() {
        let rules = sample::rules();
        let out = shown(&sample::watched(&rules, WATCHED_SHOWN + 2), Look::PLAIN);
        assert_eq!(out.matches("\nwatch ").count(), WATCHED_SHOWN);
        assert!(out.contains("and 2 more groups at watch; `-o csv=PATH` has all of them"), "{out}");
    }
}
