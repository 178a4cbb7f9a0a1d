//! The figures: what is counted over labelled sources.

use super::labels::Planted;
use super::{AtLevel, Bin, Calibration, Evaluation, Labelled, Level, Money, OfKind, Rate, SPEND};
use crate::base::stats::wilson;
use std::collections::BTreeSet;

/// From here on a fraud is strong, and a source has a sample (statistics.md 7.4).
const STRONG: f64 = 0.3;
const LARGE: u64 = 30;

impl Rate {
    /// `part` of `whole`.
    pub fn of(part: u64, whole: u64) -> Rate {
        if whole == 0 {
            return Rate { part, whole, share: None, low: None, high: None };
        }
        let (low, high) = wilson(part, whole, 0.95);
        Rate { part, whole, share: Some(part as f64 / whole as f64), low: Some(low), high: Some(high) }
    }
}

impl Labelled<'_> {
    /// The label of a fraud.
    fn fraud(&self) -> Option<&Planted> {
        self.planted.filter(|p| p.kind != SPEND)
    }

    fn is_spend(&self) -> bool {
        self.planted.is_some_and(|p| p.kind == SPEND)
    }

    /// Orders sources from the least to the most suspicious.
    fn suspicion(&self) -> (f64, Level, f64) {
        (self.judged.score.unwrap_or(-1.0), self.judged.level, self.judged.money)
    }
}

/// Counts everything. `truth` has the labels that no source of the report has, too.
pub fn evaluation(all: &[Labelled], truth: &[Planted], not_in_report: u64, at: Level) -> Evaluation {
    let (spend, sources): (Vec<&Labelled>, Vec<&Labelled>) = all.iter().partition(|s| s.is_spend());
    let frauds = truth.iter().filter(|p| p.kind != SPEND).count() as u64;
    let count = |holds: &dyn Fn(&Labelled) -> bool| sources.iter().filter(|s| holds(s)).count() as u64;
    let (planted, honest) = (|s: &Labelled| s.fraud().is_some(), |s: &Labelled| s.fraud().is_none());
    let scored = sources.iter().any(|s| s.judged.score.is_some());
    Evaluation {
        sources: all.len() as u64,
        planted: frauds,
        not_in_report,
        honest: count(&honest),
        undecided_planted: count(&|s| planted(s) && s.judged.undecided),
        undecided_honest: count(&|s| honest(s) && s.judged.undecided),
        ranked_by: if scored { "score" } else { "verdict and money" },
        average_precision: average_precision(&sources, frauds),
        levels: [Level::Block, Level::Hold, Level::Watch]
            .map(|level| at_level(&sources, frauds, level))
            .into(),
        at,
        kinds: kinds(&sources, truth, at),
        profit_only_planted: count(&|s| planted(s) && s.judged.profit_only),
        profit_only_honest: count(&|s| honest(s) && s.judged.profit_only),
        spend: Rate::of(
            spend.iter().filter(|s| s.judged.level >= at || s.judged.profit_only).count() as u64,
            spend.len() as u64,
        ),
        calibration: calibration(&sources),
        money: money(&sources, truth, at),
    }
}

/// The mean over the planted sources of the precision among all that are at least as suspicious. Sources that
/// are equally suspicious come together, so that their order does not matter. A planted source that the
/// report does not know is never reached.
fn average_precision(sources: &[&Labelled], frauds: u64) -> Option<f64> {
    let mut ranked: Vec<_> = sources.iter().map(|s| (s.suspicion(), s.fraud().is_some())).collect();
    let compare = |a: &(f64, Level, f64), b: &(f64, Level, f64)| {
        b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)).then(b.2.total_cmp(&a.2))
    };
    ranked.sort_by(|a, b| compare(&a.0, &b.0));
    let (mut seen, mut found, mut sum) = (0u64, 0u64, 0.0);
    for equal in ranked.chunk_by(|a, b| compare(&a.0, &b.0).is_eq()) {
        let planted = equal.iter().filter(|(_, planted)| *planted).count() as u64;
        seen += equal.len() as u64;
        found += planted;
        sum += planted as f64 * found as f64 / seen as f64;
    }
    (frauds > 0).then(|| sum / frauds as f64)
}

