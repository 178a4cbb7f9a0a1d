//! Every kind of input and every way to write it down: the same facts must give the same report.

use crate::runs::{Folder, Table, absent, folder_of_pair, pair, source, time, value, verdicts};
use serde_json::Value;
use std::io::Write;

const PAIR: &str = "clicks.csv conversions.csv";

/// The report on the pair with one bad source as it is.
fn plain() -> Value {
    folder_of_pair(&["bad"]).report(PAIR)
}

/// Both reports judge the same groups by the same readings.
#[track_caller]
fn same(found: &Value, expected: &Value) {
    assert_eq!(verdicts(found), verdicts(expected));
    assert_eq!(found["sources"], expected["sources"]);
    assert_eq!(found["totals"], expected["totals"]);
}

/// A folder with these two tables as the pair.
fn folder(clicks: &Table, conversions: &Table) -> Folder {
    Folder::new().with("clicks.csv", clicks.csv()).with("conversions.csv", conversions.csv())
}

/// A signal of every source, in the order of their names.
fn each(report: &Value, signal: &str) -> Vec<(String, f64)> {
    let mut names: Vec<String> = verdicts(report).into_iter().map(|(name, _)| name).collect();
    names.sort();
    names.into_iter().map(|name| (name.clone(), value(report, &name, signal))).collect()
}

#[track_caller]
fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
}

// ---------------------------------------------------------------- shapes

#[test]
fn the_pair_is_what_other_shapes_are_compared_with() {
    let report = plain();
    let mut found = verdicts(&report);
    found.sort();
    let honest = (1..=4).map(|i| (format!("honest-{i}"), "clean".to_owned()));
    let expected: Vec<_> = std::iter::once(("bad".to_owned(), "block".to_owned())).chain(honest).collect();
    assert_eq!(found, expected);
}

#[test]
fn clicks_alone_are_counted_and_accuse_nobody_of_missing_conversions() {
    let report = folder_of_pair(&["bad"]).report("clicks.csv");
    assert_eq!(report["coverage"]["conversions"], Value::Null);
    assert_eq!(report["coverage"]["clicks"]["used"], 1_260);
    assert!(verdicts(&report).iter().all(|(_, verdict)| verdict == "undecided"), "{:?}", verdicts(&report));
    assert_eq!(value(&report, "bad", "click_count"), 60.0);
    for signal in ["cr", "ctit_p50_s", "conversion_count", "revenue"] {
        assert_eq!(absent(&report, "bad", signal), "no conversions were given", "{signal}");
    }
}

#[test]
fn conversions_alone_are_judged_by_the_click_times_they_carry() {
    let folder = folder_of_pair(&["bad"]);
    let report = folder.report("--conversions conversions.csv --max-spend-share 100%");
    assert_eq!(report["coverage"]["clicks"], Value::Null);
    assert_eq!(report["lists"]["block"]["ids"], serde_json::json!(["bad"]));
    assert_eq!(each(&report, "ctit_p50_s"), each(&plain(), "ctit_p50_s"));
    for signal in ["cr", "click_count", "orphan_share", "cost"] {
        assert_eq!(absent(&report, "bad", signal), "no clicks were given", "{signal}");
    }
}

#[test]
fn a_combined_export_gives_what_its_two_halves_give() {
    let report = Folder::new().with("combined.csv", combined().csv()).report("--combined combined.csv");
    let plain = plain();
    assert_eq!(report["coverage"]["conversion_classes"]["matched"], 160);
    let mut signals = vec!["click_count", "conversion_count", "cr", "roi", "payout", "cost"];
    signals.extend(["ctit_p50_s", "ctit_short_share", "distinct_ip_share"]);
    for signal in signals {
        assert_eq!(each(&report, signal), each(&plain, signal), "{signal}");
    }
    // Conversions without a click cannot stand in such an export: there are none, and that is known.
    assert_eq!(source(&report, "bad")["verdict"], "block");
    assert_eq!(source(&report, "honest-1")["verdict"], source(&plain, "honest-1")["verdict"]);
    assert_eq!(value(&report, "honest-1", "orphan_share"), 0.0);
}

