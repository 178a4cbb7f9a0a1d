//! What a run changes about its rules without touching their files: packs, actions, parameters, switches.
//!
//! An override is held to the same demands as a rule: who makes a rule block must give it what a blocking rule
//! has. An id that no rule has is a fault, because a misspelt override would silently change nothing.

use super::check;
use super::load;
use super::model::{Action, Changed, LeftOut, Pack, Rule, RuleSet};
use super::packs;
use super::params::Params;
use super::policies;
use crate::base::column::Grain;
use crate::base::diag::{self, Code, Diag};
use crate::base::yaml::{Entries, Spanned};
use crate::measures::Cut;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// What is said of one rule under `overrides:`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawOverride {
    action: Option<Spanned<Action>>,
    enabled: Option<Spanned<bool>>,
    observe: Option<Spanned<bool>>,
    params: Entries<Spanned<String>>,
    /// For readers of the project file.
    #[allow(dead_code, reason = "a note for people; it is read so that it may stand there")]
    reason: Option<String>,
}

/// A text that overrides come from, for faults that point into it.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The file, or the flag.
    pub name: String,
    pub text: Arc<str>,
}

/// One override and where it stands.
#[derive(Clone, Debug)]
struct Override {
    id: Spanned<String>,
    raw: RawOverride,
    origin: Arc<Origin>,
}

/// Everything that a run changes about its rules.
#[derive(Clone, Debug, Default)]
pub struct Tuning {
    packs: Vec<Pack>,
    overrides: Vec<Override>,
    observe: bool,
    faults: Vec<Diag>,
}

impl Tuning {
    /// Chooses packs besides `core`; names that no pack has are faults of this flag.
    pub fn choose(&mut self, names: &[String], flag: &str) {
        for name in names {
            let fault = |message: String| Diag::new(&diag::UNKNOWN_WORD, flag, message);
            self.pack(name, fault);
        }
    }

    /// The same from a project file.
    pub fn choose_in(&mut self, names: &[Spanned<String>], origin: &Origin) {
        for name in names {
            let fault = |message: String| Diag::new(&diag::UNKNOWN_WORD, &origin.name, message);
            self.pack(name, |message| fault(message).at(&origin.text, name.span.clone()));
        }
    }

    fn pack(&mut self, name: &str, fault: impl Fn(String) -> Diag) {
        match Pack::find(name) {
            Some(pack) => self.packs.push(pack),
            None => {
                let mut fault = fault(format!("there is no pack `{name}`"));
                fault.help = diag::did_you_mean(name, packs::PACKS.iter().map(|info| info.pack.word()));
                self.faults.push(fault);
            }
        }
    }

    /// What was said and changes nothing of this run's rules: who wrote it would believe otherwise.
    pub fn without_effect(&self, set: &RuleSet) -> Vec<String> {
        let left_out = |id: &str| {
            let found = set.left_out.iter().find(|(rule, _)| rule.id == id)?;
            matches!(found.1, LeftOut::Pack | LeftOut::Replaced(_)).then_some(found)
        };
        let note = |change: &Override| {
            let (rule, why) = left_out(&change.id).filter(|_| change.wants_more())?;
            let packs: Vec<&str> = rule.packs.iter().map(|pack| pack.word()).collect();
            let why = match why {
                LeftOut::Pack if packs.len() == 1 => format!("its pack {} is not chosen", packs[0]),
                LeftOut::Pack => format!("none of its packs {} is chosen", packs.join(", ")),
                other => other.to_string(),
            };
            let place = change.place(&change.id.span);
            Some(format!("the override of `{}` ({place}) has no effect: {why}", rule.id))
        };
        self.overrides.iter().filter_map(note).collect()
    }

    /// Every rule tells what it would have done, and does nothing.
    pub fn observe(&mut self) {
        self.observe = true;
    }

    /// The overrides of a project file.
    pub fn overrides(&mut self, entries: Entries<RawOverride>, origin: &Arc<Origin>) {
        let of = |(id, raw)| Override { id, raw, origin: Arc::clone(origin) };
        self.overrides.extend(entries.0.into_iter().map(of));
    }

