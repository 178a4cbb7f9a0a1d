//! The only heavy stage: rows to integers per grain × peer key × day.
//!
//! One pass over the batches of the clicks feeds all measures of all grains (in a study of the engine six
//! plans cost three times the CPU of one pass); conversions are few and in memory. What is counted is declared
//! in [`declared`], how rows answer stands in [`rows`], and adding up in [`accumulate`].

mod accumulate;
mod costs;
mod cut;
mod declared;
mod grain;
mod hits;
mod incidents;
mod kept;
pub mod portable;
mod report;
mod room;
mod rows;
mod totals;

pub use costs::{CostDays, CostGaps, CostTable, Uncosted, key_columns as cost_columns};
pub use cut::{Cut, CutMeasures, InCut};
pub use declared::{Crowd, Filter, Key, Kind, M, MEASURES, Measure, Merge, Number, Rhythm, Rows};
pub use hits::{Facts, Hit, Identity, NetworkClicks};
pub use incidents::Incident;
pub use portable::{Counting, Counts};
pub use room::Beyond;
pub use rows::{ConversionSet, excused as is_excused};
pub use totals::Totals;

use crate::base::column::{Col, Grain};
use crate::base::error::{Error, Result};
use crate::base::meter::Meter;
use crate::base::money::from_parts;
use crate::base::spill::Bound;
use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::Zone;
use crate::clean::ClickDuplicates;
use crate::ingest::shelf::Measured;
use crate::ingest::{Batch, Field, Intake, StatusMeans, Table as Rowed};
use crate::matching::{Class, Matched, MatchedConversion};
use cut::{CutGrain, CutPass};
use grain::GrainPass;
use hashbrown::HashSet;
use incidents::{Cell, Flows, Table};
use kept::{KeptPart, Which};
use room::Room;
use rows::{ClickFilter, ClickRows, Places};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

/// The columns that part a group into strata, which peers are compared by: pop is never judged by search, nor
/// a payout per action by a share of revenue, nor one offer by another.
pub const STRATUM_COLUMNS: [Col; 3] = [Col::Format, Col::Model, Col::Offer];

/// The columns by which peers are found within an offer, and whose votes count as one: part of every cell's key.
pub const PEER_COLUMNS: [Col; 5] = [Col::Country, Col::Device, Col::Lander, Col::Account, Col::Network];

/// When it is, how days are cut, and how old a click must be to be judged. Microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    pub zone: Zone,
    pub as_of: i64,
    pub maturity: i64,
}

impl Clock {
    /// The night that the input reaches into, in days since 1970: midnight belongs to the day that ends with it.
    pub fn night(self) -> i32 {
        self.zone.day_and_hour(self.as_of - 1).0
    }

    /// Clicks up to here are mature.
    pub fn mature_until(self) -> i64 {
        self.as_of - self.maturity
    }
}

/// What to measure.
pub struct Options<'a> {
    pub grains: &'a [Grain],
    /// The cuts that rules ask for, each with the place of its grain among `grains`.
    pub cuts: &'a [(usize, Cut)],
    /// The text columns of conversions, in the order of [`crate::matching::MatchedConversion::columns`].
    pub columns: &'a [Col],
    pub fields: &'a [Field],
    pub clock: Clock,
    pub main_event: Symbol,
    /// Where clicks are counted, and which measures.
    pub counting: Counting<'a>,
    /// Keep the integer table.
    pub keeps_counts: bool,
    pub threads: usize,
    /// How much of the log of clicks may be in memory.
    pub bound: Bound,
    /// How many groups of a grain there is room for.
    pub most_groups: usize,
    /// Takes note of what adds up over days and of what does not.
    pub meter: &'a Meter,
}

/// One group of a grain.
#[derive(Debug)]
pub struct Group {
    /// Texts of the grain's columns; `None` where the rows have none.
    pub key: Vec<Option<String>>,
    pub totals: Arc<Totals>,
}

