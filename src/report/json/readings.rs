//! The signals of one group: the shape in which a report has them, and the same as bytes.
//!
//! Signals are nine tenths of a large report. [`Pen`] puts them into bytes without making the shape, a map or a text
//! of each first; [`shape`] makes the shape, for a page about one group. A test holds that both say the same. No
//! other part of a report is written by hand.

use super::number::{self, number, write_count};
use super::{chance, probability};
use crate::peers::{Standing, TooFew, Versus};
use crate::signals::{self, Absence, Estimate, Interval, Reading};
use crate::verdicts::Judged;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::Number;
use std::collections::BTreeMap;
use std::fmt::Display;

/// The signals of a group by name, and the others by reason.
pub(super) struct Readings<'g> {
    pub(super) signals: Part<'g, &'static str, Signal<'g>>,
    pub(super) absent: Part<'g, String, Vec<&'static str>>,
    pub(super) not_compared: Part<'g, String, Vec<&'static str>>,
}

/// A map of a source, or the JSON that it comes to.
pub(super) enum Part<'g, K, V> {
    Shape(BTreeMap<K, V>),
    Written(Written<'g>),
}

/// JSON on one line. The formatters of reports pass it on as it is: see [`super::outline`].
#[derive(Clone, Copy)]
pub(super) struct Written<'g>(pub(super) &'g [u8]);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// The schema says by it that a part may not be there.
impl<K, V> Default for Part<'_, K, V> {
    fn default() -> Self {
        Part::Shape(BTreeMap::new())
    }
}

impl<K, V> Part<'_, K, V> {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Part::Shape(map) => map.is_empty(),
            Part::Written(Written(bytes)) => *bytes == b"{}",
        }
    }
}

impl<K: Serialize, V: Serialize> Serialize for Part<'_, K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Part::Shape(map) => map.serialize(serializer),
            Part::Written(written) => written.serialize(serializer),
        }
    }
}

/// A signal of one group.
#[derive(Serialize, JsonSchema)]
pub(super) struct Signal<'g> {
    value: Number,
    /// The sample that the value rests on.
    n: u64,
    /// The limits of the 95 % interval; a fact that was counted has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    low: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    high: Option<Number>,
    /// The value rests on a cost that was allocated, an assumption below the cost's own grain.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    allocated: bool,
    /// How the value stands against its peers; not there where it was not held against them.
    #[serde(flatten)]
    versus: Option<Beside<'g>>,
}

/// A signal beside its peers.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Versus")]
struct Beside<'g> {
    /// What peers have.
    #[serde(skip_serializing_if = "Option::is_none")]
    peers: Option<Number>,
    /// How many there are, and at which level they were found.
    peer_count: u32,
    level: &'g str,
    /// How many times the peers' odds (of a share) or value, and the end of its interval nearer to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio_limit: Option<Number>,
    /// The signed distance in standard deviations.
    #[serde(skip_serializing_if = "Option::is_none")]
    z: Option<Number>,
    /// The one-sided p-value on the side where the value lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    p: Option<Number>,
    /// The upper bound of the weight of evidence in decibans.
    #[serde(skip_serializing_if = "Option::is_none")]
    decibans: Option<Number>,
}

/// Signals that are absent from all groups for the same reason, by their place in the table.
pub(super) fn nowhere(groups: &[&Judged]) -> Vec<bool> {
    let mut nowhere = vec![false; signals::all().len()];
    let Some((first, others)) = groups.split_first() else { return nowhere };
    let first = &first.subject.row.readings;
    let mut open: Vec<usize> = (0..first.len()).filter(|&at| first[at].estimate().is_none()).collect();
    // Group by group, as they lie in memory.
    for group in others {
        open.retain(|&at| group.subject.row.readings[at] == first[at]);
    }
    open.into_iter().for_each(|at| nowhere[at] = true);
    nowhere
}

