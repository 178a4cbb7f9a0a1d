//! Sixty nights with frauds that start, stop, ramp, get blocked and come back, through the real comparison with
//! peers, the built-in rules, the verdicts, habits and standings.
//!
//! The short run has fixed seeds. `NIGHTS_SEEDS=10 NIGHTS_SOURCES=1000 cargo test --release simulated --
//! --nocapture` prints the table of docs/validation.md; `NIGHTS_LEVEL` is what a night may spend, in per cent of what
//! it does.

use clickaudit::base::column::{Col, Grain};
use clickaudit::base::text::Text;
use clickaudit::history::{A_NIGHT, Asked, Earlier, Head, Memory, Record, SCHEMA_VERSION, settle};
use clickaudit::ingest::Perspective;
use clickaudit::measures::{GrainMeasures, Group, M, Stratum, Totals};
use clickaudit::peers::{Settings, profiles};
use clickaudit::rules::{Rule, RuleSet, Tuning, View, builtin_files, evaluate};
use clickaudit::signals::{Context, Row};
use clickaudit::verdicts::{Answers, Judged, Protect, Standing, Subject, Verdict, judge};
use std::collections::BTreeMap;
use std::sync::Arc;

const NIGHTS: i32 = 60;
/// Nights of one audit's window.
const WINDOW: i32 = 7;
/// The first night, in days since 1970.
const FIRST: i32 = 20_600;
/// The nightly sway of honest rates on the logit: a standard deviation of .2, of which .6 lasts to the next night
/// (statistics.md, 5.4 and 7.1).
const SWAY: f64 = 0.2;
const LASTS: f64 = 0.6;

/// What is counted of what, how often in honest traffic, by how much honest sources differ, and whether a fraud
/// raises it.
const SHARES: [(M, M, f64, f64, bool); 6] = [
    (M::CtitShort, M::CtitCount, 0.03, 0.35, true),
    (M::CtitLong, M::CtitCount, 0.08, 0.35, true),
    (M::Orphans, M::Told, 0.02, 0.35, true),
    (M::DueApproved, M::DueDecided, 0.75, 0.35, false),
    (M::RepeatedDeposits, M::DueDeposits, 0.40, 0.35, false),
    (M::ConvertedClicks, M::MatureClicks, 0.025, 0.35, false),
];

/// splitmix64 (Steele, Lea, Flood 2014).
struct Draws(u64);

impl Draws {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let (u, v) = (1.0 - self.unit(), self.unit());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    /// Waiting times between successes, exact.
    fn binomial(&mut self, n: i64, p: f64) -> i64 {
        if p > 0.5 {
            return n - self.binomial(n, 1.0 - p);
        }
        let (mut at, mut found) = (0.0, 0);
        loop {
            at += ((1.0 - self.unit()).ln() / (-p.max(1e-9)).ln_1p()).floor() + 1.0;
            if at > n as f64 {
                return found;
            }
            found += 1;
        }
    }
}

/// How a fraud goes over the nights.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Course {
    /// From a night on.
    Starts,
    /// For fifteen nights.
    Stops,
    /// One point more every night for thirty nights.
    Ramps,
    /// Sends nothing for ten nights after it is flagged, and comes back.
    ComesBack,
    /// A new source without a conversion.
    OnlySpends,
}

const COURSES: [Course; 5] =
    [Course::Starts, Course::Stops, Course::Ramps, Course::ComesBack, Course::OnlySpends];

struct Fraud {
    course: Course,
    from: i32,
    strength: f64,
    share: usize,
}

struct Source {
    /// Conversions of a night.
    volume: f64,
    logits: [f64; SHARES.len()],
    sway: [f64; SHARES.len()],
    fraud: Option<Fraud>,
    silent_until: i32,
    /// Counts of the last nights, the newest last.
    nights: Vec<Vec<(M, i64)>>,
}

impl Source {
    fn draw(draws: &mut Draws, fraud: Option<Fraud>) -> Source {
        let logits = SHARES.map(|(_, _, p, spread, _)| (p / (1.0 - p)).ln() + spread * draws.normal());
        let volume =
            if fraud.is_some() { 40.0 } else { (40.0f64.ln() + draws.normal()).exp().clamp(3.0, 2_000.0) };
        let (sway, nights) = ([0.0; SHARES.len()], Vec::new());
        Source { volume, logits, sway, fraud, silent_until: 0, nights }
    }

    /// The part of what happens tonight that is faked.
    fn strength(&self, night: i32) -> f64 {
        let Some(fraud) = &self.fraud else { return 0.0 };
        let age = night - fraud.from;
        match fraud.course {
            _ if age < 0 => 0.0,
            Course::Ramps => (0.01 * f64::from(age + 1)).min(0.3),
            Course::Stops if age >= 15 => 0.0,
            _ => fraud.strength,
        }
    }

