//! The time from click to conversion.

use super::spread::Moments;
use super::{Absence, Against, Estimate, Family, Group, IntervalKind, Side, Signal, Suspicious};
use crate::base::stats;
use crate::base::unit::Unit;
use crate::measures::M;

/// The signals of this table.
pub const SIGNALS: &[Signal] = &[
    Signal {
        name: "ctit_p05_s",
        unit: Unit::Seconds,
        family: Family::Ctit,
        side: Side::Conversion,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Limits95,
        against: Against::Nothing,
        min_sample: 20,
        sample: "conversions with a CTIT",
        range: (0.0, f64::MAX),
        summary: "5 % of conversions come within this time of their click",
        innocent: &[],
        measures: &[M::Ctit, M::CtitCount],
        formula: |g| quantile(g, 0.05),
    },
    Signal {
        name: "ctit_p25_s",
        unit: Unit::Seconds,
        family: Family::Ctit,
        side: Side::Conversion,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Limits95,
        against: Against::Nothing,
        min_sample: 20,
        sample: "conversions with a CTIT",
        range: (0.0, f64::MAX),
        summary: "25 % of conversions come within this time of their click",
        innocent: &[],
        measures: &[M::Ctit, M::CtitCount],
        formula: |g| quantile(g, 0.25),
    },
    Signal {
        name: "ctit_p50_s",
        unit: Unit::Seconds,
        family: Family::Ctit,
        side: Side::Conversion,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Limits95,
        against: Against::Nothing,
        min_sample: 20,
        sample: "conversions with a CTIT",
        range: (0.0, f64::MAX),
        summary: "50 % of conversions come within this time of their click",
        innocent: &[],
        measures: &[M::Ctit, M::CtitCount],
        formula: |g| quantile(g, 0.50),
    },
    Signal {
        name: "ctit_p75_s",
        unit: Unit::Seconds,
        family: Family::Ctit,
        side: Side::Conversion,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Limits95,
        against: Against::Nothing,
        min_sample: 20,
        sample: "conversions with a CTIT",
        range: (0.0, f64::MAX),
        summary: "75 % of conversions come within this time of their click",
        innocent: &[],
        measures: &[M::Ctit, M::CtitCount],
        formula: |g| quantile(g, 0.75),
    },
    Signal {
        name: "ctit_p95_s",
        unit: Unit::Seconds,
        family: Family::Ctit,
        side: Side::Conversion,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Limits95,
        against: Against::Nothing,
        min_sample: 20,
        sample: "conversions with a CTIT",
        range: (0.0, f64::MAX),
        summary: "95 % of conversions come within this time of their click",
        innocent: &[],
        measures: &[M::Ctit, M::CtitCount],
        formula: |g| quantile(g, 0.95),
    },
    Signal {
        name: "ctit_short_share",
        unit: Unit::Share,
        family: Family::Ctit,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 10,
        sample: "conversions with a CTIT",
        range: (0.0, 1.0),
        summary: "conversions faster than a person can act: below 10 s for an install, 15 s for a registration or lead, 30 s for a sale or deposit",
        innocent: &["one-tap offers", "click tracking that stamps the redirect late"],
        measures: &[M::CtitShort, M::CtitCount],
        formula: |g| g.share(M::CtitShort, M::CtitCount, "conversions with a CTIT"),
    },
    Signal {
        name: "ctit_long_share",
        unit: Unit::Share,
        family: Family::Ctit,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 20,
        sample: "conversions with a CTIT",
        range: (0.0, 1.0),
        summary: "conversions more than 24 hours after their click",
        innocent: &["expensive goods that people think over", "approval time reported as event time"],
        measures: &[M::CtitLong, M::CtitCount],
        formula: |g| g.share(M::CtitLong, M::CtitCount, "conversions with a CTIT"),
    },
    Signal {
        name: "ctit_modal_share",
        unit: Unit::Share,
        family: Family::Ctit,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Spikes(M::Ctit),
        min_sample: 20,
        sample: "conversions with a CTIT",
        range: (0.0, 1.0),
        summary: "conversions at the commonest single second after the click",
        innocent: &["an advertiser that reports in fixed intervals"],
        measures: &[M::Ctit, M::CtitCount],
        formula: |g| g.modal(M::Ctit, "conversions with a CTIT"),
    },
    Signal {
        name: "ctit_hour_share",
        unit: Unit::Share,
        family: Family::Ctit,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 20,
        sample: "conversions with a CTIT",
        range: (0.0, 1.0),
        summary: "conversions more than an hour after their click",
        innocent: &[
            "goods that people think over",
            "a registration that asks for a document or a call back",
            "an app that is installed at once and opened later",
            "approval time reported as event time",
        ],
        measures: &[M::CtitHourLater, M::CtitCount],
        formula: |g| g.share(M::CtitHourLater, M::CtitCount, "conversions with a CTIT"),
    },
    Signal {
        name: "ctit_log_mean",
        unit: Unit::Seconds,
        family: Family::Ctit,
        side: Side::Conversion,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Normal,
        against: Against::Normal,
        min_sample: 20,
        sample: "conversions with a CTIT",
        range: (0.0, f64::MAX),
        summary: "typical time from click to conversion: the geometric mean, with a second added to each time",
        innocent: &[
            "another landing page, form or length of the way to the offer",
            "slow or prepaid devices",
            "approval time reported as event time",
        ],
        measures: &[M::Ctit, M::CtitCount],
        formula: |g| log_times(g).map(|m| m.geometric_mean(resolution(&m))),
    },
    Signal {
        name: "ctit_log_sd",
        unit: Unit::Ratio,
        family: Family::Ctit,
        side: Side::Conversion,
        suspicious: Suspicious::Low,
        kind: IntervalKind::Normal,
        against: Against::Normal,
        min_sample: 30,
        sample: "conversions with a CTIT",
        range: (0.0, f64::MAX),
        summary: "how much the time from click to conversion varies: standard deviation of its logarithm; people differ by factors, scripts do not",
        innocent: &[
            "one-tap flows in which nobody has anything to do",
            "an advertiser that reports in fixed intervals",
        ],
        measures: &[M::Ctit, M::CtitCount],
        formula: |g| log_times(g).map(|m| m.deviation(resolution(&m))),
    },
    Signal {
        name: "ctit_round_share",
        unit: Unit::Share,
        family: Family::Ctit,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 20,
        sample: "conversions with a CTIT",
        range: (0.0, 1.0),
        summary: "conversions whole minutes after their click",
        innocent: &["an advertiser or tracker that keeps times to the minute", "postbacks sent in batches"],
        measures: &[M::CtitRound, M::CtitCount],
        formula: |g| g.share(M::CtitRound, M::CtitCount, "conversions with a CTIT"),
    },
];

