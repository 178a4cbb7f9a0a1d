//! `clickaudit audit`: flags and project file to settings, the audit, outputs, exit code.

use super::args::{AuditArgs, Colour, FailOn, ReadParquetArgs};
use super::exit::Exit;
use super::progress::Progress;
use super::project::{self, Project};
use super::timings::Timings;
use super::{complain, elsewhere, lists, memory, print, print_raw, privacy};
use crate::audit::{Audited, Clicks, Settings, audit};
use crate::base::column::Grain;
use crate::base::diag;
use crate::base::error::{Error, Result, read_small};
use crate::base::meter::Meter;
use crate::base::near::nearest;
use crate::base::networks::Widest;
use crate::base::time::{TimeFormat, TimeReader, Zone, show_day};
use crate::base::unit::Unit;
use crate::compare::{self, Side};
use crate::history::{Earlier, Folder, Staged};
use crate::ingest::enrich::{self, ListKind};
use crate::ingest::guard::read_and_forget;
use crate::ingest::mapping::{self, Said, seconds};
use crate::ingest::shelf::Wish;
use crate::ingest::{Enrichment, Guard, Inputs, Offers, Perspective, Plan, Shape, Sources, Wanted, ingest};
use crate::matching::gates;
use crate::reconcile::{Files, Sent};
use crate::report::{self, Job, Kind, Look, News, Output, Report, RulesInfo, Written};
use crate::rules::{RuleFile, RuleSet, Tuning, builtin_files, read};
use crate::signals::{FAMILIES, Family};
use crate::store::Store;
use crate::verdicts::{Brake, Protect, Suppressions, Verdict};
use anstream::ColorChoice;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Runs the command.
///
/// # Errors
/// Anything that keeps it from completing.
pub fn run(mut args: AuditArgs) -> Result<Exit> {
    let mut project = project::merge(&mut args)?;
    elsewhere::refuse_contradictions(&args)?;
    let tables = elsewhere::tables(&mut project);
    let outputs = outputs(&args)?;
    let beside: Vec<&Path> =
        [&args.rejects, &args.manifest].into_iter().flatten().map(PathBuf::as_path).collect();
    report::check(&outputs, &beside, &read_files(&args))?;
    lists::refuse_misfits(&outputs, &grain(args.by.as_deref().unwrap_or("source"))?)?;
    let rules = asked_rules(&args, &mut project)?;
    if !args.quiet && (args.store.is_none() || args.no_history) {
        without_history(&rules).into_iter().for_each(|note| complain(&note));
    }
    let mut settings = settings(&args, project, &rules)?;
    if let Some(exit) = elsewhere::print_queries(&args, &tables, &settings, &rules)? {
        return Ok(exit);
    }
    settings.pictures = outputs.iter().map(|o| o.format.pictures).max().unwrap_or(0);
    settings.dossiers = report::shows_conversions(&outputs);
    limit_threads(args.threads);
    if !args.quiet {
        complain(&RulesInfo::of(&rules, settings.suppressions.count()).sentence());
    }
    refuse_without_store(&args)?;
    let previous = args.previous.as_deref().map(previous).transpose()?;
    let timings = args.timings.map(Timings::start);
    let progress = Progress::start(args.quiet);
    let meter = timings.as_ref().map(Timings::meter).unwrap_or_default();
    settings.meter = progress.as_ref().map_or(meter.clone(), |progress| progress.meter(meter));
    let store = remember(&args, &mut settings)?;
    elsewhere::prepare(&args, &tables, &mut settings, &rules)?;
    let mut audited = audit(&settings, &rules)?;
    drop(progress);
    elsewhere::save(args.elsewhere.save_measures.as_deref(), &audited)?;
    if let Some(store) = &store {
        store.keep(&audited.fresh)?;
    }
    if let Some(previous) = previous {
        audited.report.news = Some(since(&previous, &audited.report)?);
    }
    let night = staged(&args, &settings, &audited)?;
    let outputs = if args.new_only { only_news(&mut audited, outputs) } else { outputs };
    let exit = finish(&args, &audited, &outputs)?;
    settings.meter.done("outputs", audited.report.groups.len());
    night.map_or(Ok(()), leave)?;
    timings.iter().for_each(Timings::tell);
    Ok(exit)
}

