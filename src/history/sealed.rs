//! Lines of JSON whose last one says how many there are and what they come to, so that a reader knows a file that was
//! cut off or changed.
//!
//! This finds accidents, not forgers: whoever can write the file can write its last line, too.

use crate::base::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Write};
use std::path::Path;

/// What to do about a file that is not as it was written.
pub const HELP: &str = "restore it from a backup, or move it away to go on without what it knew";

/// How the last line begins, and no other.
const MARK: &[u8] = b"{\"end\":";

/// The last line.
#[derive(Serialize, Deserialize)]
struct Last {
    end: End,
}

/// What all lines before the last come to.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct End {
    lines: u64,
    /// BLAKE3 of their bytes, hexadecimal.
    blake3: String,
}

/// Counts and digests lines as they go by.
#[derive(Default)]
struct Tally {
    lines: u64,
    digest: blake3::Hasher,
}

impl Tally {
    fn add(&mut self, line: &[u8]) {
        self.lines += 1;
        self.digest.update(line);
    }

    fn end(&self) -> End {
        End { lines: self.lines, blake3: self.digest.finalize().to_hex().to_string() }
    }
}

/// Writes lines, and the last one behind them.
///
/// # Errors
/// The sink takes no more.
pub fn write(sink: &mut dyn Write, lines: impl IntoIterator<Item = String>) -> io::Result<()> {
    let mut tally = Tally::default();
    for mut line in lines {
        line.push('\n');
        tally.add(line.as_bytes());
        sink.write_all(line.as_bytes())?;
    }
    let last = serde_json::to_string(&Last { end: tally.end() }).expect("words and numbers are JSON");
    writeln!(sink, "{last}")
}

/// How a file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With a last line that says what was read.
    Sealed,
    /// Without one: it was cut off, or is older than last lines are.
    Open,
}

/// Hands all lines but the last to `each`, with their numbers.
///
/// # Errors
/// The file cannot be read to its end, its last line speaks of others, or what `each` says.
pub fn read(
    mut file: impl BufRead,
    path: &Path,
    each: &mut dyn FnMut(u64, &[u8]) -> Result<()>,
) -> Result<Ending> {
    let (mut tally, mut line, mut last) = (Tally::default(), Vec::new(), None);
    loop {
        line.clear();
        file.read_until(b'\n', &mut line).map_err(|e| unreadable(path, e))?;
        match (line.is_empty(), line.starts_with(MARK)) {
            (true, _) => break,
            (false, true) if last.is_none() => last = serde_json::from_slice::<Last>(&line).ok(),
            (false, _) if last.is_some() => return Err(altered(path)),
            (false, _) => {
                tally.add(&line);
                each(tally.lines, line.strip_suffix(b"\n").unwrap_or(&line))?;
            }
        }
    }
    match last {
        None => Ok(Ending::Open),
        Some(last) if last.end == tally.end() => Ok(Ending::Sealed),
        Some(_) => Err(altered(path)),
    }
}

fn unreadable(path: &Path, cause: io::Error) -> Error {
    Error::input(format!("{} cannot be read to its end", path.display())).because(cause).help(HELP)
}

fn altered(path: &Path) -> Error {
    Error::input(format!("{} is not as it was written: its lines do not fit the last one", path.display()))
        .help(HELP)
}

/// The error of a file that should have a last line and has none.
pub fn cut(path: &Path) -> Error {
    Error::input(format!("{} is cut off: its last line is missing", path.display())).help(HELP)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bytes: &[u8]) -> std::result::Result<(Ending, Vec<String>), String> {
        let mut lines = Vec::new();
        let mut each = |at: u64, line: &[u8]| {
            lines.push(format!("{at} {}", String::from_utf8_lossy(line)));
            Ok(())
        };
        let ending = read(bytes, Path::new("night"), &mut each).map_err(|e| e.to_string())?;
        Ok((ending, lines))
    }

    fn written(lines: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes, lines.iter().map(|line| (*line).to_owned())).expect("memory takes everything");
        bytes
    }

    #[test]
    fn lines_come_back_as_they_were_written() {
        for lines in [vec![], vec!["{}"], vec!["a", "", "b"]] {
            let numbered: Vec<String> = (1..).zip(&lines).map(|(at, line)| format!("{at} {line}")).collect();
            assert_eq!(told(&written(&lines)), Ok((Ending::Sealed, numbered)));
        }
        assert_eq!(told(b"a\nb"), Ok((Ending::Open, vec!["1 a".to_owned(), "2 b".to_owned()])));
    }

    /// Every byte of a file counts: each of them changed, and each end cut off, is told or is an open end.
    #[test]
    fn a_changed_or_cut_file_is_known() {
        let whole = written(&["first", "second"]);
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(!matches!(told(&changed), Ok((Ending::Sealed, _))), "byte {at}");
        }
        for length in 0..whole.len() - 1 {
            assert!(!matches!(told(&whole[..length]), Ok((Ending::Sealed, _))), "{length} bytes");
        }
        let twice = [whole.as_slice(), b"third\n"].concat();
        assert_eq!(
            told(&twice),
            Err("night is not as it was written: its lines do not fit the last one".into())
        );
    }
}
