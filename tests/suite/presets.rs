//! Every preset against its own examples: each is recognised and taken for no other, reads as it says, and
//! audits from end to end.

use crate::runs::Folder;
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
            Some(match kind {
                Kind::Time => time::show(number),
                Kind::Money => (number as f64 / SCALE as f64).to_string(),
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
