//! The whole pipeline on one screen: files in, a report out. Prints nothing, reads no clock.

use crate::base::column::{Col, Grain};
use crate::base::error::{Error, Result};
use crate::base::meter::Meter;
use crate::base::networks::Widest;
use crate::base::privacy::Pii;
use crate::base::spill::Bound;
use crate::base::symbol::{Symbol, Symbols};
use crate::base::text::Text;
use crate::base::time::{SECOND, Zone, show};
use crate::clean::{self, Cleaned};
use crate::engine::Counter;
use crate::history::{self, Asked, Earlier, Memory, Night, Record};
use crate::ingest::enrich::DERIVED;
use crate::ingest::shelf::{Fresh, Measured};
use crate::ingest::{self, Field, FileLedger, Inputs, Intake, Mapping, Plan, Shape, Wanted};
use crate::matching::gates::{self, Gate};
use crate::matching::{self, Matched};
use crate::measures::{self, Clock, Counting, Counts, Measures, PEER_COLUMNS, STRATUM_COLUMNS};
use crate::peers::{self, Compared, Summary};
use crate::reconcile::{self, Sent};
use crate::report::{self, Gallery, Report, RuleTally, cover_rejects};
use crate::rules::RuleSet;
use crate::signals::{Context, Family};
use crate::verdicts::{Brake, Judged, LONGEST, Protect, Resold, Suppressions};
use std::collections::BTreeSet;

mod beside;
mod cases;
mod clusters;
mod context;
mod coverage;
mod elsewhere;
mod explain;
mod judging;
mod losses;
mod nightly;
mod outlook;
mod pictures;
mod walk;

pub use elsewhere::{fetch, printed};
pub use explain::explain;
pub use walk::{Sum, Sums, Walked, walk};

/// Everything an audit can be told.
pub struct Settings {
    pub inputs: Inputs,
    /// Which preset and mapping reads which file.
    pub plan: Plan,
    pub grain: Grain,
    pub protect: Protect,
    /// Findings that somebody answers for.
    pub suppressions: Suppressions,
    pub brake: Brake,
    /// The widest network of addresses that a list may hold.
    pub widest: Widest,
    /// The traffic source whose IDs go on the lists.
    pub list_for: Option<String>,
    /// Days are cut here.
    pub zone: Zone,
    /// The moment the input reaches up to, UTC microseconds; the newest row unless said.
    pub as_of: Option<i64>,
    /// How old the newest row may be before [`Settings::as_of`], in seconds.
    pub max_age_s: f64,
    /// Clicks younger than this many seconds are no evidence of missing conversions.
    pub maturity_s: f64,
    /// The share of false accusations among all significant groups that is acceptable.
    pub fdr: f64,
    /// Families of signals that peers are not asked about.
    pub without: Vec<Family>,
    /// The ROI above which a clean source may be scaled.
    pub target_roi: f64,
    /// Postbacks that were forwarded to the traffic source.
    pub sent: Option<Sent>,
    /// What outputs show of personal values.
    pub pii: Pii,
    /// Keep the conversions of flagged groups, for outputs that show them.
    pub dossiers: bool,
    /// Gates that somebody has looked at: where one fires it is told, and lists are made.
    pub accepted: Vec<&'static str>,
    /// How many groups at watch or graver are pictured, the gravest first; 0 unless an output shows them.
    pub pictures: usize,
    /// Where earlier nights are looked for.
    pub earlier: Earlier,
    /// Where clicks are counted.
    pub counting: Clicks,
    /// Keep the integer table of clicks.
    pub keeps_counts: bool,
    pub threads: usize,
    /// Bytes of memory to plan for: of clicks no more is held than [`FOR_ROWS`] says, the rest waits in temporary files.
    pub memory_limit: u64,
    /// How many groups of a grain there is room for; the smallest beyond it are told and not judged.
    pub most_groups: usize,
    /// Takes note of what each stage cost.
    pub meter: Meter,
}

/// The part of the memory limit that rows may take at any moment. The rest is for conversions, for what grows with
/// groups, for batches on their way and for the buffers of threads.
const FOR_ROWS: u64 = 4;

