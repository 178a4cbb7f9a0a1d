//! The protect list: who is judged and shown like anyone else, but never listed.
//!
//! A list that cannot be understood protects nobody, so it is an error, and so is one without any entry.
//! Where it is not certain which group an entry means, it protects all that it could mean.

use crate::base::column::{Col, Grain};
use crate::base::error::{Error, Result};
use crate::base::text::Text;
use std::collections::BTreeSet;

/// What marks a line as a table's row: no list can hold an ID with one of these.
const NOT_IN_IDS: &[char] = &[',', ';', '\t', '"', '\'', '\0'];

/// The entries of one or more protect lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protect {
    exact: BTreeSet<String>,
    globs: BTreeSet<String>,
}

impl Protect {
    /// Protects nobody: no protect list was given.
    pub fn nobody() -> Protect {
        Protect::default()
    }

    /// Reads a list: one ID per line, or `traffic source:ID`; `*` stands for any text; a comment starts
    /// with `#` at the start of a line or after a space. Upper and lower case differ.
    ///
    /// # Errors
    /// A list without an entry, and a line that is a row of a table instead of an ID.
    pub fn parse(text: &str, file: &str) -> Result<Protect> {
        let mut protect = Protect::nobody();
        for (i, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let entry = without_comment(line).trim();
            if entry.contains(NOT_IN_IDS) {
                return Err(not_an_id(file, i + 1, entry));
            }
            protect.add(entry);
        }
        if protect == Protect::nobody() {
            return Err(empty(file));
        }
        Ok(protect)
    }

    /// Protects whom either list protects.
    pub fn and(mut self, other: Protect) -> Protect {
        self.exact.extend(other.exact);
        self.globs.extend(other.globs);
        self
    }

    /// Whether an entry means this group: one of its IDs, one of them with the traffic source before it,
    /// or its line on a list. A part of a protected source is protected too.
    pub fn covers(&self, grain: &Grain, key: &[Option<Text>]) -> bool {
        names(grain, key).iter().any(|n| self.exact.contains(n) || self.globs.iter().any(|g| glob(g, n)))
    }

    /// The entries that mean none of these groups: a slip of the pen leaves a partner unprotected.
    pub fn unused<'k, I>(&self, groups: impl Fn() -> I) -> Vec<&str>
    where
        I: Iterator<Item = (&'k Grain, &'k [Option<Text>])>,
    {
        let named: BTreeSet<String> = groups().flat_map(|(grain, key)| names(grain, key)).collect();
        let exact = self.exact.iter().filter(|e| !named.contains(*e));
        let globs = self.globs.iter().filter(|g| !named.iter().any(|n| glob(g, n)));
        exact.chain(globs).map(String::as_str).take(20).collect()
    }

    fn add(&mut self, entry: &str) {
        match entry {
            "" => false,
            e if e.contains('*') => self.globs.insert(e.to_owned()),
            e => self.exact.insert(e.to_owned()),
        };
    }
}

fn without_comment(line: &str) -> &str {
    let starts = |(i, _): &(usize, &str)| line[..*i].chars().next_back().is_none_or(char::is_whitespace);
    line.match_indices('#').find(starts).map_or(line, |(i, _)| &line[..i])
}

fn not_an_id(file: &str, line: usize, entry: &str) -> Error {
    let found = Text::new(entry).term(60);
    Error::usage(format!("{file}:{line}: expected one ID per line, found {found}"))
        .help("write every protected ID on a line of its own, without quotes")
}

fn empty(file: &str) -> Error {
    Error::usage(format!("{file}: the protect list holds no ID, so it would protect nobody"))
        .help("write one ID per line, or leave the protect list out")
}

/// All names that an entry may use for a group.
pub(super) fn names(grain: &Grain, key: &[Option<Text>]) -> Vec<String> {
    let network = grain.columns().iter().position(|c| *c == Col::TrafficSource).filter(|_| key.len() > 1);
    let raw = |i: usize| key[i].as_ref().map(Text::raw);
    let mut names: Vec<String> =
        (0..key.len()).filter(|i| Some(*i) != network).filter_map(raw).map(str::to_owned).collect();
    let ids: Option<Vec<&str>> = (0..key.len()).filter(|i| Some(*i) != network).map(raw).collect();
    names.extend(ids.filter(|ids| ids.len() > 1).map(|ids| ids.join(":")));
    if let Some(network) = network.and_then(raw) {
        names.extend(names.clone().iter().map(|n| format!("{network}:{n}")));
    }
    names
}

