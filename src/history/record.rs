//! One night on the disk.

use super::sealed::{self, Ending, HELP};
use crate::base::error::{Error, Result};
use crate::base::time;
use crate::past::{Counts, Held, Learnt, Pool};
use crate::verdicts::{Pin, State};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::path::Path;

/// The version of the records; fields are added within one, never renamed.
pub const SCHEMA_VERSION: u32 = 2;

/// From this version on files end with a line that says what they hold.
const SEALED_SINCE: u32 = 2;

/// What holds for the whole night.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Head {
    pub schema_version: u32,
    /// `2026-03-09`: the day that the input reaches into, in the run's time zone.
    pub night: String,
    /// The moment it reaches up to, RFC 3339.
    pub as_of: String,
    /// Names inputs, rules, moment and version: the same run again has the same name.
    pub run: String,
    pub version: String,
    /// The columns that make a group.
    pub grain: Vec<String>,
    pub currency: Option<String>,
    /// How many days of clicks it brought that the night before had not.
    #[serde(default)]
    pub new_days: i32,
    /// First and last day of the clicks.
    pub window: Option<(String, String)>,
    pub rules: String,
    pub inputs: Vec<String>,
    pub clicks: u64,
    pub conversions: u64,
    /// In millionths.
    pub cost: Option<i64>,
    pub revenue: Option<i64>,
    /// What all groups have in common, for the next night.
    pub pool: Pool,
}

impl Head {
    /// First and last day of the clicks, in days since 1970.
    pub fn days(&self) -> Option<(i32, i32)> {
        let (first, last) = self.window.as_ref()?;
        Some((time::parse_day(first)?, time::parse_day(last)?))
    }

    /// Whether what it brought is one day, so that its news are that day's.
    pub fn brings_one_day(&self) -> bool {
        self.new_days == 1
    }

    /// The night in days since 1970.
    pub fn day(&self) -> i32 {
        time::parse_day(&self.night).unwrap_or(0)
    }
}

/// Names a run by what it rests on: 12 hexadecimal digits.
pub fn run_name(parts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    parts.iter().for_each(|part| {
        hasher.update(part.as_bytes());
        hasher.update(b"\n");
    });
    hasher.finalize().to_hex()[..12].to_owned()
}

/// A signal as the night saw it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    pub value: f64,
    pub n: u64,
    /// Of a share: how many of `n`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<u64>,
}

/// A rule that fired with effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    pub rule: String,
    pub class: String,
    pub action: String,
    pub title: String,
}

/// One group. Amounts in millionths.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub key: Vec<Option<String>>,
    /// What is done about it.
    pub verdict: String,
    /// What the night by itself came to; none without traffic.
    pub tonight: Option<String>,
    pub state: State,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<Pin>,
    /// Clicks of the window, and those that are new tonight.
    pub clicks: u64,
    pub new_clicks: u64,
    pub spend: Option<i64>,
    pub revenue: Option<i64>,
    pub at_risk: Option<i64>,
    pub score: Option<f64>,
    pub significant: bool,
    pub findings: Vec<Found>,
    /// Habits that it left.
    #[serde(default)]
    pub alarms: Vec<String>,
    pub signals: BTreeMap<String, Seen>,
    /// Of shares: what is new since the night before, where it is not all of the window.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub news: BTreeMap<String, Counts>,
    pub habits: Learnt,
    /// Of rules that ask about earlier runs: whether they held.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<String, Held>,
}

/// One night.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub head: Head,
    /// Sorted by key.
    pub lines: Vec<Line>,
}

impl Record {
    /// The line of a group.
    pub fn line(&self, key: &[Option<String>]) -> Option<&Line> {
        self.lines.binary_search_by(|line| line.key.as_slice().cmp(key)).ok().map(|at| &self.lines[at])
    }

    /// Writes the record: the head, then the groups, then what both come to.
    ///
    /// # Errors
    /// The sink takes no more.
    pub fn write(&self, sink: &mut dyn Write) -> io::Result<()> {
        sealed::write(sink, std::iter::once(line_of(&self.head)).chain(self.lines.iter().map(line_of)))
    }

    /// Reads a record.
    ///
    /// # Errors
    /// The file is no record, one of a later version, or not as it was written.
    pub fn read(file: impl BufRead, path: &Path) -> Result<Record> {
        let broken = |at: u64, e: serde_json::Error| {
            Error::input(format!("{} is no record of a night: line {at}", path.display()))
                .because(e)
                .help(HELP)
        };
        let (mut head, mut lines): (Option<Head>, Vec<Line>) = (None, Vec::new());
        let ending = sealed::read(file, path, &mut |at, line| {
            match &head {
                None => head = Some(serde_json::from_slice(line).map_err(|e| broken(at, e))?),
                Some(_) => lines.push(serde_json::from_slice(line).map_err(|e| broken(at, e))?),
            }
            Ok(())
        })?;
        let head = head.ok_or_else(|| Error::input(format!("{} is empty", path.display())).help(HELP))?;
        whole(head.schema_version, ending, path)?;
        Ok(Record { head, lines })
    }
}