impl Settings {
    /// The bound on what is kept of rows.
    fn bound(&self) -> Bound {
        Bound::of(self.memory_limit / FOR_ROWS)
    }
}

/// Where the clicks of an audit are counted.
#[derive(Default)]
pub enum Clicks {
    /// Here.
    #[default]
    Here,
    /// Here, only what an engine can count, too.
    Portable,
    /// Elsewhere; only the clicks that conversions name are read here.
    Elsewhere(Box<dyn Counter>),
}

/// What an audit came to.
pub struct Audited<'r> {
    pub report: Report<'r>,
    /// What became of every file, with its rejected rows.
    pub files: Vec<FileLedger>,
    /// What the night leaves for the next; `None` without a store, of a run that only observes, and of an input
    /// that cannot be judged.
    pub record: Option<Record>,
    /// What a store should keep; nothing of files that a gate calls faulty.
    pub fresh: Fresh,
    /// The integer table of clicks, if it was to be kept.
    pub counts: Option<Counts>,
}

/// Runs an audit with a rule set.
///
/// # Errors
/// Inputs that cannot be read, lack a needed column, or have no usable row.
pub fn audit<'r>(settings: &Settings, rules: &'r RuleSet) -> Result<Audited<'r>> {
    run(settings, rules, |_| ()).map(|(audited, ())| audited)
}

/// What a run has in memory once everything is judged.
struct Workings<'a, 'r> {
    intake: &'a Intake,
    columns: &'a [Col],
    symbols: &'a Symbols,
    matched: &'a Matched,
    measures: &'a Measures,
    clock: Clock,
    main_event: Symbol,
    groups: &'a [Judged<'r>],
}

impl<'a, 'r> Workings<'a, 'r> {
    fn of(intake: &'a Intake, counted: &'a Counted, groups: &'a [Judged<'r>]) -> Workings<'a, 'r> {
        let Counted { columns, symbols, matched, measures, clock, main_event, .. } = counted;
        let (clock, main_event) = (*clock, *main_event);
        Workings { intake, columns, symbols, matched, measures, clock, main_event, groups }
    }
}

/// Runs an audit and shows its workings to `look` before they go.
fn run<'r, T>(
    settings: &Settings,
    rules: &'r RuleSet,
    look: impl FnOnce(&Workings<'_, 'r>) -> T,
) -> Result<(Audited<'r>, T)> {
    let intake = taken_in(settings, rules)?;
    let Judgement { report, record, counts, measured, sound, looked } =
        judged(settings, rules, &intake, look)?;
    let mut files = intake.files;
    cover_rejects(&mut files, &settings.pii);
    let fresh =
        intake.past.filter(|_| sound).map(|past| Fresh { measured, ..past.fresh }).unwrap_or_default();
    Ok((Audited { report, files, record, fresh, counts }, looked))
}

/// What comes of an intake.
struct Judgement<'r, T> {
    report: Report<'r>,
    record: Option<Record>,
    counts: Option<Counts>,
    /// What a store keeps of what was counted, by the keys of exports.
    measured: Vec<(String, Vec<Measured>)>,
    /// No gate calls the files faulty.
    sound: bool,
    looked: T,
}

/// Reads all that an audit needs.
fn taken_in(settings: &Settings, rules: &RuleSet) -> Result<Intake> {
    let wanted = wanted(settings, &grains(settings, rules));
    let intake = ingest::ingest(&settings.inputs, &settings.plan, &wanted, settings.threads)?;
    refuse_nothing(&intake)?;
    settings.meter.done("ingest", intake.files.iter().map(|file| file.rows as usize).sum());
    Ok(intake)
}

