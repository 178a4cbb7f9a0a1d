//! Exports that can be shown: the audit says the same of them, and nothing of the originals is in them.

use crate::runs::{Folder, Table, sample, verdicts};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};

const FILES: [&str; 2] = ["clicks.csv", "conversions.csv"];
const IDS: [&str; 3] = ["click_id", "conversion_id", "transaction_id"];

/// The folder with a key in it that is always the same, so that every run of the tests is.
fn with_key(folder: Folder) -> Folder {
    let folder = folder.with("k", (0..32u8).collect::<Vec<u8>>());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder.path("k"), fs::Permissions::from_mode(0o600)).expect("a mode");
    }
    folder
}

/// The sample, and its anonymous twin in the folder `shared`.
fn shared(flags: &str) -> Folder {
    let folder = with_key(Folder::of_sample());
    folder.run(&format!("anonymise clicks.csv conversions.csv --out shared --key-file k {flags}")).exits(0);
    folder
}

fn table(folder: &Folder, name: &str) -> Table {
    let mut reader = csv::Reader::from_path(folder.path(name)).expect("an export");
    let fields = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect();
    let header = fields(reader.headers().expect("a header"));
    let rows = reader.records().map(|r| fields(&r.expect("a row"))).collect();
    Table { header, rows }
}

/// Every value of a column beside its twin.
fn twins(folder: &Folder, file: &str, column: &str) -> Vec<(String, String)> {
    let (one, other) = (table(folder, file), table(folder, &format!("shared/{file}")));
    assert_eq!(one.header, other.header);
    assert_eq!(one.rows.len(), other.rows.len());
    let at = one.at(column);
    one.rows.iter().zip(&other.rows).map(|(a, b)| (a[at].clone(), b[at].clone())).collect()
}

#[test]
fn the_audit_of_anonymous_exports_gives_the_same_verdicts() {
    for flags in ["", "--scale-amounts"] {
        let folder = shared(flags);
        let audit = |place: &str| folder.report(&format!("{place}clicks.csv {place}conversions.csv"));
        let (one, other) = (audit(""), audit("shared/"));
        let pairs = FILES.iter().flat_map(|file| twins(&folder, file, "source"));
        let names: BTreeMap<String, String> = pairs.collect();
        let renamed =
            |(name, verdict): (String, String)| (names.get(&name).cloned().unwrap_or(name), verdict);
        let wanted: BTreeSet<(String, String)> = verdicts(&one).into_iter().map(renamed).collect();
        let found: BTreeSet<(String, String)> = verdicts(&other).into_iter().collect();
        assert_eq!(found, wanted, "{flags}");
        assert_eq!(fired(&one), fired(&other), "{flags}");
    }
}

/// How often each rule fired.
fn fired(report: &Value) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for source in report["sources"].as_array().expect("groups") {
        for finding in source["findings"].as_array().expect("findings") {
            *counts.entry(finding["rule"].as_str().expect("a rule").to_owned()).or_default() += 1;
        }
    }
    counts
}

#[test]
fn no_original_id_address_or_amount_is_left() {
    let folder = shared("--scale-amounts --user-agents bucket");
    let shared: String = FILES.iter().map(|file| folder.text(&format!("shared/{file}"))).collect();
    let mut looked = 0;
    for file in FILES {
        let original = Table::of_sample(file);
        for column in
            IDS.iter().chain(&["ip", "source"]).filter(|c| original.header.contains(&(**c).to_owned()))
        {
            for (value, twin) in twins(&folder, file, column) {
                assert!(value.is_empty() || value != twin, "{file}: {column} {value} stays");
                if value.len() >= 7 && *column != "source" {
                    looked += 1;
                }
            }
        }
        for column in ["cost", "payout"].iter().filter(|c| original.header.contains(&(**c).to_owned())) {
            for (value, twin) in twins(&folder, file, column) {
                let zero = value.parse::<f64>().is_ok_and(|v| v == 0.0);
                assert!(value.is_empty() || zero || value != twin, "{file}: {column} {value} stays");
            }
        }
    }
    let words: BTreeSet<&str> = shared.split([',', '\n', '\r', '"']).collect();
    for file in FILES {
        let original = Table::of_sample(file);
        for column in IDS.iter().chain(&["ip"]).filter(|c| original.header.contains(&(**c).to_owned())) {
            let at = original.at(column);
            let left =
                original.rows.iter().find(|row| !row[at].is_empty() && words.contains(row[at].as_str()));
            assert!(left.is_none(), "{column}: {:?}", left.map(|row| &row[at]));
        }
    }
    assert!(looked > 1_000, "{looked}");
}

