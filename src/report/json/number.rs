//! How reports write numbers: ten significant digits, the same on every machine, whole ones without a fraction.
//!
//! A large report has tens of millions of them, so [`write`] puts digits straight into the output. It says what
//! [`number`] says, which is what single numbers of a document go through.

use serde_json::Number;

/// A finite number with ten significant digits: enough for every amount, and the same on every machine. Whole
/// numbers have no fraction.
pub fn number(value: f64) -> Option<Number> {
    if !value.is_finite() {
        return None;
    }
    let rounded = rounded(value);
    if rounded.fract() == 0.0 && rounded.abs() < LARGEST_WHOLE {
        return Some(Number::from(rounded as i64));
    }
    Number::from_f64(rounded)
}

/// Whole numbers from here on are written as any other.
const LARGEST_WHOLE: f64 = 1e15;

/// Writes what [`number`] gives, and says whether it is finite: nothing is written of what is not.
pub fn write(out: &mut Vec<u8>, value: f64) -> bool {
    if !value.is_finite() {
        return false;
    }
    if value == 0.0 {
        out.push(b'0');
        return true;
    }
    let size = value.abs();
    if value < 0.0 {
        out.push(b'-');
    }
    let done = match decimal(size) {
        Some(decimal) => decimal.write(out),
        None => TINY.contains(&size) && write_tiny(out, size),
    };
    if !done {
        let text = number(size).expect("it is finite").to_string();
        out.extend_from_slice(text.as_bytes());
    }
    true
}

/// Numbers whose ten digits are the shortest text of the float next to them, and that are written with an exponent:
/// limits of a share near nothing, and probabilities.
const TINY: std::ops::Range<f64> = 1e-290..1e-9;

/// Through the text with ten digits, without the zeros at its end.
fn write_tiny(out: &mut Vec<u8>, size: f64) -> bool {
    let text = format!("{size:.*e}", DIGITS as usize - 1);
    let Some((digits, exponent)) = text.split_once('e') else { return false };
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    [digits, "e", exponent].iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
    true
}

/// Writes a count.
pub fn write_count(out: &mut Vec<u8>, count: u64) {
    let mut digits = [0; LONGEST];
    out.extend_from_slice(digits_of(count, &mut digits));
}

/// Digits of a number, and the largest power of ten that a float holds exactly.
const DIGITS: i32 = 10;
const EXACT: i32 = 22;

/// The powers of ten that a float holds exactly.
const POWERS: [f64; EXACT as usize + 1] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// `whole` × 10^-`shift`.
#[derive(Clone, Copy)]
struct Decimal {
    whole: f64,
    shift: i32,
}

/// The ten leading digits of a positive number. Powers of ten are exact and multiplied once, so that this is the same
/// on every machine. `None` for what lies too far from one.
fn decimal(size: f64) -> Option<Decimal> {
    let power = |by: i32| POWERS[by.unsigned_abs() as usize];
    let scaled = |by: i32| if by < 0 { size / power(by) } else { size * power(by) };
    let (least, most) = (POWERS[DIGITS as usize - 1], POWERS[DIGITS as usize]);
    let mut shift = DIGITS - 1 - decade(size);
    if !(2 - EXACT..EXACT - 1).contains(&shift) {
        shift = DIGITS - 1 - size.log10().floor() as i32;
    }
    if !(1 - EXACT..EXACT).contains(&shift) {
        return None;
    }
    // A logarithm may be wrong in its last digit, and an estimate of one by one.
    while scaled(shift) >= most {
        shift -= 1;
    }
    while scaled(shift) < least {
        shift += 1;
    }
    Some(Decimal { whole: scaled(shift).round(), shift })
}

/// The decade of a positive number, or the one below, from its power of two: 1233 / 4096 is log10 2, a little less.
fn decade(size: f64) -> i32 {
    let exponent = (size.to_bits() >> 52) as i32 - 1023;
    (exponent * 1233) >> 12
}

/// The number with ten digits; what lies too far from a power of ten goes through its text.
fn rounded(value: f64) -> f64 {
    let size = value.abs();
    if size == 0.0 {
        return 0.0;
    }
    let back = match decimal(size) {
        Some(decimal) => decimal.value(),
        None => {
            let near: f64 = format!("{size:.*e}", DIGITS as usize - 1).parse().unwrap_or(size);
            // The largest numbers round to more than a float holds.
            if near.is_finite() { near } else { size }
        }
    };
    back.copysign(value)
}

