//! What a run changes about rules without touching their files: packs, overrides, suppressions, observe mode; and
//! what it says about all of that.

use crate::runs::{BEFORE, Folder, folder_of_pair, source};
use clickaudit::rules::{RuleSet, Tuning};
use serde_json::Value;

const AUDIT: &str = "clicks.csv conversions.csv";
const LIST: &str = "-o blocklist:lines=block.txt -o json=report.json";
/// The rule that blocks the bad source of the small pair.
const FAST: &str = "conversions-too-fast";
/// What is left of it without that rule: it has too few clicks to be called clean.
const OPEN: &str = "undecided";

/// How many built-in rules run without a word.
fn core() -> usize {
    let set = RuleSet::builtin().expect("the built-in rules");
    set.tuned(&Tuning::default()).expect("nothing is changed").rules.len()
}

fn report(folder: &Folder, arguments: &str) -> Value {
    folder.report(&format!("{AUDIT} {arguments}"))
}

/// The finding of a rule on a source.
#[track_caller]
fn finding<'v>(report: &'v Value, name: &str, rule: &str) -> &'v Value {
    let findings = source(report, name)["findings"].as_array().expect("findings");
    findings.iter().find(|f| f["rule"] == rule).unwrap_or_else(|| panic!("{rule} did not fire on {name}"))
}

#[track_caller]
fn tally<'v>(report: &'v Value, rule: &str) -> &'v Value {
    let rules = report["rules"].as_array().expect("the rules");
    rules.iter().find(|r| r["rule"] == rule).unwrap_or_else(|| panic!("no rule {rule}"))
}

fn verdict(report: &Value) -> &str {
    source(report, "bad")["verdict"].as_str().unwrap_or_default()
}

// ---------------------------------------------------------------- overrides

#[test]
fn an_override_changes_what_a_rule_may_do() {
    let folder = folder_of_pair(&["bad"]);
    let plain = report(&folder, "");
    assert_eq!((verdict(&plain), finding(&plain, "bad", FAST)["action"].as_str()), ("block", Some("block")));
    let milder =
        report(&folder, "--override conversions-too-fast.action=watch --disable conversions-often-fast");
    assert_eq!(finding(&milder, "bad", FAST)["action"], "watch");
    let of_run = &milder["run"]["rules"];
    assert_eq!(of_run["changed"][0]["from"], "block");
    assert_eq!(of_run["left_out"]["conversions-often-fast"], "it is switched off");
    assert_ne!(milder["run"]["rules_digest"], plain["run"]["rules_digest"]);
}

#[test]
fn the_project_file_says_the_same_and_the_command_line_wins() {
    let project =
        "overrides:\n  conversions-too-fast: {action: watch}\n  conversions-often-fast: {enabled: false}\n";
    let folder = folder_of_pair(&["bad"]).with("clickaudit.yaml", project);
    let by_file = report(&folder, "");
    assert_eq!(finding(&by_file, "bad", FAST)["action"], "watch");
    assert_eq!(by_file["run"]["rules"]["changed"][0]["place"], "clickaudit.yaml:2");
    let by_flag = report(&folder, "--override conversions-too-fast.action=block");
    assert_eq!(verdict(&by_flag), "block");
}

#[test]
fn what_changes_nothing_is_refused_before_anything_is_read() {
    let cases = [
        ("--disable conversions-to-fast", "there is no rule `conversions-to-fast`", "did you mean"),
        ("--override conversions-too-fast.action=shout", "`shout` is no value of `action`", "block, hold"),
        ("--override conversions-too-fast", "changes nothing", "RULE.action=watch"),
        ("--override conversions-often-fast.alone=true", "has no parameter `alone`", "nothing was read"),
        ("--pack gaming", "there is no pack `gaming`", "`igaming`"),
    ];
    let folder = folder_of_pair(&["bad"]).with("block.txt", BEFORE);
    for (flags, message, help) in cases {
        folder.run(&format!("audit {AUDIT} {LIST} {flags}")).exits(2).says(&[message, help]);
        assert_eq!(folder.text("block.txt"), BEFORE, "{flags}");
    }
    let wrong =
        "overrides:\n  conversions-too-fast: {action: watch}\n  conversions-to-fast: {action: watch}\n";
    let folder = folder_of_pair(&["bad"]).with("clickaudit.yaml", wrong);
    folder.run(&format!("audit {AUDIT}")).exits(2).says(&["clickaudit.yaml:3:3", "there is no rule"]);
}

