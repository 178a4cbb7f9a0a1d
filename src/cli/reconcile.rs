//! `clickaudit reconcile`: two statements of the same conversions, held against each other.

use super::args::{OutboundArgs, ReconcileArgs};
use super::exit::Exit;
use super::{audit, complain, print, print_raw};
use crate::base::column::Col;
use crate::base::error::{Error, Result};
use crate::base::money::{Micro, SCALE};
use crate::base::near::nearest;
use crate::base::time::{SECOND, Zone, parse_day};
use crate::base::unit::Unit;
use crate::ingest::mapping::{self, Said, seconds};
use crate::ingest::{FileLedger, MappingFile};
use crate::matching::forwarded::Limits;
use crate::reconcile::{self, Files, ONLY, Options, Output, Reconciliation, Tolerance};
use crate::report::{FileOf, put_files, rejects};
use std::path::PathBuf;

/// Runs the command.
///
/// # Errors
/// Anything that keeps it from completing.
pub fn run(args: ReconcileArgs) -> Result<Exit> {
    let outputs = outputs(&args)?;
    let limit = args.fail_on_difference.as_deref().map(Limit::parse).transpose()?;
    let options = options(&args)?;
    reconcile::check(&outputs, args.rejects.as_slice(), &read_files(&args))?;
    audit::limit_threads(args.threads);
    let found = reconcile::reconcile(&options)?;
    let mut files = reconcile::files(&found, &outputs)?;
    if let Some(path) = &args.rejects {
        let ledgers: Vec<&FileLedger> = found.files.iter().map(|file| &file.ledger).collect();
        files.push(FileOf { path: path.clone(), bytes: rejects(&ledgers)? });
    }
    if let Some((styled, bytes)) = reconcile::stdout(&found, &outputs, &audit::look(args.color))? {
        if styled { print(&bytes)? } else { print_raw(&bytes)? }
    }
    put_files(&files)?;
    if !args.quiet {
        files.iter().for_each(|file| complain(&format!("wrote {}", file.path.display())));
    }
    Ok(exit(&found, limit.as_ref(), args.quiet))
}

fn outputs(args: &ReconcileArgs) -> Result<Vec<Output>> {
    if args.output.is_empty() && !args.quiet {
        return Ok(vec![Output::parse("table=-")?]);
    }
    args.output.iter().map(|text| Output::parse(text)).collect()
}

fn read_files(args: &ReconcileArgs) -> Vec<PathBuf> {
    let maps = [&args.ours_map, &args.theirs_map, &args.outbound.sent_map].into_iter().flatten().cloned();
    let files = [&args.ours, &args.theirs].into_iter().chain(&args.outbound.sent);
    files.map(PathBuf::from).chain(maps).collect()
}

fn options(args: &ReconcileArgs) -> Result<Options> {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = audit::threads(args.threads.unwrap_or_else(cores))?;
    let side = |word, pattern: &String, preset: &Option<String>, user| Files {
        word,
        patterns: vec![pattern.clone()],
        presets: preset.iter().cloned().collect(),
        user,
        guard: audit::guard(),
        threads,
    };
    let ours = mapping(&args.ours_map, &args.ours_time_zone, &args.ours_currency)?;
    let theirs = mapping(&args.theirs_map, &args.theirs_time_zone, &args.theirs_currency)?;
    let who = |said: &Option<String>| said.as_deref().map(audit::perspective).transpose();
    Ok(Options {
        ours: side("ours", &args.ours, &args.ours_preset, ours),
        theirs: side("theirs", &args.theirs, &args.theirs_preset, theirs),
        join: args.join.as_deref().map(reconcile::Said::parse).transpose()?,
        events: args.event.clone(),
        only: args.only.iter().map(|text| only(text)).collect::<Result<_>>()?,
        tolerance: Tolerance {
            amount: micro("--amount-tolerance", &args.amount_tolerance)?.0,
            time: (seconds(&args.time_tolerance)? * SECOND as f64) as i64,
        },
        zone: args.tz.parse::<Zone>().map_err(Error::usage)?,
        days: (day("--from", &args.from)?, day("--to", &args.to)?),
        sent: sent(&args.outbound, threads)?,
        perspectives: [who(&args.ours_perspective)?, who(&args.theirs_perspective)?],
    })
}

