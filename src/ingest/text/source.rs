//! The bytes of a text export: unpacked, headed, and cut into chunks at line ends.
//!
//! Refuses a file without a header, one column under a wrong separator, and JSON that is not one object a line.

use super::{MOST_KEYS, RECORD_CAP, csv_reader, newlines};
use crate::base::error::{Error, Result};
use crate::base::header::separator;
use crate::ingest::json::{self, Leaf};
use crate::ingest::mapping::{SideMapping, folded};
use crate::ingest::open::{self, Digest, Packing};
use crate::ingest::reject::{Reason, Rejects};
use std::collections::{BTreeSet, HashMap};
use std::io::Read;
use std::path::Path;

/// Bytes of one chunk; about a row group of the intake.
pub const CHUNK: usize = 12 << 20;

/// A piece of the file that ends at a line end.
pub struct Chunk {
    pub bytes: Vec<u8>,
    pub first_line: u64,
    /// Nothing comes behind it.
    pub last: bool,
}

/// How a line of text becomes fields.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// Fields between separators.
    Delimited(u8),
    /// An object whose keys name the fields.
    Json,
}

/// The header line, or the keys of the first objects.
pub struct Header {
    pub raw: Vec<u8>,
    pub names: Vec<String>,
    pub form: Form,
}

impl Header {
    pub fn delimiter(&self) -> u8 {
        match self.form {
            Form::Delimited(mark) => mark,
            Form::Json => 0,
        }
    }

    /// Where each key stands, for objects.
    pub fn index(&self) -> HashMap<Vec<u8>, usize> {
        let names = self.names.iter().enumerate().filter(|_| self.form == Form::Json);
        names.map(|(at, name)| (name.as_bytes().to_vec(), at)).collect()
    }
}

/// The keys of objects, in the order met.
#[derive(Default)]
struct Keys {
    seen: BTreeSet<String>,
    names: Vec<String>,
}

impl Keys {
    fn add(&mut self, name: &str) {
        if self.names.len() < MOST_KEYS && self.seen.insert(name.to_owned()) {
            self.names.push(name.to_owned());
        }
    }

    /// Adds the keys of whole lines; what is no object has none.
    fn read(&mut self, lines: &[u8]) {
        let mut found: Vec<String> = Vec::new();
        for line in lines.split(|&b| b == b'\n').filter(|line| line.len() <= RECORD_CAP) {
            let Ok(text) = std::str::from_utf8(line) else { continue };
            let mut keep = |path: &[u8], _: Leaf<'_>| found.push(String::from_utf8_lossy(path).into_owned());
            if json::flatten(text, &mut keep).is_ok() {
                found.iter().for_each(|name| self.add(name));
            }
            found.clear();
        }
    }

    pub fn header(self) -> Header {
        Header { raw: Vec::new(), names: self.names, form: Form::Json }
    }
}

/// The keys of a whole file: its beginning lacks one that must be there.
pub fn every_key(path: &Path, packing: Packing) -> Result<Header> {
    let mut source = Source::open(path, packing, CHUNK)?;
    let mut keys = Keys::default();
    while let Some(chunk) = source.chunk(false)? {
        keys.read(&chunk.bytes);
        source.spares.push(chunk.bytes);
    }
    Ok(keys.header())
}

/// The header names that a mapping asks for, as presets compare them.
pub fn asked_keys(side: &SideMapping) -> BTreeSet<String> {
    side.columns.values().flat_map(|(names, _)| names).map(|name| folded(name)).collect()
}

/// The unpacked bytes of a file, cut into chunks at line ends.
pub struct Source {
    pub path: std::path::PathBuf,
    pub packing: Packing,
    reader: Box<dyn Read + Send>,
    pub digest: Digest,
    /// The bytes that wait to be handed out, never more than `most`.
    pub waiting: Vec<u8>,
    most: usize,
    /// Buffers that came back: memory is touched for the first time once.
    pub spares: Vec<Vec<u8>>,
    /// Lines handed out so far.
    pub lines: u64,
    pub ended: bool,
    pub ends_without_newline: bool,
    pub rejects: Rejects,
    /// Records that were too long to be handed out.
    pub skipped: u64,
    /// Blank lines before the header.
    pub blank_lines: u64,
}

impl Source {
    pub fn open(path: &Path, packing: Packing, chunk: usize) -> Result<Source> {
        let digest = Digest::default();
        let mut source = Source {
            path: path.to_owned(),
            packing,
            reader: open::text(path, packing, &digest)?,
            digest,
            waiting: Vec::with_capacity(chunk),
            most: chunk,
            spares: Vec::new(),
            lines: 0,
            ended: false,
            ends_without_newline: false,
            rejects: Rejects::default(),
            skipped: 0,
            blank_lines: 0,
        };
        source.refill()?;
        open::refuse_foreign_text(path, &source.waiting)?;
        if source.waiting.starts_with(b"\xef\xbb\xbf") {
            source.pass(3);
        }
        Ok(source)
    }

    /// Passes over the first `count` waiting bytes.
    fn pass(&mut self, count: usize) {
        self.waiting.drain(..count);
    }

    /// Reads until the buffer is full or the file ends.
    fn refill(&mut self) -> Result<()> {
        let room = self.most - self.waiting.len();
        if self.ended || room == 0 {
            return Ok(());
        }
        let mut reader = (&mut self.reader).take(room as u64);
        let read = reader.read_to_end(&mut self.waiting).map_err(|e| self.damaged(e))?;
        self.ended = read < room;
        if self.ended {
            self.ends_without_newline = self.waiting.last().is_some_and(|&b| b != b'\n');
        }
        Ok(())
    }

