//! Who visits and what is advertised: countries, devices and offers, as tables.
//!
//! The networks below are only shapes of addresses. The visitors are made up, and nothing here says anything
//! about the holders of these addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::random::Rng;

/// Visitors by local hour where work sets the day: mornings, a lunch break, an early evening.
const OFFICE_DAY: [u64; 24] =
    [7, 4, 3, 2, 3, 8, 22, 44, 58, 63, 65, 70, 76, 68, 62, 64, 70, 82, 95, 100, 92, 70, 42, 18];

/// Visitors by local hour where phones set the day: a late start and a long evening.
const PHONE_DAY: [u64; 24] =
    [24, 13, 7, 4, 3, 5, 13, 26, 37, 42, 45, 50, 60, 58, 50, 48, 52, 61, 74, 88, 100, 98, 80, 48];

/// A country of visitors.
pub struct Country {
    pub code: &'static str,
    /// Hours ahead of UTC, without daylight saving.
    utc_offset_h: i64,
    hours: &'static [u64; 24],
    /// Networks of its providers, each of 2^18 addresses.
    networks: &'static [[u8; 2]],
}

macro_rules! countries {
    ($($id:ident $code:literal $offset:literal $hours:ident $networks:expr;)*) => {
        /// The countries.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Place { $($id,)* }
        const COUNTRIES: &[Country] = &[$(Country {
            code: $code, utc_offset_h: $offset, hours: &$hours, networks: $networks,
        },)*];
        /// Every country.
        pub const PLACES: &[Place] = &[$(Place::$id,)*];
    };
}

countries! {
    At "AT" 1 OFFICE_DAY &[[62, 44], [77, 116], [178, 112]];
    Br "BR" -3 PHONE_DAY &[[177, 32], [179, 180], [187, 56], [191, 184]];
    De "DE" 1 OFFICE_DAY &[[79, 192], [84, 128], [91, 0], [217, 224]];
    In "IN" 5 PHONE_DAY &[[49, 36], [106, 192], [117, 192], [157, 32]];
    Mx "MX" -6 PHONE_DAY &[[187, 188], [189, 128], [201, 100]];
    Pl "PL" 1 OFFICE_DAY &[[31, 0], [83, 0], [178, 36]];
}

impl Place {
    /// The declaration of this country.
    pub fn country(self) -> &'static Country {
        &COUNTRIES[self as usize]
    }
}

impl Country {
    /// How many of its people are there at this hour of the day in UTC.
    pub fn presence(&self, utc_hour: i64) -> u64 {
        self.hours[(utc_hour + self.utc_offset_h).rem_euclid(24) as usize]
    }

    /// An address behind the NAT of one of its mobile carriers, of which there are three: all of a carrier's
    /// visitors share 2^12 addresses, the first ones more than the last.
    pub fn carrier_address(&self, carrier: u8, rng: &mut Rng) -> IpAddr {
        let [a, b] = self.networks[usize::from(carrier) % self.networks.len()];
        let member = rng.below(1 << 12).min(rng.below(1 << 12)) as u32;
        Ipv4Addr::from(u32::from_be_bytes([a, b, 0, 0]) | u32::from(carrier) << 12 | member).into()
    }

    /// Some address of this country; one in sixteen is an IPv6 address of the documentation range.
    pub fn address(&self, rng: &mut Rng) -> IpAddr {
        if rng.below(16) == 0 {
            return Ipv6Addr::from((0x2001_0db8 << 96) | (u128::from(rng.bits()) << 16) | 1).into();
        }
        let [a, b] = self.networks[rng.below(self.networks.len() as u64) as usize];
        let network = u32::from_be_bytes([a, b, 0, 0]);
        Ipv4Addr::from(network | rng.below(1 << 18) as u32).into()
    }
}

/// A kind of device with its browser; the browser's version stands between the two parts of the user agent.
#[derive(Debug)]
pub struct Device {
    pub class: &'static str,
    pub os: &'static str,
    pub browser: &'static str,
    agent: (&'static str, &'static str),
    versions: (u16, u16),
    weight: u64,
}

macro_rules! devices {
    ($($class:literal $os:literal $browser:literal $before:literal $after:literal $low:literal-$high:literal $weight:literal,)*) => {
        const DEVICES: &[Device] = &[$(Device {
            class: $class, os: $os, browser: $browser, agent: ($before, $after), versions: ($low, $high), weight: $weight,
        },)*];
    };
}

