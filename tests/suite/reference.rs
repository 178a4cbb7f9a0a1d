//! The naive reference: every signal of every source, computed from vectors of rows in the plainest way.
//!
//! Written from the definitions in words (README, rule files, the summaries of the signals), with an arithmetic
//! of its own and without the engine or any stage of the pipeline. It is slow on purpose: every question walks
//! over all rows. What it does not do: files, mappings, grains other than the source, aggregated reports.

mod crowds;
mod ids;
mod logs;
mod numbers;
mod rhythm;
mod ways;

use std::collections::{BTreeMap, BTreeSet};

pub const SECOND: i64 = 1_000_000;
pub const DAY: i64 = 86_400 * SECOND;

type Text = Option<String>;

/// One row of the click export. Times are microseconds as written: local time of [`Facts::local`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClickRow {
    pub click_id: Text,
    pub time: i64,
    pub traffic_source: Text,
    pub source: Text,
    pub offer: Text,
    pub network: Text,
    pub country: Text,
    pub ip: Text,
    pub user_agent: Text,
    pub asn: Text,
    pub is_bot: Option<bool>,
    pub is_datacenter: Option<bool>,
    pub is_vpn: Option<bool>,
    pub is_tor: Option<bool>,
    pub is_known_bot: Option<bool>,
    pub is_headless: Option<bool>,
    pub click_country: Text,
    pub keyword: Text,
    pub referrer: Text,
    pub hit_type: Text,
    pub lander_time: Option<i64>,
    /// Micro-units.
    pub cost: Option<i64>,
}

/// One row of the conversion export.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConversionRow {
    pub conversion_id: Text,
    pub transaction_id: Text,
    pub click_id: Text,
    pub event: Text,
    pub time: i64,
    pub click_time: Option<i64>,
    pub status_time: Option<i64>,
    pub status: Text,
    pub payout: Option<i64>,
    pub revenue: Option<i64>,
    pub sale_amount: Option<i64>,
    pub player_id: Text,
    pub fraud_reason: Text,
    pub reject_reason: Text,
    pub country: Text,
    pub ip: Text,
    pub traffic_source: Text,
    pub source: Text,
    pub offer: Text,
    pub network: Text,
    pub request: Text,
    /// In millionths, as all numbers.
    pub http_status: Option<i64>,
    pub sender_listed: Option<bool>,
    pub token: Text,
    pub signature: Text,
    pub macro_left: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Perspective {
    Buyer,
    Network,
    Advertiser,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Click,
    Network,
    Global,
}

/// The time zones that the reference knows, by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Local {
    Utc,
    /// In 2026 only: summer time from 29 March to 25 October, 01:00 UTC.
    Berlin,
}

/// What is known of the input besides its rows.
#[derive(Clone, Debug)]
pub struct Facts {
    pub perspective: Option<Perspective>,
    pub scope: Option<Scope>,
    /// In which local time the rows are written.
    pub local: Local,
    /// Where hours are cut.
    pub hours_in: Local,
    pub maturity: i64,
    pub window: i64,
    pub as_of: Option<i64>,
    pub hit_type: Text,
    pub main_event: Text,
    pub drops_orphans: bool,
    pub drops_duplicates: bool,
    pub brand_terms: Vec<&'static str>,
    /// The columns of each export; `None` where there is no such export.
    pub click_columns: Option<BTreeSet<&'static str>>,
    pub conversion_columns: Option<BTreeSet<&'static str>>,
}

/// The rows that a rule with row limits asks about.
#[derive(Clone, Debug, Default)]
pub struct Cut {
    /// Microseconds back from the end.
    pub window: Option<i64>,
    pub mature: Option<i64>,
    pub events: Vec<&'static str>,
    pub offers: Vec<&'static str>,
}

/// A signal of one group: value, sample size and 95 % limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value {
    pub value: f64,
    pub n: u64,
    pub low: f64,
    pub high: f64,
}

/// Traffic source and source.
pub type Key = (Text, Text);

/// All signals of all groups; `None` is an absent signal.
pub type Signals = BTreeMap<Key, BTreeMap<&'static str, Option<Value>>>;

/// What came out, for all rows together.
pub struct Outcome {
    pub signals: Signals,
    /// Click rows that count, of any hit type, and conversions after repetitions were taken out.
    pub click_rows: usize,
    pub conversions: usize,
}

// ---------------------------------------------------------------- time

impl Local {
    fn offset(self, utc: i64) -> i64 {
        const SUMMER: std::ops::Range<i64> = 1_774_746_000 * SECOND..1_792_890_000 * SECOND;
        match self {
            Local::Utc => 0,
            Local::Berlin if SUMMER.contains(&utc) => 7_200 * SECOND,
            Local::Berlin => 3_600 * SECOND,
        }
    }

    /// The earlier moment of a time that happens twice; a skipped time is as far behind the change as the
    /// clock that was not put forward would be.
    pub fn to_utc(self, local: i64) -> i64 {
        let candidates = [7_200, 3_600, 0].map(|o| local - o * SECOND);
        let fits = |utc: &&i64| **utc + self.offset(**utc) == local;
        candidates.iter().find(fits).copied().unwrap_or(local - 3_600 * SECOND)
    }

    /// Hours since 1970 on the local clock.
    fn local_hour(self, utc: i64) -> i64 {
        (utc + self.offset(utc)).div_euclid(3_600 * SECOND)
    }
}

// ---------------------------------------------------------------- words

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    Unknown,
    Pending,
    Approved,
    Rejected,
    Refund,
    Chargeback,
    Void,
}

/// An export without a status, or with none in this row, lists what was accepted.
fn status(word: &Text) -> Status {
    let Some(word) = word else { return Status::Approved };
    match word.trim().to_lowercase().as_str() {
        "approved" | "confirmed" | "paid" => Status::Approved,
        "pending" | "hold" => Status::Pending,
        "rejected" | "trash" => Status::Rejected,
        "refund" => Status::Refund,
        "chargeback" => Status::Chargeback,
        "test" => Status::Void,
        _ => Status::Unknown,
    }
}

/// Signals that rest on a cost file or an offers file, which no case has: they are absent here, and held against
/// numbers computed by hand in the tests of shapes, offers and sources.
pub const OF_OTHER_FILES: [&str; 6] = [
    "brand_allowed_share",
    "click_loss_share",
    "disallowed_country_share",
    "incentive_allowed_share",
    "over_cap_share",
    "payout_in_rates",
];

/// A reject for a cap, a wrong country, a known customer or missing documents.
fn excused(c: &Conversion) -> bool {
    let reason = c.row.reject_reason.as_ref().map(|r| r.trim().to_lowercase().replace('_', " "));
    let known = ["cap", "wrong geo", "existing customer", "not verified"];
    c.has(&[Status::Rejected]) && reason.is_some_and(|r| known.contains(&r.as_str()))
}

/// How an anti-fraud service says that it found nothing.
fn found_nothing(reason: &str) -> bool {
    ["none", "0", "ok"].contains(&reason.trim().to_lowercase().as_str())
}

