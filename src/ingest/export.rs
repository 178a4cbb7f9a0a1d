//! An export as Parquet, made from its text while that is written: what `simulate` writes where Parquet is
//! asked for.
//!
//! Times become timestamps without a zone, amounts floats, everything else text, as trackers and databases
//! write them. Refuses to guess: a cell that is not what its column should be is an error of the writer.

use super::parquet::IntakeWriter;
use crate::base::column::{Col, Kind};
use crate::base::error::{Error, Result};
use crate::base::time::{TimeFormat, TimeReader};
use polars::prelude::*;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Bytes of text that become one row group.
const CHUNK: usize = 16 << 20;

/// The columns of one export, in the order in which they stand in its text.
pub struct Schema {
    pub columns: Vec<(Col, String)>,
    pub delimiter: u8,
    pub decimal: u8,
    /// How times stand in the text; in which zone does not matter, since they keep none.
    pub time: TimeFormat,
}

/// Takes the text of an export, header and all, and writes Parquet.
pub struct ParquetExport {
    schema: Schema,
    path: PathBuf,
    writer: IntakeWriter,
    text: Vec<u8>,
    header_seen: bool,
}

impl ParquetExport {
    /// A writer that creates `path` with the first rows.
    pub fn new(path: &Path, schema: Schema) -> ParquetExport {
        let writer = IntakeWriter::new(path.to_owned());
        ParquetExport { schema, path: path.to_owned(), writer, text: Vec::new(), header_seen: false }
    }

    /// Writes what is left, and the footer.
    ///
    /// # Errors
    /// A row that is no row of this schema, or a file that cannot be written.
    pub fn finish(mut self) -> Result<()> {
        self.write_rows(self.text.len())?;
        self.writer.finish().map(|_| ())
    }

    /// Turns the first `until` bytes, which end at the end of a line, into a row group.
    fn write_rows(&mut self, until: usize) -> Result<()> {
        let rest = self.text.split_off(until);
        let text = std::mem::replace(&mut self.text, rest);
        let has_headers = !std::mem::replace(&mut self.header_seen, true);
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(self.schema.delimiter)
            .has_headers(has_headers)
            .from_reader(text.as_slice());
        let mut columns: Vec<Vec<Option<Vec<u8>>>> = vec![Vec::new(); self.schema.columns.len()];
        for record in reader.byte_records() {
            let record = record.map_err(|e| self.failed("a line is no row").because(e))?;
            for (column, cell) in columns.iter_mut().zip(&record) {
                column.push((!cell.is_empty()).then(|| cell.to_vec()));
            }
        }
        let height = columns.first().map_or(0, Vec::len);
        let typed = self.schema.columns.iter().zip(columns);
        let typed: Vec<Column> =
            typed.map(|((col, name), cells)| self.column(*col, name, cells)).collect::<Result<_>>()?;
        let frame = DataFrame::new(height, typed).map_err(|e| self.failed("a line is no row").because(e))?;
        self.writer.write(&frame)
    }

    fn column(&self, col: Col, name: &str, cells: Vec<Option<Vec<u8>>>) -> Result<Column> {
        let name = PlSmallStr::from_str(name);
        let wrong = || self.failed(&format!("a cell of {name} is no value of {col}"));
        let series = match col.kind() {
            Kind::Time => self.times(&name, &cells).ok_or_else(wrong)?,
            Kind::Money => {
                let amounts = cells
                    .iter()
                    .map(|c| c.as_deref().map(|c| self.amount(c)).map_or(Some(None), |a| a.map(Some)));
                let amounts: Option<Vec<Option<f64>>> = amounts.collect();
                Series::new(name.clone(), amounts.ok_or_else(wrong)?)
            }
            _ => {
                let texts: Vec<Option<String>> =
                    cells.into_iter().map(|c| c.map(|c| String::from_utf8_lossy(&c).into_owned())).collect();
                Series::new(name.clone(), texts)
            }
        };
        Ok(series.into())
    }

    fn amount(&self, cell: &[u8]) -> Option<f64> {
        let text = std::str::from_utf8(cell).ok()?;
        text.replace(char::from(self.schema.decimal), ".").parse().ok()
    }

    /// Timestamps; whole numbers where the text has them.
    fn times(&self, name: &PlSmallStr, cells: &[Option<Vec<u8>>]) -> Option<Series> {
        let epoch = matches!(self.schema.time, TimeFormat::EpochS | TimeFormat::EpochMs);
        let reader = TimeReader { format: self.schema.time.clone(), zone: "UTC".parse().ok()? };
        let read = |cell: &[u8]| match epoch {
            true => std::str::from_utf8(cell).ok()?.parse().ok(),
            false => reader.read(cell).ok(),
        };
        let values: Option<Vec<Option<i64>>> =
            cells.iter().map(|c| c.as_deref().map_or(Some(None), |c| read(c).map(Some))).collect();
        let series = Series::new(name.clone(), values?);
        if epoch { Some(series) } else { series.cast(&DataType::Datetime(TimeUnit::Microseconds, None)).ok() }
    }

    fn failed(&self, what: &str) -> Error {
        Error::output(format!("cannot write {}: {what}", self.path.display()))
    }
}

impl Write for ParquetExport {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        if self.text.len() >= CHUNK
            && let Some(end) = self.text.iter().rposition(|&b| b == b'\n')
        {
            self.write_rows(end + 1).map_err(io::Error::other)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
