//! The sample is what is committed, one seed gives the same bytes, and what is planted is really there.

use super::*;
use source::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

struct Files {
    clicks: String,
    conversions: String,
    planted: String,
    summary: Summary,
}

fn made(traffic: &Traffic) -> Files {
    let (mut clicks, mut conversions, mut planted) = (Vec::new(), Vec::new(), Vec::new());
    let summary =
        traffic.write(&mut clicks, &mut conversions, &mut planted).expect("memory takes everything");
    let [clicks, conversions, planted] =
        [clicks, conversions, planted].map(|f| String::from_utf8(f).unwrap());
    Files { clicks, conversions, planted, summary }
}

/// The rows of a file as cells by column. The sample has no quoted cell but the last of `planted.csv`.
fn rows(file: &str) -> Vec<BTreeMap<&str, &str>> {
    let mut lines = file.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    lines.map(|line| header.iter().copied().zip(line.splitn(header.len(), ',')).collect()).collect()
}

/// The zone of the sample where this kind is planted.
fn zone(kind: Kind) -> String {
    let sources = sample::sources();
    let planted = |s: &&Source| s.plant.is_some_and(|p| p.kind == kind);
    sources.iter().find(planted).expect("every kind is planted in the sample").zone.to_string()
}

fn of_zone<'a>(file: &'a str, zone: &str) -> Vec<BTreeMap<&'a str, &'a str>> {
    rows(file).into_iter().filter(|r| r["source"] == zone).collect()
}

#[test]
fn the_committed_sample_is_the_generated_one() {
    let files = made(&Traffic::sample());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-data");
    for (name, made) in [
        ("clicks.csv", &files.clicks),
        ("conversions.csv", &files.conversions),
        ("planted.csv", &files.planted),
    ] {
        let committed = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(
            committed == *made,
            "sample-data/{name} is not what `clickaudit simulate --sample sample-data` makes"
        );
    }
}

