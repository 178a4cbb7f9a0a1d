//! A comparison for people: the sentence first, then what it rests on.

use super::words::{self, NAME};
use super::{Account, Accounts, Class, DIMENSIONS, Item, Name, Reconciliation, View};
use crate::base::money::Micro;
use crate::base::text::Text;
use crate::base::time::show;
use crate::report::{Look, forwarded_lines};

/// Lines of one part of the accounts, and differences of one class; JSON and CSV have all.
const LINES: usize = 10;
const SHOWN: usize = 5;

/// The comparison as text.
pub fn text(found: &Reconciliation, look: &Look) -> String {
    let mut out = format!("{}\n\n", words::sentence(found));
    if look.colour {
        out = format!("\u{1b}[1m{}\u{1b}[0m\n\n", words::sentence(found));
    }
    classes(found, &mut out);
    out.push('\n');
    let (first, last) = words::days(found);
    let mut about =
        vec![format!("compared: {first} to {last} ({})", found.zone.name()), words::joined(found)];
    about.extend(words::clocks(found));
    about.extend(words::fallback(found));
    about.extend(rejected(found));
    about.extend(found.notes.iter().map(|note| format!("note: {note}")));
    about.iter().for_each(|line| out += &format!("{line}\n"));
    for (name, accounts) in DIMENSIONS.iter().zip(&found.ledger.by) {
        table(name, accounts, &mut out);
    }
    if let Some(forwarded) = &found.forwarded {
        out += &format!("\n{}\n", forwarded_lines(forwarded).join("\n"));
    }
    differences(found, &mut out);
    out
}

/// Rows by class; classes without a row are left out, but for those that matter.
fn classes(found: &Reconciliation, out: &mut String) {
    let all = |get: fn(&super::Tally) -> u64| found.tallies.iter().map(get).sum::<u64>();
    let mut rows: Vec<[String; 3]> = vec![["".into(), "ours".into(), "theirs".into()]];
    for tally in &found.tallies {
        let facts = tally.class.facts();
        let shown = tally.ours + tally.theirs > 0 || matches!(tally.class, Class::Equal | Class::Missing);
        if shown {
            rows.push([facts.both.to_owned(), words::count(tally.ours), words::count(tally.theirs)]);
        }
    }
    rows.push(["rows".into(), words::count(all(|t| t.ours)), words::count(all(|t| t.theirs))]);
    *out += &aligned(&rows);
}

/// Rows as lines: the first column to the left, the others to the right.
fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let cells = |text: &str| text.chars().count();
    let width = |at: usize| rows.iter().map(|row| cells(&row[at])).max().unwrap_or(0);
    let mut out = String::new();
    for row in rows {
        let mut line = format!("  {}{}", row[0], " ".repeat(width(0) - cells(&row[0])));
        for (at, cell) in row.iter().enumerate().skip(1) {
            line += &format!("  {}{cell}", " ".repeat(width(at) - cells(cell)));
        }
        out += &format!("{}\n", line.trim_end());
    }
    out
}

fn rejected(found: &Reconciliation) -> Vec<String> {
    let line = |file: &super::FileLine| {
        let ledger = &file.ledger;
        let reasons: Vec<String> = ledger
            .rejects
            .counts
            .iter()
            .map(|(reason, n)| format!("{} {}", words::count(*n), reason.summary()))
            .collect();
        let path = Text::of_user(ledger.path.display().to_string()).term(60);
        match (ledger.duplicate_of, reasons.is_empty()) {
            (Some(_), _) => Some(format!("{path}: the same bytes as another file, counted once")),
            (None, false) => Some(format!("{path}: rows rejected: {}", reasons.join("; "))),
            (None, true) => None,
        }
    };
    found.files.iter().filter_map(line).collect()
}

