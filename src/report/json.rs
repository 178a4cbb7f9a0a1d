//! The report as JSON: a contract with a version and a published schema, to which fields are only added.
//!
//! Amounts are decimal text, signals are numbers in the unit of their declaration, what is absent is said to be
//! absent with its reason and is never zero. Readers have to expect words they do not know in `verdict`,
//! `action` and `class`. The structs are the shape; they hold no logic.

mod lines;
mod nights;
mod outlook;
mod page;
mod rule;
mod ruling;

pub use lines::FORMAT as LINES_FORMAT;
pub use page::page;
pub use rule::rule_page;

use super::output::{failed, run_id};
use super::{AbsentSignal, Format, Gate, InputInfo, Kind, List, Look, Rendered, Report, RowCount, RunInfo};
use crate::base::error::Result;
use crate::base::money::Micro;
use crate::base::privacy::Pii;
use crate::base::text::{JsonWriter, Text};
use crate::base::time;
use crate::measures;
use crate::peers::{self, Standing, Summary, TooFew};
use crate::rules::{Evidence, Why};
use crate::signals::{self, Reading};
use crate::verdicts::{Because, Finding, Judged};
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::Number;
use std::collections::BTreeMap;
use std::io::Write;

/// Raised only when a field changes its meaning or goes away.
const SCHEMA_VERSION: u32 = 1;

/// The report of one clickaudit run.
#[derive(Serialize, JsonSchema)]
struct Document<'r> {
    /// The version of this format: fields are only ever added to it.
    schema_version: u32,
    run: Run,
    coverage: Coverage,
    totals: Totals,
    /// What the comparison of the groups with their peers came to.
    peers: Peers,
    /// Days of an offer, a network or the whole input on which conversions of most sources are missing. Nothing
    /// that waits for a conversion is counted on them: they judge no source.
    incidents: Vec<Incident>,
    /// Networks of one offer, compared on the zones they share; only where offers and networks are audited.
    siblings: Vec<Sibling>,
    lists: Lists,
    /// Sources that send the same visitors under several names.
    clusters: Vec<outlook::Cluster>,
    /// Sources worth a look besides those at hold and block: no verdict.
    odd: Vec<outlook::OddSource>,
    /// The night before in the store; null without a store.
    history: Option<nights::History>,
    /// What each rule said of the groups it was asked about, by id.
    rules: Vec<ruling::Tally>,
    /// The audited groups: by verdict from the most severe, then by money at risk, then by key.
    #[schemars(with = "Vec<Source>")]
    sources: Sources<'r>,
}

/// The groups of a report, each made when it is written: all at once would take gigabytes.
struct Sources<'r>(&'r Report<'r>);

impl Sources<'_> {
    fn each(&self) -> impl Iterator<Item = Source> {
        let run = &self.0.run;
        let currency = run.currency.as_ref().map(Text::json);
        let columns: Vec<&'static str> = run.grain.columns().iter().map(|c| c.name()).collect();
        self.0.ordered().into_iter().map(move |g| source(g, &columns, currency.as_deref()))
    }
}

impl Serialize for Sources<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_seq(self.each())
    }
}

/// A rate that amounts were exchanged at.
#[derive(Serialize, JsonSchema)]
struct RateUsed {
    currency: String,
    /// The day the rate is of; null for a constant of the mapping.
    day: Option<String>,
    /// Units of the report's currency for one unit.
    rate: String,
}

/// What was run on what.
#[derive(Serialize, JsonSchema)]
struct Run {
    /// The same for the same inputs, rules, settings and version; the run's manifest has it, too.
    id: String,
    /// The version of clickaudit.
    version: &'static str,
    inputs: Vec<Input>,
    /// Digest of the rule set.
    rules_digest: String,
    rules_count: usize,
    rules: ruling::RulesOfRun,
    /// The whole run only observes: findings say what would have been, and nothing is listed.
    observe: bool,
    /// The columns that make one group.
    grain: Vec<&'static str>,
    window: Option<Window>,
    /// The moment (UTC) up to which the input is taken to be complete.
    as_of: Option<String>,
    /// The time zone in which days are cut.
    tz: String,
    /// Whose cost and revenue are meant: buyer, network or advertiser.
    perspective: &'static str,
    currency: Option<String>,
    /// The rates that amounts in other currencies were exchanged at.
    rates: Vec<RateUsed>,
    /// Clicks younger than this are no evidence of missing conversions.
    maturity_s: u64,
    /// Whatever else was set for this run.
    parameters: BTreeMap<&'static str, String>,
}

