//! Everything about one group: the audit runs as always, and what it has in memory at the end is looked at once
//! more.

mod outlook;
pub mod samples;

use super::{Settings, Workings, pictures, run};
use crate::base::column::{Col, Grain};
use crate::base::error::{Error, Result};
use crate::base::near::nearest;
use crate::base::text::Text;
use crate::ingest::FileLedger;
use crate::matching::MatchedConversion;
use crate::report::explain::{Details, Page};
use crate::rules::RuleSet;
use crate::verdicts::Judged;

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
        details(workings, at, &workings.intake.mapping.trusted).map(|details| (at, details))
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
    let mut gallery = pictures::of(workings, trusted, &[group]);
    let of_grain = gallery.get_mut(&group.subject.grain);
    let pictures = of_grain.and_then(|g| g.remove(&group.subject.key)).expect("a judged group was measured");
    Ok(Details {
        pictures,
        outlook: outlook::outlook(group, &ranked(workings, group)),
        samples: samples::samples(workings, group, &rows(workings, group))?,
    })
}

/// ln p of all groups of its grain that were compared, the least first.
fn ranked(workings: &Workings, group: &Judged) -> Vec<f64> {
    let alike = workings.groups.iter().filter(|other| other.subject.grain == group.subject.grain);
    let mut ranked: Vec<f64> = alike.filter_map(|other| other.subject.profile.ln_p).collect();
    ranked.sort_by(f64::total_cmp);
    ranked
}

/// The conversions of a group.
fn rows<'a>(workings: &Workings<'a, '_>, group: &Judged) -> Vec<&'a MatchedConversion> {
    let places = pictures::places(workings, group.subject.grain.columns());
    let key = || group.subject.key.iter().map(|t| t.as_ref().map(Text::raw));
    let symbols = workings.symbols;
    let belongs = |m: &&MatchedConversion| places.iter().map(|&at| symbols.text(m.columns[at])).eq(key());
    workings.matched.conversions.iter().filter(belongs).collect()
}
