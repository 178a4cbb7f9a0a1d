//! `clickaudit store`: looks after the folder that nightly runs remember in.

use super::args::{
    AuditArgs, StoreCommand, StoreForgetArgs, StorePlace, StorePruneArgs, StoreStatusArgs, TableFormat,
};
use super::exit::Exit;
use super::{audit, complain, print, project};
use crate::base::error::{Error, Result};
use crate::base::text::json_document;
use crate::base::time::{SECOND, show};
use crate::history::Folder;
use crate::ingest::forget::Person;
use crate::ingest::mapping::seconds;
use crate::store::{Side, Status, Store, status, verify};
use std::path::PathBuf;

/// Runs the command.
///
/// # Errors
/// A store that is not there, cannot be read or changed, or is locked.
pub fn run(command: StoreCommand) -> Result<Exit> {
    match command {
        StoreCommand::Status(args) => told(&args),
        StoreCommand::Verify(place) => verified(&place),
        StoreCommand::Prune(args) => pruned(&args),
        StoreCommand::Forget(args) => forgotten(args),
    }
}

/// The folder that is named, or the project file's.
fn folder(place: &StorePlace) -> Result<PathBuf> {
    if let Some(folder) = &place.store {
        return Ok(folder.clone());
    }
    let mut args =
        AuditArgs { config: place.config.clone(), no_config: place.no_config, ..AuditArgs::default() };
    project::merge(&mut args)?;
    args.store.ok_or_else(|| {
        Error::usage("no store is named")
            .help("name its folder with --store, or with `store:` in clickaudit.yaml")
    })
}

/// The store, to be changed; it must be there.
fn open(place: &StorePlace) -> Result<Store> {
    let folder = folder(place)?;
    Store::look(&folder)?;
    Store::open(&folder, audit::wait(place.wait.as_deref())?)
}

// ---------------------------------------------------------------- status

fn told(args: &StoreStatusArgs) -> Result<Exit> {
    let status = status(&Store::look(&folder(&args.place)?)?)?;
    let shown = match args.format {
        TableFormat::Text => table(&status),
        TableFormat::Json => json(&status),
    };
    print(shown.as_bytes())?;
    Ok(Exit::Completed)
}

fn table(status: &Status) -> String {
    if status.sides.is_empty() {
        return "the store is empty\n".to_owned();
    }
    let mut text = String::new();
    for (shape, side) in &status.sides {
        let span = side.span.map_or("no rows".to_owned(), |s| format!("{} to {}", show(s.0), show(s.1)));
        text += &format!(
            "{:<12} {} rows of {} exports, {span}\n{:<12} {} beside {} of exports as they were read; {} rejected, {} \
             forgotten, {} exports pruned\n",
            shape.word(),
            side.rows,
            side.exports - side.pruned,
            "",
            size(side.kept_bytes),
            size(side.read_bytes),
            side.rejected,
            side.forgotten,
            side.pruned
        );
    }
    let index: u64 = status.sides.values().map(|side| side.index_bytes).sum();
    if let Some(span) = status.index {
        text +=
            &format!("{:<12} clicks from {} to {}, {}\n", "index", show(span.0), show(span.1), size(index));
    }
    let measured: u64 = status.sides.values().map(|side| side.measured_bytes).sum();
    if measured > 0 {
        text += &format!("{:<12} what was counted of these rows, {}\n", "measures", size(measured));
    }
    text
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} bytes"),
    }
}

fn json(status: &Status) -> String {
    let span = |span: Option<(i64, i64)>| {
        let (first, last) = span?;
        Some(serde_json::json!({"first": show(first), "last": show(last)}))
    };
    let side = |side: &Side| {
        serde_json::json!({
            "exports": side.exports, "pruned_exports": side.pruned, "rows": side.rows,
            "rejected": side.rejected, "forgotten": side.forgotten, "span": span(side.span),
            "export_bytes": side.read_bytes, "bytes": side.kept_bytes, "index_bytes": side.index_bytes,
            "measured_bytes": side.measured_bytes,
        })
    };
    let sides: serde_json::Map<String, serde_json::Value> =
        status.sides.iter().map(|(shape, of)| (shape.word().to_owned(), side(of))).collect();
    let all = serde_json::json!({"sides": sides, "index": span(status.index)});
    json_document(&format!("{all:#}")) + "\n"
}

// ---------------------------------------------------------------- verify, prune, forget

fn verified(place: &StorePlace) -> Result<Exit> {
    let (faults, files) = verify(&Store::look(&folder(place)?)?)?;
    for fault in &faults {
        let heals = if fault.heals { "; the next night counts it anew" } else { "" };
        complain(&format!("{}: {} (rows of {}){heals}", fault.path.display(), fault.what, fault.export));
    }
    let damaged = faults.iter().filter(|fault| !fault.heals).count();
    if damaged == 0 {
        complain(&format!("{} files are as they were written", files - faults.len()));
        return Ok(Exit::Completed);
    }
    complain(&format!(
        "exit {}: {} of {files} files are damaged: restore them from a backup, or start another store and name the \
         exports again",
        Exit::Refused as u8,
        damaged
    ));
    Ok(Exit::Refused)
}

fn pruned(args: &StorePruneArgs) -> Result<Exit> {
    let age = (seconds(&args.older_than)? * SECOND as f64) as i64;
    let pruned = open(&args.place)?.prune(age)?;
    complain(&format!(
        "removed {} rows of {} exports and the index of {}; {} are free",
        pruned.rows,
        pruned.exports,
        pruned.indexes,
        size(pruned.bytes)
    ));
    Ok(Exit::Completed)
}

fn forgotten(args: StoreForgetArgs) -> Result<Exit> {
    let store = open(&args.place)?;
    let person = match (args.who.ip, args.who.id) {
        (Some(ip), _) => Person::Address(ip),
        (None, id) => Person::Id(id.unwrap_or_default()),
    };
    let (files, rows) = store.forget(&person)?;
    let folders = Folder::all(store.folder())?;
    let groups = folders.iter().map(|folder| folder.forget(person.text())).sum::<Result<usize>>()?;
    let nights = if groups > 0 { format!(", and {groups} lines of earlier nights") } else { String::new() };
    complain(&format!("removed {rows} rows from {files} files{nights}"));
    Ok(Exit::Completed)
}
