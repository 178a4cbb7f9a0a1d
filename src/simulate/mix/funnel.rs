//! Conversions: registrations, deposits and decisions that follow from clicks, and what fraud makes of them.
//!
//! Rows wait until their time has come, so that the file is in order of time and memory holds only what is
//! still to come.

use super::Mix;
use super::assumptions::{Assumptions, Deposits};
use super::export::{Context, Event, Row, Sheet, Status};
use super::fraud::Fraud;
use super::population::{Plant, Population, Rates, Source, elsewhere};
use super::visit::Click;
use crate::simulate::random::{Rng, exp, mix};
use crate::simulate::schedule::HOUR_S;
use crate::simulate::text::{ClickId, DAY_S};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};

/// Visitors whose address has changed when they convert.
const MOVED: f64 = 0.08;

/// Approved first deposits that the card holder takes back, and visitors whose country is read differently.
const CHARGEBACK: f64 = 0.012;
const COUNTRY_MISREAD: f64 = 0.004;

/// Depositors who deposit once more after the second time, each time.
const NEXT_DEPOSIT: f64 = 0.5;

/// Paid transactions of other sources that a thief may still use; how many an honest source loses, and how
/// large it is at least.
const LOOT: usize = 512;
const LOSES_AT_MOST: u8 = 2;
const WORTH_ROBBING: u64 = 1_000;

/// What was exported of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub clicks: u64,
    pub touched_clicks: u64,
    /// Registrations, and conversions of any event that the fraud made or changed.
    pub conversions: u64,
    pub touched_conversions: u64,
    /// Approved payout, micro-units: all, and of touched conversions.
    pub payout: i64,
    pub touched_payout: i64,
}

impl Tally {
    /// Whether the fraud touched any row.
    pub fn is_touched(&self) -> bool {
        self.touched_clicks + self.touched_conversions > 0
    }
}

/// A paid transaction, known from `since` on.
struct Paid {
    transaction: u64,
    since: i64,
    source: u32,
}

/// Keeps conversions until they are due.
pub struct Funnel<'a> {
    population: &'a Population,
    assumed: &'static Assumptions,
    rng: Rng,
    due: BTreeMap<(i64, u64), Row>,
    from: i64,
    until: i64,
    /// When the planted fraud begins.
    begins: i64,
    leads_only: bool,
    rows: u64,
    conversions: u64,
    transactions: u64,
    loot: VecDeque<Paid>,
    robbed: Vec<u8>,
    pub tallies: Vec<Tally>,
}

