//! One signal of all strata beside their peers.

use super::compare::compare;
use super::fit::{self, Fit, Observation, fit};
use super::places::{Level, Places};
use super::profile::{direction, parallel};
use super::scan::{
    BUCKETS, LOG_SPIKE, Packed, Pool, SECOND_SPIKE, SECONDS, amount_bucket, histogram, log_bucket, scan,
    second_bucket,
};
use super::standing::{Direction, Middle, Sides, TooFew, Versus};
use crate::base::stats::{self, Counted};
use crate::measures::{GrainMeasures, M};
use crate::signals::{
    self, Against, CONFIDENCE, Context, Estimate, Family, Interval, Link, Reading, Side, Signal,
};
use std::collections::{BTreeMap, BTreeSet};

/// How many times the peers' odds or value make a difference that matters (statistics.md, 4.3 (iii)).
const LARGE: f64 = 1.5;

/// A comparison, or why there is none; boxed, since most strata have no value in most signals.
type Found = Result<Box<Versus>, TooFew>;

/// A signal beside its peers.
pub struct Contrast {
    pub signal: &'static Signal,
    /// By stratum: `None` where the signal has no value; empty if it has one nowhere.
    strata: Vec<Option<Found>>,
    /// The spread between honest strata below and above the location.
    pub spread: Option<(f64, f64)>,
    /// By offer, where some stratum has too few peers.
    usual: BTreeMap<u32, Middle>,
}

impl Contrast {
    fn new(signal: &'static Signal, mut strata: Vec<Option<Found>>, spread: Option<(f64, f64)>) -> Contrast {
        if strata.iter().all(Option::is_none) {
            strata = Vec::new();
        }
        Contrast { signal, strata, spread, usual: BTreeMap::new() }
    }

    /// The same with what is usual of each offer, if that is asked for.
    fn beside(self, usual: impl FnOnce() -> BTreeMap<u32, Middle>) -> Contrast {
        let lacking = self.strata.iter().flatten().any(|found| matches!(found, Err(TooFew::Peers)));
        if lacking { Contrast { usual: usual(), ..self } } else { self }
    }

    /// What the middle source of an offer has, where enough of them are known.
    pub fn usual(&self, offer: u32) -> Option<Middle> {
        self.usual.get(&offer).copied()
    }

    /// What was found of a stratum.
    pub fn of(&self, stratum: usize) -> Option<Result<&Versus, TooFew>> {
        let found = self.strata.get(stratum)?.as_ref()?;
        Some(found.as_deref().map_err(|why| *why))
    }

    /// Takes a comparison out: a large run has no room for two of each.
    pub fn take(&mut self, stratum: usize) -> Option<Versus> {
        self.strata.get_mut(stratum)?.take()?.ok().map(|versus| *versus)
    }
}

/// Compares all strata in every signal that is asked for.
pub fn contrasts(
    asked: &[&'static Signal],
    measures: &GrainMeasures,
    context: &Context,
    places: &Places,
    threads: usize,
) -> Vec<Contrast> {
    let work = Work { measures, context, places };
    parallel(threads, asked.len(), |at| work.contrast(asked[at]))
}

struct Work<'a> {
    measures: &'a GrainMeasures,
    context: &'a Context,
    places: &'a Places,
}

/// The estimates of one signal by stratum, where there is a value; an error where its sample is too small to be
/// asked about.
struct Estimates(Vec<Option<Result<Estimate, TooFew>>>);

impl Estimates {
    fn of(&self, stratum: usize) -> Option<Result<&Estimate, TooFew>> {
        self.0[stratum].as_ref().map(|estimate| estimate.as_ref().map_err(|why| *why))
    }
}

