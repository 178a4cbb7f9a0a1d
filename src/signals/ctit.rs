//! The time from click to conversion.

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
        formula: modal,
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

fn modal(group: &Group) -> Result<Estimate, Absence> {
    let n = group.count(M::CtitCount)?;
    let top = group.totals.values(M::Ctit).iter().map(|&(_, count)| count).max();
    Ok(Estimate::share(top.ok_or(Absence::Nothing("conversions with a CTIT"))?, n))
}
