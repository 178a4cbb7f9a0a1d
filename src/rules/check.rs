//! From the loose type to the strict one, with every fault on the way.
//!
//! A fault never stops the search for the next one. What a rule must have beside a well-formed condition is
//! the table of `policies`.

use super::condition;
use super::format::{REQUIRED, ROW_LIMITS, RawList, RawRule};
use super::limits;
use super::lists;
use super::message::{Broken, Message};
use super::model::{Action, Class, Node, Pack, Param, Rule, RuleFile, Runs, STDIN, Status, Unread};
use super::params::Params;
use super::policies::{Need, POLICIES};
use crate::base::column::Grain;
use crate::base::diag::{self, Code, Diag};
use crate::base::unit::Unit;
use crate::base::yaml::{self, Spanned, Unknown};
use crate::signals::{self, FAMILIES, Family, Signal, Suspicious};
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// All faults of all files, sorted by file and place.
pub fn check(files: &[RuleFile]) -> Vec<Diag> {
    checked(files, &Params::default()).1
}

/// The rules as far as they could be read, sorted by id, and all faults; there is a fault for whatever could
/// not be read.
pub(super) fn checked(files: &[RuleFile], params: &Params) -> (Vec<Rule>, Vec<Diag>) {
    let (mut faults, mut rules, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    for file in files {
        let mut checker = Checker::of(file, params);
        let (rule, id) = checker.read();
        rules.extend(rule);
        ids.extend(id.map(|id| (id, file)));
        checker.say_how_many_more();
        faults.append(&mut checker.faults);
    }
    rules.sort_by(|a: &Rule, b| a.id.cmp(&b.id).then_with(|| a.file.name.cmp(&b.file.name)));
    ids.sort_by(|(a, in_a), (b, in_b)| a.value.cmp(&b.value).then_with(|| in_a.name.cmp(&in_b.name)));
    let same = ids.windows(2).filter(|pair| pair[0].0.value == pair[1].0.value);
    faults.extend(same.map(|pair| taken(pair[0].1, &pair[1])));
    diag::sort(&mut faults);
    (rules, faults)
}

/// The most faults of one file that are told.
const MAX_TOLD: usize = 100;

fn taken(first: &RuleFile, (id, second): &(Spanned<String>, &RuleFile)) -> Diag {
    let message = format!("the id `{}` is already taken by {}", shortened(id), first.name);
    Diag::new(&diag::DUPLICATE_ID, &second.name, message)
        .at(&second.text, id.span.clone())
        .help("give one of the two another id and file name")
}

/// Checks one file and collects its faults.
pub(super) struct Checker<'f> {
    file: &'f RuleFile,
    faults: Vec<Diag>,
    /// Faults beyond those that are told.
    more: usize,
    /// What the run sets, by rule.
    set: &'f Params,
    params: Vec<Named<Param>>,
    lists: Vec<Named<Option<Arc<BTreeSet<String>>>>>,
    /// Where the tests of the condition stand.
    places: Vec<Range<usize>>,
}

/// Something that a rule gives a name.
struct Named<T> {
    name: Spanned<String>,
    value: T,
    used: bool,
}

/// The longest memory that `for` may ask for.
const MAX_RUNS: u32 = 30;

impl<'f> Checker<'f> {
    fn of(file: &'f RuleFile, set: &'f Params) -> Checker<'f> {
        Checker {
            file,
            set,
            faults: Vec::new(),
            more: 0,
            params: Vec::new(),
            lists: Vec::new(),
            places: Vec::new(),
        }
    }
}

