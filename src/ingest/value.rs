//! One field's text into one typed value, strictly in the declared format.

use super::mapping::SideMapping;
use super::rates::{ONE, Rate};
use super::reject::Reason;
use crate::base::column::Kind;
use crate::base::money::{Mark, NANO};
use crate::base::time::{Clock, TimeFault};
use std::borrow::Cow;

/// A typed field: `None` where the text is empty or a null word.
pub type Parsed = std::result::Result<Option<i64>, Reason>;

/// An amount as it stands in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    /// In billionths.
    pub nano: i128,
    /// The currency mark beside it.
    pub mark: Option<Mark>,
}

/// Reads a count or flag: flags as 0 or 1.
///
/// # Errors
/// Why the row is rejected.
pub fn integer(kind: Kind, text: &[u8], side: &SideMapping) -> Parsed {
    let text = text.trim_ascii();
    if is_null(text, side) {
        return Ok(None);
    }
    match kind {
        Kind::Count => count(text, side).map(Some),
        Kind::Flag => flag(text).map(Some),
        kind => unreachable!("{kind:?} has a reader of its own"),
    }
}

/// Reads a time in microseconds, with how it stands to the clock of the zone.
///
/// # Errors
/// Why the row is rejected.
pub fn time(text: &[u8], side: &SideMapping) -> Result<Option<(i64, Clock)>, Reason> {
    let text = text.trim_ascii();
    if is_null(text, side) {
        return Ok(None);
    }
    side.time.read_by_clock(text).map(Some).map_err(reason_of)
}

/// Reads an amount: `1234.50`, and with declared marks `1.234,50 €`, `$ 1,234.50` or `(5.00)`.
///
/// # Errors
/// Why the row is rejected.
pub fn amount(text: &[u8], side: &SideMapping) -> Result<Option<Amount>, Reason> {
    let text = text.trim_ascii();
    if is_null(text, side) {
        return Ok(None);
    }
    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
    let between_digits = |t: &[u8]| t[0].is_ascii_digit() && t[t.len() - 1].is_ascii_digit();
    if !unsigned.is_empty() && between_digits(unsigned) && unsigned.is_ascii() {
        return decimal(text, side).map(|nano| Some(Amount { nano, mark: None }));
    }
    let text = std::str::from_utf8(text).map_err(|_| Reason::BadNumber)?;
    dressed(text, side).map(Some)
}

/// An amount with a currency before or behind it, or in parentheses, as accountants write what is negative.
fn dressed(text: &str, side: &SideMapping) -> Result<Amount, Reason> {
    let inner = text.strip_prefix('(').and_then(|t| t.strip_suffix(')'));
    let (signed, text) = sign(inner.unwrap_or(text).trim());
    let begins = text.find(|c: char| c.is_ascii_digit() || is_mark(c, side) || is_minus(c) || c == '+');
    let (before, text) = text.split_at(begins.ok_or(Reason::BadNumber)?);
    let (signed_inside, text) = sign(text);
    let ends = text.rfind(|c: char| c.is_ascii_digit()).ok_or(Reason::BadNumber)? + 1;
    let (number, behind) = text.split_at(ends + usize::from(text[ends..].starts_with(|c| is_mark(c, side))));
    let minuses = [inner.map(|_| true), signed, signed_inside];
    if minuses.iter().flatten().count() > 1 {
        return Err(Reason::BadNumber);
    }
    let nano = decimal(&spaced(number), side)?;
    let negative = minuses.contains(&Some(true));
    Ok(Amount { nano: if negative { -nano } else { nano }, mark: mark(before.trim(), behind.trim())? })
}

fn is_minus(c: char) -> bool {
    matches!(c, '-' | '\u{2212}')
}

fn is_mark(c: char, side: &SideMapping) -> bool {
    c.is_ascii() && c as u8 == side.decimal
}

