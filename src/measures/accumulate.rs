//! Adds up measures of one side's rows for one grain: cells of group × peer key × day.

use super::declared::{Kind, M, MEASURES, Rows};
use crate::base::stats::Counted;
use crate::base::symbol::Symbol;
use hashbrown::HashMap;

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

/// Where rows belong: symbols of the grain's columns, of the peer key, and the day.
pub struct Placement {
    pub group: Vec<Vec<Symbol>>,
    pub peer: Vec<Vec<Symbol>>,
    pub day: Vec<i32>,
}

/// Pairs of group and key.
type GroupKeys = Vec<(u32, u64)>;

/// The measures of one side for one grain.
pub struct Accumulator {
    slots: Vec<M>,
    group_pairs: Vec<Pairs>,
    peer_pairs: Vec<Pairs>,
    group_days: Pairs,
    cells: Pairs,
    data: Vec<i64>,
    values: HashMap<(u32, M, i64), u64>,
    /// Group and key of every row, for the measures that count keys.
    keys: Vec<(Vec<M>, GroupKeys)>,
}

/// Where a cell stands.
pub struct Cell {
    pub group: u32,
    pub peer: Vec<Symbol>,
    pub day: i32,
}

impl Accumulator {
    /// An empty accumulator for rows of this side.
    pub fn new(rows: Rows, group_columns: usize, peer_columns: usize) -> Accumulator {
        let summed = |k: Kind| matches!(k, Kind::Count | Kind::Sum(_));
        Accumulator {
            slots: MEASURES.iter().filter(|m| m.rows == rows && summed(m.kind)).map(|m| m.id).collect(),
            group_pairs: (0..group_columns).map(|_| Pairs::default()).collect(),
            peer_pairs: (0..peer_columns).map(|_| Pairs::default()).collect(),
            group_days: Pairs::default(),
            cells: Pairs::default(),
            data: Vec::new(),
            values: HashMap::new(),
            keys: Vec::new(),
        }
    }

    /// The measures that cells hold, in order.
    pub fn slots(&self) -> &[M] {
        &self.slots
    }

    /// Adds rows.
    pub fn add(&mut self, at: &Placement, rows: &Contributions) {
        let group = chained(&mut self.group_pairs, &at.group, at.day.len());
        let peer = chained(&mut self.peer_pairs, &at.peer, at.day.len());
        let columns: Vec<&[i64]> = self
            .slots
            .iter()
            .map(|slot| rows.sums.iter().find(|(m, _)| m == slot).map_or(&[][..], |(_, v)| v.as_slice()))
            .collect();
        let width = self.slots.len();
        for row in 0..at.day.len() {
            let group_day = self.group_days.of(group[row], at.day[row] as u32);
            let cell = self.cells.of(group_day, peer[row]) as usize;
            if self.data.len() < (cell + 1) * width {
                self.data.resize((cell + 1) * width, 0);
            }
            let sums = &mut self.data[cell * width..(cell + 1) * width];
            for (sum, column) in sums.iter_mut().zip(&columns) {
                *sum = sum.saturating_add(column.get(row).copied().unwrap_or(0));
            }
            for (measure, values) in &rows.values {
                if let Some(value) = values[row] {
                    *self.values.entry((group_day, *measure, value)).or_default() += 1;
                }
            }
            for (measure, lists) in &rows.many {
                for &value in &lists[row] {
                    *self.values.entry((group_day, *measure, value)).or_default() += 1;
                }
            }
        }
        self.add_keys(&group, rows);
    }

    fn add_keys(&mut self, group: &[u32], rows: &Contributions) {
        for (measures, keys) in &rows.keys {
            let at = self.keys.iter().position(|(m, _)| m == measures).unwrap_or_else(|| {
                self.keys.push((measures.clone(), Vec::new()));
                self.keys.len() - 1
            });
            let pairs = group.iter().zip(keys).filter_map(|(g, k)| k.map(|k| (*g, k)));
            self.keys[at].1.extend(pairs);
        }
    }

    /// Adds `amount` to one sum of a cell that exists.
    pub fn add_to_cell(&mut self, cell: usize, measure: M, amount: i64) {
        if let Some(slot) = self.slots.iter().position(|m| *m == measure) {
            self.data[cell * self.slots.len() + slot] += amount;
        }
    }

    /// One sum of a cell; 0 for a measure of another side.
    pub fn sum(&self, cell: usize, measure: M) -> i64 {
        let slot = self.slots.iter().position(|m| *m == measure);
        slot.map_or(0, |slot| self.data[cell * self.slots.len() + slot])
    }

    /// Number of cells.
    pub fn cell_count(&self) -> usize {
        self.cells.members.len()
    }

