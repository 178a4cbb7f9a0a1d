//! Traffic of days with crowds, timers, bursts and players: enough of it for every signal to say something.

use super::{AGENTS, COUNTRIES, Case, Dice, KEYWORDS, REFERRERS, STATUSES, facts, finished, pick};
use crate::reference::{ClickRow, ConversionRow, DAY, SECOND};
use proptest::prelude::*;

const QUARTER: i64 = 900 * SECOND;

/// A few sources of some hundred clicks in all, with what players do.
pub fn dense() -> impl Strategy<Value = Case> {
    (any::<u64>(), facts()).prop_map(|(seed, mut facts)| {
        let mut dice = Dice(seed);
        let has = |columns: &Option<_>| columns.is_some();
        if !has(&facts.click_columns) && !has(&facts.conversion_columns) {
            facts.click_columns = Some(super::CLICK_COLUMNS.iter().copied().collect());
        }
        if let (None, Some(columns)) = (&facts.click_columns, &mut facts.conversion_columns) {
            columns.insert("source");
        }
        let start = [20_537, 20_600, 20_746][dice.roll(3)] * DAY;
        let mut traffic = Traffic { dice, start, clicks: Vec::new(), conversions: Vec::new() };
        let sources = 2 + traffic.dice.roll(4);
        (0..sources).for_each(|at| traffic.source(&format!("zone-{at}")));
        match traffic.dice.roll(4) {
            0 => traffic.report_on_quarter_hours(),
            1 => traffic.report_in_one_go(),
            _ => {}
        }
        finished(traffic.clicks, traffic.conversions, facts, 0)
    })
}

struct Traffic {
    dice: Dice,
    start: i64,
    clicks: Vec<ClickRow>,
    conversions: Vec<ConversionRow>,
}

/// When the clicks of a source come.
#[derive(Clone, Copy)]
enum Rhythm {
    /// Every so many seconds.
    Timer(usize),
    /// In the same minutes of each day.
    Bursts,
    /// Somewhen in so many hours of each day.
    Chance(usize),
}

impl Traffic {
    fn source(&mut self, name: &str) {
        let dice = &mut self.dice;
        let (days, size) = (1 + dice.roll(8), 20 + dice.roll(140) + dice.roll(6) / 5 * 400);
        let rhythm = match dice.roll(4) {
            0 => Rhythm::Timer(1 + dice.roll(120)),
            1 => Rhythm::Bursts,
            2 => Rhythm::Chance(1),
            _ => Rhythm::Chance(24),
        };
        // Crowds: so many of ten clicks come from so many networks, which convert or not.
        let (crowd, networks, idle) = (dice.roll(11), 1 + dice.roll(4), dice.roll(2) == 0);
        let (counting, converting) = (dice.roll(4) == 0, 1 + dice.roll(6));
        for at in 0..size {
            let in_crowd = self.dice.roll(10) < crowd;
            let time = self.time(rhythm, at, days);
            let click = self.click(name, at, time, in_crowd.then_some(networks), counting);
            let converts = self.dice.roll(10) < converting && !(in_crowd && idle);
            if converts && self.conversions.len() < 400 {
                self.player(&click);
            }
            match self.dice.roll(40) {
                0 => self.clicks.push(click.clone()),
                // Another source was there before; another click has the same ID.
                1..6 => self.clicks.push(ClickRow {
                    click_id: Some(format!("before-{name}-{at}")),
                    time: click.time - self.dice.roll(8) as i64 * SECOND,
                    source: Some("stuffer".to_owned()),
                    ..click.clone()
                }),
                // The visitor comes again, just within a minute or just not.
                7..9 => self.clicks.push(ClickRow {
                    click_id: Some(format!("again-{name}-{at}")),
                    time: click.time + (59 + self.dice.roll(3) as i64) * SECOND,
                    ..click.clone()
                }),
                6 => self.clicks.push(ClickRow { time: click.time + 30 * SECOND, ..click.clone() }),
                _ => {}
            }
            self.clicks.push(click);
        }
    }

    fn time(&mut self, rhythm: Rhythm, at: usize, days: usize) -> i64 {
        let dice = &mut self.dice;
        let day = self.start + dice.roll(days) as i64 * DAY;
        let second = match rhythm {
            Rhythm::Timer(gap) => return self.start + (at % days) as i64 * DAY + (at * gap) as i64 * SECOND,
            Rhythm::Bursts => 36_000 + dice.roll(2) * 5_400 + dice.roll(100),
            Rhythm::Chance(hours) => dice.roll(hours * 3_600),
        };
        day + second as i64 * SECOND + [0, SECOND / 2][dice.roll(2)]
    }