/// The first and the last click day, both included.
#[derive(Serialize, JsonSchema)]
struct Window {
    first_day: String,
    last_day: String,
}

/// One input file.
#[derive(Serialize, JsonSchema)]
struct Input {
    path: String,
    /// What the file was read as: clicks, conversions, combined, report, costs.
    side: &'static str,
    digest: String,
    /// The preset or mapping that read the file.
    preset: String,
    rows: Rows,
}

/// Rows read = used + rejected + duplicate.
#[derive(Serialize, JsonSchema)]
struct Rows {
    read: u64,
    used: u64,
    /// Rows that could not be used, by reason.
    rejected: BTreeMap<String, u64>,
    /// Rows that say what another row already said, by reason.
    duplicate: BTreeMap<String, u64>,
}

/// How much of the input the verdicts rest on.
#[derive(Serialize, JsonSchema)]
struct Coverage {
    /// null where no clicks were given.
    clicks: Option<Rows>,
    /// null where no conversions were given.
    conversions: Option<Rows>,
    /// How the conversions relate to the clicks: matched, orphan, outside_span, older_click (with a store), before_click, retry, update,
    /// replay, without_id.
    conversion_classes: BTreeMap<&'static str, u64>,
    /// Click IDs that stand under two sources.
    conflicts: u64,
    absent_signals: Vec<Missing>,
    /// Reasons why the whole input cannot be judged; with any of them no list is written.
    gates: Vec<FiredGate>,
    notes: Vec<String>,
}

/// A signal that some groups do not have.
#[derive(Serialize, JsonSchema)]
struct Missing {
    signal: &'static str,
    reason: String,
    groups: u64,
}

/// A check on the whole input that fired.
#[derive(Serialize, JsonSchema)]
struct FiredGate {
    name: &'static str,
    sentence: String,
}

/// The whole input in numbers; amounts are decimal text, null where they cannot be said.
#[derive(Serialize, JsonSchema)]
struct Totals {
    clicks: u64,
    conversions: u64,
    cost: Option<String>,
    revenue: Option<String>,
    profit: Option<String>,
    payout: Option<String>,
}

/// The comparison of groups with their peers.
#[derive(Serialize, JsonSchema)]
struct Peers {
    /// Groups that could be compared in at least one signal.
    tested: usize,
    /// Groups that are significant, before the effect is asked for.
    significant: usize,
    /// The estimated share of ordinary groups.
    ordinary_share: Option<Number>,
    /// Decoys per discovery: an estimate of the false share that needs no model of honest sources.
    mirror_fdr: Option<Number>,
    /// The standard deviation between honest groups by signal, below and above their location.
    spreads: BTreeMap<&'static str, [Option<Number>; 2]>,
}

/// Days on which conversions of most sources are missing: a cap, a landing page that is down, lost postbacks.
#[derive(Serialize, JsonSchema)]
struct Incident {
    /// offer or network; null for the whole input.
    column: Option<&'static str>,
    name: Option<String>,
    /// Both included.
    first_day: String,
    last_day: String,
    /// Converted clicks that the sources would have brought, and the limits that hold in 95 of 100 cases.
    expected: Option<Number>,
    low: Option<Number>,
    high: Option<Number>,
    observed: u64,
    /// Sources (small ones are taken together) that expected enough to tell, and those of them that fell.
    sources_told: usize,
    sources_fell: usize,
    /// The chance of so few conversions.
    p: Option<Number>,
}

/// One network of an offer beside another: evidence about the network, never about a source.
#[derive(Serialize, JsonSchema)]
struct Sibling {
    offer: String,
    /// The network with fewer conversions, and the other one.
    network: String,
    against: String,
    /// The ratio of their conversion rates, at most 1, with its 95 % interval.
    ratio: Option<Number>,
    low: Option<Number>,
    high: Option<Number>,
    /// Zones that send clicks to both.
    zones: usize,
    p: Option<Number>,
    q: Option<Number>,
    /// Significant, and a fifth or more behind: shaving, or a worse landing page.
    behind: bool,
}

