//! What a server says when it fails, and what kind of failure that is.

use super::Reply;
use crate::engine::EngineFault;
use crate::engine::transport::{Trouble, shortened};

/// Numbers of exceptions (ClickHouse, `ErrorCodes.cpp`), with what follows for whoever reads the message.
const CODES: &[(u32, EngineFault, &str)] = &[
    (16, EngineFault::NoColumn, ""),
    (36, EngineFault::Refused, ""),
    (47, EngineFault::NoColumn, ""),
    (60, EngineFault::NoTable, ""),
    (
        62,
        EngineFault::Refused,
        "the server may be too old for the queries: they need ClickHouse 21.4 or newer",
    ),
    (81, EngineFault::NoTable, "the database is named in the address: /?database=NAME"),
    (158, EngineFault::Limit, "a limit of this user's profile on the server; it can be raised there"),
    (159, EngineFault::TimedOut, "a limit of this user's profile on the server, or --engine-timeout"),
    (160, EngineFault::Limit, "a limit of this user's profile on the server; it can be raised there"),
    (164, EngineFault::Denied, "the user may read, and should be allowed to set: readonly = 2"),
    (173, EngineFault::Limit, "the server has no memory left"),
    (192, EngineFault::Denied, "look at the user and the password"),
    (193, EngineFault::Denied, "look at the user and the password"),
    (194, EngineFault::Denied, "look at the user and the password"),
    (195, EngineFault::Denied, "this user may not come from this machine"),
    (202, EngineFault::Limit, "the server runs as many queries as it may"),
    (209, EngineFault::TimedOut, "a server of the cluster did not answer another"),
    (210, EngineFault::CutShort, "a server of the cluster cannot be reached, or went away"),
    (236, EngineFault::Cancelled, "the server is being stopped"),
    (241, EngineFault::Limit, "more memory for this user (max_memory_usage), or fewer days in one run"),
    (243, EngineFault::Limit, "the server has no disk left for what does not fit into memory"),
    (279, EngineFault::CutShort, "a server of the cluster cannot be reached, or went away"),
    (307, EngineFault::Limit, "a limit of this user's profile on the server; it can be raised there"),
    (394, EngineFault::Cancelled, "somebody ended the query on the server"),
    (396, EngineFault::Limit, "a limit of this user's profile on the server; it can be raised there"),
    (452, EngineFault::Denied, "the user may read, and should be allowed to set what a query needs"),
    (497, EngineFault::Denied, "the user needs SELECT on the tables"),
    (516, EngineFault::Denied, "look at the user and the password"),
];

/// The failure that an answer tells.
pub(super) fn of(reply: &Reply) -> Trouble {
    let code = reply.header("x-clickhouse-exception-code").and_then(|code| code.parse().ok());
    let text = String::from_utf8_lossy(&reply.body);
    if code.is_some() || exception_in(&text).is_some() {
        return said(code, &text);
    }
    let status = reply.status;
    match status {
        401 | 403 => Trouble::new(
            EngineFault::Denied,
            format!("it lets nobody in without the right words (HTTP {status})"),
        )
        .help("look at the user and the password"),
        300..=399 => {
            let place = reply.header("location").unwrap_or("nowhere");
            Trouble::new(
                EngineFault::Unreachable,
                format!("it points elsewhere (HTTP {status}): {}", shortened(place)),
            )
            .help("give the address itself; a password is not carried on to others")
        }
        502..=504 => {
            Trouble::new(EngineFault::CutShort, format!("the gate before the server lost it (HTTP {status})"))
        }
        _ => Trouble::new(
            EngineFault::Unreachable,
            format!("what answers there is no ClickHouse (HTTP {status}): {:?}", shortened(&text)),
        )
        .help("look at the address: host, port, and the path of a gate before it"),
    }
}

/// The failure that an exception tells.
pub(super) fn said(code: Option<u32>, text: &str) -> Trouble {
    let code = code.or_else(|| code_in(text));
    let known = code.and_then(|code| CODES.iter().find(|known| known.0 == code));
    let (fault, help) = known.map_or((EngineFault::Refused, ""), |known| (known.1, known.2));
    let trouble = Trouble::new(fault, shortened(text));
    if help.is_empty() { trouble } else { trouble.help(help) }
}

/// Where an exception begins in a text that may have rows before it.
pub(super) fn exception_in(text: &str) -> Option<usize> {
    let begins = text.match_indices("Code: ").map(|(at, _)| at);
    // Rows come before an exception, so that the last one is it. A text of a row that looks like one can change the
    // words of an error at most: what is whole is read before anybody looks here.
    begins.filter(|at| text[*at..].contains("DB::")).last()
}

fn code_in(text: &str) -> Option<u32> {
    let rest = &text[text.find("Code: ")? + 6..];
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, headers: &[(&str, &str)], body: &str, fault: EngineFault, words: &str) {
        let headers = headers.iter().map(|h| (h.0.to_owned(), h.1.to_owned())).collect();
        let trouble = of(&Reply { status, headers, body: body.as_bytes().to_vec() });
        assert_eq!(trouble.fault, fault, "{}", trouble.said);
        assert!(trouble.said.contains(words), "{}", trouble.said);
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(CODES.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn exceptions_are_told_by_their_number() {
        use EngineFault::*;
        let old = "Code: 60, e.displayText() = DB::Exception: Table default.x doesn't exist., e.what() = DB::Exception\n";
        check(404, &[], old, NoTable, "Table default.x doesn't exist");
        check(
            404,
            &[("x-clickhouse-exception-code", "60")],
            "Code: 60. DB::Exception: Unknown table",
            NoTable,
            "Unknown",
        );
        check(403, &[("x-clickhouse-exception-code", "516")], "Code: 516. DB::Exception: me", Denied, "516");
        check(500, &[], "Code: 999999, DB::Exception: new", Refused, "new");
        check(500, &[("x-clickhouse-exception-code", "241")], "", Limit, "");
    }

    #[test]
    fn others_are_told_by_their_status() {
        use EngineFault::*;
        check(401, &[], "<html>", Denied, "HTTP 401");
        check(302, &[("location", "https://elsewhere/")], "", Unreachable, "https://elsewhere/");
        check(502, &[], "<html>", CutShort, "HTTP 502");
        check(404, &[], "<html>no such page", Unreachable, "no such page");
        check(500, &[], "There is no Code: here", Unreachable, "no ClickHouse");
    }
}
