//! What a file is, before anything is judged by it: preset, columns, rows, words, IDs, times, and what its gaps
//! cost; of two files also by which columns they join and whether their clocks agree.
//!
//! It reads as an audit would, with the same presets and the same reader, and changes nothing. It refuses to
//! mend: whatever looks wrong is shown with its number and an example.

mod file;
mod ids;
mod json;
mod map;
mod pair;
mod text;

pub use json::json;
pub use map::mapping;
pub use text::text;

use crate::base::column::Col;
use crate::base::error::Result;
use crate::base::text::Text;
use crate::ingest::detect::{self, RECOGNISED};
use crate::ingest::mapping::MappingFile;
use crate::ingest::preset::GENERIC;
use crate::ingest::{Guard, Inputs, Intake, Plan, Reading, Shape, Wanted, headers, ingest};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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
    /// Columns that are missing, and the signals that are absent without them.
    pub missing: Vec<(Vec<Col>, Vec<&'static str>)>,
    pub rows: u64,
    pub used: u64,
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

/// Looks at files.
///
/// # Errors
/// A file that cannot be read, fits several presets, or lacks what it needs.
pub fn inspect(options: &Options) -> Result<Page> {
    let plan = Plan::new(&options.presets, options.user.clone())?;
    let mut opened = Vec::new();
    for (at, path) in options.files.iter().enumerate() {
        let shape = shape(options, path, at)?;
        opened.push(Opened::new(options, &plan, path, shape)?);
    }
    let pair = match opened.as_slice() {
        [first, second] => Some(pair::pair(options, first, second)?),
        _ => None,
    };
    let files = opened.iter().map(file::facts).collect::<Result<Vec<_>>>()?;
    Ok(Page { files, pair })
}

/// A file and the rows that were read of it.
struct Opened {
    path: PathBuf,
    shape: Shape,
    headers: Vec<String>,
    intake: Intake,
}

impl Opened {
    fn new(options: &Options, plan: &Plan, path: &Path, shape: Shape) -> Result<Opened> {
        let headers = headers(path, plan.delimiter(shape)?, &options.guard)?;
        let intake = read(options, plan, path, shape)?;
        Ok(Opened { path: path.to_owned(), shape, headers, intake })
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
        self.reading().mapping.side(self.shape).found(&self.headers)
    }
}

/// Reads one file as an audit would.
fn read(options: &Options, plan: &Plan, path: &Path, shape: Shape) -> Result<Intake> {
    let files = BTreeMap::from([(shape, vec![path.display().to_string()])]);
    let inputs = Inputs { files, guard: options.guard.clone(), postbacks: Vec::new(), shelf: None };
    ingest(&inputs, plan, &Wanted::Everything, options.threads)
}

/// What a file is: what was said, what its header tells, or in a pair clicks and conversions.
fn shape(options: &Options, path: &Path, at: usize) -> Result<Shape> {
    if let Some(shape) = options.shape.filter(|_| options.files.len() == 1) {
        return Ok(shape);
    }
    let plan = Plan::new(&options.presets, options.user.clone())?;
    let headers = headers(path, plan.delimiter(Shape::Clicks)?, &options.guard)?;
    let found = detect::detect(&headers, None)?;
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
