//! What a comparison says: the types that rules, verdicts and reports read.

use super::places::Level;
use crate::signals::{self, Family, Signal};
use std::collections::BTreeMap;
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
    /// No level has enough of them, and most sources of the group's offer are as bad by the rule's own limit.
    Alike,
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
            TooFew::Alike => {
                "too few peers to compare with, and most sources of its offer are beyond the limit"
            }
            TooFew::Sample => "too small a sample to differ from peers",
            TooFew::Absent => "no value to compare",
            TooFew::NotCompared => "this signal is not compared with peers",
        })
    }
}

/// ln of the two one-sided p-values of a comparison. A side that was not tested has none, which is held as a number
/// that is none: a large run has millions of these.
#[derive(Clone, Copy)]
pub struct Sides {
    high: f64,
    low: f64,
}

impl Sides {
    /// ln p that the signal lies so far above, and so far below; no float in it is NaN.
    pub fn new(high: Option<f64>, low: Option<f64>) -> Sides {
        let known = |ln_p: f64| if ln_p.is_nan() { 0.0 } else { ln_p };
        Sides { high: high.map_or(f64::NAN, known), low: low.map_or(f64::NAN, known) }
    }

    /// ln p of one side, where it was tested.
    pub fn of(&self, direction: Direction) -> Option<f64> {
        let ln_p = match direction {
            Direction::High => self.high,
            Direction::Low => self.low,
        };
        (!ln_p.is_nan()).then_some(ln_p)
    }

    /// The smaller of the two.
    pub fn least(&self) -> Option<f64> {
        let sides = [Direction::High, Direction::Low].map(|side| self.of(side));
        sides.into_iter().flatten().min_by(f64::total_cmp)
    }
}

impl PartialEq for Sides {
    fn eq(&self, other: &Sides) -> bool {
        [Direction::High, Direction::Low].into_iter().all(|side| self.of(side) == other.of(side))
    }
}

impl fmt::Debug for Sides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "high {:?}, low {:?}", self.of(Direction::High), self.of(Direction::Low))
    }
}

/// How one signal of a group stands against its peers: of the group's offers the one that differs most.
#[derive(Clone, Debug, PartialEq)]
pub struct Versus {
    /// What peers have, on the signal's own scale.
    pub expected: f64,
    /// The level at which peers were found, such as `offer, country`.
    pub level: Level,
    /// How many informative peers there are.
    pub peers: u32,
    /// How many times the peers' odds (of a share) or value (of anything else).
    pub ratio: f64,
    /// The end of the ratio's 95 % interval that is nearer to 1.
    pub ratio_limit: f64,
    /// Signed distance in standard deviations of peers and sampling together: positive above peers, whatever the
    /// test; 0 where a test that looks one way finds nothing.
    pub z: f64,
    pub direction: Direction,
    /// ln of the one-sided p-values.
    pub sides: Sides,
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
        self.sides.of(direction)
    }
}

/// One signal of a group beside its peers.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    Compared(Versus),
    TooFew(TooFew),
}

/// What the middle source of an offer has. Of an even number two are in the middle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Middle {
    pub lower: f64,
    pub upper: f64,
}

/// How the signals of a group stand, sorted by signal; one that is not there is not compared. Whoever looks at the
/// group shares them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standings(Arc<[(u16, Standing)]>);

