//! `explain source`: one page about one group, as people and scripts see it.

use crate::runs::{Folder, folder_of_pair};
use std::process::Stdio;

const PAIR: &str = "clicks.csv conversions.csv";

#[track_caller]
fn page(folder: &Folder, name: &str) -> String {
    folder.run(&format!("explain source {name} {PAIR}")).exits(0).text()
}

#[track_caller]
fn holds(page: &str, lines: &[&str]) {
    for line in lines {
        assert!(page.lines().any(|l| l.contains(line)), "no `{line}` in\n{page}");
    }
}

#[test]
fn the_page_of_a_blocked_source() {
    let page = page(&Folder::of_sample(), "3098120");
    holds(
        &page,
        &[
            "popmax/3098120",
            "BLOCK Stop the traffic and do not pay for it.",
            "500 clicks · 73 conversions · cost 130.23 USD · revenue 612.00 USD · at least 484.63 USD at risk",
            "(conversions-too-fast, fraud)",
            "ctit_short_share 83.6% of 73 (73.4–90.3%, limit: above 30%)",
            "rule out: one-tap offers",
            "Time from click to conversion (73 conversions)",
            "0–10 s  83.6% ████",
            "Clicks by hour of the day (UTC)",
            "2026-03-02      31            2  ██",
            "conversions faster than a person can act (8 of 61)",
            "2026-03-15T15:27:09Z    1s  registration  approved   12.00  loan   DE       91.0.162.0/24",
            "click 6pq6pa366yzelzlxgm52 · transaction TX4821145186",
        ],
    );
    let words = page.split_whitespace().collect::<Vec<&str>>().join(" ");
    assert!(words.contains("if ctit_short_share fell from 61 of 73 (83.6%) to 29 of 73 (39.7%)"), "{page}");
    assert!(page.lines().count() < 160, "{page}");
}

#[test]
fn the_page_says_the_score_of_the_table() {
    let folder = Folder::of_sample();
    let score = crate::runs::source(&folder.report(PAIR), "2977431")["score"].as_f64();
    assert_eq!(score, Some(99.0));
    let page = page(&folder, "2977431");
    holds(&page, &["Risk 99.0 of 100, because paid-transactions-repeated proves itself"]);
}

#[test]
fn the_page_of_a_clean_source() {
    let folder = Folder::of_sample();
    let report = folder.report(PAIR);
    let clean = report["sources"].as_array().expect("groups").iter().find(|s| s["verdict"] == "clean");
    let name = clean.expect("a clean source")["key"]["source"].as_str().expect("a name").to_owned();
    let traffic = clean.expect("a clean source")["key"]["traffic_source"].as_str().expect("a name");
    let page = page(&folder, &format!("{traffic}/{name}"));
    holds(
        &page,
        &[&format!("{traffic}/{name}"), "CLEAN ", "No rule found anything.", "Nearest to a finding"],
    );
}

#[test]
fn the_page_of_an_undecided_source() {
    holds(
        &page(&Folder::of_sample(), "61877"),
        &[
            "pushly/61877",
            "UNDECIDED Nobody can tell yet",
            "These rules have to be answered before it can be called clean:",
            "conversions-too-fast: 26 more conversions with a CTIT (4 now, 30 needed for ctit_short_share);",
            "Conversions to look at: the newest",
        ],
    );
}

#[test]
fn the_document_says_what_the_report_says() {
    let folder = Folder::of_sample();
    let report = folder.report(PAIR);
    let mut document = folder.run(&format!("explain source 3098120 {PAIR} --format json")).exits(0).json();
    let mut source = crate::runs::source(&report, "3098120").clone();
    // The page is about one group: it also says what no group has, which a report says once for all.
    for of in [&mut document["source"], &mut source] {
        let absent = of.as_object_mut().expect("a group").remove("absent").expect("what is absent");
        assert!(absent.to_string().contains("second_deposit_share"), "{absent}");
    }
    assert_eq!(document["source"], source);
    assert_eq!(document["days"].as_array().map(Vec::len), Some(14));
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest() {
    let run = Folder::of_sample().run(&format!("explain source 309812 {PAIR}")).exits(2);
    assert_eq!(run.text(), "");
    run.says(&["no audited group is called `309812`", "did you mean 3098120"]);
}

#[test]
fn a_name_that_several_have_is_answered_with_the_choices() {
    let (clicks, conversions) = crate::runs::pair(&["bad"]);
    let network = |i: usize| if i.is_multiple_of(2) { "north" } else { "south" }.to_owned();
    let clicks = clicks.column("traffic_source", network).csv();
    let folder = Folder::new().with("clicks.csv", clicks).with("conversions.csv", conversions.csv());
    let several = folder.run(&format!("explain source bad {PAIR}")).exits(2);
    several.says(&["`bad` is the name of", "name one of them in full: ", "north/bad, south/bad"]);
    holds(&page(&folder, "north/bad"), &["north/bad"]);
}

#[test]
fn groups_of_another_grain_are_named_by_their_values() {
    let page =
        folder_of_pair(&["bad"]).run(&format!("explain source bad/campaign-2 {PAIR} --by source,campaign"));
    holds(&page.exits(0).text(), &["(none)/bad/campaign-2", "BLOCK "]);
}

#[test]
fn hostile_names_are_shown_harmlessly() {
    let name = "\u{1b}[31m*\u{202e}";
    let folder = folder_of_pair(&[name]);
    let output =
        folder.command("explain source").arg(name).args(PAIR.split(' ')).output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("\\u{1b}[31m*\\u{202e}") && !text.contains(['\u{1b}', '\u{202e}']), "{text}");
    let other = "\u{1b}]0;x\u{7}";
    let output =
        folder.command("explain source").arg(other).args(PAIR.split(' ')).output().expect("it starts");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && !message.contains(['\u{1b}', '\u{7}']), "{message}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = Folder::of_sample();
    let mut command = folder.command(&format!("explain source 3098120 {PAIR}"));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn exit_codes_are_those_of_an_audit() {
    let folder = folder_of_pair(&["bad"]);
    let run = |arguments: &str| folder.run(&format!("explain source {arguments} {PAIR}"));
    run("bad --fail-on block").exits(1).says(&["exit 1: the verdict is block"]);
    run("honest-1 --fail-on block").exits(0);
    run("bad -o json=report.json").exits(2).says(&["--output does not go with explain"]);
    run("bad --rejects rejects.csv").exits(2).says(&["--rejects does not go with explain"]);
    folder.run("explain source bad nothing.csv conversions.csv").exits(3);
    assert_eq!(folder.files(), ["clicks.csv", "conversions.csv"]);
    let late = run("bad --as-of 2026-06-01 --max-age 1h").exits(3);
    holds(&late.text(), &["This input cannot be judged as a whole"]);
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let folder = Folder::of_sample();
    let run = |n: u32| folder.run(&format!("explain source 3098120 {PAIR} --threads {n}")).exits(0).stdout;
    assert!(run(1) == run(3));
}
