//! What a file is, before anything is judged by it: preset, columns, rows, words, IDs, times, and what its gaps
//! cost; of two files also by which columns they join and whether their clocks agree.
//!
//! It reads as an audit would, with the same presets and the same reader, and changes nothing. It refuses to
//! mend: whatever looks wrong is shown with its number and an example.

mod file;
mod guess;
mod ids;
mod json;
mod map;
mod pair;
mod text;
mod unread;

pub use json::json;
pub use map::mapping;
pub use text::text;

use crate::base::column::Col;
use crate::base::error::{Error, Result};
use crate::base::text::Text;
use crate::ingest::detect::{self, RECOGNISED};
use crate::ingest::mapping::MappingFile;
use crate::ingest::postback::format_of;
use crate::ingest::preset::GENERIC;
use crate::ingest::{Guard, Inputs, Intake, Plan, Reading, Sample, Shape, Spool, is_stdin};
use crate::ingest::{place, sample, speaking, unsettled};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// So many of the first rows are looked at as they stand in the file.
const SAMPLED: usize = 1_000;

/// What to look at, and what is known of it.
pub struct Options {
    pub files: Vec<PathBuf>,
    /// What the file is, where its header does not tell.
    pub shape: Option<Shape>,
    pub presets: Vec<String>,
    pub user: MappingFile,
    pub guard: Guard,
    pub threads: usize,
}

/// Everything about one file, or two.
pub struct Page {
    pub files: Vec<FileFacts>,
    /// Files whose columns nothing tells yet.
    pub unread: Vec<Unread>,
    pub pair: Option<Pair>,
}

