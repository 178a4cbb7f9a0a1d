//! Checks of a run that remembers: what is new beside what earlier runs kept.

use super::Input;
use crate::base::near::nearest;
use crate::base::text::Text;
use crate::base::time::{HOUR, show_day};
use crate::ingest::Shape;
use crate::ingest::shelf::Kept;
use std::collections::{BTreeMap, BTreeSet};

/// A usual day is the median of so many days with rows, at least.
const LEAST_DAYS: usize = 7;

/// A day with less than this share of a usual day's rows, or with more than its inverse, is not judged. Weekends and
/// holidays halve or double a day; less than a third is a lost file (clickaudit's own limit).
const FEW: f64 = 0.3;

/// A usual day has so many conversions, or their number says nothing.
const LEAST_CONVERSIONS: u64 = 20;

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

/// The last whole day has far fewer rows than usual, or far more clicks.
pub fn volume(input: &Input) -> Option<String> {
    input.intake.past.as_ref()?;
    let last = input.zone.day_and_hour(input.as_of.saturating_add(HOUR)).0 - 1;
    let mut conversions: BTreeMap<i32, u64> = BTreeMap::new();
    for m in &input.matched.conversions {
        *conversions.entry(input.zone.day_and_hour(m.conversion.time).0).or_default() += 1;
    }
    unusual("clicks", input.clicks_by_day, last, true)
        .or_else(|| unusual("conversions", &conversions, last, false))
}

fn unusual(what: &str, days: &BTreeMap<i32, u64>, last: i32, also_many: bool) -> Option<String> {
    let mut before: Vec<u64> = days.range(..last).map(|(_, rows)| *rows).collect();
    if before.len() < LEAST_DAYS {
        return None;
    }
    before.sort_unstable();
    let usual = before[before.len() / 2];
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
}
