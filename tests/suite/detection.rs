//! Labelled traffic and its evaluation, through the program: what `simulate` writes `audit` reads, and
//! `evaluate` takes the two apart.

use crate::runs::Folder;
use clickaudit::base::column::Col;
use clickaudit::ingest::preset::PRESETS;
use clickaudit::ingest::{Mapping, Shape};

const SMALL: &str = "--sources 80 --clicks 12000 --days 5";

#[test]
fn a_mix_goes_through_audit_and_evaluate() {
    for mix in ["reference", "world"] {
        let folder = Folder::new();
        folder.run(&format!("simulate --mix {mix} {SMALL} --kinds all --fraud-share 25% .")).exits(0);
        let report = folder.report("clicks.csv conversions.csv");
        for side in ["clicks", "conversions"] {
            let rejected = report["coverage"][side]["rejected"].as_object().expect("by reason");
            assert!(rejected.is_empty(), "{side} of the {mix} mix: {rejected:?}");
        }
        std::fs::write(folder.path("report.json"), report.to_string()).expect("a file in the folder");
        let found = folder.run("evaluate report.json --truth planted.csv --format json").exits(0).json();
        let (planted, honest) =
            (found["planted"].as_u64().unwrap_or(0), found["honest"].as_u64().unwrap_or(0));
        // 20 are planted; a fraud that touched no row is no label.
        assert!(
            (8..=19).contains(&planted) && (79..=80).contains(&(planted + honest)),
            "{mix}: {planted} {honest}"
        );
        assert_eq!(found["not_in_report"].as_u64(), Some(0), "{mix}");
        let text = folder.run("evaluate report.json --truth planted.csv").exits(0).text();
        assert!(
            text.starts_with(&format!("80 sources: {planted} with a planted fraud, {honest} honest.")),
            "{text}"
        );
    }
}

#[test]
fn every_preset_reads_what_is_written_for_it() {
    for (name, _) in PRESETS {
        let folder = Folder::new().with("map.yaml", "");
        folder.run(&format!("simulate --mix reference {SMALL} --preset {name} .")).exits(0);
        let mapping = Mapping::build(Some(name), None).expect("the preset is without fault");
        let joins = mapping.side(Shape::Conversions).columns.contains_key(&Col::ClickId);
        let combined = folder.files().contains(&"combined.csv".to_owned());
        let input = match (combined, joins) {
            (true, _) => "--combined combined.csv",
            (_, true) => "clicks.csv conversions.csv",
            _ => "--conversions conversions.csv",
        };
        let report = folder.report(&format!("{input} --preset {name} --time-zone UTC"));
        let rows = &report["coverage"]["clicks"];
        let (read, used) = (rows["read"].as_u64().unwrap_or(0), rows["used"].as_u64().unwrap_or(0));
        assert!(read > 10_000 || !combined && !joins, "{name}: {rows}");
        assert!(used as f64 >= 0.98 * read as f64, "{name}: {rows}");
        let rejected = report["coverage"]["conversions"]["rejected"].as_object().expect("by reason");
        assert!(rejected.is_empty(), "{name}: {rejected:?}");
        assert!(report["totals"]["conversions"].as_u64() > Some(300), "{name}: {}", report["totals"]);
    }
}

#[test]
fn parquet_says_what_the_text_says() {
    for what in [
        &format!("--mix reference {SMALL}"),
        &format!("--mix world {SMALL} --preset talkingdata"),
        "--clicks 3000 --conversions 300",
    ] {
        let folder = Folder::new();
        folder.run(&format!("simulate {what} text")).exits(0);
        folder.run(&format!("simulate {what} --format parquet parquet")).exits(0);
        let audit = |form: &str, ending: &str| {
            let pair = match what.contains("talkingdata") {
                true => format!("--preset talkingdata --combined {form}/combined.{ending}"),
                false => format!("{form}/clicks.{ending} {form}/conversions.{ending}"),
            };
            folder.run(&format!("audit --no-config {pair} -o csv=-")).exits(0).text()
        };
        let text = audit("text", "csv");
        assert!(text.lines().count() > 50, "{what}: {text}");
        assert_eq!(audit("parquet", "parquet"), text, "{what}");
    }
}

#[test]
fn what_cannot_be_made_or_evaluated_is_said() {
    let folder = Folder::of_sample().with("labels.csv", "source,kind\nnobody,bots\n");
    folder.run("audit clicks.csv conversions.csv -q -o json=report.json").exits(0);
    for (arguments, code, said) in [
        ("simulate --mix world --kinds bot .", 2, "there is no fraud `bot`"),
        ("simulate --mix world --fraud-share 120% .", 2, "--fraud-share"),
        ("simulate --mix world --strength 0% .", 2, "--strength: `0%` cannot be made"),
        ("simulate --mix world --preset no-such-preset .", 2, "there is no preset `no-such-preset`"),
        ("simulate --kinds bots .", 2, "--mix"),
        ("evaluate report.json --truth labels.csv", 3, "no source of the truth is in the report"),
        ("evaluate labels.csv --truth labels.csv", 3, "the report is no JSON"),
        ("evaluate report.json --truth clicks.csv", 3, "there is no column `kind`"),
        ("evaluate nowhere.json --truth labels.csv", 3, "cannot read nowhere.json"),
    ] {
        let run = folder.run(arguments).exits(code);
        assert!(run.stderr.contains(said), "{arguments}: {}", run.stderr);
    }
}
