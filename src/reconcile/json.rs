//! A comparison for programs: a contract with a version and a published schema, to which fields are only added.
//!
//! Amounts are decimal text, each beside its currency; what is absent is null and never zero. Differences are cut at
//! a number that is said; the CSV has all.

use super::rows::{matched_by, side};
use super::{Account, Accounts, CLASSES, DIMENSIONS, Direction, Item, Reconciliation, Sum, View, words};
use crate::base::error::{Error, Result};
use crate::base::money::Micro;
use crate::base::text::{Text, json_document};
use crate::base::time::{SECOND, show};
use crate::report::json::{Outbound, outbound};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// Raised only when a field changes its meaning or goes away.
const SCHEMA_VERSION: u32 = 1;

/// Differences that the document holds.
const MOST: usize = 10_000;

/// Two statements of conversions, compared by clickaudit.
#[derive(Serialize, JsonSchema)]
struct Document {
    /// The version of this format: fields are only ever added to it.
    schema_version: u32,
    /// What the comparison came to, in words.
    sentence: String,
    /// Who has to pay whom: they_owe_us or we_owe_them. Missing, refused and underpaid are claims of whoever is paid.
    direction: &'static str,
    inputs: Vec<Input>,
    join: Joined,
    compared: Compared,
    /// Rows by class; every row of either side is in exactly one.
    classes: Vec<Class>,
    /// Conversions of the compared days, a pair counted once, and those on which the sides disagree.
    conversions: u64,
    disagree: u64,
    /// All accounts, by currency.
    totals: Vec<Totals>,
    /// By event, network, offer and source (its traffic source before it).
    accounts: BTreeMap<&'static str, Vec<Entry>>,
    /// Postbacks that were forwarded to the traffic source; null where none are given.
    forwarded: Option<Outbound>,
    differences: Vec<Found>,
    /// Differences that the document leaves out; the CSV has them.
    differences_left_out: u64,
    notes: Vec<String>,
}

/// One file.
#[derive(Serialize, JsonSchema)]
struct Input {
    /// ours or theirs.
    side: &'static str,
    path: String,
    digest: String,
    /// The preset that read it.
    preset: String,
    rows: u64,
    rejected: BTreeMap<&'static str, u64>,
    /// The same bytes as another file of the side: its rows are counted once.
    duplicate: bool,
}

/// The ID by which rows meet.
#[derive(Serialize, JsonSchema)]
struct Joined {
    ours: String,
    theirs: String,
    /// Rows with a usable ID that are asked for, and how many of them met a row of the other side.
    ours_with_id: u64,
    theirs_with_id: u64,
    pairs_by_id: u64,
    /// Pairs that no ID ties: matched by offer, time, amount and country.
    pairs_by_fallback: u64,
    /// Rows without an ID that would fit several.
    ours_ambiguous: u64,
    theirs_ambiguous: u64,
    time_tolerance_s: i64,
    amount_tolerance: String,
}

/// The days in question.
#[derive(Serialize, JsonSchema)]
struct Compared {
    first_day: String,
    last_day: String,
    tz: String,
    /// By how many seconds their clock is ahead of ours; their times are corrected by it.
    their_clock_ahead_s: i64,
}

/// Rows of one class.
#[derive(Serialize, JsonSchema)]
struct Class {
    class: &'static str,
    ours: u64,
    theirs: u64,
    /// Whether the statements disagree on such rows.
    disagrees: bool,
}

/// Conversions and what they are worth.
#[derive(Serialize, JsonSchema)]
struct Worth {
    count: u64,
    amount: String,
    /// Those of the count that have no amount.
    without_amount: u64,
}

/// One account in one currency.
#[derive(Serialize, JsonSchema)]
struct Totals {
    currency: Option<String>,
    ours: Worth,
    theirs: Worth,
    /// The claiming side has it, the other one does not.
    missing: Worth,
    /// The other side has it and does not pay it.
    refused: Worth,
    /// The other side has not decided yet.
    waiting: Worth,
    /// Both pay it; what the claiming side's amounts are higher by.
    underpaid: Worth,
    /// Both pay it; what the claiming side's amounts are lower by.
    overpaid: Worth,
    /// The other side has it, the claiming one does not.
    unknown: Worth,
    /// Missing, refused and underpaid together, less what is overpaid.
    owed: String,
}

/// An account by name.
#[derive(Serialize, JsonSchema)]
struct Entry {
    name: Vec<Option<String>>,
    #[serde(flatten)]
    account: Totals,
}

/// One difference.
#[derive(Serialize, JsonSchema)]
struct Found {
    class: &'static str,
    /// ours, theirs, or both.
    side: &'static str,
    /// In what the pair differs.
    differences: Vec<&'static str>,
    /// id or fallback; empty where nothing met.
    matched_by: &'static str,
    /// By how many whole hours theirs is later.
    hours: Option<i64>,
    ours: Option<Seen>,
    theirs: Option<Seen>,
}

/// A row as one side says it.
#[derive(Serialize, JsonSchema)]
struct Seen {
    id: Option<String>,
    event: Option<String>,
    /// By our clock, UTC.
    time: String,
    status: Option<&'static str>,
    payout: Option<String>,
    amount: Option<String>,
    currency: Option<String>,
    network: Option<String>,
    offer: Option<String>,
    traffic_source: Option<String>,
    source: Option<String>,
    country: Option<String>,
}

