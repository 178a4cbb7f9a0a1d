//! Conversion rows as values, and the latest row of each conversion ID.

use super::postbacks::{Postback, Proof};
use super::vocabulary::{EventFacts, OTHER_EVENT, Status, event, flags};
use crate::base::column::{COLUMNS, Col, Kind};
use crate::base::error::Result;
use crate::base::symbol::{Symbol, Symbols};
use crate::ingest::offers::{Offers, RejectClass, Terms};
use crate::ingest::postback::{SIGNATURE_WORDS, TOKEN_WORDS};
use crate::ingest::{Batch, Field, Intake, Mapping, StatusMeans, Times, TransactionScope, key};
use polars::prelude::{Int64Chunked, StringChunked};
use std::collections::BTreeMap;
use xxhash_rust::xxh3::Xxh3;

/// An ID with its key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id {
    pub key: u64,
    pub text: Box<str>,
}

impl Id {
    /// An ID as it stands in an export.
    pub fn new(text: &str) -> Id {
        Id { key: key(text.as_bytes()), text: text.into() }
    }
}

/// One conversion row. Times are UTC microseconds, amounts micro-units.
#[derive(Clone, Debug)]
pub struct Conversion {
    pub conversion_id: Option<Id>,
    pub transaction_id: Option<Id>,
    pub click_id: Option<Id>,
    pub event: Symbol,
    pub facts: EventFacts,
    pub once: bool,
    pub status: Status,
    pub time: i64,
    pub click_time: Option<i64>,
    pub status_time: Option<i64>,
    /// When the status becomes final.
    pub lock_time: Option<i64>,
    pub payout: Option<i64>,
    pub revenue: Option<i64>,
    /// What the customer paid or deposited.
    pub sale_amount: Option<i64>,
    /// Why an anti-fraud service blocked or flagged it, in its words.
    pub fraud_reason: Symbol,
    /// Why it was rejected, where its word is known.
    pub reject_class: Option<RejectClass>,
    /// The advertiser's ID of the customer.
    pub player_id: Option<Id>,
    pub ip: Option<u64>,
    /// The text columns asked for, in the order asked.
    pub carried: Vec<Symbol>,
    /// An earlier state of this conversion was approved: it was paid before it was taken back.
    pub was_approved: bool,
    /// How far the row's file says that a transaction ID is unique.
    pub scope: Option<TransactionScope>,
    /// What the row's file says that its time is.
    pub times: Times,
    /// Newest conversion in the row's file.
    pub as_of: i64,
    /// Hash of the whole row.
    pub content: u64,
    /// What a log says of the postback.
    pub postback: Postback,
}

impl Conversion {
    /// Which of two states of one conversion is the later: status time, or when its postback arrived, then the
    /// file's newest row, then the status rank, then content.
    pub fn recency(&self) -> (i64, i64, Status, u64) {
        (
            self.status_time.or(self.postback.received).unwrap_or(self.time),
            self.as_of,
            self.status,
            self.content,
        )
    }
}

/// All conversion rows.
pub struct Read {
    pub rows: Vec<Conversion>,
    pub unknown_statuses: BTreeMap<String, u64>,
}

/// Reads every conversion row of the intake; in a combined export those that have a conversion time.
///
/// # Errors
/// The intake cannot be read.
pub fn read(intake: &Intake, carried: &[Col], symbols: &mut Symbols) -> Result<Read> {
    let table = if intake.combined { &intake.clicks } else { &intake.conversions };
    let fields: Vec<Field> =
        COLUMNS.iter().map(|c| Field::Value(c.id)).chain([Field::Key(Col::Ip)]).collect();
    let mut read = Read { rows: Vec::new(), unknown_statuses: BTreeMap::new() };
    table.scan(&fields, None, &mut |batch| {
        let columns = Columns::of(batch, carried);
        let file = &intake.files[batch.part.file];
        let newest = file.spans.get(&Col::ConversionTime).map_or(0, |s| s.1);
        let mapping = &file.reading.mapping;
        let times = mapping.side(file.shape).times;
        let offers = &*intake.mapping.offers;
        let mut words = Words { mapping, offers, times, symbols, unknown: &mut read.unknown_statuses };
        for row in 0..batch.len() {
            read.rows.extend(columns.row(row, newest, &mut words));
        }
        Ok(())
    })?;
    Ok(read)
}

