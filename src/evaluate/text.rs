//! An evaluation as text, in tables that can stand in a README.

use super::{Evaluation, Level, OfKind, Rate};
use crate::base::money::Micro;
use crate::base::text::Text;

/// The evaluation for a terminal or a README.
pub fn text(evaluation: &Evaluation) -> String {
    let parts = [
        summary(evaluation),
        levels(evaluation),
        kinds(evaluation),
        calibration(evaluation),
        money(evaluation),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n")
}

fn summary(e: &Evaluation) -> String {
    let mut lines = vec![format!(
        "{} source{}: {} with a planted fraud, {} honest. Average precision {} (ranked by {}).",
        e.sources,
        if e.sources == 1 { "" } else { "s" },
        e.planted,
        e.honest,
        e.average_precision.map_or("-".to_owned(), |ap| format!("{ap:.3}")),
        e.ranked_by
    )];
    lines.push(format!(
        "Undecided, counted as not flagged: {} planted, {} honest.",
        e.undecided_planted, e.undecided_honest
    ));
    if e.not_in_report > 0 {
        let sources = if e.not_in_report == 1 { "planted source is" } else { "planted sources are" };
        lines.push(format!("{} {sources} not in the report, and counted as missed.", e.not_in_report));
    }
    if e.profit_only_planted + e.profit_only_honest > 0 {
        lines.push(format!(
            "Findings about lost money only, which accuse nobody: {} planted, {} honest.",
            e.profit_only_planted, e.profit_only_honest
        ));
    }
    if e.spend.whole > 0 {
        lines
            .push(format!("Of {} sources that only lose money, {} were found.", e.spend.whole, e.spend.part));
    }
    lines.join("\n") + "\n"
}

fn levels(e: &Evaluation) -> String {
    let mut rows = vec![
        "| flagged as | sources | precision | recall | false discoveries | false flags per 1000 honest |"
            .to_owned(),
        "|---|---:|---:|---:|---:|---:|".to_owned(),
    ];
    for at in &e.levels {
        rows.push(format!(
            "| {} | {} | {} | {} | {} | {} |",
            or_worse(at.level),
            at.flagged,
            rate(&at.precision, 1.0),
            rate(&at.recall, 1.0),
            rate(&at.false_discoveries, 1.0),
            rate(&at.false_flags, 1_000.0)
        ));
    }
    rows.join("\n") + "\n"
}

fn or_worse(level: Level) -> &'static str {
    match level {
        Level::Block => "block",
        Level::Hold => "hold or worse",
        Level::Watch => "watch or worse",
        Level::None => "anything",
    }
}

/// `.94 (.91–.97)`; with a factor `1.2 (.5–2.8)`.
fn rate(rate: &Rate, factor: f64) -> String {
    let decimals = if factor > 1.0 { 1 } else { 2 };
    match (rate.share, rate.low, rate.high) {
        (Some(share), Some(low), Some(high)) => {
            format!(
                "{:.decimals$} ({:.decimals$}–{:.decimals$})",
                factor * share,
                factor * low,
                factor * high
            )
        }
        _ => "-".to_owned(),
    }
}

/// A column of the table by kind: its head, and the rate that stands in it.
type Column = (&'static str, fn(&OfKind) -> &Rate);

const ALL: Column = ("all", |k| &k.all);
const KNOWN: [Column; 4] = [
    ("f<.3 c<30", |k| &k.weak_small),
    ("f<.3 c≥30", |k| &k.weak_large),
    ("f≥.3 c<30", |k| &k.strong_small),
    ("f≥.3 c≥30", |k| &k.strong_large),
];
const UNKNOWN: [Column; 2] =
    [("f unknown c<30", |k| &k.unknown_small), ("f unknown c≥30", |k| &k.unknown_large)];

/// Strengths have columns where any label says its own, and so have unknown ones.
fn kinds(e: &Evaluation) -> String {
    if e.kinds.is_empty() {
        return String::new();
    }
    let any = |columns: &[Column]| e.kinds.iter().any(|k| columns.iter().any(|(_, of)| of(k).whole > 0));
    let of_strength = [&KNOWN[..], &UNKNOWN[..]].into_iter().filter(|columns| any(columns)).flatten();
    let columns: Vec<Column> = std::iter::once(ALL).chain(of_strength.copied()).collect();
    let heads: Vec<&str> = columns.iter().map(|(head, _)| *head).collect();
    let mut rows = vec![
        format!("Recall by kind, {}: strength f, registrations c.", or_worse(e.at)),
        format!("| kind | {} |", heads.join(" | ")),
        format!("|---|{}", "---:|".repeat(columns.len())),
    ];
    rows.extend(e.kinds.iter().map(|of| kind(of, &columns)));
    rows.join("\n") + "\n"
}

fn kind(of: &OfKind, columns: &[Column]) -> String {
    let found = |rate: &Rate| match rate.share {
        Some(share) => format!("{share:.2} ({}/{})", rate.part, rate.whole),
        None => "-".to_owned(),
    };
    let cells: Vec<String> = columns.iter().map(|(_, rate)| found(rate(of))).collect();
    let name = Text::new(of.kind.as_str()).term(30).replace('|', "/");
    format!("| {name} | {} |", cells.join(" | "))
}

fn calibration(e: &Evaluation) -> String {
    let Some(calibration) = &e.calibration else {
        return "The report has no scores, so there is no calibration.\n".to_owned();
    };
    let mut rows = vec![
        format!(
            "Calibration: Brier {:.4}, expected calibration error {:.4}.",
            calibration.brier, calibration.ece
        ),
        "| score | sources | predicted | really planted |".to_owned(),
        "|---|---:|---:|---:|".to_owned(),
    ];
    for bin in &calibration.bins {
        let predicted = bin.predicted.map_or("-".to_owned(), |p| format!("{p:.2}"));
        let to = bin.from + 10;
        rows.push(format!(
            "| {}–{to} | {} | {predicted} | {} |",
            bin.from,
            bin.sources,
            rate(&bin.actual, 1.0)
        ));
    }
    rows.join("\n") + "\n"
}

fn money(e: &Evaluation) -> String {
    let Some(money) = &e.money else { return String::new() };
    let recall = money.recall.map_or("-".to_owned(), |r| format!("{:.0} %", 100.0 * r));
    format!(
        "Payout of planted conversions: {}; in sources flagged ({}): {} ({recall}).\n",
        Micro(money.planted).to_cents(),
        or_worse(e.at),
        Micro(money.flagged).to_cents()
    )
}
