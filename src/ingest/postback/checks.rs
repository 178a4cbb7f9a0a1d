//! Who sent a postback, and whether it is his: sender lists, tokens, signatures.
//!
//! Secrets come from files, are compared in a time that does not depend on them, and are never shown: a
//! [`Secret`] has neither `Debug` nor `Display`.

use super::query::{pair, parts};
use crate::base::error::{Error, Result, read_small};
use crate::base::networks::Network;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::net::IpAddr;
use std::path::Path;

/// What a token may come to, in the words of the column.
pub const TOKEN_WORDS: [&str; 3] = ["right", "missing", "wrong"];

/// What a signature may come to, in the words of the column.
pub const SIGNATURE_WORDS: [&str; 3] = ["valid", "missing", "forged"];

/// A secret of the user's.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The content of a file, without the line end behind it.
    ///
    /// # Errors
    /// It cannot be read, or says nothing.
    pub fn read(path: &Path) -> Result<Secret> {
        let text = read_small(path, "secret file")?;
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(Error::usage(format!("the secret file {} is empty", path.display()))
                .help("it must hold the secret and nothing else"));
        }
        Ok(Secret(text.as_bytes().to_vec()))
    }

    /// Whether a text is the secret.
    fn is(&self, text: &[u8]) -> bool {
        let differ = self.0.iter().zip(text).fold(0, |differ, (a, b)| differ | (a ^ b));
        self.0.len() == text.len() && differ == 0
    }

    /// Whether a signature is HMAC-SHA256 of a message under this secret.
    fn signs(&self, message: &[u8], signature: &[u8]) -> bool {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key of any length will do");
        mac.update(message);
        mac.verify_slice(signature).is_ok()
    }
}

/// What a sender signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The query as it was sent, without the signature's own parameter.
    Query,
    /// The same, its parameters sorted.
    SortedQuery,
    /// Path, `?` and query.
    PathAndQuery,
}

/// Every way and its word.
pub const OVERS: &[(Over, &str)] =
    &[(Over::Query, "query"), (Over::SortedQuery, "sorted_query"), (Over::PathAndQuery, "path_and_query")];

/// A token that every postback must carry.
#[derive(Clone)]
pub struct TokenCheck {
    pub parameter: String,
    /// Without it only a missing token is found.
    pub secret: Option<Secret>,
}

/// A signature that every postback must carry.
#[derive(Clone)]
pub struct SignatureCheck {
    pub parameter: String,
    pub over: Over,
    pub secret: Secret,
}

/// The first value of a parameter, decoded.
pub fn value<'p>(parameters: &'p [(Vec<u8>, Vec<u8>)], name: &str) -> Option<&'p [u8]> {
    let found = parameters.iter().find(|(n, v)| n.eq_ignore_ascii_case(name.as_bytes()) && !v.is_empty());
    found.map(|(_, value)| value.as_slice())
}

impl TokenCheck {
    /// The word for a postback's token.
    pub fn word(&self, parameters: &[(Vec<u8>, Vec<u8>)]) -> &'static str {
        let [right, missing, wrong] = TOKEN_WORDS;
        match (value(parameters, &self.parameter), &self.secret) {
            (None, _) => missing,
            (Some(_), None) => right,
            (Some(token), Some(secret)) => {
                if secret.is(token) {
                    right
                } else {
                    wrong
                }
            }
        }
    }
}

impl SignatureCheck {
    /// The word for a postback's signature.
    pub fn word(&self, path: &[u8], query: &[u8], parameters: &[(Vec<u8>, Vec<u8>)]) -> &'static str {
        let [valid, missing, forged] = SIGNATURE_WORDS;
        let Some(text) = value(parameters, &self.parameter) else { return missing };
        let signed = digest(text).is_some_and(|mac| self.secret.signs(&self.message(path, query), &mac));
        if signed { valid } else { forged }
    }

    fn message(&self, path: &[u8], query: &[u8]) -> Vec<u8> {
        let own = |part: &&[u8]| pair(part).0.eq_ignore_ascii_case(self.parameter.as_bytes());
        let mut rest: Vec<&[u8]> = parts(query).filter(|part| !own(part)).collect();
        if self.over == Over::SortedQuery {
            rest.sort_unstable();
        }
        let query = rest.join(&b'&');
        match self.over {
            Over::PathAndQuery => [path, b"?", &query].concat(),
            Over::Query | Over::SortedQuery => query,
        }
    }
}

/// The 32 bytes of a signature in hexadecimal or base64.
fn digest(text: &[u8]) -> Option<Vec<u8>> {
    let bytes = if text.len() == 64 { hexadecimal(text)? } else { base64(text)? };
    (bytes.len() == 32).then_some(bytes)
}

fn hexadecimal(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |b: u8| char::from(b).to_digit(16);
    text.chunks(2).map(|two| Some((digit(two[0])? * 16 + digit(*two.get(1)?)?) as u8)).collect()
}

