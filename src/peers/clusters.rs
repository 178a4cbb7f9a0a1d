//! Re-sold traffic: sources under several names that send the clicks of the same networks.
//!
//! What two sources share is compared with what they would share by chance. Sources of one country share its
//! large carriers, and two large sources have seen nearly every network of it: neither is news. So every
//! network is weighed by how usual it is *among other sources*. Of the others that could show it, per click
//! and per source, in whichever group of sources it is the most usual, follows the chance that a source with
//! so many clicks has it; from these the overlap to expect of the pair. It errs in favour of the sources:
//! clicks come in visits, so fewer draws are made than counted, and the largest of the rates is taken.
//! A median of a source's overlaps with others would not do: it falls with the size of the others, and two
//! honest large sources among small ones would stand out.
//!
//! Who mixes a ring's clicks with those of real visitors has so many networks that a ring's few are lost among them.
//! So clicks are compared, too: sources are linked where a fifth of the clicks of each comes from networks that are
//! *theirs alone*. Those are networks that hold much of the clicks of some sources, of few among all that could show
//! them, and hardly send a click to anybody else. A carrier's networks send clicks to everybody in its country.
//!
//! A cluster says that sources share their visitors. Zones of one site do so, too. It refuses to say anything
//! where fewer than ten other sources of the group show what is usual, and where the cluster itself is most of
//! its group.

use super::combine::cauchy;
use std::collections::BTreeMap;

/// Hashes in a sketch: the overlap is known to ±0.06.
pub const SKETCH: usize = 64;

/// Sources with fewer distinct networks are not compared.
const LEAST_NETWORKS: u64 = 20;

/// The overlap (Jaccard) above which sources are linked, where none is expected (Metwally et al., SLEUTH 2008).
const LEAST_OVERLAP: f64 = 0.2;

/// An expected overlap is deducted this many times: it is an estimate.
const EXPECTED_TIMES: f64 = 2.0;

/// User agents must agree in this share of the clicks.
const LEAST_AGENTS: f64 = 0.5;

/// Where user agents are not known the overlap must be larger by this.
const BLIND_OVERLAP: f64 = 0.2;

/// So many other sources of the group must show what is usual.
const LEAST_OTHERS: usize = 10;

/// Clicks from networks of their own that link sources, as a share of the clicks of each (statistics.md, 2.4).
const LEAST_SHARE: f64 = 0.2;

/// So much of a network's clicks go to sources of whose clicks it holds much, if it is theirs alone.
const OWNED: f64 = 0.95;

/// Of other sources no more than this share may have as much from it.
const FEW: f64 = 0.25;

/// Sources with fewer clicks show no crowded network, and count for nobody's others.
const LEAST_CLICKS: u64 = 100;

/// The first hashes of a sketch by which pairs are found: of sources that overlap by 0.2 all but 3 % share one.
const INDEXED: usize = 16;

/// A source is compared with so many of its neighbours under one hash, in the order of their sketches. Pairs
/// so grow with the number of sources and not with its square; links join over neighbours.
const NEIGHBOURS: usize = 4;

/// The smallest hashes of a set: enough to estimate how far two sets overlap (Broder 1997).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sketch(Vec<u64>);

impl Sketch {
    /// Adds the hash of a network; adding it again changes nothing. Hashes must be spread evenly.
    pub fn insert(&mut self, hash: u64) {
        if self.0.len() == SKETCH && self.0[SKETCH - 1] <= hash {
            return;
        }
        if let Err(at) = self.0.binary_search(&hash) {
            self.0.insert(at, hash);
            self.0.truncate(SKETCH);
        }
    }

    /// Adds what another sketch holds.
    pub fn merge(&mut self, other: &Sketch) {
        other.0.iter().for_each(|hash| self.insert(*hash));
    }

    /// Up to here all hashes of the set are in the sketch.
    fn reach(&self) -> u64 {
        if self.0.len() < SKETCH { u64::MAX } else { self.0[SKETCH - 1] }
    }

    /// The smallest hashes of both sets together, each with whether both have it.
    fn union<'a>(&'a self, other: &'a Sketch) -> impl Iterator<Item = (u64, bool)> + 'a {
        let (mut own, mut others) = (self.0.iter().peekable(), other.0.iter().peekable());
        let next = move || {
            let hash = *[own.peek(), others.peek()].into_iter().flatten().min()?;
            let (here, there) = (own.next_if_eq(&hash).is_some(), others.next_if_eq(&hash).is_some());
            Some((*hash, here && there))
        };
        std::iter::from_fn(next).take(SKETCH)
    }