fn refuse_without_store(args: &AuditArgs) -> Result<()> {
    let flags = [("--new-only", args.new_only), ("--between-nights", args.between_nights)];
    match flags.iter().find(|(_, said)| *said).filter(|_| args.store.is_none()) {
        Some((flag, _)) => {
            Err(Error::usage(format!("{flag} needs to know the nights before")).help("say --store FOLDER"))
        }
        None => Ok(()),
    }
}

/// What changed since the night before; nothing but lists where nothing did. Lists are always whole.
fn only_news(audited: &mut Audited, outputs: Vec<Output>) -> Vec<Output> {
    audited.report.keep_news();
    let silent = audited.report.groups.is_empty() && audited.report.coverage.gates.is_empty();
    outputs.into_iter().filter(|output| !silent || output.format.list).collect()
}

/// The night as the next one will know it, written beside its place: a full disk is found before any output is made.
fn staged(args: &AuditArgs, settings: &Settings, audited: &Audited) -> Result<Option<Staged>> {
    let (Some(store), Some(record)) = (&args.store, &audited.record) else { return Ok(None) };
    if args.between_nights {
        return Ok(None);
    }
    if audited.report.history.as_ref().is_some_and(|history| history.is_past) {
        if !args.quiet {
            complain("note: the store holds later nights: this one is judged as it was, and not remembered");
        }
        return Ok(None);
    }
    Folder::of(store, &settings.grain).stage(record).map(Some)
}

/// Leaves the night for the next one, once its outputs are in place.
fn leave(night: Staged) -> Result<()> {
    night.commit().map_err(|e| {
        let message = format!("{}: the outputs are in place, and the night may not be remembered", e.message);
        Error { message, ..e }.help("run the same night again: it replaces itself")
    })
}

/// The earlier run that this one is compared with: read before any work is done.
fn previous(path: &Path) -> Result<Side> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::reading(path, e))?;
    compare::report(&text, &path.display().to_string())
}

/// What changed since an earlier run.
fn since(previous: &Side, report: &Report) -> Result<News> {
    let changes = compare::changes(previous, &Side::of(report)).map_err(|e| {
        Error::usage(format!("--previous: {}", e.message)).help("name a report with the same --by")
    })?;
    Ok(changes.into())
}

/// Opens the store of the run, if it has one, and lets the run see what is kept there.
///
/// # Errors
/// A store that cannot be opened or is locked, or flags that cannot be read.
pub(super) fn remember(args: &AuditArgs, settings: &mut Settings) -> Result<Option<Store>> {
    let Some(folder) = args.store.as_deref() else {
        let alone = [("--window", args.window.is_some()), ("--wait", args.wait.is_some())];
        return match alone.iter().find(|(_, said)| *said) {
            None => Ok(None),
            Some((flag, _)) => Err(Error::usage(format!("{flag} needs a store"))
                .help("name its folder with --store; it is made if it is not there")),
        };
    };
    let wish = Wish { days: window(args.window.as_deref())?, zone: settings.zone, as_of: settings.as_of };
    let store = Store::open(folder, wait(args.wait.as_deref())?)?;
    settings.inputs.shelf = Some(store.shelf(wish)?);
    Ok(Some(store))
}

/// How long to wait for a lock.
pub(super) fn wait(text: Option<&str>) -> Result<Duration> {
    Ok(text.map(seconds).transpose()?.map_or(Duration::ZERO, Duration::from_secs_f64))
}

/// The days that a run with a store judges.
const WINDOW: u32 = 30;

pub(super) fn window(text: Option<&str>) -> Result<u32> {
    let Some(text) = text else { return Ok(WINDOW) };
    let days = seconds(text)? / 86_400.0;
    if days.fract() == 0.0 && (1.0..=3_660.0).contains(&days) {
        return Ok(days as u32);
    }
    Err(Error::usage(format!("`{text}` is no window")).help("say whole days, such as 7d or 30d"))
}