/// What one file is.
pub struct FileFacts {
    pub path: PathBuf,
    pub shape: Shape,
    pub reading: Reading,
    /// Other presets that the header was held against.
    pub others: Vec<String>,
    /// Mapped columns: canonical, header, an example.
    pub columns: Vec<(Col, Text, Option<Text>)>,
    /// Constants of the preset.
    pub constants: Vec<(Col, Text)>,
    /// Headers that nothing is mapped to, with an example.
    pub unmapped: Vec<(Text, Option<Text>)>,
    /// Time columns whose texts do not fit what was declared.
    pub misfits: Vec<Misfit>,
    /// Columns that are missing, and the signals that are absent without them.
    pub missing: Vec<(Vec<Col>, Vec<&'static str>)>,
    pub rows: u64,
    pub used: u64,
    pub blank_lines: u64,
    pub rejects: Vec<Rejected>,
    pub spans: Vec<(Col, i64, i64)>,
    pub currencies: BTreeMap<String, u64>,
    /// The export's words: rows, and what they mean.
    pub statuses: Vec<Word>,
    pub events: Vec<Word>,
    pub ids: Vec<IdFacts>,
    /// Seconds from click to conversion, where one row has both times.
    pub clocks: Option<Clocks>,
    /// What the preset says of its exports.
    pub facts: Vec<String>,
    pub notes: Vec<String>,
}

/// A file that cannot be read before its user says something.
pub struct Unread {
    pub path: PathBuf,
    pub shape: Shape,
    /// What is missing, and what to say.
    pub why: Error,
    /// The presets that its header may belong to, with what speaks for each.
    pub candidates: Vec<String>,
    /// Its headers, each with an example and what that looks like.
    pub headers: Vec<(Text, Option<Text>, Option<String>)>,
    /// Columns without which such a file says nothing.
    pub needs: &'static [Col],
}

/// A time column of which texts are in another format than was declared.
pub struct Misfit {
    pub col: Col,
    /// Of the first rows those that say something, and of these those that do not fit.
    pub seen: u64,
    pub wrong: u64,
    pub example: Text,
    /// Formats that fit all of them: one is the answer, of two only the user knows which.
    pub fitting: Vec<&'static str>,
}

/// Reason, rows, and the first line with what was found there.
pub type Rejected = (&'static str, u64, Option<(u64, Text)>);

/// A word of a column and what it is read as.
pub struct Word {
    pub word: Text,
    pub rows: u64,
    /// `None` where no vocabulary knows it.
    pub means: Option<String>,
}

/// What the texts of an ID column look like.
pub struct IdFacts {
    pub col: Col,
    pub filled: u64,
    pub empty: u64,
    pub distinct: u64,
    /// Rows beyond the first of their ID, and the commonest ID with its rows.
    pub repeated: u64,
    pub commonest: Option<(Text, u64)>,
    /// Macros that the tracker never replaced.
    pub macros: u64,
    pub macro_example: Option<Text>,
    /// IDs that went through a spreadsheet: `1.58E+18`, or long numbers that all end in zeros.
    pub damaged: u64,
    pub damaged_example: Option<Text>,
    /// IDs that differ in case, spaces or invisible characters only: groups, and one of them.
    pub look_alikes: u64,
    pub look_alike_example: Option<(Text, Text)>,
}

/// What the times from click to conversion say about the two clocks.
#[derive(Clone, Debug, PartialEq)]
pub struct Clocks {
    pub pairs: u64,
    pub negative: u64,
    /// Conversions within half an hour of the click.
    pub prompt: u64,
    /// By how many seconds the conversions' clock seems to be ahead of the clicks', if it seems so.
    pub offset_s: Option<i64>,
    pub median_s: i64,
}

/// Two files beside each other.
pub struct Pair {
    /// Pairs of columns of the first and the second file, best first.
    pub joins: Vec<Join>,
    /// IDs of the second file that are in the first but for case, spaces or invisible characters.
    pub alike: Option<Alike>,
    pub clocks: Option<Clocks>,
}

/// Two columns that may be the same ID.
pub struct Join {
    pub first: Text,
    pub second: Text,
    /// Filled rows of the second file, and how many of them are in the first.
    pub rows: u64,
    pub matched: u64,
    /// Both stand for the click ID already.
    pub mapped: bool,
}

/// IDs that would match if the eye decided.
pub struct Alike {
    pub first: Text,
    pub second: Text,
    /// Rows of the second file, and one ID as either file has it.
    pub rows: u64,
    pub example: (Text, Text),
}

/// Looks at files.
///
/// # Errors
/// A file that is missing or damaged.
pub fn inspect(options: &Options) -> Result<Page> {
    let piped = options.files.iter().any(|path| is_stdin(path));
    let stdin = if piped { Some(Rc::new(Spool::fill()?)) } else { None };
    let plan = Plan::new(&options.presets, options.user.clone())?;
    let look = Look { options, plan: &plan, stdin };
    let (mut opened, mut unread) = (Vec::new(), Vec::new());
    for (at, path) in options.files.iter().enumerate() {
        match look.open(path, at).map_err(|e| speaking(look.stdin.as_deref(), e))? {
            Ok(file) => opened.push(file),
            Err(file) => unread.push(file),
        }
    }
    let pair = match opened.as_slice() {
        [first, second] => Some(pair::pair(&look, first, second)?),
        _ => None,
    };
    let files = opened.iter().map(file::facts).collect::<Result<Vec<_>>>()?;
    Ok(Page { files, unread, pair })
}

/// What all files are looked at with.
struct Look<'a> {
    options: &'a Options,
    plan: &'a Plan,
    stdin: Option<Rc<Spool>>,
}

/// A file and the rows that were read of it.
struct Opened {
    path: PathBuf,
    shape: Shape,
    sample: Sample,
    intake: Intake,
}

impl Look<'_> {
    /// Reads a file, or says why that cannot be done before its user says something.
    fn open(&self, path: &Path, at: usize) -> Result<std::result::Result<Opened, Unread>> {
        let bytes = place(self.stdin.as_deref(), path);
        let delimiter = |shape| self.plan.delimiter(shape);
        let first = self.options.shape.unwrap_or(Shape::Clicks);
        let read = sample(bytes, delimiter(first)?, &self.options.guard, SAMPLED);
        let mut sample = read.map_err(|e| log(path, bytes).unwrap_or(e))?;
        let shape = shape(self.options, &sample.headers, at)?;
        if delimiter(shape)? != delimiter(first)? {
            sample = crate::ingest::sample(bytes, delimiter(shape)?, &self.options.guard, SAMPLED)?;
        }
        let reading = self.plan.reading(path, shape, &sample.headers);
        let placed = reading.and_then(|r| r.mapping.side(shape).place(shape, path, &sample.headers));
        if let Err(why) = placed {
            let why = log(path, bytes).unwrap_or(why);
            return unread::unread(path, shape, &sample, why).map(Err);
        }
        let intake = self.read(self.plan, path, shape)?;
        Ok(Ok(Opened { path: path.to_owned(), shape, sample, intake }))
    }

    /// Reads one file as an audit would.
    fn read(&self, plan: &Plan, path: &Path, shape: Shape) -> Result<Intake> {
        let files = BTreeMap::from([(shape, vec![path.display().to_string()])]);
        let guard = self.options.guard.clone();
        let inputs = Inputs { files, guard, stdin: self.stdin.clone(), ..Inputs::default() };
        unsettled(&inputs, plan, self.options.threads)
    }
}

/// What is to be said of a web server's log, if a file that is no export is one.
fn log(path: &Path, bytes: &Path) -> Option<Error> {
    let format = format_of(bytes).ok().flatten()?;
    let message = format!("{}: this is a log of requests ({format}), not an export", path.display());
    Some(Error::input(message).help("give it to an audit as --postbacks FILE, and name the tracker that the postbacks are for with --postback-tracker"))
}

impl Opened {
    fn headers(&self) -> &[String] {
        &self.sample.headers
    }

