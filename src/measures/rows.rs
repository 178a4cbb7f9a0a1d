//! What the declared filters, numbers and keys mean on rows of either side.

use super::accumulate::{Contributions, Placement};
use super::costs::CostDays;
use super::declared::{Filter, Kind, M, MEASURES, Number, Rows, pack};
use super::grain::GrainPass;
use super::hits::Hit;
use super::{Clock, Key};
use crate::base::column::Col;
use crate::base::error::Result;
use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::SECOND;
use crate::clean::vocabulary::LONG_S;
use crate::clean::{ClickDuplicates, Proof, Status, click_content};
use crate::ingest::{Batch, Field};
use crate::matching::{Class, MatchedConversion, countries_differ};
use hashbrown::{HashMap, HashSet};
use polars::prelude::{BooleanChunked, Int64Chunked, UInt64Chunked};
use std::collections::BTreeSet;

/// A set of rows that filters and numbers can be asked of.
trait RowSet {
    fn len(&self) -> usize;
    fn passes(&mut self, filter: Filter) -> Vec<bool>;
    fn number(&self, number: Number) -> Vec<Option<i64>>;
    /// [`Number::IdCharacters`] of each row.
    fn many(&self) -> Vec<Vec<i64>>;
    fn key(&self, key: Key) -> Vec<Option<u64>>;
}

/// What each of these rows adds to every measure of its side.
fn contributions(set: &mut dyn RowSet, side: Rows, available: &BTreeSet<M>) -> Contributions {
    let mut masks: Vec<(Filter, Vec<bool>)> = Vec::new();
    let mut out = Contributions { sums: Vec::new(), values: Vec::new(), many: Vec::new(), keys: Vec::new() };
    for measure in MEASURES.iter().filter(|m| m.rows == side && available.contains(&m.id) && !m.of_log()) {
        for &filter in measure.filters {
            if !masks.iter().any(|(f, _)| *f == filter) {
                masks.push((filter, set.passes(filter)));
            }
        }
        let wanted: Vec<&Vec<bool>> =
            masks.iter().filter(|(f, _)| measure.filters.contains(f)).map(|(_, mask)| mask).collect();
        let passes = |row: usize| wanted.iter().all(|mask| mask[row]);
        let only = |mut values: Vec<Option<i64>>| {
            values.iter_mut().enumerate().filter(|(row, _)| !passes(*row)).for_each(|(_, v)| *v = None);
            values
        };
        match measure.kind {
            Kind::Count => {
                out.sums.push((measure.id, (0..set.len()).map(|row| i64::from(passes(row))).collect()))
            }
            Kind::Sum(number) => {
                let values = only(set.number(number));
                out.sums.push((measure.id, values.into_iter().map(Option::unwrap_or_default).collect()));
            }
            Kind::Values(Number::IdCharacters) => {
                let lists = set.many().into_iter().enumerate();
                let only = lists.map(|(row, list)| if passes(row) { list } else { Vec::new() });
                out.many.push((measure.id, only.collect()));
            }
            Kind::Values(number) => out.values.push((measure.id, only(set.number(number)))),
            Kind::Distinct(key) | Kind::Top(key) => add_key(&mut out, measure.id, || set.key(key)),
            _ => {}
        }
    }
    out
}

/// Measures of one key share its column.
fn add_key(out: &mut Contributions, measure: M, column: impl Fn() -> Vec<Option<u64>>) {
    match out.keys.first_mut() {
        Some((measures, _)) => measures.push(measure),
        None => out.keys.push((vec![measure], column())),
    }
}

/// Takes out the click rows that do not count.
pub struct ClickFilter<'a> {
    fields: &'a [Field],
    duplicates: &'a ClickDuplicates,
    hit_type: Option<&'a str>,
    /// Rows with a repeated ID that still count, by content.
    keep: HashMap<u64, u32>,
}