fn may_become(from: Status, to: Status) -> bool {
    use Status::{Approved, Chargeback, Pending, Refund, Rejected, Unknown};
    match from {
        Unknown | Pending => from != to,
        Approved => [Rejected, Refund, Chargeback].contains(&to),
        Rejected => to == Approved,
        _ => false,
    }
}

/// Name, once-only, and the seconds that a person needs at least; `None` where it may come at any time.
fn event(word: &Text) -> (String, bool, Option<i64>) {
    let word = word.as_deref().unwrap_or("conversion").trim().to_lowercase();
    let (name, once, short) = match word.as_str() {
        "install" => ("install", true, Some(10)),
        "registration" | "reg" => ("registration", true, Some(15)),
        "lead" => ("lead", true, Some(15)),
        "first_deposit" | "ftd" => ("first_deposit", true, Some(30)),
        "sale" | "purchase" => ("sale", false, Some(30)),
        "deposit" => ("deposit", false, None),
        "rebill" => ("rebill", false, None),
        other => (other, false, Some(10)),
    };
    (name.to_owned(), once, short)
}

fn is_macro(text: &str) -> bool {
    let inside = |open: &str, close: &str| {
        text.strip_prefix(open).and_then(|t| t.strip_suffix(close)).is_some_and(|t| !t.is_empty())
    };
    inside("{", "}") || inside("[", "]") || inside("${", "}")
}

/// An ID that says which; a macro that was never replaced says nothing.
fn real(id: &Text) -> Text {
    id.clone().filter(|t| !is_macro(t))
}

// ---------------------------------------------------------------- numbers

const Z: f64 = 1.959_963_984_540_054;

fn exact(value: f64, n: usize) -> Option<Value> {
    Some(Value { value, n: n as u64, low: value, high: value })
}

fn limits(value: f64, a: f64, b: f64, n: usize) -> Option<Value> {
    let finite = value.is_finite() && a.is_finite() && b.is_finite();
    finite.then_some(Value { value, n: n as u64, low: a.min(b), high: a.max(b) })
}

/// Wilson's score interval.
fn share(x: usize, n: usize) -> Option<Value> {
    if n == 0 {
        return None;
    }
    let (x, m) = (x.min(n) as f64, n as f64);
    let p = x / m;
    let middle = x + Z * Z / 2.0;
    let half = Z * (m * p * (1.0 - p) + Z * Z / 4.0).sqrt();
    let low = if x == 0.0 { 0.0 } else { (middle - half) / (m + Z * Z) };
    let high = if x == m { 1.0 } else { (middle + half) / (m + Z * Z) };
    Some(Value { value: p, n: n as u64, low: low.max(0.0), high: high.min(1.0) })
}

/// P(at most x) of a binomial.
fn binomial_at_most(x: usize, n: usize, p: f64) -> f64 {
    let mut ln_term = n as f64 * (-p).ln_1p();
    let mut sum = ln_term.exp();
    for k in 1..=x.min(n) {
        ln_term += ((n - k + 1) as f64 / k as f64 * p / (1.0 - p)).ln();
        sum += ln_term.exp();
    }
    sum
}

/// Interpolated quantile of times with order-statistic limits (Conover 3.2); a sample that is too small for an upper
/// one has none at all.
fn quantile(mut sample: Vec<i64>, p: f64) -> Option<Value> {
    sample.sort_unstable();
    let last = sample.len().checked_sub(1)?;
    let rank =
        |level: f64| (0..=last + 1).find(|&x| binomial_at_most(x, last + 1, p) >= level).unwrap_or(last);
    let at = |i: usize| sample[i.min(last)] as f64;
    let place = p * last as f64;
    let value = at(place as usize) + (at(place.ceil() as usize) - at(place as usize)) * place.fract();
    let low = rank(0.025).checked_sub(1).map_or(0.0, at);
    let high = Some(rank(0.975)).filter(|r| *r <= last).map(at)?;
    limits(value, low.min(value), high.max(value), last + 1)
}

/// P(at most x) of a Poisson.
fn poisson_at_most(x: usize, mean: f64) -> f64 {
    let mut term = (-mean).exp();
    let mut sum = term;
    for k in 1..=x {
        term *= mean / k as f64;
        sum += term;
    }
    sum
}

fn count_of<K: Ord>(keys: impl Iterator<Item = K>) -> Vec<usize> {
    let mut counts: BTreeMap<K, usize> = BTreeMap::new();
    keys.for_each(|k| *counts.entry(k).or_default() += 1);
    counts.into_values().collect()
}

/// exp(entropy of the hour of day) / 24, limits by the delta method.
fn hour_spread(hours: impl Iterator<Item = i64>) -> Option<Value> {
    let counts = count_of(hours);
    let n: usize = counts.iter().sum();
    let (entropy, variance) = numbers::entropy(&counts);
    let half = Z * variance.sqrt();
    let spread = |h: f64| (h.exp() / 24.0).min(1.0);
    if n == 0 { None } else { limits(spread(entropy), spread(entropy - half), spread(entropy + half), n) }
}

fn units(micro: i64) -> f64 {
    micro as f64 / 1e6
}

// ---------------------------------------------------------------- clicks

/// A click in UTC.
#[derive(Clone, Debug)]
struct Click {
    row: ClickRow,
    time: i64,
    /// Another click uses its ID too.
    reused: bool,
    /// An identical row stands before it, and there is no column for IDs.
    surplus: bool,
}

impl Click {
    fn key(&self) -> Key {
        (self.row.traffic_source.clone(), self.row.source.clone())
    }

    /// What tells clicks of one ID apart.
    fn identity(&self) -> (Text, i64, Key) {
        (real(&self.row.click_id), self.time, self.key())
    }

    fn order(&self) -> (i64, Key, Text) {
        (self.time, self.key(), self.row.offer.clone())
    }
}

/// The clicks: the same ID at the same time from the same source is one click exported twice.
fn clicks(rows: &[ClickRow], facts: &Facts) -> Vec<Click> {
    let with_ids = facts.click_columns.as_ref().is_some_and(|c| c.contains("click_id"));
    let mut found: Vec<Click> = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let time = facts.local.to_utc(row.time);
        let surplus = !with_ids && rows[..at].contains(row);
        let click = Click { row: row.clone(), time, reused: false, surplus };
        let known = found.iter().any(|c| c.identity() == click.identity());
        if real(&row.click_id).is_none() || !known {
            found.push(click);
        }
    }
    for at in 0..found.len() {
        let same = |c: &Click| real(&c.row.click_id) == real(&found[at].row.click_id);
        found[at].reused =
            real(&found[at].row.click_id).is_some() && found.iter().filter(|c| same(c)).count() > 1;
    }
    found
}

// ---------------------------------------------------------------- conversions

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Matched,
    BeforeClick,
    Orphan,
    OutsideSpan,
    WithoutId,
}