impl<'a> Funnel<'a> {
    /// For the export of a mix; with `leads_only` it has no deposits.
    pub fn new(population: &'a Population, settings: &Mix, leads_only: bool) -> Funnel<'a> {
        let (count, hours) = (population.sources.len(), settings.hours());
        Funnel {
            population,
            assumed: settings.assumptions(),
            rng: Rng::new(0),
            due: BTreeMap::new(),
            from: hours.start * HOUR_S,
            until: hours.end * HOUR_S,
            begins: settings.begins(),
            leads_only,
            rows: 0,
            conversions: 0,
            transactions: 4_821_037_700,
            loot: VecDeque::new(),
            robbed: vec![0; count],
            tallies: vec![Tally::default(); count],
        }
    }

    /// Rows within the export so far, written or still to come.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// What follows from a click.
    pub fn visit(&mut self, click: &Click) {
        let Some(fate) = click.fate else { return };
        self.rng = Rng::new(click.seed ^ mix(2));
        let source = &self.population.sources[click.source as usize];
        let mut at = click.time + fate.ctit;
        self.register(source, click, at, fate.touched);
        if self.touched(source, Fraud::Repeated, at) {
            for _ in 0..self.rng.between(1, 3) {
                at += self.rng.between(40, 900);
                self.register(source, click, at, true);
            }
        }
    }

    /// Whether this fraud is planted in the source and touches the conversion of this time.
    fn touched(&mut self, source: &Source, fraud: Fraud, at: i64) -> bool {
        let plant = source.plant.as_ref().filter(|p| p.fraud == fraud && at >= self.begins);
        plant.is_some_and(|p| self.rng.happens(p.strength))
    }

    /// A registration, with all that follows from it.
    fn register(&mut self, source: &Source, click: &Click, at: i64, touched: bool) {
        let (group, rates) = source.markets[usize::from(click.market)];
        let program = self.population.groups[group].program;
        let mut row = self.row(source, click, group, at);
        row.touched |= touched;
        row.payout = program.lead_payout;
        if let Some(transaction) = self.stolen(source, click.source, at) {
            (row.transaction, row.touched) = (transaction, true);
        }
        let poor = touched && source.plant.as_ref().is_some_and(|p| p.fraud == Fraud::Coalition);
        let approval = if poor { 0.5 * rates.approval } else { rates.approval };
        let (at_once, approval) = match program.deposits {
            Some(_) => (true, 0.5 + 0.5 * approval),
            None => (self.rng.happens(program.at_once), approval),
        };
        if (self.from..self.until).contains(&row.time) {
            self.tallies[click.source as usize].conversions += 1;
        }
        let Some(since) = self.settle(source, &mut row, at_once, approval, program.decided_h) else { return };
        self.offer_loot(&row, since);
        if let Some(deposits) = program.deposits {
            self.first_deposit(source, &row, deposits, &rates, poor, program.decided_h);
        }
    }

    /// The row of a registration at `at`, with the facts of its click or what a fraud says instead.
    fn row(&mut self, source: &Source, click: &Click, group: usize, at: i64) -> Row {
        let visitor = click.visitor;
        let moved = self.rng.happens(MOVED) && !click.touched;
        let ip = if moved { visitor.place.country().address(&mut self.rng) } else { visitor.ip };
        let time = if source.batched { (at / HOUR_S + 1) * HOUR_S } else { at };
        let abroad = self.touched(source, Fraud::GeoMismatch, at);
        let misread = self.rng.happens(COUNTRY_MISREAD) || abroad;
        let place = if misread { elsewhere(visitor.place, &mut self.rng) } else { visitor.place };
        let orphan = self.touched(source, Fraud::Orphans, at);
        let click_id = if orphan { ClickId::fresh(&mut self.rng) } else { click.id };
        let back = if orphan { self.rng.between(0, 900) } else { 0 };
        Row {
            conversion: self.conversion(),
            transaction: self.transaction(),
            player: mix(click.seed ^ at as u64) >> 24,
            click: click_id,
            click_time: (click.time - back).max(if orphan { self.from } else { i64::MIN }),
            source: click.source,
            group,
            ip: if abroad { place.country().address(&mut self.rng) } else { ip },
            country: place.country().code,
            event: Event::Registration,
            time,
            status: Status::Pending,
            status_time: time,
            payout: 0,
            sale: None,
            touched: orphan || abroad,
            agent: visitor.agent,
        }
    }

    /// A first deposit some time after the registration, and what the player does then.
    fn first_deposit(
        &mut self,
        source: &Source,
        lead: &Row,
        deposits: Deposits,
        rates: &Rates,
        poor: bool,
        decided_h: f64,
    ) {
        let buys = |p: &&Plant| p.fraud == Fraud::Incentive && lead.time >= self.begins;
        let bought = source.plant.as_ref().filter(buys).map(|p| p.strength);
        let first = bought.map_or(rates.first, |f| (rates.first / (1.0 - f)).min(0.9));
        if !self.rng.happens(first) {
            return;
        }
        let bought = bought.is_some_and(|f| self.rng.happens(f));
        let time = lead.time + 60 + self.rng.lognormal(1_500.0, 1.8);
        let at_minimum = bought || self.rng.happens(rates.at_minimum);
        let sale = if at_minimum { deposits.minimum } else { deposited(&deposits, &mut self.rng) };
        let mut row = Row {
            conversion: self.conversion(),
            transaction: self.transaction(),
            event: Event::FirstDeposit,
            time,
            status_time: time,
            status: Status::Pending,
            payout: deposits.payout,
            sale: Some(sale),
            touched: lead.touched || bought,
            ..lead.clone()
        };
        let Some(since) = self.settle(source, &mut row, false, rates.approval, decided_h) else { return };
        self.offer_loot(&row, since);
        if self.rng.happens(CHARGEBACK) {
            let back = since + self.rng.between(DAY_S, 4 * DAY_S);
            return self.post(Row { status: Status::Chargeback, status_time: back, ..row });
        }
        if !bought && !poor && self.rng.happens(rates.second) {
            self.further_deposits(&row, &deposits);
        }
    }

    fn further_deposits(&mut self, first: &Row, deposits: &Deposits) {
        let mut time = first.time;
        loop {
            time += 900 + self.rng.lognormal(86_400.0, 1.2);
            let sale = deposited(deposits, &mut self.rng);
            let row = Row {
                conversion: self.conversion(),
                transaction: self.transaction(),
                event: Event::Deposit,
                time,
                status: Status::Approved,
                status_time: time,
                // CPA offers pay for the first deposit only.
                payout: 0,
                sale: Some(sale),
                ..first.clone()
            };
            self.retry(&row);
            self.post(row);
            if !self.rng.happens(NEXT_DEPOSIT) {
                return;
            }
        }
    }

    /// Posts `row` and the advertiser's decision on it; since when it is approved, if it is.
    fn settle(
        &mut self,
        source: &Source,
        row: &mut Row,
        at_once: bool,
        approval: f64,
        decided_h: f64,
    ) -> Option<i64> {
        let made_up = self.touched(source, Fraud::Rejected, row.time);
        row.touched |= made_up;
        let approved = !made_up && self.rng.happens(approval);
        let status = if approved { Status::Approved } else { Status::Rejected };
        if !at_once {
            self.post(row.clone());
            row.status_time += (decided_h * HOUR_S as f64 * exp(0.6 * self.rng.gauss())) as i64;
        }
        row.status = status;
        self.retry(row);
        self.post(row.clone());
        let since = row.status_time;
        if approved {
            self.replay(source, row, since);
        }
        approved.then_some(since)
    }

    /// The harmless repetition: the same transaction in the same state, soon after, logged as a row of its
    /// own.
    fn retry(&mut self, row: &Row) {
        if self.rng.happens(self.assumed.retries) {
            let after = self.rng.unit();
            let time = row.status_time + 20 + (after * after * self.assumed.retry_within_s as f64) as i64;
            let conversion = self.conversion();
            self.keep(Row { conversion, time, status_time: time, touched: false, ..row.clone() });
        }
    }

    /// The fraud that looks like it: the paid transaction once more, an hour to ten days later.
    fn replay(&mut self, source: &Source, row: &Row, since: i64) {
        let mut time = since;
        while self.touched(source, Fraud::Replay, time) {
            // Evenly on the logarithm of the lag.
            time += (HOUR_S as f64 * exp(5.48 * self.rng.unit())) as i64;
            let conversion = self.conversion();
            let again = Row {
                conversion,
                time,
                status_time: time,
                status: Status::Approved,
                touched: true,
                ..row.clone()
            };
            self.post(again);
        }
    }

    fn offer_loot(&mut self, row: &Row, since: i64) {
        if row.payout > 0 && row.time >= self.from && !row.touched {
            if self.loot.len() == LOOT {
                self.loot.pop_front();
            }
            self.loot.push_back(Paid { transaction: row.transaction, since, source: row.source });
        }
    }

    /// A transaction of another source for a source that steals them.
    fn stolen(&mut self, source: &Source, index: u32, at: i64) -> Option<u64> {
        if !self.touched(source, Fraud::Stolen, at) {
            return None;
        }
        let fits = |p: &Paid| {
            let victim = &self.population.sources[p.source as usize];
            let robbed = self.robbed[p.source as usize] >= LOSES_AT_MOST;
            let spared = victim.plant.is_none() && (robbed || victim.clicks < WORTH_ROBBING);
            p.since < at && p.source != index && !spared && victim.network == source.network
        };
        let paid = self.loot.iter().position(fits).and_then(|nth| self.loot.remove(nth))?;
        let robbed = &mut self.robbed[paid.source as usize];
        *robbed = robbed.saturating_add(1);
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

    /// Keeps a row until it is due and counts it, unless it lies outside the export.
    fn post(&mut self, row: Row) {
        if !self.is_exported(&row) {
            return;
        }
        let tally = &mut self.tallies[row.source as usize];
        let paid = match row.status {
            Status::Approved => row.payout,
            Status::Chargeback => -row.payout,
            Status::Pending | Status::Rejected => 0,
        };
        tally.payout += paid;
        if row.touched {
            tally.touched_payout += paid;
            tally.touched_conversions += u64::from(row.time == row.status_time);
        }
        self.keep(row);
    }

    /// Whether the export has such rows, and reaches to this one.
    fn is_exported(&self, row: &Row) -> bool {
        let shown = !self.leads_only || row.event == Event::Registration;
        shown && row.time >= self.from && row.status_time < self.until
    }

    fn keep(&mut self, row: Row) {
        if self.is_exported(&row) {
            self.rows += 1;
            self.due.insert((row.status_time, self.rows), row);
        }
    }

    /// Writes the rows of all times before `now`; without a sheet they are dropped.
    pub fn write_due(
        &mut self,
        now: i64,
        sheet: Option<(&Sheet, &Context)>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        while let Some(first) = self.due.first_entry().filter(|e| e.key().0 < now) {
            let row = first.remove();
            if let Some((sheet, context)) = sheet {
                sheet.write_conversion(&row, context, out)?;
            }
        }
        Ok(())
    }
}

/// What somebody deposits who does not keep to the minimum: more, and round.
fn deposited(deposits: &Deposits, rng: &mut Rng) -> i64 {
    let drawn = deposits.minimum as f64 * (1.0 + exp(0.6 + 0.9 * rng.gauss()));
    let step = deposits.minimum / 2;
    (drawn.min(deposits.minimum as f64 * 200.0) as i64 / step).max(3) * step
}
