//! How long an offer takes to decide, and whether a conversion is old enough to be decided.
//!
//! Approvals come early and refusals late, or the other way round: shares of what is decided so far are
//! biased until nearly all of an age is decided. Lags are estimated by product limits (Kaplan and Meier
//! 1958): what is undecided has waited at least until now.

use super::Setting;
use crate::base::column::Col;
use crate::base::symbol::{Symbol, Symbols};
use crate::clean::{Conversion, Status};
use crate::matching::MatchedConversion;
use hashbrown::HashMap;

/// An offer with fewer dated decisions borrows the lag of all.
const ENOUGH: usize = 20;

/// Marks the conversions that are older than the hold of their offer's terms, or else than nine in ten of its
/// decisions take. Where no decision
/// is dated every conversion is marked: the maturity alone decides then.
pub fn mark(rows: &mut [MatchedConversion], setting: &Setting, symbols: &Symbols) {
    let mut by_offer: HashMap<Symbol, Vec<Wait>> = HashMap::new();
    let mut all = Vec::new();
    for m in rows.iter() {
        if let Some(wait) = Wait::of(&m.conversion, setting.as_of) {
            by_offer.entry(setting.column(m, Col::Offer)).or_default().push(wait);
            all.push(wait);
        }
    }
    let of_all = lag(&mut all);
    let enough = |waits: &Vec<Wait>| waits.iter().filter(|w| w.decided).count() >= ENOUGH;
    let own = by_offer.into_iter().filter(|(_, waits)| enough(waits));
    let lags: HashMap<Symbol, Option<i64>> = own.map(|(offer, mut waits)| (offer, lag(&mut waits))).collect();
    for m in rows {
        let offer = setting.column(m, Col::Offer);
        let hold = setting.book.terms(offer, m.conversion.time, symbols).and_then(|terms| terms.hold);
        let lag = hold.or_else(|| lags.get(&offer).copied().unwrap_or(of_all));
        m.facts.decision_due = lag.is_none_or(|lag| m.conversion.time.saturating_add(lag) <= setting.as_of);
    }
}

/// How long a conversion waited, and whether for a decision or until now.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wait {
    lag: i64,
    /// Decided: of equal waits it comes last in the order of time, first among those at risk.
    decided: bool,
}

impl Wait {
    /// The wait of a row that is undecided or whose decision is dated. When money taken back was first
    /// approved is not known.
    fn of(c: &Conversion, as_of: i64) -> Option<Wait> {
        match c.status {
            Status::Approved | Status::Rejected => {
                let lag = (c.status_time? - c.time).max(0);
                Some(Wait { lag, decided: true })
            }
            Status::Pending | Status::Unknown => Some(Wait { lag: (as_of - c.time).max(0), decided: false }),
            Status::Refund | Status::Chargeback | Status::Void => None,
        }
    }
}

/// The lag within which nine in ten of those are decided that ever will be, as far as the waits tell;
/// `None` without a decision.
fn lag(waits: &mut [Wait]) -> Option<i64> {
    waits.sort_unstable_by_key(|w| w.lag);
    let mut decided: Vec<(i64, f64)> = Vec::new();
    let (mut waiting, mut at_risk) = (1.0, waits.len());
    for same in waits.chunk_by(|a, b| a.lag == b.lag) {
        let events = same.iter().filter(|w| w.decided).count();
        if events > 0 {
            waiting *= 1.0 - events as f64 / at_risk as f64;
            decided.push((same[0].lag, 1.0 - waiting));
        }
        at_risk -= same.len();
    }
    let ever = decided.last()?.1;
    // One rounding below: 0.9 of 1.0 must find the step to exactly 0.9.
    decided.iter().find(|(_, share)| *share >= 0.9 * ever - 1e-12).map(|(lag, _)| *lag)
}
