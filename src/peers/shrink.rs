//! Estimates of small sources drawn towards the mean of all: for ranking and tables only.
//!
//! Never test with these, and never let them gate a flag: where honest sources hardly differ, the estimate of a
//! true outlier is the mean (statistics.md, 4.2).

/// Squared standardised deviations count up to the square of this, so that frauds do not widen the spread.
const WINSOR: f64 = 1.5;

/// The mean of min(z², 1.5²) for a standard normal z.
const KAPPA: f64 = 0.778_465_216_174_469_3;

/// The largest correlation of trials within a source, and the smallest that is told from none.
const MOST_CORRELATED: f64 = 0.9;
const LEAST_CORRELATED: f64 = 1e-9;

/// The largest variance between sources on a log scale.
const WIDEST: f64 = 25.0;

/// Alternations of mean and spread, and halvings of an interval in search of a root.
const ALTERNATIONS: u32 = 20;
const HALVINGS: u32 = 50;

/// The normal quantile of 95 % limits.
const Z: f64 = 1.959_963_984_540_054;

/// A shrunken estimate with its 95 % limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The posterior mean.
    pub mean: f64,
    /// The lower limit.
    pub low: f64,
    /// The upper limit.
    pub high: f64,
}

/// How rates differ between sources: a beta law.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatePrior {
    /// The mean rate.
    pub mean: f64,
    /// How many trials the prior is worth, up to 1e9.
    pub size: f64,
}

/// Fits how rates differ to successes and trials of all sources: beta-binomial, winsorised Paule-Mandel
/// (Kleinman 1973; statistics.md, 4.2). `None` without trials.
pub fn fit_rates(sources: &[(u64, u64)]) -> Option<RatePrior> {
    let mut rows: Vec<(f64, f64)> =
        sources.iter().filter(|(_, n)| *n > 0).map(|&(x, n)| (x.min(n) as f64, n as f64)).collect();
    if rows.is_empty() {
        return None;
    }
    // Sums of floats depend on their order, results must not.
    rows.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.total_cmp(&b.0)));
    let (mut mean, mut rho) = (mean_rate(&rows, 0.01), 0.01);
    for _ in 0..ALTERNATIONS {
        let before = rho;
        rho = root(LEAST_CORRELATED, MOST_CORRELATED, |rho| excess(&rows, mean, rho));
        mean = mean_rate(&rows, rho);
        if (rho - before).abs() < 1e-9 {
            break;
        }
    }
    Some(RatePrior { mean, size: 1.0 / rho - 1.0 })
}

/// The mean rate with weights n / (1 + (n − 1) ρ).
fn mean_rate(rows: &[(f64, f64)], rho: f64) -> f64 {
    let weight = |n: f64| 1.0 / (1.0 + (n - 1.0) * rho);
    let hits: f64 = rows.iter().map(|(x, n)| x * weight(*n)).sum();
    hits / rows.iter().map(|(_, n)| n * weight(*n)).sum::<f64>()
}

/// The winsorised sum of standardised squares above what it should be; falls as ρ grows.
fn excess(rows: &[(f64, f64)], mean: f64, rho: f64) -> f64 {
    let of = |&(x, n): &(f64, f64)| {
        let variance = n * mean * (1.0 - mean) * (1.0 + (n - 1.0) * rho);
        if variance > 0.0 { winsorised((x - n * mean).powi(2) / variance) } else { -KAPPA }
    };
    rows.iter().map(of).sum()
}

fn winsorised(square: f64) -> f64 {
    square.min(WINSOR * WINSOR) - KAPPA
}

