//! Takes a person's rows out of the store.

use super::Store;
use crate::base::error::Result;
use crate::ingest::forget::{Person, without};

impl Store {
    /// Writes every file that holds a person's rows anew without them; how many files and rows that were. All
    /// files change together, or none.
    ///
    /// # Errors
    /// The store cannot be read or written; it is as it was then.
    pub fn forget(&self, person: &Person) -> Result<(u64, u64)> {
        let mut manifest = self.manifest()?;
        let (mut files, mut rows) = (0, 0);
        for kept in &mut manifest.kept {
            if let Some(left) = without(&self.folder, kept, person)? {
                files += 1;
                rows += left.forgotten - kept.forgotten;
                *kept = left;
            }
        }
        if files > 0 {
            self.replace(manifest)?;
        }
        Ok((files, rows))
    }
}
