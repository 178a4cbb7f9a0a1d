//! The page about one group as JSON: the group as it stands in the report, and what only the page says.

use super::readings::shape;
use super::{FiredGate, Frame, Run, SCHEMA_VERSION, Source, amount, number, run, source};
use crate::base::error::{Error, Result};
use crate::base::text::{Text, json_document};
use crate::base::time;
use crate::report::explain::{Change, Move, Page, Sample};
use crate::report::{self, CTIT, Spread};
use serde::Serialize;
use serde_json::Number;

/// One group on one page.
#[derive(Serialize)]
struct Document<'g> {
    schema_version: u32,
    run: Run,
    gates: Vec<FiredGate>,
    /// The group, in the words of the report.
    source: Source<'g>,
    /// Conversions by their time from the click.
    ctit: Picture,
    /// Clicks by hour of the day.
    hours: Picture,
    /// Clicks and their conversions, by click day.
    days: Vec<Day>,
    /// What would change the answer of a rule and with it the verdict.
    changes: Vec<Answer>,
    /// The verdict if all rules that carry it were silent.
    without_all: Option<&'static str>,
    samples: Samples,
}

/// Events by bucket.
#[derive(Serialize)]
struct Picture {
    buckets: Vec<Bucket>,
    /// The columns that the peers share with the group, and how many peers there are.
    level: Option<String>,
    peer_count: Option<u32>,
}

#[derive(Serialize)]
struct Bucket {
    name: String,
    count: u64,
    /// The share that peers have in this bucket.
    peers: Option<Number>,
}

#[derive(Serialize)]
struct Day {
    day: String,
    clicks: u64,
    conversions: u64,
}

/// The least that changes what one rule says.
#[derive(Serialize)]
struct Answer {
    rule: String,
    /// Whether all of the moves are needed, or any one of them.
    together: bool,
    moves: Vec<Step>,
    verdict: &'static str,
}

#[derive(Serialize)]
struct Step {
    signal: &'static str,
    from: Option<Number>,
    to: Option<Number>,
    n: u64,
    op: &'static str,
    limit: Vec<Option<Number>>,
}

#[derive(Serialize)]
struct Samples {
    what: String,
    all: u64,
    rows: Vec<Row>,
}

/// One conversion; its address is cut to the network unless the run was told otherwise.
#[derive(Serialize)]
struct Row {
    click_id: Option<String>,
    transaction_id: Option<String>,
    time: String,
    ctit_s: Option<i64>,
    class: &'static str,
    event: String,
    status: &'static str,
    amount: Option<String>,
    offer: Option<String>,
    country: Option<String>,
    network: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fraud_reason: Option<String>,
}

/// The page as a JSON document with a line end.
///
/// # Errors
/// None that is known: whatever keeps the page from becoming JSON.
pub fn page(page: &Page) -> Result<String> {
    let text = serde_json::to_string_pretty(&document(page, &Frame::of(&page.run)))
        .map_err(|e| Error::output("cannot put the page into JSON").because(e))?;
    Ok(json_document(&text) + "\n")
}

fn document<'g>(page: &'g Page, frame: &'g Frame) -> Document<'g> {
    let details = &page.details;
    let fired = page.gates.iter().map(|g| FiredGate { name: g.name, sentence: g.sentence.json() });
    let day =
        |d: &report::Day| Day { day: time::show_day(d.day), clicks: d.clicks, conversions: d.conversions };
    Document {
        schema_version: SCHEMA_VERSION,
        run: run(&page.run),
        gates: fired.collect(),
        source: source(&page.group, frame, shape(&page.group)),
        ctit: picture(&details.pictures.ctit, |at| CTIT[at].1.to_owned()),
        hours: picture(&details.pictures.hours, |at| at.to_string()),
        days: details.pictures.days.iter().map(day).collect(),
        changes: details.outlook.changes.iter().map(answer).collect(),
        without_all: details.outlook.without_all.map(|v| v.word()),
        samples: Samples {
            what: details.samples.what.clone(),
            all: details.samples.all,
            rows: details.samples.rows.iter().map(row).collect(),
        },
    }
}

fn picture(spread: &Spread, name: impl Fn(usize) -> String) -> Picture {
    let peers = |at: usize| spread.peers.as_ref().and_then(|p| number(p.shares[at]));
    let bucket = |(at, count): (usize, &u64)| Bucket { name: name(at), count: *count, peers: peers(at) };
    Picture {
        buckets: spread.own.iter().enumerate().map(bucket).collect(),
        level: spread.peers.as_ref().map(|p| p.level.to_string()),
        peer_count: spread.peers.as_ref().map(|p| p.peers),
    }
}

fn answer(change: &Change) -> Answer {
    Answer {
        rule: change.rule.id.clone(),
        together: change.together,
        moves: change.moves.iter().map(step).collect(),
        verdict: change.verdict.word(),
    }
}

fn step(step: &Move) -> Step {
    Step {
        signal: step.signal.name,
        from: number(step.from.value()),
        to: number(step.to.value()),
        n: step.from.n,
        op: step.limit.word(),
        limit: step.limit.values().into_iter().map(number).collect(),
    }
}

fn row(sample: &Sample) -> Row {
    let text = |t: &Option<Text>| t.as_ref().map(Text::json);
    Row {
        click_id: text(&sample.click_id),
        transaction_id: text(&sample.transaction_id),
        time: time::show(sample.time),
        ctit_s: sample.ctit_s,
        class: sample.class,
        event: sample.event.json(),
        status: sample.status,
        amount: amount(sample.amount),
        offer: text(&sample.offer),
        country: text(&sample.country),
        network: text(&sample.address),
        fraud_reason: text(&sample.fraud_reason),
    }
}
