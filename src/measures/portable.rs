//! The integer table: what any engine that can group and add counts of clicks, part by part.
//!
//! A part is one GROUP BY over the clicks that count. This module says which parts a run needs, fills the
//! accumulators from them as if the clicks had been read here, and writes down the same parts from clicks that
//! were read here: so a run on an engine and a run on files can be held against each other row by row. It knows no
//! SQL. Refuses: a table without a part, or one whose parts contradict each other, as cut-off results do.

use super::accumulate::{Contributions, Placement};
use super::cut::Cut;
use super::declared::{Filter, Kind, M, MEASURES, Rows};
use super::grain::GrainPass;
use super::hits::{HitFacts, Identity, Tallies};
use super::rows::{self, ClickFilter};
use super::{Clock, Options, PEER_COLUMNS, Pass, STRATUM_COLUMNS};
use crate::base::column::{Col, Grain};
use crate::base::error::{Error, Result};
use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::{DAY, SECOND};
use crate::clean::ClickDuplicates;
use crate::ingest::{Field, Intake};
use crate::matching::Matched;
use hashbrown::{HashMap, HashSet};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const HOUR: i64 = DAY / 24;

/// The identities that portable SQL counts.
pub const COUNTED: [Identity; 3] = [Identity::Ip, Identity::Asn, Identity::Agent];

/// What one part of the table counts, besides the texts that its rows are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// By the beginning of the local day: the sums of [`Part::sums`].
    Cells,
    /// By whole seconds to the lander click: clicks. All times are in microseconds.
    Delays,
    /// By the beginning of the local hour: clicks.
    Hours,
    /// By the number of clicks of a key: keys.
    Multiplicities(Identity),
    /// By the beginning of the local day: clicks with a key, ordered pairs of them with the same.
    Days(Identity),
    /// Distinct pairs of address and user agent.
    Visitors,
    /// By the beginning of the UTC hour: clicks.
    Flows,
    /// Groups with clicks that are only too young for a cut; the number is 1.
    Young,
}

/// How fine the groups of a part are. What does not add up is counted for strata and for whole groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Stratum,
    Group,
}

/// One part of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub name: String,
    pub content: Content,
    pub level: Level,
    /// Place among the run's grains; the one behind them is of sources where nobody asked for these.
    pub grain: usize,
    /// Place among the distinct cuts of the run, for a part of a cut.
    pub cut: Option<usize>,
    /// The texts that rows are grouped by.
    pub columns: Vec<Col>,
    /// The sums of cells.
    pub sums: Vec<M>,
}

impl Part {
    /// What the numbers of a row are called, in order.
    pub fn numbers(&self) -> Vec<&'static str> {
        match self.content {
            Content::Cells => std::iter::once("day").chain(self.sums.iter().map(|m| m.decl().name)).collect(),
            Content::Delays => vec!["delay", "clicks"],
            Content::Hours | Content::Flows => vec!["hour", "clicks"],
            Content::Multiplicities(_) => vec!["clicks", "keys"],
            Content::Days(_) => vec!["day", "clicks", "pairs"],
            Content::Visitors => vec!["visitors"],
            Content::Young => vec!["one"],
        }
    }
}

/// What decides which parts a run needs.
pub struct Asked<'a> {
    pub grains: &'a [Grain],
    /// The distinct cuts, each with the places of the grains that ask for it.
    pub cuts: &'a [(Cut, Vec<usize>)],
    /// The columns of clicks that are mapped.
    pub columns: &'a BTreeSet<Col>,
    /// The columns that cells are kept by besides their stratum's.
    pub peers: &'a [Col],
}

/// The parts of the table, in order.
pub fn parts(asked: &Asked) -> Vec<Part> {
    let mut parts = Vec::new();
    for (at, grain) in asked.grains.iter().enumerate() {
        of_grain(asked, at, grain, None, &mut parts);
    }
    if !asked.grains.iter().any(|grain| grain.columns().contains(&Col::Source)) {
        let sums = sums(asked.columns).into_iter().filter(|m| [M::Clicks, M::MatureClicks].contains(m));
        let columns = distinct([Grain::source().columns(), &STRATUM_COLUMNS, asked.peers]);
        let part = Part { sums: sums.collect(), ..part(Content::Cells, Level::Stratum, columns) };
        parts.push(Part { name: "cells of sources".to_owned(), grain: asked.grains.len(), ..part });
    }
    for (at, (cut, grains)) in asked.cuts.iter().enumerate() {
        for &grain in grains {
            of_grain(asked, grain, &asked.grains[grain], Some(at), &mut parts);
            if cut.mature_s.is_some() {
                let columns = asked.grains[grain].columns().to_vec();
                let name = format!("young by {} in cut {at}", asked.grains[grain]);
                let part = part(Content::Young, Level::Group, columns);
                parts.push(Part { name, grain, cut: Some(at), ..part });
            }
        }
    }
    let columns = vec![Col::Network, Col::TrafficSource, Col::Source];
    parts.push(Part { name: "flows".to_owned(), ..part(Content::Flows, Level::Group, columns) });
    parts
}

