//! Holds every group against its peers: how abnormal, against whom, by which signals, how sure.
//!
//! Abnormal is not fraudulent: this stage accuses nobody. It refuses to compare where there are too few peers.

mod standing;

pub use standing::{Direction, PATTERNS, Pattern, Profile, Standing, TooFew, Versus};
