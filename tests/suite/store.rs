//! The store of nightly runs: what it remembers, what it lets go of, and that it changes nothing about verdicts.

use crate::runs::{Folder, Run, Table, pair};
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

/// The days of the sample.
const DAYS: [&str; 14] = [
    "2026-03-02",
    "2026-03-03",
    "2026-03-04",
    "2026-03-05",
    "2026-03-06",
    "2026-03-07",
    "2026-03-08",
    "2026-03-09",
    "2026-03-10",
    "2026-03-11",
    "2026-03-12",
    "2026-03-13",
    "2026-03-14",
    "2026-03-15",
];

/// The sample as daily exports that overlap: a night's file has the last hours of the day before once more, and
/// what was approved or rejected stood as pending in the file of its own day.
fn nightly(clicks: &Table, conversions: &Table) -> Folder {
    let mut folder = Folder::new();
    let (clicked, converted) = (clicks.at("click_time"), conversions.at("conversion_time"));
    let (status, told) = (conversions.at("status"), conversions.at("status_time"));
    for (i, day) in DAYS.iter().enumerate() {
        let before = i.checked_sub(1).map(|i| DAYS[i]);
        let late = |time: &str| before.is_some_and(|b| time.starts_with(b)) && &time[11..13] >= "22";
        let mut file = clicks.part(0, 0);
        let rows = clicks.rows.iter().filter(|r| r[clicked].starts_with(day) || late(&r[clicked]));
        file.rows = rows.cloned().collect();
        folder = folder.with(&format!("clicks-{day}.csv"), file.csv());
        let mut file = conversions.part(0, 0);
        for row in &conversions.rows {
            if row[converted].starts_with(day) {
                let mut first = row.clone();
                (first[status], first[told]) = ("pending".to_owned(), row[converted].clone());
                file.rows.push(first);
            }
            let last = i + 1 == DAYS.len() && row[converted].starts_with(day);
            if last || before.is_some_and(|b| row[converted].starts_with(b)) {
                file.rows.push(row.clone());
            }
        }
        folder = folder.with(&format!("conversions-{day}.csv"), file.csv());
    }
    folder
}

fn sample() -> (Table, Table) {
    (Table::of_sample("clicks.csv"), Table::of_sample("conversions.csv"))
}

/// The run of one night over the exports of that night.
fn night(folder: &Folder, day: &str, more: &str) -> Run {
    folder.run(&format!(
        "audit --clicks clicks-{day}.csv --conversions conversions-{day}.csv --no-history --store st -o json=report.json {more}"
    ))
}

/// A report without what a run tells of itself.
fn judged(mut report: Value) -> Value {
    report["coverage"]["notes"] = Value::Null;
    report
}

fn notes(report: &Value) -> String {
    report["coverage"]["notes"].to_string()
}

#[test]
fn nights_come_to_what_one_audit_says() {
    let (clicks, conversions) = sample();
    let folder = nightly(&clicks, &conversions);
    for (i, day) in DAYS.iter().enumerate() {
        night(&folder, day, if i % 2 == 0 { "--threads 1" } else { "--threads 3" }).exits(0);
    }
    let nights = folder.json("report.json");
    assert!(notes(&nights).contains("its rows are of 28 exports; 2 were read for the first time"));
    let once = folder.report("--clicks clicks-*.csv --conversions conversions-*.csv");
    assert_eq!(judged(nights), judged(once));
}

#[test]
fn a_window_comes_to_an_audit_of_its_rows() {
    let first = DAYS[9];
    let (clicks, conversions) = sample();
    let known = conversions.only("click_time", |time| time >= first);
    let folder = nightly(&clicks, &known);
    let once = folder
        .run("audit --clicks clicks-*.csv --conversions conversions-*.csv --no-history --store st --window 5d -o json=report.json");
    once.exits(0);
    let window = folder.json("report.json");
    let only = |table: &Table, col: &str| table.clone().only(col, |time| time >= first).csv();
    let plain = Folder::new()
        .with("clicks.csv", only(&clicks, "click_time"))
        .with("conversions.csv", only(&known, "conversion_time"));
    let plain = plain.report("clicks.csv conversions.csv");
    assert_eq!(window["sources"], plain["sources"]);
    assert_eq!(window["run"]["window"], plain["run"]["window"]);
    assert!(notes(&window).contains("lie outside the window"), "{}", notes(&window));
}

