//! clickaudit reads click and conversion exports and says which traffic sources to block, hold or watch.
//!
//! The stages, in the order the data takes; each imports only what stands above it.

pub mod base;
pub mod ingest;
pub mod clean;
pub mod matching;
pub mod measures;
pub mod signals;
pub mod rules;
pub mod verdicts;
pub mod report;
pub mod audit;
pub mod simulate;
pub mod reference;
pub mod cli;
