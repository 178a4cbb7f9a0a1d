//! What one group was, night by night: for people with sparklines, and for programs.

use super::record::{Head, Line, Record};
use crate::base::error::{Error, Result};
use crate::base::money::Micro;
use crate::base::text::{Text, json_document, wrapped};
use crate::base::unit::Unit;
use crate::signals;
use crate::verdicts::State;
use serde_json::{Value, json as value};
use std::collections::BTreeSet;

/// Nights whose reasons are printed; the JSON has all.
const SHOWN: usize = 30;
/// Signals that get a line of their own.
const SIGNALS: usize = 6;
/// Cells of a name.
const NAME: usize = 40;
/// Cells that words need beside what stands before them; where a terminal has fewer, they go below it.
const ROOM: usize = 30;
/// Indent of what goes below.
const BELOW: usize = 4;
/// Cells of the name of a row of bars.
const LABEL: usize = 28;
/// Eight heights, from low to high.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One group over the nights in which it is known.
#[derive(Debug)]
pub struct Story {
    pub grain: Vec<String>,
    pub currency: Option<Text>,
    pub key: Vec<Option<String>>,
    /// In order.
    pub nights: Vec<(Head, Line)>,
}

/// The story of the group that is called `name`: its values joined by `/`, or its last value alone.
///
/// # Errors
/// No group is called so, or several are.
pub fn story(records: &[Record], name: &str) -> Result<Story> {
    let keys: BTreeSet<&Vec<Option<String>>> =
        records.iter().flat_map(|r| &r.lines).map(|l| &l.key).collect();
    let found: Vec<&Vec<Option<String>>> = keys.into_iter().filter(|key| is_called(key, name)).collect();
    let key = match found.as_slice() {
        [key] => (*key).clone(),
        [] => return Err(unknown(records, name)),
        several => {
            let names: Vec<String> = several.iter().take(5).map(|key| name_of(key)).collect();
            return Err(Error::usage(format!(
                "several groups are called {}",
                Text::of_user(name).term(NAME)
            ))
            .help(format!("say which one: {}", names.join(", "))));
        }
    };
    let nights = records.iter().filter_map(|r| Some((r.head.clone(), r.line(&key)?.clone()))).collect();
    let last = records.last().map(|record| &record.head);
    Ok(Story {
        grain: last.map(|head| head.grain.clone()).unwrap_or_default(),
        currency: last.and_then(|head| head.currency.as_ref()).map(Text::new),
        key,
        nights,
    })
}

/// Whether a group is meant by a name.
pub fn is_called(key: &[Option<String>], name: &str) -> bool {
    let parts: Vec<&str> = key.iter().flatten().map(String::as_str).collect();
    parts.join("/") == name || key.last().and_then(Option::as_deref) == Some(name)
}

fn unknown(records: &[Record], name: &str) -> Error {
    let name = Text::of_user(name).term(NAME);
    match records.len() {
        0 => Error::usage("the store has no nights yet").help("run `clickaudit audit … --store DIR` first"),
        n => Error::usage(format!("no group is called {name} in {n} nights"))
            .help("name it as a report does: traffic_source/source, or the source alone"),
    }
}

pub(super) fn name_of(key: &[Option<String>]) -> String {
    let parts: Vec<String> = key.iter().flatten().map(|part| Text::new(part.as_str()).term(NAME)).collect();
    if parts.is_empty() { "(none)".to_owned() } else { parts.join("/") }
}

