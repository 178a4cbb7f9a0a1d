//! The share of false accusations across sources: Benjamini and Hochberg, and a check on their assumption.

/// From so many sources on the mirror check is on: only so many honest sources reach the tails in which a
/// wrong shape of the null would show.
pub const MIRROR_FROM: usize = 5000;

/// The q-value of every p-value, in the order given: the smallest level at which it is a discovery,
/// min over l ≥ k of m p_(l) / l (Benjamini and Hochberg 1995). Takes ln p of all testable sources, returns
/// ln q. What is not a number counts as p = 1.
pub fn q_values(ln_p: &[f64]) -> Vec<f64> {
    let order = ascending(ln_p);
    let m = (order.len() as f64).ln();
    let mut q = vec![0.0; order.len()];
    let mut least = 0.0f64;
    for (rank, &at) in order.iter().enumerate().rev() {
        least = least.min(ln_p[at].min(0.0) + m - ((rank + 1) as f64).ln());
        q[at] = least;
    }
    q
}

/// The ln p up to which sources are discoveries at level `q` (a share): the largest p_(k) ≤ q k / m. `None`
/// where there is none.
pub fn cut(ln_p: &[f64], q: f64) -> Option<f64> {
    let mut sorted: Vec<f64> = ln_p.iter().map(|p| p.min(0.0)).collect();
    sorted.sort_by(f64::total_cmp);
    let level = q.ln() - (sorted.len() as f64).ln();
    // The slack lets p = q k / m pass in spite of rounding in the logarithms.
    let holds = |&(k, p): &(usize, f64)| p <= level + (k as f64).ln() + 1e-12;
    (1..).zip(sorted).filter(holds).last().map(|(_, p)| p)
}

/// A cut-off that the mirror check let pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guarded {
    /// The ln p up to which sources are discoveries; `None` for none.
    pub cut: Option<f64>,
    /// Decoys per discovery at the unguarded cut-off: an estimate of the false share that needs no right shape
    /// of the null. `None` where nothing was discovered. Above the level the null has too light tails.
    pub mirror_fdr: Option<f64>,
}

/// Lowers the cut-off of [`cut`] until at most the share `q` of the discoveries is mirrored in the other tail
/// (statistics.md, 4.3): honest sources with heavier tails than modelled reach both tails alike, fraud only
/// one.
///
/// `up` and `low` are ln p of the same sources, combined in the same way from the suspicious sides of one-sided
/// signals and from their opposite sides. Never mirror a signal of which both sides are suspicious: its
/// frauds would acquit each other. With fewer than 5,000 sources the cut-off stays and only the estimate is
/// given.
pub fn guarded_cut(up: &[f64], low: &[f64], q: f64) -> Guarded {
    let Some(plain) = cut(up, q) else { return Guarded { cut: None, mirror_fdr: None } };
    let (up_sorted, low_sorted) = (sorted_below(up, plain), sorted_below(low, plain));
    let mirror_fdr = Some(low_sorted.len() as f64 / up_sorted.len() as f64);
    if up.len() < MIRROR_FROM {
        return Guarded { cut: Some(plain), mirror_fdr };
    }
    Guarded { cut: mirrored_cut(&up_sorted, &low_sorted, q), mirror_fdr }
}

/// The largest of `up` at or below which there are at most `q` times as many of `low`; both are sorted.
fn mirrored_cut(up: &[f64], low: &[f64], q: f64) -> Option<f64> {
    up.iter().rev().copied().find(|&at| count_to(low, at) as f64 <= q * count_to(up, at) as f64)
}

fn count_to(sorted: &[f64], at: f64) -> usize {
    sorted.partition_point(|&p| p <= at)
}

fn sorted_below(ln_p: &[f64], at: f64) -> Vec<f64> {
    let mut below: Vec<f64> = ln_p.iter().map(|p| p.min(0.0)).filter(|&p| p <= at).collect();
    below.sort_by(f64::total_cmp);
    below
}

