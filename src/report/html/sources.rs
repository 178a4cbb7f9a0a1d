//! The table of all sources: one row each, to be sorted and filtered by the script.

use super::summary::head;
use super::view::{self, VERDICTS, View, badge, estimate};
use super::writer::Html;
use crate::report::phrase::{self, count, money};
use crate::signals::{self, Interval};
use crate::verdicts::{Judged, Verdict};

/// Bytes of rows: with the panels they keep the file below two megabytes, whatever names look like.
const BYTES: usize = 850_000;

/// Signals with a column of their own: name, head, class of the column.
const SIGNALS: &[(&str, &str)] =
    &[("cr", "CR"), ("approval_share", "approved"), ("epc", "EPC"), ("roi", "ROI")];

pub fn write(h: &mut Html, view: &View) {
    h.words("h2", &[], "Sources");
    let mut rows = Html::default();
    let mut shown = 0;
    for (at, group) in view.rows() {
        let mut one = Html::default();
        row(&mut one, view, at, group);
        if rows.len() + one.len() > BYTES {
            break;
        }
        rows.append(&one);
        rows.line();
        shown += 1;
    }
    h.words("p", &[("class", "soft")], &said(view, shown));
    controls(h, view, shown);
    let region =
        [("class", "scroll tall"), ("tabindex", "0"), ("role", "region"), ("aria-label", "Table of sources")];
    h.element("div", &region, |h| {
        h.element("table", &[("id", "table"), ("class", if shown > PRINTED { "long" } else { "" })], |h| {
            h.words("caption", &[("class", "away")], "Sources with their verdicts and numbers");
            heads(h, view);
            h.line();
            h.element("tbody", &[], |h| h.append(&rows));
        });
    });
    if shown > PRINTED {
        h.words(
            "p",
            &[("class", "soft print")],
            "In print only sources at block, hold and watch are listed; the file has the others.",
        );
    }
}

/// Tables that are longer print their flagged sources only.
const PRINTED: usize = 80;

/// What the table holds, what it leaves out, and how to read a cell.
fn said(view: &View, shown: usize) -> String {
    let all = view.audited();
    let mut words = if shown < all {
        format!(
            "{} sources: all that are flagged first, then those with the most clicks. The CSV and JSON reports have all. ",
            view::of_all(shown, all)
        )
    } else {
        String::new()
    };
    let currency = view.report.run.currency.as_ref();
    words.push_str(&currency.map_or(String::new(), |c| format!("Amounts are in {}. ", c.term(20))));
    words.push_str(
        "Small print below a value: its 95 % interval and its sample. A dash: there is not enough data, or no column \
         for it.",
    );
    words
}

fn controls(h: &mut Html, view: &View, shown: usize) {
    h.element(
        "form",
        &[("id", "controls"), ("hidden", ""), ("role", "search"), ("aria-label", "Filter the sources")],
        |h| {
            h.element("label", &[], |h| {
                h.text("Find ");
                h.void(
                    "input",
                    &[("type", "search"), ("id", "find"), ("autocomplete", "off"), ("spellcheck", "false")],
                );
            });
            h.element("label", &[], |h| {
                h.text("At least ");
                h.void(
                    "input",
                    &[("type", "number"), ("id", "least"), ("min", "0"), ("inputmode", "numeric")],
                );
                h.text(" clicks");
            });
            h.element("fieldset", &[], |h| {
                h.words("legend", &[("class", "away")], "Verdicts");
                for verdict in VERDICTS {
                    let n = view.rows().filter(|(_, g)| g.verdict == verdict).count();
                    let class = format!("v {}", view::class(verdict));
                    h.element(
                        "button",
                        &[
                            ("type", "button"),
                            ("class", &class),
                            ("data-v", view::class(verdict)),
                            ("aria-pressed", "true"),
                        ],
                        |h| {
                            h.text(&format!("{} {}", verdict.word(), count(n as u64)));
                        },
                    );
                }
            });
            h.words(
                "output",
                &[("id", "count"), ("aria-live", "polite")],
                &format!("{} shown", count(shown as u64)),
            );
        },
    );
}

fn heads(h: &mut Html, view: &View) {
    let mut columns = vec![("", "verdict")];
    columns.extend(view.columns.iter().map(|(_, col)| ("", col.name())));
    columns.extend([("n", "at risk"), ("n", "score"), ("n", "clicks"), ("n", "conv.")]);
    columns.extend(SIGNALS.iter().map(|(_, head)| ("n", *head)));
    columns.push(("n", "cost"));
    head(h, &columns);
}

fn row(h: &mut Html, view: &View, at: usize, group: &Judged) {
    h.element("tr", &[("data-v", view::class(group.verdict))], |h| {
        h.element("td", &[], |h| {
            badge(h, group.verdict);
            if group.protected {
                h.words("small", &[], "protected");
            }
        });
        let last = view.columns.len().saturating_sub(1);
        for (column, (place, _)) in view.columns.iter().enumerate() {
            h.element("td", &[("class", "k")], |h| {
                let part = group.subject.key.get(*place).and_then(Option::as_ref);
                let write = |h: &mut Html| match part {
                    Some(text) => h.data(text, view::NAME),
                    None => h.text("(none)"),
                };
                if column == last { view.link(h, at, write) } else { write(h) }
            });
        }
        let risk = group.money_at_risk.filter(|_| group.verdict <= Verdict::Hold);
        number(h, money(risk));
        number(h, group.score().map_or("–".to_owned(), |score| format!("{score:.0}")));
        number(h, count(group.subject.clicks));
        number(h, estimate(group, "conversion_count").map_or("–".to_owned(), |e| count(e.value() as u64)));
        SIGNALS.iter().for_each(|(name, _)| value(h, group, name));
        number(h, money(group.subject.spend));
    });
}

fn number(h: &mut Html, words: String) {
    h.words("td", &[("class", "n")], &words);
}

/// A value with its interval and sample below.
fn value(h: &mut Html, group: &Judged, name: &'static str) {
    h.element("td", &[("class", "n")], |h| {
        let (Some(e), Some(signal)) = (estimate(group, name), signals::find(name)) else {
            return h.text("–");
        };
        h.text(&signal.unit.format(e.value()));
        let (low, high) = e.printed();
        if !matches!(e.interval, Interval::Exact(_)) {
            h.words("small", &[], &format!("{} of {}", phrase::range(signal.unit, low, high), count(e.n)));
        }
    });
}
