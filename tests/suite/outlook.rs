//! What stands beside the verdicts, through the program: the best partner, shared visitors, money, growth.

use crate::runs::Folder;
use serde_json::Value;
use std::fmt::Write;

/// Well mixed bits of a number (splitmix64, Steele, Lea and Flood 2014).
fn bits(seed: u64) -> u64 {
    let z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number in 0..1 that belongs to a row and a purpose.
fn unit(row: u64, purpose: u64) -> f64 {
    (bits(row * 16 + purpose) >> 11) as f64 / (1u64 << 53) as f64
}

const CLICKS: u64 = 700;
const HONEST: u64 = 44;

/// 44 honest sources that convert alike, the `best` that converts four times as often at the same quality, three
/// under other names that send the same visitors, and one that sends five conversions again.
fn traffic() -> Folder {
    let mut clicks =
        String::from("click_id,click_time,traffic_source,source,offer,country,ip,user_agent,cost\n");
    let mut conversions =
        String::from("conversion_id,click_id,conversion_time,event,status,payout,transaction_id\n");
    let names = (0..HONEST).map(|i| format!("h{i:02}"));
    let others = ["best", "again", "same1", "same2", "same3"].map(str::to_owned);
    for (number, name) in (0u64..).zip(names.chain(others)) {
        let rate = if name == "best" { 0.24 } else { 0.06 * (0.9 + 0.2 * unit(number, 15)) };
        for at in 0..CLICKS {
            click(&mut clicks, &name, number * CLICKS + at);
            if unit(number * CLICKS + at, 1) < rate {
                conversion(&mut conversions, number * CLICKS + at, "");
            }
        }
        if name == "again" {
            let first = (0..CLICKS).map(|at| number * CLICKS + at).filter(|row| unit(*row, 1) < rate);
            first
                .filter(|row| approved(*row))
                .take(5)
                .for_each(|row| conversion(&mut conversions, row, "again"));
        }
    }
    Folder::new().with("clicks.csv", clicks).with("conversions.csv", conversions)
}

fn time(seconds: f64) -> String {
    let s = seconds as u64;
    format!("2026-03-{:02}T{:02}:{:02}:{:02}Z", 2 + s / 86_400, s / 3_600 % 24, s / 60 % 60, s % 60)
}

/// Ten days of clicks; carriers have few networks with most of the clicks.
fn click(out: &mut String, name: &str, row: u64) {
    let network = match name.starts_with("same") {
        true => 60_000 + (300.0 * unit(row, 2)) as u64,
        false => (4_000.0 * unit(row, 2).powi(3)) as u64,
    };
    let (ip, agent) = (1 + (250.0 * unit(row, 3)) as u64, (12.0 * unit(row, 4).powi(2)) as u64);
    let at = time(unit(row, 5) * 864_000.0);
    let ip = format!("{}.{}.{}.{ip}", 11 + network / 65_536, network / 256 % 256, network % 256);
    writeln!(out, "c{row:06}x{:08x},{at},net,{name},o1,DE,{ip},agent{agent},0.10", bits(row) as u32)
        .expect("text");
}

fn approved(row: u64) -> bool {
    unit(row, 7) < 0.85
}

fn conversion(out: &mut String, row: u64, again: &str) {
    let ctit = (7.0 + 1.2 * (unit(row, 6) + unit(row, 8) + unit(row, 9) - 1.5)).exp();
    let late = if again.is_empty() { 0.0 } else { 259_200.0 };
    let at = time(unit(row, 5) * 864_000.0 + ctit + late);
    let status = if approved(row) { "approved" } else { "rejected" };
    let click = format!("c{row:06}x{:08x}", bits(row) as u32);
    writeln!(out, "v{row}{again},{click},{at},registration,{status},10.00,t{row}").expect("text");
}

fn source<'r>(report: &'r Value, name: &str) -> &'r Value {
    let sources = report["sources"].as_array().expect("sources");
    sources.iter().find(|s| s["key"]["source"] == name).unwrap_or_else(|| panic!("no source {name}"))
}

#[test]
fn what_stands_beside_the_verdicts() {
    let folder = traffic();
    let report = folder.report("clicks.csv conversions.csv --target-roi 20%");
    the_best_partner_is_not_accused(&report);
    shared_visitors_are_a_cluster(&report);
    replays_can_be_claimed_back(&report);
    clean_and_profitable_sources_may_be_scaled(&folder, &report);
}

