//! How sure a statistic is: its variance from day to day, or from a formula where there are too few days.
//!
//! Formulas are those of statistics.md, 4.4. All functions give finite numbers for any counts.

use super::estimate::{Absence, Estimate, Link};
use crate::base::stats::{self, Counted};

/// From so many days on, the spread over days says more than a formula.
const ENOUGH_DAYS: usize = 5;

/// With fewer days a spread over days says nothing.
const LEAST_DAYS: usize = 3;

/// By how much formulas understate the variance: they know of no days that differ (statistics.md, 4.4).
const OVERDISPERSION: f64 = 2.0;

/// Bits per nat.
const BITS: f64 = std::f64::consts::LOG2_E;

/// A statistic of whole days on the scale of its link.
pub struct OfDays<'a, const K: usize> {
    /// The sums of each day that has something to say.
    pub days: &'a [[f64; K]],
    /// The statistic of sums over days; finite for all of them.
    pub statistic: &'a dyn Fn([f64; K]) -> f64,
    /// The least variance that chance alone gives it.
    pub floor: f64,
    /// Its variance by a formula, where there is one.
    pub formula: Option<f64>,
}

impl<const K: usize> OfDays<'_, K> {
    /// The estimate from a sample of `n`.
    ///
    /// The variance is that of the jackknife over days, at least the floor. Below five days it is twice the
    /// formula's, known exactly.
    ///
    /// # Errors
    /// There are fewer than three days, and no formula.
    pub fn estimate(&self, link: Link, n: u64) -> Result<Estimate, Absence> {
        let y = (self.statistic)(total(self.days));
        let (v, df) = match (self.days.len(), self.formula) {
            (0..ENOUGH_DAYS, Some(v)) => (OVERDISPERSION * v, f64::INFINITY),
            (0..LEAST_DAYS, None) => return Err(Absence::Fact("fewer than three days to tell its spread")),
            (days, _) => (jackknife(self.days, self.statistic), (days - 1) as f64),
        };
        Ok(Estimate::normal(link, y, v.max(self.floor), df, n))
    }
}

/// The variance of a statistic of sums by leaving out one day at a time: (D − 1) / D · Σ (y₍₋d₎ − mean)².
fn jackknife<const K: usize>(days: &[[f64; K]], statistic: &dyn Fn([f64; K]) -> f64) -> f64 {
    let all = total(days);
    let without = |day: &[f64; K]| statistic(std::array::from_fn(|i| all[i] - day[i]));
    let left: Vec<f64> = days.iter().map(without).collect();
    let count = left.len() as f64;
    let mean = left.iter().sum::<f64>() / count;
    left.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>() * (count - 1.0) / count
}

/// Sums over all days. The parts are whole numbers or come in the order of days: the result is the same for
/// any order of rows.
fn total<const K: usize>(days: &[[f64; K]]) -> [f64; K] {
    std::array::from_fn(|i| days.iter().map(|day| day[i]).sum())
}

/// How values lie: their number, mean, variance and kurtosis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    pub n: f64,
    pub mean: f64,
    /// With n − 1 as divisor; 0 for one value.
    pub variance: f64,
    /// Fourth central moment over squared second one, at least that of the normal: small samples show too light
    /// tails.
    kurtosis: f64,
}

impl Moments {
    /// Of values with their counts, in an order that depends on the values only. `None` for none.
    pub fn of(values: &[(f64, u64)]) -> Option<Moments> {
        let n: f64 = values.iter().map(|&(_, count)| count as f64).sum();
        let mean = values.iter().map(|&(v, count)| v * count as f64).sum::<f64>() / n;
        let central =
            |power| values.iter().map(|&(v, count)| (v - mean).powi(power) * count as f64).sum::<f64>();
        let (second, fourth) = (central(2), central(4));
        let kurtosis = if second > 0.0 { n * fourth / (second * second) } else { 3.0 };
        (n > 0.0).then_some(Moments {
            n,
            mean,
            variance: second / (n - 1.0).max(1.0),
            kurtosis: kurtosis.max(3.0),
        })
    }

    /// The mean of logarithms as an estimate of the geometric mean; variance s² / n, s² at least `least`.
    pub fn geometric_mean(&self, least: f64) -> Estimate {
        let v = OVERDISPERSION * self.variance.max(least) / self.n;
        Estimate::normal(Link::Log, self.mean, v, f64::INFINITY, self.n as u64)
    }

