//! How far a source is from what its peers do, given that honest sources differ, too.
//!
//! A plain binomial test accuses every tenth honest source, because honest sources really differ; here the
//! spread between them is estimated and part of the expectation (statistics.md, sections 3 and 4).

mod compare;
mod fit;
mod normal;
mod rate;
#[cfg(test)]
mod tests;
mod tree;

pub use compare::{Versus, compare, funnel};
pub use fit::{Fit, Observation, Row, Settings, TooFew, fit};
pub use rate::Tails;
pub use tree::Tree;
