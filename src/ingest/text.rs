//! The one strict reader of text: delimited, or one JSON object a line.
//!
//! A record never spans lines unless the mapping says so: an opened and never closed quote costs its own
//! line and nothing else, and no attacker hides rows inside a quoted field. The text is cut at line ends
//! into chunks, chunks are parsed on several threads, and their results are taken in the order of the file.

use super::columns::{Layout, Noticed, RowBuilder, Wanted};
use super::json::{self, Leaf};
use super::mapping::{Mapping, Shape, SideMapping, normalise};
use super::open::{self, Digest, Packing};
use super::reject::{Reason, Rejects};
use crate::base::column::Kind;
use crate::base::error::{Error, Result};
use polars::prelude::DataFrame;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Bytes of one chunk; about a row group of the intake.
const CHUNK: usize = 12 << 20;

/// A longer record is one reject.
const RECORD_CAP: usize = 1 << 20;

/// A longer field is one reject.
const FIELD_CAP: usize = 64 << 10;

/// So many keys of JSON objects are told apart.
const MOST_KEYS: usize = 10_000;

/// What was read of one text file, apart from its rows.
#[derive(Default)]
pub struct TextSummary {
    /// Records read: used and rejected.
    pub rows: u64,
    pub rejects: Rejects,
    pub noticed: Noticed,
    /// The file ends inside a record: it was cut off.
    pub truncated: bool,
    /// Lines that repeat the header (files glued together); neither rows nor rejects.
    pub repeated_headers: u64,
    /// BLAKE3 of the file.
    pub digest: String,
    /// Keys of JSON objects that the mapping asks for and that stood nowhere in the beginning of the file: it
    /// must be read again with them, and nothing of this reading counts.
    pub late_keys: BTreeSet<String>,
}

/// A piece of the file that ends at a line end.
struct Chunk {
    /// A buffer of which the first `length` bytes are the chunk.
    bytes: Vec<u8>,
    length: usize,
    first_line: u64,
    /// Nothing comes behind it.
    last: bool,
}

/// What one chunk became.
struct Parsed {
    frame: DataFrame,
    summary: TextSummary,
    chunk: Chunk,
    /// Where a record begins whose quote is still open at the end of the chunk, and its line.
    open: Option<(usize, u64)>,
}

/// Reads a text export and hands its typed rows, in the order of the file, to `sink`. `keys` are those that
/// an earlier reading found late.
///
/// # Errors
/// An unreadable or damaged file, a header that lacks what is needed, or what `sink` returns.
#[expect(clippy::too_many_arguments, reason = "a file, what it is, how it is read and where its rows go")]
pub fn read(
    path: &Path,
    packing: Packing,
    shape: Shape,
    mapping: &Mapping,
    wanted: &Wanted,
    threads: usize,
    keys: &BTreeSet<String>,
    sink: &mut dyn FnMut(&DataFrame) -> Result<()>,
) -> Result<(TextSummary, Layout)> {
    let mut source = Source::open(path, packing, CHUNK)?;
    read_source(&mut source, shape, mapping, wanted, threads, keys, sink)
}

/// Bytes that a header fits into.
const HEADER: usize = 1 << 20;

/// The names in the header line.
///
/// # Errors
/// An unreadable file, or none that has a header.
pub fn headers(path: &Path, packing: Packing, delimiter: Option<u8>) -> Result<Vec<String>> {
    Ok(Source::open(path, packing, HEADER)?.header(delimiter, &BTreeSet::new())?.names)
}

fn read_source(
    source: &mut Source,
    shape: Shape,
    mapping: &Mapping,
    wanted: &Wanted,
    threads: usize,
    keys: &BTreeSet<String>,
    sink: &mut dyn FnMut(&DataFrame) -> Result<()>,
) -> Result<(TextSummary, Layout)> {
    let header = source.header(mapping.side(shape).delimiter, keys)?;
    let side = mapping.side(shape);
    let (header, places) = match side.place(shape, &source.path, &header.names) {
        Err(_) if header.form == Form::Json && !source.ended => {
            let header = every_key(&source.path, source.packing)?;
            let places = side.place(shape, &source.path, &header.names)?;
            (header, places)
        }
        places => (header, places?),
    };
    let mut layout = Layout::new(shape, mapping, places, header.names.len(), wanted);
    layout.headers.clone_from(&header.names);
    let asked = asked_keys(side);
    let parser = Parser { layout: &layout, header: &header, keys: header.index(), asked };
    let multiline = layout.multiline && header.form != Form::Json;
    let mut summary = parse_in_order(source, &parser, multiline, threads, sink)?;
    summary.digest = source.digest.hex();
    Ok((summary, layout))
}

