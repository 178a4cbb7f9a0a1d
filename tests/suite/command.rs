//! The command line as scripts see it: exit codes, both streams, which file or flag wins, and what never
//! reaches a list or a terminal.

use crate::runs::{BEFORE, Folder, folder_of_pair, pair, project, source, verdicts};
use std::fs::File;
use std::process::Stdio;

const AUDIT: &str = "audit clicks.csv conversions.csv";
const LIST: &str = "-o blocklist:lines=block.txt";
const OPEN: &str =
    "--max-source-share 100% --max-click-share 100% --max-spend-share 100% --max-revenue-share 100%";

// ---------------------------------------------------------------- streams

#[test]
fn a_list_in_a_pipe_is_its_ids_and_nothing_else() {
    let run = folder_of_pair(&["zeta", "alpha"]).run(&format!("{AUDIT} -o blocklist:lines=- -q")).exits(0);
    assert_eq!((run.text().as_str(), run.stderr.as_str()), ("alpha\nzeta\n", ""));
}

#[test]
fn quiet_success_is_silent() {
    let folder = folder_of_pair(&["bad"]);
    for outputs in ["", LIST, "-o json=report.json -o csv=report.csv", "--rejects rejects.csv"] {
        let run = folder.run(&format!("{AUDIT} -q {outputs}")).exits(0);
        assert_eq!((run.text().as_str(), run.stderr.as_str()), ("", ""), "{outputs}");
    }
    let written = ["block.txt", "clicks.csv", "conversions.csv", "rejects.csv", "report.csv", "report.json"];
    assert_eq!(folder.files(), written);
}

#[test]
fn without_an_output_the_table_goes_to_stdout() {
    let run = folder_of_pair(&["bad"]).run(AUDIT).exits(0);
    assert!(
        run.text().lines().any(|line| line.starts_with("block") && line.contains("bad")),
        "{}",
        run.text()
    );
    assert_eq!(run.messages(), "");
    assert!(run.stderr.ends_with(" stable; pack core\n"), "{}", run.stderr);
}

#[test]
fn written_files_are_told_on_stderr() {
    let run = folder_of_pair(&["bad"]).run(&format!("{AUDIT} {LIST} -o json=-")).exits(0);
    assert_eq!(run.messages(), "wrote block.txt\n");
    run.json();
}

#[test]
fn a_full_stdout_is_a_failed_output() {
    let folder = folder_of_pair(&["bad"]);
    for format in ["json", "table", "csv", "blocklist:lines"] {
        let full = File::options().write(true).open("/dev/full").expect("a device that is always full");
        let mut command = folder.command(&format!("{AUDIT} -q -o {format}=-"));
        let output = command.stdout(full).output().expect("the program starts");
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(5), "{format}: {message}");
        assert!(message.contains("cannot write to stdout"), "{message}");
        assert!(message.lines().last().is_some_and(|l| l.starts_with("exit 5: ")), "{message}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = folder_of_pair(&["bad"]);
    let mut command = folder.command(&format!("{AUDIT} -o json=- {LIST} --fail-on block"));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(folder.text("block.txt"), "bad\n");
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let folder = Folder::of_sample();
    let [one, three] = [1, 3].map(|n| folder.run(&format!("{AUDIT} -o json=- --threads {n}")).exits(0));
    assert!(one.stdout == three.stdout);
}

// ---------------------------------------------------------------- exit codes

#[test]
fn help_lists_the_exit_codes() {
    let run = Folder::new().run("--help").exits(0);
    let text = run.text();
    let (_, codes) = text.split_once("Exit codes:\n").expect("a table of exit codes");
    let number = |line: &str| line.split_whitespace().next().and_then(|word| word.parse::<u8>().ok());
    let numbers: Vec<u8> = codes.lines().filter_map(number).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 70]);
}

#[test]
fn findings_fail_only_when_asked() {
    let (bad, honest) = (folder_of_pair(&["bad"]), folder_of_pair(&[]));
    bad.run(&format!("{AUDIT} -q")).exits(0);
    for verdict in ["block", "hold", "watch"] {
        let run = bad.run(&format!("{AUDIT} --fail-on {verdict}")).exits(1);
        assert_eq!(run.messages(), format!("exit 1: there are verdicts of {verdict} or graver\n"));
        honest.run(&format!("{AUDIT} --fail-on {verdict}")).exits(0);
    }
    let quiet = bad.run(&format!("{AUDIT} -q --fail-on block")).exits(1);
    assert_eq!((quiet.text().as_str(), quiet.stderr.as_str()), ("", ""));
}

