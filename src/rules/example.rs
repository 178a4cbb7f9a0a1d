//! Inline tests of a rule: what is given, and whether it is possible.

use super::check::Checker;
use super::condition;
use super::format::{RawExample, RawValue};
use super::model::{Example, directions};
use crate::base::column::{Col, Grain};
use crate::base::diag;
use crate::base::unit::Unit;
use crate::base::yaml::{Entries, Spanned};
use crate::past::{LEAST_NIGHTS, Past, Point};
use crate::peers::{Direction, Profile, Standing, TooFew, Versus};
use crate::signals::{Estimate, IntervalKind, Reading, Signal};
use std::ops::Range;

/// The sample behind an example's bare value: large enough for any test.
const ENOUGH: u64 = u32::MAX as u64;
/// The p-value of an example's pattern that names none, and of a group with any comparison in it.
const CERTAIN_P: f64 = 1e-9;
/// Keys of an example that are no signals.
const OF_THE_WHOLE: &[&str] = &["risk", "significant", "pattern"];
/// Keys of an example's signal that say how it stands against its peers.
const AGAINST_PEERS: &[&str] = &["q", "p", "peers"];
/// The key that says what the group itself had in earlier nights.
const OWN_PAST: &str = "past";

impl Checker<'_> {
    /// An example, without the values that are impossible.
    pub(super) fn example(&mut self, raw: &Spanned<RawExample>) -> Example {
        let mut example = Example {
            name: raw.name.clone(),
            given: Vec::new(),
            key: Vec::new(),
            profile: Profile::default(),
            past: Past::default(),
            expect: raw.expect,
            span: raw.span.clone(),
        };
        for (name, value) in &raw.given.0 {
            match (OF_THE_WHOLE.contains(&name.as_str()), key_column(name)) {
                (true, _) => self.of_the_whole(name, value, &mut example.profile),
                (false, Some(column)) => self.of_the_key(column, value, &mut example),
                (false, None) => self.given(name, value, &mut example),
            }
        }
        let profile = &mut example.profile;
        profile.signals.sort_by_key(|(name, _)| *name);
        if profile.signals.iter().any(|(_, standing)| matches!(standing, Standing::Compared(_))) {
            profile.ln_p.get_or_insert(CERTAIN_P.ln());
        }
        example
    }

    /// `source: pub1`.
    fn of_the_key(&mut self, column: Col, raw: &Spanned<RawValue>, example: &mut Example) {
        match &raw.value {
            RawValue::Text(text) => example.key.push((column, Some(text.clone()))),
            RawValue::Parts(_) => {
                let message = format!("{column} has one text");
                let help = format!("write `{column}: pub1`");
                self.fault_help(&diag::BAD_EXAMPLE, &raw.span, message, Some(help));
            }
        }
    }

    fn given(&mut self, name: &Spanned<String>, raw: &Spanned<RawValue>, example: &mut Example) {
        let Some(signal) = self.signal(name) else { return };
        let estimate = match &raw.value {
            RawValue::Text(text) => self.value(signal, text, &raw.span).map(|v| Estimate::exact(v, ENOUGH)),
            RawValue::Parts(parts) => {
                let standing = self.standing(signal, parts, &raw.span);
                example.profile.signals.extend(standing.map(|s| (signal.name, s)));
                if part(parts, OWN_PAST).is_some() {
                    let value = self.part(signal, parts, OWN_PAST);
                    example.past.points.extend(value.map(|value| (signal.name, nights(value))));
                }
                self.parts(signal, parts, &raw.span)
            }
        };
        example.given.extend(estimate.map(|e| (signal, Reading::Present(e))));
    }

    /// `risk: 97`, `significant: true`, `pattern: injection` or `pattern: {is: injection, p: 0.001}`.
    fn of_the_whole(&mut self, key: &Spanned<String>, raw: &Spanned<RawValue>, profile: &mut Profile) {
        profile.ln_p.get_or_insert(CERTAIN_P.ln());
        match (key.as_str(), &raw.value) {
            ("risk", RawValue::Text(text)) => profile.risk = self.risk(text, &raw.span),
            ("significant", RawValue::Text(text)) if text == "true" => profile.significant = true,
            ("significant", RawValue::Text(text)) if text == "false" => profile.significant = false,
            ("pattern", RawValue::Text(word)) => {
                let found = condition::pattern(self, word, &raw.span);
                profile.patterns.extend(found.map(|pattern| (pattern, CERTAIN_P.ln())));
            }
            ("pattern", RawValue::Parts(parts)) if parts.0.len() == 2 => {
                let Some((is, p)) = part(parts, "is").zip(part(parts, "p")) else {
                    return self.impossible(key, &raw.span);
                };
                let found = condition::pattern(self, is, &is.span).zip(condition::level(self, p));
                profile.patterns.extend(found.map(|(pattern, p)| (pattern, p.ln())));
            }
            _ => self.impossible(key, &raw.span),
        }
    }

    fn impossible(&mut self, key: &Spanned<String>, span: &Range<usize>) {
        let message = format!("this is no possible value of {}", key.value);
        let help = "write `risk: 97`, `significant: true`, `pattern: flooding` or \
                    `pattern: {is: flooding, p: 0.001}`";
        self.fault_help(&diag::BAD_EXAMPLE, span, message, Some(help.to_owned()));
    }

    fn risk(&mut self, text: &str, span: &Range<usize>) -> Option<f64> {
        let risk = self.amount(Unit::Count, text, span)?;
        let inside = (0.0..=condition::MAX_RISK).contains(&risk);
        if !inside {
            self.fault(&diag::BAD_EXAMPLE, span, format!("a risk cannot be {text}"));
        }
        inside.then_some(risk)
    }

    /// How the signal of an example stands against its peers, if the example says so. What is not given is
    /// not significant.
    fn standing(
        &mut self,
        signal: &'static Signal,
        parts: &Entries<Spanned<String>>,
        span: &Range<usize>,
    ) -> Option<Standing> {
        let part = |key: &str| part(parts, key);
        let (q, p, peers) = (part("q"), part("p"), part("peers"));
        let direction = match (peers.map(|p| p.as_str()), directions(signal)) {
            (None, _) if q.or(p).is_none() => return None,
            (Some("few"), [_, ..]) if q.or(p).is_none() => return Some(Standing::TooFew(TooFew::Peers)),
            (Some("high"), [_, ..]) => Direction::High,
            (Some("low"), [_, ..]) => Direction::Low,
            (None, [direction]) => *direction,
            _ => {
                self.no_way(signal, span);
                return None;
            }
        };
        let (q, p) = (self.probability(q), self.probability(p));
        Some(Standing::Compared(versus(direction, q?, p?)))
    }

    fn no_way(&mut self, signal: &Signal, span: &Range<usize>) {
        let message = format!("this is no way in which {} stands against its peers", signal.name);
        let help = "of a signal that is compared write `q` or `p`, where it has two directions with \
                    `peers: high` or `peers: low`, or `peers: few` alone";
        self.fault_help(&diag::BAD_EXAMPLE, span, message, Some(help.to_owned()));
    }

    /// A q or p-value; 1 unless given.
    fn probability(&mut self, raw: Option<&Spanned<String>>) -> Option<f64> {
        let Some(raw) = raw else { return Some(1.0) };
        let value = self.amount(Unit::Share, raw, &raw.span)?;
        let possible = value > 0.0 && value <= 1.0;
        if !possible {
            self.fault(&diag::BAD_EXAMPLE, &raw.span, format!("`{}` is no q or p-value", raw.value));
        }
        possible.then_some(value)
    }

    fn value(&mut self, signal: &Signal, text: &str, span: &Range<usize>) -> Option<f64> {
        let value = self.amount(signal.unit, text, span)?;
        let (low, high) = signal.range;
        let inside = (low..=high).contains(&value);
        if !inside {
            let message = format!("{} cannot be {}", signal.name, signal.unit.format(value));
            self.fault_help(&diag::BAD_EXAMPLE, span, message, Some(condition::range(signal)));
        }
        inside.then_some(value)
    }

    fn parts(
        &mut self,
        signal: &Signal,
        parts: &Entries<Spanned<String>>,
        span: &Range<usize>,
    ) -> Option<Estimate> {
        let mut keys: Vec<&str> = parts.0.iter().map(|(k, _)| k.as_str()).collect();
        keys.retain(|key| !AGAINST_PEERS.contains(key) && *key != OWN_PAST);
        keys.sort_unstable();
        let estimate = match keys[..] {
            ["n", "x"] if signal.kind == IntervalKind::Share => {
                let (x, n) = (self.whole(parts, "x")?, self.whole(parts, "n")?);
                (n > 0 && x <= n).then(|| Estimate::share(x, n))
            }
            ["n", "value"] => {
                let (value, n) = (self.part(signal, parts, "value")?, self.whole(parts, "n")?);
                (n > 0).then(|| Estimate::exact(value, n))
            }
            ["high", "low", "n", "value"] => {
                let (value, n) = (self.part(signal, parts, "value")?, self.whole(parts, "n")?);
                let (low, high) = (self.part(signal, parts, "low")?, self.part(signal, parts, "high")?);
                (n > 0 && low <= value && value <= high).then(|| Estimate::limits(value, low, high, n))
            }
            _ => None,
        };
        if estimate.is_none() {
            let share = if signal.kind == IntervalKind::Share { "`{x, n}` with x at most n, " } else { "" };
            let help = format!("write {share}`{{value, n}}` or `{{value, n, low, high}}`, n at least 1");
            let message = format!("this is no possible value of {}", signal.name);
            self.fault_help(&diag::BAD_EXAMPLE, span, message, Some(help));
        }
        estimate
    }

    fn part(&mut self, signal: &Signal, parts: &Entries<Spanned<String>>, key: &str) -> Option<f64> {
        let text = part(parts, key)?;
        self.value(signal, text, &text.span)
    }

    fn whole(&mut self, parts: &Entries<Spanned<String>>, key: &str) -> Option<u64> {
        let text = part(parts, key)?;
        self.count(text)
    }
}

/// The column of this name, if it is one that can make a group.
fn key_column(name: &str) -> Option<Col> {
    Grain::choices().find(|choice| *choice == name).and_then(Col::of)
}

/// The comparison of an example: with these q and p-values, and an effect that is large enough.
fn versus(direction: Direction, q: f64, p: f64) -> Versus {
    let ln_p = |of: Direction| (of == direction).then(|| p.ln());
    Versus {
        expected: 0.0,
        level: "example".into(),
        peers: 0,
        ratio: 1.0,
        ratio_limit: 1.0,
        z: 0.0,
        direction,
        ln_p_high: ln_p(Direction::High),
        ln_p_low: ln_p(Direction::Low),
        q,
        large: true,
        decibans: 0.0,
    }
}

/// Enough earlier nights of one value, all of them within a day of an example's night, which is night 0.
fn nights(value: f64) -> Vec<Point> {
    vec![Point { night: -1, value }; LEAST_NIGHTS]
}

fn part<'p>(parts: &'p Entries<Spanned<String>>, key: &str) -> Option<&'p Spanned<String>> {
    parts.0.iter().find(|(k, _)| k.as_str() == key).map(|(_, value)| value)
}
