//! `clickaudit backtest`: the flags of an audit, and what it is held against.

use super::args::{AuditArgs, BacktestArgs, PageFormat};
use super::exit::Exit;
use super::{audit, elsewhere, print, project};
use crate::backtest::{self, Backtest, Listed, WhatIf};
use crate::base::error::{Error, Result, read_small};
use crate::base::time::Zone;
use crate::evaluate::{Planted, truth};
use crate::ingest::shelf::{Shelf, Wish};
use crate::ingest::{Spool, is_stdin};
use crate::store::Store;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Days of a store that a walk goes through at most; no store has more.
const ALL_DAYS: u32 = 36_600;

/// Walks through the days of some exports, or of a store.
///
/// # Errors
/// Whatever keeps an audit from completing.
pub fn run(mut args: BacktestArgs) -> Result<Exit> {
    refuse_what_acts(&args.audit)?;
    let beside = Beside::of(&args)?;
    let store = args.audit.store.take();
    let named = exports(&mut args.audit);
    if store.is_some() && named.iter().any(|files| !files.is_empty()) {
        return Err(Error::usage(
            "a walk goes through the days of a store or through exports, not through both",
        )
        .help("name one of them"));
    }
    let piped = named.into_iter().flatten().any(|file| is_stdin(Path::new(file)));
    let piped = piped.then(Spool::fill).transpose()?.map(Rc::new);
    audit::limit_threads(args.audit.threads);
    let as_they_are = without_questions(&args.audit);
    let way = Way { store, piped, beside };
    let mut found = way.walked(args.audit)?;
    if let Some(as_they_are) = as_they_are {
        let as_they_are = way.walked(as_they_are)?;
        found.what_if = Some(WhatIf::between(&found, &as_they_are));
    }
    let page = match args.format {
        PageFormat::Text => backtest::text(&found),
        PageFormat::Json => backtest::json(&found),
    };
    print(page.as_bytes())?;
    Ok(Exit::Completed)
}

/// What a walk is held against.
struct Beside {
    truth: Option<Vec<Planted>>,
    list: Option<Vec<Listed>>,
}

impl Beside {
    fn of(args: &BacktestArgs) -> Result<Beside> {
        let labels = |path: &Path| truth(&read_small(path, "truth")?, &path.display().to_string());
        let labels = args.truth.as_deref().map(labels);
        let list = args
            .my_list
            .as_deref()
            .map(|path| backtest::my_list(&read_small(path, "list")?, &path.display().to_string()));
        Ok(Beside { truth: labels.transpose()?, list: list.transpose()? })
    }
}

/// What several walks have in common.
struct Way {
    store: Option<PathBuf>,
    /// What was piped in is there once.
    piped: Option<Rc<Spool>>,
    beside: Beside,
}

