//! What became of the conversions.

use super::spread::{self, Moments};
use super::{Absence, Against, Estimate, Family, Group, IntervalKind, Side, Signal, Suspicious};
use crate::base::money::SCALE;
use crate::base::stats;
use crate::base::unit::Unit;
use crate::measures::M;

/// Amounts within one in a hundred are alike.
const LEAST_VARIANCE: f64 = 1e-4;

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
    Signal {
        name: "excused_reject_share",
        unit: Unit::Share,
        family: Family::Quality,
        side: Side::Conversion,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Share,
        against: Against::Nothing,
        min_sample: 20,
        sample: "rejected conversions",
        range: (0.0, 1.0),
        summary: "rejected conversions that say nothing of the source: over a cap, from a wrong country, of a known customer, without documents",
        innocent: &[],
        measures: &[M::Excused, M::Rejected],
        formula: |g| g.share(M::Excused, M::Rejected, "rejected conversions"),
    },
    Signal {
        name: "over_cap_share",
        unit: Unit::Share,
        family: Family::Quality,
        side: Side::Conversion,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Share,
        against: Against::Nothing,
        min_sample: 20,
        sample: "conversions",
        range: (0.0, 1.0),
        summary: "conversions beyond the cap of their offer, by the offers file",
        innocent: &[],
        measures: &[M::OverCap, M::Conversions],
        formula: |g| g.agreed(M::OverCap).and_then(|_| g.share(M::OverCap, M::Conversions, "conversions")),
    },
    Signal {
        name: "disallowed_country_share",
        unit: Unit::Share,
        family: Family::Quality,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Nothing,
        min_sample: 30,
        sample: "conversions of offers that say which countries they take",
        range: (0.0, 1.0),
        summary: "conversions from countries that their offer does not take, by the offers file",
        innocent: &["travellers and phones that roam", "a campaign that was set up for the wrong countries"],
        measures: &[M::CountriesDisallowed, M::CountriesAgreed],
        formula: |g| {
            g.agreed(M::CountriesAgreed)?;
            g.share(M::CountriesDisallowed, M::CountriesAgreed, "conversions whose country was agreed on")
        },
    },
    Signal {
        name: "fraud_flagged_share",
        unit: Unit::Share,
        family: Family::Quality,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 30,
        sample: "conversions",
        range: (0.0, 1.0),
        summary: "conversions that the tracker, the measurement service or an anti-fraud service itself blocked or flagged",
        innocent: &[
            "a service whose rule is set too strictly",
            "a validation rule of one app or offer, such as a country or a version",
            "the file of what was blocked, given without the file of what was not",
        ],
        measures: &[M::Flagged, M::Conversions],
        formula: |g| g.share(M::Flagged, M::Conversions, "conversions"),
    },
    Signal {
        name: "registration_deposit_share",
        unit: Unit::Share,
        family: Family::Quality,
        side: Side::Conversion,
        suspicious: Suspicious::Either,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 30,
        sample: "registrations that are due",
        range: (0.0, 1.0),
        summary: "registrations that led to a first deposit, of those old enough for it",
        innocent: &[
            "a bonus without a deposit that draws other players",
            "an audience that plays for other stakes",
            "an advertiser that reports deposits late or not at all",
        ],
        measures: &[M::DepositingRegistrations, M::DueRegistrations],
        formula: |g| g.share(M::DepositingRegistrations, M::DueRegistrations, "registrations that are due"),
    },
    Signal {
        name: "second_deposit_share",
        unit: Unit::Share,
        family: Family::Quality,
        side: Side::Conversion,
        suspicious: Suspicious::Low,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 20,
        sample: "first deposits that are due",
        range: (0.0, 1.0),
        summary: "first deposits that a second one followed, of those old enough for it",
        innocent: &[
            "an advertiser that reports first deposits only",
            "a first-deposit bonus that is large beside what follows",
            "an audience of low stakes",
        ],
        measures: &[M::RepeatedDeposits, M::DueDeposits],
        formula: |g| g.share(M::RepeatedDeposits, M::DueDeposits, "first deposits that are due"),
    },
    Signal {
        name: "d7_depositor_share",
        unit: Unit::Share,
        family: Family::Quality,
        side: Side::Conversion,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 30,
        sample: "registrations a week old",
        range: (0.0, 1.0),
        summary: "registrations with a deposit within a week of their click, of clicks at least a week old",
        innocent: &[
            "a bonus without a deposit that draws other players",
            "players whose documents take longer to check",
        ],
        measures: &[M::DepositedD7, M::CohortD7],
        formula: |g| g.share(M::DepositedD7, M::CohortD7, "registrations a week old"),
    },
    Signal {
        name: "d30_depositor_share",
        unit: Unit::Share,
        family: Family::Quality,
        side: Side::Conversion,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 30,
        sample: "registrations a month old",
        range: (0.0, 1.0),
        summary: "registrations with a deposit within a month of their click, of clicks at least a month old",
        innocent: &[
            "a bonus without a deposit that draws other players",
            "an advertiser that reports deposits late or not at all",
        ],
        measures: &[M::DepositedD30, M::CohortD30],
        formula: |g| g.share(M::DepositedD30, M::CohortD30, "registrations a month old"),
    },
    Signal {
        name: "d7_deposits_per_registration",
        unit: Unit::Money,
        family: Family::Quality,
        side: Side::Conversion,
        suspicious: Suspicious::Low,
        kind: IntervalKind::Limits95,
        against: Against::Nothing,
        min_sample: 30,
        sample: "registrations a week old",
        range: (0.0, f64::MAX),
        summary: "amounts deposited within a week of the click per registration, of clicks at least a week old",
        innocent: &["an audience of low stakes", "an advertiser that reports first deposits only"],
        measures: &[M::DepositsD7, M::DepositedD7, M::CohortD7, M::AmountValues],
        formula: |g| deposits(g, [M::DepositsD7, M::DepositedD7, M::CohortD7], "registrations a week old"),
    },
    Signal {
        name: "d30_deposits_per_registration",
        unit: Unit::Money,
        family: Family::Quality,
        side: Side::Conversion,
        suspicious: Suspicious::Low,
        kind: IntervalKind::Limits95,
        against: Against::Nothing,
        min_sample: 30,
        sample: "registrations a month old",
        range: (0.0, f64::MAX),
        summary: "amounts deposited within a month of the click per registration, of clicks at least a month old",
        innocent: &["an audience of low stakes", "an advertiser that reports first deposits only"],
        measures: &[M::DepositsD30, M::DepositedD30, M::CohortD30, M::AmountValues],
        formula: |g| {
            deposits(g, [M::DepositsD30, M::DepositedD30, M::CohortD30], "registrations a month old")
        },
    },
    Signal {
        name: "min_deposit_share",
        unit: Unit::Share,
        family: Family::Quality,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 20,
        sample: "first payments with an amount",
        range: (0.0, 1.0),
        summary: "players' first payments at the smallest amount that several sources of their offer see",
        innocent: &[
            "an offer with one preset amount",
            "a country where people start small",
            "a bonus for which the smallest deposit is enough",
        ],
        measures: &[M::AmountsAtFloor, M::Amounts],
        formula: |g| g.share(M::AmountsAtFloor, M::Amounts, "first payments with an amount"),
    },
    Signal {
        name: "round_amount_share",
        unit: Unit::Share,
        family: Family::Quality,
        side: Side::Conversion,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 20,
        sample: "first payments with an amount",
        range: (0.0, 1.0),
        summary: "players' first payments that are whole tens",
        innocent: &[
            "preset amounts of the cashier",
            "another currency, which was converted",
            "sales, which have odd prices by nature",
        ],
        measures: &[M::RoundAmounts, M::Amounts],
        formula: |g| g.share(M::RoundAmounts, M::Amounts, "first payments with an amount"),
    },
    Signal {
        name: "amount_log_mean",
        unit: Unit::Money,
        family: Family::Quality,
        side: Side::Conversion,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Normal,
        against: Against::Normal,
        min_sample: 20,
        sample: "first payments with an amount",
        range: (0.0, f64::MAX),
        summary: "typical amount of a player's first payment: the geometric mean",
        innocent: &[
            "an audience of other means",
            "an offer of another price",
            "a bonus that rewards one amount",
        ],
        measures: &[M::AmountValues, M::Amounts],
        formula: |g| amounts(g).map(|m| m.geometric_mean(LEAST_VARIANCE)),
    },
    Signal {
        name: "amount_log_sd",
        unit: Unit::Ratio,
        family: Family::Quality,
        side: Side::Conversion,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Normal,
        against: Against::Normal,
        min_sample: 30,
        sample: "first payments with an amount",
        range: (0.0, f64::MAX),
        summary: "how much the amounts of first payments vary: standard deviation of their logarithm",
        innocent: &["an offer with few prices or preset amounts", "a few players with very high stakes"],
        measures: &[M::AmountValues, M::Amounts],
        formula: amount_deviation,
    },
    Signal {
        name: "amount_modal_share",
        unit: Unit::Share,
        family: Family::Quality,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Spikes(M::AmountValues),
        min_sample: 20,
        sample: "first payments with an amount",
        range: (0.0, 1.0),
        summary: "players' first payments of the commonest single amount",
        innocent: &["an offer with one price or preset amounts", "a bonus that rewards one amount"],
        measures: &[M::AmountValues, M::Amounts],
        formula: |g| g.modal(M::AmountValues, "first payments with an amount"),
    },
];