#[test]
fn what_was_read_is_not_read_again() {
    let folder = Folder::of_sample();
    let run = || {
        folder.run("audit clicks.csv conversions.csv --no-history --store st -o json=report.json").exits(0)
    };
    run();
    let (first, manifest) = (folder.json("report.json"), folder.text("st/manifest.json"));
    fs::copy(folder.path("clicks.csv"), folder.path("again.csv")).expect("a copy");
    fs::remove_file(folder.path("clicks.csv")).expect("the export goes");
    folder
        .run("audit --clicks again.csv --conversions conversions.csv --no-history --store st -o json=report.json")
        .exits(0);
    let again = folder.json("report.json");
    assert!(notes(&again).contains("0 were read for the first time"), "{}", notes(&again));
    assert_eq!(again["sources"], first["sources"]);
    folder.run("audit --no-history --store st -o json=report.json").exits(0);
    assert_eq!(judged(folder.json("report.json")), judged(first));
    assert_eq!(folder.text("st/manifest.json"), manifest);
}

#[test]
fn two_files_of_the_same_bytes_count_once() {
    let folder = Folder::of_sample();
    fs::copy(folder.path("clicks.csv"), folder.path("copy.csv")).expect("a copy");
    let arguments = "--clicks clicks.csv --clicks copy.csv --conversions conversions.csv";
    let stored = folder.report(&format!("{arguments} --no-history --store st"));
    assert_eq!(judged(stored), judged(folder.report(arguments)));
}

#[test]
fn every_kind_of_export_comes_back_as_it_was() {
    let folder = Folder::of_sample();
    folder.run("simulate mix --mix reference --sources 60 --days 3 --format parquet --seed 5").exits(0);
    let files: Vec<String> = fs::read_dir(folder.path("mix"))
        .expect("the mix")
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    assert!(files.iter().any(|f| f == "clicks.parquet"), "{files:?}");
    let log = "203.0.113.9 - - [02/Mar/2026:10:00:00 +0000] \"GET /postback?click_id=c1&event=lead&payout=2&txid=7 HTTP/1.1\" 200 2 \"-\" \"curl\"\n";
    let clicks = "click_id,click_time,source\nc1,2026-03-02 09:00:00,a\nc2,2026-03-02 09:30:00,a\n";
    let json = "{\"click_id\":\"c1\",\"click_time\":\"2026-03-02 09:00:00\",\"source\":\"a\",\"cost\":0.1}\n";
    let both = "click_id,click_time,conversion_time,source,payout\nc1,2026-03-02 09:00:00,2026-03-02 09:05:00,a,2\nc2,2026-03-02 09:00:00,,a,\n";
    let report = "day,source,clicks,conversions,cost\n2026-03-02,a,100,3,1.5\n2026-03-03,a,90,2,1.4\n";
    let costs = "day,campaign,cost\n2026-03-02,x,4\n";
    let folder = folder
        .with("access.log", log)
        .with("c.csv", clicks)
        .with("c.ndjson", json)
        .with("both.csv", both)
        .with("report.csv", report)
        .with("costs.csv", costs);
    for arguments in [
        "mix/clicks.parquet mix/conversions.parquet",
        "--clicks c.csv --postbacks access.log",
        "--clicks c.ndjson",
        "--combined both.csv",
        "--report report.csv",
        "clicks.csv conversions.csv --costs costs.csv --by source,campaign",
        "clicks.csv conversions.csv --currency EUR --rates rates.csv",
    ] {
        let _ = fs::remove_dir_all(folder.path("st"));
        fs::write(folder.path("rates.csv"), "date,currency,rate\n2026-03-01,USD,0.9\n2026-03-08,USD,0.92\n")
            .expect("rates");
        let plain = folder.run(&format!("audit {arguments} -o json=-"));
        folder.run(&format!("audit {arguments} --no-history --store st -q"));
        let again = folder.run(&format!("audit {arguments} --no-history --store st -o json=-"));
        assert_eq!(again.code, plain.code, "{arguments}: {}", again.stderr);
        let again = again.json();
        assert!(notes(&again).contains("; 0 were read"), "{arguments}: {}", notes(&again));
        assert_eq!(judged(again), judged(plain.json()), "{arguments}");
    }
}

