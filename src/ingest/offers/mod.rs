//! What was agreed for an offer: who is paid how much for what, and what the offer allows; by date.
//!
//! Terms explain rows and never change what an export says: a payout of the export's own wins, and so does its
//! own model. Refuses to guess: what a row of the file leaves open was not agreed.

mod columns;
mod read;

pub use columns::{COLUMNS, Column, EVENT_NAMES, EXAMPLE};

use super::rates::{ONE, Rates};
use crate::base::column::Col;
use crate::base::diag::Diag;
use crate::base::error::{Error, Result, read_small};
use crate::base::time::{DAY, Zone};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    Cpa,
    Cpl,
    RevShare,
    Hybrid,
}

/// Every model, its word in reports and the file, and the events it pays for, the likeliest first.
pub const MODELS: &[(Model, &str, &[&str])] = &[
    (Model::Cpa, "CPA", &["first_deposit", "sale", "conversion", "install"]),
    (Model::Cpl, "CPL", &["registration", "lead"]),
    (Model::RevShare, "RevShare", &["first_deposit", "deposit", "rebill", "sale"]),
    (Model::Hybrid, "hybrid", &["first_deposit", "deposit", "rebill", "sale"]),
];

impl Model {
    /// The word in reports.
    pub fn word(self) -> &'static str {
        MODELS[self as usize].1
    }

    /// The events it pays for unless the file says otherwise.
    fn pays(self) -> &'static [&'static str] {
        MODELS[self as usize].2
    }
}

/// Why an advertiser rejects a conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RejectClass {
    Quality,
    Fraud,
    Cap,
    Geo,
    ExistingCustomer,
    Kyc,
}

/// Every class of rejects, its word, whether it counts against a source, and the words exports use for it.
pub const REJECT_CLASSES: &[(RejectClass, &str, bool, &[&str])] = &[
    (
        RejectClass::Quality,
        "quality",
        true,
        &[
            "bad quality",
            "inactive",
            "invalid data",
            "invalid lead",
            "low quality",
            "no activity",
            "poor quality",
            "wrong data",
        ],
    ),
    (
        RejectClass::Fraud,
        "fraud",
        true,
        &[
            "bot",
            "bots",
            "fake",
            "fraudulent",
            "incent",
            "incentivised",
            "incentivized",
            "multi account",
            "multiaccount",
            "self referral",
        ],
    ),
    (
        RejectClass::Cap,
        "cap",
        false,
        &[
            "cap exceeded",
            "cap reached",
            "daily cap",
            "limit",
            "limit reached",
            "monthly cap",
            "over cap",
            "overcap",
        ],
    ),
    (
        RejectClass::Geo,
        "geo",
        false,
        &["country", "geo mismatch", "not allowed country", "not allowed geo", "wrong country", "wrong geo"],
    ),
    (
        RejectClass::ExistingCustomer,
        "existing_customer",
        false,
        &[
            "already registered",
            "existing",
            "existing customer",
            "existing player",
            "existing user",
            "old customer",
            "registered before",
        ],
    ),
    (
        RejectClass::Kyc,
        "kyc",
        false,
        &[
            "documents",
            "failed kyc",
            "kyc failed",
            "not verified",
            "unverified",
            "verification",
            "verification failed",
        ],
    ),
];

impl RejectClass {
    /// The word of the file and the reports.
    pub fn word(self) -> &'static str {
        REJECT_CLASSES[self as usize].1
    }

    /// Whether it says anything of the source.
    pub fn counts(self) -> bool {
        REJECT_CLASSES[self as usize].2
    }

    /// The class that a word means in the usual vocabulary.
    pub fn of(reason: &str) -> Option<RejectClass> {
        let reason = folded(reason);
        let known = REJECT_CLASSES
            .iter()
            .find(|(_, name, _, words)| folded(name) == reason || words.contains(&reason.as_str()));
        known.map(|(class, ..)| *class)
    }
}

/// A reason as it is compared: small letters, hyphens and underscores as spaces.
fn folded(text: &str) -> String {
    text.trim().to_lowercase().replace(['_', '-'], " ")
}

/// After what a cap starts anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    Day,
    Week,
    Month,
    Total,
}

/// Every period and its word.
pub const PERIODS: &[(Period, &str)] =
    &[(Period::Day, "day"), (Period::Week, "week"), (Period::Month, "month"), (Period::Total, "total")];

/// The most conversions that are paid for in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap {
    pub most: u64,
    pub period: Period,
}

/// What one conversion pays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pay {
    /// Micro-units of the offer's currency.
    pub fixed: i64,
    /// Hundredths of a percent of what the customer paid.
    pub share: i64,
}

