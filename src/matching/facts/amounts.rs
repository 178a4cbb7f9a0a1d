//! What players pay first, and the smallest amount that an offer sees.
//!
//! Bought deposits are as small as the offer allows. Only first payments are looked at: they are one a player,
//! and who pays the same every week says it once.

use super::Setting;
use super::journeys::{Journey, Journeys, Scope, Words};
use crate::base::symbol::{Symbol, Symbols};
use crate::matching::MatchedConversion;
use hashbrown::HashMap;

/// The floor is shared by so many sources and by one in so many of the first payments.
const FLOOR_SOURCES: usize = 3;
const FLOOR_PART: usize = 50;

/// Marks first payments with a positive amount, and those at the floor of their offer: the minimum deposit of its
/// terms, or the smallest amount that is learned.
pub fn mark(rows: &mut [MatchedConversion], journeys: &Journeys, setting: &Setting, symbols: &Symbols) {
    let mut by_offer: HashMap<Scope, Vec<usize>> = HashMap::new();
    for journey in &journeys.all {
        let first = first_payment(journey, journeys.words(journey.scope), rows);
        if let Some((i, amount)) = first {
            rows[i].facts.first_amount = Some(amount);
            by_offer.entry(journey.scope).or_default().push(i);
        }
    }
    by_offer.into_iter().for_each(|(scope, places)| {
        let mut amounts: Vec<(i64, Vec<Symbol>)> = places
            .iter()
            .filter_map(|&i| Some((rows[i].facts.first_amount?, setting.source(&rows[i]))))
            .collect();
        // What was agreed goes before what is learned.
        let agreed = setting.book.terms(scope.1, setting.as_of, symbols);
        let agreed = agreed.and_then(|terms| setting.book.least_deposit(terms, setting.as_of));
        let Some(floor) = agreed.or_else(|| floor(&mut amounts)) else { return };
        places
            .iter()
            .for_each(|&i| rows[i].facts.at_floor = rows[i].facts.first_amount <= Some(about(floor)));
    });
}

/// The first deposit by its name; where the offer has no such name, the first deposit or sale.
fn first_payment(journey: &Journey, words: Words, rows: &[MatchedConversion]) -> Option<(usize, i64)> {
    let is_payment = |name: &str| match words.names_first {
        true => name == "first_deposit",
        false => matches!(name, "deposit" | "sale" | "conversion"),
    };
    let first = journey.rows.iter().copied().find(|&i| is_payment(rows[i].conversion.facts.name))?;
    let amount = rows[first].conversion.sale_amount.filter(|amount| *amount > 0)?;
    Some((first, amount))
}

/// Two percent more: currencies and fees make one price several amounts.
fn about(amount: i64) -> i64 {
    amount.saturating_add(amount / 50)
}

/// The smallest amount that enough sources and payments share, within two percent; `None` if there is none.
fn floor(amounts: &mut [(i64, Vec<Symbol>)]) -> Option<i64> {
    amounts.sort();
    let mut inside: HashMap<&[Symbol], usize> = HashMap::new();
    let (mut from, mut to) = (0, 0);
    while from < amounts.len() {
        let low = amounts[from].0;
        while to < amounts.len() && amounts[to].0 <= about(low) {
            *inside.entry(&amounts[to].1).or_default() += 1;
            to += 1;
        }
        if inside.len() >= FLOOR_SOURCES && (to - from) * FLOOR_PART >= amounts.len() {
            return Some(low);
        }
        while from < amounts.len() && amounts[from].0 == low {
            let source: &[Symbol] = &amounts[from].1;
            match inside.get_mut(source) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(inside.remove(source)),
            }
            from += 1;
        }
    }
    None
}
