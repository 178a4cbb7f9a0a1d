//! The report as a table for other programs: RFC 4180, one row per group, a stable header.
//!
//! Text cells are guarded against spreadsheets that run formulas; numbers are written bare, and an absent
//! value is an empty cell, never a zero.

use super::output::failed;
use super::{Change, Format, Kind, Look, Rendered, Report, json, phrase};
use crate::base::error::Result;
use crate::base::money::Micro;
use crate::base::text::Text;
use crate::base::time::show_day;
use crate::ingest::{FileLedger, Reject};
use crate::signals::{self, Reading};
use crate::verdicts::{Idle, Judged};
use std::io::Write;

/// Columns between the key and the signals.
const FIXED: &[&str] = &["verdict", "class", "protected", "clicks", "money_at_risk", "currency"];

/// Columns behind the reasons: estimates for ranking, and findings without effect; no evidence.
const OUTLOOK: &[&str] = &[
    "recoverable_now",
    "at_risk_expected",
    "expected_saving",
    "loss_keep",
    "loss_block",
    "cr_expected",
    "cr_expected_low",
    "cr_expected_high",
    "epc_expected",
    "cluster",
    "shared_sources",
    "scalable",
    "would_be",
    "without_effect",
];

/// Columns behind these: what earlier nights make of the group; empty without a store.
const NIGHTS: &[&str] = &["verdict_tonight", "change", "standing", "standing_since", "new_clicks"];

fn render(_: &Report, _: &Look) -> Result<Rendered> {
    Ok(Rendered::Streamed(write))
}

fn write(report: &Report, out: &mut dyn Write) -> Result<()> {
    let mut line = Vec::new();
    texts(&mut line, &header(report)).map_err(failed)?;
    // Groups of a rule's own grain have other key columns; they are in the JSON report.
    for group in report.audited() {
        line.extend_from_slice(LINE_END);
        out.write_all(&line).map_err(failed)?;
        line.clear();
        write_row(&mut line, report, group).map_err(failed)?;
    }
    line.extend_from_slice(LINE_END);
    out.write_all(&line).map_err(failed)
}

const LINE_END: &[u8] = b"\r\n";
/// Room for several cells of text.
const CELLS: usize = 512;

/// One group. There are hundreds of numbers in a row, none of which needs quotes: they are written as they are.
fn write_row(line: &mut Vec<u8>, report: &Report, group: &Judged) -> ::csv::Result<()> {
    texts(line, &fixed(report, group))?;
    group.subject.row.each().for_each(|(_, reading)| numbers(line, reading));
    let reasons: Vec<String> = group.findings.iter().map(phrase::finding).collect();
    let mut last = vec![text(Some(&Text::new(reasons.join(" | "))))];
    last.extend(outlook(group));
    last.extend(nights(report, group));
    line.push(b',');
    texts(line, &last)
}

/// Several cells, with quotes where they need them, without a line end.
fn texts(line: &mut Vec<u8>, cells: &[String]) -> ::csv::Result<()> {
    // Two for each group: they need little room each.
    let mut writer = ::csv::WriterBuilder::new()
        .terminator(::csv::Terminator::CRLF)
        .buffer_capacity(CELLS)
        .from_writer(&mut *line);
    writer.write_record(cells)?;
    writer.flush()?;
    drop(writer);
    line.truncate(line.len() - LINE_END.len());
    Ok(())
}

/// A writer of tables as RFC 4180 has them.
fn table<W: Write>(out: W) -> ::csv::Writer<W> {
    ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(out)
}

/// A cell of text from data.
pub fn text_cell(text: &Text) -> String {
    text.csv()
}

/// Whole tables of rows that are encoded already.
///
/// # Errors
/// None that a buffer in memory can have.
pub fn rows<R: AsRef<[String]>>(header: &[&str], rows: impl Iterator<Item = R>) -> Result<Vec<u8>> {
    let mut writer = table(Vec::new());
    writer.write_record(header).map_err(failed)?;
    for row in rows {
        writer.write_record(row.as_ref()).map_err(failed)?;
    }
    writer.into_inner().map_err(|e| failed(e.into_error()))
}

