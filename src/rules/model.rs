//! The strict types: whatever holds one of these has been checked.

use super::message::Message;
use crate::base::column::{Col, Grain};
use crate::base::money::Micro;
use crate::base::unit::Unit;
use crate::base::yaml::MAX_BYTES;
use crate::measures::Cut;
use crate::past::{LEAST_NIGHTS, Own, Past};
use crate::peers::{Direction, Pattern, Profile, TooFew, Versus};
use crate::signals::{self, Absence, Against, Estimate, Family, Reading, Row, Signal, Suspicious};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// The rules of one run.
#[derive(Clone, Debug)]
pub struct RuleSet {
    /// The rules that are evaluated, sorted by id.
    pub rules: Vec<Rule>,
    /// Rules that are only kept to be explained, sorted by id.
    pub retired: Vec<Rule>,
    /// Rules that this run leaves out, sorted by id, with the reason.
    pub left_out: Vec<(Rule, LeftOut)>,
    /// Names the content of the rule files that count, wherever they lie, and what was changed for this run: 16
    /// hexadecimal digits.
    pub digest: String,
    /// The packs that were chosen.
    pub packs: Vec<Pack>,
    /// The whole run only observes: nothing acts, nothing is listed.
    pub observe: bool,
}

/// Why a rule is not evaluated in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// None of its packs was chosen.
    Pack,
    /// A rule of a chosen pack stands in its place.
    Replaced(String),
    /// Switched off for this run.
    Disabled,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LeftOut::Pack => f.write_str("none of its packs is chosen"),
            LeftOut::Replaced(by) => write!(f, "`{by}` stands in its place"),
            LeftOut::Disabled => f.write_str("it is switched off"),
        }
    }
}

impl RuleSet {
    /// The ids of all rules, evaluated or not.
    pub fn ids(&self) -> BTreeSet<&str> {
        let left_out = self.left_out.iter().map(|(rule, _)| rule);
        self.rules.iter().chain(&self.retired).chain(left_out).map(|rule| rule.id.as_str()).collect()
    }

    /// The cuts that rules ask for, each once, with the place of its grain; the audited one is the first.
    pub fn cuts(&self, grains: &[Grain]) -> Vec<(usize, Cut)> {
        let place = |by: &Grain| grains.iter().position(|grain| grain == by);
        let cut =
            |rule: &Rule| Some((rule.by.as_ref().map_or(Some(0), place)?, (**rule.cut.as_ref()?).clone()));
        self.rules.iter().filter_map(cut).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The grains that rules ask for beside the audited one, sorted, each once.
    pub fn grains(&self) -> Vec<&Grain> {
        self.rules.iter().filter_map(|r| r.by.as_ref()).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// Enumerations of words that stand in rule files and reports alike.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)* }
        impl $name {
            /// The word in rule files and reports.
            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }
        }
    };
}

words! {
    /// What may be done about a group on which a rule fires; strongest first.
    Action { Block "block", Hold "hold", Watch "watch", Note "note", }
}
words! {
    /// What kind of trouble a rule finds.
    Class { Fraud "fraud", Quality "quality", Profit "profit", Data "data", }
}
words! {
    /// How far a rule can be trusted; only stable rules block, retired ones are not evaluated.
    Status { Experimental "experimental", Stable "stable", Retired "retired", }
}
words! {
    /// A set of rules that is chosen as one: what everybody needs, or one kind of business.
    Pack {
        Core "core", Igaming "igaming", MobileCpi "mobile-cpi", Leadgen "leadgen", Ecommerce "ecommerce",
    }
}
words! {
    /// What the terms of an offer may allow.
    Allowance { Incentive "incentive", Brand "brand", }
}
words! {
    /// What a comparison answers where there is nobody to compare with.
    Few { Fires "fires", Silent "silent", Unknown "unknown", }
}
words! {
    /// The answer that an inline test expects.
    Expect { Fires "fires", Silent "silent", Unknown "unknown", }
}

