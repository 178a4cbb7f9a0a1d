//! Inputs that somebody made to bring a run down: every one of them ends, with every row accounted for. Their full
//! sizes, with the memory they take, are `bench/extremes.py`'s.

use crate::runs::{Folder, Table, pair, source, time};
use serde_json::Value;
use std::collections::BTreeMap;

const CLICKS: &str = "click_id,click_time,traffic_source,source,ip,user_agent,cost";
const CONVERSIONS: &str = "click_id,conversion_time,event,status,payout,transaction_id";

fn clicks(count: usize, row: impl Fn(usize) -> [String; 3]) -> Table {
    let mut table = Table::new(CLICKS);
    for i in 0..count {
        let [id, source, ip] = row(i);
        table.push(&[&id, &time(i), "net", &source, &ip, "Agent/1.0", "0.01"]);
    }
    table
}

fn conversions(count: usize, id: impl Fn(usize) -> String) -> Table {
    let mut table = Table::new(CONVERSIONS);
    for i in 0..count {
        table.push(&[&id(i), &time(i + 600), "registration", "approved", "5", &format!("t{i}")]);
    }
    table
}

fn audited(clicks: &Table, conversions: &Table, flags: &str) -> Value {
    let folder = Folder::new().with("clicks.csv", clicks.csv()).with("conversions.csv", conversions.csv());
    let run = folder.run(&format!("audit clicks.csv conversions.csv {flags} -o json=report.json"));
    assert!(matches!(run.code, Some(0 | 3 | 4)), "{:?}\n{}", run.code, run.stderr);
    folder.json("report.json")
}

fn notes(report: &Value) -> String {
    let notes = report["coverage"]["notes"].as_array().expect("notes");
    notes.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
}

fn names(report: &Value) -> Vec<String> {
    let groups = report["sources"].as_array().expect("sources");
    let mut names: Vec<String> =
        groups.iter().map(|g| g["key"]["source"].as_str().unwrap_or_default().to_owned()).collect();
    names.sort();
    names
}

/// Source `s7` has seven clicks, and so on; one conversion on the first click of each.
fn of_every_size(sources: usize) -> (Table, Table) {
    let owners: Vec<usize> = (1..=sources).flat_map(|s| std::iter::repeat_n(s, s)).collect();
    let clicks =
        clicks(owners.len(), |i| [format!("c{i}"), format!("s{}", owners[i]), format!("10.0.0.{}", i % 200)]);
    let firsts: Vec<usize> = (1..=sources).map(|s| s * (s - 1) / 2).collect();
    (clicks, conversions(sources, |i| format!("c{}", firsts[i])))
}

#[test]
fn of_too_many_sources_the_largest_are_judged_and_the_others_told() {
    let (clicks, conversions) = of_every_size(30);
    let whole = audited(&clicks, &conversions, "");
    let report = audited(&clicks, &conversions, "--most-groups 4");
    assert_eq!(names(&report), ["s27", "s28", "s29", "s30"]);
    for name in names(&report) {
        assert_eq!(
            source(&report, &name)["signals"]["click_count"],
            source(&whole, &name)["signals"]["click_count"]
        );
        assert_eq!(source(&report, &name)["signals"]["cr"]["n"], source(&whole, &name)["signals"]["cr"]["n"]);
    }
    assert_eq!(report["coverage"]["clicks"], whole["coverage"]["clicks"]);
    assert_eq!(report["totals"]["clicks"], whole["totals"]["clicks"]);
    let (clicks_left, all) = (26 * 27 / 2, 30 * 31 / 2);
    assert_eq!(whole["totals"]["clicks"], all);
    let told = format!(
        "of 30 groups by traffic_source,source the 4 with the most clicks are judged; the others, {clicks_left} clicks and 26 \
         conversions, cost {:.2}, are in no group",
        f64::from(clicks_left) * 0.01
    );
    assert!(notes(&report).contains(&told), "{}", notes(&report));
    assert!(!notes(&whole).contains("--most-groups"), "{}", notes(&whole));
}

#[test]
fn room_for_all_changes_nothing_and_order_decides_nothing() {
    let (clicks, conversions) = of_every_size(30);
    let whole = audited(&clicks, &conversions, "");
    assert_eq!(audited(&clicks, &conversions, "--most-groups 30")["sources"], whole["sources"]);
    let mut backward = Table::new(CLICKS);
    backward.rows = clicks.rows.iter().rev().cloned().collect();
    let [one, other] =
        [&clicks, &backward].map(|clicks| audited(clicks, &conversions, "--most-groups 7 --threads 1"));
    assert_eq!(one["sources"], other["sources"]);
    assert_eq!(notes(&one), notes(&other));
}

