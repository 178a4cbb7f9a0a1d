//! Costs that come in a file of their own, by day and campaign or zone.
//!
//! A cost is dealt to the clicks of its day and key in equal parts, in whole micro-units that add up to the
//! cost. For a group that is made of whole keys this is exact; below that it is an assumption, marked as
//! such, and never blocks.

use super::accumulate::Accumulator;
use super::cut::CutGrain;
use super::{M, Pass, STRATUM_COLUMNS};
use crate::base::column::{Col, Kind, Side};
use crate::base::error::Result;
use crate::base::symbol::{Symbol, Symbols};
use crate::ingest::{Field, Intake};
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
pub const GIVEN: [M; 3] = [M::Cost, M::MatureCost, M::CostedClicks];

/// Texts of a cost's key columns.
type Key = Vec<Option<String>>;

/// A key on a day.
type At = (Key, i32);

/// Cost in micro-units by key and day.
type Costs = BTreeMap<At, i64>;

impl Pass<'_> {
    /// Replaces the clicks' own cost by the cost files'; returns what no click could carry.
    ///
    /// # Errors
    /// The intake cannot be read.
    pub(super) fn costs(&mut self, intake: &Intake, symbols: &mut Symbols) -> Result<Option<i64>> {
        if intake.costs.is_empty() {
            return Ok(None);
        }
        let key = key_columns(intake);
        let costs = self.read_costs(intake, &key)?;
        let clicks = intake.clicks.columns();
        let placed = || STRATUM_COLUMNS.iter().chain(&self.peer_columns);
        let places: Vec<usize> = key.iter().filter_map(|c| placed().position(|p| p == c)).collect();
        let mut left = 0;
        for grain in &mut self.grains {
            let below = |c: &&Col| clicks.contains(c) && !key.contains(c);
            grain.cost_allocated = grain.grain.columns().iter().any(|c| below(&c));
            left = deal(&mut grain.clicks, &costs, &places, symbols);
        }
        for CutGrain { grain, pass, .. } in self.cuts.iter_mut().flat_map(|cut| &mut cut.grains) {
            let whole = &self.grains[*grain];
            pass.cost_allocated = whole.cost_allocated;
            take_part(&mut pass.clicks, &whole.clicks);
        }
        Ok(Some(left))
    }

    fn read_costs(&self, intake: &Intake, key: &[Col]) -> Result<Costs> {
        let mut fields = vec![Field::Value(Col::Day), Field::Value(Col::Cost)];
        fields.extend(key.iter().map(|c| Field::Value(*c)));
        let mut costs = Costs::new();
        intake.costs.scan(&fields, None, &mut |batch| {
            let days = batch.integers(Col::Day).unwrap_or_default();
            let amounts = batch.integers(Col::Cost).unwrap_or_default();
            let texts: Vec<_> = key.iter().map(|c| batch.texts(*c)).collect();
            for (row, (day, amount)) in days.iter().zip(amounts.iter()).enumerate() {
                let text = |t: &Option<&polars::prelude::StringChunked>| {
                    t.and_then(|t| t.get(row)).map(str::to_owned)
                };
                let at = (texts.iter().map(text).collect(), self.day(day.unwrap_or_default()));
                *costs.entry(at).or_default() += amount.unwrap_or_default();
            }
            Ok(())
        })?;
        Ok(costs)
    }
}

/// Deals every cost to the cells of its key and day; returns what found no cell.
fn deal(clicks: &mut Accumulator, costs: &Costs, places: &[usize], symbols: &Symbols) -> i64 {
    clear(clicks);
    let cells = cells_by_key(clicks, places, symbols);
    let mut left = 0;
    for (at, cost) in costs {
        let Some(cells) = cells.get(at) else {
            left += cost;
            continue;
        };
        let weights: Vec<i64> = cells.iter().map(|cell| clicks.sum(*cell, M::Clicks)).collect();
        for (cell, part) in cells.iter().zip(parts(*cost, &weights)) {
            give(clicks, *cell, part);
        }
    }
    left
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
            give(cut, at, part as i64);
        }
    }
}

/// Takes the clicks' own cost away: the cost files replace it.
fn clear(clicks: &mut Accumulator) {
    for cell in 0..clicks.cell_count() {
        for measure in GIVEN {
            clicks.add_to_cell(cell, measure, -clicks.sum(cell, measure));
        }
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

/// Gives a cell its part of a cost; of it the mature clicks' share is mature.
fn give(clicks: &mut Accumulator, cell: usize, part: i64) {
    let (all, mature) = (clicks.sum(cell, M::Clicks), clicks.sum(cell, M::MatureClicks));
    let mature_part = (i128::from(part) * i128::from(mature) / i128::from(all.max(1))) as i64;
    clicks.add_to_cell(cell, M::Cost, part);
    clicks.add_to_cell(cell, M::MatureCost, mature_part);
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
    use super::parts;

    #[test]
    fn parts_add_up() {
        assert_eq!(parts(10, &[1, 1, 1]), [4, 3, 3]);
        assert_eq!(parts(100, &[3, 1]), [75, 25]);
        assert_eq!(parts(-10, &[1, 1, 1]).iter().sum::<i64>(), -10);
        assert_eq!(parts(7, &[0, 5]), [0, 7]);
    }
}
