//! The page about the presets, and the table of them in the README.

use super::page;
use crate::base::column::Col;
use crate::base::error::Result;
use crate::base::time::TimeFormat;
use crate::ingest::mapping::{FACTS, MappingFile, Names, SideMapping, StatusMeans, ZoneFrom};
use crate::ingest::preset::{self, Export, Preset};
use crate::ingest::stated::Stating;
use crate::ingest::{Mapping, Shape, TransactionScope};
use std::collections::{BTreeMap, BTreeSet};

const INTRO: &str = "A preset says how the exports of one system are read and what they mean. Without `--preset` the \
    header of each file tells which one it is: all its marks are there, and no other preset claims it nearly as \
    well. A header that two presets claim is an error that lists them; one that nobody claims is read by \
    `generic`. `--preset NAME` is for all files of a run, `--preset clicks=NAME` for one side, \
    `--preset conversions=NAME/EXPORT` names the kind of file, too. A mapping file goes over the preset.\n\n\
    Headers are compared without case, spaces, dots, dashes and underscores. Of several names for a column the \
    first that is there counts.\n\n\
    Where the account or the person who exports decides the zone of the times, they are read in the zone given here \
    and the report says so: `--time-zone ZONE` states it. Files of two systems are refused until it is stated, \
    because their clocks may be hours apart.";

/// The page of all presets.
pub fn presets() -> String {
    let presets = preset::all().expect("the built-in presets are checked by a test");
    let mut out = page("Presets", INTRO);
    out += &table();
    for preset in presets {
        out += &of(preset).expect("the built-in presets are checked by a test");
    }
    out
}

/// One line for each preset.
pub fn table() -> String {
    let presets = preset::all().expect("the built-in presets are checked by a test");
    let mut out =
        "| preset | system | exports | money | times are of | headers |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for preset in presets {
        let exports: Vec<String> =
            preset.exports.iter().map(|e| format!("{} (`--{}`)", e.name, e.shape.word())).collect();
        let mapping = Mapping::of(preset, None, &MappingFile::default()).expect("a test checks the presets");
        out += &format!(
            "| `{}` | {} | {} | {} | {} | {} |\n",
            preset.name,
            preset.title,
            exports.join(", "),
            mapping.perspective.map_or("unsaid", |p| p.word()),
            main_side(preset, &mapping).times.word(),
            preset.headers.word(),
        );
    }
    out
}

/// The side that the conversions stand in, or the first there is.
fn main_side<'m>(preset: &Preset, mapping: &'m Mapping) -> &'m SideMapping {
    let has = |shape: &Shape| preset.exports_of(*shape).next().is_some();
    let shape = [Shape::Conversions, Shape::Combined, Shape::Clicks].into_iter().find(has);
    mapping.side(shape.unwrap_or(Shape::Clicks))
}