/// A conversion in UTC with its click.
#[derive(Clone, Debug)]
struct Conversion {
    row: ConversionRow,
    time: i64,
    status: Status,
    was_approved: bool,
    event: String,
    once: bool,
    short: Option<i64>,
    class: Class,
    key: Key,
    offer: Text,
    network: Text,
    click_time: Option<i64>,
    /// The click of its ID, before or after it.
    click: Option<Click>,
    ctit: Option<i64>,
    /// It tells how long the visitor took, as the first on its click that does.
    first_timed: bool,
    /// Its time is that of an upload.
    batched: bool,
    replay: bool,
    shared: bool,
    /// Its postback came more than once.
    delivered_again: bool,
    /// Its postback had been taken before.
    replayed: bool,
    /// Old enough that a decision is due.
    decision_due: bool,
    way: ways::Way,
    named: Option<ids::Named>,
}

impl Conversion {
    /// Which of two states is the later: status time, then the status' rank.
    fn recency(&self, facts: &Facts) -> (i64, Status) {
        (self.row.status_time.map_or(self.time, |t| facts.local.to_utc(t)), self.status)
    }

    fn order(&self, facts: &Facts) -> (i64, (i64, Status)) {
        (self.time, self.recency(facts))
    }

    fn has(&self, statuses: &[Status]) -> bool {
        statuses.contains(&self.status)
    }

    fn amount(&self) -> Option<i64> {
        self.row.payout.or(self.row.revenue)
    }
}

fn conversion(row: &ConversionRow, facts: &Facts) -> Conversion {
    let (name, once, short) = event(&row.event);
    Conversion {
        time: facts.local.to_utc(row.time),
        status: status(&row.status),
        was_approved: false,
        event: name,
        once,
        short,
        class: Class::OutsideSpan,
        key: (row.traffic_source.clone(), row.source.clone()),
        offer: row.offer.clone(),
        network: row.network.clone(),
        click_time: row.click_time.map(|t| facts.local.to_utc(t)),
        click: None,
        ctit: None,
        first_timed: false,
        batched: false,
        replay: false,
        shared: false,
        delivered_again: false,
        replayed: false,
        decision_due: false,
        way: ways::Way::default(),
        named: None,
        row: row.clone(),
    }
}

/// Of the rows of one conversion ID the latest counts.
fn latest(rows: &[ConversionRow], facts: &Facts) -> Vec<Conversion> {
    let mut all = logs::deliveries(rows.iter().map(|r| conversion(r, facts)).collect());
    all.sort_by_key(|c| c.recency(facts));
    let mut kept: Vec<Conversion> = Vec::new();
    for mut c in all {
        let same =
            |k: &Conversion| k.row.conversion_id.is_some() && k.row.conversion_id == c.row.conversion_id;
        if let Some(at) = kept.iter().position(same) {
            let earlier = kept.remove(at);
            c.was_approved = earlier.was_approved || earlier.status == Status::Approved;
        }
        kept.push(c);
    }
    kept
}

/// The commonest event, the first by name.
fn main_event(conversions: &[Conversion], facts: &Facts) -> Option<String> {
    let names: BTreeSet<&String> = conversions.iter().map(|c| &c.event).collect();
    let count = |name: &String| conversions.iter().filter(|c| c.event == *name).count();
    let best = names.iter().map(|n| count(n)).max()?;
    let commonest = names.into_iter().find(|n| count(n) == best).cloned();
    facts.main_event.clone().map(|word| event(&Some(word)).0).or(commonest)
}

/// The last click of the ID before the conversion.
fn find_click(c: &mut Conversion, clicks: &[Click], facts: &Facts) {
    let by_id = facts.click_columns.as_ref().is_some_and(|cols| cols.contains("click_id"));
    let id = real(&c.row.click_id);
    let mut of_id: Vec<&Click> =
        clicks.iter().filter(|k| id.is_some() && real(&k.row.click_id) == id).collect();
    of_id.sort_by_key(|k| k.order());
    // Of several clicks the one whose second the report repeats, or else the last one before the conversion. Where
    // sources differ over an ID and the report does not tell, nobody knows how long it took.
    let second = |time: i64| time.div_euclid(SECOND);
    let told = of_id.iter().find(|k| of_id.len() > 1 && c.click_time.map(second) == Some(second(k.time)));
    let contested = told.is_none() && of_id.iter().any(|k| k.key() != of_id[0].key());
    let candidates: Vec<&Click> = told.map_or(of_id.clone(), |t| vec![*t]);
    let before = candidates.iter().rev().find(|k| k.time <= c.time);
    let span = (clicks.iter().map(|k| k.time).min(), clicks.iter().map(|k| k.time).max());
    let inside = |from: i64, to: i64| span.0.is_some_and(|s| s <= from) && span.1.is_some_and(|s| to <= s);
    c.class = match (by_id, &id, before, candidates.first()) {
        (true, None, ..) => Class::WithoutId,
        (true, _, Some(_), _) => Class::Matched,
        (true, _, None, Some(_)) => Class::BeforeClick,
        (true, _, None, None) => {
            let told = c.click_time.map_or(inside(c.time - facts.window, c.time), |t| inside(t, t));
            if told { Class::Orphan } else { Class::OutsideSpan }
        }
        (false, ..) => match c.click_time {
            Some(click) if click <= c.time => Class::Matched,
            Some(_) => Class::BeforeClick,
            None if c.row.click_id.is_none() => Class::WithoutId,
            None => Class::OutsideSpan,
        },
    };
    if let Some(click) = before.or(candidates.first()).filter(|_| by_id) {
        c.key.0 = click.row.traffic_source.clone().or(c.key.0.take());
        c.key.1 = click.row.source.clone().or(c.key.1.take());
        c.offer = click.row.offer.clone().or(c.offer.take());
        c.network = click.row.network.clone().or(c.network.take());
        c.click_time = Some(click.time);
        c.click = Some((*click).clone());
    }
    c.ctit = c
        .click_time
        .filter(|_| c.class == Class::Matched && !contested)
        .map(|t| (c.time - t).div_euclid(SECOND));
}

/// What makes two rows one transaction: a true transaction ID in its scope, or for a once-only event the click.
fn transaction(c: &Conversion, facts: &Facts) -> Option<(String, Text, Text)> {
    let click = real(&c.row.click_id);
    match (real(&c.row.transaction_id), facts.scope) {
        (Some(id), Some(Scope::Click)) => click.map(|k| (c.event.clone(), Some(id), Some(k))),
        (Some(id), Some(Scope::Network)) => {
            Some((c.event.clone(), Some(id), c.network.clone().or(c.offer.clone())))
        }
        (Some(id), Some(Scope::Global)) => Some((c.event.clone(), Some(id), None)),
        _ if c.once => click.map(|k| (c.event.clone(), None, Some(k))),
        _ => None,
    }
}

