//! The report as JSON: a contract with a version and a published schema, to which fields are only added.
//!
//! Amounts are decimal text, signals are numbers in the unit of their declaration, what is absent is said to be
//! absent with its reason and is never zero. Readers have to expect words they do not know in `verdict`,
//! `action` and `class`. The structs are the shape; they hold no logic. A source takes one line.

mod changed;
mod lines;
mod nights;
mod number;
mod outline;
mod outlook;
mod page;
mod readings;
mod rule;
mod ruling;
mod source;

pub use lines::FORMAT as LINES_FORMAT;
pub use number::{number, write as write_number, write_count};
use outline::Outline;
pub use page::page;
pub use rule::rule_page;
use source::{Also, Frame, Source, Sources, source};

use super::output::{failed, run_id};
use super::{AbsentSignal, Format, Gate, InputInfo, Kind, List, Look, Rendered, Report, RowCount, RunInfo};
use crate::base::error::Result;
use crate::base::money::Micro;
use crate::base::privacy::Pii;
use crate::base::text::{JsonWriter, Text};
use crate::base::time;
use crate::matching::forwarded::{Forwarded, Told};
use crate::measures;
use crate::peers::shaving;
use crate::peers::{self, Summary};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Number;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufWriter, Write};

/// Raised only when a field changes its meaning or goes away.
const SCHEMA_VERSION: u32 = 2;

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
    /// Postbacks that were forwarded to the traffic source, held against the conversions; absent where none are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    forwarded: Option<Outbound>,
    lists: Lists,
    /// What changed since the night before, or since the run of `--previous`; absent where neither is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<changed::Changed>,
    /// Sources that send the same visitors under several names.
    clusters: Vec<outlook::Cluster>,
    /// Sources worth a look besides those at hold and block: no verdict.
    odd: Vec<outlook::OddSource>,
    /// The night before in the store; not there without a store.
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<nights::History>,
    /// What each rule said of the groups it was asked about, by id.
    rules: Vec<ruling::Tally>,
    /// The audited groups: by verdict from the most severe, then by money at risk, then by key.
    #[schemars(with = "Vec<Source<'r>>")]
    sources: Sources<'r>,
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
    /// An outage: the last conversion before it and the first one behind it, in UTC; null where whole days fell.
    from: Option<String>,
    to: Option<String>,
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

/// Postbacks that were forwarded to the traffic source.
#[derive(Serialize, JsonSchema)]
pub struct Outbound {
    /// The columns that tie a conversion to its postback.
    join: Option<[String; 2]>,
    traffic_sources: Vec<ToldSource>,
    /// Events of conversions that are never sent, and so not missed.
    never_sent: Vec<String>,
}

/// What one traffic source was told.
#[derive(Serialize, JsonSchema)]
struct ToldSource {
    traffic_source: Option<String>,
    /// Conversions of events that are sent, and postbacks.
    conversions: u64,
    postbacks: u64,
    /// In time, once, with the right event and value.
    right: u64,
    not_sent: u64,
    late: u64,
    doubled: u64,
    wrong_event: u64,
    wrong_value: u64,
    /// Sent though the conversion is rejected.
    rejected: u64,
    /// Of no known conversion.
    unknown: u64,
}

/// What was forwarded, as JSON.
pub fn outbound(found: &Forwarded) -> Outbound {
    let told = |told: &Told| ToldSource {
        traffic_source: told.traffic_source.as_ref().map(Text::json),
        conversions: told.conversions,
        postbacks: told.postbacks,
        right: told.right,
        not_sent: told.not_sent,
        late: told.late,
        doubled: told.doubled,
        wrong_event: told.wrong_event,
        wrong_value: told.wrong_value,
        rejected: told.rejected,
        unknown: told.unknown,
    };
    Outbound {
        join: found.join.as_ref().map(|(ours, theirs)| [ours.json(), theirs.json()]),
        traffic_sources: found.told.iter().map(told).collect(),
        never_sent: found.never_sent.iter().map(Text::json).collect(),
    }
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
    /// The day on which the network fell, and what else changed then; null where no day stands out.
    turn: Option<Turn>,
}

/// A day on which the ratio of two networks fell: evidence about a network, never about a source.
#[derive(Serialize, JsonSchema)]
struct Turn {
    /// The first day behind the change.
    day: String,
    ratio_before: Option<Number>,
    ratio_after: Option<Number>,
    /// The test's value; by chance above 12.16 in one comparison of a hundred.
    statistic: Option<Number>,
    network: [Mix; 2],
    against: [Mix; 2],
    /// The network's other offers.
    other_offers: [Mix; 2],
}

/// The conversions before a turn, or from it on.
#[derive(Serialize, JsonSchema)]
struct Mix {
    clicks: u64,
    converted: u64,
    delays: u64,
    median_delay_s: Option<i64>,
    approved: u64,
    pending: u64,
    rejected: u64,
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

/// The JSON Schema of the report.
pub fn schema() -> String {
    let schema = schemars::schema_for!(Document);
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is plain JSON");
    text.push('\n');
    text
}

fn render(_: &Report, _: &Look) -> Result<Rendered> {
    Ok(Rendered::Streamed(write))
}

fn write(report: &Report, out: &mut dyn Write) -> Result<()> {
    write_document(report, None, out)
}

fn write_document<'r>(report: &'r Report<'r>, also: Also<'r>, out: &mut dyn Write) -> Result<()> {
    let mut out = harmless(out);
    let mut outline = serde_json::Serializer::with_formatter(&mut out, Outline::default());
    document(report, also).serialize(&mut outline).map_err(failed)?;
    out.write_all(b"\n").and_then(|()| out.flush()).map_err(failed)
}

