//! Exports, amounts, times, mappings and presets that were changed at random: no text makes their readers panic
//! or hang, and no row is lost.
//!
//! A short run is the same every time. With `FUZZ_SECONDS` it goes on for so long, with other changes every
//! time; what fails is printed as small as it can be made. Seeds are in `tests/corpus`.

use crate::runs::project;
use clickaudit::base::column::Col;
use clickaudit::base::time::{TimeFormat, TimeReader, Zone};
use clickaudit::ingest::mapping::{Mapping, MappingFile};
use clickaudit::ingest::preset::{self, PRESETS};
use clickaudit::ingest::{Field, Inputs, Plan, Shape, Wanted, amount, ingest};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

/// One read of a small export takes milliseconds; this is a hang.
const TOO_LONG: Duration = Duration::from_secs(20);

/// Runs a property on so many cases, or on new ones for as long as `FUZZ_SECONDS` says.
fn run<S: Strategy>(cases: u32, strategy: S, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let seconds =
        std::env::var("FUZZ_SECONDS").ok().map(|s| s.parse::<u64>().expect("FUZZ_SECONDS is a number"));
    let until = seconds.map(|s| Instant::now() + Duration::from_secs(s));
    loop {
        let rng_seed = if until.is_some() { RngSeed::Random } else { RngSeed::Fixed(2_026) };
        let config = Config { cases, rng_seed, failure_persistence: None, ..Config::default() };
        TestRunner::new(config).run(&strategy, &property).unwrap_or_else(|fault| panic!("{fault}"));
        if until.is_none_or(|until| Instant::now() >= until) {
            return;
        }
    }
}

