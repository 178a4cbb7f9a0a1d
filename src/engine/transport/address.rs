//! Where an engine is. An address never holds a secret: command lines and project files are read by others.

use crate::base::error::{Error, Result};
use std::fmt;

/// Which engine it is, and so how it is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    ClickHouse,
    Spark,
}

/// What is known of an engine before it is asked.
struct Facts {
    kind: Kind,
    name: &'static str,
    feature: &'static str,
    /// Scheme, whether it is encrypted, and the port where none is said.
    schemes: &'static [(&'static str, bool, u16)],
    example: &'static str,
    secret: &'static str,
}

/// Every engine. The ports are those that its own documentation gives.
const KINDS: &[Facts] = &[
    Facts {
        kind: Kind::ClickHouse,
        name: "ClickHouse",
        feature: "clickhouse",
        schemes: &[("http", false, 8123), ("https", true, 8443)],
        example: "https://clickhouse.example.net:8443/?database=tracker",
        secret: "USER:PASSWORD",
    },
    Facts {
        kind: Kind::Spark,
        name: "Spark",
        feature: "spark",
        schemes: &[("sc", false, 15002)],
        example: "sc://spark.example.net:15002/;use_ssl=true",
        secret: "the token",
    },
];

impl Kind {
    fn facts(self) -> &'static Facts {
        KINDS.iter().find(|facts| facts.kind == self).expect("every kind is in the table")
    }

    /// The engine of this name, as it is said on the command line.
    ///
    /// # Errors
    /// There is none.
    pub fn named(name: &str) -> Result<Kind> {
        let found = KINDS.iter().find(|facts| facts.feature == name);
        found.map(|facts| facts.kind).ok_or_else(|| {
            let names: Vec<&str> = KINDS.iter().map(|facts| facts.feature).collect();
            Error::usage(format!("there is no way to an engine {name:?}")).help(format!(
                "the engines are {}; for others, --print-sql and --measures",
                names.join(" and ")
            ))
        })
    }

    /// What an address of it looks like.
    pub fn example(self) -> &'static str {
        self.facts().example
    }

    /// Its own name for itself.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// The cargo feature that builds the way to it.
    pub fn feature(self) -> &'static str {
        self.facts().feature
    }
}

/// Where an engine is, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub kind: Kind,
    /// Whether the way is encrypted.
    pub encrypted: bool,
    /// A name, or an address; one of version 6 without its brackets.
    pub host: String,
    pub port: u16,
    /// What stands behind the port, from its slash on: some stand behind a gate that wants a path.
    pub path: String,
    /// Where table names without a database are looked for (ClickHouse).
    pub database: Option<String>,
    /// Who we say we are (Spark).
    pub user: Option<String>,
    /// Sent with every call (Spark): names in small letters.
    pub metadata: Vec<(String, String)>,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schemes = self.kind.facts().schemes;
        let scheme = schemes.iter().find(|s| s.1 == self.encrypted).unwrap_or(&schemes[0]).0;
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

impl Address {
    /// Host and port as they stand in an address and in a header.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Whether it is this machine: what is said to it leaves no wire.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Reads an address.
    ///
    /// # Errors
    /// It is no address of such an engine, or holds a secret.
    pub fn parse(kind: Kind, text: &str) -> Result<Address> {
        let facts = kind.facts();
        let no_address = |why: &str| {
            Error::usage(format!("this is no address of {}: {why}", facts.name))
                .help(format!("an address looks like {}", facts.example))
        };
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(no_address("it has blanks or control characters"));
        }
        let found = facts.schemes.iter().find_map(|scheme| {
            let rest = text.strip_prefix(scheme.0)?.strip_prefix("://")?;
            Some((scheme, rest))
        });
        let Some((&(_, encrypted, port), rest)) = found else {
            let schemes: Vec<String> =
                facts.schemes.iter().map(|scheme| format!("{}://", scheme.0)).collect();
            return Err(no_address(&format!("it does not begin with {}", schemes.join(" or "))));
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        if authority.contains('@') {
            return Err(holds_secret(facts));
        }
        let (host, port) =
            host_and_port(authority, port).ok_or_else(|| no_address("host or port is none"))?;
        let mut address = Address {
            kind,
            encrypted,
            host,
            port,
            path: String::new(),
            database: None,
            user: None,
            metadata: Vec::new(),
        };
        match kind {
            Kind::ClickHouse => address.http_tail(tail, facts),
            Kind::Spark => address.connect_tail(tail, facts),
        }
        .map_err(|why| why.unwrap_or_else(no_address))?;
        Ok(address)
    }

