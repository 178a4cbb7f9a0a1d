//! Properties over generated exports: the pipeline says what the naive reference says, and what must not
//! matter changes no byte.
//!
//! The tables are small and their values few, so that ties and collisions are the rule.

mod dense;
mod peered;

use crate::reference::{
    self, ClickRow, ConversionRow, Cut, DAY, Facts, Key, Local, Perspective, SECOND, Scope, Signals, Value,
};
use clickaudit::audit::{Audited, Settings, audit};
use clickaudit::base::column::Grain;
use clickaudit::base::networks::Widest;
use clickaudit::base::text::Text;
use clickaudit::base::yaml;
use clickaudit::ingest::mapping::MappingFile;
use clickaudit::ingest::shelf::{Fresh, Wish};
use clickaudit::ingest::{self, Inputs, Mapping, Plan, Shape, TransactionScope};
use clickaudit::report::{Format, Look};
use clickaudit::rules::{Pack, RuleFile, RuleSet};
use clickaudit::signals;
use clickaudit::store::Store;
use clickaudit::verdicts::{Brake, Protect, Verdict};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngSeed, TestCaseResult, TestRunner};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

// ---------------------------------------------------------------- columns and files

const CLICK_COLUMNS: &[&str] = &[
    "click_id",
    "click_time",
    "traffic_source",
    "source",
    "offer",
    "network",
    "country",
    "ip",
    "user_agent",
    "asn",
    "is_bot",
    "is_datacenter",
    "is_vpn",
    "is_tor",
    "is_known_bot",
    "is_headless",
    "click_country",
    "keyword",
    "referrer",
    "hit_type",
    "lander_click_time",
    "cost",
];

const CONVERSION_COLUMNS: &[&str] = &[
    "conversion_id",
    "transaction_id",
    "click_id",
    "event",
    "conversion_time",
    "click_time",
    "status_time",
    "status",
    "payout",
    "revenue",
    "sale_amount",
    "player_id",
    "fraud_reason",
    "reject_reason",
    "country",
    "ip",
    "traffic_source",
    "source",
    "offer",
    "network",
    "request",
    "http_status",
    "sender_listed",
    "token_verdict",
    "signature_verdict",
    "macro_left",
];

/// One cell as the export writes it.
#[derive(Clone, Debug, PartialEq)]
enum Cell {
    Text(Option<String>),
    Time(Option<i64>),
    Money(Option<i64>),
    Flag(Option<bool>),
}

fn click_cells(row: &ClickRow) -> Vec<Cell> {
    let text = |t: &Option<String>| Cell::Text(t.clone());
    vec![
        text(&row.click_id),
        Cell::Time(Some(row.time)),
        text(&row.traffic_source),
        text(&row.source),
        text(&row.offer),
        text(&row.network),
        text(&row.country),
        text(&row.ip),
        text(&row.user_agent),
        text(&row.asn),
        Cell::Flag(row.is_bot),
        Cell::Flag(row.is_datacenter),
        Cell::Flag(row.is_vpn),
        Cell::Flag(row.is_tor),
        Cell::Flag(row.is_known_bot),
        Cell::Flag(row.is_headless),
        text(&row.click_country),
        text(&row.keyword),
        text(&row.referrer),
        text(&row.hit_type),
        Cell::Time(row.lander_time),
        Cell::Money(row.cost),
    ]
}

fn conversion_cells(row: &ConversionRow) -> Vec<Cell> {
    let text = |t: &Option<String>| Cell::Text(t.clone());
    vec![
        text(&row.conversion_id),
        text(&row.transaction_id),
        text(&row.click_id),
        text(&row.event),
        Cell::Time(Some(row.time)),
        Cell::Time(row.click_time),
        Cell::Time(row.status_time),
        text(&row.status),
        Cell::Money(row.payout),
        Cell::Money(row.revenue),
        Cell::Money(row.sale_amount),
        text(&row.player_id),
        text(&row.fraud_reason),
        text(&row.reject_reason),
        text(&row.country),
        text(&row.ip),
        text(&row.traffic_source),
        text(&row.source),
        text(&row.offer),
        text(&row.network),
        text(&row.request),
        Cell::Money(row.http_status),
        Cell::Flag(row.sender_listed),
        text(&row.token),
        text(&row.signature),
        Cell::Flag(row.macro_left),
    ]
}

/// `2026-03-29 02:30:00.500000` of local microseconds (Howard Hinnant's `civil_from_days`).
fn written(local: i64) -> String {
    let (days, rest) = (local.div_euclid(DAY), local.rem_euclid(DAY));
    let z = days + 719_468;
    let of_era = z.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + z.div_euclid(146_097) * 400 + i64::from(month <= 2);
    let (seconds, micros) = (rest / SECOND, rest % SECOND);
    let fraction = if micros == 0 { String::new() } else { format!(".{micros:06}") };
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{fraction}")
}

fn cell_text(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => text.clone().unwrap_or_default(),
        Cell::Time(time) => time.map_or("NULL".to_owned(), written),
        Cell::Flag(flag) => flag.map_or("", |yes| if yes { "yes" } else { "0" }).to_owned(),
        Cell::Money(None) => String::new(),
        Cell::Money(Some(micro)) => {
            let sign = if *micro < 0 { "-" } else { "" };
            format!("{sign}{}.{:06}", micro.abs() / 1_000_000, micro.abs() % 1_000_000)
        }
    }
}

/// A table as it lies on disk: only the columns that the export has.
#[derive(Clone, Debug)]
struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
    /// Rows whose time is no time.
    bad_rows: usize,
}

impl Table {
    fn new(
        all: &[&'static str],
        has: &BTreeSet<&'static str>,
        rows: Vec<Vec<Cell>>,
        bad_rows: usize,
    ) -> Table {
        let keep: Vec<usize> = (0..all.len()).filter(|&i| has.contains(all[i])).collect();
        let row = |cells: Vec<Cell>| keep.iter().map(|&i| cells[i].clone()).collect();
        let header = keep.iter().map(|&i| all[i]).collect();
        Table { header, rows: rows.into_iter().map(row).collect(), bad_rows }
    }

    fn csv(&self) -> String {
        let quoted = |text: String| {
            let needs = text.contains(['"', ',', '\n']);
            if needs { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
        };
        let line = |row: &Vec<Cell>| row.iter().map(|c| quoted(cell_text(c))).collect::<Vec<_>>().join(",");
        let bad = self.header.iter().map(|h| if h.ends_with("_time") { "yesterday" } else { "x" });
        let bad = bad.collect::<Vec<_>>().join(",");
        let lines = std::iter::once(self.header.join(","))
            .chain(self.rows.iter().map(line))
            .chain(std::iter::repeat_n(bad, self.bad_rows));
        lines.flat_map(|l| [l, "\n".to_owned()]).collect()
    }
}

/// The one place that names the engine: the same table as a typed Parquet file.
fn write_parquet(table: &Table, path: &Path, group: usize) {
    use polars::prelude::*;
    let column = |(at, name): (usize, &&'static str)| {
        let cells = || table.rows.iter().map(|row| &row[at]);
        let integer = |c: &Cell| match c {
            Cell::Time(v) | Cell::Money(v) => *v,
            Cell::Text(_) | Cell::Flag(_) => None,
        };
        let flag = |c: &Cell| if let Cell::Flag(flag) = c { *flag } else { None };
        let text = |c: &Cell| match c {
            Cell::Text(t) => t.clone(),
            _ => None,
        };
        let integers = || cells().map(integer).collect::<Vec<Option<i64>>>();
        let name = PlSmallStr::from_static(name);
        let series = match table.rows.first().map(|row| &row[at]) {
            Some(Cell::Time(_)) => {
                let times = Series::new(name, integers());
                times
                    .cast(&DataType::Datetime(TimeUnit::Microseconds, None))
                    .expect("whole numbers are times")
            }
            Some(Cell::Money(_)) => {
                let units = |micro: Option<i64>| micro.map(|m| m as f64 / 1e6);
                Series::new(name, integers().into_iter().map(units).collect::<Vec<Option<f64>>>())
            }
            Some(Cell::Flag(_)) => Series::new(name, cells().map(flag).collect::<Vec<Option<bool>>>()),
            _ => Series::new(name, cells().map(text).collect::<Vec<Option<String>>>()),
        };
        series.into_column()
    };
    let columns: Vec<Column> = table.header.iter().enumerate().map(column).collect();
    let mut frame = DataFrame::new(table.rows.len(), columns).expect("all columns have one length");
    let file = std::fs::File::create(path).expect("the folder is there");
    ParquetWriter::new(file)
        .with_row_group_size(Some(group))
        .finish(&mut frame)
        .expect("the frame can be written");
}

// ---------------------------------------------------------------- a case

/// One generated audit.
#[derive(Clone)]
struct Case {
    clicks: Vec<ClickRow>,
    conversions: Vec<ConversionRow>,
    facts: Facts,
    bad_rows: usize,
}

/// A failing case is shown as its files.
impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Facts { perspective, scope, local, hours_in, maturity, window, as_of, .. } = &self.facts;
        let Facts { hit_type, main_event, drops_orphans, drops_duplicates, .. } = &self.facts;
        writeln!(f, "{perspective:?} {scope:?} {local:?} {hours_in:?} {maturity} {window} {as_of:?}")?;
        writeln!(f, "{hit_type:?} {main_event:?} {drops_orphans} {drops_duplicates}")?;
        for table in [self.click_table(), self.conversion_table()].into_iter().flatten() {
            writeln!(f, "{}", table.csv())?;
        }
        Ok(())
    }
}

