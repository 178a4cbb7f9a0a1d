//! When each source's clicks happen: exactly as many as planned, hour by hour, in order of time.
//!
//! One hour is held in memory at a time. Clicks before the exported days are planned too: their conversions
//! fall into the export, as they do in real ones.

use super::random::Rng;
use super::source::Source;

/// Seconds in an hour.
pub const HOUR_S: i64 = 3_600;

/// A second click of the same visitor soon after the first, parts per million.
const DOUBLE_CLICK_PPM: u64 = 45_000;

/// Clicks of visitors who come back, parts per million, and how many clicks there are for one such visitor.
const RETURNING_PPM: u64 = 100_000;
const CLICKS_PER_RETURNING: u64 = 8;

/// One click to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick {
    /// Seconds since 1970.
    pub time: i64,
    /// Index of the source.
    pub source: u32,
    /// Who clicks: everything about a visitor follows from this number.
    pub visitor: u64,
}

/// Plans the hours in turn.
pub struct Schedule<'a> {
    sources: &'a [Source],
    seed: u64,
    /// Clicks and presence that each source has left within the exported days.
    left: Vec<(u64, u64)>,
    /// One for each source.
    rngs: Vec<Rng>,
}

impl<'a> Schedule<'a> {
    /// For the exported hours `first..end`, hour numbers since 1970.
    pub fn new(sources: &'a [Source], seed: u64, first: i64, end: i64) -> Schedule<'a> {
        let presence = |s: &Source| (first..end).map(|hour| s.presence(hour, seed)).sum();
        let left = sources.iter().map(|s| (s.clicks, presence(s))).collect();
        let rngs = sources.iter().map(|s| s.rng(seed, 1)).collect();
        Schedule { sources, seed, left, rngs }
    }

    /// The clicks of an hour before the exported days. Planted sources begin with the export.
    pub fn earlier_hour(&mut self, hour: i64) -> Vec<Tick> {
        let mut ticks = Vec::new();
        for (index, source) in self.sources.iter().enumerate().filter(|(_, s)| s.plant.is_none()) {
            let (clicks, presence) = self.left[index];
            let count =
                self.rngs[index].binomial(clicks, source.presence(hour, self.seed) as f64 / presence as f64);
            self.place(hour, index, count, &mut ticks);
        }
        ticks.sort_unstable();
        ticks
    }

    /// The clicks of the next exported hour.
    pub fn hour(&mut self, hour: i64) -> Vec<Tick> {
        let mut ticks = Vec::new();
        for (index, source) in self.sources.iter().enumerate() {
            let here = source.presence(hour, self.seed);
            let (clicks, presence) = self.left[index];
            let count = self.rngs[index].binomial(clicks, here as f64 / presence as f64);
            self.left[index] = (clicks - count, presence - here);
            self.place(hour, index, count, &mut ticks);
        }
        ticks.sort_unstable();
        ticks
    }

    fn place(&mut self, hour: i64, source: usize, count: u64, ticks: &mut Vec<Tick>) {
        let (start, end) = (hour * HOUR_S, (hour + 1) * HOUR_S - 1);
        for n in 0..count {
            let visitor = self.visitor(source);
            let rng = &mut self.rngs[source];
            let tick = match ticks.last() {
                Some(&first) if n > 0 && rng.chance(DOUBLE_CLICK_PPM) => {
                    Tick { time: (first.time + rng.between(1, 25)).min(end), ..first }
                }
                _ => Tick { time: rng.between(start, end), source: source as u32, visitor },
            };
            ticks.push(tick);
        }
    }

    fn visitor(&mut self, index: usize) -> u64 {
        let (source, rng) = (&self.sources[index], &mut self.rngs[index]);
        if !rng.chance(RETURNING_PPM) {
            return rng.bits();
        }
        let known = rng.below(source.clicks / CLICKS_PER_RETURNING + 1);
        source.rng(self.seed, known | 1 << 32).bits()
    }
}
