//! Faults of an offer, a network or the whole input that look like bad sources: a cap is reached, the landing
//! page is down, postbacks are lost.
//!
//! On such days most sources stop converting at once, so the days judge none of them. Every unit is held
//! against its own other days: what its sources would have brought at their own rates, the usual spread between
//! its days included. An incident is a drop below half that chance and a source's own doing do not explain.
//! Only what waits for a conversion is forgotten on its days; clicks, cost, revenue and CTIT stay. Hours in which
//! clicks flow and all sources of a network are silent are incidents, too ([`outages`]).

mod cells;
mod flows;
mod outages;
mod unit;

#[cfg(test)]
mod tests;

pub use cells::{Table, forget};
pub use flows::Flows;

use crate::base::column::Col;
use crate::base::text::Text;
use std::collections::{BTreeMap, BTreeSet};
use unit::{Fall, Part, Unit};

/// The chance of a single false incident in a whole run.
const ALPHA: f64 = 0.01;

/// A part of a unit whose conversions fell: what it expects, at least, to tell; the share that is no fall; and
/// how many of ten such parts have to fall, so that it is the unit's fault and not a part's.
const PART_EXPECTS: f64 = 5.0;
const PART_FELL: f64 = 0.6;
const PARTS_OF_TEN: usize = 8;

/// The mature clicks of one group on one day for one offer and network, and those of them that converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell<'a> {
    pub offer: Option<&'a str>,
    pub network: Option<&'a str>,
    /// A number for the group; equal numbers are one source.
    pub group: u32,
    pub day: i32,
    pub clicks: u64,
    pub converted: u64,
}

/// Days on which conversions of most sources of a unit are missing.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// An offer or a network; `None` for the whole input.
    pub unit: Option<(Col, Text)>,
    /// Both included.
    pub first_day: i32,
    pub last_day: i32,
    /// The hours of an outage, in UTC microseconds: from the last conversion before it to the first one behind it.
    pub hours: Option<(i64, i64)>,
    /// Converted clicks that the sources would have brought, and the limits that hold in 95 of 100 cases.
    pub expected: f64,
    pub low: f64,
    pub high: f64,
    pub observed: u64,
    /// Sources (small ones are taken together) that expected enough to tell, and those of them that fell.
    pub told: usize,
    pub fell: usize,
    /// Logarithm of the chance of so few conversions.
    pub ln_p: f64,
}

impl Incident {
    /// Whether clicks of this offer and network on this day are the incident's.
    pub fn covers(&self, offer: Option<&str>, network: Option<&str>, day: i32) -> bool {
        let name = match &self.unit {
            None => return self.holds(day),
            Some((Col::Offer, name)) => offer.map(|o| o == name.raw()),
            Some((_, name)) => network.map(|n| n == name.raw()),
        };
        name == Some(true) && self.holds(day)
    }

    /// Whether the days of another incident are this one's, as far as its network is concerned.
    pub fn contains(&self, other: &Incident) -> bool {
        (self.unit.is_none() || self.unit == other.unit)
            && self.holds(other.first_day)
            && self.holds(other.last_day)
    }

    fn holds(&self, day: i32) -> bool {
        (self.first_day..=self.last_day).contains(&day)
    }
}

/// Finds the incidents: those of the whole input first, then of networks, then of offers, by name and day.
///
/// The wider unit is taken where all of its parts fell; its days are then left out of the narrower ones. A unit
/// with too little traffic, too few days or too few sources has none. Cells have to be sorted.
pub fn find(cells: &[Cell]) -> Vec<Incident> {
    let limit = (ALPHA / tests(cells)).ln();
    let mut found: Vec<Incident> = Vec::new();
    for level in [Level::All, Level::Networks, Level::Offers] {
        let left: Vec<&Cell> = cells.iter().filter(|cell| !covered(&found, cell)).collect();
        let units = level.units(&left);
        let usual = unit::usual_spread(units.iter().map(|(_, unit)| unit));
        for (name, unit) in &units {
            let falls = unit.falls(usual, limit).into_iter().filter(all_fell);
            found.extend(falls.map(|fall| incident(*name, fall)));
        }
    }
    found
}

/// How many runs of days of any unit can be tested (Bonferroni).
fn tests(cells: &[Cell]) -> f64 {
    let offers: BTreeSet<&str> = cells.iter().filter_map(|cell| cell.offer).collect();
    let networks: BTreeSet<&str> = cells.iter().filter_map(|cell| cell.network).collect();
    let units = 1 + offers.len() + networks.len();
    let days = cells.iter().map(|cell| cell.day).collect::<BTreeSet<i32>>().len() as f64;
    units as f64 * (days * (days + 1.0) / 2.0).max(1.0)
}

fn covered(incidents: &[Incident], cell: &Cell) -> bool {
    incidents.iter().any(|incident| incident.covers(cell.offer, cell.network, cell.day))
}

fn incident(unit: Option<(Col, &str)>, fall: Fall) -> Incident {
    Incident {
        unit: unit.map(|(column, name)| (column, Text::new(name))),
        first_day: fall.first_day,
        last_day: fall.last_day,
        hours: None,
        expected: fall.expected,
        low: fall.limits.0,
        high: fall.limits.1,
        observed: fall.observed,
        told: fall.told,
        fell: fall.fell,
        ln_p: fall.ln_p,
    }
}

/// Whether all parts that could tell fell. Where a unit is not known to have parts nothing is asked of them; of
/// a single part it is the part's own incident.
fn all_fell(fall: &Fall) -> bool {
    if fall.parts.iter().all(|part| part.name.is_none()) {
        return true;
    }
    let told: Vec<&Part> = fall.parts.iter().filter(|part| part.expected >= PART_EXPECTS).collect();
    let fell = told.iter().filter(|part| part.observed <= PART_FELL * part.expected).count();
    told.len() >= 2 && fell * 10 >= told.len() * PARTS_OF_TEN
}

/// How wide units are.
#[derive(Clone, Copy)]
enum Level {
    All,
    Networks,
    Offers,
}

/// A unit's column and name, `None` for the whole input, and its traffic.
type Named<'a> = (Option<(Col, &'a str)>, Unit<'a>);

impl Level {
    /// The units of this level, sorted by name. Rows without a name belong to none.
    fn units<'a>(self, cells: &[&Cell<'a>]) -> Vec<Named<'a>> {
        let mut of: BTreeMap<Option<(Col, &'a str)>, Vec<&Cell<'a>>> = BTreeMap::new();
        for cell in cells {
            let name = match self {
                Level::All => None,
                Level::Networks => cell.network.map(|name| (Col::Network, name)),
                Level::Offers => cell.offer.map(|name| (Col::Offer, name)),
            };
            if matches!(self, Level::All) || name.is_some() {
                of.entry(name).or_default().push(cell);
            }
        }
        let networks = cells.iter().any(|cell| cell.network.is_some());
        let part = |cell: &Cell<'a>| match self {
            Level::All if networks => cell.network,
            Level::All | Level::Networks => cell.offer,
            Level::Offers => None,
        };
        of.into_iter().map(|(name, cells)| (name, Unit::new(&cells, part))).collect()
    }
}