    /// Counts of one night.
    fn night(&mut self, draws: &mut Draws, night: i32) -> Vec<(M, i64)> {
        let only_spends = self.fraud.as_ref().is_some_and(|f| f.course == Course::OnlySpends);
        let there = night >= self.silent_until && !(only_spends && self.strength(night) == 0.0);
        let conversions =
            if there { (self.volume * (0.15 * draws.normal()).exp()).round() as i64 } else { 0 };
        let clicks = 40 * conversions;
        let mut counts =
            vec![(M::Clicks, clicks), (M::MatureClicks, clicks), (M::MatureCost, clicks * 20_000)];
        counts.extend([(M::Cost, clicks * 20_000), (M::CostedClicks, clicks)]);
        let conversions = if only_spends { 0 } else { conversions };
        counts.extend([(M::Conversions, conversions), (M::EarningConversions, conversions)]);
        counts.extend([(M::Priced, conversions), (M::PayoutConfirmed, conversions * 1_500_000)]);
        let strength = self.strength(night);
        for (at, (part, whole, _, _, raised)) in SHARES.into_iter().enumerate() {
            let lasting = LASTS * self.sway[at];
            self.sway[at] = lasting + SWAY * (1.0f64 - LASTS * LASTS).sqrt() * draws.normal();
            let honest = 1.0 / (1.0 + (-self.logits[at] - self.sway[at]).exp());
            let faked = if self.fraud.as_ref().is_some_and(|f| f.share == at) { strength } else { 0.0 };
            let p = if raised { honest + faked * (1.0 - honest) } else { honest * (1.0 - faked) };
            let n = if whole == M::MatureClicks { clicks } else { conversions };
            if counts.iter().all(|(m, _)| *m != whole) {
                counts.push((whole, n));
            }
            counts.push((part, if only_spends { 0 } else { draws.binomial(n, p) }));
        }
        counts
    }

    /// The counts of the window, and whether there are any.
    fn window(&self) -> Option<Totals> {
        let mut sums: BTreeMap<M, i64> = BTreeMap::new();
        self.nights
            .iter()
            .rev()
            .take(WINDOW as usize)
            .flatten()
            .for_each(|(m, n)| *sums.entry(*m).or_default() += n);
        let sums: Vec<(M, i64)> = sums.into_iter().collect();
        let mut totals = Totals::counted(&sums, &[]);
        let cost = totals.get(M::MatureCost)?;
        totals.mature_cost_of.insert(Some("offer".to_owned()), cost);
        totals.earning_of.insert(Some("offer".to_owned()), totals.get(M::EarningConversions)?);
        totals.get(M::Clicks).filter(|clicks| *clicks > 0).map(|_| totals)
    }
}

fn population(draws: &mut Draws, sources: usize) -> Vec<Source> {
    let frauds = sources / 20;
    let fraud = |at: usize, draws: &mut Draws| {
        (at < frauds).then(|| Fraud {
            course: COURSES[at % COURSES.len()],
            from: FIRST + 15 + (draws.unit() * 14.0) as i32,
            strength: 0.1 + 0.2 * draws.unit(),
            share: [0, 2, 3][at / COURSES.len() % 3],
        })
    };
    (0..sources)
        .map(|at| {
            let fraud = fraud(at, draws);
            Source::draw(draws, fraud)
        })
        .collect()
}

fn measures(sources: &[Source]) -> GrainMeasures {
    let there: Vec<(usize, Arc<Totals>)> =
        sources.iter().enumerate().filter_map(|(at, s)| Some((at, Arc::new(s.window()?)))).collect();
    let key = |at: usize| vec![Some("network".to_owned()), Some(format!("{at:05}"))];
    let group = |(at, totals): &(usize, Arc<Totals>)| Group { key: key(*at), totals: totals.clone() };
    let stratum = |(place, (_, totals)): (usize, &(usize, Arc<Totals>))| Stratum {
        group: place,
        key: vec![None, None, Some("offer".to_owned())],
        mostly: vec![None; 5],
        totals: totals.clone(),
    };
    GrainMeasures {
        grain: Grain::source(),
        groups: there.iter().map(group).collect(),
        strata: there.iter().enumerate().map(stratum).collect(),
        beyond: None,
        network_clicks: Default::default(),
    }
}

fn context() -> Context {
    let mapped = [Col::ClickId, Col::ClickTime, Col::Cost, Col::Payout, Col::Status, Col::Event];
    Context {
        perspective: Some(Perspective::Buyer),
        mapped: [mapped.into(), mapped.into()],
        clicks_given: true,
        conversions_given: true,
        joined: true,
        true_transactions: true,
        typical_payout: Some(1_500_000.0),
        typical_payout_of: BTreeMap::from([(Some("offer".to_owned()), 1_500_000.0)]),
        usual_approval: Some(0.75),
        ..Context::default()
    }
}

