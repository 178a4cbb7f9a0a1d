//! Every diagnostic of rule files has a broken example, and every example has exactly its fault.

use clickaudit::base::diag::{CODES, Code, plain};
use clickaudit::rules::{self, RuleFile};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The codes of rule files (`R…`) and of all YAML files (`Y…`).
fn codes() -> impl Iterator<Item = &'static Code> {
    CODES.iter().copied().filter(|c| c.code.starts_with(['R', 'Y']))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad-rules")
}

/// `<slug>.yml`, or the folder `<slug>` where it takes two files.
fn example(code: &Code) -> Vec<RuleFile> {
    let file = folder().join(format!("{}.yml", code.slug));
    let path = if file.exists() { file } else { folder().join(code.slug) };
    rules::read(&[path]).unwrap_or_else(|e| panic!("{} has no broken example: {e}", code.slug))
}

/// Codes that only `rules test` finds, once `rules check` has nothing to say.
const OF_TESTS: &[&str] = &["failed-test", "untested-limit"];

/// What is told only together with other faults.
const WITH_OTHERS: &[(&str, &str)] = &[("too-many-faults", "unknown-key")];

#[test]
fn every_code_has_a_broken_file_with_exactly_its_fault() {
    for code in codes() {
        let faults = rules::faults(&example(code));
        let with = WITH_OTHERS.iter().find(|(slug, _)| *slug == code.slug).map(|(_, with)| *with);
        let found: BTreeSet<&str> = faults.iter().map(|f| f.code.slug).filter(|f| Some(*f) != with).collect();
        assert_eq!(found, BTreeSet::from([code.slug]), "{}", plain(&faults));
        assert!(faults.iter().all(|f| f.position().is_some()), "{} has no place", code.slug);
    }
}

#[test]
fn every_code_has_a_page_with_its_broken_and_its_mended_rule() {
    for code in codes() {
        let page = rules::page(code.code).unwrap_or_else(|why| panic!("{}: {why}", code.code));
        let name = |files: &[RuleFile]| files.iter().map(|f| f.text.to_string()).collect::<Vec<_>>();
        assert_eq!(name(&page.broken), name(&example(code)), "{}", code.slug);
        let faults = rules::faults(&page.mended);
        assert!(!page.mended.is_empty() && faults.is_empty(), "{}: {}", code.slug, plain(&faults));
        let text = page.text();
        assert!(text.contains(code.explanation) && text.contains(&format!("[{}]", code.code)), "{text}");
    }
    assert!(rules::page("r012").is_ok() && rules::page("not-stable").is_ok());
    assert!(rules::page("not-stabel").is_err_and(|help| help.contains("`not-stable`")));
}

#[test]
fn every_broken_file_belongs_to_a_code() {
    let slugs: BTreeSet<&str> = codes().map(|c| c.slug).collect();
    for entry in std::fs::read_dir(folder()).expect("the folder of broken files") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        assert!(slugs.contains(name.as_str()), "{} is no code", path.display());
    }
}

#[test]
fn all_faults_of_all_files_are_found_at_once() {
    let files: Vec<RuleFile> = codes().flat_map(example).collect();
    let together: BTreeSet<&str> = rules::check(&files).iter().map(|f| f.code.slug).collect();
    let expected: BTreeSet<&str> = codes().map(|c| c.slug).filter(|s| !OF_TESTS.contains(s)).collect();
    assert_eq!(together, expected);
}

#[test]
fn one_file_tells_all_its_faults_with_the_way_out() {
    let text = "\
id: Bad
titel: Too fast
status: stable
class: fraud
action: block
when:
  all:
    - test: {signal: cr, above: 5}
    - test: {signal: ctit_shrt_share, above: 30%, window: 7d}
";
    let faults = rules::check(&[RuleFile::new("rules/bad.yml", text)]);
    let told: Vec<String> = faults
        .iter()
        .map(|f| {
            let (line, column) = f.position().expect("a place");
            format!("{line}:{column} {}: {}", f.code.slug, f.message)
        })
        .collect();
    assert_eq!(
        told,
        [
            "1:1 missing-key: the key `title` is missing",
            "1:1 missing-key: the key `why` is missing",
            "1:5 bad-id: `Bad` is no id",
            "1:1 no-firing-test: no test of this stable rule fires",
            "1:1 no-quiet-test: no test shows when this blocking rule does not fire",
            "1:1 no-innocent: this stable rule names no innocent cause",
            "2:1 unknown-key: there is no key `titel` here",
            "8:33 wrong-unit: `5` is above 1, but a share lies between 0 and 1",
            "9:22 unknown-signal: there is no signal `ctit_shrt_share`",
            "9:51 unknown-key: there is no key `window` here",
        ]
    );
    assert!(faults.iter().all(|f| f.help.is_some()), "{}", plain(&faults));
    assert_eq!(faults[4].help.as_deref(), Some("did you mean 5%?"));
    assert!(faults[5].help.as_deref().is_some_and(|h| h.contains("`ctit_short_share`")));
}