#[test]
fn a_parameter_is_set_where_its_rule_has_one() {
    let folder = folder_of_pair(&["bad"]);
    let set = |value: &str| {
        report(&folder, &format!("--pack leadgen --override earns-less-than-the-target.target={value}"))
    };
    let strict = set("100");
    assert_eq!(strict["run"]["rules"]["changed"][0]["what"], "target");
    assert_eq!(strict["run"]["rules"]["packs"], serde_json::json!(["core", "leadgen"]));
    assert!(tally(&strict, "earns-less-than-the-target")["fires"].as_u64() > Some(0));
    assert_eq!(tally(&set("-0.99"), "earns-less-than-the-target")["fires"], 0);
    let wrong = |flag: &str, said: &str| {
        folder.run(&format!("audit {AUDIT} --pack leadgen --override {flag}")).exits(2).says(&[said]);
    };
    wrong("earns-less-than-the-target.target=30s", "--override");
    wrong("earns-less-than-the-target.tarket=1", "did you mean `target`?");
}

#[test]
fn a_pack_draws_its_own_lines() {
    let folder = folder_of_pair(&["bad"]);
    let leads = report(&folder, "--pack leadgen");
    assert_eq!(finding(&leads, "bad", "leads-filled-in-at-once")["action"], "hold");
    let left_out = &leads["run"]["rules"]["left_out"];
    assert_eq!(left_out["conversions-in-bursts"], "`leads-sent-in-one-go` stands in its place");
    assert_eq!(left_out["orders-after-a-day"], "none of its packs is chosen");
    let by_file = folder_of_pair(&["bad"]).with("clickaudit.yaml", "packs: [leadgen]\n");
    assert_eq!(report(&by_file, "")["run"]["rules_digest"], leads["run"]["rules_digest"]);
    let wrong = folder_of_pair(&["bad"]).with("clickaudit.yaml", "by: source\npacks: [leadgin]\n");
    let audit = format!("audit {AUDIT}");
    wrong.run(&audit).exits(2).says(&["--> clickaudit.yaml:2:9", "did you mean `leadgen`?"]);
}

#[test]
fn what_is_said_of_a_rule_that_does_not_run_is_told() {
    let folder = folder_of_pair(&["bad"]);
    let overrides = "overrides:\n  earns-less-than-the-target: {params: {target: 0.5}}\n";
    let folder = folder.with("clickaudit.yaml", overrides);
    let note = "note: the override of `earns-less-than-the-target` (clickaudit.yaml:2) has no effect: none of its \
                packs";
    folder.run(&format!("audit {AUDIT}")).exits(0).says(&[note]);
    let chosen = folder.run(&format!("audit {AUDIT} --pack leadgen")).exits(0);
    assert!(!chosen.stderr.contains("has no effect"), "{}", chosen.stderr);
}

// ---------------------------------------------------------------- observe mode

#[test]
fn a_rule_that_observes_tells_and_does_nothing() {
    let folder = folder_of_pair(&["bad"]);
    let flags = "--override conversions-too-fast.observe=true --override conversions-often-fast.observe=true";
    let report = report(&folder, flags);
    let bad = source(&report, "bad");
    assert_eq!((&bad["verdict"], &bad["would_be"]), (&"undecided".into(), &"block".into()));
    let observed = finding(&report, "bad", FAST);
    assert_eq!((&observed["status"], &observed["action"]), (&"observed".into(), &"block".into()));
    assert_eq!(report["lists"]["block"]["ids"], serde_json::json!([]));
    assert_eq!(source(&report, "honest-1")["would_be"], source(&report, "honest-1")["verdict"]);
    let table = folder.run(&format!("audit {AUDIT} {flags}")).exits(0).text();
    assert!(table.contains("Would have been, for 1 group"), "{table}");
}

