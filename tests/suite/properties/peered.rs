//! Audits with enough sources that each is held against its peers: what must not matter changes no byte there
//! either, what cannot be seen is not clean, and inputs of unusual make have defined results.

use super::{
    CLICK_COLUMNS, CONVERSION_COLUMNS, Case, Dice, Files, Key, folder, packed, plain_facts, rendered, rules,
    run, split, told, turned, verdicts,
};
use crate::reference::{ClickRow, ConversionRow, DAY, SECOND};
use clickaudit::audit::Audited;
use clickaudit::base::column::Grain;
use clickaudit::base::text::Text;
use clickaudit::ingest::Shape;
use clickaudit::rules::Action;
use clickaudit::verdicts::{Judged, Verdict};
use serde_json::Value;
use std::collections::BTreeSet;

/// What a source does; all but the first are wrong.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Honest,
    /// Conversions come at once.
    Fast,
    /// Clicks and conversions come from a few networks.
    Farm,
    /// Transactions come again.
    Replays,
    /// Conversions have no click.
    Orphans,
    /// Clicks come every so many seconds.
    Timer,
    /// Conversions are taken back.
    TakenBack,
    /// Nobody buys.
    Idle,
}

const FRAUDS: [Kind; 7] =
    [Kind::Fast, Kind::Farm, Kind::Replays, Kind::Orphans, Kind::Timer, Kind::TakenBack, Kind::Idle];

/// Clicks and conversions of some sources.
struct World {
    dice: Dice,
    clicks: Vec<ClickRow>,
    conversions: Vec<ConversionRow>,
}

impl World {
    fn new(seed: u64) -> World {
        World { dice: Dice(seed), clicks: Vec::new(), conversions: Vec::new() }
    }

    fn source(&mut self, name: &str, offer: &str, clicks: usize, kind: Kind) {
        for at in 0..clicks {
            let day = 20_600 + (at * 9 / clicks) as i64;
            let second = if kind == Kind::Timer { 30_000 + at * 97 } else { self.dice.roll(86_400) };
            let time = day * DAY + second as i64 * SECOND;
            let click = self.click(&format!("{name}-{at}"), name, offer, time, kind);
            if self.dice.roll(4) == 0 && kind != Kind::Idle {
                let conversion = self.conversion(&click, kind);
                self.conversions.push(conversion);
            }
            self.clicks.push(click);
        }
    }

    fn click(&mut self, id: &str, source: &str, offer: &str, time: i64, kind: Kind) -> ClickRow {
        let mut told = Dice(self.clicks.len() as u64);
        let dice = &mut self.dice;
        let network = if kind == Kind::Farm { 1 } else { dice.roll(250) };
        ClickRow {
            click_id: Some(format!("{id}-{:06x}", dice.roll(1 << 24))),
            time,
            traffic_source: Some("ts1".to_owned()),
            source: Some(source.to_owned()),
            offer: Some(offer.to_owned()),
            network: Some("n1".to_owned()),
            country: Some(["DE", "AT"][dice.roll(5) / 4].to_owned()),
            ip: Some(format!("10.{}.{network}.{}", dice.roll(3), dice.roll(250))),
            user_agent: Some(format!("browser {}", dice.roll(12))),
            asn: Some(format!("{}", 64_500 + dice.roll(9))),
            is_bot: Some(dice.roll(50) == 0),
            is_datacenter: Some(dice.roll(80) == 0),
            is_vpn: Some(told.roll(60) == 0),
            is_tor: Some(told.roll(90) == 0),
            is_known_bot: Some(told.roll(70) == 0),
            is_headless: Some(told.roll(75) == 0),
            click_country: Some(["DE", "AT"][told.roll(5) / 4].to_owned()),
            keyword: Some("slots".to_owned()),
            referrer: Some("https://example.com/".to_owned()),
            hit_type: Some("visit".to_owned()),
            lander_time: (dice.roll(3) > 0).then_some(time + (5 + dice.roll(40)) as i64 * SECOND),
            cost: Some(200_000 + dice.roll(99_999) as i64),
        }
    }

