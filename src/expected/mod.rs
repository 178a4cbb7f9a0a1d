//! What the audit of a folder of small exports is expected to find, and how what it found differs.
//!
//! The file `expected.yml` beside the exports names the clock, the groups with their verdicts and the rules that
//! fire on them. Whatever fires without being named is a difference: a test that overlooks a new accusation is
//! none. Judges nothing by itself: it reads what the audit said. Prints nothing and runs nothing.

mod differences;
mod write;

#[cfg(test)]
mod tests;

pub use differences::differences;
pub use write::written;

use crate::base::column::{Col, Grain};
use crate::base::diag::{self, Diag};
use crate::base::yaml::{self, Entries, Spanned};
use crate::ingest::REASONS;
use crate::rules::{RuleFile, RuleSet};
use crate::verdicts::Verdict;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// What an audit is expected to find.
#[derive(Debug)]
pub struct Expected {
    name: String,
    text: Arc<str>,
    /// The moment the exports reach up to, as it is written.
    pub as_of: Option<String>,
    groups: Vec<ExpectedGroup>,
    /// Rejected rows by the word of their reason; unless they are given, nothing is said of them.
    rejects: Option<BTreeMap<&'static str, u64>>,
}

/// One group.
#[derive(Debug)]
struct ExpectedGroup {
    /// The columns that have a text, in the order of columns.
    key: BTreeMap<Col, String>,
    verdict: Option<Verdict>,
    /// All rules that fire; any other one that does is a difference.
    fires: Vec<String>,
    silent: Vec<String>,
    unknown: Vec<String>,
    span: Range<usize>,
}

/// The file as it stands.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawExpected {
    as_of: Option<String>,
    groups: Vec<Spanned<RawGroup>>,
    rejects: Option<Entries<Spanned<u64>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGroup {
    key: Entries<String>,
    verdict: Option<Spanned<String>>,
    #[serde(default)]
    fires: Vec<Spanned<String>>,
    #[serde(default)]
    silent: Vec<Spanned<String>>,
    #[serde(default)]
    unknown: Vec<Spanned<String>>,
}

impl Expected {
    /// Nothing is expected yet; what an update starts from.
    pub fn nothing(name: &str) -> Expected {
        Expected { name: name.to_owned(), text: "".into(), as_of: None, groups: Vec::new(), rejects: None }
    }

    /// Reads the file of a folder.
    ///
    /// # Errors
    /// Every fault in it.
    pub fn read(file: &RuleFile) -> Result<Expected, Vec<Diag>> {
        let raw: RawExpected = yaml::load(&file.text, &file.name)?;
        let mut reader = Reader { file, faults: Vec::new() };
        if raw.as_of.is_none() {
            let help = "write the moment the exports reach up to: `as_of: 2026-03-09T00:00`";
            let fault = Diag::new(&diag::MISSING_KEY, &file.name, "the key `as_of` is missing");
            reader.faults.push(fault.at(&file.text, 0..0).help(help));
        }
        let groups = raw.groups.iter().map(|group| reader.group(group)).collect();
        let rejects = raw.rejects.map(|rejects| reader.rejects(&rejects));
        if !reader.faults.is_empty() {
            diag::sort(&mut reader.faults);
            return Err(reader.faults);
        }
        let (name, text) = (file.name.clone(), Arc::clone(&file.text));
        Ok(Expected { name, text, as_of: raw.as_of, groups, rejects })
    }

