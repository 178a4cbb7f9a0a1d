//! Traffic sources, end to end: every key of the file changes what an audit says.

use crate::runs::{Folder, Table, absent, pair, source, time, value};
use crate::shapes::write_parquet;
use serde_json::Value;
use std::collections::BTreeSet;

/// Visits as Voluum exports them, of three traffic sources: each has its zones in another variable.
fn visits() -> String {
    visits_table().csv()
}

fn visits_table() -> Table {
    let mut rows = Table::new(
        "clickId,externalId,trafficSourceName,campaignId,timestamp,countryCode,ip,cost,customVariable1,customVariable2,customVariable3",
    );
    for i in 0..240 {
        let (seller, first, second) = match i % 3 {
            0 => ("PopMax", "creative-7", format!("zone-{}", i % 5)),
            1 => ("PushLy", "zone-9", "c2".to_owned()),
            _ => ("Unheard", "zone-u", "c3".to_owned()),
        };
        let when = time(i * 600);
        let when = format!(
            "{} {:02}{} {}",
            &when[..10],
            hour(&when),
            &when[13..],
            if &when[11..13] < "12" { "AM" } else { "PM" }
        );
        let (id, ip) = (format!("v{i}"), format!("10.1.{}.{}", i / 200, i % 200));
        rows.push(&[&id, &format!("x{i}"), seller, "c", &when, "DE", &ip, "0.01", first, &second, "pub-1"]);
    }
    rows
}

/// The hour of a clock with AM and PM.
fn hour(when: &str) -> u32 {
    match when[11..13].parse::<u32>().expect("an hour") % 12 {
        0 => 12,
        hour => hour,
    }
}

fn folder(sources: &str) -> Folder {
    Folder::new().with("visits.csv", visits()).with("sources.yaml", sources)
}

const AUDIT: &str = "--clicks visits.csv --no-config --time-zone UTC";

/// The values of a column of the key.
fn keys(report: &Value, column: &str) -> BTreeSet<String> {
    let key = |s: &Value| s["key"][column].as_str().unwrap_or("-").to_owned();
    report["sources"].as_array().expect("sources").iter().map(key).collect()
}

fn notes(report: &Value) -> String {
    report["coverage"]["notes"].to_string()
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}

#[test]
fn zones_are_read_from_the_variable_of_their_traffic_source() {
    let folder = folder("PopMax: {zone: 2, creative: customVariable1}\npushly: {zone: 1}\n");
    let plain = folder.report(AUDIT);
    assert_eq!(keys(&plain, "source"), set(&["creative-7", "zone-9", "zone-u"]));
    let report = folder.report(&format!("{AUDIT} --sources sources.yaml"));
    let zones = ["zone-0", "zone-1", "zone-2", "zone-3", "zone-4", "zone-9", "zone-u"];
    assert_eq!(keys(&report, "source"), set(&zones));
    let told = notes(&report);
    assert!(told.contains("of clicks from PopMax, the zone is read from `customVariable2`"), "{told}");
    assert!(
        told.contains("80 clicks are of traffic sources that the sources file does not name (Unheard)"),
        "{told}"
    );
    let creatives = folder.report(&format!("{AUDIT} --sources sources.yaml --by creative"));
    assert_eq!(keys(&creatives, "creative"), set(&["creative-7", "-"]));
}

#[test]
fn an_export_in_ndjson_is_read_alike() {
    let text = visits();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().expect("a header").split(',').collect();
    let object = |line: &str| {
        let pairs = header.iter().zip(line.split(',')).map(|(k, v)| ((*k).to_owned(), Value::from(v)));
        Value::Object(pairs.collect()).to_string() + "\n"
    };
    let json: String = lines.map(object).collect();
    let folder = folder("PopMax: {zone: 2}\n").with("visits.ndjson", json);
    let csv = folder.report(&format!("{AUDIT} --sources sources.yaml"));
    let ndjson = folder.report("--clicks visits.ndjson --no-config --time-zone UTC --sources sources.yaml");
    assert_eq!(csv["sources"], ndjson["sources"]);
}

#[test]
fn a_parquet_export_is_read_alike() {
    let folder = folder("PopMax: {zone: 2, publisher: 3, format: pop}\nUnheard: {zone: 9}\n");
    let mut table = visits_table();
    let zone = table.at("customVariable2");
    table.rows[0][zone] = "{zoneid}".to_owned();
    let folder = folder.with("visits.csv", table.csv());
    write_parquet(&table, &folder.path("visits.parquet"));
    let by = "--sources sources.yaml --by source,account,format";
    let csv = folder.report(&format!("{AUDIT} {by}"));
    let parquet = folder.report(&format!("--clicks visits.parquet --no-config --time-zone UTC {by}"));
    assert_eq!(csv["sources"], parquet["sources"]);
    assert!(keys(&parquet, "source").contains("zone-4") && keys(&parquet, "account").contains("pub-1"));
}

