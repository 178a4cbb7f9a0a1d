//! The report as an Excel workbook, for people who sort and filter.
//!
//! IDs are text cells, so that no spreadsheet rounds them; nothing is ever a formula or a link. Absent values are
//! empty cells. A sheet holds the flagged sources and then the largest ones up to a limit, and says what it leaves
//! out. The file's date is the end of the exports: the same input makes the same bytes.

use super::money::claimed;
use super::output::failed;
use super::{Format, InputInfo, Kind, List, Look, Rendered, Report, RuleTally, phrase};
use crate::base::error::Result;
use crate::base::money::Micro;
use crate::base::text::Text;
use crate::base::time::{self, SECOND};
use crate::base::unit::Unit;
use crate::rules::Evidence;
use crate::signals::{self, Signal};
use crate::verdicts::{Because, Finding, Judged, Verdict};
use rust_xlsxwriter::{
    Color, DocProperties, ExcelDateTime, Format as Style, FormatAlign, Workbook, Worksheet,
};
use std::collections::BTreeMap;

/// Sources on the sheet of that name, and rows of findings and evidence.
const SOURCES: usize = 10_000;
const FINDINGS: usize = 50_000;

/// One cell.
pub enum Cell {
    Empty,
    Text(String),
    Count(f64),
    Number(Unit, f64),
    Money(Micro),
    /// A number without a unit of ours, such as a p-value.
    Plain(f64),
}

impl Cell {
    /// Our own words.
    pub fn word(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }

    /// The user's words: those of rules.
    fn of_rule(text: &str) -> Cell {
        Cell::Text(Text::of_user(text).xlsx())
    }

    /// Text from data.
    pub fn data(text: Option<&Text>) -> Cell {
        text.map_or(Cell::Empty, |t| Cell::Text(t.xlsx()))
    }

    /// An amount, or an empty cell.
    pub fn money(amount: Option<Micro>) -> Cell {
        amount.map_or(Cell::Empty, Cell::Money)
    }

    fn plain(value: Option<f64>) -> Cell {
        value.filter(|v| v.is_finite()).map_or(Cell::Empty, Cell::Plain)
    }

    fn number(unit: Unit, value: f64) -> Cell {
        if value.is_finite() { Cell::Number(unit, value) } else { Cell::Empty }
    }

    /// A whole number.
    pub fn count(n: u64) -> Cell {
        Cell::Count(n as f64)
    }
}

/// A sheet in the making: a heading, rows under it, and how wide they are.
pub struct Sheet {
    sheet: Worksheet,
    row: u32,
    widths: BTreeMap<u16, usize>,
}

/// What writing into a sheet comes to.
pub type Made = std::result::Result<(), rust_xlsxwriter::XlsxError>;

impl Sheet {
    /// An empty sheet.
    ///
    /// # Errors
    /// A name that no sheet may have.
    pub fn new(name: &str) -> std::result::Result<Sheet, rust_xlsxwriter::XlsxError> {
        let mut sheet = Worksheet::new();
        sheet.set_name(name)?;
        Ok(Sheet { sheet, row: 0, widths: BTreeMap::new() })
    }

    /// A line of its own above or below a table.
    ///
    /// # Errors
    /// The sheet is full.
    pub fn line(&mut self, text: &str) -> Made {
        self.sheet.write_string(self.row, 0, text)?;
        self.row += 1;
        Ok(())
    }

    /// The header of the sheet's table, frozen and with filters for so many rows.
    ///
    /// # Errors
    /// The sheet is full.
    pub fn header(&mut self, names: &[String], rows: usize) -> Made {
        let style =
            Style::new().set_bold().set_background_color(Color::RGB(0xE7_EC_F2)).set_align(FormatAlign::Top);
        for (at, name) in names.iter().enumerate() {
            let column = at as u16;
            self.sheet.write_string_with_format(self.row, column, name, &style)?;
            self.widen(column, name.chars().count());
        }
        let last = (names.len() as u16).saturating_sub(1);
        self.sheet.set_freeze_panes(self.row + 1, 0)?;
        self.sheet.autofilter(self.row, 0, self.row + rows as u32, last)?;
        self.row += 1;
        Ok(())
    }

    /// Rows of cells.
    ///
    /// # Errors
    /// The sheet is full.
    pub fn rows(&mut self, rows: impl Iterator<Item = Vec<Cell>>) -> Made {
        for row in rows {
            for (at, cell) in row.into_iter().enumerate() {
                self.cell(at as u16, cell)?;
            }
            self.row += 1;
        }
        Ok(())
    }

