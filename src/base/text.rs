//! Text that came from data, and one encoder per place it can go to.
//!
//! Whoever sends a click chooses its source, its user agent and its referrer, so such text is hostile: it may
//! carry terminal escapes, spreadsheet formulas, or a `*` that a blocklist reads as "everything". [`Text`] has
//! no `Display` and does not deref to `str`: the only way into an output is the encoder of that output.
//! Nothing here joins, compares or interprets the text.

use std::fmt;

/// Text from data: an ID, a name, a path, a word of an export.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text(String);

impl Text {
    /// Takes the text as it is.
    pub fn new(text: impl Into<String>) -> Text {
        Text(text.into())
    }

    /// The text itself, for comparing, sorting, hashing and opening a path; never for output.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// For a terminal or a log: one line, everything invisible as `\u{..}`, cut to `max_cells` with `…`.
    pub fn term(&self, max_cells: usize) -> String {
        fit(&visible(&self.0, is_invisible), max_cells)
    }

    /// For the value of a JSON string. JSON can carry any text, so nothing is changed here; whoever writes the
    /// document passes it through [`json_document`], which makes it harmless.
    pub fn json(&self) -> String {
        self.0.clone()
    }

    /// For a text node or a quoted attribute value of HTML: what would act is visible, cut to `max_cells` with `…`.
    pub fn html(&self, max_cells: usize) -> String {
        escaped(&fit(&visible(&self.0, is_control), max_cells))
    }

    /// For a CSV cell: no control characters, and a leading `'` where a spreadsheet would see a formula.
    /// Quoting is the CSV writer's.
    pub fn csv(&self) -> String {
        let guard = if starts_formula(&self.0) { "'" } else { "" };
        format!("{guard}{}", visible(&self.0, is_control))
    }

    /// For the name of a file or folder: what is harmless of the text, and eight digits of its digest, so that
    /// no two texts share a name and no text chooses one. Lower case, because some file systems know no other.
    pub fn file_name(&self) -> String {
        let digest = blake3::hash(self.0.as_bytes()).to_hex();
        format!("{}-{}", slug(&self.0), &digest[..8])
    }

