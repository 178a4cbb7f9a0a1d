//! A statement of conversions as compact rows, to be held against another one.
//!
//! An audit keeps every column of a conversion; two statements of millions of rows are only compared, so a row here
//! is 40 bytes and a place in one long text of IDs. Words are the field's, amounts stay in the currency of their
//! row. Refuses to guess: an ID that is empty or a macro is none, an absent amount is not zero.

use super::conversions::Words;
use super::vocabulary::Status;
use crate::base::column::Col;
use crate::base::error::{Error, Result};
use crate::base::symbol::{Symbol, Symbols};
use crate::ingest::{Batch, Field, Intake, Perspective, Table, is_unexpanded_macro, key};
use hashbrown::HashMap;
use polars::prelude::{Int64Chunked, StringChunked};
use std::collections::{BTreeMap, BTreeSet};

/// An amount that is not said.
const NO_AMOUNT: i64 = i64::MIN;

/// What many rows have in common: words and names, as symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind {
    pub event: Symbol,
    /// A player can do it once only.
    pub once: bool,
    /// `None` where the row does not say.
    pub status: Option<Status>,
    pub currency: Symbol,
    pub network: Symbol,
    pub offer: Symbol,
    pub traffic_source: Symbol,
    pub source: Symbol,
    pub country: Symbol,
}

/// All kinds met so far; rows name them by number.
#[derive(Default)]
pub struct Kinds {
    numbers: HashMap<Kind, u32>,
    all: Vec<Kind>,
}

impl Kinds {
    /// The number of a kind.
    pub fn of(&mut self, kind: Kind) -> u32 {
        let Kinds { numbers, all } = self;
        *numbers.entry(kind).or_insert_with(|| {
            all.push(kind);
            all.len() as u32 - 1
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The kind of a number.
    pub fn get(&self, number: u32) -> &Kind {
        &self.all[number as usize]
    }
}

/// One conversion of a statement. Times are UTC microseconds, amounts micro-units of the row's own currency.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The key of the ID that joins it; 0 where there is no usable one.
    pub key: u64,
    pub time: i64,
    paid: i64,
    sale: i64,
    pub kind: u32,
    text_at: u32,
}

impl Row {
    /// What passes from one side to the other for it.
    pub fn paid(&self) -> Option<i64> {
        (self.paid != NO_AMOUNT).then_some(self.paid)
    }

    /// What the customer paid or deposited.
    pub fn sale(&self) -> Option<i64> {
        (self.sale != NO_AMOUNT).then_some(self.sale)
    }
}

/// All conversions of one side, in the order in which they were read.
#[derive(Default)]
pub struct Statement {
    pub rows: Vec<Row>,
    texts: String,
    /// Rows that a later state of the same conversion replaces, sorted.
    pub superseded: Vec<u32>,
    /// The columns that at least one file has.
    pub columns: BTreeSet<Col>,
    /// Rows of a combined export that are no conversion.
    pub clicks_only: u64,
    pub unknown_statuses: BTreeMap<String, u64>,
}

impl Statement {
    /// The text of the ID that joins a row; empty where there is none.
    pub fn id(&self, row: u32) -> &str {
        let at = self.rows[row as usize].text_at as usize;
        let end = self.rows.get(row as usize + 1).map_or(self.texts.len(), |next| next.text_at as usize);
        &self.texts[at..end]
    }

    /// Adds a row that joins by `id`.
    pub fn push(&mut self, id: &str, key: u64, time: i64, amounts: [Option<i64>; 2], kind: u32) {
        let [paid, sale] = amounts.map(|amount| amount.unwrap_or(NO_AMOUNT));
        self.rows.push(Row { key, time, paid, sale, kind, text_at: self.texts.len() as u32 });
        if self.texts.capacity() - self.texts.len() < id.len() {
            // Twice the room, as usual, would be hundreds of megabytes of nothing.
            self.texts.reserve_exact((self.texts.len() / GROWTH).max(id.len()).max(LEAST_ROOM));
        }
        self.texts.push_str(id);
    }
}

/// Which column is the money that passes between the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Money {
    /// What the affiliate earns: the payout, or the buyer's revenue where there is no payout.
    Payout,
    /// What the network receives from the advertiser.
    Revenue,
}

impl Money {
    fn columns(self, perspective: Option<Perspective>) -> &'static [Col] {
        match (self, perspective) {
            (Money::Revenue, _) => &[Col::Revenue],
            (Money::Payout, Some(Perspective::Buyer) | None) => &[Col::Payout, Col::Revenue],
            (Money::Payout, _) => &[Col::Payout],
        }
    }
}

