//! The manifest of a run: which outputs belong together, and by which digests they are known.
//!
//! It is put into place after all the others, so that a kill between two renames leaves the manifest of the run
//! before beside outputs that it does not fit: who reads it first never takes a mixture for one run. Refuses to
//! speak of what went to stdout; of withheld lists it says only that they stand as they were.

use super::place;
use super::stage::{FolderManifest, MANIFEST, Seal};
use crate::base::error::{Error, Result};
use crate::base::text::{Text, json_document};
use crate::base::time;
use crate::report::{Report, RunInfo};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Raised only when a field changes its meaning or goes away.
const SCHEMA_VERSION: u32 = 1;

/// The outputs of one clickaudit run, renamed into place after all of them.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Manifest {
    /// The version of this format: fields are only ever added to it.
    schema_version: u32,
    made_by: String,
    run: RunOf,
    /// In the order of the command line.
    outputs: Vec<Entry>,
    /// Lists that the run did not write; their files stand as they were.
    withheld: Vec<Withheld>,
}

/// Which run it was.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct RunOf {
    /// The same for the same inputs, rules, settings and version; also `run.id` of the JSON report.
    id: String,
    /// The version of clickaudit.
    version: String,
    /// The moment (UTC) up to which the input is taken to be complete.
    as_of: Option<String>,
    rules_digest: String,
    inputs: Vec<InputOf>,
}

/// One input file.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct InputOf {
    path: String,
    digest: String,
}

/// One output.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Entry {
    /// As in `-o FORMAT=PATH`; or rejects.
    format: String,
    /// From the manifest's folder where it lies below it, otherwise from the root.
    path: String,
    kind: EntryKind,
    /// Of a file: its length. Of a folder: the length of its own `manifest.json`.
    bytes: u64,
    /// The BLAKE3 digest of the same.
    blake3: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    File,
    /// Known by its own `manifest.json`, which names all its files.
    Folder,
}

/// One list that was not written.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Withheld {
    format: String,
    reason: String,
}

/// One output that waits to be put into place.
pub struct Sealed {
    pub format: String,
    pub path: PathBuf,
    pub kind: EntryKind,
    pub seal: Seal,
}

/// Digits of a run's id.
const ID: usize = 16;

/// What a run is known by: a digest of its inputs' digests, its rules, what was set for it, and the version.
pub fn run_id(run: &RunInfo) -> String {
    let mut facts = vec![
        run.version.to_owned(),
        run.rules_digest.clone(),
        run.grain.to_string(),
        format!("{:?}", run.as_of),
        run.tz.clone(),
        run.perspective.to_owned(),
        run.currency.as_ref().map_or(String::new(), Text::json),
        run.maturity_s.to_string(),
        run.rules.observe.to_string(),
        run.rules.suppressions.to_string(),
    ];
    let mut inputs: Vec<String> = run.inputs.iter().map(|i| format!("{} {}", i.side, i.digest)).collect();
    inputs.sort();
    facts.extend(inputs);
    facts.extend(run.rates.iter().map(|r| format!("{} {:?} {}", r.currency.json(), r.day, r.rate)));
    facts.extend(run.parameters.iter().map(|(name, value)| format!("{name}={value}")));
    let mut digest = blake3::Hasher::new();
    for fact in &facts {
        digest.update(fact.as_bytes()).update(&[0]);
    }
    digest.finalize().to_hex()[..ID].to_owned()
}

/// The manifest that will stand at `path`.
///
/// # Errors
/// A folder of an output is gone.
pub fn written(
    report: &Report,
    path: &Path,
    outputs: &[Sealed],
    withheld: &[(String, String)],
) -> Result<Vec<u8>> {
    let run = &report.run;
    let mut inputs: Vec<InputOf> =
        run.inputs.iter().map(|i| InputOf { path: i.path.json(), digest: i.digest.clone() }).collect();
    inputs.sort_by(|a, b| (&a.path, &a.digest).cmp(&(&b.path, &b.digest)));
    let manifest = Manifest {
        schema_version: SCHEMA_VERSION,
        made_by: "clickaudit".to_owned(),
        run: RunOf {
            id: run_id(run),
            version: run.version.to_owned(),
            as_of: run.as_of.map(time::show),
            rules_digest: run.rules_digest.clone(),
            inputs,
        },
        outputs: outputs.iter().map(|output| entry(path, output)).collect::<Result<_>>()?,
        withheld: withheld
            .iter()
            .map(|(format, reason)| Withheld { format: format.clone(), reason: reason.clone() })
            .collect(),
    };
    let text = serde_json::to_string_pretty(&manifest).expect("words and numbers are JSON");
    Ok((json_document(&text) + "\n").into_bytes())
}

fn entry(manifest: &Path, output: &Sealed) -> Result<Entry> {
    let (here, there) = (place(manifest)?, place(&output.path)?);
    let folder = here.parent().unwrap_or(&here);
    let path = there.strip_prefix(folder).unwrap_or(&there);
    Ok(Entry {
        format: output.format.clone(),
        path: path.to_string_lossy().into_owned(),
        kind: output.kind,
        bytes: output.seal.bytes,
        blake3: output.seal.blake3.clone(),
    })
}

/// The JSON Schema of manifests.
pub fn schema() -> String {
    let schema = schemars::schema_for!(Manifest);
    serde_json::to_string_pretty(&schema).expect("a schema is plain JSON") + "\n"
}

// ---------------------------------------------------------------- verifying