#[test]
fn a_brake_keeps_the_old_list_and_writes_the_rest() {
    for (limit, name) in
        [("--max-click-share 4%", "max_click_share"), ("--max-spend-share 0.04", "max_spend_share")]
    {
        let folder = folder_of_pair(&["bad"]).with("block.txt", BEFORE);
        let run = folder.run(&format!("{AUDIT} {LIST} -o json=report.json -q {limit}")).exits(4);
        let reason = format!("exit 4: blocklist:lines: safety brake {name}: ");
        assert!(run.last_line().starts_with(&reason), "{}", run.stderr);
        assert_eq!(folder.text("block.txt"), BEFORE);
        let report = folder.json("report.json");
        assert_eq!(source(&report, "bad")["verdict"], "block");
        assert!(report["lists"]["block"]["withheld"].as_str().is_some_and(|why| why.contains(name)));
    }
    // Sixty of 1,260 clicks are 4.8 %.
    folder_of_pair(&["bad"]).run(&format!("{AUDIT} {LIST} -q --max-click-share 5%")).exits(0);
}

#[test]
fn a_brake_matters_only_where_a_list_is_asked_for() {
    folder_of_pair(&["bad"]).run(&format!("{AUDIT} -o json=- --max-click-share 1%")).exits(0);
}

#[test]
fn wrong_usage_is_told_apart_from_wrong_input() {
    let folder = folder_of_pair(&["bad"]);
    let usage = [
        "audit",
        "audit clicks.csv conversions.csv --combined clicks.csv",
        "audit clicks.csv conversions.csv --by zone",
        "audit clicks.csv conversions.csv -o jsn=-",
        "audit clicks.csv conversions.csv -o json=- -o csv=-",
        "audit clicks.csv conversions.csv --preset nope",
        "audit clicks.csv conversions.csv --perspective mine",
        "audit clicks.csv conversions.csv --max-click-share 5",
        "audit clicks.csv conversions.csv --tz Berlin",
        "audit clicks.csv conversions.csv --as-of yesterday",
        "audit clicks.csv conversions.csv --fail-on clean",
        "audit clicks.csv conversions.csv --wrong",
        "adit clicks.csv conversions.csv",
    ];
    for arguments in usage {
        let run = folder.run(arguments).exits(2);
        assert!(run.stdout.is_empty() && !run.stderr.is_empty(), "{arguments}");
    }
    folder.run("audit missing.csv conversions.csv").exits(3).says(&["missing.csv"]);
}

// ---------------------------------------------------------------- lists

#[test]
fn who_is_protected_is_judged_and_not_listed() {
    for entry in ["bad", "b*", "# ours\n\n*ad  # a partner"] {
        let folder = folder_of_pair(&["bad", "worse"]).with("protect.txt", entry);
        let arguments = format!("{AUDIT} -q {LIST} -o json=- --protect protect.txt --fail-on block");
        let report = folder.run(&arguments).exits(1).json();
        assert_eq!(folder.text("block.txt"), "worse\n", "{entry}");
        let bad = source(&report, "bad");
        assert_eq!((&bad["verdict"], &bad["protected"]), (&"block".into(), &true.into()), "{entry}");
    }
}

#[test]
fn a_protected_group_does_not_fail_a_run() {
    let folder = folder_of_pair(&["bad"]).with("protect.txt", "bad\n");
    folder.run(&format!("{AUDIT} -q --protect protect.txt --fail-on watch")).exits(0);
    folder.run(&format!("{AUDIT} -q --fail-on watch")).exits(1);
}

#[test]
fn a_protect_list_that_protects_nobody_is_an_error() {
    let folder = folder_of_pair(&["bad"]).with("empty.txt", "# nobody yet\n").with("block.txt", BEFORE);
    for (list, says) in [("missing.txt", "cannot read the protect list"), ("empty.txt", "holds no ID")] {
        folder.run(&format!("{AUDIT} {LIST} --protect {list}")).exits(2).says(&[list, says]);
    }
    assert_eq!(folder.text("block.txt"), BEFORE);
}

