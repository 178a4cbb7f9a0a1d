//! Two files beside each other: by which columns they join, and whether their clocks agree.
//!
//! Every column of texts is held against every one of the other file, mapped or not: a network's report carries
//! the tracker's ID in a column that nobody would guess.

use super::{Alike, Clocks, Join, Look, Opened, Pair, clocks, ids};
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

pub(super) fn pair(look: &Look, first: &Opened, second: &Opened) -> Result<Pair> {
    let (ours, theirs) = (columns(look, first)?, columns(look, second)?);
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
        Some((join, ..)) => beside(look, [first, second], join)?,
        None => None,
    };
    let ids = joins.first().map(|(join, ..)| [join.first.clone(), join.second.clone()]);
    let alike = match ids.or_else(|| click_ids([first, second])) {
        Some(headers) => alike(look, [first, second], headers)?,
        None => None,
    };
    joins.truncate(TOLD);
    Ok(Pair { joins: joins.into_iter().map(|(join, ..)| join).collect(), alike, clocks })
}

/// Every column of texts of a file: the mapped ones as they are, the others read under a borrowed name.
fn columns(look: &Look, opened: &Opened) -> Result<Vec<Column>> {
    let places = opened.places();
    let textual = |col: &Col| matches!(col.kind(), Kind::Text | Kind::Key);
    let mapped: Vec<(String, Col)> = places
        .iter()
        .filter(|(col, _)| textual(col))
        .map(|(col, at)| (opened.headers()[*at].clone(), *col))
        .collect();
    let mut found = collect(&opened.intake, opened.shape, &mapped, true)?;
    let taken: BTreeSet<usize> = places.values().copied().collect();
    let free: Vec<&String> = (0..opened.headers().len())
        .filter(|at| !taken.contains(at))
        .map(|at| &opened.headers()[at])
        .collect();
    for headers in free.chunks(borrowed().len()) {
        let names: Vec<(String, Col)> =
            headers.iter().map(|h| (*h).clone()).filter(|h| !h.is_empty()).zip(borrowed()).collect();
        if !names.is_empty() {
            let intake = under(look, opened, &names)?;
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
fn under(look: &Look, opened: &Opened, names: &[(String, Col)]) -> Result<Intake> {
    let mut user = look.options.user.clone();
    user.lend(opened.shape, names);
    let reading = opened.reading();
    let preset = match &reading.export {
        Some(export) => format!("{}={}/{export}", opened.shape.word(), reading.preset),
        None => format!("{}={}", opened.shape.word(), reading.preset),
    };
    let plan = Plan::new(&[preset], user)?;
    look.read(&plan, &opened.path, opened.shape)
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
fn beside(look: &Look, files: [&Opened; 2], join: &Join) -> Result<Option<Clocks>> {
    let times = [Col::ClickTime, Col::ConversionTime];
    let mut sides: Vec<Vec<(u64, i64)>> = Vec::new();
    for ((opened, header), time) in files.iter().zip([&join.first, &join.second]).zip(times) {
        if !opened.table().columns().contains(&time) {
            return Ok(None);
        }
        let lent = [(header.raw().to_owned(), Col::City)];
        let intake = under(look, opened, &lent)?;
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

/// The headers that stand for the click ID in both files.
fn click_ids(files: [&Opened; 2]) -> Option<[Text; 2]> {
    let header = |opened: &Opened| {
        let at = *opened.places().get(&Col::ClickId)?;
        Some(Text::new(opened.headers()[at].as_str()))
    };
    Some([header(files[0])?, header(files[1])?])
}

/// IDs of the second file that the first has in other letters, with spaces or with invisible characters: they
/// match nothing, and whoever looks at them does not see why.
fn alike(look: &Look, files: [&Opened; 2], headers: [Text; 2]) -> Result<Option<Alike>> {
    let [first, second] = headers;
    let mut unmatched: BTreeMap<String, u64> = BTreeMap::new();
    each_text(look, files[1], &second, &mut |text| {
        let room = unmatched.len() < ids::DISTINCT;
        match unmatched.get_mut(text) {
            Some(rows) => *rows += 1,
            None if room => drop(unmatched.insert(text.to_owned(), 1)),
            None => {}
        }
    })?;
    each_text(look, files[0], &first, &mut |text| {
        unmatched.remove(text);
    })?;
    let mut by_sight: BTreeMap<String, (String, u64)> = BTreeMap::new();
    for (id, rows) in unmatched {
        let seen = by_sight.entry(ids::seen(&id)).or_insert_with(|| (id, 0));
        seen.1 += rows;
    }
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    each_text(look, files[0], &first, &mut |text| {
        let sight = ids::seen(text);
        if by_sight.contains_key(&sight) {
            found
                .entry(sight)
                .and_modify(|id| {
                    if text < id.as_str() {
                        *id = text.to_owned()
                    }
                })
                .or_insert_with(|| text.to_owned());
        }
    })?;
    let example = found.first_key_value();
    let example = example.map(|(sight, id)| (Text::new(id.as_str()), Text::new(by_sight[sight].0.as_str())));
    let rows = found.keys().map(|sight| by_sight[sight].1).sum();
    Ok(example.map(|example| Alike { first, second, rows, example }))
}

/// Every text of one column of a file, whatever it is mapped to.
fn each_text(look: &Look, opened: &Opened, header: &Text, each: &mut dyn FnMut(&str)) -> Result<()> {
    let intake = under(look, opened, &[(header.raw().to_owned(), Col::City)])?;
    let table = if opened.shape == Shape::Conversions { &intake.conversions } else { &intake.clicks };
    table.scan(&[Field::Value(Col::City)], None, &mut |batch| {
        let texts = batch.texts(Col::City);
        texts.into_iter().flat_map(|texts| texts.iter().flatten()).for_each(&mut *each);
        Ok(())
    })
}
