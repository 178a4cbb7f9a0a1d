//! One panel for each flagged group: its reasons in words, its numbers beside those of its peers, its pictures.

use super::charts;
use super::summary::head;
use super::view::{self, View, badge, estimate};
use super::writer::Html;
use crate::base::unit::Unit;
use crate::peers::{Direction, Versus};
use crate::report::money::claimed;
use crate::report::phrase::{self, count, counted, told};
use crate::report::{signs, terminal};
use crate::rules::{Action, Evidence, Limit};
use crate::signals::{self, Estimate, Interval, Signal};
use crate::verdicts::{Finding, Judged, Verdict};
use std::collections::BTreeSet;

/// Findings whose reason is told in full; the table of rules has the others'.
const REASONS: usize = 2;
/// Findings, and tests of one of them, that are spelled out; a second rule on the same numbers tells nothing new.
const FINDINGS: usize = 6;
const TESTS: usize = 4;
/// Signals of a panel's table.
const SIGNS: usize = 10;

pub fn write(h: &mut Html, view: &View) {
    h.words("h2", &[], "Evidence");
    let flagged = view.flagged();
    if flagged == 0 {
        h.words("p", &[], "No group is at block, hold or watch.");
        return;
    }
    let mut said = "One panel for each source at block, hold and watch, the gravest first.".to_owned();
    if view.panels < flagged {
        let shown = view::of_all(view.panels, flagged);
        said.push_str(&format!(
            " Only the first {shown} are here, so that the file stays small; the JSON report has all of them."
        ));
    }
    if view.full < view.panels {
        let full = count(view.full as u64);
        said.push_str(&format!(
            " The first {full} have pictures and the signals beside the peers'; the others are told in words alone."
        ));
    }
    h.words("p", &[("class", "soft")], &said);
    h.element("p", &[("id", "all"), ("hidden", "")], |h| {
        h.words("button", &[("type", "button"), ("id", "open")], "Open all");
        h.words("button", &[("type", "button"), ("id", "close")], "Close all");
    });
    h.append(&view.written);
}

/// The panel of the group at a place.
pub fn one(h: &mut Html, view: &View, at: usize) {
    let group = view.groups[at];
    around(h, view, at, |h| {
        numbers(h, view, group);
        h.element("div", &[("class", "two")], |h| {
            h.element("div", &[], |h| {
                reasons(h, view, group);
                also(h, view, group);
            });
            h.element("div", &[("class", "pictures")], |h| pictures(h, view, group));
        });
        table(h, group);
    });
}

/// The same in words alone, where there is no room for more.
pub fn brief(h: &mut Html, view: &View, at: usize) {
    around(h, view, at, |h| reasons(h, view, view.groups[at]));
}

/// What every panel has: its head, and what the verdict means.
fn around(h: &mut Html, view: &View, at: usize, inside: impl FnOnce(&mut Html)) {
    let group = view.groups[at];
    let id = format!("s{at}");
    let open: &[(&str, &str)] = if at == 0 { &[("id", &id), ("open", "")] } else { &[("id", &id)] };
    h.line();
    h.element("details", open, |h| {
        h.element("summary", &[], |h| title(h, view, group));
        h.words("p", &[("class", "lead")], &meaning(group));
        inside(h);
    });
}

fn title(h: &mut Html, view: &View, group: &Judged) {
    badge(h, group.verdict);
    h.element("h3", &[], |h| view.name(h, group));
    if let Some(finding) = group.findings.first() {
        h.words("span", &[("class", "why")], &finding.title);
    }
    if let Some(risk) = group.money_at_risk.filter(|_| group.verdict <= Verdict::Hold) {
        h.words("span", &[("class", "risk")], &format!("{} at risk", view.money(Some(risk))));
    }
}

