//! One JSON object as flat text: `{"geo": {"country": "DE"}}` becomes `geo.country` = `DE`.
//!
//! Numbers keep their digits: an ID of 18 digits never becomes a float. Arrays stay the text they are.
//! Refuses what RFC 8259 does not allow, and nesting beyond all measure.

use std::borrow::Cow;
use std::ops::Range;

/// Objects and arrays inside each other, at most. Exports have two or three levels.
const DEEPEST: usize = 32;

/// A number with an exponent is written out up to so many digits.
const LONGEST_NUMBER: i64 = 40;

/// What stands at the end of a path.
#[derive(Debug, PartialEq)]
pub enum Leaf<'t> {
    Null,
    /// The text between the quotes, escapes resolved.
    Text(Cow<'t, [u8]>),
    /// The digits as they stand there.
    Number(&'t [u8]),
    /// `true`, `false` or a whole array, as it stands there.
    Raw(&'t [u8]),
}

impl Leaf<'_> {
    /// The text; what is null has none.
    pub fn text(&self) -> &[u8] {
        match self {
            Leaf::Null => b"",
            Leaf::Text(text) => text,
            Leaf::Number(raw) | Leaf::Raw(raw) => raw,
        }
    }
}

/// Says that a line is no JSON object.
#[derive(Debug, PartialEq)]
pub struct NoJson;

type Outcome<T> = Result<T, NoJson>;

/// Whether a line is meant to be a JSON object: a header may begin with a brace, but not with `{"`.
pub fn begins_object(line: &[u8]) -> bool {
    let Some((b'{', rest)) = line.trim_ascii_start().split_first() else { return false };
    matches!(rest.trim_ascii_start().first(), Some(b'"' | b'}'))
}

/// Hands every leaf of a JSON object in UTF-8 to `each`, with its dotted path, in the order of the text.
///
/// # Errors
/// The line is no JSON object, or nested too deep; some leaves may have been handed on by then.
pub fn flatten<'t>(line: &'t str, each: &mut dyn FnMut(&[u8], Leaf<'t>)) -> Outcome<()> {
    leaves(line, &mut |path, leaf, _| each(path, leaf))
}

/// What is done with a leaf: its path, what it is, and where in the line it stands.
type Each<'t, 'e> = dyn FnMut(&[u8], Leaf<'t>, Range<usize>) + 'e;

/// The same with the place in the line at which each leaf stands, its quotes included.
///
/// # Errors
/// Those of [`flatten`].
pub fn leaves<'t>(line: &'t str, each: &mut Each<'t, '_>) -> Outcome<()> {
    let mut walk = Walk { text: line.as_bytes(), at: 0, path: Vec::new() };
    walk.blank();
    walk.object(0, each)?;
    walk.blank();
    if walk.at == walk.text.len() { Ok(()) } else { Err(NoJson) }
}

/// A place in the text, and the path that led there.
struct Walk<'t> {
    text: &'t [u8],
    at: usize,
    path: Vec<u8>,
}

