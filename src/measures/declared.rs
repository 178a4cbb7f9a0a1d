//! The measures, declared as data: integers that can be added up, by grain × peer key × day.
//!
//! The set of kinds, filters and numbers is closed, so that another engine can render the same
//! declarations as portable SQL.

use crate::base::column::Col;
use crate::base::symbol::Symbol;
use crate::clean::Status;
use crate::clean::vocabulary::STATUSES;

/// Which rows a measure reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    Clicks,
    Conversions,
}

/// What is computed over the rows that pass the filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Count,
    Sum(Number),
    /// How many rows have each whole value: exact quantiles and shares follow from it.
    Values(Number),
    /// Number of distinct keys.
    Distinct(Key),
    /// Rows of the commonest key.
    Top(Key),
}

/// How a measure of several days, or of several groups, is made from theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// Added up: exact for any union of days and groups.
    Sum,
    /// From the keys of all rows: exact for the grain and window it was computed for, for no other.
    Recompute,
}

/// A whole number of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// Micro-units.
    Cost,
    /// Hour of the day in the audit's zone, 0..=23.
    Hour,
    /// Seconds from the click to the click on the landing page.
    LanderDelay,
    /// Seconds from click to conversion.
    Ctit,
    /// Event and status, packed by [`pack`].
    EventAndStatus,
    /// Payout that counts as earned: approved; taken back without having been counted before = negative.
    PayoutConfirmed,
    /// Payout of pending conversions.
    PayoutPending,
    RevenueConfirmed,
    RevenuePending,
}

/// A 64-bit key of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Ip,
}

/// A condition on one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// The click is older than the maturity.
    Mature,
    Costed,
    LanderClicked,
    ReusedId,
    /// A surplus row identical to another one, where there is no click ID.
    Surplus,
    /// Click ID or source is a macro that was never replaced.
    UnexpandedMacro,
    HasIp,
    /// It could be told whether there is a click.
    Told,
    Orphan,
    BeforeClick,
    /// The click is known: before or after.
    WithClick,
    Matched,
    WithoutId,
    Priced,
    /// Worth money: approved, pending or in an unknown status, with a positive amount.
    Earning,
    Approved,
    Pending,
    Rejected,
    /// Refunded or charged back.
    TakenBack,
    UnknownStatus,
    /// Approved or rejected.
    Decided,
    /// Approved, or taken back after it.
    EverApproved,
    MainEvent,
    FirstOfEvent,
    OnceOnly,
    RepeatedEvent,
    /// On a mature click, within the maturity: every click is observed for equally long.
    InTime,
    /// Old enough that a decision is due.
    DecisionDue,
    HasCtit,
    Short,
    Long,
    Replay,
    /// A replay of a true transaction ID that is approved or pending.
    PaidReplay,
    Shared,
}

/// One measure.
pub struct Measure {
    pub id: M,
    pub name: &'static str,
    pub rows: Rows,
    pub kind: Kind,
    pub filters: &'static [Filter],
    /// Columns without which the measure cannot be computed.
    pub needs: &'static [Col],
    pub summary: &'static str,
}

impl Measure {
    /// How days and groups merge.
    pub fn merge(&self) -> Merge {
        match self.kind {
            Kind::Count | Kind::Sum(_) | Kind::Values(_) => Merge::Sum,
            Kind::Distinct(_) | Kind::Top(_) => Merge::Recompute,
        }
    }

    /// Whether the measure can be written in portable SQL.
    pub fn portable(&self) -> bool {
        !self.filters.contains(&Filter::Surplus)
    }
}

macro_rules! measures {
    ($($id:ident $name:literal $rows:ident $kind:expr, [$($filter:ident)*] [$($col:ident)*] $summary:literal;)*) => {
        /// The name of a measure.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum M { $($id,)* }
        /// All measures in the order of [`M`].
        pub const MEASURES: &[Measure] = &[$(Measure {
            id: M::$id,
            name: $name,
            rows: Rows::$rows,
            kind: $kind,
            filters: &[$(Filter::$filter),*],
            needs: &[$(Col::$col),*],
            summary: $summary,
        },)*];
    };
}