/// The pair as one table: a click's conversion stands in its row.
fn combined() -> Table {
    let (clicks, conversions) = pair(&["bad"]);
    let (id, of) = (clicks.at("click_id"), conversions.at("click_id"));
    let mut both = clicks;
    for name in ["conversion_id", "transaction_id", "event", "conversion_time", "status", "payout"] {
        let at = conversions.at(name);
        both.header.push(name.to_owned());
        for row in &mut both.rows {
            let own = conversions.rows.iter().find(|conversion| conversion[of] == row[id]);
            row.push(own.map_or(String::new(), |conversion| conversion[at].clone()));
        }
    }
    both
}

const AGGREGATED: &str = "the report is aggregated: single rows are not there";

#[test]
fn an_aggregated_report_gives_rates_and_no_times() {
    let mut days = Table::new("day,zone,clicks,conversions,cost,revenue");
    for day in ["2026-03-01", "2026-03-02", "2026-03-03"] {
        days.push(&[day, "z1", "1000", "20", "10.00", "30.00"]);
        days.push(&[day, "z2", "500", "0", "5.00", "0"]);
    }
    let report = Folder::new().with("days.csv", days.csv()).report("--report days.csv");
    close(value(&report, "z1", "click_count"), 3_000.0);
    close(value(&report, "z1", "conversion_count"), 60.0);
    close(value(&report, "z1", "cost"), 30.0);
    // The last day is too young to tell.
    close(value(&report, "z1", "mature_click_count"), 2_000.0);
    close(value(&report, "z1", "cr"), 0.02);
    close(value(&report, "z1", "epc"), 0.03);
    close(value(&report, "z1", "roi"), 2.0);
    close(value(&report, "z2", "cr"), 0.0);
    for signal in ["ctit_p50_s", "ctit_short_share", "hour_spread", "distinct_ip_share"] {
        assert_eq!(absent(&report, "z1", signal), AGGREGATED, "{signal}");
    }
}

// ---------------------------------------------------------------- costs

/// The pair without costs of its own, and `idle`, a source of the first campaign that nobody converts on.
fn with_idle() -> (Table, Table) {
    let (mut clicks, conversions) = pair(&[]);
    for i in 0..150 {
        let (id, ip) = (format!("idle{i}"), format!("10.250.0.{i}"));
        clicks.push(&[&id, &time(i * 2_880 + 7), "idle", "campaign-0", &ip, "0"]);
    }
    (clicks.without("cost"), conversions)
}

/// Days of the pair, and costs by a column on each of them.
fn costs(column: &str, of_a_day: &[(&str, &str)]) -> Table {
    let mut costs = Table::new(&format!("day,{column},cost"));
    for day in 1..=5 {
        of_a_day.iter().for_each(|(key, cost)| costs.push(&[&format!("2026-03-{day:02}"), key, cost]));
    }
    costs
}

fn costed(costs: &Table) -> Value {
    let (clicks, conversions) = with_idle();
    let folder = folder(&clicks, &conversions).with("costs.csv", costs.csv());
    folder.report(&format!("{PAIR} --costs costs.csv"))
}

#[test]
fn costs_by_source_are_exact_and_can_cut_a_source() {
    let of_a_day =
        [("honest-1", "6"), ("honest-2", "6"), ("honest-3", "6"), ("honest-4", "6"), ("idle", "6.01")];
    let report = costed(&costs("source", &of_a_day));
    let sums =
        [("honest-1", 30.0), ("honest-2", 30.0), ("honest-3", 30.0), ("honest-4", 30.0), ("idle", 30.05)];
    assert_eq!(each(&report, "cost"), sums.map(|(name, cost)| (name.to_owned(), cost)));
    assert_eq!(source(&report, "idle")["verdict"], "block");
    assert_eq!(report["lists"]["profit"]["ids"], serde_json::json!(["idle"]));
    assert_eq!(report["lists"]["block"]["ids"], serde_json::json!([]));
}

#[test]
fn costs_by_campaign_are_dealt_out_and_block_nobody() {
    let report = costed(&costs("campaign", &[("campaign-0", "30.01"), ("campaign-1", "0.07")]));
    assert_eq!(report["totals"]["cost"], "150.40");
    let of_campaign: f64 = ["honest-1", "honest-3", "idle"].map(|n| value(&report, n, "cost")).iter().sum();
    close(of_campaign, 150.05);
    // Of the 150 clicks a day in this campaign, 30 are idle's.
    close(value(&report, "idle", "cost"), 30.01);
    let idle = source(&report, "idle");
    assert_eq!(idle["verdict"], "watch");
    let findings = idle["findings"].as_array().expect("the findings");
    let cut = findings.iter().find(|f| f["rule"] == "spend-without-conversions").expect("a profit finding");
    assert_eq!((&cut["action"], &cut["reduced"]), (&"watch".into(), &"allocated cost".into()));
    assert_eq!(report["lists"]["profit"]["ids"], serde_json::json!([]));
}