fn of(preset: &Preset) -> Result<String> {
    let mapping = Mapping::of(preset, None, &MappingFile::default())?;
    let mut out = format!("\n## `{}`: {}\n\n{}.\n", preset.name, preset.title, sentence(&preset.about));
    out += &format!("{}\n\n| export | given as | told by |\n|---|---|---|\n", preset.headers.sentence());
    for export in &preset.exports {
        out += &format!("| {} | `--{}` | {} |\n", export.name, export.shape.word(), told_by(export));
    }
    out += "\n| fact | |\n|---|---|\n";
    for (fact, value) in facts(preset, &mapping) {
        out += &format!("| {fact} | {value} |\n");
    }
    out += &columns(preset)?;
    for note in preset.notes.iter().chain(&preset.tell) {
        out += &format!("\n- {}.", sentence(note).trim_end_matches('.'));
    }
    Ok(out.trim_end().to_owned() + "\n")
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn told_by(export: &Export) -> String {
    let one = |names: &Names| names.list().iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(" or ");
    let marks: Vec<String> = export.marks.iter().map(one).collect();
    let never: Vec<String> = export.never.iter().map(|n| format!("`{n}`")).collect();
    match (marks.as_slice(), never.as_slice()) {
        ([], _) => "obvious names, where no other preset claims the header".to_owned(),
        (marks, []) => marks.join(", "),
        (marks, never) => format!("{}; never {}", marks.join(", "), never.join(", ")),
    }
}

fn facts(preset: &Preset, mapping: &Mapping) -> Vec<(&'static str, String)> {
    let side = main_side(preset, mapping);
    let unknown = |name: &str| {
        let fact = FACTS.iter().find(|fact| fact.name == name).expect("a fact of the table");
        fact.of(&preset.mapping) == Stating::Unknown
    };
    let answer = |name: &str, yes: bool| {
        if unknown(name) {
            "unknown"
        } else if yes {
            "yes"
        } else {
            "no"
        }
        .to_owned()
    };
    let mut facts = vec![
        ("whose money", mapping.perspective.map_or("unsaid", |p| p.word()).to_owned()),
        ("time format", format(&side.time.format)),
        ("zone of the times", zone(side)),
        ("times of conversions are those of", side.times.word().to_owned()),
        ("click ID", preset.ids.click.clone()),
        ("one click ID for several clicks", answer("reuses_click_ids", mapping.reuses_click_ids)),
        ("transaction ID", preset.ids.transaction.clone()),
        ("it is unique within", scope(mapping.transaction_scope)),
        ("player", preset.ids.player.clone()),
        ("the status column holds", status_means(mapping)),
        (
            "own status words",
            if unknown("statuses") { "unknown".to_owned() } else { words(&mapping.statuses) },
        ),
        ("own event words", words(&mapping.events)),
        ("once-only events", mapping.once.as_ref().map_or("the usual ones".to_owned(), listed)),
        (
            "clicks that count",
            mapping.hit_type.clone().map_or("all".to_owned(), |hit| format!("hit type `{hit}`")),
        ),
        ("drops conversions without a click", answer("drops_orphans", mapping.drops_orphans)),
        ("drops repeated conversions", answer("drops_duplicates", mapping.drops_duplicates)),
        ("leaves out bots before the export", answer("bots_filtered", mapping.bots_filtered)),
        ("attribution window", format!("{:.0} days", mapping.attribution_window_s / 86_400.0)),
    ];
    let limits: Vec<String> = mapping.export_limits.iter().map(u64::to_string).collect();
    facts.push((
        "an export is cut off at rows",
        match limits.as_slice() {
            _ if unknown("export_limits") => "unknown".to_owned(),
            [] => "none".to_owned(),
            limits => limits.join(", "),
        },
    ));
    facts
}

fn format(format: &TimeFormat) -> String {
    match format {
        TimeFormat::Iso => "ISO (`2026-03-02 13:05:09`, with or without an offset)".to_owned(),
        TimeFormat::EpochS => "seconds since 1970".to_owned(),
        TimeFormat::EpochMs => "milliseconds since 1970".to_owned(),
        TimeFormat::EpochUs => "microseconds since 1970".to_owned(),
        TimeFormat::Pattern(pattern) => format!("`{pattern}`"),
        TimeFormat::AnyOf(formats) => formats.iter().map(self::format).collect::<Vec<_>>().join(", or "),
    }
}

fn zone(side: &SideMapping) -> String {
    let zone = side.time.zone.name();
    match side.zone_from {
        ZoneFrom::Format => format!("{zone}, or the time's own offset"),
        ZoneFrom::Account => format!("the account's; {zone} unless stated"),
        ZoneFrom::Export => format!("chosen with the export; {zone} unless stated"),
    }
}

fn scope(scope: Option<TransactionScope>) -> String {
    match scope {
        None => "nothing that is known",
        Some(TransactionScope::Click) => "one click",
        Some(TransactionScope::Network) => "one network or advertiser",
        Some(TransactionScope::Global) => "everything",
    }
    .to_owned()
}

fn status_means(mapping: &Mapping) -> String {
    match mapping.status_means {
        StatusMeans::Status => "a status",
        StatusMeans::Event => "the event",
    }
    .to_owned()
}

fn words(words: &BTreeMap<String, String>) -> String {
    let each: Vec<String> = words.iter().map(|(word, means)| format!("`{word}` {means}")).collect();
    if each.is_empty() { "none".to_owned() } else { each.join(", ") }
}

fn listed(words: &BTreeSet<String>) -> String {
    words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ")
}

/// Which headers each canonical column is read from, by side.
fn columns(preset: &Preset) -> Result<String> {
    let shapes: BTreeSet<Shape> = preset.exports.iter().map(|e| e.shape).collect();
    let heads: Vec<&str> = shapes.iter().map(|s| s.word()).collect();
    let mut out = format!("\n| column | {} |\n|---|{}\n", heads.join(" | "), "---|".repeat(heads.len()));
    let mut cells: BTreeMap<Col, Vec<String>> = BTreeMap::new();
    for (at, &shape) in shapes.iter().enumerate() {
        for (col, text) in of_shape(preset, shape)? {
            cells.entry(col).or_insert_with(|| vec![String::new(); shapes.len()])[at] = text;
        }
    }
    for (col, texts) in cells {
        out += &format!("| `{col}` | {} |\n", texts.join(" | "));
    }
    Ok(out)
}

/// The headers of each column, and where an export differs from the others its own.
fn of_shape(preset: &Preset, shape: Shape) -> Result<BTreeMap<Col, String>> {
    let mut found = sources(preset, None, shape)?;
    for export in preset.exports_of(shape) {
        for (col, own) in sources(preset, Some(export), shape)? {
            let usual = found.entry(col).or_default();
            if !usual.contains(&own) {
                *usual += &format!("{}{}: {own}", if usual.is_empty() { "" } else { "; " }, export.name);
            }
        }
    }
    Ok(found)
}

/// Where each column of an export comes from.
fn sources(preset: &Preset, export: Option<&Export>, shape: Shape) -> Result<BTreeMap<Col, String>> {
    let mapping = Mapping::of(preset, export, &MappingFile::default())?;
    let side = mapping.side(shape);
    let headers = |names: &[String]| names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    let columns = side.columns.iter().map(|(col, (names, _))| (*col, headers(names)));
    let constants = side.constants.iter().map(|(col, text)| (*col, format!("always {text}")));
    Ok(columns.chain(constants).collect())
}