impl<'a> ClickFilter<'a> {
    /// For one pass over all clicks.
    pub fn new(fields: &'a [Field], duplicates: &'a ClickDuplicates, hit_type: Option<&'a str>) -> Self {
        ClickFilter { fields, duplicates, hit_type, keep: duplicates.keep.clone() }
    }

    /// The rows of a batch that count: of one click exported twice the kept one, of the declared hit type.
    pub fn counted<'b>(&mut self, batch: &Batch<'b>) -> Batch<'b> {
        let mut mask = self.not_dropped(batch);
        if let (Some(wanted), Some(types)) = (self.hit_type, batch.texts(Col::HitType)) {
            let mask = mask.get_or_insert_with(|| vec![true; batch.len()]);
            mask.iter_mut().zip(types.iter()).for_each(|(keep, t)| *keep &= t == Some(wanted));
        }
        let frame = match mask {
            None => batch.frame.clone(),
            Some(mask) => {
                let mask: BooleanChunked = mask.into_iter().map(Some).collect();
                batch.frame.filter(&mask).expect("the mask is as long as the frame")
            }
        };
        Batch { frame, part: batch.part }
    }

    fn not_dropped(&mut self, batch: &Batch) -> Option<Vec<bool>> {
        let keys = batch.keys(Field::Key(Col::ClickId)).filter(|_| !self.duplicates.repeated.is_empty())?;
        let repeated = |k: Option<u64>| k.is_some_and(|k| self.duplicates.repeated.contains(&k));
        let suspects: Vec<usize> =
            keys.iter().enumerate().filter(|(_, k)| repeated(*k)).map(|(row, _)| row).collect();
        if suspects.is_empty() {
            return None;
        }
        let contents = click_content(batch, self.fields);
        let mut mask = vec![true; batch.len()];
        for row in suspects {
            let left = self.keep.get_mut(&contents.of(row)).filter(|left| **left > 0);
            mask[row] = left.is_some();
            left.into_iter().for_each(|left| *left -= 1);
        }
        Some(mask)
    }
}

/// Turns batches of clicks into contributions.
pub struct ClickRows<'a> {
    duplicates: &'a ClickDuplicates,
    /// Keys of the click IDs that converted.
    converted: &'a HashSet<u64>,
    clock: Clock,
    available: &'a BTreeSet<M>,
    /// Identical rows met so far, by row key.
    met: HashMap<u64, u32>,
}

impl<'a> ClickRows<'a> {
    /// For one pass over all clicks.
    pub fn new(
        duplicates: &'a ClickDuplicates,
        converted: &'a HashSet<u64>,
        clock: Clock,
        available: &'a BTreeSet<M>,
    ) -> ClickRows<'a> {
        ClickRows { duplicates, converted, clock, available, met: HashMap::new() }
    }

    /// What the rows of a batch add to the click measures.
    pub fn contributions(&mut self, batch: &Batch) -> Contributions {
        let times = batch.integers(Col::ClickTime).unwrap_or_default();
        let available = self.available;
        let mut set = ClickSet { batch, times, rows: self };
        contributions(&mut set, Rows::Clicks, available)
    }

    /// The rows of a batch as the log of clicks keeps them, without their stratum.
    pub fn hits(&self, batch: &Batch) -> Vec<Hit> {
        let times = batch.integers(Col::ClickTime).unwrap_or_default();
        let second = |t: Option<i64>| u32::try_from(t.unwrap_or_default().div_euclid(SECOND)).unwrap_or(0);
        let mut hits: Vec<Hit> = times.iter().map(|t| Hit { second: second(t), ..Hit::default() }).collect();
        let mut set = |field: Field, put: &dyn Fn(&mut Hit, u64)| {
            let Some(keys) = batch.keys(field) else { return };
            let some = hits.iter_mut().zip(keys.iter()).filter_map(|(hit, key)| key.map(|key| (hit, key)));
            some.for_each(|(hit, key)| put(hit, key));
        };
        set(Field::Key(Col::Ip), &|hit, key| hit.ip = key.max(1));
        set(Field::Net(Col::Ip), &|hit, key| {
            hit.net = short(key);
            hit.net_high = key as u16;
        });
        set(Field::Key(Col::UserAgent), &|hit, key| hit.agent = short(key));
        set(Field::Key(Col::Asn), &|hit, key| hit.asn = short(key));
        let converted = |hit: &mut Hit, key| {
            if self.converted.contains(&key) {
                hit.flags |= Hit::CONVERTED;
            }
        };
        set(Field::Key(Col::ClickId), &converted);
        if let Some(flags) = batch.flags(Field::Brand) {
            let branded = hits.iter_mut().zip(flags.iter()).filter(|(_, flag)| *flag == Some(true));
            branded.for_each(|(hit, _)| hit.flags |= Hit::BRAND);
        }
        hits
    }
}