/// One line of a payout: where it holds, and from which conversion of the month on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayLine {
    /// A country, a tier of countries, or `None` for all others.
    pub place: Option<String>,
    /// From so many conversions of the calendar month on.
    pub from: u64,
    pub pay: Pay,
}

/// What holds for an offer from a day on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Days since 1970; `None` from the beginning.
    pub from: Option<i32>,
    pub model: Option<Model>,
    pub payout: Vec<PayLine>,
    /// Countries of each tier.
    pub tiers: BTreeMap<String, BTreeSet<String>>,
    /// The events that are paid for, where the model does not say.
    pub pays: BTreeSet<String>,
    /// Of payout and minimum deposit.
    pub currency: Option<String>,
    /// The export's event words, small letters.
    pub events: BTreeMap<String, String>,
    /// Micro-units of the offer's currency.
    pub min_deposit: Option<i64>,
    pub cap: Option<Cap>,
    /// Where the days of caps and months of payouts are cut.
    pub zone: Option<Zone>,
    /// Microseconds until a conversion is decided.
    pub hold: Option<i64>,
    /// Microseconds that a click may be old.
    pub window: Option<i64>,
    pub countries: BTreeSet<String>,
    pub incentive: Option<bool>,
    pub brand: Option<bool>,
    /// The advertiser's own words for why he rejects.
    pub rejects: BTreeMap<String, RejectClass>,
}

impl Terms {
    /// Whether an event is paid for.
    pub fn pays_for(&self, event: &str) -> bool {
        match (self.pays.is_empty(), self.model) {
            (false, _) => self.pays.contains(event),
            (true, Some(model)) => model.pays().contains(&event),
            (true, None) => MODELS[Model::Cpa as usize].2.contains(&event),
        }
    }

    /// What the conversion of this country, the `nth` of its month, pays.
    pub fn pay(&self, country: Option<&str>, nth: u64) -> Option<Pay> {
        let country = country.map(country_code);
        let fits = |line: &&PayLine| line.from <= nth && self.rank(line, country.as_deref()).is_some();
        let best = self
            .payout
            .iter()
            .filter(fits)
            .max_by_key(|line| (self.rank(line, country.as_deref()), line.from));
        best.map(|line| line.pay)
    }

    /// The part of a payout that an event earns: what is fixed in a hybrid is paid once, for the first deposit or sale.
    pub fn earned(&self, pay: Pay, event: &str) -> Pay {
        let again = self.model == Some(Model::Hybrid) && !Model::Cpa.pays().contains(&event);
        if again { Pay { fixed: 0, ..pay } } else { pay }
    }

    /// How closely a line fits a country: itself, its tier, everywhere.
    fn rank(&self, line: &PayLine, country: Option<&str>) -> Option<u8> {
        let Some(place) = &line.place else { return Some(0) };
        let country = country?;
        match self.tiers.get(place) {
            Some(tier) => tier.contains(country).then_some(1),
            None => (place == country).then_some(2),
        }
    }

    /// Whether the offer takes visitors from this country; `None` where that was not agreed.
    pub fn allows(&self, country: &str) -> Option<bool> {
        (!self.countries.is_empty()).then(|| self.countries.contains(&country_code(country)))
    }

    /// The class of a reject, in the advertiser's own words or the usual ones.
    pub fn class(&self, reason: &str) -> Option<RejectClass> {
        self.rejects.get(&folded(reason)).copied().or_else(|| RejectClass::of(reason))
    }

    /// The period of a cap that a moment lies in: equal numbers are one period.
    pub fn period(&self, period: Period, time: i64) -> i64 {
        let day = self.zone.unwrap_or(Zone::UTC).day_and_hour(time).0;
        match period {
            Period::Day => i64::from(day),
            // 1970 began on a Thursday.
            Period::Week => i64::from((day + 3).div_euclid(7)),
            Period::Month => month(day),
            Period::Total => 0,
        }
    }
}

/// Months since year 0 of a day since 1970.
fn month(day: i32) -> i64 {
    let text = crate::base::time::show_day(day);
    let number =
        |range: std::ops::Range<usize>| text.get(range).and_then(|t| t.parse::<i64>().ok()).unwrap_or(0);
    number(0..4) * 12 + number(5..7)
}

fn country_code(country: &str) -> String {
    let code = country.trim().to_uppercase();
    if code == "UK" { "GB".to_owned() } else { code }
}

/// The terms of every offer.
#[derive(Clone, Debug, Default)]
pub struct Offers {
    /// By offer, as the exports call it; sorted by day.
    all: BTreeMap<String, Vec<Terms>>,
    /// The file, as the user named it.
    pub file: Option<String>,
    /// Words on which all offers agree, for rows that name no offer.
    common: Terms,
}

