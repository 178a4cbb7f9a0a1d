//! What happens to bad files, seen from outside: exit code, message, rejected rows, untouched outputs.
//!
//! Every case is one line of a table: a small good pair of exports with one thing wrong, and what the
//! program must do about it. Phrases of messages stand in the tables only.

mod bombs;
mod logs;
mod objects;
mod parquet;
mod tables;

use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const CLICK_HEADER: &str = "click_id,click_time,source,offer,country,device,ip,user_agent,cost";
const CONVERSION_HEADER: &str =
    "conversion_id,transaction_id,click_id,event,conversion_time,status,payout,currency,click_time,source";

/// Rows of the good pair.
const CLICKS: usize = 200;
const CONVERSIONS: usize = 40;

/// Physical lines of the first and second extra row of a click file: they stand in the middle.
const CLICK_LINE: u64 = 102;
const CONVERSION_LINE: u64 = 22;

/// What stands in the outputs before a run.
const BEFORE: &str = "as it was\n";

type Bytes = Vec<u8>;

/// One side of the input.
enum Input {
    Good,
    Bytes(Bytes),
    Missing,
    Directory,
}

/// What the run must do.
enum Expect {
    /// Exit 0; so many rows used, these rejected as (line, word of the reason).
    Works { used: usize, rejected: Vec<(u64, &'static str)> },
    /// Exit 2 before anything is read; the message holds all these phrases.
    Usage(&'static [&'static str]),
    /// Exit 3 without any output; the message holds all these phrases.
    Refused(&'static [&'static str]),
    /// Exit 3 with a report that names a gate, without a list.
    Gated(&'static [&'static str]),
}

use Expect::{Gated, Refused, Usage};

/// The side a case is about; the other one is good.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Clicks,
    Conversions,
}

use Side::{Clicks, Conversions};

struct Case {
    name: &'static str,
    side: Side,
    input: Input,
    expect: Expect,
    arguments: &'static [&'static str],
    /// The text of a mapping file.
    map: Option<&'static str>,
}

impl Case {
    fn new(name: &'static str, side: Side, input: Input, expect: Expect) -> Case {
        Case { name, side, input, expect, arguments: &[], map: None }
    }

    fn bytes(name: &'static str, side: Side, bytes: impl Into<Bytes>, expect: Expect) -> Case {
        Case::new(name, side, Input::Bytes(bytes.into()), expect)
    }