/// Whether a text begins with a sign, `true` for minus, and what follows.
fn sign(text: &str) -> (Option<bool>, &str) {
    match text.strip_prefix(is_minus) {
        Some(rest) => (Some(true), rest.trim_start()),
        None => text.strip_prefix('+').map_or((None, text), |rest| (Some(false), rest.trim_start())),
    }
}

/// The currency beside an amount; `$ 5 USD` says it twice.
fn mark(before: &str, behind: &str) -> Result<Option<Mark>, Reason> {
    let read = |text: &str| match text {
        "" => Ok(None),
        text => Mark::of(text).map(Some).ok_or(Reason::BadNumber),
    };
    match (read(before)?, read(behind)?) {
        (Some(sign), Some(code)) if sign.fits(code.code()) => Ok(Some(code)),
        (Some(_), Some(_)) => Err(Reason::CurrencyConflict),
        (one, other) => Ok(one.or(other)),
    }
}

/// The spaces that do not break a line are spaces.
fn spaced(number: &str) -> Cow<'_, [u8]> {
    if number.is_ascii() {
        return Cow::Borrowed(number.as_bytes());
    }
    Cow::Owned(number.replace(['\u{a0}', '\u{202f}', '\u{2009}'], " ").into_bytes())
}

/// Whether the field says nothing.
pub fn is_null(text: &[u8], side: &SideMapping) -> bool {
    let is = |null: &[u8]| null.len() == text.len() && null[0] == text[0] && null == text;
    text.is_empty() || side.nulls.iter().any(|null| !null.is_empty() && is(null.as_bytes()))
}

/// A macro of a tracker that was never replaced: `{clickid}`, `${SUBID}`, `[CID]`, `%7Bsub%7D`.
pub fn is_unexpanded_macro(text: &[u8]) -> bool {
    const MARKS: [(&[u8], &[u8]); 6] =
        [(b"{", b"}"), (b"${", b"}"), (b"[", b"]"), (b"%7B", b"%7D"), (b"%7b", b"%7d"), (b"<", b">")];
    let wrapped = |(open, close): &(&[u8], &[u8])| {
        text.len() > open.len() + close.len() && text.starts_with(open) && text.ends_with(close)
    };
    matches!(text.first(), Some(b'{' | b'$' | b'[' | b'%' | b'<')) && MARKS.iter().any(wrapped)
}

/// The reject reason of a time fault.
pub fn reason_of(fault: TimeFault) -> Reason {
    match fault {
        TimeFault::Unreadable => Reason::BadTime,
        TimeFault::OutOfRange => Reason::TimeOutOfRange,
    }
}

fn count(text: &[u8], side: &SideMapping) -> Result<i64, Reason> {
    let nano = decimal(text, side)?;
    if nano % NANO == 0 && nano >= 0 { Ok((nano / NANO) as i64) } else { Err(Reason::BadNumber) }
}

/// A decimal number as billionths; digits beyond the ninth are rounded half away from zero.
fn decimal(text: &[u8], side: &SideMapping) -> Result<i128, Reason> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let at = digits.iter().position(|&b| b == side.decimal).unwrap_or(digits.len());
    let (whole, fraction) = (&digits[..at], digits.get(at + 1..).unwrap_or(&[]));
    if whole.is_empty() && fraction.is_empty() {
        return Err(Reason::BadNumber);
    }
    let fraction = fraction_part(fraction).ok_or(Reason::BadNumber)?;
    let nano = i128::from(whole_part(whole, side.thousands)?) * NANO + i128::from(fraction);
    Ok(if negative { -nano } else { nano })
}

fn whole_part(digits: &[u8], thousands: Option<u8>) -> Result<i64, Reason> {
    let mut number = 0i64;
    for (at, &byte) in digits.iter().enumerate() {
        if Some(byte) == thousands && at > 0 && (digits.len() - at).is_multiple_of(4) {
            continue;
        }
        if !byte.is_ascii_digit() {
            return Err(Reason::BadNumber);
        }
        number = number
            .checked_mul(10)
            .and_then(|n| n.checked_add(i64::from(byte - b'0')))
            .ok_or(Reason::AmountTooLarge)?;
    }
    Ok(number)
}

