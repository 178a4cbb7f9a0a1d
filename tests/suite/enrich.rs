//! What the user's own files tell of visitors, from file to verdict: databases and lists made here, exports as
//! text and as Parquet, and what happens to damaged files.

mod mmdb;

use crate::runs::Folder;
use clickaudit::base::column::{Col, Kind};
use clickaudit::ingest::enrich::{Enrichment, Files, LISTS, ListKind};
use clickaudit::ingest::{Field, Inputs, Intake, Mapping, Plan, Shape, Wanted, ingest};
use mmdb::{Value, database};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

/// The columns that can be found.
const FOUND: [Col; 11] = [
    Col::Country,
    Col::Os,
    Col::Asn,
    Col::ClickCountry,
    Col::Ip24,
    Col::UaFamily,
    Col::IsDatacenter,
    Col::IsVpn,
    Col::IsTor,
    Col::IsKnownBot,
    Col::IsHeadless,
];

fn country(code: &'static str) -> Value {
    Value::Map(vec![("country", Value::Map(vec![("iso_code", Value::Text(code))]))])
}

fn operator(number: u32) -> Value {
    Value::Map(vec![
        ("autonomous_system_number", Value::Number(number)),
        ("autonomous_system_organization", Value::Text("Example")),
    ])
}

fn countries() -> Vec<u8> {
    let registered =
        Value::Map(vec![("registered_country", Value::Map(vec![("iso_code", Value::Text("FR"))]))]);
    database(
        "GeoLite2-Country",
        &[
            ("192.0.2.0/24", country("DE")),
            ("192.0.2.128/25", country("AT")),
            ("2001:db8::/32", country("SE")),
            ("203.0.113.0/24", registered),
        ],
    )
}

fn operators() -> Vec<u8> {
    database("GeoLite2-ASN", &[("192.0.2.0/24", operator(64_500)), ("2001:db8::/32", operator(64_501))])
}

const CRAWLERS: &str = r#"[{"pattern": "Googlebot\\/", "url": "x"}, {"pattern": "^python-requests"}]"#;

/// A folder with one file of each kind.
fn folder() -> Folder {
    Folder::new()
        .with("countries.mmdb", countries())
        .with("operators.mmdb", operators())
        .with("servers.txt", "# servers\n192.0.2.128/25\n")
        .with("vpn.txt", "203.0.113.0/24\n")
        .with("tor.txt", "2001:db8::1\n")
        .with("crawlers.json", CRAWLERS)
}

const FLAGS: &str = "--geoip countries.mmdb --asn-db operators.mmdb --ip-list datacenter=servers.txt \
                     --ip-list vpn=vpn.txt --ip-list tor=tor.txt --crawlers crawlers.json";

fn enrichment(folder: &Folder) -> Arc<Enrichment> {
    let list = |kind, name: &str| (kind, folder.path(name));
    let files = Files {
        countries: Some(folder.path("countries.mmdb")),
        operators: Some(folder.path("operators.mmdb")),
        lists: vec![
            list(ListKind::Datacenter, "servers.txt"),
            list(ListKind::Vpn, "vpn.txt"),
            list(ListKind::Tor, "tor.txt"),
        ],
        crawlers: vec![folder.path("crawlers.json")],
    };
    Arc::new(Enrichment::load(&files).expect("good files"))
}

const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36";

