//! Numbers of the user's tables as whole numbers of 64 bits that are never missing, and which of them make their row
//! a reject.
//!
//! A column may have any type of number: INT and DECIMAL overflow where they are multiplied, and every engine in its
//! own way. So an amount is a float of 64 bits until it is a whole number, as an amount of a Parquet export is where
//! rows are read here, and by the same steps: billionths, rounded, then parts, rounded. Rows are refused for the same
//! reasons as in files, and counted. Refuses: to hand an engine a number that its next type cannot hold.

use super::render::Sql;
use super::tables::{Money, Table, Times};
use crate::base::column::{Col, Kind};
use crate::base::time::{EARLIEST, LATEST};
use crate::ingest::Reason;

/// Stands for a time that is missing: earlier than any that is valid.
pub const NO_TIME: i64 = -9_000_000_000_000_000_000;

/// Why rows of clicks are refused. A row has the first fault of its columns, amounts that are too large last.
pub const FAULTS: [Reason; 5] =
    [Reason::NoTime, Reason::TimeOutOfRange, Reason::BadNumber, Reason::AmountTooLarge, Reason::BadFlag];

/// What is known of a number: nothing, its value, that it is none, that it is too large.
const NOTHING: i64 = 0;
const VALUE: i64 = 1;
pub const NO_NUMBER: i64 = 2;
pub const TOO_LARGE: i64 = 3;

/// A flag that says nothing, and one that is neither yes nor no.
const NO_FLAG: i64 = -1;
pub const BAD_FLAG: i64 = -2;

/// Amounts of conversions in units, as far as 64 bits hold their millionths. What one may carry depends on its
/// currency and is held here.
const LARGEST_UNITS: i64 = 9_000_000_000_000;

/// Floats beyond this are infinite as billionths.
const LARGEST_FLOAT: &str = "1e299";

/// Beyond this a float has no whole number of its own: the limit of counts in files.
const LARGEST_COUNT: &str = "1e15";

const YES: [&str; 5] = ["1", "true", "yes", "t", "y"];
const NO: [&str; 5] = ["0", "false", "no", "f", "n"];

