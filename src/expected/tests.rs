//! Faults of the file; differences are held against whole audits in the suite.

use super::*;

#[track_caller]
fn check(text: &str, faults: &[&str]) {
    let file = RuleFile::new("expected.yml", text);
    let found = Expected::read(&file).err().unwrap_or_default();
    let found: Vec<String> = found.iter().map(|f| format!("{}: {}", f.code.slug, f.message)).collect();
    assert_eq!(found, faults, "{text}");
}

#[test]
fn a_good_file_is_read() {
    check("as_of: 2026-03-09", &[]);
    check("as_of: 2026-03-09\ngroups:\n  - key: {source: 7}\n    verdict: hold\n    fires: [a]\n", &[]);
    check("as_of: 2026-03-09\ngroups: []\nrejects: {bad_time: 2}\n", &[]);
}

#[test]
fn what_is_wrong_is_told_together() {
    check("groups: []", &["missing-key: the key `as_of` is missing"]);
    check("as_of: 2026-03-09\nverdicts: []", &["unknown-key: there is no key `verdicts` here"]);
    check(
        "as_of: 2026-03-09\ngroups:\n  - key: {sauce: a}\n    verdict: blocked\nrejects: {bad_tme: 1}\n",
        &[
            "wrong-column: `sauce` is no column that can make a group",
            "unknown-word: `blocked` is no verdict",
            "unknown-word: no row is rejected for `bad_tme`",
        ],
    );
}

#[test]
fn a_rule_that_nobody_asks_is_a_fault() {
    let text = "as_of: 2026-03-09\ngroups:\n  - key: {source: a}\n    fires: [conversions-to-fast]\n";
    let expected = Expected::read(&RuleFile::new("expected.yml", text)).expect("a good file");
    let faults = expected.check(&RuleSet::builtin().expect("good rules")).expect_err("no such rule");
    assert!(
        faults[0].help.as_deref().is_some_and(|help| help.starts_with("did you mean `conversions-too-fast`"))
    );
    assert_eq!(faults[0].position(), Some((3, 5)));
}
