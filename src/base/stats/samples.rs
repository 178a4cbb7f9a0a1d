//! Samples as counted values: quantiles with limits from ranks, entropy.

use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, Normal};

/// A sample as sorted distinct values with their counts.
pub type Counted = [(i64, u64)];

/// Size of a counted sample.
pub fn size(sample: &Counted) -> u64 {
    sample.iter().map(|&(_, c)| c).sum()
}

/// The value at 0-based `rank` of a counted sample; the last one beyond the end.
fn at_rank(sample: &Counted, rank: u64) -> i64 {
    let mut seen = 0;
    for &(value, count) in sample {
        seen += count;
        if rank < seen {
            return value;
        }
    }
    sample.last().map_or(0, |&(v, _)| v)
}

/// The `p` quantile by linear interpolation between order statistics, with its 95 % limits from binomial
/// ranks (Conover, Practical Nonparametric Statistics, 3.2); a limit that no rank of so small a sample can
/// give is infinite. `None` for an empty sample.
pub fn quantile(sample: &Counted, p: f64) -> Option<(f64, f64, f64)> {
    let n = size(sample);
    if n == 0 {
        return None;
    }
    let position = p * (n - 1) as f64;
    let (below, above) = (at_rank(sample, position as u64), at_rank(sample, position.ceil() as u64));
    let value = below as f64 + (above - below) as f64 * position.fract();
    let ranks = Binomial::new(p, n).expect("p is a probability");
    let (low, high) = (rank(&ranks, n, p, 0.025), rank(&ranks, n, p, 0.975));
    let low = low.checked_sub(1).map_or(f64::NEG_INFINITY, |rank| at_rank(sample, rank) as f64);
    let high = if high < n { at_rank(sample, high) as f64 } else { f64::INFINITY };
    Some((value, low.min(value), high.max(value)))
}

/// The least rank whose distribution function reaches `q`, searched from its normal approximation: a few steps
/// where bisection over all ranks takes many.
fn rank(ranks: &Binomial, n: u64, p: f64, q: f64) -> u64 {
    let normal = n as f64 * p + Normal::standard().inverse_cdf(q) * (n as f64 * p * (1.0 - p)).sqrt();
    let mut k = normal.round().clamp(0.0, n as f64) as u64;
    while k < n && ranks.cdf(k) < q {
        k += 1;
    }
    while k > 0 && ranks.cdf(k - 1) >= q {
        k -= 1;
    }
    k
}

/// Entropy in nats of counts, with its sampling variance `Σ p (ln p + H)² / n`: squared differences, because of
/// counts that are all alike a difference of squares would leave rounding. `None` for no counts.
pub fn entropy(counts: &Counted) -> Option<(f64, f64)> {
    let n = size(counts) as f64;
    if n == 0.0 {
        return None;
    }
    let shares = || counts.iter().filter(|&&(_, c)| c > 0).map(|&(_, c)| c as f64 / n);
    let h = -shares().map(|p| p * p.ln()).sum::<f64>();
    let variance = shares().map(|p| p * (p.ln() + h).powi(2)).sum::<f64>() / n;
    Some((h.max(0.0), variance))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(actual: f64, expected: f64) {
        assert!((actual - expected).abs() < 1e-6 * expected.abs().max(1.0), "{actual} is not {expected}");
    }

    #[test]
    fn quantiles_interpolate_between_order_statistics() {
        let sample: Vec<(i64, u64)> = (1..=10).map(|v| (v, 1)).collect();
        let (median, low, high) = quantile(&sample, 0.5).expect("not empty");
        close(median, 5.5);
        assert!((1.0..=3.0).contains(&low) && (8.0..=10.0).contains(&high), "{low} {high}");
        assert_eq!(quantile(&[], 0.5), None);
        close(quantile(&[(7, 1)], 0.95).expect("one").0, 7.0);
        close(quantile(&[(1, 3), (2, 1)], 0.5).expect("four").0, 1.0);
    }

    #[test]
    fn ranks_are_those_of_the_distribution_function() {
        for n in (1..60).chain([1_000, 12_345]) {
            for p in [0.05, 0.5, 0.95] {
                let ranks = Binomial::new(p, n).expect("p is a probability");
                for q in [0.025, 0.975] {
                    assert_eq!(rank(&ranks, n, p, q), ranks.inverse_cdf(q), "{n} {p} {q}");
                }
            }
        }
    }

    #[test]
    fn entropy_of_even_hours_is_the_logarithm_of_their_number() {
        let even: Vec<(i64, u64)> = (0..24).map(|h| (h, 10)).collect();
        close(entropy(&even).expect("counts").0, 24f64.ln());
        close(entropy(&[(3, 5)]).expect("counts").0, 0.0);
    }
}