/// Retries go, updates change the earlier row, anything else is a replay.
fn settle(mut all: Vec<Conversion>, facts: &Facts) -> Vec<Conversion> {
    all.sort_by_key(|c| c.order(facts));
    let mut kept: Vec<Conversion> = Vec::new();
    // Everything met so far, with the time at which it was met.
    let mut met: Vec<Conversion> = Vec::new();
    for c in all {
        let identity = transaction(&c, facts);
        let same = |k: &Conversion| identity.is_some() && transaction(k, facts) == identity;
        let of_click = |k: &Conversion| same(k) && k.row.click_id == c.row.click_id && k.key == c.key;
        let identical = |k: &Conversion| {
            of_click(k) && (k.status, k.row.payout, k.row.revenue) == (c.status, c.row.payout, c.row.revenue)
        };
        let retry = !c.replayed && met.iter().any(|k| identical(k) && c.time - k.time <= DAY);
        met.push(c.clone());
        match kept.iter().rposition(of_click) {
            Some(at) if retry => logs::absorb(&mut kept[at], &c),
            Some(at) if !c.replayed && may_become(kept[at].status, c.status) => update(&mut kept[at], c),
            _ => {
                let replay = c.replayed || kept.iter().any(same);
                let other = kept.iter().any(|k| same(k) && k.key != c.key);
                let shared = other && c.row.transaction_id.is_some();
                kept.push(Conversion { replay, shared, ..c });
            }
        }
    }
    kept
}

/// The later state counts; when it happened and on which click stays.
fn update(earlier: &mut Conversion, later: Conversion) {
    earlier.was_approved |= earlier.status == Status::Approved || later.was_approved;
    earlier.status = later.status;
    logs::take(earlier, &later);
    let click_id = earlier.row.click_id.take();
    earlier.row = ConversionRow { click_id, ..later.row };
}

/// Ten conversions of five sources at one second of one offer and event are an upload, and so is everything that an
/// advertiser reports on whole quarter hours: they have no CTIT.
fn drop_batch_times(all: &mut [Conversion]) {
    let moment = |c: &Conversion| (c.time.div_euclid(SECOND), c.offer.clone(), c.event.clone());
    let matched = |c: &&Conversion| c.class == Class::Matched;
    let upload = |of: &Conversion| {
        let group = || all.iter().filter(matched).filter(|c| moment(c) == moment(of));
        let sources: BTreeSet<&Key> = group().map(|c| &c.key).collect();
        of.class == Class::Matched && group().count() >= 10 && sources.len() >= 5
    };
    let on_quarters = |of: &Conversion| {
        let feed = || all.iter().filter(|c| (&c.network, &c.offer) == (&of.network, &of.offer));
        let whole = feed().filter(|c| c.time.div_euclid(SECOND) % 900 == 0).count();
        feed().count() >= 10 && 2 * whole >= feed().count()
    };
    let batched: Vec<bool> = all.iter().map(|c| upload(c) || on_quarters(c)).collect();
    for (c, batched) in all.iter_mut().zip(batched) {
        c.batched = batched;
        c.ctit = c.ctit.filter(|_| !batched);
    }
}

/// An event that may come at any time tells nothing of how long a visitor took; of the others the first on a click
/// does.
fn mark_first_timed(all: &mut [Conversion], facts: &Facts) {
    let click = |c: &Conversion| real(&c.row.click_id).map(|id| (id, c.click_time));
    let timed = |c: &Conversion| c.class == Class::Matched && c.short.is_some();
    let first = |at: usize| {
        let c = &all[at];
        let before = |(i, k): (usize, &Conversion)| {
            timed(k)
                && click(k).is_some()
                && click(k) == click(c)
                && (k.order(facts), i) < (c.order(facts), at)
        };
        timed(c) && !all.iter().enumerate().any(before)
    };
    let firsts: Vec<bool> = (0..all.len()).map(first).collect();
    all.iter_mut().zip(firsts).for_each(|(c, first)| c.first_timed = first);
}

/// A decision is due after nine in ten of an offer's take no longer, as product limits say: who waits has waited at
/// least until now. Offers with fewer than twenty dated decisions borrow those of all.
fn mark_due(all: &mut [Conversion], as_of: i64, facts: &Facts) {
    let wait = |c: &Conversion| match c.status {
        Status::Approved | Status::Rejected => {
            c.row.status_time.map(|t| ((facts.local.to_utc(t) - c.time).max(0), true))
        }
        Status::Pending | Status::Unknown => Some(((as_of - c.time).max(0), false)),
        _ => None,
    };
    let waits: Vec<(Text, (i64, bool))> =
        all.iter().filter_map(|c| Some((c.offer.clone(), wait(c)?))).collect();
    let everywhere = lag(&waits.iter().map(|w| w.1).collect::<Vec<_>>());
    for c in all {
        let own: Vec<(i64, bool)> = waits.iter().filter(|w| w.0 == c.offer).map(|w| w.1).collect();
        let enough = own.iter().filter(|w| w.1).count() >= 20;
        let lag = if enough { lag(&own) } else { everywhere };
        c.decision_due = lag.is_none_or(|lag| c.time + lag <= as_of);
    }
}

/// By when nine in ten of those are decided that ever are (Kaplan and Meier).
fn lag(waits: &[(i64, bool)]) -> Option<i64> {
    let lags: BTreeSet<i64> = waits.iter().filter(|w| w.1).map(|w| w.0).collect();
    let decided_by = |lag: i64| {
        let still_waiting = |at: i64| {
            let decided = waits.iter().filter(|w| **w == (at, true)).count() as f64;
            1.0 - decided / waits.iter().filter(|w| w.0 >= at).count() as f64
        };
        1.0 - lags.iter().filter(|at| **at <= lag).map(|at| still_waiting(*at)).product::<f64>()
    };
    let ever = decided_by(*lags.last()?);
    lags.iter().copied().find(|lag| decided_by(*lag) >= 0.9 * ever - 1e-12)
}

// ---------------------------------------------------------------- the whole input

/// Everything that formulas read.
struct Audit<'a> {
    facts: &'a Facts,
    clicks: Vec<Click>,
    conversions: Vec<Conversion>,
    main_event: Option<String>,
    mature_until: i64,
    /// Clicks and conversions can be tied together at all.
    tied: bool,
    typical: Option<f64>,
    typical_of: BTreeMap<Text, f64>,
    cv2: f64,
    usual_approval: Option<f64>,
    /// Enough click IDs have a click to know what they look like.
    forms_known: bool,
    as_of: i64,
    maturity: i64,
    cut: Cut,
}

/// All signals of all groups.
pub fn audit(click_rows: &[ClickRow], conversion_rows: &[ConversionRow], facts: &Facts) -> Outcome {
    audit_cut(click_rows, conversion_rows, facts, &Cut::default())
}

