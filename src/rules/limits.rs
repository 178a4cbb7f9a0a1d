//! Row limits of a rule: from the keys `window`, `mature`, `events` and `where` to a cut.

use super::check::Checker;
use super::condition;
use super::format::{RawRule, RawTexts};
use super::model::{Limit, Node};
use crate::base::column::Col;
use crate::base::diag;
use crate::base::unit::Unit;
use crate::base::yaml::Spanned;
use crate::measures::{Cut, PEER_COLUMNS, STRATUM_COLUMNS};
use std::collections::{BTreeMap, BTreeSet};

/// The longest `window` and `mature`: ten years, in seconds.
const LONGEST_S: f64 = 3_660.0 * 86_400.0;

/// The word for events under `where`.
const EVENT: &str = "event";

/// The columns that `where` can limit rows by: those by which every row is placed in any case.
fn columns() -> impl Iterator<Item = Col> {
    STRATUM_COLUMNS.into_iter().chain(PEER_COLUMNS)
}

/// The cut of a rule; `None` without row limits.
pub(super) fn cut(checker: &mut Checker, raw: &RawRule) -> Option<Cut> {
    let cut = Cut {
        window_s: raw.window.as_ref().and_then(|text| time(checker, "window", text)),
        mature_s: raw.mature.as_ref().and_then(|text| time(checker, "mature", text)),
        events: events(checker, raw),
        only: only(checker, raw),
    };
    if let (Some(window), Some(mature), Some(at)) = (cut.window_s, cut.mature_s, &raw.window)
        && window <= mature
    {
        let message = "no click is both young enough for `window` and old enough for `mature`";
        let help = "let `window` be longer than `mature`, or leave one of them out".to_owned();
        checker.fault_help(&diag::EMPTY_WINDOW, &at.span, message, Some(help));
    }
    (cut != Cut::default()).then_some(cut)
}

fn time(checker: &mut Checker, key: &str, text: &Spanned<String>) -> Option<i64> {
    let value = checker.resolved(text, &text.span)?;
    if value.trim().parse::<f64>().is_ok() {
        let help = format!("did you mean {0}d? write {0}s for seconds", value.trim());
        checker.fault_help(&diag::WRONG_UNIT, &text.span, format!("`{value}` has no unit"), Some(help));
        return None;
    }
    let seconds = checker.amount(Unit::Seconds, text, &text.span)?;
    if (1.0..=LONGEST_S).contains(&seconds) {
        return Some(seconds as i64);
    }
    let message = format!("`{key}` is {}, which limits nothing", text.value);
    let help = "write a time between a second and ten years, such as `7d`".to_owned();
    checker.fault_help(&diag::BAD_ROW_LIMIT, &text.span, message, Some(help));
    None
}

/// The events of `events` or of `where`, by their canonical words.
fn events(checker: &mut Checker, raw: &RawRule) -> Vec<String> {
    let in_where = raw.only.0.iter().find(|(name, _)| name.as_str() == EVENT);
    let named: Vec<String> = match (&raw.events, in_where) {
        (Some(_), Some((name, _))) => {
            let message = "events are limited twice";
            let help = "keep `events`, and take `event` out of `where`".to_owned();
            checker.fault_help(&diag::BAD_ROW_LIMIT, &name.span, message, Some(help));
            return Vec::new();
        }
        (Some(list), None) if list.is_empty() => {
            let help = "name at least one event: `events: [deposit]`".to_owned();
            checker.fault_help(&diag::BAD_ROW_LIMIT, &list.span, "`events` names no event", Some(help));
            return Vec::new();
        }
        (Some(list), None) => list.iter().map(|event| event.value.clone()).collect(),
        (None, Some((_, texts))) => in_order(checker, texts),
        (None, None) => return Vec::new(),
    };
    let mut events: Vec<String> = Vec::new();
    for event in named.iter().map(|event| Cut::canonical(event)) {
        if !events.contains(&event) {
            events.push(event);
        }
    }
    events
}

/// Texts in the order in which they are written: the first event may be the one that rates are on.
fn in_order(checker: &mut Checker, raw: &Spanned<RawTexts>) -> Vec<String> {
    match &raw.value {
        RawTexts::Many(texts) if !texts.is_empty() => texts.iter().map(|text| text.value.clone()).collect(),
        _ => condition::texts(checker, raw).map(|texts| texts.iter().cloned().collect()).unwrap_or_default(),
    }
}

fn only(checker: &mut Checker, raw: &RawRule) -> BTreeMap<Col, BTreeSet<String>> {
    let mut only = BTreeMap::new();
    for (name, texts) in raw.only.0.iter().filter(|(name, _)| name.as_str() != EVENT) {
        let Some(column) = columns().find(|column| column.name() == name.as_str()) else {
            no_column(checker, name);
            continue;
        };
        if let Some(texts) = condition::texts(checker, texts) {
            only.insert(column, (*texts).clone());
        }
    }
    only
}

fn no_column(checker: &mut Checker, name: &Spanned<String>) {
    let names: Vec<&str> = columns().map(Col::name).chain([EVENT]).collect();
    let near = diag::did_you_mean(name, names.iter().copied());
    let message = format!("rows cannot be limited by `{}`", name.value);
    let help = near.unwrap_or_else(|| format!("use {}", names.join(", ")));
    checker.fault_help(&diag::BAD_ROW_LIMIT, &name.span, message, Some(help));
}

/// Whether a condition asks for what is only known of the whole: peers, risk, patterns, the group's own past.
pub(super) fn asks_beyond(when: &Node) -> bool {
    let beyond = |limit: Limit| matches!(limit, Limit::Peers(_) | Limit::Past(_));
    when.asks_of_the_whole() || when.tests().iter().any(|test| beyond(test.limit))
}

pub(super) fn beyond() -> String {
    "the rule asks about some of the rows, but peers and the past are those of all of them".to_owned()
}
