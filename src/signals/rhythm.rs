//! When clicks and conversions come: time of day, gaps, bursts.

use super::ctit::limited;
use super::spread::{self, OfDays};
use super::{Absence, Against, Estimate, Family, Group, IntervalKind, Link, Side, Signal, Suspicious};
use crate::base::stats::{self, Counted};
use crate::base::unit::Unit;
use crate::measures::M;
use std::f64::consts::TAU;

/// Hours of the day below this are night.
const NIGHT_ENDS: i64 = 5;

/// Mean gaps between which their spread can be told.
const SHORTEST_GAP_S: f64 = 2.0;
const LONGEST_GAP_S: f64 = 600.0;

/// A median gap from which on a commonest second points to a timer (statistics.md, 2.3).
const LEAST_TIMER_S: f64 = 10.0;

/// Windows of five minutes on either side that a burst of conversions stands out of: three hours.
const BURST_WINDOWS: u64 = 36;

/// A burst has at least so many conversions: fewer are the events of one player.
const LEAST_BURST: u64 = 5;

/// A burst is at least so many times the usual: chance is no excuse in large sources, the hour of the day is.
const BURST_TIMES: u64 = 3;

/// Chance fills a window so in fewer than this share of cases (statistics.md, 2.3).
const BURST_CHANCE: f64 = 1e-6;

