//! The report: what was judged, turned into bytes for a reader.
//!
//! One file per format, each ending in its [`Format`] declaration; [`FORMATS`] is the table of them, and help,
//! `-o` and the tests are loops over it. A renderer reads a finished [`Report`] and computes nothing but its
//! presentation; it prints nothing, opens no file and never sees the engine. Text from the data goes through
//! the encoder of [`Text`] that belongs to the format.

mod brief;
mod covering;
mod csv;
pub mod evidence;
pub mod explain;
mod forwarded;
mod html;
mod idle;
pub mod json;
pub mod lists;
mod markdown;
mod money;
mod news;
mod output;
mod parquet;
mod phrase;
mod pictures;
mod prometheus;
mod ruling;
mod signs;
mod terminal;
pub mod workbook;

#[cfg(test)]
mod sample;

pub use covering::cover_rejects;
pub use csv::{rejects, rows as csv_rows, text_cell as csv_cell};
pub use forwarded::{FAULTS, lines as forwarded_lines};
pub use news::{Arrived, First, Moved, News};
pub use output::{Checked, FileOf, Job, Output, Target, Verified, Written};
pub use output::{
    check, put_files, put_streams, run_id, schema as manifest_schema, shows_conversions, verify, write,
};
pub use pictures::{CTIT, Day, Pictures, RANKS, Spread};
pub use ruling::{RuleTally, RulesInfo, unanswered};

use crate::base::column::Grain;
use crate::base::error::Result;
use crate::base::money::Micro;
use crate::base::networks::{Network, Widest};
use crate::base::privacy::Pii;
use crate::base::text::Text;
use crate::ingest::Sources;
use crate::matching::forwarded::Forwarded;
use crate::measures::Incident;
use crate::peers::anomaly::Odd;
use crate::peers::{Sibling, Summary};
use crate::verdicts::{Judged, Listing, Resold, Verdict};
use evidence::Dossier;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

/// Everything that one audit has to say.
pub struct Report<'r> {
    pub run: RunInfo,
    pub coverage: Coverage,
    pub totals: Totals,
    /// What the comparison with peers came to.
    pub peers: Summary,
    /// Days of an offer, a network or the whole input that judge no source.
    pub incidents: Vec<Incident>,
    /// Networks of one offer beside each other, where offers and networks are audited.
    pub siblings: Vec<Sibling>,
    /// What the traffic sources were told of conversions, where that was given.
    pub forwarded: Option<Forwarded>,
    /// The judged groups, in any order; renderers go through [`Report::ordered`], which is fast on those that are
    /// [arranged](arrange).
    pub groups: Vec<Judged<'r>>,
    /// Sources that send the same visitors; groups say which cluster they are in.
    pub clusters: Vec<Resold>,
    pub lists: Lists,
    /// The conversions of flagged groups, where an output shows them.
    pub dossiers: Vec<Dossier>,
    /// The nights before this one; `None` without a store.
    pub history: Option<History>,
    /// What each rule said of the groups it was asked about, by id.
    pub rules: Vec<RuleTally<'r>>,
    /// The pictures of the gravest groups, as many as an output shows.
    pub pictures: Gallery,
    /// What changed since the night before, where nights are remembered, or since an earlier run that is named.
    pub news: Option<News>,
}

/// What changed about one group since the night before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// At watch or graver, and was not.
    New,
    /// Graver than before.
    Worse,
    /// Milder than before, and not yet clear.
    Better,
    /// No longer at watch or graver.
    Cleared,
}

impl Change {
    pub const ALL: [Change; 4] = [Change::New, Change::Worse, Change::Better, Change::Cleared];

