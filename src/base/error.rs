//! A failed world: one chain of what was tried, with the path in it.
//!
//! Wrong user files are [`crate::base::diag::Diag`]s; too little data is a result. Neither is an error.

use std::path::Path;

/// What kind of failure it is; the command line turns it into the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Wrong usage, configuration or rules: nothing was read, nothing written.
    Usage,
    /// The input cannot be used.
    Input,
    /// A list would come out as nobody wants it: it stays as it was.
    Braked,
    /// An output could not be written; earlier outputs are untouched.
    Output,
    /// Another run is at work on the same folder.
    Locked,
    /// An engine gave no answer: it cannot be reached, failed, or was stopped.
    Unanswered,
}

/// An error with what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub fault: Fault,
    pub message: String,
    /// One sentence on what to do next, where there is one.
    pub help: Option<String>,
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of this kind.
    pub fn new(fault: Fault, message: impl Into<String>) -> Error {
        Error { fault, message: message.into(), help: None, source: None }
    }

    /// Wrong usage or configuration.
    pub fn usage(message: impl Into<String>) -> Error {
        Error::new(Fault::Usage, message)
    }

    /// Input that cannot be used.
    pub fn input(message: impl Into<String>) -> Error {
        Error::new(Fault::Input, message)
    }

    /// An output that could not be written.
    pub fn output(message: impl Into<String>) -> Error {
        Error::new(Fault::Output, message)
    }

    /// Adds what to do next.
    pub fn help(mut self, help: impl Into<String>) -> Error {
        self.help = Some(help.into());
        self
    }

    /// Adds the cause.
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        self.source = Some(source.into());
        self
    }

    /// A file of ours or the user's that could not be read.
    pub fn reading(path: &Path, source: std::io::Error) -> Error {
        Error::input(format!("cannot read {}", path.display())).because(source)
    }

    /// An output that could not be written.
    pub fn writing(path: &Path, source: std::io::Error) -> Error {
        Error::output(format!("cannot write {}", path.display())).because(source)
    }
}

/// The result of anything that may fail with the world.
pub type Result<T> = std::result::Result<T, Error>;

/// A text file of the user's that is small by its nature: a mapping, a project file, a list.
const SMALL: u64 = 16 << 20;

/// Reads a small text file whole.
///
/// # Errors
/// It cannot be read, is no UTF-8, or is far too large to be what it is meant to be.
pub fn read_small(path: &Path, what: &str) -> Result<String> {
    use std::io::Read;
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(SMALL + 1).read_to_string(&mut text));
    read.map_err(|e| Error::usage(format!("cannot read the {what} {}", path.display())).because(e))?;
    if text.len() as u64 > SMALL {
        return Err(Error::usage(format!("the {what} {} is larger than 16 MiB", path.display())));
    }
    Ok(text)
}
