//! A click and the visitor behind it, and its row.

use super::random::Rng;
use super::schedule::Tick;
use super::source::{Kind, Source};
use super::text::{Calendar, ClickId, amount};
use super::world::{Device, Place};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::IpAddr;

/// The columns of the clicks file.
pub const HEADER: &str = "click_id,click_time,traffic_source,source,sub_source,campaign,offer,lander_click_time,\
                          country,device,os,browser,ip,user_agent,cost,currency";

/// Visitors who click through the landing page, parts per million of those who do not convert.
const LANDER_PPM: u64 = 240_000;

/// Earlier click IDs that a source which reuses them chooses from.
const REMEMBERED_IDS: usize = 40;

/// A click as the tracker saw it.
#[derive(Clone, Debug)]
pub struct Click {
    pub id: ClickId,
    /// Seconds since 1970.
    pub time: i64,
    /// Index of the source.
    pub source: u32,
    pub ip: IpAddr,
    pub place: Place,
    sub_source: u64,
    device: &'static Device,
    version: u16,
    cost: i64,
    /// What becomes of the click follows from this number.
    pub fate: u64,
}

/// Makes clicks of ticks.
pub struct Clicks<'a> {
    sources: &'a [Source],
    /// One for each source.
    rngs: Vec<Rng>,
    /// Latest click IDs of the sources that reuse them, otherwise empty.
    latest: Vec<VecDeque<ClickId>>,
}

impl<'a> Clicks<'a> {
    /// For these sources.
    pub fn new(sources: &'a [Source], seed: u64) -> Clicks<'a> {
        let rngs = sources.iter().map(|s| s.rng(seed, 2)).collect();
        Clicks { sources, rngs, latest: vec![VecDeque::new(); sources.len()] }
    }

    /// The click of this tick.
    pub fn click(&mut self, tick: &Tick) -> Click {
        let id = self.id(tick.source as usize);
        let (source, rng) = (&self.sources[tick.source as usize], &mut self.rngs[tick.source as usize]);
        let mut visitor = Rng::new(tick.visitor);
        let place = source.places[usize::from(visitor.below(5) == 0)];
        let device = Device::some(&mut visitor);
        Click {
            id,
            time: tick.time,
            source: tick.source,
            ip: source.address(place, &mut visitor),
            place,
            sub_source: 1 + visitor.below(8).min(visitor.below(8)),
            device,
            version: device.version(&mut visitor),
            // The auction moves the price of a click by up to a fifth.
            cost: source.cpc * rng.between(800, 1_200) / 1_000,
            fate: rng.bits(),
        }
    }

    fn id(&mut self, index: usize) -> ClickId {
        let (source, rng, latest) = (&self.sources[index], &mut self.rngs[index], &mut self.latest[index]);
        if source.plant.is_none_or(|p| p.kind != Kind::ReusedIds) {
            return ClickId::fresh(rng);
        }
        if !latest.is_empty() && source.touched(Kind::ReusedIds, rng) {
            return latest[rng.below(latest.len() as u64) as usize];
        }
        let id = ClickId::fresh(rng);
        latest.push_back(id);
        if latest.len() > REMEMBERED_IDS {
            latest.pop_front();
        }
        id
    }

    /// Seconds until the click through the landing page: always for converting visitors, else for some.
    fn lander_delay(&mut self, source: u32, ctit: Option<i64>) -> Option<i64> {
        let rng = &mut self.rngs[source as usize];
        let (delay, curious) = (2 + rng.lognormal(14.0, 0.9).min(1_800), rng.chance(LANDER_PPM));
        match ctit {
            Some(ctit) => Some(delay.min(ctit / 2)),
            None => curious.then_some(delay),
        }
    }

    /// Writes the row of `click`; `ctit` is the time to its first conversion, if there is one. The user agent
    /// makes up half of a row and is left empty unless `agents`.
    pub fn write(
        &mut self,
        click: &Click,
        ctit: Option<i64>,
        calendar: &Calendar,
        agents: bool,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let source = &self.sources[click.source as usize];
        write!(out, "{},{},{},", click.id, calendar.show(click.time), source.traffic_source)?;
        write!(out, "{},{},{},{},", source.zone, click.sub_source, source.campaign(), source.offer.name)?;
        if let Some(delay) = self.lander_delay(click.source, ctit) {
            write!(out, "{}", calendar.show(click.time + delay))?;
        }
        let device = click.device;
        write!(out, ",{},{},{},", click.place.country().code, device.class, device.os)?;
        write!(out, "{},{},", device.browser, click.ip)?;
        if agents {
            let (before, after) = device.agent();
            write!(out, "\"{before}{}{after}\"", click.version)?;
        }
        writeln!(out, ",{},USD", amount(click.cost, 4))
    }
}
