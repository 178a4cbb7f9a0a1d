//! Money is whole micro-units; a decimal number exists only in text.
//!
//! What one impression costs has seven to nine decimals. Costs of single clicks are therefore finer, at a scale
//! of their currency's, until they are added up. How much one row may carry depends on the currency, too.

use std::fmt;

/// Micro-units in one unit of a currency.
pub const SCALE: i64 = 1_000_000;

/// Billionths: what text is read as.
pub const NANO: i128 = 1_000_000_000;

/// The largest absolute amount of one row in units of a currency that is worth about a dollar.
const ROW_UNITS: i128 = 10_000_000;

/// Currencies of which ten and more units make a dollar, and how many powers of ten, rounded down. Rates of
/// early 2026; only the order of magnitude matters.
#[rustfmt::skip]
const SMALL_CURRENCIES: &[(&str, u32)] = &[
    ("AMD", 2), ("AOA", 2), ("ARS", 3), ("BDT", 2), ("BIF", 3), ("CDF", 3), ("CLP", 2), ("COP", 3), ("CRC", 2),
    ("CZK", 1), ("DZD", 2), ("GNF", 3), ("HUF", 2), ("IDR", 4), ("INR", 1), ("IQD", 3), ("IRR", 5), ("ISK", 2),
    ("JPY", 2), ("KES", 2), ("KHR", 3), ("KRW", 3), ("KZT", 2), ("LAK", 4), ("LBP", 4), ("LKR", 2), ("MGA", 3),
    ("MMK", 3), ("MNT", 3), ("MWK", 3), ("MXN", 1), ("NGN", 3), ("NPR", 2), ("PHP", 1), ("PKR", 2), ("PYG", 3),
    ("RSD", 2), ("RUB", 1), ("RWF", 3), ("SOS", 2), ("SYP", 4), ("THB", 1), ("TRY", 1), ("TWD", 1), ("TZS", 3),
    ("UAH", 1), ("UGX", 3), ("UYU", 1), ("UZS", 4), ("VND", 4), ("XAF", 2), ("XOF", 2), ("YER", 2), ("ZMW", 1),
];

/// Currency marks in amounts, and the currencies each may stand for; where nothing else says the currency, it
/// is the first.
#[rustfmt::skip]
const MARKS: &[(&str, &[&str])] = &[
    ("$", &["USD", "AUD", "CAD", "NZD", "SGD", "HKD", "MXN", "ARS", "CLP", "COP", "TWD", "UYU"]),
    ("US$", &["USD"]), ("A$", &["AUD"]), ("C$", &["CAD"]), ("HK$", &["HKD"]), ("MX$", &["MXN"]), ("NZ$", &["NZD"]),
    ("R$", &["BRL"]), ("S$", &["SGD"]), ("€", &["EUR"]), ("£", &["GBP", "EGP", "LBP", "SYP"]), ("¥", &["JPY", "CNY"]),
    ("₽", &["RUB"]), ("руб", &["RUB"]), ("₴", &["UAH"]), ("₸", &["KZT"]), ("₹", &["INR", "NPR", "LKR"]),
    ("₦", &["NGN"]), ("₫", &["VND"]), ("₺", &["TRY"]), ("₩", &["KRW"]), ("₱", &["PHP"]), ("฿", &["THB"]),
    ("₪", &["ILS"]), ("₾", &["GEL"]), ("₼", &["AZN"]), ("₮", &["MNT", "USDT"]), ("zł", &["PLN"]), ("Kč", &["CZK"]),
    ("Ft", &["HUF"]), ("kr", &["SEK", "NOK", "DKK", "ISK"]), ("лв", &["BGN"]),
];

/// Powers of ten of a currency's units in a dollar.
fn magnitude(code: Option<&str>) -> u32 {
    code.and_then(|code| SMALL_CURRENCIES.iter().find(|(c, _)| *c == code)).map_or(0, |(_, m)| *m)
}

/// The largest absolute amount one row may carry, in billionths.
pub fn row_cap(code: Option<&str>) -> i128 {
    ROW_UNITS * NANO * 10i128.pow(magnitude(code))
}

/// Parts of a micro-unit that the cost of one click is kept in: 1000 for currencies like the dollar, so nine
/// decimals; 1 from a thousand units a dollar on, so that sums stay far below what 64 bits hold.
pub fn cost_parts(code: Option<&str>) -> i64 {
    10i64.pow(3 - magnitude(code).min(3))
}

/// Billionths as whole parts of a micro-unit, so many of them in one; rounded half away from zero. `None` if
/// 64 bits do not hold them.
pub fn to_parts(nano: i128, parts: i64) -> Option<i64> {
    let step = NANO as i64 / SCALE / parts;
    match i64::try_from(nano) {
        // Nearly all amounts: a division of 128 bits takes several times as long.
        Ok(nano) if nano.unsigned_abs() < 1 << 62 => Some((nano + nano.signum() * (step / 2)) / step),
        _ => i64::try_from(rounded(nano, i128::from(step))).ok(),
    }
}

