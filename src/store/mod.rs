//! The folder that a nightly run remembers in: what was read, as plain Parquet that any tool can read, and a
//! manifest that says which of it counts.
//!
//! One writer at a time, by a lock. The manifest is replaced as a whole, and files are never changed in place, so
//! that a kill at any instant leaves the state before or the state after; what neither knows is removed by the
//! next run. Refuses: folders of something else, and stores of another version.

mod forget;
mod prune;
mod status;
mod verify;

pub use prune::Pruned;
pub use status::{Side, Status, status};
pub use verify::{Fault, verify};

use crate::base::durable::{self, Lock};
use crate::base::error::{Error, Result};
use crate::ingest::shelf::{Fresh, INDEX, INTAKE, Kept, MEASURES, Measured, Shelf, Stored, Wish};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The version of the layout; a store of another one is refused.
pub const VERSION: u32 = 1;

/// How the file [`VERSION_FILE`] begins.
const MADE_BY: &str = "clickaudit store ";

/// The folders of a store and what they hold. `runs` belongs to the history of runs.
pub const FOLDERS: &[(&str, &str)] = &[
    (INTAKE, "typed rows, one Parquet file for each export that was read"),
    (INDEX, "clicks by the hash of their ID, for conversions that come late"),
    (MEASURES, "what was counted of the clicks of each export, by day"),
    ("runs", "what each night found, one record for each grouping (`.jsonl.zst`), and pins"),
];

/// The file that says what counts.
pub const MANIFEST: &str = "manifest.json";

/// The file that says how a store is laid out.
const VERSION_FILE: &str = "VERSION";

/// What is kept. A file that is not named here does not count.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Manifest {
    version: u32,
    /// Sorted by key.
    pub kept: Vec<Kept>,
}

impl Manifest {
    fn files(&self) -> impl Iterator<Item = &Stored> {
        let rows = self.kept.iter().flat_map(|kept| kept.intake.iter().chain(&kept.index));
        rows.chain(self.kept.iter().flat_map(|kept| &kept.measured).flat_map(Measured::files))
    }
}

/// A store, opened for reading or for changing.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    /// Held by who may change it, and given back when the store goes.
    lock: Option<Lock>,
}

impl Store {
    /// Opens a store to change it, and makes it where there is none. What killed runs left behind is removed.
    ///
    /// # Errors
    /// The folder is something else, of another version, cannot be written, or is locked for longer than `wait`.
    pub fn open(folder: &Path, wait: Duration) -> Result<Store> {
        durable::private_folder(folder)?;
        refuse_foreign(folder)?;
        let lock = durable::lock(folder, wait)?.ok_or_else(|| durable::locked(folder))?;
        durable::sweep(folder)?;
        let version = folder.join(VERSION_FILE);
        if !version.exists() {
            durable::write(&version, format!("{MADE_BY}{VERSION}\n").as_bytes())?;
        }
        for (name, _) in FOLDERS {
            durable::private_folder(&folder.join(name))?;
            durable::sweep(&folder.join(name))?;
        }
        let store = Store { folder: folder.to_owned(), lock: Some(lock) };
        store.remove_strangers(&store.manifest()?)?;
        Ok(store)
    }

    /// Opens a store to look at it; needs no lock.
    ///
    /// # Errors
    /// There is none, or of another version.
    pub fn look(folder: &Path) -> Result<Store> {
        if !folder.join(VERSION_FILE).is_file() {
            return Err(Error::usage(format!("there is no store in {}", folder.display()))
                .help("an audit with --store makes one"));
        }
        refuse_foreign(folder)?;
        Ok(Store { folder: folder.to_owned(), lock: None })
    }

