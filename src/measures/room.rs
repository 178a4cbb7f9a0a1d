//! Which groups there is room for, where an input has more of them than a run may hold.
//!
//! Everything behind the count costs some 20 KB a group, and who may write any sub ID into a link may make ten
//! million of them. So the groups with the most clicks are kept, up to a number that the run is told, and what lies
//! beyond is counted in one place, told, and never judged: such a group has a click or two.

use super::M;
use super::accumulate::{Pairs, Placement, chained, unchained};
use super::rows::symbols_of;
use crate::base::column::{Col, Grain};
use crate::base::error::Result;
use crate::base::symbol::{Symbol, Symbols};
use crate::ingest::{Field, Intake};
use std::collections::BTreeMap;

/// Traffic sources that are told apart beyond the kept groups, at most.
const NAMED: usize = 1_000;

/// What there is no room for, of one grain.
#[derive(Clone, Debug)]
pub struct Beyond {
    pub grain: Grain,
    /// Groups with clicks, and how many of them are kept.
    pub groups: usize,
    pub kept: usize,
    pub clicks: i64,
    pub conversions: i64,
    /// Micro-units.
    pub cost: i64,
}

/// The groups of a grain that are kept.
pub struct Room {
    /// Numbers of the groups' columns.
    chain: Vec<Pairs>,
    /// Whether the group of each number is kept.
    kept: Vec<bool>,
    /// Where the traffic source stands among the columns: it is told of what lies beyond, too.
    named: Option<usize>,
}

impl Room {
    /// The `most` groups of the grain with the most clicks; of equals those whose texts come first. `None` if all
    /// have room.
    ///
    /// # Errors
    /// The clicks cannot be read.
    pub fn of(intake: &Intake, grain: &Grain, most: usize, symbols: &mut Symbols) -> Result<Option<Room>> {
        let columns = grain.columns();
        let fields: Vec<Field> = columns.iter().map(|col| Field::Value(*col)).collect();
        let mut chain: Vec<Pairs> = columns.iter().map(|_| Pairs::default()).collect();
        let mut clicks: Vec<u32> = Vec::new();
        intake.clicks.scan(&fields, None, &mut |batch| {
            let texts = symbols_of(batch, columns, symbols);
            for number in chained(&mut chain, &texts.iter().collect::<Vec<_>>(), batch.len()) {
                if clicks.len() <= number as usize {
                    clicks.resize(number as usize + 1, 0);
                }
                clicks[number as usize] = clicks[number as usize].saturating_add(1);
            }
            Ok(())
        })?;
        let few = chain.first().is_some_and(|first| first.members.len() <= NAMED);
        let named = (few && columns.first() == Some(&Col::TrafficSource)).then_some(0);
        Ok(largest(&clicks, most, &chain, symbols).map(|kept| Room { chain, kept, named }))
    }

    /// What it leaves out, of a grain, with these sums.
    pub fn left_out(&self, grain: &Grain, sums: &BTreeMap<M, i64>) -> Beyond {
        let sum = |m: M| sums.get(&m).copied().unwrap_or(0);
        Beyond {
            grain: grain.clone(),
            groups: self.kept.len(),
            kept: self.kept.iter().filter(|kept| **kept).count(),
            clicks: sum(M::Clicks),
            conversions: sum(M::Conversions),
            cost: sum(M::Cost),
        }
    }

    /// Whether a group is kept; one without any click is not.
    pub fn keeps(&self, group: impl IntoIterator<Item = Symbol>) -> bool {
        let mut levels = self.chain.iter().zip(group);
        let number = levels.try_fold(0, |number, (pairs, symbol)| pairs.get(number, symbol.0));
        number.is_some_and(|number| self.kept[number as usize])
    }

    /// Puts the rows of groups that are not kept together: one group of each traffic source.
    pub fn fold(&self, at: &mut Placement) {
        let keeps = |row: &usize| self.keeps(at.group.iter().map(|column| column[*row]));
        let rows: Vec<usize> = (0..at.day.len()).filter(|row| !keeps(row)).collect();
        let groups = at.group.iter_mut().enumerate().filter(|(column, _)| Some(*column) != self.named);
        let others = groups.map(|(_, column)| column).chain(&mut at.stratum).chain(&mut at.peer);
        for column in others {
            rows.iter().for_each(|row| column[*row] = Symbol::BEYOND);
        }
    }
}

/// Whether a group's columns say that it stands for those there is no room for.
pub fn is_beyond(group: &[Symbol]) -> bool {
    group.contains(&Symbol::BEYOND)
}

/// Which groups are the largest, if there are more than `most`.
fn largest(clicks: &[u32], most: usize, chain: &[Pairs], symbols: &Symbols) -> Option<Vec<bool>> {
    if clicks.len() <= most {
        return None;
    }
    let mut sizes: Vec<u32> = clicks.to_vec();
    let (_, least, _) = sizes.select_nth_unstable_by(most, |a, b| b.cmp(a));
    let least = *least;
    let mut kept: Vec<bool> = clicks.iter().map(|n| *n > least).collect();
    let mut room = most - kept.iter().filter(|kept| **kept).count();
    let texts = |number: u32| -> Vec<Option<&str>> {
        unchained(chain, number).into_iter().map(|symbol| symbols.text(symbol)).collect()
    };
    let mut equals: Vec<u32> = (0..clicks.len() as u32).filter(|n| clicks[*n as usize] == least).collect();
    if room < equals.len() && room > 0 {
        equals.select_nth_unstable_by(room, |a, b| texts(*a).cmp(&texts(*b)));
    }
    for number in equals {
        if room == 0 {
            break;
        }
        kept[number as usize] = true;
        room -= 1;
    }
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(clicks: &[(&str, u32)], most: usize) -> Option<Vec<String>> {
        let mut symbols = Symbols::default();
        let texts: Vec<Symbol> = clicks.iter().map(|(text, _)| symbols.of(text)).collect();
        let mut chain = vec![Pairs::default()];
        let numbers = chained(&mut chain, &[&texts], texts.len());
        assert_eq!(numbers, (0..texts.len() as u32).collect::<Vec<_>>());
        let counts: Vec<u32> = clicks.iter().map(|(_, n)| *n).collect();
        let kept = largest(&counts, most, &chain, &symbols)?;
        let mut names: Vec<String> = clicks
            .iter()
            .zip(kept)
            .filter(|(_, kept)| *kept)
            .map(|((name, _), _)| (*name).to_owned())
            .collect();
        names.sort();
        Some(names)
    }

    #[test]
    fn the_largest_are_kept_and_of_equals_the_first_by_text() {
        let clicks = [("d", 2), ("b", 1), ("a", 9), ("c", 1), ("e", 1)];
        let backward: Vec<(&str, u32)> = clicks.iter().rev().copied().collect();
        for (most, expected) in [(1, "a"), (2, "a d"), (3, "a b d"), (4, "a b c d")] {
            let names: Vec<String> = expected.split(' ').map(str::to_owned).collect();
            assert_eq!(kept(&clicks, most), Some(names.clone()), "{most}");
            assert_eq!(kept(&backward, most), Some(names), "{most}, in another order");
        }
        assert_eq!(kept(&clicks, 5), None);
        assert_eq!(kept(&clicks, 0), Some(Vec::new()));
    }
}
