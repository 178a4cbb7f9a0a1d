//! The only heavy stage: rows to integers per grain × peer key × day.
//!
//! One pass over the batches of the clicks feeds all measures of all grains (in a study of the engine six
//! plans cost three times the CPU of one pass); conversions are few and in memory. What is counted is declared
//! in [`declared`], how rows answer stands in [`rows`], and adding up in [`accumulate`].

mod accumulate;
mod costs;
mod declared;
pub mod hits;
mod report;
mod rows;

pub use costs::key_columns as cost_columns;
pub use declared::{Filter, Key, Kind, M, MEASURES, Measure, Merge, Number, Rows};

use crate::base::column::{Col, Grain};
use crate::base::error::{Error, Result};
use crate::base::stats::Counted;
use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::Zone;
use crate::clean::ClickDuplicates;
use crate::ingest::{Batch, Field, Intake, StatusMeans};
use crate::matching::{Class, Matched};
use accumulate::{Accumulator, Placement};
use declared::unpack;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use rows::{ClickFilter, ClickRows, ConversionSet};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::sync_channel;

/// The columns that make comparable groups: part of every cell's key.
pub const PEER_COLUMNS: [Col; 3] = [Col::Offer, Col::Country, Col::Device];

/// When it is, how days are cut, and how old a click must be to be judged. Microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    pub zone: Zone,
    pub as_of: i64,
    pub maturity: i64,
}

impl Clock {
    /// Clicks up to here are mature.
    pub fn mature_until(self) -> i64 {
        self.as_of - self.maturity
    }
}

/// What to measure.
pub struct Options<'a> {
    pub grains: &'a [Grain],
    /// The text columns of conversions, in the order of [`crate::matching::MatchedConversion::columns`].
    pub columns: &'a [Col],
    pub fields: &'a [Field],
    pub clock: Clock,
    pub main_event: Symbol,
}

/// The measures of one group over the window.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    counts: Vec<Option<i64>>,
    values: BTreeMap<M, Box<Counted>>,
    /// Conversions by event and status, sorted.
    pub events: Vec<(String, &'static str, u64)>,
    /// Cost of mature clicks by offer, in micro-units.
    pub mature_cost_of: BTreeMap<Option<String>, i64>,
    /// Part of the cost was allocated to this group and is not exact for it.
    pub cost_allocated: bool,
}

impl Totals {
    /// A count, sum, distinct or top count; `None` if its columns are missing.
    pub fn get(&self, measure: M) -> Option<i64> {
        self.counts[measure as usize]
    }

    /// A histogram as sorted values with counts; empty if there are none.
    pub fn values(&self, measure: M) -> &Counted {
        self.values.get(&measure).map_or(&[], |v| v)
    }
}

/// One group of a grain.
#[derive(Debug)]
pub struct Group {
    /// Texts of the grain's columns; `None` where the rows have none.
    pub key: Vec<Option<String>>,
    pub totals: Totals,
}

/// All groups of a grain, sorted by key.
#[derive(Debug)]
pub struct GrainMeasures {
    pub grain: Grain,
    pub groups: Vec<Group>,
}

/// All measures of an audit.
pub struct Measures {
    pub grains: Vec<GrainMeasures>,
    /// The measures that could be computed at all.
    pub available: BTreeSet<M>,
    /// Clicks that count, and clicks of another hit type.
    pub clicks: u64,
    pub other_hits: u64,
    /// Cost of the cost file that no click could carry, in micro-units.
    pub unallocated_cost: Option<i64>,
    /// First and last click day.
    pub days: Option<(i32, i32)>,
}

/// Computes every measure for every grain.
///
/// # Errors
/// The intake cannot be read.
pub fn measure(
    intake: &Intake,
    duplicates: &ClickDuplicates,
    matched: &Matched,
    options: &Options,
    symbols: &mut Symbols,
) -> Result<Measures> {
    let mut pass = Pass::new(intake, options);
    pass.clicks(intake, duplicates, symbols)?;
    pass.conversions(matched);
    pass.report(intake, symbols)?;
    let unallocated_cost = pass.costs(intake, symbols)?;
    Ok(Measures {
        available: pass.available.clone(),
        clicks: pass.counted,
        other_hits: pass.other_hits,
        unallocated_cost,
        days: pass.days,
        grains: pass.finish(symbols),
    })
}

/// The accumulators of one grain.
struct GrainPass {
    grain: Grain,
    /// Places of the grain's columns among the options' columns.
    places: Vec<usize>,
    clicks: Accumulator,
    conversions: Accumulator,
    cost_allocated: bool,
}