#[test]
fn costs_of_days_without_clicks_are_told() {
    let mut costs = costs("source", &[("idle", "1")]);
    costs.push(&["2026-03-09", "idle", "7"]);
    let report = costed(&costs);
    assert_eq!(report["totals"]["cost"], "5.00");
    assert!(report["coverage"]["notes"].to_string().contains("7.00 of the cost file"), "{report}");
}

/// Costs of every day with the clicks that were sold, by source.
fn sold(of_a_day: &[(&str, &str)]) -> Table {
    let mut costs = Table::new("day,source,cost,clicks");
    for day in 1..=5 {
        of_a_day.iter().for_each(|(key, n)| costs.push(&[&format!("2026-03-{day:02}"), key, "1", n]));
    }
    costs
}

fn notes(report: &Value) -> String {
    report["coverage"]["notes"].to_string()
}

#[test]
fn what_was_sold_and_never_arrived_is_click_loss() {
    // 30 of idle's 60, and 60 of honest-1's 61 arrive each day; nobody ever came of `ghost`.
    let report = costed(&sold(&[("idle", "60"), ("honest-1", "61"), ("ghost", "500")]));
    close(value(&report, "idle", "click_loss_share"), 0.5);
    close(value(&report, "honest-1", "click_loss_share"), 1.0 / 61.0);
    assert_eq!(
        absent(&report, "honest-2", "click_loss_share"),
        "the group has no bought clicks on whole days"
    );
    assert!(
        notes(&report).contains("2500 bought clicks are of keys that no click ever came of"),
        "{}",
        notes(&report)
    );
    let of_campaign = costed(&{
        let mut costs = Table::new("day,campaign,cost,clicks");
        costs.push(&["2026-03-02", "campaign-0", "1", "500"]);
        costs
    });
    let why = "the cost file counts bought clicks for larger groups than this one";
    assert_eq!(absent(&of_campaign, "idle", "click_loss_share"), why);
    let none = costed(&costs("source", &[("idle", "1")]));
    assert_eq!(absent(&none, "idle", "click_loss_share"), "no cost file says how many clicks were bought");
}

#[test]
fn a_large_click_loss_is_watched() {
    let report = costed(&sold(&[("idle", "200"), ("honest-1", "61")]));
    let fired =
        |name: &str| source(&report, name)["findings"].to_string().contains("bought-clicks-do-not-arrive");
    assert!(fired("idle") && !fired("honest-1"));
}

#[test]
fn a_day_on_which_nothing_arrived_is_lost() {
    let mut costs = sold(&[("honest-1", "60")]);
    let (mut clicks, conversions) = with_idle();
    let (at, of) = (clicks.at("click_time"), clicks.at("source"));
    clicks.rows.retain(|row| row[of] != "honest-1" || !row[at].starts_with("2026-03-03"));
    costs.push(&["2026-03-09", "honest-1", "1", "1000"]);
    let folder = folder(&clicks, &conversions).with("costs.csv", costs.csv());
    let report = folder.report(&format!("{PAIR} --costs costs.csv"));
    // The day after the clicks end says nothing; one of five days is lost whole.
    close(value(&report, "honest-1", "click_loss_share"), 0.2);
}

#[test]
fn money_is_not_judged_past_the_last_complete_cost_day() {
    let all = [("honest-1", "6"), ("honest-2", "6"), ("honest-3", "6"), ("honest-4", "6"), ("idle", "6")];
    let whole = costed(&costs("source", &all));
    let mut short = costs("source", &all);
    short.rows.retain(|row| row[0].as_str() < "2026-03-04");
    let cut = costed(&short);
    for signal in ["cost", "revenue", "cr", "epc"] {
        let (cut, whole) = (value(&cut, "honest-1", signal), value(&whole, "honest-1", signal));
        close(cut, if signal == "cost" { 0.6 * whole } else { whole });
    }
    // With three of five days of costs the ROI is that of three days, not the payout of five over their cost.
    let earned = value(&whole, "honest-1", "revenue");
    let judged = value(&cut, "honest-1", "profit") + 18.0;
    assert!(judged < 0.8 * earned && judged > 0.4 * earned, "{judged} of {earned}");
    let (roi, full) = (value(&cut, "honest-1", "roi"), value(&whole, "honest-1", "roi"));
    assert!((roi - full).abs() < 0.35 * full.abs(), "{roi}, and {full} on all days");
    let told = notes(&cut);
    assert!(told.contains("the costs are complete from 2026-03-01 to 2026-03-03: 540 clicks on other days are left out of ROI and profit"), "{told}");
    assert!(!notes(&whole).contains("left out of ROI"), "{}", notes(&whole));
}

