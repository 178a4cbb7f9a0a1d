//! When visitors click, who they are, and whether they will convert.

use super::Mix;
use super::agent::Agents;
use super::assumptions::Flow;
use super::fraud::Fraud;
use super::population::{DAYS_BEFORE, Group, Plant, Population, Rates, Source, elsewhere};
use crate::simulate::random::{Rng, exp, ln, mix};
use crate::simulate::schedule::HOUR_S;
use crate::simulate::text::{ClickId, DAY_S};
use crate::simulate::world::Place;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};

/// Nobody fills in a form in less.
const FASTEST_CTIT_S: i64 = 8;

/// Visitors who click through the landing page without converting.
const CURIOUS: f64 = 0.24;

/// Earlier click IDs that a source which reuses them chooses from.
const REMEMBERED_IDS: usize = 40;

/// Clicks for one visitor who comes back.
const CLICKS_PER_RETURNING: u64 = 8;

/// One hour in so many has a burst.
const BURST_EVERY_H: u64 = 24;

/// Stuffed clicks for one that takes a conversion away.
const STUFFED_PER_CONVERSION: f64 = 10.0;

/// How a visitor is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    Fixed(u8),
    Carrier(u8),
    Hosting,
}

/// Who clicks.
#[derive(Clone, Copy, Debug)]
pub struct Visitor {
    pub ip: IpAddr,
    pub place: Place,
    pub agent: u16,
    pub line: Line,
}

/// A conversion to come.
#[derive(Clone, Copy, Debug)]
pub struct Fate {
    /// Seconds from the click.
    pub ctit: i64,
    /// Whether it is the planted fraud's.
    pub touched: bool,
}

/// A click as the tracker saw it.
#[derive(Clone, Debug)]
pub struct Click {
    pub id: ClickId,
    /// Seconds since 1970.
    pub time: i64,
    pub source: u32,
    /// Index into the source's markets.
    pub market: u8,
    pub visitor: Visitor,
    pub sub_source: u8,
    /// Seconds to the click through the landing page.
    pub lander: Option<i64>,
    /// Micro-units.
    pub cost: i64,
    pub fate: Option<Fate>,
    /// Whether it is the planted fraud's.
    pub touched: bool,
    /// Whether the tracker lost it.
    pub lost: bool,
    /// Draws of what follows from it.
    pub seed: u64,
}

/// Clicks to come of one kind, their hours' weight to come.
#[derive(Clone, Copy, Default)]
struct Left {
    clicks: u64,
    weight: f64,
}

/// What one source remembers.
struct Memory {
    rng: Rng,
    own: Left,
    extra: Left,
    latest: VecDeque<ClickId>,
    /// The next number of forged IDs.
    counter: u64,
}

impl Memory {
    fn remember(&mut self, id: ClickId) {
        self.latest.push_back(id);
        if self.latest.len() > REMEMBERED_IDS {
            self.latest.pop_front();
        }
    }
}

/// Makes the clicks of one hour after the other.
pub struct Visits<'a> {
    population: &'a Population,
    agents: &'a Agents,
    first: i64,
    end: i64,
    /// The first hour of the planted fraud.
    begins: i64,
    hour_sd: f64,
    untidy: bool,
    memories: Vec<Memory>,
    /// Clicks that belong to a later hour than the one that made them.
    later: Vec<Click>,
}

impl<'a> Visits<'a> {
    /// For the exported hours `first..end`, hour numbers since 1970.
    pub fn new(
        population: &'a Population,
        agents: &'a Agents,
        settings: &Mix,
        hours: std::ops::Range<i64>,
    ) -> Self {
        let assumed = settings.assumptions();
        let mut visits = Visits {
            population,
            agents,
            first: hours.start,
            end: hours.end,
            begins: settings.begins() / HOUR_S,
            hour_sd: assumed.hour_sd,
            untidy: assumed.untidy,
            memories: Vec::new(),
            later: Vec::new(),
        };
        visits.memories = population.sources.iter().map(|source| visits.memory(source)).collect();
        visits
    }

    fn memory(&self, source: &Source) -> Memory {
        let hours = || self.first..self.end;
        let own = hours().map(|hour| self.presence(source, hour)).sum();
        let mut rng = Rng::new(source.key ^ mix(1));
        Memory {
            own: Left { clicks: source.clicks, weight: own },
            extra: source.plant.as_ref().map_or(Left::default(), |plant| self.extra(source, plant)),
            latest: VecDeque::new(),
            counter: rng.below(1 << 30),
            rng,
        }
    }

