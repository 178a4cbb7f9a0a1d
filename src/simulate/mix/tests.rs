//! A mix holds what was asked for, and its labels say what it holds.

use super::export::{CLICK_COLUMNS, CONVERSION_COLUMNS};
use super::*;
use std::collections::{BTreeMap, BTreeSet};

struct Files {
    clicks: String,
    conversions: String,
    planted: String,
    summary: Summary,
}

type Cells<'a> = BTreeMap<&'a str, &'a str>;

fn made(mix: &Mix) -> Files {
    let (mut clicks, mut conversions, mut planted) = (Vec::new(), Vec::new(), Vec::new());
    let sheets = (Sheet::plain(CLICK_COLUMNS), Sheet::plain(CONVERSION_COLUMNS));
    let summary = mix
        .write((&sheets.0, &mut clicks), Some((&sheets.1, &mut conversions)), &mut planted)
        .expect("memory takes everything");
    let [clicks, conversions, planted] =
        [clicks, conversions, planted].map(|file| String::from_utf8(file).expect("text"));
    Files { clicks, conversions, planted, summary }
}

fn small(seed: u64) -> Mix {
    Mix { sources: 150, clicks: Some(60_000), days: 7, ..Mix::new(World::Reference, seed) }
}

/// One fraud of one strength in half of the sources.
fn only(fraud: Fraud, world: World) -> Mix {
    let (fraud_share, strength) = (0.5, Strength::Fixed(0.5));
    Mix { world, sources: 40, clicks: Some(50_000), fraud_share, strength, kinds: vec![fraud], ..small(3) }
}

/// The rows of a file as cells by column.
fn rows(file: &str) -> Vec<Cells<'_>> {
    let mut lines = file.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    lines.map(|line| header.iter().copied().zip(cells(line)).collect()).collect()
}