/// One checked rule.
#[derive(Clone, Debug)]
pub struct Rule {
    pub id: String,
    pub title: String,
    pub status: Status,
    pub class: Class,
    pub action: Action,
    /// May block without a second family of evidence.
    pub alone: bool,
    /// A group is clean only if every deciding rule could be decided.
    pub decides: bool,
    /// Evidence on the conversion side that proves itself and blocks at once.
    pub deterministic: bool,
    /// The terms of offers may allow what it finds; where they do it only notes it.
    pub allowed_by: Option<Allowance>,
    pub family: Family,
    /// The grain the rule runs on; none = the audited grain.
    pub by: Option<Grain>,
    /// The rows that it asks about; none = all.
    pub cut: Option<Arc<Cut>>,
    pub why: String,
    /// What else could explain it.
    pub innocent: Vec<String>,
    pub references: Vec<String>,
    pub tags: Vec<String>,
    pub owner: Option<String>,
    /// A sentence for the report in place of the title.
    pub message: Option<Message>,
    pub replaced_by: Option<String>,
    /// The packs that it belongs to, in the order of the file; never empty.
    pub packs: Vec<Pack>,
    /// The rule that it stands in for wherever one of its packs is chosen.
    pub replaces: Option<String>,
    /// Tells what it would have done, and does nothing.
    pub observe: bool,
    /// What was changed for this run.
    pub changed: Vec<Changed>,
    /// Its named numbers, as they hold in this run.
    pub params: Vec<Param>,
    pub when: Node,
    /// Where the parts of `when` stand in the file, in the order of [`Node::leaves`].
    pub places: Vec<Range<usize>>,
    /// In how many of the last runs it must hold before it does more than watch; without stored runs this has no
    /// effect.
    pub runs: Option<Runs>,
    /// What ends it once it has fired; without stored runs this has no effect.
    pub clear: Option<Node>,
    pub tests: Vec<Example>,
    pub file: RuleFile,
}

/// One thing that differs from the rule's file in this run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// `action`, `observe`, or the name of a parameter.
    pub what: String,
    pub from: String,
    pub to: String,
    /// Where it was asked for: `clickaudit.yaml:12`, or the flag.
    pub place: String,
}

impl Rule {
    /// Whether some of it needs stored runs: `for`, `clear`, or a comparison with the group's own past.
    pub fn needs_history(&self) -> bool {
        let past = |test: &&Test| matches!(test.limit, Limit::Past(_));
        self.runs.is_some() || self.clear.is_some() || self.when.tests().iter().any(past)
    }
}

/// A number of a rule that has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    pub name: String,
    /// What the rule's file says.
    pub default: String,
    /// What holds in this run.
    pub value: String,
}

/// `2 of 3`: a rule must have held in so many of the last runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Runs {
    pub held: u32,
    pub of: u32,
}

/// The name of a rule file that came from stdin; its rule may have any id.
pub const STDIN: &str = "-";

/// A rule file: its name as the user gave it, its content, and the folder that it names lists from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFile {
    pub name: String,
    pub text: Arc<str>,
    /// None of a file that is built into the program.
    pub folder: Option<PathBuf>,
    /// Where its tests begin, if they are not read.
    pub untested: Option<usize>,
    /// Why it could not be read, if so.
    pub unread: Option<Unread>,
}

/// Why a file could not be read, and where it ceased to be text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    pub why: String,
    /// What to do about it.
    pub help: &'static str,
    pub place: Range<usize>,
}

impl RuleFile {
    /// A file that has been read, or one that is built in.
    pub fn new(name: impl Into<String>, text: &str) -> RuleFile {
        RuleFile { name: name.into(), text: text.into(), folder: None, untested: None, unread: None }
    }

    /// A file of these bytes; where they are no text it cannot be read.
    pub fn of_bytes(name: impl Into<String>, bytes: &[u8]) -> RuleFile {
        let file = RuleFile::new(name, &String::from_utf8_lossy(bytes));
        match std::str::from_utf8(bytes) {
            Err(fault) if bytes.len() <= MAX_BYTES => {
                let at = fault.valid_up_to();
                let why = format!("the byte {:#04x} is no text in UTF-8", bytes[at]);
                let place = at..at + char::REPLACEMENT_CHARACTER.len_utf8();
                RuleFile { unread: Some(Unread { why, help: "save it as text in UTF-8", place }), ..file }
            }
            _ => file,
        }
    }

    /// A file that cannot be read.
    pub fn unread(name: impl Into<String>, why: impl Into<String>) -> RuleFile {
        let help = "a rule file is a plain file; what comes through a pipe is read with `-`";
        RuleFile { unread: Some(Unread { why: why.into(), help, place: 0..0 }), ..RuleFile::new(name, "") }
    }

    /// The same, in a folder where files of lists may lie.
    pub fn in_folder(self, folder: impl Into<PathBuf>) -> RuleFile {
        RuleFile { folder: Some(folder.into()), ..self }
    }

