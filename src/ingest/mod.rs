//! Exports in, typed rows out: the intake.
//!
//! Text goes through one strict reader into Parquet, Parquet exports are scanned where they lie; either way
//! every row becomes typed columns or a reject with file, line and reason. Types come from the mapping,
//! never from inference.

mod brand;
pub mod columns;
pub mod detect;
pub mod enrich;
pub mod export;
pub mod fetched;
pub mod forget;
pub mod frames;
pub mod guard;
pub mod index;
mod json;
pub mod mapping;
mod network;
pub mod offers;
mod open;
mod parquet;
pub mod plan;
pub mod postback;
pub mod preset;
pub mod rates;
mod reject;
mod resume;
pub mod shelf;
pub mod sources;
pub mod stated;
mod stdin;
mod table;
mod text;
mod value;

pub use columns::{Field, KeySet, Noticed, Wanted, key};
pub use enrich::Enrichment;
pub use fetched::{Fetched, Known};
pub use guard::Guard;
pub use json::{Leaf, begins_object, leaves};
pub use mapping::{
    Mapping, MappingFile, Perspective, Shape, SideMapping, StatusMeans, Times, TransactionScope,
};
pub use network::address;
pub use offers::Offers;
pub use open::{Packer, Packing, packing};
pub use plan::{Plan, Reading};
pub use reject::{REASONS, Reason, Reject, Rejects};
pub use resume::{Past, stored};
pub use sources::Sources;
pub use stdin::{Spool, is_stdin, place, speaking};
pub use table::{Batch, Sample, Table};
pub use value::{amount, is_null, is_unexpanded_macro};

use crate::base::column::Col;
use crate::base::error::{Error, Result};
use crate::base::money::cost_parts;
use crate::base::time::{DAY, SECOND, Zone};
use columns::Layout;
use plan::Chosen;
use polars::prelude::DataFrame;
use postback::LogFacts;
use resume::Writers;
use shelf::Shelf;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use table::{Part, Place, Within};
use tempfile::TempDir;

/// The files of one audit, by shape; every entry is a path, a pattern, or `-` for stdin.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    pub files: BTreeMap<Shape, Vec<String>>,
    /// Reads Parquet in a process of its own, before this one does.
    pub guard: Guard,
    /// Logs of postbacks, which are conversions, too.
    pub postbacks: Vec<String>,
    /// What earlier runs kept, where the run remembers.
    pub shelf: Option<Shelf>,
    /// What was piped in, where it is kept already.
    pub stdin: Option<Rc<Spool>>,
    /// Rows that an engine handed over.
    pub fetched: Vec<Fetched>,
}

/// First and last value of each time column.
pub type Spans = BTreeMap<Col, (i64, i64)>;

/// What became of one file.
#[derive(Debug)]
pub struct FileLedger {
    pub path: PathBuf,
    pub shape: Shape,
    /// The mapping that read it, and where that came from.
    pub reading: Reading,
    /// BLAKE3 of the file's bytes, hexadecimal.
    pub digest: String,
    /// Rows read: used, rejected and duplicate.
    pub rows: u64,
    pub rejects: Rejects,
    /// The earlier file with the same bytes; this one's rows are all duplicates then.
    pub duplicate_of: Option<usize>,
    pub repeated_headers: u64,
    /// Lines that hold nothing; they are no rows.
    pub blank_lines: u64,
    pub noticed: Noticed,
    /// Of times without an offset.
    pub zone: Zone,
    /// First and last value of each time column.
    pub spans: Spans,
    /// The file ends inside a record.
    pub truncated: bool,
    /// The file has exactly as many rows as its exporter gives at most.
    pub at_export_limit: bool,
    /// What is told of a log of postbacks; `None` for any other file.
    pub log: Option<LogFacts>,
    /// Rows outside the window of the run; they are not among [`FileLedger::rows`].
    pub outside: u64,
}

