//! By which ID two statements meet: the pair of columns that matches best, mapped or not.
//!
//! Columns are compared by a part of their texts that is the same on both sides, so that any size is cheap. Columns
//! that no mapping names are read where the mapped ones match badly. Refuses a pair that hardly matches, with the
//! better one named.

use super::side::Side;
use crate::base::column::{COLUMNS, Col, Kind, Side as On};
use crate::base::error::{Error, Result};
use crate::base::text::Text;
use crate::clean::statement::table;
use crate::ingest::{Field, Intake, TransactionScope, is_unexpanded_macro, key};
use std::collections::{BTreeSet, HashSet};

/// IDs by which conversions may meet. Of equally good pairs the first is taken.
const IDS: [Col; 3] = [Col::TransactionId, Col::ClickId, Col::ConversionId];

/// Texts that are shorter are numbers of something, not IDs.
const SHORTEST: usize = 4;

/// One in so many texts at least must be another one, or the column is no ID.
const REPEATS: usize = 5;

/// About so many texts of a column are compared.
const SAMPLE: u64 = 200_000;

/// Below this share other columns are looked at, and below the second one nothing matches.
const GOOD: f64 = 0.5;
const LEAST: f64 = 0.1;

/// A pair is better than the one that was said if it matches so many times as often.
const BETTER: f64 = 2.0;

/// A column of one side.
#[derive(Clone)]
struct Column {
    /// What the user would call it.
    name: String,
    col: Col,
    /// The header to read in place of the click ID, where nothing is mapped to it.
    header: Option<String>,
    rows: u64,
    filled: u64,
    /// Keys of the compared part of the texts.
    keys: Vec<u64>,
}

/// A pair of columns, and how well it matches.
#[derive(Clone, Debug)]
pub struct Join {
    pub ours: Text,
    pub theirs: Text,
    pub columns: [Col; 2],
    /// Headers to read in place of the click ID.
    pub headers: [Option<String>; 2],
    /// The estimated shares of either side's rows that the other one has.
    pub shares: [f64; 2],
}

impl Join {
    /// How well it matches: a statement may be a part of the other one.
    fn score(&self) -> f64 {
        self.shares[0].max(self.shares[1])
    }

    fn rank(&self) -> (u64, usize, u64) {
        let same = IDS.iter().position(|id| self.columns == [*id, *id]).unwrap_or(IDS.len());
        let percent = |share: f64| (share * 100.0).round() as u64;
        (percent(self.score()), IDS.len() - same, percent(self.shares[0].min(self.shares[1])))
    }

    /// `click_id = sub3`.
    fn told(&self) -> String {
        format!("{} = {}", self.ours.term(60), self.theirs.term(60))
    }

    /// Whether the ID is that of one conversion.
    pub fn is_unique(&self) -> bool {
        let one = |col: &Col| matches!(col, Col::TransactionId | Col::ConversionId);
        self.columns.iter().all(one) && self.headers.iter().all(Option::is_none)
    }
}

/// The pair that the user names: `OURS = THEIRS`, each a canonical ID or a header.
#[derive(Clone, Debug)]
pub struct Said {
    pub ours: String,
    pub theirs: String,
}

impl Said {
    /// Reads `OURS=THEIRS`.
    ///
    /// # Errors
    /// There is no `=`, or nothing on one of its sides.
    pub fn parse(text: &str) -> Result<Said> {
        let (ours, theirs) = text.split_once('=').unwrap_or((text, ""));
        if ours.trim().is_empty() || theirs.trim().is_empty() {
            return Err(Error::usage(format!("`{text}` is no join")).help(
                "write --join OURS=THEIRS, such as --join click_id=sub3; the names are IDs or headers",
            ));
        }
        Ok(Said { ours: ours.trim().to_owned(), theirs: theirs.trim().to_owned() })
    }
}

/// The pair to join by.
///
/// # Errors
/// Nothing matches, or what was said matches much worse than another pair.
pub fn choose(ours: &Side, theirs: &Side, said: Option<&Said>) -> Result<Join> {
    let bits = sampled_bits(ours.rows().max(theirs.rows()));
    let (mine, other) = (mapped(&ours.intake, bits)?, mapped(&theirs.intake, bits)?);
    let named = match said {
        None => None,
        Some(said) => {
            let mine = column_of(ours, &mine, &said.ours, bits)?;
            let other = column_of(theirs, &other, &said.theirs, bits)?;
            Some(join(&mine, &other))
        }
    };
    let best = best(&mine, &other);
    if let Some(good) = named.as_ref().or(best.as_ref()).filter(|join| join.score() >= GOOD) {
        return Ok(good.clone());
    }
    let (mine, other) = (all(ours, mine, bits)?, all(theirs, other, bits)?);
    let best = self::best(&mine, &other);
    match (named, best) {
        (Some(named), Some(best)) if best.score() >= LEAST && best.score() >= BETTER * named.score() => {
            Err(wrong(&named, &best))
        }
        (Some(named), _) if named.score() >= LEAST => Ok(named),
        (None, Some(best)) if best.score() >= LEAST => Ok(best),
        (named, best) => Err(nothing(named.or(best).as_ref())),
    }
}