impl Work<'_> {
    fn contrast(&self, signal: &'static Signal) -> Contrast {
        match signal.against {
            Against::Rate | Against::Normal => self.fitted(signal),
            Against::Spikes(measure) => self.scanned(signal, measure),
            Against::Itself => self.alone(signal),
            Against::Nothing => Contrast::new(signal, Vec::new(), None),
        }
    }

    fn estimates(&self, signal: &'static Signal) -> Estimates {
        let least = least_sample(signal);
        let of = |at: usize| {
            let totals = &self.measures.strata[at].totals;
            match signal.read(&signals::Group { totals, context: self.context }) {
                Reading::Present(e) if e.n >= least => Some(Ok(e)),
                Reading::Present(_) => Some(Err(TooFew::Sample)),
                Reading::Absent(_) => None,
            }
        };
        Estimates((0..self.count()).map(of).collect())
    }

    /// How many strata there are.
    fn count(&self) -> usize {
        self.measures.strata.len()
    }

    fn fitted(&self, signal: &'static Signal) -> Contrast {
        let estimates = self.estimates(signal);
        let row = |at: usize| match estimates.of(at) {
            Some(Ok(e)) => Some(self.row(at, observation(e)?)),
            _ => None,
        };
        let rows: Vec<Option<fit::Row>> = (0..self.count()).map(row).collect();
        let usable: Vec<fit::Row> = rows.iter().flatten().copied().collect();
        let fit = fit(&usable, &self.places.tree, &settings(signal));
        let of = |at: usize| {
            let e = match estimates.of(at)? {
                Ok(e) => e,
                Err(why) => return Some(Err(why)),
            };
            let Some(row) = &rows[at] else { return Some(Err(TooFew::Sample)) };
            Some(self.versus(e, row, &fit).map(Box::new))
        };
        let strata = (0..self.count()).map(of).collect();
        let spread = Some((fit.tau_low, fit.tau_high));
        Contrast::new(signal, strata, spread).beside(|| self.usual(&estimates))
    }

    /// What the middle source of every offer has, whatever its format: too few for a test may still be enough to
    /// see that all of them are so.
    fn usual(&self, estimates: &Estimates) -> BTreeMap<u32, Middle> {
        let mut offers: BTreeMap<u32, (BTreeSet<u32>, Vec<f64>)> = BTreeMap::new();
        for (at, offer) in self.places.offers.iter().enumerate() {
            let (Some(offer), Some(Ok(e))) = (*offer, estimates.of(at)) else { continue };
            let (accounts, values) = offers.entry(offer).or_default();
            accounts.insert(self.places.accounts[at]);
            values.push(e.value());
        }
        let enough = offers.into_iter().filter(|(_, (accounts, _))| accounts.len() >= LEAST_USUAL);
        enough.map(|(offer, (_, values))| (offer, middle(values))).collect()
    }

    fn row(&self, stratum: usize, observation: Observation) -> fit::Row {
        fit::Row {
            leaf: self.places.leaves[stratum],
            observation,
            vote: self.places.votes[stratum],
            account: self.places.accounts[stratum],
            trusted: self.places.trusted[stratum],
        }
    }

    fn versus(&self, e: &Estimate, row: &fit::Row, fit: &Fit) -> Result<Versus, TooFew> {
        let found = compare(row, fit).map_err(|_| TooFew::Peers)?;
        let (high, low) = (found.tails.high, found.tails.low);
        if high.is_none() && low.is_none() {
            return Err(TooFew::Sample);
        }
        let side = direction(high, low);
        let effect = Effect::of(e, found.eta);
        Ok(Versus {
            expected: effect.expected,
            level: self.places.level(found.node),
            peers: found.peers,
            ratio: effect.ratio,
            ratio_limit: effect.limit(side),
            z: found.tails.z,
            direction: side,
            sides: Sides::new(high, low),
            q: 1.0,
            large: effect.is_large(side),
            decibans: 0.0,
        })
    }

    /// A p-value of a test inside the group.
    fn alone(&self, signal: &'static Signal) -> Contrast {
        let estimates = self.estimates(signal);
        let of = |at: usize| {
            let e = match estimates.of(at)? {
                Ok(e) => e,
                Err(why) => return Some(Err(why)),
            };
            let ln_p = e.value().max(f64::MIN_POSITIVE).ln().min(0.0);
            Some(Ok(Box::new(Versus {
                expected: 0.5,
                level: Level::ITSELF,
                peers: 0,
                ratio: 1.0,
                ratio_limit: 1.0,
                z: -stats::normal_score(ln_p).max(0.0),
                direction: Direction::Low,
                sides: Sides::new(None, Some(ln_p)),
                q: 1.0,
                large: true,
                decibans: 0.0,
            })))
        };
        Contrast::new(signal, (0..self.count()).map(of).collect(), None)
    }

    fn scanned(&self, signal: &'static Signal, measure: M) -> Contrast {
        let scale = Scale::of(signal, measure);
        let estimates = self.estimates(signal);
        let eligible = |at: usize| matches!(estimates.of(at), Some(Ok(_)));
        let packed = |at: usize| {
            let values = self.measures.strata[at].totals.values(measure);
            scale.histograms(&values).map(|histogram| Packed::of(&histogram))
        };
        let histograms: Vec<Option<[Packed; 2]>> =
            (0..self.count()).map(|at| eligible(at).then(|| packed(at))).collect();
        let pools = Pools::new(&histograms, self.places);
        let of = |at: usize| {
            let e = match estimates.of(at)? {
                Ok(e) => e,
                Err(why) => return Some(Err(why)),
            };
            let histograms = histograms[at].as_ref()?.each_ref().map(Packed::unpacked);
            Some(self.spike(at, e, &histograms, &pools).map(Box::new))
        };
        let strata = (0..self.count()).map(of).collect();
        Contrast::new(signal, strata, None).beside(|| self.usual(&estimates))
    }

    fn spike(
        &self,
        at: usize,
        e: &Estimate,
        histograms: &[Vec<u64>; 2],
        pools: &Pools,
    ) -> Result<Versus, TooFew> {
        let (node, peers) = pools.level(self.places, self.places.leaves[at]).ok_or(TooFew::Peers)?;
        let pool = &pools.by_node[node as usize].1;
        let scans = [(0, LOG_SPIKE), (1, SECOND_SPIKE)].map(|(which, shape)| {
            let histogram = &histograms[which];
            scan(histogram, &pool[which].without(histogram), shape, stats::beta_binomial_at_least)
        });
        let best = scans.iter().flatten().min_by(|a, b| a.ln_p.total_cmp(&b.ln_p)).ok_or(TooFew::Sample)?;
        // Times are looked at twice: in wide buckets, and below ten minutes by the second.
        let looks = histograms.iter().filter(|h| !h.is_empty()).count() as f64;
        let ln_p = (best.ln_p + looks.ln()).min(0.0);
        let ratio = best.spike.as_ref().map_or(1.0, |s| odds(s.share) / odds(s.expected_share));
        // The spike has a width of its own; on the signal's scale peers have what makes up the same ratio.
        let peers_odds = odds(e.value()) / ratio;
        Ok(Versus {
            expected: peers_odds / (1.0 + peers_odds),
            level: self.places.level(node),
            peers,
            ratio,
            ratio_limit: ratio,
            z: stats::normal_score(ln_p).max(0.0),
            direction: Direction::High,
            sides: Sides::new(Some(ln_p), None),
            q: 1.0,
            large: ratio >= LARGE,
            decibans: 0.0,
        })
    }
}