/// All signals of the groups that have rows in a cut. What holds for the whole input is learnt from all rows.
pub fn audit_cut(
    click_rows: &[ClickRow],
    conversion_rows: &[ConversionRow],
    facts: &Facts,
    cut: &Cut,
) -> Outcome {
    let all_clicks = clicks(click_rows, facts);
    let latest = latest(conversion_rows, facts);
    let main_event = main_event(&latest, facts);
    let mut conversions = latest;
    conversions.iter_mut().for_each(|c| find_click(c, &all_clicks, facts));
    let mut conversions = settle(conversions, facts);
    drop_batch_times(&mut conversions);
    // Where there is no click export, the clicks that the conversions repeat are all that is known of clicks.
    let repeated =
        conversion_rows.iter().filter(|_| facts.click_columns.is_none()).filter_map(|r| r.click_time);
    let times = click_rows.iter().map(|r| r.time).chain(repeated);
    let newest_click = times.map(|t| facts.local.to_utc(t)).max();
    let newest_conversion = conversion_rows.iter().map(|r| facts.local.to_utc(r.time)).max();
    // A conversion dated far ahead of all clicks is no clock.
    let latest = newest_click.map_or(i64::MAX, |t| t + facts.window);
    let newest = newest_click.max(newest_conversion.map(|t| t.min(latest)));
    let as_of = facts.as_of.or(newest).unwrap_or(0);
    mark_first_timed(&mut conversions, facts);
    mark_due(&mut conversions, as_of, facts);
    ways::settle(&mut conversions, as_of, facts);
    let forms_known = ids::settle(&mut conversions, facts);
    let click_rows = all_clicks.len();
    let counts = |c: &Click| facts.hit_type.is_none() || c.row.hit_type == facts.hit_type;
    let mut audit = Audit {
        facts,
        clicks: all_clicks.into_iter().filter(counts).collect(),
        conversions,
        main_event,
        mature_until: as_of - facts.maturity,
        tied: false,
        typical: None,
        typical_of: BTreeMap::new(),
        cv2: 0.0,
        usual_approval: None,
        forms_known,
        as_of,
        maturity: facts.maturity,
        cut: cut.clone(),
    };
    audit.tied = audit.can_tie();
    audit.learn_amounts();
    audit.learn_approval();
    audit.narrow();
    Outcome { signals: audit.signals(), click_rows, conversions: audit.conversions.len() }
}

impl Audit<'_> {
    /// Takes on the cut's clock and the event that its rates are on.
    fn narrow(&mut self) {
        if let Some(mature) = self.cut.mature {
            (self.maturity, self.mature_until) = (mature, self.as_of - mature);
        }
        if let Some(first) = self.cut.events.first() {
            let among = self.main_event.as_ref().is_some_and(|main| self.cut.events.contains(&main.as_str()));
            self.main_event = if among { self.main_event.clone() } else { Some((*first).to_owned()) };
        }
    }

    fn takes(&self, click_time: i64, offer: &Text) -> bool {
        let young = self.cut.window.is_none_or(|window| click_time >= self.as_of - window);
        let old = self.cut.mature.is_none_or(|mature| click_time <= self.as_of - mature);
        let named = offer.as_ref().is_some_and(|offer| self.cut.offers.contains(&offer.as_str()));
        young && old && (self.cut.offers.is_empty() || named)
    }

    fn takes_click(&self, click: &Click) -> bool {
        self.takes(click.time, &click.row.offer)
    }

    fn takes_conversion(&self, c: &Conversion) -> bool {
        let event = self.cut.events.is_empty() || self.cut.events.contains(&c.event.as_str());
        event && self.takes(c.click_time.unwrap_or(c.time), &c.offer)
    }

    fn click_column(&self, name: &str) -> bool {
        self.facts.click_columns.as_ref().is_some_and(|c| c.contains(name))
    }

    /// An export without any row says nothing, not even that there is none.
    fn has_conversions(&self) -> bool {
        self.facts.conversion_columns.is_some() && !self.conversions.is_empty()
    }

    fn conversion_column(&self, name: &str) -> bool {
        self.has_conversions() && self.facts.conversion_columns.as_ref().is_some_and(|c| c.contains(name))
    }

    fn can_tie(&self) -> bool {
        let by_id = self.click_column("click_id");
        self.conversion_column(if by_id { "click_id" } else { "click_time" })
    }

    fn learn_amounts(&mut self) {
        let amounts = self.amounts(|_| true);
        let n = amounts.len() as f64;
        let mean = amounts.iter().sum::<f64>() / n;
        let squares = amounts.iter().map(|a| (a - mean) * (a - mean)).sum::<f64>() / n;
        self.typical = median(&amounts);
        self.cv2 = if amounts.is_empty() { 0.0 } else { squares / (mean * mean) };
        let offers: BTreeSet<Text> = self.conversions.iter().map(|c| c.offer.clone()).collect();
        for offer in offers {
            if let Some(typical) = median(&self.amounts(|c| c.offer == offer)) {
                self.typical_of.insert(offer, typical);
            }
        }
    }

    /// Positive amounts of conversions that are approved or may become so, sorted.
    fn amounts(&self, of: impl Fn(&Conversion) -> bool) -> Vec<f64> {
        let open = |c: &&Conversion| c.has(&[Status::Approved, Status::Pending]) && of(c);
        let amounts = self.conversions.iter().filter(open).filter_map(Conversion::amount).filter(|a| *a > 0);
        let mut amounts: Vec<f64> = amounts.map(|a| a as f64).collect();
        amounts.sort_by(f64::total_cmp);
        amounts
    }

    fn learn_approval(&mut self) {
        let count = |s: Status| {
            self.conversions.iter().filter(|c| self.due(c) && c.status == s && !excused(c)).count() as f64
        };
        let (yes, no) = (count(Status::Approved), count(Status::Rejected));
        self.usual_approval = (yes + no > 0.0).then(|| yes / (yes + no));
    }

    fn due(&self, c: &Conversion) -> bool {
        c.decision_due && c.click_time.unwrap_or(c.time) <= self.mature_until
    }

    /// Whether a main event came of a click.
    fn converts(&self, click: &Click) -> bool {
        let id = real(&click.row.click_id);
        let main = |c: &Conversion| c.class == Class::Matched && Some(&c.event) == self.main_event.as_ref();
        id.is_some() && self.conversions.iter().any(|c| main(c) && real(&c.row.click_id) == id)
    }

    fn in_time(&self, c: &Conversion) -> bool {
        let fits = |t: i64| t <= self.mature_until && c.time - t <= self.maturity;
        c.class == Class::Matched && c.click_time.is_some_and(fits)
    }

    /// Whether a conversion is the first of its event on its click, and how many there are of it.
    fn on_its_click(&self, c: &Conversion) -> (bool, usize) {
        let same = |k: &&Conversion| {
            let click = |c: &Conversion| (real(&c.row.click_id), c.click_time);
            let itself = std::ptr::eq(*k, c);
            let of_click = real(&c.row.click_id).is_some() && click(k) == click(c);
            itself || (k.class == Class::Matched && k.event == c.event && of_click)
        };
        let all: Vec<&Conversion> = self.conversions.iter().filter(same).collect();
        let first = all.iter().min_by_key(|k| k.order(self.facts));
        (first.is_some_and(|f| std::ptr::eq(*f, c)), all.len())
    }

    fn signals(&self) -> Signals {
        let keys: BTreeSet<Key> = self
            .clicks
            .iter()
            .filter(|c| self.takes_click(c))
            .map(Click::key)
            .chain(self.conversions.iter().filter(|c| self.takes_conversion(c)).map(|c| c.key.clone()))
            .collect();
        let group = |key: Key| {
            let of = Group {
                audit: self,
                clicks: self.clicks.iter().filter(|c| c.key() == key && self.takes_click(c)).collect(),
                conversions: self
                    .conversions
                    .iter()
                    .filter(|c| c.key == key && self.takes_conversion(c))
                    .collect(),
            };
            (key, of.signals())
        };
        keys.into_iter().map(group).collect()
    }
}

