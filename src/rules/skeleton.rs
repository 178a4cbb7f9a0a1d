//! A new rule to start from: valid, tested and commented, so that its author changes it instead of inventing it.
//!
//! It is experimental and watches. It refuses to guess what the author wants to say: titles and reasons say that they
//! are to be written.

use super::check::is_id;
use crate::base::error::{Error, Result};
use crate::base::unit::Unit;
use crate::signals::{Family, IntervalKind, Signal, Suspicious};

/// The signal of a skeleton whose author names none.
pub const FIRST_SIGNAL: &str = "ctit_short_share";
/// The least sample that a skeleton asks for; 30 is where most rules begin.
const LEAST_SAMPLE: u64 = 30;
/// An end of a range beyond this is none.
const UNBOUNDED: f64 = 1e15;

/// The text of a new rule file on a signal.
///
/// # Errors
/// The id is not well formed.
pub fn skeleton(id: &str, signal: &Signal) -> Result<String> {
    if !is_id(id) {
        return Err(Error::usage(format!("`{id}` is no id of a rule"))
            .help("3 to 64 small letters, digits and single hyphens, starting with a letter"));
    }
    let parts = Parts::of(signal);
    let text = TEXT
        .replace("{id}", id)
        .replace("{class}", class(signal))
        .replace("{signal}", signal.name)
        .replace("{summary}", signal.summary)
        .replace("{sample}", signal.sample)
        .replace("{word}", parts.word)
        .replace("{limit}", &amount(signal.unit, parts.limit))
        .replace("{min}", &parts.min_sample.to_string());
    Ok(parts.tests(signal).into_iter().fold(text, |text, test| text + &test))
}

/// The skeleton without what depends on the signal.
const TEXT: &str = "\
# A rule: what is looked at, why it is trouble, what may be done about it, and tests.
# `clickaudit rules check {id}.yml` finds what is wrong, `clickaudit rules test {id}.yml` runs the tests.

id: {id}                # the name of the file; it says what is seen, not what to do about it
title: Say in one line what was seen
status: experimental    # never blocks; write `stable` when it has proved itself
class: {class}          # fraud accuses, quality is about worthless customers, profit about money, data about the export
action: watch           # block, hold (do not pay yet), watch (look again) or note (no effect)
decides: false          # true: no source is called clean while this rule lacks data
# observe: true         # tells what it would have done, and does nothing
# packs: [igaming]      # runs only where `--pack igaming` is said; without the key it always runs

why: >
  Write two or three plain sentences, for the analyst and for the partner who is accused: why is this trouble,
  and where does the limit come from?
innocent:               # what else could explain it; a stable rule names at least one
  - write what an honest source could do to look like this
references:             # where the limit comes from
  - our own limit

when:
  # {signal}: {summary}.
  # A limit is held against the end of the interval that favours the source, never against the value itself. With
  # fewer than {min} {sample} the answer is `unknown`.
  test: {signal: {signal}, {word}: {limit}, min_sample: {min}}
  # Several conditions:
  # all:                # or `any:`
  #   - test: {signal: {signal}, {word}: {limit}, min_sample: {min}}
  #   - test: {signal: conversion_count, above: 50}

tests:                  # what is given, and what the rule must answer: fires, silent or unknown
";

/// What a skeleton needs to know about a signal.
struct Parts {
    word: &'static str,
    limit: f64,
    /// A value that is certainly beyond the limit, and one that is certainly not.
    beyond: f64,
    before: f64,
    min_sample: u64,
}

impl Parts {
    fn of(signal: &Signal) -> Parts {
        let (low, high) = signal.range;
        let step: f64 = match signal.unit {
            Unit::Share => 0.3,
            Unit::Count | Unit::Money => 10.0,
            Unit::Seconds => 60.0,
            Unit::Ratio => 1.0,
        };
        let bounded = |end: f64| end.abs() < UNBOUNDED;
        let step = if bounded(low) && bounded(high) { step.min(0.3 * (high - low)) } else { step };
        let base = if bounded(low) { low } else { -step };
        let limit = base + step;
        let (more, less) = (base + 2.0 * step, base + 0.5 * step);
        let min_sample = signal.min_sample.max(LEAST_SAMPLE);
        match signal.suspicious {
            Suspicious::Low => Parts { word: "below", limit, beyond: less, before: more, min_sample },
            _ => Parts { word: "above", limit, beyond: more, before: less, min_sample },
        }
    }

    /// An example on each side of the limit, and one with too small a sample.
    fn tests(&self, signal: &Signal) -> [String; 3] {
        let n = 10 * self.min_sample;
        let test = |name: &str, value: String, expect: &str| {
            format!("  - {{name: {name}, given: {{{}: {value}}}, expect: {expect}}}\n", signal.name)
        };
        [
            test("well beyond the limit", value(signal, self.beyond, n), "fires"),
            test("as honest sources are", value(signal, self.before, n), "silent"),
            test("too few to tell", value(signal, self.beyond, self.min_sample - 1), "unknown"),
        ]
    }
}

/// A value of a signal in an example.
fn value(signal: &Signal, value: f64, n: u64) -> String {
    if signal.kind == IntervalKind::Share {
        return format!("{{x: {}, n: {n}}}", (value * n as f64).round());
    }
    let text = amount(signal.unit, value);
    match signal.kind {
        IntervalKind::Exact => format!("{{value: {text}, n: {n}}}"),
        _ => format!("{{value: {text}, n: {n}, low: {text}, high: {text}}}"),
    }
}

/// An amount as it is written in a rule file.
fn amount(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Share => format!("{}%", (100.0 * value * 1e6).round() / 1e6),
        Unit::Seconds => format!("{value}s"),
        Unit::Count | Unit::Money | Unit::Ratio => format!("{value}"),
    }
}

fn class(signal: &Signal) -> &'static str {
    match signal.family {
        Family::Quality => "quality",
        Family::Data => "data",
        _ if signal.unit == Unit::Money => "profit",
        _ => "fraud",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diag;
    use crate::rules::{Limit, RuleFile, RuleSet, run_tests};
    use crate::signals;

    #[test]
    fn a_skeleton_on_any_signal_is_valid_and_passes_its_tests() {
        for signal in signals::all() {
            let text = skeleton("new-rule", signal).expect("a good id");
            let set = RuleSet::of(&[RuleFile::new("new-rule.yml", &text)])
                .unwrap_or_else(|faults| panic!("{}\n{text}", diag::plain(&faults)));
            let results = run_tests(&set);
            let faults: Vec<_> = results.iter().filter_map(|r| r.fault.clone()).collect();
            assert!(results.len() == 3 && faults.is_empty(), "{}", diag::plain(&faults));
        }
    }

    #[test]
    fn the_first_signal_is_there_and_ids_are_checked() {
        assert!(signals::find(FIRST_SIGNAL).is_some());
        assert!(skeleton("Too Fast", signals::find(FIRST_SIGNAL).expect("declared")).is_err());
    }

    #[test]
    fn amounts_are_read_back_as_they_were() {
        for (unit, value) in
            [(Unit::Share, 0.3), (Unit::Seconds, 60.0), (Unit::Count, 10.0), (Unit::Ratio, 1.5)]
        {
            assert_eq!(unit.parse(&amount(unit, value)).ok(), Some(value));
        }
        assert_eq!(Limit::Above(0.3).text(Unit::Share), amount(Unit::Share, 0.3));
    }
}
