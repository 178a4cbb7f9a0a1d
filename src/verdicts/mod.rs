//! What to do about each audited group: block, hold, watch, leave alone, or say that nobody can tell.
//!
//! Rules say what they saw; this stage says what may be done about it. It weakens what a rule asks for
//! where the evidence does not carry it, and never strengthens it. It refuses to call a group clean about
//! which a deciding rule could not be answered, and to list an ID that is protected, that a list cannot
//! hold, or that a brake stops.

mod answers;
mod growth;
mod list;
mod money;
mod outlook;
mod policy;
mod protect;
#[cfg(test)]
mod samples;
mod state;
mod suppress;

pub use answers::{Answers, Shared as SharedReasons};
pub use growth::{growth, scalable};
pub use list::{Brake, Braked, ListKind, Listing, Whole, entry, listing};
pub use outlook::{Clawback, Counted, Outlook, Resold, Shared, verdict_on};
pub use protect::Protect;
pub use state::{CLEAR, Kept, Level, NEEDED, Pin, Pinned, Sight, Standing, State, WINDOW};
pub use suppress::{LONGEST, RawSuppression, Suppressed, Suppression, Suppressions};

use crate::base::column::{Col, Grain};
use crate::base::money::Micro;
use crate::base::text::Text;
use crate::peers::Profile;
use crate::rules::{Action, Class, Evidence, Outcome, Rule, Why};
use crate::signals::Row;
use std::sync::Arc;

/// What to do about a group; the most severe comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Stop the traffic, do not pay: goes on the list.
    Block,
    /// Do not pay yet: a person looks at the evidence.
    Hold,
    /// Look again after the next run.
    Watch,
    /// Every deciding rule was answered and none fired.
    Clean,
    /// Too little was there to tell; never shown as clean.
    Undecided,
}

impl Verdict {
    /// The gravest first.
    pub const ALL: [Verdict; 5] =
        [Verdict::Block, Verdict::Hold, Verdict::Watch, Verdict::Clean, Verdict::Undecided];

    /// The word used in reports and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Block => "block",
            Verdict::Hold => "hold",
            Verdict::Watch => "watch",
            Verdict::Clean => "clean",
            Verdict::Undecided => "undecided",
        }
    }

    /// The verdict of a word.
    pub fn of(word: &str) -> Option<Verdict> {
        Verdict::ALL.into_iter().find(|verdict| verdict.word() == word)
    }
}

/// One group before judgement.
#[derive(Clone, Debug)]
pub struct Subject<'r> {
    pub grain: Grain,
    /// One value per column of the grain; `None` where the column is empty or not mapped.
    pub key: Vec<Option<Text>>,
    pub row: Row,
    /// What its peers say of it.
    pub profile: Profile,
    /// What the rules that run on this grain say of the group.
    pub answers: Answers<'r>,
    pub clicks: u64,
    /// Conversions by event and status.
    pub events: Vec<(Text, &'static str, u64)>,
    /// Conversions by the word of an anti-fraud service.
    pub fraud_reasons: Vec<(Text, u64)>,
    /// Rejected conversions by the class of their reason.
    pub reject_classes: Vec<(&'static str, u64)>,
    pub spend: Option<Micro>,
    pub revenue: Option<Micro>,
    /// The payouts (or the revenue) whose conversions could be invalid.
    pub at_stake: Option<Micro>,
    /// The findings of which rules are suppressed for this group.
    pub suppressed: Vec<(&'r Rule, Suppressed)>,
}

impl Subject<'_> {
    /// What suppresses the findings of a rule on this group.
    fn suppressed_by(&self, rule: &Rule) -> Option<&Suppressed> {
        self.suppressed.iter().find(|(suppressed, _)| suppressed.id == rule.id).map(|(_, by)| by)
    }
}

impl Subject<'_> {
    /// The columns that make the group, with its texts.
    pub fn texts(&self) -> Vec<(Col, Option<String>)> {
        let texts = self.key.iter().map(|text| text.as_ref().map(|t| t.raw().to_owned()));
        self.grain.columns().iter().copied().zip(texts).collect()
    }
}

/// One rule that fired on one group.
#[derive(Debug)]
pub struct Finding<'r> {
    pub rule: &'r Rule,
    /// What is said of the group: the rule's message, or its title.
    pub title: String,
    /// What may be done about it: the rule's own action or a weaker one.
    pub action: Action,
    /// Why the action is weaker than the rule's own.
    pub reduced: Option<&'static str>,
    /// The rule says itself on how many nights it must hold, and it has.
    pub confirmed: bool,
    pub evidence: Vec<Evidence>,
    /// The least that is at risk according to this evidence; `None` where the amounts are not known.
    pub money: Option<Micro>,
}

