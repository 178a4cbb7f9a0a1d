//! One unit against its own other days.

use super::Cell;
use crate::base::stats::{Residual, paule_mandel, poisson_at_most, weighted_median};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Conversions' worth of the unit's rate in a source's own: few conversions of one source say little.
const PRIOR: f64 = 2.0;

/// The least standard deviation of the log rate between ordinary days: weekdays and campaigns alone make so
/// much.
const LEAST_SPREAD: f64 = 0.15;

/// Where the spread's estimate is cut off, so that half of the days may be out of the ordinary.
const SPREAD_CUT: f64 = 1.0;

/// A day is dead if it has less than this share of what good days have, and by chance less than once in a
/// thousand times. Dead days are no measure of what is usual, even if they are many.
const DEAD_SHARE: f64 = 0.25;
const DEAD_CHANCE: f64 = 1e-3;

/// The share of conversions on days not as good as the good ones.
const GOOD: f64 = 0.75;

/// How many ordinary days, and conversions on them, it takes to say what is usual.
const LEAST_DAYS: usize = 4;
const LEAST_CONVERSIONS: f64 = 20.0;

/// A day is low at this share of the expectation; all days of an incident together are below half.
const LOW: f64 = 0.6;
const HALF: f64 = 0.5;

/// What a day has to expect to be low or not, a run of days to be tested, and a source to tell.
const DAY_EXPECTS: f64 = 1.0;
const RUN_EXPECTS: f64 = 8.0;
const SOURCE_EXPECTS: f64 = 3.0;

/// Up to this share of the expectation a run is silent, whatever other weeks are like.
const SILENT: f64 = 0.1;

/// How many sources must be able to tell; two in three of these must fall. Without the quarter that lacks most
/// the rest must have fallen, too, by a chance below this one.
const LEAST_SOURCES: usize = 3;
const REST_CHANCE: f64 = 0.01;

/// Standard deviations in which 95 of 100 values of a normal lie.
const Z_95: f64 = 1.959_964;

/// Mature clicks and converted ones.
#[derive(Clone, Copy, Default)]
struct Counts {
    clicks: f64,
    converted: f64,
}

/// What has a rate of its own: a source's traffic of one offer and network.
struct Stratum<'a> {
    group: u32,
    part: Option<&'a str>,
    /// By place among the unit's days.
    days: Vec<(usize, Counts)>,
}

/// All days of one offer, network, or input.
pub struct Unit<'a> {
    days: Vec<i32>,
    strata: Vec<Stratum<'a>>,
}

/// Days in a row on which a unit's conversions are missing.
pub struct Fall<'a> {
    pub first_day: i32,
    pub last_day: i32,
    pub expected: f64,
    pub limits: (f64, f64),
    pub observed: u64,
    pub told: usize,
    pub fell: usize,
    pub ln_p: f64,
    pub parts: Vec<Part<'a>>,
}

/// An offer of a network, or a network of the input.
pub struct Part<'a> {
    pub name: Option<&'a str>,
    pub expected: f64,
    pub observed: f64,
}

/// What is usual.
struct Usual {
    /// What every stratum expects for a click.
    rates: Vec<f64>,
    /// Expected and seen by day.
    expected: Vec<f64>,
    seen: Vec<f64>,
    /// The standard deviation of the log rate between days, and of the expectation.
    spread: f64,
    error: f64,
}

/// Expected and seen conversions of a source, or of several small ones.
#[derive(Clone, Copy, Default)]
struct Vote {
    expected: f64,
    seen: f64,
}

impl Vote {
    fn add(&mut self, other: Vote) {
        self.expected += other.expected;
        self.seen += other.seen;
    }
}

impl<'a> Unit<'a> {
    /// The traffic of these cells, which are sorted; `part` names the part of the unit that a cell is of.
    pub fn new(cells: &[&Cell<'a>], part: impl Fn(&Cell<'a>) -> Option<&'a str>) -> Unit<'a> {
        let mut days: Vec<i32> = cells.iter().map(|cell| cell.day).collect();
        days.sort_unstable();
        days.dedup();
        let counts = |cell: &Cell| {
            let at = days.binary_search(&cell.day).expect("every cell's day is there");
            (at, Counts { clicks: cell.clicks as f64, converted: cell.converted as f64 })
        };
        let of = |cell: &Cell<'a>| (cell.offer, cell.network, cell.group);
        let stratum = |cells: &[&Cell<'a>]| Stratum {
            group: cells[0].group,
            part: part(cells[0]),
            days: cells.iter().map(|cell| counts(cell)).collect(),
        };
        let strata = cells.chunk_by(|a, b| of(a) == of(b)).map(stratum).collect();
        Unit { days, strata }
    }

    /// The runs of days on which conversions dropped with a chance below `limit`, a logarithm; `usual_spread` is
    /// the least spread between days that is allowed for.
    pub fn falls(&self, usual_spread: f64, limit: f64) -> Vec<Fall<'a>> {
        let live = self.live();
        let Some(usual) = self.usual(&live) else { return Vec::new() };
        let runs = low_runs(&usual);
        runs.into_iter().filter_map(|run| self.fall(&live, run, usual_spread, limit)).collect()
    }

