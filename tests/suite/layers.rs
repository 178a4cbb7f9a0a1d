//! The shape of the source: modules import to the left only, a foreign crate has one home, and only the
//! command line prints or looks at the machine.
//!
//! The checks read the text of the source. They know tokens, not Rust: what they forbid must not stand there
//! at all, and what they cannot follow (`super::super`) is forbidden, too. Tests in a file's end may import
//! what they like from outside, and print.

use crate::runs::project;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The order of the stages: each imports what stands before it.
const ORDER: &[&str] = &[
    "base",
    "ingest",
    "clean",
    "matching",
    "measures",
    "engine",
    "signals",
    "store",
    "past",
    "peers",
    "rules",
    "verdicts",
    "report",
    "reconcile",
    "history",
    "audit",
    "inspect",
    "simulate",
    "evaluate",
    "blocklist",
    "compare",
    "anonymise",
    "backtest",
    "expected",
    "reference",
    "cli",
];

/// Stages that import less than stands before them.
const NARROW: &[(&str, &[&str])] =
    &[("simulate", &["base"]), ("evaluate", &["base"]), ("blocklist", &["base"])];

/// Imports against the order, with the reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[];

/// Where each dependency is named: stages, or files of them.
const HOMES: &[(&str, &[&str])] = &[
    ("annotate_snippets", &["base/diag"]),
    ("anstream", &["cli"]),
    (
        "blake3",
        &[
            "base/privacy",
            "base/text",
            "blocklist",
            "history/record",
            "history/sealed",
            "ingest/open",
            "ingest/postback",
            "report/output",
            "rules/load",
        ],
    ),
    ("bytes", &["engine/transport/spark"]),
    ("chrono", &["base/time"]),
    ("chrono_tz", &["base/time"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli/shell"]),
    ("comfy_table", &["report/terminal"]),
    ("criterion", &[]),
    (
        "csv",
        &[
            "evaluate/labels",
            "ingest/columns",
            "ingest/export",
            "ingest/postback",
            "ingest/text",
            "report/csv",
        ],
    ),
    ("flate2", &["ingest/open"]),
    ("glob", &["ingest"]),
    ("h2", &["engine/transport/spark"]),
    ("hashbrown", &["base/symbol", "clean", "ingest/columns", "ingest/enrich", "matching", "measures"]),
    ("hmac", &["anonymise/keyed", "ingest/postback/checks"]),
    ("http", &["engine/transport/spark"]),
    ("ipnet", &["base/networks"]),
    ("maxminddb", &["ingest/enrich/databases"]),
    ("memchr", &["ingest"]),
    ("minijinja", &["reconcile/letter", "report/evidence"]),
    ("percent_encoding", &["engine/transport", "ingest/postback"]),
    ("polars", &["clean", "ingest", "measures", "report/parquet"]),
    ("polars_arrow", &["engine/transport/spark"]),
    ("proptest", &[]),
    ("prost", &["engine/transport/spark"]),
    ("regex", &["ingest/enrich/crawlers"]),
    ("rust_xlsxwriter", &["report/workbook"]),
    ("rustls", &["engine/transport"]),
    ("rustls_native_certs", &["engine/transport/tls"]),
    ("schemars", &["reconcile/json", "report/json", "report/output", "rules"]),
    (
        "serde",
        &[
            "base/diag",
            "base/yaml",
            "blocklist",
            "cli",
            "engine/transport/clickhouse",
            "evaluate",
            "history",
            "expected",
            "ingest/enrich/crawlers",
            "ingest/mapping",
            "ingest/postback/settings",
            "ingest/preset",
            "ingest/shelf",
            "past",
            "ingest/sources",
            "ingest/stated",
            "reconcile/json",
            "report/json",
            "report/output",
            "rules",
            "store",
            "verdicts/state",
            "verdicts/suppress",
        ],
    ),
    (
        "serde_json",
        &[
            "anonymise/lines",
            "backtest/text",
            "base/diag",
            "blocklist",
            "cli/blocklist",
            "cli/config",
            "cli/evaluate",
            "cli/log",
            "cli/postback",
            "cli/store",
            "cli/timings",
            "cli/verify",
            "compare",
            "engine/transport/clickhouse",
            "evaluate/read",
            "history",
            "expected/write",
            "ingest/enrich/crawlers",
            "inspect/json",
            "reconcile/json",
            "report/json",
            "report/output",
            "rules/format",
            "store",
        ],
    ),
    ("serde_saphyr", &["base/yaml"]),
    ("sha2", &["anonymise/keyed", "ingest/postback/checks", "report/html"]),
    ("signal_hook", &["cli/elsewhere"]),
    ("statrs", &["base/stats"]),
    ("strsim", &["base/near"]),
    ("tempfile", &["base/durable", "base/spill", "ingest", "report/output"]),
    ("terminal_size", &["cli"]),
    ("thiserror", &["base/error", "engine/transport/patience", "verdicts/list"]),
    // The binary itself names it, and is no module.
    ("tikv_jemallocator", &[]),
    ("tokio", &["engine/transport/spark"]),
    ("tokio_rustls", &["engine/transport/spark"]),
    ("unicode_normalization", &["inspect/ids"]),
    ("xxhash_rust", &["clean", "ingest"]),
    ("zstd", &["ingest/open"]),
];

/// What only some modules may name: the words, the modules, and what they are for.
const RESERVED: &[(&[&str], &[&str], &str)] = &[
    (&["println!", "print!", "eprintln!", "eprint!", "stdout()", "stderr()"], &["cli"], "printing"),
    (&["dbg!", "todo!", "unimplemented!"], &[], "unfinished work"),
    (&["env::", "env!"], &["cli"], "the environment"),
    (&["SystemTime", "Instant", "Utc::now", "Local::now"], &["cli"], "the clock"),
    (&["process::exit", "process::abort"], &[], "ending the process"),
];

/// Uses of reserved words elsewhere: module, what stands there, and why that is all right.
const PERMITTED: &[(&str, &str, &str)] = &[
    ("engine/transport/patience", "std::time::Instant", "when to stop waiting; no result depends on it"),
    ("ingest", "std::env::temp_dir()", "the folder of the intake, in a message"),
    ("ingest/stdin", "std::env::temp_dir()", "the same"),
    ("audit/coverage", "env!(\"CARGO_PKG_VERSION\")", "the version, at build time"),
    ("measures/kept", "env!(\"CARGO_PKG_VERSION\")", "the version that counted, at build time"),
    ("reconcile/letter", "env!(\"CARGO_PKG_VERSION\")", "the version, at build time"),
    ("reconcile/workbook", "env!(\"CARGO_PKG_VERSION\")", "the version, at build time"),
    ("ingest/preset", "env!(\"OUT_DIR\")", "the built-in presets, at build time"),
    ("rules/check", "env!(\"CARGO_PKG_VERSION\")", "the version that a rule may ask for, at build time"),
    ("rules/load", "env!(\"OUT_DIR\")", "the built-in rules, at build time"),
    ("rules/page", "env!(\"OUT_DIR\")", "the examples of diagnostics, at build time"),
];

/// One file of the source.
struct Source {
    /// Its module: `base/time`, `cli`.
    module: String,
    /// Its text without comments.
    text: String,
    /// The part before its tests; nothing of a file that is tests only.
    shipped: String,
}

impl Source {
    fn of(module: &str, text: &str) -> Source {
        let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let text = code.join("\n");
        let shipped = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
        Source { module: module.to_owned(), text, shipped }
    }

    fn stage(&self) -> &str {
        self.module.split('/').next().unwrap_or_default()
    }

    /// Whether the file is this module or inside it.
    fn is_in(&self, module: &str) -> bool {
        self.module.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Every file below `src`, without the two roots.
fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    collect(&project("src"), "", &mut found);
    let tests_only: BTreeSet<String> = found.iter().flat_map(test_modules).collect();
    for source in found.iter_mut().filter(|s| tests_only.contains(&s.module)) {
        source.shipped.clear();
    }
    found.retain(|source| !["lib", "main"].contains(&source.module.as_str()));
    found
}

fn collect(folder: &Path, module: &str, found: &mut Vec<Source>) {
    let mut paths: Vec<_> = fs::read_dir(folder).expect("the source").flatten().map(|e| e.path()).collect();
    paths.sort();
    for path in paths {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let name = if module.is_empty() { stem.to_string() } else { format!("{module}/{stem}") };
        if path.is_dir() {
            collect(&path, &name, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let name = if stem == "mod" { module } else { &name };
            found.push(Source::of(name, &fs::read_to_string(&path).expect("the source")));
        }
    }
}

/// The modules that a file declares for tests only.
fn test_modules(source: &Source) -> Vec<String> {
    let parts = source.text.split("#[cfg(test)]\n").skip(1);
    let declared = parts.filter_map(|rest| {
        let line = rest.lines().next()?;
        line.split_once("mod ")?.1.strip_suffix(';')
    });
    declared.map(|name| format!("{}/{name}", source.module)).collect()
}

/// What follows each occurrence of a word in a text, where it is a word of its own; with what precedes it.
fn occurrences<'t>(text: &'t str, word: &str) -> Vec<(&'t str, &'t str)> {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    let splits = text.match_indices(word).map(|(at, found)| (&text[..at], &text[at + found.len()..]));
    splits.filter(|(before, _)| !before.ends_with(part_of_name)).collect()
}

fn first_name(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

// ---------------------------------------------------------------- the order

fn order_faults(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources {
        let stage = source.stage();
        if !ORDER.contains(&stage) {
            faults.push(format!("{}: {stage} has no place in the order", source.module));
        }
        for word in ["super::super", "crate::{", "crate::*"] {
            if !occurrences(&source.text, word).is_empty() {
                faults.push(format!("{}: `{word}` hides what is imported", source.module));
            }
        }
        let imported: BTreeSet<&str> =
            occurrences(&source.text, "crate::").into_iter().map(|(_, after)| first_name(after)).collect();
        let wrong = imported.into_iter().filter(|name| !name.is_empty() && !may_import(stage, name));
        faults.extend(wrong.map(|name| format!("{}: imports {name}", source.module)));
    }
    faults
}

fn may_import(stage: &str, other: &str) -> bool {
    let place = |name: &str| ORDER.iter().position(|s| *s == name);
    let before = matches!((place(stage), place(other)), (Some(own), Some(other)) if other < own);
    let narrow = NARROW.iter().find(|n| n.0 == stage).is_some_and(|n| !n.1.contains(&other));
    stage == other || (before && !narrow) || EXCEPTIONS.iter().any(|e| (e.0, e.1) == (stage, other))
}

#[test]
fn modules_import_to_the_left_only() {
    assert_eq!(order_faults(&sources()), [""; 0]);
}

#[test]
fn an_import_to_the_right_is_found() {
    for (module, text, fault) in [
        ("base/time", "use crate::cli::args;", "base/time: imports cli"),
        ("ingest", "fn f() { crate::measures::run() }", "ingest: imports measures"),
        ("simulate/world", "use crate::ingest::Mapping;", "simulate/world: imports ingest"),
        ("audit/judging", "use crate::simulate::Traffic;", "audit/judging: imports simulate"),
        ("rules/load", "use crate::elsewhere::X;", "rules/load: imports elsewhere"),
        ("base/x", "use crate::{cli, ingest};", "base/x: `crate::{` hides what is imported"),
        ("base/x", "use super::super::cli;", "base/x: `super::super` hides what is imported"),
        ("extra", "", "extra: extra has no place in the order"),
    ] {
        assert_eq!(order_faults(&[Source::of(module, text)]), [fault], "{text}");
    }
    for (module, text) in [
        ("cli/audit", "use crate::base::error::Error;\n// use crate::nothing;"),
        ("report/csv", "use super::Report;\nuse crate::report::json;"),
        ("simulate", "use crate::base::money::Micro;"),
    ] {
        assert_eq!(order_faults(&[Source::of(module, text)]), [""; 0], "{text}");
    }
}

// ---------------------------------------------------------------- foreign crates

/// Whether the shipped part of a file names a crate; a module that the file declares is not one.
fn names(source: &Source, foreign: &str) -> bool {
    let own = format!("mod {foreign};");
    let is_crate = |(before, _): &(&str, &str)| match before.strip_suffix("::") {
        Some(path) => !path.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '>'),
        None => !source.text.contains(&own),
    };
    let used = |word: &str| occurrences(&source.shipped, word).iter().any(is_crate);
    used(&format!("{foreign}::")) || source.shipped.contains(&format!("use {foreign};"))
}

fn home_faults(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for (foreign, homes) in HOMES {
        for source in sources.iter().filter(|source| names(source, foreign)) {
            if !homes.iter().any(|home| source.is_in(home)) {
                faults.push(format!(
                    "{}: names {foreign}, whose home is {}",
                    source.module,
                    homes.join(", ")
                ));
            }
        }
    }
    faults
}

#[test]
fn foreign_crates_stay_at_home() {
    assert_eq!(home_faults(&sources()), [""; 0]);
}

#[test]
fn every_home_is_lived_in() {
    let sources = sources();
    for (foreign, homes) in HOMES {
        for home in *homes {
            let lived_in = sources.iter().any(|s| s.is_in(home) && names(s, foreign));
            assert!(lived_in, "{home} does not name {foreign}");
        }
    }
}

#[test]
fn a_crate_away_from_home_is_found() {
    for (module, text, faults) in [
        ("signals/ctit", "use polars::prelude::*;", 1),
        ("signals/ctit", "let t: polars::prelude::DataType;", 1),
        ("signals/ctit", "use polars;", 1),
        ("rules/check", "use serde_saphyr::Spanned;", 1),
        ("report/json", "fn f() -> ::csv::Writer {}", 1),
        ("report", "mod csv;\npub use csv::rejects;", 0),
        ("report/json", "use super::csv::rejects;", 0),
        ("ingest/table", "use polars::prelude::*;", 0),
        ("base/time", "use chrono::Datelike;\nuse chrono_tz::Tz;", 0),
        ("base/text", "fn f() {}\n#[cfg(test)]\nmod tests {\nuse proptest::prelude::*;\n}", 0),
    ] {
        let found = home_faults(&[Source::of(module, text)]);
        assert_eq!(found.len(), faults, "{module}: {text}: {found:?}");
    }
}

/// The lines of `Cargo.toml` that name a dependency, each with the line before it.
fn dependencies(manifest: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let (mut section, mut before) = (String::new(), String::new());
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line.to_owned();
        } else if section.ends_with("dependencies]") && line.starts_with(|c: char| c.is_alphabetic()) {
            let name = line.split([' ', '=', '.']).next().unwrap_or_default();
            found.insert(name.replace('-', "_"), before);
        }
        before = line.to_owned();
    }
    found
}

#[test]
fn every_dependency_has_a_home_and_says_what_it_is_for() {
    let manifest = fs::read_to_string(project("Cargo.toml")).expect("the manifest");
    let found = dependencies(&manifest);
    let names: Vec<&str> = found.keys().map(String::as_str).collect();
    let homes: Vec<&str> = HOMES.iter().map(|home| home.0).collect();
    assert_eq!(names, homes);
    for (name, comment) in &found {
        assert!(comment.starts_with("# ") && comment.ends_with(['.', '?', '”', '"']), "{name}: {comment}");
    }
}

#[test]
fn dependencies_are_found_in_a_manifest() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\n# Reads.\na-b = { version = \"1\", features = [\n  \
                    \"f\", # why\n] }\nc.workspace = true\n[profile.dev]\ndebug = 1\n";
    let found = dependencies(manifest);
    let found: Vec<(&str, &str)> = found.iter().map(|(name, line)| (name.as_str(), line.as_str())).collect();
    assert_eq!(found, [("a_b", "# Reads."), ("c", "] }")]);
}

