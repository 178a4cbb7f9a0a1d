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
use std::sync::Arc;

/// The levels below format and model, the widest first. One that no stratum has a text for is left out.
const LEVELS: [Col; 5] = [Col::Offer, Col::Network, Col::Country, Col::Device, Col::Lander];

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
    /// Names of the levels by depth in the tree.
    names: Vec<Arc<str>>,
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
            names: names(&levels),
        }
    }

    /// The depth from which a group is of one offer; 0 where nobody says what was promoted.
    pub fn own_offer(&self) -> usize {
        usize::from(self.names.len() > 1 && self.names[1].starts_with(Col::Offer.name()))
    }

    /// The name of a group's level.
    pub fn level(&self, node: u32) -> Arc<str> {
        self.names[self.tree.depth(node).min(self.names.len() - 1)].clone()
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

fn names(levels: &[Col]) -> Vec<Arc<str>> {
    let name = |upto: usize| match upto {
        0 => "all".into(),
        _ => levels[..upto].iter().map(|c| c.name()).collect::<Vec<_>>().join(", ").into(),
    };
    (0..=levels.len()).map(name).collect()
}

/// A number for the owner of each stratum.
fn accounts(strata: &[Stratum]) -> Vec<u32> {
    let mut numbers: BTreeMap<Result<&str, usize>, u32> = BTreeMap::new();
    let number = |stratum: &Stratum| -> Result<String, usize> {
        text(stratum, Col::Account).map(str::to_owned).ok_or(stratum.group)
    };
    let owners: Vec<Result<String, usize>> = strata.iter().map(number).collect();
    owners
        .iter()
        .map(|owner| {
            let next = numbers.len() as u32;
            *numbers.entry(owner.as_ref().map(String::as_str).map_err(|group| *group)).or_insert(next)
        })
        .collect()
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
