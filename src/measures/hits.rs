//! The log of clicks from which rhythm and concentration are counted.
//!
//! Gaps, windows, repeats and concentration need the clicks of a group beside each other, not row by row: so
//! clicks are kept as 32 bytes each, put in order of stratum once, and every stratum is counted from a few
//! sorted columns. A group of several strata is counted again from its clicks, because distinct keys, gaps and
//! busy windows do not add up. Counts are whole numbers; the order of clicks never matters.

mod tallies;

#[cfg(test)]
use tallies::IDENTITIES;
pub use tallies::Tallies;

use crate::base::error::Result;
use crate::base::spill::{Bound, Record, Spill};
use crate::base::stats::poisson_at_most;
use crate::base::time::{SECOND, Zone};
use std::cmp::Reverse;
use std::ops::Range;
use std::sync::Arc;

/// A click within this many seconds of the one before it with the same address and agent is a repeat
/// (statistics.md, 2.3).
pub const REPEAT_S: u32 = 60;

/// A longer silence between two clicks is a pause and no gap.
pub const LONGEST_GAP_S: u32 = 3_600;

/// Length of the windows in which bursts are looked for.
pub const BURST_WINDOW_S: u32 = 300;

/// A network is crowded if it holds at least one in so many of the group's clicks that have a network: then a
/// group has at most a hundred crowds, each of which stands out of it. In a very large group this asks for
/// many clicks of one network; what is spread over more than a hundred networks is not concentrated.
pub const CROWD_PART: usize = 100;

/// A crowd has at least so many clicks. In groups below 2,000 clicks one in a hundred would be a household or
/// an office, and too few clicks to see whether they convert.
pub const CROWD_CLICKS: usize = 20;

/// Size of the sample of networks.
pub const NETWORK_SAMPLE: usize = 64;

/// How many of the commonest agents are kept.
pub const TOP_AGENTS: usize = 32;

/// A burst has at least so many clicks in its window.
const BURST_CLICKS: usize = 10;

/// A window is a burst if chance fills it so much less often than this.
const BURST_CHANCE: f64 = 1e-6;

/// Tolerance for the drift of volume within an hour, the slope that the spike scan tolerates, too
/// (statistics.md, 2.2).
const BURST_TOLERANCE: f64 = 1.15;

/// UTC seconds in which local day and hour are the same: zones differ from UTC by whole quarter hours.
const QUARTER_S: u32 = 900;

const HOUR_S: u32 = 3_600;

/// One click, as far as rhythm and concentration need it: 32 bytes. Hashes and numbers are 0 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hit {
    /// Number of the finest group that is counted: it holds the offer.
    pub stratum: u32,
    /// UTC seconds since 1970.
    pub second: u32,
    /// The address, or its hash.
    pub ip: u64,
    /// Hash of the /24 or /48: its lower and its upper bits. A large group has a hundred thousand networks, of
    /// which two would share 32 bits.
    pub net: u32,
    pub net_high: u16,
    /// Hash of the user agent.
    pub agent: u32,
    /// Number of the autonomous system.
    pub asn: u32,
    /// [`Hit::CONVERTED`], [`Hit::BRAND`].
    pub flags: u8,
}

impl Hit {
    /// The click has a conversion.
    pub const CONVERTED: u8 = 1;
    /// Keyword or referrer bear a brand term.
    pub const BRAND: u8 = 2;

    /// The hash of the network, 48 bits of it.
    fn network(&self) -> u64 {
        u64::from(self.net_high) << 32 | u64::from(self.net)
    }

    fn converted(&self) -> bool {
        self.flags & Hit::CONVERTED != 0
    }

    fn brand(&self) -> bool {
        self.flags & Hit::BRAND != 0
    }
}

impl Record for Hit {
    const SIZE: usize = 31;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.stratum.to_le_bytes());
        out.extend_from_slice(&self.second.to_le_bytes());
        out.extend_from_slice(&self.ip.to_le_bytes());
        out.extend_from_slice(&self.net.to_le_bytes());
        out.extend_from_slice(&self.agent.to_le_bytes());
        out.extend_from_slice(&self.asn.to_le_bytes());
        out.extend_from_slice(&self.net_high.to_le_bytes());
        out.push(self.flags);
    }

    fn read(bytes: &[u8]) -> Hit {
        let four = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Hit {
            stratum: four(0),
            second: four(4),
            ip: u64::from(four(12)) << 32 | u64::from(four(8)),
            net: four(16),
            agent: four(20),
            asn: four(24),
            net_high: u16::from_le_bytes([bytes[28], bytes[29]]),
            flags: bytes[30],
        }
    }
}

/// Parts are counted together while they have no more clicks than this.
const FEW: usize = 1 << 20;

/// The clicks of one grain, at most 2³² − 1 a part. All clicks of a group are in one part.
pub struct Hits {
    log: Spill<Hit>,
    clicks: usize,
}

impl Hits {
    /// No clicks yet.
    pub fn new(bound: Bound) -> Hits {
        Hits { log: Spill::new(bound), clicks: 0 }
    }

    /// Whether clicks go into several parts.
    pub fn is_parted(&self) -> bool {
        self.log.parts() > 1
    }

    /// Adds clicks of a group.
    ///
    /// # Errors
    /// They do not fit into memory, and could not be written elsewhere.
    pub fn extend(&mut self, group: u32, hits: impl IntoIterator<Item = Hit>) -> Result<()> {
        let hits = hits.into_iter().inspect(|_| self.clicks += 1);
        self.log.extend(group as usize % self.log.parts(), hits)
    }

    /// Counts the facts of every stratum and of every group of strata.
    ///
    /// `group_of` has the group below `groups` of each stratum. Days and hours are local to `zone`. The result
    /// is the same for any number of threads and parts.
    ///
    /// # Errors
    /// Clicks that did not fit into memory could not be read back.
    pub fn facts(mut self, group_of: &[u32], groups: usize, zone: Zone, threads: usize) -> Result<HitFacts> {
        let (parts, bits) = (self.log.parts(), NetworkClicks::bits(self.clicks));
        HitFacts::of_parts(parts, |part| self.log.take(part), group_of, groups, (zone, threads, bits))
    }

    /// The same, and the clicks are still there.
    ///
    /// # Errors
    /// As [`Hits::facts`].
    pub fn facts_of_copy(
        &self,
        group_of: &[u32],
        groups: usize,
        zone: Zone,
        threads: usize,
    ) -> Result<HitFacts> {
        let (parts, bits) = (self.log.parts(), NetworkClicks::bits(self.clicks));
        HitFacts::of_parts(parts, |part| self.log.copy(part), group_of, groups, (zone, threads, bits))
    }
}

impl HitFacts {
    fn of_parts(
        parts: usize,
        mut log_of: impl FnMut(usize) -> Result<Vec<Hit>>,
        group_of: &[u32],
        groups: usize,
        how: (Zone, usize, u32),
    ) -> Result<HitFacts> {
        let mut all = HitFacts::none(group_of.len(), groups);
        let mut few = Vec::new();
        for part in 0..parts {
            few.append(&mut log_of(part)?);
            if few.len() > FEW || part + 1 == parts {
                let log = std::mem::take(&mut few);
                all.fill(HitFacts::of_part(log, group_of, groups, how));
            }
        }
        Ok(all)
    }

