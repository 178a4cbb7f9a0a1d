//! Searches of a histogram for a spike.
//!
//! Whole shapes of honest sources differ, so a test of the whole shape accuses them. A spike is narrower than
//! any honest difference: it is compared with its own neighbourhood only (statistics.md, 2.2). Tails come as
//! functions, so that one search serves several distributions.

use crate::base::stats::Counted;

/// Log buckets of a histogram.
pub const BUCKETS: u16 = 128;

/// The end of the log buckets for times: 7 days.
const LONGEST_S: f64 = 604_800.0;

/// The buckets of one second: times below 10 minutes.
pub const SECONDS: u16 = 600;

/// The log buckets for amounts go from one cent to 100,000 units, in micro-units.
const LEAST_MICRO: f64 = 1e4;
const LARGEST_MICRO: f64 = 1e11;

/// The log bucket of a time in seconds, each 11 % wide: 0 for up to a second, 127 for a week and more.
pub fn log_bucket(seconds: i64) -> u16 {
    in_logs(seconds as f64, 1.0, LONGEST_S)
}

/// The one-second bucket of a time below 10 minutes; `None` outside.
pub fn second_bucket(seconds: i64) -> Option<u16> {
    u16::try_from(seconds).ok().filter(|s| *s < SECONDS)
}

/// The log bucket of an amount in micro-units, each 13 % wide: 0 for up to a cent, 127 for 100,000 and more.
pub fn amount_bucket(micro: i64) -> u16 {
    in_logs(micro as f64, LEAST_MICRO, LARGEST_MICRO)
}

fn in_logs(value: f64, least: f64, largest: f64) -> u16 {
    let at = (value.max(least) / least).ln() / (largest / least).ln();
    ((at * f64::from(BUCKETS)) as u16).min(BUCKETS - 1)
}

/// The histogram of a sample over `buckets` buckets; what has no bucket is left out.
pub fn histogram(sample: &Counted, buckets: u16, bucket: impl Fn(i64) -> Option<u16>) -> Vec<u64> {
    let mut counts = vec![0; usize::from(buckets)];
    for &(value, count) in sample {
        if let Some(at) = bucket(value) {
            counts[usize::from(at)] += count;
        }
    }
    counts
}

/// A histogram without its empty buckets: of a large run all are held at once.
pub struct Packed {
    buckets: u16,
    counts: Box<[(u16, u64)]>,
}

impl Packed {
    /// Of a histogram over at most 65,535 buckets.
    pub fn of(histogram: &[u64]) -> Packed {
        let counts = (0..).zip(histogram.iter().copied()).filter(|(_, count)| *count > 0).collect();
        Packed { buckets: histogram.len() as u16, counts }
    }

    /// The histogram.
    pub fn unpacked(&self) -> Vec<u64> {
        let mut histogram = vec![0; usize::from(self.buckets)];
        self.counts.iter().for_each(|(at, count)| histogram[usize::from(*at)] = *count);
        histogram
    }
}

/// A source's vote counts fully up to so many events; a larger one is scaled down to it, so that nobody alone
/// says what is normal.
const VOTE: u64 = 200;

/// Votes are kept in whole parts of this, so that their sum does not depend on the order.
const PARTS: u64 = 1 << 20;

/// The histogram of all peers, each with its events or 200 of them: nobody rules the pool.
#[derive(Clone, Debug, Default)]
pub struct Pool(Vec<u64>);

impl Pool {
    /// The empty pool over so many buckets.
    pub fn new(buckets: u16) -> Pool {
        Pool(vec![0; usize::from(buckets)])
    }

    /// Adds a source; its events weigh min(1, 200 / their number).
    pub fn add(&mut self, histogram: &[u64]) {
        let sum: u64 = histogram.iter().sum();
        for (all, own) in self.0.iter_mut().zip(histogram) {
            *all += vote(*own, sum);
        }
    }

    /// The weighted counts of all sources but one, which was added before. Every source is left out of its own
    /// peers, not only one with more than 5 % of the pool: it costs nothing, and a spike never hides itself.
    pub fn without(&self, histogram: &[u64]) -> Vec<f64> {
        let sum: u64 = histogram.iter().sum();
        let left = |(all, own): (&u64, &u64)| all.saturating_sub(vote(*own, sum)) as f64 / PARTS as f64;
        self.0.iter().zip(histogram).map(left).collect()
    }
}

/// The weighted vote of a bucket in parts, for a source with `sum` events.
fn vote(count: u64, sum: u64) -> u64 {
    let parts = u128::from(count) * u128::from(PARTS) * u128::from(VOTE.min(sum)) / u128::from(sum.max(1));
    parts as u64
}