/// Parts of micro-units as micro-units; rounded half away from zero.
pub fn from_parts(sum: i64, parts: i64) -> i64 {
    rounded(i128::from(sum), i128::from(parts)) as i64
}

fn rounded(value: i128, step: i128) -> i128 {
    (value + value.signum() * (step / 2)) / step
}

/// A sign or code of a currency beside an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The currencies it may stand for.
    Sign(&'static [&'static str]),
    /// A code of three to five capitals, filled up with zeroes.
    Code([u8; 5]),
}

impl Mark {
    /// Reads what stands beside an amount.
    pub fn of(text: &str) -> Option<Mark> {
        let sign = MARKS.iter().find(|(mark, _)| *mark == text.trim_end_matches('.'));
        let is_code = (3..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase());
        let code = || {
            let mut code = [0; 5];
            code[..text.len()].copy_from_slice(text.as_bytes());
            Mark::Code(code)
        };
        sign.map(|(_, codes)| Mark::Sign(codes)).or_else(|| is_code.then(code))
    }

    /// Whether an amount with this mark may be in a currency.
    pub fn fits(&self, code: &str) -> bool {
        match self {
            Mark::Sign(codes) => codes.contains(&code),
            Mark::Code(_) => self.code() == code,
        }
    }

    /// The currency, where nothing else says one.
    pub fn code(&self) -> &str {
        match self {
            Mark::Sign(codes) => codes[0],
            Mark::Code(code) => std::str::from_utf8(code).unwrap_or_default().trim_end_matches('\0'),
        }
    }
}

/// An amount in micro-units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micro(pub i64);

impl Micro {
    /// The sum of amounts in micro-units; what 64 bits do not hold is the largest they do.
    pub fn total(amounts: &[i64]) -> Micro {
        Micro(amounts.iter().fold(0, |sum, amount| sum.saturating_add(*amount)))
    }

    /// Units of the currency as a float, for ratios only.
    pub fn units(self) -> f64 {
        self.0 as f64 / SCALE as f64
    }

    /// Two decimals, rounded half away from zero: `1204.50`.
    pub fn to_cents(self) -> String {
        let cents = (self.0.unsigned_abs() + 5_000) / 10_000;
        let sign = if self.0 < 0 && cents > 0 { "-" } else { "" };
        format!("{sign}{}.{:02}", cents / 100, cents % 100)
    }
}

impl fmt::Display for Micro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_cents())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_name_nothing_twice() {
        assert!(SMALL_CURRENCIES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (at, (mark, codes)) in MARKS.iter().enumerate() {
            assert!(!codes.is_empty() && !MARKS[..at].iter().any(|(earlier, _)| earlier == mark), "{mark}");
        }
    }

    #[test]
    fn what_a_row_may_carry_depends_on_the_currency() {
        assert_eq!(row_cap(None), 10_000_000 * NANO);
        assert_eq!(row_cap(Some("EUR")), 10_000_000 * NANO);
        assert_eq!(row_cap(Some("VND")), 100_000_000_000 * NANO);
    }

    /// Nine of the largest rows of any currency fit into a sum, and the costs of 10,000 clicks at ten dollars
    /// each in one cell.
    #[test]
    fn sums_do_not_overflow() {
        for code in SMALL_CURRENCIES.iter().map(|(code, _)| Some(*code)).chain([None]) {
            assert!(to_parts(row_cap(code), 1).expect("64 bits hold it") <= i64::MAX / 9, "{code:?}");
            let ten_dollars = to_parts(row_cap(code) / 1_000_000, cost_parts(code)).expect("64 bits hold it");
            assert!(ten_dollars <= i64::MAX / 10_000, "{code:?}");
        }
    }

    #[test]
    fn parts_round_half_away_from_zero() {
        assert_eq!(to_parts(1_234_567, 1_000), Some(1_234_567));
        assert_eq!(to_parts(1_499, 1), Some(1));
        assert_eq!((to_parts(1_500, 1), to_parts(-1_500, 1)), (Some(2), Some(-2)));
        assert_eq!((from_parts(1_500, 1_000), from_parts(-1_500, 1_000), from_parts(7, 1)), (2, -2, 7));
        assert_eq!(to_parts(i128::MAX / 4, 1), None);
    }

    #[test]
    fn marks_say_which_currencies_they_may_be() {
        let dollar = Mark::of("$").expect("a mark");
        assert!(dollar.fits("USD") && dollar.fits("CAD") && !dollar.fits("EUR"));
        for (text, code) in [("$", "USD"), ("USDT", "USDT"), ("руб.", "RUB"), ("BRL", "BRL"), ("R$", "BRL")]
        {
            assert_eq!(Mark::of(text).expect(text).code(), code);
        }
        assert_eq!((Mark::of("x"), Mark::of("usd"), Mark::of("")), (None, None, None));
    }
}