    /// The facts of what has clicks in one part.
    fn of_part(
        mut log: Vec<Hit>,
        group_of: &[u32],
        groups: usize,
        (zone, threads, bits): (Zone, usize, u32),
    ) -> HitFacts {
        let plan = Plan::new(&log, group_of, groups);
        plan.arrange(&mut log);
        let (log, calendar) = (log.as_slice(), Calendar::new(&log, zone));
        let (plan, calendar) = (&plan, &calendar);
        let counted: Vec<HitFacts> = std::thread::scope(|scope| {
            let count = |groups| scope.spawn(move || Counter::new(calendar, bits).groups(log, plan, groups));
            let running: Vec<_> = plan.shares(threads).map(count).collect();
            running.into_iter().map(|share| share.join().expect("counting does not panic")).collect()
        });
        let by_place: Vec<&Arc<Facts>> = counted.iter().flat_map(|share| &share.strata).collect();
        let mut network_clicks = NetworkClicks::default();
        counted.iter().for_each(|share| network_clicks.merge(&share.network_clicks));
        HitFacts {
            network_clicks,
            strata: plan.place.iter().map(|&place| by_place[place as usize].clone()).collect(),
            groups: counted.iter().flat_map(|share| share.groups.iter().cloned()).collect(),
        }
    }

    /// Those of nothing but strata and groups without clicks.
    fn none(strata: usize, groups: usize) -> HitFacts {
        let none = Arc::new(Facts::default());
        HitFacts {
            strata: vec![none.clone(); strata],
            groups: vec![none; groups],
            network_clicks: NetworkClicks::default(),
        }
    }

    /// Takes the facts of strata and groups whose clicks are in another part.
    fn fill(&mut self, other: HitFacts) {
        let take = |(own, other): (&mut Arc<Facts>, Arc<Facts>)| {
            if !other.days.is_empty() {
                *own = other;
            }
        };
        self.network_clicks.merge(&other.network_clicks);
        self.strata.iter_mut().zip(other.strata).for_each(take);
        self.groups.iter_mut().zip(other.groups).for_each(take);
    }
}

/// The facts by number of stratum and of group. A group of one stratum shares its facts.
#[derive(Debug, Default)]
pub struct HitFacts {
    pub strata: Vec<Arc<Facts>>,
    pub groups: Vec<Arc<Facts>>,
    pub network_clicks: NetworkClicks,
}

/// The clicks of every network over all groups: of all networks whose mixed hashes begin alike together. So it says
/// at least as many as there are, and few more as long as a network stands out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkClicks(Vec<u32>);

impl NetworkClicks {
    /// Bits for so many clicks: some places for each, and four megabytes at most.
    fn bits(clicks: usize) -> u32 {
        (usize::BITS - clicks.leading_zeros() + 2).clamp(8, 20)
    }

    fn with_bits(bits: u32) -> NetworkClicks {
        NetworkClicks(vec![0; 1 << bits])
    }

    fn place(&self, mixed: u64) -> usize {
        (mixed >> (64 - self.0.len().trailing_zeros())) as usize
    }

    fn add(&mut self, mixed: u64, clicks: u32) {
        let place = self.place(mixed);
        self.0[place] = self.0[place].saturating_add(clicks);
    }

    /// Adds those of other groups, counted with as many bits.
    fn merge(&mut self, other: &NetworkClicks) {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
            return;
        }
        self.0.iter_mut().zip(&other.0).for_each(|(sum, clicks)| *sum = sum.saturating_add(*clicks));
    }

    /// Clicks of the network with this mixed hash; 0 where nothing was counted.
    pub fn of(&self, mixed: u64) -> u64 {
        if self.0.is_empty() { 0 } else { u64::from(self.0[self.place(mixed)]) }
    }
}

/// A network that holds much of a group's clicks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CrowdedNetwork {
    pub clicks: u32,
    pub converted: u32,
    /// Its mixed hash, as in [`Facts::networks`].
    pub network: u64,
}

/// What may be shared by clicks and tells where they come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    Ip,
    Net,
    Asn,
    Agent,
}

/// Rhythm and concentration of the clicks of one stratum or group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The days with clicks, in order.
    pub days: Box<[DayFacts]>,
    /// All lists one after another, in the order of [`List`]: most groups are tiny, and there are many.
    lists: Box<[(u32, u32)]>,
    ends: [u32; LISTS],
    /// The least [`NETWORK_SAMPLE`] of the mixed hashes of the distinct networks, in order: a sample of the
    /// networks that is the same for every group that has them (bottom-k sketch, Cohen and Kaplan 2007).
    pub networks: Box<[u64]>,
    /// Distinct pairs of address and agent, of clicks that have both.
    pub ip_agents: u32,
    /// Distinct addresses of clicks that have both.
    pub agent_ips: u32,
    /// Clicks with the address and agent of a click of their stratum at most [`REPEAT_S`] before. Clicks
    /// without an address are never repeats; no agent is an agent like any other. Those of a group are the sum
    /// of its strata.
    pub repeats: u32,
    /// The most clicks in one window of [`BURST_WINDOW_S`].
    pub busiest: u32,
    /// Clicks in windows that are bursts: at least ten clicks, where chance alone has so many in less than one
    /// in a million windows of 1.15 times the rest of the hour and of the day.
    pub burst_clicks: u32,
    /// Clicks with a conversion.
    pub converted: u32,
    /// Clicks with a network and a conversion.
    pub net_converted: u32,
    /// Networks with at least one in [`CROWD_PART`] of the clicks and [`CROWD_CLICKS`] clicks.
    pub crowds: u32,
    /// Clicks of crowded networks.
    pub crowd_clicks: u32,
    /// Clicks of crowded networks with a conversion. Behind an honest carrier's address people convert as
    /// elsewhere, a farm of bots does not.
    pub crowd_converted: u32,
    /// Every crowded network, sorted by clicks.
    pub crowded: Box<[CrowdedNetwork]>,
    /// Clicks with a brand term.
    pub brand: u32,
    /// Clicks with a brand term and a conversion.
    pub brand_converted: u32,
}

/// One local day of [`Facts`]. Pairs are ordered: `c` clicks make `c (c − 1)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayFacts {
    /// Days since 1970.
    pub day: i32,
    pub clicks: u32,
    /// Gaps between successive clicks of the day, pauses above [`LONGEST_GAP_S`] left out.
    pub gaps: u32,
    /// Sum of the gaps in seconds.
    pub gap_sum: u32,
    /// Sum of their squares.
    pub gap_squares: u32,
    /// Clicks of the UTC hours that count with this day. An hour that midnight cuts in two (in zones such as
    /// India's) counts with the day of its first click.
    pub hour_clicks: u32,
    /// Pairs of clicks in the same minute, five minutes and hour of these hours.
    pub minute_pairs: u64,
    pub five_minute_pairs: u64,
    pub hour_pairs: u64,
    /// Clicks that have an identity, by [`Identity`].
    pub identified: [u32; 4],
    /// Pairs of clicks of the day with the same identity, by [`Identity`].
    pub same: [u64; 4],
}