    /// `--disable ID`.
    pub fn disable(&mut self, id: &str) {
        let raw = RawOverride { enabled: Some(whole(false, id)), ..RawOverride::default() };
        self.flag("--disable", id, id, raw);
    }

    /// `--override ID.action=watch`, `ID.enabled=false`, `ID.observe=true`, or `ID.PARAMETER=VALUE`.
    pub fn set(&mut self, text: &str) {
        let parsed = text.split_once('=').and_then(|(path, value)| Some((path.rsplit_once('.')?, value)));
        let Some(((id, key), value)) = parsed else {
            let message = format!("`{text}` changes nothing");
            return self.wrong_flag(
                &diag::WRONG_SHAPE,
                message,
                "write it as RULE.action=watch or RULE.PARAMETER=VALUE",
            );
        };
        let mut raw = RawOverride::default();
        let word = match key {
            "action" => action(value).map(|a| raw.action = Some(whole(a, text))),
            "enabled" => flag(value).map(|f| raw.enabled = Some(whole(f, text))),
            "observe" => flag(value).map(|f| raw.observe = Some(whole(f, text))),
            _ => {
                raw.params.0.push((whole(key.to_owned(), text), whole(value.to_owned(), text)));
                Some(())
            }
        };
        match word {
            Some(()) => self.flag("--override", text, id, raw),
            None => {
                let help =
                    if key == "action" { "use block, hold, watch or note" } else { "use true or false" };
                self.wrong_flag(&diag::UNKNOWN_WORD, format!("`{value}` is no value of `{key}`"), help);
            }
        }
    }

    fn wrong_flag(&mut self, code: &'static Code, message: String, help: &str) {
        self.faults.push(Diag::new(code, "--override", message).help(help));
    }

    fn flag(&mut self, name: &str, text: &str, id: &str, raw: RawOverride) {
        let origin = Arc::new(Origin { name: name.to_owned(), text: text.into() });
        self.overrides.push(Override {
            id: Spanned { value: id.to_owned(), span: 0..id.len() },
            raw,
            origin,
        });
    }
}

/// A value of a flag: its place is the whole flag.
fn whole<T>(value: T, text: &str) -> Spanned<T> {
    Spanned { value, span: 0..text.len() }
}

fn action(word: &str) -> Option<Action> {
    [Action::Block, Action::Hold, Action::Watch, Action::Note].into_iter().find(|a| a.word() == word)
}

fn flag(word: &str) -> Option<bool> {
    word.parse().ok()
}

impl RuleSet {
    /// The rules as this run wants them.
    ///
    /// # Errors
    /// Every override that cannot be followed.
    pub fn tuned(self, tuning: &Tuning) -> Result<RuleSet, Vec<Diag>> {
        let mut faults = tuning.faults.clone();
        let packs = packs::chosen(&tuning.packs);
        let (mut rules, mut left_out) = packs::parted(self.rules, &packs);
        let mut off = BTreeMap::new();
        for change in &tuning.overrides {
            let all = rules.iter_mut().chain(left_out.iter_mut().map(|(rule, _)| rule));
            match all.into_iter().find(|rule| rule.id == *change.id) {
                Some(rule) => change.apply(rule, &mut off, &mut faults),
                None => {
                    let known =
                        rules.iter().chain(&self.retired).chain(left_out.iter().map(|(rule, _)| rule));
                    faults.push(change.unknown(known.map(|rule| rule.id.as_str()).collect()));
                }
            }
        }
        let (disabled, mut rules): (Vec<Rule>, Vec<Rule>) =
            rules.into_iter().partition(|rule| off.get(&rule.id).copied().unwrap_or(false));
        left_out.extend(disabled.into_iter().map(|rule| (rule, LeftOut::Disabled)));
        left_out.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
        rules.iter_mut().for_each(|rule| rule.observe |= tuning.observe);
        if !faults.is_empty() {
            diag::sort(&mut faults);
            return Err(faults);
        }
        refuse_many_cuts(&rules)?;
        let digest = load::digest(rules.iter().chain(&self.retired));
        Ok(RuleSet { rules, retired: self.retired, left_out, digest, packs, observe: tuning.observe })
    }
}