    /// One run of low days, tested against the days outside it.
    fn fall(&self, live: &[bool], run: (usize, usize), usual_spread: f64, limit: f64) -> Option<Fall<'a>> {
        let outside: Vec<bool> =
            live.iter().enumerate().map(|(day, live)| *live && !(run.0..=run.1).contains(&day)).collect();
        let mut usual = self.usual(&outside)?;
        usual.spread = usual.spread.max(usual_spread);
        let (best, ln_p) = usual.best_part(run)?;
        let whole = usual.over(run);
        let run = if whole.seen <= HALF * whole.expected { run } else { best };
        let votes = self.votes(&usual, run);
        let fell = votes.iter().filter(|vote| vote.seen <= HALF * vote.expected).count();
        let most = votes.len() >= LEAST_SOURCES && fell * 3 >= votes.len() * 2;
        if ln_p > limit || !most || self.every_week(&usual, run) || !self.rest_fell(&usual, run, &votes) {
            return None;
        }
        let all = usual.over(run);
        let width = (Z_95 * (usual.deviation().powi(2) + 1.0 / all.expected).sqrt()).exp();
        Some(Fall {
            first_day: self.days[run.0],
            last_day: self.days[run.1],
            expected: all.expected,
            limits: (all.expected / width, all.expected * width),
            observed: all.seen as u64,
            told: votes.len(),
            fell,
            ln_p,
            parts: self.parts(&usual, run),
        })
    }

    /// Which days are not dead.
    fn live(&self) -> Vec<bool> {
        let all = vec![true; self.days.len()];
        let (_, expected, seen) = self.expectation(&all);
        let good = quantile(&ratios(&expected, &seen, &all), GOOD);
        let dead = |(expected, seen): (&f64, &f64)| {
            let usual = good * expected;
            *seen < DEAD_SHARE * usual && poisson_at_most(*seen as u64, usual) < DEAD_CHANCE
        };
        expected.iter().zip(&seen).map(|day| !dead(day)).collect()
    }

    /// What is usual, from the days that are named; `None` where they are too few.
    fn usual(&self, of: &[bool]) -> Option<Usual> {
        let (mut rates, mut expected, seen) = self.expectation(of);
        let telling = ratios(&expected, &seen, of);
        let conversions: f64 = seen.iter().zip(of).filter(|(_, of)| **of).map(|(seen, _)| seen).sum();
        if telling.len() < LEAST_DAYS || conversions < LEAST_CONVERSIONS {
            return None;
        }
        let level = weighted_median(telling.iter().copied())?;
        rates.iter_mut().chain(&mut expected).for_each(|value| *value *= level);
        let spread = spread(&expected, &seen, of);
        let days = telling.len() as f64;
        // The median of n values has π/2 times the variance of their mean.
        let error = (std::f64::consts::FRAC_PI_2 * (spread * spread / days + 1.0 / conversions)).sqrt();
        // An estimate from few days may be too small by chance.
        let spread = spread * (1.0 + 1.0 / (2.0 * days).sqrt());
        Some(Usual { rates, expected, seen, spread: spread.max(LEAST_SPREAD), error })
    }

    /// Rates of the strata on the named days; conversions expected and seen on every day.
    fn expectation(&self, of: &[bool]) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let sums: Vec<Counts> = self.strata.iter().map(|stratum| stratum.sum(of)).collect();
        let all = |value: fn(&Counts) -> f64| sums.iter().map(value).sum::<f64>();
        let common = all(|c| c.converted) / all(|c| c.clicks).max(1.0);
        let rate = |c: &Counts| {
            if common > 0.0 { (c.converted + PRIOR) / (c.clicks + PRIOR / common) } else { 0.0 }
        };
        let rates: Vec<f64> = sums.iter().map(rate).collect();
        let (mut expected, mut seen) = (vec![0.0; self.days.len()], vec![0.0; self.days.len()]);
        for (stratum, rate) in self.strata.iter().zip(&rates) {
            for (day, counts) in &stratum.days {
                expected[*day] += counts.clicks * rate;
                seen[*day] += counts.converted;
            }
        }
        (rates, expected, seen)
    }

    /// Sources by what they expected and brought in a run; small ones, in order, are taken together.
    fn votes(&self, usual: &Usual, run: (usize, usize)) -> Vec<Vote> {
        let mut of_group: BTreeMap<u32, Vote> = BTreeMap::new();
        for (stratum, rate) in self.strata.iter().zip(&usual.rates) {
            of_group.entry(stratum.group).or_default().add(stratum.vote(*rate, run));
        }
        let (mut votes, mut small) = (Vec::new(), Vote::default());
        for vote in of_group.into_values() {
            if vote.expected >= SOURCE_EXPECTS {
                votes.push(vote);
                continue;
            }
            small.add(vote);
            if small.expected >= SOURCE_EXPECTS {
                votes.push(std::mem::take(&mut small));
            }
        }
        votes
    }

    /// Whether the same weekdays of the week before or after were low, too: that is how this unit lives.
    fn every_week(&self, usual: &Usual, run: (usize, usize)) -> bool {
        let (first, last, sum) = (self.days[run.0], self.days[run.1], usual.over(run));
        let low = |shift: i32| {
            let mut week = Vote::default();
            for (day, at) in self.days.iter().zip(0..) {
                if (first + shift..=last + shift).contains(day) {
                    week.add(usual.over((at, at)));
                }
            }
            week.expected >= RUN_EXPECTS && week.seen <= LOW * week.expected
        };
        last - first < 6 && sum.seen > SILENT * sum.expected && (low(-7) || low(7))
    }

    /// Whether the drop is still there without the quarter of sources that lack most: what a few large sources
    /// do is their own.
    fn rest_fell(&self, usual: &Usual, run: (usize, usize), votes: &[Vote]) -> bool {
        let mut lacking: Vec<&Vote> = votes.iter().collect();
        let lack = |vote: &Vote| vote.expected - vote.seen;
        lacking.sort_by(|a, b| lack(b).partial_cmp(&lack(a)).unwrap_or(Ordering::Equal));
        let mut rest = usual.over(run);
        for vote in lacking.iter().take(votes.len().div_ceil(4)) {
            rest.expected -= vote.expected;
            rest.seen -= vote.seen;
        }
        rest.seen <= LOW * rest.expected && usual.ln_chance(rest) <= REST_CHANCE.ln()
    }

    fn parts(&self, usual: &Usual, run: (usize, usize)) -> Vec<Part<'a>> {
        let mut of: BTreeMap<Option<&'a str>, Vote> = BTreeMap::new();
        for (stratum, rate) in self.strata.iter().zip(&usual.rates) {
            of.entry(stratum.part).or_default().add(stratum.vote(*rate, run));
        }
        let part = |(name, vote): (Option<&'a str>, Vote)| Part {
            name,
            expected: vote.expected,
            observed: vote.seen,
        };
        of.into_iter().map(part).collect()
    }
}

