//! One rate of one group: its usual level, and the evidence that it has left it.
//!
//! The level is discounted by the night, so that it follows a source that honestly changes. Three things keep a
//! cheat from teaching it his own rate step by step: it learns nothing while the evidence of a change is up or
//! the group is flagged, its odds move at most five per cent a night, and a night far off counts no more than that.
//! The evidence is a cumulative sum of log likelihood ratios (Page 1954) between the usual rate and one of twice
//! (or half) its odds, for beta-binomial counts, whose days differ by more than chance (statistics.md, 5.2). What is
//! usual is itself an estimate: the end of one standard error that favours the source stands for it. In 400 drawn
//! honest sources of 60 trials a night that takes those ever on watch in 47 nights from 9 in a hundred to .5, and a
//! fraud of a tenth of the conversions is on watch after four nights instead of three.

use crate::base::stats::ln_beta;
use serde::{Deserialize, Serialize};

/// What is left of a night's weight one night later; half is left after 23 nights (statistics.md, 5.2).
const DISCOUNT: f64 = 0.97;
/// The trials that the rate of all groups counts as, until a group has its own. Our choice: a night or less of
/// most sources.
const PRIOR_TRIALS: f64 = 20.0;
/// Nights with trials before the evidence of a change begins to be summed.
pub const LEARNING: u32 = 5;
/// The change that is looked for: odds of twice the usual, or of half (statistics.md, 5.2).
const ODDS_RATIO: f64 = 2.0;
/// From this much evidence on the level learns nothing (statistics.md, 5.2).
const FREEZE: f64 = 2.0;
/// A change that is true for so many nights in a group that nobody flagged is its new habit. Our choice: the
/// time after which a blocked source is looked at again.
const NEW_HABIT: u32 = 30;
/// The largest change of the odds in one night (ecosystem.md, 5.4).
const DRIFT: f64 = 1.05;
/// The evidence that puts a group on watch: ln 10,000 (statistics.md, 5.2).
const ALARM: f64 = 9.210_340_371_976_184;

/// `x` of `n`. Discounted, so no whole numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    pub x: f64,
    pub n: f64,
}

/// What is the same for all groups of a run, by signal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pooled {
    /// The rate of all groups that are not flagged.
    pub rate: f64,
    /// The variance of the logit from night to night beyond sampling.
    pub spread: f64,
    /// Nights that said something about it.
    #[serde(default)]
    pub nights: u32,
}

/// The usual rate of one group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Habit {
    /// Discounted counts of earlier nights.
    #[serde(flatten)]
    pub counts: Counts,
    /// Nights with any trial.
    pub nights: u32,
    /// The summed evidence that the rate has risen, and that it has fallen; never below 0.
    pub up: f64,
    pub down: f64,
    /// Nights in a row in which nothing was learnt.
    pub frozen: u32,
}

impl Habit {
    /// The usual rate, drawn towards that of all groups while little is known; strictly between 0 and 1.
    pub fn rate(&self, pooled: &Pooled) -> f64 {
        let prior = pooled.rate.clamp(1e-6, 1.0 - 1e-6);
        (self.counts.x + prior * PRIOR_TRIALS) / (self.counts.n + PRIOR_TRIALS)
    }

    /// The usual rate less and more one standard error of what is known of it.
    fn limits(&self, pooled: &Pooled) -> [f64; 2] {
        let usual = self.rate(pooled);
        let error = 1.0 / ((self.counts.n + PRIOR_TRIALS) * usual * (1.0 - usual)).sqrt();
        [-error, error].map(|by| {
            let moved = odds(usual) * by.exp();
            moved / (1.0 + moved)
        })
    }

    /// Whether the rate has risen (or fallen) beyond doubt.
    pub fn alarms(&self) -> (bool, bool) {
        (self.up >= ALARM, self.down >= ALARM)
    }

    /// The habit after a night; a flagged group teaches nothing. A night without trials changes nothing at all.
    pub fn after(&self, news: Counts, pooled: &Pooled, flagged: bool) -> Habit {
        if news.n < 1.0 {
            return *self;
        }
        let mut next = *self;
        if self.nights >= LEARNING {
            let [low, high] = self.limits(pooled);
            next.up = (self.up + evidence(news, high, ODDS_RATIO, pooled.spread)).max(0.0);
            next.down = (self.down + evidence(news, low, 1.0 / ODDS_RATIO, pooled.spread)).max(0.0);
        }
        let moved = next.up.max(next.down) >= FREEZE;
        if flagged || (moved && self.frozen < NEW_HABIT) {
            next.frozen += 1;
            return next;
        }
        if moved {
            return Habit { counts: news, nights: 1, ..Habit::default() };
        }
        next.frozen = 0;
        next.nights += 1;
        next.counts = self.taught(news, pooled);
        next
    }

    /// The discounted counts with tonight's, the rate held within the drift once it is known.
    fn taught(&self, news: Counts, pooled: &Pooled) -> Counts {
        let counts = Counts { x: DISCOUNT * self.counts.x + news.x, n: DISCOUNT * self.counts.n + news.n };
        if self.nights < LEARNING {
            return counts;
        }
        let usual = odds(self.rate(pooled));
        let taught = odds(Habit { counts, ..*self }.rate(pooled));
        let held = taught.clamp(usual / DRIFT, usual * DRIFT);
        if held == taught {
            return counts;
        }
        let share = held / (1.0 + held);
        let x = share * (counts.n + PRIOR_TRIALS) - pooled.rate.clamp(1e-6, 1.0 - 1e-6) * PRIOR_TRIALS;
        Counts { x: x.clamp(0.0, counts.n), ..counts }
    }
}

