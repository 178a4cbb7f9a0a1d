//! What is wrong with IDs: repeated, macros, damaged by a spreadsheet, alike to the eye. The only home of
//! unicode-normalization.

use super::IdFacts;
use crate::base::column::Col;
use crate::base::text::Text;
use crate::ingest::is_unexpanded_macro;
use std::collections::{BTreeMap, BTreeSet};
use unicode_normalization::UnicodeNormalization;

/// So many distinct IDs of a column are told apart.
pub const DISTINCT: usize = 2_000_000;

/// A spreadsheet keeps so many digits of a number.
const KEPT_DIGITS: usize = 15;

/// So many long numbers must end in zeros before it is the spreadsheet's doing.
const ENOUGH: u64 = 5;

/// Collects the texts of an ID column.
#[derive(Default)]
pub struct Ids {
    counts: BTreeMap<String, u64>,
    empty: u64,
    /// Rows of IDs beyond [`DISTINCT`].
    more: u64,
}

impl Ids {
    pub fn see(&mut self, text: Option<&str>) {
        let Some(text) = text.filter(|t| !t.is_empty()) else {
            self.empty += 1;
            return;
        };
        let room = self.counts.len() < DISTINCT;
        match self.counts.get_mut(text) {
            Some(count) => *count += 1,
            None if room => drop(self.counts.insert(text.to_owned(), 1)),
            None => self.more += 1,
        }
    }

    pub fn facts(&self, col: Col) -> IdFacts {
        let rows = |wrong: &dyn Fn(&str) -> bool| -> (u64, Option<Text>) {
            let found: Vec<(&String, &u64)> = self.counts.iter().filter(|(id, _)| wrong(id)).collect();
            (found.iter().map(|(_, n)| **n).sum(), found.first().map(|(id, _)| Text::new(id.as_str())))
        };
        let is_macro = |id: &str| is_unexpanded_macro(id.as_bytes());
        let (macros, macro_example) = rows(&is_macro);
        let zeros = self.end_in_zeros();
        let (damaged, damaged_example) = rows(&|id| is_scientific(id) || (zeros && is_rounded(id)));
        let real = || self.counts.iter().filter(|(id, _)| !is_macro(id));
        let commonest = real().max_by_key(|(id, n)| (**n, std::cmp::Reverse(*id))).filter(|(_, n)| **n > 1);
        let (look_alikes, look_alike_example) = look_alikes(self.counts.keys());
        IdFacts {
            col,
            filled: self.counts.values().sum::<u64>() + self.more,
            empty: self.empty,
            distinct: self.counts.len() as u64,
            repeated: real().map(|(_, n)| n - 1).sum(),
            commonest: commonest.map(|(id, n)| (Text::new(id.as_str()), *n)),
            macros,
            macro_example,
            damaged,
            damaged_example,
            look_alikes,
            look_alike_example,
        }
    }

    /// Whether all numbers that are longer than a spreadsheet keeps end in zeros.
    fn end_in_zeros(&self) -> bool {
        let long: Vec<&String> = self.counts.keys().filter(|id| is_long_number(id)).collect();
        long.len() as u64 >= ENOUGH && long.iter().all(|id| is_rounded(id))
    }
}

fn is_long_number(id: &str) -> bool {
    id.len() > KEPT_DIGITS && id.bytes().all(|b| b.is_ascii_digit())
}

/// A long number whose digits beyond the fifteenth are zeros.
fn is_rounded(id: &str) -> bool {
    is_long_number(id) && id.bytes().skip(KEPT_DIGITS).all(|b| b == b'0')
}

/// `1.58E+18`: what a spreadsheet shows for a long number. A hexadecimal ID such as `12E45` has no sign.
fn is_scientific(id: &str) -> bool {
    let Some((mantissa, exponent)) = id.split_once(['E', 'e']) else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, "0"));
    whole.len() == 1 && digits(whole) && digits(fraction) && exponent.strip_prefix('+').is_some_and(digits)
}

/// An ID as the eye takes it: compatibility forms and case folded, spaces and invisible characters gone.
pub fn seen(id: &str) -> String {
    let invisible = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    id.nfkc().filter(|c| !invisible(*c)).flat_map(char::to_lowercase).collect()
}

/// How many groups of IDs look alike, and two of the first group.
fn look_alikes<'i>(ids: impl Iterator<Item = &'i String>) -> (u64, Option<(Text, Text)>) {
    let mut groups: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for id in ids {
        groups.entry(seen(id)).or_default().insert(id);
    }
    let alike: Vec<&BTreeSet<&str>> = groups.values().filter(|group| group.len() > 1).collect();
    let example = alike.first().map(|group| {
        let mut ids = group.iter().map(|id| Text::new(*id));
        (ids.next().expect("two at least"), ids.next().expect("two at least"))
    });
    (alike.len() as u64, example)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ids: &[&str]) -> IdFacts {
        let mut all = Ids::default();
        ids.iter().for_each(|id| all.see(Some(id)));
        all.facts(Col::ClickId)
    }

    #[test]
    fn what_went_through_a_spreadsheet_is_found() {
        assert_eq!(of(&["1.58E+18", "1,5e+15", "12E45", "1.58E18", "abc"]).damaged, 2);
        let rounded: Vec<String> = (1..=6).map(|i| format!("{}000", 100_000_000_000_000u64 + i)).collect();
        let rounded: Vec<&str> = rounded.iter().map(String::as_str).collect();
        assert_eq!(of(&rounded).damaged, 6);
        assert_eq!(of(&rounded[..4]).damaged, 0);
        let mixed: Vec<&str> = rounded.iter().copied().chain(["123456789012345678"]).collect();
        assert_eq!(of(&mixed).damaged, 0);
    }

    #[test]
    fn what_looks_alike_is_found() {
        for (one, other) in
            [("Ab1", "aB1"), ("x y", "xy"), ("a\u{200b}b", "ab"), ("\u{ff41}1", "a1"), ("id\u{a0}", "id")]
        {
            assert_eq!(of(&[one, other, "else"]).look_alikes, 1, "{one:?} {other:?}");
        }
        assert_eq!(of(&["a", "b", "a"]).look_alikes, 0);
    }

    #[test]
    fn repetitions_and_macros_are_counted_apart() {
        let facts = of(&["a", "a", "a", "b", "{clickid}", "{clickid}", ""]);
        assert_eq!((facts.filled, facts.empty, facts.distinct), (6, 1, 3));
        assert_eq!((facts.repeated, facts.macros), (2, 2));
        assert_eq!(facts.commonest.map(|(id, n)| (id.raw().to_owned(), n)), Some(("a".to_owned(), 3)));
    }
}
