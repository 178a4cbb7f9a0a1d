//! The measures, declared as data: integers that can be added up, by grain × peer key × day.
//!
//! The set of kinds, filters and numbers is closed, so that another engine can render the same
//! declarations as portable SQL.

use crate::base::column::Col;
use crate::base::symbol::Symbol;
use crate::clean::Status;
use crate::clean::vocabulary::STATUSES;

/// Which rows a measure reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// How many keys have each number of rows.
    Multiplicities(Key),
    /// Ordered pairs of rows of one day that have the same key: Σ c(c−1) over its keys, by day.
    Pairs(Key),
    /// Ordered pairs of rows of one day that have a key at all: n(n−1), by day.
    Pairings(Key),
    /// What the order of clicks in time says.
    Rhythm(Rhythm),
    /// What the networks say that hold much of a group's clicks.
    Crowd(Crowd),
}

/// What is counted on the clicks of a group in the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rhythm {
    /// Clicks whose address and user agent were there at most 60 s before, on the same offer.
    Repeats,
    /// Gaps of at most an hour between successive clicks of a day, by day: their number, their seconds and the
    /// squares of these.
    Gaps,
    GapSeconds,
    GapSquares,
    /// How many gaps have each whole number of seconds.
    GapValues,
    /// Σ over hours of k Σc² − (Σc)² for the counts c of their k windows, by day: with k − 1 times the clicks as
    /// divisor the variance of a window over its mean, inside hours, so that no profile of the day is needed.
    MinuteSpread,
    MinuteBase,
    FiveMinuteSpread,
    FiveMinuteBase,
    /// Clicks of the busiest five minutes.
    BusiestFiveMinutes,
    /// Clicks in windows of five minutes that hold far more than the rest of their hour.
    BurstClicks,
}

/// What is counted in the networks (/24, /48) that hold at least one in a hundred of a group's clicks and at
/// least twenty of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowd {
    Networks,
    Clicks,
    /// Converted clicks in them.
    Converted,
    /// The networks by their clicks and converted clicks, packed as `clicks << 32 | converted`.
    Sizes,
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
    /// Hours since 1970-01-01T00 on the clock of the audit's zone.
    Hour,
    /// Seconds from the click to the click on the landing page.
    LanderDelay,
    /// Seconds from click to conversion.
    Ctit,
    /// Event and status, packed by [`pack`].
    EventAndStatus,
    /// The word of an anti-fraud service, as a symbol.
    FraudReason,
    /// The class of a reject, as a number.
    RejectClass,
    /// What a conversion pays, and what was agreed; micro-units.
    RatedPayout,
    AgreedPayout,
    /// Payout that counts as earned: approved; taken back without having been counted before = negative.
    PayoutConfirmed,
    /// Payout of pending conversions.
    PayoutPending,
    RevenueConfirmed,
    RevenuePending,
    /// What the customer paid, micro-units.
    SaleAmount,
    /// What the customer paid within a week or 30 days of the click, micro-units.
    SaleAmountD7,
    SaleAmountD30,
    /// Five minutes since 1970.
    FiveMinutes,
    /// The form of the click ID: a symbol for its length and kinds of characters.
    IdForm,
    /// Each of the last characters of the click ID with its place, packed: several values a row.
    IdCharacters,
}

