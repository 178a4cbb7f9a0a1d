//! Labelled traffic and its evaluation, through the program: what `simulate` writes `audit` reads, and
//! `evaluate` takes the two apart.

use crate::runs::{Folder, Run};
use clickaudit::ingest::preset::PRESETS;
use clickaudit::simulate::mix::Fraud;
use serde_json::Value;
use std::collections::BTreeSet;

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

/// The tests of rates, of other numbers, of peaks, and inside a group mean the same by a sign.
#[test]
fn a_distance_has_the_sign_of_its_side() {
    let folder = Folder::new();
    let much = "--sources 150 --clicks 90000 --fraud-share 40% --strength 60% --seed 5 --kinds all";
    folder.run(&format!("simulate --mix reference {much} .")).exits(0);
    let report = folder.report("clicks.csv conversions.csv");
    let mut seen = BTreeSet::new();
    for group in report["sources"].as_array().expect("the groups") {
        for (name, reading) in group["signals"].as_object().expect("the signals") {
            let [Some(z), Some(p)] = ["z", "p"].map(|of| reading[of].as_f64()) else { continue };
            let what = format!("{name}: {reading}");
            let side = (number(&reading["value"]) - number(&reading["peers"])).signum();
            assert!(p >= 0.01 || z * side > 2.0, "{what}");
            if ONE_SIDED.contains(&&**name) {
                assert!(p < 0.5 || z == 0.0, "{what}");
            }
            if p < 0.01 {
                seen.insert(name.clone());
            }
        }
    }
    assert!(ONE_SIDED.iter().filter(|name| seen.contains(**name)).count() > 2, "{seen:?}");
    assert!(seen.len() > 20, "{seen:?}");
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

/// Signals whose tests look one way.
const ONE_SIDED: [&str; 4] = ["amount_modal_share", "ctit_modal_share", "gap_modal_share", "idle_crowd_p"];

/// A ring is found behind the real visitors it is mixed with.
#[test]
fn planted_rings_are_clusters_and_nobody_else() {
    let folder = Folder::new();
    let much = "--sources 60 --clicks 100000 --fraud-share 20% --strength 60% --kinds coalition --seed 3";
    folder.run(&format!("simulate --mix reference {much} .")).exits(0);
    let report = folder.report("clicks.csv conversions.csv");
    let planted = planted(&folder);
    let clusters = report["clusters"].as_array().expect("clusters");
    let members = clusters.iter().flat_map(|c| c["members"].as_array().expect("members"));
    let members: Vec<&str> = members.filter_map(|key| key["source"].as_str()).collect();
    assert!(members.len() >= 8 && clusters.len() > 1, "{clusters:?}");
    assert!(members.iter().all(|name| planted.contains(*name)), "{members:?} {planted:?}");
    assert!(clusters.iter().all(|c| c["similarity_of"] == "clicks"), "{clusters:?}");
    assert!(clusters.iter().all(|c| number(&c["similarity"]) > 0.2), "{clusters:?}");
}

/// Carriers, one-tap flows and private networks of honest visitors, in groups too small to tell them from frauds.
#[test]
fn honest_sources_of_another_world_are_neither_accused_nor_clusters() {
    let folder = Folder::new();
    folder.run("simulate --mix world --sources 300 --clicks 150000 .").exits(0);
    let report = folder.report("clicks.csv conversions.csv");
    assert_eq!(report["clusters"].as_array().map(Vec::len), Some(0), "{}", report["clusters"]);
    let planted = planted(&folder);
    let groups = report["sources"].as_array().expect("the groups");
    let accused = groups.iter().filter(|group| group["verdict"] == "block" || group["verdict"] == "hold");
    let names = accused.map(|group| group["key"]["source"].as_str().expect("a name").to_owned());
    let (right, wrong): (Vec<_>, Vec<_>) = names.partition(|name| planted.contains(name));
    assert!(wrong.is_empty() && right.len() > 3, "{right:?} {wrong:?}");
}

/// The names of the planted sources.
fn planted(folder: &Folder) -> BTreeSet<String> {
    let truth = folder.text("planted.csv");
    truth.lines().skip(1).filter_map(|line| Some(line.split(',').next()?.to_owned())).collect()
}

/// What a tracker never exports must not leave everybody undecided.
#[test]
fn exports_without_orphans_have_clean_sources() {
    for preset in ["voluum", "binom", "keitaro"] {
        let folder = Folder::new();
        let much = "--sources 60 --clicks 60000 --fraud-share 5%";
        let run = folder.run(&format!("simulate --mix reference {much} --preset {preset} traffic")).exits(0);
        let audit = format!("{} --no-config", told(&run));
        let report = folder.run(&format!("{audit} -o json=-")).exits(0).json();
        let groups = report["sources"].as_array().expect("the groups");
        let clean = groups.iter().filter(|group| group["verdict"] == "clean").count();
        assert!(clean > 1, "{preset}: {clean} clean");
        let open = groups.iter().map(|group| group["undecided_because"].to_string());
        assert_eq!(
            open.filter(|why| why.contains("conversions-mostly-without-click")).count(),
            0,
            "{preset}"
        );
        let checks = groups.iter().map(|group| group["checks_not_possible"].as_u64());
        assert!(checks.min().flatten() > Some(0), "{preset}");
        let text = folder.run(&audit).exits(0).text();
        let said = "such exports never answer, so that they leave nobody undecided (the tracker drops";
        assert!(text.contains(said), "{preset}: {text}");
    }
}

/// The command that `simulate` prints, as it stands there.
fn told(run: &Run) -> String {
    let command = run.stderr.lines().find_map(|line| line.strip_prefix("audit it: clickaudit "));
    command.unwrap_or_else(|| panic!("no command in\n{}", run.stderr)).to_owned()
}

#[test]
fn every_preset_audits_by_the_command_that_is_printed() {
    for (name, _) in PRESETS {
        let folder = Folder::new();
        let run = folder.run(&format!("simulate --mix reference {SMALL} --preset {name} traffic")).exits(0);
        let report = folder.run(&format!("{} --no-config -o json=-", told(&run))).exits(0).json();
        let rows = &report["coverage"]["clicks"];
        let (read, used) = (rows["read"].as_u64().unwrap_or(0), rows["used"].as_u64().unwrap_or(0));
        assert!(read > 10_000 && used as f64 >= 0.98 * read as f64, "{name}: {rows}");
        let rejected = report["coverage"]["conversions"]["rejected"].as_object().expect("by reason");
        assert!(rejected.is_empty(), "{name}: {rejected:?}");
        let (all, matched) = (
            report["totals"]["conversions"].as_u64().unwrap_or(0),
            report["coverage"]["conversion_classes"]["matched"].as_u64().unwrap_or(0),
        );
        assert!(all > 300 && matched as f64 > 0.9 * all as f64, "{name}: {matched} of {all}");
        let sources = report["sources"].as_array().expect("groups");
        let timed = sources.iter().filter(|s| s["signals"]["ctit_short_share"].is_object()).count();
        assert!(timed > 40, "{name}: {timed} sources with a time to conversion");
        let registers = sources
            .iter()
            .any(|s| !s["events"]["registration"].is_null() || !s["events"]["install"].is_null());
        assert!(registers, "{name}: events are not told apart");
    }
}

#[test]
fn files_of_others_are_not_overwritten() {
    let folder = Folder::new().with("clicks.csv", "mine").with("other.txt", "mine");
    folder.run("simulate --clicks 2000 --conversions 100 .").exits(2).says(&[
        ". holds clicks.csv that no earlier simulation wrote",
        "name a new folder, or overwrite what is there with --force",
    ]);
    assert_eq!((folder.text("clicks.csv"), folder.files().len()), ("mine".to_owned(), 2));
    folder.run("simulate --clicks 2000 --conversions 100 --force .").exits(0);
    assert!(folder.text("clicks.csv").lines().count() > 1_000);
    // What an earlier run made is made again, whatever else is there.
    folder.run("simulate --clicks 3000 --conversions 100 .").exits(0);
    assert!(folder.text("clicks.csv").lines().count() > 2_500);
    assert_eq!(folder.text("other.txt"), "mine");
    let folder = Folder::new().with("planted.csv", "source,kind\na,bots\n");
    folder.run("simulate --mix reference --sources 20 --clicks 500 .").exits(2).says(&["planted.csv"]);
    assert_eq!(folder.text("planted.csv"), "source,kind\na,bots\n");
}

#[test]
fn the_help_lists_every_fraud() {
    let help = Folder::new().run("simulate --help").exits(0).text();
    for fraud in Fraud::ALL {
        let (name, mark) = (fraud.decl().name, if fraud.decl().usual { "*" } else { " " });
        assert!(help.contains(&format!("{mark}{name} ")), "{name}\n{help}");
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
        ("simulate --mix world --kinds bot new", 2, "there is no fraud `bot`"),
        ("simulate --mix world --kinds bot new", 2, "did you mean `bots`? there are injection, flooding, "),
        ("simulate --mix world --days 5 --onset 6 new", 2, "--onset: the mix has no day 6"),
        ("simulate --mix world --fraud-share 120% new", 2, "--fraud-share"),
        ("simulate --mix world --strength 0% new", 2, "--strength: `0%` cannot be made"),
        ("simulate --mix world --preset no-such-preset new", 2, "there is no preset `no-such-preset`"),
        ("simulate --kinds bots new", 2, "--mix"),
        ("evaluate report.json --truth labels.csv", 3, "no source of the truth is in the report"),
        ("evaluate labels.csv --truth labels.csv", 3, "the report is no JSON"),
        ("evaluate report.json --truth clicks.csv", 3, "there is no column `kind`"),
        ("evaluate nowhere.json --truth labels.csv", 3, "cannot read nowhere.json"),
    ] {
        let run = folder.run(arguments).exits(code);
        assert!(run.stderr.contains(said), "{arguments}: {}", run.stderr);
    }
}