/// A rule that fired and has no effect.
#[derive(Debug)]
pub struct Idle<'r> {
    /// As it would be if it had one.
    pub finding: Finding<'r>,
    pub because: Because,
}

/// Why a finding has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    /// The rule, or the whole run, only observes.
    Observed,
    /// Somebody looked at it and answers for it.
    Suppressed(Suppressed),
}

impl Because {
    /// The word in reports.
    pub fn word(&self) -> &'static str {
        match self {
            Because::Observed => "observed",
            Because::Suppressed(_) => "suppressed",
        }
    }
}

/// One group with its verdict.
#[derive(Debug)]
pub struct Judged<'r> {
    pub subject: Subject<'r>,
    pub verdict: Verdict,
    /// The class of the strongest finding.
    pub class: Option<Class>,
    /// Strongest first: by action, then class (profit last), then rule ID.
    pub findings: Vec<Finding<'r>>,
    /// Findings without effect: the observed ones first, then the suppressed.
    pub idle: Vec<Idle<'r>>,
    /// The verdict if what only observes had its effect; never milder than the verdict.
    pub would_be: Verdict,
    /// The deciding rules that could not be answered, by rule ID.
    pub unknown: Vec<(&'r Rule, Arc<[Why]>)>,
    /// How many other rules could not be answered.
    pub not_possible: usize,
    /// The largest amount of any finding that has an effect.
    pub money_at_risk: Option<Micro>,
    /// On the protect list: judged and shown like any other, never listed.
    pub protected: bool,
    /// Estimates beside the verdict.
    pub outlook: Outlook,
    /// What earlier nights make of it; `None` without a store.
    pub kept: Option<Box<Kept>>,
}

/// The least score of a group that is blocked by evidence that proves itself (statistics.md, 4.9).
const PROVEN: f64 = 99.0;

impl Judged<'_> {
    /// The risk from 0 to 100: what peers say, and at least 99 where deterministic evidence blocks; `None` where
    /// neither says anything.
    pub fn score(&self) -> Option<f64> {
        let proves = |f: &Finding| f.rule.deterministic && f.action == Action::Block;
        let proven = self.findings.iter().any(proves).then_some(PROVEN);
        let risk = self.subject.profile.risk;
        risk.zip(proven).map(|(risk, proven)| risk.max(proven)).or(proven).or(risk)
    }
}

/// Judges one group; the table from evidence to verdict is in `policy`.
pub fn judge<'r>(subject: Subject<'r>, protect: &Protect) -> Judged<'r> {
    let suppressed = |outcome: &Outcome| subject.suppressed_by(outcome.rule).is_some();
    let findings = policy::findings(&subject, |outcome| !outcome.rule.observe && !suppressed(outcome));
    let with_observed = policy::findings(&subject, |outcome| !suppressed(outcome));
    let would_be = policy::verdict(&with_observed, &subject.answers);
    let verdict = policy::verdict(&findings, &subject.answers);
    Judged {
        verdict: policy::not_cleared(verdict, would_be),
        would_be,
        idle: idle(&subject, with_observed),
        class: findings.first().map(|f| f.rule.class),
        money_at_risk: findings.iter().filter(|f| f.action != Action::Note).filter_map(|f| f.money).max(),
        not_possible: subject.answers.not_possible(),
        protected: protect.covers(&subject.grain, &subject.key),
        outlook: Outlook::default(),
        kept: None,
        findings,
        unknown: subject.answers.unknown(),
        subject,
    }
}

/// What fired without effect, each as if it had one.
fn idle<'r>(subject: &Subject<'r>, with_observed: Vec<Finding<'r>>) -> Vec<Idle<'r>> {
    let observed = with_observed.into_iter().filter(|finding| finding.rule.observe);
    let mut idle: Vec<Idle> = observed.map(|finding| Idle { finding, because: Because::Observed }).collect();
    if !subject.suppressed.is_empty() {
        idle.extend(policy::findings(subject, |_| true).into_iter().filter_map(|finding| {
            let by = subject.suppressed_by(finding.rule)?.clone();
            Some(Idle { finding, because: Because::Suppressed(by) })
        }));
    }
    idle
}
