//! Who is in a mix: peer groups, the sources in them, and what is planted where.

use super::assumptions::{Assumptions, Program};
use super::fraud::Fraud;
use super::{Mix, Strength};
use crate::simulate::random::{Rng, exp, ln, mix};
use crate::simulate::world::{PLACES, Place};

/// Days before the export whose clicks are not exported, but whose later conversions are.
pub const DAYS_BEFORE: usize = 2;

const TRAFFIC_SOURCES: [&str; 5] = ["popmax", "pushly", "nativo", "clickbay", "adstream"];

/// Formats of the world mix with their effect on the conversion rate, on the logit scale.
const FORMATS: [(&str, f64); 3] = [("push", 0.0), ("pop", -0.3), ("native", 0.3)];

/// No source has more clicks than so many times the median.
const LARGEST: f64 = 60.0;

/// Clicks that fraud may add to one source.
const MOST_EXTRA: f64 = 150_000.0;

/// From so many sources on one of them is a single loyal customer.
const ENOUGH_FOR_A_CUSTOMER: usize = 20;

/// Sources of one ring that share networks.
const RING: usize = 4;

/// Honest sources that are peculiar, as shares: all visitors behind one carrier; an audience that lives at
/// night; postbacks in one batch an hour.
const CARRIER_ONLY: f64 = 0.005;
const NIGHT_SHIFT: f64 = 0.01;
const BATCHED: f64 = 0.03;

/// The rates of one peer group or of one source in it.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    pub cr: f64,
    pub approval: f64,
    pub first: f64,
    pub at_minimum: f64,
    pub second: f64,
    pub ctit_median_s: f64,
    pub ctit_sigma: f64,
}

/// An offer in a country.
pub struct Group {
    pub program: &'static Program,
    pub place: Place,
    pub rates: Rates,
    /// Hours by which the audience lives later.
    pub later_h: i64,
    /// The factor of each day on the conversion rate; zero on a day whose postbacks are lost.
    pub day_cr: Vec<f64>,
}

/// What is planted in a source.
#[derive(Clone, Debug)]
pub struct Plant {
    pub fraud: Fraud,
    /// Share of the clicks or conversions that the fraud touches.
    pub strength: f64,
    /// How much of the fraud's conversions come on top of the honest ones: 0 none, 1 all.
    pub lift: f64,
    /// The constant of a script, seconds.
    pub delay_s: i64,
    /// Clicks that the fraud adds.
    pub extra: u64,
    /// Seeds the addresses; the same in all sources of a ring.
    pub ring: u64,
}

/// One source.
pub struct Source {
    pub key: u64,
    pub traffic_source: &'static str,
    pub zone: u32,
    pub account: u32,
    pub format: &'static str,
    pub network: &'static str,
    /// Whether its advertiser sends all postbacks of an hour at once.
    pub batched: bool,
    /// The groups it is in, with its rates there; a fifth of the visitors go to the second.
    pub markets: Vec<(usize, Rates)>,
    /// Clicks without those that fraud adds.
    pub clicks: u64,
    /// Median of the visitors' mobile share, and whether they have one carrier only.
    pub mobile: f64,
    pub one_carrier: bool,
    pub desktop: f64,
    pub vpn: f64,
    pub double: f64,
    pub returning: f64,
    pub late: f64,
    pub glitch: f64,
    pub lost: f64,
    /// Hours by which its visitors live later than others of the group.
    pub later_h: i64,
    /// The factor of each day on the traffic.
    pub days: Vec<f64>,
    /// What a click costs, micro-units.
    pub cpc: f64,
    pub plant: Option<Plant>,
}

impl Source {
    /// Whether it is the loyal customer, whose only click converts.
    fn is_one_customer(&self) -> bool {
        self.clicks == 1 && self.markets[0].1.cr >= 1.0
    }
}

/// The groups and sources of a mix.
pub struct Population {
    pub groups: Vec<Group>,
    pub sources: Vec<Source>,
}

impl Population {
    /// Draws everybody in `settings`.
    pub fn new(settings: &Mix) -> Population {
        let assumed = settings.assumptions();
        let mut rng = Rng::new(mix(settings.seed) ^ mix(u64::from(settings.sources)));
        let groups = groups(assumed, settings.days as usize, &mut rng);
        let plants = plants(settings, &mut rng);
        let sources = plants.into_iter().enumerate();
        let sources = sources.map(|(rank, plant)| source(rank as u64, plant, &groups, settings, &mut rng));
        let mut population = Population { sources: sources.collect(), groups };
        population.one_very_small();
        population.scale(settings.clicks);
        population
    }

    /// The loyal customer who is a source of his own: one click, one conversion.
    fn one_very_small(&mut self) {
        if self.sources.len() < ENOUGH_FOR_A_CUSTOMER {
            return;
        }
        if let Some(vip) = self.sources.iter_mut().find(|s| s.plant.is_none()) {
            vip.clicks = 1;
            vip.lost = 0.0;
            vip.markets.truncate(1);
            vip.markets[0].1.cr = 1.0;
        }
    }

