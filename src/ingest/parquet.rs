//! Parquet in and out: declared casts for exports that are Parquet already, and the writer of the intake.
//!
//! A Parquet export's rows are judged by the same rules as text: what does not fit the declared type is a
//! reject with its row number, never a silent null.

use super::columns::{Field, FoundRows, Layout, Noticed, Wanted, constant, currencies, key, row_key};
use super::mapping::{Mapping, Shape};
use super::reject::{Reason, Rejects};
use super::table::{Sample, failed, open, stream};
use super::value;
use crate::base::column::{COLUMNS, Col, Kind};
use crate::base::error::{Error, Result};
use crate::base::money::{Mark, NANO, row_cap};
use crate::base::time::{Clock, DAY, in_range};
use polars::io::parquet::write::BatchedWriter;
use polars::prelude::*;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Writes frames of one layout to a Parquet file of the intake.
pub struct IntakeWriter {
    path: PathBuf,
    compression: ParquetCompression,
    writer: Option<(BatchedWriter<Gathered>, Gathered)>,
}

/// A file whose small writes are gathered. The engine writes footers byte by byte and does not flush; a second
/// hand on the same file does, so that a full disk is noticed.
#[derive(Clone)]
struct Gathered(Arc<Mutex<BufWriter<File>>>);

impl Gathered {
    fn with<T>(&self, act: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>) -> io::Result<T> {
        let mut file = self.0.lock().map_err(|_| io::Error::other("the writer panicked"))?;
        act(&mut file)
    }
}

impl Write for Gathered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.with(|file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.with(BufWriter::flush)
    }
}

impl IntakeWriter {
    /// A writer that creates `path` with the first frame.
    pub fn new(path: PathBuf) -> IntakeWriter {
        IntakeWriter { path, compression: ParquetCompression::Lz4Raw, writer: None }
    }

    /// The same for a file that is kept: smaller, and slower to write.
    pub fn lasting(path: PathBuf) -> IntakeWriter {
        IntakeWriter { path, compression: ParquetCompression::Zstd(None), writer: None }
    }

    /// Appends a frame as one row group.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&mut self, frame: &DataFrame) -> Result<()> {
        if self.writer.is_none() {
            let file = File::create(&self.path).map_err(|e| Error::writing(&self.path, e))?;
            let file = Gathered(Arc::new(Mutex::new(BufWriter::with_capacity(1 << 18, file))));
            let writer = ParquetWriter::new(file.clone()).with_compression(self.compression);
            self.writer = Some((writer.batched(frame.schema()).map_err(|e| self.failed(e))?, file));
        }
        let mut frame = frame.clone();
        frame.align_chunks();
        let written = self.writer.as_mut().map_or(Ok(()), |(w, _)| w.write_batch(&frame));
        written.map_err(|e| self.failed(e))
    }

    /// Writes the footer; whether there is a file at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(self) -> Result<bool> {
        let Some((writer, file)) = &self.writer else { return Ok(false) };
        writer.finish().map_err(|e| self.failed(e))?;
        let flushed = file.with(BufWriter::flush);
        flushed.map(|()| true).map_err(|e| Error::writing(&self.path, e).help("is the disk full?"))
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
    pub noticed: Noticed,
}

/// The names of the columns of a Parquet export.
///
/// # Errors
/// It is none.
pub fn headers(path: &Path) -> Result<Vec<String>> {
    let schema = open(path)?.collect_schema().map_err(|e| failed(path, e))?;
    Ok(schema.iter_names().map(ToString::to_string).collect())
}

/// The names and the first rows of a Parquet export; a value that has no text, such as a list, is empty.
///
/// # Errors
/// It is none.
pub fn sample(path: &Path, most: usize) -> Result<Sample> {
    let headers = headers(path)?;
    let frame = open(path)?.limit(most as u32).collect().map_err(|e| failed(path, e))?;
    let texts = |column: &Column| -> Vec<String> {
        let text = column.as_materialized_series().cast(&DataType::String);
        let text = text.ok().and_then(|t| t.str().ok().cloned()).unwrap_or_default();
        (0..frame.height()).map(|row| text.get(row).unwrap_or_default().to_owned()).collect()
    };
    let columns: Vec<Vec<String>> = frame.columns().iter().map(texts).collect();
    let row = |at: usize| columns.iter().map(|column| column[at].clone()).collect();
    Ok(Sample { rows: (0..frame.height()).map(row).collect(), headers })
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
    layout = layout.laid_over(&headers, &mapping.sources);
    layout.headers = headers;
    Ok(layout)
}