/// Everything behind the intake.
fn judged<'r, T>(
    settings: &Settings,
    rules: &'r RuleSet,
    intake: &Intake,
    look: impl FnOnce(&Workings<'_, 'r>) -> T,
) -> Result<Judgement<'r, T>> {
    let clock = clock(settings, intake);
    refuse_endless(&settings.suppressions, clock.as_of)?;
    let mut memory = Memory::of(&settings.earlier, &settings.grain, clock.night(), &Asked::by(rules))?;
    let mut counted = counted(settings, rules, intake, clock)?;
    let (counts, measured) = (counted.measures.counts.take(), std::mem::take(&mut counted.measures.measured));
    memory.slide(&settings.earlier, &settings.grain, counted.measures.days)?;
    let mut weighed = weighed(settings, rules, intake, &counted, &memory);
    let workings = Workings::of(intake, &counted, &weighed.groups);
    let dossiers = if settings.dossiers { cases::dossiers(&workings, &settings.grain)? } else { Vec::new() };
    let looked = look(&workings);
    let pictures = pictures::gallery(&workings, &intake.mapping.trusted, settings.pictures);
    let sound = weighed.gates.iter().all(|gate| gate.keeps);
    let night = weighed.night.take();
    let mut report = Report {
        dossiers,
        pictures,
        history: night.as_ref().map(|night| nightly::history(night, &memory)),
        ..report(settings, rules, intake, counted, weighed)?
    };
    let record = night.map(|night| night.record(nightly::head(&report, &memory)));
    settings.meter.done("report", report.groups.len());
    report.cover(&settings.pii);
    report.news = record.as_ref().and_then(|record| nightly::news(record, &memory, &report));
    Ok(Judgement { report, record, counts, measured, sound, looked })
}

/// What is counted of an intake.
struct Counted {
    columns: Vec<Col>,
    symbols: Symbols,
    matched: Matched,
    measures: Measures,
    clock: Clock,
    main_event: Symbol,
    seen: coverage::Seen,
}

/// Cleans the rows, matches conversions with clicks, and measures the groups.
fn counted(settings: &Settings, rules: &RuleSet, intake: &Intake, clock: Clock) -> Result<Counted> {
    let grains = grains(settings, rules);
    let rows = intake.files.iter().map(|file| file.rows as usize).sum();
    let columns = columns(intake, &grains)?;
    let fields = click_fields(&columns);
    let mut symbols = Symbols::default();

    let cleaned = clean::clean(intake, &columns, &fields, &mut symbols, settings.bound())?;
    settings.meter.done("clean", rows);
    let main_event = main_event(intake, &cleaned, &mut symbols);
    let (clicks, seen) = (cleaned.clicks.clone(), coverage::Seen::of(&cleaned, intake, &symbols));

    let options =
        matching::Options { columns: &columns, span: intake.span(Col::ClickTime), as_of: clock.as_of };
    let matched = matching::matching(intake, cleaned, &options, &mut symbols)?;
    settings.meter.done("matching", matched.conversions.len());

    let cuts = rules.cuts(&grains);
    let elsewhere = elsewhere::counts(settings, intake, &grains, &cuts, &fields, clock)?;
    let counting = match (&settings.counting, &elsewhere) {
        (_, Some(counts)) => Counting::Table(counts),
        (Clicks::Here, None) => Counting::Everything,
        (Clicks::Portable | Clicks::Elsewhere(_), None) => Counting::Portable,
    };
    let options = measures::Options {
        grains: &grains,
        cuts: &cuts,
        columns: &columns,
        fields: &fields,
        clock,
        main_event,
        counting,
        keeps_counts: settings.keeps_counts,
        threads: settings.threads,
        bound: settings.bound(),
        most_groups: settings.most_groups,
        meter: &settings.meter,
    };
    let measures = measures::measure(intake, &clicks, &matched, &options, &mut symbols)?;
    settings.meter.done("measures", rows);
    Ok(Counted { columns, symbols, matched, measures, clock, main_event, seen })
}

/// What is made of the counts.
struct Weighed<'r> {
    /// What keeps the whole input from being judged, and what of it somebody has looked at.
    gates: Vec<Gate>,
    accepted: Vec<Gate>,
    peers: Summary,
    groups: Vec<Judged<'r>>,
    tallies: Vec<RuleTally<'r>>,
    /// What the groups come to after all nights, where the run remembers.
    night: Option<Night>,
    clusters: Vec<Resold>,
}

