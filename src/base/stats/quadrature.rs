//! Sums on the logarithmic scale and the nodes of Gauss and Legendre.

use std::f64::consts::PI;
use std::sync::LazyLock;

/// Logarithm of a sum of exponentials; minus infinity for none.
pub fn ln_sum_exp(terms: &[f64]) -> f64 {
    let top = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        return top;
    }
    top + terms.iter().map(|t| (t - top).exp()).sum::<f64>().ln()
}

/// `ln(1 − e^x)` for `x` at most 0, without loss of digits at either end (Mächler 2012).
pub fn ln_one_minus_exp(x: f64) -> f64 {
    if x >= 0.0 {
        f64::NEG_INFINITY
    } else if x > -std::f64::consts::LN_2 {
        (-x.exp_m1()).ln()
    } else {
        (-x.exp()).ln_1p()
    }
}

/// 16 nodes and weights on −1..1: exact for polynomials up to degree 31.
pub fn legendre_16() -> &'static [(f64, f64); 16] {
    static NODES: LazyLock<[(f64, f64); 16]> = LazyLock::new(legendre);
    &NODES
}

/// 24 nodes and weights on −1..1: exact for polynomials up to degree 47.
pub fn legendre_24() -> &'static [(f64, f64); 24] {
    static NODES: LazyLock<[(f64, f64); 24]> = LazyLock::new(legendre);
    &NODES
}

/// The roots of the Legendre polynomial of degree `N` by Newton's method, ascending, with their weights
/// `2 / ((1 − x²) P'(x)²)` (Abramowitz and Stegun 25.4.29).
fn legendre<const N: usize>() -> [(f64, f64); N] {
    std::array::from_fn(|i| {
        let mut x = -(PI * (i as f64 + 0.75) / (N as f64 + 0.5)).cos();
        for _ in 0..8 {
            let (value, slope) = polynomial(N, x);
            x -= value / slope;
        }
        let slope = polynomial(N, x).1;
        (x, 2.0 / ((1.0 - x * x) * slope * slope))
    })
}

/// The Legendre polynomial of degree `n` at `x` and its derivative, by Bonnet's recurrence.
fn polynomial(n: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (1.0, x);
    for k in 2..=n {
        let k = k as f64;
        (before, value) = (value, ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k);
    }
    (value, n as f64 * (x * value - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Abramowitz and Stegun, table 25.4.
    #[test]
    fn nodes_are_the_published_ones() {
        let (x, w) = legendre_16()[8];
        assert!((x - 0.095_012_509_837_637_44).abs() < 1e-14 && (w - 0.189_450_610_455_068_5).abs() < 1e-14);
        let (x, w) = legendre_24()[23];
        assert!((x - 0.995_187_219_997_021_4).abs() < 1e-14 && (w - 0.012_341_229_799_987_2).abs() < 1e-14);
    }

    #[test]
    fn they_integrate_polynomials_exactly() {
        let integral: f64 = legendre_24().iter().map(|(x, w)| w * (x.powi(46) + x.powi(3))).sum();
        assert!((integral - 2.0 / 47.0).abs() < 1e-15, "{integral}");
    }

    #[test]
    fn logarithms_of_sums_neither_overflow_nor_vanish() {
        assert_eq!(ln_sum_exp(&[]), f64::NEG_INFINITY);
        assert!((ln_sum_exp(&[-2000.0, -2000.0]) - (2f64.ln() - 2000.0)).abs() < 1e-12);
        assert!((ln_sum_exp(&[900.0, f64::NEG_INFINITY]) - 900.0).abs() < 1e-12);
        assert!((ln_one_minus_exp(-1e-20) - 1e-20f64.ln()).abs() < 1e-12);
        assert_eq!(ln_one_minus_exp(0.0), f64::NEG_INFINITY);
        assert!((ln_one_minus_exp(-50.0) + (-50f64).exp()).abs() < 1e-30);
    }
}
