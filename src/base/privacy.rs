//! What in a text belongs to a person, and what stands in its place in an output.
//!
//! Addresses, e-mail addresses, device IDs and telephone numbers are looked for anywhere in a text, whatever column
//! it came from: a sub ID may carry what a tracking link was filled with. What a parameter says of itself
//! (`player_id=77`) is believed. Hashing is pseudonymisation, no anonymisation: who has the key can try all
//! addresses. Names of people, and numbers of any form that nothing marks as theirs, are not recognised here: the
//! bare digits of a national telephone number or of a player have the form of a zone's ID, and a masked zone can be
//! neither read nor blocked. Columns that are not mapped never reach an output. A text is looked through once, however long it is.

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

    /// The bytes, for another use of the same kind.
    pub fn bytes(&self) -> &[u8; Key::LENGTH] {
        &self.0
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
    /// An address with dashes in place of its dots, as names of hosts have it.
    Dashed(IpAddr),
    /// A UUID: GAID, IDFA, OAID.
    Device,
    /// Sixteen hexadecimal digits, as an Android ID has.
    Android,
    /// Fifteen digits with the check digit and the beginning of an IMEI.
    Imei,
    Phone,
    /// Digits as people write a national telephone number.
    National,
    /// What a parameter calls the ID of a device or of a person.
    Named,
}

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Any text.
    Text,
    /// The ID of a click or a transaction: many systems number these in forms that devices' IDs have.
    Id,
    /// The name of a group that has far more clicks than a device: as a whole it is no bare number of one.
    Name,
}

impl Role {
    /// Whether what looks like this is meant.
    fn means(self, what: Personal, whole: bool) -> bool {
        let bare =
            matches!(what, Personal::Android | Personal::Imei | Personal::National | Personal::Dashed(_));
        match self {
            Role::Text => true,
            Role::Id => !(bare || matches!(what, Personal::Device | Personal::Named)),
            Role::Name => !(bare && whole),
        }
    }
}

impl Personal {
    fn masked(self, text: &str) -> String {
        match self {
            Personal::Mail => "[e-mail]".to_owned(),
            Personal::Address(address) | Personal::Dashed(address) => network(address),
            Personal::Device => format!("{}-…", &text[..8]),
            Personal::Android => format!("{}…", &text[..6]),
            Personal::Imei => format!("{}…", &text[..8]),
            Personal::Phone | Personal::National => "[phone]".to_owned(),
            Personal::Named => "[id]".to_owned(),
        }
    }

    fn token(self, text: &str, key: &Key) -> String {
        let (kind, value) = match self {
            Personal::Mail => ("mail", text.to_lowercase().replace("%40", "@")),
            Personal::Address(address) | Personal::Dashed(address) => {
                ("ip", address.to_canonical().to_string())
            }
            Personal::Device | Personal::Android | Personal::Imei => ("device", text.to_ascii_lowercase()),
            Personal::Phone | Personal::National => {
                ("phone", text.chars().filter(char::is_ascii_digit).collect())
            }
            Personal::Named => ("id", text.to_owned()),
        };
        let digest = blake3::keyed_hash(&key.0, value.as_bytes()).to_hex();
        format!("{kind}-{}", &digest[..TOKEN])
    }
}

/// The /24 or /48 of an address.
pub fn network(address: IpAddr) -> String {
    shown(&neighbourhood(address))
}

