//! Limits of rates and counts (Brown, Cai, DasGupta 2001; Clopper, Pearson 1934; Garwood 1936).

use super::beta::LogitBeta;
use super::tails::{ln_poisson_at_least, poisson_at_most};
use statrs::distribution::{ContinuousCDF, Normal};
use std::sync::LazyLock;

/// The upper quantile of the standard normal for a two-sided confidence: 0.95 gives 1.96.
///
/// `confidence` lies in 0..1, ends excluded.
pub fn z(confidence: f64) -> f64 {
    // Nearly every interval is at 95 %, and the inverse is as dear as the rest of it.
    static AT_95: LazyLock<f64> = LazyLock::new(|| Normal::standard().inverse_cdf(0.5 + 0.95 / 2.0));
    if confidence == 0.95 { *AT_95 } else { Normal::standard().inverse_cdf(0.5 + confidence / 2.0) }
}

/// Wilson score limits of `x` successes in `n` trials; `n` is at least 1.
pub fn wilson(x: u64, n: u64, confidence: f64) -> (f64, f64) {
    let (n, z) = (n as f64, z(confidence));
    let p = x as f64 / n;
    let scale = 1.0 + z * z / n;
    let centre = (p + z * z / (2.0 * n)) / scale;
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt() / scale;
    let low = if x == 0 { 0.0 } else { (centre - half).max(0.0) };
    let high = if p == 1.0 { 1.0 } else { (centre + half).min(1.0) };
    (low, high)
}

/// Clopper and Pearson's exact limits of `x` successes in `n` trials: for claims of "at least". `x` is at most
/// `n`.
pub fn clopper_pearson(x: u64, n: u64, confidence: f64) -> (f64, f64) {
    let tail = 0.5 * (1.0 - confidence);
    let (successes, failures) = (x as f64, (n - x) as f64);
    let low = if x == 0 { 0.0 } else { beta_quantile(tail, successes, failures + 1.0) };
    let high = if x == n { 1.0 } else { beta_quantile(1.0 - tail, successes + 1.0, failures) };
    (low, high)
}

/// Jeffreys' limits of `x` successes in `n` trials; 0 and 1 where there are no successes or no failures.
pub fn jeffreys(x: u64, n: u64, confidence: f64) -> (f64, f64) {
    let tail = 0.5 * (1.0 - confidence);
    let (a, b) = (x as f64 + 0.5, (n - x) as f64 + 0.5);
    let low = if x == 0 { 0.0 } else { beta_quantile(tail, a, b) };
    let high = if x == n { 1.0 } else { beta_quantile(1.0 - tail, a, b) };
    (low, high)
}

fn beta_quantile(share: f64, a: f64, b: f64) -> f64 {
    1.0 / (1.0 + (-LogitBeta::new(a, b).quantile(share)).exp())
}

/// Exact limits of a mean count of which `x` events were seen; divide by the exposure for a rate.
pub fn poisson_limits(x: u64, confidence: f64) -> (f64, f64) {
    let tail = 0.5 * (1.0 - confidence);
    let top = 10.0 + 2.0 * x as f64 - 2.0 * tail.ln();
    let low = if x == 0 { 0.0 } else { crossing(top, |mean| ln_poisson_at_least(x, mean) >= tail.ln()) };
    (low, crossing(top, |mean| poisson_at_most(x, mean) <= tail))
}

/// The least value in 0..`top` at which a monotone condition holds.
fn crossing(top: f64, holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, top);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if holds(middle) { high = middle } else { low = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check((low, high): (f64, f64), expected: (f64, f64)) {
        let near = |a: f64, b: f64| (a - b).abs() < 1e-6;
        assert!(near(low, expected.0) && near(high, expected.1), "{low} {high} is not {expected:?}");
    }

    /// Golden values of the formulas evaluated independently.
    #[test]
    fn wilson_golden() {
        check(wilson(3, 50, 0.95), (0.020_615, 0.162_171));
        check(wilson(0, 40, 0.95), (0.0, 0.087_622));
        assert_eq!(wilson(40, 40, 0.95).1, 1.0);
    }

    #[test]
    fn exact_limits_golden() {
        check(clopper_pearson(3, 50, 0.95), (0.012_549, 0.165_482));
        check(clopper_pearson(0, 40, 0.95), (0.0, 1.0 - 0.025f64.powf(1.0 / 40.0)));
        check(clopper_pearson(40, 40, 0.95), (0.025f64.powf(1.0 / 40.0), 1.0));
        check(jeffreys(3, 50, 0.95), (0.017_187, 0.151_533));
        assert_eq!((jeffreys(0, 5, 0.95).0, jeffreys(5, 5, 0.95).1), (0.0, 1.0));
    }

    #[test]
    fn exact_limits_hold_for_any_size() {
        for n in [1, 30, 1_000_000, 1 << 40] {
            for x in [0, 1, n / 2, n - n / 3, n - 1, n] {
                let (wide, narrow) = (clopper_pearson(x, n, 0.95), jeffreys(x, n, 0.95));
                let rate = x as f64 / n as f64;
                assert!(wide.0 <= rate && rate <= wide.1, "{x} of {n}: {wide:?}");
                assert!(wide.0 <= narrow.0 + 1e-12 && narrow.1 <= wide.1 + 1e-12, "{x} of {n}: {narrow:?}");
            }
        }
    }

    /// Garwood's table: 10 events, 95 %.
    #[test]
    fn poisson_limits_golden() {
        check(poisson_limits(10, 0.95), (4.795_389, 18.390_356));
        check(poisson_limits(0, 0.95), (0.0, -(0.025f64.ln())));
        let (low, high) = poisson_limits(1 << 40, 0.95);
        let root = f64::from(1u32 << 20);
        assert!((low / root - root + 1.96).abs() < 0.01 && (high / root - root - 1.96).abs() < 0.01);
    }
}