    /// Where a cell stands.
    pub fn cell(&self, cell: usize) -> Cell {
        let (group_day, peer) = self.cells.members[cell];
        let (group, day) = self.group_days.members[group_day as usize];
        Cell { group, peer: unchained(&self.peer_pairs, peer), day: day as i32 }
    }

    /// Number of groups.
    pub fn group_count(&self) -> usize {
        match self.group_pairs.last() {
            Some(pairs) => pairs.members.len(),
            None => usize::from(!self.cells.members.is_empty()),
        }
    }

    /// All sums of every group, in the order of [`Accumulator::slots`].
    pub fn sums_by_group(&self) -> Vec<Vec<i64>> {
        let width = self.slots.len();
        let mut totals = vec![vec![0i64; width]; self.group_count()];
        for (cell, (group_day, _)) in self.cells.members.iter().enumerate() {
            let total = &mut totals[self.group_days.members[*group_day as usize].0 as usize];
            let sums = &self.data[cell * width..(cell + 1) * width];
            total.iter_mut().zip(sums).for_each(|(t, s)| *t = t.saturating_add(*s));
        }
        totals
    }

    /// One sum by group and by one column of the peer key; zeroes are left out.
    pub fn sum_by_peer(&self, measure: M, column: usize) -> HashMap<(u32, Symbol), i64> {
        let Some(slot) = self.slots.iter().position(|m| *m == measure) else { return HashMap::new() };
        let peers = self.peer_pairs.last().map_or(0, |p| p.members.len());
        let symbols: Vec<Symbol> =
            (0..peers as u32).map(|peer| unchained(&self.peer_pairs, peer)[column]).collect();
        let mut sums: HashMap<(u32, Symbol), i64> = HashMap::new();
        for (cell, (group_day, peer)) in self.cells.members.iter().enumerate() {
            let sum = self.data[cell * self.slots.len() + slot];
            if sum != 0 {
                let group = self.group_days.members[*group_day as usize].0;
                *sums.entry((group, symbols[*peer as usize])).or_default() += sum;
            }
        }
        sums
    }

    /// Symbols of a group's columns.
    pub fn group_key(&self, group: u32) -> Vec<Symbol> {
        unchained(&self.group_pairs, group)
    }

    /// Histograms by group and measure, their values sorted.
    pub fn values(&self) -> HashMap<(u32, M), Box<Counted>> {
        let mut sparse: Vec<(u32, M, i64, u64)> = self
            .values
            .iter()
            .map(|((group_day, m, value), count)| {
                (self.group_days.members[*group_day as usize].0, *m, *value, *count)
            })
            .collect();
        sparse.sort_unstable();
        let mut merged: HashMap<(u32, M), Vec<(i64, u64)>> = HashMap::new();
        for (group, measure, value, count) in sparse {
            let list = merged.entry((group, measure)).or_default();
            match list.last_mut() {
                Some(last) if last.0 == value => last.1 += count,
                _ => list.push((value, count)),
            }
        }
        merged.into_iter().map(|(k, v)| (k, v.into_boxed_slice())).collect()
    }

    /// Distinct and top counts: group, measure, count. Takes the keys away: they are the largest thing held.
    pub fn take_key_counts(&mut self) -> Vec<(u32, M, i64)> {
        let mut counts = Vec::new();
        for (measures, mut pairs) in std::mem::take(&mut self.keys) {
            pairs.sort_unstable();
            for of_group in pairs.chunk_by(|a, b| a.0 == b.0) {
                let runs = of_group.chunk_by(|a, b| a.1 == b.1).map(<[_]>::len);
                let (distinct, top) = runs.fold((0i64, 0i64), |(d, t), run| (d + 1, t.max(run as i64)));
                for &measure in &measures {
                    let count = if matches!(measure.decl().kind, Kind::Top(_)) { top } else { distinct };
                    counts.push((of_group[0].0, measure, count));
                }
            }
        }
        counts
    }
}

/// The number of each row's tuple of symbols.
fn chained(pairs: &mut [Pairs], columns: &[Vec<Symbol>], rows: usize) -> Vec<u32> {
    let mut numbers = vec![0u32; rows];
    for (pairs, column) in pairs.iter_mut().zip(columns) {
        let mut last = (u32::MAX, u32::MAX, 0);
        for (number, symbol) in numbers.iter_mut().zip(column) {
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
        let columns = vec![vec![Symbol(5), Symbol(6), Symbol(5)], vec![Symbol(1), Symbol(1), Symbol(1)]];
        let numbers = chained(&mut pairs, &columns, 3);
        assert_eq!(numbers[0], numbers[2]);
        assert_ne!(numbers[0], numbers[1]);
        assert_eq!(unchained(&pairs, numbers[1]), [Symbol(6), Symbol(1)]);
    }
}
