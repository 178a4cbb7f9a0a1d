//! The project file `clickaudit.yaml`: everything that the command line can say, loaded in one place.
//!
//! It is looked for in the current folder, never in one above it: who starts a run in /tmp must not pick up a
//! stranger's. After that come the user's and the machine's own.

use super::args::{AuditArgs, FailOn, PiiMode};
use crate::base::diag::{self, Diag};
use crate::base::error::{Error, read_small};
use crate::base::yaml::{self, Entries, Spanned};
use crate::engine::TableWords;
use crate::ingest::Shape;
use crate::ingest::mapping::{MappingFile, Names};
use crate::rules::{Origin, RawOverride, Tuning};
use crate::verdicts::{RawSuppression, Suppressions};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// The name that is looked for.
pub const NAME: &str = "clickaudit.yaml";

/// What a project file may say; every key is a flag of the same name, `mapping` is a mapping file's content.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Project {
    clicks: Vec<String>,
    conversions: Vec<String>,
    postbacks: Vec<String>,
    postback_tracker: Option<String>,
    combined: Vec<String>,
    report: Vec<String>,
    costs: Vec<String>,
    /// Where the tables of an engine are, and what their columns are called.
    pub tables: Option<TablesFile>,
    measures: Option<PathBuf>,
    engine: Option<String>,
    engine_url: Option<String>,
    engine_secret: Option<PathBuf>,
    engine_ca: Option<PathBuf>,
    engine_timeout: Option<String>,
    portable: bool,
    save_measures: Option<PathBuf>,
    sent: Vec<String>,
    sent_map: Option<PathBuf>,
    sent_late: Option<String>,
    offers: Option<PathBuf>,
    sources: Option<Names>,
    geoip: Option<PathBuf>,
    asn_db: Option<PathBuf>,
    ip_list: Vec<String>,
    crawlers: Vec<PathBuf>,
    by: Option<String>,
    map: Option<PathBuf>,
    pub mapping: Option<MappingFile>,
    pii: Option<PiiMode>,
    pii_key: Option<PathBuf>,
    preset: Option<Names>,
    time_zone: Option<Names>,
    rules: Vec<PathBuf>,
    add_rules: Vec<PathBuf>,
    packs: Vec<Spanned<String>>,
    /// What this run changes about rules, by id.
    overrides: Entries<RawOverride>,
    disable: Vec<String>,
    observe: bool,
    /// Findings that somebody answers for, written here.
    suppressions: Vec<Spanned<RawSuppression>>,
    /// Files of them.
    suppression_files: Vec<PathBuf>,
    protect: Vec<PathBuf>,
    /// IDs that are never listed, written here.
    pub protect_ids: Vec<String>,
    output: Vec<String>,
    rejects: Option<PathBuf>,
    manifest: Option<PathBuf>,
    previous: Option<PathBuf>,
    fail_on: Option<FailOn>,
    list_for: Option<String>,
    max_source_share: Option<String>,
    max_revenue_share: Option<String>,
    widest_ipv4: Option<u8>,
    widest_ipv6: Option<u8>,
    max_click_share: Option<String>,
    max_spend_share: Option<String>,
    target_roi: Option<String>,
    perspective: Option<String>,
    currency: Option<String>,
    rates: Vec<PathBuf>,
    main_event: Option<String>,
    fdr: Option<String>,
    trusted: Vec<String>,
    without: Vec<String>,
    maturity: Option<String>,
    tz: Option<String>,
    as_of: Option<String>,
    max_age: Option<String>,
    store: Option<PathBuf>,
    window: Option<String>,
    accept: Vec<String>,
    wait: Option<String>,
    new_only: bool,
    between_nights: bool,
    no_history: bool,
    threads: Option<usize>,
    memory_limit: Option<String>,
    most_groups: Option<usize>,
    quiet: bool,
    /// The file itself, for faults that are found later.
    #[serde(skip)]
    origin: Option<Arc<Origin>>,
}

/// The tables of an engine.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TablesFile {
    clicks: Option<TableFile>,
    conversions: Option<TableFile>,
}

/// One table of an engine.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TableFile {
    table: Option<Names>,
    columns: BTreeMap<String, String>,
    constants: BTreeMap<String, String>,
    times: Option<String>,
    money: Option<String>,
    nulls: Option<Vec<String>>,
    from: Option<String>,
    until: Option<String>,
}