#[test]
fn costs_are_complete_by_traffic_source_and_a_day_that_is_not_over_is_not() {
    let (clicks, conversions) = with_idle();
    let with_network = |mut table: Table| {
        let of = table.at("source");
        table.header.push("traffic_source".to_owned());
        for row in &mut table.rows {
            let network = if row[of] == "idle" { "pop" } else { "push" };
            row.push(network.to_owned());
        }
        table
    };
    let mut costs = Table::new("day,traffic_source,source,cost");
    for day in ["2026-03-01", "2026-03-02", "2026-03-03"] {
        costs.push(&[day, "pop", "idle", "1"]);
        costs.push(&[day, "push", "honest-1", "1"]);
    }
    costs.push(&["2026-03-04", "push", "honest-1", "1"]);
    let folder = folder(&with_network(clicks), &conversions).with("costs.csv", costs.csv());
    let report = folder.report(&format!("{PAIR} --costs costs.csv --as-of 2026-03-04T12:00"));
    let told = notes(&report);
    assert!(
        told.contains("the costs of pop are complete from 2026-03-01 to 2026-03-03: 60 clicks"),
        "{told}"
    );
    assert!(told.contains("the costs of push are complete from 2026-03-01 to 2026-03-03"), "{told}");
    close(value(&report, "honest-1", "cost"), 4.0);
}

// ---------------------------------------------------------------- what others flagged

#[test]
fn what_a_service_flagged_is_a_signal_with_its_reasons() {
    let (clicks, mut conversions) = pair(&["bad"]);
    let of = conversions.at("click_id");
    conversions.header.push("fraud_reason".to_owned());
    let bad = |id: &str| id.starts_with("b0c");
    let mut n = 0;
    for row in &mut conversions.rows {
        let word = match bad(&row[of]) {
            true => {
                n += 1;
                if n % 3 == 0 { "ctit_anomalies" } else { "bots" }
            }
            false => "none",
        };
        row.push(word.to_owned());
    }
    let folder = folder(&clicks, &conversions);
    let report = folder.report(&format!("{PAIR} --pack mobile-cpi"));
    close(value(&report, "honest-1", "fraud_flagged_share"), 0.0);
    close(value(&report, "bad", "fraud_flagged_share"), 1.0);
    let reasons = &source(&report, "bad")["fraud_reasons"];
    assert_eq!(reasons["ctit_anomalies"], n / 3, "{reasons}");
    assert_eq!(reasons["bots"], n - n / 3, "{reasons}");
    assert_eq!(source(&report, "honest-1")["fraud_reasons"], Value::Null);
    let fired = source(&report, "bad")["findings"].to_string();
    assert!(
        fired.contains("installs-flagged-as-fraud") && fired.contains("conversions-flagged-as-fraud"),
        "{fired}"
    );
    let page = folder.run(&format!("explain source bad {PAIR}")).stdout;
    let page = String::from_utf8_lossy(&page).into_owned();
    assert!(page.contains("Flagged by an anti-fraud service: bots ("), "{page}");
    let without = plain();
    assert_eq!(absent(&without, "bad", "fraud_flagged_share"), "no column is mapped to fraud_reason");
}

// ---------------------------------------------------------------- files

#[test]
fn several_files_and_a_pattern_are_one_input() {
    let (clicks, conversions) = pair(&["bad"]);
    let folder = Folder::new()
        .with("first.csv", clicks.part(0, 500).csv())
        .with("part-a.csv", clicks.part(500, 900).csv())
        .with("part-b.csv", clicks.part(900, 2_000).csv())
        .with("v1.csv", conversions.part(0, 70).csv())
        .with("v2.csv", conversions.part(70, 2_000).csv());
    let report = folder.report("--clicks first.csv --clicks part-*.csv --conversions v?.csv");
    assert_eq!(report["run"]["inputs"].as_array().map(Vec::len), Some(5));
    same(&report, &plain());
}