fn outputs(args: &AuditArgs) -> Result<Vec<Output>> {
    if args.output.is_empty() && !args.quiet {
        return Ok(vec![Output::parse("table=-")?]);
    }
    args.output.iter().map(|text| Output::parse(text)).collect()
}

/// The rules of a run; what is wrong with them is told before it is an error.
///
/// # Errors
/// Rules that cannot be read, or have faults.
pub(super) fn valid_rules(args: &AuditArgs, project: &mut Project) -> Result<RuleSet> {
    tuned(&rule_files(args)?, args, project)
}

/// The same for a run that only asks them: the program's own go without their tests.
fn asked_rules(args: &AuditArgs, project: &mut Project) -> Result<RuleSet> {
    let lean = |file: RuleFile| if file.folder.is_none() { file.without_tests() } else { file };
    let files: Vec<RuleFile> = rule_files(args)?.into_iter().map(lean).collect();
    tuned(&files, args, project)
}

/// The rules of these files as the run wants them.
///
/// # Errors
/// Rules that have faults.
pub(super) fn tuned(files: &[RuleFile], args: &AuditArgs, project: &mut Project) -> Result<RuleSet> {
    let tuning = tuning(args, project);
    let rules = RuleSet::of(files).and_then(|rules| rules.tuned(&tuning)).map_err(|faults| {
        complain(&diag::plain(&faults));
        Error::usage("the rules have faults").help("nothing was read")
    })?;
    if !args.quiet {
        tuning.without_effect(&rules).iter().for_each(|note| complain(&format!("note: {note}")));
    }
    Ok(rules)
}

/// What of the rules has no effect, since there are no stored runs.
fn without_history(rules: &RuleSet) -> Option<String> {
    let waiting: Vec<&str> =
        rules.rules.iter().filter(|r| r.needs_history()).map(|r| r.id.as_str()).collect();
    let (first, others) = waiting.split_first()?;
    let and = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
    Some(format!(
        "note: {first}{and}: there are no stored runs, so `for` and `clear` have no effect and comparisons with a \
         group's own past are unknown"
    ))
}

/// The rule files that are named, or the built-in ones; and those that are added.
fn rule_files(args: &AuditArgs) -> Result<Vec<RuleFile>> {
    let mut files: Vec<RuleFile> = if args.rules.is_empty() { builtin_files() } else { read(&args.rules)? };
    if !args.add_rules.is_empty() {
        files.extend(read(&args.add_rules)?);
    }
    Ok(files)
}

/// What the run changes about its rules; the command line has the last word.
fn tuning(args: &AuditArgs, project: &mut Project) -> Tuning {
    let mut tuning = Tuning::default();
    project.choose(&args.packs, &mut tuning);
    project.overrides(&mut tuning);
    args.disable.iter().for_each(|id| tuning.disable(id));
    args.overrides.iter().for_each(|text| tuning.set(text));
    if args.observe {
        tuning.observe();
    }
    tuning
}

/// The suppressions of the project file and of files of their own.
fn suppressions(args: &AuditArgs, project: &mut Project, rules: &RuleSet) -> Result<Suppressions> {
    let known = rules.ids();
    let mut all = Suppressions::default();
    let mut faults = project.suppress(&mut all, &known).err().unwrap_or_default();
    for path in &args.suppressions {
        let text = read_small(path, "suppressions")?;
        faults.extend(all.read(&text, &path.display().to_string(), &known).err().unwrap_or_default());
    }
    if faults.is_empty() {
        return Ok(all);
    }
    complain(&diag::plain(&faults));
    Err(Error::usage("the suppressions have faults").help("nothing was read"))
}

/// The files that the run reads and that no output may replace; what patterns match is checked later.
fn read_files(args: &AuditArgs) -> Vec<PathBuf> {
    let inputs = [
        &args.pair,
        &args.clicks,
        &args.conversions,
        &args.postbacks,
        &args.combined,
        &args.report,
        &args.costs,
        &args.outbound.sent,
    ];
    let inputs = inputs.into_iter().flatten().map(PathBuf::from);
    let others =
        [&args.rules, &args.add_rules, &args.protect, &args.suppressions, &args.rates, &args.crawlers];
    let others = others.into_iter().flatten().cloned();
    let lists = args.ip_list.iter().filter_map(|text| Some(PathBuf::from(text.split_once('=')?.1)));
    let single =
        [&args.map, &args.geoip, &args.asn_db, &args.offers, &args.previous, &args.outbound.sent_map];
    let single = single.into_iter().flatten().cloned();
    let sources = args.sources.iter().map(PathBuf::from);
    inputs.chain(others).chain(lists).chain(single).chain(sources).chain(project::place(args)).collect()
}

