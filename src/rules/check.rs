//! From the loose type to the strict one, with every fault on the way.
//!
//! A fault never stops the search for the next one. What a rule must have beside a well-formed condition is
//! the table [`POLICIES`].

use super::condition;
use super::format::{NOT_YET, REQUIRED, RawList, RawRule};
use super::lists;
use super::message::{Broken, Message};
use super::model::{Action, Expect, Limit, Node, Pack, Param, Rule, RuleFile, Runs, STDIN, Status};
use super::params::Params;
use crate::base::column::Grain;
use crate::base::diag::{self, Code, Diag};
use crate::base::unit::Unit;
use crate::base::yaml::{self, Spanned, Unknown};
use crate::signals::{self, FAMILIES, Family, Signal, Suspicious};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// What keeps a rule from having this form, in the words of its author's faults; for changes of a checked rule.
pub(super) fn broken(rule: &Rule) -> Option<(String, &'static str)> {
    POLICIES.iter().find_map(|policy| (policy.broken)(rule).map(|message| (message, policy.help)))
}

/// All faults of all files, sorted by file and place.
pub fn check(files: &[RuleFile]) -> Vec<Diag> {
    checked(files, &Params::default()).1
}

/// The rules as far as they could be read, sorted by id, and all faults; there is a fault for whatever could
/// not be read.
pub(super) fn checked(files: &[RuleFile], params: &Params) -> (Vec<Rule>, Vec<Diag>) {
    let mut faults = Vec::new();
    let mut read = Vec::new();
    for file in files {
        let mut checker = Checker::of(file, params);
        read.extend(checker.read());
        checker.say_how_many_more();
        faults.append(&mut checker.faults);
    }
    read.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id).then_with(|| a.file.name.cmp(&b.file.name)));
    faults.extend(read.windows(2).filter(|w| w[0].0.id == w[1].0.id).map(|w| taken(&w[0].0, &w[1])));
    diag::sort(&mut faults);
    (read.into_iter().map(|(rule, _)| rule).collect(), faults)
}

/// The most faults of one file that are told.
const MAX_TOLD: usize = 100;

/// A rule and where its id stands.
type Placed = (Rule, Range<usize>);

