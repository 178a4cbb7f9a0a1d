//! `clickaudit diff`, `history` and `pin`: what the store remembers, for people and programs.

use super::args::{AuditArgs, Colour, DiffArgs, Nights, NightsArgs, PageFormat, PinArgs};
use super::audit::{grain, look};
use super::exit::Exit;
use super::{complain, print, project};
use crate::base::error::{Error, Result};
use crate::base::text::Text;
use crate::base::time::{parse_day, show_day};
use crate::compare::{self, Side};
use crate::history::{self, Folder, Pinning, Record, is_called};
use crate::store::Store;
use crate::verdicts::{LONGEST, Pin, Pinned};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The store and the records of a grain in it.
fn folder(nights: &Nights) -> Result<(PathBuf, Folder)> {
    let mut args = AuditArgs {
        store: nights.store.clone(),
        by: nights.by.clone(),
        config: nights.config.clone(),
        no_config: nights.no_config,
        ..AuditArgs::default()
    };
    project::merge(&mut args)?;
    let none =
        || Error::usage("no store is named").help("say --store FOLDER, or `store:` in the project file");
    let store = args.store.ok_or_else(none)?;
    let folder = Folder::of(&store, &grain(args.by.as_deref().unwrap_or("source"))?);
    Ok((store, folder))
}

/// The records of a store that is there.
fn records(nights: &Nights) -> Result<Folder> {
    let (store, folder) = folder(nights)?;
    Store::look(&store)?;
    Ok(folder)
}

// ---------------------------------------------------------------- diff

/// Says what changed between two runs.
///
/// # Errors
/// A run that is not there, or is none.
pub fn diff(args: &DiffArgs) -> Result<Exit> {
    let (old, new) = match args.runs.as_slice() {
        [] => last_two(&records(&args.nights)?)?,
        [one] => {
            return Err(Error::usage(format!(
                "`{}` is compared with nothing",
                Text::of_user(one.as_str()).term(80)
            ))
            .help("name two runs, or none for the last two nights of the store"));
        }
        runs => (side(&runs[0], &args.nights)?, side(&runs[1], &args.nights)?),
    };
    let changes = compare::changes(&old, &new)?;
    if args.quiet && changes.is_empty() {
        return Ok(Exit::Completed);
    }
    let page = match args.format {
        PageFormat::Text => compare::changes_text(&changes),
        PageFormat::Json => compare::changes_json(&changes),
    };
    print(page.as_bytes())?;
    Ok(Exit::Completed)
}

fn last_two(folder: &Folder) -> Result<(Side, Side)> {
    let nights = folder.nights()?;
    let [.., old, new] = nights.as_slice() else {
        return Err(Error::usage(format!(
            "the store has {} of these groups, and two are compared",
            counted(nights.len())
        ))
        .help("run `clickaudit audit … --store FOLDER` on another night, or name two reports"));
    };
    Ok((Side::from(&folder.read(*old)?), Side::from(&folder.read(*new)?)))
}

fn counted(nights: usize) -> String {
    format!("{nights} night{}", if nights == 1 { "" } else { "s" })
}

/// A run by its night or its report.
fn side(name: &str, nights: &Nights) -> Result<Side> {
    let Some(night) = parse_day(name).filter(|_| !Path::new(name).exists()) else {
        let text = std::fs::read_to_string(name).map_err(|e| Error::reading(Path::new(name), e))?;
        return compare::report(&text, name);
    };
    let folder = records(nights)?;
    let there = folder.nights()?;
    if !there.contains(&night) {
        let last: Vec<String> = there.iter().rev().take(5).map(|night| show_day(*night)).collect();
        return Err(Error::usage(format!("the store has no night of {name}"))
            .help(format!("its last nights are {}", last.join(", "))));
    }
    Ok(Side::from(&folder.read(night)?))
}

// ---------------------------------------------------------------- history

