//! What adds up over days: the clicks of an export are counted once, and nights add up what was counted.
//!
//! The rows of an export that a store keeps never change, so neither do its cells, its histograms and its clicks by
//! the hour. Maturity moves from night to night; sums of mature clicks are therefore kept as if all were, and the
//! night takes back what is not. A row whose ID or content stands elsewhere in the window, too, is counted by
//! itself. What must be exact over the window is no part of this: of the log of clicks only the stratum of every
//! row is kept. Refuses: to take what was counted in another way or of other rows; it is counted anew then.

use super::accumulate::{Contributions, Placement};
use super::cut::Standing;
use super::declared::{Filter, M, MEASURES, Rows};
use super::grain::GrainPass;
use super::incidents::Flows;
use super::rows::{self, ClickRows, Places};
use super::{Clock, Looking, Options, Pass};
use crate::base::column::Col;
use crate::base::error::{Error, Result};
use crate::base::spill::Bound;
use crate::base::symbol::{Symbol, Symbols};
use crate::clean::ClickDuplicates;
use crate::ingest::shelf::{MEASURES as FOLDER, Measured, key_of};
use crate::ingest::{Batch, Field, Intake, KeySet, Table, frames};
use hashbrown::{HashMap, HashSet};
use polars::prelude::*;
use std::path::Path;
use std::sync::Arc;

/// The version of what is kept. Another one is counted anew.
const LAYOUT: u32 = 1;

/// How many ways of counting an export are kept: a night's, and one beside it.
const WAYS: usize = 2;

/// In place of a stratum: the row is of another hit type, or counted by itself.
const OTHER_HIT: i32 = -1;
const ASIDE: i32 = -2;

/// The fields of a click that the log needs besides its stratum.
const LOGGED: [Field; 7] = [
    Field::Value(Col::ClickTime),
    Field::Key(Col::Ip),
    Field::Net(Col::Ip),
    Field::Key(Col::UserAgent),
    Field::Key(Col::Asn),
    Field::Key(Col::ClickId),
    Field::Brand,
];

/// Names all that decides how clicks are counted, apart from the rows and from what the night takes back.
fn way(intake: &Intake, options: &Options, pass: &Pass) -> String {
    let measures: Vec<String> = MEASURES
        .iter()
        .filter(|m| m.rows == Rows::Clicks && pass.available.contains(&m.id))
        .map(|m| format!("{} {:?} {:?} {:?}", m.name, m.kind, m.filters, m.needs))
        .collect();
    let grains: Vec<&[Col]> = pass.grains.iter().map(|grain| grain.grain.columns()).collect();
    format!(
        "{LAYOUT} {} {measures:?} {grains:?} {:?} {:?} {:?} {} {:?} {}",
        env!("CARGO_PKG_VERSION"),
        options.columns,
        super::STRATUM_COLUMNS,
        pass.peer_columns,
        options.clock.zone.name(),
        intake.mapping.hit_type,
        intake.cost_parts(),
    )
}

/// An export of the intake whose cells are kept or will be.
pub struct KeptPart {
    /// Its place among the parts of the clicks.
    place: usize,
    /// The key of the export, and what else was counted of it.
    export: String,
    others: Vec<Measured>,
    /// Names the way of counting and the rows.
    key: String,
    rows: u64,
    /// First and last click.
    span: (i64, i64),
    /// What is kept, or was counted tonight.
    measured: Option<Measured>,
    sheets: Option<(DataFrame, DataFrame)>,
    /// Strata of tonight by those that are kept, of every grain and of every cut's grains.
    strata: Vec<Vec<u32>>,
    of_cuts: Vec<Vec<Vec<u32>>>,
}

/// What one grain has of an export: its cells, column by column, and its histograms.
struct GrainCells {
    /// By the options' columns.
    texts: Vec<Vec<Symbol>>,
    stratum: Vec<u32>,
    day: Vec<i32>,
    sums: Vec<(M, Vec<i64>)>,
    values: Vec<(u32, M, i64, u64)>,
}

/// Clicks of a network, a traffic source and source, in an hour.
type Flow = (Symbol, [Symbol; 2], i32, u32);

/// All of what is kept of an export but the strata of its rows.
struct Sheets {
    grains: Vec<GrainCells>,
    flows: Vec<Flow>,
}

