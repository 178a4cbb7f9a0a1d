//! One audited group in the shape of the report.
//!
//! A report has as many of these as there are sources, so nothing is written that says nothing: no null, no empty
//! list, and no reason twice. What no group has is said once for all of them.

use super::outline::OneLine;
use super::readings::{Part, Pen, Readings, Signal, Written, nowhere};
use super::{amount, nights, number, outlook, probability, ruling};
use crate::base::text::Text;
use crate::report::{Report, RunInfo};
use crate::rules::{Evidence, Why};
use crate::verdicts::{Because, Finding, Judged};
use schemars::JsonSchema;
use serde::ser::{self, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::Number;
use std::collections::BTreeMap;

/// The groups of a report, each made when it is written: all at once would take gigabytes.
pub(super) struct Sources<'r> {
    pub(super) report: &'r Report<'r>,
    /// Takes every source as bytes, too, for another output of the same run.
    pub(super) also: Also<'r>,
}

/// What else takes every source.
pub(super) type Also<'r> = Option<&'r dyn Fn(&[u8])>;

impl Sources<'_> {
    /// Hands over one group after the other, as JSON on one line.
    pub(super) fn each<E: ser::Error>(&self, mut take: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let ordered = self.report.ordered();
        let (frame, nowhere) = (Frame::of(&self.report.run), nowhere(&ordered));
        let (mut pen, mut line) = (Pen::new(), Vec::new());
        ordered.into_iter().try_for_each(|group| {
            line.clear();
            let source = source(group, &frame, pen.write(group, &nowhere));
            let mut out = serde_json::Serializer::with_formatter(&mut line, OneLine);
            source.serialize(&mut out).map_err(E::custom)?;
            take(&line)
        })
    }
}

impl Serialize for Sources<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sources = serializer.serialize_seq(None)?;
        self.each(|line| {
            self.also.iter().for_each(|also| also(line));
            sources.serialize_element(&Written(line))
        })?;
        sources.end()
    }
}

/// What is the same for all groups of a report.
pub(super) struct Frame {
    columns: Vec<&'static str>,
    currency: Option<String>,
}

impl Frame {
    pub(super) fn of(run: &RunInfo) -> Frame {
        Frame {
            columns: run.grain.columns().iter().map(|c| c.name()).collect(),
            currency: run.currency.as_ref().map(Text::json),
        }
    }
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
    /// The risk from 0 to 100: how probably, at least, the group is no ordinary one of its peers; 99 or more where evidence
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
    currency: Option<&'g str>,
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
    #[schemars(with = "BTreeMap<&'static str, Signal<'g>>")]
    signals: Part<'g, &'static str, Signal<'g>>,
    /// The signals that it has not, by the reason. What no group of the report has stands in
    /// `coverage.absent_signals` alone.
    #[serde(default, skip_serializing_if = "Part::is_empty")]
    #[schemars(with = "BTreeMap<String, Vec<&'static str>>")]
    absent: Part<'g, String, Vec<&'static str>>,
    /// Signals that could not be held against peers, by the reason.
    #[serde(default, skip_serializing_if = "Part::is_empty")]
    #[schemars(with = "BTreeMap<String, Vec<&'static str>>")]
    not_compared: Part<'g, String, Vec<&'static str>>,
    /// What fired: with effect, strongest first; then what only observes; then what is suppressed.
    findings: Vec<Fired>,
    /// The deciding rules that could not be decided; with any of them the group is never clean.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    undecided_because: Vec<Undecided<'g>>,
    /// How many other rules could not be decided.
    checks_not_possible: usize,
    /// What earlier nights make of it; not there without a store.
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<nights::Kept>,
    #[serde(flatten)]
    outlook: outlook::OfSource,
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
struct Undecided<'g> {
    rule: &'g str,
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

pub(super) fn source<'g>(group: &'g Judged, frame: &'g Frame, readings: Readings<'g>) -> Source<'g> {
    let key = frame.columns.iter().zip(&group.subject.key);
    let Readings { signals, absent, not_compared } = readings;
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
        currency: frame.currency.as_deref(),
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

fn undecided<'g>(rule: &'g str, why: &[Why]) -> Undecided<'g> {
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
    Undecided { rule, reasons: why.iter().map(reason).collect() }
}
