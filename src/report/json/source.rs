//! One audited group in the shape of the report.
//!
//! A report has as many of these as there are sources, so nothing is written that says nothing: no null, no empty
//! list, and no reason twice. What no group has is said once for all of them.

use super::{amount, nights, number, outlook, probability, ruling};
use crate::base::text::Text;
use crate::peers::{Standing, TooFew};
use crate::report::{Report, RunInfo};
use crate::rules::{Evidence, Why};
use crate::signals::{self, Absence, Estimate, Interval, Reading};
use crate::verdicts::{Because, Finding, Judged};
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::Number;
use std::collections::{BTreeMap, BTreeSet};

/// The groups of a report, each made when it is written: all at once would take gigabytes.
pub(super) struct Sources<'r>(pub(super) &'r Report<'r>);

impl Sources<'_> {
    pub(super) fn each(&self) -> impl Iterator<Item = Source<'_>> {
        let ordered = self.0.ordered();
        let frame = Frame { nowhere: nowhere(&ordered), ..Frame::of(&self.0.run) };
        ordered.into_iter().map(move |group| source(group, &frame))
    }
}

impl Serialize for Sources<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.each())
    }
}

/// What is the same for all groups of a report.
pub(super) struct Frame {
    columns: Vec<&'static str>,
    currency: Option<String>,
    /// Signals that no group has, all for one reason.
    nowhere: BTreeSet<&'static str>,
}

impl Frame {
    pub(super) fn of(run: &RunInfo) -> Frame {
        Frame {
            columns: run.grain.columns().iter().map(|c| c.name()).collect(),
            currency: run.currency.as_ref().map(Text::json),
            nowhere: BTreeSet::new(),
        }
    }
}

/// The signals that are absent from all groups for the same reason.
fn nowhere(groups: &[&Judged]) -> BTreeSet<&'static str> {
    let Some((first, others)) = groups.split_first() else { return BTreeSet::new() };
    let absent = |signal: &&'static signals::Signal| match first.subject.row.reading(signal) {
        Reading::Present(_) => false,
        missing => others.iter().all(|group| group.subject.row.reading(signal) == missing),
    };
    signals::all().iter().copied().filter(absent).map(|signal| signal.name).collect()
}

/// One audited group.
#[derive(Serialize, JsonSchema)]
pub(super) struct Source<'g> {
    /// The columns of the grain; null where the rows have no value.
    key: BTreeMap<&'static str, Option<String>>,
    /// block, hold, watch, clean or undecided.
    verdict: &'static str,
    /// The verdict if rules that only observe had their effect.
    would_be: &'static str,
    /// fraud, quality, profit or data: the class of the strongest finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'static str>,
    /// On the protect list: judged as any other, but never listed.
    protected: bool,
    /// The risk from 0 to 100: how probably the group is no ordinary one of its peers, and at least 99 where evidence
    /// that proves itself blocks it. Abnormal, not fraudulent. Not there where nothing could be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<Number>,
    /// The group's p-value over all its comparisons, and its q-value among all groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    p: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    q: Option<Number>,
    /// Significant at the run's false-discovery rate, with an effect that is large enough to matter.
    significant: bool,
    /// The known ways to cheat that fit, the most certain first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    patterns: Vec<&'static str>,
    clicks: u64,
    /// What the traffic of this group cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    money_at_risk: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    /// Conversions by event and status.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    events: BTreeMap<String, BTreeMap<&'static str, u64>>,
    /// Conversions by the word of the anti-fraud service that blocked or flagged them, the commonest 20.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    fraud_reasons: BTreeMap<String, u64>,
    /// Rejected conversions whose reason is known, by its class: quality and fraud count against the source.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    reject_classes: BTreeMap<&'static str, u64>,
    /// Every signal that the group has, by name; in the unit of its declaration (a share is a number from 0 to 1).
    signals: BTreeMap<&'static str, Signal<'g>>,
    /// The signals that it has not, by the reason. What no group of the report has stands in
    /// `coverage.absent_signals` alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    absent: BTreeMap<String, Vec<&'static str>>,
    /// Signals that could not be held against peers, by the reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    not_compared: BTreeMap<String, Vec<&'static str>>,
    /// What fired: with effect, strongest first; then what only observes; then what is suppressed.
    findings: Vec<Fired>,
    /// The deciding rules that could not be decided; with any of them the group is never clean.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    undecided_because: Vec<Undecided>,
    /// How many other rules could not be decided.
    checks_not_possible: usize,
    /// What earlier nights make of it; not there without a store.
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<nights::Kept>,
    #[serde(flatten)]
    outlook: outlook::OfSource,
}

/// A signal of one group.
#[derive(Serialize, JsonSchema)]
struct Signal<'g> {
    value: Number,
    /// The sample that the value rests on.
    n: u64,
    /// The limits of the 95 % interval; a fact that was counted has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    low: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    high: Option<Number>,
    /// The value rests on a cost that was allocated, an assumption below the cost's own grain.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    allocated: bool,
    /// How the value stands against its peers; not there where it was not held against them.
    #[serde(flatten)]
    versus: Option<Versus<'g>>,
}

