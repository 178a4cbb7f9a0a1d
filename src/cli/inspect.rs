//! `clickaudit inspect`: what a file is, before anything is judged by it.

use super::args::{InspectArgs, PageFormat};
use super::exit::Exit;
use super::{audit, complain, print};
use crate::base::error::{Error, Result};
use crate::ingest::Shape;
use crate::ingest::mapping::{self, Said};
use crate::inspect::{self, Options};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

/// Runs the command.
///
/// # Errors
/// Anything that keeps it from completing.
pub fn run(args: InspectArgs) -> Result<Exit> {
    if args.files.len() > 2 {
        return Err(Error::usage(format!("{} files are too many", args.files.len()))
            .help("inspect one file, or a pair: clicks and conversions"));
    }
    audit::refuse_stdin(args.files.iter().filter_map(|path| path.to_str()))?;
    audit::limit_threads(args.threads);
    let page = inspect::inspect(&options(&args)?)?;
    let text = match args.format {
        PageFormat::Text => inspect::text(&page, audit::look(args.color).width.unwrap_or(100)),
        PageFormat::Json => inspect::json(&page),
    };
    if let Some(path) = &args.write_map {
        write_new(path, &inspect::mapping(&page))?;
        complain(&format!("wrote {}", path.display()));
    }
    print(text.as_bytes())?;
    Ok(exit(&page))
}

fn options(args: &InspectArgs) -> Result<Options> {
    let mut user = args.map.as_deref().map(mapping::load).transpose()?.unwrap_or_default();
    let zones = args.time_zone.iter().map(|text| audit::time_zone(text)).collect::<Result<_>>()?;
    user.said(Said { time_zones: zones, ..Said::default() });
    Ok(Options {
        files: args.files.clone(),
        shape: args.side.as_deref().map(side).transpose()?,
        presets: args.preset.clone(),
        user,
        guard: audit::guard(),
        threads: args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)),
    })
}

fn side(word: &str) -> Result<Shape> {
    let words: Vec<&str> = Shape::ALL.iter().map(|s| s.word()).collect();
    let found = Shape::ALL.into_iter().find(|s| s.word() == word);
    found
        .ok_or_else(|| Error::usage(format!("`{word}` is no side")).help(format!("use {}", words.join(", "))))
}

/// Writes a file that is not there yet: a mapping that somebody edited is not written over.
pub(super) fn write_new(path: &Path, text: &str) -> Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = file.map_err(|e| {
        let there = e.kind() == std::io::ErrorKind::AlreadyExists;
        let error = Error::writing(path, e);
        if there { error.help("it is there already; name another file, or remove it") } else { error }
    })?;
    file.write_all(text.as_bytes()).map_err(|e| Error::writing(path, e))
}

/// A file that cannot be read, or of which no row can be used, is refused, as an audit would.
fn exit(page: &inspect::Page) -> Exit {
    let unread = page.unread.first().map(|file| file.why.message.clone());
    let useless = page.files.iter().find(|file| file.used == 0).map(|file| {
        let why = if file.rows == 0 { "there are no rows" } else { "there is no usable row" };
        format!("{}: {why}", file.path.display())
    });
    let Some(why) = unread.or(useless) else { return Exit::Completed };
    complain(&format!("exit {}: {why}", Exit::Refused as u8));
    Exit::Refused
}