/// The sample from which peers are asked. What a rate's few events can say is part of its test; the other tests
/// need the sample of the signal.
fn least_sample(signal: &Signal) -> u64 {
    match (signal.against, signal.side) {
        (Against::Rate, Side::Conversion) => signal.min_sample.min(LEAST_EVENTS),
        (Against::Spikes(_), Side::Conversion) => signal.min_sample.min(LEAST_CURVE),
        _ => signal.min_sample,
    }
}

/// The least conversions of a rate, and of a curve, that peers are asked about (statistics.md, 2.2 for the curve).
const LEAST_EVENTS: u64 = 5;
const LEAST_CURVE: u64 = 8;

/// The least accounts that say what is usual of an offer: a source and three others, as in
/// [`fit::Settings::min_accounts`].
const LEAST_USUAL: usize = 4;

/// The middle of values, of which there are some.
fn middle(mut values: Vec<f64>) -> Middle {
    values.sort_by(f64::total_cmp);
    let last = values.len() - 1;
    Middle { lower: values[last / 2], upper: values[last.div_ceil(2)] }
}

/// The least sources whose curves together say where an offer's peaks are.
const LEAST_CURVES: u32 = 10;

/// Below this many seconds every whole second is a peak of its own, and how fast visitors are is for the short
/// share to say.
const LEAST_SECONDS: i64 = 10;

/// An estimate on the scale on which it is fitted.
fn observation(e: &Estimate) -> Option<Observation> {
    match e.interval {
        Interval::Share { x } => Some(Observation::Rate { x, n: e.n }),
        Interval::Normal { y, v, df, .. } => Some(Observation::Normal { y, v, df }),
        Interval::Exact(_) | Interval::Limits { .. } => None,
    }
}