/// The signals of this table.
pub const SIGNALS: &[Signal] = &[
    Signal {
        name: "hour_spread",
        unit: Unit::Ratio,
        family: Family::Rhythm,
        side: Side::Click,
        suspicious: Suspicious::High,
        kind: IntervalKind::Limits95,
        against: Against::Nothing,
        min_sample: 200,
        sample: "clicks",
        range: (0.0, 1.0),
        summary: "how evenly clicks spread over the day: exp(entropy of the hour) / 24; 1 means that all hours are alike",
        innocent: &["traffic from many time zones"],
        measures: &[M::Hours],
        formula: hour_spread,
    },
    Signal {
        name: "lander_time_p50_s",
        unit: Unit::Seconds,
        family: Family::Rhythm,
        side: Side::Click,
        suspicious: Suspicious::Low,
        kind: IntervalKind::Limits95,
        against: Against::Nothing,
        min_sample: 30,
        sample: "lander clicks",
        range: (0.0, f64::MAX),
        summary: "median time from the click to the click on the landing page",
        innocent: &["a landing page with one large button"],
        measures: &[M::LanderDelays],
        formula: lander_time,
    },
    Signal {
        name: "night_click_share",
        unit: Unit::Share,
        family: Family::Rhythm,
        side: Side::Click,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 100,
        sample: "clicks",
        range: (0.0, 1.0),
        summary: "clicks from midnight to five in the morning of the audit's zone",
        innocent: &[
            "visitors in other time zones than the audit's",
            "countries and trades with night shifts",
            "a campaign that is scheduled for the night, when clicks are cheap",
        ],
        measures: &[M::Hours, M::Clicks],
        formula: |g| night(g, M::Hours, "clicks"),
    },
    Signal {
        name: "conversion_night_share",
        unit: Unit::Share,
        family: Family::Rhythm,
        side: Side::Conversion,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 30,
        sample: "conversions",
        range: (0.0, 1.0),
        summary: "conversions from midnight to five in the morning of the audit's zone",
        innocent: &[
            "visitors in other time zones than the audit's",
            "an advertiser that reports the day's conversions at night",
            "bets on games that are played at night",
        ],
        measures: &[M::ConversionHours, M::Conversions],
        formula: |g| night(g, M::ConversionHours, "conversions"),
    },
    Signal {
        name: "weekend_click_share",
        unit: Unit::Share,
        family: Family::Rhythm,
        side: Side::Click,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 100,
        sample: "clicks",
        range: (0.0, 1.0),
        summary: "clicks on Saturday or Sunday; on which days a source ran at all decides much of it",
        innocent: &[],
        measures: &[M::WeekendClicks, M::Clicks],
        formula: |g| g.share(M::WeekendClicks, M::Clicks, "clicks"),
    },
    Signal {
        name: "hour_r",
        unit: Unit::Ratio,
        family: Family::Rhythm,
        side: Side::Click,
        suspicious: Suspicious::Low,
        kind: IntervalKind::Normal,
        against: Against::Normal,
        min_sample: 200,
        sample: "clicks",
        range: (0.0, 1.0),
        summary: "how much the clicks gather at one time of the day: length of the mean of their hours as directions; 0 means that all hours are alike",
        innocent: &[
            "traffic from many time zones",
            "a budget that the buying platform spreads evenly over the day",
        ],
        measures: &[M::Hours, M::Clicks],
        formula: hour_r,
    },
    Signal {
        name: "gap_cv",
        unit: Unit::Ratio,
        family: Family::Rhythm,
        side: Side::Click,
        suspicious: Suspicious::Low,
        kind: IntervalKind::Normal,
        against: Against::Normal,
        min_sample: 50,
        sample: "gaps between clicks",
        range: (0.0, f64::MAX),
        summary: "standard deviation of the gaps between clicks over their mean; chance alone gives 1, people more, timers less",
        innocent: &["a platform that paces the delivery", "a placement that refreshes in fixed intervals"],
        measures: &[M::Gaps, M::GapSeconds, M::GapSquares],
        formula: gap_cv,
    },
    Signal {
        name: "gap_modal_share",
        unit: Unit::Share,
        family: Family::Rhythm,
        side: Side::Click,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Spikes(M::GapValues),
        min_sample: 50,
        sample: "gaps between clicks",
        range: (0.0, 1.0),
        summary: "gaps between clicks of the commonest single second, where the median gap is at least 10 s",
        innocent: &[
            "a placement that refreshes in fixed intervals",
            "clicks that a tracker writes in batches",
        ],
        measures: &[M::GapValues, M::Gaps],
        formula: gap_modal,
    },
    Signal {
        name: "fano_1m",
        unit: Unit::Ratio,
        family: Family::Rhythm,
        side: Side::Click,
        suspicious: Suspicious::Either,
        kind: IntervalKind::Normal,
        against: Against::Normal,
        min_sample: 200,
        sample: "clicks",
        range: (0.0, f64::MAX),
        summary: "variance over mean of the clicks of minutes, within hours; chance alone gives 1, pacing less, bursts more",
        innocent: &[
            "push notices and mailings that go out at one time",
            "a platform that paces the delivery",
            "visitors who click several times",
        ],
        measures: &[M::MinuteSpread, M::MinuteBase, M::Hours, M::Clicks],
        formula: |g| fano(g, M::MinuteSpread, M::MinuteBase, 60.0),
    },
    Signal {
        name: "fano_5m",
        unit: Unit::Ratio,
        family: Family::Rhythm,
        side: Side::Click,
        suspicious: Suspicious::Either,
        kind: IntervalKind::Normal,
        against: Against::Normal,
        min_sample: 200,
        sample: "clicks",
        range: (0.0, f64::MAX),
        summary: "variance over mean of the clicks of five minutes, within hours; chance alone gives 1, pacing less, bursts more",
        innocent: &[
            "push notices and mailings that go out at one time",
            "a platform that paces the delivery",
            "a stream or match that visitors come from",
        ],
        measures: &[M::FiveMinuteSpread, M::FiveMinuteBase, M::Hours, M::Clicks],
        formula: |g| fano(g, M::FiveMinuteSpread, M::FiveMinuteBase, 12.0),
    },
    Signal {
        name: "busiest_five_minute_count",
        unit: Unit::Count,
        family: Family::Rhythm,
        side: Side::Click,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Exact,
        against: Against::Nothing,
        min_sample: 0,
        sample: "clicks",
        range: (0.0, f64::MAX),
        summary: "clicks of the busiest five minutes",
        innocent: &[],
        measures: &[M::BusiestFiveMinutes, M::Clicks],
        formula: |g| g.exact_count(M::BusiestFiveMinutes, M::Clicks),
    },
    Signal {
        name: "burst_click_share",
        unit: Unit::Share,
        family: Family::Rhythm,
        side: Side::Click,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 200,
        sample: "clicks",
        range: (0.0, 1.0),
        summary: "clicks in five minutes that hold far more than the rest of their hour",
        innocent: &[
            "push notices and mailings that go out at one time",
            "a mention on a stream or in a large channel",
            "clicks that were held up and came in together",
        ],
        measures: &[M::BurstClicks, M::Clicks],
        formula: |g| g.share(M::BurstClicks, M::Clicks, "clicks"),
    },
    Signal {
        name: "conversion_burst_share",
        unit: Unit::Share,
        family: Family::Rhythm,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 30,
        sample: "conversions",
        range: (0.0, 1.0),
        summary: "conversions in five minutes that hold at least five, and far more than the hours around them",
        innocent: &[
            "an advertiser that reports in batches",
            "a postback queue that was held up",
            "several events of one player",
        ],
        measures: &[M::ConversionWindows, M::Conversions],
        formula: bursts,
    },
    Signal {
        name: "repeat_60s_share",
        unit: Unit::Share,
        family: Family::Rhythm,
        side: Side::Click,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 100,
        sample: "clicks with an address",
        range: (0.0, 1.0),
        summary: "clicks of a visitor who had clicked on the same offer at most 60 s before",
        innocent: &[
            "double clicks, and pages that load slowly",
            "a carrier's address that many handsets of one model share",
        ],
        measures: &[M::Repeats, M::AddressedClicks],
        formula: |g| g.share(M::Repeats, M::AddressedClicks, "clicks with an address"),
    },
];

