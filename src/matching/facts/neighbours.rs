//! Clicks that come right after another source's click of the same visitor: the mark of stuffed clicks.

use super::Setting;
use crate::base::column::Col;
use crate::base::error::Result;
use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::SECOND;
use crate::ingest::{Batch, Field, Intake, KeySet};
use crate::matching::clicks::Visitor;
use crate::matching::{Class, MatchedConversion};
use hashbrown::HashMap;

use std::sync::Arc;

/// A person does not see two ads in so short a time.
const NEAR: i64 = 5 * SECOND;

/// Converting clicks by visitor: when, of which source, and of which row.
type Winners = HashMap<Visitor, Vec<(i64, Vec<Symbol>, usize)>>;

/// Marks matched conversions whose click's visitor and source are known. One more pass over the clicks, over
/// their addresses and over the rows of converting addresses only.
///
/// # Errors
/// The clicks cannot be read.
pub fn mark(
    rows: &mut [MatchedConversion],
    setting: &Setting,
    intake: &Intake,
    symbols: &mut Symbols,
) -> Result<()> {
    let winners = winners(rows, setting);
    if winners.is_empty() {
        return Ok(());
    }
    let columns: Vec<Col> = setting.sources.iter().map(|&i| setting.columns[i]).collect();
    let keys = [Col::Ip, Col::UserAgent].map(Field::Key);
    let mut fields: Vec<Field> = columns.iter().map(|c| Field::Value(*c)).collect();
    fields.extend([Field::Value(Col::ClickTime), Field::Value(Col::HitType), keys[0], keys[1]]);
    let addresses: KeySet = rows.iter().filter_map(|m| Some(m.origin.as_ref()?.visitor?.0)).collect();
    let hit_type = intake.mapping.hit_type.as_deref();
    intake.clicks.scan(&fields, Some((Col::Ip, &Arc::new(addresses))), &mut |batch| {
        for (row, visitor, time) in visits(batch, keys, hit_type) {
            let Some(near) = winners.get(&visitor).map(|clicks| near(clicks, time)).filter(|n| !n.is_empty())
            else {
                continue;
            };
            let source: Vec<Symbol> =
                columns.iter().map(|c| symbols.of_option(batch.texts(*c).and_then(|t| t.get(row)))).collect();
            for (_, own, i) in near.iter().filter(|_| is_known(&source, &columns)) {
                let other = *own != source;
                rows[*i].facts.neighbour = rows[*i].facts.neighbour.map(|before| before || other);
            }
        }
        Ok(())
    })
}

/// Of one visitor's converting clicks those at most 5 s after a time. Clocks of whole seconds do not say which
/// of two clicks was first.
fn near(clicks: &[(i64, Vec<Symbol>, usize)], time: i64) -> &[(i64, Vec<Symbol>, usize)] {
    let from = clicks.partition_point(|(click, ..)| *click < time);
    let until = clicks.partition_point(|(click, ..)| *click <= time + NEAR);
    &clicks[from..until]
}

/// The clicks of conversions by visitor, in the order of time. Marks their conversions as known.
fn winners(rows: &mut [MatchedConversion], setting: &Setting) -> Winners {
    let columns: Vec<Col> = setting.sources.iter().map(|&i| setting.columns[i]).collect();
    let mut winners = Winners::new();
    for (i, m) in rows.iter_mut().enumerate().filter(|(_, m)| m.class == Class::Matched) {
        let Some(origin) = &m.origin else { continue };
        let source: Vec<Symbol> = setting.sources.iter().map(|&c| origin.columns[c]).collect();
        let Some(visitor) = origin.visitor.filter(|_| is_known(&source, &columns)) else { continue };
        m.facts.neighbour = Some(false);
        winners.entry(visitor).or_default().push((origin.time, source, i));
    }
    winners.values_mut().for_each(|clicks| clicks.sort_unstable_by_key(|(time, ..)| *time));
    winners
}

/// Whether the source has a name; its traffic source may be missing.
fn is_known(source: &[Symbol], columns: &[Col]) -> bool {
    source.iter().zip(columns).any(|(symbol, col)| *col == Col::Source && *symbol != Symbol::NONE)
}

