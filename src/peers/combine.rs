//! One p-value out of several: Simes inside a family of related signals, Cauchy across families.
//!
//! Fraud shows in few signals and strongly, and signals of one source depend on each other. Simes and Cauchy
//! hold their level then; Fisher and Stouffer do not. Fisher's method is for the signs of a pattern alone, which have
//! nothing to do with each other in honest traffic (see [`super::patterns`]).

use std::f64::consts::PI;

/// No p-value weighs in the Cauchy combination as if it were above this. Small counts often give p = 1, whose
/// term is minus infinity and would silence every other signal.
const CAP: f64 = 0.9;

/// Beyond this logarithm of the Cauchy statistic only its leading term matters and `exp` nears its limit.
const FAR: f64 = 600.0;

/// No weight of evidence is shown above this: beyond it no analyst acts otherwise.
const DECIBANS_CAP: f64 = 60.0;

/// Combines the p-values of one family: min over j of k p_(j) / j (Simes 1986). Takes and returns ln p; `None`
/// for an empty family. What is not a number counts as p = 1.
pub fn simes(ln_p: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> = ln_p.iter().map(|p| p.min(0.0)).collect();
    sorted.sort_by(f64::total_cmp);
    let k = (sorted.len() as f64).ln();
    let terms = sorted.iter().zip(1u32..).map(|(p, j)| p + k - f64::from(j).ln());
    terms.reduce(f64::min).map(|p| p.min(0.0))
}

/// Combines p-values of families by their weights: Σ w tan((½ − p) π) is again a Cauchy deviate, whatever the
/// dependence, in the far tail (Liu and Xie, JASA 2020), with every p capped at 0.9.
///
/// Takes pairs of ln p and weight; weights need not add up to 1, those that are not positive are left out.
/// Returns ln p, or `None` where no weight is left. Right for any ln p that a float holds.
pub fn cauchy(weighted: &[(f64, f64)]) -> Option<f64> {
    let mut parts: Vec<(f64, f64)> =
        weighted.iter().filter(|(_, w)| *w > 0.0 && w.is_finite()).map(|&(p, w)| (p.min(0.0), w)).collect();
    parts.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let largest = parts.iter().map(|(_, w)| *w).reduce(f64::max)?;
    let sum: f64 = parts.iter().map(|(_, w)| w / largest).sum();
    let share = |w: f64| w / largest / sum;
    let high = ln_sum(parts.iter().filter_map(|&(p, w)| ln_tangent(p).map(|t| share(w).ln() + t)));
    let low: f64 =
        parts.iter().filter(|(p, _)| ln_tangent(*p).is_none()).map(|&(p, w)| share(w) * tangent(p)).sum();
    Some(ln_cauchy_tail(high, low))
}

/// The logarithm of tan((½ − p) π) = 1 / tan(p π) where that is positive.
fn ln_tangent(ln_p: f64) -> Option<f64> {
    let p = ln_p.exp();
    match p {
        _ if p < 1e-15 => Some(-ln_p - PI.ln()),
        _ if p < 0.5 => Some(-(p * PI).tan().ln()),
        _ => None,
    }
}

/// tan((½ − p) π) for p from ½ to the cap: never below −3.08.
fn tangent(ln_p: f64) -> f64 {
    ((0.5 - ln_p.exp().min(CAP)) * PI).tan()
}

/// ln Σ exp of the terms; minus infinity for none.
fn ln_sum(terms: impl Iterator<Item = f64>) -> f64 {
    let terms: Vec<f64> = terms.collect();
    let Some(largest) = terms.iter().copied().reduce(f64::max).filter(|t| t.is_finite()) else {
        return terms.into_iter().reduce(f64::max).unwrap_or(f64::NEG_INFINITY);
    };
    largest + terms.iter().map(|t| (t - largest).exp()).sum::<f64>().ln()
}

/// ln P(C ≥ e^high + low) for a standard Cauchy deviate.
fn ln_cauchy_tail(high: f64, low: f64) -> f64 {
    if high > FAR {
        return -high - PI.ln();
    }
    let t = high.exp() + low;
    let p = if t > 0.0 { (1.0 / t).atan() / PI } else { 0.5 - t.atan() / PI };
    p.ln().min(0.0)
}

/// States that all of several signals are abnormal: their largest p-value (intersection-union test). Takes and
/// returns ln p; `None` for none.
pub fn all_of(ln_p: &[f64]) -> Option<f64> {
    ln_p.iter().map(|p| p.min(0.0)).reduce(f64::max)
}

/// The weight of evidence in decibans: 10 log10 of the largest Bayes factor that a p-value can stand for,
/// −1 / (e p ln p) (Sellke, Bayarri, Berger 2001). 0 from p = 1/e on, at most 60. Signals of one source depend
/// on each other: never add these up.
pub fn decibans(ln_p: f64) -> f64 {
    (ln_bayes_factor(ln_p) * 10.0 / 10f64.ln()).min(DECIBANS_CAP)
}

