//! A web server's log of postbacks as conversions.
//!
//! Every request that is a postback becomes a typed row of the conversions, by the same builder as a row of an
//! export; every other line is a reject with its reason. What only a log knows is kept beside it: who sent the
//! postback, what was answered, whether token and signature are right, which requests are equal. Secrets stay
//! here: rejected lines are kept without them.

mod checks;
mod logs;
mod query;
mod settings;
mod template;
mod trackers;

pub use checks::{OVERS, SIGNATURE_WORDS, TOKEN_WORDS};
pub use logs::LOG_FORMATS;
pub use query::ENTITIES;
pub use settings::{PostbackFile, Postbacks, tracker};
pub use template::{Advice, Built, Check, MacroUse, NEEDS, build, check};
pub use trackers::{Found, Parameter, Says, TRACKERS, Tracker};

use super::columns::{Layout, RowBuilder, Wanted};
use super::mapping::{Mapping, Shape};
use super::open::{self, Digest, Packing};
use super::reject::Reason;
use super::text::TextSummary;
use super::value::{self, is_unexpanded_macro};
use crate::base::column::{COLUMNS, Col, Kind, Side};
use crate::base::error::{Error, Result};
use crate::base::time::{TimeFormat, TimeReader, Zone};
use logs::{Hit, Line, LogFormat, LogReader};
use polars::prelude::DataFrame;
use settings::{FiredBy, Network};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// A longer line is one reject.
const LINE_CAP: usize = 1 << 20;

/// A longer value of a parameter is one reject.
const VALUE_CAP: usize = 64 << 10;

/// A format is recognised from so many lines.
const HEAD: usize = 50;

/// Rows of one frame.
const FRAME: usize = 1 << 16;

/// The columns that are found in the log, not in the postback.
pub const FOUND: [Col; 9] = [
    Col::ReceivedTime,
    Col::PostbackIp,
    Col::HttpStatus,
    Col::Request,
    Col::ReceiptOrder,
    Col::FiredBy,
    Col::SenderListed,
    Col::Token,
    Col::Signature,
];

/// What was read of one log, apart from its rows.
pub struct LogSummary {
    pub text: TextSummary,
    pub facts: LogFacts,
}

/// What is told of a log in the report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFacts {
    pub format: &'static str,
    pub tracker: &'static str,
    /// Postbacks whose URL had lost an ampersand to an HTML editor.
    pub repaired: u64,
}

/// Reads a log and hands the rows of its postbacks, in their order, to `sink`.
///
/// # Errors
/// An unreadable or damaged file, a format that is not recognised, or what `sink` returns.
pub fn read(
    path: &Path,
    packing: Packing,
    mapping: &Mapping,
    sink: &mut dyn FnMut(&DataFrame) -> Result<()>,
) -> Result<(LogSummary, Layout)> {
    let digest = Digest::default();
    let mut lines = Lines::of(path, open::text(path, packing, &digest)?)?;
    let head = lines.head()?;
    let format = match mapping.postbacks.format {
        Some(format) => format,
        None => LogFormat::recognised(head.iter().map(String::as_str)).ok_or_else(|| unrecognised(path))?,
    };
    let mut parser = Parser::new(mapping, format);
    let mut layout = parser.layout();
    let mut rows = RowBuilder::new(&layout, FRAME);
    let mut waiting = 0;
    while let Some((number, line)) = lines.next()? {
        let pushed = match parser.line(line) {
            None => continue,
            Some(Ok(())) => rows.push(&parser.record),
            Some(Err(reason)) => Err(reason),
        };
        match pushed {
            Ok(()) => {
                parser.see();
                waiting += 1;
            }
            Err(reason) => parser.reject(number, reason, line_text(line)),
        }
        if waiting == FRAME {
            parser.flush(std::mem::replace(&mut rows, RowBuilder::new(&layout, FRAME)), sink)?;
            waiting = 0;
        }
    }
    parser.flush(rows, sink)?;
    parser.summary.digest = digest.hex();
    let seen = std::mem::take(&mut parser.seen);
    let summary = LogSummary { text: parser.summary, facts: parser.facts };
    layout.places.retain(|col, _| seen.contains(col));
    Ok((summary, layout))
}

