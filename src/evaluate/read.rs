//! What is judged: an audit's JSON report.

use super::Level;
use crate::base::error::{Error, Result};
use serde_json::Value;

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