    /// The clicks that a fraud adds from its beginning on, as many an hour as if it had always been there.
    fn extra(&self, source: &Source, plant: &Plant) -> Left {
        let of = |hours: std::ops::Range<i64>| -> f64 {
            hours.map(|hour| self.extra_presence(source, plant, hour)).sum()
        };
        let (all, weight) = (of(self.first..self.end), of(self.begins..self.end));
        let share = if all > 0.0 { weight / all } else { 0.0 };
        Left { clicks: (plant.extra as f64 * share).round() as u64, weight }
    }

    /// How busy the source's visitors are in this hour.
    fn presence(&self, source: &Source, hour: i64) -> f64 {
        let group = &self.population.groups[source.markets[0].0];
        let people = group.place.country().presence((hour - source.later_h - group.later_h).rem_euclid(24));
        let day = hour.div_euclid(24);
        let nth = (day - self.first.div_euclid(24) + DAYS_BEFORE as i64) as usize;
        let weekday = f64::from(group.program.weekdays[(day + 3).rem_euclid(7) as usize]);
        let noise = Rng::new(source.key ^ mix(hour as u64)).normal();
        people as f64 * weekday * source.days[nth] * exp(self.hour_sd * noise)
    }

    fn extra_presence(&self, source: &Source, plant: &Plant, hour: i64) -> f64 {
        let bursts =
            || mix(source.key ^ mix(!hour as u64)).is_multiple_of(BURST_EVERY_H) || hour == self.first + 12;
        match plant.fraud {
            Fraud::Bots => 1.0,
            Fraud::Bursts => f64::from(u8::from(bursts())),
            _ => self.presence(source, hour),
        }
    }

    /// The clicks of an hour before the exported days. Planted sources begin with the export.
    pub fn earlier_hour(&mut self, hour: i64) -> Vec<Click> {
        let mut clicks = Vec::new();
        for (index, source) in self.population.sources.iter().enumerate() {
            if source.plant.is_none() && source.clicks > 1 {
                let Left { clicks: left, weight } = self.memories[index].own;
                let share = (self.presence(source, hour) / weight).min(1.0);
                let count = self.memories[index].rng.binomial(left, share);
                self.own_clicks(hour, index, count, &mut clicks);
            }
        }
        self.later.retain(|click| click.time >= self.first * HOUR_S);
        clicks
    }

    /// The clicks of the next exported hour, in order of time.
    pub fn hour(&mut self, hour: i64) -> Vec<Click> {
        let (mut clicks, later): (Vec<Click>, Vec<Click>) =
            std::mem::take(&mut self.later).into_iter().partition(|c| c.time < (hour + 1) * HOUR_S);
        self.later = later;
        for (index, source) in self.population.sources.iter().enumerate() {
            let here = self.presence(source, hour);
            let count = due(&mut self.memories[index], here, hour + 1 == self.end, |m| &mut m.own);
            self.own_clicks(hour, index, count, &mut clicks);
            if let Some(plant) = source.plant.as_ref().filter(|p| p.extra > 0 && hour >= self.begins) {
                let here = self.extra_presence(source, plant, hour);
                let count = due(&mut self.memories[index], here, hour + 1 == self.end, |m| &mut m.extra);
                self.extra_clicks(hour, index, plant, count, &mut clicks);
            }
        }
        if hour >= self.begins {
            self.stuff(hour, &mut clicks);
        }
        clicks.sort_unstable_by_key(|c| (c.time, c.source, c.seed));
        clicks
    }

    fn own_clicks(&mut self, hour: i64, index: usize, count: u64, out: &mut Vec<Click>) {
        let source = &self.population.sources[index];
        for n in 0..count {
            let rng = &mut self.memories[index].rng;
            if n > 0 && rng.happens(source.double) {
                let first = out.last().expect("the first click of the hour is there").clone();
                let again = self.again(first, index);
                self.push(again, hour, out);
            } else {
                let time = rng.between(hour * HOUR_S, (hour + 1) * HOUR_S - 1);
                let click = self.own_click(time, index);
                out.push(click);
            }
        }
    }

    /// Adds a click to those of its hour, or keeps it for the hour that it belongs to.
    fn push(&mut self, click: Click, hour: i64, out: &mut Vec<Click>) {
        if click.time < (hour + 1) * HOUR_S { out.push(click) } else { self.later.push(click) }
    }

