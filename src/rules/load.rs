//! Rule files from the program itself or from disk.
//!
//! A file that cannot be read is a fault like any other, so that it hides no fault of the files beside it. One
//! wrong rule refuses the whole set: an audit with half of the rules would call groups clean that are not.
//! What is no plain file is never opened: a pipe would stop the run.

use super::check::checked;
use super::model::{Rule, RuleFile, RuleSet, Status};
use super::packs::PACKS;
use super::params::Params;
use crate::base::diag::Diag;
use crate::base::error::{self, Error};
use crate::base::yaml::MAX_BYTES;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

include!(concat!(env!("OUT_DIR"), "/rules.rs"));

/// Endings of rule files in a folder; a file that is named itself may have any.
const ENDINGS: [&str; 2] = ["yml", "yaml"];
/// Folders below the one that is named; deeper ones are refused.
const MAX_DEPTH: usize = 8;

/// Why there is no rule set.
#[derive(Debug)]
pub enum Refusal {
    /// There is no rule file.
    World(Error),
    /// Rules are wrong; all their faults.
    Rules(Vec<Diag>),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal::World(error)
    }
}

impl From<Vec<Diag>> for Refusal {
    fn from(faults: Vec<Diag>) -> Refusal {
        Refusal::Rules(faults)
    }
}

impl RuleSet {
    /// The built-in rules.
    ///
    /// # Errors
    /// Their faults; the test suite keeps them without any.
    pub fn builtin() -> Result<RuleSet, Vec<Diag>> {
        RuleSet::of(&builtin_files())
    }

    /// The rules of these files and folders.
    ///
    /// # Errors
    /// There is no rule file, or every fault of every rule.
    pub fn load(paths: &[PathBuf]) -> Result<RuleSet, Refusal> {
        Ok(RuleSet::of(&read(paths)?)?)
    }

    /// The rules of files that have been read, of all packs; [`RuleSet::tuned`] chooses.
    ///
    /// # Errors
    /// Every fault of every rule.
    pub fn of(files: &[RuleFile]) -> Result<RuleSet, Vec<Diag>> {
        RuleSet::with(files, &Params::default())
    }

    /// The same, with values for the rules' parameters.
    ///
    /// # Errors
    /// Every fault of every rule.
    pub fn with(files: &[RuleFile], params: &Params) -> Result<RuleSet, Vec<Diag>> {
        let (rules, faults) = checked(files, params);
        if !faults.is_empty() {
            return Err(faults);
        }
        let digest = digest(&rules);
        let (retired, rules) = rules.into_iter().partition(|r| r.status == Status::Retired);
        let packs = PACKS.iter().map(|info| info.pack).collect();
        Ok(RuleSet { rules, retired, left_out: Vec::new(), digest, packs, observe: false })
    }
}

/// The files that are built into the program.
pub fn builtin_files() -> Vec<RuleFile> {
    FILES.iter().map(|(name, text)| RuleFile::new(*name, text)).collect()
}

/// Reads rule files, folders with everything below them, sorted by path, each once. What cannot be read is a file
/// with that fault.
///
/// # Errors
/// There is no rule file at all.
pub fn read(paths: &[PathBuf]) -> error::Result<Vec<RuleFile>> {
    let found = Found::below(paths).files;
    if found.is_empty() {
        let named: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
        return Err(Error::usage(format!("there is no rule file in {}", named.join(", ")))
            .help("a rule file ends in .yml or .yaml"));
    }
    Ok(found.iter().map(|(path, why)| file(path, why.as_deref())).collect())
}

/// The rule files and the folder tests below these paths; a folder test holds no rules of others.
pub fn read_with_tests(paths: &[PathBuf]) -> (Vec<RuleFile>, Vec<PathBuf>) {
    let Found { files, tests, .. } = Found::below(paths);
    let files = files.iter().map(|(path, why)| file(path, why.as_deref()));
    (files.collect(), tests.into_iter().collect())
}

/// The file that says what is expected of a folder test.
pub const EXPECTED: &str = "expected.yml";

/// The exports of a folder test, unless its project file names others.
pub const EXPORTS: [&str; 2] = ["clicks.csv", "conversions.csv"];

/// Whether a folder is a test: it holds exports, or says what is expected of them.
fn is_test(folder: &Path) -> bool {
    EXPORTS.iter().chain([&EXPECTED]).any(|name| folder.join(name).is_file())
}

/// What lies below the paths that a user names.
#[derive(Default)]
struct Found {
    /// With the reason why one cannot be read, where it is known before it is opened.
    files: BTreeMap<PathBuf, Option<String>>,
    tests: BTreeSet<PathBuf>,
    /// Folders that lead round in circles are looked into once.
    seen: BTreeSet<PathBuf>,
}

