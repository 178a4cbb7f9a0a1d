//! Rules that ask about some of the rows: what they count, what they answer without rows, and that every output
//! says which rows were meant.

use crate::runs::{Folder, Table, pair, source};
use serde_json::Value;

/// The end of the small pair; two days before it lie two whole days.
const END: &str = "--as-of 2026-03-06T00:00";
const TWO_DAYS: &str = "2026-03-04 00:00:00";
const AUDIT: &str = "clicks.csv conversions.csv --add-rules rules";

/// A rule that fires wherever a signal is above nothing among the rows of these limits.
fn rule(id: &str, limits: &str, signal: &str) -> String {
    format!(
        "id: {id}\ntitle: Something is there\nstatus: experimental\nclass: data\naction: watch\ndecides: false\n\
         why: W\n{limits}\nwhen: {{test: {{signal: {signal}, above: 0, min_sample: 1}}}}\n"
    )
}

/// The pair and these rules.
fn folder(clicks: &Table, conversions: &Table, rules: &[(&str, &str, &str)]) -> Folder {
    let folder = Folder::new().with("clicks.csv", clicks.csv()).with("conversions.csv", conversions.csv());
    std::fs::create_dir(folder.path("rules")).expect("a folder");
    let write = |folder: Folder, (id, limits, signal): &(&str, &str, &str)| {
        folder.with(&format!("rules/{id}.yml"), rule(id, limits, signal))
    };
    rules.iter().fold(folder, write)
}

/// What a rule says of a source: the value of its evidence, or nothing.
fn value(report: &Value, name: &str, rule: &str) -> Option<f64> {
    let findings = source(report, name)["findings"].as_array().expect("findings");
    let finding = findings.iter().find(|f| f["rule"] == rule)?;
    finding["evidence"][0]["value"].as_f64()
}

fn tally<'v>(report: &'v Value, rule: &str) -> &'v Value {
    let rules = report["rules"].as_array().expect("the rules");
    rules.iter().find(|r| r["rule"] == rule).unwrap_or_else(|| panic!("no rule {rule}"))
}

/// Rows of a source that pass a test of one column.
fn count(table: &Table, name: &str, column: &str, wanted: impl Fn(&str) -> bool) -> f64 {
    let (of, at) = (table.at("source"), table.at(column));
    table.rows.iter().filter(|row| row[of] == name && wanted(&row[at])).count() as f64
}

#[test]
fn limits_count_their_rows_only() {
    let (clicks, conversions) = pair(&["bad"]);
    let clicks = clicks.column("offer", |i| ["a", "b", "c"][i % 3].to_owned());
    let mut conversions = conversions;
    let at = conversions.at("event");
    conversions.rows.iter_mut().step_by(2).for_each(|row| row[at] = "sale".to_owned());
    let rules = [
        ("of-window", "window: 2d", "click_count"),
        ("of-old-clicks", "mature: 2d", "click_count"),
        ("of-offers", "where: {offer: [a, c]}", "click_count"),
        ("of-sales", "events: [purchase]", "conversion_count"),
    ];
    let report = folder(&clicks, &conversions, &rules).report(&format!("{AUDIT} {END}"));
    for name in ["honest-1", "honest-3", "bad"] {
        let expected = [
            ("of-window", count(&clicks, name, "click_time", |t| t >= TWO_DAYS)),
            ("of-old-clicks", count(&clicks, name, "click_time", |t| t <= TWO_DAYS)),
            ("of-offers", count(&clicks, name, "offer", |o| o != "b")),
            ("of-sales", count(&conversions, name, "event", |e| e == "sale")),
        ];
        for (rule, expected) in expected {
            assert_eq!(value(&report, name, rule), Some(expected), "{name} {rule}");
        }
    }
    let finding = |rule: &str| {
        let findings = source(&report, "bad")["findings"].as_array().expect("findings").clone();
        findings.into_iter().find(|f| f["rule"] == rule).expect("it fires")
    };
    assert_eq!(finding("of-offers")["title"], "Something is there (offer a or c only)");
    assert_eq!(finding("of-window")["evidence"][0]["rows"], "in the last 2d");
    assert_eq!(finding("of-sales")["evidence"][0]["rows"], "event sale only");
}

#[test]
fn without_rows_a_rule_is_silent_or_unknown() {
    let (clicks, conversions) = pair(&["bad"]);
    let at = clicks.at("source");
    let mut clicks = clicks.column("offer", |_| String::new());
    let offer = clicks.at("offer");
    clicks.rows.iter_mut().for_each(|row| row[offer] = if row[at] == "bad" { "a" } else { "b" }.to_owned());
    let time = clicks.at("click_time");
    clicks.rows.retain(|row| row[at] != "honest-2" || row[time].as_str() > TWO_DAYS);
    let conversions = conversions.only("source", |name| name != "honest-2");
    let rules = [
        ("of-offer", "where: {offer: a}", "click_count"),
        ("of-old-clicks", "mature: 2d", "click_count"),
        ("of-country", "where: {country: DE}", "click_count"),
    ];
    let report = folder(&clicks, &conversions, &rules).report(&format!("{AUDIT} {END}"));
    let counts = |rule: &str| ["fires", "silent", "unknown"].map(|word| tally(&report, rule)[word].as_u64());
    assert_eq!(counts("of-offer"), [Some(1), Some(4), Some(0)]);
    assert_eq!(counts("of-old-clicks"), [Some(4), Some(0), Some(1)]);
    assert_eq!(counts("of-country"), [Some(0), Some(0), Some(5)]);
    let reason =
        |rule: &str| tally(&report, rule)["unknown_because"][0]["reason"].as_str().map(str::to_owned);
    let young = reason("of-old-clicks").expect("a reason");
    assert!(young.contains("all clicks of the group are younger"), "{young}");
    let country = reason("of-country").expect("a reason");
    assert!(country.starts_with("country: no column is mapped"), "{country}");
}

