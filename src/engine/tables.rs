//! The user's tables at the engine: what they are called, and which of their columns is which of ours.
//!
//! Loose in the project file, strict here. Nothing is found by likeness: what runs over a billion rows of
//! somebody's money is named by somebody.

use super::dialect::{Dialect, refuse_unwritable};
use crate::base::column::{COLUMNS, Col, Kind, Side};
use crate::base::error::{Error, Result};
use crate::base::near::nearest;
use crate::base::text::Text;
use crate::base::time::{TimeFormat, TimeReader, Zone};
use crate::ingest::Shape;
use std::collections::BTreeMap;

/// One table as a project file says it.
#[derive(Clone, Debug, Default)]
pub struct TableWords {
    /// `clicks`, `tracker.clicks`, ``parquet.`/lake/clicks` ``, or the parts of a name.
    pub table: Vec<String>,
    /// The table's columns by ours.
    pub columns: BTreeMap<String, String>,
    /// Columns that have one text in every row.
    pub constants: BTreeMap<String, String>,
    /// `timestamp`, `epoch_s`, `epoch_ms` or `epoch_us`.
    pub times: Option<String>,
    /// `units` or `micro`.
    pub money: Option<String>,
    /// Texts that say nothing.
    pub nulls: Option<Vec<String>>,
    /// From when on, and before when, rows are taken.
    pub from: Option<String>,
    pub until: Option<String>,
}

/// What time columns hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    Timestamp,
    /// Whole numbers since 1970, each so many microseconds.
    Epoch(i64),
}

/// Every word for times.
pub const TIMES: &[(&str, Times)] = &[
    ("timestamp", Times::Timestamp),
    ("epoch_s", Times::Epoch(1_000_000)),
    ("epoch_ms", Times::Epoch(1_000)),
    ("epoch_us", Times::Epoch(1)),
];

/// What amounts are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Money {
    Units,
    /// Whole millionths.
    Micro,
}

/// Every word for amounts.
pub const MONEY: &[(&str, Money)] = &[("units", Money::Units), ("micro", Money::Micro)];

/// One table with its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub shape: Shape,
    pub name: Vec<String>,
    pub columns: BTreeMap<Col, String>,
    pub constants: BTreeMap<Col, String>,
    pub times: Times,
    pub money: Money,
    pub nulls: Vec<String>,
    /// The period of clicks that are looked at: from here on, and before there.
    pub from: Option<i64>,
    pub until: Option<i64>,
}

/// The tables of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tables {
    pub clicks: Table,
    /// Conversions, or only their click IDs.
    pub conversions: Option<Table>,
}

/// The usual words for nothing, those of exports.
const NULLS: [&str; 3] = ["null", "NULL", "\\N"];

impl Tables {
    /// The tables that a project file names; times without an offset are of this zone.
    ///
    /// # Errors
    /// The first fault, with what was expected.
    pub fn new(clicks: Option<&TableWords>, conversions: Option<&TableWords>, zone: Zone) -> Result<Tables> {
        let clicks = clicks.ok_or_else(|| {
            Error::usage("no table of clicks is named").help(
                "write `tables: {clicks: {table: NAME, columns: {click_id: …, click_time: …, source: …}}}` in the \
                 project file",
            )
        })?;
        Ok(Tables {
            clicks: table(Shape::Clicks, clicks, zone)?,
            conversions: conversions.map(|words| table(Shape::Conversions, words, zone)).transpose()?,
        })
    }
}

impl Table {
    /// Whether rows have a column.
    pub fn has(&self, col: Col) -> bool {
        self.columns.contains_key(&col) || self.constants.contains_key(&col)
    }

    /// The columns of these kinds, in order.
    pub fn of_kind(&self, wanted: impl Fn(Kind) -> bool) -> Vec<Col> {
        COLUMNS.iter().map(|c| c.id).filter(|col| wanted(col.kind()) && self.has(*col)).collect()
    }

    /// The columns that are texts.
    pub fn texts(&self) -> Vec<Col> {
        self.of_kind(|kind| matches!(kind, Kind::Text | Kind::Key))
    }

    /// The columns that are numbers: times, amounts, counts and flags.
    pub fn numbers(&self) -> Vec<Col> {
        self.of_kind(|kind| !matches!(kind, Kind::Text | Kind::Key))
    }

    /// Whether the table only tells which clicks have a conversion.
    pub fn only_ids(&self) -> bool {
        self.shape == Shape::Conversions && !self.has(Col::ConversionTime)
    }

