//! Suppressions: findings that somebody has looked at and answers for, until a day.
//!
//! A suppressed finding has no effect and stays in the report with the reason, the name and the day. It refuses to
//! silence a whole rule or a whole partner by the way (an override and the protect list do that, in the open), to
//! hold before the day that it says it holds from, and to last for ever unless it says so. What the day is, is the run's business: nothing here reads a clock.

use super::protect::{glob, names};
use crate::base::column::Grain;
use crate::base::diag::{self, Diag};
use crate::base::text::Text;
use crate::base::time::{DAY, parse_day, show_day};
use crate::base::yaml::{self, Spanned};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// The longest that a suppression lasts, in days: whoever decided looks again (ecosystem practice: half a year).
pub const LONGEST: i32 = 180;

/// A suppression as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawSuppression {
    rule: Option<Spanned<String>>,
    group: Option<Spanned<String>>,
    reason: Option<Spanned<String>>,
    by: Option<Spanned<String>>,
    expires: Option<Spanned<String>>,
    since: Option<Spanned<String>>,
    #[serde(default)]
    permanent: bool,
}

/// One suppression that may be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    rule: String,
    group: String,
    reason: String,
    by: String,
    /// The first day it holds, in days since 1970; none where the run is its beginning.
    since: Option<i32>,
    /// The last day it holds; none for a permanent one.
    expires: Option<i32>,
    /// Where it stands: `clickaudit.yaml:12`.
    place: String,
}

/// The suppressions of a run.
#[derive(Clone, Debug, Default)]
pub struct Suppressions {
    all: Vec<Suppression>,
    /// Their places by rule.
    by_rule: BTreeMap<String, Vec<usize>>,
}

/// What a suppression says about one finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppressed {
    /// Which of the run's suppressions it is.
    pub at: usize,
    pub reason: Text,
    pub by: Text,
    /// The last day, none for a permanent one.
    pub expires: Option<i32>,
}