fn meaning(group: &Judged) -> String {
    let mut words = phrase::meaning(group).replace("below", "here");
    if group.protected {
        words.push_str(" It is protected: it is never put on a list.");
    }
    let profile = &group.subject.profile;
    if let Some((pattern, _)) = profile.patterns.first().filter(|_| profile.significant) {
        words.push_str(&format!(
            " It looks like {}: {}.",
            pattern.word().replace('_', " "),
            pattern.meaning()
        ));
    }
    words
}

/// Signals that stand above the reasons: name and words.
const NUMBERS: &[(&str, &str)] = &[
    ("conversion_count", "conversions"),
    ("cr", "CR"),
    ("approval_share", "approved"),
    ("epc", "EPC"),
    ("roi", "ROI"),
    ("cost", "cost"),
    ("revenue", "revenue"),
];

fn numbers(h: &mut Html, view: &View, group: &Judged) {
    h.element("dl", &[("class", "numbers")], |h| {
        number(h, "clicks", &count(group.subject.clicks), "");
        for (name, words) in NUMBERS {
            let signal = signals::find(name).expect("the signal is declared");
            match estimate(group, name) {
                Some(e) => {
                    let money = signal.unit == Unit::Money;
                    let currency = view.report.run.currency.as_ref().filter(|_| money);
                    let currency = currency.map_or(String::new(), |c| format!(" {}", c.term(20)));
                    let value = signal.unit.format(e.value()) + &currency;
                    number(h, words, &value, &beside(group, signal, e));
                }
                None => number(h, words, "–", "not enough data"),
            }
        }
        let score = group.score().map_or("–".to_owned(), |s| format!("{s:.0} of 100"));
        number(h, "score", &score, if group.score().is_none() { "not enough peers" } else { "" });
    });
}

/// Interval, sample and peers of a value.
fn beside(group: &Judged, signal: &'static Signal, e: &Estimate) -> String {
    let mut parts = Vec::new();
    if !matches!(e.interval, Interval::Exact(_)) {
        let (low, high) = e.printed();
        parts.push(format!("{} of {} {}", phrase::range(signal.unit, low, high), count(e.n), signal.sample));
    }
    if let Some(versus) = signs::compared(group, signal).filter(|v| v.peers > 0) {
        parts.push(format!("peers {}", signal.unit.format(versus.expected)));
    }
    parts.join("; ")
}

fn number(h: &mut Html, name: &str, value: &str, small: &str) {
    h.element("div", &[], |h| {
        h.words("dt", &[], name);
        h.words("dd", &[], value);
        if !small.is_empty() {
            h.words("dd", &[("class", "soft")], small);
        }
    });
}

fn reasons(h: &mut Html, view: &View, group: &Judged) {
    h.words("h4", &[], "Why");
    let mut told = BTreeSet::new();
    h.element("ol", &[("class", "reasons")], |h| {
        for (at, finding) in group.findings.iter().take(FINDINGS).enumerate() {
            h.element("li", &[], |h| reason(h, view, finding, at < REASONS, &mut told));
        }
    });
    let more = group.findings.len().saturating_sub(FINDINGS) as u64;
    if more > 0 {
        let more = counted(more, "more finding", "more findings");
        h.words("p", &[("class", "soft")], &format!("and {more}, in the JSON report"));
    }
    for idle in &group.idle {
        let words = format!(
            "Without effect, it would be {}: {} ({}).",
            idle.finding.action.word(),
            phrase::finding(&idle.finding),
            phrase::because(&idle.because)
        );
        h.words("p", &[("class", "soft")], &words);
    }
    let innocent = phrase::innocent(&group.findings);
    if !innocent.is_empty() {
        h.element("p", &[], |h| {
            h.words("b", &[], "Before you accuse anybody, rule out: ");
            h.text(&format!("{}.", innocent.join("; ")));
        });
    }
}

