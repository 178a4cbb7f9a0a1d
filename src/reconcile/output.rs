//! The outputs of a comparison: a table of formats, and what `-o FORMAT=PATH` asks for.

use super::{Reconciliation, json, letter, rows, text, workbook};
use crate::base::error::{Error, Result};
use crate::base::near::nearest;
use crate::report::{FileOf, Look, NamedFile};
use std::fs;
use std::path::{Path, PathBuf};

/// What a renderer made.
pub enum Made {
    Bytes(Vec<u8>),
    /// Files of a folder.
    Files(Vec<NamedFile>),
}

/// One output format.
pub struct Format {
    pub name: &'static str,
    pub summary: &'static str,
    /// Several files, which cannot go to stdout.
    pub folder: bool,
    /// Bytes that no terminal shows.
    pub binary: bool,
    pub render: fn(&Reconciliation, &Look) -> Result<Made>,
}

/// Every output format.
pub const FORMATS: &[Format] = &[
    Format {
        name: "table",
        summary: "for people: the sentence, the classes, the money, the first differences",
        folder: false,
        binary: false,
        render: |found, look| Ok(Made::Bytes(text::text(found, look).into_bytes())),
    },
    Format {
        name: "json",
        summary: "everything for programs (docs/reconcile.schema.json)",
        folder: false,
        binary: false,
        render: |found, _| json::document(found).map(|text| Made::Bytes(text.into_bytes())),
    },
    Format {
        name: "csv",
        summary: "every difference in a row",
        folder: false,
        binary: false,
        render: |found, _| rows::differences(found).map(Made::Bytes),
    },
    Format {
        name: "xlsx",
        summary: "a workbook: summary, accounts, differences",
        folder: false,
        binary: true,
        render: |found, _| workbook::workbook(found).map(Made::Bytes),
    },
    Format {
        name: "letter",
        summary: "a folder: a letter to the other side in English and Russian, and the list of differences",
        folder: true,
        binary: false,
        render: |found, _| letter::files(found).map(Made::Files),
    },
];

/// One `-o FORMAT=PATH`.
pub struct Output {
    pub format: &'static Format,
    /// `None` is stdout.
    pub path: Option<PathBuf>,
}

impl Output {
    /// Reads `FORMAT=PATH`; `-` is stdout.
    ///
    /// # Errors
    /// An unknown format, with the nearest name, a missing path, a folder for stdout.
    pub fn parse(text: &str) -> Result<Output> {
        let (name, path) = text.split_once('=').unwrap_or((text, ""));
        let format = FORMATS.iter().find(|f| f.name == name).ok_or_else(|| unknown(name))?;
        match path {
            "" => Err(Error::usage(format!("the output `{text}` has no path"))
                .help(format!("write `-o {name}=PATH`, or `-o {name}=-` for stdout"))),
            "-" if format.folder => Err(Error::usage(format!("`{name}` is a folder of files"))
                .help(format!("write `-o {name}=FOLDER`"))),
            "-" => Ok(Output { format, path: None }),
            path => Ok(Output { format, path: Some(PathBuf::from(path)) }),
        }
    }
}

fn unknown(name: &str) -> Error {
    let all: Vec<&str> = FORMATS.iter().map(|f| f.name).collect();
    let near = nearest(name, all.iter().copied());
    let mean = near.first().map_or(String::new(), |near| format!("did you mean `{near}`? "));
    Error::usage(format!("there is no output format `{name}`"))
        .help(format!("{mean}the formats are {}", all.join(", ")))
}

/// Checks outputs before any work is done; `read` are the files that the run reads.
///
/// # Errors
/// Two outputs to stdout or to one place, or a target that the run reads.
pub fn check(outputs: &[Output], others: &[PathBuf], read: &[PathBuf]) -> Result<()> {
    if outputs.iter().filter(|o| o.path.is_none()).count() > 1 {
        return Err(Error::usage("two outputs go to stdout").help("give all but one of them a path"));
    }
    let targets: Vec<&Path> =
        outputs.iter().filter_map(|o| o.path.as_deref()).chain(others.iter().map(PathBuf::as_path)).collect();
    let real = |path: &Path| fs::canonicalize(path).ok();
    for (at, target) in targets.iter().enumerate() {
        if targets[..at].contains(target) {
            return Err(Error::usage(format!("two outputs go to {}", target.display()))
                .help("give each output a place of its own"));
        }
        let place = real(target);
        if place.is_some() && read.iter().any(|path| real(path) == place) {
            return Err(Error::usage(format!("the output {} is read by this run", target.display()))
                .help("give the output another name"));
        }
    }
    Ok(())
}

/// The files of all outputs, to be put into place together.
///
/// # Errors
/// An output that cannot be made.
pub fn files(found: &Reconciliation, outputs: &[Output]) -> Result<Vec<FileOf>> {
    let mut files = Vec::new();
    for output in outputs {
        let Some(path) = &output.path else { continue };
        match (output.format.render)(found, &Look::PLAIN)? {
            Made::Bytes(bytes) => files.push(FileOf { path: path.clone(), bytes }),
            Made::Files(named) => files.extend(
                named.into_iter().map(|file| FileOf { path: path.join(file.name), bytes: file.bytes }),
            ),
        }
    }
    Ok(files)
}

/// The bytes for stdout, if an output goes there, and whether a terminal can show them.
///
/// # Errors
/// The output cannot be made.
pub fn stdout(found: &Reconciliation, outputs: &[Output], look: &Look) -> Result<Option<(bool, Vec<u8>)>> {
    let Some(output) = outputs.iter().find(|o| o.path.is_none()) else { return Ok(None) };
    match (output.format.render)(found, look)? {
        Made::Bytes(bytes) => Ok(Some((output.format.name == "table", bytes))),
        Made::Files(_) => Ok(None),
    }
}