impl Offers {
    /// Reads an offers file.
    ///
    /// # Errors
    /// It cannot be read, or has faults: all of them, with line and column.
    pub fn load(path: &Path) -> Result<Offers> {
        let text = read_small(path, "offers file")?;
        let name = path.display().to_string();
        Offers::parse(&text, &name).map_err(|faults| {
            Error::usage(format!("{name} is no valid offers file\n{}", crate::base::diag::plain(&faults)))
        })
    }

    /// The offers of a file's text.
    ///
    /// # Errors
    /// Every fault of it.
    pub fn parse(text: &str, file: &str) -> std::result::Result<Offers, Vec<Diag>> {
        let all = read::read(text, file)?;
        let common = common(all.values().flatten());
        Ok(Offers { all, file: Some(file.to_owned()), common })
    }

    /// Whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many offers there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Whether any offer says what it pays.
    pub fn pay(&self) -> bool {
        self.all.values().flatten().any(|terms| !terms.payout.is_empty())
    }

    /// Whether any offer says its model.
    pub fn have_models(&self) -> bool {
        self.all.values().flatten().any(|terms| terms.model.is_some())
    }

    /// The model of every offer by day.
    pub fn models(&self) -> Vec<(&str, Option<i32>, &'static str)> {
        let dated =
            self.all.iter().flat_map(|(offer, dated)| dated.iter().map(move |terms| (offer.as_str(), terms)));
        dated.map(|(offer, terms)| (offer, terms.from, terms.model.map_or("", Model::word))).collect()
    }

    /// What holds for an offer at a moment, UTC microseconds.
    pub fn terms(&self, offer: &str, time: i64) -> Option<&Terms> {
        let dated = self.all.get(offer.trim())?;
        let day = time.div_euclid(DAY) as i32;
        let after = dated.partition_point(|terms| terms.from.is_none_or(|from| from <= day));
        dated[..after].last()
    }

    /// The terms whose words hold for a row: its offer's, or those on which all offers agree.
    pub fn words(&self, offer: Option<&str>, time: i64) -> Option<&Terms> {
        match offer {
            Some(offer) => self.terms(offer, time),
            None => Some(&self.common),
        }
    }

    /// An amount of the offer's in the report's currency; `None` without a rate.
    pub fn amount(
        &self,
        terms: &Terms,
        micro: i64,
        ours: Option<&str>,
        rates: &Rates,
        time: i64,
    ) -> Option<i64> {
        let Some((theirs, ours)) =
            terms.currency.as_deref().zip(ours).filter(|(theirs, ours)| theirs != ours)
        else {
            return Some(micro);
        };
        let rate = rates.of(theirs, ours, Some(time.div_euclid(DAY) as i32))?;
        i64::try_from(i128::from(micro) * i128::from(rate.value) / i128::from(ONE)).ok()
    }

    /// What each conversion of these terms pays in the report's currency, given what the customer paid.
    pub fn paid(
        &self,
        terms: &Terms,
        pay: Pay,
        sale: Option<i64>,
        ours: Option<&str>,
        rates: &Rates,
        time: i64,
    ) -> Option<i64> {
        let fixed = self.amount(terms, pay.fixed, ours, rates, time)?;
        match (pay.share, sale) {
            (0, _) => Some(fixed),
            (share, Some(sale)) => {
                let part = i64::try_from(i128::from(sale) * i128::from(share) / 10_000).ok()?;
                fixed.checked_add(part)
            }
            (_, None) => None,
        }
    }

    /// The columns of conversions that the terms fill where an export has none.
    pub fn fills(&self) -> BTreeSet<Col> {
        if self.pay() { BTreeSet::from([Col::Payout]) } else { BTreeSet::new() }
    }
}

/// The words that mean one thing in every offer that names them.
fn common<'t>(all: impl Iterator<Item = &'t Terms> + Clone) -> Terms {
    Terms {
        events: agreed(all.clone().flat_map(|terms| &terms.events)),
        rejects: agreed(all.flat_map(|terms| &terms.rejects)),
        ..Terms::default()
    }
}

fn agreed<'t, T: Clone + PartialEq + 't>(
    words: impl Iterator<Item = (&'t String, &'t T)>,
) -> BTreeMap<String, T> {
    let mut met: BTreeMap<String, Option<T>> = BTreeMap::new();
    for (word, means) in words {
        let known = met.entry(word.clone()).or_insert_with(|| Some(means.clone()));
        if known.as_ref() != Some(means) {
            *known = None;
        }
    }
    met.into_iter().filter_map(|(word, means)| Some((word, means?))).collect()
}

#[cfg(test)]
mod tests;
