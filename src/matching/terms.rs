//! What was agreed for an offer, on its conversions: which first deposits qualify, which conversions lie beyond a cap,
//! what they should pay, and whether their country is one that the offer takes.
//!
//! Runs beside the other facts and decides nothing: a conversion that the terms explain is marked, never dropped.

use super::MatchedConversion;
use super::transactions::order;
use crate::base::column::Col;
use crate::base::symbol::{Symbol, Symbols};
use crate::clean::Status;
use crate::clean::vocabulary::UNQUALIFIED;
use crate::ingest::offers::{Offers, Period, Terms};
use crate::ingest::rates::Rates;
use std::collections::{BTreeMap, HashMap};

/// What the terms of its offer say of a conversion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreed {
    /// So many others had been paid for in the period of the cap that this one is not.
    pub over_cap: bool,
    /// Whether its country is one that the offer takes; `None` where that is not known or not agreed.
    pub allowed_country: Option<bool>,
    /// What it should pay, micro-units, where the export says what it does pay.
    pub contract: Option<i64>,
}

/// What the terms came to, to be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Conversions that the export gives no payout, and what the terms give them.
    pub filled: u64,
    pub filled_sum: i64,
    /// First deposits below the minimum.
    pub unqualified: u64,
    pub over_cap: u64,
    /// Conversions whose offer the file does not have, at their time.
    pub without: u64,
}

/// The offers of a run and where rows name theirs.
pub struct Book<'a> {
    pub offers: &'a Offers,
    /// The report's currency.
    pub currency: Option<&'a str>,
    pub rates: &'a Rates,
    /// Where offer and country stand among the columns of conversions.
    pub offer_at: Option<usize>,
    pub country_at: Option<usize>,
}

impl<'a> Book<'a> {
    /// For conversions with these columns.
    pub fn new(offers: &'a Offers, currency: Option<&'a str>, rates: &'a Rates, columns: &[Col]) -> Book<'a> {
        let at = |col| columns.iter().position(|c| *c == col);
        Book { offers, currency, rates, offer_at: at(Col::Offer), country_at: at(Col::Country) }
    }

    /// The terms of an offer at a moment.
    pub fn terms(&self, offer: Symbol, time: i64, symbols: &Symbols) -> Option<&'a Terms> {
        if self.offers.is_empty() {
            return None;
        }
        self.offers.terms(symbols.text(offer)?, time)
    }

    /// The terms of a conversion whose columns are these.
    pub fn of(&self, columns: &[Symbol], time: i64, symbols: &Symbols) -> Option<&'a Terms> {
        self.terms(columns[self.offer_at?], time, symbols)
    }

    /// The smallest first deposit that qualifies, in the report's currency.
    pub fn least_deposit(&self, terms: &Terms, time: i64) -> Option<i64> {
        self.offers.amount(terms, terms.min_deposit?, self.currency, self.rates, time)
    }
}

/// Gives first deposits below the minimum of their offer the name of what they are; how many there are.
pub fn disqualify(rows: &mut [MatchedConversion], book: &Book, symbols: &mut Symbols) -> u64 {
    if book.offers.is_empty() {
        return 0;
    }
    let name = symbols.of(UNQUALIFIED.name);
    let mut count = 0;
    for m in rows.iter_mut().filter(|m| m.conversion.facts.name == "first_deposit") {
        let time = m.conversion.time;
        let least = book.of(&m.columns, time, symbols).and_then(|terms| book.least_deposit(terms, time));
        if m.conversion.sale_amount.zip(least).is_some_and(|(paid, least)| paid < least) {
            m.conversion.event = name;
            m.conversion.facts = UNQUALIFIED;
            count += 1;
        }
    }
    count
}

/// Marks what the terms say of every conversion, and fills in payouts that the exports lack.
pub fn mark(rows: &mut [MatchedConversion], book: &Book, symbols: &Symbols) -> Told {
    let mut told = Told::default();
    let Some(offer_at) = book.offer_at.filter(|_| !book.offers.is_empty()) else { return told };
    let mut by_offer: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, m) in rows.iter().enumerate() {
        match symbols.text(m.columns[offer_at]) {
            Some(offer) => by_offer.entry(offer).or_default().push(at),
            None => told.without += 1,
        }
    }
    for (offer, mut places) in by_offer {
        places.sort_by_key(|&at| order(&rows[at]));
        let mut counts = Counts::default();
        for at in places {
            let time = rows[at].conversion.time;
            match book.offers.terms(offer, time) {
                Some(terms) => counts.row(&mut rows[at], terms, book, symbols, &mut told),
                None => told.without += 1,
            }
        }
    }
    told
}

/// How many conversions of an offer were paid for so far, by period.
#[derive(Default)]
struct Counts {
    of_cap: HashMap<(u8, i64), u64>,
    of_month: HashMap<i64, u64>,
}

impl Counts {
    fn row(
        &mut self,
        m: &mut MatchedConversion,
        terms: &Terms,
        book: &Book,
        symbols: &Symbols,
        told: &mut Told,
    ) {
        let country = book.country_at.and_then(|at| symbols.text(m.columns[at]));
        m.agreed.allowed_country = country.filter(|c| is_code(c)).and_then(|c| terms.allows(c));
        let (time, status) = (m.conversion.time, m.conversion.status);
        let event = symbols.text(m.conversion.event).unwrap_or_default();
        if !terms.pays_for(event) || status == Status::Void {
            return;
        }
        let counts = status != Status::Rejected;
        if let Some(cap) = terms.cap {
            let before = self.of_cap.entry((cap.period as u8, terms.period(cap.period, time))).or_default();
            m.agreed.over_cap = *before >= cap.most;
            *before += u64::from(counts);
            told.over_cap += u64::from(m.agreed.over_cap);
        }
        let of_month = self.of_month.entry(terms.period(Period::Month, time)).or_default();
        let nth = *of_month + 1;
        *of_month += u64::from(counts);
        let pay = terms.pay(country, nth).map(|pay| terms.earned(pay, event));
        let pays = pay.and_then(|pay| {
            book.offers.paid(terms, pay, m.conversion.sale_amount, book.currency, book.rates, time)
        });
        match (pays, m.conversion.payout) {
            (Some(pays), None) => {
                m.conversion.payout = Some(pays);
                told.filled += 1;
                told.filled_sum = told.filled_sum.saturating_add(pays);
            }
            (pays, _) => m.agreed.contract = pays,
        }
    }
}

/// Whether a country is written as a code, as terms write it.
fn is_code(country: &str) -> bool {
    let code = country.trim();
    code.len() == 2
        && code.bytes().all(|b| b.is_ascii_alphabetic())
        && !matches!(code.to_ascii_lowercase().as_str(), "xx" | "zz" | "eu" | "ap")
}