impl Found {
    fn below(paths: &[PathBuf]) -> Found {
        let mut found = Found::default();
        for path in paths {
            if let Err(why) = found.collect(path, 0) {
                found.unread(path, why);
            }
        }
        found
    }

    fn unread(&mut self, path: &Path, why: String) {
        self.files.insert(path.to_owned(), Some(why));
    }

    /// Takes a file, or what lies below a folder; or says why there is nothing to take.
    fn collect(&mut self, path: &Path, depth: usize) -> Result<(), String> {
        let metadata = fs::metadata(path).map_err(|e| e.to_string())?;
        if metadata.is_file() {
            self.files.entry(path.to_owned()).or_default();
        } else if metadata.is_dir() {
            self.folder(path, depth).map_err(|e| e.to_string())?;
        } else if depth == 0 {
            return Err(NOT_PLAIN.to_owned());
        }
        Ok(())
    }

    fn folder(&mut self, path: &Path, depth: usize) -> std::io::Result<()> {
        if !self.seen.insert(fs::canonicalize(path)?) {
            return Ok(());
        }
        if is_test(path) {
            self.tests.insert(path.to_owned());
            return Ok(());
        }
        if depth > MAX_DEPTH {
            let message = format!("it lies more than {MAX_DEPTH} folders deep: name the folder of the rules");
            return Err(std::io::Error::other(message));
        }
        for entry in fs::read_dir(path)? {
            let entry = entry?.path();
            let is_rule = entry.extension().is_some_and(|e| ENDINGS.iter().any(|r| e == *r));
            if !is_rule && !entry.is_dir() {
                continue;
            }
            if let Err(why) = self.collect(&entry, depth + 1) {
                self.unread(&entry, why);
            }
        }
        Ok(())
    }
}

const NOT_PLAIN: &str = "it is no plain file";

fn file(path: &Path, why: Option<&str>) -> RuleFile {
    let name = path.display().to_string();
    let file = match why.map_or_else(|| bytes(path), |why| Err(why.to_owned())) {
        Ok(bytes) => RuleFile::of_bytes(name, &bytes),
        Err(why) => RuleFile::unread(name, why),
    };
    file.in_folder(path.parent().unwrap_or(Path::new("")))
}

/// The content of a file, and a byte more than is read of it.
fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|e| e.to_string())?;
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    Ok(bytes)
}

