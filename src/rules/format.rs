//! The loose type: a rule file as it stands, every value with its place, nothing checked but its shape.
//!
//! Keys that are needed are optional here, so that one missing key does not hide the next. The JSON Schema
//! for editors comes from these types; what is only known to `rules check` is not in it.

use super::model::{Action, Class, Expect, Few, Pack, Status};
use crate::base::yaml::{Entries, Spanned};
use schemars::{
    JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, transform::RecursiveTransform,
};
use serde::de::{self, Deserialize, Deserializer, Visitor, value::MapAccessDeserializer};
use std::borrow::Cow;
use std::fmt;

/// Keys that the format reserves and this version cannot evaluate yet.
pub(super) const NOT_YET: &[&str] =
    &["above_own_past", "clear", "events", "for", "lists", "mature", "params", "where", "window"];

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
    /// The family of evidence; derived from the signals unless given.
    pub family: Option<Spanned<String>>,
    /// The columns that make a group; the audited grain unless given.
    pub by: Option<Spanned<Vec<Spanned<String>>>>,
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
    /// A sentence for the report in place of the title.
    pub message: Option<String>,
    /// The condition.
    pub when: Option<Spanned<RawNode>>,
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

/// One signal against one limit: exactly one of `above`, `below`, `between`, `present`, `above_peers` and
/// `below_peers`.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTest {
    /// The name of a signal; `clickaudit signals` lists them.
    pub signal: Spanned<String>,
    /// The lower limit of the signal's interval lies above this.
    #[schemars(with = "Option<Amount>")]
    pub above: Option<Spanned<String>>,
    /// The upper limit of the signal's interval lies below this.
    #[schemars(with = "Option<Amount>")]
    pub below: Option<Spanned<String>>,
    /// Both limits of the signal's interval lie between these.
    #[schemars(with = "Option<(Amount, Amount)>")]
    pub between: Option<(Spanned<String>, Spanned<String>)>,
    /// The signal has a value, or has none.
    pub present: Option<Spanned<bool>>,
    /// The signal lies above that of the group's peers.
    pub above_peers: Option<Spanned<RawPeers>>,
    /// The signal lies below that of the group's peers.
    pub below_peers: Option<Spanned<RawPeers>>,
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
        assert!(NOT_YET.iter().all(|k| !keys.contains_key(*k)), "a key cannot be both");
    }

    #[test]
    fn reserved_keys_are_sorted_and_unique() {
        assert!(NOT_YET.windows(2).all(|w| w[0] < w[1]));
    }
}
