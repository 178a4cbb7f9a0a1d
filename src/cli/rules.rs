//! `clickaudit rules`: what authors of rules need.

use super::args::{
    AuditArgs, FaultFormat, PageFormat, RuleChoice, RulePaths, RulesArgs, RulesCommand, RulesDiffArgs,
    RulesListArgs, RulesNewArgs, RulesShowArgs, RulesTestArgs,
};
use super::exit::Exit;
use super::{audit, complain, complain_styled, elsewhere, folder_tests, print, project};
use crate::base::diag::{self, Diag};
use crate::base::error::{Error, Result};
use crate::base::text::Text;
use crate::base::yaml;
use crate::compare::{self, Side};
use crate::rules::{
    Changed, Rule, RuleFile, RuleSet, STDIN, Tuning, builtin_files, check, read, read_with_tests, run_tests,
    schema, skeleton, survivors,
};
use crate::signals;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Runs the command.
///
/// # Errors
/// Files that cannot be read.
pub fn run(args: RulesArgs) -> Result<Exit> {
    match args.command {
        RulesCommand::Check(paths) => checked(&paths),
        RulesCommand::Test(args) => tested(&args),
        RulesCommand::List(args) => listed(&args),
        RulesCommand::Show(args) => shown(args),
        RulesCommand::New(args) => created(&args),
        RulesCommand::Diff(args) => compared(*args),
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
    let mut bytes = Vec::new();
    let read = io::stdin().lock().take(yaml::MAX_BYTES as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|e| Error::usage("cannot read a rule from stdin").because(e))?;
    Ok(RuleFile::of_bytes(STDIN, &bytes).in_folder(""))
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

/// The tests inside the rules, then those of folders with exports.
fn tested(args: &RulesTestArgs) -> Result<Exit> {
    let paths = &args.paths;
    let (files, folders) = with_tests(paths)?;
    let mut faults = Vec::new();
    if !files.is_empty() {
        let set = match RuleSet::of(&files) {
            Ok(set) => set,
            Err(faults) => return show(&faults, paths.format),
        };
        let results = run_tests(&set);
        faults.extend(results.iter().filter_map(|r| r.fault.clone()));
        faults.extend(survivors(&set));
        if faults.is_empty() {
            let rules = counted(set.rules.len() + set.retired.len(), "rule");
            complain(&format!("{} of {rules} passed", counted(results.len(), "test")));
        }
    }
    let files = if files.is_empty() { builtin_files() } else { files };
    for folder in &folders {
        faults.extend(folder_tests::run(folder, &files, args.update)?);
    }
    if !faults.is_empty() {
        return show(&faults, paths.format);
    }
    if !folders.is_empty() && !args.update {
        complain(&format!("{} passed", counted(folders.len(), "folder test")));
    }
    Ok(Exit::Completed)
}

/// The rule files below the paths and the folders with exports; without paths the built-in rules.
fn with_tests(paths: &RulePaths) -> Result<(Vec<RuleFile>, Vec<PathBuf>)> {
    if paths.paths.is_empty() || paths.paths.iter().any(|path| path.as_os_str() == STDIN) {
        return Ok((files(paths)?, Vec::new()));
    }
    let (files, folders) = read_with_tests(&paths.paths);
    if files.is_empty() && folders.is_empty() {
        return Ok((read(&paths.paths)?, folders));
    }
    Ok((files, folders))
}

/// Every rule in a line: those of all packs, or those that run with the named ones.
fn listed(args: &RulesListArgs) -> Result<Exit> {
    let set = match set(&args.paths)? {
        Ok(set) => set,
        Err(exit) => return Ok(exit),
    };
    let mut tuning = Tuning::default();
    tuning.choose(&args.packs, "--pack");
    let set = match if args.packs.is_empty() { Ok(set) } else { set.tuned(&tuning) } {
        Ok(set) => set,
        Err(faults) => return show(&faults, args.paths.format),
    };
    print(set.rules.iter().chain(&set.retired).map(line).collect::<String>().as_bytes())?;
    Ok(Exit::Completed)
}

fn line(rule: &Rule) -> String {
    format!(
        "{:<5}  {:<7}  {:<11}  {:<12}  {:<10}  {:<40}  {}\n",
        rule.action.word(),
        rule.class.word(),
        rule.family.word(),
        rule.status.word(),
        packs(rule),
        rule.id,
        rule.title
    )
}

/// `core`, or `igaming,leadgen`.
fn packs(rule: &Rule) -> String {
    rule.packs.iter().map(|pack| pack.word()).collect::<Vec<_>>().join(",")
}

/// A rule of the set that a run would have, with what the run makes of it.
pub(super) struct Chosen {
    pub rule: Rule,
    /// Why a run leaves it out, if it does.
    pub left_out: Option<String>,
    /// The store that the project file names.
    pub store: Option<PathBuf>,
}

/// The rule of this id, in the set that an audit with the same flags would have.
///
/// # Errors
/// Rules with faults, and an id that no rule has.
pub(super) fn chosen(id: &str, choice: RuleChoice) -> Result<Chosen> {
    let mut args = AuditArgs::from(choice);
    let mut project = project::merge(&mut args)?;
    let set = audit::valid_rules(&args, &mut project)?;
    let unknown = unknown(id, &set);
    let running = set.rules.into_iter().map(|rule| (rule, None));
    let retired = set.retired.into_iter().map(|rule| (rule, Some("it is retired".to_owned())));
    let left_out = set.left_out.into_iter().map(|(rule, why)| (rule, Some(why.to_string())));
    let (rule, left_out) =
        running.chain(retired).chain(left_out).find(|(rule, _)| rule.id == id).ok_or(unknown)?;
    Ok(Chosen { rule, left_out, store: args.store })
}

fn unknown(id: &str, set: &RuleSet) -> Error {
    let near = diag::did_you_mean(id, set.ids());
    Error::usage(format!("there is no rule `{}`", Text::new(id).term(80)))
        .help(near.unwrap_or_else(|| "`clickaudit rules list` lists the rules".to_owned()))
}

/// The file as it is, below comments that say where it comes from and what a run makes of it.
fn shown(args: RulesShowArgs) -> Result<Exit> {
    let Chosen { rule, left_out, .. } = chosen(&args.id, args.choice)?;
    let mut lines = vec![format!("# from {}", origin(&rule))];
    lines.push(match left_out {
        Some(why) => format!("# not part of a run: {why}"),
        None => format!("# part of a run, by pack {}", packs(&rule)),
    });
    for change in &rule.changed {
        let Changed { what, from, to, place } = change;
        lines.push(format!("# changed: {what} is {to}, not {from} ({place})"));
    }
    let text = Text::new(lines.join("\n"));
    let comment: Vec<String> = text.raw().lines().map(|line| Text::new(line).term(usize::MAX)).collect();
    print(format!("{}\n{}", comment.join("\n"), rule.file.text).as_bytes())?;
    Ok(Exit::Completed)
}

/// Where a rule's file lies.
pub(super) fn origin(rule: &Rule) -> String {
    let built_in =
        builtin_files().iter().any(|file| file.name == rule.file.name && file.text == rule.file.text);
    if built_in { format!("the program itself ({})", rule.file.name) } else { rule.file.name.clone() }
}

/// The word for the built-in rules.
const BUILT_IN: &str = "built-in";

/// Compares two rule sets on one input, or two reports.
fn compared(args: RulesDiffArgs) -> Result<Exit> {
    let RulesDiffArgs { old, new, format, audit } = args;
    let is_report = |name: &str| Path::new(name).extension().is_some_and(|e| e == "json");
    let (old, new) = match (is_report(&old), is_report(&new)) {
        (true, true) => (read_side(&old)?, read_side(&new)?),
        (false, false) => {
            refuse_rule_flags(&audit)?;
            // What the command line changes is what is being tried: the old side is without it.
            let bare = AuditArgs { packs: vec![], overrides: vec![], disable: vec![], ..audit.clone() };
            (run_side(&old, bare)?, run_side(&new, audit)?)
        }
        _ => {
            return Err(Error::usage("a report and a rule set cannot be compared")
                .help("name two rule sets and the exports, or two JSON reports"));
        }
    };
    let diff = compare::diff(&old, &new)?;
    let text = match format {
        PageFormat::Text => compare::text(&diff),
        PageFormat::Json => compare::json(&diff),
    };
    print(text.as_bytes())?;
    Ok(Exit::Completed)
}

fn refuse_rule_flags(args: &AuditArgs) -> Result<()> {
    if args.rules.is_empty() && args.add_rules.is_empty() && args.output.is_empty() {
        return Ok(());
    }
    Err(Error::usage("--rules, --add-rules and --output do not go with rules diff")
        .help("name the rules themselves, such as `clickaudit rules diff built-in built-in,my-rules …`"))
}

fn read_side(name: &str) -> Result<Side> {
    let path = Path::new(name);
    let text = std::fs::read_to_string(path).map_err(|e| Error::reading(path, e))?;
    compare::report(&text, name)
}

/// An audit with the rules of a name; nothing is written.
fn run_side(name: &str, mut args: AuditArgs) -> Result<Side> {
    let mut project = project::merge(&mut args)?;
    elsewhere::refuse(&args, "rules diff")?;
    args.output.clear();
    (args.rules, args.add_rules) = (vec![], vec![]);
    let set = audit::tuned(&rule_files(name)?, &args, &mut project)?;
    let mut settings = audit::settings(&args, project, &set)?;
    let _store = audit::remember(&args, &mut settings)?;
    audit::limit_threads(args.threads);
    let audited = crate::audit::audit(&settings, &set)?;
    Ok(Side::of(&audited.report))
}

/// `built-in,my-rules`: rule files and folders, the built-in rules among them.
fn rule_files(name: &str) -> Result<Vec<RuleFile>> {
    if Path::new(name).exists() {
        return read(&[PathBuf::from(name)]);
    }
    let (built_in, paths): (Vec<&str>, Vec<&str>) = name.split(',').partition(|part| *part == BUILT_IN);
    let mut files = if built_in.is_empty() { Vec::new() } else { builtin_files() };
    let paths: Vec<PathBuf> = paths.into_iter().map(PathBuf::from).collect();
    if !paths.is_empty() {
        files.extend(read(&paths)?);
    }
    Ok(files)
}

/// Writes a skeleton; a file that is there stays as it is.
fn created(args: &RulesNewArgs) -> Result<Exit> {
    let signal = signals::find(&args.signal).ok_or_else(|| {
        let near = diag::did_you_mean(&args.signal, signals::all().iter().map(|s| s.name));
        Error::usage(format!("there is no signal `{}`", Text::new(args.signal.as_str()).term(80)))
            .help(near.unwrap_or_else(|| "`clickaudit signals` lists all signals".to_owned()))
    })?;
    let text = skeleton(&args.id, signal)?;
    if builtin_files()
        .iter()
        .any(|file| Path::new(&file.name).file_stem().is_some_and(|stem| *stem == *args.id))
    {
        return Err(Error::usage(format!("there is a built-in rule `{}`", args.id)).help(format!(
            "give yours another id; `clickaudit rules show {}` prints the built-in one",
            args.id
        )));
    }
    std::fs::create_dir_all(&args.folder).map_err(|e| Error::writing(&args.folder, e))?;
    let path = args.folder.join(format!("{}.yml", args.id));
    let mut file =
        OpenOptions::new().write(true).create_new(true).open(&path).map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => Error::usage(format!("{} is there already", path.display()))
                .help("it stays as it is: choose another id or --folder"),
            _ => Error::writing(&path, e),
        })?;
    file.write_all(text.as_bytes()).map_err(|e| Error::writing(&path, e))?;
    let path = path.display();
    complain(&format!(
        "wrote {path}\nnext: change it, then `clickaudit rules check {path}` and `clickaudit rules test {path}`"
    ));
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