/// Holds the groups against their peers, asks the rules, and settles the verdicts.
fn weighed<'r>(
    settings: &Settings,
    rules: &'r RuleSet,
    intake: &Intake,
    counted: &Counted,
    memory: &Memory,
) -> Weighed<'r> {
    let Counted { columns, symbols, matched, measures, clock, .. } = counted;
    let asked = gate_input(settings, intake, matched, measures, *clock);
    let (accepted, gates): (Vec<Gate>, Vec<Gate>) = gates::gates(&asked, &settings.accepted)
        .into_iter()
        .partition(|gate| settings.accepted.contains(&gate.name));
    let portable = !matches!(settings.counting, Clicks::Here);
    let context =
        context::of(intake, matched, measures, &offers(matched, columns, symbols), *clock, portable);
    let compared = compared(measures, &context, &intake.mapping, settings);
    settings.meter.done("peers", compared.iter().map(|c| c.profiles.len()).sum());
    let asked = judging::Asked { measures, compared: &compared, context: &context, memory };
    let (mut groups, tallies) = judging::judged(&asked, rules, settings, clock.as_of);
    settings.meter.done("rules", groups.len());
    let remembers = memory.kept && gates.is_empty() && !rules.observe;
    let level = history::A_NIGHT * settings.fdr;
    let night =
        remembers.then(|| history::settle(&mut groups, &settings.grain, memory, measures.days, level));
    let clusters = outlook::attach(&mut groups, measures, &context, settings.target_roi, settings.threads);
    cases::claw_back(&mut groups, matched, columns, symbols, &settings.grain);
    report::arrange(&mut groups);
    let peers = compared.into_iter().next().map(|c| c.summary).unwrap_or_default();
    Weighed { gates, accepted, peers, groups, tallies, night, clusters }
}

/// What there is to say; dossiers, pictures and history are added by who has them.
fn report<'r>(
    settings: &Settings,
    rules: &'r RuleSet,
    intake: &Intake,
    counted: Counted,
    weighed: Weighed<'r>,
) -> Result<Report<'r>> {
    let Counted { columns, symbols, matched, measures, clock, main_event, seen } = counted;
    let Weighed { gates, accepted, peers, groups, tallies, clusters, .. } = weighed;
    let facts = coverage::Facts {
        intake,
        matched: &matched,
        measures: &measures,
        seen: &seen,
        gates: &gates,
        accepted: &accepted,
    };
    let main_event = symbols.text(main_event).unwrap_or("none").to_owned();
    let mut siblings = peers::siblings(&measures.branches, settings.fdr);
    let outcomes = beside::outcomes(&matched, &columns, &symbols, clock.zone);
    peers::shaving::turns(&mut siblings, &measures.branches, &outcomes);
    let totals = judging::totals(&groups, &settings.grain, &measures, &matched);
    Ok(Report {
        run: coverage::run(&facts, settings, rules, clock, main_event),
        coverage: coverage::coverage(&facts, &groups, &siblings, settings, clock.as_of),
        lists: judging::lists(&groups, settings, &gates, &totals, &intake.mapping.sources, rules.observe),
        totals,
        peers,
        incidents: measures.incidents,
        siblings,
        forwarded: settings.sent.as_ref().map(reconcile::forward).transpose()?,
        groups,
        clusters,
        dossiers: Vec::new(),
        pictures: Gallery::new(),
        history: None,
        rules: tallies,
        news: None,
    })
}

/// Every grain's groups beside their peers.
fn compared(measures: &Measures, context: &Context, mapping: &Mapping, settings: &Settings) -> Vec<Compared> {
    let peers = peers::Settings {
        fdr: settings.fdr,
        trusted: mapping.trusted.clone(),
        without: settings.without.clone(),
        threads: settings.threads,
    };
    measures.grains.iter().map(|grain| peers::profiles(grain, context, &peers)).collect()
}