    /// The estimated overlap (Jaccard) of two sets; 0 for two empty ones.
    fn overlap(&self, other: &Sketch) -> f64 {
        let (all, both) =
            self.union(other).fold((0, 0), |(all, both), (_, is)| (all + 1, both + u32::from(is)));
        f64::from(both) / f64::from(all.max(1))
    }
}

/// The commonest values by their hash with their clicks.
pub type Mix = Vec<(u32, u64)>;

/// What a source's clicks came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Footprint {
    /// The /24 (IPv6 /48) networks of its clicks.
    pub networks: Sketch,
    /// How many different networks.
    pub network_count: u64,
    /// How many clicks.
    pub clicks: u64,
    /// How many of them have a network.
    pub located: u64,
    /// Networks that hold much of the clicks, by their hash, with their clicks.
    pub crowds: Vec<(u64, u64)>,
    /// Sources that compete for the same visitors: the country of most of its clicks, or the peer group.
    pub group: u64,
    /// User agents; empty where they are not known.
    pub agents: Mix,
    /// Shapes of the click IDs. Shown only: sources on one tracker share them, and a reseller writes its own.
    pub masks: Mix,
}

/// Sources that share their visitors.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// Places of the sources in the input, ascending; at least two.
    pub members: Vec<usize>,
    /// The overlap of networks in the weakest link that holds it together, 0 to 1; or of clicks.
    pub least_overlap: f64,
    /// Where clicks make a link: the least number of networks that two linked members have for themselves.
    pub own_networks: Option<u64>,
    /// The largest overlap that was expected for one of the links.
    pub expected_overlap: f64,
    /// The least agreement of user agents in a link; `None` where they are not known for one of them.
    pub least_agents: Option<f64>,
    /// The least agreement of ID shapes in a link; `None` where they are not known for one of them.
    pub least_masks: Option<f64>,
}

/// All clusters of a run, in the order of their first members.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clusters {
    /// The clusters.
    pub clusters: Vec<Cluster>,
    /// For every source the place of its cluster.
    of: Vec<Option<usize>>,
}

impl Clusters {
    /// The cluster of a source, by its place in the input.
    pub fn of(&self, source: usize) -> Option<&Cluster> {
        self.of.get(source).copied().flatten().map(|at| &self.clusters[at])
    }

    /// How many other sources share the networks of a source: the others of its cluster.
    pub fn shared_sources(&self, source: usize) -> usize {
        self.of(source).map_or(0, |cluster| cluster.members.len() - 1)
    }
}

/// ln p of a cluster from those of its members: Cauchy's combination with equal weights, right whatever the
/// dependence, and members depend on each other by nature. `None` where none could be compared.
pub fn together(ln_p: impl Iterator<Item = f64>) -> Option<f64> {
    cauchy(&ln_p.map(|p| (p, 1.0)).collect::<Vec<_>>())
}

/// Finds the sources that share far more networks than is usual, or have networks for themselves, and whose user
/// agents agree. `clicks_of` is how many clicks a network sends to all sources together.
pub fn clusters(sources: &[Footprint], clicks_of: impl Fn(u64) -> u64) -> Clusters {
    // Sources with like sketches become neighbours, in whatever order they came.
    let mut order: Vec<usize> = (0..sources.len()).collect();
    order.sort_by_key(|&at| &sources[at]);
    let sorted: Vec<&Footprint> = order.iter().map(|&at| &sources[at]).collect();
    let (usual, owned) = (Usual::of(&sorted), Owned::of(&sorted, clicks_of));
    let link = |a: usize, b: usize| usual.link(sorted[a], sorted[b]).or_else(|| owned.link(a, b));
    let linked = |(a, b)| link(a, b).map(|link| (order[a], order[b], link));
    let mut index = indexed(&sorted);
    index.extend(owned.index());
    joined(sources.len(), &near(index).into_iter().filter_map(linked).collect::<Vec<_>>())
}

/// The smallest hashes of every source that is compared by networks.
fn indexed(sources: &[&Footprint]) -> Vec<(u64, usize)> {
    let large = sources.iter().enumerate().filter(|(_, s)| s.network_count >= LEAST_NETWORKS);
    large.flat_map(|(at, s)| s.networks.0.iter().take(INDEXED).map(move |hash| (*hash, at))).collect()
}

