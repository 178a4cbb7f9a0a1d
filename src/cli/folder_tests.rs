//! Folder tests of `clickaudit rules test`: the exports of a folder through the whole audit, with a fixed clock,
//! held against what the folder expects.
//!
//! A folder is audited from within, so that its project file names files as that of a user does.

use super::args::{AuditArgs, PiiMode};
use super::{audit, complain, project};
use crate::audit::audit as audited;
use crate::base::diag::{self, Diag};
use crate::base::error::{Error, Result, read_small};
use crate::expected::{Expected, differences, written};
use crate::rules::{EXPECTED, EXPORTS, RuleFile, read};
use std::path::{Path, PathBuf};

/// Audits a folder with these rules, unless its project file names others, and says what differs; or writes what
/// was found as what is expected from now on.
///
/// # Errors
/// Exports or a project file that cannot be used, and an expectation that cannot be written.
pub fn run(folder: &Path, rules: &[RuleFile], update: bool) -> Result<Vec<Diag>> {
    let rules: Vec<RuleFile> = rules.iter().map(at_home).collect::<Result<_>>()?;
    let file = folder.join(EXPECTED);
    let name = file.display().to_string();
    let _within = Within::enter(folder)?;
    let expected = match Path::new(EXPECTED).is_file() {
        true => match Expected::read(&RuleFile::new(&name, &read_small(Path::new(EXPECTED), "expectation")?))
        {
            Ok(expected) => expected,
            Err(faults) => return Ok(faults),
        },
        false if update => Expected::nothing(&name),
        false => return Ok(vec![nothing_expected(&name)]),
    };
    judged(&expected, &rules, update, &file).map_err(|error| of_folder(folder, error))
}

fn judged(expected: &Expected, rules: &[RuleFile], update: bool, file: &Path) -> Result<Vec<Diag>> {
    let mut args = AuditArgs { quiet: true, pii: Some(PiiMode::Raw), ..AuditArgs::default() };
    args.no_config = !Path::new(project::NAME).is_file();
    args.config = (!args.no_config).then(|| PathBuf::from(project::NAME));
    args.as_of.clone_from(&expected.as_of);
    let mut project = project::merge(&mut args)?;
    name_exports(&mut args);
    let mut files = if args.rules.is_empty() { rules.to_vec() } else { read(&args.rules)? };
    if !args.add_rules.is_empty() {
        files.extend(read(&args.add_rules)?);
    }
    let set = audit::tuned(&files, &args, &mut project)?;
    let settings = audit::settings(&args, project, &set)?;
    if let Err(faults) = expected.check(&set) {
        return Ok(faults);
    }
    let found = audited(&settings, &set)?;
    if !update {
        return Ok(differences(expected, &found));
    }
    std::fs::write(EXPECTED, written(expected, &found)).map_err(|e| Error::writing(file, e))?;
    complain(&format!("wrote {}", file.display()));
    Ok(Vec::new())
}

/// The exports by their usual names, unless the project file names some.
fn name_exports(args: &mut AuditArgs) {
    let named = [&args.clicks, &args.conversions, &args.postbacks, &args.combined, &args.report];
    if named.iter().any(|files| !files.is_empty()) {
        return;
    }
    let there = |name: &str| Path::new(name).is_file().then(|| name.to_owned());
    args.clicks.extend(there(EXPORTS[0]));
    args.conversions.extend(there(EXPORTS[1]));
}

/// The same rule file when the current folder is another one.
fn at_home(file: &RuleFile) -> Result<RuleFile> {
    let absolute = |folder: &PathBuf| {
        std::path::absolute(folder).map_err(|e| Error::usage("there is no current folder").because(e))
    };
    Ok(RuleFile { folder: file.folder.as_ref().map(absolute).transpose()?, ..file.clone() })
}

fn nothing_expected(name: &str) -> Diag {
    Diag::new(&diag::FAILED_TEST, name, "the folder has exports, and nothing says what is expected of them")
        .help("run `clickaudit rules test FOLDER --update`, and read what it writes")
}

fn of_folder(folder: &Path, error: Error) -> Error {
    let message = format!("{}: {}", folder.display(), error.message);
    Error { message, ..error }
}

/// The current folder, until the value goes.
struct Within {
    before: PathBuf,
}

impl Within {
    fn enter(folder: &Path) -> Result<Within> {
        let failed = |e| Error::usage(format!("cannot enter {}", folder.display())).because(e);
        let before = std::env::current_dir().map_err(failed)?;
        std::env::set_current_dir(folder).map_err(failed)?;
        Ok(Within { before })
    }
}

impl Drop for Within {
    fn drop(&mut self) {
        // Where the folder before is gone, there is nowhere to go back to.
        let _ = std::env::set_current_dir(&self.before);
    }
}
