//! Lists through the program: dialects, destinations, and the list as a state.

use crate::runs::Folder;
use serde_json::Value;

/// The sample's report, and the IDs that it blocks.
fn audited() -> (Folder, Vec<String>) {
    let folder = Folder::of_sample();
    folder.run("audit clicks.csv conversions.csv -o json=report.json").exits(0);
    let report = folder.json("report.json");
    let ids = report["lists"]["block"]["ids"].as_array().expect("a list");
    let ids: Vec<String> = ids.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    assert!(ids.len() > 3, "{ids:?}");
    (folder, ids)
}

fn lines(ids: &[String]) -> String {
    ids.iter().map(|id| format!("{id}\n")).collect()
}

#[test]
fn a_list_is_planned_applied_and_stays() {
    let (folder, ids) = audited();
    let planned = folder.run("blocklist plan report.json --state lists --plan plan.json").exits(0).text();
    assert!(planned.contains(&format!("block list: +{} -0 =0", ids.len())), "{planned}");
    assert!(!folder.path("lists").exists(), "a plan changes nothing");
    folder.run("blocklist apply plan.json -o blocklist:lines=block.txt -o profit-list:csv=cut.csv").exits(0);
    assert_eq!(folder.text("block.txt"), lines(&ids));
    assert!(folder.text("cut.csv").starts_with("id,rule\n"), "{}", folder.text("cut.csv"));
    folder
        .run("blocklist apply report.json --state lists -o blocklist:lines=block.txt")
        .exits(0)
        .says(&["revision 1 was made from this report already"]);
    assert_eq!(folder.text("block.txt"), lines(&ids));
    let history = folder.run("blocklist history --state lists").exits(0).text();
    assert!(history.starts_with("revision    1"), "{history}");
}

#[test]
fn a_plan_that_something_has_changed_since_is_refused() {
    let (folder, _) = audited();
    folder.run("blocklist plan report.json --state lists --plan plan.json").exits(0);
    let report = folder.text("report.json");
    let folder = folder.with("report.json", report.replace("\"verdict\":\"hold\"", "\"verdict\":\"block\""));
    folder.run("blocklist apply plan.json").exits(3).says(&["report.json changed since the plan was made"]);
    let folder = folder.with("report.json", report);
    let plan = folder.text("plan.json");
    let folder = folder.with("plan.json", plan.replacen("\"times\": 1", "\"times\": 9", 1));
    folder.run("blocklist apply plan.json").exits(3).says(&["the plan itself"]);
    let folder = folder.with("plan.json", plan);
    folder.run("blocklist apply report.json --state lists").exits(0);
    folder.run("blocklist apply plan.json").exits(3).says(&["the list in lists changed since"]);
}

#[test]
fn the_brake_keeps_the_old_list_and_says_why_in_the_last_line() {
    let (folder, ids) = audited();
    let folder = folder.with("block.txt", "old\n");
    let run = folder
        .run("blocklist apply report.json --state lists --max-new 1 -o blocklist:lines=block.txt")
        .exits(4);
    let new = format!(
        "exit 4: safety brake max_new: the block list would get {} new entries, the limit is 1",
        ids.len()
    );
    assert_eq!(run.last_line(), new);
    assert_eq!(folder.text("block.txt"), "old\n");
    folder.run("blocklist history --state lists").exits(3).says(&["there is no list in lists"]);
}

#[test]
fn a_protected_id_leaves_the_list() {
    let (folder, ids) = audited();
    let folder = folder.with("protect.txt", &ids[0]);
    folder
        .run("blocklist apply report.json --state lists --protect protect.txt -o blocklist:lines=block.txt")
        .exits(0);
    assert_eq!(folder.text("block.txt"), lines(&ids[1..]));
    folder
        .with("protect.txt", "")
        .run("blocklist plan report.json --state new --protect protect.txt")
        .exits(2);
}

#[test]
fn a_list_that_was_edited_is_found_out() {
    let (folder, ids) = audited();
    folder.run("blocklist apply report.json --state lists -o blocklist:comma=block.txt").exits(0);
    let check = "blocklist verify block.txt --of blocklist:comma --state lists";
    folder.run(check).exits(0);
    let folder = folder.with("block.txt", format!("{},1.58E+18", ids[1..].join(",")));
    folder.run(check).exits(3).says(&["exit 3: the list is not as it should be; do not upload it"]);
    let told = folder.run(check).exits(3).text();
    assert!(told.contains("1 number in scientific notation"), "{told}");
    assert!(told.contains(&format!("1 entry of the applied list that is missing: `{}`", ids[0])), "{told}");
    let json = folder.run(&format!("{check} --format json")).exits(3).json();
    assert_eq!(json.as_array().map(Vec::len), Some(4), "{json}");
}

