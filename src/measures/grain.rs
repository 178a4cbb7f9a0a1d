//! One grain's accumulators, and the measures of its strata and groups that they come to.

use super::accumulate::{Accumulator, Placement, Widths};
use super::declared::{M, Merge, Rows, unpack};
use super::hits::{Hit, HitFacts, Hits, NetworkClicks};
use super::portable::{Told, restricted};
use super::room::{Room, is_beyond};
use super::rows::{self, Places};
use super::{GrainMeasures, Group, PEER_COLUMNS, STRATUM_COLUMNS, Stratum, Totals};
use crate::base::column::{Col, Grain};
use crate::base::error::Result;
use crate::base::meter::Meter;
use crate::base::spill::Bound;
use crate::base::stats::Counted;
use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::Zone;
use hashbrown::HashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most of a stratum's clicks: two in three.
const MOSTLY: (i64, i64) = (2, 3);

/// The accumulators of one grain.
pub struct GrainPass {
    pub grain: Grain,
    /// Places of the grain's columns among the options' columns.
    pub places: Vec<usize>,
    pub clicks: Accumulator,
    pub conversions: Accumulator,
    /// The log of clicks; `None` where only sums are wanted.
    pub hits: Option<Hits>,
    /// What was counted elsewhere, in place of the log.
    pub told: Option<Told>,
    /// Only portable measures are wanted.
    pub portable: bool,
    pub cost_allocated: bool,
    /// The groups that there is room for, where that is not all.
    pub room: Option<Arc<Room>>,
}

/// Texts of a group's or a stratum's columns.
type Key = Vec<Option<String>>;

/// A stratum in the making.
struct Part {
    totals: Totals,
    /// Rows by the texts of each peer column.
    weights: Vec<BTreeMap<Option<String>, i64>>,
}

impl GrainPass {
    /// Empty accumulators of a grain.
    pub fn new(
        grain: &Grain,
        places: Vec<usize>,
        others: &Places,
        available: &BTreeSet<M>,
        bound: Bound,
    ) -> GrainPass {
        let (stratum, peer) = (others.stratum.len(), others.peer.len());
        let widths = Widths { group: places.len(), stratum, peer };
        GrainPass {
            grain: grain.clone(),
            clicks: Accumulator::new(Rows::Clicks, available, widths),
            conversions: Accumulator::new(Rows::Conversions, available, widths),
            hits: Some(Hits::new(bound)),
            told: None,
            portable: false,
            cost_allocated: false,
            room: None,
            places,
        }
    }

    /// Accumulators of sources where nobody asked for them: of clicks, mature ones and their conversions only.
    pub fn of_mature(places: Vec<usize>, others: &Places, available: &BTreeSet<M>) -> GrainPass {
        let wanted = BTreeSet::from([M::Clicks, M::MatureClicks, M::ConvertedClicks]);
        let sums = &wanted.intersection(available).copied().collect();
        let widths = Widths { group: places.len(), stratum: others.stratum.len(), peer: others.peer.len() };
        GrainPass {
            clicks: Accumulator::of_sums(Rows::Clicks, sums, widths),
            conversions: Accumulator::of_sums(Rows::Conversions, sums, widths),
            hits: None,
            ..GrainPass::new(&Grain::source(), places, others, &BTreeSet::new(), Bound::NONE)
        }
    }

    /// Where rows belong, from the symbols of all columns.
    pub fn placement(&self, columns: &[Vec<Symbol>], others: &Places, days: Vec<i32>) -> Placement {
        let mut at = rows::placement(columns, &self.places, others, days);
        self.room.iter().for_each(|room| room.fold(&mut at));
        at
    }

    /// Whether it has more groups than there is room for.
    pub fn is_overfull(&self, most: usize) -> bool {
        self.room.is_none() && self.clicks.group_count() > most
    }

    /// Adds clicks of its strata to the log, if it has one.
    ///
    /// # Errors
    /// They do not fit into memory, and could not be written elsewhere.
    pub fn log(&mut self, hits: impl Iterator<Item = Hit>) -> Result<()> {
        match &mut self.hits {
            None => Ok(()),
            Some(log) if !log.is_parted() => log.extend(0, hits),
            Some(log) => {
                let mut hits = hits;
                hits.try_for_each(|hit| log.extend(self.clicks.group_of(hit.stratum), [hit]))
            }
        }
    }

    /// Whether its groups are sources, or parts of them.
    pub fn has_sources(&self) -> bool {
        self.grain.columns().contains(&Col::Source)
    }