    /// A file with extra rows in the middle; the rejected ones are told by their place among the extra
    /// lines, counted from 0.
    fn rows(name: &'static str, side: Side, extra: &[Bytes], rejected: &[(u64, &'static str)]) -> Case {
        let (base, line) = if side == Clicks { (CLICKS, CLICK_LINE) } else { (CONVERSIONS, CONVERSION_LINE) };
        let lines: usize = extra.iter().map(|row| row.split(|b| *b == b'\n').count()).sum();
        let rejected: Vec<(u64, &str)> = rejected.iter().map(|(at, why)| (line + at, *why)).collect();
        let used = base + lines - rejected.len();
        Case::bytes(name, side, file(side, extra), Expect::Works { used, rejected })
    }

    /// A file that works as well as the good one.
    fn fine(name: &'static str, side: Side, bytes: impl Into<Bytes>) -> Case {
        let used = if side == Clicks { CLICKS } else { CONVERSIONS };
        Case::bytes(name, side, bytes, Expect::Works { used, rejected: Vec::new() })
    }

    /// A good pair with these arguments.
    fn usage(name: &'static str, arguments: &'static [&'static str], says: &'static [&'static str]) -> Case {
        Case { arguments, ..Case::new(name, Clicks, Input::Good, Usage(says)) }
    }

    fn map(self, text: &'static str) -> Case {
        Case { map: Some(text), ..self }
    }
}

/// Click `i` of the good pair: 4,001 seconds after the one before, from one of four sources.
fn click(i: usize) -> String {
    format!(
        "c{i:04},{},src{},offer{},US,mobile,10.0.{}.{},Mozilla/5.0 (Linux Android 14) v{},0.010000",
        time(i * 4_001),
        i % 4,
        i % 2,
        i / 250,
        i % 250,
        i % 7,
    )
}

/// Conversion `i`: of every fifth click, some minutes after it.
fn conversion(i: usize) -> String {
    conversion_of(&format!("{i:03}"), i * 5, 120 + 37 * i)
}

/// A conversion of a click, so many seconds after it.
fn conversion_of(id: &str, click: usize, wait: usize) -> String {
    let clicked = click * 4_001;
    format!(
        "v{id},t{id},c{click:04},sale,{},approved,1.50,USD,{},src{}",
        time(clicked + wait),
        time(clicked),
        click % 4,
    )
}

/// So many seconds after the start of March 2026.
fn time(second: usize) -> String {
    let (day, rest) = (second / 86_400 + 1, second % 86_400);
    format!("2026-03-{day:02}T{:02}:{:02}:{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60)
}

fn header(side: Side) -> &'static str {
    if side == Clicks { CLICK_HEADER } else { CONVERSION_HEADER }
}

fn good_rows(side: Side) -> Vec<Bytes> {
    let rows: Vec<String> = match side {
        Clicks => (0..CLICKS).map(click).collect(),
        Conversions => (0..CONVERSIONS).map(conversion).collect(),
    };
    rows.into_iter().map(Bytes::from).collect()
}

/// The good file of a side with extra rows in its middle.
fn file(side: Side, extra: &[Bytes]) -> Bytes {
    let mut rows = good_rows(side);
    let middle = rows.len() / 2;
    rows.splice(middle..middle, extra.iter().cloned());
    lines(header(side), &rows)
}

fn lines(header: &str, rows: &[Bytes]) -> Bytes {
    let mut file = header.as_bytes().to_vec();
    file.push(b'\n');
    for row in rows {
        file.extend_from_slice(row);
        file.push(b'\n');
    }
    file
}

/// The good file after a replacement in its text.
fn replaced(side: Side, from: &str, to: &str) -> Bytes {
    String::from_utf8(file(side, &[])).expect("good files are ASCII").replace(from, to).into_bytes()
}

/// The good file with another header.
fn headed(side: Side, from: &str, to: &str) -> Bytes {
    lines(&header(side).replacen(from, to, 1), &good_rows(side))
}

/// A new row that is good except for one field.
fn row(side: Side, column: &str, value: impl AsRef<[u8]>) -> Bytes {
    let good = match side {
        Clicks => click(CLICKS - 1).replacen("c0199", "x0001", 1),
        Conversions => conversion_of("x001", CLICKS - 9, 500),
    };
    let at = header(side).split(',').position(|name| name == column).expect("a column of the header");
    let mut fields: Vec<&[u8]> = good.split(',').map(str::as_bytes).collect();
    fields[at] = value.as_ref();
    fields.join(&b',')
}

/// A click row without fault but with another ID.
fn other_click(id: &str) -> Bytes {
    row(Clicks, "click_id", id)
}

fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory takes everything")
}

fn zstd(bytes: &[u8]) -> Bytes {
    zstd::encode_all(bytes, 1).expect("memory takes everything")
}

/// The good file in two gzip members, each with the header, as `cat a.csv.gz b.csv.gz` makes it.
fn two_members() -> Bytes {
    let rows = good_rows(Clicks);
    let (first, second) = rows.split_at(CLICKS / 2);
    [gzip(&lines(CLICK_HEADER, first)), gzip(&lines(CLICK_HEADER, second))].concat()
}

fn utf16(text: &[u8], unit: fn(u16) -> [u8; 2]) -> Bytes {
    let text = String::from_utf8_lossy(text);
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(unit).collect()
}

fn prefixed(prefix: &[u8], bytes: Bytes) -> Bytes {
    [prefix.to_vec(), bytes].concat()
}

/// The folder of one run and what it left.
struct Run {
    folder: tempfile::TempDir,
    output: Output,
}

