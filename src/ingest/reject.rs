//! Rows that cannot be used: kept with file, line and reason, and counted in every report.

use crate::base::text::Text;
use std::collections::BTreeMap;

macro_rules! reasons {
    ($($id:ident $slug:literal $summary:literal,)*) => {
        /// Why a row was rejected.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($id,)* }
        /// All reasons: the word of the reports and what it means.
        pub const REASONS: &[(Reason, &str, &str)] = &[$((Reason::$id, $slug, $summary),)*];
    };
}

reasons! {
    Ragged "ragged" "more or fewer fields than the header",
    UnclosedQuote "unclosed_quote" "a field opens with a quote that does not close on its line",
    TooLong "too_long" "the record is longer than 1 MiB or a field longer than 64 KiB",
    NotJson "not_json" "the line is no JSON object, says a key twice, or nests too deep",
    NotUtf8 "not_utf8" "bytes that are not UTF-8",
    NulInKey "nul_in_id" "a zero byte inside an ID or address",
    BadTime "bad_time" "a time that does not fit the declared format",
    TimeOutOfRange "time_out_of_range" "a time before 2000 or after 2099",
    NoTime "no_time" "the row has no time",
    BadNumber "bad_number" "a number that does not fit the declared format, NaN or infinity",
    AmountTooLarge "amount_too_large" "an amount above ten million, or above what that is in a currency of small units",
    BadFlag "bad_flag" "neither yes nor no",
    CurrencyWithoutRate "currency_without_rate" "an amount in a currency that has no rate for its day",
    CurrencyConflict "currency_conflict" "an amount is marked with another currency than its row's",
    BadLogLine "bad_log_line" "a line that does not fit the format of the log",
    OtherRequest "other_request" "a request in a log that is no postback; it does not count towards too many rejects",
    PostWithoutQuery "post_without_query" "a POST to the path of postbacks without a parameter in its URL: a log does not have its body",
    RefusedPostback "refused_postback" "a postback that the server refused with 401 or 403: nobody took it for a conversion",
    AmbiguousParameter "ambiguous_parameter" "a parameter of a postback stands there twice with different values",
}

impl Reason {
    /// The word of the reports.
    pub fn slug(self) -> &'static str {
        REASONS[self as usize].1
    }

    /// Whether the row should have been usable: a log of all requests is full of others.
    pub fn is_fault(self) -> bool {
        self != Reason::OtherRequest
    }

    /// One sentence.
    pub fn summary(self) -> &'static str {
        REASONS[self as usize].2
    }
}

/// One rejected row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Line of a text file, row of a Parquet file; from 1.
    pub line: u64,
    pub reason: Reason,
    /// What was found there, cut.
    pub found: Text,
}

/// The rejects of one file: all are counted, the first [`Rejects::KEPT`] are kept.
#[derive(Clone, Debug, Default)]
pub struct Rejects {
    pub kept: Vec<Reject>,
    pub counts: BTreeMap<Reason, u64>,
}

impl Rejects {
    /// So many are kept with their line: a run with more is refused anyway, unless it is enormous.
    pub const KEPT: usize = 100_000;

    /// Counts a row and keeps it while there is room.
    pub fn add(&mut self, line: u64, reason: Reason, found: &[u8]) {
        *self.counts.entry(reason).or_default() += 1;
        if self.kept.len() < Self::KEPT {
            let cut = &found[..found.len().min(200)];
            self.kept.push(Reject { line, reason, found: Text::new(String::from_utf8_lossy(cut)) });
        }
    }

    /// Adds the rejects of a later part of the same file.
    pub fn append(&mut self, other: Rejects) {
        for (reason, count) in other.counts {
            *self.counts.entry(reason).or_default() += count;
        }
        let room = Self::KEPT.saturating_sub(self.kept.len());
        self.kept.extend(other.kept.into_iter().take(room));
    }

    /// Number of rejected rows that should have been usable.
    pub fn faults(&self) -> u64 {
        self.counts.iter().filter(|(reason, _)| reason.is_fault()).map(|(_, count)| count).sum()
    }

    /// Number of rejected rows.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }
}