impl Way {
    /// One walk with these flags.
    fn walked(&self, mut args: AuditArgs) -> Result<Backtest> {
        let mut project = project::merge(&mut args)?;
        elsewhere::refuse(&args, "backtest")?;
        // A nightly run's project file names its store and its exports; what is named here is meant.
        args.store.clone_from(&self.store);
        if self.store.is_some() {
            exports(&mut args).into_iter().for_each(Vec::clear);
        }
        let window = audit::window(args.window.as_deref())?;
        let rules = audit::valid_rules(&args, &mut project)?;
        let mut settings = audit::settings(&args, project, &rules)?;
        settings.inputs.shelf =
            self.store.as_deref().map(|folder| days_of(folder, settings.zone)).transpose()?;
        settings.inputs.stdin.clone_from(&self.piped);
        let Beside { truth, list } = &self.beside;
        backtest::backtest(&mut settings, &rules, window, truth.as_deref(), list.as_deref())
    }
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

/// The same run without what it asks to be otherwise; `None` where nothing is asked.
fn without_questions(args: &AuditArgs) -> Option<AuditArgs> {
    let asks = QUESTIONS.iter().any(|(_, asked, _)| asked(args));
    let mut as_they_are = args.clone();
    QUESTIONS.iter().for_each(|(_, _, forget)| forget(&mut as_they_are));
    asks.then_some(as_they_are)
}

/// A flag, and whether it is said.
type Said = fn(&AuditArgs) -> bool;

/// Takes back what a flag says.
type Forget = fn(&mut AuditArgs);

/// Flags that ask what other rules or limits would do: the walk with them is told beside the walk without.
const QUESTIONS: &[(&str, Said, Forget)] = &[
    ("rules", |a| !a.rules.is_empty(), |a| a.rules.clear()),
    ("add-rules", |a| !a.add_rules.is_empty(), |a| a.add_rules.clear()),
    ("pack", |a| !a.packs.is_empty(), |a| a.packs.clear()),
    ("override", |a| !a.overrides.is_empty(), |a| a.overrides.clear()),
    ("disable", |a| !a.disable.is_empty(), |a| a.disable.clear()),
    ("suppressions", |a| !a.suppressions.is_empty(), |a| a.suppressions.clear()),
    ("fdr", |a| a.fdr.is_some(), |a| a.fdr = None),
    ("without", |a| !a.without.is_empty(), |a| a.without.clear()),
    ("maturity", |a| a.maturity.is_some(), |a| a.maturity = None),
];

/// Flags that have no meaning here: a walk writes nothing, acts on nobody, changes no store, remembers by itself, and
/// ends where the exports end.
const WITHOUT_MEANING: &[(&str, Said)] = &[
    ("output", |a| !a.output.is_empty()),
    ("rejects", |a| a.rejects.is_some()),
    ("manifest", |a| a.manifest.is_some()),
    ("previous", |a| a.previous.is_some()),
    ("fail-on", |a| a.fail_on.is_some()),
    ("as-of", |a| a.as_of.is_some()),
    ("max-age", |a| a.max_age.is_some()),
    ("observe", |a| a.observe),
    ("new-only", |a| a.new_only),
    ("no-history", |a| a.no_history),
    ("between-nights", |a| a.between_nights),
    ("wait", |a| a.wait.is_some()),
    ("list-for", |a| a.list_for.is_some()),
    ("max-source-share", |a| a.max_source_share.is_some()),
    ("max-click-share", |a| a.max_click_share.is_some()),
    ("max-spend-share", |a| a.max_spend_share.is_some()),
    ("max-revenue-share", |a| a.max_revenue_share.is_some()),
    ("widest-ipv4", |a| a.widest_ipv4.is_some()),
    ("widest-ipv6", |a| a.widest_ipv6.is_some()),
    ("target-roi", |a| a.target_roi.is_some()),
    ("pii", |a| a.pii.is_some()),
    ("pii-key", |a| a.pii_key.is_some()),
    ("sent", |a| !a.outbound.sent.is_empty()),
    ("sent-map", |a| a.outbound.sent_map.is_some()),
    ("sent-late", |a| a.outbound.sent_late.is_some()),
    ("portable", |a| a.elsewhere.portable),
    ("save-measures", |a| a.elsewhere.save_measures.is_some()),
    ("timings", |a| a.timings.is_some()),
];

/// Refuses what would be ignored without a word. A project file may say it: it is a nightly run's.
fn refuse_what_acts(args: &AuditArgs) -> Result<()> {
    match WITHOUT_MEANING.iter().find(|(_, said)| said(args)) {
        Some((flag, _)) => Err(Error::usage(format!("--{flag} does not go with backtest"))
            .help("a walk writes nothing and acts on nobody; --format json is for programs")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Cli;
    use clap::CommandFactory;
    use std::collections::BTreeSet;

    /// Flags of an audit that say what is read, and how, or how the walk is run.
    const HEARD: &[&str] = &[
        "accept",
        "asn-db",
        "by",
        "clicks",
        "color",
        "combined",
        "config",
        "conversions",
        "costs",
        "crawlers",
        "currency",
        "geoip",
        "ip-list",
        "main-event",
        "map",
        "memory-limit",
        "most-groups",
        "no-config",
        "offers",
        "perspective",
        "postback-tracker",
        "postbacks",
        "preset",
        "protect",
        "quiet",
        "rates",
        "report",
        "sources",
        "store",
        "threads",
        "time-zone",
        "trusted",
        "tz",
        "window",
    ];
    /// Refused together, by [`elsewhere::refuse`].
    const ELSEWHERE: &[&str] =
        &["engine", "engine-ca", "engine-secret", "engine-timeout", "engine-url", "measures", "print-sql"];

    #[test]
    fn every_flag_of_an_audit_is_heard_asked_about_or_refused() {
        let cli = Cli::command();
        let audit = cli.find_subcommand("audit").expect("the command");
        let flags: BTreeSet<&str> = audit.get_arguments().filter_map(|arg| arg.get_long()).collect();
        let asked = QUESTIONS.iter().map(|(flag, ..)| *flag);
        let refused = WITHOUT_MEANING.iter().map(|(flag, _)| *flag);
        let mut sorted: Vec<&str> =
            HEARD.iter().chain(ELSEWHERE).copied().chain(asked).chain(refused).collect();
        sorted.sort_unstable();
        let twice = sorted.windows(2).find(|pair| pair[0] == pair[1]);
        assert_eq!(twice, None);
        let sorted: BTreeSet<&str> = sorted.into_iter().collect();
        let (lost, unknown) = (flags.difference(&sorted), sorted.difference(&flags));
        let left: (Vec<&&str>, Vec<&&str>) =
            (lost.filter(|flag| !["help", "log", "version"].contains(*flag)).collect(), unknown.collect());
        assert_eq!(left, (vec![], vec![]));
    }

    #[test]
    fn only_questions_are_walked_twice() {
        assert!(
            without_questions(&AuditArgs { by: Some("source".into()), ..AuditArgs::default() }).is_none()
        );
        let asks = AuditArgs { disable: vec!["x".into()], fdr: Some("5%".into()), ..AuditArgs::default() };
        let as_they_are = without_questions(&asks).expect("a question");
        assert!(as_they_are.disable.is_empty() && as_they_are.fdr.is_none());
    }
}