/// Base64 of either alphabet (RFC 4648); a `+` that came as a space is one.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let (mut bits, mut held, mut out) = (0u32, 0, Vec::new());
    for &byte in text.iter().take_while(|b| **b != b'=') {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' | b' ' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Some(out)
}

/// Whether an address is in one of these networks.
pub fn is_listed(senders: &[Network], sender: IpAddr) -> bool {
    senders.iter().any(|net| net.contains(&sender))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::networks::of_any_form;
    use crate::ingest::postback::query::parameters;

    fn secret(text: &str) -> Secret {
        Secret(text.as_bytes().to_vec())
    }

    fn signature(over: Over, key: &str, query: &str) -> &'static str {
        let check = SignatureCheck { parameter: "sig".into(), over, secret: secret(key) };
        check.word(b"/pb", query.as_bytes(), &parameters(query.as_bytes()))
    }

    /// The second test case of RFC 4231, here spelled as a query: key `Jefe`.
    #[test]
    fn the_published_test_vector_is_valid() {
        let hex = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let bytes = hexadecimal(hex.as_bytes()).expect("hexadecimal");
        assert!(secret("Jefe").signs(b"what do ya want for nothing?", &bytes));
        assert!(!secret("Jefa").signs(b"what do ya want for nothing?", &bytes));
        assert!(!secret("Jefe").signs(b"what do ya want for nothing?", &bytes[..31]));
    }

    /// Signatures computed with Python's hmac and base64.
    #[test]
    fn signatures_are_over_what_was_declared() {
        let hex = "a9b5d5a2c7bd8d8f1d38cbe2b4fd0a7a";
        assert_eq!(signature(Over::Query, "k", &format!("b=2&a=1&sig={hex}")), "forged");
        assert_eq!(signature(Over::Query, "k", "b=2&a=1"), "missing");
        assert_eq!(signature(Over::Query, "k", "b=2&a=1&sig="), "missing");
        for (over, signed) in [
            (Over::Query, "fe18474c25b5559d59c1ae7f86e1a71879c70b826a536e85e73bcb3e0e9210c4"),
            (Over::SortedQuery, "acaa976e196269880b8b3898a5ec2f3881696e4570890e89538ba5a0cbfe2829"),
            (Over::PathAndQuery, "0dfdc5f4109bd0b9b66a419b31ee2baa52220015717512afa6ee01c5679c9ad4"),
        ] {
            assert_eq!(signature(over, "k", &format!("b=2&sig={signed}&a=1")), "valid", "{over:?}");
            assert_eq!(signature(over, "k", &format!("b=2&sig={}&a=1", signed.to_uppercase())), "valid");
            assert_eq!(signature(over, "k", &format!("b=3&sig={signed}&a=1")), "forged", "{over:?}");
            assert_eq!(signature(over, "l", &format!("b=2&sig={signed}&a=1")), "forged", "{over:?}");
        }
        assert_eq!(
            signature(Over::Query, "k", "b=2&a=1&sig=_hhHTCW1VZ1Zwa5_huGnGHnHC4JqU26F5zvLPg6SEMQ="),
            "valid"
        );
    }

    #[test]
    fn tokens_are_right_missing_or_wrong() {
        let check = |secret: Option<Secret>, query: &str| {
            let check = TokenCheck { parameter: "token".into(), secret };
            check.word(&parameters(query.as_bytes()))
        };
        assert_eq!(check(Some(secret("s3")), "a=1&token=s3"), "right");
        assert_eq!(check(Some(secret("s3")), "a=1&TOKEN=s3"), "right");
        assert_eq!(check(Some(secret("s3")), "a=1&token=s"), "wrong");
        assert_eq!(check(Some(secret("s3")), "a=1&token=s33"), "wrong");
        assert_eq!(check(Some(secret("s3")), "a=1&token="), "missing");
        assert_eq!(check(None, "token=anything"), "right");
        assert_eq!(check(None, "a=1"), "missing");
    }

    #[test]
    fn senders_are_networks_or_addresses() {
        let nets: Vec<Network> = ["203.0.113.0/24", "2001:db8::/32", "192.0.2.7", "198.51.100.9/28"]
            .into_iter()
            .map(|text| of_any_form(text).expect("a network"))
            .collect();
        let listed = |ip: &str| is_listed(&nets, ip.parse().expect("an address"));
        assert!(["203.0.113.255", "2001:db8:1::1", "192.0.2.7", "198.51.100.1"].into_iter().all(listed));
        assert!(!["203.0.112.1", "2001:db9::1", "192.0.2.8", "198.51.100.17"].into_iter().any(listed));
        assert!(["", "203.0.113.0/33", "example.com"].into_iter().all(|text| of_any_form(text).is_none()));
    }
}