    /// The same without its tests, if they stand at its end: who runs the program's own rules has no use for them,
    /// and they are half of the text.
    pub fn without_tests(self) -> RuleFile {
        let begins = self.text.find("\ntests:").map(|at| at + 1);
        let at_end = |at: &usize| {
            self.text[*at..].lines().skip(1).all(|line| line.is_empty() || line.starts_with([' ', '-', '#']))
        };
        RuleFile { untested: begins.filter(at_end), ..self }
    }

    /// Whether its tests are not read.
    pub fn leaves_tests_out(&self) -> bool {
        self.untested.is_some()
    }

    /// The part of the text that is read.
    pub fn read(&self) -> Arc<str> {
        self.untested.map_or_else(|| Arc::clone(&self.text), |at| self.text[..at].into())
    }
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Test(Test),
    /// A column that makes the group has one of these texts.
    Column(ColumnTest),
    /// The group's risk, 0 to 100, lies above.
    Risk {
        above: f64,
        few: Few,
    },
    /// Whether the group is significant at the false-discovery rate of the run, with an effect that matters.
    Significant(bool),
    /// The pattern fits, with at most this p-value if one is asked for.
    Pattern {
        pattern: Pattern,
        p: Option<f64>,
    },
}

impl Node {
    /// Every test in the condition, in the order of the file.
    pub fn tests(&self) -> Vec<&Test> {
        self.leaves()
            .into_iter()
            .filter_map(|leaf| match leaf {
                Node::Test(test) => Some(test),
                _ => None,
            })
            .collect()
    }

    /// The conditions that have no parts, in the order of the file.
    pub fn leaves(&self) -> Vec<&Node> {
        match self {
            Node::All(nodes) | Node::Any(nodes) => nodes.iter().flat_map(Node::leaves).collect(),
            Node::Not(node) => node.leaves(),
            leaf => vec![leaf],
        }
    }

    /// The tests of columns, in the order of the file.
    pub fn columns(&self) -> Vec<&ColumnTest> {
        self.leaves()
            .into_iter()
            .filter_map(|leaf| match leaf {
                Node::Column(test) => Some(test),
                _ => None,
            })
            .collect()
    }

    /// Whether the condition asks about the group as a whole: its risk, significance or pattern.
    pub fn asks_of_the_whole(&self) -> bool {
        self.leaves().iter().any(|leaf| !matches!(leaf, Node::Test(_) | Node::Column(_)))
    }
}

/// One column of the group's key against texts.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnTest {
    pub column: Col,
    pub texts: Arc<BTreeSet<String>>,
}

/// One signal against one limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    pub signal: &'static Signal,
    pub limit: Limit,
    pub confidence: f64,
    pub min_sample: u64,
    /// Where the signal stands in a row, so that no name is looked up for every group.
    pub(super) at: usize,
}

impl Test {
    /// A signal against a limit at a confidence, unknown below a sample.
    pub fn new(signal: &'static Signal, limit: Limit, confidence: f64, min_sample: u64) -> Test {
        Test { signal, limit, confidence, min_sample, at: signals::place(signal) }
    }
}

/// What an interval is held against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// The lower limit of the interval lies above.
    Above(f64),
    /// The upper limit of the interval lies below.
    Below(f64),
    /// Both limits of the interval lie inside, ends included.
    Between(f64, f64),
    /// The signal, a counted fact, is this.
    Equals(f64),
    /// The signal has a value, or has none.
    Present(bool),
    /// The signal lies beyond that of the group's peers.
    Peers(PeerLimit),
    /// The signal lies beyond what the group itself had.
    Past(PastLimit),
}

/// How far beyond the group's own past a signal has to lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PastLimit {
    pub direction: Direction,
    /// How many times what it was.
    pub ratio: f64,
    /// How far back the past reaches, in seconds.
    pub over_s: f64,
}

/// How far beyond its peers a signal has to lie. The effect must be large enough to matter in any case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PeerLimit {
    pub direction: Direction,
    pub bar: Bar,
    /// The answer where the signal cannot be compared.
    pub few: Few,
    /// The limit of the same signal that is left to decide where there are too few peers.
    pub fixed: Option<f64>,
}

/// The directions in which a signal is compared with peers and can accuse.
pub(super) fn directions(signal: &Signal) -> &'static [Direction] {
    match (signal.against, signal.suspicious) {
        (Against::Nothing, _) | (_, Suspicious::Neither) => &[],
        (_, Suspicious::High) => &[Direction::High],
        (_, Suspicious::Low) => &[Direction::Low],
        (_, Suspicious::Either) => &[Direction::High, Direction::Low],
    }
}

