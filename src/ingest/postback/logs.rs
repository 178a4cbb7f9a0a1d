//! The formats of logs: one line of text to one request.
//!
//! A format is recognised from the first lines or named, never mixed inside a file. A line that does not fit it
//! is a reject.

use super::query::split;
use crate::base::time::{TimeFormat, TimeReader, Zone};
use std::net::IpAddr;

/// One request of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hit {
    /// When it was received, UTC microseconds.
    pub time: Option<i64>,
    /// The address that sent it to the server.
    pub sender: Option<IpAddr>,
    /// The last address of `X-Forwarded-For`: the sender, as the nearest proxy saw it.
    pub forwarded: Option<IpAddr>,
    /// Empty where the log does not say.
    pub method: String,
    /// URL or path with its query, undecoded.
    pub target: Vec<u8>,
    pub status: Option<i64>,
}

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    Hit(Hit),
    /// A comment or an empty line.
    Nothing,
    /// No line of this format.
    Foreign,
}

/// A format of logs.
pub struct LogFormat {
    pub name: &'static str,
    pub summary: &'static str,
    read: fn(&str, &mut Option<Fields>) -> Line,
}

/// Every format, in the order in which they are tried.
pub const LOG_FORMATS: &[LogFormat] = &[
    LogFormat {
        name: "cloudfront",
        summary: "CloudFront standard: tab-separated, named by a #Fields line",
        read: cloudfront,
    },
    LogFormat { name: "alb", summary: "AWS Application Load Balancer", read: alb },
    LogFormat {
        name: "combined",
        summary: "nginx and Apache, combined or common; a virtual host before and X-Forwarded-For behind it are read",
        read: combined,
    },
    LogFormat { name: "urls", summary: "one URL a line, a time before it if there is one", read: urls },
];

impl LogFormat {
    /// The format of this name.
    pub fn of(name: &str) -> Option<&'static LogFormat> {
        LOG_FORMATS.iter().find(|f| f.name == name)
    }

    /// The format that reads most of these lines, and more than half; the first of equal ones.
    pub fn recognised<'l>(lines: impl Iterator<Item = &'l str> + Clone) -> Option<&'static LogFormat> {
        let read = |format: &LogFormat| {
            let mut reader = LogReader::new(format.name);
            lines.clone().filter(|line| matches!(reader.read(line), Line::Hit(_))).count()
        };
        let said = lines.clone().filter(|line| !is_comment(line)).count();
        let best = LOG_FORMATS.iter().rev().max_by_key(|format| read(format))?;
        (said > 0 && read(best) * 2 > said).then_some(best)
    }
}

/// Reads the lines of one file in order.
pub struct LogReader {
    format: &'static LogFormat,
    fields: Option<Fields>,
}

impl LogReader {
    /// A reader of a format of the table.
    pub fn new(name: &str) -> LogReader {
        LogReader { format: LogFormat::of(name).expect("a format of the table"), fields: None }
    }

    /// One line.
    pub fn read(&mut self, line: &str) -> Line {
        match line.strip_prefix("#Fields:") {
            Some(names) => {
                self.fields = Some(Fields::of(names));
                Line::Nothing
            }
            None if is_comment(line) => Line::Nothing,
            None => (self.format.read)(line, &mut self.fields),
        }
    }
}

fn is_comment(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with('#')
}

/// An address as it stands in a log.
fn address(text: &str) -> Option<IpAddr> {
    let ip: IpAddr = text.trim().trim_matches(['[', ']']).parse().ok()?;
    Some(ip.to_canonical())
}

/// The last address of a list that proxies wrote: only the nearest one is known to be true.
fn last_address(list: &str) -> Option<IpAddr> {
    list.rsplit(',').next().and_then(address)
}

fn utc(text: &str, pattern: &str) -> Option<i64> {
    let format = if pattern.is_empty() { TimeFormat::Iso } else { TimeFormat::Pattern(pattern.to_owned()) };
    TimeReader { format, zone: Zone::UTC }.read(text.as_bytes()).ok()
}

