//! Texts that stand in many rows, as small numbers.
//!
//! Numbers depend on the order in which texts were met: they may be compared for equality and nothing
//! else. Whatever is sorted is sorted by text.

use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

/// A text, or that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(pub u32);

impl Symbol {
    /// No text.
    pub const NONE: Symbol = Symbol(u32::MAX);
    /// A text that was not kept, because there are too many.
    pub const BEYOND: Symbol = Symbol(u32::MAX - 1);
}

/// All texts met so far.
#[derive(Default)]
pub struct Symbols {
    hasher: DefaultHashBuilder,
    numbers: HashTable<u32>,
    texts: Vec<Box<str>>,
}

impl Symbols {
    /// The symbol of a text.
    pub fn of(&mut self, text: &str) -> Symbol {
        let Symbols { hasher, numbers, texts } = self;
        let hash = hasher.hash_one(text);
        let entry =
            numbers.entry(hash, |&i| &*texts[i as usize] == text, |&i| hasher.hash_one(&*texts[i as usize]));
        let number = *entry
            .or_insert_with(|| {
                texts.push(text.into());
                texts.len() as u32 - 1
            })
            .get();
        Symbol(number)
    }

    /// The symbol of a text that may be missing.
    pub fn of_option(&mut self, text: Option<&str>) -> Symbol {
        text.map_or(Symbol::NONE, |t| self.of(t))
    }

    /// The text of a symbol; `None` for [`Symbol::NONE`] and [`Symbol::BEYOND`].
    pub fn text(&self, symbol: Symbol) -> Option<&str> {
        self.texts.get(symbol.0 as usize).map(|t| &**t)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_symbol() {
        let mut symbols = Symbols::default();
        let first = symbols.of("zone-1");
        assert_eq!(symbols.of("zone-1"), first);
        assert_ne!(symbols.of("zone-2"), first);
        assert_eq!(symbols.text(first), Some("zone-1"));
        assert_eq!(symbols.of_option(None), Symbol::NONE);
        assert_eq!(symbols.text(Symbol::NONE), None);
    }
}
