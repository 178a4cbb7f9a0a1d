//! Which days two statements have in common, and by how many hours their clocks differ.
//!
//! A statement that begins or ends inside a day does not cover that day: what is missing there is no difference. A
//! day counts as covered where no gap at the edge is longer than chance makes it. Refuses to compare statements
//! without a whole day in common, unless the days are said.

use super::class::Class;
use crate::base::error::{Error, Result};
use crate::base::time::{DAY, SECOND, Zone, show};

/// A gap at the edge of a day that is longer than so many usual ones is none by chance: e⁻⁵ is 0.7 %.
const USUAL_GAPS: i64 = 5;

/// Whole hours and their quarters: clocks differ by no finer steps.
const STEP: i64 = 900 * SECOND;
const FARTHEST: i64 = 14 * 4;

/// A pair of times votes for a step that it is not further away from; delays of reports are shorter, mostly.
const NEAR: i64 = 300 * SECOND;

/// So many pairs, and more than half of all, must say that the clocks differ.
const LEAST_VOTES: usize = 5;

/// A report may come so much later than the event at most, where pairs say so.
const LONGEST_DELAY: i64 = DAY;

/// From the first moment on, up to the last one, which is not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: i64,
    pub to: i64,
}

impl Span {
    /// Whether a time lies in it.
    pub fn holds(&self, time: i64) -> bool {
        (self.from..self.to).contains(&time)
    }
}

/// The days of the two statements, by our clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Periods {
    /// What both cover in whole days.
    pub window: Span,
    /// The days on which each has rows, whole or not.
    pub ours: Span,
    pub theirs: Span,
    /// How much later the other side reports, at most: so near to the end of a statement nothing is missing.
    pub delay: i64,
}

impl Periods {
    /// What a row is that the other side, which covers these days, does not have.
    pub fn alone(&self, time: i64, other: &Span) -> Class {
        let edge = |at: i64, end: i64| at == end && (time - at).abs() < self.delay;
        let near = edge(self.window.from, other.from) || edge(self.window.to, other.to);
        match () {
            () if self.window.holds(time) && !near => Class::Missing,
            () if other.holds(time) => Class::PartialDay,
            () => Class::OutsidePeriod,
        }
    }
}

/// The times of one statement.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    pub first: i64,
    pub last: i64,
    pub rows: u64,
}

impl Extent {
    /// The extent of times; `None` without any.
    pub fn of(times: impl Iterator<Item = i64>) -> Option<Extent> {
        times.fold(None, |extent, time| {
            let Extent { first, last, rows } = extent.unwrap_or(Extent { first: time, last: time, rows: 0 });
            Some(Extent { first: first.min(time), last: last.max(time), rows: rows + 1 })
        })
    }

    /// The days on which it has rows.
    fn days(&self, days: &Days) -> Span {
        Span { from: days.start(self.first), to: days.end(self.last) }
    }

    /// The days that it covers from beginning to end.
    fn whole(&self, days: &Days) -> Span {
        let slack = USUAL_GAPS * (self.last - self.first) / (self.rows.max(2) as i64 - 1);
        let (start, end) = (days.start(self.first), days.end(self.last));
        let from = if self.first - start <= slack { start } else { days.end(self.first) };
        let to = if end - self.last <= slack { end } else { days.start(self.last) };
        Span { from, to }
    }
}

/// Days as a zone cuts them.
#[derive(Clone, Copy, Debug)]
pub struct Days(pub Zone);

impl Days {
    fn number(&self, time: i64) -> i64 {
        i64::from(self.0.day_and_hour(time).0)
    }

    /// The moment at which a day begins.
    pub fn begins(&self, day: i64) -> i64 {
        self.0.to_utc(day * DAY).0
    }

    fn start(&self, time: i64) -> i64 {
        self.begins(self.number(time))
    }

    fn end(&self, time: i64) -> i64 {
        self.begins(self.number(time) + 1)
    }
}

/// The days that the statements have in common; `said` are the first and the last one, where the user says them.
///
/// # Errors
/// There is no whole day that both cover.
pub fn periods(
    ours: Extent,
    theirs: Extent,
    days: &Days,
    said: (Option<i32>, Option<i32>),
    delay: i64,
) -> Result<Periods> {
    let (our, their) = (ours.whole(days), theirs.whole(days));
    let begin = |day: Option<i32>| day.map(|day| days.begins(i64::from(day)));
    let end = |day: Option<i32>| day.map(|day| days.begins(i64::from(day) + 1));
    let from = begin(said.0).unwrap_or(our.from.max(their.from));
    let to = end(said.1).unwrap_or(our.to.min(their.to));
    if from >= to {
        let span = |extent: Extent| format!("{} to {}", show(extent.first), show(extent.last));
        return Err(Error::input(format!(
            "the statements have no whole day in common: ours is of {}, theirs of {}",
            span(ours),
            span(theirs)
        ))
        .help("export both for the same days, or say the days with --from and --to"));
    }
    Ok(Periods { window: Span { from, to }, ours: ours.days(days), theirs: theirs.days(days), delay })
}