    /// The measures of all strata and groups.
    pub fn finish(
        mut self,
        available: &Arc<[bool]>,
        zone: Zone,
        threads: usize,
        symbols: &Symbols,
        meter: &Meter,
    ) -> Result<GrainMeasures> {
        let empty = Totals::empty(available.clone(), self.cost_allocated);
        let (group_of, group_count) = self.clicks.groups();
        let hits = self.hits.take().unwrap_or_else(|| Hits::new(Bound::NONE));
        let facts = match &self.told {
            Some(told) => told.facts(&self.clicks, &group_of, group_count),
            None if self.portable => restricted(&hits.facts(&group_of, group_count, zone, threads)?),
            None => hits.facts(&group_of, group_count, zone, threads)?,
        };
        meter.step("log", 0);
        let mut whole = Whole::default();
        whole.side(&mut self.clicks, &empty, symbols);
        whole.side(&mut self.conversions, &empty, symbols);
        whole.set_facts(&self.clicks, &group_of, &facts, symbols);
        let beyond = self.room.as_ref().map(|room| room.left_out(&self.grain, &whole.beyond));
        let network_clicks = facts.network_clicks;
        let measures = GrainMeasures { beyond, network_clicks, ..whole.grain_measures(self.grain, &empty) };
        meter.step("groups", measures.groups.len());
        Ok(measures)
    }
}

/// Strata by key, and what of groups does not follow from their strata.
#[derive(Default)]
struct Whole {
    strata: BTreeMap<(Key, Key), Part>,
    /// Measures that do not add up, by group.
    recomputed: BTreeMap<Key, Vec<(M, i64)>>,
    facts: BTreeMap<Key, Arc<super::Facts>>,
    /// Of the groups that there is no room for.
    beyond: BTreeMap<M, i64>,
}

impl Whole {
    /// Takes one side's sums, histograms and key counts.
    fn side(&mut self, side: &mut Accumulator, empty: &Totals, symbols: &Symbols) {
        let (groups, _) = side.groups();
        let [of_strata, of_groups] = side.take_key_counts(&groups);
        let mut parts: Vec<Totals> = vec![empty.clone(); side.stratum_count()];
        for (part, sums) in parts.iter_mut().zip(side.sums_by_stratum()) {
            side.slots().iter().zip(sums).for_each(|(m, add)| part.add(*m, add));
        }
        of_strata.into_iter().for_each(|(stratum, m, count)| parts[stratum as usize].add(m, count));
        for ((stratum, m), list) in in_order(side.values()) {
            match m {
                M::Events => parts[stratum as usize].events = events(&list, symbols),
                M::FraudReasons => parts[stratum as usize].fraud_reasons = words(&list, symbols),
                _ => parts[stratum as usize].set_values(m, list),
            }
        }
        let weights = weights(side, symbols);
        for (number, (totals, weights)) in parts.into_iter().zip(weights).enumerate() {
            if is_beyond(&side.stratum_key(number as u32).0) {
                for m in [M::Clicks, M::Conversions, M::Cost] {
                    *self.beyond.entry(m).or_default() += totals.get(m).unwrap_or(0);
                }
                continue;
            }
            self.take(keys(side, number as u32, symbols), totals, weights);
        }
        let mut group_keys: Vec<Option<Key>> = vec![None; groups.len()];
        for (stratum, group) in groups.iter().enumerate() {
            if is_beyond(&side.stratum_key(stratum as u32).0) {
                continue;
            }
            group_keys[*group as usize].get_or_insert_with(|| keys(side, stratum as u32, symbols).0);
        }
        for (group, m, count) in of_groups {
            if let Some(key) = group_keys[group as usize].clone() {
                self.recomputed.entry(key).or_default().push((m, count));
            }
        }
    }

    fn take(&mut self, key: (Key, Key), mut totals: Totals, weights: Vec<BTreeMap<Option<String>, i64>>) {
        if let Some(cost) = totals.get(M::MatureCost).filter(|cost| *cost != 0) {
            totals.mature_cost_of.insert(key.1[OFFER].clone(), cost);
        }
        let rows = [M::Clicks, M::Conversions].into_iter().find_map(|m| totals.get(m).filter(|n| *n > 0));
        totals.rows_of.extend(rows.map(|n| (key.1[OFFER].clone(), n)));
        if let Some(earning) = totals.get(M::EarningConversions).filter(|n| *n != 0) {
            totals.earning_of.insert(key.1[OFFER].clone(), earning);
        }
        match self.strata.get_mut(&key) {
            // Clicks come first: they say where a stratum's traffic is from.
            Some(part) => part.totals.merge(&totals),
            None => drop(self.strata.insert(key, Part { totals, weights })),
        }
    }

    fn set_facts(&mut self, clicks: &Accumulator, groups: &[u32], facts: &HitFacts, symbols: &Symbols) {
        for (stratum, group) in groups.iter().enumerate() {
            if is_beyond(&clicks.stratum_key(stratum as u32).0) {
                continue;
            }
            let key = keys(clicks, stratum as u32, symbols);
            self.facts.insert(key.0.clone(), facts.groups[*group as usize].clone());
            let part = self.strata.get_mut(&key).expect("every stratum of clicks is there");
            part.totals.set_facts(facts.strata[stratum].clone());
        }
    }

