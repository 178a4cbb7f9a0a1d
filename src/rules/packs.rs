//! Packs: which rules a kind of business needs.
//!
//! A rule names its packs itself; this table says what each pack is for. `core` is part of every choice, so that
//! nobody loses a check by naming his business. Where a pack draws another line than `core`, its rule says which
//! one it replaces; two packs never add up to two opinions on one pattern by accident.

use super::model::{LeftOut, Pack, Rule};
use std::collections::BTreeMap;

/// One pack.
pub struct PackInfo {
    pub pack: Pack,
    pub title: &'static str,
    /// What it looks at, in a sentence for the documentation.
    pub summary: &'static str,
}

/// Every pack, `core` first.
pub const PACKS: &[PackInfo] = &[
    PackInfo {
        pack: Pack::Core,
        title: "Every business",
        summary: "Part of every run: time to conversion, repeated and forged conversions, addresses, rhythm, \
                  comparison with peers, money.",
    },
    PackInfo {
        pack: Pack::Igaming,
        title: "Casino and betting",
        summary: "What becomes of registrations: first deposits, their amounts, second deposits, chargebacks, and \
                  conversions that crowd where a cap opens.",
    },
    PackInfo {
        pack: Pack::MobileCpi,
        title: "Paid installs of apps",
        summary: "The time from click to install: injection in the first seconds, and the flat tail of a flood.",
    },
    PackInfo {
        pack: Pack::Leadgen,
        title: "Leads and forms",
        summary: "What the buyer of the leads rejects, forms that are filled in from one address, and lists that are \
                  sent in one go.",
    },
    PackInfo {
        pack: Pack::Ecommerce,
        title: "Shops",
        summary: "Orders seconds after the click (coupon windows at the checkout) and days after it (stuffed cookies).",
    },
];

impl Pack {
    /// What the table says of it.
    pub fn info(self) -> &'static PackInfo {
        PACKS.iter().find(|info| info.pack == self).expect("every pack is in the table")
    }

    /// The pack of this name.
    pub fn find(name: &str) -> Option<Pack> {
        PACKS.iter().map(|info| info.pack).find(|pack| pack.word() == name)
    }
}

/// The packs of a run: those that were named, each once and in the order of the table, and `core`.
pub fn chosen(named: &[Pack]) -> Vec<Pack> {
    let all = PACKS.iter().map(|info| info.pack);
    all.filter(|pack| *pack == Pack::Core || named.contains(pack)).collect()
}

/// Parts rules into those of the packs and the others, with the reason.
pub(super) fn parted(rules: Vec<Rule>, packs: &[Pack]) -> (Vec<Rule>, Vec<(Rule, LeftOut)>) {
    let belongs = |rule: &Rule| rule.packs.iter().any(|pack| packs.contains(pack));
    let replaced: BTreeMap<String, String> = rules
        .iter()
        .filter(|rule| belongs(rule))
        .filter_map(|rule| Some((rule.replaces.clone()?, rule.id.clone())))
        .collect();
    let (mut kept, mut left_out) = (Vec::new(), Vec::new());
    for rule in rules {
        match replaced.get(&rule.id) {
            _ if !belongs(&rule) => left_out.push((rule, LeftOut::Pack)),
            Some(by) => left_out.push((rule, LeftOut::Replaced(by.clone()))),
            None => kept.push(rule),
        }
    }
    (kept, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: &str, packs: &[Pack], replaces: Option<&str>) -> Rule {
        Rule { packs: packs.to_vec(), replaces: replaces.map(str::to_owned), ..Rule::sample(id) }
    }

    fn kept(packs: &[Pack]) -> Vec<String> {
        let rules = vec![
            rule("any", &[Pack::Core], None),
            rule("both", &[Pack::Core, Pack::Igaming], None),
            rule("late", &[Pack::Core], None),
            rule("late-shop", &[Pack::Ecommerce], Some("late")),
            rule("players", &[Pack::Igaming], None),
        ];
        parted(rules, &chosen(packs)).0.into_iter().map(|rule| rule.id).collect()
    }

    #[test]
    fn the_table_has_every_pack_once() {
        let words: Vec<&str> = PACKS.iter().map(|info| info.pack.word()).collect();
        assert_eq!(words, ["core", "igaming", "mobile-cpi", "leadgen", "ecommerce"]);
        assert!(
            PACKS.iter().all(|info| info.summary.ends_with('.') && Pack::find(info.pack.word()).is_some())
        );
    }

    #[test]
    fn core_is_part_of_every_choice() {
        assert_eq!(kept(&[]), ["any", "both", "late"]);
        assert_eq!(kept(&[Pack::Core]), kept(&[]));
        assert_eq!(kept(&[Pack::Igaming]), ["any", "both", "late", "players"]);
    }

    #[test]
    fn a_rule_stands_in_for_another_where_its_pack_is_chosen() {
        assert_eq!(kept(&[Pack::Ecommerce, Pack::Igaming]), ["any", "both", "late-shop", "players"]);
        let rules = vec![rule("late", &[Pack::Core], None), rule("shop", &[Pack::Ecommerce], Some("late"))];
        let (_, left_out) = parted(rules, &chosen(&[Pack::Ecommerce]));
        assert_eq!(left_out[0].1, LeftOut::Replaced("shop".to_owned()));
    }
}