/// Four times the peers' conversion rate, with normal approval and normal times.
fn the_best_partner_is_not_accused(report: &Value) {
    let best = source(report, "best");
    let cr = &best["signals"]["cr"];
    assert!(cr["ratio"].as_f64() > Some(3.5) && cr["z"].as_f64() > Some(3.0), "{cr}");
    assert_eq!((&best["verdict"], &best["significant"]), (&"clean".into(), &false.into()), "{best}");
    assert!(best["score"].as_f64() < Some(60.0), "{}", best["score"]);
    assert_eq!(best["findings"].as_array().map(Vec::len), Some(0));
    assert_eq!(best["scalable"], true);
    let expected = &best["cr_expected"];
    let of = |part: &str| expected[part].as_f64().expect("a number");
    assert!(of("low") < of("value") && of("value") < of("high"), "{expected}");
    // Its peers hardly differ: it is drawn towards them, and still the first of all.
    assert!((0.08..0.23).contains(&of("value")), "{expected}");
    let epc = |source: &Value| source["epc_expected"].as_f64().expect("a number");
    let others =
        report["sources"].as_array().expect("sources").iter().filter(|s| s["key"]["source"] != "best");
    assert!(others.clone().count() > 40 && others.map(epc).all(|other| other < epc(best)));
    assert!((8.0 * of("value")..9.0 * of("value")).contains(&epc(best)), "{}", epc(best));
}

fn shared_visitors_are_a_cluster(report: &Value) {
    let clusters = report["clusters"].as_array().expect("clusters");
    assert_eq!(clusters.len(), 1, "{clusters:?}");
    let names: Vec<&str> = clusters[0]["members"]
        .as_array()
        .expect("members")
        .iter()
        .filter_map(|key| key["source"].as_str())
        .collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["same1", "same2", "same3"]);
    assert_eq!(clusters[0]["clicks"], 3 * CLICKS);
    assert_eq!(clusters[0]["cost"], format!("{}.00", 3 * CLICKS / 10));
    assert!(clusters[0]["similarity"].as_f64() > Some(0.5), "{}", clusters[0]);
    assert!(clusters[0]["shared_networks"].as_u64() > Some(150), "{}", clusters[0]);
    assert_eq!(clusters[0]["verdict"], source(report, names[0])["verdict"]);
    for name in ["same1", "same2", "same3"] {
        let member = source(report, name);
        assert_eq!((&member["cluster"], &member["shared_sources"]), (&1.into(), &2.into()));
    }
    let best = source(report, "best");
    assert_eq!((&best["cluster"], &best["shared_sources"]), (&Value::Null, &0.into()));
}

fn replays_can_be_claimed_back(report: &Value) {
    let money = &source(report, "again")["money"];
    assert_eq!(money["recoverable_now"], "50.00", "{money}");
    assert_eq!(source(report, "best")["money"]["recoverable_now"], "0.00");
    let part =
        |name: &str| money[name].as_str().and_then(|text| text.parse::<f64>().ok()).expect("an amount");
    assert!(part("loss_block") >= 50.0 && part("expected_saving") <= part("loss_keep"), "{money}");
    assert_eq!(report["run"]["parameters"]["assumed_horizon_days"], "30");
}

fn clean_and_profitable_sources_may_be_scaled(folder: &Folder, report: &Value) {
    let listed: Vec<&str> = report["lists"]["scale"]["ids"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(listed.contains(&"best") && listed.len() > 10, "{listed:?}");
    for name in &listed {
        let listed = source(report, name);
        assert_eq!(listed["verdict"], "clean", "{name}");
        assert!(listed["signals"]["roi"]["low"].as_f64() > Some(0.2), "{name}");
    }
    let arguments = "audit clicks.csv conversions.csv -q --target-roi 500% -o scale-list:lines=-";
    assert_eq!(folder.run(arguments).exits(0).text(), "best\n");
    folder.run("audit clicks.csv conversions.csv --target-roi -5%").exits(2);
    let table = folder.run("audit clicks.csv conversions.csv").exits(0).text();
    assert!(table.contains("These sources send the same visitors"), "{table}");
    assert!(table.contains("sources could be scaled"), "{table}");
    assert!(table.contains("50.00"), "{table}");
}
