//! One night for all groups: what is new is held against every group's habits, and becomes part of them.

use super::habit::{Counts, Habit, LEARNING, Pooled};
use super::volume::{Beside, Volume, extra_variation};
use crate::base::stats::{Residual, paule_mandel};
use crate::signals::{self, Against, Signal, Suspicious};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The variance of the logit from night to night before it is known: a standard deviation of .2, as in the
/// simulation of statistics.md, 5.4.
const FIRST_SPREAD: f64 = 0.04;
/// The size of the negative binomial before it is known: a coefficient of variation of a third.
const FIRST_SIZE: f64 = 9.0;
/// The weight of tonight in what is pooled over all groups.
const WEIGHT: f64 = 0.1;
/// Groups that can say something about the spread, at least. Our choice, as for peers.
const INFORMATIVE: usize = 10;
/// Where squared distances are cut (statistics.md, 4.3).
const WINSOR: f64 = 2.0;
/// The range in which a spread is believed: standard deviations of .05 to .7.
const SPREADS: (f64, f64) = (0.0025, 0.5);

/// What is the same for all groups.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// By signal.
    pub rates: BTreeMap<String, Pooled>,
    /// Size of the negative binomial of volumes; 0 before the first night.
    pub size: f64,
}

/// The habits of one group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Learnt {
    /// By signal.
    pub rates: BTreeMap<String, Habit>,
    pub volume: Volume,
}

/// What is new about one group tonight.
#[derive(Clone, Debug, Default)]
pub struct News {
    pub clicks: u64,
    /// By signal; signals of which nothing is new are not there.
    pub rates: BTreeMap<&'static str, Counts>,
}

/// A habit that a group has left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Alarm {
    Rate { signal: &'static Signal, rose: bool, usual: f64, tonight: f64 },
    Burst { ratio: f64 },
    Gone { usual: f64 },
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Alarm::Rate { signal, rose, usual, tonight } => {
                let word = if *rose { "above" } else { "below" };
                let (tonight, usual) = (signal.unit.format(*tonight), signal.unit.format(*usual));
                write!(f, "{} has gone {word} its own past: {tonight} tonight, usually {usual}", signal.name)
            }
            Alarm::Burst { ratio } => write!(f, "{ratio:.1} times its usual clicks"),
            Alarm::Gone { usual } => write!(f, "no clicks where {usual:.0} are usual"),
        }
    }
}

/// One group in the night: its habits so far, what is new, and whether it is flagged.
pub struct Tonight<'a> {
    pub before: Option<&'a Learnt>,
    pub news: &'a News,
    pub flagged: bool,
}

/// The signals that are watched: rates that peers are asked about and that can be suspicious.
pub fn watched() -> impl Iterator<Item = &'static Signal> {
    signals::all()
        .iter()
        .copied()
        .filter(|s| s.against == Against::Rate && s.suspicious != Suspicious::Neither)
}

/// Holds the news of all groups against their habits, and learns from them.
pub fn learn(pool: &Pool, groups: &[Tonight]) -> (Pool, Vec<(Learnt, Vec<Alarm>)>) {
    let total = groups.iter().map(|g| g.news.clicks).sum();
    let pooled: BTreeMap<String, Pooled> =
        watched().filter_map(|s| Some((s.name.to_owned(), pooled(s, pool, groups)?))).collect();
    let size = size(pool, groups, total);
    let learnt = groups.iter().map(|group| night(group, &pooled, total, size)).collect();
    (Pool { rates: pooled, size }, learnt)
}

fn night(group: &Tonight, pooled: &BTreeMap<String, Pooled>, total: u64, size: f64) -> (Learnt, Vec<Alarm>) {
    let mut learnt = group.before.cloned().unwrap_or_default();
    let mut alarms = Vec::new();
    for signal in watched() {
        let (Some(pooled), Some(&news)) = (pooled.get(signal.name), group.news.rates.get(signal.name)) else {
            continue;
        };
        let habit = learnt.rates.entry(signal.name.to_owned()).or_default();
        let usual = habit.rate(pooled);
        *habit = habit.after(news, pooled, group.flagged);
        alarms.extend(alarm(signal, habit, usual, news));
    }
    match learnt.volume.beside(group.news.clicks, total, size) {
        Beside::Burst(ratio) => alarms.push(Alarm::Burst { ratio }),
        Beside::Gone(usual) => alarms.push(Alarm::Gone { usual }),
        Beside::Usual => {}
    }
    learnt.volume = learnt.volume.after(group.news.clicks, total, size);
    (learnt, alarms)
}

