//! CPU of the comparison with peers, per row and signal: `cargo bench --bench peers`.
//!
//! Sources of every size with 25 signals, most of them shares: sources × 25 rows are fitted, compared, combined
//! and controlled on one thread. The bound is 10 µs per row and signal, and 1 GB for 100,000 sources.

use clickaudit::base::column::Grain;
use clickaudit::base::stats::Counted;
use clickaudit::measures::{GrainMeasures, Group, M, Stratum, Totals};
use clickaudit::peers::{Compared, Settings, profiles};
use clickaudit::signals::Context;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;

/// What is counted of what, and about how often.
const SHARES: [(M, M, f64); 22] = [
    (M::CtitShort, M::CtitCount, 0.03),
    (M::CtitLong, M::CtitCount, 0.1),
    (M::CtitHourLater, M::CtitCount, 0.2),
    (M::Orphans, M::Told, 0.02),
    (M::BeforeClick, M::WithClick, 0.005),
    (M::Replays, M::Conversions, 0.01),
    (M::RepeatedClicks, M::OnceClicks, 0.01),
    (M::ReusedIds, M::Clicks, 0.001),
    (M::ForeignIds, M::IdCount, 0.01),
    (M::Steps, M::StepsKnown, 0.02),
    (M::DatacenterClicks, M::Clicks, 0.03),
    (M::CountriesDiffer, M::CountriesKnown, 0.05),
    (M::Neighbours, M::NeighboursKnown, 0.02),
    (M::ConvertedClicks, M::MatureClicks, 0.02),
    (M::LanderClicks, M::Clicks, 0.4),
    (M::BrandClicks, M::Clicks, 0.02),
    (M::DueApproved, M::DueDecided, 0.8),
    (M::TakenBack, M::EverApproved, 0.02),
    (M::DepositingRegistrations, M::DueRegistrations, 0.2),
    (M::RepeatedDeposits, M::DueDeposits, 0.4),
    (M::AmountsAtFloor, M::Amounts, 0.2),
    (M::WeekendClicks, M::Clicks, 0.28),
];

/// A series of numbers that is the same on every machine: splitmix64 (Steele, Lea, Flood 2014).
struct Draws(u64);

impl Draws {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// About normal: the sum of twelve.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// About binomial.
    fn share(&mut self, n: i64, rate: f64) -> i64 {
        let logit = (rate / (1.0 - rate)).ln() + 0.35 * self.normal();
        let mean = n as f64 / (1.0 + (-logit).exp());
        ((mean + mean.sqrt() * self.normal()).round() as i64).clamp(0, n)
    }
}

/// A source whose clicks are spread over five orders of magnitude.
fn totals(draws: &mut Draws) -> Totals {
    let clicks = (1_000.0 * (1.5 * draws.normal()).exp()).clamp(1.0, 5e6) as i64;
    let conversions = clicks / 40 + 1;
    let of_clicks = [M::Clicks, M::MatureClicks];
    let mut counts: Vec<(M, i64)> = of_clicks.iter().map(|m| (*m, clicks)).collect();
    for (part, whole, rate) in SHARES {
        let n = if of_clicks.contains(&whole) { clicks } else { conversions };
        if counts.iter().all(|(m, _)| *m != whole) {
            counts.push((whole, n));
        }
        let part_of = draws.share(n, rate);
        counts.push((part, part_of));
    }
    let times: Vec<i64> = (0..conversions.min(2_000)).map(|_| time(draws)).collect();
    Totals::counted(&counts, &[(M::Ctit, &histogram(times))])
}

/// Seconds to a conversion: the middle is 20 minutes.
fn time(draws: &mut Draws) -> i64 {
    (7.1 + 1.3 * draws.normal()).exp() as i64
}

fn histogram(mut values: Vec<i64>) -> Box<Counted> {
    values.sort_unstable();
    values.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u64)).collect()
}

/// So many sources of eight offers, ten countries and two devices.
fn measures(sources: usize) -> GrainMeasures {
    let mut draws = Draws(7);
    let totals: Vec<Arc<Totals>> = (0..sources).map(|_| Arc::new(totals(&mut draws))).collect();
    let name = |what: &str, n: usize| Some(format!("{what}{n}"));
    let group = |(at, totals): (usize, &Arc<Totals>)| Group {
        key: vec![Some("network".to_owned()), Some(format!("{at:06}"))],
        totals: totals.clone(),
    };
    let stratum = |(at, totals): (usize, &Arc<Totals>)| Stratum {
        group: at,
        key: vec![None, None, name("offer", at % 8)],
        mostly: vec![name("country", at / 8 % 10), name("device", at / 80 % 2), None, None, None],
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

fn compared(measures: &GrainMeasures) -> Compared {
    let context = Context {
        clicks_given: true,
        conversions_given: true,
        joined: true,
        true_transactions: true,
        ..Context::default()
    };
    let settings = Settings { fdr: 0.1, trusted: Vec::new(), without: Vec::new(), threads: 1 };
    profiles(measures, &context, &settings)
}

/// How many signals were compared in at least one source.
fn signals(compared: &Compared) -> usize {
    let found = compared.profiles.iter().flat_map(|profile| profile.signals.compared());
    found.map(|(signal, _)| signal.name).collect::<BTreeSet<&str>>().len()
}

#[allow(clippy::print_stderr)]
fn peers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("peers");
    group.sample_size(10);
    for sources in [2_000, 20_000] {
        let measures = measures(sources);
        let before = cpu_s();
        let signals = signals(&compared(&measures));
        if let (Some(before), Some(after)) = (before, cpu_s()) {
            let each = (after - before) * 1e6 / (sources * signals) as f64;
            eprintln!(
                "{sources} sources × {signals} signals: {each:.2} µs of CPU per row and signal, one thread"
            );
        }
        group.throughput(Throughput::Elements((sources * signals) as u64));
        group.bench_function(BenchmarkId::from_parameter(sources), |b| {
            b.iter(|| black_box(compared(&measures)));
        });
    }
    group.finish();
}

/// Processor time of this process so far, in seconds, where the system tells: it counts hundredths.
fn cpu_s() -> Option<f64> {
    let line = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = line.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / 100.0)
}

/// Bytes that this process has held at most, where the system tells.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1_024)
}

/// The memory of a large run, input and result included. The bound is 1 GB.
#[allow(clippy::print_stderr)]
fn memory(_: &mut Criterion) {
    let measures = measures(100_000);
    let input = peak_bytes();
    let signals = signals(&compared(&measures));
    if let (Some(input), Some(all)) = (input, peak_bytes()) {
        let mib = |bytes: u64| bytes >> 20;
        eprintln!(
            "100000 sources × {signals} signals: {} MiB at most, {} of them the measures",
            mib(all),
            mib(input)
        );
    }
}

criterion_group!(benches, memory, peers);
criterion_main!(benches);