/// Reads on this thread, parses on `threads` others, and takes the results in order.
fn parse_in_order(
    source: &mut Source,
    parser: &Parser,
    multiline: bool,
    threads: usize,
    sink: &mut dyn FnMut(&DataFrame) -> Result<()>,
) -> Result<TextSummary> {
    let mut collector = Collector { parser, total: TextSummary::default(), open: None, sink };
    std::thread::scope(|scope| {
        let workers: Vec<(SyncSender<Chunk>, Receiver<Parsed>)> = (0..threads.max(1))
            .map(|_| {
                let (send, chunks) = sync_channel::<Chunk>(1);
                let (results, receive) = sync_channel::<Parsed>(1);
                scope.spawn(move || {
                    for chunk in chunks {
                        if results.send(parser.chunk(chunk)).is_err() {
                            break;
                        }
                    }
                });
                (send, receive)
            })
            .collect();
        feed(source, &workers, &mut collector, multiline)
    })?;
    let mut total = collector.total;
    total.rejects.append(std::mem::take(&mut source.rejects));
    total.rows += std::mem::take(&mut source.skipped);
    total.truncated = source.ends_without_newline && total.last_line_is_ragged(source.lines);
    Ok(total)
}

/// Deals chunks to the workers in turn and collects their results in the same turn.
fn feed(
    source: &mut Source,
    workers: &[(SyncSender<Chunk>, Receiver<Parsed>)],
    collector: &mut Collector,
    multiline: bool,
) -> Result<()> {
    let stopped = || Error::input("internal: a reading thread stopped");
    let (mut sent, mut taken) = (0usize, 0usize);
    let mut collect = |taken: &mut usize| -> Result<Vec<u8>> {
        let parsed = workers[*taken % workers.len()].1.recv();
        *taken += 1;
        collector.take(parsed.map_err(|_| stopped())?)
    };
    while let Some(chunk) = source.chunk(multiline)? {
        if sent - taken == workers.len() {
            source.spares.push(collect(&mut taken)?);
        }
        workers[sent % workers.len()].0.send(chunk).map_err(|_| stopped())?;
        sent += 1;
    }
    while taken < sent {
        collect(&mut taken)?;
    }
    collector.finish()
}

/// Takes the chunks' results in order. A record whose quote is still open at the end of its chunk is parsed
/// again together with the next chunk: where a chunk ends must not decide what a row is.
struct Collector<'a> {
    parser: &'a Parser<'a>,
    total: TextSummary,
    /// The open end of the chunk before, and its first line.
    open: Option<(Vec<u8>, u64)>,
    sink: &'a mut dyn FnMut(&DataFrame) -> Result<()>,
}

impl Collector<'_> {
    /// Hands a chunk's rows on; gives its buffer back.
    fn take(&mut self, parsed: Parsed) -> Result<Vec<u8>> {
        let parsed = match self.open.take() {
            None => parsed,
            Some((mut bytes, first_line)) => {
                bytes.extend_from_slice(&parsed.chunk.bytes[..parsed.chunk.length]);
                self.parser.chunk(Chunk { length: bytes.len(), bytes, first_line, last: parsed.chunk.last })
            }
        };
        self.open =
            parsed.open.map(|(at, line)| (parsed.chunk.bytes[at..parsed.chunk.length].to_vec(), line));
        self.total.append(parsed.summary);
        (self.sink)(&parsed.frame)?;
        Ok(parsed.chunk.bytes)
    }

    /// Parses what is still open at the end of the file.
    fn finish(&mut self) -> Result<()> {
        let Some((bytes, first_line)) = self.open.take() else { return Ok(()) };
        let last = self.parser.chunk(Chunk { length: bytes.len(), bytes, first_line, last: true });
        self.take(last).map(drop)
    }
}

