//! The answer's document, and tables of ours on the way there.

use super::failure;
use crate::engine::transport::Trouble;
use crate::engine::{Answer, Column, EngineFault, Values};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The document of the format `JSONCompact`. The number of rows stands behind the rows.
#[derive(Deserialize)]
struct Document {
    meta: Option<Vec<Meta>>,
    data: Option<Vec<Vec<Cell>>>,
    rows: Option<u64>,
    /// What broke off the answer, where the server says so inside.
    exception: Option<String>,
}

#[derive(Deserialize)]
struct Meta {
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

/// One value as it stands in the document.
enum Cell {
    Absent,
    Whole(i64),
    Text(String),
    /// A number that is none of ours, an array, an object.
    Other,
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Cell, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Cell, E> {
        Ok(Cell::Absent)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Cell, E> {
        Ok(Cell::Whole(i64::from(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Cell, E> {
        Ok(Cell::Whole(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Cell, E> {
        Ok(i64::try_from(value).map_or(Cell::Other, Cell::Whole))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Cell, E> {
        Ok(Cell::Other)
    }

    fn visit_str<E>(self, value: &str) -> Result<Cell, E> {
        Ok(Cell::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Cell, E> {
        Ok(Cell::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Cell, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cell::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>().map_err(A::Error::custom)?.is_some() {}
        Ok(Cell::Other)
    }
}

/// Reads an answer, whole or not at all.
pub(super) fn read(body: &[u8]) -> Result<Answer, Trouble> {
    let document: Document = serde_json::from_slice(body).map_err(|e| unreadable(body, e))?;
    if let Some(said) = document.exception {
        return Err(failure::said(None, &said));
    }
    let (Some(meta), Some(data), Some(rows)) = (document.meta, document.data, document.rows) else {
        return Err(no_end("it does not say how many rows it has"));
    };
    if data.len() as u64 != rows {
        return Err(no_end(&format!("it has {} rows and says {rows}", data.len())));
    }
    columns(meta, data)
}

fn no_end(why: &str) -> Trouble {
    Trouble::new(EngineFault::CutShort, format!("the answer is not whole: {why}"))
}

/// A body that is no document: an exception in its middle, an end that is missing, or something else.
fn unreadable(body: &[u8], error: serde_json::Error) -> Trouble {
    let text = String::from_utf8_lossy(body);
    if let Some(at) = failure::exception_in(&text) {
        return failure::said(None, &text[at..]);
    }
    if error.is_eof() && text.trim_start().starts_with('{') {
        return no_end("its end is missing").because(error);
    }
    if text.trim_start().starts_with('{') {
        return no_end("it is damaged").because(error);
    }
    let begin: String = text.chars().take(60).collect();
    Trouble::new(EngineFault::Unreachable, format!("what answers there is no ClickHouse: it says {begin:?}"))
        .help("look at the address: host, port, and the path of a gate before it")
}

fn columns(meta: Vec<Meta>, data: Vec<Vec<Cell>>) -> Result<Answer, Trouble> {
    let mut columns = Vec::with_capacity(meta.len());
    for Meta { name, kind } in meta {
        let room = data.len();
        let values = match bare(&kind) {
            kind if is_whole(kind) => Values::Int(Vec::with_capacity(room)),
            kind if is_text(kind) => Values::Text(Vec::with_capacity(room)),
            _ => return Err(no_such_type(&name, &kind)),
        };
        columns.push(Column { name, values });
    }
    for row in data {
        if row.len() != columns.len() {
            return Err(no_end("a row has another number of values than there are columns"));
        }
        for (column, cell) in columns.iter_mut().zip(row) {
            put(column, cell)?;
        }
    }
    Ok(Answer { columns })
}

fn put(column: &mut Column, cell: Cell) -> Result<(), Trouble> {
    match (&mut column.values, cell) {
        (Values::Int(values), Cell::Absent) => values.push(None),
        (Values::Text(values), Cell::Absent) => values.push(None),
        (Values::Int(values), Cell::Whole(value)) => values.push(Some(value)),
        // Older servers, and servers told so, write 64 bits in quotes.
        (Values::Int(values), Cell::Text(text)) => match text.parse() {
            Ok(value) => values.push(Some(value)),
            Err(_) => return Err(out_of_range(&column.name)),
        },
        (Values::Text(values), Cell::Text(text)) => values.push(Some(text)),
        (Values::Int(_), Cell::Other) => return Err(out_of_range(&column.name)),
        (Values::Text(_), _) => return Err(no_such_type(&column.name, "neither text nor absent")),
    }
    Ok(())
}

fn out_of_range(name: &str) -> Trouble {
    Trouble::new(
        EngineFault::Refused,
        format!("a value of `{name}` is no whole number of 64 bits with a sign"),
    )
}

fn no_such_type(name: &str, kind: &str) -> Trouble {
    Trouble::new(EngineFault::Refused, format!("`{name}` is {kind}; only whole numbers and texts are read"))
}

/// A type without what only says how it is stored or that it may be absent.
fn bare(kind: &str) -> &str {
    let mut kind = kind;
    while let Some(inner) = ["Nullable(", "LowCardinality("].iter().find_map(|w| kind.strip_prefix(w)) {
        kind = inner.strip_suffix(')').unwrap_or(inner);
    }
    kind
}

fn is_whole(kind: &str) -> bool {
    let digits = kind.strip_prefix("UInt").or_else(|| kind.strip_prefix("Int"));
    kind == "Bool" || digits.is_some_and(|d| matches!(d, "8" | "16" | "32" | "64" | "128" | "256"))
}

fn is_text(kind: &str) -> bool {
    // A bare NULL has the type Nothing.
    matches!(kind, "String" | "UUID" | "Nothing")
        || ["FixedString(", "Enum8(", "Enum16("].iter().any(|start| kind.starts_with(start))
}

// ---------------------------------------------------------------- tables of ours

/// Names of our tables and columns stand in parameters as they are: letters, digits, underscores.
pub(super) fn plain_name(name: &str) -> Result<&str, Trouble> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.is_empty() || !name.bytes().all(plain) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(Trouble::new(EngineFault::Refused, format!("{name:?} is no name of a table or column")));
    }
    Ok(name)
}

/// The columns of a table with their types.
pub(super) fn structure(table: &Answer) -> Result<String, Trouble> {
    let column = |column: &Column| {
        let kind = match column.values {
            Values::Int(_) => "Nullable(Int64)",
            Values::Text(_) => "Nullable(String)",
        };
        plain_name(&column.name).map(|name| format!("{name} {kind}"))
    };
    Ok(table.columns.iter().map(column).collect::<Result<Vec<_>, _>>()?.join(", "))
}

/// The rows of a table in the format `TabSeparated`.
pub(super) fn tab_separated(table: &Answer) -> String {
    let mut text = String::new();
    for row in 0..table.rows() {
        for (i, column) in table.columns.iter().enumerate() {
            if i > 0 {
                text.push('\t');
            }
            match &column.values {
                Values::Int(values) => match values[row] {
                    Some(value) => text.push_str(&value.to_string()),
                    None => text.push_str("\\N"),
                },
                Values::Text(values) => match &values[row] {
                    Some(value) => escape(value, &mut text),
                    None => text.push_str("\\N"),
                },
            }
        }
        text.push('\n');
    }
    text
}

fn escape(value: &str, text: &mut String) {
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\0' => text.push_str("\\0"),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: &str) {
        let found = match read(body.as_bytes()) {
            Ok(answer) => {
                let columns = answer.columns.iter().map(|c| format!("{}: {:?}", c.name, c.values));
                columns.collect::<Vec<_>>().join("; ")
            }
            Err(trouble) => format!("{:?} {}", trouble.fault, trouble.said),
        };
        assert!(found.starts_with(expected), "{body}: {found}");
    }

    fn document(kind: &str, cell: &str) -> String {
        format!(
            "{{\"meta\":[{{\"name\":\"a\",\"type\":\"{kind}\"}}],\"data\":[[{cell}]],\"rows\":1,\"statistics\":{{}}}}"
        )
    }

    #[test]
    fn whole_numbers_are_exact() {
        for (kind, cell, expected) in [
            ("Int64", "-9223372036854775808", "a: Int([Some(-9223372036854775808)])"),
            ("Int64", "\"9223372036854775807\"", "a: Int([Some(9223372036854775807)])"),
            ("Nullable(UInt64)", "9007199254740993", "a: Int([Some(9007199254740993)])"),
            ("LowCardinality(Nullable(UInt8))", "null", "a: Int([None])"),
            ("Bool", "true", "a: Int([Some(1)])"),
            ("UInt64", "18446744073709551615", "Refused a value of `a` is no whole number of 64 bits"),
            ("UInt64", "\"18446744073709551615\"", "Refused a value of `a` is no whole number of 64 bits"),
            ("Int256", "99999999999999999999999999", "Refused a value of `a` is no whole number of 64 bits"),
            ("Int64", "1.5", "Refused a value of `a` is no whole number of 64 bits"),
            ("Int64", "\"1.0\"", "Refused a value of `a` is no whole number of 64 bits"),
            ("Float64", "1.5", "Refused `a` is Float64; only whole numbers and texts are read"),
            ("Array(Int64)", "[1]", "Refused `a` is Array(Int64)"),
            ("DateTime", "\"2026-01-01 00:00:00\"", "Refused `a` is DateTime"),
        ] {
            check(&document(kind, cell), expected);
        }
    }

    #[test]
    fn texts_are_exact() {
        for (kind, cell, expected) in [
            (
                "String",
                r#""a\"b\\c\u0000\/\t\n\u200b😀""#,
                "a: Text([Some(\"a\\\"b\\\\c\\0/\\t\\n\\u{200b}😀\")])",
            ),
            ("Nullable(String)", "null", "a: Text([None])"),
            ("String", "\"\"", "a: Text([Some(\"\")])"),
            ("String", "\"12\"", "a: Text([Some(\"12\")])"),
            ("Nullable(Nothing)", "null", "a: Text([None])"),
            ("String", "1", "Refused `a` is neither text nor absent"),
            ("String", "{\"x\":[1]}", "Refused `a` is neither text nor absent"),
        ] {
            check(&document(kind, cell), expected);
        }
    }

    #[test]
    fn every_shorter_answer_is_cut_short() {
        let whole = document("Int64", "1");
        for end in 1..whole.len() {
            check(&whole[..end], "CutShort the answer is not whole");
        }
        check(
            &whole.replace("\"rows\":1", "\"rows\":2"),
            "CutShort the answer is not whole: it has 1 rows and says 2",
        );
        check(&whole.replace(",\"rows\":1", ""), "CutShort the answer is not whole: it does not say");
        check(&whole.replace("[[1]]", "[[1,2]]"), "CutShort the answer is not whole: a row has another");
        check(&format!("{whole} x"), "CutShort the answer is not whole: it is damaged");
    }

    #[test]
    fn an_exception_behind_good_rows_is_one() {
        let whole = document("Int64", "1");
        let said = "Code: 241, e.displayText() = DB::Exception: Memory limit (for query) exceeded";
        check(&format!("{}{said}", &whole[..40]), "Limit Code: 241");
        check(&format!("{whole}\n{said}"), "Limit Code: 241");
        check(&format!("{{\"meta\":[],\"data\":[],\"rows\":0,\"exception\":\"{said}\"}}"), "Limit Code: 241");
    }

    #[test]
    fn other_things_are_no_clickhouse() {
        check("<html>hello</html>", "Unreachable what answers there is no ClickHouse: it says \"<html>");
        check("Ok.\n", "Unreachable what answers there is no ClickHouse");
        check("", "Unreachable what answers there is no ClickHouse: it says \"\"");
    }

    #[test]
    fn our_tables_are_escaped() {
        let table = Answer {
            columns: vec![
                Column { name: "n".to_owned(), values: Values::Int(vec![Some(-1), None]) },
                Column {
                    name: "t".to_owned(),
                    values: Values::Text(vec![Some("\\N\t\r\n\0'ü".to_owned()), None]),
                },
            ],
        };
        assert_eq!(structure(&table).expect("plain names"), "n Nullable(Int64), t Nullable(String)");
        assert_eq!(tab_separated(&table), "-1\t\\\\N\\t\\r\\n\\0'ü\n\\N\t\\N\n");
        for name in ["", "1a", "a b", "a;DROP", "ü"] {
            assert!(plain_name(name).is_err(), "{name}");
        }
    }
}
