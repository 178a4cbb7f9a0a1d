//! The walk for people, and for programs.

use super::{Against, Backtest, Cut, Key, Mine, MyList, Sum};
use crate::base::money::Micro;
use crate::base::text::{Text, json_document};
use crate::base::time::show_day;
use crate::base::unit::Unit;
use crate::verdicts::Verdict;
use serde_json::{Value, json as value};

/// Groups that are named in one part; the JSON has all.
const SHOWN: usize = 30;
/// Cells of one part of a name, and of a reason.
const NAME: usize = 40;
const REASON: usize = 100;

/// The walk as text.
pub fn text(found: &Backtest) -> String {
    let currency = found.currency.as_ref().map_or(String::new(), |c| format!(" {}", c.term(8)));
    let mut out = head(found, &currency);
    for verdict in [Verdict::Block, Verdict::Hold] {
        out += &part(found, verdict, &currency);
    }
    out += &found.against.as_ref().map_or(String::new(), against);
    out += &found.my_list.as_ref().map_or(String::new(), |list| my_list(list, &currency));
    for (night, why) in &found.gated {
        out += &format!("note: the night of {} judged nobody: {why}\n", show_day(*night));
    }
    out + "note: a source that would have been blocked goes on here as it did\n"
}

fn head(found: &Backtest, currency: &str) -> String {
    let days = match (found.nights.first(), found.nights.last()) {
        (Some(first), Some(last)) => format!("{} to {}", show_day(*first), show_day(*last)),
        _ => "no night".to_owned(),
    };
    let rules: String = Text::new(found.rules.as_str()).term(usize::MAX).chars().take(12).collect();
    format!(
        "{}, {days}, by {} · rules {rules}\n{}\n",
        counted(found.nights.len() as u64, "night"),
        found.grain.join(","),
        amounts(&found.all, currency, ["spent", "revenue"])
    )
}

fn part(found: &Backtest, verdict: Verdict, currency: &str) -> String {
    let cuts: Vec<&Cut> = found.cuts.iter().filter(|cut| cut.verdict == verdict).collect();
    let mut sum = Sum::default();
    cuts.iter().for_each(|cut| sum.add(cut.saved));
    let saved = match verdict {
        Verdict::Block if !cuts.is_empty() => {
            format!(": {}", amounts(&sum, currency, ["saved", "revenue forgone"]))
        }
        _ => String::new(),
    };
    let mut out = format!("\n{} {}{saved}\n", verdict.word(), cuts.len());
    for cut in cuts.iter().take(SHOWN) {
        out += &format!("  {}\n", line(cut, currency));
    }
    if cuts.len() > SHOWN {
        out += &format!("  and {} more; --format json has all\n", cuts.len() - SHOWN);
    }
    out
}

/// `popmax/3098120  2026-03-05, 3 nights after its first · 200 clicks, 60.00 USD saved, …`.
fn line(cut: &Cut, currency: &str) -> String {
    let reason = Text::new(cut.reason.as_str()).term(REASON);
    let after = match cut.after {
        0 => "on its first night".to_owned(),
        n => format!("{} after its first", counted(n as u64, "night")),
    };
    let saved = match cut.verdict {
        Verdict::Block => format!(" · {}", amounts(&cut.saved, currency, ["saved", "revenue forgone"])),
        _ => String::new(),
    };
    format!("{}: {}, {after}{saved}\n    {reason}", name(&cut.key), show_day(cut.night))
}

fn against(against: &Against) -> String {
    let planted: usize = against.kinds.iter().map(|kind| kind.1).sum();
    let found: usize = against.kinds.iter().map(|kind| kind.2).sum();
    let mut out = format!(
        "\nagainst the truth: {found} of {planted} found; {} cut that are not in it\n",
        against.others.len()
    );
    out += "  kind                  found  of  median nights\n";
    for (kind, planted, found, median) in &against.kinds {
        let kind = Text::new(kind.as_str()).term(20);
        let median = median.map_or("–".to_owned(), |nights| nights.to_string());
        out += &format!("  {kind:<20}  {found:>5}  {planted:>2}  {median:>13}\n");
    }
    for key in against.others.iter().take(SHOWN) {
        out += &format!("  not in it: {}\n", name(key));
    }
    out
}