impl Run {
    fn start(case: &Case, outputs: &[&str]) -> Run {
        let folder = tempfile::tempdir().expect("a folder for the case");
        let good = Input::Good;
        let (clicks, conversions) =
            if case.side == Clicks { (&case.input, &good) } else { (&good, &case.input) };
        place(clicks, Clicks, &folder.path().join("clicks.csv"));
        place(conversions, Conversions, &folder.path().join("conversions.csv"));
        for kept in ["block.txt", "report.json", "report.csv"] {
            fs::write(folder.path().join(kept), BEFORE).expect("an earlier output");
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_clickaudit"));
        command.current_dir(folder.path()).env_clear();
        command.args(["audit", "clicks.csv", "conversions.csv", "--rejects", "rejects.csv"]).args(outputs);
        if let Some(map) = case.map {
            fs::write(folder.path().join("map.yaml"), map).expect("a mapping file");
            command.args(["--map", "map.yaml"]);
        }
        let output = command.args(case.arguments).output().expect("the program starts");
        Run { folder, output }
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    fn message(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    fn report(&self) -> Result<Value, String> {
        serde_json::from_slice(&self.output.stdout).map_err(|e| format!("stdout is no JSON report: {e}"))
    }
}

fn place(input: &Input, side: Side, path: &Path) {
    match input {
        Input::Good => fs::write(path, file(side, &[])),
        Input::Bytes(bytes) => fs::write(path, bytes),
        Input::Missing => Ok(()),
        Input::Directory => fs::create_dir(path),
    }
    .expect("the case's files can be made");
}

/// Runs all cases and fails with everything that is wrong with any of them.
fn check_all(cases: Vec<Case>) {
    let wrong: Vec<String> = cases.iter().filter_map(|case| check(case).err()).collect();
    assert!(wrong.is_empty(), "{} of {} cases\n\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// Runs one case: the report goes to stdout, the list to a file that is there already.
fn check(case: &Case) -> Result<(), String> {
    let run = Run::start(case, &["-o", "json=-", "-o", "blocklist:lines=block.txt"]);
    let (code, says): (i32, &[&str]) = match &case.expect {
        Expect::Works { .. } => (0, &[]),
        Usage(says) => (2, says),
        Refused(says) | Gated(says) => (3, says),
    };
    let told =
        exits(&run, code).and_then(|()| holds(&run.message(), says)).and_then(|()| match &case.expect {
            Expect::Works { used, rejected } => works(&run, case.side, *used, rejected),
            Usage(_) | Refused(_) => silent(&run).and_then(|()| list_untouched(&run)),
            Gated(_) => gated(&run).and_then(|()| list_untouched(&run)),
        });
    told.map_err(|why| format!("{}: {why}\n  stderr: {}\n", case.name, run.message().trim_end()))
}

fn exits(run: &Run, code: i32) -> Result<(), String> {
    match run.output.status.code() {
        Some(found) if found == code => Ok(()),
        found => Err(format!("expected exit {code}, found {found:?}")),
    }
}

fn holds(message: &str, phrases: &[&str]) -> Result<(), String> {
    match phrases.iter().find(|p| !message.contains(**p)) {
        None => Ok(()),
        Some(missing) => Err(format!("the message lacks `{missing}`")),
    }
}

fn silent(run: &Run) -> Result<(), String> {
    if run.output.stdout.is_empty() { Ok(()) } else { Err("stdout is not empty".to_owned()) }
}

fn list_untouched(run: &Run) -> Result<(), String> {
    if run.text("block.txt") == BEFORE { Ok(()) } else { Err("the list was changed".to_owned()) }
}

fn gated(run: &Run) -> Result<(), String> {
    let report = run.report()?;
    match report["coverage"]["gates"].as_array() {
        Some(gates) if !gates.is_empty() => Ok(()),
        _ => Err("the report names no gate".to_owned()),
    }
}

fn works(run: &Run, side: Side, used: usize, rejected: &[(u64, &str)]) -> Result<(), String> {
    let report = run.report()?;
    for (name, good) in [("clicks", CLICKS), ("conversions", CONVERSIONS)] {
        let rows = &report["coverage"][name];
        let ours = (name == "clicks") == (side == Clicks);
        let (used, lost) = if ours { (used, rejected.len()) } else { (good, 0) };
        balanced(name, rows, used as u64, lost as u64)?;
    }
    let name = if side == Clicks { "clicks.csv" } else { "conversions.csv" };
    let rejects = run.text("rejects.csv");
    rejected.iter().try_for_each(|(line, reason)| told_in_rejects(&rejects, name, *line, reason))
}

/// Rows read = used + rejected + duplicate, and each as expected.
fn balanced(name: &str, rows: &Value, used: u64, rejected: u64) -> Result<(), String> {
    let sum = |kind: &str| -> u64 {
        let counts = rows[kind].as_object().into_iter().flatten();
        counts.filter_map(|(_, count)| count.as_u64()).sum()
    };
    let found = (rows["used"].as_u64(), sum("rejected"), sum("duplicate"), rows["read"].as_u64());
    if found == (Some(used), rejected, 0, Some(used + rejected)) {
        return Ok(());
    }
    Err(format!("expected {used} {name} used and {rejected} rejected, found {rows}"))
}

/// The rejects file has a line with the file, the line number and the reason.
fn told_in_rejects(rejects: &str, file: &str, line: u64, reason: &str) -> Result<(), String> {
    let number = line.to_string();
    let tells = |row: &str| {
        let fields: Vec<&str> = row.split(',').map(|field| field.trim_matches('"')).collect();
        row.contains(file) && fields.contains(&number.as_str()) && fields.contains(&reason)
    };
    if rejects.lines().any(tells) {
        return Ok(());
    }
    Err(format!("the rejects file does not tell `{reason}` of {file} line {line}; it holds\n{rejects}"))
}

#[test]
fn the_good_pair_is_good() {
    check_all(vec![
        Case::new("good", Clicks, Input::Good, Expect::Works { used: CLICKS, rejected: Vec::new() }),
        Case::rows("one more click", Clicks, &[other_click("x1")], &[]),
        Case::rows("one more conversion", Conversions, &[row(Conversions, "event", "sale")], &[]),
    ]);
}

#[test]
fn files_that_cannot_be_read() {
    let truncated = |bytes: Bytes| bytes[..bytes.len() / 2].to_vec();
    let mut corrupt = gzip(&file(Clicks, &[]));
    let middle = corrupt.len() / 2;
    corrupt[middle..middle + 16].fill(0xaa);
    let trailing = [gzip(&file(Clicks, &[])), b"garbage behind the last member".to_vec()].concat();
    check_all(vec![
        Case::new("missing clicks", Clicks, Input::Missing, Refused(&["cannot read clicks.csv", "path"])),
        Case::new(
            "missing conversions",
            Conversions,
            Input::Missing,
            Refused(&["cannot read conversions.csv"]),
        ),
        Case::new(
            "directory",
            Clicks,
            Input::Directory,
            Refused(&["clicks.csv is a directory", "expected a file"]),
        ),
        Case::bytes("empty clicks", Clicks, "", Refused(&["clicks.csv is empty", "expected a header line"])),
        Case::bytes(
            "empty conversions",
            Conversions,
            "",
            Refused(&["conversions.csv is empty", "export it again"]),
        ),
        Case::bytes("blank lines only", Clicks, "\n\n\n", Refused(&["clicks.csv has no header line"])),
        Case::bytes(
            "truncated gzip",
            Clicks,
            truncated(gzip(&file(Clicks, &[]))),
            Refused(&["damaged or cut off"]),
        ),
        Case::bytes(
            "truncated zstd",
            Clicks,
            truncated(zstd(&file(Clicks, &[]))),
            Refused(&["damaged or cut off"]),
        ),
        Case::bytes("gzip with flipped bytes", Clicks, corrupt, Refused(&["damaged or cut off", "again"])),
        Case::bytes("gzip with garbage behind it", Clicks, trailing, Refused(&["damaged or cut off"])),
    ]);
}

#[test]
fn files_without_rows() {
    let header_only = |side| lines(header(side), &[]);
    let ragged = lines(CLICK_HEADER, &[b"c1,2026-03-01".to_vec(), b"c2".to_vec()]);
    check_all(vec![
        Case::bytes("header only, clicks", Clicks, header_only(Clicks), Refused(&["clicks.csv", "no rows"])),
        Case::bytes(
            "header only, conversions",
            Conversions,
            header_only(Conversions),
            Gated(&["conversions"]),
        ),
        Case::bytes("no usable row", Clicks, ragged, Refused(&["clicks.csv", "no usable row"])),
    ]);
}

#[test]
fn headers_that_do_not_fit() {
    let no_time = headed(Clicks, "click_time", "clicked_tme");
    let renamed = headed(Clicks, "click_time", "clik_time");
    let twice = headed(Clicks, "country", "source");
    let mapped_twice = headed(Conversions, "source", "click_id");
    let caret = replaced(Clicks, ",", "^");
    check_all(vec![
        Case::bytes("no time column", Clicks, no_time, Refused(&["click_time", "clicked_tme", "--map"])),
        Case::bytes("misspelt time column", Clicks, renamed, Refused(&["click_time", "nearest: clik_time"])),
        Case::bytes(
            "no conversion time",
            Conversions,
            headed(Conversions, "conversion_time", "when"),
            Refused(&["conversions.csv", "conversion_time", "found:", "when"]),
        ),
        Case::bytes("duplicate header", Clicks, twice, Refused(&["header `source`", "twice"])),
        Case::bytes(
            "duplicate header, conversions",
            Conversions,
            mapped_twice,
            Refused(&["`click_id`", "twice"]),
        ),
        Case::bytes("wrong delimiter", Clicks, caret, Refused(&["one column only", "delimiter"])),
        Case::new(
            "mapped column missing",
            Clicks,
            Input::Good,
            Refused(&["no column `clik_id`", "click_id"]),
        )
        .map("clicks: {columns: {click_id: clik_id}}\n"),
        Case::new("declared delimiter is wrong", Clicks, Input::Good, Refused(&["one column only"]))
            .map("clicks: {delimiter: ';'}\n"),
    ]);
}

#[test]
fn text_that_is_not_utf_8_lines() {
    let little = utf16(&file(Clicks, &[]), u16::to_le_bytes);
    let big = utf16(&file(Clicks, &[]), u16::to_be_bytes);
    let unmarked = little[2..].to_vec();
    let conversions = utf16(&file(Conversions, &[]), u16::to_le_bytes);
    check_all(vec![
        Case::bytes("UTF-16 LE", Clicks, little, Refused(&["is UTF-16", "expected UTF-8", "iconv"])),
        Case::bytes("UTF-16 BE", Clicks, big, Refused(&["is UTF-16", "iconv"])),
        Case::bytes("UTF-16 without a mark", Clicks, unmarked, Refused(&["is UTF-16"])),
        Case::bytes("UTF-16 conversions", Conversions, conversions, Refused(&["conversions.csv is UTF-16"])),
        Case::bytes(
            "CR only",
            Clicks,
            replaced(Clicks, "\n", "\r"),
            Refused(&["CR-only", "expected LF", "tr "]),
        ),
    ]);
}

#[test]
fn unusual_files_that_work() {
    let tail = |side| {
        let mut bytes = file(side, &[]);
        bytes.pop();
        bytes
    };
    let separated = prefixed(b"sep=;\n", replaced(Clicks, ",", ";"));
    check_all(vec![
        Case::fine("UTF-8 BOM, clicks", Clicks, prefixed(b"\xef\xbb\xbf", file(Clicks, &[]))),
        Case::fine("UTF-8 BOM, conversions", Conversions, prefixed(b"\xef\xbb\xbf", file(Conversions, &[]))),
        Case::fine("CRLF", Clicks, replaced(Clicks, "\n", "\r\n")),
        Case::fine("mixed line ends", Clicks, replaced(Clicks, "v3,0.010000\n", "v3,0.010000\r\n")),
        Case::fine("no final newline", Clicks, tail(Clicks)),
        Case::fine("no final newline, conversions", Conversions, tail(Conversions)),
        Case::fine("blank lines", Clicks, replaced(Clicks, "v3,0.010000\n", "v3,0.010000\n\n")),
        Case::fine("tab", Clicks, replaced(Clicks, ",", "\t")),
        Case::fine("pipe", Conversions, replaced(Conversions, ",", "|")),
        Case::fine("semicolon", Clicks, replaced(Clicks, ",", ";")),
        Case::fine("a first line that names the separator", Clicks, separated),
        Case::fine("header in capitals", Clicks, headed(Clicks, CLICK_HEADER, &CLICK_HEADER.to_uppercase())),
        Case::fine("extra column", Clicks, replaced(Clicks, "\n", ",\n")),
        Case::fine("gzip", Clicks, gzip(&file(Clicks, &[]))),
        Case::fine("gzip of several members, each with its header", Clicks, two_members()),
        Case::fine("zstd", Clicks, zstd(&file(Clicks, &[]))),
        Case::fine("zstd conversions", Conversions, zstd(&file(Conversions, &[]))),
    ]);
}

#[test]
fn rows_of_another_width_are_rejected() {
    let short = b"x1,2026-03-01T00:00:00Z,src1".to_vec();
    let long = [other_click("x2"), b",surplus".to_vec()].concat();
    check_all(vec![
        Case::rows("too few fields", Clicks, std::slice::from_ref(&short), &[(0, "ragged")]),
        Case::rows("too many fields", Clicks, std::slice::from_ref(&long), &[(0, "ragged")]),
        Case::rows(
            "ragged among good",
            Clicks,
            &[short, other_click("x3"), long],
            &[(0, "ragged"), (2, "ragged")],
        ),
        Case::rows("ragged conversion", Conversions, &[b"v900,t900".to_vec()], &[(0, "ragged")]),
    ]);
}

#[test]
fn quotes_cost_their_own_row_at_most() {
    let agent = |text: &str| row(Clicks, "user_agent", text);
    let hidden: Vec<String> = (0..11).map(|i| format!("h{i:04}{}", &click(i)[5..])).collect();
    let hiding = format!("\"Mozilla\n{}\nend\"", hidden.join("\n"));
    let all_hidden: Vec<(u64, &str)> = (0..13).map(|line| (line, "unclosed_quote")).collect();
    let last = prefixed(&file(Clicks, &[]), [agent("\"Mozilla"), b"\n".to_vec()].concat());
    check_all(vec![
        Case::rows("stray quote", Clicks, &[agent("Moz\"illa")], &[]),
        Case::rows("quoted comma", Clicks, &[agent("\"Mozilla, like Gecko\"")], &[]),
        Case::rows("doubled quotes", Clicks, &[agent("\"Moz\"\"illa\"")], &[]),
        Case::rows("unclosed quote", Clicks, &[agent("\"Mozilla")], &[(0, "unclosed_quote")]),
        Case::rows(
            "unclosed quotes in two rows",
            Clicks,
            &[agent("\"Mozilla"), other_click("x2"), agent("\"Mozilla")],
            &[(0, "unclosed_quote"), (2, "unclosed_quote")],
        ),
        Case::rows(
            "unclosed quote before a quoted field",
            Clicks,
            &[agent("\"Mozilla"), agent("\"Mozilla, like Gecko\"")],
            &[(0, "unclosed_quote")],
        ),
        Case::bytes(
            "unclosed quote in the last row",
            Clicks,
            last,
            Expect::Works { used: CLICKS, rejected: vec![(CLICKS as u64 + 2, "unclosed_quote")] },
        ),
        Case::rows(
            "unclosed quote, conversions",
            Conversions,
            &[row(Conversions, "event", "\"sale")],
            &[(0, "unclosed_quote")],
        ),
        Case::rows("a quoted field that hides rows", Clicks, &[agent(&hiding)], &all_hidden),
    ]);
}

#[test]
fn bytes_that_are_no_text_reject_their_row() {
    check_all(vec![
        Case::rows("invalid UTF-8", Clicks, &[row(Clicks, "user_agent", b"Moz\xff\xfe")], &[(0, "not_utf8")]),
        Case::rows(
            "invalid UTF-8 ID",
            Conversions,
            &[row(Conversions, "click_id", b"c\xc3")],
            &[(0, "not_utf8")],
        ),
        Case::rows("NUL in an ID", Clicks, &[other_click("x\0y")], &[(0, "nul_in_id")]),
        Case::rows("NUL in an address", Clicks, &[row(Clicks, "ip", "10.0\0.1")], &[(0, "nul_in_id")]),
        Case::rows(
            "NUL in a transaction",
            Conversions,
            &[row(Conversions, "transaction_id", "t\0")],
            &[(0, "nul_in_id")],
        ),
    ]);
}

#[test]
fn absurd_numbers_reject_their_row() {
    let bad = [
        ("NaN", "bad_number"),
        ("inf", "bad_number"),
        ("-Infinity", "bad_number"),
        ("1e400", "bad_number"),
        ("1e3", "bad_number"),
        ("1e10", "bad_number"),
        ("\"1.234,56\"", "bad_number"),
        ("\"1,5\"", "bad_number"),
        ("0x1F", "bad_number"),
        ("1.2.3", "bad_number"),
        ("--1", "bad_number"),
        ("1 €uro", "bad_number"),
        ("1 $ 1", "bad_number"),
        ("٣", "bad_number"),
        ("\"1,234.56\"", "bad_number"),
        ("123456789012345678901234567890", "amount_too_large"),
        ("9223372036854775807", "amount_too_large"),
        ("10000000.01", "amount_too_large"),
        ("-10000000.01", "amount_too_large"),
    ];
    let clicks: Vec<Bytes> = bad.iter().map(|(text, _)| row(Clicks, "cost", text)).collect();
    let conversions: Vec<Bytes> = bad.iter().map(|(text, _)| row(Conversions, "payout", text)).collect();
    let rejected: Vec<(u64, &str)> = (0..).zip(bad.iter().map(|(_, reason)| *reason)).collect();
    check_all(vec![
        Case::rows("costs", Clicks, &clicks, &rejected),
        Case::rows("payouts", Conversions, &conversions, &rejected),
        Case::rows("the largest amount", Conversions, &[row(Conversions, "payout", "10000000")], &[]),
        Case::rows("minus nothing", Clicks, &[row(Clicks, "cost", "-0")], &[]),
        Case::rows(
            "thirty decimals",
            Clicks,
            &[row(Clicks, "cost", "0.010000000000000000000000000001")],
            &[],
        ),
        Case::rows("a currency beside the amount", Conversions, &[row(Conversions, "payout", "$1")], &[]),
        Case::rows(
            "another currency beside the amount",
            Conversions,
            &[row(Conversions, "payout", "1 €")],
            &[(0, "currency_conflict")],
        ),
        Case::rows("parentheses", Conversions, &[row(Conversions, "payout", "(1.00)")], &[]),
        Case::rows("no amount", Clicks, &[row(Clicks, "cost", "")], &[]),
    ]);
}

#[test]
fn absurd_dates_reject_their_row() {
    let bad = [
        ("2026-13-01T00:00:00Z", "bad_time"),
        ("2026-02-30 10:00:00", "bad_time"),
        ("2026-03-01T25:00:00Z", "bad_time"),
        ("yesterday", "bad_time"),
        ("01/03/2026 10:00", "bad_time"),
        ("1772323200", "bad_time"),
        ("1999-12-31T23:59:59Z", "time_out_of_range"),
        ("0001-01-01T00:00:00Z", "time_out_of_range"),
        ("9999-12-31T23:59:59Z", "time_out_of_range"),
        ("", "no_time"),
    ];
    let clicks: Vec<Bytes> = bad.iter().map(|(text, _)| row(Clicks, "click_time", text)).collect();
    let conversions: Vec<Bytes> =
        bad.iter().map(|(text, _)| row(Conversions, "conversion_time", text)).collect();
    let rejected: Vec<(u64, &str)> = (0..).zip(bad.iter().map(|(_, reason)| *reason)).collect();
    check_all(vec![
        Case::rows("click times", Clicks, &clicks, &rejected),
        Case::rows("conversion times", Conversions, &conversions, &rejected),
    ]);
}

#[test]
fn what_is_too_large_is_stopped_by_a_cap() {
    let field = row(Clicks, "user_agent", "x".repeat((64 << 10) + 1));
    let fits = row(Clicks, "user_agent", "x".repeat(64 << 10));
    let record = row(Clicks, "user_agent", "x".repeat(8 << 20));
    let packed = gzip(&file(Clicks, std::slice::from_ref(&record)));
    let one_too_long = || Expect::Works { used: CLICKS, rejected: vec![(CLICK_LINE, "too_long")] };
    check_all(vec![
        Case::rows("the longest field", Clicks, &[fits], &[]),
        Case::rows("a longer field", Clicks, &[field], &[(0, "too_long")]),
        Case::rows("a longer record", Clicks, &[record], &[(0, "too_long")]),
        Case::bytes("a longer record in a gzip", Clicks, packed, one_too_long()),
        Case::bytes("a bomb", Clicks, bomb(), Refused(&["clicks.csv", "compression bomb"])),
    ]);
}

/// A header and one field of 320 MiB, in some 50 KiB.
fn bomb() -> Bytes {
    let part = zstd(&vec![b'x'; 32 << 20]);
    let header = zstd(format!("{CLICK_HEADER}\n").as_bytes());
    std::iter::once(header).chain(std::iter::repeat_n(part, 10)).flatten().collect()
}

/// So many good clicks in small groups, without cost, beside the good ones.
fn many(rows: usize) -> Vec<Bytes> {
    let click = |i: usize| format!("m{i},2026-03-02T10:00:00Z,bulk{},offer0,US,mobile,,,0", i / 90);
    (0..rows).map(|i| click(i).into_bytes()).collect()
}

#[test]
fn many_bad_rows_refuse_the_run() {
    let bad = |rows: usize| vec![b"ragged".to_vec(); rows];
    let rejected = |rows: u64| (0..rows).map(|i| (CLICK_LINE + i, "ragged")).collect();
    let above_100_only = [bad(101), many(102_000)].concat();
    let above_both = [bad(101), many(100_000)].concat();
    check_all(vec![
        Case::bytes(
            "a third, but not above 100",
            Clicks,
            file(Clicks, &bad(100)),
            Expect::Works { used: CLICKS, rejected: rejected(100) },
        ),
        Case::bytes(
            "above 100 and above 0.1 %",
            Clicks,
            file(Clicks, &bad(101)),
            Gated(&["clicks.csv", "101", "0.1", "ragged"]),
        ),
        Case::bytes(
            "above 100, but not above 0.1 %",
            Clicks,
            file(Clicks, &above_100_only),
            Expect::Works { used: CLICKS + 102_000, rejected: rejected(101) },
        ),
        Case::bytes("just above 0.1 %", Clicks, file(Clicks, &above_both), Gated(&["101"])),
    ]);
}

#[test]
fn wrong_usage_reads_nothing() {
    let column = "clicks: {columns: {clik_id: click_id}}\n";
    let format = "clicks: {time_format: isoo}\n";
    check_all(vec![
        Case::usage("unknown format", &["-o", "jsn=x.json"], &["`jsn`", "did you mean `json`"]),
        Case::usage("output without a path", &["-o", "csv"], &["`csv`", "path"]),
        Case::usage("two outputs to stdout", &["-o", "csv=-"], &["stdout"]),
        Case::usage("unknown grain", &["--by", "sorce"], &["sorce", "source"]),
        Case::usage("unknown flag", &["--colour-of-money"], &["--colour-of-money"]),
        Case::usage("missing mapping file", &["--map", "nowhere.yaml"], &["nowhere.yaml"]),
        Case::usage("missing protect list", &["--protect", "nowhere.txt"], &["nowhere.txt"]),
        Case::usage("missing rules", &["--rules", "nowhere"], &["nowhere"]),
        Case::usage("unknown canonical column", &[], &["`clik_id`", "did you mean click_id"]).map(column),
        Case::usage("unknown time format", &[], &["`isoo`", "expected iso"]).map(format),
        Case::usage("unknown key in a mapping", &[], &["delimitr"]).map("delimitr: ';'\n"),
        Case::usage("misspelled brand terms", &[], &["`brand_term`", "did you mean `brand_terms`"])
            .map("brand_term: [lucky]\n"),
        Case::usage("brand terms that are no list", &[], &["map.yaml:1"]).map("brand_terms: {a: b}\n"),
        Case::usage("empty brand term", &[], &["`- .` is no brand term", "at least 2"])
            .map("brand_terms: [lucky, '- .']\n"),
        Case::usage("brand term twice", &[], &["`Lucky Casino` and `lucky-casino`", "keep one"])
            .map("brand_terms: [Lucky Casino, lucky-casino]\n"),
        Case::usage("empty trusted source", &[], &["` ` is no source", "traffic_source/source"])
            .map("trusted: [' ']\n"),
        Case::usage("trusted source twice", &[], &["`zone/7` stands there twice"])
            .map("trusted: [zone/7, zone/8, zone/7]\n"),
        Case::usage("a mapping that is no YAML", &[], &["map.yaml"]).map("clicks: {columns: [\n"),
    ]);
}

#[test]
fn a_failed_run_changes_no_output() {
    let outputs = &[
        "-o",
        "json=report.json",
        "-o",
        "csv=report.csv",
        "-o",
        "blocklist:lines=block.txt",
        "-o",
        "table=new.txt",
    ];
    let failures = [
        Case::new("missing", Clicks, Input::Missing, Refused(&[])),
        Case::bytes("damaged", Clicks, gzip(&file(Clicks, &[]))[..500].to_vec(), Refused(&[])),
        Case::bytes(
            "conversions without a time",
            Conversions,
            headed(Conversions, "conversion_time", "x"),
            Refused(&[]),
        ),
    ];
    for case in failures {
        let run = Run::start(&case, outputs);
        assert_eq!(run.output.status.code(), Some(3), "{}: {}", case.name, run.message());
        for kept in ["report.json", "report.csv", "block.txt"] {
            assert_eq!(run.text(kept), BEFORE, "{}: {kept}", case.name);
        }
        assert_eq!(surplus(run.folder.path()), Vec::<PathBuf>::new(), "{}", case.name);
    }
}

/// Files that a run left behind, apart from what was there and the rejects.
fn surplus(folder: &Path) -> Vec<PathBuf> {
    let known = ["clicks.csv", "conversions.csv", "report.json", "report.csv", "block.txt", "rejects.csv"];
    let entries =
        fs::read_dir(folder).expect("the case's folder").map(|entry| entry.expect("an entry").path());
    let mut surplus: Vec<PathBuf> =
        entries.filter(|path| !known.iter().any(|name| path.ends_with(name))).collect();
    surplus.sort();
    surplus
}