fn refuse_type(path: &Path, col: Col, name: &str, dtype: &DataType, layout: &Layout) -> Result<()> {
    let epoch = layout.side.time.format.counts();
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
        Kind::Time => "a timestamp, text, or whole numbers with time_format epoch_s, epoch_ms or epoch_us",
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
        let Canonical { frame, faults, noticed } = canonical(&raw, layout, &fields)?;
        for (row, reason, found) in faults {
            summary.rejects.add(summary.rows + row as u64 + 1, reason, found.as_bytes());
        }
        summary.noticed.append(noticed);
        summary.rows += raw.height() as u64;
        seen(&frame);
        Ok(())
    })?;
    Ok(summary)
}

/// Reads a Parquet export to its end and hands its typed rows, all fields of them, to `sink`.
///
/// # Errors
/// The file cannot be read, or what `sink` returns.
pub fn read(
    path: &Path,
    layout: &Layout,
    sink: &mut dyn FnMut(&DataFrame) -> Result<()>,
) -> Result<ParquetSummary> {
    let mut summary = ParquetSummary::default();
    let mut plan = open(path)?;
    let fields = layout.fields();
    let names = needed(&mut plan, layout, &fields)?;
    stream(plan.select(names.into_iter().map(col).collect::<Vec<_>>()), path, &mut |raw| {
        let Canonical { frame, faults, noticed } = canonical(&raw, layout, &fields)?;
        for (row, reason, found) in faults {
            summary.rejects.add(summary.rows + row as u64 + 1, reason, found.as_bytes());
        }
        summary.noticed.append(noticed);
        summary.rows += raw.height() as u64;
        sink(&with_timestamps(frame)?)
    })?;
    Ok(summary)
}

/// Times as timestamps, as in the intake of text.
fn with_timestamps(mut frame: DataFrame) -> Result<DataFrame> {
    let times = COLUMNS.iter().filter(|c| c.kind == Kind::Time).map(|c| Field::Value(c.id).name());
    for name in times {
        let Ok(column) = frame.column(&name) else { continue };
        let time = column.cast(&DataType::Datetime(TimeUnit::Microseconds, None)).map_err(internal)?;
        frame.with_column(time).map_err(internal)?;
    }
    Ok(frame)
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
            || layout.derived.iter().any(|d| d.source.origin() == *col && is_asked(d.col, fields))
    };
    let found =
        |c: Col| (layout.overlays(c) || (c == Col::Model && layout.terms.is_some())) && is_asked(c, fields);
    let flagged = fields.iter().any(|f| f.is_flag());
    let origins = if flagged || crate::base::column::COLUMNS.iter().any(|c| found(c.id)) {
        layout.origins()
    } else {
        BTreeSet::new()
    };
    let seller = layout.sellers.as_ref().and_then(|_| layout.places.get(&Col::TrafficSource));
    let places = layout.places.iter().filter(|(c, _)| wanted(c)).map(|(_, at)| at).chain(seller).copied();
    let places: BTreeSet<usize> = places.chain(origins).collect();
    Ok(places.into_iter().filter_map(|at| schema.get_at_index(at)).map(|(name, _)| name.clone()).collect())
}

/// Whether one of the fields is of this column itself.
fn is_asked(col: Col, fields: &[Field]) -> bool {
    fields.iter().any(|f| matches!(f, Field::Value(c) | Field::Key(c) if *c == col))
}

/// Columns that can make a row a reject.
fn checked(col: Col) -> bool {
    col == Col::Currency || !matches!(col.kind(), Kind::Text | Kind::Key)
}

/// A fault of one row of a batch.
type Fault = (usize, Reason, String);

/// The rows of a batch that pass, the faults of those that don't, and what was noticed.
pub struct Canonical {
    pub frame: DataFrame,
    pub faults: Vec<Fault>,
    pub noticed: Noticed,
}