/// The alarm on a side that is suspicious.
fn alarm(signal: &'static Signal, habit: &Habit, usual: f64, news: Counts) -> Option<Alarm> {
    let (rose, fell) = habit.alarms();
    let rose = rose && signal.suspicious != Suspicious::Low;
    let fell = fell && signal.suspicious != Suspicious::High;
    let tonight = news.x / news.n;
    (rose || fell).then_some(Alarm::Rate { signal, rose, usual, tonight })
}

/// The rate of all groups, and how much single groups differ from their own from night to night.
fn pooled(signal: &'static Signal, pool: &Pool, groups: &[Tonight]) -> Option<Pooled> {
    let before = pool.rates.get(signal.name);
    let honest = groups.iter().filter(|g| !g.flagged);
    let sides: Vec<(Option<&Habit>, Counts)> = honest
        .filter_map(|g| {
            Some((g.before.and_then(|b| b.rates.get(signal.name)), *g.news.rates.get(signal.name)?))
        })
        .collect();
    let (x, n) = sides.iter().fold((0.0, 0.0), |sum, (habit, news)| {
        let known = habit.map_or(Counts::default(), |h| h.counts);
        (sum.0 + known.x + news.x, sum.1 + known.n + news.n)
    });
    if n < 1.0 {
        return before.copied();
    }
    let rate = x / n;
    let first = Pooled { rate, spread: FIRST_SPREAD, nights: 0 };
    let so_far = before.map_or(first, |before| Pooled { rate, ..*before });
    let residuals: Vec<Residual> =
        sides.iter().filter_map(|(habit, news)| residual((*habit)?, *news, &so_far)).collect();
    if residuals.len() < INFORMATIVE {
        return Some(so_far);
    }
    let found = paule_mandel(&residuals, WINSOR).clamp(SPREADS.0, SPREADS.1);
    // The first nights count alike.
    let weight = WEIGHT.max(1.0 / f64::from(so_far.nights + 1));
    let spread = so_far.spread + weight * (found - so_far.spread);
    Some(Pooled { rate, spread, nights: so_far.nights + 1 })
}

/// How far a night is from a settled habit, on the scale of logits; `None` where too few events are usual.
fn residual(habit: &Habit, news: Counts, pooled: &Pooled) -> Option<Residual> {
    let usual = habit.rate(pooled);
    let each = usual * (1.0 - usual);
    let informs = habit.nights >= LEARNING && news.n * each >= 3.0;
    informs.then(|| Residual {
        // To first order; the logit of no event at all would be infinite.
        square: ((news.x / news.n - usual) / each).powi(2),
        variance: 1.0 / (news.n * each) + 1.0 / ((habit.counts.n + 1.0) * each),
        weight: 1.0,
    })
}

