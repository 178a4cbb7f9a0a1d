//! Typed rows that earlier runs kept: which exports need not be read again, and which rows a run looks at.
//!
//! A kept file is known by the digest of the export's bytes and by all that decides what its rows become (shape,
//! columns, formats, the version of this stage): the same bytes read in another way are another file. What says
//! how rows are *meant* (statuses, events, attribution windows) is not kept; it is the mapping's of the run.
//! Refuses: to mix rows that were read by another mapping with others, and to keep the text of rejected rows.

use super::columns::Layout;
use super::mapping::{Mapping, Shape};
use super::open::{self, Packing};
use super::postback::{self, LogFacts};
use super::reject::{REASONS, Reason, Rejects};
use super::table::{self, Rows};
use super::{FileLedger, Reading, Spans};
use crate::base::column::Col;
use crate::base::error::{Error, Result};
use crate::base::money::cost_parts;
use crate::base::time::{DAY, SECOND, Zone};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The version of this stage: what it makes of a row. A newer one reads exports again.
const STAGE: u32 = 1;

/// The folders of a store that hold typed rows, clicks by the hash of their ID, and what was counted of clicks.
pub const INTAKE: &str = "intake";
pub const INDEX: &str = "index";
pub const MEASURES: &str = "measures";

/// How long after the end of its attribution window a click is still known: rebills and chargebacks come up to 90
/// days after the click, first deposits at the end of the window.
pub const HOLD: i64 = 90 * DAY;

/// A file of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Below the store's folder.
    pub name: String,
    pub bytes: u64,
    /// BLAKE3, hexadecimal.
    pub digest: String,
}

impl Stored {
    /// Whether the file is there, with its length; its bytes are not looked at.
    pub fn lies_in(&self, folder: &Path) -> bool {
        std::fs::metadata(folder.join(&self.name)).is_ok_and(|found| found.len() == self.bytes)
    }
}

/// What was counted of the clicks of an export, in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// Names the way of counting and the typed rows.
    pub key: String,
    /// Rows of another hit type.
    pub other_hits: u64,
    /// Rows that were counted by themselves, because the window had others of their ID or content.
    pub aside: u64,
    /// Sums of the cells; histograms and clicks by the hour; the stratum of every row.
    pub cells: Stored,
    pub values: Stored,
    pub strata: Stored,
}

impl Measured {
    /// Its files.
    pub fn files(&self) -> [&Stored; 3] {
        [&self.cells, &self.values, &self.strata]
    }
}

/// One export whose rows are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// Names the way of reading and the bytes.
    pub key: String,
    /// Where the export lay when it was read; `-` for stdin.
    pub path: String,
    pub shape: Shape,
    /// BLAKE3 of the export's bytes, and how many there were.
    pub digest: String,
    pub bytes: u64,
    /// How these bytes were packed; empty where an earlier version read them.
    #[serde(default)]
    pub packing: String,
    /// How it was read.
    way: String,
    /// The currency that amounts were exchanged to; `None` where they stand as they were.
    currency: Option<String>,
    pub preset: String,
    pub headers: Vec<String>,
    /// The canonical columns that its rows have.
    pub columns: Vec<String>,
    /// Rows read: used and rejected, without those that were forgotten.
    pub rows: u64,
    /// Rows that were rejected, by reason.
    pub rejected: BTreeMap<String, u64>,
    repeated_headers: u64,
    #[serde(default)]
    blank_lines: u64,
    currencies: BTreeMap<String, u64>,
    rates: BTreeMap<String, Vec<(i64, Option<i32>)>>,
    repeated_times: u64,
    skipped_times: u64,
    /// First and last value of each time column, microseconds.
    pub spans: BTreeMap<String, (i64, i64)>,
    truncated: bool,
    log: Option<KeptLog>,
    /// How long a click may lead to conversions, in seconds.
    pub attribution_window_s: f64,
    /// Rows that somebody had forgotten.
    #[serde(default)]
    pub forgotten: u64,
    /// The typed rows; `None` where there is no usable one, and where they were pruned.
    pub intake: Option<Stored>,
    /// The clicks by the hash of their ID.
    pub index: Option<Stored>,
    /// The rows are gone, the index may be there.
    #[serde(default)]
    pub pruned: bool,
    /// What was counted of its clicks, the latest way first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measured: Vec<Measured>,
}

/// What is told of a log of postbacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KeptLog {
    format: String,
    tracker: String,
    repaired: u64,
}

/// What a run knows of earlier ones, and which of its rows it looks at.
#[derive(Clone, Debug)]
pub struct Shelf {
    /// The store's folder, which this run may change.
    pub folder: PathBuf,
    pub kept: Vec<Kept>,
    pub wish: Wish,
    /// This run may change the store.
    pub changes: bool,
}