    /// The word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Change::New => "new",
            Change::Worse => "worse",
            Change::Better => "better",
            Change::Cleared => "cleared",
        }
    }

    /// From one verdict to another; `None` where nobody has to know. A group that was not there before had no
    /// verdict.
    pub fn between(before: Option<Verdict>, now: Verdict) -> Option<Change> {
        let acts = |verdict: Verdict| verdict <= Verdict::Watch;
        match before {
            Some(before) if acts(before) && !acts(now) => Some(Change::Cleared),
            Some(before) if acts(before) && now < before => Some(Change::Worse),
            Some(before) if acts(before) && now > before => Some(Change::Better),
            Some(before) if acts(before) => None,
            _ => acts(now).then_some(Change::New),
        }
    }
}

/// The nights before this one.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// This night, and the one before; in days since 1970.
    pub night: i32,
    pub before: Option<i32>,
    /// How many nights there are before this one.
    pub nights: usize,
    /// The store holds later nights: this one is run again.
    pub is_past: bool,
    /// Flagged groups that sent nothing tonight, with what is still done about them.
    pub silent: Vec<(Vec<Option<Text>>, Verdict)>,
    /// Groups that sent a lot and have stopped.
    pub gone: Vec<Vec<Option<Text>>>,
}

/// Pictures by grain and key of the group.
pub type Gallery = BTreeMap<Grain, BTreeMap<Vec<Option<Text>>, Pictures>>;

/// Groups in the order of every output: verdict by severity, money at risk from large to small, key.
pub fn ordered<'g, 'r>(groups: &'g [Judged<'r>]) -> Vec<&'g Judged<'r>> {
    let mut groups: Vec<&Judged> = groups.iter().collect();
    groups.sort_by_key(|group| rank(group));
    groups
}

fn rank<'g>(group: &'g Judged) -> impl Ord + use<'g> {
    (group.verdict, Reverse(group.money_at_risk), &group.subject.key)
}

/// Puts groups into the order of every output, so that each of many outputs finds them sorted.
pub fn arrange(groups: &mut [Judged]) {
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by_key(|&at| rank(&groups[at]));
    // Groups are large: each is moved at most twice.
    for at in 0..order.len() {
        let mut from = order[at];
        while from < at {
            from = order[from];
        }
        groups.swap(at, from);
    }
}

impl<'r> Report<'r> {
    /// The groups in the order of every output.
    pub fn ordered(&self) -> Vec<&Judged<'r>> {
        ordered(&self.groups)
    }

    /// The groups of the audited grain, in the order of every output; rules may have asked for others.
    pub fn audited(&self) -> Vec<&Judged<'r>> {
        let mut audited = self.ordered();
        audited.retain(|g| g.subject.grain == self.run.grain);
        audited
    }

    /// The pictures of a group; `None` where it is not among those that have any.
    pub fn pictures(&self, group: &Judged) -> Option<&Pictures> {
        self.pictures.get(&group.subject.grain)?.get(&group.subject.key)
    }

    /// What changed about a group since the night before; `None` where nothing did, or nothing is known.
    pub fn change(&self, group: &Judged) -> Option<Change> {
        Change::between(group.kept.as_ref()?.before, group.verdict)
    }

    /// `since 2026-03-14: 1 new, 2 worse, 0 better, 1 cleared`; `None` without a store.
    pub fn since_before(&self) -> Option<String> {
        let history = self.history.as_ref()?;
        let Some(before) = history.before else {
            return Some(format!(
                "the first night in the store: who is bad is on watch until a second night; {}",
                "proof and lost money act at once"
            ));
        };
        let count = |change: Change| self.groups.iter().filter(|g| self.change(g) == Some(change)).count();
        let counts = Change::ALL.map(|change| format!("{} {}", count(change), change.word()));
        let also = |n: usize, what: &str| if n > 0 { format!("; {n} {what}") } else { String::new() };
        Some(format!(
            "since {}: {}{}{}",
            crate::base::time::show_day(before),
            counts.join(", "),
            also(history.silent.len(), "flagged and silent"),
            also(history.gone.len(), "gone")
        ))
    }

    /// Keeps only what changed since the night before; lists were made already and stay whole.
    pub fn keep_news(&mut self) {
        let news: Vec<bool> = self.groups.iter().map(|g| self.change(g).is_some()).collect();
        let mut left = news.iter();
        self.groups.retain(|_| left.next() == Some(&true));
        // Dossiers name their group by its place.
        self.dossiers.retain(|dossier| news[dossier.group]);
        for dossier in &mut self.dossiers {
            dossier.group = news[..dossier.group].iter().filter(|kept| **kept).count();
        }
    }

    /// Whether every group that is still here has changed since the night before.
    pub fn is_only_news(&self) -> bool {
        self.history.is_some() && self.groups.iter().all(|g| self.change(g).is_some())
    }

    /// The members of every cluster in the order of every output.
    pub fn clustered(&self) -> Vec<Vec<&Judged<'r>>> {
        let mut members = vec![Vec::new(); self.clusters.len()];
        for group in self.ordered() {
            if let Some(of_cluster) = group.outlook.shared.and_then(|s| members.get_mut(s.cluster)) {
                of_cluster.push(group);
            }
        }
        members
    }

    /// Odd groups that no verdict holds yet, the oddest first: of every hundred groups one is the oddest.
    pub fn odd(&self) -> Vec<(&Judged<'r>, &Odd)> {
        let open = self.ordered().into_iter().filter(|g| g.verdict > Verdict::Hold);
        let mut odd: Vec<(&Judged<'r>, &Odd)> = open
            .filter_map(|g| Some((g, g.outlook.odd.as_ref()?)))
            .filter(|(_, odd)| odd.oddness.rank_p <= ODD_RANK && odd.oddness.score > ORDINARY_SCORE)
            .collect();
        odd.sort_by(|a, b| b.1.oddness.score.total_cmp(&a.1.oddness.score));
        odd.truncate(ODD_SHOWN);
        odd
    }
}