/// Depends on ids, contents and set parameters, listed texts and what else was changed for the run, not on where the files lie.
pub(super) fn digest<'r>(rules: impl IntoIterator<Item = &'r Rule>) -> String {
    let mut rules: Vec<&Rule> = rules.into_iter().collect();
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    let mut hasher = blake3::Hasher::new();
    let mut update = |part: &str| {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    };
    for rule in rules {
        update(&rule.id);
        update(&rule.file.text);
        rule.changed.iter().flat_map(|c| [&c.what, &c.to]).for_each(|part| update(part));
        for set in rule.params.iter().filter(|p| p.value != p.default) {
            update(&set.name);
            update(&set.value);
        }
        rule.when.columns().into_iter().flat_map(|c| c.texts.iter()).for_each(|text| update(text));
        let only = rule.cut.iter().flat_map(|cut| cut.only.values());
        only.flatten().for_each(|text| update(text));
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diag;
    use crate::rules::{Expect, check, run_tests, survivors};

    fn rule(folder: &str, id: &str, more: &str) -> RuleFile {
        let text = format!(
            "id: {id}\ntitle: T\nstatus: stable\nclass: fraud\naction: hold\nwhy: W\ninnocent: [none]\n\
             when: {{test: {{signal: cr, above: 30%}}}}\n\
             tests: [{{name: f, given: {{cr: {{x: 90, n: 100}}}}, expect: fires}}]\n{more}"
        );
        RuleFile::new(format!("{folder}/{id}.yml"), &text)
    }

    fn set(files: &[RuleFile]) -> RuleSet {
        RuleSet::of(files).unwrap_or_else(|d| panic!("{}", diag::plain(&d)))
    }

    #[test]
    fn the_built_in_rules_are_without_fault() {
        let set = RuleSet::builtin().unwrap_or_else(|d| panic!("{}", diag::plain(&d)));
        let faults: Vec<_> = run_tests(&set).into_iter().filter_map(|r| r.fault).collect();
        assert!(faults.is_empty(), "{}", diag::plain(&faults));
        let untested = survivors(&set);
        assert!(untested.is_empty(), "{}", diag::plain(&untested));
    }

    #[test]
    fn a_rule_without_its_tests_is_the_same_rule() {
        let with = RuleSet::builtin().unwrap_or_else(|d| panic!("{}", diag::plain(&d)));
        let files: Vec<RuleFile> = builtin_files().into_iter().map(RuleFile::without_tests).collect();
        assert!(files.iter().all(|file| file.leaves_tests_out() && file.read().len() < file.text.len()));
        let without = set(&files);
        assert_eq!(with.digest, without.digest);
        for (a, b) in with.rules.iter().zip(&without.rules) {
            assert!(!a.tests.is_empty() && b.tests.is_empty(), "{}", a.id);
            let same = Rule { tests: a.tests.clone(), file: a.file.clone(), ..b.clone() };
            assert_eq!(format!("{a:?}"), format!("{same:?}"));
        }
    }

    #[test]
    fn tests_in_the_middle_of_a_file_are_read() {
        let text = |end: &str| RuleFile::new("a.yml", &format!("id: a\ntests: [\n  x]\n{end}"));
        assert!(text("# the end\n").without_tests().leaves_tests_out());
        assert!(!text("title: b\n").without_tests().leaves_tests_out());
        assert!(!RuleFile::new("a.yml", "id: a\n").without_tests().leaves_tests_out());
    }

    #[test]
    fn every_built_in_rule_says_what_else_it_could_be() {
        let set = RuleSet::builtin().unwrap_or_else(|d| panic!("{}", diag::plain(&d)));
        for rule in set.rules.iter().chain(&set.retired) {
            let tests = |expect| rule.tests.iter().filter(|test| test.expect == expect).count();
            assert!(!rule.innocent.is_empty(), "{} names no innocent cause", rule.id);
            assert!(!rule.references.is_empty(), "{} does not say where its limits come from", rule.id);
            assert!(tests(Expect::Fires) > 0 && tests(Expect::Silent) > 0, "{} lacks a side", rule.id);
            let replaced = rule.replaces.as_ref().is_none_or(|id| set.ids().contains(id.as_str()));
            assert!(replaced, "{} replaces a rule that is not there", rule.id);
        }
    }

    #[test]
    fn every_pack_has_rules_of_its_own() {
        let set = RuleSet::builtin().unwrap_or_else(|d| panic!("{}", diag::plain(&d)));
        for info in PACKS {
            let own = set.rules.iter().filter(|rule| rule.packs.contains(&info.pack)).count();
            assert!(own >= 4, "{} has {own} rules", info.pack.word());
        }
    }

    #[test]
    fn the_digest_knows_contents_and_not_paths() {
        let (a, b) = (rule("x", "aaa", ""), rule("x", "bbb", ""));
        let digest = set(&[a.clone(), b.clone()]).digest;
        assert_eq!(digest.len(), 16);
        assert_eq!(digest, set(&[b.clone(), rule("y/z", "aaa", "")]).digest);
        assert_ne!(digest, set(&[rule("x", "aaa", "# more\n"), b]).digest);
        assert_ne!(digest, set(&[a]).digest);
    }

    #[test]
    fn retired_rules_are_set_apart_and_grains_are_sorted() {
        let mut retired = rule("x", "old", "replaced_by: aaa\n");
        retired.text = retired.text.replace("stable", "retired").into();
        let by = |id, by| rule("x", id, &format!("by: [{by}]\n"));
        let set =
            set(&[by("bbb", "source, campaign"), by("aaa", "campaign"), by("ccc", "campaign"), retired]);
        let ids = |rules: &[Rule]| rules.iter().map(|r| r.id.clone()).collect::<Vec<_>>();
        assert_eq!(
            (ids(&set.rules), ids(&set.retired)),
            (vec!["aaa".into(), "bbb".into(), "ccc".into()], vec!["old".into()])
        );
        let grains: Vec<String> = set.grains().into_iter().map(ToString::to_string).collect();
        assert_eq!(grains, ["traffic_source,source,campaign", "campaign"]);
    }

    #[test]
    fn folders_are_read_whole_and_sorted() {
        let dir = tempfile::tempdir().expect("a folder");
        for path in ["b/two.yml", "a/one.yaml", "a/README.md", "three.yml"] {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, "x").expect("a file");
        }
        let twice = [dir.path().to_owned(), dir.path().join("three.yml")];
        let names = |files: Vec<RuleFile>| -> Vec<String> {
            let name = |f: RuleFile| Path::new(&f.name).file_name().map(|n| n.to_string_lossy().into_owned());
            files.into_iter().filter_map(name).collect()
        };
        assert_eq!(names(read(&twice).expect("readable")), ["one.yaml", "two.yml", "three.yml"]);
        let none = check(&read(&[dir.path().join("none"), dir.path().join("a")]).expect("a file"));
        assert!(none.iter().any(|f| f.code == &diag::UNREADABLE), "{}", diag::plain(&none));
        assert!(none.iter().any(|f| f.file.ends_with("one.yaml")), "{}", diag::plain(&none));
        fs::create_dir(dir.path().join("empty")).expect("a folder");
        assert!(read(&[dir.path().join("empty")]).is_err());
    }
}