/// The columns of a batch that conversions are made of.
struct Columns<'a> {
    texts: Vec<(Col, &'a StringChunked)>,
    integers: Vec<(Col, Int64Chunked)>,
    ips: Option<&'a polars::prelude::UInt64Chunked>,
    carried: Vec<Option<&'a StringChunked>>,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a Batch, carried: &[Col]) -> Columns<'a> {
        let textual = |c: &Col| matches!(c.kind(), Kind::Text | Kind::Key);
        let all = || COLUMNS.iter().map(|c| c.id);
        Columns {
            texts: all().filter(textual).filter_map(|c| Some((c, batch.texts(c)?))).collect(),
            integers: all().filter(|c| !textual(c)).filter_map(|c| Some((c, batch.integers(c)?))).collect(),
            ips: batch.keys(Field::Key(Col::Ip)),
            carried: carried.iter().map(|c| batch.texts(*c)).collect(),
        }
    }

    fn text(&self, col: Col, row: usize) -> Option<&'a str> {
        self.texts.iter().find(|(c, _)| *c == col).and_then(|(_, column)| column.get(row))
    }

    fn integer(&self, col: Col, row: usize) -> Option<i64> {
        self.integers.iter().find(|(c, _)| *c == col).and_then(|(_, column)| column.get(row))
    }

    fn row(&self, row: usize, as_of: i64, words: &mut Words) -> Option<Conversion> {
        let time = self.integer(Col::ConversionTime, row)?;
        let terms = words.offers.words(self.text(Col::Offer, row), time);
        let (event, status) = (self.text(Col::Event, row), self.text(Col::Status, row));
        let (event_name, facts, status) = words.read(event, status, terms);
        let id = |col| self.text(col, row).map(Id::new);
        Some(Conversion {
            conversion_id: id(Col::ConversionId),
            transaction_id: id(Col::TransactionId),
            click_id: id(Col::ClickId),
            once: words.once(&event_name, &facts),
            event: words.symbols.of(&event_name),
            facts,
            status,
            time,
            click_time: self.integer(Col::ClickTime, row),
            status_time: self.integer(Col::StatusTime, row),
            lock_time: self.integer(Col::LockTime, row),
            payout: self.integer(Col::Payout, row),
            revenue: self.integer(Col::Revenue, row),
            sale_amount: self.integer(Col::SaleAmount, row),
            reject_class: self
                .text(Col::RejectReason, row)
                .filter(|_| status == Status::Rejected)
                .and_then(|why| terms.map_or_else(|| RejectClass::of(why), |terms| terms.class(why))),
            fraud_reason: words.fraud_reason(self.text(Col::FraudReason, row)),
            player_id: id(Col::PlayerId),
            ip: self.ips.and_then(|k| k.get(row)),
            carried: self
                .carried
                .iter()
                .map(|c| words.symbols.of_option(c.and_then(|c| c.get(row))))
                .collect(),
            was_approved: false,
            scope: words.mapping.transaction_scope,
            times: words.times,
            as_of,
            content: self.content(row),
            postback: self.postback(row),
        })
    }

    fn postback(&self, row: usize) -> Postback {
        let proof = |col, words| self.text(col, row).and_then(|word| Proof::of(word, words));
        let flag = |col| self.integer(col, row).map(|yes| yes == 1);
        Postback {
            request: self.text(Col::Request, row).map(Id::new),
            received: self.integer(Col::ReceivedTime, row),
            order: self.integer(Col::ReceiptOrder, row).unwrap_or(0),
            http_status: self.integer(Col::HttpStatus, row),
            from_browser: self.text(Col::FiredBy, row).is_some_and(|by| by.eq_ignore_ascii_case("browser")),
            sender_listed: flag(Col::SenderListed),
            token: proof(Col::Token, &TOKEN_WORDS),
            signature: proof(Col::Signature, &SIGNATURE_WORDS),
            macro_left: flag(Col::MacroLeft),
            again: false,
            replayed: false,
        }
    }

    fn content(&self, row: usize) -> u64 {
        let mut hash = Xxh3::new();
        for (col, column) in &self.texts {
            if let Some(text) = column.get(row) {
                hash.update(&[*col as u8]);
                hash.update(text.as_bytes());
                hash.update(&[0]);
            }
        }
        // Where a row stands in its file says nothing of what it is.
        for (col, column) in self.integers.iter().filter(|(col, _)| *col != Col::ReceiptOrder) {
            if let Some(value) = column.get(row) {
                hash.update(&[*col as u8]);
                hash.update(&value.to_le_bytes());
            }
        }
        hash.digest()
    }
}