fn odds(p: f64) -> f64 {
    p / (1.0 - p)
}

/// How much likelier (logarithm) the counts are if the odds were `ratio` times the usual.
fn evidence(news: Counts, usual: f64, ratio: f64, spread: f64) -> f64 {
    let changed = ratio * usual / (1.0 - usual + ratio * usual);
    // The variance of the rate is that of the logit times (p (1 − p))²; of a beta it is p (1 − p) / (trials + 1).
    let trials = (1.0 / (spread * usual * (1.0 - usual)).max(1e-9) - 1.0).clamp(2.0, 1e9);
    ln_beta_binomial(news, changed, trials) - ln_beta_binomial(news, usual, trials)
}

/// The likelihood of counts whose rate is a beta deviate of mean `p`, without the part that is the same for all.
fn ln_beta_binomial(news: Counts, p: f64, trials: f64) -> f64 {
    // Where everything or nothing is usual, rounding would leave no room for the other.
    let p = p.clamp(1e-9, 1.0 - 1e-9);
    let (a, b) = (p * trials, (1.0 - p) * trials);
    ln_beta(news.x + a, (news.n - news.x).max(0.0) + b) - ln_beta(a, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POOLED: Pooled = Pooled { rate: 0.05, spread: 0.04, nights: 0 };

    fn counts(x: f64, n: f64) -> Counts {
        Counts { x, n }
    }

    /// A habit after nights of the same counts.
    fn settled(x: f64, n: f64, nights: usize) -> Habit {
        (0..nights).fold(Habit::default(), |habit, _| habit.after(counts(x, n), &POOLED, false))
    }

    #[test]
    fn evidence_golden() {
        // By mpmath: trials 1 / (.04 × .05 × .95) − 1 = 525.3158, changed rate .0952381.
        let found = evidence(counts(12.0, 100.0), 0.05, 2.0, 0.04);
        assert!((found - 2.800_229_8).abs() < 1e-6, "{found}");
        let found = evidence(counts(5.0, 100.0), 0.05, 2.0, 0.04);
        assert!((found + 1.183_028_6).abs() < 1e-6, "{found}");
    }

    #[test]
    fn all_and_nothing_are_rates_too() {
        for x in [0.0, 100.0] {
            let pooled = Pooled { rate: x / 100.0, spread: 0.04, nights: 9 };
            let settled =
                (0..60).fold(Habit::default(), |habit, _| habit.after(counts(x, 100.0), &pooled, false));
            assert_eq!(settled.alarms(), (false, false));
            let other = settled.after(counts(100.0 - x, 100.0), &pooled, false);
            assert!(other.up.is_finite() && other.down.is_finite(), "{other:?}");
        }
    }

    #[test]
    fn a_steady_rate_raises_no_alarm_and_is_learnt() {
        let habit = settled(5.0, 100.0, 60);
        assert!((habit.rate(&POOLED) - 0.05).abs() < 1e-9 && habit.alarms() == (false, false));
        let own = settled(20.0, 100.0, 60);
        assert!((own.rate(&POOLED) - 0.2).abs() < 0.01, "{}", own.rate(&POOLED));
    }

    #[test]
    fn a_jump_alarms_within_days_and_teaches_nothing() {
        let mut habit = settled(5.0, 100.0, 30);
        let (before, mut nights) = (habit.counts, 0);
        while !habit.alarms().0 {
            habit = habit.after(counts(20.0, 100.0), &POOLED, false);
            nights += 1;
        }
        assert!(nights <= 3, "{nights}");
        assert_eq!(habit.counts, before);
    }

    #[test]
    fn a_fall_alarms_on_its_own_side() {
        let habit = settled(20.0, 100.0, 30);
        let fallen = (0..4).fold(habit, |habit, _| habit.after(counts(3.0, 100.0), &POOLED, false));
        assert_eq!(fallen.alarms(), (false, true));
    }

    #[test]
    fn a_slow_ramp_is_seen_before_it_is_a_habit() {
        let mut habit = settled(3.0, 100.0, 30);
        let seen = (1..=30).find(|night| {
            let share = 0.03 + 0.01 * f64::from(*night);
            habit = habit.after(counts(100.0 * share, 100.0), &POOLED, false);
            habit.alarms().0
        });
        assert!(seen.is_some_and(|night| night <= 15), "{seen:?}");
    }

    #[test]
    fn one_night_moves_the_odds_by_five_per_cent_at_most() {
        let habit = settled(5.0, 100.0, 30);
        for news in [counts(100.0, 100.0), counts(0.0, 100.0), counts(9.0, 1_000.0)] {
            let taught = Habit { counts: habit.taught(news, &POOLED), ..habit };
            let ratio = odds(taught.rate(&POOLED)) / odds(habit.rate(&POOLED));
            assert!((1.0 / 1.05 - 1e-9..=1.05 + 1e-9).contains(&ratio), "{ratio}");
        }
    }

    #[test]
    fn a_flagged_group_and_a_night_without_trials_teach_nothing() {
        let habit = settled(5.0, 100.0, 10);
        assert_eq!(habit.after(counts(5.0, 100.0), &POOLED, true).counts, habit.counts);
        assert_eq!(habit.after(counts(0.0, 0.0), &POOLED, false), habit);
    }

    #[test]
    fn what_lasts_and_is_not_flagged_becomes_the_habit() {
        let mut habit = settled(5.0, 100.0, 30);
        for _ in 0..120 {
            habit = habit.after(counts(20.0, 100.0), &POOLED, false);
        }
        assert!(habit.rate(&POOLED) > 0.18 && habit.alarms() == (false, false), "{habit:?}");
    }
}
