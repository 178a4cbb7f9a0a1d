//! RE-z: tails of a statistic on the real line whose expectation differs from source to source (statistics.md
//! 4.4).

use super::rate::{Null, Tails};
use crate::base::stats::{ln_student_sf, normal_score};

/// The tails of `y`, whose sampling variance `v` is estimated with `df` degrees of freedom.
///
/// The reference is Student's t with Satterthwaite's degrees of freedom `(τ² + v)² / (v² / df)`: the spread
/// between sources is known better than the variance within one.
pub fn tails(y: f64, v: f64, df: f64, null: &Null) -> Tails {
    let tail = |distance: f64, spread: f64| {
        let variance = spread * spread + v;
        if variance <= 0.0 {
            return if distance > 0.0 { f64::NEG_INFINITY } else { 0.0 };
        }
        let satterthwaite = (variance / v).powi(2) * df;
        let df = if v > 0.0 && satterthwaite < 1e6 { satterthwaite } else { 1e6 };
        ln_student_sf(distance / variance.sqrt(), df)
    };
    let (high, low) = (tail(y - null.eta, null.above), tail(null.eta - y, null.below));
    let z = if high < low { normal_score(high) } else { -normal_score(low) };
    Tails { high: Some(high.max(LEAST)), low: Some(low.max(LEAST)), z }
}

/// Logarithms below this one say nothing more; keeps an impossible observation finite.
const LEAST: f64 = -1e15;

#[cfg(test)]
mod tests {
    use super::*;

    const NULL: Null = Null { eta: 1.0, above: 0.4, below: 0.2 };

    #[test]
    fn a_known_variance_gives_the_normal_tail() {
        let found = tails(2.5, 0.09, f64::INFINITY, &NULL);
        assert!(
            (found.z - 3.0).abs() < 1e-9 && (found.high.expect("tested") + 6.607_726).abs() < 1e-6,
            "{found:?}"
        );
        assert!((tails(1.0 - 0.5, 0.0225, f64::INFINITY, &NULL).z + 2.0).abs() < 1e-9);
    }

    /// τ² = .16, v = .16, six degrees of freedom: 24 by Satterthwaite; P(t₂₄ > 2.5) by mpmath.
    #[test]
    fn an_estimated_variance_gives_a_wider_tail() {
        let y = 1.0 + 2.5 * 0.32f64.sqrt();
        let high = tails(y, 0.16, 6.0, &NULL).high.expect("tested");
        assert!((high.exp() - 0.009_827_088).abs() < 1e-6, "{}", high.exp());
    }
}