/// The part of a group that is of one format, model and offer.
#[derive(Debug)]
pub struct Stratum {
    /// Place among [`GrainMeasures::groups`].
    pub group: usize,
    /// Texts of [`STRATUM_COLUMNS`].
    pub key: Vec<Option<String>>,
    /// For each of [`PEER_COLUMNS`] the text that most of its clicks have, if two in three have it.
    pub mostly: Vec<Option<String>>,
    pub totals: Arc<Totals>,
}

/// All groups of a grain, sorted by key.
#[derive(Debug)]
pub struct GrainMeasures {
    pub grain: Grain,
    pub groups: Vec<Group>,
    /// Sorted by group and key.
    pub strata: Vec<Stratum>,
    /// What there is no room for, if the input has more groups than the run may hold.
    pub beyond: Option<Beyond>,
    /// The clicks of every network over all groups.
    pub network_clicks: NetworkClicks,
}

/// All measures of an audit.
pub struct Measures {
    pub grains: Vec<GrainMeasures>,
    /// In the order in which they were asked for.
    pub cuts: Vec<CutMeasures>,
    /// The measures that could be computed at all.
    pub available: BTreeSet<M>,
    /// Clicks that count, and clicks of another hit type.
    pub clicks: u64,
    pub other_hits: u64,
    /// What the cost files do not fit; `None` where there are none.
    pub cost_gaps: Option<CostGaps>,
    /// First and last click day.
    pub days: Option<(i32, i32)>,
    /// Clicks by traffic source, sorted.
    pub traffic_sources: Vec<(Option<String>, u64)>,
    /// Clicks that count, by day.
    pub clicks_by_day: BTreeMap<i32, u64>,
    /// Days of an offer, a network or the whole input on which nothing that waits for a conversion is counted.
    pub incidents: Vec<Incident>,
    /// The sources of every offer and network, sorted, where the first grain holds both: without incidents.
    pub branches: Vec<Branch>,
    /// The integer table, if it was to be kept.
    pub counts: Option<Counts>,
    /// What a store keeps of what was counted, by the keys of exports.
    pub measured: Vec<(String, Vec<Measured>)>,
}

/// A source's mature clicks for an offer of a network, and those that converted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    pub offer: String,
    pub network: String,
    /// Texts of the columns that make a source.
    pub source: Vec<Option<String>>,
    pub clicks: u64,
    pub converted: u64,
    /// The same by day, sorted.
    pub days: Vec<(i32, u64, u64)>,
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
    let mut pass = Pass::new(intake, options, symbols);
    match options.counting {
        Counting::Table(table) => pass.counted(table, intake, duplicates, matched, symbols)?,
        Counting::Everything | Counting::Portable => {
            if !pass.clicks(intake, duplicates, matched, symbols)? {
                drop(pass);
                pass = Pass::new(intake, options, symbols);
                pass.make_room(intake, symbols)?;
                pass.clicks(intake, duplicates, matched, symbols)?;
            }
        }
    }
    let columns = intake.clicks.columns();
    let kept = options.keeps_counts.then(|| pass.counts(options, &columns, symbols)).transpose()?;
    pass.round_costs(intake.cost_parts());
    let table = pass.cost_table(intake, symbols)?;
    pass.conversions(matched, table.as_ref().map(|table| &table.days));
    pass.report(intake, symbols)?;
    let cost_gaps = table.map(|table| pass.costs(intake, &table, symbols));
    let traffic_sources = pass.traffic_sources(symbols);
    let (incidents, branches) = pass.incidents(matched, symbols);
    let (by_day, measured) = (std::mem::take(&mut pass.by_day), std::mem::take(&mut pass.measured));
    let (available, clicks, other_hits, days) =
        (pass.available.clone(), pass.counted, pass.other_hits, pass.days);
    options.meter.step("conversions", matched.conversions.len());
    let (grains, cuts) = pass.finish(&mapped(intake), symbols)?;
    Ok(Measures {
        grains,
        cuts,
        available,
        clicks,
        other_hits,
        cost_gaps,
        days,
        clicks_by_day: by_day,
        incidents,
        branches,
        traffic_sources,
        counts: kept,
        measured,
    })
}

