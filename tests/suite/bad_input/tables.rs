//! The rows of the two tables of hostile input that this program was designed against: what breaks other
//! readers of CSV, and what an input stage has to survive. Every row is a test, here or elsewhere.

use super::*;
use crate::runs::{Folder, Table, folder_of_pair, pair, project};
use std::time::Instant;

/// A row of the tables and the tests that hold it.
const ROWS: &[(&str, &[&str])] = &[
    // What the engine's own readers do wrong.
    ("short row, long row", &["rows_of_another_width_are_rejected"]),
    ("bad number", &["absurd_numbers_reject_their_row"]),
    (
        "unterminated or stray quote",
        &["quotes_cost_their_own_row_at_most", "a_stray_quote_costs_nobody_else"],
    ),
    (
        "latin-1, in a row and in the header",
        &["bytes_that_are_no_text_reject_their_row", "headers_in_another_encoding"],
    ),
    ("UTF-16, CR-only line ends", &["text_that_is_not_utf_8_lines"]),
    ("bz2 and other files that are no export", &["files_of_other_kinds_are_named"]),
    (
        "BOM, CRLF, comments, leading blank lines, 20 MB field, 3,000 columns, NUL bytes, blank line inside",
        &["unusual_files_that_work", "large_and_odd_files"],
    ),
    ("blank lines: skipped and counted", &["blank_lines_are_counted"]),
    ("decimal comma", &["absurd_numbers_reject_their_row", "amounts_may_be_dressed"]),
    ("duplicate header, empty header", &["headers_that_do_not_fit", "unusual_files_that_work"]),
    (
        "gz and zst: truncated, corrupt, trailing junk, bad CRC",
        &["files_that_cannot_be_read", "packed_files_with_faults"],
    ),
    ("gz and zst of several members", &["unusual_files_that_work", "packed_files_with_faults"]),
    ("files with other columns or another order under one pattern", &["files_of_one_pattern_may_differ"]),
    ("path with brackets", &["files_of_one_pattern_may_differ"]),
    ("empty file, missing file, empty pattern, /dev/null", &["files_that_cannot_be_read", "nothing_to_read"]),
    (
        "NDJSON: broken line, BOM, bad UTF-8, cut tail, pretty-printed, late keys, wrong types",
        &["a_bad_object_costs_its_own_line", "files_of_objects", "keys_that_come_late_are_not_lost"],
    ),
    (
        "Parquet: empty, cut, not Parquet, flipped bytes",
        &[
            "other_faults_of_parquet",
            "flipped_bytes_end_with_a_message",
            "what_kills_the_engine_kills_no_run",
        ],
    ),
    // What an input stage has to survive.
    ("a field that closes rows later", &["quotes_cost_their_own_row_at_most"]),
    ("a field that never closes", &["quotes_cost_their_own_row_at_most"]),
    ("invalid UTF-8, NUL in an ID", &["bytes_that_are_no_text_reject_their_row"]),
    (
        "mixed line ends, no final newline, `sep=;`, header only",
        &["unusual_files_that_work", "files_without_rows"],
    ),
    ("bombs, huge fields", &["what_is_too_large_is_stopped_by_a_cap", "bombs_end_in_a_cap"]),
    ("numbers: 1e10, 1,234.56, 1.234,56, -0, NaN, inf, 30 digits", &["absurd_numbers_reject_their_row"]),
    (
        "local times that are ambiguous or do not exist",
        &["times_that_the_clock_repeats_or_skips_are_counted"],
    ),
    (
        "times before 2000, in the far future, before the click",
        &["absurd_dates_reject_their_row", "times_that_cannot_be"],
    ),
    ("the environment's zone and language", &["the_environment_changes_no_byte"]),
    ("a click ID repeated on both sides", &["one_id_on_both_sides_is_no_attack"]),
    (
        "a file twice, overlapping exports",
        &["a_file_fed_twice_is_counted_once", "overlapping_exports_are_counted_once"],
    ),
    ("conversions that are missing or empty", &["every_fault_trips_its_gate_and_no_other"]),
    ("a renamed column, an extra column", &["headers_that_do_not_fit", "unusual_files_that_work"]),
    ("look-alike IDs", &["ids_are_their_bytes"]),
];