#[test]
fn rows_that_another_mapping_read_are_not_mixed_with_others() {
    let folder = Folder::of_sample().with("map.yaml", "time_zone: Europe/Berlin\n");
    folder.run("audit clicks.csv conversions.csv --no-history --store st -q").exits(0);
    folder
        .run("audit --no-history --store st --map map.yaml -q")
        .exits(2)
        .says(&["read with another mapping", "name these"]);
    let read = folder.report("clicks.csv conversions.csv --no-history --store st --map map.yaml");
    assert!(notes(&read).contains("2 were read for the first time"), "{}", notes(&read));
    assert_eq!(folder.json("st/manifest.json")["kept"].as_array().map(Vec::len), Some(2));
    folder.run("store verify --store st").exits(0).says(&["6 files are as they were written"]);
    // What only says how rows are meant needs no second reading.
    let folder = folder.with("meant.yaml", "time_zone: Europe/Berlin\nstatuses: {approved: rejected}\n");
    let meant = folder.report("--no-history --store st --map meant.yaml");
    assert!(notes(&meant).contains("; 0 were read"), "{}", notes(&meant));
    assert_ne!(meant["sources"], read["sources"]);
}

/// A report that tells nothing of the click but its ID.
fn bare(conversions: Table) -> Table {
    ["click_time", "traffic_source", "source", "campaign", "country", "ip"]
        .into_iter()
        .fold(conversions, Table::without)
}

#[test]
fn conversions_of_clicks_before_the_window_keep_their_source() {
    let (clicks, conversions) = sample();
    let folder = nightly(&clicks, &bare(conversions));
    let all = "--clicks clicks-*.csv --conversions conversions-*.csv --no-history --store st";
    let whole = folder.report(all);
    let window = folder.report("--no-history --store st --window 3d");
    let class = |report: &Value, name: &str| report["coverage"]["conversion_classes"][name].as_u64();
    let older = class(&window, "older_click").expect("conversions of older clicks");
    assert!(older > 20, "{older}");
    assert_eq!(class(&whole, "older_click"), None);
    assert!(notes(&window).contains("they keep their source and have no CTIT"), "{}", notes(&window));
    let recent = |table: Table, col: &str| table.only(col, |time| time >= DAYS[11]).csv();
    let alone = Folder::new()
        .with("clicks.csv", recent(clicks, "click_time"))
        .with("conversions.csv", recent(bare(Table::of_sample("conversions.csv")), "conversion_time"));
    let alone = alone.report("clicks.csv conversions.csv");
    let outside = class(&window, "outside_span").expect("conversions of nobody's clicks");
    assert_eq!(class(&alone, "outside_span"), Some(older + outside), "an index knows whose they are");
    assert_eq!(class(&alone, "orphan"), class(&window, "orphan"));
    // The index outlives the rows.
    folder.run("store prune --store st --older-than 3d").exits(0).says(&["exports and the index of 0"]);
    let pruned = folder.report("--no-history --store st --window 3d");
    assert_eq!(class(&pruned, "older_click"), Some(older));
    assert_eq!(judged(pruned)["sources"], judged(window)["sources"]);
}

