//! The rows that count: duplicates by ID removed, statuses and events in the field's words.
//!
//! Rows are de-duplicated on unique IDs only. Identical rows without an ID may be real double clicks: they
//! stay and are counted. Ties break on content, never on the order of files or rows.

mod clicks;
mod conversions;
mod postbacks;
pub mod statement;
pub mod vocabulary;

pub use clicks::{ClickDuplicates, click_content};
pub use conversions::{Conversion, Id};
pub use postbacks::{Postback, Proof};
pub use vocabulary::Status;

use crate::base::column::Col;
use crate::base::error::Result;
use crate::base::symbol::Symbols;
use crate::ingest::{Field, Intake};
use std::collections::BTreeMap;

/// The rows that count, and those that do not, by reason.
pub struct Cleaned {
    pub conversions: Vec<Conversion>,
    pub clicks: ClickDuplicates,
    /// Duplicate conversion rows by reason.
    pub duplicates: BTreeMap<&'static str, u64>,
    /// Conversion rows that were there before duplicates were taken out.
    pub conversion_rows: u64,
    /// Status words that no vocabulary knows, with their number of rows.
    pub unknown_statuses: BTreeMap<String, u64>,
}

/// Cleans both sides. `carried` are the text columns that conversions keep, `click_fields` the fields by
/// which two click rows of one ID are told apart.
///
/// # Errors
/// The intake cannot be read.
pub fn clean(
    intake: &Intake,
    carried: &[Col],
    click_fields: &[Field],
    symbols: &mut Symbols,
) -> Result<Cleaned> {
    let clicks = clicks::duplicates(&intake.clicks, click_fields, intake.mapping.hit_type.as_deref())?;
    let read = conversions::read(intake, carried, symbols)?;
    let conversion_rows = read.rows.len() as u64;
    let mut duplicates = BTreeMap::new();
    let rows = postbacks::deliveries(read.rows, &mut duplicates);
    let conversions = conversions::latest(rows, &mut duplicates);
    Ok(Cleaned { conversions, clicks, duplicates, conversion_rows, unknown_statuses: read.unknown_statuses })
}
