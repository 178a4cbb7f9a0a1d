//! What the comparison promises on drawn populations and on bad input, with fixed seeds.

use super::compare::{Versus, compare};
use super::fit::{Fit, Observation, Row, Settings, TooFew, fit};
use super::tree::Tree;
use super::{Standing, funnel};
use crate::base::column::Grain;
use crate::base::stats::binomial_at_least;
use crate::measures::{GrainMeasures, Group, M, PEER_COLUMNS, Stratum, Totals};
use crate::signals::{self, Context};
use std::sync::Arc;

// ---------------------------------------------------------------- draws

/// splitmix64 (Steele, Lea, Flood 2014).
struct Draws(u64);

impl Draws {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    fn below(&mut self, n: u64) -> u64 {
        (self.unit() * n as f64) as u64
    }

    /// Box and Muller.
    fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Waiting times between successes, exact.
    fn binomial(&mut self, n: u64, p: f64) -> u64 {
        if p > 0.5 {
            return n - self.binomial(n, 1.0 - p);
        }
        let (mut at, mut found) = (0.0, 0);
        loop {
            at += (self.unit().ln() / (-p).ln_1p()).floor() + 1.0;
            if at > n as f64 {
                return found;
            }
            found += 1;
        }
    }

    /// The successes of a source whose logit is drawn around `eta`.
    fn successes(&mut self, n: u64, eta: f64, tau: f64) -> u64 {
        let logit = eta + tau * self.normal();
        self.binomial(n, expit(logit))
    }

    /// Volumes over five orders of magnitude, as of statistics.md 4.3.
    fn volume(&mut self) -> u64 {
        (300.0 * (2.0 * self.normal()).exp()).clamp(1.0, 2e6) as u64
    }
}

fn expit(eta: f64) -> f64 {
    1.0 / (1.0 + (-eta).exp())
}

fn row(leaf: u32, observation: Observation, account: u32) -> Row {
    Row { leaf, observation, vote: 1.0, account, trusted: false }
}

fn rate(x: u64, n: u64, account: u32) -> Row {
    row(0, Observation::Rate { x, n }, account)
}

fn one_group() -> Tree {
    Tree::new(vec![None]).expect("a root")
}

/// Sources whose rates differ by `tau` on the logit scale; the first `frauds` of them have 15 points more.
fn population(draws: &mut Draws, size: u32, tau: f64, frauds: u32) -> Vec<Row> {
    let mut source = |account: u32| {
        let honest = expit(-3.5 + tau * draws.normal());
        let p = if account < frauds { honest + 0.15 } else { honest };
        let n = draws.volume();
        rate(draws.binomial(n, p), n, account)
    };
    (0..size).map(&mut source).collect()
}

fn high(versus: &Result<Versus, TooFew>) -> Option<f64> {
    versus.as_ref().ok().and_then(|versus| versus.tails.high)
}

/// How many of these logarithms Benjamini and Hochberg's procedure rejects, and the largest of them.
fn rejected(ln_ps: impl Iterator<Item = f64>, q: f64) -> (usize, f64) {
    let mut sorted: Vec<f64> = ln_ps.collect();
    sorted.sort_by(f64::total_cmp);
    let m = sorted.len() as f64;
    let passes = |&(rank, ln_p): &(usize, &f64)| *ln_p <= (q * (rank + 1) as f64 / m).ln();
    let last = sorted.iter().enumerate().rfind(passes);
    last.map_or((0, f64::NEG_INFINITY), |(rank, &ln_p)| (rank + 1, ln_p))
}

// ---------------------------------------------------------------- the claims of statistics.md 4.3

