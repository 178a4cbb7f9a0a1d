//! A Parquet file is read by another process first.
//!
//! The engine trusts lengths that stand in the file: one flipped bit makes it ask for more memory than there
//! is, and a failed allocation ends a process without any chance to say why. So the program starts itself
//! again to decode every column that will be needed, within limits of memory and time. Only what that process
//! has survived is read here. Refuses to take a file's own word for how large it is.

use super::parquet;
use super::table::{open, stream};
use crate::base::error::{Error, Result};
use polars::prelude::{Expr, col};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The hidden command that reads a file and says nothing if it could.
pub const COMMAND: &str = "read-parquet";

/// The address space of the reading process: room for its threads, and for what the file unpacks to.
const ADDRESS_SPACE: u64 = 8 << 30;
const ADDRESS_SPACE_PER_BYTE: u64 = 16;

/// CPU seconds of the reading process: a minute, and one more for each MiB. It decodes some 50 MiB a second.
const CPU_SECONDS: u64 = 60;

/// Characters of what the reading process said that are told.
const LONGEST_REASON: usize = 300;

/// Sets the limits, then becomes the program. Without a shell there are no limits, but still a process.
const LIMITED: &str = r#"ulimit -c 0; ulimit -v "$1"; ulimit -t "$2"; shift 2; exec "$@""#;

/// Reads untrusted files in a process of its own.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// This program; without it files are read at the risk of the process.
    pub program: Option<PathBuf>,
}

impl Guard {
    /// Lets the other process read the columns that stand at these places, or only the file's description.
    ///
    /// # Errors
    /// It failed: the file is damaged, or no Parquet at all.
    pub fn try_reading(&self, path: &Path, places: &[usize]) -> Result<()> {
        let Some(program) = &self.program else { return Ok(()) };
        let size = std::fs::metadata(path).map_err(|e| Error::reading(path, e))?.len();
        let places: Vec<String> = places.iter().map(ToString::to_string).collect();
        let words: Vec<OsString> = vec![
            program.into(),
            COMMAND.into(),
            format!("--columns={}", places.join(",")).into(),
            "--".into(),
            path.into(),
        ];
        let output = limited(size, &words).or_else(|_| quiet(&words[0], &words[1..]));
        let output = output.map_err(|e| {
            Error::input(format!("cannot start {} to read {} safely", program.display(), path.display()))
                .because(e)
        })?;
        if output.status.success() { Ok(()) } else { Err(damaged(path, &output)) }
    }
}

fn limited(size: u64, words: &[OsString]) -> io::Result<Output> {
    if !cfg!(unix) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let memory = ADDRESS_SPACE.saturating_add(size.saturating_mul(ADDRESS_SPACE_PER_BYTE)) >> 10;
    let seconds = CPU_SECONDS + (size >> 20);
    let mut all: Vec<OsString> = vec!["-c".into(), LIMITED.into(), "sh".into()];
    all.extend([memory.to_string().into(), seconds.to_string().into()]);
    all.extend_from_slice(words);
    quiet(&OsString::from("sh"), &all)
}

fn quiet(program: &OsString, arguments: &[OsString]) -> io::Result<Output> {
    Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).output()
}

fn damaged(path: &Path, output: &Output) -> Error {
    let said = String::from_utf8_lossy(&output.stderr);
    let because = said.lines().find_map(|line| line.trim().strip_prefix("because: ")).map(str::to_owned);
    let first = || said.lines().find(|line| !line.trim().is_empty()).unwrap_or("nothing was said");
    let gave_up = || format!("the engine gave up ({}): {}", output.status, first());
    let reason: String = because.unwrap_or_else(gave_up).chars().take(LONGEST_REASON).collect();
    Error::input(format!("{} is damaged: the engine cannot read it", path.display()))
        .because(io::Error::other(reason))
        .help("nothing of it was used: export or copy it again")
}

/// What the other process does: decodes the columns at these places and forgets them.
///
/// # Errors
/// The file cannot be read.
pub fn read_and_forget(path: &Path, places: &[usize]) -> Result<()> {
    let names = parquet::headers(path)?;
    let columns: Vec<Expr> = places.iter().filter_map(|&at| names.get(at)).map(|n| col(n.as_str())).collect();
    if columns.is_empty() {
        return Ok(());
    }
    stream(open(path)?.select(columns), path, &mut |_| Ok(()))
}
