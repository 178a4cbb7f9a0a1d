//! Reading the intake back: batches of the wanted columns, in the order of the rows.
//!
//! Text exports were written to Parquet; Parquet exports are scanned where they lie and their rows typed on
//! the way by the same rules. Later stages do not see the difference.

use super::columns::{Field, KeySet, Layout, key};
use super::{Spans, parquet};
use crate::base::column::Col;
use crate::base::error::{Error, Result};
use polars::prelude::*;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

/// Rows of one batch, at most.
const BATCH: usize = 1 << 15;

/// The first rows of an export as they stand there.
pub struct Sample {
    pub headers: Vec<String>,
    /// The text of each field, empty where a row says nothing.
    pub rows: Vec<Vec<String>>,
}

/// One file of the intake.
#[derive(Clone)]
pub struct Part {
    pub path: PathBuf,
    pub layout: Layout,
    pub place: Place,
    /// Index of the file in the ledger.
    pub file: usize,
    /// The rows that a run looks at, if not all of them.
    pub rows: Option<Rows>,
}

/// Where the rows of a part are.
#[derive(Clone)]
pub enum Place {
    /// In the Parquet export itself, and typed on the way.
    Export,
    /// Typed, in a file of the intake.
    Intake,
    /// Typed, and so few that no file was worth its while.
    Memory(DataFrame),
}

impl Place {
    /// Whether the rows are typed on every scan.
    pub fn is_export(&self) -> bool {
        matches!(self, Place::Export)
    }

    /// How many rows are held in memory.
    pub fn held(&self) -> usize {
        if let Place::Memory(frame) = self { frame.height() } else { 0 }
    }
}

/// The rows of a file whose time in a column lies between two, the second excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    pub col: Col,
    pub from: i64,
    pub until: i64,
}

impl Rows {
    fn predicate(&self) -> Expr {
        let time = || col(Field::Value(self.col).name()).cast(DataType::Int64);
        time().gt_eq(lit(self.from)).and(time().lt(lit(self.until)))
    }
}

/// Moments between which rows count: from the first on by the first of the columns, and before the second by all of
/// them. A row without such a time stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Within {
    pub from: i64,
    pub until: i64,
    pub cols: &'static [Col],
}

/// All rows of one side.
#[derive(Default)]
pub struct Table {
    pub parts: Vec<Part>,
    /// Only rows within these moments count.
    pub within: Option<Within>,
}

/// Some rows of one part, with the wanted columns that the part has.
pub struct Batch<'a> {
    pub frame: DataFrame,
    pub part: &'a Part,
}

impl<'a> Batch<'a> {
    /// The rows that lie within two moments.
    fn within(&self, within: &Within) -> Result<Batch<'a>> {
        let times: Vec<Int64Chunked> = within.cols.iter().filter_map(|c| self.integers(*c)).collect();
        let first = within.cols.first().and_then(|c| self.integers(*c));
        let begun = |row: usize| {
            first.as_ref().and_then(|times| times.get(row)).is_none_or(|time| time >= within.from)
        };
        let over = |row: usize| times.iter().any(|t| t.get(row).is_some_and(|time| time >= within.until));
        let kept = |row: usize| begun(row) && !over(row);
        let mask: BooleanChunked = (0..self.len()).map(|row| Some(kept(row))).collect();
        let failed = |e: PolarsError| Error::input("cannot take the rows of some days").because(e);
        Ok(Batch { frame: self.frame.filter(&mask).map_err(failed)?, part: self.part })
    }
}

impl Batch<'_> {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.frame.height()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values of an integer column, if the part has it.
    pub fn integers(&self, col: Col) -> Option<Int64Chunked> {
        let column = self.frame.column(&Field::Value(col).name()).ok()?;
        let physical = column.as_materialized_series().to_physical_repr().into_owned();
        physical.i64().ok().cloned()
    }

    /// The text of a column, if the part has it.
    pub fn texts(&self, col: Col) -> Option<&StringChunked> {
        self.frame.column(&Field::Value(col).name()).ok()?.as_materialized_series().str().ok()
    }

    /// A yes-or-no column, if the part has it.
    pub fn flags(&self, field: Field) -> Option<&BooleanChunked> {
        self.frame.column(&field.name()).ok()?.as_materialized_series().bool().ok()
    }

    /// The 64-bit keys of a column or of whole rows, if the part has them.
    pub fn keys(&self, field: Field) -> Option<&UInt64Chunked> {
        self.frame.column(&field.name()).ok()?.as_materialized_series().u64().ok()
    }
}