/// How the logarithms of amounts in units lie.
fn amounts(group: &Group) -> Result<Moments, Absence> {
    group.get(M::AmountValues)?;
    let values = group.totals.values(M::AmountValues);
    let log = |&(micro, count): &(i64, u64)| ((micro as f64 / SCALE as f64).ln(), count);
    let logs: Vec<(f64, u64)> = values.iter().filter(|(micro, _)| *micro > 0).map(log).collect();
    Moments::of(&logs).ok_or(Absence::Nothing("first payments with an amount"))
}

fn amount_deviation(group: &Group) -> Result<Estimate, Absence> {
    let amounts = amounts(group)?;
    if group.totals.values(M::AmountValues).iter().filter(|(micro, _)| *micro > 0).count() == 1 {
        return Err(Absence::Fact("all amounts are equal"));
    }
    Ok(amounts.deviation(LEAST_VARIANCE))
}

/// Money over registrations, from the measures of the sum, of the depositors and of the registrations: the
/// number of depositors is Poisson, their amounts vary as first payments do (delta method on the
/// logarithm).
fn deposits(
    group: &Group,
    [sum, depositors, registrations]: [M; 3],
    what: &'static str,
) -> Result<Estimate, Absence> {
    let sum = group.get(sum)?.max(0) as f64 / SCALE as f64;
    let (depositors, n) = (group.count(depositors)?, group.count(registrations)?);
    if n == 0 {
        return Err(Absence::Nothing(what));
    }
    if depositors == 0 || sum == 0.0 {
        return Err(Absence::Nothing("deposit that tells how large one is"));
    }
    let cv2 = spread::squared_variation(&group.totals.values(M::AmountValues));
    let factor = (stats::z(0.95) * ((1.0 + cv2) / depositors as f64).sqrt()).exp();
    let value = sum / n as f64;
    Ok(Estimate::limits(value, value / factor, value * factor, n))
}
