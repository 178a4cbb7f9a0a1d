//! Tails of distributions, with their logarithms where a tail may be too small for a number.

use super::beta::{LogitBeta, stirling_error};
use super::quadrature::ln_one_minus_exp;
use statrs::distribution::{ContinuousCDF, Normal};
use statrs::function::erf::erfc;
use std::f64::consts::{PI, SQRT_2};

/// Probability that a standard normal lies above `z`; 0 beyond 38.5.
pub fn normal_sf(z: f64) -> f64 {
    0.5 * erfc(z / SQRT_2)
}

/// Logarithm of `normal_sf`, for any finite `z` (asymptotic series of Abramowitz and Stegun 26.2.12 from 30 on).
pub fn ln_normal_sf(z: f64) -> f64 {
    if z < -1.0 {
        return (-normal_sf(-z)).ln_1p();
    }
    if z < 30.0 {
        return normal_sf(z).ln();
    }
    let s = 1.0 / (z * z);
    -0.5 * z * z - (z * (2.0 * PI).sqrt()).ln() + (-s * (1.0 - s * (3.0 - 15.0 * s))).ln_1p()
}

/// The `z` whose upper tail has this logarithm, the inverse of `ln_normal_sf`; always finite. By Newton's method
/// where statrs' inverse runs out.
pub fn normal_score(ln_p: f64) -> f64 {
    if ln_p > -1e-3 {
        return -normal_score(ln_one_minus_exp(ln_p).max(-700.0));
    }
    if ln_p > -30.0 {
        return -Normal::standard().inverse_cdf(ln_p.exp());
    }
    let goal = ln_p.max(-1e15);
    let mut z = (-2.0 * goal - (-4.0 * PI * goal).ln()).sqrt();
    for _ in 0..4 {
        z += (ln_normal_sf(z) - goal) / (z + 1.0 / z);
    }
    z
}

/// Probability that Student's t with `df` degrees of freedom lies above `t`.
pub fn student_sf(t: f64, df: f64) -> f64 {
    ln_student_sf(t, df).exp()
}

/// Logarithm of `student_sf`; normal from a million degrees of freedom on. `df` is above 0.
pub fn ln_student_sf(t: f64, df: f64) -> f64 {
    if df >= 1e6 {
        return ln_normal_sf(t);
    }
    if t == 0.0 {
        return 0.5f64.ln();
    }
    let both = LogitBeta::new(0.5 * df, 0.5).ln_tails(df.ln() - 2.0 * t.abs().ln()).0;
    let upper = both + 0.5f64.ln();
    if t > 0.0 { upper } else { ln_one_minus_exp(upper) }
}

/// Logarithm of the beta function.
pub fn ln_beta(a: f64, b: f64) -> f64 {
    statrs::function::beta::ln_beta(a, b)
}

/// Probability of at least `x` successes in `n` trials of probability `p`.
pub fn binomial_at_least(x: u64, n: u64, p: f64) -> f64 {
    ln_binomial_at_least(x, n, p).exp()
}

/// Logarithm of `binomial_at_least`, right in the farthest tails and for any `n`.
pub fn ln_binomial_at_least(x: u64, n: u64, p: f64) -> f64 {
    if x == 0 || p >= 1.0 && x <= n {
        return 0.0;
    }
    if x > n || p <= 0.0 {
        return f64::NEG_INFINITY;
    }
    LogitBeta::new(x as f64, (n - x) as f64 + 1.0).ln_tails(p.ln() - (-p).ln_1p()).0
}

/// Probability of at least `x` failures before the `size`-th success where `mean` failures are expected: the
/// variance is `mean + mean² / size`.
pub fn neg_binomial_at_least(x: u64, mean: f64, size: f64) -> f64 {
    if x == 0 {
        return 1.0;
    }
    if mean <= 0.0 {
        return 0.0;
    }
    LogitBeta::new(x as f64, size).ln_tails((mean / size).ln()).0.exp()
}

/// Probability of at most `x` events where `mean` are expected.
pub fn poisson_at_most(x: u64, mean: f64) -> f64 {
    if mean <= 0.0 { 1.0 } else { poisson_tails(x as f64 + 1.0, mean).0.exp() }
}

/// Probability of at least `x` events where `mean` are expected.
pub fn poisson_at_least(x: u64, mean: f64) -> f64 {
    ln_poisson_at_least(x, mean).exp()
}

/// Logarithm of `poisson_at_least`.
pub fn ln_poisson_at_least(x: u64, mean: f64) -> f64 {
    if x == 0 {
        return 0.0;
    }
    if mean <= 0.0 { f64::NEG_INFINITY } else { poisson_tails(x as f64, mean).1 }
}

