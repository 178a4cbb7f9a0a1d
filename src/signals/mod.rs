//! A number per group, computed from measures, with its sample size and its interval.
//!
//! Every signal is one declaration in its family's table. Help, validation of rules, documentation and
//! computation are loops over [`all`]. What cannot be said is [`Reading::Absent`] with the reason;
//! NaN and infinity end here.

mod estimate;

pub use estimate::{Absence, Estimate, Interval, Reading};

use crate::base::unit::Unit;

/// Which of the two exports a signal's evidence comes from. Anyone can send clicks with a rival's ID, so
/// evidence on the click side alone never blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    Click,
    Conversion,
}

/// Related signals; two rules of one family are one piece of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    Volume,
    Performance,
    Ctit,
    Identity,
    Rhythm,
    Duplicates,
    Quality,
    Data,
}

/// In which direction a value is suspicious.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspicious {
    High,
    Low,
    Either,
    /// Context only: shown, never evidence by itself.
    Neither,
}
