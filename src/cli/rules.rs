//! `clickaudit rules`: what authors of rules need.

use super::args::{FaultFormat, RulePaths, RulesArgs, RulesCommand};
use super::exit::Exit;
use super::{complain, complain_styled, print};
use crate::base::diag::{self, Diag};
use crate::base::error::{Error, Result};
use crate::base::yaml;
use crate::rules::{RuleFile, RuleSet, STDIN, builtin_files, check, read, run_tests, schema};
use std::io::{self, Read};
use std::path::PathBuf;

/// Runs the command.
///
/// # Errors
/// Files that cannot be read.
pub fn run(args: RulesArgs) -> Result<Exit> {
    match args.command {
        RulesCommand::Check(paths) => checked(&paths),
        RulesCommand::Test(paths) => tested(&paths),
        RulesCommand::List(paths) => listed(&paths),
        RulesCommand::Schema => {
            print(format!("{:#}\n", schema()).as_bytes())?;
            Ok(Exit::Completed)
        }
    }
}

fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn files(paths: &RulePaths) -> Result<Vec<RuleFile>> {
    if paths.paths.is_empty() {
        return Ok(builtin_files());
    }
    let (stdin, others): (Vec<PathBuf>, Vec<PathBuf>) =
        paths.paths.iter().cloned().partition(|path| path.as_os_str() == STDIN);
    let mut files = if others.is_empty() { Vec::new() } else { read(&others)? };
    if !stdin.is_empty() {
        files.push(from_stdin()?);
    }
    Ok(files)
}

/// A rule from stdin; its lists lie in the current folder.
fn from_stdin() -> Result<RuleFile> {
    let mut text = String::new();
    let read = io::stdin().lock().take(yaml::MAX_BYTES as u64 + 1).read_to_string(&mut text);
    read.map_err(|e| Error::usage("cannot read a rule from stdin").because(e))?;
    Ok(RuleFile::new(STDIN, &text).in_folder(""))
}

fn checked(paths: &RulePaths) -> Result<Exit> {
    let files = files(paths)?;
    let faults = check(&files);
    if faults.is_empty() {
        complain(&format!("{}, no faults", counted(files.len(), "rule file")));
        return Ok(Exit::Completed);
    }
    show(&faults, paths.format)
}

fn show(faults: &[Diag], format: FaultFormat) -> Result<Exit> {
    match format {
        FaultFormat::Json => print(diag::json_lines(faults).as_bytes())?,
        FaultFormat::Github => print(diag::github(faults).as_bytes())?,
        FaultFormat::Text => complain_styled(&diag::coloured(faults)),
    }
    Ok(Exit::Usage)
}

/// The rules of valid files, or the exit after their faults were shown.
fn set(paths: &RulePaths) -> Result<std::result::Result<RuleSet, Exit>> {
    match RuleSet::of(&files(paths)?) {
        Ok(set) => Ok(Ok(set)),
        Err(faults) => show(&faults, paths.format).map(Err),
    }
}

fn tested(paths: &RulePaths) -> Result<Exit> {
    let set = match set(paths)? {
        Ok(set) => set,
        Err(exit) => return Ok(exit),
    };
    let results = run_tests(&set);
    let faults: Vec<Diag> = results.iter().filter_map(|r| r.fault.clone()).collect();
    if faults.is_empty() {
        let rules = counted(set.rules.len() + set.retired.len(), "rule");
        complain(&format!("{} of {rules} passed", counted(results.len(), "test")));
        return Ok(Exit::Completed);
    }
    show(&faults, paths.format)
}

fn listed(paths: &RulePaths) -> Result<Exit> {
    let set = match set(paths)? {
        Ok(set) => set,
        Err(exit) => return Ok(exit),
    };
    let line = |r: &crate::rules::Rule| {
        format!(
            "{:<5}  {:<7}  {:<11}  {:<40}  {}\n",
            r.action.word(),
            r.class.word(),
            r.family.word(),
            r.id,
            r.title
        )
    };
    print(set.rules.iter().map(line).collect::<String>().as_bytes())?;
    Ok(Exit::Completed)
}

/// `clickaudit signals`: every signal in a line.
///
/// # Errors
/// Stdout cannot take the bytes.
pub fn signals() -> Result<Exit> {
    let line = |s: &&crate::signals::Signal| {
        format!(
            "{:<29}  {:<7}  {:<11}  n >= {:<4} {}\n",
            s.name,
            s.unit.word(),
            s.family.word(),
            s.min_sample,
            s.summary
        )
    };
    print(crate::signals::all().iter().map(line).collect::<String>().as_bytes())?;
    Ok(Exit::Completed)
}
