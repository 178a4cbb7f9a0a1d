//! What stands in place of an ID, an address or an amount: the same for the same value and secret, in every file.
//!
//! Addresses go through the construction of Crypto-PAn (Xu, Fan, Ammar and Moon 2002) with HMAC-SHA-256 in place of
//! AES: every bit is turned or not by the bits before it, so that networks stay networks. IDs go through the same
//! idea by characters, the later ones in blocks: each is replaced by one of its own kind, by what stands before it, so
//! that lengths, marks, alphabets and common beginnings survive, and no two IDs become one. Like Crypto-PAn it is as good as its secret, and
//! who knows the original of a value knows more of those that begin alike: it is pseudonymisation.

use crate::base::text::is_placeholder;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A number at the end of an ID of at least so many digits may count; its last ones stay, so that what counts on
/// from one another still does.
const COUNTS: usize = 6;
const KEPT_DIGITS: usize = 2;

/// A factor between these, or one over it: far enough from 1 that no amount stays what it was.
const LEAST_FACTOR: f64 = 1.25;
const MOST_FACTOR: f64 = 2.5;

/// The secret, ready to be used.
#[derive(Clone)]
pub struct Secret {
    mac: Hmac<Sha256>,
}

/// The characters that a character of an ID may become.
type Alphabet = Vec<char>;

impl Secret {
    /// A secret of these bytes.
    pub fn new(bytes: &[u8; 32]) -> Secret {
        Secret { mac: Hmac::<Sha256>::new_from_slice(bytes).expect("HMAC takes keys of any length") }
    }

    fn digest(&self, what: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.mac.clone();
        mac.update(what);
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }

    /// The factor of amounts.
    pub fn factor(&self) -> f64 {
        let digest = self.digest(b"amount", &[]);
        let number = u64::from_le_bytes(digest[..8].try_into().expect("eight bytes"));
        let factor =
            LEAST_FACTOR + (MOST_FACTOR - LEAST_FACTOR) * (number >> 11) as f64 / (1u64 << 53) as f64;
        if digest[8] & 1 == 0 { factor } else { 1.0 / factor }
    }

    /// Another address; two of one network stay in one.
    pub fn address(&self, address: IpAddr) -> IpAddr {
        match address {
            IpAddr::V4(v4) => {
                let bits = u128::from(u32::from(v4)) << 96;
                IpAddr::V4(Ipv4Addr::from((self.turned(b"ipv4", bits, 32) >> 96) as u32))
            }
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(self.turned(b"ipv6", u128::from(v6), 128))),
        }
    }

    /// The first `count` bits, a multiple of eight, each turned or not by those before it: one digest has a bit for
    /// every beginning of a byte.
    fn turned(&self, what: &[u8], bits: u128, count: u32) -> u128 {
        let (bytes, mut turned) = (bits.to_be_bytes(), [0; 16]);
        for at in 0..count as usize / 8 {
            let digest = self.digest(what, &[&[at as u8], &bytes[..at]]);
            let mut node = 1usize;
            for bit in (0..8).rev() {
                let flip = digest[node / 8] >> (node % 8) & 1;
                let original = bytes[at] >> bit & 1;
                turned[at] |= (original ^ flip) << bit;
                node = node << 1 | usize::from(original);
            }
        }
        u128::from_be_bytes(turned)
    }

    /// Another ID of the same shape. Words that stand for no ID stay.
    pub fn id(&self, text: &str) -> String {
        if is_placeholder(text) {
            return text.to_owned();
        }
        let shape = Shape::of(text);
        let mut id = self.step(text, shape);
        // Walking on until it fits keeps every two IDs apart (Black and Rogaway 2002).
        while is_placeholder(&id) || Shape::of(&id).hex != shape.hex {
            id = self.step(&id, shape);
        }
        id
    }

    fn step(&self, text: &str, shape: Shape) -> String {
        let kept = text.len() - if shape.counts { KEPT_DIGITS } else { 0 };
        let mut out = String::with_capacity(text.len());
        let (mut digest, mut begun, mut until) = ([0; 32], 0, 0);
        for (place, (at, c)) in text.char_indices().enumerate() {
            if place == until {
                (begun, until) = (place, place + block(place));
                digest = self.digest(b"id", &[&text.as_bytes()[..at]]);
            }
            let alphabet = if at == 0 && c.is_ascii_digit() { leading(c) } else { shape.alphabet(c) };
            match alphabet.filter(|_| at < kept) {
                None => out.push(c),
                Some(alphabet) => out.push(moved(c, &alphabet, &digest[4 * (place - begun)..][..4])),
            }
        }
        out
    }
}

