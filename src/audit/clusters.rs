//! Sources that send the same visitors under several names, and the verdict on them as one.

use crate::base::column::Col;
use crate::base::money::Micro;
use crate::measures::{Facts, GrainMeasures, Identity, M, PEER_COLUMNS, Stratum};
use crate::peers::clusters::{self, Cluster, Footprint, Sketch};
use crate::verdicts::{Judged, Resold, Shared, verdict_on};
use std::collections::{BTreeMap, BTreeSet};

/// Finds clusters among the groups of a grain, tells each group of its own, and judges them.
///
/// `groups` are those of `measures`, in their order.
pub fn resold(measures: &GrainMeasures, groups: &mut [Judged]) -> Vec<Resold> {
    let footprints = footprints(measures);
    let found = clusters::clusters(&footprints, |network| measures.network_clicks.of(network));
    let mut resold = Vec::new();
    for (at, cluster) in found.clusters.iter().enumerate() {
        let verdict = on_cluster(cluster, &footprints, groups);
        for &member in &cluster.members {
            let others = cluster.members.len() - 1;
            groups[member].outlook.shared = Some(Shared { cluster: at, others, verdict: verdict.verdict });
        }
        resold.push(verdict);
    }
    resold
}

/// The cluster as a group: the strongest verdict of a member, p combined over members, amounts added up.
fn on_cluster(cluster: &Cluster, footprints: &[Footprint], groups: &[Judged]) -> Resold {
    let members: Vec<&Judged> = cluster.members.iter().map(|&at| &groups[at]).collect();
    let (verdict, carried_by) = verdict_on(&members);
    let sum = |of: &dyn Fn(&Judged) -> Option<Micro>| {
        members.iter().filter_map(|m| of(m)).reduce(|a, b| Micro(a.0.saturating_add(b.0)))
    };
    let smallest = cluster.members.iter().map(|&at| footprints[at].network_count).min().unwrap_or(0);
    Resold {
        overlap: cluster.least_overlap,
        expected_overlap: cluster.expected_overlap,
        of_clicks: cluster.own_networks.is_some(),
        shared_networks: cluster
            .own_networks
            .unwrap_or_else(|| shared_networks(cluster.least_overlap, smallest)),
        agents: cluster.least_agents,
        verdict,
        carried_by,
        ln_p: clusters::together(members.iter().filter_map(|m| m.subject.profile.ln_p)),
        clicks: members.iter().fold(0, |sum: u64, m| sum.saturating_add(m.subject.clicks)),
        cost: sum(&|m| m.subject.spend),
        money_at_risk: sum(&|m| m.money_at_risk),
    }
}

/// Two sets of at least `smallest` that overlap by `j` (Jaccard) share at least j / (1 + j) × 2 × `smallest`.
fn shared_networks(j: f64, smallest: u64) -> u64 {
    (j / (1.0 + j) * 2.0 * smallest as f64).round() as u64
}

/// What every group's clicks came from.
fn footprints(measures: &GrainMeasures) -> Vec<Footprint> {
    let mut strata: Vec<Vec<&Stratum>> = vec![Vec::new(); measures.groups.len()];
    measures.strata.iter().for_each(|stratum| strata[stratum.group].push(stratum));
    let countries: Vec<Option<&str>> = strata.iter().map(|of_group| country(of_group)).collect();
    let known: BTreeSet<Option<&str>> = countries.iter().copied().collect();
    let numbers: BTreeMap<Option<&str>, u64> = known.into_iter().zip(0..).collect();
    let of = |(group, country): (&crate::measures::Group, &Option<&str>)| {
        footprint(group.totals.facts(), numbers[country])
    };
    measures.groups.iter().zip(&countries).map(of).collect()
}

fn footprint(facts: &Facts, group: u64) -> Footprint {
    let mut networks = Sketch::default();
    facts.networks.iter().for_each(|hash| networks.insert(*hash));
    let mut crowds: Vec<(u64, u64)> =
        facts.crowded.iter().map(|crowd| (crowd.network, u64::from(crowd.clicks))).collect();
    crowds.sort_unstable();
    Footprint {
        networks,
        network_count: facts.distinct(Identity::Net),
        clicks: facts.clicks(),
        located: facts.identified(Identity::Net),
        crowds,
        group,
        agents: facts.agents().iter().map(|&(agent, clicks)| (agent, u64::from(clicks))).collect(),
        // Shapes of click IDs are the tracker's, which sources share by nature.
        masks: Vec::new(),
    }
}

/// The country that most clicks of a group's strata are mostly from.
fn country<'s>(strata: &[&'s Stratum]) -> Option<&'s str> {
    let place = PEER_COLUMNS.iter().position(|c| *c == Col::Country).expect("peers are found by country");
    let mut clicks: BTreeMap<Option<&str>, i64> = BTreeMap::new();
    for stratum in strata {
        let text = stratum.mostly.get(place).and_then(|text| text.as_deref());
        *clicks.entry(text).or_default() += stratum.totals.get(M::Clicks).unwrap_or(0);
    }
    clicks.into_iter().max_by_key(|(_, clicks)| *clicks).and_then(|(text, _)| text)
}

#[cfg(test)]
mod tests {
    use super::shared_networks;

    #[test]
    fn shared_networks_follow_from_the_overlap() {
        assert_eq!(shared_networks(1.0, 300), 300);
        assert_eq!(shared_networks(0.5, 300), 200);
        assert_eq!(shared_networks(0.0, 300), 0);
    }
}