/// How wide a spike is and with how much of its neighbourhood it is compared, in buckets on each side.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Buckets on each side of the middle that belong to the spike.
    pub spike: usize,
    /// Buckets on each side of the middle that make its neighbourhood.
    pub window: usize,
    /// Buckets from one middle to the next: every look has its price.
    pub step: usize,
}

/// One log bucket among 13.
pub const LOG_SPIKE: Shape = Shape { spike: 0, window: 6, step: 1 };

/// A constant delay of ±2 s among 31 buckets of a second.
pub const SECOND_SPIKE: Shape = Shape { spike: 2, window: 15, step: 2 };

/// Fewer events are not scanned; absence depends on nothing but their number.
const LEAST_EVENTS: u64 = 8;

/// Fewer events are no spike.
const LEAST_SPIKE: u64 = 4;

/// The peers' slope inside a window may differ by this from the source's without being a spike.
const SLOPE: f64 = 0.15;

/// Added to every bucket of the peers: what none of them has is not impossible.
const SMOOTHING: f64 = 0.05;

/// A probability below this is taken for it: ln p = −690.8.
const LEAST_P: f64 = 1e-300;

/// What a search for a spike found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scanned {
    /// ln p, corrected for the number of looks.
    pub ln_p: f64,
    /// The best spike; `None` where nothing stands out at all, and ln p is 0.
    pub spike: Option<Spike>,
}

/// Buckets that hold more than their neighbourhood lets expect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spike {
    /// The first and the last bucket.
    pub buckets: (u16, u16),
    /// The share of the source's events in these.
    pub share: f64,
    /// The share expected there, from the source's own neighbourhood and the peers' shape of it.
    pub expected_share: f64,
}

/// Scans a source's histogram for a spike that its peers do not have there (local spike scan, statistics.md,
/// 2.2). `None` below 8 events.
///
/// `peers` has the peers' weighted counts in the same buckets, the source left out. `at_least(k, n, a, b)` is
/// the probability of at least k of n under a beta-binomial. Besides the slope tolerance of the notes its
/// spread has the sampling error of the pool itself, 1 / (events in the window + 1): a thin pool must not make
/// a spike of what it happened not to have.
pub fn scan(
    own: &[u64],
    peers: &[f64],
    shape: Shape,
    at_least: impl Fn(u64, u64, f64, f64) -> f64,
) -> Option<Scanned> {
    let smoothed = peers.iter().map(|p| p + SMOOTHING);
    let (own, peers) = (running(own.iter().map(|c| *c as f64)), running(smoothed));
    let last = own.len() - 1;
    let all = own[last];
    if all < LEAST_EVENTS as f64 {
        return None;
    }
    let parts = (0..last).step_by(shape.step).filter_map(|at| Part::around(at, shape, &own, &peers));
    let looks: Vec<Searched> = parts.map(|part| Searched::of(part, &at_least)).collect();
    let best = looks.iter().reduce(|a, b| if b.ln_p < a.ln_p { b } else { a });
    // Only looks that could have found something as unlikely have a price (Tarone 1990): the neighbourhoods of the
    // others hold too few events.
    let able = |ln_p: f64| looks.iter().filter(|l| l.ln_least <= ln_p).count().max(1) as f64;
    let found = best.map(|look| (look.ln_p + able(look.ln_p).ln(), look)).filter(|(ln_p, _)| *ln_p < 0.0);
    Some(found.map_or(Scanned { ln_p: 0.0, spike: None }, |(ln_p, look)| Scanned {
        ln_p,
        spike: Some(look.part.spike(all)),
    }))
}

/// A look at one possible spike.
struct Searched {
    ln_p: f64,
    /// ln p of the least that this look could have found.
    ln_least: f64,
    part: Part,
}

impl Searched {
    fn of(part: Part, at_least: &impl Fn(u64, u64, f64, f64) -> f64) -> Searched {
        let trials = part.trials as u64;
        let ln_p = |hits: u64| at_least(hits, trials, part.alpha(), part.beta()).max(LEAST_P).ln();
        let found = if part.is_spike() { ln_p(part.hits as u64) } else { 0.0 };
        let ln_least = if trials >= LEAST_SPIKE { ln_p(trials) } else { 0.0 };
        Searched { ln_p: found, ln_least, part }
    }
}

/// Sums up to each bucket, with a 0 in front.
fn running(counts: impl Iterator<Item = f64>) -> Vec<f64> {
    std::iter::once(0.0)
        .chain(counts.scan(0.0, |sum, c| {
            *sum += c;
            Some(*sum)
        }))
        .collect()
}

