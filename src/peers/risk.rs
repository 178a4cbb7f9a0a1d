//! The risk from 0 to 100: how probably a source is not an ordinary one of its peers.
//!
//! Risk is 100 (1 − local fdr), the local fdr by Grenander's decreasing density (Strimmer 2008). It says
//! "abnormal against the peers", never "fraud".
//!
//! The textbook estimate is a staircase, and it believes its first step even where that is a single source.
//! Three departures, all of them in favour of the source, so that a risk is a lower limit: of sources between 10 and
//! 90 more are abnormal than it says (docs/validation.md):
//!
//! * **No needless ties.** Between the stairs ln lfdr is interpolated on ln p, from the smallest p of one stair
//!   to the smallest p of the next. The result is never below the stair and, as long as there is any
//!   risk, strictly monotone in p: a ranking by it is the ranking by p.
//! * **No risk beyond the evidence.** It is never above 100 (1 − q), q after Benjamini and Hochberg; and from
//!   p = 1/e on it is 0, because no such p speaks against a source (Sellke, Bayarri, Berger 2001).
//! * **Few sources.** Below 200 the density is mostly noise: of 40 honest sources the most extreme one would
//!   have, averaged over nights, a risk of 50. There the lfdr is pulled up, the more the fewer the sources, to
//!   what a p-value alone can say: prior odds of 1 in 20 times the largest Bayes factor −1 / (e p ln p).

use super::combine::ln_bayes_factor;
use super::fdr::q_values;

/// From so many sources on the density of the p-values is believed as it is (statistics.md, 4.9).
const ENOUGH: f64 = 200.0;

/// The share of abnormal sources assumed where there are too few to count them. Published shares are 2.3 %
/// (FDMA 2012) to 7 % (the reference mix).
const PRIOR: f64 = 0.05;

/// The ln p from which no p-value is evidence against its null.
const NO_EVIDENCE: f64 = -1.0;

/// The ln p below which sources count as equally extreme for the density: 1e-300.
const FLOOR: f64 = -690.775_527_898_213_7;

/// The local false discovery rates of all testable sources of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalFdr {
    /// ln of the probability that the source is an ordinary one, in the order given. Rank by this: it tells
    /// apart what a risk of 100 no longer does.
    pub ln_lfdr: Vec<f64>,
    /// The estimated share of ordinary sources (Storey 2002 at ½, with one source more).
    pub pi0: f64,
}

/// The risk from 0 to 100 of a ln lfdr. Risks below 5 differ by little but noise; they are given all the same, so
/// that a ranking by risk has no needless ties.
pub fn risk(ln_lfdr: f64) -> f64 {
    // Nothing is plus zero.
    -100.0 * ln_lfdr.exp_m1() + 0.0
}

/// Estimates the local fdr of every source from ln p of all testable sources.
pub fn local_fdr(ln_p: &[f64]) -> LocalFdr {
    let ln_p: Vec<f64> = ln_p.iter().map(|p| p.min(0.0)).map(|p| p.max(f64::MIN)).collect();
    let pi0 = ordinary_share(&ln_p);
    let knots = knots(&ln_p, pi0);
    let trust = (ln_p.len() as f64 / ENOUGH).min(1.0);
    let of = |p: f64| tempered(interpolated(&knots, p), p, trust);
    LocalFdr { ln_lfdr: ln_p.into_iter().map(of).collect(), pi0 }
}

/// π0 = (1 + #{p > ½}) / (m / 2), at most 1.
fn ordinary_share(ln_p: &[f64]) -> f64 {
    let above = ln_p.iter().filter(|p| **p > 0.5f64.ln()).count();
    (2.0 * (above + 1) as f64 / ln_p.len().max(1) as f64).min(1.0)
}

/// Pulls an lfdr up to what the p-value alone can say, by the share that the density is not trusted.
fn tempered(ln_lfdr: f64, ln_p: f64, trust: f64) -> f64 {
    if trust >= 1.0 || ln_p >= NO_EVIDENCE {
        return ln_lfdr;
    }
    let ln_odds = ln_bayes_factor(ln_p) + (PRIOR / (1.0 - PRIOR)).ln();
    let ln_alone = -softplus(ln_odds);
    if ln_alone <= ln_lfdr {
        return ln_lfdr;
    }
    ln_alone + (trust * (ln_lfdr - ln_alone).exp() + 1.0 - trust).ln()
}

