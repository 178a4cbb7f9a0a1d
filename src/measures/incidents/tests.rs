use super::cells::waits;
use super::*;
use crate::base::draws::Draws;
use crate::measures::declared::{Kind, MEASURES};

/// Traffic of `sources` over `days` days for offers named by two digits, at networks of five offers each.
struct World {
    offers: u32,
    sources: u32,
    days: i32,
    /// Mean clicks of a source, offer and day; sources differ by a log-normal.
    clicks: f64,
    /// The standard deviation of the log rate between days, half of which a day hands on to the next.
    noise: f64,
    weekend: f64,
    seed: u64,
}

const WORLD: World =
    World { offers: 3, sources: 12, days: 14, clicks: 400.0, noise: 0.15, weekend: 0.7, seed: 1 };

/// What is multiplied to a rate: offer, source, day.
type Fault = fn(u32, u32, i32) -> f64;

const NO_FAULT: Fault = |_, _, _| 1.0;

const NAMES: [&str; 60] = {
    let mut names = [""; 60];
    let all = "000102030405060708091011121314151617181920212223242526272829\
               303132333435363738394041424344454647484950515253545556575859";
    let mut at = 0;
    while at < 60 {
        names[at] = all.split_at(2 * at).1.split_at(2).0;
        at += 1;
    }
    names
};

impl World {
    fn cells(&self, fault: Fault) -> Vec<Cell<'static>> {
        let mut rng = Draws(self.seed);
        let mut cells = Vec::new();
        for offer in 0..self.offers {
            let mut drift = 0.0;
            let days: Vec<f64> = (0..self.days)
                .map(|day| {
                    drift = 0.5 * drift + 0.75f64.sqrt() * self.noise * rng.normal();
                    drift + if day % 7 > 4 { self.weekend.ln() } else { 0.0 }
                })
                .collect();
            for source in 0..self.sources {
                let clicks = self.clicks * rng.normal().exp();
                let rate = 0.01 * (0.4 * rng.normal()).exp();
                for day in 0..self.days {
                    let clicks = rng.poisson(clicks);
                    let rate = rate * days[day as usize].exp() * fault(offer, source, day);
                    let converted = rng.poisson(clicks as f64 * rate).min(clicks);
                    let (offer, network) = (NAMES[offer as usize], NAMES[offer as usize / 5]);
                    let cell = Cell {
                        offer: Some(offer),
                        network: Some(network),
                        group: source,
                        day,
                        clicks,
                        converted,
                    };
                    cells.push(cell);
                }
            }
        }
        cells.sort_unstable();
        cells
    }
}

/// Unit, first and last day of every incident.
fn found(cells: &[Cell]) -> Vec<String> {
    let unit = |i: &Incident| i.unit.as_ref().map_or("all".to_owned(), |(c, n)| format!("{c} {}", n.raw()));
    find(cells).iter().map(|i| format!("{} {}-{}", unit(i), i.first_day, i.last_day)).collect()
}

#[track_caller]
fn check(world: &World, fault: Fault, expected: &[&str]) {
    assert_eq!(found(&world.cells(fault)), expected);
}

#[test]
fn a_silence_of_an_offer_is_found() {
    let fault: Fault = |offer, _, day| if offer == 1 && (5..=6).contains(&day) { 0.0 } else { 1.0 };
    check(&WORLD, fault, &["offer 01 5-6"]);
    let incident = &find(&WORLD.cells(fault))[0];
    assert_eq!((incident.observed, incident.fell), (0, incident.told));
    assert!(incident.low < incident.expected && incident.expected < incident.high && incident.ln_p < -15.0);
}

#[test]
fn a_drop_below_half_is_found_where_days_are_alike() {
    let world = World { clicks: 1_000.0, noise: 0.08, weekend: 0.9, ..WORLD };
    check(&world, |offer, _, day| if offer == 2 && day == 8 { 0.42 } else { 1.0 }, &["offer 02 8-8"]);
    check(&world, |offer, _, day| if offer == 2 && day == 8 { 0.7 } else { 1.0 }, &[]);
}

#[test]
fn a_drop_to_a_quarter_is_found_where_days_differ() {
    let world = World { clicks: 1_000.0, ..WORLD };
    check(&world, |offer, _, day| if offer == 2 && day == 8 { 0.25 } else { 1.0 }, &["offer 02 8-8"]);
}