#[test]
fn publishers_campaigns_formats_and_accounts_are_columns() {
    let folder = folder(
        "PopMax: {zone: 2, publisher: 3, campaign: customVariable2, format: pop}\nPushLy: {account: one owner, format: push}\n",
    );
    let report = |by: &str| folder.report(&format!("{AUDIT} --sources sources.yaml --by {by}"));
    assert_eq!(keys(&report("account"), "account"), set(&["pub-1", "one owner", "-"]));
    assert_eq!(keys(&report("external_campaign"), "external_campaign").len(), 6);
    assert_eq!(keys(&report("format"), "format"), set(&["pop", "push", "-"]));
    folder.run(&format!("audit {AUDIT} --by format")).exits(3).says(&["no input has a column for format"]);
}

#[test]
fn a_variable_that_is_not_there_leaves_the_zone_unknown() {
    let report = folder("PopMax: {zone: 9}\n").report(&format!("{AUDIT} --sources sources.yaml"));
    assert_eq!(keys(&report, "source"), set(&["-", "zone-9", "zone-u"]));
    let told = notes(&report);
    assert!(
        told.contains("the clicks have no column for the zone of PopMax (variable 9): it is not known"),
        "{told}"
    );
}

#[test]
fn a_macro_in_the_true_variable_is_one() {
    let text = visits().replace("zone-0", "{zoneid}").replace("zone-u", "{other}");
    let folder = folder("PopMax: {zone: 2}\nUnheard: {zone: 3}\n").with("visits.csv", text);
    let report = folder.report(&format!("{AUDIT} --sources sources.yaml --by traffic_source"));
    let share = |name: &str| {
        let found = report["sources"]
            .as_array()
            .expect("sources")
            .iter()
            .find(|s| s["key"]["traffic_source"] == name);
        found.expect(name)["signals"]["unexpanded_macro_share"]["value"].as_f64().expect("a share")
    };
    assert!(share("PopMax") > 0.1 && share("Unheard") == 0.0, "{} {}", share("PopMax"), share("Unheard"));
}

#[test]
fn a_starter_may_stand_in_place_of_a_file() {
    let text = visits().replace("PushLy", "Propeller Ads");
    let folder = folder("").with("visits.csv", text);
    let report = folder.report(&format!("{AUDIT} --sources propellerads --by source,format"));
    let found = |s: &&Value| s["key"]["source"] == "zone-9";
    let zone = report["sources"].as_array().expect("sources").iter().find(found).expect("the zone");
    assert_eq!(zone["key"]["format"], "push");
    folder
        .run(&format!("audit {AUDIT} --sources propelerads"))
        .exits(2)
        .says(&["`propelerads` is neither a sources file nor a starter", "did you mean `propellerads`?"]);
    folder
        .run(&format!("audit {AUDIT} --sources propellerads --sources propellerads"))
        .exits(2)
        .says(&["is named twice"]);
}

#[test]
fn every_fault_of_a_sources_file_is_told_before_anything_is_read() {
    let folder = folder("PopMax:\n  zone: externalId\n  blocklist: linse\n");
    folder.run(&format!("audit {AUDIT} --sources sources.yaml")).exits(2).says(&[
        "C006",
        "`externalId` is the traffic source's ID of the click, never a zone",
        "sources.yaml:2:9",
        "`linse` is no dialect of lists",
        "sources.yaml:3:14",
        "did you mean `lines`",
        "2 faults in 1 file",
    ]);
    folder
        .run(&format!("audit {AUDIT} --sources missing.yaml"))
        .exits(2)
        .says(&["cannot read the sources file missing.yaml"]);
    let unknown = folder.with("sources.yaml", "PopMax: {zoen: 2}\n");
    unknown
        .run(&format!("audit {AUDIT} --sources sources.yaml"))
        .exits(2)
        .says(&["there is no key `zoen` here", "sources.yaml:1:10"]);
}

// ---------------------------------------------------------------- lists and costs