impl Shelf {
    /// The currency that amounts of earlier runs were exchanged to, where nobody stated one.
    pub fn currency(&self) -> Option<&str> {
        self.kept.iter().find_map(|kept| kept.currency.as_deref())
    }

    /// The first file of an export's rows and clicks that is gone or has another length.
    pub fn lost<'k>(&self, kept: &'k Kept) -> Option<&'k Stored> {
        let mut files = kept.intake.iter().chain(&kept.index);
        files.find(|file| !file.lies_in(&self.folder))
    }

    /// Whether an export is read again because a file of it is lost. Rows that were forgotten would come back with
    /// it, and nobody knows which: then it is not.
    pub fn heals(&self, kept: &Kept) -> bool {
        kept.forgotten == 0 && self.lost(kept).is_some()
    }
}

/// Which rows a run looks at.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// So many whole days, the last one that of the newest row.
    pub days: u32,
    pub zone: Zone,
    /// Rows from here on do not count.
    pub as_of: Option<i64>,
}

/// The times of the rows that a run looks at: from the first up to the second, without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub from: i64,
    pub until: i64,
}

impl Wish {
    /// The window that ends with the newest row.
    pub fn window(&self, newest: i64) -> Window {
        let end = self.as_of.map_or(newest, |as_of| as_of.saturating_sub(1).min(newest));
        let first = i64::from(self.zone.day_and_hour(end).0) - i64::from(self.days) + 1;
        Window { from: self.zone.to_utc(first * DAY).0, until: self.as_of.unwrap_or(i64::MAX) }
    }
}

/// What a run read for the first time, and what that replaces.
#[derive(Clone, Debug, Default)]
pub struct Fresh {
    pub kept: Vec<Kept>,
    /// Keys of kept files with the same bytes, read in another way.
    pub replaced: Vec<String>,
    /// What was counted anew, by the key of its export.
    pub measured: Vec<(String, Vec<Measured>)>,
}

impl Fresh {
    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.replaced.is_empty() && self.measured.is_empty()
    }
}

/// How the rows of one export come about.
pub struct Way<'a> {
    pub shape: Shape,
    pub mapping: &'a Mapping,
    pub headers: &'a [String],
    pub log: bool,
}

impl Way<'_> {
    /// Names all that decides what the rows become, apart from the currency.
    pub fn name(&self) -> String {
        let side = self.mapping.side(self.shape);
        let places: Vec<(Col, &String)> =
            side.found(self.headers).into_iter().map(|(col, at)| (col, &self.headers[at])).collect();
        let layout = self.layout(side.found(self.headers));
        let found: Vec<&str> = layout.derived.iter().map(|d| d.col.name()).collect();
        let log = self.log.then(|| self.mapping.postbacks.way());
        let told = format!(
            "{} {STAGE} {} {places:?} {:?} {:?} {:?} {:?} {:?} {} {:?} {:?} {found:?} {log:?}",
            layout.told(),
            self.shape.word(),
            side.constants,
            side.time,
            side.delimiter,
            side.decimal,
            side.thousands,
            side.multiline,
            side.nulls,
            self.mapping.brand_terms,
        );
        open::digest_of(told.as_bytes())
    }

    fn layout(&self, places: BTreeMap<Col, usize>) -> Layout {
        let all = super::Wanted::Everything;
        let mut layout = Layout::new(self.shape, self.mapping, places, self.headers.len(), &all);
        if !self.log {
            layout = layout.laid_over(self.headers, &self.mapping.sources);
        }
        layout.headers = self.headers.to_vec();
        layout
    }
}

/// The name of the files of an export, by its key and the currency of its amounts.
pub fn stem_of(key: &str, currency: Option<&str>) -> String {
    currency.map_or_else(|| key.to_owned(), |code| key_of(key, code))
}

/// The key of an export's bytes read in some way.
pub fn key_of(way: &str, digest: &str) -> String {
    open::digest_of(format!("{way} {digest}").as_bytes())[..32].to_owned()
}