// ---------------------------------------------------------------- one group

struct Group<'a> {
    audit: &'a Audit<'a>,
    clicks: Vec<&'a Click>,
    conversions: Vec<&'a Conversion>,
}

impl Group<'_> {
    fn signals(&self) -> BTreeMap<&'static str, Option<Value>> {
        let mut all = BTreeMap::new();
        self.click_signals(&mut all);
        self.conversion_signals(&mut all);
        self.ctit_signals(&mut all);
        self.repetition_signals(&mut all);
        self.money_signals(&mut all);
        self.rhythm_signals(&mut all);
        self.crowd_signals(&mut all);
        self.way_signals(&mut all);
        self.id_signals(&mut all);
        self.log_signals(&mut all);
        all
    }

    fn with_clicks(&self, needs: &[&str]) -> bool {
        self.audit.facts.click_columns.is_some() && needs.iter().all(|n| self.audit.click_column(n))
    }

    fn with_conversions(&self, needs: &[&str]) -> bool {
        self.audit.has_conversions() && needs.iter().all(|n| self.audit.conversion_column(n))
    }

    fn clicks_where(&self, test: impl Fn(&Click) -> bool) -> usize {
        self.clicks.iter().filter(|c| test(c)).count()
    }

    fn conversions_where(&self, test: impl Fn(&Conversion) -> bool) -> usize {
        self.conversions.iter().filter(|c| test(c)).count()
    }

    fn mature(&self) -> usize {
        self.clicks_where(|c| c.time <= self.audit.mature_until)
    }

    fn click_signals(&self, all: &mut BTreeMap<&'static str, Option<Value>>) {
        let n = self.clicks.len();
        let given = |needs: &[&str], value: Option<Value>| value.filter(|_| self.with_clicks(needs));
        let part = |needs: &[&str], test: fn(&Click) -> bool| given(needs, share(self.clicks_where(test), n));
        let macros = |c: &Click| [&c.row.click_id, &c.row.source].into_iter().flatten().any(|t| is_macro(t));
        let delay = |c: &&Click| {
            let later = c.row.lander_time.map(|t| self.audit.facts.local.to_utc(t));
            later.map(|t| (t - c.time).div_euclid(SECOND).max(0))
        };
        let hour = |c: &&Click| self.audit.facts.hours_in.local_hour(c.time).rem_euclid(24);
        let addresses = count_of(self.clicks.iter().filter_map(|c| c.row.ip.clone()));
        let addressed = addresses.iter().sum();
        all.insert("click_count", given(&[], exact(n as f64, n)));
        all.extend(OF_OTHER_FILES.map(|name| (name, None)));
        all.insert("mature_click_count", given(&[], exact(self.mature() as f64, self.mature())));
        all.insert("lander_click_share", part(&["lander_click_time"], |c| c.row.lander_time.is_some()));
        let delays = self.clicks.iter().filter_map(delay).collect();
        all.insert("lander_time_p50_s", given(&["lander_click_time"], quantile(delays, 0.5)));
        all.insert("hour_spread", given(&[], hour_spread(self.clicks.iter().map(hour))));
        all.insert("reused_click_id_share", part(&["click_id"], |c| c.reused));
        all.insert("unexpanded_macro_share", given(&[], share(self.clicks_where(macros), n)));
        let identical = part(&[], |c| c.surplus).filter(|_| !self.with_clicks(&["click_id"]));
        all.insert("identical_row_share", identical);
        all.insert("distinct_ip_share", given(&["ip"], share(addresses.len(), addressed)));
        all.insert("top_ip_share", given(&["ip"], share(most(&addresses), addressed)));
    }

    fn conversion_signals(&self, all: &mut BTreeMap<&'static str, Option<Value>>) {
        use Status::{Approved, Chargeback, Pending, Refund, Rejected, Unknown};
        let n = self.conversions.len();
        let given = |needs: &[&str], value: Option<Value>| value.filter(|_| self.with_conversions(needs));
        let number = |s: &[Status]| self.conversions_where(|c| c.has(s));
        let status = |s: &[Status]| given(&["status"], exact(number(s) as f64, n));
        all.insert("conversion_count", given(&[], exact(n as f64, n)));
        all.insert("approved_count", status(&[Approved]));
        all.insert("pending_count", status(&[Pending]));
        all.insert("rejected_count", status(&[Rejected]));
        all.insert("chargeback_count", status(&[Refund, Chargeback]));
        all.insert("unknown_status_share", given(&["status"], share(number(&[Unknown]), n)));
        let due = |s: &[Status]| self.conversions_where(|c| c.has(s) && self.audit.due(c) && !excused(c));
        let approval = share(due(&[Approved]), due(&[Approved, Rejected]));
        all.insert("approval_share", given(&["status"], approval));
        let spared = self.conversions_where(excused);
        all.insert("excused_reject_share", given(&["status"], share(spared, number(&[Rejected]))));
        let flagged = |c: &Conversion| c.row.fraud_reason.as_ref().is_some_and(|r| !found_nothing(r));
        all.insert(
            "fraud_flagged_share",
            given(&["fraud_reason"], share(self.conversions_where(flagged), n)),
        );
        let taken_back = share(number(&[Refund, Chargeback]), number(&[Approved, Refund, Chargeback]));
        all.insert("chargeback_share", given(&["status"], taken_back));
        let class = |of: &[Class]| self.conversions_where(|c| of.contains(&c.class));
        let found = class(&[Class::Matched, Class::BeforeClick]);
        all.insert("before_click_share", given(&[], share(class(&[Class::BeforeClick]), found)));
        let orphan = share(class(&[Class::Orphan]), found + class(&[Class::Orphan]));
        let can_tell = self.with_clicks(&["click_id"]) && !self.audit.facts.drops_orphans;
        all.insert("orphan_share", given(&["click_id"], orphan.filter(|_| can_tell)));
        all.insert("missing_click_id_share", given(&["click_id"], share(class(&[Class::WithoutId]), n)));
        let addresses = count_of(self.conversions.iter().filter_map(|c| c.row.ip.clone()));
        let addressed = addresses.iter().sum();
        all.insert("conversion_distinct_ip_share", given(&["ip"], share(addresses.len(), addressed)));
        all.insert("conversion_top_ip_share", given(&["ip"], share(most(&addresses), addressed)));
    }

    fn ctit_signals(&self, all: &mut BTreeMap<&'static str, Option<Value>>) {
        let timed = |c: &&Conversion| Some((c.ctit?, c.short?)).filter(|_| c.first_timed);
        let ctit: Vec<(i64, i64)> = self.conversions.iter().copied().filter_map(|c| timed(&c)).collect();
        let given = |value: Option<Value>| value.filter(|_| self.with_conversions(&[]));
        let part =
            |test: fn(&(i64, i64)) -> bool| given(share(ctit.iter().filter(|c| test(c)).count(), ctit.len()));
        let times = || ctit.iter().map(|c| c.0);
        let quantiles = [
            ("ctit_p05_s", 0.05),
            ("ctit_p25_s", 0.25),
            ("ctit_p50_s", 0.50),
            ("ctit_p75_s", 0.75),
            ("ctit_p95_s", 0.95),
        ];
        for (name, p) in quantiles {
            all.insert(name, given(quantile(times().collect(), p)));
        }
        let named = self.with_conversions(&["event"]);
        all.insert("ctit_short_share", part(|(ctit, short)| ctit < short).filter(|_| named));
        all.insert("ctit_long_share", part(|(ctit, _)| *ctit > 86_400));
        all.insert("ctit_hour_share", part(|(ctit, _)| *ctit > 3_600));
        all.insert("ctit_round_share", part(|(ctit, _)| *ctit > 0 && ctit % 60 == 0));
        all.insert("ctit_modal_share", given(share(most(&count_of(times())), ctit.len())));
        let mut logs: Vec<f64> = times().map(|t| (1.0 + t.max(0) as f64).ln()).collect();
        logs.sort_by(f64::total_cmp);
        // Whole seconds hide a variance of 1/12.
        let resolution = |mean: f64| (-2.0 * mean).exp() / 12.0;
        all.insert("ctit_log_mean", given(numbers::geometric_mean(&logs, resolution)));
        all.insert("ctit_log_sd", given(numbers::deviation(&logs, resolution)));
    }

    fn repetition_signals(&self, all: &mut BTreeMap<&'static str, Option<Value>>) {
        let n = self.conversions.len();
        let kept = !self.audit.facts.drops_duplicates;
        let given =
            |needs: &[&str], value: Option<Value>| value.filter(|_| self.with_conversions(needs) && kept);
        let replays = self.conversions_where(|c| c.replay);
        let counts = |c: &Conversion| c.replay && c.row.transaction_id.is_some();
        let paid = self.conversions_where(|c| counts(c) && c.has(&[Status::Approved, Status::Pending]));
        all.insert("repeated_transaction_share", given(&["transaction_id"], share(replays, n)));
        all.insert("replayed_count", given(&["transaction_id"], exact(paid as f64, n)));
        let beyond_click = matches!(self.audit.facts.scope, Some(Scope::Network | Scope::Global));
        let shared = exact(self.conversions_where(|c| c.shared) as f64, n).filter(|_| beyond_click);
        all.insert("shared_transaction_count", given(&["transaction_id"], shared));
        let first = |c: &Conversion| c.class == Class::Matched && c.once && self.audit.on_its_click(c).0;
        let again = self.conversions_where(|c| first(c) && self.audit.on_its_click(c).1 > 1);
        let several = share(again, self.conversions_where(first));
        all.insert("multi_conversion_click_share", given(&["click_id"], several));
    }
}