/// ln of the bound −1 / (e p ln p) on the Bayes factor; 0 from p = 1/e on.
pub(super) fn ln_bayes_factor(ln_p: f64) -> f64 {
    if ln_p < -1.0 { -1.0 - ln_p - (-ln_p).ln() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Equal to seven digits.
    #[track_caller]
    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-7 * expected.abs().max(1e-9), "{found}, not {expected}");
    }

    fn logs(p: &[f64]) -> Vec<f64> {
        p.iter().map(|p| p.ln()).collect()
    }

    fn even(p: &[f64]) -> Vec<(f64, f64)> {
        p.iter().map(|p| (p.ln(), 1.0)).collect()
    }

    #[test]
    fn simes_golden() {
        close(simes(&logs(&[0.0004, 0.03, 0.2, 0.8])).expect("four").exp(), 0.0016);
        close(simes(&logs(&[0.8, 0.0004, 0.2, 0.03])).expect("four").exp(), 0.0016);
        close(simes(&logs(&[0.3, 0.3, 0.3])).expect("three").exp(), 0.3);
    }

    /// The published figure has no cap; all p are below it.
    #[test]
    fn cauchy_golden() {
        let found = cauchy(&even(&[0.0004, 0.03, 0.2, 0.8])).expect("four").exp();
        assert!((found - 0.001_579_0).abs() < 5e-8, "{found}");
    }

    #[test]
    fn nothing_to_combine_is_absent() {
        assert_eq!(simes(&[]), None);
        assert_eq!(cauchy(&[]), None);
        assert_eq!(cauchy(&[(-3.0, 0.0), (-3.0, f64::NAN), (-3.0, -1.0)]), None);
        assert_eq!(all_of(&[]), None);
    }

    #[test]
    fn one_p_value_stays_as_it_is() {
        for ln_p in [-1e6, -5000.0, -700.0, -690.8, -600.0, -34.5, -20.0, -1.0, -0.2] {
            close(simes(&[ln_p]).expect("one"), ln_p);
            close(cauchy(&[(ln_p, 0.3)]).expect("one"), ln_p);
        }
        assert_eq!(simes(&[0.0]), Some(0.0));
        close(cauchy(&[(0.0, 1.0)]).expect("one").exp(), CAP);
    }

    #[test]
    fn p_values_of_one_do_not_silence_a_strong_signal() {
        let mut parts = vec![(0.0, 1.0); 6];
        parts.push((1e-6f64.ln(), 1.0));
        close(cauchy(&parts).expect("seven").exp(), 7.000_406_113e-6);
        assert!(cauchy(&[(f64::NEG_INFINITY, 1.0), (0.0, 1.0)]).expect("two") < -1e300);
    }

    /// Where the branches meet nothing jumps: twice as small a p gives twice as small a result.
    #[test]
    fn far_tails_are_smooth() {
        for at in [-34.5, -34.6, -598.0, -599.0, -600.0, -601.0, -602.0, -745.0, -3000.0] {
            let of = |p: f64| cauchy(&[(p, 1.0), (-2.0, 1.0), (-0.1, 2.0)]).expect("three");
            assert!((of(at) - of(at - 1.0) - 1.0).abs() < 1e-6, "{at}");
        }
        close(cauchy(&[(-2000.0, 1.0), (-2000.0, 3.0)]).expect("two"), -2000.0);
    }

    #[test]
    fn weights_may_have_any_size_and_order() {
        let parts = [(-9.0, 1e-3), (-4.0, 2e-3), (-0.3, 5e-3)];
        let scaled: Vec<_> = parts.iter().rev().map(|&(p, w)| (p, w * 1024.0)).collect();
        assert_eq!(cauchy(&parts), cauchy(&scaled));
        let huge: Vec<_> = parts.iter().map(|&(p, w)| (p, w * 1e300)).collect();
        close(cauchy(&huge).expect("three"), cauchy(&parts).expect("three"));
    }

    #[test]
    fn what_is_not_a_number_is_no_evidence() {
        assert_eq!(simes(&[f64::NAN, 3.0]), Some(0.0));
        close(cauchy(&[(f64::NAN, 1.0)]).expect("one").exp(), CAP);
        assert_eq!(all_of(&[-4.0, f64::NAN]), Some(0.0));
    }

    #[test]
    fn decibans_golden() {
        assert!((decibans(1e-4f64.ln()) - 26.0).abs() < 0.02);
        assert_eq!(decibans(0.0), 0.0);
        assert_eq!(decibans(-1.0), 0.0);
        assert_eq!(decibans(-1000.0), DECIBANS_CAP);
    }
}
