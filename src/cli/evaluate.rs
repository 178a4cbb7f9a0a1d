//! `clickaudit evaluate`: how good the verdicts of a report are where the truth is known.

use super::args::{EvaluateArgs, FailOn, TableFormat};
use super::exit::Exit;
use super::print;
use crate::base::error::{Error, Result};
use crate::evaluate::{Level, evaluate, text, truth};
use std::path::Path;

/// Prints the evaluation.
///
/// # Errors
/// A file cannot be read or is of another kind, or the two do not belong together.
pub fn run(args: EvaluateArgs) -> Result<Exit> {
    let at = match args.at {
        FailOn::Block => Level::Block,
        FailOn::Hold => Level::Hold,
        FailOn::Watch => Level::Watch,
    };
    let labels = truth(&read(&args.truth)?, &args.truth.display().to_string())?;
    let evaluation = evaluate(&read(&args.report)?, &labels, at)?;
    let shown = match args.format {
        TableFormat::Text => text(&evaluation),
        TableFormat::Json => {
            let json = serde_json::to_string_pretty(&evaluation).expect("numbers and words are JSON");
            crate::base::text::json_document(&json) + "\n"
        }
    };
    print(shown.as_bytes())?;
    Ok(Exit::Completed)
}

fn read(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|e| Error::reading(path, e))?;
    String::from_utf8(bytes).map_err(|_| {
        Error::input(format!("{} is no text", path.display()))
            .help("evaluate wants the JSON report of an audit, and a CSV file with the truth")
    })
}