/// [SIM] without fraud LNB accuses 0.2 of 2000 honest sources, a plain binomial test 217.
#[test]
fn honest_sources_that_differ_are_not_accused() {
    let (mut accused, mut by_binomial) = (0, 0);
    for seed in 0..20 {
        let rows = population(&mut Draws(seed), 500, 0.47, 0);
        let fit = fit(&rows, &one_group(), &Settings::RATES);
        accused += rejected(rows.iter().filter_map(|row| high(&compare(row, &fit))), 0.1).0;
        let binomial = rows.iter().map(|row| match row.observation {
            Observation::Rate { x, n } => binomial_at_least(x, n, expit(-3.5)).ln(),
            Observation::Normal { .. } => 0.0,
        });
        by_binomial += rejected(binomial, 0.1).0;
    }
    assert!(accused <= 8, "{accused} of 10000 honest sources");
    assert!(by_binomial >= 400, "the binomial test accuses {by_binomial}");
}

/// [SIM] 5 % frauds with 15 points more: power .81, FDR .016.
#[test]
fn frauds_are_found_and_the_false_discovery_rate_holds() {
    let (mut found, mut accused) = (0, 0);
    for seed in 100..110 {
        let rows = population(&mut Draws(seed), 500, 0.47, 25);
        let fit = fit(&rows, &one_group(), &Settings::RATES);
        let ps: Vec<Option<f64>> = rows.iter().map(|row| high(&compare(row, &fit))).collect();
        let (count, limit) = rejected(ps.iter().flatten().copied(), 0.1);
        accused += count;
        found += ps[..25].iter().flatten().filter(|&&p| p <= limit).count();
    }
    let (power, fdr) = (found as f64 / 250.0, (accused - found) as f64 / accused as f64);
    assert!(power > 0.7 && fdr < 0.08, "power {power}, FDR {fdr}");
}

/// The gate of statistics.md 7.4.
fn check_calibration(ps: &[f64]) {
    for level in [0.1, 0.01, 0.001] {
        let share = ps.iter().filter(|&&p| p < f64::ln(level)).count() as f64 / ps.len() as f64;
        assert!((0.4..=1.3).contains(&(share / level)), "{share} below {level} of {}", ps.len());
    }
}

#[test]
fn probabilities_of_informative_honest_rates_are_uniform() {
    for tau in [0.25, 0.47] {
        let mut ps = Vec::new();
        for seed in 0..12 {
            let rows = population(&mut Draws(seed + 500), 2_000, tau, 0);
            let fit = fit(&rows, &one_group(), &Settings::RATES);
            let informative =
                rows.iter().filter(|row| matches!(row.observation, Observation::Rate { n, .. } if n >= 100));
            let tails = informative.filter_map(|row| compare(row, &fit).ok()).map(|v| v.tails);
            ps.extend(tails.flat_map(|t| [t.high, t.low]).flatten());
        }
        check_calibration(&ps);
    }
}

#[test]
fn probabilities_of_honest_normals_are_uniform() {
    let mut ps = Vec::new();
    for seed in 0..12 {
        let mut draws = Draws(seed + 900);
        let source = |account: u32| {
            let sd = 0.5 * draws.normal().exp();
            let days: Vec<f64> = (0..7).map(|_| sd * draws.normal()).collect();
            let mean = days.iter().sum::<f64>() / 7.0;
            let v = days.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / 42.0;
            row(0, Observation::Normal { y: 2.0 + 0.4 * draws.normal() + mean, v, df: 6.0 }, account)
        };
        let rows: Vec<Row> = (0..2_000).map(source).collect();
        let fit = fit(&rows, &one_group(), &Settings::NORMALS);
        let tails = rows.iter().filter_map(|row| compare(row, &fit).ok()).map(|v| v.tails);
        ps.extend(tails.flat_map(|t| [t.high, t.low]).flatten());
    }
    check_calibration(&ps);
}