/// Writes the report as a document and as lines at once: a source, which both show alike, is made once.
///
/// # Errors
/// One of them takes no more.
pub fn write_both(report: &Report, document: &mut dyn Write, lines: &mut dyn Write) -> Result<()> {
    let mut lines = harmless(lines);
    lines::head(report, &mut lines)?;
    let lines = RefCell::new((lines, Ok(())));
    let also = |source: &[u8]| {
        let (lines, so_far) = &mut *lines.borrow_mut();
        if so_far.is_ok() {
            *so_far = lines::write_source(lines, source);
        }
    };
    write_document(report, Some(&also), document)?;
    let (mut lines, so_far) = lines.into_inner();
    so_far.and_then(|()| lines.flush()).map_err(failed)
}

/// Bytes gathered before they are looked at: serde_json writes a few at a time, and only whole characters.
const PIECE: usize = 1 << 16;

fn harmless<W: Write>(out: W) -> BufWriter<JsonWriter<W>> {
    BufWriter::with_capacity(PIECE, JsonWriter::new(out))
}

fn rate(info: &super::RateInfo) -> RateUsed {
    RateUsed { currency: info.currency.json(), day: info.day.clone(), rate: info.rate.clone() }
}

fn document<'r>(report: &'r Report<'r>, also: Also<'r>) -> Document<'r> {
    Document {
        schema_version: SCHEMA_VERSION,
        run: run(&report.run),
        coverage: coverage(report),
        totals: totals(report),
        peers: peers(&report.peers),
        incidents: report.incidents.iter().map(incident).collect(),
        siblings: report.siblings.iter().map(sibling).collect(),
        forwarded: report.forwarded.as_ref().map(outbound),
        lists: lists(&report.lists, &report.run.pii),
        changed: changed::changed(report),
        clusters: outlook::clusters(report),
        odd: outlook::odd(report),
        history: report.history.as_ref().map(nights::history),
        rules: report.rules.iter().map(ruling::tally).collect(),
        sources: Sources { report, also },
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
        from: incident.hours.map(|(from, _)| time::show(from)),
        to: incident.hours.map(|(_, to)| time::show(to)),
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
        turn: sibling.turn.as_ref().map(turn),
    }
}

fn turn(turn: &shaving::Turn) -> Turn {
    let mix = |mix: &shaving::Mix| Mix {
        clicks: mix.clicks,
        converted: mix.converted,
        delays: mix.delays,
        median_delay_s: mix.delay_s,
        approved: mix.approved,
        pending: mix.pending,
        rejected: mix.rejected,
    };
    let halves = |halves: &shaving::Halves| [mix(&halves.before), mix(&halves.after)];
    Turn {
        day: time::show_day(turn.day),
        ratio_before: number(turn.ratio.0),
        ratio_after: number(turn.ratio.1),
        statistic: number(turn.statistic),
        network: halves(&turn.network),
        against: halves(&turn.against),
        other_offers: halves(&turn.other_offers),
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
    let shown = |id: &String| Text::new(id.as_str()).as_name().covered(pii).json();
    let mut rejected: Vec<_> = listing.rejected.iter().collect();
    rejected.sort_unstable();
    let rejected = rejected.into_iter().map(|(id, reason)| RejectedId { id: id.json(), reason }).collect();
    IdList { ids: ids.into_iter().map(shown).collect(), rejected, withheld: None }
}

/// A probability from its logarithm; what is too small for a number is the smallest one.
fn chance(ln_p: f64) -> f64 {
    ln_p.exp().max(f64::MIN_POSITIVE)
}

fn probability(ln_p: f64) -> Option<Number> {
    number(chance(ln_p))
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
        assert_eq!(source["money"]["claim_back"]["total"], "96.50");
        assert_eq!(source["money"]["claim_back"]["repeated_events"], "0.00");
        assert_eq!(source["money"]["expected_saving"], "1430.00");
        assert_eq!((&source["cr_expected"]["low"], &source["epc_expected"]), (&0.04.into(), &0.4.into()));
        assert_eq!(value["odd"][0]["key"]["source"], "pub31");
        assert_eq!(value["odd"][0]["signals"][1]["signal"], "ip_hhi");
        assert_eq!(value["odd"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn what_changed_is_said_where_it_is_known() {
        let rules = sample::rules();
        let mut report = sample::report(&rules);
        assert!(parsed(&report).get("changed").is_none());
        for text in HOSTILE {
            report.news = Some(sample::news(text));
            let changed = &parsed(&report)["changed"];
            let moved = &changed["moved"][0];
            assert_eq!((&moved["key"]["source"], &moved["change"]), (&Value::from(*text), &"new".into()));
            assert_eq!((&moved["from"], &moved["to"]), (&Value::Null, &"block".into()));
            assert_eq!(
                (&moved["money_at_risk"], &changed["moved"][1]["from"]),
                (&"1204.00".into(), &"hold".into())
            );
            assert_eq!(
                (&changed["gone"][0]["verdict"], &changed["gone"][0]["key"]["source"]),
                (&"watch".into(), &Value::from(*text))
            );
            assert_eq!(changed["notes"][0], "the rules are others than then");
        }
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
}