fn of_grain(asked: &Asked, at: usize, grain: &Grain, cut: Option<usize>, parts: &mut Vec<Part>) {
    let stratum = distinct([grain.columns(), &STRATUM_COLUMNS, &[]]);
    let cells = distinct([grain.columns(), &STRATUM_COLUMNS, asked.peers]);
    let mut add = |word: &str, part: Part| {
        let of_cut = cut.map_or(String::new(), |cut| format!(" in cut {cut}"));
        parts.push(Part { name: format!("{word} by {grain}{of_cut}"), grain: at, cut, ..part });
    };
    add("cells", Part { sums: sums(asked.columns), ..part(Content::Cells, Level::Stratum, cells) });
    if asked.columns.contains(&Col::LanderClickTime) {
        add("delays", part(Content::Delays, Level::Stratum, stratum.clone()));
    }
    add("hours", part(Content::Hours, Level::Stratum, stratum.clone()));
    for (level, of_level) in [(Level::Stratum, &stratum), (Level::Group, &grain.columns().to_vec())] {
        let word = if level == Level::Stratum { "strata" } else { "groups" };
        for identity in COUNTED.into_iter().filter(|identity| asked.columns.contains(&column(*identity))) {
            let name = column(identity).name();
            let content = Content::Multiplicities(identity);
            add(&format!("{name} clicks, {word}"), part(content, level, of_level.clone()));
            let content = Content::Days(identity);
            add(&format!("{name} days, {word}"), part(content, level, of_level.clone()));
        }
        if [Col::Ip, Col::UserAgent].iter().all(|col| asked.columns.contains(col)) {
            add(&format!("visitors, {word}"), part(Content::Visitors, level, of_level.clone()));
        }
    }
}

fn part(content: Content, level: Level, columns: Vec<Col>) -> Part {
    Part { name: String::new(), content, level, grain: 0, cut: None, columns, sums: Vec::new() }
}

/// Columns in order, each once.
fn distinct(lists: [&[Col]; 3]) -> Vec<Col> {
    let mut columns = Vec::new();
    for col in lists.into_iter().flatten() {
        if !columns.contains(col) {
            columns.push(*col);
        }
    }
    columns
}

/// The column whose text an identity is.
pub fn column(identity: Identity) -> Col {
    match identity {
        Identity::Ip | Identity::Net => Col::Ip,
        Identity::Asn => Col::Asn,
        Identity::Agent => Col::UserAgent,
    }
}

/// The sums over clicks that an engine counts, given the columns that it has. Weekends follow from days, and what
/// cost files say of clicks is added afterwards.
fn sums(columns: &BTreeSet<Col>) -> Vec<M> {
    let elsewhere = [Filter::Weekend, Filter::CostKnown, Filter::Bought];
    let counted = |m: &&super::Measure| {
        m.rows == Rows::Clicks
            && matches!(m.kind, Kind::Count | Kind::Sum(_))
            && !m.of_log()
            && m.portable()
            && m.needs.iter().all(|col| columns.contains(col))
            && !m.filters.iter().any(|filter| elsewhere.contains(filter))
    };
    MEASURES.iter().filter(counted).map(|m| m.id).collect()
}

/// The columns that cells of this intake are kept by besides their stratum's.
pub fn peer_columns(intake: &Intake) -> Vec<Col> {
    let placed = |c: &Col| STRATUM_COLUMNS.contains(c) || PEER_COLUMNS.contains(c);
    let mut columns = PEER_COLUMNS.to_vec();
    columns.extend(super::costs::key_columns(intake).into_iter().filter(|c| !placed(c)));
    columns
}

/// The distinct cuts of a run, each with the grains that ask for it, in the order in which they were asked for.
pub fn distinct_cuts(asked: &[(usize, Cut)]) -> Vec<(Cut, Vec<usize>)> {
    let mut cuts: Vec<(Cut, Vec<usize>)> = Vec::new();
    for (grain, cut) in asked {
        match cuts.iter_mut().find(|(known, _)| known == cut) {
            Some((_, grains)) => grains.push(*grain),
            None => cuts.push((cut.clone(), vec![*grain])),
        }
    }
    cuts
}

/// The clicks that lie in a cut: earliest and latest time, and what is only too young begins behind the latter.
pub fn bounds(cut: &Cut, clock: Clock) -> (i64, i64) {
    let before = |s: i64| clock.as_of.saturating_sub(s.saturating_mul(SECOND));
    (cut.window_s.map_or(i64::MIN, before), cut.mature_s.map_or(i64::MAX, before))
}

/// The clock under which a cut judges maturity.
pub fn clock_of(cut: &Cut, clock: Clock) -> Clock {
    let maturity = cut.mature_s.map_or(clock.maturity, |s| s * SECOND);
    Clock { maturity, ..clock }
}

/// The rows of one part, column by column. A text that is empty stands for none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartRows {
    pub texts: Vec<Vec<String>>,
    pub numbers: Vec<Vec<i64>>,
}

impl PartRows {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.numbers.first().map_or(0, Vec::len)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn of(part: &Part) -> PartRows {
        PartRows {
            texts: vec![Vec::new(); part.columns.len()],
            numbers: vec![Vec::new(); part.numbers().len()],
        }
    }

    fn push(&mut self, texts: &[Option<&str>], numbers: &[i64]) {
        for (column, text) in self.texts.iter_mut().zip(texts) {
            column.push(text.unwrap_or_default().to_owned());
        }
        self.numbers.iter_mut().zip(numbers).for_each(|(column, number)| column.push(*number));
    }
}

/// The integer table: the rows of every part, by its place among [`parts`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub parts: Vec<(Part, PartRows)>,
    /// Clicks that count, and clicks of another hit type.
    pub clicks: u64,
    pub other_hits: u64,
}

