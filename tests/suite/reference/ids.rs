//! What the IDs of clicks look like that conversions name.

use super::numbers::{Scale, entropy, even, normal};
use super::{Class, Conversion, Facts, Group, Key, Value, count_of, most, real, share};
use std::collections::{BTreeMap, BTreeSet};

/// What a click ID is among the others; of the first conversion of each source's ID.
#[derive(Clone, Debug)]
pub struct Named {
    form: Form,
    /// It is no click's and has a form that clicks do not have.
    foreign: bool,
    /// Whether it counts on from the source's ID of the same beginning before it, if there is one.
    step: Option<bool>,
}

/// Lengths between marks, and the smallest alphabet.
type Form = (String, &'static str);

fn is_mark(c: char) -> bool {
    c.is_ascii() && !c.is_ascii_alphanumeric()
}

/// `8-4-4` for eight, four and four characters with marks between them.
fn layout(id: &str) -> String {
    let marks: Vec<char> = id.chars().filter(|c| is_mark(*c)).collect();
    let parts: Vec<String> = id.split(is_mark).map(|part| part.chars().count().to_string()).collect();
    let marks = marks.into_iter().map(String::from).chain([String::new()]);
    parts.into_iter().zip(marks).map(|(part, mark)| part + &mark).collect()
}

/// A name and what belongs to it.
type Alphabet = (&'static str, fn(char) -> bool);

/// IDs by source and beginning: time, number, row.
type Runs = BTreeMap<(Key, String), Vec<(i64, u64, usize)>>;

/// Every alphabet with what tells whether a character is in it; smaller ones first.
const ALPHABETS: [Alphabet; 6] = [
    ("digits", |c| c.is_ascii_digit()),
    ("lower hex", |c| c.is_ascii_digit() || ('a'..='f').contains(&c)),
    ("upper hex", |c| c.is_ascii_digit() || ('A'..='F').contains(&c)),
    ("lower", |c| c.is_ascii_digit() || c.is_ascii_lowercase()),
    ("upper", |c| c.is_ascii_digit() || c.is_ascii_uppercase()),
    ("mixed", |c| c.is_ascii_alphanumeric()),
];

fn alphabet(id: &str) -> &'static str {
    let letters = || id.chars().filter(|c| !is_mark(*c));
    ALPHABETS.iter().find(|(_, has)| letters().all(has)).map_or("other", |(name, _)| name)
}

/// The alphabets in whose IDs only characters of this one may happen to stand.
fn containing(alphabet: &'static str) -> Vec<&'static str> {
    let larger: &[&str] = match alphabet {
        "digits" => &["lower hex", "upper hex", "lower", "upper", "mixed"],
        "lower hex" => &["lower", "mixed"],
        "upper hex" => &["upper", "mixed"],
        "lower" | "upper" => &["mixed"],
        _ => &[],
    };
    larger.iter().copied().chain([alphabet]).collect()
}

/// The forms of IDs: at a length with more than eight layouts marks are characters, beyond 64 an ID is long.
fn forms(ids: &[String]) -> Vec<Form> {
    let length = |id: &String| id.chars().count();
    let layouts = |n: usize| {
        let marked = ids.iter().filter(|id| length(id) == n && id.chars().any(is_mark));
        marked.map(|id| layout(id)).collect::<BTreeSet<_>>().len()
    };
    let shape = |id: &String| match length(id) {
        64.. => "long".to_owned(),
        n if layouts(n) > 8 => n.to_string(),
        _ => layout(id),
    };
    ids.iter().map(|id| (shape(id), alphabet(id))).collect()
}

/// Settles the IDs of all conversions; whether there are enough of clicks to know their forms.
pub fn settle(all: &mut [Conversion], facts: &Facts) -> bool {
    let is_first = |at: usize| {
        let same =
            |c: &Conversion| c.key == all[at].key && real(&c.row.click_id) == real(&all[at].row.click_id);
        let before =
            |i: &usize| *i != at && same(&all[*i]) && (all[*i].order(facts), *i) < (all[at].order(facts), at);
        real(&all[at].row.click_id).is_some() && !(0..all.len()).any(|i| before(&i))
    };
    let firsts: Vec<usize> = (0..all.len()).filter(|at| is_first(*at)).collect();
    let ids: Vec<String> = firsts.iter().filter_map(|i| real(&all[*i].row.click_id)).collect();
    let forms = forms(&ids);
    let of_clicks = |traffic: Option<&Option<String>>| {
        let of = |(_, i): &(&Form, &usize)| {
            all[**i].class == Class::Matched && traffic.is_none_or(|t| all[**i].key.0 == *t)
        };
        forms.iter().zip(&firsts).filter(of).map(|(form, _)| form.clone()).collect::<Vec<Form>>()
    };
    let everywhere = of_clicks(None);
    let steps = steps(all, &firsts);
    let mut named: Vec<(usize, Named)> = Vec::new();
    for (form, &i) in forms.iter().zip(&firsts) {
        let own = of_clicks(Some(&all[i].key.0));
        let known = if own.len() >= 50 { own } else { everywhere.clone() };
        let fits = |k: &&Form| k.0 == form.0 && containing(form.1).contains(&k.1);
        let like = known.iter().filter(fits).count();
        let foreign = known.len() >= 50 && like * 1_000 < known.len() && all[i].class != Class::Matched;
        named.push((i, Named { form: form.clone(), foreign, step: steps.get(&i).copied() }));
    }
    named.into_iter().for_each(|(i, n)| all[i].named = Some(n));
    everywhere.len() >= 50
}

/// Which IDs have one of the same source and beginning before them, and whether they count on from it by 1 to 16,
/// in decimal or hexadecimal digits.
fn steps(all: &[Conversion], firsts: &[usize]) -> BTreeMap<usize, bool> {
    let mut steps: BTreeMap<usize, bool> = BTreeMap::new();
    for (radix, most_digits) in [(10, 18), (16, 15)] {
        let mut runs = Runs::new();
        for &i in firsts {
            let id = real(&all[i].row.click_id).expect("it names an ID");
            let digits: String =
                id.chars().rev().take_while(|c| c.is_digit(radix)).take(most_digits).collect();
            let digits: String = digits.chars().rev().collect();
            let Ok(number) = u64::from_str_radix(&digits, radix) else { continue };
            let beginning = id[..id.len() - digits.len()].to_owned();
            runs.entry((all[i].key.clone(), beginning)).or_default().push((all[i].time, number, i));
        }
        for mut run in runs.into_values() {
            run.sort_unstable();
            for pair in run.windows(2) {
                let counts_on = pair[1].1 > pair[0].1 && pair[1].1 - pair[0].1 <= 16;
                *steps.entry(pair[1].2).or_default() |= counts_on;
            }
        }
    }
    steps
}

impl Group<'_> {
    pub fn id_signals(&self, all: &mut BTreeMap<&'static str, Option<Value>>) {
        let given = |value: Option<Value>| value.filter(|_| self.with_conversions(&["click_id"]));
        let named: Vec<&Named> = self.conversions.iter().filter_map(|c| c.named.as_ref()).collect();
        let count = |test: fn(&Named) -> bool| named.iter().filter(|n| test(n)).count();
        let foreign = share(count(|n| n.foreign), named.len()).filter(|_| self.audit.forms_known);
        all.insert("foreign_id_share", given(foreign));
        let top = most(&count_of(named.iter().map(|n| &n.form)));
        all.insert("id_form_top_share", given(share(top, named.len())));
        let steps = share(count(|n| n.step == Some(true)), count(|n| n.step.is_some()));
        all.insert("id_step_share", given(steps));
        all.insert("id_entropy_bits", given(self.id_entropy()));
    }

    /// Mean entropy of the last six letters and digits, each place by itself, with Miller and Madow's correction.
    fn id_entropy(&self) -> Option<Value> {
        let ids: Vec<Vec<char>> = self
            .conversions
            .iter()
            .filter(|c| c.named.is_some())
            .filter_map(|c| real(&c.row.click_id))
            .map(|id| id.chars().rev().filter(|c| c.is_alphanumeric()).take(6).collect())
            .collect();
        let bits = std::f64::consts::LOG2_E;
        let of_place = |place: usize| {
            let counts = count_of(ids.iter().filter_map(|id| id.get(place)));
            let (n, keys) = (counts.iter().sum::<usize>() as f64, counts.len());
            let (nats, v) = entropy(&counts);
            (n > 0.0)
                .then(|| ((nats + (keys as f64 - 1.0) / (2.0 * n)) * bits, (v + even(keys, n)) * bits * bits))
        };
        let places: Vec<(f64, f64)> = (0..6).filter_map(of_place).collect();
        if places.is_empty() {
            return None;
        }
        let mean = |of: fn(&(f64, f64)) -> f64| places.iter().map(of).sum::<f64>() / places.len() as f64;
        normal(Scale::Plain, mean(|p| p.0), 2.0 * mean(|p| p.1), ids.len())
    }
}