/// Refuses an input with a side of which not a single row is usable. Conversions without any row at all are
/// a gate's business: there is a report to be made.
fn refuse_nothing(intake: &Intake) -> Result<()> {
    let clicks: &[Shape] = if intake.has(Shape::Clicks) { &[Shape::Clicks] } else { &Shape::ALL };
    let of = |shapes: &[Shape]| intake.files.iter().filter(|f| shapes.contains(&f.shape)).collect::<Vec<_>>();
    let conversions = of(&[Shape::Conversions]);
    if conversions.iter().any(|f| f.rows > 0) {
        refuse_side(&conversions)?;
    }
    refuse_side(&of(clicks))
}

/// Refuses suppressions that end too late: whoever decided must look again.
fn refuse_endless(suppressions: &Suppressions, as_of: i64) -> Result<()> {
    let places = suppressions.too_long(as_of);
    if places.is_empty() {
        return Ok(());
    }
    Err(Error::usage(format!(
        "{}: the suppression ends more than {LONGEST} days after the run's {}",
        places.join(", "),
        show(as_of)
    ))
    .help("say since when it holds (`since: 2026-03-01`), let it end sooner, or write `permanent: true` in place of the day"))
}

fn refuse_side(files: &[&FileLedger]) -> Result<()> {
    let names: Vec<String> = files.iter().take(3).map(|f| f.path.display().to_string()).collect();
    let names = Text::new(names.join(", ")).term(200);
    let read: u64 = files.iter().map(|f| f.rows).sum();
    let rejected: u64 = files.iter().map(|f| f.rejects.total()).sum();
    if read == 0 {
        return Err(Error::input(format!("{names}: there are no rows, only a header"))
            .help("was the export run for the right dates?"));
    }
    if rejected < read {
        return Ok(());
    }
    let reasons: BTreeSet<&str> =
        files.iter().flat_map(|f| f.rejects.counts.keys()).map(|r| r.summary()).collect();
    let first = files.iter().find_map(|f| f.rejects.kept.first());
    let example = first.map_or(String::new(), |r| format!("; line {}: {}", r.line, r.found.term(80)));
    let reasons: Vec<&str> = reasons.into_iter().collect();
    Err(Error::input(format!(
        "{names}: there is no usable row, all {read} were rejected ({}){example}",
        reasons.join("; ")
    ))
    .help("check separator, time format and decimal mark in the mapping"))
}

/// The audited grain and those that rules ask for.
fn grains(settings: &Settings, rules: &RuleSet) -> Vec<Grain> {
    let mut grains = vec![settings.grain.clone()];
    for grain in rules.grains() {
        if !grains.contains(grain) {
            grains.push(grain.clone());
        }
    }
    grains
}

/// The columns that every audit of these grains places rows by: theirs, the source's and the peer key's.
fn placing(grains: &[Grain]) -> BTreeSet<Col> {
    let mut columns = BTreeSet::from(PEER_COLUMNS);
    columns.extend(STRATUM_COLUMNS);
    columns.extend(Grain::source().columns());
    columns.insert(Col::Network);
    grains.iter().for_each(|grain| columns.extend(grain.columns()));
    columns
}

/// The fields of clicks that this audit reads. Which columns a cost file has is known only when it is read.
fn wanted(settings: &Settings, grains: &[Grain]) -> Wanted {
    if settings.inputs.files.contains_key(&Shape::Costs) {
        return Wanted::Everything;
    }
    let columns: Vec<Col> = placing(grains).into_iter().collect();
    let mut ids = vec![Field::Value(Col::ClickId), Field::Key(Col::UserAgent)];
    if !matches!(settings.counting, Clicks::Here) {
        // Rows of one click are told apart by their texts, as an engine does.
        ids.extend([Col::Ip, Col::UserAgent, Col::Asn].map(Field::Value));
    }
    Wanted::Only(click_fields(&columns).into_iter().chain(ids).collect())
}

/// The text columns that rows are placed by, the cost files' among them.
fn columns(intake: &Intake, grains: &[Grain]) -> Result<Vec<Col>> {
    let mapped: BTreeSet<Col> =
        [&intake.clicks, &intake.conversions, &intake.report].iter().flat_map(|t| t.columns()).collect();
    for grain in grains {
        refuse_unmapped(grain, &mapped)?;
    }
    let mut columns = placing(grains);
    columns.extend(measures::cost_columns(intake));
    Ok(columns.into_iter().collect())
}

