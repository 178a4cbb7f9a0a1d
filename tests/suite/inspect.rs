//! What `inspect` says of files: the right preset for every example, what joins a pair, what is wrong with IDs
//! and clocks, and a mapping file that works.

use crate::runs::Folder;
use clickaudit::ingest::mapping::MappingFile;
use clickaudit::ingest::{Guard, Sample, preset, sample};
use clickaudit::inspect::{Options, inspect};
use polars::prelude::{Column, DataFrame, ParquetWriter};
use serde_json::{Map, Value};
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

/// An example as a file of every kind: what its preset is must not hang on how it was written down.
fn forms(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let folder = Folder::new().with("example.csv", text);
    let rows = sample(&folder.path("example.csv"), None, &Guard::default(), 10).expect("an example is read");
    let mut objects = String::new();
    for row in &rows.rows {
        let pairs = rows.headers.iter().zip(row).filter(|(header, _)| !header.is_empty());
        let object: Map<String, Value> = pairs.map(|(h, v)| (h.clone(), Value::String(v.clone()))).collect();
        writeln!(objects, "{}", Value::Object(object)).expect("text");
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, text.as_bytes()).expect("memory takes everything");
    vec![
        ("text", text.as_bytes().to_vec()),
        ("gzip", gzip.finish().expect("memory takes everything")),
        ("zstd", zstd::encode_all(objects.as_bytes(), 1).expect("memory takes everything")),
        ("objects", objects.into_bytes()),
        ("Parquet", parquet(&rows)),
    ]
}

/// The rows as text columns of Parquet, empty where they say nothing.
fn parquet(rows: &Sample) -> Vec<u8> {
    let columns: Vec<Column> = rows
        .headers
        .iter()
        .enumerate()
        .map(|(at, header)| {
            let texts: Vec<Option<&str>> =
                rows.rows.iter().map(|row| Some(row[at].as_str()).filter(|t| !t.is_empty())).collect();
            Column::new(header.as_str().into(), texts)
        })
        .collect();
    let mut frame = DataFrame::new(rows.rows.len(), columns).expect("columns of one length");
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame).expect("memory takes everything");
    bytes
}

#[test]
fn every_example_is_read_by_its_own_preset_whatever_it_is_written_as() {
    let folder = Folder::new();
    for preset in preset::all().expect("presets without fault") {
        for export in &preset.exports {
            for (at, example) in export.examples.iter().enumerate() {
                for (form, bytes) in forms(&example.text) {
                    let name = format!("{} {} {at} as {form}", preset.name, export.name);
                    let path = folder.path("example");
                    std::fs::write(&path, bytes).expect("a file in the folder");
                    let page = inspect(&options(path)).unwrap_or_else(|e| panic!("{name}: {e}"));
                    let file = page.files.first().unwrap_or_else(|| panic!("{name} is not read"));
                    assert_eq!(
                        (file.reading.preset.as_str(), file.shape, file.used),
                        (preset.name.as_str(), export.shape, 3),
                        "{name}"
                    );
                    assert!(file.misfits.is_empty() && !file.columns.is_empty(), "{name}");
                }
            }
        }
    }
}

