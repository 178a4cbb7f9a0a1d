//! Rules and groups per second: `cargo bench --bench rules`.
//!
//! 1,000 rules of two to five tests are asked about 100,000 groups, as an audit asks them, and everything that
//! is not silent is kept with its evidence or its reasons. The bound is 2 s of CPU on one thread.

use clickaudit::base::column::Col;
use clickaudit::peers::Profile;
use clickaudit::rules::{Panel, Rule, RuleFile, RuleSet, View};
use clickaudit::signals::{self, Absence, Estimate, IntervalKind, Reading, Row, Signal};
use clickaudit::verdicts::{Answers, SharedReasons};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::Arc;

const RULES: usize = 1_000;
const GROUPS: usize = 100_000;
/// Groups that differ; they are asked again and again, so that what is measured is the asking.
const DIFFERENT: usize = 1_000;

/// A series of numbers that is the same on every machine: splitmix64 (Steele, Lea, Flood 2014).
struct Draws(u64);

impl Draws {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

fn shares() -> Vec<&'static Signal> {
    signals::all().iter().copied().filter(|s| s.kind == IntervalKind::Share).collect()
}

/// A rule that fires seldom, such as one on a bad share of which there are enough cases.
fn rule(number: usize, draws: &mut Draws) -> RuleFile {
    let shares = shares();
    let mut test = || {
        let signal = shares[draws.below(shares.len())].name;
        format!("{{test: {{signal: {signal}, above: {}%, min_sample: 30}}}}", 40 + draws.below(55))
    };
    let tests = [test(), test(), test(), test(), test()];
    let [a, b, c, d, e] = tests;
    let when = match number % 3 {
        0 => format!("all: [{a}, {b}]"),
        1 => format!("all: [{a}, {{any: [{b}, {c}]}}]"),
        _ => format!("all: [{a}, {b}, {{not: {c}}}, {{any: [{d}, {e}]}}]"),
    };
    let text = format!(
        "id: rule-{number}\ntitle: T\nstatus: experimental\nclass: fraud\naction: hold\nwhy: W\n\
         message: '{{cr}} of {{click_count}}'\nwhen: {{{when}}}\n"
    );
    RuleFile::new(format!("rule-{number}.yml"), &text)
}

/// A group of some hundred conversions: its shares are small, a few of them are not, a few are missing.
fn row(draws: &mut Draws) -> Row {
    let n = 50 + draws.below(500) as u64;
    let mut given = Vec::new();
    for signal in shares() {
        let x = match draws.below(20) {
            0 => continue,
            1 => n * (50 + draws.below(50) as u64) / 100,
            _ => n * draws.below(30) as u64 / 100,
        };
        given.push((signal, Reading::Present(Estimate::share(x, n))));
    }
    Row::of(&given, &Absence::Fact("not drawn"))
}

/// Asks every rule about every group as an audit does, and keeps what an audit keeps.
fn asked<'r>(set: &'r RuleSet, rows: &[Row], groups: usize) -> Vec<Answers<'r>> {
    let key = [(Col::Source, Some("pub1".to_owned()))];
    let profile = Profile::default();
    let rules: Arc<[&Rule]> = set.rules.iter().collect();
    let mut reasons = SharedReasons::of(rules.len());
    let groups: Vec<&Row> = rows.iter().cycle().take(groups).collect();
    let mut answers: Vec<Answers> = Vec::with_capacity(groups.len());
    for (panel, together) in groups.chunks(Panel::SIZE).enumerate() {
        let first = panel * Panel::SIZE;
        answers.extend(together.iter().map(|_| Answers::of(Arc::clone(&rules))));
        let views = together.iter().map(|row| View::new(row, &key, &profile));
        let panel = Panel::of((first..).zip(views).collect());
        for (at, rule) in rules.iter().copied().enumerate() {
            panel.ask(rule).for_each(|(group, outcome)| answers[group].take(at, reasons.with(at, outcome)));
        }
    }
    answers
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

#[allow(clippy::print_stderr)]
fn rules(criterion: &mut Criterion) {
    let mut draws = Draws(11);
    let files: Vec<RuleFile> = (0..RULES).map(|number| rule(number, &mut draws)).collect();
    let set = RuleSet::of(&files).expect("rules without faults");
    let rows: Vec<Row> = (0..DIFFERENT).map(|_| row(&mut draws)).collect();
    let before = cpu_s();
    let answers = asked(&set, &rows, GROUPS);
    let seconds = cpu_s().zip(before).map_or(f64::NAN, |(after, before)| after - before);
    let fired: usize = answers.iter().map(|group| group.fired().count()).sum();
    let evidence: usize = answers.iter().flat_map(|group| group.fired()).map(|o| o.evidence.len()).sum();
    let unknown: usize = answers.iter().map(|group| group.unknown().len()).sum();
    eprintln!(
        "{RULES} rules × {GROUPS} groups: {seconds:.2} s of CPU, one thread; {fired} fired with {evidence} pieces of \
         evidence, {unknown} unknown; {} MiB at most",
        peak_bytes().unwrap_or_default() >> 20
    );
    drop(answers);
    let mut group = criterion.benchmark_group("rules");
    group.sample_size(10).throughput(Throughput::Elements((RULES * DIFFERENT) as u64));
    group.bench_function("1000 rules × 1000 groups", |b| {
        b.iter(|| black_box(asked(&set, &rows, DIFFERENT)));
    });
    group.finish();
}

criterion_group!(benches, rules);
criterion_main!(benches);
