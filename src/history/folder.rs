//! The folder of records. A new record appears whole or not at all; the same night's is replaced.
//!
//! Records are packed with zstd: the same words stand in every line of them. Those that were not packed, as the
//! first versions left them, are read as well, and give way when their night is written again.

use super::record::{Head, Record, SCHEMA_VERSION, whole};
use super::sealed::{self, HELP};
use crate::base::column::Grain;
use crate::base::durable::{self, Ready};
use crate::base::error::{Error, Result};
use crate::base::time::{self, DAY};
use crate::ingest::{Packer, Packing, unpacked};
use crate::verdicts::Pin;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Nights that are kept: more than a year.
const KEPT: usize = 400;
/// How the name of a record goes on behind its day, today's way first.
const FORMS: [(&str, Packing); 2] = [(".jsonl.zst", Packing::Zstd), (".jsonl", Packing::Plain)];
/// The name of the file of pins.
const PINS: &str = "pins.jsonl";

/// What somebody decided by hand about one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinning {
    pub key: Vec<Option<String>>,
    #[serde(flatten)]
    pub pin: Pin,
}

/// The first line of the file of pins.
#[derive(Serialize, Deserialize)]
struct PinsHead {
    schema_version: u32,
}

/// What a folder holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// In order.
    pub nights: Vec<i32>,
    /// Bytes of records and pins.
    pub bytes: u64,
}

/// The record of a night, whole and flushed beside its place; it vanishes unless it is put there.
#[derive(Debug)]
pub struct Staged {
    ready: Ready,
    folder: Folder,
    night: i32,
}