impl DayFacts {
    /// Dispersion over the minutes of each hour, as `Σ (60 Σ c² − C²)` and `Σ 59 C`. Their ratio is 1 for
    /// clicks that come by chance, whatever the hour profile: index of dispersion given the hour's total.
    pub fn minute_dispersion(&self) -> (u128, u128) {
        self.dispersion(60, self.minute_pairs)
    }

    /// Dispersion over the five minutes of each hour, as `Σ (12 Σ c² − C²)` and `Σ 11 C`.
    pub fn five_minute_dispersion(&self) -> (u128, u128) {
        self.dispersion(12, self.five_minute_pairs)
    }

    fn dispersion(&self, windows: u128, pairs: u64) -> (u128, u128) {
        let by_chance = (windows - 1) * u128::from(self.hour_clicks);
        (windows * u128::from(pairs) + by_chance - u128::from(self.hour_pairs), by_chance)
    }
}

/// The lists of [`Facts`]; those of identities have the order of [`Identity`].
#[derive(Clone, Copy)]
enum List {
    Hours,
    Gaps,
    Identities,
    Agents = List::Identities as isize + 4,
}

const LISTS: usize = List::Agents as usize + 1;

impl Facts {
    /// Number of clicks.
    pub fn clicks(&self) -> u64 {
        self.days.iter().map(|d| u64::from(d.clicks)).sum()
    }

    /// Clicks by local hour of a day, which is given by its place among [`Facts::days`].
    pub fn hours(&self, day: usize) -> [u32; 24] {
        let (list, first) = (self.list(List::Hours as usize), 24 * day as u32);
        let from = list.partition_point(|&(hour, _)| hour < first);
        let mut hours = [0; 24];
        list[from..].iter().take_while(|&&(hour, _)| hour < first + 24).for_each(|&(hour, clicks)| {
            hours[(hour - first) as usize] = clicks;
        });
        hours
    }

    /// Gaps of the window as sorted seconds with their numbers.
    pub fn gaps(&self) -> &[(u32, u32)] {
        self.list(List::Gaps as usize)
    }

    /// How many keys have how many clicks over the window: sorted click counts with their numbers of keys.
    pub fn multiplicities(&self, identity: Identity) -> &[(u32, u32)] {
        self.list(List::Identities as usize + identity as usize)
    }

    /// Clicks that have this identity.
    pub fn identified(&self, identity: Identity) -> u64 {
        self.multiplicities(identity).iter().map(|&(clicks, keys)| u64::from(clicks) * u64::from(keys)).sum()
    }

    /// Number of distinct keys.
    pub fn distinct(&self, identity: Identity) -> u64 {
        self.multiplicities(identity).iter().map(|&(_, keys)| u64::from(keys)).sum()
    }

    /// Clicks of the commonest key.
    pub fn top(&self, identity: Identity) -> u32 {
        self.multiplicities(identity).last().map_or(0, |&(clicks, _)| clicks)
    }

    /// The [`TOP_AGENTS`] commonest agents' hashes with their clicks, commonest first, then by hash.
    pub fn agents(&self) -> &[(u32, u32)] {
        self.list(List::Agents as usize)
    }

    fn list(&self, list: usize) -> &[(u32, u32)] {
        let start = if list == 0 { 0 } else { self.ends[list - 1] };
        &self.lists[start as usize..self.ends[list] as usize]
    }
}

/// Where the clicks of each stratum stand: strata of a group lie side by side.
struct Plan {
    /// Place of each stratum.
    place: Vec<u32>,
    /// Where the clicks of each place begin, and the end.
    starts: Vec<usize>,
    /// The first place of each group, and the end.
    groups: Vec<usize>,
}

impl Plan {
    fn new(log: &[Hit], group_of: &[u32], groups: usize) -> Plan {
        let first_places = starts(groups, group_of.iter().map(|&group| group as usize));
        let mut next = first_places.clone();
        let mut place_in = |&group: &u32| {
            next[group as usize] += 1;
            next[group as usize] as u32 - 1
        };
        let place: Vec<u32> = group_of.iter().map(&mut place_in).collect();
        let starts = starts(place.len(), log.iter().map(|hit| place[hit.stratum as usize] as usize));
        Plan { place, starts, groups: first_places }
    }

    /// Puts clicks at their places, by swapping: no second log is needed (American flag sort, McIlroy, Bostic
    /// and McIlroy 1993).
    fn arrange(&self, log: &mut [Hit]) {
        let mut next = self.starts.clone();
        for place in 0..self.place.len() {
            while next[place] < self.starts[place + 1] {
                let at = next[place];
                let right = self.place[log[at].stratum as usize] as usize;
                log.swap(at, next[right]);
                next[right] += 1;
            }
        }
    }

    /// The clicks of some neighbouring places.
    fn clicks<'a>(&self, log: &'a [Hit], places: Range<usize>) -> &'a [Hit] {
        &log[self.starts[places.start]..self.starts[places.end]]
    }

    fn places(&self, group: usize) -> Range<usize> {
        self.groups[group]..self.groups[group + 1]
    }

    /// All groups in ranges of about as many clicks each.
    fn shares(&self, threads: usize) -> impl Iterator<Item = Range<usize>> {
        let (groups, clicks) = (self.groups.len() - 1, self.starts[self.starts.len() - 1]);
        let threads = threads.max(1);
        let bound = move |share: usize| match share == threads {
            true => groups,
            false => self.groups[..groups].partition_point(|&at| self.starts[at] < clicks / threads * share),
        };
        (0..threads).map(move |share| bound(share)..bound(share + 1))
    }
}

/// Where the members of each bucket begin, and the end.
fn starts(buckets: usize, members: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut starts = vec![0; buckets + 1];
    members.for_each(|bucket| starts[bucket + 1] += 1);
    for bucket in 0..buckets {
        starts[bucket + 1] += starts[bucket];
    }
    starts
}

/// Local hours of the quarter hours in which there are clicks.
struct Calendar {
    first_quarter: u32,
    /// Local hours since 1970, by quarter; [`NO_HOUR`] where there is no click.
    hours: Vec<i32>,
    days: Range<i32>,
}

/// Bits of the place of a day: times of all years that are taken have fewer days.
const DAY_BITS: u32 = 16;

const NO_HOUR: i32 = i32::MIN;

impl Calendar {
    fn new(log: &[Hit], zone: Zone) -> Calendar {
        let quarters = || log.iter().map(|hit| hit.second / QUARTER_S);
        let (first, last) = (quarters().min().unwrap_or(0), quarters().max().unwrap_or(0));
        let mut hours = vec![NO_HOUR; (last - first) as usize + 1];
        for quarter in quarters() {
            let hour = &mut hours[(quarter - first) as usize];
            if *hour == NO_HOUR {
                let (day, of_day) = zone.day_and_hour(i64::from(quarter * QUARTER_S) * SECOND);
                *hour = day * 24 + i32::from(of_day);
            }
        }
        forbid_return(&mut hours);
        let days = || hours.iter().filter(|h| **h != NO_HOUR).map(|h| h.div_euclid(24));
        let days = days().min().unwrap_or(0)..days().max().unwrap_or(0) + 1;
        Calendar { first_quarter: first, hours, days }
    }

