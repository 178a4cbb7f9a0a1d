//! Sources that look odd over all signals together: a list to look at, never a verdict.
//!
//! An extended isolation forest (Hariri, Carrasco Kind, Brunner 2019) on z-scores against the peers, never on
//! raw rates: these mostly isolate small sources. What it returns enters neither the false-discovery control
//! nor the risk.

use super::profile::suspicious_distance;
use super::standing::{Profile, Versus};
use crate::signals::Signal;
use std::collections::{BTreeMap, BTreeSet};

/// Among fewer compared groups nothing is said: the oddest of a few is nothing odd.
pub const LEAST_GROUPS: usize = 100;

/// Signals that are named as the reason.
const NAMED: usize = 3;

/// What is odd about a group.
#[derive(Clone, Debug, PartialEq)]
pub struct Odd {
    pub oddness: Oddness,
    /// The signals that lie farthest on their suspicious side, with the distance in standard deviations.
    pub signals: Vec<(&'static str, f64)>,
}

/// How odd every group is by its distances from its peers; `None` for those that were not compared, and for all
/// where fewer than [`LEAST_GROUPS`] were.
pub fn odd(profiles: &[&Profile]) -> Vec<Option<Odd>> {
    let compared: Vec<usize> = (0..profiles.len()).filter(|&at| profiles[at].ln_p.is_some()).collect();
    let mut odd = vec![None; profiles.len()];
    if compared.len() < LEAST_GROUPS {
        return odd;
    }
    let distances: Vec<BTreeMap<&'static str, f64>> =
        compared.iter().map(|&at| distances(profiles[at])).collect();
    let names: BTreeSet<&'static str> = distances.iter().flat_map(|d| d.keys().copied()).collect();
    let rows: Vec<Vec<Option<f64>>> =
        distances.iter().map(|of| names.iter().map(|name| of.get(name).copied()).collect()).collect();
    for ((at, distances), oddness) in compared.into_iter().zip(distances).zip(oddness(&rows)) {
        odd[at] = Some(Odd { oddness, signals: farthest(distances) });
    }
    odd
}

fn distances(profile: &Profile) -> BTreeMap<&'static str, f64> {
    let distance = |(signal, versus): (&'static Signal, &Versus)| {
        suspicious_distance(signal, versus).map(|z| (signal.name, z))
    };
    profile.signals.compared().filter_map(distance).filter(|(_, z)| !z.is_nan()).collect()
}

fn farthest(distances: BTreeMap<&'static str, f64>) -> Vec<(&'static str, f64)> {
    let mut far: Vec<(&'static str, f64)> = distances.into_iter().filter(|(_, z)| *z > 0.0).collect();
    far.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
    far.truncate(NAMED);
    far
}

/// Scores above this tell nothing more, and would stretch the space for all others.
pub const Z_CAP: f64 = 8.0;

/// Trees in the forest, and sources in the sample of each (Liu, Ting, Zhou 2008).
const TREES: usize = 200;
const SAMPLE: usize = 256;

/// Any fixed number: the same sources must get the same list.
const SEED: u64 = 0x5eed_0f0d_d50c_e5ed;

/// Euler's constant, for the mean depth of a search tree.
const EULER: f64 = 0.577_215_664_901_532_9;

/// How odd a source is among all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Oddness {
    /// The isolation score, 0 to 1; ordinary sources lie below ½.
    pub score: f64,
    /// rank / (m + 1), the oddest first; sources with equal scores all take the last of their ranks. Says
    /// only where in the list a source stands.
    pub rank_p: f64,
}

/// Scores sources by their z-scores: one row per source, all of one length, a missing signal as `None` (it
/// counts as ordinary, 0). Scores are cut to 0..8: below the peers in a one-sided signal is not odd.
///
/// The result does not depend on the order of the rows.
pub fn oddness(rows: &[Vec<Option<f64>>]) -> Vec<Oddness> {
    let points: Vec<Vec<f64>> = rows.iter().map(|row| row.iter().map(clipped).collect()).collect();
    let forest = grow(&points);
    let sample = points.len().min(SAMPLE) as f64;
    let scores: Vec<f64> = points.iter().map(|point| score(&forest, point, mean_depth(sample))).collect();
    let mut sorted = scores.clone();
    sorted.sort_by(f64::total_cmp);
    let rank = |s: f64| sorted.len() - sorted.partition_point(|other| *other < s);
    let of = |&score: &f64| Oddness { score, rank_p: rank(score) as f64 / (scores.len() + 1) as f64 };
    scores.iter().map(of).collect()
}

fn clipped(z: &Option<f64>) -> f64 {
    z.filter(|z| !z.is_nan()).unwrap_or(0.0).clamp(0.0, Z_CAP)
}

/// 2^(−mean depth / mean depth of a random search tree); ½ for a forest of one point.
fn score(forest: &[Node], point: &[f64], usual: f64) -> f64 {
    if usual == 0.0 {
        return 0.5;
    }
    let depth: f64 = forest.iter().map(|tree| tree.depth(point)).sum::<f64>() / forest.len() as f64;
    (-depth / usual).exp2()
}

