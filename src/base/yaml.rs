//! YAML files of the user: bounded, strict, and every value knows where it stands.
//!
//! A text is read into a tree first and the wanted type is taken from the tree. So one wrong key does not
//! hide the next, keys that nobody declared are found without each type saying so, and a fault always has
//! a place. It refuses anchors, several documents, duplicate keys and anything beyond its budget: a
//! configuration needs none of them and an attacker all of them. The only home of serde-saphyr.

use crate::base::diag::{self, Code, Diag};
use serde::Deserialize;
use serde::de::value::{SeqDeserializer, StrDeserializer};
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};
use serde_saphyr::{MessageFormatter, UserMessageFormatter};
use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

/// The largest text that is read, in bytes.
pub const MAX_BYTES: usize = 4 << 20;
const MAX_DEPTH: usize = 32;
const MAX_NODES: usize = 200_000;
/// Keys that start so belong to the user and are ignored.
const PRIVATE: &str = "x-";
/// The name under which [`Spanned`] asks [`De`] for its place.
const SPANNED: &str = "clickaudit::Spanned";

/// Reads one document into `T`; unknown keys are faults.
///
/// # Errors
/// Everything that is wrong with the text, as far as it can be told at once.
pub fn load<T: DeserializeOwned>(text: &str, file: &str) -> Result<T, Vec<Diag>> {
    let text = Arc::from(text);
    let document = read(&text, file);
    let mut faults: Vec<Diag> = document.unknown.iter().map(|u| u.diag(&text, file)).collect();
    faults.extend(document.fault);
    diag::sort(&mut faults);
    document.value.filter(|_| faults.is_empty()).ok_or(faults)
}

/// What was read; `value` is there unless there is a `fault`.
pub struct Document<T> {
    pub value: Option<T>,
    pub fault: Option<Diag>,
    /// Keys that `T` does not declare, for the caller to judge.
    pub unknown: Vec<Unknown>,
}

/// A key that nobody declared.
#[derive(Debug)]
pub struct Unknown {
    pub key: Spanned<String>,
    /// The keys that are declared there.
    pub known: &'static [&'static str],
}

impl Unknown {
    /// The fault, with the nearest declared keys.
    pub fn diag(&self, text: &Arc<str>, file: &str) -> Diag {
        let message = format!("there is no key `{}` here", *self.key);
        let mut diag = Diag::new(&diag::UNKNOWN_KEY, file, message).at(text, self.key.span.clone());
        diag.help = diag::did_you_mean(&self.key, self.known.iter().copied());
        diag
    }
}

/// Reads one document into `T` and leaves the judgement of unknown keys to the caller.
pub fn read<T: DeserializeOwned>(text: &Arc<str>, file: &str) -> Document<T> {
    let unknown = RefCell::default();
    let taken = tree(text).and_then(|tree| T::deserialize(De { tree: &tree, unknown: &unknown }));
    let (value, fault) = match taken {
        Ok(value) => (Some(value), None),
        Err(fault) => (None, Some(fault.diag(text, file))),
    };
    Document { value, fault, unknown: unknown.into_inner() }
}

/// A value that stands in a document, with the keys that lead to it and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Keys and places in lists, joined by dots.
    pub path: String,
    /// What is written; a list of plain values is one value, `[a, b]`.
    pub value: String,
    /// Counted from 1.
    pub line: usize,
}

/// Every value of a document, in its order.
///
/// # Errors
/// What keeps the text from being read.
pub fn leaves(text: &str, file: &str) -> Result<Vec<Leaf>, Vec<Diag>> {
    let tree = tree(text).map_err(|fault| vec![fault.diag(&Arc::from(text), file)])?;
    let mut found = Vec::new();
    tree.leaves("", text, &mut found);
    Ok(found)
}

/// A value and the bytes it was read from. Not for use inside untagged or flattened types, which lose it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    pub value: T,
    pub span: Range<usize>,
}

impl<T> std::ops::Deref for Spanned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Spanned<T>, D::Error> {
        struct Parts<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Parts<T> {
            type Value = Spanned<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value with its place")
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Spanned<T>, A::Error> {
                let missing = || de::Error::custom("a value has no place");
                let start = seq.next_element()?.ok_or_else(missing)?;
                let end = seq.next_element()?.ok_or_else(missing)?;
                let value = seq.next_element()?.ok_or_else(missing)?;
                Ok(Spanned { value, span: start..end })
            }
        }
        deserializer.deserialize_tuple_struct(SPANNED, 3, Parts(PhantomData))
    }
}