/// All rows of an audit, typed, and what became of every file.
pub struct Intake {
    pub clicks: Table,
    pub conversions: Table,
    pub report: Table,
    pub costs: Table,
    /// Clicks and conversions stand in one row.
    pub combined: bool,
    pub files: Vec<FileLedger>,
    /// What holds for the whole run; how a file was read is in its ledger.
    pub mapping: Mapping,
    /// What the reader must know of how the files were read.
    pub notes: Vec<String>,
    /// The currency of all amounts, if any was declared or seen.
    pub currency: Option<String>,
    /// What a run that remembers knows besides.
    pub past: Option<Past>,
    /// What an engine knows of the clicks that did not come here.
    pub known: Option<Known>,
    folder: TempDir,
    guard: Guard,
    /// What was piped in; parts of the intake may lie there.
    stdin: Option<Rc<Spool>>,
}

impl Intake {
    /// First and last value of a time column over the files of this side: a conversion report that repeats
    /// its click times says nothing about which clicks are loaded.
    pub fn span(&self, col: Col) -> Option<(i64, i64)> {
        let of_side = |f: &&FileLedger| {
            col != Col::ClickTime || f.shape != Shape::Conversions || !self.has(Shape::Clicks)
        };
        let spans = self.files.iter().filter(of_side).filter_map(|f| f.spans.get(&col));
        let (first, last) = spans.copied().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
        let span = match self.limits(col) {
            Some(within) => (first.max(within.from), last.min(within.until - 1)),
            None => (first, last),
        };
        Some(span).filter(|(first, last)| first <= last)
    }

    /// Parts of a micro-unit that costs of clicks are in.
    pub fn cost_parts(&self) -> i64 {
        self.clicks.parts.first().map_or(1, |part| part.layout.cost_parts)
    }

    /// Lets only rows count that lie from one moment on and were there at another; both in UTC microseconds.
    pub fn within(&mut self, from: i64, until: i64) {
        let within = |cols| Some(Within { from, until, cols });
        self.clicks.within = within(&[Col::ClickTime]);
        self.conversions.within = within(&[Col::ConversionTime, Col::StatusTime]);
        self.report.within = within(&[Col::Day]);
        self.costs.within = within(&[Col::Day]);
    }

    /// The limits of the rows that a time column belongs to.
    fn limits(&self, col: Col) -> Option<Within> {
        match col {
            Col::ClickTime => self.clicks.within,
            Col::ConversionTime => self.conversions.within,
            Col::Day => self.report.within,
            _ => None,
        }
    }

    /// The newest row: of clicks and days, and of conversions as far as a click could have led to them; one that is
    /// dated years ahead must not make every click mature.
    pub fn newest(&self) -> Option<i64> {
        let days = self.span(Col::Day).filter(|_| self.has(Shape::Report)).map(|s| s.1 + DAY);
        let (clicks, conversions) = (self.span(Col::ClickTime), self.span(Col::ConversionTime));
        let window = (self.mapping.attribution_window_s * SECOND as f64) as i64;
        let latest = clicks.map_or(i64::MAX, |c| c.1.saturating_add(window));
        clicks.map(|c| c.1).max(conversions.map(|c| c.1.min(latest))).max(days)
    }

    /// Whether any file of this shape was given.
    pub fn has(&self, shape: Shape) -> bool {
        self.files.iter().any(|f| f.shape == shape)
    }
}

/// Reads all files into the intake, a folder in the system's temporary directory that goes with the value.
/// Of click exports it keeps `click_fields`; every field is checked.
///
/// # Errors
/// A file that is missing, damaged or lacks a needed column; several currencies without rates.
pub fn ingest(inputs: &Inputs, plan: &Plan, click_fields: &Wanted, threads: usize) -> Result<Intake> {
    let piped =
        inputs.files.values().flatten().chain(&inputs.postbacks).any(|path| is_stdin(Path::new(path)));
    let stdin = match &inputs.stdin {
        Some(kept) => Some(Rc::clone(kept)),
        None if piped => Some(Rc::new(Spool::fill()?)),
        None => None,
    };
    let before = inputs.shelf.as_ref().and_then(Shelf::currency);
    let plan = &match before.filter(|_| plan.currency().is_none()) {
        Some(code) => plan.clone().in_currency(code),
        None => plan.clone(),
    };
    let mut intake = read(inputs, plan, click_fields, threads, stdin.clone())?;
    if plan.currency().is_none() && !plan.keeps_currencies() {
        match currency(&intake.files)? {
            Currency::Agreed(None) => {}
            Currency::Agreed(Some(code)) if cost_parts(Some(&code)) == cost_parts(None) => {
                intake.currency = Some(code);
            }
            // Strays must be told from the rest, and amounts kept at the scale of their currency.
            Currency::Agreed(Some(code)) | Currency::Prevailing(code) => {
                intake = read(inputs, &plan.clone().in_currency(&code), click_fields, threads, stdin)?;
            }
        }
    }
    intake.currency = intake.currency.or(intake.mapping.currency.clone());
    Ok(intake)
}