impl TextSummary {
    fn append(&mut self, other: TextSummary) {
        self.rows += other.rows;
        self.rejects.append(other.rejects);
        self.noticed.append(other.noticed);
        self.repeated_headers += other.repeated_headers;
        self.late_keys.extend(other.late_keys);
    }

    fn last_line_is_ragged(&self, last: u64) -> bool {
        let broken =
            [Reason::Ragged, Reason::UnclosedQuote, Reason::NotJson, Reason::BadTime, Reason::NoTime];
        self.rejects.kept.iter().rev().take(8).any(|r| r.line == last && broken.contains(&r.reason))
    }
}

/// How a line of text becomes fields.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    /// Fields between separators.
    Delimited(u8),
    /// An object whose keys name the fields.
    Json,
}

/// The header line, or the keys of the first objects.
struct Header {
    raw: Vec<u8>,
    names: Vec<String>,
    form: Form,
}

impl Header {
    fn delimiter(&self) -> u8 {
        match self.form {
            Form::Delimited(mark) => mark,
            Form::Json => 0,
        }
    }

    /// Where each key stands, for objects.
    fn index(&self) -> HashMap<Vec<u8>, usize> {
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

    fn header(self) -> Header {
        Header { raw: Vec::new(), names: self.names, form: Form::Json }
    }
}

/// The keys of a whole file: its beginning lacks one that must be there.
fn every_key(path: &Path, packing: Packing) -> Result<Header> {
    let mut source = Source::open(path, packing, CHUNK)?;
    let mut keys = Keys::default();
    while let Some(chunk) = source.chunk(false)? {
        keys.read(&chunk.bytes[..chunk.length]);
        source.spares.push(chunk.bytes);
    }
    Ok(keys.header())
}

/// The header names that a mapping asks for, as they are compared.
fn asked_keys(side: &SideMapping) -> BTreeSet<String> {
    side.columns.values().flat_map(|(names, _)| names).map(|name| normalise(name)).collect()
}

/// The unpacked bytes of a file, cut into chunks at line ends.
struct Source {
    path: std::path::PathBuf,
    packing: Packing,
    reader: Box<dyn Read + Send>,
    digest: Digest,
    /// A buffer of which the first `filled` bytes wait to be handed out.
    buffer: Vec<u8>,
    filled: usize,
    /// Buffers that came back: memory is touched for the first time once.
    spares: Vec<Vec<u8>>,
    /// Lines handed out so far.
    lines: u64,
    ended: bool,
    ends_without_newline: bool,
    rejects: Rejects,
    /// Records that were too long to be handed out.
    skipped: u64,
}

impl Source {
    fn open(path: &Path, packing: Packing, chunk: usize) -> Result<Source> {
        let digest = Digest::default();
        let mut source = Source {
            path: path.to_owned(),
            packing,
            reader: open::text(path, packing, &digest)?,
            digest,
            buffer: vec![0; chunk],
            filled: 0,
            spares: Vec::new(),
            lines: 0,
            ended: false,
            ends_without_newline: false,
            rejects: Rejects::default(),
            skipped: 0,
        };
        source.refill()?;
        open::refuse_foreign_text(path, source.waiting())?;
        if source.waiting().starts_with(b"\xef\xbb\xbf") {
            source.pass(3);
        }
        Ok(source)
    }

    fn waiting(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    /// Passes over the first `count` waiting bytes.
    fn pass(&mut self, count: usize) {
        self.buffer.copy_within(count..self.filled, 0);
        self.filled -= count;
    }

    /// Reads until the buffer is full or the file ends.
    fn refill(&mut self) -> Result<()> {
        if self.ended || self.filled == self.buffer.len() {
            return Ok(());
        }
        let room = &mut self.buffer[self.filled..];
        let size = room.len();
        let read = open::fill(&mut *self.reader, room).map_err(|e| self.damaged(e))?;
        self.filled += read;
        self.ended = read < size;
        if self.ended {
            self.ends_without_newline = self.waiting().last().is_some_and(|&b| b != b'\n');
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
        if self.filled == 0 {
            return None;
        }
        let end = memchr::memchr(b'\n', self.waiting()).map_or(self.filled, |at| at + 1);
        let mut line = self.waiting()[..end].to_vec();
        self.pass(end);
        self.lines += 1;
        while line.last().is_some_and(|b| matches!(b, b'\n' | b'\r')) {
            line.pop();
        }
        Some(line)
    }

    fn header(&mut self, declared: Option<u8>, keys: &BTreeSet<String>) -> Result<Header> {
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
                _ if raw.iter().all(u8::is_ascii_whitespace) => {}
                _ => return self.split_header(raw, declared),
            }
        }
    }