    /// Makes all clicks together about as many as asked for.
    fn scale(&mut self, clicks: Option<u64>) {
        let extra = |s: &Source| s.plant.as_ref().map_or(0, |p| p.extra);
        let planned: u64 = self.sources.iter().map(|s| s.clicks + extra(s)).sum();
        let Some(asked) = clicks else { return };
        let factor = asked as f64 / planned.max(1) as f64;
        let scaled = |n: u64| (n as f64 * factor).round() as u64;
        for source in self.sources.iter_mut().filter(|source| !source.is_one_customer()) {
            source.clicks = scaled(source.clicks).max(1);
            if let Some(plant) = &mut source.plant {
                plant.extra = scaled(plant.extra);
            }
        }
    }
}

/// `p` moved on the logit scale.
fn shifted(p: f64, by: f64) -> f64 {
    let odds = p / (1.0 - p) * exp(by);
    odds / (1.0 + odds)
}

fn groups(assumed: &Assumptions, days: usize, rng: &mut Rng) -> Vec<Group> {
    let places =
        assumed.programs.iter().flat_map(|p| p.places.into_iter().enumerate().map(move |at| (p, at)));
    let mut groups: Vec<Group> = places.map(|(program, at)| group(program, at, days, assumed, rng)).collect();
    if assumed.outage {
        let (lost, day) = (rng.below(assumed.programs.len() as u64) as usize, DAYS_BEFORE + days / 2);
        for group in &mut groups[2 * lost..2 * lost + 2] {
            group.day_cr[day] = 0.0;
        }
    }
    groups
}

fn group(
    program: &'static Program,
    (nth, place): (usize, Place),
    days: usize,
    assumed: &Assumptions,
    rng: &mut Rng,
) -> Group {
    let deposits = program.deposits;
    let mut moved = |p: f64| shifted(p, assumed.group_sd * rng.gauss());
    let rates = Rates {
        cr: moved(program.cr),
        approval: moved(program.approval),
        first: deposits.map_or(0.0, |d| moved(d.first)),
        at_minimum: deposits.map_or(0.0, |d| moved(d.at_minimum)),
        second: deposits.map_or(0.0, |d| moved(d.second)),
        ctit_median_s: program.ctit_median_s * exp(0.5 * assumed.group_sd * rng.gauss()),
        ctit_sigma: program.ctit_sigma,
    };
    let day_cr = (0..DAYS_BEFORE + days).map(|_| exp(assumed.day_cr_sd * rng.gauss())).collect();
    Group { program, place, rates, later_h: program.later_h * nth as i64, day_cr }
}

/// What is planted in each source: as many as the share says, each kind as often as the others.
fn plants(settings: &Mix, rng: &mut Rng) -> Vec<Option<Plant>> {
    let sources = settings.sources as usize;
    let planted = (settings.fraud_share * sources as f64).round() as usize;
    let kinds = settings.frauds();
    let mut all: Vec<Option<Plant>> = (0..sources)
        .map(|nth| {
            let fraud = *kinds.get(nth % kinds.len().max(1)).filter(|_| nth < planted)?;
            Some(plant(fraud, nth / (kinds.len() * RING), settings, rng))
        })
        .collect();
    for last in (1..sources).rev() {
        all.swap(last, rng.below(last as u64 + 1) as usize);
    }
    all
}

fn plant(fraud: Fraud, ring: usize, settings: &Mix, rng: &mut Rng) -> Plant {
    let strength = match settings.strength {
        Strength::Fixed(strength) => strength,
        Strength::Drawn => rng.uniform(0.1, 0.6),
    };
    Plant {
        fraud,
        strength,
        lift: rng.unit(),
        delay_s: rng.between(20, 300),
        extra: 0,
        ring: if fraud == Fraud::Coalition { mix(settings.seed ^ mix(ring as u64)) } else { rng.bits() },
    }
}