/// A 64-bit key of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Ip,
    /// The /24 or /48 of the address.
    Network,
    UserAgent,
    Asn,
    /// Address and user agent together.
    Visitor,
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
    /// An anti-fraud service blocked or flagged it.
    Flagged,
    /// Rejected for what says nothing of the source: a cap, a country, a known customer, missing documents.
    Excused,
    /// Not rejected, or rejected for what counts against the source.
    Blamed,
    /// Beyond the cap of its offer.
    OverCap,
    /// Its offer says which countries it takes; this is none of them.
    CountryAgreed,
    CountryDisallowed,
    /// Worth money, with a payout of its own and one that was agreed.
    Rated,
    /// The click lies on a day whose costs are complete.
    CostKnown,
    /// The traffic source says how many clicks it sold: only cost files do.
    Bought,
    MainEvent,
    FirstOfEvent,
    OnceOnly,
    RepeatedEvent,
    /// On a mature click, within the maturity: every click is observed for equally long.
    InTime,
    /// Old enough that a decision is due.
    DecisionDue,
    /// The first conversion on its click, with a CTIT.
    HasCtit,
    /// The time is the event's, not that of an upload.
    OwnTime,
    Short,
    Long,
    Replay,
    /// A replay of a true transaction ID that is approved or pending.
    PaidReplay,
    Shared,
    /// On a Saturday or Sunday of the audit's zone.
    Weekend,
    HasUserAgent,
    HasReferrer,
    HasAsn,
    HasNetwork,
    MarkedBot,
    Datacenter,
    Vpn,
    Tor,
    KnownBot,
    Headless,
    /// The export's country and that of the click's address are both known; and differ.
    AddressCountryKnown,
    AddressCountryDiffers,
    /// A brand term is in the keyword or the referrer.
    Brand,
    /// A main event came of the click.
    Converted,
    /// A first registration old enough for a first deposit to be due.
    RegistrationDue,
    /// It led to a first deposit in that time.
    ThenDeposited,
    /// A first deposit old enough for a second one to be due.
    DepositDue,
    /// A second deposit followed in that time.
    ThenDepositedAgain,
    /// A first registration within a week, or 30 days, of a click that is as old; with a deposit within it.
    CohortD7,
    CohortD30,
    DepositedD7,
    DepositedD30,
    /// The conversion's own country and its click's are both known; and differ.
    CountriesKnown,
    CountriesDiffer,
    /// A player's first payment with an amount; at the smallest amount the offer sees; a round amount.
    Amount,
    AtFloor,
    RoundAmount,
    /// The first conversion of the source that names this click ID.
    HasClickId,
    /// The click ID is no click's and has a form that clicks of this network do not have.
    ForeignForm,
    /// The click ID ends in a number behind the same beginning as one of the source before; it counts on from it.
    StepKnown,
    Step,
    /// It is known whether another source's click of the same visitor came at most 5 s before; it did.
    NeighbourKnown,
    Neighbour,
    /// A CTIT of whole minutes.
    RoundCtit,
    /// More than an hour after the click.
    HourLater,
    /// The server's answer to the postback is known; it was a failure.
    Answered,
    Failed,
    /// The postback's request is known; it was delivered more than once; it is a replay.
    HasRequest,
    DeliveredAgain,
    ReplayedRequest,
    /// The sender was held against a list; he is not on it.
    SenderKnown,
    ForeignSender,
    /// A token was asked for; it was missing or wrong.
    TokenKnown,
    TokenMissing,
    TokenWrong,
    /// A signature was asked for; it was missing or forged.
    SignatureKnown,
    Unsigned,
    Forged,
    /// The postback's macros were looked at; one was never replaced.
    MacroKnown,
    MacroLeft,
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
            _ => Merge::Recompute,
        }
    }

    /// Whether the measure is counted from the log of clicks, not row by row.
    pub fn of_log(&self) -> bool {
        let by_click = self.id == M::Hours || self.filters.contains(&Filter::Converted);
        self.rows == Rows::Clicks && (self.merge() == Merge::Recompute || by_click)
    }

    /// Why the measure is not computed on an engine; `None` if it is. Conversions come here and are counted as ever.
    pub fn unportable(&self) -> Option<&'static str> {
        const NETWORK: &str = "no portable SQL finds the network of an IPv6 address";
        if self.rows == Rows::Conversions {
            return None;
        }
        let by_kind = match self.kind {
            Kind::Rhythm(_) => Some("it needs the clicks of a group in the order of time"),
            Kind::Crowd(_) => Some(NETWORK),
            Kind::Distinct(Key::Network)
            | Kind::Top(Key::Network)
            | Kind::Multiplicities(Key::Network)
            | Kind::Pairs(Key::Network)
            | Kind::Pairings(Key::Network) => Some(NETWORK),
            _ => None,
        };
        by_kind.or_else(|| self.filters.iter().find_map(|filter| filter.unportable()))
    }

    /// Whether the measure can be computed on an engine.
    pub fn portable(&self) -> bool {
        self.unportable().is_none()
    }
}

