//! How the events of groups are spread, beside their peers': counted once more from what a run has in memory, for
//! the groups that are shown in detail.

use super::Workings;
use crate::base::column::Col;
use crate::base::text::Text;
use crate::matching::MatchedConversion;
use crate::measures::{GrainMeasures, Identity, M, Totals};
use crate::peers::{Crowd, Shapes};
use crate::report::{CTIT, Day, Gallery, Pictures, RANKS, Spread, ordered};
use crate::verdicts::{Judged, Verdict};
use std::collections::BTreeMap;

type Key = Vec<Option<Text>>;

/// The keys of groups by what stands in their columns.
type Wanted<'k, 'n> = BTreeMap<Vec<Option<&'k str>>, &'n Key>;

/// The pictures of the gravest groups at watch or graver, at most `most`.
pub fn gallery(workings: &Workings, trusted: &[String], most: usize) -> Gallery {
    let flagged = ordered(workings.groups).into_iter().filter(|g| g.verdict <= Verdict::Watch);
    of(workings, trusted, &flagged.take(most).collect::<Vec<_>>())
}

/// The pictures of these groups.
pub fn of(workings: &Workings, trusted: &[String], groups: &[&Judged]) -> Gallery {
    let mut gallery = Gallery::new();
    for grain in &workings.measures.grains {
        let keys = groups.iter().filter(|g| g.subject.grain == grain.grain).map(|g| &g.subject.key);
        let wanted: Wanted =
            keys.map(|key| (key.iter().map(|t| t.as_ref().map(Text::raw)).collect(), key)).collect();
        if !wanted.is_empty() {
            gallery.insert(grain.grain.clone(), of_grain(workings, grain, trusted, &wanted));
        }
    }
    gallery
}

fn of_grain(
    workings: &Workings,
    grain: &GrainMeasures,
    trusted: &[String],
    wanted: &Wanted,
) -> BTreeMap<Key, Pictures> {
    let crowd = Crowd::new(grain, trusted);
    let shapes = PICTURED.map(|histogram| (histogram, crowd.shapes(histogram)));
    let mut rows = rows(workings, grain, wanted);
    let mut pictures = BTreeMap::new();
    for (place, group) in grain.groups.iter().enumerate() {
        let key: Vec<Option<&str>> = group.key.iter().map(Option::as_deref).collect();
        let Some(&name) = wanted.get(&key) else { continue };
        let rows = rows.remove(name).unwrap_or_default();
        let [ctit, hours, addresses, networks, agents] =
            shapes.each_ref().map(|(histogram, shapes)| spread(histogram(&group.totals), shapes, place));
        let days = days(workings, &group.totals, &rows);
        pictures.insert(name.clone(), Pictures { ctit, hours, days, addresses, networks, agents });
    }
    pictures
}

/// The histograms of [`Pictures`], in their order.
const PICTURED: [fn(&Totals) -> Vec<u64>; 5] = [
    ctit,
    hours,
    |totals| ranks(totals, Identity::Ip),
    |totals| ranks(totals, Identity::Net),
    |totals| ranks(totals, Identity::Agent),
];

/// The conversions of the groups that are wanted.
fn rows<'a, 'n>(
    workings: &Workings<'a, '_>,
    grain: &GrainMeasures,
    wanted: &Wanted<'_, 'n>,
) -> BTreeMap<&'n Key, Vec<&'a MatchedConversion>> {
    let mut rows: BTreeMap<&Key, Vec<&MatchedConversion>> = BTreeMap::new();
    let places = places(workings, grain.grain.columns());
    for m in &workings.matched.conversions {
        let key: Vec<Option<&str>> = places.iter().map(|&at| workings.symbols.text(m.columns[at])).collect();
        if let Some(name) = wanted.get(key.as_slice()) {
            rows.entry(name).or_default().push(m);
        }
    }
    rows
}

/// Where the columns of a grain stand in those of a conversion.
pub fn places(workings: &Workings, columns: &[Col]) -> Vec<usize> {
    let place = |col: &Col| workings.columns.iter().position(|c| c == col).expect("rows are placed by it");
    columns.iter().map(place).collect()
}

fn spread(own: Vec<u64>, shapes: &Shapes, group: usize) -> Spread {
    if own.iter().all(|n| *n == 0) {
        return Spread::default();
    }
    Spread { own, peers: shapes.of(group) }
}

fn ctit(totals: &Totals) -> Vec<u64> {
    let mut counts = vec![0; CTIT.len()];
    for &(seconds, n) in totals.values(M::Ctit).iter() {
        let at = CTIT.iter().position(|(end, _)| seconds < *end).unwrap_or(CTIT.len() - 1);
        counts[at] += n;
    }
    counts
}

fn hours(totals: &Totals) -> Vec<u64> {
    let mut counts = vec![0; 24];
    for &(hour, n) in totals.values(M::Hours).iter() {
        counts[hour.rem_euclid(24) as usize] += n;
    }
    counts
}

/// Clicks by the rank of their address, network or user agent.
fn ranks(totals: &Totals, identity: Identity) -> Vec<u64> {
    let mut counts = vec![0; RANKS.len()];
    let mut rank = 0;
    for &(clicks, keys) in totals.facts().multiplicities(identity).iter().rev() {
        let (clicks, mut keys) = (u64::from(clicks), u64::from(keys));
        for (count, (last, _)) in counts.iter_mut().zip(RANKS) {
            let taken = keys.min(last.saturating_sub(rank));
            *count += taken * clicks;
            (rank, keys) = (rank + taken, keys - taken);
        }
    }
    counts
}

/// Clicks by day, and the conversions that came of them; of unknown clicks those of the day itself.
fn days(workings: &Workings, totals: &Totals, rows: &[&MatchedConversion]) -> Vec<Day> {
    let mut days: BTreeMap<i32, (u64, u64)> = BTreeMap::new();
    for &(hour, n) in totals.values(M::Hours).iter() {
        days.entry(hour.div_euclid(24) as i32).or_default().0 += n;
    }
    for m in rows {
        let (day, _) = workings.clock.zone.day_and_hour(m.click_time.unwrap_or(m.conversion.time));
        days.entry(day).or_default().1 += 1;
    }
    days.into_iter().map(|(day, (clicks, conversions))| Day { day, clicks, conversions }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measures::Hit;

    #[test]
    fn clicks_are_counted_by_the_rank_of_their_address() {
        let mut hits = Vec::new();
        for address in 1..=20u64 {
            let clicks = if address == 7 { 30 } else { 2 };
            hits.extend((0..clicks).map(|second| Hit { second, ip: address, ..Hit::default() }));
        }
        let totals = Totals::of(&[], &[], hits);
        assert_eq!(ranks(&totals, Identity::Ip), [30, 18, 20]);
        assert_eq!(ranks(&totals, Identity::Agent), [0, 0, 0]);
    }
}
