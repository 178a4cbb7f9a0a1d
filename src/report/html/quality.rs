//! What the verdicts rest on: rows, files, matching, signals that are missing, and the rules that were asked.

use super::summary::head;
use super::view::View;
use super::writer::Html;
use crate::base::text::Text;
use crate::base::time;
use crate::report::phrase::{count, counted};
use crate::report::{self, RowCount, RuleTally};
use std::collections::{BTreeMap, BTreeSet};

/// Cells of a path, a reason or a note.
const SENTENCE: usize = 1_000;
/// Characters of a digest.
const DIGEST: usize = 12;

pub fn write(h: &mut Html, view: &View) {
    h.words("h2", &[], "Data quality");
    h.words("p", &[], "Rows read = used + rejected + duplicate; no row is lost without a word.");
    rows(h, view);
    files(h, view);
    matching(h, view);
    absent(h, view);
    notes(h, view);
}

fn scroll(h: &mut Html, name: &str, inside: impl FnOnce(&mut Html)) {
    let region = [("class", "scroll"), ("tabindex", "0"), ("role", "region"), ("aria-label", name)];
    h.element("div", &region, |h| h.element("table", &[], inside));
}

fn rows(h: &mut Html, view: &View) {
    let coverage = &view.report.coverage;
    scroll(h, "Rows", |h| {
        head(
            h,
            &[
                ("", "side"),
                ("n", "read"),
                ("n", "used"),
                ("n", "rejected"),
                ("n", "duplicate"),
                ("", "reasons"),
            ],
        );
        h.element("tbody", &[], |h| {
            for (side, rows) in [("clicks", &coverage.clicks), ("conversions", &coverage.conversions)] {
                h.element("tr", &[], |h| {
                    h.words("th", &[("scope", "row")], side);
                    match rows {
                        Some(rows) => counted_rows(h, rows),
                        None => h.words("td", &[("colspan", "5")], "not given"),
                    }
                });
            }
        });
    });
}

fn counted_rows(h: &mut Html, rows: &RowCount) {
    let sum = |reasons: &BTreeMap<String, u64>| reasons.values().sum::<u64>();
    for n in [rows.read, rows.used, sum(&rows.rejected), sum(&rows.duplicate)] {
        h.words("td", &[("class", "n")], &count(n));
    }
    let reason = |(why, n): (&String, &u64)| format!("{} ({})", Text::new(why).term(SENTENCE), count(*n));
    let reasons: Vec<String> = rows.rejected.iter().chain(&rows.duplicate).map(reason).collect();
    h.words("td", &[], &reasons.join(", "));
}

fn files(h: &mut Html, view: &View) {
    let mut inputs: Vec<_> = view.report.run.inputs.iter().collect();
    inputs.sort_by_key(|i| (i.side, &i.path));
    if inputs.is_empty() {
        return;
    }
    h.words("h3", &[], "Files");
    scroll(h, "Files", |h| {
        head(
            h,
            &[
                ("", "file"),
                ("", "read as"),
                ("", "preset"),
                ("n", "rows"),
                ("n", "rejected"),
                ("", "BLAKE3"),
            ],
        );
        h.element("tbody", &[], |h| {
            for input in inputs {
                h.element("tr", &[], |h| {
                    h.element("td", &[("class", "k")], |h| h.data(&input.path, SENTENCE));
                    h.words("td", &[], input.side);
                    h.words("td", &[], &input.preset);
                    h.words("td", &[("class", "n")], &count(input.rows.read));
                    h.words("td", &[("class", "n")], &count(input.rows.rejected.values().sum()));
                    h.element("td", &[], |h| h.words("code", &[], &cut(&input.digest)));
                });
            }
        });
    });
}

fn cut(digest: &str) -> String {
    digest.chars().take(DIGEST).collect()
}

fn matching(h: &mut Html, view: &View) {
    let coverage = &view.report.coverage;
    if coverage.conversions.is_none() {
        return;
    }
    h.words("h3", &[], "Conversions and their clicks");
    h.element("dl", &[("class", "numbers")], |h| {
        for (_, words, n) in coverage.classes.table() {
            h.element("div", &[], |h| {
                h.words("dt", &[], words);
                h.words("dd", &[], &count(n));
            });
        }
    });
    if coverage.conflicts > 0 {
        let ids = counted(coverage.conflicts, "click ID stands", "click IDs stand");
        h.words("p", &[], &format!("{ids} under more than one source."));
    }
}

