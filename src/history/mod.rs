//! What nights leave behind: one record for each, and what a later night makes of them.
//!
//! A record is a file of JSON lines in the store's `runs` folder, one for each night and grain: a head, then a line
//! for every group with its signals, findings, habits and standing, then what these lines come to. [`Memory`] is what a night knows of earlier
//! ones, [`settle`] turns the verdicts of one night into standings, [`Record`] is what it leaves. The same night
//! again reads the same earlier nights and replaces its own record, so it changes nothing. Nothing is ever read
//! from a later night; nothing here looks at an export.

mod folder;
mod memory;
mod presence;
mod record;
mod sealed;
mod settle;
mod timeline;

pub use folder::{Folder, Held, Pinning, Staged};
pub use memory::{Asked, Earlier, Memory};
pub use presence::{Left, NAMED_CLICKS, Presence};
#[cfg(test)]
pub use record::samples;
pub use record::{Found, Head, Line, Record, SCHEMA_VERSION, Seen, run_name};
pub use settle::{A_NIGHT, Night, settle};
pub use timeline::{Story, is_called, json, story, text};