/// Four offers with rates far apart, countries inside them, small groups: the sources of an odd offer are no
/// outliers in it, and where a country is too small its unknown own level is allowed for.
#[test]
fn small_groups_that_differ_are_not_accused() {
    let mut accused = 0;
    let mut ps = Vec::new();
    for seed in 0..10 {
        let mut draws = Draws(seed + 40);
        let (mut paths, mut rows) = (Vec::new(), Vec::new());
        for offer in 0..4 {
            let offer_eta = -3.5 + 0.7 * draws.normal();
            for country in 0..12 {
                let eta = offer_eta + 0.4 * draws.normal();
                for _ in 0..4 + draws.below(40) {
                    let n = draws.volume();
                    paths.push(vec![0, offer, country]);
                    rows.push(rate(draws.successes(n, eta, 0.35), n, rows.len() as u32));
                }
            }
        }
        let (tree, leaves) = Tree::from_paths(&paths);
        for (row, leaf) in rows.iter_mut().zip(leaves) {
            row.leaf = leaf.expect("no path is empty");
        }
        let fit = fit(&rows, &tree, &Settings::RATES);
        let compared: Vec<f64> = rows.iter().filter_map(|row| high(&compare(row, &fit))).collect();
        accused += rejected(compared.iter().copied(), 0.1).0;
        ps.extend(compared);
    }
    let share = ps.iter().filter(|&&p| p < 0.001f64.ln()).count() as f64 / ps.len() as f64;
    assert!(accused <= 10 && share < 0.0015, "{accused} of {} accused, {share} below .001", ps.len());
}

// ---------------------------------------------------------------- levels

/// A root with two groups inside: `big` sources in one, `small` in the other, rates of 3 % and 12 %.
fn two_groups(big: u32, small: u32) -> (Vec<Row>, Fit) {
    let mut draws = Draws(3);
    let mut source = |account: u32| {
        let (leaf, eta) = if account < big { (1, -3.5) } else { (2, -2.0) };
        let x = draws.successes(2_000, eta, 0.2);
        row(leaf, Observation::Rate { x, n: 2_000 }, account)
    };
    let rows: Vec<Row> = (0..big + small).map(&mut source).collect();
    let tree = Tree::new(vec![None, Some(0), Some(0)]).expect("a tree");
    let fit = fit(&rows, &tree, &Settings::RATES);
    (rows, fit)
}

#[test]
fn the_narrowest_group_with_enough_peers_is_used() {
    for (small, node, peers) in [(6, 2, 5), (5, 0, 64)] {
        let (rows, fit) = two_groups(60, small);
        let versus = compare(&rows[60], &fit).expect("peers");
        assert_eq!((versus.node, versus.peers), (node, peers));
        assert_eq!(compare(&rows[0], &fit).expect("peers").node, 1);
    }
}

#[test]
fn a_wider_group_allows_for_the_unknown_level_of_the_own_one() {
    let (rows, fit) = two_groups(60, 5);
    let (wide, narrow) = (compare(&rows[60], &fit).expect("peers"), compare(&rows[0], &fit).expect("peers"));
    assert!(wide.sd_high > 2.0 * narrow.sd_high, "{} {}", wide.sd_high, narrow.sd_high);
    assert!(wide.tails.high.expect("testable") > 0.001f64.ln(), "{:?}", wide.tails);
}

#[test]
fn too_few_peers_or_accounts_is_said() {
    let rows = |size: u32, accounts: u32| -> Vec<Row> {
        (0..size).map(|i| rate(30 + u64::from(i % 7), 1_000, i % accounts)).collect()
    };
    for (size, accounts, expected) in
        [(1, 1, TooFew::Peers(1)), (39, 39, TooFew::Peers(39)), (50, 3, TooFew::Accounts(2))]
    {
        let rows = rows(size, accounts);
        let fit = fit(&rows, &one_group(), &Settings::RATES);
        assert_eq!(compare(&rows[0], &fit), Err(expected), "{size} rows of {accounts} accounts");
    }
    let rows = rows(50, 4);
    assert!(compare(&rows[0], &fit(&rows, &one_group(), &Settings::RATES)).is_ok());
}

#[test]
fn groups_without_rows_and_unknown_groups_are_defined() {
    let tree = Tree::new(vec![None, Some(0), None]).expect("a tree");
    let rows: Vec<Row> = (0..40).map(|i| rate(30 + u64::from(i % 7), 1_000, i)).collect();
    let fit = fit(&rows, &tree, &Settings::RATES);
    let at = |leaf: u32| compare(&Row { leaf, ..rows[0] }, &fit);
    assert_eq!(at(1).map(|versus| versus.node), Ok(0));
    assert_eq!(at(2), Err(TooFew::Peers(0)));
    assert_eq!(at(9), Err(TooFew::Group));
    assert_eq!(compare(&rate(0, 0, 1), &fit), Err(TooFew::Value));
    assert_eq!(fit.location(9), None);
}

