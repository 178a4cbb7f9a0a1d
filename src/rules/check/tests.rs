//! What is a fault, and what is none.

use super::*;
use crate::base::column::Col;
use crate::rules::Limit;

const GOOD: &str = "\
id: too-fast
title: Too fast
status: stable
class: fraud
action: block
why: Because.
innocent: [one-tap offers]
when:
  test: {signal: ctit_short_share, above: 30%}
tests:
  - {name: fires, given: {ctit_short_share: {x: 149, n: 240}}, expect: fires}
  - {name: silent, given: {ctit_short_share: {x: 1, n: 240}}, expect: silent}
";
const TEST: &str = "test: {signal: ctit_short_share, above: 30%}";
const GIVEN: &str = "{x: 1, n: 240}";

fn file(old: &str, new: &str) -> RuleFile {
    assert!(GOOD.contains(old), "{old}");
    RuleFile::new("a/too-fast.yml", &GOOD.replace(old, new))
}

/// The good rule with `old` replaced by `new` has exactly these faults.
#[track_caller]
fn check_faults(old: &str, new: &str, expected: &[&str]) {
    let found: Vec<&str> = check(&[file(old, new)]).iter().map(|d| d.code.slug).collect();
    assert_eq!(found, expected, "{new}");
}

fn rule(old: &str, new: &str) -> Rule {
    let (mut rules, faults) = checked(&[file(old, new)], &Params::default());
    assert!(faults.is_empty(), "{}", diag::plain(&faults));
    rules.pop().expect("a rule")
}

#[test]
fn a_good_rule_has_its_defaults() {
    let rule = rule("why: Because.", "why: >\n  Because\n  of it.\n");
    assert_eq!((rule.alone, rule.decides, rule.deterministic), (false, true, false));
    assert_eq!((rule.why.as_str(), rule.by, rule.family), ("Because of it.", None, Family::Ctit));
    let test = rule.when.tests()[0].clone();
    assert_eq!((test.limit, test.confidence, test.min_sample), (Limit::Above(0.3), 0.95, 10));
}

#[test]
fn a_family_follows_from_the_first_signal_that_can_accuse() {
    let both = |more: &str| {
        format!("all:\n    - test: {{signal: conversion_count, above: 5, min_sample: 1}}\n    - {TEST}{more}")
    };
    assert_eq!(rule(TEST, &both("")).family, Family::Ctit);
    assert_eq!(rule(TEST, &both("\nfamily: volume")).family, Family::Volume);
    check_faults(TEST, &both("\nfamily: identity"), &["wrong-family"]);
}

#[test]
fn limits_are_checked_against_the_signal() {
    let test = |limits: &str| format!("test: {{signal: ctit_short_share, {limits}}}");
    check_faults(TEST, &test("between: [10%, 30%], confidence: 99%, min_sample: 1.5k"), &[]);
    check_faults(TEST, &test("present: true"), &[]);
    check_faults(TEST, &test("above: 30"), &["wrong-unit"]);
    check_faults(TEST, &test("above: 30%, min_sample: 2.5"), &["wrong-unit"]);
    check_faults(TEST, &test("above: 30%, min_sample: -1"), &["wrong-unit"]);
    check_faults(TEST, &test("above: -1%"), &["out-of-range"]);
    check_faults(TEST, &test("between: [-1%, 101%]"), &["out-of-range", "out-of-range"]);
    check_faults(TEST, &test("above: 100%"), &["constant-condition"]);
    check_faults(TEST, &test("below: 0%"), &["constant-condition"]);
    check_faults(TEST, &test("between: [30%, 10%]"), &["constant-condition"]);
    check_faults(TEST, &test("between: [0%, 100%]"), &["constant-condition"]);
    check_faults(TEST, &test("min_sample: 5"), &["one-limit"]);
    check_faults(TEST, &test("present: true, min_sample: 5"), &["one-limit"]);
    check_faults(TEST, &test("above: 30%, confidence: 1"), &["confidence"]);
    let help = |confidence: &str| {
        let faults = check(&[file(TEST, &test(&format!("above: 30%, confidence: {confidence}")))]);
        assert_eq!(faults[0].code, &diag::CONFIDENCE);
        faults[0].help.clone().unwrap_or_default()
    };
    assert_eq!(help("95"), "did you mean 95%?");
    assert_eq!(help("1.5"), "write `0.95`, or `95%`");
    assert_eq!(help("high"), "write `0.95`, or `95%`");
    check_faults(TEST, &test("above: 30%, min_sample: 0"), &["no-sample-guard"]);
}