impl Sql<'_> {
    /// A number column of the user's table: times and flags as whole numbers, others as a float that is never
    /// missing, with what is known of it.
    pub(super) fn loose(&self, table: &Table, col: Col) -> Option<String> {
        let column = table.column(self.dialect, col)?;
        let name = col.name();
        Some(match col.kind() {
            Kind::Time => format!("{} AS {name}", self.time(table, &column)),
            Kind::Flag => format!("{} AS {name}", self.flag(table, &column)),
            kind => {
                let float = self.dialect.float_of(&column);
                let (fits, is_number) = match kind {
                    Kind::Money => {
                        let units =
                            if table.shape.is_of_clicks() { self.plan.cost_cap } else { LARGEST_UNITS };
                        let largest = units * if table.money == Money::Micro { 1_000_000 } else { 1 };
                        (within(&float, &largest.to_string()), within(&float, LARGEST_FLOAT))
                    }
                    _ => {
                        let whole = format!(
                            "{float} >= 0 AND {float} < {LARGEST_COUNT} AND {float} = FLOOR({float})"
                        );
                        (whole, "1 = 0".to_owned())
                    }
                };
                format!(
                    "CASE WHEN {column} IS NULL THEN {NOTHING} WHEN {fits} THEN {VALUE} WHEN {is_number} THEN {TOO_LARGE} \
                     ELSE {NO_NUMBER} END AS {name}_known,\n  COALESCE(CASE WHEN {fits} THEN {float} ELSE 0 END, 0) AS {name}"
                )
            }
        })
    }

    fn time(&self, table: &Table, column: &str) -> String {
        match table.times {
            Times::Timestamp => format!("COALESCE({}, {NO_TIME})", self.dialect.micros_of(column)),
            // What is multiplied is in range: out of it one is as good as another.
            Times::Epoch(step) => {
                let whole = self.dialect.whole_of(column);
                format!(
                    "COALESCE(CASE WHEN {whole} >= 0 AND {whole} < {} THEN {whole} * {step} WHEN {whole} IS NULL THEN \
                     {NO_TIME} ELSE {LATEST} END, {NO_TIME})",
                    LATEST / step
                )
            }
        }
    }

    fn flag(&self, table: &Table, column: &str) -> String {
        let text = format!("TRIM({})", self.dialect.text_of(column));
        let listed = |texts: &mut dyn Iterator<Item = &str>| {
            texts.map(|text| self.dialect.literal(text)).collect::<Vec<_>>().join(", ")
        };
        let nothing = listed(&mut std::iter::once("").chain(table.nulls.iter().map(String::as_str)));
        let (yes, no) = (listed(&mut YES.into_iter()), listed(&mut NO.into_iter()));
        format!(
            "CASE WHEN {text} IN ({nothing}) THEN {NO_FLAG} WHEN LOWER({text}) IN ({yes}) THEN 1 WHEN LOWER({text}) IN ({no}) \
             THEN 0 ELSE {BAD_FLAG} END"
        )
    }

    /// The same column as whole numbers, from the row `a` of [`Sql::loose`].
    pub(super) fn strict(&self, table: &Table, col: Col) -> Vec<String> {
        let name = col.name();
        if matches!(col.kind(), Kind::Time | Kind::Flag) {
            return vec![format!("a.{name} AS {name}")];
        }
        let value = if col.kind() == Kind::Money { self.parts(table, name) } else { format!("a.{name}") };
        let whole = format!("CAST({value} AS {}) AS {name}", self.dialect.whole);
        vec![format!("a.{name}_known AS {name}_known"), whole]
    }

    /// An amount in parts of micro-units: billionths first, as files are read.
    fn parts(&self, table: &Table, name: &str) -> String {
        let scale = if table.money == Money::Micro { "1e3" } else { "1e9" };
        let billionths = self.dialect.rounded(&format!("a.{name} * {scale}"));
        let parts = if table.shape.is_of_clicks() { self.plan.cost_parts } else { 1 };
        if parts == 1_000 {
            billionths
        } else {
            self.dialect.rounded(&format!("{billionths} / {}e0", 1_000 / parts))
        }
    }

    /// Which of [`FAULTS`] a row of clicks has, from 1, or 0.
    pub(super) fn fault(&self, row: &str) -> String {
        let mut faults: Vec<(Reason, String)> = Vec::new();
        let mut last = Vec::new();
        for col in self.plan.tables.clicks.numbers() {
            let value = format!("{row}.{}", col.name());
            let outside = format!("({value} < {EARLIEST} OR {value} >= {LATEST})");
            match col.kind() {
                Kind::Time if col == Col::ClickTime => {
                    faults.push((Reason::NoTime, format!("{value} = {NO_TIME}")));
                    faults.push((Reason::TimeOutOfRange, outside));
                }
                Kind::Time => {
                    faults.push((Reason::TimeOutOfRange, format!("{value} <> {NO_TIME} AND {outside}")));
                }
                Kind::Flag => faults.push((Reason::BadFlag, format!("{value} = {BAD_FLAG}"))),
                _ => {
                    faults.push((Reason::BadNumber, format!("{value}_known = {NO_NUMBER}")));
                    last.push((Reason::AmountTooLarge, format!("{value}_known = {TOO_LARGE}")));
                }
            }
        }
        let place = |reason: Reason| FAULTS.iter().position(|fault| *fault == reason).map_or(0, |at| at + 1);
        let whens = faults.into_iter().chain(last);
        let whens: Vec<String> =
            whens.map(|(reason, is)| format!("WHEN {is} THEN {}", place(reason))).collect();
        format!("CASE {} ELSE 0 END", whens.join(" "))
    }
}

fn within(float: &str, largest: &str) -> String {
    format!("{float} >= -{largest} AND {float} <= {largest}")
}
