//! The nights of some exports, one after the other, as if each had been run on its own morning.

use super::{Judgement, Settings, judged, taken_in};
use crate::base::column::Col;
use crate::base::error::{Error, Result};
use crate::base::time::DAY;
use crate::history::{Earlier, Record};
use crate::ingest::{Intake, Shape};
use crate::rules::RuleSet;

/// Nights that a night remembers; rules ask for no more.
const REMEMBERED: usize = 60;

/// One night of the walk.
pub struct Walked {
    /// In days since 1970.
    pub night: i32,
    /// Nothing where a gate closed: such a night judges nobody.
    pub record: Option<Record>,
    /// Why nobody was judged.
    pub gate: Option<String>,
}

/// Walks through the days of the exports. On each night only rows count that were there, and only earlier nights are
/// known. The inputs are read once.
///
/// # Errors
/// Whatever keeps an audit from completing, and inputs of which nobody can say what was there when.
pub fn walk(settings: &mut Settings, rules: &RuleSet, each: &mut dyn FnMut(Walked)) -> Result<()> {
    let mut intake = taken_in(settings, rules)?;
    let (first, last) = days(settings, &intake)?;
    let mut records: Vec<Record> = Vec::new();
    for night in first..=last {
        let (moment, _) = settings.zone.to_utc((i64::from(night) + 1) * DAY);
        intake.until(moment);
        settings.as_of = Some(moment);
        settings.earlier = Earlier::Records(records.clone());
        let Judgement { report, record, .. } = judged(settings, rules, &intake, |_| ())?;
        let gate = report.coverage.gates.first().map(|gate| gate.sentence.term(200));
        each(Walked { night, record: record.clone(), gate });
        records.extend(record);
        if records.len() > REMEMBERED {
            records.remove(0);
        }
    }
    Ok(())
}

/// First and last day of the clicks, or of whatever has a day.
fn days(settings: &Settings, intake: &Intake) -> Result<(i32, i32)> {
    if intake.has(Shape::Combined) {
        return Err(Error::usage(
            "a row that is click and conversion does not say when the conversion was there",
        )
        .help("walk through clicks and conversions of their own"));
    }
    let spans = [Col::ClickTime, Col::Day, Col::ConversionTime].map(|col| intake.span(col));
    let (first, last) = spans
        .into_iter()
        .flatten()
        .next()
        .ok_or_else(|| Error::input("no input has a day to walk through"))?;
    let day = |moment: i64| settings.zone.day_and_hour(moment).0;
    Ok((day(first), day(last)))
}