struct Pass<'a> {
    options: &'a Options<'a>,
    grains: Vec<GrainPass>,
    cuts: Vec<CutPass>,
    /// The columns that cells are kept by besides their stratum's.
    peer_columns: Vec<Col>,
    places: Places,
    available: BTreeSet<M>,
    counted: u64,
    other_hits: u64,
    days: Option<(i32, i32)>,
    by_day: BTreeMap<i32, u64>,
    /// Clicks by the hour.
    flows: Flows,
    /// What a store keeps of what was counted.
    measured: Vec<(String, Vec<Measured>)>,
    /// There are more groups than there is room for.
    overfull: bool,
}

/// What rows are looked at with.
struct Looking<'l> {
    duplicates: &'l ClickDuplicates,
    filter: ClickFilter<'l>,
    rows: ClickRows<'l>,
    rows_of_cuts: Vec<ClickRows<'l>>,
    /// Clicks by the hour are wanted.
    flows: bool,
}

impl<'a> Pass<'a> {
    fn new(intake: &Intake, options: &'a Options, symbols: &mut Symbols) -> Pass<'a> {
        let peer_columns = portable::peer_columns(intake);
        let of = |cols: &[Col]| cols.iter().map(|c| place(options, *c)).collect::<Vec<usize>>();
        let places = Places { stratum: of(&STRATUM_COLUMNS), peer: of(&peer_columns) };
        let mut available = available(intake);
        if options.counting.is_portable() {
            available.retain(|m| m.decl().portable());
        }
        let logs = (options.grains.len() + options.cuts.len()).max(1) as u64;
        let bound = Bound { bytes: options.bound.bytes / logs, ..options.bound };
        let new = |grain: &Grain| GrainPass::new(grain, of(grain.columns()), &places, &available, bound);
        let mut grains: Vec<GrainPass> = options.grains.iter().map(new).collect();
        if !grains.iter().any(GrainPass::has_sources) {
            grains.push(GrainPass::of_mature(of(Grain::source().columns()), &places, &available));
        }
        let flows =
            Flows::new([Col::Network, Col::TrafficSource, Col::Source].map(|col| place(options, col)));
        let mut cuts: Vec<CutPass> = Vec::new();
        for (grain, cut) in options.cuts {
            let at = cuts.iter().position(|pass| pass.cut == *cut).unwrap_or_else(|| {
                cuts.push(CutPass::new(cut, options.clock, options.main_event, options.columns, symbols));
                cuts.len() - 1
            });
            cuts[at].grains.push(CutGrain::new(*grain, new(&options.grains[*grain])));
        }
        let mut pass = Pass {
            grains,
            cuts,
            options,
            peer_columns,
            places,
            available,
            counted: 0,
            other_hits: 0,
            days: None,
            by_day: BTreeMap::new(),
            flows,
            measured: Vec::new(),
            overfull: false,
        };
        pass.every().for_each(|grain| grain.portable = options.counting.is_portable());
        if matches!(options.counting, Counting::Table(_)) {
            pass.every().for_each(|grain| grain.told = Some(portable::Told::default()));
        }
        pass
    }

    /// The accumulators of all grains and of all cuts.
    fn every(&mut self) -> impl Iterator<Item = &mut GrainPass> {
        let cuts = self.cuts.iter_mut().flat_map(|cut| cut.grains.iter_mut().map(|grain| &mut grain.pass));
        self.grains.iter_mut().chain(cuts)
    }

    /// Finds the groups that there is room for, in every grain.
    fn make_room(&mut self, intake: &Intake, symbols: &mut Symbols) -> Result<()> {
        let mut rooms: Vec<(Grain, Option<Arc<Room>>)> = Vec::new();
        let most = self.options.most_groups;
        for pass in self.every() {
            let known = rooms.iter().find(|(grain, _)| *grain == pass.grain).map(|(_, room)| room.clone());
            pass.room = match known {
                Some(room) => room,
                None => {
                    let room = Room::of(intake, &pass.grain, most, symbols)?.map(Arc::new);
                    rooms.push((pass.grain.clone(), room.clone()));
                    room
                }
            };
        }
        Ok(())
    }

    /// Counts the clicks: exports that a store keeps by what was counted of them, all others row by row. False, and
    /// nothing of it holds, if there are more groups than there is room for.
    fn clicks(
        &mut self,
        intake: &Intake,
        duplicates: &ClickDuplicates,
        matched: &Matched,
        symbols: &mut Symbols,
    ) -> Result<bool> {
        let (available, clock) = (self.available.clone(), self.options.clock);
        let whole = converted(matched, self.options.main_event);
        let of_cuts = converted_in(&self.cuts, matched);
        let of_cut =
            |(cut, converted): (&CutPass, _)| ClickRows::new(duplicates, converted, cut.clock, &available);
        let mut looking = Looking {
            duplicates,
            filter: ClickFilter::new(self.options.fields, duplicates, intake.mapping.hit_type.as_deref()),
            rows: ClickRows::new(duplicates, &whole, clock, &available),
            rows_of_cuts: self.cuts.iter().zip(&of_cuts).map(of_cut).collect(),
            flows: !whole.is_empty() || self.options.counting.is_portable(),
        };
        let (kept, rows) = kept::split(intake, self, duplicates)?;
        self.options.meter.step("repeats", 0);
        let before = self.counted;
        self.rows(&intake.clicks.of_parts(rows), &Which::All, &mut looking, symbols)?;
        if !kept.is_empty() && !self.overfull {
            self.kept(intake, kept, &mut looking, symbols)?;
        }
        self.other_hits -= duplicates.dropped.min(self.other_hits);
        self.options.meter.step("counting", (self.counted - before) as usize);
        Ok(!self.overfull)
    }

    /// Counts what is new of the exports that a store keeps, adds up what was counted of the others, and looks at
    /// the rows of which the window decides.
    fn kept(
        &mut self,
        intake: &Intake,
        kept: Vec<KeptPart>,
        looking: &mut Looking,
        symbols: &mut Symbols,
    ) -> Result<()> {
        let meter = self.options.meter;
        let mut all = kept;
        for part in all.iter_mut().filter(|part| !part.is_counted()) {
            self.count_kept(intake, part, looking.duplicates, symbols)?;
        }
        let (mut kept, timeless): (Vec<_>, Vec<_>) = all.into_iter().partition(KeptPart::is_counted);
        let uncounted = intake.clicks.of_parts(timeless.iter().map(KeptPart::place));
        self.rows(&uncounted, &Which::All, looking, symbols)?;
        if self.overfull {
            return Ok(());
        }
        for part in &kept {
            self.take_back(intake, part, looking.duplicates, symbols)?;
        }
        meter.step("counting", 0);
        for part in &mut kept {
            self.add_kept(intake, part, looking.flows, symbols)?;
            self.overfull |= self.grains.iter().any(|grain| grain.is_overfull(self.options.most_groups));
            if self.overfull {
                return Ok(());
            }
        }
        meter.step("merging", kept.len());
        for part in &kept {
            self.see_for_cuts(intake, part, looking, symbols)?;
        }
        meter.step("cuts", 0);
        self.aside(intake, &kept, looking, symbols)?;
        meter.step("repeats", 0);
        for part in &kept {
            self.log_kept(intake, part, looking)?;
        }
        meter.step("log", 0);
        self.keeps(&kept);
        Ok(())
    }

    /// One thread reads batches and finds where rows belong while another adds them up.
    fn rows(
        &mut self,
        table: &Rowed,
        which: &Which,
        looking: &mut Looking,
        symbols: &mut Symbols,
    ) -> Result<()> {
        let (mut grains, mut cuts) = (std::mem::take(&mut self.grains), std::mem::take(&mut self.cuts));
        let (send, batches) = sync_channel::<(Batch, Vec<Vec<Symbol>>, Vec<i32>)>(1);
        let (places, most) = (self.places.clone(), self.options.most_groups);
        let Looking { filter, rows, rows_of_cuts, flows, .. } = looking;
        let scanned = std::thread::scope(|scope| {
            let adder = scope.spawn(|| {
                for (batch, columns, days) in batches {
                    rows::add_clicks(grains.iter_mut(), rows, &batch, &columns, &days, &places)?;
                    for (cut, rows) in cuts.iter_mut().zip(rows_of_cuts.iter_mut()) {
                        cut.clicks(rows, &batch, &columns, &days, &places)?;
                    }
                    if grains.iter().any(|grain| grain.is_overfull(most)) {
                        return Ok(false);
                    }
                }
                Ok(true)
            });
            let scanned = table.scan(self.options.fields, which.keys(), &mut |batch| {
                let batch = which.of(batch);
                let counted = filter.counted(&batch);
                self.other_hits += (batch.len() - counted.len()) as u64;
                self.counted += counted.len() as u64;
                let columns = rows::symbols_of(&counted, self.options.columns, symbols);
                let times = counted.integers(Col::ClickTime).unwrap_or_default();
                let days: Vec<i32> = times.iter().map(|t| self.day(t.unwrap_or_default())).collect();
                self.widen(&days);
                if *flows {
                    self.flows.add(&columns, times.iter());
                }
                let sent = send.send((counted, columns, days));
                sent.map_err(|_| Error::input("internal: the adding thread stopped"))
            });
            drop(send);
            // If adding stopped, the channel closed on the scan, which has nothing better to say.
            match adder.join().expect("adding does not panic") {
                Ok(true) => scanned.map(|()| true),
                stopped => stopped,
            }
        });
        (self.grains, self.cuts) = (grains, cuts);
        self.overfull |= !scanned?;
        Ok(())
    }

    fn day(&self, time: i64) -> i32 {
        self.options.clock.zone.day_and_hour(time).0
    }

    fn widen(&mut self, days: &[i32]) {
        let (Some(&low), Some(&high)) = (days.iter().min(), days.iter().max()) else { return };
        self.days = Some(self.days.map_or((low, high), |(a, b)| (a.min(low), b.max(high))));
        for run in days.chunk_by(|a, b| a == b) {
            *self.by_day.entry(run[0]).or_default() += run.len() as u64;
        }
    }

    /// Costs of single clicks are finer than anything else: their sums become micro-units.
    fn round_costs(&mut self, parts: i64) {
        for grain in self.every().filter(|_| parts > 1) {
            for measure in MEASURES.iter().filter(|m| m.kind == Kind::Sum(Number::Cost)) {
                grain.clicks.map(measure.id, |sum| from_parts(sum, parts));
            }
        }
    }

    /// Conversions stand on their click's day; without a known click on their own.
    fn conversions(&mut self, matched: &Matched, cost_days: Option<&CostDays>) {
        let rows = &matched.conversions;
        let (clock, main_event) = (self.options.clock, self.options.main_event);
        let contributions =
            ConversionSet { rows, clock, main_event, cost_days }.contributions(&self.available);
        let columns: Vec<Vec<Symbol>> =
            (0..self.options.columns.len()).map(|i| rows.iter().map(|m| m.columns[i]).collect()).collect();
        let days: Vec<i32> =
            rows.iter().map(|m| self.day(m.click_time.unwrap_or(m.conversion.time))).collect();
        for grain in &mut self.grains {
            let at = grain.placement(&columns, &self.places, days.clone());
            grain.conversions.add(&at, &contributions);
        }
        for cut in &mut self.cuts {
            cut.conversions(rows, &columns, &days, &self.places, &self.available, cost_days);
        }
        if !rows.iter().any(|m| matches!(m.class, Class::Matched | Class::BeforeClick | Class::Orphan)) {
            self.available.remove(&M::Orphans);
        }
        if !matched.forms_known {
            self.available.remove(&M::ForeignIds);
        }
    }

    /// Finds the incidents and takes what waits for a conversion out of their days, in every grain; the sources
    /// by offer and network of what is left.
    fn incidents(&mut self, matched: &Matched, symbols: &Symbols) -> (Vec<Incident>, Vec<Branch>) {
        if ![M::MatureClicks, M::ConvertedClicks].iter().all(|m| self.available.contains(m)) {
            return Default::default();
        }
        let sources = self.grains.iter().position(GrainPass::has_sources).expect("one grain is of sources");
        let mut incidents = incidents::find(&Table::of(&self.grains[sources], symbols).cells);
        let flows = std::mem::replace(&mut self.flows, Flows::new([0; 3]));
        let outages = flows.outages(matched, self.options.clock.zone, symbols);
        let days = incidents.len();
        let apart = |outage: &Incident| !incidents[..days].iter().any(|incident| incident.contains(outage));
        let outages: Vec<Incident> = outages.into_iter().filter(apart).collect();
        incidents.extend(outages);
        if !incidents.is_empty() {
            self.every().for_each(|grain| incidents::forget(grain, &incidents, symbols));
        }
        let asked = self.grains[0].grain.columns();
        let siblings = [Col::Offer, Col::Network].iter().all(|col| asked.contains(col));
        let branches =
            if siblings { branches(&Table::of(&self.grains[sources], symbols)) } else { Vec::new() };
        (incidents, branches)
    }

    /// Clicks by traffic source, of the grain that has sources.
    fn traffic_sources(&self, symbols: &Symbols) -> Vec<(Option<String>, u64)> {
        let Some(grain) = self.grains.iter().find(|grain| grain.has_sources()) else { return Vec::new() };
        let at = grain.grain.columns().iter().position(|c| *c == Col::TrafficSource).unwrap_or(0);
        let of_stratum = |s: u32| symbols.text(grain.clicks.stratum_key(s).0[at]).map(str::to_owned);
        let names: Vec<Option<String>> = (0..grain.clicks.stratum_count() as u32).map(of_stratum).collect();
        let mut clicks: BTreeMap<Option<String>, u64> = BTreeMap::new();
        for cell in 0..grain.clicks.cell_count() {
            let name = &names[grain.clicks.cell(cell).stratum as usize];
            *clicks.entry(name.clone()).or_default() += grain.clicks.sum(cell, M::Clicks).max(0) as u64;
        }
        clicks.into_iter().collect()
    }

    fn finish(
        self,
        mapped: &BTreeSet<Col>,
        symbols: &Symbols,
    ) -> Result<(Vec<GrainMeasures>, Vec<CutMeasures>)> {
        let available: Arc<[bool]> = MEASURES.iter().map(|m| self.available.contains(&m.id)).collect();
        let (zone, threads) = (self.options.clock.zone, self.options.threads);
        let meter = self.options.meter;
        let finish = |grain: GrainPass| grain.finish(&available, zone, threads, symbols, meter);
        let logged = self.grains.into_iter().filter(|grain| grain.hits.is_some());
        let grains = logged.map(finish).collect::<Result<_>>()?;
        let of_cut = |cut: CutPass| {
            let missing = cut.missing(mapped);
            cut.finish(&available, &missing, threads, symbols, meter)
        };
        let cuts = self.cuts.into_iter().map(of_cut).collect::<Result<Vec<_>>>()?;
        let mut cuts: Vec<CutMeasures> = cuts.into_iter().flatten().collect();
        let asked = self.options.cuts;
        cuts.sort_by_key(|found| {
            asked.iter().position(|(grain, cut)| (found.grain, &found.cut) == (*grain, cut))
        });
        Ok((grains, cuts))
    }
}

/// The sources of every offer and network that are known.
fn branches(table: &Table) -> Vec<Branch> {
    let mut branches: Vec<Branch> = Vec::new();
    for cells in table.cells.chunk_by(|a, b| (a.offer, a.network, a.group) == (b.offer, b.network, b.group)) {
        let Cell { offer: Some(offer), network: Some(network), group, .. } = cells[0] else { continue };
        let source = &table.sources[group as usize];
        branches.push(Branch {
            offer: offer.to_owned(),
            network: network.to_owned(),
            source: source.iter().map(|text| text.map(str::to_owned)).collect(),
            clicks: cells.iter().map(|cell| cell.clicks).sum(),
            converted: cells.iter().map(|cell| cell.converted).sum(),
            days: cells.iter().map(|cell| (cell.day, cell.clicks, cell.converted)).collect(),
        });
    }
    branches
}

/// Where a column that rows are placed by stands among the options' columns.
fn place(options: &Options, col: Col) -> usize {
    options.columns.iter().position(|c| *c == col).expect("rows are placed by all of these columns")
}

/// The columns that any input has.
fn mapped(intake: &Intake) -> BTreeSet<Col> {
    let tables = [&intake.clicks, &intake.conversions, &intake.report];
    let mut mapped: BTreeSet<Col> = tables.iter().flat_map(|table| table.columns()).collect();
    if intake.mapping.status_means == StatusMeans::Event && mapped.contains(&Col::Status) {
        mapped.insert(Col::Event);
    }
    mapped
}

/// The click IDs' keys of conversions that a click is known to have led to.
fn converted(matched: &Matched, main_event: Symbol) -> HashSet<u64> {
    let main = |m: &&MatchedConversion| m.class == Class::Matched && m.conversion.event == main_event;
    let key = |m: &MatchedConversion| m.conversion.click_id.as_ref().map(|id| id.key);
    matched.conversions.iter().filter(main).filter_map(key).collect()
}

/// The same by cut, each with its own main event.
fn converted_in(cuts: &[CutPass], matched: &Matched) -> Vec<HashSet<u64>> {
    cuts.iter().map(|cut| converted(matched, cut.main_event)).collect()
}

/// The measures whose side was given and whose columns at least one of its files has.
fn available(intake: &Intake) -> BTreeSet<M> {
    let clicks = intake.clicks.columns();
    let mut conversions = if intake.combined { clicks.clone() } else { intake.conversions.columns() };
    if intake.mapping.status_means == StatusMeans::Event && conversions.contains(&Col::Status) {
        conversions.insert(Col::Event);
    }
    conversions.extend(intake.mapping.offers.fills());
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
    if !conversions.contains(&Col::ClickId) {
        found.retain(|m| !m.decl().filters.contains(&Filter::Converted));
        found.remove(&M::CrowdConverted);
        found.remove(&M::CrowdSizes);
    }
    found.extend(report::given(&intake.report.columns()));
    if intake.mapping.offers.is_empty() {
        let agreed = |f: &Filter| matches!(f, Filter::OverCap | Filter::CountryAgreed | Filter::Rated);
        found.retain(|m| !m.decl().filters.iter().any(agreed));
    }
    if intake.costs.is_empty() {
        found.retain(|m| !costs::only_of_costs(m.decl()));
    } else {
        found.retain(|m| m.decl().rows == Rows::Conversions || !costs::only_of_costs(m.decl()));
        found.extend(costs::given(intake));
    }
    if intake.mapping.brand_terms.is_empty() {
        found.retain(|m| !m.decl().filters.contains(&Filter::Brand));
    }
    found
}