#[test]
fn no_row_of_the_tables_is_missing() {
    let mut code = String::new();
    gather(&project("tests/suite"), &mut code);
    for (row, tests) in ROWS {
        assert!(!tests.is_empty(), "{row}");
        for test in *tests {
            assert!(code.contains(&format!("fn {test}(")), "{row}: there is no test {test}");
        }
    }
}

fn gather(folder: &Path, code: &mut String) {
    for path in fs::read_dir(folder).expect("the tests").flatten().map(|e| e.path()) {
        if path.is_dir() {
            gather(&path, code);
        } else {
            code.push_str(&fs::read_to_string(&path).expect("a test"));
        }
    }
}

/// 2,001 rows, one with a stray quote, at the beginning, at the end and between.
#[test]
fn a_stray_quote_costs_nobody_else() {
    let agent = row(Clicks, "user_agent", "Moz\"illa");
    for at in [0, 1, 1_000, 1_999, 2_000] {
        let mut rows = many(2_000);
        rows.insert(at, agent.clone());
        let folder = Folder::new().with("clicks.csv", lines(CLICK_HEADER, &rows));
        let coverage = &folder.report("clicks.csv")["coverage"]["clicks"];
        assert_eq!(
            (coverage["used"].as_u64(), coverage["read"].as_u64()),
            (Some(2_001), Some(2_001)),
            "{at}"
        );
    }
}

/// Nothing is lost silently, not even nothing.
#[test]
fn blank_lines_are_counted() {
    let (clicks, conversions) = pair(&["bad"]);
    let blank = |text: String, end: &str| {
        let lines: Vec<&str> = text.lines().collect();
        let (first, rest) = lines.split_at(40);
        [end, &first.join(end), end, end, end, &rest.join(end), end, end].concat()
    };
    let object = |row: &Vec<String>| {
        let fields = clicks.header.iter().zip(row);
        let object: serde_json::Map<String, Value> =
            fields.map(|(h, v)| (h.clone(), v.clone().into())).collect();
        Value::Object(object).to_string()
    };
    let objects: Vec<String> = clicks.rows.iter().map(object).collect();
    for (name, text) in [
        ("LF", blank(clicks.csv(), "\n")),
        ("CRLF", blank(clicks.csv(), "\r\n")),
        ("objects", blank(objects.join("\n"), "\n")),
    ] {
        let folder = Folder::new().with("clicks", text).with("conversions", conversions.csv());
        let coverage = folder.report("clicks conversions")["coverage"].clone();
        assert_eq!(
            (&coverage["clicks"]["used"], &coverage["clicks"]["read"]),
            (&1_260.into(), &1_260.into()),
            "{name}"
        );
        assert!(
            coverage["notes"].to_string().contains("4 blank lines are not rows"),
            "{name}: {}",
            coverage["notes"]
        );
    }
}

#[test]
fn headers_in_another_encoding() {
    let latin = [CLICK_HEADER.as_bytes(), b",pa\xeds\n"].concat();
    let rows: Vec<Bytes> = good_rows(Clicks).iter().map(|row| [row.as_slice(), b",x"].concat()).collect();
    let body = lines("", &rows)[1..].to_vec();
    check_all(vec![Case::fine("latin-1 in a header that is not read", Clicks, [latin, body].concat())]);
}