#[test]
fn files_still_join_and_networks_stay_together() {
    let folder = shared("");
    let clicks: BTreeMap<String, String> = twins(&folder, "clicks.csv", "click_id").into_iter().collect();
    for (id, twin) in twins(&folder, "conversions.csv", "click_id") {
        assert!(clicks.get(&id).is_none_or(|there| *there == twin), "{id}");
    }
    let network = |ip: &str| ip.rsplit_once('.').map(|(network, _)| network.to_owned());
    let mut networks: BTreeMap<Option<String>, BTreeSet<Option<String>>> = BTreeMap::new();
    for (ip, twin) in twins(&folder, "clicks.csv", "ip").into_iter().filter(|(ip, _)| ip.contains('.')) {
        networks.entry(network(&ip)).or_default().insert(network(&twin));
    }
    assert!(networks.values().all(|there| there.len() == 1));
    let distinct: BTreeSet<_> = networks.values().flatten().collect();
    assert_eq!(distinct.len(), networks.len());
}

#[test]
fn what_says_nothing_personal_stays_as_it_is() {
    let folder = shared("--scale-amounts");
    for (file, columns) in [
        ("clicks.csv", &["click_time", "country", "device", "os", "browser", "currency", "user_agent"][..]),
        ("conversions.csv", &["event", "status", "conversion_time", "currency", "country"][..]),
    ] {
        for column in columns {
            assert!(twins(&folder, file, column).iter().all(|(a, b)| a == b), "{file}: {column}");
        }
    }
}

#[test]
fn the_same_key_gives_the_same_files_and_another_one_others() {
    let folder = Folder::of_sample();
    let run = |out: &str, key: &str| {
        folder.run(&format!("anonymise conversions.csv --out {out} --key-file {key}")).exits(0);
        folder.text(&format!("{out}/conversions.csv"))
    };
    let (one, again, other) = (run("a", "k1"), run("b", "k1"), run("c", "k2"));
    assert_eq!(one, again);
    assert_ne!(one, other);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(folder.path("k1")).expect("the key").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::set_permissions(folder.path("k1"), fs::Permissions::from_mode(0o644)).expect("a mode");
        folder
            .run("anonymise conversions.csv --out d --key-file k1")
            .exits(2)
            .says(&["may be read by others", "--key-file"]);
    }
}

#[test]
fn every_format_of_text_keeps_its_own() {
    let csv = "\u{feff}sep=;\r\n\r\nclick_id;click_time;source;note;ip;cost\r\n\
               \"c;1\"\"x\";2026-03-02 10:00:00;77;\"called anna@example.com\";192.0.2.7;0,10\r\n\
               {clickid};2026-03-02 10:00:01;;+49 170 123;::1;\r\n";
    let folder = with_key(Folder::new().with("a.csv", csv));
    folder.run("anonymise a.csv --out shared --key-file k --drop cost --keep source").exits(0);
    let twin = folder.text("shared/a.csv");
    let lines: Vec<&str> = twin.split("\r\n").collect();
    assert_eq!(lines[..3], csv.split("\r\n").collect::<Vec<_>>()[..3]);
    assert!(lines[3].starts_with('"') && lines[3].contains(";2026-03-02 10:00:00;77;\""), "{}", lines[3]);
    assert!(lines[3].ends_with(';') && !lines[3].contains("anna") && !lines[3].contains("192.0.2.7"));
    assert!(lines[4].starts_with("{clickid};2026-03-02 10:00:01;;+"), "{}", lines[4]);
    assert!(!lines[4].contains("170 123"));
}

