//! What a run says of the nights before it, and what it leaves for the next.

use crate::base::text::Text;
use crate::base::time::{show, show_day};
use crate::history::{Head, Line, Memory, Night, SCHEMA_VERSION};
use crate::report::{History, Report};
use crate::verdicts::{Standing, Verdict};

/// The nights before, and who is not in tonight's groups.
pub fn history(night: &Night, memory: &Memory) -> History {
    let key = |line: &Line| line.key.iter().map(|part| part.as_deref().map(Text::new)).collect::<Vec<_>>();
    let away = || night.lines.iter().filter(|line| line.tonight.is_none());
    let flagged = |line: &&Line| line.state.standing >= Standing::Flagged;
    let verdict = |line: &Line| Verdict::of(&line.verdict).unwrap_or(Verdict::Undecided);
    History {
        night: memory.tonight,
        before: memory.previous.as_ref().map(|record| record.head.day()),
        nights: memory.nights,
        is_past: memory.is_past,
        silent: away().filter(flagged).map(|line| (key(line), verdict(line))).collect(),
        gone: away().filter(|l| !flagged(l) && !l.alarms.is_empty()).map(key).collect(),
    }
}

/// What holds for the whole night; its pool is added by the night itself.
pub fn head(report: &Report, memory: &Memory) -> Head {
    let (run, totals) = (&report.run, &report.totals);
    let mut inputs: Vec<String> = run.inputs.iter().map(|input| input.digest.clone()).collect();
    inputs.sort();
    let as_of = run.as_of.map(show).unwrap_or_default();
    let name = history_name(&inputs, &run.rules_digest, &as_of, run.version);
    Head {
        schema_version: SCHEMA_VERSION,
        night: show_day(memory.tonight),
        as_of,
        run: name,
        version: run.version.to_owned(),
        grain: run.grain.columns().iter().map(|c| c.name().to_owned()).collect(),
        currency: run.currency.as_ref().map(|c| c.raw().to_owned()),
        new_days: memory.new_days(run.window),
        window: run.window.map(|(first, last)| (show_day(first), show_day(last))),
        rules: run.rules_digest.clone(),
        inputs,
        clicks: totals.clicks,
        conversions: totals.conversions,
        cost: totals.cost.map(|m| m.0),
        revenue: totals.revenue.map(|m| m.0),
        pool: Default::default(),
    }
}

fn history_name(inputs: &[String], rules: &str, as_of: &str, version: &str) -> String {
    crate::history::run_name(&[&inputs.join(" "), rules, as_of, version])
}