/// The shape of all that is known of one group's signals.
pub(super) fn shape<'g>(group: &'g Judged) -> Readings<'g> {
    let mut signals = BTreeMap::new();
    let mut absent: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    let mut not_compared: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    let profile = &group.subject.profile;
    for ((signal, reading), standing) in group.subject.row.each().zip(profile.each()) {
        let estimate = match reading {
            Reading::Present(estimate) => estimate,
            Reading::Absent(why) => {
                absent.entry(why.to_string()).or_default().push(signal.name);
                continue;
            }
        };
        match present(estimate, standing) {
            Some(present) => drop(signals.insert(signal.name, present)),
            None => absent.entry(NOT_FINITE.to_string()).or_default().push(signal.name),
        }
        if let Some(why) = worth_saying(standing) {
            not_compared.entry(why.to_string()).or_default().push(signal.name);
        }
    }
    Readings {
        signals: Part::Shape(signals),
        absent: Part::Shape(absent),
        not_compared: Part::Shape(not_compared),
    }
}

/// What is no number cannot be written; signals refuse it before.
const NOT_FINITE: Absence = Absence::Fact("not a finite number");

/// Why a signal that has a value was not compared, unless that holds for it in every group.
fn worth_saying(standing: &Standing) -> Option<&TooFew> {
    match standing {
        Standing::TooFew(why @ (TooFew::Peers | TooFew::Sample)) => Some(why),
        _ => None,
    }
}

fn present<'g>(estimate: &Estimate, standing: &'g Standing) -> Option<Signal<'g>> {
    let limits = limits(estimate);
    Some(Signal {
        value: number(estimate.value())?,
        n: estimate.n,
        low: limits.and_then(|(low, _)| number(low)),
        high: limits.and_then(|(_, high)| number(high)),
        allocated: estimate.allocated,
        versus: beside(standing),
    })
}

fn limits(estimate: &Estimate) -> Option<(f64, f64)> {
    match estimate.interval {
        Interval::Exact(_) => None,
        _ => Some(estimate.printed()),
    }
}

fn beside(standing: &Standing) -> Option<Beside<'_>> {
    let Standing::Compared(v) = standing else { return None };
    Some(Beside {
        peers: number(v.expected),
        peer_count: v.peers,
        level: &v.level,
        ratio: number(v.ratio),
        ratio_limit: number(v.ratio_limit),
        z: number(v.z),
        p: v.ln_p(v.direction).and_then(probability),
        decibans: number(v.decibans),
    })
}

/// Writes the signals of one group after the other.
pub(super) struct Pen {
    /// By signal: its name in quotes.
    names: Vec<String>,
    /// What stands before the value of each field of a signal; the first begins the signal.
    fields: [String; FIELDS.len()],
    signals: Vec<u8>,
    absent: Grouped<Absence>,
    not_compared: Grouped<TooFew>,
}

/// The fields of a signal in their order.
const FIELDS: [&str; 13] = [
    "value",
    "n",
    "low",
    "high",
    "allocated",
    "peers",
    "peer_count",
    "level",
    "ratio",
    "ratio_limit",
    "z",
    "p",
    "decibans",
];

/// A field by its place in [`FIELDS`].
#[derive(Clone, Copy)]
enum Field {
    Value,
    N,
    Low,
    High,
    Allocated,
    Peers,
    PeerCount,
    Level,
    Ratio,
    RatioLimit,
    Z,
    P,
    Decibans,
}

impl Pen {
    pub(super) fn new() -> Pen {
        let names = || signals::all().iter().map(|signal| format!("\"{}\"", signal.name));
        let field = |name: &str| {
            let before = if name == FIELDS[0] { ":{" } else { "," };
            format!("{before}\"{name}\":")
        };
        Pen {
            names: names().collect(),
            fields: FIELDS.map(field),
            signals: Vec::new(),
            absent: Grouped::new(),
            not_compared: Grouped::new(),
        }
    }