    /// The second click of an impatient visitor.
    fn again(&mut self, first: Click, index: usize) -> Click {
        let (id, touched) = self.identity(index, first.time);
        let rng = &mut self.memories[index].rng;
        let (time, seed) = (first.time + rng.between(1, 25), rng.bits());
        Click { id, time, touched, seed, fate: None, lander: None, ..first }
    }

    fn own_click(&mut self, time: i64, index: usize) -> Click {
        let (source, rng) = (&self.population.sources[index], &mut self.memories[index].rng);
        let seed = if rng.happens(source.returning) {
            mix(source.key ^ mix(rng.below(source.clicks / CLICKS_PER_RETURNING + 1) | 1 << 40))
        } else {
            rng.bits()
        };
        let market = u8::from(source.markets.len() > 1 && rng.happens(0.2));
        let (group, rates) = (
            &self.population.groups[source.markets[usize::from(market)].0],
            source.markets[usize::from(market)].1,
        );
        let visitor = self.visitor(source, group.place, &mut Rng::new(seed));
        let rng = &mut self.memories[index].rng;
        let day = (time.div_euclid(DAY_S) - self.first.div_euclid(24) + DAYS_BEFORE as i64) as usize;
        let progress = (time - self.begins * HOUR_S) as f64 / ((self.end - self.begins) * HOUR_S) as f64;
        let touch = Touch { plant: source.plant.as_ref(), progress, untidy: self.untidy };
        let converts = rng.happens(touch.lifted(rates.cr) * group.day_cr[day]);
        let fate = converts.then(|| touch.fate(source, group, &rates, &visitor, rng));
        self.click(time, index, market, visitor, fate, false)
    }

    /// A click with all that is drawn for it.
    fn click(
        &mut self,
        time: i64,
        index: usize,
        market: u8,
        visitor: Visitor,
        fate: Option<Fate>,
        touched: bool,
    ) -> Click {
        let (id, forged) = self.identity(index, time);
        let (source, rng) = (&self.population.sources[index], &mut self.memories[index].rng);
        let delay = 2 + rng.lognormal(14.0, 0.9).min(1_800);
        let lander = match fate {
            Some(fate) => Some(delay.min(fate.ctit / 2)),
            None => (!touched && rng.happens(CURIOUS)).then_some(delay),
        };
        Click {
            id,
            time,
            source: index as u32,
            market,
            visitor,
            sub_source: 1 + rng.below(8).min(rng.below(8)) as u8,
            lander,
            // The auction moves the price of a click by up to a fifth.
            cost: (source.cpc * rng.uniform(0.8, 1.2)) as i64,
            fate,
            touched: touched || forged,
            lost: rng.happens(source.lost),
            seed: rng.bits(),
        }
    }

    /// The ID of the next click, and whether a fraud made it up or used it before.
    fn identity(&mut self, index: usize, at: i64) -> (ClickId, bool) {
        let (source, memory) = (&self.population.sources[index], &mut self.memories[index]);
        let fresh = ClickId::fresh(&mut memory.rng);
        let Some(plant) = &source.plant else { return (fresh, false) };
        let forges = matches!(plant.fraud, Fraud::SequentialIds | Fraud::ReusedIds);
        if at < self.begins * HOUR_S || !forges || !memory.rng.happens(plant.strength) {
            memory.remember(fresh);
            return (fresh, false);
        }
        if plant.fraud == Fraud::SequentialIds {
            memory.counter += memory.rng.below(3) + 1;
            return (ClickId::counted(plant.ring, memory.counter), true);
        }
        let known = memory.latest.len() as u64;
        match memory.latest.get(memory.rng.below(known) as usize) {
            Some(&id) => (id, true),
            None => (fresh, false),
        }
    }

    fn visitor(&self, source: &Source, home: Place, rng: &mut Rng) -> Visitor {
        let place = if rng.happens(0.02) { elsewhere(home, rng) } else { home };
        let agent = self.agents.some(rng.happens(source.desktop), rng);
        if rng.happens(source.vpn) {
            let network = 2_000 + rng.below(30);
            return Visitor { ip: hosting(network, rng.below(24)), place, agent, line: Line::Hosting };
        }
        if source.one_carrier || rng.happens(source.mobile) {
            let carrier = if source.one_carrier { 0 } else { rng.below(3).min(rng.below(3)) as u8 };
            let ip = place.country().carrier_address(carrier, rng);
            return Visitor { ip, place, agent, line: Line::Carrier(carrier) };
        }
        Visitor { ip: place.country().address(rng), place, agent, line: Line::Fixed(rng.below(3) as u8) }
    }

