//! Brand terms in keywords and referrers, however they are spelled.
//!
//! `Lucky Casino` is bought as `lucky+casino`, sent by `lucky-casino.com` and written `Lucky%20Casino` in a
//! query; all are the same brand. Misspellings are not: who wants `lucki casino` found lists it.

use memchr::memmem::Finder;

/// The fewest letters of a brand term: a single one is found in nearly every referrer.
pub const SHORTEST: usize = 2;

/// The brand terms of a mapping, ready to be looked for.
#[derive(Clone)]
pub struct Brands(Vec<Finder<'static>>);

impl Brands {
    /// The terms in folded spelling; what [`super::mapping`] would refuse is never found.
    pub fn new(terms: &[String]) -> Brands {
        let folded = terms.iter().map(|term| folded(term.as_bytes()));
        let long_enough = folded.filter(|term| term.chars().count() >= SHORTEST);
        Brands(long_enough.map(|term| Finder::new(&term).into_owned()).collect())
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a text contains a brand term.
    pub fn named_in(&self, text: &[u8]) -> bool {
        let text = folded(text);
        self.0.iter().any(|term| term.find(text.as_bytes()).is_some())
    }
}

/// A text as brand terms are compared: percent signs decoded once, lower case, without white space, plus
/// signs, hyphens, underscores and dots. Bytes that are no UTF-8 become replacement characters.
pub fn folded(text: &[u8]) -> String {
    let decoded = percent_decoded(text);
    let is_joint = |c: &char| c.is_whitespace() || matches!(c, '+' | '-' | '_' | '.');
    let letters = String::from_utf8_lossy(&decoded);
    // Letter by letter: the lower case of a letter must not depend on where its word ends.
    letters.chars().filter(|c| !is_joint(c)).flat_map(char::to_lowercase).collect()
}

/// Replaces `%20` and the like by their bytes; a percent sign before anything else stays.
fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|b| char::from(*b).to_digit(16));
    let mut decoded = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let code = (text[at] == b'%').then(|| digit(at + 1).zip(digit(at + 2))).flatten();
        decoded.push(code.map_or(text[at], |(high, low)| (high * 16 + low) as u8));
        at += if code.is_some() { 3 } else { 1 };
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(term: &str, text: &str, expected: bool) {
        let brands = Brands::new(&[term.to_owned()]);
        assert_eq!(brands.named_in(text.as_bytes()), expected, "{term} in {text}");
    }

    #[test]
    fn a_brand_is_found_however_it_is_spelled() {
        for text in [
            "lucky casino",
            "LUCKYCASINO",
            "best+lucky+casino+bonus",
            "https://lucky-casino.com/?q=1",
            "https://www.google.com/search?q=Lucky%20Casino%20login",
            "lucky%2Bcasino",
            "l.u.c.k.y_casino",
            "lucky\u{a0}casino",
        ] {
            check("Lucky Casino", text, true);
            check("lucky%20casino", text, true);
            check("LUCKY-CASINO.com", text, text.ends_with(".com/?q=1"));
        }
    }

    #[test]
    fn another_word_is_no_brand() {
        for text in
            ["", "%", "lucky", "casino lucky", "lucky/casino", "lucky%2", "lucky%zzcasino", "lucky%25"]
        {
            check("Lucky Casino", text, false);
        }
    }

    #[test]
    fn letters_beyond_ascii_have_a_case_too() {
        check("Ставка", "https://example.ru/?q=%D0%A1%D0%A2%D0%90%D0%92%D0%9A%D0%90", true);
        check("ΟΔΟΣ", "οδοσ-bet", true);
        check("café", "caf%E9", false);
        check("100% bet", "100%25+bet", true);
    }

    #[test]
    fn nothing_is_found_where_nothing_is_looked_for() {
        assert!(Brands::new(&[]).is_empty());
        assert!(Brands::new(&["-. ".to_owned(), "x".to_owned()]).is_empty());
        assert!(!Brands::new(&[]).named_in(b"lucky casino"));
    }
}