    fn cell(&mut self, column: u16, cell: Cell) -> Made {
        let sheet = &mut self.sheet;
        let (value, format) = match cell {
            Cell::Empty => return Ok(()),
            Cell::Text(text) => {
                self.widths.entry(column).and_modify(|w| *w = text.chars().count().max(*w)).or_default();
                return sheet.write_string(self.row, column, text).map(drop);
            }
            Cell::Count(n) => (n, "#,##0"),
            Cell::Money(amount) => (amount.units(), "#,##0.00"),
            Cell::Plain(value) => (value, "0.00E+00"),
            Cell::Number(unit, value) => (value, number_format(unit)),
        };
        let style = Style::new().set_num_format(format);
        sheet.write_number_with_format(self.row, column, value, &style).map(drop)
    }

    fn widen(&mut self, column: u16, characters: usize) {
        let width = self.widths.entry(column).or_default();
        *width = characters.max(*width);
    }

    /// Columns as wide as what stands in them, within reason.
    ///
    /// # Errors
    /// A width that no column may have.
    pub fn done(mut self) -> std::result::Result<Worksheet, rust_xlsxwriter::XlsxError> {
        for (column, width) in &self.widths {
            self.sheet.set_column_width(*column, (*width).clamp(8, 60) as f64 + 2.0)?;
        }
        Ok(self.sheet)
    }
}

fn number_format(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "#,##0",
        Unit::Share => "0.0%",
        Unit::Seconds => "#,##0",
        Unit::Money => "#,##0.00",
        Unit::Ratio => "0.00",
    }
}

fn render(report: &Report, _: &Look) -> Result<Rendered> {
    workbook(report).map(Rendered::Bytes).map_err(failed)
}

/// A workbook of these sheets; `made` is its date, in seconds since 1970.
///
/// # Errors
/// A sheet that could not be made.
pub fn saved(
    title: &str,
    made: i64,
    version: &str,
    sheets: impl IntoIterator<Item = Page>,
) -> Result<Vec<u8>> {
    bound(title, made, version, sheets).map_err(failed)
}

fn bound(
    title: &str,
    made: i64,
    version: &str,
    sheets: impl IntoIterator<Item = Page>,
) -> std::result::Result<Vec<u8>, rust_xlsxwriter::XlsxError> {
    let mut book = Workbook::new();
    let properties = DocProperties::new()
        .set_title(title)
        .set_author(format!("clickaudit {version}"))
        .set_creation_datetime(&ExcelDateTime::from_timestamp(made)?);
    book.set_properties(&properties);
    for sheet in sheets {
        book.push_worksheet(sheet?);
    }
    book.save_to_buffer()
}

fn workbook(report: &Report) -> std::result::Result<Vec<u8>, rust_xlsxwriter::XlsxError> {
    let made = report.run.as_of.unwrap_or_default().div_euclid(SECOND);
    let groups = report.audited();
    let sheets = [
        Some(summary(report, &groups)),
        changes(report).transpose(),
        Some(sources(report, &groups)),
        Some(findings(report, &groups)),
        Some(evidence(report, &groups)),
        Some(rules(&report.rules)),
        Some(quality(report)),
    ];
    let sheets = sheets.into_iter().flatten();
    bound("Traffic audit", made, report.run.version, sheets)
}

/// A finished sheet.
pub type Page = std::result::Result<Worksheet, rust_xlsxwriter::XlsxError>;