    /// What is known of one group's signals, without those of `nowhere`.
    pub(super) fn write(&mut self, group: &Judged, nowhere: &[bool]) -> Readings<'_> {
        self.signals.clear();
        self.signals.push(b'{');
        let profile = &group.subject.profile;
        for (place, (reading, standing)) in group.subject.row.readings.iter().zip(profile.each()).enumerate()
        {
            match reading {
                Reading::Absent(_) if nowhere[place] => continue,
                Reading::Absent(why) => {
                    self.absent.add(place, why);
                    continue;
                }
                Reading::Present(estimate) if estimate.value().is_finite() => {
                    self.signal(place, estimate, standing);
                }
                Reading::Present(_) => self.absent.add(place, &NOT_FINITE),
            }
            if let Some(why) = worth_saying(standing) {
                self.not_compared.add(place, why);
            }
        }
        self.signals.push(b'}');
        Readings {
            signals: Part::Written(Written(&self.signals)),
            absent: Part::Written(Written(self.absent.written(&self.names))),
            not_compared: Part::Written(Written(self.not_compared.written(&self.names))),
        }
    }

    fn signal(&mut self, place: usize, estimate: &Estimate, standing: &Standing) {
        if self.signals.len() > 1 {
            self.signals.push(b',');
        }
        self.signals.extend_from_slice(self.names[place].as_bytes());
        self.number(Field::Value, estimate.value());
        self.count(Field::N, estimate.n);
        if let Some((low, high)) = limits(estimate) {
            self.number(Field::Low, low);
            self.number(Field::High, high);
        }
        if estimate.allocated {
            self.field(Field::Allocated);
            self.signals.extend_from_slice(b"true");
        }
        if let Standing::Compared(versus) = standing {
            self.beside(versus);
        }
        self.signals.push(b'}');
    }

    fn beside(&mut self, versus: &Versus) {
        self.number(Field::Peers, versus.expected);
        self.count(Field::PeerCount, versus.peers.into());
        self.field(Field::Level);
        quote(&mut self.signals, &versus.level);
        self.number(Field::Ratio, versus.ratio);
        self.number(Field::RatioLimit, versus.ratio_limit);
        self.number(Field::Z, versus.z);
        if let Some(ln_p) = versus.ln_p(versus.direction) {
            self.number(Field::P, chance(ln_p));
        }
        self.number(Field::Decibans, versus.decibans);
    }

    fn field(&mut self, field: Field) {
        self.signals.extend_from_slice(self.fields[field as usize].as_bytes());
    }

    fn count(&mut self, field: Field, count: u64) {
        self.field(field);
        write_count(&mut self.signals, count);
    }

    /// Nothing where there is no finite number.
    fn number(&mut self, field: Field, value: f64) {
        if value.is_finite() {
            self.field(field);
            number::write(&mut self.signals, value);
        }
    }
}

fn quote(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("memory takes any text");
}

/// Signals by a reason that many groups have: each reason is put into words once.
struct Grouped<R> {
    /// The reasons met so far, each with the place of its words.
    known: Vec<(R, usize)>,
    /// By signal: which of the known reasons it had last.
    last: Vec<usize>,
    words: Vec<Words>,
    /// The words in the order of their text.
    order: Vec<usize>,
    out: Vec<u8>,
}

/// A reason in words, and the signals of the present group that have it.
struct Words {
    text: String,
    quoted: Vec<u8>,
    places: Vec<usize>,
}

impl<R: Clone + PartialEq + Display> Grouped<R> {
    fn new() -> Grouped<R> {
        let last = vec![0; signals::all().len()];
        Grouped { known: vec![], last, words: vec![], order: vec![], out: vec![] }
    }

    fn add(&mut self, place: usize, why: &R) {
        if self.known.get(self.last[place]).is_none_or(|(known, _)| known != why) {
            self.last[place] = self.find(why);
        }
        let (_, words) = self.known[self.last[place]];
        self.words[words].places.push(place);
    }

    fn find(&mut self, why: &R) -> usize {
        if let Some(at) = self.known.iter().position(|(known, _)| known == why) {
            return at;
        }
        let text = why.to_string();
        let words = self.words.iter().position(|words| words.text == text).unwrap_or_else(|| {
            let mut quoted = Vec::new();
            quote(&mut quoted, &text);
            self.words.push(Words { text, quoted, places: vec![] });
            self.words.len() - 1
        });
        self.known.push((why.clone(), words));
        self.order = (0..self.words.len()).collect();
        self.order.sort_by_key(|&at| &self.words[at].text);
        self.known.len() - 1
    }