/// Cuts that one run measures: each is a further pass over the clicks and a log of its own.
const MOST_CUTS: usize = 8;

/// Refuses rules with more different row limits than a run can measure.
fn refuse_many_cuts(rules: &[Rule]) -> Result<(), Vec<Diag>> {
    let mut cuts: BTreeMap<(Option<&Grain>, &Cut), Vec<&Rule>> = BTreeMap::new();
    for rule in rules {
        if let Some(cut) = &rule.cut {
            cuts.entry((rule.by.as_ref(), cut)).or_default().push(rule);
        }
    }
    if cuts.len() <= MOST_CUTS {
        return Ok(());
    }
    let ids = |rules: &[&Rule]| rules.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>().join(", ");
    let shared: Vec<String> = cuts.iter().map(|((_, cut), rules)| format!("{cut}: {}", ids(rules))).collect();
    let message =
        format!("the rules limit their rows in {} ways, at most {MOST_CUTS} are measured", cuts.len());
    let first = cuts.values().next().map_or("", |rules| rules[0].file.name.as_str());
    let help = format!("rules with the same limits share one; {}", shared.join("; "));
    Err(vec![Diag::new(&diag::TOO_MANY_CUTS, first, message).help(help)])
}

impl Override {
    /// Whether it does anything but switch the rule off, which needs no rule that runs.
    fn wants_more(&self) -> bool {
        let RawOverride { action, enabled, observe, params, .. } = &self.raw;
        let off = enabled.as_ref().is_none_or(|enabled| !enabled.value);
        action.is_some() || observe.is_some() || !params.0.is_empty() || !off
    }

    fn apply(&self, rule: &mut Rule, off: &mut BTreeMap<String, bool>, faults: &mut Vec<Diag>) {
        if let Some(enabled) = &self.raw.enabled {
            off.insert(rule.id.clone(), !enabled.value);
        }
        if !self.raw.params.0.is_empty() {
            self.set_params(rule, faults);
        }
        if let Some(action) = self.raw.action.as_ref().filter(|action| action.value != rule.action) {
            rule.changed.push(self.changed("action", rule.action.word(), action.word(), &action.span));
            rule.action = action.value;
            // What strengthens a block means nothing for a weaker action, and does no harm there.
            if let Some((message, help)) =
                Some(&*rule).filter(|r| r.action == Action::Block).and_then(policies::broken)
            {
                let message = format!("`{}` cannot be made to {}: {message}", rule.id, action.word());
                faults.push(self.fault(&diag::BAD_OVERRIDE, &action.span, message).help(help));
            }
        }
        if let Some(observe) = self.raw.observe.as_ref().filter(|observe| observe.value != rule.observe) {
            let (from, to) = (rule.observe.to_string(), observe.value.to_string());
            rule.changed.push(self.changed("observe", &from, &to, &observe.span));
            rule.observe = observe.value;
        }
    }

    /// Reads the rule's file once more, with its parameters set.
    fn set_params(&self, rule: &mut Rule, faults: &mut Vec<Diag>) {
        let before = faults.len();
        let mut params = Params::default();
        rule.params.iter().for_each(|param| params.set(&rule.id, &param.name, &param.value));
        let mut changed = rule.changed.clone();
        for (name, value) in &self.raw.params.0 {
            match rule.params.iter().find(|param| param.name == name.value) {
                Some(param) if param.value == value.value => {}
                Some(param) => {
                    params.set(&rule.id, &param.name, value);
                    changed.push(self.changed(&param.name, &param.value, value, &value.span));
                }
                None => faults.push(self.no_parameter(rule, name)),
            }
        }
        if faults.len() > before {
            return;
        }
        let (read, wrong) = check::checked(std::slice::from_ref(&rule.file), &params);
        let place = self.raw.params.0.first().map_or(0..0, |(_, value)| value.span.clone());
        faults.extend(wrong.into_iter().map(|fault| {
            let message = format!("`{}`: {}", rule.id, fault.message);
            Diag { help: fault.help, ..self.fault(&diag::BAD_OVERRIDE, &place, message) }
        }));
        if let Some(read) = read.into_iter().next() {
            *rule = Rule { action: rule.action, observe: rule.observe, changed, ..read };
        }
    }