impl Stratum<'_> {
    fn sum(&self, of: &[bool]) -> Counts {
        let mut sum = Counts::default();
        for (_, counts) in self.days.iter().filter(|(day, _)| of[*day]) {
            sum.clicks += counts.clicks;
            sum.converted += counts.converted;
        }
        sum
    }

    fn vote(&self, rate: f64, run: (usize, usize)) -> Vote {
        let mut vote = Vote::default();
        for (_, counts) in self.days.iter().filter(|(day, _)| (run.0..=run.1).contains(day)) {
            vote.add(Vote { expected: rate * counts.clicks, seen: counts.converted });
        }
        vote
    }
}

impl Usual {
    fn over(&self, run: (usize, usize)) -> Vote {
        let sum = |list: &[f64]| list[run.0..=run.1].iter().sum();
        Vote { expected: sum(&self.expected), seen: sum(&self.seen) }
    }

    /// The part of a run that chance explains worst, and the logarithm of its chance. Successive days may have a
    /// cause in common, so that many of them are allowed the spread of one.
    fn best_part(&self, run: (usize, usize)) -> Option<((usize, usize), f64)> {
        let mut best: Option<((usize, usize), f64)> = None;
        for first in run.0..=run.1 {
            for last in first..=run.1 {
                let sum = self.over((first, last));
                if sum.expected < RUN_EXPECTS || sum.seen > HALF * sum.expected {
                    continue;
                }
                let ln_p = self.ln_chance(sum);
                if best.is_none_or(|(_, least)| ln_p < least) {
                    best = Some(((first, last), ln_p));
                }
            }
        }
        best
    }

    fn deviation(&self) -> f64 {
        self.spread.hypot(self.error)
    }

    fn ln_chance(&self, sum: Vote) -> f64 {
        ln_at_most(sum.seen as u64, sum.expected, self.deviation())
    }
}

