//! What every stage speaks: columns, units, money, text from data, statistics, diagnostics, errors.
//! Imports nothing of ours.

pub mod answer;
pub mod caught;
pub mod column;
pub mod destination;
pub mod diag;
pub mod dialect;
#[cfg(test)]
pub mod draws;
pub mod durable;
pub mod error;
pub mod header;
pub mod lists;
pub mod meter;
pub mod money;
pub mod near;
pub mod networks;
pub mod privacy;
pub mod spill;
pub mod stats;
pub mod symbol;
pub mod text;
pub mod time;
pub mod unit;
pub mod yaml;