/// The verdicts of one night by itself.
fn judged<'r>(measures: &GrainMeasures, rules: &'r RuleSet) -> Vec<Judged<'r>> {
    let context = context();
    let settings = Settings { fdr: 0.1, trusted: Vec::new(), without: Vec::new(), threads: 2 };
    let whole = |rule: &&Rule| rule.by.is_none() && rule.cut.is_none();
    let asked: Arc<[&Rule]> = rules.rules.iter().filter(whole).collect();
    let compared = profiles(measures, &context, &settings);
    let one = |(group, profile): (&Group, &clickaudit::peers::Profile)| {
        let row = Row::compute(&clickaudit::signals::Group { totals: &group.totals, context: &context });
        let texts: Vec<(Col, Option<String>)> =
            measures.grain.columns().iter().copied().zip(group.key.iter().cloned()).collect();
        let view = View::new(&row, &texts, profile);
        let mut answers = Answers::of(Arc::clone(&asked));
        asked.iter().enumerate().for_each(|(at, rule)| answers.take(at, evaluate(rule, &view)));
        let subject = Subject {
            grain: measures.grain.clone(),
            key: group.key.iter().map(|text| text.as_deref().map(Text::new)).collect(),
            profile: profile.clone(),
            answers,
            clicks: group.totals.get(M::Clicks).unwrap_or(0) as u64,
            events: Vec::new(),
            reject_classes: Vec::new(),
            fraud_reasons: Vec::new(),
            spend: None,
            revenue: None,
            at_stake: None,
            suppressed: Vec::new(),
            row,
        };
        judge(subject, &Protect::nobody())
    };
    measures.groups.iter().zip(&compared.profiles).map(one).collect()
}

fn head(night: i32) -> Head {
    let day = clickaudit::base::time::show_day;
    Head {
        schema_version: SCHEMA_VERSION,
        night: day(night),
        as_of: String::new(),
        run: String::new(),
        version: String::new(),
        grain: Vec::new(),
        currency: None,
        new_days: 1,
        window: Some((day((night - WINDOW + 1).max(FIRST)), day(night))),
        rules: String::new(),
        inputs: Vec::new(),
        clicks: 0,
        conversions: 0,
        cost: None,
        revenue: None,
        pool: Default::default(),
    }
}

/// What sixty nights came to.
#[derive(Debug, Default)]
struct Outcome {
    honest: usize,
    honest_flagged: usize,
    /// Why.
    reasons: Vec<String>,
    honest_watched: usize,
    frauds: usize,
    found: usize,
    /// Nights to the flag, of all frauds but ramps and those that only spend; never found is 999.
    to_detect: Vec<i32>,
    to_detect_spend: Vec<i32>,
    episodes: Vec<(u32, u32)>,
    ramps: usize,
    ramps_watched: usize,
    /// Honest sources flagged on any single night by itself, without hysteresis.
    honest_by_one_night: usize,
}

fn run(seed: u64, count: usize, level: f64, rules: &RuleSet) -> Outcome {
    let mut draws = Draws(seed);
    let mut sources = population(&mut draws, count);
    let mut records: Vec<Record> = Vec::new();
    let mut first_flag = vec![None; count];
    let (mut first_watch, mut one_night) = (vec![None; count], vec![false; count]);
    let mut why: Vec<Option<String>> = vec![None; count];
    for night in FIRST..FIRST + NIGHTS {
        for source in &mut sources {
            let counts = source.night(&mut draws, night);
            source.nights.push(counts);
        }
        let measures = measures(&sources);
        let mut groups = judged(&measures, rules);
        groups
            .iter()
            .filter(|g| g.verdict <= Verdict::Hold)
            .for_each(|g| one_night[place(&g.subject.key)] = true);
        let head = head(night);
        let earlier = Earlier::Records(records.clone());
        let mut memory = Memory::of(&earlier, &Grain::source(), night, &Asked::default()).expect("a memory");
        memory.slide(&earlier, &Grain::source(), head.days()).expect("no fault");
        let record = settle(&mut groups, &Grain::source(), &memory, head.days(), level).record(head);
        for line in &record.lines {
            let at: usize = line.key[1].as_ref().expect("a name").parse().expect("a number");
            let age = sources[at].fraud.as_ref().map_or(0, |f| night - f.from);
            if line.state.standing >= Standing::Flagged && age >= 0 {
                first_flag[at].get_or_insert(night);
                let rules: Vec<&str> = line.findings.iter().map(|f| f.rule.as_str()).collect();
                why[at].get_or_insert(format!(
                    "{} {}: {}",
                    line.state.reason,
                    line.state.usual,
                    rules.join(" ")
                ));
                let source = &mut sources[at];
                let comes_back = source.fraud.as_ref().is_some_and(|f| f.course == Course::ComesBack);
                if comes_back && source.silent_until == 0 {
                    source.silent_until = night + 11;
                }
            }
            if line.state.standing >= Standing::Watch && age >= 0 {
                first_watch[at].get_or_insert(night);
            }
        }
        records.push(record);
        if records.len() > WINDOW as usize + 1 {
            records.remove(0);
        }
    }
    let last = records.last().expect("nights");
    let mut outcome = Outcome::default();
    for (at, source) in sources.iter().enumerate() {
        let Some(fraud) = &source.fraud else {
            outcome.honest += 1;
            outcome.honest_flagged += usize::from(first_flag[at].is_some());
            outcome.reasons.extend(why[at].take());
            outcome.honest_watched += usize::from(first_watch[at].is_some());
            outcome.honest_by_one_night += usize::from(one_night[at]);
            continue;
        };
        outcome.frauds += 1;
        outcome.found += usize::from(first_flag[at].is_some());
        let nights = first_flag[at].map_or(999, |night: i32| night - fraud.from);
        match fraud.course {
            Course::Ramps => {
                outcome.ramps += 1;
                let seen = first_watch[at].is_some_and(|night: i32| night - fraud.from < 30);
                outcome.ramps_watched += usize::from(seen);
            }
            Course::OnlySpends => outcome.to_detect_spend.push(nights),
            _ => outcome.to_detect.push(nights),
        }
        let line = last.line(&[Some("network".to_owned()), Some(format!("{at:05}"))]);
        let periods = if fraud.course == Course::ComesBack { 2 } else { 1 };
        outcome.episodes.push((line.map_or(0, |l| l.state.episodes), periods));
    }
    outcome
}