/// Address, user agent, and what is found: country, system, operator, country of the click, network, family,
/// data centre, VPN, Tor, crawler, without a screen; `-` is absent.
const ROWS: &[(&str, &str, &str)] = &[
    ("192.0.2.1", CHROME, "DE Windows AS64500 DE 192.0.2.0/24 Chrome 0 0 0 0 0"),
    ("192.0.2.200", "python-requests/2.32", "AT - AS64500 AT 192.0.2.0/24 Python 1 0 0 1 0"),
    (
        "::ffff:192.0.2.1",
        "Mozilla/5.0 (X11; Linux) HeadlessChrome/126.0",
        "DE Linux AS64500 DE 192.0.2.0/24 Headless~Chrome 0 0 0 0 1",
    ),
    ("2001:db8::1", "Mozilla/5.0 (compatible; Googlebot/2.1)", "SE - AS64501 SE 2001:db8::/48 - 0 0 1 1 0"),
    ("203.0.113.9", "", "FR - - FR 203.0.113.0/24 - 0 1 0 - -"),
    ("198.51.100.1", CHROME, "- Windows - - 198.51.100.0/24 Chrome 0 0 0 0 0"),
    ("not an address", CHROME, "- Windows - - - Chrome - - - 0 0"),
    ("", "null", "- - - - - - - - - - -"),
];

fn csv() -> String {
    let rows = ROWS.iter().map(|(ip, agent, _)| format!("2026-03-05 10:00:00,s1,{ip},\"{agent}\"\n"));
    format!("click_time,source,ip,user_agent\n{}", rows.collect::<String>())
}

fn write_parquet(path: &Path) {
    use polars::prelude::*;
    let text = |name: &'static str, cells: Vec<&str>| {
        let cells: Vec<Option<&str>> = cells.into_iter().map(|c| (!c.is_empty()).then_some(c)).collect();
        Series::new(PlSmallStr::from_static(name), cells).into_column()
    };
    let columns = vec![
        text("click_time", ROWS.iter().map(|_| "2026-03-05 10:00:00").collect()),
        text("source", ROWS.iter().map(|_| "s1").collect()),
        text("ip", ROWS.iter().map(|row| row.0).collect()),
        text("user_agent", ROWS.iter().map(|row| row.1).collect()),
    ];
    let mut frame = DataFrame::new(ROWS.len(), columns).expect("columns of one length");
    let file = std::fs::File::create(path).expect("a file in the folder");
    ParquetWriter::new(file).finish(&mut frame).expect("a Parquet file");
}

/// What was found for every row of an export.
fn found(folder: &Folder, name: &str, wanted: &Wanted) -> Vec<String> {
    let mut mapping = Mapping::build(None, None).expect("the generic preset");
    mapping.enrichment = enrichment(folder);
    let file = folder.path(name).display().to_string();
    let files = [(Shape::Clicks, vec![file])].into();
    let inputs = Inputs { files, ..Inputs::default() };
    let intake: Intake = ingest(&inputs, &Plan::fixed(mapping), wanted, 2).expect("an export");
    let fields: Vec<Field> = FOUND.iter().map(|col| Field::Value(*col)).collect();
    let mut rows = Vec::new();
    let read = |batch: &clickaudit::ingest::Batch| {
        for row in 0..batch.len() {
            let cell = |col: &Col| match col.kind() {
                Kind::Flag => batch.integers(*col).and_then(|c| c.get(row)).map(|v| v.to_string()),
                _ => batch.texts(*col).and_then(|c| c.get(row)).map(|t| t.replace(' ', "~")),
            };
            let cells: Vec<String> = FOUND.iter().map(|c| cell(c).unwrap_or("-".to_owned())).collect();
            rows.push(cells.join(" "));
        }
        Ok(())
    };
    let mut read = read;
    intake.clicks.scan(&fields, None, &mut read).expect("the intake can be read");
    rows
}

#[test]
fn text_and_parquet_tell_the_same_of_every_visitor() {
    let folder = folder().with("clicks.csv", csv());
    write_parquet(&folder.path("clicks.parquet"));
    let expected: Vec<&str> = ROWS.iter().map(|row| row.2).collect();
    for name in ["clicks.csv", "clicks.parquet"] {
        assert_eq!(found(&folder, name, &Wanted::Everything), expected, "{name}");
    }
    // Keeping one column only changes nothing in it, and keeps nothing else.
    let only = Wanted::Only([Field::Value(Col::ClickCountry)].into());
    let rows = found(&folder, "clicks.csv", &only);
    let alone = |row: &str| format!("- - - {} - - - - - - -", row.split(' ').nth(3).expect("a country"));
    assert_eq!(rows, expected.iter().map(|row| alone(row)).collect::<Vec<_>>());
}

