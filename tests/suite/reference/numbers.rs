//! Statistics with limits, each from its plainest formula.

use super::{Value, Z, limits};

/// On which scale a statistic is close to normal.
#[derive(Clone, Copy)]
pub enum Scale {
    Plain,
    Logarithm,
    /// The logarithm of a probability, which is at most 1.
    OfShare,
    /// Fisher's z of a length, which is at least 0.
    FisherZ,
}

/// A statistic `y` on its scale with variance `v`.
pub fn normal(scale: Scale, y: f64, v: f64, n: usize) -> Option<Value> {
    let back = |y: f64| match scale {
        Scale::Plain => y,
        Scale::Logarithm => y.exp(),
        Scale::OfShare => y.exp().min(1.0),
        Scale::FisherZ => y.tanh().max(0.0),
    };
    let half = Z * v.sqrt();
    limits(back(y), back(y - half), back(y + half), n)
}

/// A statistic of the sums of days, and its variance: that of the jackknife over days, at least `least`; of fewer
/// than five days twice a formula's. Without a formula it takes three days.
pub fn over_days(
    days: &[Vec<f64>],
    statistic: impl Fn(&[f64]) -> f64,
    least: f64,
    formula: Option<f64>,
) -> Option<(f64, f64)> {
    let sums_without = |left_out: usize| {
        let kept = || days.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, day)| day);
        (0..days[0].len()).map(|i| kept().map(|day| day[i]).sum()).collect::<Vec<f64>>()
    };
    let count = days.len() as f64;
    let variance = match (days.len(), formula) {
        (0, _) => return None,
        (1..=4, Some(v)) => 2.0 * v,
        (1..=2, None) => return None,
        _ => {
            let left: Vec<f64> = (0..days.len()).map(|day| statistic(&sums_without(day))).collect();
            let mean = left.iter().sum::<f64>() / count;
            (count - 1.0) / count * left.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>()
        }
    };
    Some((statistic(&sums_without(days.len())), variance.max(least)))
}

/// Mean, variance with n − 1 as divisor, and kurtosis, at least the normal's.
pub fn moments(values: &[f64]) -> Option<(f64, f64, f64)> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let central = |power| values.iter().map(|v| (v - mean).powi(power)).sum::<f64>();
    // Differences as small as rounding are none.
    let equal = values.iter().all(|v| *v == values[0]);
    let kurtosis = if equal { 3.0 } else { n * central(4) / central(2).powi(2) };
    let variance = if values.len() > 1 { central(2) / (n - 1.0) } else { 0.0 };
    (!values.is_empty()).then_some((mean, variance, kurtosis.max(3.0)))
}

/// The geometric mean of values given by their logarithms; formulas for the variance are doubled.
pub fn geometric_mean(logs: &[f64], least: impl Fn(f64) -> f64) -> Option<Value> {
    let (mean, variance, _) = moments(logs)?;
    let n = logs.len();
    normal(Scale::Logarithm, mean, 2.0 * variance.max(least(mean)) / n as f64, n)
}

/// The standard deviation of logarithms.
pub fn deviation(logs: &[f64], least: impl Fn(f64) -> f64) -> Option<Value> {
    let (mean, variance, kurtosis) = moments(logs)?;
    let n = logs.len();
    let v = 2.0 * (kurtosis - 1.0) / (4.0 * n as f64);
    normal(Scale::Logarithm, variance.max(least(mean)).sqrt().ln(), v, n)
}

/// Entropy of shares in nats, and its sampling variance.
pub fn entropy(counts: &[usize]) -> (f64, f64) {
    let n: usize = counts.iter().sum();
    let p = || counts.iter().map(|&c| c as f64 / n as f64);
    let entropy: f64 = p().map(|p| -p * p.ln()).sum();
    let variance = p().map(|p| p * (p.ln() + entropy).powi(2)).sum::<f64>() / n as f64;
    (entropy.max(0.0), variance)
}

/// The variance of the entropy of keys that are all alike.
pub fn even(keys: usize, n: f64) -> f64 {
    (keys as f64 - 1.0).max(1.0) / (2.0 * n * n)
}

/// Chao and Shen's entropy: keys that were not met are allowed for by the share of those met once.
pub fn chao_shen(counts: &[usize]) -> f64 {
    let n = counts.iter().sum::<usize>() as f64;
    let once = counts.iter().filter(|c| **c == 1).count() as f64;
    let coverage = 1.0 - if once == n { n - 1.0 } else { once } / n;
    let term = |&c: &usize| {
        let p = coverage * c as f64 / n;
        let met = 1.0 - (1.0 - p).powf(n);
        if p >= 1.0 { 0.0 } else { -p * p.ln() / met }
    };
    counts.iter().map(term).sum::<f64>().max(0.0)
}

/// Logarithms of factorials, by adding up.
fn ln_factorial(n: usize) -> f64 {
    (2..=n).map(|k| (k as f64).ln()).sum()
}

/// P(X ≥ x) for a binomial.
pub fn binomial_at_least(x: usize, n: usize, p: f64) -> f64 {
    if x == 0 {
        return 1.0;
    }
    let ln_at = |k: usize| {
        ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
            + k as f64 * p.ln()
            + (n - k) as f64 * (-p).ln_1p()
    };
    (x..=n).map(|k| ln_at(k).exp()).sum::<f64>().min(1.0)
}

/// P(X ≥ x) for a negative binomial of this size and mean: the rate of a Poisson is itself not known.
pub fn negative_binomial_at_least(x: usize, mean: f64, size: f64) -> f64 {
    let success = size / (size + mean);
    let mut term = success.powf(size);
    let mut below = 0.0;
    for k in 0..x {
        below += term;
        term *= (k as f64 + size) / (k as f64 + 1.0) * (1.0 - success);
    }
    1.0 - below
}

#[test]
fn statistics_golden() {
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} is not {b}");
    // Of 1 to 5 the mean has the jackknife variance s² / 5 = 0.5.
    let days: Vec<Vec<f64>> = (1..=5).map(|v| vec![f64::from(v), 1.0]).collect();
    let (mean, v) = over_days(&days, |s| s[0] / s[1], 0.0, None).unwrap();
    close(mean, 3.0);
    close(v, 0.5);
    assert_eq!(over_days(&days[..2], |s| s[0], 0.0, None), None);
    close(chao_shen(&[50, 20, 10, 5, 5, 4, 3, 2, 1]), 1.599_434_4);
    close(entropy(&[50, 20, 10, 5, 5, 4, 3, 2, 1]).0, 1.556_536_9);
    close(binomial_at_least(3, 10, 0.5), 1.0 - 0.0546875);
    // Size 1 is geometric.
    close(negative_binomial_at_least(3, 1.0, 1.0), 0.125);
    let (mean, variance, kurtosis) = moments(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
    assert_eq!((mean, variance, kurtosis), (3.5, 3.5, 3.0));
}
