//! `--timings`: what each stage of an audit cost, from the clock and from what Linux says of the process.
//!
//! Memory is known on Linux only; elsewhere it is absent, not zero.

use super::args::TimingFormat;
use super::complain;
use crate::base::meter::Meter;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Ticks per second in which Linux counts processor time for user space, on every platform it runs on.
const TICKS: f64 = 100.0;

/// What one stage cost.
struct Lap {
    stage: &'static str,
    rows: u64,
    wall_s: f64,
    cpu_s: Option<f64>,
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
    since: Instant,
    cpu_before: Option<f64>,
}

impl Timings {
    pub fn start(format: TimingFormat) -> Timings {
        forget_peak();
        let laps = Laps { all: Vec::new(), since: Instant::now(), cpu_before: cpu_s() };
        Timings { format, laps: Arc::new(Mutex::new(laps)) }
    }

    /// What the stages are given.
    pub fn meter(&self) -> Meter {
        let laps = Arc::clone(&self.laps);
        Meter::new(move |stage, rows| {
            if let Ok(mut laps) = laps.lock() {
                laps.note(stage, rows);
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
    fn note(&mut self, stage: &'static str, rows: u64) {
        let cpu = cpu_s();
        let used = cpu.zip(self.cpu_before).map(|(now, before)| now - before);
        let [peak, held] = ["VmHWM:", "RssAnon:"].map(mib);
        let wall_s = self.since.elapsed().as_secs_f64();
        self.all.push(Lap { stage, rows, wall_s, cpu_s: used, peak_mib: peak, held_mib: held });
        forget_peak();
        (self.since, self.cpu_before) = (Instant::now(), cpu);
    }
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
    let absent = "-".to_owned();
    let mib = |known: Option<u64>| known.map_or(absent.clone(), |m| m.to_string());
    let mut lines = vec![format!(
        "{:<12} {:>9} {:>9} {:>12} {:>9} {:>9}",
        "stage", "wall s", "cpu s", "rows", "peak MiB", "held MiB"
    )];
    lines.extend(laps.iter().map(|lap| {
        let cpu = lap.cpu_s.map_or(absent.clone(), |s| format!("{s:.2}"));
        let (peak, held) = (mib(lap.peak_mib), mib(lap.held_mib));
        format!("{:<12} {:>9.3} {cpu:>9} {:>12} {peak:>9} {held:>9}", lap.stage, lap.wall_s, lap.rows)
    }));
    lines.join("\n")
}

fn json(laps: &[Lap]) -> String {
    let lap = |lap: &Lap| {
        serde_json::json!({
            "stage": lap.stage,
            "rows": lap.rows,
            "wall_s": lap.wall_s,
            "cpu_s": lap.cpu_s,
            "peak_mib": lap.peak_mib,
            "held_mib": lap.held_mib,
        })
    };
    let laps: Vec<serde_json::Value> = laps.iter().map(lap).collect();
    serde_json::json!({ "timings": laps }).to_string()
}