#[test]
fn constant_conditions_are_seen_at_any_depth() {
    check_faults(TEST, "all: []", &["constant-condition"]);
    check_faults(TEST, "not: {any: []}", &["constant-condition"]);
    check_faults(TEST, &format!("all: [{{{TEST}}}, {{not: {{{TEST}}}}}]"), &["constant-condition"]);
    check_faults(TEST, &format!("any: [{{{TEST}}}, {{not: {{{TEST}}}}}]"), &["constant-condition"]);
    check_faults(
        TEST,
        &format!("all: [{{{TEST}}}, {{all: [{{test: {{signal: ctit_short_share, below: 30%}}}}]}}]"),
        &["constant-condition"],
    );
    check_faults(
        TEST,
        &format!("any: [{{{TEST}}}, {{test: {{signal: ctit_short_share, below: 30%}}}}]"),
        &[],
    );
}

#[test]
fn examples_must_be_possible() {
    check_faults(GIVEN, "{value: 1%, n: 240, low: 0%, high: 2%}", &[]);
    check_faults(GIVEN, "1%", &[]);
    check_faults(GIVEN, "1", &[]);
    check_faults(GIVEN, "2", &["wrong-unit"]);
    check_faults(GIVEN, "101%", &["bad-example"]);
    check_faults(GIVEN, "{x: 0, n: 0}", &["bad-example"]);
    check_faults(GIVEN, "{x: 1}", &["bad-example"]);
    check_faults(GIVEN, "{x: 1, n: 2, s: 0.1}", &["bad-example"]);
    check_faults(GIVEN, "{value: 1%, n: 240, low: 2%, high: 3%}", &["bad-example"]);
    check_faults("{ctit_short_share: {x: 1, n: 240}}", "{ctit_p50_s: {x: 1, n: 240}}", &["bad-example"]);
    check_faults("{ctit_short_share: {x: 1, n: 240}}", "{ctit_p50: 5s}", &["unknown-signal"]);
}

#[test]
fn comparisons_with_peers_are_checked() {
    let test = |limits: &str| format!("test: {{signal: ctit_short_share, {limits}}}");
    let beside = |limits: &str| format!("all: [{{{TEST}}}, {{{}}}]", test(limits));
    check_faults(TEST, &test("above_peers: {q: 0.1}"), &[]);
    check_faults(TEST, &test("above_peers: {p: 0.1%}"), &[]);
    check_faults(TEST, &beside("above_peers: {q: 0.5, few: fires}"), &[]);
    check_faults(TEST, &test("above_peers: {q: 0.1, few: silent}"), &[]);
    check_faults(TEST, &test("above_peers: {q: 0.1, few: fires}"), &["constant-condition"]);
    check_faults(
        TEST,
        &format!("not: {{{}}}", test("above_peers: {q: 0.1, few: silent}")),
        &["constant-condition"],
    );
    check_faults(
        TEST,
        &format!("any: [{{{TEST}}}, {{{}}}]", test("above_peers: {q: 0.1, few: fires}")),
        &["constant-condition"],
    );
    check_faults(TEST, &test("above_peers: {q: 0.1, few: often}"), &["unknown-word"]);
    check_faults(TEST, &test("above: 30%, above_peers: {q: 0.1}"), &["one-limit"]);
    check_faults(TEST, &test("above_peers: {q: 0.1}, min_sample: 30"), &["one-limit"]);
    check_faults(TEST, &test("above_peers: {q: 0}"), &["peer-level"]);
    check_faults(TEST, &test("above_peers: {p: 0.51}"), &["peer-level"]);
    check_faults(TEST, &test("above_peers: {q: 0.1, p: 0.1}"), &["peer-level"]);
    check_faults(TEST, &test("above_peers: {few: silent}"), &["peer-level"]);
    check_faults(TEST, &test("below_peers: {q: 0.1}"), &["not-compared"]);
    check_faults(TEST, "test: {signal: top_ip_share, above_peers: {q: 0.1}}", &["not-compared"]);
    check_faults(TEST, "test: {signal: cr, below_peers: {q: 0.1}}", &[]);
    let both = "all: [{test: {signal: cr, below_peers: {q: 0.1}}}, \
                    {test: {signal: cr, above_peers: {q: 0.1}}}]";
    check_faults(TEST, both, &["constant-condition"]);
}