fn my_list(list: &MyList, currency: &str) -> String {
    let found = list.mine.iter().filter(|mine| mine.cut.is_some()).count();
    let mut saved = Sum::default();
    list.mine.iter().filter_map(|mine| mine.cut.as_ref()).for_each(|cut| saved.add(cut.saved));
    let mut out = format!(
        "\nmy list: {found} of {} would have been found: {}\n",
        list.mine.len(),
        amounts(&saved, currency, ["saved", "revenue forgone"])
    );
    for mine in list.mine.iter().take(SHOWN) {
        out += &format!("  {}\n", of_mine(mine, currency));
    }
    let mut others = Sum::default();
    list.others.iter().for_each(|cut| others.add(cut.saved));
    out += &format!(
        "besides these it would have blocked {}: {}\n",
        list.others.len(),
        amounts(&others, currency, ["saved", "revenue forgone"])
    );
    for cut in list.others.iter().take(SHOWN) {
        out += &format!("  {}\n", line(cut, currency));
    }
    out
}

fn of_mine(mine: &Mine, currency: &str) -> String {
    let shown = mine.key.as_ref().map_or_else(|| Text::new(mine.name.as_str()).term(NAME), name);
    let Some(cut) = &mine.cut else {
        let why = if mine.key.is_some() { "not found" } else { "not in these exports" };
        return format!("{shown}: {why}");
    };
    let beside = match mine.since.map(|since| since - cut.night) {
        None => String::new(),
        Some(0) => ", on the same day as you".to_owned(),
        Some(days) if days > 0 => format!(", {} before you", counted(days as u64, "day")),
        Some(days) => format!(", {} after you", counted(days.unsigned_abs().into(), "day")),
    };
    let saved = amounts(&cut.saved, currency, ["saved", "revenue forgone"]);
    format!("{shown}: {} on {}{beside} · {saved}", cut.verdict.word(), show_day(cut.night))
}

fn amounts(sum: &Sum, currency: &str, [spend, revenue]: [&str; 2]) -> String {
    let money =
        |amount: Micro, what: &str| format!("{}{currency} {what}", Unit::Money.format(amount.units()));
    let mut parts = vec![counted(sum.clicks, "click")];
    parts.extend(sum.spend.map(|amount| money(amount, spend)));
    parts.extend(sum.revenue.map(|amount| money(amount, revenue)));
    parts.join(", ")
}

fn counted(n: u64, what: &str) -> String {
    format!("{} {what}{}", Unit::Count.format(n as f64), if n == 1 { "" } else { "s" })
}

fn name(key: &Key) -> String {
    let parts: Vec<String> = key.iter().flatten().map(|part| Text::new(part.as_str()).term(NAME)).collect();
    if parts.is_empty() { "(none)".to_owned() } else { parts.join("/") }
}

/// The walk as JSON.
pub fn json(found: &Backtest) -> String {
    let key = |key: &Key| -> Value {
        let columns = found.grain.iter().zip(key);
        columns
            .map(|(name, part)| (name.clone(), value!(part.as_ref().map(|p| Text::new(p.as_str()).json()))))
            .collect()
    };
    let cut = |cut: &Cut| {
        value!({
            "key": key(&cut.key), "verdict": cut.verdict.word(), "night": show_day(cut.night),
            "nights_after_first": cut.after, "reason": Text::new(cut.reason.as_str()).json(),
            "saved": sum(&cut.saved),
        })
    };
    let cuts = |cuts: &[Cut]| cuts.iter().map(cut).collect::<Vec<Value>>();
    let document = value!({
        "schema_version": 1,
        "nights": found.nights.iter().map(|night| show_day(*night)).collect::<Vec<String>>(),
        "judged_nobody": found.gated.iter().map(|(night, why)| value!({"night": show_day(*night), "why": why})).collect::<Vec<Value>>(),
        "rules_digest": found.rules,
        "currency": found.currency.as_ref().map(Text::json),
        "all": sum(&found.all),
        "cuts": cuts(&found.cuts),
        "truth": found.against.as_ref().map(|against| value!({
            "kinds": against.kinds.iter().map(|(kind, planted, found, median)| value!({
                "kind": Text::new(kind.as_str()).json(), "planted": planted, "found": found, "median_nights": median,
            })).collect::<Vec<Value>>(),
            "others": against.others.iter().map(key).collect::<Vec<Value>>(),
        })),
        "my_list": found.my_list.as_ref().map(|list| value!({
            "mine": list.mine.iter().map(|mine| value!({
                "name": Text::new(mine.name.as_str()).json(),
                "since": mine.since.map(show_day),
                "known": mine.key.is_some(),
                "cut": mine.cut.as_ref().map(cut),
            })).collect::<Vec<Value>>(),
            "others": cuts(&list.others),
        })),
    });
    json_document(&format!("{document:#}")) + "\n"
}

fn sum(sum: &Sum) -> Value {
    value!({
        "clicks": sum.clicks,
        "spend": sum.spend.map(Micro::to_cents), "revenue": sum.revenue.map(Micro::to_cents),
    })
}
