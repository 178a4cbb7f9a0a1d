//! One JSON object a line as records of the header's width.

use super::{FIELD_CAP, MOST_KEYS, Parser, RECORD_CAP, TextSummary};
use crate::base::column::Kind;
use crate::ingest::columns::RowBuilder;
use crate::ingest::json::{self, Leaf};
use crate::ingest::mapping::folded;
use crate::ingest::reject::Reason;
use std::borrow::Cow;
use std::collections::BTreeSet;

impl Parser<'_> {
    /// Reads one object a line.
    pub fn objects(&self, bytes: &[u8], first: u64, rows: &mut RowBuilder, summary: &mut TextSummary) {
        let mut object = Object::new(self);
        for (at, line) in bytes.split_inclusive(|&b| b == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() {
                summary.blank_lines += 1;
                continue;
            }
            summary.rows += 1;
            let pushed = object.read(line, &mut summary.late_keys).and_then(|record| rows.push(record));
            if let Err(reason) = pushed {
                summary.rejects.add(first + at as u64, reason, line);
            }
        }
    }
}

/// Turns the objects of a chunk into records of the header's width.
struct Object<'a> {
    parser: &'a Parser<'a>,
    record: csv::StringRecord,
    /// The text of each field of the row, and whether the line said it.
    fields: Vec<(bool, String)>,
    /// Fields that are read as numbers: JSON's way to write these is translated.
    numeric: Vec<bool>,
}

impl<'a> Object<'a> {
    fn new(parser: &'a Parser<'a>) -> Object<'a> {
        let mut numeric = vec![false; parser.layout.width];
        for (col, &at) in &parser.layout.places {
            numeric[at] = matches!(col.kind(), Kind::Money | Kind::Count | Kind::Time);
        }
        let fields = vec![(false, String::new()); parser.layout.width];
        Object { parser, record: csv::StringRecord::new(), fields, numeric }
    }

    /// The record of one line.
    fn read(
        &mut self,
        line: &[u8],
        late: &mut BTreeSet<String>,
    ) -> std::result::Result<&csv::StringRecord, Reason> {
        if line.len() > RECORD_CAP {
            return Err(Reason::TooLong);
        }
        let text = std::str::from_utf8(line).map_err(|_| Reason::NotUtf8)?;
        for (said, text) in &mut self.fields {
            *said = false;
            text.clear();
        }
        let (mut next, mut fault) = (0, None);
        let whole = json::flatten(text, &mut |path, leaf| match self.place(path, next) {
            Some(at) => {
                next = at + 1;
                fault = fault.or(self.set(at, leaf).err());
            }
            None => self.miss(path, late),
        });
        whole.map_err(|json::NoJson| Reason::NotJson)?;
        fault.map_or(Ok(()), Err)?;
        self.record.clear();
        self.fields.iter().for_each(|(_, text)| self.record.push_field(text));
        Ok(&self.record)
    }

    /// Where a key stands; objects mostly have their keys in one order.
    fn place(&self, path: &[u8], next: usize) -> Option<usize> {
        let names = &self.parser.header.names;
        let expected = names.get(next).is_some_and(|name| name.as_bytes() == path);
        if expected { Some(next) } else { self.parser.keys.get(path).copied() }
    }

    fn set(&mut self, at: usize, leaf: Leaf<'_>) -> std::result::Result<(), Reason> {
        let (said, field) = &mut self.fields[at];
        if std::mem::replace(said, true) {
            return Err(Reason::NotJson);
        }
        let text: Cow<'_, [u8]> = match leaf {
            Leaf::Null => Cow::Borrowed(b""),
            Leaf::Text(text) => text,
            Leaf::Number(raw) if self.numeric[at] => json::plain_number(raw, self.parser.layout.side.decimal),
            Leaf::Number(raw) | Leaf::Raw(raw) => Cow::Borrowed(raw),
        };
        if text.len() > FIELD_CAP {
            return Err(Reason::TooLong);
        }
        field.push_str(std::str::from_utf8(&text).map_err(|_| Reason::NotUtf8)?);
        Ok(())
    }

    /// A key that stood nowhere in the beginning of the file.
    fn miss(&self, path: &[u8], late: &mut BTreeSet<String>) {
        let name = String::from_utf8_lossy(path);
        if late.len() < MOST_KEYS && self.parser.asked.contains(&folded(&name)) {
            late.insert(name.into_owned());
        }
    }
}