impl TablesFile {
    /// What it says of the table of a side.
    pub fn of(&self, shape: Shape) -> Option<TableWords> {
        let table = if shape == Shape::Clicks { &self.clicks } else { &self.conversions };
        table.as_ref().map(|table| TableWords {
            table: table.table.as_ref().map(Names::list).unwrap_or_default(),
            columns: table.columns.clone(),
            constants: table.constants.clone(),
            times: table.times.clone(),
            money: table.money.clone(),
            nulls: table.nulls.clone(),
            from: table.from.clone(),
            until: table.until.clone(),
        })
    }
}

/// Fills what the command line left open from the project file, if there is one.
///
/// # Errors
/// A named file that cannot be read, or every fault in it.
pub fn merge(args: &mut AuditArgs) -> crate::base::error::Result<Project> {
    let Some(path) = place(args) else { return Ok(Project::default()) };
    let text = read_small(&path, "project file")?;
    if only_comments(&text) {
        return Ok(Project::default());
    }
    let mut project: Project = yaml::load(&text, &path.display().to_string()).map_err(|faults| {
        Error::usage(format!("{} is no valid project file\n{}", path.display(), diag::plain(&faults)))
    })?;
    project.origin = Some(Arc::new(Origin { name: path.display().to_string(), text: text.as_str().into() }));
    project.fill(args);
    Ok(project)
}

/// The project file of a run, if there is one: the one named, or the first of its places.
pub fn place(args: &AuditArgs) -> Option<PathBuf> {
    let said = args.config.clone().filter(|path| !path.as_os_str().is_empty());
    if args.no_config { None } else { said.or_else(|| places().into_iter().find(|path| path.is_file())) }
}

/// Where a project file is looked for: the current folder, the user's configuration, the machine's.
fn places() -> Vec<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let user = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")));
    let shared = user.into_iter().chain([PathBuf::from("/etc")]);
    let shared = shared.map(|folder| folder.join("clickaudit/config.yaml"));
    std::iter::once(PathBuf::from(NAME)).chain(shared).collect()
}

/// Every key that a project file may have.
#[cfg(test)]
pub fn keys() -> Vec<&'static str> {
    let probe: Arc<str> = Arc::from("no-such-key: 1\n");
    let read = yaml::read::<Project>(&probe, NAME);
    read.unknown.first().map(|unknown| unknown.known.to_vec()).unwrap_or_default()
}

/// Whether a file says nothing at all.
pub fn only_comments(text: &str) -> bool {
    text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
}

impl Project {
    /// The packs that are chosen, by the command line or else here, where a wrong one is pointed at.
    pub fn choose(&self, said: &[String], tuning: &mut Tuning) {
        match &self.origin {
            Some(origin) if !self.packs.is_empty() => tuning.choose_in(&self.packs, origin),
            _ => tuning.choose(said, "--pack"),
        }
    }

    /// What it changes about the rules; the command line comes after it and wins.
    pub fn overrides(&mut self, tuning: &mut Tuning) {
        let Some(origin) = &self.origin else { return };
        tuning.overrides(std::mem::take(&mut self.overrides), origin);
    }

    /// The suppressions that are written in it.
    ///
    /// # Errors
    /// Every fault of theirs.
    pub fn suppress(&mut self, all: &mut Suppressions, known: &BTreeSet<&str>) -> Result<(), Vec<Diag>> {
        let Some(origin) = &self.origin else { return Ok(()) };
        all.add(std::mem::take(&mut self.suppressions), &origin.text, &origin.name, known)
    }

    fn fill(&mut self, args: &mut AuditArgs) {
        self.fill_inputs(args);
        self.fill_engine(args);
        self.fill_rules(args);
        self.fill_reading(args);
        self.fill_outputs(args);
        self.fill_judging(args);
        self.fill_run(args);
    }

    /// Exports, and what is known beside them.
    fn fill_inputs(&mut self, args: &mut AuditArgs) {
        let inputs =
            [&args.pair, &args.clicks, &args.conversions, &args.postbacks, &args.combined, &args.report];
        if inputs.iter().all(|i| i.is_empty()) {
            args.clicks = std::mem::take(&mut self.clicks);
            args.conversions = std::mem::take(&mut self.conversions);
            args.postbacks = std::mem::take(&mut self.postbacks);
            args.combined = std::mem::take(&mut self.combined);
            args.report = std::mem::take(&mut self.report);
        }
        lists(&mut args.costs, &mut self.costs);
        lists(&mut args.outbound.sent, &mut self.sent);
        open(&mut args.outbound.sent_map, &mut self.sent_map);
        open(&mut args.outbound.sent_late, &mut self.sent_late);
        open(&mut args.offers, &mut self.offers);
        lists(&mut args.sources, &mut self.sources.take().map(|n| n.list()).unwrap_or_default());
        open(&mut args.geoip, &mut self.geoip);
        open(&mut args.asn_db, &mut self.asn_db);
        lists(&mut args.ip_list, &mut self.ip_list);
        lists(&mut args.crawlers, &mut self.crawlers);
    }