#[test]
fn pruned_rows_are_not_read_again_unless_the_window_needs_them() {
    let (clicks, conversions) = sample();
    let folder = nightly(&clicks, &conversions);
    let all = "--clicks clicks-*.csv --conversions conversions-*.csv --no-history --store st";
    let before = folder.report(&format!("{all} --window 4d"));
    folder.run("store prune --store st --older-than 5d").exits(0);
    let status = folder.run("store status --store st --format json").exits(0).json();
    assert!(status["sides"]["clicks"]["pruned_exports"].as_u64() > Some(5), "{status}");
    let after = folder.report(&format!("{all} --window 4d"));
    assert!(notes(&after).contains("; 0 were read"), "{}", notes(&after));
    assert_eq!(after["sources"], before["sources"]);
    let short = folder.report("--no-history --store st --window 14d");
    assert!(notes(&short).contains("pruned from the store: name them again"), "{}", notes(&short));
    let long = folder.report(&format!("{all} --window 14d"));
    let once = folder.report("--clicks clicks-*.csv --conversions conversions-*.csv");
    assert_eq!(judged(long), judged(once));
}

#[test]
fn a_person_is_forgotten() {
    let folder = Folder::of_sample();
    folder.run("audit clicks.csv conversions.csv --no-history --store st -q").exits(0);
    let clicks = Table::of_sample("clicks.csv");
    let (ip, id) = (clicks.rows[7][clicks.at("ip")].clone(), clicks.rows[9][clicks.at("click_id")].clone());
    let theirs = clicks.rows.iter().filter(|row| row[clicks.at("ip")] == ip).count();
    let converted = Table::of_sample("conversions.csv").only("ip", |found| found == ip).rows.len();
    let said = format!("removed {} rows", theirs + converted);
    folder.run(&format!("store forget --store st --ip {ip}")).exits(0).says(&[&said]);
    folder.run(&format!("store forget --store st --id {id}")).exits(0).says(&["removed 1 rows from 1 files"]);
    folder.run(&format!("store forget --store st --ip {ip}")).exits(0).says(&["removed 0 rows from 0 files"]);
    folder.run("store verify --store st").exits(0);
    let read = folder.report("--no-history --store st")["coverage"]["clicks"]["read"].as_u64();
    assert_eq!(read, Some((clicks.rows.len() - theirs - 1) as u64));
    let again = folder.report("clicks.csv conversions.csv --no-history --store st");
    assert_eq!(again["coverage"]["clicks"]["read"].as_u64(), read, "the same file does not bring them back");
    let status = folder.run("store status --store st --format json").exits(0).json();
    assert_eq!(status["sides"]["clicks"]["forgotten"], json!(theirs + 1));
    folder.run("store forget --store st").exits(2);
}

#[test]
fn a_damaged_store_is_found_and_not_judged_by() {
    let folder = Folder::of_sample();
    folder.run("audit clicks.csv conversions.csv --no-history --store st -q").exits(0);
    let manifest = folder.json("st/manifest.json");
    let name = manifest["kept"][0]["intake"]["name"].as_str().expect("a file").to_owned();
    let path = folder.path("st").join(&name);
    let mut bytes = fs::read(&path).expect("the file");
    bytes[100] ^= 1;
    fs::write(&path, &bytes).expect("written");
    folder.run("store verify --store st").exits(3).says(&[&name, "has other bytes", "1 of 6 files"]);
    fs::remove_file(&path).expect("removed");
    folder.run("store verify --store st").exits(3).says(&["is missing"]);
    folder.run("audit --no-history --store st").exits(3).says(&[&name]);
    let folder = folder.with("st/manifest.json", "{\"version\": 1, \"kept\": [");
    folder.run("audit --no-history --store st").exits(3).says(&["is no manifest"]);
    let folder = folder.with("st/VERSION", "clickaudit store 2\n");
    folder.run("audit --no-history --store st").exits(2).says(&["version 2", "knows version 1"]);
    folder.run("store status --store nowhere --no-config").exits(2).says(&["there is no store in nowhere"]);
    folder.run("store status --no-config").exits(2).says(&["no store is named"]);
}

