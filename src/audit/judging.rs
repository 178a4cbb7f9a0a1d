//! From measures to judged groups, and from these to totals and lists.

use super::Settings;
use crate::base::column::{Col, Grain};
use crate::base::money::{Micro, SCALE};
use crate::base::text::Text;
use crate::history::Memory;
use crate::ingest::Sources;
use crate::ingest::offers::REJECT_CLASSES;
use crate::matching::{Matched, gates::Gate};
use crate::measures::{self, CutMeasures, InCut, M, Measures};
use crate::past::Past;
use crate::peers::{Compared, Profile};
use crate::report::{List, Lists, RuleTally, Totals};
use crate::rules::{Outcome, Panel, Part, Rule, RuleSet, Truth, View, Why};
use crate::signals::{self, Context, Row};
use crate::verdicts::{
    self, Answers, Braked, Judged, ListKind, Listing, SharedReasons, Subject, Suppressions, Whole,
};
use std::sync::Arc;

/// What rules are asked about.
pub struct Asked<'a> {
    pub measures: &'a Measures,
    pub compared: &'a [Compared],
    pub context: &'a Context,
    /// What is known of earlier nights.
    pub memory: &'a Memory,
}

/// Judges every group of the audited grain, and those of the rules' own grains on which one of them fired; and
/// counts what each rule said.
pub fn judged<'r>(
    asked: &Asked,
    rules: &'r RuleSet,
    settings: &Settings,
    as_of: i64,
) -> (Vec<Judged<'r>>, Vec<RuleTally<'r>>) {
    let mut groups = Vec::new();
    let mut tallies: Vec<RuleTally> = rules.rules.iter().map(RuleTally::new).collect();
    for (at, (of_grain, compared)) in asked.measures.grains.iter().zip(asked.compared).enumerate() {
        let audited = of_grain.grain == settings.grain;
        let mut asking = Asking::of(rules, at, audited, asked);
        let with_profiles: Vec<_> = of_grain.groups.iter().zip(&compared.profiles).collect();
        for together in with_profiles.chunks(Panel::SIZE) {
            let keys: Vec<&[Option<String>]> = together.iter().map(|(group, _)| &*group.key).collect();
            let subject = |(group, profile): &(&_, &_)| {
                subject(&of_grain.grain, group, profile, asked.context, asking.rules.clone())
            };
            let mut subjects: Vec<Subject> = together.iter().map(subject).collect();
            asking.ask(&mut subjects, &keys, &mut tallies);
            for mut subject in subjects {
                suppress(&mut subject, &settings.suppressions, as_of);
                asking.count_suppressed(&subject, &mut tallies);
                if audited || subject.answers.fired().next().is_some() {
                    groups.push(verdicts::judge(subject, &settings.protect));
                }
            }
        }
    }
    (groups, tallies)
}

/// The rules that run on one grain.
struct Asking<'a, 'r> {
    rules: Arc<[&'r Rule]>,
    /// Where they stand in the set.
    places: Vec<usize>,
    reasons: SharedReasons,
    /// The cuts of the grain.
    cuts: Vec<&'a CutMeasures>,
    context: &'a Context,
    /// Where its groups have a past, and the days of the clicks.
    memory: Option<&'a Memory>,
    days: Option<(i32, i32)>,
}

impl<'a, 'r> Asking<'a, 'r> {
    fn of(set: &'r RuleSet, grain: usize, audited: bool, asked: &Asked<'a>) -> Asking<'a, 'r> {
        let name = &asked.measures.grains[grain].grain;
        let runs = |rule: &Rule| rule.by.as_ref().map_or(audited, |by| by == name);
        let places: Vec<usize> = (0..set.rules.len()).filter(|at| runs(&set.rules[*at])).collect();
        let rules: Arc<[&Rule]> = places.iter().map(|at| &set.rules[*at]).collect();
        let cuts = asked.measures.cuts.iter().filter(|cut| cut.grain == grain).collect();
        Asking {
            reasons: SharedReasons::of(rules.len()),
            rules,
            places,
            cuts,
            context: asked.context,
            memory: Some(asked.memory).filter(|_| audited),
            days: asked.measures.days,
        }
    }

