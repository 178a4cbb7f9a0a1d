//! Nights after nights: what the store remembers, and what it makes of a night.

use crate::runs::{Folder, project, sample, say};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The sample as its exports are on the morning after a day, without the rows of a zone that is not there yet.
fn exports(folder: &Folder, day: u32, without: &str) {
    for (name, column) in [("clicks.csv", 1), ("conversions.csv", 4)] {
        let text = fs::read_to_string(sample(name)).expect("the sample");
        let last = format!("2026-03-{day:02}~");
        let is_there = |line: &&str| {
            let cells: Vec<&str> = line.split(',').collect();
            cells[0].ends_with("_id")
                || (cells[column] < last.as_str() && (without.is_empty() || !cells.contains(&without)))
        };
        let kept: Vec<&str> = text.lines().filter(is_there).collect();
        fs::write(folder.path(name), kept.join("\n") + "\n").expect("an export");
    }
}

const AUDIT: &str = "clicks.csv conversions.csv --store state";

/// A night of the sample.
fn night(folder: &Folder, day: u32, without: &str) -> Value {
    exports(folder, day, without);
    folder.report(AUDIT)
}

fn source<'v>(report: &'v Value, name: &str) -> &'v Value {
    let sources = report["sources"].as_array().expect("sources");
    sources.iter().find(|s| s["key"]["source"] == name).expect("the source is there")
}

/// Verdict, what the night by itself came to, and where the source stands.
fn stands(report: &Value, name: &str) -> String {
    let source = source(report, name);
    let word = |value: &Value| value.as_str().unwrap_or("–").to_owned();
    let history = &source["history"];
    format!("{} by {} {}", word(&source["verdict"]), word(&history["tonight"]), word(&history["standing"]))
}

/// The file of a night.
fn place(folder: &Folder, day: u32) -> PathBuf {
    folder.path(&format!("state/runs/traffic_source,source/2026-03-{day}.jsonl.zst"))
}

/// The lines of a night.
fn lines(folder: &Folder, day: u32) -> Vec<String> {
    let bytes = zstd::decode_all(fs::File::open(place(folder, day)).expect("a night")).expect("packed");
    String::from_utf8(bytes).expect("JSON is text").lines().map(str::to_owned).collect()
}

/// Puts these lines into the place of a night.
fn put_lines(folder: &Folder, day: u32, lines: &[String]) {
    let text = lines.join("\n") + "\n";
    fs::write(place(folder, day), zstd::encode_all(text.as_bytes(), 0).expect("packed")).expect("written");
}

/// Puts these lines there as the first versions did: not packed, and without the last one.
fn put_old(folder: &Folder, day: u32, lines: &[String]) {
    let (_, lines) = lines.split_last().expect("an end");
    let text = lines.join("\n").replacen("\"schema_version\":2", "\"schema_version\":1", 1) + "\n";
    let _ = fs::remove_file(place(folder, day));
    fs::write(place(folder, day).with_extension(""), text).expect("written");
}

#[test]
fn a_block_needs_a_second_night_unless_it_proves_itself() {
    let folder = Folder::new();
    let first = night(&folder, 12, "");
    // Made-up clicks before conversions: one night is no proof. Transactions that were paid twice are.
    assert_eq!(stands(&first, "3098120"), "watch by block watch");
    assert_eq!(stands(&first, "2977431"), "block by block flagged");
    assert_eq!(first["history"]["before"], Value::Null);
    let second = night(&folder, 13, "");
    assert_eq!(stands(&second, "3098120"), "block by block flagged");
    assert_eq!(source(&second, "3098120")["history"]["change"], "worse");
    assert_eq!(second["history"]["before"], "2026-03-12");
    assert_eq!(source(&second, "2718846")["verdict"], "clean");
}

#[test]
fn without_a_store_one_run_is_the_whole_verdict() {
    let folder = Folder::of_sample();
    let report = folder.report("clicks.csv conversions.csv");
    assert_eq!(source(&report, "3098120")["verdict"], "block");
    assert_eq!((&report["history"], &source(&report, "3098120")["history"]), (&Value::Null, &Value::Null));
}

#[test]
fn the_same_night_again_changes_nothing() {
    let folder = Folder::new();
    night(&folder, 12, "");
    let once = night(&folder, 13, "");
    let record = || fs::read(place(&folder, 13)).expect("a night");
    let kept = record();
    assert!(lines(&folder, 13).len() > 30);
    for _ in 0..3 {
        let again = folder.report(AUDIT);
        assert_eq!(again["sources"], once["sources"]);
        assert_eq!(record(), kept);
    }
}

