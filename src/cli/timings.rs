//! `--timings`: what each stage of an audit cost, from the clock and from what Linux says of the process.
//!
//! Memory is known on Linux only; elsewhere it is absent, not zero.

use super::args::TimingFormat;
use super::complain;
use crate::base::meter::{Mark, Meter};
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Ticks per second in which Linux counts processor time for user space, on every platform it runs on.
const TICKS: f64 = 100.0;

/// Why a stage or a step of one costs what it costs, in a run over the days of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cost {
    /// Each day by itself: what is new is read and counted, all days are added up.
    AddsUp,
    /// What must be exact over all days together.
    OverWindow,
    /// What is made of the groups, however many rows they have.
    Judging,
}

/// The kinds of cost: their names in JSON, and what they are called in text.
const COSTS: &[(Cost, &str, &str)] = &[
    (Cost::AddsUp, "adds_up", "what adds up over days"),
    (Cost::OverWindow, "over_window", "what must be exact over the window"),
    (Cost::Judging, "judging", "what is made of the groups"),
];

/// The cost of stages and, after a stage, of its steps.
const KINDS: &[(&str, Cost)] = &[
    ("ingest", Cost::AddsUp),
    ("clean", Cost::OverWindow),
    ("matching", Cost::OverWindow),
    ("repeats", Cost::OverWindow),
    ("counting", Cost::AddsUp),
    ("merging", Cost::AddsUp),
    ("cuts", Cost::OverWindow),
    ("log", Cost::OverWindow),
    ("conversions", Cost::OverWindow),
    ("groups", Cost::Judging),
    ("measures", Cost::Judging),
    ("peers", Cost::Judging),
    ("rules", Cost::Judging),
    ("report", Cost::Judging),
    ("outputs", Cost::Judging),
];

/// What a stage or a step cost.
#[derive(Clone, Copy, Default)]
struct Spent {
    rows: u64,
    wall_s: f64,
    cpu_s: Option<f64>,
}

impl Spent {
    fn add(&mut self, other: Spent) {
        self.rows += other.rows;
        self.wall_s += other.wall_s;
        self.cpu_s = match (self.cpu_s, other.cpu_s) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        };
    }
}

/// One stage.
struct Lap {
    stage: &'static str,
    spent: Spent,
    /// Its steps in the order in which they were first done; what is left of it is no step.
    steps: Vec<(&'static str, Spent)>,
    rest: Spent,
    /// The most memory that was resident while it ran, mapped files included, in MiB.
    peak_mib: Option<u64>,
    /// The memory that was no file's when it ended, in MiB.
    held_mib: Option<u64>,
}

/// Takes the time of the stages of one run.
#[derive(Clone)]
pub struct Timings {
    format: TimingFormat,
    laps: Arc<Mutex<Laps>>,
}

struct Laps {
    all: Vec<Lap>,
    /// Steps of the stage that is going on.
    steps: Vec<(&'static str, Spent)>,
    since: Instant,
    cpu_before: Option<f64>,
}

impl Timings {
    pub fn start(format: TimingFormat) -> Timings {
        forget_peak();
        let laps = Laps { all: Vec::new(), steps: Vec::new(), since: Instant::now(), cpu_before: cpu_s() };
        Timings { format, laps: Arc::new(Mutex::new(laps)) }
    }

    /// What the stages are given.
    pub fn meter(&self) -> Meter {
        let laps = Arc::clone(&self.laps);
        Meter::new(move |mark, rows| {
            let Ok(mut laps) = laps.lock() else { return };
            match mark {
                Mark::Stage(stage) => laps.stage(stage, rows),
                Mark::Step(step) => laps.step(step, rows),
            }
        })
    }

    /// Says on stderr what the stages cost.
    pub fn tell(&self) {
        let Ok(laps) = self.laps.lock() else { return };
        complain(&match self.format {
            TimingFormat::Text => text(&laps.all),
            TimingFormat::Json => json(&laps.all),
        });
    }
}

impl Laps {
    /// What was spent since the last stage or step.
    fn spent(&mut self, rows: u64) -> Spent {
        let cpu = cpu_s();
        let cpu_s = cpu.zip(self.cpu_before).map(|(now, before)| now - before);
        let spent = Spent { rows, wall_s: self.since.elapsed().as_secs_f64(), cpu_s };
        (self.since, self.cpu_before) = (Instant::now(), cpu);
        spent
    }

