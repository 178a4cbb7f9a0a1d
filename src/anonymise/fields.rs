//! What becomes of a field, by the column that it is: a table over the canonical columns.
//!
//! A column that nothing is mapped to may hold anything, so it is treated like an ID. Refuses to trust a column:
//! what looks personal in a field that would stay is replaced as well.

use super::keyed::Secret;
use crate::base::column::{COLUMNS, Col, Kind};
use crate::base::privacy::{Pii, Role, covered};
use crate::ingest::{Enrichment, SideMapping, address, is_null, is_unexpanded_macro};
use std::collections::HashMap;
use std::net::IpAddr;

/// What is done to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// It stays: times, words of a closed set, numbers that are no amount.
    Keep,
    /// Another one of the same shape.
    Id,
    /// Another address of a network that goes with it.
    Address,
    /// Letters and digits are replaced behind the scheme.
    Link,
    /// Multiplied by the secret factor, where that is asked for.
    Amount,
    UserAgent,
    /// Nothing is mapped to it.
    Unknown,
    /// The user wants it to stay as it is.
    Untouched,
    /// The user wants it to be empty.
    Empty,
}

/// What becomes of user agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserAgents {
    Keep,
    /// Only the program and the system stay.
    Bucket,
}

/// Columns of text that stay, because rules and peers need them and they name nobody.
const KEPT: [Col; 20] = [
    Col::Format,
    Col::Model,
    Col::HitType,
    Col::Country,
    Col::ClickCountry,
    Col::Device,
    Col::Os,
    Col::Browser,
    Col::Language,
    Col::Connection,
    Col::Asn,
    Col::UaFamily,
    Col::Currency,
    Col::ClickStatus,
    Col::Event,
    Col::Status,
    Col::RejectReason,
    Col::FraudReason,
    Col::FiredBy,
    Col::Token,
];

/// What becomes of a mapped column.
pub fn treatment(col: Col) -> Treatment {
    let column = COLUMNS.iter().find(|c| c.id == col).expect("every column is in the table");
    match (col, column.kind) {
        (Col::Ip | Col::PostbackIp, _) => Treatment::Address,
        (Col::UserAgent, _) => Treatment::UserAgent,
        (Col::Referrer | Col::Lander, _) => Treatment::Link,
        (Col::Signature, _) => Treatment::Keep,
        (_, Kind::Money) => Treatment::Amount,
        (_, Kind::Time | Kind::Count | Kind::Flag) => Treatment::Keep,
        (col, Kind::Text | Kind::Key) if KEPT.contains(&col) => Treatment::Keep,
        _ => Treatment::Id,
    }
}

/// What is done to all fields of a run.
pub struct Masker {
    pub secret: Secret,
    /// The factor of amounts, where they are scaled.
    pub factor: Option<f64>,
    pub user_agents: UserAgents,
    /// Values met before; most IDs but those of clicks stand in many rows.
    met: HashMap<(u8, String), String>,
}

/// So many values are remembered.
const MOST_MET: usize = 500_000;

impl Masker {
    /// A masker that has met nothing yet.
    pub fn new(secret: Secret, scale: bool, user_agents: UserAgents) -> Masker {
        let factor = scale.then(|| secret.factor());
        Masker { secret, factor, user_agents, met: HashMap::new() }
    }

    /// What stands in a field afterwards.
    pub fn masked(&mut self, treatment: Treatment, text: &str, side: &SideMapping) -> String {
        let inner = text.trim();
        let nothing =
            inner.is_empty() || is_null(inner.as_bytes(), side) || is_unexpanded_macro(inner.as_bytes());
        match treatment {
            Treatment::Empty => String::new(),
            Treatment::Untouched => text.to_owned(),
            _ if nothing => text.to_owned(),
            Treatment::Keep if covered(text, &Pii::Mask, Role::Text).is_none() => text.to_owned(),
            Treatment::Amount => self.amount(text, side),
            treatment => self.remembered(treatment, text),
        }
    }

