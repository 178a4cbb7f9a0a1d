//! Exports in, typed rows out: the intake.
//!
//! Text goes through one strict reader into Parquet, Parquet exports are scanned where they lie; either way
//! every row becomes typed columns or a reject with file, line and reason. Types come from the mapping,
//! never from inference.

mod brand;
pub mod columns;
pub mod export;
pub mod mapping;
mod network;
mod open;
mod parquet;
mod reject;
mod table;
mod text;
mod value;

pub use columns::{Field, Wanted, key};
pub use mapping::{Mapping, Perspective, Shape, StatusMeans, TransactionScope};
pub use reject::{REASONS, Reason, Reject, Rejects};
pub use table::{Batch, Table};
pub use value::is_unexpanded_macro;

use crate::base::column::Col;
use crate::base::error::{Error, Result};
use open::Packing;
use parquet::IntakeWriter;
use polars::prelude::DataFrame;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use table::Part;
use tempfile::TempDir;

/// The files of one audit, by shape; every entry is a path or a pattern.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    pub files: BTreeMap<Shape, Vec<String>>,
}

/// What became of one file.
#[derive(Debug)]
pub struct FileLedger {
    pub path: PathBuf,
    pub shape: Shape,
    /// BLAKE3 of the file's bytes, hexadecimal.
    pub digest: String,
    /// Rows read: used, rejected and duplicate.
    pub rows: u64,
    pub rejects: Rejects,
    /// The earlier file with the same bytes; this one's rows are all duplicates then.
    pub duplicate_of: Option<usize>,
    pub repeated_headers: u64,
    pub currencies: BTreeMap<String, u64>,
    /// First and last value of each time column.
    pub spans: BTreeMap<Col, (i64, i64)>,
    /// The file ends inside a record.
    pub truncated: bool,
    /// The file has exactly as many rows as its exporter gives at most.
    pub at_export_limit: bool,
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
    pub mapping: Mapping,
    /// The currency of all amounts, if any was declared or seen.
    pub currency: Option<String>,
    folder: TempDir,
}

