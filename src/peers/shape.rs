//! How the events of a group are spread over buckets, beside its peers: for people to look at, never a test.

use super::fit;
use super::places::{Level, Places};
use super::scan::Pool;
use crate::measures::{GrainMeasures, Totals};

/// How the events of a group's peers are spread.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// The share of each bucket, 0 to 1.
    pub shares: Vec<f64>,
    /// The level at which the peers of most of the group's events were found, and how many there are.
    pub level: Level,
    pub peers: u32,
}

/// All strata of a grain where they stand among each other: placed once, asked about many histograms.
pub struct Crowd<'a> {
    measures: &'a GrainMeasures,
    places: Places,
    /// The strata of each group.
    members: Vec<Vec<usize>>,
}

/// One histogram of all strata, and the pools of every peer group.
pub struct Shapes<'a> {
    crowd: &'a Crowd<'a>,
    histograms: Vec<Vec<u64>>,
    /// Strata with events below each node, and their histograms, each with an equal vote.
    pools: Vec<(u32, Pool)>,
}

impl<'a> Crowd<'a> {
    /// Places the strata of a grain.
    pub fn new(measures: &'a GrainMeasures, trusted: &[String]) -> Crowd<'a> {
        let mut members = vec![Vec::new(); measures.groups.len()];
        measures.strata.iter().enumerate().for_each(|(at, stratum)| members[stratum.group].push(at));
        Crowd { measures, places: Places::new(measures, trusted), members }
    }

    /// `histogram` gives the counts of a stratum by bucket, always so many.
    pub fn shapes(&'a self, histogram: impl Fn(&Totals) -> Vec<u64>) -> Shapes<'a> {
        let histograms: Vec<Vec<u64>> = self.measures.strata.iter().map(|s| histogram(&s.totals)).collect();
        let buckets = histograms.first().map_or(0, Vec::len);
        let mut pools: Vec<(u32, Pool)> =
            (0..self.places.tree.len()).map(|_| (0, Pool::new(buckets as u16))).collect();
        for (leaf, histogram) in self.places.leaves.iter().zip(&histograms).filter(|(_, h)| sum(h) > 0) {
            for node in self.places.tree.upwards(*leaf) {
                let (strata, pool) = &mut pools[node as usize];
                *strata += 1;
                pool.add(histogram);
            }
        }
        Shapes { crowd: self, histograms, pools }
    }
}

impl Shapes<'_> {
    /// The shape that the group at place `group` would have if its events were spread as its peers' are.
    ///
    /// Every stratum of the group has the narrowest level with enough peers, the group's own strata left out; there
    /// each peer has an equal vote. The strata's shapes are weighted by the group's own events in them, so that a
    /// difference is none of the mix of offers. `None` where there are too few peers.
    pub fn of(&self, group: usize) -> Option<Shape> {
        let own = &self.crowd.members[group];
        let found: Vec<(u64, Shape)> =
            own.iter().filter_map(|&at| Some((sum(&self.histograms[at]), self.around(at, own)?))).collect();
        mixed(&found)
    }

    /// The shape of the peers of a stratum that has events.
    fn around(&self, stratum: usize, own: &[usize]) -> Option<Shape> {
        if sum(&self.histograms[stratum]) == 0 {
            return None;
        }
        let places = &self.crowd.places;
        let mut levels = places.tree.upwards(places.leaves[stratum]);
        let enough = fit::Settings::RATES.min_peers;
        let (node, (peers, pool)) = levels
            .find_map(|node| Some((node, self.without(node, own))).filter(|(_, (n, _))| *n >= enough))?;
        Some(Shape { shares: pool.shares(), level: places.level(node), peers })
    }

    /// The strata below a node without those of one group.
    fn without(&self, node: u32, own: &[usize]) -> (u32, Pool) {
        let (mut peers, mut pool) = self.pools[node as usize].clone();
        let places = &self.crowd.places;
        let below = |at: &&usize| places.tree.upwards(places.leaves[**at]).any(|above| above == node);
        for &at in own.iter().filter(below).filter(|at| sum(&self.histograms[**at]) > 0) {
            peers -= 1;
            pool.remove(&self.histograms[at]);
        }
        (peers, pool)
    }
}

fn sum(histogram: &[u64]) -> u64 {
    histogram.iter().sum()
}

/// The shapes with their weights as one, under the name of the heaviest.
fn mixed(found: &[(u64, Shape)]) -> Option<Shape> {
    let all = found.iter().map(|(weight, _)| *weight).sum::<u64>() as f64;
    let heaviest = found.iter().rev().max_by_key(|(weight, _)| *weight)?;
    let mut shares = vec![0.0; heaviest.1.shares.len()];
    for (weight, shape) in found {
        for (share, part) in shares.iter_mut().zip(&shape.shares) {
            *share += part * *weight as f64 / all;
        }
    }
    Some(Shape { shares, ..heaviest.1.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::column::Col;

    fn of(shares: &[f64], level: Level, peers: u32) -> Shape {
        Shape { shares: shares.to_vec(), level, peers }
    }

    #[test]
    fn offers_weigh_by_the_groups_own_events() {
        let found =
            [(30, of(&[1.0, 0.0], Level::of(&[Col::Offer]), 21)), (10, of(&[0.0, 1.0], Level::ALL, 40))];
        assert_eq!(mixed(&found), Some(of(&[0.75, 0.25], Level::of(&[Col::Offer]), 21)));
        assert_eq!(mixed(&[]), None);
    }

    #[test]
    fn the_first_of_equally_heavy_offers_names_the_level() {
        let found = [(5, of(&[1.0], Level::of(&[Col::Offer]), 20)), (5, of(&[1.0], Level::ALL, 30))];
        assert_eq!(mixed(&found).map(|s| s.peers), Some(20));
    }
}
