//! Costs that come in a file of their own, by day and campaign or zone, with the clicks that were sold for them.
//!
//! A cost is dealt to the clicks of its day and key in equal parts, in whole micro-units that add up to the
//! cost. For a group that is made of whole keys this is exact; below that it is an assumption, marked as
//! such, and never blocks. Days that the costs of a traffic source are not complete for are not judged by money:
//! they would look as if they had cost nothing.

use super::accumulate::Accumulator;
use super::cut::CutGrain;
use super::{Clock, Filter, M, Measure, Pass, STRATUM_COLUMNS, place};
use crate::base::column::{Col, Kind, Side};
use crate::base::error::Result;
use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::Zone;
use crate::ingest::sources::Seller;
use crate::ingest::{Field, Intake, Sources};
use crate::matching::MatchedConversion;
use hashbrown::HashMap;
use std::collections::BTreeMap;

/// The columns by which the cost files give their costs.
pub fn key_columns(intake: &Intake) -> Vec<Col> {
    let columns = intake.costs.columns();
    columns
        .into_iter()
        .filter(|c| c.kind() == Kind::Text && c.decl().side == Side::Both && *c != Col::Currency)
        .collect()
}

/// The measures that cost files give.
const GIVEN: [M; 4] = [M::Cost, M::MatureCost, M::CostedClicks, M::CompleteCost];

/// The measures that cost files give where they say how many clicks were sold.
const SOLD: [M; 2] = [M::BoughtClicks, M::ArrivedClicks];

/// The measures that cost files give.
pub fn given(intake: &Intake) -> impl Iterator<Item = M> {
    let sold = intake.costs.columns().contains(&Col::Clicks);
    GIVEN.into_iter().chain(SOLD.into_iter().filter(move |_| sold))
}

/// Whether a measure says nothing without a cost file.
pub fn only_of_costs(measure: &Measure) -> bool {
    measure.filters.iter().any(|f| matches!(f, Filter::CostKnown | Filter::Bought))
}

/// Texts of a cost's key columns.
type Key = Vec<Option<String>>;

/// A key on a day.
type At = (Key, i32);

/// What the traffic source asks for on a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bill {
    /// Micro-units.
    cost: i64,
    /// Clicks that it says it sold.
    clicks: Option<i64>,
}

/// The cost files of a run.
pub struct CostTable {
    key: Vec<Col>,
    bills: BTreeMap<At, Bill>,
    pub days: CostDays,
    /// The first and the last day that are whole in the clicks.
    whole: (i32, i32),
}

/// The days that the cost files are complete for. A traffic source's costs are complete from its first day to
/// its last, if that day is over.
#[derive(Default)]
pub struct CostDays {
    /// Where the traffic source stands among the columns of conversions; `None` where the files name none.
    at: Option<usize>,
    spans: HashMap<Symbol, (i32, i32)>,
}

impl CostDays {
    /// Whether a conversion's click lies on a day whose costs are complete.
    pub fn cover(&self, m: &MatchedConversion, clock: Clock) -> bool {
        let day = clock.zone.day_and_hour(m.click_time.unwrap_or(m.conversion.time)).0;
        self.covers(self.at.map_or(Symbol::NONE, |at| m.columns[at]), day)
    }

    fn covers(&self, traffic_source: Symbol, day: i32) -> bool {
        self.spans.get(&traffic_source).is_some_and(|(first, last)| (*first..=*last).contains(&day))
    }
}

/// What of a run the cost files do not cover, by traffic source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncosted {
    /// `None` where the files name no traffic source, or the clicks have none.
    pub traffic_source: Option<String>,
    /// First and last complete day; `None` where the files say nothing of the traffic source.
    pub days: Option<(i32, i32)>,
    pub clicks: u64,
}

/// What the cost files could not be matched with, and what they do not cover.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CostGaps {
    /// Cost that no click could carry, in micro-units.
    pub unallocated: i64,
    /// Sold clicks of keys that no click ever came of.
    pub unseen_clicks: i64,
    pub uncosted: Vec<Uncosted>,
}

/// The last day that is over at a moment.
fn day_over(zone: Zone, as_of: i64) -> i32 {
    let (day, hour) = zone.day_and_hour(as_of);
    if hour >= LAST_HOUR { day } else { day - 1 }
}

/// An hour before its end a day is as good as over: who exports every night does so at midnight.
const LAST_HOUR: u8 = 23;