#[test]
fn packed_text_is_text() {
    let (clicks, conversions) = pair(&["bad"]);
    let gzip = gzipped(&clicks);
    let zstd = zstd::encode_all(conversions.csv().as_bytes(), 1).expect("memory takes everything");
    let folder = Folder::new().with("clicks.csv.gz", gzip).with("conversions", zstd);
    same(&folder.report("clicks.csv.gz conversions"), &plain());
}

#[test]
fn parquet_is_read_like_text() {
    let (clicks, conversions) = pair(&["bad"]);
    let folder = Folder::new();
    for (table, name) in [(&clicks, "clicks.parquet"), (&conversions, "conversions.parquet")] {
        write_parquet(table, &folder.path(name));
    }
    same(&folder.report("clicks.parquet conversions.parquet"), &plain());
    let mixed = folder.with("conversions.csv", conversions.csv());
    same(&mixed.report("clicks.parquet conversions.csv"), &plain());
}

/// The table as one JSON object a line: amounts as numbers, campaign and address inside other objects, no
/// key for what is empty, an array that nobody asked for.
fn ndjson(table: &Table) -> Vec<u8> {
    let mut text = String::new();
    for row in &table.rows {
        let mut object = serde_json::json!({"tags": ["a", {"b": 1}], "context": {"page": null}});
        for (name, value) in table.header.iter().zip(row).filter(|(_, value)| !value.is_empty()) {
            match name.as_str() {
                "cost" | "payout" => object[name] = value.parse::<f64>().expect("an amount").into(),
                "ip" => object["context"]["visitor"]["ip"] = value.as_str().into(),
                "campaign" => object["context"]["campaign"] = value.as_str().into(),
                _ => object[name] = value.as_str().into(),
            }
        }
        text.push_str(&format!("{object}\n"));
    }
    text.into_bytes()
}

/// Where the nested values of [`ndjson`] stand.
const NESTED: &str = "clicks: {columns: {ip: context.visitor.ip, campaign: context.campaign}}\n";

#[test]
fn ndjson_is_read_like_text() {
    let (clicks, conversions) = pair(&["bad"]);
    let folder = Folder::new().with("clicks", ndjson(&clicks)).with("conversions", ndjson(&conversions));
    let folder = folder.with("map.yaml", NESTED);
    same(&folder.report("clicks conversions --map map.yaml"), &plain());
    let packed = zstd::encode_all(&ndjson(&clicks)[..], 1).expect("memory takes everything");
    let folder = folder.with("packed", packed).with("conversions.csv", conversions.csv());
    same(&folder.report("packed conversions.csv --map map.yaml"), &plain());
}

/// Objects name their fields each for itself: a key that comes first in the last line of a long file counts.
#[test]
fn keys_that_come_late_are_not_lost() {
    let (clicks, conversions) = pair(&["bad"]);
    let filler = clicks.clone().map("click_id", |_| "x".repeat(12_000)).without("ip").without("campaign");
    let early = filler.clone().only("source", |s| s == "honest-1").map("source", |_| "early".to_owned());
    let bytes = |table: &Table| ndjson(table);
    let all: Vec<Vec<u8>> = (0..4).map(|_| bytes(&early)).chain(std::iter::once(bytes(&clicks))).collect();
    assert!(all[..4].concat().len() > 13 << 20, "the first keys must be out of sight of the last");
    let folder = Folder::new().with("clicks", all.concat()).with("conversions.csv", conversions.csv());
    let report =
        folder.with("map.yaml", NESTED).report("clicks conversions.csv --map map.yaml --by campaign");
    let campaigns: Vec<&Value> =
        report["sources"].as_array().expect("the groups").iter().map(|g| &g["key"]["campaign"]).collect();
    assert!(campaigns.contains(&&Value::from("campaign-2")), "{campaigns:?}");
}

#[test]
fn what_is_piped_in_is_read_like_a_file() {
    let (clicks, conversions) = pair(&["bad"]);
    let folder = folder_of_pair(&["bad"]).with("map.yaml", NESTED);
    write_parquet(&clicks, &folder.path("clicks.parquet"));
    let piped = |arguments: &str, bytes: &[u8]| {
        folder.piped(&format!("audit {arguments} -o json=-"), bytes).exits(0).json()
    };
    let parquet = std::fs::read(folder.path("clicks.parquet")).expect("the file");
    same(&piped("- conversions.csv", clicks.csv().as_bytes()), &plain());
    same(&piped("--clicks - --conversions conversions.csv", &parquet), &plain());
    same(&piped("clicks.csv -", &gzipped(&conversions)), &plain());
    let report = piped("--clicks - --conversions conversions.csv --map map.yaml", &ndjson(&clicks));
    same(&report, &plain());
    assert_eq!(report["run"]["inputs"][0]["path"], "-");
}

