//! The lines of a text export with other fields in them, and nothing else changed.

use super::fields::{Masker, Treatment};
use super::{Counts, Work};
use crate::base::error::{Error, Result};
use crate::ingest::{Leaf, leaves};
use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::ops::Range;

/// A longer line is refused: no export has one.
const LONGEST: usize = 64 << 20;

/// The byte that begins a file in UTF-8 of some programs.
const MARK: &str = "\u{feff}";

fn failed(cause: std::io::Error) -> Error {
    Error::output("the output cannot be written").because(cause)
}

/// The next line with its end; empty at the end of the file.
fn line(work: &Work, reader: &mut dyn BufRead) -> Result<String> {
    let mut bytes = Vec::new();
    let unreadable = |e| {
        Error::input(format!("{} is damaged or cut off", work.path.display()))
            .because(e)
            .help("export it again")
    };
    reader.read_until(b'\n', &mut bytes).map_err(unreadable)?;
    if bytes.len() > LONGEST {
        return Err(Error::input(format!("{}: a line is longer than 64 MiB", work.path.display())));
    }
    // What is not UTF-8 is a reject wherever it is read; a replacement character leaks none of it.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A line without its end, and the end.
fn parts(line: &str) -> (&str, &str) {
    let text = line.trim_end_matches(['\n', '\r']);
    line.split_at(text.len())
}

/// Rewrites an export of fields between separators.
///
/// # Errors
/// The file cannot be read, or the sink takes no more.
pub fn delimited(
    work: &Work,
    delimiter: u8,
    reader: &mut dyn BufRead,
    out: &mut dyn Write,
    masker: &mut Masker,
) -> Result<Counts> {
    let delimiter = char::from(delimiter);
    header(work, reader, out)?;
    let mut counts = Counts::default();
    loop {
        let mut record = line(work, reader)?;
        if record.is_empty() {
            return Ok(counts);
        }
        while work.side.multiline && is_open(parts(&record).0, delimiter) {
            let more = line(work, reader)?;
            if more.is_empty() {
                break;
            }
            record.push_str(&more);
        }
        let (text, end) = parts(&record);
        if text.trim().is_empty() {
            out.write_all(record.as_bytes()).map_err(failed)?;
            continue;
        }
        counts.rows += 1;
        let fields = fields(text, delimiter);
        let whole = fields.len() == work.treatments.len() && !is_open(text, delimiter);
        counts.broken += u64::from(!whole);
        let treatments = work.treatments.iter().copied().filter(|_| whole);
        let treatments = treatments.chain(std::iter::repeat(Treatment::Unknown));
        let masked: Vec<String> =
            fields.iter().zip(treatments).map(|(field, t)| field_of(field, t, work, masker)).collect();
        let text = masked.join(delimiter.encode_utf8(&mut [0; 4]));
        out.write_all(text.as_bytes()).and_then(|()| out.write_all(end.as_bytes())).map_err(failed)?;
    }
}

/// Passes over everything up to the header, and the header.
fn header(work: &Work, reader: &mut dyn BufRead, out: &mut dyn Write) -> Result<()> {
    loop {
        let text = line(work, reader)?;
        out.write_all(text.as_bytes()).map_err(failed)?;
        let inner = text.trim_start_matches(MARK).trim();
        if text.is_empty() || !(inner.is_empty() || inner.starts_with("sep=")) {
            return Ok(());
        }
    }
}

/// The fields of a record as they stand there, quotes included.
fn fields(text: &str, delimiter: char) -> Vec<&str> {
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let end = end_of_field(rest, delimiter);
        fields.push(&rest[..end]);
        match rest[end..].strip_prefix(delimiter) {
            Some(more) => rest = more,
            None => return fields,
        }
    }
}

/// Where the first field ends. A quoted one may hold separators; a stray or unclosed quote is a character.
fn end_of_field(text: &str, delimiter: char) -> usize {
    let plain = || text.find(delimiter).unwrap_or(text.len());
    if !text.starts_with('"') {
        return plain();
    }
    match closing(text) {
        Some(at) => text[at..].find(delimiter).map_or(text.len(), |more| at + more),
        None => plain(),
    }
}

/// Behind the quote that closes a quoted field.
fn closing(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    loop {
        at += bytes.get(at..)?.iter().position(|b| *b == b'"')? + 1;
        if bytes.get(at) == Some(&b'"') {
            at += 1;
        } else {
            return Some(at);
        }
    }
}

/// Whether the last field is quoted and not closed.
fn is_open(text: &str, delimiter: char) -> bool {
    fields(text, delimiter).last().is_some_and(|last| last.starts_with('"') && closing(last).is_none())
}

/// A field with another value, quoted if it was.
fn field_of(field: &str, treatment: Treatment, work: &Work, masker: &mut Masker) -> String {
    let inner = field.strip_prefix('"').and_then(|f| f.strip_suffix('"')).filter(|_| field.len() >= 2);
    match inner {
        Some(inner) => {
            let value = inner.replace("\"\"", "\"");
            format!("\"{}\"", masker.masked(treatment, &value, &work.side).replace('"', "\"\""))
        }
        None => masker.masked(treatment, field, &work.side),
    }
}

