//! A number per group, computed from measures, with its sample size and its interval.
//!
//! Every signal is one declaration in its family's table. Help, validation of rules, documentation and
//! computation are loops over [`all`]. What cannot be said is [`Reading::Absent`] with the reason;
//! NaN and infinity end here.

mod ctit;
mod data;
mod duplicates;
mod estimate;
#[cfg(test)]
mod formulas;
mod group;
mod identity;
mod performance;
mod postbacks;
mod quality;
mod rhythm;
mod spread;
mod volume;

pub use estimate::{Absence, CONFIDENCE, Estimate, Interval, Link, Reading, of_side};
pub use group::{Allowed, Context, Group};

use crate::base::unit::Unit;
use crate::measures::M;
use std::sync::LazyLock;

/// Which of the two exports a signal's evidence comes from. Anyone can send clicks with a rival's ID, so
/// evidence on the click side alone never blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    Click,
    Conversion,
}

/// Related signals; two rules of one family are one piece of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    Volume,
    Performance,
    Ctit,
    Identity,
    Rhythm,
    Duplicates,
    Quality,
    /// Who sent a postback.
    Postbacks,
    Data,
}

/// Every family and its word in rules and reports.
pub const FAMILIES: &[(Family, &str)] = &[
    (Family::Volume, "volume"),
    (Family::Performance, "performance"),
    (Family::Ctit, "ctit"),
    (Family::Identity, "identity"),
    (Family::Rhythm, "rhythm"),
    (Family::Duplicates, "duplicates"),
    (Family::Quality, "quality"),
    (Family::Postbacks, "postbacks"),
    (Family::Data, "data"),
];

impl Family {
    /// The word of rules and reports.
    pub fn word(self) -> &'static str {
        FAMILIES[self as usize].1
    }
}

/// In which direction a value is suspicious.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspicious {
    High,
    Low,
    Either,
    /// Context only: shown, never evidence by itself.
    Neither,
}

/// What kind of interval a signal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntervalKind {
    /// A counted fact: no interval.
    Exact,
    /// A share: Wilson limits at any confidence.
    Share,
    /// Limits known at 95 % only.
    Limits95,
    /// Normal on the scale of a link: limits at any confidence.
    Normal,
}

/// How a signal is held against the same signal of a group's peers (statistics.md, 4.3 and 4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// Not at all: a fact, or a number that peers say nothing about.
    Nothing,
    /// `x` of `n` by the logit-normal-binomial test.
    Rate,
    /// A statistic that is normal on its link's scale, by the random-effects z test.
    Normal,
    /// Narrow peaks of this histogram that peers do not have, by the local spike scan.
    Spikes(M),
    /// By itself: the value is a p-value of a test inside the group.
    Itself,
}

/// One signal.
pub struct Signal {
    pub name: &'static str,
    pub unit: Unit,
    pub family: Family,
    pub side: Side,
    pub suspicious: Suspicious,
    pub kind: IntervalKind,
    /// How peers are asked. Where [`Signal::suspicious`] is neither direction, the comparison is only shown.
    pub against: Against,
    /// Below this sample a rule cannot be decided, unless it says otherwise.
    pub min_sample: u64,
    /// What the sample counts.
    pub sample: &'static str,
    /// Possible values.
    pub range: (f64, f64),
    pub summary: &'static str,
    pub innocent: &'static [&'static str],
    /// The measures the formula reads.
    pub measures: &'static [M],
    pub formula: fn(&Group) -> Result<Estimate, Absence>,
}

impl Signal {
    /// What the signal says of a group.
    pub fn read(&self, group: &Group) -> Reading {
        match (self.formula)(group) {
            Ok(estimate) if estimate.is_finite() => Reading::Present(estimate),
            Ok(_) => Reading::Absent(Absence::Nothing("finite value")),
            Err(absence) => Reading::Absent(absence),
        }
    }
}

/// Signals are told apart by name.
impl PartialEq for Signal {
    fn eq(&self, other: &Signal) -> bool {
        self.name == other.name
    }
}

impl std::fmt::Debug for Signal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

