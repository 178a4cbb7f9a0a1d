//! Clicks by hour and conversions by the moment, for outages: from rows to the lines of networks.

use super::Incident;
use super::outages::{self, Flow, Line, Seen};
use crate::base::column::Col;
use crate::base::symbol::{Symbol, Symbols};
use crate::base::text::Text;
use crate::base::time::{SECOND, Zone};
use crate::ingest::Times;
use crate::matching::Matched;
use hashbrown::HashMap;
use std::collections::{BTreeMap, BTreeSet};

const HOUR: i64 = 3_600 * SECOND;

/// A network, a source, and the hour.
type Place = (Symbol, [Symbol; 2], i32);

/// Clicks by network, source and hour.
pub struct Flows {
    /// Where network, traffic source and source stand among the columns of rows.
    places: [usize; 3],
    counts: HashMap<Place, u32>,
}

impl Flows {
    /// No clicks yet.
    pub fn new(places: [usize; 3]) -> Flows {
        Flows { places, counts: HashMap::new() }
    }

    /// Where network, traffic source and source stand among the columns of rows.
    pub fn places(&self) -> [usize; 3] {
        self.places
    }

    /// Adds the clicks of a batch: their columns, and their times in UTC microseconds.
    pub fn add(&mut self, columns: &[Vec<Symbol>], times: impl Iterator<Item = Option<i64>>) {
        let [network, traffic, source] = self.places.map(|at| &columns[at]);
        for (row, time) in times.enumerate() {
            let Some(time) = time else { continue };
            let hour = time.div_euclid(HOUR) as i32;
            *self.counts.entry((network[row], [traffic[row], source[row]], hour)).or_default() += 1;
        }
    }

    /// Adds clicks that were counted elsewhere: of a network, a traffic source and source, and a UTC hour.
    pub fn add_counted(&mut self, network: Symbol, source: [Symbol; 2], hour: i32, clicks: u32) {
        *self.counts.entry((network, source, hour)).or_default() += clicks;
    }

    /// What was counted: network, traffic source and source, UTC hour, clicks; in no order.
    pub fn counted(&self) -> Vec<(Symbol, [Symbol; 2], i32, u32)> {
        let counts = self.counts.iter();
        counts.map(|((network, source, hour), clicks)| (*network, *source, *hour, *clicks)).collect()
    }

    /// The outages of the whole input, where there are several networks, and then those of single networks that
    /// are no part of one of these.
    pub fn outages(self, matched: &Matched, zone: Zone, symbols: &Symbols) -> Vec<Incident> {
        let table = Table::of(self, matched, symbols);
        let whole = if table.networks.len() > 1 { outages::find(&[table.line(None)]) } else { Vec::new() };
        let networks: Vec<Line> = match table.networks.len() {
            0 => vec![table.line(None)],
            _ => table.networks.iter().map(|name| table.line(Some(name))).collect(),
        };
        let apart = |silence: &outages::Silence| {
            !whole.iter().any(|other| silence.from < other.to && other.from < silence.to)
        };
        let found = outages::find(&networks).into_iter().filter(apart).collect::<Vec<_>>();
        whole.iter().chain(&found).map(|silence| incident(silence, zone)).collect()
    }
}

fn incident(silence: &outages::Silence, zone: Zone) -> Incident {
    let day = |time: i64| zone.day_and_hour(time).0;
    Incident {
        unit: silence.network.map(|name| (Col::Network, Text::new(name))),
        first_day: day(silence.from),
        last_day: day(silence.to),
        hours: Some((silence.from, silence.to)),
        expected: silence.expected,
        low: silence.low,
        high: silence.high,
        observed: 0,
        told: silence.sources,
        fell: silence.sources,
        ln_p: silence.ln_p,
    }
}

/// All clicks and conversions, with sources as numbers in the order of their texts.
struct Table<'a> {
    networks: Vec<&'a str>,
    /// Network, and what of it; sorted.
    flows: Vec<(Option<&'a str>, Flow)>,
    seen: Vec<(Option<&'a str>, Seen)>,
}

impl<'a> Table<'a> {
    fn of(flows: Flows, matched: &Matched, symbols: &'a Symbols) -> Table<'a> {
        let Flows { places, counts } = flows;
        let told = matched.conversions.iter().filter(|m| !m.batched && m.conversion.times != Times::Approval);
        let at = |m: &crate::matching::MatchedConversion| places.map(|at| m.columns[at]);
        let conversions: Vec<([Symbol; 3], i64)> = told.map(|m| (at(m), m.conversion.time)).collect();
        let clicks: Vec<(Place, u32)> = counts.into_iter().collect();
        let text = |source: [Symbol; 2]| source.map(|symbol| symbols.text(symbol));
        let mut names: BTreeSet<[Option<&str>; 2]> =
            clicks.iter().map(|((_, source, _), _)| text(*source)).collect();
        names.extend(conversions.iter().map(|([_, traffic, source], _)| text([*traffic, *source])));
        let numbers: BTreeMap<[Option<&str>; 2], u32> = names.into_iter().zip(0..).collect();
        let mut flows: Vec<(Option<&str>, Flow)> = clicks
            .into_iter()
            .map(|((network, source, hour), clicks)| {
                (symbols.text(network), Flow { hour, source: numbers[&text(source)], clicks })
            })
            .collect();
        flows.sort_unstable();
        let mut seen: Vec<(Option<&str>, Seen)> = conversions
            .into_iter()
            .map(|([network, traffic, source], time)| {
                (symbols.text(network), Seen { time, source: numbers[&text([traffic, source])] })
            })
            .collect();
        seen.sort_unstable();
        let networks: BTreeSet<&str> = flows.iter().filter_map(|(network, _)| *network).collect();
        Table { networks: networks.into_iter().collect(), flows, seen }
    }

    /// One network's traffic, or all of it.
    fn line(&self, network: Option<&'a str>) -> Line<'a> {
        let is = |of: &Option<&str>| network.is_none() || *of == network;
        let mut flows: Vec<Flow> =
            self.flows.iter().filter(|(of, _)| is(of)).map(|(_, flow)| *flow).collect();
        flows.sort_unstable();
        flows.dedup_by(|next, kept| {
            let same = (next.hour, next.source) == (kept.hour, kept.source);
            kept.clicks += if same { next.clicks } else { 0 };
            same
        });
        let mut seen: Vec<Seen> = self.seen.iter().filter(|(of, _)| is(of)).map(|(_, seen)| *seen).collect();
        seen.sort_unstable();
        Line { network, flows, seen }
    }
}
