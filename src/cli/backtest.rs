//! `clickaudit backtest`: the flags of an audit, and what it is held against.

use super::args::{AuditArgs, BacktestArgs, PageFormat};
use super::exit::Exit;
use super::{audit, elsewhere, print, project};
use crate::backtest;
use crate::base::error::{Error, Result, read_small};
use crate::base::time::Zone;
use crate::evaluate::{Planted, truth};
use crate::ingest::shelf::{Shelf, Wish};
use crate::store::Store;
use std::path::Path;

/// Days of a store that a walk goes through at most; no store has more.
const ALL_DAYS: u32 = 36_600;

/// Walks through the days of some exports, or of a store.
///
/// # Errors
/// Whatever keeps an audit from completing.
pub fn run(mut args: BacktestArgs) -> Result<Exit> {
    refuse_what_acts(&args)?;
    let labels = |path: &Path| truth(&read_small(path, "truth")?, &path.display().to_string());
    let truth: Option<Vec<Planted>> = args.truth.as_deref().map(labels).transpose()?;
    let list = args.my_list.as_deref();
    let list = list.map(|path| backtest::my_list(&read_small(path, "list")?, &path.display().to_string()));
    let list = list.transpose()?;
    let store = args.audit.store.take();
    let named = exports(&mut args.audit).iter().any(|files| !files.is_empty());
    if named && store.is_some() {
        return Err(Error::usage(
            "a walk goes through the days of a store or through exports, not through both",
        )
        .help("name one of them"));
    }
    let mut project = project::merge(&mut args.audit)?;
    elsewhere::refuse(&args.audit, "backtest")?;
    // A nightly run's project file names its store and its exports; what is named here is meant.
    args.audit.store.clone_from(&store);
    if store.is_some() {
        exports(&mut args.audit).into_iter().for_each(Vec::clear);
    }
    let rules = audit::valid_rules(&args.audit, &mut project)?;
    let mut settings = audit::settings(&args.audit, project, &rules)?;
    settings.inputs.shelf = store.map(|folder| days_of(&folder, settings.zone)).transpose()?;
    audit::limit_threads(args.audit.threads);
    let found = backtest::backtest(&mut settings, &rules, truth.as_deref(), list.as_deref())?;
    let page = match args.format {
        PageFormat::Text => backtest::text(&found),
        PageFormat::Json => backtest::json(&found),
    };
    print(page.as_bytes())?;
    Ok(Exit::Completed)
}

/// The exports that are named.
fn exports(audit: &mut AuditArgs) -> [&mut Vec<String>; 7] {
    [
        &mut audit.pair,
        &mut audit.clicks,
        &mut audit.conversions,
        &mut audit.postbacks,
        &mut audit.combined,
        &mut audit.report,
        &mut audit.costs,
    ]
}

/// All rows of a store. It is only looked at: nothing of it changes, and a run may work on it meanwhile.
fn days_of(folder: &Path, zone: Zone) -> Result<Shelf> {
    Store::look(folder)?.shelf(Wish { days: ALL_DAYS, zone, as_of: None })
}

/// A walk writes no list, changes no store, and ends where the exports end.
fn refuse_what_acts(args: &BacktestArgs) -> Result<()> {
    let audit = &args.audit;
    let wrong = [
        (!audit.output.is_empty(), "--output"),
        (audit.rejects.is_some(), "--rejects"),
        (audit.as_of.is_some(), "--as-of"),
        (audit.observe, "--observe"),
        (audit.new_only, "--new-only"),
    ];
    match wrong.into_iter().find(|(said, _)| *said) {
        Some((_, flag)) => Err(Error::usage(format!("{flag} does not go with backtest"))
            .help("a walk writes nothing and acts on nobody; --format json is for programs")),
        None => Ok(()),
    }
}
