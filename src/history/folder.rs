//! The folder of records. A new record appears whole or not at all; the same night's is replaced.

use super::record::Record;
use crate::base::column::Grain;
use crate::base::durable;
use crate::base::error::{Error, Result};
use crate::base::time;
use crate::verdicts::Pin;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// Nights that are kept: more than a year.
const KEPT: usize = 400;
/// The name of the file of pins.
const PINS: &str = "pins.jsonl";

/// What somebody decided by hand about one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinning {
    pub key: Vec<Option<String>>,
    #[serde(flatten)]
    pub pin: Pin,
}

/// The records of one grain.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The records of a grain in a store, which need not be there yet.
    pub fn of(store: &Path, grain: &Grain) -> Folder {
        let columns: Vec<&str> = grain.columns().iter().map(|c| c.name()).collect();
        Folder { path: store.join("runs").join(columns.join(",")) }
    }

    /// The nights that are there, in order.
    ///
    /// # Errors
    /// The folder is there and cannot be read.
    pub fn nights(&self) -> Result<Vec<i32>> {
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Error::reading(&self.path, e)),
        };
        let mut nights = Vec::new();
        for entry in entries {
            let name = entry.map_err(|e| Error::reading(&self.path, e))?.file_name();
            let day = name.to_str().and_then(|name| time::parse_day(name.strip_suffix(".jsonl")?));
            nights.extend(day);
        }
        nights.sort_unstable();
        Ok(nights)
    }

    /// The record of a night that is there.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn read(&self, night: i32) -> Result<Record> {
        let path = self.place(night);
        let text = fs::read_to_string(&path).map_err(|e| Error::reading(&path, e))?;
        Record::read(&text, &path)
    }

    /// The newest record, if there is one.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn newest(&self) -> Result<Option<Record>> {
        self.nights()?.last().map(|night| self.read(*night)).transpose()
    }

    /// Puts a night's record into place and lets go of what is too old.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, record: &Record) -> Result<()> {
        self.put(&self.place(record.head.day()), &record.text())?;
        let nights = self.nights()?;
        for night in nights.iter().take(nights.len().saturating_sub(KEPT)) {
            let path = self.place(*night);
            fs::remove_file(&path).map_err(|e| Error::writing(&path, e))?;
        }
        Ok(())
    }

    /// All pins, whether they still hold or not.
    ///
    /// # Errors
    /// They cannot be read: then nobody knows who is pinned, and that is not "nobody".
    pub fn pins(&self) -> Result<Vec<Pinning>> {
        let path = self.path.join(PINS);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Error::reading(&path, e)),
        };
        let broken = |at: usize, e: serde_json::Error| {
            Error::input(format!("{}: line {} is no pin", path.display(), at + 1)).because(e)
        };
        let lines = text.lines().enumerate();
        lines.map(|(at, line)| serde_json::from_str(line).map_err(|e| broken(at, e))).collect()
    }

    /// Replaces the pins.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn set_pins(&self, pins: &[Pinning]) -> Result<()> {
        let line = |pin: &Pinning| serde_json::to_string(pin).expect("words and numbers are JSON") + "\n";
        self.put(&self.path.join(PINS), &pins.iter().map(line).collect::<String>())
    }

    fn place(&self, night: i32) -> PathBuf {
        self.path.join(format!("{}.jsonl", time::show_day(night)))
    }

    fn put(&self, path: &Path, text: &str) -> Result<()> {
        durable::private_folder(&self.path)?;
        durable::sweep(&self.path)?;
        durable::write(path, text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::samples::{head, line};
    use crate::verdicts::Pinned;

    fn record(night: &str, clicks: u64) -> Record {
        Record { head: head(night), lines: vec![line("a", "hold", clicks)] }
    }

    #[test]
    fn the_same_night_is_replaced_and_nights_are_in_order() {
        let store = tempfile::tempdir().expect("a folder");
        let folder = Folder::of(store.path(), &Grain::source());
        assert!(folder.nights().expect("none").is_empty());
        assert!(folder.newest().expect("none").is_none());
        for (night, clicks) in [("2026-03-10", 1), ("2026-03-09", 2), ("2026-03-10", 3)] {
            folder.write(&record(night, clicks)).expect("written");
        }
        let newest = folder.newest().expect("read").expect("there");
        assert_eq!((newest.head.night.as_str(), newest.lines[0].clicks), ("2026-03-10", 3));
        assert_eq!(folder.nights().expect("two").len(), 2);
    }

    #[test]
    fn a_broken_record_is_an_error_and_not_a_night_without_groups() {
        let store = tempfile::tempdir().expect("a folder");
        let folder = Folder::of(store.path(), &Grain::source());
        folder.write(&record("2026-03-09", 1)).expect("written");
        fs::write(folder.place(record("2026-03-09", 1).head.day()), "{").expect("written");
        assert!(folder.newest().is_err());
    }

    #[test]
    fn pins_are_kept() {
        let store = tempfile::tempdir().expect("a folder");
        let folder = Folder::of(store.path(), &Grain::source());
        assert!(folder.pins().expect("none").is_empty());
        let pin = Pin { pinned: Pinned::Ok, until: 7, reason: "a \"word\"".into(), by: "ana".into() };
        let pins = vec![Pinning { key: vec![None, Some("a\nb".into())], pin }];
        folder.set_pins(&pins).expect("written");
        assert_eq!(folder.pins().expect("read"), pins);
    }
}
