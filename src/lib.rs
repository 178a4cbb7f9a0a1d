//! clickaudit reads click and conversion exports and says which traffic sources to block, hold or watch.
//!
//! The stages, in the order the data takes; each imports only what stands above it.

pub mod anonymise;
pub mod audit;
pub mod backtest;
pub mod base;
pub mod blocklist;
pub mod clean;
pub mod cli;
pub mod compare;
pub mod engine;
pub mod evaluate;
pub mod expected;
pub mod history;
pub mod ingest;
pub mod inspect;
pub mod matching;
pub mod measures;
pub mod past;
pub mod peers;
pub mod reconcile;
pub mod reference;
pub mod report;
pub mod rules;
pub mod signals;
pub mod simulate;
pub mod store;
pub mod verdicts;