fn taken(first: &Rule, (second, place): &Placed) -> Diag {
    let message = format!("the id `{}` is already taken by {}", second.id, first.file.name);
    Diag::new(&diag::DUPLICATE_ID, &second.file.name, message)
        .at(&second.file.text, place.clone())
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
        let value = match name {
            Some(name) => self.param(name, span)?,
            None => text.to_owned(),
        };
        unit.parse(&value)
            .map_err(|fault| {
                let message = name.map_or(String::new(), |name| format!("of `${name}`: ")) + &fault.message;
                let help = fault.guess.map(|g| format!("did you mean {g}?"));
                self.fault_help(&diag::WRONG_UNIT, span, message, help);
            })
            .ok()
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

    fn read(&mut self) -> Option<Placed> {
        let document = yaml::read::<RawRule>(&self.file.text, &self.file.name);
        document.unknown.iter().for_each(|u| self.unknown_key(u));
        self.faults.extend(document.fault);
        let raw = document.value?;
        let rule = self.rule(&raw);
        rule.zip(span(&raw.id))
    }

    fn unknown_key(&mut self, unknown: &Unknown) {
        let key = unknown.key.as_str();
        if self.has_enough() {
            return;
        }
        if !NOT_YET.contains(&key) {
            self.faults.push(unknown.diag(&self.file.text, &self.file.name));
            return;
        }
        let message = format!("this version cannot evaluate `{key}` yet");
        let help = "remove the key; until then use absolute limits".to_owned();
        self.fault_help(&diag::NOT_YET, &unknown.key.span, message, Some(help));
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
        let message = raw.message.as_ref().and_then(|m| self.message(m));
        let runs = raw.runs.as_ref().and_then(|r| self.runs(r));
        self.version(raw.requires.as_ref());
        let tests = raw.tests.iter().map(|t| self.example(t)).collect();
        self.unused();
        let rule = Rule {
            id: id?,
            title: title?.value.clone(),
            status: status?.value,
            class: class?.value,
            action: action?.value,
            alone: flag(raw.alone.as_ref()),
            decides: raw.decides.unwrap_or(true),
            deterministic: flag(raw.deterministic.as_ref()),
            allowed_by: raw.allowed_by,
            family: family?,
            by,
            why: why?.value.trim().to_owned(),
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
            when: when?,
            places,
            runs,
            clear,
            tests,
            file: self.file.clone(),
        };
        self.policies(&rule, raw);
        Some(rule)
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
        let help = "write `[a, b]`, or `{file: partners.txt}` with one text per line".to_owned();
        let file = match raw {
            RawList::Written(texts) if texts.is_empty() => {
                self.fault_help(&diag::BAD_LIST, span, "the list is empty", Some(help));
                return None;
            }
            RawList::Written(texts) => return Some(texts.iter().map(|t| t.value.clone()).collect()),
            RawList::File(file) => &file.file,
        };
        let read = match &self.file.folder {
            Some(folder) => lists::read(&folder.join(file.as_str())),
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
        let possible: Vec<Family> = match when.asks_of_the_whole() {
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

    fn policies(&mut self, rule: &Rule, raw: &RawRule) {
        for policy in POLICIES {
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

fn flag(raw: Option<&Spanned<bool>>) -> bool {
    raw.is_some_and(|f| f.value)
}

/// `[a-z][a-z0-9]*(-[a-z0-9]+)*`, 3 to 64 bytes.
pub(super) fn is_id(text: &str) -> bool {
    let word = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    (3..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.split('-').all(word)
}

/// What a rule must fulfil as a whole.
struct Policy {
    code: &'static Code,
    place: fn(&RawRule) -> Option<Range<usize>>,
    /// What is wrong, if it is.
    broken: fn(&Rule) -> Option<String>,
    help: &'static str,
}

const POLICIES: &[Policy] = &[
    Policy {
        code: &diag::NOT_STABLE,
        place: |raw| span(&raw.action),
        broken: |r| {
            (r.action == Action::Block && r.status == Status::Experimental)
                .then(|| "an experimental rule cannot block".to_owned())
        },
        help: "let it `hold` or `watch` until it has proved itself",
    },
    Policy {
        code: &diag::NOT_BLOCKING,
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
        place: strength,
        broken: |r| {
            (strong(r) && r.action == Action::Block && !condition::needs_conversions(&r.when))
                .then(|| "the rule can fire on click-side evidence only".to_owned())
        },
        help: "anyone can send clicks with a rival's ID: require a conversion-side signal, or drop the key",
    },
    Policy {
        code: &diag::NO_SAMPLE_GUARD,
        place: |raw| span(&raw.when),
        broken: |r| (r.action == Action::Block && !r.deterministic).then(|| unguarded(r)).flatten(),
        help: "add `min_sample` to the test",
    },
    Policy {
        code: &diag::CONSTANT,
        place: |raw| span(&raw.when),
        broken: |r| {
            condition::settled_by_lack(&r.when, true)
                .then(|| "this fires on every group that has too few peers".to_owned())
        },
        help: "put a limit of its own beside `few: fires` under `all`",
    },
    Policy {
        code: &diag::WRONG_COLUMN,
        place: |raw| span(&raw.when),
        broken: |r| {
            let columns = r.by.as_ref()?.columns();
            let other = r.when.columns().into_iter().find(|test| !columns.contains(&test.column));
            other.map(|test| format!("the rule's groups are not made of `{}`", test.column))
        },
        help: "name the column under `by`, too",
    },
    Policy {
        code: &diag::NO_FIRING_TEST,
        place: |raw| span(&raw.title),
        broken: |r| {
            (r.status == Status::Stable && r.tests.iter().all(|t| t.expect != Expect::Fires))
                .then(|| "no test of this stable rule fires".to_owned())
        },
        help: "add an example with `expect: fires` under `tests`",
    },
    Policy {
        code: &diag::NO_QUIET_TEST,
        place: |raw| span(&raw.title),
        broken: |r| {
            (r.action == Action::Block && r.tests.iter().all(|t| t.expect == Expect::Fires))
                .then(|| "no test shows when this blocking rule does not fire".to_owned())
        },
        help: "add an example with `expect: silent` or `expect: unknown` under `tests`",
    },
    Policy {
        code: &diag::NO_INNOCENT,
        place: |raw| span(&raw.title),
        broken: |r| {
            (r.status == Status::Stable && r.innocent.is_empty())
                .then(|| "this stable rule names no innocent cause".to_owned())
        },
        help: "list under `innocent` what else could explain what the rule sees",
    },
    Policy {
        code: &diag::REPLACED_BY,
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

fn span<T>(value: &Option<Spanned<T>>) -> Option<Range<usize>> {
    value.as_ref().map(|v| v.span.clone())
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

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
id: too-fast
title: Too fast
status: stable
class: fraud
action: block
why: Because.
innocent: [one-tap offers]
when:
  test: {signal: ctit_short_share, above: 30%}
tests:
  - {name: fires, given: {ctit_short_share: {x: 149, n: 240}}, expect: fires}
  - {name: silent, given: {ctit_short_share: {x: 1, n: 240}}, expect: silent}
";
    const TEST: &str = "test: {signal: ctit_short_share, above: 30%}";
    const GIVEN: &str = "{x: 1, n: 240}";

    fn file(old: &str, new: &str) -> RuleFile {
        assert!(GOOD.contains(old), "{old}");
        RuleFile::new("a/too-fast.yml", &GOOD.replace(old, new))
    }

    /// The good rule with `old` replaced by `new` has exactly these faults.
    #[track_caller]
    fn check_faults(old: &str, new: &str, expected: &[&str]) {
        let found: Vec<&str> = check(&[file(old, new)]).iter().map(|d| d.code.slug).collect();
        assert_eq!(found, expected, "{new}");
    }

    fn rule(old: &str, new: &str) -> Rule {
        let (mut rules, faults) = checked(&[file(old, new)], &Params::default());
        assert!(faults.is_empty(), "{}", diag::plain(&faults));
        rules.pop().expect("a rule")
    }

    #[test]
    fn a_good_rule_has_its_defaults() {
        let rule = rule("why: Because.", "why: >\n  Because\n  of it.\n");
        assert_eq!((rule.alone, rule.decides, rule.deterministic), (false, true, false));
        assert_eq!((rule.why.as_str(), rule.by, rule.family), ("Because of it.", None, Family::Ctit));
        let test = rule.when.tests()[0].clone();
        assert_eq!((test.limit, test.confidence, test.min_sample), (Limit::Above(0.3), 0.95, 10));
    }

    #[test]
    fn a_family_follows_from_the_first_signal_that_can_accuse() {
        let both = |more: &str| {
            format!(
                "all:\n    - test: {{signal: conversion_count, above: 5, min_sample: 1}}\n    - {TEST}{more}"
            )
        };
        assert_eq!(rule(TEST, &both("")).family, Family::Ctit);
        assert_eq!(rule(TEST, &both("\nfamily: volume")).family, Family::Volume);
        check_faults(TEST, &both("\nfamily: identity"), &["wrong-family"]);
    }

    #[test]
    fn limits_are_checked_against_the_signal() {
        let test = |limits: &str| format!("test: {{signal: ctit_short_share, {limits}}}");
        check_faults(TEST, &test("between: [10%, 30%], confidence: 99%, min_sample: 1.5k"), &[]);
        check_faults(TEST, &test("present: true"), &[]);
        check_faults(TEST, &test("above: 30"), &["wrong-unit"]);
        check_faults(TEST, &test("above: 30%, min_sample: 2.5"), &["wrong-unit"]);
        check_faults(TEST, &test("above: 30%, min_sample: -1"), &["wrong-unit"]);
        check_faults(TEST, &test("above: -1%"), &["out-of-range"]);
        check_faults(TEST, &test("between: [-1%, 101%]"), &["out-of-range", "out-of-range"]);
        check_faults(TEST, &test("above: 100%"), &["constant-condition"]);
        check_faults(TEST, &test("below: 0%"), &["constant-condition"]);
        check_faults(TEST, &test("between: [30%, 10%]"), &["constant-condition"]);
        check_faults(TEST, &test("between: [0%, 100%]"), &["constant-condition"]);
        check_faults(TEST, &test("min_sample: 5"), &["one-limit"]);
        check_faults(TEST, &test("present: true, min_sample: 5"), &["one-limit"]);
        check_faults(TEST, &test("above: 30%, confidence: 1"), &["confidence"]);
        check_faults(TEST, &test("above: 30%, min_sample: 0"), &["no-sample-guard"]);
    }

    #[test]
    fn constant_conditions_are_seen_at_any_depth() {
        check_faults(TEST, "all: []", &["constant-condition"]);
        check_faults(TEST, "not: {any: []}", &["constant-condition"]);
        check_faults(TEST, &format!("all: [{{{TEST}}}, {{not: {{{TEST}}}}}]"), &["constant-condition"]);
        check_faults(TEST, &format!("any: [{{{TEST}}}, {{not: {{{TEST}}}}}]"), &["constant-condition"]);
        check_faults(
            TEST,
            &format!("all: [{{{TEST}}}, {{all: [{{test: {{signal: ctit_short_share, below: 30%}}}}]}}]"),
            &["constant-condition"],
        );
        check_faults(
            TEST,
            &format!("any: [{{{TEST}}}, {{test: {{signal: ctit_short_share, below: 30%}}}}]"),
            &[],
        );
    }

    #[test]
    fn examples_must_be_possible() {
        check_faults(GIVEN, "{value: 1%, n: 240, low: 0%, high: 2%}", &[]);
        check_faults(GIVEN, "1%", &[]);
        check_faults(GIVEN, "1", &[]);
        check_faults(GIVEN, "2", &["wrong-unit"]);
        check_faults(GIVEN, "101%", &["bad-example"]);
        check_faults(GIVEN, "{x: 0, n: 0}", &["bad-example"]);
        check_faults(GIVEN, "{x: 1}", &["bad-example"]);
        check_faults(GIVEN, "{x: 1, n: 2, s: 0.1}", &["bad-example"]);
        check_faults(GIVEN, "{value: 1%, n: 240, low: 2%, high: 3%}", &["bad-example"]);
        check_faults("{ctit_short_share: {x: 1, n: 240}}", "{ctit_p50_s: {x: 1, n: 240}}", &["bad-example"]);
        check_faults("{ctit_short_share: {x: 1, n: 240}}", "{ctit_p50: 5s}", &["unknown-signal"]);
    }

    #[test]
    fn comparisons_with_peers_are_checked() {
        let test = |limits: &str| format!("test: {{signal: ctit_short_share, {limits}}}");
        let beside = |limits: &str| format!("all: [{{{TEST}}}, {{{}}}]", test(limits));
        check_faults(TEST, &test("above_peers: {q: 0.1}"), &[]);
        check_faults(TEST, &test("above_peers: {p: 0.1%}"), &[]);
        check_faults(TEST, &beside("above_peers: {q: 0.5, few: fires}"), &[]);
        check_faults(TEST, &test("above_peers: {q: 0.1, few: silent}"), &[]);
        check_faults(TEST, &test("above_peers: {q: 0.1, few: fires}"), &["constant-condition"]);
        check_faults(
            TEST,
            &format!("not: {{{}}}", test("above_peers: {q: 0.1, few: silent}")),
            &["constant-condition"],
        );
        check_faults(
            TEST,
            &format!("any: [{{{TEST}}}, {{{}}}]", test("above_peers: {q: 0.1, few: fires}")),
            &["constant-condition"],
        );
        check_faults(TEST, &test("above_peers: {q: 0.1, few: often}"), &["unknown-word"]);
        check_faults(TEST, &test("above: 30%, above_peers: {q: 0.1}"), &["one-limit"]);
        check_faults(TEST, &test("above_peers: {q: 0.1}, min_sample: 30"), &["one-limit"]);
        check_faults(TEST, &test("above_peers: {q: 0}"), &["peer-level"]);
        check_faults(TEST, &test("above_peers: {p: 0.51}"), &["peer-level"]);
        check_faults(TEST, &test("above_peers: {q: 0.1, p: 0.1}"), &["peer-level"]);
        check_faults(TEST, &test("above_peers: {few: silent}"), &["peer-level"]);
        check_faults(TEST, &test("below_peers: {q: 0.1}"), &["not-compared"]);
        check_faults(TEST, "test: {signal: top_ip_share, above_peers: {q: 0.1}}", &["not-compared"]);
        check_faults(TEST, "test: {signal: cr, below_peers: {q: 0.1}}", &[]);
        let both = "all: [{test: {signal: cr, below_peers: {q: 0.1}}}, \
                    {test: {signal: cr, above_peers: {q: 0.1}}}]";
        check_faults(TEST, both, &["constant-condition"]);
    }

    #[test]
    fn the_whole_group_can_be_asked_for() {
        let beside = |node: &str| format!("all: [{{{TEST}}}, {{{node}}}]");
        check_faults(TEST, &beside("risk: {above: 95}"), &[]);
        check_faults(TEST, &beside("risk: {above: 60, few: fires}"), &[]);
        check_faults(TEST, &beside("risk: {above: 100}"), &["out-of-range"]);
        check_faults(TEST, &beside("risk: {above: -1}"), &["wrong-unit"]);
        check_faults(TEST, &beside("risk: {above: 60%}"), &["wrong-unit"]);
        check_faults(TEST, &beside("risk: {few: fires}"), &["missing-key"]);
        check_faults(TEST, &beside("significant: true"), &[]);
        check_faults(TEST, &beside("pattern: injection"), &[]);
        check_faults(TEST, &beside("pattern: {is: injection, p: 0.001}"), &[]);
        check_faults(TEST, &beside("pattern: {is: injection, p: 0.6}"), &["peer-level"]);
        check_faults(TEST, &beside("pattern: {is: injecting, p: 0.001}"), &["unknown-word"]);
        check_faults(TEST, &beside("pattern: floding"), &["unknown-word"]);
        check_faults(TEST, "risk: {above: 60, few: fires}\nfamily: ctit", &["constant-condition"]);
        check_faults(TEST, "significant: true", &["wrong-family"]);
        check_faults(TEST, "significant: true\nfamily: identity", &[]);
    }

    #[test]
    fn examples_may_stand_beside_peers() {
        let whole = "{ctit_short_share: {x: 1, n: 240}}";
        check_faults(GIVEN, "{x: 1, n: 240, q: 0.001}", &[]);
        check_faults(GIVEN, "{x: 1, n: 240, p: 0.001, peers: high}", &[]);
        check_faults(GIVEN, "{x: 1, n: 240, peers: few}", &[]);
        check_faults(GIVEN, "{x: 1, n: 240, peers: many}", &["bad-example"]);
        check_faults(GIVEN, "{x: 1, n: 240, q: 0}", &["bad-example"]);
        check_faults(GIVEN, "{q: 0.1}", &["bad-example"]);
        check_faults(whole, "{cr: {x: 1, n: 240, q: 0.1}}", &["bad-example"]);
        check_faults(whole, "{cr: {x: 1, n: 240, q: 0.1, peers: low}}", &[]);
        check_faults(whole, "{top_ip_share: {x: 1, n: 240, q: 0.1}}", &["bad-example"]);
        check_faults(whole, "{risk: 97, significant: true, pattern: injection}", &[]);
        check_faults(whole, "{pattern: {is: injection, p: 0.001}}", &[]);
        check_faults(whole, "{pattern: [injection]}", &["wrong-shape"]);
        check_faults(whole, "{pattern: {is: injection, q: 0.001}}", &["bad-example"]);
        check_faults(whole, "{pattern: injected}", &["unknown-word"]);
        check_faults(whole, "{risk: 101}", &["bad-example"]);
        check_faults(whole, "{significant: maybe}", &["bad-example"]);
    }

    #[test]
    fn parameters_stand_for_their_values() {
        let with = |params: &str, test: &str| format!("params: {params}\nwhen:\n  {test}");
        let check = |params: &str, test: &str, expected: &[&str]| {
            check_faults(&format!("when:\n  {TEST}"), &with(params, test), expected);
        };
        let test = "test: {signal: ctit_short_share, above: $share, min_sample: $least}";
        check("{share: 30%, least: 20}", test, &[]);
        check("{share: 30%}", test, &["unknown-name"]);
        check("{share: 30, least: 20}", test, &["wrong-unit"]);
        check("{share: 100%, least: 20}", test, &["constant-condition"]);
        check("{share: 30%, least: 20, more: 1}", test, &["unused"]);
        let file = file(&format!("when:\n  {TEST}"), &with("{share: 30%, least: 20}", test));
        let mut params = Params::default();
        params.set("too-fast", "share", "40%");
        params.set("another", "least", "1");
        let (rules, faults) = checked(std::slice::from_ref(&file), &params);
        assert!(faults.is_empty(), "{}", diag::plain(&faults));
        assert_eq!(rules[0].when.tests()[0].limit, Limit::Above(0.4));
        assert_eq!(rules[0].when.tests()[0].min_sample, 20);
        let values: Vec<&str> = rules[0].params.iter().map(|p| p.value.as_str()).collect();
        assert_eq!(values, ["40%", "20"]);
        params.set("too-fast", "share", "5");
        let (_, faults) = checked(&[file], &params);
        assert_eq!(faults[0].message, "of `$share`: `5` is above 1, but a share lies between 0 and 1");
    }

    #[test]
    fn facts_and_columns_are_held_against_texts() {
        let beside = |test: &str| format!("all: [{{{TEST}}}, {{test: {{{test}}}}}]");
        check_faults(TEST, &beside("signal: replayed_count, equals: 0, min_sample: 5"), &[]);
        check_faults(TEST, &beside("signal: replayed_count, in: [1, 2], min_sample: 5"), &[]);
        check_faults(TEST, &beside("signal: replayed_count, equals: 1.5"), &["wrong-unit"]);
        check_faults(TEST, &beside("signal: replayed_count, equals: -1"), &["out-of-range"]);
        check_faults(TEST, &beside("signal: cr, in: [1%, 2%]"), &["not-a-fact"]);
        check_faults(TEST, &beside("column: source, equals: pub1"), &[]);
        check_faults(TEST, &beside("column: source, in: [pub1, 007]"), &[]);
        check_faults(TEST, &beside("column: source, in: []"), &["bad-list"]);
        check_faults(TEST, &beside("column: sauce, equals: a"), &["wrong-column"]);
        check_faults(TEST, &beside("column: source"), &["one-limit"]);
        check_faults(TEST, &beside("column: source, equals: a, min_sample: 3"), &["one-limit"]);
        check_faults(TEST, &beside("signal: cr, column: source, equals: a"), &["one-limit"]);
        check_faults(TEST, &beside("above: 3"), &["missing-key"]);
        check_faults(TEST, &beside("column: source, in: {list: ours}"), &["unknown-name"]);
        let listed = |lists: &str, more: &str| {
            format!("lists: {lists}\nwhen:\n  {}{more}", beside("column: source, in: {list: ours}"))
        };
        let when = format!("when:\n  {TEST}");
        check_faults(&when, &listed("{ours: [pub1]}", ""), &[]);
        check_faults(&when, &listed("{ours: [pub1], theirs: [pub2]}", ""), &["unused"]);
        check_faults(&when, &listed("{ours: []}", ""), &["bad-list"]);
        check_faults(&when, &listed("{ours: {file: ours.txt}}", ""), &["bad-list"]);
        check_faults(&when, &listed("{ours: [pub1]}", "\nby: [campaign]"), &["wrong-column"]);
        check_faults(GIVEN, "{x: 1, n: 240}, source: pub1", &[]);
        check_faults(GIVEN, "{x: 1, n: 240}, source: {x: 1, n: 2}", &["bad-example"]);
    }

    #[test]
    fn what_needs_stored_runs_is_checked_all_the_same() {
        let past = |past: &str| format!("test: {{signal: ctit_short_share, above_own_past: {past}}}");
        check_faults(TEST, &past("{ratio: 2}"), &[]);
        check_faults(TEST, &past("{ratio: 200%, over: 14d}"), &[]);
        check_faults(TEST, &past("{ratio: 1}"), &["bad-past"]);
        check_faults(TEST, &past("{ratio: 2, over: 1h}"), &["bad-past"]);
        check_faults(TEST, &past("{over: 14d}"), &["missing-key"]);
        check_faults(TEST, "test: {signal: cr, below_own_past: {ratio: 0.5}}", &[]);
        check_faults(TEST, "test: {signal: cr, below_own_past: {ratio: 2}}", &["bad-past"]);
        let also = |more: &str| format!("class: fraud\n{more}");
        check_faults("class: fraud", &also("for: 2 of 3"), &[]);
        for runs in ["2", "0 of 3", "4 of 3", "2 of 31", "two of three", "-1 of 3"] {
            check_faults("class: fraud", &also(&format!("for: {runs}")), &["bad-runs"]);
        }
        check_faults("class: fraud", &also("clear: {test: {signal: ctit_short_share, below: 10%}}"), &[]);
        check_faults("class: fraud", &also("clear: {test: {signal: ctit, below: 10%}}"), &["unknown-signal"]);
        assert!(rule("class: fraud", &also("for: 2 of 3")).needs_history());
        assert!(rule(TEST, &past("{ratio: 2}")).needs_history());
        assert!(!rule("class: fraud", &also("x-mine: 1")).needs_history());
    }

    #[test]
    fn messages_and_versions_are_checked() {
        let also = |more: &str| format!("class: fraud\n{more}");
        check_faults("class: fraud", &also("message: '{ctit_short_share} at once'"), &[]);
        check_faults("class: fraud", &also("message: '{ctit_shrt_share} at once'"), &["unknown-signal"]);
        check_faults("class: fraud", &also("message: '{ctit_short_share at once'"), &["bad-message"]);
        for version in [">=0.1", ">= 0.0.9", ">=0.1.0"] {
            check_faults("class: fraud", &also(&format!("requires: '{version}'")), &[]);
        }
        for version in [">=99.1", "0.1", ">=1", ">=0.1.0.0", "=0.1", "latest"] {
            check_faults("class: fraud", &also(&format!("requires: '{version}'")), &["wrong-version"]);
        }
    }

    #[test]
    fn a_rule_from_stdin_may_have_any_id() {
        let stdin = RuleFile::new(STDIN, GOOD);
        assert_eq!(check(&[stdin]), []);
    }

    #[test]
    fn ids_and_grains_follow_their_grammar() {
        for id in ["ab", "9ab", "a--b", "a-b-", "A-b", "a_b", "é-b", &"a".repeat(65)] {
            check_faults("id: too-fast", &format!("id: {id}"), &["bad-id"]);
        }
        check_faults("id: too-fast", "id: too-slow", &["id-not-file-name"]);
        let by = |by: &str| format!("class: fraud\nby: {by}");
        check_faults("class: fraud", &by("[source, campaign]"), &[]);
        check_faults("class: fraud", &by("[]"), &["bad-grain"]);
        check_faults("class: fraud", &by("[campaign, campaign]"), &["bad-grain"]);
        check_faults("class: fraud", &by("[cost]"), &["bad-grain"]);
        check_faults("class: fraud", &by("source"), &["wrong-shape"]);
    }

    #[test]
    fn blank_texts_and_several_missing_keys_are_told_together() {
        check_faults("title: Too fast", "title: ' '", &["missing-key"]);
        check_faults("class: fraud\naction: block\nwhy: Because.\n", "", &["missing-key"; 3]);
    }

    #[test]
    fn strength_needs_a_block_on_the_conversion_side() {
        check_faults("action: block", "action: block\nalone: true", &[]);
        check_faults("action: block", "action: hold\ndeterministic: true", &["alone-without-block"]);
        check_faults(TEST, "not: {test: {signal: cr, above: 3%}}\nalone: true", &["click-side-alone"]);
        check_faults("status: stable", "status: retired\nreplaced_by: too-quick", &[]);
        check_faults("status: stable", "status: retired\nreplaced_by: too-fast", &["replaced-by"]);
    }

    #[test]
    fn a_second_rule_of_one_id_is_found_even_if_it_is_wrong() {
        let second = RuleFile::new("b/too-fast.yml", &GOOD.replace("stable", "experimental"));
        let faults = check(&[second, file("id", "id")]);
        let found: Vec<_> = faults.iter().map(|d| (d.file.as_str(), d.code.slug)).collect();
        assert_eq!(found, [("b/too-fast.yml", "duplicate-id"), ("b/too-fast.yml", "not-stable")]);
    }
}
