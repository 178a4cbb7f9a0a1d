//! What is personal in the exports stands in no output, whatever column it came from, unless it was asked for.

use crate::runs::{Folder, Table, pair};
use clickaudit::report::FORMATS;
use flate2::read::DeflateDecoder;
use std::fs;
use std::io::Read;
use std::path::Path;

const ADDRESS: &str = "203.0.113.77";
const ADDRESS_V6: &str = "2001:db8:aa:bb:1:2:3:4";
const MAIL: &str = "jane.doe@example.com";
const DEVICE: &str = "AEBE52E7-03EE-455A-B3C4-E57283966239";
/// What only its form tells stands inside other text: as the name of a busy zone it would be a zone's.
const ANDROID: &str = "9774d56d682e549c";
const IMEI: &str = "356938035643809";
const PHONE: &str = "+49 170 1234567";
const PLAYER: &str = "88117702";
const PERSONAL: [&str; 4] = [ADDRESS, ADDRESS_V6, MAIL, DEVICE];
const INSIDE: [&str; 4] = [ANDROID, IMEI, PHONE, PLAYER];

/// Sources that are personal values, next to honest ones; every click has an address.
fn exports() -> Folder {
    let (clicks, conversions) = pair(&PERSONAL);
    let clicks = clicks.map("ip", |_| ADDRESS.to_owned());
    let offer = |i: usize| format!("offer {} of {MAIL} {ANDROID} {IMEI} {PHONE} player_id={PLAYER}", i % 2);
    let clicks =
        clicks.column("offer", offer).column("referrer", |i| format!("https://x.example/?m={MAIL}&n={i}"));
    let mut clicks = with_a_bad_row(clicks);
    let last = clicks.rows.len() - 1;
    clicks.rows[last][0] = MAIL.to_owned();
    let conversions = conversions.column("ip", |i| if i % 2 == 0 { ADDRESS } else { ADDRESS_V6 }.to_owned());
    Folder::new().with("clicks.csv", clicks.csv()).with("conversions.csv", conversions.csv())
}

fn with_a_bad_row(mut clicks: Table) -> Table {
    let (time, mut row) = (clicks.at("click_time"), clicks.rows[0].clone());
    row[time] = format!("{MAIL} {ADDRESS}");
    clicks.rows.push(row);
    clicks
}

/// Everything that a run can write, each to its own place; a list is an output that was asked for by name.
fn outputs() -> String {
    let of = FORMATS.iter().filter(|f| !f.list).enumerate().map(|(at, f)| format!("-o {}=out/{at}", f.name));
    of.collect::<Vec<String>>().join(" ")
}

/// The text of every file below a folder: what is compressed is unpacked.
fn texts(folder: &Path, found: &mut Vec<(String, String)>) {
    let mut paths: Vec<_> = fs::read_dir(folder).expect("outputs").flatten().map(|e| e.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.display().to_string();
        if path.is_dir() {
            found.push((format!("the name of {name}"), name.clone()));
            texts(&path, found);
            continue;
        }
        let bytes = fs::read(&path).expect("an output");
        let text = match &bytes[..bytes.len().min(4)] {
            b"PK\x03\x04" => unzipped(&bytes),
            _ => String::from_utf8_lossy(&bytes).into_owned(),
        };
        found.push((name, text));
    }
}

/// The files of an archive, one after the other.
fn unzipped(bytes: &[u8]) -> String {
    let number =
        |at: usize, n: usize| bytes[at..at + n].iter().rev().fold(0, |all, b| all << 8 | usize::from(*b));
    let end = bytes.windows(4).rposition(|w| w == b"PK\x05\x06").expect("the end of the archive");
    let (mut at, mut text) = (number(end + 16, 4), String::new());
    for _ in 0..number(end + 10, 2) {
        let (start, length) = (number(at + 42, 4), number(at + 20, 4));
        let data = start + 30 + number(start + 26, 2) + number(start + 28, 2);
        let packed = &bytes[data..data + length];
        match number(at + 10, 2) {
            0 => text.push_str(&String::from_utf8_lossy(packed)),
            _ => drop(DeflateDecoder::new(packed).read_to_string(&mut text).expect("a sound archive")),
        }
        at += 46 + number(at + 28, 2) + number(at + 30, 2) + number(at + 32, 2);
    }
    text
}