#[test]
fn a_silence_of_many_tiny_sources_is_found() {
    let world = World { sources: 400, clicks: 10.0, ..WORLD };
    check(&world, |offer, _, day| if offer == 0 && day == 3 { 0.0 } else { 1.0 }, &["offer 00 3-3"]);
}

#[test]
fn an_offer_that_is_capped_for_most_of_the_time_is_found() {
    check(&WORLD, |offer, _, day| if offer == 0 && day >= 5 { 0.0 } else { 1.0 }, &["offer 00 5-13"]);
}

#[test]
fn a_network_whose_offers_all_fell_is_one_incident() {
    let world = World { offers: 8, ..WORLD };
    check(&world, |offer, _, day| if offer < 5 && day == 9 { 0.0 } else { 1.0 }, &["network 00 9-9"]);
    check(
        &world,
        |offer, _, day| if offer < 2 && day == 9 { 0.0 } else { 1.0 },
        &["offer 00 9-9", "offer 01 9-9"],
    );
    check(&world, |_, _, day| if day == 9 { 0.0 } else { 1.0 }, &["all 9-9"]);
}

#[test]
fn what_a_few_sources_do_is_no_incident() {
    check(&WORLD, |_, source, day| if source == 0 && day > 9 { 0.0 } else { 1.0 }, &[]);
    check(&WORLD, |_, source, day| if source < 3 && day > 9 { 0.0 } else { 1.0 }, &[]);
    check(&WORLD, |_, source, day| if source < 2 && day < 9 { 20.0 } else { 1.0 }, &[]);
    check(&World { sources: 2, ..WORLD }, |_, _, day| if day == 9 { 0.0 } else { 1.0 }, &[]);
}

#[test]
fn a_source_that_dominates_is_not_the_offer() {
    let mut cells = WORLD.cells(NO_FAULT);
    for cell in cells.iter_mut().filter(|cell| cell.group == 0) {
        cell.clicks *= 40;
        cell.converted = if cell.day == 9 { 0 } else { cell.converted * 40 };
    }
    assert!(found(&cells).is_empty());
}

#[test]
fn honest_offers_have_no_incidents() {
    let mut false_ones = 0;
    for (seed, noise) in [(11, 0.1), (12, 0.2), (13, 0.3), (14, 0.2)] {
        let world = World { offers: 50, sources: 30, clicks: 100.0, noise, seed, ..WORLD };
        false_ones += find(&world.cells(NO_FAULT)).len();
    }
    assert!(false_ones <= 1, "{false_ones} on 2,800 days of offers");
}

#[test]
fn weak_weekends_are_no_incidents() {
    let world = World { clicks: 3_000.0, noise: 0.1, weekend: 0.35, ..WORLD };
    check(&world, NO_FAULT, &[]);
    check(&world, |_, _, day| if day == 8 { 0.0 } else { 1.0 }, &["network 00 8-8"]);
}

#[test]
fn too_little_traffic_has_no_answer() {
    assert!(find(&[]).is_empty());
    check(&World { clicks: 3.0, ..WORLD }, |_, _, day| if day == 9 { 0.0 } else { 1.0 }, &[]);
    check(&World { days: 4, ..WORLD }, |_, _, day| if day == 3 { 0.0 } else { 1.0 }, &[]);
    check(&WORLD, |_, _, _| 0.0, &[]);
}

#[test]
fn an_offer_that_starts_or_ends_is_no_incident() {
    let mut cells = WORLD.cells(NO_FAULT);
    cells.retain(|cell| cell.offer != Some("01") || (3..11).contains(&cell.day));
    assert!(found(&cells).is_empty());
}

#[test]
fn incidents_cover_their_unit_and_days() {
    let cells = WORLD.cells(|offer, _, day| if offer == 1 && day == 5 { 0.0 } else { 1.0 });
    let incident = &find(&cells)[0];
    assert!(incident.covers(Some("01"), Some("00"), 5) && incident.covers(Some("01"), None, 5));
    assert!(!incident.covers(Some("00"), Some("01"), 5) && !incident.covers(None, None, 5));
    assert!(!incident.covers(Some("01"), None, 4));
}

#[test]
fn what_waits_is_kept_by_day() {
    for measure in MEASURES.iter().filter(|m| waits(m)) {
        assert!(matches!(measure.kind, Kind::Count | Kind::Sum(_)) && !measure.of_log(), "{}", measure.name);
    }
}