impl Case {
    fn click_table(&self) -> Option<Table> {
        let rows = self.clicks.iter().map(click_cells).collect();
        self.facts.click_columns.as_ref().map(|has| Table::new(CLICK_COLUMNS, has, rows, self.bad_rows))
    }

    fn conversion_table(&self) -> Option<Table> {
        let rows: Vec<Vec<Cell>> = self.conversions.iter().map(conversion_cells).collect();
        let bad = if rows.is_empty() { 0 } else { self.bad_rows };
        self.facts.conversion_columns.as_ref().map(|has| Table::new(CONVERSION_COLUMNS, has, rows, bad))
    }

    /// Leaves a column out of an export.
    fn without(mut self, side: Shape, column: &str) -> Case {
        let columns = match side {
            Shape::Clicks => &mut self.facts.click_columns,
            _ => &mut self.facts.conversion_columns,
        };
        columns.iter_mut().for_each(|c| c.retain(|name| *name != column));
        self.blank();
        self
    }

    /// Rows hold nothing in columns that are not there.
    fn blank(&mut self) {
        fn clear<T: Default>(has: &BTreeSet<&str>, name: &str, value: &mut T) {
            if !has.contains(name) {
                *value = T::default();
            }
        }
        if let Some(has) = &self.facts.click_columns {
            for row in &mut self.clicks {
                clear(has, "click_id", &mut row.click_id);
                clear(has, "traffic_source", &mut row.traffic_source);
                clear(has, "offer", &mut row.offer);
                clear(has, "network", &mut row.network);
                clear(has, "country", &mut row.country);
                clear(has, "ip", &mut row.ip);
                clear(has, "user_agent", &mut row.user_agent);
                clear(has, "asn", &mut row.asn);
                clear(has, "is_bot", &mut row.is_bot);
                clear(has, "is_datacenter", &mut row.is_datacenter);
                clear(has, "is_vpn", &mut row.is_vpn);
                clear(has, "is_tor", &mut row.is_tor);
                clear(has, "is_known_bot", &mut row.is_known_bot);
                clear(has, "is_headless", &mut row.is_headless);
                clear(has, "click_country", &mut row.click_country);
                clear(has, "keyword", &mut row.keyword);
                clear(has, "referrer", &mut row.referrer);
                clear(has, "hit_type", &mut row.hit_type);
                clear(has, "lander_click_time", &mut row.lander_time);
                clear(has, "cost", &mut row.cost);
            }
        }
        if let Some(has) = &self.facts.conversion_columns {
            for row in &mut self.conversions {
                clear(has, "conversion_id", &mut row.conversion_id);
                clear(has, "transaction_id", &mut row.transaction_id);
                clear(has, "click_id", &mut row.click_id);
                clear(has, "event", &mut row.event);
                clear(has, "click_time", &mut row.click_time);
                clear(has, "status_time", &mut row.status_time);
                clear(has, "status", &mut row.status);
                clear(has, "payout", &mut row.payout);
                clear(has, "revenue", &mut row.revenue);
                clear(has, "sale_amount", &mut row.sale_amount);
                clear(has, "player_id", &mut row.player_id);
                clear(has, "fraud_reason", &mut row.fraud_reason);
                clear(has, "reject_reason", &mut row.reject_reason);
                clear(has, "country", &mut row.country);
                clear(has, "ip", &mut row.ip);
                clear(has, "traffic_source", &mut row.traffic_source);
                clear(has, "source", &mut row.source);
                clear(has, "offer", &mut row.offer);
                clear(has, "network", &mut row.network);
                clear(has, "request", &mut row.request);
                clear(has, "http_status", &mut row.http_status);
                clear(has, "sender_listed", &mut row.sender_listed);
                clear(has, "token_verdict", &mut row.token);
                clear(has, "signature_verdict", &mut row.signature);
                clear(has, "macro_left", &mut row.macro_left);
            }
        }
    }

    fn mapping(&self) -> Mapping {
        let zone = if self.facts.local == Local::Berlin { "Europe/Berlin" } else { "UTC" };
        let file: MappingFile = yaml::load(&format!("time_zone: {zone}\n"), "test").expect("a valid mapping");
        let mut mapping = Mapping::build(None, Some(file)).expect("the generic preset is valid");
        mapping.perspective = self.facts.perspective.map(|p| match p {
            Perspective::Buyer => ingest::Perspective::Buyer,
            Perspective::Network => ingest::Perspective::Network,
            Perspective::Advertiser => ingest::Perspective::Advertiser,
        });
        mapping.transaction_scope = self.facts.scope.map(|s| match s {
            Scope::Click => TransactionScope::Click,
            Scope::Network => TransactionScope::Network,
            Scope::Global => TransactionScope::Global,
        });
        mapping.attribution_window_s = (self.facts.window / SECOND) as f64;
        mapping.hit_type.clone_from(&self.facts.hit_type);
        mapping.main_event.clone_from(&self.facts.main_event);
        mapping.drops_orphans = self.facts.drops_orphans;
        mapping.drops_duplicates = self.facts.drops_duplicates;
        mapping.brand_terms = self.facts.brand_terms.iter().map(|t| (*t).to_owned()).collect();
        mapping
    }

    fn settings(&self, files: Files, threads: usize) -> Settings {
        let zone = if self.facts.hours_in == Local::Berlin { "Europe/Berlin" } else { "UTC" };
        Settings {
            sent: None,
            inputs: Inputs { files: files.into_patterns(), ..Inputs::default() },
            plan: Plan::fixed(self.mapping()),
            grain: Grain::source(),
            protect: Protect::nobody(),
            suppressions: Default::default(),
            brake: Brake {
                max_source_share: 1.0,
                max_click_share: 1.0,
                max_spend_share: 1.0,
                max_revenue_share: 1.0,
            },
            widest: Widest::CUSTOMER,
            list_for: None,
            zone: zone.parse().expect("a zone"),
            as_of: self.facts.as_of,
            max_age_s: 1e12,
            maturity_s: (self.facts.maturity / SECOND) as f64,
            fdr: 0.10,
            without: Vec::new(),
            target_roi: 0.0,
            meter: Default::default(),
            pii: Default::default(),
            dossiers: false,
            accepted: Vec::new(),
            counting: clickaudit::audit::Clicks::Here,
            keeps_counts: false,
            pictures: 0,
            earlier: Default::default(),
            threads,
            memory_limit: 4 << 30,
        }
    }

