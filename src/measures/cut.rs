//! Cuts: the rows that rules with row limits ask about, measured beside the whole.
//!
//! A distinct combination of row limits is a cut, and has accumulators of its own for every grain on which a rule
//! asks for it. What is said of the whole input (peers, incidents, the price of a conversion) stays that of the
//! whole; days of incidents are left out of cuts as they are out of the whole.

use super::accumulate::Contributions;
use super::costs::CostDays;
use super::grain::GrainPass;
use super::rows::{self, ClickRows, ConversionSet, Places};
use super::{Clock, M, Totals};
use crate::base::column::Col;
use crate::base::error::Result;
use crate::base::meter::Meter;
use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::{DAY, SECOND};
use crate::clean::vocabulary;
use crate::ingest::Batch;
use crate::matching::MatchedConversion;
use hashbrown::HashSet;
use polars::prelude::BooleanChunked;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// Texts of one column that are spelled out.
const TEXTS_SHOWN: usize = 3;

/// Which rows a rule asks about. A conversion stands on its click's time, as everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cut {
    /// Clicks of the last so many seconds before the end of the input.
    pub window_s: Option<i64>,
    /// Clicks at least so many seconds old; a conversion counts if it came within this time.
    pub mature_s: Option<i64>,
    /// Conversions of these events, by their canonical words, as the rule names them.
    pub events: Vec<String>,
    /// Rows with one of these texts in the column.
    pub only: BTreeMap<Col, BTreeSet<String>>,
}

impl Cut {
    /// The event words as they stand in cleaned rows.
    pub fn canonical(event: &str) -> String {
        vocabulary::event(event).0
    }
}

/// `in the last 7d, event deposit only, offer a or b only`.
impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.window_s.map(|s| format!("in the last {}", span(s))));
        parts.extend(self.mature_s.map(|s| format!("at least {} old", span(s))));
        if !self.events.is_empty() {
            parts.push(format!("event {} only", listed(self.events.iter())));
        }
        parts.extend(
            self.only.iter().map(|(column, texts)| format!("{column} {} only", listed(texts.iter()))),
        );
        f.write_str(&parts.join(", "))
    }
}

/// `7d`, `36h`, `90s`: the largest unit in which it is a whole number.
fn span(s: i64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let (size, unit) = units.into_iter().find(|(size, _)| s % size == 0).unwrap_or((1, "s"));
    format!("{}{unit}", s / size)
}

/// `a, b or c`, `a, b, c or 5 more`.
fn listed<'t>(texts: impl ExactSizeIterator<Item = &'t String>) -> String {
    let more = texts.len().saturating_sub(TEXTS_SHOWN);
    let mut shown: Vec<String> = texts.take(TEXTS_SHOWN).cloned().collect();
    if more > 0 {
        shown.push(format!("{more} more"));
    }
    let last = shown.pop().unwrap_or_default();
    if shown.is_empty() { last } else { format!("{} or {last}", shown.join(", ")) }
}

/// What a cut of one grain came to.
pub struct CutMeasures {
    /// The grain's place among the run's.
    pub grain: usize,
    pub cut: Cut,
    /// Columns that the cut looks at and no input has: its rows cannot be told.
    pub missing: Vec<Col>,
    /// The groups that have rows in the cut.
    pub groups: BTreeMap<Vec<Option<String>>, Arc<Totals>>,
    /// Groups of which some rows are only too young for it.
    pub young: BTreeSet<Vec<Option<String>>>,
}

impl CutMeasures {
    /// What of a group lies in the cut.
    pub fn of(&self, key: &[Option<String>]) -> InCut<'_> {
        match self.groups.get(key) {
            _ if !self.missing.is_empty() => InCut::Untold(&self.missing),
            Some(totals) => InCut::Rows(totals),
            None if self.young.contains(key) => InCut::TooYoung,
            None => InCut::Nothing,
        }
    }
}