static ALL: LazyLock<Vec<&'static Signal>> = LazyLock::new(|| {
    let tables: [&'static [Signal]; 9] = [
        ctit::SIGNALS,
        data::SIGNALS,
        duplicates::SIGNALS,
        identity::SIGNALS,
        performance::SIGNALS,
        postbacks::SIGNALS,
        quality::SIGNALS,
        rhythm::SIGNALS,
        volume::SIGNALS,
    ];
    let mut all: Vec<&'static Signal> = tables.into_iter().flatten().collect();
    all.sort_by_key(|s| s.name);
    all
});

/// All signals, sorted by name.
pub fn all() -> &'static [&'static Signal] {
    &ALL
}

/// The signal of this name.
pub fn find(name: &str) -> Option<&'static Signal> {
    ALL.binary_search_by_key(&name, |s| s.name).ok().map(|at| ALL[at])
}

/// Where a signal stands among [`all`].
pub fn place(signal: &Signal) -> usize {
    ALL.binary_search_by_key(&signal.name, |s| s.name).expect("every signal is in the table")
}

/// What all signals say of one group, in the order of [`all`].
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub(crate) readings: Vec<Reading>,
}

impl Row {
    /// Computes every signal of a group.
    pub fn compute(group: &Group) -> Row {
        Row { readings: ALL.iter().map(|signal| signal.read(group)).collect() }
    }

    /// What one signal says.
    pub fn reading(&self, signal: &'static Signal) -> &Reading {
        &self.readings[place(signal)]
    }

    /// Every signal with what it says, in the order of [`all`].
    pub fn each(&self) -> impl Iterator<Item = (&'static Signal, &Reading)> {
        ALL.iter().copied().zip(&self.readings)
    }

    /// A row of which only these readings are there, for the reason given.
    pub fn of(given: &[(&'static Signal, Reading)], absence: &Absence) -> Row {
        let mut readings = vec![Reading::Absent(absence.clone()); ALL.len()];
        given.iter().for_each(|(signal, reading)| readings[place(signal)] = reading.clone());
        Row { readings }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Field terms that carry their unit in the word itself.
    const TERMS: &[&str] = &[
        "cost",
        "revenue",
        "expected_revenue",
        "payout",
        "profit",
        "epc",
        "cpa",
        "cr",
        "roi",
        "hour_spread",
        "hour_r",
        "fano_1m",
        "fano_5m",
        "brand_cr",
        "ctit_log_mean",
        "amount_log_mean",
    ];

    #[test]
    fn the_table_is_in_order() {
        assert!(all().windows(2).all(|w| w[0].name < w[1].name));
        for signal in all() {
            assert!(std::ptr::eq(find(signal.name).expect("it is there"), *signal));
        }
    }

    #[test]
    fn names_state_their_unit() {
        for signal in all().iter().filter(|s| !TERMS.contains(&s.name)) {
            let suffix: &[&str] = match signal.unit {
                Unit::Count => &["_count"],
                Unit::Share => &["_share", "_p"],
                Unit::Seconds => &["_s"],
                Unit::Ratio => {
                    &["_in_payouts", "_in_rates", "_cv", "_hhi", "_norm", "_bits", "_log_sd", "_per_ip"]
                }
                Unit::Money => &["_per_registration"],
            };
            assert!(suffix.iter().any(|s| signal.name.ends_with(s)), "{}", signal.name);
        }
    }

    #[test]
    fn every_signal_explains_itself() {
        for s in all() {
            assert!(s.summary.len() > 15 && !s.sample.is_empty() && !s.measures.is_empty(), "{}", s.name);
            let context = s.suspicious == Suspicious::Neither;
            assert!(context || !s.innocent.is_empty(), "{} has no innocent causes", s.name);
            assert!(s.range.0 < s.range.1, "{}", s.name);
            assert!(s.kind != IntervalKind::Share || s.range == (0.0, 1.0), "{}", s.name);
            let (share, normal) = (s.kind == IntervalKind::Share, s.kind == IntervalKind::Normal);
            match s.against {
                Against::Rate | Against::Spikes(_) => assert!(share, "{}", s.name),
                Against::Normal => assert!(normal, "{}", s.name),
                Against::Itself => assert!(s.name.ends_with("_p"), "{}", s.name),
                Against::Nothing => assert!(!normal, "{}", s.name),
            }
        }
    }
}