    /// How it is told.
    pub fn shown(&self) -> String {
        self.name.join(".")
    }

    /// A column of a row that is called `r`.
    pub fn column(&self, dialect: &Dialect, col: Col) -> Option<String> {
        self.columns.get(&col).map(|name| format!("r.{}", dialect.name(name)))
    }
}

fn table(shape: Shape, words: &TableWords, zone: Zone) -> Result<Table> {
    let at = format!("tables.{}", shape.word());
    let name = match words.table.as_slice() {
        [one] => parts(one),
        parts => parts.to_vec(),
    };
    if name.is_empty() {
        return Err(Error::usage(format!("{at} names no table")).help("write `table: NAME`"));
    }
    name.iter().try_for_each(|part| refuse_unwritable(part, "a part of a table's name"))?;
    let mut columns = BTreeMap::new();
    for (ours, theirs) in &words.columns {
        refuse_unwritable(theirs, "a column's name")?;
        columns.insert(column(shape, ours, &at)?, theirs.clone());
    }
    let mut constants = BTreeMap::new();
    for (ours, text) in &words.constants {
        let col = column(shape, ours, &at)?;
        if col.kind() != Kind::Text {
            return Err(Error::usage(format!("{at}: `{ours}` cannot be a constant"))
                .help("it must be a column of the table"));
        }
        refuse_unwritable(text, "a constant")?;
        constants.insert(col, text.clone());
    }
    let nulls = words.nulls.clone().unwrap_or_else(|| NULLS.map(str::to_owned).to_vec());
    nulls.iter().try_for_each(|null| refuse_unwritable(null, "a text that says nothing"))?;
    constants.retain(|col, _| !columns.contains_key(col));
    let (from, until) = period(shape, words, zone, &at)?;
    let table = Table {
        shape,
        name,
        columns,
        constants,
        times: word(words.times.as_deref(), TIMES, &format!("{at}.times"))?,
        money: word(words.money.as_deref(), MONEY, &format!("{at}.money"))?,
        nulls,
        from,
        until,
    };
    refuse_incomplete(&table, &at)?;
    Ok(table)
}

/// The period of a table of clicks.
fn period(shape: Shape, words: &TableWords, zone: Zone, at: &str) -> Result<(Option<i64>, Option<i64>)> {
    if shape != Shape::Clicks && (words.from.is_some() || words.until.is_some()) {
        return Err(Error::usage(format!("{at} cannot have a period")).help(
            "only clicks have one: a conversion belongs to its click; for another choice name a view",
        ));
    }
    let reader = TimeReader { format: TimeFormat::Iso, zone };
    let moment = |key: &str, text: &String| {
        reader.read(text.as_bytes()).map_err(|_| {
            Error::usage(format!("{at}.{key}: `{}` is no time", Text::of_user(text).term(60)))
                .help("write it as 2026-03-09 or 2026-03-09T06:00; without an offset it is of --tz")
        })
    };
    let from = words.from.as_ref().map(|text| moment("from", text)).transpose()?;
    let until = words.until.as_ref().map(|text| moment("until", text)).transpose()?;
    match (from, until) {
        (Some(from), Some(until)) if from >= until => {
            Err(Error::usage(format!("{at}: no time lies between from and until"))
                .help("clicks are taken from `from` on, and before `until`"))
        }
        period => Ok(period),
    }
}

/// The parts of a name between its dots; a part in backquotes or double quotes may have dots of its own. A mark that
/// does not end is a character like any other: the engine will say that there is no such table.
fn parts(name: &str) -> Vec<String> {
    let quoted = |rest: &str| {
        let mark = rest.chars().next().filter(|mark| ['`', '"'].contains(mark))?;
        let (part, behind) = rest[1..].split_once(mark)?;
        let behind = if behind.is_empty() { None } else { Some(behind.strip_prefix('.')?) };
        Some((part.to_owned(), behind.map(str::to_owned)))
    };
    let mut parts = Vec::new();
    let mut rest = Some(name.to_owned());
    while let Some(name) = rest {
        let plain = || match name.split_once('.') {
            Some((part, behind)) => (part.to_owned(), Some(behind.to_owned())),
            None => (name.clone(), None),
        };
        let (part, behind) = quoted(&name).unwrap_or_else(plain);
        parts.push(part);
        rest = behind;
    }
    parts
}