/// The rows of an intake that are conversions.
pub fn table(intake: &Intake) -> &Table {
    if intake.combined { &intake.clicks } else { &intake.conversions }
}

/// What is read of a row, besides the ID that joins it.
const USED: [Col; 15] = [
    Col::ConversionTime,
    Col::Event,
    Col::Status,
    Col::StatusTime,
    Col::ConversionId,
    Col::Payout,
    Col::Revenue,
    Col::SaleAmount,
    Col::Currency,
    Col::Network,
    Col::Offer,
    Col::TrafficSource,
    Col::Source,
    Col::Country,
    Col::ReceivedTime,
];

/// The text grows by a part of this size, and at least by so many bytes.
const GROWTH: usize = 8;
const LEAST_ROOM: usize = 1 << 12;

/// The most bytes that all joining IDs of a side may have.
const MOST_TEXT: usize = u32::MAX as usize;

/// Reads the conversions of an intake; `join` is the column whose ID joins them.
///
/// # Errors
/// The intake cannot be read, or its IDs are longer than four gigabytes together.
pub fn read(
    intake: &Intake,
    join: Col,
    money: Money,
    symbols: &mut Symbols,
    kinds: &mut Kinds,
) -> Result<Statement> {
    let table = table(intake);
    let mut statement = Statement { columns: table.columns(), ..Statement::default() };
    let rows = |file: &crate::ingest::FileLedger| match file.duplicate_of {
        None => (file.rows - file.rejects.total()) as usize,
        Some(_) => 0,
    };
    if !intake.combined {
        statement.rows.reserve_exact(intake.files.iter().map(rows).sum());
    }
    let wanted: BTreeSet<Field> = USED.iter().chain([&join]).map(|col| Field::Value(*col)).collect();
    let wanted: Vec<Field> = wanted.into_iter().collect();
    let has_versions = statement.columns.contains(&Col::ConversionId) && join != Col::ConversionId;
    let mut versions = Vec::new();
    table.scan(&wanted, None, &mut |batch| {
        let file = &intake.files[batch.part.file];
        let mapping = &file.reading.mapping;
        let times = mapping.side(file.shape).times;
        let columns = Columns::of(batch, join, money.columns(mapping.perspective));
        let offers = &*intake.mapping.offers;
        let mut unknown = std::mem::take(&mut statement.unknown_statuses);
        let mut reader = Reader {
            words: Words { mapping, offers, times, symbols: &mut *symbols, unknown: &mut unknown },
            meanings: HashMap::new(),
            kinds: &mut *kinds,
        };
        for row in 0..batch.len() {
            if let Some(version) = reader.row(&columns, row, &mut statement).filter(|_| has_versions) {
                versions.push(version);
            }
        }
        statement.unknown_statuses = unknown;
        refuse_endless(&statement)
    })?;
    statement.superseded = superseded(versions);
    Ok(statement)
}

fn refuse_endless(statement: &Statement) -> Result<()> {
    if statement.texts.len() <= MOST_TEXT && statement.rows.len() < u32::MAX as usize {
        return Ok(());
    }
    Err(Error::input("the IDs of a statement are longer than 4 GiB together").help("compare shorter periods"))
}

/// A state of a conversion, in the order in which the latest one is found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    conversion: u64,
    /// An update keeps the ID that joins: two conversions whose keys collide by chance do not.
    key: u64,
    since: i64,
    status: Option<Status>,
    amounts: (i64, i64),
    row: u32,
}

/// Rows that are not the latest state of their conversion.
fn superseded(mut versions: Vec<Version>) -> Vec<u32> {
    versions.sort_unstable();
    let same = |a: &Version, b: &Version| (a.conversion, a.key) == (b.conversion, b.key);
    let older = versions.windows(2).filter(|pair| same(&pair[0], &pair[1])).map(|pair| pair[0].row);
    let mut rows: Vec<u32> = older.collect();
    rows.sort_unstable();
    rows
}

/// What event and status words mean, by their symbols.
type Meanings = HashMap<(Symbol, Symbol), (Symbol, bool, Status)>;