/// Pairs that share a hash and stand near each other under it.
fn near(mut index: Vec<(u64, usize)>) -> Vec<(usize, usize)> {
    index.sort_unstable();
    index.dedup();
    let near = |same: &[(u64, usize)], i: usize| -> Vec<(usize, usize)> {
        same[i + 1..].iter().take(NEIGHBOURS).map(|other| (same[i].1, other.1)).collect()
    };
    let mut pairs: Vec<(usize, usize)> = index
        .chunk_by(|a, b| a.0 == b.0)
        .flat_map(|same| (0..same.len()).flat_map(move |i| near(same, i)))
        .collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

/// Why two sources are linked.
#[derive(Clone, Copy, Debug)]
struct Link {
    overlap: f64,
    expected: f64,
    agents: Option<f64>,
    masks: Option<f64>,
    own_networks: Option<u64>,
}

/// Networks that some sources have for themselves.
struct Owned<'s> {
    sources: &'s [&'s Footprint],
    /// By network the sources of whose clicks it holds much.
    holders: BTreeMap<u64, Vec<usize>>,
    /// Sources with enough clicks, by group.
    able: BTreeMap<u64, usize>,
}

impl<'s> Owned<'s> {
    fn of(sources: &'s [&'s Footprint], clicks_of: impl Fn(u64) -> u64) -> Owned<'s> {
        let (mut holders, mut able) = (BTreeMap::<u64, (Vec<usize>, u64)>::new(), BTreeMap::new());
        for (at, source) in sources.iter().enumerate() {
            *able.entry(source.group).or_default() += usize::from(source.clicks >= LEAST_CLICKS);
            for (network, clicks) in &source.crowds {
                let (of_network, sum) = holders.entry(*network).or_default();
                of_network.push(at);
                *sum += clicks;
            }
        }
        let own = |network: u64, sum: u64| sum as f64 >= OWNED * clicks_of(network) as f64;
        let shared = holders.into_iter().filter(|(network, (of, sum))| of.len() > 1 && own(*network, *sum));
        Owned { sources, holders: shared.map(|(network, (of, _))| (network, of)).collect(), able }
    }

    /// Every network with its holders.
    fn index(&self) -> impl Iterator<Item = (u64, usize)> {
        self.holders.iter().flat_map(|(network, holders)| holders.iter().map(|at| (*network, *at)))
    }

    /// The link of two sources, if much of the clicks of each comes from networks that are theirs alone and their
    /// user agents agree.
    fn link(&self, a: usize, b: usize) -> Option<Link> {
        let (one, other) = (self.sources[a], self.sources[b]);
        let share = |clicks: u64, of: &Footprint| clicks as f64 / of.located.max(1) as f64;
        let least = |&(network, clicks): &(u64, u64)| {
            let at = other.crowds.binary_search_by_key(&network, |crowd| crowd.0).ok()?;
            let alone = self.holders.get(&network).is_some_and(|holders| self.are_few(holders, a, b));
            alone.then(|| share(clicks, one).min(share(other.crowds[at].1, other)))
        };
        let shares: Vec<f64> = one.crowds.iter().filter_map(least).collect();
        let (overlap, agents) = (shares.iter().sum::<f64>(), agreement(&one.agents, &other.agents));
        let needed = LEAST_SHARE + if agents.is_none() { BLIND_OVERLAP } else { 0.0 };
        if overlap < needed || agents.is_some_and(|share| share < LEAST_AGENTS) {
            return None;
        }
        let masks = agreement(&one.masks, &other.masks);
        Some(Link { overlap, expected: 0.0, agents, masks, own_networks: Some(shares.len() as u64) })
    }

    /// Whether hardly another source has as much of a network. Those of the country could, or of any country if the
    /// pair is not of one.
    fn are_few(&self, holders: &[usize], a: usize, b: usize) -> bool {
        let group = self.sources[a].group;
        let together = group == self.sources[b].group;
        let able: usize = if together { self.able[&group] } else { self.able.values().sum() };
        let others = able.saturating_sub(2);
        let counts = |at: &&usize| **at != a && **at != b && (!together || self.sources[**at].group == group);
        others >= LEAST_OTHERS && holders.iter().filter(counts).count() as f64 <= FEW * others as f64
    }
}