    /// What of the file goes beyond a rule set: ids of rules that it does not evaluate.
    ///
    /// # Errors
    /// Every such id.
    pub fn check(&self, rules: &RuleSet) -> Result<(), Vec<Diag>> {
        let known = |id: &&String| rules.rules.iter().any(|rule| rule.id == **id);
        let mut faults = Vec::new();
        for group in &self.groups {
            let named = group.fires.iter().chain(&group.silent).chain(&group.unknown);
            for id in named.filter(|id| !known(id)) {
                faults.push(self.unknown_rule(group, id, rules));
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    fn unknown_rule(&self, group: &ExpectedGroup, id: &str, rules: &RuleSet) -> Diag {
        let message = format!("no rule of this run is called `{id}`");
        let fault = Diag::new(&diag::UNKNOWN_RULE, &self.name, message).at(&self.text, group.span.clone());
        let near = diag::did_you_mean(id, rules.rules.iter().map(|rule| rule.id.as_str()));
        let packs = "its pack may not be chosen: write `packs: [leadgen]` into the folder's clickaudit.yaml";
        fault.help(near.unwrap_or_else(|| packs.to_owned()))
    }
}

/// Turns the file into what it means, and collects its faults.
struct Reader<'f> {
    file: &'f RuleFile,
    faults: Vec<Diag>,
}

impl Reader<'_> {
    fn fault(
        &mut self,
        code: &'static diag::Code,
        span: &Range<usize>,
        message: String,
        help: Option<String>,
    ) {
        let mut fault = Diag::new(code, &self.file.name, message).at(&self.file.text, span.clone());
        fault.help = help;
        self.faults.push(fault);
    }

    fn group(&mut self, raw: &Spanned<RawGroup>) -> ExpectedGroup {
        let ids = |list: &[Spanned<String>]| list.iter().map(|id| id.value.clone()).collect();
        ExpectedGroup {
            key: self.key(&raw.key),
            verdict: raw.verdict.as_ref().and_then(|word| self.verdict(word)),
            fires: ids(&raw.fires),
            silent: ids(&raw.silent),
            unknown: ids(&raw.unknown),
            span: first_line(&self.file.text, &raw.span),
        }
    }

    fn key(&mut self, raw: &Entries<String>) -> BTreeMap<Col, String> {
        let mut key = BTreeMap::new();
        for (name, text) in &raw.0 {
            match column(name) {
                Some(column) => drop(key.insert(column, text.clone())),
                None => {
                    let near = diag::did_you_mean(name, Grain::choices());
                    let message = format!("`{}` is no column that can make a group", name.value);
                    self.fault(&diag::WRONG_COLUMN, &name.span, message, near);
                }
            }
        }
        key
    }

    fn verdict(&mut self, word: &Spanned<String>) -> Option<Verdict> {
        let found = VERDICTS.into_iter().find(|verdict| verdict.word() == word.as_str());
        if found.is_none() {
            let near = diag::did_you_mean(word, VERDICTS.map(Verdict::word));
            let help = near.or_else(|| Some(format!("use {}", VERDICTS.map(Verdict::word).join(", "))));
            self.fault(&diag::UNKNOWN_WORD, &word.span, format!("`{}` is no verdict", word.value), help);
        }
        found
    }

    fn rejects(&mut self, raw: &Entries<Spanned<u64>>) -> BTreeMap<&'static str, u64> {
        let mut rejects = BTreeMap::new();
        for (word, count) in &raw.0 {
            match REASONS.iter().find(|(_, slug, _)| *slug == word.as_str()) {
                Some((_, slug, _)) => drop(rejects.insert(*slug, count.value)),
                None => {
                    let near = diag::did_you_mean(word, REASONS.iter().map(|(_, slug, _)| *slug));
                    let message = format!("no row is rejected for `{}`", word.value);
                    self.fault(&diag::UNKNOWN_WORD, &word.span, message, near);
                }
            }
        }
        rejects
    }
}

const VERDICTS: [Verdict; 5] =
    [Verdict::Block, Verdict::Hold, Verdict::Watch, Verdict::Clean, Verdict::Undecided];

/// The column of this name that can make a group.
fn column(name: &str) -> Option<Col> {
    let grain = Grain::parse(name).ok()?;
    grain.columns().iter().copied().find(|column| column.name() == name)
}

/// The first line of a part of a text.
fn first_line(text: &str, span: &Range<usize>) -> Range<usize> {
    let rest = text.get(span.clone()).unwrap_or_default();
    span.start..span.start + rest.lines().next().unwrap_or_default().trim_end().len()
}
