//! Money is whole micro-units; a decimal number exists only in text.

use std::fmt;

/// Micro-units in one unit of a currency.
pub const SCALE: i64 = 1_000_000;

/// The largest absolute amount one row may carry, in micro-units: ten million units.
pub const ROW_CAP: i64 = 10_000_000 * SCALE;

/// An amount in micro-units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micro(pub i64);

impl Micro {
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