impl Filter {
    /// Why the filter of clicks cannot be written in portable SQL; `None` if it can.
    fn unportable(self) -> Option<&'static str> {
        match self {
            Filter::Surplus => Some("identical rows are told by a digest of their text"),
            Filter::HasNetwork => Some("no portable SQL finds the network of an IPv6 address"),
            Filter::Brand => Some("brands are told however they are spelled, which portable SQL cannot"),
            Filter::AddressCountryKnown | Filter::AddressCountryDiffers => {
                Some("whether two names are one country is told by a table of ours")
            }
            _ => None,
        }
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

use Kind::{Count, Distinct, Multiplicities, Pairings, Pairs, Sum, Top, Values};

measures! {
    Clicks "clicks" Clicks Count, [] [] "clicks on the declared hit type";
    MatureClicks "mature_clicks" Clicks Count, [Mature] [] "clicks older than the maturity";
    CostedClicks "costed_clicks" Clicks Count, [Costed] [Cost] "clicks that carry a cost";
    Cost "cost" Clicks Sum(Number::Cost), [] [Cost] "cost of clicks";
    MatureCost "mature_cost" Clicks Sum(Number::Cost), [Mature] [Cost] "cost of mature clicks";
    CompleteCost "complete_cost" Clicks Sum(Number::Cost), [CostKnown] [] "of a cost file: cost of the days that are complete";
    BoughtClicks "bought_clicks" Clicks Count, [Bought] [] "of a cost file: clicks that the traffic source says it sold, on whole days";
    ArrivedClicks "arrived_clicks" Clicks Count, [Bought] [] "clicks on the days and keys of which a cost file says how many were sold";
    LanderClicks "lander_clicks" Clicks Count, [LanderClicked] [LanderClickTime] "clicks that went through the landing page";
    LanderDelays "lander_delays" Clicks Values(Number::LanderDelay), [LanderClicked] [LanderClickTime] "seconds to the lander click";
    Hours "hours" Clicks Values(Number::Hour), [] [] "clicks by hour";
    ReusedIds "reused_ids" Clicks Count, [ReusedId] [ClickId] "clicks whose ID another click uses too";
    SurplusRows "surplus_rows" Clicks Count, [Surplus] [] "surplus identical rows without a click ID";
    Macros "macros" Clicks Count, [UnexpandedMacro] [] "clicks whose ID or source is a macro that was never replaced";
    AddressedClicks "addressed_clicks" Clicks Count, [HasIp] [Ip] "clicks with an address";
    Addresses "addresses" Clicks Distinct(Key::Ip), [HasIp] [Ip] "distinct addresses of clicks";
    BusiestAddress "busiest_address" Clicks Top(Key::Ip), [HasIp] [Ip] "clicks of the busiest address";
    WeekendClicks "weekend_clicks" Clicks Count, [Weekend] [] "clicks on Saturday or Sunday";
    NetworkedClicks "networked_clicks" Clicks Count, [HasNetwork] [Ip] "clicks whose network is known";
    Networks "networks" Clicks Distinct(Key::Network), [HasNetwork] [Ip] "distinct networks (/24, /48) of clicks";
    BusiestNetwork "busiest_network" Clicks Top(Key::Network), [HasNetwork] [Ip] "clicks of the busiest network";
    AddressMultiplicities "address_multiplicities" Clicks Multiplicities(Key::Ip), [HasIp] [Ip] "addresses by their number of clicks";
    AddressPairs "address_pairs" Clicks Pairs(Key::Ip), [HasIp] [Ip] "pairs of clicks of one day and address";
    AddressPairings "address_pairings" Clicks Pairings(Key::Ip), [HasIp] [Ip] "pairs of clicks of one day with addresses";
    NetworkPairs "network_pairs" Clicks Pairs(Key::Network), [HasNetwork] [Ip] "pairs of clicks of one day and network";
    NetworkPairings "network_pairings" Clicks Pairings(Key::Network), [HasNetwork] [Ip] "pairs of clicks of one day with networks";
    AsnClicks "asn_clicks" Clicks Count, [HasAsn] [Asn] "clicks with an autonomous system";
    AsnPairs "asn_pairs" Clicks Pairs(Key::Asn), [HasAsn] [Asn] "pairs of clicks of one day and autonomous system";
    AsnPairings "asn_pairings" Clicks Pairings(Key::Asn), [HasAsn] [Asn] "pairs of clicks of one day with autonomous systems";
    AgentClicks "agent_clicks" Clicks Count, [HasUserAgent] [UserAgent] "clicks with a user agent";
    Agents "agents" Clicks Distinct(Key::UserAgent), [HasUserAgent] [UserAgent] "distinct user agents of clicks";
    AgentMultiplicities "agent_multiplicities" Clicks Multiplicities(Key::UserAgent), [HasUserAgent] [UserAgent] "user agents by their number of clicks";
    AgentPairs "agent_pairs" Clicks Pairs(Key::UserAgent), [HasUserAgent] [UserAgent] "pairs of clicks of one day and user agent";
    AgentPairings "agent_pairings" Clicks Pairings(Key::UserAgent), [HasUserAgent] [UserAgent] "pairs of clicks of one day with user agents";
    Visitors "visitors" Clicks Distinct(Key::Visitor), [HasIp HasUserAgent] [Ip UserAgent] "distinct pairs of address and user agent";
    ReferredClicks "referred_clicks" Clicks Count, [HasReferrer] [Referrer] "clicks with a referrer";
    BotClicks "bot_clicks" Clicks Count, [MarkedBot] [IsBot] "clicks that the tracker marked as a bot's";
    DatacenterClicks "datacenter_clicks" Clicks Count, [Datacenter] [IsDatacenter] "clicks from data centres";
    VpnClicks "vpn_clicks" Clicks Count, [Vpn] [IsVpn] "clicks from exits of virtual private networks";
    TorClicks "tor_clicks" Clicks Count, [Tor] [IsTor] "clicks from exits of the Tor network";
    CrawlerClicks "crawler_clicks" Clicks Count, [KnownBot] [IsKnownBot] "clicks whose user agent is on a list of crawlers";
    HeadlessClicks "headless_clicks" Clicks Count, [Headless] [IsHeadless] "clicks of browsers without a screen";
    AddressCountriesKnown "address_countries_known" Clicks Count, [AddressCountryKnown] [Country ClickCountry] "clicks whose country in the export and by their address are known";
    AddressCountriesDiffer "address_countries_differ" Clicks Count, [AddressCountryKnown AddressCountryDiffers] [Country ClickCountry] "of these, clicks whose address is of another country";
    BrandClicks "brand_clicks" Clicks Count, [Brand] [Keyword] "clicks on a brand term";
    BrandConverted "brand_converted" Clicks Count, [Brand Converted] [Keyword ClickId] "converted clicks on a brand term";
    ClicksThatConvert "clicks_that_convert" Clicks Count, [Converted] [ClickId] "clicks with a conversion";
    Repeats "repeats" Clicks Kind::Rhythm(Rhythm::Repeats), [HasIp] [Ip] "clicks of a visitor who was there at most 60 s before";
    Gaps "gaps" Clicks Kind::Rhythm(Rhythm::Gaps), [] [ClickTime] "gaps of at most an hour between successive clicks";
    GapSeconds "gap_seconds" Clicks Kind::Rhythm(Rhythm::GapSeconds), [] [ClickTime] "seconds of these gaps";
    GapSquares "gap_squares" Clicks Kind::Rhythm(Rhythm::GapSquares), [] [ClickTime] "squared seconds of these gaps";
    GapValues "gap_values" Clicks Kind::Rhythm(Rhythm::GapValues), [] [ClickTime] "gaps by their seconds";
    MinuteSpread "minute_spread" Clicks Kind::Rhythm(Rhythm::MinuteSpread), [] [ClickTime] "spread of the clicks of minutes inside hours";
    MinuteBase "minute_base" Clicks Kind::Rhythm(Rhythm::MinuteBase), [] [ClickTime] "what that spread is divided by";
    FiveMinuteSpread "five_minute_spread" Clicks Kind::Rhythm(Rhythm::FiveMinuteSpread), [] [ClickTime] "spread of the clicks of five minutes inside hours";
    FiveMinuteBase "five_minute_base" Clicks Kind::Rhythm(Rhythm::FiveMinuteBase), [] [ClickTime] "what that spread is divided by";
    BusiestFiveMinutes "busiest_five_minutes" Clicks Kind::Rhythm(Rhythm::BusiestFiveMinutes), [] [ClickTime] "clicks of the busiest five minutes";
    BurstClicks "burst_clicks" Clicks Kind::Rhythm(Rhythm::BurstClicks), [] [ClickTime] "clicks in five minutes that hold far more than the rest of their hour";
    CrowdNetworks "crowd_networks" Clicks Kind::Crowd(Crowd::Networks), [HasNetwork] [Ip] "networks that hold many of the clicks";
    CrowdClicks "crowd_clicks" Clicks Kind::Crowd(Crowd::Clicks), [HasNetwork] [Ip] "clicks in networks that hold many of them";
    CrowdSizes "crowd_sizes" Clicks Kind::Crowd(Crowd::Sizes), [HasNetwork] [Ip ClickId] "networks that hold many of the clicks by their clicks and converted clicks";
    CrowdConverted "crowd_converted" Clicks Kind::Crowd(Crowd::Converted), [HasNetwork] [Ip ClickId] "converted clicks in these networks";
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
    DueRejected "due_rejected" Conversions Count, [DecisionDue Rejected Blamed] [Status] "conversions old enough to be decided, rejected for what counts against the source";
    DueDecided "due_decided" Conversions Count, [DecisionDue Decided Blamed] [Status] "approved, or rejected for what counts against the source, and old enough to be decided";
    Flagged "flagged" Conversions Count, [Flagged] [FraudReason] "conversions that an anti-fraud service blocked or flagged";
    FraudReasons "fraud_reasons" Conversions Values(Number::FraudReason), [Flagged] [FraudReason] "these by the service's word";
    Excused "excused" Conversions Count, [Rejected Excused] [Status] "rejected conversions whose reason says nothing of the source: a cap, a country, a known customer, missing documents";
    RejectClasses "reject_classes" Conversions Values(Number::RejectClass), [Rejected] [RejectReason] "rejected conversions by the class of their reason";
    OverCap "over_cap" Conversions Count, [OverCap] [] "conversions beyond the cap of their offer";
    CountriesAgreed "countries_agreed" Conversions Count, [CountryAgreed] [] "conversions whose country is known and whose offer says which it takes";
    CountriesDisallowed "countries_disallowed" Conversions Count, [CountryAgreed CountryDisallowed] [] "of these, conversions from other countries";
    Rated "rated" Conversions Count, [Rated] [Payout] "conversions worth money whose payout was agreed";
    RatedPayout "rated_payout" Conversions Sum(Number::RatedPayout), [Rated] [Payout] "what these pay";
    AgreedPayout "agreed_payout" Conversions Sum(Number::AgreedPayout), [Rated] [Payout] "what was agreed for them";
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
    CompletePayout "complete_payout" Conversions Sum(Number::PayoutConfirmed), [CostKnown] [Payout] "confirmed payout of clicks on days whose costs are complete";
    CompleteRevenue "complete_revenue" Conversions Sum(Number::RevenueConfirmed), [CostKnown] [Revenue] "confirmed revenue of clicks on days whose costs are complete";
    JudgedPayout "judged_payout" Conversions Sum(Number::PayoutConfirmed), [InTime CostKnown] [Payout] "of these, payout of mature clicks in time";
    JudgedRevenue "judged_revenue" Conversions Sum(Number::RevenueConfirmed), [InTime CostKnown] [Revenue] "of these, revenue of mature clicks in time";
    JudgedPayoutPending "judged_payout_pending" Conversions Sum(Number::PayoutPending), [InTime CostKnown] [Payout] "pending payout of mature clicks in time, on days whose costs are complete";
    JudgedRevenuePending "judged_revenue_pending" Conversions Sum(Number::RevenuePending), [InTime CostKnown] [Revenue] "pending revenue of mature clicks in time, on days whose costs are complete";
    JudgedEarning "judged_earning" Conversions Count, [InTime Earning CostKnown] [] "conversions worth money, of mature clicks in time, on days whose costs are complete";
    JudgedConverted "judged_converted" Conversions Count, [MainEvent FirstOfEvent InTime CostKnown] [] "mature clicks with a main event in time, on days whose costs are complete";
    EarningConversions "earning_conversions" Conversions Count, [InTime Earning] [] "conversions worth money, of mature clicks in time";
    CtitCount "ctit_count" Conversions Count, [HasCtit] [] "first conversions of clicks with a CTIT";
    Ctit "ctit" Conversions Values(Number::Ctit), [HasCtit] [] "seconds from click to conversion";
    CtitShort "ctit_short" Conversions Count, [HasCtit Short] [Event] "conversions faster than a person can act";
    CtitLong "ctit_long" Conversions Count, [HasCtit Long] [] "conversions more than a day after their click";
    OnceClicks "once_clicks" Conversions Count, [Matched OnceOnly FirstOfEvent] [ClickId] "clicks with a once-only event";
    RepeatedClicks "repeated_clicks" Conversions Count, [Matched OnceOnly FirstOfEvent RepeatedEvent] [ClickId] "clicks with a once-only event more than once";
    Replays "replays" Conversions Count, [Replay] [TransactionId] "conversions that repeat a transaction";
    PaidReplays "paid_replays" Conversions Count, [PaidReplay] [TransactionId] "replays of a transaction ID that are approved or pending";
    ReplayedPayout "replayed_payout" Conversions Sum(Number::PayoutConfirmed), [PaidReplay] [TransactionId Payout] "payout of approved replays of a transaction ID";
    ReplayedPending "replayed_pending" Conversions Sum(Number::PayoutPending), [PaidReplay] [TransactionId Payout] "payout of pending replays of a transaction ID";
    SharedTransactions "shared_transactions" Conversions Count, [Shared] [TransactionId] "replays of a transaction that another source had claimed";
    AddressedConversions "addressed_conversions" Conversions Count, [HasIp] [Ip] "conversions with an address";
    ConversionAddresses "conversion_addresses" Conversions Distinct(Key::Ip), [HasIp] [Ip] "distinct addresses of conversions";
    ConversionHours "conversion_hours" Conversions Values(Number::Hour), [] [] "conversions by the hour of the conversion";
    ConversionWindows "conversion_windows" Conversions Values(Number::FiveMinutes), [OwnTime] [] "conversions by five minutes";
    CtitRound "ctit_round" Conversions Count, [HasCtit RoundCtit] [] "conversions whole minutes after their click";
    CtitHourLater "ctit_hour_later" Conversions Count, [HasCtit HourLater] [] "conversions more than an hour after their click";
    DueRegistrations "due_registrations" Conversions Count, [RegistrationDue] [Event] "registrations old enough for a first deposit";
    DepositingRegistrations "depositing_registrations" Conversions Count, [RegistrationDue ThenDeposited] [Event] "registrations that led to a first deposit in time";
    DueDeposits "due_deposits" Conversions Count, [DepositDue] [Event] "first deposits old enough for a second one";
    RepeatedDeposits "repeated_deposits" Conversions Count, [DepositDue ThenDepositedAgain] [Event] "first deposits that a second one followed in time";
    CohortD7 "cohort_d7" Conversions Count, [CohortD7] [Event] "registrations within a week of clicks at least a week old";
    DepositedD7 "deposited_d7" Conversions Count, [CohortD7 DepositedD7] [Event] "registrations with a deposit within a week of the click";
    CohortD30 "cohort_d30" Conversions Count, [CohortD30] [Event] "registrations within 30 days of clicks at least 30 days old";
    DepositedD30 "deposited_d30" Conversions Count, [CohortD30 DepositedD30] [Event] "registrations with a deposit within 30 days of the click";
    DepositsD7 "deposits_d7" Conversions Sum(Number::SaleAmountD7), [] [Event SaleAmount] "amounts deposited within a week of clicks at least a week old";
    DepositsD30 "deposits_d30" Conversions Sum(Number::SaleAmountD30), [] [Event SaleAmount] "amounts deposited within 30 days of clicks at least 30 days old";
    CountriesKnown "countries_known" Conversions Count, [CountriesKnown] [Country] "conversions whose country and whose click's country are known";
    CountriesDiffer "countries_differ" Conversions Count, [CountriesKnown CountriesDiffer] [Country] "conversions from another country than their click";
    Amounts "amounts" Conversions Count, [Amount] [SaleAmount] "first payments of players (first deposit, else deposit or sale) with an amount";
    AmountValues "amount_values" Conversions Values(Number::SaleAmount), [Amount] [SaleAmount] "these by amount";
    AmountsAtFloor "amounts_at_floor" Conversions Count, [Amount AtFloor] [SaleAmount] "first payments at the smallest amount of their offer";
    RoundAmounts "round_amounts" Conversions Count, [Amount RoundAmount] [SaleAmount] "first payments of whole tens";
    IdCount "id_count" Conversions Count, [HasClickId] [ClickId] "click IDs that conversions name, each once a source";
    IdForms "id_forms" Conversions Values(Number::IdForm), [HasClickId] [ClickId] "click IDs by their form";
    IdCharacters "id_characters" Conversions Values(Number::IdCharacters), [HasClickId] [ClickId] "the last six letters and digits of click IDs by place";
    ForeignIds "foreign_ids" Conversions Count, [HasClickId ForeignForm] [ClickId] "click IDs without a click and of a form that clicks do not have";
    StepsKnown "steps_known" Conversions Count, [StepKnown] [ClickId] "click IDs that end in a number behind the same beginning as one before";
    Steps "steps" Conversions Count, [StepKnown Step] [ClickId] "of these, IDs that count on by 1 to 16";
    NeighboursKnown "neighbours_known" Conversions Count, [NeighbourKnown] [ClickId] "conversions whose click's visitor is known";
    Neighbours "neighbours" Conversions Count, [NeighbourKnown Neighbour] [ClickId] "of these, clicks at most 5 s after another source's click of the same visitor";
    AnsweredPostbacks "answered_postbacks" Conversions Count, [Answered] [HttpStatus] "conversions whose postback was answered";
    LostPostbacks "lost_postbacks" Conversions Count, [Answered Failed] [HttpStatus] "conversions whose postback failed and was never taken";
    Requests "requests" Conversions Count, [HasRequest] [Request] "conversions whose postback's request is known";
    RetriedRequests "retried_requests" Conversions Count, [HasRequest DeliveredAgain] [Request] "conversions whose postback was delivered more than once";
    ReplayedRequests "replayed_requests" Conversions Count, [HasRequest ReplayedRequest] [Request] "conversions whose request had been taken long before, or from its own sender";
    CheckedSenders "checked_senders" Conversions Count, [SenderKnown] [SenderListed] "conversions whose postback's sender was held against a list";
    ForeignSenders "foreign_senders" Conversions Count, [SenderKnown ForeignSender] [SenderListed] "of these, senders that are not on it";
    CheckedTokens "checked_tokens" Conversions Count, [TokenKnown] [Token] "conversions whose postback was asked for a token";
    MissingTokens "missing_tokens" Conversions Count, [TokenKnown TokenMissing] [Token] "of these, postbacks without one";
    WrongTokens "wrong_tokens" Conversions Count, [TokenKnown TokenWrong] [Token] "of these, postbacks with a wrong one";
    CheckedSignatures "checked_signatures" Conversions Count, [SignatureKnown] [Signature] "conversions whose postback was asked for a signature";
    UnsignedPostbacks "unsigned_postbacks" Conversions Count, [SignatureKnown Unsigned] [Signature] "of these, postbacks without one";
    ForgedPostbacks "forged_postbacks" Conversions Count, [SignatureKnown Forged] [Signature] "of these, postbacks whose signature is not their sender's";
    CheckedMacros "checked_macros" Conversions Count, [MacroKnown] [MacroLeft] "conversions whose postback's macros were looked at";
    LeftMacros "left_macros" Conversions Count, [MacroKnown MacroLeft] [MacroLeft] "of these, postbacks with a macro that was never replaced";
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
