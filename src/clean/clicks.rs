//! Click rows that share an ID or, where there is none, their whole content.
//!
//! One click is one ID at one time from one source. The same click exported twice is a duplicate row and
//! counted once; the same ID at another time or from another source is a reused ID: both clicks count. Which row
//! of one click counts is told by its text, so that an engine that compares texts keeps the same one.

use crate::base::column::Col;
use crate::base::error::Result;
use crate::base::spill::{Bound, Spill};
use crate::ingest::{Batch, Field, KeySet, Table, is_unexpanded_macro, key};
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// What is known of repeated click rows.
#[derive(Clone, Default)]
pub struct ClickDuplicates {
    /// Keys of click IDs that stand in more than one row.
    pub repeated: Arc<KeySet>,
    /// Of the rows with a repeated ID, those that count: by [`click_content`], how often.
    pub keep: HashMap<u64, u32>,
    /// Keys of IDs that more than one click uses.
    pub reused: KeySet,
    /// Rows that do not count.
    pub dropped: u64,
    /// IDs that stand under more than one source.
    pub conflicts: u64,
    /// Keys of rows without an ID that stand more than once, and how often.
    pub identical: HashMap<u64, u32>,
}

/// A click row with a repeated ID.
struct Row {
    id: Box<str>,
    /// The row is of the hit type that clicks are counted by.
    counts: bool,
    time: i64,
    source: u64,
    content: u64,
    /// [`Contents::text`].
    text: Box<str>,
}

/// Finds the repeated IDs of all clicks and settles which of their rows count. A visit and the click on its
/// landing page may share an ID: with a declared hit type each is looked at by itself.
///
/// # Errors
/// The clicks cannot be read.
pub fn duplicates(
    clicks: &Table,
    fields: &[Field],
    hit_type: Option<&str>,
    bound: Bound,
) -> Result<ClickDuplicates> {
    let repeated: KeySet = repeated(clicks, Field::Key(Col::ClickId), bound)?.into_keys().collect();
    let identical = repeated_rows(clicks, bound)?;
    let mut found = ClickDuplicates { repeated: Arc::new(repeated), identical, ..Default::default() };
    if !found.repeated.is_empty() {
        let rows = rows_of(clicks, &found.repeated, fields, hit_type)?;
        found.repeated = Arc::new(rows.iter().map(|r| key(r.id.as_bytes())).collect());
        settle(rows, &mut found);
    }
    Ok(found)
}

fn repeated_rows(clicks: &Table, bound: Bound) -> Result<HashMap<u64, u32>> {
    let has_rows_without_id = clicks.parts.iter().any(|p| p.layout.row_key);
    if has_rows_without_id { repeated(clicks, Field::Row, bound) } else { Ok(HashMap::new()) }
}

/// The keys that stand more than once, with their number. All keys are looked at, eight bytes each, those of one
/// part at a time.
fn repeated(clicks: &Table, field: Field, bound: Bound) -> Result<HashMap<u64, u32>> {
    let mut keys: Spill<u64> = Spill::new(bound);
    let parts = keys.parts() as u64;
    clicks.scan(&[field], None, &mut |batch| {
        let Some(column) = batch.keys(field) else { return Ok(()) };
        if parts == 1 {
            return keys.extend(0, column.iter().flatten());
        }
        column.iter().flatten().try_for_each(|key| keys.extend((key % parts) as usize, [key]))
    })?;
    let mut repeated = HashMap::new();
    for part in 0..keys.parts() {
        let mut keys = keys.take(part)?;
        keys.sort_unstable();
        let runs = keys.chunk_by(|a, b| a == b).filter(|run| run.len() > 1);
        repeated.extend(runs.map(|run| (run[0], run.len() as u32)));
    }
    Ok(repeated)
}

fn rows_of(clicks: &Table, keys: &Arc<KeySet>, fields: &[Field], hit_type: Option<&str>) -> Result<Vec<Row>> {
    let mut wanted = fields.to_vec();
    wanted.push(Field::Value(Col::ClickId));
    // Texts of keys, where they are kept.
    let keyed = |field: &Field| if let Field::Key(col) = field { Some(Field::Value(*col)) } else { None };
    for value in fields.iter().filter_map(keyed) {
        if !wanted.contains(&value) {
            wanted.push(value);
        }
    }
    let mut rows = Vec::new();
    clicks.scan(&wanted, Some((Col::ClickId, keys)), &mut |batch| {
        let (Some(ids), Some(times)) = (batch.texts(Col::ClickId), batch.integers(Col::ClickTime)) else {
            return Ok(());
        };
        let sources = [Col::TrafficSource, Col::Source].map(|c| batch.texts(c));
        let types = batch.texts(Col::HitType).filter(|_| hit_type.is_some());
        let contents = Contents::new(batch, fields);
        for row in 0..batch.len() {
            let Some(id) = ids.get(row).filter(|id| !is_unexpanded_macro(id.as_bytes())) else { continue };
            let mut source = Xxh3::new();
            for column in sources.iter().flatten() {
                source.update(column.get(row).unwrap_or_default().as_bytes());
                source.update(&[0]);
            }
            let time = times.get(row).unwrap_or_default();
            let counts = types.is_none_or(|t| t.get(row) == hit_type);
            rows.push(Row {
                id: id.into(),
                counts,
                time,
                source: source.digest(),
                content: contents.of(row),
                text: contents.text(row).into(),
            });
        }
        Ok(())
    })?;
    Ok(rows)
}