    fn reading(&self) -> &Reading {
        &self.intake.files[0].reading
    }

    fn table(&self) -> &crate::ingest::Table {
        match self.shape {
            Shape::Clicks | Shape::Combined => &self.intake.clicks,
            Shape::Conversions => &self.intake.conversions,
            Shape::Report => &self.intake.report,
            Shape::Costs => &self.intake.costs,
        }
    }

    /// Where each mapped column stands among the headers.
    fn places(&self) -> BTreeMap<Col, usize> {
        self.reading().mapping.side(self.shape).found(self.headers())
    }
}

/// What a file is: what was said, what its header tells, or in a pair clicks and conversions.
fn shape(options: &Options, headers: &[String], at: usize) -> Result<Shape> {
    if let Some(shape) = options.shape.filter(|_| options.files.len() == 1) {
        return Ok(shape);
    }
    let found = detect::detect(headers, None)?;
    if let Some(best) = found.first().filter(|best| best.confidence >= RECOGNISED) {
        return Ok(best.shape);
    }
    if options.files.len() == 2 {
        return Ok([Shape::Clicks, Shape::Conversions][at]);
    }
    let fits = |shape: Shape| found.iter().any(|c| c.shape == shape && c.preset == GENERIC);
    let has = |names: &[&str]| headers.iter().any(|h| names.contains(&h.trim().to_lowercase().as_str()));
    let priced = has(&["cost", "spend", "cpc"]);
    let converts = has(&["conversions", "leads", "sales", "installs", "payout", "earnings", "revenue"]);
    let likely = [
        (Shape::Combined, fits(Shape::Combined) && priced),
        (Shape::Conversions, fits(Shape::Conversions) && (fits(Shape::Combined) || !fits(Shape::Clicks))),
        (Shape::Clicks, fits(Shape::Clicks)),
        (Shape::Costs, fits(Shape::Costs) && !converts),
        (Shape::Report, fits(Shape::Report)),
        (Shape::Costs, fits(Shape::Costs)),
    ];
    Ok(likely.into_iter().find(|(_, fits)| *fits).map_or(Shape::Clicks, |(shape, _)| shape))
}

/// The clocks' story of some times from click to conversion, in seconds.
fn clocks(mut seconds: Vec<i64>) -> Option<Clocks> {
    /// Where clocks differ they do so by quarter hours, at most 14 hours.
    const STEP: i64 = 900;
    const FARTHEST: i64 = 56;
    /// Fewer say nothing.
    const ENOUGH: usize = 20;
    if seconds.len() < ENOUGH {
        return None;
    }
    seconds.sort_unstable();
    let within = |from: i64| {
        let count =
            seconds.partition_point(|s| *s < from + 2 * STEP) - seconds.partition_point(|s| *s < from);
        count as u64
    };
    let prompt = within(0);
    let steps = (-FARTHEST..=FARTHEST).map(|k| k * STEP);
    // Of equal ones whole hours are the likelier zone, then half ones.
    let likely = |(s, n): &(i64, u64)| (*n, s % (4 * STEP) == 0, s % (2 * STEP) == 0, -s.abs());
    let (best, most) = steps.map(|s| (s, within(s))).max_by_key(likely).unwrap_or((0, 0));
    let shifted = best != 0 && most * 4 >= seconds.len() as u64 && most >= 3 * prompt.max(1);
    Some(Clocks {
        pairs: seconds.len() as u64,
        negative: seconds.partition_point(|s| *s < 0) as u64,
        prompt,
        offset_s: shifted.then_some(best),
        median_s: seconds[seconds.len() / 2],
    })
}

impl Clocks {
    /// Whether something is wrong with the clocks.
    pub fn are_suspicious(&self) -> bool {
        self.offset_s.is_some() || self.negative * 2 > self.pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shifted_clock_is_found_and_a_right_one_is_not() {
        let waits = |shift: i64| (0..200).map(|i| shift + 30 + i * i / 4).collect::<Vec<i64>>();
        assert_eq!(clocks(waits(0)).expect("enough").offset_s, None);
        for hours in [-8, -1, 2, 3] {
            assert_eq!(
                clocks(waits(hours * 3_600)).expect("enough").offset_s,
                Some(hours * 3_600),
                "{hours}"
            );
        }
        assert_eq!(clocks(waits(19_800)).expect("enough").offset_s, Some(19_800));
        // Deposits that come days later are no clock.
        let late: Vec<i64> = (0..200).map(|i| 40_000 + i * 3_001).collect();
        assert_eq!(clocks(late).expect("enough").offset_s, None);
        assert_eq!(clocks(vec![5; 19]), None);
        let negative = clocks((0..100).map(|i| i * 1_000 - 90_000).collect()).expect("enough");
        assert!(negative.are_suspicious() && negative.negative == 90);
    }
}
