//! How concentrated keys are: entropy and the chance that two draws share a key.
//!
//! The input is a table of multiplicities: how often a key was seen, and how many keys were seen that often.

/// Pairs of a count and the number of keys with that count; zeros are ignored.
pub type Multiplicities = [(u64, u64)];

/// The number of draws.
pub fn total(table: &Multiplicities) -> f64 {
    sum(table, |_| 1.0)
}

/// `Σ c f(c)` over all keys.
fn sum(table: &Multiplicities, f: impl Fn(f64) -> f64) -> f64 {
    let present = table.iter().filter(|&&(c, keys)| c > 0 && keys > 0);
    present.map(|&(c, keys)| c as f64 * keys as f64 * f(c as f64)).sum()
}

/// Entropy in nats as the shares stand, with its sampling variance `Σ p (ln p + H)² / n`. Biased downwards when
/// there are many keys. `None` for no draws.
pub fn plug_in_entropy(table: &Multiplicities) -> Option<(f64, f64)> {
    let n = total(table);
    if n == 0.0 {
        return None;
    }
    let entropy = -sum(table, |c| (c / n).ln()) / n;
    let variance = sum(table, |c| ((c / n).ln() + entropy).powi(2)) / n;
    Some((entropy.max(0.0), variance / n))
}

/// Entropy in nats corrected for keys not seen (Chao and Shen 2003), with the variance of `plug_in_entropy`.
/// `None` for no draws.
pub fn chao_shen_entropy(table: &Multiplicities) -> Option<(f64, f64)> {
    let (n, (_, variance)) = (total(table), plug_in_entropy(table)?);
    let singles: u64 = table.iter().filter(|m| m.0 == 1).map(|m| m.1).sum();
    // Where every key was seen once the coverage would be 0; one of them then counts as seen twice.
    let singles = if singles as f64 == n { n - 1.0 } else { singles as f64 };
    let coverage = 1.0 - singles / n;
    let term = |c: f64| {
        let p = coverage * c / n;
        if p >= 1.0 { 0.0 } else { -coverage * p.ln() / -(n * (-p).ln_1p()).exp_m1() }
    };
    Some(((sum(table, term) / n).max(0.0), variance))
}

/// The sum of squared shares. `None` for no draws.
pub fn hhi_plug_in(table: &Multiplicities) -> Option<f64> {
    let n = total(table);
    (n > 0.0).then(|| sum(table, |c| c / n) / n)
}

/// The chance that two different draws share their key (Simpson 1949): `Σ c(c−1) / (n(n−1))`. `None` below two
/// draws.
pub fn hhi_unbiased(table: &Multiplicities) -> Option<f64> {
    let n = total(table);
    (n >= 2.0).then(|| sum(table, |c| (c - 1.0) / (n - 1.0)) / n)
}

/// `ln(HHI + 1/n²)` of the unbiased HHI with its analytic variance. `None` below three draws.
///
/// The variance is Hoeffding's (1948) for a mean over pairs, `(4(n−2)ζ₁ + 2ζ₂) / (n(n−1))` with `ζ₁ = Σp³ − HHI²`
/// and `ζ₂ = HHI − HHI²`. Its second term stays where all keys are equally frequent and the first vanishes.
pub fn ln_hhi(table: &Multiplicities) -> Option<(f64, f64)> {
    let n = total(table);
    if n < 3.0 {
        return None;
    }
    let hhi = hhi_unbiased(table)? + 1.0 / (n * n);
    let cubes = sum(table, |c| (c - 1.0) / (n - 1.0) * ((c - 2.0) / (n - 2.0))) / n;
    let (first, second) = ((cubes - hhi * hhi).max(0.0), (hhi - hhi * hhi).max(0.0));
    let variance = (4.0 * (n - 2.0) * first + 2.0 * second) / (n * (n - 1.0));
    Some((hhi.ln(), variance / (hhi * hhi)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(actual: f64, expected: f64) {
        assert!((actual - expected).abs() < 1e-6, "{actual} is not {expected}");
    }

    /// Counts 50, 20, 10, 5, 5, 4, 3, 2, 1.
    const KEYS: &Multiplicities = &[(50, 1), (20, 1), (10, 1), (5, 2), (4, 1), (3, 1), (2, 1), (1, 1)];

    #[test]
    fn entropy_golden() {
        close(plug_in_entropy(KEYS).expect("draws").0, 1.556_536_9);
        close(chao_shen_entropy(KEYS).expect("draws").0, 1.599_434_4);
    }

    #[test]
    fn hhi_golden() {
        close(hhi_unbiased(KEYS).expect("draws"), 0.301_010_1);
        close(hhi_plug_in(KEYS).expect("draws"), 0.308);
    }

    /// A thousand draws from 500 equal keys: the number of coincident pairs is nearly Poisson, so the variance
    /// of its logarithm is one over it.
    #[test]
    fn even_keys_have_the_variance_of_their_pairs() {
        let table = [(1, 270), (2, 135), (3, 90), (4, 25), (5, 12), (6, 5)];
        let pairs: f64 = table.iter().map(|&(c, k)| (c * (c - 1) / 2 * k) as f64).sum();
        let (_, variance) = ln_hhi(&table).expect("draws");
        assert!((0.8..1.6).contains(&(variance * pairs)), "{}", variance * pairs);
    }

    #[test]
    fn degenerate_tables_are_defined() {
        for table in [&[][..], &[(0, 7)], &[(3, 0)]] {
            assert_eq!((plug_in_entropy(table), chao_shen_entropy(table)), (None, None));
            assert_eq!((hhi_plug_in(table), hhi_unbiased(table), ln_hhi(table)), (None, None, None));
        }
        for table in [&[(1, 1)][..], &[(1, 500)], &[(500, 1)], &[(1 << 40, 1), (1, 3)], &[(1, 1 << 40)]] {
            for (value, variance) in
                [plug_in_entropy(table), chao_shen_entropy(table), ln_hhi(table)].iter().flatten()
            {
                assert!(value.is_finite() && variance.is_finite() && *variance >= 0.0, "{table:?}");
            }
        }
        close(chao_shen_entropy(&[(500, 1)]).expect("draws").0, 0.0);
        close(hhi_unbiased(&[(500, 1)]).expect("draws"), 1.0);
        close(hhi_unbiased(&[(1, 500)]).expect("draws"), 0.0);
    }
}
