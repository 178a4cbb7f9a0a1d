//! One offer at several networks: where one network's conversions fall behind on the same zones.
//!
//! A zone's visitors are the same, wherever their click is sent; if they convert less behind one network, then
//! conversions are withheld there (shaving), its landing page is worse, or it ran on worse days. This is
//! evidence about a network and says nothing of any source. Different offers are never compared.

use super::fdr::q_values;
use super::shaving::Turn;
use crate::base::stats::{Residual, ln_student_sf, paule_mandel, weighted_median};
use crate::base::text::Text;
use crate::measures::Branch;
use std::collections::BTreeMap;

/// Zones, or bundles of small ones, and conversions expected on either side that a comparison needs.
const LEAST_ZONES: usize = 5;
const LEAST_CONVERSIONS: f64 = 30.0;

/// Conversions expected on either side from which a zone stands for itself.
const ZONE_EXPECTS: f64 = 2.0;

/// The least standard deviation of the log ratio between zones.
const LEAST_SPREAD: f64 = 0.15;

/// Where residuals are cut off in the spread, and where they lose weight in the mean (Huber 1964), which costs
/// a twentieth of the efficiency.
const SPREAD_CUT: f64 = 1.5;
const HUBER: f64 = 1.345;
const EFFICIENCY: f64 = 0.95;

/// Alternations of mean and spread.
const ALTERNATIONS: usize = 20;

/// A network falls behind from this ratio on.
const BEHIND: f64 = 0.8;

/// One network of an offer against another on the zones that send to both.
#[derive(Clone, Debug, PartialEq)]
pub struct Sibling {
    pub offer: Text,
    /// The network with fewer conversions, and the other one.
    pub network: Text,
    pub against: Text,
    /// The ratio of their conversion rates, at most 1, with 95 % limits.
    pub ratio: f64,
    pub low: f64,
    pub high: f64,
    /// Zones that send clicks to both.
    pub zones: usize,
    /// Logarithm of the two-sided p-value, and the q-value among all comparisons.
    pub ln_p: f64,
    pub q: f64,
    /// Whether the network falls behind: significant, and by a fifth or more.
    pub behind: bool,
    /// The day on which it fell, and what else changed then; `None` where no day stands out.
    pub turn: Option<Turn>,
}

/// Compares every two networks of every offer, sorted by offer and networks. Pairs with fewer than five zones in
/// common, or 30 conversions expected on either side, are left out.
///
/// Zones' log ratios of rates are combined with the spread between zones (Paule and Mandel 1982, DerSimonian and
/// Laird 1986), outliers with less weight; those of small zones are taken together in bundles (Mantel and
/// Haenszel 1959, variance of Greenland and Robins 1985). `branches` are sorted by offer, network and source; `fdr`
/// is the share of false discoveries that is acceptable.
pub fn siblings(branches: &[Branch], fdr: f64) -> Vec<Sibling> {
    let mut found = Vec::new();
    for offer in branches.chunk_by(|a, b| a.offer == b.offer) {
        let networks: Vec<&[Branch]> = offer.chunk_by(|a, b| a.network == b.network).collect();
        for (at, network) in networks.iter().enumerate() {
            found.extend(networks[at + 1..].iter().filter_map(|other| pair(network, other)));
        }
    }
    let ln_p: Vec<f64> = found.iter().map(|sibling| sibling.ln_p).collect();
    for (sibling, ln_q) in found.iter_mut().zip(q_values(&ln_p)) {
        sibling.q = ln_q.exp();
        sibling.behind = sibling.q <= fdr && sibling.high < 1.0 && sibling.ratio <= BEHIND;
    }
    found.sort_by(|a, b| (&a.offer, &a.network, &a.against).cmp(&(&b.offer, &b.network, &b.against)));
    found
}

/// Clicks and conversions of a zone behind each of two networks.
#[derive(Clone, Copy)]
struct Table {
    clicks: [f64; 2],
    converted: [f64; 2],
}

impl Table {
    /// The part of the clicks that is each network's.
    fn parts(&self) -> [f64; 2] {
        self.clicks.map(|clicks| clicks / (self.clicks[0] + self.clicks[1]))
    }

    /// Conversions expected behind each network if both were equal.
    fn expected(&self) -> [f64; 2] {
        self.parts().map(|part| part * (self.converted[0] + self.converted[1]))
    }
}

/// A log ratio with its sampling variance.
#[derive(Clone, Copy)]
struct Effect {
    value: f64,
    variance: f64,
}

