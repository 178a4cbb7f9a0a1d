//! Units of signals and limits: how an analyst writes an amount, and how a report prints one.
//!
//! The only place that knows suffixes. A number without its unit is refused where it could mean two
//! things (`5` for a share), never guessed; the guess goes into the message.

use std::fmt;

/// What a signal's number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// Whole things.
    Count,
    /// A part of a whole, 0 to 1.
    Share,
    /// A duration.
    Seconds,
    /// An amount in the currency of the report.
    Money,
    /// A number without a dimension that is no part of a whole.
    Ratio,
}

/// One way to write a unit: the suffix and what it multiplies by.
type Suffix = (&'static str, f64);

/// How one unit is written.
struct Writing {
    word: &'static str,
    suffixes: &'static [Suffix],
    /// Examples for messages.
    examples: &'static str,
}

/// In the order of [`Unit`].
const WRITINGS: [Writing; 5] = [
    Writing {
        word: "count",
        suffixes: &[("", 1.0), ("k", 1e3), ("M", 1e6)],
        examples: "a whole number such as `500` or `1.5k`",
    },
    Writing {
        word: "share",
        suffixes: &[("", 1.0), ("%", 0.01)],
        examples: "a share such as `30%` or `0.3`",
    },
    Writing {
        word: "seconds",
        suffixes: &[("", 1.0), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)],
        examples: "a duration such as `10s`, `5m`, `48h` or `7d`",
    },
    Writing {
        word: "money",
        suffixes: &[("", 1.0)],
        examples: "an amount without its currency such as `12.50`",
    },
    Writing {
        word: "ratio",
        suffixes: &[("", 1.0), ("%", 0.01)],
        examples: "a number such as `1.4` or `140%`",
    },
];

/// A text that is no amount of the unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitFault {
    /// What was found and what was expected.
    pub message: String,
    /// What was probably meant.
    pub guess: Option<String>,
}

impl fmt::Display for UnitFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.guess.iter().try_for_each(|g| write!(f, "; did you mean {g}?"))
    }
}

impl Unit {
    /// All units.
    pub const ALL: [Unit; 5] = [Unit::Count, Unit::Share, Unit::Seconds, Unit::Money, Unit::Ratio];

