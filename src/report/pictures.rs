//! How the events of one group are spread over time and visitors, beside its peers': for people to look at.
//!
//! No verdict rests on any of it. It is counted for the groups that an output shows in detail, and for no others.

use crate::peers;

/// The pictures of one group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pictures {
    /// Conversions by their time from the click, in the buckets of [`CTIT`].
    pub ctit: Spread,
    /// Clicks by hour of the day.
    pub hours: Spread,
    /// By click day.
    pub days: Vec<Day>,
    /// Clicks by the rank of what they came from, in the buckets of [`RANKS`]: addresses, networks, user agents.
    pub addresses: Spread,
    pub networks: Spread,
    pub agents: Spread,
}

/// Events by bucket, beside the peers'.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spread {
    /// Empty where there are no events.
    pub own: Vec<u64>,
    /// `None` where there are too few peers.
    pub peers: Option<peers::Shape>,
}

/// What came on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// Days since 1970 in the zone of the run.
    pub day: i32,
    pub clicks: u64,
    /// Conversions of the clicks of this day.
    pub conversions: u64,
}

/// The buckets of addresses, networks and user agents by how many clicks each of them sent: the rank up to which a
/// bucket goes, and its name.
pub const RANKS: &[(u64, &str)] = &[(1, "the busiest"), (10, "the next nine"), (u64::MAX, "all others")];

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The buckets of the time from click to conversion: the second at which the next one begins, and its name.
pub const CTIT: &[(i64, &str)] = &[
    (10, "0–10 s"),
    (30, "10–30 s"),
    (MINUTE, "30–60 s"),
    (5 * MINUTE, "1–5 min"),
    (15 * MINUTE, "5–15 min"),
    (HOUR, "15–60 min"),
    (3 * HOUR, "1–3 h"),
    (12 * HOUR, "3–12 h"),
    (DAY, "12–24 h"),
    (3 * DAY, "1–3 days"),
    (7 * DAY, "3–7 days"),
    (i64::MAX, "over 7 days"),
];