fn pair(one: &[Branch], other: &[Branch]) -> Option<Sibling> {
    let zones = shared(one, other);
    let expected = zones.iter().fold([0.0; 2], |sum, zone| added(sum, zone.expected()));
    let effects = effects(&zones);
    let enough = expected.iter().all(|e| *e >= LEAST_CONVERSIONS);
    if !enough || zones.len() < LEAST_ZONES || effects.len() < LEAST_ZONES {
        return None;
    }
    let (mean, error) = combined(&effects);
    let df = effects.len() as f64 - 1.0;
    let width = student_95(df) * error;
    let (lower, higher) = if mean <= 0.0 { (one, other) } else { (other, one) };
    Some(Sibling {
        offer: Text::new(one[0].offer.as_str()),
        network: Text::new(lower[0].network.as_str()),
        against: Text::new(higher[0].network.as_str()),
        ratio: (-mean.abs()).exp(),
        low: (-mean.abs() - width).exp(),
        high: (-mean.abs() + width).exp(),
        zones: zones.len(),
        ln_p: (2.0f64.ln() + ln_student_sf(mean.abs() / error, df)).min(0.0),
        q: 1.0,
        behind: false,
        turn: None,
    })
}

/// The zones that send clicks to both networks.
fn shared(one: &[Branch], other: &[Branch]) -> Vec<Table> {
    let others: BTreeMap<&[Option<String>], &Branch> =
        other.iter().map(|branch| (branch.source.as_slice(), branch)).collect();
    let table = |branch: &Branch| {
        let other = others.get(branch.source.as_slice())?;
        let both = [branch, *other];
        both.iter().all(|b| b.clicks > 0).then(|| Table {
            clicks: both.map(|b| b.clicks as f64),
            converted: both.map(|b| b.converted.min(b.clicks) as f64),
        })
    };
    one.iter().filter_map(table).collect()
}

fn added(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    [a[0] + b[0], a[1] + b[1]]
}

/// Effects of zones, and of bundles of those that are too small to stand for themselves.
fn effects(zones: &[Table]) -> Vec<Effect> {
    let tells = |expected: [f64; 2]| expected.iter().all(|e| *e >= ZONE_EXPECTS);
    let (mut effects, mut bundle, mut sum) = (Vec::new(), Vec::new(), [0.0; 2]);
    for zone in zones {
        if tells(zone.expected()) {
            effects.push(effect(&[*zone]));
            continue;
        }
        bundle.push(*zone);
        sum = added(sum, zone.expected());
        if tells(sum) {
            effects.push(effect(&bundle));
            (bundle, sum) = (Vec::new(), [0.0; 2]);
        }
    }
    effects
}

/// The Mantel-Haenszel ratio of rates of some zones, the same for all of them, with the variance of Greenland
/// and Robins. One conversion more, parted as the clicks are, keeps it finite and pulls it towards 1.
fn effect(zones: &[Table]) -> Effect {
    let clicks = zones.iter().fold([0.0; 2], |sum, zone| added(sum, zone.clicks));
    let more: f64 = Table { clicks, converted: [0.0; 2] }.parts().iter().product();
    let (mut one, mut other, mut spread) = (more, more, more);
    for zone in zones {
        let [part, rest] = zone.parts();
        let [x, y] = zone.converted;
        one += x * rest;
        other += y * part;
        spread += (x + y) * part * rest - x * y / (zone.clicks[0] + zone.clicks[1]);
    }
    Effect { value: (one / other).ln(), variance: (spread / (one * other)).max(1e-9) }
}

/// The mean of the effects and its standard error, with the spread between zones.
fn combined(effects: &[Effect]) -> (f64, f64) {
    let mut sorted: Vec<(f64, f64)> =
        effects.iter().map(|e| (e.value, 1.0 / (e.variance + LEAST_SPREAD.powi(2)))).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut mean = weighted_median(sorted.iter().copied()).unwrap_or(0.0);
    let mut spread = LEAST_SPREAD.powi(2);
    for _ in 0..ALTERNATIONS {
        let residual =
            |e: &Effect| Residual { square: (e.value - mean).powi(2), variance: e.variance, weight: 1.0 };
        let residuals: Vec<Residual> = effects.iter().map(residual).collect();
        spread = paule_mandel(&residuals, SPREAD_CUT).max(LEAST_SPREAD.powi(2));
        mean = huber(effects, mean, spread);
    }
    let weight: f64 = effects.iter().map(|e| 1.0 / (e.variance + spread)).sum();
    (mean, (1.0 / (EFFICIENCY * weight)).sqrt())
}

/// One step of the weighted mean in which outliers count less.
fn huber(effects: &[Effect], mean: f64, spread: f64) -> f64 {
    let weight = |e: &Effect| {
        let variance = e.variance + spread;
        let distance = (e.value - mean).abs() / variance.sqrt();
        (HUBER / distance.max(HUBER)) / variance
    };
    let all: f64 = effects.iter().map(weight).sum();
    effects.iter().map(|e| weight(e) * e.value).sum::<f64>() / all
}

