//! Terms of offers, end to end: every column of the file changes what an audit says.

use crate::runs::{Folder, Run, Table, absent, pair, source, value, verdicts};
use serde_json::Value;
use std::collections::BTreeMap;

const PAIR: &str = "clicks.csv conversions.csv";

/// The pair on one offer of two countries.
struct Case {
    clicks: Table,
    conversions: Table,
    /// Rows of the offers file after its header.
    header: &'static str,
    rows: &'static str,
}

fn case(header: &'static str, rows: &'static str) -> Case {
    let (clicks, conversions) = pair(&["bad"]);
    let of = |table: Table| table.column("offer", |_| "casino".to_owned());
    let country = |i: usize| country(i).to_owned();
    Case { clicks: of(clicks).column("country", country), conversions, header, rows }
}

/// The country of a click by its place: every source has both.
fn country(i: usize) -> &'static str {
    if (i / 40).is_multiple_of(2) { "DE" } else { "AT" }
}

impl Case {
    fn change(mut self, change: impl FnOnce(Table) -> Table) -> Case {
        self.conversions = change(self.conversions);
        self
    }

    fn folder(&self) -> Folder {
        Folder::new()
            .with("clicks.csv", self.clicks.csv())
            .with("conversions.csv", self.conversions.csv())
            .with("offers.csv", format!("{}\n{}\n", self.header, self.rows))
    }

    /// The report with the file, and the one without.
    fn reports(&self, more: &str) -> [Value; 2] {
        let folder = self.folder();
        let plain = format!("{PAIR} --no-config {more}");
        [folder.report(&format!("{plain} --offers offers.csv")), folder.report(&plain)]
    }
}

fn notes(report: &Value) -> String {
    report["coverage"]["notes"].to_string()
}

fn fired(report: &Value, name: &str, rule: &str) -> Option<(String, Value)> {
    let findings = source(report, name)["findings"].as_array().expect("the findings");
    let found = findings.iter().find(|f| f["rule"] == rule)?;
    Some((found["action"].as_str().unwrap_or_default().to_owned(), found["reduced"].clone()))
}

#[track_caller]
fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
}

const NO_FILE: &str = "no offers file says what was agreed";

#[test]
fn offer_and_from_say_which_terms_hold() {
    let [with, without] = case("offer,from,payout,pays", "casino,2026-03-04,3,lead\nanother,,9,").reports("");
    // Conversions of the first three days have no terms; each of the others was to pay twice what it did.
    close(value(&with, "honest-1", "payout_in_rates"), 0.5);
    assert!(notes(&with).contains("the terms of offers are those of offers.csv (2)"), "{}", notes(&with));
    assert!(notes(&with).contains("conversions are of offers, or of days, for which"), "{}", notes(&with));
    assert_eq!(absent(&without, "honest-1", "payout_in_rates"), NO_FILE);
    let [unknown, _] = case("offer,payout", "another,9").reports("");
    assert!(notes(&unknown).contains("160 conversions are of offers"), "{}", notes(&unknown));
}

#[test]
fn a_model_makes_strata_of_its_own() {
    let terms = case("offer,from,model", "casino,,CPL\ncasino,2026-03-03,CPA");
    let folder = terms.folder();
    let report = folder.report(&format!("{PAIR} --no-config --offers offers.csv --by source,model"));
    let key = |s: &Value| (s["key"]["source"].clone(), s["key"]["model"].clone());
    let found: Vec<_> = report["sources"].as_array().expect("sources").iter().map(key).collect();
    for model in ["CPA", "CPL"] {
        assert!(found.contains(&("honest-1".into(), model.into())), "{found:?}");
    }
    crate::shapes::write_parquet(&terms.clicks, &folder.path("clicks.parquet"));
    let parquet =
        folder.report("clicks.parquet conversions.csv --no-config --offers offers.csv --by source,model");
    assert_eq!(parquet["sources"], report["sources"]);
    let by_model = format!("{PAIR} --no-config --by source,model");
    folder.run(&format!("audit {by_model}")).exits(3).says(&["no input has a column for model"]);
    // An export's own model wins.
    let own = terms.clicks.column("payment_model", |_| "RevShare".to_owned());
    let report = folder.with("clicks.csv", own.csv()).report(&format!("{by_model} --offers offers.csv"));
    assert_eq!(report["sources"][0]["key"]["model"], "RevShare");
}