    /// Asks every rule about a panel of groups and counts the answers.
    fn ask(&mut self, subjects: &mut [Subject<'r>], keys: &[&[Option<String>]], tallies: &mut [RuleTally]) {
        let texts: Vec<_> = subjects.iter().map(Subject::texts).collect();
        let pasts: Vec<Option<Past>> =
            subjects.iter().zip(keys).map(|(subject, key)| self.past(key, subject)).collect();
        let of_cuts: Vec<Option<Past>> = pasts.iter().map(|past| past.as_ref().map(Past::of_rules)).collect();
        let views = subjects.iter().zip(&texts).zip(&pasts).map(|((subject, texts), past)| {
            View::new(&subject.row, texts, &subject.profile).with_past(past.as_ref())
        });
        let whole = Panel::of(views.enumerate().collect());
        let seen: Vec<Seen> = self.cuts.iter().map(|cut| Seen::of(cut, keys, self.context)).collect();
        let in_cuts: Vec<Panel> = seen.iter().map(|seen| seen.panel(&texts, &of_cuts)).collect();
        let mut answers: Vec<Answers> = subjects.iter().map(|_| Answers::of(self.rules.clone())).collect();
        for (at, (rule, place)) in self.rules.iter().copied().zip(&self.places).enumerate() {
            let mut told = 0;
            let mut take = |(group, outcome): (usize, Outcome<'r>)| {
                let outcome = self.reasons.with(at, outcome);
                tallies[*place].add(&outcome.truth);
                answers[group].take(at, outcome);
                told += 1;
            };
            match &rule.cut {
                None => whole.ask(rule).for_each(&mut take),
                Some(wanted) => {
                    let cut = self.cuts.iter().position(|cut| cut.cut == **wanted);
                    let cut = cut.expect("every cut of a rule is measured");
                    seen[cut].ask(rule, &in_cuts[cut]).for_each(&mut take);
                }
            }
            tallies[*place].silent += (subjects.len() - told) as u64;
        }
        subjects.iter_mut().zip(answers).for_each(|(subject, answers)| subject.answers = answers);
    }

    /// What is remembered of a group.
    fn past(&self, key: &[Option<String>], subject: &Subject) -> Option<Past> {
        self.memory.and_then(|memory| memory.past(key, &subject.row, self.days))
    }

    fn count_suppressed(&self, subject: &Subject, tallies: &mut [RuleTally]) {
        for (rule, _) in &subject.suppressed {
            let at = self.rules.iter().position(|asked| asked.id == rule.id);
            at.into_iter().for_each(|at| tallies[self.places[at]].suppressed += 1);
        }
    }
}

/// What the rules of a cut see of the groups of a panel, which have numbers; of a group without rows nothing.
struct Seen {
    rows: Vec<(usize, Arc<Part>)>,
    /// Of these groups nothing can be told, and why.
    open: Vec<(usize, Why)>,
    /// Peers are those of the whole: a rule with row limits does not ask for them.
    nobody: Profile,
}

impl Seen {
    fn of(cut: &CutMeasures, keys: &[&[Option<String>]], context: &Context) -> Seen {
        let mut seen = Seen { rows: Vec::new(), open: Vec::new(), nobody: Profile::default() };
        for (group, key) in keys.iter().enumerate() {
            match cut.of(key) {
                InCut::Rows(totals) => {
                    let row = Row::compute(&signals::Group { totals, context });
                    let part = Part { spend: money(&row, "cost"), at_stake: at_stake(totals), row };
                    seen.rows.push((group, Arc::new(part)));
                }
                InCut::TooYoung => seen.open.push((group, Why::TooYoung(Arc::new(cut.cut.clone())))),
                InCut::Untold(columns) => seen.open.push((group, Why::Untold(columns.to_vec()))),
                InCut::Nothing => {}
            }
        }
        seen
    }

    fn panel<'v>(&'v self, texts: &'v [Vec<(Col, Option<String>)>], pasts: &'v [Option<Past>]) -> Panel<'v> {
        let view = |(group, part): &'v (usize, Arc<Part>)| {
            let view = View::new(&part.row, &texts[*group], &self.nobody);
            (*group, view.with_past(pasts[*group].as_ref()))
        };
        Panel::of(self.rows.iter().map(view).collect())
    }

    /// The answers of a rule that are not silent, with the numbers of the groups.
    fn ask<'s, 'r: 's>(
        &'s self,
        rule: &'r Rule,
        panel: &'s Panel,
    ) -> impl Iterator<Item = (usize, Outcome<'r>)> {
        let open = self.open.iter().map(|(group, why)| (*group, Outcome::unknown(rule, why.clone())));
        let part = |group: usize| self.rows.iter().find(|(of, _)| *of == group).map(|(_, part)| part.clone());
        let told = panel.ask(rule).map(move |(group, outcome)| {
            let fires = outcome.truth == Truth::Fires;
            (group, Outcome { part: if fires { part(group) } else { None }, ..outcome })
        });
        told.chain(open)
    }
}

/// Finds what is suppressed about a group.
fn suppress(subject: &mut Subject, suppressions: &Suppressions, as_of: i64) {
    if suppressions.count() == 0 {
        return;
    }
    let found =
        |outcome: &Outcome<'_>| suppressions.find(&outcome.rule.id, &subject.grain, &subject.key, as_of);
    let fired = subject.answers.fired();
    subject.suppressed = fired.filter_map(|outcome| Some((outcome.rule, found(outcome)?))).collect();
}

/// A group before any rule is asked.
fn subject<'r>(
    grain: &Grain,
    group: &measures::Group,
    profile: &Profile,
    context: &Context,
    rules: Arc<[&'r Rule]>,
) -> Subject<'r> {
    let row = Row::compute(&signals::Group { totals: &group.totals, context });
    Subject {
        grain: grain.clone(),
        key: group.key.iter().map(|text| text.as_deref().map(Text::new)).collect(),
        answers: Answers::of(rules),
        events: group.totals.events.iter().map(|(e, s, n)| (Text::new(e.as_str()), *s, *n)).collect(),
        reject_classes: reject_classes(&group.totals),
        fraud_reasons: words(&group.totals.fraud_reasons),
        clicks: group.totals.get(M::Clicks).unwrap_or(0).max(0) as u64,
        spend: money(&row, "cost"),
        revenue: money(&row, "revenue"),
        at_stake: at_stake(&group.totals),
        suppressed: Vec::new(),
        row,
        profile: profile.clone(),
    }
}