fn summary(report: &Report, groups: &[&Judged]) -> Page {
    let mut sheet = Sheet::new("Summary")?;
    let run = &report.run;
    let days =
        run.window.map(|(a, b)| format!("{} to {} ({})", time::show_day(a), time::show_day(b), run.tz));
    let totals = &report.totals;
    let named = |name: &str, cell: Cell| vec![Cell::word(name), cell];
    let mut rows = vec![
        named("clickaudit", Cell::word(run.version)),
        named("days", days.map_or(Cell::Empty, Cell::Text)),
        named("exports reach up to", run.as_of.map_or(Cell::Empty, |t| Cell::Text(time::show(t)))),
        named("grouped by", Cell::Text(run.grain.to_string())),
        named("view", Cell::word(run.perspective)),
        named("currency", Cell::data(run.currency.as_ref())),
        named("personal values", Cell::word(run.pii.word())),
        named("clicks", Cell::count(totals.clicks)),
        named("conversions", Cell::count(totals.conversions)),
        named("cost", Cell::money(totals.cost)),
        named("revenue", Cell::money(totals.revenue)),
        named("profit", Cell::money(totals.profit)),
        named("payout", Cell::money(totals.payout)),
    ];
    if let Some(claim) = claimed(report, report.groups.iter()) {
        rows.push(named("can be claimed back", Cell::Money(claim.total)));
        rows.push(named("of that", Cell::Text(claim.told())));
    }
    for verdict in [Verdict::Block, Verdict::Hold, Verdict::Watch, Verdict::Clean, Verdict::Undecided] {
        let of = groups.iter().filter(|g| g.verdict == verdict);
        let at_risk =
            of.clone().filter_map(|g| g.money_at_risk).reduce(|a, b| Micro(a.0.saturating_add(b.0)));
        let row = [Cell::Text(format!("sources: {}", verdict.word())), Cell::count(of.count() as u64)];
        rows.push(row.into_iter().chain([Cell::money(at_risk)]).collect());
    }
    let mut gates: Vec<_> = report.coverage.gates.iter().collect();
    gates.sort();
    rows.extend(gates.into_iter().map(|g| named("not judged", Cell::data(Some(&g.sentence)))));
    rows.extend(lists(report));
    sheet.header(&["".to_owned(), "value".to_owned(), "money at risk".to_owned()], rows.len())?;
    sheet.rows(rows.into_iter())?;
    sheet.done()
}

/// What changed since the night before, or since an earlier run; no sheet where neither is known.
fn changes(report: &Report) -> std::result::Result<Option<Worksheet>, rust_xlsxwriter::XlsxError> {
    let Some(news) = &report.news else { return Ok(None) };
    let mut sheet = Sheet::new("Changes")?;
    let currency = report.run.currency.as_ref().map_or(String::new(), |c| format!(" {}", c.xlsx()));
    sheet.line(&news.headline(&currency))?;
    for note in &news.notes {
        sheet.line(&Text::of_user(note.as_str()).xlsx())?;
    }
    let word = |word: &str| Cell::Text(Text::new(word).xlsx());
    let row = |key: &[Option<Text>], rest: [Cell; 5]| -> Vec<Cell> {
        key.iter().map(|part| Cell::data(part.as_ref())).chain(rest).collect()
    };
    let moved = news.moved.iter().map(|moved| {
        let from = moved.from.as_deref().map_or(Cell::Empty, word);
        let why = moved.why.as_deref().map_or(Cell::Empty, word);
        let change = Cell::word(moved.change.word());
        row(&moved.key, [change, from, word(&moved.to), Cell::money(moved.at_risk), why])
    });
    let gone = news
        .gone
        .iter()
        .map(|(key, was)| row(key, [Cell::word("gone"), word(was), Cell::Empty, Cell::Empty, Cell::Empty]));
    let first = news.arrived.named.iter().map(|first| {
        let clicks = Cell::Text(phrase::counted(first.clicks, "click", "clicks"));
        row(&first.key, [Cell::word("first seen"), Cell::Empty, word(&first.verdict), Cell::Empty, clicks])
    });
    let rows: Vec<Vec<Cell>> = moved.chain(gone).chain(first).take(FINDINGS).collect();
    let fixed = ["change", "from", "to", "money_at_risk", "why"].map(str::to_owned);
    let names: Vec<String> = key_names(report).chain(fixed).collect();
    sheet.header(&names, rows.len())?;
    sheet.rows(rows.into_iter())?;
    sheet.done().map(Some)
}

fn lists(report: &Report) -> Vec<Vec<Cell>> {
    let all =
        [("block", &report.lists.block), ("profit", &report.lists.profit), ("scale", &report.lists.scale)];
    let row = |(name, list): (&str, &List)| {
        let said = match list {
            List::Ready(listing) => Cell::count(listing.ids.len() as u64),
            List::Withheld(why) => Cell::of_rule(&format!("withheld: {why}")),
        };
        vec![Cell::Text(format!("list: {name}")), said]
    };
    all.into_iter().map(row).collect()
}