#[test]
fn payouts_stand_in_where_the_export_has_none() {
    let terms = "\"DE=80 T1=20 T1@6=25\",T1=AT,lead";
    let [with, without] =
        case("offer,payout,tiers,pays", Box::leak(format!("casino,{terms}").into_boxed_str()))
            .change(|table| table.without("payout"))
            .reports("--currency USD");
    let priced = value(&with, "honest-1", "revenue");
    assert!(
        priced > 0.0 && notes(&with).contains("160 conversions carry no payout of their own"),
        "{priced}"
    );
    assert!(!absent(&without, "honest-1", "revenue").is_empty());
    // Germany pays 80, Austria 20 and from the sixth conversion of the month on 25.
    let (clicks, conversions) = pair(&["bad"]);
    let (id, of, at) = (clicks.at("click_id"), conversions.at("click_id"), conversions.at("conversion_time"));
    let countries: BTreeMap<&String, &str> =
        clicks.rows.iter().enumerate().map(|(i, row)| (&row[id], country(i))).collect();
    let mut in_time: Vec<&Vec<String>> = conversions.rows.iter().collect();
    in_time.sort_by_key(|row| &row[at]);
    let pays = |(before, row): (usize, &&Vec<String>)| match countries[&row[of]] {
        "DE" => 80.0,
        _ if before < 5 => 20.0,
        _ => 25.0,
    };
    let expected: f64 = in_time.iter().enumerate().map(pays).sum();
    close(verdicts(&with).iter().map(|(name, _)| value(&with, name, "revenue")).sum(), expected);
}

#[test]
fn pays_says_which_events_count() {
    let [with, _] = case("offer,payout,pays", "casino,3,first_deposit").reports("");
    assert_eq!(
        absent(&with, "honest-1", "payout_in_rates"),
        "the group has no conversions worth money whose payout was agreed"
    );
    let [with, _] = case("offer,payout,pays", "casino,3,lead").reports("");
    close(value(&with, "honest-1", "payout_in_rates"), 0.5);
}

#[test]
fn a_currency_is_exchanged() {
    let terms = case("offer,payout,pays,currency", "casino,3,lead,EUR");
    let folder = terms.folder().with("rates.csv", "date,currency,rate\n2026-02-28,EUR,2\n");
    let report =
        folder.report(&format!("{PAIR} --no-config --offers offers.csv --currency USD --rates rates.csv"));
    close(value(&report, "honest-1", "payout_in_rates"), 0.25);
}

#[test]
fn a_share_of_what_the_customer_paid() {
    let [with, _] = case("offer,model,payout,pays", "casino,RevShare,0.50+10%,lead")
        .change(|table| table.column("sale_amount", |_| "10".to_owned()))
        .reports("");
    close(value(&with, "honest-1", "payout_in_rates"), 1.0);
}

#[test]
fn event_words_are_the_offers() {
    let terms = case("offer,events", "casino,l1=registration")
        .change(|table| table.map("event", |_| "l1".to_owned()).column("offer", |_| "casino".to_owned()));
    let [with, without] = terms.reports("");
    assert_eq!(source(&with, "honest-1")["events"], serde_json::json!({"registration": {"approved": 30}}));
    assert_eq!(source(&without, "honest-1")["events"], serde_json::json!({"l1": {"approved": 30}}));
}

/// First deposits of 10, 20, 30, … in turn.
fn deposits(table: Table) -> Table {
    let amount = |i: usize| (10 * (1 + i % 3)).to_string();
    table.map("event", |_| "first_deposit".to_owned()).column("sale_amount", amount)
}

#[test]
fn deposits_below_the_minimum_do_not_qualify() {
    let [with, without] = case("offer,min_deposit", "casino,20").change(deposits).reports("");
    let events = &source(&with, "honest-1")["events"];
    let small = events["unqualified_deposit"]["approved"].as_u64().expect("some are too small");
    assert_eq!(small + events["first_deposit"]["approved"].as_u64().expect("most qualify"), 30);
    assert!(small > 5 && notes(&with).contains("first deposits are below the minimum of their offer"));
    assert_eq!(source(&without, "honest-1")["events"]["first_deposit"]["approved"], 30);
    // The smallest amount that counts is the agreed one.
    let least = value(&with, "honest-1", "min_deposit_share");
    assert!((0.3..0.7).contains(&least), "{least}");
    assert!(value(&with, "honest-1", "cr") < value(&without, "honest-1", "cr"));
}