#[test]
fn stdin_is_one_input() {
    let folder = folder_of_pair(&["bad"]);
    folder.piped("audit - -", b"").exits(2).says(&["stdin can be only one input", "name a file"]);
    folder.piped("audit - conversions.csv", b"").exits(3).says(&["stdin is empty"]);
    let half = &gzipped(&pair(&["bad"]).0)[..400];
    folder.piped("audit - conversions.csv", half).exits(3).says(&["stdin is damaged or cut off"]);
}

fn gzipped(table: &Table) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(table.csv().as_bytes()).expect("memory takes everything");
    gzip.finish().expect("memory takes everything")
}

/// The table with timestamps and numbers where its columns hold such.
pub fn write_parquet(table: &Table, path: &std::path::Path) {
    use polars::prelude::*;
    let column = |(at, name): (usize, &String)| {
        let texts = || table.rows.iter().map(|row| row[at].as_str());
        let name = PlSmallStr::from_str(name);
        let series = match name.as_str() {
            "cost" | "payout" => {
                let numbers = texts().map(|t| t.parse::<f64>().expect("an amount"));
                Series::new(name, numbers.collect::<Vec<f64>>())
            }
            time if time.ends_with("_time") => Series::new(name, texts().map(micros).collect::<Vec<i64>>())
                .cast(&DataType::Datetime(TimeUnit::Microseconds, None))
                .expect("whole numbers are times"),
            _ => Series::new(name, texts().collect::<Vec<&str>>()),
        };
        series.into_column()
    };
    let columns: Vec<Column> = table.header.iter().enumerate().map(column).collect();
    let mut frame = DataFrame::new(table.rows.len(), columns).expect("columns of one length");
    let file = std::fs::File::create(path).expect("a file in the folder");
    ParquetWriter::new(file).finish(&mut frame).expect("a Parquet file");
}

/// A time of the pair, `2026-03-DD HH:MM:SS`, in microseconds since 1970.
fn micros(text: &str) -> i64 {
    const MARCH_2026: i64 = 1_772_323_200;
    let number = |from: usize| text[from..from + 2].parse::<i64>().expect("two digits");
    let second = (number(8) - 1) * 86_400 + number(11) * 3_600 + number(14) * 60 + number(17);
    (MARCH_2026 + second) * 1_000_000
}

// ---------------------------------------------------------------- mappings

#[test]
fn a_mapping_says_separator_decimal_mark_time_format_and_zone() {
    let (clicks, conversions) = pair(&["bad"]);
    // `2026-03-05 23:10:00` in UTC, as Berlin writes it in winter.
    let local = |text: &str| {
        let berlin = time(((micros(text) / 1_000_000 - micros(&time(0)) / 1_000_000) + 3_600) as usize);
        format!("{}.{}.{}{}", &berlin[8..10], &berlin[5..7], &berlin[..4], &berlin[10..])
    };
    let clicks = clicks.map("click_time", local).map("cost", |cost| cost.replace('.', ","));
    let conversions = conversions
        .map("click_time", local)
        .map("conversion_time", local)
        .map("payout", |payout| payout.replace('.', ","));
    let map = "delimiter: ';'\ndecimal: ','\ntime_zone: Europe/Berlin\ntime_format: '%d.%m.%Y %H:%M:%S'\n";
    let folder = Folder::new()
        .with("clicks.csv", clicks.text(b';'))
        .with("conversions.csv", conversions.text(b';'))
        .with("map.yaml", map);
    same(&folder.report(&format!("{PAIR} --map map.yaml")), &plain());
}

#[test]
fn a_mapping_says_where_the_click_id_stands() {
    let (clicks, conversions) = pair(&["bad"]);
    let folder = folder(&clicks.renamed("click_id", "visit"), &conversions.renamed("click_id", "subid"))
        .with("map.yaml", "join: conversions.subid = clicks.visit\n");
    same(&folder.report(&format!("{PAIR} --map map.yaml")), &plain());
}

