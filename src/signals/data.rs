//! Faults of the data themselves: to be repaired, not to be punished.

use super::{Absence, Against, Estimate, Family, Group, IntervalKind, Side, Signal, Suspicious};
use crate::base::unit::Unit;
use crate::measures::M;

/// The signals of this table.
pub const SIGNALS: &[Signal] = &[
    Signal {
        name: "identical_row_share",
        unit: Unit::Share,
        family: Family::Data,
        side: Side::Click,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Nothing,
        min_sample: 100,
        sample: "clicks",
        range: (0.0, 1.0),
        summary: "surplus rows that are identical in every column, where there is no click ID",
        innocent: &["real double clicks", "two files that overlap"],
        measures: &[M::SurplusRows, M::Clicks],
        formula: |g| g.share(M::SurplusRows, M::Clicks, "clicks"),
    },
    Signal {
        name: "missing_click_id_share",
        unit: Unit::Share,
        family: Family::Data,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Nothing,
        min_sample: 20,
        sample: "conversions",
        range: (0.0, 1.0),
        summary: "conversions that carry no click ID, or a macro in its place",
        innocent: &["coupon and phone orders", "a pixel without the parameter"],
        measures: &[M::WithoutId, M::Conversions],
        formula: missing_click_id,
    },
    Signal {
        name: "unexpanded_macro_share",
        unit: Unit::Share,
        family: Family::Data,
        side: Side::Click,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Nothing,
        min_sample: 100,
        sample: "clicks",
        range: (0.0, 1.0),
        summary: "clicks whose ID or source is a macro that was never replaced",
        innocent: &["a campaign link set up wrongly"],
        measures: &[M::Macros, M::Clicks],
        formula: |g| g.share(M::Macros, M::Clicks, "clicks"),
    },
    Signal {
        name: "unknown_status_share",
        unit: Unit::Share,
        family: Family::Data,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Nothing,
        min_sample: 20,
        sample: "conversions",
        range: (0.0, 1.0),
        summary: "conversions whose status no vocabulary knows",
        innocent: &["the advertiser's own words: name them in the mapping"],
        measures: &[M::UnknownStatus, M::Conversions],
        formula: |g| g.share(M::UnknownStatus, M::Conversions, "conversions"),
    },
];

fn missing_click_id(group: &Group) -> Result<Estimate, Absence> {
    if group.context.combined {
        return Err(Absence::Fact("click and conversion stand in one row"));
    }
    group.share(M::WithoutId, M::Conversions, "conversions")
}