fn place(key: &[Option<Text>]) -> usize {
    key[1].as_ref().and_then(|text| text.term(20).parse().ok()).expect("a number")
}

fn median(values: &[i32]) -> i32 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

fn wanted(name: &str, default: usize) -> usize {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}

#[test]
#[expect(clippy::print_stdout, reason = "the table of docs/validation.md")]
fn sixty_simulated_nights_keep_their_promises() {
    let rules =
        RuleSet::of(&builtin_files()).and_then(|r| r.tuned(&Tuning::default())).expect("the built-in rules");
    let (seeds, count) = (wanted("NIGHTS_SEEDS", 2), wanted("NIGHTS_SOURCES", 200));
    let level = 0.1 * A_NIGHT * wanted("NIGHTS_LEVEL", 100) as f64 / 100.0;
    let mut all = Outcome::default();
    for seed in 1..=seeds as u64 {
        let of = run(seed, count, level, &rules);
        println!("seed {seed}: {of:?}");
        all.honest += of.honest;
        all.honest_flagged += of.honest_flagged;
        all.honest_watched += of.honest_watched;
        all.honest_by_one_night += of.honest_by_one_night;
        all.frauds += of.frauds;
        all.found += of.found;
        all.ramps += of.ramps;
        all.ramps_watched += of.ramps_watched;
        all.to_detect.extend(of.to_detect);
        all.to_detect_spend.extend(of.to_detect_spend);
        all.episodes.extend(of.episodes);
    }
    let share = |n: usize| format!("{:.2} %", 100.0 * n as f64 / all.honest as f64);
    let worst =
        all.episodes.iter().map(|(found, periods)| *found as f64 / *periods as f64).fold(0.0, f64::max);
    println!("| honest sources ever flagged | {} of {} |", share(all.honest_flagged), all.honest);
    println!(
        "| honest sources ever at hold or block by a night alone | {} |",
        share(all.honest_by_one_night)
    );
    println!("| honest sources ever on watch | {} |", share(all.honest_watched));
    println!("| frauds found | {} of {} |", all.found, all.frauds);
    println!("| median nights to the flag | {} |", median(&all.to_detect));
    println!("| nights to the flag of sources that only spend | {} |", median(&all.to_detect_spend));
    println!("| most flag episodes per active period | {worst:.1} |");
    println!("| ramps on watch before they end | {} of {} |", all.ramps_watched, all.ramps);
    // One source of the short run is a quarter of a per cent: it cannot show half a per cent, and two standard
    // deviations are allowed. The long run has to keep it.
    let most = 0.005 * all.honest as f64;
    let chance = if all.honest < 5_000 { 2.0 * most.sqrt() } else { 0.0 };
    assert!(all.honest_flagged as f64 <= most + chance, "{all:?}");
    assert!(median(&all.to_detect) <= 6 && worst <= 1.0, "{all:?}");
    assert!(all.to_detect_spend.iter().all(|nights| *nights == 0), "{all:?}");
    // All of them in the short run; of many, one in twenty may end before it leaves its habits beyond doubt.
    assert!(all.ramps - all.ramps_watched <= all.ramps / 20, "{all:?}");
}
