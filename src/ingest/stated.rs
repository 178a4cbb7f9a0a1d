//! A fact of an export as a mapping states it: what it is, or one word in its place.
//!
//! The word is there because silence would be taken for no.

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// What a fact is, or the word in its place.
#[derive(Clone, Debug, PartialEq)]
pub enum Stated<T> {
    Word(Word),
    Is(T),
}

/// What stands in the place of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Nobody knows.
    Unknown,
    /// What is usual in the field.
    Usual,
    /// Any will do.
    Any,
}

const WORDS: [(&str, Word); 3] = [("unknown", Word::Unknown), ("usual", Word::Usual), ("any", Word::Any)];

impl<T> Stated<T> {
    /// What the fact is, if it is more than a word.
    pub fn value(&self) -> Option<&T> {
        match self {
            Stated::Word(_) => None,
            Stated::Is(value) => Some(value),
        }
    }
}

/// Whether a mapping states a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stating {
    Silent,
    /// It states that nobody knows.
    Unknown,
    Known,
}

impl Stating {
    /// Of a fact that may be a word.
    pub fn of<T>(fact: &Option<Stated<T>>) -> Stating {
        match fact {
            None => Stating::Silent,
            Some(Stated::Word(Word::Unknown)) => Stating::Unknown,
            Some(_) => Stating::Known,
        }
    }

    /// Of a fact that is always known where it is there.
    pub fn of_plain<T>(fact: &Option<T>) -> Stating {
        if fact.is_some() { Stating::Known } else { Stating::Silent }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Stated<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

struct Reader<T>(PhantomData<T>);

/// What is no word is handed on as it stands: `statuses: {1: approved}` is about the word `1`.
impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
    type Value = Stated<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = WORDS.iter().map(|(name, _)| *name).collect();
        write!(f, "a value, or one of the words {}", words.join(", "))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        T::deserialize(value.into_deserializer()).map(Stated::Is)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        T::deserialize(value.into_deserializer()).map(Stated::Is)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        T::deserialize(value.into_deserializer()).map(Stated::Is)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        if let Some((_, word)) = WORDS.iter().find(|(name, _)| *name == text) {
            return Ok(Stated::Word(*word));
        }
        // The reader of YAML hands every scalar on as text where any type will do.
        let flag = text
            .parse::<bool>()
            .ok()
            .map(|flag| T::deserialize(IntoDeserializer::<E>::into_deserializer(flag)));
        match flag {
            Some(Ok(value)) => Ok(Stated::Is(value)),
            _ => T::deserialize(text.into_deserializer()).map(Stated::Is),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        T::deserialize(SeqAccessDeserializer::new(list)).map(Stated::Is)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Stated::Is)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::yaml;
    use std::collections::BTreeMap;

    #[derive(serde::Deserialize)]
    struct Facts {
        flag: Option<Stated<bool>>,
        word: Option<Stated<String>>,
        list: Option<Stated<Vec<u64>>>,
        map: Option<Stated<BTreeMap<String, String>>>,
    }

    fn of(text: &str) -> Facts {
        yaml::load(text, "test").unwrap_or_else(|_| panic!("{text}"))
    }

    #[test]
    fn a_fact_is_a_value_or_a_word() {
        let facts = of("flag: true\nword: visit\nlist: [1, 2]\nmap: {1: approved, yes: pending}\n");
        assert_eq!(facts.flag, Some(Stated::Is(true)));
        assert_eq!(facts.word, Some(Stated::Is("visit".to_owned())));
        assert_eq!(facts.list, Some(Stated::Is(vec![1, 2])));
        let map = facts.map.expect("it is there");
        assert_eq!(map.value().map(|m| m.keys().map(String::as_str).collect()), Some(vec!["1", "yes"]));
        let facts = of("flag: unknown\nword: any\nlist: usual\n");
        assert_eq!((Stating::of(&facts.flag), Stating::of(&facts.map)), (Stating::Unknown, Stating::Silent));
        assert_eq!(
            (facts.word, facts.list),
            (Some(Stated::Word(Word::Any)), Some(Stated::Word(Word::Usual)))
        );
        for wrong in ["flag: perhaps", "flag: [true]", "list: {a: b}", "map: [1]"] {
            assert!(yaml::load::<Facts>(wrong, "test").is_err(), "{wrong}");
        }
    }
}