    /// Where the store is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is kept.
    ///
    /// # Errors
    /// The manifest cannot be read: then nothing is known, and that is not "nothing is there".
    pub fn manifest(&self) -> Result<Manifest> {
        let path = self.folder.join(MANIFEST);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Manifest::default()),
            Err(e) => return Err(Error::reading(&path, e)),
        };
        serde_json::from_str(&text).map_err(|e| {
            Error::input(format!("{} is no manifest of a store", path.display())).because(e).help(
                "restore it from a backup, or move it away and name the exports again: nights and pins stay",
            )
        })
    }

    /// What a run that looks at these rows knows of earlier ones.
    ///
    /// # Errors
    /// The manifest cannot be read.
    pub fn shelf(&self, wish: Wish) -> Result<Shelf> {
        let changes = self.lock.is_some();
        Ok(Shelf { folder: self.folder.clone(), kept: self.manifest()?.kept, wish, changes })
    }

    /// Keeps what a run read for the first time.
    ///
    /// # Errors
    /// The store cannot be written; it is as it was then.
    pub fn keep(&self, fresh: &Fresh) -> Result<()> {
        if fresh.is_empty() {
            return Ok(());
        }
        let mut manifest = self.manifest()?;
        let new: BTreeSet<&str> = fresh.kept.iter().map(|k| k.key.as_str()).collect();
        manifest.kept.retain(|k| !new.contains(k.key.as_str()) && !fresh.replaced.contains(&k.key));
        manifest.kept.extend(fresh.kept.iter().cloned());
        for (key, measured) in &fresh.measured {
            let of = |kept: &&mut Kept| kept.key == *key && kept.intake.is_some();
            manifest.kept.iter_mut().filter(of).for_each(|kept| kept.measured.clone_from(measured));
        }
        self.replace(manifest)
    }

    /// Replaces the manifest, and removes the files that it no longer names.
    fn replace(&self, mut manifest: Manifest) -> Result<()> {
        manifest.version = VERSION;
        manifest.kept.sort_by(|a, b| a.key.cmp(&b.key));
        let mut text = serde_json::to_string_pretty(&manifest).expect("words and numbers are JSON");
        text.push('\n');
        durable::write(&self.folder.join(MANIFEST), text.as_bytes())?;
        self.remove_strangers(&manifest)
    }

    /// Removes files of rows and clicks that the manifest does not name: a killed run left them.
    fn remove_strangers(&self, manifest: &Manifest) -> Result<()> {
        let named: BTreeSet<PathBuf> = manifest.files().map(|f| self.folder.join(&f.name)).collect();
        for path in self.present()? {
            if !named.contains(&path) {
                durable::remove(&path)?;
            }
        }
        Ok(())
    }

    /// The files of rows and clicks that are there.
    fn present(&self) -> Result<Vec<PathBuf>> {
        let mut present = Vec::new();
        for folder in [INTAKE, INDEX, MEASURES].map(|name| self.folder.join(name)) {
            let entries = match fs::read_dir(&folder) {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                entries => entries.map_err(|e| Error::reading(&folder, e))?,
            };
            present.extend(entries.flatten().map(|e| e.path()).filter(|p| p.is_file()));
        }
        present.sort();
        Ok(present)
    }

    /// The folder of runs.
    pub fn runs(&self) -> PathBuf {
        self.folder.join("runs")
    }
}

/// Refuses a folder that holds something else, and a store of another version.
fn refuse_foreign(folder: &Path) -> Result<()> {
    let path = folder.join(VERSION_FILE);
    match fs::read_to_string(&path) {
        Ok(text) => refuse_other_version(folder, &text),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => refuse_full(folder),
        Err(e) => Err(Error::reading(&path, e)),
    }
}

fn refuse_other_version(folder: &Path, text: &str) -> Result<()> {
    match text.strip_prefix(MADE_BY).map(str::trim) {
        Some(version) if version == VERSION.to_string() => Ok(()),
        Some(version) => {
            let version = crate::base::text::Text::new(version).term(20);
            Err(Error::usage(format!(
                "the store {} has the layout of version {version}; this program knows version {VERSION}",
                folder.display()
            ))
            .help("use the version of clickaudit that wrote it, or another folder"))
        }
        None => Err(Error::usage(format!("{} is no store of clickaudit", folder.display()))
            .help("name another folder; it is made if it is not there")),
    }
}

/// A folder without a version is a new one: empty, or as a run left it that was killed at its first step.
fn refuse_full(folder: &Path) -> Result<()> {
    let entries = fs::read_dir(folder).map_err(|e| Error::reading(folder, e))?;
    let foreign = entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name != ".lock" && !name.starts_with(durable::PREFIX)
    });
    if !foreign {
        return Ok(());
    }
    Err(Error::usage(format!("{} holds other files and is no store of clickaudit", folder.display()))
        .help("name a folder that is empty or not there yet"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::Fault;

    fn fault(outcome: Result<Store>) -> Fault {
        outcome.expect_err("a fault").fault
    }

    #[test]
    fn a_store_is_made_once_and_opened_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let place = dir.path().join("a/store");
        assert_eq!(fault(Store::look(&place)), Fault::Usage);
        drop(Store::open(&place, Duration::ZERO).expect("a new store"));
        let store = Store::open(&place, Duration::ZERO).expect("the same store");
        assert!(store.runs().is_dir() && Store::look(&place).is_ok());
        assert_eq!(fault(Store::open(&place, Duration::ZERO)), Fault::Locked);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&place).expect("metadata").permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
        }
    }

    #[test]
    fn a_killed_first_step_is_no_foreign_folder() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join(".lock"), "").expect("written");
        fs::write(dir.path().join(".clickaudit-abc.tmp"), "clicka").expect("written");
        drop(Store::open(dir.path(), Duration::ZERO).expect("a store"));
        assert!(!dir.path().join(".clickaudit-abc.tmp").exists());
    }

    #[test]
    fn foreign_folders_and_other_versions_are_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("thesis.tex"), "").expect("written");
        assert_eq!(fault(Store::open(dir.path(), Duration::ZERO)), Fault::Usage);
        for text in ["clickaudit store 99\n", "something else\n", ""] {
            let dir = tempfile::tempdir().expect("a folder");
            fs::write(dir.path().join("VERSION"), text).expect("written");
            assert_eq!(fault(Store::open(dir.path(), Duration::ZERO)), Fault::Usage, "{text}");
            assert_eq!(fault(Store::look(dir.path())), Fault::Usage, "{text}");
        }
    }
}
