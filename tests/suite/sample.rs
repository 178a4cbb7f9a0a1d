//! The audit against the truth: the sample, in which the fraud is planted and known, and real traffic, of
//! which some facts are known.

use crate::runs::{Folder, Table, project, sample, source, verdicts};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

const PAIR: &str = "clicks.csv conversions.csv";

/// The sources of `planted.csv`.
fn planted() -> BTreeSet<String> {
    let planted = Table::of_sample("planted.csv");
    let at = planted.at("source");
    planted.rows.iter().map(|row| row[at].clone()).collect()
}

#[test]
fn exactly_the_planted_sources_are_at_hold_or_block() {
    let report = Folder::of_sample().report(PAIR);
    let found = |of: &[&str]| -> BTreeSet<String> {
        verdicts(&report)
            .into_iter()
            .filter(|(_, v)| of.contains(&v.as_str()))
            .map(|(name, _)| name)
            .collect()
    };
    assert_eq!(found(&["block", "hold"]), planted());
    assert!(found(&["clean"]).len() >= 10, "{:?}", found(&["clean"]));
    assert_eq!(found(&["watch"]), BTreeSet::new());
}

/// Beside no planted fraud there is an honest source of the same ID: a name tells one from the other.
#[test]
fn a_planted_source_is_one_group() {
    let report = Folder::of_sample().report(PAIR);
    for name in planted() {
        let groups = verdicts(&report).into_iter().filter(|(found, _)| *found == name).count();
        assert_eq!(groups, 1, "{name}");
    }
}

#[test]
fn every_planted_source_has_a_reason_with_its_evidence() {
    let report = Folder::of_sample().report(PAIR);
    for name in planted() {
        let finding = &source(&report, &name)["findings"][0];
        let evidence = finding["evidence"].as_array().unwrap_or_else(|| panic!("{name}: {finding}"));
        for test in evidence {
            let told =
                ["signal", "value", "n", "low", "high", "limit"].iter().all(|key| !test[*key].is_null());
            assert!(told && !evidence.is_empty(), "{name}: {test}");
        }
        assert!(source(&report, &name)["money_at_risk"].is_string(), "{name}: no money");
    }
}

#[test]
fn every_row_of_the_sample_is_accounted_for() {
    let report = Folder::of_sample().report(PAIR);
    for (side, file) in [("clicks", "clicks.csv"), ("conversions", "conversions.csv")] {
        let rows = &report["coverage"][side];
        let sum = |part: &str| -> u64 {
            rows[part].as_object().expect("counts by reason").values().filter_map(Value::as_u64).sum()
        };
        let read = rows["read"].as_u64().expect("a count");
        assert_eq!(read, Table::of_sample(file).rows.len() as u64, "{side}");
        assert_eq!(
            read,
            rows["used"].as_u64().expect("a count") + sum("rejected") + sum("duplicate"),
            "{side}"
        );
    }
}

#[test]
fn the_sample_is_made_by_the_generator_byte_for_byte() {
    let folder = Folder::new();
    folder.run("simulate --sample made").exits(0);
    for name in ["clicks.csv", "conversions.csv", "planted.csv"] {
        let made = fs::read(folder.path("made").join(name)).expect("the generator wrote it");
        let kept = fs::read(sample(name)).expect("the sample");
        assert!(made == kept, "sample-data/{name} is not what `clickaudit simulate --sample` writes");
    }
}

#[test]
fn a_seed_makes_the_same_traffic_again() {
    let folder = Folder::new();
    let make = |name: &str, seed: u64| {
        folder.run(&format!("simulate {name} --clicks 3000 --conversions 300 --seed {seed}")).exits(0);
        fs::read(folder.path(name).join("clicks.csv")).expect("the generator wrote it")
    };
    let (first, again, other) = (make("a", 7), make("b", 7), make("c", 8));
    assert!(first == again && first != other);
}

// ---------------------------------------------------------------- real traffic

/// Real clicks and installs that lie beside the project on some machines; they are not ours to pass on.
const REAL: &str = "../shared/real-data/talkingdata-100k.csv.gz";

/// The report on the real file, if it is there, with other arguments.
fn real(arguments: &str) -> Option<Value> {
    let file = project(REAL);
    if !file.exists() {
        super::runs::say(&format!("did not run: there is no {REAL}"));
        return None;
    }
    let folder = Folder::new().with("map.yaml", "combined: {constants: {traffic_source: all}}\n");
    let file = file.canonicalize().expect("it exists");
    Some(folder.report(&format!("--combined {} --preset talkingdata {arguments}", file.display())))
}

#[test]
fn real_traffic_is_counted_to_the_row() {
    let Some(report) = real("") else { return };
    let rows = |side: &str| {
        let rows = &report["coverage"][side];
        (rows["read"].as_u64(), rows["used"].as_u64())
    };
    assert_eq!(rows("clicks"), (Some(100_000), Some(100_000)));
    assert_eq!(rows("conversions"), (Some(227), Some(227)));
    assert_eq!(report["coverage"]["conversion_classes"]["matched"], 227);
    let groups = report["sources"].as_array().expect("the groups");
    assert_eq!(groups.len(), 161);
    let surplus = |group: &Value| {
        let share = &group["signals"]["identical_row_share"];
        share["value"].as_f64().unwrap_or(0.0) * share["n"].as_f64().unwrap_or(0.0)
    };
    assert_eq!(groups.iter().map(surplus).sum::<f64>().round(), 1.0);
    let clicks = |name: &str| source(&report, name)["clicks"].as_u64();
    assert_eq!(["280", "245", "107"].map(clicks), [Some(8_114), Some(4_802), Some(4_543)]);
}

#[test]
fn real_traffic_has_the_known_addresses_and_times() {
    let Some(report) = real("--map map.yaml --by traffic_source") else { return };
    let signals = &report["sources"][0]["signals"];
    let addresses = &signals["distinct_ip_share"];
    let product = addresses["value"].as_f64().zip(addresses["n"].as_f64()).map(|(share, n)| share * n);
    assert_eq!(product.map(f64::round), Some(34_857.0));
    for (signal, seconds) in [("ctit_p05_s", 15.0), ("ctit_p50_s", 198.0), ("ctit_p95_s", 27_549.0)] {
        let found = signals[signal]["value"].as_f64().expect("a time");
        assert!((found / seconds - 1.0).abs() < 0.01, "{signal}: {found}, not {seconds}");
    }
}
