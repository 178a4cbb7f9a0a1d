//! clickaudit reads click and conversion exports and says which traffic sources to block, hold or watch.
//!
//! The stages, in the order the data takes; a stage imports only what stands above it.

pub mod base;
pub mod clean;
pub mod ingest;
pub mod matching;
pub mod signals;
