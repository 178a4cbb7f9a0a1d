//! What in a text belongs to a person, and what stands in its place in an output.
//!
//! Addresses, e-mail addresses and device IDs are looked for anywhere in a text, whatever column it came from: a
//! sub ID may carry what a tracking link was filled with. Hashing is pseudonymisation, no anonymisation: who has
//! the key can try all addresses. Names, phone numbers and player IDs are not recognised here; columns that are
//! not mapped never reach an output.

use super::networks::{neighbourhood, shown};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

/// What becomes of personal values in outputs.
#[derive(Clone, Debug, Default)]
pub enum Pii {
    /// Addresses are cut to /24 and /48, e-mail addresses dropped, device IDs cut to eight digits.
    #[default]
    Mask,
    /// Each value is a token that stays the same from run to run.
    Hash(Key),
    /// Everything as it is.
    Raw,
}

impl Pii {
    /// The word of the command line.
    pub fn word(&self) -> &'static str {
        match self {
            Pii::Mask => "mask",
            Pii::Hash(_) => "hash",
            Pii::Raw => "raw",
        }
    }
}

/// The secret of an installation.
#[derive(Clone)]
pub struct Key([u8; Key::LENGTH]);

impl Key {
    /// Bytes of a key.
    pub const LENGTH: usize = 32;

    /// A key of these bytes.
    pub fn new(bytes: [u8; Key::LENGTH]) -> Key {
        Key(bytes)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Digits of a token: at 64 bits two of a million values share one by chance once in 37 million runs.
const TOKEN: usize = 16;

/// A kind of personal value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Personal {
    Mail,
    Address(IpAddr),
    Device,
}

impl Personal {
    fn masked(self, text: &str) -> String {
        match self {
            Personal::Mail => "[e-mail]".to_owned(),
            Personal::Address(address) => network(address),
            Personal::Device => format!("{}-…", &text[..8]),
        }
    }