/// How the clicks of a run are counted.
#[derive(Clone, Copy, Default)]
pub enum Counting<'t> {
    /// Here, all measures.
    #[default]
    Everything,
    /// Here, only what an engine can count, too.
    Portable,
    /// Elsewhere.
    Table(&'t Counts),
}

impl Counting<'_> {
    /// Whether all measures are counted, and here.
    pub fn is_everything(self) -> bool {
        matches!(self, Counting::Everything)
    }

    /// Whether only portable measures are counted.
    pub fn is_portable(self) -> bool {
        !matches!(self, Counting::Everything)
    }
}

/// Texts of a stratum's or a group's columns, as symbols.
type Key = Vec<Symbol>;

/// Tallies by the columns of strata and of groups.
#[derive(Default)]
pub struct Told {
    strata: HashMap<Key, Tallies>,
    groups: HashMap<Key, Tallies>,
}

impl Told {
    /// The facts of all strata and groups of a grain, by number.
    pub fn facts(
        &self,
        clicks: &super::accumulate::Accumulator,
        group_of: &[u32],
        groups: usize,
    ) -> HitFacts {
        let facts = |tallies: Option<&Tallies>| Arc::new(tallies.cloned().unwrap_or_default().facts());
        let mut counted = HitFacts { groups: vec![Arc::default(); groups], ..HitFacts::default() };
        for (stratum, group) in group_of.iter().enumerate() {
            let (of_group, own) = clicks.stratum_key(stratum as u32);
            let key: Key = of_group.iter().chain(&own).copied().collect();
            counted.strata.push(facts(self.strata.get(&key)));
            counted.groups[*group as usize] = facts(self.groups.get(&of_group));
        }
        counted
    }
}

/// The facts without what is not portable.
pub fn restricted(facts: &HitFacts) -> HitFacts {
    let of = |all: &Vec<Arc<super::Facts>>| {
        all.iter().map(|facts| Arc::new(Tallies::of(facts).portable().facts())).collect()
    };
    HitFacts { strata: of(&facts.strata), groups: of(&facts.groups), ..HitFacts::default() }
}