impl Table {
    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Some of its parts, by their places.
    pub fn of_parts(&self, places: impl IntoIterator<Item = usize>) -> Table {
        let parts = places.into_iter().map(|at| self.parts[at].clone()).collect();
        Table { parts, within: self.within }
    }

    /// The rows of one part from a moment on, by a column; the part has no other limits.
    pub fn of_part_from(&self, place: usize, col: Col, from: i64) -> Table {
        let rows = Some(Rows { col, from, until: i64::MAX });
        Table { parts: vec![Part { rows, ..self.parts[place].clone() }], within: self.within }
    }

    /// The rows that are older than those that count; `None` where nothing is too old.
    pub fn older(&self) -> Option<Table> {
        let within = self.within.filter(|within| within.from > i64::MIN)?;
        let within = Within { from: i64::MIN, until: within.from, cols: &within.cols[..1] };
        Some(Table { parts: self.parts.clone(), within: Some(within) })
    }

    /// The canonical columns that at least one part has.
    pub fn columns(&self) -> BTreeSet<Col> {
        self.parts.iter().flat_map(|p| p.layout.columns()).collect()
    }

    /// Hands all rows to `each`, batch by batch, with those of `fields` that the part has; with `only`, just
    /// the rows whose key of that column is among them.
    ///
    /// # Errors
    /// A part that cannot be read, or what `each` returns.
    pub fn scan<'t>(
        &'t self,
        fields: &[Field],
        only: Option<(Col, &Arc<KeySet>)>,
        each: &mut dyn FnMut(&Batch<'t>) -> Result<()>,
    ) -> Result<()> {
        let Some(within) = &self.within else {
            return self.parts.iter().try_for_each(|part| part.scan(fields, only, each));
        };
        let mut wanted = fields.to_vec();
        let times = within.cols.iter().map(|c| Field::Value(*c)).filter(|field| !fields.contains(field));
        wanted.extend(times);
        self.parts.iter().try_for_each(|part| {
            part.scan(&wanted, only, &mut |batch| {
                let batch = batch.within(within)?;
                if batch.is_empty() { Ok(()) } else { each(&batch) }
            })
        })
    }
}

impl Part {
    fn scan<'t>(
        &'t self,
        fields: &[Field],
        only: Option<(Col, &Arc<KeySet>)>,
        each: &mut dyn FnMut(&Batch<'t>) -> Result<()>,
    ) -> Result<()> {
        let Some(plan) = self.plan(fields, only)? else { return Ok(()) };
        stream(plan, &self.path, &mut |raw| {
            let frame = if self.place.is_export() {
                parquet::canonical(&raw, &self.layout, fields)?.frame
            } else {
                raw
            };
            if frame.height() == 0 { Ok(()) } else { each(&Batch { frame, part: self }) }
        })
    }

    /// The scan of the columns needed; `None` if `only` asks for keys that the part does not have.
    fn plan(&self, fields: &[Field], only: Option<(Col, &Arc<KeySet>)>) -> Result<Option<LazyFrame>> {
        let mut plan = match &self.place {
            Place::Memory(frame) => frame.clone().lazy(),
            Place::Export | Place::Intake => open(&self.path)?,
        };
        if let Some(rows) = &self.rows {
            plan = plan.filter(rows.predicate());
        }
        if let Some((column, keys)) = only {
            let Some(predicate) = self.has_key(column, keys.clone()) else { return Ok(None) };
            plan = plan.filter(predicate);
        }
        let names: BTreeSet<PlSmallStr> = if self.place.is_export() {
            parquet::needed(&mut plan, &self.layout, fields)?
        } else {
            fields.iter().filter(|f| self.layout.has(**f)).map(|f| f.name()).collect()
        };
        let columns: Vec<Expr> = names.into_iter().map(col).collect();
        Ok(Some(plan.select(columns)))
    }