/// The rejected rows of all files: file, line, reason, and what was found there.
///
/// # Errors
/// None that a buffer in memory can have.
pub fn rejects<F: std::borrow::Borrow<FileLedger>>(files: &[F]) -> Result<Vec<u8>> {
    let of_file = |file: &F| {
        let file: &FileLedger = file.borrow();
        let path = Text::new(file.path.display().to_string()).csv();
        let row = |reject: &Reject| {
            [path.clone(), reject.line.to_string(), reject.reason.slug().to_owned(), reject.found.csv()]
        };
        file.rejects.kept.iter().map(row).collect::<Vec<_>>()
    };
    rows(&["file", "line", "reason", "found"], files.iter().flat_map(of_file))
}

fn header(report: &Report) -> Vec<String> {
    let mut header: Vec<String> = report.run.grain.columns().iter().map(|c| c.name().to_owned()).collect();
    header.extend(FIXED.iter().map(|&name| name.to_owned()));
    for signal in signals::all() {
        header.extend(["", "_n", "_low", "_high"].map(|part| format!("{}{part}", signal.name)));
    }
    header.push("reasons".to_owned());
    header.extend(OUTLOOK.iter().chain(NIGHTS).map(|&name| name.to_owned()));
    header
}

/// The cells before the signals.
fn fixed(report: &Report, group: &Judged) -> Vec<String> {
    let mut cells: Vec<String> = group.subject.key.iter().map(|part| text(part.as_ref())).collect();
    cells.extend([
        group.verdict.word().to_owned(),
        group.class.map_or("", |c| c.word()).to_owned(),
        group.protected.to_string(),
        group.subject.clicks.to_string(),
        group.money_at_risk.map_or(String::new(), Micro::to_cents),
        text(report.run.currency.as_ref()),
    ]);
    cells
}

/// What only observes and what is suppressed, with the rule of each.
fn idle(group: &Judged) -> String {
    let one = |idle: &Idle| format!("{} ({})", idle.finding.rule.id, phrase::because(&idle.because));
    let all: Vec<String> = group.idle.iter().map(one).collect();
    text(Some(&Text::new(all.join(" | "))))
}

fn outlook(group: &Judged) -> [String; OUTLOOK.len()] {
    let outlook = &group.outlook;
    let money = |amount: Option<Micro>| amount.map_or(String::new(), Micro::to_cents);
    let (loss, expected, shared) = (outlook.loss, outlook.expected, outlook.shared);
    let cr = expected.map(|e| e.cr);
    [
        money(outlook.recoverable_now),
        money(loss.map(|loss| loss.money_at_risk)),
        money(loss.map(|loss| loss.expected_saving)),
        money(loss.map(|loss| loss.loss_keep)),
        money(loss.map(|loss| loss.loss_block)),
        cell(cr.map(|cr| cr.mean)),
        cell(cr.map(|cr| cr.low)),
        cell(cr.map(|cr| cr.high)),
        cell(expected.and_then(|e| e.epc)),
        shared.map_or(String::new(), |shared| (shared.cluster + 1).to_string()),
        shared.map_or(0, |shared| shared.others).to_string(),
        outlook.scalable.to_string(),
        group.would_be.word().to_owned(),
        idle(group),
    ]
}

fn nights(report: &Report, group: &Judged) -> [String; NIGHTS.len()] {
    let Some(kept) = &group.kept else { return Default::default() };
    [
        kept.tonight.word().to_owned(),
        report.change(group).map_or("", Change::word).to_owned(),
        kept.state.standing.word().to_owned(),
        show_day(kept.state.since),
        kept.new_clicks.to_string(),
    ]
}

fn cell(value: Option<f64>) -> String {
    value.and_then(json::number).map_or(String::new(), |n| n.to_string())
}