fn quantile(group: &Group, p: f64) -> Result<Estimate, Absence> {
    let n = group.count(M::CtitCount)?;
    let (value, low, high) = stats::quantile(&group.totals.values(M::Ctit), p)
        .ok_or(Absence::Nothing("conversions with a CTIT"))?;
    limited(value, low.max(0.0), high, n)
}

/// A time with its limits; too small a sample has no upper one.
pub(super) fn limited(value: f64, low: f64, high: f64, n: u64) -> Result<Estimate, Absence> {
    let open = Absence::Fact("the sample is too small for an upper limit");
    if high.is_finite() { Ok(Estimate::limits(value, low, high, n)) } else { Err(open) }
}

/// How ln(1 + CTIT) lies.
fn log_times(group: &Group) -> Result<Moments, Absence> {
    group.get(M::Ctit)?;
    let log = |&(seconds, count): &(i64, u64)| ((seconds.max(0) as f64).ln_1p(), count);
    let times: Vec<(f64, u64)> = group.totals.values(M::Ctit).iter().map(log).collect();
    Moments::of(&times).ok_or(Absence::Nothing("conversions with a CTIT"))
}

/// The variance that whole seconds hide: 1/12 of a second squared, as seen on the logarithm.
fn resolution(times: &Moments) -> f64 {
    (-2.0 * times.mean).exp() / 12.0
}