#[test]
fn a_lost_file_comes_back_with_its_export() {
    let folder = Folder::of_sample();
    let run = "audit clicks.csv conversions.csv --no-history --store st";
    folder.run(&format!("{run} -q")).exits(0);
    let once = judged(folder.report("--no-history --store st"));
    let clicks = Table::of_sample("clicks.csv");
    let name = |side: &str, what: &str| {
        let manifest = folder.json("st/manifest.json");
        let kept = manifest["kept"].as_array().expect("exports").iter().find(|k| k["shape"] == side);
        kept.and_then(|k| k[what]["name"].as_str()).expect("a file").to_owned()
    };
    for (side, what, cut) in
        [("clicks", "intake", false), ("conversions", "intake", true), ("clicks", "index", false)]
    {
        let name = name(side, what);
        let (path, bytes) =
            (folder.path("st").join(&name), fs::read(folder.path("st").join(&name)).expect("it is"));
        if cut { fs::write(&path, &bytes[..99]) } else { fs::remove_file(&path) }.expect("changed");
        if what == "intake" {
            let help = format!("name {side}.csv again: it is read anew; or restore");
            folder.run("audit --no-history --store st").exits(3).says(&[&name, "it is not there", &help]);
        }
        folder.run("store verify --store st").exits(3).says(&[
            &name,
            "1 of 6 files are damaged",
            "name their exports",
        ]);
        let healed = folder.report(&format!("{} --no-history --store st", "clicks.csv conversions.csv"));
        assert!(notes(&healed).contains("1 were read for the first time"), "{}", notes(&healed));
        assert_eq!(judged(healed), once, "{side} {what}");
        assert_eq!(fs::read(&path).expect("it is back"), bytes);
        folder.run("store verify --store st").exits(0).says(&["6 files are as they were written"]);
    }
    // Who was forgotten does not come back that way.
    folder.run(&format!("store forget --store st --ip {}", clicks.rows[7][clicks.at("ip")])).exits(0);
    fs::remove_file(folder.path("st").join(name("clicks", "intake"))).expect("removed");
    folder.run(run).exits(3).says(&["rows of clicks.csv were forgotten, so that it is not read anew"]);
}

/// The length of every file below a folder.
fn bytes_of(path: &std::path::Path) -> u64 {
    let entries = fs::read_dir(path).expect("a folder").flatten().map(|entry| entry.path());
    entries
        .map(|path| if path.is_dir() { bytes_of(&path) } else { fs::metadata(&path).expect("a file").len() })
        .sum()
}

#[test]
fn the_size_of_a_store_is_that_of_all_its_files() {
    let packed = zstd::encode_all(Table::of_sample("conversions.csv").csv().as_bytes(), 1).expect("packed");
    let folder = Folder::of_sample().with("conversions.zst", &packed);
    let clicks = fs::metadata(folder.path("clicks.csv")).expect("a file").len();
    for by in ["source", "source,campaign"] {
        let run = "audit clicks.csv --conversions conversions.zst --store st -q --as-of";
        folder.run(&format!("{run} 2026-03-15 --by {by}")).exits(0);
        folder.run(&format!("{run} 2026-03-16 --by {by}")).exits(0);
    }
    folder.run("pin 2977431 --as ok --until 2026-03-20 --reason x --store st").exits(0);
    let status = folder.run("store status --store st --format json").exits(0).json();
    assert_eq!(status["bytes"], json!(bytes_of(&folder.path("st"))), "{status}");
    assert_eq!(status["export_bytes"], json!(clicks + packed.len() as u64));
    assert_eq!(status["export_bytes_by_packing"], json!({"plain": clicks, "zstd": packed.len()}));
    let (runs, nights) = (&status["runs"], json!({"first": "2026-03-14", "last": "2026-03-15"}));
    assert_eq!((&runs["records"], &runs["groupings"], &runs["nights"]), (&json!(4), &json!(2), &nights));
    let text = folder.run("store status --store st").exits(0).text();
    assert!(text.contains("runs         4 records of nights, 2026-03-14 to 2026-03-15, "), "{text}");
    let last = text.lines().last().expect("a total");
    assert!(
        last.starts_with("total        ") && last.contains(" beside ") && last.ends_with(" zstd)"),
        "{text}"
    );
}

