//! Hours in which clicks flow and no source of a network converts: postbacks were lost, most likely.
//!
//! A silence is held against the network's other hours: what its sources would have brought for the clicks of these
//! hours, at their own rates and at the usual course of a day, the spread between hours included. Refuses to take a
//! night that is always silent for an outage, or the silence of one large source for the network's, and says nothing
//! where the other days do not show what these hours usually bring.

use super::unit::ln_at_most;
use crate::base::time::SECOND;
use std::collections::BTreeMap;

/// The chance of a single false outage in a whole run.
const ALPHA: f64 = 0.01;

/// Conversions' worth of the network's rate in a source's own, as for days.
const PRIOR: f64 = 2.0;

/// Conversions' worth of an even day in the course of a day.
const EVEN: f64 = 5.0;

/// The least standard deviation of the log rate between hours, and the most that is of any use.
const LEAST_SPREAD: f64 = 0.3;
const MOST_SPREAD: f64 = 3.0;

/// A silence must be worth so many conversions to be tested at all.
const LEAST_EXPECTED: f64 = 6.0;

/// The same hours of other days must have brought so many conversions, on so many of these days.
const LEAST_SEEN: u64 = 5;
const LEAST_DAYS: usize = 2;

/// How many sources must fall silent at once; without the largest one the silence must still be unlikely.
const LEAST_SOURCES: usize = 3;
const REST_CHANCE: f64 = 0.01;

/// Standard deviations in which 95 of 100 values of a normal lie.
const Z_95: f64 = 1.959_964;

const HOUR: i64 = 3_600 * SECOND;
const HOURS: usize = 24;

/// Clicks of one source in one hour since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flow {
    pub hour: i32,
    pub source: u32,
    pub clicks: u32,
}

/// One conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// UTC microseconds.
    pub time: i64,
    pub source: u32,
}

/// The traffic of one network, or of the whole input.
pub struct Line<'a> {
    pub network: Option<&'a str>,
    /// Sorted by hour and source.
    pub flows: Vec<Flow>,
    /// Sorted by time.
    pub seen: Vec<Seen>,
}

/// Hours without any conversion.
#[derive(Clone, Debug, PartialEq)]
pub struct Silence<'a> {
    pub network: Option<&'a str>,
    /// The conversions before and behind it, UTC microseconds.
    pub from: i64,
    pub to: i64,
    /// Conversions that are probably lost, and the limits that hold in 95 of 100 cases.
    pub expected: f64,
    pub low: f64,
    pub high: f64,
    /// Sources that sent clicks in it and converted before or after.
    pub sources: usize,
    /// Logarithm of its chance.
    pub ln_p: f64,
}

/// The silences of all networks that chance does not explain, in the order of the lines and of time.
pub fn find<'a>(lines: &[Line<'a>]) -> Vec<Silence<'a>> {
    let gaps: usize = lines.iter().map(|line| line.seen.len().saturating_sub(1)).sum();
    let limit = (ALPHA / gaps.max(1) as f64).ln();
    lines.iter().flat_map(|line| line.silences(limit)).collect()
}

/// What is usual, from the hours outside a gap.
struct Usual {
    /// What a source expects for a click, at an even hour.
    rates: BTreeMap<u32, f64>,
    /// The course of a day.
    course: [f64; HOURS],
    spread: f64,
}

/// A gap between two conversions.
#[derive(Clone, Copy)]
struct Gap {
    from: i64,
    to: i64,
}

impl Gap {
    /// Whether an hour lies between those of its ends. These say nothing: what comes once a day comes at the
    /// beginning of its hour.
    fn holds(&self, hour: i32) -> bool {
        hour_of(self.from) < hour && hour < hour_of(self.to)
    }

    /// Whether any of an hour lies in it.
    fn touches(&self, hour: i32) -> bool {
        let begin = i64::from(hour) * HOUR;
        self.from < begin + HOUR && begin < self.to
    }
}

fn hour_of(time: i64) -> i32 {
    time.div_euclid(HOUR) as i32
}

fn of_day(hour: i32) -> usize {
    hour.rem_euclid(HOURS as i32) as usize
}