impl Pass<'_> {
    /// Takes the clicks from a table. The clicks at hand are those that conversions name: what converted is told
    /// from them.
    pub(super) fn counted(
        &mut self,
        table: &Counts,
        intake: &Intake,
        duplicates: &ClickDuplicates,
        matched: &Matched,
        symbols: &mut Symbols,
    ) -> Result<()> {
        (self.counted, self.other_hits) = (table.clicks, table.other_hits);
        self.told_from(intake, duplicates, matched, symbols)?;
        for (part, rows) in &table.parts {
            refuse_impossible(part, rows, table.clicks)?;
            let at = rows.texts.iter().map(|column| symbols_of(column, symbols)).collect::<Vec<_>>();
            self.take(part, &at, rows)?;
        }
        self.refuse_contradictions(table)
    }

    fn take(&mut self, part: &Part, texts: &[Vec<Symbol>], rows: &PartRows) -> Result<()> {
        if part.content == Content::Flows {
            let [network, traffic, source] = texts else { return Err(broken(part)) };
            for row in 0..rows.len() {
                let hour = i32::try_from(rows.numbers[0][row] / HOUR).map_err(|_| broken(part))?;
                self.flows.add_counted(
                    network[row],
                    [traffic[row], source[row]],
                    hour,
                    count(part, rows, 1, row)?,
                );
            }
            return Ok(());
        }
        if part.content == Content::Cells && part.cut.is_none() && part.grain == 0 {
            self.days_of(part, rows)?;
        }
        let peers = self.peer_columns.clone();
        let Some((pass, young)) = self.pass_of(part) else { return Err(broken(part)) };
        match part.content {
            Content::Cells => add_cells(pass, part, texts, rows, &peers),
            Content::Delays => add_delays(pass, part, texts, rows),
            Content::Young => {
                young.into_iter().for_each(|young| {
                    young.extend((0..rows.len()).map(|row| texts.iter().map(|t| t[row]).collect::<Key>()))
                });
                Ok(())
            }
            _ => add_tallies(pass, part, texts, rows),
        }
    }

    /// The first and last day, and the clicks of every day.
    fn days_of(&mut self, part: &Part, rows: &PartRows) -> Result<()> {
        let clicks = place_of(part, M::Clicks)?;
        for row in 0..rows.len() {
            let day = day(part, rows.numbers[0][row])?;
            self.days = Some(self.days.map_or((day, day), |(a, b)| (a.min(day), b.max(day))));
            *self.by_day.entry(day).or_default() += rows.numbers[clicks][row].max(0) as u64;
        }
        Ok(())
    }

    fn pass_of(&mut self, part: &Part) -> Option<(&mut GrainPass, Option<&mut HashSet<Key>>)> {
        match part.cut {
            None => self.grains.get_mut(part.grain).map(|pass| (pass, None)),
            Some(cut) => {
                let of_cut = self.cuts.get_mut(cut)?.grains.iter_mut().find(|g| g.grain == part.grain)?;
                Some((&mut of_cut.pass, Some(&mut of_cut.young)))
            }
        }
    }

    /// Counts converted clicks, of which all are at hand.
    fn told_from(
        &mut self,
        intake: &Intake,
        duplicates: &ClickDuplicates,
        matched: &Matched,
        symbols: &mut Symbols,
    ) -> Result<()> {
        let hit_type = intake.mapping.hit_type.as_deref();
        let mut filter = ClickFilter::new(self.options.fields, duplicates, hit_type);
        let whole = super::converted(matched, self.options.main_event);
        let of_cuts = super::converted_in(&self.cuts, matched);
        let stratum = self.places.stratum.clone();
        intake.clicks.scan(self.options.fields, None, &mut |batch| {
            let counted = filter.counted(batch);
            let columns = rows::symbols_of(&counted, self.options.columns, symbols);
            let Some(ids) = counted.keys(Field::Key(Col::ClickId)) else { return Ok(()) };
            let times = counted.integers(Col::ClickTime).unwrap_or_default();
            let times: Vec<Option<i64>> = times.iter().collect();
            let mark = |pass: &mut GrainPass, row: usize| {
                let mut key: Key = pass.places.iter().map(|at| columns[*at][row]).collect();
                let told = pass.told.get_or_insert_default();
                told.groups.entry(key.clone()).or_default().converted += 1;
                key.extend(stratum.iter().map(|at| columns[*at][row]));
                told.strata.entry(key).or_default().converted += 1;
            };
            for (row, id) in ids.iter().enumerate().filter_map(|(row, id)| Some((row, id?))) {
                if whole.contains(&id) {
                    self.grains
                        .iter_mut()
                        .filter(|pass| pass.hits.is_some())
                        .for_each(|pass| mark(pass, row));
                }
            }
            for (cut, converted) in self.cuts.iter_mut().zip(&of_cuts) {
                let inside = cut.holds(&columns, &times);
                for (row, id) in ids.iter().enumerate().filter_map(|(row, id)| Some((row, id?))) {
                    if inside[row] && converted.contains(&id) {
                        cut.grains.iter_mut().for_each(|grain| mark(&mut grain.pass, row));
                    }
                }
            }
            Ok(())
        })
    }

    /// Every grain counts the same clicks; a result that was cut off does not.
    fn refuse_contradictions(&self, table: &Counts) -> Result<()> {
        let mut sums: BTreeMap<(Option<usize>, usize), (u64, &str)> = BTreeMap::new();
        for (part, rows) in &table.parts {
            let total = |column: usize| rows.numbers[column].iter().map(|n| (*n).max(0) as u64).sum::<u64>();
            let found = match part.content {
                Content::Cells => total(place_of(part, M::Clicks)?),
                Content::Hours | Content::Flows => total(1),
                _ => continue,
            };
            let expected = match part.cut {
                None => table.clicks,
                Some(_) => sums.entry((part.cut, part.grain)).or_insert((found, &part.name)).0,
            };
            if found != expected {
                return Err(contradiction(&format!(
                    "`{}` has {found} clicks and there are {expected}",
                    part.name
                )));
            }
        }
        Ok(())
    }

    /// The parts of clicks that were read here.
    pub(super) fn counts(
        &self,
        options: &Options,
        columns: &BTreeSet<Col>,
        symbols: &Symbols,
    ) -> Result<Counts> {
        let cuts = distinct_cuts(options.cuts);
        let asked = Asked { grains: options.grains, cuts: &cuts, columns, peers: &self.peer_columns };
        let mut facts: Vec<((Option<usize>, usize), HitFacts)> = Vec::new();
        let rows_of = |part: Part| {
            let rows = self.rows_of(&part, options, symbols, &mut facts)?;
            Ok((part, rows))
        };
        Ok(Counts {
            parts: parts(&asked).into_iter().map(rows_of).collect::<Result<_>>()?,
            clicks: self.counted,
            other_hits: self.other_hits,
        })
    }

    fn rows_of(
        &self,
        part: &Part,
        options: &Options,
        symbols: &Symbols,
        facts: &mut Vec<((Option<usize>, usize), HitFacts)>,
    ) -> Result<PartRows> {
        let mut rows = PartRows::of(part);
        if part.content == Content::Flows {
            for (network, [traffic, source], hour, clicks) in self.flows.counted() {
                let texts = [network, traffic, source].map(|symbol| symbols.text(symbol));
                rows.push(&texts, &[i64::from(hour) * HOUR, i64::from(clicks)]);
            }
            return Ok(rows);
        }
        let of_cut = part.cut.map(|cut| &self.cuts[cut].grains);
        let of_cut = of_cut.and_then(|grains| grains.iter().find(|g| g.grain == part.grain));
        let pass = of_cut.map_or_else(|| &self.grains[part.grain], |grain| &grain.pass);
        match part.content {
            Content::Cells => cells(pass, part, &self.peer_columns, symbols, &mut rows),
            Content::Delays => delays(pass, part, symbols, &mut rows),
            Content::Young => {
                let mut young: Vec<&Key> = of_cut.into_iter().flat_map(|grain| &grain.young).collect();
                young.sort_unstable();
                for key in young {
                    let texts: Vec<Option<&str>> = key.iter().map(|symbol| symbols.text(*symbol)).collect();
                    rows.push(&texts, &[1]);
                }
            }
            _ => {
                let at = (part.cut, part.grain);
                if !facts.iter().any(|(known, _)| *known == at) {
                    let (group_of, groups) = pass.clicks.groups();
                    let (zone, threads) = (options.clock.zone, options.threads);
                    let counted =
                        pass.hits.as_ref().map(|hits| hits.facts_of_copy(&group_of, groups, zone, threads));
                    facts.extend(counted.transpose()?.map(|counted| (at, counted)));
                }
                let found = facts.iter().find(|(known, _)| *known == at).map(|(_, facts)| facts);
                found.into_iter().for_each(|facts| tallies(pass, part, facts, symbols, &mut rows));
            }
        }
        Ok(rows)
    }
}

