//! What a rule must have beside a well-formed condition: demands on the rule as a whole.

use super::check::{flag, is_id};
use super::condition;
use super::format::RawRule;
use super::limits;
use super::model::{Action, Expect, Limit, Pack, Rule, Status};
use crate::base::diag::{self, Code};
use crate::base::yaml::Spanned;
use std::collections::BTreeMap;
use std::ops::Range;

/// What keeps a rule from having this form, in the words of its author's faults; for changes of a checked rule.
pub(super) fn broken(rule: &Rule) -> Option<(String, &'static str)> {
    POLICIES.iter().find_map(|policy| (policy.broken)(rule).map(|message| (message, policy.help)))
}

/// A part of a rule without which some demands cannot be held against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Status,
    Action,
    Condition,
}

/// What a rule must fulfil as a whole.
pub(super) struct Policy {
    pub code: &'static Code,
    /// What must have been read of the rule; whatever else is wrong with it does not hide this fault.
    pub needs: &'static [Need],
    pub place: fn(&RawRule) -> Option<Range<usize>>,
    /// What is wrong, if it is.
    pub broken: fn(&Rule) -> Option<String>,
    pub help: &'static str,
}

pub(super) const POLICIES: &[Policy] = &[
    Policy {
        code: &diag::NOT_STABLE,
        needs: &[Need::Action, Need::Status],
        place: |raw| span(&raw.action),
        broken: |r| {
            (r.action == Action::Block && r.status == Status::Experimental)
                .then(|| "an experimental rule cannot block".to_owned())
        },
        help: "let it `hold` or `watch` until it has proved itself",
    },
    Policy {
        code: &diag::NOT_BLOCKING,
        needs: &[Need::Action],
        place: strength,
        broken: |r| {
            (strong(r) && r.action != Action::Block).then(|| {
                format!("the rule's action is `{}`, so there is nothing to do alone", r.action.word())
            })
        },
        help: "`alone` and `deterministic` belong to `action: block`",
    },
    Policy {
        code: &diag::CLICK_SIDE,
        needs: &[Need::Action, Need::Condition],
        place: strength,
        broken: |r| {
            (strong(r) && r.action == Action::Block && !condition::needs_conversions(&r.when))
                .then(|| "the rule can fire on click-side evidence only".to_owned())
        },
        help: "anyone can send clicks with a rival's ID: require a conversion-side signal, or drop the key",
    },
    Policy {
        code: &diag::NO_SAMPLE_GUARD,
        needs: &[Need::Action, Need::Condition],
        place: |raw| span(&raw.when),
        broken: |r| (r.action == Action::Block && !r.deterministic).then(|| unguarded(r)).flatten(),
        help: "add `min_sample` to the test",
    },
    Policy {
        code: &diag::CONSTANT,
        needs: &[Need::Condition],
        place: |raw| span(&raw.when),
        broken: |r| {
            condition::settled_by_lack(&r.when, true)
                .then(|| "this fires on every group that has too few peers".to_owned())
        },
        help: "put a limit of its own beside `few: fires` under `all`",
    },
    Policy {
        code: &diag::WRONG_COLUMN,
        needs: &[Need::Condition],
        place: |raw| span(&raw.when),
        broken: |r| {
            let columns = r.by.as_ref()?.columns();
            let other = r.when.columns().into_iter().find(|test| !columns.contains(&test.column));
            other.map(|test| format!("the rule's groups are not made of `{}`", test.column))
        },
        help: "name the column under `by`, too",
    },
    Policy {
        code: &diag::PART_BESIDE_WHOLE,
        needs: &[Need::Condition],
        place: |raw| span(&raw.when),
        broken: |r| (r.cut.is_some() && limits::asks_beyond(&r.when)).then(limits::beyond),
        help: "test absolute limits, or remove the row limits",
    },
    Policy {
        code: &diag::NO_FIRING_TEST,
        needs: &[Need::Status],
        place: |raw| span(&raw.title),
        broken: |r| {
            (r.status == Status::Stable && !shows(r, |expect| expect == Expect::Fires))
                .then(|| "no test of this stable rule fires".to_owned())
        },
        help: "add an example with `expect: fires` under `tests`",
    },
    Policy {
        code: &diag::NO_QUIET_TEST,
        needs: &[Need::Action],
        place: |raw| span(&raw.title),
        broken: |r| {
            (r.action == Action::Block && !shows(r, |expect| expect != Expect::Fires))
                .then(|| "no test shows when this blocking rule does not fire".to_owned())
        },
        help: "add an example with `expect: silent` or `expect: unknown` under `tests`",
    },
    Policy {
        code: &diag::NO_INNOCENT,
        needs: &[Need::Status],
        place: |raw| span(&raw.title),
        broken: |r| {
            (r.status == Status::Stable && r.innocent.is_empty())
                .then(|| "this stable rule names no innocent cause".to_owned())
        },
        help: "list under `innocent` what else could explain what the rule sees",
    },
    Policy {
        code: &diag::REPLACED_BY,
        needs: &[Need::Status],
        place: |raw| span(&raw.replaced_by),
        broken: |r| match &r.replaced_by {
            Some(_) if r.status != Status::Retired => Some("the rule is not retired".to_owned()),
            Some(id) if !is_id(id) || *id == r.id => Some(format!("`{id}` is not the id of another rule")),
            _ => None,
        },
        help: "`replaced_by` goes with `status: retired` and names the successor",
    },
    Policy {
        code: &diag::REPLACES,
        needs: &[],
        place: |raw| span(&raw.replaces),
        broken: |r| match &r.replaces {
            Some(id) if !is_id(id) || *id == r.id => Some(format!("`{id}` is not the id of another rule")),
            Some(_) if r.packs.contains(&Pack::Core) => {
                Some("a rule of the pack `core` always runs, and so does what it would replace".to_owned())
            }
            _ => None,
        },
        help: "`replaces` goes with `packs` without `core`, and names the rule that another pack does not need",
    },
];

/// Where a value stands, if it is there.
pub(super) fn span<T>(value: &Option<Spanned<T>>) -> Option<Range<usize>> {
    value.as_ref().map(|v| v.span.clone())
}

/// Whether one of the rule's tests expects such a thing, as far as its tests were read.
fn shows(rule: &Rule, expected: impl Fn(Expect) -> bool) -> bool {
    rule.file.leaves_tests_out() || rule.tests.iter().any(|test| expected(test.expect))
}

fn strong(rule: &Rule) -> bool {
    rule.alone || rule.deterministic
}

fn strength(raw: &RawRule) -> Option<Range<usize>> {
    [&raw.alone, &raw.deterministic].into_iter().find(|f| flag(f.as_ref())).and_then(span)
}

/// Names the signals that are tested on any sample, however small.
fn unguarded(rule: &Rule) -> Option<String> {
    let open = rule.when.tests().into_iter();
    let open = open.filter(|t| t.min_sample == 0 && !matches!(t.limit, Limit::Present(_) | Limit::Peers(_)));
    let names: BTreeMap<&str, ()> = open.map(|t| (t.signal.name, ())).collect();
    let names: Vec<String> = names.keys().map(|n| format!("`{n}`")).collect();
    (!names.is_empty()).then(|| format!("{} is tested without a minimum sample", names.join(" and ")))
}
