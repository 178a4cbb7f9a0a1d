//! What came back: rows of the one form that all queries have, as the integer table and as rows to be read.
//!
//! A result is believed if it belongs to this plan and is whole; what it says of rows is then as good as an export.

use super::numbers::{BAD_FLAG, FAULTS, NO_NUMBER, NO_TIME, TOO_LARGE};
use super::plan::{Plan, Query, VERSION, What};
use super::render::{ROWS, Sql};
use super::tables::Table;
use crate::base::answer::{Answer, Values};
use crate::base::column::{Col, Kind};
use crate::base::error::{Error, Result};
use crate::base::text::Text;
use crate::base::time::{LATEST, show_micros};
use crate::ingest::{Fetched, Shape};
use crate::measures::Counts;
use crate::measures::portable::PartRows;
use std::collections::BTreeMap;

/// Rows of all queries by the name of their query.
#[derive(Default)]
pub struct Results {
    parts: BTreeMap<String, PartRows>,
    rows: usize,
    /// How many rows the result itself says that it has.
    said: Option<i64>,
}

/// What stands for the digest of a plan in a table that was counted from files.
pub const FROM_FILES: &str = "files";

/// What a stamp says.
pub struct Stamp {
    pub digest: String,
    pub as_of: i64,
}

impl Results {
    /// Takes the rows of an answer, whichever queries they belong to.
    ///
    /// # Errors
    /// Columns that are not those of a result, or a value that is missing or of the wrong kind.
    pub fn take(&mut self, answer: &Answer) -> Result<()> {
        let shaped = Shaped::of(answer)?;
        self.rows += answer.rows();
        for row in 0..answer.rows() {
            if let Some(said) = shaped.said {
                self.said = Some(number(said, row)?);
            }
            let part = text(shaped.part, row);
            if !self.parts.contains_key(part) {
                let empty = PartRows {
                    texts: vec![Vec::new(); shaped.texts.len()],
                    numbers: vec![Vec::new(); shaped.numbers.len()],
                };
                self.parts.insert(part.to_owned(), empty);
            }
            let rows = self.parts.get_mut(part).expect("just put there");
            for (column, values) in rows.texts.iter_mut().zip(&shaped.texts) {
                column.push(text(values, row).to_owned());
            }
            for (column, values) in rows.numbers.iter_mut().zip(&shaped.numbers) {
                column.push(number(values, row)?);
            }
        }
        Ok(())
    }

    /// Refuses a result that has other rows than it says.
    ///
    /// # Errors
    /// It was cut off, put together twice, or does not say how many rows it has.
    pub fn refuse_cut(&self) -> Result<()> {
        let help = "run the whole query again, and write all of its rows and columns to the file";
        match self.said {
            Some(said) if said == self.rows as i64 => Ok(()),
            Some(said) => {
                Err(Error::input(format!("the result has {} rows of {said}", self.rows)).help(help))
            }
            None => Err(Error::input(format!("the result has no column `{ROWS}` that says how long it is"))
                .help(help)),
        }
    }

    /// Which plan the result belongs to.
    ///
    /// # Errors
    /// It has no stamp, or that of another version.
    pub fn stamp(&self) -> Result<Stamp> {
        let said = |at: usize| self.parts.get("plan")?.texts.get(at)?.first().map(String::as_str);
        match said(0) {
            None => Err(Error::input("the measures have no row that says what they are")
                .help("print the queries with --print-sql, and write their whole result to the file")),
            Some(VERSION) if said(1) == Some(FROM_FILES) => {
                Err(Error::input("the measures were counted from files: they lack the clicks that conversions name")
                    .help("audit the files themselves; what --save-measures writes is there to be held against an engine's result"))
            }
            Some(VERSION) => {
                let as_of = said(2).and_then(|text| text.parse().ok());
                let stamp =
                    said(1).zip(as_of).map(|(digest, as_of)| Stamp { digest: digest.to_owned(), as_of });
                stamp.ok_or_else(|| Error::input("the row that says what the measures are is broken"))
            }
            Some(other) => Err(Error::input(format!(
                "the measures are of version `{}`; this program reads {VERSION}",
                Text::new(other).term(40)
            ))
            .help("print the queries again with this program, and run them")),
        }
    }

    /// Refuses a result of another plan.
    ///
    /// # Errors
    /// Its digest is another's.
    pub fn refuse_other(&self, plan: &Plan) -> Result<()> {
        if self.stamp()?.digest == plan.stamp[1] {
            return Ok(());
        }
        Err(Error::input("the measures belong to another plan: tables, rules, grain, zone or times differ")
            .help(
                "run with the project file and flags of --print-sql, or print the queries again and run them",
            ))
    }

    /// Of how many queries there are rows.
    #[cfg(test)]
    pub fn found(&self) -> usize {
        self.parts.len()
    }

    fn rows(&self, query: &str) -> PartRows {
        self.parts.get(query).cloned().unwrap_or_default()
    }

