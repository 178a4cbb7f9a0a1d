//! A run from its JSON report.

use super::{Counts, Group, Key, Side, micro};
use crate::base::error::{Error, Result};
use crate::base::money::{Micro, SCALE};
use crate::base::text::Text;
use serde_json::Value;
use std::collections::BTreeMap;

/// Reads a JSON report; `name` is its file.
///
/// # Errors
/// The text is no report of an audit.
pub fn report(text: &str, name: &str) -> Result<Side> {
    let no_report = |why: &str| {
        Error::input(format!("{name} is no JSON report of an audit: {why}"))
            .help("make one with `clickaudit audit … -o json=report.json`")
    };
    let document: Value = serde_json::from_str(text).map_err(|e| no_report("it is no JSON").because(e))?;
    let sources = document["sources"].as_array().filter(|_| document["schema_version"].is_u64());
    let sources = sources.ok_or_else(|| no_report("`schema_version` or `sources` is missing"))?;
    let run = &document["run"];
    let grain: Vec<String> = strings(&run["grain"]);
    if grain.is_empty() {
        return Err(no_report("`run.grain` is missing"));
    }
    let mut inputs: Vec<String> =
        list(&run["inputs"]).iter().filter_map(|input| input["digest"].as_str().map(str::to_owned)).collect();
    inputs.sort();
    let groups: BTreeMap<Key, Group> = sources
        .iter()
        .filter(|source| grain.iter().all(|column| source["key"].get(column).is_some()))
        .map(|source| (key(source, &grain), group(source)))
        .collect();
    let rules = rules(&document, &groups);
    Ok(Side {
        when: run["as_of"].as_str().map(str::to_owned),
        grain,
        currency: run["currency"].as_str().map(Text::new),
        inputs,
        rules_digest: run["rules_digest"].as_str().unwrap_or_default().to_owned(),
        rules,
        groups,
    })
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn strings(value: &Value) -> Vec<String> {
    list(value).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn key(source: &Value, grain: &[String]) -> Key {
    grain.iter().map(|column| source["key"][column].as_str().map(Text::new)).collect()
}

fn group(source: &Value) -> Group {
    Group {
        verdict: source["verdict"].as_str().unwrap_or("undecided").to_owned(),
        fired: list(&source["findings"])
            .iter()
            .filter_map(|f| f["rule"].as_str().map(str::to_owned))
            .collect(),
        clicks: source["clicks"].as_u64().unwrap_or(0),
        spend: source["cost"].as_str().and_then(amount),
        revenue: source["signals"]["revenue"]["value"].as_f64().map(micro),
        at_risk: source["money_at_risk"].as_str().and_then(amount),
        why: source["findings"][0]["title"].as_str().map(str::to_owned),
    }
}

/// `118.59` in micro-units.
fn amount(text: &str) -> Option<Micro> {
    let units: f64 = text.parse().ok()?;
    Some(Micro((units * SCALE as f64).round() as i64)).filter(|_| units.is_finite())
}

/// What each rule said; reports from before that was told have only their findings.
fn rules(document: &Value, groups: &BTreeMap<Key, Group>) -> BTreeMap<String, Counts> {
    if let Some(rules) = document["rules"].as_array() {
        let n = |rule: &Value, key: &str| rule[key].as_u64().unwrap_or(0);
        let counts = |rule: &Value| Counts {
            groups: n(rule, "groups"),
            fires: n(rule, "fires"),
            silent: n(rule, "silent"),
            unknown: n(rule, "unknown"),
            suppressed: n(rule, "suppressed"),
        };
        return rules
            .iter()
            .filter_map(|rule| Some((rule["rule"].as_str()?.to_owned(), counts(rule))))
            .collect();
    }
    let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
    for id in groups.values().flat_map(|group| &group.fired) {
        let of_rule = counts.entry(id.clone()).or_default();
        of_rule.groups = groups.len() as u64;
        of_rule.fires += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"{"schema_version": 1, "run": {"grain": ["source"], "rules_digest": "ab", "inputs": []},
        "sources": [{"key": {"source": "z1"}, "verdict": "block", "clicks": 7, "cost": "1.50",
                     "signals": {"revenue": {"value": 2.25}}, "findings": [{"rule": "too-fast"}]},
                    {"key": {"campaign": "c"}, "verdict": "block", "clicks": 7, "findings": []}]}"#;

    #[test]
    fn a_report_is_read_as_far_as_it_goes() {
        let side = report(REPORT, "r.json").expect("a report");
        let group = &side.groups[&vec![Some(Text::new("z1"))]];
        assert_eq!(
            (group.spend, group.revenue, group.clicks),
            (Some(Micro(1_500_000)), Some(Micro(2_250_000)), 7)
        );
        assert_eq!(side.rules["too-fast"], Counts { groups: 1, fires: 1, ..Counts::default() });
        assert_eq!(side.groups.len(), 1);
    }

    #[test]
    fn what_is_no_report_is_refused() {
        for (text, why) in [
            ("", "no JSON"),
            ("{}", "`schema_version`"),
            (r#"{"schema_version": 1, "sources": []}"#, "`run.grain`"),
        ] {
            let error = report(text, "r.json").expect_err("no report").to_string();
            assert!(error.contains(why) && error.contains("r.json"), "{error}");
        }
    }
}