    /// Days since the first one, and hour of the day.
    fn day_and_hour(&self, second: u32) -> (usize, u32) {
        let hour = self.hours[(second / QUARTER_S - self.first_quarter) as usize] - self.days.start * 24;
        (hour as usize / 24, hour as u32 % 24)
    }
}

/// Lets no later quarter have an earlier hour: where clocks were set back over midnight (St. John's until
/// 2011) a day would end twice.
fn forbid_return(hours: &mut [i32]) {
    let mut latest = NO_HOUR;
    for hour in hours.iter_mut().filter(|h| **h != NO_HOUR) {
        latest = latest.max(*hour);
        *hour = latest;
    }
}

/// The days of the clicks at hand.
struct Days<'a> {
    calendar: &'a Calendar,
    /// Place of each day of the calendar among the facts; only those of days at hand mean something.
    places: Vec<u32>,
    facts: Vec<DayFacts>,
}

impl Days<'_> {
    /// Appends the day if it is not the last one; its place.
    fn open(&mut self, day: usize) -> usize {
        let number = self.calendar.days.start + day as i32;
        if self.facts.last().is_none_or(|last| last.day != number) {
            self.places[day] = self.facts.len() as u32;
            self.facts.push(DayFacts { day: number, ..DayFacts::default() });
        }
        self.facts.len() - 1
    }

    fn place(&self, second: u32) -> usize {
        self.places[self.calendar.day_and_hour(second).0] as usize
    }

    /// Counts the clicks of one key, given by the places of their days in order; their number.
    fn count_key(&mut self, identity: Identity, places: impl Iterator<Item = u16>) -> u32 {
        let (mut clicks, mut of_day, mut place) = (0, 0, usize::MAX);
        for now in places {
            let now = usize::from(now);
            of_day = if now == place { of_day + 1 } else { 0 };
            place = now;
            self.facts[place].identified[identity as usize] += 1;
            self.facts[place].same[identity as usize] += 2 * of_day;
            clicks += 1;
        }
        clicks
    }
}

/// Counts one stratum or group after another; its buffers are used again.
struct Counter<'a> {
    days: Days<'a>,
    seconds: Vec<u32>,
    /// Key and place of the day of each click that has a key, as one number.
    keyed: Vec<u64>,
    /// Places of the days of one address's clicks.
    of_days: Vec<u16>,
    /// Address, agent and second of each click that has an address, as one number.
    addressed: Vec<u128>,
    /// Clicks of each key.
    sizes: Vec<u32>,
    /// Number of gaps by second, and the seconds that have any.
    gaps: Vec<u32>,
    gap_seconds: Vec<u32>,
    /// Mixed hashes of the distinct networks.
    networks: Vec<u64>,
    /// Clicks by network of the strata so far; those of a group are those of its strata.
    network_clicks: NetworkClicks,
    /// Keys of one identity with their clicks.
    keys: Vec<(u64, u32)>,
    lists: Vec<(u32, u32)>,
    facts: Facts,
}

