//! What is taken for granted about honest traffic: two sets of numbers and the offers that go with them.
//!
//! The reference mix is the one on which the method was designed. The world mix assumes something else
//! wherever the design had to assume something, so that nobody fits the tool to its own generator.

use crate::simulate::random::Rng;
use crate::simulate::world::Place;

/// How much honest sources differ, and what else is usual among them.
pub struct Assumptions {
    pub programs: &'static [Program],
    /// The law of the spread between sources, with standard deviation one.
    pub law: fn(&mut Rng) -> f64,
    /// Spread of rates between peer groups, on the logit scale.
    pub group_sd: f64,
    /// Spread between honest sources of a group, on the logit scale: conversion rate, then all other rates.
    pub cr_sd: f64,
    pub rate_sd: f64,
    /// Spread of the CTIT's location and of its shape, on the logarithm.
    pub ctit_sd: f64,
    pub ctit_shape_sd: f64,
    /// Median and spread (on the logarithm) of the clicks of a source in the whole time.
    pub clicks_median: f64,
    pub clicks_sd: f64,
    /// Spread of a day's and an hour's traffic, on the logarithm; the days are AR(1) with .6.
    pub day_sd: f64,
    pub hour_sd: f64,
    /// Spread of a group's conversion rate from day to day, on the logarithm.
    pub day_cr_sd: f64,
    /// Clicks that the tracker lost, as a share of a source's clicks: least and most.
    pub lost: (f64, f64),
    /// Postbacks that are sent again, and within how many seconds.
    pub retries: f64,
    pub retry_within_s: i64,
    /// Visitors behind a VPN in an ordinary source; sources that have a crowd of them.
    pub vpn: f64,
    pub vpn_crowds: f64,
    /// Sources with a second offer, to which a fifth of their visitors go.
    pub two_offers: f64,
    /// Whether one offer loses all postbacks of one day.
    pub outage: bool,
    /// Whether frauds are a little less tidy: scripts jitter, floods decay, injections take up to 15 s.
    pub untidy: bool,
}

/// How people convert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// They fill in a form.
    Form,
    /// They tap once: two to six seconds.
    OneTap,
    /// Visitors of the first mobile carrier tap once, the others fill in a form.
    TapOnCarrier,
}

/// An offer with its usual rates.
pub struct Program {
    pub name: &'static str,
    pub network: &'static str,
    /// Where it is promoted: each country is a peer group.
    pub places: [Place; 2],
    pub flow: Flow,
    pub cr: f64,
    pub approval: f64,
    pub ctit_median_s: f64,
    pub ctit_sigma: f64,
    /// What a registration pays, micro-units; zero where deposits pay.
    pub lead_payout: i64,
    /// Median hours until the advertiser decides, and the share that is decided at once.
    pub decided_h: f64,
    pub at_once: f64,
    pub deposits: Option<Deposits>,
    /// Hours by which its audience lives later than others in the second country: shift workers.
    pub later_h: i64,
    /// Visitors by day of the week, Monday first.
    pub weekdays: [u8; 7],
}

/// What players do after they registered.
#[derive(Clone, Copy)]
pub struct Deposits {
    /// Registrations that lead to a first deposit.
    pub first: f64,
    /// What a first deposit pays, micro-units.
    pub payout: i64,
    /// The least that can be deposited, micro-units, and how many first deposits are that.
    pub minimum: i64,
    pub at_minimum: f64,
    /// First depositors who deposit again.
    pub second: f64,
}

const WORKDAYS: [u8; 7] = [106, 108, 104, 102, 97, 84, 90];
const WEEKEND: [u8; 7] = [88, 86, 90, 95, 114, 124, 112];

/// The assumptions of the design (statistics of real traffic and the design's own simulation).
pub const REFERENCE: Assumptions = Assumptions {
    programs: &[
        Program {
            name: "loan",
            network: "leadhub",
            places: [Place::De, Place::Pl],
            flow: Flow::Form,
            cr: 0.055,
            approval: 0.74,
            ctit_median_s: 190.0,
            ctit_sigma: 1.5,
            lead_payout: 12_000_000,
            decided_h: 30.0,
            at_once: 0.25,
            deposits: None,
            later_h: 0,
            weekdays: WORKDAYS,
        },
        Program {
            name: "casino",
            network: "playpartners",
            places: [Place::Br, Place::De],
            flow: Flow::Form,
            cr: 0.065,
            approval: 0.85,
            ctit_median_s: 150.0,
            ctit_sigma: 1.55,
            lead_payout: 0,
            decided_h: 20.0,
            at_once: 1.0,
            deposits: Some(Deposits {
                first: 0.36,
                payout: 30_000_000,
                minimum: 10_000_000,
                at_minimum: 0.28,
                second: 0.48,
            }),
            later_h: 0,
            weekdays: WEEKEND,
        },
        Program {
            name: "betting",
            network: "playpartners",
            places: [Place::Mx, Place::In],
            flow: Flow::Form,
            cr: 0.05,
            approval: 0.82,
            ctit_median_s: 170.0,
            ctit_sigma: 1.6,
            lead_payout: 0,
            decided_h: 24.0,
            at_once: 1.0,
            deposits: Some(Deposits {
                first: 0.3,
                payout: 22_000_000,
                minimum: 5_000_000,
                at_minimum: 0.22,
                second: 0.55,
            }),
            later_h: 0,
            weekdays: WEEKEND,
        },
        Program {
            name: "sweep",
            network: "leadhub",
            places: [Place::At, Place::In],
            flow: Flow::Form,
            cr: 0.075,
            approval: 0.8,
            ctit_median_s: 110.0,
            ctit_sigma: 1.5,
            lead_payout: 2_400_000,
            decided_h: 18.0,
            at_once: 0.4,
            deposits: None,
            later_h: 10,
            weekdays: WORKDAYS,
        },
    ],
    law: Rng::gauss,
    group_sd: 0.4,
    cr_sd: 0.35,
    rate_sd: 0.3,
    ctit_sd: 0.3,
    ctit_shape_sd: 0.1,
    clicks_median: 500.0,
    clicks_sd: 1.8,
    day_sd: 0.2,
    hour_sd: 0.15,
    day_cr_sd: 0.05,
    lost: (0.0, 0.002),
    retries: 0.01,
    retry_within_s: 1_200,
    vpn: 0.02,
    vpn_crowds: 0.002,
    two_offers: 0.0,
    outage: false,
    untidy: false,
};

