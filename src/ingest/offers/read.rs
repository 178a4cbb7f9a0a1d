//! The text of an offers file as terms, with the place of every fault.
//!
//! A file of some dozens of rows that people write: every fault is found at once and points at its cell. The
//! strict reader of exports rejects rows and goes on; here nothing may be left out.

use super::Terms;
use super::columns::{COLUMNS, Column, by_name, unknown_place};
use crate::base::diag::{self, BAD_OFFER, Diag, did_you_mean};
use crate::base::header::{normalise, separator};
use crate::base::time::show_day;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// More rows are no table of offers.
const MOST_ROWS: usize = 100_000;

/// A cell and where it stands.
struct Cell {
    text: String,
    span: Range<usize>,
}

/// Reads the terms by offer, sorted by day.
///
/// # Errors
/// Every fault.
pub fn read(text: &str, file: &str) -> Result<BTreeMap<String, Vec<Terms>>, Vec<Diag>> {
    let mut table = Reading { text: Arc::from(text), file, faults: Vec::new() };
    let offers = table.offers();
    diag::sort(&mut table.faults);
    if table.faults.is_empty() { Ok(offers) } else { Err(table.faults) }
}

struct Reading<'a> {
    text: Arc<str>,
    file: &'a str,
    faults: Vec<Diag>,
}

impl Reading<'_> {
    fn fault(&mut self, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        let mut fault = Diag::new(&BAD_OFFER, self.file, message).at(&self.text, span);
        fault.help = help;
        self.faults.push(fault);
    }

    fn offers(&mut self) -> BTreeMap<String, Vec<Terms>> {
        let text = Arc::clone(&self.text);
        let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let mut lines = lines(&text, start).filter(|line| !text[line.clone()].trim().is_empty());
        let Some(header) = lines.next() else {
            let needed = "write a header line, such as `offer,from,model,payout,cap`";
            self.fault(0..0, "the offers file is empty", Some(needed.to_owned()));
            return BTreeMap::new();
        };
        let delimiter = char::from(separator(text[header.clone()].as_bytes()));
        let Some(columns) = self.header(header, delimiter) else { return BTreeMap::new() };
        let mut offers: BTreeMap<String, Vec<(Terms, Range<usize>)>> = BTreeMap::new();
        for line in lines.take(MOST_ROWS) {
            if let Some((offer, terms, span)) = self.row(line, delimiter, &columns) {
                offers.entry(offer).or_default().push((terms, span));
            }
        }
        offers.into_iter().map(|(offer, dated)| (offer, self.dated(dated))).collect()
    }

    /// The columns of the header, in its order.
    fn header(&mut self, line: Range<usize>, delimiter: char) -> Option<Vec<&'static Column>> {
        let text = Arc::clone(&self.text);
        let known = by_name();
        let mut columns: Vec<&'static Column> = Vec::new();
        let mut whole = true;
        for cell in self.cells(&text, line.clone(), delimiter)? {
            let name = normalise(&cell.text);
            match known.get(name.as_str()) {
                Some(column) if columns.iter().any(|c| c.name == column.name) => {
                    self.fault(
                        cell.span,
                        format!("the column `{name}` stands there twice"),
                        Some("keep one of them".to_owned()),
                    );
                    whole = false;
                }
                Some(column) => columns.push(column),
                None => {
                    let help = did_you_mean(&name, COLUMNS.iter().map(|c| c.name));
                    self.fault(cell.span, format!("there is no column `{name}` in an offers file"), help);
                    whole = false;
                }
            }
        }
        for column in COLUMNS.iter().filter(|c| c.needed) {
            if whole && !columns.iter().any(|c| c.name == column.name) {
                self.fault(
                    line.clone(),
                    format!("the column `{}` is missing", column.name),
                    Some(format!("it holds {}", column.summary)),
                );
                whole = false;
            }
        }
        whole.then_some(columns)
    }

    fn row(
        &mut self,
        line: Range<usize>,
        delimiter: char,
        columns: &[&'static Column],
    ) -> Option<(String, Terms, Range<usize>)> {
        let text = Arc::clone(&self.text);
        let cells = self.cells(&text, line.clone(), delimiter)?;
        if cells.len() != columns.len() {
            let message = format!("the row has {} fields, the header {}", cells.len(), columns.len());
            self.fault(line, message, Some("quote a cell that has the separator in it: \"a,b\"".to_owned()));
            return None;
        }
        let mut terms = Terms::default();
        let mut offer = None;
        let (before, mut payout) = (self.faults.len(), line.clone());
        for (cell, column) in cells.iter().zip(columns) {
            match column.name {
                "offer" if cell.text.is_empty() => {
                    self.fault(
                        cell.span.clone(),
                        "the row names no offer",
                        Some("write it exactly as the exports do".to_owned()),
                    );
                }
                "offer" => offer = Some((cell.text.clone(), cell.span.clone())),
                "payout" => payout = cell.span.clone(),
                _ => {}
            }
            if cell.text.is_empty() {
                continue;
            }
            if let Err(wrong) = (column.read)(&mut terms, &cell.text) {
                self.fault(
                    cell.span.clone(),
                    format!("{}: `{}` {}", column.name, cell.text, wrong.message),
                    wrong.help,
                );
            }
        }
        if let Some(wrong) = unknown_place(&terms).filter(|_| self.faults.len() == before) {
            self.fault(payout, format!("payout: {}", wrong.message), wrong.help);
        }
        offer.map(|(offer, span)| (offer, terms, span))
    }

    /// The rows of an offer by day; two of one day contradict each other.
    fn dated(&mut self, mut dated: Vec<(Terms, Range<usize>)>) -> Vec<Terms> {
        dated.sort_by_key(|(terms, span)| (terms.from, span.start));
        for pair in dated.windows(2).filter(|pair| pair[0].0.from == pair[1].0.from) {
            let from = pair[1].0.from.map_or("the beginning".to_owned(), show_day);
            let message = format!("a second row of the offer holds from {from}");
            self.fault(
                pair[1].1.clone(),
                message,
                Some("give it another day in `from`, or keep one of them".to_owned()),
            );
        }
        dated.into_iter().map(|(terms, _)| terms).collect()
    }

    /// The fields of a line; `None` where a quote does not close.
    fn cells(&mut self, text: &str, line: Range<usize>, delimiter: char) -> Option<Vec<Cell>> {
        let mut cells = Vec::new();
        let mut at = line.start;
        loop {
            let (cell, next) = match cell(text, at..line.end, delimiter) {
                Some(found) => found,
                None => {
                    let help = "close it before the end of the line; a quote inside a cell is written twice";
                    self.fault(at..line.end, "a quote does not close", Some(help.to_owned()));
                    return None;
                }
            };
            cells.push(cell);
            match next {
                Some(next) => at = next,
                None => return Some(cells),
            }
        }
    }
}

