//! What is known: a table of labels, written by `simulate` or by hand.
//!
//! Every fault is found at once and points at its row. Refuses to choose: a source of two kinds is a fault, and so is
//! a number that is none.

use crate::base::diag::{self, BAD_LABEL, Diag, did_you_mean};
use crate::base::error::{Error, Result};
use crate::base::header::{normalise, separator};
use crate::base::text::Text;
use crate::base::unit::Unit;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Kinds that say a source is not fraudulent.
pub const HONEST: [&str; 5] = ["honest", "clean", "ok", "none", ""];

/// What a table of labels may say of a source; the first two it must.
const COLUMNS: [&str; 7] =
    ["source", "kind", "traffic_source", "strength", "conversions", "touched_payout", "since"];
const NEEDED: usize = 2;

/// A label: a source that is known to be fraudulent.
#[derive(Clone, Debug)]
pub struct Planted {
    pub traffic_source: Option<String>,
    pub source: String,
    /// In small letters.
    pub kind: String,
    /// The share of the clicks or conversions that the fraud touches; `None` where nobody knows.
    pub strength: Option<f64>,
    /// The day on which it began, as written.
    pub since: Option<String>,
    pub conversions: Option<u64>,
    /// Micro-units.
    pub touched_payout: Option<i64>,
    /// The line that says so, from 1.
    pub line: usize,
}

/// Labels by traffic source and source, with their places.
type Known = BTreeMap<(Option<String>, String), (Planted, Range<usize>)>;

/// The labels of a table such as `planted.csv`: `source` and `kind`, and where they are known `traffic_source`,
/// `strength`, `conversions`, `touched_payout` and `since`. A source that is labelled several times with one kind counts
/// once, with the strongest label; one of a kind in [`HONEST`] is no label.
///
/// # Errors
/// Every fault of the table, with its place.
pub fn truth(text: &str, file: &str) -> Result<Vec<Planted>> {
    let mut table = Table { text: Arc::from(text), file, faults: Vec::new() };
    let labels = table.labels();
    diag::sort(&mut table.faults);
    if table.faults.is_empty() {
        return Ok(labels.into_iter().filter(|label| !HONEST.contains(&label.kind.as_str())).collect());
    }
    Err(Error::input(format!("{file} is no usable table of labels\n{}", diag::plain(&table.faults))))
}

struct Table<'a> {
    text: Arc<str>,
    file: &'a str,
    faults: Vec<Diag>,
}

/// A row with the places of its cells.
struct Row<'r> {
    record: &'r csv::StringRecord,
    /// The row in the text, without its end.
    span: Range<usize>,
    line: usize,
    text: &'r str,
}

impl Row<'_> {
    /// The cell, if it is not empty.
    fn cell(&self, at: Option<usize>) -> Option<&str> {
        at.and_then(|at| self.record.get(at)).map(str::trim).filter(|cell| !cell.is_empty())
    }

    /// Where the cell stands; the whole row where that cannot be told.
    fn place(&self, at: usize) -> Range<usize> {
        let mut from = self.span.start;
        for (nth, field) in self.record.iter().enumerate() {
            let Some(found) = self.text.get(from..self.span.end).and_then(|rest| rest.find(field)) else {
                break;
            };
            from += found;
            if nth == at {
                return from..(from + field.len()).max(from);
            }
            from += field.len();
        }
        self.span.clone()
    }
}

