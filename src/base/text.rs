//! Text that came from data, and one encoder per place it can go to.
//!
//! Whoever sends a click chooses its source, its user agent and its referrer, so such text is hostile: it may
//! carry terminal escapes, spreadsheet formulas, or a `*` that a blocklist reads as "everything"; and it may be
//! personal: an address, an e-mail address. [`Text`] has no `Display` and does not deref to `str`: the only way into
//! an output is the encoder of that output, and what is personal is masked on every such way unless a run was told
//! otherwise. Lists alone take the text itself: what is masked cannot be blocked. Nothing here joins, compares or
//! interprets the text.

use super::privacy::{Pii, Role, covered};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::io::{self, Write};

/// Text from data: an ID, a name, a path, a word of an export.
#[derive(Clone)]
pub struct Text {
    raw: String,
    cover: Cover,
}

/// What an output shows of a text.
#[derive(Clone)]
enum Cover {
    /// What is personal is masked, as in a text of this kind.
    Masked(Role),
    /// This in its place.
    By(Box<str>),
    /// All of it.
    Open,
}

impl Text {
    /// Takes the text as it is.
    pub fn new(text: impl Into<String>) -> Text {
        Text { raw: text.into(), cover: Cover::Masked(Role::Text) }
    }

    /// The ID of a click, a conversion or a transaction.
    pub fn id(text: impl Into<String>) -> Text {
        Text { raw: text.into(), cover: Cover::Masked(Role::Id) }
    }

    /// What the user wrote, such as a path or a flag: nothing in it is masked.
    pub fn of_user(text: impl Into<String>) -> Text {
        Text { raw: text.into(), cover: Cover::Open }
    }

    /// Settles what outputs show of what is personal in the text.
    pub fn cover(&mut self, pii: &Pii) {
        let Cover::Masked(role) = self.cover else { return };
        match covered(&self.raw, pii, role) {
            Some(shown) => self.cover = Cover::By(shown.into()),
            // Nothing in it is personal: it need not be looked through again.
            None => self.cover = Cover::Open,
        }
    }

    /// The same text as the name of a group that has far more clicks than a device.
    pub fn as_name(mut self) -> Text {
        if let Cover::Masked(role @ Role::Text) = &mut self.cover {
            *role = Role::Name;
        }
        self
    }

    /// The same text, settled for outputs.
    pub fn covered(mut self, pii: &Pii) -> Text {
        self.cover(pii);
        self
    }

    /// The text itself, for comparing, sorting, hashing and opening a path; never for output.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    fn shown(&self) -> Cow<'_, str> {
        let masked =
            |role| covered(&self.raw, &Pii::Mask, role).map_or(Cow::Borrowed(&*self.raw), Cow::Owned);
        match &self.cover {
            Cover::Masked(role) => masked(*role),
            Cover::By(shown) => Cow::Borrowed(shown),
            Cover::Open => Cow::Borrowed(&self.raw),
        }
    }

    /// For a terminal, a log or a plain text: one line, everything invisible as `\u{..}`, cut to `max_cells`
    /// with `…`.
    pub fn term(&self, max_cells: usize) -> String {
        fit(&visible(head(&self.shown(), max_cells), is_invisible), max_cells)
    }

    /// For the value of a JSON string. JSON can carry any text, so nothing is changed here; whoever writes the
    /// document passes it through [`json_document`] or [`JsonWriter`], which make it harmless.
    pub fn json(&self) -> String {
        self.shown().into_owned()
    }

    /// For a text node or a quoted attribute value of HTML: what would act is visible, cut to `max_cells` with `…`.
    pub fn html(&self, max_cells: usize) -> String {
        escaped(&fit(&visible(head(&self.shown(), max_cells), is_control), max_cells))
    }

    /// For a CSV cell: no control characters, and a leading `'` where a spreadsheet would see a formula.
    /// Quoting is the CSV writer's.
    pub fn csv(&self) -> String {
        let shown = self.shown();
        let guard = if starts_formula(&shown) { "'" } else { "" };
        format!("{guard}{}", visible(&shown, is_control))
    }

    /// For a text cell of a workbook, which no program takes for a formula or a link: no control characters, none
    /// of the workbook's own escapes (`_x0041_`), and at most as many characters as a cell holds.
    pub fn xlsx(&self) -> String {
        let shown = visible(&self.shown(), is_control);
        let whole = escape_escapes(&shown);
        match whole.char_indices().nth(CELL_LENGTH) {
            None => whole,
            Some(_) => whole.chars().take(CELL_LENGTH - 1).chain(['…']).collect(),
        }
    }

    /// For Markdown: one line, what Markdown or HTML would act on at its place behind a backslash or as an entity,
    /// cut to `max_cells`.
    pub fn md(&self, max_cells: usize) -> String {
        markdown(&self.term(max_cells))
    }

    /// For a chat message of any service: one line, what would mention, link or format as `\u{..}`, cut to
    /// `max_cells`.
    pub fn chat(&self, max_cells: usize) -> String {
        let active = |c: char| "@<>&*~`|[]".contains(c) || is_invisible(c);
        let linked = |text: String| text.replace("://", ":\\u{2f}/").replace("www.", "www\\u{2e}");
        fit(&linked(visible(head(&self.shown(), max_cells), active)), max_cells)
    }

    /// For the value of a label of Prometheus's text format, without its quotes.
    pub fn prom(&self) -> String {
        self.term(usize::MAX).replace('\\', "\\\\").replace('"', "\\\"")
    }

    /// For a text column of a Parquet file, which carries any text and acts on none.
    pub fn parquet(&self) -> String {
        self.shown().into_owned()
    }

    /// For the name of a file or folder: what is harmless of the text, and eight digits of a digest, so that no
    /// text chooses its name. Lower case, because some file systems know no other.
    pub fn file_name(&self) -> String {
        let shown = self.shown();
        let digest = blake3::hash(shown.as_bytes()).to_hex();
        format!("{}-{}", slug(&shown), &digest[..8])
    }

    /// For a line of a list: the text, if it is an ID and cannot mean anything else to an ad network.
    pub fn list_id(&self) -> Option<&str> {
        (is_list_id(&self.raw) && !is_placeholder(&self.raw)).then_some(&self.raw)
    }
}

