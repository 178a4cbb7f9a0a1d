use super::*;
use crate::base::money::Micro;
use std::collections::BTreeMap;

/// A run of a day with the zones that it blocks, and thirty honest ones beside them.
fn day(day: u32, blocked: &[&str]) -> Run {
    let key = |zone: &str| -> BTreeMap<String, Option<String>> {
        [("traffic_source", "popmax"), ("source", zone)]
            .map(|(c, v)| (c.to_owned(), Some(v.to_owned())))
            .into()
    };
    let group = |zone: &str, listed| Group {
        key: key(zone),
        listed,
        protected: false,
        rule: "a-rule".into(),
        title: "A rule".into(),
        volume: report::Volume { clicks: 100, spend: Micro(10_000_000), revenue: Micro(5_000_000) },
    };
    let honest = (0..30).map(|n| group(&format!("honest{n}"), None));
    Run {
        digest: format!("report of day {day}"),
        as_of: format!("2026-03-{day:02}T00:00:00Z"),
        grain: vec!["traffic_source".into(), "source".into()],
        currency: Some("USD".into()),
        groups: blocked.iter().map(|zone| group(zone, Some(Kind::Block))).chain(honest).collect(),
    }
}

fn step(before: &Revision, run: &Run) -> Plan {
    plan(before, run, &|_| false, &Options::default()).expect("a plan")
}

fn standing(revision: &Revision) -> Vec<&str> {
    revision.standing(Kind::Block).map(|e| e.key["source"].as_deref().unwrap_or_default()).collect()
}

#[test]
fn a_blocked_source_stays_though_it_sends_nothing() {
    let first = step(&Revision::empty(), &day(1, &["z1"])).after;
    let second = step(&first, &day(2, &[]));
    assert_eq!((standing(&second.after), second.changes_a_list()), (vec!["z1"], false));
    let over = step(&second.after, &day(15, &[]));
    assert_eq!((standing(&over.after), over.of(Change::Expire, Kind::Block).count()), (vec![], 1));
}

#[test]
fn who_comes_back_stays_twice_as_long() {
    let mut state = step(&Revision::empty(), &day(1, &["z1"])).after;
    state = step(&state, &day(15, &[])).after;
    state = step(&state, &day(16, &["z1"])).after;
    assert_eq!((state.entries[0].times, state.entries[0].expires.as_str()), (2, "2026-04-13T00:00:00Z"));
}

#[test]
fn a_match_renews() {
    let first = step(&Revision::empty(), &day(1, &["z1"])).after;
    let second = step(&first, &day(10, &["z1"])).after;
    assert_eq!(second.entries[0].expires, "2026-03-24T00:00:00Z");
    assert_eq!(second.entries[0].first_seen, "2026-03-01T00:00:00Z");
}

#[test]
fn protection_wins_and_takes_off() {
    let first = step(&Revision::empty(), &day(1, &["z1", "z2"])).after;
    let shield = |e: &Entry| e.key["source"].as_deref() == Some("z1");
    let second = plan(&first, &day(2, &["z1", "z2"]), &shield, &Options::default()).expect("a plan");
    assert_eq!(standing(&second.after), ["z2"]);
    let mut run = day(2, &["z1", "z2"]);
    run.groups[1].protected = true;
    assert_eq!(standing(&step(&first, &run).after), ["z1"]);
}

#[test]
fn an_older_report_is_refused_and_the_same_changes_nothing() {
    let first = step(&Revision::empty(), &day(5, &["z1"])).after;
    assert!(plan(&first, &day(4, &[]), &|_| false, &Options::default()).is_err());
    let again = step(&first, &day(5, &["z1"]));
    assert_eq!(again.after.entries, first.entries);
}

fn braked(run: &Run, change: impl FnOnce(&mut Options)) -> Option<String> {
    let mut options = Options::default();
    change(&mut options);
    plan(&Revision::empty(), run, &|_| false, &options).expect("a plan").brake
}

#[test]
fn each_limit_of_growth_holds() {
    let run = day(1, &["z1", "z2"]);
    assert_eq!(braked(&run, |_| ()), None);
    type Set = fn(&mut Options);
    let limits: [(&str, Set); 5] = [
        ("max_new", |o| o.max_new = 1),
        ("max_source_share", |o| o.max_source_share = 0.05),
        ("max_click_share", |o| o.max_click_share = 0.05),
        ("max_spend_share", |o| o.max_spend_share = 0.05),
        ("max_revenue_share", |o| o.max_revenue_share = 0.05),
    ];
    for (name, set) in limits {
        let why = braked(&run, set).unwrap_or_default();
        assert!(why.contains(name), "{name}: {why}");
    }
    assert_eq!(braked(&run, |o| o.max_click_share = 2.0 / 32.0), None, "exactly the limit is within it");
}

#[test]
fn a_list_does_not_vanish_in_one_night() {
    let zones: Vec<String> = (0..10).map(|n| format!("z{n}")).collect();
    let zones: Vec<&str> = zones.iter().map(String::as_str).collect();
    let mut options =
        Options { max_source_share: 1.0, max_click_share: 1.0, max_spend_share: 1.0, ..Options::default() };
    options.max_revenue_share = 1.0;
    let first = plan(&Revision::empty(), &day(1, &zones), &|_| false, &options).expect("a plan").after;
    let over = plan(&first, &day(20, &[]), &|_| false, &options).expect("a plan");
    assert!(over.brake.expect("a brake").contains("max_shrink: 10 of 10"));
    options.max_shrink = 1.0;
    assert_eq!(plan(&first, &day(20, &[]), &|_| false, &options).expect("a plan").brake, None);
}

#[test]
fn revisions_are_kept_and_found_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::at(folder.path());
    assert_eq!(store.latest().expect("none yet").revision, 0);
    let _lock = store.lock().expect("a folder").expect("nobody else");
    assert!(store.lock().expect("a folder").is_none(), "two at once");
    let first = step(&Revision::empty(), &day(1, &["z1"])).after;
    store.add(&first).expect("added");
    assert!(store.add(&first).is_err(), "a revision is never replaced");
    assert_eq!(store.latest().expect("one"), first);
    std::fs::write(folder.path().join("revision-000002.json"), "{").expect("written");
    assert!(store.latest().is_err(), "a broken list is not an empty one");
}

#[test]
fn history_tells_who_came_and_went() {
    let first = step(&Revision::empty(), &day(1, &["z1"])).after;
    let second = step(&first, &day(15, &["z2"])).after;
    let all = history(&[first.clone(), second.clone()], None);
    assert_eq!(all.lines().filter(|l| l.starts_with("  +")).count(), 2, "{all}");
    assert_eq!(all.lines().filter(|l| l.starts_with("  -")).count(), 1, "{all}");
    let one = history(&[first, second], Some("z2"));
    assert_eq!(one.lines().count(), 2, "{one}");
}