/// The largest value of a test against peers that still counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bar {
    /// Of the q-value: with the price for everything that was looked at in the run.
    Q(f64),
    /// Of the p-value of this one signal and group.
    P(f64),
}

impl Limit {
    /// The key in the rule file.
    pub fn word(self) -> &'static str {
        match self {
            Limit::Above(_) => "above",
            Limit::Below(_) => "below",
            Limit::Between(..) => "between",
            Limit::Equals(_) => "equals",
            Limit::Present(_) => "present",
            Limit::Peers(PeerLimit { direction: Direction::High, .. }) => "above_peers",
            Limit::Peers(PeerLimit { direction: Direction::Low, .. }) => "below_peers",
            Limit::Past(PastLimit { direction: Direction::High, .. }) => "above_own_past",
            Limit::Past(PastLimit { direction: Direction::Low, .. }) => "below_own_past",
        }
    }

    /// The thresholds: one (against peers the q or p-value, against the past the ratio), two for `between`, none
    /// for `present`.
    pub fn values(self) -> Vec<f64> {
        match self {
            Limit::Above(v) | Limit::Below(v) | Limit::Equals(v) => vec![v],
            Limit::Past(past) => vec![past.ratio],
            Limit::Between(low, high) => vec![low, high],
            Limit::Present(_) => Vec::new(),
            Limit::Peers(PeerLimit { bar: Bar::Q(v) | Bar::P(v), .. }) => vec![v],
        }
    }

    /// The threshold for people: `30%`, `10s to 30s`, `present`, `q 0.1`.
    pub fn text(self, unit: Unit) -> String {
        let short = |v: f64| unit.format(v).replace(".0%", "%");
        match self {
            Limit::Present(true) => "present".to_owned(),
            Limit::Present(false) => "absent".to_owned(),
            Limit::Peers(PeerLimit { bar: Bar::Q(q), .. }) => format!("q {q}"),
            Limit::Peers(PeerLimit { bar: Bar::P(p), .. }) => format!("p {p}"),
            Limit::Past(past) => {
                format!("{} times its own of {}", past.ratio, Unit::Seconds.format(past.over_s))
            }
            _ => self.values().into_iter().map(short).collect::<Vec<_>>().join(" to "),
        }
    }
}

/// An inline test: what is given and what the rule must answer.
#[derive(Clone, Debug)]
pub struct Example {
    pub name: String,
    /// Signals that are not listed are absent.
    pub given: Vec<(&'static Signal, Reading)>,
    /// Texts of the columns that make the group.
    pub key: Vec<(Col, Option<String>)>,
    /// How the group stands among its peers; signals without a q or p-value are not compared.
    pub profile: Profile,
    /// What it had in earlier nights.
    pub past: Past,
    pub expect: Expect,
    /// Where it stands in the rule's file.
    pub span: Range<usize>,
}

/// The answer of a condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Truth {
    Fires,
    Silent,
    /// Cannot be told, with every reason that stood in the way; groups that lack the same share them.
    Unknown(Arc<[Why]>),
}

impl Truth {
    /// The word that an inline test expects for this answer.
    pub fn as_expected(&self) -> Expect {
        match self {
            Truth::Fires => Expect::Fires,
            Truth::Silent => Expect::Silent,
            Truth::Unknown(_) => Expect::Unknown,
        }
    }
}

