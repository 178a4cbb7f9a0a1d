//! The folder of revisions. The newest file is the list that holds; a new one appears whole or not at all.

use crate::base::durable::{self, Lock};
use crate::base::error::{Error, Result};
use crate::base::text::{Text, json_document};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The version of the files; fields are added within one, never renamed.
const SCHEMA_VERSION: u32 = 1;
/// Revisions that are kept; with one a night, more than a year.
const KEPT: usize = 400;

/// Which list an entry is on; they are never mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Fraud, quality and broken data.
    Block,
    /// Sources that lose money.
    Profit,
    /// Clean sources that earn more than the target.
    Scale,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Block, Kind::Profit, Kind::Scale];

    /// The word of the command line and the files.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Block => "block",
            Kind::Profit => "profit",
            Kind::Scale => "scale",
        }
    }
}

/// One line of a list, with its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub list: Kind,
    /// The values of the grain's columns: the ID, and where it holds (traffic source, campaign).
    pub key: Key,
    /// The columns in the order of the grain.
    pub grain: Vec<String>,
    /// Why: the rule of the strongest finding, and what it says.
    pub rule: String,
    pub title: String,
    /// Up to when the input reached that put it here first, and that last confirmed it; RFC 3339, UTC.
    pub first_seen: String,
    pub last_match: String,
    /// From then on it is off the list.
    pub expires: String,
    /// How often it came on the list, this time included; each time stays twice as long.
    pub times: u32,
    /// Who put it here.
    pub by: String,
    /// Off the list, and kept only to know how often it was there, and why it left.
    #[serde(default)]
    pub expired: bool,
    /// Why it is off the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Left>,
}

/// Why an entry is off its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Left {
    /// Its time is over.
    RunOut,
    /// Somebody protects it.
    Protected,
    /// It is no source to buy more of any longer.
    NotToScale,
}

impl Left {
    /// The reason in a few words.
    pub fn words(self) -> &'static str {
        match self {
            Left::RunOut => "run out",
            Left::Protected => "protected",
            Left::NotToScale => "no longer to be scaled",
        }
    }
}

/// The values of the columns that make a group.
pub type Key = BTreeMap<String, Option<String>>;

impl Entry {
    /// The entry off its list.
    pub(super) fn off(self, why: Left) -> Entry {
        Entry { expired: true, left: Some(why), ..self }
    }
}

/// The state after one change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    pub schema_version: u32,
    /// Counted from 1; 0 is the empty list before the first.
    pub revision: u64,
    /// Up to when the input of the report reached that made it.
    pub as_of: String,
    /// Names the report; empty where a person changed the list.
    pub report: String,
    /// What was done, in a word: `apply`, or `restore 12`.
    pub action: String,
    pub by: String,
    /// Sorted by list and key.
    pub entries: Vec<Entry>,
}

impl Revision {
    /// The list before there was any.
    pub fn empty() -> Revision {
        Revision {
            schema_version: SCHEMA_VERSION,
            revision: 0,
            as_of: String::new(),
            report: String::new(),
            action: String::new(),
            by: String::new(),
            entries: Vec::new(),
        }
    }

    /// What is on a list now. Who is cut is not to be scaled, whatever a state of earlier days says.
    pub fn standing(&self, list: Kind) -> impl Iterator<Item = &Entry> {
        let cut = if list == Kind::Scale { cut(&self.entries) } else { BTreeSet::new() };
        self.entries.iter().filter(move |e| e.list == list && !e.expired && !cut.contains(&e.key))
    }

    /// Names this state.
    pub fn digest(&self) -> String {
        blake3::hash(self.json().as_bytes()).to_hex().to_string()
    }

    /// The file's text.
    pub fn json(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("words and numbers are JSON");
        json_document(&text) + "\n"
    }
}

/// Who stands on a list of sources to cut.
pub(super) fn cut<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> BTreeSet<&'e Key> {
    entries.into_iter().filter(|e| e.list != Kind::Scale && !e.expired).map(|e| &e.key).collect()
}

/// A folder of revisions.
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The store in this folder, which need not be there yet.
    pub fn at(folder: &Path) -> Store {
        Store { folder: folder.to_owned() }
    }

    /// Keeps everybody else from changing the list; `None` if somebody is.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn lock(&self) -> Result<Option<Lock>> {
        fs::create_dir_all(&self.folder).map_err(|e| Error::writing(&self.folder, e))?;
        let lock = durable::lock(&self.folder, Duration::ZERO)?;
        if lock.is_some() {
            durable::sweep(&self.folder)?;
        }
        Ok(lock)
    }

    /// The list that holds.
    ///
    /// # Errors
    /// The newest revision cannot be read: then nothing is known, and that is not "nothing is blocked".
    pub fn latest(&self) -> Result<Revision> {
        self.numbers()?.last().map_or_else(|| Ok(Revision::empty()), |n| self.revision(*n))
    }

    /// One revision.
    ///
    /// # Errors
    /// It is not there or cannot be read.
    pub fn revision(&self, number: u64) -> Result<Revision> {
        let path = self.place(number);
        let text = fs::read_to_string(&path).map_err(|e| Error::reading(&path, e))?;
        let revision: Revision = serde_json::from_str(&text).map_err(|e| {
            Error::input(format!("{} is no revision of a list", path.display()))
                .because(e)
                .help("restore the file from a backup, or move it away to go back to the one before")
        })?;
        if revision.schema_version != SCHEMA_VERSION || revision.revision != number {
            return Err(Error::input(format!(
                "{} was written by another version, or renamed",
                path.display()
            ))
            .help("use the version of clickaudit that wrote it"));
        }
        Ok(revision)
    }

    /// The numbers of all revisions, rising.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn numbers(&self) -> Result<Vec<u64>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Error::reading(&self.folder, e)),
        };
        let number = |name: String| name.strip_prefix("revision-")?.strip_suffix(".json")?.parse().ok();
        let mut numbers: Vec<u64> =
            entries.flatten().filter_map(|e| e.file_name().into_string().ok()).filter_map(number).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Adds a revision, whole or not at all, and removes those that are too old to be of use.
    ///
    /// # Errors
    /// The folder cannot be written, or somebody else added this revision.
    pub fn add(&self, revision: &Revision) -> Result<()> {
        let path = self.place(revision.revision);
        if path.exists() {
            return Err(Error::output(format!("{} is there already", path.display())));
        }
        durable::write(&path, revision.json().as_bytes())?;
        self.prune()
    }

    fn prune(&self) -> Result<()> {
        let numbers = self.numbers()?;
        for number in &numbers[..numbers.len().saturating_sub(KEPT)] {
            let path = self.place(*number);
            fs::remove_file(&path).map_err(|e| Error::writing(&path, e))?;
        }
        Ok(())
    }

    fn place(&self, number: u64) -> PathBuf {
        self.folder.join(format!("revision-{number:06}.json"))
    }
}

/// The values of a key in the order of the grain, for people.
pub(super) fn named(key: &Key, grain: &[String]) -> Text {
    let part = |col: &String| key.get(col).and_then(Option::as_deref).unwrap_or("(none)").to_owned();
    Text::new(grain.iter().map(part).collect::<Vec<_>>().join(" / ")).as_name()
}