/// The rows of a batch that are counted clicks of a known visitor, with their times.
fn visits(batch: &Batch, keys: [Field; 2], hit_type: Option<&str>) -> Vec<(usize, Visitor, i64)> {
    let [Some(ips), Some(agents)] = keys.map(|field| batch.keys(field)) else { return Vec::new() };
    let Some(times) = batch.integers(Col::ClickTime) else { return Vec::new() };
    let types = batch.texts(Col::HitType).filter(|_| hit_type.is_some());
    let visit = |row: usize| {
        let counts = types.is_none_or(|t| t.get(row) == hit_type);
        let visitor = (ips.get(row)?, agents.get(row)?);
        times.get(row).filter(|_| counts).map(|time| (row, visitor, time))
    };
    (0..batch.len()).filter_map(visit).collect()
}

#[cfg(test)]
mod tests {
    use crate::base::column::Col;
    use crate::base::spill::Bound;
    use crate::base::symbol::Symbols;
    use crate::clean;
    use crate::ingest::{Field, Inputs, Mapping, Plan, Shape, Wanted, ingest};
    use crate::matching::{Options, matching};
    use std::collections::BTreeMap;
    use std::fmt::Write;

    /// Checks clicks `minute:second source address agent` of which the first of each minute converts.
    fn check(clicks: &[&str], expected: &[Option<bool>]) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut rows = "click_id,click_time,traffic_source,source,ip,user_agent\n".to_owned();
        let mut conversions = "click_id,conversion_time,event\n".to_owned();
        for (at, click) in clicks.iter().enumerate() {
            let words: Vec<&str> = click.split(' ').collect();
            let rest = words[1..].join(",").replace('-', "");
            writeln!(rows, "c{at},2026-03-02 10:{}.5,t,{rest}", words[0]).expect("a text");
            let minute = |click: &str| click[..2].to_owned();
            if clicks.iter().position(|c| minute(c) == minute(click)) == Some(at) {
                writeln!(conversions, "c{at},2026-03-02 11:{},registration", words[0]).expect("a text");
            }
        }
        let mut files = BTreeMap::new();
        for (shape, name, text) in
            [(Shape::Clicks, "clicks.csv", rows), (Shape::Conversions, "conversions.csv", conversions)]
        {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("a file");
            files.insert(shape, vec![path.to_str().expect("a path").to_owned()]);
        }
        let mapping = Mapping::build(None, None).expect("the generic mapping");
        let inputs = Inputs { files, ..Inputs::default() };
        let intake = ingest(&inputs, &Plan::fixed(mapping), &Wanted::Everything, 1).expect("an intake");
        let columns = [Col::TrafficSource, Col::Source];
        let (fields, mut symbols) = ([Field::Value(Col::ClickTime)], Symbols::default());
        let cleaned =
            clean::clean(&intake, &columns, &fields, &mut symbols, Bound::NONE).expect("clean rows");
        let options = Options { columns: &columns, span: intake.span(Col::ClickTime), as_of: 0 };
        let mut found = matching(&intake, cleaned, &options, &mut symbols).expect("matched rows").conversions;
        found.sort_by_key(|m| m.conversion.time);
        assert_eq!(found.iter().map(|m| m.facts.neighbour).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn another_source_was_there_just_before() {
        check(
            &[
                "00:30 a 1.1.1.1 x",
                "00:25 b 1.1.1.1 x",
                "01:30 a 1.1.1.1 x",
                "01:24 b 1.1.1.1 x",
                "02:30 a 1.1.1.1 x",
                "02:28 a 1.1.1.1 x",
                "03:30 a 1.1.1.1 x",
                "03:28 b 1.1.1.1 y",
                "03:28 b 1.1.1.2 x",
                "04:30 a 1.1.1.1 x",
                "04:31 b 1.1.1.1 x",
                "05:30 a - x",
                "06:30 - 1.1.1.1 x",
                "07:30 a 1.1.1.1 x",
                "07:28 - 1.1.1.1 x",
                "08:30 a 1.1.1.1 x",
                "08:30 b 1.1.1.1 x",
            ],
            &[
                Some(true),
                Some(false),
                Some(false),
                Some(false),
                Some(false),
                None,
                None,
                Some(false),
                Some(true),
            ],
        );
    }
}