impl Kept {
    /// What is kept of a file that was just read.
    pub fn of(
        ledger: &FileLedger,
        way: &Way,
        layout: Option<&Layout>,
        (bytes, packing): (u64, Packing),
    ) -> Kept {
        let mapping = way.mapping;
        let named = way.name();
        let log = ledger.log.as_ref().map(|l| KeptLog {
            format: l.format.to_owned(),
            tracker: l.tracker.to_owned(),
            repaired: l.repaired,
        });
        Kept {
            key: key_of(&named, &ledger.digest),
            path: ledger.path.display().to_string(),
            shape: ledger.shape,
            digest: ledger.digest.clone(),
            bytes,
            packing: packing.word().to_owned(),
            way: named,
            currency: mapping.currency.clone(),
            preset: ledger.reading.preset.clone(),
            headers: way.headers.to_vec(),
            columns: layout.iter().flat_map(|l| l.places.keys()).map(|c| c.name().to_owned()).collect(),
            rows: ledger.rows,
            rejected: ledger.rejects.counts.iter().map(|(r, n)| (r.slug().to_owned(), *n)).collect(),
            repeated_headers: ledger.repeated_headers,
            blank_lines: ledger.blank_lines,
            currencies: ledger.noticed.currencies.clone(),
            rates: ledger
                .noticed
                .rates
                .iter()
                .map(|(code, rates)| (code.clone(), rates.iter().map(|r| (r.value, r.day)).collect()))
                .collect(),
            repeated_times: ledger.noticed.repeated_times,
            skipped_times: ledger.noticed.skipped_times,
            spans: ledger.spans.iter().map(|(col, span)| (col.name().to_owned(), *span)).collect(),
            truncated: ledger.truncated,
            log,
            attribution_window_s: mapping.attribution_window_s,
            forgotten: 0,
            intake: None,
            index: None,
            pruned: false,
            measured: Vec::new(),
        }
    }

    /// Whether it is a log of postbacks.
    pub fn is_log(&self) -> bool {
        self.log.is_some()
    }

    /// The name of the way in which this mapping would read the export today.
    pub fn way_today(&self, mapping: &Mapping) -> String {
        Way { shape: self.shape, mapping, headers: &self.headers, log: self.is_log() }.name()
    }

    /// Whether its rows are what this mapping would make of the export today; `way` is [`Kept::way_today`].
    pub fn holds(&self, mapping: &Mapping, way: &str) -> bool {
        way == self.way && self.is_in(mapping)
    }

    /// Whether its amounts are in the currency that the mapping states. Rows of one currency need no exchange.
    pub fn is_in(&self, mapping: &Mapping) -> bool {
        let same_scale = |code: &String| {
            !self.shape.is_of_clicks() || cost_parts(Some(code)) == cost_parts(self.currency.as_deref())
        };
        let (Some(ours), said) = (&mapping.currency, &self.currency) else {
            return self.currency.is_none();
        };
        let exchanged = |(code, rates): (&String, &Vec<(i64, Option<i32>)>)| {
            rates
                .iter()
                .all(|(value, day)| mapping.rates.of(code, ours, *day).map(|r| r.value) == Some(*value))
        };
        match said {
            Some(said) => said == ours && self.rates.iter().all(exchanged),
            None => same_scale(ours) && self.currencies.keys().all(|code| code == ours),
        }
    }

