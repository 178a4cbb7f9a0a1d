//! Lists that rules name: texts in the rule's file, or one per line in a file beside it.
//!
//! A list that cannot be read is a fault of the rule that names it: an empty list in its place would make the
//! rule say something else. A list file is bounded, and must be a plain file: a pipe would stop the run. It lies in
//! the rule's folder or below it, wherever links lead: a rule that somebody else wrote must not read what is not its
//! own and show it in a report.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest file of a list, in bytes.
const MAX_BYTES: u64 = 4 << 20;

/// Reads a list of a rule in this folder: one text per line; a comment starts with `#` at the start of a line or
/// after a space.
///
/// # Errors
/// Why it is no list, as a clause that can stand behind its name.
pub(super) fn read(folder: &Path, name: &str) -> Result<BTreeSet<String>, String> {
    let path = inside(folder, name)?;
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

/// Where the file really lies, if that is in the folder or below it.
fn inside(folder: &Path, name: &str) -> Result<PathBuf, String> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let [own, path] = [folder.to_owned(), folder.join(name)].map(|path| path.canonicalize());
    let (own, path) = (own.map_err(|e| e.to_string())?, path.map_err(|e| e.to_string())?);
    if path.starts_with(&own) { Ok(path) } else { Err("it lies outside the rule's folder".to_owned()) }
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
        let read = |name: &str| super::read(dir.path(), name);
        assert!(read("list.txt").is_err_and(|why| why.contains("No such file")));
        assert_eq!(read("."), Err("it is no plain file".to_owned()));
        std::fs::write(&file, "# nobody\n").expect("written");
        assert_eq!(read("list.txt"), Err("there is no text in it".to_owned()));
        std::fs::write(&file, "a\n".repeat(3 << 20)).expect("written");
        assert_eq!(read("list.txt"), Err("it has more than 4194304 bytes".to_owned()));
    }

    #[cfg(unix)]
    #[test]
    fn a_list_lies_in_the_folder_of_its_rule() {
        let dir = tempfile::tempdir().expect("a folder");
        let (rules, other) = (dir.path().join("rules"), dir.path().join("secret.txt"));
        std::fs::create_dir_all(rules.join("below")).expect("a folder");
        std::fs::write(&other, "a\n").expect("written");
        std::fs::write(rules.join("below/ours.txt"), "b\n").expect("written");
        std::os::unix::fs::symlink(&other, rules.join("link.txt")).expect("a link");
        std::os::unix::fs::symlink("below/ours.txt", rules.join("own.txt")).expect("a link");
        let outside = Err("it lies outside the rule's folder".to_owned());
        for name in ["../secret.txt", "below/../../secret.txt", "link.txt", &other.display().to_string()] {
            assert_eq!(read(&rules, name), outside, "{name}");
        }
        for name in ["below/ours.txt", "own.txt", &rules.join("own.txt").display().to_string()] {
            assert!(read(&rules, name).is_ok(), "{name}");
        }
    }
}