/// What this run allows to be put on lists.
#[derive(Serialize, JsonSchema)]
struct Lists {
    /// For fraud, quality and broken data.
    block: IdList,
    /// For losing money; never evidence of anything else.
    profit: IdList,
    /// Clean sources whose mature ROI is above the target at its lower limit: to buy more of.
    scale: IdList,
}

/// One list, or why there is none.
#[derive(Serialize, JsonSchema)]
struct IdList {
    ids: Vec<String>,
    /// IDs that would be on the list if a list could hold them.
    rejected: Vec<RejectedId>,
    /// Why no list may be written; null if one may.
    withheld: Option<String>,
}

/// An ID that a list cannot hold.
#[derive(Serialize, JsonSchema)]
struct RejectedId {
    id: String,
    reason: &'static str,
}

/// One audited group.
#[derive(Serialize, JsonSchema)]
struct Source {
    /// The columns of the grain; null where the rows have no value.
    key: BTreeMap<&'static str, Option<String>>,
    /// block, hold, watch, clean or undecided.
    verdict: &'static str,
    /// The verdict if rules that only observe had their effect.
    would_be: &'static str,
    /// fraud, quality, profit or data: the class of the strongest finding.
    class: Option<&'static str>,
    /// On the protect list: judged as any other, but never listed.
    protected: bool,
    /// The risk from 0 to 100: how probably the group is no ordinary one of its peers, and at least 99 where evidence
    /// that proves itself blocks it. Abnormal, not fraudulent. Null where nothing could be compared.
    score: Option<Number>,
    /// The group's p-value over all its comparisons, and its q-value among all groups.
    p: Option<Number>,
    q: Option<Number>,
    /// Significant at the run's false-discovery rate, with an effect that is large enough to matter.
    significant: bool,
    /// The known ways to cheat that fit, the most certain first.
    patterns: Vec<&'static str>,
    clicks: u64,
    /// What the traffic of this group cost.
    cost: Option<String>,
    money_at_risk: Option<String>,
    currency: Option<String>,
    /// Conversions by event and status.
    events: BTreeMap<String, BTreeMap<&'static str, u64>>,
    /// Every signal by name; in the unit of its declaration (a share is a number from 0 to 1).
    signals: BTreeMap<&'static str, Signal>,
    /// What fired: with effect, strongest first; then what only observes; then what is suppressed.
    findings: Vec<Fired>,
    /// The deciding rules that could not be decided; with any of them the group is never clean.
    undecided_because: Vec<Undecided>,
    /// How many other rules could not be decided.
    checks_not_possible: usize,
    /// What earlier nights make of it; null without a store.
    history: Option<nights::Kept>,
    #[serde(flatten)]
    outlook: outlook::OfSource,
}

/// A signal of one group: an estimate, or the reason why there is none.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum Signal {
    Present {
        value: Number,
        /// The sample that the value rests on.
        n: u64,
        /// The limits of the 95 % interval.
        low: Number,
        high: Number,
        /// The value rests on a cost that was allocated, an assumption below the cost's own grain.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        allocated: bool,
        /// How the value stands against its peers; not there where peers are not asked.
        #[serde(flatten)]
        versus: Option<Versus>,
    },
    Absent {
        absent: String,
    },
}

/// A signal beside its peers.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum Versus {
    Compared {
        /// What peers have.
        peers: Option<Number>,
        /// How many there are, and at which level they were found.
        peer_count: u32,
        level: String,
        /// How many times the peers' odds (of a share) or value, and the end of its interval nearer to 1.
        ratio: Option<Number>,
        ratio_limit: Option<Number>,
        /// The signed distance in standard deviations.
        z: Option<Number>,
        /// The one-sided p-value on the side where the value lies.
        p: Option<Number>,
        /// The upper bound of the weight of evidence in decibans.
        decibans: Option<Number>,
    },
    NotCompared {
        /// Why the value could not be held against peers.
        not_compared: String,
    },
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
    /// Who answers for a suppressed finding, why, and until when; null for any other.
    suppression: Option<ruling::OfFinding>,
    /// block, hold, watch or note, after any reduction.
    action: &'static str,
    /// Why the action is weaker than the rule's own.
    reduced: Option<&'static str>,
    money: Option<String>,
    evidence: Vec<Test>,
}

