//! The walk for people, and for programs.

use super::{Against, Backtest, Cut, Key, Mine, MyList, Spared, WhatIf, held, total};
use crate::audit::Sum;
use crate::base::money::Micro;
use crate::base::text::{Text, json_document};
use crate::base::time::show_day;
use crate::base::unit::Unit;
use crate::verdicts::Verdict;
use serde_json::{Value, json as value};
use std::cmp::Ordering;

/// Groups that are named in one part; the JSON has all. Of a list that was made by hand all are named.
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
    out += &found.what_if.as_ref().map_or(String::new(), |other| what_if(other, &currency));
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
    format!(
        "{}, {days}, by {} · each looks at {} · rules {}\n{}\n",
        counted(found.nights.len() as u64, "night"),
        found.grain.join(","),
        counted(u64::from(found.window), "day"),
        short(&found.rules),
        amounts(&found.all, currency, ["spent", "revenue"])
    )
}

fn short(digest: &str) -> String {
    Text::of_user(digest).term(usize::MAX).chars().take(12).collect()
}

fn part(found: &Backtest, verdict: Verdict, currency: &str) -> String {
    let cuts: Vec<&Cut> = found.cuts.iter().filter(|cut| cut.verdict == verdict).collect();
    let saved = match verdict {
        _ if cuts.is_empty() => String::new(),
        Verdict::Block => format!(": {}", saved(&total(cuts.iter().copied()), currency)),
        _ => format!(": {}", on_hold(held(cuts.iter().copied()), currency)),
    };
    format!("\n{} {}{saved}\n", verdict.word(), cuts.len()) + &lines(cuts.into_iter(), currency)
}

/// The first cuts, and how many more there are.
fn lines<'c>(cuts: impl ExactSizeIterator<Item = &'c Cut>, currency: &str) -> String {
    let all = cuts.len();
    let shown: String = cuts.take(SHOWN).map(|cut| format!("  {}\n", line(cut, currency))).collect();
    shown + &more(all)
}

fn more(all: usize) -> String {
    match all.saturating_sub(SHOWN) {
        0 => String::new(),
        n => format!("  and {n} more; --format json has all\n"),
    }
}

fn saved(sum: &Sum, currency: &str) -> String {
    amounts(sum, currency, ["saved", "revenue forgone"])
}

/// `a hold stops no clicks; up to 12.00 USD at risk would have waited`.
fn on_hold(money: Option<Micro>, currency: &str) -> String {
    let waited = money.filter(|m| m.0 > 0).map_or(String::new(), |money| {
        format!("; up to {}{currency} at risk would have waited", Unit::Money.format(money.units()))
    });
    format!("a hold stops no clicks{waited}")
}

/// `popmax/3098120  2026-03-05, 3 nights after its first · 200 clicks, 60.00 USD saved, …`.
fn line(cut: &Cut, currency: &str) -> String {
    let reason = Text::new(cut.reason.as_str()).term(REASON);
    let after = match cut.after {
        0 => "on its first night".to_owned(),
        n => format!("{} after its first", counted(n as u64, "night")),
    };
    format!("{}: {}, {after}{}\n    {reason}", name(&cut.key), show_day(cut.night), gain(cut, currency))
}

/// What a cut would have been good for.
fn gain(cut: &Cut, currency: &str) -> String {
    let waited = cut.held.filter(|m| m.0 > 0).map(|m| Unit::Money.format(m.units()));
    match (cut.verdict, waited) {
        _ if cut.protected => " · protected: nobody would have acted".to_owned(),
        (Verdict::Block, _) => format!(" · {}", saved(&cut.saved, currency)),
        (_, Some(waited)) => format!(" · up to {waited}{currency} at risk would have waited"),
        (_, None) => String::new(),
    }
}