/// What is piped in says the same, and is called stdin where something is wrong with it.
#[test]
fn what_is_piped_in_is_inspected_like_a_file() {
    let presets = preset::all().expect("presets without fault");
    for name in ["voluum", "everflow"] {
        let export = &presets.iter().find(|p| p.name == name).expect("the preset").exports[0];
        for (form, bytes) in forms(&export.examples[0].text) {
            let page = Folder::new().piped("inspect - --format json", &bytes).exits(0).json();
            let file = &page["files"][0];
            assert_eq!((&file["preset"], &file["export"]), (&name.into(), &(&*export.name).into()), "{form}");
        }
    }
    let (clicks, leads) = pair(0);
    let folder = Folder::new().with("leads.csv", leads).with("map.yaml", MAP);
    let run = folder.piped("inspect - leads.csv --map map.yaml --format json", clicks.as_bytes()).exits(0);
    assert_eq!(run.json()["pair"]["joins"][0]["matched"], 80);
    folder.piped("inspect -", b"PAR1nothing").exits(3).says(&["stdin is damaged"]);
    folder.piped("inspect - -", b"").exits(2).says(&["stdin can be only one input"]);
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
    let log = std::fs::read(crate::runs::project("tests/corpus/postbacks/combined.log")).expect("a seed");
    let folder = folder.with("access.log", log);
    folder.run("inspect clicks.csv conversions.csv clicks.csv").exits(2).says(&["3 files are too many"]);
    folder.run("inspect nowhere.csv").exits(3).says(&["nowhere.csv"]);
    folder.run("inspect header.csv").exits(3).says(&["there are no rows"]);
    folder.run("inspect odd.csv").exits(3).says(&["needs a column for click_time", "found: a, b, c"]);
    let log = folder.run("inspect access.log").exits(3);
    log.says(&["access.log: this is a log of requests (combined), not an export"]);
    folder.run("inspect clicks.csv --side visits").exits(2).says(&["`visits` is no side"]);
    folder.run("inspect").exits(2);
}

/// Columns that nothing tells are shown with what they hold, and the mapping that is written says what to fill in.
#[test]
fn a_file_that_cannot_be_read_yet_is_shown() {
    let rows = "Besuch;Wann;Seite\nv1;13.02.2026 10:00;z1\nv2;14.02.2026 11:30;z2\n";
    let folder = Folder::new().with("visits.csv", rows);
    let run = folder.run("inspect visits.csv --write-map map.yaml").exits(3);
    let page = run.text();
    for phrase in
        ["cannot be read as clicks yet", "--map FILE", "13.02.2026 10:00  (a time, `%d.%m.%Y %H:%M`)"]
    {
        assert!(page.contains(phrase), "{phrase}: {page}");
    }
    let map = folder.text("map.yaml");
    assert!(map.contains("    click_time: YOUR_HEADER\n"), "{map}");
    assert!(
        map.contains("# YOUR_COLUMN: 'Wann'   # such as 13.02.2026 10:00; a time, `%d.%m.%Y %H:%M`"),
        "{map}"
    );
    let filled = map
        .replace("  columns:\n", "  time_format: '%d.%m.%Y %H:%M'\n  columns:\n    source: Seite\n")
        .replace("YOUR_HEADER", "Wann");
    let folder = folder.with("filled.yaml", filled);
    let page = json(&folder, "visits.csv --map filled.yaml");
    assert_eq!(page["files"][0]["rows"]["used"], 2, "{page:#}");
    assert_eq!(page["files"][0]["unmapped"][0]["example"], "v1");
}

/// A header that two presets claim: both are named with what to say, and what is said is obeyed.
#[test]
fn an_ambiguous_header_names_its_presets() {
    let both = "click_id,created,publisher_id,txn_id,session_time,conversion_time,session_ip,affiliate_id\n\
                c,2026-03-02 10:00:00,p,t,2026-03-02 10:00:00,2026-03-02 10:05:00,192.0.2.1,a\n";
    let folder = Folder::new().with("strange.csv", both);
    let run = folder.run("inspect strange.csv --side conversions --format json").exits(3);
    let file = &run.json()["unread"][0];
    let candidates = file["candidates"].as_array().expect("candidates").clone();
    assert!(candidates.len() > 1 && file["headers"][1]["looks"] == "a time, `iso`", "{file:#}");
    for candidate in candidates {
        let candidate = candidate.as_str().expect("text");
        let (flag, why) = candidate.split_once(": ").expect("a flag and why");
        assert!(flag.starts_with("--preset ") && why.contains("has `"), "{candidate}");
        let page = folder
            .run(&format!("inspect strange.csv {flag} --side conversions --format json"))
            .exits(0)
            .json();
        let named = format!(
            "{}/{}",
            page["files"][0]["preset"].as_str().expect("a preset"),
            page["files"][0]["export"].as_str().expect("an export")
        );
        assert!(flag.ends_with(&named), "{flag} is read as {named}");
    }
}

