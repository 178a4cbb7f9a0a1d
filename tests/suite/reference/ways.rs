//! The ways of players: registration, first deposit, second deposit, and what they pay.

use super::numbers::{deviation, geometric_mean};
use super::{
    Conversion, DAY, Facts, Group, Key, SECOND, Status, Text, Value, Z, count_of, limits, most, real, share,
    units,
};
use std::collections::{BTreeMap, BTreeSet};

/// What a conversion is on its player's way. "May be asked" and "is so" are one option.
#[derive(Clone, Debug, Default)]
pub struct Way {
    deposited: Option<bool>,
    deposited_again: Option<bool>,
    deposited_within: [Option<bool>; 2],
    amount_within: [Option<i64>; 2],
    first_amount: Option<i64>,
    at_floor: bool,
}

/// A week and a month.
const COHORTS: [i64; 2] = [7 * DAY, 30 * DAY];

/// Network and offer.
type Scope = (Text, Text);

/// The player or click, and the place of a row of neither.
type Player = (Scope, Option<(bool, String)>, usize);

fn scope(c: &Conversion) -> Scope {
    (c.network.clone(), c.offer.clone())
}

/// Whom the row names, else whom another row of its click names, else the click, else nobody.
fn player(all: &[Conversion], at: usize) -> Player {
    let (c, click) = (&all[at], real(&all[at].row.click_id));
    let of_click =
        |k: &&Conversion| click.is_some() && real(&k.row.click_id) == click && scope(k) == scope(c);
    let told = all.iter().filter(of_click).filter_map(|k| real(&k.row.player_id)).min();
    let named = real(&c.row.player_id).or(told).map(|name| (true, name));
    let known = named.or(click.clone().map(|id| (false, id)));
    let place = if known.is_some() { 0 } else { at };
    (scope(c), known, place)
}

fn is_deposit(c: &Conversion) -> bool {
    ["first_deposit", "deposit"].contains(&c.event.as_str())
}

/// What one offer reports.
struct Offer {
    /// The event that ways start with.
    start: Option<&'static str>,
    names_first: bool,
    deposits: usize,
}

impl Offer {
    fn of(all: &[Conversion], of: &Scope) -> Offer {
        let rows = || all.iter().filter(|c| c.status != Status::Void && scope(c) == *of);
        let has = |name: &str| rows().any(|c| c.event == name);
        Offer {
            start: ["registration", "lead", "install"].into_iter().find(|name| has(name)),
            names_first: has("first_deposit"),
            deposits: rows().filter(|c| is_deposit(c)).count(),
        }
    }
}

/// One player's conversions in the order of time.
struct Journey<'a> {
    all: &'a [Conversion],
    rows: Vec<usize>,
    known: bool,
    offer: Offer,
    /// Half of what the conversions span.
    half: i64,
    as_of: i64,
}