/// A mapping with free keys, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entries<T>(pub Vec<(Spanned<String>, T)>);

impl<T> Default for Entries<T> {
    fn default() -> Entries<T> {
        Entries(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Entries<T>, D::Error> {
        struct Pairs<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Pairs<T> {
            type Value = Entries<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Entries<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Pairs(PhantomData))
    }
}

/// Why a text or a value was refused.
#[derive(Debug)]
struct Fault {
    code: &'static Code,
    span: Option<Range<usize>>,
    message: String,
    help: Option<String>,
}

impl Fault {
    fn new(code: &'static Code, message: impl Into<String>) -> Box<Fault> {
        Box::new(Fault { code, span: None, message: message.into(), help: None })
    }

    fn diag(self, text: &Arc<str>, file: &str) -> Diag {
        let mut diag = Diag::new(self.code, file, self.message);
        diag.help = self.help;
        match self.span {
            Some(span) => diag.at(text, span),
            None => diag,
        }
    }
}

/// A refusal on its way up; boxed, since it is the rare way.
#[derive(Debug)]
struct Refused(Box<Fault>);

impl Refused {
    /// Gives the fault a place unless it has one.
    fn or_at(mut self, span: &Range<usize>) -> Refused {
        self.0.span.get_or_insert_with(|| span.clone());
        self
    }

    fn diag(self, text: &Arc<str>, file: &str) -> Diag {
        self.0.diag(text, file)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: fmt::Display>(message: T) -> Refused {
        Refused(Fault::new(&diag::WRONG_SHAPE, message.to_string()))
    }

    fn missing_field(field: &'static str) -> Refused {
        Refused(Fault::new(&diag::MISSING_KEY, format!("the key `{field}` is missing")))
    }
}

/// One node of a document with its place.
#[derive(Debug)]
struct Tree {
    node: Node,
    span: Range<usize>,
}

#[derive(Debug)]
enum Node {
    Null,
    /// What is written, whatever it looks like.
    Scalar(String),
    /// A scalar whose text is still to be taken from the source.
    Unread,
    List(Vec<Tree>),
    Map(Vec<(Tree, Tree)>),
}

/// Parses a text within the budget.
fn tree(text: &str) -> Result<Tree, Refused> {
    if text.len() > MAX_BYTES {
        let message = format!("the file has more than {MAX_BYTES} bytes, which is all that is read");
        return Err(Refused(Fault::new(&diag::SYNTAX, message)));
    }
    let mut tree: Tree =
        serde_saphyr::from_str_with_options(text, options()).map_err(|error| syntax(error, text))?;
    tree.settle(text);
    Ok(tree)
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_aliases: 0,
            max_anchors: 0,
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_documents: 1,
        },
        with_snippet: false,
        strict_booleans: true,
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::PassThrough,
    }
}

/// Says what the reader refused, in our words where we have better ones.
fn syntax(error: serde_saphyr::Error, text: &str) -> Refused {
    use serde_saphyr::Error as E;
    use serde_saphyr::budget::BudgetBreach as B;
    let error = error.without_snippet();
    let (code, message) = match error {
        E::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or("?");
            (&diag::DUPLICATE_KEY, format!("the key `{key}` stands here twice"))
        }
        E::Budget { breach: B::Aliases { .. } | B::Anchors { .. }, .. } => {
            (&diag::SYNTAX, "anchors and aliases are not read: write the value out".to_owned())
        }
        E::Budget { breach: B::Depth { .. }, .. } => {
            (&diag::SYNTAX, format!("the nesting is deeper than {MAX_DEPTH} levels"))
        }
        E::Budget { breach: B::Documents { .. }, .. } | E::MultipleDocuments { .. } => {
            (&diag::SYNTAX, "a file holds one document: remove `---` and what follows".to_owned())
        }
        E::Budget { .. } => {
            (&diag::SYNTAX, "the file is larger than such a file can reasonably be".to_owned())
        }
        other => (&diag::SYNTAX, UserMessageFormatter.format_message(other).into_owned()),
    };
    let mut fault = Fault::new(code, message);
    fault.span = error.location().and_then(|l| bytes(&l).or_else(|| letter(&l, text)));
    if matches!(error, E::ExternalMessage { .. }) {
        let hint = HINTS.iter().find(|(part, _)| fault.message.contains(part));
        fault.help = hint.map(|(_, help)| (*help).to_owned());
    }
    Refused(fault)
}

