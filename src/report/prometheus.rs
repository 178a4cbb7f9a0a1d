//! Numbers of the run in Prometheus's text format, for the node exporter's textfile folder.
//!
//! Labels come from closed sets only: a source in a label would let whoever sends clicks fill somebody's
//! monitoring. There are no times of the clock: when the file was written is the file's own date.

use super::{Format, Kind, List, Look, Rendered, Report, RowCount};
use crate::base::error::Result;
use crate::base::money::Micro;
use crate::base::text::Text;
use crate::base::time::SECOND;
use crate::matching::gates::GATES;
use crate::rules::{Action, Class};
use crate::verdicts::{Judged, Verdict};
use std::fmt::Write;

/// A metric: its name, what it says, and its values by label.
struct Metric {
    name: &'static str,
    help: &'static str,
    samples: Vec<(Vec<(&'static str, String)>, String)>,
}

impl Metric {
    fn new(name: &'static str, help: &'static str) -> Metric {
        Metric { name, help, samples: Vec::new() }
    }

    fn with(mut self, labels: &[(&'static str, &str)], value: impl ToString) -> Metric {
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.samples.push((labels, value.to_string()));
        self
    }

    fn text(&self) -> String {
        let name = self.name;
        let mut out = format!("# HELP clickaudit_{name} {}\n# TYPE clickaudit_{name} gauge\n", self.help);
        for (labels, value) in &self.samples {
            let labels: Vec<String> =
                labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            // Writing to a string cannot fail.
            let _ = writeln!(out, "clickaudit_{name}{labels} {value}");
        }
        out
    }
}

fn render(report: &Report, _: &Look) -> Result<Rendered> {
    let metrics = [
        run(report),
        rows(report),
        classes(report),
        sources(report),
        findings(report),
        money(report),
        at_risk(report),
        gates(report),
        entries(report),
        withheld(report),
    ];
    let shown = metrics.iter().filter(|m| !m.samples.is_empty());
    Ok(Rendered::Bytes(shown.map(Metric::text).collect::<String>().into_bytes()))
}

fn run(report: &Report) -> Metric {
    let metric = Metric::new("as_of_timestamp_seconds", "The moment up to which the exports reach.");
    let as_of = report.run.as_of.map(|t| t.div_euclid(SECOND));
    as_of.into_iter().fold(metric, |m, t| m.with(&[("version", report.run.version)], t))
}

fn rows(report: &Report) -> Metric {
    let mut metric = Metric::new("rows", "Rows read, by what became of them.");
    let sides = [("clicks", &report.coverage.clicks), ("conversions", &report.coverage.conversions)];
    for (side, count) in sides {
        let Some(count) = count else { continue };
        let sum = |of: fn(&RowCount) -> u64| of(count);
        for (outcome, n) in [
            ("used", sum(|c| c.used)),
            ("rejected", sum(|c| c.rejected.values().sum())),
            ("duplicate", sum(|c| c.duplicate.values().sum())),
        ] {
            metric = metric.with(&[("side", side), ("outcome", outcome)], n);
        }
    }
    metric
}

fn classes(report: &Report) -> Metric {
    let metric = Metric::new("conversions", "Conversions by how they relate to the clicks.");
    report.coverage.classes.table().iter().fold(metric, |m, (name, _, n)| m.with(&[("class", name)], n))
}

const VERDICTS: [Verdict; 5] =
    [Verdict::Block, Verdict::Hold, Verdict::Watch, Verdict::Clean, Verdict::Undecided];

/// The groups of the audited grain.
fn audited<'a>(report: &'a Report) -> impl Iterator<Item = &'a Judged<'a>> {
    report.groups.iter().filter(|g| g.subject.grain == report.run.grain)
}

fn sources(report: &Report) -> Metric {
    let metric = Metric::new("sources", "Audited groups by verdict.");
    let count = |verdict| audited(report).filter(|g| g.verdict == verdict).count();
    VERDICTS.iter().fold(metric, |m, v| m.with(&[("verdict", v.word())], count(*v)))
}

fn findings(report: &Report) -> Metric {
    let mut metric = Metric::new("findings", "Rules that fired, by class and by what may be done about it.");
    for class in [Class::Fraud, Class::Quality, Class::Profit, Class::Data] {
        for action in [Action::Block, Action::Hold, Action::Watch, Action::Note] {
            let is = |f: &&crate::verdicts::Finding| f.rule.class == class && f.action == action;
            let n = audited(report).flat_map(|g| &g.findings).filter(is).count();
            metric = metric.with(&[("class", class.word()), ("action", action.word())], n);
        }
    }
    metric
}

fn money(report: &Report) -> Metric {
    let metric = Metric::new("money", "Sums over the whole input, in the currency of the run.");
    let currency = currency(report);
    let totals = &report.totals;
    let kinds = [
        ("cost", totals.cost),
        ("payout", totals.payout),
        ("profit", totals.profit),
        ("revenue", totals.revenue),
    ];
    let known = kinds.into_iter().filter_map(|(kind, amount)| Some((kind, amount?)));
    known.fold(metric, |m, (kind, amount)| m.with(&[("kind", kind), ("currency", &currency)], amount))
}

fn currency(report: &Report) -> String {
    report.run.currency.as_ref().map_or(String::new(), Text::prom)
}

fn at_risk(report: &Report) -> Metric {
    let mut metric = Metric::new("money_at_risk", "The least at risk by the findings, by verdict.");
    let currency = currency(report);
    for verdict in [Verdict::Block, Verdict::Hold, Verdict::Watch] {
        let known = audited(report).filter(|g| g.verdict == verdict).filter_map(|g| g.money_at_risk);
        if let Some(sum) = known.reduce(|a, b| Micro(a.0.saturating_add(b.0))) {
            metric = metric.with(&[("verdict", verdict.word()), ("currency", &currency)], sum);
        }
    }
    metric
}

fn gates(report: &Report) -> Metric {
    let metric = Metric::new("gate_fired", "1 where a check on the whole input refuses to judge it.");
    let fired = |name: &str| u8::from(report.coverage.gates.iter().any(|g| g.name == name));
    GATES.iter().fold(metric, |m, (name, ..)| m.with(&[("gate", name)], fired(name)))
}

fn lists<'a>(report: &'a Report) -> [(&'static str, &'a List); 3] {
    let lists = &report.lists;
    [("block", &lists.block), ("profit", &lists.profit), ("scale", &lists.scale)]
}

fn entries(report: &Report) -> Metric {
    let metric = Metric::new("list_entries", "IDs that this run allows on a list.");
    let ready = lists(report).into_iter().filter_map(|(name, list)| match list {
        List::Ready(listing) => Some((name, listing.ids.len())),
        List::Withheld(_) => None,
    });
    ready.fold(metric, |m, (name, n)| m.with(&[("list", name)], n))
}

fn withheld(report: &Report) -> Metric {
    let metric = Metric::new("list_withheld", "1 where a gate or the brake keeps a list as it was.");
    let is = |list: &List| u8::from(matches!(list, List::Withheld(_)));
    lists(report).into_iter().fold(metric, |m, (name, list)| m.with(&[("list", name)], is(list)))
}

pub const FORMAT: Format = Format {
    name: "prom",
    summary: "counts and sums for Prometheus's textfile collector",
    list: false,
    kind: Kind::Text,
    pictures: 0,
    render,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::HOSTILE;
    use crate::report::sample;
    use std::collections::{BTreeMap, BTreeSet};

    fn text(report: &Report) -> String {
        let bytes = render(report, &Look::PLAIN).unwrap().collected(report).unwrap().unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// The values by name and labels, as a strict reader of the format takes them.
    fn parsed(text: &str) -> BTreeMap<String, f64> {
        let mut found = BTreeMap::new();
        let mut announced = BTreeSet::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                announced.insert(rest.strip_suffix(" gauge").unwrap().to_owned());
            } else if !line.starts_with("# HELP ") {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let name = series.split('{').next().unwrap();
                assert!(announced.contains(name), "{line}");
                labels(&series[name.len()..]);
                assert!(found.insert(series.to_owned(), value.parse().unwrap()).is_none(), "{line} twice");
            }
        }
        found
    }

    /// Reads `{name="value",…}` to its end.
    fn labels(mut rest: &str) {
        while let Some(inner) = rest.strip_prefix(['{', ',']) {
            let (name, value) = inner.split_once("=\"").unwrap();
            assert!(name.bytes().all(|b| b.is_ascii_lowercase()), "{name}");
            let mut end = 0;
            while !value[end..].starts_with('"') {
                end += if value[end..].starts_with('\\') {
                    2
                } else {
                    value[end..].chars().next().unwrap().len_utf8()
                };
            }
            rest = &value[end + 1..];
        }
        assert!(rest.is_empty() || rest == "}", "{rest}");
    }

    #[test]
    fn the_sample_in_numbers() {
        let rules = sample::rules();
        let found = parsed(&text(&sample::report(&rules)));
        for (series, value) in [
            ("clickaudit_sources{verdict=\"block\"}", 2.0),
            ("clickaudit_sources{verdict=\"undecided\"}", 2.0),
            ("clickaudit_rows{side=\"clicks\",outcome=\"rejected\"}", 8.0),
            ("clickaudit_conversions{class=\"orphan\"}", 12.0),
            ("clickaudit_findings{class=\"fraud\",action=\"block\"}", 3.0),
            ("clickaudit_money{kind=\"cost\",currency=\"USD\"}", 8_240.6),
            ("clickaudit_money_at_risk{verdict=\"block\",currency=\"USD\"}", 1_204.0),
            ("clickaudit_list_entries{list=\"block\"}", 2.0),
            ("clickaudit_list_withheld{list=\"block\"}", 0.0),
            ("clickaudit_gate_fired{gate=\"join\"}", 0.0),
        ] {
            assert_eq!(found.get(series), Some(&value), "{series}");
        }
        assert!(!text(&sample::report(&rules)).contains("pub"));
    }

    #[test]
    fn no_text_from_data_is_a_label_but_the_currency_and_none_breaks_a_line() {
        let rules = sample::rules();
        let of = |currency: &str| {
            let mut report = sample::hostile(&rules, "x");
            report.run.currency = Some(Text::new(currency));
            parsed(&text(&report)).len()
        };
        let expected = of("USD");
        for text in HOSTILE {
            assert_eq!(of(text), expected, "{text:?}");
        }
    }
}
