//! What a run says of the nights before it, and what it leaves for the next.

use crate::base::text::Text;
use crate::base::time::{show, show_day};
use crate::history::{Head, Line, Memory, NAMED_CLICKS, Night, Presence, Record, SCHEMA_VERSION};
use crate::report::{Arrived, Change, First, History, Moved, News, Report};
use crate::verdicts::{Judged, Standing, Verdict};
use std::cmp::Reverse;

/// The nights before, and who is not in tonight's groups.
pub fn history(night: &Night, memory: &Memory) -> History {
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

/// What changed since the night before, for outputs that people read; `None` on the first night. Who was away on that
/// night already is no news.
pub fn news(tonight: &Record, memory: &Memory, report: &Report) -> Option<News> {
    let before = memory.previous.as_ref()?;
    let mut moved: Vec<(&Judged, Moved)> =
        report.groups.iter().filter_map(|g| Some((g, moved(g)?))).collect();
    moved.sort_by_key(|(g, m)| (m.change, g.verdict, Reverse(m.at_risk), &g.subject.key));
    let left = tonight.lines.iter().filter_map(|line| {
        let known = before.line(&line.key)?;
        let was = Presence::from(known).left(Some(line.into()))?.was(&known.verdict);
        let mut key = key(line);
        key.iter_mut().flatten().for_each(|part| part.cover(&report.run.pii));
        Some((key, was))
    });
    let others = before.head.rules != tonight.head.rules;
    let notes = others
        .then(|| "the rules are others than on the night before: what differs may be the rules".to_owned());
    Some(News {
        since: Some(show_day(before.head.day())),
        gone: left.collect(),
        moved: moved.into_iter().map(|(_, moved)| moved).collect(),
        arrived: arrived(report),
        notes: notes.into_iter().collect(),
    })
}

/// The groups that no earlier night knows.
fn arrived(report: &Report) -> Arrived {
    let is_first = |g: &&Judged| g.kept.as_ref().is_some_and(|kept| kept.before.is_none());
    let first: Vec<&Judged> = report.groups.iter().filter(is_first).collect();
    let told = |g: &&&Judged| g.subject.clicks >= NAMED_CLICKS && moved(g).is_none();
    let named = first.iter().filter(told).map(|g| First {
        key: g.subject.key.clone(),
        clicks: g.subject.clicks,
        verdict: g.verdict.word().to_owned(),
    });
    Arrived::of(first.len() as u64, named.collect())
}

fn moved(group: &Judged) -> Option<Moved> {
    let kept = group.kept.as_ref()?;
    Some(Moved {
        key: group.subject.key.clone(),
        change: Change::between(kept.before, group.verdict)?,
        from: kept.before.map(|verdict| verdict.word().to_owned()),
        to: group.verdict.word().to_owned(),
        at_risk: group.money_at_risk,
        why: Some(kept.why(group.verdict)).filter(|why| !why.is_empty()),
    })
}

fn key(line: &Line) -> Vec<Option<Text>> {
    line.key.iter().map(|part| part.as_deref().map(Text::new)).collect()
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