    fn no_parameter(&self, rule: &Rule, name: &Spanned<String>) -> Diag {
        let message = format!("`{}` has no parameter `{}`", rule.id, name.value);
        let mut fault = self.fault(&diag::BAD_OVERRIDE, &name.span, message);
        let names: Vec<&str> = rule.params.iter().map(|param| param.name.as_str()).collect();
        fault.help = if names.is_empty() { None } else { diag::did_you_mean(name, names) };
        fault
    }

    fn changed(&self, what: &str, from: &str, to: &str, span: &Range<usize>) -> Changed {
        Changed { what: what.to_owned(), from: from.to_owned(), to: to.to_owned(), place: self.place(span) }
    }

    /// `clickaudit.yaml:12`, or the flag as it was typed.
    fn place(&self, span: &Range<usize>) -> String {
        let name = &self.origin.name;
        if name.starts_with("--") {
            return format!("{name} {}", self.origin.text);
        }
        let line = self.origin.text.get(..span.start).map_or(1, |before| before.matches('\n').count() + 1);
        format!("{name}:{line}")
    }

    fn fault(&self, code: &'static Code, span: &Range<usize>, message: String) -> Diag {
        Diag::new(code, &self.origin.name, message).at(&self.origin.text, span.clone())
    }

    fn unknown(&self, known: Vec<&str>) -> Diag {
        let message = format!("there is no rule `{}`", self.id.value);
        let mut fault = self.fault(&diag::UNKNOWN_RULE, &self.id.span, message);
        let near = diag::did_you_mean(&self.id.value, known);
        fault.help = near.or_else(|| Some("`clickaudit rules list` lists the rules".to_owned()));
        fault
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::yaml;
    use crate::rules::Status;

    fn set(rules: Vec<Rule>) -> RuleSet {
        RuleSet {
            digest: load::digest(rules.iter()),
            rules,
            retired: Vec::new(),
            left_out: Vec::new(),
            packs: vec![Pack::Core],
            observe: false,
        }
    }

    fn rules() -> Vec<Rule> {
        vec![Rule::sample("often-late"), Rule::sample("too-fast")]
    }

    fn flags(flags: &[&str]) -> Tuning {
        let mut tuning = Tuning::default();
        flags.iter().for_each(|flag| tuning.set(flag));
        tuning
    }

    #[track_caller]
    fn refused(tuning: &Tuning, expected: &str) {
        let faults = set(rules()).tuned(tuning).expect_err("a fault");
        let told = diag::plain(&faults);
        assert!(told.contains(expected), "{told}");
    }

    #[test]
    fn without_tuning_nothing_changes() {
        let before = set(rules());
        let digest = before.digest.clone();
        let after = before.tuned(&Tuning::default()).expect("no fault");
        assert_eq!((after.rules.len(), after.digest, after.observe), (2, digest, false));
    }

    #[test]
    fn flags_change_a_rule_and_the_digest() {
        let before = set(rules()).digest;
        let after = set(rules())
            .tuned(&flags(&["too-fast.action=watch", "too-fast.observe=true"]))
            .expect("no fault");
        let rule = &after.rules[1];
        assert_eq!((rule.action, rule.observe), (Action::Watch, true));
        assert_eq!(rule.changed[0].place, "--override too-fast.action=watch");
        assert_ne!(after.digest, before);
    }

    #[test]
    fn a_project_file_changes_a_rule_at_its_line() {
        let text = "too-fast:\n  action: note\n  reason: one-tap offers only\noften-late: {enabled: false}\n";
        let entries: Entries<RawOverride> = yaml::load(text, "p.yaml").expect("good overrides");
        let mut tuning = Tuning::default();
        tuning.overrides(entries, &Arc::new(Origin { name: "p.yaml".to_owned(), text: text.into() }));
        let set = set(rules()).tuned(&tuning).expect("no fault");
        assert_eq!((set.rules[0].action, set.rules[0].changed[0].place.as_str()), (Action::Note, "p.yaml:2"));
        assert_eq!(set.left_out[0].1, LeftOut::Disabled);
    }

    #[test]
    fn a_later_word_wins() {
        let mut tuning = Tuning::default();
        tuning.disable("too-fast");
        tuning.set("too-fast.enabled=true");
        assert_eq!(set(rules()).tuned(&tuning).expect("no fault").rules.len(), 2);
    }

    #[test]
    fn an_override_of_a_rule_that_does_not_run_is_told() {
        let foreign = Rule { packs: vec![Pack::Ecommerce], ..Rule::sample("too-fast") };
        let tuning = flags(&["too-fast.action=note", "too-fast.enabled=false", "often-late.action=note"]);
        let tuned = set(vec![Rule::sample("often-late"), foreign]).tuned(&tuning).expect("no fault");
        let note = "the override of `too-fast` (--override too-fast.action=note) has no effect: its pack ecommerce is \
                    not chosen";
        assert_eq!(tuning.without_effect(&tuned), [note]);
    }

    #[test]
    fn a_pack_of_a_project_file_is_told_at_its_place() {
        let text: Arc<str> = "packs: [igamin]\n".into();
        let origin = Origin { name: "p.yaml".to_owned(), text: Arc::clone(&text) };
        let mut tuning = Tuning::default();
        tuning.choose_in(&[Spanned { value: "igamin".to_owned(), span: 8..14 }], &origin);
        refused(&tuning, "--> p.yaml:1:9");
        refused(&tuning, "did you mean `igaming`?");
    }

    #[test]
    fn what_cannot_be_followed_is_a_fault() {
        refused(&flags(&["too-fsat.action=watch"]), "there is no rule `too-fsat`");
        refused(&flags(&["too-fsat.action=watch"]), "did you mean `too-fast`?");
        refused(&flags(&["too-fast.action=shout"]), "`shout` is no value of `action`");
        refused(&flags(&["too-fast"]), "`too-fast` changes nothing");
        refused(&flags(&["too-fast.limit=5%"]), "has no parameter `limit`");
        let mut packs = Tuning::default();
        packs.choose(&["igamin".to_owned()], "--pack");
        refused(&packs, "there is no pack `igamin`");
    }

    #[test]
    fn whoever_makes_a_rule_block_gives_it_what_a_blocking_rule_has() {
        refused(&flags(&["too-fast.action=block"]), "no test of this stable rule fires");
        let mut experimental = rules();
        experimental[1].status = Status::Experimental;
        let faults = set(experimental).tuned(&flags(&["too-fast.action=block"])).expect_err("a fault");
        assert!(diag::plain(&faults).contains("an experimental rule cannot block"));
    }

    #[test]
    fn rules_with_the_same_row_limits_share_a_cut() {
        let limited = |days: i64| Cut { window_s: Some(days * 86_400), ..Cut::default() };
        let rule = |n: i64, days: i64| Rule {
            cut: Some(limited(days).into()),
            ..Rule::sample(&format!("rule-{n}"))
        };
        let shared: Vec<Rule> = (0..20).map(|n| rule(n, n % 8 + 1)).collect();
        let tuned = set(shared).tuned(&Tuning::default()).expect("eight cuts");
        assert_eq!(tuned.cuts(&[Grain::source()]).len(), 8);
        let many: Vec<Rule> = (0..20).map(|n| rule(n, n % 9 + 1)).collect();
        let told = diag::plain(&set(many).tuned(&Tuning::default()).expect_err("nine cuts"));
        assert!(told.contains("in 9 ways") && told.contains("in the last 9d: rule-8, rule-17"), "{told}");
    }

    #[test]
    fn a_whole_run_may_observe() {
        let mut tuning = Tuning::default();
        tuning.observe();
        let set = set(rules()).tuned(&tuning).expect("no fault");
        assert!(set.observe && set.rules.iter().all(|rule| rule.observe));
    }
}
