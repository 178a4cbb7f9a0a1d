//! Runs of the program in folders of their own, and the tables they read.
//!
//! A run sees an empty environment and its folder, nothing else of the machine.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What stands in output files before a run.
pub const BEFORE: &str = "as it was\n";

/// A folder that goes with the value, for the inputs and outputs of some runs.
pub struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    pub fn new() -> Folder {
        Folder { folder: tempfile::tempdir().expect("a folder for the runs") }
    }

    /// A folder with the sample as `clicks.csv` and `conversions.csv`.
    pub fn of_sample() -> Folder {
        let folder = Folder::new();
        for name in ["clicks.csv", "conversions.csv"] {
            fs::copy(sample(name), folder.path(name)).expect("the sample can be copied");
        }
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub fn with(self, name: &str, bytes: impl AsRef<[u8]>) -> Folder {
        fs::write(self.path(name), bytes).expect("a file in the folder");
        self
    }

    /// The text of a file, empty if there is none.
    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub fn json(&self, name: &str) -> Value {
        parsed(&fs::read(self.path(name)).expect("a report"))
    }

    /// Names of the files that are there, sorted.
    pub fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).expect("the folder is there");
        let mut names: Vec<String> =
            entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// The program with these arguments, split at spaces, in this folder and without environment.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clickaudit"));
        command.current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.args(arguments.split_whitespace());
        command
    }

    /// Runs the program.
    pub fn run(&self, arguments: &str) -> Run {
        Run::of(arguments, self.command(arguments).output().expect("the program starts"))
    }

    /// Runs the program with these bytes piped in.
    pub fn piped(&self, arguments: &str, bytes: &[u8]) -> Run {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        let bytes = bytes.to_vec();
        // A program that refuses its input may close the pipe before all of it is written.
        let writer = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, &bytes).is_ok());
        let output = child.wait_with_output().expect("the program ends");
        writer.join().expect("the writer ends");
        Run::of(arguments, output)
    }

    /// The JSON report of an audit with these arguments, which must complete.
    pub fn report(&self, arguments: &str) -> Value {
        self.run(&format!("audit {arguments} -o json=-")).exits(0).json()
    }
}

/// What a run said.
pub struct Run {
    arguments: String,
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Run {
    /// What a finished program said.
    pub fn of(arguments: &str, output: Output) -> Run {
        Run {
            arguments: arguments.to_owned(),
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> Run {
        let found = self.code;
        assert!(found == Some(code), "{}: exit {found:?}, not {code}\n{}", self.arguments, self.stderr);
        self
    }

    /// Every phrase stands on stderr.
    #[track_caller]
    pub fn says(self, phrases: &[&str]) -> Run {
        for phrase in phrases {
            assert!(self.stderr.contains(phrase), "{}: no `{phrase}` in\n{}", self.arguments, self.stderr);
        }
        self
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        parsed(&self.stdout)
    }

    /// What stands on stderr besides the lines about the rules of the run.
    pub fn messages(&self) -> String {
        let about_rules = |line: &&str| {
            let first = line.split(" rules").next().unwrap_or_default();
            line.contains(" rules") && first.chars().all(|c| c.is_ascii_digit() || " of".contains(c))
        };
        self.stderr.lines().filter(|line| !about_rules(line)).map(|line| format!("{line}\n")).collect()
    }

    pub fn last_line(&self) -> &str {
        self.stderr.lines().last().unwrap_or_default()
    }
}

#[track_caller]
fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|e| panic!("no JSON: {e}"))
}

/// A file of the project.
pub fn project(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A file of the sample.
pub fn sample(name: &str) -> PathBuf {
    project("sample-data").join(name)
}

/// The group with this source in a report.
#[track_caller]
pub fn source<'v>(report: &'v Value, name: &str) -> &'v Value {
    let groups = report["sources"].as_array().expect("the groups");
    groups.iter().find(|g| g["key"]["source"] == name).unwrap_or_else(|| panic!("no group {name}"))
}

/// The verdict on each source, in the order of the report.
pub fn verdicts(report: &Value) -> Vec<(String, String)> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let groups = report["sources"].as_array().expect("the groups");
    groups.iter().map(|g| (text(&g["key"]["source"]), text(&g["verdict"]))).collect()
}

/// The value of a signal of a source.
#[track_caller]
pub fn value(report: &Value, name: &str, signal: &str) -> f64 {
    let reading = &source(report, name)["signals"][signal];
    reading["value"].as_f64().unwrap_or_else(|| panic!("{signal} of {name} is {reading}"))
}

/// Why a signal of a source is absent; empty if it is there.
pub fn absent(report: &Value, name: &str, signal: &str) -> String {
    let has = |names: &Value| names.as_array().is_some_and(|names| names.iter().any(|n| n == signal));
    let own = source(report, name)["absent"].as_object();
    let own = own.and_then(|all| all.iter().find(|(_, names)| has(names)).map(|(why, _)| why.clone()));
    let there = source(report, name)["signals"].get(signal).is_some();
    let of_all = report["coverage"]["absent_signals"].as_array().expect("a list");
    let of_all = of_all.iter().find(|a| a["signal"] == signal && !there);
    own.or_else(|| of_all.map(|a| a["reason"].as_str().expect("a reason").to_owned())).unwrap_or_default()
}

