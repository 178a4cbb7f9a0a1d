//! Parquet in and out: declared casts for exports that are Parquet already, and the writer of the intake.
//!
//! A Parquet export's rows are judged by the same rules as text: what does not fit the declared type is a
//! reject with its row number, never a silent null.

use super::columns::{Field, Layout, Wanted, constant, key, row_key};
use super::mapping::{Mapping, Shape};
use super::reject::{Reason, Rejects};
use super::table::{failed, open, stream};
use super::value;
use crate::base::column::{Col, Kind};
use crate::base::error::{Error, Result};
use crate::base::money::SCALE;
use crate::base::time::{DAY, TimeFormat, in_range};
use polars::io::parquet::write::BatchedWriter;
use polars::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Writes frames of one layout to a Parquet file of the intake.
pub struct IntakeWriter {
    path: PathBuf,
    writer: Option<BatchedWriter<File>>,
}

impl IntakeWriter {
    /// A writer that creates `path` with the first frame.
    pub fn new(path: PathBuf) -> IntakeWriter {
        IntakeWriter { path, writer: None }
    }

    /// Appends a frame as one row group.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&mut self, frame: &DataFrame) -> Result<()> {
        if self.writer.is_none() {
            let file = File::create(&self.path).map_err(|e| Error::writing(&self.path, e))?;
            let writer = ParquetWriter::new(file).with_compression(ParquetCompression::Lz4Raw);
            self.writer = Some(writer.batched(frame.schema()).map_err(|e| self.failed(e))?);
        }
        let written = self.writer.as_mut().map_or(Ok(()), |w| w.write_batch(frame));
        written.map_err(|e| self.failed(e))
    }

    /// Writes the footer; whether there is a file at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(self) -> Result<bool> {
        let Some(writer) = &self.writer else { return Ok(false) };
        writer.finish().map(|_| true).map_err(|e| self.failed(e))
    }

    fn failed(&self, cause: PolarsError) -> Error {
        Error::output(format!("cannot write {}", self.path.display()))
            .because(cause)
            .help("is the disk full?")
    }
}

/// What the first pass over a Parquet export found.
#[derive(Default)]
pub struct ParquetSummary {
    pub rows: u64,
    pub rejects: Rejects,
    pub currencies: BTreeMap<String, u64>,
}

/// The names of the columns of a Parquet export.
///
/// # Errors
/// It is none.
pub fn headers(path: &Path) -> Result<Vec<String>> {
    let schema = open(path)?.collect_schema().map_err(|e| failed(path, e))?;
    Ok(schema.iter_names().map(ToString::to_string).collect())
}

/// Reads the header of a Parquet export and checks that its types can be read as declared.
///
/// # Errors
/// Not Parquet, a needed column is missing, or has a type that loses what it holds.
pub fn layout(path: &Path, shape: Shape, mapping: &Mapping) -> Result<Layout> {
    let schema = open(path)?.collect_schema().map_err(|e| failed(path, e))?;
    let headers: Vec<String> = schema.iter_names().map(ToString::to_string).collect();
    let places = mapping.side(shape).place(shape, path, &headers)?;
    let mut layout = Layout::new(shape, mapping, places, headers.len(), &Wanted::Everything);
    for (&col, &at) in &layout.places {
        let (name, dtype) = schema.get_at_index(at).expect("the place was found in this schema");
        refuse_type(path, col, name, dtype, &layout)?;
    }
    layout.headers = headers;
    Ok(layout)
}

fn refuse_type(path: &Path, col: Col, name: &str, dtype: &DataType, layout: &Layout) -> Result<()> {
    let epoch = matches!(layout.side.time.format, TimeFormat::EpochS | TimeFormat::EpochMs);
    let fits = match col.kind() {
        Kind::Text | Kind::Key => dtype.is_string() || dtype.is_integer() || dtype.is_bool(),
        Kind::Time => dtype.is_temporal() || dtype.is_string() || (dtype.is_integer() && epoch),
        Kind::Money | Kind::Count => {
            dtype.is_numeric() || dtype.is_string() || dtype.is_decimal() || dtype.is_null()
        }
        Kind::Flag => dtype.is_bool() || dtype.is_integer() || dtype.is_string(),
    };
    if fits {
        return Ok(());
    }
    let name = crate::base::text::Text::new(name).term(60);
    Err(Error::input(format!(
        "{}: the column `{name}` is {dtype}; {col} needs {}",
        path.display(),
        wanted(col.kind())
    ))
    .help("write the file with another type, or declare the time format in a mapping"))
}

fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Key => "text or whole numbers (an ID as a float has lost digits)",
        Kind::Time => "a timestamp, text, or whole numbers with time_format epoch_s or epoch_ms",
        Kind::Money | Kind::Count => "a number",
        Kind::Flag => "a boolean",
    }
}

/// Counts rows and rejects of a Parquet export: reads every column whose values can be wrong.
///
/// # Errors
/// The file cannot be read.
pub fn validate(path: &Path, layout: &Layout, seen: &mut dyn FnMut(&DataFrame)) -> Result<ParquetSummary> {
    let mut summary = ParquetSummary::default();
    let mut plan = open(path)?;
    let fields = [Col::ClickTime, Col::ConversionTime, Col::Day].map(Field::Value);
    let names = needed(&mut plan, layout, &fields)?;
    stream(plan.select(names.into_iter().map(col).collect::<Vec<_>>()), path, &mut |raw| {
        let (frame, faults) = canonical(&raw, layout, &fields)?;
        for (row, reason, found) in faults {
            summary.rejects.add(summary.rows + row as u64 + 1, reason, found.as_bytes());
        }
        if let Some(texts) = text_of(&raw, layout, Col::Currency) {
            for code in texts.iter().flatten().map(str::trim).filter(|c| !c.is_empty()) {
                *summary.currencies.entry(code.to_uppercase()).or_default() += 1;
            }
        }
        summary.rows += raw.height() as u64;
        seen(&frame);
        Ok(())
    })?;
    Ok(summary)
}

/// Names of the export's columns that `fields` and the checks of a row need.
///
/// # Errors
/// The schema cannot be read.
pub fn needed(plan: &mut LazyFrame, layout: &Layout, fields: &[Field]) -> Result<BTreeSet<PlSmallStr>> {
    let schema = plan.collect_schema().map_err(|e| Error::input("cannot read the schema").because(e))?;
    let wanted = |col: &Col| {
        checked(*col)
            || fields.contains(&Field::Row) && layout.row_key
            || fields.iter().any(|f| f.origin().contains(col) && layout.has(*f))
    };
    let places = layout.places.iter().filter(|(c, _)| wanted(c));
    Ok(places.filter_map(|(_, &at)| schema.get_at_index(at)).map(|(name, _)| name.clone()).collect())
}

/// Columns that can make a row a reject.
fn checked(col: Col) -> bool {
    col == Col::Currency || !matches!(col.kind(), Kind::Text | Kind::Key)
}

/// A fault of one row of a batch.
type Fault = (usize, Reason, String);

/// Types the rows of a raw batch: the wanted fields of the rows that pass, and the faults of those that don't.
///
/// # Errors
/// A cast that the engine cannot do.
pub fn canonical(raw: &DataFrame, layout: &Layout, fields: &[Field]) -> Result<(DataFrame, Vec<Fault>)> {
    let rates = rates(raw, layout);
    let mut faults: Vec<Fault> = Vec::new();
    let mut typed: Vec<(Col, Vec<Option<i64>>)> = Vec::new();
    for &col in layout.places.keys().filter(|c| checked(**c) && **c != Col::Currency) {
        typed.push((col, integers(raw, layout, col, &mut faults)?));
    }
    if let Some(currencies) = text_of(raw, layout, Col::Currency) {
        for (row, rate) in rates.iter().enumerate() {
            if let Err(reason) = rate {
                faults.push((row, *reason, currencies.get(row).unwrap_or_default().to_owned()));
            }
        }
        exchange(&mut typed, &rates);
    }
    faults.sort_by_key(|f| f.0);
    faults.dedup_by_key(|f| f.0);
    let frame = assemble(raw, layout, fields, typed)?;
    let frame = if faults.is_empty() { frame } else { without(&frame, &faults)? };
    Ok((frame, faults))
}

fn without(frame: &DataFrame, faults: &[Fault]) -> Result<DataFrame> {
    let mut keep = vec![true; frame.height()];
    faults.iter().for_each(|f| keep[f.0] = false);
    frame.filter(&keep.into_iter().map(Some).collect::<BooleanChunked>()).map_err(internal)
}