/// Odd groups are among so small a part of all, and score above what ordinary ones do.
const ODD_RANK: f64 = 0.01;
const ORDINARY_SCORE: f64 = 0.5;
/// Odd groups that are listed.
const ODD_SHOWN: usize = 10;

/// What was run on what.
#[derive(Clone, Debug)]
pub struct RunInfo {
    pub version: &'static str,
    pub inputs: Vec<InputInfo>,
    /// Digest of the rule set, and what it is made of.
    pub rules_digest: String,
    pub rules: RulesInfo,
    pub grain: Grain,
    /// First and last click day, in days since 1970 in `tz`; `None` if no input has a day.
    pub window: Option<(i32, i32)>,
    /// The moment up to which the input is taken to be complete, in UTC microseconds.
    pub as_of: Option<i64>,
    /// The time zone in which days are cut.
    pub tz: String,
    /// Whose cost and revenue are meant: buyer, network or advertiser.
    pub perspective: &'static str,
    pub currency: Option<Text>,
    /// The rates that amounts in other currencies were exchanged at.
    pub rates: Vec<RateInfo>,
    /// Clicks younger than this many seconds are no evidence of missing conversions.
    pub maturity_s: u64,
    /// Whatever else was set for this run, by name.
    pub parameters: BTreeMap<&'static str, String>,
    /// What outputs show of personal values.
    pub pii: Pii,
}

/// One input file.
#[derive(Clone, Debug)]
pub struct InputInfo {
    pub path: Text,
    /// What it was read as: clicks, conversions, combined, report, costs.
    pub side: &'static str,
    pub digest: String,
    /// The preset or mapping that read it.
    pub preset: String,
    pub rows: RowCount,
}

/// Rows read = used + rejected + duplicate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowCount {
    pub read: u64,
    pub used: u64,
    /// Rows that could not be used, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Rows that say what another row already said, by reason.
    pub duplicate: BTreeMap<String, u64>,
}

impl RowCount {
    /// True if no row was lost silently.
    pub fn balances(&self) -> bool {
        let lost: u64 = self.rejected.values().chain(self.duplicate.values()).sum();
        self.read == self.used + lost
    }
}