    /// The standard deviation, s² at least `least`, which is above 0; variance of its logarithm
    /// (kurtosis − 1) / 4n.
    pub fn deviation(&self, least: f64) -> Estimate {
        let v = OVERDISPERSION * (self.kurtosis - 1.0) / (4.0 * self.n);
        Estimate::normal(Link::Log, self.variance.max(least).ln() / 2.0, v, f64::INFINITY, self.n as u64)
    }
}

/// Concentration within days: P(two clicks of one day have the same key), from ordered pairs with the same key
/// and ordered pairs at all, by day.
///
/// y = ln(h + 1/n²). Chance alone has the variance of so many pairs; the formula adds
/// 4 (Σp³ − h²) / (n h²), where Σp³ is at most h^1.5 whatever the shares p of the keys are.
///
/// # Errors
/// No day has two clicks.
pub fn concentration(same: &[(i32, i64)], all: &[(i32, i64)], n: u64) -> Result<Estimate, Absence> {
    let day = |(same, all): (&(i32, i64), &(i32, i64))| [same.1 as f64, all.1 as f64];
    let days: Vec<[f64; 2]> = same.iter().zip(all).map(day).filter(|[_, all]| *all > 0.0).collect();
    let [pairs, pairings] = total(&days);
    if pairings == 0.0 {
        return Err(Absence::Nothing("day with two such clicks"));
    }
    let guard = 1.0 / (n as f64 * n as f64);
    let h = |[same, all]: [f64; 2]| (same / all + guard).min(1.0);
    let whole = h([pairs, pairings]);
    // One unordered pair more than there is: none at all does not mean that there can be none.
    let floor = 4.0 * (pairs / 2.0 + 1.0) / (pairings * whole).powi(2);
    let formula = floor + 4.0 * (whole.powf(-0.5) - 1.0) / n as f64;
    let of_days = OfDays { days: &days, statistic: &|sums| h(sums).ln(), floor, formula: Some(formula) };
    of_days.estimate(Link::LogShare, n)
}

/// Entropy of keys over the greatest that so many clicks can show, ln n, from the number of keys (second) by
/// their number of clicks (first): Chao and Shen 2003, which allows for keys that were not met.
///
/// The variance is that of the entropy as it was seen and of the share of clicks whose key was met again.
///
/// # Errors
/// There are fewer than two clicks.
pub fn entropy_norm(multiplicities: &Counted) -> Result<Estimate, Absence> {
    let table: Vec<(u64, u64)> = multiplicities.iter().map(|&(clicks, keys)| (clicks as u64, keys)).collect();
    let n = stats::total(&table);
    let (entropy, variance) =
        stats::chao_shen_entropy(&table).filter(|_| n >= 2.0).ok_or(Absence::Nothing("two such clicks"))?;
    let once = table.iter().filter(|(clicks, _)| *clicks == 1).map(|(_, keys)| keys).sum::<u64>() as f64;
    let met_again = (n - once).max(1.0);
    let v = variance + even(table.iter().map(|(_, keys)| *keys).sum(), n) + 2.0 / met_again;
    let greatest = n.ln();
    let (y, v) = (entropy / greatest, OVERDISPERSION * v / (greatest * greatest));
    Ok(Estimate::normal(Link::Identity, y, v, f64::INFINITY, n as u64))
}

/// Entropy of what stands at a place, in bits, as the mean over places: each place has the counts of its
/// characters. Miller and Madow's correction for bias. `n` is the number of texts.
///
/// Places of one text may depend on each other: the mean of their variances bounds that of their mean.
///
/// # Errors
/// There is no place.
pub fn entropy_bits(places: &[Vec<u64>], n: u64) -> Result<Estimate, Absence> {
    if places.is_empty() || n == 0 {
        return Err(Absence::Nothing("characters of click IDs"));
    }
    let of_place = |counts: &Vec<u64>| {
        let table: Vec<(u64, u64)> = counts.iter().map(|&count| (count, 1)).collect();
        let (n, keys) = (stats::total(&table), counts.len() as u64);
        let (nats, variance) = stats::plug_in_entropy(&table).unwrap_or_default();
        let bias = keys.saturating_sub(1) as f64 / (2.0 * n.max(1.0));
        [(nats + bias) * BITS, (variance + even(keys, n.max(1.0))) * BITS * BITS]
    };
    let [bits, variance] = total(&places.iter().map(of_place).collect::<Vec<_>>());
    let count = places.len() as f64;
    let v = OVERDISPERSION * variance / count;
    Ok(Estimate::normal(Link::Identity, bits / count, v, f64::INFINITY, n))
}