    /// Writes both exports as text.
    fn files(&self, folder: &Path) -> Files {
        let mut files = Files::default();
        for (side, table) in
            [(Shape::Clicks, self.click_table()), (Shape::Conversions, self.conversion_table())]
        {
            if let Some(table) = table {
                files.add(side, folder.join(format!("{}.csv", side.word())), table.csv().as_bytes());
            }
        }
        files
    }
}

/// The files of one audit.
#[derive(Clone, Default)]
struct Files(BTreeMap<Shape, Vec<PathBuf>>);

impl Files {
    fn add(&mut self, side: Shape, path: PathBuf, bytes: &[u8]) {
        std::fs::write(&path, bytes).expect("the folder is there");
        self.0.entry(side).or_default().push(path);
    }

    fn into_patterns(self) -> BTreeMap<Shape, Vec<String>> {
        let text = |p: PathBuf| p.to_str().expect("temporary folders have plain names").to_owned();
        self.0.into_iter().map(|(side, paths)| (side, paths.into_iter().map(text).collect())).collect()
    }
}

fn folder() -> TempDir {
    tempfile::Builder::new().prefix("properties-").tempdir().expect("a temporary folder")
}

// ---------------------------------------------------------------- generating rows

const CLICK_IDS: &[&str] = &[
    "c1",
    "c2",
    "c3",
    "007",
    "7",
    "c \"q\"",
    "c,1",
    "ïd-中",
    "{clickid}",
    " c1",
    "=1+1",
    "c4",
    "c5",
    "c6",
    "c7",
];
const SOURCES: &[&str] = &["zone-1", "zone \"x\"", "a,b", "Ünï", "{zone}", "01", "1"];
const EVENTS: &[&str] = &[
    "sale",
    "registration",
    "reg",
    "install",
    "deposit",
    "Level 5",
    "lead",
    "FTD",
    "rebill",
    "registration",
];
const SALE_AMOUNTS: &[Option<i64>] = &[
    None,
    Some(0),
    Some(10_000_000),
    Some(10_100_000),
    Some(10_300_000),
    Some(25_500_000),
    Some(200_000_000),
];
const STATUSES: &[&str] = &[
    "approved",
    "approved",
    " Confirmed ",
    "pending",
    "hold",
    "rejected",
    "refund",
    "chargeback",
    "test",
    "weird",
];
const CTITS: &[i64] =
    &[-5, 0, 1, 3, 9, 10, 12, 14, 15, 29, 30, 31, 600, 3_600, 86_399, 86_400, 86_401, 200_000, 4_000_000];

/// A picked value, `None` at the end of the list.
fn pick(list: &[&str], at: usize) -> Option<String> {
    list.get(at).map(|t| (*t).to_owned())
}

/// Moments around a change of the clock, many of them close to each other.
fn moment(at: usize, autumn: bool) -> i64 {
    const OFFSETS: &[i64] = &[
        0, 1, 2, 5, 30, 600, 3_600, 7_200, 86_400, 86_401, 172_800, 345_600, 351_000, 354_600, 358_200,
        361_800, 437_400, 441_000, 444_600, 518_400, 604_800, 950_400, 3_024_000, 3_110_400,
    ];
    let day = if autumn { 20_746 } else { 20_537 };
    let half = if at.is_multiple_of(11) { SECOND / 2 } else { 0 };
    day * DAY + OFFSETS[at % OFFSETS.len()] * SECOND + half
}

type ClickSeed = ((usize, usize, usize, usize), (usize, usize, usize, usize), (usize, u64));

fn click_seed() -> impl Strategy<Value = ClickSeed> {
    let ids = (0..18usize, 0..48usize, 0..4usize, 0..8usize);
    (ids, (0..7usize, 0..5usize, 0..5usize, 0..4usize), (0..8usize, any::<u64>()))
}

/// Numbers out of one, as if by dice.
struct Dice(u64);

impl Dice {
    /// A number below `sides` (SplitMix64: Steele, Lea and Flood 2014).
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) % sides as u64) as usize
    }

    /// One of a list, or none.
    fn pick(&mut self, list: &[&str]) -> Option<String> {
        let at = self.roll(list.len() + 1);
        pick(list, at)
    }
}

const AGENTS: &[&str] = &["Mozilla/5.0", "curl", "mozilla/5.0", "HeadlessChrome/126.0"];
const COUNTRIES: &[&str] = &["DE", "de", "UK", "GB", "xx", "DEU", "Germany", "T1"];
const KEYWORDS: &[&str] = &["lucky casino", "LUCKY%20casino", "slots", "luckycasino.com"];
const REFERRERS: &[&str] = &["https://lucky-casino.com/", "https://example.com/"];

fn click_row(seed: &ClickSeed, autumn: bool) -> ClickRow {
    let ((id, at, traffic_source, source), (ip, lander, cost, hit), (offer, dice)) = *seed;
    let mut dice = Dice(dice);
    let flag = |dice: &mut Dice| [None, Some(true), Some(false), Some(false)][dice.roll(4)];
    let time = moment(at, autumn);
    let hit_type = pick(&["visit", "visit", "visit", "lander_click"], hit);
    // Clicks of another kind have IDs of their own.
    let suffix = if hit == 3 { "-l" } else { "" };
    ClickRow {
        click_id: pick(CLICK_IDS, id).map(|t| if t == "{clickid}" { t } else { t + suffix }),
        time,
        traffic_source: pick(&["ts1", "ts2", "ts1"], traffic_source),
        source: pick(SOURCES, source),
        offer: pick(&["o1", "o2", "o1", "o1"], offer / 2),
        network: dice.pick(&["n1", "n1", "n2"]),
        country: dice.pick(COUNTRIES),
        ip: pick(&["10.0.0.1", "10.0.0.2", "::ffff:10.0.0.3", "2001:db8::1", "010.0.0.1"], ip),
        user_agent: dice.pick(AGENTS),
        asn: dice.pick(&["64500", "64501"]),
        is_bot: flag(&mut dice),
        is_datacenter: flag(&mut dice),
        is_vpn: flag(&mut dice),
        is_tor: flag(&mut dice),
        is_known_bot: flag(&mut dice),
        is_headless: flag(&mut dice),
        click_country: dice.pick(COUNTRIES),
        keyword: dice.pick(KEYWORDS),
        referrer: dice.pick(REFERRERS),
        hit_type,
        lander_time: [None, Some(-3), Some(0), Some(2), Some(50)][lander].map(|s: i64| time + s * SECOND),
        cost: [None, Some(0), Some(1), Some(1_250_000), Some(30_000)][cost],
    }
}

type ConversionSeed = (ClickSeed, (usize, usize, usize, usize), (usize, usize, usize, usize), (usize, usize));

fn conversion_seed() -> impl Strategy<Value = ConversionSeed> {
    let ids = (0..12usize, 0..9usize, 0..80usize, 0..12usize);
    let facts = (0..12usize, 0..6usize, 0..6usize, 0..30usize);
    (click_seed(), ids, facts, (0..20usize, 0..4usize))
}