    /// Path and parameters of an address of HTTP.
    fn http_tail(&mut self, tail: &str, facts: &Facts) -> std::result::Result<(), Wrong> {
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
        if !path.bytes().chain(query.bytes()).all(|b| b.is_ascii_graphic() && !b"#\"<>\\^`{|}".contains(&b)) {
            return Err(Wrong::Form("its path has characters that belong in no address"));
        }
        self.path = if path.is_empty() { "/".to_owned() } else { path.to_owned() };
        for part in query.split('&').filter(|part| !part.is_empty()) {
            match part.split_once('=').unwrap_or((part, "")) {
                ("database", name) if !name.is_empty() => self.database = Some(decoded(name)?),
                ("user" | "password", _) => return Err(Wrong::Whole(holds_secret(facts))),
                _ => return Err(Wrong::Form("the only parameter it may have is database=NAME")),
            }
        }
        Ok(())
    }

    /// Parameters of an address of Spark Connect: `/;key=value;key=value`.
    fn connect_tail(&mut self, tail: &str, facts: &Facts) -> std::result::Result<(), Wrong> {
        let parts = match tail {
            "" | "/" => "",
            _ => tail.strip_prefix("/;").ok_or(Wrong::Form("what follows the port begins with /;"))?,
        };
        for part in parts.split(';').filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').ok_or(Wrong::Form("a parameter is key=value"))?;
            let value = decoded(value)?;
            match key {
                "token" => return Err(Wrong::Whole(holds_secret(facts))),
                "use_ssl" => self.encrypted = truth(&value)?,
                "user_id" => self.user = Some(value),
                "session_id" | "user_agent" => {
                    return Err(Wrong::Form("session_id and user_agent are this run's own"));
                }
                _ if is_metadata(key, &value) => self.metadata.push((key.to_ascii_lowercase(), value)),
                _ => return Err(Wrong::Form("a parameter has characters that no header may have")),
            }
        }
        Ok(())
    }
}

/// Why the end of an address is wrong.
enum Wrong {
    /// In its form.
    Form(&'static str),
    /// As an error of its own.
    Whole(Error),
}

impl Wrong {
    fn unwrap_or_else(self, no_address: impl Fn(&str) -> Error) -> Error {
        match self {
            Wrong::Form(why) => no_address(why),
            Wrong::Whole(error) => error,
        }
    }
}

fn holds_secret(facts: &Facts) -> Error {
    Error::usage(format!("the address of {} holds a user, a password or a token", facts.name))
        .help(format!("others can read it there: put {} into a file that only you can read", facts.secret))
}

fn truth(value: &str) -> std::result::Result<bool, Wrong> {
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Wrong::Form("use_ssl is true or false")),
    }
}

fn decoded(value: &str) -> std::result::Result<String, Wrong> {
    let text = percent_encoding::percent_decode_str(value).decode_utf8();
    let text = text.map_err(|_| Wrong::Form("a value is no UTF-8"))?;
    if text.chars().any(char::is_control) {
        return Err(Wrong::Form("a value has control characters"));
    }
    Ok(text.into_owned())
}

/// Whether a parameter can be sent beside every call; names that gRPC keeps for itself cannot.
fn is_metadata(key: &str, value: &str) -> bool {
    let name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let own = ["authorization", "content-type", "te", "user-agent", "host"];
    let lower = key.to_ascii_lowercase();
    !key.is_empty()
        && key.bytes().all(name)
        && !lower.starts_with("grpc-")
        && !lower.ends_with("-bin")
        && !own.contains(&lower.as_str())
        && value.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
}