/// One field from `range.start` on, and where the next one starts.
fn cell(text: &str, range: Range<usize>, delimiter: char) -> Option<(Cell, Option<usize>)> {
    let rest = &text[range.clone()];
    let blank = rest.len() - rest.trim_start_matches(' ').len();
    let Some(quoted) = rest[blank..].strip_prefix('"') else {
        let end = rest.find(delimiter);
        let raw = &rest[..end.unwrap_or(rest.len())];
        let from = range.start + (raw.len() - raw.trim_start().len());
        let trimmed = raw.trim();
        let cell = Cell { text: trimmed.to_owned(), span: from..from + trimmed.len() };
        return Some((cell, end.map(|end| range.start + end + delimiter.len_utf8())));
    };
    let mut content = String::new();
    let from = range.start + blank;
    let mut chars = quoted.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' if chars.peek().is_some_and(|(_, next)| *next == '"') => {
                chars.next();
                content.push('"');
            }
            '"' => {
                let after = &quoted[at + 1..];
                let end = after.find(delimiter);
                let clean = after[..end.unwrap_or(after.len())].trim().is_empty();
                let close = from + 1 + at + 1;
                let cell = Cell { text: content.trim().to_owned(), span: from..close };
                return clean.then(|| (cell, end.map(|end| close + end + delimiter.len_utf8())));
            }
            c => content.push(c),
        }
    }
    None
}

/// The lines of a text from a place on, without their ends.
fn lines(text: &str, start: usize) -> impl Iterator<Item = Range<usize>> {
    let mut at = start;
    std::iter::from_fn(move || {
        if at >= text.len() {
            return None;
        }
        let end = text[at..].find('\n').map_or(text.len(), |n| at + n);
        let line = at..end - usize::from(text[at..end].ends_with('\r'));
        at = end + 1;
        Some(line)
    })
}
