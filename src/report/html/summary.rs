//! The first screen: what was looked at, what to do, and the money.

use super::view::{VERDICTS, View, badge};
use super::writer::Html;
use crate::base::column::Grain;
use crate::base::money::Micro;
use crate::base::text::Text;
use crate::base::time;
use crate::base::unit::Unit;
use crate::report::money::claimed;
use crate::report::phrase::{count, counted};
use crate::report::{List, idle, terminal};
use crate::verdicts::{Judged, Verdict};

/// Cells of a sentence.
const SENTENCE: usize = 1_000;

pub fn write(h: &mut Html, view: &View) {
    alerts(h, view);
    h.words("h2", &[], "Summary");
    h.words("p", &[("class", "lead")], &lead(view));
    cards(h, view);
    verdicts(h, view);
    news(h, view);
}

/// Groups that changed and are named.
const CHANGED: usize = 20;

/// What changed since the night before, or since the run that was named.
fn news(h: &mut Html, view: &View) {
    let Some(news) = &view.report.news else { return };
    let currency = view.report.run.currency.as_ref().map_or(String::new(), |c| format!(" {}", c.term(20)));
    h.words("h3", &[], "What changed");
    h.words("p", &[], &format!("{}.", news.headline(&currency).replacen('s', "S", 1)));
    if !news.moved.is_empty() {
        h.element("ul", &[], |h| {
            for moved in news.moved.iter().take(CHANGED) {
                let name: Vec<String> = moved.key.iter().flatten().map(|t| t.term(60)).collect();
                let money =
                    moved.at_risk.map_or(String::new(), |m| format!(", {} at risk", view.money(Some(m))));
                let why = moved
                    .why
                    .as_deref()
                    .map_or(String::new(), |w| format!(": {}", Text::new(w).term(SENTENCE)));
                let step = format!("{}{money}{why}", moved.step());
                let words = format!("{}: {}, {step}", moved.change.word(), name.join(" / "));
                h.words("li", &[], &words);
            }
        });
    }
    if news.moved.len() > CHANGED {
        let more =
            format!("{} more changed and are not named here.", count((news.moved.len() - CHANGED) as u64));
        h.words("p", &[("class", "soft")], &more);
    }
    for note in &news.notes {
        h.words("p", &[("class", "soft")], &format!("Note: {note}."));
    }
}

/// `37,959 clicks, 2,389 conversions · 2026-03-02 to 2026-03-15 (UTC) · by source · buyer's view · USD`.
pub fn frame(view: &View) -> String {
    let (run, totals) = (&view.report.run, &view.report.totals);
    let clicks = counted(totals.clicks, "click", "clicks");
    let mut parts = vec![format!("{clicks}, {}", counted(totals.conversions, "conversion", "conversions"))];
    if let Some((first, last)) = run.window {
        parts.push(format!("{} to {} ({})", time::show_day(first), time::show_day(last), run.tz));
    }
    let columns: Vec<&str> = run.grain.columns().iter().map(|c| c.name()).collect();
    parts.push(format!("by {}", columns.join(", ")));
    parts.push(format!("{}'s view", run.perspective));
    parts.extend(run.currency.as_ref().map(|c| format!("amounts in {}", c.term(20))));
    parts.join(" · ")
}

/// What has to be known before anything else is read: a gate, a list that was not written.
fn alerts(h: &mut Html, view: &View) {
    let gates = &view.report.coverage.gates;
    if !gates.is_empty() {
        h.element("div", &[("class", "alert"), ("role", "alert")], |h| {
            h.words(
                "p",
                &[],
                "This input cannot be judged as a whole, so no list is written. What follows is to be \
                               read with that in mind.",
            );
            h.element("ul", &[], |h| {
                for gate in gates {
                    h.words("li", &[], &format!("{}: {}", gate.name, gate.sentence.term(SENTENCE)));
                }
            });
        });
    }
    let lists = [("block list", &view.report.lists.block), ("profit list", &view.report.lists.profit)];
    for (name, list) in lists {
        if let (List::Withheld(why), true) = (list, gates.is_empty()) {
            let words = format!("No {name} is written: {}", Text::new(why).term(SENTENCE));
            h.words("p", &[("class", "alert")], &words);
        }
    }
}