    /// The unit's word in documents and messages.
    pub fn word(self) -> &'static str {
        self.writing().word
    }

    /// Examples of how an amount of this unit is written.
    pub fn examples(self) -> &'static str {
        self.writing().examples
    }

    /// Reads an amount: `30%`, `10s`, `1h30m`, `1.5k`, `12.50`.
    ///
    /// # Errors
    /// What was found, what was expected and, where there is one, the probable meaning.
    pub fn parse(self, text: &str) -> Result<f64, UnitFault> {
        let text = text.trim();
        let terms = terms(text).ok_or_else(|| self.no_amount(text))?;
        let value = self.total(&terms).ok_or_else(|| self.wrong_suffix(text, &terms))?;
        match self {
            Unit::Share if value.abs() > 1.0 && terms[0].1.is_empty() => Err(UnitFault {
                message: format!("`{text}` is above 1, but a share lies between 0 and 1"),
                guess: Some(format!("{text}%")),
            }),
            Unit::Count if value.fract() != 0.0 => {
                Err(UnitFault { message: format!("`{text}` is no whole number"), guess: None })
            }
            _ => Ok(value),
        }
    }

    /// The amount for people: `61.2%`, `3m20s`, `1,204.50`, `12,345`, `0.42`.
    pub fn format(self, value: f64) -> String {
        let sign = if value < 0.0 { "-" } else { "" };
        let v = value.abs();
        let text = match self {
            Unit::Count => grouped(v, 0),
            Unit::Share => share(v),
            Unit::Seconds => duration(v),
            Unit::Money => grouped(v, 2),
            Unit::Ratio => grouped(v, if v > 0.0 && v < 0.1 { 3 } else { 2 }),
        };
        let nothing = text.bytes().all(|b| !(b'1'..=b'9').contains(&b));
        if nothing { text } else { format!("{sign}{text}") }
    }

    fn writing(self) -> &'static Writing {
        &WRITINGS[self as usize]
    }

    fn factor(self, suffix: &str) -> Option<f64> {
        self.writing().suffixes.iter().find(|s| s.0 == suffix).map(|s| s.1)
    }

    /// Sums the terms; only durations have several, from the longest unit to the shortest.
    fn total(self, terms: &[(f64, &str)]) -> Option<f64> {
        let factors: Vec<f64> = terms.iter().map(|t| self.factor(t.1)).collect::<Option<_>>()?;
        let falling = factors.windows(2).all(|w| w[0] > w[1]);
        let named = terms.len() == 1 || (self == Unit::Seconds && terms.iter().all(|t| !t.1.is_empty()));
        // Multiplying 29 by 0.01 gives 0.29000000000000004; dividing by 100 gives 0.29.
        let scale = |v: f64, f: f64| if f < 1.0 { v / (1.0 / f).round() } else { v * f };
        (falling && named).then(|| {
            let negative = terms[0].0.is_sign_negative();
            let size: f64 = terms.iter().zip(&factors).map(|(t, &f)| scale(t.0.abs(), f)).sum();
            if negative && size != 0.0 { -size } else { size }
        })
    }

    fn no_amount(self, text: &str) -> UnitFault {
        let found = if text.is_empty() { "nothing".to_owned() } else { format!("`{text}`") };
        UnitFault { message: format!("found {found}, expected {}", self.examples()), guess: None }
    }

    fn wrong_suffix(self, text: &str, terms: &[(f64, &str)]) -> UnitFault {
        let suffix = terms.iter().map(|t| t.1).find(|s| self.factor(s).is_none()).unwrap_or("");
        let other = WRITINGS.iter().find(|w| w.suffixes.iter().any(|s| s.0 == suffix && !suffix.is_empty()));
        let message = match other {
            Some(o) => {
                format!("`{text}` is written as {}, expected {} ({})", o.word, self.word(), self.examples())
            }
            None => format!("`{text}` has no unit that is known here, expected {}", self.examples()),
        };
        UnitFault { message, guess: None }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Splits `1h30m` into numbers with their suffixes; `None` unless the text is made of such terms.
fn terms(text: &str) -> Option<Vec<(f64, &str)>> {
    let mut rest = text;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let signs = usize::from(found.is_empty() && rest.starts_with(['-', '+']));
        let digits = rest[signs..].find(|c: char| !c.is_ascii_digit() && c != '.');
        let end = digits.map_or(rest.len(), |d| d + signs);
        let number = decimal(&rest[..end])?;
        let tail = rest[end..].trim_start();
        let cut = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        found.push((number, tail[..cut].trim_end()));
        rest = &tail[cut..];
    }
    (!found.is_empty()).then_some(found)
}

/// A plain decimal number: no exponent, no infinity, at least one digit on each side of a point.
fn decimal(text: &str) -> Option<f64> {
    let digits = text.trim_start_matches(['-', '+']);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let all = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    (all(whole) && all(part)).then(|| text.parse().ok()).flatten().filter(|v: &f64| v.is_finite())
}

/// `61.2%`; small shares keep two decimals, tiny ones are named as such.
fn share(v: f64) -> String {
    let percent = v * 100.0;
    match percent {
        p if p > 0.0 && p < 0.005 => "<0.01%".to_owned(),
        p if p > 0.0 && p < 0.995 => format!("{p:.2}%"),
        p => format!("{p:.1}%"),
    }
}

/// `4.5s`, `12s`, `3m20s`, `2h05m`, `3.1d`: two digits' worth of the largest unit that fits.
fn duration(v: f64) -> String {
    let (seconds, minutes) = (v.round(), (v / 60.0).round());
    if seconds < 10.0 && v.fract() != 0.0 {
        format!("{v:.1}s")
    } else if seconds < 60.0 {
        format!("{seconds}s")
    } else if seconds < 3600.0 {
        format!("{}m{:02}s", (seconds / 60.0).floor(), seconds % 60.0)
    } else if minutes < 48.0 * 60.0 {
        format!("{}h{:02}m", (minutes / 60.0).floor(), minutes % 60.0)
    } else {
        format!("{}d", grouped(v / 86_400.0, 1))
    }
}