/// Whether `text` fits `pattern`, in which `*` stands for any text; in time proportional to the product of
/// their lengths at worst.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(list: &str, grain: &str, key: &[&str]) -> bool {
        let protect = Protect::parse(list, "partners.txt").expect("a good list");
        let key: Vec<Option<Text>> = key.iter().map(|k| (!k.is_empty()).then(|| Text::new(*k))).collect();
        protect.covers(&Grain::parse(grain).expect("a grain"), &key)
    }

    #[test]
    fn an_id_is_protected_in_every_traffic_source() {
        assert!(covers("zone7\n", "source", &["propeller", "zone7"]));
        assert!(covers("zone7\n", "source", &["", "zone7"]));
        assert!(!covers("zone7\n", "source", &["propeller", "zone70"]));
        assert!(!covers("zone7\n", "source", &["zone7", "zone1"]));
        assert!(!covers("zone7\n", "source", &["propeller", "Zone7"]));
    }

    #[test]
    fn an_id_with_its_traffic_source_is_protected_there_only() {
        assert!(covers("Push House:zone7\n", "source", &["Push House", "zone7"]));
        assert!(!covers("Push House:zone7\n", "source", &["propeller", "zone7"]));
        assert!(!covers("Push House:zone7\n", "source", &["", "zone7"]));
    }

    #[test]
    fn a_part_of_a_protected_source_is_protected() {
        let key = &["propeller", "zone7", "sub1"];
        for entry in ["zone7", "sub1", "zone7:sub1", "propeller:zone7", "propeller:zone7:sub1", "propeller:*"]
        {
            assert!(covers(entry, "source,sub_source", key), "{entry}");
        }
        for entry in ["zone7:sub2", "zone:7", "sub1:zone7", "propeller"] {
            assert!(!covers(entry, "source,sub_source", key), "{entry}");
        }
    }

    #[test]
    fn a_traffic_source_alone_is_an_id() {
        assert!(covers("propeller", "traffic_source", &["propeller"]));
    }

    #[test]
    fn a_star_is_any_text() {
        for (pattern, text, fits) in [
            ("house-*", "house-12", true),
            ("house-*", "house-", true),
            ("house-*", "my-house-1", false),
            ("*-house", "my-house", true),
            ("*-house", "my-house-2", false),
            ("*", "", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("**", "x", true),
            ("é*ü", "é-ü", true),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} on {text}");
        }
    }

    #[test]
    fn comments_blank_lines_and_line_ends_are_no_entries() {
        let text = "\u{feff}# ours\r\n\r\n  zone7  # the best partner\r\na#1\n";
        let protect = Protect::parse(text, "p").expect("a good list");
        assert_eq!(protect.exact, BTreeSet::from(["zone7".to_owned(), "a#1".to_owned()]));
    }

    #[test]
    fn a_list_without_an_entry_is_an_error() {
        for text in ["", "\n\n", "# nobody\n", "\u{feff}"] {
            let error = Protect::parse(text, "partners.txt").expect_err("no entry");
            assert!(error.to_string().contains("holds no ID"), "{error}");
        }
    }

    #[test]
    fn a_row_of_a_table_is_an_error_with_its_line() {
        for row in ["zone8,zone9", "zone8;zone9", "zone8\tzone9", "\"zone8\""] {
            let error = Protect::parse(&format!("zone7\n{row}\n"), "partners.txt").expect_err("a table");
            assert!(error.to_string().starts_with("partners.txt:2: expected one ID"), "{error}");
        }
    }

    #[test]
    fn two_lists_protect_together() {
        let both = Protect::parse("a", "1").unwrap().and(Protect::parse("b*", "2").unwrap());
        let key = |id: &str| vec![None, Some(Text::new(id))];
        assert!(both.covers(&Grain::source(), &key("a")) && both.covers(&Grain::source(), &key("b1")));
    }
}