impl Suppressions {
    /// Reads a file: a list, as under `suppressions:` of a project file. An empty file suppresses nothing. `known`
    /// are the ids of all rules.
    ///
    /// # Errors
    /// Every fault of the file.
    pub fn read(&mut self, text: &str, file: &str, known: &BTreeSet<&str>) -> Result<(), Vec<Diag>> {
        if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
            return Ok(());
        }
        let raw: Vec<Spanned<RawSuppression>> = yaml::load(text, file)?;
        self.add(raw, &text.into(), file, known)
    }

    /// Adds what was read from a file.
    ///
    /// # Errors
    /// Every suppression that nobody could answer for.
    pub fn add(
        &mut self,
        raw: Vec<Spanned<RawSuppression>>,
        text: &Arc<str>,
        file: &str,
        known: &BTreeSet<&str>,
    ) -> Result<(), Vec<Diag>> {
        let mut faults = Vec::new();
        for raw in raw {
            let mut reader = Reader { raw: &raw, text, file, known, faults: &mut faults };
            let Some(read) = reader.read() else { continue };
            self.by_rule.entry(read.rule.clone()).or_default().push(self.all.len());
            self.all.push(read);
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Suppressions whose last day lies more than 180 days after `as_of` (UTC microseconds) although they do not
    /// say since when they hold.
    pub fn too_long(&self, as_of: i64) -> Vec<String> {
        let latest = day(as_of).saturating_add(LONGEST);
        let long = |s: &&Suppression| s.since.is_none() && s.expires.is_some_and(|last| last > latest);
        self.all.iter().filter(long).map(|s| s.place.clone()).collect()
    }

    /// What holds for a finding of this rule on this group, at `as_of` in UTC microseconds.
    pub fn find(&self, rule: &str, grain: &Grain, key: &[Option<Text>], as_of: i64) -> Option<Suppressed> {
        let at = *self.meant(rule, grain, key).iter().find(|&&at| self.all[at].holds(as_of))?;
        let found = &self.all[at];
        Some(Suppressed {
            at,
            reason: Text::new(found.reason.as_str()),
            by: Text::new(found.by.as_str()),
            expires: found.expires,
        })
    }

    /// All that mean this rule and group, whether they still hold or not.
    fn meant(&self, rule: &str, grain: &Grain, key: &[Option<Text>]) -> Vec<usize> {
        let Some(places) = self.by_rule.get(rule) else { return Vec::new() };
        let names = names(grain, key);
        let means = |at: &&usize| names.iter().any(|name| glob(&self.all[**at].group, name));
        places.iter().filter(means).copied().collect()
    }

    /// What a reader has to know: suppressions that ended or did not begin, and those that nothing needed. `fired` are the findings
    /// of the run, suppressed or not.
    pub fn notes<'f>(
        &self,
        fired: impl Iterator<Item = (&'f str, &'f Grain, &'f [Option<Text>])>,
        as_of: i64,
    ) -> Vec<String> {
        let mut used = vec![0u64; self.all.len()];
        for (rule, grain, key) in fired {
            self.meant(rule, grain, key).into_iter().for_each(|at| used[at] += 1);
        }
        self.all.iter().zip(used).filter_map(|(s, used)| s.note(used, as_of)).collect()
    }
}

impl Suppression {
    fn holds(&self, as_of: i64) -> bool {
        let today = day(as_of);
        self.since.is_none_or(|first| first <= today) && self.expires.is_none_or(|last| today <= last)
    }

    fn note(&self, used: u64, as_of: i64) -> Option<String> {
        let Suppression { rule, group, reason, by, place, .. } = self;
        let what = format!("the suppression of `{rule}` on `{group}` ({place})");
        if let Some(first) = self.since.filter(|first| day(as_of) < *first) {
            return Some(format!("{what} is not in force before {}", show_day(first)));
        }
        match (self.expires.filter(|_| !self.holds(as_of)), used) {
            (Some(last), 0) => {
                Some(format!("{what} ended on {} and nothing needs it: remove it", show_day(last)))
            }
            (Some(last), _) => Some(format!(
                "{what} ended on {}: its finding is back. {by} gave the reason: {reason}",
                show_day(last)
            )),
            (None, 0) => Some(format!("{what} is unused: the rule fires on no such group")),
            (None, _) => None,
        }
    }
}

/// The day of a moment, in days since 1970.
fn day(as_of: i64) -> i32 {
    i32::try_from(as_of.div_euclid(DAY)).unwrap_or(i32::MAX)
}

/// Reads one suppression and collects its faults.
struct Reader<'a> {
    raw: &'a Spanned<RawSuppression>,
    text: &'a Arc<str>,
    file: &'a str,
    known: &'a BTreeSet<&'a str>,
    faults: &'a mut Vec<Diag>,
}