/// The engine reads its number of threads from the environment, once.
pub(super) fn limit_threads(threads: Option<usize>) {
    if let Some(threads) = threads {
        // SAFETY: no other thread runs yet: the engine has not been touched.
        unsafe { std::env::set_var("POLARS_MAX_THREADS", threads.max(1).to_string()) };
    }
}

/// Flags and project file as settings.
///
/// # Errors
/// Flags that cannot be read.
pub(super) fn settings(args: &AuditArgs, mut project: Project, rules: &RuleSet) -> Result<Settings> {
    let zone: Zone = args.tz.as_deref().unwrap_or("UTC").parse().map_err(Error::usage)?;
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let sent = sent(args, &project)?;
    let memory_limit = memory::bytes(args.memory_limit.as_deref().unwrap_or(memory::DEFAULT))?;
    Ok(Settings {
        inputs: inputs(args)?,
        grain: grain(args.by.as_deref().unwrap_or("source"))?,
        protect: protect(args, &project)?,
        suppressions: suppressions(args, &mut project, rules)?,
        plan: plan(args, project)?,
        brake: brake(args)?,
        widest: widest(args)?,
        list_for: args.list_for.clone(),
        zone,
        as_of: args.as_of.as_deref().map(|text| moment(text, zone)).transpose()?,
        accepted: args.accept.iter().map(|name| gates::named(name)).collect::<Result<_>>()?,
        max_age_s: seconds(args.max_age.as_deref().unwrap_or("48h"))?,
        maturity_s: seconds(args.maturity.as_deref().unwrap_or("24h"))?,
        fdr: fdr(args)?,
        without: args.without.iter().map(family).collect::<Result<_>>()?,
        target_roi: target_roi(args)?,
        dossiers: false,
        sent,
        pii: privacy::pii(args.pii, args.pii_key.as_deref())?,
        pictures: 0,
        earlier: args.store.clone().filter(|_| !args.no_history).map_or(Earlier::None, Earlier::Store),
        counting: Clicks::Here,
        keeps_counts: false,
        threads: threads(args.threads.unwrap_or_else(cores))?,
        memory_limit,
        most_groups: args.most_groups.unwrap_or_else(|| memory::groups(memory_limit)),
        meter: Meter::default(),
    })
}

/// The forwarded postbacks, and the conversions that they tell of.
fn sent(args: &AuditArgs, project: &Project) -> Result<Option<Sent>> {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads(args.threads.unwrap_or_else(cores))?;
    let Some((postbacks, limits)) = super::reconcile::sent(&args.outbound, threads)? else { return Ok(None) };
    let files = inputs(args)?.files;
    let of = |shape: Shape| files.get(&shape).cloned();
    let Some(patterns) = of(Shape::Conversions).or_else(|| of(Shape::Combined)) else {
        return Err(Error::usage("--sent is held against conversions, and there are none")
            .help("name them with --conversions or --combined"));
    };
    let conversions = Files {
        word: "conversions",
        patterns,
        presets: args.preset.clone(),
        user: args
            .map
            .as_deref()
            .map(mapping::load)
            .transpose()?
            .or(project.mapping.clone())
            .unwrap_or_default(),
        guard: guard(),
        threads,
    };
    Ok(Some(Sent { conversions, postbacks, limits }))
}

/// More threads than this are a slip of the finger.
const MOST_THREADS: usize = 1_024;

pub(super) fn threads(wanted: usize) -> Result<usize> {
    if (1..=MOST_THREADS).contains(&wanted) {
        return Ok(wanted);
    }
    Err(Error::usage(format!("`{wanted}` is no number of threads")).help(format!("use 1 to {MOST_THREADS}")))
}