fn percent(share: f64) -> String {
    crate::base::unit::Unit::Share.format(share)
}

fn wrong(said: &Join, better: &Join) -> Error {
    let [ours, theirs] = said.shares.map(percent);
    let [more, most] = better.shares.map(percent);
    Error::input(format!(
        "{} joins {ours} of our rows and {theirs} of theirs: these are the wrong columns; {} joins {more} and {most}",
        said.told(),
        better.told()
    ))
    .help(format!("write --join '{}', or leave --join out", better.told().replace(" = ", "=")))
}

const NO_ID: &str = "no pair of columns joins the statements: there is no ID that both have";

fn nothing(best: Option<&Join>) -> Error {
    let told = best.map_or(NO_ID.to_owned(), |best| {
        let [ours, theirs] = best.shares.map(percent);
        format!(
            "no pair of columns joins the statements: the best is {} with {ours} of our rows and {theirs} of theirs",
            best.told()
        )
    });
    Error::input(told).help(
        "are both of the same days and offers? An ID that went through a spreadsheet is damaged; \
         `clickaudit inspect OURS THEIRS` shows what the columns hold",
    )
}

/// How many low bits of a key must be zero for its text to be compared.
fn sampled_bits(rows: u64) -> u32 {
    (rows / SAMPLE + 1).next_power_of_two().trailing_zeros()
}

fn best(mine: &[Column], other: &[Column]) -> Option<Join> {
    let pairs = mine.iter().flat_map(|a| other.iter().map(move |b| join(a, b)));
    let matching = pairs.filter(|join| join.score() > 0.0);
    matching.max_by(|a, b| {
        let names = |join: &Join| (join.ours.raw().to_owned(), join.theirs.raw().to_owned());
        a.rank().cmp(&b.rank()).then_with(|| names(b).cmp(&names(a)))
    })
}

fn join(mine: &Column, other: &Column) -> Join {
    let share = |of: &Column, there: &Column| {
        let there: HashSet<u64> = there.keys.iter().copied().collect();
        let found = of.keys.iter().filter(|key| there.contains(key)).count() as f64;
        let filled = of.filled as f64 / of.rows.max(1) as f64;
        if of.keys.is_empty() { 0.0 } else { found / of.keys.len() as f64 * filled }
    };
    Join {
        ours: Text::new(mine.name.as_str()),
        theirs: Text::new(other.name.as_str()),
        columns: [mine.col, other.col],
        headers: [mine.header.clone(), other.header.clone()],
        shares: [share(mine, other), share(other, mine)],
    }
}

/// The IDs that mappings name.
fn mapped(intake: &Intake, bits: u32) -> Result<Vec<Column>> {
    let per_click = intake
        .files
        .iter()
        .any(|file| file.reading.mapping.transaction_scope == Some(TransactionScope::Click));
    let there = table(intake).columns();
    let ids = IDS.into_iter().filter(|id| there.contains(id));
    let ids = ids.filter(|id| !(per_click && *id == Col::TransactionId));
    let names: Vec<(String, Col)> = ids.map(|id| (id.name().to_owned(), id)).collect();
    collect(intake, &names, bits)
}

/// The mapped IDs and every other column of texts.
fn all(side: &Side, mut found: Vec<Column>, bits: u32) -> Result<Vec<Column>> {
    let there = table(&side.intake).columns();
    let texts = there.iter().filter(|col| matches!(col.kind(), Kind::Text | Kind::Key) && !IDS.contains(col));
    let headers = side.headers_of()?;
    let places = side.places(&headers);
    let named: Vec<(String, Col)> =
        texts.filter_map(|col| Some((headers[*places.get(col)?].clone(), *col))).collect();
    let lent = |column: Column| Column { header: Some(column.name.clone()), ..column };
    found.extend(collect(&side.intake, &named, bits)?.into_iter().map(lent));
    let taken: BTreeSet<usize> = places.values().copied().collect();
    let free = (0..headers.len()).filter(|at| !taken.contains(at) && !headers[*at].is_empty());
    let free: Vec<&String> = free.map(|at| &headers[at]).collect();
    for headers in free.chunks(borrowed().len()) {
        let names: Vec<(String, Col)> = headers.iter().map(|h| (*h).clone()).zip(borrowed()).collect();
        let intake = side.under(&names)?;
        found.extend(collect(&intake, &names, bits)?.into_iter().map(lent));
    }
    Ok(found)
}