/// Reads one file as it stands there, for who only looks at it: amounts of several currencies stay what they
/// are, and nothing may be added up.
///
/// # Errors
/// A file that is missing, damaged or lacks a needed column.
pub fn unsettled(inputs: &Inputs, plan: &Plan, threads: usize) -> Result<Intake> {
    read(inputs, plan, &Wanted::Everything, threads, inputs.stdin.clone())
}

/// An export as it was named, and how it is read.
struct Named {
    path: PathBuf,
    shape: Shape,
    reading: Reading,
    headers: Vec<String>,
    /// It is a log of postbacks.
    log: bool,
}

impl Named {
    fn chosen(&self) -> Chosen<'_> {
        Chosen { path: &self.path, shape: self.shape, reading: &self.reading }
    }
}

/// Where the rows of one export are written.
struct Target {
    rows: PathBuf,
    /// Its clicks by the hash of their ID.
    index: Option<PathBuf>,
    /// The files outlast the run.
    lasting: bool,
    /// So many rows may stay in memory in place of a file; `None` if there must be one.
    held: Option<usize>,
}

/// So many rows of all exports together may stay in memory: what is written to be read again a moment later costs a
/// small audit a tenth of its time.
const HELD_ROWS: usize = 1 << 16;

fn read(
    inputs: &Inputs,
    plan: &Plan,
    click_fields: &Wanted,
    threads: usize,
    stdin: Option<Rc<Spool>>,
) -> Result<Intake> {
    let named = named(inputs, plan, stdin.as_deref())?;
    let mut intake = Intake {
        clicks: Table::default(),
        conversions: Table::default(),
        report: Table::default(),
        costs: Table::default(),
        combined: false,
        files: Vec::new(),
        mapping: plan.settle(&[])?,
        notes: Vec::new(),
        currency: None,
        past: None,
        known: None,
        folder: folder()?,
        guard: inputs.guard.clone(),
        stdin,
    };
    if let Some(shelf) = &inputs.shelf {
        resume::read(&mut intake, shelf, plan, &named, threads)?;
        return Ok(intake);
    }
    let own = |fetched: &Fetched| fetched.reading(plan);
    let own: Vec<Reading> = inputs.fetched.iter().map(own).collect::<Result<_>>()?;
    let mut chosen: Vec<Chosen> = named.iter().map(Named::chosen).collect();
    for (fetched, reading) in inputs.fetched.iter().zip(&own) {
        chosen.push(Chosen { path: Path::new(&fetched.name), shape: fetched.shape, reading });
    }
    intake.mapping = plan.settle(&chosen)?;
    intake.notes = chosen.iter().flat_map(Chosen::notes).collect();
    for one in &named {
        let added = intake.add(one, click_fields, threads);
        added.map_err(|e| speaking(intake.stdin.as_deref(), e))?;
    }
    for (fetched, reading) in inputs.fetched.iter().zip(&own) {
        intake.add_fetched(fetched, reading)?;
    }
    Ok(intake)
}

/// All inputs and how each is read, before any of them is: exports, then logs.
fn named(inputs: &Inputs, plan: &Plan, stdin: Option<&Spool>) -> Result<Vec<Named>> {
    let mut files = Vec::new();
    for (&shape, patterns) in &inputs.files {
        for path in expand(patterns)? {
            let place = place(stdin, &path);
            let headers = headers(place, plan.delimiter(shape)?, &inputs.guard);
            let headers = headers.map_err(|e| speaking(stdin, e))?;
            let reading = plan.reading(&path, shape, &headers)?;
            files.push(Named { path, shape, reading, headers, log: false });
        }
    }
    for path in expand(&inputs.postbacks)? {
        let reading = plan.log()?;
        files.push(Named { path, shape: Shape::Conversions, reading, headers: Vec::new(), log: true });
    }
    Ok(files)
}

