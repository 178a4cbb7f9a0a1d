//! Conversions: what advertisers report of clicks, and what fraud makes of it.
//!
//! A conversion is a row at the time the tracker learns of it. Rows wait until their time has come, so that
//! the file is in order of time and memory holds only what is still to come.

use super::click::Click;
use super::random::Rng;
use super::source::{Kind, Source};
use super::text::{Calendar, ClickId, DAY_S, amount, conversion_id};
use super::world::Place;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::net::IpAddr;

/// The columns of the conversions file. It repeats facts of the click, as trackers' reports do.
pub const HEADER: &str = "conversion_id,transaction_id,click_id,event,conversion_time,status,status_time,payout,\
                          currency,click_time,traffic_source,source,campaign,ip,country";

const HOUR_S: i64 = 3_600;

/// Nobody fills in a form in less.
const FASTEST_CTIT_S: i64 = 8;

/// The spread of honest delays on the logarithm (statistics of real installs and leads: 1.5 to 1.6).
const CTIT_SIGMA: f64 = 1.5;

/// Visitors who come back days later, parts per million.
const LATE_PPM: u64 = 25_000;

/// Postbacks that are sent twice although they had arrived, parts per million.
const RETRY_PPM: u64 = 15_000;

/// Visitors whose address has changed when they convert, parts per million.
const MOVED_PPM: u64 = 80_000;

/// Depositors who deposit once more, each time, parts per million.
const NEXT_DEPOSIT_PPM: u64 = 450_000;

/// Approved first deposits that the card holder takes back, parts per million.
const CHARGEBACK_PPM: u64 = 15_000;

/// Paid transactions of other sources that a thief may still use.
const LOOT: usize = 256;

/// Clicks of the smallest honest source that a thief steals from.
const WORTH_ROBBING: u64 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Registration,
    FirstDeposit,
    Deposit,
}

impl Event {
    fn word(self) -> &'static str {
        match self {
            Event::Registration => "registration",
            Event::FirstDeposit => "first_deposit",
            Event::Deposit => "deposit",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending,
    Approved,
    Rejected,
    Chargeback,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Approved => "approved",
            Status::Rejected => "rejected",
            Status::Chargeback => "chargeback",
        }
    }
}

/// One row of the conversions file.
#[derive(Clone, Debug)]
struct Row {
    conversion: u64,
    transaction: u64,
    claim: Claim,
    event: Event,
    time: i64,
    status: Status,
    status_time: i64,
    payout: i64,
}

/// What a postback says about its click.
#[derive(Clone, Copy, Debug)]
struct Claim {
    click: ClickId,
    click_time: i64,
    source: u32,
    ip: IpAddr,
    place: Place,
}

/// A paid transaction, known from `since` on.
struct Paid {
    transaction: u64,
    since: i64,
    source: u32,
}

/// Takes clicks, keeps the conversions that follow from them until they are due.
pub struct Ledger<'a> {
    sources: &'a [Source],
    /// The draws of the click at hand.
    rng: Rng,
    /// Rows to come, by time and number.
    due: BTreeMap<(i64, u64), Row>,
    /// Exported times, seconds since 1970.
    from: i64,
    until: i64,
    rows: u64,
    conversions: u64,
    transactions: u64,
    loot: VecDeque<Paid>,
    /// Honest sources lose one transaction to thieves, planted ones any number.
    robbed: Vec<bool>,
}

