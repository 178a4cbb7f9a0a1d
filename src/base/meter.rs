//! Where the time goes: a stage says that it is done with so many rows, and who asked notes clock and memory.
//!
//! The stages know no clock; without somebody who asked, nothing happens.

use std::sync::Arc;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A stage of the audit.
    Stage(&'static str),
    /// A part of the stage that is going on.
    Step(&'static str),
}

type Note = dyn Fn(Mark, u64) + Send + Sync;

/// Takes note of finished stages and steps.
#[derive(Clone, Default)]
pub struct Meter(Option<Arc<Note>>);

impl Meter {
    /// Calls `note` with each finished stage and step and its rows.
    pub fn new(note: impl Fn(Mark, u64) + Send + Sync + 'static) -> Meter {
        Meter(Some(Arc::new(note)))
    }

    /// A stage is done and has had this many rows.
    pub fn done(&self, stage: &'static str, rows: usize) {
        self.note(Mark::Stage(stage), rows);
    }

    /// A step of the stage that is going on is done, or a part of it: one step may be gone on with.
    pub fn step(&self, step: &'static str, rows: usize) {
        self.note(Mark::Step(step), rows);
    }

    /// Hands on what another meter was told.
    pub fn note(&self, mark: Mark, rows: usize) {
        if let Some(note) = &self.0 {
            note(mark, rows as u64);
        }
    }
}
