//! The loose type: a rule file as it stands, every value with its place, nothing checked but its shape.
//!
//! Keys that are needed are optional here, so that one missing key does not hide the next. The JSON Schema
//! for editors comes from these types; what is only known to `rules check` is not in it.

use super::model::{Action, Allowance, Class, Expect, Few, Pack, Status};
use crate::base::yaml::{Entries, Spanned};
use schemars::{
    JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, transform::RecursiveTransform,
};
use serde::de::{
    self, Deserialize, Deserializer, Visitor,
    value::{MapAccessDeserializer, SeqAccessDeserializer},
};
use std::borrow::Cow;
use std::fmt;

/// Keys that limit the rows of a whole rule and mean nothing inside a test.
pub(super) const ROW_LIMITS: &[&str] = &["events", "mature", "where", "window"];

/// Keys that every rule has.
pub(super) const REQUIRED: &[&str] = &["id", "title", "status", "class", "action", "why", "when"];

/// A rule file.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "clickaudit rule", extend("required" = REQUIRED))]
pub(super) struct RawRule {
    /// 3 to 64 small letters, digits and hyphens; equal to the file's name. Names the pattern, not the cure.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"), length(min = 3, max = 64))]
    pub id: Option<Spanned<String>>,
    /// One line that says what was seen.
    pub title: Option<Spanned<String>>,
    /// Only stable rules block; retired ones are not evaluated.
    pub status: Option<Spanned<Status>>,
    /// The kind of trouble; profit cuts get a list of their own.
    pub class: Option<Spanned<Class>>,
    /// What may be done when the rule fires.
    pub action: Option<Spanned<Action>>,
    /// May block without a second family of evidence; conversion side only.
    pub alone: Option<Spanned<bool>>,
    /// `clean` needs every deciding rule decided. Default: true.
    pub decides: Option<bool>,
    /// Evidence on the conversion side that proves itself. Default: false.
    pub deterministic: Option<Spanned<bool>>,
    /// What the terms of an offer may allow: where they do, the rule only notes what it finds.
    pub allowed_by: Option<Allowance>,
    /// The family of evidence; derived from the signals unless given.
    pub family: Option<Spanned<String>>,
    /// The columns that make a group; the audited grain unless given.
    pub by: Option<Spanned<Vec<Spanned<String>>>>,
    /// Only clicks of the last so much time, and their conversions: `7d`.
    #[schemars(with = "Option<Amount>")]
    pub window: Option<Spanned<String>>,
    /// Only clicks at least so old, and what they brought within that time: `14d`. Takes the place of the run's.
    #[schemars(with = "Option<Amount>")]
    pub mature: Option<Spanned<String>>,
    /// Only conversions of these events.
    pub events: Option<Spanned<Vec<Spanned<String>>>>,
    /// Only rows with these texts: `{offer: [casino], country: DE}`.
    #[serde(default, rename = "where")]
    pub only: Entries<Spanned<RawTexts>>,
    /// Why this is trouble, for the analyst and for the partner who is accused.
    pub why: Option<Spanned<String>>,
    /// What else could explain it.
    #[serde(default)]
    pub innocent: Vec<String>,
    /// Where the thresholds come from.
    #[serde(default)]
    pub references: Vec<String>,
    #[serde(default)]
    pub tags: Vec<String>,
    pub owner: Option<String>,
    /// A sentence for the report in place of the title; `{ctit_short_share}` stands for the signal's value.
    pub message: Option<Spanned<String>>,
    /// The versions of clickaudit that can evaluate the rule: `">=0.2"`.
    pub requires: Option<Spanned<String>>,
    /// Numbers with a name and a default: `$name` stands for them in limits. Overrides may set them.
    #[serde(default)]
    #[schemars(with = "std::collections::BTreeMap<String, Amount>")]
    pub params: Entries<Spanned<String>>,
    /// Lists of texts with a name, written out or read from a file beside the rule.
    #[serde(default)]
    pub lists: Entries<Spanned<RawList>>,
    /// The condition.
    pub when: Option<Spanned<RawNode>>,
    /// How many of the last runs it must have held in: `2 of 3`. Needs stored runs.
    #[serde(rename = "for")]
    pub runs: Option<Spanned<String>>,
    /// The condition that ends what `when` began; unless given, that `when` is silent. Needs stored runs.
    pub clear: Option<Spanned<RawNode>>,
    /// Examples that `rules test` runs.
    #[serde(default)]
    pub tests: Vec<Spanned<RawExample>>,
    /// The id of the rule that took over from a retired one.
    pub replaced_by: Option<Spanned<String>>,
    /// The packs that the rule belongs to; `core` is part of every run. Default: core.
    #[schemars(with = "Option<Vec<Pack>>")]
    pub packs: Option<Spanned<Vec<Pack>>>,
    /// The id of the rule that this one stands in for where one of its packs is chosen.
    pub replaces: Option<Spanned<String>>,
    /// The rule tells what it would have done, and does nothing. Default: false.
    #[serde(default)]
    pub observe: bool,
}