/// Signals without a value, those with one reason together.
fn absent(h: &mut Html, view: &View) {
    let mut together: BTreeMap<(&str, u64), BTreeSet<&str>> = BTreeMap::new();
    for absent in &view.report.coverage.absent {
        together.entry((&absent.reason, absent.groups)).or_default().insert(absent.signal);
    }
    if together.is_empty() {
        return;
    }
    h.words("h3", &[], "What could not be computed");
    h.element("details", &[("class", "plain")], |h| {
        h.words(
            "summary",
            &[],
            &format!("{} why signals have no value", counted(together.len() as u64, "reason", "reasons")),
        );
        scroll(h, "Absent signals", |h| {
            head(h, &[("", "reason"), ("n", "groups"), ("", "signals")]);
            h.element("tbody", &[], |h| {
                for ((reason, groups), names) in &together {
                    h.element("tr", &[], |h| {
                        h.words("td", &[], &Text::new(*reason).term(SENTENCE));
                        h.words("td", &[("class", "n")], &count(*groups));
                        h.words("td", &[], &names.iter().copied().collect::<Vec<&str>>().join(", "));
                    });
                }
            });
        });
    });
}

fn notes(h: &mut Html, view: &View) {
    let notes = &view.report.coverage.notes;
    if notes.is_empty() {
        return;
    }
    h.words("h3", &[], "Notes");
    h.element("ul", &[], |h| {
        notes.iter().for_each(|note| h.element("li", &[], |h| h.data(note, SENTENCE)));
    });
}

/// The rules that were asked, those that fired first.
pub fn rules(h: &mut Html, view: &View) {
    h.words("h2", &[], "Rules");
    let run = &view.report.run;
    let rules = counted(run.rules.evaluated() as u64, "rule was", "rules were");
    h.words("p", &[], &format!("{rules} asked; the set is named {}.", cut(&run.rules_digest)));
    h.words("p", &[], &format!("{}.", run.rules.sentence()));
    if let Some(unanswered) = report::unanswered(&view.report.rules) {
        h.words("p", &[], &format!("{unanswered}."));
    }
    let mut said: Vec<&RuleTally> = view.report.rules.iter().collect();
    said.sort_by_key(|tally| (std::cmp::Reverse(tally.fires), &tally.rule.id));
    let silent = said.split_off(said.partition_point(|tally| tally.fires > 0));
    table(h, "Rules that fired", &said, "why it matters");
    if !silent.is_empty() {
        h.element("details", &[("class", "plain")], |h| {
            h.words(
                "summary",
                &[],
                &format!("{} that fired nowhere", counted(silent.len() as u64, "rule", "rules")),
            );
            table(h, "Rules that fired nowhere", &silent, "");
        });
    }
}

fn table(h: &mut Html, name: &str, rules: &[&RuleTally], why: &str) {
    scroll(h, name, |h| {
        head(
            h,
            &[
                ("", "rule"),
                ("", "class"),
                ("", "asks for"),
                ("n", "fired"),
                ("n", "silent"),
                ("n", "not enough data"),
                ("", why),
            ],
        );
        h.element("tbody", &[], |h| rules.iter().for_each(|tally| one(h, tally)));
    });
}

fn one(h: &mut Html, tally: &RuleTally) {
    let rule = tally.rule;
    h.element("tr", &[("id", &format!("rule-{}", rule.id))], |h| {
        h.element("th", &[("scope", "row")], |h| {
            h.text(&rule.title);
            h.element("small", &[], |h| h.words("code", &[], &rule.id));
        });
        h.words("td", &[], rule.class.word());
        h.words("td", &[], rule.action.word());
        for n in [tally.fires, tally.silent, tally.unknown] {
            h.words("td", &[("class", "n")], &count(n));
        }
        let why = crate::report::phrase::unwrapped(&rule.why);
        h.words("td", &[("class", "soft")], if tally.fires > 0 { &why } else { "" });
    });
}

/// What made this file, so that it can be made again.
pub fn footer(h: &mut Html, view: &View) {
    let run = &view.report.run;
    let as_of = run.as_of.map_or(String::new(), |t| format!(" · as of {}", time::show(t)));
    let mut words = format!("clickaudit {} · rules {}{as_of}", run.version, cut(&run.rules_digest));
    words.push_str(&format!(" · clicks younger than {} h are not mature", run.maturity_s / 3_600));
    h.words("p", &[], &words);
    h.element("p", &[("class", "soft")], |h| {
        h.text("Same input, same report, to the byte. This file loads nothing and sends nothing. ");
        let given: Vec<String> = run
            .parameters
            .iter()
            .map(|(name, value)| format!("{name} {}", Text::new(value).term(60)))
            .collect();
        h.text(&given.join(" · "));
    });
}