impl<'t> Walk<'t> {
    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Passes over one byte that must stand here.
    fn pass(&mut self, byte: u8) -> Outcome<()> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(NoJson)
        }
    }

    /// Passes over a byte that may stand here.
    fn takes(&mut self, byte: u8) -> bool {
        self.pass(byte).is_ok()
    }

    fn object(&mut self, depth: usize, each: &mut Each<'t, '_>) -> Outcome<()> {
        self.pass(b'{')?;
        self.blank();
        if self.takes(b'}') {
            return Ok(());
        }
        let length = self.path.len();
        loop {
            self.blank();
            let key = self.string()?;
            if length > 0 {
                self.path.push(b'.');
            }
            self.path.extend_from_slice(&key);
            self.blank();
            self.pass(b':')?;
            self.member(depth, each)?;
            self.path.truncate(length);
            self.blank();
            if !self.takes(b',') {
                return self.pass(b'}');
            }
        }
    }

    /// The value of a key.
    fn member(&mut self, depth: usize, each: &mut Each<'t, '_>) -> Outcome<()> {
        self.blank();
        if self.peek() == Some(b'{') {
            return if depth < DEEPEST { self.object(depth + 1, each) } else { Err(NoJson) };
        }
        let from = self.at;
        let leaf = match self.peek() {
            Some(b'"') => Leaf::Text(self.string()?),
            Some(b'[') => self.array(depth).map(|()| Leaf::Raw(&self.text[from..self.at]))?,
            Some(b'-' | b'0'..=b'9') => self.number().map(Leaf::Number)?,
            _ => self.word()?,
        };
        each(&self.path, leaf, from..self.at);
        Ok(())
    }

    fn word(&mut self) -> Outcome<Leaf<'t>> {
        let rest = &self.text[self.at..];
        let word =
            [&b"null"[..], b"true", b"false"].into_iter().find(|w| rest.starts_with(w)).ok_or(NoJson)?;
        self.at += word.len();
        Ok(if word == b"null" { Leaf::Null } else { Leaf::Raw(&rest[..word.len()]) })
    }

    /// Passes over an array.
    fn array(&mut self, depth: usize) -> Outcome<()> {
        if depth >= DEEPEST {
            return Err(NoJson);
        }
        self.pass(b'[')?;
        self.blank();
        if self.takes(b']') {
            return Ok(());
        }
        let path = self.path.len();
        loop {
            self.blank();
            let inner = self.member(depth + 1, &mut |_, _, _| ());
            self.path.truncate(path);
            inner?;
            self.blank();
            if !self.takes(b',') {
                return self.pass(b']');
            }
        }
    }

    fn digits(&mut self) -> Outcome<()> {
        let from = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > from { Ok(()) } else { Err(NoJson) }
    }

    fn number(&mut self) -> Outcome<&'t [u8]> {
        let from = self.at;
        self.takes(b'-');
        let whole = self.at;
        self.digits()?;
        if self.text[whole] == b'0' && self.at > whole + 1 {
            return Err(NoJson);
        }
        if self.takes(b'.') {
            self.digits()?;
        }
        if self.takes(b'e') || self.takes(b'E') {
            let _signed = self.takes(b'+') || self.takes(b'-');
            self.digits()?;
        }
        Ok(&self.text[from..self.at])
    }

    fn string(&mut self) -> Outcome<Cow<'t, [u8]>> {
        self.pass(b'"')?;
        let from = self.at;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => return self.escaped(from),
                Some(0..0x20) | None => return Err(NoJson),
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        Ok(Cow::Borrowed(&self.text[from..self.at - 1]))
    }

    /// A string with escapes, from the place of the first one.
    fn escaped(&mut self, from: usize) -> Outcome<Cow<'t, [u8]>> {
        let mut text = self.text[from..self.at].to_vec();
        loop {
            let byte = self.peek().ok_or(NoJson)?;
            self.at += 1;
            match byte {
                b'"' => return Ok(Cow::Owned(text)),
                b'\\' => self.escape(&mut text)?,
                0..0x20 => return Err(NoJson),
                _ => text.push(byte),
            }
        }
    }

    fn escape(&mut self, text: &mut Vec<u8>) -> Outcome<()> {
        let byte = self.peek().ok_or(NoJson)?;
        self.at += 1;
        text.push(match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let mut room = [0; 4];
                text.extend_from_slice(self.unicode()?.encode_utf8(&mut room).as_bytes());
                return Ok(());
            }
            _ => return Err(NoJson),
        });
        Ok(())
    }

    /// The character of `XXXX` behind `\u`, or of a surrogate pair. Half a pair is no character and becomes
    /// U+FFFD: who sends one in a user agent must not lose his row.
    fn unicode(&mut self) -> Outcome<char> {
        let first = self.unit()?;
        if !(0xd800..0xdc00).contains(&first) || !self.text[self.at..].starts_with(b"\\u") {
            return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let behind = self.at;
        self.at += 2;
        let second = self.unit()?;
        if !(0xdc00..0xe000).contains(&second) {
            self.at = behind;
            return Ok(char::REPLACEMENT_CHARACTER);
        }
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn unit(&mut self) -> Outcome<u32> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(NoJson)?;
        self.at += 4;
        digits.iter().try_fold(0, |n, &d| Ok(n * 16 + char::from(d).to_digit(16).ok_or(NoJson)?))
    }
}

/// A JSON number as amounts and times are written in text: without an exponent, with this decimal mark.
/// `1e-05` is how some writers put a small cost. What would be too long stays as it is.
pub fn plain_number(number: &[u8], mark: u8) -> Cow<'_, [u8]> {
    let Some(at) = number.iter().position(|b| matches!(b, b'e' | b'E')) else {
        return marked(number, mark);
    };
    let exponent = std::str::from_utf8(&number[at + 1..]).ok().and_then(|e| e.parse::<i64>().ok());
    let Some(exponent) = exponent.filter(|e| e.abs() <= LONGEST_NUMBER) else { return Cow::Borrowed(number) };
    let (sign, rest) =
        if number[0] == b'-' { (&b"-"[..], &number[1..at]) } else { (&b""[..], &number[..at]) };
    let point = rest.iter().position(|&b| b == b'.').unwrap_or(rest.len());
    let mut digits: Vec<u8> = rest.iter().copied().filter(|&b| b != b'.').collect();
    let mut place = point as i64 + exponent;
    while place <= 0 {
        digits.insert(0, b'0');
        place += 1;
    }
    while place > digits.len() as i64 {
        digits.push(b'0');
    }
    if (place as usize) < digits.len() {
        digits.insert(place as usize, mark);
    }
    Cow::Owned([sign, &digits].concat())
}