/// The header of a file; with a separator, if one is declared.
///
/// # Errors
/// The file cannot be read, or has no header.
pub fn headers(path: &Path, delimiter: Option<u8>, guard: &Guard) -> Result<Vec<String>> {
    match open::packing(path)? {
        Packing::Parquet => guard.try_reading(path, &[]).and_then(|()| parquet::headers(path)),
        packing => text::headers(path, packing, delimiter),
    }
}

/// The header of a file and its first rows as they stand there; with a separator, if one is declared.
///
/// # Errors
/// The file cannot be read, or has no header.
pub fn sample(path: &Path, delimiter: Option<u8>, guard: &Guard, rows: usize) -> Result<Sample> {
    match open::packing(path)? {
        Packing::Parquet => {
            let all: Vec<usize> = (0..headers(path, delimiter, guard)?.len()).collect();
            guard.try_reading(path, &all).and_then(|()| parquet::sample(path, rows))
        }
        packing => text::sample(path, packing, delimiter, rows),
    }
}

/// The unpacked bytes of a text export.
///
/// # Errors
/// It cannot be opened.
pub fn unpacked(path: &Path, packing: Packing) -> Result<Box<dyn Read + Send>> {
    open::text(path, packing, &open::Digest::default())
}

/// The separator of a text export, `None` where its lines are JSON objects, and the names of its fields.
///
/// # Errors
/// It cannot be read, or has no header.
pub fn layout_of(path: &Path, packing: Packing, declared: Option<u8>) -> Result<(Option<u8>, Vec<String>)> {
    text::layout_of(path, packing, declared)
}

/// A folder of this run's own that nobody else can read.
fn folder() -> Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("clickaudit-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir().map_err(|e| {
        let parent = std::env::temp_dir();
        Error::output(format!("cannot write to the temporary folder {}", parent.display()))
            .because(e)
            .help("set TMPDIR to a folder with room for the typed rows")
    })
}

/// The files that paths and patterns name, sorted, each once.
///
/// # Errors
/// A pattern that is none, or that no file fits.
pub fn expand(patterns: &[String]) -> Result<BTreeSet<PathBuf>> {
    let mut paths = BTreeSet::new();
    for pattern in patterns {
        let literal = Path::new(pattern);
        if is_stdin(literal) || literal.exists() || !pattern.contains(['*', '?', '[']) {
            paths.insert(literal.to_owned());
            continue;
        }
        let matches = glob::glob(pattern)
            .map_err(|e| Error::usage(format!("`{pattern}` is no file pattern")).because(e))?;
        let found: Vec<PathBuf> = matches.filter_map(std::result::Result::ok).collect();
        if found.is_empty() {
            return Err(Error::input(format!("no file fits the pattern {pattern}"))
                .help("check the folder and the name"));
        }
        paths.extend(found);
    }
    Ok(paths)
}

/// What the currency columns say.
enum Currency {
    /// All rows have one, or none at all.
    Agreed(Option<String>),
    /// Nearly all rows have this one; the rest cannot be added to it.
    Prevailing(String),
}

/// One row in a hundred in another currency is a stray postback; more are a second currency.
const STRAY_SHARE: u64 = 100;

fn currency(files: &[FileLedger]) -> Result<Currency> {
    let mut rows: BTreeMap<&str, u64> = BTreeMap::new();
    for (code, count) in files.iter().flat_map(|f| &f.noticed.currencies) {
        *rows.entry(code).or_default() += count;
    }
    let all: u64 = rows.values().sum();
    let Some((&code, &most)) = rows.iter().max_by_key(|(_, count)| **count) else {
        return Ok(Currency::Agreed(None));
    };
    match (all - most) * STRAY_SHARE {
        0 => Ok(Currency::Agreed(Some(code.to_owned()))),
        strays if strays <= all => Ok(Currency::Prevailing(code.to_owned())),
        _ => {
            let codes: Vec<String> =
                rows.keys().take(10).map(|c| crate::base::text::Text::new(*c).term(8)).collect();
            Err(Error::input(format!("the amounts are in several currencies: {}", codes.join(", ")))
                .help("say which one to report in with --currency, and what the others are worth with --rates FILE (the European Central Bank's table, or date,currency,rate) or with `rates:` in the mapping"))
        }
    }
}