/// The groups of a verdict.
fn at<'v, 'r>(view: &'v View<'_, 'r>, verdict: Verdict) -> Vec<&'v Judged<'r>> {
    view.groups.iter().copied().filter(|g| g.verdict == verdict).collect()
}

fn sum(groups: &[&Judged], of: impl Fn(&Judged) -> Option<Micro>) -> Option<Micro> {
    let known = groups.iter().filter_map(|g| of(g));
    known.reduce(|a, b| Micro(a.0.saturating_add(b.0)))
}

/// What to do, in two or three sentences.
fn lead(view: &View) -> String {
    let plain = view.report.run.grain == Grain::source();
    let all = format!("{} {}", count(view.groups.len() as u64), if plain { "sources" } else { "groups" });
    if view.groups.is_empty() {
        return "There is nothing to judge: no group has a click or a conversion.".to_owned();
    }
    let (block, hold) = (at(view, Verdict::Block), at(view, Verdict::Hold));
    let mut words = match (block.len(), hold.len()) {
        (0, 0) => format!("None of {all} is to be blocked or held."),
        (b, 0) => format!("Block {b} of {all}."),
        (0, n) => format!("Hold {n} of {all}; none is to be blocked."),
        (b, n) => format!("Block {b} of {all} and hold {n}."),
    };
    let flagged: Vec<&Judged> = block.into_iter().chain(hold).collect();
    if let Some(cost) = sum(&flagged, |g| g.subject.spend).filter(|_| !flagged.is_empty()) {
        let whole = view.report.totals.cost.filter(|whole| whole.0 > 0 && cost.0 >= 0);
        let share =
            whole.map(|whole| format!(", {} of all", Unit::Share.format(cost.units() / whole.units())));
        words.push_str(&format!(
            " Together they cost {}{}.",
            view.money(Some(cost)),
            share.unwrap_or_default()
        ));
    }
    if let Some(risk) = sum(&flagged, |g| g.money_at_risk) {
        words.push_str(&format!(" At least {} is at risk.", view.money(Some(risk))));
    }
    let sentences = idle::in_a_sentence(&idle::observed(view.report)).into_iter();
    let silenced = idle::suppressed(view.report).len();
    let silenced = (silenced > 0).then(|| format!("{}.", idle::silenced(silenced)));
    sentences.chain(silenced).for_each(|sentence| words.push_str(&format!(" {sentence}")));
    let undecided = at(view, Verdict::Undecided).len() as u64;
    if undecided > 0 {
        let those = counted(undecided, "other", "others");
        words.push_str(&format!(
            " Of {those} too little is known to say anything; that is not the same as clean."
        ));
    }
    words
}

/// The money, each amount with what it means.
fn cards(h: &mut Html, view: &View) {
    let (totals, groups) = (&view.report.totals, &view.report.groups);
    let claim = claimed(view.report, groups.iter());
    let parts = claim.as_ref().map_or(String::new(), |claim| format!("counted: {}", claim.told()));
    let held = groups.iter().filter(|g| g.verdict <= Verdict::Hold && !g.protected);
    let savings = held.filter_map(|g| g.outlook.loss.map(|l| l.expected_saving.0)).filter(|s| *s > 0);
    let saving = savings.reduce(i64::saturating_add).map(Micro);
    let cards = [
        ("Cost", totals.cost, "of all traffic in the window"),
        ("Revenue", totals.revenue, "of approved conversions, less what was taken back"),
        ("Profit", totals.profit, "revenue less cost; what is pending is not counted"),
        ("At risk", at_risk(view), "at block and hold: the least that the evidence supports"),
        ("Can be claimed back", claim.map(|claim| claim.total), parts.as_str()),
        ("Expected saving", saving, "an estimate for the next weeks; see below"),
    ];
    h.element("dl", &[("class", "cards")], |h| {
        for (name, amount, meaning) in cards.into_iter().filter(|(_, amount, _)| amount.is_some()) {
            h.element("div", &[], |h| {
                h.words("dt", &[], name);
                h.words("dd", &[("class", "big")], &view.money(amount));
                h.words("dd", &[("class", "soft")], meaning);
            });
        }
    });
    if saving.is_some() {
        let words = format!("The expected saving assumes: {}.", terminal::outlook::assumptions(view.report));
        h.words("p", &[("class", "soft")], &words);
    }
}