/// Adds the clicks of a batch to grains, and to their logs.
pub fn add_clicks<'g>(
    grains: impl Iterator<Item = &'g mut GrainPass>,
    rows: &mut ClickRows,
    batch: &Batch,
    columns: &[Vec<Symbol>],
    days: &[i32],
    others: &Places,
) -> Result<()> {
    let contributions = rows.contributions(batch);
    let hits = rows.hits(batch);
    for grain in grains {
        let at = placement(columns, &grain.places, others, days.to_vec());
        let strata = grain.clicks.add(&at, &contributions);
        grain.log(strata.into_iter().zip(&hits).map(|(stratum, hit)| Hit { stratum, ..*hit }))?;
    }
    Ok(())
}

/// 32 of the bits of a key, never 0: enough to tell the keys of one group apart.
fn short(key: u64) -> u32 {
    ((key >> 32) as u32).max(1)
}

struct ClickSet<'a, 'b> {
    batch: &'a Batch<'a>,
    times: Int64Chunked,
    rows: &'a mut ClickRows<'b>,
}

impl ClickSet<'_, '_> {
    fn present(&self, col: Col) -> Vec<bool> {
        let integers = self.batch.integers(col);
        integers.map_or_else(|| vec![false; self.len()], |c| c.iter().map(|v| v.is_some()).collect())
    }

    fn keys(&self, field: Field) -> Option<&UInt64Chunked> {
        self.batch.keys(field)
    }

    fn surplus(&mut self) -> Vec<bool> {
        let Some(keys) = self.batch.keys(Field::Row) else { return vec![false; self.len()] };
        let ClickRows { duplicates, met, .. } = &mut *self.rows;
        let again = |k: u64| {
            duplicates.identical.contains_key(&k) && {
                let times = met.entry(k).or_default();
                *times += 1;
                *times > 1
            }
        };
        keys.iter()
            .map(|k| k.is_some())
            .zip(keys.iter().flatten().map(again))
            .map(|(some, again)| some && again)
            .collect()
    }

    fn has(&self, field: Field) -> Vec<bool> {
        let keys = self.keys(field);
        keys.map_or_else(|| vec![false; self.len()], |k| k.iter().map(|k| k.is_some()).collect())
    }

    fn yes(&self, col: Col) -> Vec<bool> {
        let integers = self.batch.integers(col);
        integers.map_or_else(|| vec![false; self.len()], |c| c.iter().map(|v| v == Some(1)).collect())
    }

    /// What the export's country and that of the address say together. A country that was itself found from
    /// the address says nothing beside it.
    fn address_countries(&self, say: fn(Option<bool>) -> bool) -> Vec<bool> {
        let (stated, found) = (self.batch.texts(Col::Country), self.batch.texts(Col::ClickCountry));
        let layout = &self.batch.part.layout;
        match stated.zip(found) {
            Some((stated, found)) if !layout.derives(Col::Country) => {
                let differ =
                    |(a, b): (Option<&str>, Option<&str>)| say(countries_differ(a?, b?)).then_some(());
                stated.iter().zip(found.iter()).map(|pair| differ(pair).is_some()).collect()
            }
            _ => vec![false; self.len()],
        }
    }