fn fraction_part(digits: &[u8]) -> Option<i64> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut nano = digits.iter().take(9).fold(0, |n, d| n * 10 + i64::from(d - b'0'));
    nano *= 10i64.pow(9 - digits.len().min(9) as u32);
    Some(nano + i64::from(digits.get(9).is_some_and(|&d| d >= b'5')))
}

fn flag(text: &[u8]) -> Result<i64, Reason> {
    match text.to_ascii_lowercase().as_slice() {
        b"1" | b"true" | b"yes" | b"t" | b"y" => Ok(1),
        b"0" | b"false" | b"no" | b"f" | b"n" => Ok(0),
        _ => Err(Reason::BadFlag),
    }
}

/// A float of a typed export as billionths.
///
/// # Errors
/// NaN, infinity, or more than any currency's cap.
pub fn nano_of_float(units: f64) -> Result<i128, Reason> {
    let nano = (units * NANO as f64).round();
    match nano {
        n if !n.is_finite() => Err(Reason::BadNumber),
        n if n.abs() > 1e24 => Err(Reason::AmountTooLarge),
        n => Ok(n as i128),
    }
}

/// An amount in another currency as one in ours; rounded half away from zero. Amounts are below
/// [`crate::base::money::row_cap`], so that the product fits.
pub fn exchanged(nano: i128, rate: Rate) -> i128 {
    let product = nano * i128::from(rate.value);
    let half = i128::from(ONE / 2) * product.signum();
    (product + half) / i128::from(ONE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::mapping::{Mapping, Shape};

    use proptest::prelude::*;

    fn side(decimal: u8, thousands: Option<u8>) -> SideMapping {
        let side =
            Mapping::build(None, None).expect("the generic preset is valid").side(Shape::Clicks).clone();
        SideMapping { decimal, thousands, ..side }
    }

    fn check(kind: Kind, text: &str, expected: Parsed) {
        assert_eq!(integer(kind, text.as_bytes(), &side(b'.', None)), expected, "{text}");
    }

    /// An amount in billionths and the currency beside it.
    fn check_amount(side: &SideMapping, text: &str, expected: Result<Option<(i128, &str)>, Reason>) {
        let found = amount(text.as_bytes(), side);
        let told = found.map(|a| a.map(|a| (a.nano, a.mark.map_or(String::new(), |m| m.code().to_owned()))));
        assert_eq!(told, expected.map(|e| e.map(|(nano, code)| (nano, code.to_owned()))), "{text}");
    }

    #[test]
    fn amounts_are_read_strictly() {
        let plain = side(b'.', None);
        for (text, nano) in [
            ("1.5", 1_500_000_000),
            ("-0.000001", -1_000),
            (" 12 ", 12_000_000_000),
            (".5", 500_000_000),
            ("5.", 5_000_000_000),
            ("0.000012345", 12_345),
            ("0.1234567895", 123_456_790),
            ("+3", 3_000_000_000),
            ("(5.00)", -5_000_000_000),
            ("99999999999999999.1", 99_999_999_999_999_999_100_000_000),
        ] {
            check_amount(&plain, text, Ok(Some((nano, ""))));
        }
        check_amount(&plain, "", Ok(None));
        check_amount(&plain, "NULL", Ok(None));
        for text in [
            "1,5", "1_000", "1e3", "NaN", "inf", "-", ".", "1.2.3", "0x10", "1 000", "1,234.50", "--5",
            "(-5)", "(5", "5)", "()", "5-", "5%", "٣", "1.5x", "x1.5", "$", "5 $ 5", "-", "−", "5.0.",
        ] {
            check_amount(&plain, text, Err(Reason::BadNumber));
        }
        check_amount(&plain, "123456789012345678901234567890", Err(Reason::AmountTooLarge));
    }

    #[test]
    fn currencies_stand_beside_amounts() {
        let (english, german) = (side(b'.', Some(b',')), side(b',', Some(b'.')));
        let french = side(b',', Some(b' '));
        for (side, text, nano, code) in [
            (&english, "$ 1,234.50", 1_234_500_000_000, "USD"),
            (&english, "-$1,234.50", -1_234_500_000_000, "USD"),
            (&english, "$-5", -5_000_000_000, "USD"),
            (&english, "($5.00)", -5_000_000_000, "USD"),
            (&english, "US$5", 5_000_000_000, "USD"),
            (&english, "$5 CAD", 5_000_000_000, "CAD"),
            (&english, "5.00 USDT", 5_000_000_000, "USDT"),
            (&english, "\u{2212}5 £", -5_000_000_000, "GBP"),
            (&german, "1.234,50 €", 1_234_500_000_000, "EUR"),
            (&german, "€1.234,50", 1_234_500_000_000, "EUR"),
            (&german, "10,5 zł", 10_500_000_000, "PLN"),
            (&french, "1\u{202f}234,56\u{a0}€", 1_234_560_000_000, "EUR"),
            (&french, "1 234,56 руб.", 1_234_560_000_000, "RUB"),
            (&french, "1\u{a0}234,5", 1_234_500_000_000, ""),
        ] {
            check_amount(side, text, Ok(Some((nano, code))));
        }
        check_amount(&english, "€5 USD", Err(Reason::CurrencyConflict));
        check_amount(&english, "1.234,50 €", Err(Reason::BadNumber));
        check_amount(&german, "1,234.50", Err(Reason::BadNumber));
    }

    /// Pieces of amounts in any order.
    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "1",
            "23",
            "0",
            "999999999",
            ".",
            ",",
            "-",
            "+",
            "(",
            ")",
            "$",
            "€",
            " ",
            "\u{a0}",
            "USD",
            "e5",
            "−",
            "x",
            "%",
        ]);
        prop::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(13), ..ProptestConfig::with_cases(4_000) })]

        /// Every text is an amount, or not, without a panic; and a mark or parentheses change no digit.
        #[test]
        fn any_text_has_an_answer(text in pieces(), whole in 0u32.., part in 0u32..1_000_000_000) {
            for side in [side(b'.', None), side(b'.', Some(b',')), side(b',', Some(b'.')), side(b',', Some(b' '))] {
                let _ = amount(text.as_bytes(), &side);
                let _ = integer(Kind::Count, text.as_bytes(), &side);
                let number = format!("{whole}{}{part:09}", char::from(side.decimal));
                let nano = i128::from(whole) * NANO + i128::from(part);
                for (text, nano) in [(number.clone(), nano), (format!("$ {number}"), nano), (format!("({number} €)"), -nano)] {
                    prop_assert_eq!(amount(text.as_bytes(), &side).map(|a| a.map(|a| a.nano)), Ok(Some(nano)), "{}", text);
                }
            }
        }
    }

    #[test]
    fn counts_are_whole() {
        check(Kind::Count, "12", Ok(Some(12)));
        check(Kind::Count, "12.5", Err(Reason::BadNumber));
        check(Kind::Count, "-1", Err(Reason::BadNumber));
    }

    #[test]
    fn declared_marks_are_obeyed() {
        let side = side(b',', Some(b'.'));
        check_amount(&side, "1.234,56", Ok(Some((1_234_560_000_000, ""))));
        check_amount(&side, "1.23,56", Err(Reason::BadNumber));
    }

    #[test]
    fn macros_are_recognised() {
        for text in ["{clickid}", "${SUBID}", "[CID]", "%7Bsub%7D"] {
            assert!(is_unexpanded_macro(text.as_bytes()), "{text}");
        }
        for text in ["abc", "{}", "a{b}", ""] {
            assert!(!is_unexpanded_macro(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn exchange_rounds_half_away_from_zero() {
        let rate = |value| Rate { value, day: None };
        assert_eq!(exchanged(NANO, rate(ONE / 100 * 108)), NANO / 100 * 108);
        assert_eq!((exchanged(1, rate(ONE / 2)), exchanged(-1, rate(ONE / 2))), (1, -1));
    }
}
