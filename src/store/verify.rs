//! Whether the store is what its manifest says: every file there, and every byte.

use super::Store;
use crate::base::error::Result;
use crate::ingest::{self, shelf::Stored};
use std::path::PathBuf;

/// A file that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it should be.
    pub path: PathBuf,
    /// The export whose rows it holds.
    pub export: String,
    pub what: &'static str,
    /// The next night counts it anew from typed rows.
    pub heals: bool,
}

/// The faults of a store, in the order of its manifest, and how many files were looked at.
///
/// # Errors
/// The manifest cannot be read.
pub fn verify(store: &Store) -> Result<(Vec<Fault>, usize)> {
    let manifest = store.manifest()?;
    let mut faults = Vec::new();
    let mut files = 0;
    for kept in &manifest.kept {
        let rows = kept.intake.iter().chain(&kept.index).map(|file| (file, false));
        let counted = kept.counted().map(|file| (file, true));
        for (file, heals) in rows.chain(counted) {
            files += 1;
            let fault =
                |what| Fault { path: store.folder.join(&file.name), export: kept.path.clone(), what, heals };
            faults.extend(fault_of(store, file).map(fault));
        }
    }
    Ok((faults, files))
}

fn fault_of(store: &Store, file: &Stored) -> Option<&'static str> {
    match ingest::stored(&store.folder, &store.folder.join(&file.name)) {
        Err(_) => Some("is missing or cannot be read"),
        Ok(found) if found.bytes != file.bytes => Some("has another length"),
        Ok(found) if found.digest != file.digest => Some("has other bytes"),
        Ok(_) => None,
    }
}
