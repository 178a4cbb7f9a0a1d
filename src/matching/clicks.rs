//! The clicks that conversions name, found by ID.

use crate::base::column::Col;
use crate::base::error::Result;
use crate::base::symbol::{Symbol, Symbols};
use crate::clean::{Conversion, Id};
use crate::ingest::index::COLUMNS as INDEXED;
use crate::ingest::{Field, Intake, KeySet, Table, key};
use hashbrown::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// A click that at least one conversion names.
pub struct Click {
    id: Box<str>,
    pub time: i64,
    pub columns: Vec<Symbol>,
    /// The keys of address and user agent.
    pub visitor: Option<Visitor>,
}

/// The keys of an address and of a user agent.
pub type Visitor = (u64, u64);

/// Clicks by ID, each ID's in the order of time.
#[derive(Default)]
pub struct Clicks {
    rows: Vec<Click>,
    by_key: HashMap<u64, (u32, u32)>,
}

impl Clicks {
    /// The clicks of an ID, earliest first. The key finds them, the text confirms them.
    pub fn of(&self, id: &Id) -> &[Click] {
        &self.rows[self.range(id)]
    }

    /// Where the clicks of an ID stand.
    pub fn range(&self, id: &Id) -> Range<usize> {
        let Some(&(start, end)) = self.by_key.get(&id.key) else { return 0..0 };
        let rows = &self.rows[start as usize..end as usize];
        let from = rows.partition_point(|c| c.id < id.text);
        let length = rows[from..].partition_point(|c| c.id == id.text);
        start as usize + from..start as usize + from + length
    }

    /// For every click how many clicks up to it have another source than the one before: clicks of one source
    /// have one number. Who repeats an ID a million times must not cost a million comparisons each time.
    pub fn turns(&self, sources: &[usize]) -> Vec<u32> {
        let differs = |a: &Click, b: &Click| sources.iter().any(|&i| a.columns[i] != b.columns[i]);
        let mut turns = 0;
        let turn = |at: usize| {
            turns += u32::from(at > 0 && differs(&self.rows[at - 1], &self.rows[at]));
            turns
        };
        (0..self.rows.len()).map(turn).collect()
    }
}

/// Reads the clicks whose IDs the conversions name, with the text columns asked for.
///
/// # Errors
/// The clicks cannot be read.
pub fn load(
    intake: &Intake,
    conversions: &[Conversion],
    columns: &[Col],
    symbols: &mut Symbols,
) -> Result<Clicks> {
    let wanted: KeySet = conversions.iter().filter_map(|c| c.click_id.as_ref()).map(|id| id.key).collect();
    let visitor = [Col::Ip, Col::UserAgent].map(Field::Key);
    let mut fields = vec![Field::Value(Col::ClickId), Field::Value(Col::ClickTime)];
    fields.extend(visitor);
    fields.extend(columns.iter().filter(|c| **c != Col::ClickId).map(|c| Field::Value(*c)));
    let mut rows: Vec<(u64, Click)> = Vec::new();
    intake.clicks.scan(&fields, Some((Col::ClickId, &Arc::new(wanted))), &mut |batch| {
        let (Some(ids), Some(times)) = (batch.texts(Col::ClickId), batch.integers(Col::ClickTime)) else {
            return Ok(());
        };
        let texts: Vec<_> = columns.iter().map(|c| batch.texts(*c)).collect();
        let [ips, agents] = visitor.map(|field| batch.keys(field));
        for row in 0..batch.len() {
            let (Some(id), Some(time)) = (ids.get(row), times.get(row)) else { continue };
            let columns = texts.iter().map(|t| symbols.of_option(t.and_then(|t| t.get(row)))).collect();
            let visitor = ips.and_then(|k| k.get(row)).zip(agents.and_then(|k| k.get(row)));
            rows.push((key(id.as_bytes()), Click { id: id.into(), time, columns, visitor }));
        }
        Ok(())
    })?;
    Ok(indexed(rows, symbols))
}

