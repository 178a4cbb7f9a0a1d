//! Folders with exports as tests of rules: through the whole audit, with a fixed clock.

use crate::runs::{Folder, folder_of_pair, project};
use std::fs;

/// What the small pair comes to, with the clock at its end.
fn told() -> Folder {
    let folder = folder_of_pair(&["bad"]);
    folder.run("rules test . --update").exits(0).says(&["wrote ./expected.yml"]);
    folder
}

/// A folder whose expectation has this in place of that.
fn with(folder: Folder, old: &str, new: &str) -> Folder {
    let text = folder.text("expected.yml");
    assert!(text.contains(old), "{text}");
    folder.with("expected.yml", text.replace(old, new))
}

#[test]
fn an_update_writes_what_the_test_expects() {
    let folder = told();
    let text = folder.text("expected.yml");
    assert!(text.contains("source: \"bad\"}\n    verdict: block\n    fires: ["), "{text}");
    folder.run("rules test .").exits(0).says(&["1 folder test passed"]);
    folder.run("rules test . --update").exits(0);
    assert_eq!(folder.text("expected.yml"), text, "a second update changes nothing");
}

#[test]
fn an_unexpected_finding_fails() {
    let folder = told();
    let clock = folder.text("expected.yml").lines().next().expect("the clock").to_owned();
    let folder = folder.with("expected.yml", format!("{clock}\ngroups: []\n"));
    let run = folder.run("rules test .").exits(2);
    run.says(&[
        "nothing was expected of",
        "source bad",
        "+ verdict: block",
        "+ fires: conversions-too-fast (",
    ]);
}

#[test]
fn differences_are_shown_line_by_line() {
    let folder = with(told(), "verdict: block", "verdict: hold");
    folder.run("rules test .").exits(2).says(&["- verdict: hold", "+ verdict: block", "expected.yml:"]);
    let folder = with(told(), "conversions-too-fast", "loss-making");
    folder.run("rules test .").exits(2).says(&["- fires: loss-making", "+ fires: conversions-too-fast ("]);
    let folder = with(told(), "source: \"bad\"", "source: \"worse\"");
    folder
        .run("rules test .")
        .exits(2)
        .says(&["source worse is not as expected", "+ there is no such group"]);
    let folder = told();
    let more = folder.text("expected.yml") + "rejects: {bad_time: 3}\n";
    let json = folder.with("expected.yml", more).run("rules test . --format json").exits(2);
    assert!(json.text().contains("\"help\":\"- bad_time: 3\\n+ bad_time: 0\""), "{}", json.text());
}

#[test]
fn silent_and_unknown_answers_are_held_to_what_is_said() {
    let folder = with(told(), "    fires: [", "    silent: [no-such-rule]\n    fires: [");
    folder.run("rules test .").exits(2).says(&["no rule of this run is called `no-such-rule`"]);
    let folder = with(told(), "    fires: [", "    unknown: [conversions-before-click]\n    fires: [");
    folder
        .run("rules test .")
        .exits(2)
        .says(&["- unknown: conversions-before-click", "+ silent: conversions-before-click"]);
}

#[test]
fn the_project_file_of_the_folder_holds_and_names_files_from_there() {
    let folder = told();
    fs::create_dir(folder.path("inner")).expect("a folder");
    for name in ["clicks.csv", "conversions.csv", "expected.yml"] {
        fs::rename(folder.path(name), folder.path("inner").join(name)).expect("it is there");
    }
    fs::rename(folder.path("inner/clicks.csv"), folder.path("inner/our-clicks.csv")).expect("it is there");
    let project =
        "clicks: [our-clicks.csv]\nconversions: [conversions.csv]\ndisable: [conversions-too-fast]\n";
    fs::write(folder.path("inner/clickaudit.yaml"), project).expect("a project file");
    let run = folder.run("rules test inner").exits(2);
    run.says(&["no rule of this run is called `conversions-too-fast`", "inner/expected.yml"]);
    folder.run("rules test inner --update").exits(2);
    fs::write(folder.path("inner/expected.yml"), "as_of: 2026-03-09\n").expect("an expectation");
    let run = folder.run("rules test .").exits(2);
    assert!(!run.text().contains("conversions-too-fast"));
}

#[test]
fn a_folder_without_expectation_is_no_passed_test() {
    let folder = folder_of_pair(&["bad"]);
    folder.run("rules test .").exits(2).says(&["nothing says what is expected of them", "--update"]);
    let folder = folder.with("expected.yml", "groups: []\n");
    folder.run("rules test .").exits(2).says(&["the key `as_of` is missing"]);
    folder.run("rules test . --update").exits(2);
    assert_eq!(folder.text("expected.yml"), "groups: []\n", "what is wrong is not overwritten");
}

#[test]
fn a_broken_export_names_its_folder() {
    let folder = Folder::new().with("clicks.csv", "a,b\n1,2\n").with("expected.yml", "as_of: 2026-03-09\n");
    folder.run("rules test .").exits(3).says(&[".: ", "clicks.csv"]);
}

#[test]
fn rules_beside_a_folder_are_those_that_are_tested() {
    let folder = told();
    fs::create_dir_all(folder.path("mine/case")).expect("a folder");
    for name in ["clicks.csv", "conversions.csv"] {
        fs::copy(folder.path(name), folder.path("mine/case").join(name)).expect("it is there");
    }
    let rule = "id: any-clicks\ntitle: T\nstatus: experimental\nclass: data\naction: watch\nwhy: W\n\
                when: {test: {signal: click_count, above: 1}}\n";
    fs::write(folder.path("mine/any-clicks.yml"), rule).expect("a rule");
    folder.run("rules test mine --update").exits(0);
    let text = fs::read_to_string(folder.path("mine/case/expected.yml")).expect("an expectation");
    assert!(text.contains("fires: [any-clicks]") && !text.contains("conversions-too-fast"), "{text}");
    folder.run("rules test mine").exits(0).says(&["1 folder test passed"]);
    folder.run("rules check mine").exits(0).says(&["1 rule file, no faults"]);
}

#[test]
fn the_shipped_folders_pass() {
    let folder = Folder::new();
    let cases = project("rules/cases").display().to_string();
    folder.run(&format!("rules test {cases}")).exits(0).says(&["folder tests passed"]);
}
