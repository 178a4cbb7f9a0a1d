//! Registration, first deposit, second deposit: what of it every player had the same time for.
//!
//! A share of "came so far" on everybody who is there is low for young players and for young sources. So a
//! step is asked about only when its full time has passed, and only what came within that time counts.

use super::Facts;
use super::journeys::{Journey, Journeys, Words, is_deposit};
use crate::base::time::DAY;
use crate::clean::{Conversion, Status};
use crate::matching::MatchedConversion;

/// A first deposit is due so long after the registration, a second one so long after the first (the field's
/// usual cohorts); half of what the conversions span where they span less.
const FIRST_DUE: i64 = 7 * DAY;
const SECOND_DUE: i64 = 14 * DAY;

/// An offer with fewer deposits than this does not report them.
const REPORTED: u32 = 3;

/// Marks first registrations and first deposits whose time is up.
pub fn mark(rows: &mut [MatchedConversion], journeys: &Journeys, as_of: i64) {
    let half = span(rows) / 2;
    let due = Due { first: FIRST_DUE.min(half), second: SECOND_DUE.min(half), as_of };
    for journey in &journeys.all {
        let words = journeys.words(journey.scope);
        let found: Vec<(usize, Facts)> = Way::of(journey, words, rows).facts(&due);
        for (i, facts) in found {
            rows[i].facts = facts;
        }
    }
}

/// What the conversions span, without the first and last thousandth: one of them dated years ahead says nothing.
fn span(rows: &[MatchedConversion]) -> i64 {
    let mut times: Vec<i64> = rows.iter().map(|m| m.conversion.time).collect();
    times.sort_unstable();
    let cut = times.len() / 1_000;
    match times.get(cut..times.len() - cut) {
        Some([first, .., last]) => last - first,
        _ => 0,
    }
}

/// How long each step may take.
struct Due {
    first: i64,
    second: i64,
    as_of: i64,
}

/// The steps of one player.
struct Way<'a> {
    rows: &'a [MatchedConversion],
    journey: &'a Journey,
    words: Words,
    /// The first registration, if the player is known.
    registration: Option<usize>,
    /// The first deposit by its name; where the offer has no such name, the first that is there.
    first_deposit: Option<usize>,
}

impl<'a> Way<'a> {
    fn of(journey: &'a Journey, words: Words, rows: &'a [MatchedConversion]) -> Way<'a> {
        let first = |name: &str| {
            let is_it = |i: &usize| rows[*i].conversion.facts.name == name;
            journey.rows.iter().copied().find(is_it).filter(|_| journey.known)
        };
        let registration = words.start.and_then(first);
        let first_deposit = first(if words.names_first { "first_deposit" } else { "deposit" });
        Way { rows, journey, words, registration, first_deposit }
    }

    fn facts(&self, due: &Due) -> Vec<(usize, Facts)> {
        let mut found: Vec<(usize, Facts)> = Vec::new();
        for &i in &self.journey.rows {
            let mut facts = Facts::default();
            if self.registration == Some(i) && self.words.deposits >= REPORTED {
                facts.deposited = self.deposited(i, due);
                facts.deposited_d7 = self.deposited_within(7 * DAY, due);
                facts.deposited_d30 = self.deposited_within(30 * DAY, due);
            }
            if self.first_deposit == Some(i) {
                facts.deposited_again = self.deposited_again(i, due);
            }
            facts.amount_d7 = self.amount_within(i, 7 * DAY, due);
            facts.amount_d30 = self.amount_within(i, 30 * DAY, due);
            found.push((i, facts));
        }
        found
    }

    fn conversion(&self, i: usize) -> &Conversion {
        &self.rows[i].conversion
    }

    fn any(&self, wanted: impl Fn(&Conversion) -> bool) -> bool {
        self.journey.rows.iter().any(|&i| wanted(self.conversion(i)))
    }

    /// A deposit that was reported before its registration is one all the same.
    fn deposited(&self, registration: usize, due: &Due) -> Option<bool> {
        let until = self.conversion(registration).time + due.first;
        (until <= due.as_of).then(|| self.any(|c| is_deposit(c.facts.name) && c.time <= until))
    }

    fn deposited_again(&self, first: usize, due: &Due) -> Option<bool> {
        let from = self.conversion(first).time;
        let until = from + due.second;
        let again = |i: &usize| {
            let c = self.conversion(*i);
            *i != first && matches!(c.facts.name, "deposit" | "rebill") && (from..=until).contains(&c.time)
        };
        (until <= due.as_of).then(|| self.journey.rows.iter().any(again))
    }

    /// When the player's time starts: with the click, else with the registration.
    fn base(&self, i: usize) -> i64 {
        let time = self.conversion(i).time;
        self.rows[i].click_time.map_or(time, |click| click.min(time))
    }

    /// Since when, if the registration came within that time of a click that is as old.
    fn cohort(&self, within: i64, due: &Due) -> Option<i64> {
        let registration = self.registration?;
        let base = self.base(registration);
        let belongs = base + within <= due.as_of && self.conversion(registration).time - base <= within;
        belongs.then_some(base)
    }

    fn deposited_within(&self, within: i64, due: &Due) -> Option<bool> {
        let base = self.cohort(within, due)?;
        Some(self.any(|c| is_deposit(c.facts.name) && c.time - base <= within))
    }

    /// What a deposit adds to its cohort; where the offer reports no registrations, clicks are the cohort.
    fn amount_within(&self, i: usize, within: i64, due: &Due) -> Option<i64> {
        let c = self.conversion(i);
        let taken_back = matches!(c.status, Status::Refund | Status::Chargeback);
        if self.rows[i].replay || taken_back || !(is_deposit(c.facts.name) || c.facts.name == "rebill") {
            return None;
        }
        let base = match self.words.start {
            Some(_) => self.cohort(within, due)?,
            None => self.rows[i].click_time.filter(|click| click + within <= due.as_of)?,
        };
        c.sale_amount.filter(|_| c.time - base <= within)
    }
}
