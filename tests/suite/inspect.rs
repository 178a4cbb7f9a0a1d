//! What `inspect` says of files: the right preset for every example, what joins a pair, what is wrong with IDs
//! and clocks, and a mapping file that works.

use crate::runs::Folder;
use clickaudit::ingest::mapping::MappingFile;
use clickaudit::ingest::{Guard, preset};
use clickaudit::inspect::{Options, inspect};
use serde_json::Value;
use std::fmt::Write;

fn options(path: std::path::PathBuf) -> Options {
    Options {
        files: vec![path],
        shape: None,
        presets: Vec::new(),
        user: MappingFile::default(),
        guard: Guard::default(),
        threads: 1,
    }
}

#[test]
fn every_example_is_read_by_its_own_preset() {
    let folder = Folder::new();
    for preset in preset::all().expect("presets without fault") {
        for export in &preset.exports {
            for (at, example) in export.examples.iter().enumerate() {
                let name = format!("{} {} {at}", preset.name, export.name);
                let path = folder.path("example");
                std::fs::write(&path, &example.text).expect("a file in the folder");
                let page = inspect(&options(path)).unwrap_or_else(|e| panic!("{name}: {e}"));
                let file = &page.files[0];
                assert_eq!(
                    (file.reading.preset.as_str(), file.shape),
                    (preset.name.as_str(), export.shape),
                    "{name}"
                );
                assert!(file.used > 0 && !file.columns.is_empty(), "{name}");
            }
        }
    }
}

/// Clicks and conversions of which the conversions carry the click ID in a column of no meaning, their clock so
/// many hours ahead.
fn pair(hours: i64) -> (String, String) {
    let mut clicks = "Visit,Visited,Zone\n".to_owned();
    let mut leads = "Lead,Created,Extra 7,State\n".to_owned();
    let time = |minute: i64| {
        format!("2026-03-{:02} {:02}:{:02}:00", 2 + minute / 1_440, minute / 60 % 24, minute % 60)
    };
    for i in 0..400 {
        writeln!(clicks, "visit{i:05},{},z{}", time(i * 7), i % 4).expect("text");
        if i % 5 == 0 {
            let at = i * 7 + 3 + i % 9 + hours * 60;
            writeln!(leads, "L{i},{},visit{i:05},ok", time(at.max(0))).expect("text");
        }
    }
    (clicks, leads)
}

const MAP: &str = "clicks: {columns: {click_id: Visit, click_time: Visited, source: Zone}}\n\
                   conversions: {columns: {conversion_id: Lead, conversion_time: Created, status: State}}\n";

fn json(folder: &Folder, arguments: &str) -> Value {
    folder.run(&format!("inspect {arguments} --format json")).exits(0).json()
}

#[test]
fn a_join_is_found_wherever_the_click_id_hides() {
    let (clicks, leads) = pair(0);
    let folder = Folder::new().with("clicks.csv", clicks).with("leads.csv", leads).with("map.yaml", MAP);
    let page = json(&folder, "clicks.csv leads.csv --map map.yaml");
    let best = &page["pair"]["joins"][0];
    assert_eq!(
        (best["first"].as_str(), best["second"].as_str()),
        (Some("Visit"), Some("Extra 7")),
        "{page:#}"
    );
    assert_eq!((best["matched"].as_u64(), best["rows"].as_u64()), (Some(80), Some(80)));
    assert_eq!(page["pair"]["clocks"]["offset_s"], Value::Null);

    let wrote = folder.run("inspect clicks.csv leads.csv --map map.yaml --write-map found.yaml").exits(0);
    assert!(wrote.text().contains("say so in a mapping file: `join: conversions.Extra 7 = clicks.Visit`"));
    let found = folder.text("found.yaml");
    assert!(found.contains("join: 'conversions.Extra 7 = clicks.Visit'"), "{found}");
    assert!(found.contains("#   'ok': approved"), "{found}");
    let report = folder.report("clicks.csv leads.csv --map found.yaml");
    assert_eq!(report["coverage"]["conversion_classes"]["matched"], 80, "{}", report["coverage"]);
}