/// The exports whose cells may be kept, and the places of the other parts.
pub fn split(
    intake: &Intake,
    pass: &Pass,
    duplicates: &ClickDuplicates,
) -> Result<(Vec<KeptPart>, Vec<usize>)> {
    let (mut kept, mut others) = (Vec::new(), Vec::new());
    let way = way(intake, pass.options, pass);
    for place in 0..intake.clicks.parts.len() {
        match of_part(intake, &way, place) {
            Some(part) if adds_up(pass) => {
                kept.push(part);
            }
            _ => others.push(place),
        }
    }
    let folder = folder(intake);
    for part in &mut kept {
        let known = part.others.iter().find(|measured| measured.key == part.key);
        let sound = known.filter(|m| m.files().iter().all(|file| frames::is_sound(folder, file)));
        if let Some(measured) = sound
            && part.holds(measured, folder, &intake.clicks, duplicates)?
        {
            part.measured = Some(measured.clone());
        }
    }
    Ok((kept, others))
}

/// Whether what was counted of exports may be added up at all: not where an engine's counts are compared with, nor
/// where there is room for some of the groups only.
fn adds_up(pass: &Pass) -> bool {
    let options = pass.options;
    let room_for_all = pass.grains.iter().all(|grain| grain.room.is_none());
    options.counting.is_everything() && !options.keeps_counts && room_for_all
}

/// A whole export of a store that this run may change.
fn of_part(intake: &Intake, way: &str, place: usize) -> Option<KeptPart> {
    let part = &intake.clicks.parts[place];
    let kept = intake.past.as_ref()?.kept(&part.path)?;
    if part.rows.is_some() || part.place.is_export() || intake.clicks.within.is_some() {
        return None;
    }
    Some(KeptPart {
        place,
        export: kept.key.clone(),
        others: kept.measured.clone(),
        key: key_of(way, &kept.intake.as_ref()?.digest),
        rows: kept.rows - kept.rejects(),
        span: *intake.files.get(part.file)?.spans.get(&Col::ClickTime)?,
        measured: None,
        sheets: None,
        strata: Vec::new(),
        of_cuts: Vec::new(),
    })
}

/// The store's folder; parts of it are there only if there is one.
fn folder(intake: &Intake) -> &Path {
    intake.past.as_ref().and_then(|past| past.folder.as_deref()).unwrap_or(Path::new(""))
}

impl KeptPart {
    /// Its rows as a table.
    fn table(&self, clicks: &Table) -> Table {
        clicks.of_parts([self.place])
    }

    /// Whether the rows that were counted by themselves are those that tonight has to.
    fn holds(
        &self,
        measured: &Measured,
        folder: &Path,
        clicks: &Table,
        duplicates: &ClickDuplicates,
    ) -> Result<bool> {
        if duplicates.repeated.is_empty() && duplicates.identical.is_empty() {
            return Ok(measured.aside == 0);
        }
        let Some(strata) = frames::load(folder, &measured.strata).and_then(|frame| strata_of(&frame, 0))
        else {
            return Ok(false);
        };
        let (mut at, mut same) = (0, true);
        let fields = [Field::Value(Col::ClickTime), Field::Key(Col::ClickId), Field::Row];
        self.table(clicks).scan(&fields, None, &mut |batch| {
            let of_batch = strata.get(at..at + batch.len()).unwrap_or_default();
            at += batch.len();
            same &= match aside(batch, duplicates) {
                Some(mask) => {
                    mask.len() == of_batch.len()
                        && mask.iter().zip(of_batch).all(|(a, s)| *a == (*s == ASIDE))
                }
                None => of_batch.len() == batch.len() && !of_batch.contains(&ASIDE),
            };
            Ok(())
        })?;
        Ok(same && at == strata.len())
    }

    /// Whether what it comes to is known.
    pub fn is_counted(&self) -> bool {
        self.measured.is_some()
    }

    /// Its place among the parts of the clicks.
    pub fn place(&self) -> usize {
        self.place
    }

    fn has_aside(&self) -> bool {
        self.measured.as_ref().is_some_and(|measured| measured.aside > 0)
    }

    /// What the store keeps of the export from now on; `None` if that is what it knows already.
    fn keeps(&self) -> Option<(String, Vec<Measured>)> {
        let measured = self.measured.as_ref()?;
        if self.others.first() == Some(measured) {
            return None;
        }
        let others = self.others.iter().filter(|other| other.key != self.key);
        let all = std::iter::once(measured).chain(others).take(WAYS).cloned().collect();
        Some((self.export.clone(), all))
    }
}

/// The rows that are counted by themselves: others in the window have their ID or, without one, their content.
fn aside(batch: &Batch, duplicates: &ClickDuplicates) -> Option<Vec<bool>> {
    let ids = batch.keys(Field::Key(Col::ClickId)).filter(|_| !duplicates.repeated.is_empty());
    let contents = batch.keys(Field::Row).filter(|_| !duplicates.identical.is_empty());
    if ids.is_none() && contents.is_none() {
        return None;
    }
    let mut mask = vec![false; batch.len()];
    for (row, id) in ids.into_iter().flat_map(|ids| ids.iter().enumerate()) {
        mask[row] |= id.is_some_and(|id| duplicates.repeated.contains(&id));
    }
    for (row, key) in contents.into_iter().flat_map(|keys| keys.iter().enumerate()) {
        mask[row] |= key.is_some_and(|key| duplicates.identical.contains_key(&key));
    }
    Some(mask)
}

