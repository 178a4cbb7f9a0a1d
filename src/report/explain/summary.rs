//! The first screen: what this is, what to do, how sure that is, and against whom.

use super::{NAME, Page, Sheet};
use crate::base::money::Micro;
use crate::base::text::Text;
use crate::base::time;
use crate::peers::Versus;
use crate::report::phrase::{circle, counted, meaning, money};
use crate::report::terminal::painted;
use crate::rules::Action;
use crate::verdicts::Finding;
use std::collections::BTreeMap;

pub(super) fn write(sheet: &mut Sheet, page: &Page) {
    sheet.lines.line("", 0, &page.name());
    verdict(sheet, page);
    pattern(sheet, page);
    gates(sheet, page);
    sheet.lines.part();
    sheet.lines.line("", 0, &risk(page));
    sheet.lines.line("", 0, &compared(page));
    sheet.lines.part();
    numbers(sheet, page);
}

/// The pattern of a group that is set apart from its peers at all: of others it would accuse too many.
fn pattern(sheet: &mut Sheet, page: &Page) {
    let profile = &page.group.subject.profile;
    if let Some((pattern, _)) = profile.patterns.first().filter(|_| profile.significant) {
        let word = pattern.word().replace('_', " ");
        sheet.lines.line("", 0, &format!("It looks like {word}: {}.", pattern.meaning()));
    }
}

fn verdict(sheet: &mut Sheet, page: &Page) {
    let group = &page.group;
    let word = group.verdict.word().to_uppercase();
    let first = format!("{} ", painted(&sheet.lines.look, group.verdict, &word));
    let indent = word.len() + 1;
    // A colour has no width.
    let invisible = first.chars().count() - indent;
    let mut words = meaning(group).to_owned();
    if group.protected {
        words.push_str(" It is protected: it is never put on a list.");
    }
    let room = sheet.lines.look.width.map(|w| w + invisible);
    let width = std::mem::replace(&mut sheet.lines.look.width, room);
    sheet.lines.line(&first, indent, &words);
    sheet.lines.look.width = width;
}

fn gates(sheet: &mut Sheet, page: &Page) {
    for gate in &page.gates {
        let words =
            format!("This input cannot be judged as a whole: {}: {}", gate.name, gate.sentence.term(1_000));
        sheet.lines.line("", 0, &words);
    }
}

/// From how many ordinary groups in a hundred on a risk is none.
const MUCH_ALIKE: f64 = 40.0;

/// The score of the group, and what it rests on: peers, evidence that proves itself, or signs of its own.
fn risk(page: &Page) -> String {
    let profile = &page.group.subject.profile;
    let with_peers = versus(page).any(|v| v.peers > 0);
    let Some(score) = page.group.score() else {
        return "Risk: unknown, because hardly anything could be compared with peers.".to_owned();
    };
    let score = rounded(score);
    match (profile.risk.filter(|_| with_peers), proof(page)) {
        (Some(risk), None) => format!("Risk {score} of 100: {}.", among_peers(page, risk)),
        (Some(risk), Some(rule)) => format!(
            "Risk {score} of 100, because {rule} proves itself. By peers alone it would be {}: {}.",
            rounded(risk),
            among_peers(page, risk)
        ),
        (None, Some(rule)) => format!(
            "Risk {score} of 100, because {rule} proves itself, whatever others do. Peers say nothing: hardly \
             anything could be compared."
        ),
        (None, None) => format!(
            "Risk {score} of 100, by signs of its own: hardly anything could be compared with peers. That says \
             unusual; it does not yet say fraud."
        ),
    }
}

/// The rule whose evidence lifts the score above what peers say.
fn proof<'p>(page: &'p Page) -> Option<&'p str> {
    let group = &page.group;
    let lifted = group.score() > group.subject.profile.risk;
    let proves = |f: &&Finding| f.rule.deterministic && f.action == Action::Block;
    group.findings.iter().find(proves).filter(|_| lifted).map(|f| f.rule.id.as_str())
}