#[test]
fn two_traffic_sources_need_to_be_told_which_one_the_list_is_for() {
    let (clicks, conversions) = pair(&["one", "two"]);
    let at = clicks.at("source");
    let networks: Vec<&str> =
        clicks.rows.iter().map(|row| if row[at] == "one" { "north" } else { "south" }).collect();
    let clicks = clicks.clone().column("traffic_source", |i| networks[i].to_owned());
    let folder = Folder::new()
        .with("clicks.csv", clicks.csv())
        .with("conversions.csv", conversions.without("source").csv())
        .with("block.txt", BEFORE);
    let run = folder.run(&format!("{AUDIT} {LIST}")).exits(4);
    assert!(run.last_line().contains("2 traffic sources (north, south)"), "{}", run.stderr);
    assert!(run.last_line().contains("--list-for"), "{}", run.stderr);
    assert_eq!(folder.text("block.txt"), BEFORE);
    for (network, list) in [("north", "one\n"), ("south", "two\n")] {
        folder.run(&format!("{AUDIT} {LIST} --list-for {network}")).exits(0);
        assert_eq!(folder.text("block.txt"), list);
    }
    folder.run(&format!("{AUDIT} {LIST} --list-for east")).exits(4).says(&["east", "north, south"]);
}

/// Names that a list, a spreadsheet or a terminal would take for something else.
const HOSTILE: &[&str] = &[
    "*",
    "34567::*",
    "{zone}",
    "=1+1",
    "\u{1b}[31mred\u{7}",
    "a,b",
    "#c",
    "null",
    "\u{202e}evil",
    "<script>",
];

#[test]
fn hostile_ids_reach_no_list() {
    let names: Vec<&str> = HOSTILE.iter().copied().chain(["bad"]).collect();
    let run = folder_of_pair(&names).run(&format!("{AUDIT} {OPEN} -o blocklist:lines=-")).exits(0);
    assert_eq!(run.text(), "bad\n");
    assert_eq!(run.stderr.matches("is not listed").count(), HOSTILE.len(), "{}", run.stderr);
    tame(&run.stderr);
}

#[test]
fn hostile_ids_are_shown_harmlessly() {
    let folder = folder_of_pair(HOSTILE);
    for outputs in ["", "-o json=-", "-o csv=-"] {
        let run = folder.run(&format!("{AUDIT} {outputs} --color always")).exits(0);
        let text = run.text();
        let text = if outputs.is_empty() { without_colour(&text) } else { text };
        tame(&text);
        assert!(text.contains("[31mred"), "{text}");
    }
}

#[test]
fn hostile_ids_are_no_formulas() {
    let text = folder_of_pair(HOSTILE).run(&format!("{AUDIT} -o csv=-")).exits(0).text();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let cells =
        reader.records().flat_map(|r| r.expect("a row").iter().map(str::to_owned).collect::<Vec<_>>());
    let formulas: Vec<String> = cells.filter(|c| c.starts_with('=') || c.starts_with('@')).collect();
    assert_eq!(formulas, [""; 0]);
    assert!(text.contains("'=1+1"), "{text}");
}

/// The program's own colours taken out of its table.
fn without_colour(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| {
        let end = part.find('m').filter(|end| part[1..*end].chars().all(|c| c.is_ascii_digit() || c == ';'));
        let end = end.unwrap_or_else(|| panic!("an escape that is no colour: {part:?}"));
        out + &part[end + 1..]
    })
}

/// Nothing that a terminal obeys.
#[track_caller]
fn tame(text: &str) {
    let acts = |c: &char| (c.is_control() && !"\n\r".contains(*c)) || ('\u{202a}'..='\u{202e}').contains(c);
    assert_eq!(text.chars().find(acts), None, "{text:?}");
}

// ---------------------------------------------------------------- groups

#[test]
fn groups_are_made_by_any_columns() {
    let folder = folder_of_pair(&["bad"]);
    let report = folder.report(&format!("clicks.csv conversions.csv --by campaign {OPEN}"));
    let groups = report["sources"].as_array().expect("the groups");
    let mut campaigns: Vec<&str> = groups.iter().filter_map(|g| g["key"]["campaign"].as_str()).collect();
    campaigns.sort_unstable();
    assert_eq!(campaigns, ["campaign-0", "campaign-1", "campaign-2"]);
    assert_eq!(report["lists"]["block"]["ids"], serde_json::json!(["campaign-2"]));
    folder.run(&format!("{AUDIT} --by campain")).exits(2).says(&["campain", "campaign"]);
    folder.run(&format!("{AUDIT} --by country")).exits(3).says(&["country"]);
}

#[test]
fn a_line_of_a_list_joins_the_columns_of_its_group() {
    let (clicks, conversions) = pair(&["bad"]);
    let clicks = clicks.renamed("campaign", "placement");
    let folder = Folder::new().with("clicks.csv", clicks.csv()).with("conversions.csv", conversions.csv());
    let run = folder.run(&format!("{AUDIT} -q --by source,sub_source -o blocklist:lines=-")).exits(0);
    assert_eq!(run.text(), "bad:campaign-2\n");
}

