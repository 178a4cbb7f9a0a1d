//! Two walks over the same days beside each other: what other rules or limits find, and what those in use do not.

use super::{Backtest, Cut, Key};
use crate::audit::Sum;
use crate::verdicts::Verdict;
use std::collections::BTreeMap;

/// What a question for other rules comes to, beside the rules as they are.
#[derive(Clone, Debug, Default)]
pub struct WhatIf {
    /// The digest of the rules as they are.
    pub rules: String,
    /// What both save, those that are asked about first.
    pub saved: [Sum; 2],
    /// Found by what is asked about alone, and by the rules as they are alone.
    pub alone: [Vec<Cut>; 2],
    /// Found by both on another night or with another verdict: as asked, and as they are.
    pub otherwise: Vec<(Cut, Cut)>,
    /// How many of the list, and of the truth, both find, where those are given.
    pub of_list: Option<[usize; 2]>,
    pub of_truth: Option<[usize; 2]>,
}

impl WhatIf {
    /// Compares what is asked about with the rules as they are.
    pub fn between(asked: &Backtest, as_they_are: &Backtest) -> WhatIf {
        let walks = [asked, as_they_are];
        let [new, old] = walks.map(by_key);
        let both = || new.iter().filter_map(|(key, cut)| Some((*cut, *old.get(key)?)));
        let differs = |(a, b): &(&Cut, &Cut)| (a.verdict, a.night) != (b.verdict, b.night);
        WhatIf {
            rules: as_they_are.rules.clone(),
            saved: walks.map(|walk| walk.saved(Verdict::Block)),
            alone: [without(&new, &old), without(&old, &new)],
            otherwise: both().filter(differs).map(|(a, b)| (a.clone(), b.clone())).collect(),
            of_list: in_both(walks.map(|walk| walk.my_list.as_ref().map(|list| list.found()))),
            of_truth: in_both(walks.map(|walk| walk.against.as_ref().map(|against| against.found()))),
        }
    }
}

fn by_key(walk: &Backtest) -> BTreeMap<&Key, &Cut> {
    walk.cuts.iter().map(|cut| (&cut.key, cut)).collect()
}

/// The cuts of one walk that the other has not.
fn without(these: &BTreeMap<&Key, &Cut>, those: &BTreeMap<&Key, &Cut>) -> Vec<Cut> {
    let alone = these.iter().filter(|(key, _)| !those.contains_key(*key));
    alone.map(|(_, cut)| (*cut).clone()).collect()
}

fn in_both([asked, as_they_are]: [Option<usize>; 2]) -> Option<[usize; 2]> {
    Some([asked?, as_they_are?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::money::Micro;

    fn cut(name: &str, verdict: Verdict, night: i32, clicks: u64) -> Cut {
        let saved = Sum { clicks, spend: Some(Micro(clicks as i64)), revenue: None };
        Cut { key: vec![Some(name.to_owned())], verdict, night, saved, ..Cut::sample() }
    }

    #[test]
    fn what_one_walk_finds_and_the_other_does_not() {
        let walk = |cuts: Vec<Cut>| Backtest { cuts, ..Backtest::default() };
        let asked = walk(vec![
            cut("a", Verdict::Block, 5, 10),
            cut("b", Verdict::Block, 5, 7),
            cut("c", Verdict::Hold, 5, 0),
        ]);
        let as_they_are = walk(vec![
            cut("b", Verdict::Block, 6, 3),
            cut("c", Verdict::Hold, 5, 0),
            cut("d", Verdict::Hold, 2, 0),
        ]);
        let what_if = WhatIf::between(&asked, &as_they_are);
        let names = |cuts: &[Cut]| cuts.iter().flat_map(|c| c.key.clone()).flatten().collect::<Vec<String>>();
        assert_eq!([names(&what_if.alone[0]), names(&what_if.alone[1])], [["a"], ["d"]]);
        assert_eq!(what_if.saved.map(|sum| sum.clicks), [17, 3]);
        let otherwise: Vec<_> = what_if.otherwise.iter().map(|(a, b)| (a.night, b.night)).collect();
        assert_eq!(otherwise, [(5, 6)]);
        assert_eq!((what_if.of_list, what_if.of_truth), (None, None));
    }
}
