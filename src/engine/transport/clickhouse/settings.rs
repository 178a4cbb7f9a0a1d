//! What a query needs of a server's settings, and what this server lets us set.
//!
//! Servers differ by eight years of releases, and users by what their profile allows. The server is asked which
//! settings it knows, what they are, and which of them are fixed. A setting under which a result could be
//! incomplete or mean something else must have our value, or there is no result.

use crate::engine::EngineFault;
use crate::engine::transport::Trouble;

/// Major and minor number of a release.
pub(super) type Version = (u32, u32);

/// How much depends on a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// With another value a result may be wrong.
    Must,
    /// With another value it takes longer, needs more memory, or says less.
    Should,
}

/// One setting, and why.
struct Setting {
    name: &'static str,
    value: &'static str,
    /// Other values under which no result is wrong.
    also: &'static [&'static str],
    need: Need,
    /// The release from on which it knows this value.
    since: Version,
    #[cfg_attr(not(test), allow(dead_code, reason = "every value says why; a test reads it"))]
    why: &'static str,
}

const fn must(name: &'static str, value: &'static str, why: &'static str) -> Setting {
    Setting { name, value, also: &[], need: Need::Must, since: (0, 0), why }
}

const fn should(name: &'static str, value: &'static str, since: Version, why: &'static str) -> Setting {
    Setting { name, value, also: &[], need: Need::Should, since, why }
}

/// The settings of a query, by name.
const SETTINGS: &[Setting] = &[
    must("aggregate_functions_null_for_empty", "0", "a sum of nothing is 0, not absent"),
    must("any_join_distinct_right_table_keys", "0", "a join keeps every pair"),
    should("cancel_http_readonly_queries_on_client_close", "1", (0, 0), "a query ends with who waits for it"),
    must("distinct_overflow_mode", "throw", "a limit is an error, not an end"),
    should(
        "distributed_aggregation_memory_efficient",
        "1",
        (0, 0),
        "the parts of servers are merged piece by piece",
    ),
    Setting {
        also: &["allow", "deny"],
        ..must("distributed_product_mode", "global", "a join of two distributed tables sees all rows of both")
    },
    must("group_by_overflow_mode", "throw", "a limit is an error, not an approximation"),
    should("http_headers_progress_interval_ms", "1000", (0, 0), "a sign of life every second"),
    should("join_algorithm", "grace_hash", (22, 12), "a join that does not fit into memory goes to disk"),
    must("join_default_strictness", "ALL", "a join keeps every pair"),
    must("join_overflow_mode", "throw", "a limit is an error, not an end"),
    must("join_use_nulls", "0", "a side without a match is 0 or empty: the SQL is written so"),
    must("limit", "0", "no row is left out"),
    must("offset", "0", "no row is left out"),
    must("read_overflow_mode", "throw", "a limit is an error, not an end"),
    must("result_overflow_mode", "throw", "a limit is an error, not an end"),
    should("send_progress_in_http_headers", "1", (0, 0), "it says how far it is"),
    must("set_overflow_mode", "throw", "a limit is an error, not an end"),
    must("skip_unavailable_shards", "0", "a part of the data that cannot be read is an error"),
    must("sort_overflow_mode", "throw", "a limit is an error, not an end"),
    must("timeout_overflow_mode", "throw", "a limit is an error, not an end"),
    must("transfer_overflow_mode", "throw", "a limit is an error, not an end"),
    must("transform_null_in", "0", "an absent value equals nothing"),
];

/// Settings that are asked for beside the table, because their value is found while running.
const FOUND: &[&str] = &[
    "log_comment",
    "max_bytes_before_external_group_by",
    "max_execution_time",
    "max_memory_usage",
    "readonly",
];

/// A setting as the server knows it.
pub(super) struct Known {
    name: String,
    value: String,
    /// Whether this user cannot change it.
    fixed: bool,
}

impl Known {
    /// Of a row of name, value and whether it is fixed.
    pub(super) fn of(row: Vec<String>) -> Known {
        let mut row = row.into_iter();
        let mut next = || row.next().unwrap_or_default();
        Known { name: next(), value: next(), fixed: next() == "1" }
    }
}

/// What is sent with every query, by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Settings(pub(super) Vec<(String, String)>);

