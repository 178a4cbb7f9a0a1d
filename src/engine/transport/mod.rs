//! The ways to an engine: ClickHouse over HTTP, Spark over Spark Connect.
//!
//! A query goes out with a name of its own, and what comes back counts only when the engine itself has marked its
//! end. Waiting has limits, and whoever stops waiting tells the engine to stop working. Refuses: secrets in an
//! address, a token to another machine without encryption, settings of a server under which results are silently
//! incomplete, values that are neither whole numbers nor text, and to follow a redirect.

#![cfg_attr(not(all(feature = "clickhouse", feature = "spark")), allow(dead_code))]

mod address;
#[cfg(feature = "clickhouse")]
mod clickhouse;
#[cfg(feature = "clickhouse")]
mod exchange;
mod patience;
mod secret;
#[cfg(feature = "spark")]
mod spark;
#[cfg(any(feature = "clickhouse", feature = "spark"))]
mod tls;

pub use address::{Address, Kind};
pub use patience::{Limits, Stop};
pub use secret::Secret;

use super::{Engine, EngineError, EngineFault};
use crate::base::error::{Error, Result};
use std::path::PathBuf;

/// All that is needed to speak to an engine.
pub struct Access {
    pub address: Address,
    /// `USER:PASSWORD` for ClickHouse, the bearer token for Spark.
    pub secret: Option<Secret>,
    /// Certificates to trust, in PEM, in place of those of the system.
    pub ca: Option<PathBuf>,
    pub limits: Limits,
    /// Who asks; every query is called after it.
    pub run: String,
    /// Set from outside to end the query that runs.
    pub stop: Stop,
    /// Told how far a query is.
    pub progress: Option<Box<dyn Fn(Progress)>>,
}

/// How far a query is, as far as the engine says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub rows_read: u64,
    pub bytes_read: u64,
    /// Rows that it expects to read.
    pub rows_in_all: Option<u64>,
    /// Tasks that are done, of all, where the engine counts tasks.
    pub tasks: Option<(u64, u64)>,
}

/// Opens the way that the address names, and asks the engine who it is.
///
/// # Errors
/// This build has no such way, or the engine cannot be reached or refuses us.
pub fn open(access: Access) -> Result<Box<dyn Engine>> {
    match access.address.kind {
        #[cfg(feature = "clickhouse")]
        Kind::ClickHouse => {
            Ok(Box::new(clickhouse::ClickHouse::open(access).map_err(EngineError::into_error)?))
        }
        #[cfg(feature = "spark")]
        Kind::Spark => Ok(Box::new(spark::Spark::open(access).map_err(EngineError::into_error)?)),
        #[allow(unreachable_patterns, reason = "which ways there are is decided by features")]
        kind => {
            let (name, feature) = (kind.name(), kind.feature());
            Err(Error::usage(format!("this build of clickaudit does not speak to {name}"))
                .help(format!("build it with `cargo build --release --features {feature}`")))
        }
    }
}

/// What went wrong on the way, before it is known under which name the query ran.
#[derive(Debug)]
struct Trouble {
    fault: EngineFault,
    said: String,
    help: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Trouble {
    fn new(fault: EngineFault, said: impl Into<String>) -> Trouble {
        Trouble { fault, said: said.into(), help: None, source: None }
    }

    fn help(mut self, help: impl Into<String>) -> Trouble {
        self.help = Some(help.into());
        self
    }

    fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Trouble {
        self.source = Some(source.into());
        self
    }

    /// The same as an error of a query at an address.
    fn at(self, address: &Address, tag: &str) -> EngineError {
        let Trouble { fault, said, help, source } = self;
        EngineError { fault, url: address.to_string(), tag: tag.to_owned(), said, help, source }
    }
}

/// The words of a server, short enough for a message.
fn shortened(words: &str) -> String {
    /// A message of a server may hold its whole stack or the whole query; what went wrong stands in front.
    const LONGEST: usize = 600;
    let one_line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    match one_line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} …", &one_line[..end]),
        None => one_line,
    }
}

/// Letters and digits that nobody has used before: the end of a query's name.
///
/// The standard library seeds its hash tables from the operating system; nothing of a report depends on this.
fn unique() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0_u64)
}

/// What a query is called in the engine's log: who asks, what for, and letters that no other query has.
fn tag(run: &str, name: &str) -> String {
    let words = [plain(run), plain(name), format!("{:08x}", unique() >> 32)];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

/// The name of a run or query as it may stand in an identifier, a header and a comment of SQL.
fn plain(run: &str) -> String {
    let kept = run.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let name: String = kept.take(64).collect();
    // Two hyphens would begin a comment of their own.
    name.replace("--", "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Access to a server of a test's own, as both ways need it.
    pub(super) fn access(kind: Kind, address: &str) -> Access {
        Access {
            address: Address::parse(kind, address).expect("an address"),
            secret: None,
            ca: None,
            limits: Limits { connect_s: 2, silence_s: 1, query_s: 0 },
            run: "run-1".to_owned(),
            stop: Stop::default(),
            progress: None,
        }
    }

    /// What came of a query: the column `n`, or the error with its help.
    pub(super) fn shown(found: std::result::Result<crate::engine::Answer, EngineError>) -> String {
        match found {
            Ok(answer) => format!("{:?}", answer.column("n")),
            Err(e) => format!("{:?} {e} | {}", e.fault, e.help.clone().unwrap_or_default()),
        }
    }

    #[test]
    fn a_run_can_be_called_anything() {
        for (run, expected) in [
            ("audit-7f", "audit-7f"),
            ("a */ b'; DROP", "abDROP"),
            ("x\r\ny", "xy"),
            ("ü--1", "-1"),
            ("", ""),
        ] {
            assert_eq!(plain(run), expected, "{run:?}");
        }
    }

    #[test]
    fn names_differ() {
        assert_ne!(unique(), unique());
        assert!(tag("clickaudit", "00ff-hours by source").starts_with("clickaudit-00ff-hoursbysource-"));
        assert_eq!(tag("", "").len(), 8);
    }

    #[test]
    fn long_words_are_cut_between_characters() {
        assert_eq!(shortened("a\n  b"), "a b");
        assert!(shortened(&"é".repeat(700)).ends_with("é …"));
    }
}