impl Pass<'_> {
    /// Reads the cost files; `None` if there are none.
    ///
    /// # Errors
    /// The intake cannot be read.
    pub(super) fn cost_table(&self, intake: &Intake, symbols: &mut Symbols) -> Result<Option<CostTable>> {
        if intake.costs.is_empty() {
            return Ok(None);
        }
        let key = key_columns(intake);
        let bills = self.read_bills(intake, &key)?;
        let clock = self.options.clock;
        let over = day_over(clock.zone, clock.as_of);
        let first = intake.span(Col::ClickTime).map_or((0, 0), |span| clock.zone.day_and_hour(span.0));
        let begun = if first.1 == 0 { first.0 } else { first.0 + 1 };
        let sellers = &intake.mapping.sources;
        let days = self.cost_days(&key, &bills, over, sellers, symbols);
        let named = key.iter().position(|c| *c == Col::TrafficSource);
        let mut bills = bills;
        bills.iter_mut().for_each(|((texts, _), bill)| {
            let seller = named.and_then(|at| sellers.of(texts[at].as_deref()?));
            bill.clicks = bill.clicks.filter(|_| seller.is_none_or(Seller::sells_clicks));
        });
        Ok(Some(CostTable { key, bills, days, whole: (begun, over) }))
    }

    fn cost_days(
        &self,
        key: &[Col],
        bills: &BTreeMap<At, Bill>,
        over: i32,
        sellers: &Sources,
        symbols: &mut Symbols,
    ) -> CostDays {
        let named = key.iter().position(|c| *c == Col::TrafficSource);
        let mut spans: HashMap<Symbol, (i32, i32)> = HashMap::new();
        for (texts, day) in bills.keys() {
            let who = named.map_or(Symbol::NONE, |at| symbols.of_option(texts[at].as_deref()));
            let span = spans.entry(who).or_insert((*day, *day));
            *span = (span.0.min(*day), span.1.max(*day));
        }
        // A traffic source's day is over when it is over on its own clock.
        spans.iter_mut().for_each(|(who, span)| {
            let own = symbols.text(*who).and_then(|name| sellers.of(name)?.zone);
            span.1 = span.1.min(own.map_or(over, |zone| day_over(zone, self.options.clock.as_of)));
        });
        CostDays { at: named.map(|_| place(self.options, Col::TrafficSource)), spans }
    }

    /// Replaces the clicks' own cost by the cost files', and adds what was sold.
    pub(super) fn costs(&mut self, intake: &Intake, table: &CostTable, symbols: &Symbols) -> CostGaps {
        let clicks = intake.clicks.columns();
        let placed = || STRATUM_COLUMNS.iter().chain(&self.peer_columns);
        let places: Vec<usize> = table.key.iter().filter_map(|c| placed().position(|p| p == c)).collect();
        let who = place_of(&table.key, &places, Col::TrafficSource);
        let mut gaps = CostGaps::default();
        for grain in &mut self.grains {
            let below = |c: &&Col| clicks.contains(c) && !table.key.contains(c);
            grain.cost_allocated = grain.grain.columns().iter().any(|c| below(&c));
            let cells = Cells::of(&grain.clicks, &places, symbols);
            gaps.unallocated = deal(&mut grain.clicks, table, &cells, who);
            gaps.unseen_clicks = deal_clicks(&mut grain.clicks, table, &cells);
            gaps.uncosted = uncosted(&grain.clicks, table, who, symbols);
        }
        for CutGrain { grain, pass, .. } in self.cuts.iter_mut().flat_map(|cut| &mut cut.grains) {
            let whole = &self.grains[*grain];
            pass.cost_allocated = whole.cost_allocated;
            take_part(&mut pass.clicks, &whole.clicks);
        }
        gaps
    }

    fn read_bills(&self, intake: &Intake, key: &[Col]) -> Result<BTreeMap<At, Bill>> {
        let mut fields = [Col::Day, Col::Cost, Col::Clicks].map(Field::Value).to_vec();
        fields.extend(key.iter().map(|c| Field::Value(*c)));
        let mut bills: BTreeMap<At, Bill> = BTreeMap::new();
        intake.costs.scan(&fields, None, &mut |batch| {
            let days = batch.integers(Col::Day).unwrap_or_default();
            let amounts = batch.integers(Col::Cost).unwrap_or_default();
            let sold = batch.integers(Col::Clicks);
            let texts: Vec<_> = key.iter().map(|c| batch.texts(*c)).collect();
            for (row, (day, amount)) in days.iter().zip(amounts.iter()).enumerate() {
                let text = |t: &Option<&polars::prelude::StringChunked>| {
                    t.and_then(|t| t.get(row)).map(str::to_owned)
                };
                let at = (texts.iter().map(text).collect(), self.day(day.unwrap_or_default()));
                let bill = bills.entry(at).or_default();
                bill.cost += amount.unwrap_or_default();
                if let Some(clicks) = sold.as_ref().and_then(|s| s.get(row)).filter(|n| *n >= 0) {
                    *bill.clicks.get_or_insert_default() += clicks;
                }
            }
            Ok(())
        })?;
        Ok(bills)
    }
}

