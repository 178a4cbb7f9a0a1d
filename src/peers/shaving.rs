//! Since when a network falls behind another one with the same offer, and what else changed on that day.
//!
//! Withheld conversions (shaving) begin on some day, and rarely alone: those that are left come later, or are decided
//! otherwise. Beside them stand the other network on the same zones, and the other offers of the same network: a
//! worse landing page or a fault of ours hits these differently. All of it is evidence about a network; it is no
//! verdict, and says nothing of any source.

use super::siblings::Sibling;
use crate::measures::Branch;
use std::collections::{BTreeMap, BTreeSet};

/// The share of days at either end on which no turn is looked for, and the value that its test must pass at 1 %
/// (Andrews 1993, corrected 2003, one parameter).
const TRIMMED: f64 = 0.15;
const CRITICAL: f64 = 12.16;

/// Days and conversions that both sides of a turn need.
const LEAST_DAYS: usize = 3;
const LEAST_CONVERSIONS: u64 = 20;

/// The least standard deviation of the log ratio between days.
const LEAST_SPREAD: f64 = 0.1;

/// What the conversions of some days are like.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mix {
    pub clicks: u64,
    /// Clicks that converted.
    pub converted: u64,
    /// Conversions with a known delay, and its median in seconds.
    pub delays: u64,
    pub delay_s: Option<i64>,
    /// By what became of them.
    pub approved: u64,
    pub pending: u64,
    pub rejected: u64,
}

impl Mix {
    /// The share of clicks that converted.
    pub fn rate(&self) -> Option<f64> {
        (self.clicks > 0).then(|| self.converted as f64 / self.clicks as f64)
    }

    /// The share of approved ones among those that are decided.
    pub fn approval(&self) -> Option<f64> {
        let decided = self.approved + self.rejected;
        (decided > 0).then(|| self.approved as f64 / decided as f64)
    }
}

/// Before a day, and from it on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Halves {
    pub before: Mix,
    pub after: Mix,
}

/// The day on which the ratio of two networks changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// The first day behind the change.
    pub day: i32,
    /// The ratio of conversion rates before and after.
    pub ratio: (f64, f64),
    /// The test's value: above 12.16 by chance in one of a hundred comparisons.
    pub statistic: f64,
    /// The network, the one it is compared with, and the network's other offers.
    pub network: Halves,
    pub against: Halves,
    pub other_offers: Halves,
}

/// One conversion, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub struct Outcome<'a> {
    pub offer: &'a str,
    pub network: &'a str,
    /// Of its click.
    pub day: i32,
    pub delay_s: Option<i64>,
    /// `None` while it is pending.
    pub approved: Option<bool>,
}

/// Finds the turn of every compared pair, where there is one and the network fell.
pub fn turns(siblings: &mut [Sibling], branches: &[Branch], outcomes: &[Outcome]) {
    let mut by_place: BTreeMap<(&str, &str), Vec<&Outcome>> = BTreeMap::new();
    outcomes.iter().for_each(|o| by_place.entry((o.offer, o.network)).or_default().push(o));
    for sibling in siblings {
        let of = |network: &str| -> Vec<&Branch> {
            branches.iter().filter(|b| b.offer == sibling.offer.raw() && b.network == network).collect()
        };
        let (one, other) = (of(sibling.network.raw()), of(sibling.against.raw()));
        sibling.turn = turn(&one, &other).map(|found| {
            let mix = |offer: &str, network: &str, branches: &[&Branch]| {
                let outcomes = by_place.get(&(offer, network)).map_or(&[][..], Vec::as_slice);
                halves(branches.iter().copied(), outcomes.iter().copied(), found.day)
            };
            let (offer, network) = (sibling.offer.raw(), sibling.network.raw());
            let elsewhere = branches.iter().filter(|b| b.network == network && b.offer != offer);
            let others = outcomes.iter().filter(|o| o.network == network && o.offer != offer);
            Turn {
                network: mix(offer, network, &one),
                against: mix(offer, sibling.against.raw(), &other),
                other_offers: halves(elsewhere, others, found.day),
                ..found
            }
        });
    }
}

/// Clicks and converted clicks of one day, of either network.
type Day = [(u64, u64); 2];

