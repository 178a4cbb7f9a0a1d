//! Amounts and times as exports write them: fine costs, currencies, rates, and what clocks do twice a year.

use crate::runs::{Folder, Run, Table, folder_of_pair, pair, source};
use serde_json::Value;

const PAIR: &str = "clicks.csv conversions.csv";

/// The pair, its payouts and conversions' currencies written otherwise.
fn paid(change: impl Fn(&str) -> String, currency: impl Fn(usize) -> String) -> Folder {
    let (clicks, conversions) = pair(&[]);
    let conversions = conversions.map("payout", change).column("currency", currency);
    Folder::new().with("clicks.csv", clicks.csv()).with("conversions.csv", conversions.csv())
}

fn revenue(report: &Value) -> &Value {
    &report["totals"]["revenue"]
}

fn notes(report: &Value) -> String {
    report["coverage"]["notes"].to_string()
}

fn rejected(report: &Value, side: &str, reason: &str) -> Value {
    report["coverage"][side]["rejected"][reason].clone()
}

fn audit(folder: &Folder, arguments: &str) -> Run {
    folder.run(&format!("audit {PAIR} {arguments} -o json=-"))
}

// ---------------------------------------------------------------- amounts

/// A hundred thousand impressions (and one: a round number is an export limit) at 12.345 millionths are 1.2345, not 1.20.
#[test]
fn costs_of_impressions_keep_nine_decimals() {
    let mut clicks = Table::new("click_id,click_time,source,cost");
    for i in 0..100_001 {
        let second = format!("2026-03-02 {:02}:{:02}:{:02}", i / 3_600 % 24, i / 60 % 60, i % 60);
        clicks.push(&[&format!("c{i}"), &second, "fine", "0.000012345"]);
    }
    let report = Folder::new().with("clicks.csv", clicks.csv()).report("clicks.csv");
    assert_eq!(source(&report, "fine")["cost"], "1.23");
    let text = clicks.csv().replace("0.000012345", "12.345");
    let folder = Folder::new()
        .with("clicks.csv", text.replace("cost\n", "cost,currency\n").replace("12.345\n", "12.345,VND\n"));
    assert_eq!(source(&folder.report("clicks.csv"), "fine")["cost"], "1234512.35");
}

#[test]
fn what_a_row_may_carry_depends_on_its_currency() {
    let folder = |amount: &str, code: &str| {
        let (amount, code) = (amount.to_owned(), code.to_owned());
        paid(move |_| amount.clone(), move |_| code.clone())
    };
    for (amount, code, fits) in [
        ("10000000", "EUR", true),
        ("10000000.01", "EUR", false),
        ("90000000000", "VND", true),
        ("100000000000.5", "VND", false),
        ("50000000", "USD", false),
    ] {
        let run = audit(&folder(amount, code), "");
        assert_eq!(run.code, Some(if fits { 0 } else { 3 }), "{amount} {code}: {}", run.stderr);
        assert_eq!(run.stderr.contains("ten million"), !fits, "{}", run.stderr);
    }
}

#[test]
fn amounts_may_be_dressed() {
    let german = "conversions: {decimal: ',', thousands: '.'}\n";
    let english = "conversions: {thousands: ','}\n";
    for (map, text) in
        [(german, "1.234,50 €"), (german, "€ 1.234,50"), (english, "€1,234.50"), (english, "1,234.50 EUR")]
    {
        let folder = paid(|_| text.to_owned(), |_| String::new()).with("map.yaml", map);
        let report = audit(&folder, "--map map.yaml").exits(0).json();
        assert_eq!(revenue(&report), "148140.00", "{text}");
        assert_eq!(report["run"]["currency"], "EUR", "{text}");
    }
}