    fn conversion(&mut self, click: &ClickRow, kind: Kind) -> ConversionRow {
        let dice = &mut self.dice;
        let wait = if kind == Kind::Fast { 3 + dice.roll(4) } else { 40 + dice.roll(30) * dice.roll(90) };
        let time = click.time + wait as i64 * SECOND;
        let id = click.click_id.clone().unwrap_or_default();
        let orphan = kind == Kind::Orphans && dice.roll(5) > 0;
        let transaction = if kind == Kind::Replays {
            format!("{:?}-{}", click.source, dice.roll(2))
        } else {
            format!("{id}-t")
        };
        let status = match dice.roll(10) {
            0 => "rejected",
            1 => "pending",
            2..9 if kind == Kind::TakenBack => "chargeback",
            _ => "approved",
        };
        ConversionRow {
            conversion_id: Some(format!("{id}-c")),
            transaction_id: Some(transaction),
            click_id: Some(if orphan { format!("made-up-{}", dice.roll(1_000_000)) } else { id }),
            event: Some("registration".to_owned()),
            time,
            click_time: orphan.then_some(click.time),
            status_time: Some(time + DAY + dice.roll(9_000) as i64 * SECOND),
            status: Some(status.to_owned()),
            payout: Some(3_000_000),
            sale_amount: Some(10_000_000 + dice.roll(9) as i64 * 5_000_000),
            player_id: Some(format!("p{}", dice.roll(1_000_000))),
            country: click.country.clone(),
            ip: click.ip.clone(),
            traffic_source: click.traffic_source.clone(),
            source: click.source.clone(),
            offer: click.offer.clone(),
            network: click.network.clone(),
            ..ConversionRow::default()
        }
    }

    fn case(&self) -> Case {
        let (clicks, conversions) = (self.clicks.clone(), self.conversions.clone());
        Case { clicks, conversions, facts: plain_facts(), bad_rows: 0 }
    }
}

/// Sixty sources of two offers, seven of them wrong.
fn sixty(seed: u64) -> Case {
    let mut world = World::new(seed);
    for at in 0..60 {
        let kind = if at % 8 == 3 { FRAUDS[at / 8 % FRAUDS.len()] } else { Kind::Honest };
        let (own, clicks) = (at % 2, 120 + world.dice.roll(100) + if kind == Kind::Honest { 0 } else { 100 });
        let offer = |n: usize| format!("o{}", n % 2 + 1);
        world.source(&format!("zone-{at}"), &offer(own), clicks, kind);
        if at % 10 == 0 {
            world.source(&format!("zone-{at}"), &offer(own + 1), 45, kind);
        }
    }
    world.case()
}

fn json(audited: &Audited) -> Value {
    let bytes = rendered(audited, "json").expect("a report is no list");
    serde_json::from_slice(&bytes).expect("the report is JSON")
}

/// Every number of a report is one, shares and probabilities lie where they belong.
#[track_caller]
fn defined(audited: &Audited) -> Value {
    for format in ["json", "csv", "table"] {
        let Some(bytes) = rendered(audited, format) else { continue };
        let text = String::from_utf8(bytes).expect("reports are UTF-8");
        let words: BTreeSet<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        let bad: Vec<_> =
            ["NaN", "nan", "inf", "Infinity"].into_iter().filter(|w| words.contains(w)).collect();
        assert!(bad.is_empty(), "{format} has {bad:?}");
    }
    let report = json(audited);
    for source in report["sources"].as_array().expect("a list") {
        let within = |value: &Value, most: f64| {
            value.is_null() || value.as_f64().is_some_and(|v| (0.0..=most).contains(&v))
        };
        assert!(within(&source["score"], 100.0), "{}", source["score"]);
        assert!(within(&source["p"], 1.0) && within(&source["q"], 1.0), "{source}");
        for (name, signal) in source["signals"].as_object().expect("signals") {
            let value = signal["value"].as_f64().unwrap_or_else(|| panic!("{name}: {signal}"));
            // A fact that was counted has no limits.
            let limit = |key: &str| signal.get(key).map_or(value, |l| l.as_f64().unwrap_or(f64::NAN));
            let (low, high) = (limit("low"), limit("high"));
            assert!(low <= value && value <= high, "{name}: {signal}");
            assert!(within(&signal["p"], 1.0), "{name}: {signal}");
        }
    }
    report
}