#[test]
fn more_rows_of_the_same_night_replace_it() {
    let folder = Folder::new();
    exports(&folder, 13, "");
    let report = folder.report(&format!("{AUDIT} --as-of 2026-03-13T12:00"));
    assert_eq!(report["history"]["night"], "2026-03-13");
    let report = folder.report(AUDIT);
    assert_eq!((&report["history"]["nights"], &report["history"]["before"]), (&Value::from(0), &Value::Null));
    assert_eq!(stands(&report, "3098120"), "watch by block watch");
}

#[test]
fn an_earlier_night_is_judged_as_it_was_and_changes_nothing() {
    let folder = Folder::new();
    let first = night(&folder, 12, "");
    night(&folder, 13, "");
    let records = || [12, 13].map(|day| fs::read(place(&folder, day)).expect("a night"));
    let before = records();
    let run = folder.run(&format!("audit {AUDIT} --as-of 2026-03-12T23:59:59 -o json=report.json"));
    run.exits(0).says(&["the store holds later nights"]);
    let again = folder.json("report.json");
    assert_eq!(
        (&again["history"]["night"], &again["history"]["nights"]),
        (&Value::from("2026-03-12"), &Value::from(0))
    );
    assert_eq!(stands(&again, "3098120"), stands(&first, "3098120"));
    assert_eq!(records(), before);
}

#[test]
fn a_run_between_nights_knows_them_and_leaves_none() {
    let folder = Folder::new();
    night(&folder, 12, "");
    exports(&folder, 13, "");
    let report = folder.report(&format!("{AUDIT} --between-nights"));
    assert_eq!(stands(&report, "3098120"), "block by block flagged");
    assert!(place(&folder, 12).exists() && !place(&folder, 13).exists());
    folder
        .run("audit clicks.csv conversions.csv --between-nights")
        .exits(2)
        .says(&["--between-nights needs"]);
}

#[test]
fn an_alert_is_told_once() {
    let folder = Folder::new();
    night(&folder, 12, "2977431");
    exports(&folder, 13, "");
    let told =
        |flags: &str| folder.run(&format!("audit {AUDIT} -q --new-only -o brief=- {flags}")).exits(0).text();
    // By the hour; then the night, which tells what is new to it; then that night again.
    for flags in ["--between-nights", ""] {
        assert!(told(flags).contains("2977431"), "{flags}");
        assert_eq!(told(flags), "", "{flags}");
    }
}

#[test]
fn a_night_that_cannot_be_judged_is_not_remembered() {
    let folder = Folder::new();
    night(&folder, 12, "");
    exports(&folder, 13, "");
    let run = folder.run(&format!("audit {AUDIT} --as-of 2026-03-20 -o json=report.json"));
    run.exits(3).says(&["exit 3"]);
    assert_eq!(folder.json("report.json")["history"], Value::Null);
    let nights = fs::read_dir(folder.path("state/runs/traffic_source,source")).expect("nights").count();
    assert_eq!(nights, 1);
}

#[test]
fn changes_are_told_with_the_money() {
    let folder = Folder::new();
    let first = night(&folder, 13, "2977431");
    fs::write(folder.path("first.json"), first.to_string()).expect("a report");
    let second = night(&folder, 14, "");
    fs::write(folder.path("second.json"), second.to_string()).expect("a report");
    let told = folder.run("diff --store state").exits(0).text();
    assert!(told.starts_with("2026-03-13 to 2026-03-14, by traffic_source,source\n1 new ("), "{told}");
    assert!(told.contains("popmax/2977431: not there to block · "), "{told}");
    assert!(told.contains("USD at risk\n    "), "{told}");
    let by_night = folder.run("diff 2026-03-13 2026-03-14 --store state --format json").exits(0).json();
    let by_report = folder.run("diff first.json second.json --format json").exits(0).json();
    let keys = |diff: &Value| -> Vec<String> {
        diff["changes"]
            .as_array()
            .expect("changes")
            .iter()
            .map(|c| format!("{} {}", c["key"], c["change"]))
            .collect()
    };
    assert_eq!(keys(&by_night), keys(&by_report));
    assert_eq!(by_night["changes"][0]["change"], "new");
    assert_eq!(folder.run("diff second.json second.json -q").exits(0).text(), "");
    folder.run("diff 2026-03-01 2026-03-14 --store state").exits(2).says(&["no night of 2026-03-01"]);
    folder.run("diff first.json").exits(2).says(&["compared with nothing"]);
    folder.run("diff --store nowhere").exits(2).says(&["there is no store"]);
}

