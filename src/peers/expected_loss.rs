//! What a doubtful source may cost: money at risk, and whether to keep, hold or block it.
//!
//! An estimate that stands on assumptions; a report prints these beside it. The formulas are those of
//! statistics.md, 5.5.

use crate::base::money::{Micro, SCALE};

/// What the estimate assumes; reports print it beside the estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assumptions {
    /// How many of the abnormal sources are frauds, 0 to 1.
    pub fraud_given_abnormal: f64,
    /// The least share of its payout that a fraud fakes, 0 to 1.
    pub least_fraction: f64,
    /// What is earned on an honest source, as a share of its payout, 0 to 1.
    pub margin: f64,
    /// What it costs to have blocked an honest source, besides its margin.
    pub relation_cost: Micro,
    /// What it costs to hold a payout back: interest, a manager's minutes.
    pub delay_cost: Micro,
}

impl Assumptions {
    /// The defaults of statistics.md, 5.5 and 8.
    pub const USUAL: Assumptions = Assumptions {
        fraud_given_abnormal: 0.8,
        least_fraction: 0.1,
        margin: 0.2,
        relation_cost: Micro(50 * SCALE),
        delay_cost: Micro(5 * SCALE),
    };
}

/// A rate signal that may show what share of the events is faked.
#[derive(Clone, Copy, Debug)]
pub struct Excess {
    /// The lower confidence limit of the source's rate, not shrunk.
    pub lower: f64,
    /// The rate of the peers.
    pub peers: f64,
}

/// The lower bound of the faked fraction: the largest of (lower − peers) / (1 − peers) over rate signals whose
/// events are faked ones, and of shares known otherwise (flooding, exact duplicates). 0 to 1.
pub fn fraud_fraction(rates: &[Excess], shares: &[f64]) -> f64 {
    let excess = |e: &Excess| if e.peers < 1.0 { (e.lower - e.peers) / (1.0 - e.peers) } else { 0.0 };
    rates.iter().map(excess).chain(shares.iter().copied()).fold(0.0, |most: f64, f| most.max(share(f)))
}

/// Within 0 to 1; 0 for what is not a number.
fn share(x: f64) -> f64 {
    if x.is_nan() { 0.0 } else { x.clamp(0.0, 1.0) }
}

/// What is known of a source.
#[derive(Clone, Copy, Debug)]
pub struct Exposure {
    /// 0 to 100.
    pub risk: f64,
    /// The lower bound of the faked fraction, 0 to 1.
    pub fraction: f64,
    /// The payout of the window that is pending or not paid yet.
    pub unpaid: Micro,
    /// The payout expected over the time a block would last.
    pub horizon: Micro,
    /// The payout of exact duplicates, replays and conversions before their click.
    pub proven: Micro,
}

/// What a source may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The unpaid payout that is probably faked.
    pub money_at_risk: Micro,
    /// What can be claimed back at once: exact, and no estimate.
    pub recoverable_now: Micro,
    /// The expected loss if the source stays.
    pub loss_keep: Micro,
    /// The expected loss if it is blocked.
    pub loss_block: Micro,
    /// What a block is expected to save; 0 where keeping is cheaper. Rank by this, then by the money at risk.
    pub expected_saving: Micro,
    /// The money at risk exceeds the cost of holding the payout back.
    pub worth_holding: bool,
}

/// Estimates what a source may cost. Negative payouts count as none; sums stop at the largest amount.
pub fn expected_loss(source: &Exposure, assumed: &Assumptions) -> Loss {
    let fraud = share(source.risk / 100.0) * share(assumed.fraud_given_abnormal);
    let faked = fraud * share(source.fraction).max(share(assumed.least_fraction));
    let (unpaid, horizon) = (amount(source.unpaid), amount(source.horizon));
    let keep = faked * (unpaid + horizon);
    let block = (1.0 - fraud) * share(assumed.margin) * horizon + amount(assumed.relation_cost);
    Loss {
        money_at_risk: micro(faked * unpaid),
        recoverable_now: Micro(source.proven.0.max(0)),
        loss_keep: micro(keep),
        loss_block: micro(block),
        expected_saving: micro(keep - block),
        worth_holding: fraud * share(source.fraction) * unpaid > amount(assumed.delay_cost),
    }
}

/// Micro-units as a float, not below 0.
fn amount(money: Micro) -> f64 {
    money.0.max(0) as f64
}

/// Whole micro-units, not below 0; the cast stops at the largest amount.
fn micro(amount: f64) -> Micro {
    Micro(amount.round().max(0.0) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(units: i64) -> Micro {
        Micro(units * SCALE)
    }

    fn exposure(risk: f64, fraction: f64, unpaid: Micro, horizon: Micro) -> Exposure {
        Exposure { risk, fraction, unpaid, horizon, proven: units(7) }
    }

    fn loss(risk: f64, fraction: f64, unpaid: Micro, horizon: Micro) -> Loss {
        expected_loss(&exposure(risk, fraction, unpaid, horizon), &Assumptions::USUAL)
    }

    /// By hand: P = 0.8, faked 0.4; keep 0.4 × 4,000, block 0.2 × 0.2 × 3,000 + 50.
    #[test]
    fn a_sure_fraud_is_worth_a_block() {
        let found = loss(100.0, 0.5, units(1000), units(3000));
        let expected = Loss {
            money_at_risk: units(400),
            recoverable_now: units(7),
            loss_keep: units(1600),
            loss_block: units(170),
            expected_saving: units(1430),
            worth_holding: true,
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn an_ordinary_source_is_kept_and_not_held() {
        let found = loss(0.0, 0.0, units(1_000_000), units(1_000_000));
        assert_eq!(
            (found.money_at_risk, found.expected_saving, found.worth_holding),
            (Micro(0), Micro(0), false)
        );
        assert_eq!(found.loss_block, units(200_050));
    }

    /// The floor of the fraction counts money, but holds no payout: for that some must be shown to be faked.
    #[test]
    fn a_floor_is_no_evidence() {
        let found = loss(100.0, 0.0, units(10_000), Micro(0));
        assert_eq!(found.money_at_risk, units(800));
        assert!(!found.worth_holding);
    }

    #[test]
    fn extremes_give_amounts() {
        let numbers = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, 1e300];
        for (risk, fraction) in numbers.iter().flat_map(|a| numbers.iter().map(move |b| (*a, *b))) {
            for money in [Micro(i64::MAX), Micro(i64::MIN), Micro(0)] {
                let found = loss(risk, fraction, money, money);
                assert!(found.loss_keep >= found.money_at_risk && found.loss_block.0 >= 0, "{found:?}");
            }
        }
    }

    #[test]
    fn the_largest_excess_is_the_fraction() {
        let excess = |lower, peers| Excess { lower, peers };
        assert_eq!(fraud_fraction(&[], &[]), 0.0);
        assert_eq!(fraud_fraction(&[excess(0.75, 0.5), excess(0.1, 0.3)], &[0.25]), 0.5);
        assert_eq!(fraud_fraction(&[excess(0.1, 0.3)], &[0.25]), 0.25);
        assert_eq!(fraud_fraction(&[excess(1.0, 1.0), excess(f64::NAN, 0.1)], &[f64::NAN, -3.0]), 0.0);
    }
}