    /// Clicks that are counted elsewhere.
    fn fill_engine(&mut self, args: &mut AuditArgs) {
        open(&mut args.elsewhere.measures, &mut self.measures);
        open(&mut args.elsewhere.engine, &mut self.engine);
        open(&mut args.elsewhere.engine_url, &mut self.engine_url);
        open(&mut args.elsewhere.engine_secret, &mut self.engine_secret);
        open(&mut args.elsewhere.engine_ca, &mut self.engine_ca);
        open(&mut args.elsewhere.engine_timeout, &mut self.engine_timeout);
        open(&mut args.elsewhere.save_measures, &mut self.save_measures);
        args.elsewhere.portable |= self.portable;
    }

    /// Rules, and what changes them.
    fn fill_rules(&mut self, args: &mut AuditArgs) {
        lists(&mut args.rules, &mut self.rules);
        lists(&mut args.add_rules, &mut self.add_rules);
        args.protect.append(&mut self.protect);
        if args.packs.is_empty() {
            args.packs = self.packs.iter().map(|pack| pack.value.clone()).collect();
        } else {
            self.packs.clear();
        }
        args.disable.append(&mut self.disable);
        args.observe |= self.observe;
        args.suppressions.append(&mut self.suppression_files);
    }

    /// How exports are read.
    fn fill_reading(&mut self, args: &mut AuditArgs) {
        open(&mut args.by, &mut self.by);
        open(&mut args.map, &mut self.map);
        open(&mut args.pii, &mut self.pii);
        open(&mut args.pii_key, &mut self.pii_key);
        lists(&mut args.preset, &mut self.preset.take().map(|n| n.list()).unwrap_or_default());
        open(&mut args.postback_tracker, &mut self.postback_tracker);
        lists(&mut args.time_zone, &mut self.time_zone.take().map(|n| n.list()).unwrap_or_default());
    }

    /// Outputs, and the limits of lists.
    fn fill_outputs(&mut self, args: &mut AuditArgs) {
        lists(&mut args.output, &mut self.output);
        open(&mut args.rejects, &mut self.rejects);
        open(&mut args.manifest, &mut self.manifest);
        open(&mut args.previous, &mut self.previous);
        open(&mut args.fail_on, &mut self.fail_on);
        open(&mut args.list_for, &mut self.list_for);
        open(&mut args.max_source_share, &mut self.max_source_share);
        open(&mut args.max_revenue_share, &mut self.max_revenue_share);
        open(&mut args.widest_ipv4, &mut self.widest_ipv4);
        open(&mut args.widest_ipv6, &mut self.widest_ipv6);
        open(&mut args.max_click_share, &mut self.max_click_share);
        open(&mut args.max_spend_share, &mut self.max_spend_share);
    }

    /// How groups are compared and judged.
    fn fill_judging(&mut self, args: &mut AuditArgs) {
        open(&mut args.target_roi, &mut self.target_roi);
        open(&mut args.perspective, &mut self.perspective);
        open(&mut args.currency, &mut self.currency);
        lists(&mut args.rates, &mut self.rates);
        open(&mut args.main_event, &mut self.main_event);
        open(&mut args.fdr, &mut self.fdr);
        args.trusted.append(&mut self.trusted);
        lists(&mut args.without, &mut self.without);
        open(&mut args.maturity, &mut self.maturity);
        open(&mut args.tz, &mut self.tz);
    }

    /// The store, and the run itself.
    fn fill_run(&mut self, args: &mut AuditArgs) {
        open(&mut args.as_of, &mut self.as_of);
        open(&mut args.max_age, &mut self.max_age);
        open(&mut args.store, &mut self.store);
        open(&mut args.window, &mut self.window);
        lists(&mut args.accept, &mut self.accept);
        open(&mut args.wait, &mut self.wait);
        open(&mut args.threads, &mut self.threads);
        open(&mut args.memory_limit, &mut self.memory_limit);
        open(&mut args.most_groups, &mut self.most_groups);
        args.new_only |= self.new_only;
        args.between_nights |= self.between_nights;
        args.no_history |= self.no_history;
        args.quiet |= self.quiet;
    }
}

fn open<T>(said: &mut Option<T>, project: &mut Option<T>) {
    if said.is_none() {
        *said = project.take();
    }
}

fn lists<T>(said: &mut Vec<T>, project: &mut Vec<T>) {
    if said.is_empty() {
        *said = std::mem::take(project);
    }
}