/// Logarithms of the probabilities of fewer than `x` events and of at least `x`; `x` is at least 1.
fn poisson_tails(x: f64, mean: f64) -> (f64, f64) {
    if x > 1e6 && mean > 1e6 {
        let r = poisson_score(x, mean);
        return (ln_normal_sf(-r), ln_normal_sf(r));
    }
    let ln_at = |k: f64| (k * mean.ln() - mean - ln_factorial(k)).min(0.0);
    if x > mean {
        let above = ln_at(x) + series(|i| mean / (x + i)).ln();
        (ln_one_minus_exp(above), above.min(0.0))
    } else {
        let below = ln_at(x - 1.0) + series(|i| ((x - i) / mean).max(0.0)).ln();
        (below.min(0.0), ln_one_minus_exp(below))
    }
}

/// `ln x!` by Stirling's formula and its error.
fn ln_factorial(x: f64) -> f64 {
    let x = x + 1.0;
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * PI).ln() + stirling_error(x)
}

/// `1 + r₁ + r₁r₂ + …` for ratios that fall below 1; the ratio's argument counts from 1.
fn series(ratio: impl Fn(f64) -> f64) -> f64 {
    let (mut term, mut sum, mut i) = (1.0, 1.0, 1.0);
    loop {
        let r = ratio(i);
        term *= r;
        sum += term;
        i += 1.0;
        if r < 1.0 && term <= 1e-16 * sum * (1.0 - r) || i > 1e7 {
            return sum;
        }
    }
}

/// The normal score of at least `x` events by the formula of Barndorff-Nielsen (1986), for `x` and `mean` of a
/// million and more.
fn poisson_score(x: f64, mean: f64) -> f64 {
    let s = ((x - mean) / mean).ln_1p();
    let w = (2.0 * (x * s - (x - mean))).max(0.0).sqrt().copysign(x - mean);
    if w.abs() < 1e-3 {
        return w - 1.0 / (3.0 * mean.sqrt());
    }
    w + (-(-s).exp_m1() * x.sqrt() / w).ln() / w
}

/// More trials than this are scaled down to it, which only widens the distribution.
const BETA_BINOMIAL_TRIALS: u64 = 1 << 20;

/// Probability of at least `k` successes in `n` trials whose probability is drawn from Beta(`a`, `b`), by the
/// ratios of neighbouring terms. Takes at most about a million steps.
pub fn beta_binomial_at_least(k: u64, n: u64, a: f64, b: f64) -> f64 {
    if n > BETA_BINOMIAL_TRIALS {
        let scaled = (u128::from(k) * u128::from(BETA_BINOMIAL_TRIALS) / u128::from(n)) as u64;
        return beta_binomial_at_least(scaled, BETA_BINOMIAL_TRIALS, a, b);
    }
    if k == 0 || k > n {
        return if k == 0 { 1.0 } else { 0.0 };
    }
    let (upper, n, k) = (k as f64 / n as f64 > a / (a + b), n as f64, k as f64);
    if upper { beta_binomial_outward(k, n, a, b) } else { 1.0 - beta_binomial_outward(n - k + 1.0, n, b, a) }
}

/// The terms from `k` upwards.
fn beta_binomial_outward(k: f64, n: f64, a: f64, b: f64) -> f64 {
    let ratio = |i: f64| {
        let j = k + i - 1.0;
        if j >= n { 0.0 } else { (n - j) * (a + j) / ((j + 1.0) * (n - j - 1.0 + b)) }
    };
    (beta_binomial_ln_term(k, n, a, b) + series(ratio).ln()).exp().min(1.0)
}

