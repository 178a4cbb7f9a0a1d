//! What a store holds, in numbers.

use super::{MANIFEST, Manifest, Store, VERSION_FILE};
use crate::base::column::Col;
use crate::base::error::Result;
use crate::ingest::Shape;
use crate::ingest::shelf::Kept;
use std::collections::BTreeMap;

/// What is kept of one kind of export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Side {
    pub exports: u64,
    /// Exports whose rows were pruned.
    pub pruned: u64,
    pub rows: u64,
    pub rejected: u64,
    pub forgotten: u64,
    /// First and last row that is still there.
    pub span: Option<(i64, i64)>,
    /// Bytes of the exports as they were read, and of what is kept of them.
    pub read_bytes: u64,
    pub kept_bytes: u64,
    pub index_bytes: u64,
    pub measured_bytes: u64,
}

/// What a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    pub sides: BTreeMap<Shape, Side>,
    /// First and last click that the index knows.
    pub index: Option<(i64, i64)>,
    /// Bytes of the exports as they were read, by how they were packed.
    pub packings: BTreeMap<String, u64>,
    /// Bytes of the manifest and of what else says what counts.
    pub manifest_bytes: u64,
}

impl Status {
    /// Bytes of everything but the records of nights.
    pub fn bytes(&self) -> u64 {
        self.manifest_bytes
            + self.sides.values().map(|s| s.kept_bytes + s.index_bytes + s.measured_bytes).sum::<u64>()
    }

    /// Bytes of all exports as they were read.
    pub fn read_bytes(&self) -> u64 {
        self.packings.values().sum()
    }
}

/// What is kept, by kind of export.
///
/// # Errors
/// The manifest cannot be read.
pub fn status(store: &Store) -> Result<Status> {
    let manifest = store.manifest()?;
    let length = |name: &str| std::fs::metadata(store.folder.join(name)).map_or(0, |found| found.len());
    let manifest_bytes = [MANIFEST, VERSION_FILE].into_iter().map(length).sum();
    let mut status = Status { manifest_bytes, ..Status::default() };
    for kept in &manifest.kept {
        status.sides.entry(kept.shape).or_default().add(kept);
        *status.packings.entry(kept.packing.clone()).or_default() += kept.bytes;
        if kept.index.is_some() {
            status.index = wider(status.index, kept.span(Col::ClickTime));
        }
    }
    Ok(status)
}

impl Side {
    fn add(&mut self, kept: &Kept) {
        self.exports += 1;
        self.pruned += u64::from(kept.pruned);
        self.read_bytes += kept.bytes;
        self.index_bytes += kept.index.as_ref().map_or(0, |file| file.bytes);
        self.measured_bytes += kept.measured_bytes();
        self.forgotten += kept.forgotten;
        if kept.pruned {
            return;
        }
        self.rows += kept.rows - kept.rejects();
        self.rejected += kept.rejects();
        self.kept_bytes += kept.intake.as_ref().map_or(0, |file| file.bytes);
        self.span = wider(self.span, kept.reach());
    }
}

fn wider(span: Option<(i64, i64)>, by: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (span, by) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (span, by) => span.or(by),
    }
}

/// The newest row of the store.
pub(super) fn newest(manifest: &Manifest) -> Option<i64> {
    manifest.kept.iter().filter_map(Kept::reach).map(|span| span.1).max()
}