/// The variance of the entropy of keys that are all alike, where its first order is 0: (K − 1) / 2n², at least
/// that of two keys.
fn even(keys: u64, n: f64) -> f64 {
    keys.saturating_sub(1).max(1) as f64 / (2.0 * n * n)
}

/// P(X ≥ x) for the next window, where `others` events came in `windows` windows before: the rate has Jeffreys'
/// prior, so that X is negative binomial of size `others` + 1/2.
pub fn next_window_at_least(x: u64, others: u64, windows: f64) -> f64 {
    let size = others as f64 + 0.5;
    stats::neg_binomial_at_least(x, size / windows, size)
}

/// The counts of a histogram of packed values by what `group` says of each, in its order.
pub fn by_group(values: &Counted, group: impl Fn(i64) -> i64) -> Vec<Vec<u64>> {
    let chunks = values.chunk_by(|a, b| group(a.0) == group(b.0));
    chunks.map(|chunk| chunk.iter().map(|&(_, count)| count).collect()).collect()
}

/// Variance over squared mean of a histogram of amounts; 0 for fewer than two.
pub fn squared_variation(values: &Counted) -> f64 {
    let list: Vec<(f64, u64)> = values.iter().map(|&(v, count)| (v as f64, count)).collect();
    match Moments::of(&list) {
        Some(m) if m.mean > 0.0 && stats::size(values) > 1 => m.variance / (m.mean * m.mean),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(actual: f64, expected: f64) {
        assert!((actual - expected).abs() < 1e-6 * expected.abs(), "{actual} is not {expected}");
    }

    /// For a mean of days the jackknife is s² / D: of 1, 2, 3, 4, 5 that is 2.5 / 5.
    #[test]
    fn leaving_out_days_gives_the_variance_of_a_mean() {
        let days: Vec<[f64; 2]> = (1..=5).map(|v| [f64::from(v), 1.0]).collect();
        let mean = |[sum, n]: [f64; 2]| sum / n;
        close(jackknife(&days, &mean), 0.5);
        let estimate = |days: &[[f64; 2]], floor, formula| {
            OfDays { days, statistic: &mean, floor, formula }.estimate(Link::Identity, 9)
        };
        let normal = |y, v, df| Ok(Estimate::normal(Link::Identity, y, v, df, 9));
        assert_eq!(estimate(&days, 0.7, Some(0.1)), normal(3.0, 0.7, 4.0));
        assert_eq!(estimate(&days[..4], 0.0, Some(0.1)), normal(2.5, 0.2, f64::INFINITY));
        assert_eq!(estimate(&days[..3], 9.0, None), normal(2.0, 9.0, 2.0));
        assert!(estimate(&days[..2], 0.0, None).is_err());
    }

    #[test]
    fn moments_of_a_die() {
        let die: Vec<(f64, u64)> = (1..=6).map(|v| (f64::from(v), 2)).collect();
        let moments = Moments::of(&die).expect("twelve throws");
        assert_eq!((moments.n, moments.mean, moments.kurtosis), (12.0, 3.5, 3.0));
        close(moments.variance, 35.0 / 11.0);
        let heavy = Moments::of(&[(-10.0, 1), (0.0, 18), (10.0, 1)]).expect("twenty");
        close(heavy.kurtosis, 10.0);
        assert_eq!(Moments::of(&[]), None);
    }

    #[test]
    fn next_windows_golden() {
        close(next_window_at_least(1, 0, 36.0), 1.0 - (36.0f64 / 37.0).sqrt());
        assert_eq!(next_window_at_least(0, 9, 36.0), 1.0);
        let busy = next_window_at_least(1_000, 36_000, 36.0);
        assert!((0.49..0.53).contains(&busy), "{busy}");
    }

    #[test]
    fn variation_is_relative() {
        assert_eq!(squared_variation(&[(7, 5)]), 0.0);
        close(squared_variation(&[(1, 1), (3, 1)]), 0.5);
        assert_eq!(squared_variation(&[]), 0.0);
    }
}