/// Characters that are replaced by one digest of what stands before them: one at a time where IDs are short.
fn block(place: usize) -> usize {
    match place {
        0 | 1 => 1,
        2 | 3 => 2,
        4..8 => 4,
        _ => 8,
    }
}

/// A permutation of the alphabet by four bytes: `a·x + b` with `a` coprime to its length.
fn moved(c: char, alphabet: &[char], bytes: &[u8]) -> char {
    let n = alphabet.len() as u64;
    let at = alphabet.iter().position(|a| *a == c).unwrap_or_default() as u64;
    let number = |from: usize| u64::from(u16::from_le_bytes([bytes[from], bytes[from + 1]]));
    let units: Vec<u64> = (1..n.max(2)).filter(|a| coprime(*a, n)).collect();
    let a = units[(number(0) % units.len() as u64) as usize];
    alphabet[((a * at + number(2) % n) % n) as usize]
}

fn coprime(a: u64, b: u64) -> bool {
    let (mut a, mut b) = (a, b);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a == 1
}

/// What an ID looks like as a whole.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Shape {
    /// All letters are hexadecimal digits of one case, and there are some.
    hex: bool,
    /// It ends in a number that may count.
    counts: bool,
}

impl Shape {
    fn of(text: &str) -> Shape {
        let letters = || text.chars().filter(|c| c.is_alphabetic());
        let all = |fits: fn(char) -> bool| letters().next().is_some() && letters().all(fits);
        let hex = all(|c| matches!(c, 'a'..='f')) || all(|c| matches!(c, 'A'..='F'));
        let radix = if hex { 16 } else { 10 };
        let digits = text.chars().rev().take_while(|c| c.is_digit(radix)).count();
        Shape { hex, counts: digits >= COUNTS }
    }

    fn alphabet(self, c: char) -> Option<Alphabet> {
        let letters = if self.hex { 6 } else { 26 };
        let from =
            |first: char, n: u32| (0..n).filter_map(|i| char::from_u32(u32::from(first) + i)).collect();
        match c {
            '0'..='9' => Some(from('0', 10)),
            'a'..='z' => Some(from('a', letters)),
            'A'..='Z' => Some(from('A', letters)),
            c if c.is_alphanumeric() && !c.is_ascii() => Some(neighbours(c)),
            _ => None,
        }
    }
}

/// A number does not begin with zero unless it did: where numbers are not text it could not be written.
fn leading(digit: char) -> Option<Alphabet> {
    (digit != '0').then(|| ('1'..='9').collect())
}