impl<'a> Line<'a> {
    fn silences(&self, limit: f64) -> Vec<Silence<'a>> {
        let nothing = Gap { from: 0, to: 0 };
        let usual = self.usual(&nothing);
        let gaps = self.seen.windows(2).map(|pair| Gap { from: pair[0].time, to: pair[1].time });
        let long = gaps.filter(|gap| gap.to - gap.from >= HOUR);
        let worth = |gap: &Gap| self.expected(&usual, gap).values().sum::<f64>() >= LEAST_EXPECTED / 2.0;
        long.filter(worth).filter_map(|gap| self.silence(&gap, limit)).collect()
    }

    fn silence(&self, gap: &Gap, limit: f64) -> Option<Silence<'a>> {
        let usual = self.usual(gap);
        let by_source = self.expected(&usual, gap);
        let expected: f64 = by_source.values().sum();
        let converts: BTreeMap<u32, u64> = self.seen.iter().fold(BTreeMap::new(), |mut counts, seen| {
            *counts.entry(seen.source).or_default() += 1;
            counts
        });
        let sources = by_source.keys().filter(|source| converts.contains_key(source)).count();
        let largest = by_source.values().copied().fold(0.0, f64::max);
        let chance = |expected: f64| ln_at_most(0, expected, usual.spread);
        let ln_p = chance(expected);
        let told = expected >= LEAST_EXPECTED && sources >= LEAST_SOURCES && self.is_usually_loud(gap);
        if !told || ln_p > limit || chance(expected - largest) > REST_CHANCE.ln() {
            return None;
        }
        let width = (Z_95 * (usual.spread.powi(2) + 1.0 / expected).sqrt()).exp();
        Some(Silence {
            network: self.network,
            from: gap.from,
            to: gap.to,
            expected,
            low: expected / width,
            high: expected * width,
            sources,
            ln_p,
        })
    }

    /// What every source was to bring in a gap, by its clicks there.
    fn expected(&self, usual: &Usual, gap: &Gap) -> BTreeMap<u32, f64> {
        let mut by_source: BTreeMap<u32, f64> = BTreeMap::new();
        let first = self.flows.partition_point(|flow| flow.hour < hour_of(gap.from));
        let flows = self.flows[first..].iter().take_while(|flow| i64::from(flow.hour) * HOUR < gap.to);
        for flow in flows.filter(|flow| gap.holds(flow.hour)) {
            let rate = usual.rates.get(&flow.source).copied().unwrap_or(0.0);
            let worth = f64::from(flow.clicks) * rate * usual.course[of_day(flow.hour)];
            *by_source.entry(flow.source).or_default() += worth;
        }
        by_source
    }

    /// Rates of the sources, the course of a day and the spread between hours, all from the hours outside a gap.
    fn usual(&self, gap: &Gap) -> Usual {
        let mut of_source: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
        let flows = || self.flows.iter().filter(|flow| !gap.touches(flow.hour));
        let seen = || self.seen.iter().filter(|seen| !gap.touches(hour_of(seen.time)));
        flows().for_each(|flow| of_source.entry(flow.source).or_default().0 += f64::from(flow.clicks));
        seen().for_each(|seen| of_source.entry(seen.source).or_default().1 += 1.0);
        let (clicks, converted) = of_source.values().fold((0.0, 0.0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
        let common = if clicks > 0.0 { converted / clicks } else { 0.0 };
        let rate = |(clicks, converted): (f64, f64)| match common > 0.0 {
            true => (converted + PRIOR) / (clicks + PRIOR / common),
            false => 0.0,
        };
        let rates: BTreeMap<u32, f64> = of_source.iter().map(|(source, of)| (*source, rate(*of))).collect();
        let mut hours: BTreeMap<i32, (f64, f64)> = BTreeMap::new();
        for flow in flows() {
            hours.entry(flow.hour).or_default().0 += f64::from(flow.clicks) * rates[&flow.source];
        }
        for seen in seen() {
            hours.entry(hour_of(seen.time)).or_default().1 += 1.0;
        }
        let course = course(&hours);
        let spread = spread(hours.iter().map(|(hour, (even, seen))| (even * course[of_day(*hour)], *seen)));
        Usual { rates, course, spread }
    }

    /// Whether the hours of the day of a gap bring conversions on other days.
    fn is_usually_loud(&self, gap: &Gap) -> bool {
        let hours: Vec<bool> = (0..HOURS)
            .map(|at| (hour_of(gap.from)..=hour_of(gap.to)).any(|hour| gap.holds(hour) && of_day(hour) == at))
            .collect();
        let elsewhere = self.seen.iter().map(|seen| hour_of(seen.time));
        let same = elsewhere.filter(|hour| !gap.touches(*hour) && hours[of_day(*hour)]);
        let mut by_day: BTreeMap<i32, u64> = BTreeMap::new();
        same.for_each(|hour| *by_day.entry(hour.div_euclid(HOURS as i32)).or_default() += 1);
        by_day.len() >= LEAST_DAYS && by_day.values().sum::<u64>() >= LEAST_SEEN
    }
}

/// What each hour of the day brings of what its clicks promise.
fn course(hours: &BTreeMap<i32, (f64, f64)>) -> [f64; HOURS] {
    let mut sums = [(EVEN, EVEN); HOURS];
    for (hour, (even, seen)) in hours {
        let sum = &mut sums[of_day(*hour)];
        *sum = (sum.0 + even, sum.1 + seen);
    }
    sums.map(|(even, seen)| seen / even)
}

/// The standard deviation of the log rate between hours, beyond that of Poisson counts, by moments.
fn spread(hours: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (excess, squares) = hours.fold((0.0, 0.0), |(excess, squares), (mean, seen)| {
        (excess + (seen - mean).powi(2) - mean, squares + mean * mean)
    });
    let variance = if squares > 0.0 { (excess / squares).max(0.0) } else { 0.0 };
    (1.0 + variance).ln().sqrt().clamp(LEAST_SPREAD, MOST_SPREAD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::draws::Draws;

    /// Ten days of six sources; the rate of an hour and whether its conversions arrive are the world's.
    fn line(
        seed: u64,
        sources: u32,
        rate: impl Fn(i32) -> f64,
        lost: impl Fn(i32, u32) -> bool,
    ) -> Line<'static> {
        let mut rng = Draws(seed);
        let (mut flows, mut seen) = (Vec::new(), Vec::new());
        for hour in 0..240 {
            for source in 0..sources {
                let clicks = 40 + 10 * source;
                flows.push(Flow { hour, source, clicks });
                let noise = (0.2 * rng.normal()).exp();
                let converted = rng.poisson(f64::from(clicks) * rate(hour) * noise);
                for n in (0..converted).filter(|_| !lost(hour, source)) {
                    let time =
                        i64::from(hour) * HOUR + (n as i64 * 700 + i64::from(source) * 97) * SECOND % HOUR;
                    seen.push(Seen { time, source });
                }
            }
        }
        seen.sort();
        Line { network: Some("adnet"), flows, seen }
    }

    fn found(line: Line) -> Vec<(i32, i32)> {
        find(&[line]).iter().map(|s| (hour_of(s.from), hour_of(s.to))).collect()
    }

    #[test]
    fn lost_hours_are_found_with_what_they_cost() {
        let lost = |hour: i32, _: u32| (100..110).contains(&hour);
        let line = line(1, 6, |_| 0.01, lost);
        let silences = find(std::slice::from_ref(&line));
        assert_eq!(silences.len(), 1, "{silences:?}");
        let silence = &silences[0];
        assert!((98..=100).contains(&hour_of(silence.from)) && (109..=111).contains(&hour_of(silence.to)));
        assert!((25.0..60.0).contains(&silence.expected), "{silence:?}");
        assert!(silence.low < silence.expected && silence.expected < silence.high);
        assert_eq!((silence.sources, silence.network), (6, Some("adnet")));
    }

    #[test]
    fn quiet_networks_have_no_outage() {
        let any = (0..200).filter(|seed| !found(line(*seed, 6, |_| 0.002, |_, _| false)).is_empty()).count();
        assert!(any <= 4, "{any} of 200");
    }

    #[test]
    fn nights_that_are_always_silent_are_none() {
        let night = |hour: i32| if (1..8).contains(&(hour % 24)) { 0.0 } else { 0.02 };
        assert_eq!(found(line(3, 6, night, |_, _| false)), []);
    }

    #[test]
    fn uploads_once_a_day_are_no_outages() {
        let mut line = line(4, 6, |_| 0.01, |_, _| false);
        line.seen.iter_mut().for_each(|s| s.time = (s.time / (24 * HOUR) + 1) * 24 * HOUR + s.time % SECOND);
        line.seen.sort();
        assert_eq!(found(line), []);
    }

    #[test]
    fn a_large_source_that_stops_is_not_the_network() {
        let lost = |hour: i32, source: u32| source > 0 || (100..120).contains(&hour);
        assert_eq!(found(line(5, 4, |_| 0.03, lost)), []);
    }

    #[test]
    fn where_no_clicks_flow_nothing_is_lost() {
        let mut line = line(6, 6, |_| 0.01, |hour, _| (100..110).contains(&hour));
        line.flows.retain(|flow| !(100..110).contains(&flow.hour));
        assert_eq!(found(line), []);
        assert_eq!(find(&[Line { network: None, flows: vec![], seen: vec![] }]), []);
    }
}
