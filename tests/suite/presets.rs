//! Every preset against its own examples: each is recognised and taken for no other, reads as it says, and
//! audits from end to end.

use crate::runs::{Folder, absent};
use clickaudit::base::column::{COLUMNS, Col, Kind};
use clickaudit::base::money::SCALE;
use clickaudit::base::time;
use clickaudit::clean::vocabulary::{Status, event};
use clickaudit::ingest::detect::{RECOGNISED, Verdict, detect, recognise};
use clickaudit::ingest::mapping::MappingFile;
use clickaudit::ingest::preset::{Example, Export, GENERIC, Preset, all};
use clickaudit::ingest::{
    Batch, Field, Guard, Inputs, Mapping, Plan, Shape, StatusMeans, Wanted, headers, ingest,
};
use std::collections::{BTreeMap, BTreeSet};

/// Every example with its export and preset.
fn examples() -> impl Iterator<Item = (&'static Preset, &'static Export, &'static Example)> {
    let presets = all().expect("the built-in presets are without fault");
    let exports = presets.iter().flat_map(|p| p.exports.iter().map(move |e| (p, e)));
    exports.flat_map(|(p, e)| e.examples.iter().map(move |x| (p, e, x)))
}

fn header_of(example: &Example) -> Vec<String> {
    let folder = Folder::new().with("example.csv", &example.text);
    headers(&folder.path("example.csv"), None, &Guard::default()).expect("an example has a header")
}

// ---------------------------------------------------------------- detection

#[test]
fn every_example_is_taken_for_its_own_preset_and_no_other() {
    for (preset, export, example) in examples() {
        let (header, name) = (header_of(example), format!("{} {}", preset.name, export.name));
        let verdict = recognise(&header, export.shape).expect("the presets are without fault");
        match (&verdict, preset.name == GENERIC) {
            (Verdict::Unclaimed, true) => {}
            (Verdict::Clear(found), false) => {
                assert_eq!((found.preset, found.export), (&*preset.name, &*export.name), "{found:?}");
                assert!(found.reasons.len() >= 2, "{name}");
            }
            _ => panic!("{name} is taken for {verdict:?}"),
        }
    }
}

/// Whoever points at a file without saying which side it is must get the same answer.
#[test]
fn no_example_is_claimed_by_a_second_preset_whatever_the_side() {
    for (preset, export, example) in examples() {
        let found = detect(&header_of(example), None).expect("the presets are without fault");
        let others: Vec<&str> = found
            .iter()
            .filter(|c| c.confidence >= RECOGNISED && c.preset != preset.name)
            .map(|c| c.preset)
            .collect();
        assert!(others.is_empty(), "{} {} is claimed by {others:?}", preset.name, export.name);
        let best = found.first().expect("something is found");
        let name = format!("{} {}", preset.name, export.name);
        assert_eq!(best.preset, preset.name, "{name}: {found:?}");
        // Obvious names may be those of a cost file and of a report.
        assert!(best.shape == export.shape || preset.name == GENERIC, "{name}: {found:?}");
    }
}

// ---------------------------------------------------------------- reading

/// All rows of an example as text by canonical column, in canonical words.
fn rows(preset: &Preset, export: &Export, example: &Example) -> Vec<BTreeMap<String, String>> {
    let folder = Folder::new().with("example.csv", &example.text);
    let path = folder.path("example.csv").display().to_string();
    let inputs = Inputs { files: BTreeMap::from([(export.shape, vec![path])]), ..Inputs::default() };
    let plan =
        Plan::new(std::slice::from_ref(&preset.name), MappingFile::default()).expect("the preset is there");
    let intake =
        ingest(&inputs, &plan, &Wanted::Everything, 1).unwrap_or_else(|e| panic!("{}: {e}", preset.name));
    let ledger = &intake.files[0];
    assert_eq!(ledger.rejects.total(), 0, "{} {}: {:?}", preset.name, export.name, ledger.rejects.kept);
    assert_eq!(ledger.reading.export.as_deref(), Some(&*export.name), "{}", preset.name);
    let fields: Vec<Field> = COLUMNS.iter().map(|c| Field::Value(c.id)).collect();
    let table = match export.shape {
        Shape::Clicks | Shape::Combined => &intake.clicks,
        Shape::Conversions => &intake.conversions,
        Shape::Report => &intake.report,
        Shape::Costs => &intake.costs,
    };
    let mut rows = Vec::new();
    table
        .scan(&fields, None, &mut |batch| {
            rows.extend((0..batch.len()).map(|row| canonical(batch, row, &ledger.reading.mapping)));
            Ok(())
        })
        .expect("the intake is read");
    rows
}

