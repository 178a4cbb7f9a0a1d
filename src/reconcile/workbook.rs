//! A comparison as an Excel workbook, for people who sort and filter: summary, accounts, differences.

use super::rows::{matched_by, side};
use super::{Account, DIMENSIONS, Item, Reconciliation, Sum, View, words};
use crate::base::error::Result;
use crate::base::time::{SECOND, show};
use crate::report::workbook::{Cell, Page, Sheet, saved};

/// Differences on the sheet of that name.
const MOST: usize = 50_000;

/// The workbook.
///
/// # Errors
/// A sheet that cannot be made.
pub fn workbook(found: &Reconciliation) -> Result<Vec<u8>> {
    let made = found.periods.window.to.div_euclid(SECOND);
    saved(
        "Reconciliation",
        made,
        env!("CARGO_PKG_VERSION"),
        [summary(found), accounts(found), differences(found)],
    )
}

fn summary(found: &Reconciliation) -> Page {
    let mut sheet = Sheet::new("Summary")?;
    sheet.line(&words::sentence(found))?;
    let (first, last) = words::days(found);
    sheet.line(&format!("compared: {first} to {last} ({})", found.zone.name()))?;
    sheet.line(&words::joined(found))?;
    for line in
        [words::clocks(found), words::fallback(found)].into_iter().flatten().chain(found.notes.clone())
    {
        sheet.line(&line)?;
    }
    sheet.line("")?;
    sheet.header(&["", "ours", "theirs", "what it is"].map(str::to_owned), found.tallies.len())?;
    sheet.rows(found.tallies.iter().map(|tally| {
        let facts = tally.class.facts();
        vec![
            Cell::word(facts.both),
            Cell::count(tally.ours),
            Cell::count(tally.theirs),
            Cell::word(facts.summary),
        ]
    }))?;
    sheet.done()
}

/// A part of an account, by its name.
type Part = (&'static str, fn(&Account) -> Sum);

/// What is counted of an account, in the order of its columns.
const PARTS: [Part; 8] = [
    ("ours", |a| a.ours),
    ("theirs", |a| a.theirs),
    ("missing", |a| a.missing),
    ("refused", |a| a.refused),
    ("waiting", |a| a.waiting),
    ("paid less", |a| a.underpaid),
    ("paid more", |a| a.overpaid),
    ("unknown", |a| a.unknown),
];

fn accounts(found: &Reconciliation) -> Page {
    let mut sheet = Sheet::new("Accounts")?;
    let mut names: Vec<String> =
        ["by", "name", "traffic source", "currency", "owed"].map(str::to_owned).to_vec();
    for (part, _) in PARTS {
        names.extend([format!("{part}: count"), format!("{part}: amount")]);
    }
    let all = DIMENSIONS.iter().zip(&found.ledger.by);
    let rows: Vec<Vec<Cell>> = all
        .flat_map(|(by, accounts)| {
            accounts.iter().map(move |((name, currency), account)| {
                let traffic_source = if name.len() > 1 { name[0].as_ref() } else { None };
                let mut row = vec![
                    Cell::word(by),
                    Cell::data(name.last().and_then(Option::as_ref)),
                    Cell::data(traffic_source),
                    Cell::data(currency.as_ref()),
                    Cell::money(Some(account.owed())),
                ];
                for (_, get) in PARTS {
                    let sum = get(account);
                    row.extend([
                        Cell::count(sum.count),
                        Cell::money((sum.count > sum.unpriced).then_some(sum.amount)),
                    ]);
                }
                row
            })
        })
        .collect();
    sheet.header(&names, rows.len())?;
    sheet.rows(rows.into_iter())?;
    sheet.done()
}

fn differences(found: &Reconciliation) -> Page {
    let mut sheet = Sheet::new("Differences")?;
    let all = found.items().count();
    if all > MOST {
        let (shown, all) = (words::count(MOST as u64), words::count(all as u64));
        sheet.line(&format!("The first {shown} of {all} differences. The CSV has all."))?;
    }
    let names = [
        "class",
        "side",
        "differs in",
        "matched by",
        "our ID",
        "their ID",
        "our time",
        "their time",
        "our event",
        "their event",
        "our status",
        "their status",
        "our payout",
        "their payout",
        "our currency",
        "their currency",
        "our amount",
        "their amount",
        "network",
        "offer",
        "traffic source",
        "source",
        "country",
    ];
    sheet.header(&names.map(str::to_owned), all.min(MOST))?;
    sheet.rows(found.items().take(MOST).map(|item| row(&item)))?;
    sheet.done()
}

fn row(item: &Item) -> Vec<Cell> {
    let both = |get: &dyn Fn(&View) -> Cell| {
        [&item.ours, &item.theirs].map(|view| view.as_ref().map_or(Cell::Empty, get))
    };
    let facts = item.class.facts();
    let mut row = vec![
        Cell::word(if item.ours.is_some() { facts.ours } else { facts.theirs }),
        Cell::word(side(item)),
        Cell::word(&item.differences.words().join(", ")),
        Cell::word(matched_by(item)),
    ];
    row.extend(both(&|v| Cell::data(v.id().as_ref())));
    row.extend(both(&|v| Cell::word(&show(v.time))));
    row.extend(both(&|v| Cell::data(v.event().as_ref())));
    row.extend(both(&|v| v.status().map_or(Cell::Empty, |s| Cell::word(s.word()))));
    row.extend(both(&|v| Cell::money(v.paid())));
    row.extend(both(&|v| Cell::data(v.currency().as_ref())));
    row.extend(both(&|v| Cell::money(v.sale())));
    let any = item.ours.as_ref().or(item.theirs.as_ref());
    row.extend(any.into_iter().flat_map(|v| v.place()).map(|text| Cell::data(text.as_ref())));
    row
}