/// Where a falling function crosses 0; the end next to it where it does not.
fn root(low: f64, high: f64, f: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (low, high);
    if f(low) <= 0.0 {
        return low;
    }
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if f(middle) > 0.0 { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

impl RatePrior {
    /// The estimate for `x` successes in `n` trials: mean (x + μM) / (n + M), limits of the beta posterior.
    ///
    /// `quantile(p, a, b)` is the quantile function of a beta law.
    pub fn posterior(&self, x: u64, n: u64, quantile: impl Fn(f64, f64, f64) -> f64) -> Estimate {
        let (x, n) = (x.min(n) as f64, n as f64);
        let (hits, misses) = (x + self.mean * self.size, n - x + (1.0 - self.mean) * self.size);
        let mean = hits / (hits + misses);
        if hits <= 0.0 || misses <= 0.0 {
            return Estimate { mean, low: mean, high: mean };
        }
        let limit = |p| quantile(p, hits, misses).clamp(0.0, 1.0);
        Estimate { mean, low: limit(0.025).min(mean), high: limit(0.975).max(mean) }
    }
}

/// How logarithms of amounts differ between sources: a normal law.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogPrior {
    /// The mean of the logarithm.
    pub mean: f64,
    /// Its variance between sources, sampling left out.
    pub variance: f64,
}

/// Fits how log amounts differ to each source's ln of its mean amount and the sampling variance of that
/// (cv² / count): normal-normal, winsorised Paule-Mandel. Rows that are not finite or without a variance are
/// left out; `None` where none is left.
pub fn fit_logs(sources: &[(f64, f64)]) -> Option<LogPrior> {
    let mut rows: Vec<(f64, f64)> =
        sources.iter().copied().filter(|(y, v)| y.is_finite() && v.is_finite() && *v > 0.0).collect();
    if rows.is_empty() {
        return None;
    }
    rows.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.total_cmp(&b.0)));
    let (mut mean, mut variance) = (mean_log(&rows, 0.1), 0.1);
    for _ in 0..ALTERNATIONS {
        let before = variance;
        let excess = |t: f64| rows.iter().map(|(y, v)| winsorised((y - mean).powi(2) / (v + t))).sum::<f64>();
        variance = root(0.0, WIDEST, excess);
        mean = mean_log(&rows, variance);
        if (variance - before).abs() < 1e-9 {
            break;
        }
    }
    Some(LogPrior { mean, variance })
}

fn mean_log(rows: &[(f64, f64)], variance: f64) -> f64 {
    let sum: f64 = rows.iter().map(|(y, v)| y / (v + variance)).sum();
    sum / rows.iter().map(|(_, v)| 1.0 / (v + variance)).sum::<f64>()
}

impl LogPrior {
    /// The estimate of a log amount from a source's own one and its sampling variance; the prior alone where
    /// the source has none.
    pub fn posterior(&self, own: Option<(f64, f64)>) -> Estimate {
        let own = own.filter(|(y, v)| y.is_finite() && v.is_finite() && *v > 0.0);
        let (y, trust) = own.map_or((self.mean, 0.0), |(y, v)| (y, self.variance / (self.variance + v)));
        let mean = self.mean + trust * (y - self.mean);
        let half = Z * (self.variance * (1.0 - trust)).sqrt();
        Estimate { mean, low: mean - half, high: mean + half }
    }
}