fn refuse_incomplete(table: &Table, at: &str) -> Result<()> {
    let needed: &[Col] = match table.shape {
        Shape::Clicks => &[Col::ClickId, Col::ClickTime],
        _ => &[Col::ClickId],
    };
    match needed.iter().find(|col| !table.columns.contains_key(col)) {
        Some(col) => Err(Error::usage(format!("{at} says nothing of {col}"))
            .help(format!("add `{col}: COLUMN` to its columns: {}", col.decl().summary))),
        None => Ok(()),
    }
}

/// A column that rows of this shape may have.
fn column(shape: Shape, name: &str, at: &str) -> Result<Col> {
    let fits = |col: Col| match (shape, col.decl().side) {
        (Shape::Clicks, side) => matches!(side, Side::Clicks | Side::Both) && col != Col::Currency,
        (_, side) => matches!(side, Side::Conversions | Side::Both),
    };
    let found = Col::of(name);
    if found == Some(Col::Currency) && shape == Shape::Clicks {
        return Err(Error::usage(format!("{at}: clicks at an engine are in one currency"))
            .help("exchange their costs there, and say --currency"));
    }
    found.filter(|col| fits(*col)).ok_or_else(|| {
        let near = nearest(name, COLUMNS.iter().filter(|c| fits(c.id)).map(|c| c.name));
        let help = if near.is_empty() {
            "docs/columns.md lists the columns".to_owned()
        } else {
            format!("did you mean {}?", near.join(" or "))
        };
        Error::usage(format!("{at}: `{}` is no column of {}", Text::of_user(name).term(60), shape.word()))
            .help(help)
    })
}

/// What a word means; the first where nothing is said.
fn word<T: Copy>(said: Option<&str>, all: &[(&str, T)], at: &str) -> Result<T> {
    let Some(said) = said else { return Ok(all[0].1) };
    all.iter().find(|(word, _)| *word == said).map(|(_, meaning)| *meaning).ok_or_else(|| {
        let words: Vec<&str> = all.iter().map(|(word, _)| *word).collect();
        Error::usage(format!("{at}: `{}` is none of its words", Text::of_user(said).term(60)))
            .help(format!("use {}", words.join(", ")))
    })
}

/// What the types of a table's columns must be for what is mapped to them: the column and its type that cannot be
/// read, with what it would have to be.
pub fn misfit(table: &Table, types: &[(String, String)]) -> Option<(String, String, &'static str)> {
    let of =
        |name: &String| types.iter().find(|(column, _)| column == name).map(|(_, kind)| kind.to_lowercase());
    let is = |kind: &str, words: &[&str]| words.iter().any(|word| kind.contains(word));
    table.columns.iter().find_map(|(col, name)| {
        let kind = of(name)?;
        let number =
            is(&kind, &["int", "float", "double", "decimal", "numeric", "real", "long", "short", "number"]);
        let moment = is(&kind, &["date", "time"]);
        let wanted = match col.kind() {
            Kind::Time if table.times == Times::Timestamp && !moment => "a timestamp, or say times: epoch_s",
            Kind::Time if table.times != Times::Timestamp && !number => {
                "a whole number, or say times: timestamp"
            }
            Kind::Money | Kind::Count if !number => "a number",
            Kind::Text | Kind::Key if is(&kind, &["array", "map", "struct", "tuple", "float", "double"]) => {
                "a text or a whole number"
            }
            _ => return None,
        };
        Some((name.clone(), kind, wanted))
    })
}