// ---------------------------------------------------------------- text from data

/// Every way from a `Text` into an output, and the modules that write such an output. Whoever is in none of them
/// has no text from data to print; messages and pages for people go through `term` from everywhere.
const ENCODERS: &[(&str, &[&str])] = &[
    ("chat", &["report/brief"]),
    ("csv", &["report/csv", "report/lists"]),
    ("file_name", &["base/destination", "report"]),
    ("html", &["report/html"]),
    (
        "json",
        &[
            "audit/coverage",
            "backtest/text",
            "cli/blocklist",
            "cli/postback",
            "cli/verify",
            "compare",
            "history/timeline",
            "reconcile/json",
            "report/json",
            "report/output",
        ],
    ),
    ("list_id", &["base/dialect", "verdicts/list"]),
    ("md", &["report/markdown"]),
    ("parquet", &["report/parquet"]),
    ("prom", &["report/prometheus"]),
    (
        "term",
        &[
            "audit",
            "backtest",
            "base",
            "blocklist",
            "cli",
            "compare",
            "engine",
            "evaluate",
            "history",
            "ingest",
            "inspect",
            "matching",
            "reconcile",
            "report",
            "store",
            "verdicts",
        ],
    ),
    ("xlsx", &["report/workbook"]),
];

/// Uses of the text itself where outputs are made: module, what stands there, and why that is all right.
const UNENCODED: &[(&str, &str, &str)] = &[
    ("anonymise", "path.file_name()", "the name of the user's own file"),
    ("base/durable", "entry.file_name()", "the name of a file in a folder"),
    ("blocklist/state", "e.file_name()", "the name of a file in a folder"),
    ("blocklist/state", "revision.json()", "the text of a revision"),
    ("blocklist/state", "self.json()", "the text of a revision"),
    ("cli/rules", "text.raw().lines()", "the lines of a rule's source, each encoded by itself"),
    ("history/folder", ".file_name()", "the name of a file in a folder"),
    ("ingest/enrich", "path.file_name()", "the name of the user's own file"),
    ("ingest/enrich/databases", "path.file_name()", "the name of the user's own file"),
    ("inspect/text", "path.file_name()", "the name of an input, encoded right behind"),
    ("reconcile/letter", "path.file_name()", "the name of an input, encoded right behind"),
    ("peers/anomaly", "draws.term(", "a term of a sum, no text"),
    ("store", "entry.file_name()", "the name of a file in a folder"),
    ("report/output", "PathBuf::from(i.path.raw())", "the path of an input, to be spared"),
];

