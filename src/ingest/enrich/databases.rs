//! Databases of countries and autonomous systems in MaxMind's format, read into memory and checked whole.
//!
//! The only home of maxminddb. A damaged file is refused when it is opened, before any row is read; it is never
//! mapped, so that nobody can change it under a run.

use crate::base::error::{Error, Result};
use crate::base::text::Text;
use crate::base::time::{SECOND, show};
use maxminddb::{LookupResult, PathElement, Reader};
use std::net::IpAddr;
use std::path::Path;

/// What a database is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Country,
    Operator,
}

impl Subject {
    fn word(self) -> &'static str {
        match self {
            Subject::Country => "country codes",
            Subject::Operator => "numbers of autonomous systems",
        }
    }

    fn other_flag(self) -> &'static str {
        match self {
            Subject::Country => "--asn-db",
            Subject::Operator => "--geoip",
        }
    }

    /// Where databases keep it, the most telling place first: MaxMind's and DB-IP's form, then the flat one.
    fn paths(self) -> &'static [&'static [&'static str]] {
        match self {
            Subject::Country => &[
                &["country", "iso_code"],
                &["registered_country", "iso_code"],
                &["country_code"],
                &["country"],
            ],
            Subject::Operator => {
                &[&["autonomous_system_number"], &["traits", "autonomous_system_number"], &["asn"]]
            }
        }
    }
}

/// So many records are looked at to learn where a database keeps what is asked for.
const LOOKED_AT: usize = 10_000;

/// A database that answers one question.
pub struct Database {
    reader: Reader<Vec<u8>>,
    paths: Vec<&'static [&'static str]>,
    name: String,
}

impl Database {
    /// Reads and checks a database.
    ///
    /// # Errors
    /// It cannot be read, is damaged or no database, or does not say what is asked for.
    pub fn open(path: &Path, subject: Subject) -> Result<Database> {
        let bytes = std::fs::read(path).map_err(|e| Error::reading(path, e))?;
        let damaged = |e: maxminddb::MaxMindDbError| {
            Error::input(format!("{} is no database in MaxMind's format, or damaged", path.display()))
                .because(e)
                .help("download or copy the .mmdb file again; unpack it first if it came in an archive")
        };
        let reader = Reader::from_source(bytes).map_err(damaged)?;
        reader.verify().map_err(damaged)?;
        let paths = paths(&reader, subject).map_err(damaged)?;
        if paths.is_empty() {
            let kind = Text::new(reader.metadata().database_type.as_str()).term(60);
            let message = format!("{} has no {}; its type is {kind}", path.display(), subject.word());
            return Err(Error::input(message)
                .help(format!("a database of the other kind belongs to {}", subject.other_flag())));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Database { reader, paths, name })
    }

    /// The file's name, type and day of making.
    pub fn about(&self) -> String {
        let meta = self.reader.metadata();
        let built = i64::try_from(meta.build_epoch).ok().and_then(|s| s.checked_mul(SECOND));
        let day =
            built.map_or(String::new(), |time| format!(", {}", show(time).split('T').next().unwrap_or("")));
        format!("{} ({}{day})", self.name, meta.database_type)
    }

    /// The code of an address's country, two letters.
    pub fn country(&self, address: IpAddr) -> Option<&str> {
        let record = self.record(address)?;
        let code = |path: &&[&'static str]| text(&record, path).filter(|code| code.len() == 2);
        self.paths.iter().find_map(code)
    }

    /// The number of an address's autonomous system, as `AS64496`.
    pub fn operator(&self, address: IpAddr) -> Option<String> {
        let record = self.record(address)?;
        self.paths.iter().find_map(|path| number(&record, path)).map(|number| format!("AS{number}"))
    }

    /// The record of an address. The file was checked whole: what fails now is an address of a kind that the
    /// database does not have.
    fn record(&self, address: IpAddr) -> Option<LookupResult<'_, Vec<u8>>> {
        self.reader.lookup(address).ok().filter(LookupResult::has_data)
    }
}

/// Those of the subject's places where the first records say something.
fn paths(
    reader: &Reader<Vec<u8>>,
    subject: Subject,
) -> std::result::Result<Vec<&'static [&'static str]>, maxminddb::MaxMindDbError> {
    let mut found = vec![false; subject.paths().len()];
    for record in reader.networks(Default::default())?.take(LOOKED_AT) {
        let record = record?;
        for (found, path) in found.iter_mut().zip(subject.paths()).filter(|(found, _)| !**found) {
            *found = match subject {
                Subject::Country => text(&record, path).is_some_and(|code| code.len() == 2),
                Subject::Operator => number(&record, path).is_some(),
            };
        }
    }
    Ok(subject.paths().iter().zip(found).filter(|(_, found)| *found).map(|(path, _)| *path).collect())
}

fn elements(path: &[&'static str]) -> Vec<PathElement<'static>> {
    path.iter().map(|key| PathElement::Key(key)).collect()
}

/// A text of a record; `None` also where something else stands there.
fn text<'r>(record: &LookupResult<'r, Vec<u8>>, path: &[&'static str]) -> Option<&'r str> {
    record.decode_path::<&str>(&elements(path)).ok().flatten()
}

/// A number of a record, also if it is written as `AS64496`.
fn number(record: &LookupResult<Vec<u8>>, path: &[&'static str]) -> Option<u32> {
    let path = elements(path);
    let whole = record.decode_path::<u32>(&path).ok().flatten();
    let written = || record.decode_path::<&str>(&path).ok().flatten()?.trim_start_matches("AS").parse().ok();
    whole.or_else(written)
}