fn host_and_port(authority: &str, usual: u16) -> Option<(String, u16)> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        (host, rest)
    } else {
        let end = authority.find(':').unwrap_or(authority.len());
        let (host, rest) = authority.split_at(end);
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if host.is_empty() || !host.bytes().all(allowed) {
            return None;
        }
        (host, rest)
    };
    let port = match port.strip_prefix(':') {
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse().ok().filter(|port| *port > 0)?
        }
        Some(_) => return None,
        None if port.is_empty() => usual,
        None => return None,
    };
    Some((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(kind: Kind, text: &str) -> String {
        match Address::parse(kind, text) {
            Ok(a) => format!("{a} {} {:?} {:?} {:?}", a.encrypted, a.database, a.user, a.metadata),
            Err(e) => format!("{e}; {}", e.help.as_deref().unwrap_or_default()),
        }
    }

    fn check(kind: Kind, cases: &[(&str, &str)]) {
        for (text, expected) in cases {
            let found = shown(kind, text);
            assert!(found.starts_with(expected), "{text}: {found}");
        }
    }

    #[test]
    fn addresses_of_clickhouse() {
        check(
            Kind::ClickHouse,
            &[
                ("http://db", "http://db:8123/ false None"),
                ("https://db", "https://db:8443/ true None"),
                ("http://10.0.0.7:80", "http://10.0.0.7:80/ false"),
                ("http://[::1]:8123/", "http://[::1]:8123/ false"),
                (
                    "https://gate.example.net:443/ch/?database=my%20db",
                    "https://gate.example.net:443/ch/ true Some(\"my db\")",
                ),
                ("db:8123", "this is no address of ClickHouse: it does not begin with http:// or https://;"),
                ("http://", "this is no address of ClickHouse: host or port is none"),
                ("http://db:0", "this is no address of ClickHouse: host or port is none"),
                ("http://db:99999", "this is no address of ClickHouse: host or port is none"),
                ("http://db:+80", "this is no address of ClickHouse: host or port is none"),
                ("http://[::x]:1", "this is no address of ClickHouse: host or port is none"),
                (
                    "http://db/\r\nX: y",
                    "this is no address of ClickHouse: it has blanks or control characters",
                ),
                ("http://db/#x", "this is no address of ClickHouse: its path has characters"),
                ("http://db/?database=%0a", "this is no address of ClickHouse: a value has control"),
                ("http://db/?max_memory=1", "this is no address of ClickHouse: the only parameter"),
                (
                    "http://me:secret@db",
                    "the address of ClickHouse holds a user, a password or a token; others can",
                ),
                (
                    "http://db/?password=x",
                    "the address of ClickHouse holds a user, a password or a token; others can",
                ),
            ],
        );
    }

    #[test]
    fn addresses_of_spark() {
        check(
            Kind::Spark,
            &[
                ("sc://host", "sc://host:15002 false None None []"),
                ("sc://host:443/;use_ssl=true;user_id=me", "sc://host:443 true None Some(\"me\") []"),
                (
                    "sc://host/;x-databricks-cluster-id=1",
                    "sc://host:15002 false None None [(\"x-databricks-cluster-id\", \"1\")]",
                ),
                (
                    "sc://host/;token=abc",
                    "the address of Spark holds a user, a password or a token; others can read it there: put the token",
                ),
                ("sc://host/x", "this is no address of Spark: what follows the port begins with /;"),
                ("sc://host/;use_ssl=maybe", "this is no address of Spark: use_ssl is true or false"),
                ("sc://host/;grpc-timeout=1", "this is no address of Spark: a parameter has characters"),
                ("sc://host/;a=%0d%0ab", "this is no address of Spark: a value has control"),
                ("http://host", "this is no address of Spark: it does not begin with sc://;"),
            ],
        );
    }

    #[test]
    fn every_example_is_an_address() {
        for facts in KINDS {
            assert_eq!(
                Address::parse(facts.kind, facts.kind.example()).expect("an address").kind,
                facts.kind
            );
            assert_eq!(Kind::named(facts.feature).expect("a name"), facts.kind);
        }
    }

    #[test]
    fn an_engine_without_a_way_is_refused() {
        let error = Kind::named("trino").expect_err("no way");
        assert!(error.help.is_some_and(|help| help.contains("clickhouse and spark")));
    }

    #[test]
    fn this_machine_is_known() {
        for (text, expected) in [
            ("http://localhost", true),
            ("http://127.0.0.1", true),
            ("http://[::1]", true),
            ("http://db", false),
        ] {
            assert_eq!(Address::parse(Kind::ClickHouse, text).expect("an address").is_loopback(), expected);
        }
    }
}