impl Journey<'_> {
    /// A deposit within a minute of the first one and of no other amount is the first one under another name.
    fn without_twins(&mut self) {
        let Some(first) = self.first("first_deposit", false) else { return };
        let first = &self.all[first];
        let amounts_fit = |c: &Conversion| match (c.row.sale_amount, first.row.sale_amount) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        };
        let is_twin = |c: &Conversion| {
            c.event == "deposit" && (c.time - first.time).abs() < 60 * SECOND && amounts_fit(c)
        };
        self.rows.retain(|i| !is_twin(&self.all[*i]));
    }

    fn first(&self, name: &str, known: bool) -> Option<usize> {
        self.rows.iter().copied().find(|i| self.all[*i].event == name).filter(|_| self.known || !known)
    }

    fn registration(&self) -> Option<usize> {
        self.offer.start.and_then(|start| self.first(start, true))
    }

    fn any(&self, test: impl Fn(&Conversion) -> bool) -> bool {
        self.rows.iter().any(|i| test(&self.all[*i]))
    }

    /// From the click, if the registration came in that time of a click that is as old.
    fn cohort(&self, within: i64) -> Option<i64> {
        let c = &self.all[self.registration()?];
        let from = c.click_time.map_or(c.time, |click| click.min(c.time));
        (from + within <= self.as_of && c.time - from <= within).then_some(from)
    }

    fn way(&self, i: usize) -> Way {
        let c = &self.all[i];
        let mut way = Way::default();
        if self.registration() == Some(i) && self.offer.deposits >= 3 {
            let until = c.time + self.half.min(7 * DAY);
            way.deposited = (until <= self.as_of).then(|| self.any(|k| is_deposit(k) && k.time <= until));
            way.deposited_within = COHORTS.map(|within| {
                let from = self.cohort(within)?;
                Some(self.any(|k| is_deposit(k) && k.time <= from + within))
            });
        }
        if self.first(if self.offer.names_first { "first_deposit" } else { "deposit" }, true) == Some(i) {
            let until = c.time + self.half.min(14 * DAY);
            let again = |k: &Conversion| {
                ["deposit", "rebill"].contains(&k.event.as_str()) && k.time >= c.time && k.time <= until
            };
            let again = self.rows.iter().any(|k| *k != i && again(&self.all[*k]));
            way.deposited_again = (until <= self.as_of).then_some(again);
        }
        let paid = is_deposit(c) || c.event == "rebill";
        let counts = paid && !c.replay && !c.has(&[Status::Refund, Status::Chargeback]);
        way.amount_within = COHORTS.map(|within| {
            let of_click = || c.click_time.filter(|click| click + within <= self.as_of);
            let from = if self.offer.start.is_some() { self.cohort(within) } else { of_click() };
            c.row.sale_amount.filter(|_| counts && from.is_some_and(|from| c.time <= from + within))
        });
        way.first_amount = c.row.sale_amount.filter(|a| *a > 0 && self.first_payment() == Some(i));
        way
    }

    fn first_payment(&self) -> Option<usize> {
        let names: &[&str] =
            if self.offer.names_first { &["first_deposit"] } else { &["deposit", "sale", "conversion"] };
        self.rows.iter().copied().find(|i| names.contains(&self.all[*i].event.as_str()))
    }
}

/// Settles the ways of all conversions.
pub fn settle(all: &mut [Conversion], as_of: i64, facts: &Facts) {
    let counted: Vec<usize> = (0..all.len()).filter(|i| all[*i].status != Status::Void).collect();
    let mut players: BTreeMap<Player, Vec<usize>> = BTreeMap::new();
    counted.iter().for_each(|i| players.entry(player(all, *i)).or_default().push(*i));
    let times = || all.iter().map(|c| c.time);
    let half = (times().max().unwrap_or(0) - times().min().unwrap_or(0)) / 2;
    let mut ways: Vec<(usize, Way)> = Vec::new();
    for ((scope, known, _), mut rows) in players {
        rows.sort_by_key(|i| all[*i].order(facts));
        let offer = Offer::of(all, &scope);
        let mut journey = Journey { all, rows, known: known.is_some(), offer, half, as_of };
        journey.without_twins();
        ways.extend(journey.rows.iter().map(|i| (*i, journey.way(*i))));
    }
    ways.into_iter().for_each(|(i, way)| all[i].way = way);
    mark_floor(all);
}

/// Two percent more.
fn about(amount: i64) -> i64 {
    amount + amount / 50
}

/// The smallest first payment of an offer that three sources and one in fifty payments share within two percent;
/// whatever is not above it is at the floor.
fn mark_floor(all: &mut [Conversion]) {
    let scopes: BTreeSet<Scope> = all.iter().map(scope).collect();
    for of in scopes {
        let paid: Vec<(i64, Key)> = all
            .iter()
            .filter(|c| scope(c) == of)
            .filter_map(|c| Some((c.way.first_amount?, c.key.clone())))
            .collect();
        let is_floor = |low: &i64| {
            let near = || paid.iter().filter(|(a, _)| (*low..=about(*low)).contains(a));
            let sources: BTreeSet<&Key> = near().map(|p| &p.1).collect();
            sources.len() >= 3 && near().count() * 50 >= paid.len()
        };
        let floor = paid.iter().map(|p| p.0).filter(is_floor).min();
        for c in all.iter_mut().filter(|c| scope(c) == of) {
            c.way.at_floor = c.way.first_amount.zip(floor).is_some_and(|(a, floor)| a <= about(floor));
        }
    }
}