    /// The clicks that a fraud adds.
    fn extra_clicks(&mut self, hour: i64, index: usize, plant: &Plant, count: u64, out: &mut Vec<Click>) {
        let source = &self.population.sources[index];
        let (group, rates) = (&self.population.groups[source.markets[0].0], source.markets[0].1);
        let start = hour * HOUR_S;
        let burst = start + self.memories[index].rng.between(0, HOUR_S - 300);
        for n in 0..count {
            let rng = &mut self.memories[index].rng;
            let time = match plant.fraud {
                Fraud::Paced => {
                    start
                        + ((n as f64 + 0.5 + rng.uniform(-0.05, 0.05)) * HOUR_S as f64 / count as f64) as i64
                }
                Fraud::Bursts => burst + rng.between(0, 299),
                _ => rng.between(start, start + HOUR_S - 1),
            };
            let mut draws = Rng::new(rng.bits());
            let visitor = self.made_up(source, plant, group, &mut draws);
            let converts = plant.fraud == Fraud::Coalition && draws.happens(rates.cr);
            let fate = converts
                .then(|| Fate { touched: true, ..honest_fate(source, group, &rates, &visitor, &mut draws) });
            let click = self.click(time, index, 0, visitor, fate, true);
            out.push(click);
        }
    }

    /// Who sends the clicks that a fraud adds.
    fn made_up(&self, source: &Source, plant: &Plant, group: &Group, rng: &mut Rng) -> Visitor {
        let person = self.visitor(source, group.place, rng);
        let networks = if self.untidy { 10 } else { 3 };
        match plant.fraud {
            Fraud::Bots => {
                let ip = hosting(plant.ring ^ rng.below(networks), rng.below(200));
                let agent = self.agents.some(false, &mut Rng::new(plant.ring ^ rng.below(3)));
                Visitor { ip, agent, line: Line::Hosting, place: group.place }
            }
            Fraud::UaRotation => {
                let ip = hosting(plant.ring ^ rng.below(4), rng.below(5));
                Visitor { ip, agent: self.agents.any(rng), line: Line::Hosting, place: group.place }
            }
            Fraud::Coalition => {
                let ip = hosting(plant.ring ^ rng.below(6), rng.below(250));
                Visitor { ip, line: Line::Fixed(0), place: group.place, ..person }
            }
            _ => person,
        }
    }

    /// Clicks seconds after other sources' clicks of the same visitors; some take the conversion away.
    fn stuff(&mut self, hour: i64, clicks: &mut Vec<Click>) {
        for (index, source) in self.population.sources.iter().enumerate() {
            let Some(plant) = source.plant.as_ref().filter(|p| p.fraud == Fraud::Stuffing) else { continue };
            let (group, rates) = source.markets[0];
            let own = clicks.iter().filter(|c| c.source == index as u32).count() as f64;
            let stolen = own * rates.cr * plant.strength / (1.0 - plant.strength);
            self.stuff_one(hour, index, group, stolen, clicks);
        }
    }

    fn stuff_one(&mut self, hour: i64, index: usize, group: usize, stolen: f64, clicks: &mut Vec<Click>) {
        let sources = &self.population.sources;
        let fits = |c: &Click| {
            let victim = &sources[c.source as usize];
            victim.plant.is_none()
                && victim.markets[usize::from(c.market)].0 == group
                && c.visitor.line != Line::Hosting
        };
        let victims: Vec<usize> = (0..clicks.len()).filter(|&at| fits(&clicks[at])).collect();
        if victims.is_empty() {
            return;
        }
        let rng = &mut self.memories[index].rng;
        let (mut steals, mut looks) = (whole(stolen, rng), whole(STUFFED_PER_CONVERSION * stolen, rng));
        // One click in twenty converts, about; where the victims have too few conversions, fewer are stolen.
        for _ in 0..100 * (steals + looks) {
            let rng = &mut self.memories[index].rng;
            let victim = *rng.pick(&victims);
            let delay = rng.between(1, 5);
            let converts = clicks[victim].fate.filter(|fate| steals > 0 && fate.ctit > 20);
            match converts {
                Some(_) => (steals, clicks[victim].fate) = (steals - 1, None),
                None if looks > 0 => looks -= 1,
                None => continue,
            }
            let (visitor, time) = (clicks[victim].visitor, clicks[victim].time + delay);
            let fate = converts.map(|fate| Fate { ctit: fate.ctit - delay, touched: true });
            let click = self.click(time, index, 0, visitor, fate, true);
            self.push(click, hour, clicks);
        }
    }
}