/// Thousands separated by commas.
fn grouped(v: f64, decimals: usize) -> String {
    let text = format!("{v:.decimals$}");
    let (whole, part) = text.split_once('.').map_or((text.as_str(), None), |(w, p)| (w, Some(p)));
    let mut out = String::with_capacity(text.len() + whole.len() / 3);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    part.iter().for_each(|p| out.extend([".", p]));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(unit: Unit, text: &str, expected: f64) {
        assert_eq!(unit.parse(text), Ok(expected), "{text}");
    }

    #[track_caller]
    fn check_fault(unit: Unit, text: &str, expected: &str) {
        assert_eq!(unit.parse(text).expect_err(text).to_string(), expected);
    }

    #[track_caller]
    fn check_format(unit: Unit, value: f64, expected: &str) {
        assert_eq!(unit.format(value), expected);
    }

    #[test]
    fn amounts_are_read_in_their_unit() {
        check(Unit::Share, "30%", 0.3);
        check(Unit::Share, "29%", 0.29);
        check(Unit::Share, "0.3", 0.3);
        check(Unit::Share, "0.5 %", 0.005);
        check(Unit::Seconds, "10s", 10.0);
        check(Unit::Seconds, "5m", 300.0);
        check(Unit::Seconds, "48h", 172_800.0);
        check(Unit::Seconds, "7d", 604_800.0);
        check(Unit::Seconds, "1h30m", 5400.0);
        check(Unit::Seconds, "-1h30m", -5400.0);
        check(Unit::Seconds, "10", 10.0);
        check(Unit::Count, "1.5k", 1500.0);
        check(Unit::Count, "500", 500.0);
        check(Unit::Money, "12.50", 12.5);
        check(Unit::Money, "-50", -50.0);
        check(Unit::Ratio, "1.4", 1.4);
        check(Unit::Ratio, "140%", 1.4);
        check(Unit::Ratio, "-30%", -0.3);
    }

    #[test]
    fn a_fault_says_what_was_found_expected_and_meant() {
        check_fault(Unit::Share, "5", "`5` is above 1, but a share lies between 0 and 1; did you mean 5%?");
        check_fault(
            Unit::Share,
            "10s",
            "`10s` is written as seconds, expected share (a share such as `30%` or `0.3`)",
        );
        check_fault(
            Unit::Count,
            "30%",
            "`30%` is written as share, expected count (a whole number such as `500` or `1.5k`)",
        );
        check_fault(Unit::Count, "2.5", "`2.5` is no whole number");
        check_fault(Unit::Money, "$5", "found `$5`, expected an amount without its currency such as `12.50`");
        check_fault(
            Unit::Money,
            "5 USD",
            "`5 USD` has no unit that is known here, expected an amount without its currency such as `12.50`",
        );
        check_fault(Unit::Ratio, "", "found nothing, expected a number such as `1.4` or `140%`");
    }

    #[test]
    fn only_plain_decimals_are_numbers() {
        for text in ["1e5", "inf", "NaN", "1_000", ".5", "5.", "--5", "1,000", "5m1h", "5 5", "١"] {
            assert!(Unit::ALL.iter().all(|u| u.parse(text).is_err()), "{text}");
        }
    }

    #[test]
    fn amounts_are_printed_for_people() {
        check_format(Unit::Share, 0.612, "61.2%");
        check_format(Unit::Share, 0.0, "0.0%");
        check_format(Unit::Share, 0.00123, "0.12%");
        check_format(Unit::Share, 0.009_99, "1.0%");
        check_format(Unit::Share, 1e-9, "<0.01%");
        check_format(Unit::Seconds, 0.0, "0s");
        check_format(Unit::Seconds, 4.5, "4.5s");
        check_format(Unit::Seconds, 12.0, "12s");
        check_format(Unit::Seconds, 59.7, "1m00s");
        check_format(Unit::Seconds, 200.0, "3m20s");
        check_format(Unit::Seconds, 7500.0, "2h05m");
        check_format(Unit::Seconds, 267_840.0, "3.1d");
        check_format(Unit::Money, 1204.5, "1,204.50");
        check_format(Unit::Money, -0.001, "0.00");
        check_format(Unit::Count, 12_345.0, "12,345");
        check_format(Unit::Count, 1_234_567.0, "1,234,567");
        check_format(Unit::Ratio, 0.42, "0.42");
        check_format(Unit::Ratio, -0.62, "-0.62");
        check_format(Unit::Ratio, 0.042, "0.042");
    }

    #[test]
    fn the_table_is_in_the_order_of_the_units() {
        assert_eq!(Unit::ALL.map(Unit::word), ["count", "share", "seconds", "money", "ratio"]);
    }
}