/// How usual each network is in each group of sources.
struct Usual {
    /// Hash, group and how many sources of the group show it; sorted.
    shown: Vec<(u64, u64, u32)>,
    groups: BTreeMap<u64, Group>,
}

/// The sources of a group by the reach of their sketches, descending, with how many clicks they have up to
/// there.
#[derive(Default)]
struct Group {
    reaches: Vec<u64>,
    clicks: Vec<f64>,
}

impl Group {
    /// How many sources would show a hash if they had the network, and their clicks.
    fn able(&self, hash: u64) -> (usize, f64) {
        let count = self.reaches.partition_point(|reach| *reach >= hash);
        (count, if count == 0 { 0.0 } else { self.clicks[count - 1] })
    }
}

impl Usual {
    fn of(sources: &[&Footprint]) -> Usual {
        let mut all: Vec<(u64, u64)> =
            sources.iter().flat_map(|s| s.networks.0.iter().map(|hash| (*hash, s.group))).collect();
        all.sort_unstable();
        let shown =
            all.chunk_by(|a, b| a == b).map(|same| (same[0].0, same[0].1, same.len() as u32)).collect();
        let mut by_reach: Vec<&&Footprint> = sources.iter().collect();
        by_reach.sort_by_key(|s| (std::cmp::Reverse(s.networks.reach()), s.clicks));
        let mut groups: BTreeMap<u64, Group> = BTreeMap::new();
        for source in by_reach {
            let group = groups.entry(source.group).or_default();
            group.reaches.push(source.networks.reach());
            group.clicks.push(group.clicks.last().unwrap_or(&0.0) + source.clicks as f64);
        }
        Usual { shown, groups }
    }

    /// The link of two sources, if they overlap by far more than expected and their user agents agree.
    fn link(&self, a: &Footprint, b: &Footprint) -> Option<Link> {
        let overlap = a.networks.overlap(&b.networks);
        if overlap <= LEAST_OVERLAP || !self.can_tell(a, b) {
            return None;
        }
        let agents = agreement(&a.agents, &b.agents);
        let least = LEAST_OVERLAP + if agents.is_none() { BLIND_OVERLAP } else { 0.0 };
        let expected = self.expected_overlap(a, b);
        if overlap <= least + EXPECTED_TIMES * expected || agents.is_some_and(|share| share < LEAST_AGENTS) {
            return None;
        }
        let masks = agreement(&a.masks, &b.masks);
        Some(Link { overlap, expected, agents, masks, own_networks: None })
    }

    /// The overlap to expect had each drawn its clicks by itself.
    fn expected_overlap(&self, a: &Footprint, b: &Footprint) -> f64 {
        let chances: Vec<f64> =
            a.networks.union(&b.networks).map(|(hash, _)| self.shared_by_chance(hash, a, b)).collect();
        chances.iter().sum::<f64>() / chances.len().max(1) as f64
    }

    /// Both groups have enough other sources to tell what is usual.
    fn can_tell(&self, a: &Footprint, b: &Footprint) -> bool {
        let least = LEAST_OTHERS + 1 + usize::from(a.group == b.group);
        [a, b].iter().all(|s| self.groups[&s.group].reaches.len() >= least)
    }

    /// The chance that both have a network that one of them has, had each drawn its clicks by itself.
    fn shared_by_chance(&self, hash: u64, a: &Footprint, b: &Footprint) -> f64 {
        let from = self.shown.partition_point(|shown| shown.0 < hash);
        let (mut of_a, mut of_b) = (0.0f64, 0.0f64);
        for shown in self.shown[from..].iter().take_while(|shown| shown.0 == hash) {
            let others = self.others(shown, [a, b]);
            (of_a, of_b) = (of_a.max(others.chance(a.clicks)), of_b.max(others.chance(b.clicks)));
        }
        let either = of_a + of_b - of_a * of_b;
        if either > 0.0 { of_a * of_b / either } else { 0.0 }
    }

    /// What the sources of a group besides the pair show of a network.
    fn others(&self, &(hash, group, count): &(u64, u64, u32), pair: [&Footprint; 2]) -> Others {
        let (mut able, mut clicks) = self.groups[&group].able(hash);
        let mut have = count as usize;
        for own in pair.iter().filter(|s| s.group == group && s.networks.reach() >= hash) {
            (able, clicks) = (able - 1, clicks - own.clicks as f64);
            have -= usize::from(own.networks.0.binary_search(&hash).is_ok());
        }
        Others { have: have as f64, able: able as f64, clicks }
    }
}