/// ln(1 + e^x).
fn softplus(x: f64) -> f64 {
    if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }
}

/// A stair of the decreasing density: sources between two values of p.
struct Stair {
    /// The smallest ln p in it.
    from: f64,
    count: f64,
    width: f64,
    /// The largest ln q in it.
    ln_q: f64,
}

impl Stair {
    fn density(&self) -> f64 {
        self.count / self.width
    }

    fn with(self, next: Stair) -> Stair {
        Stair {
            from: self.from,
            count: self.count + next.count,
            width: self.width + next.width,
            ln_q: self.ln_q.max(next.ln_q),
        }
    }
}

/// Points (ln p, ln lfdr), ascending in both, between which the lfdr is interpolated.
fn knots(ln_p: &[f64], pi0: f64) -> Vec<(f64, f64)> {
    let m = ln_p.len() as f64;
    let of = |stair: Stair| (stair.from, (pi0.ln() + m.ln() - stair.density().ln()).max(stair.ln_q).min(0.0));
    let mut knots: Vec<(f64, f64)> =
        stairs(ln_p).into_iter().filter(|s| s.from < NO_EVIDENCE).map(of).collect();
    knots.push((NO_EVIDENCE, 0.0));
    knots
}

/// The least concave majorant of the distribution function of p, by pooling adjacent violators.
fn stairs(ln_p: &[f64]) -> Vec<Stair> {
    let mut sources: Vec<(f64, f64)> = ln_p.iter().copied().zip(q_values(ln_p)).collect();
    sources.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut stairs: Vec<Stair> = Vec::new();
    let mut before = 0.0;
    for same in sources.chunk_by(|a, b| a.0.max(FLOOR) == b.0.max(FLOOR)) {
        let (from, ln_q) = (same[0].0, same[same.len() - 1].1);
        let p = from.max(FLOOR).exp();
        push(&mut stairs, Stair { from, count: same.len() as f64, width: p - before, ln_q });
        before = p;
    }
    stairs
}

/// Adds a stair, and pools from the end while the density does not fall.
fn push(stairs: &mut Vec<Stair>, mut next: Stair) {
    while let Some(last) = stairs.pop_if(|last| last.density() <= next.density()) {
        next = last.with(next);
    }
    stairs.push(next);
}