const NO_TABS: &str = "indent and separate with spaces, not with tabs";

/// What is usually meant by words of the reader that people who do not know YAML cannot make use of.
const HINTS: [(&str, &str); 5] = [
    ("found a tab", NO_TABS),
    ("tabs disallowed", NO_TABS),
    ("tab cannot be used", NO_TABS),
    ("mapping values are not allowed", "put a text with `: ` in it in quotes"),
    ("quoted scalar", "is a closing quote missing?"),
];

/// The letter at which the reader gave up, or the end of the line: it counts lines and letters there, not bytes.
fn letter(location: &serde_saphyr::Location, text: &str) -> Option<Range<usize>> {
    let [line, column] = [location.line(), location.column()].map(|from_one| from_one.checked_sub(1));
    let start: usize = text.split_inclusive('\n').take(usize::try_from(line?).ok()?).map(str::len).sum();
    let line = text[start..].lines().next().unwrap_or_default();
    let letter = line.char_indices().nth(usize::try_from(column?).ok()?);
    let (at, len) = letter.map_or((line.len(), 0), |(at, letter)| (at, letter.len_utf8()));
    Some(start + at..start + at + len)
}

fn bytes(location: &serde_saphyr::Location) -> Option<Range<usize>> {
    let span = location.span();
    let start = usize::try_from(span.byte_offset()?).ok()?;
    let len = usize::try_from(span.byte_len()?).ok()?;
    Some(start..start + len)
}

impl Tree {
    /// Gives numbers their original text, and mappings and lists the extent of what they hold.
    fn settle(&mut self, source: &str) {
        match &mut self.node {
            Node::Null | Node::Scalar(_) => {}
            Node::Unread => {
                let text = source.get(self.span.clone()).unwrap_or_default();
                self.node = Node::Scalar(text.trim().to_owned());
            }
            Node::List(items) => {
                items.iter_mut().for_each(|t| t.settle(source));
                self.span.end = items.last().map_or(self.span.end, |t| t.span.end.max(self.span.end));
            }
            Node::Map(entries) => {
                entries.iter_mut().for_each(|(k, v)| {
                    k.settle(source);
                    v.settle(source);
                });
                self.span.end = entries.last().map_or(self.span.end, |(_, v)| v.span.end.max(self.span.end));
            }
        }
    }

    /// Adds the values from here on, which `path` leads to.
    fn leaves(&self, path: &str, source: &str, found: &mut Vec<Leaf>) {
        let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        match (&self.node, self.plain()) {
            (Node::Map(entries), _) => {
                for (key, value) in entries {
                    value.leaves(&below(key.text("a key").unwrap_or_default()), source, found);
                }
            }
            (Node::List(items), None) => {
                items.iter().enumerate().for_each(|(i, t)| t.leaves(&below(&i.to_string()), source, found));
            }
            (_, value) => {
                let before = source.get(..self.span.start).unwrap_or_default();
                let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
                found.push(Leaf { path: path.to_owned(), value: value.unwrap_or_default(), line });
            }
        }
    }

    /// The value as it is written, if it is none that holds mappings.
    fn plain(&self) -> Option<String> {
        match &self.node {
            Node::Scalar(text) => Some(text.clone()),
            Node::Null | Node::Unread => Some(String::new()),
            Node::List(items) => {
                let items: Option<Vec<String>> = items.iter().map(Tree::plain).collect();
                items.map(|items| format!("[{}]", items.join(", ")))
            }
            Node::Map(_) => None,
        }
    }

    /// What stands here, for messages.
    fn found(&self) -> String {
        match &self.node {
            Node::Null | Node::Unread => "nothing".to_owned(),
            Node::Scalar(text) if text.chars().count() > 40 => "a long text".to_owned(),
            Node::Scalar(text) => format!("`{text}`"),
            Node::List(_) => "a list".to_owned(),
            Node::Map(_) => "a mapping".to_owned(),
        }
    }

    fn expected(&self, what: &str) -> Refused {
        Refused(Fault::new(&diag::WRONG_SHAPE, format!("expected {what}, found {}", self.found())))
            .or_at(&self.span)
    }

