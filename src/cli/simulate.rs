//! `clickaudit simulate`: labelled traffic into a folder; and the reference documentation.

use super::args::{ReferenceArgs, SimulateArgs};
use super::complain;
use super::exit::Exit;
use crate::base::error::{Error, Result};
use crate::simulate::Traffic;
use std::fs::File;
use std::path::Path;

/// Writes the traffic.
///
/// # Errors
/// The folder cannot be written.
pub fn run(args: SimulateArgs) -> Result<Exit> {
    let traffic = if args.sample {
        Traffic::sample()
    } else {
        Traffic::bench(args.clicks, args.conversions, args.seed)
    };
    std::fs::create_dir_all(&args.folder).map_err(|e| Error::writing(&args.folder, e))?;
    let mut files =
        ["clicks.csv", "conversions.csv", "planted.csv"].into_iter().map(|n| create(&args.folder, n));
    let mut next = || files.next().expect("there are three");
    let (mut clicks, mut conversions, mut planted) = (next()?, next()?, next()?);
    let written = traffic.write(&mut clicks, &mut conversions, &mut planted);
    let summary = written.map_err(|e| Error::writing(&args.folder, e))?;
    complain(&format!(
        "{} clicks, {} conversions, {} sources, {} of them with planted fraud",
        summary.clicks, summary.conversions, summary.sources, summary.planted
    ));
    Ok(Exit::Completed)
}

fn create(folder: &Path, name: &str) -> Result<File> {
    let path = folder.join(name);
    File::create(&path).map_err(|e| Error::writing(&path, e))
}

/// Writes the generated documentation.
///
/// # Errors
/// The folder cannot be written.
pub fn reference(args: ReferenceArgs) -> Result<Exit> {
    for (name, text) in crate::reference::documents() {
        let path = args.folder.join(name);
        std::fs::write(&path, text).map_err(|e| Error::writing(&path, e))?;
    }
    Ok(Exit::Completed)
}