fn canonical(batch: &Batch, row: usize, mapping: &Mapping) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> =
        COLUMNS.iter().filter_map(|c| Some((c.name.to_owned(), value(batch, row, c.id)?))).collect();
    words(&mut found, mapping);
    found
}

fn value(batch: &Batch, row: usize, col: Col) -> Option<String> {
    match col.kind() {
        Kind::Text | Kind::Key => batch.texts(col)?.get(row).map(str::to_owned),
        kind => {
            let number = batch.integers(col)?.get(row)?;
            let parts = if col == Col::Cost { batch.part.layout.cost_parts } else { 1 };
            Some(match kind {
                Kind::Time => time::show(number),
                Kind::Money => (number as f64 / (SCALE * parts) as f64).to_string(),
                _ => number.to_string(),
            })
        }
    }
}

/// The export's words in the field's.
fn words(found: &mut BTreeMap<String, String>, mapping: &Mapping) {
    let means = |map: &BTreeMap<String, String>, word: &str| map.get(&word.to_lowercase()).cloned();
    let status = found.get("status").cloned();
    let said = match mapping.status_means {
        StatusMeans::Event => status.clone().or(found.get("event").cloned()),
        StatusMeans::Status => found.get("event").cloned(),
    };
    if let Some(word) = said {
        found.insert("event".into(), event(&means(&mapping.events, &word).unwrap_or(word)).0);
    }
    if let Some(word) = status {
        let declared = means(&mapping.statuses, &word);
        let status = match mapping.status_means {
            StatusMeans::Event => declared.map_or(Status::Approved, |w| Status::of(&w)),
            StatusMeans::Status => Status::of(&declared.unwrap_or(word)),
        };
        found.insert("status".into(), status.word().to_owned());
    }
}

#[test]
fn every_example_reads_as_its_preset_says() {
    for (preset, export, example) in examples() {
        let name = format!("{} {}", preset.name, export.name);
        let found = rows(preset, export, example);
        assert_eq!((found.len(), example.reads.len()), (3, 3), "{name}: an example has three rows");
        for (at, (row, said)) in found.iter().zip(&example.reads).enumerate() {
            for (col, value) in said {
                assert_eq!(row.get(col), Some(value), "{name}, row {}, {col}", at + 1);
            }
        }
        let said: BTreeSet<&String> = example.reads.iter().flat_map(BTreeMap::keys).collect();
        for col in export.shape.required() {
            assert!(said.contains(&col.name().to_owned()), "{name} does not say what its {col} reads as");
        }
    }
}

// ---------------------------------------------------------------- from end to end

/// Which flags the exports of a preset are given with: clicks and conversions together, others alone.
fn audits(preset: &Preset) -> Vec<Vec<(&Export, &Example)>> {
    let of = |shape: Shape| preset.exports_of(shape).flat_map(|e| e.examples.iter().map(move |x| (e, x)));
    let mut audits: Vec<Vec<(&Export, &Example)>> = Vec::new();
    for click in of(Shape::Clicks) {
        audits.push(vec![click]);
        audits.extend(of(Shape::Conversions).map(|conversion| vec![click, conversion]));
    }
    for shape in [Shape::Conversions, Shape::Combined, Shape::Report] {
        audits.extend(of(shape).map(|one| vec![one]));
    }
    audits
}

