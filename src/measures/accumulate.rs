//! Adds up measures of one side's rows for one grain: cells of stratum × peer key × day. A stratum is the part
//! of a group that is paid for the same: its clicks of one format, model and offer.

use super::declared::{Kind, M, MEASURES, Measure, Rows};
use crate::base::stats::Counted;
use crate::base::symbol::Symbol;
use hashbrown::HashMap;
use std::collections::BTreeSet;

/// Numbers for tuples, built up pair by pair: `(a, b)` is one number, `((a, b), c)` another.
#[derive(Default)]
pub struct Pairs {
    numbers: HashMap<(u32, u32), u32>,
    pub members: Vec<(u32, u32)>,
}

impl Pairs {
    /// The number of a pair.
    pub fn of(&mut self, a: u32, b: u32) -> u32 {
        *self.numbers.entry((a, b)).or_insert_with(|| {
            self.members.push((a, b));
            self.members.len() as u32 - 1
        })
    }
}

/// The contribution of one row to each measure, column by column.
pub struct Contributions {
    /// For every count and sum: what each row adds.
    pub sums: Vec<(M, Vec<i64>)>,
    /// For every histogram: the value of each row that has one.
    pub values: Vec<(M, Vec<Option<i64>>)>,
    /// For every histogram to which a row adds several values: those of each row.
    pub many: Vec<(M, Vec<Vec<i64>>)>,
    /// For every key that distinct and top measures need: the key of each row that has one.
    pub keys: Vec<(Vec<M>, Vec<Option<u64>>)>,
}

impl Contributions {
    /// Those of the rows of a mask.
    pub fn only(self, mask: &[bool]) -> Contributions {
        fn kept<T>(values: Vec<T>, mask: &[bool]) -> Vec<T> {
            values.into_iter().zip(mask).filter(|(_, keep)| **keep).map(|(value, _)| value).collect()
        }
        Contributions {
            sums: self.sums.into_iter().map(|(m, of)| (m, kept(of, mask))).collect(),
            values: self.values.into_iter().map(|(m, of)| (m, kept(of, mask))).collect(),
            many: self.many.into_iter().map(|(m, of)| (m, kept(of, mask))).collect(),
            keys: self.keys.into_iter().map(|(m, of)| (m, kept(of, mask))).collect(),
        }
    }
}

/// Where rows belong: symbols of the grain's columns, of the stratum's and of the peer key's, and the day.
pub struct Placement {
    pub group: Vec<Vec<Symbol>>,
    pub stratum: Vec<Vec<Symbol>>,
    pub peer: Vec<Vec<Symbol>>,
    pub day: Vec<i32>,
}

/// How many columns make a group, a stratum of it, and a peer key.
#[derive(Clone, Copy)]
pub struct Widths {
    pub group: usize,
    pub stratum: usize,
    pub peer: usize,
}

/// Pairs of stratum and key.
type StratumKeys = Vec<(u32, u64)>;

/// The measures of one side for one grain.
pub struct Accumulator {
    widths: Widths,
    slots: Vec<M>,
    /// Only sums are added up, no histograms and no keys.
    sums_only: bool,
    /// The chain of numbers: of the group's columns first, the stratum's behind them.
    strata: Vec<Pairs>,
    peers: Vec<Pairs>,
    stratum_days: Pairs,
    cells: Pairs,
    data: Vec<i64>,
    values: HashMap<(u32, M, i64), u64>,
    /// Stratum and key of every row, for the measures that count keys.
    keys: Vec<(Vec<M>, StratumKeys)>,
}

/// Where a cell stands.
pub struct Cell {
    pub stratum: u32,
    pub peer: Vec<Symbol>,
    pub day: i32,
}

impl Accumulator {
    /// An empty accumulator for rows of this side.
    pub fn new(rows: Rows, available: &BTreeSet<M>, widths: Widths) -> Accumulator {
        let summed = |m: &&Measure| {
            m.rows == rows && matches!(m.kind, Kind::Count | Kind::Sum(_)) && available.contains(&m.id)
        };
        Accumulator {
            widths,
            slots: MEASURES.iter().filter(summed).map(|m| m.id).collect(),
            sums_only: false,
            strata: (0..widths.group + widths.stratum).map(|_| Pairs::default()).collect(),
            peers: (0..widths.peer).map(|_| Pairs::default()).collect(),
            stratum_days: Pairs::default(),
            cells: Pairs::default(),
            data: Vec::new(),
            values: HashMap::new(),
            keys: Vec::new(),
        }
    }

    /// An empty accumulator that adds up these sums and nothing else.
    pub fn of_sums(rows: Rows, sums: &BTreeSet<M>, widths: Widths) -> Accumulator {
        Accumulator { sums_only: true, ..Accumulator::new(rows, sums, widths) }
    }

    /// The measures that cells hold, in order.
    pub fn slots(&self) -> &[M] {
        &self.slots
    }