    /// The one row of a query, which has so many numbers.
    fn one(&self, query: &str, numbers: usize) -> Result<Vec<i64>> {
        let row = self.parts.get(query).filter(|rows| rows.len() == 1 && rows.numbers.len() >= numbers);
        row.map(|rows| rows.numbers.iter().map(|column| column[0]).collect()).ok_or_else(|| {
            Error::input(format!("the result has no answer to `{query}`"))
                .help("it was cut off: run the whole query again")
        })
    }

    /// The integer table of a plan.
    ///
    /// # Errors
    /// A part that must have rows and has none.
    pub fn counts(&self, plan: &Plan) -> Result<Counts> {
        let kept = self.one("kept", 2)?;
        let part = |query: &Query| match &query.what {
            What::Counted(part) => {
                let mut rows = self.rows(&query.name);
                rows.texts.resize(part.columns.len(), Vec::new());
                rows.numbers.resize(part.numbers().len(), Vec::new());
                Some((part.clone(), rows))
            }
            _ => None,
        };
        let parts = plan.counts().iter().filter_map(part).collect();
        Ok(Counts { parts, clicks: unsigned(kept[0]), other_hits: unsigned(kept[1]) })
    }

    /// The rows of clicks that conversions name, with what is known of all.
    ///
    /// # Errors
    /// There is no answer to what is known of all rows.
    pub fn clicks(&self, plan: &Plan, name: &str) -> Result<Fetched> {
        let table = &plan.tables.clicks;
        let rows = self.one("rows", 4 + FAULTS.len())?;
        let (kept, conflicts) = (self.one("kept", 2)?, self.one("conflicts", 1)?);
        let valid = unsigned(rows[1]);
        let mut columns = exported(table, &self.rows("named"), plan.cost_parts);
        let mut near = exported(table, &self.rows("near"), plan.cost_parts);
        for ((_, column), (_, more)) in columns.iter_mut().zip(&mut near) {
            column.append(more);
        }
        Ok(Fetched {
            shape: Shape::Clicks,
            name: name.to_owned(),
            columns,
            rows: unsigned(rows[0]),
            rejects: FAULTS.into_iter().zip(rows[4..].iter().copied().map(unsigned)).collect(),
            span: (valid > 0).then_some((rows[2], rows[3])),
            dropped: valid.saturating_sub(unsigned(kept[0]).saturating_add(unsigned(kept[1]))),
            conflicts: unsigned(conflicts[0]),
            digest: plan.stamp[1].clone(),
        })
    }

    /// The conversions, if they were asked for.
    pub fn conversions(&self, plan: &Plan, name: &str) -> Option<Fetched> {
        let table = plan.tables.conversions.as_ref().filter(|table| !table.only_ids())?;
        let rows = self.rows("conversions");
        let columns = exported(table, &rows, 1);
        Some(Fetched {
            shape: Shape::Conversions,
            name: name.to_owned(),
            columns,
            rows: rows.len() as u64,
            rejects: Vec::new(),
            span: None,
            dropped: 0,
            conflicts: 0,
            digest: plan.stamp[1].clone(),
        })
    }
}

/// The columns of an answer in the form of results.
struct Shaped<'a> {
    part: &'a Values,
    texts: Vec<&'a Values>,
    numbers: Vec<&'a Values>,
    said: Option<&'a Values>,
}