#[test]
fn every_output_says_which_rows_were_meant() {
    let (clicks, conversions) = pair(&["bad"]);
    let folder = folder(&clicks, &conversions, &[("of-window", "window: 2d", "click_count")]);
    let formats = ["table", "md", "html", "json", "ndjson", "csv"];
    let outputs: String = formats.iter().map(|format| format!(" -o {format}=out.{format}")).collect();
    folder.run(&format!("audit clicks.csv conversions.csv --rules rules {END} -q{outputs}")).exits(0);
    for format in formats {
        let text = folder.text(&format!("out.{format}"));
        assert!(text.contains("in the last 2d"), "{format}: {text}");
    }
    let page = folder.run(&format!("explain source bad {AUDIT} {END}")).exits(0);
    assert!(page.text().contains("in the last 2d"), "{}", page.text());
    let page = folder.run("explain rule of-window --add-rules rules").exits(0);
    assert!(page.text().contains("among rows in the last 2d:"), "{}", page.text());
}

#[test]
fn threads_change_nothing() {
    let (clicks, conversions) = pair(&["bad", "worse"]);
    let rules = [("of-window", "window: 2d", "click_count"), ("of-old", "mature: 1d", "cr")];
    let folder = folder(&clicks, &conversions, &rules);
    let told = |threads: usize| {
        let report = folder.report(&format!("{AUDIT} {END} --threads {threads}"));
        (report["sources"].to_string(), report["rules"].to_string())
    };
    assert_eq!(told(1), told(4));
}

#[test]
fn costs_of_a_file_are_dealt_to_all_clicks() {
    let (clicks, conversions) = pair(&["bad"]);
    let costs: String = (1..=5)
        .flat_map(|day| (0..3).map(move |campaign| format!("2026-03-0{day},campaign-{campaign},7.77\n")))
        .collect();
    let rules = [("of-window", "window: 2d", "cost"), ("of-day", "window: 36h", "cost")];
    let folder =
        folder(&clicks, &conversions, &rules).with("costs.csv", format!("day,campaign,cost\n{costs}"));
    let report = folder.report(&format!("{AUDIT} {END} --costs costs.csv"));
    let names = ["honest-1", "honest-2", "honest-3", "honest-4", "bad"];
    let of_window: f64 = names.iter().filter_map(|name| value(&report, name, "of-window")).sum();
    assert!((of_window - 2.0 * 3.0 * 7.77).abs() < 1e-4, "{of_window}");
    // Half of a day's clicks carry half of its cost.
    let bad = count(&clicks, "bad", "click_time", |t| ("2026-03-04 12:00:00".."2026-03-05").contains(&t));
    let of_day = count(&clicks, "bad", "click_time", |t| ("2026-03-04".."2026-03-05").contains(&t));
    let expected = 7.77 + 7.77 * bad / of_day;
    let found = value(&report, "bad", "of-day").expect("a cost");
    assert!((found - expected).abs() < 1e-4, "{found} is not {expected}");
}

#[test]
fn money_at_risk_is_that_of_the_rows() {
    let (clicks, conversions) = pair(&["bad"]);
    let rule = |limits: &str| {
        format!(
            "id: fast-ones\ntitle: Fast\nstatus: experimental\nclass: fraud\naction: hold\nwhy: W\n{limits}\
             when: {{test: {{signal: ctit_short_share, above: 10%, min_sample: 5}}}}\n"
        )
    };
    let folder = folder(&clicks, &conversions, &[]);
    let money = |folder: &Folder| {
        let report = folder.report(&format!("clicks.csv conversions.csv --rules rules {END}"));
        source(&report, "bad")["money_at_risk"].as_str().and_then(|m| m.parse::<f64>().ok()).expect("money")
    };
    let folder = folder.with("rules/fast-ones.yml", rule(""));
    let whole = money(&folder);
    let folder = folder.with("rules/fast-ones.yml", rule("window: 2d\n"));
    let part = money(&folder);
    let paid = 1.5 * count(&conversions, "bad", "click_time", |t| t >= TWO_DAYS);
    assert!(part < whole && part <= paid && part > 0.0, "{part} of {whole}, {paid} paid");
}

#[test]
fn aggregated_reports_are_cut_by_whole_days() {
    let rows: String = (1..=5).map(|day| format!("2026-03-0{day},pub1,{}\n", 100 + day)).collect();
    let folder = folder(
        &Table::new("source"),
        &Table::new("source"),
        &[("of-window", "window: 2d", "click_count"), ("of-old", "mature: 2d", "click_count")],
    );
    let folder = folder.with("report.csv", format!("day,source,clicks\n{rows}"));
    let report = folder.report(&format!("--report report.csv --rules rules {END}"));
    assert_eq!(value(&report, "pub1", "of-window"), Some(104.0 + 105.0));
    assert_eq!(value(&report, "pub1", "of-old"), Some(101.0 + 102.0 + 103.0));
}

#[test]
fn a_run_measures_eight_cuts() {
    let (clicks, conversions) = pair(&[]);
    let mut folder = folder(&clicks, &conversions, &[]);
    for days in 1..=9 {
        let id = format!("last-days-{days}");
        folder =
            folder.with(&format!("rules/{id}.yml"), rule(&id, &format!("window: {days}d"), "click_count"));
    }
    let run = folder.run(&format!("audit {AUDIT}")).exits(2);
    run.says(&["C004", "limit their rows in 9 ways", "in the last 3d: last-days-3"]);
    folder.run(&format!("audit {AUDIT} -q --disable last-days-9")).exits(0);
}