/// A correction takes back what was paid.
#[test]
fn corrections_are_negative() {
    let (clicks, conversions) = pair(&[]);
    let mut corrected = conversions.clone();
    for (row, amount) in conversions.rows.iter().take(10).zip(["-1.50", "(1.50)"].iter().cycle()) {
        let mut row = row.clone();
        let (id, transaction) = (format!("{}-back", row[0]), format!("{}-back", row[1]));
        (row[0], row[1]) = (id, transaction);
        row[corrected.at("payout")] = (*amount).to_owned();
        corrected.rows.push(row);
    }
    let total = |conversions: &Table| -> f64 {
        let folder =
            Folder::new().with("clicks.csv", clicks.csv()).with("conversions.csv", conversions.csv());
        let report = folder.report(PAIR);
        assert_eq!(report["coverage"]["conversions"]["rejected"], serde_json::json!({}));
        revenue(&report).as_str().and_then(|t| t.parse().ok()).expect("an amount")
    };
    assert!((total(&conversions) - total(&corrected) - 15.0).abs() < 1e-9);
}

#[test]
fn marks_are_currencies() {
    let half = pair(&[]).1.rows.len();
    let (clicks, mut conversions) = pair(&[]);
    let at = conversions.at("payout");
    conversions
        .rows
        .iter_mut()
        .enumerate()
        .for_each(|(i, row)| row[at] = format!("{}1.50", if i % 2 == 0 { "$" } else { "€" }));
    let folder = Folder::new().with("clicks.csv", clicks.csv()).with("conversions.csv", conversions.csv());
    audit(&folder, "").exits(3).says(&["several currencies: EUR, USD", "--currency", "--rates"]);
    let report = audit(&folder.with("map.yaml", "currency: USD\nrates: {EUR: '2'}\n"), "--map map.yaml")
        .exits(0)
        .json();
    assert_eq!(revenue(&report), &Value::from(format!("{:.2}", half as f64 / 2.0 * 4.5)));
    let folder = paid(|_| "$1.50".to_owned(), |i| if i < 3 { "EUR".to_owned() } else { "CAD".to_owned() });
    let report = audit(&folder, "").exits(0).json();
    assert_eq!(rejected(&report, "conversions", "currency_conflict"), 3);
    assert_eq!(report["run"]["currency"], "CAD");
}

// ---------------------------------------------------------------- rates

/// Euros among dollars, in the days from 1 to 5 March 2026.
fn euros() -> Folder {
    paid(|_| "1.00".to_owned(), |i| if i % 2 == 0 { "EUR".to_owned() } else { "USD".to_owned() })
}

const ECB: &str =
    "Date,USD,JPY,PLN,\n2026-03-03,1.5000,160.1,4.2,\n2026-02-27,1.2500,N/A,4.3,\n2026-02-20,9.0,N/A,4.3,\n";

#[test]
fn a_rates_file_brings_amounts_into_one_currency() {
    let folder = euros().with("ecb.csv", ECB);
    let run = audit(&folder, "--currency usd --rates ecb.csv").exits(0);
    let report = run.json();
    assert_eq!(report["run"]["currency"], "USD");
    let rates = serde_json::json!([
        {"currency": "EUR", "day": "2026-02-27", "rate": "1.25"},
        {"currency": "EUR", "day": "2026-03-03", "rate": "1.5"},
    ]);
    assert_eq!(report["run"]["rates"], rates);
    let told = "amounts in EUR are exchanged at 1.25 (2026-02-27) to 1.5 (2026-03-03) USD, from ecb.csv";
    assert!(notes(&report).contains(told), "{}", notes(&report));
    let found: f64 = revenue(&report).as_str().and_then(|t| t.parse().ok()).expect("an amount");
    let (rows, early) = (120.0, 2.0 / 5.0);
    let expected = rows / 2.0 + rows / 2.0 * (early * 1.25 + (1.0 - early) * 1.5);
    assert!((found - expected).abs() < 2.0, "{found}, not about {expected}");
    let in_euros = audit(&folder, "--currency EUR --rates ecb.csv").exits(0).json();
    assert_eq!(
        in_euros["run"]["rates"][0],
        serde_json::json!({"currency": "USD", "day": "2026-02-27", "rate": "0.8"})
    );
}