/// The stages that make outputs.
const SINKS: &[&str] = &["report", "cli"];

fn encoding_faults(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources.iter().filter(|s| s.module != "base/text") {
        let allowed = UNENCODED.iter().filter(|u| source.module == u.0);
        let text = allowed.fold(source.shipped.clone(), |text, u| text.replace(u.1, ""));
        for (encoder, homes) in ENCODERS {
            let words = [format!(".{encoder}("), format!("Text::{encoder}")];
            let used = words.iter().any(|word| text.contains(word.as_str()));
            if used && !homes.iter().any(|home| source.is_in(home)) {
                faults.push(format!("{}: encodes for {encoder}", source.module));
            }
        }
        if SINKS.contains(&source.stage()) && (text.contains(".raw()") || text.contains("Text::raw")) {
            faults.push(format!("{}: takes text from data as it is", source.module));
        }
    }
    faults
}

#[test]
fn text_from_data_goes_through_the_encoder_of_its_sink() {
    assert_eq!(encoding_faults(&sources()), [""; 0]);
}

#[test]
fn every_encoder_is_declared_and_used() {
    let sources = sources();
    let text = &sources.iter().find(|s| s.module == "base/text").expect("the type").shipped;
    let methods: BTreeSet<&str> = occurrences(text, "pub fn ")
        .into_iter()
        .filter(|(_, after)| {
            let signature = after.split('{').next().unwrap_or_default();
            signature.contains("(&self") && (signature.contains("String") || signature.contains("str>"))
        })
        .map(|(_, after)| first_name(after))
        .collect();
    let declared: BTreeSet<&str> = ENCODERS.iter().map(|e| e.0).collect();
    assert_eq!(methods, declared);
    for (encoder, homes) in ENCODERS {
        for home in *homes {
            let word = [format!(".{encoder}("), format!("Text::{encoder}")];
            let used = |s: &&Source| s.is_in(home) && word.iter().any(|w| s.shipped.contains(w.as_str()));
            assert!(sources.iter().any(|s| used(&s)), "{home} does not encode for {encoder}");
        }
    }
    for (module, text, _) in UNENCODED {
        assert!(sources.iter().any(|s| s.module == *module && s.shipped.contains(text)), "{module}: {text}");
    }
}

