//! Checks on the whole input: faults that would accuse everybody.
//!
//! A wrong join column, a shifted time zone or an export that was cut off looks like fraud at every source.
//! Where a gate fires the run reports, judges nobody's list, and says what to repair.

mod nightly;

use super::{Class, Matched};
use crate::base::column::Col;
use crate::base::error::{Error, Result};
use crate::base::near::nearest;
use crate::base::time::{HOUR, SECOND, Zone, show};
use crate::ingest::{FileLedger, Intake, Shape};
use std::collections::BTreeMap;

/// A check that fired: its name and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    pub name: &'static str,
    pub sentence: String,
    /// The files themselves are sound: a store may keep their rows.
    pub keeps: bool,
}

/// What gates look at.
pub struct Input<'a> {
    pub intake: &'a Intake,
    pub matched: &'a Matched,
    /// The moment the input should reach up to, if it was said, and the oldest its newest row may be.
    pub said_as_of: Option<i64>,
    pub max_age: i64,
    /// Clicks that count, by day.
    pub clicks_by_day: &'a BTreeMap<i32, u64>,
    /// The moment the input reaches up to, and how days are cut.
    pub as_of: i64,
    pub zone: Zone,
}

/// A check of the whole input: what was found, if it fires.
pub type Check = fn(&Input) -> Option<String>;

/// What a gate says of the files.
const SOUND: bool = true;
const FAULTY: bool = false;

/// The gate on the end of the input, which others depend on: it stands first.
const STRAY: &str = "stray";

/// Every gate: its name, whether the files are sound where it fires, and its check.
pub const GATES: &[(&str, bool, Check)] = &[
    (STRAY, FAULTY, nightly::stray),
    ("too-many-rejects", FAULTY, too_many_rejects),
    ("no-conversions", SOUND, no_conversions),
    ("cut-off-file", FAULTY, cut_off_file),
    ("conversions-end-early", SOUND, conversions_end_early),
    ("export-limit", FAULTY, export_limit),
    ("join", FAULTY, join),
    ("before-click", FAULTY, before_click),
    ("time-zone", FAULTY, time_zone),
    ("stale", SOUND, stale),
    ("schema", FAULTY, nightly::schema),
    ("volume", SOUND, nightly::volume),
];

/// The gates that fire. Where the end of the input is wrong, what else would fire follows from it, and is said only
/// if that was accepted.
pub fn gates(input: &Input, accepted: &[&str]) -> Vec<Gate> {
    let fired = |(name, keeps, check): &(&'static str, bool, Check)| {
        check(input).map(|sentence| Gate { name, sentence, keeps: *keeps })
    };
    let mut all: Vec<Gate> = GATES.iter().filter_map(fired).collect();
    let alone = |gate: &Gate| gate.name == STRAY && !accepted.contains(&STRAY);
    if all.first().is_some_and(alone) {
        all.truncate(1);
    }
    all
}

/// The gate of this name.
///
/// # Errors
/// There is none, with the nearest names.
pub fn named(name: &str) -> Result<&'static str> {
    let names = || GATES.iter().map(|gate| gate.0);
    names().find(|known| *known == name).ok_or_else(|| {
        let near = nearest(name, names());
        let choices: Vec<&str> = if near.is_empty() { names().collect() } else { near };
        Error::usage(format!("`{name}` is no gate")).help(format!("there are {}", choices.join(", ")))
    })
}

fn name(file: &FileLedger) -> String {
    crate::base::text::Text::new(file.path.display().to_string()).term(120)
}

/// Rejected rows refuse a run above 100 and 0.1 % both.
fn too_many_rejects(input: &Input) -> Option<String> {
    let rejected: u64 = input.intake.files.iter().map(|f| f.rejects.faults()).sum();
    let read: u64 = input.intake.files.iter().map(|f| f.rows).sum();
    let files = input.intake.files.iter();
    let worst = files
        .flat_map(|f| f.rejects.counts.iter().filter(|c| c.0.is_fault()).map(move |c| (f, c)))
        .max_by_key(|(_, c)| *c.1)?;
    (rejected > 100 && rejected * 1_000 > read).then(|| {
        format!(
            "{rejected} of {read} rows were rejected, more than 100 and more than 0.1 %; most of them in {}: {}. \
             See them with --rejects FILE, then repair the export or the mapping",
            name(worst.0),
            worst.1.0.slug()
        )
    })
}

fn has_clicks(input: &Input) -> bool {
    input.intake.files.iter().any(|f| f.shape == Shape::Clicks && f.rows > 0)
}