/// The chat message of the night that is there, run again.
fn brief(folder: &Folder) -> String {
    folder.run(&format!("audit {AUDIT} -q -o brief=brief.txt")).exits(0);
    folder.text("brief.txt")
}

#[test]
fn who_came_and_who_left_is_the_same_everywhere() {
    let folder = Folder::new();
    night(&folder, 13, "2718846");
    night(&folder, 14, "");
    let told = folder.run("diff --store state").exits(0).text();
    let named =
        "first seen: 1; 1 of them with 100 clicks or more and no change above\n  popmax/2718846: clean · ";
    assert!(told.contains(named), "{told}");
    let message = brief(&folder);
    assert!(
        message.contains(", 1 first seen\n") && message.contains("• first seen popmax/2718846: "),
        "{message}"
    );
    assert!(!told.contains("gone") && !message.contains("gone"), "{told}{message}");
    // Its rows of earlier days are still in the window.
    let report = night(&folder, 15, "2977431");
    let gone = &report["changed"]["gone"][0];
    assert_eq!((&gone["key"]["source"], &gone["verdict"]), (&Value::from("2977431"), &Value::from("block")));
    assert_eq!(report["changed"]["first_seen"]["all"], 0);
    let told = folder.run("diff --store state").exits(0).text();
    assert!(told.contains("\ngone\n  popmax/2977431: was block\n") && !told.contains("first seen"), "{told}");
    let message = brief(&folder);
    assert!(
        message.contains(", 1 gone\n") && message.contains("• gone popmax/2977431: was block\n"),
        "{message}"
    );
}

#[test]
fn the_nights_of_a_source_are_told() {
    let folder = Folder::new();
    (11..=13).for_each(|day| drop(night(&folder, day, "")));
    let told = folder.run("history 3098120 --store state").exits(0).text();
    assert!(
        told.starts_with(
            "popmax/3098120 · 3 nights 2026-03-11 to 2026-03-13 · block since 2026-03-12, flagged once"
        ),
        "{told}"
    );
    assert!(told.contains("new clicks") && told.contains('█'), "{told}");
    assert!(told.contains("2026-03-11  watch      watch     "), "{told}");
    // Nothing is cut in a pipe, and every night of another verdict than its own says why.
    assert!(!told.contains("… "), "{told}");
    let json = folder.run("history popmax/3098120 --store state --format json").exits(0).json();
    assert_eq!(json["nights"].as_array().map(Vec::len), Some(3));
    assert_eq!(json["nights"][2]["standing"], "flagged");
    folder.run("history nobody --store state").exits(2).says(&["no group is called nobody in 3 nights"]);
}

#[test]
fn a_pin_holds_until_its_day_and_says_so() {
    let folder = Folder::new();
    night(&folder, 12, "");
    let pin = "pin 2977431 --as ok --until 2026-03-13 --reason agreed --signed ana --store state";
    folder.run(pin).exits(0).says(&["2977431 is pinned"]);
    let listed = folder.run("pin --store state").exits(0).text();
    assert_eq!(listed, "popmax/2977431: ok until 2026-03-13, ana: agreed\n");
    let pinned = night(&folder, 13, "");
    assert_eq!(source(&pinned, "2977431")["verdict"], "clean");
    assert_eq!(source(&pinned, "2977431")["history"]["pinned"]["by"], "ana");
    let why = "pinned as ok until 2026-03-13 by ana: agreed";
    let told = folder.run("diff --store state").exits(0).text();
    assert!(told.contains("popmax/2977431: block to clean · ") && told.contains(why), "{told}");
    assert!(brief(&folder).contains(&format!(": block to clean: {why}\n")));
    assert_eq!(source(&night(&folder, 14, ""), "2977431")["verdict"], "block");
    let why = "no longer pinned as ok; Transactions that were paid come again";
    let told = folder.run("diff --store state").exits(0).text();
    assert!(told.contains(why) && brief(&folder).contains(why), "{told}");
    let told = folder.run("history 2977431 --store state").exits(0).text();
    assert!(told.contains("  pinned as ok until 2026-03-13 by ana: agreed; "), "{told}");
    for (arguments, said) in [
        ("2977431 --as gone --until 2026-03-20 --reason x", "nothing to pin as"),
        ("2977431 --as ok --until 2026-03-20", "a pin needs --reason"),
        ("2977431 --as ok --until 2027-03-20 --reason x", "is not within 180 days"),
        ("nobody --as ok --until 2026-03-20 --reason x", "no group is called nobody"),
    ] {
        folder.run(&format!("pin {arguments} --store state")).exits(2).says(&[said]);
    }
    folder.run("pin 2977431 --remove --store state").exits(0);
    assert_eq!(folder.run("pin --store state").exits(0).text(), "");
}