// ---------------------------------------------------------------- mappings and rules

#[test]
fn a_mapping_file_names_the_columns() {
    let (clicks, conversions) = pair(&["bad"]);
    let clicks = clicks.renamed("source", "Where From").renamed("click_time", "When");
    let folder = Folder::new()
        .with("clicks.csv", clicks.csv())
        .with("conversions.csv", conversions.csv())
        .with("map.yaml", "clicks: {columns: {source: Where From, click_time: When}}\n")
        .with("wrong.yaml", "clicks:\n  colums: {source: Where From}\n")
        .with("absent.yaml", "clicks: {columns: {source: Where Form, click_time: When}}\n");
    let report = folder.report("clicks.csv conversions.csv --map map.yaml");
    assert_eq!(report["lists"]["block"]["ids"], serde_json::json!(["bad"]));
    folder.run(&format!("{AUDIT} --map wrong.yaml")).exits(2).says(&["wrong.yaml:2", "colums", "columns"]);
    folder.run(&format!("{AUDIT} --map absent.yaml")).exits(3).says(&["Where Form", "Where From"]);
    folder.run(&format!("{AUDIT} --map missing.yaml")).exits(2).says(&["missing.yaml"]);
}

#[test]
fn a_preset_reads_the_files_it_is_made_for() {
    let file = "ip,app,device,os,channel,click_time,attributed_time,is_attributed\n\
                1,12,1,13,497,2017-11-07 09:30:38,,0\n\
                2,12,1,13,497,2017-11-07 09:31:38,2017-11-07 09:31:48,1\n";
    let folder = Folder::new().with("rows.csv", file);
    let report = folder.report("--combined rows.csv --preset talkingdata");
    assert_eq!(verdicts(&report), [("497".to_owned(), "undecided".to_owned())]);
    assert_eq!(report["run"]["inputs"][0]["preset"], "talkingdata");
    folder
        .run("audit --combined rows.csv --preset generic")
        .exits(3)
        .says(&["no input has a column for source"]);
    let told = folder.report("--combined rows.csv");
    assert_eq!(told["run"]["inputs"][0]["preset"], "talkingdata");
    let note = told["coverage"]["notes"][0].as_str().unwrap_or_default();
    assert!(note.contains("is read as talkingdata"), "{note}");
}

const RULE: &str = "\
id: too-many-conversions
title: More than ten conversions
status: stable
class: fraud
action: block
alone: true
decides: true
why: A rule of a test.
innocent: [everything]
references: [none]
when: {test: {signal: ctit_short_share, above: 1%, min_sample: 30}}
tests:
  - {name: fires, given: {ctit_short_share: {x: 20, n: 40}}, expect: fires}
  - {name: stays silent, given: {ctit_short_share: {x: 0, n: 40}}, expect: silent}
";

#[test]
fn rules_replace_the_built_in_ones_or_join_them() {
    let folder = folder_of_pair(&["bad"]);
    std::fs::create_dir(folder.path("own")).expect("a folder for rules");
    let folder = folder.with("own/too-many-conversions.yml", RULE).with("broken.yml", "id: broken\n");
    let count = |arguments: &str| {
        let report = folder.report(&format!("clicks.csv conversions.csv {arguments}"));
        report["run"]["rules_count"].as_u64().expect("a number")
    };
    let built_in = count("");
    assert!(built_in >= 15, "{built_in} built-in rules");
    assert_eq!((count("--rules own"), count("--add-rules own")), (1, built_in + 1));
    let report = folder.report("clicks.csv conversions.csv --rules own");
    assert_eq!(source(&report, "bad")["findings"][0]["rule"], "too-many-conversions");
    let run = folder.run(&format!("{AUDIT} --add-rules broken.yml -o json=report.json")).exits(2);
    run.says(&["broken.yml:1", "the rules have faults"]);
    assert!(!folder.path("report.json").exists());
}

#[test]
fn the_built_in_rules_have_no_faults_and_pass_their_tests() {
    let folder = Folder::new();
    for action in ["check", "test"] {
        folder.run(&format!("rules {action}")).exits(0);
        folder.run(&format!("rules {action} {}", project("rules").display())).exits(0);
    }
}

// ---------------------------------------------------------------- the project file

const PROJECT: &str = "\
clicks: [clicks.csv]
conversions: [conversions.csv]
by: campaign
output: [json=-]
max_click_share: 100%
max_spend_share: 100%
mapping:
  main_event: lead
protect_ids: [campaign-1]
";