/// How much of the input the verdicts rest on.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// `None` where no such input was given.
    pub clicks: Option<RowCount>,
    pub conversions: Option<RowCount>,
    pub classes: Classes,
    /// Click IDs that stand under two sources.
    pub conflicts: u64,
    pub absent: Vec<AbsentSignal>,
    /// Reasons why the whole input cannot be judged; with any of them no list is written.
    pub gates: Vec<Gate>,
    /// Whatever else a reader has to know, one sentence each.
    pub notes: Vec<Text>,
    /// Those of the notes that whoever set up the run has to act on: what was asked for and has no effect, or no
    /// longer.
    pub idle_settings: Vec<Text>,
}

/// A rate that amounts were exchanged at.
#[derive(Clone, Debug)]
pub struct RateInfo {
    pub currency: Text,
    /// The day the rate is of; `None` for a constant of the mapping.
    pub day: Option<String>,
    /// Units of the report's currency for one unit.
    pub rate: String,
}

/// How the conversions relate to the clicks; each conversion is in exactly one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Classes {
    pub matched: u64,
    pub orphan: u64,
    pub outside_span: u64,
    /// Of clicks older than the window, known from the index of a store.
    pub older_click: u64,
    pub before_click: u64,
    pub retry: u64,
    pub update: u64,
    pub replay: u64,
    pub without_id: u64,
}

impl Classes {
    /// The classes as (name, words for people, count), in the order of reports. Older clicks are known only to a
    /// run with a store.
    pub fn table(&self) -> Vec<(&'static str, &'static str, u64)> {
        let older = ("older_click", "of clicks before the window", self.older_click);
        let mut table = vec![
            ("matched", "matched", self.matched),
            ("orphan", "orphans", self.orphan),
            ("outside_span", "outside the span", self.outside_span),
            ("before_click", "before their click", self.before_click),
            ("retry", "retries", self.retry),
            ("update", "updates", self.update),
            ("replay", "replays", self.replay),
            ("without_id", "without a click ID", self.without_id),
        ];
        if self.older_click > 0 {
            table.insert(3, older);
        }
        table
    }
}

/// A signal that some groups do not have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AbsentSignal {
    pub signal: &'static str,
    pub reason: String,
    pub groups: u64,
}

/// A check on the whole input that fired.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gate {
    pub name: &'static str,
    pub sentence: Text,
}

/// The whole input in numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    pub clicks: u64,
    pub conversions: u64,
    pub cost: Option<Micro>,
    pub revenue: Option<Micro>,
    pub profit: Option<Micro>,
    pub payout: Option<Micro>,
}

/// The lists that this run allows.
pub struct Lists {
    pub block: List,
    pub profit: List,
    pub scale: List,
    /// Addresses that no list may touch.
    pub protected: Vec<Network>,
    /// The widest network that a list may hold.
    pub widest: Widest,
    /// Whose lists have which dialect.
    pub sources: Arc<Sources>,
}

/// One list, or why there is none.
pub enum List {
    Ready(Listing),
    /// A gate or the brake: the file that stands is left as it was.
    Withheld(String),
}

impl List {
    /// The list as one list of IDs, or why there is none.
    pub fn merged(&self) -> std::result::Result<&Listing, &str> {
        match self {
            List::Withheld(why) => Err(why),
            List::Ready(listing) => listing.mixed.as_deref().map_or(Ok(listing), Err),
        }
    }
}

/// One kind of output.
pub struct Format {
    /// As written in `-o NAME=PATH`.
    pub name: &'static str,
    pub summary: &'static str,
    /// True if the output acts on the world by itself, so that gates and the brake withhold it.
    pub list: bool,
    pub kind: Kind,
    /// How many groups at watch or graver it shows with their [`Pictures`].
    pub pictures: usize,
    pub render: fn(&Report, &Look) -> Result<Rendered>,
}

/// What an output is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text that may carry colours for a terminal.
    Styled,
    Text,
    /// Bytes that no terminal shows.
    Binary,
    /// Several files in a folder of their own.
    Folder,
}