fn settings(signal: &Signal) -> fit::Settings {
    match (signal.against, signal.family) {
        (Against::Normal, _) => fit::Settings::NORMALS,
        (_, Family::Rhythm) => fit::Settings { floor: 0.10, ..fit::Settings::RATES },
        _ => fit::Settings::RATES,
    }
}

/// By how much a value differs from its peers'.
struct Effect {
    expected: f64,
    ratio: f64,
    low: f64,
    high: f64,
}

impl Effect {
    fn of(e: &Estimate, eta: f64) -> Effect {
        let (low, high) = e.at(CONFIDENCE);
        match e.interval {
            Interval::Normal { link, y, v, .. } => {
                let half = stats::z(CONFIDENCE) * v.sqrt();
                let times = |d: f64| if link == Link::Identity { 1.0 + d } else { d.exp() };
                let from = |y: f64| times((y - eta).clamp(-700.0, 700.0));
                Effect { expected: link.back(eta), ratio: from(y), low: from(y - half), high: from(y + half) }
            }
            _ => {
                let usual = eta.clamp(-700.0, 700.0).exp();
                Effect {
                    expected: usual / (1.0 + usual),
                    ratio: odds(e.value()) / usual,
                    low: odds(low) / usual,
                    high: odds(high) / usual,
                }
            }
        }
    }

    /// The end of the interval that is nearer to the peers.
    fn limit(&self, side: Direction) -> f64 {
        match side {
            Direction::High => self.low,
            Direction::Low => self.high,
        }
    }

    fn is_large(&self, side: Direction) -> bool {
        match side {
            Direction::High => self.low >= LARGE,
            Direction::Low => self.high <= 1.0 / LARGE,
        }
    }
}

/// Odds of a share, within what a float can hold.
fn odds(share: f64) -> f64 {
    let p = share.clamp(1e-12, 1.0 - 1e-12);
    p / (1.0 - p)
}

/// How values of a histogram become buckets: coarse, and fine where a second counts.
enum Scale {
    Seconds,
    Amounts,
}

impl Scale {
    fn of(_signal: &Signal, measure: M) -> Scale {
        if measure == M::AmountValues { Scale::Amounts } else { Scale::Seconds }
    }

    fn histograms(&self, sample: &Counted) -> [Vec<u64>; 2] {
        match self {
            Scale::Seconds => {
                let slow = |v: &i64| *v >= LEAST_SECONDS;
                [
                    histogram(sample, BUCKETS, |v| {
                        Some(v).filter(|v| *v >= i64::from(SECONDS)).map(log_bucket)
                    }),
                    histogram(sample, SECONDS, |v| Some(v).filter(slow).and_then(second_bucket)),
                ]
            }
            Scale::Amounts => [histogram(sample, BUCKETS, |v| Some(amount_bucket(v))), Vec::new()],
        }
    }
}

/// The pooled histograms of every peer group.
struct Pools {
    /// Sources, and the pools of their coarse and their fine histograms.
    by_node: Vec<(u32, [Pool; 2])>,
}

impl Pools {
    fn new(histograms: &[Option<[Packed; 2]>], places: &Places) -> Pools {
        let mut by_node: Vec<(u32, [Pool; 2])> = vec![Default::default(); places.tree.len()];
        for (leaf, packed) in places.leaves.iter().zip(histograms) {
            let Some(packed) = packed else { continue };
            let histograms = packed.each_ref().map(Packed::unpacked);
            for node in places.tree.upwards(*leaf) {
                let (sources, pools) = &mut by_node[node as usize];
                if *sources == 0 {
                    *pools = histograms.each_ref().map(|histogram| Pool::new(histogram.len() as u16));
                }
                *sources += 1;
                pools.iter_mut().zip(&histograms).for_each(|(pool, histogram)| pool.add(histogram));
            }
        }
        Pools { by_node }
    }

    /// The narrowest group with enough peers, and how many it has. Where a curve peaks is the offer's own: where
    /// offers are known, those of others are no peers.
    fn level(&self, places: &Places, leaf: u32) -> Option<(u32, u32)> {
        places
            .tree
            .upwards(leaf)
            .filter(|node| places.tree.depth(*node) >= places.own_offer())
            .map(|node| (node, self.by_node[node as usize].0.saturating_sub(1)))
            .find(|(_, peers)| *peers >= LEAST_CURVES)
    }
}