    fn token(self, text: &str, key: &Key) -> String {
        let (kind, value) = match self {
            Personal::Mail => ("mail", text.to_lowercase().replace("%40", "@")),
            Personal::Address(address) => ("ip", address.to_canonical().to_string()),
            Personal::Device => ("device", text.to_ascii_lowercase()),
        };
        let digest = blake3::keyed_hash(&key.0, value.as_bytes()).to_hex();
        format!("{kind}-{}", &digest[..TOKEN])
    }
}

/// The /24 or /48 of an address.
pub fn network(address: IpAddr) -> String {
    shown(&neighbourhood(address))
}

/// The text with everything personal in it covered; `None` where there is nothing of that kind. In an ID of a
/// click or a transaction a device ID is none: many systems number their clicks that way.
pub fn covered(text: &str, pii: &Pii, is_id: bool) -> Option<String> {
    let found = found(text, is_id);
    if found.is_empty() || matches!(pii, Pii::Raw) {
        return None;
    }
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for (place, what) in found {
        let value = &text[place.clone()];
        out.push_str(&text[at..place.start]);
        out.push_str(&match pii {
            Pii::Hash(key) => what.token(value, key),
            _ => what.masked(value),
        });
        at = place.end;
    }
    out.push_str(&text[at..]);
    Some(out)
}

type Found = (Range<usize>, Personal);

/// Every personal value of a text, in its order.
fn found(text: &str, is_id: bool) -> Vec<Found> {
    let mut found = mails(text);
    let mut add = |place: Range<usize>, what: Personal| {
        if found.iter().all(|(other, _)| place.end <= other.start || other.end <= place.start) {
            found.push((place, what));
        }
    };
    if !is_id {
        devices(text).into_iter().for_each(|place| add(place, Personal::Device));
    }
    for (place, address) in addresses(text) {
        add(place, Personal::Address(address));
    }
    found.sort_by_key(|(place, _)| place.start);
    found
}

fn mails(text: &str) -> Vec<Found> {
    let signs = text.match_indices('@').chain(text.match_indices("%40"));
    let mut found: Vec<Found> = Vec::new();
    for (at, sign) in signs {
        let local = |c: char| c.is_alphanumeric() || "._%+-'".contains(c);
        let domain = |c: char| c.is_alphanumeric() || ".-".contains(c);
        let start = text[..at].trim_end_matches(local).len();
        let after = at + sign.len();
        let length = text[after..].find(|c| !domain(c)).unwrap_or(text.len() - after);
        let end = after + text[after..after + length].trim_end_matches(['.', '-']).len();
        let top = text[after..end].rsplit_once('.').map_or("", |(_, top)| top);
        if start < at && top.chars().count() >= 2 && top.chars().all(char::is_alphabetic) {
            found.push((start..end, Personal::Mail));
        }
    }
    found.sort_by_key(|(place, _)| place.start);
    found.dedup_by(|later, earlier| later.0.start < earlier.0.end);
    found
}

/// Lengths of the groups of a device ID (GAID, IDFA, OAID): a UUID.
const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

fn devices(text: &str) -> Vec<Range<usize>> {
    let length = GROUPS.iter().sum::<usize>() + GROUPS.len() - 1;
    let (bytes, mut at, mut found) = (text.as_bytes(), 0, Vec::new());
    while at + length <= bytes.len() {
        if bytes[at + GROUPS[0]] == b'-' && is_uuid(&bytes[at..at + length]) {
            found.push(at..at + length);
            at += length;
        } else {
            at += 1;
        }
    }
    found
}

/// The zeroed ID is nobody's.
fn is_uuid(bytes: &[u8]) -> bool {
    let mut groups = bytes.split(|b| *b == b'-');
    let fits = GROUPS
        .iter()
        .all(|n| groups.next().is_some_and(|g| g.len() == *n && g.iter().all(u8::is_ascii_hexdigit)));
    fits && bytes.iter().any(|b| !b"0-".contains(b))
}

fn addresses(text: &str) -> Vec<(Range<usize>, IpAddr)> {
    let mut found = Vec::new();
    for place in runs(text, |b| b.is_ascii_hexdigit() || b == b':' || b == b'.') {
        let whole = &text[place.clone()];
        let ends = [whole, whole.trim_end_matches(['.', ':'])];
        let v6 = ends.iter().find_map(|run| Some((run.len(), run.parse::<Ipv6Addr>().ok()?)));
        match v6 {
            Some((_, Ipv6Addr::UNSPECIFIED)) => {}
            Some((length, v6)) => found.push((place.start..place.start + length, IpAddr::V6(v6))),
            None => found.extend(v4_in(text, place)),
        }
    }
    found.retain(|(place, address)| !is_network(&text[place.end..], *address));
    found.into_iter().map(|(place, address)| (place.start..with_prefix(text, place.end), address)).collect()
}

fn v4_in(text: &str, within: Range<usize>) -> Vec<(Range<usize>, IpAddr)> {
    let part = &text[within.clone()];
    let parsed = |place: Range<usize>| {
        let late = part[place.clone()].trim_start_matches('.');
        let (start, run) = (within.start + place.end - late.len(), late.trim_end_matches('.'));
        let address: Ipv4Addr = run.parse().ok()?;
        Some((start..start + run.len(), IpAddr::V4(address)))
    };
    runs(part, |b| b.is_ascii_digit() || b == b'.').into_iter().filter_map(parsed).collect()
}

/// The longest runs of these bytes, all of them ASCII.
fn runs(text: &str, wanted: impl Fn(u8) -> bool) -> Vec<Range<usize>> {
    let (bytes, mut at, mut found) = (text.as_bytes(), 0, Vec::new());
    while at < bytes.len() {
        let length = bytes[at..].iter().take_while(|b| wanted(**b)).count();
        if length > 0 {
            found.push(at..at + length);
        }
        at += length.max(1);
    }
    found
}

/// The number behind `/`, if there is one.
fn prefix(rest: &str) -> Option<(u8, usize)> {
    let digits = rest.strip_prefix('/')?.bytes().take_while(u8::is_ascii_digit).count();
    Some((rest[1..=digits].parse().ok()?, 1 + digits))
}

/// Whether an address with this behind it is a network already, as wide as a masked one.
fn is_network(rest: &str, address: IpAddr) -> bool {
    let widest = if address.is_ipv4() { 24 } else { 48 };
    prefix(rest).is_some_and(|(bits, _)| bits <= widest)
}

fn with_prefix(text: &str, end: usize) -> usize {
    end + prefix(&text[end..]).map_or(0, |(_, length)| length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let masked = covered(text, &Pii::Mask, false);
        assert_eq!(masked.as_deref().unwrap_or(text), expected);
        assert_eq!(covered(expected, &Pii::Mask, false), None, "masked twice");
    }

    #[test]
    fn addresses_are_cut_to_their_network() {
        check("203.0.113.77", "203.0.113.0/24");
        check("ip_203.0.113.77_x", "ip_203.0.113.0/24_x");
        check("203.0.113.77:8080", "203.0.113.0/24:8080");
        check("203.0.113.77/32", "203.0.113.0/24");
        check("203.0.113.0/24", "203.0.113.0/24");
        check("2001:db8:aa:bb::1", "2001:db8:aa::/48");
        check("[2001:db8:aa:bb::1]:443", "[2001:db8:aa::/48]:443");
        check("::ffff:203.0.113.77", "203.0.113.0/24");
        check("a 203.0.113.77, b 198.51.100.9.", "a 203.0.113.0/24, b 198.51.100.0/24.");
        for other in
            ["1.2.3", "1.2.3.4.5", "12:30:45", "2026-03-09T12:30:45", "10032", "1.204,50", "::", "a.b"]
        {
            check(other, other);
        }
    }

    #[test]
    fn mail_addresses_are_dropped() {
        check("jane.doe+x@example.com", "[e-mail]");
        check("sub=jane%40example.co.uk&x=1", "sub=[e-mail]&x=1");
        check("<jane@example.com>, <joe@example.org>.", "<[e-mail]>, <[e-mail]>.");
        check("user@203.0.113.77", "user@203.0.113.0/24");
        for other in ["@SUM(A1)", "a@b", "@here", "x@"] {
            check(other, other);
        }
    }

    #[test]
    fn device_ids_are_cut_except_where_they_number_clicks() {
        let device = "AEBE52E7-03EE-455A-B3C4-E57283966239";
        check(device, "AEBE52E7-…");
        check(&format!("gaid_{device}_1"), "gaid_AEBE52E7-…_1");
        check("00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000000");
        assert_eq!(covered(device, &Pii::Mask, true), None);
        assert_eq!(covered("jane@example.com", &Pii::Mask, true).as_deref(), Some("[e-mail]"));
    }

    #[test]
    fn tokens_are_stable_and_depend_on_the_key() {
        let of = |byte, text: &str| covered(text, &Pii::Hash(Key::new([byte; Key::LENGTH])), false).unwrap();
        assert_eq!(of(1, "203.0.113.77"), of(1, "::ffff:203.0.113.77"));
        assert_eq!(of(1, "Jane@Example.com"), of(1, "jane%40example.com"));
        assert_ne!(of(1, "203.0.113.77"), of(2, "203.0.113.77"));
        let token = of(1, "203.0.113.77");
        assert!(token.starts_with("ip-") && token.len() == 3 + TOKEN, "{token}");
        assert_eq!(covered("203.0.113.77", &Pii::Raw, false), None);
        assert_eq!(format!("{:?}", Key::new([7; Key::LENGTH])), "Key(..)");
    }

    proptest! {
        #[test]
        fn no_address_stays(text in "\\PC{0,20}", v4 in any::<u32>(), v6 in any::<u128>(), v6_too in any::<bool>()) {
            let address = if v6_too { IpAddr::V6(v6.into()) } else { IpAddr::V4(v4.into()) };
            let whole = format!("{text} {address} {text}");
            let masked = covered(&whole, &Pii::Mask, false).unwrap_or_default();
            let cut = format!(" {} ", network(address));
            prop_assert!(v6_too && v6 == 0 || masked.contains(&cut), "{}", masked);
        }

        #[test]
        fn any_text_can_be_covered(text in any::<String>()) {
            let _ = covered(&text, &Pii::Mask, false);
        }
    }
}
