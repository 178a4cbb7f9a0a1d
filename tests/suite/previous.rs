//! An earlier run beside this one: who is new, worse, better or cleared, in every output for people.

use crate::runs::Folder;

const AUDIT: &str = "audit clicks.csv conversions.csv";
/// The run before did not know these rules.
const LESS: &str = "--disable conversions-too-fast,conversions-often-fast,click-ids-reused";

/// The sample, and the report of a run before in both forms.
fn after_a_run() -> Folder {
    let folder = Folder::of_sample();
    folder.run(&format!("{AUDIT} {LESS} -q -o json=old.json -o ndjson=old.ndjson")).exits(0);
    folder
}

#[test]
fn what_changed_is_said_with_the_money() {
    let folder = after_a_run();
    let flags = "-q -o brief=brief.txt -o table=table.txt -o html=page.html -o json=new.json";
    folder.run(&format!("{AUDIT} --previous old.json {flags}")).exits(0);
    let brief = folder.text("brief.txt");
    let first = "Changed since 2026-03-15T23:59:52Z: 2 new (";
    assert!(brief.contains(first) && brief.contains("0 better, 0 cleared"), "{brief}");
    assert!(brief.contains("• new popmax/3098120 (484.63): "), "{brief}");
    assert!(brief.contains("Note: the runs have different rules"), "{brief}");
    assert!(folder.text("table.txt").contains("since 2026-03-15T23:59:52Z: 2 new ("));
    let page = folder.text("page.html");
    assert!(page.contains("What changed") && page.contains("new: popmax / 3098120, "));
    folder.run(&format!("{AUDIT} --previous old.ndjson -q -o brief=lines.txt")).exits(0);
    assert_eq!(folder.text("lines.txt"), brief, "the same report in lines");
    folder.run(&format!("{AUDIT} {LESS} --previous new.json -q -o brief=back.txt")).exits(0);
    assert!(
        folder.text("back.txt").contains("• cleared pushly/59418: hold to "),
        "{}",
        folder.text("back.txt")
    );
    folder.run(&format!("{AUDIT} -q -o brief=none.txt")).exits(0);
    assert!(folder.text("none.txt").contains("No earlier run is named"));
}

#[test]
fn nothing_changes_from_a_run_to_itself_even_where_names_are_masked() {
    let folder = Folder::of_sample();
    for by in ["source", "ip24", "ip"] {
        folder.run(&format!("{AUDIT} --by {by} -q -o json=old.json")).exits(0);
        folder.run(&format!("{AUDIT} --by {by} --previous old.json -q -o brief=brief.txt")).exits(0);
        let brief = folder.text("brief.txt");
        assert!(brief.contains("0 new, 0 worse, 0 better, 0 cleared\n"), "{by}: {brief}");
    }
}

#[test]
fn what_is_no_earlier_run_is_refused_before_any_work() {
    let folder = after_a_run();
    folder.run(&format!("{AUDIT} --previous clicks.csv")).exits(3).says(&["is no JSON report of an audit"]);
    folder.run(&format!("{AUDIT} --previous nowhere.json")).exits(3).says(&["cannot read nowhere.json"]);
    folder
        .run(&format!("{AUDIT} --by campaign --previous old.json"))
        .exits(2)
        .says(&["one run is by traffic_source,source", "name a report with the same --by"]);
    folder.run(&format!("{AUDIT} --previous old.json -o json=old.json")).exits(2);
}
