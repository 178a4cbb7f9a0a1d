//! Postbacks that were forwarded to the traffic source, beside the conversions that they tell of.
//!
//! A traffic source optimises on what it is told: a conversion that it never hears of, hears twice, late, with
//! another event or value, or though it was rejected, costs money on either side. Refuses to call a conversion unsent
//! whose event is never sent at all, or that lies outside the time of the file.

use crate::base::symbol::{Symbol, Symbols};
use crate::base::text::Text;
use crate::clean::Status;
use crate::clean::statement::{Kind, Kinds, Row, Statement};
use std::collections::{BTreeMap, BTreeSet};

/// What is allowed between a conversion and its postback.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Microseconds after which a postback is late.
    pub late: i64,
    /// Micro-units by which values may differ.
    pub amount: i64,
}

/// What one traffic source was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// `None` where nobody says it.
    pub traffic_source: Option<Text>,
    /// Conversions of events that are sent, and postbacks.
    pub conversions: u64,
    pub postbacks: u64,
    /// One postback each, in time, with the right event and value.
    pub right: u64,
    pub not_sent: u64,
    pub late: u64,
    /// Postbacks beyond the first of a conversion.
    pub doubled: u64,
    pub wrong_event: u64,
    pub wrong_value: u64,
    /// Sent though the conversion is rejected, void, refunded or charged back.
    pub rejected: u64,
    /// Postbacks of which no conversion is known.
    pub unknown: u64,
}

/// Everything that was forwarded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarded {
    /// By traffic source.
    pub told: Vec<Told>,
    /// The columns that tie a conversion to its postback.
    pub join: Option<(Text, Text)>,
    /// Events of conversions that are never sent.
    pub never_sent: Vec<Text>,
}

impl Forwarded {
    /// Whether everything was forwarded as it should be.
    pub fn is_right(&self) -> bool {
        self.told.iter().all(|told| told.right == told.postbacks && told.not_sent == 0)
    }
}

/// The two statements: conversions, and postbacks as rows whose time is that of sending.
pub struct Sides<'a> {
    pub conversions: &'a Statement,
    pub postbacks: &'a Statement,
    pub kinds: &'a Kinds,
    pub symbols: &'a Symbols,
}

/// Holds the postbacks against the conversions.
pub fn forwarded(sides: &Sides, limits: &Limits) -> Forwarded {
    let event = |row: &Row| sides.kinds.get(row.kind).event;
    let sent: BTreeSet<Symbol> = sides.postbacks.rows.iter().map(event).collect();
    let superseded: BTreeSet<u32> = sides.conversions.superseded.iter().copied().collect();
    let asked = |at: u32| !superseded.contains(&at);
    let conversions = by_id(sides.conversions, asked);
    let postbacks = by_id(sides.postbacks, |_| true);
    let times = sides.postbacks.rows.iter().map(|row| row.time);
    let span = times.fold(None, |span: Option<(i64, i64)>, time| {
        Some(span.map_or((time, time), |(first, last)| (first.min(time), last.max(time))))
    });
    let mut tally = Tally { sides, limits, sent: &sent, span, by_source: BTreeMap::new() };
    for id in conversions.keys().chain(postbacks.keys()).collect::<BTreeSet<_>>() {
        let of = |all: &BTreeMap<&str, Vec<u32>>| all.get(*id).cloned().unwrap_or_default();
        tally.one_id(of(&conversions), of(&postbacks));
    }
    tally.without_id();
    let never = sides.conversions.rows.iter().map(event).filter(|event| !sent.contains(event));
    let never: BTreeSet<Symbol> = never.collect();
    let mut never: Vec<Text> =
        never.into_iter().filter_map(|e| sides.symbols.text(e)).map(Text::new).collect();
    never.sort();
    let mut told: Vec<Told> = tally.by_source.into_values().collect();
    told.sort_by(|a, b| a.traffic_source.cmp(&b.traffic_source));
    Forwarded { told, join: None, never_sent: never }
}