#[test]
fn the_column_of_an_export_wins_for_the_whole_file() {
    let text = "click_time,source,ip,user_agent,country,is_datacenter,os\n\
                2026-03-05 10:00:00,s1,192.0.2.200,HeadlessChrome/1,PL,no,MyOS\n\
                2026-03-05 10:00:00,s1,192.0.2.200,HeadlessChrome/1,,,\n";
    let folder = folder().with("clicks.csv", text);
    assert_eq!(
        found(&folder, "clicks.csv", &Wanted::Everything),
        [
            "PL MyOS AS64500 AT 192.0.2.0/24 Headless~Chrome 0 0 0 0 1",
            "- - AS64500 AT 192.0.2.0/24 Headless~Chrome - 0 0 0 1"
        ]
    );
}

// ---------------------------------------------------------------- verdicts

/// Sixty sources of three hundred clicks each; of source 1 a third comes from browsers without a screen, of 2 from
/// crawlers; 3 comes through VPNs, 4 from a country that the export does not say, 5 from a data centre.
fn traffic() -> (String, String) {
    let mut clicks = "click_id,click_time,source,account,offer,country,ip,user_agent,cost\n".to_owned();
    let mut conversions = "click_id,conversion_time,event,status,payout\n".to_owned();
    for i in 0..18_000 {
        let (source, n) = (i % 60, i / 60);
        let odd = n % 3 == 0;
        let agent = match source {
            1 if odd => "Mozilla/5.0 (X11; Linux) HeadlessChrome/126.0",
            2 if odd => "python-requests/2.32",
            _ => CHROME,
        };
        let ip = match source {
            3 => format!("203.0.113.{}", n % 250),
            4 => format!("192.0.2.{}", 128 + n % 100),
            5 => format!("198.51.100.{}", n % 250),
            _ => format!("192.0.2.{}", n % 128),
        };
        let country = if source == 3 { "FR" } else { "DE" };
        let minute =
            |at: usize| format!("2026-03-{:02} {:02}:{:02}:00", at / 1_440 + 1, at / 60 % 24, at % 60);
        let at = i * 7 % 12_000;
        writeln!(clicks, "c{i},{},s{source:02},a{source},o1,{country},{ip},\"{agent}\",0.01", minute(at))
            .expect("text");
        if n % 25 == 7 {
            writeln!(conversions, "c{i},{},sale,approved,1.00", minute(at + 5 + n % 50)).expect("text");
        }
    }
    (clicks, conversions)
}

#[test]
fn what_files_tell_of_visitors_holds_sources() {
    let (clicks, conversions) = traffic();
    let folder = folder()
        .with("clicks.csv", clicks)
        .with("conversions.csv", conversions)
        .with("servers.txt", "198.51.100.0/24\n");
    let plain = folder.report("clicks.csv conversions.csv");
    let report = folder.report(&format!("clicks.csv conversions.csv {FLAGS}"));
    let findings = |report: &serde_json::Value, source: &str| -> Vec<String> {
        let sources = report["sources"].as_array().expect("sources");
        let group = sources.iter().find(|s| s["key"]["source"] == source).expect("the source");
        let findings = group["findings"].as_array().expect("findings");
        findings.iter().map(|f| f["rule"].as_str().expect("a rule").to_owned()).collect()
    };
    for (source, rule, without_files) in [
        ("s01", "browsers-without-a-screen-click", true),
        ("s02", "crawlers-click", false),
        ("s03", "clicks-through-tunnels", false),
        ("s04", "addresses-from-other-countries", false),
    ] {
        assert!(
            findings(&report, source).contains(&rule.to_owned()),
            "{source}: {:?}",
            findings(&report, source)
        );
        assert_eq!(findings(&plain, source).contains(&rule.to_owned()), without_files, "{source}");
    }
    let of = |source: &str| {
        let sources = report["sources"].as_array().expect("sources");
        let group = sources.iter().find(|s| s["key"]["source"] == source).expect("the source");
        group["signals"]["datacenter_share"]["value"].clone()
    };
    assert_eq!((of("s05"), of("s06")), (1.into(), 0.into()));
    let told = &report["run"]["parameters"];
    assert_eq!(told["geoip"], "countries.mmdb (GeoLite2-Country, 2026-03-01)");
    assert_eq!(told["vpn"], "vpn.txt (1 range)");
    let notes = report["coverage"]["notes"].to_string();
    assert!(notes.contains("found from addresses and user agents"), "{notes}");
    assert!(notes.contains("asn, click_country, is_datacenter, is_known_bot, is_tor, is_vpn"), "{notes}");
}

