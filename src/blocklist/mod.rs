//! The blocklist as a state: what is on it, since when, why, and until when.
//!
//! A blocked source sends nothing tomorrow, so a list made anew from each day's rows would let it back in. Here
//! a list is what stood there before, plus what a report blocks, minus what has run out or is protected. Every
//! change is one new revision in a folder of plain JSON files; nothing is ever changed in place. Refuses to add
//! to a list from a report that a gate stopped, to change more in one step than the brake allows, and to name a
//! source to scale that it also cuts.

mod plan;
mod report;
mod state;
mod text;
mod verify;

pub use plan::{Change, Options, Plan, plan, restore};
pub use report::{Group, Run, run};
pub use state::{Entry, Key, Kind, Left, Revision, Store};
pub use text::{history, plan as plan_text, state as state_text};
pub use verify::{Finding, verify};

#[cfg(test)]
mod tests;
