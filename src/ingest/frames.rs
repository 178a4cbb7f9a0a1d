//! Small tables of a store: written whole, read whole, and not there unless every byte is as it was written.
//!
//! What they hold can be made anew from the typed rows, so a table that is damaged or gone is no fault. Refuses: to
//! change one in place; a table is named by its bytes.

use super::open;
use super::parquet::IntakeWriter;
use super::resume::stored;
use super::shelf::Stored;
use crate::base::durable;
use crate::base::error::Result;
use polars::prelude::*;
use std::fs;
use std::io::Cursor;
use std::path::Path;

/// Letters of the digest that name a table.
const NAMED_BY: usize = 16;

/// Writes a table into a folder of the store.
///
/// # Errors
/// It cannot be written.
pub fn keep(folder: &Path, kind: &str, word: &str, frame: &DataFrame) -> Result<Stored> {
    let place = folder.join(kind);
    let temporary = durable::beside(&place.join(word))?.into_temp_path();
    let mut writer = IntakeWriter::lasting(temporary.to_path_buf());
    writer.write(frame)?;
    writer.finish()?;
    let digest = open::digest(&temporary)?.hex();
    let path = place.join(format!("{}-{word}.parquet", &digest[..NAMED_BY]));
    durable::settle(temporary, &path)?;
    stored(folder, &path)
}

/// The bytes of a table, if they are those that were written.
fn bytes(folder: &Path, table: &Stored) -> Option<Vec<u8>> {
    let bytes = fs::read(folder.join(&table.name)).ok()?;
    (open::digest_of(&bytes) == table.digest).then_some(bytes)
}

/// Whether a table is as it was written.
pub fn is_sound(folder: &Path, table: &Stored) -> bool {
    bytes(folder, table).is_some()
}

/// A table; `None` if it is not as it was written.
pub fn load(folder: &Path, table: &Stored) -> Option<DataFrame> {
    let reader = ParquetReader::new(Cursor::new(bytes(folder, table)?));
    reader.read_parallel(ParallelStrategy::None).finish().ok()
}
