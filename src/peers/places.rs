//! Where each stratum stands in the tree of peer groups, and whose it is.
//!
//! Format and model are outermost: pop is never judged by search, nor a payout per action by a share of revenue.
//! Then offer, then the network that reports it, then country, and so on down to the
//! landing page. A stratum stands where most of its
//! clicks do; one of mixed countries has peers among the mixed ones and, above them, in its whole offer.

use super::tree::Tree;
use crate::base::column::Col;
use crate::measures::{GrainMeasures, PEER_COLUMNS, STRATUM_COLUMNS, Stratum};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::LazyLock;

/// The levels below format and model, the widest first. One that no stratum has a text for is left out.
const LEVELS: [Col; 5] = [Col::Offer, Col::Network, Col::Country, Col::Device, Col::Lander];

/// What the members of a peer group have in common beside format and model, such as `offer, country`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Level(u8);

/// The names of all levels: one bit for each column, the widest first, and one for a test inside the group.
static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| (0..=Level::ITSELF.0).map(name).collect());

fn name(level: u8) -> String {
    let shared = (0..LEVELS.len()).filter(|at| level >> at & 1 == 1).map(|at| LEVELS[at].name());
    match level {
        0 => "all".to_owned(),
        level if level == Level::ITSELF.0 => "itself".to_owned(),
        _ => shared.collect::<Vec<_>>().join(", "),
    }
}

impl Level {
    /// All groups of one format and model.
    pub const ALL: Level = Level(0);
    /// No peers: the group was tested by itself.
    pub const ITSELF: Level = Level(1 << LEVELS.len());

    /// Groups that have these columns in common; other columns make no level.
    pub fn of(columns: &[Col]) -> Level {
        let bit = |column: &Col| LEVELS.iter().position(|level| level == column).map(|at| 1 << at);
        Level(columns.iter().filter_map(bit).fold(0, |all, bit: u8| all | bit))
    }
}

/// Its name.
impl Deref for Level {
    type Target = str;

    fn deref(&self) -> &'static str {
        &NAMES[usize::from(self.0)]
    }
}

impl fmt::Debug for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

/// The peer groups of all strata.
pub struct Places {
    pub tree: Tree,
    /// By stratum: its narrowest group; no stratum is without one.
    pub leaves: Vec<u32>,
    /// By stratum: a number for whoever owns it. Where nobody is known to, every group is its own.
    pub accounts: Vec<u32>,
    /// By stratum: how much it says of its peers; all of one account together count as the root of their number.
    pub votes: Vec<f64>,
    pub trusted: Vec<bool>,
    /// By stratum: a number for its offer, whatever the format; `None` where nobody says what was promoted.
    pub offers: Vec<Option<u32>>,
    /// The levels by depth in the tree.
    levels: Vec<Level>,
}

impl Places {
    /// Places all strata of a grain.
    pub fn new(measures: &GrainMeasures, trusted: &[String]) -> Places {
        let strata = &measures.strata;
        let levels: Vec<Col> =
            LEVELS.into_iter().filter(|c| strata.iter().any(|s| text(s, *c).is_some())).collect();
        let paths: Vec<Vec<Vec<Option<&str>>>> = strata.iter().map(|s| path(s, &levels)).collect();
        let (tree, leaves) = Tree::from_paths(&paths);
        let accounts = accounts(strata);
        let mut sizes: BTreeMap<u32, f64> = BTreeMap::new();
        accounts.iter().for_each(|account| *sizes.entry(*account).or_default() += 1.0);
        Places {
            tree,
            leaves: leaves.into_iter().map(|leaf| leaf.expect("every path has a root")).collect(),
            votes: accounts.iter().map(|account| 1.0 / sizes[account].sqrt()).collect(),
            accounts,
            trusted: strata.iter().map(|s| is_trusted(measures, s, trusted)).collect(),
            offers: offers(strata),
            levels: (0..=levels.len()).map(|depth| Level::of(&levels[..depth])).collect(),
        }
    }

    /// The depth from which a group is of one offer; 0 where nobody says what was promoted.
    pub fn own_offer(&self) -> usize {
        usize::from(self.levels.get(1) == Some(&Level::of(&[Col::Offer])))
    }

    /// The level of a group.
    pub fn level(&self, node: u32) -> Level {
        self.levels[self.tree.depth(node).min(self.levels.len() - 1)]
    }
}

/// The text of a stratum in a column.
fn text(stratum: &Stratum, col: Col) -> Option<&str> {
    let in_key = STRATUM_COLUMNS.iter().position(|c| *c == col).map(|at| &stratum.key[at]);
    let mostly = || PEER_COLUMNS.iter().position(|c| *c == col).and_then(|at| stratum.mostly.get(at));
    in_key.or_else(mostly).and_then(|text| text.as_deref())
}

/// The groups of a stratum from format and model to its narrowest one, each by the texts it adds.
fn path<'s>(stratum: &'s Stratum, levels: &[Col]) -> Vec<Vec<Option<&'s str>>> {
    let root = vec![text(stratum, Col::Format), text(stratum, Col::Model)];
    std::iter::once(root).chain(levels.iter().map(|c| vec![text(stratum, *c)])).collect()
}

/// A number for the owner of each stratum.
fn accounts(strata: &[Stratum]) -> Vec<u32> {
    numbered(strata.iter().map(|s| text(s, Col::Account).ok_or(s.group)))
}

/// A number for the offer of each stratum.
fn offers(strata: &[Stratum]) -> Vec<Option<u32>> {
    let numbers = numbered(strata.iter().map(|s| text(s, Col::Offer)));
    strata.iter().zip(numbers).map(|(s, number)| text(s, Col::Offer).map(|_| number)).collect()
}

/// Numbers for what is equal, in the order in which it comes.
fn numbered<T: Ord>(all: impl Iterator<Item = T>) -> Vec<u32> {
    let mut numbers: BTreeMap<T, u32> = BTreeMap::new();
    let number = |what: T| {
        let next = numbers.len() as u32;
        *numbers.entry(what).or_insert(next)
    };
    all.map(number).collect()
}

/// Whether the group of a stratum is one of the sources that the user knows to be honest.
fn is_trusted(measures: &GrainMeasures, stratum: &Stratum, trusted: &[String]) -> bool {
    if trusted.is_empty() {
        return false;
    }
    let key = &measures.groups[stratum.group].key;
    let of = |col: Col| {
        let at = measures.grain.columns().iter().position(|c| *c == col)?;
        key[at].as_deref()
    };
    let Some(source) = of(Col::Source) else { return false };
    let full = of(Col::TrafficSource).map(|network| format!("{network}/{source}"));
    trusted.iter().any(|t| t == source || Some(t) == full.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(columns: &[Col], expected: &str) {
        assert_eq!(&*Level::of(columns), expected);
    }

    #[test]
    fn a_level_is_named_by_its_columns() {
        check(&[], "all");
        check(&[Col::Offer], "offer");
        check(&[Col::Offer, Col::Country], "offer, country");
        check(&LEVELS, "offer, network, country, device, lander");
        check(&[Col::Format], "all");
        assert_eq!(&*Level::ITSELF, "itself");
        assert_eq!(format!("{:?}", Level::ALL), "all");
    }
}