/// Types the rows of a raw batch and keeps the wanted fields.
///
/// # Errors
/// A cast that the engine cannot do.
pub fn canonical(raw: &DataFrame, layout: &Layout, fields: &[Field]) -> Result<Canonical> {
    let mut found = Found { faults: Vec::new(), noticed: Noticed::default() };
    let mut typed: Vec<(Col, Vec<Option<i64>>)> = Vec::new();
    let mut money: Vec<(Col, Amounts)> = Vec::new();
    for &col in layout.places.keys().filter(|c| checked(**c) && **c != Col::Currency) {
        match col.kind() {
            Kind::Money => money.push((col, amounts(raw, layout, col, &mut found)?)),
            _ => typed.push((col, integers(raw, layout, col, &mut found)?)),
        }
    }
    let days = typed.iter().find(|(col, _)| Some(*col) == layout.rate_column()).map(|(_, v)| v.clone());
    let asked = fields.contains(&Field::Value(Col::Currency)) && layout.has(Field::Value(Col::Currency));
    let mut currencies = asked.then(|| currencies(raw.height()));
    typed.extend(exchanged(raw, layout, money, days.as_deref(), &mut found, currencies.as_mut()));
    let Found { mut faults, noticed } = found;
    faults.sort_by_key(|f| f.0);
    faults.dedup_by_key(|f| f.0);
    let mut frame = assemble(raw, layout, fields, typed)?;
    if let Some(currencies) = currencies {
        frame.with_column(currencies.finish().into_column()).map_err(internal)?;
    }
    let frame = if faults.is_empty() { frame } else { without(&frame, &faults)? };
    Ok(Canonical { frame, faults, noticed })
}

/// What the columns of a batch had to say beside their values.
struct Found {
    faults: Vec<Fault>,
    noticed: Noticed,
}