/// A condition.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawNode {
    /// Every one of these holds.
    All(Spanned<Vec<RawNode>>),
    /// At least one of these holds.
    Any(Spanned<Vec<RawNode>>),
    /// This does not hold.
    Not(Box<RawNode>),
    /// One signal against one limit.
    Test(Spanned<Box<RawTest>>),
    /// The group's risk, 0 to 100, lies above a limit. Risk says abnormal beside peers, not fraudulent.
    Risk(Spanned<RawRisk>),
    /// The group is significant at the false-discovery rate of the run, with an effect that matters; or not.
    Significant(bool),
    /// Several abnormal signals of the group make up this pattern.
    Pattern(Spanned<RawPattern>),
}

/// One signal, or one column that makes the group, against one limit.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTest {
    /// The name of a signal; `clickaudit signals` lists them.
    pub signal: Option<Spanned<String>>,
    /// The name of a column that makes the group, such as `source`, in place of a signal; takes `equals` or `in`.
    pub column: Option<Spanned<String>>,
    /// The lower limit of the signal's interval lies above this.
    #[schemars(with = "Option<Amount>")]
    pub above: Option<Spanned<String>>,
    /// The upper limit of the signal's interval lies below this.
    #[schemars(with = "Option<Amount>")]
    pub below: Option<Spanned<String>>,
    /// Both limits of the signal's interval lie between these.
    #[schemars(with = "Option<(Amount, Amount)>")]
    pub between: Option<(Spanned<String>, Spanned<String>)>,
    /// The signal, which must be a counted fact, is this; or the column has this text.
    #[schemars(with = "Option<Amount>")]
    pub equals: Option<Spanned<String>>,
    /// The signal is one of these facts, or the column has one of these texts.
    #[serde(rename = "in")]
    pub one_of: Option<Spanned<RawTexts>>,
    /// The signal has a value, or has none.
    pub present: Option<Spanned<bool>>,
    /// The signal lies above that of the group's peers.
    pub above_peers: Option<Spanned<RawPeers>>,
    /// The signal lies below that of the group's peers.
    pub below_peers: Option<Spanned<RawPeers>>,
    /// The signal lies above what the group itself had in stored runs.
    pub above_own_past: Option<Spanned<RawPast>>,
    /// The signal lies below what the group itself had in stored runs.
    pub below_own_past: Option<Spanned<RawPast>>,
    /// The confidence of the interval. Default: 0.95.
    #[schemars(with = "Option<Amount>")]
    pub confidence: Option<Spanned<String>>,
    /// The smallest sample on which the test answers; below it is unknown. Default: the signal's own.
    #[schemars(with = "Option<Amount>")]
    pub min_sample: Option<Spanned<String>>,
}

/// How far beyond its peers a signal must lie: exactly one of `q` and `p`. Whether the effect is large enough
/// to matter is always part of the test.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPeers {
    /// The largest q-value that counts, above 0 and at most 0.5: it has paid for all that the run looked at.
    #[schemars(with = "Option<Amount>")]
    pub q: Option<Spanned<String>>,
    /// The largest p-value that counts, above 0 and at most 0.5: of this signal and group alone.
    #[schemars(with = "Option<Amount>")]
    pub p: Option<Spanned<String>>,
    /// The answer where the signal cannot be compared, for lack of peers or of cases. Default: unknown.
    pub few: Option<Few>,
}

/// How far beyond its own past a signal must lie.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPast {
    /// How many times what it was, or the part of it that is left: above 1 for `above_own_past`, below 1 for
    /// `below_own_past`.
    #[schemars(with = "Amount")]
    pub ratio: Spanned<String>,
    /// How far back the past reaches. Default: 28d.
    #[schemars(with = "Option<Amount>")]
    pub over: Option<Spanned<String>>,
}

/// Texts: `[a, b]`, one text, or `{list: name}`.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub(super) enum RawTexts {
    One(#[schemars(with = "Given")] String),
    Many(#[schemars(with = "Vec<Given>")] Vec<Spanned<String>>),
    List(RawListName),
}

/// The list of this name.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawListName {
    pub list: Spanned<String>,
}

/// A list: `[a, b]`, or `{file: partners.txt}` with one text per line.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub(super) enum RawList {
    Written(#[schemars(with = "Vec<Given>")] Vec<Spanned<String>>),
    File(RawListFile),
}

/// A file with one text per line, beside the rule's file; `#` starts a comment.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawListFile {
    pub file: Spanned<String>,
}

impl<'de> Deserialize<'de> for RawTexts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawTexts, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = RawTexts;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a list of texts, or {list: name}")
            }
            fn visit_str<E>(self, text: &str) -> Result<RawTexts, E> {
                Ok(RawTexts::One(text.to_owned()))
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, seq: A) -> Result<RawTexts, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(RawTexts::Many)
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<RawTexts, A::Error> {
                RawListName::deserialize(MapAccessDeserializer::new(map)).map(RawTexts::List)
            }
        }
        deserializer.deserialize_any(Texts)
    }
}