#[test]
fn files_of_other_kinds_are_named() {
    let with = |magic: &[u8]| [magic, &[7, 3, 0, 200, 13, 10, 31].repeat(40)].concat();
    check_all(vec![
        Case::bytes("bz2", Clicks, with(b"BZh91AY&SY"), Refused(&["clicks.csv is bzip2", "bunzip2"])),
        Case::bytes("xz", Clicks, with(b"\xfd7zXZ\0"), Refused(&["clicks.csv is xz"])),
        Case::bytes("7z", Clicks, with(b"7z\xbc\xaf\x27\x1c"), Refused(&["clicks.csv is 7z"])),
        Case::bytes(
            "zip or xlsx",
            Clicks,
            with(b"PK\x03\x04"),
            Refused(&["ZIP archive or an Excel workbook", "CSV"]),
        ),
        Case::bytes(
            "xls",
            Conversions,
            with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
            Refused(&["an old Excel workbook"]),
        ),
        Case::bytes("PDF", Clicks, with(b"%PDF-1.7"), Refused(&["clicks.csv is a PDF"])),
        Case::bytes(
            "a page",
            Clicks,
            b"\n<!DOCTYPE html>\n<html><body>Please log in</body></html>\n".to_vec(),
            Refused(&["clicks.csv is a web page", "log in"]),
        ),
        Case::bytes("zip inside gzip", Clicks, gzip(&with(b"PK\x03\x04")), Refused(&["ZIP archive"])),
    ]);
}

#[test]
fn large_and_odd_files() {
    let wide = |row: &[u8]| [row, ",x".repeat(3_000).as_bytes()].concat();
    let header: Vec<String> = (0..3_000).map(|i| format!("x{i}")).collect();
    let rows: Vec<Bytes> = good_rows(Clicks).iter().map(|row| wide(row)).collect();
    let huge = row(Clicks, "user_agent", "x".repeat(20 << 20));
    check_all(vec![
        Case::fine(
            "3,000 columns more",
            Clicks,
            lines(&format!("{CLICK_HEADER},{}", header.join(",")), &rows),
        ),
        Case::fine("leading blank lines", Clicks, prefixed(b"\n\r\n\n", file(Clicks, &[]))),
        Case::rows("a field of 20 MiB", Clicks, &[huge], &[(0, "too_long")]),
        Case::rows("a comment", Clicks, &[b"# exported by hand".to_vec()], &[(0, "ragged")]),
        Case::rows("NUL in a text", Clicks, &[row(Clicks, "offer", "off\0er")], &[]),
        Case::rows("control bytes", Clicks, &[row(Clicks, "user_agent", "\x1b[31m\x07")], &[]),
    ]);
}

#[test]
fn packed_files_with_faults() {
    let mut crc = gzip(&file(Clicks, &[]));
    let at = crc.len() - 6;
    crc[at] ^= 1;
    let rows = good_rows(Clicks);
    let members = [zstd(&lines(CLICK_HEADER, &rows[..90])), zstd(&lines(CLICK_HEADER, &rows[90..]))].concat();
    let trailing = [zstd(&file(Clicks, &[])), b"garbage".to_vec()].concat();
    check_all(vec![
        Case::bytes("gzip with a wrong checksum", Clicks, crc, Refused(&["damaged or cut off"])),
        Case::bytes("zstd with garbage behind it", Clicks, trailing, Refused(&["damaged or cut off"])),
        Case::fine("zstd of several frames, each with its header", Clicks, members),
    ]);
}

#[test]
fn files_of_one_pattern_may_differ() {
    let (clicks, conversions) = pair(&["bad"]);
    let half = clicks.rows.len() / 2;
    let mut turned = clicks.part(half, clicks.rows.len()).column("new", |i| i.to_string());
    turned.header.reverse();
    turned.rows.iter_mut().for_each(|row| row.reverse());
    let folder =
        Folder::new().with("clicks-1.csv", clicks.part(0, half).csv()).with("clicks-2.csv", turned.csv());
    let folder = folder.with("conversions.csv", conversions.csv()).with("clicks[1].csv", clicks.csv());
    let whole = folder_of_pair(&["bad"]).report("clicks.csv conversions.csv");
    for name in ["clicks-*.csv", "clicks[1].csv"] {
        let report = folder.report(&format!("{name} conversions.csv"));
        assert_eq!(report["sources"], whole["sources"], "{name}");
    }
}