/// Rejected conversions by the class of their reason, in the order of the classes.
fn reject_classes(totals: &measures::Totals) -> Vec<(&'static str, u64)> {
    let class = |(at, n): &(i64, u64)| {
        let known = usize::try_from(*at).ok().and_then(|at| REJECT_CLASSES.get(at));
        known.map(|class| (class.1, *n))
    };
    totals.values(M::RejectClasses).iter().filter_map(class).collect()
}

/// So many words of a group are told, the commonest: the text is an export's, and there may be any number.
const WORDS_TOLD: usize = 20;

fn words(counted: &[(String, u64)]) -> Vec<(Text, u64)> {
    let mut commonest: Vec<&(String, u64)> = counted.iter().collect();
    commonest.sort_by_key(|(word, n)| (std::cmp::Reverse(*n), word.as_str()));
    commonest.into_iter().take(WORDS_TOLD).map(|(word, n)| (Text::new(word.as_str()), *n)).collect()
}

/// The payouts, or else the revenue, of conversions that could be invalid.
fn at_stake(totals: &measures::Totals) -> Option<Micro> {
    let sum = |parts: &[M]| {
        let known: Vec<i64> = parts.iter().filter_map(|m| totals.get(*m)).collect();
        (!known.is_empty()).then(|| Micro::total(&known))
    };
    let priced = totals.get(M::Priced).is_some_and(|n| n > 0);
    let payouts = sum(&[M::PayoutConfirmed, M::PayoutPending]);
    payouts.or_else(|| sum(&[M::RevenueConfirmed, M::RevenuePending])).filter(|_| priced)
}

/// A money signal of a group in micro-units.
pub fn money(row: &Row, name: &str) -> Option<Micro> {
    let signal = signals::find(name).expect("the signal is declared");
    row.reading(signal).estimate().map(|e| Micro((e.value() * SCALE as f64).round() as i64))
}

/// The whole input in numbers: sums over the groups of the audited grain.
pub fn totals(groups: &[Judged], grain: &Grain, measures: &Measures, matched: &Matched) -> Totals {
    let sum = |name: &str| {
        let of_grain = groups.iter().filter(|g| g.subject.grain == *grain);
        let known: Vec<i64> = of_grain.filter_map(|g| money(&g.subject.row, name)).map(|m| m.0).collect();
        (!known.is_empty()).then(|| Micro::total(&known))
    };
    let (cost, revenue) = (sum("cost"), sum("revenue"));
    Totals {
        clicks: measures.clicks,
        conversions: conversions(groups, grain).unwrap_or(matched.conversions.len() as u64),
        cost,
        revenue,
        profit: cost.zip(revenue).map(|(cost, revenue)| Micro(revenue.0 - cost.0)),
        payout: sum("payout"),
    }
}

/// Conversions of the groups of the audited grain; an aggregated report has them in its rows.
fn conversions(groups: &[Judged], grain: &Grain) -> Option<u64> {
    let signal = signals::find("conversion_count").expect("the signal is declared");
    let of_grain = groups.iter().filter(|g| g.subject.grain == *grain);
    let counts = of_grain.filter_map(|g| g.subject.row.reading(signal).estimate().map(|e| e.value() as u64));
    counts.reduce(|a, b| a + b)
}

/// Why an observing run writes no list, so that those of the run before stay.
const OBSERVES: &str = "the run only observes; what stands there stays";

/// The lists, or why there is none.
pub fn lists(
    groups: &[Judged],
    settings: &Settings,
    gates: &[Gate],
    totals: &Totals,
    sources: &Arc<Sources>,
    observe: bool,
) -> Lists {
    let list_for = settings.list_for.as_deref();
    let unless_gated = |listing: &dyn Fn() -> Result<Listing, Braked>| {
        if let Some(gate) = gates.first() {
            return List::Withheld(format!("gate {}: {}", gate.name, gate.sentence));
        }
        if observe {
            return List::Withheld(OBSERVES.to_owned());
        }
        match listing() {
            Ok(listing) => List::Ready(listing),
            Err(braked) => List::Withheld(braked.0),
        }
    };
    let list = |kind| {
        unless_gated(&|| {
            let whole = Whole { clicks: totals.clicks, spend: totals.cost, revenue: totals.revenue };
            verdicts::listing(groups, kind, list_for, &settings.brake, &whole)
        })
    };
    Lists {
        block: list(ListKind::Block),
        profit: list(ListKind::Profit),
        scale: unless_gated(&|| verdicts::growth(groups, &settings.grain, list_for)),
        protected: settings.protect.networks(),
        widest: settings.widest,
        sources: Arc::clone(sources),
    }
}