fn written(folder: &Folder, arguments: &str) -> Vec<(String, String)> {
    fs::create_dir_all(folder.path("out")).expect("a folder");
    let all = format!("audit clicks.csv conversions.csv --rejects out/rejects {} {arguments}", outputs());
    let run = folder.run(&all);
    assert!(matches!(run.code, Some(0 | 3)), "{}", run.stderr);
    let mut found = vec![("stderr".to_owned(), run.stderr)];
    texts(&folder.path("out"), &mut found);
    assert!(found.len() > FORMATS.iter().filter(|f| !f.list).count());
    found
}

fn holds(found: &[(String, String)], value: &str) -> Vec<String> {
    let has = |(_, text): &&(String, String)| text.to_lowercase().contains(&value.to_lowercase());
    found.iter().filter(has).map(|(name, _)| name.clone()).collect()
}

#[test]
fn no_output_holds_an_address_a_mail_address_or_a_device_id() {
    for by in ["", "--by ip", "--by offer"] {
        let folder = exports();
        let found = written(&folder, by);
        for value in PERSONAL.into_iter().chain(INSIDE) {
            assert_eq!(holds(&found, value), [""; 0], "{value} {by}");
        }
    }
}

#[test]
fn a_page_about_a_source_masks_as_well() {
    let folder = exports();
    let page = folder.run(&format!("explain source {DEVICE} clicks.csv conversions.csv")).exits(0);
    assert!(page.text().contains("AEBE52E7-…"), "{}", page.text());
    for value in PERSONAL {
        assert!(!page.text().contains(value), "{value}: {}", page.text());
    }
}

#[test]
fn raw_values_have_to_be_asked_for_and_are_the_owners_alone() {
    let folder = exports();
    let found = written(&folder, "--pii raw");
    for value in PERSONAL {
        assert!(!holds(&found, value).is_empty(), "{value}");
    }
    #[cfg(unix)]
    for file in fs::read_dir(folder.path("out")).expect("outputs").flatten() {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.metadata().expect("a file").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", file.path().display());
    }
}

#[test]
fn tokens_belong_to_the_installation() {
    let folder = exports();
    let hashed = |key: &str| {
        let found = written(&folder, &format!("--pii hash --pii-key {key}"));
        for value in PERSONAL {
            assert_eq!(holds(&found, value), [""; 0], "{value}");
        }
        let json = FORMATS.iter().filter(|f| !f.list).position(|f| f.name == "json").expect("a format");
        let report = folder.json(&format!("out/{json}"));
        let sources = report["sources"].as_array().expect("sources").clone();
        let mut names: Vec<String> = sources.iter().map(|s| s["key"]["source"].to_string()).collect();
        names.sort();
        names
    };
    let (first, again, other) = (hashed("a.key"), hashed("a.key"), hashed("b.key"));
    assert_eq!(first, again);
    assert_ne!(first, other);
    assert!(first.iter().any(|name| name.contains("mail-")), "{first:?}");
    assert_eq!(fs::read(folder.path("a.key")).expect("a secret").len(), 32);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &str| fs::metadata(folder.path(path)).expect("a secret").permissions();
        assert_eq!(mode("a.key").mode() & 0o777, 0o600);
        fs::set_permissions(folder.path("a.key"), fs::Permissions::from_mode(0o644)).expect("permissions");
        let run = folder.run("audit clicks.csv conversions.csv --pii hash --pii-key a.key").exits(2);
        run.says(&["may be read by others", "chmod 600"]);
    }
    let folder = folder.with("c.key", "short");
    #[cfg(unix)]
    std::os::unix::fs::PermissionsExt::set_mode(
        &mut fs::metadata(folder.path("c.key")).expect("it").permissions(),
        0o600,
    );
    folder.run("audit clicks.csv conversions.csv --pii hash --pii-key c.key").exits(2);
    folder.run("audit clicks.csv conversions.csv --pii hash").exits(2).says(&["no place", "--pii-key"]);
}

#[test]
fn no_format_is_left_out() {
    let text = outputs();
    for format in FORMATS {
        assert_eq!(text.contains(&format!("{}=", format.name)), !format.list, "{}", format.name);
    }
}