fn text(text: Option<&Text>) -> String {
    text.map_or(String::new(), Text::csv)
}

/// Value, sample and limits, each behind a comma; nothing where the signal is absent.
fn numbers(line: &mut Vec<u8>, reading: &Reading) {
    let Some(estimate) = reading.estimate() else { return line.extend_from_slice(b",,,,") };
    line.push(b',');
    json::write_number(line, estimate.value());
    line.push(b',');
    json::write_count(line, estimate.n);
    let (low, high) = estimate.printed();
    for limit in [low, high] {
        line.push(b',');
        json::write_number(line, limit);
    }
}

pub const FORMAT: Format = Format {
    name: "csv",
    summary: "every group with every signal, its sample and its limits, for spreadsheets and other programs",
    list: false,
    kind: Kind::Text,
    pictures: 0,
    render,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::HOSTILE;
    use crate::report::sample;
    use crate::verdicts::{Kept, Standing, State, Verdict};

    fn parsed(report: &Report) -> Vec<::csv::StringRecord> {
        let bytes = render(report, &Look::PLAIN).unwrap().collected(report).unwrap().unwrap();
        let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(bytes.as_slice());
        reader.records().map(|r| r.unwrap()).collect()
    }

    #[test]
    fn the_sample_as_csv() {
        let rules = sample::rules();
        let report = sample::report(&rules);
        let bytes = render(&report, &Look::PLAIN).unwrap().collected(&report).unwrap().unwrap();
        let out = String::from_utf8(bytes).unwrap();
        assert!(out.lines().count() == 8 && out.ends_with("\r\n"));
        assert_eq!(sample::without_other_signals(&out), sample::CSV);
    }

    #[test]
    fn estimates_stand_behind_the_reasons() {
        let rules = sample::rules();
        let records = parsed(&sample::with_outlook(&rules));
        let (header, first) = (&records[0], &records[1]);
        let columns = header.iter().zip(first.iter()).skip(header.len() - NIGHTS.len() - OUTLOOK.len());
        let last: Vec<(&str, &str)> = columns.take(OUTLOOK.len()).collect();
        let expected = [
            ("recoverable_now", "96.50"),
            ("at_risk_expected", "400.00"),
            ("expected_saving", "1430.00"),
            ("loss_keep", "1600.00"),
            ("loss_block", "170.00"),
            ("cr_expected", "0.05"),
            ("cr_expected_low", "0.04"),
            ("cr_expected_high", "0.06"),
            ("epc_expected", "0.4"),
            ("cluster", "1"),
            ("shared_sources", "1"),
            ("scalable", "false"),
            ("would_be", "block"),
            ("without_effect", ""),
        ];
        assert_eq!(last, expected);
    }

    #[test]
    fn earlier_nights_stand_at_the_end() {
        let rules = sample::rules();
        let mut report = sample::report(&rules);
        let standing = Standing::Flagged;
        let kept = Kept {
            tonight: Verdict::Hold,
            before: Some(Verdict::Watch),
            state: State { standing, since: 20_526, ..State::default() },
            pin: None,
            pin_before: None,
            alarms: Vec::new(),
            new_clicks: 7,
        };
        report.groups.iter_mut().for_each(|group| group.kept = Some(Box::new(kept.clone())));
        let records = parsed(&report);
        let last: Vec<&str> = records[1].iter().skip(records[1].len() - NIGHTS.len()).collect();
        assert_eq!((&records[1][2], last), ("block", vec!["hold", "worse", "flagged", "2026-03-14", "7"]));
    }

    #[test]
    fn every_text_comes_back_as_it_was_guarded() {
        let rules = sample::rules();
        for hostile in HOSTILE {
            let records = parsed(&sample::hostile(&rules, hostile));
            assert_eq!(records.len(), 2);
            assert_eq!(records[0].len(), records[1].len());
            assert_eq!(&records[1][1], Text::new(*hostile).csv());
        }
    }
}