/// One test of a rule that held.
#[derive(Serialize, JsonSchema)]
struct Test {
    signal: &'static str,
    value: Option<Number>,
    n: u64,
    /// The limits of the interval at `confidence`; the test is on them, not on the value.
    low: Option<Number>,
    high: Option<Number>,
    /// above, below or between: where the interval lies; present where only the presence was tested.
    op: &'static str,
    limit: Option<Number>,
    /// The upper limit of `between`.
    limit_high: Option<Number>,
    /// What the group itself had, where the test is against its own past; `limit` is how many times that.
    own: Option<Number>,
    confidence: Option<Number>,
    /// The rows of the group that it is about, in words; null for all of them.
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

/// The JSON Schema of the report.
pub fn schema() -> String {
    let schema = schemars::schema_for!(Document);
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is plain JSON");
    text.push('\n');
    text
}

/// A finite number with ten significant digits: enough for every amount, and the same on every machine. Whole
/// numbers have no fraction.
pub fn number(value: f64) -> Option<Number> {
    if !value.is_finite() {
        return None;
    }
    let rounded: f64 = format!("{value:.9e}").parse().ok()?;
    if rounded.fract() == 0.0 && rounded.abs() < 1e15 {
        return Some(Number::from(rounded as i64));
    }
    Number::from_f64(rounded)
}

fn render(_: &Report, _: &Look) -> Result<Rendered> {
    Ok(Rendered::Streamed(write))
}

fn write(report: &Report, out: &mut dyn Write) -> Result<()> {
    let mut out = JsonWriter::new(out);
    serde_json::to_writer_pretty(&mut out, &document(report)).map_err(failed)?;
    out.write_all(b"\n").map_err(failed)
}

fn rate(info: &super::RateInfo) -> RateUsed {
    RateUsed { currency: info.currency.json(), day: info.day.clone(), rate: info.rate.clone() }
}

fn document<'r>(report: &'r Report<'r>) -> Document<'r> {
    Document {
        schema_version: SCHEMA_VERSION,
        run: run(&report.run),
        coverage: coverage(report),
        totals: totals(report),
        peers: peers(&report.peers),
        incidents: report.incidents.iter().map(incident).collect(),
        siblings: report.siblings.iter().map(sibling).collect(),
        lists: lists(&report.lists, &report.run.pii),
        clusters: outlook::clusters(report),
        odd: outlook::odd(report),
        history: report.history.as_ref().map(nights::history),
        rules: report.rules.iter().map(ruling::tally).collect(),
        sources: Sources(report),
    }
}

fn run(run: &RunInfo) -> Run {
    let mut inputs: Vec<&InputInfo> = run.inputs.iter().collect();
    inputs.sort_by_key(|i| (i.side, &i.path, &i.digest));
    Run {
        id: run_id(run),
        version: run.version,
        inputs: inputs.into_iter().map(input).collect(),
        rules_digest: run.rules_digest.clone(),
        rules_count: run.rules.evaluated(),
        rules: ruling::rules_of_run(&run.rules),
        observe: run.rules.observe,
        grain: run.grain.columns().iter().map(|c| c.name()).collect(),
        window: run
            .window
            .map(|(first, last)| Window { first_day: time::show_day(first), last_day: time::show_day(last) }),
        as_of: run.as_of.map(time::show),
        tz: run.tz.clone(),
        perspective: run.perspective,
        currency: run.currency.as_ref().map(Text::json),
        rates: run.rates.iter().map(rate).collect(),
        maturity_s: run.maturity_s,
        parameters: run.parameters.clone(),
    }
}

fn input(input: &InputInfo) -> Input {
    Input {
        path: input.path.json(),
        side: input.side,
        digest: input.digest.clone(),
        preset: input.preset.clone(),
        rows: rows(&input.rows),
    }
}

fn rows(rows: &RowCount) -> Rows {
    Rows {
        read: rows.read,
        used: rows.used,
        rejected: rows.rejected.clone(),
        duplicate: rows.duplicate.clone(),
    }
}

fn coverage(report: &Report) -> Coverage {
    let coverage = &report.coverage;
    let mut absent: Vec<&AbsentSignal> = coverage.absent.iter().collect();
    absent.sort();
    let mut gates: Vec<&Gate> = coverage.gates.iter().collect();
    gates.sort();
    let mut notes: Vec<String> = coverage.notes.iter().map(Text::json).collect();
    notes.sort();
    Coverage {
        clicks: coverage.clicks.as_ref().map(rows),
        conversions: coverage.conversions.as_ref().map(rows),
        conversion_classes: coverage.classes.table().into_iter().map(|(name, _, n)| (name, n)).collect(),
        conflicts: coverage.conflicts,
        absent_signals: absent
            .into_iter()
            .map(|a| Missing { signal: a.signal, reason: a.reason.clone(), groups: a.groups })
            .collect(),
        gates: gates.into_iter().map(|g| FiredGate { name: g.name, sentence: g.sentence.json() }).collect(),
        notes,
    }
}

fn totals(report: &Report) -> Totals {
    let totals = &report.totals;
    Totals {
        clicks: totals.clicks,
        conversions: totals.conversions,
        cost: amount(totals.cost),
        revenue: amount(totals.revenue),
        profit: amount(totals.profit),
        payout: amount(totals.payout),
    }
}

fn peers(summary: &Summary) -> Peers {
    let spread = |(name, (low, high)): (&&'static str, &(f64, f64))| (*name, [number(*low), number(*high)]);
    Peers {
        tested: summary.tested,
        significant: summary.significant,
        ordinary_share: summary.ordinary_share.and_then(number),
        mirror_fdr: summary.mirror_fdr.and_then(number),
        spreads: summary.spreads.iter().map(spread).collect(),
    }
}

fn incident(incident: &measures::Incident) -> Incident {
    Incident {
        column: incident.unit.as_ref().map(|(column, _)| column.name()),
        name: incident.unit.as_ref().map(|(_, name)| name.json()),
        first_day: time::show_day(incident.first_day),
        last_day: time::show_day(incident.last_day),
        expected: number(incident.expected),
        low: number(incident.low),
        high: number(incident.high),
        observed: incident.observed,
        sources_told: incident.told,
        sources_fell: incident.fell,
        p: probability(incident.ln_p),
    }
}

fn sibling(sibling: &peers::Sibling) -> Sibling {
    Sibling {
        offer: sibling.offer.json(),
        network: sibling.network.json(),
        against: sibling.against.json(),
        ratio: number(sibling.ratio),
        low: number(sibling.low),
        high: number(sibling.high),
        zones: sibling.zones,
        p: probability(sibling.ln_p),
        q: number(sibling.q),
        behind: sibling.behind,
    }
}

fn lists(lists: &super::Lists, pii: &Pii) -> Lists {
    let of = |list| id_list(list, pii);
    Lists { block: of(&lists.block), profit: of(&lists.profit), scale: of(&lists.scale) }
}

fn id_list(list: &List, pii: &Pii) -> IdList {
    let listing = match list.merged() {
        Err(why) => return IdList { ids: vec![], rejected: vec![], withheld: Some(why.to_owned()) },
        Ok(listing) => listing,
    };
    let mut ids: Vec<&String> = listing.ids.iter().collect();
    ids.sort_unstable();
    let shown = |id: &String| Text::new(id.as_str()).covered(pii).json();
    let mut rejected: Vec<_> = listing.rejected.iter().collect();
    rejected.sort_unstable();
    let rejected = rejected.into_iter().map(|(id, reason)| RejectedId { id: id.json(), reason }).collect();
    IdList { ids: ids.into_iter().map(shown).collect(), rejected, withheld: None }
}

fn source(group: &Judged, columns: &[&'static str], currency: Option<&str>) -> Source {
    let key = columns.iter().zip(&group.subject.key);
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
        currency: currency.map(str::to_owned),
        events: events(group),
        signals: signals::all().iter().map(|s| (s.name, signal(group, s))).collect(),
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

/// A probability from its logarithm; what is too small for a number is the smallest one.
fn probability(ln_p: f64) -> Option<Number> {
    number(ln_p.exp().max(f64::MIN_POSITIVE))
}

fn versus(standing: &Standing) -> Option<Versus> {
    Some(match standing {
        Standing::TooFew(TooFew::NotCompared | TooFew::Absent) => return None,
        Standing::TooFew(why) => Versus::NotCompared { not_compared: why.to_string() },
        Standing::Compared(v) => Versus::Compared {
            peers: number(v.expected),
            peer_count: v.peers,
            level: v.level.to_string(),
            ratio: number(v.ratio),
            ratio_limit: number(v.ratio_limit),
            z: number(v.z),
            p: v.ln_p(v.direction).and_then(probability),
            decibans: number(v.decibans),
        },
    })
}

fn signal(group: &Judged, signal: &'static signals::Signal) -> Signal {
    let estimate = match group.subject.row.reading(signal) {
        Reading::Absent(why) => return Signal::Absent { absent: why.to_string() },
        Reading::Present(estimate) => estimate,
    };
    let (low, high) = estimate.printed();
    match (number(estimate.value()), number(low), number(high)) {
        (Some(value), Some(low), Some(high)) => Signal::Present {
            value,
            n: estimate.n,
            low,
            high,
            allocated: estimate.allocated,
            versus: versus(group.subject.profile.standing(signal)),
        },
        _ => Signal::Absent { absent: "not a finite number".to_owned() },
    }
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

fn amount(amount: Option<Micro>) -> Option<String> {
    amount.map(Micro::to_cents)
}

pub const FORMAT: Format = Format {
    name: "json",
    summary: "everything, for other programs; its JSON Schema is published",
    list: false,
    kind: Kind::Text,
    pictures: 0,
    render,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::HOSTILE;
    use crate::report::sample;
    use serde_json::Value;

    fn parsed(report: &Report) -> Value {
        let bytes = render(report, &Look::PLAIN).unwrap().collected(report).unwrap().unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn the_sample_as_json() {
        let rules = sample::rules();
        let mut value = parsed(&sample::report(&rules));
        value["sources"].as_array_mut().unwrap().truncate(1);
        let signals = value["sources"][0]["signals"].as_object_mut().unwrap();
        signals.retain(|name, _| {
            ["ctit_short_share", "lander_click_share", "click_count"].contains(&name.as_str())
        });
        assert_eq!(serde_json::to_string_pretty(&value).unwrap(), sample::JSON.trim_end());
    }

    #[test]
    fn what_stands_beside_the_verdicts() {
        let rules = sample::rules();
        let value = parsed(&sample::with_outlook(&rules));
        let cluster = &value["clusters"][0];
        assert_eq!(cluster["members"][1]["source"], "pub31");
        assert_eq!((&cluster["verdict"], &cluster["carried_by"]), (&"block".into(), &1.into()));
        assert_eq!((&cluster["p"], &cluster["money_at_risk"]), (&0.0001.into(), &"1204.00".into()));
        let source = &value["sources"][0];
        assert_eq!((&source["cluster"], &source["shared_sources"]), (&1.into(), &1.into()));
        assert_eq!(source["money"]["recoverable_now"], "96.50");
        assert_eq!(source["money"]["expected_saving"], "1430.00");
        assert_eq!((&source["cr_expected"]["low"], &source["epc_expected"]), (&0.04.into(), &0.4.into()));
        assert_eq!(value["odd"][0]["key"]["source"], "pub31");
        assert_eq!(value["odd"][0]["signals"][1]["signal"], "ip_hhi");
        assert_eq!(value["odd"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn every_text_comes_back_as_it_was() {
        let rules = sample::rules();
        for hostile in HOSTILE {
            let value = parsed(&sample::hostile(&rules, hostile));
            assert_eq!(value["sources"][0]["key"]["source"], *hostile);
            assert_eq!(value["run"]["inputs"][0]["path"], *hostile);
        }
    }

    #[test]
    fn keys_are_sorted_and_the_schema_names_every_field() {
        let rules = sample::rules();
        let value = parsed(&sample::with_outlook(&rules));
        let schema: Value = serde_json::from_str(&schema()).unwrap();
        let source = schema["$defs"]["Source"]["properties"].as_object().unwrap();
        for name in value["sources"][0].as_object().unwrap().keys() {
            assert!(source.contains_key(name), "{name}");
        }
        for name in value.as_object().unwrap().keys() {
            assert!(schema["properties"].get(name).is_some(), "{name}");
        }
    }

    #[test]
    fn numbers_are_finite_and_short() {
        let check = |value: f64, expected: &str| {
            assert_eq!(number(value).map_or("none".to_owned(), |n| n.to_string()), expected, "{value}");
        };
        check(240.0, "240");
        check(-0.0, "0");
        check(0.1 + 0.2, "0.3");
        check(149.0 / 240.0, "0.6208333333");
        check(12_345_678.91, "12345678.91");
        check(1.5e-30, "1.5e-30");
        check(f64::NAN, "none");
        check(f64::INFINITY, "none");
    }
}