    fn flag(&self, field: Field) -> Vec<bool> {
        let flags = self.batch.flags(field);
        flags.map_or_else(|| vec![false; self.len()], |f| f.iter().map(|m| m == Some(true)).collect())
    }
}

/// Whether a day since 1970, which began on a Thursday, is a Saturday or Sunday.
pub fn weekend(day: i32) -> bool {
    matches!((day + 3).rem_euclid(7), 5 | 6)
}

impl RowSet for ClickSet<'_, '_> {
    fn len(&self) -> usize {
        self.batch.len()
    }

    fn passes(&mut self, filter: Filter) -> Vec<bool> {
        let mature_until = self.rows.clock.mature_until();
        match filter {
            Filter::Mature => self.times.iter().map(|t| t.is_some_and(|t| t <= mature_until)).collect(),
            Filter::Costed => self.present(Col::Cost),
            // Both are the cost files' to say; see `costs`.
            Filter::CostKnown | Filter::Bought => vec![false; self.len()],
            Filter::LanderClicked => self.present(Col::LanderClickTime),
            Filter::ReusedId => {
                let reused = &self.rows.duplicates.reused;
                let Some(keys) = self.keys(Field::Key(Col::ClickId)).filter(|_| !reused.is_empty()) else {
                    return vec![false; self.len()];
                };
                keys.iter().map(|k| k.is_some_and(|k| reused.contains(&k))).collect()
            }
            Filter::Surplus => self.surplus(),
            Filter::UnexpandedMacro => self.flag(Field::Macro),
            Filter::HasIp => self.has(Field::Key(Col::Ip)),
            Filter::HasNetwork => self.has(Field::Net(Col::Ip)),
            Filter::HasUserAgent => self.flag(Field::Present(Col::UserAgent)),
            Filter::HasReferrer => self.flag(Field::Present(Col::Referrer)),
            Filter::HasAsn => self.has(Field::Key(Col::Asn)),
            Filter::MarkedBot => self.yes(Col::IsBot),
            Filter::Datacenter => self.yes(Col::IsDatacenter),
            Filter::Vpn => self.yes(Col::IsVpn),
            Filter::Tor => self.yes(Col::IsTor),
            Filter::KnownBot => self.yes(Col::IsKnownBot),
            Filter::Headless => self.yes(Col::IsHeadless),
            Filter::AddressCountryKnown => self.address_countries(|differ| differ.is_some()),
            Filter::AddressCountryDiffers => self.address_countries(|differ| differ == Some(true)),
            Filter::Brand => self.flag(Field::Brand),
            Filter::Weekend => {
                let weekend = |t: i64| weekend(self.rows.clock.zone.day_and_hour(t).0);
                self.times.iter().map(|t| t.is_some_and(weekend)).collect()
            }
            _ => unreachable!("a filter of conversions"),
        }
    }

    fn number(&self, number: Number) -> Vec<Option<i64>> {
        let column = |col| self.batch.integers(col).map(|c| c.iter().collect::<Vec<_>>());
        let none = || vec![None; self.len()];
        match number {
            Number::Cost => column(Col::Cost).unwrap_or_else(none),
            Number::LanderDelay => {
                let Some(later) = column(Col::LanderClickTime) else { return none() };
                let delay =
                    |(from, to): (Option<i64>, Option<i64>)| Some((to? - from?).div_euclid(SECOND).max(0));
                self.times.iter().zip(later).map(delay).collect()
            }
            _ => unreachable!("a number of conversions"),
        }
    }

    fn many(&self) -> Vec<Vec<i64>> {
        unreachable!("a number of conversions")
    }

