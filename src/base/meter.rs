//! Where the time goes: a stage says that it is done with so many rows, and who asked notes clock and memory.
//!
//! The stages know no clock; without somebody who asked, nothing happens.

use std::sync::Arc;

type Note = dyn Fn(&'static str, u64) + Send + Sync;

/// Takes note of finished stages.
#[derive(Clone, Default)]
pub struct Meter(Option<Arc<Note>>);

impl Meter {
    /// Calls `note` with each finished stage and its rows.
    pub fn new(note: impl Fn(&'static str, u64) + Send + Sync + 'static) -> Meter {
        Meter(Some(Arc::new(note)))
    }

    /// A stage is done and has had this many rows.
    pub fn done(&self, stage: &'static str, rows: usize) {
        if let Some(note) = &self.0 {
            note(stage, rows as u64);
        }
    }
}
