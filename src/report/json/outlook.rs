//! The estimates beside the verdicts, in the shape of the report.

use super::{amount, number, probability};
use crate::base::text::Text;
use crate::peers::anomaly::Odd;
use crate::peers::expected_loss::Loss;
use crate::peers::shrink::Estimate;
use crate::report::Report;
use crate::verdicts::{Clawback, Counted, Judged, Outlook, Resold};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Number;
use std::collections::BTreeMap;

/// The columns of a group's key.
pub(super) type Key = BTreeMap<&'static str, Option<String>>;

/// Estimates beside the verdict of one source: for ranking and tables; no verdict rests on them.
#[derive(Serialize, JsonSchema)]
pub(super) struct OfSource {
    /// The cluster of sources that send the same visitors; not there if it is in none.
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<usize>,
    /// How many other sources send the same visitors.
    shared_sources: usize,
    /// Clean, ordinary and profitable beyond the target: on the list `scale`.
    scalable: bool,
    /// Not there where payouts are unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    money: Option<Money>,
    /// The conversion rate to expect, drawn towards the peers; never tested with.
    #[serde(skip_serializing_if = "Option::is_none")]
    cr_expected: Option<Expected>,
    /// The earning per mature click to expect, drawn towards the peers.
    #[serde(skip_serializing_if = "Option::is_none")]
    epc_expected: Option<Number>,
}

/// What the source may cost. All but the first are estimates on the assumptions in `run.parameters`, and not
/// there where nothing was compared.
#[derive(Serialize, JsonSchema)]
struct Money {
    /// Payouts of exact replays, the first part of `claim_back`: no estimate. not there where transactions are
    /// unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    recoverable_now: Option<String>,
    /// What can be claimed back: no estimate. not there where no single conversions or no amounts are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    claim_back: Option<ClaimBack>,
    /// The payout of the window that is probably faked; `money_at_risk` is what findings prove at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    at_risk: Option<String>,
    /// What a block is expected to save: `loss_keep` less `loss_block`, at least 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_saving: Option<String>,
    /// The expected loss if the source stays, and if it is blocked.
    #[serde(skip_serializing_if = "Option::is_none")]
    loss_keep: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    loss_block: Option<String>,
    /// More is at risk than holding the payout costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    worth_holding: Option<bool>,
}

/// Payouts of approved and pending conversions that are wrong by count; each is in one part.
#[derive(Serialize, JsonSchema)]
struct ClaimBack {
    total: String,
    /// Of transactions that were sent again.
    replays: String,
    /// Of conversions before their click.
    before_click: String,
    /// Of once-only events that were sent again on one click.
    repeated_events: String,
}

/// A posterior mean with its 95 % limits.
#[derive(Serialize, JsonSchema)]
struct Expected {
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    low: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    high: Option<Number>,
}

/// Sources that send the same visitors under several names. This alone accuses nobody: zones of one site do so.
#[derive(Serialize, JsonSchema)]
pub(super) struct Cluster {
    /// The number by which sources name it.
    cluster: usize,
    members: Vec<Key>,
    /// Two linked members share at least about so many networks (/24, /48).
    shared_networks: u64,
    /// `networks` or `clicks`: what the similarity is of.
    similarity_of: &'static str,
    /// The overlap of networks (Jaccard) in the weakest link, and the largest that was expected for a link. Of clicks:
    /// the share of each member's that comes from networks which hardly send a click to anybody else.
    similarity: Option<Number>,
    expected_similarity: Option<Number>,
    /// The least agreement of user agents in a link; null where they are unknown.
    agent_similarity: Option<Number>,
    /// The strongest verdict of a member, clean only if all are; and how many members have it.
    verdict: &'static str,
    carried_by: usize,
    /// The members' p-values, combined by Cauchy's method with equal weights.
    p: Option<Number>,
    clicks: u64,
    cost: Option<String>,
    money_at_risk: Option<String>,
}

