//! Costs that come in a file of their own, by day and campaign or zone.
//!
//! A cost is dealt to the clicks of its day and key in equal parts, in whole micro-units that add up to the
//! cost. For a group that is made of whole keys this is exact; below that it is an assumption, marked as
//! such, and never blocks.

use super::accumulate::Accumulator;
use super::{M, Pass};
use crate::base::column::{Col, Kind, Side};
use crate::base::error::Result;
use crate::base::symbol::{Symbol, Symbols};
use crate::ingest::{Field, Intake};
use std::collections::BTreeMap;

/// The columns by which the cost files give their costs.
pub fn key_columns(intake: &Intake) -> Vec<Col> {
    let columns = intake.costs.columns();
    columns
        .into_iter()
        .filter(|c| c.kind() == Kind::Text && c.decl().side == Side::Both && *c != Col::Currency)
        .collect()
}

/// Cost in micro-units by key and day.
type Costs = BTreeMap<(Vec<Option<String>>, i32), i64>;

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
        let places: Vec<usize> =
            key.iter().filter_map(|c| self.peer_columns.iter().position(|p| p == c)).collect();
        self.available.extend([M::Cost, M::MatureCost, M::CostedClicks]);
        let mut left = 0;
        for grain in &mut self.grains {
            let below = |c: &&Col| clicks.contains(c) && !key.contains(c);
            grain.cost_allocated = grain.grain.columns().iter().any(|c| below(&c));
            left = deal(&mut grain.clicks, &costs, &places, symbols);
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
    let text = |s: &Symbol| symbols.text(*s).map(str::to_owned);
    let slot = |m: M, clicks: &Accumulator| clicks.slots().iter().position(|s| *s == m);
    let (count, mature, old) =
        (slot(M::Clicks, clicks), slot(M::MatureClicks, clicks), slot(M::Cost, clicks));
    let (Some(count), Some(mature), Some(old)) = (count, mature, old) else { return costs.values().sum() };
    let mut cells: BTreeMap<(Vec<Option<String>>, i32), Vec<(Vec<Option<String>>, usize)>> = BTreeMap::new();
    for at in 0..clicks.cell_count() {
        let (cell, own) = (clicks.cell(at), clicks.cell(at).sums[old]);
        let key = places.iter().map(|&p| text(&cell.peer[p])).collect();
        let mut order: Vec<_> = clicks.group_key(cell.group).iter().map(text).collect();
        order.extend(cell.peer.iter().map(text));
        cells.entry((key, cell.day)).or_default().push((order, at));
        let own_mature = clicks.cell(at).sums[slot(M::MatureCost, clicks).unwrap_or(old)];
        clicks.add_to_cell(at, M::Cost, -own);
        clicks.add_to_cell(at, M::MatureCost, -own_mature);
    }
    let mut left = 0;
    for (at, cost) in costs {
        let Some(list) = cells.get_mut(at) else {
            left += cost;
            continue;
        };
        list.sort();
        let weights: Vec<i64> = list.iter().map(|(_, cell)| clicks.cell(*cell).sums[count]).collect();
        for ((_, cell), part) in list.iter().zip(parts(*cost, &weights)) {
            let sums = clicks.cell(*cell).sums;
            let (all, old_enough) = (sums[count], sums[mature]);
            let mature_part = (i128::from(part) * i128::from(old_enough) / i128::from(all.max(1))) as i64;
            clicks.add_to_cell(*cell, M::Cost, part);
            clicks.add_to_cell(*cell, M::MatureCost, mature_part);
            clicks.add_to_cell(*cell, M::CostedClicks, all);
        }
    }
    left
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