/// Clicks that are older than the window, by the hash of their ID, each ID's in the order of time.
#[derive(Default)]
pub struct OlderClicks(HashMap<u64, Vec<Known>>);

/// Time of an older click, and the texts of the indexed columns.
type Known = (i64, Vec<Option<String>>);

impl OlderClicks {
    /// Reads the older clicks that the conversions name: from the index, and from rows that are loaded and too old to
    /// count.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn load(intake: &Intake, conversions: &[Conversion]) -> Result<OlderClicks> {
        let mut found = OlderClicks::default();
        let ids = || conversions.iter().filter_map(|c| c.click_id.as_ref());
        let wanted = || Arc::new(ids().map(|id| id.key).collect::<KeySet>());
        if let Some(past) = intake.past.as_ref().filter(|past| !past.older.files.is_empty()) {
            past.older.find(&wanted(), &mut |click| {
                let columns = click.columns.iter().map(|text| text.map(str::to_owned)).collect();
                found.0.entry(click.key).or_default().push((click.time, columns));
            })?;
        }
        if let Some(older) = intake.clicks.older() {
            found.read(&older, &wanted())?;
        }
        found.0.values_mut().for_each(|clicks| clicks.sort());
        Ok(found)
    }

    /// Takes what an index would say of these rows.
    fn read(&mut self, older: &Table, wanted: &Arc<KeySet>) -> Result<()> {
        let mut fields = vec![Field::Value(Col::ClickId), Field::Value(Col::ClickTime)];
        fields.extend(INDEXED.map(Field::Value));
        older.scan(&fields, Some((Col::ClickId, wanted)), &mut |batch| {
            let (Some(ids), Some(times)) = (batch.texts(Col::ClickId), batch.integers(Col::ClickTime)) else {
                return Ok(());
            };
            let texts = INDEXED.map(|c| batch.texts(c));
            for row in 0..batch.len() {
                let (Some(id), Some(time)) = (ids.get(row), times.get(row)) else { continue };
                let columns = texts.iter().map(|t| t.and_then(|t| t.get(row)).map(str::to_owned)).collect();
                self.0.entry(key(id.as_bytes())).or_default().push((time, columns));
            }
            Ok(())
        })
    }

    /// The last click of an ID up to a time, as the columns asked for.
    pub fn before(&self, id: &Id, time: i64, columns: &[Col], symbols: &mut Symbols) -> Option<Click> {
        let clicks = self.0.get(&id.key)?;
        let (at, known) = clicks[..clicks.partition_point(|c| c.0 <= time)].last()?;
        let text = |col: &Col| INDEXED.iter().position(|c| c == col).and_then(|i| known[i].as_deref());
        let columns = columns.iter().map(|col| symbols.of_option(text(col))).collect();
        Some(Click { id: id.text.clone(), time: *at, columns, visitor: None })
    }
}

/// Sorts by key, ID, time and content, so that no order of files shows.
fn indexed(mut rows: Vec<(u64, Click)>, symbols: &Symbols) -> Clicks {
    rows.sort_by(|(k, a), (l, b)| {
        let texts =
            |c: &Click| c.columns.iter().map(|s| symbols.text(*s).map(str::to_owned)).collect::<Vec<_>>();
        (k, &a.id, a.time)
            .cmp(&(l, &b.id, b.time))
            .then_with(|| (texts(a), a.visitor).cmp(&(texts(b), b.visitor)))
    });
    let mut by_key: HashMap<u64, (u32, u32)> = HashMap::new();
    for (at, (key, _)) in rows.iter().enumerate() {
        by_key.entry(*key).and_modify(|range| range.1 = at as u32 + 1).or_insert((at as u32, at as u32 + 1));
    }
    Clicks { rows: rows.into_iter().map(|(_, click)| click).collect(), by_key }
}