#[test]
fn a_status_can_be_the_event() {
    let (clicks, conversions) = pair(&["bad"]);
    let words = |word: &str| if word == "approved" { "lead".to_owned() } else { word.to_owned() };
    let folder = folder(&clicks, &conversions.without("event").map("status", words));
    let as_status = folder.report(PAIR);
    assert_eq!(value(&as_status, "bad", "pending_count"), 40.0);
    assert_eq!(as_status["run"]["parameters"]["main_event"], "conversion");
    let folder = folder.with("map.yaml", "status_means: event\n");
    let as_event = folder.report(&format!("{PAIR} --map map.yaml"));
    assert_eq!(value(&as_event, "bad", "pending_count"), 0.0);
    assert_eq!(value(&as_event, "bad", "approved_count"), 40.0);
    same(&as_event, &plain());
}

#[test]
fn only_the_declared_hit_type_is_a_click() {
    let (clicks, conversions) = pair(&["bad"]);
    let mut hits = clicks.column("hit_type", |_| "visit".to_owned());
    let seen: Vec<Vec<String>> = hits.rows.iter().step_by(2).cloned().collect();
    for mut impression in seen {
        impression[0].push_str("-seen");
        *impression.last_mut().expect("the new column") = "impression".to_owned();
        hits.rows.push(impression);
    }
    let folder = folder(&hits, &conversions).with("map.yaml", "hit_type: visit\n");
    let report = folder.report(&format!("{PAIR} --map map.yaml"));
    assert_eq!(each(&report, "click_count"), each(&plain(), "click_count"));
    assert_eq!(each(&report, "cr"), each(&plain(), "cr"));
    let notes = report["coverage"]["notes"].to_string();
    assert!(notes.contains("630 click rows are of another hit type"), "{notes}");
    assert_eq!(report["totals"]["clicks"], 1_260);
}

#[test]
fn a_record_may_span_lines_only_where_the_mapping_says_so() {
    let (clicks, conversions) = pair(&["bad"]);
    let clicks =
        clicks.map("campaign", |name| if name.ends_with('0') { name.into() } else { format!("{name}\n2") });
    let folder = folder(&clicks, &conversions).with("map.yaml", "clicks: {multiline: true}\n");
    same(&folder.report(&format!("{PAIR} --map map.yaml")), &plain());
    let run = folder.run(&format!("audit {PAIR} -o json=-")).exits(3);
    let rejected = &run.json()["coverage"]["clicks"]["rejected"];
    assert!(rejected.as_object().is_some_and(|reasons| !reasons.is_empty()), "{rejected}");
}

// ---------------------------------------------------------------- currencies

/// The pair with clicks in dollars, and every conversion of the bad source in euros.
fn two_currencies() -> Folder {
    let (clicks, conversions) = pair(&["bad"]);
    let bad: Vec<bool> = conversions.rows.iter().map(|row| row[2].starts_with('b')).collect();
    let conversions = conversions.column("currency", |i| if bad[i] { "EUR" } else { "USD" }.to_owned());
    folder(&clicks.column("currency", |_| "USD".to_owned()), &conversions)
}

#[test]
fn two_currencies_without_a_rate_are_refused() {
    let run = two_currencies().run(&format!("audit {PAIR} -o json=-")).exits(3);
    let run = run.says(&["several currencies: EUR, USD", "--currency", "rates:"]);
    assert!(run.stdout.is_empty());
}

#[test]
fn rates_bring_amounts_into_one_currency() {
    let folder = two_currencies().with("map.yaml", "currency: USD\nrates: {EUR: '1.10'}\n");
    let report = folder.report(&format!("{PAIR} --map map.yaml"));
    assert_eq!(report["run"]["currency"], "USD");
    close(value(&report, "bad", "payout"), 40.0 * 1.5 * 1.1);
    close(value(&report, "honest-1", "payout"), 30.0 * 1.5);
    assert_eq!(report["totals"]["payout"], "246.00");
}

#[test]
fn an_amount_without_a_rate_is_a_rejected_row() {
    let report = two_currencies().report(&format!("{PAIR} --currency USD"));
    let conversions = &report["coverage"]["conversions"];
    assert_eq!(conversions["rejected"], serde_json::json!({ "currency_without_rate": 40 }));
    assert_eq!((&conversions["read"], &conversions["used"]), (&160.into(), &120.into()));
}
