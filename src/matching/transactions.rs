//! The same transaction again: a retry, an update, or a replay.
//!
//! Identical within a day is a retry (harmless, a duplicate row). An allowed change of status is an update
//! (the later state counts). Anything else is a replay: it counts, and it is evidence.

use super::{Class, MatchedConversion};
use crate::base::column::Col;
use crate::base::symbol::Symbol;
use crate::base::time::{DAY, SECOND};
use crate::clean::{Conversion, Id, Status};
use crate::ingest::{TransactionScope, is_unexpanded_macro};
use hashbrown::{HashMap, HashSet};
use std::collections::BTreeMap;

/// Within what an ID is unique.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Click(Box<str>),
    /// The affiliate network, or the offer where no network is known.
    Network(Symbol),
    Everywhere,
}

/// What makes two conversions one transaction.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Identity {
    scope: Scope,
    id: Box<str>,
    event: Symbol,
}

/// Classifies repeated transactions and marks the first conversion of each event on each click.
pub fn settle(
    rows: &mut Vec<MatchedConversion>,
    columns: &[Col],
    sources: &[usize],
    duplicates: &mut BTreeMap<&'static str, u64>,
) {
    let mut keyed: Vec<(Option<Identity>, MatchedConversion)> =
        rows.drain(..).map(|m| (identity(&m, columns), m)).collect();
    keyed.sort_by(|(a, m), (b, n)| (a, order(m)).cmp(&(b, order(n))));
    let mut transaction = Transaction::default();
    let mut current: Option<Identity> = None;
    for (identity, row) in keyed {
        if identity.is_none() || identity != current {
            transaction = Transaction::default();
        }
        current = identity;
        transaction.place(rows, row, sources, duplicates);
    }
    mark_first(rows);
}

/// What conversions are sorted by in time: ties break on content.
pub fn order(m: &MatchedConversion) -> (i64, (i64, i64, Status, u64)) {
    (m.conversion.time, m.conversion.recency())
}

/// A true transaction ID in its scope, or for a once-only event without one its click.
fn identity(m: &MatchedConversion, columns: &[Col]) -> Option<Identity> {
    let c = &m.conversion;
    let of_click = || real(&c.click_id).map(|id| Scope::Click(id.text.clone()));
    let column = |col| columns.iter().position(|c| *c == col).map_or(Symbol::NONE, |at| m.columns[at]);
    let (scope, id) = match (real(&c.transaction_id), c.scope) {
        (Some(id), Some(TransactionScope::Click)) => (of_click()?, id.text.clone()),
        (Some(id), Some(TransactionScope::Global)) => (Scope::Everywhere, id.text.clone()),
        (Some(id), Some(TransactionScope::Network)) => {
            let network = Some(column(Col::Network)).filter(|n| *n != Symbol::NONE);
            (Scope::Network(network.unwrap_or_else(|| column(Col::Offer))), id.text.clone())
        }
        _ if c.once => (of_click()?, "".into()),
        _ => return None,
    };
    Some(Identity { scope, id, event: c.event })
}

/// An ID that says which: a macro that was never replaced does not.
pub fn real(id: &Option<Id>) -> Option<&Id> {
    id.as_ref().filter(|id| !is_unexpanded_macro(id.text.as_bytes()))
}

/// The rows of one transaction so far, found by what a retry or an update shares with them: a transaction
/// repeated a million times costs a million look-ups.
#[derive(Default)]
struct Transaction {
    /// When a row of this claim, amounts and status was last seen.
    seen: HashMap<Postback, i64>,
    /// The last row that counts, by claim.
    last: HashMap<Claim, usize>,
    sources: HashSet<Vec<Symbol>>,
}

/// The click and the source: what is claimed from elsewhere is neither a retry nor an update.
type Claim = (Option<Box<str>>, Vec<Symbol>);

/// What is the same in a retry.
type Postback = (Claim, Option<i64>, Option<i64>, Status);

impl Transaction {
    /// Puts a row behind the earlier rows of its transaction, or into one of them.
    fn place(
        &mut self,
        rows: &mut Vec<MatchedConversion>,
        row: MatchedConversion,
        sources: &[usize],
        duplicates: &mut BTreeMap<&'static str, u64>,
    ) {
        let c = &row.conversion;
        let click = c.click_id.as_ref().map(|id| id.text.clone());
        let claim: Claim = (click, sources.iter().map(|&i| row.columns[i]).collect());
        let time = c.time;
        let seen = self.seen.insert((claim.clone(), c.payout, c.revenue, c.status), time);
        let earlier = self.last.get(&claim).copied().filter(|_| !c.postback.replayed);
        if let Some(earlier) = earlier.filter(|_| seen.is_some_and(|seen| time - seen <= DAY)) {
            *duplicates.entry("retry").or_default() += 1;
            rows[earlier].conversion.postback.absorb(row.conversion.postback);
        } else if let Some(earlier) = earlier.filter(|&e| is_update(&rows[e], &row)) {
            *duplicates.entry("status_update").or_default() += 1;
            rows[earlier].update(row);
        } else {
            self.append(rows, row, claim);
        }
    }