#[test]
fn a_run_that_observes_lists_nobody_and_fails_nothing() {
    let folder = folder_of_pair(&["bad"]).with("block.txt", BEFORE);
    let run = folder.run(&format!("audit {AUDIT} {LIST} --observe --fail-on watch")).exits(0);
    run.says(&["the whole run observes", "blocklist:lines: not written: the run only observes"]);
    assert_eq!(folder.text("block.txt"), BEFORE);
    let report = folder.json("report.json");
    assert_eq!(
        (&report["run"]["observe"], source(&report, "bad")["would_be"].as_str()),
        (&true.into(), Some("block"))
    );
    let acting = ["block", "hold", "watch"];
    let verdicts = report["sources"].as_array().expect("sources").iter().map(|s| s["verdict"].as_str());
    assert!(verdicts.flatten().all(|verdict| !acting.contains(&verdict)));
    let quiet = folder.run(&format!("audit {AUDIT} {LIST} --observe -q")).exits(0);
    assert_eq!(quiet.stderr, "");
}

// ---------------------------------------------------------------- suppressions

/// A suppression of both rules that fire on the bad source.
fn suppressions(group: &str, end: &str) -> String {
    let one = |rule| format!("- {{rule: {rule}, group: '{group}', reason: one-tap offer, by: ana, {end}}}\n");
    ["conversions-too-fast", "conversions-often-fast"].map(one).concat()
}

#[test]
fn a_suppressed_finding_stays_in_the_report_without_effect() {
    for group in ["bad", "ba*"] {
        let folder = folder_of_pair(&["bad"]).with("s.yaml", suppressions(group, "expires: 2026-06-30"));
        folder.run(&format!("audit {AUDIT} {LIST} --suppressions s.yaml")).exits(0);
        let report = folder.json("report.json");
        let hit = finding(&report, "bad", FAST);
        assert_eq!((&hit["status"], &hit["suppression"]["by"]), (&"suppressed".into(), &"ana".into()));
        assert_eq!((verdict(&report), folder.text("block.txt").as_str()), (OPEN, ""), "{group}");
        assert_eq!(
            (&tally(&report, FAST)["fires"], &tally(&report, FAST)["suppressed"]),
            (&1.into(), &1.into())
        );
        assert_eq!(source(&report, "bad")["scalable"], false);
        let table = folder.run(&format!("audit {AUDIT} --suppressions s.yaml")).exits(0).text();
        assert!(table.contains("suppressed until 2026-06-30 by ana: one-tap offer"), "{table}");
    }
}

#[test]
fn an_expired_suppression_returns_its_finding_with_a_notice() {
    let folder = folder_of_pair(&["bad"]).with("s.yaml", suppressions("bad", "expires: 2026-03-04"));
    let report = report(&folder, "--suppressions s.yaml");
    assert_eq!(verdict(&report), "block");
    let notes = report["coverage"]["notes"].to_string();
    assert!(notes.contains("ended on 2026-03-04: its finding is back. ana gave the reason"), "{notes}");
    let sooner = report_at(&folder, "2026-03-04T12:00");
    assert_eq!(verdict(&sooner), OPEN);
}

fn report_at(folder: &Folder, as_of: &str) -> Value {
    report(folder, &format!("--suppressions s.yaml --as-of {as_of} --max-age 365d"))
}