impl Decimal {
    fn value(self) -> f64 {
        let power = POWERS[self.shift.unsigned_abs() as usize];
        if self.shift < 0 { self.whole * power } else { self.whole / power }
    }

    /// Writes it if it is not too large. At most ten digits are the shortest text of the float next to them.
    fn write(self, out: &mut Vec<u8>) -> bool {
        let (mut whole, mut shift) = (self.whole as u64, self.shift);
        while whole % 10 == 0 {
            whole /= 10;
            shift -= 1;
        }
        let mut digits = [0; LONGEST];
        let digits = digits_of(whole, &mut digits);
        let before = digits.len() as i32 - shift;
        if before <= LEAST_POINT {
            out.push(digits[0]);
            if digits.len() > 1 {
                out.push(b'.');
                out.extend_from_slice(&digits[1..]);
            }
            out.extend_from_slice(b"e-");
            write_count(out, u64::from(1 + before.unsigned_abs()));
        } else if before <= 0 {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + before.unsigned_abs() as usize, b'0');
            out.extend_from_slice(digits);
        } else if shift > 0 {
            let (whole, fraction) = digits.split_at(before as usize);
            out.extend_from_slice(whole);
            out.push(b'.');
            out.extend_from_slice(fraction);
        } else if before <= MOST_WHOLE {
            out.extend_from_slice(digits);
            out.resize(out.len() + shift.unsigned_abs() as usize, b'0');
        } else {
            return false;
        }
        true
    }
}

/// Numbers below 0.00001 have an exponent, and whole ones of more than 15 digits.
const LEAST_POINT: i32 = -5;
const MOST_WHOLE: i32 = 15;

/// Digits of the largest count.
const LONGEST: usize = 20;

fn digits_of(mut number: u64, room: &mut [u8; LONGEST]) -> &[u8] {
    let mut at = LONGEST;
    loop {
        at -= 1;
        room[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &room[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::num::f64::NORMAL;

    fn written(value: f64) -> String {
        let mut out = Vec::new();
        write(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_finite_and_short() {
        let check = |value: f64, expected: &str| {
            assert_eq!(number(value).map_or(String::new(), |n| n.to_string()), expected, "{value}");
            assert_eq!(written(value), expected, "{value}");
        };
        check(240.0, "240");
        check(-0.0, "0");
        check(0.1 + 0.2, "0.3");
        check(149.0 / 240.0, "0.6208333333");
        check(12_345_678.91, "12345678.91");
        check(-0.000_123_456_789_012, "-0.000123456789");
        check(0.000_012_5, "0.0000125");
        check(-0.000_001_25, "-1.25e-6");
        check(9.999_999_999_96, "10");
        check(123_456_789_012_345.0, "123456789000000");
        check(1e17 / 3.0, "3.333333333e+16");
        check(1.5e-30, "1.5e-30");
        check(f64::MIN_POSITIVE, "2.225073859e-308");
        check(f64::MAX, "1.7976931348623157e+308");
        check(f64::NAN, "");
        check(f64::INFINITY, "");
    }

    #[test]
    fn counts_are_written_whole() {
        for count in [0, 9, 10, 1_234_567_890, u64::MAX] {
            let mut out = Vec::new();
            write_count(&mut out, count);
            assert_eq!(String::from_utf8(out).unwrap(), count.to_string());
        }
    }

    #[test]
    fn every_decade_is_written_as_it_is_rounded() {
        for exponent in -40..40 {
            for step in 1..200 {
                let value = f64::from(step) * 10f64.powi(exponent) / 64.0;
                for value in [value, value.next_up(), value.next_down(), -value] {
                    assert_eq!(written(value), number(value).unwrap().to_string(), "{value:e}");
                }
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn a_number_has_ten_digits_and_is_near(value in NORMAL) {
            let shown = rounded(value);
            let exact: f64 = format!("{value:.9e}").parse().unwrap();
            proptest::prop_assert!((shown - exact).abs() <= exact.abs() * 1.01e-9);
            let digits = format!("{shown:e}").split('e').next().unwrap().trim_start_matches('-').replace('.', "").len();
            proptest::prop_assert!(digits <= 10, "{value:e} {shown:e}");
        }

        #[test]
        fn what_is_written_is_what_is_rounded(value in NORMAL, near in -1e12..1e12, share in 0.0..1.0) {
            for value in [value, near, share, share * share * 1e-3] {
                proptest::prop_assert_eq!(written(value), number(value).unwrap().to_string());
            }
        }
    }
}