/// The size of the negative binomial that the volumes of all groups follow.
fn size(pool: &Pool, groups: &[Tonight], total: u64) -> f64 {
    let before = if pool.size > 0.0 { pool.size } else { FIRST_SIZE };
    let shown = |g: &Tonight| extra_variation(&g.before?.volume, g.news.clicks, total);
    let found: Vec<f64> = groups.iter().filter_map(shown).collect();
    if found.len() < INFORMATIVE {
        return before;
    }
    let mean = found.iter().sum::<f64>() / found.len() as f64;
    let inverse = 1.0 / before + WEIGHT * (mean.max(0.0) - 1.0 / before);
    (1.0 / inverse.max(1e-3)).clamp(0.5, 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::draws::Draws;

    const SIGNAL: &str = "ctit_short_share";

    fn news(x: u64, n: u64, clicks: u64) -> News {
        let counts = Counts { x: x as f64, n: n as f64 };
        News { clicks, rates: BTreeMap::from([(SIGNAL, counts)]) }
    }

    /// Nights of sources with rates of their own that sway by `sway` on the logit scale; who alarms on which night.
    fn run(
        seed: u64,
        sources: usize,
        nights: usize,
        sway: f64,
        jump: Option<(usize, f64)>,
    ) -> Vec<(usize, usize)> {
        let mut draws = Draws(seed);
        let rates: Vec<f64> = (0..sources).map(|_| -3.0 + 0.5 * draws.normal()).collect();
        let (mut pool, mut habits) = (Pool::default(), vec![None; sources]);
        let mut alarmed = Vec::new();
        for night in 0..nights {
            let draw = |source: usize, draws: &mut Draws| {
                let logit = rates[source] + sway * draws.normal();
                let fraud =
                    jump.map_or(0.0, |(from, share)| if source == 0 && night >= from { share } else { 0.0 });
                let p = fraud + (1.0 - fraud) / (1.0 + (-logit).exp());
                news((0..60).filter(|_| draws.unit() < p).count() as u64, 60, 600)
            };
            let heard: Vec<News> = (0..sources).map(|source| draw(source, &mut draws)).collect();
            let tonight: Vec<Tonight> = habits
                .iter()
                .zip(&heard)
                .map(|(before, news)| Tonight { before: Option::as_ref(before), news, flagged: false })
                .collect();
            let (next, learnt) = learn(&pool, &tonight);
            for (source, (_, alarms)) in learnt.iter().enumerate() {
                alarmed.extend(alarms.first().map(|_| (source, night)));
            }
            habits = learnt.into_iter().map(|(learnt, _)| Some(learnt)).collect();
            pool = next;
        }
        alarmed
    }

    /// statistics.md 5.4: at this threshold the cumulative sum puts 2.3 % of honest sources on watch in 47 nights.
    #[test]
    fn honest_sources_that_sway_are_rarely_on_watch() {
        let mut ever: Vec<usize> = run(1, 300, 47, 0.2, None).into_iter().map(|(source, _)| source).collect();
        ever.sort_unstable();
        ever.dedup();
        assert!(ever.len() <= 6, "{} of 300", ever.len());
    }

    #[test]
    fn how_much_nights_differ_is_found_from_all_groups() {
        let mut ever: Vec<usize> = run(2, 200, 47, 0.5, None).into_iter().map(|(source, _)| source).collect();
        ever.dedup();
        ever.sort_unstable();
        ever.dedup();
        assert!(ever.len() <= 12, "{} of 200", ever.len());
    }

    #[test]
    fn a_fraud_that_starts_is_on_watch_within_a_week() {
        let seen = run(3, 60, 30, 0.2, Some((15, 0.2)));
        let first = seen.iter().find(|(source, night)| *source == 0 && *night >= 15).map(|(_, night)| *night);
        assert!(first.is_some_and(|night| night <= 21), "{first:?}");
    }

    #[test]
    fn alarms_say_what_changed() {
        let signal = crate::signals::find(SIGNAL).expect("declared");
        let alarm = Alarm::Rate { signal, rose: true, usual: 0.031, tonight: 0.22 };
        assert_eq!(
            alarm.to_string(),
            "ctit_short_share has gone above its own past: 22.0% tonight, usually 3.1%"
        );
        assert_eq!(Alarm::Burst { ratio: 4.04 }.to_string(), "4.0 times its usual clicks");
        assert_eq!(Alarm::Gone { usual: 120.4 }.to_string(), "no clicks where 120 are usual");
    }

    #[test]
    fn a_group_of_which_nothing_is_new_keeps_its_habits() {
        let before =
            Learnt { rates: BTreeMap::from([(SIGNAL.to_owned(), Habit::default())]), ..Learnt::default() };
        let nothing = News::default();
        let (_, learnt) =
            learn(&Pool::default(), &[Tonight { before: Some(&before), news: &nothing, flagged: false }]);
        assert_eq!(learnt[0].0.rates, before.rates);
    }
}
