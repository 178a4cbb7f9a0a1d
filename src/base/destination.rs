//! Where lists go that are split by destination: a path with `{column}` in it.
//!
//! What stands in a column comes from the data, so it never becomes a path by itself: a value that is no plain
//! file name is spelled out harmlessly, with a digest that keeps two of them apart.

use super::text::Text;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A path, parts of which are the values of columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Plain(OsString),
    Column(String),
}

impl Destination {
    /// Reads a path; `{traffic_source}` stands for the value of a column.
    ///
    /// # Errors
    /// A brace that does not close, or a column without a name.
    pub fn parse(path: &str) -> Result<Destination, String> {
        let mut pieces = Vec::new();
        let mut rest = path;
        while let Some((before, after)) = rest.split_once('{') {
            let (column, after) =
                after.split_once('}').ok_or_else(|| format!("`{path}`: a {{ is not closed"))?;
            if column.is_empty()
                || !column.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            {
                return Err(format!("`{path}`: {{{column}}} names no column"));
            }
            pieces.extend((!before.is_empty()).then(|| Piece::Plain(before.into())));
            pieces.push(Piece::Column(column.to_owned()));
            rest = after;
        }
        pieces.extend((!rest.is_empty()).then(|| Piece::Plain(rest.into())));
        Ok(Destination { pieces })
    }

    /// A path as it is, whatever stands in it.
    pub fn fixed(path: &Path) -> Destination {
        Destination { pieces: vec![Piece::Plain(path.as_os_str().to_owned())] }
    }

    /// The columns that the path depends on, in its order.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Column(name) => Some(name.as_str()),
            Piece::Plain(_) => None,
        })
    }

    /// Whether everything goes to one file.
    pub fn is_fixed(&self) -> bool {
        self.columns().next().is_none()
    }

    /// The path for these values.
    pub fn path<'t>(&self, value: impl Fn(&str) -> Option<&'t Text>) -> PathBuf {
        let piece = |piece: &Piece| match piece {
            Piece::Plain(text) => text.clone(),
            Piece::Column(name) => file_name(value(name)).into(),
        };
        PathBuf::from(self.pieces.iter().map(piece).collect::<OsString>())
    }
}

/// The longest value that stands in a file name as it is.
const LONGEST: usize = 64;

/// A value as a part of a file name: itself if it is plain; otherwise a name of its own that begins with `~`, so
/// that no plain value can be mistaken for it. An absent value is `~none`.
fn file_name(value: Option<&Text>) -> String {
    let Some(value) = value else { return "~none".to_owned() };
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
    let raw = value.raw();
    let stem = raw.split('.').next().unwrap_or_default();
    let reserved = ["con", "prn", "aux", "nul"].contains(&stem);
    let begins = raw.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins && raw.len() <= LONGEST && raw.bytes().all(plain) && !reserved {
        return raw.to_owned();
    }
    format!("~{}", value.file_name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::HOSTILE;
    use std::collections::BTreeSet;
    use std::path::Component;

    fn path(template: &str, values: &[(&str, &str)]) -> String {
        let values: Vec<(&str, Text)> = values.iter().map(|(k, v)| (*k, Text::from(*v))).collect();
        let value = |name: &str| values.iter().find(|(k, _)| *k == name).map(|(_, v)| v);
        Destination::parse(template).expect(template).path(value).display().to_string()
    }

    #[test]
    fn columns_are_filled_in() {
        let values = [("traffic_source", "popmax"), ("external_campaign", "a-17")];
        assert_eq!(path("d/{traffic_source}/{external_campaign}.txt", &values), "d/popmax/a-17.txt");
        assert_eq!(path("fixed.txt", &values), "fixed.txt");
        for wrong in ["{", "a{b", "{}", "{A b}", "{../x}"] {
            assert!(Destination::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_value_leaves_its_place() {
        for text in HOSTILE {
            let path = path("lists/{source}.txt", &[("source", text)]);
            let parts: Vec<Component> = Path::new(&path).components().collect();
            assert_eq!(parts.len(), 2, "{text:?}: {path}");
            assert!(path.bytes().all(|b| b.is_ascii_graphic()), "{text:?}: {path}");
        }
        for text in ["con.txt", "POPMAX", ".hidden", "~none"] {
            assert!(path("{source}", &[("source", text)]).starts_with('~'), "{text}");
        }
    }

    #[test]
    fn different_values_have_different_names() {
        let values = HOSTILE.iter().copied().chain(["a/b", "a.b", "ab", "none", "z1"]);
        let names: Vec<String> =
            values.map(|v| file_name(Some(&Text::from(v)))).chain([file_name(None)]).collect();
        let unique: BTreeSet<&String> = names.iter().collect();
        assert_eq!(unique.len(), names.len(), "{names:?}");
    }
}