/// A small table of text.
#[derive(Clone)]
pub struct Table {
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with this header, written with commas.
    pub fn new(header: &str) -> Table {
        Table { header: header.split(',').map(str::to_owned).collect(), rows: Vec::new() }
    }

    /// A file of the sample.
    pub fn of_sample(name: &str) -> Table {
        let mut reader = csv::Reader::from_path(sample(name)).expect("the sample");
        let fields = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect();
        let header = fields(reader.headers().expect("a header"));
        let rows = reader.records().map(|r| fields(&r.expect("a row"))).collect();
        Table { header, rows }
    }

    pub fn push(&mut self, row: &[&str]) {
        assert_eq!(row.len(), self.header.len());
        self.rows.push(row.iter().map(|&f| f.to_owned()).collect());
    }

    #[track_caller]
    pub fn at(&self, column: &str) -> usize {
        self.header.iter().position(|h| h == column).unwrap_or_else(|| panic!("no column {column}"))
    }

    /// The rows whose value in a column is wanted.
    pub fn only(mut self, column: &str, wanted: impl Fn(&str) -> bool) -> Table {
        let at = self.at(column);
        self.rows.retain(|row| wanted(&row[at]));
        self
    }

    /// Changes every value of a column.
    pub fn map(mut self, column: &str, change: impl Fn(&str) -> String) -> Table {
        let at = self.at(column);
        self.rows.iter_mut().for_each(|row| row[at] = change(&row[at]));
        self
    }

    pub fn without(mut self, column: &str) -> Table {
        let at = self.at(column);
        self.header.remove(at);
        self.rows.iter_mut().for_each(|row| drop(row.remove(at)));
        self
    }

    pub fn renamed(mut self, from: &str, to: &str) -> Table {
        let at = self.at(from);
        self.header[at] = to.to_owned();
        self
    }

    /// A new column after the others.
    pub fn column(mut self, name: &str, value: impl Fn(usize) -> String) -> Table {
        self.header.push(name.to_owned());
        self.rows.iter_mut().enumerate().for_each(|(i, row)| row.push(value(i)));
        self
    }

    /// The rows from the first up to the second number.
    pub fn part(&self, from: usize, to: usize) -> Table {
        Table { header: self.header.clone(), rows: self.rows[from..to.min(self.rows.len())].to_vec() }
    }

    pub fn csv(&self) -> String {
        self.text(b',')
    }

    /// The file, quoted where it has to be.
    pub fn text(&self, delimiter: u8) -> String {
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
        for row in std::iter::once(&self.header).chain(&self.rows) {
            writer.write_record(row).expect("memory takes everything");
        }
        String::from_utf8(writer.into_inner().expect("memory takes everything")).expect("text")
    }
}

/// A small pair of exports over five days: four honest sources with 300 clicks and 30 conversions each,
/// and each of the `bad` ones with 60 clicks and 40 conversions that come seconds after their clicks.
pub fn pair(bad: &[&str]) -> (Table, Table) {
    let mut clicks = Table::new("click_id,click_time,source,campaign,ip,cost");
    let mut conversions = Table::new(
        "conversion_id,transaction_id,click_id,event,conversion_time,status,payout,click_time,source",
    );
    for i in 0..300 {
        for (h, name) in ["honest-1", "honest-2", "honest-3", "honest-4"].into_iter().enumerate() {
            let second = i * 1_440 + h * 17;
            let id = format!("h{h}c{i}");
            push_click(&mut clicks, &id, second, name, h % 2);
            if i % 10 == 3 {
                push_conversion(&mut conversions, &id, second, 90 + i * 7 + h * 41, name);
            }
        }
    }
    for (b, name) in bad.iter().enumerate() {
        for i in 0..60 {
            let second = i * 7_000 + b * 29 + 5;
            let id = format!("b{b}c{i}");
            push_click(&mut clicks, &id, second, name, 2);
            if i % 3 != 0 {
                push_conversion(&mut conversions, &id, second, 1 + i % 8, name);
            }
        }
    }
    (clicks, conversions)
}

fn push_click(clicks: &mut Table, id: &str, second: usize, source: &str, campaign: usize) {
    let ip = format!("10.{}.{}.{}", second % 251, second / 251 % 251, second / 63_001 % 251);
    clicks.push(&[id, &time(second), source, &format!("campaign-{campaign}"), &ip, "0.01"]);
}

fn push_conversion(conversions: &mut Table, click: &str, clicked: usize, wait: usize, source: &str) {
    let (id, transaction) = (format!("v-{click}"), format!("t-{click}"));
    let (then, when) = (time(clicked), time(clicked + wait));
    conversions.push(&[&id, &transaction, click, "lead", &when, "approved", "1.50", &then, source]);
}

/// So many seconds after the start of March 2026, UTC.
pub fn time(second: usize) -> String {
    let (day, rest) = (second / 86_400 + 1, second % 86_400);
    format!("2026-03-{day:02} {:02}:{:02}:{:02}", rest / 3_600, rest / 60 % 60, rest % 60)
}

/// A folder with the small pair as `clicks.csv` and `conversions.csv`.
pub fn folder_of_pair(bad: &[&str]) -> Folder {
    let (clicks, conversions) = pair(bad);
    Folder::new().with("clicks.csv", clicks.csv()).with("conversions.csv", conversions.csv())
}

/// A line in the output of the tests: a check that cannot run says so.
#[expect(clippy::print_stdout, reason = "the output of the tests is read by people")]
pub fn say(line: &str) {
    println!("{line}");
}