/// Turns an export's words into the field's.
pub(super) struct Words<'a> {
    pub mapping: &'a Mapping,
    pub offers: &'a Offers,
    pub times: Times,
    pub symbols: &'a mut Symbols,
    pub unknown: &'a mut BTreeMap<String, u64>,
}

impl Words<'_> {
    /// Event and status of a row, by what its status column means.
    pub fn read(
        &mut self,
        event_word: Option<&str>,
        status_word: Option<&str>,
        terms: Option<&Terms>,
    ) -> (String, EventFacts, Status) {
        match self.mapping.status_means {
            StatusMeans::Status => {
                let (name, facts) = self.event(event_word.unwrap_or("conversion"), terms);
                (name, facts, status_word.map_or(Status::Approved, |w| self.status(w)))
            }
            StatusMeans::Event => {
                let word = status_word.or(event_word).unwrap_or("conversion");
                let (name, facts) = self.event(word, terms);
                let declared = self.mapping.statuses.get(&word.trim().to_lowercase());
                (name, facts, declared.map_or(Status::Approved, |w| Status::of(w)))
            }
        }
    }

    /// The offer's own words come first, then the mapping's.
    fn event(&self, word: &str, terms: Option<&Terms>) -> (String, EventFacts) {
        let key = word.trim().to_lowercase();
        let agreed = terms.and_then(|terms| terms.events.get(&key));
        let mapped = agreed.or_else(|| self.mapping.events.get(&key));
        let (name, facts) = event(mapped.map_or(word, String::as_str));
        if name.is_empty() { ("conversion".to_owned(), OTHER_EVENT) } else { (name, facts) }
    }

    fn status(&mut self, word: &str) -> Status {
        let mapped = self.mapping.statuses.get(&word.trim().to_lowercase());
        let status = Status::of(mapped.map_or(word, String::as_str));
        if status == Status::Unknown && (self.unknown.len() < 100 || self.unknown.contains_key(word)) {
            *self.unknown.entry(word.to_owned()).or_default() += 1;
        }
        status
    }

    /// A service that found nothing says so in some word.
    fn fraud_reason(&mut self, word: Option<&str>) -> Symbol {
        let reason = word.map(str::trim).filter(|word| flags(word));
        self.symbols.of_option(reason)
    }

    /// Whether a player can do it once only.
    pub fn once(&self, name: &str, facts: &EventFacts) -> bool {
        self.mapping.once.as_ref().map_or(facts.once, |once| once.contains(name))
    }
}

/// Keeps the latest row of each conversion ID; rows without one are all kept.
pub fn latest(mut rows: Vec<Conversion>, duplicates: &mut BTreeMap<&'static str, u64>) -> Vec<Conversion> {
    rows.sort_unstable_by(|a, b| (&a.conversion_id, a.recency()).cmp(&(&b.conversion_id, b.recency())));
    let mut kept: Vec<Conversion> = Vec::with_capacity(rows.len());
    for row in rows {
        match kept.last_mut() {
            Some(earlier) if row.conversion_id.is_some() && earlier.conversion_id == row.conversion_id => {
                let reason = if earlier.content == row.content { "same_row" } else { "status_update" };
                *duplicates.entry(reason).or_default() += 1;
                let was_approved = earlier.was_approved || earlier.status == Status::Approved;
                *earlier = Conversion { was_approved, ..row };
            }
            _ => kept.push(row),
        }
    }
    kept
}