fn at_level(sources: &[&Labelled], frauds: u64, level: Level) -> AtLevel {
    let flagged: Vec<_> = sources.iter().filter(|s| s.judged.level >= level).collect();
    let right = flagged.iter().filter(|s| s.fraud().is_some()).count() as u64;
    let honest = sources.iter().filter(|s| s.fraud().is_none()).count() as u64;
    let all = flagged.len() as u64;
    AtLevel {
        level,
        flagged: all,
        precision: Rate::of(right, all),
        recall: Rate::of(right, frauds),
        false_discoveries: Rate::of(all - right, all),
        false_flags: Rate::of(all - right, honest),
    }
}

fn kinds(sources: &[&Labelled], truth: &[Planted], at: Level) -> Vec<OfKind> {
    let names: BTreeSet<&str> = truth.iter().map(|p| p.kind.as_str()).filter(|kind| *kind != SPEND).collect();
    names.into_iter().map(|kind| of_kind(kind, sources, truth, at)).collect()
}

fn of_kind(kind: &str, sources: &[&Labelled], truth: &[Planted], at: Level) -> OfKind {
    let conversions = |p: &Planted| {
        let judged = sources.iter().find(|s| s.planted.is_some_and(|own| std::ptr::eq(own, p)));
        p.conversions.unwrap_or_else(|| judged.map_or(0, |s| s.judged.conversions))
    };
    let rate = |holds: &dyn Fn(&Planted) -> bool| {
        let whole = truth.iter().filter(|p| p.kind == kind && holds(p)).count() as u64;
        let flagged = sources.iter().filter(|s| s.judged.level >= at).filter_map(|s| s.fraud());
        Rate::of(flagged.filter(|p| p.kind == kind && holds(p)).count() as u64, whole)
    };
    let weak = |p: &Planted| p.strength.is_some_and(|s| s < STRONG);
    let strong = |p: &Planted| p.strength.is_some_and(|s| s >= STRONG);
    let large = |p: &Planted| conversions(p) >= LARGE;
    OfKind {
        kind: kind.to_owned(),
        all: rate(&|_| true),
        weak_small: rate(&|p| weak(p) && !large(p)),
        weak_large: rate(&|p| weak(p) && large(p)),
        strong_small: rate(&|p| strong(p) && !large(p)),
        strong_large: rate(&|p| strong(p) && large(p)),
        unknown_small: rate(&|p| p.strength.is_none() && !large(p)),
        unknown_large: rate(&|p| p.strength.is_none() && large(p)),
    }
}

fn calibration(sources: &[&Labelled]) -> Option<Calibration> {
    let scored: Vec<(f64, bool)> =
        sources.iter().filter_map(|s| Some((s.judged.score? / 100.0, s.fraud().is_some()))).collect();
    if scored.is_empty() {
        return None;
    }
    let bins: Vec<Bin> = (0..10).map(|nth| bin(nth, &scored)).collect();
    let miss = |b: &Bin| Some((b.predicted? - b.actual.share?).abs() * b.sources as f64);
    let square = |&(score, planted): &(f64, bool)| (score - f64::from(u8::from(planted))).powi(2);
    let n = scored.len() as f64;
    Some(Calibration {
        brier: scored.iter().map(square).sum::<f64>() / n,
        ece: bins.iter().filter_map(miss).sum::<f64>() / n,
        bins,
    })
}

fn bin(nth: u8, scored: &[(f64, bool)]) -> Bin {
    let inside: Vec<_> = scored.iter().filter(|(score, _)| ((score * 10.0) as u8).min(9) == nth).collect();
    let (sources, planted) =
        (inside.len() as u64, inside.iter().filter(|(_, planted)| *planted).count() as u64);
    let sum: f64 = inside.iter().map(|(score, _)| score).sum();
    Bin {
        from: nth * 10,
        sources,
        predicted: (sources > 0).then(|| sum / sources as f64),
        actual: Rate::of(planted, sources),
    }
}

/// `None` where the truth knows no amounts.
fn money(sources: &[&Labelled], truth: &[Planted], at: Level) -> Option<Money> {
    let planted: Vec<i64> =
        truth.iter().filter(|p| p.kind != SPEND).filter_map(|p| p.touched_payout).collect();
    let flagged = sources.iter().filter(|s| s.judged.level >= at);
    let flagged: i64 = flagged.filter_map(|s| s.fraud()?.touched_payout).sum();
    let all: i64 = planted.iter().sum();
    let recall = (all > 0).then(|| flagged as f64 / all as f64);
    (!planted.is_empty()).then_some(Money { planted: all, flagged, recall })
}