/// Whoever only takes a list hears of it, too.
#[test]
fn settings_without_an_effect_are_told_beside_a_list_and_in_a_message() {
    let folder = folder_of_pair(&["bad"])
        .with("s.yaml", suppressions("worse", "permanent: true"))
        .with("protect.txt", "nobody\n");
    let settings = "--suppressions s.yaml --protect protect.txt";
    let unused = ["note: the suppression of `conversions-too-fast` on `worse`", "is unused"];
    let protect = "note: the protect list's entry `nobody` means no group of this input";
    folder.run(&format!("audit {AUDIT} {settings} {LIST}")).exits(0).says(&unused).says(&[protect]);
    let brief = folder.run(&format!("audit {AUDIT} {settings} -q -o brief=-")).exits(0).text();
    assert!(brief.contains("Note: the protect list's entry"), "{brief}");
    assert!(brief.contains("is unused"), "{brief}");
    let folder = folder.with("s.yaml", suppressions("bad", "expires: 2026-03-04"));
    folder.run(&format!("audit {AUDIT} {settings} {LIST}")).exits(0).says(&["its finding is back"]);
}

#[test]
fn an_unused_suppression_is_told() {
    let folder = folder_of_pair(&["bad"]).with("s.yaml", suppressions("worse", "permanent: true"));
    let report = report(&folder, "--suppressions s.yaml");
    assert_eq!(verdict(&report), "block");
    assert!(report["coverage"]["notes"].to_string().contains("is unused: the rule fires on no such group"));
}

#[test]
fn suppressions_stand_in_the_project_file_too() {
    let indented = suppressions("bad", "expires: 2026-06-30").replace("- {", "  - {");
    let folder = folder_of_pair(&["bad"]).with("clickaudit.yaml", format!("suppressions:\n{indented}"));
    assert_eq!(verdict(&report(&folder, "")), OPEN);
}

#[test]
fn a_suppression_without_a_near_end_is_refused() {
    let cases = [
        (suppressions("bad", "expires: 2026-10-30"), "ends more than 180 days after the run"),
        (suppressions("bad", "reason: x"), "Y005"),
        (suppressions("bad", "permanent: false"), "does not say when it ends"),
        (suppressions("*", "permanent: true"), "switches the rule off"),
        (suppressions("bad", "permanent: true").replace("too-fast", "to-fast"), "did you mean"),
        ("- bad\n".to_owned(), "s.yaml:1:3"),
    ];
    for (text, message) in cases {
        let folder = folder_of_pair(&["bad"]).with("s.yaml", &text).with("block.txt", BEFORE);
        folder.run(&format!("audit {AUDIT} {LIST} --suppressions s.yaml")).exits(2).says(&[message]);
        assert_eq!(folder.text("block.txt"), BEFORE);
    }
    let missing = folder_of_pair(&["bad"]).run(&format!("audit {AUDIT} --suppressions none.yaml"));
    missing.exits(2).says(&["cannot read the suppressions none.yaml"]);
}

// ---------------------------------------------------------------- what a run says

#[test]
fn a_run_says_what_its_rules_are_and_which_could_not_answer() {
    let folder = folder_of_pair(&["bad"]);
    let run = folder.run(&format!("audit {AUDIT} -o json=report.json")).exits(0);
    run.says(&[
        &format!("{} rules: ", core()),
        "; pack core\n",
        "without an answer for more than 90% of the groups",
    ]);
    let report = folder.json("report.json");
    assert_eq!(report["rules"].as_array().map(Vec::len), Some(core()));
    let bots = tally(&report, "known-bots-click");
    assert_eq!((&bots["unknown"], &bots["groups"]), (&5.into(), &5.into()));
    assert!(
        bots["unknown_because"][0]["reason"]
            .as_str()
            .is_some_and(|r| r.contains("no column is mapped to is_bot"))
    );
    for rule in report["rules"].as_array().expect("rules") {
        let [groups, parts @ ..] =
            ["groups", "fires", "silent", "unknown"].map(|k| rule[k].as_u64().expect("a count"));
        assert_eq!(groups, parts.iter().sum::<u64>(), "{rule}");
    }
}

// ---------------------------------------------------------------- one rule set beside another

const MILDER: &str =
    "--override conversions-too-fast.action=watch --override conversions-often-fast.action=watch";