/// The 97.5 % quantile of Student's t, by its expansion around the normal's (Fisher 1925): 0.5 % short at four
/// degrees of freedom.
fn student_95(df: f64) -> f64 {
    let z: f64 = 1.959_964;
    let first = (z.powi(3) + z) / 4.0;
    let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
    let third = (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0;
    z + first / df + second / (df * df) + third / df.powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::draws::Draws;

    /// An offer at some networks, each with its factor on every zone's own rate.
    struct World {
        zones: usize,
        clicks: u64,
        rate: f64,
        /// The standard deviation of the log ratio between zones.
        noise: f64,
        factors: &'static [f64],
    }

    const WORLD: World = World { zones: 12, clicks: 2_000, rate: 0.02, noise: 0.15, factors: &[0.7, 1.0] };

    impl World {
        fn branches(&self, offer: &str, seed: u64) -> Vec<Branch> {
            let mut rng = Draws(seed);
            let rates: Vec<f64> = (0..self.zones).map(|_| self.rate * (0.5 * rng.normal()).exp()).collect();
            let mut branches = Vec::new();
            for (network, factor) in self.factors.iter().enumerate() {
                for (zone, rate) in rates.iter().enumerate() {
                    let rate = (rate * factor * (self.noise * rng.normal()).exp()).min(1.0);
                    branches.push(Branch {
                        offer: offer.to_owned(),
                        network: format!("n{network}"),
                        source: vec![None, Some(format!("z{zone:03}"))],
                        clicks: self.clicks,
                        days: Vec::new(),
                        converted: rng.poisson(self.clicks as f64 * rate).min(self.clicks),
                    });
                }
            }
            branches
        }
    }

    #[test]
    fn shaving_is_found() {
        let found = (0..40).filter(|seed| {
            let all = siblings(&WORLD.branches("o", *seed), 0.1);
            all.len() == 1 && all[0].network.raw() == "n0" && all[0].behind
        });
        let found = found.count();
        assert!(found >= 34, "{found} of 40");
    }

    #[test]
    fn shaving_on_many_small_zones_is_found() {
        let world = World { zones: 400, clicks: 100, ..WORLD };
        let all = siblings(&world.branches("o", 3), 0.1);
        assert!(all[0].behind && (all[0].ratio - 0.7).abs() < 0.12, "{:?}", all[0]);
        assert_eq!(all[0].zones, 400);
    }

    #[test]
    fn equal_networks_are_not_accused() {
        let world = World { factors: &[1.0, 1.0], ..WORLD };
        let (mut small, mut behind) = (0, 0);
        for seed in 0..400 {
            for sibling in siblings(&world.branches("o", seed), 0.01) {
                small += usize::from(sibling.ln_p < 0.05f64.ln());
                behind += usize::from(sibling.behind);
            }
        }
        assert!(small <= 32, "{small} of 400 below 0.05");
        assert!(behind <= 4, "{behind} of 400 at 0.01");
    }

    #[test]
    fn one_large_zone_is_not_the_network() {
        let mut branches = World { factors: &[1.0, 1.0], ..WORLD }.branches("o", 5);
        for branch in branches.iter_mut().filter(|b| b.source[1].as_deref() == Some("z000")) {
            branch.clicks *= 50;
            branch.converted *= if branch.network == "n0" { 50 } else { 10 };
        }
        assert!(!siblings(&branches, 0.1)[0].behind);
    }

    #[test]
    fn of_three_networks_the_one_behind_is_named() {
        let all =
            siblings(&World { clicks: 20_000, factors: &[1.0, 0.6, 1.0], ..WORLD }.branches("o", 8), 0.1);
        let behind: Vec<(&str, &str)> =
            all.iter().filter(|s| s.behind).map(|s| (s.network.raw(), s.against.raw())).collect();
        assert_eq!(behind, [("n1", "n0"), ("n1", "n2")]);
    }

    #[test]
    fn what_cannot_be_compared_is_left_out() {
        let none = |world: World| assert!(siblings(&world.branches("o", 1), 0.1).is_empty());
        none(World { factors: &[1.0], ..WORLD });
        none(World { zones: 4, clicks: 50_000, ..WORLD });
        none(World { clicks: 100, ..WORLD });
        none(World { rate: 0.0, ..WORLD });
        // The same networks, but other offers: no siblings.
        let mut branches = World { factors: &[1.0], ..WORLD }.branches("a", 1);
        let mut others = World { factors: &[0.5], ..WORLD }.branches("b", 1);
        others.iter_mut().for_each(|branch| branch.network = "n1".to_owned());
        branches.extend(others);
        assert!(siblings(&branches, 0.1).is_empty());
        assert!(siblings(&[], 0.1).is_empty());
    }

    #[test]
    fn nothing_but_conversions_is_finite() {
        for sibling in
            siblings(&World { rate: 1.0, noise: 0.0, factors: &[1.0, 1.0], ..WORLD }.branches("o", 1), 0.1)
        {
            let numbers = [sibling.ratio, sibling.low, sibling.high, sibling.ln_p, sibling.q];
            assert!(numbers.iter().all(|n| n.is_finite()), "{sibling:?}");
        }
    }

    #[test]
    fn quantiles_of_student() {
        for (df, expected) in [(4.0, 2.776_445), (11.0, 2.200_985), (100.0, 1.983_972)] {
            assert!((student_95(df) / expected - 1.0).abs() < 6e-3, "{df}: {}", student_95(df));
        }
    }
}