    fn remembered(&mut self, treatment: Treatment, text: &str) -> String {
        let key = (treatment as u8, text.to_owned());
        if let Some(known) = self.met.get(&key) {
            return known.clone();
        }
        let masked = match treatment {
            Treatment::Link => self.link(text),
            Treatment::UserAgent if self.user_agents == UserAgents::Keep => text.to_owned(),
            Treatment::UserAgent => bucket(text),
            _ => self.value(text),
        };
        if self.met.len() < MOST_MET {
            self.met.insert(key, masked.clone());
        }
        masked
    }

    /// An address becomes an address, a time stays, and anything else becomes another text of its shape.
    fn value(&self, text: &str) -> String {
        match address(text.as_bytes()) {
            Some(address) => framed(text, &self.written(address, text)),
            None if is_time(text.trim()) => text.to_owned(),
            None => self.secret.id(text),
        }
    }

    fn written(&self, address: IpAddr, text: &str) -> String {
        let other = self.secret.address(address);
        match (other, text.contains(':')) {
            // An IPv4 address written as IPv6 stays written so.
            (IpAddr::V4(v4), true) => v4.to_ipv6_mapped().to_string(),
            _ => other.to_string(),
        }
    }

    fn link(&self, text: &str) -> String {
        let schemes = ["https://www.", "http://www.", "https://", "http://"];
        let scheme = schemes.iter().find(|scheme| text.starts_with(**scheme)).map_or("", |scheme| scheme);
        format!("{scheme}{}", self.secret.id(&text[scheme.len()..]))
    }

    /// The number in an amount times the factor, with as many decimals; marks around it stay.
    fn amount(&self, text: &str, side: &SideMapping) -> String {
        let Some(factor) = self.factor else { return text.to_owned() };
        let is_part = |c: char| {
            c.is_ascii_digit()
                || c == char::from(side.decimal)
                || side.thousands.is_some_and(|t| c == char::from(t))
        };
        let digit = |c: char| c.is_ascii_digit();
        let (Some(from), Some(to)) = (text.find(is_part), text.rfind(digit)) else { return text.to_owned() };
        let number = &text[from..=to];
        if !number.chars().all(is_part) {
            return self.secret.id(text);
        }
        let scaled = scaled(number, factor, side);
        format!("{}{scaled}{}", &text[..from], &text[to + 1..])
    }
}

/// The spaces around a text, around another one.
fn framed(text: &str, inner: &str) -> String {
    let before = text.len() - text.trim_start().len();
    let after = text.trim_end().len();
    format!("{}{inner}{}", &text[..before], &text[after..])
}

/// Significant digits that a scaled amount keeps, where it has decimals.
const DIGITS: i32 = 3;

fn scaled(number: &str, factor: f64, side: &SideMapping) -> String {
    let plain: String = number
        .chars()
        .filter(|c| side.thousands.is_none_or(|t| *c != char::from(t)))
        .map(|c| if c == char::from(side.decimal) { '.' } else { c })
        .collect();
    let Ok(value) = plain.parse::<f64>() else { return number.to_owned() };
    if value == 0.0 {
        return number.to_owned();
    }
    let decimals = plain.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let product = value * factor;
    let needed = (DIGITS - 1 - product.abs().log10().floor() as i32).max(0) as usize;
    let decimals = if decimals == 0 { 0 } else { decimals.max(needed.min(9)) };
    let text = format!("{product:.decimals$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let grouped = match side.thousands.filter(|t| number.contains(char::from(*t))) {
        None => whole.to_owned(),
        Some(mark) => grouped(whole, char::from(mark)),
    };
    if fraction.is_empty() { grouped } else { format!("{grouped}{}{fraction}", char::from(side.decimal)) }
}

fn grouped(whole: &str, mark: char) -> String {
    let mut out = String::new();
    for (at, c) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(mark);
        }
        out.push(c);
    }
    out
}