/// The first mapped column that a table does not have, with the nearest that it has.
pub fn missing<'t>(table: &'t Table, types: &[(String, String)]) -> Option<(&'t str, Vec<String>)> {
    let lacks = |name: &&String| types.iter().all(|(column, _)| column != *name);
    let name = table.columns.values().find(lacks)?;
    let near = nearest(name, types.iter().map(|(column, _)| column.as_str()));
    Some((name, near.into_iter().map(str::to_owned).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(columns: &[(&str, &str)]) -> TableWords {
        let columns =
            columns.iter().map(|(ours, theirs)| ((*ours).to_owned(), (*theirs).to_owned())).collect();
        TableWords { table: vec!["tracker.clicks".to_owned()], columns, ..TableWords::default() }
    }

    fn tables(words: &TableWords) -> Result<Tables> {
        Tables::new(Some(words), None, "Europe/Berlin".parse().expect("a zone"))
    }

    #[test]
    fn a_table_may_be_looked_at_for_a_period() {
        let of = |from: &str, until: &str| {
            let plain = words(&[("click_id", "id"), ("click_time", "ts")]);
            let words = TableWords { from: Some(from.to_owned()), until: Some(until.to_owned()), ..plain };
            tables(&words).map(|tables| (tables.clicks.from, tables.clicks.until)).map_err(|e| e.message)
        };
        let (day, hour) = (86_400_000_000, 3_600_000_000);
        let march = 20_513 * day;
        assert_eq!(of("2026-03-01", "2026-03-02T00:00Z"), Ok((Some(march - hour), Some(march + day))));
        for (from, until, what) in [
            ("2026-03-01", "2026-03-01", "no time lies between"),
            ("yesterday", "2026-03-01", "tables.clicks.from: `yesterday` is no time"),
            ("2026-03-01", "never", "tables.clicks.until: `never` is no time"),
        ] {
            assert!(of(from, until).expect_err(what).contains(what), "{from} {until}");
        }
        let ids = TableWords { from: Some("2026-03-01".to_owned()), ..words(&[("click_id", "id")]) };
        let both =
            Tables::new(Some(&words(&[("click_id", "id"), ("click_time", "ts")])), Some(&ids), Zone::UTC);
        assert!(
            both.expect_err("a period of conversions")
                .message
                .contains("tables.conversions cannot have a period")
        );
    }

    fn refused(words: &TableWords) -> String {
        let error = tables(words).expect_err("it is wrong");
        format!("{}: {}", error.message, error.help.unwrap_or_default())
    }

    #[test]
    fn tables_are_named_in_parts() {
        let found = tables(&words(&[("click_id", "id"), ("click_time", "ts")])).expect("fine");
        assert_eq!(found.clicks.name, ["tracker", "clicks"]);
        assert_eq!(found.clicks.times, Times::Timestamp);
        let mut whole = words(&[("click_id", "id"), ("click_time", "ts")]);
        whole.table = vec!["a.b".to_owned(), "c".to_owned()];
        assert_eq!(tables(&whole).expect("fine").clicks.name, ["a.b", "c"]);
        for (name, expected) in [
            ("parquet.`s3://lake/v1.2/clicks`", &["parquet", "s3://lake/v1.2/clicks"][..]),
            ("\"/lake/clicks/*.parquet\"", &["/lake/clicks/*.parquet"]),
            ("a.\"b.c\".d", &["a", "b.c", "d"]),
            ("a.`b", &["a", "`b"]),
            ("`a`b.c", &["`a`b", "c"]),
        ] {
            assert_eq!(parts(name), expected, "{name}");
        }
    }

    #[test]
    fn faults_say_what_to_write() {
        assert!(refused(&words(&[("click_time", "ts")])).contains("click_id: COLUMN"));
        assert!(
            refused(&words(&[("click_id", "id"), ("click_time", "ts"), ("sorce", "x")])).contains("source")
        );
        assert!(
            refused(&words(&[("click_id", "id"), ("click_time", "ts"), ("payout", "x")]))
                .contains("no column of clicks")
        );
        assert!(refused(&words(&[("click_id", "i\nd"), ("click_time", "ts")])).contains("control"));
        assert!(
            refused(&words(&[("click_id", "i"), ("click_time", "ts"), ("currency", "c")]))
                .contains("one currency")
        );
        let odd = TableWords {
            times: Some("epoch".to_owned()),
            ..words(&[("click_id", "i"), ("click_time", "t")])
        };
        assert!(refused(&odd).contains("epoch_ms"));
        assert!(
            Tables::new(None, None, Zone::UTC).expect_err("nothing").message.contains("no table of clicks")
        );
    }

    #[test]
    fn types_that_cannot_be_normalised_are_found() {
        let clicks =
            tables(&words(&[("click_id", "id"), ("click_time", "ts"), ("cost", "c")])).expect("fine").clicks;
        let types = |id: &str, ts: &str, c: &str| {
            [("id", id), ("ts", ts), ("c", c)].map(|(a, b)| (a.to_owned(), b.to_owned()))
        };
        assert_eq!(misfit(&clicks, &types("UUID", "DateTime64(3)", "Decimal(18, 6)")), None);
        for (found, column) in [
            (types("Array(String)", "DateTime", "Float64"), "id"),
            (types("String", "Int64", "Float64"), "ts"),
            (types("String", "DateTime", "String"), "c"),
        ] {
            assert_eq!(misfit(&clicks, &found).expect("a misfit").0, column);
        }
        let (name, near) = missing(&clicks, &types("a", "b", "c")[1..]).expect("the ID is missing");
        assert_eq!((name, near.len()), ("id", 0));
    }
}