/// Columns of plain text, of which a file may lend the name.
fn borrowed() -> Vec<Col> {
    let plain = |c: &&crate::base::column::Column| {
        c.kind == Kind::Text && c.side == On::Both && c.id != Col::Currency && c.id != Col::Model
    };
    COLUMNS.iter().filter(plain).map(|c| c.id).collect()
}

/// The column that the user means.
fn column_of(side: &Side, mapped: &[Column], name: &str, bits: u32) -> Result<Column> {
    if let Some(known) = mapped.iter().find(|column| column.name == name) {
        return Ok(known.clone());
    }
    let names = [(name.to_owned(), Col::ClickId)];
    let intake = side.under(&names)?;
    let found = collect(&intake, &names, bits)?.into_iter().next();
    let column = found.ok_or_else(|| Error::input(format!("the column {name} is empty")))?;
    Ok(Column { header: Some(name.to_owned()), ..column })
}

/// Reads a part of the texts of some columns; those that are no IDs are left out.
fn collect(intake: &Intake, names: &[(String, Col)], bits: u32) -> Result<Vec<Column>> {
    let fields: Vec<Field> = names.iter().map(|(_, col)| Field::Value(*col)).collect();
    let column = |(name, col): &(String, Col)| Column {
        name: name.clone(),
        col: *col,
        header: None,
        rows: 0,
        filled: 0,
        keys: Vec::new(),
    };
    let mut columns: Vec<Column> = names.iter().map(column).collect();
    let usable = |text: &&str| text.len() >= SHORTEST && !is_unexpanded_macro(text.as_bytes());
    table(intake).scan(&fields, None, &mut |batch| {
        for column in &mut columns {
            column.rows += batch.len() as u64;
            let Some(texts) = batch.texts(column.col) else { continue };
            for text in texts.iter().flatten().map(str::trim).filter(usable) {
                column.filled += 1;
                let key = key(text.as_bytes());
                if key.trailing_zeros() >= bits {
                    column.keys.push(key);
                }
            }
        }
        Ok(())
    })?;
    columns.retain(|column| {
        let distinct: BTreeSet<u64> = column.keys.iter().copied().collect();
        !column.keys.is_empty() && distinct.len() * REPEATS >= column.keys.len()
    });
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, col: Col, keys: std::ops::Range<u64>) -> Column {
        let count = keys.end - keys.start;
        Column { name: name.to_owned(), col, header: None, rows: count, filled: count, keys: keys.collect() }
    }

    #[test]
    fn the_pair_that_matches_best_is_taken() {
        let ours = [
            column("click_id", Col::ClickId, 0..100),
            column("transaction_id", Col::TransactionId, 500..600),
        ];
        let theirs =
            [column("transaction_id", Col::TransactionId, 900..1_000), column("sub1", Col::City, 10..60)];
        let found = best(&ours, &theirs).expect("a pair");
        assert_eq!((found.told().as_str(), found.shares), ("click_id = sub1", [0.5, 1.0]));
        assert!(best(&ours[1..], &theirs).is_none());
    }

    #[test]
    fn of_equal_pairs_the_narrower_id_is_taken() {
        let both = [
            column("click_id", Col::ClickId, 0..100),
            column("transaction_id", Col::TransactionId, 500..600),
        ];
        assert_eq!(best(&both, &both).expect("a pair").told(), "transaction_id = transaction_id");
    }

    #[test]
    fn rows_without_the_id_do_not_match() {
        let half = Column { filled: 50, ..column("click_id", Col::ClickId, 0..100) };
        let found = join(&half, &column("click_id", Col::ClickId, 0..100));
        assert_eq!(found.shares, [0.5, 1.0]);
    }

    #[test]
    fn large_statements_are_sampled() {
        assert_eq!(sampled_bits(100), 0);
        assert_eq!(sampled_bits(5_000_000), 5);
    }

    #[test]
    fn a_join_names_two_columns() {
        let said = Said::parse("click_id = sub3").expect("a join");
        assert_eq!((said.ours.as_str(), said.theirs.as_str()), ("click_id", "sub3"));
        assert!(Said::parse("click_id").is_err() && Said::parse("=sub3").is_err());
    }
}
