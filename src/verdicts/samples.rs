//! Rules, evidence and groups for the tests of this stage, written as words.
//!
//! A case such as `"block alone ctit_short_share"` is a rule and what it says of a group: the words are an
//! action, a class (fraud unless said), flags, `silent` or `unknown` (fires unless said), and the signals
//! of the evidence. The rule's family is that of its first signal.

use super::{Answers, Finding, Judged, Outlook, Protect, Subject, Verdict, judge};
use crate::base::column::Grain;
use crate::base::money::Micro;
use crate::base::text::Text;
use crate::base::unit::Unit;
use crate::rules::{Action, Class, Evidence, Limit, Outcome, Rule, Status, Truth};
use crate::signals::{self, Absence, Estimate, Family, Reading, Row, Signal};

/// The rule of a case; its ID is given.
pub(super) fn rule(id: &str, case: &str) -> Rule {
    let has = |word: &str| case.split(' ').any(|w| w == word);
    let actions = [("hold", Action::Hold), ("watch", Action::Watch), ("note", Action::Note)];
    let classes = [("quality", Class::Quality), ("profit-class", Class::Profit), ("data", Class::Data)];
    Rule {
        status: if has("experimental") { Status::Experimental } else { Status::Stable },
        class: classes.iter().find(|(w, _)| has(w)).map_or(Class::Fraud, |(_, c)| *c),
        action: actions.iter().find(|(w, _)| has(w)).map_or(Action::Block, |(_, a)| *a),
        alone: has("alone"),
        decides: has("decides"),
        deterministic: has("deterministic"),
        family: signals_of(case).next().map_or(Family::Ctit, |s| s.family),
        ..Rule::sample(id)
    }
}

/// What the rule of a case says.
pub(super) fn outcome<'r>(rule: &'r Rule, case: &str) -> Outcome<'r> {
    let has = |word: &str| case.split(' ').any(|w| w == word);
    let evidence = signals_of(case).map(|s| evidence(s, has("allocated"))).collect();
    match () {
        _ if has("silent") => Outcome::silent(rule),
        _ if has("unknown") => Outcome { truth: Truth::Unknown([].into()), ..Outcome::silent(rule) },
        _ => Outcome { truth: Truth::Fires, evidence, ..Outcome::silent(rule) },
    }
}

fn signals_of(case: &str) -> impl Iterator<Item = &'static Signal> {
    case.split(' ').filter_map(signals::find)
}

/// 60 of 100 for a share, 30 for anything else.
fn evidence(signal: &'static Signal, allocated: bool) -> Evidence {
    let estimate = match signal.unit {
        Unit::Share => Estimate::share(60, 100),
        _ => Estimate::exact(30.0, 100),
    };
    Evidence {
        signal,
        estimate: Estimate { allocated, ..estimate },
        limit: Limit::Above(0.1),
        confidence: 0.95,
        versus: None,
        own: None,
        cut: None,
    }
}

/// A row on which these signals are present and all others absent.
pub(super) fn row(present: &[(&str, f64)], allocated: bool) -> Row {
    let reading = |signal: &&Signal| match present.iter().find(|(name, _)| *name == signal.name) {
        Some((_, value)) => Reading::Present(Estimate { allocated, ..Estimate::exact(*value, 100) }),
        None => Reading::Absent(Absence::NoConversions),
    };
    Row { readings: signals::all().iter().map(reading).collect() }
}

/// A group of the default grain with 100 conversions, 200.00 spent, 1,000.00 at stake and 50.00 lost.
pub(super) fn subject<'r>(key: &[&str], outcomes: Vec<Outcome<'r>>) -> Subject<'r> {
    let mut answers = Answers::of(outcomes.iter().map(|outcome| outcome.rule).collect());
    outcomes.into_iter().enumerate().for_each(|(at, outcome)| answers.take(at, outcome));
    Subject {
        profile: crate::peers::Profile::default(),
        grain: Grain::source(),
        key: key.iter().map(|k| (!k.is_empty()).then(|| Text::new(*k))).collect(),
        row: row(&[("conversion_count", 100.0), ("profit", -50.0)], false),
        answers,
        clicks: 1_000,
        revenue: None,
        spend: Some(Micro(200_000_000)),
        events: Vec::new(),
        fraud_reasons: Vec::new(),
        reject_classes: Vec::new(),
        at_stake: Some(Micro(1_000_000_000)),
        suppressed: Vec::new(),
    }
}

/// What the judgement of these cases looks like, told by `tell`. The rules are called a, b, c, …
pub(super) fn judged<T>(cases: &[&str], tell: impl FnOnce(Judged) -> T) -> T {
    let ids = "abcdefgh".chars().map(String::from);
    let rules: Vec<Rule> = ids.zip(cases).map(|(id, case)| rule(&id, case)).collect();
    let outcomes = rules.iter().zip(cases).map(|(rule, case)| outcome(rule, case)).collect();
    tell(judge(subject(&["net", "zone1"], outcomes), &Protect::nobody()))
}

/// A judged group for the tests of lists; its class is that of the finding that a `rule` makes.
pub(super) fn group<'r>(key: &[&str], verdict: Verdict, rule: Option<&'r Rule>) -> Judged<'r> {
    let finding = |rule: &'r Rule| Finding {
        rule,
        title: rule.title.clone(),
        action: Action::Block,
        reduced: None,
        confirmed: false,
        evidence: Vec::new(),
        money: None,
    };
    Judged {
        subject: subject(key, Vec::new()),
        verdict,
        class: rule.map(|r| r.class),
        findings: rule.map(finding).into_iter().collect(),
        idle: Vec::new(),
        would_be: verdict,
        unknown: Vec::new(),
        not_possible: 0,
        money_at_risk: None,
        protected: false,
        outlook: Outlook::default(),
        kept: None,
    }
}
