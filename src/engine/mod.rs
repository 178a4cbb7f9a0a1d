//! Measuring on an engine of the user's, where the clicks are: a warehouse, a cluster, a tracker's own database.
//!
//! The heavy stage is written as one portable text of SQL and runs there; what comes back are whole numbers and
//! texts, and everything after it is the same as for files. An answer counts only when its end is proven, an
//! approximate function never feeds a rule, and a text from data or configuration enters SQL through one encoder
//! only. Refuses: to change anything at the engine, and to guess what a cut-off answer would have said.

mod count;
pub mod dialect;
mod numbers;
mod plan;
mod render;
mod result;
mod tables;
pub mod transport;

pub use count::{Counter, EngineCounter, FileCounter, columns, distinct, printed, refuse_unasked, written};
pub use plan::Wish;
pub use tables::{MONEY, TIMES, TableWords, Tables};

pub use crate::base::answer::{Answer, Column, Values};
use crate::base::error::{Error, Fault};
use std::fmt;

/// An engine that queries run on.
pub trait Engine {
    /// Runs one query to its proven end. `name` is what the engine's log calls it by; `tables` are small tables of our own that the query names; they are
    /// there for this query only.
    ///
    /// # Errors
    /// One chain with the URL and the tag of the query.
    fn query(&self, name: &str, sql: &str, tables: &[(&str, &Answer)]) -> Result<Answer, EngineError>;

    /// The columns of a table, name and type, in its order.
    ///
    /// # Errors
    /// One chain with the URL and the tag of the query.
    fn columns(&self, table: &str) -> Result<Vec<(String, String)>, EngineError>;

    /// The names of the tables in a schema, or in the one that queries begin in.
    ///
    /// # Errors
    /// One chain with the URL and the tag of the query.
    fn tables(&self, schema: Option<&str>) -> Result<Vec<String>, EngineError>;
}

/// What kind of failure it is: what the reader should do follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineFault {
    /// The address is none, or nobody answers there.
    Unreachable,
    /// User, password or token are wrong, or the user may not read.
    Denied,
    /// A table that is not there.
    NoTable,
    /// A column that is not there.
    NoColumn,
    /// A limit of memory, time or rows was hit.
    Limit,
    /// The answer ended before its end was proven.
    CutShort,
    /// It took longer than the run wants to wait.
    TimedOut,
    /// Somebody ended it.
    Cancelled,
    /// Anything else that the engine says of a query.
    Refused,
}

/// A query that failed, as one chain.
#[derive(Debug)]
pub struct EngineError {
    pub fault: EngineFault,
    /// Where the engine is, without credentials.
    pub url: String,
    /// What the query is called in the engine's own log.
    pub tag: String,
    /// What the engine, or the way to it, said.
    pub said: String,
    /// What to do next, where it is known.
    pub help: Option<String>,
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EngineError { url, tag, said, .. } = self;
        write!(f, "{url}: {said} (query {tag})")
    }
}

impl std::error::Error for EngineError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as _)
    }
}

impl EngineError {
    /// The same as the run's error: wrong names and credentials are the configuration's fault, the rest is no answer.
    pub fn into_error(self) -> Error {
        let wrong = matches!(self.fault, EngineFault::Denied | EngineFault::NoTable | EngineFault::NoColumn);
        let message = self.to_string();
        let fault = if wrong { Fault::Usage } else { Fault::Unanswered };
        let mut error = Error::new(fault, message);
        error.help = self.help;
        error.source = self.source;
        error
    }
}