    fn text(&self, what: &str) -> Result<&str, Refused> {
        match &self.node {
            Node::Scalar(text) => Ok(text),
            _ => Err(self.expected(what)),
        }
    }

    fn parsed<T: std::str::FromStr>(&self, what: &str) -> Result<T, Refused> {
        self.text(what)?.parse().map_err(|_| self.expected(what))
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Tree, D::Error> {
        let found = serde_saphyr::Spanned::<Node>::deserialize(deserializer)?;
        Ok(Tree { node: found.value, span: bytes(&found.referenced).unwrap_or(0..0) })
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(AnyNode)
    }
}

struct AnyNode;

impl<'de> Visitor<'de> for AnyNode {
    type Value = Node;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Unread)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Unread)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Unread)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Unread)
    }
    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Scalar(text.to_owned()))
    }
    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }
    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Map(entries))
    }
}

/// Takes a type from a tree and notes the keys that the type does not declare.
#[derive(Clone, Copy)]
struct De<'t> {
    tree: &'t Tree,
    unknown: &'t RefCell<Vec<Unknown>>,
}

impl<'t> De<'t> {
    fn on(self, tree: &'t Tree) -> De<'t> {
        De { tree, ..self }
    }

    fn entries(self, what: &str) -> Result<&'t [(Tree, Tree)], Refused> {
        match &self.tree.node {
            Node::Map(entries) => Ok(entries),
            _ => Err(self.tree.expected(what)),
        }
    }

    /// The entries whose keys are declared; the others are noted, the user's own skipped.
    fn declared(self, entries: &'t [(Tree, Tree)], known: &'static [&'static str]) -> Vec<Entry<'t>> {
        let mut kept = Vec::new();
        for (key, value) in entries {
            match key.text("a key") {
                Ok(text) if known.contains(&text) => kept.push((key, value)),
                Ok(text) if text.starts_with(PRIVATE) => {}
                _ => self.unknown.borrow_mut().push(unknown(key, known)),
            }
        }
        kept
    }

    fn visit_entries<'de, V: Visitor<'de>>(
        self,
        entries: Vec<Entry<'t>>,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let access = Map { de: self, entries: entries.into_iter(), value: None };
        visitor.visit_map(access).map_err(|f| f.or_at(&self.tree.span))
    }
}

type Entry<'t> = (&'t Tree, &'t Tree);

fn unknown(key: &Tree, known: &'static [&'static str]) -> Unknown {
    let value = key.text("a key").map_or_else(|_| key.found(), str::to_owned);
    Unknown { key: Spanned { value, span: key.span.clone() }, known }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $what:literal;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            visitor.$visit(self.tree.parsed($what)?).map_err(|f: Refused| f.or_at(&self.tree.span))
        })*
    };
}