/// The story for people, in lines as wide as their terminal; without one nothing is wrapped or cut.
pub fn text(story: &Story, width: Option<usize>) -> String {
    let (first, last) = (&story.nights[0].0.night, &story.nights[story.nights.len() - 1].0.night);
    let line = &story.nights[story.nights.len() - 1].1;
    let head = format!(
        "{} · {} {first} to {last} · {} since {}{}",
        name_of(&story.key),
        counted(story.nights.len(), "night"),
        line.verdict,
        since(&line.state),
        episodes(&line.state),
    );
    let mut out = wrapped("", 0, &head, width) + "\n";
    for row in rows(story) {
        let bars = sparkline(newest(&row.values, width));
        out += &beside(&format!("{:<LABEL$} {bars}  ", row.name), &row.words, width);
    }
    out += "\nnight       verdict    standing  why\n";
    let skipped = story.nights.len().saturating_sub(SHOWN);
    if skipped > 0 {
        out += &beside("…           ", &format!("{skipped} earlier nights; --format json has all"), width);
    }
    for (at, (head, line)) in story.nights.iter().enumerate().skip(skipped) {
        let before = at.checked_sub(1).map(|at| &story.nights[at].1);
        let night = format!("{:<11} {:<10} {:<9} ", head.night, line.verdict, line.state.standing.word());
        out += &beside(&night, &why(line, before), width);
    }
    out
}

/// As many of the newest values as there are cells for bars.
fn newest(values: &[Option<f64>], width: Option<usize>) -> &[Option<f64>] {
    let room = width.map_or(usize::MAX, |width| width.saturating_sub(LABEL + 1).max(1));
    &values[values.len().saturating_sub(room)..]
}

/// Words beside what stands before them, or below it where there is no room.
fn beside(first: &str, words: &str, width: Option<usize>) -> String {
    let taken = first.chars().count();
    let room = width.map_or(usize::MAX, |width| width.saturating_sub(taken));
    if words.is_empty() || room >= ROOM.min(words.chars().count()) {
        return wrapped(first, taken, words, width);
    }
    format!("{}\n{}", first.trim_end(), wrapped("", BELOW, words, width))
}

fn since(state: &State) -> String {
    crate::base::time::show_day(state.since)
}

fn episodes(state: &State) -> String {
    match state.episodes {
        0 => String::new(),
        1 => ", flagged once".to_owned(),
        n => format!(", flagged {n} times"),
    }
}

fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// Why the group stands where it stands, where that is news.
fn why(line: &Line, before: Option<&Line>) -> String {
    let mut parts = Vec::new();
    match (&line.pin, before.and_then(|before| before.pin.as_ref())) {
        (Some(pin), _) => parts.push(pin.words()),
        (None, Some(before)) => parts.push(before.over()),
        (None, None) => {}
    }
    let changed = before.is_none_or(|b| b.state.reason != line.state.reason || b.verdict != line.verdict);
    if changed && !line.state.reason.is_empty() {
        parts.push(line.state.reason.clone());
    }
    match &line.tonight {
        None => parts.push("no traffic".to_owned()),
        Some(tonight) if *tonight != line.verdict => parts.push(format!("by itself {tonight}")),
        Some(_) => {}
    }
    Text::new(parts.join("; ")).term(usize::MAX)
}

/// One line of bars.
struct Row {
    name: &'static str,
    values: Vec<Option<f64>>,
    words: String,
}

fn rows(story: &Story) -> Vec<Row> {
    let of = |value: &dyn Fn(&Line) -> Option<f64>| -> Vec<Option<f64>> {
        story.nights.iter().map(|(_, line)| value(line)).collect()
    };
    let units = |micro: Option<i64>| micro.map(|m| Micro(m).units());
    let mut rows = vec![
        row("new clicks", Unit::Count, of(&|l| Some(l.new_clicks as f64))),
        row("at risk", Unit::Money, of(&|l| units(l.at_risk))),
        row("score", Unit::Count, of(&|l| l.score)),
    ];
    for name in told(story) {
        let Some(signal) = signals::find(&name) else { continue };
        rows.push(row(signal.name, signal.unit, of(&|l| l.signals.get(&name).map(|seen| seen.value))));
    }
    rows.into_iter().flatten().collect()
}

/// A row of bars with the range in words; none where nothing was ever there.
fn row(name: &'static str, unit: Unit, values: Vec<Option<f64>>) -> Option<Row> {
    let there: Vec<f64> = values.iter().flatten().copied().collect();
    let last = there.last()?;
    let low = there.iter().copied().fold(f64::INFINITY, f64::min);
    let high = there.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let words = format!("{} to {}, last {}", unit.format(low), unit.format(high), unit.format(*last));
    Some(Row { name, values, words })
}

