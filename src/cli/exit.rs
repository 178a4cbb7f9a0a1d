//! Exit codes: one table, part of the interface.

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
    (Exit::Refused, "input refused: unreadable, malformed or not to be judged; no list is written"),
    (Exit::Braked, "safety brake: a list was left as it was; other outputs are written"),
    (Exit::OutputFailed, "an output failed; earlier outputs are untouched"),
    (Exit::Locked, "another run is changing the same store or lists; nothing was changed"),
    (Exit::Internal, "internal error"),
];

impl Exit {
    /// What the code means.
    pub fn summary(self) -> &'static str {
        EXITS.iter().find(|(exit, _)| *exit == self).map_or("", |(_, summary)| summary)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}
