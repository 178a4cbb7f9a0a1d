//! How the events of a group are spread over buckets, beside its peers: for people to look at, never a test.

use super::fit;
use super::places::Places;
use super::scan::Pool;
use crate::measures::{GrainMeasures, Totals};
use std::sync::Arc;

/// How the events of a group's peers are spread.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// The share of each bucket, 0 to 1.
    pub shares: Vec<f64>,
    /// The level at which the peers of most of the group's events were found, and how many there are.
    pub level: Arc<str>,
    pub peers: u32,
}

/// The shape that the group at place `group` would have if its events were spread as its peers' are.
///
/// Every stratum of the group has the narrowest level with enough peers, itself left out; there each peer has an
/// equal vote. The strata's shapes are weighted by the group's own events in them, so that a difference is none of
/// the mix of offers. `histogram` gives the counts of a stratum by bucket. `None` where there are too few peers.
pub fn shape(
    measures: &GrainMeasures,
    group: usize,
    trusted: &[String],
    histogram: impl Fn(&Totals) -> Vec<u64>,
) -> Option<Shape> {
    let places = Places::new(measures, trusted);
    let histograms: Vec<Vec<u64>> = measures.strata.iter().map(|s| histogram(&s.totals)).collect();
    let crowd = Crowd { measures, group, places: &places, histograms: &histograms };
    let own = (0..histograms.len()).filter(|&at| measures.strata[at].group == group);
    let found: Vec<(u64, Shape)> =
        own.filter_map(|at| Some((sum(&histograms[at]), crowd.around(at)?))).collect();
    mixed(&found)
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

/// All strata of a grain, seen from one group.
struct Crowd<'a> {
    measures: &'a GrainMeasures,
    group: usize,
    places: &'a Places,
    histograms: &'a [Vec<u64>],
}

impl Crowd<'_> {
    /// The shape of the peers of a stratum that has events.
    fn around(&self, stratum: usize) -> Option<Shape> {
        if sum(&self.histograms[stratum]) == 0 {
            return None;
        }
        let mut levels = self.places.tree.upwards(self.places.leaves[stratum]);
        let enough = fit::Settings::RATES.min_peers as usize;
        let (node, peers) = levels
            .find_map(|node| Some((node, self.peers(node))).filter(|(_, peers)| peers.len() >= enough))?;
        Some(Shape { shares: self.pooled(&peers), level: self.places.level(node), peers: peers.len() as u32 })
    }

    /// The strata of other groups below a node that have events.
    fn peers(&self, node: u32) -> Vec<usize> {
        let below = |at: &usize| self.places.tree.upwards(self.places.leaves[*at]).any(|above| above == node);
        let other = |at: &usize| self.measures.strata[*at].group != self.group;
        (0..self.histograms.len())
            .filter(other)
            .filter(|at| sum(&self.histograms[*at]) > 0)
            .filter(below)
            .collect()
    }

    fn pooled(&self, peers: &[usize]) -> Vec<f64> {
        let buckets = self.histograms[peers[0]].len();
        let mut pool = Pool::new(buckets as u16);
        peers.iter().for_each(|at| pool.add(&self.histograms[*at]));
        let votes = pool.without(&vec![0; buckets]);
        let all: f64 = votes.iter().sum();
        votes.iter().map(|vote| vote / all).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(shares: &[f64], level: &str, peers: u32) -> Shape {
        Shape { shares: shares.to_vec(), level: level.into(), peers }
    }

    #[test]
    fn offers_weigh_by_the_groups_own_events() {
        let found = [(30, of(&[1.0, 0.0], "offer", 21)), (10, of(&[0.0, 1.0], "all", 40))];
        assert_eq!(mixed(&found), Some(of(&[0.75, 0.25], "offer", 21)));
        assert_eq!(mixed(&[]), None);
    }

    #[test]
    fn the_first_of_equally_heavy_offers_names_the_level() {
        let found = [(5, of(&[1.0], "offer", 20)), (5, of(&[1.0], "all", 30))];
        assert_eq!(mixed(&found).map(|s| s.peers), Some(20));
    }
}