/// A point in time: digits where a date has them, and nothing but marks between.
fn is_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let date = bytes.len() >= 10
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && matches!(bytes[4], b'-' | b'/' | b'.')
        && bytes[4] == bytes[7]
        && bytes[5..7].iter().chain(&bytes[8..10]).all(u8::is_ascii_digit);
    let rest = bytes.get(10..).unwrap_or_default();
    date && rest.len() <= 22 && rest.iter().all(|b| b.is_ascii_digit() || b" :.+-TZ".contains(b))
}

/// The program and the system of a user agent, and no version or device.
fn bucket(text: &str) -> String {
    let agent = Enrichment::default().agents().of(text.as_bytes());
    let word = |word: Option<&str>| word.unwrap_or("other").replace(' ', "");
    match (agent.family, agent.os) {
        (None, None) => "other".to_owned(),
        (family, os) => format!("{} ({})", word(family), word(os)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::{Mapping, Shape};

    fn masker(scale: bool) -> Masker {
        Masker::new(Secret::new(&[9; 32]), scale, UserAgents::Bucket)
    }

    fn side() -> SideMapping {
        Mapping::build(None, None).expect("the generic preset").side(Shape::Clicks).clone()
    }

    #[test]
    fn every_column_has_a_treatment_and_personal_ones_do_not_stay() {
        for column in COLUMNS {
            let stays = treatment(column.id) == Treatment::Keep;
            assert!(!stays || column.kind != Kind::Key || column.id == Col::Asn, "{} stays", column.name);
        }
        for col in
            [Col::ClickId, Col::Source, Col::PlayerId, Col::Campaign, Col::Keyword, Col::City, Col::Coupon]
        {
            assert_eq!(treatment(col), Treatment::Id, "{col}");
        }
    }

    #[test]
    fn nothing_stays_nothing() {
        let (mut masker, side) = (masker(true), side());
        for text in ["", " ", "{clickid}", "null"] {
            assert_eq!(masker.masked(Treatment::Id, text, &side), text);
        }
        assert_eq!(masker.masked(Treatment::Empty, "x", &side), "");
        assert_eq!(masker.masked(Treatment::Untouched, "x", &side), "x");
    }

    #[test]
    fn what_is_personal_does_not_stay_in_any_column() {
        let (mut masker, side) = (masker(false), side());
        assert_eq!(masker.masked(Treatment::Keep, "approved", &side), "approved");
        for text in ["anna@example.com", "rejected: 192.0.2.7"] {
            assert_ne!(masker.masked(Treatment::Keep, text, &side), text);
        }
        let address = masker.masked(Treatment::Unknown, "192.0.2.7", &side);
        assert!(address != "192.0.2.7" && address.parse::<IpAddr>().is_ok(), "{address}");
        assert_eq!(masker.masked(Treatment::Unknown, "2026-03-02 10:11:12", &side), "2026-03-02 10:11:12");
        assert_ne!(masker.masked(Treatment::Unknown, "+49 170 1234567", &side), "+49 170 1234567");
    }

    #[test]
    fn amounts_are_scaled_in_their_format() {
        let side = side();
        let check = |text: &str, expected: &str| {
            let masker = Masker { factor: Some(1.5), ..masker(false) };
            assert_eq!(masker.amount(text, &side), expected, "{text}");
        };
        check("12.00", "18.00");
        check("-0.10", "-0.150");
        check("0.0003", "0.000450");
        check("$ 8", "$ 12");
        check("0.00", "0.00");
        check("(4.00) USD", "(6.00) USD");
        let plain = Masker { factor: None, ..masker(false) };
        assert_eq!(plain.amount("12.00", &side), "12.00");
    }

    #[test]
    fn links_keep_their_scheme_and_agents_their_kind() {
        let (mut masker, side) = (masker(false), side());
        let link = masker.masked(Treatment::Link, "https://www.shop.example/a?id=7", &side);
        assert!(link.starts_with("https://www.") && !link.contains("shop"), "{link}");
        let chrome = "Mozilla/5.0 (Linux; Android 14; SM-A536B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.6099.43 Mobile Safari/537.36";
        let bucket = masker.masked(Treatment::UserAgent, chrome, &side);
        assert!(bucket.contains("Android") && !bucket.contains("SM-A536B"), "{bucket}");
    }
}
