//! The same transaction again: a retry, an update, or a replay.
//!
//! Identical within a day is a retry (harmless, a duplicate row). An allowed change of status is an update
//! (the later state counts). Anything else is a replay: it counts, and it is evidence.

use super::{Class, MatchedConversion};
use crate::base::column::Col;
use crate::base::symbol::Symbol;
use crate::base::time::DAY;
use crate::clean::Status;
use crate::ingest::TransactionScope;
use hashbrown::{HashMap, HashSet};
use std::collections::BTreeMap;

/// What makes two conversions one transaction.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Identity {
    scope: Box<str>,
    id: Box<str>,
    event: Symbol,
}

/// Classifies repeated transactions and marks the first conversion of each event on each click.
pub fn settle(
    rows: &mut Vec<MatchedConversion>,
    scope: Option<TransactionScope>,
    sources: &[usize],
    duplicates: &mut BTreeMap<&'static str, u64>,
) {
    let mut keyed: Vec<(Option<Identity>, MatchedConversion)> =
        rows.drain(..).map(|m| (identity(&m, scope), m)).collect();
    keyed.sort_by(|(a, m), (b, n)| (a, order(m)).cmp(&(b, order(n))));
    for (identity, row) in keyed {
        let group_start = match (&identity, rows.last()) {
            (Some(_), Some(_)) => rows.len() - same_transaction(rows, &identity, scope),
            _ => rows.len(),
        };
        place(rows, group_start, row, sources, duplicates);
    }
    mark_first(rows);
}

fn order(m: &MatchedConversion) -> (i64, (i64, i64, Status, u64)) {
    (m.conversion.time, m.conversion.recency())
}

/// How many of the last rows are of this transaction.
fn same_transaction(rows: &[MatchedConversion], id: &Option<Identity>, scope: Option<TransactionScope>) -> usize {
    rows.iter().rev().take_while(|m| identity(m, scope) == *id).count()
}

/// A true transaction ID in its scope, or for a once-only event without one its click.
fn identity(m: &MatchedConversion, scope: Option<TransactionScope>) -> Option<Identity> {
    let c = &m.conversion;
    let click = || c.click_id.as_ref().map(|id| id.text.clone());
    match (&c.transaction_id, scope) {
        (Some(id), Some(TransactionScope::Click)) => {
            Some(Identity { scope: click()?, id: id.text.clone(), event: c.event })
        }
        (Some(id), Some(_)) => Some(Identity { scope: "".into(), id: id.text.clone(), event: c.event }),
        _ if c.once => Some(Identity { scope: click()?, id: "".into(), event: c.event }),
        _ => None,
    }
}

/// Puts a row behind the earlier rows of its transaction, or into one of them.
fn place(
    rows: &mut Vec<MatchedConversion>,
    group_start: usize,
    mut row: MatchedConversion,
    sources: &[usize],
    duplicates: &mut BTreeMap<&'static str, u64>,
) {
    let earlier = &mut rows[group_start..];
    if earlier.iter().any(|e| is_retry(e, &row)) {
        *duplicates.entry("retry").or_default() += 1;
        return;
    }
    if let Some(updated) = earlier.iter_mut().find(|e| is_update(e, &row)) {
        *duplicates.entry("status_update").or_default() += 1;
        let was = &updated.conversion;
        row.conversion.was_approved = was.was_approved || was.status == Status::Approved;
        row.conversion.time = was.time;
        row.ctit_s = updated.ctit_s;
        *updated = row;
        return;
    }
    row.replay = !earlier.is_empty();
    let source = |m: &MatchedConversion| sources.iter().map(|&i| m.columns[i]).collect::<Vec<_>>();
    row.shared = row.conversion.transaction_id.is_some() && earlier.iter().any(|e| source(e) != source(&row));
    rows.push(row);
}

/// The same click, amounts and status within a day.
fn is_retry(earlier: &MatchedConversion, row: &MatchedConversion) -> bool {
    let (a, b) = (&earlier.conversion, &row.conversion);
    same_click(earlier, row)
        && (a.payout, a.revenue, a.status) == (b.payout, b.revenue, b.status)
        && (b.time - a.time).abs() <= DAY
}

/// The same click in an allowed later status.
fn is_update(earlier: &MatchedConversion, row: &MatchedConversion) -> bool {
    let (a, b) = (&earlier.conversion, &row.conversion);
    same_click(earlier, row) && a.status != b.status && a.status.may_become(b.status)
}

fn same_click(a: &MatchedConversion, b: &MatchedConversion) -> bool {
    a.conversion.click_id == b.conversion.click_id && a.columns == b.columns
}

/// Marks the first conversion of each event on each click, and on it whether a once-only event came again.
/// Rows without a click ID are a click of their own.
fn mark_first(rows: &mut [MatchedConversion]) {
    let mut order_of_time: Vec<usize> = (0..rows.len()).collect();
    order_of_time.sort_by_key(|&i| order(&rows[i]));
    let mut first: HashMap<(Box<str>, Symbol), usize> = HashMap::new();
    for i in order_of_time {
        let Some(id) = rows[i].conversion.click_id.as_ref() else {
            rows[i].first_of_event = true;
            continue;
        };
        match first.get(&(id.text.clone(), rows[i].conversion.event)) {
            Some(&earlier) => rows[earlier].repeated_event |= rows[earlier].conversion.once,
            None => {
                first.insert((id.text.clone(), rows[i].conversion.event), i);
                rows[i].first_of_event = true;
            }
        }
    }
}

/// Conversions of one second that make a batch upload: so many rows of so many sources.
const BATCH_ROWS: usize = 10;
const BATCH_SOURCES: usize = 5;

/// Takes the CTIT away from conversions of many sources at the same second of one offer and event: the
/// time is the upload's. Returns how many there were.
pub fn drop_batch_times(rows: &mut [MatchedConversion], columns: &[Col], sources: &[usize]) -> u64 {
    let offer = columns.iter().position(|c| *c == Col::Offer);
    let moment = |m: &MatchedConversion| (m.conversion.time, offer.map(|o| m.columns[o]), m.conversion.event);
    let mut moments: HashMap<_, Vec<usize>> = HashMap::new();
    for (i, m) in rows.iter().enumerate().filter(|(_, m)| m.class == Class::Matched) {
        moments.entry(moment(m)).or_default().push(i);
    }
    let mut batched = 0;
    for group in moments.into_values().filter(|g| g.len() >= BATCH_ROWS) {
        let source = |i: &usize| sources.iter().map(|&c| rows[*i].columns[c]).collect::<Vec<_>>();
        if group.iter().map(source).collect::<HashSet<_>>().len() >= BATCH_SOURCES {
            batched += group.len() as u64;
            group.iter().for_each(|&i| rows[i].ctit_s = None);
        }
    }
    batched
}