#[test]
fn the_whole_group_can_be_asked_for() {
    let beside = |node: &str| format!("all: [{{{TEST}}}, {{{node}}}]");
    check_faults(TEST, &beside("risk: {above: 95}"), &[]);
    check_faults(TEST, &beside("risk: {above: 60, few: fires}"), &[]);
    check_faults(TEST, &beside("risk: {above: 100}"), &["out-of-range"]);
    check_faults(TEST, &beside("risk: {above: -1}"), &["wrong-unit"]);
    check_faults(TEST, &beside("risk: {above: 60%}"), &["wrong-unit"]);
    check_faults(TEST, &beside("risk: {few: fires}"), &["missing-key"]);
    check_faults(TEST, &beside("significant: true"), &[]);
    check_faults(TEST, &beside("pattern: injection"), &[]);
    check_faults(TEST, &beside("pattern: {is: injection, p: 0.001}"), &[]);
    check_faults(TEST, &beside("pattern: {is: injection, p: 0.6}"), &["peer-level"]);
    check_faults(TEST, &beside("pattern: {is: injecting, p: 0.001}"), &["unknown-word"]);
    check_faults(TEST, &beside("pattern: floding"), &["unknown-word"]);
    check_faults(TEST, "risk: {above: 60, few: fires}\nfamily: ctit", &["constant-condition"]);
    check_faults(TEST, "significant: true", &["wrong-family"]);
    check_faults(TEST, "significant: true\nfamily: identity", &[]);
}

#[test]
fn examples_may_stand_beside_peers() {
    let whole = "{ctit_short_share: {x: 1, n: 240}}";
    check_faults(GIVEN, "{x: 1, n: 240, q: 0.001}", &[]);
    check_faults(GIVEN, "{x: 1, n: 240, p: 0.001, peers: high}", &[]);
    check_faults(GIVEN, "{x: 1, n: 240, peers: few}", &[]);
    check_faults(GIVEN, "{x: 1, n: 240, peers: many}", &["bad-example"]);
    check_faults(GIVEN, "{x: 1, n: 240, q: 0}", &["bad-example"]);
    check_faults(GIVEN, "{q: 0.1}", &["bad-example"]);
    check_faults(whole, "{cr: {x: 1, n: 240, q: 0.1}}", &["bad-example"]);
    check_faults(whole, "{cr: {x: 1, n: 240, q: 0.1, peers: low}}", &[]);
    check_faults(whole, "{top_ip_share: {x: 1, n: 240, q: 0.1}}", &["bad-example"]);
    check_faults(whole, "{risk: 97, significant: true, pattern: injection}", &[]);
    check_faults(whole, "{pattern: {is: injection, p: 0.001}}", &[]);
    check_faults(whole, "{pattern: [injection]}", &["wrong-shape"]);
    check_faults(whole, "{pattern: {is: injection, q: 0.001}}", &["bad-example"]);
    check_faults(whole, "{pattern: injected}", &["unknown-word"]);
    check_faults(whole, "{risk: 101}", &["bad-example"]);
    check_faults(whole, "{significant: maybe}", &["bad-example"]);
}