fn median(sorted: &[f64]) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    Some((sorted[last / 2] + sorted[sorted.len() / 2]) / 2.0)
}

fn most(counts: &[usize]) -> usize {
    counts.iter().copied().max().unwrap_or(0)
}

// ---------------------------------------------------------------- money of one group

impl Group<'_> {
    fn money_signals(&self, all: &mut BTreeMap<&'static str, Option<Value>>) {
        let n = self.conversions.len();
        let exactly = |micro: Option<i64>| micro.and_then(|m| exact(units(m), n));
        let (cost, revenue) = (self.cost(false), self.revenue(false));
        all.insert("cost", cost.and_then(|c| exact(units(c), self.clicks.len())));
        all.insert("revenue", exactly(revenue));
        all.insert("payout", exactly(self.sum(false, confirmed_payout).filter(|_| self.pays())));
        all.insert("profit", exactly(revenue.zip(cost).map(|(r, c)| r - c)));
        all.insert("expected_revenue", self.expected_revenue().and_then(|r| exact(r, n)));
        let tied = self.audit.tied && self.with_clicks(&[]);
        let converted = self.converted();
        let (mature, earning) = (self.mature(), self.earning());
        all.insert("converted_click_count", exact(converted as f64, mature).filter(|_| tied));
        all.insert("cr", share(converted, mature).filter(|_| tied));
        all.insert("cpa", self.cpa());
        let revenue =
            self.revenue(true).filter(|_| self.audit.tied).and_then(|r| self.revenue_limits(units(r)));
        let per_click = revenue.filter(|_| self.with_clicks(&[]) && mature > 0).and_then(|(v, low, high)| {
            let m = mature as f64;
            limits(v / m, low / m, high / m, mature)
        });
        all.insert("epc", per_click);
        let roi = revenue.zip(self.cost(true).filter(|c| *c > 0)).and_then(|((v, low, high), cost)| {
            let over = |r: f64| ((r - units(cost)) / units(cost)).max(-1000.0);
            limits(over(v), over(low), over(high), earning)
        });
        all.insert("roi", roi);
        let needed = self.needed();
        all.insert("spend_in_payouts", needed.and_then(|v| exact(v.max(0.0), mature)));
        let p = needed.filter(|_| mature > 0).map(|m| poisson_at_most(earning, m.max(0.0)));
        all.insert("break_even_p", p.and_then(|p| exact(p, mature)));
        all.insert("earning_in_payouts", self.earning_in_payouts());
    }

    fn pays(&self) -> bool {
        self.with_conversions(&["payout"])
    }

    /// A sum over all conversions, or those of mature clicks within the maturity.
    fn sum(&self, mature: bool, amount: fn(&Conversion) -> i64) -> Option<i64> {
        let counted = |c: &&&Conversion| !mature || self.audit.in_time(c);
        Some(self.conversions.iter().filter(counted).map(|c| amount(c)).sum())
    }

    fn click_cost(&self, mature: bool) -> Option<i64> {
        let counted = |c: &&&Click| !mature || c.time <= self.audit.mature_until;
        let any = self.with_clicks(&["cost"]) && self.clicks.iter().any(|c| c.row.cost.is_some());
        any.then(|| self.clicks.iter().filter(counted).filter_map(|c| c.row.cost).sum())
    }

    fn payout(&self, mature: bool) -> Option<i64> {
        self.sum(mature, confirmed_payout).filter(|_| self.pays() && (!mature || self.audit.tied))
    }

    fn cost(&self, mature: bool) -> Option<i64> {
        match self.audit.facts.perspective? {
            Perspective::Buyer => self.click_cost(mature),
            Perspective::Network => self.payout(mature).map(|p| p + self.click_cost(mature).unwrap_or(0)),
            Perspective::Advertiser => self.payout(mature),
        }
    }

    fn revenue(&self, mature: bool) -> Option<i64> {
        let buyer = self.audit.facts.perspective? == Perspective::Buyer;
        let column = self.with_conversions(&["revenue"]) && (!mature || self.audit.tied);
        let revenue = || self.sum(mature, confirmed_revenue).filter(|_| column);
        if buyer { self.payout(mature).or_else(revenue) } else { revenue() }
    }

    /// Pending amounts, in micro-units.
    fn pending(&self, mature: bool) -> Option<i64> {
        let of_payout = self.audit.facts.perspective? == Perspective::Buyer && self.pays();
        let revenue = self.with_conversions(&["revenue"]);
        let amount = |c: &Conversion| if of_payout { c.row.payout } else { c.row.revenue };
        let counted = |c: &&&Conversion| !mature || self.audit.in_time(c);
        let open = |c: &&&Conversion| counted(c) && c.has(&[Status::Pending, Status::Unknown]);
        let micro = self.conversions.iter().filter(open).filter_map(|c| amount(c)).sum();
        (of_payout || revenue).then_some(micro)
    }

    /// Confirmed revenue and what is pending at the usual approval, in units.
    fn expected_revenue(&self) -> Option<f64> {
        let (confirmed, pending) = (units(self.revenue(false)?), self.pending(false)?);
        if pending == 0 {
            Some(confirmed)
        } else {
            self.audit.usual_approval.map(|u| confirmed + units(pending) * u)
        }
    }

    fn earns(&self, c: &Conversion) -> bool {
        let open = c.has(&[Status::Approved, Status::Pending, Status::Unknown]);
        self.audit.in_time(c) && open && c.amount().is_some_and(|a| a > 0)
    }

    fn earning(&self) -> usize {
        self.conversions_where(|c| self.earns(c))
    }

    /// What conversions pay, pending ones too, over what their offers typically pay.
    fn earning_in_payouts(&self) -> Option<Value> {
        let n = self.earning();
        let of_payout = self.pays();
        if n == 0 || !self.audit.tied || !(of_payout || self.with_conversions(&["revenue"])) {
            return None;
        }
        let in_time = self.conversions.iter().filter(|c| self.audit.in_time(c));
        let amount = |c: &Conversion| if of_payout { c.row.payout } else { c.row.revenue };
        let paid = |c: &Conversion| {
            let open = amount(c).filter(|_| c.has(&[Status::Pending, Status::Unknown]));
            confirmed(c, amount(c)) + open.unwrap_or(0)
        };
        let paid = in_time.map(|c| paid(c) as f64).sum::<f64>();
        let any = self.audit.typical?;
        let typical = |c: &&&Conversion| self.audit.typical_of.get(&c.offer).copied().unwrap_or(any);
        let expected: f64 = self.conversions.iter().filter(|c| self.earns(c)).map(|c| typical(&c)).sum();
        let value = paid / expected;
        let factor = (Z * ((1.0 + self.audit.cv2) / n as f64).sqrt()).exp();
        limits(value, value / factor, value * factor, n)
    }

    fn converted(&self) -> usize {
        let main = |c: &Conversion| Some(&c.event) == self.audit.main_event.as_ref();
        self.conversions_where(|c| main(c) && self.audit.in_time(c) && self.audit.on_its_click(c).0)
    }

    fn cpa(&self) -> Option<Value> {
        let n = self.converted();
        let cost = self.cost(true).filter(|_| n > 0 && self.audit.tied)?;
        let value = units(cost) / n as f64;
        let factor = (Z / (n as f64).sqrt()).exp();
        limits(value, value / factor, value * factor, n)
    }

    /// In the upper limit all that is pending is approved. Without a conversion it is that of a Poisson zero in
    /// typical payouts.
    fn revenue_limits(&self, revenue: f64) -> Option<(f64, f64, f64)> {
        let n = self.earning();
        if n == 0 {
            let most = -(0.025f64).ln() * self.audit.typical? / 1e6;
            return Some((revenue, revenue.min(0.0), revenue.max(most)));
        }
        let factor = (Z * ((1.0 + self.audit.cv2) / n as f64).sqrt()).exp();
        let most = revenue + units(self.pending(true).unwrap_or(0));
        let all = [revenue, revenue / factor, revenue * factor, most / factor, most * factor];
        let low = all.iter().copied().fold(revenue, f64::min);
        Some((revenue, low, all.iter().copied().fold(revenue, f64::max)))
    }

    /// How many payouts, typical of each click's offer, would pay for the mature clicks; only a buyer pays for
    /// clicks.
    fn needed(&self) -> Option<f64> {
        let buyer = self.audit.facts.perspective? == Perspective::Buyer;
        self.click_cost(true).filter(|_| buyer && self.audit.tied)?;
        let any = self.audit.typical?;
        let typical = |offer: &Text| self.audit.typical_of.get(offer).copied().unwrap_or(any);
        let mature = self.clicks.iter().filter(|c| c.time <= self.audit.mature_until);
        Some(mature.map(|c| c.row.cost.unwrap_or(0) as f64 / typical(&c.row.offer)).sum())
    }
}