devices! {
    "mobile" "Android" "Chrome" "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/" ".0.0.0 Mobile Safari/537.36" 128-134 52,
    "mobile" "iOS" "Safari" "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/" ".3 Mobile/15E148 Safari/604.1" 17-18 17,
    "mobile" "Android" "Samsung" "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/" ".0 Chrome/125.0.0.0 Mobile Safari/537.36" 26-28 6,
    "desktop" "Windows" "Chrome" "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/" ".0.0.0 Safari/537.36" 128-134 14,
    "desktop" "Windows" "Edge" "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/133.0.0.0 Safari/537.36 Edg/" ".0.0.0" 130-133 4,
    "desktop" "Windows" "Firefox" "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:135.0) Gecko/20100101 Firefox/" ".0" 131-136 2,
    "desktop" "macOS" "Safari" "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/" ".3 Safari/605.1.15" 17-18 3,
    "tablet" "Android" "Chrome" "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/" ".0.0.0 Safari/537.36" 128-134 2,
}

impl Device {
    /// Some device, by its share of the market.
    pub fn some(rng: &mut Rng) -> &'static Device {
        rng.weighted(DEVICES, |d| d.weight)
    }

    /// A version that its browser may have.
    pub fn version(&self, rng: &mut Rng) -> u16 {
        rng.between(self.versions.0.into(), self.versions.1.into()) as u16
    }

    /// The two parts of the user agent around the version.
    pub fn agent(&self) -> (&'static str, &'static str) {
        self.agent
    }
}

/// What is promoted and how it pays.
#[derive(Debug, PartialEq, Eq)]
pub struct Offer {
    pub name: &'static str,
    /// What a registration pays, micro-units.
    pub registration_payout: i64,
    /// Registrations that are decided at once, parts per million; the others wait for the advertiser.
    pub decided_at_once_ppm: u64,
    /// Approved registrations that lead to a first deposit, parts per million; zero where there are no
    /// deposits.
    pub first_deposit_ppm: u64,
    /// What a first deposit pays, micro-units.
    pub first_deposit_payout: i64,
    /// Visitors by day of the week, Monday first.
    weekdays: [u64; 7],
}

/// Pay per lead: one registration, which the advertiser approves or rejects within days.
pub const LOAN: Offer = Offer {
    name: "loan",
    registration_payout: 12_000_000,
    decided_at_once_ppm: 250_000,
    first_deposit_ppm: 0,
    first_deposit_payout: 0,
    weekdays: [106, 108, 104, 102, 97, 84, 90],
};

/// iGaming: a free registration, a first deposit that pays, further deposits with a share, some chargebacks.
pub const CASINO: Offer = Offer {
    name: "casino",
    registration_payout: 0,
    decided_at_once_ppm: 1_000_000,
    first_deposit_ppm: 380_000,
    first_deposit_payout: 30_000_000,
    weekdays: [88, 86, 90, 95, 114, 124, 112],
};

impl Offer {
    /// How much traffic it draws on this day, a day number since 1970.
    pub fn presence(&self, day: i64) -> u64 {
        self.weekdays[(day + 3).rem_euclid(7) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_keep_to_the_networks_of_their_country() {
        let mut rng = Rng::new(1);
        for place in PLACES {
            let country = place.country();
            for [_, low] in country.networks {
                assert_eq!(
                    low % 4,
                    0,
                    "{}: a network of 2^18 addresses starts at a multiple of four",
                    country.code
                );
            }
            let IpAddr::V4(address) =
                std::iter::repeat_with(|| country.address(&mut rng)).find(IpAddr::is_ipv4).unwrap()
            else {
                unreachable!("it was asked for")
            };
            let [a, b, ..] = address.octets();
            assert!(country.networks.contains(&[a, b & !3]), "{} {address}", country.code);
        }
    }

    #[test]
    fn the_week_starts_on_monday() {
        let monday = 20_514; // 2026-03-02
        assert_eq!(LOAN.presence(monday), LOAN.weekdays[0]);
        assert_eq!(CASINO.presence(monday + 6), CASINO.weekdays[6]);
    }

    #[test]
    fn visitors_sleep_at_night() {
        let [berlin, sao_paulo] = [Place::De, Place::Br].map(Place::country);
        assert!(berlin.presence(2) < 10 && berlin.presence(18) == 100);
        assert!(sao_paulo.presence(7) < 10 && sao_paulo.presence(23) == 100);
    }
}