/// The line through the knots around `ln_p`; 0 behind the last one.
fn interpolated(knots: &[(f64, f64)], ln_p: f64) -> f64 {
    let after = knots.partition_point(|(at, _)| *at <= ln_p);
    let (Some(left), Some(right)) = (knots.get(after.wrapping_sub(1)), knots.get(after)) else {
        return if after == 0 { knots[0].1 } else { 0.0 };
    };
    left.1 + (right.1 - left.1) * ((ln_p - left.0) / (right.0 - left.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::anomaly::Draws;

    fn risks(ln_p: &[f64]) -> Vec<f64> {
        local_fdr(ln_p).ln_lfdr.into_iter().map(risk).collect()
    }

    /// ln p of one night: the first `frauds` sources have p = u^(1/ξ), all others are ordinary.
    fn night(draws: &mut Draws, m: usize, frauds: usize, xi: f64) -> Vec<f64> {
        (0..m).map(|i| draws.unit().ln() / if i < frauds { xi } else { 1.0 }).collect()
    }

    #[test]
    fn the_extremes_are_defined() {
        assert_eq!(local_fdr(&[]), LocalFdr { ln_lfdr: vec![], pi0: 1.0 });
        for m in [1, 2, 30, 300, 5000] {
            assert_eq!(risks(&vec![0.0; m]), vec![0.0; m], "{m}");
            assert_eq!(risks(&vec![0.9f64.ln(); m]), vec![0.0; m], "{m}");
            assert_eq!(risks(&vec![f64::NAN; m]), vec![0.0; m], "{m}");
            for tiny in [-50.0, -2000.0, -1e300, f64::NEG_INFINITY] {
                assert!(risks(&vec![tiny; m]).iter().all(|r| (99.9..=100.0).contains(r)), "{m} {tiny}");
            }
        }
    }

    /// One source alone: what its p-value can say at most, not 1 − p.
    #[test]
    fn a_lonely_source_is_judged_by_its_p_value_alone() {
        let risk_of = |p: f64| risks(&[p.ln()])[0];
        assert!((25.0..35.0).contains(&risk_of(0.01)), "{}", risk_of(0.01));
        assert!((94.0..96.5).contains(&risk_of(1e-4)), "{}", risk_of(1e-4));
        assert!(risk_of(0.3) < 6.0);
        assert_eq!(risk_of(0.4), 0.0);
    }

    #[test]
    fn risk_rises_strictly_as_p_falls() {
        let mut draws = Draws::new(3);
        for (m, frauds) in [(3, 1), (40, 4), (250, 0), (3000, 200)] {
            let mut ln_p = night(&mut draws, m, frauds, 0.1);
            ln_p.extend([-1e4, -2e4]);
            ln_p.sort_by(f64::total_cmp);
            let lfdr = local_fdr(&ln_p).ln_lfdr;
            let strict =
                ln_p.windows(2).zip(lfdr.windows(2)).filter(|(p, _)| p[0] < p[1] && p[1] < NO_EVIDENCE);
            assert!(lfdr.is_sorted());
            for (p, l) in strict {
                assert!(l[0] < l[1] || l[0] == 0.0, "{m}: {p:?} {l:?}");
            }
        }
    }

    #[test]
    fn risk_never_exceeds_what_q_allows() {
        let mut draws = Draws::new(4);
        for (m, frauds) in [(1, 0), (7, 7), (40, 4), (1000, 900), (3000, 0)] {
            let ln_p = night(&mut draws, m, frauds, 0.2);
            for (lfdr, q) in local_fdr(&ln_p).ln_lfdr.iter().zip(q_values(&ln_p)) {
                assert!(*lfdr >= q - 1e-9 && *lfdr <= 0.0, "{m}: {lfdr} {q}");
            }
        }
    }

    #[test]
    fn the_order_of_sources_does_not_matter() {
        let ln_p = night(&mut Draws::new(8), 500, 30, 0.1);
        let turned: Vec<f64> = ln_p.iter().rev().copied().collect();
        let mut back = local_fdr(&turned).ln_lfdr;
        back.reverse();
        assert_eq!(back, local_fdr(&ln_p).ln_lfdr);
    }

    /// Among the sources of a band of risk about as many are abnormal as it says, or more.
    #[test]
    fn risk_is_calibrated() {
        let (bands, mut draws) = ([(20.0, 60.0), (60.0, 80.0), (80.0, 95.0), (95.0, 100.1)], Draws::new(11));
        let mut seen = [(0.0, 0.0, 0.0); 4];
        for _ in 0..16 {
            for (i, risk) in risks(&night(&mut draws, 2000, 144, 0.12)).into_iter().enumerate() {
                if let Some(band) = bands.iter().position(|(from, to)| (*from..*to).contains(&risk)) {
                    let (n, sum, true_ones) = &mut seen[band];
                    (*n, *sum) = (*n + 1.0, *sum + risk);
                    *true_ones += if i < 144 { 100.0 } else { 0.0 };
                }
            }
        }
        for ((n, sum, true_ones), band) in seen.into_iter().zip(bands) {
            let (mean, actual) = (sum / n, true_ones / n);
            assert!(n >= 50.0, "{band:?}: {n}");
            assert!((-5.0..=15.0).contains(&(actual - mean)), "{band:?}: {mean} said, {actual} true, of {n}");
        }
    }

    /// The share of 500 nights without any fraud in which some source of `m` has at least this risk.
    fn nights_with(m: usize, least: f64) -> f64 {
        let mut draws = Draws::new(21);
        let alarms =
            (0..500).filter(|_| risks(&night(&mut draws, m, 0, 1.0)).into_iter().any(|r| r >= least)).count();
        alarms as f64 / 500.0
    }

    #[test]
    fn few_honest_sources_seldom_have_a_high_risk() {
        for m in [1, 5, 40, 120] {
            let (high, very_high) = (nights_with(m, 60.0), nights_with(m, 95.0));
            assert!(high < 0.38 && very_high < 0.05, "{m}: {high} {very_high}");
        }
    }
}
