//! Rows that were aggregated before they came here: their sums are measures already.

use super::accumulate::Contributions;
use super::{M, Pass, Rows, rows};
use crate::base::column::Col;
use crate::base::error::Result;
use crate::base::symbol::Symbols;
use crate::base::time::DAY;
use crate::ingest::{Batch, Field, Intake};
use std::collections::BTreeSet;

/// What a column of a report adds to; `mature` also where the row's day is.
const SUMS: &[(Col, Rows, M, Option<M>)] = &[
    (Col::Clicks, Rows::Clicks, M::Clicks, Some(M::MatureClicks)),
    (Col::Cost, Rows::Clicks, M::Cost, Some(M::MatureCost)),
    (Col::Cost, Rows::Clicks, M::CostedClicks, None),
    (Col::Conversions, Rows::Conversions, M::Conversions, Some(M::ConvertedClicks)),
    (Col::Conversions, Rows::Conversions, M::Priced, Some(M::EarningConversions)),
    (Col::Payout, Rows::Conversions, M::PayoutConfirmed, Some(M::MaturePayout)),
    (Col::Revenue, Rows::Conversions, M::RevenueConfirmed, Some(M::MatureRevenue)),
];

/// The measures that the columns of aggregated reports give.
pub fn given(columns: &BTreeSet<Col>) -> impl Iterator<Item = M> {
    let there = |sum: &&(Col, Rows, M, Option<M>)| columns.contains(&sum.0);
    SUMS.iter().filter(there).flat_map(|(_, _, measure, mature)| mature.iter().copied().chain([*measure]))
}

impl Pass<'_> {
    /// Adds the rows of aggregated reports.
    ///
    /// # Errors
    /// The intake cannot be read.
    pub(super) fn report(&mut self, intake: &Intake, symbols: &mut Symbols) -> Result<()> {
        let mut fields: Vec<Field> = self.options.columns.iter().map(|c| Field::Value(*c)).collect();
        fields.extend(
            [Col::Day, Col::Clicks, Col::Conversions, Col::Cost, Col::Payout, Col::Revenue].map(Field::Value),
        );
        intake.report.scan(&fields, None, &mut |batch| {
            self.report_batch(batch, symbols);
            Ok(())
        })
    }

    fn report_batch(&mut self, batch: &Batch, symbols: &mut Symbols) {
        let times = batch.integers(Col::Day);
        let time = |row: usize| times.as_ref().and_then(|t| t.get(row));
        let days: Vec<i32> = (0..batch.len()).map(|row| time(row).map_or(0, |t| self.day(t))).collect();
        let until = self.options.clock.mature_until();
        let mature: Vec<bool> =
            (0..batch.len()).map(|row| time(row).is_none_or(|t| t + DAY <= until)).collect();
        if times.is_some() {
            self.widen(&days);
        }
        let columns = rows::symbols_of(batch, self.options.columns, symbols);
        let sides = [Rows::Clicks, Rows::Conversions].map(|side| contributions(batch, side, &mature));
        self.counted +=
            sides[0].sums.iter().filter(|(m, _)| *m == M::Clicks).flat_map(|(_, v)| v).sum::<i64>() as u64;
        for grain in &mut self.grains {
            let at = grain.placement(&columns, &self.places, days.clone());
            grain.clicks.add(&at, &sides[0]);
            grain.conversions.add(&at, &sides[1]);
        }
        let times: Vec<Option<i64>> = (0..batch.len()).map(time).collect();
        for cut in &mut self.cuts {
            let sides = |mature: &[bool]| {
                [Rows::Clicks, Rows::Conversions].map(|side| contributions(batch, side, mature))
            };
            cut.report(&columns, &times, &days, &self.places, sides);
        }
    }
}

fn contributions(batch: &Batch, side: Rows, mature: &[bool]) -> Contributions {
    let mut out = Contributions { sums: Vec::new(), values: Vec::new(), many: Vec::new(), keys: Vec::new() };
    for (col, _, measure, of_mature) in SUMS.iter().filter(|s| s.1 == side) {
        let Some(column) = batch.integers(*col) else { continue };
        let counted = |v: Option<i64>| {
            if *measure == M::CostedClicks { i64::from(v.is_some()) } else { v.unwrap_or(0) }
        };
        let values: Vec<i64> = column.iter().map(counted).collect();
        if let Some(of_mature) = of_mature {
            let only = values.iter().zip(mature).map(|(v, mature)| if *mature { *v } else { 0 }).collect();
            out.sums.push((*of_mature, only));
        }
        out.sums.push((*measure, values));
    }
    out
}
