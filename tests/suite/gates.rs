//! The checks on the whole input: a fault of the export must not accuse anybody.
//!
//! Every gate is made to fire by one fault in the sample, and by that fault alone: the run exits with 3,
//! writes its report and leaves every list as it was. On the sample as it is none of them fires.

use crate::runs::{BEFORE, Folder, Table};
use clickaudit::matching::gates::GATES;
use std::collections::BTreeSet;

const OUTPUTS: &str =
    "-o json=report.json -o csv=report.csv -o blocklist:lines=block.txt -o profit-list:lines=profit.txt";

/// A fault in the sample: the gate it must trip, what is done to the files, and how the run is called.
struct Case {
    gate: &'static str,
    fault: fn(Folder) -> Folder,
    arguments: &'static str,
}

const CASES: &[Case] = &[
    Case { gate: "time-zone", fault: three_hours_late, arguments: "--map map.yaml" },
    Case { gate: "before-click", fault: three_hours_early, arguments: "--map map.yaml" },
    Case { gate: "join", fault: wrong_column, arguments: "--map map.yaml" },
    Case { gate: "no-conversions", fault: no_conversions, arguments: "" },
    Case { gate: "cut-off-file", fault: cut_conversions, arguments: "" },
    Case { gate: "conversions-end-early", fault: old_conversions, arguments: "" },
    Case { gate: "export-limit", fault: ten_thousand_clicks, arguments: "" },
    Case { gate: "stale", fault: |folder| folder, arguments: "--as-of 2026-03-20" },
    Case { gate: "too-many-rejects", fault: unreadable_times, arguments: "" },
    Case { gate: "schema", fault: a_night_without_costs, arguments: "--store st" },
    Case { gate: "volume", fault: a_night_with_a_fifth, arguments: "--store st" },
    Case { gate: "stray", fault: a_click_of_another_month, arguments: "--store st" },
];

/// A zone west of Greenwich: its clock is behind UTC, so that the same text means a later moment.
fn three_hours_late(folder: Folder) -> Folder {
    folder.with("map.yaml", "conversions: {time_zone: Etc/GMT+3}\n")
}

fn three_hours_early(folder: Folder) -> Folder {
    folder.with("map.yaml", "conversions: {time_zone: Etc/GMT-3}\n")
}

fn wrong_column(folder: Folder) -> Folder {
    folder.with("map.yaml", "join: conversions.transaction_id = clicks.click_id\n")
}

fn no_conversions(folder: Folder) -> Folder {
    folder.with("conversions.csv", Table::of_sample("conversions.csv").part(0, 0).csv())
}

/// Cut inside the payout of the last row.
fn cut_conversions(folder: Folder) -> Folder {
    let text = folder.text("conversions.csv");
    let last = text.trim_end().rfind('\n').expect("several rows");
    let cut = last + text[last..].find(".00,USD").expect("a payout") + 1;
    folder.with("conversions.csv", &text[..cut])
}

fn old_conversions(folder: Folder) -> Folder {
    let early = Table::of_sample("conversions.csv").only("conversion_time", |time| time < "2026-03-11");
    folder.with("conversions.csv", early.csv())
}

/// Every fourth click or so, with the conversions of these.
fn ten_thousand_clicks(folder: Folder) -> Folder {
    let clicks = Table::of_sample("clicks.csv");
    let mut few = clicks.part(0, 0);
    few.rows = clicks.rows.iter().step_by(3).take(10_000).cloned().collect();
    let ids: BTreeSet<&str> = few.rows.iter().map(|row| row[0].as_str()).collect();
    let conversions = Table::of_sample("conversions.csv").only("click_id", |id| ids.contains(id));
    folder.with("clicks.csv", few.csv()).with("conversions.csv", conversions.csv())
}

fn unreadable_times(folder: Folder) -> Folder {
    let mut clicks = Table::of_sample("clicks.csv");
    let at = clicks.at("click_time");
    clicks.rows.iter_mut().step_by(100).for_each(|row| row[at] = "yesterday".to_owned());
    folder.with("clicks.csv", clicks.csv())
}

/// The sample up to a day in a store, and the rest of it as the next night's exports.
fn a_second_night(folder: Folder, from: &str) -> Folder {
    let clicks = |keep: &dyn Fn(&str) -> bool| Table::of_sample("clicks.csv").only("click_time", keep);
    let conversions =
        |keep: &dyn Fn(&str) -> bool| Table::of_sample("conversions.csv").only("conversion_time", keep);
    let folder = folder
        .with("first.csv", clicks(&|time| time < from).csv())
        .with("theirs.csv", conversions(&|time| time < from).csv())
        .with("clicks.csv", clicks(&|time| time >= from).csv())
        .with("conversions.csv", conversions(&|time| time >= from).csv());
    folder.run("audit first.csv theirs.csv --store st -q").exits(0);
    folder
}

fn table(folder: &Folder, name: &str) -> Table {
    let mut reader = csv::Reader::from_path(folder.path(name)).expect("a table");
    let header = reader.headers().expect("a header").iter().map(str::to_owned).collect();
    let fields = |record: csv::StringRecord| record.iter().map(str::to_owned).collect();
    Table { header, rows: reader.records().map(|r| fields(r.expect("a row"))).collect() }
}