#[test]
fn a_night_that_was_cut_or_changed_is_refused_and_found() {
    let folder = Folder::new();
    [12, 13].into_iter().for_each(|day| drop(night(&folder, day, "")));
    folder.run("pin 2718846 --as ok --until 2026-03-20 --reason x --store state").exits(0);
    folder.run("store verify --store state").exits(0).says(&[" files are as they were written"]);
    exports(&folder, 14, "");
    let whole = lines(&folder, 13);
    let flagged: Vec<String> = whole.iter().map(|line| line.replace("\"flagged\"", "\"ok\"")).collect();
    assert_ne!(flagged, whole);
    let damaged = |why: &str| {
        let name = "2026-03-13.jsonl.zst";
        folder.run("store verify --store state").exits(3).says(&[
            name,
            why,
            "1 of ",
            "move those of runs away",
        ]);
        let audit = folder.run(&format!("audit {AUDIT} -o json=report.json"));
        audit.exits(3).says(&[name, why, "restore it from a backup, or move it away"]);
        assert!(!folder.path("report.json").exists() && !place(&folder, 14).exists(), "{why}");
    };
    put_lines(&folder, 13, &flagged);
    damaged("is not as it was written");
    put_lines(&folder, 13, &whole[..9]);
    damaged("is cut off");
    put_lines(&folder, 13, &[&whole[..9], &whole[whole.len() - 1..]].concat());
    damaged("is not as it was written");
    put_lines(&folder, 13, &whole);
    let bytes = fs::read(place(&folder, 13)).expect("a night");
    fs::write(place(&folder, 13), &bytes[..bytes.len() / 2]).expect("cut");
    damaged("cannot be read to its end");
    put_lines(&folder, 13, &whole);
    let pins = "state/runs/traffic_source,source/pins.jsonl";
    for text in ["{", &folder.text(pins).replace("2718846", "2718847"), ""] {
        let folder = fs::write(folder.path(pins), text).map(|()| &folder).expect("written");
        folder.run("store verify --store state").exits(3).says(&["pins.jsonl", "1 of "]);
        folder.run(&format!("audit {AUDIT} -q")).exits(3).says(&["pins.jsonl"]);
        folder.run("pin --store state").exits(3).says(&["pins.jsonl"]);
    }
    fs::remove_file(folder.path(pins)).expect("moved away");
    folder.run("store verify --store state").exits(0);
    // Without its manifest a store has no rows, and knows its nights.
    fs::remove_file(folder.path("state/manifest.json")).expect("moved away");
    assert_eq!(stands(&folder.report(AUDIT), "3098120"), "block by block flagged");
    folder.run("store verify --store state").exits(0);
}

#[test]
fn nights_of_the_first_versions_go_on() {
    let (old, new) = (Folder::new(), Folder::new());
    for day in [12, 13] {
        night(&new, day, "");
        night(&old, day, "");
        put_old(&old, day, &lines(&new, day));
    }
    assert_eq!(night(&old, 14, "")["sources"], night(&new, 14, "")["sources"]);
    let history = |folder: &Folder| folder.run("history 3098120 --store state").exits(0).text();
    assert_eq!(history(&old), history(&new));
    old.run("store verify --store state").exits(0);
    let status = |folder: &Folder| folder.run("store status --store state --format json").exits(0).json();
    let bytes = |folder: &Folder| status(folder)["runs"]["bytes"].as_u64().expect("bytes");
    assert!(bytes(&old) > 4 * bytes(&new), "{} {}", bytes(&old), bytes(&new));
}

#[test]
fn old_nights_are_pruned_and_the_newest_stays() {
    let folder = Folder::new();
    (11..=14).for_each(|day| drop(night(&folder, day, "")));
    let tomorrow = |folder: &Folder| {
        exports(folder, 15, "");
        let report = folder.report(&format!("{AUDIT} --between-nights"));
        (report["sources"].clone(), report["history"]["before"].clone())
    };
    let before = tomorrow(&folder);
    folder.run("store prune --store state --older-than 2d").exits(0).says(&["and 1 records of nights; "]);
    assert!(!place(&folder, 11).exists() && place(&folder, 12).exists());
    let told = folder.run("history 3098120 --store state").exits(0).text();
    assert!(told.contains(" · 3 nights 2026-03-12 to 2026-03-14 · "), "{told}");
    folder.run("diff 2026-03-11 2026-03-14 --store state").exits(2).says(&["no night of 2026-03-11"]);
    folder.run("store prune --store state --older-than 12h").exits(0).says(&["and 2 records of nights; "]);
    assert!(place(&folder, 14).exists());
    folder.run("store verify --store state").exits(0);
    assert_eq!(tomorrow(&folder), before, "standings and habits stand in the newest record");
}