/// Where a key column stands among a cell's stratum and peer columns.
fn place_of(key: &[Col], places: &[usize], col: Col) -> Option<usize> {
    places.get(key.iter().position(|c| *c == col)?).copied()
}

/// Deals every cost to the cells of its key and day; returns what found no cell.
fn deal(clicks: &mut Accumulator, table: &CostTable, cells: &Cells, who: Option<usize>) -> i64 {
    clear(clicks);
    let mut left = 0;
    for (at, bill) in &table.bills {
        let Some(of_day) = cells.by_day.get(at) else {
            left += bill.cost;
            continue;
        };
        let complete = of_day.first().is_some_and(|cell| table.days.covers(seller(clicks, *cell, who), at.1));
        let weights: Vec<i64> = of_day.iter().map(|cell| clicks.sum(*cell, M::Clicks)).collect();
        for (cell, part) in of_day.iter().zip(parts(bill.cost, &weights)) {
            give(clicks, *cell, part, complete);
        }
    }
    left
}

/// The traffic source of a cell, if the cost files name any.
fn seller(clicks: &Accumulator, cell: usize, who: Option<usize>) -> Symbol {
    let Some(place) = who else { return Symbol::NONE };
    let cell = clicks.cell(cell);
    let (_, stratum) = clicks.stratum_key(cell.stratum);
    stratum.iter().chain(&cell.peer).nth(place).copied().unwrap_or(Symbol::NONE)
}

/// Deals the sold clicks of whole days to the cells of their key; those of a day on which none arrived go to
/// another of the key's cells. Returns those of keys without any cell.
fn deal_clicks(clicks: &mut Accumulator, table: &CostTable, cells: &Cells) -> i64 {
    let mut unseen = 0;
    let whole = |(at, bill): (&At, &Bill)| {
        let inside = (table.whole.0..=table.whole.1).contains(&at.1);
        bill.clicks.filter(|_| inside).map(|sold| (at.clone(), sold))
    };
    for (at, sold) in table.bills.iter().filter_map(whole) {
        match (cells.by_day.get(&at), cells.by_key.get(&at.0)) {
            (Some(of_day), _) => {
                let weights: Vec<i64> = of_day.iter().map(|cell| clicks.sum(*cell, M::Clicks)).collect();
                for ((cell, part), arrived) in of_day.iter().zip(parts(sold, &weights)).zip(&weights) {
                    clicks.add_to_cell(*cell, M::BoughtClicks, part);
                    clicks.add_to_cell(*cell, M::ArrivedClicks, *arrived);
                }
            }
            (None, Some(first)) => clicks.add_to_cell(*first, M::BoughtClicks, sold),
            (None, None) => unseen += sold,
        }
    }
    unseen
}

/// Clicks on days that the cost files are not complete for, by traffic source.
fn uncosted(clicks: &Accumulator, table: &CostTable, who: Option<usize>, symbols: &Symbols) -> Vec<Uncosted> {
    let mut outside: BTreeMap<Option<&str>, (Symbol, i64)> = BTreeMap::new();
    for at in 0..clicks.cell_count() {
        let seller = seller(clicks, at, who);
        if !table.days.covers(seller, clicks.cell(at).day) {
            outside.entry(symbols.text(seller)).or_insert((seller, 0)).1 += clicks.sum(at, M::Clicks);
        }
    }
    let told = |(name, (seller, clicks)): (Option<&str>, (Symbol, i64))| Uncosted {
        traffic_source: name.map(str::to_owned),
        days: table.days.spans.get(&seller).copied(),
        clicks: clicks.max(0) as u64,
    };
    outside.into_iter().filter(|(_, (_, clicks))| *clicks > 0).map(told).collect()
}

/// Gives the cells of a cut their part of what the whole's were dealt, by clicks: the clicks outside the cut carry
/// the rest.
fn take_part(cut: &mut Accumulator, whole: &Accumulator) {
    clear(cut);
    let place = |clicks: &Accumulator, at: usize| {
        let cell = clicks.cell(at);
        (clicks.stratum_key(cell.stratum), cell.peer, cell.day)
    };
    let cells: HashMap<_, usize> = (0..whole.cell_count()).map(|at| (place(whole, at), at)).collect();
    for at in 0..cut.cell_count() {
        let Some(of) = cells.get(&place(cut, at)) else { continue };
        let (clicks, all) = (cut.sum(at, M::Clicks), whole.sum(*of, M::Clicks));
        let part = i128::from(whole.sum(*of, M::Cost)) * i128::from(clicks) / i128::from(all.max(1));
        if whole.sum(*of, M::CostedClicks) > 0 {
            let complete = whole.sum(*of, M::CompleteCost) == whole.sum(*of, M::Cost);
            give(cut, at, part as i64, complete);
        }
    }
}