    fn split_header(&self, raw: Vec<u8>, declared: Option<u8>) -> Result<Header> {
        let delimiter = declared.unwrap_or_else(|| likely_delimiter(&raw));
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
        let end = memchr::memchr(b'\n', self.waiting()).unwrap_or(self.filled);
        let line = self.waiting()[..end].trim_ascii();
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
        keys.read(self.waiting());
        late.iter().for_each(|name| keys.add(name));
        keys.header()
    }

    /// The next chunk, ending at a line end; `None` at the end of the file.
    fn chunk(&mut self, multiline: bool) -> Result<Option<Chunk>> {
        loop {
            self.refill()?;
            if self.filled == 0 {
                return Ok(None);
            }
            let end = if self.ended { Some(self.filled) } else { self.cut(multiline) };
            if let Some(length) = end {
                let first_line = self.lines + 1;
                let bytes = self.take(length);
                self.lines += newlines(&bytes[..length]);
                self.lines += u64::from(bytes[length - 1] != b'\n');
                let last = self.ended && self.filled == 0;
                return Ok(Some(Chunk { bytes, length, first_line, last }));
            }
            self.skip_record()?;
        }
    }

    /// Hands the buffer out and keeps what lies behind `length` in another one.
    fn take(&mut self, length: usize) -> Vec<u8> {
        let mut next = self.spares.pop().unwrap_or_default();
        next.resize(self.buffer.len(), 0);
        let left = self.filled - length;
        next[..left].copy_from_slice(&self.buffer[length..self.filled]);
        self.filled = left;
        std::mem::replace(&mut self.buffer, next)
    }

    /// Where the waiting bytes can be cut: behind the last line end, or with `multiline` behind the last
    /// line end outside quotes.
    fn cut(&self, multiline: bool) -> Option<usize> {
        if !multiline {
            return memchr::memrchr(b'\n', self.waiting()).map(|at| at + 1);
        }
        let (mut inside, mut end) = (false, None);
        for at in memchr::memchr2_iter(b'"', b'\n', self.waiting()) {
            match self.buffer[at] {
                b'"' => inside = !inside,
                _ if !inside => end = Some(at + 1),
                _ => {}
            }
        }
        end
    }

    /// Drops a record that is longer than a whole chunk.
    fn skip_record(&mut self) -> Result<()> {
        self.rejects.add(self.lines + 1, Reason::TooLong, &self.buffer[..self.filled]);
        self.skipped += 1;
        self.lines += 1;
        while memchr::memchr(b'\n', self.waiting()).is_none() && self.filled > 0 {
            self.filled = 0;
            self.refill()?;
        }
        let end = memchr::memchr(b'\n', self.waiting()).map_or(self.filled, |at| at + 1);
        self.pass(end);
        Ok(())
    }
}

/// The separator that stands most often in the header, outside quotes.
fn likely_delimiter(header: &[u8]) -> u8 {
    let count = |mark: u8| {
        let mut inside = false;
        header
            .iter()
            .filter(|&&b| {
                inside ^= b == b'"';
                b == mark && !inside
            })
            .count()
    };
    let best = [b',', b';', b'\t', b'|'].into_iter().rev().max_by_key(|&mark| count(mark));
    best.unwrap_or(b',')
}

fn csv_reader(bytes: &[u8], delimiter: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .buffer_capacity(64 << 10)
        .from_reader(bytes)
}

/// Turns chunks into typed rows; shared by all threads.
struct Parser<'a> {
    layout: &'a Layout,
    header: &'a Header,
    /// Where the keys of objects stand; empty for delimited text.
    keys: HashMap<Vec<u8>, usize>,
    /// The names that the mapping asks for.
    asked: BTreeSet<String>,
}