impl Reader<'_> {
    fn read(&mut self) -> Option<Suppression> {
        let raw = self.raw;
        let before = self.faults.len();
        let rule = self.need("rule", raw.rule.as_ref());
        let group = self.need("group", raw.group.as_ref());
        let reason = self.need("reason", raw.reason.as_ref());
        let by = self.need("by", raw.by.as_ref());
        self.narrow(raw);
        raw.rule.as_ref().into_iter().for_each(|rule| self.known(rule));
        let since = raw.since.as_ref().and_then(|since| self.day(since));
        let expires = self.end(since);
        if self.faults.len() > before {
            return None;
        }
        Some(Suppression {
            rule: rule?,
            group: group?,
            reason: reason?,
            by: by?,
            since,
            expires,
            place: format!("{}:{}", self.file, self.line()),
        })
    }

    fn need(&mut self, key: &str, value: Option<&Spanned<String>>) -> Option<String> {
        let found = value.map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        if found.is_none() {
            let span = value.map_or(self.raw.span.clone(), |v| v.span.clone());
            self.fault(
                &span,
                format!("the suppression does not say `{key}`"),
                "every suppression says rule, group, reason and by",
            );
        }
        found
    }

    fn narrow(&mut self, raw: &RawSuppression) {
        if let Some(rule) = raw.rule.as_ref().filter(|rule| rule.contains('*')) {
            self.fault(
                &rule.span,
                "a suppression is about one rule".to_owned(),
                "whom no rule shall list stands on the protect list",
            );
        }
        if let Some(group) = raw.group.as_ref().filter(|g| !g.is_empty() && g.chars().all(|c| c == '*')) {
            self.fault(
                &group.span,
                "a suppression of every group switches the rule off".to_owned(),
                "say so under `overrides`: `enabled: false` or `observe: true`",
            );
        }
    }

    /// A misspelt rule would suppress nothing.
    fn known(&mut self, rule: &Spanned<String>) {
        if self.known.contains(rule.trim()) || rule.trim().is_empty() || rule.contains('*') {
            return;
        }
        let mut fault =
            Diag::new(&diag::UNKNOWN_RULE, self.file, format!("there is no rule `{}`", rule.value));
        fault.help = diag::did_you_mean(rule, self.known.iter().copied());
        self.faults.push(fault.at(self.text, rule.span.clone()));
    }

    /// The last day of what holds from a first one on.
    fn end(&mut self, since: Option<i32>) -> Option<i32> {
        let (raw, place) = (self.raw, self.raw.span.clone());
        let Some(expires) = &raw.expires else {
            if !raw.permanent {
                self.fault(
                    &place,
                    "the suppression does not say when it ends".to_owned(),
                    "write `expires: 2026-06-30`, or `permanent: true`",
                );
            }
            return None;
        };
        if raw.permanent {
            self.fault(
                &expires.span,
                "a permanent suppression does not expire".to_owned(),
                "keep one of the two keys",
            );
        }
        let last = self.day(expires)?;
        if since.is_some_and(|since| last < since) {
            let message = "the suppression ends before it begins".to_owned();
            self.fault(&expires.span, message, "write the last day that it holds, after `since`");
        }
        if since.is_some_and(|since| last > since.saturating_add(LONGEST)) {
            let help = "look again in half a year, or write `permanent: true` in place of the day";
            self.fault(&expires.span, format!("the suppression lasts more than {LONGEST} days"), help);
        }
        Some(last)
    }

    fn day(&mut self, text: &Spanned<String>) -> Option<i32> {
        let day = parse_day(text);
        if day.is_none() {
            self.fault(&text.span, format!("`{}` is no day", text.value), "write it as 2026-06-30");
        }
        day
    }

    fn line(&self) -> usize {
        self.text.get(..self.raw.span.start).map_or(1, |before| before.matches('\n').count() + 1)
    }

    fn fault(&mut self, span: &Range<usize>, message: String, help: &str) {
        let fault = Diag::new(&diag::BAD_SUPPRESSION, self.file, message);
        self.faults.push(fault.at(self.text, span.clone()).help(help));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "- {rule: too-fast, group: 'popmax:29*', reason: one-tap offer, by: ana, expires: 2026-06-30, since: 2026-03-01}\n";
    /// 2026-03-15.
    const NOW: i64 = 20_527 * DAY;

    fn read(text: &str) -> Result<Suppressions, String> {
        let mut all = Suppressions::default();
        let known = BTreeSet::from(["too-fast", "too-late"]);
        all.read(text, "s.yaml", &known).map_err(|faults| diag::plain(&faults))?;
        Ok(all)
    }

    fn key(source: &str) -> Vec<Option<Text>> {
        vec![Some(Text::new("popmax")), Some(Text::new(source))]
    }

    fn found(text: &str, rule: &str, source: &str, as_of: i64) -> Option<Suppressed> {
        read(text).expect("good suppressions").find(rule, &Grain::source(), &key(source), as_of)
    }

    #[test]
    fn one_rule_on_the_groups_that_are_meant_is_suppressed() {
        let hit = found(GOOD, "too-fast", "2977431", NOW).expect("suppressed");
        assert_eq!(
            (hit.reason.raw(), hit.by.raw(), hit.expires),
            ("one-tap offer", "ana", parse_day("2026-06-30"))
        );
        assert_eq!(found(GOOD, "too-late", "2977431", NOW), None);
        assert_eq!(found(GOOD, "too-fast", "3077431", NOW), None);
    }

    #[test]
    fn it_holds_on_its_last_day_and_not_after() {
        let last = i64::from(parse_day("2026-06-30").expect("a day")) * DAY;
        assert!(found(GOOD, "too-fast", "29", last + DAY - 1).is_some());
        assert!(found(GOOD, "too-fast", "29", last + DAY).is_none());
        let permanent = "- {rule: too-fast, group: '29', reason: r, by: ana, permanent: true}\n";
        assert!(found(permanent, "too-fast", "29", i64::MAX).is_some());
    }

    #[test]
    fn it_does_not_hold_before_it_begins() {
        let far = GOOD.replace("2026-06-30", "2099-06-01").replace("2026-03-01", "2099-01-01");
        assert!(found(&far, "too-fast", "29", NOW).is_none(), "far ahead is no way around the longest time");
        let first = i64::from(parse_day("2026-03-01").expect("a day")) * DAY;
        assert!(found(GOOD, "too-fast", "29", first).is_some());
        assert!(found(GOOD, "too-fast", "29", first - 1).is_none());
        let (all, grain, key) = (read(&far).expect("good"), Grain::source(), key("2977431"));
        let fired = std::iter::once(("too-fast", &grain, key.as_slice()));
        let notes = all.notes(fired, NOW);
        assert!(notes[0].ends_with("is not in force before 2099-01-01"), "{notes:?}");
        let later =
            GOOD.replace("}", "").trim_end().replace("expires: 2026-06-30", "permanent: true") + "}\n";
        assert!(found(&later, "too-fast", "29", first - 1).is_none(), "nor does a permanent one");
    }

    #[track_caller]
    fn refused(change: (&str, &str), expected: &str) {
        assert!(GOOD.contains(change.0), "{}", change.0);
        let told = read(&GOOD.replace(change.0, change.1)).expect_err("a fault");
        assert!(told.contains(expected) && told.contains("s.yaml:1:"), "{told}");
    }

    #[test]
    fn what_nobody_could_answer_for_is_refused() {
        refused(("reason: one-tap offer, ", ""), "does not say `reason`");
        refused(("by: ana", "by: ' '"), "does not say `by`");
        refused(("rule: too-fast", "rule: '*'"), "is about one rule");
        refused(("'popmax:29*'", "'*'"), "switches the rule off");
        refused(("expires: 2026-06-30, ", ""), "does not say when it ends");
        refused(("since: 2026-03-01", "permanent: true"), "a permanent suppression does not expire");
        refused(("2026-06-30", "2026-06-31"), "`2026-06-31` is no day");
        refused(("2026-06-30", "2026-08-29"), "lasts more than 180 days");
        refused(("2026-06-30", "2026-02-28"), "ends before it begins");
        refused(("rule: too-fast", "rule: too-fats"), "did you mean `too-fast` or");
        refused(("by: ana", "bye: ana"), "there is no key `bye` here");
        read(&GOOD.replace("2026-06-30", "2026-08-28")).expect("exactly 180 days");
    }

    #[test]
    fn without_a_beginning_the_run_is_it() {
        let text = GOOD.replace(", since: 2026-03-01", "");
        let all = read(&text).expect("good suppressions");
        assert_eq!(all.too_long(NOW), [""; 0]);
        assert_eq!(all.too_long(NOW - 200 * DAY), ["s.yaml:1"]);
    }

    #[test]
    fn those_that_ended_and_those_that_nothing_needs_are_told() {
        let all = read(GOOD).expect("good suppressions");
        let (grain, key) = (Grain::source(), key("2977431"));
        let fired = || std::iter::once(("too-fast", &grain, key.as_slice()));
        let none = std::iter::empty;
        assert_eq!(all.notes(fired(), NOW), [""; 0]);
        let note = |notes: Vec<String>| notes.into_iter().next().unwrap_or_default();
        assert!(note(all.notes(none(), NOW)).contains("is unused"));
        let later = NOW + 300 * DAY;
        assert!(
            note(all.notes(fired(), later))
                .contains("its finding is back. ana gave the reason: one-tap offer")
        );
        assert!(note(all.notes(none(), later)).contains("nothing needs it: remove it"));
    }

    #[test]
    fn an_empty_file_suppresses_nothing() {
        assert!(read("# none\n\n").expect("an empty file").all.is_empty());
    }
}