fn hour_spread(group: &Group) -> Result<Estimate, Absence> {
    let clicks = group.count(M::Clicks)?;
    group.get(M::Hours)?;
    let (entropy, variance) =
        stats::entropy(&by_hour(&group.totals.values(M::Hours))).ok_or(Absence::Nothing("clicks"))?;
    let spread = |h: f64| (h.exp() / 24.0).min(1.0);
    let half = stats::z(0.95) * variance.sqrt();
    Ok(Estimate::limits(spread(entropy), spread(entropy - half), spread(entropy + half), clicks))
}

fn lander_time(group: &Group) -> Result<Estimate, Absence> {
    let n = group.count(M::LanderClicks)?;
    group.get(M::LanderDelays)?;
    let delays = group.totals.values(M::LanderDelays);
    let (value, low, high) = stats::quantile(&delays, 0.5).ok_or(Absence::Nothing("lander clicks"))?;
    limited(value, low.max(0.0), high, n)
}

/// From midnight to five in the morning, of a histogram of hours.
fn night(group: &Group, hours: M, what: &'static str) -> Result<Estimate, Absence> {
    group.get(hours)?;
    let hours = group.totals.values(hours);
    let n = stats::size(&hours);
    let night = hours.iter().filter(|(hour, _)| hour.rem_euclid(24) < NIGHT_ENDS);
    if n == 0 { Err(Absence::Nothing(what)) } else { Ok(Estimate::share(night.map(|h| h.1).sum(), n)) }
}

/// Length of the mean direction of hours on the clock (Mardia and Jupp 2000, 2.3), by Fisher's z. Either
/// coordinate of the mean of even hours has the variance 1 / 2n.
fn hour_r(group: &Group) -> Result<Estimate, Absence> {
    let n = group.count(M::Clicks)?;
    group.get(M::Hours)?;
    let hours = group.totals.values(M::Hours);
    let by_day = hours.chunk_by(|a, b| a.0.div_euclid(24) == b.0.div_euclid(24));
    let days: Vec<[f64; 3]> = by_day.map(direction).collect();
    if days.is_empty() {
        return Err(Absence::Nothing("clicks"));
    }
    // All in one hour is no proof that the next click will be in it, too.
    let most = 1.0 - 0.5 / n as f64;
    let z = |[x, y, n]: [f64; 3]| (x.hypot(y) / n).min(most).atanh();
    OfDays { days: &days, statistic: &z, floor: 0.5 / n as f64, formula: None }.estimate(Link::Atanh, n)
}

/// Sums of the coordinates of clicks on the clock, and their number.
fn direction(hours: &Counted) -> [f64; 3] {
    hours.iter().fold([0.0; 3], |[x, y, n], &(hour, clicks)| {
        let (sin, cos) = (TAU * hour.rem_euclid(24) as f64 / 24.0).sin_cos();
        let clicks = clicks as f64;
        [x + clicks * cos, y + clicks * sin, n + clicks]
    })
}

/// Where gaps are much shorter or longer, whole seconds or the cut at an hour decide how they vary. Of gaps
/// that come by chance these ends change the ratio by at most 2 %.
fn gap_cv(group: &Group) -> Result<Estimate, Absence> {
    let n = group.count(M::Gaps)?;
    let [gaps, seconds, squares] =
        [M::Gaps, M::GapSeconds, M::GapSquares].map(|measure| group.totals.daily(measure));
    let day = |at: usize| [gaps[at].1 as f64, seconds[at].1 as f64, squares[at].1 as f64];
    let days: Vec<[f64; 3]> = (0..gaps.len()).map(day).filter(|[gaps, ..]| *gaps > 0.0).collect();
    let mean = group.get(M::GapSeconds)? as f64 / n as f64;
    match () {
        () if n < 2 => return Err(Absence::Nothing("two gaps between clicks")),
        () if mean < SHORTEST_GAP_S => {
            return Err(Absence::Fact("clicks come so fast that whole seconds do not tell their gaps"));
        }
        () if mean > LONGEST_GAP_S => {
            return Err(Absence::Fact("clicks come so seldom that the cut at an hour decides their gaps"));
        }
        () => {}
    }
    let floor = 0.5 / (n as f64 - 1.0);
    OfDays { days: &days, statistic: &ln_cv, floor, formula: None }.estimate(Link::Log, n)
}