fn refuse_unmapped(grain: &Grain, mapped: &BTreeSet<Col>) -> Result<()> {
    let missing = grain.columns().iter().find(|c| **c != Col::TrafficSource && !mapped.contains(c));
    missing.map_or(Ok(()), |col| {
        let names: Vec<&str> = mapped.iter().filter(|c| Grain::parse(c.name()).is_ok()).map(|c| c.name()).collect();
        let origin = DERIVED.iter().find(|d| d.col == *col).map(|d| d.source.origin());
        let found = origin.map_or(String::new(), |origin| format!(", or the {origin} that it is found from"));
        Err(Error::input(format!("no input has a column for {col}, which `{grain}` groups by; mapped are: {}", names.join(", ")))
            .help(format!("name the column in a mapping file (`columns: {{{col}: YOUR_HEADER}}`){found}, or group by another with --by")))
    })
}

/// The fields of a click that measures can tell apart.
fn click_fields(columns: &[Col]) -> Vec<Field> {
    let mut fields: Vec<Field> = columns.iter().map(|c| Field::Value(*c)).collect();
    let values = [Col::ClickTime, Col::Cost, Col::LanderClickTime, Col::HitType];
    fields.extend(values.into_iter().filter(|c| !columns.contains(c)).map(Field::Value));
    fields.extend([Col::ClickId, Col::Ip, Col::UserAgent, Col::Asn].map(Field::Key));
    let said = [Col::IsBot, Col::IsDatacenter, Col::IsVpn, Col::IsTor, Col::IsKnownBot, Col::IsHeadless];
    fields.extend(said.map(Field::Value));
    fields.extend([Col::ClickCountry].into_iter().filter(|c| !columns.contains(c)).map(Field::Value));
    fields.extend([Col::Referrer, Col::UserAgent].map(Field::Present));
    fields.extend([Field::Net(Col::Ip), Field::Row, Field::Macro, Field::Brand]);
    fields
}

/// The event that conversion rates are on: the declared one, or the most frequent, the first by name.
fn main_event(intake: &Intake, cleaned: &Cleaned, symbols: &mut Symbols) -> Symbol {
    if let Some(name) = &intake.mapping.main_event {
        return symbols.of(&clean::vocabulary::event(name).0);
    }
    let mut counts: std::collections::BTreeMap<&str, (u64, Symbol)> = std::collections::BTreeMap::new();
    for conversion in &cleaned.conversions {
        let name = symbols.text(conversion.event).unwrap_or_default();
        counts.entry(name).or_insert((0, conversion.event)).0 += 1;
    }
    let best = counts.values().rev().max_by_key(|(count, _)| *count);
    best.map_or(Symbol::NONE, |(_, event)| *event)
}

/// The offer of each conversion.
fn offers(matched: &Matched, columns: &[Col], symbols: &Symbols) -> Vec<Option<String>> {
    let at = columns.iter().position(|c| *c == Col::Offer);
    let offer =
        |m: &matching::MatchedConversion| at.and_then(|at| symbols.text(m.columns[at])).map(str::to_owned);
    matched.conversions.iter().map(offer).collect()
}

fn gate_input<'a>(
    settings: &Settings,
    intake: &'a Intake,
    matched: &'a Matched,
    measures: &'a Measures,
    clock: Clock,
) -> gates::Input<'a> {
    gates::Input {
        intake,
        matched,
        said_as_of: settings.as_of,
        max_age: (settings.max_age_s * SECOND as f64) as i64,
        clicks_by_day: &measures.clicks_by_day,
        as_of: clock.as_of,
        zone: clock.zone,
    }
}

fn clock(settings: &Settings, intake: &Intake) -> Clock {
    Clock {
        zone: settings.zone,
        as_of: settings.as_of.or(intake.newest()).unwrap_or(0),
        maturity: (settings.maturity_s * SECOND as f64) as i64,
    }
}