impl Staged {
    /// Puts the record into place and lets go of what is too old.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn commit(self) -> Result<()> {
        self.ready.put()?;
        durable::remove(&self.folder.place(self.night, 1))?;
        let nights = self.folder.nights()?;
        let old = nights.iter().take(nights.len().saturating_sub(KEPT));
        old.copied().try_for_each(|night| self.folder.remove(night).map(drop))
    }
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

    /// The records of every grain that a store knows.
    ///
    /// # Errors
    /// The folder is there and cannot be read.
    pub fn all(store: &Path) -> Result<Vec<Folder>> {
        let runs = store.join("runs");
        let entries = match fs::read_dir(&runs) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Error::reading(&runs, e)),
        };
        let paths = entries.map(|entry| Ok(entry.map_err(|e| Error::reading(&runs, e))?.path()));
        let mut paths: Vec<PathBuf> = paths.collect::<Result<_>>()?;
        paths.sort();
        Ok(paths.into_iter().filter(|path| path.is_dir()).map(|path| Folder { path }).collect())
    }

    /// Takes the groups that bear a name out of all nights and pins; how many lines that were. Each file is the old
    /// one or the new one; who was interrupted asks again.
    ///
    /// # Errors
    /// A record cannot be read or written.
    pub fn forget(&self, name: &str) -> Result<usize> {
        let bears = |key: &[Option<String>]| key.iter().flatten().any(|part| part == name);
        let mut lines = 0;
        for night in self.nights()? {
            let Record { head, lines: all } = self.read(night)?;
            let before = all.len();
            let head = Head { schema_version: SCHEMA_VERSION, ..head };
            let left = Record { head, lines: all.into_iter().filter(|line| !bears(&line.key)).collect() };
            if left.lines.len() < before {
                lines += before - left.lines.len();
                self.write(&left)?;
            }
        }
        let (theirs, others): (Vec<Pinning>, Vec<Pinning>) =
            self.pins()?.into_iter().partition(|pin| bears(&pin.key));
        if !theirs.is_empty() {
            self.set_pins(&others)?;
        }
        Ok(lines + theirs.len())
    }

    /// The nights that are there, in order.
    ///
    /// # Errors
    /// The folder is there and cannot be read.
    pub fn nights(&self) -> Result<Vec<i32>> {
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Error::reading(&self.path, e)),
        };
        let mut nights = Vec::new();
        for entry in entries {
            let name = entry.map_err(|e| Error::reading(&self.path, e))?.file_name();
            let day =
                |name: &str| FORMS.iter().find_map(|(form, _)| time::parse_day(name.strip_suffix(form)?));
            nights.extend(name.to_str().and_then(day));
        }
        nights.sort_unstable();
        nights.dedup();
        Ok(nights)
    }

    /// The record of a night that is there.
    ///
    /// # Errors
    /// It cannot be read, is none, or not as it was written.
    pub fn read(&self, night: i32) -> Result<Record> {
        let form = (0..FORMS.len()).find(|form| self.place(night, *form).exists()).unwrap_or_default();
        let path = self.place(night, form);
        let record = Record::read(BufReader::new(unpacked(&path, FORMS[form].1)?), &path)?;
        if record.head.day() == night {
            return Ok(record);
        }
        let message = format!("{} is the record of another night, {}", path.display(), record.head.night);
        Err(Error::input(message).help(HELP))
    }

    /// The newest record, if there is one.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn newest(&self) -> Result<Option<Record>> {
        self.nights()?.last().map(|night| self.read(*night)).transpose()
    }

    /// Writes a night's record beside its place: what is left to do cannot find the disk full.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn stage(&self, record: &Record) -> Result<Staged> {
        let night = record.head.day();
        let ready = self.beside(&self.place(night, 0), &|file| packed(record, file))?;
        Ok(Staged { ready, folder: self.clone(), night })
    }

    /// Puts a night's record into place and lets go of what is too old.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, record: &Record) -> Result<()> {
        self.stage(record)?.commit()
    }

    /// What is there.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn held(&self) -> Result<Held> {
        let nights = self.nights()?;
        let of_nights = nights.iter().flat_map(|night| (0..FORMS.len()).map(|form| self.place(*night, form)));
        let length = |path: PathBuf| fs::metadata(path).map_or(0, |found| found.len());
        let bytes = of_nights.chain([self.path.join(PINS)]).map(length).sum();
        Ok(Held { nights, bytes })
    }

    /// What is wrong with records and pins, and how many files were looked at.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn verify(&self) -> Result<(Vec<Error>, usize)> {
        let nights = self.nights()?;
        let pinned = self.path.join(PINS).exists();
        let faults = nights.iter().filter_map(|night| self.read(*night).err()).chain(self.pins().err());
        Ok((faults.collect(), nights.len() + usize::from(pinned)))
    }

    /// Lets go of the nights that lie more than `age` microseconds before night `newest`, but not of the last one,
    /// which the next run goes on from; how many nights and bytes that were. The oldest go first, so that who is
    /// interrupted leaves no gap.
    ///
    /// # Errors
    /// The folder cannot be changed.
    pub fn prune(&self, newest: i32, age: i64) -> Result<(usize, u64)> {
        let nights = self.nights()?;
        let earlier = nights.split_last().map_or(&[][..], |(_, earlier)| earlier);
        let old = |night: &&i32| i64::from(newest - **night) * DAY > age;
        let (mut removed, mut bytes) = (0, 0);
        for night in earlier.iter().filter(old) {
            bytes += self.remove(*night)?;
            removed += 1;
        }
        Ok((removed, bytes))
    }

    /// Removes the record of a night, however it is written; its bytes.
    fn remove(&self, night: i32) -> Result<u64> {
        let mut bytes = 0;
        for path in (0..FORMS.len()).map(|form| self.place(night, form)) {
            bytes += fs::metadata(&path).map_or(0, |found| found.len());
            durable::remove(&path)?;
        }
        Ok(bytes)
    }

    /// All pins, whether they still hold or not.
    ///
    /// # Errors
    /// They cannot be read: then nobody knows who is pinned, and that is not "nobody".
    pub fn pins(&self) -> Result<Vec<Pinning>> {
        let path = self.path.join(PINS);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Error::reading(&path, e)),
        };
        let broken = |at: u64, e: serde_json::Error| {
            Error::input(format!("{}: line {at} is no pin", path.display())).because(e).help(HELP)
        };
        // Pins from before there was a first line have no last one either.
        let (mut version, mut pins) = (None, Vec::new());
        let ending = sealed::read(BufReader::new(file), &path, &mut |at, line| {
            match serde_json::from_slice::<PinsHead>(line) {
                Ok(head) if at == 1 => version = Some(head.schema_version),
                _ => pins.push(serde_json::from_slice(line).map_err(|e| broken(at, e))?),
            }
            Ok(())
        })?;
        if version.is_none() && pins.is_empty() {
            return Err(sealed::cut(&path));
        }
        whole(version.unwrap_or(1), ending, &path)?;
        Ok(pins)
    }

    /// Replaces the pins.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn set_pins(&self, pins: &[Pinning]) -> Result<()> {
        let head = serde_json::to_string(&PinsHead { schema_version: SCHEMA_VERSION });
        let lines = std::iter::once(head).chain(pins.iter().map(serde_json::to_string));
        let lines: Vec<String> = lines.map(|line| line.expect("words and numbers are JSON")).collect();
        self.beside(&self.path.join(PINS), &|file| sealed::write(file, lines.iter().cloned()))?.put()
    }

    fn place(&self, night: i32, form: usize) -> PathBuf {
        self.path.join(format!("{}{}", time::show_day(night), FORMS[form].0))
    }

    fn beside(&self, path: &Path, write: &dyn Fn(&mut dyn Write) -> io::Result<()>) -> Result<Ready> {
        durable::private_folder(&self.path)?;
        durable::sweep(&self.path)?;
        let mut file = durable::beside(path)?;
        let mut buffered = BufWriter::with_capacity(1 << 18, file.as_file_mut());
        write(&mut buffered).and_then(|()| buffered.flush()).map_err(|e| Error::writing(path, e))?;
        drop(buffered);
        durable::flush(file, path)
    }
}

