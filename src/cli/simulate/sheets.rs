//! The files that a mix is written as, in the headers and words of a preset, and what an audit needs to read them.
//!
//! Of a side that a preset does not have, and of a column without which clicks and conversions cannot be judged
//! together, obvious names are written; a mapping file beside the exports says which.

use super::file_name;
use crate::base::column::Col;
use crate::base::error::Result;
use crate::base::time::TimeFormat;
use crate::cli::args::ExportFormat;
use crate::ingest::mapping::{Mapping, Shape, SideMapping, normalise};
use crate::simulate::mix::export::{CLICK_COLUMNS, CONVERSION_COLUMNS, Sheet, Stamp};
use std::collections::BTreeMap;
use std::path::Path;

/// The mapping file beside the exports.
pub const MAP: &str = "map.yaml";

/// One file of clicks and one of conversions, or one of both.
pub struct Sheets {
    /// Of clicks, or of both.
    pub first: Sheet,
    pub conversions: Option<Sheet>,
    /// How the exports are read, where that does not follow from their headers.
    pub map: Option<String>,
}

impl Sheets {
    /// Two files that need no mapping.
    pub fn pair(clicks: Sheet, conversions: Sheet) -> Sheets {
        Sheets { first: clicks, conversions: Some(conversions), map: None }
    }

    /// The names of the files, without their endings; the second is not written if [`Self::count`] is one.
    pub fn names(&self) -> [&'static str; 2] {
        if self.conversions.is_some() { ["clicks", "conversions"] } else { ["combined", "conversions"] }
    }

    /// How many exports there are.
    pub fn count(&self) -> usize {
        1 + usize::from(self.conversions.is_some())
    }

    /// The command that audits the exports in `folder`.
    pub fn command(&self, folder: &Path, format: ExportFormat) -> String {
        let path = |name: &str| quoted(&folder.join(name).display().to_string());
        let [first, second] = self.names().map(|name| path(&file_name(name, format)));
        let exports = match &self.conversions {
            Some(_) => format!("{first} {second}"),
            None => format!("--combined {first}"),
        };
        let map = self.map.as_ref().map_or(String::new(), |_| format!(" --map {}", path(MAP)));
        format!("clickaudit audit {exports}{map}")
    }
}

/// A path as a shell takes it.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+:=@%,".contains(c);
    if !path.is_empty() && path.chars().all(plain) {
        return path.to_owned();
    }
    format!("'{}'", path.replace('\'', "'\\''"))
}

/// The files of a preset; without one those of obvious names.
///
/// # Errors
/// There is no such preset.
pub fn of_preset(preset: Option<&str>) -> Result<Sheets> {
    let (mapping, bare) = (Mapping::build(preset, None)?, Mapping::build(None, None)?);
    let of = |shape: Shape| if maps(&mapping, shape) { &mapping } else { &bare };
    if is_combined(&mapping) {
        let first = sheet(&mapping, Shape::Combined, &combined_columns());
        return Ok(Sheets { first, conversions: None, map: preset.map(|name| map(name, &[])) });
    }
    let first = sheet(of(Shape::Clicks), Shape::Clicks, CLICK_COLUMNS);
    let mut conversions = sheet(of(Shape::Conversions), Shape::Conversions, CONVERSION_COLUMNS);
    let added = add(&mut conversions, mapping.side(Shape::Conversions), &first);
    Ok(Sheets { first, conversions: Some(conversions), map: preset.map(|name| map(name, &added)) })
}

/// Adds the columns that the preset's conversions lack and an audit of both sides cannot do without: the ID of the
/// click, where clicks have one, and what happened.
fn add(sheet: &mut Sheet, side: &SideMapping, clicks: &Sheet) -> Vec<Col> {
    let has = |sheet: &Sheet, col: Col| sheet.columns.iter().any(|&(own, _)| own == col);
    let joins = has(clicks, Col::ClickId);
    let lacks = |&col: &Col| !has(sheet, col) && !side.constants.contains_key(&col);
    let wanted = [(Col::ClickId, joins), (Col::Event, true)];
    let added: Vec<Col> =
        wanted.into_iter().filter(|(_, wanted)| *wanted).map(|(col, _)| col).filter(lacks).collect();
    sheet.columns.extend(added.iter().map(|&col| (col, col.name().to_owned())));
    added
}

/// The mapping file: whose export it is, in which zone it was made, and the columns that the preset does not have.
fn map(preset: &str, added: &[Col]) -> String {
    let mut text = format!(
        "# How clickaudit reads the exports beside this file, which it made up itself.\npreset: {preset}\ntime_zone: UTC\n"
    );
    if !added.is_empty() {
        text.push_str(
            "# No export of this kind has these; the click ID stands for the sub ID that carries it.\n",
        );
        text.push_str("conversions:\n  columns:\n");
        added.iter().for_each(|col| text.push_str(&format!("    {0}: {0}\n", col.name())));
    }
    text
}

/// Whether the preset has rows with click and conversion in one, and no files of either.
fn is_combined(mapping: &Mapping) -> bool {
    maps(mapping, Shape::Combined) && !maps(mapping, Shape::Clicks) && !maps(mapping, Shape::Conversions)
}

/// Whether the preset reads files of this shape. Of a side that it does not have, obvious names are written.
fn maps(mapping: &Mapping, shape: Shape) -> bool {
    shape.required().iter().all(|col| mapping.side(shape).columns.contains_key(col))
}

/// A click with what is known of its conversion when the row is written.
fn combined_columns() -> Vec<Col> {
    CLICK_COLUMNS.iter().copied().chain([Col::Event, Col::ConversionTime]).collect()
}

/// The file that the preset reads: its first headers for the columns that can be made.
fn sheet(mapping: &Mapping, shape: Shape, can: &[Col]) -> Sheet {
    let side = mapping.side(shape);
    let mut columns: Vec<(Col, String)> = Vec::new();
    for &col in can {
        let free = |header: &&String| columns.iter().all(|(_, taken)| normalise(taken) != normalise(header));
        let header = side.columns.get(&col).and_then(|(headers, _)| headers.iter().find(free));
        columns.extend(header.map(|header| (col, header.clone())));
    }
    Sheet {
        columns,
        delimiter: side.delimiter.unwrap_or(b','),
        decimal: side.decimal,
        stamp: stamp(side),
        words: words(mapping),
        leads_only: side.constants.contains_key(&Col::Event),
    }
}

fn stamp(side: &SideMapping) -> Stamp {
    match &side.time.format.all()[0] {
        TimeFormat::Iso | TimeFormat::AnyOf(_) => Stamp::Iso,
        TimeFormat::EpochS => Stamp::EpochS,
        TimeFormat::EpochMs => Stamp::EpochMs,
        TimeFormat::EpochUs => Stamp::EpochUs,
        TimeFormat::Pattern(pattern) => Stamp::Pattern(pattern.clone()),
    }
}

/// The export's own word for each canonical one; of several the first in the alphabet.
fn words(mapping: &Mapping) -> BTreeMap<String, String> {
    let pairs = mapping.statuses.iter().chain(&mapping.events).rev();
    pairs.map(|(word, canonical)| (canonical.clone(), word.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_for_a_shell() {
        for (path, text) in
            [("a/b-c.csv", "a/b-c.csv"), ("a b", "'a b'"), ("it's", "'it'\\''s'"), ("$x", "'$x'")]
        {
            assert_eq!(quoted(path), text);
        }
    }
}
