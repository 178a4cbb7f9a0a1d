//! Faults of an offer, and networks that fall behind, through the whole program.
//!
//! Two weeks of made-up traffic: ten zones send a hundred clicks a day to each of two offers, of which about
//! eight convert; `late` sends to one offer on two days only.

use crate::runs::{Folder, Table, source};
use serde_json::Value;

const DAYS: usize = 14;
const ZONES: usize = 10;

/// Days on which postbacks are lost, and the offer whose they are.
const LOST: [usize; 2] = [6, 7];
const FAULTY: &str = "offer-b";

/// A click of a zone for an offer, with what is asked of it.
struct Click<'a> {
    zone: &'a str,
    offer: &'a str,
    network: &'a str,
    day: usize,
}

/// Clicks and conversions under construction.
struct Traffic {
    clicks: Table,
    conversions: Table,
    draws: u64,
}

impl Traffic {
    fn new() -> Traffic {
        Traffic {
            clicks: Table::new("click_id,click_time,traffic_source,source,offer,network,cost"),
            conversions: Table::new("conversion_id,click_id,event,conversion_time,status,payout"),
            draws: 1,
        }
    }

    /// So many clicks, each of which converts with this chance in a thousand.
    fn add(&mut self, clicks: usize, chance: u64, of: &Click) {
        for second in (0..clicks).map(|click| click * 80_000 / clicks) {
            let id = format!("c{}", self.clicks.rows.len());
            let time = |second: usize| {
                let (day, second) = (of.day + 1 + second / 86_400, second % 86_400);
                format!("2026-03-{day:02} {:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
            };
            self.clicks.push(&[&id, &time(second), "push", of.zone, of.offer, of.network, "0.30"]);
            // Knuth's generator (MMIX).
            self.draws =
                self.draws.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if (self.draws >> 33) % 1_000 < chance {
                let later = second + 120 + (self.draws >> 40) as usize % 3_000;
                let row = [&format!("v{id}"), &id, "registration", &time(later), "approved", "10.00"];
                self.conversions.push(&row);
            }
        }
    }

    fn folder(&self) -> Folder {
        Folder::new().with("clicks.csv", self.clicks.csv()).with("conversions.csv", self.conversions.csv())
    }
}

/// The traffic of all zones and of `late`; zones up to this number lose the postbacks of the faulty offer.
fn losing(zones: usize) -> Folder {
    let mut traffic = Traffic::new();
    for (day, zone) in (0..DAYS).flat_map(|day| (0..ZONES).map(move |zone| (day, zone))) {
        for offer in ["offer-a", FAULTY] {
            let lost = offer == FAULTY && zone < zones && LOST.contains(&day);
            let click = Click { zone: &format!("z{zone}"), offer, network: "n1", day };
            traffic.add(100, if lost { 0 } else { 80 }, &click);
        }
    }
    for day in LOST {
        traffic.add(250, 0, &Click { zone: "late", offer: FAULTY, network: "n1", day });
    }
    traffic.folder()
}

fn rules(report: &Value, name: &str) -> Vec<String> {
    let findings = source(report, name)["findings"].as_array().expect("a list");
    findings.iter().map(|f| f["rule"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn lost_postbacks_are_an_incident_and_accuse_nobody() {
    let folder = losing(ZONES);
    let report = folder.report("clicks.csv conversions.csv");
    let incidents = report["incidents"].as_array().expect("a list");
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    let expected = [("name", FAULTY), ("first_day", "2026-03-07"), ("last_day", "2026-03-08")];
    expected.iter().for_each(|(field, value)| assert_eq!(incidents[0][field], *value));
    assert_eq!(incidents[0]["observed"], 0);
    // The clicks of this test come like clockwork; nothing else is said of the source.
    assert_eq!(rules(&report, "late"), ["clicks-at-fixed-gaps"]);
    assert_eq!(source(&report, "late")["signals"]["click_count"]["value"], 500);
    assert_eq!(source(&report, "late")["signals"]["converted_click_count"]["n"], 0);
    let notes = report["coverage"]["notes"].to_string();
    assert!(notes.contains("an incident are treated as not mature"), "{notes}");
    let shown = folder.run("audit clicks.csv conversions.csv").text();
    assert!(shown.contains("offer `offer-b`, 2026-03-07 to 2026-03-08: 0 conversions where"), "{shown}");
}

#[test]
fn a_source_that_alone_does_not_convert_is_accused() {
    let report = losing(0).report("clicks.csv conversions.csv");
    assert_eq!(report["incidents"].as_array().map(Vec::len), Some(0));
    assert!(rules(&report, "late").contains(&"spend-without-conversions".to_owned()));
}

#[test]
fn incidents_are_found_whatever_is_audited() {
    let folder = losing(ZONES);
    for grain in ["offer", "network", "offer,source", "offer,network"] {
        let report = folder.report(&format!("clicks.csv conversions.csv --by {grain}"));
        assert_eq!(report["incidents"][0]["name"], FAULTY, "--by {grain}");
    }
}

#[test]
fn a_network_that_shaves_falls_behind_its_sibling() {
    let mut traffic = Traffic::new();
    for (day, zone) in (0..DAYS).flat_map(|day| (0..ZONES).map(move |zone| (day, zone))) {
        for (offer, network, chance) in [("casino", "n1", 80), ("casino", "n2", 45), ("dating", "n2", 20)] {
            traffic.add(50, chance, &Click { zone: &format!("z{zone}"), offer, network, day });
        }
    }
    let folder = traffic.folder();
    let report = folder.report("clicks.csv conversions.csv --by offer,network");
    let siblings = report["siblings"].as_array().expect("a list");
    assert_eq!(siblings.len(), 1, "{siblings:?}");
    let expected = [("offer", "casino"), ("network", "n2"), ("against", "n1")];
    expected.iter().for_each(|(field, value)| assert_eq!(siblings[0][field], *value));
    assert!(siblings[0]["behind"] == true && siblings[0]["zones"] == 10);
    let shown = folder.run("audit clicks.csv conversions.csv --by offer,network").text();
    assert!(shown.contains("offer `casino`: conversions at network `n2` fall"), "{shown}");
    let by_source = folder.report("clicks.csv conversions.csv");
    assert_eq!(by_source["siblings"].as_array().map(Vec::len), Some(0));
}

/// Two networks of ten zones; one network's conversions of these hours of the eighth of March never arrive.
fn silent(hours: std::ops::Range<usize>) -> Folder {
    let mut traffic = Traffic::new();
    for (day, zone) in (0..DAYS).flat_map(|day| (0..ZONES).map(move |zone| (day, zone))) {
        for (offer, network) in [("offer-a", "n1"), ("offer-b", "n2")] {
            traffic.add(100, 80, &Click { zone: &format!("z{zone}"), offer, network, day });
        }
    }
    let (clicks, conversions) = (traffic.clicks.clone(), traffic.conversions.clone());
    let (id, network) = (clicks.at("click_id"), clicks.at("network"));
    let of_first: std::collections::BTreeSet<String> =
        clicks.rows.iter().filter(|row| row[network] == "n1").map(|row| row[id].clone()).collect();
    let (click, time) = (conversions.at("click_id"), conversions.at("conversion_time"));
    let lost = |row: &Vec<String>| {
        let hour = row[time][11..13].parse::<usize>().expect("an hour");
        row[time].starts_with("2026-03-08") && hours.contains(&hour) && of_first.contains(&row[click])
    };
    let mut left = conversions.clone();
    left.rows.retain(|row| !lost(row));
    Folder::new().with("clicks.csv", clicks.csv()).with("conversions.csv", left.csv())
}

#[test]
fn hours_in_which_a_network_is_silent_are_an_outage() {
    let report = silent(9..18).report("clicks.csv conversions.csv");
    let incidents = report["incidents"].as_array().expect("a list");
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    let outage = &incidents[0];
    assert_eq!((&outage["column"], &outage["name"]), (&"network".into(), &"n1".into()));
    assert!(outage["from"].as_str().expect("a time").starts_with("2026-03-08T08:"), "{outage}");
    assert!(outage["to"].as_str().expect("a time").starts_with("2026-03-08T18:"), "{outage}");
    let [low, expected, high] =
        ["low", "expected", "high"].map(|name| outage[name].as_f64().expect("a number"));
    // About 80 conversions a day in 22 hours, nine of which are lost.
    assert!(low < 33.0 && 33.0 < high && (22.0..45.0).contains(&expected), "{outage}");
    let text = silent(9..18).run("audit clicks.csv conversions.csv").exits(0).text();
    assert!(text.contains("network `n1`, 2026-03-08T08:"), "{text}");
}

#[test]
fn a_network_that_is_never_silent_has_no_outage() {
    for hours in [0..0, 10..11] {
        let report = silent(hours).report("clicks.csv conversions.csv");
        assert_eq!(report["incidents"].as_array().expect("a list").len(), 0);
    }
}