/// Rows by the text of their ID, in the order of time.
fn by_id(statement: &Statement, asked: impl Fn(u32) -> bool) -> BTreeMap<&str, Vec<u32>> {
    let mut ids: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for (at, row) in (0..).zip(&statement.rows).filter(|(at, row)| row.key != 0 && asked(*at)) {
        ids.entry(statement.id(at)).or_default().push(at);
        let _ = row;
    }
    ids.values_mut().for_each(|rows| rows.sort_by_key(|at| (statement.rows[*at as usize].time, *at)));
    ids
}

struct Tally<'a> {
    sides: &'a Sides<'a>,
    limits: &'a Limits,
    sent: &'a BTreeSet<Symbol>,
    span: Option<(i64, i64)>,
    by_source: BTreeMap<Symbol, Told>,
}

impl Tally<'_> {
    fn conversion(&self, at: u32) -> (&Row, &Kind) {
        let row = &self.sides.conversions.rows[at as usize];
        (row, self.sides.kinds.get(row.kind))
    }

    fn postback(&self, at: u32) -> (&Row, &Kind) {
        let row = &self.sides.postbacks.rows[at as usize];
        (row, self.sides.kinds.get(row.kind))
    }

    fn told(&mut self, source: Symbol) -> &mut Told {
        let symbols = self.sides.symbols;
        self.by_source.entry(source).or_insert_with(|| Told {
            traffic_source: symbols.text(source).map(Text::new),
            ..Told::default()
        })
    }

    /// The conversions and postbacks of one ID, in the order of time.
    fn one_id(&mut self, mut conversions: Vec<u32>, mut postbacks: Vec<u32>) {
        let source = match (conversions.first(), postbacks.first()) {
            (Some(at), _) => self.conversion(*at).1.traffic_source,
            (None, Some(at)) => self.postback(*at).1.traffic_source,
            (None, None) => return,
        };
        conversions.retain(|at| self.sent.contains(&self.conversion(*at).1.event));
        self.told(source).conversions += conversions.len() as u64;
        self.told(source).postbacks += postbacks.len() as u64;
        let event = |at: &u32| self.sides.kinds.get(self.sides.postbacks.rows[*at as usize].kind).event;
        let mut heard: Vec<Symbol> = Vec::new();
        let mut open: Vec<u32> = Vec::new();
        for at in postbacks.drain(..) {
            let event = event(&at);
            let same = conversions.iter().position(|c| self.conversion(*c).1.event == event);
            match same {
                Some(place) => {
                    let conversion = conversions.remove(place);
                    heard.push(event);
                    self.pair(source, conversion, at, false);
                }
                None if heard.contains(&event) => self.told(source).doubled += 1,
                None => open.push(at),
            }
        }
        for at in open {
            match conversions.is_empty() {
                true => self.told(source).unknown += 1,
                false => {
                    let conversion = conversions.remove(0);
                    self.pair(source, conversion, at, true);
                }
            }
        }
        let unsent = conversions.into_iter().filter(|at| self.should_be_sent(*at)).count() as u64;
        self.told(source).not_sent += unsent;
    }

    /// A conversion and its postback.
    fn pair(&mut self, source: Symbol, conversion: u32, postback: u32, wrong_event: bool) {
        let ((one, our), (two, their)) = (self.conversion(conversion), self.postback(postback));
        let same_currency =
            our.currency == their.currency || our.currency == Symbol::NONE || their.currency == Symbol::NONE;
        let apart = |(a, b): (i64, i64)| a.abs_diff(b) > self.limits.amount.unsigned_abs();
        let wrong_value = same_currency && one.paid().zip(two.paid()).is_some_and(apart);
        let late = two.time - one.time > self.limits.late;
        let rejected = !pays(our.status);
        let told = self.told(source);
        told.wrong_event += u64::from(wrong_event);
        told.wrong_value += u64::from(wrong_value);
        told.late += u64::from(late);
        told.rejected += u64::from(rejected);
        told.right += u64::from(!(wrong_event || wrong_value || late || rejected));
    }

    /// Whether a conversion without a postback should have one: it is paid, and lies in the time of the file.
    fn should_be_sent(&self, at: u32) -> bool {
        let (row, kind) = self.conversion(at);
        let within = |(first, last): (i64, i64)| {
            (first..=last - self.limits.late.min(last - first)).contains(&row.time)
        };
        pays(kind.status) && self.span.is_some_and(within)
    }

    /// Postbacks without any ID tell of no known conversion.
    fn without_id(&mut self) {
        let bare = self.sides.postbacks.rows.iter().filter(|row| row.key == 0);
        let sources: Vec<Symbol> = bare.map(|row| self.sides.kinds.get(row.kind).traffic_source).collect();
        for source in sources {
            let told = self.told(source);
            told.postbacks += 1;
            told.unknown += 1;
        }
    }
}

