//! Faults at every change of a store: after each of them it is as it was before or after, never a mix, and the next
//! run goes on as if nothing had been.
//!
//! A small library (`fault.c`) is built with the C compiler that the build needs anyway and loaded before the
//! system's own: it kills the program at its Nth write, flush, rename or removal below the store, or lets that
//! fail. Elsewhere than on Linux there is no such thing, and the test says so.

use crate::runs::{Folder, Run, Table, project, say};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Two nights of a few clicks and conversions.
fn nights() -> Folder {
    let mut folder = Folder::new();
    for night in 1..=2 {
        let mut clicks = Table::new("click_id,click_time,source,ip,cost");
        let mut conversions = Table::new("conversion_id,click_id,conversion_time,status,payout");
        for i in 0..30 {
            let (id, time) = (format!("n{night}c{i}"), format!("2026-03-0{night} {:02}:30:00", i % 24));
            clicks.push(&[&id, &time, &format!("s{}", i % 3), &format!("10.0.{night}.{i}"), "0.01"]);
            if i % 5 == 0 {
                let then = format!("2026-03-0{night} {:02}:45:00", i % 24);
                conversions.push(&[&format!("v{id}"), &id, &then, "approved", "1.00"]);
            }
        }
        folder = folder
            .with(&format!("clicks-{night}.csv"), clicks.csv())
            .with(&format!("conversions-{night}.csv"), conversions.csv());
    }
    folder
}

fn arguments(night: u32) -> String {
    format!("audit clicks-{night}.csv conversions-{night}.csv --store st -q -o json=report.json --threads 1")
}

/// Every file of a store with its bytes; the lock has none.
fn files(store: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![store.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = fs::read(&path).expect("a file of the store");
                found.insert(path.strip_prefix(store).expect("below the store").to_owned(), bytes);
            }
        }
    }
    found
}

/// Makes a store hold these files and no others.
fn restore(store: &Path, before: &BTreeMap<PathBuf, Vec<u8>>) {
    let _ = fs::remove_dir_all(store);
    for (name, bytes) in before {
        let path = store.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, bytes).expect("written");
    }
}

/// The library that makes changes fail.
fn library(folder: &Folder) -> PathBuf {
    let library = folder.path("fault.so");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .arg(project("tests/suite/fault.c"))
        .arg("-ldl")
        .output()
        .expect("a C compiler, which the build needs, too");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    library
}

/// The second night with a fault at one of its changes.
fn faulty(folder: &Folder, library: &Path, at: u64, fault: &str) -> Run {
    let mut command = folder.command(&arguments(2));
    let store = fs::canonicalize(folder.path("st")).expect("the store");
    command.env("LD_PRELOAD", library).env("FAULT_FOLDER", store).env("FAULT", fault);
    command.env("FAULT_AT", at.to_string()).env("FAULT_COUNT", folder.path("count"));
    let told = format!("the second night with {fault} at change {at}");
    Run::of(&told, command.output().expect("the program starts"))
}

/// What a run says that could not give the record of its night its name.
const LATE: &str = "the outputs are in place, and the night may not be remembered";