/// The mean depth of an unsuccessful search among `n` points: 2 H(n−1) − 2 (n−1)/n.
fn mean_depth(n: f64) -> f64 {
    match n {
        _ if n < 2.0 => 0.0,
        2.0 => 1.0,
        _ => 2.0 * ((n - 1.0).ln() + EULER) - 2.0 * (n - 1.0) / n,
    }
}

/// A tree of cuts.
enum Node {
    /// A cut along the plane `first`·x + `second`·x = `level`.
    Cut { first: Term, second: Term, level: f64, below: Box<Node>, above: Box<Node> },
    /// The end of a branch, with the depth expected for the points left in it.
    End(f64),
}

/// A dimension and its factor.
type Term = (usize, f64);

impl Node {
    fn depth(&self, point: &[f64]) -> f64 {
        let (mut node, mut depth) = (self, 0.0);
        while let Node::Cut { first, second, level, below, above } = node {
            node = if project(point, *first, *second) < *level { below } else { above };
            depth += 1.0;
        }
        let Node::End(rest) = node else { unreachable!("the loop ends at an end") };
        depth + rest
    }
}

fn project(point: &[f64], first: Term, second: Term) -> f64 {
    first.1 * point[first.0] + second.1 * point[second.0]
}

/// Grows all trees on samples of the points, taken in the order of their content.
fn grow(points: &[Vec<f64>]) -> Vec<Node> {
    if points.is_empty() {
        return Vec::new();
    }
    let mut ordered: Vec<&[f64]> = points.iter().map(Vec::as_slice).collect();
    ordered.sort_by(|a, b| {
        a.iter().zip(*b).map(|(x, y)| x.total_cmp(y)).find(|o| o.is_ne()).unwrap_or(a.len().cmp(&b.len()))
    });
    let mut draws = Draws::new(SEED);
    (0..TREES)
        .map(|_| {
            let sample = draws.sample(&mut ordered, SAMPLE);
            let limit = (sample.len() as f64).log2().ceil() as usize;
            branch(&sample, limit, &mut draws)
        })
        .collect()
}

/// Cuts the points by a random plane over two of the dimensions in which they differ.
fn branch(points: &[&[f64]], limit: usize, draws: &mut Draws) -> Node {
    let ranges = if limit == 0 || points.len() < 2 { Vec::new() } else { ranges(points) };
    if ranges.is_empty() {
        return Node::End(mean_depth(points.len() as f64));
    }
    let (first, at_first) = draws.term(&ranges);
    let (second, at_second) = draws.term(&ranges);
    let level = first.1 * at_first + second.1 * at_second;
    let (below, above): (Vec<&[f64]>, Vec<&[f64]>) =
        points.iter().partition(|point| project(point, first, second) < level);
    let mut grown = |points: &[&[f64]]| Box::new(branch(points, limit - 1, draws));
    Node::Cut { first, second, level, below: grown(&below), above: grown(&above) }
}

/// The dimensions in which the points differ, with least and largest value.
fn ranges(points: &[&[f64]]) -> Vec<(usize, f64, f64)> {
    let values = |d: usize| points.iter().map(move |point| point[d]);
    let range = |d: usize| (d, values(d).fold(f64::MAX, f64::min), values(d).fold(f64::MIN, f64::max));
    (0..points[0].len()).map(range).filter(|(_, low, high)| low < high).collect()
}

/// A generator of random numbers: splitmix64 (Steele, Lea, Flood 2014). One seed gives one series everywhere.
pub(super) struct Draws(u64);

