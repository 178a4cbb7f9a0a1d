//! What a comparison says: the types that rules, verdicts and reports read.

use crate::signals::{self, Family, Signal};
use std::fmt;
use std::sync::Arc;

/// On which side of its peers a value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    High,
    Low,
}

/// Why a signal of a group could not be held against peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TooFew {
    /// No level of peer groups has enough of them.
    Peers,
    /// The group's own sample is too small to differ from anybody.
    Sample,
    /// The signal has no value for the group.
    Absent,
    /// The signal is not one that peers are asked about.
    NotCompared,
}

impl fmt::Display for TooFew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TooFew::Peers => "too few peers to compare with",
            TooFew::Sample => "too small a sample to differ from peers",
            TooFew::Absent => "no value to compare",
            TooFew::NotCompared => "this signal is not compared with peers",
        })
    }
}

/// How one signal of a group stands against its peers: of the group's offers the one that differs most.
#[derive(Clone, Debug, PartialEq)]
pub struct Versus {
    /// What peers have, on the signal's own scale.
    pub expected: f64,
    /// The level at which peers were found, such as `offer, country`.
    pub level: Arc<str>,
    /// How many informative peers there are.
    pub peers: u32,
    /// How many times the peers' odds (of a share) or value (of anything else).
    pub ratio: f64,
    /// The end of the ratio's 95 % interval that is nearer to 1.
    pub ratio_limit: f64,
    /// Signed distance in standard deviations of peers and sampling together.
    pub z: f64,
    pub direction: Direction,
    /// ln of the one-sided p-values; the side that is not suspicious is `None`.
    pub ln_p_high: Option<f64>,
    pub ln_p_low: Option<f64>,
    /// The q-value that the group would have if this signal were its only evidence, with the price for all the
    /// others that were looked at.
    pub q: f64,
    /// Whether the effect is large enough to matter, not only significant.
    pub large: bool,
    /// Upper bound of the weight of evidence in decibans (Sellke, Bayarri, Berger 2001), at most 60.
    pub decibans: f64,
}

impl Versus {
    /// ln p in a direction, where that direction was tested.
    pub fn ln_p(&self, direction: Direction) -> Option<f64> {
        match direction {
            Direction::High => self.ln_p_high,
            Direction::Low => self.ln_p_low,
        }
    }
}

/// One signal of a group beside its peers.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    Compared(Versus),
    TooFew(TooFew),
}

/// A known way to cheat that several abnormal signals of a group make up together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    Injection,
    Flooding,
    Scripted,
    Replay,
    IpFarm,
    Incentive,
    Stuffing,
}

/// Every pattern, its word, and what it means in one sentence.
pub const PATTERNS: &[(Pattern, &str, &str)] = &[
    (Pattern::Injection, "injection", "conversions follow clicks that were made up once they were under way"),
    (Pattern::Flooding, "flooding", "a flood of clicks claims other people's conversions by chance"),
    (Pattern::Scripted, "scripted", "a script converts after a constant delay"),
    (Pattern::Replay, "replay", "conversions are sent again, or without a click"),
    (Pattern::IpFarm, "ip_farm", "few networks send clicks that do not convert like others"),
    (Pattern::Incentive, "incentive", "players are paid for a first deposit and never come back"),
    (Pattern::Stuffing, "stuffing", "clicks are put on top of another source's visitors"),
];

impl Pattern {
    /// The word of rules and reports.
    pub fn word(self) -> &'static str {
        PATTERNS[self as usize].1
    }

    /// What it means, in one sentence.
    pub fn meaning(self) -> &'static str {
        PATTERNS[self as usize].2
    }
}

/// Everything that peers say of one group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// Sorted by signal name; signals that are not there are not compared.
    pub signals: Vec<(&'static str, Standing)>,
    /// ln of the combined p-value of the group; `None` if nothing could be compared.
    pub ln_p: Option<f64>,
    /// ln of the combined p-value of each family that was compared.
    pub families: Vec<(Family, f64)>,
    /// The group's q-value among all compared groups.
    pub q: Option<f64>,
    /// 0 to 100: 100 × (1 − local false-discovery rate). Abnormal, not fraudulent.
    pub risk: Option<f64>,
    /// Significant at the false-discovery rate of the run, with an effect that is large enough to matter.
    pub significant: bool,
    /// The patterns that fit, the most certain first, with ln p.
    pub patterns: Vec<(Pattern, f64)>,
}

const NOT_COMPARED: &Standing = &Standing::TooFew(TooFew::NotCompared);

impl Profile {
    /// How a signal stands.
    pub fn standing(&self, signal: &Signal) -> &Standing {
        let at = self.signals.binary_search_by_key(&signal.name, |(name, _)| name);
        at.map_or(NOT_COMPARED, |at| &self.signals[at].1)
    }

    /// How every signal stands, in the order of the table.
    pub fn each(&self) -> impl Iterator<Item = &Standing> {
        let mut rest = self.signals.iter().peekable();
        signals::all().iter().map(move |signal| {
            while rest.next_if(|(name, _)| *name < signal.name).is_some() {}
            rest.next_if(|(name, _)| *name == signal.name).map_or(NOT_COMPARED, |(_, standing)| standing)
        })
    }
}