impl Standings {
    /// Of signals that are in order, each once.
    pub(super) fn in_order(found: Vec<(&'static Signal, Standing)>) -> Standings {
        debug_assert!(found.windows(2).all(|two| two[0].0.name < two[1].0.name));
        Standings(found.into_iter().map(|(signal, standing)| (number(signal), standing)).collect())
    }

    /// Of these signals.
    pub fn of(found: impl IntoIterator<Item = (&'static Signal, Standing)>) -> Standings {
        let mut standings = Standings::default();
        found.into_iter().for_each(|(signal, standing)| standings.put(signal, standing));
        standings
    }

    /// Sets how a signal stands.
    pub fn put(&mut self, signal: &'static Signal, standing: Standing) {
        let at = number(signal);
        let mut all: Vec<(u16, Standing)> =
            self.0.iter().filter(|(other, _)| *other != at).cloned().collect();
        all.insert(all.partition_point(|(other, _)| *other < at), (at, standing));
        self.0 = all.into();
    }

    /// Every signal with how it stands, in the order of [`signals::all`].
    pub fn each(&self) -> impl Iterator<Item = (&'static Signal, &Standing)> {
        self.0.iter().map(|(at, standing)| (signals::all()[usize::from(*at)], standing))
    }

    /// Every signal that is compared with peers.
    pub fn compared(&self) -> impl Iterator<Item = (&'static Signal, &Versus)> {
        self.each().filter_map(|(signal, standing)| match standing {
            Standing::Compared(versus) => Some((signal, versus)),
            Standing::TooFew(_) => None,
        })
    }

    /// How a signal stands.
    pub fn get(&self, signal: &Signal) -> Option<&Standing> {
        let at = number(signal);
        self.0.binary_search_by_key(&at, |(other, _)| *other).ok().map(|found| &self.0[found].1)
    }
}

/// The place of a signal among all, in two bytes.
fn number(signal: &Signal) -> u16 {
    u16::try_from(signals::place(signal)).expect("there are fewer signals than that")
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
    pub signals: Standings,
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
    /// Of signals for which there are too few peers: what the middle source of the group's offer has.
    pub usual: BTreeMap<&'static str, Middle>,
}

const NOT_COMPARED: &Standing = &Standing::TooFew(TooFew::NotCompared);

impl Profile {
    /// How a signal stands.
    pub fn standing(&self, signal: &Signal) -> &Standing {
        self.signals.get(signal).unwrap_or(NOT_COMPARED)
    }

    /// How every signal stands, in the order of the table.
    pub fn each(&self) -> impl Iterator<Item = &Standing> {
        let mut rest = self.signals.each().peekable();
        signals::all().iter().map(move |signal| {
            let found = rest.next_if(|(known, _)| known.name == signal.name);
            found.map_or(NOT_COMPARED, |(_, standing)| standing)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hundred thousand sources with 25 signals hold two and a half million of these, twice for a while.
    #[test]
    fn a_comparison_is_small() {
        assert!(size_of::<Versus>() <= 72 && size_of::<(u16, Standing)>() <= 80);
    }

    #[test]
    fn a_side_is_tested_or_not() {
        let both = Sides::new(Some(-3.0), Some(-0.1));
        assert_eq!((both.of(Direction::High), both.least()), (Some(-3.0), Some(-3.0)));
        let low = Sides::new(None, Some(f64::NEG_INFINITY));
        assert_eq!((low.of(Direction::High), low.least()), (None, Some(f64::NEG_INFINITY)));
        assert_eq!((low, Sides::new(None, None).least()), (low, None));
        assert_ne!(low, both);
        assert_eq!(Sides::new(Some(f64::NAN), None).of(Direction::High), Some(0.0));
    }

    #[test]
    fn signals_are_in_order_however_they_come() {
        let [cr, short] = ["cr", "ctit_short_share"].map(|name| signals::find(name).expect(name));
        let few = |why| Standing::TooFew(why);
        let standings = Standings::of([
            (short, few(TooFew::Peers)),
            (cr, few(TooFew::Sample)),
            (short, few(TooFew::Absent)),
        ]);
        let names: Vec<&str> = standings.each().map(|(signal, _)| signal.name).collect();
        assert_eq!(names, ["cr", "ctit_short_share"]);
        assert_eq!(standings.get(short), Some(&few(TooFew::Absent)));
        assert_eq!(
            standings,
            Standings::in_order(vec![(cr, few(TooFew::Sample)), (short, few(TooFew::Absent))])
        );
        let profile = Profile { signals: standings, ..Profile::default() };
        let other = signals::find("orphan_share").expect("declared");
        assert_eq!(profile.standing(other), &few(TooFew::NotCompared));
    }
}