/// The format of logs that a file's first lines are of.
///
/// # Errors
/// The file cannot be read, or is no text.
pub fn format_of(path: &Path) -> Result<Option<&'static str>> {
    let packing = open::packing(path)?;
    if packing == Packing::Parquet {
        return Ok(None);
    }
    let head = Lines::of(path, open::text(path, packing, &Digest::default())?)?.head()?;
    Ok(LogFormat::recognised(head.iter().map(String::as_str)).map(|format| format.name))
}

fn unrecognised(path: &Path) -> Error {
    let names: Vec<&str> = LOG_FORMATS.iter().map(|f| f.name).collect();
    Error::input(format!("{}: this is no log of a known format", path.display())).help(format!(
        "known are {}; name one in the mapping: `postbacks: {{format: NAME}}`",
        names.join(", ")
    ))
}

fn line_text(line: RawLine<'_>) -> &[u8] {
    match line {
        RawLine::Text(bytes) | RawLine::TooLong(bytes) => bytes,
    }
}

/// A line without its end; of one that is too long its beginning.
#[derive(Clone, Copy)]
enum RawLine<'l> {
    Text(&'l [u8]),
    TooLong(&'l [u8]),
}

/// The lines of a file, one after another.
struct Lines<'p> {
    path: &'p Path,
    reader: BufReader<Box<dyn Read + Send>>,
    /// Lines that were looked at and are still to be read.
    ahead: std::collections::VecDeque<(Vec<u8>, bool)>,
    line: Vec<u8>,
    /// Of the line that was read last, from 1.
    number: u64,
}

impl<'p> Lines<'p> {
    fn of(path: &'p Path, reader: Box<dyn Read + Send>) -> Result<Lines<'p>> {
        let reader = BufReader::with_capacity(1 << 20, reader);
        let mut lines = Lines { path, reader, ahead: Default::default(), line: Vec::new(), number: 0 };
        let first = lines.reader.fill_buf().map_err(|e| damaged(path, e))?;
        open::refuse_foreign_text(path, first)?;
        if first.starts_with(b"\xef\xbb\xbf") {
            lines.reader.consume(3);
        }
        Ok(lines)
    }

    /// The first lines, which are read again.
    fn head(&mut self) -> Result<Vec<String>> {
        while self.ahead.len() < HEAD {
            let Some(too_long) = self.fill()? else { break };
            self.ahead.push_back((std::mem::take(&mut self.line), too_long));
        }
        Ok(self.ahead.iter().map(|(line, _)| String::from_utf8_lossy(line).into_owned()).collect())
    }

    /// The next line and its number.
    fn next(&mut self) -> Result<Option<(u64, RawLine<'_>)>> {
        let too_long = match self.ahead.pop_front() {
            Some((line, too_long)) => {
                self.line = line;
                too_long
            }
            None => match self.fill()? {
                Some(too_long) => too_long,
                None => return Ok(None),
            },
        };
        self.number += 1;
        let line = if too_long { RawLine::TooLong(&self.line) } else { RawLine::Text(&self.line) };
        Ok(Some((self.number, line)))
    }

    /// Reads a line; whether it was too long to be kept whole. `None` at the end of the file.
    fn fill(&mut self) -> Result<Option<bool>> {
        self.line.clear();
        let (mut any, mut too_long) = (false, false);
        loop {
            let part = self.reader.fill_buf().map_err(|e| damaged(self.path, e))?;
            if part.is_empty() {
                break;
            }
            any = true;
            let end = memchr::memchr(b'\n', part);
            let length = end.unwrap_or(part.len());
            let room = LINE_CAP.saturating_sub(self.line.len());
            too_long |= length > room;
            self.line.extend_from_slice(&part[..length.min(room)]);
            self.reader.consume(end.map_or(length, |at| at + 1));
            if end.is_some() {
                break;
            }
        }
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        Ok(any.then_some(too_long))
    }
}

fn damaged(path: &Path, cause: std::io::Error) -> Error {
    Error::input(format!("{} is damaged or cut off", path.display()))
        .because(cause)
        .help("nothing of it was used: copy it again")
}

/// The layout of rows that a log gave, which say something in these columns.
pub fn layout_of(mapping: &Mapping, columns: &BTreeSet<Col>) -> Layout {
    let format = mapping.postbacks.format.unwrap_or(&LOG_FORMATS[0]);
    let mut layout = Parser::new(mapping, format).layout();
    layout.places.retain(|col, _| columns.contains(col));
    layout
}

/// Turns lines into records of the columns that conversions may have.
struct Parser<'m> {
    mapping: &'m Mapping,
    log: LogReader,
    columns: Vec<Col>,
    /// Value of each column for the line at hand.
    values: BTreeMap<Col, Vec<u8>>,
    /// The values as a record of all columns.
    record: csv::StringRecord,
    /// The columns that any row says something in.
    seen: BTreeSet<Col>,
    /// Postbacks so far.
    order: u64,
    repaired: bool,
    summary: TextSummary,
    facts: LogFacts,
}

