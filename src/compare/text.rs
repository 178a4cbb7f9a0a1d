//! A comparison for people, and for programs.

use super::{Change, Diff, Key, Sum};
use crate::base::money::Micro;
use crate::base::text::{Text, json_document};
use crate::base::unit::Unit;
use serde_json::{Value, json as value};

/// Groups that are named; the JSON has all.
const SHOWN: usize = 40;
/// Cells of one part of a name.
const NAME: usize = 40;

/// The comparison as text.
pub fn text(diff: &Diff) -> String {
    let mut out = format!(
        "rules: {} ({}) before, {} ({}) after\n",
        diff.old_rules.0,
        short(&diff.old_rules.1),
        diff.new_rules.0,
        short(&diff.new_rules.1)
    );
    let changed = diff.moved.len() as u64;
    out += &format!(
        "{} by {}: {}\n",
        counted(diff.groups, "group"),
        diff.grain.join(","),
        match changed {
            0 => "no verdict changes".to_owned(),
            1 => "1 changes its verdict".to_owned(),
            n => format!("{} change their verdict", count(n)),
        }
    );
    let currency = diff.currency.as_ref().map_or(String::new(), |c| format!(" {}", c.term(8)));
    out += "\nverdicts\n";
    diff.verdicts.iter().for_each(|change| out += &line(change, &currency, 9));
    if !diff.moved.is_empty() {
        out += "\ngroups\n";
    }
    for moved in diff.moved.iter().take(SHOWN) {
        let what = amounts(&moved.sum, &currency);
        out += &format!("  {}: {} to {} ({what})\n", name(&moved.key), moved.from, moved.to);
    }
    if diff.moved.len() > SHOWN {
        out += &format!("  and {} more; --format json has all\n", diff.moved.len() - SHOWN);
    }
    if !diff.rules.is_empty() {
        out += "\nrules\n";
        diff.rules.iter().for_each(|change| out += &line(change, &currency, 40));
    }
    out += "\n";
    diff.notes.iter().for_each(|note| out += &format!("note: {note}\n"));
    out
}

/// `  block      6 → 5  +0, -1 (450 clicks, 118.59 USD spent, 40.00 USD revenue)`.
fn line(change: &Change, currency: &str, width: usize) -> String {
    let side = |n: Option<u64>| n.map_or("–".to_owned(), count);
    let mut text = format!("  {:<width$}  {} → {}", change.name, side(change.old), side(change.new));
    match (change.old, change.new) {
        (None, _) => text += "  new",
        (_, None) => text += "  gone",
        _ => {}
    }
    for (sign, sum) in [("+", &change.enter), ("−", &change.leave)] {
        if sum.groups > 0 {
            text += &format!("  {sign}{} ({})", count(sum.groups), amounts(sum, currency));
        }
    }
    text + "\n"
}

fn amounts(sum: &Sum, currency: &str) -> String {
    let mut parts = vec![counted(sum.clicks, "click")];
    let money =
        |amount: Micro, what: &str| format!("{}{currency} {what}", Unit::Money.format(amount.units()));
    parts.extend(sum.spend.map(|spend| money(spend, "spent")));
    parts.extend(sum.revenue.map(|revenue| money(revenue, "revenue")));
    parts.join(", ")
}

fn name(key: &Key) -> String {
    let parts: Vec<String> = key.iter().flatten().map(|part| part.term(NAME)).collect();
    if parts.is_empty() { "(none)".to_owned() } else { parts.join("/") }
}

fn short(digest: &str) -> String {
    Text::of_user(digest).term(usize::MAX).chars().take(12).collect()
}

fn count(n: u64) -> String {
    Unit::Count.format(n as f64)
}

fn counted(n: u64, what: &str) -> String {
    format!("{} {what}{}", count(n), if n == 1 { "" } else { "s" })
}

/// The comparison as JSON.
pub fn json(diff: &Diff) -> String {
    let key = |key: &Key| -> Value {
        let columns = diff.grain.iter().zip(key);
        columns.map(|(name, part)| (name.clone(), value!(part.as_ref().map(Text::json)))).collect()
    };
    let document = value!({
        "schema_version": 1,
        "rules": {
            "old": {"count": diff.old_rules.0, "digest": diff.old_rules.1},
            "new": {"count": diff.new_rules.0, "digest": diff.new_rules.1},
        },
        "currency": diff.currency.as_ref().map(Text::json),
        "groups": diff.groups,
        "verdicts": diff.verdicts.iter().map(|c| change("verdict", c)).collect::<Vec<Value>>(),
        "moved": diff.moved.iter().map(|m| value!({
            "key": key(&m.key), "from": m.from, "to": m.to, "clicks": m.sum.clicks,
            "spend": m.sum.spend.map(Micro::to_cents), "revenue": m.sum.revenue.map(Micro::to_cents),
        })).collect::<Vec<Value>>(),
        "changed_rules": diff.rules.iter().map(|c| change("rule", c)).collect::<Vec<Value>>(),
        "notes": diff.notes,
    });
    json_document(&format!("{document:#}")) + "\n"
}

fn change(what: &str, change: &Change) -> Value {
    value!({
        what: change.name, "old": change.old, "new": change.new,
        "enter": sum(&change.enter), "leave": sum(&change.leave),
    })
}

fn sum(sum: &Sum) -> Value {
    value!({
        "groups": sum.groups, "clicks": sum.clicks,
        "spend": sum.spend.map(Micro::to_cents), "revenue": sum.revenue.map(Micro::to_cents),
    })
}
