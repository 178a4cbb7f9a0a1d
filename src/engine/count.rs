//! Counting the clicks of a run elsewhere: by queries to an engine, or from a file with the result of the printed
//! ones.

use super::dialect::{self, Dialect};
use super::plan::{self, Plan, Query, Wish};
use super::render::{IDS, ROWS, Sql};
use super::result::{FROM_FILES, Results, Stamp};
use super::tables::{self, Table, Tables};
use super::transport::{self, Access};
use super::{Engine, EngineError, EngineFault};
use crate::base::answer::{Answer, Column, Values};
use crate::base::column::Col;
use crate::base::error::{Error, Result};
use crate::base::near::nearest;
use crate::base::text::Text;
use crate::base::time::SECOND;
use crate::ingest::{Fetched, Guard, fetched};
use crate::measures::Counts;
use std::cell::OnceCell;
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

/// Counts clicks elsewhere.
pub trait Counter {
    /// The tables, whose columns decide what can be counted.
    fn tables(&self) -> &Tables;

    /// The rows to be read here: clicks that conversions name, and conversions.
    ///
    /// # Errors
    /// The engine fails, or the result is none of this plan.
    fn rows(&self, wish: &Wish) -> Result<Vec<Fetched>>;

    /// The integer table.
    ///
    /// # Errors
    /// The engine fails, or the result is none of this plan.
    fn counts(&self, wish: &Wish) -> Result<Counts>;

    /// The moment that the result reaches up to, if it is settled already.
    fn as_of(&self) -> Option<i64>;

    /// Whether the click IDs of conversions have to be brought along.
    fn wants_ids(&self) -> bool;
}

/// Refuses conversions in files beside a table of conversions, which is then all that the printed queries look for.
///
/// # Errors
/// There are both.
pub fn refuse_unasked(tables: &Tables, ids: &[String]) -> Result<()> {
    match &tables.conversions {
        Some(table) if !table.only_ids() && !ids.is_empty() => Err(Error::usage(format!(
            "conversions stand in files, and {} is named as the table of all of them",
            Text::of_user(table.shown()).term(80)
        ))
        .help("name a table of click IDs alone, of all conversions; or leave the files out")),
        _ => Ok(()),
    }
}

/// The columns of clicks that a table has.
pub fn columns(tables: &Tables) -> BTreeSet<Col> {
    tables.clicks.columns.keys().chain(tables.clicks.constants.keys()).copied().collect()
}

/// The whole plan as one query, or as a script that writes its result into a file or folder.
///
/// # Errors
/// The dialect has no statement that writes, or the target cannot be written into one.
pub fn printed(
    tables: &Tables,
    dialect: &'static Dialect,
    into: Option<&str>,
    wish: &Wish,
) -> Result<String> {
    let plan = Plan::new(tables, wish);
    let sql = Sql { plan: &plan, dialect, before: None };
    let query = dialect.script(&sql.whole(&plan.all()), into)?;
    let what = match into {
        None => {
            "Write the whole result, as it is, to a Parquet file, or a folder of such; then: clickaudit audit --measures FILE"
        }
        Some(_) => {
            "It writes its result itself; then: clickaudit audit --measures with the file or folder that it names"
        }
    };
    let (version, digest, name) = (&plan.stamp[0], &plan.stamp[1], dialect.name);
    Ok(format!("-- {version}, plan {digest}, written in the dialect of {name}.\n-- {what}\n{query}\n"))
}

/// A file, or a folder of files, with the result of the printed queries.
pub struct FileCounter {
    path: PathBuf,
    tables: Tables,
    results: Results,
    stamp: Stamp,
}