/// A possible spike and its neighbourhood.
struct Part {
    first: usize,
    last: usize,
    hits: f64,
    trials: f64,
    expected: f64,
    spread: f64,
}

impl Part {
    /// The spike around bucket `at`, if it has a neighbourhood.
    fn around(at: usize, shape: Shape, own: &[f64], peers: &[f64]) -> Option<Part> {
        let buckets = own.len() - 1;
        let range = |half: usize| (at.saturating_sub(half), (at + half).min(buckets - 1));
        let within = |sums: &[f64], (first, last): (usize, usize)| sums[last + 1] - sums[first];
        let (spike, window) = (range(shape.spike), range(shape.window));
        let (hits, trials) = (within(own, spike), within(own, window));
        let pool = within(peers, window);
        let expected = (within(peers, spike) / pool).min(0.95);
        if spike == window {
            return None;
        }
        let slope = SLOPE * SLOPE * expected / (1.0 - expected);
        let spread = slope + 1.0 / (pool + 1.0);
        Some(Part { first: spike.0, last: spike.1, hits, trials, expected, spread: spread.min(0.99) })
    }

    /// Whether there are enough events, and more than expected.
    fn is_spike(&self) -> bool {
        self.hits >= LEAST_SPIKE as f64 && self.hits > self.trials * self.expected
    }

    fn alpha(&self) -> f64 {
        self.expected * (1.0 - self.spread) / self.spread
    }

    fn beta(&self) -> f64 {
        (1.0 - self.expected) * (1.0 - self.spread) / self.spread
    }