/// Turns the rows of one batch into rows of a statement.
struct Reader<'a> {
    words: Words<'a>,
    meanings: Meanings,
    kinds: &'a mut Kinds,
}

impl Reader<'_> {
    /// Adds one row; `None` where it is no conversion, or has no ID of its own.
    fn row(&mut self, columns: &Columns, row: usize, statement: &mut Statement) -> Option<Version> {
        let Some(time) = integer(&columns.time, row) else {
            statement.clicks_only += 1;
            return None;
        };
        let kind = self.kind(columns, row);
        let number = self.kinds.of(kind);
        let id = text(columns.id, row).map(str::trim);
        let usable = id.filter(|id| !id.is_empty() && !is_unexpanded_macro(id.as_bytes()));
        let key = usable.map_or(0, |id| key(id.as_bytes()).max(1));
        let amounts = [first(&columns.paid, row), integer(&columns.sale, row)];
        statement.push(id.unwrap_or_default(), key, time, amounts, number);
        let conversion = text(columns.conversion_id, row)?;
        Some(Version {
            conversion: crate::ingest::key(conversion.as_bytes()),
            key,
            since: first(&columns.since, row).unwrap_or(time),
            status: kind.status,
            amounts: (amounts[0].unwrap_or(NO_AMOUNT), amounts[1].unwrap_or(NO_AMOUNT)),
            row: statement.rows.len() as u32 - 1,
        })
    }

    fn kind(&mut self, columns: &Columns, row: usize) -> Kind {
        let (event_word, status_word) = (text(columns.event, row), text(columns.status, row));
        let symbols = &mut *self.words.symbols;
        let words = (symbols.of_option(event_word), symbols.of_option(status_word));
        let (event, once, status) = match self.meanings.get(&words) {
            Some(known) => *known,
            None => {
                let (name, facts, status) = self.words.read(event_word, status_word, None);
                let once = self.words.once(&name, &facts);
                let meaning = (self.words.symbols.of(&name), once, status);
                self.meanings.insert(words, meaning);
                meaning
            }
        };
        let symbols = &mut *self.words.symbols;
        let [currency, network, offer, traffic_source, source, country] =
            columns.names.map(|column| symbols.of_option(text(column, row)));
        let status = (status_word.is_some() || status != Status::Approved).then_some(status);
        Kind { event, once, status, currency, network, offer, traffic_source, source, country }
    }
}

/// A column of texts of a batch, if it has it.
type Texts<'a> = Option<&'a StringChunked>;

/// The columns of a batch, each by its name: a row looks at most of them.
struct Columns<'a> {
    time: Option<Int64Chunked>,
    id: Texts<'a>,
    conversion_id: Texts<'a>,
    event: Texts<'a>,
    status: Texts<'a>,
    /// Currency, network, offer, traffic source, source, country.
    names: [Texts<'a>; 6],
    /// Those of which the first that says something is the money.
    paid: Vec<Int64Chunked>,
    sale: Option<Int64Chunked>,
    /// Those of which the first that says something is the time of a state.
    since: Vec<Int64Chunked>,
}

/// The columns of [`Columns::names`].
const NAMES: [Col; 6] =
    [Col::Currency, Col::Network, Col::Offer, Col::TrafficSource, Col::Source, Col::Country];

impl<'a> Columns<'a> {
    fn of(batch: &'a Batch, join: Col, paid: &'static [Col]) -> Columns<'a> {
        Columns {
            time: batch.integers(Col::ConversionTime),
            id: batch.texts(join),
            conversion_id: batch.texts(Col::ConversionId),
            event: batch.texts(Col::Event),
            status: batch.texts(Col::Status),
            names: NAMES.map(|col| batch.texts(col)),
            paid: paid.iter().filter_map(|col| batch.integers(*col)).collect(),
            sale: batch.integers(Col::SaleAmount),
            since: [Col::StatusTime, Col::ReceivedTime].iter().filter_map(|c| batch.integers(*c)).collect(),
        }
    }
}

fn text<'a>(column: Texts<'a>, row: usize) -> Option<&'a str> {
    column.and_then(|column| column.get(row))
}

fn integer(column: &Option<Int64Chunked>, row: usize) -> Option<i64> {
    column.as_ref().and_then(|column| column.get(row))
}

fn first(columns: &[Int64Chunked], row: usize) -> Option<i64> {
    columns.iter().find_map(|column| column.get(row))
}