fn reason(h: &mut Html, view: &View, finding: &Finding, full: bool, told: &mut BTreeSet<String>) {
    let rule = finding.rule;
    h.element("p", &[], |h| {
        h.words("b", &[], &finding.title);
        h.text(". ");
        h.element("a", &[("href", &format!("#rule-{}", rule.id))], |h| h.words("code", &[], &rule.id));
        h.words("span", &[("class", "soft")], &format!(" {}, {}", rule.class.word(), finding.action.word()));
    });
    let all = finding.evidence.iter().map(evidence);
    let new: Vec<String> = all.filter(|words| told.insert(words.clone())).collect();
    h.element("ul", &[], |h| {
        new.iter().take(TESTS).for_each(|words| h.words("li", &[], words));
        match (new.len(), new.len().saturating_sub(TESTS) as u64) {
            (0, _) if !finding.evidence.is_empty() => h.words("li", &[], "by what is told above"),
            (_, more) if more > 0 => {
                h.words("li", &[], &format!("and {}", counted(more, "more test", "more tests")))
            }
            _ => (),
        }
    });
    if full {
        h.words("p", &[("class", "soft")], &phrase::unwrapped(&rule.why));
    }
    if let Some(why) = finding.reduced.filter(|_| finding.action != rule.action) {
        h.words("p", &[], &format!("The rule asks for {}, but: {why}.", rule.action.word()));
    }
    if let Some(money) = finding.money.filter(|_| finding.action != Action::Note) {
        h.words("p", &[], &format!("At least {} at risk.", view.money(Some(money))));
    }
}

/// `conversions within 10 s of their click: 149 of 240 (62.1%; 95 % interval 55.8–68.0%); the limit is above 30%`.
fn evidence(evidence: &Evidence) -> String {
    let (signal, e) = (evidence.signal, &evidence.estimate);
    let mut words = format!("{}: {}", signal.summary, told(signal, e));
    if !matches!(e.interval, Interval::Exact(_)) {
        let (low, high) = e.at(evidence.confidence);
        let sure = Unit::Share.format(evidence.confidence).replace(".0%", " %");
        words.push_str(&format!(", {sure} interval {}", phrase::range(signal.unit, low, high)));
        if !matches!(e.interval, Interval::Share { .. }) {
            words.push_str(&format!(" of {} {}", count(e.n), signal.sample));
        }
    }
    let limit = evidence.limit.text(signal.unit);
    words.push_str(&match evidence.limit {
        Limit::Above(_) => format!("; the limit is above {limit}"),
        Limit::Below(_) => format!("; the limit is below {limit}"),
        Limit::Between(..) | Limit::Equals(_) | Limit::Past(_) => format!("; the limit is {limit}"),
        Limit::Present(_) => String::new(),
        Limit::Peers(_) => evidence.versus.as_ref().map_or(String::new(), |v| peers(signal, v)),
    });
    if e.allocated {
        words.push_str("; its cost was dealt out in equal parts");
    }
    if let Some(cut) = &evidence.cut {
        words.push_str(&format!("; {cut}"));
    }
    words
}

fn peers(signal: &Signal, versus: &Versus) -> String {
    if versus.peers == 0 {
        return String::new();
    }
    let (n, expected) = (count(u64::from(versus.peers)), signal.unit.format(versus.expected));
    format!("; {n} peers have {expected}, {}", phrase::q(versus.q))
}

/// The signals that stand out, beside peers.
fn table(h: &mut Html, group: &Judged) {
    let signs = signs::remarkable(group);
    if signs.is_empty() {
        return;
    }
    h.words("h4", &[], "Signals beside the peers'");
    let region = [("class", "scroll"), ("tabindex", "0"), ("role", "region"), ("aria-label", "Signals")];
    h.element("div", &region, |h| {
        h.element("table", &[], |h| {
            let own = [("", "signal"), ("n", "value"), ("n", "95 % interval"), ("n", "of")];
            let peers = [("n", "peers have"), ("", "peers"), ("", "this one is")];
            head(h, &[&own[..], &peers].concat());
            h.element("tbody", &[], |h| {
                for (signal, versus) in signs.iter().take(SIGNS) {
                    let Some(e) = signs::estimate(group, signal) else { continue };
                    h.element("tr", &[], |h| sign(h, signal, e, versus.as_ref().filter(|v| v.peers > 0)));
                }
            });
        });
    });
    if signs.len() > SIGNS {
        let more = counted((signs.len() - SIGNS) as u64, "more signal", "more signals");
        h.words("p", &[("class", "soft")], &format!("and {more}, in the JSON report"));
    }
}