/// A line of at most `width` cells, wrapped at words where it is longer; what follows its first line is indented.
/// Without a width nothing is wrapped. The words are encoded already.
pub fn wrapped(first: &str, indent: usize, words: &str, width: Option<usize>) -> String {
    let width = width.unwrap_or(usize::MAX);
    let mut text = String::new();
    let mut end = |line: &str| {
        text.push_str(line.trim_end());
        text.push('\n');
    };
    let mut line = format!("{first:indent$}");
    let mut bare = true;
    for word in words.split(' ') {
        if !bare && line.chars().count() + 1 + word.chars().count() > width {
            end(&line);
            line = " ".repeat(indent);
            bare = true;
        }
        if !bare {
            line.push(' ');
        }
        line.push_str(word);
        bare = false;
    }
    end(&line);
    text
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({})", self.term(80))
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        self.raw == other.raw
    }
}

impl Eq for Text {}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.raw.hash(state);
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Text) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Text) -> Ordering {
        self.raw.cmp(&other.raw)
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
    harmless_json(text, |part| out.push_str(part));
    out
}

fn harmless_json(text: &str, mut out: impl FnMut(&str)) {
    let mut plain = 0;
    for (at, c) in text.char_indices() {
        if c == '<' || (c >= '\u{7f}' && is_control(c)) {
            out(&text[plain..at]);
            for unit in c.encode_utf16(&mut [0; 2]) {
                out(&format!("\\u{unit:04x}"));
            }
            plain = at + c.len_utf8();
        }
    }
    out(&text[plain..]);
}

/// A sink for JSON as serde_json writes it that passes it on harmless, as [`json_document`] does, without holding
/// the document.
pub struct JsonWriter<W>(W);

impl<W: Write> JsonWriter<W> {
    /// Passes everything on to `sink`.
    pub fn new(sink: W) -> JsonWriter<W> {
        JsonWriter(sink)
    }
}

impl<W: Write> Write for JsonWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    /// Takes whole characters only, which is how serde_json writes.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_ascii() && !bytes.contains(&b'<') && !bytes.contains(&0x7f) {
            return self.0.write_all(bytes);
        }
        let text = std::str::from_utf8(bytes).map_err(io::Error::other)?;
        let mut written = Ok(());
        harmless_json(text, |part| {
            if written.is_ok() {
                written = self.0.write_all(part.as_bytes());
            }
        });
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Characters that a cell of a workbook holds.
const CELL_LENGTH: usize = 32_767;

/// `_x0041_` is an A to a spreadsheet: its first `_` is written as an escape itself.
fn escape_escapes(text: &str) -> String {
    let escapes = |rest: &str| {
        let bytes = rest.as_bytes();
        bytes.len() >= 7
            && bytes[1] == b'x'
            && bytes[6] == b'_'
            && bytes[2..6].iter().all(u8::is_ascii_hexdigit)
    };
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match c {
            '_' if escapes(&text[at..]) => out.push_str("_x005F_"),
            c => out.push(c),
        }
    }
    out
}