#[test]
fn text_that_takes_another_way_is_found() {
    for (module, text, faults) in [
        ("report/json", "let cell = text.csv();", 1),
        ("report/csv", "let name = key.map(Text::json);", 1),
        ("report/csv", "let name = key.raw();", 1),
        ("cli/audit", "complain(path.raw());", 1),
        ("report/csv", "let name = key.csv();", 0),
        ("verdicts/list", "let same = a.raw() == b.raw();", 0),
        ("signals", "fn f() {}\n#[cfg(test)]\nmod tests {\nfn f() { text.csv() }\n}", 0),
    ] {
        let found = encoding_faults(&[Source::of(module, text)]);
        assert_eq!(found.len(), faults, "{module}: {text}: {found:?}");
    }
}

// ---------------------------------------------------------------- reserved words

fn reserved_faults(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources {
        let permitted = PERMITTED.iter().filter(|p| source.module == p.0);
        let text = permitted.fold(source.shipped.clone(), |text, p| text.replace(p.1, ""));
        for (words, modules, what) in RESERVED {
            let found = words.iter().filter(|word| !occurrences(&text, word).is_empty());
            if !modules.iter().any(|module| source.is_in(module)) {
                faults.extend(found.map(|word| format!("{}: `{word}` ({what})", source.module)));
            }
        }
    }
    faults
}

#[test]
fn only_the_command_line_prints_and_looks_at_the_machine() {
    assert_eq!(reserved_faults(&sources()), [""; 0]);
}

#[test]
fn every_permission_is_used() {
    let sources = sources();
    for (module, text, _) in PERMITTED {
        assert!(sources.iter().any(|s| s.module == *module && s.shipped.contains(text)), "{module}: {text}");
    }
}

#[test]
fn a_reserved_word_is_found() {
    for (module, text, faults) in [
        ("signals", "println!(\"x\");", 1),
        ("signals", "eprintln!(\"x\");", 1),
        ("audit", "let now = std::time::Instant::now();", 1),
        ("audit", "use std::time::{Instant, SystemTime};", 2),
        ("rules/load", "std::env::var(\"HOME\")", 1),
        ("report/terminal", "std::io::stdout().lock()", 1),
        ("cli", "let _ = std::io::stdout();", 0),
        ("signals", "// println!\nlet instant = 1;", 0),
        ("signals", "fn f() {}\n#[cfg(test)]\nmod tests {\nfn f() { println!() }\n}", 0),
    ] {
        let found = reserved_faults(&[Source::of(module, text)]);
        assert_eq!(found.len(), faults, "{module}: {text}: {found:?}");
    }
}