fn audited_case<T>(case: &Case, see: impl FnOnce(&Audited) -> T) -> T {
    let (folder, rules) = (folder(), rules());
    see(&run(&case.settings(case.files(folder.path()), 2), &rules))
}

#[test]
fn what_must_not_matter_changes_no_comparison() {
    let (case, folder, rules) = (sixty(7), folder(), rules());
    let straight = run(&case.settings(case.files(folder.path()), 1), &rules);
    let report = defined(&straight);
    let sources = report["sources"].as_array().expect("a list");
    let with = |test: &dyn Fn(&Value) -> bool| sources.iter().filter(|s| test(s)).count();
    assert_eq!(with(&|s| s["score"].is_number() && s["p"].is_number() && s["q"].is_number()), 60);
    let peered =
        |s: &Value| s["signals"].as_object().is_some_and(|all| all.values().any(|v| v["peers"].is_number()));
    assert_eq!(with(&peered), 60);
    assert!(with(&|s| s["significant"] == true) > 4, "{}", report["peers"]);
    let straight = told(&straight);
    let same = |what: &str, case: &Case, files: Files, threads: usize| {
        let found = told(&run(&case.settings(files, threads), &rules));
        assert!(found == straight, "{what}");
    };
    same("threads", &case, case.files(folder.path()), 7);
    let other = turned(&case, 1_234);
    same("order of rows", &other, other.files(folder.path()), 3);
    for turn in [1, 7] {
        same("split", &case, split(&case, turn, folder.path()), 2);
    }
    for rows in [97, 4_000] {
        same("row groups", &case, packed(&case, folder.path(), rows), 2);
    }
    // Text is read in chunks of 12 MiB: so much of it that there are two.
    let mut long = case.clone();
    long.clicks.iter_mut().for_each(|c| c.referrer = Some("x".repeat(3_000)));
    let files = long.files(folder.path());
    assert!(long.click_table().expect("clicks").csv().len() > 13 << 20);
    same("chunks", &long, files, 2);
}

/// The group of a source.
fn judged<'a, 'r>(audited: &'a Audited<'r>, key: &Key) -> &'a Judged<'r> {
    let text = |t: &Option<Text>| t.as_ref().map(|t| t.raw().to_owned());
    let is_it = |g: &&Judged| {
        g.subject.grain == Grain::source() && (text(&g.subject.key[0]), text(&g.subject.key[1])) == *key
    };
    audited.report.groups.iter().find(is_it).expect("every source has a group")
}

/// Whether a group may be clean in an audit that sees less: nothing that must decide accused it, and the report says
/// that it could check less.
fn may_be_clean(accused: &Judged, less: &Judged) -> bool {
    let mut accusing = accused.findings.iter().filter(|f| f.action <= Action::Watch);
    accusing.all(|f| !f.rule.decides) && less.not_possible > accused.not_possible
}