/// Taken back after it was approved in the same report an amount is worth nothing, on its own it is a loss.
fn confirmed(c: &Conversion, amount: Option<i64>) -> i64 {
    let amount = amount.unwrap_or(0);
    match c.status {
        Status::Approved => amount,
        Status::Refund | Status::Chargeback if c.was_approved => 0,
        Status::Refund | Status::Chargeback => -amount.abs(),
        _ => 0,
    }
}

fn confirmed_payout(c: &Conversion) -> i64 {
    confirmed(c, c.row.payout)
}

fn confirmed_revenue(c: &Conversion) -> i64 {
    confirmed(c, c.row.revenue)
}

/// Golden values: Wilson's limits as in Brown, Cai, DasGupta 2001; the tails by hand (2.5/e, 56/1024).
#[test]
fn the_reference_can_count() {
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} is not {b}");
    let wilson = share(3, 50).unwrap();
    close(wilson.low, 0.020615);
    close(wilson.high, 0.162171);
    close(share(0, 40).unwrap().high, 0.087622);
    close(poisson_at_most(2, 1.0), 0.919699);
    close(binomial_at_most(2, 10, 0.5), 0.0546875);
    let median = quantile((1..=10).collect(), 0.5).unwrap();
    assert_eq!((median.value, median.low, median.high), (5.5, 2.0, 9.0));
    assert_eq!(hour_spread([5, 5, 5].into_iter()).unwrap().value, 1.0 / 24.0);
}

/// A time that happens twice is the earlier one; a skipped one is counted on by the old clock.
#[test]
fn the_reference_knows_summer_time() {
    let at = |day: i64, hour: i64, minute: i64| day * DAY + (hour * 60 + minute) * 60 * SECOND;
    // 29 March 2026 is day 20 541 since 1970, 25 October day 20 751.
    assert_eq!(Local::Berlin.to_utc(at(20_541, 1, 30)), at(20_541, 0, 30));
    assert_eq!(Local::Berlin.to_utc(at(20_541, 2, 30)), at(20_541, 1, 30));
    assert_eq!(Local::Berlin.to_utc(at(20_541, 3, 30)), at(20_541, 1, 30));
    assert_eq!(Local::Berlin.to_utc(at(20_751, 2, 30)), at(20_751, 0, 30));
    assert_eq!(Local::Berlin.to_utc(at(20_751, 3, 30)), at(20_751, 2, 30));
}