/// Refuses numbers that no clicks come to: more in a row than there are, or more of a cell's clicks than it has.
fn refuse_impossible(part: &Part, rows: &PartRows, clicks: u64) -> Result<()> {
    let few = |n: i64| u64::try_from(n).is_ok_and(|n| n <= clicks);
    let refused = |what: &str, n: i64, of: i128| {
        Err(contradiction(&format!("`{}` has a row with {n} {what} of {of} clicks", part.name)))
    };
    let names = part.numbers();
    let bounded = |name: &str| ["clicks", "keys", "visitors"].contains(&name);
    for (name, column) in names.iter().zip(&rows.numbers).filter(|(name, _)| bounded(name)) {
        if let Some(n) = column.iter().find(|n| !few(**n)) {
            return refused(name, *n, clicks.into());
        }
    }
    if part.content != Content::Cells {
        return Ok(());
    }
    let all = &rows.numbers[place_of(part, M::Clicks)?];
    let counts = |m: M| m.decl().kind == Kind::Count;
    for (m, column) in part.sums.iter().zip(&rows.numbers[1..]).filter(|(m, _)| counts(**m)) {
        if let Some((n, all)) = column.iter().zip(all).find(|(n, all)| !(0..=**all).contains(*n)) {
            return refused(m.decl().name, *n, (*all).into());
        }
    }
    // Money is that of clicks with a cost.
    let (Ok(costed), Ok(cost)) = (place_of(part, M::CostedClicks), place_of(part, M::Cost)) else {
        return Ok(());
    };
    let (costed, cost) = (&rows.numbers[costed], &rows.numbers[cost]);
    match costed.iter().zip(cost).find(|(costed, cost)| **costed == 0 && **cost != 0) {
        Some((costed, cost)) => refused("parts of cost", *cost, (*costed).into()),
        None => Ok(()),
    }
}

fn contradiction(what: &str) -> Error {
    Error::input(format!("the counts contradict each other: {what}")).help(
        "the result was cut off or changed, or clicks arrived between two queries: run it again, and let \
         `tables.clicks.until` end where no more arrive",
    )
}

fn broken(part: &Part) -> Error {
    Error::input(format!("the counts of `{}` are not what was asked for", part.name))
        .help("print the queries again, run them whole, and take all columns of the result")
}

fn symbols_of(texts: &[String], symbols: &mut Symbols) -> Vec<Symbol> {
    texts.iter().map(|text| symbols.of_option(Some(text.as_str()).filter(|t| !t.is_empty()))).collect()
}

fn day(part: &Part, begins: i64) -> Result<i32> {
    i32::try_from(begins / DAY).map_err(|_| broken(part))
}

fn count(part: &Part, rows: &PartRows, column: usize, row: usize) -> Result<u32> {
    u32::try_from(rows.numbers[column][row]).map_err(|_| broken(part))
}

/// Where a sum stands among the numbers of a row.
fn place_of(part: &Part, sum: M) -> Result<usize> {
    part.sums.iter().position(|m| *m == sum).map(|at| at + 1).ok_or_else(|| broken(part))
}

/// Where columns stand among the texts of a part.
fn places(part: &Part, columns: &[Col]) -> Result<Vec<usize>> {
    let place = |col: &Col| part.columns.iter().position(|c| c == col).ok_or_else(|| broken(part));
    columns.iter().map(place).collect()
}

fn add_cells(
    pass: &mut GrainPass,
    part: &Part,
    texts: &[Vec<Symbol>],
    rows: &PartRows,
    peers: &[Col],
) -> Result<()> {
    let pick = |columns: &[Col]| -> Result<Vec<Vec<Symbol>>> {
        Ok(places(part, columns)?.into_iter().map(|at| texts[at].clone()).collect())
    };
    let days = rows.numbers[0].iter().map(|begins| day(part, *begins)).collect::<Result<Vec<i32>>>()?;
    let mut sums: Vec<(M, Vec<i64>)> =
        part.sums.iter().zip(&rows.numbers[1..]).map(|(m, column)| (*m, column.clone())).collect();
    let clicks = &rows.numbers[place_of(part, M::Clicks)?];
    let on_weekends = days.iter().zip(clicks).map(|(day, n)| if rows::weekend(*day) { *n } else { 0 });
    sums.push((M::WeekendClicks, on_weekends.collect()));
    let at = Placement {
        group: pick(pass.grain.columns())?,
        stratum: pick(&STRATUM_COLUMNS)?,
        peer: pick(peers)?,
        day: days,
    };
    let none = Contributions { sums, values: Vec::new(), many: Vec::new(), keys: Vec::new() };
    pass.clicks.add(&at, &none);
    Ok(())
}

/// The numbers of strata by their columns, those of the group first.
fn numbers(pass: &GrainPass) -> HashMap<Key, u32> {
    let key = |stratum: u32| {
        let (mut key, own) = pass.clicks.stratum_key(stratum);
        key.extend(own);
        (key, stratum)
    };
    (0..pass.clicks.stratum_count() as u32).map(key).collect()
}

