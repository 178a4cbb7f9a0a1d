//! What only a log of postbacks tells: who sent them, whether they arrived, which are equal.
//!
//! Where no log was read, or nothing was declared to hold it against, the signal is absent: nobody is on no list.

use super::{Absence, Against, Estimate, Family, Group, IntervalKind, Side, Signal, Suspicious};
use crate::base::column::Col;
use crate::base::unit::Unit;
use crate::measures::{M, Rows};

/// The signals of this table.
pub const SIGNALS: &[Signal] = &[
    Signal {
        name: "forged_postback_count",
        unit: Unit::Count,
        family: Family::Postbacks,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Exact,
        against: Against::Nothing,
        min_sample: 0,
        sample: "postbacks that were asked for a signature",
        range: (0.0, f64::MAX),
        summary: "postbacks whose signature does not fit what they say under the agreed secret",
        innocent: &[
            "a secret that was changed in the window",
            "a rival who sends postbacks in this source's name: see where they come from",
        ],
        measures: &[M::ForgedPostbacks, M::CheckedSignatures],
        formula: |g| signatures(g, count(g, M::ForgedPostbacks, M::CheckedSignatures)),
    },
    Signal {
        name: "forged_postback_share",
        unit: Unit::Share,
        family: Family::Postbacks,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Nothing,
        min_sample: 20,
        sample: "postbacks that were asked for a signature",
        range: (0.0, 1.0),
        summary: "postbacks whose signature does not fit what they say under the agreed secret",
        innocent: &[
            "a secret that was changed in the window",
            "a rival who sends postbacks in this source's name: see where they come from",
        ],
        measures: &[M::ForgedPostbacks, M::CheckedSignatures],
        formula: |g| signatures(g, g.share(M::ForgedPostbacks, M::CheckedSignatures, SIGNED)),
    },
    Signal {
        name: "unsigned_postback_share",
        unit: Unit::Share,
        family: Family::Postbacks,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Nothing,
        min_sample: 20,
        sample: "postbacks that were asked for a signature",
        range: (0.0, 1.0),
        summary: "postbacks without the signature that was agreed on",
        innocent: &["an offer or event that its network does not sign"],
        measures: &[M::UnsignedPostbacks, M::CheckedSignatures],
        formula: |g| signatures(g, g.share(M::UnsignedPostbacks, M::CheckedSignatures, SIGNED)),
    },
    Signal {
        name: "wrong_token_share",
        unit: Unit::Share,
        family: Family::Postbacks,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Nothing,
        min_sample: 20,
        sample: "postbacks that were asked for a token",
        range: (0.0, 1.0),
        summary: "postbacks with another token than the agreed one",
        innocent: &["a token that was changed in the window", "a macro of the network in its place"],
        measures: &[M::WrongTokens, M::CheckedTokens],
        formula: |g| tokens(g, g.share(M::WrongTokens, M::CheckedTokens, TOKENS)),
    },
    Signal {
        name: "missing_token_share",
        unit: Unit::Share,
        family: Family::Postbacks,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Nothing,
        min_sample: 20,
        sample: "postbacks that were asked for a token",
        range: (0.0, 1.0),
        summary: "postbacks without the token that was agreed on",
        innocent: &["an offer whose postback link lacks it"],
        measures: &[M::MissingTokens, M::CheckedTokens],
        formula: |g| tokens(g, g.share(M::MissingTokens, M::CheckedTokens, TOKENS)),
    },
    Signal {
        name: "foreign_sender_share",
        unit: Unit::Share,
        family: Family::Postbacks,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Nothing,
        min_sample: 20,
        sample: "postbacks whose sender was held against a list",
        range: (0.0, 1.0),
        summary: "postbacks from an address that is not on the list of senders",
        innocent: &[
            "a network that moved its servers or added some",
            "postbacks that a browser fires: say so under fired_by",
            "a proxy in front of the server: see forwarded",
        ],
        measures: &[M::ForeignSenders, M::CheckedSenders],
        formula: |g| senders(g, g.share(M::ForeignSenders, M::CheckedSenders, SENDERS)),
    },
    Signal {
        name: "replayed_postback_count",
        unit: Unit::Count,
        family: Family::Duplicates,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Exact,
        against: Against::Nothing,
        min_sample: 0,
        sample: "conversions from a log",
        range: (0.0, f64::MAX),
        summary: "requests that came again although they had been taken more than a day before, or came again from a foreign sender",
        innocent: &["a network that sends a whole day again after a fault"],
        measures: &[M::ReplayedRequests, M::Requests],
        formula: |g| logged(g, Col::Request, count(g, M::ReplayedRequests, M::Requests)),
    },
    Signal {
        name: "replayed_postback_share",
        unit: Unit::Share,
        family: Family::Duplicates,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Nothing,
        min_sample: 20,
        sample: "conversions from a log",
        range: (0.0, 1.0),
        summary: "requests that came again although they had been taken more than a day before, or came again from a foreign sender",
        innocent: &["a network that sends a whole day again after a fault"],
        measures: &[M::ReplayedRequests, M::Requests],
        formula: |g| logged(g, Col::Request, g.share(M::ReplayedRequests, M::Requests, LOGGED)),
    },
    Signal {
        name: "retried_postback_share",
        unit: Unit::Share,
        family: Family::Data,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Nothing,
        min_sample: 20,
        sample: "conversions from a log",
        range: (0.0, 1.0),
        summary: "postbacks that were delivered more than once",
        innocent: &["a network that sends every postback twice to be sure"],
        measures: &[M::RetriedRequests, M::Requests],
        formula: |g| logged(g, Col::Request, g.share(M::RetriedRequests, M::Requests, LOGGED)),
    },
    Signal {
        name: "lost_postback_share",
        unit: Unit::Share,
        family: Family::Data,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Nothing,
        min_sample: 20,
        sample: "postbacks whose answer is known",
        range: (0.0, 1.0),
        summary: "postbacks that failed and never came again: conversions that the receiver does not have",
        innocent: &["a receiver that was down", "a receiver that refuses what it cannot use"],
        measures: &[M::LostPostbacks, M::AnsweredPostbacks],
        formula: |g| logged(g, Col::HttpStatus, g.share(M::LostPostbacks, M::AnsweredPostbacks, ANSWERED)),
    },
    Signal {
        name: "postback_macro_share",
        unit: Unit::Share,
        family: Family::Data,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Nothing,
        min_sample: 20,
        sample: "conversions from a log",
        range: (0.0, 1.0),
        summary: "postbacks with a macro that their sender never replaced",
        innocent: &["a postback link set up wrongly"],
        measures: &[M::LeftMacros, M::CheckedMacros],
        formula: |g| logged(g, Col::MacroLeft, g.share(M::LeftMacros, M::CheckedMacros, LOGGED)),
    },
];