#[test]
fn outputs_hold_only_news_and_lists_are_whole() {
    let folder = Folder::new();
    night(&folder, 12, "2977431");
    night(&folder, 13, "2977431");
    exports(&folder, 14, "");
    let run = "-o csv=news.csv -o blocklist:lines=block.txt --list-for popmax --new-only -o evidence=packs";
    folder.run(&format!("audit {AUDIT} {run}")).exits(0);
    let news = folder.text("news.csv");
    assert!(news.contains("2977431") && !news.contains("3098120"), "{news}");
    let list = folder.text("block.txt");
    assert!(list.contains("2977431") && list.contains("3098120"), "{list}");
    let packs = fs::read_dir(folder.path("packs")).expect("packs").flatten();
    let packs: Vec<_> = packs.filter(|entry| entry.path().is_dir()).map(|entry| entry.path()).collect();
    assert!(!packs.is_empty());
    for pack in &packs {
        let name = pack.file_name().expect("a name").to_string_lossy().into_owned();
        let zone = name.split('-').find(|part| news.contains(*part) && part.len() > 5);
        let told = fs::read_to_string(pack.join("findings.txt")).expect("findings");
        assert!(zone.is_some_and(|zone| told.contains(zone)), "{name}");
    }
    // The same once more, on a night on which nothing is new.
    let folder = Folder::new();
    night(&folder, 14, "");
    night(&folder, 15, "");
    let mut once = lines(&folder, 15);
    once[0] = once[0].replacen("\"night\":\"2026-03-15\"", "\"night\":\"2026-03-14\"", 1);
    [14, 15].into_iter().for_each(|day| fs::remove_file(place(&folder, day)).expect("a night"));
    put_old(&folder, 14, &once);
    let run = folder.run(&format!("audit {AUDIT} -q --new-only -o brief=- --fail-on watch")).exits(0);
    assert_eq!((run.text().as_str(), run.stderr.as_str()), ("", ""));
    folder.run("audit clicks.csv conversions.csv --new-only").exits(2).says(&["--store"]);
}

// ---------------------------------------------------------------- made-up nights

/// One day of two sources; `fast` of every hundred conversions of `b` come two seconds after their click.
fn day(folder: &Folder, day: u32, fast: u32) {
    let (mut clicks, mut conversions) = (String::new(), String::new());
    for (source, share) in [("a", 5), ("b", fast)] {
        for n in 0..400u32 {
            let id = format!("{source}{day}x{n}");
            // Conversions of several sources at one second would be a batch upload.
            let (minute, second) = (n / 30 % 60, n % 60 + if source == "b" { 11 } else { 0 });
            let time = |add: u32| {
                let at = (n / 40) * 3_600 + minute * 60 + second + add;
                format!("2026-03-{day:02} {:02}:{:02}:{:02}", at / 3_600, at / 60 % 60, at % 60)
            };
            clicks += &format!("{id},{},{source},0.01,198.51.{}.{}\n", time(0), n % 250, 1 + n % 200);
            if n % 4 == 0 {
                let add = if n / 4 < share { 2 } else { 200 + 7 * (n % 90) };
                conversions += &format!("c{id},{id},sale,{},approved,2.00\n", time(add));
            }
        }
    }
    let head = "click_id,click_time,source,cost,ip\n";
    fs::write(folder.path("clicks.csv"), head.to_owned() + &clicks).expect("clicks");
    let head = "conversion_id,click_id,event,conversion_time,status,payout\n";
    fs::write(folder.path("conversions.csv"), head.to_owned() + &conversions).expect("conversions");
}

fn rule(condition: &str) -> String {
    format!(
        "id: test-rule\ntitle: A rule of the test\nstatus: stable\nclass: fraud\naction: hold\nwhy: For a test of stored runs. The limit is our own.\n\
         innocent: [none that matters here]\n{condition}\n"
    )
}

