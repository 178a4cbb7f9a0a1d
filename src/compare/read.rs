//! A run from its JSON report.

use super::{Counts, Group, Key, Side, by_key, micro};
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
    let document = parsed(text).map_err(|e| no_report("it is no JSON").because(e))?;
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
    let of_grain = sources
        .iter()
        .filter(|source| grain.iter().all(|column| source["key"].get(column).is_some()))
        .map(|source| (key(source, &grain), group(source)));
    let groups = by_key(of_grain);
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

/// The document; of a report in lines (`-o ndjson`) the same, put together again.
fn parsed(text: &str) -> serde_json::Result<Value> {
    let lines = || text.lines().map(serde_json::from_str::<Value>);
    let Some(Ok(mut whole)) = lines().next().filter(|line| line.as_ref().is_ok_and(|l| l["record"] == "run"))
    else {
        return serde_json::from_str(text);
    };
    let mut sources = Vec::new();
    for line in lines().skip(1) {
        let line = line?;
        if line["record"] == "source" {
            sources.push(line);
        }
    }
    whole["sources"] = Value::Array(sources);
    Ok(whole)
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
        why: why(source),
        kept: None,
    }
}

/// Who decided by hand says why; or else earlier nights do, or the strongest finding.
fn why(source: &Value) -> Option<String> {
    let history = &source["history"];
    let pin = |key: &str| history["pinned"][key].as_str();
    if let (Some(word), Some(until), Some(by), Some(reason)) =
        (pin("as"), pin("until"), pin("by"), pin("reason"))
    {
        return Some(format!("pinned as {word} until {until} by {by}: {reason}"));
    }
    let said = [&history["reason"], &source["findings"][0]["title"]];
    said.into_iter().filter_map(Value::as_str).find(|said| !said.is_empty()).map(str::to_owned)
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
    fn the_last_word_says_why() {
        let mut source = serde_json::json!({"findings": [{"title": "too fast"}]});
        assert_eq!(why(&source).as_deref(), Some("too fast"));
        source["history"] = serde_json::json!({"reason": "too fast; acts at once", "pinned": null});
        assert_eq!(why(&source).as_deref(), Some("too fast; acts at once"));
        source["history"]["pinned"] =
            serde_json::json!({"as": "ok", "until": "2026-03-20", "by": "ana", "reason": "agreed"});
        assert_eq!(why(&source).as_deref(), Some("pinned as ok until 2026-03-20 by ana: agreed"));
        assert_eq!(why(&Value::Null), None);
    }

    #[test]
    fn a_report_in_lines_is_the_same() {
        let whole: Value = serde_json::from_str(REPORT).expect("JSON");
        let mut lines =
            vec![serde_json::json!({"record": "run", "schema_version": 2, "run": whole["run"]}).to_string()];
        lines.push(r#"{"record": "incident"}"#.to_owned());
        for source in whole["sources"].as_array().expect("a list") {
            let mut source = source.clone();
            source["record"] = "source".into();
            lines.push(source.to_string());
        }
        let (one, other) =
            (report(REPORT, "r").expect("a report"), report(&lines.join("\n"), "r").expect("lines"));
        assert_eq!((one.groups, one.grain), (other.groups, other.grain));
        lines[2].truncate(20);
        assert!(report(&lines.join("\n"), "r").is_err(), "a line that is cut off");
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
