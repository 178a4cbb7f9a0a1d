//! The built-in presets: one YAML file for each tracker, network or app-measurement service, with the exports
//! it has, how each is told by its header, and example rows that are its test.
//!
//! A preset states facts and never looks at rows. Its `mapping` is what a user's mapping file could say, too.

use super::mapping::{MappingFile, Names, Shape, SideFile};
use crate::base::error::{Error, Result};
use crate::base::near::nearest;
use crate::base::{diag, yaml};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::OnceLock;

include!(concat!(env!("OUT_DIR"), "/presets.rs"));

/// The preset of obvious names, which reads what no other one claims.
pub const GENERIC: &str = "generic";

/// How well a preset's headers are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Headers {
    /// From the vendor's documentation or from files as they are downloaded.
    Documented,
    /// The names of the API's fields; the user interface may spell them otherwise.
    Api,
    /// Names that are usual with such systems; no export was seen.
    Assumed,
    /// Chosen by who sets the export up.
    Chosen,
}

impl Headers {
    /// What is known of the headers, in a word.
    pub fn word(self) -> &'static str {
        match self {
            Headers::Documented => "documented",
            Headers::Api => "of the API",
            Headers::Assumed => "assumed",
            Headers::Chosen => "chosen by you",
        }
    }

    /// What is known of the headers, as a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Headers::Documented => "The headers are those of the vendor's documentation or of real files.",
            Headers::Api => {
                "The headers are the names of the API's fields; the user interface may spell them otherwise. Spaces, dots, underscores and case do not matter."
            }
            Headers::Assumed => {
                "No export of this system was seen: the headers are its field names and what is usual. Spaces, dots, underscores and case do not matter. If yours differ, name them in a mapping file."
            }
            Headers::Chosen => {
                "Who sets the export up chooses the headers: these are the usual ones. Name others in a mapping file."
            }
        }
    }
}

/// What a preset's IDs are, in words: `none` and `unknown` are words, too.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ids {
    /// What ties a conversion to its click, and whether the system uses it again.
    pub click: String,
    pub transaction: String,
    pub player: String,
}

/// A preset as it stands in its file.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    pub name: String,
    /// The vendor's name, or what the data is.
    pub title: String,
    pub about: String,
    pub headers: Headers,
    pub ids: Ids,
    /// Traps, and what was assumed.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What every report of such an export says.
    #[serde(default)]
    pub tell: Vec<String>,
    pub mapping: MappingFile,
    pub exports: Vec<Export>,
}

/// One kind of file that a system exports.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    pub name: String,
    pub shape: Shape,
    /// Headers that together tell this export from every other; of a list any one does.
    #[serde(default)]
    pub marks: Vec<Names>,
    /// Headers that another export has and this one never.
    #[serde(default)]
    pub never: Vec<String>,
    /// Headers it may have that nothing is mapped to.
    #[serde(default)]
    pub others: Vec<String>,
    /// What is different from the preset's mapping of this shape.
    #[serde(default)]
    pub side: SideFile,
    pub examples: Vec<Example>,
}

/// A few rows of an export and what they mean.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// What is special about this spelling of the export.
    #[serde(default)]
    pub about: Option<String>,
    /// The file.
    pub text: String,
    /// What each row reads as: text by canonical column, in the canonical words.
    pub reads: Vec<BTreeMap<String, String>>,
}

impl Preset {
    /// The export of this shape and name.
    pub fn export(&self, shape: Shape, name: &str) -> Option<&Export> {
        self.exports_of(shape).find(|e| e.name == name)
    }

    /// The exports of this shape.
    pub fn exports_of(&self, shape: Shape) -> impl Iterator<Item = &Export> {
        self.exports.iter().filter(move |e| e.shape == shape)
    }
}

/// Every preset, by name.
///
/// # Errors
/// A built-in preset with a fault, which a test finds first.
pub fn all() -> Result<&'static [Preset]> {
    static ALL: OnceLock<std::result::Result<Vec<Preset>, String>> = OnceLock::new();
    let all = ALL.get_or_init(|| PRESETS.iter().map(|(name, text)| parse(name, text)).collect());
    all.as_deref().map_err(|faults| Error::usage(faults.clone()))
}

/// A preset from its text.
///
/// # Errors
/// Every fault of the text, with line and column.
pub fn parse(name: &str, text: &str) -> std::result::Result<Preset, String> {
    yaml::load(text, &format!("{name}.yml")).map_err(|faults| diag::plain(&faults))
}

/// The preset of this name.
///
/// # Errors
/// There is none; with the nearest names.
pub fn named(name: &str) -> Result<&'static Preset> {
    let names = || PRESETS.iter().map(|(name, _)| *name);
    all()?.iter().find(|p| p.name == name).ok_or_else(|| {
        let near = nearest(name, names());
        let help = match near.as_slice() {
            [] => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
            near => format!(
                "did you mean {}? There are {}",
                near.join(" or "),
                names().collect::<Vec<_>>().join(", ")
            ),
        };
        Error::usage(format!("there is no preset `{name}`")).help(help)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::TimeFormat;
    use crate::ingest::mapping::{FACTS, Mapping};
    use crate::ingest::stated::Stating;

    /// Silence would be taken for no: who does not know says so.
    #[test]
    fn every_preset_states_every_fact() {
        for preset in all().unwrap_or_else(|e| panic!("{e}")) {
            let silent = FACTS.iter().filter(|fact| fact.of(&preset.mapping) == Stating::Silent);
            let mut silent: Vec<&str> = silent.map(|fact| fact.name).collect();
            for export in &preset.exports {
                silent.extend(Mapping::unsaid_of_times(preset, export));
            }
            assert!(silent.is_empty(), "{} does not state {silent:?}", preset.name);
            for id in [&preset.ids.click, &preset.ids.transaction, &preset.ids.player] {
                assert!(id.len() >= 4, "{}: `{id}` says nothing", preset.name);
            }
            assert!(FACTS.iter().all(|fact| fact.of(&MappingFile::default()) == Stating::Silent));
        }
    }

    #[test]
    fn every_preset_is_without_fault_and_named_for_its_file() {
        let presets = all().unwrap_or_else(|e| panic!("{e}"));
        for (preset, (file, _)) in presets.iter().zip(PRESETS) {
            assert_eq!(preset.name, *file);
            assert!(!preset.exports.is_empty(), "{file} has no export");
            for export in &preset.exports {
                assert!(!export.examples.is_empty(), "{file} {} has no example", export.name);
                let mapping = Mapping::of(preset, Some(export), &MappingFile::default())
                    .unwrap_or_else(|e| panic!("{file} {}: {e}", export.name));
                let formats = mapping.side(export.shape).time.format.all();
                assert_eq!(TimeFormat::refuse_doubt(formats), Ok(()), "{file} {}", export.name);
                assert!(
                    preset.name == GENERIC || !export.marks.is_empty(),
                    "{file} {}: no marks",
                    export.name
                );
            }
            let mut names: Vec<(&str, &str)> =
                preset.exports.iter().map(|e| (e.shape.word(), e.name.as_str())).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), preset.exports.len(), "{file}");
        }
    }

    #[test]
    fn an_unknown_preset_names_the_nearest() {
        let message = format!("{:#}", named("volum").err().expect("there is none"));
        assert!(message.contains("there is no preset `volum`"), "{message}");
    }
}