impl Parser<'_> {
    fn chunk(&self, chunk: Chunk) -> Parsed {
        let bytes = &chunk.bytes[..chunk.length];
        let mut rows = RowBuilder::new(self.layout, bytes.len() / 128 + 16);
        let mut summary = TextSummary::default();
        let (mut at, mut line, mut open) = (0, chunk.first_line, None);
        if self.header.form == Form::Json {
            self.objects(bytes, line, &mut rows, &mut summary);
            at = bytes.len();
        }
        while at < bytes.len() {
            if !chunk.last && self.is_open(&bytes[at..]) {
                open = Some((at, line));
                break;
            }
            (at, line) = self.run(bytes, at, line, &mut rows, &mut summary);
        }
        summary.noticed = rows.take_noticed();
        Parsed { frame: rows.finish(), summary, open, chunk }
    }

    /// Whether the rest of a chunk is one record whose quote is still open, and short enough to be one.
    fn is_open(&self, rest: &[u8]) -> bool {
        !self.layout.multiline
            && rest.len() <= RECORD_CAP
            && quoting(rest, self.header.delimiter()) == Quoting::Open
    }

    /// Reads records from byte `at` until the end, until a record stays open at the end, or until a line must
    /// be rejected and the reader set behind it; returns where to go on.
    fn run(
        &self,
        bytes: &[u8],
        at: usize,
        line: u64,
        rows: &mut RowBuilder,
        summary: &mut TextSummary,
    ) -> (usize, u64) {
        let mut reader = csv_reader(&bytes[at..], self.header.delimiter());
        let mut record = csv::ByteRecord::new();
        let (mut from, mut line) = (at, line);
        while let Ok(true) = reader.read_byte_record(&mut record) {
            let to = at + reader.position().byte() as usize;
            let raw = physical(bytes, from..to);
            line += newlines(&bytes[from..raw.start]);
            let text = &bytes[raw.clone()];
            if to == bytes.len() && from > at && self.is_open(text) {
                return (raw.start, line);
            }
            if memchr::memchr(b'\n', text).is_some() && !self.layout.multiline {
                let length = self.refuse_lines(&record, text, line, summary);
                return (raw.start + length, line + newlines(&text[..length]));
            }
            self.record(&record, text, line, rows, summary);
            line += newlines(&bytes[raw.start..to]);
            from = to;
        }
        (bytes.len(), line)
    }

    /// Rejects a record that spans lines and says how many bytes of it to pass over. A field that closes
    /// properly was meant to span them, and its lines are no rows: all are rejected, since who writes a user
    /// agent with line ends could forge rows. A quote that never closes costs its own line only.
    fn refuse_lines(
        &self,
        record: &csv::ByteRecord,
        text: &[u8],
        line: u64,
        summary: &mut TextSummary,
    ) -> usize {
        let strict = text.len() <= RECORD_CAP && quoting(text, self.header.delimiter()) == Quoting::Closed;
        let closed = strict && record.len() == self.layout.width;
        let first = memchr::memchr(b'\n', text).map_or(text.len(), |end| end + 1);
        let length = if closed { text.len() } else { first };
        for (at, physical) in text[..length].split_inclusive(|&b| b == b'\n').enumerate() {
            summary.rows += 1;
            summary.rejects.add(line + at as u64, Reason::UnclosedQuote, physical.trim_ascii_end());
        }
        length
    }

    fn record(
        &self,
        record: &csv::ByteRecord,
        raw: &[u8],
        line: u64,
        rows: &mut RowBuilder,
        summary: &mut TextSummary,
    ) {
        if raw == self.header.raw {
            summary.repeated_headers += 1;
            return;
        }
        summary.rows += 1;
        if let Err(reason) = fits(record, raw, self.layout.width).and_then(|()| rows.push(record)) {
            summary.rejects.add(line, reason, raw);
        }
    }
}

impl Parser<'_> {
    /// Reads one object a line.
    fn objects(&self, bytes: &[u8], first: u64, rows: &mut RowBuilder, summary: &mut TextSummary) {
        let mut object = Object::new(self);
        for (at, line) in bytes.split(|&b| b == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            summary.rows += 1;
            let pushed = object.read(line, &mut summary.late_keys).and_then(|record| rows.push(record));
            if let Err(reason) = pushed {
                summary.rejects.add(first + at as u64, reason, line);
            }
        }
    }
}

/// Turns the objects of a chunk into records of the header's width.
struct Object<'a> {
    parser: &'a Parser<'a>,
    record: csv::ByteRecord,
    /// The text of each field of the row.
    fields: Vec<Option<Vec<u8>>>,
    /// Fields that are read as numbers: JSON's way to write these is translated.
    numeric: Vec<bool>,
}

