//! Lists that rules name: texts in the rule's file, or one per line in a file beside it.
//!
//! A list that cannot be read is a fault of the rule that names it: an empty list in its place would make the
//! rule say something else. A list file is bounded, and must be a plain file: a pipe would stop the run.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The largest file of a list, in bytes.
const MAX_BYTES: u64 = 4 << 20;

/// Reads a list: one text per line; a comment starts with `#` at the start of a line or after a space.
///
/// # Errors
/// Why it is no list, as a clause that can stand behind its name.
pub(super) fn read(path: &Path) -> Result<BTreeSet<String>, String> {
    let metadata = path.metadata().map_err(|e| e.to_string())?;
    if !metadata.is_file() {
        return Err("it is no plain file".to_owned());
    }
    let mut text = String::new();
    let file = File::open(path).map_err(|e| e.to_string())?;
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(|e| e.to_string())?;
    if text.len() as u64 > MAX_BYTES {
        return Err(format!("it has more than {MAX_BYTES} bytes"));
    }
    let texts = texts(&text);
    if texts.is_empty() { Err("there is no text in it".to_owned()) } else { Ok(texts) }
}

fn texts(text: &str) -> BTreeSet<String> {
    let lines = text.trim_start_matches('\u{feff}').lines().map(|line| without_comment(line).trim());
    lines.filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn without_comment(line: &str) -> &str {
    let starts = |(at, _): &(usize, &str)| line[..*at].chars().next_back().is_none_or(char::is_whitespace);
    line.match_indices('#').find(starts).map_or(line, |(at, _)| &line[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_per_line() {
        let read = texts("\u{feff}# partners\n pub1 \r\npub#2 # ours\n\npub1\n");
        assert_eq!(read.into_iter().collect::<Vec<_>>(), ["pub#2", "pub1"]);
    }

    #[test]
    fn what_is_no_list_is_said() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("list.txt");
        assert!(read(&file).is_err_and(|why| why.contains("No such file")));
        assert_eq!(read(dir.path()), Err("it is no plain file".to_owned()));
        std::fs::write(&file, "# nobody\n").expect("written");
        assert_eq!(read(&file), Err("there is no text in it".to_owned()));
        std::fs::write(&file, "a\n".repeat(3 << 20)).expect("written");
        assert_eq!(read(&file), Err("it has more than 4194304 bytes".to_owned()));
    }
}