impl Intake {
    fn add(&mut self, named: &Named, click_fields: &Wanted, threads: usize) -> Result<()> {
        let file = self.files.len();
        let kind = if named.log { "postbacks" } else { named.shape.word() };
        let rows = self.folder.path().join(format!("{file:04}-{kind}.parquet"));
        let wanted = if named.shape == Shape::Clicks { click_fields } else { &Wanted::Everything };
        let held = Some(HELD_ROWS.saturating_sub(self.held()));
        let target = Target { rows, index: None, lasting: false, held };
        let (ledger, layout) = self.read_file(named, wanted, threads, &target)?;
        let part = layout.map(|(layout, place)| {
            let path = if place.is_export() { self.place(&named.path) } else { &target.rows };
            Part { path: path.to_owned(), layout, place, file, rows: None }
        });
        self.keep(ledger, part);
        self.combined |= named.shape == Shape::Combined;
        Ok(())
    }

    /// How many rows are held in memory.
    fn held(&self) -> usize {
        let tables = [&self.clicks, &self.conversions, &self.report, &self.costs];
        tables.iter().flat_map(|table| &table.parts).map(|part| part.place.held()).sum()
    }

    /// Where the bytes of an input are.
    fn place<'p>(&'p self, path: &'p Path) -> &'p Path {
        stdin::place(self.stdin.as_deref(), path)
    }

    /// Reads one input. Its layout is there if it has a usable row, with whether it is scanned where it lies.
    fn read_file(
        &self,
        named: &Named,
        wanted: &Wanted,
        threads: usize,
        target: &Target,
    ) -> Result<(FileLedger, Option<(Layout, Place)>)> {
        let ledger = FileLedger::new(&named.path, named.shape, &named.reading);
        let packing = open::packing(self.place(&named.path))?;
        let (mut ledger, layout, place) = match packing {
            _ if named.log => self.read_log(ledger, packing, target)?,
            Packing::Parquet => self.read_parquet(ledger, target)?,
            packing => self.read_text(ledger, packing, wanted, threads, target)?,
        };
        if !named.log {
            ledger.at_export_limit = named.reading.mapping.export_limits.contains(&ledger.rows);
        }
        let any = ledger.rows > ledger.rejects.total();
        Ok((ledger, any.then_some((layout, place))))
    }

    fn table(&mut self, shape: Shape) -> &mut Table {
        match shape {
            Shape::Clicks | Shape::Combined => &mut self.clicks,
            Shape::Conversions => &mut self.conversions,
            Shape::Report => &mut self.report,
            Shape::Costs => &mut self.costs,
        }
    }

    fn read_text(
        &self,
        mut ledger: FileLedger,
        packing: Packing,
        wanted: &Wanted,
        threads: usize,
        target: &Target,
    ) -> Result<(FileLedger, Layout, Place)> {
        let shape = ledger.shape;
        let mut keys = BTreeSet::new();
        let (place, mapping) = (self.place(&ledger.path), &ledger.reading.mapping);
        let (summary, layout, seen, writers) = loop {
            let mut writers = Writers::new(target);
            let mut seen = Spans::new();
            let mut write = |frame: &DataFrame| {
                see(&mut seen, frame);
                writers.write(frame)
            };
            let (summary, layout) =
                text::read(place, packing, shape, mapping, wanted, threads, &keys, &mut write)?;
            if summary.late_keys.is_subset(&keys) {
                break (summary, layout, seen, writers);
            }
            keys.extend(summary.late_keys);
        };
        ledger.spans = seen;
        ledger.digest = summary.digest;
        ledger.zone = layout.side.time.zone;
        ledger.rows = summary.rows;
        ledger.rejects = summary.rejects;
        ledger.noticed = summary.noticed;
        ledger.truncated = summary.truncated;
        ledger.repeated_headers = summary.repeated_headers;
        ledger.blank_lines = summary.blank_lines;
        Ok((ledger, layout, writers.finish()?))
    }

