//! Exit codes: one table, part of the interface; and which of them a failure ends with.

use crate::base::error::Fault;
use std::process::ExitCode;

/// How a run ended. A worse one outranks a milder one: an execution error outranks findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Completed = 0,
    Findings = 1,
    Usage = 2,
    Refused = 3,
    Braked = 4,
    OutputFailed = 5,
    Locked = 6,
    Internal = 70,
}

/// Every exit code with what it means.
pub const EXITS: &[(Exit, &str)] = &[
    (Exit::Completed, "completed; nothing at or above --fail-on"),
    (
        Exit::Findings,
        "completed; verdicts at or above --fail-on, or differences at or above --fail-on-difference",
    ),
    (Exit::Usage, "wrong usage, configuration or rules; nothing read, nothing written"),
    (Exit::Refused, "input refused or not to be judged, or no answer from an engine; no list is written"),
    (Exit::Braked, "safety brake: a list was left as it was; other outputs are written"),
    (Exit::OutputFailed, "an output failed; earlier outputs are untouched"),
    (Exit::Locked, "another run is changing the same store or lists; nothing was changed"),
    (Exit::Internal, "internal error"),
];

/// How a run ends that failed; and what is said of it, where the code means more than that.
const FAILURES: &[(Fault, Exit, Option<&str>)] = &[
    (Fault::Usage, Exit::Usage, None),
    (
        Fault::Input,
        Exit::Refused,
        Some("input refused: unreadable, malformed or not to be judged; no list is written"),
    ),
    (
        Fault::Unanswered,
        Exit::Refused,
        Some("no answer from the engine: it cannot be reached, failed or was stopped; nothing is written"),
    ),
    (Fault::Braked, Exit::Braked, None),
    (Fault::Output, Exit::OutputFailed, None),
    (Fault::Locked, Exit::Locked, None),
];

impl Exit {
    /// What the code means.
    pub fn summary(self) -> &'static str {
        EXITS.iter().find(|(exit, _)| *exit == self).map_or("", |(_, summary)| summary)
    }

    /// How a run with this failure ends, and what is said of it.
    pub fn of(fault: Fault) -> (Exit, &'static str) {
        let found = FAILURES.iter().find(|(known, ..)| *known == fault);
        let (_, exit, said) = found.expect("every fault stands in the table");
        (*exit, said.unwrap_or_else(|| exit.summary()))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_says_what_it_was() {
        for fault in
            [Fault::Usage, Fault::Input, Fault::Unanswered, Fault::Braked, Fault::Output, Fault::Locked]
        {
            assert!(!Exit::of(fault).1.is_empty());
        }
        assert_eq!((Exit::of(Fault::Input).0, Exit::of(Fault::Unanswered).0), (Exit::Refused, Exit::Refused));
        assert_ne!(Exit::of(Fault::Input).1, Exit::of(Fault::Unanswered).1);
    }
}