#[test]
fn parameters_stand_for_their_values() {
    let with = |params: &str, test: &str| format!("params: {params}\nwhen:\n  {test}");
    let check = |params: &str, test: &str, expected: &[&str]| {
        check_faults(&format!("when:\n  {TEST}"), &with(params, test), expected);
    };
    let test = "test: {signal: ctit_short_share, above: $share, min_sample: $least}";
    check("{share: 30%, least: 20}", test, &[]);
    check("{share: 30%}", test, &["unknown-name"]);
    check("{share: 30, least: 20}", test, &["wrong-unit"]);
    check("{share: 100%, least: 20}", test, &["constant-condition"]);
    check("{share: 30%, least: 20, more: 1}", test, &["unused"]);
    let file = file(&format!("when:\n  {TEST}"), &with("{share: 30%, least: 20}", test));
    let mut params = Params::default();
    params.set("too-fast", "share", "40%");
    params.set("another", "least", "1");
    let (rules, faults) = checked(std::slice::from_ref(&file), &params);
    assert!(faults.is_empty(), "{}", diag::plain(&faults));
    assert_eq!(rules[0].when.tests()[0].limit, Limit::Above(0.4));
    assert_eq!(rules[0].when.tests()[0].min_sample, 20);
    let values: Vec<&str> = rules[0].params.iter().map(|p| p.value.as_str()).collect();
    assert_eq!(values, ["40%", "20"]);
    params.set("too-fast", "share", "5");
    let (_, faults) = checked(&[file], &params);
    assert_eq!(faults[0].message, "of `$share`: `5` is above 1, but a share lies between 0 and 1");
}

#[test]
fn facts_and_columns_are_held_against_texts() {
    let beside = |test: &str| format!("all: [{{{TEST}}}, {{test: {{{test}}}}}]");
    check_faults(TEST, &beside("signal: replayed_count, equals: 0, min_sample: 5"), &[]);
    check_faults(TEST, &beside("signal: replayed_count, in: [1, 2], min_sample: 5"), &[]);
    check_faults(TEST, &beside("signal: replayed_count, equals: 1.5"), &["wrong-unit"]);
    check_faults(TEST, &beside("signal: replayed_count, equals: -1"), &["out-of-range"]);
    check_faults(TEST, &beside("signal: cr, in: [1%, 2%]"), &["not-a-fact"]);
    check_faults(TEST, &beside("column: source, equals: pub1"), &[]);
    check_faults(TEST, &beside("column: source, in: [pub1, 007]"), &[]);
    check_faults(TEST, &beside("column: source, in: []"), &["bad-list"]);
    check_faults(TEST, &beside("column: sauce, equals: a"), &["wrong-column"]);
    check_faults(TEST, &beside("column: source"), &["one-limit"]);
    check_faults(TEST, &beside("column: source, equals: a, min_sample: 3"), &["one-limit"]);
    check_faults(TEST, &beside("signal: cr, column: source, equals: a"), &["one-limit"]);
    check_faults(TEST, &beside("above: 3"), &["missing-key"]);
    check_faults(TEST, &beside("column: source, in: {list: ours}"), &["unknown-name"]);
    let listed = |lists: &str, more: &str| {
        format!("lists: {lists}\nwhen:\n  {}{more}", beside("column: source, in: {list: ours}"))
    };
    let when = format!("when:\n  {TEST}");
    check_faults(&when, &listed("{ours: [pub1]}", ""), &[]);
    check_faults(&when, &listed("{ours: [pub1], theirs: [pub2]}", ""), &["unused"]);
    check_faults(&when, &listed("{ours: []}", ""), &["bad-list"]);
    check_faults(&when, &listed("{ours: {file: ours.txt}}", ""), &["bad-list"]);
    check_faults(&when, &listed("{ours: [pub1]}", "\nby: [campaign]"), &["wrong-column"]);
    check_faults(GIVEN, "{x: 1, n: 240}, source: pub1", &[]);
    check_faults(GIVEN, "{x: 1, n: 240}, source: {x: 1, n: 2}", &["bad-example"]);
}