    fn step(&mut self, step: &'static str, rows: u64) {
        let spent = self.spent(rows);
        match self.steps.iter_mut().find(|(known, _)| *known == step) {
            Some((_, of_step)) => of_step.add(spent),
            None => self.steps.push((step, spent)),
        }
    }

    fn stage(&mut self, stage: &'static str, rows: u64) {
        let rest = self.spent(rows);
        let steps = std::mem::take(&mut self.steps);
        let mut spent = rest;
        steps.iter().for_each(|(_, of_step)| spent.add(Spent { rows: 0, ..*of_step }));
        let [peak_mib, held_mib] = ["VmHWM:", "RssAnon:"].map(mib);
        self.all.push(Lap { stage, spent, steps, rest, peak_mib, held_mib });
        forget_peak();
    }
}

/// What all stages and steps of a kind cost together.
fn by_cost(laps: &[Lap], kind: Cost) -> Spent {
    let mut all = Spent::default();
    let is = |name: &str| KINDS.iter().any(|(known, cost)| *known == name && *cost == kind);
    for lap in laps {
        let own = std::iter::once((lap.stage, lap.rest));
        let steps = lap.steps.iter().copied().chain(own).filter(|(name, _)| is(name));
        steps.for_each(|(_, spent)| all.add(Spent { rows: 0, ..spent }));
    }
    all
}

/// Processor time of all threads so far: fields 14 and 15 of the line, counted behind the name.
fn cpu_s() -> Option<f64> {
    let line = fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = line.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS)
}

fn mib(name: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? >> 10)
}

/// Lets the peak begin anew; where that is not allowed it is the peak since the start.
fn forget_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}

fn text(laps: &[Lap]) -> String {
    let known = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let line = |name: &str, spent: &Spent, memory: [Option<u64>; 2]| {
        let cpu = known(spent.cpu_s.map(|s| format!("{s:.2}")));
        let [peak, held] = memory.map(|mib| known(mib.map(|m| m.to_string())));
        format!("{name:<14} {:>9.3} {cpu:>9} {:>12} {peak:>9} {held:>9}", spent.wall_s, spent.rows)
    };
    let mut lines = vec![format!(
        "{:<14} {:>9} {:>9} {:>12} {:>9} {:>9}",
        "stage", "wall s", "cpu s", "rows", "peak MiB", "held MiB"
    )];
    for lap in laps {
        lines.push(line(lap.stage, &lap.spent, [lap.peak_mib, lap.held_mib]));
        lines.extend(lap.steps.iter().map(|(step, spent)| line(&format!("  {step}"), spent, [None, None])));
    }
    lines.extend(COSTS.iter().map(|(kind, _, words)| {
        let spent = by_cost(laps, *kind);
        let cpu = known(spent.cpu_s.map(|s| format!("{s:.2}")));
        format!("{words}: {:.3} s, {cpu} s of processor time", spent.wall_s)
    }));
    lines.join("\n")
}

fn json(laps: &[Lap]) -> String {
    let step = |(step, spent): &(&'static str, Spent)| {
        serde_json::json!({
            "step": step, "rows": spent.rows, "wall_s": spent.wall_s, "cpu_s": spent.cpu_s,
        })
    };
    let lap = |lap: &Lap| {
        serde_json::json!({
            "stage": lap.stage,
            "rows": lap.spent.rows,
            "wall_s": lap.spent.wall_s,
            "cpu_s": lap.spent.cpu_s,
            "peak_mib": lap.peak_mib,
            "held_mib": lap.held_mib,
            "steps": lap.steps.iter().map(step).collect::<Vec<_>>(),
        })
    };
    let cost = |(kind, name, _): &(Cost, &str, &str)| {
        let spent = by_cost(laps, *kind);
        ((*name).to_owned(), serde_json::json!({"wall_s": spent.wall_s, "cpu_s": spent.cpu_s}))
    };
    let costs: serde_json::Map<String, serde_json::Value> = COSTS.iter().map(cost).collect();
    let laps: Vec<serde_json::Value> = laps.iter().map(lap).collect();
    serde_json::json!({ "timings": laps, "totals": costs }).to_string()
}