/// What of a group lies in a cut.
pub enum InCut<'m> {
    Rows(&'m Totals),
    /// It has rows, and all of them are too young.
    TooYoung,
    Nothing,
    /// No input has these columns.
    Untold(&'m [Col]),
}

/// A cut in the making.
pub struct CutPass {
    pub cut: Cut,
    pub clock: Clock,
    /// The event that conversion rates of the cut are on.
    pub main_event: Symbol,
    /// Earliest and latest click, UTC microseconds.
    from: i64,
    until: i64,
    /// Places among the options' columns, and the texts that are let through.
    only: Vec<(usize, HashSet<Symbol>)>,
    events: HashSet<Symbol>,
    pub grains: Vec<CutGrain>,
}

/// A cut of one grain in the making.
pub struct CutGrain {
    /// The grain's place among the run's.
    pub grain: usize,
    pub pass: GrainPass,
    /// Symbols of the groups with rows that are only too young.
    pub young: HashSet<Vec<Symbol>>,
}

impl CutGrain {
    /// Before any row.
    pub fn new(grain: usize, pass: GrainPass) -> CutGrain {
        CutGrain { grain, pass, young: HashSet::new() }
    }
}

/// Where a row stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    In,
    TooYoung,
    Out,
}

/// Where the clicks of a whole export stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Inside,
    TooYoung,
    Outside,
    /// Some here, some there: row by row.
    ToBeSeen,
}

impl CutPass {
    /// A cut under the run's clock; `columns` are the options'. Rates are on the run's main event if it is one of
    /// the cut's, otherwise on the first that the rule names.
    pub fn new(
        cut: &Cut,
        clock: Clock,
        main_event: Symbol,
        columns: &[Col],
        symbols: &mut Symbols,
    ) -> CutPass {
        let events: Vec<Symbol> = cut.events.iter().map(|event| symbols.of(event)).collect();
        let place =
            |col: &Col| columns.iter().position(|c| c == col).expect("rows are placed by this column");
        let mut texts = |texts: &BTreeSet<String>| texts.iter().map(|text| symbols.of(text)).collect();
        let before = |s: i64| clock.as_of.saturating_sub(s.saturating_mul(SECOND));
        CutPass {
            clock: Clock { maturity: cut.mature_s.map_or(clock.maturity, |s| s * SECOND), ..clock },
            main_event: events
                .first()
                .copied()
                .filter(|_| !events.contains(&main_event))
                .unwrap_or(main_event),
            from: cut.window_s.map_or(i64::MIN, before),
            until: cut.mature_s.map_or(i64::MAX, before),
            only: cut.only.iter().map(|(col, list)| (place(col), texts(list))).collect(),
            events: events.into_iter().collect(),
            grains: Vec::new(),
            cut: cut.clone(),
        }
    }

    /// Columns that the cut looks at and that no input has.
    pub fn missing(&self, mapped: &BTreeSet<Col>) -> Vec<Col> {
        let event = (!self.events.is_empty()).then_some(Col::Event);
        let looked_at = self.cut.only.keys().copied().chain(event);
        looked_at.filter(|column| !mapped.contains(column)).collect()
    }

    /// Where every row stands that has these texts and whose click came at this time.
    fn places(&self, columns: &[Vec<Symbol>], times: &[Option<i64>]) -> Vec<Place> {
        let passes = |row: usize| self.only.iter().all(|(at, texts)| texts.contains(&columns[*at][row]));
        let in_time = |time: Option<i64>| match time {
            None if self.cut.window_s.is_none() && self.cut.mature_s.is_none() => Place::In,
            Some(time) if time > self.until => Place::TooYoung,
            Some(time) if time >= self.from => Place::In,
            _ => Place::Out,
        };
        let place =
            |(row, time): (usize, &Option<i64>)| if passes(row) { in_time(*time) } else { Place::Out };
        times.iter().enumerate().map(place).collect()
    }

    /// Which rows lie in the cut.
    pub fn holds(&self, columns: &[Vec<Symbol>], times: &[Option<i64>]) -> Vec<bool> {
        self.places(columns, times).into_iter().map(|place| place == Place::In).collect()
    }