impl FileCounter {
    /// Reads the file, or the files of a folder.
    ///
    /// # Errors
    /// It cannot be read, is no result, or has not all of its rows.
    pub fn open(path: &Path, tables: Tables, guard: &Guard) -> Result<FileCounter> {
        let mut results = Results::default();
        let named = |e: Error| Error { message: format!("{}: {}", path.display(), e.message), ..e };
        for file in files(path)? {
            let mut answer = fetched::columns_of(&file, guard)?;
            // Snowflake and Oracle write names that stand without quotes in capitals.
            answer.columns.iter_mut().for_each(|column| column.name.make_ascii_lowercase());
            results.take(&answer).map_err(named)?;
        }
        let stamp = results.stamp().map_err(named)?;
        results.refuse_cut().map_err(named)?;
        Ok(FileCounter { path: path.to_owned(), tables, results, stamp })
    }

    fn named(&self, error: Error) -> Error {
        Error { message: format!("{}: {}", self.path.display(), error.message), ..error }
    }
}

/// The files of a result: itself, or those that a cluster wrote into a folder, whose other files begin with a dot or
/// an underscore.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let unread = |e| Error::reading(path, e);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unread)? {
        let file = entry.map_err(unread)?.path();
        let name = file.iter().next_back().map(std::ffi::OsStr::to_string_lossy);
        if file.is_file() && !name.is_some_and(|name| name.starts_with(['.', '_'])) {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Error::input(format!("{} is a folder without files", path.display()))
            .help("the query that should write into it has failed, or is at work yet"));
    }
    Ok(files)
}

impl Counter for FileCounter {
    fn tables(&self) -> &Tables {
        &self.tables
    }

    fn rows(&self, wish: &Wish) -> Result<Vec<Fetched>> {
        let plan = Plan::new(&self.tables, wish);
        self.results.refuse_other(&plan).map_err(|e| self.named(e))?;
        let file = self.path.display().to_string();
        let clicks = self.results.clicks(&plan, &format!("{file}: {}", self.tables.clicks.shown()));
        let name = self.tables.conversions.as_ref().map_or(String::new(), Table::shown);
        let conversions = self.results.conversions(&plan, &format!("{file}: {name}"));
        Ok(std::iter::once(clicks.map_err(|e| self.named(e))?).chain(conversions).collect())
    }

    fn counts(&self, wish: &Wish) -> Result<Counts> {
        let plan = Plan::new(&self.tables, wish);
        self.results.refuse_other(&plan).and_then(|()| self.results.counts(&plan)).map_err(|e| self.named(e))
    }

    fn as_of(&self) -> Option<i64> {
        Some(self.stamp.as_of)
    }

    fn wants_ids(&self) -> bool {
        false
    }
}

/// An engine that queries are sent to.
pub struct EngineCounter {
    engine: Box<dyn Engine>,
    /// How it is called in reports.
    name: String,
    dialect: &'static Dialect,
    tables: Tables,
    /// The click IDs of conversions that are not at the engine, each once.
    ids: Option<Vec<String>>,
    /// When the run began: rows from then on are not looked at.
    began: i64,
    /// The digest that stands for the clicks in the report: all queries are called by it in the engine's log.
    known_as: OnceCell<String>,
}

impl EngineCounter {
    /// Reaches an engine and looks at its tables; `ids` are the click IDs of the conversions at hand, `began` is now.
    ///
    /// # Errors
    /// It cannot be reached, or a table or column is not there or cannot be read.
    pub fn open(access: Access, tables: Tables, ids: Vec<String>, began: i64) -> Result<EngineCounter> {
        let (name, kind) = (access.address.to_string(), access.address.kind);
        // A table of click IDs alone is there to name them all.
        let brings = match &tables.conversions {
            Some(table) => !table.only_ids() && !ids.is_empty(),
            None => true,
        };
        let ids = brings.then_some(ids);
        let (engine, dialect) = (transport::open(access)?, dialect::named(kind.feature())?);
        // Times may be whole seconds: of the one that is not over more could come.
        let began = began - began.rem_euclid(SECOND);
        let counter = EngineCounter { engine, name, dialect, tables, ids, began, known_as: OnceCell::new() };
        counter.check()?;
        Ok(counter)
    }