#[test]
fn objects_and_archives_are_rewritten_like_tables() {
    let ndjson = "{\"click_id\": \"abc-123\", \"click_time\": \"2026-03-02T10:00:00Z\", \"source\": 2903977, \
                  \"geo\": {\"ip\": \"192.0.2.7\"}, \"tags\": [\"anna\", 42], \"is_bot\": false}\n\
                  no object with abc-123\n";
    let mut packed = flate2_of(b"click_id,click_time,source\nabc-123,2026-03-02 10:00:00,2903977\n");
    packed.flush().expect("memory takes everything");
    let folder = Folder::new()
        .with("a.ndjson", ndjson)
        .with("b.csv.gz", packed)
        .with("map.yaml", "clicks: {columns: {ip: geo.ip}}\n");
    let folder = with_key(folder);
    folder.run("anonymise a.ndjson --out shared --key-file k --map map.yaml").exits(0);
    folder.run("anonymise b.csv.gz --out shared --key-file k").exits(0);
    let text = folder.text("shared/a.ndjson");
    let first: Value = serde_json::from_str(text.lines().next().expect("a line")).expect("an object");
    assert_eq!(first["is_bot"], false);
    assert_eq!(first["click_time"], "2026-03-02T10:00:00Z");
    for secret in ["abc-123", "2903977", "192.0.2.7", "anna"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let mut unpacked = String::new();
    let bytes = fs::read(folder.path("shared/b.csv.gz")).expect("an archive");
    assert_eq!(bytes[..2], [0x1f, 0x8b]);
    let mut reader = gunzip(&bytes);
    reader.read_to_string(&mut unpacked).expect("gzip");
    let row = unpacked.lines().nth(1).expect("a row").split(',').collect::<Vec<_>>();
    assert_eq!(first["click_id"], row[0]);
    assert_eq!(first["source"].to_string(), row[2]);
}

fn flate2_of(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}

fn gunzip(bytes: &[u8]) -> flate2::read::GzDecoder<&[u8]> {
    flate2::read::GzDecoder::new(bytes)
}

#[test]
fn what_cannot_be_done_is_refused_by_name() {
    let folder =
        Folder::of_sample().with("p.parquet", "PAR1....PAR1").with("j.json", "[{\"click_id\": 1}]\n");
    let run = |arguments: &str| folder.run(&format!("anonymise {arguments} --key-file k"));
    run("p.parquet --out shared").exits(3).says(&["is Parquet", "CSV or NDJSON"]);
    run("j.json --out shared").exits(3).says(&["one array", "jq"]);
    run("nothing.csv --out shared").exits(3);
    run("clicks.csv --out .").exits(2).says(&["is an original", "--out"]);
    run("clicks.csv --out shared --keep spource")
        .exits(2)
        .says(&["no file has a column `spource`", "source"]);
    assert!(!folder.path("shared/clicks.csv").exists());
    assert_eq!(folder.text("clicks.csv"), fs::read_to_string(sample("clicks.csv")).expect("the sample"));
}

#[test]
fn a_broken_line_leaks_nothing() {
    let text = "click_id,click_time,source,country\nc-1,2026-03-02 10:00:00,77\nDE,\"c-secret-9,192.0.2.7\n";
    let folder = with_key(Folder::new().with("a.csv", text));
    folder.run("anonymise a.csv --out shared --key-file k").exits(0).says(&["2 of them broken"]);
    let twin = folder.text("shared/a.csv");
    assert!(!twin.contains("secret") && !twin.contains("192.0.2.7") && !twin.contains("c-1,"), "{twin}");
}
