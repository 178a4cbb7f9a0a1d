//! What the differences come to: by event, network, offer and source, in every currency by itself.
//!
//! One side claims and the other one pays; who is who follows from whose statements they are. Amounts in two
//! currencies are never added up, and an absent amount is counted as such, never as zero.

use super::class::{Class, Difference};
use super::pairing::{Matched, NONE, Sides, pays};
use crate::base::money::Micro;
use crate::base::symbol::{Symbol, Symbols};
use crate::base::text::Text;
use crate::clean::Status;
use crate::clean::statement::{Kind, Row};
use std::collections::BTreeMap;

/// Who has to pay whom, if the statements are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    TheyOweUs,
    WeOweThem,
}

/// Conversions and what they are worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub count: u64,
    pub amount: Micro,
    /// Those of the count without an amount.
    pub unpriced: u64,
}

impl Sum {
    fn add(&mut self, amount: Option<i64>) {
        self.count += 1;
        match amount {
            Some(amount) => self.amount.0 = self.amount.0.saturating_add(amount),
            None => self.unpriced += 1,
        }
    }

    fn merge(&mut self, other: &Sum) {
        self.count += other.count;
        self.amount.0 = self.amount.0.saturating_add(other.amount.0);
        self.unpriced += other.unpriced;
    }
}

/// What is owed of one network, offer or source in one currency, by who claims it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Conversions that are paid or will be, by either side's own word.
    pub ours: Sum,
    pub theirs: Sum,
    /// The claiming side's conversions that the other one does not have.
    pub missing: Sum,
    /// Those that the other one has and does not pay.
    pub refused: Sum,
    /// Those that the other one has not decided yet, while the claiming side takes them for approved.
    pub waiting: Sum,
    /// Pairs that both pay, with different amounts: what the claiming side's are higher by, and lower by.
    pub underpaid: Sum,
    pub overpaid: Sum,
    /// The other side's conversions that the claiming one does not have.
    pub unknown: Sum,
}

impl Account {
    /// Missing, refused and underpaid together, less what is overpaid.
    pub fn owed(&self) -> Micro {
        let claims = [&self.missing, &self.refused, &self.underpaid].map(|sum| sum.amount.0);
        Micro(Micro::total(&claims).0.saturating_sub(self.overpaid.amount.0))
    }

    /// Amounts in dispute, whoever they are in favour of; signs do not cancel.
    pub fn disputed(&self) -> Micro {
        let parts = [&self.missing, &self.refused, &self.unknown, &self.underpaid, &self.overpaid];
        Micro::total(&parts.map(|sum| sum.amount.0.saturating_abs()))
    }

    fn merge(&mut self, other: &Account) {
        self.ours.merge(&other.ours);
        self.theirs.merge(&other.theirs);
        self.missing.merge(&other.missing);
        self.refused.merge(&other.refused);
        self.waiting.merge(&other.waiting);
        self.underpaid.merge(&other.underpaid);
        self.overpaid.merge(&other.overpaid);
        self.unknown.merge(&other.unknown);
    }

    /// Whether the two sides agree on all of it.
    pub fn agrees(&self) -> bool {
        let open =
            [&self.missing, &self.refused, &self.waiting, &self.underpaid, &self.overpaid, &self.unknown];
        open.iter().all(|sum| sum.count == 0)
    }
}

/// What accounts are kept by.
pub const DIMENSIONS: [&str; 4] = ["event", "network", "offer", "source"];

/// A name in every dimension; the source's has its traffic source before it.
pub type Name = Vec<Option<Text>>;

/// The accounts of one dimension, by name and currency.
pub type Accounts = BTreeMap<(Name, Option<Text>), Account>;

/// The accounts of every dimension, in the order of [`DIMENSIONS`].
pub struct Ledger {
    pub by: [Accounts; 4],
    /// Of all, by currency.
    pub all: BTreeMap<Option<Text>, Account>,
}