fn packed(record: &Record, sink: &mut dyn Write) -> io::Result<()> {
    let mut packer = Packer::new(FORMS[0].1, sink)?;
    record.write(&mut packer)?;
    packer.finish()
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
    fn a_name_is_forgotten_in_all_nights_and_pins() {
        let store = tempfile::tempdir().expect("a folder");
        let folder = Folder::of(store.path(), &Grain::source());
        for night in ["2026-03-09", "2026-03-10"] {
            let lines = vec![line("192.0.2.7", "hold", 1), line("b", "clean", 2)];
            folder.write(&Record { head: head(night), lines }).expect("written");
        }
        let pin = Pin { pinned: Pinned::Ok, until: 7, reason: "x".into(), by: "ana".into() };
        folder.set_pins(&[Pinning { key: vec![Some("192.0.2.7".into())], pin }]).expect("written");
        let all = Folder::all(store.path()).expect("read");
        let found: usize = all.iter().map(|folder| folder.forget("192.0.2.7").expect("written")).sum();
        assert_eq!((all.len(), found), (1, 3));
        assert_eq!(folder.newest().expect("read").expect("there").lines.len(), 1);
        assert!(folder.pins().expect("read").is_empty());
        assert_eq!(folder.forget("192.0.2.7").expect("nothing to write"), 0);
    }

    /// The record as the first versions wrote it: neither packed nor with an end.
    fn write_old(folder: &Folder, record: &Record) {
        let mut bytes = Vec::new();
        let head = Head { schema_version: 1, ..record.head.clone() };
        Record { head, lines: record.lines.clone() }.write(&mut bytes).expect("memory takes everything");
        let text = String::from_utf8(bytes).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        durable::private_folder(&folder.path).expect("made");
        fs::write(folder.place(record.head.day(), 1), lines[..lines.len() - 1].join("\n") + "\n")
            .expect("written");
    }

    #[test]
    fn records_of_the_first_versions_are_read_and_give_way() {
        let store = tempfile::tempdir().expect("a folder");
        let folder = Folder::of(store.path(), &Grain::source());
        for night in ["2026-03-08", "2026-03-09"] {
            write_old(&folder, &record(night, 7));
        }
        folder.write(&record("2026-03-10", 8)).expect("written");
        assert_eq!(folder.nights().expect("three").len(), 3);
        let night = record("2026-03-09", 0).head.day();
        assert_eq!(folder.read(night).expect("a record").lines[0].clicks, 7);
        folder.write(&record("2026-03-09", 9)).expect("written");
        assert_eq!(folder.read(night).expect("a record").lines[0].clicks, 9);
        assert!(!folder.place(night, 1).exists() && folder.place(night - 1, 1).exists());
        assert_eq!(folder.verify().expect("looked at").1, 3);
    }

    #[test]
    fn a_broken_record_is_an_error_and_not_a_night_without_groups() {
        let store = tempfile::tempdir().expect("a folder");
        let folder = Folder::of(store.path(), &Grain::source());
        folder.write(&record("2026-03-09", 1)).expect("written");
        let place = folder.place(record("2026-03-09", 1).head.day(), 0);
        let whole = fs::read(&place).expect("read");
        for broken in [&b"{"[..], b"", &whole[..whole.len() - 4], &[&whole[..], b"x"].concat()] {
            fs::write(&place, broken).expect("written");
            assert!(folder.newest().is_err(), "{broken:?}");
            assert_eq!(folder.verify().expect("looked at").0.len(), 1);
        }
        fs::write(&place, &whole).expect("written");
        fs::copy(&place, folder.place(record("2026-03-10", 1).head.day(), 0)).expect("copied");
        let error = folder.newest().expect_err("a night under another name").to_string();
        assert!(error.contains("is the record of another night, 2026-03-09"), "{error}");
    }

    #[test]
    fn what_is_staged_counts_once_it_is_put_into_place() {
        let store = tempfile::tempdir().expect("a folder");
        let folder = Folder::of(store.path(), &Grain::source());
        drop(folder.stage(&record("2026-03-09", 1)).expect("staged"));
        assert!(fs::read_dir(&folder.path).expect("a folder").next().is_none());
        folder.stage(&record("2026-03-09", 1)).expect("staged").commit().expect("renamed");
        assert_eq!(folder.nights().expect("one").len(), 1);
    }

    #[test]
    fn old_nights_go_and_the_last_one_stays() {
        let store = tempfile::tempdir().expect("a folder");
        let folder = Folder::of(store.path(), &Grain::source());
        let nights = ["2026-03-01", "2026-03-02", "2026-03-09"];
        nights.iter().for_each(|night| folder.write(&record(night, 1)).expect("written"));
        write_old(&folder, &record("2026-03-03", 1));
        let all = folder.held().expect("read");
        let last = *all.nights.last().expect("a night");
        assert_eq!(folder.prune(last, 8 * DAY).expect("pruned").0, 0);
        assert_eq!(folder.prune(last, 7 * DAY).expect("pruned").0, 1);
        let (removed, bytes) = folder.prune(last, 0).expect("pruned");
        assert_eq!((removed, folder.nights().expect("one")), (2, vec![last]));
        assert!(bytes > 0 && folder.held().expect("read").bytes < all.bytes);
        assert_eq!(folder.prune(last + 100, 0).expect("nothing to do"), (0, 0));
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
        assert_eq!(folder.verify().expect("looked at").1, 1);
        let place = folder.path.join(PINS);
        let text = fs::read_to_string(&place).expect("read");
        let lines: Vec<&str> = text.lines().collect();
        for broken in ["{", "", lines[0], &lines[..2].join("\n"), &text.replace("\"ok\"", "\"hold\"")] {
            fs::write(&place, broken).expect("written");
            let error = folder.pins().expect_err(broken);
            assert!(error.help.is_some(), "{error}");
            assert_eq!(folder.verify().expect("looked at").0.len(), 1);
        }
        fs::write(&place, lines[1]).expect("as the first versions wrote it");
        assert_eq!(folder.pins().expect("read"), pins);
        folder.set_pins(&[]).expect("written");
        assert!(folder.pins().expect("nobody").is_empty());
    }
}
