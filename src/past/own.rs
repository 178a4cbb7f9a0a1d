//! What a rule asks of a group's own past: a signal's values in earlier nights.
//!
//! The past is the median of these nights, so that one odd night neither hides a change nor makes one; nights in
//! which the group was flagged are not among them. Below [`LEAST_NIGHTS`] there is no answer.

use crate::base::stats::weighted_median;
use crate::base::time::{DAY, SECOND};
use crate::signals::{Estimate, Interval, Signal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Nights with a value before a past is one. Our choice: a working week.
pub const LEAST_NIGHTS: usize = 5;

/// One earlier night of one signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// In days since 1970.
    pub night: i32,
    pub value: f64,
}

/// What one signal was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Own {
    pub value: f64,
    /// The nights that it is the median of.
    pub nights: usize,
}

/// What a rule said of a group in earlier runs, for rules that ask how often it held, or what ends it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Whether its condition fired, the newest run first.
    pub fired: Vec<bool>,
    /// It fired and has not been cleared since.
    pub holding: bool,
}

/// What is remembered of one group for its rules.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// In days since 1970.
    pub tonight: i32,
    /// Earlier nights by signal.
    pub points: BTreeMap<&'static str, Vec<Point>>,
    /// Shares: `x` of `n` of what is new since the night before, where it is not all of the window.
    pub news: BTreeMap<&'static str, (u64, u64)>,
    /// By rule.
    pub rules: BTreeMap<String, Held>,
}

impl Past {
    /// What rules with row limits know: their own earlier answers, and no values, which are those of all rows.
    pub fn of_rules(&self) -> Past {
        Past { tonight: self.tonight, rules: self.rules.clone(), ..Past::default() }
    }

    /// What a signal was over the last `over_s` seconds; `None` where there are too few nights.
    pub fn own(&self, signal: &Signal, over_s: f64) -> Option<Own> {
        let days = (over_s * SECOND as f64 / DAY as f64).floor() as i32;
        let reached = |p: &&Point| p.night < self.tonight && p.night >= self.tonight - days;
        let mut values: Vec<f64> =
            self.points.get(signal.name)?.iter().filter(reached).map(|p| p.value).collect();
        if values.len() < LEAST_NIGHTS {
            return None;
        }
        values.sort_by(f64::total_cmp);
        let value = weighted_median(values.iter().map(|v| (*v, 1.0)))?;
        Some(Own { value, nights: values.len() })
    }

    /// What is to be held against the past: of a share what is new tonight, so that a long window does not hide
    /// it; of anything else the window's value. `None` where nothing is new.
    pub fn tonight(&self, signal: &Signal, window: &Estimate) -> Option<Estimate> {
        match (window.interval, self.news.get(signal.name)) {
            (Interval::Share { .. }, Some((_, 0))) => None,
            (Interval::Share { .. }, Some(&(x, n))) => Some(Estimate::share(x.min(n), n)),
            _ => Some(*window),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals;

    fn past(values: &[(i32, f64)]) -> Past {
        let points = values.iter().map(|&(night, value)| Point { night, value }).collect();
        Past { tonight: 100, points: BTreeMap::from([("cr", points)]), ..Past::default() }
    }

    fn own(past: &Past, over_days: f64) -> Option<Own> {
        past.own(signals::find("cr").expect("declared"), over_days * (DAY / SECOND) as f64)
    }

    #[test]
    fn the_past_is_the_median_of_its_nights() {
        let past = past(&[(92, 9.0), (95, 0.1), (96, 0.2), (97, 0.3), (98, 0.4), (99, 7.0), (100, 50.0)]);
        assert_eq!(own(&past, 5.0), Some(Own { value: 0.3, nights: 5 }));
        assert_eq!(own(&past, 28.0), Some(Own { value: 0.35, nights: 6 }));
        assert_eq!(own(&past, 4.0), None);
    }

    #[test]
    fn of_a_share_only_what_is_new_counts() {
        let signal = signals::find("cr").expect("declared");
        let mut past = past(&[]);
        let window = Estimate::share(100, 1_000);
        assert_eq!(past.tonight(signal, &window), Some(window));
        past.news.insert("cr", (30, 100));
        assert_eq!(past.tonight(signal, &window), Some(Estimate::share(30, 100)));
        past.news.insert("cr", (0, 0));
        assert_eq!(past.tonight(signal, &window), None);
    }
}
