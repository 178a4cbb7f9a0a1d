//! Everything about one group: the audit runs as always, and what it has in memory at the end is looked at once
//! more.

mod outlook;
pub mod samples;

use super::{Settings, Workings, run};
use crate::base::column::{Col, Grain};
use crate::base::error::{Error, Result};
use crate::base::near::nearest;
use crate::base::text::Text;
use crate::ingest::FileLedger;
use crate::matching::MatchedConversion;
use crate::measures::{GrainMeasures, M, Totals};
use crate::peers;
use crate::report::explain::{CTIT, Day, Details, Page, Spread};
use crate::rules::RuleSet;
use crate::verdicts::Judged;
use std::collections::BTreeMap;

/// Audits, and tells everything about the group called `name`.
///
/// # Errors
/// Whatever keeps an audit from completing, and a name that no group has or that several have.
pub fn explain<'r>(
    settings: &Settings,
    rules: &'r RuleSet,
    name: &str,
) -> Result<(Page<'r>, Vec<FileLedger>)> {
    let (audited, found) = run(settings, rules, |workings| {
        let at = find(workings.groups, &settings.grain, name)?;
        details(workings, at, &settings.mapping.trusted).map(|details| (at, details))
    })?;
    let (at, details) = found?;
    let mut report = audited.report;
    let group = report.groups.swap_remove(at);
    let mut page = Page { run: report.run, gates: report.coverage.gates, group, details };
    page.cover(&settings.pii);
    Ok((page, audited.files))
}

/// Choices named in a message.
const CHOICES: usize = 8;
/// Cells of a name in a message.
const NAME: usize = 60;

/// The place of the group with this name: its full name, or its name without the traffic source.
fn find(groups: &[Judged], grain: &Grain, name: &str) -> Result<usize> {
    let audited: Vec<usize> = (0..groups.len()).filter(|&at| groups[at].subject.grain == *grain).collect();
    let fits = |of: fn(&Judged) -> String| -> Vec<usize> {
        audited.iter().copied().filter(|&at| of(&groups[at]) == name).collect()
    };
    let found = Some(fits(full)).filter(|found| !found.is_empty()).unwrap_or_else(|| fits(short));
    match found.as_slice() {
        [] => Err(unknown(name, audited.iter().map(|&at| &groups[at]).collect())),
        [only] => Ok(*only),
        several => Err(ambiguous(name, several.iter().map(|&at| &groups[at]).collect())),
    }
}

fn joined<'k>(parts: impl Iterator<Item = &'k Option<Text>>) -> String {
    let part = |part: &'k Option<Text>| part.as_ref().map_or("(none)", Text::raw);
    parts.map(part).collect::<Vec<&str>>().join("/")
}

/// `traffic source/source`, all values of the key.
fn full(group: &Judged) -> String {
    joined(group.subject.key.iter())
}

/// The same without the traffic source.
fn short(group: &Judged) -> String {
    let columns = group.subject.grain.columns();
    let skip = usize::from(columns.len() > 1 && columns[0] == Col::TrafficSource);
    joined(group.subject.key.iter().skip(skip))
}

fn unknown(name: &str, groups: Vec<&Judged>) -> Error {
    let names: Vec<String> = groups.iter().flat_map(|g| [short(g), full(g)]).collect();
    let near: Vec<String> =
        nearest(name, names.iter().map(String::as_str)).iter().map(|n| Text::new(*n).term(NAME)).collect();
    let help = match near.as_slice() {
        [] => format!("{} groups were audited; `clickaudit audit` lists them", groups.len()),
        near => format!("did you mean {}?", near.join(" or ")),
    };
    Error::usage(format!("no audited group is called `{}`", Text::new(name).term(NAME))).help(help)
}

fn ambiguous(name: &str, groups: Vec<&Judged>) -> Error {
    let mut names: Vec<String> = groups.iter().map(|g| Text::new(full(g)).term(NAME)).collect();
    names.sort();
    let more = names.len().saturating_sub(CHOICES);
    names.truncate(CHOICES);
    names.extend((more > 0).then(|| format!("{more} more")));
    let name = Text::new(name).term(NAME);
    Error::usage(format!("`{name}` is the name of {} groups", groups.len()))
        .help(format!("name one of them in full: {}", names.join(", ")))
}

fn details<'r>(workings: &Workings<'_, 'r>, at: usize, trusted: &[String]) -> Result<Details<'r>> {
    let group = &workings.groups[at];
    let grain = workings.measures.grains.iter().find(|g| g.grain == group.subject.grain);
    let grain = grain.expect("a judged group was measured");
    let key: Vec<Option<&str>> = group.subject.key.iter().map(|t| t.as_ref().map(Text::raw)).collect();
    let same = |g: &crate::measures::Group| g.key.iter().map(Option::as_deref).eq(key.iter().copied());
    let place = grain.groups.iter().position(same).expect("a judged group was measured");
    let rows = rows(workings, grain, &key);
    Ok(Details {
        ctit: spread(grain, place, trusted, ctit),
        hours: spread(grain, place, trusted, hours),
        days: days(workings, &grain.groups[place].totals, &rows),
        outlook: outlook::outlook(group),
        samples: samples::samples(workings, group, &rows)?,
    })
}

/// The conversions of a group.
fn rows<'a>(
    workings: &Workings<'a, '_>,
    grain: &GrainMeasures,
    key: &[Option<&str>],
) -> Vec<&'a MatchedConversion> {
    let place = |col: &Col| workings.columns.iter().position(|c| c == col).expect("rows are placed by it");
    let places: Vec<usize> = grain.grain.columns().iter().map(place).collect();
    let symbols = workings.symbols;
    let belongs =
        |m: &&MatchedConversion| places.iter().map(|&at| symbols.text(m.columns[at])).eq(key.iter().copied());
    workings.matched.conversions.iter().filter(belongs).collect()
}

fn spread(
    grain: &GrainMeasures,
    group: usize,
    trusted: &[String],
    histogram: fn(&Totals) -> Vec<u64>,
) -> Spread {
    let own = histogram(&grain.groups[group].totals);
    if own.iter().all(|n| *n == 0) {
        return Spread::default();
    }
    Spread { own, peers: peers::shape(grain, group, trusted, histogram) }
}

fn ctit(totals: &Totals) -> Vec<u64> {
    let mut counts = vec![0; CTIT.len()];
    for &(seconds, n) in totals.values(M::Ctit).iter() {
        let at = CTIT.iter().position(|(end, _)| seconds < *end).unwrap_or(CTIT.len() - 1);
        counts[at] += n;
    }
    counts
}

fn hours(totals: &Totals) -> Vec<u64> {
    let mut counts = vec![0; 24];
    for &(hour, n) in totals.values(M::Hours).iter() {
        counts[hour.rem_euclid(24) as usize] += n;
    }
    counts
}

/// Clicks by day, and the conversions that came of them; of unknown clicks those of the day itself.
fn days(workings: &Workings, totals: &Totals, rows: &[&MatchedConversion]) -> Vec<Day> {
    let mut days: BTreeMap<i32, (u64, u64)> = BTreeMap::new();
    for &(hour, n) in totals.values(M::Hours).iter() {
        days.entry(hour.div_euclid(24) as i32).or_default().0 += n;
    }
    for m in rows {
        let (day, _) = workings.clock.zone.day_and_hour(m.click_time.unwrap_or(m.conversion.time));
        days.entry(day).or_default().1 += 1;
    }
    days.into_iter().map(|(day, (clicks, conversions))| Day { day, clicks, conversions }).collect()
}