#[test]
fn trusted_rows_anchor_a_population_of_frauds() {
    let mut draws = Draws(8);
    let mut rows: Vec<Row> = (0..60)
        .map(|account| {
            let eta = if account < 40 { -1.0 } else { -3.5 };
            rate(draws.successes(3_000, eta, 0.2), 3_000, account)
        })
        .collect();
    let reversed = compare(&rows[50], &fit(&rows, &one_group(), &Settings::RATES)).expect("peers");
    assert!(reversed.eta > -2.0, "a majority of frauds is the norm: {}", reversed.eta);
    for row in &mut rows[40..50] {
        row.trusted = true;
    }
    let fit = fit(&rows, &one_group(), &Settings::RATES);
    let (fraud, honest) = (compare(&rows[0], &fit).expect("peers"), compare(&rows[55], &fit).expect("peers"));
    assert!((fraud.eta + 3.5).abs() < 0.2, "{}", fraud.eta);
    assert!(fraud.tails.z > 5.0 && honest.tails.z.abs() < 3.0, "{} {}", fraud.tails.z, honest.tails.z);
}

#[test]
fn one_account_with_many_rows_does_not_define_the_norm() {
    let mut draws = Draws(12);
    let mut rows: Vec<Row> = (0..30).map(|i| rate(draws.binomial(2_000, 0.03), 2_000, i)).collect();
    let crowd =
        (0..40).map(|_| Row { vote: 1.0 / 40f64.sqrt(), ..rate(draws.binomial(2_000, 0.3), 2_000, 99) });
    rows.extend(crowd);
    let versus = compare(&rows[40], &fit(&rows, &one_group(), &Settings::RATES)).expect("peers");
    assert!(versus.expected < 0.05 && versus.tails.z > 2.0, "{versus:?}");
}

// ---------------------------------------------------------------- laws

#[test]
fn the_order_of_the_rows_does_not_matter() {
    let rows = population(&mut Draws(77), 300, 0.5, 15);
    let mut shuffled = rows.clone();
    let mut draws = Draws(78);
    for i in (1..shuffled.len()).rev() {
        shuffled.swap(i, draws.below(i as u64 + 1) as usize);
    }
    let (one, other) =
        (fit(&rows, &one_group(), &Settings::RATES), fit(&shuffled, &one_group(), &Settings::RATES));
    assert_eq!(
        (one.tau_high.to_bits(), one.tau_low.to_bits()),
        (other.tau_high.to_bits(), other.tau_low.to_bits())
    );
    for row in &rows {
        assert_eq!(compare(row, &one), compare(row, &other));
    }
}

/// The probability falls and the score rises with every further success, through every branch.
#[test]
fn more_successes_are_never_less_unusual() {
    let rows = population(&mut Draws(5), 400, 0.3, 0);
    let fit = fit(&rows, &one_group(), &Settings::RATES);
    for n in [1, 7, 60, 900, 40_000] {
        let (mut last, mut score) = (0.0, f64::NEG_INFINITY);
        for x in 0..=n.min(1_200) {
            let versus = compare(&rate(x, n, 1), &fit).expect("peers");
            let ln_p = versus.tails.high.unwrap_or(0.0);
            let slack = if versus.tails.z > 0.0 { 1e-3 } else { 0.3 };
            assert!(ln_p <= last + slack, "{x} of {n}: {ln_p} after {last}");
            assert!(versus.tails.z >= score - 0.02, "{x} of {n}: {} after {score}", versus.tails.z);
            (last, score) = (ln_p, versus.tails.z);
        }
    }
}