/// Whether a conversion of this status is paid, or will be.
fn pays(status: Option<Status>) -> bool {
    matches!(status, None | Some(Status::Approved | Status::Pending | Status::Unknown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::SECOND;

    /// A row: ID, event, status, amount, seconds.
    type Made = (&'static str, &'static str, Option<Status>, i64, i64);

    fn found(conversions: &[Made], postbacks: &[Made]) -> Told {
        let (mut symbols, mut kinds) = (Symbols::default(), Kinds::default());
        let mut statement = |rows: &[Made]| {
            let mut statement = Statement::default();
            for (id, event, status, amount, second) in rows {
                let kind = Kind {
                    event: symbols.of(event),
                    once: true,
                    status: *status,
                    currency: Symbol::NONE,
                    network: Symbol::NONE,
                    offer: Symbol::NONE,
                    traffic_source: symbols.of("push"),
                    source: Symbol::NONE,
                    country: Symbol::NONE,
                };
                let key = id.bytes().fold(0, |key: u64, b| key * 31 + u64::from(b));
                statement.push(id, key, second * SECOND, [Some(*amount), None], kinds.of(kind));
            }
            statement
        };
        let (conversions, postbacks) = (statement(conversions), statement(postbacks));
        let sides =
            Sides { conversions: &conversions, postbacks: &postbacks, kinds: &kinds, symbols: &symbols };
        let all = forwarded(&sides, &Limits { late: 600 * SECOND, amount: 10 });
        assert_eq!(all.told.len(), 1, "{all:?}");
        all.told[0].clone()
    }

    const OK: Option<Status> = Some(Status::Approved);
    const NO: Option<Status> = Some(Status::Rejected);

    #[test]
    fn every_fault_of_forwarding_is_counted_once() {
        let conversions = [
            ("a", "sale", OK, 500, 0),
            ("b", "sale", OK, 500, 100),
            ("c", "sale", OK, 500, 200),
            ("d", "sale", OK, 500, 300),
            ("e", "sale", OK, 500, 400),
            ("f", "sale", NO, 500, 500),
            ("g", "sale", OK, 500, 600),
            ("g", "lead", OK, 0, 600),
        ];
        let postbacks = [
            ("a", "sale", None, 500, 10),
            ("c", "sale", None, 500, 2_000),
            ("d", "sale", None, 500, 310),
            ("d", "sale", None, 500, 320),
            ("e", "install", None, 700, 410),
            ("f", "sale", None, 500, 510),
            ("z", "sale", None, 500, 9_000),
            ("", "sale", None, 500, 10),
        ];
        let told = found(&conversions, &postbacks);
        let counts = [told.not_sent, told.late, told.doubled, told.wrong_event, told.wrong_value];
        assert_eq!(counts, [1 + 1, 1, 1, 1, 1], "{told:?}");
        assert_eq!((told.rejected, told.unknown, told.right), (1, 2, 2), "{told:?}");
        assert_eq!((told.conversions, told.postbacks), (7, 8), "{told:?}");
    }

    #[test]
    fn what_is_never_sent_is_no_fault() {
        let told = found(&[("a", "sale", OK, 1, 0), ("a", "lead", OK, 1, 0)], &[("a", "sale", None, 1, 5)]);
        assert_eq!((told.not_sent, told.right, told.conversions), (0, 1, 1));
    }
}
