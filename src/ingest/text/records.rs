//! Delimited text as records: quotes, lines and widths, judged line by line.
//!
//! A record never spans lines unless the mapping says so: an opened and never closed quote costs its own
//! line and nothing else, and no attacker hides rows inside a quoted field.

use super::{FIELD_CAP, Parser, RECORD_CAP, TextSummary, csv_reader, newlines};
use crate::ingest::columns::RowBuilder;
use crate::ingest::reject::Reason;
use std::ops::Range;

impl Parser<'_> {
    /// Whether the rest of a chunk is one record whose quote is still open, and short enough to be one.
    pub fn is_open(&self, rest: &[u8]) -> bool {
        !self.layout.multiline
            && rest.len() <= RECORD_CAP
            && quoting(rest, self.header.delimiter()) == Quoting::Open
    }

    /// Reads records from byte `at`, where a line begins, until the end, until a record stays open at the end,
    /// or until a line must be rejected and the reader set behind it; returns where to go on.
    pub fn run(
        &self,
        bytes: &[u8],
        at: usize,
        line: u64,
        rows: &mut RowBuilder,
        summary: &mut TextSummary,
    ) -> (usize, u64) {
        let mut reader = csv_reader(&bytes[at..], self.header.delimiter());
        let mut record = Record::default();
        let (mut from, mut line) = (at, line);
        // Where the record before ends: its line end is none of a blank line.
        let mut before: Option<usize> = None;
        while let Ok(true) = reader.read_byte_record(&mut record.bytes) {
            let to = at + reader.position().byte() as usize;
            let raw = physical(bytes, from..to);
            line += newlines(&bytes[from..raw.start]);
            summary.blank_lines += blank_lines(bytes, before.unwrap_or(at)..raw.start, before.is_some());
            let text = &bytes[raw.clone()];
            if to == bytes.len() && from > at && self.is_open(text) {
                return (raw.start, line);
            }
            let several = memchr::memchr(b'\n', text).is_some();
            if several && !self.layout.multiline {
                let length = self.refuse_lines(&record.bytes, text, line, summary);
                let end = raw.start + length;
                let next = end + if bytes[end - 1] == b'\n' { 0 } else { line_end(&bytes[end..]) };
                return (next, line + newlines(&bytes[raw.start..next]));
            }
            self.record(&mut record, text, line, rows, summary);
            line += newlines(&bytes[if several { raw.start } else { raw.end }..to]);
            (from, before) = (to, Some(raw.end));
        }
        summary.blank_lines += blank_lines(bytes, before.unwrap_or(at)..bytes.len(), before.is_some());
        (bytes.len(), line)
    }

    /// Rejects a record that spans lines and says how many bytes of it to pass over. A field that closes
    /// properly was meant to span them, and its lines are no rows: all are rejected, since who writes a user
    /// agent with line ends could forge rows. A quote that never closes costs its own line only.
    fn refuse_lines(
        &self,
        record: &csv::ByteRecord,
        text: &[u8],
        line: u64,
        summary: &mut TextSummary,
    ) -> usize {
        let strict = text.len() <= RECORD_CAP && quoting(text, self.header.delimiter()) == Quoting::Closed;
        let closed = strict && record.len() == self.layout.width;
        let first = memchr::memchr(b'\n', text).map_or(text.len(), |end| end + 1);
        let length = if closed { text.len() } else { first };
        for (at, physical) in text[..length].split_inclusive(|&b| b == b'\n').enumerate() {
            summary.rows += 1;
            summary.rejects.add(line + at as u64, Reason::UnclosedQuote, physical.trim_ascii_end());
        }
        length
    }

    fn record(
        &self,
        record: &mut Record,
        raw: &[u8],
        line: u64,
        rows: &mut RowBuilder,
        summary: &mut TextSummary,
    ) {
        if raw == self.header.raw {
            summary.repeated_headers += 1;
            return;
        }
        summary.rows += 1;
        let fits = fits(&record.bytes, raw, self.layout.width);
        if let Err(reason) = fits.and_then(|()| record.as_text(|text| rows.push(text))) {
            summary.rejects.add(line, reason, raw);
        }
    }
}

/// A record, and the buffers of the one before: that it is text is checked once and not for every field.
#[derive(Default)]
struct Record {
    bytes: csv::ByteRecord,
    spare: Option<csv::ByteRecord>,
}