/// A conversion of one of the clicks, or of none.
fn conversion_row(seed: &ConversionSeed, clicks: &[ClickRow], autumn: bool) -> ConversionRow {
    let (own, (conversion_id, transaction_id, click, event), (status, payout, revenue, status_time), rest) =
        seed;
    let (ctit, network) = *rest;
    let mut dice = Dice(own.2.1);
    let own = click_row(own, autumn);
    let click = clicks.get(*click);
    let time = match (click, CTITS.get(ctit)) {
        (Some(click), Some(ctit)) => click.time + ctit * SECOND,
        _ => own.time,
    };
    ConversionRow {
        conversion_id: pick(&["1", "2", "3", "01"], *conversion_id),
        transaction_id: pick(&["t1", "t2", "t3", "T1", "{txid}"], *transaction_id),
        click_id: click.map_or(own.click_id.clone(), |c| c.click_id.clone()),
        event: pick(EVENTS, *event),
        time,
        click_time: click
            .map(|c| c.time)
            .or(own.lander_time.map(|t| if ctit.is_multiple_of(3) { t - 50 * DAY } else { t })),
        status_time: [Some(0), Some(5), Some(90_000)]
            .get(*status_time)
            .copied()
            .flatten()
            .map(|s| time + s * SECOND),
        status: pick(STATUSES, *status),
        payout: [None, Some(0), Some(50_000_000), Some(20_500_000), Some(-1_000_000), Some(50_000_000)]
            [*payout],
        revenue: [None, None, Some(80_000_000), Some(1), Some(0), Some(-3)][*revenue],
        sale_amount: SALE_AMOUNTS[dice.roll(SALE_AMOUNTS.len())],
        player_id: dice.pick(&["p1", "p2", "p3", "{player}"]),
        fraud_reason: dice.pick(&["bots", "ctit_anomalies", "None", "0"]),
        reject_reason: dice.pick(&["cap", "Wrong_Geo", "existing customer", "not verified", "bots", "odd"]),
        country: own.country,
        ip: own.ip,
        traffic_source: own.traffic_source,
        source: own.source,
        offer: own.offer,
        network: pick(&["n1", "n2", "n1"], network),
        ..logged(&mut dice)
    }
}

/// What a log would say of a conversion's postback.
fn logged(dice: &mut Dice) -> ConversionRow {
    ConversionRow {
        request: dice.pick(&["r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8"]),
        http_status: [Some(200), Some(302), Some(502), Some(0), None][dice.roll(5)].map(|s| s * 1_000_000),
        sender_listed: [Some(true), Some(false), None][dice.roll(3)],
        token: dice.pick(&["right", "missing", "wrong", "Right", "unheard of"]),
        signature: dice.pick(&["valid", "missing", "forged"]),
        macro_left: [Some(false), Some(true), None][dice.roll(3)],
        ..ConversionRow::default()
    }
}

/// Moves rows of one ID that stand at the same moment apart, unless they are copies: which of them is the
/// later one is settled by a hash of their content, which the reference does not have. Where players are named
/// any two rows may be one player's. Whole quarter hours stay whole.
fn without_ties(mut rows: Vec<ConversionRow>, local: Local) -> Vec<ConversionRow> {
    let players = rows.iter().any(|r| r.player_id.is_some());
    let related = |a: &ConversionRow, b: &ConversionRow| {
        let same = |x: &Option<String>, y: &Option<String>| x.is_some() && x == y;
        players
            || same(&a.conversion_id, &b.conversion_id)
            || same(&a.transaction_id, &b.transaction_id)
            || same(&a.click_id, &b.click_id)
            || same(&a.request, &b.request)
    };
    let time = |r: &ConversionRow| local.to_utc(r.time);
    let state = |r: &ConversionRow| local.to_utc(r.status_time.unwrap_or(r.time));
    let mut at = 0;
    while at < rows.len() {
        let tied = rows[..at].iter().any(|earlier| {
            let apart = *earlier != rows[at] && related(earlier, &rows[at]);
            apart && (time(earlier) == time(&rows[at]) || state(earlier) == state(&rows[at]))
        });
        if tied {
            let whole = rows[at].time % (900 * SECOND) == 0;
            let step = if whole { 900 * SECOND } else { 7 * SECOND };
            rows[at].time += step;
            rows[at].status_time = rows[at].status_time.map(|t| t + step);
        } else {
            at += 1;
        }
    }
    rows
}

/// Every subset of these columns may be missing; the others are always there.
fn columns(
    all: &'static [&'static str],
    optional: &'static [&'static str],
) -> impl Strategy<Value = BTreeSet<&'static str>> {
    let missing = prop_oneof![2 => Just(Vec::new()), 3 => prop::collection::vec(0..optional.len(), 1..5)];
    missing.prop_map(move |missing| {
        let gone: Vec<&str> = missing.into_iter().map(|i| optional[i]).collect();
        all.iter().copied().filter(|c| !gone.contains(c)).collect()
    })
}