/// The forwarded postbacks, and what is allowed of them.
pub(super) fn sent(args: &OutboundArgs, threads: usize) -> Result<Option<(Files, Limits)>> {
    if args.sent.is_empty() {
        return Ok(None);
    }
    let files = Files {
        word: "sent",
        patterns: args.sent.clone(),
        presets: Vec::new(),
        user: args.sent_map.as_deref().map(mapping::load).transpose()?.unwrap_or_default(),
        guard: audit::guard(),
        threads,
    };
    let late = seconds(args.sent_late.as_deref().unwrap_or("1h"))?;
    Ok(Some((files, Limits { late: (late * SECOND as f64) as i64, amount: CENT })))
}

/// Amounts that differ by a cent are the same.
const CENT: i64 = SCALE / 100;

/// What the user says of one side's columns, clock and currency.
fn mapping(map: &Option<PathBuf>, zone: &Option<String>, currency: &Option<String>) -> Result<MappingFile> {
    let mut user = map.as_deref().map(mapping::load).transpose()?.unwrap_or_default();
    user.said(Said {
        time_zones: zone.iter().map(|zone| (None, zone.clone())).collect(),
        currency: currency.as_ref().map(|code| code.to_uppercase()),
        ..Said::default()
    });
    Ok(user)
}

fn only(text: &str) -> Result<(Col, String)> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let col = ONLY.into_iter().find(|col| col.name() == name.trim());
    let all: Vec<&str> = ONLY.iter().map(|col| col.name()).collect();
    match col {
        Some(col) if !value.trim().is_empty() => Ok((col, value.trim().to_owned())),
        _ => {
            let near = nearest(name, all.iter().copied());
            let mean = near.first().map_or(String::new(), |near| format!("did you mean `{near}`? "));
            Err(Error::usage(format!("`{text}` names no column and value"))
                .help(format!("{mean}write --only COLUMN=VALUE; the columns are {}", all.join(", "))))
        }
    }
}

fn micro(flag: &str, text: &str) -> Result<Micro> {
    let units = Unit::Money.parse(text).map_err(|fault| Error::usage(format!("{flag}: {fault}")))?;
    match (0.0..1e12).contains(&units) {
        true => Ok(Micro((units * SCALE as f64).round() as i64)),
        false => {
            Err(Error::usage(format!("{flag} `{text}` is no amount")).help("use 0 or more, such as 0.01"))
        }
    }
}

fn day(flag: &str, text: &Option<String>) -> Result<Option<i32>> {
    let Some(text) = text else { return Ok(None) };
    let day = parse_day(text);
    let wrong = || Error::usage(format!("{flag} `{text}` is no day")).help("write it as 2026-03-09");
    day.map(Some).ok_or_else(wrong)
}

/// From when on the run fails.
enum Limit {
    Amount(Micro),
    Share(f64),
}

impl Limit {
    fn parse(text: &str) -> Result<Limit> {
        if text.trim().ends_with('%') {
            return audit::share(&Some(text.to_owned()), 0.0).map(Limit::Share);
        }
        micro("--fail-on-difference", text).map(Limit::Amount)
    }

    /// Why the run fails, if it does. No difference at all is never one.
    fn reached(&self, found: &Reconciliation) -> Option<String> {
        let (compared, differ) = found.disagreement();
        if differ == 0 {
            return None;
        }
        match self {
            Limit::Share(limit) => {
                let share = differ as f64 / compared.max(1) as f64;
                let told = Unit::Share.format(share);
                (share >= *limit).then(|| format!("{differ} of {compared} conversions differ ({told})"))
            }
            Limit::Amount(limit) => {
                let disputed = found.disputed();
                let worst = disputed.iter().max_by_key(|(_, amount)| **amount)?;
                let code = worst.0.as_ref().map_or("of an unknown currency".to_owned(), |c| c.term(8));
                (*worst.1 >= *limit).then(|| format!("{} {code} are in dispute", worst.1))
            }
        }
    }
}

fn exit(found: &Reconciliation, limit: Option<&Limit>, quiet: bool) -> Exit {
    let Some(why) = limit.and_then(|limit| limit.reached(found)) else { return Exit::Completed };
    if !quiet {
        complain(&format!("exit {}: {why}", Exit::Findings as u8));
    }
    Exit::Findings
}