    /// Refuses tables that lack a column, or have one of a type that cannot be read.
    ///
    /// # Errors
    /// The first fault, with the nearest names.
    fn check(&self) -> Result<()> {
        let all = std::iter::once(&self.tables.clicks).chain(&self.tables.conversions);
        all.into_iter().try_for_each(|table| self.check_table(table))
    }

    fn check_table(&self, table: &Table) -> Result<()> {
        let types = self.engine.columns(&self.dialect.table(&table.name));
        let types = types.map_err(|error| self.of_table(table, error))?;
        let place = format!("{}: {}", self.name, Text::of_user(table.shown()).term(80));
        if let Some((name, near)) = tables::missing(table, &types) {
            let help = match near.as_slice() {
                [] => format!("its columns are {}", listed(types.iter().map(|(name, _)| name.as_str()))),
                near => format!("did you mean {}?", listed(near.iter().map(String::as_str))),
            };
            let name = Text::of_user(name).term(60);
            return Err(Error::usage(format!("{place} has no column `{name}`")).help(help));
        }
        if let Some((name, kind, wanted)) = tables::misfit(table, &types) {
            let name = Text::of_user(name).term(60);
            return Err(Error::usage(format!("{place}: the column `{name}` is {kind}"))
                .help(format!("expected {wanted}; a view at the engine can cast it")));
        }
        Ok(())
    }

    /// What kept us from looking at a table; if it is not there, with the nearest that are.
    fn of_table(&self, table: &Table, error: EngineError) -> Error {
        let missing = error.fault == EngineFault::NoTable;
        let mut error = error.into_error();
        if let Some((name, schema)) = table.name.split_last().filter(|_| missing) {
            let schema = Some(self.dialect.table(schema)).filter(|schema| !schema.is_empty());
            // Whoever may not list tables gets the error without a hint.
            let there = self.engine.tables(schema.as_deref()).unwrap_or_default();
            let near = nearest(name, there.iter().map(String::as_str));
            if !near.is_empty() {
                error.help = Some(format!("did you mean {}?", listed(near.into_iter())));
            }
        }
        error
    }

    fn run(&self, plan: &Plan, queries: &[Query]) -> Result<Results> {
        let sql = Sql { plan, dialect: self.dialect, before: Some(self.began) };
        let ids = self.ids.as_ref().map(|ids| {
            let values = Values::Text(ids.iter().cloned().map(Some).collect());
            Answer { columns: vec![Column { name: "click_id".to_owned(), values }] }
        });
        let brought: Vec<(&str, &Answer)> = ids.iter().map(|ids| (IDS, ids)).collect();
        let mut results = Results::default();
        for query in queries {
            let text = sql.alone(query);
            let needed: &[(&str, &Answer)] = if text.contains(IDS) { &brought } else { &[] };
            let name = format!("{}-{}", self.known_as.get().map_or("", String::as_str), query.name);
            let answer = self.engine.query(&name, &text, needed).map_err(EngineError::into_error)?;
            results.take(&answer)?;
        }
        Ok(results)
    }
}

impl Counter for EngineCounter {
    fn tables(&self) -> &Tables {
        &self.tables
    }

    fn rows(&self, wish: &Wish) -> Result<Vec<Fetched>> {
        let plan = Plan::new(&self.tables, wish);
        self.known_as.get_or_init(|| plan.stamp[1].clone());
        let results = self.run(&plan, &plan.before())?;
        let clicks = results.clicks(&plan, &format!("{}: {}", self.name, self.tables.clicks.shown()))?;
        let name = self.tables.conversions.as_ref().map_or(String::new(), Table::shown);
        let conversions = results.conversions(&plan, &format!("{}: {name}", self.name));
        Ok(std::iter::once(clicks).chain(conversions).collect())
    }

    fn counts(&self, wish: &Wish) -> Result<Counts> {
        let plan = Plan::new(&self.tables, wish);
        let kept = plan.before().into_iter().filter(|query| query.name == "kept");
        let queries: Vec<Query> = kept.chain(plan.counts()).collect();
        self.run(&plan, &queries)?.counts(&plan)
    }