#[test]
fn a_store_has_no_more_room_than_a_run_on_files() {
    let (clicks, conversions) = of_every_size(30);
    let files = audited(&clicks, &conversions, "--most-groups 4");
    let folder = Folder::new().with("clicks.csv", clicks.csv()).with("conversions.csv", conversions.csv());
    let night = |flags: &str| folder.report(&format!("--store st --no-history --window 30d {flags}"));
    let whole = night("clicks.csv conversions.csv");
    assert_eq!(whole["sources"].as_array().map(Vec::len), Some(30));
    for _ in 0..2 {
        let kept = night("--most-groups 4");
        assert_eq!(kept["sources"], files["sources"]);
        assert!(notes(&kept).contains("of 30 groups by traffic_source,source the 4"), "{}", notes(&kept));
    }
    assert_eq!(night("")["sources"], whole["sources"]);
}

#[test]
fn rules_on_parts_have_room_of_their_own() {
    let (clicks, conversions) = pair(&["bad"]);
    let clicks = clicks.column("offer", |i| format!("offer{}", i % 50));
    let rule = "id: of-offers\ntitle: Something is there\nstatus: experimental\nclass: data\naction: watch\n\
                decides: false\nwhy: W\nby: [offer]\nwindow: 30d\n\
                when: {test: {signal: click_count, above: 0, min_sample: 1}}\n";
    let folder = Folder::new()
        .with("clicks.csv", clicks.csv())
        .with("conversions.csv", conversions.csv())
        .with("of-offers.yml", rule);
    let report = folder.report("clicks.csv conversions.csv --add-rules of-offers.yml --most-groups 20");
    assert!(
        notes(&report).contains("of 50 groups by offer the 20 with the most clicks"),
        "{}",
        notes(&report)
    );
    let found = report["rules"].as_array().expect("rules").iter().find(|r| r["rule"] == "of-offers");
    assert_eq!(found.expect("the rule")["fires"], 20);
}

#[test]
fn one_id_on_every_row_of_both_sides_is_a_reused_id() {
    let clicks =
        clicks(20_000, |i| ["same".to_owned(), format!("s{}", i % 3), format!("10.0.{}.1", i % 200)]);
    let conversions = conversions(20_000, |_| "same".to_owned());
    let report = audited(&clicks, &conversions, "");
    assert_eq!(report["totals"]["clicks"], 20_000);
    let rows = &report["coverage"]["conversions"];
    let dropped: u64 =
        rows["duplicate"].as_object().expect("reasons").values().filter_map(Value::as_u64).sum();
    assert_eq!(rows["used"].as_u64().expect("used") + dropped, 20_000, "{rows}");
    let reused = &source(&report, "s1")["signals"]["reused_click_id_share"];
    assert_eq!(reused["value"].as_f64(), Some(1.0), "{reused}");
}

#[test]
fn every_row_of_one_source_its_own_address() {
    let clicks = clicks(50_000, |i| {
        [format!("c{i}"), "one".to_owned(), format!("10.{}.{}.{}", i >> 16, (i >> 8) & 255, i & 255)]
    });
    let report = audited(&clicks, &conversions(40, |i| format!("c{i}")), "--memory-limit 64MiB");
    let one = &source(&report, "one")["signals"]["distinct_ip_share"];
    assert_eq!((one["n"].as_u64(), one["value"].as_f64()), (Some(50_000), Some(1.0)));
}

#[test]
fn a_source_for_every_click_takes_no_more_room_than_it_may() {
    let clicks = clicks(30_000, |i| [format!("c{i}"), format!("random-{i:08x}"), "10.0.0.1".to_owned()]);
    let report =
        audited(&clicks, &conversions(10, |i| format!("c{i}")), "--most-groups 50 --memory-limit 64MiB");
    assert_eq!(report["sources"].as_array().map(Vec::len), Some(50));
    let by_size: BTreeMap<&str, &str> = BTreeMap::from([("groups", "30000"), ("left", "29950 clicks")]);
    assert!(by_size.values().all(|word| notes(&report).contains(word)), "{}", notes(&report));
    assert_eq!(report["totals"]["clicks"], 30_000);
}