/// Adds up what the matched rows of the compared days are worth.
pub fn ledger(sides: &Sides, matched: &Matched, direction: Direction, symbols: &Symbols) -> Ledger {
    let of_kinds = vec![Account::default(); sides.kinds.len()];
    let mut book = Book { sides, direction, of_kinds, others: BTreeMap::new() };
    for (row, class) in (0..).zip(&matched.ours.classes) {
        let partner = matched.ours.partners[row as usize];
        match (class, partner) {
            (Some(Class::PartialDay), _) => {}
            (_, NONE) if *class == Some(Class::Missing) => book.alone(sides.our(row), true),
            (_, NONE) => {}
            (_, theirs) => {
                let underpaid = matched.differences[row as usize].has(Difference::Payout);
                book.pair(sides.our(row), sides.their(theirs), underpaid);
            }
        }
    }
    let missing = (0..).zip(&matched.theirs.classes).filter(|(_, class)| **class == Some(Class::Missing));
    missing.for_each(|(row, _)| book.alone(sides.their(row), false));
    book.ledger(symbols)
}

/// What one account is about, as symbols: event, network, offer, traffic source, source, currency.
type Place = [Symbol; 6];

/// Where the currency stands in a place.
const CURRENCY: usize = 5;

fn place(kind: &Kind) -> Place {
    [kind.event, kind.network, kind.offer, kind.traffic_source, kind.source, kind.currency]
}

struct Book<'a> {
    sides: &'a Sides<'a>,
    direction: Direction,
    /// By the number of the kind.
    of_kinds: Vec<Account>,
    /// What is in another currency than the kind it belongs to.
    others: BTreeMap<Place, Account>,
}

impl Book<'_> {
    /// The account of a row of ours, in the currency of `kind`.
    fn at(&mut self, row: &Row, kind: &Kind) -> &mut Account {
        let own = self.sides.kinds.get(row.kind);
        if own.currency == kind.currency {
            return &mut self.of_kinds[row.kind as usize];
        }
        let mut place = place(own);
        place[CURRENCY] = kind.currency;
        self.others.entry(place).or_default()
    }

    /// A row that the other side does not have.
    fn alone(&mut self, (row, kind): (&Row, &Kind), ours: bool) {
        let claims = ours == (self.direction == Direction::TheyOweUs);
        if !pays(kind.status) {
            return;
        }
        let account = self.at(row, kind);
        let own = if ours { &mut account.ours } else { &mut account.theirs };
        own.add(row.paid());
        let lacking = if claims { &mut account.missing } else { &mut account.unknown };
        lacking.add(row.paid());
    }

    fn pair(&mut self, (one, our): (&Row, &Kind), (two, their): (&Row, &Kind), underpaid: bool) {
        if pays(our.status) {
            self.at(one, our).ours.add(one.paid());
        }
        if pays(their.status) {
            self.at(one, their).theirs.add(two.paid());
        }
        let (claim, claimed, answer, answered) = match self.direction {
            Direction::TheyOweUs => (one, our, two, their),
            Direction::WeOweThem => (two, their, one, our),
        };
        if !pays(claimed.status) {
            return;
        }
        let account = self.at(one, claimed);
        if !pays(answered.status) {
            account.refused.add(claim.paid());
        } else if claimed.status != Some(Status::Pending) && answered.status == Some(Status::Pending) {
            account.waiting.add(claim.paid());
        } else if underpaid && let Some((claim, answer)) = claim.paid().zip(answer.paid()) {
            let part = if claim > answer { &mut account.underpaid } else { &mut account.overpaid };
            part.add(Some(claim.abs_diff(answer) as i64));
        }
    }

    fn ledger(self, symbols: &Symbols) -> Ledger {
        let text = |symbol: Symbol| symbols.text(symbol).map(Text::new);
        let mut ledger = Ledger { by: [const { BTreeMap::new() }; 4], all: BTreeMap::new() };
        let of_kinds =
            (0..).zip(&self.of_kinds).map(|(at, account)| (place(self.sides.kinds.get(at)), account));
        let others = self.others.iter().map(|(place, account)| (*place, account));
        for (place, account) in of_kinds.chain(others).filter(|(_, account)| **account != Account::default())
        {
            let [event, network, offer, traffic_source, source, currency] = place.map(text);
            let names = [vec![event], vec![network], vec![offer], vec![traffic_source, source]];
            for (accounts, name) in ledger.by.iter_mut().zip(names) {
                accounts.entry((name, currency.clone())).or_default().merge(account);
            }
            ledger.all.entry(currency).or_default().merge(account);
        }
        ledger
    }
}