/// Without what means anything to Markdown (CommonMark and its dialects on GitHub and GitLab) inside a line, a cell
/// or a heading, and at the beginning of an item.
fn markdown(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let numbered = chars.iter().take_while(|c| c.is_ascii_digit()).count();
    let mut out = String::with_capacity(text.len());
    for (at, &c) in chars.iter().enumerate() {
        let (before, after) = (at.checked_sub(1).map(|at| chars[at]), chars.get(at + 1).copied());
        let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let starts = at == 0;
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' => out.push_str("&#64;"),
            '&' if word(after) || after == Some('#') => out.push_str("&amp;"),
            // The beginnings of addresses and of small pictures.
            ':' if word(after) || matches!(after, Some('/' | '+' | '-' | '_')) => out.push_str("&#58;"),
            '.' if out.to_ascii_lowercase().ends_with("www") => out.push_str("&#46;"),
            '#' if word(after) => out.push_str("&#35;"),
            '_' if word(before) && word(after) => out.push(c),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' => out.extend(['\\', c]),
            '#' | '-' | '+' | '=' if starts => out.extend(['\\', c]),
            '.' | ')' if numbered > 0 && at == numbered => out.extend(['\\', c]),
            c => out.push(c),
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

/// Whether a text stands for no ID: a null word, or only zeros (`0`, the zeroed advertising ID).
pub fn is_placeholder(text: &str) -> bool {
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

/// As much of a text as can make a difference where it is cut to so many cells: no character takes less than one.
fn head(text: &str, max_cells: usize) -> &str {
    match text.char_indices().nth(max_cells.saturating_add(1)) {
        Some((at, _)) => &text[..at],
        None => text,
    }
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
    "\"><svg onload=alert(1)>",
    "\u{0}",
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
    fn a_workbook_cell_holds_text_and_no_escape_of_its_own() {
        let xlsx = |text: &str| Text::new(text).xlsx();
        assert_eq!(xlsx("=1+1"), "=1+1");
        assert_eq!(xlsx("1582917533873852417"), "1582917533873852417");
        assert_eq!(xlsx("a_x0041_b"), "a_x005F_x0041_b");
        assert_eq!(xlsx("\u{1b}[2J\u{0}"), "\\u{1b}[2J\\u{0}");
        let long = xlsx(&"é".repeat(40_000));
        assert!(long.chars().count() == CELL_LENGTH && long.ends_with('…'));
    }

    #[test]
    fn markdown_and_chats_show_what_they_would_have_obeyed() {
        let md = |text: &str| Text::new(text).md(80);
        assert_eq!(md("pub-1.x"), "pub-1.x");
        assert_eq!(md("*a*_b_|`c`|[d](e)"), "\\*a\\*\\_b\\_\\|\\`c\\`\\|\\[d\\](e)");
        assert_eq!(md("<img src=x> &amp; @here"), "&lt;img src=x&gt; &amp;amp; &#64;here");
        assert_eq!(md("a\nb"), "a\\\\u{a}b");
        assert_eq!(md("ctit_share 61.2% of 240 (55–67%, limit: above 30%) & more; a = b!"), {
            "ctit_share 61.2% of 240 (55–67%, limit: above 30%) & more; a = b!"
        });
        assert_eq!(
            md("https://WWW.evil.example :smile: #1"),
            "https&#58;//WWW&#46;evil.example &#58;smile: &#35;1"
        );
        for (text, shown) in
            [("# x", "\\# x"), ("- x", "\\- x"), ("12. x", "12\\. x"), ("1) x", "1\\) x"), ("===", "\\===")]
        {
            assert_eq!(md(text), shown);
        }
        let chat = |text: &str| Text::new(text).chat(80);
        assert_eq!(chat("zone_12"), "zone_12");
        assert_eq!(chat("@here <!all> *x*"), "\\u{40}here \\u{3c}!all\\u{3e} \\u{2a}x\\u{2a}");
        assert_eq!(chat("http://evil.example"), "http:\\u{2f}/evil.example");
        for text in HOSTILE {
            assert!(!md(text).contains(['\n', '<', '>', '@']), "{text:?}");
            assert!(!chat(text).contains(['\n', '<', '>', '@', '*', '`']), "{text:?}");
        }
    }

    #[test]
    fn a_label_ends_where_it_ends() {
        assert_eq!(Text::new("a\"b\\c\nd").prom(), "a\\\"b\\\\c\\\\u{a}d");
    }

    #[test]
    fn personal_values_are_masked_on_every_way_out_but_that_of_lists() {
        let text = Text::new("203.0.113.77");
        let ways: [fn(&Text) -> String; 9] = [
            |t| t.term(99),
            Text::json,
            Text::csv,
            Text::xlsx,
            |t| t.md(99),
            |t| t.chat(99),
            Text::prom,
            Text::parquet,
            Text::file_name,
        ];
        for way in ways {
            assert!(
                !way(&text).contains("203.0.113.77") && !way(&text).contains("203-0-113-77"),
                "{}",
                way(&text)
            );
            assert!(way(&text.clone().covered(&Pii::Raw)).contains("113"));
        }
        assert_eq!(text.list_id(), Some("203.0.113.77"));
        assert_eq!(text.clone().covered(&Pii::Raw).csv(), "203.0.113.77");
        let key = crate::base::privacy::Key::new([1; 32]);
        assert!(text.covered(&Pii::Hash(key)).csv().starts_with("ip-"));
        assert_eq!(Text::of_user("203.0.113.77").term(99), "203.0.113.77");
        let device = "AEBE52E7-03EE-455A-B3C4-E57283966239";
        assert_eq!((Text::new(device).json(), Text::id(device).json()), ("AEBE52E7-…".into(), device.into()));
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
        fn a_streamed_document_is_the_document(texts in proptest::collection::vec(any::<String>(), 0..5)) {
            let mut streamed = Vec::new();
            serde_json::to_writer(JsonWriter::new(&mut streamed), &texts).unwrap();
            let whole = json_document(&serde_json::to_string(&texts).unwrap());
            prop_assert_eq!(String::from_utf8(streamed).unwrap(), whole);
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