/// Places of the p-values in ascending order.
fn ascending(ln_p: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..ln_p.len()).collect();
    order.sort_by(|&a, &b| ln_p[a].min(0.0).total_cmp(&ln_p[b].min(0.0)));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::anomaly::Draws;

    const P: [f64; 8] = [1e-6, 0.0004, 0.003, 0.01, 0.04, 0.2, 0.5, 0.9];
    const Q: [f64; 8] = [8e-6, 0.0016, 0.008, 0.02, 0.064, 0.8 / 3.0, 4.0 / 7.0, 0.9];

    fn logs(p: &[f64]) -> Vec<f64> {
        p.iter().map(|p| p.ln()).collect()
    }

    #[test]
    fn q_values_golden() {
        for (found, expected) in q_values(&logs(&P)).iter().zip(Q) {
            assert!((found.exp() / expected - 1.0).abs() < 1e-9, "{} {expected}", found.exp());
        }
    }

    #[test]
    fn q_values_follow_their_sources() {
        let turned: Vec<f64> = logs(&P).into_iter().rev().collect();
        let back: Vec<f64> = q_values(&turned).into_iter().rev().collect();
        assert_eq!(back, q_values(&logs(&P)));
    }

    #[test]
    fn the_extremes_are_defined() {
        assert!(q_values(&[]).is_empty());
        assert_eq!(q_values(&[-3.0]), [-3.0]);
        assert_eq!(q_values(&[0.0; 3]), [0.0; 3]);
        assert_eq!(q_values(&[f64::NAN, 0.0]), [0.0, 0.0]);
        let tiny = q_values(&[-5000.0, 0.0]);
        assert!((tiny[0] + 5000.0 - 2f64.ln()).abs() < 1e-9 && tiny[1] == 0.0);
        assert_eq!(cut(&[], 0.1), None);
        assert_eq!(cut(&[0.0; 9], 0.1), None);
        assert_eq!(cut(&[-4.0; 9], 0.1), Some(-4.0));
    }

    /// The cut-off and the q-values tell the same sources.
    #[test]
    fn the_cut_is_where_q_reaches_the_level() {
        let p = logs(&P);
        for q in [1e-7, 1e-5, 0.0016, 0.01, 0.05, 0.1, 0.3, 0.95] {
            let by_cut = p.iter().filter(|&&p| cut(&P.map(f64::ln), q).is_some_and(|at| p <= at)).count();
            let by_q = q_values(&p).iter().filter(|ln_q| ln_q.exp() <= q * (1.0 + 1e-9)).count();
            assert_eq!(by_cut, by_q, "{q}");
        }
    }

    /// Sources whose null tails are too light: p is the square of a uniform number on both sides.
    fn heavy(m: usize, frauds: usize) -> (Vec<f64>, Vec<f64>) {
        let mut draws = Draws::new(5);
        let mut side = || 2.0 * draws.unit().ln();
        let mut up: Vec<f64> = (0..m).map(|_| side()).collect();
        up[..frauds].fill(-30.0);
        let low = (0..m).map(|i| if i < frauds { 0.0 } else { side() }).collect();
        (up, low)
    }

    #[test]
    fn the_mirror_stops_heavy_tails_and_keeps_the_frauds() {
        let (up, low) = heavy(6000, 100);
        let plain = cut(&up, 0.1).expect("frauds");
        let guarded = guarded_cut(&up, &low, 0.1);
        assert!(guarded.mirror_fdr.expect("discoveries") > 0.3, "{guarded:?}");
        let at = guarded.cut.expect("frauds");
        let false_flags = |at: f64| up[100..].iter().filter(|&&p| p <= at).count();
        assert!(
            false_flags(at) <= 20 && false_flags(plain) > 60,
            "{} {}",
            false_flags(at),
            false_flags(plain)
        );
        assert!(at > -30.0);
    }

    #[test]
    fn few_sources_are_not_mirrored() {
        let (up, low) = heavy(MIRROR_FROM - 1, 100);
        assert_eq!(guarded_cut(&up, &low, 0.1).cut, cut(&up, 0.1));
        assert_eq!(guarded_cut(&[], &[], 0.1), Guarded { cut: None, mirror_fdr: None });
        assert_eq!(guarded_cut(&[0.0], &[0.0], 0.1), Guarded { cut: None, mirror_fdr: None });
    }

    #[test]
    fn a_full_mirror_leaves_no_discovery() {
        let same = vec![-20.0; MIRROR_FROM];
        assert_eq!(guarded_cut(&same, &same, 0.1), Guarded { cut: None, mirror_fdr: Some(1.0) });
    }
}