/// The signals that ever gave an alarm or differ most over the nights, in relation to what they are.
fn told(story: &Story) -> Vec<String> {
    let alarms = story.nights.iter().flat_map(|(_, line)| &line.alarms);
    let mut names: Vec<String> = alarms
        .filter_map(|alarm| signals::find(alarm.split(' ').next()?))
        .map(|s| s.name.to_owned())
        .collect();
    let watched: BTreeSet<&str> = crate::past::watched().map(|s| s.name).collect();
    let mut moved: Vec<(f64, &str)> = watched.iter().map(|name| (movement(story, name), *name)).collect();
    moved.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    names.extend(moved.into_iter().filter(|(by, _)| *by > 0.0).map(|(_, name)| name.to_owned()));
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names.truncate(SIGNALS);
    names
}

/// How far a share moved over the nights, in standard errors of its smallest sample.
fn movement(story: &Story, name: &str) -> f64 {
    let seen: Vec<_> = story.nights.iter().filter_map(|(_, line)| line.signals.get(name)).collect();
    let (Some(low), Some(high)) = (
        seen.iter().min_by(|a, b| a.value.total_cmp(&b.value)),
        seen.iter().max_by(|a, b| a.value.total_cmp(&b.value)),
    ) else {
        return 0.0;
    };
    let n = low.n.min(high.n).max(1) as f64;
    let middle = ((low.value + high.value) / 2.0).clamp(0.5 / n, 1.0 - 0.5 / n);
    (high.value - low.value) / (middle * (1.0 - middle) / n).sqrt()
}

/// Bars between the least and the largest value; a dot where there is none.
pub fn sparkline(values: &[Option<f64>]) -> String {
    let there = values.iter().flatten();
    let low = there.clone().copied().fold(f64::INFINITY, f64::min);
    let high = there.copied().fold(f64::NEG_INFINITY, f64::max);
    let bar = |value: f64| {
        if high <= low {
            return if high > 0.0 { BARS[3] } else { BARS[0] };
        }
        BARS[((value - low) / (high - low) * 7.0).round() as usize]
    };
    values.iter().map(|value| value.map_or('·', bar)).collect()
}

/// The story for programs.
pub fn json(story: &Story) -> String {
    let key: serde_json::Map<String, Value> = story
        .grain
        .iter()
        .zip(&story.key)
        .map(|(column, part)| (column.clone(), value!(part.as_ref().map(|p| Text::new(p.as_str()).json()))))
        .collect();
    let nights: Vec<Value> = story.nights.iter().map(|(head, line)| night(head, line)).collect();
    let document = value!({
        "schema_version": 1,
        "key": key,
        "currency": story.currency.as_ref().map(Text::json),
        "nights": nights,
    });
    json_document(&format!("{document:#}")) + "\n"
}