fn source(rank: u64, plant: Option<Plant>, groups: &[Group], settings: &Mix, rng: &mut Rng) -> Source {
    let assumed = settings.assumptions();
    let honest = plant.is_none();
    let (format, format_effect) = if assumed.untidy { *rng.pick(&FORMATS) } else { FORMATS[0] };
    let group = group_for(plant.as_ref(), groups, rng);
    let batched = honest && rng.happens(BATCHED);
    let mut source = Source {
        key: mix(settings.seed) ^ mix(rank),
        traffic_source: TRAFFIC_SOURCES[rng.below(5) as usize],
        // The step is prime and no divisor of the range: every rank has a zone ID of its own.
        zone: (1_000_000 + rank * 7_919 % 9_000_000) as u32,
        account: 100 + (rank as f64 * rng.uniform(0.6, 1.0)) as u32,
        format,
        network: if batched { "hourlyads" } else { groups[group].program.network },
        batched,
        markets: markets(group, format_effect, groups, assumed, rng),
        clicks: volume(assumed, rng),
        mobile: rng.uniform(0.2, 0.8),
        one_carrier: honest && rng.happens(CARRIER_ONLY),
        desktop: rng.uniform(0.1, 0.4),
        vpn: assumed.vpn * exp(0.5 * rng.gauss()),
        double: rng.uniform(0.03, 0.08),
        returning: rng.uniform(0.05, 0.15),
        late: rng.beta(2, 60),
        glitch: rng.beta(1, 200),
        lost: rng.uniform(assumed.lost.0, assumed.lost.1),
        later_h: if honest && rng.happens(NIGHT_SHIFT) { 9 } else { 0 },
        days: busy_days(settings.days as usize, assumed, rng),
        cpc: 0.0,
        plant,
    };
    if honest && rng.happens(assumed.vpn_crowds) {
        source.vpn = rng.uniform(0.3, 0.6);
    }
    source.cpc = click_price(&groups[group], rng);
    add_clicks(&mut source, rng);
    source
}

fn group_for(plant: Option<&Plant>, groups: &[Group], rng: &mut Rng) -> usize {
    let needs_deposits = plant.is_some_and(|p| p.fraud.needs_deposits());
    loop {
        let group = rng.below(groups.len() as u64) as usize;
        if !needs_deposits || groups[group].program.deposits.is_some() {
            return group;
        }
    }
}

/// The rates of a source: those of its groups, moved by the source's own deviates.
fn markets(
    first: usize,
    format_effect: f64,
    groups: &[Group],
    assumed: &Assumptions,
    rng: &mut Rng,
) -> Vec<(usize, Rates)> {
    let own: [f64; 7] = std::array::from_fn(|_| (assumed.law)(rng));
    let rates = |group: usize| {
        let of = &groups[group].rates;
        let moved = |p: f64, by: f64| if p > 0.0 { shifted(p, assumed.rate_sd * by) } else { 0.0 };
        Rates {
            cr: shifted(of.cr, assumed.cr_sd * own[0] + format_effect),
            approval: shifted(of.approval, (assumed.rate_sd + 0.05) * own[1]),
            first: moved(of.first, own[2]),
            at_minimum: moved(of.at_minimum, own[3]),
            second: moved(of.second, own[4]),
            ctit_median_s: of.ctit_median_s * exp(assumed.ctit_sd * own[5]),
            ctit_sigma: of.ctit_sigma * exp(assumed.ctit_shape_sd * own[6]),
        }
    };
    let mut markets = vec![(first, rates(first))];
    let second = rng.below(groups.len() as u64) as usize;
    if rng.happens(assumed.two_offers) && second != first {
        markets.push((second, rates(second)));
    }
    markets
}

fn volume(assumed: &Assumptions, rng: &mut Rng) -> u64 {
    let drawn = exp(ln(assumed.clicks_median) + assumed.clicks_sd * rng.gauss());
    drawn.clamp(1.0, LARGEST * assumed.clicks_median) as u64
}

/// Days are alike their neighbours: AR(1) with .6 on the logarithm.
fn busy_days(days: usize, assumed: &Assumptions, rng: &mut Rng) -> Vec<f64> {
    let mut level = assumed.day_sd * rng.gauss();
    let mut next = || {
        level = 0.6 * level + 0.8 * assumed.day_sd * rng.gauss();
        exp(level)
    };
    (0..DAYS_BEFORE + days).map(|_| next()).collect()
}

/// What is bid for a click: two thirds of what clicks of the group earn, more or less.
fn click_price(group: &Group, rng: &mut Rng) -> f64 {
    let (program, rates) = (group.program, &group.rates);
    let deposits = program.deposits.map_or(0.0, |d| rates.first * d.payout as f64);
    let earned = rates.cr * rates.approval * (program.lead_payout as f64 + deposits);
    (0.65 * earned * exp(0.25 * rng.gauss())).max(200.0)
}

/// The clicks that the planted fraud adds to the source's own.
fn add_clicks(source: &mut Source, rng: &mut Rng) {
    let Some(plant) = &mut source.plant else { return };
    let clicks = source.clicks as f64;
    let part = plant.strength / (1.0 - plant.strength) * clicks;
    let extra = match plant.fraud {
        Fraud::Flooding => clicks * rng.uniform(4.0, 24.0),
        Fraud::Bots | Fraud::Spend | Fraud::Paced | Fraud::Bursts | Fraud::UaRotation | Fraud::Coalition => {
            part
        }
        _ => 0.0,
    };
    plant.extra = extra.min(MOST_EXTRA) as u64;
}

/// A place that is not this one.
pub fn elsewhere(place: Place, rng: &mut Rng) -> Place {
    loop {
        let other = *rng.pick(PLACES);
        if other != place {
            return other;
        }
    }
}
