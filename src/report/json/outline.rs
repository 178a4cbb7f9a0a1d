//! How the report is broken into lines: a member of the document, and of what it holds, has a line of its own;
//! what lies deeper stays on it. So a source is one line, which tools for lines can find.
//!
//! Both formatters of reports pass byte strings on as they are: nothing in a report is one but JSON that is written
//! already ([`super::readings`]).

use serde_json::ser::Formatter;
use std::io::{Result, Write};

/// So deep values have lines of their own.
const DEEPEST: usize = 2;

/// The state of the outline while a document is written.
#[derive(Default)]
pub struct Outline {
    depth: usize,
    has_value: bool,
}

impl Outline {
    fn open<W: ?Sized + Write>(&mut self, out: &mut W, mark: &[u8]) -> Result<()> {
        self.depth += 1;
        self.has_value = false;
        out.write_all(mark)
    }

    fn close<W: ?Sized + Write>(&mut self, out: &mut W, mark: &[u8]) -> Result<()> {
        self.depth -= 1;
        if self.has_value && self.depth < DEEPEST {
            self.line(out)?;
        }
        out.write_all(mark)
    }

    fn next<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> Result<()> {
        if !first {
            out.write_all(b",")?;
        }
        match self.depth <= DEEPEST {
            true => self.line(out),
            false if first => Ok(()),
            false => out.write_all(b" "),
        }
    }

    fn line<W: ?Sized + Write>(&self, out: &mut W) -> Result<()> {
        out.write_all(b"\n")?;
        (0..self.depth).try_for_each(|_| out.write_all(b"  "))
    }
}

impl Formatter for Outline {
    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> Result<()> {
        self.open(out, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> Result<()> {
        self.close(out, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> Result<()> {
        self.next(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _: &mut W) -> Result<()> {
        self.has_value = true;
        Ok(())
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> Result<()> {
        self.open(out, b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> Result<()> {
        self.close(out, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> Result<()> {
        self.next(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> Result<()> {
        out.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> Result<()> {
        self.has_value = true;
        Ok(())
    }

    fn write_byte_array<W: ?Sized + Write>(&mut self, out: &mut W, json: &[u8]) -> Result<()> {
        out.write_all(json)
    }
}

/// A document on one line.
pub struct OneLine;

impl Formatter for OneLine {
    fn write_byte_array<W: ?Sized + Write>(&mut self, out: &mut W, json: &[u8]) -> Result<()> {
        out.write_all(json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Serialize;
    use serde_json::{Value, json};

    #[test]
    fn an_element_of_a_list_is_one_line() {
        let value = json!({"a": 1, "b": [], "c": {}, "list": [{"x": [1, 2], "y": {}}, {"x": [], "z": 1}]});
        let mut out = Vec::new();
        value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Outline::default())).unwrap();
        let text = String::from_utf8(out).unwrap();
        let expected = "{\n  \"a\": 1,\n  \"b\": [],\n  \"c\": {},\n  \"list\": [\n    \
                        {\"x\": [1, 2], \"y\": {}},\n    {\"x\": [], \"z\": 1}\n  ]\n}";
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