#[test]
fn what_needs_stored_runs_is_checked_all_the_same() {
    let past = |past: &str| format!("test: {{signal: ctit_short_share, above_own_past: {past}}}");
    check_faults(TEST, &past("{ratio: 2}"), &[]);
    check_faults(TEST, &past("{ratio: 200%, over: 14d}"), &[]);
    check_faults(TEST, &past("{ratio: 1}"), &["bad-past"]);
    check_faults(TEST, &past("{ratio: 2, over: 1h}"), &["bad-past"]);
    check_faults(TEST, &past("{over: 14d}"), &["missing-key"]);
    check_faults(TEST, "test: {signal: cr, below_own_past: {ratio: 0.5}}", &[]);
    check_faults(TEST, "test: {signal: cr, below_own_past: {ratio: 2}}", &["bad-past"]);
    let also = |more: &str| format!("class: fraud\n{more}");
    check_faults("class: fraud", &also("for: 2 of 3"), &[]);
    for runs in ["2", "0 of 3", "4 of 3", "2 of 31", "two of three", "-1 of 3"] {
        check_faults("class: fraud", &also(&format!("for: {runs}")), &["bad-runs"]);
    }
    check_faults("class: fraud", &also("clear: {test: {signal: ctit_short_share, below: 10%}}"), &[]);
    check_faults("class: fraud", &also("clear: {test: {signal: ctit, below: 10%}}"), &["unknown-signal"]);
    assert!(rule("class: fraud", &also("for: 2 of 3")).needs_history());
    assert!(rule(TEST, &past("{ratio: 2}")).needs_history());
    assert!(!rule("class: fraud", &also("x-mine: 1")).needs_history());
}

#[test]
fn messages_and_versions_are_checked() {
    let also = |more: &str| format!("class: fraud\n{more}");
    check_faults("class: fraud", &also("message: '{ctit_short_share} at once'"), &[]);
    check_faults("class: fraud", &also("message: '{ctit_shrt_share} at once'"), &["unknown-signal"]);
    check_faults("class: fraud", &also("message: '{ctit_short_share at once'"), &["bad-message"]);
    for version in [">=0.1", ">= 0.0.9", ">=0.1.0"] {
        check_faults("class: fraud", &also(&format!("requires: '{version}'")), &[]);
    }
    for version in [">=99.1", "0.1", ">=1", ">=0.1.0.0", "=0.1", "latest"] {
        check_faults("class: fraud", &also(&format!("requires: '{version}'")), &["wrong-version"]);
    }
}

#[test]
fn a_rule_from_stdin_may_have_any_id() {
    let stdin = RuleFile::new(STDIN, GOOD);
    assert_eq!(check(&[stdin]), []);
}

#[test]
fn ids_and_grains_follow_their_grammar() {
    for id in ["ab", "9ab", "a--b", "a-b-", "A-b", "a_b", "é-b", &"a".repeat(65)] {
        check_faults("id: too-fast", &format!("id: {id}"), &["bad-id"]);
    }
    check_faults("id: too-fast", "id: too-slow", &["id-not-file-name"]);
    let by = |by: &str| format!("class: fraud\nby: {by}");
    check_faults("class: fraud", &by("[source, campaign]"), &[]);
    check_faults("class: fraud", &by("[]"), &["bad-grain"]);
    check_faults("class: fraud", &by("[campaign, campaign]"), &["bad-grain"]);
    check_faults("class: fraud", &by("[cost]"), &["bad-grain"]);
    check_faults("class: fraud", &by("source"), &["wrong-shape"]);
}

#[test]
fn blank_texts_and_several_missing_keys_are_told_together() {
    check_faults("title: Too fast", "title: ' '", &["missing-key"]);
    check_faults("class: fraud\naction: block\nwhy: Because.\n", "", &["missing-key"; 3]);
}

#[test]
fn strength_needs_a_block_on_the_conversion_side() {
    check_faults("action: block", "action: block\nalone: true", &[]);
    check_faults("action: block", "action: hold\ndeterministic: true", &["alone-without-block"]);
    check_faults(TEST, "not: {test: {signal: cr, above: 3%}}\nalone: true", &["click-side-alone"]);
    check_faults("status: stable", "status: retired\nreplaced_by: too-quick", &[]);
    check_faults("status: stable", "status: retired\nreplaced_by: too-fast", &["replaced-by"]);
}

#[test]
fn a_second_rule_of_one_id_is_found_even_if_it_is_wrong() {
    let second = RuleFile::new("b/too-fast.yml", &GOOD.replace("stable", "experimental"));
    let faults = check(&[second, file("id", "id")]);
    let found: Vec<_> = faults.iter().map(|d| (d.file.as_str(), d.code.slug)).collect();
    assert_eq!(found, [("b/too-fast.yml", "duplicate-id"), ("b/too-fast.yml", "not-stable")]);
}