impl Group<'_> {
    pub fn way_signals(&self, all: &mut BTreeMap<&'static str, Option<Value>>) {
        let given = |needs: &[&str], value: Option<Value>| value.filter(|_| self.with_conversions(needs));
        let asked = |answer: &dyn Fn(&Way) -> Option<bool>| {
            let yes = self.conversions_where(|c| answer(&c.way) == Some(true));
            (yes, self.conversions_where(|c| answer(&c.way).is_some()))
        };
        let part = |answer: &dyn Fn(&Way) -> Option<bool>| {
            let (yes, n) = asked(answer);
            given(&["event"], share(yes, n))
        };
        all.insert("registration_deposit_share", part(&|w| w.deposited));
        all.insert("second_deposit_share", part(&|w| w.deposited_again));
        let names = [
            ("d7_depositor_share", "d7_deposits_per_registration"),
            ("d30_depositor_share", "d30_deposits_per_registration"),
        ];
        for (at, (shares, amounts)) in names.into_iter().enumerate() {
            all.insert(shares, part(&|w| w.deposited_within[at]));
            let (depositors, n) = asked(&|w| w.deposited_within[at]);
            let value = self.deposits(at, depositors, n);
            all.insert(amounts, given(&["event", "sale_amount"], value));
        }
        self.amount_signals(all);
    }

    fn first_amounts(&self) -> Vec<i64> {
        let mut amounts: Vec<i64> = self.conversions.iter().filter_map(|c| c.way.first_amount).collect();
        amounts.sort_unstable();
        amounts
    }

    /// Amounts of a cohort per registration: depositors are Poisson, their amounts vary as first payments do.
    fn deposits(&self, cohort: usize, depositors: usize, n: usize) -> Option<Value> {
        let sum: i64 = self.conversions.iter().filter_map(|c| c.way.amount_within[cohort]).sum();
        if n == 0 || depositors == 0 || sum <= 0 {
            return None;
        }
        let firsts: Vec<f64> = self.first_amounts().into_iter().map(|a| a as f64).collect();
        let cv2 = match super::numbers::moments(&firsts) {
            Some((mean, variance, _)) if firsts.len() > 1 => variance / (mean * mean),
            _ => 0.0,
        };
        let factor = (Z * ((1.0 + cv2) / depositors as f64).sqrt()).exp();
        let value = units(sum) / n as f64;
        limits(value, value / factor, value * factor, n)
    }

    fn amount_signals(&self, all: &mut BTreeMap<&'static str, Option<Value>>) {
        let given = |value: Option<Value>| value.filter(|_| self.with_conversions(&["sale_amount"]));
        let amounts = self.first_amounts();
        let n = amounts.len();
        let logs: Vec<f64> = amounts.iter().map(|a| units(*a).ln()).collect();
        let whole_tens = amounts.iter().filter(|a| *a % 10_000_000 == 0).count();
        all.insert("min_deposit_share", given(share(self.conversions_where(|c| c.way.at_floor), n)));
        all.insert("round_amount_share", given(share(whole_tens, n)));
        all.insert("amount_log_mean", given(geometric_mean(&logs, |_| 1e-4)));
        let vary = amounts.first() != amounts.last();
        all.insert("amount_log_sd", given(deviation(&logs, |_| 1e-4).filter(|_| vary)));
        all.insert("amount_modal_share", given(share(most(&count_of(amounts.iter())), n)));
    }
}