/// ln of standard deviation over mean, from number, sum and sum of squares. Two times in whole seconds hide a
/// variance of 1/6.
fn ln_cv([n, sum, squares]: [f64; 3]) -> f64 {
    let variance = (squares - sum * sum / n) / (n - 1.0).max(1.0);
    variance.max(1.0 / 6.0).ln() / 2.0 - (sum / n).max(0.5).ln()
}

fn gap_modal(group: &Group) -> Result<Estimate, Absence> {
    let modal = group.modal(M::GapValues, "gaps between clicks")?;
    match stats::quantile(&group.totals.values(M::GapValues), 0.5) {
        Some((median, ..)) if median >= LEAST_TIMER_S => Ok(modal),
        _ => Err(Absence::Fact("half of the gaps are below 10 s: chance alone repeats short ones")),
    }
}

/// Variance over mean of windows within hours, `windows` of them in each: from the sums that measures keep.
///
/// One click that falls by chance is added, so that perfect pacing has a logarithm. Clicks that come by chance
/// have the variance 2 Σ N (N − 1) / ((k − 1) (Σ N)²) for N clicks an hour, which is 2 / (B − 1) where all hours
/// are alike.
fn fano(group: &Group, spread: M, base: M, windows: f64) -> Result<Estimate, Absence> {
    let n = group.count(M::Clicks)?;
    group.get(spread)?;
    let hours = group.totals.values(M::Hours);
    let pairs: f64 = hours.iter().map(|&(_, clicks)| clicks as f64 * (clicks as f64 - 1.0)).sum();
    if pairs == 0.0 {
        return Err(Absence::Nothing("hour with two clicks"));
    }
    let clicks = stats::size(&hours) as f64;
    let chance = 2.0 * pairs / ((windows - 1.0) * clicks * clicks);
    let (spread, base) = (group.totals.daily(spread), group.totals.daily(base));
    let day = |(spread, base): (&(i32, i64), &(i32, i64))| [spread.1 as f64, base.1 as f64];
    let days: Vec<[f64; 2]> = spread.iter().zip(&base).map(day).filter(|[_, base]| *base > 0.0).collect();
    let statistic = |[spread, base]: [f64; 2]| ((spread + windows) / (base + windows)).ln();
    let of_days = OfDays { days: &days, statistic: &statistic, floor: chance, formula: Some(chance) };
    of_days.estimate(Link::Log, n)
}

fn bursts(group: &Group) -> Result<Estimate, Absence> {
    group.get(M::ConversionWindows)?;
    let windows = group.totals.values(M::ConversionWindows);
    let n = stats::size(&windows);
    if n == 0 {
        return Err(Absence::Nothing("conversions"));
    }
    let of_bursts = (0..windows.len()).filter(|&at| is_burst(&windows, at)).map(|at| windows[at].1);
    Ok(Estimate::share(of_bursts.sum(), n))
}

/// Whether a window holds far more than the busier of the three hours before and after it: chance has so many
/// in less than one in a million windows, and it is at least three times the usual. The busier side, because
/// exports and campaigns begin and end.
fn is_burst(windows: &Counted, at: usize) -> bool {
    let (window, count) = windows[at];
    let near = |other: &&(i64, u64)| other.0.abs_diff(window) <= BURST_WINDOWS;
    let before: u64 = windows[..at].iter().rev().take_while(near).map(|w| w.1).sum();
    let after: u64 = windows[at + 1..].iter().take_while(near).map(|w| w.1).sum();
    let others = before.max(after);
    count >= LEAST_BURST
        && count * BURST_WINDOWS >= BURST_TIMES * others
        && spread::next_window_at_least(count, others, BURST_WINDOWS as f64) < BURST_CHANCE
}

/// Clicks by hour of the day from clicks by hour.
fn by_hour(hours: &Counted) -> Vec<(i64, u64)> {
    let mut day = [0; 24];
    hours.iter().for_each(|&(hour, clicks)| day[hour.rem_euclid(24) as usize] += clicks);
    (0..).zip(day).filter(|&(_, clicks)| clicks > 0).collect()
}