/// The files of what was counted, in order.
fn counted(folder: &Folder) -> Vec<std::path::PathBuf> {
    let files = fs::read_dir(folder.path("st/measures")).expect("the folder").flatten();
    let mut files: Vec<std::path::PathBuf> = files.map(|entry| entry.path()).collect();
    files.sort();
    files
}

/// What a night with a store says it spent is of one of three kinds.
fn every_cost_has_its_kind(said: &str) {
    let line = said.lines().find(|line| line.starts_with("{\"timings\"")).expect("timings");
    let told: Value = serde_json::from_str(line).expect("JSON");
    let stages = told["timings"].as_array().expect("stages");
    let steps: Vec<&str> = stages[3]["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .filter_map(|step| step["step"].as_str())
        .collect();
    assert_eq!(steps, ["repeats", "counting", "merging", "cuts", "log", "conversions", "groups"]);
    let wall = |value: &Value| value["wall_s"].as_f64().expect("seconds");
    let by_kind: f64 = told["totals"].as_object().expect("totals").values().map(wall).sum();
    assert!((by_kind - stages.iter().map(wall).sum::<f64>()).abs() < 1e-6, "{told}");
}

#[test]
fn what_was_counted_heals_and_goes_with_its_rows() {
    let (clicks, conversions) = sample();
    let folder = nightly(&clicks, &conversions);
    for day in &DAYS[..4] {
        night(&folder, day, "").exits(0);
    }
    let once = judged(folder.json("report.json"));
    let before = counted(&folder);
    assert_eq!(before.len(), 4 * 3);
    let again = || judged(folder.report("--no-history --store st"));
    let same = |report: Value| {
        assert_eq!((&report["sources"], &report["totals"]), (&once["sources"], &once["totals"]))
    };
    same(again());
    assert_eq!(counted(&folder), before, "what is known is not counted again");
    fs::write(&before[0], "no Parquet").expect("written");
    fs::remove_file(&before[1]).expect("removed");
    let told = ["the next night counts it anew", "has another length", "is missing", "22 files are as"];
    folder.run("store verify --store st").exits(0).says(&told);
    same(again());
    assert_eq!(counted(&folder), before, "the same rows come to the same bytes");
    every_cost_has_its_kind(&folder.run("audit --no-history --store st -q --timings=json").exits(0).stderr);
    folder.run("store verify --store st").exits(0).says(&["24 files are as they were written"]);
    let ip = &clicks.rows[7][clicks.at("ip")];
    folder.run(&format!("store forget --store st --ip {ip}")).exits(0);
    assert!(counted(&folder).len() < before.len(), "what was counted of a forgotten row is gone");
    again();
    assert_eq!(counted(&folder).len(), before.len());
    folder.run("store prune --store st --older-than 1d").exits(0);
    assert!(counted(&folder).len() < before.len(), "what was counted of pruned rows is gone");
    folder.run("store verify --store st").exits(0);
}

#[test]
fn faulty_exports_do_not_enter_the_store() {
    let folder = Folder::of_sample();
    folder.run("audit clicks.csv conversions.csv --no-history --store st -q").exits(0);
    let manifest = folder.text("st/manifest.json");
    let text = folder.text("conversions.csv");
    let folder = folder.with("cut.csv", &text[..text.len() - 9]);
    folder.run("audit --conversions cut.csv --no-history --store st").exits(3).says(&["gate cut-off-file"]);
    assert_eq!(folder.text("st/manifest.json"), manifest);
    folder.run("audit --no-history --store st").exits(0);
    let bare = Table::of_sample("clicks.csv").without("cost");
    let folder = folder.with("bare.csv", bare.csv());
    folder
        .run("audit --clicks bare.csv --no-history --store st")
        .exits(3)
        .says(&["gate schema", "no column for cost"]);
    assert_eq!(folder.text("st/manifest.json"), manifest);
    let accepted = folder
        .run("audit --clicks bare.csv --no-history --store st --accept schema -o json=-")
        .exits(0)
        .json();
    assert!(notes(&accepted).contains("gate schema, accepted: "), "{}", notes(&accepted));
    assert_ne!(folder.text("st/manifest.json"), manifest);
    folder
        .run("audit --no-history --store st --accept schemas")
        .exits(2)
        .says(&["`schemas` is no gate", "schema"]);
    let (clicks, conversions) = sample();
    let (mut one, none) = (clicks.part(0, 40), conversions.part(0, 0));
    let at = one.at("click_time");
    one.rows.iter_mut().for_each(|row| row[at] = "2026-03-16 00:10:00".to_owned());
    let folder = folder.with("one.csv", one.csv()).with("none.csv", none.csv());
    folder
        .run("audit one.csv none.csv --no-history --store st")
        .exits(3)
        .says(&["the new conversion exports are empty"]);
}

#[test]
fn one_run_at_a_time() {
    let folder = Folder::of_sample();
    folder.run("audit clicks.csv conversions.csv --no-history --store st -q").exits(0);
    let file = fs::File::create(folder.path("st/.lock")).expect("the lock");
    file.lock().expect("it is free");
    for command in
        ["audit --store st", "store prune --store st --older-than 1d", "store forget --store st --id x"]
    {
        let run = folder.run(command).exits(6).says(&["another run is changing st", "--wait"]);
        assert!(run.last_line().starts_with("exit 6: "), "{}", run.stderr);
    }
    folder.run("store status --store st").exits(0);
    folder.run("store verify --store st").exits(0);
    folder.run("audit --no-history --store st --wait 0.3s").exits(6);
    let waiting = folder.command("audit --no-history --store st --wait 60s -q").spawn().expect("it starts");
    std::thread::sleep(Duration::from_millis(300));
    drop(file);
    assert!(waiting.wait_with_output().expect("it ends").status.success());
}

#[test]
fn words_about_stores_are_checked() {
    let folder = Folder::of_sample().with("clickaudit.yaml", "store: kept\nwindow: 7d\n");
    folder.run("audit clicks.csv conversions.csv").exits(0);
    let status = folder.run("store status").exits(0).text();
    assert!(status.starts_with("clicks       37959 rows of 1 exports"), "{status}");
    folder.run("audit clicks.csv conversions.csv --no-config --window 7d").exits(2).says(&["--window needs"]);
    for window in ["7", "36h", "0d", "week"] {
        folder.run(&format!("audit --store kept --window {window}")).exits(2);
    }
    folder.run("audit --no-config --store empty").exits(3).says(&["the store holds no rows"]);
    folder.run("audit --no-config").exits(2).says(&["no input is named"]);
}

#[test]
fn a_loss_is_cut_by_the_hour() {
    let (mut clicks, conversions) = pair(&[]);
    for i in 0..200 {
        let (id, time) = (format!("x{i}"), format!("2026-03-05 {:02}:{:02}:10", 12 + i / 100, i % 60));
        clicks.push(&[&id, &time, "burner", "campaign-0", &format!("10.9.{}.{}", i / 100, i % 100), "0.05"]);
    }
    let folder = Folder::new().with("clicks.csv", clicks.csv()).with("conversions.csv", conversions.csv());
    let audit =
        "audit clicks.csv conversions.csv --store st --max-spend-share 60% -q -o profit-list:lines=cut.txt";
    folder.run(&format!("{audit} --as-of 2026-03-05T13:00 --maturity 3h")).exits(0);
    assert_eq!(folder.text("cut.txt"), "", "no click of it is mature yet");
    folder.run(&format!("{audit} --as-of 2026-03-05T18:00")).exits(0);
    assert_eq!(folder.text("cut.txt"), "", "nor by the usual maturity of a day");
    folder.run(&format!("{audit} --as-of 2026-03-05T18:00 --maturity 3h")).exits(0);
    assert_eq!(folder.text("cut.txt"), "burner\n");
}
