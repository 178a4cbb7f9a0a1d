//! How long to wait for an engine, and when to stop.
//!
//! Waiting is cut into short pieces, so that a stop from outside is seen soon. The clock is read for one end only:
//! whether there is a result at all. No result depends on it.

use super::Trouble;
use crate::engine::EngineFault;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long to wait for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For somebody to answer the door.
    pub connect_s: u64,
    /// For the next sign of life. A server that reports progress gives one every second.
    pub silence_s: u64,
    /// For one query in all; 0 is for ever.
    pub query_s: u64,
}

impl Limits {
    /// Ten seconds reach any host that is there. Spark ends a silent stream after two minutes, so that silence of
    /// five is none of its own; a query over a month of clicks may take hours.
    pub const USUAL: Limits = Limits { connect_s: 10, silence_s: 300, query_s: 0 };
}

/// A wish from outside that all waiting ends; copies share it.
#[derive(Clone, Debug)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    idle: Arc<AtomicBool>,
}

impl Default for Stop {
    fn default() -> Stop {
        Stop { asked: Arc::new(AtomicBool::new(false)), idle: Arc::new(AtomicBool::new(true)) }
    }
}

impl Stop {
    /// Ends all waiting.
    pub fn stop(&self) {
        self.asked.store(true, Ordering::SeqCst);
    }

    /// Whether waiting shall end.
    pub fn is_set(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// What a signal sets.
    pub fn asked(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.asked)
    }

    /// Set while no engine is waited for: then nobody would see the wish.
    pub fn idle(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.idle)
    }
}

/// The piece that waiting is cut into: what a person who pressed Ctrl-C does not notice.
pub(super) const PIECE: Duration = Duration::from_millis(200);

/// Why waiting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Waited {
    #[error("nothing came for {0} s")]
    Silence(u64),
    #[error("it was not done after {0} s")]
    Query(u64),
    #[error("it was stopped from outside")]
    Stopped,
}

impl Waited {
    pub(super) fn trouble(self) -> Trouble {
        let fault = match self {
            Waited::Stopped => EngineFault::Cancelled,
            Waited::Silence(_) | Waited::Query(_) => EngineFault::TimedOut,
        };
        Trouble::new(fault, self.to_string())
    }
}

/// The patience for one query.
pub(super) struct Patience<'p> {
    limits: Limits,
    stop: Stop,
    began: std::time::Instant,
    /// Pieces in which nothing came.
    silences: std::cell::Cell<u64>,
    /// Says of a silent engine whether it is at work.
    at_work: Option<Box<dyn Fn() -> bool + 'p>>,
    /// Silence that was forgiven, because it was.
    forgiven: std::cell::Cell<Duration>,
}

impl<'p> Patience<'p> {
    pub(super) fn new(limits: Limits, stop: &Stop) -> Patience<'p> {
        stop.idle.store(false, Ordering::SeqCst);
        Patience {
            limits,
            stop: stop.clone(),
            began: std::time::Instant::now(),
            silences: std::cell::Cell::new(0),
            at_work: None,
            forgiven: std::cell::Cell::new(Duration::ZERO),
        }
    }

    /// With somebody who says whether a silent engine is at work: then silence is not held against it.
    pub(super) fn asking(mut self, at_work: impl Fn() -> bool + 'p) -> Patience<'p> {
        self.at_work = Some(Box::new(at_work));
        self
    }

    /// For what is done beside or after a query: a few seconds, whatever was said before.
    pub(super) fn short() -> Patience<'p> {
        let limits = Limits { connect_s: 3, silence_s: 3, query_s: 5 };
        Patience::new(limits, &Stop::default())
    }

    pub(super) fn connect(&self) -> Duration {
        Duration::from_secs(self.limits.connect_s.max(1))
    }

    /// In how many pieces nothing came until now.
    pub(super) fn silences(&self) -> u64 {
        self.silences.get()
    }

    /// Asked after every piece in which nothing came; `silent` is how long that is already.
    pub(super) fn ask(&self, silent: Duration) -> Result<(), Waited> {
        let Limits { silence_s, query_s, .. } = self.limits;
        self.silences.set(self.silences.get() + u64::from(!silent.is_zero()));
        let since = silent.checked_sub(self.forgiven.get()).unwrap_or(silent);
        if self.stop.is_set() {
            Err(Waited::Stopped)
        } else if silence_s > 0 && since >= Duration::from_secs(silence_s) && !self.forgives(silent) {
            Err(Waited::Silence(silence_s))
        } else if query_s > 0 && self.began.elapsed() >= Duration::from_secs(query_s) {
            Err(Waited::Query(query_s))
        } else {
            Ok(())
        }
    }

    fn forgives(&self, silent: Duration) -> bool {
        let at_work = self.at_work.as_ref().is_some_and(|at_work| at_work());
        if at_work {
            self.forgiven.set(silent);
        }
        at_work
    }
}

impl Drop for Patience<'_> {
    fn drop(&mut self) {
        self.stop.idle.store(true, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends() {
        let stop = Stop::default();
        let patience = Patience::new(Limits { connect_s: 0, silence_s: 2, query_s: 0 }, &stop);
        assert_eq!(patience.connect(), Duration::from_secs(1));
        assert_eq!(patience.ask(Duration::from_millis(1999)), Ok(()));
        assert_eq!(patience.ask(Duration::from_secs(2)), Err(Waited::Silence(2)));
        stop.stop();
        assert_eq!(patience.ask(Duration::ZERO), Err(Waited::Stopped));
        assert!(!stop.idle().load(Ordering::SeqCst));
        drop(patience);
        assert!(stop.idle().load(Ordering::SeqCst));
    }

    #[test]
    fn an_engine_at_work_may_be_silent() {
        let limits = Limits { connect_s: 1, silence_s: 2, query_s: 0 };
        let asked = std::cell::Cell::new(0);
        let at_work = || {
            asked.set(asked.get() + 1);
            asked.get() < 3
        };
        let patience = Patience::new(limits, &Stop::default()).asking(at_work);
        for (silent, expected) in
            [(2, Ok(())), (3, Ok(())), (4, Ok(())), (1, Ok(())), (6, Err(Waited::Silence(2)))]
        {
            assert_eq!(patience.ask(Duration::from_secs(silent)), expected, "{silent}");
        }
        assert_eq!(asked.get(), 3);
    }

    #[test]
    fn a_query_has_a_limit_even_if_something_comes() {
        let patience = Patience::new(Limits { connect_s: 1, silence_s: 0, query_s: 1 }, &Stop::default());
        assert_eq!(patience.ask(Duration::from_secs(900)), Ok(()));
        std::thread::sleep(Duration::from_millis(1050));
        assert_eq!(patience.ask(Duration::ZERO), Err(Waited::Query(1)));
    }
}