    /// For a line of a list: the text, if it is an ID and cannot mean anything else to an ad network.
    pub fn list_id(&self) -> Option<&str> {
        (is_list_id(&self.0) && !is_placeholder(&self.0)).then_some(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({})", self.term(80))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text::new(text)
    }
}

/// A whole JSON document, as serde_json wrote it, with everything that JSON allows in a string but a terminal,
/// a browser or a script does not take well (C1, DEL, line separators, bidi controls, `<`) as `\u` escapes.
/// None of these can stand outside a string, so the meaning of the document is unchanged.
pub fn json_document(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '<' || (is_control(c) && c >= '\u{20}') {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Words of the program's own, or of a rule file, for a text node or a quoted attribute value of HTML.
pub fn html(words: &str) -> String {
    escaped(&visible(words, is_control))
}

/// Without the characters that mean anything to an HTML parser in a text node or a quoted value.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

/// The longest readable part of a file's name, in characters.
const SLUG_LENGTH: usize = 40;

/// Letters and digits of ASCII in lower case, joined by single `-`; `x` where there is none.
fn slug(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let joined = words.take(SLUG_LENGTH).collect::<Vec<_>>().join("-").to_ascii_lowercase();
    let cut = joined.get(..SLUG_LENGTH).unwrap_or(&joined).trim_end_matches('-');
    if cut.is_empty() { "x".to_owned() } else { cut.to_owned() }
}

/// The longest ID that a list takes, in characters.
const LIST_ID_LENGTH: usize = 64;

/// Words that exports write where there is no ID, in lower case.
#[rustfmt::skip]
const PLACEHOLDERS: &[&str] = &[
    "blank", "empty", "false", "n-a", "n.a", "n.a.", "na", "nan", "nil", "none", "not-set", "not.set", "not_set",
    "notset", "null", "true", "undefined", "unknown",
];

fn is_list_id(text: &str) -> bool {
    text.len() <= LIST_ID_LENGTH
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// A null word, or only zeros (`0`, the zeroed advertising ID).
fn is_placeholder(text: &str) -> bool {
    let zeros = text.bytes().all(|b| b"0._-".contains(&b));
    zeros || PLACEHOLDERS.contains(&text.to_ascii_lowercase().as_str())
}

/// First characters that make a spreadsheet read a cell as a formula, ASCII and full width.
const FORMULA: &[char] = &['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

fn starts_formula(text: &str) -> bool {
    text.trim_start_matches(|c: char| c.is_whitespace() && !FORMULA.contains(&c)).starts_with(FORMULA)
}

/// Characters that act instead of being seen, whatever version of Unicode the reader has: C0, DEL, C1, soft
/// hyphen, zero-width, bidi controls, line and paragraph separators, interlinear marks, tags.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Also everything else that shows nothing or is drawn over its neighbours: unassigned and private characters,
/// odd spaces, combining marks (as the standard library's `escape_debug` knows them), and blank letters.
fn is_invisible(c: char) -> bool {
    const BLANK_LETTERS: [char; 5] = ['\u{115f}', '\u{1160}', '\u{2800}', '\u{3164}', '\u{ffa0}'];
    let quoted = matches!(c, '\'' | '"' | '\\');
    is_control(c) || BLANK_LETTERS.contains(&c) || (!quoted && c.escape_debug().len() > 1)
}

fn visible(text: &str, hidden: fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if hidden(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Cells a visible character takes at most: everything from Hangul on is counted as wide. Never too few, so
/// that a cut text always fits.
fn cells(c: char) -> usize {
    if c < '\u{1100}' { 1 } else { 2 }
}

fn fit(text: &str, max_cells: usize) -> String {
    if text.chars().map(cells).fold(0, usize::saturating_add) <= max_cells {
        return text.to_owned();
    }
    let mut room = max_cells.saturating_sub(1);
    let mut out = String::new();
    for c in text.chars() {
        let Some(left) = room.checked_sub(cells(c)) else { break };
        room = left;
        out.push(c);
    }
    if max_cells > 0 {
        out.push('…');
    }
    out
}

/// Hostile texts for the tests of every sink.
#[cfg(test)]
pub(crate) const HOSTILE: &[&str] = &[
    "",
    " ",
    "\u{1b}[2J",
    "\u{1b}]8;;http://evil.example\u{7}click\u{1b}]8;;\u{7}",
    "\u{1b}]52;c;cm0gLXJmIC8=\u{7}",
    "good\rbad",
    "\u{9b}31m",
    "\u{7f}\u{0}\u{8}",
    "a\nb",
    "a\u{2028}b\u{2029}c",
    "evil\u{202e}gpj.exe",
    "\u{2066}x\u{2069}",
    "pub1\u{200b}",
    "pub\u{ad}1",
    "\u{feff}=1+1",
    "\u{e0041}\u{e007f}",
    "\u{3164}\u{115f}\u{2800}",
    "z\u{300}\u{301}\u{302}\u{303}",
    "\u{e000}\u{10ffff}",
    "=1+1",
    "  =cmd|' /C calc'!A0",
    "+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1+1",
    "\u{3000}＠x",
    "a,b",
    "a\"b",
    "a;b",
    "'; DROP TABLE",
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "<img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "*",
    "*::*",
    "34567::*",
    "a:b",
    "#x",
    " x",
    "x ",
    "-rf",
    "../../x",
    "{zoneid}",
    "[SUBID]",
    "${SRC}",
    "%7Bsub%7D",
    "{{campaign.id}}",
    "null",
    "NULL",
    "undefined",
    "n/a",
    "None",
    "NaN",
    "unknown",
    "(not set)",
    "not_set",
    "0",
    "00000000-0000-0000-0000-000000000000",
    "日本語",
    "pub１",
    "Мошенник",
    "\u{fffd}",
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn term(text: &str) -> String {
        Text::new(text).term(80)
    }

    fn csv(text: &str) -> String {
        Text::new(text).csv()
    }

    fn listed(text: &str) -> bool {
        Text::new(text).list_id().is_some()
    }

    #[test]
    fn a_terminal_shows_what_it_would_have_obeyed() {
        assert_eq!(term("\u{1b}[2J"), "\\u{1b}[2J");
        assert_eq!(term("\u{9b}31m"), "\\u{9b}31m");
        assert_eq!(term("good\rbad"), "good\\u{d}bad");
        assert_eq!(term("evil\u{202e}gpj"), "evil\\u{202e}gpj");
        assert_eq!(term("pub1\u{200b}"), "pub1\\u{200b}");
        assert_eq!(term("z\u{300}"), "z\\u{300}");
        assert_eq!(term("a\u{a0}b"), "a\\u{a0}b");
        assert_eq!(term("it's \"a\\b\" é ж 日"), "it's \"a\\b\" é ж 日");
    }

    #[test]
    fn a_terminal_cell_is_cut_to_its_cells() {
        assert_eq!(Text::new("abcdef").term(6), "abcdef");
        assert_eq!(Text::new("abcdefg").term(6), "abcde…");
        assert_eq!(Text::new("日本語").term(6), "日本語");
        assert_eq!(Text::new("日本語").term(5), "日本…");
        assert_eq!(Text::new("日本語").term(4), "日…");
        assert_eq!(Text::new("abc").term(0), "");
    }

    #[test]
    fn no_hostile_text_reaches_a_terminal_as_it_is() {
        for text in HOSTILE {
            let shown = term(text);
            assert!(!shown.chars().any(is_invisible), "{text:?} became {shown:?}");
            assert!(!shown.chars().any(char::is_control), "{text:?} became {shown:?}");
        }
    }

    #[test]
    fn a_spreadsheet_sees_text_instead_of_a_formula() {
        assert_eq!(csv("=1+1"), "'=1+1");
        assert_eq!(csv("  @x"), "'  @x");
        assert_eq!(csv("-2"), "'-2");
        assert_eq!(csv("\t=1"), "'\\u{9}=1");
        assert_eq!(csv("\nx"), "'\\u{a}x");
        assert_eq!(csv("＝1"), "'＝1");
        assert_eq!(csv("\u{3000}＋1"), "'\u{3000}＋1");
        assert_eq!(csv("\u{feff}=1"), "\\u{feff}=1");
        assert_eq!(csv("pub-1"), "pub-1");
        assert_eq!(csv("a=b"), "a=b");
    }

    #[test]
    fn json_escapes_what_json_alone_would_let_pass() {
        assert_eq!(json_document("a</script>"), "a\\u003c/script>");
        assert_eq!(json_document("\u{7f}\u{9b}\u{2028}"), "\\u007f\\u009b\\u2028");
        assert_eq!(json_document("\u{e0041}"), "\\udb40\\udc41");
        assert_eq!(json_document("日本 é"), "日本 é");
    }

    #[test]
    fn html_says_what_it_would_have_obeyed() {
        let html = |text: &str| Text::new(text).html(80);
        assert_eq!(html("</script><b a='\"'>&"), "&lt;/script&gt;&lt;b a=&#39;&quot;&#39;&gt;&amp;");
        assert_eq!(html("a\u{202e}b\u{0}\n"), "a\\u{202e}b\\u{0}\\u{a}");
        assert_eq!(html("日本 é"), "日本 é");
        assert_eq!(Text::new("<<<<").html(3), "&lt;&lt;…");
        assert_eq!(super::html("a < b"), "a &lt; b");
    }

    #[test]
    fn a_list_takes_ids_only() {
        for id in ["10032", "pub10032", "a.b_c-d", "0a", "10", &"x".repeat(64)] {
            assert!(listed(id), "{id}");
        }
        assert!(!listed(&"x".repeat(65)));
        for text in HOSTILE {
            assert!(!listed(text), "{text:?}");
        }
    }

    #[test]
    fn a_file_is_named_by_what_is_harmless_and_a_digest() {
        assert_eq!(Text::new("PropellerAds / 10032").file_name(), "propellerads-10032-440da7cd");
        let mut names: Vec<String> = HOSTILE.iter().map(|text| Text::new(*text).file_name()).collect();
        names.push(Text::new("../".repeat(300)).file_name());
        names.push(Text::new("a".repeat(300)).file_name());
        for name in &names {
            assert!(
                name.len() <= SLUG_LENGTH + 9 && name.starts_with(|c: char| c.is_ascii_alphanumeric()),
                "{name}"
            );
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
                "{name}"
            );
        }
        names.sort();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn debug_output_is_harmless_too() {
        assert_eq!(format!("{:?}", Text::new("\u{1b}[2J")), "Text(\\u{1b}[2J)");
    }

    proptest! {
        #[test]
        fn a_terminal_line_stays_one_line_and_fits(text in any::<String>(), max in 0usize..100) {
            let shown = Text::new(text).term(max);
            prop_assert!(shown.chars().all(|c| !is_invisible(c)));
            let used: usize = shown.chars().map(|c| if c == '…' { 1 } else { cells(c) }).sum();
            prop_assert!(used <= max);
        }

        #[test]
        fn a_csv_cell_never_starts_a_formula(text in any::<String>(), start in "[ \t\r\n=+@-]{0,3}") {
            let cell = Text::new(format!("{start}{text}")).csv();
            prop_assert!(cell.starts_with('\'') || !starts_formula(&cell));
            prop_assert!(!cell.chars().any(is_control));
        }

        #[test]
        fn html_has_no_markup_and_no_active_character(text in any::<String>(), max in 0usize..100) {
            let shown = Text::new(text).html(max);
            prop_assert!(!shown.contains(['<', '>', '"', '\'']) && !shown.chars().any(is_control));
        }

        #[test]
        fn a_json_document_has_no_active_character(text in any::<String>()) {
            let document = json_document(&text);
            prop_assert!(document.chars().all(|c| c != '<' && (c < ' ' || !is_control(c))));
        }

        #[test]
        fn a_list_id_matches_the_grammar(text in "[ -~\n]{0,70}") {
            if let Some(id) = Text::new(text.clone()).list_id() {
                prop_assert_eq!(id, text.as_str());
                prop_assert!(id.len() <= 64 && !id.starts_with(['.', '_', '-']));
                prop_assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)));
            }
        }
    }
}