/// What a risk says that comes from peers.
fn among_peers(page: &Page, risk: f64) -> String {
    let ordinary = (100.0 - risk).round();
    let words = match ordinary {
        o if o < 1.0 => {
            "so far from its peers that of a hundred such groups fewer than one would be ordinary. That says \
             unusual; it does not yet say fraud"
        }
        o if o <= MUCH_ALIKE => {
            "of a hundred groups that differ so much from their peers, at most {} would be ordinary. That says \
             unusual; it does not yet say fraud"
        }
        _ if page.group.findings.is_empty() => {
            "in what could be compared it is much like its peers: of a hundred such groups, {} would be ordinary"
        }
        _ => {
            "in what could be compared it is much like its peers; the findings below rest on fixed limits of the \
             rules"
        }
    };
    words.replace("{}", &format!("{ordinary:.0}"))
}

/// A risk below 100 is never shown as 100.
fn rounded(risk: f64) -> String {
    if risk < 100.0 && risk > 99.9 { "over 99.9".to_owned() } else { format!("{risk:.1}") }
}

/// Against whom it was compared, by the level at which most of its signals were.
fn compared(page: &Page) -> String {
    let mut levels: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for versus in versus(page).filter(|v| v.peers > 0) {
        levels.entry(&versus.level).or_default().push(versus.peers);
    }
    let Some((level, peers)) = levels.iter().rev().max_by_key(|(_, peers)| peers.len()) else {
        return "Compared with nobody: there are too few groups of its kind, so only the fixed limits of the \
                rules speak."
            .to_owned();
    };
    let signals: usize = levels.values().map(Vec::len).sum();
    let (least, most) = (peers.iter().min().unwrap_or(&0), peers.iter().max().unwrap_or(&0));
    let number = if least == most { format!("{least}") } else { format!("{least} to {most}") };
    let others = if levels.len() > 1 { "; some signals with a wider or narrower circle" } else { "" };
    format!(
        "Compared in {} with {number} other groups {}{others}.",
        counted(signals as u64, "signal", "signals"),
        circle(level)
    )
}

fn versus<'p>(page: &'p Page) -> impl Iterator<Item = &'p Versus> {
    page.group.subject.profile.signals.compared().map(|(_, versus)| versus)
}

fn numbers(sheet: &mut Sheet, page: &Page) {
    let currency = page.run.currency.as_ref().map_or(String::new(), |c| format!(" {}", c.term(20)));
    let amount = |micro: Option<Micro>| money(micro) + &currency;
    let units = |name: &str| page.value(name).map(|v| Micro((v * 1e6).round() as i64));
    let known = |name: &str| units(name).map(|m| format!("{name} {}", amount(Some(m))));
    let conversions = page.value("conversion_count");
    let mut parts = vec![
        counted(page.group.subject.clicks, "click", "clicks"),
        conversions
            .map_or("conversions unknown".to_owned(), |n| counted(n as u64, "conversion", "conversions")),
    ];
    parts.extend(["cost", "revenue"].into_iter().filter_map(known));
    if let Some(risk) = page.group.money_at_risk {
        parts.push(format!("at least {} at risk", amount(Some(risk))));
    }
    sheet.lines.line("", 0, &parts.join(" · "));
    sheet.lines.line("", 0, &frame(page));
}

/// What was looked at.
fn frame(page: &Page) -> String {
    let run = &page.run;
    let mut parts = Vec::new();
    if let Some((first, last)) = run.window {
        parts.push(format!("{} to {} ({})", time::show_day(first), time::show_day(last), run.tz));
    }
    let key = run.grain.columns().iter().zip(&page.group.subject.key);
    let named = |text: &Option<Text>| text.as_ref().map_or("(none)".to_owned(), |t| t.term(NAME));
    parts.extend(key.map(|(col, text)| format!("{} {}", col.name(), named(text))));
    parts.push(format!("{}'s view", run.perspective));
    parts.join(" · ")
}