/// A signal beside its peers.
#[derive(Serialize, JsonSchema)]
struct Versus<'g> {
    /// What peers have.
    #[serde(skip_serializing_if = "Option::is_none")]
    peers: Option<Number>,
    /// How many there are, and at which level they were found.
    peer_count: u32,
    level: &'g str,
    /// How many times the peers' odds (of a share) or value, and the end of its interval nearer to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio_limit: Option<Number>,
    /// The signed distance in standard deviations.
    #[serde(skip_serializing_if = "Option::is_none")]
    z: Option<Number>,
    /// The one-sided p-value on the side where the value lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    p: Option<Number>,
    /// The upper bound of the weight of evidence in decibans.
    #[serde(skip_serializing_if = "Option::is_none")]
    decibans: Option<Number>,
}

/// A rule that fired on a group.
#[derive(Serialize, JsonSchema)]
struct Fired {
    rule: String,
    /// What the rule has found, in one sentence.
    title: String,
    class: &'static str,
    /// active; or observed or suppressed: then it has no effect, and `action` says what it would have been.
    status: &'static str,
    /// Who answers for a suppressed finding, why, and until when; not there for any other.
    #[serde(skip_serializing_if = "Option::is_none")]
    suppression: Option<ruling::OfFinding>,
    /// block, hold, watch or note, after any reduction.
    action: &'static str,
    /// Why the action is weaker than the rule's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    reduced: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    money: Option<String>,
    evidence: Vec<Test>,
}

/// One test of a rule that held.
#[derive(Serialize, JsonSchema)]
struct Test {
    signal: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Number>,
    n: u64,
    /// The limits of the interval at `confidence`; the test is on them, not on the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    low: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    high: Option<Number>,
    /// above, below or between: where the interval lies; present where only the presence was tested.
    op: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<Number>,
    /// The upper limit of `between`.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit_high: Option<Number>,
    /// What the group itself had, where the test is against its own past; `limit` is how many times that.
    #[serde(skip_serializing_if = "Option::is_none")]
    own: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<Number>,
    /// The rows of the group that it is about, in words; absent where it is about all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<String>,
}

/// A deciding rule that could not be decided.
#[derive(Serialize, JsonSchema)]
struct Undecided {
    rule: String,
    reasons: Vec<Reason>,
}

/// What a rule would have needed.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum Reason {
    Absent {
        signal: &'static str,
        absent: String,
    },
    Sample {
        signal: &'static str,
        n: u64,
        needed: u64,
    },
    /// A comparison with peers was not possible; without a signal, none at all.
    Peers {
        #[serde(skip_serializing_if = "Option::is_none")]
        signal: Option<&'static str>,
        peers: String,
    },
    /// The groups are not made of a column that the rule tests.
    Column {
        column: &'static str,
        absent: String,
    },
    /// None of the rows that the rule asks about can be judged.
    Rows {
        rows: String,
    },
}

pub(super) fn source<'g>(group: &'g Judged, frame: &Frame) -> Source<'g> {
    let key = frame.columns.iter().zip(&group.subject.key);
    let Readings { signals, absent, not_compared } = readings(group, frame);
    Source {
        key: key.map(|(&name, part)| (name, part.as_ref().map(Text::json))).collect(),
        verdict: group.verdict.word(),
        would_be: group.would_be.word(),
        class: group.class.map(|c| c.word()),
        protected: group.protected,
        score: group.score().and_then(number),
        p: group.subject.profile.ln_p.and_then(probability),
        q: group.subject.profile.q.and_then(number),
        significant: group.subject.profile.significant,
        patterns: group.subject.profile.patterns.iter().map(|(p, _)| p.word()).collect(),
        clicks: group.subject.clicks,
        cost: amount(group.subject.spend),
        money_at_risk: amount(group.money_at_risk),
        currency: frame.currency.clone(),
        events: events(group),
        reject_classes: group.subject.reject_classes.iter().copied().collect(),
        fraud_reasons: group.subject.fraud_reasons.iter().map(|(word, n)| (word.json(), *n)).collect(),
        signals,
        absent,
        not_compared,
        findings: findings(group),
        undecided_because: group.unknown.iter().map(|(rule, why)| undecided(&rule.id, why)).collect(),
        checks_not_possible: group.not_possible,
        history: group.kept.as_deref().map(|kept| nights::kept(kept, group.verdict)),
        outlook: outlook::of_source(&group.outlook),
    }
}

fn events(group: &Judged) -> BTreeMap<String, BTreeMap<&'static str, u64>> {
    let mut events: BTreeMap<String, BTreeMap<&'static str, u64>> = BTreeMap::new();
    for (event, status, count) in &group.subject.events {
        *events.entry(event.json()).or_default().entry(status).or_default() += count;
    }
    events
}

/// Signals by name, and the others by reason.
#[derive(Default)]
struct Readings<'g> {
    signals: BTreeMap<&'static str, Signal<'g>>,
    absent: BTreeMap<String, Vec<&'static str>>,
    not_compared: BTreeMap<String, Vec<&'static str>>,
}