#[test]
fn row_limits_are_checked() {
    let also = |more: &str| format!("class: fraud\n{more}");
    let check = |more: &str, expected: &[&str]| check_faults("class: fraud", &also(more), expected);
    check("window: 7d", &[]);
    check("mature: 36h\nwindow: 7d", &[]);
    check("mature: 7d\nwindow: 7d", &["empty-window"]);
    check("window: 7", &["wrong-unit"]);
    check("window: 0s", &["bad-row-limit"]);
    check("mature: 20000d", &["bad-row-limit"]);
    check("events: [Deposit, dep]", &[]);
    check("events: []", &["bad-row-limit"]);
    check("events: [deposit]\nwhere: {event: sale}", &["bad-row-limit"]);
    check("where: {offer: [a, b], country: DE}", &[]);
    check("where: {offer: []}", &["bad-list"]);
    check("where: {browser: Chrome}", &["bad-row-limit"]);
    check("where: {offer: {list: ours}}", &["unknown-name"]);
    check("where: {offer: {list: ours}}\nlists: {ours: [a]}", &[]);
    check("window: $days\nparams: {days: 7d}", &[]);
    check("window: $days\nparams: {days: 7}", &["wrong-unit"]);
    let cut =
        rule("class: fraud", &also("window: 7d\nevents: [Dep, sale, deposit]\nwhere: {country: DE}")).cut;
    let cut = cut.expect("row limits");
    assert_eq!(
        (cut.window_s, cut.events.clone()),
        (Some(604_800), vec!["deposit".to_owned(), "sale".to_owned()])
    );
    assert!(cut.only[&Col::Country].contains("DE"));
}

#[test]
fn a_part_is_not_held_against_the_whole() {
    let limited = |when: &str| format!("when:\n  {when}\nwindow: 7d");
    let when = format!("when:\n  {TEST}");
    check_faults(&when, &limited(TEST), &[]);
    for beyond in [
        "test: {signal: ctit_short_share, above_peers: {q: 0.1}}",
        "risk: {above: 60}",
        "significant: true",
        "pattern: injection",
        "test: {signal: ctit_short_share, above_own_past: {ratio: 2}}",
    ] {
        check_faults(&when, &limited(&format!("all: [{{{TEST}}}, {{{beyond}}}]")), &["part-beside-whole"]);
    }
}

#[test]
fn one_fault_hides_no_other() {
    let when = "all:\n    - test: {signal: ctit_short_share, above: 30}\n    \
                - test: {signal: cr, above: 20%}\n    - any: [{test: {signal: cr, below: 10%}}]";
    let text = GOOD.replace(TEST, when).replace("innocent: [one-tap offers]\n", "");
    let text = &text[..text.find("tests:").expect("tests")];
    let files = [RuleFile::new("a/too-fast.yml", text), RuleFile::new("b/too-fast.yml", GOOD)];
    let found: Vec<String> = check(&files).iter().map(|d| format!("{} {}", d.file, d.code.slug)).collect();
    let expected = ["no-firing-test", "no-quiet-test", "no-innocent", "constant-condition", "wrong-unit"];
    let mut expected: Vec<String> = expected.map(|slug| format!("a/too-fast.yml {slug}")).into();
    expected.push("b/too-fast.yml duplicate-id".to_owned());
    assert_eq!(found, expected);
}

#[test]
fn a_range_without_end_is_said_in_words() {
    let faults = check(&[file(TEST, "test: {signal: click_count, below: 0, min_sample: 1}")]);
    assert!(
        faults[0].help.as_deref().is_some_and(|help| help == "`click_count` is at least 0"),
        "{faults:?}"
    );
}

#[test]
fn a_rule_on_columns_alone_names_any_family() {
    let column = "all: [{test: {column: source, equals: pub1}}]";
    check_faults(TEST, &format!("{column}\nfamily: ctit"), &[]);
    check_faults(TEST, column, &["wrong-family"]);
    let faults = check(&[file(TEST, &format!("{column}\nfamily: ctti"))]);
    assert!(faults[0].help.as_deref().is_some_and(|help| help.contains("`ctit`")), "{faults:?}");
}
