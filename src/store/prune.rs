//! Lets go of old rows. Their clicks stay in the index as long as a conversion may still come.

use super::Store;
use super::status::newest;
use crate::base::error::Result;

/// What was let go of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Exports whose rows are gone.
    pub exports: u64,
    pub rows: u64,
    /// Exports whose clicks nobody asks for any more.
    pub indexes: u64,
    pub bytes: u64,
}

impl Store {
    /// Removes the rows of exports that end more than `age` microseconds before the newest row, and what of the
    /// index has outlived its use. That an export was read stays known, so that it is not read again.
    ///
    /// # Errors
    /// The store cannot be written; it is as it was then.
    pub fn prune(&self, age: i64) -> Result<Pruned> {
        let mut manifest = self.manifest()?;
        let newest = newest(&manifest);
        let mut pruned = Pruned::default();
        for kept in &mut manifest.kept {
            let old = kept.reach().is_some_and(|(_, last)| newest.is_some_and(|n| n - last > age));
            if let Some(file) = kept.intake.take_if(|_| old) {
                pruned.exports += 1;
                pruned.rows += kept.rows - kept.rejects();
                pruned.bytes += file.bytes;
                pruned.bytes += kept.measured_bytes();
                kept.measured.clear();
                kept.pruned = true;
            }
            let over = kept.index_until().is_some_and(|until| newest.is_some_and(|n| until < n));
            if let Some(file) = kept.index.take_if(|_| over && kept.pruned) {
                pruned.indexes += 1;
                pruned.bytes += file.bytes;
            }
        }
        if pruned != Pruned::default() {
            self.replace(manifest)?;
        }
        Ok(pruned)
    }
}
