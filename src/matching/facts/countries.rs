//! Whether a conversion is from the country of its click.

use super::Setting;
use crate::base::column::Col;
use crate::base::symbol::{Symbol, Symbols};
use crate::matching::MatchedConversion;
use hashbrown::HashMap;

/// Words for a country that is not known, in the exports of trackers and in address tables.
const UNKNOWN: [&str; 10] = ["xx", "zz", "t1", "a1", "a2", "ap", "eu", "unknown", "other", "n/a"];

/// Marks conversions whose own country and whose click's country are both known and written alike.
pub fn mark(rows: &mut [MatchedConversion], setting: &Setting, symbols: &Symbols) {
    let Some(at) = setting.columns.iter().position(|c| *c == Col::Country) else { return };
    let mut known: HashMap<(Symbol, Symbol), Option<bool>> = HashMap::new();
    for m in rows {
        let Some(origin) = &m.origin else { continue };
        let pair = (m.conversion.carried[at], origin.columns[at]);
        m.facts.countries_differ = *known.entry(pair).or_insert_with(|| {
            differ(symbols.text(pair.0).unwrap_or(""), symbols.text(pair.1).unwrap_or(""))
        });
    }
}

/// Whether two countries differ; `None` where one is not known, or a code meets a name.
pub fn differ(own: &str, of_click: &str) -> Option<bool> {
    if own.len() == 2 && own == of_click && own.bytes().all(|b| b.is_ascii_uppercase()) && !is_unknown(own) {
        return Some(false);
    }
    let [own, of_click] = [own, of_click].map(canonical);
    let kind = |c: &String| c.chars().count().min(4);
    (!is_unknown(&own) && !is_unknown(&of_click) && kind(&own) == kind(&of_click)).then(|| own != of_click)
}

fn is_unknown(country: &str) -> bool {
    country.is_empty() || UNKNOWN.iter().any(|word| word.eq_ignore_ascii_case(country))
}

fn canonical(country: &str) -> String {
    let lower = country.trim().to_lowercase();
    if lower == "uk" { "gb".to_owned() } else { lower }
}