/// How many of the clicks to come fall into an hour with this weight.
fn due(memory: &mut Memory, here: f64, last: bool, of: fn(&mut Memory) -> &mut Left) -> u64 {
    let Left { clicks, weight } = *of(memory);
    let count = if last { clicks } else { memory.rng.binomial(clicks, (here / weight).clamp(0.0, 1.0)) };
    *of(memory) = Left { clicks: clicks - count, weight: weight - here };
    count
}

/// `x` rounded up or down, so that it is right on average.
fn whole(x: f64, rng: &mut Rng) -> u64 {
    x as u64 + u64::from(rng.happens(x - x.floor()))
}

/// An address in a made-up data centre: the network's number says which /24.
fn hosting(network: u64, host: u64) -> IpAddr {
    let spread = mix(network) % (1 << 14);
    Ipv4Addr::from(0x2d_40_00_00 | (spread as u32) << 8 | (host as u32 + 2)).into()
}

/// What the planted fraud does to a click's conversion.
struct Touch<'a> {
    plant: Option<&'a Plant>,
    /// How much of the fraud's time is over; negative before it begins.
    progress: f64,
    untidy: bool,
}

impl Touch<'_> {
    fn share(&self, plant: &Plant) -> f64 {
        match plant.fraud {
            _ if self.progress < 0.0 => 0.0,
            Fraud::Ramp => plant.strength * self.progress.min(1.0),
            _ => plant.strength,
        }
    }

    /// The conversion rate with what the fraud adds to it.
    fn lifted(&self, cr: f64) -> f64 {
        use Fraud::{Flooding, Injection, Ramp, Rejected, Scripted};
        let adds = |p: &&Plant| matches!(p.fraud, Injection | Flooding | Scripted | Ramp | Rejected);
        self.plant.filter(adds).map_or(cr, |p| cr / (1.0 - p.lift * self.share(p)))
    }

    fn fate(&self, source: &Source, group: &Group, rates: &Rates, visitor: &Visitor, rng: &mut Rng) -> Fate {
        if let Some(plant) = self.plant
            && let Some(ctit) = self.ctit(plant, rng)
        {
            return Fate { ctit, touched: true };
        }
        honest_fate(source, group, rates, visitor, rng)
    }

    fn ctit(&self, plant: &Plant, rng: &mut Rng) -> Option<i64> {
        let touched = rng.happens(self.share(plant));
        let ctit = match plant.fraud {
            Fraud::Injection | Fraud::Ramp if self.untidy => 1 + rng.lognormal(4.0, 0.6).min(14),
            Fraud::Injection | Fraud::Ramp => rng.between(1, 8),
            Fraud::Scripted if self.untidy => (plant.delay_s + (3.0 * rng.gauss()) as i64).max(1),
            Fraud::Scripted => plant.delay_s + rng.between(-2, 2),
            Fraud::Flooding if self.untidy => 600 + (40.0 * 3_600.0 * rng.exponential()) as i64,
            Fraud::Flooding => rng.between(60, 7 * DAY_S),
            _ => return None,
        };
        touched.then_some(ctit)
    }
}

fn honest_fate(source: &Source, group: &Group, rates: &Rates, visitor: &Visitor, rng: &mut Rng) -> Fate {
    let taps = match group.program.flow {
        Flow::Form => false,
        Flow::OneTap => true,
        Flow::TapOnCarrier => visitor.line == Line::Carrier(0),
    };
    let ctit = if taps && !rng.happens(0.1) {
        rng.between(2, 6)
    } else if rng.happens(source.glitch) {
        rng.between(1, 10)
    } else if rng.happens(source.late) {
        rng.between(DAY_S, 4 * DAY_S)
    } else {
        FASTEST_CTIT_S + exp(ln(rates.ctit_median_s) + rates.ctit_sigma * rng.gauss()) as i64
    };
    Fate { ctit, touched: false }
}