struct Pass<'a> {
    options: &'a Options<'a>,
    grains: Vec<GrainPass>,
    peer_columns: Vec<Col>,
    peer_places: Vec<usize>,
    available: BTreeSet<M>,
    counted: u64,
    other_hits: u64,
    days: Option<(i32, i32)>,
}

impl<'a> Pass<'a> {
    fn new(intake: &Intake, options: &'a Options) -> Pass<'a> {
        let mut peer_columns = PEER_COLUMNS.to_vec();
        peer_columns.extend(costs::key_columns(intake).into_iter().filter(|c| !PEER_COLUMNS.contains(c)));
        let place = |col: &Col| options.columns.iter().position(|c| c == col);
        let peer_places: Vec<usize> = peer_columns.iter().filter_map(place).collect();
        let grain_pass = |grain: &Grain| {
            let places: Vec<usize> = grain.columns().iter().filter_map(place).collect();
            let accumulator = |rows| Accumulator::new(rows, places.len(), peer_places.len());
            GrainPass {
                grain: grain.clone(),
                clicks: accumulator(Rows::Clicks),
                conversions: accumulator(Rows::Conversions),
                cost_allocated: false,
                places,
            }
        };
        Pass {
            grains: options.grains.iter().map(grain_pass).collect(),
            options,
            peer_columns,
            peer_places,
            available: available(intake),
            counted: 0,
            other_hits: 0,
            days: None,
        }
    }

    /// One thread reads batches and finds where rows belong while another adds them up.
    fn clicks(&mut self, intake: &Intake, duplicates: &ClickDuplicates, symbols: &mut Symbols) -> Result<()> {
        let hit_type = intake.mapping.hit_type.as_deref();
        let mut filter = ClickFilter::new(self.options.fields, duplicates, hit_type);
        let mut rows = ClickRows::new(duplicates, self.options.clock);
        let mut grains = std::mem::take(&mut self.grains);
        let (send, batches) = sync_channel::<(Batch, Vec<Vec<Symbol>>, Vec<i32>)>(1);
        let peers = self.peer_places.clone();
        let scanned = std::thread::scope(|scope| {
            scope.spawn(|| {
                for (batch, columns, days) in batches {
                    let contributions = rows.contributions(&batch);
                    for grain in &mut grains {
                        let at = rows::placement(&columns, &grain.places, &peers, days.clone());
                        grain.clicks.add(&at, &contributions);
                    }
                }
            });
            let scanned = intake.clicks.scan(self.options.fields, None, &mut |batch| {
                let counted = filter.counted(batch);
                self.other_hits += (batch.len() - counted.len()) as u64;
                self.counted += counted.len() as u64;
                let columns = rows::symbols_of(&counted, self.options.columns, symbols);
                let times = counted.integers(Col::ClickTime).unwrap_or_default();
                let days: Vec<i32> = times.iter().map(|t| self.day(t.unwrap_or_default())).collect();
                self.widen(&days);
                let sent = send.send((counted, columns, days));
                sent.map_err(|_| Error::input("internal: the adding thread stopped"))
            });
            drop(send);
            scanned
        });
        self.grains = grains;
        self.other_hits -= duplicates.dropped.min(self.other_hits);
        scanned
    }

    fn day(&self, time: i64) -> i32 {
        self.options.clock.zone.day_and_hour(time).0
    }

    fn widen(&mut self, days: &[i32]) {
        let (Some(&low), Some(&high)) = (days.iter().min(), days.iter().max()) else { return };
        self.days = Some(self.days.map_or((low, high), |(a, b)| (a.min(low), b.max(high))));
    }

    /// Conversions stand on their click's day; without a known click on their own.
    fn conversions(&mut self, matched: &Matched) {
        let rows = &matched.conversions;
        let (clock, main_event) = (self.options.clock, self.options.main_event);
        let contributions = ConversionSet { rows, clock, main_event }.contributions();
        let columns: Vec<Vec<Symbol>> =
            (0..self.options.columns.len()).map(|i| rows.iter().map(|m| m.columns[i]).collect()).collect();
        let days: Vec<i32> =
            rows.iter().map(|m| self.day(m.click_time.unwrap_or(m.conversion.time))).collect();
        for grain in &mut self.grains {
            let at: Placement = rows::placement(&columns, &grain.places, &self.peer_places, days.clone());
            grain.conversions.add(&at, &contributions);
        }
        if !rows.iter().any(|m| matches!(m.class, Class::Matched | Class::BeforeClick | Class::Orphan)) {
            self.available.remove(&M::Orphans);
        }
    }

    fn finish(self, symbols: &Symbols) -> Vec<GrainMeasures> {
        let available = self.available;
        self.grains.into_iter().map(|grain| grain.finish(&available, symbols)).collect()
    }
}

impl GrainPass {
    fn finish(mut self, available: &BTreeSet<M>, symbols: &Symbols) -> GrainMeasures {
        let zero = MEASURES.iter().map(|m| available.contains(&m.id).then_some(0)).collect();
        let empty = Totals { counts: zero, cost_allocated: self.cost_allocated, ..Totals::default() };
        let mut groups: HashMap<Vec<Symbol>, Totals> = HashMap::new();
        for side in [&mut self.clicks, &mut self.conversions] {
            let mut of_side = totals(side, &empty, symbols);
            for (number, totals) in of_side.drain(..).enumerate() {
                match groups.entry(side.group_key(number as u32)) {
                    Entry::Occupied(mut known) => known.get_mut().merge(totals),
                    Entry::Vacant(new) => drop(new.insert(totals)),
                }
            }
        }
        let text = |s: &Symbol| symbols.text(*s).map(str::to_owned);
        let group =
            |(key, totals): (Vec<Symbol>, Totals)| Group { key: key.iter().map(text).collect(), totals };
        let mut groups: Vec<Group> = groups.into_iter().map(group).collect();
        groups.sort_by(|a, b| a.key.cmp(&b.key));
        GrainMeasures { grain: self.grain, groups }
    }
}

/// The totals of one side's groups over all cells, by group number.
fn totals(side: &mut Accumulator, empty: &Totals, symbols: &Symbols) -> Vec<Totals> {
    let mut totals = vec![empty.clone(); side.group_count()];
    for (group, sums) in side.sums_by_group().into_iter().enumerate() {
        side.slots().iter().zip(sums).for_each(|(m, add)| totals[group].add(*m, add));
    }
    for (group, measure, count) in side.take_key_counts() {
        totals[group as usize].add(measure, count);
    }
    for ((group, measure), list) in side.values() {
        match measure {
            M::Events => totals[group as usize].events = events(&list, symbols),
            _ => drop(totals[group as usize].values.insert(measure, list)),
        }
    }
    for ((group, offer), cost) in side.sum_by_peer(M::MatureCost, OFFER) {
        *totals[group as usize].mature_cost_of.entry(symbols.text(offer).map(str::to_owned)).or_default() +=
            cost;
    }
    totals
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

/// Where the offer stands in [`PEER_COLUMNS`].
const OFFER: usize = 0;

impl Totals {
    fn add(&mut self, measure: M, amount: i64) {
        if let Some(sum) = &mut self.counts[measure as usize] {
            *sum = sum.saturating_add(amount);
        }
    }

    /// Adds the other side of the same group: the two have no measure in common.
    fn merge(&mut self, other: Totals) {
        for (sum, more) in self.counts.iter_mut().zip(other.counts) {
            *sum = sum.zip(more).map(|(a, b)| a.saturating_add(b));
        }
        self.values.extend(other.values);
        self.events.extend(other.events);
        self.mature_cost_of.extend(other.mature_cost_of);
    }
}

/// The measures whose side was given and whose columns at least one of its files has.
fn available(intake: &Intake) -> BTreeSet<M> {
    let clicks = intake.clicks.columns();
    let mut conversions = if intake.combined { clicks.clone() } else { intake.conversions.columns() };
    if intake.mapping.status_means == StatusMeans::Event && conversions.contains(&Col::Status) {
        conversions.insert(Col::Event);
    }
    let possible = |m: &&Measure| {
        let (given, columns) = match m.rows {
            Rows::Clicks => (!intake.clicks.is_empty(), &clicks),
            Rows::Conversions => (intake.combined || !intake.conversions.is_empty(), &conversions),
        };
        given && m.needs.iter().all(|c| columns.contains(c))
    };
    let mut found: BTreeSet<M> = MEASURES.iter().filter(possible).map(|m| m.id).collect();
    if clicks.contains(&Col::ClickId) {
        found.remove(&M::SurplusRows);
    }
    let tie = if clicks.contains(&Col::ClickId) { Col::ClickId } else { Col::ClickTime };
    if !conversions.contains(&tie) {
        found.retain(|m| !m.decl().filters.contains(&Filter::InTime));
    }
    found
}