/// Flagged sources, then the largest of the others, up to the limit.
fn chosen<'r>(groups: &[&'r Judged<'r>]) -> Vec<&'r Judged<'r>> {
    let (flagged, mut others): (Vec<_>, Vec<_>) =
        groups.iter().copied().partition(|g| g.verdict <= Verdict::Watch);
    others.sort_by(|a, b| {
        b.subject.clicks.cmp(&a.subject.clicks).then_with(|| a.subject.key.cmp(&b.subject.key))
    });
    flagged.into_iter().chain(others).take(SOURCES).collect()
}

fn sources(report: &Report, groups: &[&Judged]) -> Page {
    let mut sheet = Sheet::new("Sources")?;
    let shown = chosen(groups);
    if shown.len() < groups.len() {
        let text = format!(
            "{} of {} sources: the flagged ones, then the largest. The CSV and the JSON report have all.",
            phrase::count(shown.len() as u64),
            phrase::count(groups.len() as u64)
        );
        sheet.line(&text)?;
    }
    let present: Vec<&'static Signal> = signals::all()
        .iter()
        .copied()
        // The cost stands among the fixed columns.
        .filter(|s| s.name != "cost" && shown.iter().any(|g| g.subject.row.reading(s).estimate().is_some()))
        .collect();
    let fixed = [
        "verdict",
        "class",
        "score",
        "q",
        "protected",
        "clicks",
        "cost",
        "money_at_risk",
        "claw_back",
        "rules",
    ];
    let names: Vec<String> = key_names(report)
        .chain(fixed.iter().map(|name| (*name).to_owned()))
        .chain(present.iter().map(|s| s.name.to_owned()))
        .collect();
    sheet.header(&names, shown.len())?;
    sheet.rows(shown.into_iter().map(|group| source(group, &present)))?;
    sheet.done()
}

fn key_names(report: &Report) -> impl Iterator<Item = String> {
    report.run.grain.columns().iter().map(|c| c.name().to_owned())
}

fn key(group: &Judged) -> Vec<Cell> {
    group.subject.key.iter().map(|part| Cell::data(part.as_ref())).collect()
}

fn source(group: &Judged, present: &[&'static Signal]) -> Vec<Cell> {
    let mut row = key(group);
    let rules: Vec<&str> = group.findings.iter().map(|f| f.rule.id.as_str()).collect();
    row.extend([
        Cell::word(group.verdict.word()),
        group.class.map_or(Cell::Empty, |c| Cell::word(c.word())),
        group.score().map_or(Cell::Empty, |s| Cell::number(Unit::Ratio, s)),
        Cell::plain(group.subject.profile.q),
        Cell::word(if group.protected { "yes" } else { "no" }),
        Cell::count(group.subject.clicks),
        Cell::money(group.subject.spend),
        Cell::money(group.money_at_risk),
        Cell::money(group.outlook.clawback.and_then(|c| c.total().amount)),
        Cell::of_rule(&rules.join(", ")),
    ]);
    let value = |signal: &&'static Signal| {
        let estimate = group.subject.row.reading(signal).estimate();
        estimate.map_or(Cell::Empty, |e| Cell::number(signal.unit, e.value()))
    };
    row.extend(present.iter().map(value));
    row
}

fn findings(report: &Report, groups: &[&Judged]) -> Page {
    let mut sheet = Sheet::new("Findings")?;
    let all = told(groups);
    capped(&mut sheet, all.len(), "findings")?;
    let fixed =
        ["verdict", "rule", "title", "class", "action", "reduced", "money", "in words", "effect", "would_be"];
    let names: Vec<String> = key_names(report).chain(fixed.map(str::to_owned)).collect();
    let rows = all.len().min(FINDINGS);
    sheet.header(&names, rows)?;
    sheet.rows(all.into_iter().take(FINDINGS).map(|(group, finding, idle)| {
        let mut row = key(group);
        row.extend([
            Cell::word(group.verdict.word()),
            Cell::of_rule(&finding.rule.id),
            Cell::of_rule(&finding.title),
            Cell::word(finding.rule.class.word()),
            Cell::word(finding.action.word()),
            finding.reduced.map_or(Cell::Empty, Cell::word),
            Cell::money(finding.money),
            Cell::of_rule(&phrase::finding(finding)),
            effect(idle),
            Cell::word(group.would_be.word()),
        ]);
        row
    }))?;
    sheet.done()
}