impl<'m> Parser<'m> {
    fn new(mapping: &'m Mapping, format: &'static LogFormat) -> Parser<'m> {
        let of_conversions =
            |c: &&crate::base::column::Column| matches!(c.side, Side::Both | Side::Conversions);
        Parser {
            mapping,
            log: LogReader::new(format.name),
            columns: COLUMNS.iter().filter(of_conversions).map(|c| c.id).collect(),
            values: BTreeMap::new(),
            record: csv::StringRecord::new(),
            seen: BTreeSet::new(),
            order: 0,
            repaired: false,
            summary: TextSummary::default(),
            facts: LogFacts { format: format.name, tracker: mapping.postbacks.tracker.name, repaired: 0 },
        }
    }

    /// Every column has a place; which of them say anything is known at the end.
    fn layout(&self) -> Layout {
        let places = self.columns.iter().enumerate().map(|(at, col)| (*col, at)).collect();
        let mut layout =
            Layout::new(Shape::Conversions, self.mapping, places, self.columns.len(), &Wanted::Everything);
        layout.side.time = TimeReader { format: TimeFormat::EpochMs, zone: Zone::UTC };
        layout
    }

    /// Reads a line into the record. `None` for a comment, which is no row.
    fn line(&mut self, line: RawLine) -> Option<std::result::Result<(), Reason>> {
        self.values.clear();
        self.repaired = false;
        let text = match line {
            RawLine::TooLong(_) => return Some(self.row(Err(Reason::TooLong))),
            RawLine::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => text,
                Err(_) => return Some(self.row(Err(Reason::NotUtf8))),
            },
        };
        match self.log.read(text) {
            Line::Nothing => {
                self.summary.blank_lines += u64::from(text.trim().is_empty());
                None
            }
            Line::Foreign => Some(self.row(Err(Reason::BadLogLine))),
            Line::Hit(hit) => {
                let outcome = self.hit(&hit);
                Some(self.row(outcome))
            }
        }
    }

    /// Counts a row; makes the record of one that can be used.
    fn row(&mut self, outcome: std::result::Result<(), Reason>) -> std::result::Result<(), Reason> {
        self.summary.rows += 1;
        self.record.clear();
        outcome?;
        for col in &self.columns {
            let value = self.values.get(col).map_or(&[][..], Vec::as_slice);
            self.record.push_field(std::str::from_utf8(value).map_err(|_| Reason::NotUtf8)?);
        }
        Ok(())
    }

    /// Notes what a used row says.
    fn see(&mut self) {
        let side = self.mapping.side(Shape::Conversions);
        let said = self.values.iter().filter(|(_, value)| !value::is_null(value.trim_ascii(), side));
        self.seen.extend(said.map(|(col, _)| *col));
        self.facts.repaired += u64::from(self.repaired);
    }

    fn reject(&mut self, line: u64, reason: Reason, text: &[u8]) {
        let hidden = self.without_secrets(text);
        self.summary.rejects.add(line, reason, &hidden);
    }

    fn flush(&mut self, mut rows: RowBuilder, sink: &mut dyn FnMut(&DataFrame) -> Result<()>) -> Result<()> {
        self.summary.noticed.append(rows.take_noticed());
        sink(&rows.finish())
    }

    /// The values of a request, or why it is none of ours.
    fn hit(&mut self, hit: &Hit) -> std::result::Result<(), Reason> {
        let (_, path, sent) = query::split(&hit.target);
        if !matches!(hit.method.as_str(), "" | "GET" | "POST") {
            return Err(Reason::OtherRequest);
        }
        let postbacks = &self.mapping.postbacks;
        let known = |name: &str| postbacks.says(name).is_some() || DAMAGED_NAMES.contains(&name);
        let repaired = query::repaired(sent, &known);
        self.repaired = repaired.is_some();
        let parameters = query::parameters(repaired.as_deref().unwrap_or(sent));
        let path_text = String::from_utf8_lossy(path);
        self.is_postback(hit, &path_text, &parameters)?;
        if matches!(hit.status, Some(401 | 403)) {
            return Err(Reason::RefusedPostback);
        }
        self.parameters(&parameters)?;
        let named = self.values.get(&Col::Network).map(|v| String::from_utf8_lossy(v).into_owned());
        let network = postbacks.network(&path_text, named.as_deref());
        self.found(hit, network, path, sent, &parameters);
        self.times(hit)
    }

    /// Whether a request is a postback: by the paths that the mapping names; otherwise by the tracker's paths
    /// and parameters. Where every path may be one, it must say whose and what.
    fn is_postback(
        &self,
        hit: &Hit,
        path: &str,
        parameters: &[(Vec<u8>, Vec<u8>)],
    ) -> std::result::Result<(), Reason> {
        let postbacks = &self.mapping.postbacks;
        let declared = postbacks.is_declared(path);
        let of_tracker = postbacks.tracker.paths.iter().any(|end| path.ends_with(end));
        let said: Vec<Col> = parameters.iter().filter_map(|(name, value)| self.says(name, value)).collect();
        let any = |columns: &[Col]| said.iter().any(|c| columns.contains(c));
        let is = match declared {
            Some(declared) => declared && !said.is_empty(),
            None if of_tracker => !said.is_empty() && (any(&WHOSE) || any(&WHAT)),
            None => postbacks.tracker.paths.is_empty() && any(&WHOSE) && any(&WHAT),
        };
        let expected = declared.unwrap_or(of_tracker);
        match is {
            true => Ok(()),
            false if hit.method == "POST" && expected => Err(Reason::PostWithoutQuery),
            false => Err(Reason::OtherRequest),
        }
    }

    /// The column that a parameter with a value is read as.
    fn says(&self, name: &[u8], value: &[u8]) -> Option<Col> {
        match self.mapping.postbacks.says(std::str::from_utf8(name).ok()?)? {
            Says::Column(col) if !value.is_empty() => Some(col),
            _ => None,
        }
    }

    /// Reads the parameters. A macro that was never replaced says nothing; two values for one column are
    /// refused, since receivers differ over which one counts.
    fn parameters(&mut self, parameters: &[(Vec<u8>, Vec<u8>)]) -> std::result::Result<(), Reason> {
        let mut left = false;
        let mut names: BTreeMap<Col, &[u8]> = BTreeMap::new();
        for (name, value) in parameters {
            let Some(col) = self.says(name, value) else { continue };
            if value.len() > VALUE_CAP {
                return Err(Reason::TooLong);
            }
            std::str::from_utf8(value).map_err(|_| Reason::NotUtf8)?;
            if is_placeholder(value) {
                left = true;
                continue;
            }
            match (self.values.get(&col), names.get(&col)) {
                (None, _) => {
                    names.insert(col, name);
                    self.values.insert(col, value.clone());
                }
                (Some(first), Some(own)) if own.eq_ignore_ascii_case(name) && first != value => {
                    return Err(Reason::AmbiguousParameter);
                }
                // Of several names of one column the first that says something counts.
                _ => {}
            }
        }
        self.values.insert(Col::MacroLeft, if left { b"1".to_vec() } else { b"0".to_vec() });
        self.status(parameters);
        for (col, constant) in &self.mapping.side(Shape::Conversions).constants {
            self.values.entry(*col).or_insert_with(|| constant.clone().into_bytes());
        }
        Ok(())
    }

    /// Puts the tracker's words for statuses, and those that the postback itself explains, into ours.
    fn status(&mut self, parameters: &[(Vec<u8>, Vec<u8>)]) {
        let Some(word) = self.values.get(&Col::Status).cloned() else { return };
        let tracker = self.mapping.postbacks.tracker;
        let told = parameters.iter().find_map(|(name, value)| {
            match self.mapping.postbacks.says(std::str::from_utf8(name).ok()?)? {
                Says::Words(status) if value.split(|&b| b == b',').any(|w| w == word) => Some(status),
                _ => None,
            }
        });
        let own = || tracker.statuses.iter().find(|(w, _)| w.as_bytes() == word).map(|(_, status)| *status);
        if let Some(status) = told.or_else(own) {
            self.values.insert(Col::Status, status.as_bytes().to_vec());
        }
    }

    /// What the log says of the postback, and what its sender proves.
    fn found(
        &mut self,
        hit: &Hit,
        network: &Network,
        path: &[u8],
        sent: &[u8],
        parameters: &[(Vec<u8>, Vec<u8>)],
    ) {
        self.order += 1;
        let sender = if self.mapping.postbacks.forwarded { hit.forwarded } else { hit.sender };
        let mut set = |col: Col, value: Option<String>| {
            value.into_iter().for_each(|v| drop(self.values.insert(col, v.into_bytes())))
        };
        let request = [path, b"?", sent].concat();
        set(Col::Request, Some(blake3::hash(&request).to_hex().to_string()));
        set(Col::ReceiptOrder, Some(self.order.to_string()));
        set(Col::HttpStatus, hit.status.map(|status| status.to_string()));
        set(Col::FiredBy, Some(network.fired_by.word().to_owned()));
        set(Col::PostbackIp, sender.map(|ip| ip.to_string()));
        let listed =
            sender.filter(|_| network.checks_senders()).map(|ip| checks::is_listed(&network.senders, ip));
        set(Col::SenderListed, listed.map(|yes| u8::from(yes).to_string()));
        set(Col::Token, network.token.as_ref().map(|check| check.word(parameters).to_owned()));
        let signature = network.signature.as_ref().map(|check| check.word(path, sent, parameters).to_owned());
        set(Col::Signature, signature);
        let visitor = sender.filter(|_| network.fired_by == FiredBy::Browser);
        if let Some(ip) = visitor {
            self.values.entry(Col::Ip).or_insert_with(|| ip.to_string().into_bytes());
        }
        if let Some(name) = &network.name {
            self.values.entry(Col::Network).or_insert_with(|| name.clone().into_bytes());
        }
    }

    /// Times of the postback as milliseconds. Its event is at the time it names, or at its receipt.
    fn times(&mut self, hit: &Hit) -> std::result::Result<(), Reason> {
        let times: Vec<Col> = self.values.keys().copied().filter(|c| c.kind() == Kind::Time).collect();
        for col in times {
            let text = self.values[&col].clone();
            match self.moment(&text)? {
                Some(micros) => drop(self.values.insert(col, milliseconds(micros))),
                None => drop(self.values.remove(&col)),
            }
        }
        if let Some(micros) = hit.time {
            self.values.insert(Col::ReceivedTime, milliseconds(micros));
            self.values.entry(Col::ConversionTime).or_insert_with(|| milliseconds(micros));
        }
        Ok(())
    }

    /// A time of a parameter. Whole numbers of ten, thirteen or sixteen digits are seconds, milliseconds or
    /// microseconds since 1970: of no point in time between 2002 and 2099 could two of them be meant.
    fn moment(&self, text: &[u8]) -> std::result::Result<Option<i64>, Reason> {
        let side = self.mapping.side(Shape::Conversions);
        let text = text.trim_ascii();
        if value::is_null(text, side) {
            return Ok(None);
        }
        let digits = text.iter().all(u8::is_ascii_digit);
        let scale = match text.len() {
            10 if digits => Some(1_000_000),
            13 if digits => Some(1_000),
            16 if digits => Some(1),
            _ => None,
        };
        let read = match scale {
            Some(scale) => {
                let number = text.iter().fold(0i64, |n, d| n * 10 + i64::from(d - b'0'));
                crate::base::time::in_range(number.saturating_mul(scale))
            }
            None => side.time.read(text),
        };
        read.map(Some).map_err(value::reason_of)
    }

    /// A line as it may be shown: values of tokens and signatures are taken out.
    fn without_secrets(&self, line: &[u8]) -> Vec<u8> {
        let is_secret = |name: &[u8]| {
            let name = String::from_utf8_lossy(name);
            let said = self.mapping.postbacks.says(&name) == Some(Says::Token);
            said || self.mapping.postbacks.secrets().any(|secret| secret.eq_ignore_ascii_case(&name))
        };
        let mut out = Vec::with_capacity(line.len());
        let ends = |b: &u8| matches!(b, b'&' | b'?' | b' ' | b'\t' | b'"');
        for part in line.split_inclusive(|b| ends(b)) {
            let (body, end) = match part.split_last() {
                Some((last, body)) if ends(last) => (body, &part[body.len()..]),
                _ => (part, &[][..]),
            };
            let (name, _) = query::pair(body);
            if body.len() > name.len() && is_secret(&query::decoded(name)) {
                out.extend_from_slice(name);
                out.extend_from_slice("=…".as_bytes());
            } else {
                out.extend_from_slice(body);
            }
            out.extend_from_slice(end);
        }
        out
    }
}