impl<'a> Object<'a> {
    fn new(parser: &'a Parser<'a>) -> Object<'a> {
        let mut numeric = vec![false; parser.layout.width];
        for (col, &at) in &parser.layout.places {
            numeric[at] = matches!(col.kind(), Kind::Money | Kind::Count | Kind::Time);
        }
        let fields = vec![None; parser.layout.width];
        Object { parser, record: csv::ByteRecord::new(), fields, numeric }
    }

    /// The record of one line.
    fn read(
        &mut self,
        line: &[u8],
        late: &mut BTreeSet<String>,
    ) -> std::result::Result<&csv::ByteRecord, Reason> {
        if line.len() > RECORD_CAP {
            return Err(Reason::TooLong);
        }
        let text = std::str::from_utf8(line).map_err(|_| Reason::NotUtf8)?;
        self.fields.fill(None);
        let (mut next, mut fault) = (0, None);
        let whole = json::flatten(text, &mut |path, leaf| match self.place(path, next) {
            Some(at) => {
                next = at + 1;
                fault = fault.or(self.set(at, leaf).err());
            }
            None => self.miss(path, late),
        });
        whole.map_err(|json::NoJson| Reason::NotJson)?;
        fault.map_or(Ok(()), Err)?;
        self.record.clear();
        self.fields.iter().for_each(|field| self.record.push_field(field.as_deref().unwrap_or_default()));
        Ok(&self.record)
    }

    /// Where a key stands; objects mostly have their keys in one order.
    fn place(&self, path: &[u8], next: usize) -> Option<usize> {
        let names = &self.parser.header.names;
        let expected = names.get(next).is_some_and(|name| name.as_bytes() == path);
        if expected { Some(next) } else { self.parser.keys.get(path).copied() }
    }

    fn set(&mut self, at: usize, leaf: Leaf<'_>) -> std::result::Result<(), Reason> {
        if self.fields[at].is_some() {
            return Err(Reason::NotJson);
        }
        let text: Cow<'_, [u8]> = match leaf {
            Leaf::Null => Cow::Borrowed(b""),
            Leaf::Text(text) => text,
            Leaf::Number(raw) if self.numeric[at] => json::plain_number(raw, self.parser.layout.side.decimal),
            Leaf::Number(raw) | Leaf::Raw(raw) => Cow::Borrowed(raw),
        };
        if text.len() > FIELD_CAP {
            return Err(Reason::TooLong);
        }
        self.fields[at] = Some(text.into_owned());
        Ok(())
    }

    /// A key that stood nowhere in the beginning of the file.
    fn miss(&self, path: &[u8], late: &mut BTreeSet<String>) {
        let name = String::from_utf8_lossy(path);
        if late.len() < MOST_KEYS && self.parser.asked.contains(&normalise(&name)) {
            late.insert(name.into_owned());
        }
    }
}

/// The bytes of a record without the line ends around it.
fn physical(bytes: &[u8], range: Range<usize>) -> Range<usize> {
    let is_end = |b: &u8| matches!(b, b'\n' | b'\r');
    let before = bytes[range.clone()].iter().take_while(|b| is_end(b)).count();
    let after = bytes[range.start + before..range.end].iter().rev().take_while(|b| is_end(b)).count();
    range.start + before..range.end - after
}

fn newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

fn fits(record: &csv::ByteRecord, raw: &[u8], width: usize) -> std::result::Result<(), Reason> {
    if raw.len() > RECORD_CAP {
        return Err(Reason::TooLong);
    }
    if ends_inside_quotes(record, raw) {
        return Err(Reason::UnclosedQuote);
    }
    if record.len() != width {
        return Err(Reason::Ragged);
    }
    if raw.len() > FIELD_CAP && record.iter().any(|f| f.len() > FIELD_CAP) {
        return Err(Reason::TooLong);
    }
    if std::str::from_utf8(record.as_slice()).is_err() {
        return Err(Reason::NotUtf8);
    }
    Ok(())
}

/// How the quotes of a text stand, as RFC 4180 has them.
#[derive(PartialEq)]
enum Quoting {
    /// Every field that opens with a quote closes before a separator or the end.
    Closed,
    /// A field opens with a quote that nothing closes.
    Open,
    /// Something stands between a closing quote and the next separator.
    Loose,
}