/// Refuses a file of a later version, and one that lacks the end that its version has.
///
/// # Errors
/// It is one of these.
pub fn whole(schema_version: u32, ending: Ending, path: &Path) -> Result<()> {
    if schema_version > SCHEMA_VERSION {
        let message = format!("{} was written by a later version of clickaudit", path.display());
        return Err(Error::input(message).help("use that version, or another --store"));
    }
    if ending == Ending::Open && schema_version >= SEALED_SINCE {
        return Err(sealed::cut(path));
    }
    Ok(())
}

fn line_of(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).expect("words and numbers are JSON");
    crate::base::text::json_document(&text)
}

#[cfg(test)]
pub mod samples {
    use super::*;

    /// A night with nothing in it.
    pub fn head(night: &str) -> Head {
        Head {
            schema_version: SCHEMA_VERSION,
            night: night.to_owned(),
            as_of: format!("{night}T23:59:00Z"),
            run: "run".to_owned(),
            version: "0".to_owned(),
            grain: vec!["traffic_source".to_owned(), "source".to_owned()],
            currency: Some("USD".to_owned()),
            window: Some((night.to_owned(), night.to_owned())),
            new_days: 1,
            rules: "rules".to_owned(),
            inputs: Vec::new(),
            clicks: 0,
            conversions: 0,
            cost: None,
            revenue: None,
            pool: Pool::default(),
        }
    }

    /// A group with a verdict.
    pub fn line(source: &str, verdict: &str, clicks: u64) -> Line {
        Line {
            key: vec![Some("net".to_owned()), Some(source.to_owned())],
            verdict: verdict.to_owned(),
            tonight: Some(verdict.to_owned()),
            clicks,
            new_clicks: clicks,
            spend: Some(clicks as i64 * 10_000),
            ..Line::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::samples::{head, line};
    use super::*;
    use crate::base::text::HOSTILE;

    fn text(record: &Record) -> String {
        let mut bytes = Vec::new();
        record.write(&mut bytes).expect("memory takes everything");
        String::from_utf8(bytes).expect("JSON is text")
    }

    fn read(text: &str) -> Result<Record> {
        Record::read(text.as_bytes(), Path::new("night"))
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let mut lines: Vec<Line> = HOSTILE.iter().map(|text| line(text, "hold", 7)).collect();
        lines.push(Line { key: vec![None, None], score: Some(0.1 + 0.2), ..line("x", "clean", 1) });
        lines.sort_by(|a, b| a.key.cmp(&b.key));
        let record = Record { head: head("2026-03-09"), lines };
        let found = read(&text(&record)).expect("a record");
        assert_eq!(found, record);
        assert_eq!(text(&record).lines().count(), record.lines.len() + 2);
        assert_eq!(found.line(&[None, None]).map(|l| l.clicks), Some(1));
    }

    #[test]
    fn what_is_no_record_or_not_as_it_was_written_is_refused() {
        let good = text(&Record {
            head: head("2026-03-09"),
            lines: vec![line("a", "hold", 1), line("b", "hold", 1)],
        });
        let first = |n: usize| good.split_inclusive('\n').take(n).collect::<String>();
        let later = good.replace("\"schema_version\":2", "\"schema_version\":9");
        for (text, why) in [
            ("", "is empty"),
            ("{}", "line 1"),
            (&first(2)[..first(2).len() - 9], "line 2"),
            (&first(3), "is cut off: its last line is missing"),
            (&first(2), "is cut off: its last line is missing"),
            (&good.replacen("\"hold\"", "\"none\"", 1), "is not as it was written"),
            (&(first(2) + good.lines().last().expect("an end")), "is not as it was written"),
            (&later, "is not as it was written"),
            (&first(1).replace("\"schema_version\":2", "\"schema_version\":9"), "later version"),
        ] {
            let error = read(text).expect_err("no record");
            assert!(error.to_string().contains(why) && error.help.is_some(), "{error}, not {why}");
        }
    }

    #[test]
    fn records_from_before_there_was_an_end_are_read() {
        let record = Record {
            head: Head { schema_version: 1, ..head("2026-03-09") },
            lines: vec![line("a", "hold", 1)],
        };
        let lines: Vec<String> = text(&record).lines().map(str::to_owned).collect();
        assert_eq!(read(&lines[..2].join("\n")).expect("a record"), record);
    }
}