fn a_night_without_costs(folder: Folder) -> Folder {
    let folder = a_second_night(folder, "2026-03-13");
    let clicks = table(&folder, "clicks.csv").without("cost");
    folder.with("clicks.csv", clicks.csv())
}

fn a_click_of_another_month(folder: Folder) -> Folder {
    let folder = a_second_night(folder, "2026-03-15");
    let mut clicks = table(&folder, "clicks.csv");
    let at = clicks.at("click_time");
    clicks.rows[7][at] = "2026-04-29T10:00:00Z".to_owned();
    folder.with("clicks.csv", clicks.csv())
}

/// Every fifth click of the last day, with the conversions of these.
fn a_night_with_a_fifth(folder: Folder) -> Folder {
    let folder = a_second_night(folder, "2026-03-15");
    let mut clicks = table(&folder, "clicks.csv");
    clicks.rows = clicks.rows.into_iter().step_by(5).collect();
    let ids: BTreeSet<&str> = clicks.rows.iter().map(|row| row[0].as_str()).collect();
    let conversions = table(&folder, "conversions.csv").only("click_id", |id| ids.contains(id));
    folder.with("clicks.csv", clicks.csv()).with("conversions.csv", conversions.csv())
}

#[test]
fn every_gate_has_its_fault() {
    let gates: BTreeSet<&str> = GATES.iter().map(|gate| gate.0).collect();
    let cases: BTreeSet<&str> = CASES.iter().map(|case| case.gate).collect();
    assert_eq!(gates, cases);
}

#[test]
fn every_fault_trips_its_gate_and_no_other() {
    CASES.iter().for_each(check);
}

#[track_caller]
fn check(case: &Case) {
    let folder = (case.fault)(Folder::of_sample()).with("block.txt", BEFORE);
    let run = folder.run(&format!("audit clicks.csv conversions.csv {OUTPUTS} {}", case.arguments)).exits(3);
    assert_eq!(gates(&folder), [case.gate], "{}", run.stderr);
    let reason = format!("exit 3: gate {}: ", case.gate);
    assert!(run.last_line().starts_with(&reason), "{}: {}", case.gate, run.stderr);
    assert_eq!(folder.text("block.txt"), BEFORE, "{}: the list was changed", case.gate);
    assert!(!folder.path("profit.txt").exists(), "{}: a list was written", case.gate);
    assert!(folder.path("report.csv").exists(), "{}: no table was written", case.gate);
    let lists = &folder.json("report.json")["lists"];
    for list in ["block", "profit"] {
        assert!(lists[list]["ids"].as_array().is_some_and(Vec::is_empty), "{}: {lists}", case.gate);
        assert!(lists[list]["withheld"].is_string(), "{}: {lists}", case.gate);
    }
}

fn gates(folder: &Folder) -> Vec<String> {
    let report = folder.json("report.json");
    let gates = report["coverage"]["gates"].as_array().expect("the gates");
    gates.iter().map(|gate| gate["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn no_gate_fires_on_the_sample() {
    let folder = Folder::of_sample().with("block.txt", BEFORE);
    let run = folder.run(&format!("audit clicks.csv conversions.csv {OUTPUTS} --as-of 2026-03-16T12:00"));
    run.exits(0);
    assert_eq!(gates(&folder), [""; 0]);
    assert_ne!(folder.text("block.txt"), BEFORE);
    assert!(folder.path("profit.txt").exists());
}

#[test]
fn a_gate_speaks_even_when_quiet() {
    let folder = no_conversions(Folder::of_sample());
    let run = folder.run("audit clicks.csv conversions.csv -q -o blocklist:lines=-").exits(3);
    assert_eq!((run.text().as_str(), run.stderr.lines().count()), ("", 1), "{}", run.stderr);
}

#[test]
fn stray_rows_move_no_night() {
    let days = ["2026-03-18T10:00:00Z", "2036-01-01T00:00:00Z"];
    for (name, column) in [("clicks.csv", "click_time"), ("conversions.csv", "conversion_time")] {
        for day in days {
            let folder = a_second_night(Folder::of_sample(), "2026-03-15");
            let whole = folder.text(name);
            let mut rows = table(&folder, name);
            let at = rows.at(column);
            rows.rows[7][at] = day.to_owned();
            let folder = folder.with(name, rows.csv());
            let run =
                folder.run("audit clicks.csv conversions.csv --store st -q --new-only -o brief=-").exits(3);
            assert!(run.last_line().starts_with("exit 3: gate stray: 1 c"), "{day}: {}", run.stderr);
            assert!(run.last_line().contains(name), "{day}: {}", run.stderr);
            assert!(
                !folder.path("st/runs/traffic_source,source").join(format!("{}.jsonl", &day[..10])).exists()
            );
            // Mended or left out, the night is as it would have been.
            if day == days[0] {
                folder.run("audit clicks.csv conversions.csv --store st -q --as-of 2026-03-16").exits(0);
            } else {
                folder.with(name, &whole).run("audit clicks.csv conversions.csv --store st -q").exits(0);
            }
        }
    }
}
