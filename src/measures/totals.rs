//! The measures of one stratum or group over the window.

use super::declared::{Crowd, Key, Kind, M, MEASURES, Rhythm};
use super::hits::{CrowdedNetwork, DayFacts, Facts, Identity};
use crate::base::stats::Counted;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Measures by name: counts, histograms, and numbers by day.
#[derive(Clone, Debug)]
pub struct Totals {
    /// Which measures could be computed at all, by place in the table.
    available: Arc<[bool]>,
    counts: Box<[i64]>,
    values: BTreeMap<M, Box<Counted>>,
    /// What the clicks say in the order of time and by their networks; aggregated reports have no clicks.
    facts: Arc<Facts>,
    /// Conversions by event and status, sorted.
    pub events: Vec<(String, &'static str, u64)>,
    /// Conversions by the word of an anti-fraud service, sorted.
    pub fraud_reasons: Vec<(String, u64)>,
    /// Clicks, or conversions where there are no clicks, by offer.
    pub rows_of: BTreeMap<Option<String>, i64>,
    /// Cost of mature clicks by offer, in micro-units.
    pub mature_cost_of: BTreeMap<Option<String>, i64>,
    /// Conversions worth money, of mature clicks in time, by offer.
    pub earning_of: BTreeMap<Option<String>, i64>,
    /// Part of the cost was allocated to this group and is not exact for it.
    pub cost_allocated: bool,
}

impl Totals {
    /// No row yet.
    pub fn empty(available: Arc<[bool]>, cost_allocated: bool) -> Totals {
        Totals {
            counts: vec![0; available.len()].into(),
            available,
            values: BTreeMap::new(),
            facts: Arc::default(),
            events: Vec::new(),
            fraud_reasons: Vec::new(),
            rows_of: BTreeMap::new(),
            mature_cost_of: BTreeMap::new(),
            earning_of: BTreeMap::new(),
            cost_allocated,
        }
    }

    /// Measures that were counted elsewhere; what is in neither list is missing.
    pub fn counted(counts: &[(M, i64)], values: &[(M, &Counted)]) -> Totals {
        let there = |m: M| counts.iter().any(|c| c.0 == m) || values.iter().any(|v| v.0 == m);
        let mut totals = Totals::empty(MEASURES.iter().map(|m| there(m.id)).collect(), false);
        counts.iter().for_each(|&(measure, count)| totals.set(measure, count));
        values.iter().for_each(|&(measure, list)| totals.set_values(measure, list.into()));
        totals
    }

    /// A count, sum, distinct or top count; `None` if its columns are missing.
    pub fn get(&self, measure: M) -> Option<i64> {
        if !self.available[measure as usize] {
            return None;
        }
        if !measure.decl().of_log() {
            return Some(self.counts[measure as usize]);
        }
        let facts = &self.facts;
        Some(match measure.decl().kind {
            Kind::Distinct(Key::Visitor) => facts.ip_agents.into(),
            Kind::Distinct(key) => signed(facts.distinct(identity(key))),
            Kind::Top(key) => facts.top(identity(key)).into(),
            Kind::Count if measure == M::BrandConverted => facts.brand_converted.into(),
            Kind::Count => facts.converted.into(),
            Kind::Rhythm(Rhythm::Repeats) => facts.repeats.into(),
            Kind::Rhythm(Rhythm::BusiestFiveMinutes) => facts.busiest.into(),
            Kind::Rhythm(Rhythm::BurstClicks) => facts.burst_clicks.into(),
            Kind::Crowd(Crowd::Networks | Crowd::Sizes) => facts.crowds.into(),
            Kind::Crowd(Crowd::Clicks) => facts.crowd_clicks.into(),
            Kind::Crowd(Crowd::Converted) => facts.crowd_converted.into(),
            _ => self.daily(measure).iter().fold(0, |sum: i64, &(_, part)| sum.saturating_add(part)),
        })
    }

    /// A histogram as sorted values with counts; empty if there are none.
    pub fn values(&self, measure: M) -> Cow<'_, Counted> {
        let widened =
            |list: &[(u32, u32)]| list.iter().map(|&(v, c)| (i64::from(v), u64::from(c))).collect::<Vec<_>>();
        match measure.decl().kind {
            Kind::Multiplicities(key) => widened(self.facts.multiplicities(identity(key))).into(),
            Kind::Rhythm(Rhythm::GapValues) => widened(self.facts.gaps()).into(),
            Kind::Crowd(Crowd::Sizes) => self.crowd_sizes().into(),
            _ if measure == M::Hours => self.hours().into(),
            _ => self.values.get(&measure).map_or(&[][..], |v| v).into(),
        }
    }