// ---------------------------------------------------------------- objects

/// Rewrites an export with one JSON object a line.
///
/// # Errors
/// The file cannot be read, or the sink takes no more.
pub fn objects(
    work: &Work,
    reader: &mut dyn BufRead,
    out: &mut dyn Write,
    masker: &mut Masker,
) -> Result<Counts> {
    let treatments: BTreeMap<&str, Treatment> =
        work.names.iter().map(String::as_str).zip(work.treatments.iter().copied()).collect();
    let mut counts = Counts::default();
    loop {
        let record = line(work, reader)?;
        if record.is_empty() {
            return Ok(counts);
        }
        let (text, end) = parts(&record);
        let masked = if text.trim().is_empty() {
            text.to_owned()
        } else {
            counts.rows += 1;
            object(text, &treatments, work, masker).unwrap_or_else(|| {
                counts.broken += 1;
                masker.masked(Treatment::Unknown, text, &work.side)
            })
        };
        out.write_all(masked.as_bytes()).and_then(|()| out.write_all(end.as_bytes())).map_err(failed)?;
    }
}

/// One object with other values; `None` where the line is none.
fn object(
    text: &str,
    treatments: &BTreeMap<&str, Treatment>,
    work: &Work,
    masker: &mut Masker,
) -> Option<String> {
    let begin = text.len() - text.trim_start_matches(MARK).len();
    let mut places: Vec<(Range<usize>, String)> = Vec::new();
    let mut each = |path: &[u8], leaf: Leaf, place: Range<usize>| {
        let path = String::from_utf8_lossy(path);
        let treatment = treatments.get(&*path).copied().unwrap_or(Treatment::Unknown);
        places.extend(leaf_of(&leaf, treatment, work, masker).map(|masked| (place, masked)));
    };
    leaves(&text[begin..], &mut each).ok()?;
    let (mut out, mut at) = (text[..begin].to_owned(), begin);
    for (place, masked) in places {
        out.push_str(&text[at..begin + place.start]);
        out.push_str(&masked);
        at = begin + place.end;
    }
    out.push_str(&text[at..]);
    Some(out)
}

/// What stands in place of a leaf; `None` where it stays.
fn leaf_of(leaf: &Leaf, treatment: Treatment, work: &Work, masker: &mut Masker) -> Option<String> {
    let mut mask = |bytes: &[u8]| masker.masked(treatment, &String::from_utf8_lossy(bytes), &work.side);
    match leaf {
        Leaf::Null => None,
        Leaf::Text(text) => serde_json::to_string(&mask(text)).ok(),
        Leaf::Number(digits) => Some(number(&mask(digits))),
        Leaf::Raw(b"true" | b"false") => (treatment == Treatment::Empty).then(|| "null".to_owned()),
        Leaf::Raw(array) => Some(array_of(&String::from_utf8_lossy(array), treatment, work, masker)),
    }
}

/// A number of JSON that may have been emptied. No number begins with a zero that it did not begin with.
fn number(text: &str) -> String {
    if text.is_empty() { "null".to_owned() } else { text.to_owned() }
}

/// The texts inside an array, each replaced; what is between them stays.
fn array_of(text: &str, treatment: Treatment, work: &Work, masker: &mut Masker) -> String {
    if treatment == Treatment::Untouched {
        return text.to_owned();
    }
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(|c: char| c == '"' || c.is_ascii_digit()) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = if rest.starts_with('"') {
            end_of_string(rest)
        } else {
            rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())
        };
        let (value, behind) = rest.split_at(end);
        out.push_str(&match serde_json::from_str::<String>(value) {
            Ok(inner) => {
                let masked = masker.masked(Treatment::Unknown, &inner, &work.side);
                serde_json::to_string(&masked).unwrap_or_default()
            }
            Err(_) => number(&masker.masked(Treatment::Unknown, value, &work.side)),
        });
        rest = behind;
    }
    out + rest
}

/// Behind the quote that ends a string of JSON.
fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    for (at, b) in text.bytes().enumerate().skip(1) {
        match b {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_cut_as_the_reader_cuts_them() {
        let check = |text: &str, expected: &[&str]| assert_eq!(fields(text, ','), expected, "{text}");
        check("a,b,", &["a", "b", ""]);
        check("\"a,1\",b", &["\"a,1\"", "b"]);
        check("\"a\"\"x\"\"\",b", &["\"a\"\"x\"\"\"", "b"]);
        check("\"a,b", &["\"a", "b"]);
        check("a\"b,c", &["a\"b", "c"]);
        assert!(is_open("x,\"a", ',') && !is_open("x,\"a\"", ','));
    }

    #[test]
    fn strings_of_json_end_at_their_quote() {
        assert_eq!(end_of_string(r#""a\"b" rest"#), 6);
    }
}
