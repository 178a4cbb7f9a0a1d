//! Rows that an engine handed over: written down as an export of our own and read like any other.
//!
//! Of clicks only those come here that conversions name; what an engine knows of all of them stands in the ledger
//! beside them. Also reads and writes tables of plain columns, the form in which results travel as files.

use super::mapping::Shape;
use super::parquet::IntakeWriter;
use super::plan::{Plan, Reading};
use super::reject::Reason;
use super::table::{Part, open, stream};
use super::{FileLedger, Guard, Intake, Target};
use crate::base::answer::{Answer, Column, Values};
use crate::base::column::Col;
use crate::base::error::{Error, Result};
use crate::base::text::Text;
use polars::prelude::{
    Column as Series, DataFrame, DataType, Int64Chunked, IntoColumn, IntoLazy, NewChunkedArray, StringChunked,
};
use std::path::Path;

/// Rows of one side as an engine told them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    pub shape: Shape,
    /// How the input is called in reports.
    pub name: String,
    /// The texts of rows by column; empty where a row says nothing.
    pub columns: Vec<(Col, Vec<String>)>,
    /// All rows of the table, and why some of them are no clicks.
    pub rows: u64,
    pub rejects: Vec<(Reason, u64)>,
    /// First and last click.
    pub span: Option<(i64, i64)>,
    /// Rows that repeat a click, and click IDs that stand under several sources.
    pub dropped: u64,
    pub conflicts: u64,
    /// What the rows are known again by.
    pub digest: String,
}

/// What an engine knows of clicks that did not all come here.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    pub dropped: u64,
    pub conflicts: u64,
}

impl Fetched {
    /// How the rows are read.
    ///
    /// # Errors
    /// A fault of the user's mapping.
    pub fn reading(&self, plan: &Plan) -> Result<Reading> {
        let columns: Vec<Col> = self.columns.iter().map(|(col, _)| *col).collect();
        plan.own(self.shape, &columns)
    }

    fn frame(&self) -> DataFrame {
        let column = |(col, texts): &(Col, Vec<String>)| {
            StringChunked::from_slice(col.name().into(), texts.as_slice()).into_column()
        };
        let rows = self.columns.first().map_or(0, |(_, texts)| texts.len());
        DataFrame::new(rows, self.columns.iter().map(column).collect()).expect("all columns have one length")
    }
}

impl Intake {
    /// Takes rows that an engine handed over.
    pub(super) fn add_fetched(&mut self, fetched: &Fetched, reading: &Reading) -> Result<()> {
        let file = self.files.len();
        let path = self.folder.path().join(format!("{file:04}-fetched.parquet"));
        let mut writer = IntakeWriter::new(path.clone());
        writer.write(&fetched.frame())?;
        writer.finish()?;
        let target = Target { rows: path.clone(), index: None, lasting: false, held: None };
        let ledger = FileLedger::new(&path, fetched.shape, reading);
        let (mut ledger, layout, place) = self.read_parquet(ledger, &target)?;
        ledger.path = fetched.name.clone().into();
        ledger.digest = fetched.digest.clone();
        if fetched.shape == Shape::Clicks {
            ledger.rows = fetched.rows;
            ledger.spans = fetched.span.map(|span| (Col::ClickTime, span)).into_iter().collect();
            let some = fetched.rejects.iter().copied().filter(|(_, rows)| *rows > 0);
            ledger.rejects.counts.extend(some);
            self.known = Some(Known { dropped: fetched.dropped, conflicts: fetched.conflicts });
        }
        self.files.push(ledger);
        self.table(fetched.shape).parts.push(Part { path, layout, place, file, rows: None });
        Ok(())
    }
}

/// The columns of a Parquet file: texts as they are, numbers as whole numbers.
///
/// # Errors
/// The file cannot be read, or has a column of another type.
pub fn columns_of(path: &Path, guard: &Guard) -> Result<Answer> {
    let schema = super::parquet::headers(path)?;
    guard.try_reading(path, &(0..schema.len()).collect::<Vec<_>>())?;
    let mut answer = Answer::default();
    stream(open(path)?, path, &mut |frame| {
        for (at, series) in frame.columns().iter().enumerate() {
            let values = values(series).ok_or_else(|| {
                let name = Text::new(series.name().as_str()).term(60);
                Error::input(format!("{}: the column `{name}` is {}", path.display(), series.dtype()))
                    .help("expected texts and whole numbers: write the result of the printed query as it is")
            })?;
            match answer.columns.get_mut(at) {
                Some(column) => append(&mut column.values, values),
                None => answer.columns.push(Column { name: series.name().to_string(), values }),
            }
        }
        Ok(())
    })?;
    if answer.columns.is_empty() {
        let none = |name: &String| Column { name: name.clone(), values: Values::Text(Vec::new()) };
        answer.columns = schema.iter().map(none).collect();
    }
    Ok(answer)
}

fn append(values: &mut Values, more: Values) {
    match (values, more) {
        (Values::Int(values), Values::Int(more)) => values.extend(more),
        (Values::Text(values), Values::Text(more)) => values.extend(more),
        _ => unreachable!("a column of a file has one type"),
    }
}

fn values(series: &Series) -> Option<Values> {
    let kind = series.dtype();
    let series = series.as_materialized_series();
    if kind.is_string() {
        return Some(Values::Text(series.str().ok()?.iter().map(|text| text.map(str::to_owned)).collect()));
    }
    // Engines give wide integers and decimals without a fraction for sums.
    let whole = kind.is_integer() || kind.is_decimal();
    if *kind == DataType::Binary {
        let text = series.cast(&DataType::String).ok()?;
        return Some(Values::Text(text.str().ok()?.iter().map(|text| text.map(str::to_owned)).collect()));
    }
    let cast = whole.then(|| series.cast(&DataType::Int64).ok())??;
    Some(Values::Int(cast.i64().ok()?.iter().collect()))
}

/// Writes a table of plain columns as a Parquet file, sorted.
///
/// # Errors
/// The file cannot be written.
pub fn write_columns(path: &Path, answer: &Answer) -> Result<()> {
    let column = |column: &Column| match &column.values {
        Values::Int(values) => values
            .iter()
            .copied()
            .collect::<Int64Chunked>()
            .with_name(column.name.as_str().into())
            .into_column(),
        Values::Text(values) => values
            .iter()
            .map(Option::as_deref)
            .collect::<StringChunked>()
            .with_name(column.name.as_str().into())
            .into_column(),
    };
    let frame = DataFrame::new(answer.rows(), answer.columns.iter().map(column).collect());
    let frame = frame.map_err(|e| Error::output(format!("cannot write {}", path.display())).because(e))?;
    let names: Vec<String> = answer.columns.iter().map(|column| column.name.clone()).collect();
    let sorted = frame.lazy().sort(names, Default::default()).collect();
    let sorted = sorted.map_err(|e| Error::output(format!("cannot write {}", path.display())).because(e))?;
    let mut writer = IntakeWriter::lasting(path.to_owned());
    writer.write(&sorted)?;
    writer.finish().map(|_| ())
}
