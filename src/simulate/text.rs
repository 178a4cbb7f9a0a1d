//! How values are written: times, amounts, IDs.

use super::random::{Rng, mix};
use crate::base::time;
use std::fmt;

/// Seconds in a day.
pub const DAY_S: i64 = 86_400;

/// The digits of base 32 (RFC 4648, lower case).
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Writes times of a few known days: the text of each day is made once.
pub struct Calendar {
    first: i64,
    days: Vec<String>,
}

impl Calendar {
    /// For the days `first..end`, day numbers since 1970.
    pub fn new(first: i64, end: i64) -> Calendar {
        Calendar { first, days: (first..end).map(|day| time::show_day(day as i32)).collect() }
    }

    /// `2026-03-02 13:05:09` of a point in time, seconds since 1970; it lies within the known days.
    pub fn show(&self, at: i64) -> impl fmt::Display {
        let (day, second) = (at.div_euclid(DAY_S), at.rem_euclid(DAY_S));
        let day = &self.days[(day - self.first) as usize];
        fmt::from_fn(move |f| {
            write!(f, "{day} {:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
        })
    }
}

/// The tracker's ID of a click: 100 random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClickId([u8; 20]);

impl ClickId {
    /// An ID that nobody has.
    pub fn fresh(rng: &mut Rng) -> ClickId {
        let (low, high) = (rng.bits(), rng.bits());
        ClickId(std::array::from_fn(|i| digit(if i < 10 { low } else { high }, i % 10)))
    }

    /// An ID that somebody made up by counting: twelve digits that stay, eight decimals that rise.
    pub fn counted(prefix: u64, number: u64) -> ClickId {
        let decimal = |place: usize| b'0' + (number / 10u64.pow(19 - place as u32) % 10) as u8;
        ClickId(std::array::from_fn(|i| if i < 12 { digit(prefix, i) } else { decimal(i) }))
    }
}

impl fmt::Display for ClickId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.0).expect("base 32 is ASCII"))
    }
}

/// The tracker's ID of a conversion: the counted number, scrambled without collisions.
pub fn conversion_id(number: u64) -> impl fmt::Display {
    let scrambled = mix(number);
    fmt::from_fn(move |f| (0..13).try_for_each(|i| fmt::Write::write_char(f, digit(scrambled, i).into())))
}

fn digit(bits: u64, place: usize) -> u8 {
    BASE32[(bits >> (5 * place) & 31) as usize]
}

/// An amount in micro-units with so many decimals; the micro-units below them are cut off.
pub fn amount(micro: i64, decimals: u32) -> impl fmt::Display {
    let (whole, rest) = (micro / 1_000_000, micro % 1_000_000 / 10i64.pow(6 - decimals));
    fmt::from_fn(move |f| write!(f, "{whole}.{rest:0width$}", width = decimals as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_look_as_in_a_tracker() {
        let calendar = Calendar::new(20_514, 20_516);
        assert_eq!(calendar.show(20_514 * DAY_S).to_string(), "2026-03-02 00:00:00");
        assert_eq!(calendar.show(20_515 * DAY_S + 47_109).to_string(), "2026-03-03 13:05:09");
        assert_eq!(amount(291_234, 4).to_string(), "0.2912");
        assert_eq!(amount(12_000_000, 2).to_string(), "12.00");
        assert_eq!(ClickId::fresh(&mut Rng::new(1)).to_string().len(), 20);
        assert_eq!(ClickId::counted(0, 4_107).to_string(), "aaaaaaaaaaaa00004107");
        assert_eq!(conversion_id(1).to_string().len(), 13);
    }
}