/// Of the rows of one ID, time and source one counts: the one whose content is the largest text.
fn settle(mut rows: Vec<Row>, found: &mut ClickDuplicates) {
    rows.sort_unstable_by(|a, b| {
        (&a.id, a.counts, a.time, a.source)
            .cmp(&(&b.id, b.counts, b.time, b.source))
            .then_with(|| (&b.text, b.content).cmp(&(&a.text, a.content)))
    });
    for of_id in rows.chunk_by(|a, b| (&a.id, a.counts) == (&b.id, b.counts)) {
        let clicks = of_id.chunk_by(|a, b| (a.time, a.source) == (b.time, b.source));
        let mut sources: Vec<u64> = of_id.iter().map(|r| r.source).collect();
        sources.sort_unstable();
        sources.dedup();
        found.conflicts += u64::from(sources.len() > 1);
        let mut count = 0;
        for click in clicks {
            *found.keep.entry(click[0].content).or_default() += 1;
            found.dropped += click.len() as u64 - 1;
            count += 1;
        }
        if count > 1 && of_id[0].counts {
            found.reused.insert(key(of_id[0].id.as_bytes()));
        }
    }
}

/// Hashes of the wanted fields of a batch's rows: equal for rows that no measure can tell apart.
pub struct Contents<'a> {
    texts: Vec<&'a polars::prelude::StringChunked>,
    integers: Vec<polars::prelude::Int64Chunked>,
    keys: Vec<&'a polars::prelude::UInt64Chunked>,
    flags: Vec<&'a polars::prelude::BooleanChunked>,
    /// The columns of the fields, each once.
    written: BTreeMap<Col, Written<'a>>,
}

/// How the value of a column is written into [`Contents::text`].
enum Written<'a> {
    Text(&'a polars::prelude::StringChunked),
    Integer(polars::prelude::Int64Chunked),
    /// Where the text is not kept.
    Key(&'a polars::prelude::UInt64Chunked),
    Flag(&'a polars::prelude::BooleanChunked),
}

impl Written<'_> {
    fn of<'a>(batch: &'a Batch, field: Field) -> Option<(Col, Written<'a>)> {
        match field {
            Field::Value(col) => {
                let text = batch.texts(col).map(Written::Text);
                text.or_else(|| batch.integers(col).map(Written::Integer)).map(|written| (col, written))
            }
            Field::Key(col) => {
                let text = batch.texts(col).map(Written::Text);
                text.or_else(|| batch.keys(field).map(Written::Key)).map(|written| (col, written))
            }
            Field::Present(col) if batch.texts(col).is_none() && batch.keys(Field::Key(col)).is_none() => {
                batch.flags(field).map(|flags| (col, Written::Flag(flags)))
            }
            _ => None,
        }
    }

    fn text(&self, row: usize) -> String {
        match self {
            Written::Text(texts) => escaped(texts.get(row).unwrap_or_default()),
            Written::Integer(values) => values.get(row).map_or(String::new(), |value| value.to_string()),
            Written::Key(keys) => keys.get(row).map_or(String::new(), |key| key.to_string()),
            Written::Flag(flags) => u8::from(flags.get(row) == Some(true)).to_string(),
        }
    }
}

/// A text without the mark that stands between columns.
fn escaped(text: &str) -> String {
    text.replace('~', "~0").replace('|', "~1")
}

/// The contents of a batch by these fields.
pub fn click_content<'a>(batch: &'a Batch, fields: &[Field]) -> Contents<'a> {
    Contents::new(batch, fields)
}

impl<'a> Contents<'a> {
    fn new(batch: &'a Batch, fields: &[Field]) -> Contents<'a> {
        let values = || {
            fields.iter().filter_map(|f| match f {
                Field::Value(col) => Some(*col),
                _ => None,
            })
        };
        Contents {
            texts: values().filter_map(|c| batch.texts(c)).collect(),
            integers: values().filter_map(|c| batch.integers(c)).collect(),
            keys: fields.iter().filter_map(|f| batch.keys(*f)).collect(),
            flags: fields.iter().filter_map(|f| batch.flags(*f)).collect(),
            written: fields.iter().filter_map(|f| Written::of(batch, *f)).collect(),
        }
    }

    /// The columns of one row as one text, in the order of [`Col`]: what a portable comparison of whole rows goes
    /// by (`src/engine/render.rs` writes the same).
    pub fn text(&self, row: usize) -> String {
        let columns: Vec<String> = self.written.values().map(|written| written.text(row)).collect();
        columns.join("|")
    }

    /// The hash of one row.
    pub fn of(&self, row: usize) -> u64 {
        let mut hash = Xxh3::new();
        for column in &self.texts {
            hash.update(column.get(row).unwrap_or("\u{0}").as_bytes());
            hash.update(&[0]);
        }
        for column in &self.integers {
            hash.update(&column.get(row).unwrap_or(i64::MIN).to_le_bytes());
        }
        for column in &self.keys {
            hash.update(&column.get(row).unwrap_or(0).to_le_bytes());
        }
        for column in &self.flags {
            hash.update(&[column.get(row).map_or(2, u8::from)]);
        }
        hash.digest()
    }
}