/// A change of some bytes; places and lengths are taken modulo what is there.
#[derive(Clone, Debug)]
enum Change {
    Set(usize, u8),
    Remove(usize, usize),
    /// Copies bytes from one place to another.
    Copy(usize, usize, usize),
    Insert(usize, &'static str),
}

const PIECES: &[&str] = &[
    "\"",
    "\"\"",
    ",",
    ";",
    "\n",
    "\r",
    "\r\n",
    "\0",
    "{",
    "}",
    "[",
    "]",
    ":",
    "\\",
    "\\u",
    "\\ud83d",
    "é",
    "\u{feff}",
    "NaN",
    "1e999",
    "-",
    "(",
    "$",
    "2026-03-29 02:30:00",
    "99999999999999999999",
    "null",
    "click_time",
    "{\"a\":",
];

fn change() -> impl Strategy<Value = Change> {
    let (at, length) = (any::<usize>(), 1usize..40);
    prop_oneof![
        (at, any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (at, length.clone()).prop_map(|(at, length)| Change::Remove(at, length)),
        (at, length, at).prop_map(|(from, length, to)| Change::Copy(from, length, to)),
        (at, prop::sample::select(PIECES)).prop_map(|(at, piece)| Change::Insert(at, piece)),
    ]
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let size = bytes.len().max(1);
        match *self {
            Change::Set(at, byte) if !bytes.is_empty() => bytes[at % size] = byte,
            Change::Set(..) => {}
            Change::Remove(at, length) => {
                let from = at % size;
                bytes.drain(from.min(bytes.len())..(from + length).min(bytes.len()));
            }
            Change::Copy(from, length, to) => {
                let from = (from % size).min(bytes.len());
                let copied = bytes[from..(from + length).min(bytes.len())].to_vec();
                let to = (to % size).min(bytes.len());
                bytes.splice(to..to, copied);
            }
            Change::Insert(at, piece) => {
                let at = (at % size).min(bytes.len());
                bytes.splice(at..at, piece.bytes());
            }
        }
    }
}

fn corpus() -> Vec<Vec<u8>> {
    let seeds = files("tests/corpus/text");
    assert!(seeds.len() >= 4);
    seeds
}

/// The files of a folder, by name.
fn files(folder: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> =
        fs::read_dir(project(folder)).expect("the corpus").flatten().map(|e| e.path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a seed")).collect()
}

/// The lines of a file of the corpus.
fn seed_lines(name: &str) -> Vec<Vec<u8>> {
    let text = fs::read(project("tests/corpus/fields").join(name)).expect("a seed");
    let lines: Vec<Vec<u8>> = text.split(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
    assert!(lines.len() > 15);
    lines
}

/// Seeds of which some bytes were changed.
fn changed(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec(change(), 0..6);
    (0..seeds.len(), changes).prop_map(move |(seed, changes)| {
        let mut bytes = seeds[seed].clone();
        changes.iter().for_each(|change| change.apply(&mut bytes));
        bytes
    })
}

/// Rows read, rejected and kept, lines that repeat the header and blank ones; nothing if the file is refused.
fn read(bytes: &[u8], zone: &str) -> Option<(u64, u64, u64, u64, u64)> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("clicks");
    fs::write(&path, bytes).expect("a file in the folder");
    let files = BTreeMap::from([(Shape::Clicks, vec![path.display().to_string()])]);
    let user = format!("clicks: {{time_zone: {zone}}}\n");
    fs::write(folder.path().join("map.yaml"), user).expect("a mapping");
    let user = clickaudit::ingest::mapping::load(&folder.path().join("map.yaml")).expect("a mapping");
    let mut mapping = Mapping::build(None, Some(user)).expect("the generic preset");
    mapping.currency = Some("USD".to_owned());
    let inputs = Inputs { files, ..Inputs::default() };
    let intake = ingest(&inputs, &Plan::fixed(mapping), &Wanted::Everything, 2).ok()?;
    let mut kept = 0;
    let fields = [Field::Value(Col::ClickTime), Field::Key(Col::ClickId)];
    intake
        .clicks
        .scan(&fields, None, &mut |batch| {
            kept += batch.len() as u64;
            Ok(())
        })
        .expect("the intake can be read");
    let file = &intake.files[0];
    Some((file.rows, file.rejects.total(), kept, file.repeated_headers, file.blank_lines))
}

/// Whether a text is read as objects.
fn objects(bytes: &[u8]) -> bool {
    let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let first = body.split(|&b| b == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    let rest = first.trim_ascii_start().strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    rest.is_some_and(|rest| matches!(rest.first(), Some(b'"' | b'}')))
}

/// All lines of a text without quotes that are not its header or the naming of its separator; `\r` ends a line
/// of delimited text, too, except in a header.
fn lines_behind_the_header(bytes: &[u8]) -> u64 {
    let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let count = |text: &[u8], cr: bool| {
        let text = String::from_utf8_lossy(text).replace("\r\n", "\n");
        let text = if cr { text.replace('\r', "\n") } else { text };
        text.split_terminator('\n').count() as u64
    };
    if objects(bytes) {
        return count(body, false);
    }
    let mut before = 0;
    let mut rest = body;
    loop {
        let end = rest.iter().position(|&b| b == b'\n').map_or(rest.len(), |at| at + 1);
        let (line, behind) = rest.split_at(end);
        rest = behind;
        let end = line.iter().rposition(|b| !matches!(b, b'\n' | b'\r')).map_or(0, |at| at + 1);
        let named = matches!(line[..end].strip_prefix(b"sep="), Some([_]));
        match line.iter().all(u8::is_ascii_whitespace) {
            true if line.is_empty() => return before,
            true => before += 1,
            false if named => {}
            false => return before + count(rest, true),
        }
    }
}

/// Lines that hold something, and all lines behind the first; a lone CR ends a line of delimited text.
fn lines(bytes: &[u8]) -> (u64, u64) {
    let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let objects = String::from_utf8_lossy(body).trim_start().starts_with('{');
    let blank = |b: &u8| if objects { b.is_ascii_whitespace() } else { *b == b'\r' };
    let filled = body.split(|&b| b == b'\n').filter(|line| !line.iter().all(blank)).count();
    let ends = body.iter().filter(|&&b| b == b'\n' || (!objects && b == b'\r')).count();
    (filled.saturating_sub(usize::from(!objects)) as u64, ends as u64 + 1)
}

#[test]
fn no_change_of_an_export_loses_a_row() {
    let seeds = corpus();
    let strategy = (0..seeds.len(), prop::collection::vec(change(), 0..6), any::<bool>());
    run(400, strategy, |(seed, changes, berlin)| {
        let mut bytes = seeds[seed].clone();
        changes.iter().for_each(|change| change.apply(&mut bytes));
        let started = Instant::now();
        let found = read(&bytes, if berlin { "Europe/Berlin" } else { "UTC" });
        prop_assert!(started.elapsed() < TOO_LONG, "it took {:?}", started.elapsed());
        let Some((rows, rejected, kept, headers, blank)) = found else { return Ok(()) };
        prop_assert_eq!(rows, rejected + kept);
        let (filled, all) = lines(&bytes);
        // Blank lines before the header, or inside quotes that span lines, may be counted or not.
        prop_assert!(
            rows + headers >= filled.saturating_sub(1) && rows + headers <= all,
            "{} rows of {} to {} lines",
            rows,
            filled,
            all
        );
        if !bytes.contains(&b'"') || objects(&bytes) {
            prop_assert_eq!(rows + headers + blank, lines_behind_the_header(&bytes), "no line is lost");
        }
        Ok(())
    });
}

/// The seeds as they are: most of their rows are bad, and each says why.
#[test]
fn seeds_are_read_as_they_are() {
    let read: Vec<_> = corpus().iter().map(|bytes| read(bytes, "UTC").expect("a seed is read")).collect();
    assert_eq!(read, SEEDS);
}

/// Rows, rejected, kept, repeated headers, blank lines of amounts.csv, nested.ndjson, quotes.csv and times.csv.
const SEEDS: [(u64, u64, u64, u64, u64); 4] =
    [(12, 6, 6, 0, 0), (8, 5, 3, 0, 1), (10, 6, 4, 1, 1), (9, 6, 3, 0, 1)];

#[test]
fn any_time_has_an_answer() {
    let formats = [
        "iso",
        "epoch_s",
        "epoch_ms",
        "epoch_us",
        "%m/%d/%Y %I:%M:%S %p",
        "%d.%m.%Y %H:%M",
        "%s",
        "%Y-%m-%dT%H:%M:%S%.f%z",
    ];
    let zones =
        ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"];
    let piece = prop::sample::select(vec![
        "2026",
        "-",
        "03",
        "29",
        "T",
        " ",
        ":",
        "02",
        "30",
        ".",
        "123456",
        "Z",
        "+",
        "14:00",
        "PM",
        "am",
        "/",
        "9999999999",
        "UTC",
        "é",
        "\0",
    ]);
    let text = prop_oneof![
        prop::collection::vec(piece, 0..14).prop_map(|p| p.concat()),
        (1990i64..2110, 0u8..14, 0u8..33, 0u8..26, 0u8..61, 0u8..62)
            .prop_map(|(y, m, d, h, i, s)| format!("{y}-{m:02}-{d:02} {h:02}:{i:02}:{s:02}")),
        any::<i64>().prop_map(|n| n.to_string()),
    ];
    let strategy = (text, prop::sample::select(formats.to_vec()), prop::sample::select(zones.to_vec()));
    run(4_000, strategy, |(text, format, zone)| {
        let format: TimeFormat = format.parse().expect("a format");
        let zone: Zone = zone.parse().expect("a zone");
        if let Ok((micros, _)) = (TimeReader { format, zone }).read_by_clock(text.as_bytes()) {
            prop_assert!((946_684_800_000_000..4_102_444_800_000_000).contains(&micros), "{}", micros);
        }
        Ok(())
    });
}

/// A changed time is read as the same point in time however often, in our century, or not at all.
#[test]
fn any_changed_time_has_an_answer() {
    let formats = [
        "iso",
        "epoch_s",
        "epoch_ms",
        "epoch_us",
        "%m/%d/%Y %I:%M:%S %p",
        "%d.%m.%Y %H:%M",
        "%Y-%m-%d %I:%M:%S %p",
    ];
    let formats: Vec<TimeFormat> = formats.iter().map(|f| f.parse().expect("a format")).collect();
    let both = ["iso", "epoch_s", "%Y-%m-%d %I:%M:%S %p"].map(|f| f.parse().expect("a format"));
    let both = TimeFormat::any_of(both.to_vec()).expect("they cannot be confused");
    let zones = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"];
    let strategy = (changed(seed_lines("times.txt")), prop::sample::select(zones.to_vec()));
    run(2_000, strategy, |(text, zone)| {
        let zone: Zone = zone.parse().expect("a zone");
        let one = |format: &TimeFormat| TimeReader { format: format.clone(), zone }.read(&text);
        for format in &formats {
            if let Ok(micros) = one(format) {
                prop_assert!((946_684_800_000_000..4_102_444_800_000_000).contains(&micros), "{}", micros);
                let spaced = [b" ", text.as_slice(), b"\t"].concat();
                let again = TimeReader { format: format.clone(), zone }.read(&spaced);
                prop_assert_eq!(again, Ok(micros));
            }
        }
        // Formats that hold beside each other: what both read is one time.
        let read: Vec<i64> = both.all().iter().filter_map(|f| one(f).ok()).collect();
        prop_assert!(read.windows(2).all(|w| w[0] == w[1]), "{:?}", read);
        let found = one(&both);
        prop_assert_eq!(found.ok(), read.first().copied());
        Ok(())
    });
}

/// A changed amount is one number however it is spaced, its negative is its negative, or it is refused.
#[test]
fn any_changed_amount_has_an_answer() {
    let maps = ["{}", "{decimal: ',', thousands: '.'}", "{thousands: ','}", "{decimal: ',', thousands: ' '}"];
    let mappings: Vec<Mapping> = maps.iter().map(|map| mapping(map.as_bytes()).expect("a mapping")).collect();
    run(4_000, (changed(seed_lines("amounts.txt")), 0..mappings.len()), |(text, at)| {
        let side = mappings[at].side(Shape::Clicks);
        let read = |text: &[u8]| amount(text, side).map(|a| a.map(|a| (a.nano, a.mark)));
        let found = read(&text);
        prop_assert_eq!(&read(&[b" ", text.as_slice(), b" "].concat()), &found);
        if let Ok(Some((nano, mark))) = &found {
            prop_assert!(text.iter().any(u8::is_ascii_digit), "digits make a number");
            if text.trim_ascii().first().is_some_and(u8::is_ascii_digit) {
                let negative = read(&[b"-", text.trim_ascii()].concat());
                prop_assert_eq!(negative, Ok(Some((-*nano, *mark))));
            }
        }
        Ok(())
    });
}

/// The mapping of a mapping file; why it is none.
fn mapping(bytes: &[u8]) -> Result<Mapping, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("map.yaml");
    fs::write(&path, bytes).expect("a file in the folder");
    let told = |e: clickaudit::base::error::Error| e.message;
    let file = clickaudit::ingest::mapping::load(&path).map_err(told)?;
    Plan::new(&[], file.clone()).map_err(told)?;
    Mapping::build(None, Some(file)).map_err(told)
}

/// Whatever a mapping file holds: a mapping, or a message; neither a panic nor a hang.
#[test]
fn any_changed_mapping_has_an_answer() {
    let seeds = files("tests/corpus/mappings");
    let whole = seeds.iter().filter(|seed| mapping(seed).is_ok()).count();
    assert_eq!((whole, seeds.len()), (2, 3));
    run(200, changed(seeds), |bytes| {
        let started = Instant::now();
        let found = mapping(&bytes);
        prop_assert!(started.elapsed() < TOO_LONG, "it took {:?}", started.elapsed());
        if let Err(why) = found {
            prop_assert!(!why.trim().is_empty());
        }
        Ok(())
    });
}

/// So with the text of a preset: what is one can read files, and what is none says where its fault is.
#[test]
fn any_changed_preset_has_an_answer() {
    let seeds = files("src/ingest/presets");
    assert_eq!(seeds.len(), PRESETS.len());
    run(150, changed(seeds), |bytes| {
        let started = Instant::now();
        match preset::parse("changed", &String::from_utf8_lossy(&bytes)) {
            Ok(preset) => preset.exports.iter().for_each(|export| {
                if let Ok(mapping) = Mapping::of(&preset, Some(export), &MappingFile::default()) {
                    mapping.side(export.shape).found(&["click_id".to_owned(), String::new()]);
                }
            }),
            Err(why) => prop_assert!(why.contains("changed.yml"), "{}", why),
        }
        prop_assert!(started.elapsed() < TOO_LONG, "it took {:?}", started.elapsed());
        Ok(())
    });
}