const TESTS: &str = "tests:\n  - {name: many, given: {ctit_short_share: {x: 60, n: 100, past: 20%}}, expect: fires}\n  \
                     - {name: few, given: {ctit_short_share: {x: 3, n: 100, past: 20%}}, expect: silent}\n";

fn with_rule(condition: &str) -> Folder {
    let folder = Folder::new();
    fs::create_dir(folder.path("mine")).expect("a folder");
    folder.with("mine/test-rule.yml", rule(&format!("{condition}\n{TESTS}")))
}

/// What the rule of the test does about `b`, and why it does less.
fn acts(folder: &Folder) -> String {
    let report = folder.report(&format!("{AUDIT} --window 1d --rules mine"));
    let source = source(&report, "b");
    let finding = source["findings"].as_array().expect("findings").first();
    let word = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let finding = finding.map(|f| format!("{} {}", word(&f["action"]), word(&f["reduced"])));
    let why = source["undecided_because"][0]["reasons"][0]["absent"].as_str();
    format!("{}: {}", word(&source["verdict"]), finding.as_deref().or(why).unwrap_or("silent"))
}

#[test]
fn a_rule_asks_a_groups_own_past_once_there_is_one() {
    let condition = "when:\n  test: {signal: ctit_short_share, above_own_past: {ratio: 2, over: 28d}}";
    let folder = with_rule(condition);
    for number in 1..=5 {
        day(&folder, number, 5);
        assert_eq!(acts(&folder), "undecided: there are too few stored runs to compare with", "{number}");
    }
    day(&folder, 6, 5);
    assert_eq!(acts(&folder), "clean: silent");
    day(&folder, 7, 60);
    // One night of a hold is a watch.
    assert_eq!(acts(&folder), "watch: hold ");
    let report = folder.report(&format!("{AUDIT} --window 1d --rules mine"));
    let test = &source(&report, "b")["findings"][0]["evidence"][0];
    assert_eq!((test["op"].as_str(), test["own"].as_f64()), (Some("above_own_past"), Some(0.05)));
    let table = folder.run(&format!("audit {AUDIT} --window 1d --rules mine")).exits(0).text();
    assert!(table.contains("limit: above 2.00 times its own 5.0%, the median of 6 nights"), "{table}");
    day(&folder, 8, 60);
    assert_eq!(acts(&folder), "hold: hold ");
}

#[test]
fn a_rule_says_itself_on_how_many_nights_it_must_hold() {
    let condition = "for: 3 of 4\nwhen:\n  test: {signal: ctit_short_share, above: 30%}";
    let folder = with_rule(condition);
    for (number, fast, expected) in [
        (1, 60, "watch: watch too few nights yet"),
        (2, 60, "watch: watch too few nights yet"),
        (3, 5, "watch: silent"),
        (4, 60, "hold: hold "),
        (5, 5, "hold: silent"),
    ] {
        day(&folder, number, fast);
        assert_eq!(acts(&folder), expected, "{number}");
    }
}

#[test]
fn a_rule_holds_until_it_is_cleared() {
    let condition = "for: 1 of 1\nclear: {test: {signal: ctit_short_share, below: 10%}}\nwhen:\n  test: {signal: ctit_short_share, above: 30%}";
    let folder = with_rule(condition);
    for (number, fast, expected) in
        [(1, 60, "hold: hold "), (2, 20, "hold: hold "), (3, 2, "hold: silent"), (4, 20, "hold: silent")]
    {
        day(&folder, number, fast);
        assert_eq!(acts(&folder), expected, "{number}");
    }
    let told = folder.run("history b --store state").exits(0).text();
    assert!(told.contains("since an earlier run, and not cleared yet"), "{told}");
}

// ---------------------------------------------------------------- walking through exports