fn facts() -> impl Strategy<Value = Facts> {
    let perspective = prop::sample::select(vec![
        Some(Perspective::Buyer),
        Some(Perspective::Buyer),
        Some(Perspective::Network),
        Some(Perspective::Advertiser),
        None,
    ]);
    let scope = prop::sample::select(vec![
        Some(Scope::Global),
        Some(Scope::Global),
        Some(Scope::Network),
        Some(Scope::Click),
        None,
    ]);
    let local = || prop::sample::select(vec![Local::Utc, Local::Berlin]);
    let times = (prop::sample::select(vec![0, 3_600, 86_400, 604_800]), prop::sample::select(vec![30, 2]));
    let words =
        (prop::option::weighted(0.2, Just("reg")), prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    let click_columns = columns(
        CLICK_COLUMNS,
        &[
            "click_id",
            "traffic_source",
            "offer",
            "network",
            "country",
            "ip",
            "user_agent",
            "asn",
            "is_bot",
            "is_datacenter",
            "is_vpn",
            "is_tor",
            "is_known_bot",
            "is_headless",
            "click_country",
            "keyword",
            "referrer",
            "hit_type",
            "lander_click_time",
            "cost",
        ],
    );
    let optional = &[
        "conversion_id",
        "transaction_id",
        "click_id",
        "event",
        "click_time",
        "click_time",
        "status_time",
        "status_time",
        "status",
        "payout",
        "revenue",
        "sale_amount",
        "player_id",
        "country",
        "ip",
        "source",
        "network",
    ];
    let sides = (
        prop::option::weighted(0.9, click_columns),
        prop::option::weighted(0.95, columns(CONVERSION_COLUMNS, optional)),
        prop::option::weighted(0.2, Just(moment(21, true) + 30 * DAY)),
        prop::bool::weighted(0.3),
        prop::bool::weighted(0.8),
    );
    (perspective, scope, (local(), local()), times, words, sides).prop_map(
        |(perspective, scope, (local, hours_in), (maturity, window), words, sides)| {
            let (click_columns, conversion_columns, as_of, hits, brands) = sides;
            let typed = click_columns.as_ref().is_some_and(|c| c.contains("hit_type"));
            Facts {
                perspective,
                scope,
                local,
                hours_in,
                maturity: maturity * SECOND,
                window: window * DAY,
                as_of,
                hit_type: (hits && typed).then(|| "visit".to_owned()),
                main_event: words.0.map(str::to_owned),
                drops_orphans: words.1,
                drops_duplicates: words.2,
                brand_terms: if brands { vec!["Lucky Casino", "888"] } else { Vec::new() },
                click_columns,
                conversion_columns,
            }
        },
    )
}

fn case() -> impl Strategy<Value = Case> {
    let rows = (
        prop::collection::vec((click_seed(), prop::bool::weighted(0.15)), 1..60),
        prop::collection::vec((conversion_seed(), prop::bool::weighted(0.1)), 0..40),
    );
    let kind = (any::<bool>(), prop::bool::weighted(0.15), 0..3usize);
    (rows, facts(), kind).prop_map(|((clicks, conversions), mut facts, (autumn, upload, bad_rows))| {
        if facts.click_columns.is_none() && (facts.conversion_columns.is_none() || conversions.is_empty()) {
            facts.click_columns = Some(CLICK_COLUMNS.iter().copied().collect());
        }
        if let (None, Some(has)) = (&facts.click_columns, &mut facts.conversion_columns) {
            has.insert("source");
        }
        let twice = |copies: bool| if copies { 2 } else { 1 };
        let clicks: Vec<ClickRow> =
            clicks.iter().flat_map(|(seed, copies)| vec![click_row(seed, autumn); twice(*copies)]).collect();
        let conversions: Vec<ConversionRow> = conversions
            .iter()
            .flat_map(|(seed, copies)| vec![conversion_row(seed, &clicks, autumn); twice(*copies)])
            .collect();
        let conversions = if upload { uploaded(conversions, autumn) } else { conversions };
        finished(clicks, conversions, facts, bad_rows)
    })
}

/// The same conversions reported in one go: within one second, most of one event and offer.
fn uploaded(mut conversions: Vec<ConversionRow>, autumn: bool) -> Vec<ConversionRow> {
    for (at, row) in conversions.iter_mut().enumerate() {
        row.time = moment(20, autumn) + (at % 3) as i64 * SECOND / 4;
        row.event = Some(if at % 8 == 7 { "lead" } else { "sale" }.to_owned());
        row.transaction_id = None;
        row.player_id = None;
    }
    conversions
}

/// A case whose rows fit its columns.
fn finished(clicks: Vec<ClickRow>, conversions: Vec<ConversionRow>, facts: Facts, bad_rows: usize) -> Case {
    let mut case = Case { clicks, conversions, facts, bad_rows };
    case.blank();
    case.clicks = one_row_per_click(case.clicks, case.facts.local);
    if case.facts.click_columns.is_none() {
        case.clicks.clear();
    }
    if case.facts.conversion_columns.is_none() {
        case.conversions.clear();
    }
    case.conversions = without_ties(case.conversions, case.facts.local);
    case
}

/// Rows of one click (ID, time, source) are copies of each other: which of different ones counts is settled
/// by a hash of their content.
fn one_row_per_click(rows: Vec<ClickRow>, local: Local) -> Vec<ClickRow> {
    let same = |a: &ClickRow, b: &ClickRow| {
        let key = |r: &ClickRow| {
            (r.click_id.clone(), local.to_utc(r.time), r.traffic_source.clone(), r.source.clone())
        };
        a.click_id.as_ref().is_some_and(|id| id != "{clickid}") && key(a) == key(b)
    };
    let mut kept: Vec<ClickRow> = Vec::new();
    for row in rows {
        let first = kept.iter().find(|k| same(k, &row)).cloned();
        kept.push(first.unwrap_or(row));
    }
    kept
}

// ---------------------------------------------------------------- the reference

/// Few cases and always the same, so that a change is judged by what it changes;
/// `PROPERTY_FACTOR=50 cargo test properties` looks deeper, and elsewhere each time.
fn cases(few: u32) -> ProptestConfig {
    let factor = std::env::var("PROPERTY_FACTOR").ok().and_then(|f| f.parse().ok()).unwrap_or(1);
    let rng_seed = if factor == 1 { RngSeed::Fixed(20_260_302) } else { RngSeed::Random };
    ProptestConfig {
        rng_seed,
        cases: few * factor,
        failure_persistence: None,
        max_shrink_iters: 600,
        ..ProptestConfig::default()
    }
}

/// The rules of a run that names no pack.
fn rules() -> RuleSet {
    let built_in = RuleSet::builtin();
    let mut set = built_in.unwrap_or_else(|faults| panic!("the built-in rules have {} faults", faults.len()));
    set.rules.retain(|rule| rule.packs.contains(&Pack::Core));
    set
}

fn run<'r>(settings: &Settings, rules: &'r RuleSet) -> Audited<'r> {
    audit(settings, rules).unwrap_or_else(|e| panic!("the audit failed: {e}"))
}

fn readings(audited: &Audited) -> Signals {
    let grain = Grain::source();
    let text = |t: &Option<Text>| t.as_ref().map(|t| t.raw().to_owned());
    let mut all = Signals::new();
    for subject in audited.report.groups.iter().map(|g| &g.subject).filter(|s| s.grain == grain) {
        let key: Key = (text(&subject.key[0]), text(&subject.key[1]));
        let value = |signal: &&'static signals::Signal| {
            let estimate = subject.row.reading(signal).estimate();
            let (low, high) = estimate.map_or((0.0, 0.0), signals::Estimate::printed);
            (signal.name, estimate.map(|e| Value { value: e.value(), n: e.n, low, high }))
        };
        all.insert(key, signals::all().iter().map(value).collect());
    }
    all
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-3)
}

fn same(a: Option<Value>, b: Option<Value>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => {
            a.n == b.n && close(a.value, b.value) && close(a.low, b.low) && close(a.high, b.high)
        }
        _ => false,
    }
}

/// Every signal of every source, as the reference says.
fn agrees(case: &Case) -> TestCaseResult {
    let folder = folder();
    let rules = rules();
    let audited = run(&case.settings(case.files(folder.path()), 2), &rules);
    let expected = reference::audit(&case.clicks, &case.conversions, &case.facts);
    let actual = readings(&audited);
    let keys = |s: &Signals| s.keys().cloned().collect::<Vec<_>>();
    prop_assert_eq!(keys(&actual), keys(&expected.signals));
    for (key, signals) in &expected.signals {
        prop_assert_eq!(signals.len(), signals::all().len());
        for (name, expected) in signals {
            let found = actual[key][name];
            prop_assert!(same(found, *expected), "{:?} {}: {:?} is not {:?}", key, name, found, expected);
        }
    }
    let coverage = &audited.report.coverage;
    let used = |rows: &Option<clickaudit::report::RowCount>| rows.as_ref().map_or(0, |r| r.used as usize);
    prop_assert_eq!(used(&coverage.clicks), expected.click_rows);
    prop_assert_eq!(used(&coverage.conversions), expected.conversions);
    balanced(&audited)
}

/// Row limits as a rule has them, and as the reference does.
type Limited = (&'static str, fn() -> Cut);

/// Row limits of the kinds that rules have, from the case's own offers and events.
const CUTS: [Limited; 4] = [
    ("window: 5d", || Cut { window: Some(5 * DAY), ..Cut::default() }),
    ("mature: 3d", || Cut { mature: Some(3 * DAY), ..Cut::default() }),
    ("where: {offer: [o1, o2], event: [deposit, registration]}", || Cut {
        events: vec!["deposit", "registration"],
        offers: vec!["o1", "o2"],
        ..Cut::default()
    }),
    ("window: 6d\nmature: 36h\nevents: [first_deposit]", || Cut {
        window: Some(6 * DAY),
        mature: Some(DAY + DAY / 2),
        events: vec!["first_deposit"],
        ..Cut::default()
    }),
];

/// Rules that fire wherever there are rows, one for each of these row limits.
fn rules_of_cuts() -> RuleSet {
    let rule = |(at, (limits, _)): (usize, &Limited)| {
        let present = |signal: &str| format!("{{test: {{signal: {signal}, present: true}}}}");
        let text = format!(
            "id: cut-{at}\ntitle: T\nstatus: experimental\nclass: data\naction: note\nwhy: W\n{limits}\n\
             when: {{any: [{}, {}, {}]}}\n",
            present("click_count"),
            present("conversion_count"),
            present("missing_click_id_share")
        );
        RuleFile::new(format!("cut-{at}.yml"), &text)
    };
    let files: Vec<RuleFile> = CUTS.iter().enumerate().map(rule).collect();
    RuleSet::of(&files).unwrap_or_else(|faults| panic!("{faults:?}"))
}

/// The signals that a rule with row limits saw of every source on which it fired.
fn readings_of_cut(audited: &Audited, rule: &str) -> Signals {
    let text = |t: &Option<Text>| t.as_ref().map(|t| t.raw().to_owned());
    let mut all = Signals::new();
    for subject in audited.report.groups.iter().map(|g| &g.subject) {
        let fired = subject.answers.fired().find(|outcome| outcome.rule.id == rule);
        let Some(part) = fired.and_then(|outcome| outcome.part.as_ref()) else { continue };
        let value = |signal: &&'static signals::Signal| {
            let estimate = part.row.reading(signal).estimate();
            let (low, high) = estimate.map_or((0.0, 0.0), signals::Estimate::printed);
            (signal.name, estimate.map(|e| Value { value: e.value(), n: e.n, low, high }))
        };
        let key = (text(&subject.key[0]), text(&subject.key[1]));
        all.insert(key, signals::all().iter().map(value).collect());
    }
    all
}