fn night(head: &Head, line: &Line) -> Value {
    let cents = |micro: Option<i64>| micro.map(|m| Micro(m).to_cents());
    let safe = |text: &str| Text::new(text).json();
    value!({
        "night": head.night,
        "run": head.run,
        "verdict": line.verdict,
        "tonight": line.tonight,
        "standing": line.state.standing.word(),
        "since": since(&line.state),
        "episodes": line.state.episodes,
        "reason": safe(&line.state.reason),
        "pinned": line.pin.as_ref().map(|pin| value!({
            "as": pin.pinned.word(),
            "until": crate::base::time::show_day(pin.until),
            "by": safe(&pin.by),
            "reason": safe(&pin.reason),
        })),
        "clicks": line.clicks,
        "new_clicks": line.new_clicks,
        "spend": cents(line.spend),
        "revenue": cents(line.revenue),
        "money_at_risk": cents(line.at_risk),
        "score": line.score,
        "findings": line.findings.iter().map(|f| value!({
            "rule": f.rule, "class": f.class, "action": f.action, "title": safe(&f.title),
        })).collect::<Vec<Value>>(),
        "alarms": line.alarms,
        "signals": line.signals.iter().map(|(name, seen)| {
            (name.clone(), value!({"value": seen.value, "n": seen.n}))
        }).collect::<serde_json::Map<String, Value>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::samples::{head, line};

    fn record(night: &str, clicks: u64, verdict: &str) -> Record {
        Record { head: head(night), lines: vec![line("a1", verdict, clicks), line("b", "clean", 5)] }
    }

    fn records() -> Vec<Record> {
        vec![
            record("2026-03-08", 10, "clean"),
            record("2026-03-09", 80, "watch"),
            record("2026-03-10", 45, "block"),
        ]
    }

    #[test]
    fn bars_show_the_range() {
        assert_eq!(sparkline(&[Some(0.0), Some(7.0), None, Some(3.5)]), "▁█·▅");
        assert_eq!(sparkline(&[Some(2.0), Some(2.0)]), "▄▄");
        assert_eq!(sparkline(&[Some(0.0), None]), "▁·");
        assert_eq!(sparkline(&[]), "");
    }

    #[test]
    fn a_group_is_found_by_its_name_or_refused() {
        for name in ["a1", "net/a1"] {
            assert_eq!(story(&records(), name).ok().map(|s| s.nights.len()), Some(3), "{name}");
        }
        let mut two = records();
        two[0].lines[1].key = vec![Some("other".to_owned()), Some("a1".to_owned())];
        let error = story(&two, "a1").expect_err("two");
        assert!(error.help.expect("help").contains("other/a1"));
        assert!(story(&records(), "zz").is_err() && story(&[], "a1").is_err());
    }

    #[test]
    fn a_story_for_people_and_for_programs() {
        let story = story(&records(), "a1").expect("a story");
        let told = text(&story, None);
        assert!(told.starts_with("net/a1 · 3 nights 2026-03-08 to 2026-03-10 · block since"), "{told}");
        assert!(told.contains("new clicks                   ▁█▅  10 to 80, last 45"), "{told}");
        let document: Value = serde_json::from_str(&json(&story)).expect("JSON");
        assert_eq!(document["nights"][1]["verdict"], "watch");
        assert_eq!(document["key"]["source"], "a1");
    }

    #[test]
    fn lines_are_as_wide_as_the_terminal_and_whole_without_one() {
        let mut records = records();
        let reason = "the median of so many nights was passed by far; ".repeat(4) + "2 of the last 3 nights";
        records[2].lines[0].state.reason.clone_from(&reason);
        let story = story(&records, "a1").expect("a story");
        let plain = text(&story, None);
        assert!(plain.contains(&format!("2026-03-10  block      ok        {reason}\n")), "{plain}");
        let words = |told: &str| told.split_whitespace().map(str::to_owned).collect::<Vec<String>>();
        for width in [40, 50, 62, 80, 130] {
            let told = text(&story, Some(width));
            assert!(told.lines().all(|line| line.chars().count() <= width), "{width}:\n{told}");
            assert_eq!(words(&told), words(&plain), "{width}");
        }
    }

    #[test]
    fn a_narrow_terminal_shows_the_newest_bars() {
        let values: Vec<Option<f64>> = (0..60).map(|n| Some(f64::from(n))).collect();
        assert_eq!(newest(&values, Some(40)), &values[49..]);
        assert_eq!((newest(&values, None).len(), newest(&values, Some(5)).len()), (60, 1));
    }

    #[test]
    fn hostile_names_are_harmless() {
        for name in crate::base::text::HOSTILE {
            let mut records = records();
            for record in &mut records {
                record.lines[0].key[1] = Some((*name).to_owned());
                record.lines.sort_by(|a, b| a.key.cmp(&b.key));
            }
            let Ok(story) = story(&records, &format!("net/{name}")) else { continue };
            let told = text(&story, None);
            assert!(!told.contains(|c: char| c.is_control() && c != '\n'), "{told:?}");
        }
    }
}