    fn crowd_sizes(&self) -> Vec<(i64, u64)> {
        let packed = |crowd: &CrowdedNetwork| i64::from(crowd.clicks) << 32 | i64::from(crowd.converted);
        let sizes: Vec<i64> = self.facts.crowded.iter().map(packed).collect();
        sizes.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u64)).collect()
    }

    fn hours(&self) -> Vec<(i64, u64)> {
        let of_day = |(at, day): (usize, &DayFacts)| {
            let first = i64::from(day.day) * 24;
            self.facts.hours(at).into_iter().zip(first..).map(|(clicks, hour)| (hour, u64::from(clicks)))
        };
        self.facts.days.iter().enumerate().flat_map(of_day).filter(|&(_, clicks)| clicks > 0).collect()
    }

    /// A measure by day, sorted; empty if it is not kept by day or there is nothing.
    pub fn daily(&self, measure: M) -> Vec<(i32, i64)> {
        let Some(number) = by_day(measure) else { return Vec::new() };
        self.facts.days.iter().map(|day| (day.day, number(day, measure))).collect()
    }

    /// The facts of the clicks.
    pub fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    pub(super) fn add(&mut self, measure: M, amount: i64) {
        let sum = &mut self.counts[measure as usize];
        *sum = sum.saturating_add(amount);
    }

    pub(super) fn set_facts(&mut self, facts: Arc<Facts>) {
        self.facts = facts;
    }

    pub(super) fn set_values(&mut self, measure: M, values: Box<Counted>) {
        self.values.insert(measure, values);
    }

    /// Replaces a measure that does not add up.
    pub(super) fn set(&mut self, measure: M, count: i64) {
        self.counts[measure as usize] = count;
    }

    /// Adds another stratum's, or the other side's, measures as far as they add up.
    pub(super) fn merge(&mut self, other: &Totals) {
        for (sum, more) in self.counts.iter_mut().zip(&other.counts) {
            *sum = sum.saturating_add(*more);
        }
        for (measure, more) in &other.values {
            let mine = self.values.entry(*measure).or_default();
            *mine = added(mine, more);
        }
        self.events = merged_events(&self.events, &other.events);
        self.fraud_reasons = merged_words(&self.fraud_reasons, &other.fraud_reasons);
        for (offer, rows) in &other.rows_of {
            *self.rows_of.entry(offer.clone()).or_default() += rows;
        }
        for (offer, cost) in &other.mature_cost_of {
            *self.mature_cost_of.entry(offer.clone()).or_default() += cost;
        }
        for (offer, conversions) in &other.earning_of {
            *self.earning_of.entry(offer.clone()).or_default() += conversions;
        }
    }
}

/// How a measure that is kept by day is read from a day.
fn by_day(measure: M) -> Option<fn(&DayFacts, M) -> i64> {
    let kept = matches!(
        measure.decl().kind,
        Kind::Pairs(_)
            | Kind::Pairings(_)
            | Kind::Rhythm(
                Rhythm::Gaps
                    | Rhythm::GapSeconds
                    | Rhythm::GapSquares
                    | Rhythm::MinuteSpread
                    | Rhythm::MinuteBase
                    | Rhythm::FiveMinuteSpread
                    | Rhythm::FiveMinuteBase
            )
    );
    kept.then_some(of_day)
}

fn of_day(day: &DayFacts, measure: M) -> i64 {
    let pairs = |n: u32| signed(u64::from(n) * u64::from(n.saturating_sub(1)));
    let wide = |n: u128| i64::try_from(n).unwrap_or(i64::MAX);
    match measure.decl().kind {
        Kind::Pairs(key) => signed(day.same[identity(key) as usize]),
        Kind::Pairings(key) => pairs(day.identified[identity(key) as usize]),
        Kind::Rhythm(Rhythm::Gaps) => day.gaps.into(),
        Kind::Rhythm(Rhythm::GapSeconds) => day.gap_sum.into(),
        Kind::Rhythm(Rhythm::GapSquares) => signed(u64::from(day.gap_squares)),
        Kind::Rhythm(Rhythm::MinuteSpread) => wide(day.minute_dispersion().0),
        Kind::Rhythm(Rhythm::MinuteBase) => wide(day.minute_dispersion().1),
        Kind::Rhythm(Rhythm::FiveMinuteSpread) => wide(day.five_minute_dispersion().0),
        Kind::Rhythm(Rhythm::FiveMinuteBase) => wide(day.five_minute_dispersion().1),
        _ => unreachable!("{} is not kept by day", measure.decl().name),
    }
}

fn identity(key: Key) -> Identity {
    match key {
        Key::Ip | Key::Visitor => Identity::Ip,
        Key::Network => Identity::Net,
        Key::UserAgent => Identity::Agent,
        Key::Asn => Identity::Asn,
    }
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Two histograms as one.
fn added(a: &Counted, b: &Counted) -> Box<Counted> {
    let mut sum: BTreeMap<i64, u64> = a.iter().copied().collect();
    b.iter().for_each(|&(value, count)| *sum.entry(value).or_default() += count);
    sum.into_iter().collect()
}

type Events = Vec<(String, &'static str, u64)>;

fn merged_events(a: &Events, b: &Events) -> Events {
    let mut sum: BTreeMap<(&str, &'static str), u64> = BTreeMap::new();
    a.iter().chain(b).for_each(|(event, status, n)| *sum.entry((event, status)).or_default() += n);
    sum.into_iter().map(|((event, status), n)| (event.to_owned(), status, n)).collect()
}

type Words = Vec<(String, u64)>;

fn merged_words(a: &Words, b: &Words) -> Words {
    let mut sum: BTreeMap<&str, u64> = BTreeMap::new();
    a.iter().chain(b).for_each(|(word, n)| *sum.entry(word).or_default() += n);
    sum.into_iter().map(|(word, n)| (word.to_owned(), n)).collect()
}

#[cfg(test)]
impl Totals {
    /// What tests of formulas read: counts, histograms and clicks in UTC; every measure is there.
    pub fn of(counts: &[(M, i64)], values: &[(M, &Counted)], hits: Vec<super::hits::Hit>) -> Totals {
        let mut totals = Totals::empty(MEASURES.iter().map(|_| true).collect(), false);
        counts.iter().for_each(|&(measure, count)| totals.set(measure, count));
        values.iter().for_each(|&(measure, list)| totals.set_values(measure, list.into()));
        let mut log = super::hits::Hits::new(crate::base::spill::Bound::NONE);
        log.extend(0, hits).expect("memory is enough");
        let facts = log.facts(&[0], 1, crate::base::time::Zone::UTC, 1).expect("nothing is read back");
        totals.set_facts(facts.groups[0].clone());
        totals
    }
}