#[test]
fn a_diff_says_who_moves_and_what_that_is_worth() {
    let folder = folder_of_pair(&["bad"]);
    let told = folder.run(&format!("rules diff built-in built-in {AUDIT} {MILDER}")).exits(0).text();
    for phrase in
        ["bad: block to watch (60 clicks, 0.60", "  block      1 → 0  −1 (60 clicks", "who is guilty"]
    {
        assert!(told.contains(phrase), "no `{phrase}` in\n{told}");
    }
    let same = folder.run(&format!("rules diff built-in built-in {AUDIT}")).exits(0).text();
    assert!(same.contains("no verdict changes"), "{same}");
}

#[test]
fn a_diff_of_reports_is_that_of_the_rules_they_were_made_with() {
    let folder = folder_of_pair(&["bad"]);
    folder.run(&format!("audit {AUDIT} -q -o json=old.json")).exits(0);
    folder.run(&format!("audit {AUDIT} -q -o json=new.json {MILDER}")).exits(0);
    let of_reports = folder.run("rules diff old.json new.json --format json").exits(0).json();
    let of_rules =
        folder.run(&format!("rules diff built-in built-in {AUDIT} {MILDER} --format json")).exits(0).json();
    assert_eq!(of_reports, of_rules);
    assert_eq!((&of_rules["groups"], &of_rules["moved"][0]["to"]), (&5.into(), &"watch".into()));
}

#[test]
fn a_diff_tells_rules_that_come_and_refuses_what_it_cannot_compare() {
    let folder = folder_of_pair(&["bad"]);
    folder.run("rules new many-conversions --signal conversion_count").exits(0);
    let told =
        folder.run(&format!("rules diff built-in built-in,many-conversions.yml {AUDIT}")).exits(0).text();
    let rules = format!("rules: {} (", core());
    assert!(told.starts_with(&rules) && told.contains(&format!("{} (", core() + 1)), "{told}");
    assert!(told.lines().any(|l| l.starts_with("  many-conversions") && l.contains("  new  +")), "{told}");
    let refused = [
        ("rules diff built-in old.json", "a report and a rule set cannot be compared"),
        ("rules diff built-in none.yml clicks.csv conversions.csv", "cannot be read: No such file"),
        (
            "rules diff built-in built-in clicks.csv conversions.csv --add-rules x",
            "do not go with rules diff",
        ),
        ("rules diff built-in built-in", "no input is named"),
    ];
    for (arguments, message) in refused {
        folder.run(arguments).exits(2).says(&[message]);
    }
    let folder = folder.with("no.json", "{}").with("other.json", "{}");
    folder.run("rules diff no.json other.json").exits(3).says(&["no.json is no JSON report of an audit"]);
}

// ---------------------------------------------------------------- one rule

#[test]
fn a_rule_is_explained_with_how_often_it_fired() {
    let folder = folder_of_pair(&["bad"]);
    folder.run(&format!("audit {AUDIT} -q -o json=report.json")).exits(0);
    let page = folder.run(&format!("explain rule {FAST} --report report.json")).exits(0).text();
    let said = [
        "conversions-too-fast: Conversions follow the click faster",
        "the program itself (rules/ctit/conversions-too-fast.yml)",
        "ctit_short_share above 30%, of at least 30",
        "one-tap offers",
        "fires   most are instant",
        "report.json: on 1 of 5 groups",
    ];
    for phrase in said {
        assert!(page.contains(phrase), "no `{phrase}` in\n{page}");
    }
    let json = folder.run(&format!("explain rule {FAST} --report report.json --format json")).exits(0).json();
    assert_eq!((&json["runs"][0]["fires"], &json["packs"][0]), (&1.into(), &"core".into()));
    let other = folder.run("explain rule orders-after-a-day --report report.json").exits(0).text();
    assert!(
        other.contains("none of its packs is chosen") && other.contains("the run did not ask it"),
        "{other}"
    );
    folder.run("explain rule conversions-to-fast").exits(2).says(&["did you mean", FAST]);
}