#[test]
fn a_walk_says_what_would_have_been_blocked_when() {
    let folder = Folder::of_sample();
    fs::copy(sample("planted.csv"), folder.path("planted.csv")).expect("the labels");
    let walk = "backtest clicks.csv conversions.csv --truth planted.csv";
    let found = folder.run(&format!("{walk} --format json")).exits(0).json();
    assert_eq!(found["nights"].as_array().map(Vec::len), Some(14));
    let kinds = found["truth"]["kinds"].as_array().expect("kinds");
    let found_of = |kind: &str| kinds.iter().find(|k| k["kind"] == kind).map(|k| k["found"].clone());
    assert_eq!(found_of("replay"), Some(Value::from(1)));
    assert_eq!(found["truth"]["others"], Value::Array(Vec::new()));
    let planted = found["cuts"].as_array().expect("cuts");
    let replay = planted.iter().find(|c| c["key"]["source"] == "2977431").expect("a cut");
    // What was sent before the night of the block is not saved, and the rest is.
    let night = replay["night"].as_str().expect("a night");
    let after = fs::read_to_string(sample("clicks.csv")).expect("the sample");
    let later = after
        .lines()
        .filter(|l| l.contains(",2977431,") && l.split(',').nth(1).is_some_and(|t| &t[..10] > night));
    assert_eq!(replay["saved"]["clicks"].as_u64(), Some(later.count() as u64));
    // A rule that only holds blocks nobody by itself.
    let without = folder
        .run(&format!("{walk} --format json --override paid-transactions-repeated.action=watch"))
        .exits(0)
        .json();
    let of_replay = |cuts: &Value| {
        cuts.as_array().expect("cuts").iter().find(|c| c["key"]["source"] == "2977431").cloned()
    };
    let others = of_replay(&without["cuts"]);
    assert_ne!(others.as_ref().map(|c| &c["night"]), Some(&replay["night"]));
    // A question is told beside the rules as they are.
    assert_eq!(found["what_if"], Value::Null);
    let what_if = &without["what_if"];
    assert_eq!(what_if["rules_digest"], found["rules_digest"]);
    let otherwise = what_if["otherwise"].as_array().expect("cuts").iter().map(|pair| &pair["as_they_are"]);
    let lost = of_replay(&what_if["only_as_they_are"]);
    let told = lost.or_else(|| of_replay(&otherwise.cloned().collect()));
    assert_eq!(told.as_ref(), Some(replay));
}

#[test]
fn a_list_by_hand_is_held_against_the_walk() {
    let folder =
        Folder::of_sample().with("mine.txt", "popmax:2977431 2026-03-14\n2718846 # a good one\nnobody\n");
    let told = folder.run("backtest clicks.csv conversions.csv --my-list mine.txt").exits(0).text();
    for part in [
        "14 nights, 2026-03-02 to 2026-03-15, by traffic_source,source · each looks at 30 days · rules ",
        "my list: 1 of 3 would have been found, 1 to block and 0 to hold\nblocked: ",
        "before you · ",
        "popmax/2718846: not found, at worst clean · ",
        "nobody: not in these exports",
        "besides these it would have blocked ",
    ] {
        assert!(told.contains(part), "no {part} in\n{told}");
    }
    for (flag, said) in [
        ("-o csv=x.csv", "--output"),
        ("--as-of 2026-03-09", "--as-of"),
        ("--manifest m.json", "--manifest"),
        ("--fail-on block", "--fail-on"),
        ("--wait 1m", "--wait"),
    ] {
        folder
            .run(&format!("backtest clicks.csv conversions.csv {flag}"))
            .exits(2)
            .says(&[said, "does not go with backtest"]);
    }
    assert_eq!(folder.files(), ["clicks.csv", "conversions.csv", "mine.txt"]);
}

#[test]
fn a_walk_looks_at_the_days_that_a_nightly_run_looks_at() {
    let folder = with_rule("when:\n  test: {signal: ctit_short_share, above: 30%}");
    let last = 8;
    let mut live = Vec::new();
    for number in 1..=last {
        day(&folder, number, if number > 4 { 60 } else { 5 });
        for name in ["clicks", "conversions"] {
            fs::rename(folder.path(&format!("{name}.csv")), folder.path(&format!("{name}-{number}.csv")))
                .expect("an export");
        }
        let exports = format!("--clicks clicks-{number}.csv --conversions conversions-{number}.csv");
        let report = folder.report(&format!("{exports} --store state --window 2d --rules mine"));
        live.extend((source(&report, "b")["verdict"] == "hold").then_some(number));
    }
    assert_eq!(live, [7, 8], "two nights of a window of two days");
    let walk = |from: &str, window: &str| {
        folder.run(&format!("backtest {from} --window {window} --rules mine --format json")).exits(0).json()
    };
    let exports = "--clicks clicks-*.csv --conversions conversions-*.csv";
    let (short, long) = (walk(exports, "2d"), walk(exports, "30d"));
    assert_eq!((&short["window_days"], &long["window_days"]), (&Value::from(2), &Value::from(30)));
    let cuts = |walk: &Value| -> Vec<String> {
        let cuts = walk["cuts"].as_array().expect("cuts").iter();
        cuts.map(|c| format!("{} {} {}", c["key"]["source"], c["verdict"], c["night"])).collect()
    };
    assert_eq!(cuts(&short), ["\"b\" \"hold\" \"2026-03-07\""]);
    assert_eq!(cuts(&long), [""; 0], "in thirty days three of ten are not reached");
    assert_eq!(cuts(&walk("--store state", "2d")), cuts(&short));
    // What was sent in all does not hang on what a night looks at.
    assert_eq!(short["all"], long["all"]);
    assert_eq!(
        (&short["all"]["clicks"], &short["all"]["spend"]),
        (&Value::from(6_400), &Value::from("64.00"))
    );
    folder.run(&format!("backtest {exports} --window 36h")).exits(2).says(&["`36h` is no window"]);
}

