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
        "{} sources: {} with a planted fraud, {} honest. Average precision {} (ranked by {}).",
        e.sources,
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
        lines.push(format!(
            "{} planted sources are not in the report; they count as missed.",
            e.not_in_report
        ));
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

fn kinds(e: &Evaluation) -> String {
    if e.kinds.is_empty() {
        return String::new();
    }
    let mut rows = vec![
        format!("Recall by kind, {}: strength f, registrations c.", or_worse(e.at)),
        "| kind | all | f<.3 c<30 | f<.3 c≥30 | f≥.3 c<30 | f≥.3 c≥30 |".to_owned(),
        "|---|---:|---:|---:|---:|---:|".to_owned(),
    ];
    rows.extend(e.kinds.iter().map(kind));
    rows.join("\n") + "\n"
}

fn kind(of: &OfKind) -> String {
    let found = |rate: &Rate| match rate.share {
        Some(share) => format!("{share:.2} ({}/{})", rate.part, rate.whole),
        None => "-".to_owned(),
    };
    let cells = [&of.all, &of.weak_small, &of.weak_large, &of.strong_small, &of.strong_large].map(found);
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
