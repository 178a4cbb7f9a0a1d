//! `clickaudit backtest`: the flags of an audit, and what it is held against.

use super::args::{BacktestArgs, PageFormat};
use super::exit::Exit;
use super::{audit, print, project};
use crate::backtest;
use crate::base::error::{Error, Result, read_small};
use crate::evaluate::{Planted, truth};

/// Walks through the days of some exports.
///
/// # Errors
/// Whatever keeps an audit from completing.
pub fn run(mut args: BacktestArgs) -> Result<Exit> {
    refuse_what_acts(&args)?;
    let truth: Option<Vec<Planted>> =
        args.truth.as_deref().map(|path| truth(&read_small(path, "truth")?)).transpose()?;
    let list = args.my_list.as_deref();
    let list = list.map(|path| backtest::my_list(&read_small(path, "list")?, &path.display().to_string()));
    let list = list.transpose()?;
    let mut project = project::merge(&mut args.audit)?;
    args.audit.store = None;
    let rules = audit::valid_rules(&args.audit, &mut project)?;
    let mut settings = audit::settings(&args.audit, project, &rules)?;
    audit::limit_threads(args.audit.threads);
    let found = backtest::backtest(&mut settings, &rules, truth.as_deref(), list.as_deref())?;
    let page = match args.format {
        PageFormat::Text => backtest::text(&found),
        PageFormat::Json => backtest::json(&found),
    };
    print(page.as_bytes())?;
    Ok(Exit::Completed)
}

/// A walk writes no list, changes no store, and ends where the exports end.
fn refuse_what_acts(args: &BacktestArgs) -> Result<()> {
    let audit = &args.audit;
    let wrong = [
        (!audit.output.is_empty(), "--output"),
        (audit.rejects.is_some(), "--rejects"),
        (audit.store.is_some(), "--store"),
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