#[test]
fn a_rule_is_explained_with_the_nights_it_fired_on() {
    let folder = folder_of_pair(&["bad"]);
    folder.run(&format!("audit {AUDIT} -q -o json=report.json --store state")).exits(0);
    let page = folder.run("explain rule conversions-too-fast --store state").exits(0).text();
    let words = page.split_whitespace().collect::<Vec<&str>>().join(" ");
    let said = "stored nights by traffic_source,source: with effect on 1 of the last one: 2026-03-";
    assert!(words.contains(said) && words.contains(" on 1 of 5 groups"), "{page}");
    let json = folder.run("explain rule conversions-too-fast --store state --format json").exits(0).json();
    assert_eq!(
        (&json["nights"][0]["nights"], &json["nights"][0]["fired"][0]["fires"]),
        (&1.into(), &1.into())
    );
    let silent = folder.run("explain rule conversions-before-click --store state").exits(0).text();
    assert!(silent.contains("with effect on 0 of the last one"), "{silent}");
    folder
        .run("explain rule conversions-too-fast --store nowhere")
        .exits(2)
        .says(&["there is no store in nowhere"]);
    let folder = folder.with("clickaudit.yaml", "store: state\n");
    let page = folder.run("explain rule conversions-too-fast").exits(0).text();
    assert!(page.contains("stored nights by traffic_source,source"), "{page}");
    let folder = folder.with("clickaudit.yaml", "store: not-yet\n");
    folder.run("explain rule conversions-too-fast").exits(0);
}

#[test]
fn a_rule_is_shown_with_its_file_and_what_a_run_changes() {
    let folder =
        folder_of_pair(&[]).with("clickaudit.yaml", "overrides:\n  conversions-too-fast: {action: watch}\n");
    let shown = folder.run(&format!("rules show {FAST}")).exits(0).text();
    assert!(
        shown.starts_with("# from the program itself (rules/ctit/conversions-too-fast.yml)\n"),
        "{shown}"
    );
    assert!(shown.contains("# changed: action is watch, not block (clickaudit.yaml:2)\n"), "{shown}");
    assert!(shown.contains("\nid: conversions-too-fast\n"), "{shown}");
    let folder = folder.with("shown.yml", shown.replace(FAST, "shown"));
    folder.run("rules check shown.yml").exits(0);
    folder.run("rules show conversions-to-fast").exits(2).says(&["did you mean"]);
}

#[test]
fn a_new_rule_is_valid_and_overwrites_nothing() {
    let folder = Folder::new();
    folder.run("rules new my-rule").exits(0).says(&["wrote ./my-rule.yml"]);
    folder.run("rules test my-rule.yml").exits(0).says(&["3 tests of 1 rule passed"]);
    let text = folder.text("my-rule.yml");
    let refused = [
        ("rules new my-rule --signal cr", "is there already"),
        ("rules new My-Rule", "is no id of a rule"),
        ("rules new other-rule --signal ctit_shrt_share", "did you mean"),
        ("rules new conversions-too-fast", "there is a built-in rule"),
    ];
    for (arguments, message) in refused {
        folder.run(arguments).exits(2).says(&[message]);
    }
    assert_eq!((folder.text("my-rule.yml"), folder.files().len()), (text, 1));
    folder.run("rules new my-rule --folder own/rules").exits(0).says(&["wrote own/rules/my-rule.yml"]);
}

#[test]
fn rules_are_listed_by_pack() {
    let folder = Folder::new();
    let count =
        |arguments: &str| folder.run(&format!("rules list {arguments}")).exits(0).text().lines().count();
    assert_eq!(count("--pack core"), core());
    assert!(count("") > count("--pack leadgen") && count("--pack leadgen") > core());
    let leads = folder.run("rules list --pack leadgen").exits(0).text();
    assert!(leads.contains("leads-sent-in-one-go") && !leads.contains(" conversions-in-bursts "), "{leads}");
    folder.run("rules list --pack leads").exits(2).says(&["there is no pack `leads`"]);
}