/// The files by shape.
fn inputs(args: &AuditArgs) -> Result<Inputs> {
    let mut files = BTreeMap::new();
    let mut pair = args.pair.iter().cloned();
    let first: Vec<String> = args.clicks.iter().cloned().chain(pair.next()).collect();
    let second: Vec<String> = args.conversions.iter().cloned().chain(pair.next()).collect();
    let all = [
        (Shape::Clicks, first),
        (Shape::Conversions, second),
        (Shape::Combined, args.combined.clone()),
        (Shape::Report, args.report.clone()),
        (Shape::Costs, args.costs.clone()),
    ];
    for (shape, paths) in all.into_iter().filter(|(_, paths)| !paths.is_empty()) {
        files.insert(shape, paths);
    }
    if elsewhere::is_asked(args) {
        refuse_clicks(&files)?;
    }
    refuse_stdin(files.values().flatten().chain(&args.postbacks).map(String::as_str))?;
    let has = |shape: Shape| files.contains_key(&shape);
    let rows = has(Shape::Clicks) || has(Shape::Conversions) || !args.postbacks.is_empty();
    let kinds = [rows, has(Shape::Combined), has(Shape::Report)];
    match kinds.iter().filter(|k| **k).count() {
        0 if args.store.is_none() && !elsewhere::is_asked(args) => {
            Err(Error::usage("no input is named").help("name the files: clickaudit audit CLICKS CONVERSIONS"))
        }
        0 | 1 => Ok(Inputs { files, postbacks: args.postbacks.clone(), guard: guard(), ..Inputs::default() }),
        _ => Err(Error::usage("clicks and conversions, --combined and --report cannot be mixed")
            .help("audit one kind at a time")),
    }
}

/// This program, to read untrusted files in a process of its own.
pub(super) fn guard() -> Guard {
    Guard { program: std::env::current_exe().ok() }
}

/// Reads everything that an audit would read, keeps all of it, and says how many rows that were.
///
/// # Errors
/// Those of reading.
pub(super) fn intake(mut args: AuditArgs) -> Result<Exit> {
    let mut project = project::merge(&mut args)?;
    let rules = valid_rules(&args, &mut project)?;
    let settings = settings(&args, project, &rules)?;
    limit_threads(args.threads);
    let intake = ingest(&settings.inputs, &settings.plan, &Wanted::Everything, settings.threads)?;
    for file in &intake.files {
        let (path, rejected) = (file.path.display(), file.rejects.total());
        complain(&format!("{path}: {} rows, {rejected} of them rejected", file.rows));
    }
    Ok(Exit::Completed)
}

/// Reads a Parquet file on behalf of another run of this program.
///
/// # Errors
/// The file cannot be read.
pub(super) fn read_parquet(args: &ReadParquetArgs) -> Result<Exit> {
    let places: Vec<usize> = args.columns.iter().filter_map(|at| at.parse().ok()).collect();
    read_and_forget(&args.file, &places).map(|()| Exit::Completed)
}

/// Clicks that are counted elsewhere cannot be among the files, too.
fn refuse_clicks(files: &BTreeMap<Shape, Vec<String>>) -> Result<()> {
    let others = [Shape::Clicks, Shape::Combined, Shape::Report];
    match others.iter().find(|shape| files.contains_key(shape)) {
        Some(shape) => {
            Err(Error::usage(format!("the clicks are counted elsewhere, and --{} is named", shape.word()))
                .help("name only conversions and costs: --conversions FILE"))
        }
        None => Ok(()),
    }
}

/// Stdin is one file, and must be piped in.
pub(super) fn refuse_stdin<'p>(paths: impl Iterator<Item = &'p str>) -> Result<()> {
    match paths.filter(|path| *path == "-").count() {
        0 => Ok(()),
        1 if std::io::IsTerminal::is_terminal(&std::io::stdin()) => {
            Err(Error::usage("`-` is stdin, and nothing is piped in")
                .help("pipe an export into the command, or name a file"))
        }
        1 => Ok(()),
        _ => Err(Error::usage("stdin can be only one input").help("name a file for the others")),
    }
}