/// The two numbers in front of a version.
pub(super) fn version(text: &str) -> Option<Version> {
    let mut numbers = text.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

pub(super) fn no_version() -> Trouble {
    Trouble::new(EngineFault::Unreachable, "what answers there does not say which ClickHouse it is")
}

/// Asks for all settings of interest. That a user cannot change a setting is said since release 19.14.
pub(super) fn question(version: Version) -> String {
    let names = SETTINGS.iter().map(|s| s.name).chain(FOUND.iter().copied());
    let names: Vec<String> = names.map(|name| format!("'{name}'")).collect();
    let fixed = if version >= (19, 14) { "toString(readonly)" } else { "'0'" };
    let names = names.join(", ");
    format!("SELECT name, value, {fixed} AS fixed FROM system.settings WHERE name IN ({names})")
}

impl Settings {
    /// Chooses what can be set, and checks what cannot.
    ///
    /// # Errors
    /// Values that must be others and cannot be changed.
    pub(super) fn choose(
        version: Version,
        known: &[Known],
        run: &str,
        query_s: u64,
    ) -> Result<Settings, Trouble> {
        let find = |name: &str| known.iter().find(|k| k.name == name);
        let readonly = find("readonly").map_or("0", |k| k.value.as_str());
        let open = |k: &Known| readonly != "1" && !k.fixed;
        let mut chosen = Vec::new();
        let mut wrong = Vec::new();
        for setting in SETTINGS.iter().filter(|s| version >= s.since) {
            let Some(known) = find(setting.name).filter(|k| k.value != setting.value) else { continue };
            if open(known) {
                chosen.push((setting.name.to_owned(), setting.value.to_owned()));
            } else if setting.need == Need::Must && !setting.also.contains(&known.value.as_str()) {
                wrong.push(format!("{} = {} where {} is needed", setting.name, known.value, setting.value));
            }
        }
        for (name, value) in found(known, run, query_s) {
            if find(name).is_some_and(open) {
                chosen.push((name.to_owned(), value));
            }
        }
        // Last, because nothing can be set behind it: from here on the server itself lets us read only.
        if find("readonly").is_some_and(|k| k.value == "0" && !k.fixed) {
            chosen.push(("readonly".to_owned(), "2".to_owned()));
        }
        if wrong.is_empty() { Ok(Settings(chosen)) } else { Err(unfit(&wrong)) }
    }
}

/// Values that depend on the run and on the server's limits.
fn found(known: &[Known], run: &str, query_s: u64) -> Vec<(&'static str, String)> {
    let number = |name: &str| known.iter().find(|k| k.name == name).and_then(|k| k.value.parse::<u64>().ok());
    let mut found = vec![("log_comment", run.to_owned())];
    // Half of the memory that a query may use is what ClickHouse's documentation advises: merging needs the other.
    if let Some(limit) = number("max_memory_usage").filter(|limit| *limit > 0)
        && number("max_bytes_before_external_group_by") == Some(0)
    {
        found.push(("max_bytes_before_external_group_by", (limit / 2).to_string()));
    }
    // A moment later than our own patience ends, in case that nobody is left to tell the server.
    let limit = query_s + 1;
    if query_s > 0 && number("max_execution_time").is_none_or(|its| its == 0 || its > limit) {
        found.push(("max_execution_time", limit.to_string()));
    }
    found
}

fn unfit(wrong: &[String]) -> Trouble {
    let said = format!(
        "its settings could make results wrong, and this user cannot change them: {}",
        wrong.join("; ")
    );
    Trouble::new(EngineFault::Denied, said)
        .help("give the user readonly = 2 in place of 1, or set these values in its profile")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(rows: &[(&str, &str, &str)]) -> Vec<Known> {
        rows.iter().map(|r| Known::of(vec![r.0.to_owned(), r.1.to_owned(), r.2.to_owned()])).collect()
    }

    fn chosen(version: Version, rows: &[(&str, &str, &str)], query_s: u64) -> String {
        match Settings::choose(version, &known(rows), "run1", query_s) {
            Ok(Settings(pairs)) => {
                pairs.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join(" ")
            }
            Err(trouble) => trouble.said,
        }
    }

    #[test]
    fn the_table_is_sorted_and_says_why() {
        assert!(SETTINGS.is_sorted_by(|a, b| a.name < b.name));
        assert!(FOUND.is_sorted());
        for s in SETTINGS {
            assert!(!s.why.is_empty() && !s.value.is_empty(), "{}", s.name);
        }
    }

    #[test]
    fn what_is_known_and_open_is_set() {
        let rows = [("join_use_nulls", "1", "0"), ("join_algorithm", "default", "0"), ("readonly", "0", "0")];
        assert_eq!(chosen((26, 9), &rows, 0), "join_algorithm=grace_hash join_use_nulls=0 readonly=2");
        assert_eq!(chosen((18, 16), &rows, 0), "join_use_nulls=0 readonly=2");
        assert_eq!(
            chosen((26, 9), &[("log_comment", "", "0"), ("readonly", "2", "0")], 0),
            "log_comment=run1"
        );
    }

    #[test]
    fn what_cannot_be_set_must_fit() {
        assert_eq!(chosen((18, 16), &[("readonly", "1", "0"), ("join_use_nulls", "0", "0")], 0), "");
        let expected = "its settings could make results wrong, and this user cannot change them: \
                        join_use_nulls = 1 where 0 is needed; read_overflow_mode = break where throw is needed";
        let wrong =
            [("join_use_nulls", "1", "0"), ("read_overflow_mode", "break", "0"), ("readonly", "1", "0")];
        assert_eq!(chosen((26, 9), &wrong, 0), expected);
        let fixed =
            [("join_use_nulls", "1", "1"), ("read_overflow_mode", "break", "1"), ("readonly", "2", "0")];
        assert_eq!(chosen((26, 9), &fixed, 0), expected);
        let joins =
            |mode| chosen((26, 9), &[("distributed_product_mode", mode, "0"), ("readonly", "1", "0")], 0);
        assert_eq!(joins("deny"), "");
        assert!(joins("local").contains("distributed_product_mode = local where global is needed"));
        // What only costs time may stay as it is.
        assert_eq!(chosen((26, 9), &[("join_algorithm", "hash", "1"), ("readonly", "2", "0")], 0), "");
    }

    #[test]
    fn memory_and_time_follow_the_servers_limits() {
        let rows = [
            ("max_bytes_before_external_group_by", "0", "0"),
            ("max_memory_usage", "1000", "0"),
            ("max_execution_time", "0", "0"),
        ];
        assert_eq!(chosen((18, 16), &rows, 7), "max_bytes_before_external_group_by=500 max_execution_time=8");
        let rows = [
            ("max_bytes_before_external_group_by", "100", "0"),
            ("max_memory_usage", "1000", "0"),
            ("max_execution_time", "5", "0"),
        ];
        assert_eq!(chosen((18, 16), &rows, 7), "");
    }

    #[test]
    fn versions_are_read() {
        for (text, expected) in [
            ("18.16.1", Some((18, 16))),
            ("26.9.2.1", Some((26, 9))),
            ("26", None),
            ("x.y", None),
            ("", None),
        ] {
            assert_eq!(version(text), expected, "{text}");
        }
    }
}
