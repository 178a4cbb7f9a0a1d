//! What sources files say, and every way in which they can be wrong.

use super::*;
use crate::ingest::mapping::Shape;

fn of(text: &str) -> Sources {
    let mut sources = Sources::default();
    sources.parse(text, "sources.yaml").unwrap_or_else(|faults| panic!("{}", diag::plain(&faults)));
    sources
}

fn faults(text: &str) -> Vec<String> {
    let faults = Sources::default().parse(text, "sources.yaml").expect_err(text);
    let told = |f: &Diag| {
        let (line, column) = f.position().expect("a place");
        assert!(f.help.is_some(), "{} has no help", f.message);
        format!("{line}:{column} {}", f.message)
    };
    faults.iter().map(told).collect()
}

#[test]
fn starters_are_sorted_whole_and_hold_known_words() {
    let all = starters().unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(all.len(), 10);
    assert!(all.windows(2).all(|w| w[0].name < w[1].name));
    let mut names: Vec<&String> = all.iter().flat_map(|s| s.names.iter().chain([&s.name])).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "a name belongs to two starters");
    for starter in all {
        assert!(starter.zone.is_some() && starter.about.ends_with('.'), "{}", starter.name);
        assert!(cost_model(&starter.cost_model).is_some(), "{}", starter.name);
        assert!(Dialect::find(&starter.blocklist).is_some(), "{}", starter.name);
        assert!(starter.tokens().into_iter().flatten().all(|t| token(t).is_ok()), "{}", starter.name);
        assert!(starter.names.iter().all(|n| key(n) == *n), "{}", starter.name);
    }
}

#[test]
fn an_entry_lies_over_its_starter() {
    let sources = of("PropellerAds: {zone: sub5, currency: eur}\nmy push: {starter: propellerads, names: [p2], time_zone: America/New_York}\n".replace("my push: {starter: propellerads", "my push: {starter: richads").as_str());
    let seller = sources.of("propellerads").expect("it is there");
    assert_eq!(seller.tokens[0], Some(Token::Header("sub5".into())));
    assert_eq!(seller.tokens[3], Some(Token::Variable(2)));
    assert_eq!((seller.format.as_deref(), seller.currency.as_deref()), (Some("push"), Some("EUR")));
    assert_eq!(seller.blocklist.map(|d| d.name), Some("comma"));
    assert!(
        sources.of("Propeller Ads").is_some() && sources.of(" P2 ").is_some() && sources.of("x").is_none()
    );
    assert_eq!(sources.of("my push").and_then(|s| s.zone).map(Zone::name), Some("America/New_York"));
}

#[test]
fn every_fault_is_found_at_once_with_its_place() {
    let text = "pop:\n  zone: externalId\n  cost_model: cpx\n  currency: euros!\n  time_zone: Mars\n  blocklist: linse\n  starter: proppeler\n  campaign: 0\nPOP: {}\n";
    assert_eq!(
        faults(text),
        [
            "2:9 `externalId` is the traffic source's ID of the click, never a zone",
            "3:15 `cpx` is no cost model",
            "4:13 `euros!` is no currency code",
            "5:14 `Mars` is no time zone",
            "6:14 `linse` is no dialect of lists",
            "7:12 there is no starter `proppeler`",
            "8:13 `0` is no variable that carries the campaign",
            "9:1 the traffic source `POP` stands there twice",
        ]
    );
    assert_eq!(faults("pop: {zone: ref_id}\n").len(), 1);
    assert!(faults("pop: {zoen: 1}\n")[0].contains("there is no key `zoen` here"));
}

#[test]
fn the_example_of_the_documentation_is_read() {
    let sources = of(EXAMPLE);
    assert_eq!(sources.sellers.len(), 3);
    let propeller = sources.of("propellerads").expect("it is there");
    assert_eq!(
        (&propeller.tokens[0], propeller.format.as_deref()),
        (&Some(Token::Variable(5)), Some("push"))
    );
    assert_eq!(sources.of("MPN / Tier 1").map(|s| s.tokens[1].clone()), Some(Some(Token::Variable(2))));
    assert!(sources.of("in-house").is_some_and(|s| !s.sells_clicks() && s.account.as_deref() == Some("us")));
}