#[test]
fn a_country_found_from_the_address_is_not_held_against_it() {
    let folder = folder().with("clicks.csv", csv());
    let report = folder.report(&format!("--clicks clicks.csv {FLAGS}"));
    let signals = &report["sources"][0]["signals"];
    assert!(signals["address_country_mismatch_share"]["value"].is_null(), "{signals}");
    assert_eq!(signals["tor_share"]["value"], 0.125);
    assert_eq!(signals["crawler_share"]["value"], 0.25);
}

#[test]
fn networks_are_audited_listed_and_shown() {
    let mut clicks = "click_id,click_time,source,ip,cost\n".to_owned();
    let mut conversions = "click_id,conversion_time,ip,event,status,payout\n".to_owned();
    for i in 0..6_000 {
        let (network, n) = (i % 30, i / 30);
        let ip = match network {
            0 => format!("8.8.8.{}", n % 250),
            1 => format!("8.8.9.{}", n % 250),
            2 => format!("2a00:1450:1:{n:x}::1"),
            3 => format!("10.0.3.{}", n % 250),
            _ => format!("9.9.{network}.{}", n % 250),
        };
        let time = |s: usize| {
            format!("2026-03-{:02} {:02}:{:02}:{:02}", s / 86_400 + 1, s / 3_600 % 24, s / 60 % 60, s % 60)
        };
        writeln!(clicks, "c{i},{},s{},{ip},0.10", time(i * 97), i % 7).expect("text");
        let (fast, slow) = (network < 4 && n % 4 == 0, network >= 4 && n % 20 == 0);
        if fast || slow {
            let delay = if fast { 1 } else { 200 + n * 7 };
            writeln!(conversions, "c{i},{},{ip},sale,approved,1.00", time(i * 97 + delay)).expect("text");
        }
    }
    let folder = Folder::new().with("clicks.csv", clicks).with("conversions.csv", conversions);
    let run = folder.run(
        "audit clicks.csv conversions.csv --by ip24 -o json=r.json -o csv=r.csv -o blocklist:nginx=deny.conf \
         -o blocklist:lines=ids.txt",
    );
    let report = {
        run.exits(4).says(&["the list would be empty", "none of the 4 listed IDs"]);
        folder.json("r.json")
    };
    let sources = report["sources"].as_array().expect("groups");
    let verdict = |name: &str| {
        let group = sources.iter().find(|s| s["key"]["ip24"] == name);
        group.unwrap_or_else(|| panic!("no {name}"))["verdict"].as_str().expect("a word").to_owned()
    };
    assert_eq!(sources.len(), 30);
    for bad in ["8.8.8.0/24", "8.8.9.0/24", "2a00:1450:1::/48", "10.0.3.0/24"] {
        assert_eq!(verdict(bad), "block", "{bad}");
    }
    // A list of addresses holds networks; one of IDs does not, nor does any list hold a private one.
    assert_eq!(folder.text("deny.conf"), "deny 8.8.8.0/24;\ndeny 8.8.9.0/24;\ndeny 2a00:1450:1::/48;\n");
    assert!(folder.text("deny.conf.refused.csv").contains("the address is private"));
    assert!(!folder.path("ids.txt").exists(), "a list that holds nobody of those that are bad is none");
    assert!(folder.text("r.csv").contains("8.8.8.0/24"));
    folder
        .run("audit clicks.csv conversions.csv --by ip24 --widest-ipv4 23 -o blocklist:keitaro-bots=b.txt -q")
        .exits(0);
    assert_eq!(folder.text("b.txt"), "8.8.8.0/23\n2a00:1450:1::/48\n");
    let folder = folder.with("clicks.csv", "click_time,source\n2026-03-05 10:00:00,s1\n");
    folder.run("audit --clicks clicks.csv --by ip24").exits(3).says(&["or the ip that it is found from"]);
}