/// Any column but those that say when and whose. Where all evidence stood in that column, and on rules that need not
/// decide, a source is clean as far as can be seen: the report counts what it could not check.
#[test]
fn a_missing_column_clears_nobody_beside_peers() {
    let (case, folder, rules) = (sixty(8), folder(), rules());
    let whole = run(&case.settings(case.files(folder.path()), 2), &rules);
    let flagged: Vec<(Key, Verdict)> =
        verdicts(&whole).into_iter().filter(|(_, v)| *v <= Verdict::Watch).collect();
    assert!(flagged.len() > 6, "{flagged:?}");
    let needed =
        [(Shape::Clicks, "click_time"), (Shape::Clicks, "source"), (Shape::Conversions, "conversion_time")];
    let side = |side: Shape, all: &[&'static str]| all.iter().map(|c| (side, *c)).collect::<Vec<_>>();
    let columns = [side(Shape::Clicks, CLICK_COLUMNS), side(Shape::Conversions, CONVERSION_COLUMNS)].concat();
    for (side, column) in columns.into_iter().filter(|c| !needed.contains(c) && c.1 != "traffic_source") {
        let less = case.clone().without(side, column);
        let less = run(&less.settings(less.files(folder.path()), 2), &rules);
        for (key, verdict) in &flagged {
            let (before, after) = (judged(&whole, key), judged(&less, key));
            let holds = after.verdict != Verdict::Clean || may_be_clean(before, after);
            assert!(holds, "{key:?} is {verdict:?}, and clean without {} {column}", side.word());
        }
    }
}

// ---------------------------------------------------------------- unusual inputs

#[track_caller]
fn scores(report: &Value) -> Vec<f64> {
    report["sources"].as_array().expect("a list").iter().filter_map(|s| s["score"].as_f64()).collect()
}

#[test]
fn groups_without_peers_are_compared_with_nobody() {
    let mut world = World::new(1);
    for at in 0..4 {
        world.source(&format!("zone-{at}"), &format!("o{at}"), 300, Kind::Honest);
    }
    let report = audited_case(&world.case(), defined);
    assert_eq!(report["sources"].as_array().map(Vec::len), Some(4));
    for source in report["sources"].as_array().expect("a list") {
        let compared =
            source["signals"].as_object().expect("signals").values().filter(|s| s["peers"].is_number());
        assert_eq!(compared.count(), 0, "{source}");
        assert!(source["verdict"] != "block" && source["significant"] != true, "{source}");
    }
}

#[test]
fn one_source_in_all_is_judged_by_itself() {
    let mut world = World::new(2);
    world.source("only", "o1", 400, Kind::Honest);
    let report = audited_case(&world.case(), defined);
    assert_eq!(report["sources"].as_array().map(Vec::len), Some(1));
    assert_ne!(report["sources"][0]["verdict"], "block");
    let mut world = World::new(2);
    world.source("only", "o1", 400, Kind::Fast);
    let report = audited_case(&world.case(), defined);
    assert_eq!(report["sources"][0]["verdict"], "block", "fixed limits need no peers");
}

#[test]
fn sources_that_are_all_alike_are_none_worse_than_another() {
    let mut world = World::new(3);
    world.source("zone-0", "o1", 250, Kind::Honest);
    let (clicks, conversions) = (world.clicks.clone(), world.conversions.clone());
    for at in 1..45 {
        let name = |id: &Option<String>| id.as_ref().map(|id| id.replace("zone-0", &format!("zone-{at}")));
        world.clicks.extend(clicks.iter().map(|c| ClickRow {
            click_id: name(&c.click_id),
            source: name(&c.source),
            time: c.time + at * SECOND,
            lander_time: c.lander_time.map(|t| t + at * SECOND),
            ..c.clone()
        }));
        world.conversions.extend(conversions.iter().map(|c| ConversionRow {
            click_id: name(&c.click_id),
            source: name(&c.source),
            conversion_id: name(&c.conversion_id),
            transaction_id: name(&c.transaction_id),
            time: c.time + at * SECOND,
            status_time: c.status_time.map(|t| t + at * SECOND),
            player_id: c.player_id.as_ref().map(|p| format!("{p}-{at}")),
            ..c.clone()
        }));
    }
    let report = audited_case(&world.case(), defined);
    let scores = scores(&report);
    assert_eq!(scores.len(), 45);
    assert!(scores.iter().all(|s| *s == scores[0]), "{scores:?}");
    assert!(report["sources"].as_array().is_some_and(|all| all.iter().all(|s| s["significant"] != true)));
}

#[test]
fn a_majority_of_frauds_does_not_make_the_honest_look_wrong() {
    let mut world = World::new(4);
    for at in 0..40 {
        let kind = if at % 8 < 5 { Kind::Fast } else { Kind::Honest };
        world.source(&format!("{kind:?}-{at}", kind = kind as usize), "o1", 250, kind);
    }
    let report = audited_case(&world.case(), defined);
    let verdicts = |fast: bool| -> Vec<String> {
        let is_fast = |s: &&Value| s["key"]["source"].as_str().is_some_and(|k| k.starts_with("1-")) == fast;
        let sources = report["sources"].as_array().expect("a list").iter().filter(is_fast);
        sources.map(|s| s["verdict"].as_str().unwrap_or_default().to_owned()).collect()
    };
    // What most sources of an offer do may be how it works: nobody is accused of it, and nobody is cleared.
    assert!(verdicts(true).iter().all(|v| v != "clean"), "{:?}", verdicts(true));
    assert!(verdicts(false).iter().all(|v| v != "block"), "{:?}", verdicts(false));
}

#[test]
fn nothing_but_clicks_convicts_nobody_of_fraud() {
    let mut world = World::new(5);
    (0..30).for_each(|at| world.source(&format!("zone-{at}"), "o1", 100, Kind::Idle));
    // One conversion before all clicks, so that there is a file with a row.
    let early = world.clicks[0].clone();
    let early = ClickRow { source: Some("other".to_owned()), click_id: Some("early".to_owned()), ..early };
    let conversion = world.conversion(&early, Kind::Honest);
    world.conversions.push(conversion);
    let report = audited_case(&world.case(), defined);
    let sources = report["sources"].as_array().expect("a list");
    assert!(sources.iter().all(|s| s["class"] != "fraud" || s["verdict"] != "block"), "{sources:?}");
    world.conversions.clear();
    audited_case(&world.case(), defined);
}

#[test]
fn one_giant_among_small_sources_is_one_source() {
    let mut world = World::new(6);
    world.source("giant", "o1", 8_000, Kind::Honest);
    (0..20).for_each(|at| world.source(&format!("zone-{at}"), "o1", 60, Kind::Honest));
    let report = audited_case(&world.case(), defined);
    let sources = report["sources"].as_array().expect("a list");
    assert_eq!(sources.len(), 21);
    assert!(sources.iter().all(|s| s["verdict"] != "block"), "{:?}", scores(&report));
}

#[test]
fn counts_beyond_32_bits_add_up() {
    let mut csv = "day,zone,offer,clicks,conversions,cost,revenue\n".to_owned();
    for day in 1..=9 {
        for zone in 0..30 {
            let clicks = if zone == 0 { 3_000_000_000u64 } else { 900_000_000 };
            let conversions = clicks / [97, 100, 103][(zone + day) % 3];
            csv += &format!("2026-03-{day:02},z{zone},o1,{clicks},{conversions},900000.00,1200000.00\n");
        }
    }
    let (folder, rules) = (folder(), rules());
    let mut files = Files::default();
    files.add(Shape::Report, folder.path().join("days.csv"), csv.as_bytes());
    let case = Case { clicks: Vec::new(), conversions: Vec::new(), facts: plain_facts(), bad_rows: 0 };
    let report = defined(&run(&case.settings(files, 2), &rules));
    assert_eq!(report["sources"].as_array().map(Vec::len), Some(30));
    let giant = report["sources"].as_array().and_then(|all| all.iter().find(|s| s["key"]["source"] == "z0"));
    let giant = giant.expect("the giant");
    assert_eq!(giant["clicks"], 27_000_000_000u64);
    assert_eq!(giant["signals"]["click_count"]["value"], 27_000_000_000u64);
    assert_eq!(report["totals"]["clicks"], 9 * (3_000_000_000u64 + 29 * 900_000_000));
}