#[test]
fn every_preset_audits_from_end_to_end() {
    for preset in all().expect("the built-in presets are without fault") {
        for files in audits(preset) {
            let mut folder = Folder::new();
            let mut arguments = String::new();
            for (export, example) in &files {
                let name = format!("{}.csv", export.shape.word());
                folder = folder.with(&name, &example.text);
                arguments += &format!(" --{} {name}", export.shape.word());
            }
            let names: Vec<&str> = files.iter().map(|(e, _)| e.name.as_str()).collect();
            let report = folder.report(arguments.trim());
            for input in report["run"]["inputs"].as_array().expect("the inputs") {
                assert_eq!(input["preset"], *preset.name, "{names:?}");
                let rows = &input["rows"];
                let count = |what: &str| rows[what].as_u64().unwrap_or(0);
                assert_eq!((count("read"), count("used")), (3, 3), "{} {names:?}: {rows}", preset.name);
            }
            assert!(!report["sources"].as_array().expect("groups").is_empty(), "{} {names:?}", preset.name);
        }
    }
}

// ---------------------------------------------------------------- what is refused

/// The first example of an export.
fn example(preset: &str, export: &str) -> &'static str {
    let found = examples().find(|(p, e, _)| (&*p.name, &*e.name) == (preset, export));
    &found.unwrap_or_else(|| panic!("no {export} of {preset}")).2.text
}

#[test]
fn what_only_the_user_knows_is_asked_and_never_guessed() {
    let both = "click_id,created,publisher_id,txn_id,session_time,conversion_time,session_ip,affiliate_id\n";
    let folder = Folder::new()
        .with("visits.csv", example("voluum", "visits"))
        .with("affise.csv", example("affise", "conversions"))
        .with("keitaro.csv", example("keitaro", "conversions"))
        .with("everflow.csv", example("everflow", "clicks"))
        .with("strange.csv", both);
    for (arguments, code, said) in [
        ("--clicks visits.csv --conversions affise.csv", 2, "they may be hours apart"),
        ("--clicks visits.csv --conversions keitaro.csv", 2, "say the zone: `clicks: {time_zone:"),
        ("--clicks visits.csv --conversions keitaro.csv --time-zone clicks=Mars", 2, "is no time zone"),
        (
            "--clicks visits.csv --conversions keitaro.csv --time-zone sales=UTC",
            2,
            "`sales=UTC` names no side",
        ),
        ("--clicks visits.csv --conversions affise.csv --time-zone UTC", 2, "whose money is it?"),
        ("--clicks keitaro.csv", 3, "this is a conversions file of keitaro (conversions), not a clicks file"),
        ("--conversions strange.csv", 3, "the header fits several presets: "),
        ("--clicks visits.csv --preset clicks=volum", 2, "there is no preset `volum`"),
        ("--clicks visits.csv --preset visits=voluum", 2, "names no preset of a side"),
        ("--clicks visits.csv --preset clicks=voluum/sales", 2, "the preset `voluum` has no export `sales`"),
        ("--clicks visits.csv --preset voluum --preset keitaro", 2, "the preset of all files is named twice"),
        (
            "--clicks visits.csv --preset clicks=voluum --preset clicks=binom",
            2,
            "the preset of clicks is named twice",
        ),
    ] {
        let run = folder.run(&format!("audit {arguments}")).exits(code);
        assert!(run.stderr.contains(said), "{arguments}: {}", run.stderr);
    }
}

#[test]
fn each_file_is_read_by_its_own_preset() {
    let folder = Folder::new()
        .with("visits.csv", example("voluum", "visits"))
        .with("affise.csv", example("affise", "conversions"))
        .with("clickaudit.yaml", "preset: [clicks=voluum]\ntime_zone: conversions=Europe/Berlin\n");
    let arguments = "--clicks visits.csv --conversions affise.csv --time-zone clicks=UTC \
                     --time-zone conversions=Europe/Berlin --perspective buyer";
    let report = folder.report(arguments);
    let inputs = report["run"]["inputs"].as_array().expect("the inputs");
    let presets: Vec<&str> = inputs.iter().filter_map(|i| i["preset"].as_str()).collect();
    assert_eq!((presets, &report["run"]["perspective"]), (vec!["voluum", "affise"], &"buyer".into()));
    let notes = report["coverage"]["notes"].to_string();
    assert!(notes.contains("affise.csv is read as affise (conversions)"), "{notes}");
    assert!(!notes.contains("decides their zone"), "{notes}");
}

