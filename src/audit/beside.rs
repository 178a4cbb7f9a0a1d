//! The conversions of every offer and network, for what changed when a network fell behind.

use crate::base::column::Col;
use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::Zone;
use crate::clean::Status;
use crate::matching::{Matched, MatchedConversion};
use crate::peers::shaving::Outcome;

/// Conversions whose offer and network are known, by the day of their click.
pub fn outcomes<'s>(
    matched: &Matched,
    columns: &[Col],
    symbols: &'s Symbols,
    zone: Zone,
) -> Vec<Outcome<'s>> {
    let at = |col: Col| columns.iter().position(|c| *c == col);
    let (Some(offer), Some(network)) = (at(Col::Offer), at(Col::Network)) else { return Vec::new() };
    let name = |symbol: Symbol| symbols.text(symbol);
    let outcome = |m: &MatchedConversion| {
        let time = m.click_time.unwrap_or(m.conversion.time);
        Some(Outcome {
            offer: name(m.columns[offer])?,
            network: name(m.columns[network])?,
            day: zone.day_and_hour(time).0,
            delay_s: m.ctit_s,
            approved: match m.conversion.status {
                Status::Approved => Some(true),
                Status::Pending | Status::Unknown => None,
                _ => Some(false),
            },
        })
    };
    matched.conversions.iter().filter_map(outcome).collect()
}