/// All findings: those that act, then those without effect and why they have none.
fn told<'g, 'r>(groups: &[&'g Judged<'r>]) -> Vec<(&'g Judged<'r>, &'g Finding<'r>, Option<&'g Because>)> {
    let active = groups.iter().flat_map(|g| g.findings.iter().map(move |f| (*g, f, None)));
    let idle = groups.iter().flat_map(|g| g.idle.iter().map(move |i| (*g, &i.finding, Some(&i.because))));
    active.chain(idle).collect()
}

/// `yes`, or `none: suppressed until 2026-06-30 by ana: one-tap offers`.
fn effect(idle: Option<&Because>) -> Cell {
    idle.map_or(Cell::word("yes"), |because| Cell::of_rule(&format!("none: {}", phrase::because(because))))
}

fn capped(sheet: &mut Sheet, all: usize, what: &str) -> Made {
    if all <= FINDINGS {
        return Ok(());
    }
    let (shown, all) = (phrase::count(FINDINGS as u64), phrase::count(all as u64));
    sheet.line(&format!("The first {shown} of {all} {what}. The JSON report has all."))
}

fn evidence(report: &Report, groups: &[&Judged]) -> Page {
    let mut sheet = Sheet::new("Evidence")?;
    let findings = told(groups);
    let all: usize = findings.iter().map(|(_, finding, _)| finding.evidence.len()).sum();
    capped(&mut sheet, all, "tests")?;
    let fixed = [
        "rule",
        "effect",
        "signal",
        "value",
        "n",
        "low",
        "high",
        "test",
        "limit",
        "confidence",
        "peers",
        "summary",
    ];
    let names: Vec<String> = key_names(report).chain(fixed.map(str::to_owned)).collect();
    sheet.header(&names, all.min(FINDINGS))?;
    let rows = findings.iter().flat_map(|told| told.1.evidence.iter().map(move |e| (told, e)));
    sheet.rows(rows.take(FINDINGS).map(|((group, finding, idle), evidence)| {
        let mut row = key(group);
        row.extend([Cell::of_rule(&finding.rule.id), effect(*idle)]);
        row.extend(test(evidence));
        row
    }))?;
    sheet.done()
}

fn test(evidence: &Evidence) -> Vec<Cell> {
    let unit = evidence.signal.unit;
    let (low, high) = evidence.estimate.at(evidence.confidence);
    vec![
        Cell::word(evidence.signal.name),
        Cell::number(unit, evidence.estimate.value()),
        Cell::count(evidence.estimate.n),
        Cell::number(unit, low),
        Cell::number(unit, high),
        Cell::word(evidence.limit.word()),
        Cell::Text(evidence.limit.text(unit)),
        Cell::number(Unit::Share, evidence.confidence),
        evidence.versus.as_ref().map_or(Cell::Empty, |v| Cell::number(unit, v.expected)),
        Cell::word(evidence.signal.summary),
    ]
}

/// Rules by what they said of the groups they were asked about.
fn rules(tallies: &[RuleTally]) -> Page {
    let mut sheet = Sheet::new("Rules")?;
    let names = ["rule", "title", "class", "action", "status", "family", "fires", "silent", "unknown", "why"];
    sheet.header(&names.map(str::to_owned), tallies.len())?;
    sheet.rows(tallies.iter().map(|tally| {
        let rule = tally.rule;
        vec![
            Cell::of_rule(&rule.id),
            Cell::of_rule(&rule.title),
            Cell::word(rule.class.word()),
            Cell::word(rule.action.word()),
            Cell::word(rule.status.word()),
            Cell::word(rule.family.word()),
            Cell::count(tally.fires),
            Cell::count(tally.silent),
            Cell::count(tally.unknown),
            Cell::of_rule(rule.why.split_whitespace().collect::<Vec<_>>().join(" ").as_str()),
        ]
    }))?;
    sheet.done()
}