fn quoting(text: &[u8], delimiter: u8) -> Quoting {
    let mut rest = text;
    while !rest.is_empty() {
        let Some((b'"', quoted)) = rest.split_first() else {
            let end = rest.iter().position(|&b| b == delimiter).map_or(rest.len(), |at| at + 1);
            rest = &rest[end..];
            continue;
        };
        let Some(after) = behind_closing_quote(quoted) else { return Quoting::Open };
        match after.split_first() {
            Some((&mark, next)) if mark == delimiter => rest = next,
            None => return Quoting::Closed,
            Some(_) => return Quoting::Loose,
        }
    }
    Quoting::Closed
}

/// What follows the quote that closes a field; a doubled quote stands for itself.
fn behind_closing_quote(quoted: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    loop {
        at += memchr::memchr(b'"', &quoted[at..])?;
        if quoted.get(at + 1) != Some(&b'"') {
            return Some(&quoted[at + 1..]);
        }
        at += 2;
    }
}

/// The last line of a chunk may open a quote that nothing closes: its last field then follows a quote at the
/// start of the field, and the raw text does not end with one.
fn ends_inside_quotes(record: &csv::ByteRecord, raw: &[u8]) -> bool {
    let Some(last) = record.get(record.len().wrapping_sub(1)) else { return false };
    let last = last.trim_ascii_end();
    let Some(quote) = raw.len().checked_sub(last.len() + 1) else { return false };
    let opens = quote == 0 || matches!(raw[quote - 1], b',' | b';' | b'\t' | b'|');
    raw[quote] == b'"' && opens && raw.ends_with(last) && raw.last() != Some(&b'"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::column::Col;
    use proptest::prelude::*;
    use std::io::Write;

    /// Click IDs that were used, and lines with reasons that were rejected.
    fn read_in_chunks(text: &str, chunk: usize, threads: usize) -> (Vec<String>, Vec<(u64, Reason)>, u64) {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(text.as_bytes()).expect("it is written");
        let mapping = Mapping::build(None, None).expect("the generic preset");
        let mut ids = Vec::new();
        let mut sink = |frame: &DataFrame| {
            let column = frame.column(Col::ClickId.name()).expect("mapped");
            let texts = column.as_materialized_series().str().expect("text");
            ids.extend(texts.iter().map(|t| t.unwrap_or("-").to_owned()));
            Ok(())
        };
        let mut source = Source::open(file.path(), Packing::Plain, chunk).expect("it opens");
        let (summary, _) = read_source(
            &mut source,
            Shape::Clicks,
            &mapping,
            &Wanted::Everything,
            threads,
            &BTreeSet::new(),
            &mut sink,
        )
        .expect("it reads");
        let rejected = summary.rejects.kept.iter().map(|r| (r.line, r.reason)).collect();
        (ids, rejected, summary.rows)
    }

    /// Lines of all kinds, glued together.
    fn lines() -> impl Strategy<Value = String> {
        let line = prop::sample::select(vec![
            "c1,2026-03-02 10:00:00,a",
            "\"c2\",2026-03-02 10:00:00,b",
            "c3,2026-03-02 10:00:00,\"open",
            "c4,2026-03-02 10:00:00,st\"ray",
            "c5,2026-03-02 10:00:00,\"two\nc6,2026-03-02 10:00:00,forged\nlines\"",
            "c7,2026-03-02 10:00:00,\"doubled \"\" quote\"",
            "ragged",
            "",
        ]);
        let end = prop::sample::select(vec!["\n", "\r\n"]);
        prop::collection::vec((line, end), 0..24)
            .prop_map(|lines| lines.into_iter().map(|(line, end)| format!("{line}{end}")).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(7), ..ProptestConfig::with_cases(200) })]

        /// Neither the size of chunks nor the number of threads decides what a row is.
        #[test]
        fn chunks_change_nothing(rows in lines(), chunk in 120usize..600, threads in 1usize..4) {
            let text = format!("click_id,click_time,source\n{rows}");
            prop_assert_eq!(read_in_chunks(&text, chunk, threads), read_in_chunks(&text, 1 << 20, 1));
        }
    }
}