/// What a renderer made.
#[derive(Debug)]
pub enum Rendered {
    Bytes(Vec<u8>),
    /// Too large to be held: whoever has the sink calls this with the same report.
    Streamed(fn(&Report, &mut dyn Write) -> Result<()>),
    /// The files of a folder.
    Files(Vec<NamedFile>),
    /// Nothing is to be written, for this reason.
    Withheld(String),
}

impl Rendered {
    /// All that was rendered, one file after the other; `None` where it is withheld.
    ///
    /// # Errors
    /// A streamed output that cannot be made.
    pub fn collected(self, report: &Report) -> Result<Option<Vec<u8>>> {
        Ok(match self {
            Rendered::Bytes(bytes) => Some(bytes),
            Rendered::Streamed(write) => {
                let mut bytes = Vec::new();
                write(report, &mut bytes)?;
                Some(bytes)
            }
            Rendered::Files(files) => {
                Some(files.into_iter().flat_map(|f| [f.name.into_bytes(), f.bytes].concat()).collect())
            }
            Rendered::Withheld(_) => None,
        })
    }
}

/// One file of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFile {
    /// Relative to the folder, parts joined by `/`; never data as it is: see [`Text::file_name`].
    pub name: String,
    pub bytes: Vec<u8>,
}

/// How the reader sees it; only the table cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Cells of the terminal; `None` if it is not one, and nothing is wrapped or cut to fit.
    pub width: Option<usize>,
    pub colour: bool,
}

impl Look {
    /// For files and pipes.
    pub const PLAIN: Look = Look { width: None, colour: false };
}

/// Every output format.
pub const FORMATS: &[Format] = &[
    terminal::FORMAT,
    html::FORMAT,
    json::FORMAT,
    json::LINES_FORMAT,
    csv::FORMAT,
    money::FORMAT,
    brief::FORMAT,
    markdown::FORMAT,
    workbook::FORMAT,
    parquet::SIGNALS_FORMAT,
    parquet::FINDINGS_FORMAT,
    prometheus::FORMAT,
    evidence::FORMAT,
    lists::BLOCK_FORMAT,
    lists::PROFIT_FORMAT,
    lists::SCALE_FORMAT,
];