/// Takes the clicks' own cost away: the cost files replace it.
fn clear(clicks: &mut Accumulator) {
    for cell in 0..clicks.cell_count() {
        for measure in GIVEN.into_iter().chain(SOLD) {
            clicks.add_to_cell(cell, measure, -clicks.sum(cell, measure));
        }
    }
}

/// The cells of a grain by key and day.
struct Cells {
    by_day: BTreeMap<At, Vec<usize>>,
    /// The first cell of every key.
    by_key: BTreeMap<Key, usize>,
}

impl Cells {
    fn of(clicks: &Accumulator, places: &[usize], symbols: &Symbols) -> Cells {
        let by_day = cells_by_key(clicks, places, symbols);
        let mut by_key = BTreeMap::new();
        for ((key, _), cells) in &by_day {
            by_key.entry(key.clone()).or_insert(cells[0]);
        }
        Cells { by_day, by_key }
    }
}

/// The cells of every key and day, in the order of their texts: remainders must not depend on row order.
fn cells_by_key(clicks: &Accumulator, places: &[usize], symbols: &Symbols) -> BTreeMap<At, Vec<usize>> {
    let text = |s: &Symbol| symbols.text(*s).map(str::to_owned);
    let mut sorted: Vec<(At, Key, usize)> = (0..clicks.cell_count())
        .map(|at| {
            let cell = clicks.cell(at);
            let (group, stratum) = clicks.stratum_key(cell.stratum);
            let placed: Vec<Symbol> = stratum.iter().chain(&cell.peer).copied().collect();
            let key = places.iter().map(|&p| text(&placed[p])).collect();
            let order = group.iter().chain(&stratum).chain(&cell.peer).map(text).collect();
            ((key, cell.day), order, at)
        })
        .collect();
    sorted.sort();
    let mut cells: BTreeMap<At, Vec<usize>> = BTreeMap::new();
    for (at, _, cell) in sorted {
        cells.entry(at).or_default().push(cell);
    }
    cells
}

/// Gives a cell its part of a cost; of it the mature clicks' share is mature. A day that is not complete is not
/// judged: its cost counts in the sum alone.
fn give(clicks: &mut Accumulator, cell: usize, part: i64, complete: bool) {
    let (all, mature) = (clicks.sum(cell, M::Clicks), clicks.sum(cell, M::MatureClicks));
    let mature_part = (i128::from(part) * i128::from(mature) / i128::from(all.max(1))) as i64;
    clicks.add_to_cell(cell, M::Cost, part);
    if complete {
        clicks.add_to_cell(cell, M::MatureCost, mature_part);
        clicks.add_to_cell(cell, M::CompleteCost, part);
    }
    clicks.add_to_cell(cell, M::CostedClicks, all);
}

/// Splits an amount by weights into whole parts that add up to it; what is left over goes, one by one, to
/// the largest remainders, earlier ones first.
fn parts(amount: i64, weights: &[i64]) -> Vec<i64> {
    let total: i128 = weights.iter().map(|&w| i128::from(w)).sum::<i128>().max(1);
    let exact = |w: &i64| i128::from(amount) * i128::from(*w);
    let mut parts: Vec<i64> = weights.iter().map(|w| exact(w).div_euclid(total) as i64).collect();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(exact(&weights[i]).rem_euclid(total)));
    let left = amount - parts.iter().sum::<i64>();
    order.into_iter().take(left.max(0) as usize).for_each(|i| parts[i] += 1);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traffic_source_is_covered_from_its_first_to_its_last_day() {
        let days = CostDays { at: Some(0), spans: [(Symbol(1), (10, 12)), (Symbol(2), (11, 10))].into() };
        let covered = |who, day| days.covers(Symbol(who), day);
        assert!(covered(1, 10) && covered(1, 12) && !covered(1, 13) && !covered(1, 9));
        assert!(!covered(2, 11) && !covered(3, 11));
    }

    #[test]
    fn parts_add_up() {
        assert_eq!(parts(10, &[1, 1, 1]), [4, 3, 3]);
        assert_eq!(parts(100, &[3, 1]), [75, 25]);
        assert_eq!(parts(-10, &[1, 1, 1]).iter().sum::<i64>(), -10);
        assert_eq!(parts(7, &[0, 5]), [0, 7]);
    }
}