impl Record {
    /// Hands the record on as text; it is empty afterwards.
    fn as_text<T>(
        &mut self,
        each: impl FnOnce(&csv::StringRecord) -> std::result::Result<T, Reason>,
    ) -> std::result::Result<T, Reason> {
        let bytes = std::mem::replace(&mut self.bytes, self.spare.take().unwrap_or_default());
        let (outcome, buffers) = match csv::StringRecord::from_byte_record(bytes) {
            Ok(text) => (each(&text), text.into_byte_record()),
            Err(fault) => (Err(Reason::NotUtf8), fault.into_byte_record()),
        };
        self.spare = Some(buffers);
        outcome
    }
}

/// Lines without anything in a gap between two records, or before the first of a chunk.
fn blank_lines(bytes: &[u8], gap: Range<usize>, behind_a_record: bool) -> u64 {
    let mut rest = &bytes[gap];
    let mut ends = 0u64;
    while !rest.is_empty() {
        rest = &rest[line_end(rest).max(1)..];
        ends += 1;
    }
    ends.saturating_sub(u64::from(behind_a_record))
}

/// Bytes of the line end that a text begins with: `\n`, `\r\n` or `\r`.
fn line_end(text: &[u8]) -> usize {
    match text {
        [b'\r', b'\n', ..] => 2,
        [b'\n' | b'\r', ..] => 1,
        _ => 0,
    }
}

/// The bytes of a record without the line ends around it.
fn physical(bytes: &[u8], range: Range<usize>) -> Range<usize> {
    let is_end = |b: &u8| matches!(b, b'\n' | b'\r');
    let before = bytes[range.clone()].iter().take_while(|b| is_end(b)).count();
    let after = bytes[range.start + before..range.end].iter().rev().take_while(|b| is_end(b)).count();
    range.start + before..range.end - after
}

fn fits(record: &csv::ByteRecord, raw: &[u8], width: usize) -> std::result::Result<(), Reason> {
    if raw.len() > RECORD_CAP {
        return Err(Reason::TooLong);
    }
    if ends_inside_quotes(record, raw) {
        return Err(Reason::UnclosedQuote);
    }
    if record.len() != width {
        return Err(Reason::Ragged);
    }
    if raw.len() > FIELD_CAP && record.iter().any(|f| f.len() > FIELD_CAP) {
        return Err(Reason::TooLong);
    }
    Ok(())
}

/// How the quotes of a text stand, as RFC 4180 has them.
#[derive(PartialEq)]
enum Quoting {
    /// Every field that opens with a quote closes before a separator or the end.
    Closed,
    /// A field opens with a quote that nothing closes.
    Open,
    /// Something stands between a closing quote and the next separator.
    Loose,
}

fn quoting(text: &[u8], delimiter: u8) -> Quoting {
    let mut rest = text;
    while !rest.is_empty() {
        let Some((b'"', quoted)) = rest.split_first() else {
            let end = rest.iter().position(|&b| b == delimiter).map_or(rest.len(), |at| at + 1);
            rest = &rest[end..];
            continue;
        };
        let Some(after) = behind_closing_quote(quoted) else { return Quoting::Open };
        match after.split_first() {
            Some((&mark, next)) if mark == delimiter => rest = next,
            None => return Quoting::Closed,
            Some(_) => return Quoting::Loose,
        }
    }
    Quoting::Closed
}

/// What follows the quote that closes a field; a doubled quote stands for itself.
fn behind_closing_quote(quoted: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    loop {
        at += memchr::memchr(b'"', &quoted[at..])?;
        if quoted.get(at + 1) != Some(&b'"') {
            return Some(&quoted[at + 1..]);
        }
        at += 2;
    }
}

/// The last line of a chunk may open a quote that nothing closes: its last field then follows a quote at the
/// start of the field, and the raw text does not end with one.
fn ends_inside_quotes(record: &csv::ByteRecord, raw: &[u8]) -> bool {
    let Some(last) = record.get(record.len().wrapping_sub(1)) else { return false };
    let last = last.trim_ascii_end();
    let Some(quote) = raw.len().checked_sub(last.len() + 1) else { return false };
    let opens = quote == 0 || matches!(raw[quote - 1], b',' | b';' | b'\t' | b'|');
    raw[quote] == b'"' && opens && raw.ends_with(last) && raw.last() != Some(&b'"')
}