/// Why a test could not be decided.
#[derive(Clone, Debug, PartialEq)]
pub enum Why {
    /// The signal has no value for the group.
    Absent { signal: &'static Signal, absence: Absence },
    /// The sample is smaller than the test asks for.
    Sample { signal: &'static Signal, n: u64, needed: u64 },
    /// The signal could not be held against peers.
    Peers { signal: &'static Signal, why: TooFew },
    /// Nothing of the group could be compared, so that it has no risk and no pattern.
    Uncompared,
    /// There are no stored runs to compare the signal with.
    NoHistory { signal: &'static Signal },
    /// There are stored runs, but too few in which the signal had a value, or nothing is new tonight.
    ShortHistory { signal: &'static Signal },
    /// The group is not made of this column.
    Column(Col),
    /// All rows of the group that the rule asks about are too young.
    TooYoung(Arc<Cut>),
    /// No input has these columns, by which the rule limits its rows.
    Untold(Vec<Col>),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Absent { signal, absence } => write!(f, "{}: {absence}", signal.name),
            Why::Sample { signal, n, needed } => {
                write!(f, "{}: a sample of {n}, at least {needed} needed", signal.name)
            }
            Why::Peers { signal, why } => write!(f, "{}: {why}", signal.name),
            Why::Uncompared => f.write_str("nothing could be compared with peers"),
            Why::NoHistory { signal } => {
                write!(f, "{}: there are no stored runs to compare with", signal.name)
            }
            Why::ShortHistory { signal } => {
                write!(f, "{}: fewer than {LEAST_NIGHTS} earlier nights to compare with", signal.name)
            }
            Why::Column(column) => write!(f, "{column}: the groups are not made of this column"),
            Why::TooYoung(cut) => write!(f, "{cut}: all clicks of the group are younger"),
            Why::Untold(columns) => {
                let names: Vec<&str> = columns.iter().map(|column| column.name()).collect();
                write!(f, "{}: no column is mapped, so that the rule's rows cannot be told", names.join(", "))
            }
        }
    }
}

/// A test that held on the way to [`Truth::Fires`].
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    pub signal: &'static Signal,
    pub estimate: Estimate,
    pub limit: Limit,
    pub confidence: f64,
    /// How it stands against its peers, where that was the test.
    pub versus: Option<Versus>,
    /// What the group itself had, where that was the test.
    pub own: Option<Own>,
    /// The rows that it is about; none = all of the group's.
    pub cut: Option<Arc<Cut>>,
}

/// What earlier runs say of a rule that fires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nights {
    /// The rule does not ask, or there are no stored runs.
    #[default]
    Unasked,
    /// It has not held often enough yet.
    Waiting,
    /// It has held as often as it must.
    Confirmed,
}

/// What one rule says of one group.
#[derive(Clone, Debug)]
pub struct Outcome<'a> {
    pub rule: &'a Rule,
    pub truth: Truth,
    /// Empty unless the rule fires.
    pub evidence: Vec<Evidence>,
    /// The rule's message, if it has one and fires.
    pub message: Option<String>,
    pub nights: Nights,
    /// The condition itself fires: it is not only that what began has not ended.
    pub anew: bool,
    /// What the rows come to that it asks about, if it fires and does not ask about all.
    pub part: Option<Arc<Part>>,
}

/// What the rows of a cut come to for one group.
#[derive(Clone, Debug)]
pub struct Part {
    pub row: Row,
    pub spend: Option<Micro>,
    /// The payouts (or the revenue) of its conversions that could be invalid.
    pub at_stake: Option<Micro>,
}

impl<'a> Outcome<'a> {
    /// The rule did not fire.
    pub fn silent(rule: &'a Rule) -> Outcome<'a> {
        Outcome {
            rule,
            truth: Truth::Silent,
            evidence: Vec::new(),
            message: None,
            nights: Nights::Unasked,
            anew: false,
            part: None,
        }
    }

    /// The rule has no answer, for this reason.
    pub fn unknown(rule: &'a Rule, why: Why) -> Outcome<'a> {
        Outcome { truth: Truth::Unknown([why].into()), ..Outcome::silent(rule) }
    }

    /// What is said of the group: the message, or else the rule's title, and of which rows.
    pub fn title(&self) -> String {
        let title = self.message.as_deref().unwrap_or(&self.rule.title);
        self.rule.cut.as_ref().map_or(title.to_owned(), |cut| format!("{title} ({cut})"))
    }
}

#[cfg(test)]
impl Rule {
    /// A holding rule that fires on any short CTIT share; tests change what they are about.
    pub fn sample(id: &str) -> Rule {
        let signal = crate::signals::find("ctit_short_share").expect("the signal is declared");
        let test = Test::new(signal, Limit::Above(0.3), 0.95, 10);
        Rule {
            id: id.to_owned(),
            title: "A sample".to_owned(),
            status: Status::Stable,
            class: Class::Fraud,
            action: Action::Hold,
            alone: false,
            decides: true,
            deterministic: false,
            allowed_by: None,
            family: signal.family,
            by: None,
            cut: None,
            why: "For tests.".to_owned(),
            innocent: Vec::new(),
            references: Vec::new(),
            tags: Vec::new(),
            owner: None,
            message: None,
            replaced_by: None,
            packs: vec![Pack::Core],
            replaces: None,
            observe: false,
            changed: Vec::new(),
            params: Vec::new(),
            when: Node::Test(test),
            places: Vec::new(),
            runs: None,
            clear: None,
            tests: Vec::new(),
            file: RuleFile::new(format!("{id}.yml"), ""),
        }
    }
}