/// Times in another format than was declared: the format that fits is named; of two the user must choose.
#[test]
fn times_that_do_not_fit_are_told_with_the_format_that_does() {
    let text = |time: &str| format!("click_id,click_time,source\nc1,{time},z\nc2,3/2/2026 10:00:05 PM,z\n");
    let folder = Folder::new()
        .with("clear.csv", text("3/13/2026 1:00:00 AM"))
        .with("odd.csv", text("3/4/2026 1:00:00 AM"));
    let misfit = |name: &str| {
        folder.run(&format!("inspect {name} --format json")).json()["files"][0]["misfits"][0].clone()
    };
    assert_eq!(misfit("clear.csv")["fitting"], serde_json::json!(["%m/%d/%Y %I:%M:%S %p"]));
    assert_eq!(misfit("odd.csv")["fitting"].as_array().map(Vec::len), Some(2));
    let page = |name: &str| {
        let page = folder.run(&format!("inspect {name}")).exits(3).text();
        page.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let clear = page("clear.csv");
    assert!(clear.contains("`clicks: {time_format: \"%m/%d/%Y %I:%M:%S %p\"}`"), "{clear}");
    assert!(page("odd.csv").contains("only you know"), "two formats fit");
}

/// IDs that differ between the files by case, spaces or invisible characters match nothing; that is told.
#[test]
fn ids_that_look_alike_across_the_pair_are_told() {
    let (clicks, leads) = pair(0);
    let spoilt = [
        ("visit00000", "Visit00000"),
        ("visit00010", "vi\u{200b}sit00010"),
        ("visit00015", "visit 00015"),
        ("visit00025", "\u{ff56}isit00025"),
    ];
    let leads = spoilt.iter().fold(leads, |leads, (id, other)| leads.replacen(id, other, 1));
    let folder = Folder::new().with("clicks.csv", clicks).with("leads.csv", leads).with("map.yaml", MAP);
    let page = json(&folder, "clicks.csv leads.csv --map map.yaml");
    assert_eq!(page["pair"]["joins"][0]["matched"], 76, "{}", page["pair"]);
    assert_eq!(page["pair"]["alike"]["rows"], 4, "{}", page["pair"]);
    let text = folder.run("inspect clicks.csv leads.csv --map map.yaml").exits(0).text();
    assert!(text.contains("! 4 rows have an ID in Extra 7 that Visit has with other case"), "{text}");
    // All of them in capitals: nothing matches, and this says why.
    let (clicks, leads) = pair(0);
    let map = MAP.replace("status: State", "status: State, click_id: Extra 7");
    let folder = Folder::new()
        .with("clicks.csv", clicks)
        .with("leads.csv", leads.replace("visit", "VISIT"))
        .with("map.yaml", map);
    let page = json(&folder, "clicks.csv leads.csv --map map.yaml");
    assert_eq!(
        (page["pair"]["joins"].as_array().map(Vec::len), &page["pair"]["alike"]["rows"]),
        (Some(0), &80.into()),
        "{}",
        page["pair"]
    );
}

/// A file in several currencies can be looked at; only an audit must know what they are worth.
#[test]
fn several_currencies_can_be_looked_at() {
    let text = "click_id,click_time,source,cost,currency\nc1,2026-03-02 10:00:00,z,1,USD\nc2,2026-03-02 10:00:00,z,1,EUR\n\n";
    let folder = Folder::new().with("clicks.csv", text);
    let page = folder.run("inspect clicks.csv").exits(0).text();
    assert!(page.contains("EUR 1, USD 1") && page.contains("--rates"), "{page}");
    assert!(page.contains("2 read = 2 used + 0 rejected; 1 blank lines"), "{page}");
}