use Kind::{Count, Distinct, Sum, Top, Values};

measures! {
    Clicks "clicks" Clicks Count, [] [] "clicks on the declared hit type";
    MatureClicks "mature_clicks" Clicks Count, [Mature] [] "clicks older than the maturity";
    CostedClicks "costed_clicks" Clicks Count, [Costed] [Cost] "clicks that carry a cost";
    Cost "cost" Clicks Sum(Number::Cost), [] [Cost] "cost of clicks";
    MatureCost "mature_cost" Clicks Sum(Number::Cost), [Mature] [Cost] "cost of mature clicks";
    LanderClicks "lander_clicks" Clicks Count, [LanderClicked] [LanderClickTime] "clicks that went through the landing page";
    LanderDelays "lander_delays" Clicks Values(Number::LanderDelay), [LanderClicked] [LanderClickTime] "seconds to the lander click";
    Hours "hours" Clicks Values(Number::Hour), [] [] "clicks by hour of the day";
    ReusedIds "reused_ids" Clicks Count, [ReusedId] [ClickId] "clicks whose ID another click uses too";
    SurplusRows "surplus_rows" Clicks Count, [Surplus] [] "surplus identical rows without a click ID";
    Macros "macros" Clicks Count, [UnexpandedMacro] [] "clicks whose ID or source is a macro that was never replaced";
    AddressedClicks "addressed_clicks" Clicks Count, [HasIp] [Ip] "clicks with an address";
    Addresses "addresses" Clicks Distinct(Key::Ip), [HasIp] [Ip] "distinct addresses of clicks";
    BusiestAddress "busiest_address" Clicks Top(Key::Ip), [HasIp] [Ip] "clicks of the busiest address";
    Conversions "conversions" Conversions Count, [] [] "conversions of every class, event and status";
    Events "events" Conversions Values(Number::EventAndStatus), [] [] "conversions by event and status";
    Matched "matched" Conversions Count, [Matched] [] "conversions with a click before them";
    Told "told" Conversions Count, [Told] [] "conversions of which it can be told whether they have a click";
    Orphans "orphans" Conversions Count, [Orphan] [] "conversions without a click";
    WithClick "with_click" Conversions Count, [WithClick] [] "conversions with a click before or after them";
    BeforeClick "before_click" Conversions Count, [BeforeClick] [] "conversions before their click";
    WithoutId "without_id" Conversions Count, [WithoutId] [ClickId] "conversions without a click ID";
    ConvertedClicks "converted_clicks" Conversions Count, [MainEvent FirstOfEvent InTime] [] "mature clicks with at least one main event in time";
    Approved "approved" Conversions Count, [Approved] [Status] "approved conversions";
    Pending "pending" Conversions Count, [Pending] [Status] "pending conversions";
    Rejected "rejected" Conversions Count, [Rejected] [Status] "rejected conversions";
    TakenBack "taken_back" Conversions Count, [TakenBack] [Status] "conversions refunded or charged back";
    UnknownStatus "unknown_status" Conversions Count, [UnknownStatus] [Status] "conversions in a status no vocabulary knows";
    DueApproved "due_approved" Conversions Count, [DecisionDue Approved] [Status] "approved conversions old enough to be decided";
    DueRejected "due_rejected" Conversions Count, [DecisionDue Rejected] [Status] "rejected conversions old enough to be decided";
    DueDecided "due_decided" Conversions Count, [DecisionDue Decided] [Status] "approved or rejected conversions old enough to be decided";
    EverApproved "ever_approved" Conversions Count, [EverApproved] [Status] "conversions that are approved, or were before they were taken back";
    Priced "priced" Conversions Count, [Priced] [] "conversions that carry an amount";
    PayoutConfirmed "payout_confirmed" Conversions Sum(Number::PayoutConfirmed), [] [Payout] "payout of approved conversions, less what was taken back";
    PayoutPending "payout_pending" Conversions Sum(Number::PayoutPending), [] [Payout] "payout of pending conversions";
    RevenueConfirmed "revenue_confirmed" Conversions Sum(Number::RevenueConfirmed), [] [Revenue] "revenue of approved conversions, less what was taken back";
    RevenuePending "revenue_pending" Conversions Sum(Number::RevenuePending), [] [Revenue] "revenue of pending conversions";
    MaturePayout "mature_payout" Conversions Sum(Number::PayoutConfirmed), [InTime] [Payout] "confirmed payout of mature clicks in time";
    MatureRevenue "mature_revenue" Conversions Sum(Number::RevenueConfirmed), [InTime] [Revenue] "confirmed revenue of mature clicks in time";
    MaturePayoutPending "mature_payout_pending" Conversions Sum(Number::PayoutPending), [InTime] [Payout] "pending payout of mature clicks in time";
    MatureRevenuePending "mature_revenue_pending" Conversions Sum(Number::RevenuePending), [InTime] [Revenue] "pending revenue of mature clicks in time";
    EarningConversions "earning_conversions" Conversions Count, [InTime Earning] [] "conversions worth money, of mature clicks in time";
    CtitCount "ctit_count" Conversions Count, [HasCtit] [] "conversions with a CTIT";
    Ctit "ctit" Conversions Values(Number::Ctit), [HasCtit] [] "seconds from click to conversion";
    CtitShort "ctit_short" Conversions Count, [HasCtit Short] [Event] "conversions faster than a person can act";
    CtitLong "ctit_long" Conversions Count, [HasCtit Long] [] "conversions more than a day after their click";
    OnceClicks "once_clicks" Conversions Count, [Matched OnceOnly FirstOfEvent] [ClickId] "clicks with a once-only event";
    RepeatedClicks "repeated_clicks" Conversions Count, [Matched OnceOnly FirstOfEvent RepeatedEvent] [ClickId] "clicks with a once-only event more than once";
    Replays "replays" Conversions Count, [Replay] [TransactionId] "conversions that repeat a transaction";
    PaidReplays "paid_replays" Conversions Count, [PaidReplay] [TransactionId] "replays of a transaction ID that are approved or pending";
    SharedTransactions "shared_transactions" Conversions Count, [Shared] [TransactionId] "replays of a transaction that another source had claimed";
    AddressedConversions "addressed_conversions" Conversions Count, [HasIp] [Ip] "conversions with an address";
    ConversionAddresses "conversion_addresses" Conversions Distinct(Key::Ip), [HasIp] [Ip] "distinct addresses of conversions";
    BusiestConversionAddress "busiest_conversion_address" Conversions Top(Key::Ip), [HasIp] [Ip] "conversions of the busiest address";
}

/// An event and a status as one number.
pub fn pack(event: Symbol, status: Status) -> i64 {
    i64::from(event.0) << 8 | status as i64
}

/// The event and the status of a number.
pub fn unpack(packed: i64) -> (Symbol, Status) {
    let status = STATUSES.iter().map(|s| s.0).find(|s| *s as i64 == packed & 0xff);
    (Symbol((packed >> 8) as u32), status.unwrap_or(Status::Unknown))
}

impl M {
    /// The declaration.
    pub fn decl(self) -> &'static Measure {
        &MEASURES[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_the_table_is_in_order() {
        let mut names: Vec<&str> = MEASURES.iter().map(|m| m.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), MEASURES.len());
        for (at, measure) in MEASURES.iter().enumerate() {
            assert_eq!(measure.id as usize, at);
            assert!(!measure.summary.is_empty() && !measure.summary.ends_with('.'), "{}", measure.name);
        }
    }
}
