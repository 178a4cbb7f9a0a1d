//! Elements, attributes and text: the only code that writes markup.
//!
//! Names of elements and attributes are the program's own; every value and every text goes through the encoder of
//! [`Text`]. There is no way to write a string as it is, but for the style sheet and the script that are built in.

use crate::base::text::{self, Text};

/// A name and a value.
pub type Attribute<'a> = (&'static str, &'a str);

/// The document so far.
#[derive(Default)]
pub struct Html {
    out: String,
}

impl Html {
    /// The document's first line.
    pub fn doctype(&mut self) {
        self.out.push_str("<!doctype html>\n");
    }

    /// An element with whatever `inside` writes.
    pub fn element(&mut self, name: &'static str, attributes: &[Attribute], inside: impl FnOnce(&mut Html)) {
        self.void(name, attributes);
        inside(self);
        self.close(name);
    }

    /// An element that holds words of the program's own.
    pub fn words(&mut self, name: &'static str, attributes: &[Attribute], words: &str) {
        self.element(name, attributes, |h| h.text(words));
    }

    /// An element without content and end.
    pub fn void(&mut self, name: &'static str, attributes: &[Attribute]) {
        self.out.push('<');
        self.out.push_str(name);
        for (name, value) in attributes {
            self.out.push(' ');
            self.out.push_str(name);
            if !value.is_empty() {
                self.value(value);
            }
        }
        self.out.push('>');
    }

    /// Words of letters and digits need no quotes, and there are many.
    fn value(&mut self, value: &str) {
        self.out.push('=');
        if value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return self.out.push_str(value);
        }
        self.out.push('"');
        self.out.push_str(&text::html(value));
        self.out.push('"');
    }

    fn close(&mut self, name: &'static str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    /// Words of the program's own, or of a rule.
    pub fn text(&mut self, words: &str) {
        self.out.push_str(&text::html(words));
    }

    /// Text from data, cut to `cells`.
    pub fn data(&mut self, text: &Text, cells: usize) {
        self.out.push_str(&text.html(cells));
    }

    /// A new line between elements that no reader sees: keeps lines of the file short enough to be looked at.
    pub fn line(&mut self) {
        self.out.push('\n');
    }

    /// A built-in style sheet or script.
    pub fn built_in(&mut self, name: &'static str, content: &'static str) {
        debug_assert!(!content.contains("</") && !content.contains("<!--"));
        self.void(name, &[]);
        self.out.push_str(content);
        self.close(name);
    }

    /// What another one wrote.
    pub fn append(&mut self, other: &Html) {
        self.out.push_str(&other.out);
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// The document.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_and_text_is_encoded() {
        let mut h = Html::default();
        h.element("a", &[("href", "#\"><b>"), ("hidden", "")], |h| h.text("<i>"));
        h.element("p", &[], |h| h.data(&Text::new("</p>\u{202e}"), 80));
        let expected = "<a href=\"#&quot;&gt;&lt;b&gt;\" hidden>&lt;i&gt;</a><p>&lt;/p&gt;\\u{202e}</p>";
        assert_eq!(String::from_utf8(h.into_bytes()).unwrap(), expected);
    }
}