pub(super) fn grain(text: &str) -> Result<Grain> {
    Grain::parse(text).map_err(|name| {
        let near = nearest(&name, Grain::choices());
        let all: Vec<&str> = Grain::choices().collect();
        let help = match near.as_slice() {
            [] => format!("the columns are {}", all.join(", ")),
            near => format!("did you mean {}?", near.join(" or ")),
        };
        Error::usage(format!("`{name}` is no column to group by")).help(help)
    })
}

fn protect(args: &AuditArgs, project: &Project) -> Result<Protect> {
    let mut protect = Protect::nobody();
    for path in &args.protect {
        let text = read_small(path, "protect list")?;
        protect = protect.and(Protect::parse(&text, &path.display().to_string())?);
    }
    if !project.protect_ids.is_empty() {
        protect = protect.and(Protect::parse(&project.protect_ids.join("\n"), "protect_ids")?);
    }
    Ok(protect)
}

fn plan(args: &AuditArgs, project: Project) -> Result<Plan> {
    let mut file =
        args.map.as_deref().map(mapping::load).transpose()?.or(project.mapping).unwrap_or_default();
    file.said(Said {
        perspective: args.perspective.as_deref().map(perspective).transpose()?,
        currency: args.currency.as_ref().map(|c| c.to_uppercase()),
        main_event: args.main_event.clone(),
        trusted: args.trusted.clone(),
        enrichment: Some(Arc::new(Enrichment::load(&enrichment(args)?)?)),
        offers: args.offers.as_deref().map(|path| Offers::load(path).map(Arc::new)).transpose()?,
        sources: Some(Arc::new(Sources::load(&args.sources)?)),
        rates: args.rates.iter().map(|path| path.display().to_string()).collect(),
        time_zones: args.time_zone.iter().map(|text| time_zone(text)).collect::<Result<_>>()?,
    });
    if let Some(name) = &args.postback_tracker {
        file.fired_for(name);
    }
    Plan::new(&args.preset, file)
}

/// The files that tell more about visitors.
fn enrichment(args: &AuditArgs) -> Result<enrich::Files> {
    Ok(enrich::Files {
        countries: args.geoip.clone(),
        operators: args.asn_db.clone(),
        lists: args.ip_list.iter().map(|text| ip_list(text)).collect::<Result<_>>()?,
        crawlers: args.crawlers.clone(),
    })
}

fn ip_list(text: &str) -> Result<(ListKind, PathBuf)> {
    let (kind, path) = text.split_once('=').unwrap_or((text, ""));
    let kind = ListKind::of(kind)?;
    if path.is_empty() {
        return Err(Error::usage(format!("--ip-list {} names no file", kind.word()))
            .help(format!("write --ip-list {}=FILE", kind.word())));
    }
    Ok((kind, PathBuf::from(path)))
}

pub(super) fn perspective(who: &str) -> Result<Perspective> {
    let unknown =
        || Error::usage(format!("`{who}` is no perspective")).help("use buyer, network or advertiser");
    Perspective::ALL.into_iter().find(|p| p.word() == who).ok_or_else(unknown)
}

/// The zone of all files, or of those of one side: `Europe/Berlin`, `clicks=Europe/Berlin`.
pub(super) fn time_zone(text: &str) -> Result<(Option<Shape>, String)> {
    let Some((side, zone)) = text.split_once('=') else { return Ok((None, text.to_owned())) };
    let shape = Shape::ALL.into_iter().find(|s| s.word() == side);
    let unknown = || {
        Error::usage(format!("`{text}` names no side"))
            .help("write --time-zone ZONE, clicks=ZONE or conversions=ZONE")
    };
    Ok((Some(shape.ok_or_else(unknown)?), zone.to_owned()))
}

fn brake(args: &AuditArgs) -> Result<Brake> {
    let default = Brake::default();
    Ok(Brake {
        max_source_share: share(&args.max_source_share, default.max_source_share)?,
        max_revenue_share: share(&args.max_revenue_share, default.max_revenue_share)?,
        max_click_share: share(&args.max_click_share, default.max_click_share)?,
        max_spend_share: share(&args.max_spend_share, default.max_spend_share)?,
    })
}