#[test]
fn an_earlier_revision_can_be_restored() {
    let (folder, ids) = audited();
    folder.run("blocklist apply report.json --state lists").exits(0);
    let later = folder.text("report.json").replace("2026-03-15T23:59:52Z", "2026-03-17T00:00:00Z");
    let folder = folder.with("later.json", later.replace("\"verdict\":\"hold\"", "\"verdict\":\"block\""));
    let wide = "--max-click-share 1 --max-spend-share 1 --max-revenue-share 1 --max-source-share 1";
    folder.run(&format!("blocklist apply later.json --state lists {wide}")).exits(0);
    folder.run("blocklist apply report.json --state lists").exits(3).says(&["older than what stands"]);
    let run = folder.run("blocklist restore 1 --state lists -o blocklist:lines=block.txt --by anna").exits(0);
    assert_eq!(run.last_line(), "revision 3 is revision 1 again");
    assert_eq!(folder.text("block.txt"), lines(&ids));
    let history = folder.run("blocklist history --state lists").exits(0).text();
    assert!(history.contains("restore 1, by anna: +0 -"), "{history}");
    assert!(history.contains(": taken off by restore 1"), "{history}");
    folder.run("blocklist restore 9 --state lists").exits(3);
}

#[test]
fn what_ran_out_is_not_restored() {
    let (folder, ids) = audited();
    folder.run("blocklist apply report.json --state lists").exits(0);
    let later = folder.text("report.json").replace("2026-03-15T23:59:52Z", "2026-04-15T00:00:00Z");
    let folder = folder.with("later.json", later.replace("\"verdict\":\"block\"", "\"verdict\":\"hold\""));
    folder.run("blocklist apply later.json --state lists").exits(0);
    let run = folder.run("blocklist restore 1 --state lists -o blocklist:lines=block.txt").exits(0);
    assert_eq!(folder.text("block.txt"), "", "the time of all had run out");
    let told = run.last_line();
    assert!(told.contains("that had run out by 2026-04-15T00:00:00Z"), "{told}");
    let history = folder.run(&format!("blocklist history --state lists {}", ids[0])).exits(0).text();
    assert!(history.contains(": run out"), "{history}");
}

#[test]
fn a_protected_source_stays_off_whatever_is_restored() {
    let (folder, ids) = audited();
    let folder = folder.with("protect.txt", &ids[0]);
    folder.run("blocklist apply report.json --state lists").exits(0);
    folder.run("blocklist apply report.json --state lists --protect protect.txt").exits(0);
    let restored = "blocklist restore 1 --state lists -o blocklist:lines=block.txt";
    let run = folder.run(restored).exits(0);
    assert_eq!(run.last_line(), "revision 3 is revision 1 again, without 1 that is protected");
    assert_eq!(folder.text("block.txt"), lines(&ids[1..]));
    let history = folder.run(&format!("blocklist history --state lists {}", ids[0])).exits(0).text();
    assert!(history.contains(": protected"), "{history}");
    let folder = folder.with("protect.txt", &ids[1]);
    folder.run(&format!("{restored} --protect protect.txt")).exits(0);
    assert_eq!(folder.text("block.txt"), lines(&ids[2..]), "both, the one of before and the new one");
    let folder = folder.with("protect.txt", &ids[2]);
    folder.run("blocklist render --state lists --protect protect.txt -o blocklist:lines=block.txt").exits(0);
    assert_eq!(folder.text("block.txt"), lines(&ids[3..]));
}

#[test]
fn who_is_blocked_is_no_longer_to_be_scaled() {
    let (folder, ids) = audited();
    let loose = folder.text("report.json").replace("\"verdict\":\"block\"", "\"verdict\":\"clean\"");
    let loose = loose.replace("\"scalable\":false", "\"scalable\":true");
    let folder = folder.with("loose.json", loose);
    folder.run("blocklist apply loose.json --state lists -o scale-list:json=scale.txt").exits(4);
    folder
        .run("blocklist apply loose.json --state lists -o scale-list:csv=scale-{traffic_source}.csv")
        .exits(0);
    assert!(folder.text("scale-popmax.csv").contains(&ids[0]));
    let lists = "-o scale-list:csv=scale-{traffic_source}.csv -o blocklist:lines=block.txt";
    folder.run(&format!("blocklist apply report.json --state lists {lists}")).exits(0);
    assert_eq!(folder.text("block.txt"), lines(&ids));
    let scale = folder.text("scale-popmax.csv");
    assert!(ids.iter().all(|id| !scale.contains(id)), "{scale}");
    let history = folder.run(&format!("blocklist history --state lists {}", ids[0])).exits(0).text();
    assert!(history.contains("no longer to be scaled"), "{history}");
}

