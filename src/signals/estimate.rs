//! A value with its sample size and interval, or the reason why there is none.

use crate::base::column::{Col, Side};
use crate::base::stats;
use crate::measures::Rows;
use std::fmt;

/// The confidence of every printed interval.
pub const CONFIDENCE: f64 = 0.95;

/// How the limits of a value are found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Interval {
    /// A counted or summed fact about the rows that were read: no uncertainty of its own.
    Exact(f64),
    /// `x` of the sample: Wilson score limits, at any confidence.
    Share { x: u64 },
    /// Limits computed with the value, at 95 %.
    Limits { value: f64, low: f64, high: f64 },
    /// Normal on the scale of a link: `y` with the sampling variance `v`, which has `df` degrees of freedom.
    Normal { link: Link, y: f64, v: f64, df: f64 },
}

/// The scale on which a statistic is close to normal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// The value itself.
    Identity,
    /// The natural logarithm of the value.
    Log,
    /// The natural logarithm of a probability: no limit lies above 1.
    LogShare,
    /// The inverse hyperbolic tangent of a length (Fisher's z): no limit lies below 0.
    Atanh,
}

impl Link {
    /// The value that stands at `y` on this scale.
    pub fn back(self, y: f64) -> f64 {
        match self {
            Link::Identity => y,
            Link::Log => y.exp(),
            Link::LogShare => y.exp().min(1.0),
            Link::Atanh => y.tanh().max(0.0),
        }
    }
}

/// A present signal: finite, with its sample size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    pub n: u64,
    pub interval: Interval,
    /// Part of the value is an allocated cost: true at the cost's grain, an assumption below it.
    pub allocated: bool,
}

impl Estimate {
    /// A fact about the rows.
    pub fn exact(value: f64, n: u64) -> Estimate {
        Estimate { n, interval: Interval::Exact(value), allocated: false }
    }

    /// `x` of `n`; `n` is at least 1 and `x` at most `n`.
    pub fn share(x: u64, n: u64) -> Estimate {
        debug_assert!(n > 0 && x <= n);
        Estimate { n, interval: Interval::Share { x }, allocated: false }
    }

    /// A value whose 95 % limits are known.
    pub fn limits(value: f64, low: f64, high: f64, n: u64) -> Estimate {
        Estimate { n, interval: Interval::Limits { value, low, high }, allocated: false }
    }

    /// A statistic that is normal on the scale of `link`: `y` with variance `v` at `df` degrees of freedom
    /// (infinite where the variance comes from a formula), from a sample of `n`.
    pub fn normal(link: Link, y: f64, v: f64, df: f64, n: u64) -> Estimate {
        Estimate { n, interval: Interval::Normal { link, y, v, df }, allocated: false }
    }

    /// The point value.
    pub fn value(&self) -> f64 {
        match self.interval {
            Interval::Exact(v) | Interval::Limits { value: v, .. } => v,
            Interval::Share { x } => x as f64 / self.n as f64,
            Interval::Normal { link, y, .. } => link.back(y),
        }
    }

    /// Whether value and limits are numbers that can be compared.
    pub fn is_finite(&self) -> bool {
        let (low, high) = self.printed();
        self.value().is_finite() && low.is_finite() && high.is_finite()
    }

    /// The same, marked as resting on an allocated cost.
    pub fn allocated(self, allocated: bool) -> Estimate {
        Estimate { allocated, ..self }
    }

    /// Lower and upper limit at `confidence` (two-sided). [`Interval::Limits`] is known at 95 % only and
    /// gives these for any confidence; `rules check` refuses another one on such a signal.
    pub fn at(&self, confidence: f64) -> (f64, f64) {
        match self.interval {
            Interval::Exact(v) => (v, v),
            Interval::Share { x } => stats::wilson(x, self.n, confidence),
            Interval::Limits { low, high, .. } => (low, high),
            Interval::Normal { link, y, v, .. } => {
                let half = stats::z(confidence) * v.sqrt();
                (link.back(y - half), link.back(y + half))
            }
        }
    }

    /// The limits that reports print.
    pub fn printed(&self) -> (f64, f64) {
        self.at(CONFIDENCE)
    }
}

/// Why a signal has no value for a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Absence {
    /// No input of the needed side was given at all.
    NoClicks,
    NoConversions,
    /// These columns are mapped in no input of the side; `None` where clicks and conversions stand in one row, or
    /// either side lacks them.
    Columns(Option<Rows>, Vec<Col>),
    /// The denominator is zero for this group.
    Nothing(&'static str),
    /// The loaded clicks do not reach back far enough to tell.
    SpanTooShort,
    /// The report is aggregated: single rows are not there.
    Aggregated,
    /// Clicks were counted on an engine, which cannot count this, for the reason given.
    Engine(&'static str),
    /// Exports of this kind never say it, for the reason given (a preset fact).
    Preset(&'static str),
    /// The input cannot answer, for the reason given.
    Fact(&'static str),
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Absence::NoClicks => f.write_str("no clicks were given"),
            Absence::NoConversions => f.write_str("no conversions were given"),
            Absence::Columns(side, columns) => {
                let names: Vec<String> = columns.iter().map(|column| of_side(*side, *column)).collect();
                write!(f, "no column is mapped to {}", names.join(" or "))
            }
            Absence::Nothing(what) => write!(f, "the group has no {what}"),
            Absence::SpanTooShort => f.write_str("the loaded clicks do not reach back far enough to tell"),
            Absence::Aggregated => f.write_str("the report is aggregated: single rows are not there"),
            Absence::Engine(why) => write!(f, "not computed on an engine: {why}"),
            Absence::Preset(why) | Absence::Fact(why) => f.write_str(why),
        }
    }
}

/// `conversions.country`: a column that both sides may have says which of them lacks it.
pub fn of_side(side: Option<Rows>, column: Col) -> String {
    match side.filter(|_| column.decl().side == Side::Both) {
        Some(Rows::Clicks) => format!("clicks.{column}"),
        Some(Rows::Conversions) => format!("conversions.{column}"),
        None => column.to_string(),
    }
}

/// What a signal says of one group.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    Present(Estimate),
    Absent(Absence),
}

impl Reading {
    /// The estimate, if there is one.
    pub fn estimate(&self) -> Option<&Estimate> {
        match self {
            Reading::Present(e) => Some(e),
            Reading::Absent(_) => None,
        }
    }
}