/// One system's clock is the same on both sides: the unknown zone is told, and nothing is refused.
#[test]
fn an_unstated_zone_of_one_system_is_told() {
    let folder = Folder::new()
        .with("visits.csv", example("voluum", "visits"))
        .with("conversions.csv", example("voluum", "conversions"));
    let notes = folder.report("visits.csv conversions.csv")["coverage"]["notes"].to_string();
    assert!(
        notes.contains("times of visits.csv without an offset are read as UTC, but the account"),
        "{notes}"
    );
    let stated = folder.report("visits.csv conversions.csv --time-zone America/New_York");
    assert!(!stated["coverage"]["notes"].to_string().contains("decides their zone"));
}

/// What a preset states of an export decides what can be told from it, and the report says why not.
#[test]
fn stated_facts_have_their_effect() {
    let folder = crate::runs::folder_of_pair(&["bad"]);
    let report = |map: &str| {
        std::fs::write(folder.path("map.yaml"), map).expect("a file in the folder");
        folder.report("clicks.csv conversions.csv --map map.yaml")
    };
    let signals = |report: &serde_json::Value, name: &str| report["sources"][0]["signals"][name].clone();
    let plain = report("{}");
    for (map, signal, why) in [
        (
            "drops_orphans: true",
            "orphan_share",
            "the tracker drops conversions without a click before export",
        ),
        (
            "drops_duplicates: true",
            "repeated_transaction_share",
            "the tracker drops repeated conversions before export",
        ),
        (
            "reuses_click_ids: true",
            "reused_click_id_share",
            "one click ID stands for several clicks by design",
        ),
        (
            "transaction_scope: click",
            "shared_transaction_count",
            "transaction IDs are unique within one click only",
        ),
    ] {
        assert!(signals(&plain, signal)["value"].is_number(), "{signal}: {}", signals(&plain, signal));
        assert_eq!(absent(&report(map), "bad", signal), why, "{map}");
        // Who does not know is treated as if it were not so: what is there is shown.
        if let Some((fact, _)) = map.split_once(": true") {
            assert_eq!(report(&format!("{fact}: unknown"))["sources"], plain["sources"], "{fact}");
        }
    }
    assert_eq!(report("perspective: network")["run"]["perspective"], "network");
    std::fs::write(folder.path("map.yaml"), "export_limits: [1260]").expect("a file in the folder");
    let run = folder.run("audit clicks.csv conversions.csv --map map.yaml").exits(3);
    run.says(&["clicks.csv has exactly 1260 rows, an exporter's limit"]);
    std::fs::write(folder.path("map.yaml"), "drops_orphans: perhaps").expect("a file in the folder");
    let run = folder.run("audit clicks.csv conversions.csv --map map.yaml").exits(2);
    run.says(&["map.yaml", "perhaps"]);
    // Words and events that are numbers are words.
    assert_eq!(
        report("statuses: {1: approved}\nonce: [1, sale]")["sources"],
        report("once: [sale]")["sources"]
    );
}

/// The time of approval says nothing about the visitor.
#[test]
fn times_of_approval_make_no_ctit() {
    let row = |n: usize| format!("c{n},2026-03-02 10:00:0{n},2026-03-02 10:05:0{n},z100\n");
    let rows: String = (0..9).map(row).collect();
    let folder = Folder::new()
        .with("rows.csv", format!("click_id,click_time,conversion_time,source\n{rows}"))
        .with("map.yaml", "conversions: {times: approval}\n");
    let plain = folder.report("--conversions rows.csv");
    let approved = folder.report("--conversions rows.csv --map map.yaml");
    let ctit = |report: &serde_json::Value| report["sources"][0]["signals"]["ctit_p50_s"]["value"].clone();
    assert!(approved["coverage"]["notes"].to_string().contains("those of approval"));
    assert!(ctit(&approved).is_null() && !plain["sources"][0]["signals"].is_null());
    assert_ne!(plain["sources"][0]["signals"], approved["sources"][0]["signals"]);
}
