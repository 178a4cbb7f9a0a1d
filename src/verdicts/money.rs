//! The least money at risk according to a finding's evidence.
//!
//! Only a value that is a part of something can be turned into money: a share of invalid conversions, a
//! count of replays, a loss. An interval's cautious limit is used, never the point value, and every amount
//! is rounded once. Money of several findings is never added up: they may be about the same conversions.

use super::Subject;
use crate::base::money::{Micro, SCALE};
use crate::base::unit::Unit;
use crate::rules::{Class, Evidence, Outcome};
use crate::signals::{self, Family, Row, Side, Suspicious};

/// What the rows come to that a rule asked about: those of its cut, or all of the group's.
struct Asked<'a> {
    row: &'a Row,
    spend: Option<Micro>,
    at_stake: Option<Micro>,
}

impl<'a> Asked<'a> {
    fn of(outcome: &'a Outcome, subject: &'a Subject) -> Asked<'a> {
        match &outcome.part {
            Some(part) => Asked { row: &part.row, spend: part.spend, at_stake: part.at_stake },
            None => Asked { row: &subject.row, spend: subject.spend, at_stake: subject.at_stake },
        }
    }

    /// The value of a signal, if it is present.
    fn value(&self, signal: &str) -> Option<f64> {
        let reading = self.row.reading(signals::find(signal)?);
        reading.estimate().map(|e| e.value())
    }
}

/// The amount of one fired rule, or `None` where it claims none or the amounts are not known.
pub(super) fn of(outcome: &Outcome, subject: &Subject) -> Option<Micro> {
    let asked = Asked::of(outcome, subject);
    if outcome.rule.class == Class::Profit {
        return loss(&asked);
    }
    outcome.evidence.iter().filter_map(|e| of_evidence(e, outcome, &asked)).max()
}

/// What was lost, at most what was spent on it.
fn loss(asked: &Asked) -> Option<Micro> {
    let lost = (-asked.value("profit")?).max(0.0);
    let spend = asked.spend?.0.max(0);
    Some(Micro(((lost * SCALE as f64).round() as i64).min(spend)))
}

fn of_evidence(evidence: &Evidence, outcome: &Outcome, asked: &Asked) -> Option<Micro> {
    let (amount, part) = match evidence.signal.unit {
        Unit::Share => (amount(evidence.signal.side, asked)?, least_part(evidence)?),
        Unit::Count if outcome.rule.deterministic => (asked.at_stake?, counted_part(evidence, asked)?),
        _ => return None,
    };
    Some(Micro((amount.0.max(0) as f64 * part.clamp(0.0, 1.0)).round() as i64))
}

/// What a share of this side is a share of.
fn amount(side: Side, asked: &Asked) -> Option<Micro> {
    match side {
        Side::Click => asked.spend,
        Side::Conversion => asked.at_stake,
    }
}

/// The least part that is not genuine. A rate (CR, click-through) is no part of the invalid, and context
/// says nothing.
fn least_part(evidence: &Evidence) -> Option<f64> {
    let (low, high) = evidence.estimate.at(evidence.confidence);
    match evidence.signal.suspicious {
        _ if evidence.signal.family == Family::Performance => None,
        Suspicious::High => Some(low),
        Suspicious::Low => Some(1.0 - high),
        Suspicious::Either | Suspicious::Neither => None,
    }
}

/// The part of the conversions that was counted as invalid.
fn counted_part(evidence: &Evidence, asked: &Asked) -> Option<f64> {
    let all = asked.value("conversion_count").filter(|n| *n > 0.0)?;
    (evidence.signal.suspicious == Suspicious::High).then(|| evidence.estimate.value() / all)
}

#[cfg(test)]
mod tests {
    use crate::base::money::Micro;
    use crate::base::stats::wilson;
    use crate::verdicts::samples::{judged, outcome, row, rule, subject};
    use crate::verdicts::{Protect, Subject, judge};

