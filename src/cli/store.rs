//! `clickaudit store`: looks after the folder that nightly runs remember in.

use super::args::{
    AuditArgs, StoreCommand, StoreForgetArgs, StorePlace, StorePruneArgs, StoreStatusArgs, TableFormat,
};
use super::exit::Exit;
use super::{audit, complain, print, project};
use crate::base::error::{Error, Result};
use crate::base::text::json_document;
use crate::base::time::{SECOND, show, show_day};
use crate::history::{Folder, Held};
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

/// The records of all groupings.
#[derive(Default)]
struct Runs {
    groupings: usize,
    /// First and last.
    nights: Option<(i32, i32)>,
    records: usize,
    bytes: u64,
}

impl Runs {
    fn of(store: &Store) -> Result<Runs> {
        let mut runs = Runs::default();
        for folder in Folder::all(store.folder())? {
            let Held { nights, bytes } = folder.held()?;
            runs.groupings += usize::from(!nights.is_empty());
            runs.records += nights.len();
            runs.bytes += bytes;
            let span = nights.first().copied().zip(nights.last().copied());
            let wider = |(a, b): ((i32, i32), (i32, i32))| (a.0.min(b.0), a.1.max(b.1));
            runs.nights = runs.nights.zip(span).map(wider).or(runs.nights).or(span);
        }
        Ok(runs)
    }
}

fn told(args: &StoreStatusArgs) -> Result<Exit> {
    let store = Store::look(&folder(&args.place)?)?;
    let (status, runs) = (status(&store)?, Runs::of(&store)?);
    let shown = match args.format {
        TableFormat::Text => table(&status, &runs),
        TableFormat::Json => json(&status, &runs),
    };
    print(shown.as_bytes())?;
    Ok(Exit::Completed)
}

fn table(status: &Status, runs: &Runs) -> String {
    if status.sides.is_empty() && runs.records == 0 {
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
    if let Some((first, last)) = runs.nights {
        let (records, first, last) = (runs.records, show_day(first), show_day(last));
        text +=
            &format!("{:<12} {records} records of nights, {first} to {last}, {}\n", "runs", size(runs.bytes));
    }
    text += &format!("{:<12} what counts, {}\n", "manifest", size(status.manifest_bytes));
    text + &total(status, runs)
}

/// The whole store beside the exports, with how these were packed: beside gzip it must be small, beside text it is.
fn total(status: &Status, runs: &Runs) -> String {
    let packed = |(packing, bytes): (&String, &u64)| {
        let packing = if packing.is_empty() { "of unknown packing" } else { packing };
        format!("{} {packing}", size(*bytes))
    };
    let packings: Vec<String> = status.packings.iter().map(packed).collect();
    let (all, read) = (size(status.bytes() + runs.bytes), size(status.read_bytes()));
    format!("{:<12} {all} beside {read} of exports as they were read ({})\n", "total", packings.join(", "))
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} bytes"),
    }
}

fn json(status: &Status, runs: &Runs) -> String {
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
    let nights = runs
        .nights
        .map(|(first, last)| serde_json::json!({"first": show_day(first), "last": show_day(last)}));
    let packings: serde_json::Map<String, serde_json::Value> =
        status.packings.iter().map(|(packing, bytes)| (packing.clone(), (*bytes).into())).collect();
    let all = serde_json::json!({
        "sides": sides, "index": span(status.index),
        "runs": {"groupings": runs.groupings, "records": runs.records, "nights": nights, "bytes": runs.bytes},
        "manifest_bytes": status.manifest_bytes,
        "bytes": status.bytes() + runs.bytes,
        "export_bytes": status.read_bytes(),
        "export_bytes_by_packing": packings,
    });
    json_document(&format!("{all:#}")) + "\n"
}

// ---------------------------------------------------------------- verify, prune, forget

fn verified(place: &StorePlace) -> Result<Exit> {
    let store = Store::look(&folder(place)?)?;
    let (faults, mut files) = verify(&store)?;
    for fault in &faults {
        let heals = if fault.heals { "; the next night counts it anew" } else { "" };
        complain(&format!("{}: {} (rows of {}){heals}", fault.path.display(), fault.what, fault.export));
    }
    let mut damaged = faults.iter().filter(|fault| !fault.heals).count();
    let healing = faults.len() - damaged;
    for folder in Folder::all(store.folder())? {
        let (faults, looked_at) = folder.verify()?;
        files += looked_at;
        damaged += faults.len();
        faults.iter().for_each(|fault| complain(&fault.message));
    }
    if damaged == 0 {
        complain(&format!("{} files are as they were written", files - healing));
        return Ok(Exit::Completed);
    }
    complain(&format!("exit {}: {damaged} of {files} files are damaged: {REMEDY}", Exit::Refused as u8));
    Ok(Exit::Refused)
}

/// What to do about damaged files.
const REMEDY: &str = "restore them from a backup; or else remove those of rows and name their exports again, and move \
                      those of runs away";

fn pruned(args: &StorePruneArgs) -> Result<Exit> {
    let age = (seconds(&args.older_than)? * SECOND as f64) as i64;
    let store = open(&args.place)?;
    let pruned = store.prune(age)?;
    let (records, bytes) = prune_runs(&store, age)?;
    complain(&format!(
        "removed {} rows of {} exports and the index of {}, and {records} records of nights; {} are free",
        pruned.rows,
        pruned.exports,
        pruned.indexes,
        size(pruned.bytes + bytes)
    ));
    Ok(Exit::Completed)
}

/// Lets go of the records of nights that lie so long before the newest night of all.
fn prune_runs(store: &Store, age: i64) -> Result<(usize, u64)> {
    let folders = Folder::all(store.folder())?;
    let newest = Runs::of(store)?.nights.map_or(0, |(_, last)| last);
    folders.iter().try_fold((0, 0), |(records, bytes), folder| {
        let (more, freed) = folder.prune(newest, age)?;
        Ok((records + more, bytes + freed))
    })
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