    /// The signals that were added, by reason; then it is empty again.
    fn written(&mut self, names: &[String]) -> &[u8] {
        let Grouped { words, order, out, .. } = self;
        out.clear();
        out.push(b'{');
        for &at in order.iter() {
            let Words { quoted, places, .. } = &mut words[at];
            if places.is_empty() {
                continue;
            }
            if out.len() > 1 {
                out.push(b',');
            }
            out.extend_from_slice(quoted);
            out.push(b':');
            for (nth, place) in places.drain(..).enumerate() {
                out.push(if nth == 0 { b'[' } else { b',' });
                out.extend_from_slice(names[place].as_bytes());
            }
            out.push(b']');
        }
        out.push(b'}');
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::column::Col;
    use crate::peers::{Level, Sides, Standings};
    use crate::report::sample;

    fn text<K: Serialize, V: Serialize>(part: &Part<K, V>) -> String {
        match part {
            Part::Shape(map) => serde_json::to_string(map).unwrap(),
            Part::Written(Written(bytes)) => String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    fn all(readings: &Readings) -> [String; 3] {
        [text(&readings.signals), text(&readings.absent), text(&readings.not_compared)]
    }

    #[test]
    fn what_is_written_by_hand_is_the_shape() {
        let rules = sample::rules();
        let mut report = sample::with_outlook(&rules);
        let readings = &mut report.groups[0].subject.row.readings;
        let estimates: Vec<Estimate> = [f64::NAN, -0.0, 1.5e-30, 1e300, 1.0 / 3.0]
            .map(|value| Estimate::limits(value, value - 1.0, f64::INFINITY, 7).allocated(value > 1.0))
            .into();
        estimates.into_iter().enumerate().for_each(|(at, e)| readings[at * 3] = Reading::Present(e));
        let standings = signals::all().iter().enumerate().map(|(at, signal)| (*signal, standing(at)));
        let standings = standings.filter(|(signal, _)| signal.name != "cr");
        report.groups[0].subject.profile.signals = Standings::of(standings);
        let nowhere = vec![false; signals::all().len()];
        let mut pen = Pen::new();
        for group in report.ordered() {
            let [signals, absent, not_compared] = all(&shape(group));
            assert!(absent.len() > 2 && (signals.len() > 2 || group.subject.clicks == 0));
            // Twice: nothing of one group stays in the pen for the next.
            for _ in 0..2 {
                assert_eq!(all(&pen.write(group, &nowhere)), [&*signals, &*absent, &*not_compared]);
            }
        }
        let [signals, _, not_compared] = all(&shape(&report.groups[0]));
        assert!(signals.contains(r#""level":"offer, country""#) && not_compared.matches('[').count() == 2);
    }

    /// Each kind of standing in its turn, and each kind of number.
    fn standing(at: usize) -> Standing {
        match at % 5 {
            0 => Standing::TooFew(TooFew::Peers),
            1 => Standing::TooFew(TooFew::Sample),
            2 => Standing::TooFew(TooFew::NotCompared),
            turn => Standing::Compared(Versus {
                expected: [0.031, f64::NAN][turn - 3],
                level: Level::of(&[Col::Offer, Col::Country]),
                peers: 31,
                ratio: 2.5e-9 * at as f64,
                ratio_limit: [f64::INFINITY, 1.0][turn - 3],
                z: -3.25,
                direction: crate::peers::Direction::High,
                sides: Sides::new([Some(-900.0), None][turn - 3], None),
                q: 0.5,
                large: false,
                decibans: 60.0,
            }),
        }
    }

    #[test]
    fn what_no_group_has_is_left_out() {
        let rules = sample::rules();
        let report = sample::report(&rules);
        let groups = report.ordered();
        let nowhere = nowhere(&groups);
        assert!(nowhere.contains(&true) && nowhere.contains(&false));
        for (signal, nowhere) in signals::all().iter().zip(&nowhere) {
            let first = groups[0].subject.row.reading(signal);
            let same = groups.iter().all(|g| g.subject.row.reading(signal) == first);
            assert_eq!(*nowhere, same && first.estimate().is_none(), "{}", signal.name);
        }
    }
}
