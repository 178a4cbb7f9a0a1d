//! The rules of a run in the JSON report: what they are made of, and what each said.

use crate::base::time::show_day;
use crate::report::{RuleTally, RulesInfo};
use crate::verdicts::Because;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// What the rule set of the run is made of.
#[derive(Serialize, JsonSchema)]
pub(super) struct RulesOfRun {
    /// Rules that are evaluated, by status.
    stable: usize,
    experimental: usize,
    /// Rules that are only kept to be explained.
    retired: usize,
    packs: Vec<&'static str>,
    /// Rules that only observe.
    observed: usize,
    /// Rules that are not evaluated, with the reason.
    left_out: BTreeMap<String, String>,
    /// What was changed for this run.
    changed: Vec<Change>,
    suppressions: usize,
}

/// One thing that differs from a rule's file.
#[derive(Serialize, JsonSchema)]
struct Change {
    rule: String,
    /// action, observe, or the name of a parameter.
    what: String,
    from: String,
    to: String,
    /// Where it was asked for.
    place: String,
}

pub(super) fn rules_of_run(info: &RulesInfo) -> RulesOfRun {
    RulesOfRun {
        stable: info.stable,
        experimental: info.experimental,
        retired: info.retired,
        packs: info.packs.clone(),
        observed: info.observed,
        left_out: info.left_out.iter().map(|(rule, why)| (rule.clone(), why.to_string())).collect(),
        changed: info
            .changed
            .iter()
            .map(|(rule, change)| Change {
                rule: rule.clone(),
                what: change.what.clone(),
                from: change.from.clone(),
                to: change.to.clone(),
                place: change.place.clone(),
            })
            .collect(),
        suppressions: info.suppressions,
    }
}

/// What one rule said of the groups it was asked about; groups = fires + silent + unknown.
#[derive(Serialize, JsonSchema)]
pub(super) struct Tally {
    rule: String,
    title: String,
    status: &'static str,
    class: &'static str,
    /// What the rule asks for; verdicts may do less.
    action: &'static str,
    observe: bool,
    /// The columns of its own groups; null where it runs on the audited ones.
    by: Option<Vec<&'static str>>,
    groups: u64,
    fires: u64,
    silent: u64,
    unknown: u64,
    /// Of those that fire: findings that are suppressed.
    suppressed: u64,
    /// What stood in the way of an answer, the commonest first.
    unknown_because: Vec<Lack>,
}

/// What a rule lacked, and for how many groups.
#[derive(Serialize, JsonSchema)]
struct Lack {
    reason: String,
    groups: u64,
}

pub(super) fn tally(tally: &RuleTally) -> Tally {
    let rule = tally.rule;
    Tally {
        rule: rule.id.clone(),
        title: rule.title.clone(),
        status: rule.status.word(),
        class: rule.class.word(),
        action: rule.action.word(),
        observe: rule.observe,
        by: rule.by.as_ref().map(|grain| grain.columns().iter().map(|c| c.name()).collect()),
        groups: tally.groups(),
        fires: tally.fires,
        silent: tally.silent,
        unknown: tally.unknown,
        suppressed: tally.suppressed,
        unknown_because: tally
            .reasons()
            .into_iter()
            .map(|(reason, groups)| Lack { reason, groups })
            .collect(),
    }
}

/// Who answers for a suppressed finding.
#[derive(Serialize, JsonSchema)]
pub(super) struct OfFinding {
    reason: String,
    by: String,
    /// The last day it holds; null for a permanent one.
    expires: Option<String>,
}

pub(super) fn suppression(because: &Because) -> Option<OfFinding> {
    match because {
        Because::Observed => None,
        Because::Suppressed(by) => {
            Some(OfFinding { reason: by.reason.json(), by: by.by.json(), expires: by.expires.map(show_day) })
        }
    }
}