#[test]
fn every_key_is_told() {
    let told: Vec<&str> = KEYS.iter().map(|k| k.0).collect();
    let raw: std::result::Result<Vec<Diag>, ()> =
        Sources::default().parse("x: {unheard: 1}\n", "s.yaml").err().ok_or(());
    let help = raw.expect("a fault")[0].message.clone();
    assert!(help.contains("unheard"));
    for key in told {
        let fault = Sources::default().parse(&format!("x: {{{key}: {{}}}}\n"), "s.yaml").expect_err(key);
        assert!(!fault[0].message.contains("there is no key"), "{key}");
    }
}

const HEADERS: [&str; 6] =
    ["clickId", "trafficSourceName", "customVariable1", "Custom Variable 5", "zone_name", "format"];

fn overlay(text: &str) -> Option<Overlay> {
    let headers = HEADERS.map(str::to_owned);
    let places = BTreeMap::from([(Col::TrafficSource, 1), (Col::Source, 2), (Col::Format, 5)]);
    Overlay::of(&of(text), Shape::Clicks, &headers, &places, &BTreeMap::new())
}

#[test]
fn a_row_is_read_as_its_traffic_source_says() {
    let overlay = overlay(
        "pop: {zone: 5, publisher: 9, format: Pop}\npush: {zone: Zone Name}\nother: {account: mine}\n",
    )
    .expect("an overlay");
    let read = |row: [&'static str; 6], col| match overlay.text(col, &|at| row[at].as_bytes()) {
        Some(Picked::Text(text)) => String::from_utf8_lossy(text).into_owned(),
        Some(Picked::Fixed(text)) => format!("fixed {text}"),
        None => "-".to_owned(),
    };
    let row = |seller| ["c", seller, "v1", "v5", "z", ""];
    assert_eq!(read(row("POP"), Col::Source), "v5");
    assert_eq!(read(row("push"), Col::Source), "z");
    assert_eq!(read(row("other"), Col::Source), "v1");
    assert_eq!(read(row("unheard of"), Col::Source), "v1");
    assert_eq!(read(row("pop"), Col::Account), "-");
    assert_eq!(read(row("other"), Col::Account), "fixed mine");
    assert_eq!(read(row("pop"), Col::Format), "fixed pop");
    assert_eq!(read(["c", "pop", "v1", "v5", "z", "native"], Col::Format), "native");
    assert_eq!(read(row("push"), Col::Format), "");
    assert_eq!(overlay.missing, [("pop".to_owned(), "publisher", "variable 9".to_owned())]);
    assert_eq!(overlay.places(), BTreeSet::from([1, 2, 3, 4, 5]));
    assert!(overlay.has(Col::Source) && !overlay.has(Col::Creative));
}

use std::collections::BTreeSet;

#[test]
fn files_without_a_traffic_source_are_read_as_before() {
    let sources = of("pop: {zone: 1}\n");
    let headers = ["a".to_owned()];
    let none = Overlay::of(&sources, Shape::Clicks, &headers, &BTreeMap::new(), &BTreeMap::new());
    assert!(none.is_none());
    let constants = BTreeMap::from([(Col::TrafficSource, "pop".to_owned())]);
    let all = Overlay::of(&sources, Shape::Clicks, &["sub1".to_owned()], &BTreeMap::new(), &constants)
        .expect("an overlay");
    assert_eq!(all.text(Col::Source, &|_| b"z7"), Some(Picked::Text(b"z7")));
    assert!(
        Overlay::of(&Sources::default(), Shape::Clicks, &headers, &BTreeMap::new(), &constants).is_none()
    );
    let report = Overlay::of(&sources, Shape::Report, &headers, &BTreeMap::new(), &constants);
    assert!(report.is_none());
}
