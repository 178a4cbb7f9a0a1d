//! The nights of some exports, one after the other, as if each had been run on its own morning.
//!
//! A night looks at a window of days, as a run with a store does. What it looks at forgets what lies before, so what was
//! sent and earned until then is counted apart, over all days.

use super::judging::money;
use super::{Judgement, Settings, clock, context, counted, judged, offers, taken_in};
use crate::base::column::Col;
use crate::base::error::{Error, Result};
use crate::base::money::Micro;
use crate::base::time::DAY;
use crate::history::{Earlier, Record};
use crate::ingest::shelf::Wish;
use crate::ingest::{Intake, Shape};
use crate::measures::M;
use crate::rules::RuleSet;
use crate::signals::{self, Row};
use std::collections::BTreeMap;

/// Nights that a night remembers; rules ask for no more.
const REMEMBERED: usize = 60;

/// What was sent and earned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub clicks: u64,
    pub spend: Option<Micro>,
    pub revenue: Option<Micro>,
}

/// What every group sent and earned, by the texts of its columns.
pub type Sums = BTreeMap<Vec<Option<String>>, Sum>;

impl Sum {
    pub fn add(&mut self, other: Sum) {
        let add = |a: Option<Micro>, b: Option<Micro>| match (a, b) {
            (Some(a), Some(b)) => Some(Micro(a.0.saturating_add(b.0))),
            (a, b) => a.or(b),
        };
        self.clicks += other.clicks;
        self.spend = add(self.spend, other.spend);
        self.revenue = add(self.revenue, other.revenue);
    }

    /// What came since an earlier night, of sums over all days.
    pub fn since(self, before: Sum) -> Sum {
        let less = |now: Option<Micro>, before: Option<Micro>| {
            now.map(|now| Micro(now.0.saturating_sub(before.map_or(0, |before| before.0))))
        };
        Sum {
            clicks: self.clicks.saturating_sub(before.clicks),
            spend: less(self.spend, before.spend),
            revenue: less(self.revenue, before.revenue),
        }
    }
}

/// One night of the walk.
pub struct Walked {
    /// In days since 1970.
    pub night: i32,
    /// Nothing where a gate closed: such a night judges nobody.
    pub record: Option<Record>,
    /// Why nobody was judged.
    pub gate: Option<String>,
    /// What was sent and earned from the first day to this one; nothing where nobody was judged.
    pub sums: Sums,
}

/// Walks through the days of the exports. A night looks at as many `days` as a nightly run would, only rows count that
/// were there, and only earlier nights are known. The inputs are read once.
///
/// # Errors
/// Whatever keeps an audit from completing, and inputs of which nobody can say what was there when.
pub fn walk(settings: &mut Settings, rules: &RuleSet, days: u32, each: &mut dyn FnMut(Walked)) -> Result<()> {
    let mut intake = taken_in(settings, rules)?;
    let (first, last) = first_and_last(settings, &intake)?;
    let oldest = TIMES.iter().filter_map(|col| intake.span(*col)).map(|span| span.0).min();
    let mut records: Vec<Record> = Vec::new();
    for night in first..=last {
        let (moment, _) = settings.zone.to_utc((i64::from(night) + 1) * DAY);
        let from = Wish { days, zone: settings.zone, as_of: Some(moment) }.window(moment).from;
        intake.within(from, moment);
        settings.as_of = Some(moment);
        settings.earlier = Earlier::Records(records.clone());
        let Judgement { report, record, .. } = judged(settings, rules, &intake, |_| ())?;
        let gate = report.coverage.gates.first().map(|gate| gate.sentence.term(200));
        let sums = match &record {
            None => Sums::new(),
            Some(record) if oldest.is_none_or(|oldest| from <= oldest) => of_record(record),
            Some(_) => until(settings, rules, &mut intake, moment)?,
        };
        each(Walked { night, record: record.clone(), gate, sums });
        records.extend(record);
        if records.len() > REMEMBERED.max(days as usize + 1) {
            records.remove(0);
        }
    }
    Ok(())
}

/// What a night says whose window reaches back to the oldest row.
fn of_record(record: &Record) -> Sums {
    let sum = |line: &crate::history::Line| Sum {
        clicks: line.clicks,
        spend: line.spend.map(Micro),
        revenue: line.revenue.map(Micro),
    };
    record.lines.iter().map(|line| (line.key.clone(), sum(line))).collect()
}

/// What was sent and earned up to a moment.
fn until(settings: &Settings, rules: &RuleSet, intake: &mut Intake, moment: i64) -> Result<Sums> {
    intake.within(i64::MIN, moment);
    let counted = counted(settings, rules, intake, clock(settings, intake))?;
    let offers = offers(&counted.matched, &counted.columns, &counted.symbols);
    let context = context::of(intake, &counted.matched, &counted.measures, &offers, counted.clock, false);
    let of_grain = counted.measures.grains.iter().filter(|grain| grain.grain == settings.grain);
    let sum = |group: &crate::measures::Group| {
        let row = Row::compute(&signals::Group { totals: &group.totals, context: &context });
        let clicks = group.totals.get(M::Clicks).unwrap_or(0).max(0) as u64;
        (group.key.clone(), Sum { clicks, spend: money(&row, "cost"), revenue: money(&row, "revenue") })
    };
    Ok(of_grain.flat_map(|grain| &grain.groups).map(sum).collect())
}

/// What says when a row was there, the first that an input has.
const TIMES: [Col; 3] = [Col::ClickTime, Col::Day, Col::ConversionTime];

/// First and last day of the clicks, or of whatever has a day.
fn first_and_last(settings: &Settings, intake: &Intake) -> Result<(i32, i32)> {
    if intake.has(Shape::Combined) {
        return Err(Error::usage(
            "a row that is click and conversion does not say when the conversion was there",
        )
        .help("walk through clicks and conversions of their own"));
    }
    let spans = TIMES.map(|col| intake.span(col));
    let (first, last) = spans
        .into_iter()
        .flatten()
        .next()
        .ok_or_else(|| Error::input("no input has a day to walk through"))?;
    let day = |moment: i64| settings.zone.day_and_hour(moment).0;
    Ok((day(first), day(last)))
}