impl<'de> Deserialize<'de> for RawList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawList, D::Error> {
        struct WrittenOrFile;
        impl<'de> Visitor<'de> for WrittenOrFile {
            type Value = RawList;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of texts, or {file: partners.txt}")
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, seq: A) -> Result<RawList, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(RawList::Written)
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<RawList, A::Error> {
                RawListFile::deserialize(MapAccessDeserializer::new(map)).map(RawList::File)
            }
        }
        deserializer.deserialize_any(WrittenOrFile)
    }
}

/// A limit of the risk.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRisk {
    /// At least 0, below 100.
    #[schemars(with = "Amount")]
    pub above: Spanned<String>,
    /// The answer where there is no risk for lack of peers. Default: unknown.
    pub few: Option<Few>,
}

/// A pattern by its word, or with the largest p-value that counts: `{is: flooding, p: 0.001}`.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub(super) enum RawPattern {
    Word(String),
    Fits(RawFits),
}

/// A pattern and how certain it must be.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFits {
    pub is: Spanned<String>,
    #[schemars(with = "Amount")]
    pub p: Spanned<String>,
}

impl<'de> Deserialize<'de> for RawPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawPattern, D::Error> {
        struct WordOrFits;
        impl<'de> Visitor<'de> for WordOrFits {
            type Value = RawPattern;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a pattern such as flooding, or {is: flooding, p: 0.001}")
            }
            fn visit_str<E>(self, text: &str) -> Result<RawPattern, E> {
                Ok(RawPattern::Word(text.to_owned()))
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<RawPattern, A::Error> {
                RawFits::deserialize(MapAccessDeserializer::new(map)).map(RawPattern::Fits)
            }
        }
        deserializer.deserialize_any(WordOrFits)
    }
}

/// An example: what is given, and what the rule must answer.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawExample {
    /// What the example shows.
    pub name: String,
    /// Signals that are not listed are absent. `risk`, `significant` and `pattern` may stand beside them.
    #[serde(default)]
    pub given: Entries<Spanned<RawValue>>,
    pub expect: Expect,
}

/// A signal in an example: `61%`, `{x: 149, n: 240}`, `{value: 5s, n: 40}` or
/// `{value: 5s, n: 40, low: 3s, high: 8s}`; a mapping may hold `q`, `p` and `peers` (`high`, `low` or `few`)
/// besides, which say how the signal stands against its peers.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "the fields are read through the match in check")]
pub(super) enum RawValue {
    Text(#[schemars(with = "Given")] String),
    Parts(#[schemars(with = "std::collections::BTreeMap<String, Amount>")] Entries<Spanned<String>>),
}

impl<'de> Deserialize<'de> for RawValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawValue, D::Error> {
        struct TextOrParts;
        impl<'de> Visitor<'de> for TextOrParts {
            type Value = RawValue;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value with its unit, or a mapping such as {x: 149, n: 240}")
            }
            fn visit_str<E>(self, text: &str) -> Result<RawValue, E> {
                Ok(RawValue::Text(text.to_owned()))
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<RawValue, A::Error> {
                Entries::deserialize(MapAccessDeserializer::new(map)).map(RawValue::Parts)
            }
        }
        deserializer.deserialize_any(TextOrParts)
    }
}

/// The JSON Schema (2020-12) of a rule file.
pub fn schema() -> serde_json::Value {
    let own_keys = RecursiveTransform(|schema: &mut Schema| {
        if schema.get("additionalProperties") == Some(&false.into()) {
            schema.insert("patternProperties".to_owned(), serde_json::json!({"^x-": true}));
        }
    });
    let settings = SchemaSettings::draft2020_12().with_transform(own_keys);
    settings.into_generator().into_root_schema_for::<RawRule>().to_value()
}

/// An amount with its unit, for the schema: YAML reads `500` as a number and `30%` as text.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum Amount {
    Number(f64),
    Text(String),
}

/// A single value in an example, for the schema.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum Given {
    Number(f64),
    Text(String),
    Flag(bool),
}

/// A place is no part of the schema.
impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

impl<T: JsonSchema> JsonSchema for Entries<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Entries_of_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<std::collections::BTreeMap<String, T>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_knows_the_keys_and_lets_private_ones_pass() {
        let schema = schema();
        assert_eq!(schema["required"], serde_json::json!(REQUIRED));
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["patternProperties"]["^x-"], true);
        assert_eq!(schema["$defs"]["RawTest"]["patternProperties"]["^x-"], true);
        let keys = schema["properties"].as_object().expect("a mapping of keys");
        assert!(REQUIRED.iter().all(|k| keys.contains_key(*k)));
        assert!(ROW_LIMITS.iter().all(|k| keys.contains_key(*k)));
    }

    #[test]
    fn row_limits_are_sorted_and_unique() {
        assert!(ROW_LIMITS.windows(2).all(|w| w[0] < w[1]));
    }
}