impl Case {
    /// Whether the exports have the columns that a cut looks at.
    fn can_tell(&self, cut: &Cut) -> bool {
        let has = |columns: &Option<BTreeSet<&'static str>>, name| {
            columns.as_ref().is_some_and(|columns| columns.contains(name))
        };
        let (clicks, conversions) = (&self.facts.click_columns, &self.facts.conversion_columns);
        let events = cut.events.is_empty() || has(conversions, "event");
        events && (cut.offers.is_empty() || has(clicks, "offer") || has(conversions, "offer"))
    }
}

/// Every signal of every cut, as the reference says.
fn agrees_in_cuts(case: &Case) -> TestCaseResult {
    let folder = folder();
    let rules = rules_of_cuts();
    let audited = run(&case.settings(case.files(folder.path()), 2), &rules);
    for (at, (limits, cut)) in CUTS.iter().enumerate() {
        let actual = readings_of_cut(&audited, &format!("cut-{at}"));
        let expected = reference::audit_cut(&case.clicks, &case.conversions, &case.facts, &cut());
        for (key, signals) in &actual {
            let expected = expected.signals.get(key);
            prop_assert!(expected.is_some(), "{limits}: {key:?} has no rows");
            let expected = expected.expect("there are rows");
            for (name, found) in signals {
                let expected = expected[name];
                prop_assert!(
                    same(*found, expected),
                    "{limits}: {key:?} {name}: {found:?} is not {expected:?}"
                );
            }
        }
        let told = |v: &BTreeMap<&str, Option<Value>>| {
            ["click_count", "conversion_count", "missing_click_id_share"].iter().any(|name| v[name].is_some())
        };
        let missed = expected.signals.iter().find(|(key, v)| told(v) && !actual.contains_key(*key));
        prop_assert!(missed.is_none() || !case.can_tell(&cut()), "{limits}: {missed:?}");
    }
    Ok(())
}

