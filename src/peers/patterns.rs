//! Known ways to cheat: which abnormal signals make up which (statistics.md, 4.7).
//!
//! A pattern asks for all of its signs at once (intersection-union test: its p is the largest of theirs), and
//! takes the smallest p where one of several signs will do.

use super::profile::both;
use super::standing::{Direction, Pattern, Standing, Standings};
use crate::signals;
use Direction::{High, Low};

/// The ln p up to which a pattern fits: 0.01. That the group differs at all is for its combined p to say.
const FITS: f64 = -4.605_170_185_988_091;

/// The patterns that fit, the most certain first.
pub fn found(signals: &Standings) -> Vec<(Pattern, f64)> {
    let signs = Signs(signals);
    let mut found: Vec<(Pattern, f64)> = super::standing::PATTERNS
        .iter()
        .filter_map(|(pattern, ..)| Some((*pattern, signs.of(*pattern)?)))
        .filter(|(_, ln_p)| *ln_p <= FITS)
        .collect();
    found.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
    found
}

/// A signal and the side on which it is a sign.
type Sign = (&'static str, Direction);

const LATE: &[Sign] = &[("ctit_long_share", High), ("ctit_hour_share", High)];
const CONVERTS_LITTLE: &[Sign] = &[("cr", Low)];
const FAST: &[Sign] = &[("ctit_short_share", High)];
const CONSTANT_DELAY: &[Sign] = &[("ctit_modal_share", High)];
const FIXED_TIMER: &[Sign] = &[("gap_modal_share", High)];
const NOT_HUMAN: &[Sign] = &[("ctit_log_sd", Low), ("approval_share", Low)];
const DUPLICATES: &[Sign] = &[
    ("repeated_transaction_share", High),
    ("multi_conversion_click_share", High),
    ("orphan_share", High),
    ("foreign_id_share", High),
    ("id_step_share", High),
    ("before_click_share", High),
];
const CONCENTRATED: &[Sign] =
    &[("ip_hhi", High), ("network_hhi", High), ("distinct_ip_share", Low), ("repeat_60s_share", High)];
const ROBOTIC: &[Sign] = &[("hour_r", Low), ("night_click_share", High), ("gap_cv", Low), ("fano_5m", Low)];
const WORTHLESS: &[Sign] =
    &[("idle_crowd_p", Low), ("cr", Low), ("approval_share", Low), ("lander_click_share", Low)];
const CHEAP_DEPOSITS: &[Sign] = &[("min_deposit_share", High), ("amount_modal_share", High), ("cr", High)];
const NEVER_AGAIN: &[Sign] = &[("second_deposit_share", Low), ("approval_share", Low)];
const ON_TOP: &[Sign] = &[("neighbour_click_share", High), ("ctit_long_share", High)];

/// Signs of one pattern that have nothing to do with each other in honest traffic: weak ones together are
/// strong evidence (Fisher's method). Every leg is a choice of signs.
const JOINT: [&[&[Sign]]; 3] = [
    &[LATE, CONVERTS_LITTLE],
    &[
        &[("ip_hhi", High), ("network_hhi", High)],
        &[("agent_hhi", High)],
        &[("idle_crowd_p", Low)],
        &[("lander_click_share", Low)],
        ROBOTIC,
    ],
    &[
        &[("min_deposit_share", High)],
        &[("second_deposit_share", Low)],
        &[("registration_deposit_share", High)],
    ],
];

/// The ln p that one leg is worth at most: one sign beside an ordinary one, however strong, puts nobody further than
/// on watch. A carrier's addresses are concentrated beyond all measure, and convert like everybody's. Asking two signs
/// below .05 instead costs .013 of average precision on the reference mix: what is planted there shows in one sign.
const LEAST_LEG: f64 = -8.1;

/// Whether a side of a signal is one of the weak signs.
pub fn is_joint(name: &str, side: Direction) -> bool {
    JOINT.iter().flat_map(|legs| legs.iter()).any(|leg| leg.contains(&(name, side)))
}

/// ln p of the weak signs of patterns put together, by the signals' one-sided ln p.
pub fn joint(ln_p: &dyn Fn(&str, Direction) -> Option<f64>) -> Vec<f64> {
    let leg = |choice: &&[Sign]| {
        let found: Vec<f64> = choice.iter().filter_map(|(name, side)| ln_p(name, *side)).collect();
        let least = found.iter().copied().min_by(f64::total_cmp)?;
        Some((least + (found.len() as f64).ln()).clamp(LEAST_LEG, 0.0))
    };
    let together = |legs: &&[&[Sign]]| {
        let known: Vec<f64> = legs.iter().filter_map(leg).collect();
        (known.len() > 1).then(|| fisher(&known))
    };
    JOINT.iter().filter_map(together).collect()
}

/// Fisher's method for independent p-values: −2 Σ ln p is χ² with 2k degrees of freedom, whose tail is a sum of
/// k terms.
fn fisher(ln_p: &[f64]) -> f64 {
    let half: f64 = -ln_p.iter().sum::<f64>();
    let terms = (1..ln_p.len()).scan(1.0, |term, i| {
        *term *= half / i as f64;
        Some(*term)
    });
    (-half + (1.0 + terms.sum::<f64>()).ln()).min(0.0)
}

struct Signs<'a>(&'a Standings);