/// The characters of a script around one: of the same kind and case, and as many bytes long.
fn neighbours(c: char) -> Alphabet {
    let kind =
        |c: char| (c.is_alphabetic(), c.is_uppercase(), c.is_lowercase(), c.is_numeric(), c.len_utf8());
    let first = u32::from(c) & !63;
    (first..first + 64).filter_map(char::from_u32).filter(|other| kind(*other) == kind(c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn secret(byte: u8) -> Secret {
        Secret::new(&[byte; 32])
    }

    fn shape(text: &str) -> String {
        let kind = |c: char| match c {
            '0'..='9' => '9',
            'a'..='z' => 'a',
            'A'..='Z' => 'A',
            c => c,
        };
        text.chars().map(kind).collect()
    }

    #[test]
    fn ids_keep_their_shape_and_nothing_else() {
        let ids = ["TX4821038923", "n4e6i5fvkyt4giemuzi3", "3102266", "a-9_Z.77", "7", "popmax"];
        for id in ids {
            let other = secret(1).id(id);
            assert_eq!(shape(&other), shape(id), "{id}: {other}");
            assert!(other != *id || id.len() < 2, "{id} stays");
            assert_eq!(secret(1).id(id), other);
            assert!(secret(2).id(id) != other || id.len() < 2, "{id}");
        }
    }

    #[test]
    fn hexadecimal_ids_stay_hexadecimal_and_others_do_not_become_so() {
        for n in 0..500u64 {
            let hex = format!("{:012x}", n * 7_919_333 + 0xab_cdef);
            assert!(secret(3).id(&hex).bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{hex}");
            let word = format!("g{n}");
            assert!(secret(3).id(&word).contains(|c: char| ('g'..='z').contains(&c)), "{word}");
        }
    }

    #[test]
    fn no_two_ids_become_one() {
        let four: BTreeSet<String> = (0..10_000).map(|n| secret(4).id(&format!("{n:04}"))).collect();
        assert_eq!(four.len(), 10_000);
        let letters = |n: u32| char::from(b'a' + n as u8);
        let two: BTreeSet<String> =
            (0..676).map(|n| secret(4).id(&format!("{}{}", letters(n / 26), letters(n % 26)))).collect();
        assert_eq!(two.len(), 676);
    }

    #[test]
    fn what_counts_on_still_does_and_beginnings_stay_common() {
        let ids: Vec<String> = (40..60).map(|n| secret(5).id(&format!("AB-77{n:06}"))).collect();
        let number = |id: &String| id[5..].parse::<u64>().expect("digits");
        assert!(ids.windows(2).all(|pair| number(&pair[1]) == number(&pair[0]) + 1), "{ids:?}");
        let (one, two) = (secret(5).id("camp-alpha"), secret(5).id("camp-beta1"));
        assert_eq!(one[..5], two[..5]);
    }

    #[test]
    fn words_for_no_id_stay() {
        for word in ["0", "null", "unknown", "N/A", "not_set", "000-000"] {
            if is_placeholder(word) {
                assert_eq!(secret(6).id(word), word);
            }
        }
        assert_eq!(secret(6).id("000-000"), "000-000");
    }

    #[test]
    fn letters_of_other_scripts_are_replaced_too() {
        let name = "Иван Müller 東京";
        let other = secret(7).id(name);
        assert_eq!(other.chars().count(), name.chars().count());
        assert!(
            name.chars().zip(other.chars()).filter(|(a, b)| a == b && a.is_alphabetic()).count() <= 2,
            "{other}"
        );
    }

    #[test]
    fn networks_stay_networks() {
        let of = |text: &str| secret(8).address(text.parse().expect("an address"));
        let bits = |text: &str| match of(text) {
            IpAddr::V4(v4) => u32::from(v4),
            IpAddr::V6(_) => panic!("another family"),
        };
        assert_eq!(bits("192.0.2.7") >> 8, bits("192.0.2.200") >> 8);
        assert_eq!(bits("192.0.2.7") >> 9, bits("192.0.3.7") >> 9);
        assert_ne!(bits("192.0.2.7") >> 8, bits("192.0.3.7") >> 8);
        assert_ne!(of("192.0.2.7").to_string(), "192.0.2.7");
        let all: BTreeSet<u32> = (0..=255).map(|n| bits(&format!("192.0.2.{n}"))).collect();
        assert_eq!(all.len(), 256);
        assert!(of("2001:db8::1").is_ipv6());
    }

    #[test]
    fn a_factor_changes_amounts() {
        for byte in 0..50 {
            let factor = secret(byte).factor();
            assert!((0.39..=0.81).contains(&factor) || (1.24..=2.51).contains(&factor), "{factor}");
        }
    }
}
