//! Every difference in a row, for spreadsheets and other programs.

use super::{Difference, Item, Reconciliation, View};
use crate::base::error::Result;
use crate::base::money::Micro;
use crate::base::text::Text;
use crate::base::time::show;
use crate::report::{csv_cell, csv_rows};

/// The columns; those of a side that does not have the row are empty.
pub const COLUMNS: &[&str] = &[
    "class",
    "side",
    "differences",
    "matched_by",
    "event",
    "our_id",
    "their_id",
    "our_time",
    "their_time",
    "hours",
    "our_event",
    "their_event",
    "our_status",
    "their_status",
    "our_payout",
    "their_payout",
    "our_currency",
    "their_currency",
    "our_amount",
    "their_amount",
    "network",
    "offer",
    "traffic_source",
    "source",
    "country",
];

/// The table of all differences.
///
/// # Errors
/// None that a buffer in memory can have.
pub fn differences(found: &Reconciliation) -> Result<Vec<u8>> {
    csv_rows(COLUMNS, found.items().map(|item| row(&item)))
}

/// How a pair met; empty for a row that met nothing.
pub fn matched_by(item: &Item) -> &'static str {
    match (item.ours.is_some() && item.theirs.is_some(), item.differences.has(Difference::Fallback)) {
        (false, _) => "",
        (true, false) => "id",
        (true, true) => "fallback",
    }
}

/// Which side has the row.
pub fn side(item: &Item) -> &'static str {
    match (&item.ours, &item.theirs) {
        (Some(_), Some(_)) => "both",
        (Some(_), None) => "ours",
        _ => "theirs",
    }
}

fn row(item: &Item) -> Vec<String> {
    let cell = |text: Option<Text>| text.as_ref().map_or(String::new(), csv_cell);
    let any = item.ours.as_ref().or(item.theirs.as_ref());
    let both = |get: &dyn Fn(&View) -> String| {
        [&item.ours, &item.theirs].map(|view| view.as_ref().map_or(String::new(), get))
    };
    let money = |amount: Option<Micro>| amount.map_or(String::new(), Micro::to_cents);
    let mut row = vec![
        item.class.word().to_owned(),
        side(item).to_owned(),
        item.differences.words().join(" "),
        matched_by(item).to_owned(),
        cell(any.and_then(View::event)),
    ];
    row.extend(both(&|v| cell(v.id())));
    row.extend(both(&|v| show(v.time)));
    row.push(item.hours.map_or(String::new(), |h| h.to_string()));
    row.extend(both(&|v| cell(v.event())));
    row.extend(both(&|v| v.status().map_or("", |s| s.word()).to_owned()));
    row.extend(both(&|v| money(v.paid())));
    row.extend(both(&|v| cell(v.currency())));
    row.extend(both(&|v| money(v.sale())));
    row.extend(any.map_or_else(|| vec![String::new(); 5], |v| v.place().map(cell).to_vec()));
    row
}