/// Rows read = used + rejected + duplicate; shares are shares; no money at risk is negative.
fn balanced(audited: &Audited) -> TestCaseResult {
    let coverage = &audited.report.coverage;
    for rows in [&coverage.clicks, &coverage.conversions].into_iter().flatten() {
        prop_assert!(rows.balances(), "{:?}", rows);
    }
    for group in &audited.report.groups {
        prop_assert!(group.money_at_risk.is_none_or(|m| m.0 >= 0));
        for signal in signals::all() {
            let Some(estimate) = group.subject.row.reading(signal).estimate() else { continue };
            let (low, high) = estimate.printed();
            let value = estimate.value();
            prop_assert!(low <= value && value <= high, "{}: {low} {value} {high}", signal.name);
            let share = signal.unit == clickaudit::base::unit::Unit::Share || signal.range == (0.0, 1.0);
            prop_assert!(!share || (0.0 <= low && high <= 1.0), "{}: {low} {high}", signal.name);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn every_signal_is_what_the_reference_says(case in case()) {
        agrees(&case)?;
    }
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn every_signal_of_much_traffic_is_what_the_reference_says(case in dense::dense()) {
        agrees(&case)?;
    }
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn every_signal_of_a_cut_is_what_the_reference_says(case in prop_oneof![case(), dense::dense()]) {
        agrees_in_cuts(&case)?;
    }
}

/// What is compared says something: every signal is there in some groups and neither always nothing nor always the
/// same.
#[test]
fn generated_traffic_exercises_every_signal() {
    let mut runner = TestRunner::new(cases(1));
    let mut found: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let cases = prop_oneof![2 => dense::dense(), 1 => case()];
    for _ in 0..60 {
        let case = cases.new_tree(&mut runner).expect("a case").current();
        let outcome = reference::audit(&case.clicks, &case.conversions, &case.facts);
        for (name, value) in outcome.signals.into_values().flatten() {
            found.entry(name).or_default().extend(value.map(|v| format!("{:.6}", v.value)));
        }
    }
    let here = |name: &str| !reference::OF_OTHER_FILES.contains(&name);
    let dull: Vec<_> = found.iter().filter(|(name, values)| here(name) && values.len() < 3).collect();
    assert!(dull.is_empty(), "{dull:?}");
}

// ---------------------------------------------------------------- laws

/// What must not change: the sources and peers of the JSON report, the CSV, the lists.
#[derive(Debug, PartialEq)]
struct Told {
    sources: String,
    peers: String,
    csv: Vec<u8>,
    list: Option<Vec<u8>>,
}

fn rendered(audited: &Audited, format: &str) -> Option<Vec<u8>> {
    let format = Format::find(format).expect("the format is declared");
    let rendered = (format.render)(&audited.report, &Look::PLAIN);
    rendered.and_then(|r| r.collected(&audited.report)).expect("a report can be rendered")
}

fn told(audited: &Audited) -> Told {
    let json = rendered(audited, "json").expect("a report is no list");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("the report is JSON");
    Told {
        sources: json["sources"].to_string(),
        peers: json["peers"].to_string(),
        csv: rendered(audited, "csv").expect("a table is no list"),
        list: rendered(audited, "blocklist"),
    }
}

/// All columns, the buyer's view, true transaction IDs, a day of maturity.
fn plain_facts() -> Facts {
    Facts {
        perspective: Some(Perspective::Buyer),
        scope: Some(Scope::Global),
        local: Local::Utc,
        hours_in: Local::Utc,
        maturity: DAY,
        window: 30 * DAY,
        as_of: None,
        hit_type: None,
        main_event: None,
        drops_orphans: false,
        drops_duplicates: false,
        brand_terms: Vec::new(),
        click_columns: Some(CLICK_COLUMNS.iter().copied().collect()),
        conversion_columns: Some(CONVERSION_COLUMNS.iter().copied().collect()),
    }
}

/// Honest sources, and some that each do one thing wrong.
fn planted() -> impl Strategy<Value = Case> {
    let sizes = prop::collection::vec(260..330usize, 3..5);
    let kinds = prop::collection::vec(0..PLANTS, 1..3);
    (sizes, kinds, 0..1_000usize).prop_map(|(sizes, kinds, seed)| {
        let (mut clicks, mut conversions) = (Vec::new(), Vec::new());
        for (at, size) in sizes.iter().enumerate() {
            let plant = kinds.get(at).copied();
            plant_source(&format!("zone-{at}"), *size, plant, seed, &mut clicks, &mut conversions);
        }
        Case { clicks, conversions, facts: plain_facts(), bad_rows: 1 }
    })
}

/// Kinds of fraud: conversions too fast, paid replays, one address, conversions without a click, taken back,
/// nothing sold.
const PLANTS: usize = 6;

fn plant_source(
    name: &str,
    size: usize,
    plant: Option<usize>,
    seed: usize,
    clicks: &mut Vec<ClickRow>,
    conversions: &mut Vec<ConversionRow>,
) {
    // Whatever happens in the source, in a fixed disorder.
    let dice = |at: usize, of: usize| (at * 7_919 + seed * 104_729 + name.len() * 31 + at * at % 97) % of;
    for at in 0..size {
        let time = 20_600 * DAY + (at * 3_000 + dice(at, 2_500)) as i64 * SECOND;
        let id = format!("{name}-{at}");
        let address = if plant == Some(2) { 1 } else { at };
        clicks.push(ClickRow {
            click_id: Some(id.clone()),
            time,
            traffic_source: Some("ts1".into()),
            source: Some(name.into()),
            offer: Some("o1".into()),
            network: Some("n1".into()),
            country: Some("DE".into()),
            ip: Some(format!("10.0.{}.{}", name.len() + address / 250, address % 250)),
            user_agent: Some(format!("browser {}", dice(at, 30))),
            hit_type: Some("visit".into()),
            lander_time: Some(time + 20 * SECOND),
            cost: Some(2_000_000),
            ..ClickRow::default()
        });
        if !at.is_multiple_of(6) || plant == Some(5) {
            continue;
        }
        let fast = plant == Some(0);
        let ctit = if fast { 11 + dice(at, 17) as i64 } else { 120 + dice(at, 9_000) as i64 };
        let transaction =
            |n: usize| Some(if plant == Some(1) { format!("{name}-t{}", n % 9) } else { format!("{id}-t") });
        let orphan = plant == Some(3) && at.is_multiple_of(4);
        conversions.push(ConversionRow {
            conversion_id: Some(format!("{id}-c")),
            transaction_id: transaction(at / 6),
            click_id: Some(if orphan { format!("gone-{id}") } else { id.clone() }),
            event: Some("sale".into()),
            time: time + ctit * SECOND,
            click_time: orphan.then_some(time),
            status_time: Some(time + (ctit + 5) * SECOND),
            status: Some(
                if plant == Some(4) && !at.is_multiple_of(36) { "chargeback" } else { "approved" }.into(),
            ),
            payout: Some(30_000_000),
            revenue: None,
            country: Some("DE".into()),
            ip: Some(format!("10.1.{}.{}", name.len() + address / 250, address % 250)),
            traffic_source: Some("ts1".into()),
            source: Some(name.into()),
            offer: Some("o1".into()),
            network: Some("n1".into()),
            ..ConversionRow::default()
        });
    }
}

/// Small tables where everything collides, and larger ones with something to find.
fn any_case() -> impl Strategy<Value = Case> {
    prop_oneof![3 => case(), 1 => planted()]
}

proptest! {
    #![proptest_config(cases(24))]

    /// Order of rows, split over files, threads and file type change no byte.
    #[test]
    fn what_must_not_matter_does_not(case in any_case(), turn in 1..50usize) {
        let (folder, rules) = (folder(), rules());
        let straight = told(&run(&case.settings(case.files(folder.path()), 1), &rules));
        let again = told(&run(&case.settings(case.files(folder.path()), 3), &rules));
        prop_assert_eq!(&again, &straight, "threads");
        let turned = told(&run(&case.settings(turned(&case, turn).files(folder.path()), 3), &rules));
        prop_assert_eq!(&turned, &straight, "order of rows");
        let split = told(&run(&case.settings(split(&case, turn, folder.path()), 3), &rules));
        prop_assert_eq!(&split, &straight, "split");
        let packed = told(&run(&case.settings(packed(&case, folder.path(), turn), 3), &rules));
        prop_assert_eq!(&packed, &straight, "Parquet");
        let tight = Settings { memory_limit: 64, ..case.settings(case.files(folder.path()), 3) };
        prop_assert_eq!(&told(&run(&tight, &rules)), &straight, "memory");
    }

    /// A file fed twice is counted once.
    #[test]
    fn a_file_fed_twice_is_counted_once(case in any_case()) {
        let (folder, rules) = (folder(), rules());
        let files = case.files(folder.path());
        let once = run(&case.settings(files.clone(), 1), &rules);
        let mut twice = files.clone();
        for (side, paths) in &files.0 {
            let bytes = std::fs::read(&paths[0]).expect("just written");
            twice.add(*side, folder.path().join(format!("again-{}.csv", side.word())), &bytes);
        }
        let twice = run(&case.settings(twice, 1), &rules);
        prop_assert_eq!(told(&twice), told(&once));
        balanced(&twice)?;
        let (a, b) = (&once.report.coverage, &twice.report.coverage);
        for (one, two) in [(&a.clicks, &b.clicks), (&a.conversions, &b.conversions)] {
            let (Some(one), Some(two)) = (one, two) else { continue };
            prop_assert_eq!(one.used, two.used);
            prop_assert_eq!(2 * one.read, two.read);
            prop_assert_eq!(&one.rejected, &two.rejected);
            prop_assert_eq!(two.duplicate.values().sum::<u64>() - one.duplicate.values().sum::<u64>(), one.read);
        }
    }
}

proptest! {
    #![proptest_config(cases(12))]

    /// Nights with a store come to what one audit of all rows says: what was read on one night, as text or as Parquet,
    /// and what is new on the next are judged together.
    #[test]
    fn nights_with_a_store_are_one_audit(case in any_case(), turn in 1..50usize) {
        let (folder, rules) = (folder(), rules());
        // Gates that look at nights withhold lists, and only these.
        let judged = |audited: &Audited| Told { list: None, ..told(audited) };
        let straight = judged(&run(&case.settings(case.files(folder.path()), 1), &rules));
        let all = split(&case, turn, folder.path());
        let first = Files(all.0.iter().map(|(side, paths)| (*side, vec![paths[0].clone()])).collect());
        let store = folder.path().join("store");
        night(&case, first, &store, &rules);
        let second = night(&case, all, &store, &rules).map(|audited| judged(&audited));
        prop_assert_eq!(second.as_ref(), Some(&straight), "two nights");
        let packed = packed(&case, folder.path(), turn);
        let store = folder.path().join("packed");
        for named in [packed.clone(), packed] {
            let told = night(&case, named, &store, &rules).map(|audited| judged(&audited));
            prop_assert_eq!(told.as_ref(), Some(&straight), "Parquet");
        }
    }
}

/// Nights after nights in two stores: one knows what was counted of earlier exports, the other forgets it each night.
struct TwoStores<'c> {
    case: &'c Case,
    rules: &'c RuleSet,
    folder: &'c Path,
    days: u32,
}

impl TwoStores<'_> {
    /// What a night says with either store; nothing where its rows cannot be judged.
    fn night(&self, files: &Files, grain: &Grain) -> [Option<String>; 2] {
        // Neither the number of threads nor the memory that a run may take matters.
        [("counted", 2, 1 << 16), ("forgetful", 1, 4 << 30)].map(|(name, threads, memory_limit)| {
            let store = Store::open(&self.folder.join(name), Duration::ZERO).expect("a store");
            let mut settings = self.case.settings(files.clone(), threads);
            let wish = Wish { days: self.days, zone: settings.zone, as_of: None };
            settings.inputs.shelf = Some(store.shelf(wish).expect("a manifest"));
            (settings.grain, settings.memory_limit) = (grain.clone(), memory_limit);
            let audited = audit(&settings, self.rules).ok()?;
            store.keep(&audited.fresh).expect("the store can be written");
            if name == "forgetful" {
                store.keep(&forgetting(&store)).expect("the store can be written");
            }
            let report = rendered(&audited, "json").expect("a report is no list");
            Some(String::from_utf8(report).expect("JSON is UTF-8"))
        })
    }

    /// The files of what was counted, in order.
    fn counted(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.folder.join("counted/measures")).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = files.map(|entry| entry.path()).collect();
        files.sort();
        files
    }
}

/// What lets a store forget all that was counted.
fn forgetting(store: &Store) -> Fresh {
    let kept = store.manifest().expect("a manifest").kept;
    Fresh { measured: kept.into_iter().map(|kept| (kept.key, Vec::new())).collect(), ..Fresh::default() }
}