/// The cells of a line; quotes hold commas, and no quotes.
fn cells(line: &str) -> Vec<&str> {
    let mut quoted = false;
    let split = line.split(move |c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    split.map(|cell| cell.trim_matches('"')).collect()
}

fn planted_in(files: &Files) -> BTreeSet<&str> {
    rows(&files.planted).iter().map(|row| row["source"]).collect()
}

fn seconds(time: &str) -> i64 {
    crate::base::time::TimeReader {
        format: crate::base::time::TimeFormat::Iso,
        zone: crate::base::time::Zone::UTC,
    }
    .read(time.as_bytes())
    .expect("a time")
        / 1_000_000
}

fn ctit(row: &Cells) -> i64 {
    seconds(row["conversion_time"]) - seconds(row["click_time"])
}

/// Registrations as they were first reported.
fn registrations<'r>(rows: &'r [Cells<'r>]) -> impl Iterator<Item = &'r Cells<'r>> {
    let first = |row: &&Cells| row["conversion_time"] == row["status_time"];
    rows.iter().filter(|row| row["event"] == "registration").filter(first)
}

fn share(rows: &[&Cells], holds: impl Fn(&Cells) -> bool) -> f64 {
    rows.iter().filter(|row| holds(row)).count() as f64 / rows.len().max(1) as f64
}

// ---------------------------------------------------------------- all

#[test]
fn the_same_seed_gives_the_same_bytes() {
    for world in [World::Reference, World::Other] {
        let mix = Mix { world, ..small(5) };
        let (first, again, other) = (made(&mix), made(&mix), made(&Mix { seed: 6, ..mix.clone() }));
        assert!(first.clicks == again.clicks && first.conversions == again.conversions);
        assert!(first.planted == again.planted && first.clicks != other.clicks);
    }
}

#[test]
fn a_mix_has_the_size_asked_for() {
    let files = made(&small(1));
    assert!((55_000..65_000).contains(&files.summary.clicks), "{:?}", files.summary);
    assert_eq!(files.clicks.lines().count() as u64, files.summary.clicks + 1);
    assert_eq!(files.conversions.lines().count() as u64, files.summary.conversions + 1);
    assert_eq!(files.summary.sources, 150);
    // 11 are planted; what touched no row is not listed.
    assert!((5..=11).contains(&files.summary.planted), "{:?}", files.summary);
    assert_eq!(files.planted.lines().count() as u64, files.summary.planted + 1);
    let days: BTreeSet<&str> = rows(&files.clicks).iter().map(|row| &row["click_time"][..10]).collect();
    assert_eq!((days.len(), days.first().copied()), (7, Some("2026-03-02")));
    let (clicks, conversions) = (rows(&files.clicks), rows(&files.conversions));
    assert!(clicks.is_sorted_by_key(|row| row["click_time"]));
    assert!(conversions.is_sorted_by_key(|row| row["status_time"]));
}

#[test]
fn labels_name_sources_and_count_their_rows() {
    let files = made(&small(2));
    let clicks = rows(&files.clicks);
    let labels = rows(&files.planted);
    let kinds: BTreeMap<&str, usize> = labels.iter().fold(BTreeMap::new(), |mut kinds, label| {
        *kinds.entry(label["kind"]).or_default() += 1;
        kinds
    });
    assert!(kinds.len() >= 3 && kinds.values().all(|&n| n <= 2), "{kinds:?}");
    for label in &labels {
        assert!(label["touched_clicks"] != "0" || label["touched_conversions"] != "0", "{label:?}");
        let own = clicks.iter().filter(|row| row["source"] == label["source"]);
        assert_eq!(own.count().to_string(), label["clicks"], "{label:?}");
        assert!((0.1..=0.6).contains(&label["strength"].parse::<f64>().unwrap()), "{label:?}");
    }
    let honest = made(&Mix { fraud_share: 0.0, ..small(2) });
    assert_eq!((honest.planted.lines().count(), honest.summary.planted), (1, 0));
}

#[test]
fn honest_rates_are_those_of_the_assumptions() {
    let mix = Mix { sources: 300, clicks: Some(200_000), fraud_share: 0.0, ..small(9) };
    let files = made(&mix);
    let (clicks, conversions) = (rows(&files.clicks), rows(&files.conversions));
    let first: Vec<&Cells> = registrations(&conversions).collect();
    let cr = first.len() as f64 / clicks.len() as f64;
    assert!((0.03..0.1).contains(&cr), "{cr}");
    let (short, late) = (share(&first, |r| ctit(r) < 8), share(&first, |r| ctit(r) > 86_400));
    assert!(short < 0.02 && (0.005..0.06).contains(&late), "{short} {late}");
    let times: BTreeSet<&str> = clicks.iter().map(|row| row["click_id"]).collect();
    assert_eq!(times.len(), clicks.len(), "honest clicks have IDs of their own");
    let early = |row: &Cells| row["click_time"] < "2026-03-02";
    let orphans: Vec<&Cells> = first.iter().copied().filter(|row| !times.contains(row["click_id"])).collect();
    let lost = orphans.iter().filter(|row| !early(row)).count() as f64 / first.len() as f64;
    assert!(orphans.len() > 20 && lost < 0.005, "{} {lost}", orphans.len());
    let minimum = conversions.iter().filter(|row| row["event"] == "first_deposit").collect::<Vec<_>>();
    let at_minimum = share(&minimum, |row| ["5.00", "10.00"].contains(&row["sale_amount"]));
    assert!(minimum.len() > 300 && (0.1..0.5).contains(&at_minimum), "{} {at_minimum}", minimum.len());
    let agents: BTreeSet<&str> = clicks.iter().map(|row| row["user_agent"]).collect();
    assert!(agents.len() > 400, "{} user agents", agents.len());
}

#[test]
fn the_other_world_is_another_one() {
    let files =
        made(&Mix { world: World::Other, sources: 300, clicks: Some(200_000), fraud_share: 0.0, ..small(9) });
    let (clicks, conversions) = (rows(&files.clicks), rows(&files.conversions));
    let first: Vec<&Cells> = registrations(&conversions).collect();
    let ids: BTreeSet<&str> = clicks.iter().map(|row| row["click_id"]).collect();
    let lost = share(&first, |row| row["click_time"] >= "2026-03-02" && !ids.contains(row["click_id"]));
    assert!((0.02..0.09).contains(&lost), "lost clicks: {lost}");
    let tapped: Vec<&Cells> = first.iter().copied().filter(|row| row["offer"] == "ringtones").collect();
    assert!(tapped.len() > 100 && share(&tapped, |row| ctit(row) <= 6) > 0.8, "one tap is enough");
    assert!(clicks.iter().map(|row| row["format"]).collect::<BTreeSet<_>>().len() == 3);
}

// ---------------------------------------------------------------- each fraud

/// Checks the share of planted and of honest rows of which something holds.
fn check(fraud: Fraud, planted: std::ops::RangeInclusive<f64>, honest: f64, holds: impl Fn(&Cells) -> bool) {
    for world in [World::Reference, World::Other] {
        let files = made(&only(fraud, world));
        let guilty = planted_in(&files);
        let on_clicks =
            matches!(fraud, Fraud::Bots | Fraud::UaRotation | Fraud::Coalition | Fraud::SequentialIds);
        let all = rows(if on_clicks { &files.clicks } else { &files.conversions });
        let of: Vec<&Cells> = if on_clicks { all.iter().collect() } else { registrations(&all).collect() };
        let (bad, good): (Vec<&Cells>, Vec<&Cells>) =
            of.into_iter().partition(|row| guilty.contains(row["source"]));
        let (bad, good) = (share(&bad, &holds), share(&good, &holds));
        assert!(planted.contains(&bad) && good <= honest, "{} in {world:?}: {bad} {good}", fraud.decl().name);
    }
}

#[test]
fn every_fraud_is_named_once_and_told() {
    let names: BTreeSet<&str> = Fraud::ALL.iter().map(|f| f.decl().name).collect();
    assert_eq!((names.len(), Fraud::usual().len()), (Fraud::ALL.len(), 6));
    for &fraud in Fraud::ALL {
        assert_eq!(fraud.decl().what.matches("{}").count(), 1);
        assert_eq!(Fraud::of(fraud.decl().name), Some(fraud));
        let files = made(&only(fraud, World::Reference));
        assert!(
            (12..=20).contains(&files.summary.planted),
            "{}: {}",
            fraud.decl().name,
            files.summary.planted
        );
    }
}

#[test]
fn delays_are_those_planted() {
    check(Fraud::Injection, 0.35..=0.7, 0.35, |row| row["offer"] != "ringtones" && ctit(row) <= 8);
    check(Fraud::Flooding, 0.15..=0.7, 0.08, |row| ctit(row) > 86_400);
}

#[test]
fn a_script_has_one_delay() {
    let files = made(&only(Fraud::Scripted, World::Reference));
    let conversions = rows(&files.conversions);
    let mut checked = 0;
    for source in planted_in(&files) {
        let mut delays: Vec<i64> =
            registrations(&conversions).filter(|row| row["source"] == source).map(ctit).collect();
        delays.sort_unstable();
        let most =
            delays.iter().map(|d| delays.iter().filter(|e| (*e - d).abs() <= 2).count()).max().unwrap_or(0);
        if delays.len() >= 30 {
            checked += 1;
            assert!(most as f64 > 0.3 * delays.len() as f64, "{source}: {most} of {}", delays.len());
        }
    }
    assert!(checked > 2, "{checked} sources have enough registrations");
}

#[test]
fn addresses_are_those_planted() {
    let hosted = |row: &Cells| row["isp"] == "Hosting";
    check(Fraud::Bots, 0.4..=0.65, 0.12, hosted);
    check(Fraud::UaRotation, 0.4..=0.65, 0.12, hosted);
    check(Fraud::Coalition, 0.4..=0.65, 0.01, |row| row["ip"].starts_with("45.") && row["isp"] != "Hosting");
    check(Fraud::GeoMismatch, 0.4..=0.6, 1.0, |row| {
        let home: &[&str] = match row["offer"] {
            "loan" => &["DE", "PL"],
            "casino" => &["BR", "DE"],
            "betting" => &["MX", "IN"],
            "sweep" => &["AT", "IN"],
            _ => return row["click_id"].as_bytes()[0] & 1 == 0,
        };
        !home.contains(&row["country"]) || row["country"] != home[0] && row["click_id"].as_bytes()[0] & 1 == 0
    });
}

#[test]
fn identities_are_those_planted() {
    let counted = |row: &Cells| {
        row["click_id"].ends_with(|c: char| c.is_ascii_digit())
            && row["click_id"][12..].bytes().all(|b| b.is_ascii_digit())
    };
    check(Fraud::SequentialIds, 0.4..=0.6, 0.001, counted);
    let files = made(&only(Fraud::Orphans, World::Reference));
    let clicks = rows(&files.clicks);
    let ids: BTreeSet<&str> = clicks.iter().map(|row| row["click_id"]).collect();
    let conversions = rows(&files.conversions);
    let guilty = planted_in(&files);
    let own: Vec<&Cells> = registrations(&conversions).filter(|row| guilty.contains(row["source"])).collect();
    let forged = share(&own, |row| !ids.contains(row["click_id"]));
    assert!((0.4..0.65).contains(&forged), "{forged}");
}

#[test]
fn transactions_are_replayed_and_stolen() {
    for (fraud, by_one) in [(Fraud::Replay, true), (Fraud::Stolen, false)] {
        let files = made(&only(fraud, World::Reference));
        let (conversions, guilty) = (rows(&files.conversions), planted_in(&files));
        let mut claims: BTreeMap<&str, BTreeSet<(&str, &str)>> = BTreeMap::new();
        for row in &conversions {
            claims.entry(row["transaction_id"]).or_default().insert((row["source"], row["conversion_id"]));
        }
        let twice = claims.values().filter(|who| who.len() > 1);
        let accused: Vec<bool> =
            twice.map(|who| who.iter().any(|(source, _)| guilty.contains(source))).collect();
        let share = accused.iter().filter(|a| **a).count() as f64 / accused.len() as f64;
        let shared = claims.values().any(|who| who.iter().any(|w| w.0 != who.first().expect("one").0));
        assert!(share > 0.5 && accused.len() > 20, "{}: {share} of {}", fraud.decl().name, accused.len());
        assert_eq!(shared, !by_one);
    }
}

#[test]
fn bought_deposits_are_the_minimum_and_the_last() {
    let files = made(&only(Fraud::Incentive, World::Reference));
    let (conversions, guilty) = (rows(&files.conversions), planted_in(&files));
    let deposits = |event: &str, bad: bool| {
        let of = |row: &&Cells| row["event"] == event && guilty.contains(row["source"]) == bad;
        let approved = |row: &&Cells| row["status"] == "approved";
        conversions.iter().filter(of).filter(approved).collect::<Vec<_>>()
    };
    let minimum =
        |bad: bool| share(&deposits("first_deposit", bad), |r| ["5.00", "10.00"].contains(&r["sale_amount"]));
    assert!(minimum(true) > minimum(false) + 0.2, "{} {}", minimum(true), minimum(false));
    let again =
        |bad: bool| deposits("deposit", bad).len() as f64 / deposits("first_deposit", bad).len() as f64;
    assert!(again(true) < 0.75 * again(false), "{} {}", again(true), again(false));
}

#[test]
fn stuffed_clicks_follow_others_by_seconds() {
    let files = made(&Mix { sources: 200, fraud_share: 0.05, ..only(Fraud::Stuffing, World::Reference) });
    let (clicks, conversions, guilty) = (rows(&files.clicks), rows(&files.conversions), planted_in(&files));
    let by_id: BTreeMap<&str, &Cells> = clicks.iter().map(|row| (row["click_id"], row)).collect();
    let mut by_ip: BTreeMap<&str, Vec<&Cells>> = BTreeMap::new();
    for click in &clicks {
        by_ip.entry(click["ip"]).or_default().push(click);
    }
    let follows = |row: &Cells| {
        by_id.get(row["click_id"]).is_some_and(|click| {
            by_ip[click["ip"]].iter().any(|before| {
                before["source"] != click["source"]
                    && before["user_agent"] == click["user_agent"]
                    && (1..=5).contains(&(seconds(click["click_time"]) - seconds(before["click_time"])))
            })
        })
    };
    let own: Vec<&Cells> = registrations(&conversions).filter(|row| guilty.contains(row["source"])).collect();
    assert!(share(&own, follows) > 0.25, "{}", share(&own, follows));
}

#[test]
fn one_source_is_no_customer_with_a_thousand_clicks() {
    for sources in [1, 5, 80] {
        let files = made(&Mix { sources, clicks: Some(12_000), ..small(1) });
        let (clicks, conversions) = (files.summary.clicks, files.summary.conversions);
        assert!(conversions * 4 < clicks, "{sources} sources: {conversions} of {clicks}");
    }
    let files = made(&Mix { sources: 40, clicks: Some(400_000), days: 3, ..small(1) });
    let converting = registrations(&rows(&files.conversions)).count();
    assert!(converting < 60_000, "a customer with many clicks: {converting}");
}

/// What a fraud does that begins on the eighth of fourteen days, before and after.
#[test]
fn a_fraud_begins_on_its_day() {
    for &fraud in Fraud::ALL {
        let mix = Mix { days: 14, onset: 7, ..only(fraud, World::Reference) };
        let always = made(&Mix { onset: 0, ..mix.clone() });
        let files = made(&mix);
        let guilty = planted_in(&files);
        let name = fraud.decl().name;
        assert!(guilty.len() > 5, "{name}: {guilty:?}");
        for (files, since) in [(&files, "2026-03-09"), (&always, "2026-03-02")] {
            assert!(rows(&files.planted).iter().all(|row| row["since"] == since), "{name}");
        }
        // Before its day the traffic of a planted source is what it would be without the fraud: as many clicks as an
        // honest week has, and half of the fraud's traces at the most.
        let touched = |files: &Files| -> u64 {
            let of = |row: &Cells| -> u64 {
                [row["touched_clicks"], row["touched_conversions"]]
                    .iter()
                    .filter_map(|n| n.parse::<u64>().ok())
                    .sum()
            };
            rows(&files.planted).iter().map(of).sum()
        };
        let (half, whole) = (touched(&files) as f64, touched(&always) as f64);
        let most = if fraud == Fraud::Ramp { 1.3 } else { 0.85 };
        assert!(half < most * whole && half > 0.15 * whole, "{name}: {half} of {whole}");
    }
}

#[test]
fn nothing_is_injected_before_the_day() {
    let files = made(&Mix { days: 14, onset: 7, ..only(Fraud::Injection, World::Reference) });
    let (conversions, guilty) = (rows(&files.conversions), planted_in(&files));
    let own: Vec<&Cells> = registrations(&conversions).filter(|row| guilty.contains(row["source"])).collect();
    let (before, after): (Vec<&Cells>, Vec<&Cells>) =
        own.into_iter().partition(|row| row["click_time"] < "2026-03-09");
    let fast = |rows: &[&Cells]| share(rows, |row| ctit(row) <= 8);
    assert!(fast(&before) < 0.05 && fast(&after) > 0.3, "{} {}", fast(&before), fast(&after));
}

#[test]
fn a_ramp_grows() {
    let files = made(&Mix { days: 14, ..only(Fraud::Ramp, World::Reference) });
    let (conversions, guilty) = (rows(&files.conversions), planted_in(&files));
    let own: Vec<&Cells> = registrations(&conversions).filter(|row| guilty.contains(row["source"])).collect();
    let (early, late): (Vec<&Cells>, Vec<&Cells>) =
        own.into_iter().partition(|row| row["conversion_time"] < "2026-03-09");
    let fast = |rows: &[&Cells]| share(rows, |row| ctit(row) <= 8);
    assert!(fast(&late) > 1.8 * fast(&early), "{} {}", fast(&early), fast(&late));
}
