//! How good verdicts are where the truth is known: a report and a list of labels in, tables out.
//!
//! Works on simulated traffic and on anybody's labelled history. Reads no files and prints nothing. Refuses to
//! guess: a label that fits two sources, a source of two kinds, or labels of which none is in the report, are an
//! error.

mod labels;
mod read;
mod tables;
mod text;

#[cfg(test)]
mod tests;

pub use labels::{HONEST, Planted, truth};
pub use text::text;

use crate::base::error::{Error, Result};
use read::Judged;
use serde::Serialize;
use std::collections::BTreeMap;

/// How severe a verdict is, as far as it accuses of fraud, bad quality or broken data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    None,
    Watch,
    Hold,
    Block,
}

/// A part of a whole with its 95 % interval by Wilson; absent where the whole is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rate {
    pub part: u64,
    pub whole: u64,
    pub share: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
}

/// What the verdicts of one level and worse ones are worth.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AtLevel {
    pub level: Level,
    pub flagged: u64,
    pub precision: Rate,
    pub recall: Rate,
    /// The share of the flagged sources that are honest.
    pub false_discoveries: Rate,
    /// Of the honest sources, those that are flagged; a thousand times this are the false flags per 1,000.
    pub false_flags: Rate,
}

/// How many planted sources of one kind are found, by strength and volume: below and from .3 or unknown, below and
/// from 30 conversions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OfKind {
    pub kind: String,
    pub all: Rate,
    pub weak_small: Rate,
    pub weak_large: Rate,
    pub strong_small: Rate,
    pub strong_large: Rate,
    /// Of labels that say no strength.
    pub unknown_small: Rate,
    pub unknown_large: Rate,
}

/// Sources whose score lies in one tenth of the scale.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bin {
    pub from: u8,
    pub sources: u64,
    /// Mean of score / 100, and the share that is planted.
    pub predicted: Option<f64>,
    pub actual: Rate,
}

/// Whether a score of 80 means four frauds in five.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    pub bins: Vec<Bin>,
    /// Mean squared error of the score as a probability; 0 is perfect.
    pub brier: f64,
    /// Expected calibration error: the mean distance of prediction and truth over the bins, by sources.
    pub ece: f64,
}

/// Money of planted conversions in flagged sources, micro-units.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Money {
    pub planted: i64,
    pub flagged: i64,
    pub recall: Option<f64>,
}

/// The whole evaluation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    pub sources: u64,
    /// Sources with a planted fraud, those of them that the report does not know (they count as missed), and
    /// honest sources of the report.
    pub planted: u64,
    pub not_in_report: u64,
    pub honest: u64,
    /// Sources without a verdict, which count as not flagged.
    pub undecided_planted: u64,
    pub undecided_honest: u64,
    /// What sources are ranked by: `score`, or `verdict and money` where the report has no score.
    pub ranked_by: &'static str,
    pub average_precision: Option<f64>,
    /// By severity: block; hold or worse; watch or worse.
    pub levels: Vec<AtLevel>,
    /// The level that the tables below count as flagged.
    pub at: Level,
    pub kinds: Vec<OfKind>,
    /// Sources with findings of class `profit` only: such findings accuse nobody.
    pub profit_only_planted: u64,
    pub profit_only_honest: u64,
    /// Sources where nothing but money is lost (`spend`): neither fraud nor honest; found by any finding.
    pub spend: Rate,
    pub calibration: Option<Calibration>,
    pub money: Option<Money>,
}

/// The kind of truth that is a loss of money and no fraud.
const SPEND: &str = "spend";

/// A source of the report with its label.
struct Labelled<'a> {
    judged: &'a Judged,
    planted: Option<&'a Planted>,
}

/// Compares the JSON report of an audit with labels, such as those of a `planted.csv`.
///
/// Sources that are not labelled count as honest. `at` is the mildest verdict that counts as flagged in the
/// tables by kind and in the money.
///
/// # Errors
/// The report is none, a label fits several sources or a source several labels, or no label fits any.
pub fn evaluate(report: &str, planted: &[Planted], at: Level) -> Result<Evaluation> {
    let judged = read::report(report)?;
    let matched = matched(&judged, planted)?;
    let not_in_report = planted.len() - matched.len();
    if !planted.is_empty() && matched.is_empty() {
        return Err(Error::input("no source of the truth is in the report").help(format!(
            "the truth has {}, the report has {}; are the two of the same traffic?",
            examples(planted.iter().map(|p| p.source.as_str())),
            examples(judged.iter().map(|j| j.source.as_str()))
        )));
    }
    let labelled: Vec<Labelled> = judged
        .iter()
        .enumerate()
        .map(|(nth, judged)| Labelled { judged, planted: matched.get(&nth).map(|&p| &planted[p]) })
        .collect();
    Ok(tables::evaluation(&labelled, planted, not_in_report as u64, at))
}

fn examples<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let shown: Vec<String> =
        names.take(3).map(|name| format!("`{}`", crate::base::text::Text::new(name).term(40))).collect();
    shown.join(", ")
}

/// For each source of the report that has a label the number of the label.
fn matched(judged: &[Judged], planted: &[Planted]) -> Result<BTreeMap<usize, usize>> {
    let mut by_source: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (nth, source) in judged.iter().enumerate() {
        by_source.entry(&source.source).or_default().push(nth);
    }
    let mut found = BTreeMap::new();
    for (at, label) in planted.iter().enumerate() {
        let of_name = by_source.get(label.source.as_str()).map_or(&[][..], Vec::as_slice);
        let fits = |nth: &&usize| match (&label.traffic_source, &judged[**nth].traffic_source) {
            (Some(known), Some(source)) => known == source,
            _ => true,
        };
        let fitting: Vec<usize> = of_name.iter().filter(fits).copied().collect();
        match fitting[..] {
            [] => {}
            [nth] => {
                if let Some(other) = found.insert(nth, at) {
                    return Err(twice(label, other, planted));
                }
            }
            _ => return Err(ambiguous(&label.source)),
        }
    }
    Ok(found)
}

/// Two labels of one source, of which only one names its traffic source.
fn twice(label: &Planted, other: usize, all: &[Planted]) -> Error {
    let shown = crate::base::text::Text::new(label.source.as_str()).term(40);
    Error::input(format!(
        "the labels of lines {} and {} are of one source, `{shown}`",
        all[other].line.min(label.line),
        all[other].line.max(label.line)
    ))
    .help("keep one of the two, or give both their traffic_source")
}

fn ambiguous(source: &str) -> Error {
    let shown = crate::base::text::Text::new(source).term(40);
    Error::input(format!("the label `{shown}` fits several sources of the report")).help(
        "add a column traffic_source to the truth, and audit by source, not by something below or above it",
    )
}