/// The text with everything personal in it covered; `None` where there is nothing of that kind.
pub fn covered(text: &str, pii: &Pii, role: Role) -> Option<String> {
    if matches!(pii, Pii::Raw) {
        return None;
    }
    let found = found(text, role);
    if found.is_empty() {
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
fn found(text: &str, role: Role) -> Vec<Found> {
    let of_kind = |kind: fn(&str) -> Vec<Found>| {
        let mut of_kind = kind(text);
        of_kind.retain(|(place, what)| role.means(*what, place.len() == text.len()));
        of_kind
    };
    let address = |text: &str| {
        addresses(text).into_iter().map(|(place, found)| (place, Personal::Address(found))).collect()
    };
    let kinds: [fn(&str) -> Vec<Found>; 8] =
        [mails, named, devices, address, phones, national, numbers, dashed];
    kinds.into_iter().fold(Vec::new(), |found, kind| merged(found, of_kind(kind)))
}

/// Both lists in order, without what of the second lies in the first.
fn merged(first: Vec<Found>, second: Vec<Found>) -> Vec<Found> {
    if first.is_empty() || second.is_empty() {
        return if first.is_empty() { second } else { first };
    }
    let (mut all, mut rest) = (Vec::with_capacity(first.len() + second.len()), first.into_iter().peekable());
    for (place, what) in second {
        while let Some(earlier) = rest.next_if(|(other, _)| other.end <= place.start) {
            all.push(earlier);
        }
        let before = all.last().map_or(0, |(other, _): &Found| other.end);
        let after = rest.peek().map_or(usize::MAX, |(other, _)| other.start);
        if before <= place.start && place.end <= after {
            all.push((place, what));
        }
    }
    all.extend(rest);
    all
}

/// The most characters that an address has before its sign and behind it (RFC 5321).
const LOCAL: usize = 64;
const DOMAIN: usize = 255;

fn mails(text: &str) -> Vec<Found> {
    let signs = text.match_indices('@').chain(text.match_indices("%40"));
    let mut found: Vec<Found> =
        signs.filter_map(|(at, sign)| Some((mail(text, at, sign)?, Personal::Mail))).collect();
    found.sort_by_key(|(place, _)| place.start);
    found.dedup_by(|later, earlier| later.0.start < earlier.0.end);
    found
}

/// The address around a sign at `at`.
fn mail(text: &str, at: usize, sign: &str) -> Option<Range<usize>> {
    let local = |c: char| c.is_alphanumeric() || "._%+-'".contains(c);
    let domain = |c: char| c.is_alphanumeric() || ".-".contains(c);
    let before = text[..at].char_indices().rev().take(LOCAL).take_while(|(_, c)| local(*c));
    let start = before.last()?.0;
    let after = at + sign.len();
    let behind = text[after..].char_indices().take(DOMAIN).take_while(|(_, c)| domain(*c));
    let length = behind.last().map_or(0, |(at, c)| at + c.len_utf8());
    let end = after + text[after..after + length].trim_end_matches(['.', '-']).len();
    let top = text[after..end].rsplit_once('.').map_or("", |(_, top)| top);
    (top.chars().count() >= 2 && top.chars().all(char::is_alphabetic)).then_some(start..end)
}

/// Names of parameters that carry the ID of a device or a person.
const NAMED: &[&str] = &[
    "advertising_id",
    "aifa",
    "android_id",
    "androidid",
    "customer_id",
    "device_id",
    "deviceid",
    "gaid",
    "idfa",
    "idfv",
    "imei",
    "oaid",
    "player_id",
    "playerid",
];
/// Names of parameters that carry a telephone number.
const CALLED: &[&str] = &["msisdn", "phone", "tel"];
/// The least characters of an ID that a parameter names: fewer are a word.
const SHORTEST: usize = 4;

/// Values that a parameter calls personal: `gaid=…`, `player_id: …`.
fn named(text: &str) -> Vec<Found> {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let bytes = text.as_bytes();
    let mut found: Vec<Found> = Vec::new();
    for (at, sign) in text.match_indices(['=', ':']) {
        let name = bytes[..at].iter().rev().take(20).take_while(|b| word(**b)).count();
        let name = text[at - name..at].to_ascii_lowercase();
        let phone = CALLED.contains(&name.as_str());
        if !phone && !NAMED.contains(&name.as_str()) {
            continue;
        }
        let after = at + sign.len();
        let start = after + text[after..].len() - text[after..].trim_start_matches(' ').len();
        let mark = |b: u8| b"-_.+".contains(&b);
        let length = bytes[start..].iter().take_while(|b| word(**b) || mark(**b)).count();
        let digits = bytes[start..start + length].iter().filter(|b| b.is_ascii_digit()).count();
        if length >= SHORTEST && digits > 0 {
            found.push((start..start + length, if phone { Personal::Phone } else { Personal::Named }));
        }
    }
    found.dedup_by(|later, earlier| later.0.start < earlier.0.end);
    found
}

/// Digits of a telephone number (E.164), behind its country's.
const PHONE: std::ops::RangeInclusive<usize> = 8..=15;

/// Telephone numbers with the sign of an international one.
fn phones(text: &str) -> Vec<Found> {
    let bytes = text.as_bytes();
    let part = |b: u8| b.is_ascii_digit() || b" -().".contains(&b);
    let signs = text.match_indices('+').chain(text.match_indices("%2B")).chain(text.match_indices("%2b"));
    let phone = |(at, sign): (usize, &str)| {
        let inside = at > 0 && bytes[at - 1].is_ascii_alphanumeric();
        let after = at + sign.len();
        let run = bytes[after..].iter().take(PHONE.end() * 2).take_while(|b| part(**b)).count();
        let run = text[after..after + run].trim_end_matches(|c: char| !c.is_ascii_digit()).len();
        let digits = bytes[after..after + run].iter().filter(|b| b.is_ascii_digit()).count();
        let begins = bytes.get(after).is_some_and(|b| b.is_ascii_digit() || *b == b'(');
        let ends = bytes.get(after + run).is_none_or(|b| !b.is_ascii_alphanumeric());
        (begins && ends && !inside && PHONE.contains(&digits)).then_some((at..after + run, Personal::Phone))
    };
    let mut found: Vec<Found> = signs.filter_map(phone).collect();
    found.sort_by_key(|(place, _)| place.start);
    found.dedup_by(|later, earlier| later.0.start < earlier.0.end);
    found
}

/// Digits of a national telephone number with its area code, and of what stands before and behind the latter's end.
const NATIONAL: std::ops::RangeInclusive<usize> = 9..=12;
const AREA: std::ops::RangeInclusive<usize> = 2..=5;
const SUBSCRIBER: usize = 6;

/// National telephone numbers that are written for people: an area code in brackets, `(202) 555-0143`, or one that
/// begins with the trunk prefix 0 (ITU-T E.123) and has a sign behind it, `0170-1234567`. Three digits at least before
/// the sign are no day, month or year.
fn national(text: &str) -> Vec<Found> {
    let (bytes, mut at, mut found) = (text.as_bytes(), 0, Vec::new());
    while at < bytes.len() {
        let inside = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || b".-/:+".contains(&bytes[at - 1]));
        let length = if inside { None } else { national_at(&bytes[at..]) };
        found.extend(length.map(|length| (at..at + length, Personal::National)));
        at += length.unwrap_or(1);
    }
    found
}

fn national_at(bytes: &[u8]) -> Option<usize> {
    let digits = |bytes: &[u8]| bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    let bracket = usize::from(bytes[0] == b'(');
    let area = digits(&bytes[bracket..]);
    let begins = if bracket == 1 {
        bytes.get(bracket + area) == Some(&b')')
    } else {
        bytes[0] == b'0' && area > *AREA.start() && bytes.get(area).is_some_and(|b| b" -/".contains(b))
    };
    if !begins || !AREA.contains(&area) {
        return None;
    }
    let rest = bracket + area + 1;
    let part = |b: u8| b.is_ascii_digit() || b" -".contains(&b);
    let run = bytes[rest..].iter().take(2 * NATIONAL.end()).take_while(|b| part(**b)).count();
    let run = bytes[rest..rest + run].iter().rposition(u8::is_ascii_digit)? + 1;
    let subscriber = bytes[rest..rest + run].iter().filter(|b| b.is_ascii_digit()).count();
    let ends = bytes.get(rest + run).is_none_or(|b| !(b.is_ascii_alphanumeric() || b":/".contains(b)));
    (ends && subscriber >= SUBSCRIBER && NATIONAL.contains(&(area + subscriber))).then_some(rest + run)
}

/// Digits of an Android ID and of an IMEI, and how the latter begin: by the bodies that give them out.
const ANDROID: usize = 16;
const IMEI: usize = 15;
const IMEI_BEGINS: &[&str] = &["01", "35", "86", "99"];

/// IDs of devices that stand alone: nothing but their form tells them.
fn numbers(text: &str) -> Vec<Found> {
    let runs = runs(text, |b| b.is_ascii_alphanumeric());
    let of_run = |place: Range<usize>| {
        let run = text[place.clone()].as_bytes();
        let hex = run.iter().all(u8::is_ascii_hexdigit);
        let digits = run.iter().filter(|b| b.is_ascii_digit()).count();
        let imei =
            || digits == IMEI && IMEI_BEGINS.iter().any(|b| text[place.clone()].starts_with(b)) && luhn(run);
        match run.len() {
            ANDROID if hex && digits > 0 && digits < ANDROID => Some((place, Personal::Android)),
            IMEI if imei() => Some((place, Personal::Imei)),
            _ => None,
        }
    };
    runs.into_iter().filter_map(of_run).collect()
}

/// Whether the last digit is the check digit of the others (ISO/IEC 7812-1).
fn luhn(digits: &[u8]) -> bool {
    let digit = |(at, b): (usize, &u8)| {
        let value = u32::from(b - b'0') * if at % 2 == 1 { 2 } else { 1 };
        value / 10 + value % 10
    };
    digits.iter().rev().enumerate().map(digit).sum::<u32>() % 10 == 0
}

/// Lengths of the groups of a device ID (GAID, IDFA, OAID): a UUID.
const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

fn devices(text: &str) -> Vec<Found> {
    let length = GROUPS.iter().sum::<usize>() + GROUPS.len() - 1;
    let (bytes, mut at, mut found) = (text.as_bytes(), 0, Vec::new());
    while at + length <= bytes.len() {
        if bytes[at + GROUPS[0]] == b'-' && is_uuid(&bytes[at..at + length]) {
            found.push((at..at + length, Personal::Device));
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

/// `203-0-113-78`, as providers name the hosts of their customers. One of the numbers has three digits, which none of
/// a day or a time has; the numbers of a campaign, a zone and so on may look like it.
fn dashed(text: &str) -> Vec<Found> {
    let bytes = text.as_bytes();
    let letter = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphanumeric);
    let of_run = |place: Range<usize>| {
        let run = text[place.clone()].trim_matches('-');
        let start = place.start + text[place.clone()].len() - text[place].trim_start_matches('-').len();
        let end = start + run.len();
        let inside = start > 0 && letter(start - 1) || letter(end);
        let long = run.split('-').any(|number| number.len() == 3);
        let address: Ipv4Addr = run.replace('-', ".").parse().ok().filter(|_| long && !inside)?;
        (address.octets()[0] > 0).then_some((start..end, Personal::Dashed(IpAddr::V4(address))))
    };
    runs(text, |b| b.is_ascii_digit() || b == b'-').into_iter().filter_map(of_run).collect()
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
        let masked = covered(text, &Pii::Mask, Role::Text);
        assert_eq!(masked.as_deref().unwrap_or(text), expected);
        assert_eq!(covered(expected, &Pii::Mask, Role::Text), None, "masked twice");
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
    fn addresses_with_dashes_are_cut_unless_they_name_a_large_group() {
        check("203-0-113-78", "203.0.113.0/24");
        check("host-203-0-113-78.example.net", "host-203.0.113.0/24.example.net");
        check("ip 85-214-7-9, x", "ip 85.214.7.0/24, x");
        for other in
            ["10-12-20-26", "203-0-113", "203-0-113-78-9", "203-0-113-278", "x203-0-113-78", "0-100-1-1"]
        {
            check(other, other);
        }
        assert_eq!(covered("203-0-113-78", &Pii::Mask, Role::Name), None, "a zone's ID");
        assert!(covered("host-203-0-113-78", &Pii::Mask, Role::Name).is_some());
        assert_eq!(covered("203-0-113-78", &Pii::Mask, Role::Id), None, "a click's ID");
        let key = Pii::Hash(Key::new([7; Key::LENGTH]));
        let token = |text: &str| covered(text, &key, Role::Text);
        assert_eq!(token("203-0-113-78"), token("203.0.113.78"));
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
        assert_eq!(covered(device, &Pii::Mask, Role::Id), None);
        assert_eq!(covered("jane@example.com", &Pii::Mask, Role::Id).as_deref(), Some("[e-mail]"));
    }

    #[test]
    fn numbers_of_devices_and_people_are_cut() {
        check("9774d56d682e549c", "9774d5…");
        check("sub_9774D56D682E549C.x", "sub_9774D5….x");
        check("490154203237518 356938035643809", "490154203237518 35693803…");
        check("+49 (170) 123-45 67, +12025550143", "[phone], [phone]");
        check("call%2B441632960961!", "call%2B441632960961!");
        check("to=%2B441632960961!", "to=[phone]!");
        check("tel:0170-1234567&player_id=77001&gaid=none", "tel:[phone]&player_id=[id]&gaid=none");
        check("idfa: aebe52e703ee455ab3c4e57283966239;", "idfa: [id];");
        for other in [
            "0123456789012345",
            "abcdefabcdefabcd",
            "9774d56d682e549",
            "9774d56d682e549c0",
            "356938035643808",
            "1+12345678",
            "+1+1",
            "+1234567",
            "2026-03-09T12:30:45+01:00",
            "player_id={id}",
            "id=12345678",
        ] {
            check(other, other);
        }
    }

    #[test]
    fn national_telephone_numbers_are_told_by_the_way_they_are_written() {
        check("(202) 555-0143", "[phone]");
        check("sub (030) 901820-00, 0170-1234567.", "sub [phone], [phone].");
        check("0170/1234567, 020 7946 0958", "[phone], [phone]");
        for other in [
            "2025550143",
            "01701234567",
            "202-555-0143",
            "123-456-7890",
            "03-04-2026 12:00",
            "0170-1234567x",
            "x0170-1234567",
            "1.0170-1234567",
            "(12) 34",
            "(1234567)",
            "0123-4567-8901-2345",
            "000-000",
        ] {
            check(other, other);
        }
        assert_eq!(covered("0170-1234567", &Pii::Mask, Role::Id), None, "a transaction's ID");
        assert_eq!(covered("0170-1234567", &Pii::Mask, Role::Name), None, "a zone's ID");
        assert!(covered("x 0170-1234567", &Pii::Mask, Role::Name).is_some());
    }

    #[test]
    fn a_name_with_many_clicks_is_no_bare_number_of_a_device() {
        let as_name = |text: &str| covered(text, &Pii::Mask, Role::Name);
        assert_eq!((as_name("9774d56d682e549c"), as_name("356938035643809")), (None, None));
        assert_eq!(as_name("x 9774d56d682e549c").as_deref(), Some("x 9774d5…"));
        assert_eq!(as_name("203.0.113.77").as_deref(), Some("203.0.113.0/24"));
        assert_eq!(covered("9774d56d682e549c gaid=12345", &Pii::Mask, Role::Id), None);
    }

    #[test]
    fn a_long_text_is_looked_through_once() {
        for piece in [
            "1.1.1.1 ",
            "%40",
            "a@b.cd ",
            "@",
            "+4917012345678 ",
            "gaid=1234 ",
            ":",
            "-",
            "2001:db8::1 ",
            "(",
            "(0 ",
            "012 ",
        ] {
            let text = piece.repeat((1 << 20) / piece.len());
            let shown = covered(&text, &Pii::Mask, Role::Text).unwrap_or(text);
            assert!(shown.len() > 1 << 16, "{piece}");
        }
    }

    #[test]
    fn tokens_are_stable_and_depend_on_the_key() {
        let of =
            |byte, text: &str| covered(text, &Pii::Hash(Key::new([byte; Key::LENGTH])), Role::Text).unwrap();
        assert_eq!(of(1, "203.0.113.77"), of(1, "::ffff:203.0.113.77"));
        assert_eq!(of(1, "Jane@Example.com"), of(1, "jane%40example.com"));
        assert_ne!(of(1, "203.0.113.77"), of(2, "203.0.113.77"));
        let token = of(1, "203.0.113.77");
        assert!(token.starts_with("ip-") && token.len() == 3 + TOKEN, "{token}");
        assert_eq!(covered("203.0.113.77", &Pii::Raw, Role::Text), None);
        assert_eq!(format!("{:?}", Key::new([7; Key::LENGTH])), "Key(..)");
    }

    proptest! {
        #[test]
        fn no_address_stays(text in "\\PC{0,20}", v4 in any::<u32>(), v6 in any::<u128>(), v6_too in any::<bool>()) {
            let address = if v6_too { IpAddr::V6(v6.into()) } else { IpAddr::V4(v4.into()) };
            let whole = format!("{text} {address} {text}");
            let masked = covered(&whole, &Pii::Mask, Role::Text).unwrap_or_default();
            let cut = format!(" {} ", network(address));
            prop_assert!(v6_too && v6 == 0 || masked.contains(&cut), "{}", masked);
        }

        #[test]
        fn any_text_can_be_covered(text in any::<String>()) {
            let _ = covered(&text, &Pii::Mask, Role::Text);
        }
    }
}