#[test]
fn nothing_to_read() {
    let folder = folder_of_pair(&[]);
    folder
        .run("audit exports-*.csv conversions.csv")
        .exits(3)
        .says(&["no file fits the pattern exports-*.csv"]);
    folder.run("audit /dev/null conversions.csv").exits(3).says(&["/dev/null is empty"]);
    folder.run("audit").exits(2).says(&["no input is named"]);
}

#[test]
fn times_that_cannot_be() {
    let before = conversion_of("900", 100, 0).replacen(&time(100 * 4_001), "2026-03-01T00:00:01Z", 1);
    let later = conversion_of("901", 100, 60).replacen(&time(100 * 4_001 + 60), "2031-01-01T00:00:00Z", 1);
    check_all(vec![
        Case::rows("a conversion before its click", Conversions, &[before.into_bytes()], &[]),
        Case::rows("a conversion years ahead", Conversions, &[later.into_bytes()], &[]),
    ]);
}

#[test]
fn the_environment_changes_no_byte() {
    let folder = folder_of_pair(&["bad"]);
    let run = |zone: &str, language: &str| {
        let mut command = folder.command("audit clicks.csv conversions.csv -o json=-");
        command.env("TZ", zone).env("LANG", language).env("LC_ALL", language);
        command.output().expect("the program starts").stdout
    };
    let plain = run("UTC", "C");
    assert!(!plain.is_empty());
    for (zone, language) in
        [("Asia/Kathmandu", "tr_TR.UTF-8"), ("America/New_York", "de_DE.UTF-8"), ("nowhere", "")]
    {
        assert_eq!(run(zone, language), plain, "{zone} {language}");
    }
}

/// Pairs would be four hundred million.
#[test]
fn one_id_on_both_sides_is_no_attack() {
    let mut clicks = Table::new("click_id,click_time,source");
    let mut conversions = Table::new("conversion_id,click_id,conversion_time,event,payout");
    for i in 0..20_001 {
        clicks.push(&["same", &crate::runs::time(i), "s"]);
        conversions.push(&[&i.to_string(), "same", &crate::runs::time(30_000 + i), "lead", "1"]);
    }
    let folder = Folder::new().with("clicks.csv", clicks.csv()).with("conversions.csv", conversions.csv());
    let started = Instant::now();
    folder.report("clicks.csv conversions.csv");
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

#[test]
fn overlapping_exports_are_counted_once() {
    let (clicks, conversions) = pair(&["bad"]);
    let (third, all) = (clicks.rows.len() / 3, clicks.rows.len());
    let folder = folder_of_pair(&["bad"]).with("a.csv", clicks.part(0, 2 * third).csv());
    let folder =
        folder.with("b.csv", clicks.part(third, all).csv()).with("later.csv", conversions.part(5, 90).csv());
    let whole = folder.report("clicks.csv conversions.csv");
    let flags = "--clicks a.csv --clicks b.csv --conversions conversions.csv --conversions later.csv";
    let report = folder.report(flags);
    assert_eq!(report["sources"], whole["sources"]);
    assert_eq!(report["coverage"]["clicks"]["duplicate"]["same_click"], third);
}

/// `C0005`, `c0005 ` and a zero-width space are other IDs than `c0005`: nobody is matched by a guess.
#[test]
fn ids_are_their_bytes() {
    let rows: Vec<Bytes> = ["C0005", "c0005\u{200b}", "ｃ0005", "c0005"]
        .iter()
        .enumerate()
        .map(|(i, id)| conversion_of(&format!("90{i}"), 5, 70).replacen("c0005", id, 1).into_bytes())
        .collect();
    let folder =
        Folder::new().with("clicks.csv", file(Clicks, &[])).with("conversions.csv", file(Conversions, &rows));
    let classes = &folder.report("clicks.csv conversions.csv")["coverage"]["conversion_classes"];
    assert_eq!(classes["matched"].as_u64(), Some(CONVERSIONS as u64 + 1), "{classes}");
}
