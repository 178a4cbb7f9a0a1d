//! What became of the conversions.

use super::{Against, Family, IntervalKind, Side, Signal, Suspicious};
use crate::base::unit::Unit;
use crate::measures::M;

/// The signals of this table.
pub const SIGNALS: &[Signal] = &[
    Signal {
        name: "approval_share",
        unit: Unit::Share,
        family: Family::Quality,
        side: Side::Conversion,
        suspicious: Suspicious::Low,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 20,
        sample: "decided conversions",
        range: (0.0, 1.0),
        summary: "approved of approved and rejected conversions that are old enough to be decided",
        innocent: &[
            "a strict or slow advertiser",
            "a wrong offer for the audience",
            "rejections for a cap or country, not for quality",
        ],
        measures: &[M::DueApproved, M::DueDecided],
        formula: |g| g.share(M::DueApproved, M::DueDecided, "decided conversions"),
    },
    Signal {
        name: "chargeback_share",
        unit: Unit::Share,
        family: Family::Quality,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 30,
        sample: "conversions ever approved",
        range: (0.0, 1.0),
        summary: "refunded or charged back of all conversions that were approved at some time",
        innocent: &["a product with many returns", "one card issuer"],
        measures: &[M::TakenBack, M::EverApproved],
        formula: |g| g.share(M::TakenBack, M::EverApproved, "approved conversions"),
    },
];