fn internal(cause: PolarsError) -> Error {
    Error::input("internal: the engine refused a batch").because(cause)
}

fn series<'a>(raw: &'a DataFrame, layout: &Layout, col: Col) -> Option<&'a Series> {
    let name = layout.header_of(col)?;
    raw.column(name).ok().map(Column::as_materialized_series)
}

fn text_of(raw: &DataFrame, layout: &Layout, col: Col) -> Option<StringChunked> {
    let text = series(raw, layout, col)?.cast(&DataType::String).ok()?;
    text.str().ok().cloned()
}

fn rates(raw: &DataFrame, layout: &Layout) -> Vec<std::result::Result<Option<i64>, Reason>> {
    let Some(texts) = text_of(raw, layout, Col::Currency) else { return Vec::new() };
    texts
        .iter()
        .map(|t| t.filter(|t| !t.trim().is_empty()).map_or(Ok(None), |t| layout.rate(t.trim())))
        .collect()
}

fn exchange(typed: &mut [(Col, Vec<Option<i64>>)], rates: &[std::result::Result<Option<i64>, Reason>]) {
    for (_, values) in typed.iter_mut().filter(|(c, _)| c.kind() == Kind::Money) {
        for (value, rate) in values.iter_mut().zip(rates) {
            if let (Some(amount), Ok(Some(rate))) = (value.as_mut(), rate) {
                *amount = value::exchanged(*amount, *rate);
            }
        }
    }
}

/// One integer column; rows that do not fit are added to `faults`.
fn integers(raw: &DataFrame, layout: &Layout, col: Col, faults: &mut Vec<Fault>) -> Result<Vec<Option<i64>>> {
    let source =
        series(raw, layout, col).ok_or_else(|| Error::input(format!("internal: {col} was not read")))?;
    let required = layout.time_column() == Some(col);
    let mut row = 0;
    let mut push = |parsed: value::Parsed, found: &dyn Fn() -> String| {
        let parsed = if required && parsed == Ok(None) { Err(Reason::NoTime) } else { parsed };
        let value = parsed.unwrap_or_else(|reason| {
            faults.push((row, reason, found()));
            None
        });
        row += 1;
        value
    };
    let dtype = source.dtype();
    let none = String::new;
    if dtype.is_string() {
        let texts = source.str().map_err(internal)?;
        let read =
            |t: Option<&str>| t.map_or(Ok(None), |t| value::integer(col.kind(), t.as_bytes(), &layout.side));
        return Ok(texts.iter().map(|t| push(read(t), &|| t.unwrap_or_default().to_owned())).collect());
    }
    if dtype.is_float() || dtype.is_decimal() {
        let floats = source.cast(&DataType::Float64).map_err(internal)?;
        let read = |v: Option<f64>| v.map_or(Ok(None), |v| of_float(col.kind(), v).map(Some));
        return Ok(floats
            .f64()
            .map_err(internal)?
            .iter()
            .map(|v| push(read(v), &|| v.map_or_else(none, |v| v.to_string())))
            .collect());
    }
    let whole = whole_numbers(source)?;
    let read = |v: Option<i64>| v.map_or(Ok(None), |v| of_whole(col.kind(), v, dtype, layout).map(Some));
    Ok(whole.iter().map(|v| push(read(v), &|| v.map_or_else(none, |v| v.to_string()))).collect())
}

/// Whole numbers of any integer or time type; timestamps in microseconds.
fn whole_numbers(source: &Series) -> Result<Int64Chunked> {
    let cast = match source.dtype() {
        DataType::Datetime(_, zone) => source.cast(&DataType::Datetime(TimeUnit::Microseconds, zone.clone())),
        _ => Ok(source.clone()),
    };
    let physical = cast.and_then(|s| s.to_physical_repr().cast(&DataType::Int64)).map_err(internal)?;
    physical.i64().cloned().map_err(internal)
}

fn of_float(kind: Kind, value: f64) -> std::result::Result<i64, Reason> {
    match kind {
        Kind::Money => value::money_of_float(value),
        _ if value.fract() == 0.0 && (0.0..1e15).contains(&value) => Ok(value as i64),
        _ => Err(Reason::BadNumber),
    }
}