/// The JSON Schema of the document.
pub fn schema() -> String {
    let schema = schemars::schema_for!(Document);
    serde_json::to_string_pretty(&schema).expect("a schema is plain JSON") + "\n"
}

/// The comparison as JSON.
///
/// # Errors
/// None that plain values can have.
pub fn document(found: &Reconciliation) -> Result<String> {
    let text = serde_json::to_string_pretty(&of(found));
    let text = text.map_err(|e| Error::output("the comparison cannot be written as JSON").because(e))?;
    Ok(json_document(&text) + "\n")
}

fn of(found: &Reconciliation) -> Document {
    let (conversions, disagree) = found.disagreement();
    let (first_day, last_day) = words::days(found);
    let differences: Vec<Found> = found.items().take(MOST).map(|item| difference(&item)).collect();
    let counts: u64 = found.items().count() as u64;
    let [(ours_with_id, pairs), (theirs_with_id, _)] = found.joined;
    let text = |text: &Text| text.json();
    Document {
        schema_version: SCHEMA_VERSION,
        sentence: words::sentence(found),
        direction: match found.direction {
            Direction::TheyOweUs => "they_owe_us",
            Direction::WeOweThem => "we_owe_them",
        },
        inputs: found.files.iter().map(input).collect(),
        join: Joined {
            ours: text(&found.join.ours),
            theirs: text(&found.join.theirs),
            ours_with_id,
            theirs_with_id,
            pairs_by_id: pairs,
            pairs_by_fallback: found.fallback,
            ours_ambiguous: found.ambiguous[0],
            theirs_ambiguous: found.ambiguous[1],
            time_tolerance_s: found.tolerance.time / SECOND,
            amount_tolerance: Micro(found.tolerance.amount).to_cents(),
        },
        compared: Compared {
            first_day,
            last_day,
            tz: found.zone.name().to_owned(),
            their_clock_ahead_s: found.ahead_s(),
        },
        classes: CLASSES
            .iter()
            .map(|facts| {
                let tally = found.tally(facts.class);
                Class {
                    class: facts.word,
                    ours: tally.ours,
                    theirs: tally.theirs,
                    disagrees: facts.disagrees,
                }
            })
            .collect(),
        conversions,
        disagree,
        totals: found
            .ledger
            .all
            .iter()
            .map(|(currency, account)| totals(currency.as_ref(), account))
            .collect(),
        accounts: DIMENSIONS.iter().copied().zip(found.ledger.by.iter().map(entries)).collect(),
        forwarded: found.forwarded.as_ref().map(outbound),
        differences_left_out: counts - differences.len() as u64,
        differences,
        notes: found.notes.clone(),
    }
}

fn input(file: &super::FileLine) -> Input {
    let ledger = &file.ledger;
    Input {
        side: if file.ours { "ours" } else { "theirs" },
        path: Text::of_user(ledger.path.display().to_string()).json(),
        digest: ledger.digest.clone(),
        preset: ledger.reading.preset.clone(),
        rows: ledger.rows,
        rejected: ledger.rejects.counts.iter().map(|(reason, n)| (reason.slug(), *n)).collect(),
        duplicate: ledger.duplicate_of.is_some(),
    }
}

fn worth(sum: &Sum) -> Worth {
    Worth { count: sum.count, amount: sum.amount.to_cents(), without_amount: sum.unpriced }
}

fn totals(currency: Option<&Text>, account: &Account) -> Totals {
    Totals {
        currency: currency.map(Text::json),
        ours: worth(&account.ours),
        theirs: worth(&account.theirs),
        missing: worth(&account.missing),
        refused: worth(&account.refused),
        waiting: worth(&account.waiting),
        underpaid: worth(&account.underpaid),
        overpaid: worth(&account.overpaid),
        unknown: worth(&account.unknown),
        owed: account.owed().to_cents(),
    }
}

fn entries(accounts: &Accounts) -> Vec<Entry> {
    let entry = |((name, currency), account): (&(super::Name, Option<Text>), &Account)| Entry {
        name: name.iter().map(|part| part.as_ref().map(Text::json)).collect(),
        account: totals(currency.as_ref(), account),
    };
    accounts.iter().map(entry).collect()
}

fn difference(item: &Item) -> Found {
    Found {
        class: item.class.word(),
        side: side(item),
        differences: item.differences.words(),
        matched_by: matched_by(item),
        hours: item.hours,
        ours: item.ours.as_ref().map(seen),
        theirs: item.theirs.as_ref().map(seen),
    }
}

fn seen(view: &View) -> Seen {
    let text = |text: Option<Text>| text.as_ref().map(Text::json);
    let [network, offer, traffic_source, source, country] = view.place().map(text);
    Seen {
        id: text(view.id()),
        event: text(view.event()),
        time: show(view.time),
        status: view.status().map(|status| status.word()),
        payout: view.paid().map(Micro::to_cents),
        amount: view.sale().map(Micro::to_cents),
        currency: text(view.currency()),
        network,
        offer,
        traffic_source,
        source,
        country,
    }
}