impl Signs<'_> {
    fn of(&self, pattern: Pattern) -> Option<f64> {
        match pattern {
            Pattern::Injection => self.any(FAST),
            Pattern::Flooding => both(self.any(LATE), self.any(CONVERTS_LITTLE)),
            Pattern::Scripted => {
                let timed = both(self.any(FIXED_TIMER), self.any(NOT_HUMAN));
                least([self.any(CONSTANT_DELAY), timed])
            }
            Pattern::Replay => self.any(DUPLICATES),
            Pattern::IpFarm => both(self.any(CONCENTRATED), self.any(WORTHLESS)),
            Pattern::Incentive => both(self.any(CHEAP_DEPOSITS), self.any(NEVER_AGAIN)),
            Pattern::Stuffing => both(self.any(ON_TOP), self.any(CONVERTS_LITTLE)),
        }
    }

    fn any(&self, signs: &[Sign]) -> Option<f64> {
        least(signs.iter().map(|sign| self.ln_p(*sign)))
    }

    /// ln p of a sign, where the effect is large.
    fn ln_p(&self, (name, direction): Sign) -> Option<f64> {
        match self.0.get(signals::find(name)?)? {
            Standing::Compared(versus) if versus.direction != direction || versus.large => {
                versus.ln_p(direction)
            }
            _ => None,
        }
    }
}

fn least(ln_p: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    ln_p.into_iter().flatten().min_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fisher_golden() {
        // statistics.md, 4.7: p = .0004, .03, .2, .8.
        let p: Vec<f64> = [0.0004f64, 0.03, 0.2, 0.8].iter().map(|p| p.ln()).collect();
        assert!((fisher(&p).exp() - 0.000_923_38).abs() < 1e-7);
        assert!((fisher(&[0.25f64.ln()]).exp() - 0.25).abs() < 1e-12);
    }

    /// ln p of the pattern of late and few conversions, the only one of which anything is known.
    fn late_and_few(late: f64, few: f64) -> f64 {
        let told = |name: &str, side: Direction| match (name, side) {
            ("ctit_long_share", High) => Some(late),
            ("cr", Low) => Some(few),
            _ => None,
        };
        joint(&told)[0]
    }

    /// However strong: as a discovery among hundreds of groups it would have to be a hundred times less likely.
    #[test]
    fn one_sign_beside_an_ordinary_one_goes_so_far() {
        for strong in [-8.1, -40.0, -700.0] {
            let alone = late_and_few(strong, -0.7);
            assert!((alone.exp() - 0.0015).abs() < 5e-5 && alone == late_and_few(-0.7, strong), "{alone}");
        }
        assert_eq!(late_and_few(-3.0, -3.0), fisher(&[-3.0, -3.0]));
    }

    #[test]
    fn every_sign_is_a_signal_that_is_compared() {
        let lists = [
            LATE,
            CONVERTS_LITTLE,
            FAST,
            CONSTANT_DELAY,
            FIXED_TIMER,
            NOT_HUMAN,
            DUPLICATES,
            CONCENTRATED,
            ROBOTIC,
            WORTHLESS,
            CHEAP_DEPOSITS,
            NEVER_AGAIN,
            ON_TOP,
        ];
        let joint = JOINT.into_iter().flatten().copied();
        for (name, _) in lists.into_iter().chain(joint).flatten() {
            let signal = signals::find(name).unwrap_or_else(|| panic!("{name} is no signal"));
            assert_ne!(signal.against, signals::Against::Nothing, "{name}");
        }
    }
}