/// Which rows of a table are counted.
pub enum Which<'w> {
    All,
    /// Those whose click ID has one of these keys.
    OfIds(&'w Arc<KeySet>),
    /// Those without an ID that have one of these contents.
    Alike(&'w HashMap<u64, u32>),
}

impl Which<'_> {
    /// What the scan can tell.
    pub fn keys(&self) -> Option<(Col, &Arc<KeySet>)> {
        match self {
            Which::OfIds(keys) => Some((Col::ClickId, keys)),
            Which::All | Which::Alike(_) => None,
        }
    }

    /// What the scan could not tell.
    pub fn of<'t>(&self, batch: &Batch<'t>) -> Batch<'t> {
        let (Which::Alike(contents), keys) = (self, batch.keys(Field::Row)) else {
            return Batch { frame: batch.frame.clone(), part: batch.part };
        };
        let alike = |key: Option<u64>| key.is_some_and(|key| contents.contains_key(&key));
        match keys {
            Some(keys) => only(batch, keys.iter().map(alike)),
            None => only(batch, (0..batch.len()).map(|_| false)),
        }
    }
}

/// For every row why it has no stratum, or 0.
fn marks(batch: &Batch, duplicates: &ClickDuplicates, hit_type: Option<&str>) -> Vec<i32> {
    let mut marks = vec![0; batch.len()];
    if let Some((wanted, types)) = hit_type.zip(batch.texts(Col::HitType)) {
        let others = marks.iter_mut().zip(types.iter()).filter(|(_, word)| *word != Some(wanted));
        others.for_each(|(mark, _)| *mark = OTHER_HIT);
    }
    let aside = aside(batch, duplicates).into_iter().flatten();
    marks.iter_mut().zip(aside).filter(|(_, aside)| *aside).for_each(|(mark, _)| *mark = ASIDE);
    marks
}

/// The rows of a batch that a mask names.
fn only<'t>(batch: &Batch<'t>, mask: impl Iterator<Item = bool>) -> Batch<'t> {
    let mask: BooleanChunked = mask.map(Some).collect();
    Batch { frame: batch.frame.filter(&mask).expect("the mask is as long as the frame"), part: batch.part }
}