/// What lies beyond the first `n` conversions of each day is rejected.
fn capped(table: Table, n: usize) -> Table {
    let (at, status) = (table.at("conversion_time"), table.at("status"));
    let mut table = table;
    let mut order: Vec<usize> = (0..table.rows.len()).collect();
    order.sort_by_key(|&i| table.rows[i][at].clone());
    let mut met: BTreeMap<String, usize> = BTreeMap::new();
    for i in order {
        let day = table.rows[i][at][..10].to_owned();
        let before = met.entry(day).or_default();
        if *before >= n {
            table.rows[i][status] = "rejected".to_owned();
        }
        *before += 1;
    }
    table
}

#[test]
fn rejects_beyond_the_cap_say_nothing_of_the_source() {
    let over = |table| capped(table, 20);
    let [with, without] = case("offer,cap,pays", "casino,20/day,lead").change(over).reports("");
    close(value(&with, "honest-1", "approval_share"), 1.0);
    close(value(&with, "honest-1", "excused_reject_share"), 1.0);
    assert!(value(&without, "honest-1", "approval_share") < 0.9);
    assert!(value(&with, "honest-1", "over_cap_share") > 0.1);
    assert!(notes(&with).contains("conversions lie beyond the cap of their offer"), "{}", notes(&with));
    assert_eq!(absent(&without, "honest-1", "over_cap_share"), NO_FILE);
    // In another zone other conversions are the first of the day, and some rejects stay unexplained.
    let [zoned, _] =
        case("offer,cap,pays,cap_zone", "casino,20/day,lead,Asia/Tokyo").change(over).reports("");
    assert!(value(&zoned, "honest-1", "excused_reject_share") < 1.0);
}

#[test]
fn conversions_in_their_hold_are_not_yet_decided() {
    let decided = |table: Table| {
        let status = |i: usize| if i.is_multiple_of(3) { "rejected" } else { "approved" }.to_owned();
        table.without("status").column("status", status)
    };
    let [with, without] = case("offer,hold_days", "casino,3").change(decided).reports("");
    let n = |report: &Value| source(report, "honest-1")["signals"]["approval_share"]["n"].as_u64();
    assert!(n(&with) < n(&without), "{:?} of {:?}", n(&with), n(&without));
    let [all, _] = case("offer,hold_days", "casino,0").change(decided).reports("");
    assert_eq!(n(&all), n(&without));
}

#[test]
fn an_orphan_is_one_within_the_attribution_window() {
    // Every fourth conversion names a click that nobody has.
    let lost = |table: Table| {
        let mut table = table.without("click_time").column("offer", |_| "casino".to_owned());
        let at = table.at("click_id");
        table.rows.iter_mut().step_by(4).for_each(|row| row[at] = format!("lost-{}", row[at]));
        table
    };
    let [with, without] = case("offer,attribution_window", "casino,1h").change(lost).reports("");
    // The clicks reach back five days and not thirty: without the terms nothing can be told.
    assert!(with["coverage"]["conversion_classes"]["orphan"].as_u64() > Some(30));
    assert_eq!(without["coverage"]["conversion_classes"]["orphan"], 0);
}

#[test]
fn countries_that_are_not_taken_are_held() {
    let [with, without] = case("offer,countries", "casino,DE").reports("");
    let share = value(&with, "honest-1", "disallowed_country_share");
    assert!((0.2..0.8).contains(&share), "{share}");
    assert!(fired(&with, "honest-1", "conversions-from-countries-not-allowed").is_some());
    assert!(fired(&without, "honest-1", "conversions-from-countries-not-allowed").is_none());
    let [both, _] = case("offer,countries", "casino,DE AT").reports("");
    close(value(&both, "honest-1", "disallowed_country_share"), 0.0);
}

/// A rule on conversion rates that asks what offers allow.
const RULE: &str = "id: rates-are-high
title: Clicks convert often
status: stable
class: quality
action: hold
decides: false
allowed_by: ALLOWANCE
why: For a test.
innocent: [anything]
when: {test: {signal: cr, above: 1%, min_sample: 30}}
tests:
  - {name: high, given: {cr: {x: 50, n: 100}}, expect: fires}
  - {name: low, given: {cr: {x: 0, n: 100}}, expect: silent}
