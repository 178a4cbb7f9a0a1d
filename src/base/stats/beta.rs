//! The beta distribution on the logit scale: the workhorse behind binomial, negative binomial and t tails.
//!
//! Everything is computed relative to the mode, so that neither huge counts nor far tails lose digits or
//! overflow; statrs' `beta_reg` stops at 140 terms and is wrong near the mean of large counts.

use super::quadrature::ln_one_minus_exp;
use super::tails::ln_normal_sf;
use statrs::function::gamma::ln_gamma;
use std::f64::consts::PI;

/// From this curvature on the saddlepoint approximation is better than 1e-7 relative.
const SADDLEPOINT: f64 = 1e5;

/// The distribution of `logit B` for `B` of Beta(`a`, `b`), `a` and `b` above 0.
#[derive(Clone, Copy, Debug)]
pub struct LogitBeta {
    a: f64,
    b: f64,
    /// The mode, `ln(a/b)`.
    mode: f64,
    /// Logarithm of the density at the mode.
    ln_peak: f64,
}

impl LogitBeta {
    /// The distribution with these two shapes.
    pub fn new(a: f64, b: f64) -> LogitBeta {
        let ln_peak = 0.5 * (a / (2.0 * PI) * (b / (a + b))).ln() + stirling_error(a + b)
            - stirling_error(a)
            - stirling_error(b);
        LogitBeta { a, b, mode: (a / b).ln(), ln_peak }
    }

    /// Where the density is highest.
    pub fn mode(&self) -> f64 {
        self.mode
    }

    /// Logarithm of the density at `theta`.
    pub fn ln_density(&self, theta: f64) -> f64 {
        self.ln_peak - self.depth(theta)
    }

    /// First and negative second derivative of the logarithm of the density.
    pub fn slope_and_curvature(&self, theta: f64) -> (f64, f64) {
        let p = expit(theta);
        let n = self.a + self.b;
        (-n * self.excess(theta), n * p * expit(-theta))
    }

    /// Logarithms of the probabilities below and above `theta`.
    pub fn ln_tails(&self, theta: f64) -> (f64, f64) {
        if self.a * (self.b / (self.a + self.b)) > SADDLEPOINT {
            let r = self.saddlepoint(theta);
            return (ln_normal_sf(-r), ln_normal_sf(r));
        }
        let density = self.ln_density(theta);
        if expit(theta) < (self.a + 1.0) / (self.a + self.b + 2.0) {
            let below = density + (fraction(self.a, self.b, expit(theta)) / self.a).ln();
            (below.min(0.0), ln_one_minus_exp(below))
        } else {
            let above = density + (fraction(self.b, self.a, expit(-theta)) / self.b).ln();
            (ln_one_minus_exp(above), above.min(0.0))
        }
    }

    /// The logit below which the share `share` (0..1) of the distribution lies, by bisection.
    pub fn quantile(&self, share: f64) -> f64 {
        let goal = share.ln();
        let (mut low, mut high) = (self.mode - 1.0, self.mode + 1.0);
        while self.ln_tails(low).0 > goal && low > -1e4 {
            low -= 2.0 * (self.mode - low);
        }
        while self.ln_tails(high).0 < goal && high < 1e4 {
            high += 2.0 * (high - self.mode);
        }
        for _ in 0..64 {
            let middle = 0.5 * (low + high);
            if self.ln_tails(middle).0 < goal { low = middle } else { high = middle }
        }
        0.5 * (low + high)
    }

    /// How far the logarithm of the density lies below its peak, from the nearer end for digits.
    fn depth(&self, theta: f64) -> f64 {
        let (n, delta) = (self.a + self.b, theta - self.mode);
        if delta < 0.0 {
            n * (self.a / n * delta.exp_m1()).ln_1p() - self.a * delta
        } else {
            n * (self.b / n * (-delta).exp_m1()).ln_1p() + self.b * delta
        }
    }

    /// The share at `theta` above the share at the mode, without cancellation.
    fn excess(&self, theta: f64) -> f64 {
        let (p, q) = (self.a / (self.a + self.b), self.b / (self.a + self.b));
        let delta = theta - self.mode;
        if delta < 0.0 {
            p * q * delta.exp_m1() / (1.0 + p * delta.exp_m1())
        } else {
            -p * q * (-delta).exp_m1() / (1.0 + q * (-delta).exp_m1())
        }
    }

    /// The normal score of `theta` by the formula of Barndorff-Nielsen (1986): r* = w − ln(g(w)/g(0))/w.
    fn saddlepoint(&self, theta: f64) -> f64 {
        let n = self.a + self.b;
        let root = (self.a * (self.b / n)).sqrt();
        let w = (2.0 * self.depth(theta)).max(0.0).sqrt().copysign(theta - self.mode);
        if w.abs() < 1e-3 {
            return w + (self.b - self.a) / n / (3.0 * root);
        }
        w - (w * root / (n * self.excess(theta))).ln() / w
    }
}

/// The share of a logit.
fn expit(theta: f64) -> f64 {
    1.0 / (1.0 + (-theta).exp())
}

/// `ln Γ(x)` less Stirling's formula `(x − ½) ln x − x + ½ ln 2π`; the series is that of Abramowitz and Stegun
/// 6.1.41.
pub(super) fn stirling_error(x: f64) -> f64 {
    if x < 16.0 {
        return ln_gamma(x) - (x - 0.5) * x.ln() + x - 0.5 * (2.0 * PI).ln();
    }
    let s = 1.0 / (x * x);
    (1.0 / 12.0 - s * (1.0 / 360.0 - s * (1.0 / 1260.0 - s / 1680.0))) / x
}

/// The continued fraction of the incomplete beta function (Abramowitz and Stegun 26.5.8) by Lentz's method, run
/// until it stands; it needs about the root of the larger shape in steps.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    let clear = |v: f64| if v.abs() < 1e-300 { 1e-300 } else { v };
    let mut d = 1.0 / clear(1.0 - (a + b) * x / (a + 1.0));
    let (mut c, mut value) = (1.0, d);
    for m in 1..20_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / clear(1.0 + even * d);
        c = clear(1.0 + even / c);
        value *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / clear(1.0 + odd * d);
        c = clear(1.0 + odd / c);
        value *= d * c;
        if (d * c - 1.0).abs() < 1e-15 {
            break;
        }
    }
    value
}