    /// Adds rows; returns the number of each row's stratum.
    pub fn add(&mut self, at: &Placement, rows: &Contributions) -> Vec<u32> {
        let columns: Vec<&Vec<Symbol>> = at.group.iter().chain(&at.stratum).collect();
        let stratum = chained(&mut self.strata, &columns, at.day.len());
        let peer = chained(&mut self.peers, &at.peer.iter().collect::<Vec<_>>(), at.day.len());
        let columns: Vec<&[i64]> = self
            .slots
            .iter()
            .map(|slot| rows.sums.iter().find(|(m, _)| m == slot).map_or(&[][..], |(_, v)| v.as_slice()))
            .collect();
        let width = self.slots.len();
        for row in 0..at.day.len() {
            let stratum_day = self.stratum_days.of(stratum[row], at.day[row] as u32);
            let cell = self.cells.of(stratum_day, peer[row]) as usize;
            if self.data.len() < (cell + 1) * width {
                self.data.resize((cell + 1) * width, 0);
            }
            let sums = &mut self.data[cell * width..(cell + 1) * width];
            for (sum, column) in sums.iter_mut().zip(&columns) {
                *sum = sum.saturating_add(column.get(row).copied().unwrap_or(0));
            }
        }
        if !self.sums_only {
            self.add_values(&stratum, rows);
            self.add_keys(&stratum, rows);
        }
        stratum
    }

    fn add_values(&mut self, stratum: &[u32], rows: &Contributions) {
        for (measure, values) in &rows.values {
            for (stratum, value) in stratum.iter().zip(values) {
                if let Some(value) = value {
                    *self.values.entry((*stratum, *measure, *value)).or_default() += 1;
                }
            }
        }
        for (measure, lists) in &rows.many {
            for (stratum, values) in stratum.iter().zip(lists) {
                for value in values {
                    *self.values.entry((*stratum, *measure, *value)).or_default() += 1;
                }
            }
        }
    }

    fn add_keys(&mut self, stratum: &[u32], rows: &Contributions) {
        for (measures, keys) in &rows.keys {
            let at = self.keys.iter().position(|(m, _)| m == measures).unwrap_or_else(|| {
                self.keys.push((measures.clone(), Vec::new()));
                self.keys.len() - 1
            });
            let pairs = stratum.iter().zip(keys).filter_map(|(s, k)| k.map(|k| (*s, k)));
            self.keys[at].1.extend(pairs);
        }
    }

    /// Adds rows of a stratum that were counted elsewhere to one value of a histogram.
    pub fn add_counted(&mut self, stratum: u32, measure: M, value: i64, count: u64) {
        *self.values.entry((stratum, measure, value)).or_default() += count;
    }

    /// Adds `amount` to one sum of a cell that exists.
    pub fn add_to_cell(&mut self, cell: usize, measure: M, amount: i64) {
        if let Some(slot) = self.slots.iter().position(|m| *m == measure) {
            self.data[cell * self.slots.len() + slot] += amount;
        }
    }

    /// Changes one sum of every cell.
    pub fn map(&mut self, measure: M, change: impl Fn(i64) -> i64) {
        let Some(slot) = self.slots.iter().position(|m| *m == measure) else { return };
        let width = self.slots.len();
        self.data.iter_mut().skip(slot).step_by(width).for_each(|sum| *sum = change(*sum));
    }

    /// One sum of a cell; 0 for a measure of another side.
    pub fn sum(&self, cell: usize, measure: M) -> i64 {
        let slot = self.slots.iter().position(|m| *m == measure);
        slot.map_or(0, |slot| self.data[cell * self.slots.len() + slot])
    }

    /// All sums of a cell, in the order of [`Accumulator::slots`].
    pub fn sums(&self, cell: usize) -> &[i64] {
        &self.data[cell * self.slots.len()..(cell + 1) * self.slots.len()]
    }

    /// The histograms: stratum, measure, value and how often; sorted.
    pub fn counted_values(&self) -> Vec<(u32, M, i64, u64)> {
        let mut sparse: Vec<(u32, M, i64, u64)> =
            self.values.iter().map(|((stratum, m, value), count)| (*stratum, *m, *value, *count)).collect();
        sparse.sort_unstable();
        sparse
    }

    /// Number of cells.
    pub fn cell_count(&self) -> usize {
        self.cells.members.len()
    }

    /// Where a cell stands.
    pub fn cell(&self, cell: usize) -> Cell {
        let (stratum_day, peer) = self.cells.members[cell];
        let (stratum, day) = self.stratum_days.members[stratum_day as usize];
        Cell { stratum, peer: unchained(&self.peers, peer), day: day as i32 }
    }

    /// Number of strata.
    pub fn stratum_count(&self) -> usize {
        match self.strata.last() {
            Some(pairs) => pairs.members.len(),
            None => usize::from(!self.cells.members.is_empty()),
        }
    }