impl Pass<'_> {
    /// Counts an export, and keeps what it comes to; nothing of one that has rows without a time.
    pub(super) fn count_kept(
        &self,
        intake: &Intake,
        part: &mut KeptPart,
        duplicates: &ClickDuplicates,
        symbols: &mut Symbols,
    ) -> Result<()> {
        let hit_type = intake.mapping.hit_type.as_deref();
        let mut grains: Vec<GrainPass> = self.grains.iter().map(|grain| self.empty(grain)).collect();
        let mut flows = Flows::new(self.flows.places());
        let mut strata: Vec<Vec<i32>> = vec![Vec::new(); grains.len()];
        let (none, available) = (HashSet::new(), self.available.clone());
        let clock = Clock { as_of: i64::MAX, maturity: 0, ..self.options.clock };
        let mut rows = ClickRows::new(duplicates, &none, clock, &available);
        let (mut other_hits, mut aside, mut timeless) = (0, 0, false);
        let most = self.options.most_groups;
        part.table(&intake.clicks).scan(self.options.fields, None, &mut |batch| {
            if grains.iter().any(|grain| grain.is_overfull(most)) {
                return Ok(());
            }
            let marks = marks(batch, duplicates, hit_type);
            other_hits += marks.iter().filter(|mark| **mark == OTHER_HIT).count() as u64;
            aside += marks.iter().filter(|mark| **mark == ASIDE).count() as u64;
            let counted = only(batch, marks.iter().map(|mark| *mark == 0));
            let columns = rows::symbols_of(&counted, self.options.columns, symbols);
            let times = counted.integers(Col::ClickTime).unwrap_or_default();
            timeless |= times.len() != counted.len() || times.null_count() > 0;
            let days: Vec<i32> = times.iter().map(|t| self.day(t.unwrap_or_default())).collect();
            flows.add(&columns, times.iter());
            let contributions = rows.contributions(&counted);
            for (grain, strata) in grains.iter_mut().zip(&mut strata) {
                let at = rows::placement(&columns, &grain.places, &self.places, days.clone());
                let mut of_counted = grain.clicks.add(&at, &contributions).into_iter();
                strata.extend(marks.iter().map(|mark| match mark {
                    0 => of_counted.next().expect("a stratum for every counted row") as i32,
                    mark => *mark,
                }));
            }
            Ok(())
        })?;
        let fits = grains.iter().all(|grain| i32::try_from(grain.clicks.stratum_count()).is_ok());
        if timeless || !fits || strata[0].len() as u64 != part.rows {
            return Ok(());
        }
        let counted = in_order(flows.counted(), symbols);
        let sheets = (cells_sheet(self, &grains, &counted, symbols), values_sheet(&grains, &counted));
        let strata = strata_sheet(self, strata);
        let keep = |word, frame| frames::keep(folder(intake), FOLDER, word, frame);
        part.measured = Some(Measured {
            key: part.key.clone(),
            other_hits,
            aside,
            cells: keep("cells", &sheets.0)?,
            values: keep("values", &sheets.1)?,
            strata: keep("strata", &strata)?,
        });
        part.sheets = Some(sheets);
        Ok(())
    }

    /// The accumulators of a grain, empty.
    fn empty(&self, grain: &GrainPass) -> GrainPass {
        let (places, others, available) = (grain.places.clone(), &self.places, &self.available);
        match grain.hits {
            Some(_) => GrainPass::new(&grain.grain, places, others, available, Bound::NONE),
            None => GrainPass::of_mature(places, others, available),
        }
    }

    /// Adds what is kept of an export to the grains and cuts that all of its clicks belong to.
    pub(super) fn add_kept(
        &mut self,
        intake: &Intake,
        part: &mut KeptPart,
        flows: bool,
        symbols: &mut Symbols,
    ) -> Result<()> {
        let measured = part.measured.as_ref().expect("only what was counted is added");
        let load = |table| frames::load(folder(intake), table);
        let sheets = part.sheets.take().or_else(|| load(&measured.cells).zip(load(&measured.values)));
        let sheets = sheets.and_then(|(cells, values)| Sheets::of(&cells, &values, self, symbols));
        let Some(Sheets { grains, flows: counted }) = sheets else { return Err(changed(part)) };
        self.other_hits += measured.other_hits;
        self.add_days(&grains[0]);
        if flows {
            counted.iter().for_each(|flow| self.flows.add_counted(flow.0, flow.1, flow.2, flow.3));
        }
        let places = self.places.clone();
        let mature = part.span.0 <= self.options.clock.mature_until();
        let added = self.grains.iter_mut().zip(&grains);
        part.strata = added.map(|(pass, cells)| cells.add_to(pass, mature, &places)).collect();
        for cut in &mut self.cuts {
            let mature = part.span.0 <= cut.clock.mature_until();
            let standing = cut.stands(part.span);
            let mut strata = Vec::new();
            for grain in &mut cut.grains {
                let cells = &grains[grain.grain];
                match standing {
                    Standing::Inside => strata.push(cells.add_to(&mut grain.pass, mature, &places)),
                    Standing::TooYoung => grain.young.extend(cells.groups(&grain.pass.places)),
                    Standing::Outside | Standing::ToBeSeen => {}
                }
            }
            part.of_cuts.push(strata);
        }
        Ok(())
    }

    fn add_days(&mut self, cells: &GrainCells) {
        let Some((_, clicks)) = cells.sums.iter().find(|(m, _)| *m == M::Clicks) else { return };
        for (day, clicks) in cells.day.iter().zip(clicks) {
            self.days = Some(self.days.map_or((*day, *day), |(a, b)| (a.min(*day), b.max(*day))));
            *self.by_day.entry(*day).or_default() += *clicks as u64;
            self.counted += *clicks as u64;
        }
    }

    /// Takes back the maturity of the clicks of an export that are not mature yet, where others are.
    pub(super) fn take_back(
        &mut self,
        intake: &Intake,
        part: &KeptPart,
        duplicates: &ClickDuplicates,
        symbols: &mut Symbols,
    ) -> Result<()> {
        let straddles = |until: i64| (part.span.0..part.span.1).contains(&until);
        let main = self.options.clock.mature_until();
        let mut passes: Vec<(i64, Vec<&mut GrainPass>)> = Vec::new();
        if straddles(main) {
            passes.push((main, self.grains.iter_mut().collect()));
        }
        for cut in &mut self.cuts {
            let until = cut.clock.mature_until();
            if straddles(until) && cut.stands(part.span) == Standing::Inside {
                passes.push((until, cut.grains.iter_mut().map(|grain| &mut grain.pass).collect()));
            }
        }
        let (none, hit_type) = (HashSet::new(), intake.mapping.hit_type.as_deref());
        let (options, places, available) = (self.options, &self.places, &self.available);
        for (until, mut grains) in passes {
            let clock = Clock { as_of: i64::MAX, maturity: 0, ..options.clock };
            let mut rows = ClickRows::new(duplicates, &none, clock, available);
            let table = intake.clicks.of_part_from(part.place, Col::ClickTime, until + 1);
            table.scan(options.fields, None, &mut |batch| {
                let marks = marks(batch, duplicates, hit_type);
                let young = only(batch, marks.iter().map(|mark| *mark == 0));
                let columns = rows::symbols_of(&young, options.columns, symbols);
                let times = young.integers(Col::ClickTime).unwrap_or_default();
                let day = |time: Option<i64>| options.clock.zone.day_and_hour(time.unwrap_or_default()).0;
                let days: Vec<i32> = times.iter().map(day).collect();
                let mut sums = rows.contributions(&young).sums;
                sums.retain(|(m, _)| of_mature(*m));
                sums.iter_mut().flat_map(|(_, column)| column).for_each(|value| *value = -*value);
                let taken = Contributions { sums, values: Vec::new(), many: Vec::new(), keys: Vec::new() };
                for grain in &mut grains {
                    let at = rows::placement(&columns, &grain.places, places, days.clone());
                    grain.clicks.add(&at, &taken);
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Looks at the rows of an export for the cuts that hold some of them.
    pub(super) fn see_for_cuts(
        &mut self,
        intake: &Intake,
        part: &KeptPart,
        looking: &mut Looking,
        symbols: &mut Symbols,
    ) -> Result<()> {
        let hit_type = intake.mapping.hit_type.as_deref();
        let options = self.options;
        for (cut, rows) in self.cuts.iter_mut().zip(&mut looking.rows_of_cuts) {
            if cut.stands(part.span) != Standing::ToBeSeen {
                continue;
            }
            let table = intake.clicks.of_part_from(part.place, Col::ClickTime, cut.first());
            table.scan(options.fields, None, &mut |batch| {
                let marks = marks(batch, looking.duplicates, hit_type);
                let counted = only(batch, marks.iter().map(|mark| *mark == 0));
                let columns = rows::symbols_of(&counted, options.columns, symbols);
                let times = counted.integers(Col::ClickTime).unwrap_or_default();
                let day = |time: Option<i64>| options.clock.zone.day_and_hour(time.unwrap_or_default()).0;
                let days: Vec<i32> = times.iter().map(day).collect();
                cut.clicks(rows, &counted, &columns, &days, &self.places)
            })?;
        }
        Ok(())
    }

    /// Counts the rows that are counted by themselves.
    pub(super) fn aside(
        &mut self,
        intake: &Intake,
        kept: &[KeptPart],
        looking: &mut Looking,
        symbols: &mut Symbols,
    ) -> Result<()> {
        let parts = kept.iter().filter(|part| part.has_aside()).map(KeptPart::place);
        let table = intake.clicks.of_parts(parts);
        let (repeated, identical) = (&looking.duplicates.repeated, &looking.duplicates.identical);
        if !repeated.is_empty() {
            self.rows(&table, &Which::OfIds(repeated), looking, symbols)?;
        }
        if !identical.is_empty() {
            self.rows(&table, &Which::Alike(identical), looking, symbols)?;
        }
        Ok(())
    }

    /// Adds the clicks of an export to the logs: their strata are kept, all else stands in its rows.
    pub(super) fn log_kept(&mut self, intake: &Intake, part: &KeptPart, looking: &Looking) -> Result<()> {
        let measured = part.measured.as_ref().expect("only what was counted is added");
        let frame = frames::load(folder(intake), &measured.strata).ok_or_else(|| changed(part))?;
        let mut strata: Vec<Option<Vec<i32>>> = Vec::new();
        for (at, grain) in self.grains.iter().enumerate() {
            let of_grain = grain.hits.as_ref().map(|_| strata_of(&frame, at).ok_or_else(|| changed(part)));
            strata.push(of_grain.transpose()?);
        }
        let mut at = 0;
        part.table(&intake.clicks).scan(&LOGGED, None, &mut |batch| {
            let range = at..at + batch.len();
            at = range.end;
            let of_rows = |grain: usize| strata[grain].as_ref().and_then(|strata| strata.get(range.clone()));
            let hits = looking.rows.hits(batch);
            for (grain, pass) in self.grains.iter_mut().enumerate().filter(|(_, pass)| pass.hits.is_some()) {
                let own = of_rows(grain).ok_or_else(|| changed(part))?;
                pass.log(tonights(own, &part.strata[grain], &hits))?;
            }
            for ((cut, rows), maps) in self.cuts.iter_mut().zip(&looking.rows_of_cuts).zip(&part.of_cuts) {
                if maps.is_empty() {
                    continue;
                }
                let hits = rows.hits(batch);
                for (grain, map) in cut.grains.iter_mut().zip(maps) {
                    let own = of_rows(grain.grain).ok_or_else(|| changed(part))?;
                    grain.pass.log(tonights(own, map, &hits))?;
                }
            }
            Ok(())
        })
    }

    /// What the store keeps of what was counted.
    pub(super) fn keeps(&mut self, parts: &[KeptPart]) {
        self.measured = parts.iter().filter_map(KeptPart::keeps).collect();
    }
}

/// The clicks that count, with the strata of tonight.
fn tonights<'a>(
    kept: &'a [i32],
    map: &'a [u32],
    hits: &'a [super::Hit],
) -> impl Iterator<Item = super::Hit> + 'a {
    let some = kept.iter().zip(hits).filter_map(|(own, hit)| Some((usize::try_from(*own).ok()?, hit)));
    some.map(|(own, hit)| super::Hit { stratum: map[own], ..*hit })
}

/// The error of a store that somebody changes while it is read.
fn changed(part: &KeptPart) -> Error {
    Error::input(format!("the store changed while it was read: what was counted of {} is gone", part.export))
        .help("let nobody else change the folder, and run the night again")
}

fn of_mature(m: M) -> bool {
    m.decl().filters.contains(&Filter::Mature)
}

impl GrainCells {
    /// Adds everything to accumulators; the strata there by the strata here.
    fn add_to(&self, pass: &mut GrainPass, mature: bool, places: &Places) -> Vec<u32> {
        let at: Placement = rows::placement(&self.texts, &pass.places, places, self.day.clone());
        let sums = self.sums.iter().filter(|(m, _)| mature || !of_mature(*m)).cloned().collect();
        let all = Contributions { sums, values: Vec::new(), many: Vec::new(), keys: Vec::new() };
        let there = pass.clicks.add(&at, &all);
        let mut map = vec![0; self.stratum.iter().max().map_or(0, |most| *most as usize + 1)];
        self.stratum.iter().zip(there).for_each(|(own, there)| map[*own as usize] = there);
        for (stratum, measure, value, count) in &self.values {
            pass.clicks.add_counted(map[*stratum as usize], *measure, *value, *count);
        }
        map
    }

    /// Symbols of its groups, whose columns stand at these places; with repetitions.
    fn groups(&self, places: &[usize]) -> impl Iterator<Item = Vec<Symbol>> {
        (0..self.day.len()).map(move |row| places.iter().map(|at| self.texts[*at][row]).collect())
    }
}

// ---------------------------------------------------------------- as tables

/// The names of the columns besides texts and measures.
const GRAIN: &str = "grain";
const STRATUM: &str = "stratum";
const DAY: &str = "day";
const MEASURE: &str = "measure";
const VALUE: &str = "value";
const COUNT: &str = "count";

/// Flows stand behind the last grain, by network, traffic source and source.
type FlowPlace = (Symbol, [Symbol; 2]);

/// Flows by their texts and hours: the same clicks are written as the same bytes.
fn in_order(mut flows: Vec<Flow>, symbols: &Symbols) -> Vec<Flow> {
    let texts = |flow: &Flow| [flow.0, flow.1[0], flow.1[1]].map(|symbol| symbols.text(symbol));
    flows.sort_unstable_by(|a, b| (texts(a), a.2).cmp(&(texts(b), b.2)));
    flows
}

/// The places of flows in the order of their numbers.
fn flow_places(flows: &[Flow]) -> (Vec<FlowPlace>, HashMap<FlowPlace, u32>) {
    let (mut places, mut numbers) = (Vec::new(), HashMap::new());
    for (network, source, ..) in flows {
        numbers.entry((*network, *source)).or_insert_with(|| {
            places.push((*network, *source));
            places.len() as u32 - 1
        });
    }
    (places, numbers)
}

/// A sheet of cells in the making.
struct Cells<'s> {
    head: [Vec<i32>; 3],
    /// By the options' columns.
    texts: Vec<Vec<Option<&'s str>>>,
    sums: Vec<(M, Vec<i64>)>,
}

fn cells_sheet(pass: &Pass, grains: &[GrainPass], flows: &[Flow], symbols: &Symbols) -> DataFrame {
    let width = pass.options.columns.len();
    let measures =
        MEASURES.iter().map(|m| m.id).filter(|m| grains.iter().any(|g| g.clicks.slots().contains(m)));
    let mut cells = Cells {
        head: Default::default(),
        texts: vec![Vec::new(); width],
        sums: measures.map(|m| (m, Vec::new())).collect(),
    };
    for (number, grain) in grains.iter().enumerate() {
        cells.grain(number as i32, grain, &pass.places, symbols);
    }
    let [network, traffic, source] = pass.flows.places();
    for (number, (of, [first, second])) in flow_places(flows).0.into_iter().enumerate() {
        let texts = [(network, of), (traffic, first), (source, second)];
        cells.push([grains.len() as i32, number as i32, 0], texts.into_iter(), symbols);
        cells.sums.iter_mut().for_each(|(_, column)| column.push(0));
    }
    cells.frame(pass.options.columns)
}

impl<'s> Cells<'s> {
    fn push(&mut self, head: [i32; 3], texts: impl Iterator<Item = (usize, Symbol)>, symbols: &'s Symbols) {
        self.head.iter_mut().zip(head).for_each(|(column, value)| column.push(value));
        self.texts.iter_mut().for_each(|column| column.push(None));
        for (at, symbol) in texts {
            if let Some(last) = self.texts[at].last_mut() {
                *last = symbols.text(symbol);
            }
        }
    }

    /// The cells of a grain, those of a stratum beside each other.
    fn grain(&mut self, number: i32, grain: &GrainPass, places: &Places, symbols: &'s Symbols) {
        let clicks = &grain.clicks;
        let mut order: Vec<(u32, usize)> =
            (0..clicks.cell_count()).map(|at| (clicks.cell(at).stratum, at)).collect();
        order.sort_unstable();
        let slots: Vec<Option<usize>> =
            self.sums.iter().map(|(m, _)| clicks.slots().iter().position(|slot| slot == m)).collect();
        for (stratum, at) in order {
            let (cell, (group, own)) = (clicks.cell(at), clicks.stratum_key(stratum));
            let texts = grain.places.iter().copied().zip(group);
            let texts = texts.chain(places.stratum.iter().copied().zip(own));
            let texts = texts.chain(places.peer.iter().copied().zip(cell.peer));
            self.push([number, stratum as i32, cell.day], texts, symbols);
            let sums = clicks.sums(at);
            for ((_, column), slot) in self.sums.iter_mut().zip(&slots) {
                column.push(slot.map_or(0, |slot| sums[slot]));
            }
        }
    }

    /// Columns that say nothing are left out.
    fn frame(self, columns: &[Col]) -> DataFrame {
        let height = self.head[0].len();
        let [grain, stratum, day] = self.head;
        let mut all: Vec<Column> = [(GRAIN, grain), (STRATUM, stratum), (DAY, day)]
            .into_iter()
            .map(|(name, values)| Column::new(name.into(), values))
            .collect();
        for (col, texts) in columns.iter().zip(self.texts).filter(|(_, t)| t.iter().any(Option::is_some)) {
            all.push(Column::new(col.name().into(), texts));
        }
        for (m, sums) in self.sums.into_iter().filter(|(_, sums)| sums.iter().any(|sum| *sum != 0)) {
            all.push(Column::new(m.decl().name.into(), sums));
        }
        DataFrame::new(height, all).expect("columns of one length and of names of their own")
    }
}

fn values_sheet(grains: &[GrainPass], flows: &[Flow]) -> DataFrame {
    let mut rows: Vec<(i32, i32, M, i64, i64)> = Vec::new();
    for (number, grain) in grains.iter().enumerate() {
        let values = grain.clicks.counted_values().into_iter();
        rows.extend(values.map(|(s, m, value, count)| (number as i32, s as i32, m, value, count as i64)));
    }
    let (_, numbers) = flow_places(flows);
    let mut of_flows: Vec<(i32, i64, i64)> = flows
        .iter()
        .map(|(network, source, hour, clicks)| {
            (numbers[&(*network, *source)] as i32, i64::from(*hour), i64::from(*clicks))
        })
        .collect();
    of_flows.sort_unstable();
    rows.extend(
        of_flows.into_iter().map(|(at, hour, clicks)| (grains.len() as i32, at, M::Hours, hour, clicks)),
    );
    let columns = vec![
        Column::new(GRAIN.into(), rows.iter().map(|row| row.0).collect::<Vec<_>>()),
        Column::new(STRATUM.into(), rows.iter().map(|row| row.1).collect::<Vec<_>>()),
        Column::new(MEASURE.into(), rows.iter().map(|row| row.2.decl().name).collect::<Vec<_>>()),
        Column::new(VALUE.into(), rows.iter().map(|row| row.3).collect::<Vec<_>>()),
        Column::new(COUNT.into(), rows.iter().map(|row| row.4).collect::<Vec<_>>()),
    ];
    DataFrame::new(rows.len(), columns).expect("columns of one length")
}

/// The strata of every row, by the number of the grain.
fn strata_sheet(pass: &Pass, strata: Vec<Vec<i32>>) -> DataFrame {
    let height = strata.first().map_or(0, Vec::len);
    let logged = pass.grains.iter().zip(strata).enumerate().filter(|(_, (grain, _))| grain.hits.is_some());
    let columns = logged.map(|(at, (_, strata))| Column::new(stratum_of(at), strata)).collect();
    DataFrame::new(height, columns).expect("columns of one length")
}

fn stratum_of(grain: usize) -> PlSmallStr {
    format!("{STRATUM}_{grain}").into()
}

fn strata_of(frame: &DataFrame, grain: usize) -> Option<Vec<i32>> {
    small(frame, &stratum_of(grain))
}

fn small(frame: &DataFrame, name: &str) -> Option<Vec<i32>> {
    let column = frame.column(name).ok()?.as_materialized_series().i32().ok()?;
    Some(column.iter().map(Option::unwrap_or_default).collect())
}

fn large(frame: &DataFrame, name: &str) -> Option<Vec<i64>> {
    let column = frame.column(name).ok()?.as_materialized_series().i64().ok()?;
    Some(column.iter().map(Option::unwrap_or_default).collect())
}

/// Texts as symbols; a column that is not there says nothing.
fn texts(frame: &DataFrame, name: &str, symbols: &mut Symbols) -> Option<Vec<Symbol>> {
    let Ok(column) = frame.column(name) else { return Some(vec![Symbol::NONE; frame.height()]) };
    let column = column.as_materialized_series().str().ok()?;
    let mut last: (Option<&str>, Symbol) = (None, Symbol::NONE);
    let mut symbols_of = Vec::with_capacity(column.len());
    for text in column.iter() {
        if text != last.0 {
            last = (text, symbols.of_option(text));
        }
        symbols_of.push(last.1);
    }
    Some(symbols_of)
}

impl Sheets {
    /// What two tables say; `None` if they are not of these grains.
    fn of(cells: &DataFrame, values: &DataFrame, pass: &Pass, symbols: &mut Symbols) -> Option<Sheets> {
        let grains = pass.grains.len();
        let of_cells = ranges(&small(cells, GRAIN)?, grains)?;
        let of_values = ranges(&small(values, GRAIN)?, grains)?;
        let (stratum, day) = (small(cells, STRATUM)?, small(cells, DAY)?);
        let columns = pass.options.columns.iter();
        let columns = columns.map(|c| texts(cells, c.name(), symbols)).collect::<Option<Vec<_>>>()?;
        let slots = MEASURES.iter().filter(|m| cells.column(m.name).is_ok());
        let sums = slots.map(|m| Some((m.id, large(cells, m.name)?))).collect::<Option<Vec<_>>>()?;
        let values = all_values(values)?;
        let of_grain = |at: usize| {
            let range = of_cells[at].clone();
            GrainCells {
                texts: columns.iter().map(|column| column[range.clone()].to_vec()).collect(),
                stratum: stratum[range.clone()].iter().map(|s| *s as u32).collect(),
                day: day[range.clone()].to_vec(),
                sums: sums.iter().map(|(m, column)| (*m, column[range.clone()].to_vec())).collect(),
                values: values[of_values[at].clone()].to_vec(),
            }
        };
        let places = pass.flows.places().map(|at| &columns[at][of_cells[grains].clone()]);
        let flow = |(place, _, hour, clicks): &(u32, M, i64, u64)| {
            let at = *place as usize;
            let [network, traffic, source] = [places[0].get(at)?, places[1].get(at)?, places[2].get(at)?];
            Some((*network, [*traffic, *source], i32::try_from(*hour).ok()?, u32::try_from(*clicks).ok()?))
        };
        let flows = values[of_values[grains].clone()].iter().map(flow).collect::<Option<Vec<Flow>>>()?;
        Some(Sheets { grains: (0..grains).map(of_grain).collect(), flows })
    }
}

/// Where the rows of every grain stand, and those behind the last one.
fn ranges(grain: &[i32], grains: usize) -> Option<Vec<std::ops::Range<usize>>> {
    if !grain.is_sorted() || grain.last().is_some_and(|last| *last as usize > grains) {
        return None;
    }
    let begin = |number: usize| grain.partition_point(|at| (*at as usize) < number);
    Some((0..=grains).map(|number| begin(number)..begin(number + 1)).collect())
}

fn all_values(frame: &DataFrame) -> Option<Vec<(u32, M, i64, u64)>> {
    let (stratum, value, count) = (small(frame, STRATUM)?, large(frame, VALUE)?, large(frame, COUNT)?);
    let names = frame.column(MEASURE).ok()?.as_materialized_series().str().ok()?;
    let mut known: Option<(String, M)> = None;
    let mut measure = |name: &str| {
        if known.as_ref().is_none_or(|(last, _)| last != name) {
            known = MEASURES.iter().find(|m| m.name == name).map(|m| (name.to_owned(), m.id));
        }
        known.as_ref().map(|(_, m)| *m)
    };
    let all = names.iter().zip(stratum.iter().zip(value.iter().zip(&count)));
    all.map(|(name, (stratum, (value, count)))| {
        Some((*stratum as u32, measure(name?)?, *value, *count as u64))
    })
    .collect()
}