fn sign(h: &mut Html, signal: &'static Signal, e: &Estimate, versus: Option<&Versus>) {
    let (low, high) = e.printed();
    let interval = match e.interval {
        Interval::Exact(_) => String::new(),
        _ => phrase::range(signal.unit, low, high),
    };
    h.element("th", &[("scope", "row")], |h| {
        h.text(signal.summary);
        h.element("small", &[], |h| h.words("code", &[], signal.name));
    });
    h.words("td", &[("class", "n")], &signal.unit.format(e.value()));
    h.words("td", &[("class", "n")], &interval);
    h.words("td", &[("class", "n")], &count(e.n));
    h.words("td", &[("class", "n")], &versus.map_or("–".to_owned(), |v| signal.unit.format(v.expected)));
    let whom = |v: &Versus| format!("{} {}", count(u64::from(v.peers)), phrase::circle(&v.level));
    h.words("td", &[("class", "soft")], &versus.map_or(String::new(), whom));
    let side = versus.map_or("", |v| match v.direction {
        Direction::High => "▲ higher",
        Direction::Low => "▼ lower",
    });
    h.words("td", &[("class", "side")], side);
}

/// Conversions by status, shared visitors, and what could not be checked.
fn also(h: &mut Html, view: &View, group: &Judged) {
    let events = &group.subject.events;
    if !events.is_empty() {
        h.words("h4", &[], "Conversions by event and status");
        h.element("ul", &[("class", "plain")], |h| {
            for (event, status, n) in events.iter().take(12) {
                h.element("li", &[], |h| {
                    h.element("bdi", &[], |h| h.data(event, 40));
                    h.text(&format!(", {status}: {}", count(*n)));
                });
            }
        });
    }
    let reasons = &group.subject.fraud_reasons;
    if !reasons.is_empty() {
        h.words("h4", &[], "Conversions that an anti-fraud service flagged, by its reason");
        h.element("ul", &[("class", "plain")], |h| {
            for (word, n) in reasons.iter().take(12) {
                h.element("li", &[], |h| {
                    h.element("bdi", &[], |h| h.data(word, 40));
                    h.text(&format!(": {}", count(*n)));
                });
            }
        });
    }
    let mut said = Vec::new();
    if let Some(claim) = claimed(view.report, std::iter::once(group)) {
        said.push(terminal::outlook::recoverable(view.report, &claim));
    }
    if let Some(shared) = group.outlook.shared {
        let others = counted(shared.others as u64, "other source sends", "other sources send");
        said.push(format!("{others} the same visitors; together they are at {}.", shared.verdict.word()));
    }
    if group.not_possible > 0 {
        let checks = counted(group.not_possible as u64, "other check was", "other checks were");
        said.push(format!("{checks} not possible with these exports."));
    }
    if !said.is_empty() {
        h.words("p", &[("class", "soft")], &said.join(" "));
    }
}

fn pictures(h: &mut Html, view: &View, group: &Judged) {
    let Some(pictures) = view.report.pictures(group) else {
        h.words(
            "p",
            &[("class", "soft")],
            "There are no pictures of this group: the gravest ones have them.",
        );
        return;
    };
    let zone = &view.report.run.tz;
    charts::ctit(h, &pictures.ctit);
    charts::hours(h, &pictures.hours, zone);
    charts::days(h, &pictures.days, zone);
    let sides = [
        ("address", "addresses", &pictures.addresses),
        ("network", "networks", &pictures.networks),
        ("user agent", "user agents", &pictures.agents),
    ];
    charts::concentration(h, sides);
}
