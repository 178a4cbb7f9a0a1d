//! One field's text into one typed value, strictly in the declared format.

use super::mapping::SideMapping;
use super::reject::Reason;
use crate::base::column::Kind;
use crate::base::money::{ROW_CAP, SCALE};
use crate::base::time::TimeFault;

/// A typed field: `None` where the text is empty or a null word.
pub type Parsed = std::result::Result<Option<i64>, Reason>;

/// Reads a field of a numeric kind: times in microseconds, money in micro-units, flags as 0 or 1.
///
/// # Errors
/// Why the row is rejected.
pub fn integer(kind: Kind, text: &[u8], side: &SideMapping) -> Parsed {
    let text = text.trim_ascii();
    if is_null(text, side) {
        return Ok(None);
    }
    match kind {
        Kind::Time => time(text, side).map(Some),
        Kind::Money => money(text, side).map(Some),
        Kind::Count => count(text, side).map(Some),
        Kind::Flag => flag(text).map(Some),
        Kind::Text | Kind::Key => unreachable!("text columns are not parsed"),
    }
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

fn time(text: &[u8], side: &SideMapping) -> Result<i64, Reason> {
    side.time.read(text).map_err(reason_of)
}

/// The reject reason of a time fault.
pub fn reason_of(fault: TimeFault) -> Reason {
    match fault {
        TimeFault::Unreadable => Reason::BadTime,
        TimeFault::OutOfRange => Reason::TimeOutOfRange,
    }
}

fn count(text: &[u8], side: &SideMapping) -> Result<i64, Reason> {
    let micro = decimal(text, side)?;
    if micro % SCALE == 0 && micro >= 0 { Ok(micro / SCALE) } else { Err(Reason::BadNumber) }
}

fn money(text: &[u8], side: &SideMapping) -> Result<i64, Reason> {
    let micro = decimal(text, side)?;
    if micro.abs() <= ROW_CAP { Ok(micro) } else { Err(Reason::AmountTooLarge) }
}

/// A decimal number as millionths; digits beyond the sixth are rounded half away from zero.
fn decimal(text: &[u8], side: &SideMapping) -> Result<i64, Reason> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let at = digits.iter().position(|&b| b == side.decimal).unwrap_or(digits.len());
    let (whole, fraction) = (&digits[..at], digits.get(at + 1..).unwrap_or(&[]));
    if whole.is_empty() && fraction.is_empty() {
        return Err(Reason::BadNumber);
    }
    let micro = whole_part(whole, side.thousands)?
        .checked_mul(SCALE)
        .and_then(|w| w.checked_add(fraction_part(fraction)?))
        .ok_or_else(|| {
            if fraction.iter().all(u8::is_ascii_digit) { Reason::AmountTooLarge } else { Reason::BadNumber }
        })?;
    Ok(if negative { -micro } else { micro })
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
    let mut micro = digits.iter().take(6).fold(0, |n, d| n * 10 + i64::from(d - b'0'));
    micro *= 10i64.pow(6 - digits.len().min(6) as u32);
    Some(micro + i64::from(digits.get(6).is_some_and(|&d| d >= b'5')))
}

fn flag(text: &[u8]) -> Result<i64, Reason> {
    match text.to_ascii_lowercase().as_slice() {
        b"1" | b"true" | b"yes" | b"t" | b"y" => Ok(1),
        b"0" | b"false" | b"no" | b"f" | b"n" => Ok(0),
        _ => Err(Reason::BadFlag),
    }
}

/// A float of a typed export as micro-units.
///
/// # Errors
/// NaN, infinity, or more than ten million.
pub fn money_of_float(units: f64) -> Result<i64, Reason> {
    let micro = (units * SCALE as f64).round();
    match micro {
        m if !m.is_finite() => Err(Reason::BadNumber),
        m if m.abs() > ROW_CAP as f64 => Err(Reason::AmountTooLarge),
        m => Ok(m as i64),
    }
}

/// An amount in another currency, at micro-units of ours for one unit of it; rounded half away from zero.
pub fn exchanged(amount: i64, rate: i64) -> i64 {
    let product = i128::from(amount) * i128::from(rate);
    let half = i128::from(SCALE / 2) * product.signum();
    ((product + half) / i128::from(SCALE)) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::mapping::{Mapping, Shape};

    fn check(kind: Kind, text: &str, expected: Parsed) {
        let side =
            Mapping::build(None, None).expect("the generic preset is valid").side(Shape::Clicks).clone();
        assert_eq!(integer(kind, text.as_bytes(), &side), expected, "{text}");
    }

    #[test]
    fn money_is_read_strictly() {
        for (text, micro) in [
            ("1.5", 1_500_000),
            ("-0.000001", -1),
            (" 12 ", 12_000_000),
            (".5", 500_000),
            ("0.1234565", 123_457),
        ] {
            check(Kind::Money, text, Ok(Some(micro)));
        }
        check(Kind::Money, "", Ok(None));
        check(Kind::Money, "NULL", Ok(None));
        for text in ["1,5", "1_000", "1e3", "NaN", "inf", "-", ".", "1.2.3", "$5", "0x10", "1 000"] {
            check(Kind::Money, text, Err(Reason::BadNumber));
        }
        for text in ["10000001", "123456789012345678901234567890", "99999999999999999.1"] {
            check(Kind::Money, text, Err(Reason::AmountTooLarge));
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
        let mut side = Mapping::build(None, None).unwrap().side(Shape::Clicks).clone();
        (side.decimal, side.thousands) = (b',', Some(b'.'));
        assert_eq!(integer(Kind::Money, b"1.234,56", &side), Ok(Some(1_234_560_000)));
        assert_eq!(integer(Kind::Money, b"1.23,56", &side), Err(Reason::BadNumber));
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
        assert_eq!(exchanged(1_000_000, 1_080_000), 1_080_000);
        assert_eq!((exchanged(1, 500_000), exchanged(-1, 500_000)), (1, -1));
    }
}
