//! Reads a list again that a person may have edited, or a spreadsheet spoiled.

use crate::base::dialect::Dialect;
use crate::base::text::Text;
use std::collections::BTreeSet;

/// What can be wrong with a list: of several entries, and of one.
struct Wrong {
    many: &'static str,
    one: &'static str,
}

const SCIENTIFIC: Wrong = Wrong {
    many: "numbers in scientific notation: a spreadsheet has rounded IDs",
    one: "number in scientific notation: a spreadsheet has rounded an ID",
};
const ROUNDED: Wrong = Wrong {
    many: "long IDs that all end in 000: a spreadsheet has rounded them",
    one: "long ID that ends in 000: a spreadsheet has rounded it",
};
const NO_ENTRY: Wrong =
    Wrong { many: "entries that this dialect does not have", one: "entry that this dialect does not have" };
const EMPTY: Wrong = Wrong { many: "empty lines", one: "empty line" };
const REPEATED: Wrong =
    Wrong { many: "entries that stand there more than once", one: "entry that stands there more than once" };
const STRANGE: Wrong = Wrong {
    many: "entries that are not on the list as it was applied",
    one: "entry that is not on the list as it was applied",
};
const MISSING: Wrong = Wrong {
    many: "entries of the applied list that are missing",
    one: "entry of the applied list that is missing",
};

/// Something that is wrong with a list.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// The kind of fault, whatever the number.
    pub what: &'static str,
    /// The same of so many.
    pub of_so_many: &'static str,
    /// The entries concerned, a few of them.
    pub examples: Vec<Text>,
    pub count: usize,
}

/// Examples shown.
const SHOWN: usize = 5;
/// A spreadsheet keeps 15 digits of a number.
const DIGITS: usize = 15;

/// Everything that is wrong with the text of a list, beside what should stand on it, if that is known.
pub fn verify(text: &str, dialect: &Dialect, expected: Option<&[String]>) -> Vec<Finding> {
    let entries = dialect.read(text);
    let mut findings = Vec::new();
    let mut find = |wrong: &Wrong, concerned: Vec<&str>| {
        let count = concerned.len();
        if count > 0 {
            let examples = concerned.iter().take(SHOWN).map(|t| Text::new(*t).as_name()).collect();
            let of_so_many = if count == 1 { wrong.one } else { wrong.many };
            findings.push(Finding { what: wrong.many, of_so_many, examples, count });
        }
    };
    let all = || entries.iter().map(String::as_str);
    find(&SCIENTIFIC, all().filter(|t| is_scientific(t)).collect());
    find(&ROUNDED, rounded(&entries));
    find(&NO_ENTRY, all().filter(|t| dialect.fault(t).is_some()).collect());
    find(&EMPTY, text.lines().filter(|line| line.trim().is_empty()).collect());
    find(&REPEATED, repeated(&entries));
    if let Some(expected) = expected {
        let (listed, wanted): (BTreeSet<&str>, BTreeSet<&str>) =
            (all().collect(), expected.iter().map(String::as_str).collect());
        find(&STRANGE, listed.difference(&wanted).copied().collect());
        find(&MISSING, wanted.difference(&listed).copied().collect());
    }
    findings
}

/// `1.58E+18`, with whatever decimal mark.
fn is_scientific(text: &str) -> bool {
    let Some((digits, exponent)) = text.split_once(['E', 'e']) else { return false };
    let number = digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b',')) && !digits.is_empty();
    number
        && exponent.strip_prefix('+').is_some_and(|e| !e.is_empty() && e.bytes().all(|b| b.is_ascii_digit()))
}

/// The entries of more digits than a spreadsheet keeps, if there are several and all end in zeros: by chance
/// one in a thousand does.
fn rounded(entries: &[String]) -> Vec<&str> {
    let long = |t: &&str| t.len() > DIGITS && t.bytes().all(|b| b.is_ascii_digit());
    let long: Vec<&str> = entries.iter().map(String::as_str).filter(long).collect();
    if long.len() > 1 && long.iter().all(|t| t.ends_with("000")) { long } else { Vec::new() }
}

fn repeated(entries: &[String]) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    entries.iter().map(String::as_str).filter(|entry| !seen.insert(*entry)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(dialect: &str, text: &str, expected: &[(&str, usize)]) {
        let known = vec!["z1".to_owned(), "z2".to_owned()];
        let findings = verify(text, Dialect::find(dialect).expect("a dialect"), Some(&known));
        let found: Vec<(&str, usize)> =
            findings.iter().map(|f| (f.what.split(':').next().unwrap_or_default(), f.count)).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn a_list_that_was_edited_is_compared() {
        check("lines", "z1\nz2\n", &[]);
        check("comma", "z2,z1\n", &[]);
        let missing = ("entries of the applied list that are missing", 1);
        let strange = ("entries that are not on the list as it was applied", 1);
        check("lines", "z1\nz3\n", &[strange, missing]);
        check(
            "lines",
            "z1\n\nz1\nz2\n",
            &[("empty lines", 1), ("entries that stand there more than once", 1)],
        );
        check("lines", "z1\nz2\n*\n", &[("entries that this dialect does not have", 1), strange]);
    }

    #[test]
    fn what_a_spreadsheet_does_to_ids_is_seen() {
        let gone = ("entries of the applied list that are missing", 2);
        let strange = |n| ("entries that are not on the list as it was applied", n);
        check(
            "lines",
            "1.58E+18\n",
            &[
                ("numbers in scientific notation", 1),
                ("entries that this dialect does not have", 1),
                strange(1),
                gone,
            ],
        );
        check(
            "lines",
            "1582917533873852000\n1582917533873859000\n",
            &[("long IDs that all end in 000", 2), strange(2), gone],
        );
        check("lines", "1582917533873852417\n1582917533873859000\n", &[strange(2), gone]);
    }
}
