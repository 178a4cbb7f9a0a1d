//! The one strict reader of text: delimited, or one JSON object a line.
//!
//! A record never spans lines unless the mapping says so: an opened and never closed quote costs its own
//! line and nothing else, and no attacker hides rows inside a quoted field. The text is cut at line ends
//! into chunks, chunks are parsed on several threads, and their results are taken in the order of the file.

mod objects;
mod records;
mod sample;
mod source;

pub use sample::sample;

use super::columns::{Layout, Noticed, RowBuilder, Wanted};
use super::mapping::{Mapping, Shape};
use super::open::Packing;
use super::reject::{Reason, Rejects};
use crate::base::error::{Error, Result};
use polars::prelude::DataFrame;
use source::{CHUNK, Chunk, Form, Header, Source, asked_keys, every_key};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

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
    /// Lines that hold nothing; neither rows nor rejects.
    pub blank_lines: u64,
    /// BLAKE3 of the file.
    pub digest: String,
    /// Keys of JSON objects that the mapping asks for and that stood nowhere in the beginning of the file: it
    /// must be read again with them, and nothing of this reading counts.
    pub late_keys: BTreeSet<String>,
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

/// The separator, `None` for JSON, and the names of the fields, the keys of every object among them.
///
/// # Errors
/// An unreadable file, or none that has a header.
pub fn layout_of(path: &Path, packing: Packing, declared: Option<u8>) -> Result<(Option<u8>, Vec<String>)> {
    let header = Source::open(path, packing, HEADER)?.header(declared, &BTreeSet::new())?;
    match header.form {
        Form::Delimited(delimiter) => Ok((Some(delimiter), header.names)),
        Form::Json => Ok((None, every_key(path, packing)?.names)),
    }
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
    let mut layout = Layout::new(shape, mapping, places, header.names.len(), wanted)
        .laid_over(&header.names, &mapping.sources);
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
    total.blank_lines += source.blank_lines;
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
                bytes.extend_from_slice(&parsed.chunk.bytes);
                self.parser.chunk(Chunk { bytes, first_line, last: parsed.chunk.last })
            }
        };
        self.open = parsed.open.map(|(at, line)| (parsed.chunk.bytes[at..].to_vec(), line));
        self.total.append(parsed.summary);
        (self.sink)(&parsed.frame)?;
        Ok(parsed.chunk.bytes)
    }

    /// Parses what is still open at the end of the file.
    fn finish(&mut self) -> Result<()> {
        let Some((bytes, first_line)) = self.open.take() else { return Ok(()) };
        let last = self.parser.chunk(Chunk { bytes, first_line, last: true });
        self.take(last).map(drop)
    }
}

impl TextSummary {
    fn append(&mut self, other: TextSummary) {
        self.rows += other.rows;
        self.rejects.append(other.rejects);
        self.noticed.append(other.noticed);
        self.repeated_headers += other.repeated_headers;
        self.blank_lines += other.blank_lines;
        self.late_keys.extend(other.late_keys);
    }

    fn last_line_is_ragged(&self, last: u64) -> bool {
        let broken =
            [Reason::Ragged, Reason::UnclosedQuote, Reason::NotJson, Reason::BadTime, Reason::NoTime];
        self.rejects.kept.iter().rev().take(8).any(|r| r.line == last && broken.contains(&r.reason))
    }
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
        let bytes = &chunk.bytes[..];
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
}

fn newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
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