impl Table<'_> {
    fn fault(&mut self, span: Range<usize>, message: impl Into<String>, help: impl Into<Option<String>>) {
        let mut fault = Diag::new(&BAD_LABEL, self.file, message).at(&self.text, span);
        fault.help = help.into();
        self.faults.push(fault);
    }

    /// All labels, one a source, in the order of the sources.
    fn labels(&mut self) -> Vec<Planted> {
        let text = Arc::clone(&self.text);
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator(first.as_bytes()))
            .from_reader(text.as_bytes());
        let mut columns = None;
        let mut by_source = Known::new();
        for record in reader.records() {
            let record = match record {
                Ok(record) => record,
                Err(cause) => {
                    self.fault(0..0, format!("the table cannot be read: {cause}"), None);
                    break;
                }
            };
            let row = row(&text, &record);
            match &columns {
                None => match self.header(&row) {
                    Some(found) => columns = Some((found, record.len())),
                    None => return Vec::new(),
                },
                Some((places, width)) => {
                    if let Some(label) = self.label(&row, places, *width) {
                        self.add(label, row.span, &mut by_source);
                    }
                }
            }
        }
        if columns.is_none() {
            self.fault(0..0, "the table of labels is empty", "write a header line: source,kind".to_owned());
        }
        by_source.into_values().map(|(label, _)| label).collect()
    }

    /// Where the columns stand.
    fn header(&mut self, row: &Row) -> Option<[Option<usize>; COLUMNS.len()]> {
        let names: Vec<String> = row.record.iter().map(normalise).collect();
        let places = COLUMNS.map(|column| names.iter().position(|name| name == column));
        for column in COLUMNS.iter().filter(|column| names.iter().filter(|name| name == column).count() > 1) {
            self.fault(row.span.clone(), format!("the column `{column}` stands there twice"), None);
        }
        let missing: Vec<&str> =
            (0..NEEDED).filter(|&at| places[at].is_none()).map(|at| COLUMNS[at]).collect();
        for column in &missing {
            let near = did_you_mean(column, names.iter().map(String::as_str));
            let needs =
                "a table of labels needs the columns source and kind, as `simulate` writes them".to_owned();
            self.fault(row.span.clone(), format!("there is no column `{column}`"), near.unwrap_or(needs));
        }
        (missing.is_empty() && self.faults.is_empty()).then_some(places)
    }

    fn label(
        &mut self,
        row: &Row,
        columns: &[Option<usize>; COLUMNS.len()],
        width: usize,
    ) -> Option<Planted> {
        let before = self.faults.len();
        if row.record.len() != width {
            let message = format!("the row has {} fields, the header {width}", row.record.len());
            self.fault(
                row.span.clone(),
                message,
                "quote a cell that has the separator in it: \"a,b\"".to_owned(),
            );
            return None;
        }
        let [source, kind, traffic_source, strength, conversions, payout, since] =
            columns.map(|at| row.cell(at));
        if source.is_none() {
            self.fault(
                row.span.clone(),
                "the row names no source",
                "leave the row out, or name it".to_owned(),
            );
        }
        let share = |text: &str| Unit::Share.parse(text).ok().filter(|share| (0.0..=1.0).contains(share));
        let amount = |text: &str| text.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0);
        let label = Planted {
            traffic_source: traffic_source.map(str::to_owned),
            source: source.unwrap_or_default().to_owned(),
            kind: kind.unwrap_or_default().to_lowercase(),
            strength: self.number(row, columns[3], strength, "strength between 0 and 1", share),
            since: since.map(str::to_owned),
            conversions: self.number(row, columns[4], conversions, "whole number", |text| text.parse().ok()),
            touched_payout: self
                .number(row, columns[5], payout, "amount", amount)
                .map(|n| (n * 1e6).round() as i64),
            line: row.line,
        };
        (self.faults.len() == before).then_some(label)
    }

    /// The number of a cell; `None` where it is empty, or a fault.
    fn number<T>(
        &mut self,
        row: &Row,
        at: Option<usize>,
        text: Option<&str>,
        what: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = text?;
        let number = read(text);
        if number.is_none() {
            let help = "write it with a point, such as 0.3, or leave the cell empty".to_owned();
            self.fault(
                row.place(at.unwrap_or(0)),
                format!("`{}` is no {what}", Text::new(text).term(40)),
                help,
            );
        }
        number
    }

    /// Keeps a label, beside or in place of an earlier one of the same source.
    fn add(&mut self, label: Planted, span: Range<usize>, by_source: &mut Known) {
        let key = (label.traffic_source.clone(), label.source.clone());
        let Some((known, _)) = by_source.get(&key) else {
            by_source.insert(key, (label, span));
            return;
        };
        let honest = |kind: &str| HONEST.contains(&kind);
        if label.kind != known.kind && !(honest(&label.kind) && honest(&known.kind)) {
            let name = Text::new(label.source.as_str()).term(40);
            let kind =
                |kind: &str| if kind.is_empty() { "honest".to_owned() } else { Text::new(kind).term(40) };
            let message = format!(
                "`{name}` is {} here and {} in line {}",
                kind(&label.kind),
                kind(&known.kind),
                known.line
            );
            let help = "keep one of the two, or tell sources of one name apart by a column traffic_source";
            return self.fault(span, message, help.to_owned());
        }
        if label.strength > known.strength {
            by_source.insert(key, (label, span));
        }
    }
}

/// The row of a record, with where it stands.
fn row<'r>(text: &'r str, record: &'r csv::StringRecord) -> Row<'r> {
    let position = record.position();
    let start = position.map_or(0, |p| p.byte() as usize).min(text.len());
    // The record may begin after empty lines and ends with its own line.
    let start = start + text[start..].bytes().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    let end = text[start..].find(['\r', '\n']).map_or(text.len(), |n| start + n);
    Row { record, span: start..end, line: 1 + text[..start].matches('\n').count(), text }
}