impl Checker<'_> {
    /// Notes a fault.
    pub(super) fn fault(&mut self, code: &'static Code, span: &Range<usize>, message: impl Into<String>) {
        self.fault_help(code, span, message, None);
    }

    /// Notes a fault with what to do next.
    pub(super) fn fault_help(
        &mut self,
        code: &'static Code,
        span: &Range<usize>,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        if self.has_enough() {
            return;
        }
        let mut diag = Diag::new(code, &self.file.name, message).at(&self.file.text, span.clone());
        diag.help = help;
        self.faults.push(diag);
    }

    /// Whether so many faults are noted that another one is only counted.
    fn has_enough(&mut self) -> bool {
        let enough = self.faults.len() >= MAX_TOLD;
        self.more += usize::from(enough);
        enough
    }

    fn say_how_many_more(&mut self) {
        if self.more > 0 {
            let message = format!("the file has {} more faults", self.more);
            let end = self.file.text.len().saturating_sub(1);
            self.faults
                .push(Diag::new(&diag::TOO_MANY, &self.file.name, message).at(&self.file.text, end..end));
        }
    }

    /// The signal of this name.
    pub(super) fn signal(&mut self, name: &Spanned<String>) -> Option<&'static Signal> {
        let found = signals::find(name);
        if found.is_none() && !self.has_enough() {
            let near = diag::did_you_mean(name, signals::all().iter().map(|s| s.name));
            let help = near.or_else(|| Some("`clickaudit signals` lists all signals".to_owned()));
            let message = format!("there is no signal `{}`", name.value);
            self.fault_help(&diag::UNKNOWN_SIGNAL, &name.span, message, help);
        }
        found
    }

    /// An amount in this unit, written out or as the `$name` of a parameter.
    pub(super) fn amount(&mut self, unit: Unit, text: &str, span: &Range<usize>) -> Option<f64> {
        let name = text.trim().strip_prefix('$');
        let value = self.resolved(text, span)?;
        unit.parse(&value)
            .map_err(|fault| {
                let message = name.map_or(String::new(), |name| format!("of `${name}`: ")) + &fault.message;
                let help = fault.guess.map(|g| format!("did you mean {g}?"));
                self.fault_help(&diag::WRONG_UNIT, span, message, help);
            })
            .ok()
    }

    /// A text as it is, or the value of the parameter that it names.
    pub(super) fn resolved(&mut self, text: &str, span: &Range<usize>) -> Option<String> {
        match text.trim().strip_prefix('$') {
            Some(name) => self.param(name, span),
            None => Some(text.to_owned()),
        }
    }

    /// The value of a parameter.
    fn param(&mut self, name: &str, span: &Range<usize>) -> Option<String> {
        if let Some(param) = self.params.iter_mut().find(|p| *p.name == name) {
            param.used = true;
            return Some(param.value.value.clone());
        }
        let help = match diag::did_you_mean(name, self.params.iter().map(|p| p.name.as_str())) {
            Some(near) => near,
            None => format!("give it a default: `params: {{{name}: 30}}`"),
        };
        let message = format!("the rule has no parameter `{name}`");
        self.fault_help(&diag::UNKNOWN_NAME, span, message, Some(help));
        None
    }

    /// The list of this name.
    pub(super) fn list(&mut self, name: &Spanned<String>) -> Option<Arc<BTreeSet<String>>> {
        if let Some(list) = self.lists.iter_mut().find(|l| l.name.value == name.value) {
            list.used = true;
            return list.value.clone();
        }
        let near = diag::did_you_mean(name, self.lists.iter().map(|l| l.name.as_str()));
        let help = near.unwrap_or_else(|| format!("add it: `lists: {{{}: [a, b]}}`", name.value));
        let message = format!("the rule has no list `{}`", name.value);
        self.fault_help(&diag::UNKNOWN_NAME, &name.span, message, Some(help));
        None
    }

    /// Notes where a test of the condition stands.
    pub(super) fn place(&mut self, span: &Range<usize>) {
        self.places.push(span.clone());
    }

    /// The rule, if there is nothing that it lacks, and its id wherever there is one.
    fn read(&mut self) -> (Option<Rule>, Option<Spanned<String>>) {
        if let Some(Unread { why, help, place }) = &self.file.unread {
            let message = format!("this file cannot be read: {why}");
            let fault = Diag::new(&diag::UNREADABLE, &self.file.name, message).help(*help);
            let nothing = self.file.text.is_empty();
            self.faults.push(if nothing { fault } else { fault.at(&self.file.text, place.clone()) });
            return (None, None);
        }
        let document = yaml::read::<RawRule>(&self.file.read(), &self.file.name);
        document.unknown.iter().for_each(|u| self.unknown_key(u));
        self.faults.extend(document.fault);
        let Some(raw) = document.value else { return (None, None) };
        (self.rule(&raw), raw.id)
    }

    fn unknown_key(&mut self, unknown: &Unknown) {
        let key = unknown.key.as_str();
        if self.has_enough() {
            return;
        }
        let mut fault = unknown.diag(&self.file.text, &self.file.name);
        if ROW_LIMITS.contains(&key) {
            fault.help = Some(format!("`{key}` limits the rows of the whole rule: write it beside `when`"));
        }
        self.faults.push(fault);
    }

    fn rule(&mut self, raw: &RawRule) -> Option<Rule> {
        let id = self.id(raw.id.as_ref());
        let title = self.need("title", written(raw.title.as_ref()));
        let status = self.need("status", raw.status.as_ref());
        let class = self.need("class", raw.class.as_ref());
        let action = self.need("action", raw.action.as_ref());
        let why = self.need("why", written(raw.why.as_ref()));
        self.named(raw);
        let condition = self.need("when", raw.when.as_ref());
        let when = condition.and_then(|c| condition::node(self, &c.value));
        let places = std::mem::take(&mut self.places);
        let clear = raw.clear.as_ref().and_then(|c| condition::node(self, &c.value));
        let family = when.as_ref().and_then(|w| self.family(raw.family.as_ref(), w));
        let by = raw.by.as_ref().and_then(|b| self.grain(b));
        let cut = limits::cut(self, raw).map(Arc::new);
        let message = raw.message.as_ref().and_then(|m| self.message(m));
        let runs = raw.runs.as_ref().and_then(|r| self.runs(r));
        self.version(raw.requires.as_ref());
        let tests = raw.tests.iter().map(|t| self.example(t)).collect();
        self.unused();
        let mut missing = Vec::new();
        missing.extend(status.is_none().then_some(Need::Status));
        missing.extend(action.is_none().then_some(Need::Action));
        missing.extend(when.is_none().then_some(Need::Condition));
        let others = [id.is_some(), title.is_some(), class.is_some(), why.is_some(), family.is_some()];
        let whole = missing.is_empty() && others.iter().all(|there| *there);
        // What is missing has a stand-in, so that the demands on the rest are made all the same.
        let rule = Rule {
            id: id.unwrap_or_default(),
            title: title.map_or_else(String::new, |title| title.value.clone()),
            status: status.map_or(Status::Retired, |status| status.value),
            class: class.map_or(Class::Data, |class| class.value),
            action: action.map_or(Action::Note, |action| action.value),
            alone: flag(raw.alone.as_ref()),
            decides: raw.decides.unwrap_or(true),
            deterministic: flag(raw.deterministic.as_ref()),
            allowed_by: raw.allowed_by,
            family: family.unwrap_or(FAMILIES[0].0),
            by,
            cut,
            why: why.map_or_else(String::new, |why| why.value.trim().to_owned()),
            innocent: raw.innocent.clone(),
            references: raw.references.clone(),
            tags: raw.tags.clone(),
            owner: raw.owner.clone(),
            message,
            replaced_by: raw.replaced_by.as_ref().map(|r| r.value.clone()),
            packs: self.packs(raw.packs.as_ref()),
            replaces: raw.replaces.as_ref().map(|r| r.value.clone()),
            observe: raw.observe,
            changed: Vec::new(),
            params: self.params.iter().map(|p| p.value.clone()).collect(),
            when: when.unwrap_or(Node::All(Vec::new())),
            places,
            runs,
            clear,
            tests,
            file: self.file.clone(),
        };
        self.policies(&rule, raw, &missing);
        whole.then_some(rule)
    }

    /// Takes the names that the rule gives: its parameters, as the run sets them, and its lists.
    fn named(&mut self, raw: &RawRule) {
        let id = raw.id.as_ref().map_or("", |id| id.as_str());
        for (name, default) in &raw.params.0 {
            let value = self.set.of(id, name).unwrap_or(default).to_owned();
            let value = Param { name: name.value.clone(), default: default.value.clone(), value };
            self.params.push(Named { name: name.clone(), value, used: false });
        }
        for (name, list) in &raw.lists.0 {
            let value = self.texts(&list.value, &list.span).map(Arc::new);
            self.lists.push(Named { name: name.clone(), value, used: false });
        }
    }

    fn texts(&mut self, raw: &RawList, span: &Range<usize>) -> Option<BTreeSet<String>> {
        let help = "write `[a, b]`, or `{file: partners.txt}` with one text per line, in the rule's folder or below it";
        let help = help.to_owned();
        let file = match raw {
            RawList::Written(texts) if texts.is_empty() => {
                self.fault_help(&diag::BAD_LIST, span, "the list is empty", Some(help));
                return None;
            }
            RawList::Written(texts) => return Some(texts.iter().map(|t| t.value.clone()).collect()),
            RawList::File(file) => &file.file,
        };
        let read = match &self.file.folder {
            Some(folder) => lists::read(folder, file),
            None => Err("a rule that is not read from a file has no files beside it".to_owned()),
        };
        read.map_err(|why| {
            let message = format!("the list {} cannot be used: {why}", file.value);
            self.fault_help(&diag::BAD_LIST, &file.span, message, Some(help));
        })
        .ok()
    }

    /// Parameters and lists without use.
    fn unused(&mut self) {
        let params = self.params.iter().filter(|p| !p.used).map(|p| ("parameter", p.name.clone()));
        let lists = self.lists.iter().filter(|l| !l.used).map(|l| ("list", l.name.clone()));
        let unused: Vec<_> = params.chain(lists).collect();
        for (what, name) in unused {
            let use_it = if what == "list" { "{list: NAME}" } else { "$NAME" };
            let help = format!("write `{}` in the condition, or remove it", use_it.replace("NAME", &name));
            let message = format!("nothing uses the {what} `{}`", name.value);
            self.fault_help(&diag::UNUSED, &name.span, message, Some(help));
        }
    }

    fn message(&mut self, raw: &Spanned<String>) -> Option<Message> {
        let found = Message::parse(raw);
        let (code, message, help) = match found {
            Ok(message) => return Some(message),
            Err(Broken::Unknown(name)) => (
                &diag::UNKNOWN_SIGNAL,
                format!("there is no signal `{name}`"),
                diag::did_you_mean(&name, signals::all().iter().map(|s| s.name)),
            ),
            Err(Broken::Brace) => (&diag::BAD_MESSAGE, "a brace stands alone".to_owned(), None),
        };
        let help = help.or_else(|| Some("write `{name of a signal}`, and `{{` for a brace".to_owned()));
        self.fault_help(code, &raw.span, message, help);
        None
    }

    fn runs(&mut self, raw: &Spanned<String>) -> Option<Runs> {
        let parse = |(held, of): (&str, &str)| Some((held.trim().parse().ok()?, of.trim().parse().ok()?));
        let found: Option<(u32, u32)> = raw.split_once(" of ").and_then(parse);
        let possible = found.filter(|(held, of)| (1..=*of).contains(held) && *of <= MAX_RUNS);
        if possible.is_none() {
            let message = format!("`{}` is no number of runs", raw.value);
            let help = format!("write `2 of 3`; at most {MAX_RUNS} runs are kept in mind");
            self.fault_help(&diag::BAD_RUNS, &raw.span, message, Some(help));
        }
        possible.map(|(held, of)| Runs { held, of })
    }

    fn version(&mut self, raw: Option<&Spanned<String>>) {
        let Some(raw) = raw else { return };
        let ours = env!("CARGO_PKG_VERSION");
        let wanted = raw.trim().strip_prefix(">=").and_then(|text| version(text.trim()));
        let (message, help) = match wanted {
            Some(wanted) if Some(wanted) <= version(ours) => return,
            Some(_) => {
                (format!("the rule needs clickaudit {}, this is {ours}", raw.value), "use a newer version")
            }
            None => (format!("`{}` is no version that can be asked for", raw.value), "write `\">=0.2\"`"),
        };
        self.fault_help(&diag::WRONG_VERSION, &raw.span, message, Some(help.to_owned()));
    }

    /// A key that every rule has.
    fn need<'r, T>(&mut self, key: &str, value: Option<&'r Spanned<T>>) -> Option<&'r Spanned<T>> {
        if value.is_none() {
            let help = format!("every rule has the keys `{}`", REQUIRED.join("`, `"));
            self.fault_help(&diag::MISSING_KEY, &(0..0), format!("the key `{key}` is missing"), Some(help));
        }
        value
    }

    fn id(&mut self, raw: Option<&Spanned<String>>) -> Option<String> {
        let id = self.need("id", raw)?;
        let stem = Path::new(&self.file.name).file_stem().map(|s| s.to_string_lossy().into_owned());
        if !is_id(id) {
            let message = format!("`{}` is no id", shortened(id));
            let help = "3 to 64 small letters, digits and single hyphens, starting with a letter".to_owned();
            self.fault_help(&diag::BAD_ID, &id.span, message, Some(help));
        } else if stem.as_deref() != Some(id.as_str()) && self.file.name != STDIN {
            let message = format!("the id is `{}`, but the file is {}", shortened(id), self.file.name);
            let help = format!("name the file {}.yml", id.value);
            self.fault_help(&diag::ID_NOT_FILE_NAME, &id.span, message, Some(help));
        }
        Some(id.value.clone())
    }

    /// The packs that are given; without the key it is the one that everybody has.
    fn packs(&mut self, raw: Option<&Spanned<Vec<Pack>>>) -> Vec<Pack> {
        let Some(raw) = raw else { return vec![Pack::Core] };
        if raw.is_empty() {
            let help = "leave `packs` out, or name one, such as `packs: [core]`".to_owned();
            self.fault_help(
                &diag::NO_PACK,
                &raw.span,
                "the rule belongs to no pack, so that it never runs",
                Some(help),
            );
        }
        raw.value.clone()
    }

    /// The family that is given, or that of the first tested signal that can be suspicious.
    fn family(&mut self, raw: Option<&Spanned<String>>, when: &Node) -> Option<Family> {
        let tested: Vec<&Signal> = when.tests().into_iter().map(|t| t.signal).collect();
        let Some(raw) = raw else {
            let telling = tested.iter().find(|s| s.suspicious != Suspicious::Neither);
            let first = telling.or(tested.first()).map(|s| s.family);
            if first.is_none() {
                let help = "name the family of evidence under `family`, such as `ctit`".to_owned();
                let message = "this rule tests no signal that it could have its family from";
                self.fault_help(&diag::WRONG_FAMILY, &(0..0), message, Some(help));
            }
            return first;
        };
        let possible: Vec<Family> = match tested.is_empty() || when.asks_of_the_whole() {
            true => FAMILIES.iter().map(|(family, _)| *family).collect(),
            false => tested.iter().map(|s| s.family).collect(),
        };
        let found = possible.iter().copied().find(|f| f.word() == raw.as_str());
        if found.is_none() {
            let message = format!("no signal of this rule is of the family `{}`", raw.value);
            let help = format!("leave `family` out, or write `{}`", words(possible).join("` or `"));
            self.fault_help(&diag::WRONG_FAMILY, &raw.span, message, Some(help));
        }
        found
    }

    fn grain(&mut self, by: &Spanned<Vec<Spanned<String>>>) -> Option<Grain> {
        let names: Vec<&str> = by.iter().map(|n| n.as_str()).collect();
        Grain::parse(&names.join(","))
            .map_err(|wrong| {
                let span = by.iter().rfind(|n| n.value == wrong).map_or(&by.span, |n| &n.span);
                let message = match names.iter().filter(|n| **n == wrong).count() {
                    _ if names.is_empty() => "`by` names no column".to_owned(),
                    0 | 1 => format!("`{wrong}` is no column that can make a group"),
                    _ => format!("`{wrong}` stands here twice"),
                };
                self.fault_help(
                    &diag::BAD_GRAIN,
                    span,
                    message,
                    diag::did_you_mean(&wrong, Grain::choices()),
                );
            })
            .ok()
    }

    /// Makes every demand that can be held against what was read.
    fn policies(&mut self, rule: &Rule, raw: &RawRule, missing: &[Need]) {
        for policy in POLICIES.iter().filter(|policy| policy.needs.iter().all(|need| !missing.contains(need)))
        {
            let Some(message) = (policy.broken)(rule) else { continue };
            let span = (policy.place)(raw).unwrap_or(0..0);
            self.fault_help(policy.code, &span, message, Some(policy.help.to_owned()));
        }
    }

    /// A whole number that is not negative.
    pub(super) fn count(&mut self, text: &Spanned<String>) -> Option<u64> {
        let value = self.amount(Unit::Count, text, &text.span)?;
        if value < 0.0 {
            self.fault(
                &diag::WRONG_UNIT,
                &text.span,
                format!("`{}` is negative, expected a count", text.value),
            );
        }
        (value >= 0.0).then_some(value as u64)
    }
}

