//! What a group was before tonight: its usual rates and volume, and what it had night by night.
//!
//! A [`Habit`] is what a group usually does, learnt slowly and remembered from night to night; [`learn`] holds
//! what is new tonight against all habits at once, because how much honest groups differ from night to night can
//! only be told from many. [`Past`] is what rules ask: a signal's values of earlier nights. Nothing here reads or
//! writes a file, and nothing here accuses: a group that leaves its habits is to be looked at, no more.

mod habit;
mod learn;
mod own;
mod volume;

pub use habit::{Counts, Habit, LEARNING, Pooled};
pub use learn::{Alarm, Learnt, News, Pool, Tonight, learn, watched};
pub use own::{Held, LEAST_NIGHTS, Own, Past, Point};
pub use volume::Volume;
