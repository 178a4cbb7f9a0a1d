//! The user's list of crawlers: patterns that their user agents contain. The only home of regex.
//!
//! Two forms are read: the JSON of crawler-user-agents (a list of objects with a `pattern`), and plain lines.

use crate::base::error::{Error, Result, read_small};
use crate::base::text::Text;
use regex::bytes::{Regex, RegexSet, RegexSetBuilder};
use std::path::{Path, PathBuf};

/// What the compiled patterns may take: 1,500 of them take about 10 MiB.
const SIZE: usize = 128 << 20;

/// So many wrong patterns are told.
const TOLD: usize = 5;

/// Patterns of which one is enough.
#[derive(Debug)]
pub struct Crawlers {
    set: RegexSet,
}

impl Crawlers {
    /// Reads the patterns of all files.
    ///
    /// # Errors
    /// A file that cannot be read, and every pattern that is none.
    pub fn load(paths: &[PathBuf]) -> Result<Crawlers> {
        let mut all: Vec<String> = Vec::new();
        for path in paths {
            let text = read_small(path, "crawler list")?;
            let patterns = patterns(text.trim_start_matches('\u{feff}'), path)?;
            refuse_wrong(&patterns, path)?;
            all.extend(patterns.into_iter().map(|(_, pattern)| pattern));
        }
        let set = RegexSetBuilder::new(&all).unicode(false).size_limit(SIZE).dfa_size_limit(SIZE).build();
        let set = set.map_err(|e| {
            Error::usage("the crawler lists are too large together")
                .because(e)
                .help("give fewer or simpler patterns")
        })?;
        Ok(Crawlers { set })
    }

    /// Number of patterns.
    pub fn len(&self) -> usize {
        self.set.len()
    }

    /// Whether a user agent is a crawler's.
    pub fn know(&self, agent: &[u8]) -> bool {
        self.set.is_match(agent)
    }
}

/// An entry of crawler-user-agents; what else it says is not needed.
#[derive(serde::Deserialize)]
struct Entry {
    pattern: String,
}

/// The patterns of a file, each with where it stands.
fn patterns(text: &str, path: &Path) -> Result<Vec<(String, String)>> {
    let found: Vec<(String, String)> = if text.trim_start().starts_with('[') && text.trim_end().ends_with(']')
    {
        let entries: Vec<Entry> = serde_json::from_str(text).map_err(|e| {
            Error::usage(format!("the crawler list {} is no list of patterns", path.display()))
                .because(e)
                .help("expected JSON such as [{\"pattern\": \"Googlebot\"}], or one pattern a line")
        })?;
        entries.into_iter().enumerate().map(|(at, e)| (format!("entry {}", at + 1), e.pattern)).collect()
    } else {
        let lines =
            text.lines().enumerate().map(|(at, line)| (format!("line {}", at + 1), line.trim().to_owned()));
        lines.filter(|(_, line)| !line.is_empty() && !line.starts_with("# ") && line != "#").collect()
    };
    if found.is_empty() {
        return Err(Error::usage(format!("the crawler list {} is empty", path.display())));
    }
    Ok(found)
}

/// A pattern that cannot be read, or that every user agent has, would silently mark nobody or everybody.
fn refuse_wrong(patterns: &[(String, String)], path: &Path) -> Result<()> {
    let fault = |(place, pattern): &(String, String)| {
        let shown = Text::new(pattern.as_str()).term(80);
        match regex::bytes::RegexBuilder::new(pattern).unicode(false).build() {
            Err(e) => {
                let why = e.to_string();
                let last = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                Some(format!("{place}: `{shown}` is no pattern: {last}"))
            }
            Ok(regex) => {
                matches_anything(&regex).then(|| format!("{place}: `{shown}` fits every user agent"))
            }
        }
    };
    let mut faults: Vec<String> = patterns.iter().filter_map(fault).collect();
    if faults.is_empty() {
        return Ok(());
    }
    let more =
        if faults.len() > TOLD { format!("\n  and {} more", faults.len() - TOLD) } else { String::new() };
    faults.truncate(TOLD);
    let message =
        format!("the crawler list {} has wrong patterns\n  {}{more}", path.display(), faults.join("\n  "));
    Err(Error::usage(message).help("patterns are regular expressions without look-around; case matters"))
}

fn matches_anything(regex: &Regex) -> bool {
    regex.is_match(b"") || regex.is_match(b"\x01")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Crawlers> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        Crawlers::load(&[file.path().to_owned()])
    }

    #[test]
    fn both_forms_are_read() {
        let json = r#"[{"pattern": "Googlebot\\/", "url": "x", "instances": []}, {"pattern": "^curl"}]"#;
        for list in [json, "# crawlers\nGooglebot\\/\n\n^curl\n"] {
            let list = of(list).expect("a list");
            assert_eq!(list.len(), 2);
            assert!(list.know(b"Mozilla/5.0 (compatible; Googlebot/2.1)") && list.know(b"curl/8.0"));
            assert!(!list.know(b"Mozilla/5.0 curl") && !list.know(b"googlebot/2.1") && !list.know(b""));
        }
    }

    #[test]
    fn wrong_patterns_are_told() {
        let fault = of("Googlebot\n(?!x)y\na(b\n.*\n").expect_err("three wrong patterns").message;
        for part in ["line 2: `(?!x)y`", "line 3: `a(b`", "line 4: `.*` fits every"] {
            assert!(fault.contains(part), "{part}: {fault}");
        }
        for text in ["[{\"name\": \"x\"}]", "[1, 2]", "", "# \n"] {
            of(text).map(|_| ()).expect_err(text);
        }
    }
}