#[test]
fn the_readme_of_the_sample_counts_its_rows() {
    let (summary, readme) = (made(&Traffic::sample()).summary, include_str!("../../sample-data/README.md"));
    for (name, count) in
        [("clicks", summary.clicks), ("conversions", summary.conversions), ("planted", summary.planted)]
    {
        let grouped =
            if count < 1_000 { count.to_string() } else { format!("{},{:03}", count / 1_000, count % 1_000) };
        assert!(readme.contains(&format!("| `{name}.csv` | {grouped} |")), "{name} {grouped}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let traffic = Traffic { sources: 200, ..Traffic::bench(20_000, 1_000, 5) };
    let (first, again) = (made(&traffic), made(&traffic));
    assert!(
        first.clicks == again.clicks
            && first.conversions == again.conversions
            && first.planted == again.planted
    );
    let other = made(&Traffic { seed: 6, ..traffic });
    assert!(first.clicks != other.clicks && first.conversions != other.conversions);
}

#[test]
fn a_crowd_has_the_size_asked_for() {
    let traffic = Traffic::bench(200_000, 10_000, 1);
    let files = made(&traffic);
    assert_eq!(files.clicks.lines().count() as u64, 200_000 + 1);
    assert_eq!(files.conversions.lines().count() as u64, files.summary.conversions + 1);
    assert!((9_000..11_000).contains(&files.summary.conversions), "{:?}", files.summary);
    assert_eq!(files.summary.planted, 125);
    let honest = made(&Traffic { fraud: false, sources: 100, ..Traffic::bench(10_000, 500, 1) });
    assert_eq!(honest.planted, "source,kind,strength,what\n");
}

#[test]
fn clicks_are_in_order_of_time_and_conversions_of_arrival() {
    for traffic in
        [Traffic::sample(), Traffic { sources: 50, user_agents: false, ..Traffic::bench(5_000, 500, 2) }]
    {
        let files = made(&traffic);
        assert!(rows(&files.clicks).is_sorted_by_key(|r| r["click_time"]));
        assert!(rows(&files.conversions).is_sorted_by_key(|r| r["status_time"]));
    }
}

#[test]
fn a_change_to_one_source_leaves_the_others_as_they_are() {
    let traffic = Traffic { sources: 20, user_agents: false, ..Traffic::bench(4_000, 400, 3) };
    let mut sources = crowd::sources(&traffic);
    let other = sources[1].zone.to_string();
    let clicks = |sources: &[Source]| {
        let (mut clicks, mut conversions) = (Vec::new(), Vec::new());
        Run::new(&traffic, sources).write(&mut clicks, &mut conversions).unwrap();
        let clicks = String::from_utf8(clicks).unwrap();
        of_zone(&clicks, &other).iter().map(|r| format!("{r:?}")).collect::<Vec<_>>()
    };
    let before = clicks(&sources);
    sources[0].clicks *= 2;
    sources[0].cr_ppm *= 2;
    assert_eq!(before, clicks(&sources));
}

#[test]
fn every_kind_is_planted_once_and_told() {
    let files = made(&Traffic::sample());
    let told: BTreeSet<(&str, &str)> =
        rows(&files.planted).iter().map(|r| (r["source"], r["kind"])).collect();
    assert_eq!(told.len(), Kind::ALL.len());
    for &kind in Kind::ALL {
        assert!(told.contains(&(zone(kind).as_str(), kind.decl().name)), "{}", kind.decl().name);
        assert_eq!(kind.decl().what.matches("{}").count(), 1);
    }
    let honest_zones = files.summary.sources - files.summary.planted;
    assert!(honest_zones >= 20, "{honest_zones} honest sources");
}

/// The brake on the list stops at a quarter of clicks or spend.
#[test]
fn planted_sources_are_the_smaller_part() {
    let sources = sample::sources();
    let sum = |of: fn(&Source) -> u64| {
        let planted: u64 = sources.iter().filter(|s| s.plant.is_some()).map(of).sum();
        (planted, sources.iter().map(of).sum::<u64>())
    };
    for (planted, all) in [sum(|s| s.clicks), sum(|s| s.clicks * s.cpc as u64)] {
        assert!(planted * 5 < all, "{planted} of {all}");
    }
}

#[test]
fn honest_clicks_have_ids_of_their_own() {
    let files = made(&Traffic::sample());
    let (clicks, reused) = (rows(&files.clicks), zone(Kind::ReusedIds));
    let mut count: BTreeMap<&str, u64> = BTreeMap::new();
    for click in &clicks {
        *count.entry(click["click_id"]).or_default() += 1;
    }
    let twice = clicks.iter().filter(|c| count[c["click_id"]] > 1);
    assert!(twice.clone().all(|c| c["source"] == reused));
    assert!(twice.count() > 200);
}

#[test]
fn orphans_name_clicks_that_never_were() {
    let files = made(&Traffic::sample());
    let clicks: BTreeSet<&str> = rows(&files.clicks).iter().map(|c| c["click_id"]).collect();
    let from = rows(&files.clicks)[0]["click_time"];
    let without: Vec<_> =
        rows(&files.conversions).into_iter().filter(|c| !clicks.contains(c["click_id"])).collect();
    let (forged, early): (Vec<_>, Vec<_>) =
        without.into_iter().partition(|c| c["source"] == zone(Kind::Orphans));
    assert!(forged.len() > 60 && forged.iter().all(|c| c["click_time"] >= from));
    assert!(
        !early.is_empty() && early.iter().all(|c| c["click_time"] < from),
        "honest clicks before the export"
    );
}

#[test]
fn stolen_transactions_belong_to_others_too() {
    let files = made(&Traffic::sample());
    let (all, thief) = (rows(&files.conversions), zone(Kind::Stolen));
    let mut claimed: BTreeMap<&str, BTreeSet<(&str, &str)>> = BTreeMap::new();
    for row in &all {
        claimed.entry(row["transaction_id"]).or_default().insert((row["traffic_source"], row["source"]));
    }
    let shared: Vec<_> = claimed.values().filter(|who| who.len() > 1).collect();
    assert!(shared.len() > 25 && shared.iter().all(|who| who.len() == 2 && who.iter().any(|w| w.1 == thief)));
    let planted: BTreeSet<String> = Kind::ALL.iter().map(|&k| zone(k)).collect();
    let mut lost: BTreeMap<_, u32> = BTreeMap::new();
    for who in shared.iter().flat_map(|who| who.iter()).filter(|(_, zone)| !planted.contains(*zone)) {
        *lost.entry(who).or_default() += 1;
    }
    assert!(!lost.is_empty() && lost.values().all(|&count| count == 1), "an honest source loses at most one");
}

#[test]
fn replays_come_later_than_a_day_and_retries_within_the_hour() {
    let files = made(&Traffic::sample());
    let all = rows(&files.conversions);
    let (replaying, thief) = (zone(Kind::Replay), zone(Kind::Stolen));
    let mut first: BTreeMap<&str, &BTreeMap<&str, &str>> = BTreeMap::new();
    let (mut replays, mut retries) = (0, 0);
    for row in all.iter().filter(|r| r["source"] != thief) {
        let before = *first.entry(row["transaction_id"]).or_insert(row);
        if before["conversion_id"] == row["conversion_id"] {
            continue;
        }
        let same = ["click_id", "event", "status", "payout"].iter().all(|c| before[c] == row[c]);
        let later_s = seconds(row["conversion_time"]) - seconds(before["conversion_time"]);
        assert!(
            same && (later_s <= 3_600 || later_s > DAY_S && row["source"] == replaying),
            "{before:?} {row:?}"
        );
        *if later_s > DAY_S { &mut replays } else { &mut retries } += 1;
    }
    assert!(replays > 30 && retries > 15, "{replays} replays, {retries} retries");
}

const DAY_S: i64 = 86_400;

/// Seconds since the month's beginning; the sample stays within one.
fn seconds(time: &str) -> i64 {
    let part = |from: usize| time[from..from + 2].parse::<i64>().unwrap();
    assert!(time.starts_with("2026-03-"));
    part(8) * DAY_S + part(11) * 3_600 + part(14) * 60 + part(17)
}

#[test]
fn delays_are_those_planted() {
    let files = made(&Traffic::sample());
    let share = |kind: Kind, holds: fn(i64) -> bool| {
        let rows = of_zone(&files.conversions, &zone(kind));
        let registrations = rows.iter().filter(|r| r["event"] == "registration");
        let ctits: BTreeMap<&str, i64> = registrations
            .map(|r| (r["conversion_id"], seconds(r["conversion_time"]) - seconds(r["click_time"])))
            .collect();
        assert!(ctits.len() >= 60, "{} has {} conversions", kind.decl().name, ctits.len());
        ctits.values().filter(|&&s| holds(s)).count() as f64 / ctits.len() as f64
    };
    assert!(share(Kind::Injection, |s| s <= 8) > 0.6);
    assert!(share(Kind::Flooding, |s| s > DAY_S) > 0.75);
    assert!(share(Kind::Scripted, |s| s == 47) > 0.7);
}
