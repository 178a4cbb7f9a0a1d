//! Checks of a run that remembers: what is new beside what earlier runs kept.

use super::Input;
use crate::base::column::Col;
use crate::base::near::nearest;
use crate::base::text::Text;
use crate::base::time::{HOUR, Zone, show_day};
use crate::ingest::Shape;
use crate::ingest::shelf::{Kept, timed_by};
use std::collections::{BTreeMap, BTreeSet};

/// A usual day is the median of so many days with rows, at least.
const LEAST_DAYS: usize = 7;

/// A day with less than this share of a usual day's rows, or with more than its inverse, is not judged. Weekends and
/// holidays halve or double a day; less than a third is a lost file (clickaudit's own limit).
const FEW: f64 = 0.3;

/// A usual day has so many conversions, or their number says nothing; and so many clicks, or a day without any does.
const LEAST_CONVERSIONS: u64 = 20;
const LEAST_CLICKS: u64 = 100;

/// New conversion exports without a row while new click exports have some.
pub fn empty_conversions(input: &Input) -> Option<String> {
    let fresh = &input.intake.past.as_ref()?.fresh.kept;
    let rows = |shape| fresh.iter().filter(|k| k.shape == shape).map(|k| k.rows).reduce(|a, b| a + b);
    (rows(Shape::Conversions) == Some(0) && rows(Shape::Clicks) > Some(0)).then(|| {
        "the new conversion exports are empty while the new clicks are not: was their export lost?".to_owned()
    })
}

/// A column that every earlier export of the kind had, and a new one has not.
pub fn schema(input: &Input) -> Option<String> {
    let past = input.intake.past.as_ref()?;
    past.fresh.kept.iter().find_map(|new| lost(new, &past.known))
}

/// What a new export lacks beside the earlier one that is nearest to it; nothing if it has all of any of them.
fn lost(new: &Kept, known: &[Kept]) -> Option<String> {
    if new.columns.is_empty() || new.is_log() {
        return None;
    }
    let columns: BTreeSet<&String> = new.columns.iter().collect();
    let alike = known.iter().filter(|k| k.shape == new.shape && !k.is_log() && !k.columns.is_empty());
    let missing = |k: &Kept| k.columns.iter().filter(|c| !columns.contains(c)).cloned().collect::<Vec<_>>();
    let fewest = alike.map(missing).min_by_key(Vec::len)?;
    let first = fewest.first()?;
    let near = nearest(first, new.headers.iter().map(String::as_str));
    let near: Vec<String> = near.into_iter().map(|h| Text::new(h).term(40)).collect();
    let hint =
        if near.is_empty() { String::new() } else { format!(" (is it now `{}`?)", near.join("` or `")) };
    Some(format!(
        "{} has no column for {}, which earlier exports of {} had{hint}; name it in the mapping, export it again, \
         or say --accept schema",
        Text::new(new.path.as_str()).term(120),
        fewest.join(", "),
        new.shape.word()
    ))
}

/// A handful of rows that lie days after all others: their times are wrong, and where the input ends would be, too.
///
/// Conversions come later than clicks by themselves, fewer from day to day: of a first night's nothing is said.
pub fn stray(input: &Input) -> Option<String> {
    let past = input.intake.past.as_ref()?;
    let kept = || past.known.iter().chain(&past.fresh.kept);
    let of = |what, days: &BTreeMap<i32, u64>, by: Col, least| {
        let exports: Vec<Export> = kept().filter_map(|k| Export::of(k, by, input.zone)).collect();
        let (day, rows, before) = alone(days, &exports, least)?;
        let last = kept().rfind(|k| k.span(by).is_some_and(|s| input.zone.day_and_hour(s.1).0 == day));
        let place = last.map_or(String::new(), |k| format!(" ({})", Text::new(k.path.as_str()).term(120)));
        let rows = if rows == 1 { format!("1 {what} lies") } else { format!("{rows} {what}s lie") };
        Some(format!(
            "{rows} at the end of {}{place}, {} days after all others: their times must be wrong, and they move the \
             end of the input. Repair them, leave them out with --as-of, or say --accept stray",
            show_day(day),
            day - before
        ))
    };
    of("click", input.clicks_by_day, Col::ClickTime, LEAST_CLICKS).or_else(|| {
        let later = past.known.is_empty();
        let conversions =
            || of("conversion", &conversions_by_day(input), Col::ConversionTime, LEAST_CONVERSIONS);
        if later { None } else { conversions() }
    })
}

/// What is known of the days of an export without reading it again.
struct Export {
    first: i32,
    last: i32,
    rows: u64,
}

impl Export {
    fn of(kept: &Kept, by: Col, zone: Zone) -> Option<Export> {
        let (first, last) =
            kept.span(by).filter(|_| timed_by(kept.shape) == by || kept.shape == Shape::Combined)?;
        let day = |moment| zone.day_and_hour(moment).0;
        Some(Export { first: day(first), last: day(last), rows: kept.rows - kept.rejects().min(kept.rows) })
    }

    fn per_day(&self) -> u64 {
        self.rows / u64::from((self.last - self.first).unsigned_abs() + 1)
    }
}