impl<'a> Shaped<'a> {
    fn of(answer: &'a Answer) -> Result<Shaped<'a>> {
        let of = |mark: char| {
            let names = (1..).map(move |at| format!("{mark}{at}"));
            names.map_while(|name| answer.column(&name)).collect::<Vec<&Values>>()
        };
        let (texts, numbers) = (of('t'), of('n'));
        let (part, said) = (answer.column("part"), answer.column(ROWS));
        let known = 1 + texts.len() + numbers.len() + usize::from(said.is_some());
        match part {
            Some(part) if known == answer.columns.len() => Ok(Shaped { part, texts, numbers, said }),
            _ => {
                let names: Vec<String> = answer
                    .columns
                    .iter()
                    .take(8)
                    .map(|column| Text::new(column.name.as_str()).term(40))
                    .collect();
                Err(Error::input(format!(
                    "the result has the columns {}; expected part, t1, t2 and so on, n1, n2 and so on",
                    names.join(", ")
                ))
                .help("write the result of the printed query to the file as it is"))
            }
        }
    }
}

fn text(values: &Values, row: usize) -> &str {
    match values {
        Values::Text(texts) => texts[row].as_deref().unwrap_or_default(),
        Values::Int(_) => "",
    }
}

fn number(values: &Values, row: usize) -> Result<i64> {
    let found = match values {
        Values::Int(numbers) => numbers[row],
        Values::Text(texts) => texts[row].as_deref().and_then(|text| text.parse().ok()),
    };
    found.ok_or_else(|| {
        Error::input("the result has a number that is missing or no whole number")
            .help("write the result of the printed query to the file as it is")
    })
}

fn unsigned(number: i64) -> u64 {
    number.max(0) as u64
}

/// Rows of a table as texts of an export, column by column.
fn exported(table: &Table, rows: &PartRows, cost_parts: i64) -> Vec<(Col, Vec<String>)> {
    let none = Vec::new();
    let texts = table.texts().into_iter().enumerate();
    let mut columns: Vec<(Col, Vec<String>)> =
        texts.map(|(at, col)| (col, rows.texts.get(at).cloned().unwrap_or_default())).collect();
    let mut numbers = Sql::numbers(table).into_iter().enumerate();
    for col in table.numbers() {
        let mut next = || numbers.next().and_then(|(at, _)| rows.numbers.get(at)).unwrap_or(&none);
        let written = match col.kind() {
            Kind::Time => next().iter().copied().map(time).collect(),
            Kind::Flag => next().iter().copied().map(flag).collect(),
            kind => {
                let known = next().clone();
                let parts = if col == Col::Cost { cost_parts } else { 1 };
                let write = |n: i64| if kind == Kind::Money { decimal(n, parts) } else { n.to_string() };
                let pairs = known.into_iter().zip(next());
                pairs
                    .map(|(known, n)| match known {
                        0 => String::new(),
                        NO_NUMBER => "NaN".to_owned(),
                        TOO_LARGE => write(i64::MAX),
                        _ => write(*n),
                    })
                    .collect()
            }
        };
        columns.push((col, written));
    }
    columns
}

/// A time; one that is none of a click's is written so that it is refused for that.
fn time(micros: i64) -> String {
    if micros == NO_TIME { String::new() } else { show_micros(micros.clamp(0, LATEST)) }
}

/// A flag; one that is neither yes nor no is written so that it is refused for that.
fn flag(number: i64) -> String {
    match number {
        0 | 1 => number.to_string(),
        BAD_FLAG => "?".to_owned(),
        _ => String::new(),
    }
}

/// Parts of micro-units as a decimal number of units.
fn decimal(number: i64, parts: i64) -> String {
    let whole = 1_000_000 * i128::from(parts);
    let digits = if parts == 1 { 6 } else { 6 + parts.ilog10() as usize };
    let (sign, size) = (if number < 0 { "-" } else { "" }, i128::from(number).abs());
    format!("{sign}{}.{:0digits$}", size / whole, size % whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_decimal_numbers() {
        assert_eq!(decimal(-1_500_000, 1), "-1.500000");
        assert_eq!(decimal(12_345, 1_000), "0.000012345");
        assert_eq!(decimal(i64::MIN, 1), "-9223372036854.775808");
    }

    fn answer(names: &[&str]) -> Answer {
        let column = |name: &&str| crate::base::answer::Column {
            name: (*name).to_owned(),
            values: if name.starts_with('n') {
                Values::Int(vec![Some(7)])
            } else {
                Values::Text(vec![Some("plan".to_owned())])
            },
        };
        Answer { columns: names.iter().map(column).collect() }
    }

    #[test]
    fn only_results_are_taken() {
        let mut results = Results::default();
        results.take(&answer(&["part", "t1", "n1"])).expect("the form of results");
        let refused = results.take(&answer(&["part", "t1", "n1", "x"])).expect_err("a column too many");
        assert!(refused.message.contains("part, t1, n1, x"), "{}", refused.message);
        results.take(&answer(&["t1", "n1"])).expect_err("no name");
        assert!(results.stamp().err().expect("another version").message.contains(VERSION));
    }

    #[test]
    fn every_row_that_was_there_must_have_come() {
        let whole = |rows: &[i64]| {
            let mut answer = answer(&["part", "t1", "n1", ROWS]);
            answer.columns[3].values = Values::Int(vec![Some(rows[0])]);
            let mut results = Results::default();
            rows.iter().for_each(|_| results.take(&answer).expect("the form of results"));
            results.refuse_cut().map_err(|e| e.message)
        };
        assert_eq!(whole(&[1]), Ok(()));
        assert_eq!(whole(&[2, 2]), Ok(()));
        assert_eq!(whole(&[2]), Err("the result has 1 rows of 2".to_owned()));
        assert_eq!(whole(&[1, 1]), Err("the result has 2 rows of 1".to_owned()));
        let mut unsaid = Results::default();
        unsaid.take(&answer(&["part", "t1", "n1"])).expect("the form of results");
        assert!(unsaid.refuse_cut().expect_err("it does not say").message.contains(ROWS));
    }

    #[test]
    fn a_number_that_is_missing_is_no_zero() {
        let mut broken = answer(&["part", "t1", "n1"]);
        broken.columns[2].values = Values::Int(vec![None]);
        Results::default().take(&broken).expect_err("a missing number");
    }
}