/// Other sources that have a network, of those that would show it, and the clicks of these.
struct Others {
    have: f64,
    able: f64,
    clicks: f64,
}

impl Others {
    /// The chance that a source with so many clicks has the network: by how many per click have it, or by how
    /// many have it at all (with two more that do not), whichever is larger.
    fn chance(&self, clicks: u64) -> f64 {
        let by_clicks = -(-(clicks as f64) * self.have / self.clicks.max(1.0)).exp_m1();
        by_clicks.max(self.have / (self.able + 2.0))
    }
}

/// The share of clicks in which two mixes agree; `None` where one is empty.
fn agreement(a: &Mix, b: &Mix) -> Option<f64> {
    let sum = |mix: &Mix| mix.iter().map(|(_, count)| *count as f64).sum::<f64>();
    let (all_a, all_b) = (sum(a), sum(b));
    if all_a <= 0.0 || all_b <= 0.0 {
        return None;
    }
    let shares: BTreeMap<u32, f64> = a.iter().map(|(hash, count)| (*hash, *count as f64 / all_a)).collect();
    let common = b.iter().filter_map(|(hash, count)| Some(shares.get(hash)?.min(*count as f64 / all_b)));
    Some(common.sum())
}

/// Joins linked sources into clusters.
fn joined(sources: usize, links: &[(usize, usize, Link)]) -> Clusters {
    let mut parents: Vec<usize> = (0..sources).collect();
    for (a, b, _) in links {
        let (a, b) = (root(&mut parents, *a), root(&mut parents, *b));
        parents[a.max(b)] = a.min(b);
    }
    let mut members: BTreeMap<usize, Cluster> = BTreeMap::new();
    for (a, _, link) in links {
        members.entry(root(&mut parents, *a)).or_insert_with(|| Cluster::of(link)).take(link);
    }
    let places: BTreeMap<usize, usize> = members.keys().copied().zip(0..).collect();
    let of: Vec<Option<usize>> =
        (0..sources).map(|source| places.get(&root(&mut parents, source)).copied()).collect();
    let mut clusters: Vec<Cluster> = members.into_values().collect();
    for (source, at) in of.iter().enumerate().filter_map(|(source, at)| Some((source, (*at)?))) {
        clusters[at].members.push(source);
    }
    Clusters { clusters, of }
}

/// The first source of a cluster so far, with the way to it made short.
fn root(parents: &mut [usize], mut at: usize) -> usize {
    while parents[at] != at {
        parents[at] = parents[parents[at]];
        at = parents[at];
    }
    at
}

impl Cluster {
    fn of(link: &Link) -> Cluster {
        Cluster {
            members: Vec::new(),
            least_overlap: link.overlap,
            own_networks: link.own_networks,
            expected_overlap: link.expected,
            least_agents: link.agents,
            least_masks: link.masks,
        }
    }

