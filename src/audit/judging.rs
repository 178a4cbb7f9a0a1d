//! From measures to judged groups, and from these to totals and lists.

use super::Settings;
use crate::base::column::{Col, Grain};
use crate::base::money::{Micro, SCALE};
use crate::base::text::Text;
use crate::history::Memory;
use crate::matching::{Matched, gates::Gate};
use crate::measures::{self, M, Measures};
use crate::peers::{Compared, Profile};
use crate::report::{List, Lists, RuleTally, Totals};
use crate::rules::{Outcome, Rule, RuleSet, Truth, View, evaluate};
use crate::signals::{self, Context, Row};
use crate::verdicts::{self, Braked, Judged, ListKind, Listing, Subject, Suppressions, Whole};

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
    for (of_grain, compared) in asked.measures.grains.iter().zip(asked.compared) {
        let audited = of_grain.grain == settings.grain;
        let runs = |rule: &&Rule| match &rule.by {
            Some(grain) => *grain == of_grain.grain,
            None => audited,
        };
        let places: Vec<usize> = (0..rules.rules.len()).filter(|at| runs(&&rules.rules[*at])).collect();
        let rules: Vec<&'r Rule> = places.iter().map(|at| &rules.rules[*at]).collect();
        for (group, profile) in of_grain.groups.iter().zip(&compared.profiles) {
            let memory = Some(asked).filter(|_| audited);
            let mut subject = subject(&of_grain.grain, group, profile, asked.context, &rules, memory);
            suppress(&mut subject, &settings.suppressions, as_of);
            count(&subject, &places, &mut tallies);
            let fired = subject.outcomes.iter().any(|o| matches!(o.truth, Truth::Fires));
            if audited || fired {
                groups.push(verdicts::judge(subject, &settings.protect));
            }
        }
    }
    (groups, tallies)
}

/// Finds what is suppressed about a group.
fn suppress(subject: &mut Subject, suppressions: &Suppressions, as_of: i64) {
    if suppressions.count() == 0 {
        return;
    }
    let found =
        |outcome: &Outcome<'_>| suppressions.find(&outcome.rule.id, &subject.grain, &subject.key, as_of);
    let fired = subject.outcomes.iter().filter(|outcome| outcome.truth == Truth::Fires);
    subject.suppressed = fired.filter_map(|outcome| Some((outcome.rule, found(outcome)?))).collect();
}

/// Counts the answers about one group; `places` are those of its rules among the tallies.
fn count(subject: &Subject, places: &[usize], tallies: &mut [RuleTally]) {
    for (outcome, at) in subject.outcomes.iter().zip(places) {
        let suppressed = subject.suppressed.iter().any(|(rule, _)| rule.id == outcome.rule.id);
        tallies[*at].add(&outcome.truth, suppressed);
    }
}

fn subject<'r>(
    grain: &Grain,
    group: &measures::Group,
    profile: &Profile,
    context: &Context,
    rules: &[&'r Rule],
    remembered: Option<&Asked>,
) -> Subject<'r> {
    let row = Row::compute(&signals::Group { totals: &group.totals, context });
    let texts: Vec<(Col, Option<String>)> =
        grain.columns().iter().copied().zip(group.key.iter().cloned()).collect();
    let past = remembered.and_then(|of| of.memory.past(&group.key, &row, of.measures.days));
    let view = View::new(&row, &texts, profile).with_past(past.as_ref());
    let outcomes: Vec<Outcome<'r>> = rules.iter().map(|rule| evaluate(rule, &view)).collect();
    let sum = |parts: &[M]| {
        let known: Vec<i64> = parts.iter().filter_map(|m| group.totals.get(*m)).collect();
        (!known.is_empty()).then(|| Micro::total(&known))
    };
    let priced = group.totals.get(M::Priced).is_some_and(|n| n > 0);
    let payouts = sum(&[M::PayoutConfirmed, M::PayoutPending]);
    let at_stake = payouts.or_else(|| sum(&[M::RevenueConfirmed, M::RevenuePending])).filter(|_| priced);
    Subject {
        grain: grain.clone(),
        key: group.key.iter().map(|text| text.as_deref().map(Text::new)).collect(),
        outcomes,
        events: group.totals.events.iter().map(|(e, s, n)| (Text::new(e.as_str()), *s, *n)).collect(),
        clicks: group.totals.get(M::Clicks).unwrap_or(0).max(0) as u64,
        spend: money(&row, "cost"),
        revenue: money(&row, "revenue"),
        at_stake,
        suppressed: Vec::new(),
        row,
        profile: profile.clone(),
    }
}

/// A money signal of a group in micro-units.
fn money(row: &Row, name: &str) -> Option<Micro> {
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
    }
}