/// The exports of four nights, by time; some rows are sent again on the night after, and some come late.
fn four_nights(case: &Case, turn: usize, folder: &Path) -> Vec<Files> {
    let mut sorted = case.clone();
    sorted.clicks.sort_by_key(|click| click.time);
    let night_of = |at: usize, all: usize| (at * 4 / all.max(1) + usize::from(at % turn == 3)).min(3);
    let sent = |at: usize, all: usize, night: usize| {
        let own = night_of(at, all);
        own == night || own + 1 == night && at.is_multiple_of(turn)
    };
    let of_night = |night: usize| {
        let (clicks, conversions) = (sorted.clicks.len(), sorted.conversions.len());
        let some = |at: &usize| sent(*at, clicks, night);
        let part = Case {
            clicks: (0..clicks).filter(some).map(|at| sorted.clicks[at].clone()).collect(),
            conversions: (0..conversions)
                .filter(|at| sent(*at, conversions, night))
                .map(|at| sorted.conversions[at].clone())
                .collect(),
            bad_rows: 0,
            ..sorted.clone()
        };
        let place = folder.join(night.to_string());
        std::fs::create_dir(&place).expect("the folder is there");
        part.files(&place)
    };
    (0..4).map(of_night).collect()
}

proptest! {
    #![proptest_config(cases(5))]

    /// What was counted of earlier exports changes no byte of a night: with late rows, rows that are sent again, clicks
    /// that become mature, exports that the window cuts, rules with row limits, another grain, and files of what was
    /// counted that are damaged or gone.
    #[test]
    fn what_was_counted_before_changes_no_night(
        case in prop_oneof![2 => case(), 1 => dense::dense(), 1 => planted()],
        turn in 4..50usize,
        days in prop_oneof![1..6u32, Just(3_660)],
        limits: bool,
    ) {
        let (folder, rules) = (folder(), if limits { rules_of_cuts() } else { rules() });
        let stores = TwoStores { case: &case, rules: &rules, folder: folder.path(), days };
        let (source, offer) = (Grain::source(), Grain::parse("offer").expect("a grain"));
        let nights = four_nights(&case, turn, folder.path());
        for (night, files) in nights.iter().enumerate() {
            let [counted, straight] = stores.night(files, &source);
            prop_assert_eq!(counted, straight, "night {}", night);
            let [counted, straight] = stores.night(files, &source);
            prop_assert_eq!(counted, straight, "night {} again", night);
        }
        let last = &nights[3];
        for grain in [&offer, &source, &offer] {
            let [counted, straight] = stores.night(last, grain);
            prop_assert_eq!(counted, straight, "by {}", grain);
        }
        let files = stores.counted();
        for (at, file) in files.iter().enumerate() {
            let bytes = std::fs::read(file).expect("a file");
            match at % 3 {
                0 => std::fs::remove_file(file).expect("it was there"),
                1 => std::fs::write(file, &bytes[..bytes.len() / 2]).expect("it can be written"),
                _ => std::fs::write(file, bytes.iter().map(|b| b ^ 1).collect::<Vec<u8>>()).expect("it can be written"),
            }
        }
        let [counted, straight] = stores.night(last, &source);
        prop_assert_eq!(counted, straight, "after damage");
    }
}

#[test]
fn nights_of_a_store_do_keep_what_was_counted() {
    let (folder, rules) = (folder(), rules());
    let mut runner = TestRunner::deterministic();
    let case = planted().new_tree(&mut runner).expect("a case").current();
    let stores = TwoStores { case: &case, rules: &rules, folder: folder.path(), days: 3_660 };
    for files in four_nights(&case, 7, folder.path()) {
        stores.night(&files, &Grain::source());
    }
    assert_eq!(stores.counted().len(), 4 * 3);
    let manifest =
        Store::look(&folder.path().join("counted")).expect("a store").manifest().expect("a manifest");
    assert!(
        manifest.kept.iter().any(|kept| kept.measured.iter().any(|m| m.aside > 0)),
        "rows are sent again"
    );
}

/// A night of a store; `None` where the rows of its exports alone cannot be judged.
fn night<'r>(case: &Case, files: Files, store: &Path, rules: &'r RuleSet) -> Option<Audited<'r>> {
    let store = Store::open(store, Duration::ZERO).expect("a store");
    let mut settings = case.settings(files, 2);
    let wish = Wish { days: 3_660, zone: settings.zone, as_of: None };
    settings.inputs.shelf = Some(store.shelf(wish).expect("a manifest"));
    let audited = audit(&settings, rules).ok()?;
    store.keep(&audited.fresh).expect("the store can be written");
    Some(audited)
}

/// The same rows in another order.
fn turned(case: &Case, turn: usize) -> Case {
    let mut other = case.clone();
    other.clicks.reverse();
    let middle = turn.min(other.conversions.len());
    other.conversions.rotate_left(middle);
    let middle = turn.min(other.clicks.len());
    other.clicks.rotate_left(middle);
    other
}

/// The rows dealt to two files; the second has its columns in another order.
fn split(case: &Case, turn: usize, folder: &Path) -> Files {
    let mut files = Files::default();
    for (side, table) in [(Shape::Clicks, case.click_table()), (Shape::Conversions, case.conversion_table())]
    {
        let Some(table) = table else { continue };
        let first = Table { rows: deal(&table.rows, turn, true), ..table.clone() };
        let mut second = Table { rows: deal(&table.rows, turn, false), bad_rows: 0, ..table };
        second.header.reverse();
        second.rows.iter_mut().for_each(|row| row.reverse());
        for (name, part) in [("b", first), ("a", second)] {
            files.add(side, folder.join(format!("{name}-{}.csv", side.word())), part.csv().as_bytes());
        }
    }
    files
}

fn deal(rows: &[Vec<Cell>], turn: usize, first: bool) -> Vec<Vec<Cell>> {
    rows.iter()
        .enumerate()
        .filter(|(at, _)| (at * turn).is_multiple_of(3) == first)
        .map(|(_, r)| r.clone())
        .collect()
}

/// Both exports as Parquet, in groups of so many rows.
fn packed(case: &Case, folder: &Path, group: usize) -> Files {
    let mut files = Files::default();
    for (side, table) in [(Shape::Clicks, case.click_table()), (Shape::Conversions, case.conversion_table())]
    {
        let Some(table) = table else { continue };
        let path = folder.join(format!("{}.parquet", side.word()));
        write_parquet(&table, &path, group);
        files.0.entry(side).or_default().push(path);
    }
    files
}

fn verdicts(audited: &Audited) -> BTreeMap<Key, Verdict> {
    let text = |t: &Option<Text>| t.as_ref().map(|t| t.raw().to_owned());
    let of_source = audited.report.groups.iter().filter(|g| g.subject.grain == Grain::source());
    of_source.map(|g| ((text(&g.subject.key[0]), text(&g.subject.key[1])), g.verdict)).collect()
}

/// The columns that deciding rules need, and some that others do.
const EVIDENCE: &[(Shape, &str)] = &[
    (Shape::Clicks, "click_id"),
    (Shape::Clicks, "cost"),
    (Shape::Conversions, "click_id"),
    (Shape::Conversions, "event"),
    (Shape::Conversions, "payout"),
];

proptest! {
    #![proptest_config(cases(6))]

    /// What cannot be seen is not clean.
    #[test]
    fn a_missing_column_clears_nobody(case in planted()) {
        let (folder, rules) = (folder(), rules());
        let whole = run(&case.settings(case.files(folder.path()), 1), &rules);
        balanced(&whole)?;
        let whole = verdicts(&whole);
        let flagged: Vec<&Key> = whole.iter().filter(|(_, v)| **v <= Verdict::Watch).map(|(k, _)| k).collect();
        prop_assert!(!flagged.is_empty(), "nothing was found: {:?}", whole);
        prop_assert!(whole.values().any(|v| *v == Verdict::Clean), "nobody is clean: {:?}", whole);
        for (side, column) in EVIDENCE {
            let less = case.clone().without(*side, column);
            let less = verdicts(&run(&less.settings(less.files(folder.path()), 1), &rules));
            for key in &flagged {
                let verdict = less[*key];
                prop_assert!(verdict != Verdict::Clean, "{:?} is {:?} without {} {}", key, whole[*key], side.word(), column);
            }
        }
    }
}