    fn click(&mut self, name: &str, at: usize, time: i64, crowd: Option<usize>, counting: bool) -> ClickRow {
        let dice = &mut self.dice;
        let random = dice.roll(usize::MAX);
        let id = match counting {
            _ if dice.roll(50) == 0 => "{clickid}".to_owned(),
            true => format!("{name}-{:06}", 40 * at),
            false => format!("{:08x}-{:04x}", random as u32, random >> 48),
        };
        let ip = match crowd {
            Some(networks) => format!("10.0.{}.{}", dice.roll(networks), dice.roll(30)),
            None => format!("2001:db8:{:x}::{}", dice.roll(5_000), dice.roll(3)),
        };
        let visitor = dice.roll(12) > 0;
        ClickRow {
            click_id: Some(id),
            time,
            traffic_source: pick(&["ts2"], dice.roll(9)).or(Some("ts1".to_owned())),
            source: Some(name.to_owned()),
            offer: pick(&["o1", "o2", "o3", "o1", "o1", "o1"], dice.roll(7)),
            network: pick(&["n1"], dice.roll(8) / 7),
            country: pick(COUNTRIES, dice.roll(4)),
            ip: Some(ip).filter(|_| visitor),
            user_agent: pick(AGENTS, dice.roll(4)).map(|a| format!("{a} {}", dice.roll(4))),
            asn: dice.pick(&["64500", "64501", "64501"]),
            is_bot: [None, Some(false), Some(true)][dice.roll(3)],
            is_datacenter: [None, Some(false), Some(true)][dice.roll(3)],
            is_vpn: [None, Some(false), Some(true)][dice.roll(3)],
            is_tor: [None, Some(false), Some(true)][dice.roll(3)],
            is_known_bot: [None, Some(false), Some(true)][dice.roll(3)],
            is_headless: [None, Some(false), Some(true)][dice.roll(3)],
            click_country: dice.pick(COUNTRIES),
            keyword: dice.pick(KEYWORDS),
            referrer: dice.pick(REFERRERS),
            hit_type: Some("visit".to_owned()),
            lander_time: (dice.roll(3) > 0).then_some(time + dice.roll(90) as i64 * SECOND),
            cost: Some(dice.roll(900_000) as i64),
        }
    }

    /// What a visitor does after a click.
    fn player(&mut self, click: &ClickRow) {
        let name = format!("player {}", self.dice.roll(400));
        let wait = [3, 12, 20, 60, 900, 7_200, 100_000][self.dice.roll(7)];
        let early = [0, 300][self.dice.roll(20) / 19];
        let mut time = click.time + (wait + self.dice.roll(wait)) as i64 * SECOND - early * SECOND;
        let events: &[&str] = match click.offer.as_deref() {
            Some("o1") => &["registration", "first_deposit", "deposit", "registration", "rebill"],
            Some("o2") => &["lead", "deposit", "deposit"],
            Some("o3") => &["deposit", "rebill"],
            _ => &["sale", "sale"],
        };
        let steps = 1 + self.dice.roll(events.len());
        for event in &events[..steps] {
            let named = self.dice.roll(3) > 0;
            let row = self.conversion(click, event, time);
            self.conversions.push(ConversionRow { player_id: Some(name.clone()).filter(|_| named), ..row });
            time += [20, 3_600, 86_400, 9 * 86_400][self.dice.roll(4)] * SECOND
                + self.dice.roll(999) as i64 * SECOND;
        }
    }

    fn conversion(&mut self, click: &ClickRow, event: &str, time: i64) -> ConversionRow {
        let dice = &mut self.dice;
        // Some IDs are forged: of another form, or one after another.
        let click_id = match dice.roll(12) {
            0 => Some(format!("fake{}", dice.roll(100))),
            1 => Some(format!("{:08x}-{:04x}", dice.roll(300), 7)),
            2 => [None, Some("{clickid}".to_owned())][dice.roll(2)].clone(),
            _ => click.click_id.clone(),
        };
        let lag = [60, 86_400, 3 * 86_400][dice.roll(3)] * (1 + dice.roll(9)) as i64 * SECOND;
        let amount = [10, 10, 10, 20, 25, 31, 100][dice.roll(7)] * 1_000_000 + [0, 100_000][dice.roll(2)];
        ConversionRow {
            conversion_id: (dice.roll(9) == 0).then(|| format!("conversion {}", dice.roll(20))),
            transaction_id: [None, Some(format!("t{}", dice.roll(60)))][dice.roll(2)].clone(),
            click_id,
            event: Some(event.to_owned()),
            time,
            click_time: (dice.roll(3) > 0).then_some(click.time),
            status_time: (dice.roll(4) > 0).then_some(time + lag),
            status: pick(STATUSES, dice.roll(STATUSES.len() + 1)),
            payout: [Some(30_000_000), Some(45_000_000), None][dice.roll(3)],
            revenue: [Some(60_000_000), None][dice.roll(2)],
            sale_amount: (event != "registration").then_some(amount),
            country: pick(COUNTRIES, dice.roll(4)),
            ip: Some(format!("10.1.0.{}", dice.roll(200))),
            traffic_source: click.traffic_source.clone(),
            source: click.source.clone(),
            offer: click.offer.clone(),
            network: click.network.clone(),
            request: (dice.roll(3) > 0).then(|| format!("r{}", dice.roll(500))),
            fraud_reason: dice.pick(&["bots", "None", "0"]),
            reject_reason: dice.pick(&["cap", "Wrong_Geo", "bots", "odd"]),
            ..super::logged(dice)
        }
    }

    /// An advertiser that reports every quarter of an hour, most of the time.
    fn report_on_quarter_hours(&mut self) {
        let of_offer = |row: &&mut ConversionRow| row.offer.as_deref() == Some("o1");
        for row in self.conversions.iter_mut().filter(of_offer) {
            if self.dice.roll(5) > 0 {
                row.time += QUARTER - row.time.rem_euclid(QUARTER);
            }
        }
    }
    /// A script that reports some of one offer's conversions within five minutes, each at a second of its own.
    fn report_in_one_go(&mut self) {
        let from = self.start + 2 * DAY + 12 * QUARTER;
        let of_offer = self.conversions.iter_mut().filter(|row| row.offer.as_deref() == Some("o1"));
        for (at, row) in of_offer.take(25).enumerate() {
            row.time = from + at as i64 * 11 * SECOND;
        }
    }
}