    fn damaged(&self, cause: std::io::Error) -> Error {
        Error::input(format!("{} is damaged or cut off", self.path.display()))
            .because(cause)
            .help("nothing of it was used: export or copy it again")
    }

    /// Takes the next physical line, without its end.
    fn line(&mut self) -> Option<Vec<u8>> {
        if self.waiting.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', &self.waiting).map_or(self.waiting.len(), |at| at + 1);
        let mut line = self.waiting[..end].to_vec();
        self.pass(end);
        self.lines += 1;
        while line.last().is_some_and(|b| matches!(b, b'\n' | b'\r')) {
            line.pop();
        }
        Some(line)
    }

    pub fn header(&mut self, declared: Option<u8>, keys: &BTreeSet<String>) -> Result<Header> {
        let mut declared = declared;
        loop {
            if self.begins_json()? {
                return Ok(self.keys(keys));
            }
            let Some(raw) = self.line() else {
                return Err(Error::input(format!("{} has no header line", self.path.display()))
                    .help("the first line must name the columns"));
            };
            match raw.strip_prefix(b"sep=") {
                Some([mark]) => declared = Some(*mark),
                _ if raw.iter().all(u8::is_ascii_whitespace) => self.blank_lines += 1,
                _ => return self.split_header(raw, declared),
            }
        }
    }

    fn split_header(&self, raw: Vec<u8>, declared: Option<u8>) -> Result<Header> {
        let delimiter = declared.unwrap_or_else(|| separator(&raw));
        let mut record = csv::ByteRecord::new();
        let read = csv_reader(&raw, delimiter).read_byte_record(&mut record);
        read.map_err(|e| self.damaged(std::io::Error::other(e)))?;
        let names: Vec<String> =
            record.iter().map(|n| String::from_utf8_lossy(n).trim().to_owned()).collect();
        if names.len() < 2 {
            return Err(Error::input(format!(
                "{}: the header has one column only, `{}`; expected columns separated by comma, semicolon, tab or |",
                self.path.display(),
                crate::base::text::Text::new(names.concat()).term(80)
            ))
            .help("declare another separator in the mapping: `delimiter: \"^\"`"));
        }
        Ok(Header { raw, names, form: Form::Delimited(delimiter) })
    }

    /// Whether the next line is a JSON object.
    fn begins_json(&self) -> Result<bool> {
        let end = memchr::memchr(b'\n', &self.waiting).unwrap_or(self.waiting.len());
        let line = self.waiting[..end].trim_ascii();
        let several_lines = line == b"{" || line == b"[" || line.starts_with(b"[{");
        if several_lines {
            return Err(Error::input(format!(
                "{} is JSON that spans lines or one array; expected one object a line (NDJSON)",
                self.path.display()
            ))
            .help("convert it, for example: jq -c '.[]' IN > OUT, or jq -c . for single objects"));
        }
        Ok(json::begins_object(line))
    }

    /// The keys of the objects that wait to be read, in the order met, and those that come later.
    fn keys(&self, late: &BTreeSet<String>) -> Header {
        let mut keys = Keys::default();
        keys.read(&self.waiting);
        late.iter().for_each(|name| keys.add(name));
        keys.header()
    }

    /// The next chunk, ending at a line end; `None` at the end of the file.
    pub fn chunk(&mut self, multiline: bool) -> Result<Option<Chunk>> {
        loop {
            self.refill()?;
            if self.waiting.is_empty() {
                return Ok(None);
            }
            let end = if self.ended { Some(self.waiting.len()) } else { self.cut(multiline) };
            if let Some(length) = end {
                let first_line = self.lines + 1;
                let bytes = self.take(length);
                self.lines += newlines(&bytes);
                self.lines += u64::from(bytes[length - 1] != b'\n');
                let last = self.ended && self.waiting.is_empty();
                return Ok(Some(Chunk { bytes, first_line, last }));
            }
            self.skip_record()?;
        }
    }

    /// Hands the first `length` bytes out and keeps what lies behind them in another buffer.
    fn take(&mut self, length: usize) -> Vec<u8> {
        let mut next = self.spares.pop().unwrap_or_default();
        next.clear();
        if !self.ended {
            next.reserve_exact(self.most);
        }
        next.extend_from_slice(&self.waiting[length..]);
        self.waiting.truncate(length);
        std::mem::replace(&mut self.waiting, next)
    }

    /// Where the waiting bytes can be cut: behind the last line end, or with `multiline` behind the last
    /// line end outside quotes.
    fn cut(&self, multiline: bool) -> Option<usize> {
        if !multiline {
            return memchr::memrchr(b'\n', &self.waiting).map(|at| at + 1);
        }
        let (mut inside, mut end) = (false, None);
        for at in memchr::memchr2_iter(b'"', b'\n', &self.waiting) {
            match self.waiting[at] {
                b'"' => inside = !inside,
                _ if !inside => end = Some(at + 1),
                _ => {}
            }
        }
        end
    }

    /// Drops a record that is longer than a whole chunk.
    fn skip_record(&mut self) -> Result<()> {
        self.rejects.add(self.lines + 1, Reason::TooLong, &self.waiting);
        self.skipped += 1;
        self.lines += 1;
        while memchr::memchr(b'\n', &self.waiting).is_none() && !self.waiting.is_empty() {
            self.waiting.clear();
            self.refill()?;
        }
        let end = memchr::memchr(b'\n', &self.waiting).map_or(self.waiting.len(), |at| at + 1);
        self.pass(end);
        Ok(())
    }
}