/// Who or what a postback is about.
const WHOSE: [Col; 5] = [Col::ClickId, Col::TransactionId, Col::ConversionId, Col::Source, Col::PlayerId];

/// What a postback reports.
const WHAT: [Col; 7] = [
    Col::Event,
    Col::Status,
    Col::Payout,
    Col::Revenue,
    Col::SaleAmount,
    Col::TransactionId,
    Col::ConversionId,
];

/// Names that editors damage and that are no column of ours.
const DAMAGED_NAMES: [&str; 7] = ["param1", "param2", "param3", "param4", "param5", "region", "section"];

/// A macro, or a word of a template, that was never replaced. Voluum's templates say REPLACE and OPTIONAL,
/// CAKE's macros stand between number signs.
fn is_placeholder(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    let hashed = value.len() > 2 && value.first() == Some(&b'#') && value.last() == Some(&b'#');
    is_unexpanded_macro(value) || hashed || matches!(value, b"REPLACE" | b"OPTIONAL" | b"{}")
}

fn milliseconds(micros: i64) -> Vec<u8> {
    micros.div_euclid(1_000).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::plan::Plan;
    use proptest::prelude::*;
    use std::io::Write;

    /// One log of each format, as servers write them: what mutations start from.
    const SEEDS: [&[u8]; 4] = [
        include_bytes!("../../../tests/corpus/postbacks/combined.log"),
        include_bytes!("../../../tests/corpus/postbacks/cloudfront.log"),
        include_bytes!("../../../tests/corpus/postbacks/alb.log"),
        include_bytes!("../../../tests/corpus/postbacks/urls.log"),
    ];

    fn mapping(text: &str) -> Mapping {
        let file = crate::base::yaml::load(text, "test").unwrap_or_else(|_| panic!("no mapping: {text}"));
        let reading = Plan::new(&[], file).and_then(|plan| plan.log()).expect("a mapping");
        Mapping::clone(&reading.mapping)
    }

    /// Rows that are used, and every row, with the reasons for the rejected ones.
    fn read_bytes(bytes: &[u8], mapping: &Mapping) -> Result<(usize, u64, Vec<&'static str>)> {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(bytes).expect("it is written");
        let mut used = 0;
        let (summary, _) = read(file.path(), Packing::Plain, mapping, &mut |frame| {
            used += frame.height();
            Ok(())
        })?;
        let kept = summary.text.rejects.kept.iter().map(|r| r.reason.slug()).collect();
        Ok((used, summary.text.rows, kept))
    }

    /// The lines of a log with a request for each of these targets; a method before one if there is a space.
    fn log(targets: &[&str]) -> String {
        let line = |target: &&str| {
            let (method, target) = target.split_once(' ').unwrap_or(("GET", target));
            format!(
                "203.0.113.9 - - [02/Mar/2026:10:00:00 +0000] \"{method} {target} HTTP/1.1\" 200 2 \"-\" \"x\"\n"
            )
        };
        targets.iter().map(line).collect()
    }

    #[track_caller]
    fn check(map: &str, targets: &[&str], rejected: &[&str]) {
        let (used, rows, reasons) = read_bytes(log(targets).as_bytes(), &mapping(map)).expect("a log");
        assert_eq!(reasons, rejected, "{targets:?}");
        assert_eq!((used, rows), (targets.len() - rejected.len(), targets.len() as u64));
    }

    #[test]
    fn what_is_a_postback_is_told_by_path_and_parameters() {
        let keitaro = "postbacks: {tracker: keitaro}";
        check(keitaro, &["/a1b2/postback?subid=s&status=sale", "/postback?subid=s"], &[]);
        check(keitaro, &["/landing?subid=s", "/a1b2/postback", "/"], &["other_request"; 3]);
        check(
            keitaro,
            &["POST /a1b2/postback", "HEAD /a1b2/postback?subid=s"],
            &["post_without_query", "other_request"],
        );
        check("{}", &["/pb?click_id=a&event=sale", "/x?affiliate_id=7&status=approved"], &[]);
        check("{}", &["/c?click_id=a", "/x?event=sale", "/p?token=x"], &["other_request"; 3]);
        check("postbacks: {paths: [/pb, /*/in]}", &["/pb?cid=a", "/7/in?payout=1"], &[]);
        check(
            "postbacks: {paths: [/pb]}",
            &["/other?cid=a&payout=1", "POST /pb?x=1"],
            &["other_request", "post_without_query"],
        );
    }

    #[test]
    fn parameters_are_read_strictly() {
        check("{}", &["/p?cid=a&event=x&event=x&payout=1&payout=", "/p?CID=a&Payout=1.5&sum=2"], &[]);
        check("{}", &["/p?cid=a&payout=1&payout=2"], &["ambiguous_parameter"]);
        check("{}", &["/p?cid=a&payout=1,5", "/p?cid=a&payout=x"], &["bad_number"; 2]);
        check("{}", &["/p?cid=%FF&payout=1", "/p?cid=a%00b&payout=1"], &["not_utf8", "nul_in_id"]);
        check("{}", &["/p?cid=a&payout=1&timestamp=soon"], &["bad_time"]);
        check(
            "{}",
            &["/p?cid=a&payout=1&timestamp=1772445600", "/p?cid=a&event=y&timestamp=2026-03-02T10:00:00Z"],
            &[],
        );
        check("{}", &["/p?cid={cid}&payout={payout}&timestamp=%7Bts%7D"], &[]);
        check("postbacks: {parameters: {payout: amount}}", &["/p?cid=a&amount=1"], &[]);
        let long = format!("/p?cid={}&payout=1", "a".repeat(70_000));
        check("{}", &[&long], &["too_long"]);
    }

    #[test]
    fn wrong_settings_are_refused() {
        for (map, says) in [
            ("postbacks: {tracker: volum}", "no tracker"),
            ("postbacks: {format: nginx}", "no format of logs"),
            ("postbacks: {paths: [pb]}", "no path"),
            ("postbacks: {senders: [everywhere]}", "no address"),
            ("postbacks: {parameters: {http_status: s}}", "no column that a parameter can be"),
            ("postbacks: {parameters: {payout: x, revenue: x}}", "stands for"),
            ("postbacks: {tracker: voluum, token: {file: none}}", "has no parameter for a token"),
            ("postbacks: {token: {parameter: t, file: /nowhere/at/all}}", "cannot read the secret file"),
            ("postbacks: {signature: {parameter: s, file: x, over: body}}", "no thing to sign"),
        ] {
            let file = crate::base::yaml::load(map, "test").unwrap_or_else(|_| panic!("{map}"));
            let error = Plan::new(&[], file).err().unwrap_or_else(|| panic!("{map} is accepted"));
            assert!(error.message.contains(says), "{map}: {}", error.message);
        }
    }

    /// Bytes of a seed with some of them replaced, taken out or doubled.
    fn mutated() -> impl Strategy<Value = Vec<u8>> {
        let changes = prop::collection::vec((any::<prop::sample::Index>(), 0..4u8, any::<u8>()), 0..12);
        (0..SEEDS.len(), changes).prop_map(|(seed, changes)| {
            let mut bytes = SEEDS[seed].to_vec();
            for (at, kind, byte) in changes {
                if bytes.is_empty() {
                    break;
                }
                let at = at.index(bytes.len());
                match kind {
                    0 => bytes[at] = byte,
                    1 => drop(bytes.remove(at)),
                    2 => bytes.insert(at, byte),
                    _ => bytes.truncate(at.max(1)),
                }
            }
            bytes
        })
    }

    /// CI gives `PROPTEST_CASES` to look longer.
    fn cases() -> ProptestConfig {
        ProptestConfig {
            rng_seed: proptest::test_runner::RngSeed::Fixed(7),
            ..ProptestConfig::with_cases(ProptestConfig::default().cases.max(256))
        }
    }

    proptest! {
        #![proptest_config(cases())]

        /// Whatever a log holds: an end without panic, and every row is used or rejected.
        #[test]
        fn no_log_panics_or_loses_a_row(bytes in mutated(), format in 0..=LOG_FORMATS.len()) {
            let named = LOG_FORMATS.get(format).map_or(String::new(), |f| format!("format: {}, ", f.name));
            let map = mapping(&format!("postbacks: {{{named}senders: [203.0.113.0/24], token: {{parameter: token}}}}"));
            if let Ok((used, rows, kept)) = read_bytes(&bytes, &map) {
                prop_assert_eq!(used + kept.len(), rows as usize);
                let lines = bytes.split(|b| *b == b'\n').count();
                prop_assert!(rows as usize <= lines);
            }
        }

        /// Nor does any query, in any tracker's words.
        #[test]
        fn no_query_panics(query in "[a-z_]{0,8}[=&%+¤×{}\\[\\]#]{0,6}.{0,60}", tracker in 0..TRACKERS.len()) {
            let tracker = &TRACKERS[tracker];
            let known = |name: &str| tracker.says(name).is_some();
            let _ = query::repaired(query.as_bytes(), &known);
            let _ = query::parameters(query.as_bytes());
            let _ = check_template(&query, tracker);
        }
    }

    fn check_template(query: &str, tracker: &Tracker) -> String {
        template::check(&format!("/p?{query}"), tracker, tracker).corrected
    }

    #[test]
    fn the_seeds_are_recognised_and_used() {
        for seed in SEEDS {
            let (used, rows, rejected) = read_bytes(seed, &mapping("{}")).expect("a log");
            assert!(used >= 3 && used as u64 <= rows, "{rejected:?}");
        }
    }
}
