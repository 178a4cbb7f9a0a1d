//! A crowd of drawn sources, as large as asked for: volumes by Zipf, rates spread as between real sources.

use super::Traffic;
use super::random::{Rng, exp, mix};
use super::source::{Kind, Plant, Source};
use super::world::{CASINO, LOAN, Offer, PLACES};

const TRAFFIC_SOURCES: [&str; 5] = ["popmax", "pushly", "nativo", "clickbay", "adstream"];

/// Flattens the head of Zipf's law, so that the largest of 5,000 sources has about two percent of the clicks.
const ZIPF_SHIFT: u64 = 6;

/// Rows in the conversions file for 100 converting clicks, about: status updates and deposits are rows too.
const ROWS_PER_100_CONVERTERS: u64 = 177;

/// One source in so many is planted, if any are.
const PLANTED_EVERY: u64 = 40;

/// Spread between honest sources on the logit scale, or on the logarithm where there is no upper end.
const SPREAD: f64 = 0.3;

/// Draws the sources of `traffic`.
pub fn sources(traffic: &Traffic) -> Vec<Source> {
    let mut rng = Rng::new(traffic.seed ^ mix(u64::from(traffic.sources)));
    let mean_cr_ppm = traffic.conversions * 100_000_000 / (traffic.clicks * ROWS_PER_100_CONVERTERS).max(1);
    let shares = Shares::new(traffic.sources.into(), traffic.clicks);
    (0..u64::from(traffic.sources))
        .map(|rank| {
            let plant = traffic.fraud.then(|| planted(rank, &mut rng)).flatten();
            drawn(rank, shares.of(rank), mean_cr_ppm.clamp(1, 400_000), plant, &mut rng)
        })
        .collect()
}

fn planted(rank: u64, rng: &mut Rng) -> Option<Plant> {
    let (nth, place) = (rank / PLANTED_EVERY, rank % PLANTED_EVERY);
    let kind = Kind::ALL[nth as usize % Kind::ALL.len()];
    let strength = rng.between(20, 90) as u8;
    (place == PLANTED_EVERY / 2).then_some(Plant { kind, strength })
}

fn drawn(rank: u64, clicks: u64, mean_cr_ppm: u64, plant: Option<Plant>, rng: &mut Rng) -> Source {
    let offer: &'static Offer = if rng.chance(500_000) { &LOAN } else { &CASINO };
    let mut place = || PLACES[rng.below(PLACES.len() as u64) as usize];
    let places = [place(), place()];
    let (cr_ppm, approval_ppm) = (spread(mean_cr_ppm, rng), spread(770_000, rng));
    let earned = cr_ppm as i64 * per_converter(offer, approval_ppm as i64) / 1_000_000;
    Source {
        traffic_source: TRAFFIC_SOURCES[rng.below(5) as usize],
        // The step is prime and no divisor of the range: every rank has a zone ID of its own.
        zone: (1_000_000 + rank * 7_919 % 9_000_000) as u32,
        offer,
        places,
        clicks,
        cr_ppm,
        approval_ppm,
        ctit_median_s: (180.0 * exp(SPREAD * rng.normal())) as u32,
        cpc: (earned * 100 / rng.between(90, 170)).max(200),
        shared_addresses: if rng.chance(20_000) { 300 + (clicks / 6) as u32 } else { 0 },
        plant,
    }
}

/// `ppm` moved on the logit scale by a normal deviate.
fn spread(ppm: u64, rng: &mut Rng) -> u64 {
    let p = ppm as f64 / 1e6;
    let odds = p / (1.0 - p) * exp(SPREAD * rng.normal());
    ((odds / (1.0 + odds) * 1e6) as u64).max(1)
}

/// What one converting click earns on average, micro-units.
fn per_converter(offer: &Offer, approval_ppm: i64) -> i64 {
    let approved = |amount: i64| amount / 1_000 * approval_ppm / 1_000;
    let deposits =
        approved(approved(offer.first_deposit_payout)) / 1_000 * offer.first_deposit_ppm as i64 / 1_000;
    approved(offer.registration_payout) + deposits
}

/// Clicks by rank: together exactly as many as asked for.
struct Shares {
    /// Weight of all ranks before this one.
    before: Vec<u64>,
    clicks: u64,
}

impl Shares {
    fn new(sources: u64, clicks: u64) -> Shares {
        let weight = |rank: u64| 1_000_000_000 / (rank + ZIPF_SHIFT);
        let before = (0..=sources).scan(0, |sum, rank| {
            let here = *sum;
            *sum += weight(rank);
            Some(here)
        });
        Shares { before: before.collect(), clicks }
    }

    fn of(&self, rank: u64) -> u64 {
        let all = self.before[self.before.len() - 1].max(1);
        let upto =
            |rank: u64| u128::from(self.clicks) * u128::from(self.before[rank as usize]) / u128::from(all);
        (upto(rank + 1) - upto(rank)) as u64
    }
}
