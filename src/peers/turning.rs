//! How a rate would stand among its peers if it had another value: the comparison turned round.
//!
//! What a comparison keeps of its test is what it found, not what was expected with which spread. Both follow from it:
//! the spread is the one that makes the value so many standard deviations what it was found to be, and the price of
//! all looks is the whole number that makes its p-value the q-value that it got. Refuses to turn round what is no rate
//! of one peer group: a group of several offers, a scan for peaks, a test of a group by itself.

use super::combine::decibans;
use super::profile::{self, direction};
use super::rate::{Null, tails};
use super::standing::{Direction, Sides, Standing, TooFew, Versus};
use crate::signals::{Against, CONFIDENCE, Estimate, Interval, Signal, Suspicious};

/// How many times the peers' odds make a difference that matters (statistics.md, 4.3 (iii)).
const LARGE: f64 = 1.5;

/// More looks than any group has: signals of a family times families times strata.
const MOST_LOOKS: u32 = 5_000;

/// What two ways to the same ln p differ by at most: a value that is turned round must not change its rank.
const ROUNDING: f64 = 1e-7;

/// The widest spread of honest sources that is looked for, on the logit scale.
const WIDEST: f64 = 8.0;

/// A comparison that can be asked about other values.
pub struct Turning<'r> {
    signal: &'static Signal,
    found: Versus,
    null: Null,
    /// The looks that were taken before this one.
    looks: f64,
    /// ln p of all groups, the least first.
    ranked: &'r [f64],
}

impl<'r> Turning<'r> {
    /// Turns round how `signal` of a group stands; `ranked` are ln p of all compared groups, the least first. `None`
    /// where the comparison is not of this value alone.
    pub fn of(
        signal: &'static Signal,
        from: &Estimate,
        standing: &Standing,
        ranked: &'r [f64],
    ) -> Option<Turning<'r>> {
        let (Standing::Compared(found), Interval::Share { x }) = (standing, from.interval) else {
            return None;
        };
        let usual = odds(found.expected);
        let same = (odds(from.value()) / usual / found.ratio - 1.0).abs() < 1e-6;
        if signal.against != Against::Rate || found.peers == 0 || !same {
            return None;
        }
        let null = null(x, from.n, usual.ln(), found.z);
        let looks = looks(shown(signal, found.sides)?, found.q, ranked)?;
        Some(Turning { signal, found: found.clone(), null, looks, ranked })
    }

    /// How the signal would stand with this value.
    pub fn at(&self, to: &Estimate) -> Standing {
        let Interval::Share { x } = to.interval else { return Standing::TooFew(TooFew::Absent) };
        let tails = tails(x.min(to.n), to.n, &self.null);
        let sides = Sides::new(tails.high, tails.low);
        let Some(p) = shown(self.signal, sides) else { return Standing::TooFew(TooFew::Sample) };
        let side = direction(tails.high, tails.low);
        let (usual, (low, high)) = (odds(self.found.expected), to.at(CONFIDENCE));
        let limit = match side {
            Direction::High => odds(low) / usual,
            Direction::Low => odds(high) / usual,
        };
        Standing::Compared(Versus {
            ratio: odds(to.value()) / usual,
            ratio_limit: limit,
            z: tails.z,
            direction: side,
            sides,
            q: q_at(p + self.looks.ln(), self.ranked),
            large: if side == Direction::High { limit >= LARGE } else { limit <= 1.0 / LARGE },
            decibans: decibans(p),
            ..self.found.clone()
        })
    }
}

/// What was expected: at the location `eta` the spread at which `x` of `n` lies `z` standard deviations off.
fn null(x: u64, n: u64, eta: f64, z: f64) -> Null {
    let of = |spread: f64| Null { eta, above: spread, below: spread };
    // The wider the spread, the nearer the value.
    let (mut narrow, mut wide) = (0.0, WIDEST);
    for _ in 0..50 {
        let middle = f64::midpoint(narrow, wide);
        if tails(x, n, &of(middle)).z.abs() > z.abs() { narrow = middle } else { wide = middle }
    }
    of(f64::midpoint(narrow, wide))
}

/// How many looks make this ln p that q; `None` where none do, or where q is 0 or 1 and says nothing of them.
fn looks(ln_p: f64, q: f64, ranked: &[f64]) -> Option<f64> {
    if q <= 0.0 || q >= 1.0 {
        return None;
    }
    let fits = |looks: &f64| (q_at(ln_p + looks.ln(), ranked) / q - 1.0).abs() < 1e-6;
    (1..=MOST_LOOKS).map(f64::from).find(fits)
}

/// The q-value with this ln p. What is turned round keeps its rank beside those that were ranked with it.
fn q_at(ln_p: f64, ranked: &[f64]) -> f64 {
    profile::q_at((ln_p + ROUNDING).min(0.0), ranked)
}

/// ln p of the side that accuses, or of the less likely one where either may, or none does.
fn shown(signal: &Signal, sides: Sides) -> Option<f64> {
    let either = || Some((sides.least()? + std::f64::consts::LN_2).min(0.0));
    let asked = match signal.suspicious {
        Suspicious::High => sides.of(Direction::High),
        Suspicious::Low => sides.of(Direction::Low),
        Suspicious::Either => either(),
        Suspicious::Neither => None,
    };
    asked.or_else(|| sides.least())
}