/// The amounts of one column: billionths, and the currency marks beside them.
struct Amounts {
    nano: Vec<Option<i128>>,
    /// Empty where the column is a number.
    marks: Vec<Option<Mark>>,
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

/// The amounts as they are kept.
fn exchanged(
    raw: &DataFrame,
    layout: &Layout,
    money: Vec<(Col, Amounts)>,
    days: Option<&[Option<i64>]>,
    found: &mut Found,
    mut codes: Option<&mut StringChunkedBuilder>,
) -> Vec<(Col, Vec<Option<i64>>)> {
    let currencies = text_of(raw, layout, Col::Currency);
    let sellers = layout.sellers.as_ref().and_then(|_| text_of(raw, layout, Col::TrafficSource));
    let mut kept: Vec<(Col, Vec<Option<i64>>)> =
        money.iter().map(|(col, _)| (*col, vec![None; raw.height()])).collect();
    let ours = row_cap(layout.currency.as_deref());
    let plain = currencies.is_none()
        && sellers.is_none()
        && money.iter().all(|(_, amounts)| amounts.marks.is_empty());
    for row in 0..raw.height() {
        let seller = || sellers.as_ref().and_then(|s| layout.currency_of(s.get(row)?.as_bytes()));
        let said = currencies.as_ref().and_then(|c| c.get(row)).or_else(seller).unwrap_or_default();
        let marks: Vec<Mark> =
            money.iter().filter_map(|(_, a)| a.marks.get(row).copied().flatten()).collect();
        let day = days.and_then(|d| d[row]).map(|t| t.div_euclid(DAY) as i32);
        let tender = match plain {
            true => Ok((None, None, ours)),
            false => tender(layout, said, &marks, day, &mut found.noticed),
        };
        if let Some(codes) = &mut codes {
            let code = tender.as_ref().ok().and_then(|(code, ..)| code.as_deref());
            codes.append_option(code.or(layout.currency.as_deref()));
        }
        let amounts = tender.and_then(|(_, rate, cap)| {
            let keep =
                |(col, a): &(Col, Amounts)| a.nano[row].map(|n| layout.kept(*col, n, cap, rate)).transpose();
            money.iter().map(keep).collect::<std::result::Result<Vec<_>, Reason>>()
        });
        match amounts {
            Ok(amounts) => kept.iter_mut().zip(amounts).for_each(|((_, column), value)| column[row] = value),
            Err(reason) => found.faults.push((row, reason, said.to_owned())),
        }
    }
    kept
}

/// The currency, the rate and the cap of a row's amounts.
fn tender(
    layout: &Layout,
    said: &str,
    marks: &[Mark],
    day: Option<i32>,
    noticed: &mut Noticed,
) -> std::result::Result<(Option<String>, Option<super::rates::Rate>, i128), Reason> {
    let code = layout.row_currency(said.as_bytes(), marks)?;
    let Some(code) = code else { return Ok((None, None, row_cap(layout.currency.as_deref()))) };
    let rate = layout.rate(&code, day)?;
    if let Some(rate) = rate {
        noticed.see_rate(&code, rate);
    }
    let cap = row_cap(Some(&code));
    noticed.see_currency(code.clone(), 1);
    Ok((Some(code), rate, cap))
}

/// One column of amounts; rows that do not fit are added to the faults.
fn amounts(raw: &DataFrame, layout: &Layout, col: Col, found: &mut Found) -> Result<Amounts> {
    let source =
        series(raw, layout, col).ok_or_else(|| Error::input(format!("internal: {col} was not read")))?;
    let mut amounts = Amounts { nano: Vec::with_capacity(raw.height()), marks: Vec::new() };
    let mut push = |row: usize, read: std::result::Result<Option<i128>, Reason>, text: String| {
        amounts.nano.push(read.unwrap_or_else(|reason| {
            found.faults.push((row, reason, text));
            None
        }));
    };
    if source.dtype().is_string() {
        for (row, text) in source.str().map_err(internal)?.iter().enumerate() {
            let read = text.map_or(Ok(None), |t| value::amount(t.as_bytes(), &layout.side));
            let mark = read.as_ref().ok().copied().flatten().and_then(|a| a.mark);
            amounts.marks.push(mark);
            push(row, read.map(|a| a.map(|a| a.nano)), text.unwrap_or_default().to_owned());
        }
    } else if source.dtype().is_integer() {
        for (row, units) in whole_numbers(source)?.iter().enumerate() {
            push(row, Ok(units.map(|u| i128::from(u) * NANO)), String::new());
        }
    } else {
        let units = source.cast(&DataType::Float64).map_err(internal)?;
        for (row, units) in units.f64().map_err(internal)?.iter().enumerate() {
            let text = units.map_or_else(String::new, |u| u.to_string());
            push(row, units.map(value::nano_of_float).transpose(), text);
        }
    }
    Ok(amounts)
}

/// One integer column; rows that do not fit are added to `faults`.
fn integers(raw: &DataFrame, layout: &Layout, col: Col, found: &mut Found) -> Result<Vec<Option<i64>>> {
    let source =
        series(raw, layout, col).ok_or_else(|| Error::input(format!("internal: {col} was not read")))?;
    let required = layout.time_column() == Some(col);
    let Found { faults, noticed } = found;
    let mut row = 0;
    let mut push = |parsed: value::Parsed, text: &dyn Fn() -> String| {
        let parsed = if required && parsed == Ok(None) { Err(Reason::NoTime) } else { parsed };
        let value = parsed.unwrap_or_else(|reason| {
            faults.push((row, reason, text()));
            None
        });
        row += 1;
        value
    };
    let mut by_clock = |(micros, clock): (i64, Clock)| {
        noticed.see_time(clock);
        micros
    };
    let dtype = source.dtype();
    let none = String::new;
    if dtype.is_string() {
        let texts = source.str().map_err(internal)?;
        let mut read = |t: Option<&str>| match (t, col.kind()) {
            (None, _) => Ok(None),
            (Some(t), Kind::Time) => value::time(t.as_bytes(), &layout.side).map(|t| t.map(&mut by_clock)),
            (Some(t), kind) => value::integer(kind, t.as_bytes(), &layout.side),
        };
        return Ok(texts.iter().map(|t| push(read(t), &|| t.unwrap_or_default().to_owned())).collect());
    }
    if dtype.is_float() || dtype.is_decimal() {
        let floats = source.cast(&DataType::Float64).map_err(internal)?;
        let read = |v: Option<f64>| v.map_or(Ok(None), |v| of_float(v).map(Some));
        return Ok(floats
            .f64()
            .map_err(internal)?
            .iter()
            .map(|v| push(read(v), &|| v.map_or_else(none, |v| v.to_string())))
            .collect());
    }
    let whole = whole_numbers(source)?;
    let mut read = |v: Option<i64>| match (v, col.kind()) {
        (None, _) => Ok(None),
        (Some(v), Kind::Time) => time_of_whole(v, dtype, layout).map(&mut by_clock).map(Some),
        (Some(v), kind) => of_whole(kind, v).map(Some),
    };
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

fn of_float(value: f64) -> std::result::Result<i64, Reason> {
    if value.fract() == 0.0 && (0.0..1e15).contains(&value) {
        Ok(value as i64)
    } else {
        Err(Reason::BadNumber)
    }
}

fn of_whole(kind: Kind, value: i64) -> std::result::Result<i64, Reason> {
    if kind == Kind::Flag && !(0..=1).contains(&value) { Err(Reason::BadFlag) } else { Ok(value) }
}

fn time_of_whole(
    number: i64,
    dtype: &DataType,
    layout: &Layout,
) -> std::result::Result<(i64, Clock), Reason> {
    let time = &layout.side.time;
    let (micros, clock) = match dtype {
        DataType::Date => time.zone.to_utc(number.saturating_mul(DAY)),
        DataType::Datetime(_, Some(_)) => (number, Clock::Plain),
        DataType::Datetime(_, None) => time.zone.to_utc(number),
        _ => (time.format.of_number(number).map_err(value::reason_of)?, Clock::Plain),
    };
    in_range(micros).map(|micros| (micros, clock)).map_err(value::reason_of)
}

fn assemble(
    raw: &DataFrame,
    layout: &Layout,
    fields: &[Field],
    typed: Vec<(Col, Vec<Option<i64>>)>,
) -> Result<DataFrame> {
    let mut columns: Vec<Column> = Vec::new();
    let time = layout.time_column().and_then(|col| typed.iter().find(|(c, _)| *c == col));
    let times = time.map(|(_, values)| values.clone());
    for (col, values) in typed {
        if fields.contains(&Field::Value(col)) {
            columns.push(Series::new(Field::Value(col).name(), values).into());
        }
    }
    for &field in fields {
        match field {
            Field::Value(col) if layout.overlays(col) => {}
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
    columns.extend(found(raw, layout, fields, times.as_deref()));
    DataFrame::new(raw.height(), columns).map_err(internal)
}

/// The wanted columns that the export does not have and that are found from others.
fn found(raw: &DataFrame, layout: &Layout, fields: &[Field], times: Option<&[Option<i64>]>) -> Vec<Column> {
    let mut rows = FoundRows::new(layout, raw.height(), &|field| fields.contains(&field));
    if rows.is_empty() {
        return Vec::new();
    }
    let texts = Texts::of(raw, layout);
    for row in 0..raw.height() {
        rows.push(times.and_then(|t| t[row]), &|place| texts.get(place, row));
    }
    rows.finish()
}

/// The text of the fields that columns are found from.
struct Texts(Vec<(usize, StringChunked)>);

impl Texts {
    fn of(raw: &DataFrame, layout: &Layout) -> Texts {
        let visitors = [Col::Ip, Col::UserAgent, Col::ClickId];
        let visitors = visitors.into_iter().filter_map(|col| layout.places.get(&col).copied());
        let places: BTreeSet<usize> = visitors.chain(layout.origins()).collect();
        let text = |at: usize| {
            let column = raw.column(layout.headers.get(at)?).ok()?;
            let text = column.as_materialized_series().cast(&DataType::String).ok()?;
            Some((at, text.str().ok()?.clone()))
        };
        Texts(places.into_iter().filter_map(text).collect())
    }

    fn get(&self, place: usize, row: usize) -> &[u8] {
        let column = self.0.iter().find(|(at, _)| *at == place);
        column.and_then(|(_, texts)| texts.get(row)).unwrap_or_default().as_bytes()
    }
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
    let texts: Vec<(Col, StringChunked)> =
        field.origin().iter().filter_map(|c| Some((*c, text_of(raw, layout, *c)?))).collect();
    let others = layout.overlay.as_ref().map(|_| Texts::of(raw, layout));
    let flag = |row: usize| {
        let text = |(col, own): &(Col, StringChunked)| match &others {
            Some(others) if layout.overlays(*col) => {
                layout.text_of(*col, usize::MAX, &|at| others.get(at, row)).to_vec()
            }
            _ => own.get(row).unwrap_or_default().as_bytes().to_vec(),
        };
        let said: Vec<Vec<u8>> = texts.iter().map(text).collect();
        layout.flag(field, said.iter().map(Vec::as_slice))
    };
    let flags: BooleanChunked = (0..raw.height()).map(flag).collect();
    flags.with_name(field.name()).into_column()
}