    fn spike(&self, all: f64) -> Spike {
        Spike {
            buckets: (self.first as u16, self.last as u16),
            share: self.hits / all,
            expected_share: self.trials * self.expected / all,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::anomaly::Draws;

    #[test]
    fn what_is_packed_comes_out_again() {
        for histogram in [vec![], vec![0, 0], vec![3, 0, 0, 7], vec![1; usize::from(SECONDS)]] {
            assert_eq!(Packed::of(&histogram).unpacked(), histogram);
        }
    }

    /// P(at least k of n), beta-binomial, by the ratios of its terms from 0 on in logarithms.
    fn beta_binomial(k: u64, n: u64, a: f64, b: f64) -> f64 {
        let mut ln_term: f64 = (0..n).map(|j| ((b + j as f64) / (a + b + j as f64)).ln()).sum();
        let mut tail = 0.0;
        for j in 0..=n {
            if j >= k {
                tail += ln_term.exp();
            }
            let (j, n) = (j as f64, n as f64);
            ln_term += ((n - j) * (a + j) / ((j + 1.0) * (n - j - 1.0 + b))).ln();
        }
        tail.min(1.0)
    }

    /// ln P(at least k), Poisson, by its series.
    fn ln_poisson(k: u64, mean: f64) -> f64 {
        let ln_factorial: f64 = (1..=k).map(|j| (j as f64).ln()).sum();
        let terms = (1..2000).scan(1.0, |term, j| {
            *term *= mean / (k + j) as f64;
            Some(*term)
        });
        (k as f64 * mean.ln() - mean - ln_factorial + (1.0 + terms.sum::<f64>()).ln()).min(0.0)
    }

    #[test]
    fn tails_golden() {
        assert!((beta_binomial(12, 100, 1.5, 48.5) - 0.017_018_818_7).abs() < 1e-9);
        assert!((ln_poisson(9, 2.5).exp() - 0.001_140_2).abs() < 1e-6, "{}", ln_poisson(9, 2.5).exp());
    }

    #[test]
    fn buckets_cover_everything() {
        assert_eq!(
            [i64::MIN, -1, 0, 1, 2, 604_799, 604_800, i64::MAX].map(log_bucket),
            [0, 0, 0, 0, 6, 127, 127, 127]
        );
        assert_eq!([-1, 0, 599, 600, i64::MAX].map(second_bucket), [None, Some(0), Some(599), None, None]);
        assert_eq!([-5, 0, 10_000, 100_000_000_000, i64::MAX].map(amount_bucket), [0, 0, 0, 127, 127]);
        assert!((1..700_000).map(log_bucket).is_sorted());
        assert_eq!(histogram(&[(1, 2), (300, 5), (301, 1)], BUCKETS, |s| Some(log_bucket(s)))[54], 6);
    }

    /// Delays of a source: seconds after a log-normal law of this median, and some constant ones.
    fn delays(draws: &mut Draws, n: usize, median: f64, constant: usize) -> Vec<(i64, u64)> {
        let person = |draws: &mut Draws| (8.0 + median * (1.5 * draws.normal()).exp()) as i64;
        let script = |draws: &mut Draws| 298 + draws.below(5) as i64;
        (0..n).map(|i| (if i < constant { script(draws) } else { person(draws) }, 1)).collect()
    }

    fn logs(sample: &Counted) -> Vec<u64> {
        histogram(sample, BUCKETS, |s| Some(log_bucket(s)))
    }

    fn seconds(sample: &Counted) -> Vec<u64> {
        histogram(sample, SECONDS, second_bucket)
    }

    /// Scans 120 sources, of which the first ten have 30 % constant delays; both shapes, ln p by source.
    fn scanned(constant_share: f64) -> Vec<(f64, f64)> {
        let mut draws = Draws::new(17);
        let samples: Vec<Vec<(i64, u64)>> = (0..120)
            .map(|i| {
                let (n, median) = (20 + 20 * (i % 10), 180.0 * (0.35 * draws.normal()).exp());
                let constant = if i < 10 { (n as f64 * constant_share) as usize } else { 0 };
                delays(&mut draws, n, median, constant)
            })
            .collect();
        let (mut by_log, mut by_second) = (Pool::new(BUCKETS), Pool::new(SECONDS));
        for sample in &samples {
            by_log.add(&logs(sample));
            by_second.add(&seconds(sample));
        }
        let ln_p = |own: Vec<u64>, pool: &Pool, shape| {
            scan(&own, &pool.without(&own), shape, beta_binomial).map_or(0.0, |s| s.ln_p)
        };
        samples
            .iter()
            .map(|s| (ln_p(logs(s), &by_log, LOG_SPIKE), ln_p(seconds(s), &by_second, SECOND_SPIKE)))
            .collect()
    }

    #[test]
    fn a_scripted_delay_is_found_and_an_honest_shape_is_not() {
        let found = scanned(0.3);
        let hits = found[..10].iter().filter(|(log, second)| log.min(*second) < -7.0).count();
        assert!(hits >= 8, "{:?}", &found[..10]);
        let least = found[10..].iter().map(|(log, second)| log.min(*second)).fold(0.0, f64::min);
        assert!(least > -6.0, "{least}");
    }

    #[test]
    fn honest_sources_keep_the_level() {
        let small = scanned(0.0).iter().filter(|(log, second)| log.min(*second) < 0.05f64.ln()).count();
        assert!(small <= 6, "{small} of 120");
    }

    #[test]
    fn the_spike_is_where_it_was_put() {
        let mut draws = Draws::new(2);
        let (mut pool, own) = (Pool::new(SECONDS), seconds(&delays(&mut draws, 100, 180.0, 40)));
        for _ in 0..60 {
            pool.add(&seconds(&delays(&mut draws, 300, 180.0, 0)));
        }
        pool.add(&own);
        let spike =
            scan(&own, &pool.without(&own), SECOND_SPIKE, beta_binomial).expect("enough").spike.expect("one");
        assert_eq!(spike.buckets, (298, 302));
        assert!(spike.share > 0.4 && spike.expected_share < 0.15, "{spike:?}");
    }

    #[test]
    fn no_events_no_peers_and_one_bucket_are_defined() {
        let scan = |own: &[u64], peers: &[f64]| scan(own, peers, LOG_SPIKE, beta_binomial);
        assert_eq!(scan(&[], &[]), None);
        assert_eq!(scan(&[3, 4], &[1.0, 1.0]), None);
        assert_eq!(scan(&[9], &[0.0]), Some(Scanned { ln_p: 0.0, spike: None }));
        let alone = scan(&[0, 50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[0.0; 12]).expect("enough");
        assert!(alone.ln_p > -3.0, "without peers there is no evidence: {alone:?}");
        let sure = scan(&[0, 5000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[1e6; 12]).expect("enough");
        assert!(sure.ln_p < -300.0 && sure.ln_p.is_finite(), "{sure:?}");
    }

    #[test]
    fn a_vote_is_bounded_and_the_pool_forgets_its_order() {
        let (small, large) = (vec![10, 20], vec![3_000_000_000, 1_000_000_000]);
        let (mut one, mut other) = (Pool::new(2), Pool::new(2));
        one.add(&small);
        one.add(&large);
        other.add(&large);
        other.add(&small);
        assert_eq!(one.0, other.0);
        assert_eq!(one.without(&small), [150.0, 50.0]);
        assert_eq!(one.without(&large), [10.0, 20.0]);
        assert_eq!(Pool::new(2).without(&small), [0.0, 0.0]);
        one.add(&[0, 0]);
        assert_eq!(one.0, other.0);
    }
}