    /// Where all clicks between two moments stand.
    pub fn stands(&self, (first, last): (i64, i64)) -> Standing {
        match (first > self.until, last > self.until, last < self.from, first < self.from) {
            (false, false, true, _) => Standing::Outside,
            _ if !self.only.is_empty() => Standing::ToBeSeen,
            (true, ..) => Standing::TooYoung,
            (false, false, false, false) => Standing::Inside,
            _ => Standing::ToBeSeen,
        }
    }

    /// Earlier clicks are outside.
    pub fn first(&self) -> i64 {
        self.from.min(self.until.saturating_add(1))
    }

    /// Remembers the groups of rows that are only too young.
    fn note_young(&mut self, columns: &[Vec<Symbol>], places: &[Place]) {
        for grain in &mut self.grains {
            for row in
                places.iter().enumerate().filter(|(_, place)| **place == Place::TooYoung).map(|(row, _)| row)
            {
                grain.young.insert(grain.pass.places.iter().map(|at| columns[*at][row]).collect());
            }
        }
    }

    /// Adds the clicks of a batch that lie in the cut.
    pub fn clicks(
        &mut self,
        rows: &mut ClickRows,
        batch: &Batch,
        columns: &[Vec<Symbol>],
        days: &[i32],
        others: &Places,
    ) -> Result<()> {
        let times: Vec<Option<i64>> = batch
            .integers(Col::ClickTime)
            .map_or_else(|| vec![None; batch.len()], |times| times.iter().collect());
        let (mask, columns, days) = self.taken(columns, &times, days, |_| true);
        if !mask.contains(&true) {
            return Ok(());
        }
        let mask: BooleanChunked = mask.into_iter().map(Some).collect();
        let frame = batch.frame.filter(&mask).expect("the mask is as long as the frame");
        let batch = Batch { frame, part: batch.part };
        let passes = self.grains.iter_mut().map(|grain| &mut grain.pass);
        rows::add_clicks(passes, rows, &batch, &columns, &days, others)
    }

    /// The rows that lie in the cut and pass `more`: as a mask, with their columns and days.
    fn taken(
        &mut self,
        columns: &[Vec<Symbol>],
        times: &[Option<i64>],
        days: &[i32],
        more: impl Fn(usize) -> bool,
    ) -> (Vec<bool>, Vec<Vec<Symbol>>, Vec<i32>) {
        let mut places = self.places(columns, times);
        let others = places.iter_mut().enumerate().filter(|(row, _)| !more(*row));
        others.for_each(|(_, place)| *place = Place::Out);
        self.note_young(columns, &places);
        let mask: Vec<bool> = places.iter().map(|place| *place == Place::In).collect();
        let columns = columns.iter().map(|column| kept(column, &mask)).collect();
        let days = kept(days, &mask);
        (mask, columns, days)
    }

    /// Adds the conversions that lie in the cut.
    pub fn conversions(
        &mut self,
        all: &[MatchedConversion],
        columns: &[Vec<Symbol>],
        days: &[i32],
        others: &Places,
        available: &BTreeSet<M>,
        cost_days: Option<&CostDays>,
    ) {
        let times: Vec<Option<i64>> =
            all.iter().map(|m| Some(m.click_time.unwrap_or(m.conversion.time))).collect();
        let events = self.events.clone();
        let wanted = |row: usize| events.is_empty() || events.contains(&all[row].conversion.event);
        let (mask, columns, days) = self.taken(columns, &times, days, wanted);
        let mut set = ConversionSet { rows: all, clock: self.clock, main_event: self.main_event, cost_days };
        let contributions = set.contributions(available).only(&mask);
        for grain in &mut self.grains {
            let at = rows::placement(&columns, &grain.pass.places, others, days.clone());
            grain.pass.conversions.add(&at, &contributions);
        }
    }