/// The shrunken earnings per click: the shrunken rate times the shrunken payout, whose logarithm is given.
/// In the unit of the payout.
pub fn epc(rate: &Estimate, ln_payout: &Estimate) -> f64 {
    (rate.mean * ln_payout.mean.exp()).min(f64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::anomaly::Draws;

    /// The normal quantile of a beta law: enough to see the limits in order.
    fn quantile(p: f64, a: f64, b: f64) -> f64 {
        let (mean, n) = (a / (a + b), a + b);
        mean + if p < 0.5 { -Z } else { Z } * (mean * (1.0 - mean) / (n + 1.0)).sqrt()
    }

    /// Sources of very different size whose true rates have mean 0.03 and a log spread of 0.4.
    fn world(draws: &mut Draws) -> Vec<(u64, u64, f64)> {
        (0..1500)
            .map(|_| {
                let n = (300.0 * (1.5 * draws.normal()).exp()).ceil() as u64;
                let rate = (0.03 * (0.4 * draws.normal() - 0.08).exp()).min(1.0);
                let x = (0..n).filter(|_| draws.unit() < rate).count() as u64;
                (x, n, rate)
            })
            .collect()
    }

    #[test]
    fn shrunken_rates_are_nearer_to_the_truth() {
        let world = world(&mut Draws::new(6));
        let prior = fit_rates(&world.iter().map(|s| (s.0, s.1)).collect::<Vec<_>>()).expect("trials");
        assert!((0.027..0.033).contains(&prior.mean), "{prior:?}");
        // The variance of a beta law, μ(1 − μ) / (M + 1), is that of the rates: (0.4 × 0.03)².
        assert!((120.0..320.0).contains(&prior.size), "{prior:?}");
        let error = |of: &dyn Fn(&(u64, u64, f64)) -> f64| {
            world.iter().map(|s| (of(s) - s.2).powi(2)).sum::<f64>().sqrt()
        };
        let raw = error(&|s| s.0 as f64 / s.1 as f64);
        let shrunk = error(&|s| prior.posterior(s.0, s.1, quantile).mean);
        assert!(shrunk < 0.6 * raw, "{shrunk} {raw}");
    }

    #[test]
    fn frauds_do_not_widen_the_spread_much() {
        let mut rows: Vec<(u64, u64)> = world(&mut Draws::new(6)).iter().map(|s| (s.0, s.1)).collect();
        let clean = fit_rates(&rows).expect("trials");
        rows[..75].iter_mut().for_each(|(x, n)| *x = (*x + *n / 5).min(*n));
        let mixed = fit_rates(&rows).expect("trials");
        assert!(mixed.size > 0.4 * clean.size, "{clean:?} {mixed:?}");
    }

    #[test]
    fn rates_have_defined_extremes() {
        assert_eq!(fit_rates(&[]), None);
        assert_eq!(fit_rates(&[(0, 0)]), None);
        for rows in
            [&[(0, 5)][..], &[(5, 5)], &[(0, 1 << 40), (1 << 40, 1 << 40)], &[(3, 100); 9], &[(0, 9); 9]]
        {
            let prior = fit_rates(rows).expect("trials");
            assert!((0.0..=1.0).contains(&prior.mean) && prior.size > 0.0 && prior.size <= 1e9, "{prior:?}");
            for (x, n) in [(0, 0), (0, 7), (7, 7), (1 << 50, 1 << 50)] {
                let found = prior.posterior(x, n, quantile);
                assert!(0.0 <= found.low && found.low <= found.mean, "{found:?}");
                assert!(found.mean <= found.high && found.high <= 1.0, "{found:?}");
            }
        }
    }

    #[test]
    fn the_order_of_sources_does_not_matter() {
        let mut rows: Vec<(u64, u64)> = world(&mut Draws::new(9)).iter().map(|s| (s.0, s.1)).collect();
        let mut logs: Vec<(f64, f64)> = rows.iter().map(|&(x, n)| (x as f64, 1.0 / n as f64)).collect();
        let found = (fit_rates(&rows), fit_logs(&logs));
        rows.reverse();
        logs.reverse();
        assert_eq!(found, (fit_rates(&rows), fit_logs(&logs)));
    }

    #[test]
    fn log_amounts_are_fitted() {
        let mut draws = Draws::new(12);
        let rows: Vec<(f64, f64)> = (0..3000)
            .map(|_| {
                let v = 0.3 / (1.0 + draws.below(40) as f64);
                (3.0 + 0.25 * draws.normal() + v.sqrt() * draws.normal(), v)
            })
            .collect();
        let prior = fit_logs(&rows).expect("rows");
        assert!((prior.mean - 3.0).abs() < 0.02 && (prior.variance.sqrt() - 0.25).abs() < 0.03, "{prior:?}");
        let one = LogPrior { mean: 3.0, variance: 0.04 }.posterior(Some((4.0, 0.04)));
        assert!(
            (one.mean - 3.5).abs() < 1e-12 && (one.high - one.low - 2.0 * Z * 0.02f64.sqrt()).abs() < 1e-12
        );
    }

    #[test]
    fn log_amounts_have_defined_extremes() {
        assert_eq!(fit_logs(&[]), None);
        assert_eq!(fit_logs(&[(f64::NAN, 1.0), (1.0, 0.0), (1.0, f64::INFINITY)]), None);
        let prior = fit_logs(&[(2.0, 0.5)]).expect("one");
        assert_eq!(prior, LogPrior { mean: 2.0, variance: 0.0 });
        assert_eq!(prior.posterior(None), Estimate { mean: 2.0, low: 2.0, high: 2.0 });
        assert_eq!(prior.posterior(Some((f64::INFINITY, 1.0))).mean, 2.0);
        let far = fit_logs(&[(-700.0, 1e-9), (700.0, 1e-9)]).expect("two");
        assert!(far.mean.is_finite() && far.variance <= WIDEST, "{far:?}");
    }

    #[test]
    fn epc_is_rate_times_payout() {
        let estimate = |mean| Estimate { mean, low: mean, high: mean };
        assert!((epc(&estimate(0.02), &estimate(30f64.ln())) - 0.6).abs() < 1e-12);
        assert!(epc(&estimate(1.0), &estimate(1e5)).is_finite());
    }
}