impl<'a> Counter<'a> {
    fn new(calendar: &'a Calendar, bits: u32) -> Counter<'a> {
        Counter {
            days: Days { calendar, places: vec![0; calendar.days.len()], facts: Vec::new() },
            seconds: Vec::new(),
            keyed: Vec::new(),
            of_days: Vec::new(),
            addressed: Vec::new(),
            sizes: Vec::new(),
            gaps: vec![0; LONGEST_GAP_S as usize + 1],
            gap_seconds: Vec::new(),
            networks: Vec::new(),
            network_clicks: NetworkClicks::with_bits(bits),
            keys: Vec::new(),
            lists: Vec::new(),
            facts: Facts::default(),
        }
    }

    /// The facts of these groups and of their strata, by place.
    fn groups(&mut self, log: &[Hit], plan: &Plan, groups: Range<usize>) -> HitFacts {
        let none = Arc::new(Facts::default());
        let mut counted = HitFacts::none(0, 0);
        for group in groups {
            let places = plan.places(group);
            let first = counted.strata.len();
            for place in places.clone() {
                let clicks = plan.clicks(log, place..place + 1);
                let facts = if clicks.is_empty() { none.clone() } else { Arc::new(self.count(clicks, true)) };
                counted.strata.push(facts);
            }
            let union = self.union(&counted.strata[first..], plan.clicks(log, places));
            counted.groups.push(union.unwrap_or_else(|| none.clone()));
        }
        counted.network_clicks = std::mem::take(&mut self.network_clicks);
        counted
    }

    /// The facts of all these clicks, which are those of these strata; `None` without clicks.
    fn union(&mut self, strata: &[Arc<Facts>], clicks: &[Hit]) -> Option<Arc<Facts>> {
        let mut filled = strata.iter().filter(|facts| !facts.days.is_empty());
        let first = filled.next()?;
        if filled.next().is_none() {
            return Some(first.clone());
        }
        let repeats = strata.iter().map(|facts| facts.repeats).sum();
        Some(Arc::new(Facts { repeats, ..self.count(clicks, false) }))
    }

    /// Counts in the order of [`List`]; `anew` are clicks of which none was counted before.
    fn count(&mut self, clicks: &[Hit], anew: bool) -> Facts {
        self.seconds.clear();
        self.seconds.extend(clicks.iter().map(|hit| hit.second));
        self.seconds.sort_unstable();
        self.count_hours();
        self.count_gaps();
        self.count_windows();
        self.count_addresses(clicks);
        self.count_networks(clicks, anew);
        self.count_keys(Identity::Asn, clicks, |hit| u64::from(hit.asn));
        self.count_agents(clicks);
        self.count_flags(clicks);
        self.take()
    }

    fn count_hours(&mut self) {
        for quarter in self.seconds.chunk_by(|a, b| a / QUARTER_S == b / QUARTER_S) {
            let (day, hour) = self.days.calendar.day_and_hour(quarter[0]);
            let place = self.days.open(day);
            self.days.facts[place].clicks += quarter.len() as u32;
            add_to_last(&mut self.lists, place as u32 * 24 + hour, quarter.len() as u32);
        }
        self.end_list(List::Hours as usize);
    }

    fn count_gaps(&mut self) {
        for pair in 1..self.seconds.len() {
            let (before, second) = (self.seconds[pair - 1], self.seconds[pair]);
            let same_quarter = before / QUARTER_S == second / QUARTER_S;
            let near = second - before <= LONGEST_GAP_S;
            if same_quarter || near && self.days.place(before) == self.days.place(second) {
                self.count_gap(second, second - before);
            }
        }
        self.gap_seconds.sort_unstable();
        for second in self.gap_seconds.drain(..) {
            self.lists.push((second, std::mem::take(&mut self.gaps[second as usize])));
        }
        self.end_list(List::Gaps as usize);
    }

    fn count_gap(&mut self, second: u32, gap: u32) {
        let number = &mut self.gaps[gap as usize];
        if *number == 0 {
            self.gap_seconds.push(gap);
        }
        *number += 1;
        let place = self.days.place(second);
        let day = &mut self.days.facts[place];
        day.gaps += 1;
        day.gap_sum += gap;
        day.gap_squares += gap * gap;
    }

    /// Pairs in windows, and bursts. Windows are those of the UTC clock: every zone has the same.
    fn count_windows(&mut self) {
        for hour in self.seconds.chunk_by(|a, b| a / HOUR_S == b / HOUR_S) {
            let place = self.days.place(hour[0]);
            let day = &mut self.days.facts[place];
            day.hour_clicks += hour.len() as u32;
            day.hour_pairs += pairs(hour.len());
            for window in hour.chunk_by(|a, b| a / BURST_WINDOW_S == b / BURST_WINDOW_S) {
                day.five_minute_pairs += pairs(window.len());
                let minutes = window.chunk_by(|a, b| a / 60 == b / 60);
                day.minute_pairs += minutes.map(|minute| pairs(minute.len())).sum::<u64>();
                self.facts.busiest = self.facts.busiest.max(window.len() as u32);
                if is_burst(window.len(), hour.len(), day.clicks) {
                    self.facts.burst_clicks += window.len() as u32;
                }
            }
        }
    }

    fn count_addresses(&mut self, clicks: &[Hit]) {
        self.addressed.clear();
        self.addressed.extend(clicks.iter().filter(|hit| hit.ip != 0).map(addressed));
        self.addressed.sort_unstable();
        for of_ip in self.addressed.chunk_by(|a, b| a >> 64 == b >> 64) {
            count_agents_of(of_ip, &mut self.facts);
            self.of_days.clear();
            self.of_days.extend(of_ip.iter().map(|&click| self.days.place(click as u32) as u16));
            self.of_days.sort_unstable();
            self.sizes.push(self.days.count_key(Identity::Ip, self.of_days.iter().copied()));
        }
        self.end_identity(Identity::Ip);
    }

    fn count_networks(&mut self, clicks: &[Hit], anew: bool) {
        self.count_keys(Identity::Net, clicks, Hit::network);
        self.networks.extend(self.keys.iter().map(|&(net, _)| mixed(net)));
        if anew {
            let with_clicks = self.networks.iter().zip(&self.keys);
            with_clicks.for_each(|(&mixed, &(_, size))| self.network_clicks.add(mixed, size));
        }
        keep_least(&mut self.networks, NETWORK_SAMPLE, |&network| network);
        let least = CROWD_CLICKS.max(self.keyed.len().div_ceil(CROWD_PART));
        self.keys.retain(|&(_, size)| size as usize >= least);
        let crowd =
            |&(net, clicks): &(u64, u32)| CrowdedNetwork { clicks, converted: 0, network: mixed(net) };
        let mut crowded: Vec<CrowdedNetwork> = self.keys.iter().map(crowd).collect();
        for hit in clicks.iter().filter(|hit| hit.network() != 0 && hit.converted()) {
            self.facts.net_converted += 1;
            if let Ok(at) = self.keys.binary_search_by_key(&hit.network(), |&(net, _)| net) {
                crowded[at].converted += 1;
            }
        }
        crowded.sort_unstable();
        self.facts.crowds = crowded.len() as u32;
        self.facts.crowd_clicks = crowded.iter().map(|crowd| crowd.clicks).sum();
        self.facts.crowd_converted = crowded.iter().map(|crowd| crowd.converted).sum();
        self.facts.crowded = crowded.into();
    }

    fn count_agents(&mut self, clicks: &[Hit]) {
        self.count_keys(Identity::Agent, clicks, |hit| u64::from(hit.agent));
        keep_least(&mut self.keys, TOP_AGENTS, |&(agent, size)| (Reverse(size), agent));
        self.lists.extend(self.keys.drain(..).map(|(agent, size)| (agent as u32, size)));
        self.end_list(List::Agents as usize);
    }

    /// Counts the clicks of every key, 0 left out, and lists the keys in order.
    fn count_keys(&mut self, identity: Identity, clicks: &[Hit], key: impl Fn(&Hit) -> u64) {
        let days = &self.days;
        let keyed = |hit: &Hit| key(hit) << DAY_BITS | days.place(hit.second) as u64;
        self.keyed.clear();
        self.keyed.extend(clicks.iter().filter(|hit| key(hit) != 0).map(keyed));
        self.keyed.sort_unstable();
        self.keys.clear();
        for of_key in self.keyed.chunk_by(|a, b| a >> DAY_BITS == b >> DAY_BITS) {
            let size = self.days.count_key(identity, of_key.iter().map(|&click| click as u16));
            self.keys.push((of_key[0] >> DAY_BITS, size));
            self.sizes.push(size);
        }
        self.end_identity(identity);
    }

    fn end_identity(&mut self, identity: Identity) {
        self.sizes.sort_unstable();
        let of_size = |sizes: &[u32]| (sizes[0], sizes.len() as u32);
        self.lists.extend(self.sizes.chunk_by(|a, b| a == b).map(of_size));
        self.sizes.clear();
        self.end_list(List::Identities as usize + identity as usize);
    }

    fn end_list(&mut self, list: usize) {
        self.facts.ends[list] = self.lists.len() as u32;
    }

    fn count_flags(&mut self, clicks: &[Hit]) {
        for hit in clicks {
            self.facts.converted += u32::from(hit.converted());
            self.facts.brand += u32::from(hit.brand());
            self.facts.brand_converted += u32::from(hit.brand() && hit.converted());
        }
    }

    /// What was counted; the buffers are empty again.
    fn take(&mut self) -> Facts {
        let mut facts = std::mem::take(&mut self.facts);
        facts.days = self.days.facts.as_slice().into();
        facts.lists = self.lists.as_slice().into();
        facts.networks = self.networks.as_slice().into();
        self.days.facts.clear();
        self.lists.clear();
        self.networks.clear();
        facts
    }
}

fn addressed(hit: &Hit) -> u128 {
    u128::from(hit.ip) << 64 | u128::from(hit.agent) << 32 | u128::from(hit.second)
}

/// Counts the agents and the repeats of one address, whose clicks are sorted by agent and second.
fn count_agents_of(of_ip: &[u128], facts: &mut Facts) {
    let mut agents = 0;
    for of_agent in of_ip.chunk_by(|a, b| a >> 32 == b >> 32) {
        agents += u32::from((of_agent[0] >> 32) as u32 != 0);
        let repeats = of_agent.windows(2).filter(|pair| pair[1] - pair[0] <= u128::from(REPEAT_S));
        facts.repeats += repeats.count() as u32;
    }
    facts.ip_agents += agents;
    facts.agent_ips += u32::from(agents > 0);
}

/// Adds to the last entry if it has this key, or appends one.
fn add_to_last(list: &mut Vec<(u32, u32)>, key: u32, count: u32) {
    match list.last_mut() {
        Some(last) if last.0 == key => last.1 += count,
        _ => list.push((key, count)),
    }
}

/// Keeps the least `size` of a list, in order.
fn keep_least<T, K: Ord>(list: &mut Vec<T>, size: usize, key: impl Fn(&T) -> K) {
    if list.len() > size {
        list.select_nth_unstable_by_key(size, &key);
        list.truncate(size);
    }
    list.sort_unstable_by_key(key);
}

/// Ordered pairs of `clicks`.
fn pairs(clicks: usize) -> u64 {
    clicks as u64 * (clicks as u64).saturating_sub(1)
}

/// Whether so many clicks in one window are more than the rest of their hour and their day explain.
///
/// Poisson's upper tail lies above the normal one: what is within four deviations needs no look at it.
fn is_burst(window: usize, hour: usize, day: u32) -> bool {
    let usual = BURST_TOLERANCE * f64::max((hour - window) as f64 / 11.0, f64::from(day) / 288.0);
    window >= BURST_CLICKS
        && window as f64 > usual + 4.0 * usual.sqrt()
        && 1.0 - poisson_at_most(window as u64 - 1, usual) < BURST_CHANCE
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014): close hashes become unrelated ones.
fn mixed(net: u64) -> u64 {
    let mut mixed = net.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// SplitMix64: the same numbers in every run.
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: u64) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ z >> 31) % end
        }

        fn shuffle<T>(&mut self, list: &mut [T]) {
            (1..list.len()).rev().for_each(|at| list.swap(at, self.below(at as u64 + 1) as usize));
        }
    }

    /// How a log is made. Keys below the number given, 0 among them.
    #[derive(Clone, Copy)]
    struct Shape {
        hits: u64,
        strata: u64,
        groups: u64,
        start: u32,
        seconds: u64,
        ips: u64,
        nets: u64,
        agents: u64,
        /// One in so many clicks is followed by some more within seconds.
        storms: u64,
        zone: &'static str,
    }

    /// 2026-10-24 12:00 UTC: half a day before clocks are set back in Berlin.
    const OCTOBER: u32 = 1_792_843_200;

    const PLAIN: Shape = Shape {
        hits: 600,
        strata: 7,
        groups: 3,
        start: OCTOBER,
        seconds: 3 * 86_400,
        ips: 150,
        nets: 12,
        agents: 9,
        storms: 40,
        zone: "Europe/Berlin",
    };

    fn log(shape: &Shape, seed: u64) -> Vec<Hit> {
        let mut random = Random(seed);
        let mut log: Vec<Hit> = Vec::new();
        for _ in 0..shape.hits {
            let hit = Hit {
                stratum: random.below(shape.strata) as u32,
                second: shape.start + random.below(shape.seconds) as u32,
                ip: random.below(shape.ips) << 40,
                net: random.below(shape.nets) as u32,
                net_high: random.below(2) as u16,
                agent: random.below(shape.agents) as u32 * 0x0101_0101,
                asn: random.below(4) as u32,
                flags: random.below(4) as u8,
            };
            let storm = if random.below(shape.storms) == 0 { random.below(30) } else { 0 };
            let more = (0..=storm).map(|_| Hit { second: hit.second + random.below(200) as u32, ..hit });
            log.extend(more.collect::<Vec<Hit>>());
        }
        log
    }

    fn group_of(shape: &Shape) -> Vec<u32> {
        (0..shape.strata).map(|stratum| (stratum * 7 % shape.groups) as u32).collect()
    }

    fn facts(shape: &Shape, log: Vec<Hit>, threads: usize, bound: Bound) -> HitFacts {
        let (mut hits, group_of) = (Hits::new(bound), group_of(shape));
        for hit in log {
            hits.extend(group_of[hit.stratum as usize], [hit]).expect("a temporary file");
        }
        let zone = shape.zone.parse().expect("a zone");
        hits.facts(&group_of, shape.groups as usize, zone, threads).expect("what was written")
    }

    /// Some parts, of which hardly any fits into memory.
    const TIGHT: Bound = Bound { bytes: 31 * 100, parts: 3 };

    /// What [`Facts`] say, computed and laid out without care for time and space.
    #[derive(Debug, Default, PartialEq)]
    struct Plain {
        days: Vec<DayFacts>,
        hours: Vec<[u32; 24]>,
        gaps: BTreeMap<u32, u32>,
        multiplicities: Vec<BTreeMap<u32, u32>>,
        agents: Vec<(u32, u32)>,
        networks: Vec<u64>,
        crowded: Vec<CrowdedNetwork>,
        identities: [u32; 2],
        repeats: u32,
        bursts: [u32; 2],
        converted: [u32; 2],
        crowds: [u32; 3],
        brand: [u32; 2],
    }

    fn key(hit: &Hit, identity: Identity) -> u64 {
        match identity {
            Identity::Ip => hit.ip,
            Identity::Net => hit.network(),
            Identity::Asn => u64::from(hit.asn),
            Identity::Agent => u64::from(hit.agent),
        }
    }

    fn plain(facts: &Facts) -> Plain {
        Plain {
            days: facts.days.to_vec(),
            hours: (0..facts.days.len()).map(|day| facts.hours(day)).collect(),
            gaps: facts.gaps().iter().copied().collect(),
            multiplicities: IDENTITIES.map(|i| facts.multiplicities(i).iter().copied().collect()).to_vec(),
            agents: facts.agents().to_vec(),
            networks: facts.networks.to_vec(),
            crowded: facts.crowded.to_vec(),
            identities: [facts.ip_agents, facts.agent_ips],
            repeats: facts.repeats,
            bursts: [facts.busiest, facts.burst_clicks],
            converted: [facts.converted, facts.net_converted],
            crowds: [facts.crowds, facts.crowd_clicks, facts.crowd_converted],
            brand: [facts.brand, facts.brand_converted],
        }
    }

    fn counted<K: Ord>(keys: impl Iterator<Item = K>) -> BTreeMap<K, u32> {
        let mut counts = BTreeMap::new();
        keys.for_each(|key| *counts.entry(key).or_default() += 1);
        counts
    }

    fn count<'a>(hits: impl IntoIterator<Item = &'a Hit>, held: impl Fn(&Hit) -> bool) -> u32 {
        hits.into_iter().filter(|hit| held(hit)).count() as u32
    }

    fn naive(hits: &[Hit], zone: Zone) -> Plain {
        let local = |hit: &Hit| zone.day_and_hour(i64::from(hit.second) * SECOND);
        let days: Vec<i32> = counted(hits.iter().map(|hit| local(hit).0)).into_keys().collect();
        let of_day = |day: i32| hits.iter().copied().filter(|hit| local(hit).0 == day).collect::<Vec<Hit>>();
        let hours = |day: &i32| {
            let mut hours = [0; 24];
            of_day(*day).iter().for_each(|hit| hours[usize::from(local(hit).1)] += 1);
            hours
        };
        let multiplicities = |identity| {
            let keys = hits.iter().map(|hit| key(hit, identity)).filter(|&key| key != 0);
            counted(counted(keys).into_values())
        };
        let nets = counted(hits.iter().map(Hit::network).filter(|&net| net != 0));
        let mut networks: Vec<u64> = nets.keys().map(|&net| mixed(net)).collect();
        networks.sort_unstable();
        networks.truncate(NETWORK_SAMPLE);
        let mut agents: Vec<(u32, u32)> =
            counted(hits.iter().map(|hit| hit.agent).filter(|&agent| agent != 0)).into_iter().collect();
        agents.sort_by_key(|&(agent, clicks)| (Reverse(clicks), agent));
        agents.truncate(TOP_AGENTS);
        let both: BTreeSet<(u64, u32)> =
            hits.iter().filter(|h| h.ip != 0 && h.agent != 0).map(|h| (h.ip, h.agent)).collect();
        let least = (f64::from(nets.values().sum::<u32>()) / 100.0).max(20.0);
        let crowd = |hit: &Hit| nets.get(&hit.network()).is_some_and(|&clicks| f64::from(clicks) >= least);
        let converted = |net| count(hits, |hit| hit.network() == net && hit.converted());
        let large = nets.iter().filter(|&(_, &clicks)| f64::from(clicks) >= least);
        let mut crowded: Vec<CrowdedNetwork> = large
            .map(|(&net, &clicks)| CrowdedNetwork { clicks, converted: converted(net), network: mixed(net) })
            .collect();
        crowded.sort();
        Plain {
            days: days.iter().map(|&day| naive_day(day, &of_day(day), hits, local)).collect(),
            hours: days.iter().map(hours).collect(),
            gaps: counted(days.iter().flat_map(|&day| naive_gaps(&of_day(day)))),
            multiplicities: IDENTITIES.map(multiplicities).to_vec(),
            agents,
            networks,
            crowded,
            identities: [both.len() as u32, both.iter().map(|b| b.0).collect::<BTreeSet<_>>().len() as u32],
            repeats: naive_repeats(hits),
            bursts: naive_bursts(hits, local),
            converted: [count(hits, Hit::converted), count(hits, |h| h.converted() && h.network() != 0)],
            crowds: [
                nets.values().filter(|&&clicks| f64::from(clicks) >= least).count() as u32,
                count(hits, crowd),
                count(hits, |h| crowd(h) && h.converted()),
            ],
            brand: [count(hits, Hit::brand), count(hits, |h| h.brand() && h.converted())],
        }
    }

    fn naive_gaps(of_day: &[Hit]) -> Vec<u32> {
        let mut seconds: Vec<u32> = of_day.iter().map(|hit| hit.second).collect();
        seconds.sort_unstable();
        seconds.windows(2).map(|pair| pair[1] - pair[0]).filter(|&gap| gap <= 3_600).collect()
    }

    fn sum_of_pairs<K: Ord>(keys: impl Iterator<Item = K>) -> u64 {
        counted(keys).into_values().map(|c| u64::from(c) * u64::from(c - 1)).sum()
    }

    fn naive_day(day: i32, of_day: &[Hit], hits: &[Hit], local: impl Fn(&Hit) -> (i32, u8)) -> DayFacts {
        let gaps = naive_gaps(of_day);
        let begins = |hit: &Hit| {
            let same_hour = hits.iter().filter(|other| other.second / 3_600 == hit.second / 3_600);
            local(same_hour.min_by_key(|other| other.second).expect("the hit itself")).0 == day
        };
        let windowed: Vec<Hit> = hits.iter().copied().filter(begins).collect();
        let window_pairs = |length| sum_of_pairs(windowed.iter().map(|hit| hit.second / length));
        let keys = |identity| of_day.iter().map(move |hit| key(hit, identity)).filter(|&key| key != 0);
        DayFacts {
            day,
            clicks: of_day.len() as u32,
            gaps: gaps.len() as u32,
            gap_sum: gaps.iter().sum(),
            gap_squares: gaps.iter().map(|gap| gap * gap).sum(),
            hour_clicks: windowed.len() as u32,
            minute_pairs: window_pairs(60),
            five_minute_pairs: window_pairs(300),
            hour_pairs: window_pairs(3_600),
            identified: IDENTITIES.map(|identity| keys(identity).count() as u32),
            same: IDENTITIES.map(|identity| sum_of_pairs(keys(identity))),
        }
    }

    fn naive_repeats(hits: &[Hit]) -> u32 {
        let mut of_visitor: BTreeMap<(u32, u64, u32), Vec<u32>> = BTreeMap::new();
        for hit in hits.iter().filter(|hit| hit.ip != 0) {
            of_visitor.entry((hit.stratum, hit.ip, hit.agent)).or_default().push(hit.second);
        }
        of_visitor.values_mut().for_each(|seconds| seconds.sort_unstable());
        of_visitor.values().flat_map(|s| s.windows(2)).filter(|pair| pair[1] - pair[0] <= 60).count() as u32
    }

    fn naive_bursts(hits: &[Hit], local: impl Fn(&Hit) -> (i32, u8)) -> [u32; 2] {
        let hours = counted(hits.iter().map(|hit| hit.second / 3_600));
        let days = counted(hits.iter().map(|hit| local(hit).0));
        let mut found = [0, 0];
        for (window, clicks) in counted(hits.iter().map(|hit| hit.second / 300)) {
            let in_hour = hits.iter().filter(|hit| hit.second / 3_600 == window / 12);
            let day = days[&local(in_hour.min_by_key(|hit| hit.second).expect("a click")).0];
            let rest = f64::from(hours[&(window / 12)] - clicks) / 11.0;
            let tail = poisson_tail(clicks, rest.max(f64::from(day) / 288.0) * 1.15);
            found[0] = found[0].max(clicks);
            found[1] += if clicks >= 10 && tail < 1e-6 { clicks } else { 0 };
        }
        found
    }

    /// The upper tail, term by term.
    fn poisson_tail(least: u32, mean: f64) -> f64 {
        let mut term = (1..=least).fold((-mean).exp(), |term, k| term * mean / f64::from(k));
        let terms = (least + 1..least + 400).map(|k| {
            let this = term;
            term *= mean / f64::from(k);
            this
        });
        terms.sum()
    }

    fn check(shape: Shape) {
        let log = log(&shape, shape.hits);
        let spilled = facts(&shape, log.clone(), 2, TIGHT);
        let facts = facts(&shape, log.clone(), 2, Bound::NONE);
        assert_eq!(spilled.strata, facts.strata);
        assert_eq!(spilled.groups, facts.groups);
        let (zone, group_of) = (shape.zone.parse().expect("a zone"), group_of(&shape));
        let of =
            |held: &dyn Fn(u32) -> bool| log.iter().copied().filter(|h| held(h.stratum)).collect::<Vec<_>>();
        assert_eq!((facts.strata.len(), facts.groups.len()), (shape.strata as usize, shape.groups as usize));
        for (number, stratum) in facts.strata.iter().enumerate() {
            assert_eq!(plain(stratum), naive(&of(&|s| s == number as u32), zone), "stratum {number}");
        }
        for (number, group) in facts.groups.iter().enumerate() {
            let union = of(&|s| group_of[s as usize] == number as u32);
            assert_eq!(plain(group), naive(&union, zone), "group {number}");
        }
    }

    #[test]
    fn facts_are_those_of_the_naive_count() {
        check(PLAIN);
        check(Shape { storms: 4, ..PLAIN });
        check(Shape { strata: 1, groups: 1, ..PLAIN });
        check(Shape { strata: 1, groups: 1, nets: 400, hits: 2_500, agents: 90, storms: 4_000, ..PLAIN });
        check(Shape { strata: 300, groups: 40, ..PLAIN });
        check(Shape { strata: 90, groups: 90, hits: 30, ..PLAIN });
        check(Shape { seconds: 1, ..PLAIN });
        check(Shape { seconds: 7_200, ..PLAIN });
        check(Shape { ips: 1, nets: 1, agents: 1, ..PLAIN });
        check(Shape { ips: 2, agents: 2, storms: 1, hits: 100, ..PLAIN });
        check(Shape { seconds: 2 * 365 * 86_400, ..PLAIN });
        check(Shape { hits: 0, ..PLAIN });
        check(Shape { hits: 1, ..PLAIN });
    }

    /// Hours that midnight cuts, clocks that are set forth and back by an hour or half of one.
    #[test]
    fn days_and_hours_are_local() {
        for zone in ["UTC", "Asia/Kolkata", "Asia/Kathmandu", "America/New_York", "Africa/Cairo"] {
            check(Shape { zone, seconds: 10 * 86_400, ..PLAIN });
        }
        let april = 1_774_958_400;
        check(Shape { zone: "Australia/Lord_Howe", start: april, seconds: 5 * 86_400, ..PLAIN });
        let march = 1_774_656_000;
        check(Shape { start: march, seconds: 2 * 86_400, ..PLAIN });
    }

    /// In St. John's of 2010, one minute past midnight was followed by 23:01.
    #[test]
    fn a_day_ends_once() {
        let midnight = 1_289_097_000;
        let shape = Shape { zone: "America/St_Johns", start: midnight - 7_200, seconds: 4 * 3_600, ..PLAIN };
        let facts = facts(&shape, log(&shape, 1), 1, Bound::NONE);
        assert!(facts.groups.iter().all(|group| group.days.len() == 2));
    }

    #[test]
    fn neither_order_nor_threads_matter() {
        let shape = Shape { strata: 40, groups: 11, storms: 10, ..PLAIN };
        let mut log = log(&shape, 3);
        let expected = facts(&shape, log.clone(), 1, Bound::NONE);
        let mut random = Random(9);
        for threads in [1, 2, 3, 64, 0] {
            random.shuffle(&mut log);
            let again = facts(&shape, log.clone(), threads, Bound::NONE);
            assert_eq!(again.strata, expected.strata, "{threads}");
            assert_eq!(again.groups, expected.groups, "{threads}");
        }
    }

    #[test]
    fn a_group_of_one_stratum_shares_its_facts() {
        let shape = Shape { strata: 10, groups: 10, ..PLAIN };
        let facts = facts(&shape, log(&shape, 1), 2, Bound::NONE);
        for (stratum, group) in group_of(&shape).into_iter().enumerate() {
            assert!(Arc::ptr_eq(&facts.strata[stratum], &facts.groups[group as usize]), "{stratum}");
        }
    }

    /// A million groups of one click fit beside each other.
    #[test]
    fn a_tiny_group_is_small() {
        assert_eq!(size_of::<Hit>(), 32);
        let shape = Shape { hits: 1, strata: 1, groups: 1, storms: u64::MAX, ..PLAIN };
        let facts = facts(&shape, log(&shape, 5), 1, Bound::NONE);
        let facts = &facts.groups[0];
        let held = size_of_val(&*facts.days) + size_of_val(&*facts.lists) + size_of_val(&*facts.networks);
        assert!(size_of::<Facts>() + held <= 320, "{} and {held}", size_of::<Facts>());
    }

    /// Clicks at chance have dispersion 1, a metronome's is 0.
    #[test]
    fn dispersion_tells_a_metronome_from_chance() {
        let ratio = |hits: Vec<Hit>, of: fn(&DayFacts) -> (u128, u128)| {
            let sums =
                alone(hits.into_iter()).days.iter().map(of).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
            sums.0 as f64 / sums.1 as f64
        };
        let at = |second| Hit { second: OCTOBER + second, ..Hit::default() };
        let metronome: Vec<Hit> = (0..86_400 / 30).map(|beat| at(beat * 30)).collect();
        assert_eq!(ratio(metronome.clone(), DayFacts::minute_dispersion), 0.0);
        assert_eq!(ratio(metronome, DayFacts::five_minute_dispersion), 0.0);
        let mut random = Random(4);
        let chance: Vec<Hit> = (0..20_000).map(|_| at(random.below(86_400) as u32)).collect();
        for of in [DayFacts::minute_dispersion, DayFacts::five_minute_dispersion] {
            let chance = ratio(chance.clone(), of);
            assert!((chance - 1.0).abs() < 0.2, "{chance}");
        }
    }

    fn alone(hits: impl Iterator<Item = Hit>) -> Arc<Facts> {
        let shape = Shape { strata: 1, groups: 1, zone: "UTC", ..PLAIN };
        facts(&shape, hits.collect(), 1, Bound::NONE).groups[0].clone()
    }

    #[test]
    fn a_gap_may_last_an_hour() {
        let facts =
            alone([0, 3_600, 7_201].into_iter().map(|s| Hit { second: OCTOBER + s, ..Hit::default() }));
        assert_eq!(facts.gaps(), [(3_600, 1)]);
    }

    /// A network that has `crowd` of the group's clicks with a network, all others having one each.
    fn crowds(crowd: u32, clicks: u32) -> u32 {
        let net = |click| if click < crowd { 1 } else { click + 1 };
        let without = Hit { second: OCTOBER, ..Hit::default() };
        let with = (0..clicks).map(|click| Hit { net: net(click), ..without });
        alone(with.chain((0..5_000).map(|_| without))).crowds
    }

    #[test]
    fn a_crowd_has_twenty_clicks_and_one_in_a_hundred() {
        assert_eq!([crowds(19, 100), crowds(20, 100), crowds(20, 2_000)], [0, 1, 1]);
        assert_eq!(
            [crowds(20, 2_001), crowds(21, 2_001), crowds(49, 4_950), crowds(50, 4_950)],
            [0, 1, 0, 1]
        );
    }

    #[test]
    fn a_burst_is_what_the_tail_says() {
        for (window, rest, day) in (1..160)
            .flat_map(|w| (0..90).map(move |r| (w, r * 9)))
            .flat_map(|(w, r)| [0, 500, 4_001, 20_000].map(|more| (w, r, w + r + more)))
        {
            let usual = 1.15 * f64::max(f64::from(rest) / 11.0, f64::from(day) / 288.0);
            let expected = window >= 10 && poisson_tail(window, usual) < 1e-6;
            let burst = is_burst(window as usize, (window + rest) as usize, day);
            assert_eq!(burst, expected, "{window} {rest} {day}");
        }
    }

    #[test]
    fn bursts_stand_out_of_their_hour_and_their_day() {
        let burst =
            |window, hour, day, expected| assert_eq!(is_burst(window, hour, day), expected, "{window}");
        burst(9, 9, 9, false);
        burst(10, 10, 10, true);
        burst(40, 40 + 11 * 40, 12_000, false);
        burst(40, 40, 12_000, false);
        burst(120, 120 + 11 * 40, 12_000, true);
        burst(4_000_000, 4_000_000, 4_000_000, true);
    }
}