    /// Adds rows that were aggregated by day; a day counts if the whole of it lies in the cut.
    pub fn report(
        &mut self,
        columns: &[Vec<Symbol>],
        times: &[Option<i64>],
        days: &[i32],
        others: &Places,
        sides: impl Fn(&[bool]) -> [Contributions; 2],
    ) {
        let mature: Vec<bool> =
            times.iter().map(|time| time.is_none_or(|t| t + DAY <= self.clock.mature_until())).collect();
        // The end of a day decides whether it is too young, its beginning whether it is too old.
        let ends =
            |time: &Option<i64>| if self.cut.mature_s.is_some() { time.map(|t| t + DAY) } else { *time };
        let too_old: Vec<bool> = times.iter().map(|time| time.is_some_and(|t| t < self.from)).collect();
        let ends: Vec<Option<i64>> = times.iter().map(ends).collect();
        let (mask, columns, days) = self.taken(columns, &ends, days, |row| !too_old[row]);
        let sides = sides(&mature).map(|side| side.only(&mask));
        for grain in &mut self.grains {
            let at = rows::placement(&columns, &grain.pass.places, others, days.clone());
            grain.pass.clicks.add(&at, &sides[0]);
            grain.pass.conversions.add(&at, &sides[1]);
        }
    }

    /// The measures of the cut, grain by grain.
    pub fn finish(
        self,
        available: &Arc<[bool]>,
        missing: &[Col],
        threads: usize,
        symbols: &Symbols,
        meter: &Meter,
    ) -> Result<Vec<CutMeasures>> {
        let CutPass { cut, clock, grains, .. } = self;
        let texts = |key: &Vec<Symbol>| key.iter().map(|s| symbols.text(*s).map(str::to_owned)).collect();
        let finish = |grain: CutGrain| {
            let young = grain.young.iter().map(texts).collect();
            let measures = grain.pass.finish(available, clock.zone, threads, symbols, meter)?;
            let groups = measures.groups.into_iter().map(|group| (group.key, group.totals)).collect();
            Ok(CutMeasures { grain: grain.grain, cut: cut.clone(), missing: missing.to_vec(), groups, young })
        };
        grains.into_iter().map(finish).collect()
    }
}

fn kept<T: Copy>(values: &[T], mask: &[bool]) -> Vec<T> {
    values.iter().zip(mask).filter(|(_, keep)| **keep).map(|(value, _)| *value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(window: Option<i64>, mature: Option<i64>) -> Cut {
        Cut { window_s: window, mature_s: mature, ..Cut::default() }
    }

    #[test]
    fn a_cut_is_told_in_words() {
        let mut of_offer = cut(Some(7 * 86_400), None);
        of_offer.events = vec!["deposit".to_owned()];
        of_offer.only.insert(Col::Offer, ["a", "b"].map(str::to_owned).into());
        of_offer.only.insert(Col::Country, ["AT", "CH", "DE", "NL", "SE"].map(str::to_owned).into());
        let told = of_offer.to_string();
        assert!(told.starts_with("in the last 7d, event deposit only, "), "{told}");
        assert!(
            told.contains("offer a or b only") && told.contains("country AT, CH, DE or 2 more only"),
            "{told}"
        );
        assert_eq!(cut(None, Some(3 * 86_400)).to_string(), "at least 3d old");
    }

    #[test]
    fn rows_stand_in_the_cut_are_too_young_or_out() {
        let day = 86_400;
        let clock = Clock { zone: crate::base::time::Zone::UTC, as_of: 100 * day * SECOND, maturity: 0 };
        let mut symbols = Symbols::default();
        let (a, b) = (symbols.of("a"), symbols.of("b"));
        let mut limits = cut(Some(7 * day), Some(2 * day));
        limits.only.insert(Col::Offer, BTreeSet::from(["a".to_owned()]));
        let pass = CutPass::new(&limits, clock, Symbol::NONE, &[Col::Offer], &mut symbols);
        let at = |days: i64| Some(days * day * SECOND);
        let times = [at(92), at(93), at(98), at(99), at(95), None];
        let places = pass.places(&[vec![a, a, a, a, b, a]], &times);
        let letters: String = places
            .iter()
            .map(|place| match place {
                Place::In => 'i',
                Place::TooYoung => 'y',
                Place::Out => 'o',
            })
            .collect();
        assert_eq!(letters, "oiiyoo");
        assert_eq!(pass.clock.mature_until(), 98 * day * SECOND);
    }
}