/// The columns of a row's stratum, its group's first, or of its group.
fn keys(pass: &GrainPass, part: &Part, texts: &[Vec<Symbol>], rows: usize) -> Result<Vec<Key>> {
    let own: &[Col] = if part.level == Level::Stratum { &STRATUM_COLUMNS } else { &[] };
    let columns: Vec<Col> = pass.grain.columns().iter().chain(own).copied().collect();
    let at = places(part, &columns)?;
    Ok((0..rows).map(|row| at.iter().map(|at| texts[*at][row]).collect()).collect())
}

fn add_delays(pass: &mut GrainPass, part: &Part, texts: &[Vec<Symbol>], rows: &PartRows) -> Result<()> {
    let numbers = numbers(pass);
    for (row, key) in keys(pass, part, texts, rows.len())?.into_iter().enumerate() {
        let stratum = *numbers.get(&key).ok_or_else(|| broken(part))?;
        let clicks = count(part, rows, 1, row)?;
        pass.clicks.add_counted(stratum, M::LanderDelays, rows.numbers[0][row] / SECOND, u64::from(clicks));
    }
    Ok(())
}

fn add_tallies(pass: &mut GrainPass, part: &Part, texts: &[Vec<Symbol>], rows: &PartRows) -> Result<()> {
    let width = pass.grain.columns().len();
    for (row, key) in keys(pass, part, texts, rows.len())?.into_iter().enumerate() {
        let told = pass.told.get_or_insert_default();
        if part.content == Content::Hours {
            // Hours of a group are those of its strata.
            let group = told.groups.entry(key[..width].to_vec()).or_default();
            add_hour(group, part, rows, row)?;
        }
        let of_level = if part.level == Level::Stratum { &mut told.strata } else { &mut told.groups };
        let tallies = of_level.entry(key).or_default();
        match part.content {
            Content::Hours => add_hour(tallies, part, rows, row)?,
            Content::Multiplicities(identity) => {
                let entry = (count(part, rows, 0, row)?, count(part, rows, 1, row)?);
                tallies.multiplicities[identity as usize].push(entry);
            }
            Content::Days(identity) => {
                let pairs = u64::try_from(rows.numbers[2][row]).map_err(|_| broken(part))?;
                let entry = (day(part, rows.numbers[0][row])?, count(part, rows, 1, row)?, pairs);
                tallies.days[identity as usize].push(entry);
            }
            Content::Visitors => tallies.visitors = count(part, rows, 0, row)?,
            _ => return Err(broken(part)),
        }
    }
    let Told { strata, groups } = pass.told.get_or_insert_default();
    strata.values_mut().chain(groups.values_mut()).for_each(Tallies::sort);
    Ok(())
}

fn add_hour(tallies: &mut Tallies, part: &Part, rows: &PartRows, row: usize) -> Result<()> {
    let hour = i32::try_from(rows.numbers[0][row] / HOUR).map_err(|_| broken(part))?;
    tallies.hours.push((hour, count(part, rows, 1, row)?));
    Ok(())
}

/// Texts of a stratum's group and of its own columns, in the order of the part's.
fn stratum_texts<'s>(
    pass: &GrainPass,
    part: &Part,
    stratum: u32,
    symbols: &'s Symbols,
) -> Vec<Option<&'s str>> {
    let (group, own) = pass.clicks.stratum_key(stratum);
    let of = |col: &Col| {
        let in_group = pass.grain.columns().iter().position(|c| c == col).map(|at| group[at]);
        let in_own = || STRATUM_COLUMNS.iter().position(|c| c == col).map(|at| own[at]);
        in_group.or_else(in_own).and_then(|symbol| symbols.text(symbol))
    };
    part.columns.iter().map(of).collect()
}

fn cells(pass: &GrainPass, part: &Part, peers: &[Col], symbols: &Symbols, rows: &mut PartRows) {
    for at in 0..pass.clicks.cell_count() {
        let cell = pass.clicks.cell(at);
        let mut texts = stratum_texts(pass, part, cell.stratum, symbols);
        for (text, col) in texts.iter_mut().zip(&part.columns) {
            let placed = pass.grain.columns().contains(col) || STRATUM_COLUMNS.contains(col);
            if let Some(peer) = peers.iter().position(|c| c == col).filter(|_| !placed) {
                *text = symbols.text(cell.peer[peer]);
            }
        }
        let sums = part.sums.iter().map(|m| pass.clicks.sum(at, *m));
        let numbers: Vec<i64> = std::iter::once(i64::from(cell.day) * DAY).chain(sums).collect();
        rows.push(&texts, &numbers);
    }
}

fn delays(pass: &GrainPass, part: &Part, symbols: &Symbols, rows: &mut PartRows) {
    let values: BTreeMap<(u32, M), _> = pass.clicks.values().into_iter().collect();
    for ((stratum, _), counted) in values.into_iter().filter(|((_, m), _)| *m == M::LanderDelays) {
        let texts = stratum_texts(pass, part, stratum, symbols);
        counted.iter().for_each(|(seconds, clicks)| rows.push(&texts, &[*seconds * SECOND, *clicks as i64]));
    }
}

