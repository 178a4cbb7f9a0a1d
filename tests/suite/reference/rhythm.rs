//! When clicks and conversions come.

use super::numbers::{Scale, negative_binomial_at_least, normal, over_days};
use super::{Group, SECOND, Value, count_of, exact, most, poisson_at_most, share};
use std::collections::{BTreeMap, BTreeSet};

const HOUR: i64 = 3_600;

/// Windows of a group's clicks, by window number.
fn windows(seconds: &[i64], length: i64) -> BTreeMap<i64, usize> {
    let mut found = BTreeMap::new();
    seconds.iter().for_each(|s| *found.entry(s.div_euclid(length)).or_default() += 1);
    found
}

impl Group<'_> {
    pub fn rhythm_signals(&self, all: &mut BTreeMap<&'static str, Option<Value>>) {
        let n = self.clicks.len();
        let seconds = self.seconds();
        let given = |value: Option<Value>| value.filter(|_| self.with_clicks(&[]));
        let local = |second: i64| self.audit.facts.hours_in.local_hour(second * SECOND);
        let night = |hour: i64| hour.rem_euclid(24) < 5;
        // 1970 began on a Thursday.
        let weekend = |second: i64| [2, 3].contains(&local(second).div_euclid(24).rem_euclid(7));
        let clicks = |test: &dyn Fn(i64) -> bool| seconds.iter().filter(|s| test(**s)).count();
        all.insert("night_click_share", given(share(clicks(&|s| night(local(s))), n)));
        all.insert("weekend_click_share", given(share(clicks(&weekend), n)));
        let at_night = self.conversions_where(|c| night(self.audit.facts.hours_in.local_hour(c.time)));
        let conversions = share(at_night, self.conversions.len());
        all.insert("conversion_night_share", conversions.filter(|_| self.with_conversions(&[])));
        all.insert("hour_r", given(self.hour_r(&seconds)));
        let gaps = self.gaps(&seconds);
        all.insert("gap_cv", given(gap_cv(&gaps)));
        let of_gaps: Vec<i64> = gaps.iter().map(|g| g.1).collect();
        let modal = share(most(&count_of(of_gaps.iter())), of_gaps.len());
        let slow = middle(of_gaps).is_some_and(|median| median >= 10.0);
        all.insert("gap_modal_share", given(modal.filter(|_| slow)));
        all.insert("fano_1m", given(self.fano(&seconds, 60)));
        all.insert("fano_5m", given(self.fano(&seconds, 12)));
        let busiest = windows(&seconds, 300).into_values().max().unwrap_or(0);
        all.insert("busiest_five_minute_count", given(exact(busiest as f64, n)));
        all.insert("burst_click_share", given(share(self.burst_clicks(&seconds), n)));
        all.insert("conversion_burst_share", self.conversion_bursts());
        let addressed = self.clicks_where(|c| c.row.ip.is_some());
        let repeats = share(self.repeats(), addressed);
        all.insert("repeat_60s_share", given(repeats.filter(|_| self.with_clicks(&["ip"]))));
    }

    /// The clicks in whole seconds, in order.
    fn seconds(&self) -> Vec<i64> {
        let mut seconds: Vec<i64> = self.clicks.iter().map(|c| c.time.div_euclid(SECOND)).collect();
        seconds.sort_unstable();
        seconds
    }

    /// The local day of a second.
    fn day(&self, second: i64) -> i64 {
        self.audit.facts.hours_in.local_hour(second * SECOND).div_euclid(24)
    }

    /// Length of the mean of the hours as directions; a click that is still to come is allowed for.
    fn hour_r(&self, seconds: &[i64]) -> Option<Value> {
        let n = seconds.len();
        let local = |s: &i64| self.audit.facts.hours_in.local_hour(s * SECOND);
        let mut days: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        for hour in seconds.iter().map(local) {
            let angle = hour.rem_euclid(24) as f64 / 24.0 * std::f64::consts::TAU;
            let day = days.entry(hour.div_euclid(24)).or_insert(vec![0.0; 3]);
            [angle.cos(), angle.sin(), 1.0].iter().enumerate().for_each(|(i, v)| day[i] += v);
        }
        let days: Vec<Vec<f64>> = days.into_values().collect();
        let length = |s: &[f64]| (s[0] * s[0] + s[1] * s[1]).sqrt() / s[2];
        let z = |s: &[f64]| length(s).min(1.0 - 0.5 / n as f64).atanh();
        let (z, v) = over_days(&days, z, 0.5 / n as f64, None)?;
        normal(Scale::FisherZ, z, v, n)
    }

    /// Day and length of every gap of at most an hour between successive clicks of a local day.
    fn gaps(&self, seconds: &[i64]) -> Vec<(i64, i64)> {
        let pairs = seconds.windows(2).map(|w| (w[0], w[1]));
        let within = |(a, b): &(i64, i64)| b - a <= HOUR && self.day(*a) == self.day(*b);
        pairs.filter(within).map(|(a, b)| (self.day(b), b - a)).collect()
    }

    /// Variance over mean of the `k` windows of the hours of the UTC clock, with one click that falls by chance.
    fn fano(&self, seconds: &[i64], k: i64) -> Option<Value> {
        let n = seconds.len();
        let mut days: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        for hour in windows(seconds, HOUR).keys() {
            let clicks: Vec<i64> = seconds.iter().copied().filter(|s| s.div_euclid(HOUR) == *hour).collect();
            let counts = windows(&clicks, HOUR / k);
            let squares: usize = counts.values().map(|c| c * c).sum();
            let all = clicks.len();
            let day = days.entry(self.day(clicks[0])).or_insert(vec![0.0; 2]);
            day[0] += k as f64 * squares as f64 - (all * all) as f64;
            day[1] += (k - 1) as f64 * all as f64;
        }
        let local = seconds.iter().map(|s| self.audit.facts.hours_in.local_hour(s * SECOND));
        let pairs: usize = count_of(local).iter().map(|c| c * (c - 1)).sum();
        if pairs == 0 {
            return None;
        }
        let k = k as f64;
        let chance = 2.0 * pairs as f64 / ((k - 1.0) * (n * n) as f64);
        let days: Vec<Vec<f64>> = days.into_values().collect();
        let ratio = |s: &[f64]| ((s[0] + k) / (s[1] + k)).ln();
        let (y, v) = over_days(&days, ratio, chance, Some(chance))?;
        normal(Scale::Logarithm, y, v, n)
    }

    /// Clicks in five minutes with at least ten of them, where chance has so many in less than one in a million
    /// windows of 1.15 times the rest of the hour or of the day.
    fn burst_clicks(&self, seconds: &[i64]) -> usize {
        let (of_window, of_hour) = (windows(seconds, 300), windows(seconds, HOUR));
        let day_of = |hour: i64| {
            let first = seconds.iter().find(|s| s.div_euclid(HOUR) == hour).expect("it has clicks");
            let day = self.day(*first);
            seconds.iter().filter(|s| self.day(**s) == day).count()
        };
        let is_burst = |(window, count): &(&i64, &usize)| {
            let hour = window.div_euclid(12);
            let rest = (of_hour[&hour] - **count) as f64 / 11.0;
            let usual = 1.15 * rest.max(day_of(hour) as f64 / 288.0);
            **count >= 10 && 1.0 - poisson_at_most(**count - 1, usual) < 1e-6
        };
        of_window.iter().filter(is_burst).map(|(_, count)| count).sum()
    }

    /// Of the conversions whose time is their own those in five minutes with five at least, three times as many as
    /// is usual in the busier of the three hours before and after, and more than chance has once in a million.
    fn conversion_bursts(&self) -> Option<Value> {
        let own: Vec<i64> =
            self.conversions.iter().filter(|c| !c.batched).map(|c| c.time.div_euclid(SECOND)).collect();
        let windows = windows(&own, 300);
        let around = |of: std::ops::RangeInclusive<i64>| windows.range(of).map(|w| w.1).sum::<usize>();
        let is_burst = |(at, count): &(&i64, &usize)| {
            let others = around(**at - 36..=**at - 1).max(around(**at + 1..=**at + 36)) as f64;
            let usual = others / 36.0;
            let size = others + 0.5;
            **count >= 5
                && **count as f64 >= 3.0 * usual
                && negative_binomial_at_least(**count, size / 36.0, size) < 1e-6
        };
        let bursts = windows.iter().filter(is_burst).map(|w| w.1).sum();
        share(bursts, own.len()).filter(|_| self.with_conversions(&[]))
    }

    /// Clicks whose visitor had clicked on the same offer at most 60 s before.
    fn repeats(&self) -> usize {
        let mut visits: BTreeMap<_, Vec<i64>> = BTreeMap::new();
        for c in self.clicks.iter().filter(|c| c.row.ip.is_some()) {
            let visitor = (&c.row.offer, &c.row.ip, &c.row.user_agent);
            visits.entry(visitor).or_default().push(c.time.div_euclid(SECOND));
        }
        let again = |mut times: Vec<i64>| {
            times.sort_unstable();
            times.windows(2).filter(|w| w[1] - w[0] <= 60).count()
        };
        visits.into_values().map(again).sum()
    }
}