    /// All sums of every stratum, in the order of [`Accumulator::slots`].
    pub fn sums_by_stratum(&self) -> Vec<Vec<i64>> {
        let width = self.slots.len();
        let mut totals = vec![vec![0i64; width]; self.stratum_count()];
        for (cell, (stratum_day, _)) in self.cells.members.iter().enumerate() {
            let total = &mut totals[self.stratum_days.members[*stratum_day as usize].0 as usize];
            let sums = &self.data[cell * width..(cell + 1) * width];
            total.iter_mut().zip(sums).for_each(|(t, s)| *t = t.saturating_add(*s));
        }
        totals
    }

    /// Symbols of a stratum's columns, those of its group first.
    pub fn stratum_key(&self, stratum: u32) -> (Vec<Symbol>, Vec<Symbol>) {
        let mut group = unchained(&self.strata, stratum);
        let stratum = group.split_off(self.widths.group);
        (group, stratum)
    }

    /// A number of the stratum's group, which is the same for all strata of the group.
    pub fn group_of(&self, stratum: u32) -> u32 {
        let own = &self.strata[self.widths.group..];
        own.iter().rev().fold(stratum, |number, level| level.members[number as usize].0)
    }

    /// The number of each stratum's group, counted from 0, and how many groups there are.
    pub fn groups(&self) -> (Vec<u32>, usize) {
        let mut numbers: HashMap<Vec<Symbol>, u32> = HashMap::new();
        let groups = (0..self.stratum_count() as u32)
            .map(|stratum| {
                let next = numbers.len() as u32;
                *numbers.entry(self.stratum_key(stratum).0).or_insert(next)
            })
            .collect();
        (groups, numbers.len())
    }

    /// Histograms by stratum and measure, their values sorted.
    pub fn values(&self) -> HashMap<(u32, M), Box<Counted>> {
        let sparse = self.counted_values();
        let of = |list: &[(u32, M, i64, u64)]| list.iter().map(|v| (v.2, v.3)).collect();
        sparse
            .chunk_by(|a, b| (a.0, a.1) == (b.0, b.1))
            .map(|list| ((list[0].0, list[0].1), of(list)))
            .collect()
    }

    /// Distinct and top counts by stratum and by group: number, measure, count. Takes the keys away: they are
    /// the largest thing held.
    pub fn take_key_counts(&mut self, groups: &[u32]) -> [Vec<(u32, M, i64)>; 2] {
        let mut counts = [Vec::new(), Vec::new()];
        for (measures, mut pairs) in std::mem::take(&mut self.keys) {
            count_keys(&measures, &mut pairs, &mut counts[0]);
            pairs.iter_mut().for_each(|(stratum, _)| *stratum = groups[*stratum as usize]);
            count_keys(&measures, &mut pairs, &mut counts[1]);
        }
        counts
    }
}

fn count_keys(measures: &[M], pairs: &mut StratumKeys, counts: &mut Vec<(u32, M, i64)>) {
    pairs.sort_unstable();
    for of_one in pairs.chunk_by(|a, b| a.0 == b.0) {
        let runs = of_one.chunk_by(|a, b| a.1 == b.1).map(<[_]>::len);
        let (distinct, top) = runs.fold((0i64, 0i64), |(d, t), run| (d + 1, t.max(run as i64)));
        let count = |m: &M| if matches!(m.decl().kind, Kind::Top(_)) { top } else { distinct };
        counts.extend(measures.iter().map(|m| (of_one[0].0, *m, count(m))));
    }
}

/// The number of each row's tuple of symbols.
fn chained(pairs: &mut [Pairs], columns: &[&Vec<Symbol>], rows: usize) -> Vec<u32> {
    let mut numbers = vec![0u32; rows];
    for (pairs, column) in pairs.iter_mut().zip(columns) {
        let mut last = (u32::MAX, u32::MAX, 0);
        for (number, symbol) in numbers.iter_mut().zip(column.iter()) {
            if (last.0, last.1) != (*number, symbol.0) {
                last = (*number, symbol.0, pairs.of(*number, symbol.0));
            }
            *number = last.2;
        }
    }
    numbers
}

/// The symbols of a tuple's number.
fn unchained(pairs: &[Pairs], number: u32) -> Vec<Symbol> {
    let (mut number, mut symbols) = (number, Vec::with_capacity(pairs.len()));
    for level in pairs.iter().rev() {
        let (before, symbol) = level.members[number as usize];
        symbols.push(Symbol(symbol));
        number = before;
    }
    symbols.reverse();
    symbols
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuples_come_back() {
        let mut pairs = vec![Pairs::default(), Pairs::default()];
        let columns = [vec![Symbol(5), Symbol(6), Symbol(5)], vec![Symbol(1), Symbol(1), Symbol(1)]];
        let numbers = chained(&mut pairs, &[&columns[0], &columns[1]], 3);
        assert_eq!(numbers[0], numbers[2]);
        assert_ne!(numbers[0], numbers[1]);
        assert_eq!(unchained(&pairs, numbers[1]), [Symbol(6), Symbol(1)]);
    }
}