impl<'a> Ledger<'a> {
    /// For an export of the times `from..until`, seconds since 1970.
    pub fn new(sources: &'a [Source], from: i64, until: i64) -> Ledger<'a> {
        Ledger {
            sources,
            rng: Rng::new(0),
            due: BTreeMap::new(),
            from,
            until,
            rows: 0,
            conversions: 0,
            transactions: 4_821_037_700,
            loot: VecDeque::new(),
            robbed: vec![false; sources.len()],
        }
    }

    /// Decides what becomes of a click: the seconds to its first conversion, if it converts.
    pub fn visit(&mut self, click: &Click) -> Option<i64> {
        self.rng = Rng::new(click.fate);
        let source = &self.sources[click.source as usize];
        if source.touched(Kind::Spend, &mut self.rng) || !self.rng.chance(source.cr_ppm) {
            return None;
        }
        let ctit = self.ctit(source);
        let claim = self.claim(click, source);
        let mut at = click.time + ctit;
        self.register(claim, at);
        if source.touched(Kind::Repeated, &mut self.rng) {
            for _ in 0..self.rng.between(1, 3) {
                at += self.rng.between(40, 900);
                self.register(claim, at);
            }
        }
        Some(ctit)
    }

    fn ctit(&mut self, source: &Source) -> i64 {
        if source.touched(Kind::Injection, &mut self.rng) {
            return self.rng.between(1, 8);
        }
        if source.touched(Kind::Flooding, &mut self.rng) {
            return self.rng.between(3 * HOUR_S, 6 * DAY_S);
        }
        if source.touched(Kind::Scripted, &mut self.rng) {
            return 47 + i64::from(self.rng.chance(100_000));
        }
        if self.rng.chance(LATE_PPM) {
            return self.rng.between(DAY_S, 4 * DAY_S);
        }
        FASTEST_CTIT_S + self.rng.lognormal(source.ctit_median_s.into(), CTIT_SIGMA)
    }

    fn claim(&mut self, click: &Click, source: &Source) -> Claim {
        let moved = source.plant.is_none_or(|p| p.kind != Kind::Bots) && self.rng.chance(MOVED_PPM);
        let ip = if moved { source.address(click.place, &mut self.rng) } else { click.ip };
        let told =
            Claim { click: click.id, click_time: click.time, source: click.source, ip, place: click.place };
        if !source.touched(Kind::Orphans, &mut self.rng) {
            return told;
        }
        let click_time = (click.time - self.rng.between(0, 900)).max(self.from);
        Claim { click: ClickId::fresh(&mut self.rng), click_time, ..told }
    }

    /// A registration, with all that follows from it.
    fn register(&mut self, claim: Claim, at: i64) {
        let source = &self.sources[claim.source as usize];
        let transaction = self.stolen(&claim, at).unwrap_or_else(|| self.transaction());
        let row = self.row(claim, Event::Registration, at, source.offer.registration_payout, transaction);
        let replays = source.plant.is_some_and(|p| p.kind == Kind::Replay);
        let at_once = replays || self.rng.chance(source.offer.decided_at_once_ppm);
        let Some(since) = self.settle(&row, at_once) else { return };
        if source.touched(Kind::Replay, &mut self.rng) {
            self.replay(&row, since);
        }
        if row.payout > 0 && row.time >= self.from {
            self.offer_loot(Paid { transaction, since, source: claim.source });
        }
        if self.rng.chance(source.offer.first_deposit_ppm) {
            self.deposit(claim, at);
        }
    }

    /// A first deposit some time after the registration, and what the player does then.
    fn deposit(&mut self, claim: Claim, registered: i64) {
        let payout = self.sources[claim.source as usize].offer.first_deposit_payout;
        let mut at = registered + 60 + self.rng.lognormal(600.0, 1.2);
        let transaction = self.transaction();
        let first = self.row(claim, Event::FirstDeposit, at, payout, transaction);
        let Some(since) = self.settle(&first, false) else { return };
        if self.rng.chance(CHARGEBACK_PPM) {
            let back = since + self.rng.between(DAY_S, 4 * DAY_S);
            return self.post(Row { status: Status::Chargeback, status_time: back, ..first });
        }
        while self.rng.chance(NEXT_DEPOSIT_PPM) {
            at += 600 + self.rng.lognormal(10_000.0, 1.0);
            let (share, transaction) = (self.rng.between(100, 800) * 10_000, self.transaction());
            let row = self.row(claim, Event::Deposit, at, share, transaction);
            self.post(Row { status: Status::Approved, ..row.clone() });
            self.retry(&Row { status: Status::Approved, ..row });
        }
    }

    /// Posts `row` and the advertiser's decision on it; since when it is approved, if it is.
    fn settle(&mut self, row: &Row, at_once: bool) -> Option<i64> {
        let source = &self.sources[row.claim.source as usize];
        let made_up = source.touched(Kind::Rejected, &mut self.rng);
        let approved = !made_up && self.rng.chance(source.approval_ppm);
        let status = if approved { Status::Approved } else { Status::Rejected };
        let mut decided = Row { status, ..row.clone() };
        if at_once {
            self.retry(&decided);
        } else {
            self.post(row.clone());
            decided.status_time += self.rng.between(6 * HOUR_S, 60 * HOUR_S);
        }
        let since = decided.status_time;
        self.post(decided);
        approved.then_some(since)
    }

    /// The harmless repetition: the same transaction in the same state, minutes later, logged as a row of its
    /// own.
    fn retry(&mut self, row: &Row) {
        if self.rng.chance(RETRY_PPM) {
            let time = row.time + self.rng.between(20, 1_200);
            let conversion = self.conversion();
            self.post(Row { conversion, time, status_time: time, ..row.clone() });
        }
    }

    /// The fraud that looks like it: the paid transaction once more, days later.
    fn replay(&mut self, row: &Row, since: i64) {
        let time = since + self.rng.between(26 * HOUR_S, 72 * HOUR_S);
        let conversion = self.conversion();
        self.post(Row { conversion, time, status: Status::Approved, status_time: time, ..row.clone() });
    }

    fn offer_loot(&mut self, paid: Paid) {
        if self.loot.len() == LOOT {
            self.loot.pop_front();
        }
        self.loot.push_back(paid);
    }

    /// A transaction of another source for a source that steals them.
    fn stolen(&mut self, claim: &Claim, at: i64) -> Option<u64> {
        let source = &self.sources[claim.source as usize];
        if !source.touched(Kind::Stolen, &mut self.rng) {
            return None;
        }
        let spared = |victim: u32| {
            let source = &self.sources[victim as usize];
            source.plant.is_none() && (self.robbed[victim as usize] || source.clicks < WORTH_ROBBING)
        };
        let fits = |p: &Paid| p.since < at && p.source != claim.source && !spared(p.source);
        let paid = self.loot.iter().position(fits).and_then(|index| self.loot.remove(index))?;
        self.robbed[paid.source as usize] = true;
        Some(paid.transaction)
    }

    fn transaction(&mut self) -> u64 {
        self.transactions += 1 + self.rng.below(90);
        self.transactions
    }

    fn conversion(&mut self) -> u64 {
        self.conversions += 1;
        self.conversions
    }

    fn row(&mut self, claim: Claim, event: Event, time: i64, payout: i64, transaction: u64) -> Row {
        let conversion = self.conversion();
        Row {
            conversion,
            transaction,
            claim,
            event,
            time,
            status: Status::Pending,
            status_time: time,
            payout,
        }
    }

    /// Keeps a row until it is due, unless it lies outside the export.
    fn post(&mut self, row: Row) {
        if row.time >= self.from && row.status_time < self.until {
            self.rows += 1;
            self.due.insert((row.status_time, self.rows), row);
        }
    }

    /// Writes the rows of all times before `now`.
    pub fn write_due(&mut self, now: i64, calendar: &Calendar, out: &mut impl Write) -> io::Result<()> {
        while let Some(first) = self.due.first_entry().filter(|e| e.key().0 < now) {
            let row = first.remove();
            self.write(&row, calendar, out)?;
        }
        Ok(())
    }

    fn write(&self, row: &Row, calendar: &Calendar, out: &mut impl Write) -> io::Result<()> {
        let (claim, source) = (&row.claim, &self.sources[row.claim.source as usize]);
        let id = conversion_id(row.conversion);
        write!(out, "{id},TX{:010},{},{},", row.transaction, claim.click, row.event.word())?;
        write!(out, "{},{},", calendar.show(row.time), row.status.word())?;
        write!(out, "{},{},USD,", calendar.show(row.status_time), amount(row.payout, 2))?;
        write!(out, "{},{},", calendar.show(claim.click_time), source.traffic_source)?;
        writeln!(out, "{},{},{},{}", source.zone, source.campaign(), claim.ip, claim.place.country().code)
    }

    /// Rows within the export so far, written or still to come.
    pub fn rows(&self) -> u64 {
        self.rows
    }
}