    fn take(&mut self, link: &Link) {
        let least = |a: Option<f64>, b: Option<f64>| Some(a?.min(b?));
        self.least_overlap = self.least_overlap.min(link.overlap);
        self.own_networks = self.own_networks.into_iter().chain(link.own_networks).min();
        self.expected_overlap = self.expected_overlap.max(link.expected);
        self.least_agents = least(self.least_agents, link.agents);
        self.least_masks = least(self.least_masks, link.masks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::anomaly::Draws;

    /// Clusters by networks alone.
    fn by_networks(sources: &[Footprint]) -> Clusters {
        clusters(sources, |_| 0)
    }

    /// A number spread evenly over 64 bits.
    fn spread(network: u64) -> u64 {
        let mut draws = Draws::new(network);
        (0..2).fold(0, |hash, _| hash << 32 | draws.below(1 << 32) as u64)
    }

    /// A source of `clicks` over networks that `draw` gives.
    fn source(group: u64, clicks: u64, agents: Mix, mut draw: impl FnMut() -> u64) -> Footprint {
        let mut footprint = Footprint { clicks, group, agents, ..Footprint::default() };
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..clicks {
            seen.insert(draw());
        }
        seen.iter().for_each(|network| footprint.networks.insert(spread(*network)));
        Footprint { network_count: seen.len() as u64, ..footprint }
    }

    /// Phones that are common in a country.
    fn phones(draws: &mut Draws) -> Mix {
        (0..8).map(|model| (model, 100 + draws.below(60) as u64 - 8 * u64::from(model))).collect()
    }

    /// An honest source of a country with so many networks, a few of which have most users.
    fn honest(draws: &mut Draws, country: u64, networks: f64, clicks: u64) -> Footprint {
        let agents = phones(draws);
        source(country, clicks, agents, || country << 40 | (networks * draws.unit().powi(3)) as u64)
    }

    /// Sub-sources that all send from the same rented networks.
    fn resold(draws: &mut Draws, country: u64, count: usize) -> Vec<Footprint> {
        let mix: Mix = (0..8).map(|model| (model, 90)).collect();
        (0..count).map(|_| source(country, 900, mix.clone(), || 7 << 50 | draws.below(300) as u64)).collect()
    }

    /// Two countries of small, and two of large honest sources among them; carriers have few networks.
    fn country(draws: &mut Draws, networks: f64) -> Vec<Footprint> {
        let mut sources = Vec::new();
        for country in [1, 2] {
            for i in 0..60 {
                sources.push(honest(draws, country, networks, 60 + 20 * (i % 12)));
            }
            sources.push(honest(draws, country, networks, 40_000));
            sources.push(honest(draws, country, networks, 50_000));
        }
        sources
    }

    #[test]
    fn resold_traffic_is_one_cluster_and_nobody_else_is_in_it() {
        let mut draws = Draws::new(31);
        for networks in [300.0, 5_000.0, 100_000.0] {
            let mut sources = country(&mut draws, networks);
            let from = sources.len();
            sources.extend(resold(&mut draws, 1, 6));
            let found = by_networks(&sources);
            assert_eq!(found.clusters.len(), 1, "{networks}: {:?}", found.clusters);
            assert_eq!(found.clusters[0].members, (from..from + 6).collect::<Vec<_>>());
            assert_eq!((found.shared_sources(from), found.shared_sources(0)), (5, 0));
            assert!(found.of(from).is_some_and(|c| c.least_overlap > 0.6 && c.least_agents > Some(0.9)));
        }
    }

    /// Carriers shared by all, large sources that have seen every network, and half of the clicks from abroad.
    #[test]
    fn honest_sources_are_no_cluster() {
        let mut draws = Draws::new(32);
        for networks in [100.0, 300.0, 2_000.0, 20_000.0] {
            let mut sources = country(&mut draws, networks);
            for _ in 0..4 {
                let agents = phones(&mut draws);
                let mut draw = || {
                    let home = 1 + draws.below(2) as u64;
                    home << 40 | (networks * draws.unit().powi(3)) as u64
                };
                sources.push(source(1, 8_000, agents, &mut draw));
            }
            let found = by_networks(&sources);
            assert!(found.clusters.is_empty(), "{networks}: {:?}", found.clusters);
        }
    }

    /// Sources of two countries, six tenths of whose clicks come from six networks: with all clicks of these.
    fn ring(sources: &mut Vec<Footprint>, of: &[(u64, u64)], networks: u64) {
        let mix: Mix = (0..8).map(|model| (model, 90)).collect();
        for (number, (country, clicks)) in (100..).zip(of) {
            let mut draws = Draws::new(number);
            let mut footprint = honest(&mut draws, *country, 5_000.0, clicks * 2 / 5);
            footprint.crowds = (0..networks).map(|network| (network, clicks * 3 / 5 / networks)).collect();
            sources.push(Footprint { clicks: *clicks, located: *clicks, agents: mix.clone(), ..footprint });
        }
    }

    #[test]
    fn a_ring_is_found_among_the_real_visitors_it_hides_behind() {
        let mut draws = Draws::new(36);
        let mut sources = country(&mut draws, 5_000.0);
        let (from, of) = (sources.len(), [(1, 3_000), (2, 500), (1, 900)]);
        ring(&mut sources, &of, 6);
        assert!(clusters(&sources, |_| 4_000).clusters.is_empty(), "everybody has clicks from there");
        let found = clusters(&sources, |_| 450);
        assert_eq!(found.clusters.len(), 1, "{:?}", found.clusters);
        let cluster = &found.clusters[0];
        assert_eq!((&cluster.members, cluster.own_networks), (&vec![from, from + 1, from + 2], Some(6)));
        assert!(
            (cluster.least_overlap - 0.6).abs() < 0.01 && cluster.least_agents > Some(0.9),
            "{cluster:?}"
        );
    }

    /// The crowded networks of a carrier that most sources of a country have, and too few others to tell.
    #[test]
    fn what_many_have_and_what_nobody_can_tell_is_no_ring() {
        let mut draws = Draws::new(37);
        let mut sources = country(&mut draws, 5_000.0);
        ring(&mut sources, &[(1, 800); 40], 6);
        assert!(clusters(&sources, |_| 3_200).clusters.is_empty());
        let mut few = Vec::new();
        ring(&mut few, &[(1, 800), (2, 900), (1, 700)], 6);
        assert!(clusters(&few, |_| 240).clusters.is_empty());
    }

    #[test]
    fn other_phones_contradict_and_unknown_ones_ask_for_more() {
        let mut draws = Draws::new(33);
        let mut sources = country(&mut draws, 5_000.0);
        let mut pair = resold(&mut draws, 1, 2);
        pair[1].agents = vec![(99, 10)];
        sources.extend(pair);
        assert!(by_networks(&sources).clusters.is_empty());
        let last = sources.len() - 1;
        sources[last].agents.clear();
        let found = by_networks(&sources);
        assert_eq!((found.clusters.len(), found.clusters[0].least_agents), (1, None));
    }

    #[test]
    fn nothing_is_said_without_others_or_networks() {
        let mut draws = Draws::new(34);
        assert_eq!(by_networks(&[]), Clusters::default());
        assert!(by_networks(&[Footprint::default()]).clusters.is_empty());
        assert!(by_networks(&vec![Footprint::default(); 50]).clusters.is_empty());
        assert!(by_networks(&resold(&mut draws, 1, 11)).clusters.is_empty());
        let mut two_abroad = country(&mut draws, 5_000.0);
        two_abroad.extend(resold(&mut draws, 9, 2));
        assert!(by_networks(&two_abroad).clusters.is_empty());
        let small: Vec<Footprint> =
            (0..9).map(|_| source(1, 500, vec![], || draws.below(19) as u64)).collect();
        let mut sources = country(&mut draws, 5_000.0);
        sources.extend(small);
        assert!(by_networks(&sources).clusters.is_empty());
    }

    #[test]
    fn the_order_of_sources_does_not_matter() {
        let mut draws = Draws::new(35);
        let mut sources = country(&mut draws, 3_000.0);
        sources.extend(resold(&mut draws, 1, 5));
        sources.extend(vec![sources[sources.len() - 1].clone(); 7]);
        let found = by_networks(&sources).clusters;
        let last = sources.len() - 1;
        sources.reverse();
        let mut turned = by_networks(&sources).clusters;
        turned.iter_mut().for_each(|c| c.members = c.members.iter().rev().map(|at| last - at).collect());
        assert_eq!(found, turned);
        assert_eq!(found[0].members.len(), 12);
    }

    #[test]
    fn sketches_estimate_the_overlap_and_merge() {
        let sketch = |range: std::ops::Range<u64>| {
            let mut sketch = Sketch::default();
            range.rev().for_each(|network| sketch.insert(spread(network)));
            sketch
        };
        let (a, b) = (sketch(0..3_000), sketch(1_000..4_000));
        let overlap = a.overlap(&b);
        assert!((overlap - 0.5).abs() < 0.2, "{overlap}");
        let mut merged = a.clone();
        merged.merge(&b);
        assert_eq!(merged, sketch(0..4_000));
    }

    #[test]
    fn mixes_agree_by_their_common_share() {
        let agree = |a: &[(u32, u64)], b: &[(u32, u64)]| agreement(&a.to_vec(), &b.to_vec());
        assert_eq!(agree(&[(1, 3), (2, 1)], &[(1, 50), (3, 50)]), Some(0.5));
        assert_eq!(agree(&[(1, u64::MAX)], &[(1, 1)]), Some(1.0));
        assert_eq!(agree(&[(1, 1)], &[(2, 1)]), Some(0.0));
        assert_eq!(agree(&[], &[(2, 1)]), None);
        assert_eq!(agree(&[(2, 0)], &[(2, 1)]), None);
    }
}