/// By how much their clock is ahead, from the distances of pairs: 0 unless most agree on another step.
pub fn ahead(distances: &[i64]) -> i64 {
    let step = |distance: &i64| {
        let steps = (distance + STEP / 2).div_euclid(STEP);
        ((distance - steps * STEP).abs() <= NEAR && steps.abs() <= FARTHEST).then_some(steps)
    };
    let mut votes: Vec<i64> = distances.iter().filter_map(step).collect();
    votes.sort_unstable();
    let most = votes.chunk_by(|a, b| a == b).max_by_key(|votes| (votes.len(), -votes[0].abs(), votes[0]));
    let agreed = most.filter(|most| most.len() >= LEAST_VOTES && most.len() * 2 > distances.len());
    agreed.map_or(0, |most| most[0] * STEP)
}

/// Whether the two sides tell the time of the same moment: most pairs are near to each other.
pub fn agree(distances: &[i64], ahead: i64) -> bool {
    let near = distances.iter().filter(|distance| (*distance - ahead).abs() <= NEAR).count();
    near * 2 >= distances.len()
}

/// How much later than the other a side reports, at most, leaving out one pair in a hundred.
pub fn delay(distances: &[i64], ahead: i64) -> i64 {
    let mut apart: Vec<i64> = distances.iter().map(|distance| (distance - ahead).abs()).collect();
    apart.sort_unstable();
    let at = (apart.len() * 99 / 100).min(apart.len().saturating_sub(1));
    apart.get(at).map_or(0, |delay| (*delay).min(LONGEST_DELAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    const H: i64 = 3_600 * SECOND;

    #[test]
    fn clocks_that_differ_by_a_step_are_found() {
        let late = |by: i64| (0..40).map(|i| by + i % 30 * SECOND).collect::<Vec<i64>>();
        assert_eq!(ahead(&late(0)), 0);
        assert_eq!(ahead(&late(3 * H)), 3 * H);
        assert_eq!(ahead(&late(-7 * H)), -7 * H);
        assert_eq!(ahead(&late(5 * H + H / 2)), 5 * H + H / 2);
        assert_eq!(ahead(&late(3 * H)[..4]), 0);
        let mixed: Vec<i64> = (0..40).map(|i| if i % 2 == 0 { 3 * H } else { i * 777 * SECOND }).collect();
        assert_eq!(ahead(&mixed), 0);
        assert_eq!(ahead(&[]), 0);
    }

    #[test]
    fn the_mirror_has_the_opposite_clock() {
        let late: Vec<i64> = (0..40).map(|i| 2 * H + i * SECOND).collect();
        let mirror: Vec<i64> = late.iter().map(|d| -d).collect();
        assert_eq!(ahead(&late), -ahead(&mirror));
        assert_eq!(delay(&late, 2 * H), delay(&mirror, -2 * H));
    }

    fn extent(first: i64, last: i64, rows: u64) -> Extent {
        Extent { first: first * H, last: last * H, rows }
    }

    #[test]
    fn days_at_the_edges_count_where_they_are_whole() {
        let days = Days(Zone::UTC);
        // 240 rows in ten days: a gap of up to five hours is nothing.
        let whole = extent(2, 239, 240).whole(&days);
        assert_eq!(whole, Span { from: 0, to: 240 * H });
        let partial = extent(9, 230, 240).whole(&days);
        assert_eq!(partial, Span { from: 24 * H, to: 216 * H });
    }

    #[test]
    fn only_days_in_common_are_compared() {
        let days = Days(Zone::UTC);
        let (ours, theirs) = (extent(0, 239, 240), extent(57, 311, 250));
        let found = periods(ours, theirs, &days, (None, None), 0).expect("common days");
        assert_eq!(found.window, Span { from: 72 * H, to: 240 * H });
        let ours_alone = |hour: i64| found.alone(hour * H, &found.theirs);
        assert_eq!(ours_alone(10), Class::OutsidePeriod);
        assert_eq!(ours_alone(60), Class::PartialDay);
        assert_eq!(ours_alone(80), Class::Missing);
        let theirs_alone = |hour: i64| found.alone(hour * H, &found.ours);
        assert_eq!(theirs_alone(300), Class::OutsidePeriod);
        assert_eq!(theirs_alone(60), Class::PartialDay);
        let none = periods(extent(0, 20, 240), extent(50, 70, 240), &days, (None, None), 0);
        assert!(none.is_err());
        let said = periods(extent(9, 20, 240), extent(11, 20, 240), &days, (Some(0), Some(0)), 0);
        assert_eq!(said.expect("said").window, Span { from: 0, to: 24 * H });
    }

    #[test]
    fn near_the_end_of_a_statement_late_reports_are_not_missing() {
        let days = Days(Zone::UTC);
        let found = periods(extent(0, 239, 240), extent(0, 239, 240), &days, (None, None), H).expect("days");
        assert_eq!(found.alone(239 * H + 1, &found.theirs), Class::PartialDay);
        assert_eq!(found.alone(238 * H, &found.theirs), Class::Missing);
    }
}
