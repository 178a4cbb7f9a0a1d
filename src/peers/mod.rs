//! Holds every group against its peers: how abnormal, against whom, by which signals, how sure.
//!
//! A plain binomial test accuses every tenth honest source, because honest sources really differ; here the
//! spread between them is estimated and part of the expectation (statistics.md, sections 3 and 4). All
//! p-values travel as natural logarithms, because the tails of large sources lie below the smallest float. No
//! result depends on the order of rows or on the number of threads.
//!
//! Abnormal is not fraudulent: this stage accuses nobody. It refuses to compare where there are too few peers.

pub mod anomaly;
pub mod clusters;
mod combine;
mod compare;
mod contrast;
pub mod expected_loss;
mod fdr;
mod fit;
mod normal;
mod patterns;
mod places;
mod profile;
pub mod ranking;
mod rate;
mod risk;
mod scan;
mod shape;
pub mod shaving;
pub mod shrink;
mod siblings;
mod standing;
#[cfg(test)]
mod tests;
mod tree;
mod turning;

pub use compare::funnel;
pub use fdr::q_values;
pub use patterns::is_joint;
pub use places::Level;
pub use profile::{Compared, Settings, Summary, profiles, suspicious_distance};
pub use shape::{Crowd, Shape, Shapes};
pub use siblings::{Sibling, siblings};
pub use standing::{
    Direction, Middle, PATTERNS, Pattern, Profile, Sides, Standing, Standings, TooFew, Versus,
};
pub use turning::Turning;
