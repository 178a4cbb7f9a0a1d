//! What a list needs of an audit's JSON report.

use super::state::{Key, Kind};
use crate::base::error::{Error, Result};
use crate::base::money::{Micro, SCALE};
use serde_json::Value;

/// One audit.
#[derive(Clone, Debug)]
pub struct Run {
    /// Names the bytes of the report.
    pub digest: String,
    /// The moment its input reached up to, as `2026-03-15T23:59:52Z`.
    pub as_of: String,
    pub grain: Vec<String>,
    pub currency: Option<String>,
    pub groups: Vec<Group>,
}

/// One judged group.
#[derive(Clone, Debug)]
pub struct Group {
    /// The values of the grain's columns.
    pub key: Key,
    /// The list that its verdict puts it on.
    pub listed: Option<Kind>,
    pub protected: bool,
    /// The rule of the strongest finding, and what it says.
    pub rule: String,
    pub title: String,
    pub volume: Volume,
}

/// How much traffic there is of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    pub clicks: u64,
    pub spend: Micro,
    pub revenue: Micro,
}

impl std::iter::Sum for Volume {
    fn sum<I: Iterator<Item = Volume>>(volumes: I) -> Volume {
        volumes.fold(Volume::default(), |a, b| Volume {
            clicks: a.clicks + b.clicks,
            spend: Micro(a.spend.0.saturating_add(b.spend.0)),
            revenue: Micro(a.revenue.0.saturating_add(b.revenue.0)),
        })
    }
}

/// Reads a report.
///
/// # Errors
/// The text is no report of an audit, has no moment it reaches up to, or a gate stopped its lists.
pub fn run(text: &str) -> Result<Run> {
    let document: Value =
        serde_json::from_str(text).map_err(|e| not_a_report("the report is no JSON").because(e))?;
    let groups =
        document.get("sources").and_then(Value::as_array).filter(|_| document["schema_version"].is_u64());
    let groups = groups.ok_or_else(|| not_a_report("the JSON is no report of an audit"))?;
    refuse_gated(&document)?;
    let of_run = &document["run"];
    let as_of = of_run["as_of"].as_str().ok_or_else(|| {
        Error::input("the report does not say up to when its input reaches, so no entry can expire")
            .help("audit exports that carry times")
    })?;
    let grain: Vec<String> = strings(&of_run["grain"]);
    refuse_masked(of_run, &grain)?;
    let of_grain = |group: &&Value| grain.iter().all(|col| group["key"].get(col).is_some());
    Ok(Run {
        digest: blake3::hash(text.as_bytes()).to_hex().to_string(),
        as_of: as_of.to_owned(),
        currency: of_run["currency"].as_str().map(str::to_owned),
        groups: groups.iter().filter(of_grain).map(group).collect(),
        grain,
    })
}

fn not_a_report(what: &str) -> Error {
    Error::input(what).help("make it with `clickaudit audit … -o json=report.json`")
}

fn refuse_gated(document: &Value) -> Result<()> {
    let gates = document["coverage"]["gates"].as_array().map_or(&[][..], Vec::as_slice);
    let Some(gate) = gates.first() else { return Ok(()) };
    let name = gate["name"].as_str().unwrap_or("unnamed");
    let why = gate["sentence"].as_str().unwrap_or_default();
    Err(Error::input(format!("the report may fill no list: gate {name}: {why}"))
        .help("mend the exports and audit again; the list stays as it is"))
}

/// Columns whose values a report masks: a masked address is a wider network.
const MASKED: &[&str] = &["ip", "postback_ip"];

fn refuse_masked(run: &Value, grain: &[String]) -> Result<()> {
    let raw = run["parameters"]["pii"] == "raw";
    match grain.iter().find(|col| MASKED.contains(&col.as_str())).filter(|_| !raw) {
        Some(col) => Err(Error::input(format!(
            "the values of {col} are masked in the report, so no list can be kept of them"
        ))
        .help("audit with --pii raw, and keep the report where nobody else reads it")),
        None => Ok(()),
    }
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn group(value: &Value) -> Group {
    let key = value["key"].as_object().into_iter().flatten();
    let finding = value["findings"].as_array().and_then(|f| f.first());
    let word = |name: &str| finding.and_then(|f| f[name].as_str()).unwrap_or_default().to_owned();
    Group {
        key: key.map(|(col, value)| (col.clone(), value.as_str().map(str::to_owned))).collect(),
        listed: listed(value),
        protected: value["protected"] == true,
        rule: word("rule"),
        title: word("title"),
        volume: Volume {
            clicks: value["clicks"].as_u64().unwrap_or(0),
            spend: value["cost"].as_str().and_then(|t| t.parse().ok()).map_or(Micro(0), micro),
            revenue: value["signals"]["revenue"]["value"].as_f64().map_or(Micro(0), micro),
        },
    }
}

fn micro(units: f64) -> Micro {
    Micro((units * SCALE as f64).round() as i64)
}

fn listed(group: &Value) -> Option<Kind> {
    match (group["verdict"].as_str(), group["class"].as_str()) {
        (Some("block"), Some("profit")) => Some(Kind::Profit),
        (Some("block"), _) => Some(Kind::Block),
        _ if group["scalable"] == true => Some(Kind::Scale),
        _ => None,
    }
}