/// The last day, the rows of the days in a row that end with it, and the last day before these; if they are few
/// beside a usual day and a day without rows lies between.
fn alone(days: &BTreeMap<i32, u64>, exports: &[Export], least: u64) -> Option<(i32, u64, i32)> {
    let last = *days.keys().next_back()?;
    let first = (0..).map(|back| last - back).find(|day| !days.contains_key(&(day - 1)))?;
    let rows: u64 = days.range(first..).map(|(_, rows)| rows).sum();
    let earlier: Vec<u64> = days.range(..first).map(|(_, rows)| *rows).collect();
    // The window may have moved away from all other rows.
    let before = days.range(..first).next_back().map(|(day, _)| *day);
    let before =
        before.or_else(|| exports.iter().flat_map(|e| [e.first, e.last]).filter(|d| *d < first).max())?;
    let usual = median(earlier).or_else(|| median(exports.iter().map(Export::per_day).collect()))?;
    (usual >= least && (rows as f64) < usual as f64 * FEW).then_some((last, rows, before))
}

fn median(mut values: Vec<u64>) -> Option<u64> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

fn conversions_by_day(input: &Input) -> BTreeMap<i32, u64> {
    let mut days: BTreeMap<i32, u64> = BTreeMap::new();
    for m in &input.matched.conversions {
        *days.entry(input.zone.day_and_hour(m.conversion.time).0).or_default() += 1;
    }
    days
}

/// The last whole day has far fewer rows than usual, or far more clicks.
pub fn volume(input: &Input) -> Option<String> {
    input.intake.past.as_ref()?;
    let last = input.zone.day_and_hour(input.as_of.saturating_add(HOUR)).0 - 1;
    unusual("clicks", input.clicks_by_day, last, true)
        .or_else(|| unusual("conversions", &conversions_by_day(input), last, false))
}

fn unusual(what: &str, days: &BTreeMap<i32, u64>, last: i32, also_many: bool) -> Option<String> {
    let before: Vec<u64> = days.range(..last).map(|(_, rows)| *rows).collect();
    if before.len() < LEAST_DAYS {
        return None;
    }
    let usual = median(before)?;
    let rows = days.get(&last).copied().unwrap_or(0);
    let few = (rows as f64) < usual as f64 * FEW && (also_many || usual >= LEAST_CONVERSIONS);
    let many = also_many && rows as f64 * FEW > usual as f64;
    (few || many).then(|| {
        format!(
            "{} has {rows} {what}, a usual day {usual}: is an export missing, or there twice? If that is how it was, say \
             --accept volume",
            show_day(last)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &[u64], what: &str, fires: bool) {
        let days: BTreeMap<i32, u64> = (0..).zip(rows.iter().copied()).filter(|(_, n)| *n > 0).collect();
        let last = rows.len() as i32 - 1;
        let found = unusual(what, &days, last, what == "clicks");
        assert_eq!(found.is_some(), fires, "{rows:?}: {found:?}");
    }

    #[test]
    fn a_day_far_from_the_usual_is_told() {
        let week = [100, 90, 110, 100, 95, 105, 100];
        for (last, fires) in [(100, false), (30, false), (29, true), (0, true), (333, false), (334, true)] {
            let days: Vec<u64> = week.into_iter().chain([last]).collect();
            check(&days, "clicks", fires);
        }
        check(&[100, 100, 100, 100, 100, 100, 0], "clicks", false);
        let few: Vec<u64> = week.iter().map(|n| n / 5).chain([0]).collect();
        check(&few, "conversions", true);
        let many: Vec<u64> = week.into_iter().chain([900]).collect();
        check(&many, "conversions", false);
        check(&[5, 5, 5, 5, 5, 5, 5, 0], "conversions", false);
    }

    #[test]
    fn a_handful_days_after_all_others_is_alone() {
        let export = |first, last, rows| Export { first, last, rows };
        let found =
            |days: &[(i32, u64)], exports: &[Export]| alone(&days.iter().copied().collect(), exports, 100);
        let week: Vec<(i32, u64)> = (0..7).map(|day| (day, 1_000)).collect();
        let with = |more: &[(i32, u64)]| [&week[..], more].concat();
        assert_eq!(found(&with(&[(9, 1)]), &[]), Some((9, 1, 6)));
        assert_eq!(found(&with(&[(9, 1), (10, 2)]), &[]), Some((10, 3, 6)));
        // The first hours of a day, a pause and a whole day, a small source.
        assert_eq!(found(&with(&[(7, 1)]), &[]), None);
        assert_eq!(found(&with(&[(9, 300)]), &[]), None);
        assert_eq!(found(&[(0, 50), (1, 60), (5, 1)], &[]), None);
        // The window moved away.
        assert_eq!(found(&[(40, 1)], &[export(0, 6, 7_000), export(6, 40, 1_001)]), Some((40, 1, 6)));
        assert_eq!(found(&[(40, 1)], &[export(40, 40, 1)]), None);
        assert_eq!(found(&[], &[]), None);
    }
}