/// The accounts of one dimension that do not agree, the largest amount owed first.
fn table(dimension: &str, accounts: &Accounts, out: &mut String) {
    let named = accounts.keys().any(|(name, _)| name.iter().any(Option::is_some));
    let mut open: Vec<(&(Name, Option<Text>), &Account)> =
        accounts.iter().filter(|(_, account)| !account.agrees()).collect();
    if !named || open.is_empty() {
        return;
    }
    let agree = accounts.len() - open.len();
    open.sort_by(|a, b| {
        let weight = |account: &Account| (account.disputed(), account.missing.count + account.unknown.count);
        weight(b.1).cmp(&weight(a.1)).then_with(|| a.0.cmp(b.0))
    });
    let header = [
        dimension,
        "",
        "ours",
        "theirs",
        "missing",
        "refused",
        "waiting",
        "paid less",
        "paid more",
        "owed",
        "unknown",
    ];
    let mut rows: Vec<[String; 11]> = vec![header.map(str::to_owned)];
    rows.extend(open.iter().take(LINES).map(|(key, account)| row(key, account)));
    *out += &format!("\n{}", aligned(&rows));
    if open.len() > LINES {
        *out += &format!("  and {} more; -o json has all\n", words::count((open.len() - LINES) as u64));
    }
    if agree > 0 {
        *out += &format!("  {} on which both agree\n", words::count(agree as u64));
    }
}

fn row((name, currency): &(Name, Option<Text>), account: &Account) -> [String; 11] {
    let parts: Vec<String> = name.iter().flatten().map(|part| part.term(NAME)).collect();
    let name = if parts.is_empty() { "(none)".to_owned() } else { parts.join("/") };
    [
        name,
        currency.as_ref().map_or("(unknown)".to_owned(), |c| c.term(8)),
        words::amount(account.ours.amount),
        words::amount(account.theirs.amount),
        words::count(account.missing.count),
        words::count(account.refused.count),
        words::count(account.waiting.count),
        words::amount(account.underpaid.amount),
        words::amount(account.overpaid.amount),
        words::amount(account.owed()),
        words::count(account.unknown.count),
    ]
}

fn differences(found: &Reconciliation, out: &mut String) {
    let (mut last, mut shown, mut cut) = (None, 0, false);
    for item in found.items() {
        let heading = (item.class, item.ours.is_none());
        if last != Some(heading) {
            let facts = item.class.facts();
            *out += &format!("\n{}\n", if heading.1 { facts.theirs } else { facts.ours });
            (last, shown) = (Some(heading), 0);
        }
        shown += 1;
        if shown <= SHOWN {
            *out += &format!("  {}\n", told(&item));
        }
        cut |= shown > SHOWN;
    }
    if cut {
        *out += &format!("\nthe first {SHOWN} of each; -o csv has all\n");
    }
}

/// One difference in a line.
fn told(item: &Item) -> String {
    let Some(view) = item.ours.as_ref().or(item.theirs.as_ref()) else { return String::new() };
    let word = |text: Option<Text>| text.map(|t| t.term(NAME));
    let mut parts = vec![show(view.time), word(view.event()).unwrap_or_default(), priced(view)];
    parts.push(word(view.id()).unwrap_or_else(|| "(no ID)".to_owned()));
    let place: Vec<String> = view.place().into_iter().flatten().map(|t| t.term(NAME)).collect();
    parts.push(place.join("/"));
    if let (Some(ours), Some(theirs)) = (&item.ours, &item.theirs) {
        parts.extend(changes(item, ours, theirs));
    }
    if item.differences.has(super::Difference::Fallback) {
        parts.push("(no ID in common)".to_owned());
    }
    parts.retain(|part| !part.is_empty());
    parts.join("  ")
}

fn priced(view: &View) -> String {
    let amount = view.paid().or(view.sale());
    amount.map_or(String::new(), |amount| words::money(amount, view.currency().as_ref()))
}

/// `approved → rejected`, ours first.
fn changes(item: &Item, ours: &View, theirs: &View) -> Vec<String> {
    let both = |what: &str, get: &dyn Fn(&View) -> String| format!("{what} {} → {}", get(ours), get(theirs));
    let money = |amount: Option<Micro>| amount.map_or("–".to_owned(), words::amount);
    let told = |difference: &str| match difference {
        "event" => both("event", &|v| v.event().map_or("–".to_owned(), |e| e.term(NAME))),
        "status" => both("status", &|v| v.status().map_or("–", |s| s.word()).to_owned()),
        "currency" => both("currency", &|v| v.currency().map_or("–".to_owned(), |c| c.term(8))),
        "payout" => both("payout", &|v| money(v.paid())),
        "amount" => both("amount", &|v| money(v.sale())),
        _ => format!("theirs {:+} h", item.hours.unwrap_or_default()),
    };
    item.differences.words().into_iter().map(told).collect()
}