#[test]
fn the_funnel_is_wider_for_sources_that_differ() {
    let (low, high) = funnel(-3.5, 0.4, 0.3, 10_000, 1.96);
    let (binomial_low, binomial_high) = funnel(-3.5, 0.0, 0.0, 10_000, 1.96);
    assert!(low < binomial_low && binomial_low < expit(-3.5) && binomial_high < high, "{low} {high}");
    assert!(
        (high - expit(-3.5 + 1.96 * (0.16f64 + 1.0 / (1e4 * expit(-3.5) * expit(3.5))).sqrt())).abs() < 1e-12
    );
}

// ---------------------------------------------------------------- bad input

fn check_defined(rows: &[Row], tree: &Tree, settings: &Settings) {
    let fit = fit(rows, tree, settings);
    assert!(fit.tau_high.is_finite() && fit.tau_low.is_finite(), "{} {}", fit.tau_high, fit.tau_low);
    for row in rows {
        let Ok(versus) = compare(row, &fit) else { continue };
        let tails = versus.tails;
        for ln_p in [tails.high, tails.low].into_iter().flatten() {
            assert!(ln_p.is_finite() && ln_p <= 0.0, "{row:?}: {versus:?}");
        }
        for number in [tails.z, versus.expected, versus.eta, versus.sd_high, versus.sd_low] {
            assert!(number.is_finite(), "{row:?}: {versus:?}");
        }
    }
}

#[test]
fn bad_populations_have_defined_results() {
    let of = |f: &dyn Fn(u32) -> (u64, u64)| -> Vec<Row> {
        (0..60)
            .map(|i| {
                let (x, n) = f(i);
                rate(x, n, i)
            })
            .collect()
    };
    let giant = 1 << 40;
    let populations = [
        Vec::new(),
        vec![rate(3, 10, 0)],
        of(&|_| (30, 1_000)),
        of(&|i| (0, u64::from(i) * 100)),
        of(&|i| (u64::from(i) * 100, u64::from(i) * 100)),
        of(&|i| if i == 0 { (giant / 30, giant) } else { (30 + u64::from(i % 9), 1_000) }),
        of(&|i| if i == 0 { (giant, giant) } else { (0, 1_000) }),
        of(&|i| (giant / 2 + u64::from(i), giant)),
        of(&|i| if i < 40 { (900, 1_000) } else { (30, 1_000) }),
        of(&|i| (u64::from(i % 2), 1)),
        of(&|_| (7, 5)),
        of(&|_| (u64::MAX, u64::MAX)),
    ];
    let free = Settings {
        floor: 0.0,
        prior_tau: 0.0,
        prior_between: 0.0,
        min_rows: 0,
        min_peers: 0,
        min_accounts: 0,
        ..Settings::RATES
    };
    for rows in &populations {
        check_defined(rows, &one_group(), &Settings::RATES);
        check_defined(rows, &one_group(), &free);
    }
}