/// The day on which the ratio fell most clearly, if it did.
fn turn(one: &[&Branch], other: &[&Branch]) -> Option<Turn> {
    let days = days(one, other);
    let trimmed = ((days.len() as f64 * TRIMMED) as usize).max(LEAST_DAYS);
    let places = trimmed..days.len().saturating_sub(trimmed - 1).min(days.len());
    let spread = spread(&days);
    let mut best: Option<(f64, usize, (f64, f64))> = None;
    for at in places {
        let (before, after) = (sum(&days[..at]), sum(&days[at..]));
        let (Some(early), Some(late)) =
            (log_ratio(before, spread, at), log_ratio(after, spread, days.len() - at))
        else {
            continue;
        };
        let statistic = (late.0 - early.0).powi(2) / (early.1 + late.1);
        if late.0 < early.0 && best.is_none_or(|(most, ..)| statistic > most) {
            best = Some((statistic, at, (early.0.exp(), late.0.exp())));
        }
    }
    let (statistic, at, ratio) = best.filter(|(statistic, ..)| *statistic > CRITICAL)?;
    let halves = Halves::default;
    let (network, against, other_offers) = (halves(), halves(), halves());
    Some(Turn { day: days[at].0, ratio, statistic, network, against, other_offers })
}

/// The days of the zones that both networks have.
fn days(one: &[&Branch], other: &[&Branch]) -> Vec<(i32, Day)> {
    let zones = |branches: &[&Branch]| -> BTreeSet<Vec<Option<String>>> {
        branches.iter().map(|b| b.source.clone()).collect()
    };
    let (mine, theirs) = (zones(one), zones(other));
    let mut days: BTreeMap<i32, Day> = BTreeMap::new();
    for (at, branches) in [one, other].into_iter().enumerate() {
        for branch in branches.iter().filter(|b| mine.contains(&b.source) && theirs.contains(&b.source)) {
            for (day, clicks, converted) in &branch.days {
                let sum = &mut days.entry(*day).or_default()[at];
                *sum = (sum.0 + clicks, sum.1 + converted);
            }
        }
    }
    days.retain(|_, day| day.iter().all(|(clicks, _)| *clicks > 0));
    days.into_iter().collect()
}

fn sum(days: &[(i32, Day)]) -> Day {
    days.iter()
        .fold(Day::default(), |sum, (_, day)| [0, 1].map(|at| (sum[at].0 + day[at].0, sum[at].1 + day[at].1)))
}

/// The logarithm of the ratio of two rates with its variance; `None` where there is too little.
fn log_ratio(day: Day, spread: f64, days: usize) -> Option<(f64, f64)> {
    let [(k1, x1), (k2, x2)] = day;
    if days < LEAST_DAYS || x1 + x2 < LEAST_CONVERSIONS {
        return None;
    }
    let [k1, x1, k2, x2] = [k1, x1, k2, x2].map(|n| n as f64);
    let value = ((x1 + 0.5) / (x2 + 0.5)).ln() - (k1 / k2).ln();
    Some((value, 1.0 / (x1 + 0.5) + 1.0 / (x2 + 0.5) + spread * spread / days as f64))
}

/// The standard deviation of the log ratio between successive days, beyond that of the counts: a turn touches only
/// one of the steps.
fn spread(days: &[(i32, Day)]) -> f64 {
    let single = |(_, day): &(i32, Day)| {
        let [(k1, x1), (k2, x2)] = day.map(|(k, x)| (k as f64, x as f64));
        (((x1 + 0.5) / (x2 + 0.5)).ln() - (k1 / k2).ln(), 1.0 / (x1 + 0.5) + 1.0 / (x2 + 0.5))
    };
    let days: Vec<(f64, f64)> = days.iter().map(single).collect();
    let steps = days.windows(2).map(|pair| ((pair[1].0 - pair[0].0).powi(2), pair[0].1 + pair[1].1));
    let (squares, expected, n) =
        steps.fold((0.0, 0.0, 0.0), |sum, step| (sum.0 + step.0, sum.1 + step.1, sum.2 + 1.0));
    let variance: f64 = if n > 0.0 { (squares - expected) / (2.0 * n) } else { 0.0 };
    variance.max(0.0).sqrt().max(LEAST_SPREAD)
}