fn readings<'g>(group: &'g Judged, frame: &Frame) -> Readings<'g> {
    let mut absent: BTreeMap<&Absence, Vec<&'static str>> = BTreeMap::new();
    let mut not_compared: [(TooFew, Vec<&'static str>); 2] =
        [TooFew::Peers, TooFew::Sample].map(|why| (why, vec![]));
    let mut signals = BTreeMap::new();
    for (signal, reading) in group.subject.row.each() {
        let estimate = match reading {
            Reading::Absent(_) if frame.nowhere.contains(signal.name) => continue,
            Reading::Absent(why) => {
                absent.entry(why).or_default().push(signal.name);
                continue;
            }
            Reading::Present(estimate) => estimate,
        };
        let standing = group.subject.profile.standing(signal);
        match present(estimate, standing) {
            Some(present) => drop(signals.insert(signal.name, present)),
            None => absent.entry(&NOT_FINITE).or_default().push(signal.name),
        }
        if let Standing::TooFew(found) = standing {
            let of_reason = not_compared.iter_mut().filter(|(why, _)| why == found);
            of_reason.for_each(|(_, names)| names.push(signal.name));
        }
    }
    let mut by_reason: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    for (why, names) in absent {
        by_reason.entry(why.to_string()).or_default().extend(names);
    }
    let told = not_compared.into_iter().filter(|(_, names)| !names.is_empty());
    Readings {
        signals,
        absent: by_reason,
        not_compared: told.map(|(why, names)| (why.to_string(), names)).collect(),
    }
}

/// What is no number cannot be written; signals refuse it before.
const NOT_FINITE: Absence = Absence::Fact("not a finite number");

fn present<'g>(estimate: &Estimate, standing: &'g Standing) -> Option<Signal<'g>> {
    let (low, high) = estimate.printed();
    let limit = |limit: f64| match estimate.interval {
        Interval::Exact(_) => None,
        _ => number(limit),
    };
    Some(Signal {
        value: number(estimate.value())?,
        n: estimate.n,
        low: limit(low),
        high: limit(high),
        allocated: estimate.allocated,
        versus: versus(standing),
    })
}

fn versus(standing: &Standing) -> Option<Versus<'_>> {
    let Standing::Compared(v) = standing else { return None };
    Some(Versus {
        peers: number(v.expected),
        peer_count: v.peers,
        level: &v.level,
        ratio: number(v.ratio),
        ratio_limit: number(v.ratio_limit),
        z: number(v.z),
        p: v.ln_p(v.direction).and_then(probability),
        decibans: number(v.decibans),
    })
}

fn findings(group: &Judged) -> Vec<Fired> {
    let active = group.findings.iter().map(|finding| fired(finding, None));
    active.chain(group.idle.iter().map(|idle| fired(&idle.finding, Some(&idle.because)))).collect()
}

fn fired(finding: &Finding, idle: Option<&Because>) -> Fired {
    Fired {
        status: idle.map_or("active", Because::word),
        suppression: idle.and_then(ruling::suppression),
        rule: finding.rule.id.clone(),
        title: finding.title.clone(),
        class: finding.rule.class.word(),
        action: finding.action.word(),
        reduced: finding.reduced,
        money: amount(finding.money),
        evidence: finding.evidence.iter().map(test).collect(),
    }
}

fn test(evidence: &Evidence) -> Test {
    let (low, high) = evidence.estimate.at(evidence.confidence);
    let mut limits = evidence.limit.values().into_iter().map(number);
    Test {
        signal: evidence.signal.name,
        value: number(evidence.estimate.value()),
        n: evidence.estimate.n,
        low: number(low),
        high: number(high),
        op: evidence.limit.word(),
        limit: limits.next().flatten(),
        limit_high: limits.next().flatten(),
        own: evidence.own.and_then(|own| number(own.value)),
        confidence: number(evidence.confidence),
        rows: evidence.cut.as_ref().map(ToString::to_string),
    }
}

fn undecided(rule: &str, why: &[Why]) -> Undecided {
    let reason = |why: &Why| match why {
        Why::Absent { signal, absence } => {
            Reason::Absent { signal: signal.name, absent: absence.to_string() }
        }
        Why::Sample { signal, n, needed } => Reason::Sample { signal: signal.name, n: *n, needed: *needed },
        Why::Peers { signal, why } => Reason::Peers { signal: Some(signal.name), peers: why.to_string() },
        Why::Uncompared => Reason::Peers { signal: None, peers: why.to_string() },
        Why::NoHistory { signal } => Reason::Absent {
            signal: signal.name,
            absent: "there are no stored runs to compare with".to_owned(),
        },
        Why::ShortHistory { signal } => Reason::Absent {
            signal: signal.name,
            absent: "there are too few stored runs to compare with".to_owned(),
        },
        Why::Column(column) => Reason::Column {
            column: column.name(),
            absent: "the groups are not made of this column".to_owned(),
        },
        Why::TooYoung(_) | Why::Untold(_) => Reason::Rows { rows: why.to_string() },
    };
    Undecided { rule: rule.to_owned(), reasons: why.iter().map(reason).collect() }
}