/// The pair of exports as two traffic sources: the bad sources of each are blocked.
fn two_networks() -> Folder {
    let (clicks, conversions) = pair(&["bad-1", "bad-2"]);
    let of = clicks.at("source");
    let names: Vec<String> = clicks
        .rows
        .iter()
        .map(|row| if row[of].ends_with(['1', '3']) { "PopMax" } else { "PushLy" }.to_owned())
        .collect();
    let clicks = clicks.column("traffic_source", |i| names[i].clone());
    Folder::new().with("clicks.csv", clicks.csv()).with("conversions.csv", conversions.csv())
}

const PAIR: &str = "clicks.csv conversions.csv --no-config --max-click-share 100% --max-spend-share 100% --max-revenue-share 100% --max-source-share 100%";

#[test]
fn lists_are_in_the_dialect_of_their_traffic_source() {
    let folder = two_networks().with("sources.yaml", "popmax: {blocklist: csv}\n");
    std::fs::create_dir(folder.path("lists")).expect("a folder");
    let list = "-o blocklist:own=lists/{traffic_source}.txt";
    folder.run(&format!("audit {PAIR} --sources sources.yaml {list}")).exits(0);
    let files: Vec<String> = std::fs::read_dir(folder.path("lists"))
        .expect("the lists")
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    let text = |part: &str| {
        let name = files
            .iter()
            .find(|f| f.to_lowercase().contains(part))
            .unwrap_or_else(|| panic!("{part} of {files:?}"));
        folder.text(&format!("lists/{name}"))
    };
    assert!(text("popmax").starts_with("id,rule\nbad-1,"), "{}", text("popmax"));
    assert_eq!(text("pushly"), "bad-2\n");
    folder.run("blocklist render --state nowhere -o blocklist:own=x.txt").exits(2);
}

/// Costs of three days; the pair has five.
fn costs(folder: Folder, days: &[&str]) -> Folder {
    let mut costs = Table::new("day,traffic_source,source,cost,clicks");
    for day in days {
        costs.push(&[day, "PopMax", "honest-1", "2", "120"]);
        costs.push(&[day, "PushLy", "honest-2", "2", "120"]);
    }
    folder.with("costs.csv", costs.csv())
}

const DAYS: [&str; 3] = ["2026-03-02", "2026-03-03", "2026-03-04"];

#[test]
fn costs_are_in_the_currency_of_their_traffic_source() {
    let folder = costs(two_networks(), &DAYS).with("sources.yaml", "PopMax: {currency: EUR}\n");
    let arguments = format!("{PAIR} --costs costs.csv --currency USD");
    let rates = "date,currency,rate\n2026-03-01,EUR,1.5\n";
    let folder = folder.with("rates.csv", rates);
    let report = folder.report(&format!("{arguments} --sources sources.yaml --rates rates.csv"));
    assert_eq!(value(&report, "honest-1", "cost"), 9.0);
    assert_eq!(value(&report, "honest-2", "cost"), 6.0);
    let plain = folder.report(&format!("{arguments} --rates rates.csv"));
    assert_eq!(value(&plain, "honest-1", "cost"), 6.0);
}

#[test]
fn who_sells_no_clicks_loses_none() {
    let folder = costs(two_networks(), &DAYS).with("sources.yaml", "PopMax: {cost_model: flat}\n");
    let report = folder.report(&format!("{PAIR} --costs costs.csv --sources sources.yaml"));
    assert_eq!(
        absent(&report, "honest-1", "click_loss_share"),
        "the group has no bought clicks on whole days"
    );
    assert_eq!(value(&report, "honest-2", "click_loss_share"), 0.5);
}

#[test]
fn a_day_ends_on_the_clock_of_the_traffic_source() {
    let folder = costs(two_networks(), &DAYS).with("sources.yaml", "PopMax: {time_zone: America/New_York}\n");
    let arguments = format!("{PAIR} --costs costs.csv --as-of 2026-03-05T01:00");
    let plain = folder.report(&arguments);
    let report = folder.report(&format!("{arguments} --sources sources.yaml"));
    assert!(
        notes(&plain).contains("the costs of PopMax are complete from 2026-03-02 to 2026-03-04"),
        "{}",
        notes(&plain)
    );
    // At one in the morning, UTC, it is still the fourth in New York.
    assert!(
        notes(&report).contains("the costs of PopMax are complete from 2026-03-02 to 2026-03-03"),
        "{}",
        notes(&report)
    );
    assert!(notes(&report).contains("the costs of PushLy are complete from 2026-03-02 to 2026-03-04"));
    assert!(source(&report, "honest-1").is_object());
}