fn quality(report: &Report) -> Page {
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    let mut inputs: Vec<&InputInfo> = report.run.inputs.iter().collect();
    inputs.sort_by_key(|i| (i.side, &i.path, &i.digest));
    for input in inputs {
        let about = |what: &str, n: u64, why: Cell| {
            vec![Cell::data(Some(&input.path)), Cell::word(what), Cell::count(n), why]
        };
        rows.push(about(
            "rows read",
            input.rows.read,
            Cell::Text(format!("{}, {}", input.side, input.digest)),
        ));
        let rejected = input.rows.rejected.iter();
        rows.extend(rejected.map(|(why, n)| about("rows rejected", *n, Cell::of_rule(why))));
    }
    let whole = |what: &str, n: u64, why: Cell| vec![Cell::Empty, Cell::word(what), Cell::count(n), why];
    let coverage = &report.coverage;
    for (side, counts) in [("clicks", &coverage.clicks), ("conversions", &coverage.conversions)] {
        let Some(counts) = counts else { continue };
        rows.push(whole(&format!("{side}: rows used"), counts.used, Cell::Text(phrase::rows_of(counts))));
        let repeated = counts.duplicate.iter();
        rows.extend(
            repeated.map(|(why, n)| whole(&format!("{side}: rows repeated"), *n, Cell::of_rule(why))),
        );
    }
    let classes = report.coverage.classes.table();
    rows.extend(classes.iter().map(|(_, words, n)| whole("conversions", *n, Cell::word(words))));
    let mut absent: Vec<_> = report.coverage.absent.iter().collect();
    absent.sort();
    rows.extend(absent.into_iter().map(|a| {
        whole("sources without the signal", a.groups, Cell::of_rule(&format!("{}: {}", a.signal, a.reason)))
    }));
    for incident in &report.incidents {
        let (first, last) = (time::show_day(incident.first_day), time::show_day(incident.last_day));
        let name = incident.unit.as_ref().map(|(column, name)| format!("{column} {}", name.xlsx()));
        let name = name.unwrap_or_else(|| "the whole input".to_owned());
        let why = Cell::Text(format!("{name}: conversions missing from {first} to {last}"));
        rows.push(whole("incident: conversions seen", incident.observed, why));
    }
    let mut notes: Vec<&Text> = report.coverage.notes.iter().collect();
    notes.sort();
    rows.extend(
        notes.into_iter().map(|n| vec![Cell::Empty, Cell::word("note"), Cell::Empty, Cell::data(Some(n))]),
    );
    let mut sheet = Sheet::new("Data quality")?;
    sheet.header(&["input", "what", "count", "reason"].map(str::to_owned), rows.len())?;
    sheet.rows(rows.into_iter())?;
    sheet.done()
}

pub const FORMAT: Format = Format {
    name: "xlsx",
    summary: "a workbook: summary, sources, findings, evidence, rules, data quality",
    list: false,
    kind: Kind::Binary,
    pictures: 0,
    render,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::HOSTILE;
    use crate::report::sample;
    use crate::verdicts::Idle;

    #[test]
    fn any_text_makes_a_workbook() {
        let rules = sample::rules();
        for text in HOSTILE {
            let mut report = sample::hostile(&rules, text);
            assert!(changes(&report).unwrap().is_none());
            report.news = Some(sample::news(text));
            assert!(changes(&report).unwrap().is_some());
            let bytes = workbook(&report).unwrap_or_else(|e| panic!("{text:?}: {e}"));
            assert!(bytes.starts_with(b"PK"));
        }
    }

    #[test]
    fn findings_without_effect_stand_behind_the_others_and_say_why() {
        let rules = sample::rules();
        let mut report = sample::report(&rules);
        let finding = report.groups[0].findings.remove(0);
        report.groups[0].idle = vec![Idle { finding, because: Because::Observed }];
        let groups = report.audited();
        let all = told(&groups);
        let (group, finding, because) = all.last().expect("there are findings");
        assert_eq!((group.verdict, finding.rule.id.as_str()), (Verdict::Block, "conversions-too-fast"));
        assert!(matches!(effect(*because), Cell::Text(words) if words == "none: observed"));
        assert!(all[..all.len() - 1].iter().all(|(_, _, because)| because.is_none()));
    }

    #[test]
    fn a_cap_keeps_the_flagged_and_then_the_largest() {
        let rules = sample::rules();
        let mut report = sample::watched(&rules, SOURCES + 5);
        for (at, group) in report.groups.iter_mut().enumerate() {
            group.subject.clicks = at as u64;
            group.verdict = if at < 3 { Verdict::Hold } else { Verdict::Clean };
        }
        let groups = report.ordered();
        let shown = chosen(&groups);
        assert_eq!(shown.len(), SOURCES);
        assert!(shown[..3].iter().all(|g| g.verdict == Verdict::Hold));
        assert_eq!(shown[3].subject.clicks, SOURCES as u64 + 4);
        assert!(shown.iter().all(|g| g.verdict == Verdict::Hold || g.subject.clicks >= 8));
    }
}