impl Intake {
    /// First and last value of a time column over the files of this side: a conversion report that repeats
    /// its click times says nothing about which clicks are loaded.
    pub fn span(&self, col: Col) -> Option<(i64, i64)> {
        let of_side = |f: &&FileLedger| {
            col != Col::ClickTime || f.shape != Shape::Conversions || !self.has(Shape::Clicks)
        };
        let spans = self.files.iter().filter(of_side).filter_map(|f| f.spans.get(&col));
        spans.copied().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
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
pub fn ingest(inputs: &Inputs, mapping: Mapping, click_fields: &Wanted, threads: usize) -> Result<Intake> {
    let mut intake = read(inputs, mapping, click_fields, threads)?;
    if intake.mapping.currency.is_none() {
        match currency(&intake.files)? {
            Currency::Agreed(code) => intake.currency = code,
            Currency::Prevailing(code) => {
                let mut mapping = intake.mapping;
                mapping.currency = Some(code);
                intake = read(inputs, mapping, click_fields, threads)?;
            }
        }
    }
    intake.currency = intake.currency.or(intake.mapping.currency.clone());
    Ok(intake)
}

fn read(inputs: &Inputs, mapping: Mapping, click_fields: &Wanted, threads: usize) -> Result<Intake> {
    let mut intake = Intake {
        clicks: Table::default(),
        conversions: Table::default(),
        report: Table::default(),
        costs: Table::default(),
        combined: false,
        files: Vec::new(),
        mapping,
        currency: None,
        folder: folder()?,
    };
    for (&shape, patterns) in &inputs.files {
        for path in expand(patterns)? {
            intake.add(&path, shape, click_fields, threads)?;
        }
    }
    Ok(intake)
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
fn expand(patterns: &[String]) -> Result<BTreeSet<PathBuf>> {
    let mut paths = BTreeSet::new();
    for pattern in patterns {
        let literal = Path::new(pattern);
        if literal.exists() || !pattern.contains(['*', '?', '[']) {
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
    for (code, count) in files.iter().flat_map(|f| &f.currencies) {
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
                .help("say which one to report in with --currency, and give `rates:` in the mapping"))
        }
    }
}

impl Intake {
    fn add(&mut self, path: &Path, shape: Shape, click_fields: &Wanted, threads: usize) -> Result<()> {
        let packing = open::packing(path)?;
        let file = self.files.len();
        let wanted = if shape == Shape::Clicks { click_fields } else { &Wanted::Everything };
        let (mut ledger, part) = match packing {
            Packing::Parquet => self.add_parquet(path, shape, file)?,
            _ => self.add_text(path, shape, packing, wanted, threads)?,
        };
        let same = self.files.iter().position(|f| f.shape == shape && f.digest == ledger.digest);
        if let Some(same) = same {
            self.files.push(self.files[same].again(path, same));
            return Ok(());
        }
        ledger.at_export_limit = self.mapping.export_limits.contains(&ledger.rows);
        self.files.push(ledger);
        self.table(shape).parts.extend(part);
        self.combined |= shape == Shape::Combined;
        Ok(())
    }

    fn table(&mut self, shape: Shape) -> &mut Table {
        match shape {
            Shape::Clicks | Shape::Combined => &mut self.clicks,
            Shape::Conversions => &mut self.conversions,
            Shape::Report => &mut self.report,
            Shape::Costs => &mut self.costs,
        }
    }

    fn add_text(
        &self,
        path: &Path,
        shape: Shape,
        packing: Packing,
        wanted: &Wanted,
        threads: usize,
    ) -> Result<(FileLedger, Option<Part>)> {
        let file = self.files.len();
        let target = self.folder.path().join(format!("{file:04}-{}.parquet", shape.word()));
        let mut writer = IntakeWriter::new(target.clone());
        let mut ledger = FileLedger::new(path, shape);
        let mut write = |frame: &DataFrame| {
            ledger.see(frame);
            writer.write(frame)
        };
        let (summary, layout) = text::read(path, packing, shape, &self.mapping, wanted, threads, &mut write)?;
        ledger.digest = summary.digest;
        ledger.rows = summary.rows;
        ledger.rejects = summary.rejects;
        ledger.currencies = summary.currencies;
        ledger.truncated = summary.truncated;
        ledger.repeated_headers = summary.repeated_headers;
        let any = writer.finish()? && ledger.rows > ledger.rejects.total();
        Ok((ledger, any.then_some(Part { path: target, layout, direct: false, file })))
    }

    fn add_parquet(&self, path: &Path, shape: Shape, file: usize) -> Result<(FileLedger, Option<Part>)> {
        let layout = parquet::layout(path, shape, &self.mapping)?;
        let mut ledger = FileLedger::new(path, shape);
        let (digest, summary) = std::thread::scope(|scope| {
            let digest = scope.spawn(|| open::digest(path));
            let summary = parquet::validate(path, &layout, &mut |frame| ledger.see(frame));
            (digest.join(), summary)
        });
        let summary = summary?;
        ledger.digest = digest.map_err(|_| Error::input("internal: a digest stopped"))??.hex();
        ledger.rows = summary.rows;
        ledger.rejects = summary.rejects;
        ledger.currencies = summary.currencies;
        let any = ledger.rows > ledger.rejects.total();
        Ok((ledger, any.then_some(Part { path: path.to_owned(), layout, direct: true, file })))
    }
}

impl FileLedger {
    fn new(path: &Path, shape: Shape) -> FileLedger {
        FileLedger {
            path: path.to_owned(),
            shape,
            digest: String::new(),
            rows: 0,
            rejects: Rejects::default(),
            duplicate_of: None,
            repeated_headers: 0,
            currencies: BTreeMap::new(),
            spans: BTreeMap::new(),
            truncated: false,
            at_export_limit: false,
        }
    }

    /// The ledger of a second file with the same bytes.
    fn again(&self, path: &Path, same: usize) -> FileLedger {
        FileLedger {
            rows: self.rows,
            duplicate_of: Some(same),
            digest: self.digest.clone(),
            ..FileLedger::new(path, self.shape)
        }
    }

    /// Widens the spans by the times of a frame.
    fn see(&mut self, frame: &DataFrame) {
        for col in [Col::ClickTime, Col::ConversionTime, Col::Day] {
            let Ok(column) = frame.column(&Field::Value(col).name()) else { continue };
            let physical = column.as_materialized_series().to_physical_repr().into_owned();
            let Ok(values) = physical.i64() else { continue };
            let Some((low, high)) = values.iter().flatten().fold(None, widened) else { continue };
            let span = self.spans.entry(col).or_insert((low, high));
            *span = (span.0.min(low), span.1.max(high));
        }
    }
}

fn widened(span: Option<(i64, i64)>, value: i64) -> Option<(i64, i64)> {
    Some(span.map_or((value, value), |(low, high)| (low.min(value), high.max(value))))
}