    fn as_of(&self) -> Option<i64> {
        None
    }

    fn wants_ids(&self) -> bool {
        self.ids.is_some()
    }
}

/// Up to 40 names.
fn listed<'t>(names: impl Iterator<Item = &'t str>) -> String {
    names.take(40).map(|name| Text::of_user(name).term(60)).collect::<Vec<_>>().join(", ")
}

/// The same texts, each once, in order.
pub fn distinct(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut all: Vec<String> = texts.collect::<HashSet<String>>().into_iter().collect();
    all.sort_unstable();
    all
}

/// The integer table of a run on files in the form in which results travel, with the row that says what they are and
/// how many rows there are.
pub fn written(counts: &Counts, as_of: Option<i64>) -> Answer {
    let texts = counts.parts.iter().map(|(part, _)| part.columns.len()).max().unwrap_or(0).max(3);
    let numbers = counts.parts.iter().map(|(part, _)| part.numbers().len()).max().unwrap_or(0);
    let mut names: Vec<Option<String>> = vec![Some("plan".to_owned())];
    let stamp = [plan::VERSION.to_owned(), FROM_FILES.to_owned(), as_of.unwrap_or(0).to_string()];
    let stamp = stamp.into_iter().chain(std::iter::repeat(String::new()));
    let mut columns: Vec<Vec<Option<String>>> = stamp.take(texts).map(|text| vec![Some(text)]).collect();
    let mut values: Vec<Vec<Option<i64>>> = vec![vec![Some(0)]; numbers];
    for (part, rows) in &counts.parts {
        names.extend(std::iter::repeat_n(Some(part.name.clone()), rows.len()));
        for (at, column) in columns.iter_mut().enumerate() {
            match rows.texts.get(at) {
                Some(texts) => column.extend(texts.iter().cloned().map(Some)),
                None => column.extend(std::iter::repeat_n(Some(String::new()), rows.len())),
            }
        }
        for (at, column) in values.iter_mut().enumerate() {
            match rows.numbers.get(at) {
                Some(numbers) => column.extend(numbers.iter().copied().map(Some)),
                None => column.extend(std::iter::repeat_n(Some(0), rows.len())),
            }
        }
    }
    let said = vec![Some(names.len() as i64); names.len()];
    let named = |mark: char, at: usize| format!("{mark}{}", at + 1);
    let mut all = vec![Column { name: "part".to_owned(), values: Values::Text(names) }];
    let texts = columns.into_iter().enumerate();
    all.extend(texts.map(|(at, values)| Column { name: named('t', at), values: Values::Text(values) }));
    let numbers = values.into_iter().enumerate();
    all.extend(numbers.map(|(at, values)| Column { name: named('n', at), values: Values::Int(values) }));
    all.push(Column { name: ROWS.to_owned(), values: Values::Int(said) });
    Answer { columns: all }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measures::portable::{Asked, PartRows, parts};

    #[test]
    fn what_is_written_is_taken_as_a_whole_result_of_files() {
        let columns = BTreeSet::from([Col::Source, Col::Ip]);
        let grains = [crate::base::column::Grain::source()];
        let asked = Asked { grains: &grains, cuts: &[], columns: &columns, peers: &[] };
        let filled = parts(&asked).into_iter().map(|part| {
            let texts = vec![vec!["x".to_owned(), String::new()]; part.columns.len()];
            let numbers = vec![vec![7, 8]; part.numbers().len()];
            (part, PartRows { texts, numbers })
        });
        let counts = Counts { parts: filled.collect(), clicks: 15, other_hits: 0 };
        let mut results = Results::default();
        results.take(&written(&counts, Some(5))).expect("the form of results");
        results.refuse_cut().expect("it says how many rows it has");
        assert_eq!(results.found(), 1 + counts.parts.len());
        let refused = results.stamp().err().expect("a result of files");
        assert!(refused.message.contains("counted from files"), "{}", refused.message);
    }
}