/// Tells the nights of one group.
///
/// # Errors
/// A group that is not there.
pub fn history(args: &NightsArgs) -> Result<Exit> {
    let folder = records(&args.nights)?;
    let read = folder.nights()?.into_iter().map(|night| folder.read(night));
    let records = read.collect::<Result<Vec<Record>>>()?;
    let story = history::story(&records, &args.name)?;
    let page = match args.format {
        PageFormat::Text => history::text(&story, look(Colour::Never).width),
        PageFormat::Json => history::json(&story),
    };
    print(page.as_bytes())?;
    Ok(Exit::Completed)
}

// ---------------------------------------------------------------- pin

/// Pins a group, takes a pin off, or lists all pins.
///
/// # Errors
/// A group that is not there, or a pin that says too little.
pub fn pin(args: &PinArgs) -> Result<Exit> {
    let (place, folder) = folder(&args.nights)?;
    Store::look(&place)?;
    let Some(name) = &args.name else { return listed(&folder) };
    let _store = Store::open(&place, Duration::ZERO)?;
    let newest =
        folder.newest()?.ok_or_else(|| Error::usage("the store has no nights of these groups yet"))?;
    let key = group(&newest, name)?;
    let mut pins = folder.pins()?;
    pins.retain(|pin| pin.key != key);
    if !args.remove {
        pins.push(Pinning { key, pin: pin_of(args, newest.head.day())? });
    }
    folder.set_pins(&pins)?;
    let done = if args.remove { "no longer pinned" } else { "pinned" };
    complain(&format!("{name} is {done}; the next night takes it up"));
    Ok(Exit::Completed)
}

fn group(newest: &Record, name: &str) -> Result<Vec<Option<String>>> {
    let found: Vec<_> =
        newest.lines.iter().map(|line| &line.key).filter(|key| is_called(key, name)).collect();
    match found.as_slice() {
        [key] => Ok((*key).clone()),
        [] => Err(Error::usage(format!("no group is called {name} on the last night"))
            .help("name it as a report does: traffic_source/source, or the source alone")),
        _ => Err(Error::usage(format!("several groups are called {name}"))
            .help("name it in full: traffic_source/source")),
    }
}

fn pin_of(args: &PinArgs, newest: i32) -> Result<Pin> {
    let lacks = |what: &str| Error::usage(format!("a pin needs {what}")).help("see `clickaudit pin --help`");
    let word = args.pinned.as_deref().ok_or_else(|| lacks("--as"))?;
    let pinned = Pinned::ALL.into_iter().find(|p| p.word() == word);
    let pinned = pinned.ok_or_else(|| {
        Error::usage(format!("`{word}` is nothing to pin as")).help("use block, hold, watch or ok")
    })?;
    let until = args.until.as_deref().ok_or_else(|| lacks("--until"))?;
    let no_day = || Error::usage(format!("`{until}` is no day")).help("write it as 2026-06-30");
    let day = parse_day(until).ok_or_else(no_day)?;
    if day <= newest || day > newest + LONGEST {
        return Err(Error::usage(format!(
            "`{until}` is not within {LONGEST} days after the last night, {}",
            show_day(newest)
        ))
        .help("whoever decided must look again"));
    }
    let reason =
        args.reason.clone().filter(|reason| !reason.trim().is_empty()).ok_or_else(|| lacks("--reason"))?;
    let by = args.signed.clone().unwrap_or_else(|| "clickaudit".to_owned());
    Ok(Pin { pinned, until: day, reason, by })
}

fn listed(folder: &Folder) -> Result<Exit> {
    let tonight = folder.nights()?.last().copied().unwrap_or(0);
    let line = |pinning: &Pinning| {
        let parts: Vec<String> =
            pinning.key.iter().flatten().map(|part| Text::new(part.as_str()).term(40)).collect();
        let pin = &pinning.pin;
        let over = if pin.holds(tonight + 1) { "" } else { " (over)" };
        format!(
            "{}: {} until {}{over}, {}: {}\n",
            parts.join("/"),
            pin.pinned.word(),
            show_day(pin.until),
            Text::of_user(pin.by.as_str()).term(40),
            Text::of_user(pin.reason.as_str()).term(200)
        )
    };
    print(folder.pins()?.iter().map(line).collect::<String>().as_bytes())?;
    Ok(Exit::Completed)
}