fn marked(number: &[u8], mark: u8) -> Cow<'_, [u8]> {
    if mark == b'.' || !number.contains(&b'.') {
        return Cow::Borrowed(number);
    }
    Cow::Owned(number.iter().map(|&b| if b == b'.' { mark } else { b }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The leaves of a line as `path=text`, or nothing if it is no JSON object.
    fn flat(line: &str) -> Option<Vec<String>> {
        let mut found = Vec::new();
        let outcome = flatten(line, &mut |path, leaf| {
            let text = match leaf {
                Leaf::Null => "null".into(),
                Leaf::Text(text) => format!("\"{}\"", String::from_utf8_lossy(&text)),
                Leaf::Number(raw) | Leaf::Raw(raw) => String::from_utf8_lossy(raw).into_owned(),
            };
            found.push(format!("{}={text}", String::from_utf8_lossy(path)));
        });
        outcome.ok().map(|()| found)
    }

    fn check(line: &str, expected: &[&str]) {
        assert_eq!(
            flat(line).as_deref(),
            Some(&expected.iter().map(|e| (*e).to_owned()).collect::<Vec<_>>()[..]),
            "{line}"
        );
    }

    #[test]
    fn objects_become_dotted_paths() {
        check("{}", &[]);
        check(
            r#" {"a": 1, "b": {"c": "x", "d": {"e": null}}, "f": true} "#,
            &["a=1", "b.c=\"x\"", "b.d.e=null", "f=true"],
        );
        check(r#"{"a": [1, {"b": [2]}, "]"], "c": {}}"#, &[r#"a=[1, {"b": [2]}, "]"]"#]);
        check(
            r#"{"id": 158291753387385241, "n": -0.10, "e": 1E+5}"#,
            &["id=158291753387385241", "n=-0.10", "e=1E+5"],
        );
        check(r#"{"a.b": 1, "a": {"b": 2}}"#, &["a.b=1", "a.b=2"]);
    }

    #[test]
    fn escapes_are_resolved() {
        check(r#"{"a": "\"\\\/\b\f\n\r\t\u00e9"}"#, &["a=\"\"\\/\u{8}\u{c}\n\r\té\""]);
        check(
            r#"{"a": "\ud83d\ude00|\ud83d|\ude00|\ud83dx|\ud83d\u0041"}"#,
            &["a=\"😀|\u{fffd}|\u{fffd}|\u{fffd}x|\u{fffd}A\""],
        );
    }

    #[test]
    fn what_is_no_json_object_is_refused() {
        let deep = format!("{}1{}", "{\"a\":".repeat(40), "}".repeat(40));
        let arrays = format!("{{\"a\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
        for line in [
            "",
            "[1]",
            "1",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\":1} x",
            "{\"a\":01}",
            "{\"a\":NaN}",
            "{\"a\":+1}",
            "{\"a\":.5}",
            "{\"a\":1.}",
            "{\"a\":1e}",
            "{\"a\":\"\t\"}",
            "{\"a\":\"",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12\"}",
            "{\"a\":[1,]}",
            "{\"a\":tru}",
            &deep,
            &arrays,
        ] {
            assert_eq!(flat(line), None, "{line}");
        }
    }

    #[test]
    fn a_header_is_no_object() {
        assert!(begins_object(b"  {\"a\": 1}") && begins_object(b"{ \"a\"") && begins_object(b"{}"));
        assert!(!begins_object(b"{gps_adid},user_id") && !begins_object(b"a,b") && !begins_object(b"{"));
    }

    #[test]
    fn numbers_are_written_out() {
        for (number, mark, plain) in [
            ("12.50", b'.', "12.50"),
            ("12.50", b',', "12,50"),
            ("1e-05", b'.', "0.00001"),
            ("-1.5E2", b'.', "-150"),
            ("1.25e1", b',', "12,5"),
            ("1772456709e3", b'.', "1772456709000"),
            ("1e400", b'.', "1e400"),
            ("0e0", b'.', "0"),
        ] {
            assert_eq!(String::from_utf8_lossy(&plain_number(number.as_bytes(), mark)), plain, "{number}");
        }
    }

    /// Pieces of JSON in any order.
    fn tokens() -> impl Strategy<Value = String> {
        let token = prop::sample::select(vec![
            "{",
            "{",
            "}",
            "}",
            "\"a\"",
            "\"a\"",
            ":",
            ":",
            ",",
            "1",
            "-0.5",
            "1e-5",
            "[",
            "]",
            "null",
            "true",
            "\"\\n\\u00e9\"",
            " ",
            "\\",
            "\"",
            "é",
        ]);
        prop::collection::vec(token, 0..16).prop_map(|tokens| tokens.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(11), ..ProptestConfig::with_cases(2_000) })]

        /// No text makes the walk panic or run away, and what another reader takes for an object, we do.
        #[test]
        fn any_text_has_an_answer(line in tokens()) {
            let theirs = serde_json::from_str::<serde_json::Value>(&line).is_ok_and(|v| v.is_object());
            prop_assert_eq!(flat(&line).is_some(), theirs, "{}", line);
        }
    }
}