/// Other assumptions: heavier tails, wide approval rates, one-tap flows, lost clicks, late retries, crowds
/// behind VPNs, sources with two offers, a day without postbacks.
pub const WORLD: Assumptions = Assumptions {
    programs: &[
        Program {
            name: "credit",
            network: "finlead",
            places: [Place::Pl, Place::Mx],
            flow: Flow::Form,
            cr: 0.035,
            approval: 0.38,
            ctit_median_s: 420.0,
            ctit_sigma: 1.3,
            lead_payout: 15_000_000,
            decided_h: 60.0,
            at_once: 0.05,
            deposits: None,
            later_h: 0,
            weekdays: WORKDAYS,
        },
        Program {
            name: "slots",
            network: "betcorp",
            places: [Place::De, Place::In],
            flow: Flow::Form,
            cr: 0.08,
            approval: 0.9,
            ctit_median_s: 95.0,
            ctit_sigma: 1.8,
            lead_payout: 0,
            decided_h: 8.0,
            at_once: 1.0,
            deposits: Some(Deposits {
                first: 0.42,
                payout: 45_000_000,
                minimum: 20_000_000,
                at_minimum: 0.38,
                second: 0.35,
            }),
            later_h: 0,
            weekdays: WEEKEND,
        },
        Program {
            name: "forex",
            network: "finlead",
            places: [Place::Br, Place::At],
            flow: Flow::Form,
            cr: 0.045,
            approval: 0.6,
            ctit_median_s: 600.0,
            ctit_sigma: 1.9,
            lead_payout: 0,
            decided_h: 40.0,
            at_once: 1.0,
            deposits: Some(Deposits {
                first: 0.22,
                payout: 120_000_000,
                minimum: 100_000_000,
                at_minimum: 0.16,
                second: 0.4,
            }),
            later_h: 0,
            weekdays: WORKDAYS,
        },
        Program {
            name: "dating",
            network: "sinlead",
            places: [Place::De, Place::Br],
            flow: Flow::Form,
            cr: 0.1,
            approval: 0.93,
            ctit_median_s: 60.0,
            ctit_sigma: 1.4,
            lead_payout: 3_000_000,
            decided_h: 12.0,
            at_once: 0.8,
            deposits: None,
            later_h: 6,
            weekdays: WEEKEND,
        },
        Program {
            name: "ringtones",
            network: "telcopay",
            places: [Place::In, Place::Mx],
            flow: Flow::OneTap,
            cr: 0.03,
            approval: 0.88,
            ctit_median_s: 90.0,
            ctit_sigma: 1.2,
            lead_payout: 1_500_000,
            decided_h: 3.0,
            at_once: 0.9,
            deposits: None,
            later_h: 0,
            weekdays: WORKDAYS,
        },
        Program {
            name: "giveaway",
            network: "sinlead",
            places: [Place::Pl, Place::In],
            flow: Flow::TapOnCarrier,
            cr: 0.06,
            approval: 0.55,
            ctit_median_s: 140.0,
            ctit_sigma: 1.5,
            lead_payout: 1_800_000,
            decided_h: 24.0,
            at_once: 0.3,
            deposits: None,
            later_h: 0,
            weekdays: WORKDAYS,
        },
    ],
    law: Rng::t7,
    group_sd: 0.5,
    cr_sd: 0.5,
    rate_sd: 0.4,
    ctit_sd: 0.4,
    ctit_shape_sd: 0.15,
    clicks_median: 450.0,
    clicks_sd: 2.0,
    day_sd: 0.35,
    hour_sd: 0.3,
    day_cr_sd: 0.15,
    lost: (0.01, 0.1),
    retries: 0.03,
    retry_within_s: 6 * 3_600,
    vpn: 0.04,
    vpn_crowds: 0.02,
    two_offers: 0.15,
    outage: true,
    untidy: true,
};