/// The columns that a run's groups are made of.
fn grain(folder: &Folder, arguments: &str) -> String {
    folder.run(arguments).exits(0).json()["run"]["grain"].to_string()
}

#[test]
fn a_project_file_says_what_flags_say_and_flags_win() {
    let folder = folder_of_pair(&["bad"]).with("clickaudit.yaml", PROJECT);
    assert_eq!(grain(&folder, "audit"), r#"["campaign"]"#);
    assert_eq!(grain(&folder, "audit --by source"), r#"["traffic_source","source"]"#);
    assert_eq!(grain(&folder, "audit clicks.csv"), r#"["campaign"]"#);
    assert_eq!(grain(&folder, &format!("{AUDIT} --no-config -o json=-")), r#"["traffic_source","source"]"#);
    let report = folder.run("audit").exits(0).json();
    let groups = report["sources"].as_array().expect("the groups");
    let protected: Vec<&str> = groups
        .iter()
        .filter(|g| g["protected"] == true)
        .filter_map(|g| g["key"]["campaign"].as_str())
        .collect();
    assert_eq!(protected, ["campaign-1"]);
    folder.run("audit --no-config").exits(2).says(&["no input is named"]);
}

#[test]
fn a_project_file_can_be_named() {
    let folder = folder_of_pair(&["bad"]).with("other.yaml", PROJECT).with("clickaudit.yaml", "by: source\n");
    assert_eq!(grain(&folder, "audit --config other.yaml"), r#"["campaign"]"#);
    let output = folder.command("audit").env("CLICKAUDIT_CONFIG", "other.yaml").output();
    let output = output.expect("the program starts");
    assert!(String::from_utf8_lossy(&output.stdout).contains(r#""campaign":"campaign-0""#));
    folder.run("audit --config missing.yaml").exits(2).says(&["missing.yaml"]);
}

#[test]
fn a_wrong_key_in_a_project_file_is_shown_where_it_stands() {
    let folder = folder_of_pair(&["bad"]).with("clickaudit.yaml", "by: source\nfail_one: block\n");
    folder.run(AUDIT).exits(2).says(&["clickaudit.yaml:2", "fail_one", "fail_on"]);
    folder.run(&format!("{AUDIT} --no-config -q")).exits(0);
}

#[test]
fn no_project_file_is_picked_up_from_a_folder_above() {
    let folder = folder_of_pair(&["bad"]).with("clickaudit.yaml", PROJECT);
    std::fs::create_dir(folder.path("below")).expect("a folder below");
    let output = folder.command("audit").current_dir(folder.path("below")).output();
    assert_eq!(output.expect("the program starts").status.code(), Some(2));
}

#[test]
fn timings_name_every_stage_and_change_no_output() {
    let folder = Folder::of_sample();
    let plain = folder.run("audit clicks.csv conversions.csv").exits(0);
    let timed = folder.run("audit clicks.csv conversions.csv --timings=json").exits(0);
    assert_eq!(plain.stdout, timed.stdout);
    let line = timed.stderr.lines().find(|line| line.starts_with("{\"timings\"")).expect("a line of JSON");
    let laps: serde_json::Value = serde_json::from_str(line).expect("JSON");
    let laps = laps["timings"].as_array().expect("a list");
    let stages: Vec<&str> = laps.iter().filter_map(|lap| lap["stage"].as_str()).collect();
    assert_eq!(stages, ["ingest", "clean", "matching", "measures", "peers", "rules", "report", "outputs"]);
    assert!(laps.iter().all(|lap| lap["wall_s"].as_f64().is_some_and(|s| s >= 0.0)));
    let steps = laps[3]["steps"].as_array().expect("the steps of measures");
    let steps: Vec<&str> = steps.iter().filter_map(|step| step["step"].as_str()).collect();
    assert_eq!(steps, ["repeats", "counting", "conversions", "log", "groups"]);
    let whole: serde_json::Value = serde_json::from_str(line).expect("JSON");
    let wall = |value: &serde_json::Value| value["wall_s"].as_f64().expect("seconds");
    let by_cost: f64 =
        ["adds_up", "over_window", "judging"].map(|kind| wall(&whole["totals"][kind])).iter().sum();
    let by_stage: f64 = laps.iter().map(wall).sum();
    assert!((by_cost - by_stage).abs() < 1e-6, "every stage and step has its kind: {by_cost} {by_stage}");
    let told = folder.run("audit clicks.csv conversions.csv --timings").exits(0);
    assert!(told.stderr.contains("peak MiB"), "{}", told.stderr);
}