fn at_risk(view: &View) -> Option<Micro> {
    let flagged: Vec<&Judged> = view.groups.iter().copied().filter(|g| g.verdict <= Verdict::Hold).collect();
    sum(&flagged, |g| g.money_at_risk)
}

/// What a reader does with groups of a verdict.
fn advice(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Block => "stop the traffic, do not pay",
        Verdict::Hold => "do not pay yet; a person looks at the evidence",
        Verdict::Watch => "look again after the next run",
        Verdict::Clean => "nothing",
        Verdict::Undecided => "not enough data: wait, or export more",
    }
}

/// Every verdict with its groups and their part of the spend.
fn verdicts(h: &mut Html, view: &View) {
    let priced = view.report.totals.cost.is_some_and(|cost| cost.0 > 0);
    let whole = |g: &Judged| {
        if priced { g.subject.spend.map_or(0, |m| m.0.max(0)) as f64 } else { g.subject.clicks as f64 }
    };
    let all: f64 = view.groups.iter().map(|g| whole(g)).sum();
    h.element(
        "div",
        &[("class", "scroll"), ("tabindex", "0"), ("role", "region"), ("aria-label", "Verdicts")],
        |h| {
            h.element("table", &[("class", "verdicts")], |h| {
                h.words("caption", &[("class", "away")], "Groups by verdict");
                let share = if priced { "share of cost" } else { "share of clicks" };
                let heads = [
                    ("", "verdict"),
                    ("n", "groups"),
                    ("n", "clicks"),
                    ("n", "cost"),
                    ("", share),
                    ("n", "at risk"),
                    ("", "what to do"),
                ];
                head(h, &heads);
                h.element("tbody", &[], |h| {
                    for verdict in VERDICTS {
                        let groups = at(view, verdict);
                        let part =
                            if all > 0.0 { groups.iter().map(|g| whole(g)).sum::<f64>() / all } else { 0.0 };
                        let clicks = groups.iter().fold(0u64, |sum, g| sum.saturating_add(g.subject.clicks));
                        let risk = sum(&groups, |g| g.money_at_risk).filter(|_| verdict <= Verdict::Hold);
                        h.element("tr", &[], |h| {
                            h.element("th", &[("scope", "row")], |h| badge(h, verdict));
                            h.words("td", &[("class", "n")], &count(groups.len() as u64));
                            h.words("td", &[("class", "n")], &count(clicks));
                            h.words("td", &[("class", "n")], &view.money(sum(&groups, |g| g.subject.spend)));
                            h.element("td", &[], |h| super::charts::part(h, verdict, part));
                            h.words("td", &[("class", "n")], &view.money(risk));
                            h.words("td", &[("class", "soft")], advice(verdict));
                        });
                    }
                });
            });
        },
    );
}

/// The head of a table: class and name of each column.
pub fn head(h: &mut Html, columns: &[(&str, &str)]) {
    h.element("thead", &[], |h| {
        h.element("tr", &[], |h| {
            for (class, name) in columns {
                h.words("th", &[("scope", "col"), ("class", class)], name);
            }
        });
    });
}
