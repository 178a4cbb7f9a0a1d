//! What each group may cost: from its payouts, its risk and the excess of fakes among its conversions.

use crate::base::money::Micro;
use crate::measures::{M, Totals};
use crate::peers::expected_loss::{Assumptions, Excess, Exposure, Loss, expected_loss, fraud_fraction};
use crate::peers::{Standing, Versus, suspicious_distance};
use crate::signals::{self, Against, Estimate, Family, Side, Signal, Suspicious};
use crate::verdicts::Judged;

/// The days that a block is taken to last, and the payout it saves or forgoes is for.
const HORIZON_DAYS: i64 = 30;

/// The assumptions by name, as they stand in every report.
pub fn parameters() -> [(&'static str, String); 6] {
    let assumed = Assumptions::USUAL;
    [
        ("assumed_fraud_given_abnormal", assumed.fraud_given_abnormal.to_string()),
        ("assumed_least_faked_share", assumed.least_fraction.to_string()),
        ("assumed_margin", assumed.margin.to_string()),
        ("assumed_relation_cost", assumed.relation_cost.units().to_string()),
        ("assumed_delay_cost", assumed.delay_cost.units().to_string()),
        ("assumed_horizon_days", HORIZON_DAYS.to_string()),
    ]
}

/// The payouts of exact replays; `None` where transactions or payouts are unknown.
pub fn recoverable(group: &Judged, totals: &Totals) -> Option<Micro> {
    estimate(group, "replayed_count")?;
    let paid: Vec<i64> =
        [M::ReplayedPayout, M::ReplayedPending].iter().filter_map(|m| totals.get(*m)).collect();
    let priced = totals.get(M::Priced).is_some_and(|n| n > 0);
    (priced && !paid.is_empty()).then(|| Micro::total(&paid))
}

/// What a group may cost, `days` being those of the window: nothing of the window is taken to be paid yet, and
/// payouts to go on as in it. `None` where no amount is known or nothing was compared.
pub fn loss(group: &Judged, days: i64, recoverable_now: Option<Micro>) -> Option<Loss> {
    let (risk, unpaid) = (group.subject.profile.risk?, group.subject.at_stake?);
    let source = Exposure {
        risk,
        fraction: fraction(group),
        unpaid,
        horizon: Micro(unpaid.0.saturating_mul(HORIZON_DAYS) / days.max(1)),
        proven: recoverable_now.unwrap_or_default(),
    };
    Some(expected_loss(&source, &Assumptions::USUAL))
}

/// The lower bound of the share of faked conversions.
fn fraction(group: &Judged) -> f64 {
    let rates: Vec<Excess> = signals::all().iter().filter_map(|signal| excess(group, signal)).collect();
    let replayed = estimate(group, "replayed_count").map(Estimate::value);
    let all = estimate(group, "conversion_count").map(Estimate::value).filter(|n| *n > 0.0);
    let share = replayed.zip(all).map(|(replayed, all)| replayed / all);
    fraud_fraction(&rates, &share.into_iter().collect::<Vec<f64>>())
}

/// The excess of a rate whose events are conversions that were made up, claimed or sent again.
fn excess(group: &Judged, signal: &'static Signal) -> Option<Excess> {
    let faked = matches!(signal.family, Family::Ctit | Family::Duplicates) && signal.side == Side::Conversion;
    if !faked || signal.suspicious != Suspicious::High || signal.against != Against::Rate {
        return None;
    }
    let Standing::Compared(versus) = group.subject.profile.standing(signal) else { return None };
    suspicious_distance(signal, versus).filter(|z| *z > 0.0)?;
    let own = estimate(group, signal.name)?.printed().0;
    Some(Excess { lower: own.min(lower_limit(versus)), peers: versus.expected })
}

/// The lower limit of the share in the stratum that differs most: the group as a whole may have another.
fn lower_limit(versus: &Versus) -> f64 {
    let odds = versus.ratio_limit * versus.expected / (1.0 - versus.expected);
    odds / (1.0 + odds)
}

fn estimate<'g>(group: &'g Judged, name: &str) -> Option<&'g Estimate> {
    group.subject.row.reading(signals::find(name)?).estimate()
}