    /// A log of postbacks: its lines are conversions or rejects.
    fn read_log(
        &self,
        mut ledger: FileLedger,
        packing: Packing,
        target: &Target,
    ) -> Result<(FileLedger, Layout, Place)> {
        let mut writers = Writers::new(target);
        let mut seen = Spans::new();
        let mut write = |frame: &DataFrame| {
            see(&mut seen, frame);
            writers.write(frame)
        };
        let place = self.place(&ledger.path);
        let (summary, layout) = postback::read(place, packing, &ledger.reading.mapping, &mut write)?;
        let text = summary.text;
        ledger.spans = seen;
        (ledger.digest, ledger.rows, ledger.rejects) = (text.digest, text.rows, text.rejects);
        ledger.noticed = text.noticed;
        ledger.blank_lines = text.blank_lines;
        ledger.log = Some(summary.facts);
        Ok((ledger, layout, writers.finish()?))
    }

    /// Takes a file that was read; one with the bytes of an earlier one counts once.
    fn keep(&mut self, ledger: FileLedger, part: Option<Part>) {
        let shape = ledger.shape;
        let same = self.files.iter().position(|f| f.shape == shape && f.digest == ledger.digest);
        match same {
            Some(same) => self.files.push(self.files[same].again(&ledger.path, same)),
            None => {
                self.files.push(ledger);
                self.table(shape).parts.extend(part);
            }
        }
    }

    /// A Parquet export: scanned where it lies, or kept where the rows outlast the run.
    fn read_parquet(&self, mut ledger: FileLedger, target: &Target) -> Result<(FileLedger, Layout, Place)> {
        let path = self.place(&ledger.path).to_owned();
        let layout = parquet::layout(&path, ledger.shape, &ledger.reading.mapping)?;
        self.guard.try_reading(&path, &layout.places.values().copied().collect::<Vec<_>>())?;
        let mut writers = target.lasting.then(|| Writers::new(target));
        let (digest, summary) = std::thread::scope(|scope| {
            let digest = scope.spawn(|| open::digest(&path));
            let spans = &mut ledger.spans;
            let summary = match &mut writers {
                Some(writers) => parquet::read(&path, &layout, &mut |frame| {
                    see(spans, frame);
                    writers.write(frame)
                }),
                None => parquet::validate(&path, &layout, &mut |frame| see(spans, frame)),
            };
            (digest.join(), summary)
        });
        let summary = summary?;
        let place = writers.map_or(Ok(Place::Export), Writers::finish)?;
        ledger.zone = layout.side.time.zone;
        ledger.digest = digest.map_err(|_| Error::input("internal: a digest stopped"))??.hex();
        ledger.rows = summary.rows;
        ledger.rejects = summary.rejects;
        ledger.noticed = summary.noticed;
        Ok((ledger, layout, place))
    }
}

impl FileLedger {
    fn new(path: &Path, shape: Shape, reading: &Reading) -> FileLedger {
        FileLedger {
            path: path.to_owned(),
            shape,
            reading: reading.clone(),
            digest: String::new(),
            rows: 0,
            rejects: Rejects::default(),
            duplicate_of: None,
            repeated_headers: 0,
            blank_lines: 0,
            noticed: Noticed::default(),
            zone: Zone::UTC,
            spans: BTreeMap::new(),
            truncated: false,
            at_export_limit: false,
            log: None,
            outside: 0,
        }
    }

    /// The ledger of a second file with the same bytes.
    fn again(&self, path: &Path, same: usize) -> FileLedger {
        FileLedger {
            rows: self.rows,
            duplicate_of: Some(same),
            digest: self.digest.clone(),
            ..FileLedger::new(path, self.shape, &self.reading)
        }
    }
}

/// Widens the spans by the times of a frame.
fn see(spans: &mut Spans, frame: &DataFrame) {
    for col in [Col::ClickTime, Col::ConversionTime, Col::Day] {
        let Ok(column) = frame.column(&Field::Value(col).name()) else { continue };
        let physical = column.as_materialized_series().to_physical_repr().into_owned();
        let Ok(values) = physical.i64() else { continue };
        let Some((low, high)) = values.iter().flatten().fold(None, widened) else { continue };
        let span = spans.entry(col).or_insert((low, high));
        *span = (span.0.min(low), span.1.max(high));
    }
}

fn widened(span: Option<(i64, i64)>, value: i64) -> Option<(i64, i64)> {
    Some(span.map_or((value, value), |(low, high)| (low.min(value), high.max(value))))
}