fn widest(args: &AuditArgs) -> Result<Widest> {
    let customer = Widest::CUSTOMER;
    Ok(Widest {
        v4: prefix(args.widest_ipv4, customer.v4, 8..=32)?,
        v6: prefix(args.widest_ipv6, customer.v6, 12..=128)?,
    })
}

/// The bits of a prefix within what is no mistake.
pub(super) fn prefix(said: Option<u8>, default: u8, range: std::ops::RangeInclusive<u8>) -> Result<u8> {
    match said {
        Some(bits) if !range.contains(&bits) => {
            let help = format!("use {} to {}", range.start(), range.end());
            Err(Error::usage(format!("/{bits} is too wide or no prefix")).help(help))
        }
        said => Ok(said.unwrap_or(default)),
    }
}

pub(super) fn share(text: &Option<String>, default: f64) -> Result<f64> {
    let Some(text) = text.as_deref() else { return Ok(default) };
    let share = Unit::Share.parse(text).map_err(|fault| Error::usage(fault.to_string()))?;
    let outside = || Error::usage(format!("`{text}` is no share")).help("use 0% to 100%");
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err(outside()) }
}

/// A target beyond this is a slip of the finger.
const MOST_ROI: f64 = 100.0;

fn target_roi(args: &AuditArgs) -> Result<f64> {
    let Some(text) = args.target_roi.as_deref() else { return Ok(0.0) };
    let roi = Unit::Share.parse(text).map_err(|fault| Error::usage(fault.to_string()))?;
    let outside =
        || Error::usage(format!("--target-roi `{text}` is no target")).help("use 0% or more, such as 30%");
    if (0.0..=MOST_ROI).contains(&roi) { Ok(roi) } else { Err(outside()) }
}

/// The usual level of false-discovery control; more than half of all accusations false is none.
const FDR: f64 = 0.10;
const MOST_FDR: f64 = 0.5;

fn fdr(args: &AuditArgs) -> Result<f64> {
    let fdr = share(&args.fdr, FDR)?;
    let outside =
        || Error::usage(format!("--fdr {fdr} controls nothing")).help("use more than 0% and at most 50%");
    if fdr > 0.0 && fdr <= MOST_FDR { Ok(fdr) } else { Err(outside()) }
}

fn family(word: &String) -> Result<Family> {
    let words = || FAMILIES.iter().map(|(_, word)| *word);
    let found = FAMILIES.iter().find(|(_, w)| w == word).map(|(family, _)| *family);
    found.ok_or_else(|| {
        let near = nearest(word, words());
        let choices: Vec<&str> = if near.is_empty() { words().collect() } else { near };
        Error::usage(format!("`{word}` is no family of signals"))
            .help(format!("use {}", choices.join(" or ")))
    })
}

pub(super) fn moment(text: &str, zone: Zone) -> Result<i64> {
    if text == "now" {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        return Ok(now.as_micros().try_into().unwrap_or(i64::MAX));
    }
    TimeReader { format: TimeFormat::Iso, zone }.read(text.as_bytes()).map_err(|_| {
        Error::usage(format!("`{text}` is no time"))
            .help("write it as 2026-03-09 or 2026-03-09T06:00, or now")
    })
}

/// Writes everything and finds the exit code.
fn finish(args: &AuditArgs, audited: &Audited, outputs: &[Output]) -> Result<Exit> {
    let rejects = match &args.rejects {
        Some(path) => Some((path.as_path(), report::rejects(&audited.files)?)),
        None => None,
    };
    let mut print =
        |kind: Kind, bytes: &[u8]| if kind == Kind::Styled { print(bytes) } else { print_raw(bytes) };
    let manifest = args.manifest.as_deref();
    let job = Job { outputs, rejects, manifest, look: look(args.color), print: &mut print };
    let written = report::write(&audited.report, job)?;
    if !args.quiet {
        tell(args, &audited.report, &written);
        if args.store.is_some() {
            complain(&summary(&audited.report, &written));
        }
    }
    Ok(exit(args, &audited.report, &written))
}