    fn key(&self, key: Key) -> Vec<Option<u64>> {
        unreachable!("{key:?} of clicks is counted from their log")
    }
}

/// Conversions as a set of rows.
pub struct ConversionSet<'a> {
    pub rows: &'a [MatchedConversion],
    pub clock: Clock,
    pub main_event: Symbol,
    /// The days whose costs are complete; `None` where no cost file is.
    pub cost_days: Option<&'a CostDays>,
}

impl ConversionSet<'_> {
    /// What the rows add to the conversion measures.
    pub fn contributions(&mut self, available: &BTreeSet<M>) -> Contributions {
        contributions(self, Rows::Conversions, available)
    }

    /// Whether a conversion is one of those that a measure of conversions counts.
    pub fn counts(&self, measure: M, m: &MatchedConversion) -> bool {
        measure.decl().filters.iter().all(|filter| self.passes_row(*filter, m))
    }

    fn passes_row(&self, filter: Filter, m: &MatchedConversion) -> bool {
        let (c, f) = (&m.conversion, &m.facts);
        match filter {
            Filter::Told => matches!(m.class, Class::Matched | Class::BeforeClick | Class::Orphan),
            Filter::WithClick => matches!(m.class, Class::Matched | Class::BeforeClick),
            Filter::Matched => m.class == Class::Matched,
            Filter::Orphan => m.class == Class::Orphan,
            Filter::BeforeClick => m.class == Class::BeforeClick,
            Filter::WithoutId => m.class == Class::WithoutId,
            Filter::Priced => c.payout.is_some() || c.revenue.is_some(),
            Filter::Earning => {
                let worth = c.payout.or(c.revenue).is_some_and(|amount| amount > 0);
                worth && matches!(c.status, Status::Approved | Status::Pending | Status::Unknown)
            }
            Filter::Approved => c.status == Status::Approved,
            Filter::Pending => c.status == Status::Pending,
            Filter::Rejected => c.status == Status::Rejected,
            Filter::TakenBack => matches!(c.status, Status::Refund | Status::Chargeback),
            Filter::UnknownStatus => c.status == Status::Unknown,
            Filter::Decided => matches!(c.status, Status::Approved | Status::Rejected),
            Filter::EverApproved => {
                matches!(c.status, Status::Approved | Status::Refund | Status::Chargeback)
            }
            Filter::Excused => excused(m),
            Filter::Blamed => !excused(m),
            Filter::OverCap => m.agreed.over_cap,
            Filter::CountryAgreed => m.agreed.allowed_country.is_some(),
            Filter::CountryDisallowed => m.agreed.allowed_country == Some(false),
            Filter::Rated => {
                self.passes_row(Filter::Earning, m)
                    && c.payout.is_some()
                    && m.agreed.contract.is_some_and(|a| a > 0)
            }
            Filter::Flagged => c.fraud_reason != Symbol::NONE,
            Filter::CostKnown => self.cost_days.is_none_or(|days| days.cover(m, self.clock)),
            Filter::MainEvent => c.event == self.main_event,
            Filter::FirstOfEvent => m.first_of_event,
            Filter::OnceOnly => c.once,
            Filter::RepeatedEvent => m.repeated_event,
            Filter::InTime => self.in_time(m),
            Filter::DecisionDue => {
                f.decision_due && m.click_time.unwrap_or(c.time) <= self.clock.mature_until()
            }
            Filter::HasCtit => m.ctit_s.is_some() && m.first_on_click,
            Filter::OwnTime => !m.batched,
            Filter::Short => m.ctit_s.zip(c.facts.short_s).is_some_and(|(ctit, short)| ctit < short),
            Filter::Long => m.ctit_s.is_some_and(|ctit| ctit > LONG_S),
            Filter::Replay => m.replay,
            Filter::PaidReplay => {
                m.replay
                    && c.transaction_id.is_some()
                    && matches!(c.status, Status::Approved | Status::Pending)
            }
            Filter::Shared => m.shared,
            Filter::HasIp => c.ip.is_some(),
            Filter::RegistrationDue => f.deposited.is_some(),
            Filter::ThenDeposited => f.deposited == Some(true),
            Filter::DepositDue => f.deposited_again.is_some(),
            Filter::ThenDepositedAgain => f.deposited_again == Some(true),
            Filter::CohortD7 => f.deposited_d7.is_some(),
            Filter::CohortD30 => f.deposited_d30.is_some(),
            Filter::DepositedD7 => f.deposited_d7 == Some(true),
            Filter::DepositedD30 => f.deposited_d30 == Some(true),
            Filter::CountriesKnown => f.countries_differ.is_some(),
            Filter::CountriesDiffer => f.countries_differ == Some(true),
            Filter::Amount => f.first_amount.is_some(),
            Filter::AtFloor => f.at_floor,
            Filter::RoundAmount => m.is_round_amount(),
            Filter::HasClickId => f.id_form.is_some(),
            Filter::ForeignForm => f.foreign_form,
            Filter::StepKnown => f.step.is_some(),
            Filter::Step => f.step == Some(true),
            Filter::NeighbourKnown => f.neighbour.is_some(),
            Filter::Neighbour => f.neighbour == Some(true),
            Filter::RoundCtit => m.ctit_s.is_some_and(|ctit| ctit > 0 && ctit % 60 == 0),
            Filter::HourLater => m.ctit_s.is_some_and(|ctit| ctit > 3_600),
            Filter::Answered => c.postback.http_status.is_some(),
            Filter::Failed => c.postback.failed(),
            Filter::HasRequest => c.postback.request.is_some(),
            Filter::DeliveredAgain => c.postback.again,
            Filter::ReplayedRequest => c.postback.replayed,
            Filter::SenderKnown => c.postback.sender_listed.is_some(),
            Filter::ForeignSender => c.postback.sender_listed == Some(false),
            Filter::TokenKnown => c.postback.token.is_some(),
            Filter::TokenMissing => c.postback.token == Some(Proof::Missing),
            Filter::TokenWrong => c.postback.token == Some(Proof::Bad),
            Filter::SignatureKnown => c.postback.signature.is_some(),
            Filter::Unsigned => c.postback.signature == Some(Proof::Missing),
            Filter::Forged => c.postback.signature == Some(Proof::Bad),
            Filter::MacroKnown => c.postback.macro_left.is_some(),
            Filter::MacroLeft => c.postback.macro_left == Some(true),
            Filter::Mature
            | Filter::Bought
            | Filter::Costed
            | Filter::LanderClicked
            | Filter::ReusedId
            | Filter::Surplus
            | Filter::UnexpandedMacro
            | Filter::Weekend
            | Filter::HasUserAgent
            | Filter::HasReferrer
            | Filter::HasAsn
            | Filter::HasNetwork
            | Filter::MarkedBot
            | Filter::Datacenter
            | Filter::Vpn
            | Filter::Tor
            | Filter::KnownBot
            | Filter::Headless
            | Filter::AddressCountryKnown
            | Filter::AddressCountryDiffers
            | Filter::Brand
            | Filter::Converted => unreachable!("a filter of clicks"),
        }
    }

    fn in_time(&self, m: &MatchedConversion) -> bool {
        let in_time = |click: i64| {
            click <= self.clock.mature_until() && m.conversion.time - click <= self.clock.maturity
        };
        m.class == Class::Matched && m.click_time.is_some_and(in_time)
    }
}

