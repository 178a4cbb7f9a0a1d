//! Facts of clicks from counts by hour and by key, where another engine did the counting.
//!
//! What needs the clicks in the order of time (gaps, repeats, windows) does not follow and stays empty.

use super::{DayFacts, Facts, Identity, List};

/// What of [`Facts`] follows from counts by hour and by key alone, whoever counted: sorted lists without zeroes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tallies {
    /// Clicks by local hour since 1970.
    pub hours: Vec<(i32, u32)>,
    /// Keys by their number of clicks, by [`Identity`].
    pub multiplicities: [Vec<(u32, u32)>; 4],
    /// By day since 1970 the clicks with an identity and the pairs of them with the same, by [`Identity`].
    pub days: [Vec<(i32, u32, u64)>; 4],
    /// Distinct pairs of address and agent.
    pub visitors: u32,
    /// Clicks with a conversion.
    pub converted: u32,
}

impl Tallies {
    /// Those of facts.
    pub fn of(facts: &Facts) -> Tallies {
        let hours = facts.days.iter().enumerate().flat_map(|(place, day)| {
            let of_day = facts.hours(place).into_iter().zip(day.day * 24..);
            of_day.filter(|(clicks, _)| *clicks > 0).map(|(clicks, hour)| (hour, clicks))
        });
        let days = |identity: Identity| {
            let of_day =
                |day: &DayFacts| (day.day, day.identified[identity as usize], day.same[identity as usize]);
            facts.days.iter().map(of_day).filter(|(_, clicks, _)| *clicks > 0).collect()
        };
        Tallies {
            hours: hours.collect(),
            multiplicities: IDENTITIES.map(|identity| facts.multiplicities(identity).to_vec()),
            days: IDENTITIES.map(days),
            visitors: facts.ip_agents,
            converted: facts.converted,
        }
    }

    /// Puts the lists in order; hours that stand in several entries are added up.
    pub fn sort(&mut self) {
        self.hours.sort_unstable();
        self.hours.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 += if same { next.1 } else { 0 };
            same
        });
        self.multiplicities.iter_mut().for_each(|list| list.sort_unstable());
        self.days.iter_mut().for_each(|list| list.sort_unstable());
    }

    /// Without what portable SQL cannot count: the networks of addresses.
    pub fn portable(mut self) -> Tallies {
        self.multiplicities[Identity::Net as usize].clear();
        self.days[Identity::Net as usize].clear();
        self
    }

    /// The facts that follow, and nothing else.
    pub fn facts(&self) -> Facts {
        let mut facts = Facts { ip_agents: self.visitors, converted: self.converted, ..Facts::default() };
        let mut days: Vec<DayFacts> = Vec::new();
        let mut lists: Vec<(u32, u32)> = Vec::new();
        for of_day in self.hours.chunk_by(|a, b| a.0.div_euclid(24) == b.0.div_euclid(24)) {
            let day = of_day[0].0.div_euclid(24);
            let clicks = of_day.iter().map(|(_, clicks)| clicks).sum();
            let first = 24 * days.len() as u32;
            lists.extend(of_day.iter().map(|&(hour, clicks)| (first + hour.rem_euclid(24) as u32, clicks)));
            days.push(DayFacts { day, clicks, ..DayFacts::default() });
        }
        facts.ends[List::Hours as usize] = lists.len() as u32;
        facts.ends[List::Gaps as usize] = lists.len() as u32;
        for (at, of_identity) in self.multiplicities.iter().enumerate() {
            lists.extend(of_identity);
            facts.ends[List::Identities as usize + at] = lists.len() as u32;
        }
        facts.ends[List::Agents as usize] = lists.len() as u32;
        for (at, of_identity) in self.days.iter().enumerate() {
            for &(day, clicks, pairs) in of_identity {
                let Ok(place) = days.binary_search_by_key(&day, |d| d.day) else { continue };
                (days[place].identified[at], days[place].same[at]) = (clicks, pairs);
            }
        }
        (facts.days, facts.lists) = (days.into(), lists.into());
        facts
    }
}

/// All identities, in order.
pub const IDENTITIES: [Identity; 4] = [Identity::Ip, Identity::Net, Identity::Asn, Identity::Agent];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::spill::Bound;
    use crate::base::time::Zone;
    use crate::measures::hits::{Hit, Hits};

    /// Clicks of two days with addresses and agents, some of them missing.
    fn facts() -> Facts {
        let hit = |i: u32| Hit {
            second: 1_772_400_000 + i * 1_700,
            ip: u64::from(i % 7),
            net: i % 3,
            agent: i % 5,
            asn: i % 2,
            flags: u8::from(i.is_multiple_of(4)),
            ..Hit::default()
        };
        let mut log = Hits::new(Bound::NONE);
        log.extend(0, (0..90).map(hit)).expect("memory is enough");
        Facts::clone(&log.facts(&[0], 1, Zone::UTC, 1).expect("nothing is read back").groups[0])
    }

    #[test]
    fn facts_come_back_from_their_tallies() {
        let tallies = Tallies::of(&facts());
        assert!(tallies.hours.len() > 24 && tallies.days.iter().all(|days| days.len() == 3));
        assert_eq!(Tallies::of(&tallies.facts()), tallies);
        let (from, back) = (facts(), tallies.facts());
        for identity in IDENTITIES {
            assert_eq!(from.multiplicities(identity), back.multiplicities(identity));
            assert_eq!(from.top(identity), back.top(identity));
        }
        assert_eq!(
            (from.clicks(), from.ip_agents, from.converted),
            (back.clicks(), back.ip_agents, back.converted)
        );
        assert!(back.gaps().is_empty() && back.agents().is_empty());
    }

    #[test]
    fn networks_are_not_portable() {
        let portable = Tallies::of(&facts()).portable().facts();
        assert_eq!(portable.distinct(Identity::Net), 0);
        assert!(portable.distinct(Identity::Ip) > 0);
    }
}