";

#[test]
fn what_the_offer_allows_is_only_noted() {
    for column in ["incentive", "brand"] {
        for (word, expected) in
            [("yes", ("note", "allowed by the offer".into())), ("no", ("hold", Value::Null))]
        {
            let header: &'static str = if column == "brand" { "offer,brand" } else { "offer,incentive" };
            let rows: &'static str = if word == "yes" { "casino,yes" } else { "casino,no" };
            let folder =
                case(header, rows).folder().with("rates-are-high.yml", RULE.replace("ALLOWANCE", column));
            let report = folder
                .report(&format!("{PAIR} --no-config --offers offers.csv --add-rules rates-are-high.yml"));
            let (action, reduced) = fired(&report, "honest-1", "rates-are-high").expect("it fires");
            assert_eq!((action.as_str(), reduced), expected, "{column} {word}");
            let name = format!("{column}_allowed_share");
            close(value(&report, "honest-1", &name), if word == "yes" { 1.0 } else { 0.0 });
        }
    }
}

#[test]
fn only_quality_and_fraud_rejects_count_against_a_source() {
    let rejected = |table: Table| {
        let reason = |i: usize| ["limit_hit", "dup_acc", "bots", "who knows"][i / 4 % 4].to_owned();
        table
            .map("status", |_| "rejected".to_owned())
            .column("reject_reason", reason)
            .column("offer", |_| "casino".to_owned())
    };
    let terms = case("offer,rejects", "casino,limit_hit=cap dup_acc=existing_customer").change(rejected);
    let [with, without] = terms.reports("");
    let classes = &source(&with, "honest-1")["reject_classes"];
    let all = |report: &Value| {
        source(report, "honest-1")["signals"]["approval_share"]["n"].as_u64().expect("decisions")
    };
    assert!(
        classes["cap"].as_u64() > Some(5) && classes["existing_customer"].as_u64() > Some(5),
        "{classes}"
    );
    assert!(classes["fraud"].as_u64() > Some(5) && classes["quality"] == Value::Null, "{classes}");
    assert!(all(&with) < all(&without) * 6 / 10, "{} of {}", all(&with), all(&without));
    // Usual words are known without a file.
    assert!(source(&without, "honest-1")["reject_classes"]["fraud"].as_u64() > Some(5));
    let page =
        terms.folder().run(&format!("explain source honest-1 {PAIR} --no-config --offers offers.csv")).text();
    assert!(page.contains("Rejected by reason: fraud ("), "{page}");
}

#[test]
fn every_fault_of_an_offers_file_is_told_before_anything_is_read() {
    let folder = case("offer,model,cap,modle", "casino,CPX,ten,1").folder();
    let run = |arguments: &str| -> Run { folder.run(arguments) };
    run(&format!("audit {PAIR} --offers offers.csv")).exits(2).says(&[
        "C005",
        "there is no column `modle` in an offers file",
        "offers.csv:1:17",
        "did you mean `model`?",
    ]);
    let folder = folder.with("offers.csv", "offer,model,cap\ncasino,CPX,ten\n");
    let two = folder.run(&format!("audit {PAIR} --offers offers.csv")).exits(2);
    two.says(&[
        "model: `CPX` is no model",
        "offers.csv:2:8",
        "cap: `ten` is no cap",
        "offers.csv:2:12",
        "2 faults in 1 file",
    ]);
    folder
        .run(&format!("audit {PAIR} --offers missing.csv"))
        .exits(2)
        .says(&["cannot read the offers file missing.csv"]);
    // An input is never overwritten, nor is this one.
    folder.run(&format!("audit {PAIR} --offers offers.csv -o json=offers.csv")).exits(2);
}

#[test]
fn the_project_file_may_name_it() {
    let folder = case("offer,payout,pays", "casino,3,lead").folder();
    let project = "clicks: [clicks.csv]\nconversions: [conversions.csv]\noffers: offers.csv\n";
    let report = folder.with("clickaudit.yaml", project).report("");
    close(value(&report, "honest-1", "payout_in_rates"), 0.5);
}