fn of_whole(kind: Kind, value: i64, dtype: &DataType, layout: &Layout) -> std::result::Result<i64, Reason> {
    match kind {
        Kind::Money => value
            .checked_mul(SCALE)
            .map_or(Err(Reason::AmountTooLarge), |_| value::money_of_float(value as f64)),
        Kind::Flag if !(0..=1).contains(&value) => Err(Reason::BadFlag),
        Kind::Time => {
            let micros = match (dtype, &layout.side.time.format) {
                (DataType::Date, _) => layout.side.time.zone.to_utc(value.saturating_mul(DAY)),
                (DataType::Datetime(_, Some(_)), _) => value,
                (DataType::Datetime(_, None), _) => layout.side.time.zone.to_utc(value),
                (_, TimeFormat::EpochMs) => value.saturating_mul(1_000),
                _ => value.saturating_mul(SCALE),
            };
            in_range(micros).map_err(value::reason_of)
        }
        _ => Ok(value),
    }
}

fn assemble(
    raw: &DataFrame,
    layout: &Layout,
    fields: &[Field],
    typed: Vec<(Col, Vec<Option<i64>>)>,
) -> Result<DataFrame> {
    let mut columns: Vec<Column> = Vec::new();
    for (col, values) in typed {
        if fields.contains(&Field::Value(col)) {
            columns.push(Series::new(Field::Value(col).name(), values).into());
        }
    }
    for &field in fields {
        match field {
            Field::Value(col) | Field::Key(col) if matches!(col.kind(), Kind::Text | Kind::Key) => {
                columns.extend(text_column(raw, layout, field, col));
            }
            Field::Row if layout.row_key => {
                columns.push(Series::new(field.name(), row_keys(raw, layout)).into());
            }
            Field::Net(_) if layout.has(field) => columns.extend(nets(raw, layout, field)),
            _ if field.is_flag() && layout.has(field) => columns.push(flags(raw, layout, field)),
            _ => {}
        }
    }
    DataFrame::new(raw.height(), columns).map_err(internal)
}

fn text_column(raw: &DataFrame, layout: &Layout, field: Field, col: Col) -> Option<Column> {
    if let Some(text) = layout.constants.get(&col).filter(|_| field == Field::Value(col)) {
        return Some(constant(col, text, raw.height()));
    }
    let texts = text_of(raw, layout, col)?;
    let present =
        |t: Option<&'_ str>| t.filter(|t| !value::is_null(t.as_bytes(), &layout.side)).map(str::to_owned);
    Some(match field {
        Field::Key(_) => {
            let keys: UInt64Chunked = texts
                .iter()
                .map(|t| t.filter(|t| !value::is_null(t.as_bytes(), &layout.side)).map(|t| key(t.as_bytes())))
                .collect();
            keys.with_name(field.name()).into_column()
        }
        _ => {
            let any_null = texts.iter().flatten().any(|t| value::is_null(t.as_bytes(), &layout.side));
            let cleaned = if any_null { texts.iter().map(present).collect() } else { texts };
            cleaned.with_name(field.name()).into_column()
        }
    })
}

/// Keys of whole rows, from the text of every mapped column.
fn row_keys(raw: &DataFrame, layout: &Layout) -> Vec<u64> {
    let texts: Vec<StringChunked> = layout.places.keys().filter_map(|c| text_of(raw, layout, *c)).collect();
    let key = |row: usize| row_key(texts.iter().map(|t| t.get(row).unwrap_or_default().as_bytes()));
    (0..raw.height()).map(key).collect()
}

/// The keys of the networks of an address column.
fn nets(raw: &DataFrame, layout: &Layout, field: Field) -> Option<Column> {
    let texts = field.origin().first().and_then(|c| text_of(raw, layout, *c))?;
    let nets: UInt64Chunked = texts.iter().map(|t| layout.net(t?.as_bytes())).collect();
    Some(nets.with_name(field.name()).into_column())
}

/// One flag of every row.
fn flags(raw: &DataFrame, layout: &Layout, field: Field) -> Column {
    let texts: Vec<StringChunked> = field.origin().iter().filter_map(|c| text_of(raw, layout, *c)).collect();
    let flag = |row| layout.flag(field, texts.iter().map(|t| t.get(row).unwrap_or_default().as_bytes()));
    let flags: BooleanChunked = (0..raw.height()).map(flag).collect();
    flags.with_name(field.name()).into_column()
}