/// Odds of a share, within what a float can hold.
fn odds(share: f64) -> f64 {
    let p = share.clamp(1e-12, 1.0 - 1e-12);
    p / (1.0 - p)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measures::{GrainMeasures, M, Totals};
    use crate::peers::anomaly::Draws;
    use crate::peers::tests::of_one_offer;
    use crate::peers::{Profile, Settings, profiles};
    use crate::signals::{self, Context};
    use std::sync::Arc;

    const N: i64 = 200;

    fn context() -> Context {
        Context { clicks_given: true, conversions_given: true, joined: true, ..Context::default() }
    }

    /// Sixty sources of one offer with `N` conversions each, of which some 4 % are fast; of the first one `x` are.
    fn sources(x: i64) -> GrainMeasures {
        let signal = signals::find("ctit_short_share").expect("declared");
        let mut draws = Draws::new(11);
        let mut totals = |at: usize| {
            let fast = if at == 0 { x } else { 2 + (12.0 * draws.unit()) as i64 };
            let counts: [(M, i64); 2] = [(signal.measures[0], fast), (signal.measures[1], N)];
            Arc::new(Totals::counted(&counts, &[]))
        };
        of_one_offer((0..60).map(&mut totals).collect())
    }

    /// What is found of all sources if the first has `x` fast conversions, and ln p of all, the least first.
    fn compared(x: i64) -> (Vec<Profile>, Vec<f64>) {
        let settings = Settings { fdr: 0.1, trusted: Vec::new(), without: Vec::new(), threads: 1 };
        let found = profiles(&sources(x), &context(), &settings).profiles;
        let mut ranked: Vec<f64> = found.iter().filter_map(|p| p.ln_p).collect();
        ranked.sort_by(f64::total_cmp);
        (found, ranked)
    }

    fn first(x: i64) -> Versus {
        let signal = signals::find("ctit_short_share").expect("declared");
        match compared(x).0[0].standing(signal) {
            Standing::Compared(versus) => versus.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_value_itself_stands_where_it_stood() {
        let signal = signals::find("ctit_short_share").expect("declared");
        let mut turned = 0;
        for x in [15, 30, 60, 120] {
            let (profiles, ranked) = compared(x);
            let from = Estimate::share(x as u64, N as u64);
            let standing = profiles[0].standing(signal);
            let Some(turning) = Turning::of(signal, &from, standing, &ranked) else { continue };
            let (Standing::Compared(now), Standing::Compared(then)) = (standing, turning.at(&from)) else {
                panic!("{x}: it is compared")
            };
            assert!((now.z - then.z).abs() < 0.02, "{x}: {} {}", now.z, then.z);
            assert!((now.q / then.q).ln().abs() < 0.05, "{x}: {} {}", now.q, then.q);
            assert_eq!((now.large, now.direction), (then.large, then.direction), "{x}");
            assert!((now.ratio_limit / then.ratio_limit - 1.0).abs() < 1e-9, "{x}");
            turned += 1;
        }
        assert!(turned >= 3, "{turned} comparisons were turned round");
    }

    /// The comparison is made anew on either side of the value that was found; the spread of all is then a little
    /// smaller, because the source is no longer so far from the others.
    #[test]
    fn a_comparison_made_anew_agrees() {
        let signal = signals::find("ctit_short_share").expect("declared");
        let (profiles, ranked) = compared(90);
        let from = Estimate::share(90, N as u64);
        let turning = Turning::of(signal, &from, profiles[0].standing(signal), &ranked).expect("one offer");
        let holds = |standing: Standing| matches!(standing, Standing::Compared(v) if v.q <= 0.1 && v.large);
        let most = (0..90).rev().find(|&x| !holds(turning.at(&Estimate::share(x, N as u64))));
        let most = most.expect("an ordinary value") as i64;
        assert!((8..60).contains(&most), "{most}");
        let made_anew = |x: i64| holds(Standing::Compared(first(x)));
        assert!(made_anew(most + 8) && !made_anew(most - 6), "{most}");
    }

    #[test]
    fn what_is_no_rate_of_one_group_is_not_turned_round() {
        let signal = signals::find("ctit_short_share").expect("declared");
        let (profiles, ranked) = compared(90);
        let standing = profiles[0].standing(signal);
        let of = |signal, from: Estimate, standing: &Standing| {
            Turning::of(signal, &from, standing, &ranked).is_some()
        };
        let from = Estimate::share(90, N as u64);
        assert!(of(signal, from, standing));
        // The value of several offers together is not the one that was compared.
        assert!(!of(signal, Estimate::share(90, 400), standing));
        assert!(!of(signals::find("ctit_modal_share").expect("declared"), from, standing));
        assert!(!of(signal, from, &Standing::TooFew(TooFew::Peers)));
        assert!(!of(signal, Estimate::exact(0.45, 200), standing));
    }
}
