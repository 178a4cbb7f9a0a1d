//! Audits whose clicks are counted elsewhere: queries that are printed, their result that is read back, an engine
//! that is asked.

use super::args::{AuditArgs, ElsewhereArgs};
use super::audit::{guard, moment};
use super::exit::Exit;
use super::project::{Project, TablesFile};
use super::{complain, print_raw};
use crate::audit::{self, Audited, Clicks, Settings};
use crate::base::error::{Error, Result};
use crate::base::text::Text;
use crate::base::time::Zone;
use crate::engine::transport::{Access, Address, Kind, Limits, Progress, Secret, Stop};
use crate::engine::{EngineCounter, FileCounter, TableWords, Tables, dialect, written};
use crate::ingest::fetched::write_columns;
use crate::ingest::mapping::seconds;
use crate::ingest::{Plan, Shape};
use crate::rules::RuleSet;
use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};

/// Whether the clicks of a run are not among its files.
pub fn is_asked(args: &AuditArgs) -> bool {
    let ElsewhereArgs { print_sql, measures, engine, .. } = &args.elsewhere;
    print_sql.is_some() || measures.is_some() || engine.is_some()
}

/// Refuses flags that cannot hold together.
///
/// # Errors
/// What contradicts what.
pub fn refuse_contradictions(args: &AuditArgs) -> Result<()> {
    let ElsewhereArgs { print_sql, measures, engine, engine_url, portable, save_measures, .. } =
        &args.elsewhere;
    let ways = [
        ("--print-sql", print_sql.is_some()),
        ("--measures", measures.is_some()),
        ("--engine", engine.is_some()),
        ("--portable", *portable),
    ];
    let said: Vec<&str> = ways.iter().filter(|(_, said)| *said).map(|(flag, _)| *flag).collect();
    if let [first, second, ..] = said.as_slice() {
        return Err(Error::usage(format!("{first} and {second} cannot be said together"))
            .help("clicks are counted in one place"));
    }
    if engine_url.is_some() && engine.is_none() {
        return Err(
            Error::usage("--engine-url needs an engine").help("say --engine clickhouse or --engine spark")
        );
    }
    if save_measures.is_some() && !*portable {
        return Err(
            Error::usage("--save-measures writes what an engine would count").help("say --portable, too")
        );
    }
    if is_asked(args) && args.store.is_some() {
        return Err(Error::usage(format!("{} and --store cannot be said together", said[0]))
            .help("a store keeps clicks; the engine has them already: let its tables hold the window"));
    }
    Ok(())
}

/// Refuses an engine where single clicks are looked at.
///
/// # Errors
/// The clicks are counted elsewhere.
pub fn refuse(args: &AuditArgs, command: &str) -> Result<()> {
    if !is_asked(args) {
        return Ok(());
    }
    Err(Error::usage(format!(
        "`clickaudit {command}` looks at single clicks, which an engine keeps to itself"
    ))
    .help("export the clicks of the source in question and name the files"))
}

/// Prints the queries, if that is all that is asked.
///
/// # Errors
/// What keeps them from being written.
pub fn print_queries(
    args: &AuditArgs,
    tables: &Option<TablesFile>,
    settings: &Settings,
    rules: &RuleSet,
) -> Result<Option<Exit>> {
    let Some(said) = &args.elsewhere.print_sql else { return Ok(None) };
    let (name, into) = said.split_once('=').map_or((said.as_str(), None), |(name, into)| (name, Some(into)));
    let dialect = dialect::named(name)?;
    let text = audit::printed(settings, rules, &strict(tables, settings)?, dialect, into)?;
    print_raw(text.as_bytes())?;
    Ok(Some(Exit::Completed))
}

/// Lets a run take its clicks from where they are counted.
///
/// # Errors
/// A file that is no result of this plan, or an engine that fails.
pub fn prepare(
    args: &AuditArgs,
    tables: &Option<TablesFile>,
    settings: &mut Settings,
    rules: &RuleSet,
) -> Result<()> {
    if args.elsewhere.portable {
        settings.counting = Clicks::Portable;
        settings.keeps_counts = args.elsewhere.save_measures.is_some();
    }
    if let Some(path) = &args.elsewhere.measures {
        let tables = strict(tables, settings)?;
        return audit::fetch(settings, rules, &tables, |_| {
            Ok(Box::new(FileCounter::open(path, tables.clone(), &guard())?))
        });
    }
    if let Some(name) = &args.elsewhere.engine {
        let tables = strict(tables, settings)?;
        let access = access(args, Kind::named(name)?)?;
        let began = moment("now", settings.zone)?;
        return audit::fetch(settings, rules, &tables, |ids| {
            Ok(Box::new(EngineCounter::open(access, tables.clone(), ids, began)?))
        });
    }
    Ok(())
}

