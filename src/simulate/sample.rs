//! Who is in the sample data: the traffic of a small buyer with two offers, bought from two traffic sources.
//!
//! All that is planted and may be blocked stands in one traffic source, because a blocklist is for one.

use super::source::{Kind, Plant, Source};
use super::world::{CASINO, LOAN, Offer, Place};
use Place::{At, Br, De, In, Mx, Pl};

/// Names of the two traffic sources.
const POP: &str = "popmax";
const PUSH: &str = "pushly";

/// The addresses of the honest source behind a carrier's NAT.
const CARRIER_ADDRESSES: u32 = 1_000;

/// The sources of the sample. The honest ones differ from each other as real ones do: the conversion rate by
/// a factor of two, the approval between 62 and 90 %, the delay of conversions by a factor of two and once by
/// twenty.
pub fn sources() -> Vec<Source> {
    let mut all = ordinary();
    all.extend(peculiar());
    all.extend(planted());
    all
}

fn ordinary() -> Vec<Source> {
    vec![
        zone(POP, 2841977, &LOAN, [De, At], 1_900, [36_000, 78, 180, 258]),
        zone(POP, 2841302, &LOAN, [De, Pl], 2_500, [42_000, 72, 150, 291]),
        zone(POP, 2790115, &LOAN, [At, De], 1_300, [55_000, 84, 210, 382]),
        zone(POP, 3017744, &LOAN, [Pl, De], 2_000, [34_000, 66, 240, 204]),
        zone(POP, 2655038, &LOAN, [Pl, De], 1_500, [47_000, 81, 130, 381]),
        zone(PUSH, 51873, &LOAN, [De, At], 1_600, [31_000, 88, 195, 251]),
        zone(PUSH, 51904, &LOAN, [At, De], 1_200, [49_000, 71, 165, 323]),
        // The zone ID of another traffic source's zone: only together with the traffic source it names a
        // source.
        zone(PUSH, 2841977, &LOAN, [Pl, De], 1_400, [40_000, 75, 220, 281]),
        zone(POP, 2903481, &CASINO, [Br, Mx], 2_400, [41_000, 82, 170, 268]),
        zone(POP, 2903977, &CASINO, [Br, Mx], 1_700, [52_000, 77, 145, 300]),
        zone(POP, 3055810, &CASINO, [Mx, Br], 1_800, [38_000, 85, 230, 276]),
        zone(POP, 2718846, &CASINO, [In, In], 2_600, [29_000, 74, 200, 160]),
        zone(PUSH, 60935, &CASINO, [Br, Mx], 1_500, [57_000, 80, 125, 352]),
        zone(PUSH, 61140, &CASINO, [Mx, Br], 1_700, [44_000, 79, 185, 262]),
        zone(PUSH, 58672, &CASINO, [In, Mx], 1_800, [37_000, 83, 260, 258]),
    ]
}

/// Honest sources that look odd, or too small to be judged.
fn peculiar() -> Vec<Source> {
    let carrier = zone(PUSH, 60217, &LOAN, [Pl, De], 1_900, [36_000, 70, 170, 241]);
    vec![
        Source { shared_addresses: CARRIER_ADDRESSES, ..carrier },
        zone(POP, 3102266, &LOAN, [De, Pl], 1_600, [42_000, 79, 2_700, 311]),
        zone(POP, 3110042, &LOAN, [De, At], 80, [40_000, 75, 180, 290]),
        zone(POP, 3110951, &CASINO, [Mx, Br], 55, [42_000, 78, 180, 300]),
        zone(PUSH, 61877, &LOAN, [Pl, De], 120, [38_000, 76, 180, 270]),
        zone(PUSH, 62003, &CASINO, [In, Br], 40, [40_000, 80, 180, 290]),
        // A mailing to a few loyal customers: expensive and good.
        zone(PUSH, 61999, &LOAN, [De, At], 14, [260_000, 95, 240, 2_100]),
    ]
}

fn planted() -> Vec<Source> {
    vec![
        plant(Kind::Injection, 80, zone(POP, 3098120, &LOAN, [De, At], 500, [150_000, 74, 180, 260])),
        plant(Kind::Flooding, 95, zone(POP, 3098561, &LOAN, [Pl, De], 2_300, [33_000, 72, 180, 215])),
        plant(Kind::Scripted, 95, zone(POP, 3100518, &CASINO, [Br, Mx], 500, [150_000, 76, 180, 310])),
        plant(Kind::Orphans, 80, zone(POP, 3087264, &LOAN, [De, Pl], 350, [210_000, 73, 180, 255])),
        plant(Kind::Replay, 90, zone(POP, 2977431, &LOAN, [At, De], 450, [170_000, 80, 180, 265])),
        plant(Kind::Stolen, 60, zone(POP, 3099006, &LOAN, [De, At], 450, [160_000, 82, 180, 270])),
        plant(Kind::Repeated, 50, zone(POP, 3064129, &LOAN, [Pl, De], 450, [150_000, 70, 180, 258])),
        plant(Kind::Bots, 90, zone(POP, 3101733, &CASINO, [In, Mx], 550, [140_000, 75, 180, 300])),
        plant(Kind::Rejected, 95, zone(POP, 3079915, &LOAN, [De, Pl], 550, [140_000, 72, 180, 270])),
        plant(Kind::Spend, 100, zone(PUSH, 61552, &CASINO, [Mx, Br], 700, [40_000, 78, 180, 310])),
        plant(Kind::ReusedIds, 45, zone(PUSH, 59418, &CASINO, [Br, Mx], 450, [45_000, 80, 180, 305])),
    ]
}

/// An honest zone. `rates`: conversions in a million clicks, percent approved, median delay of conversions in
/// seconds, cost of a click in thousandths.
fn zone(
    traffic_source: &'static str,
    zone: u32,
    offer: &'static Offer,
    places: [Place; 2],
    clicks: u64,
    rates: [u32; 4],
) -> Source {
    let [cr_ppm, approved, ctit_median_s, cpc] = rates;
    Source {
        traffic_source,
        zone,
        offer,
        places,
        clicks,
        cr_ppm: cr_ppm.into(),
        approval_ppm: u64::from(approved) * 10_000,
        ctit_median_s,
        cpc: i64::from(cpc) * 1_000,
        shared_addresses: 0,
        plant: None,
    }
}

fn plant(kind: Kind, strength: u8, source: Source) -> Source {
    Source { plant: Some(Plant { kind, strength }), ..source }
}