#[test]
fn other_currencies_come_from_a_list() {
    let list = "date,currency,rate\n2026-03-01,RUB,0.0125\n2026-03-04,RUB,0.013\n2026-03-01,USDT,1\n";
    let code = |i: usize| ["RUB", "USDT", "USD"][i % 3].to_owned();
    let folder = paid(|_| "100".to_owned(), code)
        .with("rates.csv", list)
        .with("project.yaml", "rates: [rates.csv]\ncurrency: USD\n");
    let report = audit(&folder, "--config project.yaml").exits(0).json();
    assert_eq!(report["coverage"]["conversions"]["rejected"], serde_json::json!({}));
    assert_eq!(report["run"]["rates"][0]["rate"], "0.0125");
    let by_mapping = folder.with("map.yaml", "currency: USD\nrates_file: rates.csv\n");
    let again = audit(&by_mapping, "--map map.yaml").exits(0).json();
    assert_eq!(again["totals"], report["totals"]);
}

#[test]
fn a_rate_is_never_guessed() {
    let old = "Date,USD\n2026-02-22,1.2\n2026-03-09,1.3\n";
    let folder = euros().with("old.csv", old).with("bad.csv", "date,currency,rate\n2026-03-01,EUR,x\n");
    let report = audit(&folder, "--currency USD --rates old.csv").exits(0).json();
    let lost = rejected(&report, "conversions", "currency_without_rate").as_u64().expect("a count");
    assert!((40..=60).contains(&lost), "all euros but those of the first of March: {lost}");
    audit(&folder, "").exits(3).says(&["several currencies: EUR, USD", "--currency", "--rates FILE"]);
    audit(&folder, "--rates old.csv").exits(3).says(&["several currencies: EUR, USD", "--currency"]);
    audit(&folder, "--currency USD --rates bad.csv").exits(2).says(&[
        "bad.csv is no rates file",
        "line 2",
        "date,currency,rate",
    ]);
    audit(&folder, "--currency USD --rates nowhere.csv").exits(2).says(&["nowhere.csv"]);
}

// ---------------------------------------------------------------- times

/// Local times of Berlin around both changes of its clock, written as they are shown there.
#[test]
fn times_that_the_clock_repeats_or_skips_are_counted() {
    let mut clicks = Table::new("click_id,click_time,source");
    for (i, time) in ["10/25/2026 1:59 AM", "10/25/2026 2:10 AM", "10/25/2026 2:59 AM", "10/25/2026 3:00 AM"]
        .iter()
        .enumerate()
    {
        clicks.push(&[&format!("o{i}"), time, "s"]);
    }
    for (i, time) in ["3/29/2026 1:59 AM", "3/29/2026 2:00 AM", "3/29/2026 3:00 AM"].iter().enumerate() {
        clicks.push(&[&format!("m{i}"), time, "s"]);
    }
    let map = "clicks: {time_format: '%m/%d/%Y %I:%M %p', time_zone: Europe/Berlin}\n";
    let folder = Folder::new().with("clicks.csv", clicks.csv()).with("map.yaml", map);
    let report = folder.report("clicks.csv --map map.yaml");
    assert_eq!(report["coverage"]["clicks"]["used"], 7);
    let notes = notes(&report);
    assert!(notes.contains("2 times fall where the clock of Europe/Berlin is set back"), "{notes}");
    assert!(notes.contains("1 times fall where the clock of Europe/Berlin is set forward"), "{notes}");
    let plain = folder_of_pair(&[]).report(PAIR);
    assert!(!plain["coverage"]["notes"].to_string().contains("the clock of"));
}

#[test]
fn epochs_are_read_in_their_declared_step() {
    for (format, text) in [
        ("epoch_s", "1772409600"),
        ("epoch_s", "1772409600.25"),
        ("epoch_ms", "1772409600250"),
        ("epoch_us", "1772409600250000"),
    ] {
        let clicks = format!("click_id,click_time,source\nc1,{text},s\nc2,1,s\n");
        let folder = Folder::new()
            .with("clicks.csv", clicks)
            .with("map.yaml", format!("clicks: {{time_format: {format}}}\n"));
        let report = folder.report("clicks.csv --map map.yaml");
        assert_eq!(report["coverage"]["clicks"]["rejected"]["time_out_of_range"], 1, "{format}");
        assert_eq!(report["run"]["as_of"], "2026-03-02T00:00:00Z", "{format} {text}");
    }
}
