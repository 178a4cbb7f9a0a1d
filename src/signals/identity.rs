//! Who is behind the clicks and conversions.

use super::ctit::limited;
use super::{Absence, Against, Estimate, Family, Group, IntervalKind, Side, Signal, Suspicious};
use crate::base::stats;
use crate::base::unit::Unit;
use crate::measures::M;

/// The signals of this table.
pub const SIGNALS: &[Signal] = &[
    Signal {
        name: "distinct_ip_share",
        unit: Unit::Share,
        family: Family::Identity,
        side: Side::Click,
        suspicious: Suspicious::Low,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 100,
        sample: "clicks with an address",
        range: (0.0, 1.0),
        summary: "distinct addresses per click; 1 means that every click has its own",
        innocent: &["carriers and offices that share addresses", "visitors who click several times"],
        measures: &[M::Addresses, M::AddressedClicks],
        formula: |g| g.share(M::Addresses, M::AddressedClicks, "clicks with an address"),
    },
    Signal {
        name: "top_ip_share",
        unit: Unit::Share,
        family: Family::Identity,
        side: Side::Click,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Nothing,
        min_sample: 100,
        sample: "clicks with an address",
        range: (0.0, 1.0),
        summary: "clicks of the busiest address",
        innocent: &["a carrier gateway", "one large office"],
        measures: &[M::BusiestAddress, M::AddressedClicks],
        formula: |g| g.share(M::BusiestAddress, M::AddressedClicks, "clicks with an address"),
    },
    Signal {
        name: "conversion_distinct_ip_share",
        unit: Unit::Share,
        family: Family::Identity,
        side: Side::Conversion,
        suspicious: Suspicious::Low,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 20,
        sample: "conversions with an address",
        range: (0.0, 1.0),
        summary: "distinct addresses per conversion",
        innocent: &["households and carriers that share addresses", "several events of one player"],
        measures: &[M::ConversionAddresses, M::AddressedConversions],
        formula: |g| g.share(M::ConversionAddresses, M::AddressedConversions, "conversions with an address"),
    },
    Signal {
        name: "conversion_top_ip_share",
        unit: Unit::Share,
        family: Family::Identity,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Nothing,
        min_sample: 20,
        sample: "conversions with an address",
        range: (0.0, 1.0),
        summary: "conversions of the busiest address",
        innocent: &["a carrier gateway", "the advertiser's server in place of the visitor"],
        measures: &[M::BusiestConversionAddress, M::AddressedConversions],
        formula: |g| {
            g.share(M::BusiestConversionAddress, M::AddressedConversions, "conversions with an address")
        },
    },
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

/// Clicks by hour of the day from clicks by hour.
fn by_hour(hours: &stats::Counted) -> Vec<(i64, u64)> {
    let mut day = [0; 24];
    hours.iter().for_each(|&(hour, clicks)| day[hour.rem_euclid(24) as usize] += clicks);
    (0..).zip(day).filter(|&(_, clicks)| clicks > 0).collect()
}