/// All that is needed to speak to an engine.
fn access(args: &AuditArgs, kind: Kind) -> Result<Access> {
    let ElsewhereArgs { engine_url, engine_secret, engine_ca, engine_timeout, .. } = &args.elsewhere;
    let url = engine_url.as_deref().ok_or_else(|| {
        Error::usage("nobody said where the engine is")
            .help(format!("say --engine-url, such as {}", kind.example()))
    })?;
    let timeout = engine_timeout.as_deref().map(seconds).transpose()?;
    Ok(Access {
        address: Address::parse(kind, url)?,
        secret: secret(engine_secret.as_deref())?,
        ca: engine_ca.clone(),
        limits: Limits { query_s: timeout.map_or(0, |s| s.ceil() as u64), ..Limits::USUAL },
        run: env!("CARGO_PKG_NAME").to_owned(),
        stop: stop_on_interrupt(),
        progress: (!args.quiet && std::io::IsTerminal::is_terminal(&std::io::stderr())).then(progress),
    })
}

/// The environment's name for what the engine asks for.
const SECRET: &str = "CLICKAUDIT_ENGINE_SECRET";

fn secret(file: Option<&Path>) -> Result<Option<Secret>> {
    match (file, std::env::var(SECRET)) {
        (Some(path), _) => Secret::from_file(path).map(Some),
        (None, Ok(text)) => Secret::of(&text, SECRET).map(Some),
        (None, Err(std::env::VarError::NotPresent)) => Ok(None),
        (None, Err(_)) => Err(Error::usage(format!("{SECRET} is no text"))),
    }
}

/// Ctrl-C ends a query, which is told to the engine; where none runs it ends the program as ever.
fn stop_on_interrupt() -> Stop {
    let stop = Stop::default();
    #[cfg(any(feature = "clickhouse", feature = "spark"))]
    {
        use signal_hook::{consts::SIGINT, flag};
        let ends = flag::register_conditional_default(SIGINT, stop.idle());
        // Without the signal a query runs to its end: nothing is lost.
        let _ = ends.and_then(|_| flag::register(SIGINT, stop.asked()));
    }
    stop
}

/// How far a query is, told every few seconds.
fn progress() -> Box<dyn Fn(Progress)> {
    const EVERY: Duration = Duration::from_secs(5);
    let last = Cell::new(Instant::now());
    Box::new(move |now| {
        if last.get().elapsed() < EVERY {
            return;
        }
        last.set(Instant::now());
        match (now.tasks, now.rows_in_all) {
            (Some((done, all)), _) => complain(&format!("engine: {done} of {all} tasks are done")),
            (None, Some(all)) => complain(&format!("engine: {} of {all} rows are read", now.rows_read)),
            (None, None) => complain(&format!("engine: {} rows are read", now.rows_read)),
        }
    })
}

/// Writes the integer table, if it was kept.
///
/// # Errors
/// It cannot be written.
pub fn save(path: Option<&Path>, audited: &Audited) -> Result<()> {
    match path.zip(audited.counts.as_ref()) {
        Some((path, counts)) => write_columns(path, &written(counts, audited.report.run.as_of)),
        None => Ok(()),
    }
}

fn strict(tables: &Option<TablesFile>, settings: &Settings) -> Result<Tables> {
    let words = |shape: Shape| tables.as_ref().and_then(|tables| tables.of(shape));
    let (clicks, conversions): (Option<TableWords>, Option<TableWords>) =
        (words(Shape::Clicks), words(Shape::Conversions));
    let tables = Tables::new(clicks.as_ref(), conversions.as_ref(), settings.zone)?;
    refuse_zones(&tables, &settings.plan)?;
    Ok(tables)
}

/// Refuses a zone for times in tables, which are instants or in UTC.
fn refuse_zones(tables: &Tables, plan: &Plan) -> Result<()> {
    let conversions = tables.conversions.as_ref().filter(|table| !table.only_ids());
    let all =
        std::iter::once((Shape::Clicks, &tables.clicks)).chain(conversions.map(|t| (Shape::Conversions, t)));
    let said = all.filter_map(|(shape, table)| Some((shape, table, plan.time_zone(shape)?)));
    match said.into_iter().find(|(.., zone)| zone.parse::<Zone>() != Ok(Zone::UTC)) {
        None => Ok(()),
        Some((shape, table, zone)) => {
            let (zone, name) = (Text::of_user(zone).term(40), Text::of_user(table.shown()).term(80));
            Err(Error::usage(format!(
                "times of {} are said to be of {zone}; they stand in {name}, whose times are instants or in UTC",
                shape.word()
            ))
            .help(
                "if they are not, let a view at the engine turn them into UTC, and name it as the table; a zone of conversions \
                 in files is said of them alone: --time-zone conversions=ZONE",
            ))
        }
    }
}

/// The project file's tables, before the rest of it is used up.
pub fn tables(project: &mut Project) -> Option<TablesFile> {
    project.tables.take()
}