    /// The rows that could not be used.
    pub fn rejects(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// First and last value of a time column.
    pub fn span(&self, col: Col) -> Option<(i64, i64)> {
        self.spans.get(col.name()).copied()
    }

    /// First and last value of the column that its rows are placed in time by.
    pub fn reach(&self) -> Option<(i64, i64)> {
        self.span(timed_by(self.shape))
    }

    /// The files of what was counted of its clicks, each once: two ways of counting may come to the same bytes.
    pub fn counted(&self) -> impl Iterator<Item = &Stored> {
        let files = self.measured.iter().flat_map(Measured::files);
        files.map(|file| (&file.name, file)).collect::<BTreeMap<_, _>>().into_values()
    }

    /// Bytes of what was counted of its clicks.
    pub fn measured_bytes(&self) -> u64 {
        self.counted().map(|file| file.bytes).sum()
    }

    /// From then on nobody asks for its clicks.
    pub fn index_until(&self) -> Option<i64> {
        let window = (self.attribution_window_s * SECOND as f64) as i64;
        self.span(Col::ClickTime).map(|span| span.1.saturating_add(window).saturating_add(HOLD))
    }

    /// The ledger of the file and how its rows are laid out.
    ///
    /// # Errors
    /// The manifest names a column, reason or log that this version does not know.
    pub fn restore(&self, reading: &Reading) -> Result<(FileLedger, Layout)> {
        let mut ledger = FileLedger::new(Path::new(&self.path), self.shape, reading);
        ledger.digest.clone_from(&self.digest);
        ledger.rows = self.rows;
        ledger.rejects = Rejects { kept: Vec::new(), counts: self.counts()? };
        ledger.repeated_headers = self.repeated_headers;
        ledger.blank_lines = self.blank_lines;
        ledger.noticed.currencies.clone_from(&self.currencies);
        ledger.noticed.rates = self.rates();
        ledger.noticed.repeated_times = self.repeated_times;
        ledger.noticed.skipped_times = self.skipped_times;
        ledger.spans = self.columns_of_spans()?;
        ledger.truncated = self.truncated;
        ledger.at_export_limit = !self.is_log() && reading.mapping.export_limits.contains(&self.rows);
        ledger.log = self.log.as_ref().map(KeptLog::facts).transpose()?;
        let way =
            Way { shape: self.shape, mapping: &reading.mapping, headers: &self.headers, log: self.is_log() };
        let layout = if self.is_log() {
            let columns = self.columns.iter().map(|name| column(name)).collect::<Result<_>>()?;
            postback::layout_of(&reading.mapping, &columns)
        } else {
            ledger.zone = reading.mapping.side(self.shape).time.zone;
            way.layout(reading.mapping.side(self.shape).found(&self.headers))
        };
        Ok((ledger, layout))
    }

    fn counts(&self) -> Result<BTreeMap<Reason, u64>> {
        let reason = |slug: &String| REASONS.iter().find(|r| r.1 == slug).map(|r| r.0);
        let count = |(slug, n): (&String, &u64)| Ok((reason(slug).ok_or_else(|| unknown(slug))?, *n));
        self.rejected.iter().map(count).collect()
    }

    fn rates(&self) -> BTreeMap<String, std::collections::BTreeSet<super::rates::Rate>> {
        let rate = |(value, day): &(i64, Option<i32>)| super::rates::Rate { value: *value, day: *day };
        self.rates.iter().map(|(code, rates)| (code.clone(), rates.iter().map(rate).collect())).collect()
    }

    fn columns_of_spans(&self) -> Result<Spans> {
        self.spans.iter().map(|(name, span)| Ok((column(name)?, *span))).collect()
    }
}

impl KeptLog {
    fn facts(&self) -> Result<LogFacts> {
        let format = postback::LOG_FORMATS.iter().find(|f| f.name == self.format);
        let tracker = postback::TRACKERS.iter().find(|t| t.name == self.tracker);
        let (format, tracker) = format.zip(tracker).ok_or_else(|| unknown(&self.format))?;
        Ok(LogFacts { format: format.name, tracker: tracker.name, repaired: self.repaired })
    }
}

fn column(name: &str) -> Result<Col> {
    Col::of(name).ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> Error {
    let name = crate::base::text::Text::new(name).term(60);
    Error::input(format!("the store's manifest names `{name}`, which this version does not know"))
        .help("use the version of clickaudit that wrote it")
}

/// The column that places rows of a shape in time.
pub fn timed_by(shape: Shape) -> Col {
    match shape {
        Shape::Clicks | Shape::Combined => Col::ClickTime,
        Shape::Conversions => Col::ConversionTime,
        Shape::Report | Shape::Costs => Col::Day,
    }
}

/// The rows of a kept file that lie in a window.
pub enum Part {
    /// None.
    Nothing,
    /// All of them.
    Whole,
    /// Those at these times.
    Some(Rows),
}

impl Window {
    /// Which rows of a file lie in it.
    pub fn part(&self, kept: &Kept) -> Part {
        let Some((first, last)) = kept.reach() else { return Part::Whole };
        match (first >= self.from && last < self.until, last < self.from || first >= self.until) {
            (true, _) => Part::Whole,
            (_, true) => Part::Nothing,
            _ => Part::Some(Rows { col: timed_by(kept.shape), from: self.from, until: self.until }),
        }
    }
}

/// Narrows a ledger to the rows of a window, which are counted.
///
/// # Errors
/// The rows cannot be read.
pub fn narrow(ledger: &mut FileLedger, path: &Path, rows: &Rows) -> Result<()> {
    let times: Vec<Col> = ledger.spans.keys().copied().collect();
    let (inside, spans) = table::count(path, rows, &times)?;
    ledger.outside = ledger.rows - ledger.rejects.total() - inside;
    ledger.rows -= ledger.outside;
    ledger.spans = spans;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_of_whole_days_and_ends_with_the_newest_row() {
        let berlin: Zone = "Europe/Berlin".parse().expect("a zone");
        let at = |day: i64, hour: i64| day * DAY + hour * 3_600 * SECOND;
        let wish = |zone, as_of| Wish { days: 3, zone, as_of };
        let utc = wish(Zone::UTC, None);
        assert_eq!(utc.window(at(20_000, 23)), Window { from: at(19_998, 0), until: i64::MAX });
        let midnight = wish(Zone::UTC, Some(at(20_001, 0)));
        assert_eq!(midnight.window(at(20_000, 23)), Window { from: at(19_998, 0), until: at(20_001, 0) });
        // 22:00 UTC is midnight in Berlin in summer, which day 20,000 (4 October 2024) is in.
        assert_eq!(wish(berlin, None).window(at(19_999, 23)).from, at(19_997, 22));
        // Rows that a wrong clock says are still to come move nothing forward.
        let late = wish(Zone::UTC, Some(at(23_650, 0)));
        assert_eq!(late.window(at(20_000, 23)).from, at(19_998, 0));
    }
}