/// Standard deviation of gaps over their mean. Whole seconds hide a variance of 1/6.
fn gap_cv(gaps: &[(i64, i64)]) -> Option<Value> {
    let n = gaps.len();
    let mean = gaps.iter().map(|g| g.1).sum::<i64>() as f64 / n as f64;
    if n < 2 || !(2.0..=600.0).contains(&mean) {
        return None;
    }
    let of_day = |day: i64| {
        let of = || gaps.iter().filter(|g| g.0 == day).map(|g| g.1 as f64);
        vec![of().count() as f64, of().sum(), of().map(|g| g * g).sum()]
    };
    let days: BTreeSet<i64> = gaps.iter().map(|g| g.0).collect();
    let days: Vec<Vec<f64>> = days.into_iter().map(of_day).collect();
    let ln_cv = |s: &[f64]| {
        let mean = s[1] / s[0];
        let variance = (s[2] - s[1] * mean) / (s[0] - 1.0).max(1.0);
        (variance.max(1.0 / 6.0).sqrt() / mean.max(0.5)).ln()
    };
    let (y, v) = over_days(&days, ln_cv, 0.5 / (n as f64 - 1.0), None)?;
    normal(Scale::Logarithm, y, v, n)
}

/// The median.
fn middle(mut sample: Vec<i64>) -> Option<f64> {
    sample.sort_unstable();
    let last = sample.len().checked_sub(1)?;
    Some((sample[last / 2] + sample[sample.len() / 2]) as f64 / 2.0)
}