    fn grain_measures(mut self, grain: Grain, empty: &Totals) -> GrainMeasures {
        let mut groups: Vec<Group> = Vec::new();
        let mut strata: Vec<Stratum> = Vec::new();
        let mut last: Option<Key> = None;
        let mut firsts: Vec<usize> = Vec::new();
        for ((group, key), part) in std::mem::take(&mut self.strata) {
            if last.as_ref() != Some(&group) {
                firsts.push(strata.len());
                last = Some(group);
            }
            strata.push(Stratum {
                group: firsts.len() - 1,
                key,
                mostly: part.weights.iter().take(PEER_COLUMNS.len()).map(mostly).collect(),
                totals: Arc::new(part.totals),
            });
            if firsts.len() > groups.len() {
                groups.push(Group { key: last.clone().expect("just set"), totals: Arc::new(empty.clone()) });
            }
        }
        for (at, group) in groups.iter_mut().enumerate() {
            let end = firsts.get(at + 1).copied().unwrap_or(strata.len());
            group.totals = self.of_group(&group.key, &strata[firsts[at]..end]);
        }
        GrainMeasures { grain, groups, strata, beyond: None, network_clicks: NetworkClicks::default() }
    }

    /// A group of one stratum shares its measures.
    fn of_group(&self, key: &Key, strata: &[Stratum]) -> Arc<Totals> {
        let [first, others @ ..] = strata else { unreachable!("a group has a stratum") };
        if others.is_empty() {
            return first.totals.clone();
        }
        let mut totals = (*first.totals).clone();
        others.iter().for_each(|stratum| totals.merge(&stratum.totals));
        for (m, count) in self.recomputed.get(key).into_iter().flatten() {
            debug_assert!(m.decl().merge() == Merge::Recompute);
            totals.set(*m, *count);
        }
        self.facts.get(key).into_iter().for_each(|facts| totals.set_facts(facts.clone()));
        Arc::new(totals)
    }
}

/// Where the offer stands in [`STRATUM_COLUMNS`].
pub const OFFER: usize = 2;
const _: () = assert!(matches!(STRATUM_COLUMNS[OFFER], Col::Offer));

/// Texts of a stratum's group and of its own columns.
fn keys(side: &Accumulator, stratum: u32, symbols: &Symbols) -> (Key, Key) {
    let texts = |list: Vec<Symbol>| list.iter().map(|s| symbols.text(*s).map(str::to_owned)).collect();
    let (group, stratum) = side.stratum_key(stratum);
    (texts(group), texts(stratum))
}

/// Rows of each stratum by the texts of each peer column.
fn weights(side: &Accumulator, symbols: &Symbols) -> Vec<Vec<BTreeMap<Option<String>, i64>>> {
    let rows = if side.slots().contains(&M::Clicks) { M::Clicks } else { M::Conversions };
    let mut weights = vec![vec![BTreeMap::new(); PEER_COLUMNS.len()]; side.stratum_count()];
    for at in 0..side.cell_count() {
        let cell = side.cell(at);
        let count = side.sum(at, rows);
        for (of_column, symbol) in weights[cell.stratum as usize].iter_mut().zip(&cell.peer) {
            *of_column.entry(symbols.text(*symbol).map(str::to_owned)).or_default() += count;
        }
    }
    weights
}

/// The text that most rows have.
fn mostly(weights: &BTreeMap<Option<String>, i64>) -> Option<String> {
    let all: i64 = weights.values().sum();
    let (text, most) = weights.iter().max_by_key(|(_, count)| **count)?;
    (most * MOSTLY.1 >= all * MOSTLY.0).then(|| text.clone()).flatten()
}

/// Histograms in the order of stratum and measure.
fn in_order(values: HashMap<(u32, M), Box<Counted>>) -> BTreeMap<(u32, M), Box<Counted>> {
    values.into_iter().collect()
}

/// Symbols as texts.
fn words(counted: &Counted, symbols: &Symbols) -> Vec<(String, u64)> {
    let text = |&(symbol, count): &(i64, u64)| {
        (symbols.text(Symbol(symbol as u32)).unwrap_or_default().to_owned(), count)
    };
    let mut words: Vec<(String, u64)> = counted.iter().map(text).collect();
    words.sort();
    words
}

/// Packed events and statuses as texts.
fn events(packed: &Counted, symbols: &Symbols) -> Vec<(String, &'static str, u64)> {
    let text = |&(packed, count): &(i64, u64)| {
        let (event, status) = unpack(packed);
        (symbols.text(event).unwrap_or_default().to_owned(), status.word(), count)
    };
    let mut events: Vec<_> = packed.iter().map(text).collect();
    events.sort();
    events
}
