//! The two inputs: an audit's JSON report and a table of labels.

use super::Level;
use crate::base::error::{Error, Result};
use crate::base::near::nearest;
use serde_json::Value;
use std::collections::BTreeMap;

/// What the report says of one source.
#[derive(Clone, Debug)]
pub struct Judged {
    pub traffic_source: Option<String>,
    pub source: String,
    pub level: Level,
    pub undecided: bool,
    /// Whether there are findings, all of class `profit`.
    pub profit_only: bool,
    pub score: Option<f64>,
    pub money: f64,
    /// Conversions of the most frequent event.
    pub conversions: u64,
}

/// A label: a source that is known to be fraudulent.
#[derive(Clone, Debug)]
pub struct Planted {
    pub traffic_source: Option<String>,
    pub source: String,
    pub kind: String,
    pub strength: Option<f64>,
    /// The day on which it began, as written.
    pub since: Option<String>,
    pub conversions: Option<u64>,
    /// Micro-units.
    pub touched_payout: Option<i64>,
}

/// The sources of an audit's JSON report.
///
/// # Errors
/// The text is no such report, or its groups are not sources.
pub fn report(text: &str) -> Result<Vec<Judged>> {
    let document: Value = serde_json::from_str(text).map_err(|e| {
        Error::input("the report is no JSON").help("make it with `audit … -o json=report.json`").because(e)
    })?;
    let groups =
        document.get("sources").and_then(Value::as_array).filter(|_| document["schema_version"].is_u64());
    let groups = groups.ok_or_else(|| {
        Error::input("the JSON is no report of an audit: `schema_version` or `sources` is missing")
            .help("make it with `audit … -o json=report.json`")
    })?;
    groups.iter().map(judged).filter_map(Result::transpose).collect()
}

/// A group of the report; `None` for the rows that name no source.
fn judged(group: &Value) -> Result<Option<Judged>> {
    let key = |column: &str| group["key"].get(column).and_then(Value::as_str).map(str::to_owned);
    if group["key"].get("source").is_none() {
        let help = "the labels are of sources: audit with --by source or --by traffic_source,source";
        return Err(Error::input("the groups of the report are not sources").help(help));
    }
    let Some(source) = key("source") else { return Ok(None) };
    let findings = group["findings"].as_array().map_or(&[][..], Vec::as_slice);
    // What only observes, or is suppressed, has no effect; older reports do not say it.
    let acts = |finding: &&Value| finding["status"].as_str().is_none_or(|status| status == "active");
    let findings: Vec<&Value> = findings.iter().filter(acts).collect();
    let profit = |finding: &&Value| finding["class"] == "profit";
    Ok(Some(Judged {
        traffic_source: key("traffic_source"),
        source,
        level: accusation(group, &findings),
        undecided: group["verdict"] == "undecided",
        profit_only: !findings.is_empty() && findings.iter().all(profit),
        score: group.get("score").and_then(Value::as_f64).filter(|s| (0.0..=100.0).contains(s)),
        money: group["money_at_risk"].as_str().and_then(|m| m.parse().ok()).unwrap_or(0.0),
        conversions: conversions(&group["events"]),
    }))
}

/// The verdict, as far as it rests on something else than lost money.
fn accusation(group: &Value, findings: &[&Value]) -> Level {
    let verdict = level(&group["verdict"]);
    if group["class"] != "profit" {
        return verdict;
    }
    let others = findings.iter().filter(|finding| finding["class"] != "profit");
    others.map(|finding| level(&finding["action"])).max().unwrap_or(Level::None).min(verdict)
}

fn level(word: &Value) -> Level {
    match word.as_str() {
        Some("block") => Level::Block,
        Some("hold") => Level::Hold,
        Some("watch") => Level::Watch,
        _ => Level::None,
    }
}

fn conversions(events: &Value) -> u64 {
    let events = events.as_object().into_iter().flatten();
    let of_event =
        |statuses: &Value| statuses.as_object().into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum();
    events.map(|(_, statuses)| of_event(statuses)).max().unwrap_or(0)
}

/// The labels of a `planted.csv`: `source` and `kind`, and where they are known `traffic_source`, `strength`,
/// `conversions`, `touched_payout` and `since`. A source that is labelled several times counts once, with the strongest
/// label; one of kind `honest` is none.
///
/// # Errors
/// The text is no such table.
pub fn truth(text: &str) -> Result<Vec<Planted>> {
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let headers = reader.headers().map_err(unreadable)?.clone();
    let place =
        |name: &str| headers.iter().position(|header| header.trim().trim_start_matches('\u{feff}') == name);
    let needed = |name: &str| place(name).ok_or_else(|| no_column(name, &headers));
    let (source, kind) = (needed("source")?, needed("kind")?);
    let optional = ["traffic_source", "strength", "conversions", "touched_payout", "since"].map(place);
    let mut strongest: BTreeMap<(Option<String>, String), Planted> = BTreeMap::new();
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        let cell =
            |at: Option<usize>| at.and_then(|at| record.get(at)).map(str::trim).filter(|c| !c.is_empty());
        let line = record.position().map_or(0, csv::Position::line);
        let label = label(cell(Some(source)), cell(Some(kind)), optional.map(cell), line)?;
        if label.kind != "honest" {
            let known = strongest
                .entry((label.traffic_source.clone(), label.source.clone()))
                .or_insert(label.clone());
            if label.strength > known.strength {
                *known = label;
            }
        }
    }
    Ok(strongest.into_values().collect())
}

fn label(
    source: Option<&str>,
    kind: Option<&str>,
    optional: [Option<&str>; 5],
    line: u64,
) -> Result<Planted> {
    let [traffic_source, strength, conversions, payout, since] = optional;
    let empty = |what: &str| Error::input(format!("line {line} of the truth has no {what}"));
    let number = |what: &str, text: &str| {
        let number = text.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0);
        let shown = crate::base::text::Text::new(text).term(40);
        number.ok_or_else(|| Error::input(format!("line {line} of the truth: `{shown}` is no {what}")))
    };
    Ok(Planted {
        traffic_source: traffic_source.map(str::to_owned),
        source: source.ok_or_else(|| empty("source"))?.to_owned(),
        kind: kind.ok_or_else(|| empty("kind"))?.to_owned(),
        since: since.map(str::to_owned),
        strength: strength.map(|text| number("strength", text)).transpose()?,
        conversions: conversions.map(|text| number("count", text)).transpose()?.map(|n| n as u64),
        touched_payout: payout
            .map(|text| number("amount", text))
            .transpose()?
            .map(|n| (n * 1e6).round() as i64),
    })
}

fn no_column(name: &str, headers: &csv::StringRecord) -> Error {
    let near = nearest(name, headers.iter());
    let hint = if near.is_empty() { String::new() } else { format!("; is it `{}`?", near.join("` or `")) };
    Error::input(format!("the truth has no column `{name}`{hint}"))
        .help("it is a CSV file with the columns source and kind, such as `simulate` writes as planted.csv")
}

fn unreadable(cause: csv::Error) -> Error {
    Error::input("the truth is no CSV file").because(cause)
}
