//! Estimates that a minority of outliers cannot move far.

use super::tails::normal_sf;
use std::f64::consts::PI;

/// The expectation of `min(z², c²)` for a standard normal `z`.
pub fn kappa(c: f64) -> f64 {
    let (tail, density) = (normal_sf(c), (-0.5 * c * c).exp() / (2.0 * PI).sqrt());
    1.0 - 2.0 * tail - 2.0 * c * density + 2.0 * c * c * tail
}

/// The value at which half the weight lies below; the mean of two values where the half lies between them.
///
/// `sorted` holds values in ascending order with their weights, none negative. `None` where no weight is.
pub fn weighted_median(sorted: impl Iterator<Item = (f64, f64)> + Clone) -> Option<f64> {
    let half = 0.5 * sorted.clone().map(|(_, weight)| weight).sum::<f64>();
    if half.is_nan() || half <= 0.0 {
        return None;
    }
    let (mut seen, mut lower) = (0.0, None);
    for (value, weight) in sorted.filter(|&(_, weight)| weight > 0.0) {
        if let Some(lower) = lower {
            return Some(0.5 * (lower + value));
        }
        seen += weight;
        if seen > half {
            return Some(value);
        }
        if seen == half {
            lower = Some(value);
        }
    }
    lower
}

/// A squared distance from the expectation, the sampling variance it has anyway, and its weight.
#[derive(Clone, Copy, Debug)]
pub struct Residual {
    /// The squared distance.
    pub square: f64,
    /// The sampling variance, 0 or above.
    pub variance: f64,
    /// How much it counts.
    pub weight: f64,
}

/// The largest variance that is looked for.
const WIDEST: f64 = 25.0;

/// The variance between units beyond sampling (Paule and Mandel 1982), winsorised: the root `t` in 0..25 of the
/// weighted mean of `min(square / (variance + t), c²)` less `kappa(c)`; 0 where the mean is below it at once.
pub fn paule_mandel(residuals: &[Residual], c: f64) -> f64 {
    let weight: f64 = residuals.iter().map(|r| r.weight).sum();
    let goal = kappa(c) * weight;
    let surplus = |t: f64| residuals.iter().map(|r| r.weight * winsorised(r, t, c * c)).sum::<f64>() - goal;
    if residuals.is_empty() || surplus(0.0) <= 0.0 {
        return 0.0;
    }
    falling_root(surplus)
}

fn winsorised(residual: &Residual, t: f64, limit: f64) -> f64 {
    if residual.square == 0.0 {
        return 0.0;
    }
    (residual.square / (residual.variance + t)).min(limit)
}

/// The root of a falling function that is positive at 0: bisection on octaves, then the Illinois rule (Dowell
/// and Jarratt 1971) to 1e-10 relative.
fn falling_root(f: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0, WIDEST);
    let (mut at_low, mut at_high) = (f(low), f(high));
    if at_high >= 0.0 {
        return WIDEST;
    }
    while high > 1e-8 && f(0.25 * high) < 0.0 {
        high *= 0.25;
        at_high = f(high);
    }
    for _ in 0..60 {
        let middle = (low * at_high - high * at_low) / (at_high - at_low);
        let value = f(middle);
        if value > 0.0 {
            (low, at_low, at_high) = (middle, value, 0.5 * at_high);
        } else {
            (high, at_high, at_low) = (middle, value, 0.5 * at_low);
        }
        if value == 0.0 || high - low < 1e-10 * high {
            break;
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn median(pairs: &[(f64, f64)]) -> Option<f64> {
        weighted_median(pairs.iter().copied())
    }

    #[test]
    fn kappa_golden() {
        assert!((kappa(1.5) - 0.778_465).abs() < 1e-6);
        assert!((kappa(2.0) - 0.920_537).abs() < 1e-6);
        assert!((kappa(40.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_median_halves_the_weight() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[(1.0, 0.0)]), None);
        assert_eq!(median(&[(3.0, 0.5)]), Some(3.0));
        assert_eq!(median(&[(1.0, 1.0), (2.0, 1.0)]), Some(1.5));
        assert_eq!(median(&[(1.0, 1.0), (2.0, 1.0), (9.0, 1.0)]), Some(2.0));
        assert_eq!(median(&[(1.0, 1.0), (2.0, 1.0), (9.0, 5.0)]), Some(9.0));
        assert_eq!(median(&[(1.0, 1.0), (2.0, 0.0), (9.0, 1.0)]), Some(5.0));
    }

    fn residuals(pairs: &[(f64, f64)]) -> Vec<Residual> {
        pairs.iter().map(|&(r, variance)| Residual { square: r * r, variance, weight: 1.0 }).collect()
    }

    #[test]
    fn the_root_solves_the_equation() {
        let sample =
            residuals(&[(0.2, 0.01), (0.5, 0.1), (0.9, 0.02), (1.3, 0.3), (30.0, 0.01), (0.05, 0.2)]);
        let t = paule_mandel(&sample, 1.5);
        let mean = sample.iter().map(|r| winsorised(r, t, 2.25)).sum::<f64>() / 6.0;
        assert!(t > 0.0 && (mean - kappa(1.5)).abs() < 1e-8, "{t} {mean}");
    }

    #[test]
    fn hopeless_samples_have_a_defined_root() {
        assert_eq!(paule_mandel(&[], 1.5), 0.0);
        assert_eq!(paule_mandel(&residuals(&[(0.0, 0.0), (0.0, 0.0)]), 1.5), 0.0);
        assert_eq!(paule_mandel(&residuals(&[(0.1, 1.0), (0.2, 1.0)]), 1.5), 0.0);
        assert_eq!(paule_mandel(&residuals(&[(1e9, 0.0), (1e9, 0.0)]), 1.5), WIDEST);
    }
}