/// Runs of low days. Days that cannot tell do not end a run, but are not its first or last.
fn low_runs(usual: &Usual) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    let mut open = false;
    for (day, (expected, seen)) in usual.expected.iter().zip(&usual.seen).enumerate() {
        if *expected < DAY_EXPECTS {
            continue;
        }
        let low = *seen <= LOW * expected;
        match runs.last_mut() {
            Some(run) if low && open => run.1 = day,
            _ if low => runs.push((day, day)),
            _ => {}
        }
        open = low;
    }
    runs
}

/// Seen over expected of the named days that expect anything, sorted, with the expectation as weight.
fn ratios(expected: &[f64], seen: &[f64], of: &[bool]) -> Vec<(f64, f64)> {
    let days = expected.iter().zip(seen).zip(of).filter(|((expected, _), of)| **of && **expected > 0.0);
    let mut ratios: Vec<(f64, f64)> =
        days.map(|((expected, seen), _)| (seen / expected, *expected)).collect();
    ratios.sort_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
    ratios
}

/// The first value up to which this share of the weight lies; 0 where there is none.
fn quantile(sorted: &[(f64, f64)], share: f64) -> f64 {
    let goal = share * sorted.iter().map(|(_, weight)| weight).sum::<f64>();
    let mut seen = 0.0;
    for (value, weight) in sorted {
        seen += weight;
        if seen >= goal {
            return *value;
        }
    }
    0.0
}

/// The standard deviation of the log rate between the named days, beyond that of Poisson counts.
fn spread(expected: &[f64], seen: &[f64], of: &[bool]) -> f64 {
    let telling =
        expected.iter().zip(seen).zip(of).filter(|((expected, _), of)| **of && **expected >= DAY_EXPECTS);
    let residual = |((expected, seen), _): ((&f64, &f64), &bool)| {
        let distance = ((seen + 0.5) / (expected + 0.5)).ln();
        Residual { square: distance * distance, variance: 1.0 / (expected + 0.5), weight: 1.0 }
    };
    paule_mandel(&telling.map(residual).collect::<Vec<Residual>>(), SPREAD_CUT).sqrt()
}

/// The median of the units' spreads between days: one unit's own estimate rests on few days.
pub fn usual_spread<'a>(units: impl Iterator<Item = &'a Unit<'a>>) -> f64 {
    let own = |unit: &Unit<'_>| unit.usual(&unit.live()).map(|usual| usual.spread);
    let mut spreads: Vec<f64> = units.filter_map(own).collect();
    spreads.sort_by(f64::total_cmp);
    spreads.get(spreads.len() / 2).copied().unwrap_or(LEAST_SPREAD)
}

/// How far the logarithm of a day's rate is followed, in standard deviations, and in which steps.
const FARTHEST: f64 = 9.0;
const STEP: f64 = 0.1;

/// Logarithm of the probability of at most `x` events where `mean` are expected, times the exponential of a
/// normal with standard deviation `deviation`: the integral by the trapezoidal rule, to a fifth where millions are
/// expected. Not below that of nine standard deviations.
pub fn ln_at_most(x: u64, mean: f64, deviation: f64) -> f64 {
    let steps = (2.0 * FARTHEST / STEP) as usize;
    let mut sum = 0.0;
    for step in 0..=steps {
        let z = step as f64 * STEP - FARTHEST;
        let density = (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
        sum += STEP * density * poisson_at_most(x, mean * (deviation * z).exp());
    }
    sum.max((-0.5 * FARTHEST * FARTHEST).exp()).ln().min(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chance_of_few_conversions() {
        let check = |x, mean, deviation, expected: f64| {
            let found = ln_at_most(x, mean, deviation).exp();
            assert!((found / expected - 1.0).abs() < 1e-3, "{x} {mean} {deviation}: {found}");
        };
        check(0, 3.0, 1e-9, (-3.0f64).exp());
        check(2, 2.0, 1e-9, 5.0 * (-2.0f64).exp());
        check(0, 12.0, 0.3, 1.477319e-04);
        check(4, 20.0, 0.2, 3.056578e-04);
        check(30, 100.0, 0.25, 4.359855e-05);
        assert!(ln_at_most(0, 1e9, 0.2) < -40.0);
    }

    #[test]
    fn low_days_in_a_row_are_one_run() {
        let usual = Usual {
            rates: vec![],
            expected: vec![10.0, 10.0, 0.5, 10.0, 10.0, 10.0, 0.0],
            seen: vec![9.0, 2.0, 0.0, 1.0, 11.0, 5.0, 0.0],
            spread: 0.2,
            error: 0.0,
        };
        assert_eq!(low_runs(&usual), [(1, 3), (5, 5)]);
    }
}