/// What a manifest says, held against what stands there.
#[derive(Debug)]
pub struct Verified {
    pub run_id: Text,
    pub as_of: Option<Text>,
    pub outputs: Vec<Checked>,
    /// Lists that stand as they were, with the reason.
    pub withheld: Vec<(Text, Text)>,
}

/// One output of a manifest.
#[derive(Debug)]
pub struct Checked {
    pub format: Text,
    pub path: Text,
    /// What is wrong with it; `None` where it is as it was written.
    pub fault: Option<String>,
}

impl Verified {
    /// Whether all outputs are of the run.
    pub fn is_whole(&self) -> bool {
        self.outputs.iter().all(|output| output.fault.is_none())
    }
}

/// Holds a manifest against the outputs that it names.
///
/// # Errors
/// It cannot be read, or is no manifest of a run.
pub fn verify(path: &Path) -> Result<Verified> {
    let bytes = fs::read(path).map_err(|e| Error::reading(path, e))?;
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|e| no_manifest(path).because(e))?;
    if manifest.schema_version != SCHEMA_VERSION {
        return Err(Error::input(format!(
            "{} is a manifest of version {}, this program knows {SCHEMA_VERSION}",
            path.display(),
            manifest.schema_version
        )));
    }
    let folder = super::folder(path);
    let checked = |entry: &Entry| Checked {
        format: Text::of_user(entry.format.as_str()),
        path: Text::of_user(entry.path.as_str()),
        fault: fault(&folder.join(&entry.path), entry),
    };
    // Nothing of it is data: it was masked when it was written.
    let text = |text: String| Text::of_user(text);
    Ok(Verified {
        run_id: text(manifest.run.id),
        as_of: manifest.run.as_of.map(text),
        outputs: manifest.outputs.iter().map(checked).collect(),
        withheld: manifest.withheld.into_iter().map(|w| (text(w.format), text(w.reason))).collect(),
    })
}

fn no_manifest(path: &Path) -> Error {
    Error::input(format!("{} is no manifest of a run", path.display()))
        .help("name the file that a run wrote with --manifest FILE")
}

/// What is wrong with an output, if anything is.
fn fault(path: &Path, entry: &Entry) -> Option<String> {
    match entry.kind {
        EntryKind::File => differs(path, entry.bytes, &entry.blake3),
        EntryKind::Folder => differs(&path.join(MANIFEST), entry.bytes, &entry.blake3)
            .or_else(|| inside(path).unwrap_or_else(|e| Some(format!("cannot be read: {e}")))),
    }
}

fn differs(path: &Path, bytes: u64, blake3: &str) -> Option<String> {
    match seal(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Some("is missing".to_owned()),
        Err(e) => Some(format!("cannot be read: {e}")),
        Ok(found) if found.bytes == bytes && found.blake3 == blake3 => None,
        Ok(_) => Some("is not what the run wrote".to_owned()),
    }
}

fn seal(path: &Path) -> io::Result<Seal> {
    let mut file = fs::File::open(path)?;
    let mut digest = blake3::Hasher::new();
    let mut piece = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(Seal { bytes, blake3: digest.finalize().to_hex().to_string() }),
            n => {
                digest.update(&piece[..n]);
                bytes += n as u64;
            }
        }
    }
}

/// What is wrong inside a folder whose own manifest is the right one.
fn inside(folder: &Path) -> io::Result<Option<String>> {
    let listed: FolderManifest = serde_json::from_slice(&fs::read(folder.join(MANIFEST))?)?;
    let shown = |name: &str| Text::of_user(name).term(80);
    for file in &listed.files {
        if let Some(fault) = differs(&folder.join(&file.name), file.bytes, &file.blake3) {
            return Ok(Some(format!("its file {} {fault}", shown(&file.name))));
        }
    }
    let mut found = BTreeSet::new();
    names(folder, "", &mut found)?;
    let named = |name: &&String| *name == MANIFEST || listed.files.iter().any(|file| file.name == **name);
    Ok(found.iter().find(|name| !named(name)).map(|name| format!("the run wrote no file {}", shown(name))))
}

/// The names of all files below a folder, parts joined by `/`.
fn names(folder: &Path, before: &str, found: &mut BTreeSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{before}{}", entry.file_name().to_string_lossy());
        match entry.file_type()?.is_dir() {
            true => names(&entry.path(), &format!("{name}/"), found)?,
            false => drop(found.insert(name)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_run_is_known_by_what_was_read_and_set() {
        let rules = sample::rules();
        let mut run = sample::report(&rules).run;
        let id = run_id(&run);
        assert_eq!(id.len(), ID);
        run.inputs.reverse();
        run.inputs[0].path = Text::new("elsewhere");
        assert_eq!(run_id(&run), id, "neither order nor place of the inputs makes another run");
        run.parameters.insert("fdr", "0.2".to_owned());
        let other = run_id(&run);
        run.as_of = None;
        assert!(other != id && run_id(&run) != other);
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("m.json");
        for text in
            ["", "{}", "[]", "{\"schema_version\": 1}", "{\"made_by\": \"clickaudit\", \"files\": []}"]
        {
            fs::write(&path, text).unwrap();
            let error = verify(&path).expect_err(text).to_string();
            assert!(error.ends_with("is no manifest of a run"), "{error}");
        }
        fs::remove_file(&path).unwrap();
        assert!(verify(&path).expect_err("nothing there").to_string().starts_with("cannot read"));
    }
}
