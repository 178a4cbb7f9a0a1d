//! What single p-values become: one per source, a decision with few false accusations, a risk, money.
//!
//! All p-values travel as natural logarithms (0 or less), because the tails of large sources lie below the
//! smallest float. Every function here is pure, and its result does not depend on the order of the sources.

pub mod anomaly;
pub mod clusters;
pub mod combine;
pub mod expected_loss;
pub mod fdr;
pub mod risk;
pub mod scan;
pub mod shrink;