impl Draws {
    pub(super) fn new(seed: u64) -> Draws {
        Draws(seed)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in 0..1, ends excluded.
    pub(super) fn unit(&mut self) -> f64 {
        ((self.bits() >> 12) as f64 + 0.5) / (1u64 << 52) as f64
    }

    /// A number in `0..n`.
    pub(super) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// A standard normal deviate (Box and Muller 1958).
    pub(super) fn normal(&mut self) -> f64 {
        let (radius, turn) = ((-2.0 * self.unit().ln()).sqrt(), self.unit());
        radius * (std::f64::consts::TAU * turn).cos()
    }

    /// Up to `n` different items, by swapping them to the front.
    fn sample<'a>(&mut self, items: &mut [&'a [f64]], n: usize) -> Vec<&'a [f64]> {
        let n = n.min(items.len());
        for at in 0..n {
            let from = at + self.below(items.len() - at);
            items.swap(at, from);
        }
        items[..n].to_vec()
    }

    /// A dimension with a random factor, and a value in its range.
    fn term(&mut self, ranges: &[(usize, f64, f64)]) -> (Term, f64) {
        let (dimension, low, high) = ranges[self.below(ranges.len())];
        ((dimension, self.normal()), low + (high - low) * self.unit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::Level;
    use crate::peers::standing::{Direction, Sides, Standing, Standings};
    use crate::signals;

    /// Ordinary sources with 6 signals, some missing, and at the front three odd ones: one loud signal, three
    /// middling ones, and one that is far below its peers only.
    fn sources(m: usize) -> Vec<Vec<Option<f64>>> {
        let mut draws = Draws::new(1);
        let mut one = || (draws.below(10) > 0).then(|| draws.normal());
        let mut rows: Vec<Vec<Option<f64>>> = (0..m).map(|_| (0..6).map(|_| one()).collect()).collect();
        rows[0][2] = Some(40.0);
        rows[1][..3].fill(Some(4.5));
        rows[2] = vec![Some(-50.0); 6];
        rows
    }

    /// A profile with distances in these signals.
    fn profile(distances: &[(&'static str, f64)]) -> Profile {
        let standing = |&(name, z): &(&'static str, f64)| {
            let versus = Versus {
                expected: 0.1,
                level: Level::ALL,
                peers: 50,
                ratio: 1.0,
                ratio_limit: 1.0,
                z,
                direction: Direction::High,
                sides: Sides::new(Some(-1.0), Some(-1.0)),
                q: 1.0,
                large: false,
                decibans: 0.0,
            };
            (signals::find(name).expect(name), Standing::Compared(versus))
        };
        Profile {
            signals: Standings::of(distances.iter().map(standing)),
            ln_p: Some(-1.0),
            ..Profile::default()
        }
    }

    /// A high rate is not odd, a low approval is; concentration is a carrier's as well as a farm's.
    #[test]
    fn groups_are_odd_on_their_suspicious_sides_only() {
        let mut draws = Draws::new(3);
        let mut all: Vec<Profile> = (0..LEAST_GROUPS + 20)
            .map(|_| {
                let names = ["approval_share", "cr", "ctit_short_share", "ip_hhi"];
                profile(&names.map(|name| (name, draws.normal())))
            })
            .collect();
        all[0] = profile(&[("approval_share", -7.0), ("cr", -5.0), ("ctit_short_share", 6.0)]);
        all[1] =
            profile(&[("approval_share", 7.0), ("cr", 9.0), ("ctit_short_share", -6.0), ("ip_hhi", 9.0)]);
        all[2] = Profile::default();
        let found = odd(&all.iter().collect::<Vec<_>>());
        let first = found[0].as_ref().expect("it was compared");
        assert!(first.oddness.rank_p < 0.01 && first.oddness.score > 0.5, "{first:?}");
        assert_eq!(first.signals, [("approval_share", 7.0), ("ctit_short_share", 6.0), ("cr", 5.0)]);
        let second = found[1].as_ref().expect("it was compared");
        assert!(second.oddness.score < 0.5 && second.signals.is_empty(), "{second:?}");
        assert_eq!(found[2], None);
    }

    #[test]
    fn nothing_is_odd_among_few() {
        let few: Vec<Profile> = (0..LEAST_GROUPS - 1).map(|_| profile(&[("cr", -9.0)])).collect();
        assert!(odd(&few.iter().collect::<Vec<_>>()).iter().all(Option::is_none));
    }

    #[test]
    fn odd_sources_come_first_and_low_ones_are_not_odd() {
        let found = oddness(&sources(800));
        assert!(found[0].rank_p < 0.01 && found[1].rank_p < 0.01, "{:?}", &found[..3]);
        assert!(found[2].rank_p > 0.5, "{:?}", found[2]);
        assert!(found.iter().all(|o| o.score > 0.0 && o.score < 1.0 && o.rank_p > 0.0 && o.rank_p < 1.0));
    }

    #[test]
    fn the_order_of_sources_does_not_matter() {
        let mut rows = sources(400);
        let found = oddness(&rows);
        rows.reverse();
        let mut back = oddness(&rows);
        back.reverse();
        assert_eq!(found, back);
    }

    #[test]
    fn few_and_equal_sources_are_defined() {
        assert!(oddness(&[]).is_empty());
        assert_eq!(oddness(&[vec![Some(3.0)]]), [Oddness { score: 0.5, rank_p: 0.5 }]);
        assert_eq!(oddness(&[vec![], vec![]])[0].rank_p, 2.0 / 3.0);
        let same = oddness(&vec![vec![Some(2.0), None]; 300]);
        assert!(same.iter().all(|o| *o == same[0] && o.rank_p == 300.0 / 301.0), "{:?}", same[0]);
        let odd = oddness(&[vec![Some(f64::NAN)], vec![Some(f64::INFINITY)], vec![Some(f64::NEG_INFINITY)]]);
        assert!(odd.iter().all(|o| o.score.is_finite()), "{odd:?}");
    }

    #[test]
    fn depths_golden() {
        assert_eq!(mean_depth(1.0), 0.0);
        assert_eq!(mean_depth(2.0), 1.0);
        assert!((mean_depth(256.0) - 10.244_770_92).abs() < 1e-6, "{}", mean_depth(256.0));
    }

    /// The first numbers of the published generator for seed 0.
    #[test]
    fn draws_golden() {
        let mut draws = Draws::new(0);
        assert_eq!([draws.bits(), draws.bits()], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
    }
}