/// `0.2` or `0.2.1`, as numbers that can be compared.
fn version(text: &str) -> Option<[u32; 3]> {
    let mut numbers = [0; 3];
    let parts: Vec<&str> = text.split('.').collect();
    if !(2..=3).contains(&parts.len()) {
        return None;
    }
    for (number, part) in numbers.iter_mut().zip(parts) {
        *number = part.parse().ok()?;
    }
    Some(numbers)
}

/// At most so much of a text as an id may have.
fn shortened(text: &str) -> String {
    let short: String = text.chars().take(64).collect();
    if short.len() < text.len() { short + "…" } else { short }
}

/// The families' words, each once.
fn words(families: Vec<Family>) -> Vec<&'static str> {
    let mut words: Vec<&str> = families.into_iter().map(Family::word).collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// A blank text says nothing.
fn written(text: Option<&Spanned<String>>) -> Option<&Spanned<String>> {
    text.filter(|t| !t.trim().is_empty())
}

pub(super) fn flag(raw: Option<&Spanned<bool>>) -> bool {
    raw.is_some_and(|f| f.value)
}

/// `[a-z][a-z0-9]*(-[a-z0-9]+)*`, 3 to 64 bytes.
pub(super) fn is_id(text: &str) -> bool {
    let word = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    (3..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.split('-').all(word)
}

#[cfg(test)]
mod tests;
