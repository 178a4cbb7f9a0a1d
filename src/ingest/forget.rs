//! Takes the rows of one person out of what is kept.
//!
//! A row is a person's if one of its addresses or IDs is the one named, to the letter. The rows go as a whole, their
//! clicks also from the index. Refuses: to change a file in place; the caller puts the new ones in their place.

use super::columns::{Field, KeySet};
use super::index::IndexWriter;
use super::parquet::IntakeWriter;
use super::resume::stored;
use super::shelf::{INDEX, INTAKE, Kept, Stored};
use super::table::{self, failed, open, stream};
use crate::base::column::{COLUMNS, Col, Kind};
use crate::base::durable;
use crate::base::error::Result;
use polars::prelude::*;

use std::path::Path;
use std::sync::Arc;

/// What a person is known by.
#[derive(Clone, Debug)]
pub enum Person {
    /// An address, as it stands in the exports.
    Address(String),
    /// An ID of a click, conversion, transaction or player.
    Id(String),
}

impl Person {
    /// The address or ID.
    pub fn text(&self) -> &str {
        match self {
            Person::Address(text) | Person::Id(text) => text,
        }
    }

    fn columns(&self) -> Vec<Col> {
        let is_address = |c: &Col| matches!(c, Col::Ip | Col::PostbackIp);
        let asked = |c: &Col| is_address(c) == matches!(self, Person::Address(_));
        COLUMNS.iter().map(|c| c.id).filter(|c| c.kind() == Kind::Key).filter(asked).collect()
    }
}

/// Writes the kept file anew without a person's rows, under another name. `None` if it has none of them.
///
/// # Errors
/// A file cannot be read or written.
pub fn without(folder: &Path, kept: &Kept, person: &Person) -> Result<Option<Kept>> {
    let Some(intake) = &kept.intake else { return Ok(None) };
    let path = folder.join(&intake.name);
    let mut plan = open(&path)?;
    let schema = plan.collect_schema().map_err(|e| failed(&path, e))?;
    let names = person.columns().into_iter().map(|c| Field::Value(c).name());
    let is = |name: PlSmallStr| col(name).eq_missing(lit(person.text().to_owned()));
    let Some(theirs) = names.filter(|n| schema.contains(n)).map(is).reduce(Expr::or) else { return Ok(None) };
    let (count, clicks) = theirs_of(&path, theirs.clone())?;
    if count == 0 {
        return Ok(None);
    }
    let mut left = kept.clone();
    left.rows -= count;
    left.forgotten += count;
    // What was counted of these rows goes with them, and is counted anew from those that are left.
    left.measured.clear();
    let stem = format!("{}-{}", kept.key, left.forgotten);
    let mut rows = false;
    left.intake = rewritten(folder, INTAKE, &stem, |target| {
        let mut writer = IntakeWriter::lasting(target.to_owned());
        stream(open(&path)?.filter(theirs.not()), &path, &mut |frame| writer.write(&frame))?;
        rows = writer.finish()?;
        Ok(rows)
    })?;
    if let Some(index) = &kept.index {
        let path = folder.join(&index.name);
        let gone = table::among(Field::Key(Col::ClickId), Arc::new(clicks));
        left.index = rewritten(folder, INDEX, &stem, |target| {
            let mut writer = IndexWriter::new(target.to_owned());
            stream(open(&path)?.filter(gone.not()), &path, &mut |frame| writer.write(&frame))?;
            writer.finish()
        })?;
    }
    Ok(Some(left))
}

/// How many rows are the person's, and the hashes of their clicks' IDs.
fn theirs_of(path: &Path, theirs: Expr) -> Result<(u64, KeySet)> {
    let (mut count, mut clicks) = (0, KeySet::new());
    stream(open(path)?.filter(theirs), path, &mut |frame| {
        count += frame.height() as u64;
        if let Ok(ids) = frame.column(&Field::Key(Col::ClickId).name()) {
            clicks.extend(ids.as_materialized_series().u64().map_err(|e| failed(path, e))?.iter().flatten());
        }
        Ok(())
    })?;
    Ok((count, clicks))
}

/// A file that `write` fills, put into place; `None` if it has no row.
fn rewritten(
    folder: &Path,
    kind: &str,
    stem: &str,
    write: impl FnOnce(&Path) -> Result<bool>,
) -> Result<Option<Stored>> {
    let path = folder.join(kind).join(format!("{stem}.parquet"));
    let temporary = durable::beside(&path)?.into_temp_path();
    if !write(&temporary)? {
        return Ok(None);
    }
    durable::settle(temporary, &path)?;
    stored(folder, &path).map(Some)
}
