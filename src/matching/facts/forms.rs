//! The form of click IDs: a forger who has never seen an ID guesses what it looks like.
//!
//! A form is the lengths between the marks (`-`, `_`, `.` and so on) and the smallest alphabet of the whole
//! ID. Which characters a random ID happens to have must not make it a form of its own, so an alphabet admits
//! the smaller ones inside it, and marks that stand anywhere are characters.

use super::{Setting, real};
use crate::base::column::Col;
use crate::base::symbol::Symbol;
use crate::ingest::key;
use crate::matching::{Class, MatchedConversion};
use hashbrown::{HashMap, HashSet};

/// So many matched IDs are needed to know what IDs look like, of one traffic source or of all.
const ENOUGH: u64 = 50;
/// A form that fewer than one in so many matched IDs have is no form of theirs.
const PART: u64 = 1_000;
/// An ID longer than this is long, no more.
const LONG: usize = 64;
/// With more layouts than this at one length the marks stand anywhere.
const LAYOUTS: usize = 8;

/// Marks the forms of `ids`, first conversions of an ID, and those that matched IDs do not have. Says whether
/// there are enough matched IDs to tell.
pub fn mark(rows: &mut [MatchedConversion], ids: &[(u32, usize)], setting: &Setting) -> bool {
    let texts: Vec<&str> = ids.iter().map(|(_, i)| text(&rows[*i])).collect();
    let loose = loose_lengths(&texts);
    let forms: Vec<Form> = texts.iter().map(|text| Form::of(text, &loose)).collect();
    let traffic: Vec<Symbol> =
        ids.iter().map(|(_, i)| setting.column(&rows[*i], Col::TrafficSource)).collect();
    let mut all = Known::default();
    let mut by_traffic: HashMap<Symbol, Known> = HashMap::new();
    let is_matched = |(_, (_, i)): &(usize, &(u32, usize))| rows[*i].class == Class::Matched;
    for (at, _) in ids.iter().enumerate().filter(is_matched) {
        all.learn(forms[at]);
        by_traffic.entry(traffic[at]).or_default().learn(forms[at]);
    }
    for (at, (_, i)) in ids.iter().enumerate() {
        let own = by_traffic.get(&traffic[at]).filter(|known| known.total >= ENOUGH);
        let known = own.unwrap_or(&all);
        let facts = &mut rows[*i].facts;
        facts.id_form = Some(forms[at].number());
        let foreign = known.total >= ENOUGH && known.like(forms[at]) * PART < known.total;
        facts.foreign_form = foreign && rows[*i].class != Class::Matched;
    }
    all.total >= ENOUGH
}

fn text(m: &MatchedConversion) -> &str {
    real(&m.conversion.click_id).map_or("", |id| &id.text)
}

/// The characters an ID is made of, between its marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Alphabet {
    Digits,
    LowerHex,
    UpperHex,
    Lower,
    Upper,
    Mixed,
    Other,
}

const ALPHABETS: [Alphabet; 7] = [
    Alphabet::Digits,
    Alphabet::LowerHex,
    Alphabet::UpperHex,
    Alphabet::Lower,
    Alphabet::Upper,
    Alphabet::Mixed,
    Alphabet::Other,
];

impl Alphabet {
    /// The smallest that has all characters.
    fn of(text: &str) -> Alphabet {
        let has = |wanted: fn(char) -> bool| text.chars().any(wanted);
        let (lower, upper) = (has(|c| c.is_ascii_lowercase()), has(|c| c.is_ascii_uppercase()));
        match (lower, upper) {
            _ if !text.is_ascii() => Alphabet::Other,
            (true, true) => Alphabet::Mixed,
            (true, false) if has(|c| matches!(c, 'g'..='z')) => Alphabet::Lower,
            (true, false) => Alphabet::LowerHex,
            (false, true) if has(|c| matches!(c, 'G'..='Z')) => Alphabet::Upper,
            (false, true) => Alphabet::UpperHex,
            (false, false) => Alphabet::Digits,
        }
    }

    /// Whether texts of this alphabet may happen to be of the other, smaller one.
    fn admits(self, other: Alphabet) -> bool {
        use Alphabet::{Digits, Lower, LowerHex, Mixed, Other, Upper, UpperHex};
        self == other
            || match self {
                Digits | Other => false,
                LowerHex | UpperHex => other == Digits,
                Lower => matches!(other, Digits | LowerHex),
                Upper => matches!(other, Digits | UpperHex),
                Mixed => other != Other,
            }
    }
}

/// The layout of an ID, hashed, and its alphabet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Form {
    layout: u64,
    alphabet: Alphabet,
}

impl Form {
    fn of(text: &str, loose: &HashSet<usize>) -> Form {
        let length = text.chars().count();
        let layout = match length {
            LONG.. => "long".to_owned(),
            _ if loose.contains(&length) => format!("{length}"),
            _ => layout(text),
        };
        Form { layout: key(layout.as_bytes()), alphabet: Alphabet::of(text) }
    }

    /// One number for layout and alphabet: equal for equal forms.
    fn number(self) -> i64 {
        (self.layout & !7) as i64 | self.alphabet as i64
    }
}

fn is_mark(c: char) -> bool {
    c.is_ascii() && !c.is_ascii_alphanumeric()
}

/// The marks and the lengths between them: `8-4-4-4-12`.
fn layout(text: &str) -> String {
    let mut layout = String::new();
    let mut run = 0;
    for c in text.chars() {
        if is_mark(c) {
            layout.push_str(&format!("{run}{c}"));
            run = 0;
        } else {
            run += 1;
        }
    }
    layout + &run.to_string()
}

/// The lengths at which marks stand anywhere.
fn loose_lengths(texts: &[&str]) -> HashSet<usize> {
    let mut layouts: HashMap<usize, HashSet<String>> = HashMap::new();
    for text in texts.iter().filter(|text| text.chars().any(is_mark)) {
        let of_length = layouts.entry(text.chars().count()).or_default();
        if of_length.len() <= LAYOUTS {
            of_length.insert(layout(text));
        }
    }
    layouts.into_iter().filter(|(_, found)| found.len() > LAYOUTS).map(|(length, _)| length).collect()
}

/// The forms of matched IDs.
#[derive(Default)]
struct Known {
    total: u64,
    counts: HashMap<Form, u64>,
}

impl Known {
    fn learn(&mut self, form: Form) {
        self.total += 1;
        *self.counts.entry(form).or_default() += 1;
    }

    /// How many matched IDs are of an alphabet, in this layout, in which the form may happen.
    fn like(&self, form: Form) -> u64 {
        let admitting = ALPHABETS.iter().filter(|alphabet| alphabet.admits(form.alphabet));
        let count = |alphabet: &Alphabet| self.counts.get(&Form { alphabet: *alphabet, ..form }).copied();
        admitting.filter_map(count).sum()
    }
}
