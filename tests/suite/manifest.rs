//! The manifest of a run: what it says, and that no mixture of two runs passes for one.

use crate::runs::Folder;
use std::fs;

const OUTPUTS: &str = "-o json=report.json -o csv=groups.csv -o blocklist:lines=block.txt -o evidence=pack \
                       --rejects rejects.csv --manifest run.json";

/// The outputs of one run over the sample.
fn written() -> Folder {
    let folder = Folder::of_sample();
    folder.run(&format!("audit clicks.csv conversions.csv {OUTPUTS}")).exits(0);
    folder
}

#[test]
fn every_output_of_a_run_is_in_its_manifest() {
    let folder = written();
    let manifest = folder.json("run.json");
    let outputs = manifest["outputs"].as_array().expect("outputs");
    let told: Vec<(&str, &str, &str)> = outputs
        .iter()
        .map(|o| ["format", "path", "kind"].map(|key| o[key].as_str().expect("a word")))
        .map(|[format, path, kind]| (format, path, kind))
        .collect();
    assert_eq!(
        told,
        [
            ("json", "report.json", "file"),
            ("csv", "groups.csv", "file"),
            ("blocklist:lines", "block.txt", "file"),
            ("evidence", "pack", "folder"),
            ("rejects", "rejects.csv", "file"),
        ]
    );
    let report = fs::read(folder.path("report.json")).expect("the report");
    assert_eq!(outputs[0]["blake3"], blake3::hash(&report).to_hex().as_str());
    assert_eq!(outputs[0]["bytes"], report.len());
    let run = &folder.json("report.json")["run"];
    for key in ["id", "version", "as_of", "rules_digest"] {
        assert_eq!(manifest["run"][key], run[key], "{key}");
    }
    assert_eq!(manifest["run"]["inputs"].as_array().map(Vec::len), Some(2));
    let again = Folder::of_sample();
    again.run(&format!("audit clicks.csv conversions.csv {OUTPUTS} --threads 1")).exits(0);
    assert_eq!(again.text("run.json"), folder.text("run.json"), "the same run, the same manifest");
}

#[test]
fn a_mixture_of_two_runs_does_not_pass() {
    let folder = written();
    let whole = folder.run("verify run.json").exits(0).text();
    assert!(whole.contains("json report.json is as the run wrote it\n"), "{whole}");
    // What a kill between two renames leaves: some outputs are another run's.
    let other = Folder::of_sample();
    other.run(&format!("audit clicks.csv conversions.csv {OUTPUTS} --fdr 5%")).exits(0);
    let change = |name: &str, to: &dyn Fn(), says: &str| {
        let kept = fs::read(folder.path(name)).expect("an output");
        to();
        let run = folder.run("verify run.json").exits(3).says(&["the outputs are not all of this run"]);
        assert!(run.text().contains(says), "{says}: {}", run.text());
        let shown = folder.run("verify run.json --format json").exits(3).json();
        assert_eq!(shown["whole"], false);
        fs::write(folder.path(name), kept).expect("a file");
    };
    let copy = |name: &'static str| {
        let (from, to) = (other.path(name), folder.path(name));
        move || assert!(fs::copy(&from, &to).is_ok())
    };
    change("report.json", &copy("report.json"), "json report.json is not what the run wrote");
    change("block.txt", &|| fs::write(folder.path("block.txt"), "").expect("a file"), "is not what");
    change("groups.csv", &|| fs::remove_file(folder.path("groups.csv")).expect("a file"), "is missing");
    let inside = "pack/reason-codes.csv";
    change(
        inside,
        &|| fs::write(folder.path(inside), "x").expect("a file"),
        "its file reason-codes.csv is not",
    );
    change(
        inside,
        &|| fs::remove_file(folder.path(inside)).expect("a file"),
        "its file reason-codes.csv is missing",
    );
    let list = "pack/manifest.json";
    change(list, &|| fs::write(folder.path(list), "{}").expect("a file"), "evidence pack is not what");
    fs::write(folder.path("pack/more.txt"), "x").expect("a file");
    assert!(folder.run("verify run.json").exits(3).text().contains("the run wrote no file more.txt"));
    fs::remove_file(folder.path("pack/more.txt")).expect("a file");
    folder.run("verify run.json").exits(0);
}

#[test]
fn a_failing_output_leaves_the_manifest_and_all_that_it_names() {
    let folder = written();
    let before: Vec<String> = folder.files();
    fs::create_dir(folder.path("taken")).expect("a folder");
    fs::write(folder.path("taken/precious"), "x").expect("a file");
    let flags = OUTPUTS.replace("evidence=pack", "evidence=taken");
    folder.run(&format!("audit clicks.csv conversions.csv {flags} --fdr 5%")).exits(5);
    folder.run("verify run.json").exits(0);
    assert_eq!(folder.files().len(), before.len() + 1);
}

#[test]
fn a_list_that_is_withheld_is_said_to_be() {
    let folder = written();
    let flags = "--max-click-share 0.1% -o csv=groups.csv -o blocklist:lines=block.txt --manifest run.json";
    folder.run(&format!("audit clicks.csv conversions.csv {flags}")).exits(4);
    let manifest = folder.json("run.json");
    assert_eq!(manifest["withheld"][0]["format"], "blocklist:lines");
    assert_eq!(manifest["outputs"].as_array().map(Vec::len), Some(1));
    let told = folder.run("verify run.json").exits(0).text();
    assert!(told.contains("blocklist:lines was not written: safety brake"), "{told}");
}

#[test]
fn a_manifest_is_an_output_as_any_other() {
    let folder = Folder::of_sample();
    let same = "audit clicks.csv conversions.csv -o json=run.json --manifest run.json";
    folder.run(same).exits(2).says(&["two outputs go to run.json"]);
    folder.run("audit clicks.csv conversions.csv -o json=- --manifest clicks.csv").exits(2);
    folder.run("verify clicks.csv").exits(3).says(&["clicks.csv is no manifest of a run"]);
    // A folder's own manifest is another thing, and a run's manifest does not make a folder replaceable.
    fs::create_dir(folder.path("mine")).expect("a folder");
    folder
        .run("audit clicks.csv conversions.csv -o csv=mine/groups.csv --manifest mine/manifest.json")
        .exits(0);
    folder.run("verify mine/manifest.json").exits(0);
    folder.run("audit clicks.csv conversions.csv -o evidence=mine").exits(5).says(&["is not replaced"]);
}