    fn append(&mut self, rows: &mut Vec<MatchedConversion>, mut row: MatchedConversion, claim: Claim) {
        row.replay = !self.last.is_empty() || row.conversion.postback.replayed;
        let others = self.sources.len() - usize::from(self.sources.contains(&claim.1));
        row.shared = others > 0 && row.conversion.transaction_id.is_some();
        self.sources.insert(claim.1.clone());
        self.last.insert(claim, rows.len());
        rows.push(row);
    }
}

/// An allowed later status of the same click's conversion.
fn is_update(earlier: &MatchedConversion, row: &MatchedConversion) -> bool {
    let (a, b) = (earlier.conversion.status, row.conversion.status);
    a != b && a.may_become(b)
}

impl MatchedConversion {
    /// Takes the later state of the same conversion; when it happened stays.
    fn update(&mut self, later: MatchedConversion) {
        let was = &self.conversion;
        let was_approved =
            was.was_approved || was.status == Status::Approved || later.conversion.was_approved;
        self.conversion = Conversion { was_approved, time: was.time, ..later.conversion };
    }
}

/// Marks the first conversion of each event on each click, and on it whether a once-only event came again.
/// A click is an ID at a time: an ID that is used again is another click. Rows without a click ID are a click
/// of their own, and a conversion before its click is none of that click.
fn mark_first(rows: &mut [MatchedConversion]) {
    let mut order_of_time: Vec<usize> = (0..rows.len()).collect();
    order_of_time.sort_by_key(|&i| order(&rows[i]));
    let mut first: HashMap<(Box<str>, Option<i64>, Symbol), usize> = HashMap::new();
    let mut clicks: HashSet<(Box<str>, Option<i64>)> = HashSet::new();
    for i in order_of_time {
        // An event that may come at any time says nothing of how long a visitor took.
        let timed = rows[i].conversion.facts.short_s.is_some();
        let id = real(&rows[i].conversion.click_id).filter(|_| rows[i].class == Class::Matched);
        let Some(id) = id else {
            rows[i].first_of_event = true;
            rows[i].first_on_click = timed;
            continue;
        };
        rows[i].first_on_click = timed && clicks.insert((id.text.clone(), rows[i].click_time));
        let click = (id.text.clone(), rows[i].click_time, rows[i].conversion.event);
        match first.get(&click) {
            Some(&earlier) => rows[earlier].repeated_event |= rows[earlier].conversion.once,
            None => {
                first.insert(click, i);
                rows[i].first_of_event = true;
            }
        }
    }
}

/// Conversions of one second that make a batch upload: so many rows of so many sources.
const BATCH_ROWS: usize = 10;
const BATCH_SOURCES: usize = 5;

/// Takes the CTIT away from conversions of many sources at the same second of one offer and event, and from
/// those of offers that report on whole quarter hours: the time is the upload's. Returns how many there were.
pub fn drop_batch_times(rows: &mut [MatchedConversion], columns: &[Col], sources: &[usize]) -> u64 {
    let offer = columns.iter().position(|c| *c == Col::Offer);
    let moment = |m: &MatchedConversion| {
        (m.conversion.time.div_euclid(SECOND), offer.map(|o| m.columns[o]), m.conversion.event)
    };
    let mut moments: HashMap<_, Vec<usize>> = HashMap::new();
    for (i, m) in rows.iter().enumerate().filter(|(_, m)| m.class == Class::Matched) {
        moments.entry(moment(m)).or_default().push(i);
    }
    for group in moments.into_values().filter(|g| g.len() >= BATCH_ROWS) {
        let source = |i: &usize| sources.iter().map(|&c| rows[*i].columns[c]).collect::<Vec<_>>();
        if group.iter().map(source).collect::<HashSet<_>>().len() >= BATCH_SOURCES {
            group.iter().for_each(|&i| rows[i].batched = true);
        }
    }
    mark_quarter_hours(rows, columns);
    rows.iter_mut().filter(|m| m.batched).for_each(|m| m.ctit_s = None);
    rows.iter().filter(|m| m.batched).count() as u64
}

/// Reports on whole quarter hours: half of an offer's conversions, where chance puts one in 900.
const QUARTER_HOUR_S: i64 = 900;

/// An advertiser that reports every hour or quarter hour gives all its conversions the time of the report.
fn mark_quarter_hours(rows: &mut [MatchedConversion], columns: &[Col]) {
    let places: Vec<usize> =
        [Col::Network, Col::Offer].iter().filter_map(|c| columns.iter().position(|d| d == c)).collect();
    let mut feeds: HashMap<Vec<Symbol>, Vec<usize>> = HashMap::new();
    for (i, m) in rows.iter().enumerate() {
        feeds.entry(places.iter().map(|&at| m.columns[at]).collect()).or_default().push(i);
    }
    let whole = |m: &MatchedConversion| m.conversion.time.div_euclid(SECOND) % QUARTER_HOUR_S == 0;
    for feed in feeds.into_values().filter(|feed| feed.len() >= BATCH_ROWS) {
        let on_time: Vec<usize> = feed.iter().copied().filter(|&i| whole(&rows[i])).collect();
        if 2 * on_time.len() >= feed.len() {
            feed.iter().for_each(|&i| rows[i].batched = true);
        }
    }
}
