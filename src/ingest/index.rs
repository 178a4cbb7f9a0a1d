//! Clicks by the hash of their ID, kept longer than the rows themselves: who sent a click is still known when its
//! deposit, rebill or chargeback arrives months later.
//!
//! Holds no address, no user agent and no ID, only a hash of it. Refuses: to match. A conversion whose click is
//! known from here alone has a source, and no time to conversion.

use super::columns::Field;
use super::parquet::IntakeWriter;
use super::table::{failed, open, stream};
use crate::base::column::Col;
use crate::base::error::Result;
use polars::prelude::*;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is known of a click besides its time.
pub const COLUMNS: [Col; 8] = [
    Col::TrafficSource,
    Col::Source,
    Col::SubSource,
    Col::Account,
    Col::Campaign,
    Col::Offer,
    Col::Network,
    Col::Format,
];

const ID: Field = Field::Key(Col::ClickId);
const TIME: Field = Field::Value(Col::ClickTime);

/// A click that is older than the rows of a run.
pub struct OlderClick<'a> {
    /// The hash of its ID.
    pub key: u64,
    pub time: i64,
    /// Texts of [`COLUMNS`].
    pub columns: [Option<&'a str>; COLUMNS.len()],
}

/// The index files of a run.
#[derive(Debug, Default)]
pub struct Older {
    pub files: Vec<PathBuf>,
    /// Clicks before this moment are older than the window.
    pub before: i64,
}

/// Writes the index of one export, if it has clicks with IDs.
pub struct IndexWriter(IntakeWriter);

impl IndexWriter {
    /// A writer that creates `path` with the first clicks.
    pub fn new(path: PathBuf) -> IndexWriter {
        IndexWriter(IntakeWriter::lasting(path))
    }

    /// Adds the clicks of a frame of the intake.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&mut self, frame: &DataFrame) -> Result<()> {
        let (Ok(ids), Ok(times)) = (frame.column(&ID.name()), frame.column(&TIME.name())) else {
            return Ok(());
        };
        let mut columns = vec![ids.clone(), times.clone()];
        columns.extend(COLUMNS.iter().filter_map(|c| frame.column(&Field::Value(*c).name()).ok().cloned()));
        let frame = DataFrame::new(frame.height(), columns).expect("columns of one frame");
        self.0.write(&frame)
    }

    /// Writes the footer; whether there is a file at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(self) -> Result<bool> {
        self.0.finish()
    }
}

impl Older {
    /// Hands every older click whose hash is among `keys` to `each`.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn find(&self, keys: &Arc<HashSet<u64>>, each: &mut dyn FnMut(&OlderClick)) -> Result<()> {
        for path in &self.files {
            find_in(path, keys, self.before, each)?;
        }
        Ok(())
    }
}

fn find_in(
    path: &Path,
    keys: &Arc<HashSet<u64>>,
    before: i64,
    each: &mut dyn FnMut(&OlderClick),
) -> Result<()> {
    let plan = open(path)?.filter(super::table::among(ID, Arc::clone(keys)));
    stream(plan, path, &mut |frame| {
        let wrong = |e| failed(path, e);
        let ids = frame.column(&ID.name()).map_err(wrong)?.as_materialized_series().u64().map_err(wrong)?;
        let times = frame.column(&TIME.name()).map_err(wrong)?.as_materialized_series();
        let times = times.to_physical_repr().into_owned();
        let times = times.i64().map_err(wrong)?;
        let texts = COLUMNS.map(|c| {
            frame.column(&Field::Value(c).name()).ok().and_then(|c| c.as_materialized_series().str().ok())
        });
        for row in 0..frame.height() {
            let (Some(key), Some(time)) = (ids.get(row), times.get(row)) else { continue };
            if time < before {
                each(&OlderClick { key, time, columns: texts.map(|t| t.and_then(|t| t.get(row))) });
            }
        }
        Ok(())
    })
}
