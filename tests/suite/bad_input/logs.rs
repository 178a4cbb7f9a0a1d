//! Bad logs of postbacks: one line of a table per log, with what becomes of every line.

use crate::runs::Folder;
use serde_json::Value;
use std::collections::BTreeMap;

const GOOD: &str = r#"203.0.113.9 - - [02/Mar/2026:10:00:00 +0000] "GET /pb?click_id=a&event=sale&payout=1&affiliate_id=7 HTTP/1.1" 200 2 "-" "x""#;

/// A log of so many good lines around a bad one.
fn around(bad: &[u8]) -> Vec<u8> {
    let good = |n: usize| (GOOD.replace("=a&", &format!("=a{n}&")) + "\n").into_bytes();
    let mut log: Vec<u8> = (0..20).flat_map(good).collect();
    log.extend_from_slice(bad);
    log.push(b'\n');
    log.extend((20..40).flat_map(good));
    log
}

fn request(target: &str) -> Vec<u8> {
    GOOD.replace("GET /pb?click_id=a&event=sale&payout=1", target).into_bytes()
}

fn rejected(report: &Value) -> BTreeMap<String, u64> {
    let counts = report["coverage"]["conversions"]["rejected"].as_object().cloned().unwrap_or_default();
    counts.into_iter().map(|(reason, n)| (reason, n.as_u64().unwrap_or_default())).collect()
}

#[test]
fn a_bad_line_costs_itself_and_has_its_reason() {
    let cases: [(&str, Vec<u8>, &str); 15] = [
        ("no line of a log", b"click_id,event".to_vec(), "bad_log_line"),
        ("cut off", GOOD.as_bytes()[..70].to_vec(), "bad_log_line"),
        ("a time that is none", GOOD.replace("02/Mar", "32/Mar").into_bytes(), "bad_log_line"),
        ("not UTF-8", b"203.0.113.9 - - [\xff]".to_vec(), "not_utf8"),
        ("a megabyte", vec![b'a'; 2 << 20], "too_long"),
        ("an asset", request("GET /banner.png"), "other_request"),
        ("a landing page with the click's ID", request("GET /lp?click_id=a"), "other_request"),
        ("bytes of another protocol", request(r"\x16\x03\x01"), "other_request"),
        ("a POST with a body", request("POST /postback"), "other_request"),
        ("refused", GOOD.replace("\" 200 ", "\" 403 ").into_bytes(), "refused_postback"),
        ("two amounts", request("GET /pb?click_id=a&payout=1&payout=2"), "ambiguous_parameter"),
        ("an amount in words", request("GET /pb?click_id=a&payout=much"), "bad_number"),
        ("an absurd amount", request("GET /pb?click_id=a&payout=1e99"), "bad_number"),
        ("a time in words", request("GET /pb?click_id=a&payout=1&timestamp=today"), "bad_time"),
        ("a value that is not UTF-8", request("GET /pb?click_id=%FF&payout=1"), "not_utf8"),
    ];
    for (name, line, reason) in cases {
        let folder = Folder::new().with("access.log", around(&line));
        let report = folder.report("--postbacks access.log --rejects rejects.csv");
        assert_eq!(rejected(&report), BTreeMap::from([(reason.to_owned(), 1)]), "{name}");
        assert_eq!(report["coverage"]["conversions"]["used"], 40, "{name}");
        assert!(folder.text("rejects.csv").lines().any(|l| l.contains(",21,")), "{name}");
    }
}

#[test]
fn what_is_no_log_refuses_the_run() {
    let cases: [(&str, &[u8], i32, &str); 6] = [
        ("empty", b"", 3, "is empty"),
        ("an export", b"click_id,event\na,sale\n", 3, "this is no log of a known format"),
        ("UTF-16", b"\xff\xfe2\x000\x003\x00", 3, "UTF-16"),
        ("damaged gzip", b"\x1f\x8b\x08\x00damaged", 3, "is damaged or cut off"),
        ("only comments", b"# nothing\n", 3, "this is no log of a known format"),
        (
            "nothing but assets",
            br#"203.0.113.9 - - [02/Mar/2026:10:00:00 +0000] "GET /a.png HTTP/1.1" 200 2"#,
            3,
            "there is no usable row",
        ),
    ];
    for (name, bytes, code, says) in cases {
        let folder = Folder::new().with("access.log", bytes).with("r.json", "as it was\n");
        let run = folder.run("audit --postbacks access.log -o json=r.json").exits(code).says(&[says]);
        assert_eq!(folder.text("r.json"), "as it was\n", "{name}: {}", run.stderr);
    }
    let folder = Folder::new();
    folder.run("audit --postbacks nowhere.log").exits(3).says(&["cannot read"]);
    folder.run("audit --postbacks *.log").exits(3).says(&["no file fits the pattern"]);
}

/// A log of everything is full of other requests: they are counted, and refuse nothing.
#[test]
fn other_requests_are_no_fault_of_the_log() {
    let mut log = around(b"");
    let other = request("GET /banner.png");
    (0..2_000).for_each(|_| {
        log.extend_from_slice(&other);
        log.push(b'\n');
    });
    let report = Folder::new().with("access.log", log).report("--postbacks access.log");
    assert_eq!(rejected(&report), BTreeMap::from([("other_request".to_owned(), 2_000)]));
    assert_eq!(report["coverage"]["gates"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_bomb_ends_in_a_named_cap() {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let block = vec![b'a'; 1 << 20];
    (0..400).for_each(|_| encoder.write_all(&block).expect("memory takes everything"));
    let folder = Folder::new().with("access.log.gz", encoder.finish().expect("memory takes everything"));
    folder.run("audit --postbacks access.log.gz").exits(3).says(&["refused as a compression bomb"]);
}