impl<'de> Deserializer<'de> for De<'_> {
    type Error = Refused;

    numbers! {
        deserialize_bool visit_bool "`true` or `false`";
        deserialize_i8 visit_i8 "a whole number";
        deserialize_i16 visit_i16 "a whole number";
        deserialize_i32 visit_i32 "a whole number";
        deserialize_i64 visit_i64 "a whole number";
        deserialize_u8 visit_u8 "a whole number from 0 to 255";
        deserialize_u16 visit_u16 "a whole number from 0 to 65535";
        deserialize_u32 visit_u32 "a whole number that is not negative";
        deserialize_u64 visit_u64 "a whole number that is not negative";
        deserialize_char visit_char "one character";
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let number: f64 = self.tree.parsed("a number")?;
        if !number.is_finite() {
            return Err(self.tree.expected("a number"));
        }
        visitor.visit_f64(number)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let text = self.tree.text("text")?;
        visitor.visit_str(text).map_err(|f: Refused| f.or_at(&self.tree.span))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match &self.tree.node {
            Node::Null => visitor.visit_unit(),
            Node::List(_) => self.deserialize_seq(visitor),
            Node::Map(_) => self.deserialize_map(visitor),
            Node::Scalar(_) | Node::Unread => self.deserialize_str(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self.tree.node {
            Node::Null => visitor.visit_unit(),
            _ => Err(self.tree.expected("nothing")),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self.tree.node {
            Node::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self).map_err(|f| f.or_at(&self.tree.span))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let Node::List(items) = &self.tree.node else {
            return Err(self.tree.expected("a list"));
        };
        let items = items.iter().map(|t| self.on(t));
        visitor.visit_seq(SeqDeserializer::new(items)).map_err(|f: Refused| f.or_at(&self.tree.span))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Refused> {
        match &self.tree.node {
            Node::List(items) if items.len() == len => self.deserialize_seq(visitor),
            _ => Err(self.tree.expected(&format!("a list of {len}"))),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        if name != SPANNED {
            return self.deserialize_tuple(len, visitor);
        }
        visitor.visit_seq(Place { de: self, given: 0 })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let entries = self.entries("a mapping")?.iter().map(|(k, v)| (k, v)).collect();
        self.visit_entries(entries, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let some = fields[..fields.len().min(4)].join("`, `");
        let entries = self.entries(&format!("a mapping with keys such as `{some}`"))?;
        self.visit_entries(self.declared(entries, fields), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let choice = match &self.tree.node {
            Node::Map(entries) => self.tagged(entries, variants)?,
            _ => self.word(variants)?,
        };
        visitor.visit_enum(choice).map_err(|f| f.or_at(&self.tree.span))
    }
}

impl<'t> De<'t> {
    /// A plain word: `action: block`.
    fn word(self, variants: &'static [&'static str]) -> Result<Choice<'t>, Refused> {
        let what = format!("one of `{}`", variants.join("`, `"));
        let word = self.tree.text(&what)?;
        if !variants.contains(&word) {
            let mut fault = Fault::new(&diag::UNKNOWN_WORD, format!("`{word}` is not known here"));
            fault.help = diag::did_you_mean(word, variants.iter().copied());
            return Err(Refused(fault).or_at(&self.tree.span));
        }
        Ok(Choice { word, span: &self.tree.span, value: None })
    }

    /// A mapping with one key: `all: […]`.
    fn tagged(
        self,
        entries: &'t [(Tree, Tree)],
        variants: &'static [&'static str],
    ) -> Result<Choice<'t>, Refused> {
        match self.declared(entries, variants)[..] {
            [(key, value)] => {
                Ok(Choice { word: key.text("a key")?, span: &key.span, value: Some(self.on(value)) })
            }
            _ => {
                let what = format!("exactly one of the keys `{}`", variants.join("`, `"));
                let message = format!("expected {what}, found {}", keys(entries));
                Err(Refused(Fault::new(&diag::WRONG_SHAPE, message)).or_at(&self.tree.span))
            }
        }
    }
}

fn keys(entries: &[(Tree, Tree)]) -> String {
    let keys: Vec<String> = entries.iter().map(|(k, _)| k.found()).collect();
    if keys.is_empty() { "none".to_owned() } else { keys.join(" and ") }
}

impl<'de> IntoDeserializer<'de, Refused> for De<'_> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

/// The parts of a [`Spanned`]: start, end, value.
struct Place<'t> {
    de: De<'t>,
    given: usize,
}

impl<'de> de::SeqAccess<'de> for Place<'_> {
    type Error = Refused;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Refused> {
        self.given += 1;
        let span = &self.de.tree.span;
        match self.given {
            1 => seed.deserialize(span.start.into_deserializer()).map(Some),
            2 => seed.deserialize(span.end.into_deserializer()).map(Some),
            3 => seed.deserialize(self.de).map(Some),
            _ => Ok(None),
        }
    }
}

struct Map<'t> {
    de: De<'t>,
    entries: std::vec::IntoIter<Entry<'t>>,
    value: Option<&'t Tree>,
}

impl<'de> de::MapAccess<'de> for Map<'_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refused> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(self.de.on(key)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Refused> {
        let value =
            self.value.take().ok_or_else(|| de::Error::custom("a value was asked for before its key"))?;
        seed.deserialize(self.de.on(value)).map_err(|f| f.or_at(&value.span))
    }
}

/// The chosen variant of an enumeration.
struct Choice<'t> {
    word: &'t str,
    span: &'t Range<usize>,
    value: Option<De<'t>>,
}

impl<'t> Choice<'t> {
    fn value(self) -> Result<De<'t>, Refused> {
        let message = format!("`{}` needs a value: `{}: …`", self.word, self.word);
        self.value.ok_or_else(|| Refused(Fault::new(&diag::WRONG_SHAPE, message)).or_at(self.span))
    }
}

