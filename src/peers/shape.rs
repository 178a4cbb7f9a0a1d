//! How the events of a group are spread over buckets, beside its peers: for people to look at, never a test.

use super::fit;
use super::places::{Level, Places};
use crate::measures::{GrainMeasures, Totals};
use std::collections::BTreeMap;

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
    /// Groups with events below each node.
    votes: Vec<Votes>,
}

/// The histograms of groups, each with one vote, whatever the number of its events: a line in a picture says how the
/// others are spread, and a fraud with most of the events is one of them. (The test of a shape weighs events, up to a
/// bound: a vote of three events knows little.) Whole parts of a vote, so that no order of groups shows.
#[derive(Clone, Debug, Default)]
struct Votes {
    groups: u32,
    parts: Vec<u64>,
}

/// The parts of one vote: two hundred thousand groups stay far below 2^64.
const PARTS: u128 = 1 << 32;

impl Votes {
    fn new(buckets: usize) -> Votes {
        Votes { groups: 0, parts: vec![0; buckets] }
    }

    fn add(&mut self, histogram: &[u64]) {
        self.groups += 1;
        self.parts.iter_mut().zip(vote(histogram)).for_each(|(all, own)| *all += own);
    }

    /// Takes a group out again that was added before.
    fn remove(&mut self, histogram: &[u64]) {
        self.groups -= 1;
        self.parts.iter_mut().zip(vote(histogram)).for_each(|(all, own)| *all -= own);
    }

    /// The share of every bucket, 0 to 1; all 0 where nobody was added.
    fn shares(&self) -> Vec<f64> {
        let all: u64 = self.parts.iter().sum();
        self.parts.iter().map(|own| *own as f64 / all.max(1) as f64).collect()
    }
}

/// One vote, dealt out by the events of each bucket.
fn vote(histogram: &[u64]) -> impl Iterator<Item = u64> {
    let all = u128::from(sum(histogram).max(1));
    histogram.iter().map(move |n| (u128::from(*n) * PARTS / all) as u64)
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
        let mut votes = vec![Votes::new(buckets); self.places.tree.len()];
        for own in &self.members {
            for (node, histogram) in self.by_node(own, &histograms) {
                votes[node as usize].add(&histogram);
            }
        }
        Shapes { crowd: self, histograms, votes }
    }

    /// What strata of one group have below each node: those with events.
    fn by_node(&self, own: &[usize], histograms: &[Vec<u64>]) -> BTreeMap<u32, Vec<u64>> {
        let mut by_node: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        for &at in own.iter().filter(|at| sum(&histograms[**at]) > 0) {
            for node in self.places.tree.upwards(self.places.leaves[at]) {
                let below = by_node.entry(node).or_insert_with(|| vec![0; histograms[at].len()]);
                below.iter_mut().zip(&histograms[at]).for_each(|(all, n)| *all += n);
            }
        }
        by_node
    }
}

impl Shapes<'_> {
    /// The shape that the group at place `group` would have if its events were spread as its peers' are.
    ///
    /// Every stratum of the group has the narrowest level with enough peers, the group itself left out; there each
    /// of the others has an equal vote. The strata's shapes are weighted by the group's own events in them, so that a
    /// difference is none of the mix of offers. `None` where there are too few peers.
    pub fn of(&self, group: usize) -> Option<Shape> {
        let own = &self.crowd.members[group];
        let below = self.crowd.by_node(own, &self.histograms);
        let found: Vec<(u64, Shape)> = own
            .iter()
            .filter_map(|&at| Some((sum(&self.histograms[at]), self.around(at, &below)?)))
            .collect();
        mixed(&found)
    }

    /// The shape of the peers of a stratum that has events; `own` is what its group has below each node.
    fn around(&self, stratum: usize, own: &BTreeMap<u32, Vec<u64>>) -> Option<Shape> {
        if sum(&self.histograms[stratum]) == 0 {
            return None;
        }
        let places = &self.crowd.places;
        let enough = fit::Settings::RATES.min_peers;
        let mut levels = places.tree.upwards(places.leaves[stratum]);
        // The group itself is below every node above its stratum.
        let node = levels.find(|node| self.votes[*node as usize].groups > enough)?;
        let mut others = self.votes[node as usize].clone();
        others.remove(&own[&node]);
        Some(Shape { shares: others.shares(), level: places.level(node), peers: others.groups })
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
    use crate::base::column::{Col, Grain};
    use crate::measures::{Group, M, PEER_COLUMNS, STRATUM_COLUMNS, Stratum};
    use std::sync::Arc;

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
    fn a_group_has_one_vote_however_many_events_it_has() {
        let mut votes = Votes::new(2);
        (0..9).for_each(|_| votes.add(&[0, 3]));
        votes.add(&[9_000_000, 0]);
        assert_eq!((votes.groups, votes.shares()), (10, vec![0.1, 0.9]));
        votes.remove(&[9_000_000, 0]);
        assert_eq!((votes.groups, votes.shares()), (9, vec![0.0, 1.0]));
        assert_eq!(Votes::new(2).shares(), [0.0, 0.0]);
    }

    /// Two hundred frauds of two thousand sources have most of the conversions, and are a tenth of the picture.
    #[test]
    fn frauds_with_most_of_the_events_are_no_more_than_their_number() {
        let stratum = |group: usize, offer: &str, events: [u64; 2]| Stratum {
            group,
            key: STRATUM_COLUMNS.iter().map(|_| Some(offer.to_owned())).collect(),
            mostly: PEER_COLUMNS.iter().map(|_| None).collect(),
            totals: Arc::new(Totals::of(&[], &[(M::Ctit, &[(0, events[0]), (1, events[1])])], vec![])),
        };
        let mut strata = Vec::new();
        for group in 0..200 {
            // A fraud has both offers, and still one vote.
            let events = if group < 20 { [90, 0] } else { [0, 2] };
            strata.push(stratum(group, "a", events));
            strata.extend((group < 20).then(|| stratum(group, "b", events)));
        }
        let nothing = Arc::new(Totals::of(&[], &[], vec![]));
        let group = |at| Group { key: vec![None, Some(format!("{at:03}"))], totals: Arc::clone(&nothing) };
        let groups = (0..200).map(group).collect();
        let measures = GrainMeasures {
            grain: Grain::source(),
            groups,
            strata,
            beyond: None,
            network_clicks: Default::default(),
        };
        let crowd = Crowd::new(&measures, &[]);
        let shapes = crowd.shapes(|totals| {
            let mut counts = vec![0; 2];
            totals.values(M::Ctit).iter().for_each(|&(second, n)| counts[second as usize] += n);
            counts
        });
        let honest = shapes.of(199).expect("there are peers");
        assert_eq!(honest.peers, 199);
        assert!((honest.shares[0] - 20.0 / 199.0).abs() < 1e-6, "{honest:?}");
        let fraud = shapes.of(0).expect("there are peers");
        assert_eq!(fraud.peers, 199);
    }

    #[test]
    fn the_first_of_equally_heavy_offers_names_the_level() {
        let found = [(5, of(&[1.0], Level::of(&[Col::Offer]), 20)), (5, of(&[1.0], Level::ALL, 30))];
        assert_eq!(mixed(&found).map(|s| s.peers), Some(20));
    }
}
