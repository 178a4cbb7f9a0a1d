//! One group on one page: what was found, why, against whom, and what would change it.
//!
//! The first screen is for people who have never seen the program, the rest for those who want to check it. A
//! page is as wide as the terminal, or 100 cells; its text is the same in both. Nothing is computed here.

mod evidence;
mod pictures;
mod rest;
mod rule;
mod summary;

use super::terminal;
use super::{Gate, Look, Pictures, RunInfo};
use crate::base::money::Micro;
use crate::base::text::Text;
use crate::base::unit::Unit;
use crate::rules::{Limit, Rule};
use crate::signals::{self, Estimate, Signal};
use crate::verdicts::{Judged, Verdict};

pub use super::json::{page as json, rule_page as rule_json};
pub use rule::{RuleCounts, RuleNight, RuleNights, RulePage, RuleRun};

/// Everything that one page says.
pub struct Page<'r> {
    pub run: RunInfo,
    /// Why the whole input cannot be judged.
    pub gates: Vec<Gate>,
    pub group: Judged<'r>,
    pub details: Details<'r>,
}

/// What a page says beyond the report of the audit.
pub struct Details<'r> {
    pub pictures: Pictures,
    pub outlook: Outlook<'r>,
    pub samples: Samples,
}

/// What would have to change for the verdict to change, as the rules themselves answer.
#[derive(Debug, Default)]
pub struct Outlook<'r> {
    /// By rule: those that carry the verdict, or those that are nearest to firing.
    pub changes: Vec<Change<'r>>,
    /// The verdict if all rules that carry it were silent; `None` where none does.
    pub without_all: Option<Verdict>,
}

/// The least that changes what one rule says, all else the same.
#[derive(Debug)]
pub struct Change<'r> {
    pub rule: &'r Rule,
    /// Each is enough by itself, unless they have to come together. Empty where no value decides it.
    pub moves: Vec<Move>,
    pub together: bool,
    /// The verdict after the first move, or after all that have to come together.
    pub verdict: Verdict,
}

/// A signal that takes another value at the same sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Move {
    pub signal: &'static Signal,
    pub from: Estimate,
    pub to: Estimate,
    pub limit: Limit,
}

/// Some conversions of the group.
#[derive(Debug, Default)]
pub struct Samples {
    /// Which conversions these are, in words.
    pub what: String,
    /// How many there are of them.
    pub all: u64,
    pub rows: Vec<Sample>,
}

/// One conversion.
#[derive(Clone, Debug)]
pub struct Sample {
    pub click_id: Option<Text>,
    pub transaction_id: Option<Text>,
    /// UTC microseconds.
    pub time: i64,
    pub ctit_s: Option<i64>,
    /// How it was matched to a click.
    pub class: &'static str,
    pub event: Text,
    pub status: &'static str,
    pub amount: Option<Micro>,
    pub offer: Option<Text>,
    pub country: Option<Text>,
    /// The visitor's, of which outputs show the network.
    pub address: Option<Text>,
    /// Why an anti-fraud service blocked or flagged it.
    pub fraud_reason: Option<Text>,
}

/// Cells of a page that no terminal shows.
const WIDTH: usize = 100;
/// A terminal narrower than this is taken to be so wide: tables cannot be read below it.
const LEAST_WIDTH: usize = 60;
/// Cells of one part of a name.
const NAME: usize = 80;
/// Indent of what belongs to a heading.
const INDENT: usize = 2;

impl Page<'_> {
    /// The page as text.
    pub fn text(&self, look: &Look) -> String {
        let width = look.width.unwrap_or(WIDTH).max(LEAST_WIDTH);
        let look = Look { width: Some(width), ..*look };
        let mut sheet = Sheet { lines: terminal::Page { look, text: String::new() }, width };
        summary::write(&mut sheet, self);
        evidence::write(&mut sheet, self);
        pictures::write(&mut sheet, self);
        rest::write(&mut sheet, self);
        sheet.lines.text
    }

    /// The group's name: the values of its columns.
    pub fn name(&self) -> String {
        let parts = self.group.subject.key.iter();
        let part = |part: &Option<Text>| part.as_ref().map_or("(none)".to_owned(), |t| t.term(NAME));
        parts.map(part).collect::<Vec<String>>().join("/")
    }

    /// The value of a signal of the group.
    fn value(&self, name: &str) -> Option<f64> {
        let reading = self.group.subject.row.reading(signals::find(name)?);
        reading.estimate().map(Estimate::value)
    }
}

/// The text so far.
struct Sheet {
    lines: terminal::Page,
    width: usize,
}

impl Sheet {
    /// An empty line and a heading.
    fn heading(&mut self, words: &str) {
        const BOLD: &str = "\u{1b}[1m";
        self.lines.part();
        let bold = |text| format!("{BOLD}{text}{}", terminal::PLAIN);
        let heading = if self.lines.look.colour { bold(words) } else { words.to_owned() };
        self.lines.end(&heading);
    }

    /// A sentence below a heading.
    fn say(&mut self, words: &str) {
        self.lines.line("", INDENT, words);
    }

    /// A line that stands as it is, below a heading.
    fn row(&mut self, line: &str) {
        self.lines.end(&format!("{:INDENT$}{line}", ""));
    }

    /// Words with a label in front; what follows the first line is indented to its end.
    fn labelled(&mut self, label: &str, words: &str) {
        let label = format!("{:INDENT$}{label} ", "");
        self.lines.line(&label, label.chars().count(), words);
    }

    /// A table below a heading. The columns of `right` are aligned to the right.
    fn table(&mut self, rows: &[Vec<String>], right: &[bool]) {
        aligned(rows, right).iter().for_each(|line| self.row(line));
    }

    /// Whether a table of these rows is no wider than the page.
    fn fits(&self, rows: &[Vec<String>]) -> bool {
        INDENT + breadth(&widths(rows)) <= self.width
    }
}

/// Cells between two columns.
const GAP: usize = 2;

/// The cells that each column takes.
fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let columns = rows.first().map_or(0, Vec::len);
    let cells = |row: &Vec<String>, at: usize| row[at].chars().count();
    (0..columns).map(|at| rows.iter().map(|row| cells(row, at)).max().unwrap_or(0)).collect()
}

/// The cells that columns of these widths take beside each other.
fn breadth(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

/// The rows as lines whose columns stand below each other; those of `right` end together.
fn aligned(rows: &[Vec<String>], right: &[bool]) -> Vec<String> {
    let widths = widths(rows);
    let line = |row: &Vec<String>| {
        let padded = row.iter().zip(&widths).zip(right).map(|((cell, width), right)| match right {
            true => format!("{cell:>width$}"),
            false => format!("{cell:<width$}"),
        });
        padded.collect::<Vec<String>>().join(&" ".repeat(GAP))
    };
    rows.iter().map(line).collect()
}

fn whole(n: u64) -> String {
    Unit::Count.format(n as f64)
}

#[cfg(test)]
mod tests;
