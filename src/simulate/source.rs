//! A source of traffic: how it differs from others, and what fraud is planted in it.

use super::random::{Rng, mix};
use super::world::{Offer, Place};
use std::io::{self, Write};
use std::net::IpAddr;

/// One zone of a traffic source.
#[derive(Clone, Debug)]
pub struct Source {
    pub traffic_source: &'static str,
    pub zone: u32,
    pub offer: &'static Offer,
    /// Where four of five visitors come from, and where the fifth does.
    pub places: [Place; 2],
    /// Clicks within the exported days.
    pub clicks: u64,
    /// Clicks that convert, parts per million.
    pub cr_ppm: u64,
    /// Conversions that the advertiser approves in the end, parts per million.
    pub approval_ppm: u64,
    /// Median of the time from click to conversion, without the fixed first seconds.
    pub ctit_median_s: u32,
    /// What a click costs on average, micro-units.
    pub cpc: i64,
    /// Shared by that many addresses, as behind a carrier's NAT; zero if visitors have their own.
    pub shared_addresses: u32,
    pub plant: Option<Plant>,
}

/// A planted fraud, and how much of the source's traffic it touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plant {
    pub kind: Kind,
    /// Percent of the clicks or conversions that the kind is about.
    pub strength: u8,
}

/// The declaration of one kind of planted fraud.
pub struct KindDecl {
    pub name: &'static str,
    /// One sentence for `planted.csv`; `{}` stands for the strength.
    pub what: &'static str,
}

macro_rules! kinds {
    ($($id:ident $name:literal $what:literal;)*) => {
        /// What may be planted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind { $($id,)* }
        impl Kind {
            /// Every kind, in the order of its declaration.
            pub const ALL: &[Kind] = &[$(Kind::$id,)*];

            /// The declaration of this kind.
            pub fn decl(self) -> &'static KindDecl {
                const KINDS: &[KindDecl] = &[$(KindDecl { name: $name, what: $what },)*];
                &KINDS[self as usize]
            }
        }
    };
}

kinds! {
    Injection "injection" "{} % of the conversions come 1 to 8 seconds after a click that was made up once the conversion was under way.";
    Flooding "flooding" "{} % of the conversions are visitors of others, caught by a flood of clicks: the time from click to conversion is anything between three hours and six days.";
    Scripted "scripted" "{} % of the registrations are sent by a script 47 or 48 seconds after the click.";
    Orphans "orphans" "{} % of the conversions name a click ID that was never issued, with a click time that looks right.";
    Replay "replay" "{} % of the paid transactions are sent again one to three days later under another conversion ID.";
    Stolen "stolen" "{} % of the conversions carry the transaction ID of a paid conversion of another source.";
    Repeated "repeated" "{} % of the converting clicks register two to four times, each time with another transaction ID.";
    Bots "bots" "{} % of the clicks come from three addresses at all hours alike, and so do their conversions.";
    Rejected "rejected" "{} % of the leads are made up, and the advertiser rejects them.";
    Spend "spend" "{} % of the clicks are worthless: money is spent and nobody converts.";
    ReusedIds "reused_ids" "{} % of the clicks carry the click ID of an earlier click of the same source.";
}

/// How many addresses a planted bot source has.
const BOT_ADDRESSES: u64 = 3;

impl Source {
    /// True if this kind is planted here and touches the row at hand.
    pub fn touched(&self, kind: Kind, rng: &mut Rng) -> bool {
        self.plant.is_some_and(|p| p.kind == kind && rng.chance(u64::from(p.strength) * 10_000))
    }

    /// How busy the source is in this hour, an hour number since 1970. The noise makes its days differ.
    pub fn presence(&self, hour: i64, seed: u64) -> u64 {
        let of_place = |p: Place| p.country().presence(hour.rem_euclid(24));
        let people = (4 * of_place(self.places[0]) + of_place(self.places[1]))
            * self.offer.presence(hour.div_euclid(24));
        let bots = self.plant.filter(|p| p.kind == Kind::Bots).map_or(0, |p| u64::from(p.strength));
        let noise = |x: u64, low: u64, width: u64| low + mix(mix(seed) ^ self.key() ^ x) % width;
        let of_day = noise(hour.div_euclid(24) as u64, 850, 300);
        (people * (100 - bots) + MEAN_PRESENCE * bots) * of_day * noise((hour as u64) << 20, 850, 300)
    }

    /// The draws for one purpose. Every source has its own, so that a change to one leaves the others as they
    /// are.
    pub fn rng(&self, seed: u64, purpose: u64) -> Rng {
        Rng::new(mix(seed) ^ self.key() ^ mix(purpose))
    }

    fn key(&self) -> u64 {
        self.traffic_source.bytes().fold(self.zone.into(), |key, byte| mix(key ^ u64::from(byte)))
    }

    /// The address of a visitor from `place`.
    pub fn address(&self, place: Place, rng: &mut Rng) -> IpAddr {
        let member = if self.touched(Kind::Bots, rng) {
            rng.below(BOT_ADDRESSES).min(rng.below(BOT_ADDRESSES))
        } else if self.shared_addresses > 0 {
            rng.below(self.shared_addresses.into())
        } else {
            return place.country().address(rng);
        };
        self.places[0].country().address(&mut self.rng(member, 0))
    }

    /// The buyer's campaign: one for each traffic source, offer and country.
    pub fn campaign(&self) -> u64 {
        let parts = [self.traffic_source, self.offer.name, self.places[0].country().code];
        1_000 + parts.iter().flat_map(|p| p.bytes()).fold(7, |h, b| mix(h ^ u64::from(b))) % 9_000
    }
}

/// The mean of people's presence before the noise, about: five visitors of mean 45, times 100 for the
/// weekday.
const MEAN_PRESENCE: u64 = 5 * 45 * 100;

/// Writes `planted.csv`: what is planted where.
pub fn write_planted(sources: &[Source], out: &mut dyn Write) -> io::Result<u64> {
    writeln!(out, "source,kind,strength,what")?;
    let planted = sources.iter().filter_map(|s| s.plant.map(|p| (s, p)));
    let mut count = 0;
    for (source, plant) in planted {
        let decl = plant.kind.decl();
        let (percent, share) = (plant.strength.to_string(), f64::from(plant.strength) / 100.0);
        let what = decl.what.replace("{}", &percent);
        writeln!(out, "{},{},{share:.2},\"{what}\"", source.zone, decl.name)?;
        count += 1;
    }
    Ok(count)
}