fn against(against: &Against) -> String {
    let planted: usize = against.kinds.iter().map(|kind| kind.1).sum();
    let mut out = format!(
        "\nagainst the truth: {} of {planted} found; {} cut that are not in it\n",
        against.found(),
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
    out + &more(against.others.len())
}

/// `my list: 2 of 4 would have been found, 1 to block and 1 to hold`, then all of it, then whom else.
fn my_list(list: &MyList, currency: &str) -> String {
    let cuts =
        |verdict| list.mine.iter().filter_map(|m| m.cut.as_ref()).filter(move |c| c.verdict == verdict);
    let (blocks, holds) = (cuts(Verdict::Block).count(), cuts(Verdict::Hold).count());
    let mut out = format!(
        "\nmy list: {} of {} would have been found, {blocks} to block and {holds} to hold\n",
        list.found(),
        list.mine.len()
    );
    if blocks > 0 {
        out += &format!("blocked: {}\n", saved(&total(cuts(Verdict::Block)), currency));
    }
    if holds > 0 {
        out += &format!("on hold: {}\n", on_hold(held(cuts(Verdict::Hold)), currency));
    }
    for mine in &list.mine {
        out += &format!("  {}\n", of_mine(mine, currency));
    }
    out += &format!(
        "besides these it would have blocked {}: {}\n",
        list.others.len(),
        saved(&total(list.others.iter()), currency)
    );
    out + &lines(list.others.iter(), currency)
}

fn of_mine(mine: &Mine, currency: &str) -> String {
    let shown = mine.key.as_ref().map_or_else(|| Text::new(mine.name.as_str()).term(NAME), name);
    let Some(cut) = &mine.cut else {
        let missed = |spared: &Spared| format!("not found, {}", spared_words(spared, currency));
        return format!(
            "{shown}: {}",
            mine.spared.as_ref().map_or("not in these exports".to_owned(), missed)
        );
    };
    let beside = match mine.since.map(|since| since - cut.night) {
        None => String::new(),
        Some(0) => ", on the same day as you".to_owned(),
        Some(days) if days > 0 => format!(", {} before you", counted(days as u64, "day")),
        Some(days) => format!(", {} after you", counted(days.unsigned_abs().into(), "day")),
    };
    let gain = gain(cut, currency);
    format!("{shown}: {} on {}{beside}{gain}", cut.verdict.word(), show_day(cut.night))
}

/// `at worst watch, on 2026-03-04: one night of two · 1,204 clicks, 12.04 USD spent`.
fn spared_words(spared: &Spared, currency: &str) -> String {
    let reason = Text::new(spared.reason.as_str()).term(REASON);
    let worst = match spared.worst {
        Verdict::Watch => format!("at worst watch, on {}: {reason}", show_day(spared.night)),
        Verdict::Undecided => "undecided on every night: too little is known".to_owned(),
        other => format!("at worst {}", other.word()),
    };
    format!("{worst} · {}", amounts(&spared.sent, currency, ["spent", "revenue"]))
}

/// What is asked about, beside the rules as they are.
fn what_if(other: &WhatIf, currency: &str) -> String {
    let [asked, as_they_are] = &other.saved;
    let mut out = format!(
        "\nbeside the rules as they are ({}): {}\n  as asked: {}\n  as they are: {}\n",
        short(&other.rules),
        difference(asked, as_they_are, currency),
        saved(asked, currency),
        saved(as_they_are, currency)
    );
    for (what, found) in [("my list", &other.of_list), ("the truth", &other.of_truth)] {
        out += &found.map_or(String::new(), |[asked, as_they_are]| {
            format!("  found of {what}: {asked}; as they are {as_they_are}\n")
        });
    }
    for (what, alone) in ["only as asked", "only as they are"].iter().zip(&other.alone) {
        out += &format!("found {what}: {}\n", alone.len());
        for cut in alone.iter().take(SHOWN) {
            out += &format!("  {} {}\n", cut.verdict.word(), line(cut, currency));
        }
        out += &more(alone.len());
    }
    out += &format!("found by both, on another night or with another verdict: {}\n", other.otherwise.len());
    for (asked, as_they_are) in other.otherwise.iter().take(SHOWN) {
        let when = |cut: &Cut| format!("{} on {}", cut.verdict.word(), show_day(cut.night));
        out += &format!("  {}: {}; as they are {}\n", name(&asked.key), when(asked), when(as_they_are));
    }
    out + &more(other.otherwise.len())
}

/// `20 clicks more, 0.20 USD more saved, 0.10 USD less revenue forgone`.
fn difference(asked: &Sum, as_they_are: &Sum, currency: &str) -> String {
    let clicks = asked.clicks.abs_diff(as_they_are.clicks);
    let mut parts = vec![match asked.clicks.cmp(&as_they_are.clicks) {
        Ordering::Equal => "as many clicks".to_owned(),
        Ordering::Greater => format!("{} more", counted(clicks, "click")),
        Ordering::Less => format!("{} fewer", counted(clicks, "click")),
    }];
    let pairs =
        [(asked.spend, as_they_are.spend, "saved"), (asked.revenue, as_they_are.revenue, "revenue forgone")];
    for (asked, as_they_are, what) in pairs {
        if asked.is_none() && as_they_are.is_none() {
            continue;
        }
        let more = asked.unwrap_or_default().0.saturating_sub(as_they_are.unwrap_or_default().0);
        let amount = Unit::Money.format(Micro(more.saturating_abs()).units());
        parts.push(match more.cmp(&0) {
            Ordering::Equal => format!("as much {what}"),
            Ordering::Greater => format!("{amount}{currency} more {what}"),
            Ordering::Less => format!("{amount}{currency} less {what}"),
        });
    }
    parts.join(", ")
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
            "saved": sum(&cut.saved), "on_hold": cut.held.map(Micro::to_cents), "protected": cut.protected,
        })
    };
    let spared = |spared: &Spared| {
        value!({
            "worst": spared.worst.word(), "night": show_day(spared.night),
            "reason": Text::new(spared.reason.as_str()).json(), "sent": sum(&spared.sent),
        })
    };
    let cuts = |cuts: &[Cut]| cuts.iter().map(cut).collect::<Vec<Value>>();
    let document = value!({
        "schema_version": 1,
        "nights": found.nights.iter().map(|night| show_day(*night)).collect::<Vec<String>>(),
        "window_days": found.window,
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
                "spared": mine.spared.as_ref().map(spared),
            })).collect::<Vec<Value>>(),
            "others": cuts(&list.others),
        })),
        "what_if": found.what_if.as_ref().map(|other| value!({
            "rules_digest": other.rules,
            "saved": {"as_asked": sum(&other.saved[0]), "as_they_are": sum(&other.saved[1])},
            "only_as_asked": cuts(&other.alone[0]),
            "only_as_they_are": cuts(&other.alone[1]),
            "otherwise": other.otherwise.iter().map(|(asked, as_they_are)| value!({
                "as_asked": cut(asked), "as_they_are": cut(as_they_are),
            })).collect::<Vec<Value>>(),
            "found_of_list": other.of_list.map(|[asked, as_they_are]| value!({
                "as_asked": asked, "as_they_are": as_they_are,
            })),
            "found_of_truth": other.of_truth.map(|[asked, as_they_are]| value!({
                "as_asked": asked, "as_they_are": as_they_are,
            })),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::HOSTILE;

    fn cut(name: &str, verdict: Verdict, clicks: u64) -> Cut {
        let saved = Sum { clicks, spend: Some(Micro(clicks as i64 * 10_000)), revenue: None };
        let held = (verdict == Verdict::Hold).then_some(Micro(3_000_000));
        let reason = "too fast; 2 of the last 3 nights".to_owned();
        Cut {
            key: vec![Some("net".into()), Some(name.to_owned())],
            verdict,
            night: 20_523,
            reason,
            saved,
            held,
            ..Cut::sample()
        }
    }

    fn mine(name: &str, cut: Option<Cut>, spared: Option<Spared>) -> Mine {
        let key = Some(vec![Some("net".to_owned()), Some(name.to_owned())]);
        Mine { name: name.to_owned(), since: None, key, cut, spared }
    }

    fn spared(worst: Verdict) -> Option<Spared> {
        let sent = Sum { clicks: 1_204, spend: Some(Micro(12_040_000)), revenue: None };
        Some(Spared { worst, night: 20_523, reason: "too fast; 1 night of 2".to_owned(), sent })
    }

    fn told(found: Backtest, parts: &[&str]) {
        let text = text(&found);
        parts.iter().for_each(|part| assert!(text.contains(part), "no {part} in\n{text}"));
        let document: Value = serde_json::from_str(&json(&found)).expect("JSON");
        assert_eq!(document["window_days"], found.window);
    }

    #[test]
    fn all_of_my_list_is_told_with_what_was_not_found() {
        let others: Vec<Cut> = (0..33).map(|n| cut(&format!("x{n}"), Verdict::Block, 1)).collect();
        let mut list = vec![
            mine("a", Some(cut("a", Verdict::Block, 120)), None),
            mine("b", Some(cut("b", Verdict::Hold, 0)), None),
            mine("c", None, spared(Verdict::Watch)),
            mine("d", None, spared(Verdict::Undecided)),
        ];
        list.extend((0..60).map(|n| mine(&format!("m{n}"), None, spared(Verdict::Clean))));
        let window = 30;
        told(
            Backtest { window, my_list: Some(MyList { mine: list, others }), ..Backtest::default() },
            &[
                " · each looks at 30 days · ",
                "my list: 2 of 64 would have been found, 1 to block and 1 to hold\nblocked: 120 clicks, 1.20 saved\n",
                "on hold: a hold stops no clicks; up to 3.00 at risk would have waited\n",
                "  net/a: block on 2026-03-11 · 120 clicks, 1.20 saved\n",
                "  net/b: hold on 2026-03-11 · up to 3.00 at risk would have waited\n",
                "  net/c: not found, at worst watch, on 2026-03-11: too fast; 1 night of 2 · 1,204 clicks, 12.04 spent\n",
                "  net/d: not found, undecided on every night: too little is known · 1,204 clicks, 12.04 spent\n",
                "  net/m59: not found, at worst clean · 1,204 clicks, 12.04 spent\n",
                "besides these it would have blocked 33: 33 clicks, 0.33 saved\n",
                "  and 3 more; --format json has all\n",
            ],
        );
    }

    #[test]
    fn what_a_question_changes_is_told_with_the_money() {
        let asked = Backtest {
            cuts: vec![cut("a", Verdict::Block, 120), cut("c", Verdict::Hold, 0)],
            ..Backtest::default()
        };
        let later = Cut { night: 20_524, ..cut("c", Verdict::Block, 20) };
        let as_they_are = Backtest {
            rules: "0123456789abcdef".to_owned(),
            cuts: vec![later, cut("b", Verdict::Hold, 0)],
            ..Backtest::default()
        };
        let what_if = Some(WhatIf::between(&asked, &as_they_are));
        told(
            Backtest { what_if, ..asked },
            &[
                "beside the rules as they are (0123456789ab): 100 clicks more, 1.00 more saved\n",
                "  as asked: 120 clicks, 1.20 saved\n  as they are: 20 clicks, 0.20 saved\n",
                "found only as asked: 1\n  block net/a: 2026-03-11, on its first night · 120 clicks, 1.20 saved\n",
                "found only as they are: 1\n  hold net/b: 2026-03-11",
                "with another verdict: 1\n  net/c: hold on 2026-03-11; as they are block on 2026-03-12\n",
            ],
        );
    }

    #[test]
    fn names_from_data_are_harmless() {
        for name in HOSTILE {
            let cuts = vec![cut(name, Verdict::Block, 1)];
            let list = MyList { mine: vec![mine(name, None, None)], others: cuts.clone() };
            let text = text(&Backtest { cuts, my_list: Some(list), ..Backtest::default() });
            assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
        }
    }
}