/// Method and target of `GET /path?query HTTP/1.1`; empty where nothing sensible was sent.
fn request(text: &[u8]) -> (String, Vec<u8>) {
    let mut words = text.splitn(2, |&b| b == b' ');
    let method = words.next().unwrap_or_default();
    let rest = words.next().unwrap_or_default();
    if method.is_empty() || !method.iter().all(u8::is_ascii_uppercase) {
        return Default::default();
    }
    let end = rest.windows(6).rposition(|w| w == b" HTTP/").unwrap_or(rest.len());
    (String::from_utf8_lossy(method).into_owned(), rest[..end].to_vec())
}

/// A quoted field at the start of a text, its escapes undone, and what follows it.
fn quoted(text: &str) -> Option<(Vec<u8>, &str)> {
    let bytes = text.strip_prefix('"')?.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    loop {
        match (*bytes.get(at)?, bytes.get(at + 1)) {
            (b'"', _) => return Some((out, text.get(at + 2..)?)),
            (b'\\', Some(b'x')) if hex_byte(bytes, at + 2).is_some() => {
                out.extend(hex_byte(bytes, at + 2));
                at += 4;
            }
            (b'\\', Some(&escaped)) => {
                out.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    other => other,
                });
                at += 2;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
}

fn hex_byte(bytes: &[u8], at: usize) -> Option<u8> {
    let digit = |i: usize| bytes.get(i).and_then(|b| char::from(*b).to_digit(16));
    Some((digit(at)? * 16 + digit(at + 1)?) as u8)
}

/// `ADDRESS IDENT USER [TIME] "REQUEST" STATUS BYTES`, then referrer, user agent, X-Forwarded-For.
fn combined(line: &str, _: &mut Option<Fields>) -> Line {
    parse_combined(line).map_or(Line::Foreign, Line::Hit)
}

fn parse_combined(line: &str) -> Option<Hit> {
    let (before, rest) = line.split_once('[')?;
    let (time, rest) = rest.split_once(']')?;
    let time = utc(time, "%d/%b/%Y:%H:%M:%S %z")?;
    let mut words = before.split_ascii_whitespace();
    let (first, second) = (words.next()?, words.next()?);
    let (said, mut rest) = quoted(rest.trim_start())?;
    let (method, target) = request(&said);
    let (status, _) = rest.trim_start().split_once(' ').unwrap_or((rest.trim_start(), ""));
    let status = status.parse().ok();
    let mut fields = Vec::new();
    while let Some(at) = rest.find('"') {
        let Some((field, after)) = quoted(&rest[at..]) else { break };
        fields.push(field);
        rest = after;
    }
    let forwarded = fields.get(2).and_then(|f| std::str::from_utf8(f).ok()).and_then(last_address);
    Some(Hit {
        time: Some(time),
        sender: address(first).or_else(|| address(second)),
        forwarded,
        method,
        target,
        status,
    })
}

/// Where the named fields of a line stand.
pub struct Fields(Vec<String>);

impl Fields {
    fn of(names: &str) -> Fields {
        Fields(names.split_ascii_whitespace().map(str::to_owned).collect())
    }

    /// The field of this name, unless it is empty.
    fn get<'l>(&self, values: &[&'l str], name: &str) -> Option<&'l str> {
        let at = self.0.iter().position(|n| n == name)?;
        values.get(at).copied().filter(|value| *value != "-" && !value.is_empty())
    }
}

/// The fields of a distribution's standard log come by name, since their number has grown over the years.
fn cloudfront(line: &str, fields: &mut Option<Fields>) -> Line {
    let Some(fields) = fields else { return Line::Foreign };
    parse_cloudfront(line, fields).map_or(Line::Foreign, Line::Hit)
}

fn parse_cloudfront(line: &str, fields: &Fields) -> Option<Hit> {
    let values: Vec<&str> = line.split('\t').collect();
    let get = |name| fields.get(&values, name);
    let time = utc(&format!("{} {}", get("date")?, get("time")?), "")?;
    let mut target = get("cs-uri-stem")?.as_bytes().to_vec();
    if let Some(query) = get("cs-uri-query") {
        target.push(b'?');
        target.extend_from_slice(query.as_bytes());
    }
    Some(Hit {
        time: Some(time),
        sender: get("c-ip").and_then(address),
        forwarded: get("x-forwarded-for").and_then(|list| last_address(&list.replace("%20", ""))),
        method: get("cs-method").unwrap_or_default().to_owned(),
        target,
        status: get("sc-status").and_then(|status| status.parse().ok()),
    })
}