fn tallies(pass: &GrainPass, part: &Part, facts: &HitFacts, symbols: &Symbols, rows: &mut PartRows) {
    let (group_of, _) = pass.clicks.groups();
    let mut done: BTreeSet<u32> = BTreeSet::new();
    for (stratum, &group) in group_of.iter().enumerate() {
        let facts = match part.level {
            Level::Stratum => &facts.strata[stratum],
            Level::Group if done.insert(group) => &facts.groups[group as usize],
            Level::Group => continue,
        };
        let (texts, tallies) = (stratum_texts(pass, part, stratum as u32, symbols), Tallies::of(facts));
        let mut push = |numbers: &[i64]| rows.push(&texts, numbers);
        match part.content {
            Content::Hours => {
                tallies.hours.iter().for_each(|(hour, n)| push(&[i64::from(*hour) * HOUR, (*n).into()]))
            }
            Content::Multiplicities(identity) => tallies.multiplicities[identity as usize]
                .iter()
                .for_each(|(clicks, keys)| push(&[(*clicks).into(), (*keys).into()])),
            Content::Days(identity) => tallies.days[identity as usize]
                .iter()
                .for_each(|(day, n, pairs)| push(&[i64::from(*day) * DAY, (*n).into(), *pairs as i64])),
            Content::Visitors if tallies.visitors > 0 => push(&[tallies.visitors.into()]),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::spill::Bound;
    use crate::clean;
    use crate::ingest::{Inputs, Mapping, Plan, Shape, Wanted, ingest};
    use crate::matching;
    use crate::measures::{Measures, measure};
    use std::fmt::Write;

    const FIELDS: [Col; 9] = [
        Col::TrafficSource,
        Col::Source,
        Col::Format,
        Col::Model,
        Col::Offer,
        Col::Country,
        Col::ClickTime,
        Col::Cost,
        Col::LanderClickTime,
    ];

    /// Clicks with every way to have no address, agent, offer or cost, some of them converted.
    fn files() -> [String; 2] {
        let header = "click_id,click_time,traffic_source,source,offer,country,ip,user_agent,asn,cost,lander_click_time";
        let (mut clicks, mut conversions) =
            (format!("{header}\n"), "click_id,conversion_time,event,status\n".to_owned());
        for i in 0..400u32 {
            let time = |minutes: u32| {
                format!("2026-03-{:02}T{:02}:{:02}:07Z", 2 + minutes / 1_440, minutes / 60 % 24, minutes % 60)
            };
            let (at, later) = (time(i * 37), time(i * 37 + 3));
            let pick = |of: &[&'static str], step: u32| of[(i / step) as usize % of.len()];
            let (source, offer) = (pick(&["z1", "z2", "z3"], 1), pick(&["a", "b", ""], 2));
            let (ip, agent) = (pick(&["1.2.3.4", "", "5.6.7.8", "2001:db8::1"], 3), pick(&["x", "y", ""], 1));
            let (cost, lander) =
                (pick(&["0.01", "", "0.0000125"], 1), if i.is_multiple_of(3) { later.as_str() } else { "" });
            writeln!(
                clicks,
                "c{},{at},t,{source},{offer},DE,{ip},{agent},{},{cost},{lander}",
                i % 390,
                i % 2
            )
            .expect("text");
            if i.is_multiple_of(5) {
                writeln!(conversions, "c{i},{later},registration,approved").expect("text");
            }
        }
        [clicks, conversions]
    }

    fn measured(by: &str, cuts: &[(usize, Cut)], before: Option<&Counts>) -> Measures {
        tried(by, cuts, before).expect("measures")
    }

    /// The measures of the files, by their rows or by the counts of a run before.
    fn tried(by: &str, cuts: &[(usize, Cut)], before: Option<&Counts>) -> Result<Measures> {
        let folder = tempfile::tempdir().expect("a folder");
        let mut paths = BTreeMap::new();
        for (shape, text) in [Shape::Clicks, Shape::Conversions].into_iter().zip(files()) {
            let path = folder.path().join(shape.word());
            std::fs::write(&path, text).expect("a file");
            paths.insert(shape, vec![path.to_str().expect("a path").to_owned()]);
        }
        let mapping = Mapping::build(None, None).expect("the generic mapping");
        let inputs = Inputs { files: paths, ..Inputs::default() };
        let intake = ingest(&inputs, &Plan::fixed(mapping), &Wanted::Everything, 1).expect("an intake");
        let columns = [
            Col::TrafficSource,
            Col::Source,
            Col::Account,
            Col::Offer,
            Col::Network,
            Col::Lander,
            Col::Format,
            Col::Model,
            Col::Country,
            Col::Device,
            Col::Ip,
        ];
        let mut fields: Vec<Field> = FIELDS.map(Field::Value).to_vec();
        fields.extend([Col::ClickId, Col::Ip, Col::UserAgent, Col::Asn].map(Field::Key));
        fields.extend([Field::Net(Col::Ip), Field::Macro, Field::Present(Col::UserAgent)]);
        let mut symbols = Symbols::default();
        let cleaned =
            clean::clean(&intake, &columns, &fields, &mut symbols, Bound::NONE).expect("clean rows");
        let clock = Clock {
            zone: "Europe/Berlin".parse().expect("a zone"),
            as_of: intake.newest().expect("rows"),
            maturity: 3_600 * SECOND,
        };
        let clicks = cleaned.clicks.clone();
        let setting =
            matching::Options { columns: &columns, span: intake.span(Col::ClickTime), as_of: clock.as_of };
        let matched = matching::matching(&intake, cleaned, &setting, &mut symbols).expect("matched rows");
        let options = Options {
            grains: &[Grain::parse(by).expect("a grain")],
            cuts,
            columns: &columns,
            fields: &fields,
            clock,
            main_event: symbols.of("registration"),
            counting: before.map_or(Counting::Portable, Counting::Table),
            keeps_counts: before.is_none(),
            threads: 2,
            bound: Bound::of(4_096),
            most_groups: usize::MAX,
            meter: &Default::default(),
        };
        measure(&intake, &clicks, &matched, &options, &mut symbols)
    }

    fn shown(measures: &Measures) -> String {
        let cuts: Vec<_> =
            measures.cuts.iter().map(|cut| (&cut.cut, &cut.missing, &cut.groups, &cut.young)).collect();
        let Measures { grains, clicks, other_hits, days, traffic_sources, clicks_by_day, incidents, .. } =
            measures;
        format!(
            "{grains:#?} {cuts:#?} {clicks} {other_hits} {days:?} {traffic_sources:?} {clicks_by_day:?} {incidents:?}"
        )
    }

    fn cut() -> Cut {
        let only = BTreeMap::from([(Col::Offer, BTreeSet::from(["a".to_owned()]))]);
        Cut { window_s: Some(7 * 86_400), mature_s: Some(86_400), only, ..Cut::default() }
    }

    #[test]
    fn measures_from_the_table_are_those_from_rows() {
        for (by, cuts) in [("source", vec![(0, cut())]), ("offer,country", vec![]), ("ip", vec![])] {
            let here = measured(by, &cuts, None);
            let counts = here.counts.as_ref().expect("they were kept");
            assert!(
                counts.parts.iter().all(|(part, rows)| !rows.is_empty() || part.name.contains("visitors")),
                "{by}"
            );
            let there = measured(by, &cuts, Some(counts));
            assert_eq!(shown(&there), shown(&here), "{by}");
        }
    }

    #[test]
    fn a_table_that_was_cut_off_is_refused() {
        let here = measured("source", &[], None);
        let mut counts = here.counts.expect("they were kept");
        let hours = counts.parts.iter_mut().find(|(part, _)| part.content == Content::Hours).expect("hours");
        hours.1.texts.iter_mut().for_each(|column| column.truncate(column.len() - 1));
        hours.1.numbers.iter_mut().for_each(|column| column.truncate(column.len() - 1));
        let refused = tried("source", &[], Some(&counts)).err().expect("a row is missing");
        assert!(refused.message.contains("contradict each other: `hours by"), "{}", refused.message);
    }

    #[test]
    fn numbers_that_no_clicks_come_to_are_refused() {
        let here = measured("source", &[], None).counts.expect("they were kept");
        let refused = |content: Content, column: usize, put: i64| {
            let mut counts = here.clone();
            let part = counts.parts.iter_mut().find(|(part, _)| part.content == content).expect("the part");
            part.1.numbers[column][0] = put;
            tried("source", &[], Some(&counts)).err().map(|e| e.message).unwrap_or_default()
        };
        let mature = refused(Content::Cells, 2, i64::MAX);
        assert!(mature.contains("9223372036854775807 mature_clicks of"), "{mature}");
        for (content, column, put) in [
            (Content::Cells, 1, i64::MAX),
            (Content::Cells, 2, -1),
            (Content::Hours, 1, i64::MAX),
            (Content::Hours, 1, -1),
            (Content::Multiplicities(Identity::Ip), 0, 401),
            (Content::Visitors, 0, 401),
            (Content::Delays, 1, 401),
        ] {
            let message = refused(content, column, put);
            assert!(message.contains("contradict each other"), "{content:?}: {message}");
        }
    }

    #[test]
    fn every_portable_measure_of_clicks_is_in_a_part_or_follows_from_one() {
        let columns: BTreeSet<Col> = MEASURES.iter().flat_map(|m| m.needs).copied().collect();
        let sums = sums(&columns);
        for m in MEASURES.iter().filter(|m| m.rows == Rows::Clicks && m.portable()) {
            let by_kind = match m.kind {
                Kind::Count | Kind::Sum(_) => {
                    let afterwards = [M::WeekendClicks, M::CompleteCost, M::BoughtClicks, M::ArrivedClicks];
                    sums.contains(&m.id) || m.of_log() || afterwards.contains(&m.id)
                }
                Kind::Values(_) => [M::Hours, M::LanderDelays].contains(&m.id),
                Kind::Rhythm(_) | Kind::Crowd(_) => false,
                _ => true,
            };
            assert!(by_kind, "{} is counted by no part", m.name);
        }
    }

    #[test]
    fn parts_have_names_of_their_own() {
        let columns: BTreeSet<Col> = MEASURES.iter().flat_map(|m| m.needs).copied().collect();
        let grains = [Grain::source(), Grain::parse("offer").expect("a grain")];
        let cuts = [(cut(), vec![0, 1])];
        let asked = Asked { grains: &grains, cuts: &cuts, columns: &columns, peers: &PEER_COLUMNS };
        let all = parts(&asked);
        let names: BTreeSet<&str> = all.iter().map(|part| part.name.as_str()).collect();
        assert_eq!(names.len(), all.len());
        let none = Asked { grains: &grains[1..], cuts: &[], ..asked };
        assert!(parts(&none).iter().any(|part| part.name == "cells of sources" && part.grain == 1));
    }
}