#[test]
fn bad_normals_have_defined_results() {
    let odd = [0.0, -0.0, 1.0, 1e-300, 1e99, 1e300, -1e99, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let mut draws = Draws(31);
    let pick = |draws: &mut Draws| odd[draws.below(odd.len() as u64) as usize];
    for round in 0..200 {
        let mut source = |account: u32| {
            let strange = round % 4 == 0 || draws.below(10) == 0;
            let (y, v, df) = if strange {
                (pick(&mut draws), pick(&mut draws), pick(&mut draws))
            } else {
                (draws.normal(), draws.unit(), 6.0)
            };
            row(0, Observation::Normal { y, v, df }, account)
        };
        let rows: Vec<Row> = (0..50).map(&mut source).collect();
        check_defined(&rows, &one_group(), &Settings::NORMALS);
        check_defined(&rows, &one_group(), &Settings { floor: 0.0, prior_tau: 0.0, ..Settings::NORMALS });
    }
}

#[test]
fn no_drawn_population_leaks_a_nan() {
    let tree = Tree::new(vec![None, Some(0), Some(0), Some(1), None, Some(4)]).expect("a tree");
    for seed in 0..300 {
        let mut draws = Draws(seed);
        let scale = draws.unit() * 28.0;
        let source = |draws: &mut Draws| {
            let n = (draws.unit() * scale).exp() as u64;
            let x = match draws.below(4) {
                0 => 0,
                1 => n,
                _ => (draws.unit().powi(4) * n as f64) as u64,
            };
            Row {
                leaf: draws.below(6) as u32,
                observation: Observation::Rate { x, n },
                vote: [0.0, 0.2, 1.0, f64::NAN][draws.below(4) as usize],
                account: draws.below(30) as u32,
                trusted: draws.below(9) == 0,
            }
        };
        let rows: Vec<Row> = (0..200).map(|_| source(&mut draws)).collect();
        check_defined(
            &rows,
            &tree,
            &Settings { min_rows: 0, min_peers: 3, min_accounts: 2, ..Settings::RATES },
        );
    }
}

// ---------------------------------------------------------------- spikes

/// Sources of one offer whose times to conversion are log-normal around 20 minutes; of the first one's 200 so many
/// are 287 s.
fn sources_with_times(at_one_second: u64) -> GrainMeasures {
    let mut draws = Draws(5);
    let mut totals = |source: usize| {
        let late = if source == 0 { 200 - at_one_second } else { 200 };
        let mut times: Vec<i64> = (0..late).map(|_| (7.1 + 1.3 * draws.normal()).exp() as i64).collect();
        times.resize(200, 287);
        times.sort_unstable();
        let times: Vec<(i64, u64)> = times.chunk_by(|a, b| a == b).map(|t| (t[0], t.len() as u64)).collect();
        Arc::new(Totals::counted(&[(M::CtitCount, 200), (M::Conversions, 200)], &[(M::Ctit, &times)]))
    };
    of_one_offer((0..60).map(&mut totals).collect())
}

/// Sources of one offer with these counts.
pub(super) fn of_one_offer(totals: Vec<Arc<Totals>>) -> GrainMeasures {
    let group = |(at, totals): (usize, &Arc<Totals>)| Group {
        key: vec![None, Some(format!("{at:02}"))],
        totals: totals.clone(),
    };
    let stratum = |(at, totals): (usize, &Arc<Totals>)| Stratum {
        group: at,
        key: vec![None, None, Some("offer".to_owned())],
        mostly: vec![None; PEER_COLUMNS.len()],
        totals: totals.clone(),
    };
    GrainMeasures {
        grain: Grain::source(),
        groups: totals.iter().enumerate().map(group).collect(),
        strata: totals.iter().enumerate().map(stratum).collect(),
        beyond: None,
        network_clicks: Default::default(),
    }
}

/// The share of its commonest second, and how it stands.
fn spike(at_one_second: u64) -> (f64, super::Versus) {
    let context = Context { clicks_given: true, conversions_given: true, joined: true, ..Context::default() };
    let settings = super::Settings { fdr: 0.1, trusted: Vec::new(), without: Vec::new(), threads: 1 };
    let measures = sources_with_times(at_one_second);
    let compared = super::profiles(&measures, &context, &settings);
    let signal = signals::find("ctit_modal_share").expect("declared");
    let own = signal.read(&signals::Group { totals: &measures.groups[0].totals, context: &context });
    let standing = compared.profiles[0].standing(signal);
    let Standing::Compared(versus) = standing else { panic!("{standing:?}") };
    (own.estimate().expect("a value").value(), versus.clone())
}

#[test]
fn what_peers_have_at_a_spike_is_on_the_scale_of_the_signal() {
    let odds = |share: f64| share / (1.0 - share);
    let (own, versus) = spike(60);
    assert!(own >= 0.3 && versus.ratio > 5.0 && versus.large, "{own} {versus:?}");
    assert!((odds(own) / odds(versus.expected) / versus.ratio - 1.0).abs() < 1e-9, "{own} {versus:?}");
    assert_eq!(&*versus.level, "offer");
    let (_, honest) = spike(0);
    assert!(!honest.large || honest.ln_p(super::Direction::High) > Some(-7.0), "{honest:?}");
}
