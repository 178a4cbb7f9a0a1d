//! What single conversions are among the others: steps of a player's way, amounts of an offer, IDs of a form.
//!
//! Whatever looks at several conversions at once is settled here, so that measures only count rows. A fact
//! that cannot be told is absent, never "no".

mod amounts;
mod countries;
mod decisions;
mod forms;
mod funnel;
mod journeys;
mod neighbours;
mod sequences;

use super::MatchedConversion;
use super::transactions::{order, real};
use crate::base::column::Col;
use crate::base::error::Result;
use crate::base::symbol::{Symbol, Symbols};
use crate::ingest::Intake;
use hashbrown::{HashMap, HashSet};
use journeys::Journeys;

/// What a conversion is among the others. A pair of "may be asked" and "is so" is an option.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// A player's first registration, old enough for a first deposit: whether one came in that time.
    pub deposited: Option<bool>,
    /// A player's first deposit, old enough for a second one: whether one came in that time.
    pub deposited_again: Option<bool>,
    /// A player's first registration within a week of a click at least a week old: whether a deposit came
    /// in that week.
    pub deposited_d7: Option<bool>,
    /// The same for 30 days.
    pub deposited_d30: Option<bool>,
    /// What this deposit adds to the amounts of that week and of those 30 days, micro-units.
    pub amount_d7: Option<i64>,
    pub amount_d30: Option<i64>,
    /// The player's first payment, with a positive amount: the amount in micro-units.
    pub first_amount: Option<i64>,
    /// It is not above the smallest amount that several sources of the offer share.
    pub at_floor: bool,
    /// Whether the conversion's own country is another than its click's.
    pub countries_differ: Option<bool>,
    /// The form of the click ID, for equality only; on the first conversion of each source's ID.
    pub id_form: Option<i64>,
    /// The ID is matched to no click and has a form that matched ones do not have.
    pub foreign_form: bool,
    /// Whether the click ID counts on by 1 to 16 from the source's ID of the same beginning before it.
    pub step: Option<bool>,
    /// Whether another source's click of the same visitor came at most 5 s before its click.
    pub neighbour: Option<bool>,
    /// Nine in ten decisions of the offer take no longer than this conversion is old, or nobody can say.
    pub decision_due: bool,
}

/// The last characters of a click ID are so many.
const CHARACTERS: usize = 6;

/// A character fits into so many bits.
const CHARACTER_BITS: u32 = 21;

impl MatchedConversion {
    /// The last six letters and digits of the click ID, each with its place from the end: `place << 21 | character`.
    /// Empty unless the ID has a form to be counted.
    pub fn id_characters(&self) -> Vec<i64> {
        let id = self.conversion.click_id.as_ref().filter(|_| self.facts.id_form.is_some());
        let text = id.map_or("", |id| &*id.text);
        let last = text.chars().rev().filter(|c| c.is_alphanumeric()).take(CHARACTERS);
        last.enumerate()
            .map(|(place, c)| (place as i64) << CHARACTER_BITS | i64::from(u32::from(c)))
            .collect()
    }

    /// Whether the first payment is a whole multiple of ten units.
    pub fn is_round_amount(&self) -> bool {
        const TEN: i64 = 10_000_000;
        self.facts.first_amount.is_some_and(|amount| amount % TEN == 0)
    }
}

/// The place of a number of [`MatchedConversion::id_characters`].
pub fn character_place(packed: i64) -> i64 {
    packed >> CHARACTER_BITS
}

/// What the facts of conversions depend on besides them.
pub struct Setting<'a> {
    /// The columns of [`MatchedConversion::columns`].
    pub columns: &'a [Col],
    /// Where those stand that make a source.
    pub sources: &'a [usize],
    /// The moment the input reaches up to.
    pub as_of: i64,
}

impl Setting<'_> {
    fn column(&self, m: &MatchedConversion, col: Col) -> Symbol {
        let at = self.columns.iter().position(|c| *c == col);
        at.map_or(Symbol::NONE, |at| m.columns[at])
    }

    fn source(&self, m: &MatchedConversion) -> Vec<Symbol> {
        self.sources.iter().map(|&i| m.columns[i]).collect()
    }
}

/// Settles the facts of all conversions; whether there were enough matched click IDs to learn their forms.
///
/// # Errors
/// The clicks cannot be read.
pub fn settle(
    rows: &mut [MatchedConversion],
    setting: &Setting,
    intake: &Intake,
    symbols: &mut Symbols,
) -> Result<bool> {
    let forms_known = settle_rows(rows, setting, symbols);
    neighbours::mark(rows, setting, intake, symbols)?;
    Ok(forms_known)
}

/// Settles what needs no clicks.
fn settle_rows(rows: &mut [MatchedConversion], setting: &Setting, symbols: &Symbols) -> bool {
    let journeys = Journeys::of(rows, setting);
    funnel::mark(rows, &journeys, setting.as_of);
    amounts::mark(rows, &journeys, setting);
    countries::mark(rows, setting, symbols);
    decisions::mark(rows, setting);
    let ids = first_ids(rows, setting);
    sequences::mark(rows, &ids);
    forms::mark(rows, &ids, setting)
}

/// The first conversion of each click ID of each source, with a number for the source; in the order of time.
fn first_ids(rows: &[MatchedConversion], setting: &Setting) -> Vec<(u32, usize)> {
    let mut in_time: Vec<usize> = (0..rows.len()).collect();
    in_time.sort_by_key(|&i| order(&rows[i]));
    let mut sources: HashMap<Vec<Symbol>, u32> = HashMap::new();
    let mut met: HashSet<(u32, &str)> = HashSet::new();
    let mut first = Vec::new();
    for i in in_time {
        let Some(id) = real(&rows[i].conversion.click_id) else { continue };
        let next = sources.len() as u32;
        let source = *sources.entry(setting.source(&rows[i])).or_insert(next);
        if met.insert((source, &id.text)) {
            first.push((source, i));
        }
    }
    first
}