#[test]
fn clocks_that_are_hours_apart_are_told() {
    for (hours, says) in [(3, "10800"), (-2, "-7200")] {
        let (clicks, leads) = pair(hours);
        let folder = Folder::new().with("clicks.csv", clicks).with("leads.csv", leads).with("map.yaml", MAP);
        let page = json(&folder, "clicks.csv leads.csv --map map.yaml");
        assert_eq!(page["pair"]["clocks"]["offset_s"].to_string(), says, "{hours}");
        assert_eq!(page["pair"]["clocks"]["suspicious"], true);
        let text = folder.run("inspect clicks.csv leads.csv --map map.yaml").exits(0).text();
        assert!(text.contains("clock seems to be"), "{text}");
    }
}

#[test]
fn the_written_mapping_of_the_sample_changes_no_verdict() {
    let folder = Folder::of_sample();
    folder.run("inspect clicks.csv conversions.csv --write-map map.yaml").exits(0).says(&["wrote map.yaml"]);
    let sources = |arguments: &str| folder.report(arguments)["sources"].to_string();
    assert_eq!(sources("clicks.csv conversions.csv --map map.yaml"), sources("clicks.csv conversions.csv"));
    folder.run("inspect clicks.csv --write-map map.yaml").exits(5).says(&["it is there already"]);
}

#[test]
fn what_is_wrong_with_ids_is_told() {
    let text = "click_id,click_time,source\n\
                1.58E+18,2026-03-02 10:00:00,z1\n{clickid},2026-03-02 10:00:01,z1\n\
                Abc1,2026-03-02 10:00:02,z1\nabc1,2026-03-02 10:00:03,z1\nabc1,2026-03-02 10:00:04,z\u{200b}1\n\
                x,yesterday,z1\n";
    let folder = Folder::new().with("clicks.csv", text);
    let page = json(&folder, "clicks.csv");
    let file = &page["files"][0];
    let ids = file["ids"].as_array().expect("IDs");
    let of = |name: &str| ids.iter().find(|i| i["column"] == name).expect("the column").clone();
    let (click, source) = (of("click_id"), of("source"));
    let counts = ["filled", "different", "repeated", "macros", "damaged", "look_alikes"];
    assert_eq!(counts.map(|c| click[c].as_u64().expect("a count")), [5, 4, 1, 1, 1, 1]);
    assert_eq!(source["look_alikes"], 1);
    assert_eq!(file["rows"]["rejected"][0]["reason"], "bad_time");
    assert_eq!(file["rows"]["rejected"][0]["first"]["line"], 7);
    let missing = file["missing"].to_string();
    assert!(missing.contains("\"ip\"") && missing.contains("distinct_ip_share"), "{missing}");
    let page = folder.run("inspect clicks.csv").exits(0).text();
    for phrase in [
        "macro that was never replaced, such as {clickid}",
        "spreadsheet has rounded, such as 1.58E+18",
        "look alike",
    ] {
        assert!(page.contains(phrase), "{phrase}: {page}");
    }
    assert!(!page.contains('\u{200b}'), "invisible characters are shown as such");
}

#[test]
fn what_cannot_be_inspected_is_told() {
    let folder =
        Folder::of_sample().with("header.csv", "click_id,click_time\n").with("odd.csv", "a,b,c\n1,2,3\n");
    folder.run("inspect clicks.csv conversions.csv clicks.csv").exits(2).says(&["3 files are too many"]);
    folder.run("inspect nowhere.csv").exits(3).says(&["nowhere.csv"]);
    folder.run("inspect header.csv").exits(3).says(&["there are no rows"]);
    folder.run("inspect odd.csv").exits(3).says(&["needs a column for click_time", "found: a, b, c"]);
    folder.run("inspect clicks.csv --side visits").exits(2).says(&["`visits` is no side"]);
    folder.run("inspect").exits(2);
}