fn halves<'a>(
    branches: impl Iterator<Item = &'a Branch>,
    outcomes: impl Iterator<Item = &'a Outcome<'a>>,
    turn: i32,
) -> Halves {
    let (mut found, mut delays) = (Halves::default(), [Vec::new(), Vec::new()]);
    for (day, clicks, converted) in branches.flat_map(|b| &b.days) {
        let mix = if *day < turn { &mut found.before } else { &mut found.after };
        mix.clicks += clicks;
        mix.converted += converted;
    }
    for outcome in outcomes {
        let late = outcome.day >= turn;
        let mix = if late { &mut found.after } else { &mut found.before };
        match outcome.approved {
            Some(true) => mix.approved += 1,
            Some(false) => mix.rejected += 1,
            None => mix.pending += 1,
        }
        delays[usize::from(late)].extend(outcome.delay_s);
    }
    let [mut early, mut late] = delays;
    for (mix, delays) in [(&mut found.before, &mut early), (&mut found.after, &mut late)] {
        delays.sort_unstable();
        mix.delays = delays.len() as u64;
        mix.delay_s = delays.get(delays.len() / 2).copied();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::draws::Draws;
    use crate::base::text::Text;

    /// Twenty days of eight zones; the first network's rate is multiplied by the factor of the day.
    fn branches(seed: u64, factor: impl Fn(i32) -> f64) -> Vec<Branch> {
        let mut rng = Draws(seed);
        let mut branches = Vec::new();
        for (network, offer) in [("n0", "o"), ("n1", "o"), ("n0", "p")] {
            for zone in 0..8 {
                let day = |day: i32, rng: &mut Draws| {
                    let own = if (network, offer) == ("n0", "o") { factor(day) } else { 1.0 };
                    let noise = (0.1 * rng.normal()).exp();
                    (day, 200, rng.poisson(200.0 * 0.03 * own * noise).min(200))
                };
                let days: Vec<(i32, u64, u64)> = (0..20).map(|n| day(n, &mut rng)).collect();
                branches.push(Branch {
                    offer: offer.to_owned(),
                    network: network.to_owned(),
                    source: vec![None, Some(format!("z{zone}"))],
                    clicks: days.iter().map(|d| d.1).sum(),
                    converted: days.iter().map(|d| d.2).sum(),
                    days,
                });
            }
        }
        branches.sort_by(|a, b| (&a.offer, &a.network, &a.source).cmp(&(&b.offer, &b.network, &b.source)));
        branches
    }

    fn found(branches: &[Branch], outcomes: &[Outcome]) -> Option<Turn> {
        let mut siblings = vec![Sibling {
            offer: Text::new("o"),
            network: Text::new("n0"),
            against: Text::new("n1"),
            ratio: 0.8,
            low: 0.7,
            high: 0.9,
            zones: 8,
            ln_p: -9.0,
            q: 0.01,
            behind: true,
            turn: None,
        }];
        turns(&mut siblings, branches, outcomes);
        siblings.remove(0).turn
    }

    #[test]
    fn the_day_of_a_fall_is_found_with_what_else_changed() {
        let branches = branches(1, |day| if day < 11 { 1.0 } else { 0.5 });
        let outcome = |day: i32, delay: i64, approved: bool| Outcome {
            offer: "o",
            network: "n0",
            day,
            delay_s: Some(delay),
            approved: Some(approved),
        };
        let outcomes: Vec<Outcome> = (0..20)
            .flat_map(|day| {
                (0..10).map(move |n| outcome(day, if day < 11 { 600 } else { 9_000 } + n, day < 11 || n > 5))
            })
            .collect();
        let turn = found(&branches, &outcomes).expect("a turn");
        assert!((10..=12).contains(&turn.day), "{turn:?}");
        assert!((turn.ratio.0 - 1.0).abs() < 0.25 && (turn.ratio.1 - 0.5).abs() < 0.15, "{turn:?}");
        let Halves { before, after } = &turn.network;
        assert!(before.delay_s < Some(700) && after.delay_s > Some(8_000), "{turn:?}");
        assert!(before.approval() > Some(0.95) && after.approval() < Some(0.6), "{turn:?}");
        let other = |mix: &Mix| mix.rate().expect("clicks");
        assert!((other(&turn.other_offers.before) / other(&turn.other_offers.after) - 1.0).abs() < 0.2);
    }

    #[test]
    fn what_does_not_change_has_no_turn() {
        let any = (0..200).filter(|seed| found(&branches(*seed, |_| 0.7), &[]).is_some()).count();
        assert!(any <= 6, "{any} of 200");
        assert!(found(&branches(3, |day| if day < 11 { 0.5 } else { 1.0 }), &[]).is_none(), "it rose");
        assert!(found(&[], &[]).is_none());
    }
}