impl RowSet for ConversionSet<'_> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn passes(&mut self, filter: Filter) -> Vec<bool> {
        self.rows.iter().map(|m| self.passes_row(filter, m)).collect()
    }

    fn number(&self, number: Number) -> Vec<Option<i64>> {
        let of = |m: &MatchedConversion| {
            let c = &m.conversion;
            match number {
                Number::Ctit => m.ctit_s,
                Number::EventAndStatus => Some(pack(c.event, c.status)),
                Number::RejectClass => c.reject_class.map(|class| class as i64),
                Number::RatedPayout => c.payout,
                Number::AgreedPayout => m.agreed.contract,
                Number::FraudReason => Some(i64::from(c.fraud_reason.0)),
                Number::PayoutConfirmed => confirmed(m, c.payout),
                Number::RevenueConfirmed => confirmed(m, c.revenue),
                Number::PayoutPending => pending(c.status, c.payout),
                Number::RevenuePending => pending(c.status, c.revenue),
                Number::SaleAmount => c.sale_amount,
                Number::SaleAmountD7 => m.facts.amount_d7,
                Number::SaleAmountD30 => m.facts.amount_d30,
                Number::Hour => {
                    let (day, hour) = self.clock.zone.day_and_hour(c.time);
                    Some(i64::from(day) * 24 + i64::from(hour))
                }
                Number::FiveMinutes => Some(c.time.div_euclid(300 * SECOND)),
                Number::IdForm => m.facts.id_form,
                Number::IdCharacters => unreachable!("several values a row"),
                Number::Cost | Number::LanderDelay => unreachable!("a number of clicks"),
            }
        };
        self.rows.iter().map(of).collect()
    }

    fn many(&self) -> Vec<Vec<i64>> {
        self.rows.iter().map(MatchedConversion::id_characters).collect()
    }

    fn key(&self, key: Key) -> Vec<Option<u64>> {
        let _ = key;
        self.rows.iter().map(|m| m.conversion.ip).collect()
    }
}