impl Format {
    /// The format of this name.
    pub fn find(name: &str) -> Option<&'static Format> {
        FORMATS.iter().find(|f| f.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::destination::Destination;
    use crate::base::dialect::DIALECTS;
    use crate::base::text::HOSTILE;

    fn bytes(format: &Format, report: &Report) -> Vec<u8> {
        let rendered = (format.render)(report, &Look::PLAIN).unwrap();
        rendered.collected(report).unwrap().unwrap_or_else(|| panic!("{} is withheld", format.name))
    }

    #[test]
    fn formats_are_unique_and_described() {
        for (i, format) in FORMATS.iter().enumerate() {
            assert!(!format.summary.is_empty() && !format.name.contains(['=', ' ']), "{}", format.name);
            assert!(FORMATS[..i].iter().all(|f| f.name != format.name), "{}", format.name);
        }
    }

    #[test]
    fn the_order_of_groups_changes_no_byte() {
        let rules = sample::rules();
        for format in FORMATS {
            let mut report = sample::with_outlook(&rules);
            let straight = bytes(format, &report);
            report.groups.reverse();
            report.run.inputs.reverse();
            report.coverage.absent.reverse();
            assert_eq!(bytes(format, &report), straight, "{}", format.name);
        }
    }

    #[test]
    fn arranged_groups_are_in_the_order_of_every_output() {
        let rules = sample::rules();
        let key = |group: &Judged| format!("{:?}", group.subject.key);
        for turn in 0..5 {
            let mut groups = sample::with_outlook(&rules).groups;
            let expected: Vec<String> = ordered(&groups).into_iter().map(key).collect();
            groups.rotate_left(turn);
            groups.swap(1, 5);
            arrange(&mut groups);
            assert_eq!(groups.iter().map(key).collect::<Vec<_>>(), expected, "{turn}");
        }
    }

    #[test]
    fn an_input_without_anything_can_be_reported() {
        for format in FORMATS {
            bytes(format, &sample::empty());
        }
    }

    #[test]
    fn hostile_text_is_harmless_in_every_format() {
        let rules = sample::rules();
        for text in HOSTILE {
            let mut report = sample::hostile(&rules, text);
            report.news = Some(sample::news(text));
            for format in FORMATS {
                if format.kind == Kind::Binary {
                    continue; // Read back by a program that knows the format: in its own tests.
                }
                let out = String::from_utf8(bytes(format, &report)).unwrap();
                let active = |c: char| c.is_control() && !matches!(c, '\n' | '\r');
                assert!(!out.contains(active), "{} {text:?}: {out:?}", format.name);
                assert!(
                    !out.contains(['\u{202e}', '\u{2066}', '\u{200b}', '\u{2028}', '\u{feff}']),
                    "{text:?}"
                );
                let plain = ["csv", "evidence", "html", "money", "prom", "table"].contains(&format.name);
                assert!(plain || !out.contains('<'), "{} {text:?}", format.name);
            }
        }
    }

    /// A text as long as no reader lets pass, in every sink: none of them fails, and what shows people a text cuts it.
    #[test]
    fn a_text_of_ten_megabytes_is_harmless_in_every_format() {
        let rules = sample::rules();
        let mut report = sample::hostile(&rules, "x");
        let long = ["*::* \u{1b}]8;;\u{7}=1+1\n", "\u{0}\u{202e}</script>"].concat().repeat(400_000);
        assert!(long.len() > 10 << 20);
        report.groups[0].subject.key[1] = Some(Text::new(long));
        report.cover(&Pii::Mask);
        for format in FORMATS {
            let out = bytes(format, &report);
            let people = ["table", "html", "brief", "md", "prom"].contains(&format.name);
            assert!(!people || out.len() < 1 << 20, "{}: {}", format.name, out.len());
            let text = String::from_utf8_lossy(&out);
            assert!(
                format.kind == Kind::Binary || !text.contains(['\u{1b}', '\u{0}', '\u{202e}']),
                "{}",
                format.name
            );
        }
    }

    /// Every list in every dialect: whatever stands in the data is an entry as it is, or none.
    #[test]
    fn hostile_text_is_on_no_list_of_any_dialect() {
        let rules = sample::rules();
        let parts = ["a\nb", "*", "../../x", "\u{0}", "a,b", "34567::*"];
        for text in HOSTILE.iter().copied().chain(parts) {
            let report = sample::hostile(&rules, text);
            for (format, dialect) in
                FORMATS.iter().filter(|f| f.list).flat_map(|f| DIALECTS.iter().map(move |d| (f, d)))
            {
                let to = Destination::parse("lists/{traffic_source}.txt").unwrap();
                for file in lists::files(&report, format.name, dialect, false, &to).unwrap() {
                    assert_eq!(dialect.read(&file.text), [""; 0], "{} {text:?}: {}", dialect.name, file.text);
                    let parts: Vec<_> = file.path.components().collect();
                    assert!(
                        file.path.starts_with("lists") && parts.len() == 2,
                        "{text:?}: {}",
                        file.path.display()
                    );
                    let refused = lists::files_of(&file).pop().map_or(Vec::new(), |f| f.bytes);
                    let told = String::from_utf8(refused).unwrap();
                    assert!(!told.contains(|c: char| c.is_control() && c != '\n'), "{text:?}: {told:?}");
                }
            }
        }
    }

    #[test]
    fn rows_balance() {
        let mut rows = RowCount { read: 10, used: 7, ..RowCount::default() };
        rows.rejected.insert("bad click_time".into(), 2);
        assert!(!rows.balances());
        rows.duplicate.insert("same click ID".into(), 1);
        assert!(rows.balances());
    }
}