// ---------------------------------------------------------------- damaged files

/// Runs an audit with these flags, which must fail with this code and say all this.
fn check(folder: &Folder, flags: &str, code: i32, says: &[&str]) {
    folder.run(&format!("audit --clicks clicks.csv {flags}")).exits(code).says(says);
}

#[test]
fn files_that_cannot_be_used_are_told() {
    let folder = folder()
        .with("clicks.csv", csv())
        .with("cut.mmdb", &countries()[..countries().len() / 2])
        .with("text.mmdb", "not a database")
        .with("empty.mmdb", "")
        .with("bad.txt", "192.0.2.0/24\n999.1.1.1\n")
        .with("bad.json", "[{\"pattern\": \"a(\"}]");
    let kinds: Vec<&str> = LISTS.iter().map(|list| list.1).collect();
    check(&folder, "--geoip cut.mmdb", 3, &["cut.mmdb is no database in MaxMind's format, or damaged"]);
    check(&folder, "--geoip text.mmdb", 3, &["text.mmdb is no database"]);
    check(&folder, "--asn-db empty.mmdb", 3, &["empty.mmdb is no database"]);
    check(&folder, "--geoip nowhere.mmdb", 3, &["cannot read nowhere.mmdb"]);
    check(
        &folder,
        "--geoip operators.mmdb",
        3,
        &["has no country codes; its type is GeoLite2-ASN", "--asn-db"],
    );
    check(&folder, "--asn-db countries.mmdb", 3, &["has no numbers of autonomous systems", "--geoip"]);
    check(&folder, "--ip-list datacenter=bad.txt", 2, &["line 2: `999.1.1.1` is no network"]);
    check(&folder, "--ip-list proxy=vpn.txt", 2, &["`proxy` is no kind of address list", &kinds.join(", ")]);
    check(&folder, "--ip-list vpn", 2, &["--ip-list vpn names no file"]);
    check(&folder, "--crawlers bad.json", 2, &["entry 1: `a(` is no pattern"]);
    check(&folder, "--crawlers vpn.txt --ip-list tor=nowhere", 2, &["cannot read the address list nowhere"]);
}

#[test]
fn a_damaged_database_is_refused_and_never_ends_the_process() {
    let folder = Folder::new();
    let whole = countries();
    let path = folder.path("damaged.mmdb");
    let opened = |bytes: &[u8]| {
        std::fs::write(&path, bytes).expect("a file in the folder");
        Enrichment::load(&Files { countries: Some(path.clone()), ..Files::default() })
    };
    for length in (0..whole.len()).step_by(7) {
        opened(&whole[..length]).map(|_| ()).expect_err("a database that is cut off");
    }
    // One wrong byte may make another database that is none the worse, or a clean error.
    let addresses = ["192.0.2.1", "203.0.113.9", "2001:db8::1", "::"];
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        let Ok(found) = opened(&bytes) else { continue };
        for address in addresses {
            let code = found.country(address.parse().expect("an address"));
            assert!(code.is_none_or(|code| code.len() == 2), "byte {at}: {code:?}");
        }
    }
}
