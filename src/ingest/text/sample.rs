//! The first rows of a text export as they stand there, for who looks at it before anything is read.

use super::csv_reader;
use super::source::{Form, Header, Source};
use crate::base::error::Result;
use crate::ingest::json;
use crate::ingest::open::Packing;
use crate::ingest::table::Sample;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// Bytes of the file that are looked at.
const HEAD: usize = 1 << 20;

/// The header and the first rows; rows of another width are left out.
///
/// # Errors
/// An unreadable file, or none that has a header.
pub fn sample(path: &Path, packing: Packing, delimiter: Option<u8>, most: usize) -> Result<Sample> {
    let mut source = Source::open(path, packing, HEAD)?;
    let header = source.header(delimiter, &BTreeSet::new())?;
    let bytes = &source.waiting;
    let whole = memchr::memrchr(b'\n', bytes).filter(|_| !source.ended).map_or(bytes.len(), |end| end + 1);
    let rows = match header.form {
        Form::Delimited(mark) => delimited(&bytes[..whole], mark, header.names.len(), most),
        Form::Json => objects(&bytes[..whole], &header, most),
    };
    Ok(Sample { headers: header.names, rows })
}

fn delimited(bytes: &[u8], mark: u8, width: usize, most: usize) -> Vec<Vec<String>> {
    let mut reader = csv_reader(bytes, mark);
    let records = reader.byte_records().map_while(|record| record.ok()).filter(|r| r.len() == width);
    let texts = |r: csv::ByteRecord| r.iter().map(|f| String::from_utf8_lossy(f).into_owned()).collect();
    records.take(most).map(texts).collect()
}

fn objects(bytes: &[u8], header: &Header, most: usize) -> Vec<Vec<String>> {
    let places: HashMap<Vec<u8>, usize> = header.index();
    let row = |line: &[u8]| {
        let mut fields = vec![String::new(); header.names.len()];
        json::flatten(std::str::from_utf8(line).ok()?, &mut |path, leaf| {
            if let Some(&at) = places.get(path) {
                fields[at] = String::from_utf8_lossy(leaf.text()).into_owned();
            }
        })
        .ok()?;
        Some(fields)
    };
    bytes
        .split(|&b| b == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
        .filter_map(row)
        .take(most)
        .collect()
}