/// How the reader of stdout sees it.
pub(super) fn look(colour: Colour) -> Look {
    let stdout = std::io::stdout();
    let terminal = std::io::IsTerminal::is_terminal(&stdout);
    let choice = match colour {
        Colour::Auto => anstream::AutoStream::choice(&stdout),
        Colour::Always => ColorChoice::Always,
        Colour::Never => ColorChoice::Never,
    };
    choice.write_global();
    let width = terminal_size::terminal_size().map_or(100, |(w, _)| usize::from(w.0));
    Look { width: terminal.then_some(width), colour: choice != ColorChoice::Never }
}

/// Cells of a note on stderr.
const NOTE: usize = 500;

/// What happened besides the outputs themselves, on stderr.
fn tell(args: &AuditArgs, report: &Report, written: &Written) {
    for path in &written.files {
        complain(&format!("wrote {}", path.display()));
    }
    for (list, id, why) in &written.refused {
        complain(&format!("{list}: {} is not listed: {why}", id.term(80)));
    }
    for (name, why) in written.withheld.iter().filter(|_| report.run.rules.observe) {
        complain(&format!("{name}: not written: {why}"));
    }
    let table = args.output.is_empty() || args.output.iter().any(|output| output == "table=-");
    for note in report.coverage.idle_settings.iter().filter(|_| !table) {
        complain(&format!("note: {}", note.term(NOTE)));
    }
    if let Some(unanswered) = report::unanswered(&report.rules).filter(|_| !table) {
        complain(&unanswered);
    }
    let asked = |name: &str| args.output.iter().any(|output| output.starts_with(name));
    let others = [("blocklist", &report.lists.block), ("profit-list", &report.lists.profit)];
    for (name, list) in others.into_iter().filter(|(name, _)| !asked(name)) {
        let Ok(listing) = list.merged() else { continue };
        for (id, why) in &listing.rejected {
            complain(&format!("{name}: {} is not listed: {why}", id.term(80)));
        }
    }
}

/// The whole run in a line: `night 2026-03-15: 6 block, 5 hold, …; since 2026-03-14: 1 new, …; 2 files written`.
fn summary(report: &Report, written: &Written) -> String {
    let night = report.history.as_ref().map(|history| format!("night {}: ", show_day(history.night)));
    let count = |verdict: Verdict| report.groups.iter().filter(|g| g.verdict == verdict).count();
    let verdicts: Vec<String> =
        Verdict::ALL.into_iter().map(|verdict| format!("{} {}", count(verdict), verdict.word())).collect();
    let files = match written.files.len() {
        1 => "1 file written".to_owned(),
        n => format!("{n} files written"),
    };
    let parts = [Some(verdicts.join(", ")), report.since_before(), Some(files)];
    night.unwrap_or_default() + &parts.into_iter().flatten().collect::<Vec<String>>().join("; ")
}

impl From<FailOn> for Verdict {
    fn from(verdict: FailOn) -> Verdict {
        match verdict {
            FailOn::Block => Verdict::Block,
            FailOn::Hold => Verdict::Hold,
            FailOn::Watch => Verdict::Watch,
        }
    }
}

fn exit(args: &AuditArgs, report: &Report, written: &Written) -> Exit {
    let (exit, reason) = reason(args, report, written);
    if exit != Exit::Completed && (!args.quiet || exit != Exit::Findings) {
        complain(&format!("exit {}: {reason}", exit as u8));
    }
    exit
}

fn reason(args: &AuditArgs, report: &Report, written: &Written) -> (Exit, String) {
    if let Some(gate) = report.coverage.gates.first() {
        return (Exit::Refused, format!("gate {}: {}", gate.name, gate.sentence.term(500)));
    }
    if let Some((name, why)) = written.withheld.first().filter(|_| !report.run.rules.observe) {
        return (Exit::Braked, format!("{name}: {why}"));
    }
    let worst = report.groups.iter().filter(|g| !g.protected).map(|g| g.verdict).min();
    let limit = args.fail_on.map(Verdict::from);
    match (worst, limit) {
        (Some(worst), Some(limit)) if worst <= limit => {
            (Exit::Findings, format!("there are verdicts of {} or graver", limit.word()))
        }
        _ => (Exit::Completed, String::new()),
    }
}