#[test]
fn an_audit_writes_any_dialect_and_by_destination() {
    let (folder, ids) = audited();
    let comma = format!("{}\n", ids.join(","));
    folder
        .run("audit clicks.csv conversions.csv -o blocklist:comma=block.txt -o blocklist:paths=out/{traffic_source}.txt")
        .exits(0);
    assert_eq!(folder.text("block.txt"), comma);
    let paths: String = ids.iter().map(|id| format!("{id}:*:*\n")).collect();
    assert_eq!(folder.text("out/popmax.txt"), paths);
    assert_eq!(folder.text("out/pushly.txt"), "", "nothing is blocked there, and an old list must not stand");
    folder
        .run("audit clicks.csv conversions.csv -o blocklist:lines=out/{offer}.txt -o json=again.json")
        .exits(2)
        .says(&["{offer} is no column of the groups; they have traffic_source, source"]);
    folder
        .run("audit clicks.csv conversions.csv -o blocklist:lines=out/{traffic_source}/{source} -o json=again.json")
        .exits(2)
        .says(&["nothing is left to be listed"]);
    assert!(!folder.path("again.json").exists(), "nothing is read, nothing is written");
}

#[test]
fn a_list_of_addresses_needs_groups_that_are_addresses() {
    let (folder, _) = audited();
    let folder = folder.with("deny.conf", "deny 1.2.3.0/24;\n");
    let why = "nginx lists addresses, and the groups are made of traffic_source, source";
    folder.run("audit clicks.csv conversions.csv -o blocklist:nginx=deny.conf").exits(2).says(&[why]);
    folder
        .run("blocklist apply report.json --state lists -o blocklist:nginx=deny.conf")
        .exits(2)
        .says(&[why]);
    assert_eq!(folder.text("deny.conf"), "deny 1.2.3.0/24;\n");
    assert!(!folder.path("lists/revision-000001.json").exists(), "nothing is changed");
    folder
        .run("audit clicks.csv conversions.csv --by ip -o blocklist:nginx=deny.conf --widest-ipv4 4")
        .exits(2);
}

#[test]
fn a_list_that_nothing_can_stand_on_stays_as_it_was() {
    let (folder, ids) = audited();
    let strange = |report: String, id: &String| {
        report.replace(&format!("\"source\":\"{id}\""), &format!("\"source\":\"{id},\""))
    };
    let report = ids.iter().fold(folder.text("report.json"), strange);
    let folder = folder.with("strange.json", report);
    let folder = folder.with("block.txt", "old\n");
    let run = folder.run("blocklist apply strange.json --state lists -o blocklist:lines=block.txt").exits(4);
    run.says(&[&format!("none of the {} listed IDs can stand on it", ids.len())]);
    assert_eq!(folder.text("block.txt"), "old\n");
    assert!(!folder.path("lists/revision-000001.json").exists(), "nothing is changed");
}

#[test]
fn a_report_that_a_gate_stopped_fills_no_list() {
    let (folder, _) = audited();
    let folder = folder.with("empty.csv", "click_id,conversion_time\n");
    folder.run("audit clicks.csv empty.csv -o json=gated.json").exits(3);
    folder
        .run("blocklist plan gated.json --state lists")
        .exits(3)
        .says(&["the report may fill no list: gate"]);
    folder.run("blocklist plan clicks.csv --state lists").exits(3).says(&["the report is no JSON"]);
}

#[test]
fn two_who_apply_at_once_are_one_after_the_other() {
    let (folder, _) = audited();
    let commands: Vec<_> = (0..8)
        .map(|_| folder.command("blocklist apply report.json --state lists").spawn().expect("started"))
        .collect();
    let codes: Vec<Option<i32>> =
        commands.into_iter().map(|mut child| child.wait().expect("ended").code()).collect();
    assert!(codes.iter().all(|code| matches!(code, Some(0 | 6))), "{codes:?}");
    let history = folder.run("blocklist history --state lists").exits(0).text();
    assert_eq!(history.lines().filter(|l| l.starts_with("revision")).count(), 1, "{history}");
}