#[test]
fn a_fault_at_any_change_leaves_the_state_before_or_after() {
    if !cfg!(target_os = "linux") {
        say("SKIPPED: faults at every change of a store need Linux");
        return;
    }
    let folder = nights();
    folder.run(&arguments(1)).exits(0);
    let store = fs::canonicalize(folder.path("st")).expect("the store");
    let before = files(&store);
    let library = library(&folder);
    faulty(&folder, &library, 0, "kill").exits(0);
    let (after, sources) = (files(&store), folder.json("report.json")["sources"].clone());
    let changes: u64 = folder.text("count").parse().expect("a number of changes");
    assert!(changes > 8, "{changes} changes: is the library loaded?");
    let manifest = Path::new("manifest.json");
    let records = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().filter(|f| f.starts_with("runs")).count();
    assert_eq!((records(&before), records(&after)), (1, 2), "a record of every night");
    let check = |at: u64, fault: &str| {
        restore(&store, &before);
        fs::write(folder.path("report.json"), "earlier").expect("an output of an earlier run");
        let run = faulty(&folder, &library, at, fault);
        let found = files(&store);
        let old = found[manifest] == before[manifest];
        assert!(old || found[manifest] == after[manifest], "{fault} at {at}: a mixed manifest");
        let of = if old { &before } else { &after };
        for (name, bytes) in of {
            // What the night leaves for the next is renamed last: without it the night is judged again.
            let waits = name.starts_with("runs") && found.get(name) == before.get(name);
            assert!(waits || found.get(name) == Some(bytes), "{fault} at {at}: {} is mixed", name.display());
        }
        if fault != "kill" {
            let told = run.last_line().starts_with("exit 5") && run.code == Some(5);
            assert!(told || run.code == Some(0), "{fault} at {at}: {:?} {}", run.code, run.stderr);
            let (earlier, late) = (folder.text("report.json") == "earlier", run.stderr.contains(LATE));
            assert_eq!(earlier, told && !late, "{fault} at {at}: {}", run.stderr);
            return late;
        }
        false
    };
    for at in 1..=changes {
        assert!(!check(at, "kill"));
        folder.run(&arguments(2)).exits(0);
        assert_eq!(files(&store).keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>(), "{at}");
        assert!(files(&store) == after, "kill at {at}: the next run did not heal");
        assert_eq!(folder.json("report.json")["sources"], sources, "kill at {at}");
    }
    // Disk full and damaged: ENOSPC, EIO.
    for fault in ["28", "5"] {
        let late: Vec<u64> = (1..=changes).filter(|at| check(*at, fault)).collect();
        // Only names are left to change after the outputs: the record's, its folder's, and that of a record in its
        // place as the first versions wrote it.
        assert_eq!(late, [changes - 2, changes - 1, changes], "{fault}: of {changes} changes");
    }
    say(&format!("a night changes its store in {changes} steps"));
}

#[test]
fn a_store_that_cannot_be_written_is_told_and_nothing_changes() {
    let folder = nights().with("st", "a file, no folder");
    folder.run(&arguments(1)).exits(5).says(&["cannot write st"]);
    assert!(!folder.path("report.json").exists());
}

#[test]
fn nights_that_come_late_out_of_order_or_with_a_wrong_clock_end_as_they_should() {
    let folder = nights();
    for night in [1, 2] {
        folder.run(&arguments(night)).exits(0);
    }
    // An earlier night that comes late brings rows, and is no night that later ones remember.
    let sources_of = |folder: &Folder| {
        let mut sources = folder.json("report.json")["sources"].clone();
        let each = sources.as_array_mut().expect("sources").iter_mut();
        each.for_each(|source| drop(source.as_object_mut().expect("a source").remove("history")));
        sources
    };
    let (manifest, sources) = (folder.text("st/manifest.json"), sources_of(&folder));
    fs::remove_dir_all(folder.path("st")).expect("removed");
    for night in [2, 1] {
        folder.run(&arguments(night)).exits(0);
    }
    assert_eq!(sources_of(&folder), sources);
    // Ten years ahead: too old to judge, and nothing is lost.
    folder.run(&format!("{} --as-of 2036-03-03", arguments(2))).exits(3).says(&["gate stale"]);
    // A day back: as if the second night had not been.
    folder.run(&format!("{} --as-of 2026-03-02", arguments(2))).exits(0);
    assert_eq!(folder.json("report.json")["coverage"]["clicks"]["read"], 30);
    folder.run(&arguments(2)).exits(0);
    assert_eq!(sources_of(&folder), sources);
    let keys = |text: &str| text.matches("\"key\"").count();
    assert_eq!(keys(&folder.text("st/manifest.json")), keys(&manifest));
}

#[test]
fn of_two_runs_at_once_one_works_and_the_other_says_so() {
    let folder = nights();
    folder.run(&arguments(1)).exits(0);
    for round in 0..100 {
        let start = || folder.command(&arguments(2)).stderr(Stdio::null()).spawn().expect("it starts");
        let (one, two) = (start(), start());
        let codes = [one, two].map(|c| c.wait_with_output().expect("it ends").status.code());
        assert!(codes.contains(&Some(0)), "round {round}: {codes:?}");
        assert!(codes.iter().all(|c| [Some(0), Some(6)].contains(c)), "round {round}: {codes:?}");
        folder.run("store verify --store st").exits(0);
    }
    let once = nights();
    for night in [1, 2] {
        once.run(&arguments(night)).exits(0);
    }
    assert_eq!(once.text("st/manifest.json"), folder.text("st/manifest.json"));
    assert_eq!(once.json("report.json")["sources"], folder.json("report.json")["sources"]);
}
