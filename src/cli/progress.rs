//! How far a run is, for a person who waits: one line on stderr that is written over, and gone when the run ends.
//!
//! Never in a pipe, never with `--quiet` or `--log json`, and not before two seconds: a short run flickers otherwise.

use super::log;
use crate::base::meter::{Mark, Meter};
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Before this nothing is shown, and from then on so often.
const PATIENCE: Duration = Duration::from_secs(2);
const BEAT: Duration = Duration::from_millis(200);

/// What is going on until a stage says that it is done, by the stage.
const STAGES: &[(&str, &str)] = &[
    ("ingest", "reading"),
    ("clean", "looking for duplicates"),
    ("matching", "matching conversions with clicks"),
    ("measures", "counting"),
    ("peers", "comparing sources"),
    ("rules", "asking rules"),
    ("report", "putting the report together"),
    ("outputs", "writing"),
];

/// Shows how far a run is.
pub struct Progress {
    shown: Arc<Shown>,
    beat: Option<JoinHandle<()>>,
}

struct Shown {
    stage: AtomicUsize,
    over: AtomicBool,
    /// Held while the line is written, so that nothing is written after the end.
    line: Mutex<bool>,
}

impl Progress {
    /// Begins to show, if anybody looks.
    pub fn start(quiet: bool) -> Option<Progress> {
        if quiet || log::is_json() || !std::io::stderr().is_terminal() {
            return None;
        }
        let shown = Arc::new(Shown {
            stage: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            line: Mutex::new(false),
        });
        let since = Instant::now();
        let beating = Arc::clone(&shown);
        let beat = std::thread::spawn(move || {
            while !beating.over.load(Ordering::Relaxed) {
                std::thread::sleep(BEAT);
                if since.elapsed() >= PATIENCE {
                    beating.show(&sentence(beating.stage.load(Ordering::Relaxed), since.elapsed()));
                }
            }
        });
        Some(Progress { shown, beat: Some(beat) })
    }

    /// Takes note of finished stages, and hands them on.
    pub fn meter(&self, other: Meter) -> Meter {
        let shown = Arc::clone(&self.shown);
        Meter::new(move |mark, rows| {
            if let Some(at) = STAGES.iter().position(|(name, _)| mark == Mark::Stage(name)) {
                shown.stage.store(at + 1, Ordering::Relaxed);
            }
            other.note(mark, rows as usize);
        })
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.shown.over.store(true, Ordering::Relaxed);
        if let Some(beat) = self.beat.take() {
            drop(beat.join());
        }
        self.shown.clear();
    }
}

impl Shown {
    fn show(&self, sentence: &str) {
        let Ok(mut there) = self.line.lock() else { return };
        if !self.over.load(Ordering::Relaxed) {
            *there = write!(std::io::stderr(), "\r\u{1b}[K{sentence}").is_ok();
        }
    }

    fn clear(&self) {
        let Ok(there) = self.line.lock() else { return };
        if *there {
            let _ = write!(std::io::stderr(), "\r\u{1b}[K");
        }
    }
}

/// `counting (4 of 8), 12 s`.
fn sentence(stage: usize, since: Duration) -> String {
    let at = stage.min(STAGES.len() - 1);
    format!("{} ({} of {}), {} s", STAGES[at].1, at + 1, STAGES.len(), since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_is_going_on() {
        assert_eq!(sentence(0, Duration::from_millis(2_900)), "reading (1 of 8), 2 s");
        assert_eq!(sentence(4, Duration::from_secs(70)), "comparing sources (5 of 8), 70 s");
        assert_eq!(sentence(9, Duration::from_secs(70)), "writing (8 of 8), 70 s");
    }

    #[test]
    fn nobody_is_shown_anything_in_a_pipe() {
        assert!(Progress::start(true).is_none());
    }
}