/// Whether a reject says nothing of the source: its reason is of such a class, or it has none that is known and lies
/// beyond the cap of its offer.
pub fn excused(m: &MatchedConversion) -> bool {
    let class = m.conversion.reject_class;
    m.conversion.status == Status::Rejected && class.map_or(m.agreed.over_cap, |class| !class.counts())
}

/// What a conversion adds to confirmed money. Taken back after it had been approved in the same report it
/// is worth nothing; taken back on a row of its own it takes away what another row added.
fn confirmed(m: &MatchedConversion, amount: Option<i64>) -> Option<i64> {
    let amount = amount?;
    Some(match m.conversion.status {
        Status::Approved => amount,
        Status::Refund | Status::Chargeback if m.conversion.was_approved => 0,
        Status::Refund | Status::Chargeback => -amount.abs(),
        _ => 0,
    })
}

fn pending(status: Status, amount: Option<i64>) -> Option<i64> {
    amount.filter(|_| matches!(status, Status::Pending | Status::Unknown))
}

/// Symbols of the columns of a batch, one vector per column; missing columns are all absent.
pub fn symbols_of(batch: &Batch, columns: &[Col], symbols: &mut Symbols) -> Vec<Vec<Symbol>> {
    let column = |col: &Col| {
        let Some(texts) = batch.texts(*col) else { return vec![Symbol::NONE; batch.len()] };
        let mut last: (Option<&str>, Symbol) = (None, Symbol::NONE);
        let mut of = |text| {
            if text != last.0 {
                last = (text, symbols.of_option(text));
            }
            last.1
        };
        texts.iter().map(&mut of).collect()
    };
    columns.iter().map(column).collect()
}

/// Where the columns of strata and peer keys stand among all columns.
#[derive(Clone)]
pub struct Places {
    pub stratum: Vec<usize>,
    pub peer: Vec<usize>,
}

/// Where rows belong, from the symbols of all columns and the places of the grain's and the others among them.
pub fn placement(columns: &[Vec<Symbol>], grain: &[usize], places: &Places, day: Vec<i32>) -> Placement {
    let pick = |places: &[usize]| places.iter().map(|&i| columns[i].clone()).collect();
    Placement { group: pick(grain), stratum: pick(&places.stratum), peer: pick(&places.peer), day }
}