    /// Money of a case in a group of 200.00 spend, 1,000.00 at stake, 50.00 lost, after `change`.
    fn money(case: &str, change: impl FnOnce(&mut Subject)) -> Option<i64> {
        let rule = rule("a", case);
        let mut subject = subject(&["net", "zone1"], vec![outcome(&rule, case)]);
        change(&mut subject);
        let judged = judge(subject, &Protect::nobody());
        judged.findings[0].money.map(|m| m.0)
    }

    fn micro(units: f64) -> Option<i64> {
        Some((units * 1e6).round() as i64)
    }

    #[test]
    fn a_share_is_worth_its_cautious_limit_of_its_side() {
        let (low, high) = wilson(60, 100, 0.95);
        assert_eq!(money("hold ctit_short_share", |_| ()), micro(1_000.0 * low));
        assert_eq!(money("hold top_ip_share", |_| ()), micro(200.0 * low));
        assert_eq!(money("hold approval_share", |_| ()), micro(1_000.0 * (1.0 - high)));
        assert_eq!(money("hold distinct_ip_share", |_| ()), micro(200.0 * (1.0 - high)));
    }

    #[test]
    fn the_largest_of_several_counts_and_nothing_is_added() {
        assert_eq!(
            money("hold top_ip_share ctit_short_share", |_| ()),
            money("hold ctit_short_share", |_| ())
        );
        let both = judged(&["hold top_ip_share", "hold ctit_short_share"], |j| j.money_at_risk.map(|m| m.0));
        assert_eq!(both, money("hold ctit_short_share", |_| ()));
    }

    #[test]
    fn rates_and_context_claim_no_money() {
        for case in
            ["hold cr", "hold break_even_p", "hold hour_spread", "hold click_count", "hold conversion_count"]
        {
            assert_eq!(money(case, |_| ()), None, "{case}");
        }
        assert_eq!(money("deterministic conversion_count", |_| ()), None);
    }

    #[test]
    fn replays_are_worth_their_part_of_the_conversions() {
        assert_eq!(money("deterministic replayed_count", |_| ()), micro(300.0));
        assert_eq!(money("hold replayed_count", |_| ()), None);
        assert_eq!(money("deterministic replayed_count", |s| s.row = row(&[], false)), None);
        let more_than_all = |s: &mut Subject| s.row = row(&[("conversion_count", 20.0)], false);
        assert_eq!(money("deterministic replayed_count", more_than_all), micro(1_000.0));
        let thirds = |s: &mut Subject| {
            s.row = row(&[("conversion_count", 90.0)], false);
            s.at_stake = Some(Micro(100));
        };
        assert_eq!(money("deterministic replayed_count", thirds), Some(33));
    }

    #[test]
    fn profit_rules_are_worth_the_loss_and_at_most_the_spend() {
        assert_eq!(money("profit-class profit", |_| ()), micro(50.0));
        assert_eq!(money("profit-class profit", |s| s.row = row(&[("profit", -500.0)], false)), micro(200.0));
        assert_eq!(money("profit-class profit", |s| s.row = row(&[("profit", 3.0)], false)), Some(0));
        assert_eq!(money("profit-class profit", |s| s.row = row(&[], false)), None);
        assert_eq!(money("profit-class profit", |s| s.spend = None), None);
    }

    #[test]
    fn unknown_amounts_are_absent_and_negative_ones_are_nothing() {
        assert_eq!(money("hold ctit_short_share", |s| s.at_stake = None), None);
        assert_eq!(money("hold top_ip_share", |s| s.spend = None), None);
        assert_eq!(money("hold ctit_short_share", |s| s.at_stake = Some(Micro(-5))), Some(0));
    }

    #[test]
    fn a_note_puts_no_money_at_risk() {
        assert_eq!(judged(&["note ctit_short_share", "silent decides"], |j| j.money_at_risk), None);
    }
}