fn no_conversions(input: &Input) -> Option<String> {
    if let Some(empty) = nightly::empty_conversions(input) {
        return Some(empty);
    }
    let mut files = input.intake.files.iter().filter(|f| f.shape == Shape::Conversions).peekable();
    let given = files.peek().is_some();
    let rows: u64 = files.map(|f| f.rows).sum();
    (given && rows == 0 && has_clicks(input))
        .then(|| "the conversions are empty while clicks are not: was their export lost?".to_owned())
}

fn cut_off_file(input: &Input) -> Option<String> {
    let file = input.intake.files.iter().find(|f| f.truncated)?;
    Some(format!("{} ends inside a row: it was cut off; export or copy it again", name(file)))
}

/// Clicks go on after the last conversion, so many that no conversion among them is next to impossible.
fn conversions_end_early(input: &Input) -> Option<String> {
    let (clicks, last) = (input.intake.span(Col::ClickTime)?, input.intake.span(Col::ConversionTime)?.1);
    let conversions = input.matched.conversions.len();
    if !has_clicks(input) || conversions < 20 || last >= clicks.1 {
        return None;
    }
    let missing = (clicks.1 - last) as f64 / (clicks.1 - clicks.0).max(1) as f64;
    let log_p = (1.0 - missing.min(1.0)).max(1e-300).ln() * conversions as f64;
    (log_p < -14.0 && clicks.1 - last > 6 * HOUR).then(|| {
        format!(
            "the last conversion is of {}, the last click of {}: the conversions' export was cut off or is older",
            show(last),
            show(clicks.1)
        )
    })
}

fn export_limit(input: &Input) -> Option<String> {
    let file = input.intake.files.iter().find(|f| f.at_export_limit)?;
    Some(format!(
        "{} has exactly {} rows, an exporter's limit: the rest is missing; export shorter spans, or set \
         `export_limits: []` in the mapping if it is complete",
        name(file),
        file.rows
    ))
}

fn of_class(matched: &Matched, class: Class) -> u64 {
    matched.classes.get(&class).copied().unwrap_or(0)
}

/// Too few conversions for a share to mean anything.
const ENOUGH: u64 = 20;

fn join(input: &Input) -> Option<String> {
    if !has_clicks(input) {
        return None;
    }
    let found = of_class(input.matched, Class::Matched) + of_class(input.matched, Class::BeforeClick);
    let orphans = of_class(input.matched, Class::Orphan);
    let all: u64 = input.matched.classes.values().sum();
    let few_of_told = found + orphans >= ENOUGH && found < orphans;
    let few_of_all = all >= ENOUGH && found * 5 < all;
    (few_of_told || few_of_all).then(|| {
        format!(
            "only {found} of {all} conversions find their click: is click_id the right column on both sides? \
             Say it in the mapping: `join: conversions.HEADER = clicks.HEADER`"
        )
    })
}

fn before_click(input: &Input) -> Option<String> {
    let (before, after) =
        (of_class(input.matched, Class::BeforeClick), of_class(input.matched, Class::Matched));
    (before + after >= ENOUGH && before > after).then(|| {
        format!(
            "{before} of {} conversions come before their click: the two files are in different time zones; \
             declare `time_zone` in the mapping",
            before + after
        )
    })
}

/// CTIT that begins at a whole number of hours is a time zone: people convert minutes after the click.
fn time_zone(input: &Input) -> Option<String> {
    let mut ctit: Vec<i64> = input.matched.conversions.iter().filter_map(|m| m.ctit_s).collect();
    if (ctit.len() as u64) < ENOUGH {
        return None;
    }
    ctit.sort_unstable();
    let hour = HOUR / SECOND;
    let lowest = ctit[ctit.len() / 50];
    let hours = (lowest + 60) / hour;
    let start = hours * hour - 60;
    let within = ctit.iter().filter(|c| (start..start + hour / 2).contains(*c)).count();
    ((1..=26).contains(&hours) && within * 2 > ctit.len()).then(|| {
        format!(
            "click-to-conversion times begin at {hours} h and {within} of {} lie within half an hour of it: the two \
             files are {hours} h apart in time zone; declare `time_zone` in the mapping",
            ctit.len()
        )
    })
}

fn stale(input: &Input) -> Option<String> {
    let as_of = input.said_as_of?;
    let newest = [Col::ClickTime, Col::ConversionTime]
        .iter()
        .filter_map(|c| input.intake.span(*c))
        .map(|s| s.1)
        .max()?;
    (as_of - newest > input.max_age).then(|| {
        let hours = input.max_age / HOUR;
        format!(
            "the newest row is of {}, more than {hours} h before {}: is the export of today?",
            show(newest),
            show(as_of)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::GATES;

    #[test]
    fn gates_have_names_of_their_own() {
        let mut names: Vec<&str> = GATES.iter().map(|g| g.0).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), GATES.len());
    }
}