    fn has_key(&self, column: Col, keys: Arc<KeySet>) -> Option<Expr> {
        if !self.layout.has(Field::Key(column)) {
            return None;
        }
        Some(if self.place.is_export() {
            let name = self.layout.header_of(column)?;
            col(name).cast(DataType::String).map(
                move |c| {
                    let found = |t: Option<&str>| Some(t.is_some_and(|t| keys.contains(&key(t.as_bytes()))));
                    let mask: BooleanChunked = c.as_materialized_series().str()?.iter().map(found).collect();
                    Ok(mask.with_name(c.name().clone()).into_column())
                },
                boolean,
            )
        } else {
            among(Field::Key(column), keys)
        })
    }
}

/// Whether the key in a column of the intake is among some.
pub fn among(field: Field, keys: Arc<KeySet>) -> Expr {
    col(field.name()).map(
        move |c| {
            let found = |k: Option<u64>| Some(k.is_some_and(|k| keys.contains(&k)));
            let mask: BooleanChunked = c.as_materialized_series().u64()?.iter().map(found).collect();
            Ok(mask.with_name(c.name().clone()).into_column())
        },
        boolean,
    )
}

fn boolean(_: &Schema, field: &polars::prelude::Field) -> PolarsResult<polars::prelude::Field> {
    Ok(polars::prelude::Field::new(field.name().clone(), DataType::Boolean))
}

/// How many rows of a file of the intake are among some, and first and last value of its time columns there.
///
/// # Errors
/// The file cannot be read.
pub fn count(path: &Path, rows: &Rows, times: &[Col]) -> Result<(u64, Spans)> {
    let named = times.iter().map(|c| col(Field::Value(*c).name()).cast(DataType::Int64));
    let plan = open(path)?.filter(rows.predicate()).select(named.collect::<Vec<_>>());
    let (mut inside, mut spans) = (0, Spans::new());
    stream(plan, path, &mut |frame| {
        inside += frame.height() as u64;
        super::see(&mut spans, &frame);
        Ok(())
    })?;
    Ok((inside, spans))
}

/// A lazy scan of one Parquet file, its path taken literally.
///
/// # Errors
/// The path is not UTF-8, or the file no Parquet.
pub fn open(path: &Path) -> Result<LazyFrame> {
    let text = path.to_str().ok_or_else(|| Error::input(format!("{} is not UTF-8", path.display())))?;
    let args = ScanArgsParquet { glob: false, cache: false, ..Default::default() };
    LazyFrame::scan_parquet(PlRefPath::new(text), args).map_err(|e| failed(path, e))
}

/// An error of the engine, with the path.
pub fn failed(path: &Path, cause: PolarsError) -> Error {
    Error::input(format!("cannot read {}", path.display()))
        .because(cause)
        .help("export or copy the file again")
}

/// Runs a plan with the streaming engine and hands its batches, in order, to `each` on this thread.
pub fn stream(plan: LazyFrame, path: &Path, each: &mut dyn FnMut(DataFrame) -> Result<()>) -> Result<()> {
    let (send, batches) = sync_channel::<DataFrame>(2);
    let size = std::num::NonZeroUsize::new(BATCH);
    let callback = PlanCallback::new(move |frame: DataFrame| Ok(send.send(frame).is_err()));
    let sink = plan.sink_batches(callback, true, size).map_err(|e| failed(path, e))?;
    std::thread::scope(|scope| {
        let engine = scope.spawn(move || sink.collect_with_engine(Engine::Streaming).map(|_| ()));
        let mut outcome = Ok(());
        for frame in &batches {
            outcome = each(frame);
            if outcome.is_err() {
                break;
            }
        }
        drop(batches);
        let ran = engine
            .join()
            .map_err(|_| Error::input(format!("internal: reading {} panicked", path.display())))?;
        outcome.and(ran.map_err(|e| failed(path, e)))
    })
}