/// `TYPE TIME ELB CLIENT:PORT TARGET:PORT … STATUS TARGET_STATUS … "REQUEST" "USER AGENT" …`.
fn alb(line: &str, _: &mut Option<Fields>) -> Line {
    parse_alb(line).map_or(Line::Foreign, Line::Hit)
}

fn parse_alb(line: &str) -> Option<Hit> {
    const KINDS: [&str; 6] = ["http", "https", "h2", "grpcs", "ws", "wss"];
    let (plain, _) = line.split_once('"')?;
    let words: Vec<&str> = plain.split_ascii_whitespace().collect();
    if words.len() != 12 || !KINDS.contains(&words[0]) {
        return None;
    }
    let (said, _) = quoted(&line[plain.len()..])?;
    let (method, target) = request(&said);
    Some(Hit {
        time: Some(utc(words[1], "")?),
        sender: words[3].rsplit_once(':').and_then(|(ip, _)| address(ip)),
        forwarded: None,
        method,
        target,
        status: words[8].parse().ok(),
    })
}

/// A URL or a path with a query; what stands before it is its time.
fn urls(line: &str, _: &mut Option<Fields>) -> Line {
    parse_url(line.trim()).map_or(Line::Foreign, Line::Hit)
}

fn parse_url(line: &str) -> Option<Hit> {
    let lower = line.to_ascii_lowercase();
    let schemes = ["http://", "https://"].into_iter().filter_map(|scheme| lower.find(scheme));
    let at = schemes.min().or_else(|| line.find('/').filter(|_| line.contains('?')))?;
    let before = line[..at].trim_end_matches([' ', '\t', ',', ';']);
    let time = if before.is_empty() { None } else { Some(utc(before, "")?) };
    let target = &line.as_bytes()[at..];
    if target.iter().any(u8::is_ascii_whitespace) || split(target).1.contains(&b'=') {
        return None;
    }
    Some(Hit { time, target: target.to_vec(), ..Hit::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::show;

    const FIELDS: &str = "#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query x-forwarded-for";

    /// What is read of a line, in short.
    fn read(format: &str, lines: &[&str]) -> String {
        let mut reader = LogReader::new(format);
        let mut last = Line::Nothing;
        lines.iter().for_each(|line| last = reader.read(line));
        match last {
            Line::Nothing => "nothing".to_owned(),
            Line::Foreign => "foreign".to_owned(),
            Line::Hit(hit) => format!(
                "{} {} {} {} {} {}",
                hit.time.map_or("-".to_owned(), show),
                hit.sender.map_or("-".to_owned(), |ip| ip.to_string()),
                hit.forwarded.map_or("-".to_owned(), |ip| ip.to_string()),
                hit.method,
                String::from_utf8_lossy(&hit.target),
                hit.status.map_or("-".to_owned(), |s| s.to_string()),
            ),
        }
    }

    #[test]
    fn combined_lines_are_read() {
        let check = |line: &str, expected: &str| assert_eq!(read("combined", &[line]), expected, "{line}");
        check(
            r#"192.0.2.1 - - [02/Mar/2026:10:00:01 +0000] "GET /postback?cid=a HTTP/1.1" 200 12 "-" "curl/8""#,
            "2026-03-02T10:00:01Z 192.0.2.1 - GET /postback?cid=a 200",
        );
        check(
            r#"t.example:443 192.0.2.1 - joe [02/Mar/2026:10:00:01 +0200] "POST /p HTTP/2.0" 499 0"#,
            "2026-03-02T08:00:01Z 192.0.2.1 - POST /p 499",
        );
        check(
            r#"::ffff:192.0.2.9 - - [02/Mar/2026:10:00:01 +0000] "GET /p?a=\x22\xC2\xA4 HTTP/1.1" 200 1 "-" "x \" y" "203.0.113.5, 198.51.100.7""#,
            "2026-03-02T10:00:01Z 192.0.2.9 198.51.100.7 GET /p?a=\"¤ 200",
        );
        check(
            r#"192.0.2.1 - - [02/Mar/2026:10:00:01 +0000] "\x16\x03\x01" 400 0 "-" "-""#,
            "2026-03-02T10:00:01Z 192.0.2.1 -   400",
        );
        for line in [
            r#"192.0.2.1 - - [02/Mar/2026:10:00:01 +0000] "GET /p"#,
            "192.0.2.1 - - [yesterday] \"GET / HTTP/1.1\" 200 1",
            "no log at all",
            "[",
        ] {
            check(line, "foreign");
        }
    }

    #[test]
    fn cloudfront_fields_come_by_name() {
        let line = "2026-03-02\t10:00:01\tFRA2\t100\t192.0.2.1\tGET\td.example\t/postback\t200\t-\tcurl%2F8\tcid=a&payout=1\t203.0.113.5,%20198.51.100.7";
        let expected = "2026-03-02T10:00:01Z 192.0.2.1 198.51.100.7 GET /postback?cid=a&payout=1 200";
        assert_eq!(read("cloudfront", &["#Version: 1.0", FIELDS, line]), expected);
        let other = "#Fields: cs-uri-query cs-uri-stem sc-status time date";
        let short = "-\t/postback\t000\t10:00:01\t2026-03-02";
        assert_eq!(read("cloudfront", &[other, short]), "2026-03-02T10:00:01Z - -  /postback 0");
        assert_eq!(read("cloudfront", &[line]), "foreign");
        assert_eq!(read("cloudfront", &[FIELDS, "2026-03-02"]), "foreign");
        assert_eq!(read("cloudfront", &[FIELDS]), "nothing");
    }

    #[test]
    fn load_balancers_name_client_and_status() {
        let line = r#"https 2026-03-02T10:00:01.186641Z app/lb/1 [2001:db8::1]:2817 10.0.0.1:80 0.0 0.001 0.0 502 - 34 366 "GET https://t.example:443/postback?cid=a HTTP/1.1" "curl/8" - - arn "Root=1""#;
        let expected = "2026-03-02T10:00:01Z 2001:db8::1 - GET https://t.example:443/postback?cid=a 502";
        assert_eq!(read("alb", &[line]), expected);
        assert_eq!(read("alb", &["https 2026-03-02T10:00:01Z app/lb/1 \"GET / HTTP/1.1\""]), "foreign");
    }

    #[test]
    fn urls_may_have_a_time() {
        let check = |line: &str, expected: &str| assert_eq!(read("urls", &[line]), expected, "{line}");
        check("https://t.example/p?cid=a", "- - -  https://t.example/p?cid=a -");
        check("/p?cid=a", "- - -  /p?cid=a -");
        check(
            "2026-03-02 10:00:01\thttps://t.example/p?u=http://x",
            "2026-03-02T10:00:01Z - -  https://t.example/p?u=http://x -",
        );
        for line in ["once https://t.example/p", "/p", "https://t.example/p with words", "x"] {
            check(line, "foreign");
        }
    }

    #[test]
    fn a_format_is_recognised_by_most_lines() {
        let of = |lines: &[&str]| LogFormat::recognised(lines.iter().copied()).map(|f| f.name);
        let common = r#"192.0.2.1 - - [02/Mar/2026:10:00:01 +0000] "GET /p HTTP/1.1" 200 12"#;
        assert_eq!(of(&[common, "damaged", common]), Some("combined"));
        assert_eq!(of(&["https://t.example/p?cid=a"]), Some("urls"));
        assert_eq!(of(&[common, "x", "y"]), None);
        assert_eq!(of(&["click_id,click_time", "a,b"]), None);
        assert_eq!(of(&["# only a comment", ""]), None);
        let line = "2026-03-02\t10:00:01\tF\t1\t192.0.2.1\tGET\td\t/p\t200\t-\t-\tcid=a\t-";
        assert_eq!(of(&["#Version: 1.0", FIELDS, line]), Some("cloudfront"));
    }
}