const SIGNED: &str = "postbacks that were asked for a signature";
const TOKENS: &str = "postbacks that were asked for a token";
const SENDERS: &str = "postbacks whose sender was held against a list";
const LOGGED: &str = "conversions from a log of postbacks";
const ANSWERED: &str = "postbacks whose answer is known";

/// A count of nothing is no fact.
fn count(group: &Group, part: M, whole: M) -> Result<Estimate, Absence> {
    match group.count(whole)? {
        0 => Err(Absence::Nothing("postbacks that this can be told of")),
        _ => group.exact_count(part, whole),
    }
}

const NO_LOG: &str = "no log of postbacks was read";

/// Says what would have to be there for a column that only a log has.
fn told(
    group: &Group,
    column: Col,
    without: &'static str,
    estimate: Result<Estimate, Absence>,
) -> Result<Estimate, Absence> {
    let mapped = &group.context.mapped[Rows::Conversions as usize];
    let is_log = mapped.contains(&Col::Request) || mapped.contains(&Col::ReceiptOrder);
    estimate.map_err(|absence| match absence {
        Absence::Columns(..) if !mapped.contains(&column) => {
            Absence::Fact(if is_log { without } else { NO_LOG })
        }
        other => other,
    })
}

fn signatures(group: &Group, estimate: Result<Estimate, Absence>) -> Result<Estimate, Absence> {
    told(group, Col::Signature, "no log of postbacks with a declared signature was read", estimate)
}

fn tokens(group: &Group, estimate: Result<Estimate, Absence>) -> Result<Estimate, Absence> {
    told(group, Col::Token, "no log of postbacks with a declared token was read", estimate)
}

fn senders(group: &Group, estimate: Result<Estimate, Absence>) -> Result<Estimate, Absence> {
    told(group, Col::SenderListed, "no log of postbacks with a list of senders was read", estimate)
}

fn logged(group: &Group, column: Col, estimate: Result<Estimate, Absence>) -> Result<Estimate, Absence> {
    told(group, column, "the log of postbacks does not say", estimate)
}