/// A source that is odd over all signals together. Among any hundred one is the oddest: no verdict.
#[derive(Serialize, JsonSchema)]
pub(super) struct OddSource {
    key: Key,
    verdict: &'static str,
    /// The score of an isolation forest; ordinary sources lie below 0.5.
    score: Option<Number>,
    /// rank / (compared sources + 1).
    rank_p: Option<Number>,
    /// The signals that are farthest on their suspicious side.
    signals: Vec<Far>,
}

/// A signal and its distance from the peers in standard deviations.
#[derive(Serialize, JsonSchema)]
struct Far {
    signal: &'static str,
    z: Option<Number>,
}

pub(super) fn of_source(outlook: &Outlook) -> OfSource {
    let expected = outlook.expected;
    OfSource {
        cluster: outlook.shared.map(|shared| shared.cluster + 1),
        shared_sources: outlook.shared.map_or(0, |shared| shared.others),
        scalable: outlook.scalable,
        money: money(outlook),
        cr_expected: expected.map(|e| estimate(&e.cr)),
        epc_expected: expected.and_then(|e| e.epc).and_then(number),
    }
}

fn money(outlook: &Outlook) -> Option<Money> {
    let claim_back = outlook.clawback.as_ref().and_then(claim_back);
    if outlook.loss.is_none() && outlook.recoverable_now.is_none() && claim_back.is_none() {
        return None;
    }
    let of = |part: fn(&Loss) -> crate::base::money::Micro| amount(outlook.loss.as_ref().map(part));
    Some(Money {
        recoverable_now: amount(outlook.recoverable_now),
        claim_back,
        at_risk: of(|loss| loss.money_at_risk),
        expected_saving: of(|loss| loss.expected_saving),
        loss_keep: of(|loss| loss.loss_keep),
        loss_block: of(|loss| loss.loss_block),
        worth_holding: outlook.loss.map(|loss| loss.worth_holding),
    })
}

fn claim_back(clawback: &Clawback) -> Option<ClaimBack> {
    let part = |counted: Counted| counted.amount.unwrap_or_default().to_cents();
    Some(ClaimBack {
        total: clawback.total().amount?.to_cents(),
        replays: part(clawback.replays),
        before_click: part(clawback.before_click),
        repeated_events: part(clawback.repeats),
    })
}

fn estimate(estimate: &Estimate) -> Expected {
    Expected { value: number(estimate.mean), low: number(estimate.low), high: number(estimate.high) }
}

pub(super) fn clusters(report: &Report) -> Vec<Cluster> {
    let cluster = |(at, (resold, members)): (usize, (&Resold, Vec<&Judged>))| Cluster {
        cluster: at + 1,
        members: members.into_iter().map(|member| key(report, member)).collect(),
        shared_networks: resold.shared_networks,
        similarity_of: if resold.of_clicks { "clicks" } else { "networks" },
        similarity: number(resold.overlap),
        expected_similarity: number(resold.expected_overlap),
        agent_similarity: resold.agents.and_then(number),
        verdict: resold.verdict.word(),
        carried_by: resold.carried_by,
        p: resold.ln_p.and_then(probability),
        clicks: resold.clicks,
        cost: amount(resold.cost),
        money_at_risk: amount(resold.money_at_risk),
    };
    report.clusters.iter().zip(report.clustered()).enumerate().map(cluster).collect()
}

pub(super) fn odd(report: &Report) -> Vec<OddSource> {
    let far = |&(signal, z): &(&'static str, f64)| Far { signal, z: number(z) };
    let source = |(group, odd): (&Judged, &Odd)| OddSource {
        key: key(report, group),
        verdict: group.verdict.word(),
        score: number(odd.oddness.score),
        rank_p: number(odd.oddness.rank_p),
        signals: odd.signals.iter().map(far).collect(),
    };
    report.odd().into_iter().map(source).collect()
}

fn key(report: &Report, group: &Judged) -> Key {
    let columns = report.run.grain.columns().iter().zip(&group.subject.key);
    columns.map(|(column, part)| (column.name(), part.as_ref().map(Text::json))).collect()
}
