//! What is piped in, kept as a file in a folder of the run's own: Parquet is read from its end, and a file
//! whose currency or keys turn out late is read twice. Either needs more than a stream.

use super::folder;
use crate::base::error::{Error, Result};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The name of stdin among the inputs. A file of this name is `./-`.
pub const NAME: &str = "-";

/// The bytes of stdin as a file; it goes with the value.
#[derive(Debug)]
pub struct Spool {
    pub path: PathBuf,
    _folder: TempDir,
}

impl Spool {
    /// Reads stdin to its end.
    ///
    /// # Errors
    /// Stdin cannot be read, or the temporary folder takes no more.
    pub fn fill() -> Result<Spool> {
        let folder = folder()?;
        let path = folder.path().join("stdin");
        let file = File::create(&path).map_err(|e| Error::writing(&path, e))?;
        let mut file = BufWriter::with_capacity(1 << 20, file);
        let copied = io::copy(&mut io::stdin().lock(), &mut file).and_then(|_| file.flush());
        copied.map_err(|e| {
            Error::input("cannot keep what comes from stdin").because(e).help(format!(
                "it is kept in {} while the run lasts; set TMPDIR to a folder with more room",
                std::env::temp_dir().display()
            ))
        })?;
        Ok(Spool { path, _folder: folder })
    }
}

/// Whether an input is stdin.
pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == NAME
}

/// Where an input's bytes are.
pub fn place<'p>(stdin: Option<&'p Spool>, path: &'p Path) -> &'p Path {
    stdin.filter(|_| is_stdin(path)).map_or(path, |spool| &spool.path)
}

/// An error that speaks of stdin and not of the file that stands for it.
pub fn speaking(stdin: Option<&Spool>, error: Error) -> Error {
    let Some(spool) = stdin else { return error };
    let path = spool.path.display().to_string();
    Error { message: error.message.replace(&path, "stdin"), ..error }
}
