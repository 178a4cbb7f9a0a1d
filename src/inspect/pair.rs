//! Two files beside each other: by which columns they join, and whether their clocks agree.
//!
//! Every column of texts is held against every one of the other file, mapped or not: a network's report carries
//! the tracker's ID in a column that nobody would guess.

use super::{Clocks, Join, Opened, Options, Pair, clocks, read};
use crate::base::column::{COLUMNS, Col, Kind, Side};
use crate::base::error::Result;
use crate::base::text::Text;
use crate::base::time::SECOND;
use crate::ingest::{Field, Intake, Plan, Shape, key};
use std::collections::{BTreeMap, BTreeSet};

/// So many pairs are told.
const TOLD: usize = 8;

/// A pair of columns is worth a word from one match in a hundred on.
const WORTH: u64 = 100;

/// Texts that are shorter are numbers of something, not IDs.
const SHORTEST: usize = 4;

/// The texts of one column, as keys; what is too short to be an ID is none.
struct Column {
    header: String,
    col: Col,
    keys: Vec<u64>,
    distinct: BTreeSet<u64>,
    /// Mapped to the canonical column by the preset or the user.
    mapped: bool,
}

impl Column {
    /// Mostly different texts: what ties a row to another.
    fn is_an_id(&self) -> bool {
        self.keys.len() >= 5 && self.distinct.len() * 2 >= self.keys.len()
    }
}

pub(super) fn pair(options: &Options, first: &Opened, second: &Opened) -> Result<Pair> {
    let (ours, theirs) = (columns(options, first)?, columns(options, second)?);
    let mut joins: Vec<(Join, Col, Col)> = Vec::new();
    for a in ours.iter().filter(|c| c.is_an_id()) {
        for b in theirs.iter().filter(|c| !c.keys.is_empty()) {
            let matched = b.keys.iter().filter(|key| a.distinct.contains(key)).count() as u64;
            let rows = b.keys.len() as u64;
            if matched * WORTH < rows || matched == 0 {
                continue;
            }
            let mapped = a.mapped && b.mapped && (a.col, b.col) == (Col::ClickId, Col::ClickId);
            let text = |c: &Column| Text::new(c.header.as_str());
            joins.push((Join { first: text(a), second: text(b), rows, matched, mapped }, a.col, b.col));
        }
    }
    let order = |j: &Join| (j.matched * 10_000 / j.rows.max(1), j.mapped, j.matched);
    joins.sort_by(|a, b| {
        order(&b.0)
            .cmp(&order(&a.0))
            .then_with(|| (a.0.first.raw(), a.0.second.raw()).cmp(&(b.0.first.raw(), b.0.second.raw())))
    });
    let clocks = match joins.first() {
        Some((join, ..)) => beside(options, [first, second], join)?,
        None => None,
    };
    joins.truncate(TOLD);
    Ok(Pair { joins: joins.into_iter().map(|(join, ..)| join).collect(), clocks })
}

/// Every column of texts of a file: the mapped ones as they are, the others read under a borrowed name.
fn columns(options: &Options, opened: &Opened) -> Result<Vec<Column>> {
    let places = opened.places();
    let textual = |col: &Col| matches!(col.kind(), Kind::Text | Kind::Key);
    let mapped: Vec<(String, Col)> = places
        .iter()
        .filter(|(col, _)| textual(col))
        .map(|(col, at)| (opened.headers[*at].clone(), *col))
        .collect();
    let mut found = collect(&opened.intake, opened.shape, &mapped, true)?;
    let taken: BTreeSet<usize> = places.values().copied().collect();
    let free: Vec<&String> =
        (0..opened.headers.len()).filter(|at| !taken.contains(at)).map(|at| &opened.headers[at]).collect();
    for headers in free.chunks(borrowed().len()) {
        let names: Vec<(String, Col)> =
            headers.iter().map(|h| (*h).clone()).filter(|h| !h.is_empty()).zip(borrowed()).collect();
        if !names.is_empty() {
            let intake = under(options, opened, &names)?;
            found.extend(collect(&intake, opened.shape, &names, false)?);
        }
    }
    Ok(found)
}

/// The columns of which a file may lend the name: plain text that is on both sides.
fn borrowed() -> Vec<Col> {
    let plain = |c: &&crate::base::column::Column| {
        c.kind == Kind::Text && c.side == Side::Both && c.id != Col::Currency && c.id != Col::Model
    };
    COLUMNS.iter().filter(plain).map(|c| c.id).collect()
}

/// The file again, with these headers in place of what the columns mean.
fn under(options: &Options, opened: &Opened, names: &[(String, Col)]) -> Result<Intake> {
    let mut user = options.user.clone();
    user.lend(opened.shape, names);
    let reading = opened.reading();
    let preset = match &reading.export {
        Some(export) => format!("{}={}/{export}", opened.shape.word(), reading.preset),
        None => format!("{}={}", opened.shape.word(), reading.preset),
    };
    let plan = Plan::new(&[preset], user)?;
    read(options, &plan, &opened.path, opened.shape)
}

fn collect(intake: &Intake, shape: Shape, names: &[(String, Col)], mapped: bool) -> Result<Vec<Column>> {
    let table = if shape == Shape::Conversions { &intake.conversions } else { &intake.clicks };
    let fields: Vec<Field> = names.iter().map(|(_, col)| Field::Value(*col)).collect();
    let mut columns: Vec<Column> = names
        .iter()
        .map(|(header, col)| Column {
            header: header.clone(),
            col: *col,
            keys: Vec::new(),
            distinct: BTreeSet::new(),
            mapped,
        })
        .collect();
    table.scan(&fields, None, &mut |batch| {
        for column in &mut columns {
            let Some(texts) = batch.texts(column.col) else { continue };
            let ids = texts.iter().flatten().map(str::trim).filter(|t| t.len() >= SHORTEST);
            column.keys.extend(ids.map(|t| key(t.as_bytes())));
        }
        Ok(())
    })?;
    columns.iter_mut().for_each(|c| c.distinct = c.keys.iter().copied().collect());
    Ok(columns)
}

/// The clocks of the two files by the rows that the best pair of columns joins.
fn beside(options: &Options, files: [&Opened; 2], join: &Join) -> Result<Option<Clocks>> {
    let times = [Col::ClickTime, Col::ConversionTime];
    let mut sides: Vec<Vec<(u64, i64)>> = Vec::new();
    for ((opened, header), time) in files.iter().zip([&join.first, &join.second]).zip(times) {
        if !opened.table().columns().contains(&time) {
            return Ok(None);
        }
        let lent = [(header.raw().to_owned(), Col::City)];
        let intake = under(options, opened, &lent)?;
        let table = if opened.shape == Shape::Conversions { &intake.conversions } else { &intake.clicks };
        let mut rows = Vec::new();
        table.scan(&[Field::Value(Col::City), Field::Value(time)], None, &mut |batch| {
            if let Some((texts, times)) = batch.texts(Col::City).zip(batch.integers(time)) {
                let row =
                    |(text, time): (Option<&str>, Option<i64>)| Some((key(text?.trim().as_bytes()), time?));
                rows.extend(texts.iter().zip(times.iter()).filter_map(row));
            }
            Ok(())
        })?;
        sides.push(rows);
    }
    let clicks: BTreeMap<u64, i64> = sides[0].iter().copied().collect();
    let wait = |(id, time): &(u64, i64)| Some((time - clicks.get(id)?).div_euclid(SECOND));
    Ok(clocks(sides[1].iter().filter_map(wait).collect()))
}