impl<'de> de::EnumAccess<'de> for Choice<'_> {
    type Error = Refused;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Refused> {
        let word: StrDeserializer<'_, Refused> = self.word.into_deserializer();
        Ok((seed.deserialize(word)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Choice<'_> {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        match self.value {
            None => Ok(()),
            Some(de) => Err(de.tree.expected("no value")),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Refused> {
        seed.deserialize(self.value()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Refused> {
        self.value()?.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.value()?.deserialize_struct("variant", fields, visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_know_their_keys_and_lines() {
        let text = "a: 1\nb:\n  c: [x, y]\n  d:\n    - e: no\n    - f: 2026-01-01\n";
        let found = leaves(text, "t").unwrap();
        let told: Vec<_> = found.iter().map(|l| (l.path.as_str(), l.value.as_str(), l.line)).collect();
        assert_eq!(
            told,
            [("a", "1", 1), ("b.c", "[x, y]", 3), ("b.d.0.e", "no", 5), ("b.d.1.f", "2026-01-01", 6)]
        );
    }
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Sample {
        name: Spanned<String>,
        #[serde(default)]
        limit: Option<Spanned<String>>,
        #[serde(default)]
        n: u64,
        #[serde(default)]
        list: Vec<Spanned<f64>>,
        #[serde(default)]
        node: Option<Node>,
        #[serde(default)]
        free: Entries<bool>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum Node {
        All(Vec<Node>),
        Not(Box<Node>),
        Test { signal: Spanned<String> },
        Never,
    }

    /// The faults as `code line:column message (help)`.
    #[track_caller]
    fn check_faults(text: &str, expected: &[&str]) {
        let faults = load::<Sample>(text, "f.yml").expect_err(text);
        let place = |d: &Diag| d.position().map_or("-".to_owned(), |(l, c)| format!("{l}:{c}"));
        let help = |d: &Diag| d.help.as_ref().map_or(String::new(), |h| format!(" ({h})"));
        let found: Vec<String> =
            faults.iter().map(|d| format!("{} {} {}{}", d.code.code, place(d), d.message, help(d))).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[track_caller]
    fn check_loads(text: &str) -> Sample {
        load(text, "f.yml").unwrap_or_else(|d| panic!("{}", diag::plain(&d)))
    }

    /// The text behind every span must be the value.
    #[track_caller]
    fn check_span<T>(text: &str, value: &Spanned<T>, expected: &str) {
        assert_eq!(&text[value.span.clone()], expected);
    }

    #[test]
    fn values_keep_their_text_and_place() {
        let text =
            "# é comment\nname: 'a é b'\nlimit: 30%\nn: 12\nlist: [1, 2.50]\nfree: {b: true, a: false}\n";
        let sample = check_loads(text);
        check_span(text, &sample.name, "'a é b'");
        check_span(text, sample.limit.as_ref().expect("given"), "30%");
        check_span(text, &sample.list[1], "2.50");
        assert_eq!((sample.name.as_str(), sample.n, *sample.list[1]), ("a é b", 12, 2.5));
        let keys: Vec<&str> = sample.free.0.iter().map(|(k, _)| k.as_str()).collect();
        assert_eq!(keys, ["b", "a"]);
    }

    #[test]
    fn scalars_are_what_was_written() {
        for written in ["007", "1_000", "no", "0.30", "1e3", "0x1F", "true", "1.10", "1e999", ".nan"] {
            let sample = check_loads(&format!("name: {written}\nlimit: {written} # why\n"));
            assert_eq!(*sample.name, written);
            assert_eq!(sample.limit.expect("given").value, written);
        }
    }

    #[test]
    fn line_ends_and_byte_order_marks_do_not_shift_places() {
        let text = "\u{feff}n: 1\r\nname: abc\r\n";
        let sample = check_loads(text);
        check_span(text, &sample.name, "abc");
        check_faults(
            "n: 1\r\nname: abc\r\nnam: x\r\n",
            &["Y003 3:1 there is no key `nam` here (did you mean `name`?)"],
        );
    }

    #[test]
    fn enumerations_are_externally_tagged() {
        let sample = check_loads("name: a\nnode:\n  all:\n    - not: never\n    - test: {signal: cr}\n");
        let Some(Node::All(children)) = sample.node else { panic!("no all") };
        assert_eq!(children[0], Node::Not(Box::new(Node::Never)));
        check_faults("name: a\nnode: nevr\n", &["Y006 2:7 `nevr` is not known here (did you mean `never`?)"]);
        check_faults("name: a\nnode: all\n", &["Y002 2:7 `all` needs a value: `all: …`"]);
        check_faults(
            "name: a\nnode:\n  all: []\n  not: never\n",
            &[
                "Y002 3:3 expected exactly one of the keys `all`, `not`, `test`, `never`, found `all` and `not`",
            ],
        );
    }

    #[test]
    fn untagged_values_are_taken_as_text() {
        #[derive(Debug, Deserialize, PartialEq)]
        #[serde(untagged)]
        enum Names {
            One(String),
            Many(Vec<String>),
        }
        let read = |text: &str| load::<BTreeMap<String, Names>>(text, "f.yml").expect(text);
        assert_eq!(read("a: 2024")["a"], Names::One("2024".to_owned()));
        assert_eq!(read("x-a: [b, 1]")["x-a"], Names::Many(vec!["b".to_owned(), "1".to_owned()]));
    }

    #[test]
    fn all_unknown_keys_are_found_and_private_ones_ignored() {
        check_loads("x-mine: [1]\nname: a\nnode: {test: {signal: cr, x-why: y}, x-z: 1}\n");
        check_faults(
            "nam: b\nname: a\nnode: {test: {signal: cr, abov: 1}}\n",
            &[
                "Y003 1:1 there is no key `nam` here (did you mean `name`?)",
                "Y003 3:27 there is no key `abov` here (one of `signal`)",
            ],
        );
    }

    #[test]
    fn a_wrong_shape_says_what_was_found_and_expected() {
        check_faults("name: [a]\n", &["Y002 1:7 expected text, found a list"]);
        check_faults(
            "name: a\nn: x\n",
            &["Y002 2:4 expected a whole number that is not negative, found `x`"],
        );
        check_faults(
            "name: a\nn: -1\n",
            &["Y002 2:4 expected a whole number that is not negative, found `-1`"],
        );
        check_faults("name: a\nlist: [.inf]\n", &["Y002 2:8 expected a number, found `.inf`"]);
        check_faults("name: a\nlist: 5\n", &["Y002 2:7 expected a list, found `5`"]);
        check_faults("name: a\nfree: {a: yes}\n", &["Y002 2:11 expected `true` or `false`, found `yes`"]);
        check_faults("name:\nn: 1\n", &["Y002 1:5 expected text, found nothing"]);
        check_faults("n: 1\n", &["Y004 1:1 the key `name` is missing"]);
        check_faults("name: a\nname: b\n", &["Y005 2:1 the key `name` stands here twice"]);
    }

    #[test]
    fn what_no_configuration_needs_is_refused() {
        check_faults(
            "name: &a x\nlimit: *a\n",
            &["Y001 1:10 anchors and aliases are not read: write the value out"],
        );
        let deep = format!("name: a\nlist: {}{}\n", "[".repeat(40), "]".repeat(40));
        check_faults(&deep, &["Y001 2:38 the nesting is deeper than 32 levels"]);
        let long = format!("name: {}", "a".repeat(MAX_BYTES));
        check_faults(&long, &["Y001 - the file has more than 4194304 bytes, which is all that is read"]);
        check_faults(
            "name: a\n---\nname: b\n",
            &["Y001 2:1 a file holds one document: remove `---` and what follows"],
        );
    }

    #[test]
    fn what_is_no_yaml_is_refused_at_its_place() {
        check_faults(
            "# é\r\nname: é: b\r\n",
            &[
                "Y001 2:8 mapping values are not allowed in this context (put a text with `: ` in it in quotes)",
            ],
        );
        check_faults(
            "name: a\nnode:\n\tall: []\n",
            &[
                "Y001 3:2 tabs disallowed within this context (block indentation) (indent and separate with spaces, \
               not with tabs)",
            ],
        );
        check_faults(
            "name: 'a\nn: 1\n",
            &["Y001 2:1 invalid indentation in multiline quoted scalar (is a closing quote missing?)"],
        );
    }

    #[test]
    fn hostile_texts_are_refused_without_a_panic() {
        for text in [
            "",
            "\0",
            "\u{1b}[2J",
            "{",
            "[",
            "- - -",
            "? [a]\n: b",
            "a: *b",
            "!!binary x",
            ": :",
            "%",
            "\t",
            "é: é: é",
        ] {
            assert!(load::<Sample>(text, "f.yml").is_err(), "{text:?}");
        }
        assert!(load::<BTreeMap<String, u8>>("{1: 2, [a]: 3}", "f.yml").is_err());
    }
}