/// Logarithm of the probability of exactly `k`: `C(n, k) B(k + a, n − k + b) / B(a, b)`.
fn beta_binomial_ln_term(k: f64, n: f64, a: f64, b: f64) -> f64 {
    let ln_beta = |a: f64, b: f64| {
        use statrs::function::gamma::ln_gamma;
        ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
    };
    -(n + 1.0).ln() - ln_beta(k + 1.0, n - k + 1.0) + ln_beta(k + a, n - k + b) - ln_beta(a, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative to 1e-6 of a probability: its logarithm to 1e-6.
    fn close(actual: f64, expected: f64) {
        assert!((actual - expected).abs() < 1e-6, "{actual} is not {expected}");
    }

    /// Golden values by mpmath with 30 digits, as all here that statistics.md does not give.
    #[test]
    fn normal_golden() {
        close(ln_normal_sf(10.0), -53.231_285_15);
        close(ln_normal_sf(40.0), -804.608_442_01);
        close(ln_normal_sf(30.0), -454.321_243_956);
        close(ln_normal_sf(29.999_999_999), -454.321_243_926);
        close(ln_normal_sf(-40.0), 0.0);
        close(normal_sf(1.959_963_985), 0.025);
    }

    #[test]
    fn scores_invert_the_tail() {
        for z in [-37.0, -8.0, -3.0, -0.1, 0.0, 0.1, 0.5, 1.0, 4.0, 7.7, 8.0, 29.0, 31.0, 500.0, 1e6] {
            let back = normal_score(ln_normal_sf(z));
            assert!((back - z).abs() < 1e-7 * z.abs().max(1.0), "{z} comes back as {back}");
        }
        assert!(normal_score(f64::NEG_INFINITY).is_finite() && normal_score(0.0).is_finite());
    }

    #[test]
    fn binomial_golden() {
        for (x, n, p, expected) in [
            (10, 100, 0.03, -7.042_363_281),
            (3, 12, 0.05, -3.933_846_311),
            (150, 300, 0.2, -69.737_522_231),
            (301, 10_000, 0.03, -0.724_329_407),
            (30_500, 1_000_000, 0.03, -6.351_955_224),
            (400_000, 1_000_000, 0.4, -0.692_387_421),
            (1_000, 1_000, 0.5, -693.147_180_56),
            (2, 1 << 40, 1e-12, -1.201_336_52),
            (3_003_000, 100_000_000, 0.03, -3.234_971_363),
            (500_300_000, 1_000_000_000, 0.5, -183.864_158_438),
            (1_000_200_000, 10_000_000_000, 0.1, -25.058_208_368),
        ] {
            let actual = ln_binomial_at_least(x, n, p);
            assert!((actual - expected).abs() < 1e-6, "{x} of {n} at {p}: {actual} is not {expected}");
        }
    }

    #[test]
    fn binomial_edges_are_exact() {
        assert_eq!(binomial_at_least(0, 10, 0.3), 1.0);
        assert_eq!(binomial_at_least(11, 10, 0.3), 0.0);
        assert_eq!((binomial_at_least(1, 10, 0.0), binomial_at_least(10, 10, 1.0)), (0.0, 1.0));
        close(binomial_at_least(1, 10, 0.3), 1.0 - 0.7f64.powi(10));
        close(ln_binomial_at_least(10, 10, 1e-40), -921.034_037);
    }

    #[test]
    fn poisson_golden() {
        close(poisson_at_most(0, 2.0), (-2.0f64).exp());
        close(poisson_at_most(2, 1.0), 2.5 * (-1.0f64).exp());
        close(poisson_at_most(5, 0.0), 1.0);
        for (x, mean, expected) in [
            (5, 1.0, -5.610_334_0),
            (3, 10.0, -0.002_773_237_6),
            (1_000, 900.0, -7.505_769_994),
            (2_000, 1.0, -13_207.523_850_64),
            (1_999_000, 2_000_000.0, -0.273_987_62),
            (2_001_500, 2_000_000.0, -1.934_435_02),
            (0, 3.0, 0.0),
        ] {
            close(ln_poisson_at_least(x, mean), expected);
        }
        assert_eq!(poisson_at_least(1, 0.0), 0.0);
    }

    #[test]
    fn student_golden() {
        for (t, df, expected) in [
            (2.0, 6.0, -3.074_490_765),
            (10.0, 3.0, -6.845_532_378),
            (0.5, 100.0, -1.174_133_191),
            (40.0, 50.0, -90.277_853_01),
            (3.0, 1e5, -6.607_480_003),
            (5.0, 999_999.0, -15.064_829_835),
            (300.0, 2.5, -14.588_904_74),
        ] {
            close(ln_student_sf(t, df), expected);
            close(student_sf(-t, df), 1.0 - expected.exp());
        }
        close(student_sf(0.0, 3.0), 0.5);
        close(ln_student_sf(40.0, 1e7), -804.608_442_01);
    }

    #[test]
    fn overdispersed_golden() {
        close(neg_binomial_at_least(30, 10.0, 2.5), 0.017_532_380_66);
        close(neg_binomial_at_least(3, 10.0, 2.5), 0.896_246_445_84);
        close(neg_binomial_at_least(200, 100.0, 40.0) * 1e6, 7.181_616_92);
        assert_eq!((neg_binomial_at_least(0, 1.0, 1.0), neg_binomial_at_least(1, 0.0, 1.0)), (1.0, 0.0));
        close(beta_binomial_at_least(12, 100, 1.5, 48.5), 0.017_018_818_7);
        close(beta_binomial_at_least(400, 5_000, 2.0, 80.0), 0.009_782_037_16);
    }

    #[test]
    fn beta_binomial_tails_are_complements_and_end() {
        assert_eq!(beta_binomial_at_least(0, 10, 1.0, 1.0), 1.0);
        assert_eq!(beta_binomial_at_least(11, 10, 1.0, 1.0), 0.0);
        close(beta_binomial_at_least(3, 10, 1.0, 1.0), 8.0 / 11.0);
        close(beta_binomial_at_least(9, 10, 1.0, 1.0), 2.0 / 11.0);
        close(beta_binomial_at_least(1 << 39, 1 << 40, 1.0, 1.0), 0.5);
        for (k, n, a, b) in [(0, 0, 1.0, 1.0), (1 << 40, 1 << 40, 0.01, 50.0), (1, 1 << 40, 30.0, 0.05)] {
            let p = beta_binomial_at_least(k, n, a, b);
            assert!((0.0..=1.0).contains(&p), "{k} of {n}: {p}");
        }
    }
}