#[test]
fn a_walk_goes_through_the_days_of_a_store() {
    let folder = Folder::new();
    fs::copy(sample("planted.csv"), folder.path("planted.csv")).expect("the labels");
    [13, 15].into_iter().for_each(|day| drop(night(&folder, day, "")));
    let before = folder.text("state/manifest.json");
    let of = |from: &str| {
        folder.run(&format!("backtest {from} --truth planted.csv --format json")).exits(0).json()
    };
    let (exports, store) = (of("clicks.csv conversions.csv"), of("--store state"));
    for part in ["nights", "cuts", "truth"] {
        assert_eq!(store[part], exports[part], "{part}");
    }
    assert_eq!(store["nights"].as_array().map(Vec::len), Some(14));
    assert_eq!(folder.text("state/manifest.json"), before);
    // The project file of a nightly run names both; what is named here is meant.
    let folder =
        folder.with("clickaudit.yaml", "store: state\nclicks: [none.csv]\nconversions: [none.csv]\n");
    folder.run("backtest --store state").exits(0);
    folder.run("backtest clicks.csv conversions.csv").exits(0);
    folder
        .run("backtest clicks.csv conversions.csv --store state")
        .exits(2)
        .says(&["through the days of a store or through exports"]);
    folder.run("backtest --store nowhere").exits(2).says(&["there is no store in nowhere"]);
}

// ---------------------------------------------------------------- the nights of the README

/// What stands before the output of each command of a transcript.
const MARK: &str = "==== command";

/// The commands of the README's nights, each with what it prints.
fn shown_nights() -> Vec<(String, Vec<String>)> {
    let readme = fs::read_to_string(project("README.md")).expect("the page");
    let (_, section) = readme.split_once("\n## Every night\n").expect("the section");
    let section = section.split("\n## ").next().expect("never empty");
    let block = section.split("```sh-session\n").nth(1).and_then(|rest| rest.split("\n```").next());
    let mut steps: Vec<(String, Vec<String>)> = Vec::new();
    for line in block.expect("a transcript").lines() {
        match (line.strip_prefix("$ "), line.strip_prefix("> "), steps.last_mut()) {
            (Some(command), _, _) => steps.push((command.to_owned(), Vec::new())),
            (_, Some(more), Some((command, _))) => *command += &format!("\n{more}"),
            (_, _, Some((_, output))) => output.push(line.to_owned()),
            _ => panic!("{line:?} stands before any command"),
        }
    }
    steps
}

#[test]
fn the_nights_of_the_readme_go_as_shown() {
    if !cfg!(unix) {
        say("SKIPPED: the nights of the README need a shell and awk");
        return;
    }
    let folder = Folder::new();
    fs::create_dir(folder.path("sample-data")).expect("a folder");
    for name in ["clicks.csv", "conversions.csv"] {
        fs::copy(sample(name), folder.path("sample-data").join(name)).expect("the sample");
    }
    let steps = shown_nights();
    assert!(steps.iter().filter(|(command, _)| command.contains("clickaudit audit")).count() >= 3);
    let marked =
        |(at, (command, _)): (usize, &(String, Vec<String>))| format!("echo '{MARK} {at}'\n{command}\n");
    let script: String = steps.iter().enumerate().map(marked).collect();
    let program = Path::new(env!("CARGO_BIN_EXE_clickaudit")).parent().expect("a folder");
    let output = Command::new("sh")
        .args(["-c", &format!("exec 2>&1\n{script}")])
        .current_dir(folder.path("."))
        .env_clear()
        .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", program.display()))
        .output()
        .expect("a shell");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let printed: Vec<&str> = text.split(MARK).skip(1).collect();
    assert_eq!(printed.len(), steps.len(), "{text}");
    for ((command, shown), printed) in steps.iter().zip(printed) {
        let printed: Vec<&str> = printed.lines().skip(1).map(str::trim_end).collect();
        assert!(*shown == printed, "README: $ {command}\nprints\n{}\n", printed.join("\n"));
    }
}
