//! Formulas on small totals, against values computed by hand.

use super::{Absence, Context, Estimate, Group, Interval, Reading, Row, find};
use crate::measures::{Hit, M, Totals};

const HOUR_S: u32 = 3_600;
const DAY_S: u32 = 24 * HOUR_S;

fn reading(name: &str, totals: &Totals) -> Result<Estimate, Absence> {
    let context = Context { clicks_given: true, conversions_given: true, ..Context::default() };
    (find(name).expect(name).formula)(&Group { totals, context: &context })
}

fn close(actual: f64, expected: f64, what: &str) {
    assert!((actual - expected).abs() < 1e-5 * expected.abs().max(1.0), "{what}: {actual} is not {expected}");
}

/// The value of a signal and, where it is normal, its variance and degrees of freedom.
fn check(name: &str, totals: &Totals, expected: f64, normal: Option<(f64, f64)>) {
    let estimate = reading(name, totals).expect(name);
    close(estimate.value(), expected, name);
    match (estimate.interval, normal) {
        (Interval::Normal { v, df, .. }, Some((variance, freedom))) => {
            close(v, variance, name);
            assert_eq!(df, freedom, "{name}");
        }
        (interval, normal) => assert!(normal.is_none(), "{name}: {interval:?}"),
    }
}

fn check_absent(name: &str, totals: &Totals, why: &str) {
    assert_eq!(reading(name, totals).expect_err(name).to_string(), why, "{name}");
}

fn counts(counts: &[(M, i64)]) -> Totals {
    Totals::of(counts, &[], Vec::new())
}

/// Clicks at these seconds of each of these days; all of one address.
fn clicks(days: u32, seconds: &[u32]) -> Totals {
    let of_day =
        |day: u32| seconds.iter().map(move |s| Hit { second: day * DAY_S + s, ip: 1, ..Hit::default() });
    let hits: Vec<Hit> = (1..=days).flat_map(of_day).collect();
    Totals::of(&[(M::Clicks, hits.len() as i64), (M::AddressedClicks, hits.len() as i64)], &[], hits)
}

#[test]
fn shares_divide_their_measures() {
    let cases = [
        ("ctit_hour_share", M::CtitHourLater, M::CtitCount),
        ("ctit_round_share", M::CtitRound, M::CtitCount),
        ("weekend_click_share", M::WeekendClicks, M::Clicks),
        ("known_bot_share", M::BotClicks, M::Clicks),
        ("datacenter_share", M::DatacenterClicks, M::Clicks),
        ("country_mismatch_share", M::CountriesDiffer, M::CountriesKnown),
        ("neighbour_click_share", M::Neighbours, M::NeighboursKnown),
        ("registration_deposit_share", M::DepositingRegistrations, M::DueRegistrations),
        ("second_deposit_share", M::RepeatedDeposits, M::DueDeposits),
        ("fraud_flagged_share", M::Flagged, M::Conversions),
        ("excused_reject_share", M::Excused, M::Rejected),
        ("over_cap_share", M::OverCap, M::Conversions),
        ("disallowed_country_share", M::CountriesDisallowed, M::CountriesAgreed),
        ("d7_depositor_share", M::DepositedD7, M::CohortD7),
        ("d30_depositor_share", M::DepositedD30, M::CohortD30),
        ("min_deposit_share", M::AmountsAtFloor, M::Amounts),
        ("round_amount_share", M::RoundAmounts, M::Amounts),
        ("foreign_id_share", M::ForeignIds, M::IdCount),
        ("id_step_share", M::Steps, M::StepsKnown),
        ("brand_click_share", M::BrandClicks, M::Clicks),
    ];
    for (name, part, whole) in cases {
        check(name, &counts(&[(part, 3), (whole, 12)]), 0.25, None);
        let nothing = reading(name, &counts(&[])).expect_err(name);
        assert!(matches!(nothing, Absence::Nothing(_)), "{name}: {nothing}");
    }
}

#[test]
fn what_is_missing_is_the_rest() {
    check("missing_user_agent_share", &counts(&[(M::Clicks, 10), (M::AgentClicks, 7)]), 0.3, None);
    check("click_loss_share", &counts(&[(M::BoughtClicks, 10), (M::ArrivedClicks, 7)]), 0.3, None);
    check("click_loss_share", &counts(&[(M::BoughtClicks, 10), (M::ArrivedClicks, 12)]), 0.0, None);
    check("missing_referrer_share", &counts(&[(M::Clicks, 10), (M::ReferredClicks, 10)]), 0.0, None);
}

/// Money of days whose costs are not complete counts in sums and not in the judgement.
#[test]
fn money_is_judged_on_complete_days() {
    let context = Context { perspective: Some(crate::ingest::Perspective::Buyer), ..Context::default() };
    let of = |name: &str, counts: &[(M, i64)]| {
        let totals = Totals::counted(counts, &[]);
        let group = Group { totals: &totals, context: &context };
        (find(name).expect(name).formula)(&group).expect(name).value()
    };
    let all = [
        (M::Cost, 30_000_000),
        (M::CostedClicks, 100),
        (M::MatureCost, 20_000_000),
        (M::PayoutConfirmed, 90_000_000),
        (M::MaturePayout, 80_000_000),
        (M::EarningConversions, 8),
        (M::ConvertedClicks, 8),
        (M::Conversions, 9),
    ];
    close(of("profit", &all), 60.0, "without a cost file");
    close(of("roi", &all), 3.0, "without a cost file");
    let judged = [
        (M::CompleteCost, 20_000_000),
        (M::CompletePayout, 50_000_000),
        (M::JudgedPayout, 40_000_000),
        (M::JudgedEarning, 4),
        (M::JudgedConverted, 4),
    ];
    let both: Vec<(M, i64)> = all.into_iter().chain(judged).collect();
    close(of("profit", &both), 30.0, "with one");
    close(of("roi", &both), 1.0, "with one");
    close(of("cpa", &both), 5.0, "with one");
    close(of("cost", &both), 30.0, "with one");
    close(of("revenue", &both), 90.0, "with one");
}

#[test]
fn terms_are_told_by_offer() {
    let offer = |name: &str| Some(name.to_owned());
    let allow = |incentive| crate::signals::Allowed { incentive, brand: None };
    let context = Context {
        allowed: [
            (offer("a"), allow(Some(true))),
            (offer("b"), allow(Some(false))),
            (offer("c"), allow(None)),
        ]
        .into(),
        ..Context::default()
    };
    let mut totals = counts(&[(M::RatedPayout, 90_000_000), (M::AgreedPayout, 60_000_000), (M::Rated, 3)]);
    totals.rows_of = [(offer("a"), 30), (offer("b"), 10), (offer("c"), 100)].into();
    let read = |name: &str| (find(name).expect(name).formula)(&Group { totals: &totals, context: &context });
    close(read("incentive_allowed_share").expect("said").value(), 0.75, "incentive");
    close(read("payout_in_rates").expect("agreed").value(), 1.5, "rates");
    assert!(matches!(read("brand_allowed_share"), Err(Absence::Nothing(_))));
    check_absent("brand_allowed_share", &totals, "no offers file says what was agreed");
}

#[test]
fn times_are_judged_on_their_logarithm() {
    let totals = Totals::of(&[(M::CtitCount, 2)], &[(M::Ctit, &[(0, 1), (3, 1)])], Vec::new());
    check("ctit_log_mean", &totals, 2.0, Some((0.960906, f64::INFINITY)));
    check("ctit_log_sd", &totals, 0.980258, Some((0.5, f64::INFINITY)));
    let constant = Totals::of(&[(M::CtitCount, 10)], &[(M::Ctit, &[(60, 10)])], Vec::new());
    check("ctit_log_sd", &constant, 0.00473240, Some((0.1, f64::INFINITY)));
    check_absent("ctit_log_mean", &counts(&[]), "the group has no conversions with a CTIT");
}

#[test]
fn hours_of_all_days_are_folded() {
    let totals = clicks(3, &[0, 4 * HOUR_S, 5 * HOUR_S, 23 * HOUR_S]);
    check("night_click_share", &totals, 0.5, None);
    let conversions = Totals::of(&[], &[(M::ConversionHours, &[(-20, 1), (4, 2), (29, 1)])], Vec::new());
    check("conversion_night_share", &conversions, 0.75, None);
}

#[test]
fn the_mean_direction_tells_one_time_of_day_from_all() {
    let two_hours = clicks(3, &[0, 6 * HOUR_S]);
    check("hour_r", &two_hours, 0.5f64.sqrt(), Some((0.5 / 6.0, 2.0)));
    let even: Vec<u32> = (0..24).map(|hour| hour * HOUR_S).collect();
    check("hour_r", &clicks(7, &even), 0.0, Some((0.5 / 168.0, 6.0)));
    check("hour_r", &clicks(3, &[0]), 1.0 - 0.5 / 3.0, Some((0.5 / 3.0, 2.0)));
    check_absent("hour_r", &clicks(2, &even), "fewer than three days to tell its spread");
}

#[test]
fn gaps_vary_around_their_mean() {
    check("gap_cv", &clicks(3, &[0, 10, 40]), 120f64.sqrt() / 20.0, Some((0.1, 2.0)));
    let timer = clicks(3, &[0, 20, 40, 60]);
    check("gap_cv", &timer, (1.0f64 / 6.0).sqrt() / 20.0, Some((0.0625, 2.0)));
    check_absent("gap_cv", &clicks(2, &[0, 10, 40]), "fewer than three days to tell its spread");
    let fast = "clicks come so fast that whole seconds do not tell their gaps";
    check_absent("gap_cv", &clicks(3, &[0, 1, 2]), fast);
    let seldom = "clicks come so seldom that the cut at an hour decides their gaps";
    check_absent("gap_cv", &clicks(3, &[0, 3_000]), seldom);
    check_absent("gap_cv", &clicks(3, &[0]), "the group has no two gaps between clicks");
}

#[test]
fn a_commonest_gap_counts_where_gaps_are_long() {
    check("gap_modal_share", &clicks(1, &[0, 20, 40, 60, 100]), 0.75, None);
    let short = "half of the gaps are below 10 s: chance alone repeats short ones";
    check_absent("gap_modal_share", &clicks(1, &[0, 1, 2, 3, 100]), short);
}

/// Two clicks of one minute: 60·4 − 4 = 236 over 59·2 = 118, and one click more on either side.
#[test]
fn windows_spread_inside_hours() {
    let chance = 2.0 * 2.0 / (59.0 * 4.0);
    check("fano_1m", &clicks(1, &[0, 30]), 296.0 / 178.0, Some((2.0 * chance, f64::INFINITY)));
    let paced: Vec<u32> = (0..60).map(|minute| minute * 60).collect();
    let chance = 2.0 * 60.0 * 59.0 / (59.0 * 3_600.0);
    check("fano_1m", &clicks(1, &paced), 60.0 / 3_600.0, Some((2.0 * chance, f64::INFINITY)));
    check_absent("fano_5m", &clicks(1, &[0]), "the group has no hour with two clicks");
}

#[test]
fn bursts_of_conversions_stand_out_of_the_hours_around() {
    let of = |windows: &[(i64, u64)]| Totals::of(&[], &[(M::ConversionWindows, windows)], Vec::new());
    check("conversion_burst_share", &of(&[(900, 2), (1_000, 6)]), 0.75, None);
    check("conversion_burst_share", &of(&[(1_000, 4)]), 0.0, None);
    let steady: Vec<(i64, u64)> = (0..100).map(|window| (window, 50)).collect();
    check("conversion_burst_share", &of(&steady), 0.0, None);
    let begins: Vec<(i64, u64)> = (0..100).map(|window| (window, 50 + 100 * (window / 50) as u64)).collect();
    check("conversion_burst_share", &of(&begins), 0.0, None);
}

/// A day of four clicks, three from one address: h = 6 / 12 + 1 / 16.
#[test]
fn concentration_is_within_days() {
    let hit = |ip: u64| Hit { second: DAY_S, ip, ..Hit::default() };
    let totals = Totals::of(&[(M::AddressedClicks, 4)], &[], vec![hit(1), hit(1), hit(1), hit(2)]);
    check("ip_hhi", &totals, 0.5625, Some((1.368998, f64::INFINITY)));
    check_absent("network_hhi", &totals, "the group has no day with two such clicks");
    let one = clicks(5, &[0, 60, 120]);
    check("ip_hhi", &one, 1.0, Some((4.0 * 16.0 / 900.0, 4.0)));
}

/// Chao and Shen's estimate of the counts 50, 20, 10, 5, 5, 4, 3, 2, 1 is 1.5994344.
#[test]
fn variety_allows_for_what_was_not_met() {
    let counts = [50, 20, 10, 5, 5, 4, 3, 2, 1];
    let of_key = |(ip, times): (u64, usize)| vec![Hit { second: DAY_S, ip, ..Hit::default() }; times];
    let hits: Vec<Hit> = (1..).zip(counts).flat_map(of_key).collect();
    let estimate = reading("ip_entropy_norm", &Totals::of(&[], &[], hits)).expect("hundred clicks");
    close(estimate.value(), 1.5994344 / 100f64.ln(), "ip_entropy_norm");
    assert_eq!(estimate.n, 100);
    check_absent("ip_entropy_norm", &clicks(1, &[0]), "the group has no two such clicks");
}

#[test]
fn agents_are_divided_by_addresses() {
    let hit = |ip: u64| Hit { second: DAY_S, ip, agent: 1 + (ip % 2) as u32, ..Hit::default() };
    let totals = Totals::of(&[(M::AddressedClicks, 4)], &[], (1..=4).map(hit).collect());
    check("agents_per_ip", &totals, 0.5, Some((1.5, f64::INFINITY)));
}

/// A network with half of the clicks, and as many clicks of a network each, of which these convert.
fn crowd(of_crowd: u64, of_others: u64) -> Totals {
    let hit = |at: u64| Hit {
        second: DAY_S,
        ip: at + 1,
        net: if at < 100 { 1 } else { at as u32 },
        flags: u8::from(at < of_crowd || (100..100 + of_others).contains(&at)) * Hit::CONVERTED,
        ..Hit::default()
    };
    Totals::of(&[(M::Clicks, 200), (M::NetworkedClicks, 200)], &[], (0..200).map(hit).collect())
}

/// A carrier's network with half of the clicks that brings all conversions but one, and three barren networks.
fn barren(carrier: u64) -> Totals {
    let of = |at: u64| match at {
        _ if at < carrier => 1,
        _ if at < carrier + carrier / 4 => 2 + (at % 3) as u32,
        _ => at as u32,
    };
    let hit = |at: u64| Hit {
        second: DAY_S,
        ip: at + 1,
        net: of(at),
        flags: u8::from(at < carrier || at == 2 * carrier - 1) * Hit::CONVERTED,
        ..Hit::default()
    };
    let clicks = 2 * carrier;
    let counts = [(M::Clicks, clicks as i64), (M::NetworkedClicks, clicks as i64)];
    Totals::of(&counts, &[], (0..clicks).map(hit).collect())
}

#[test]
fn a_crowd_that_does_not_convert_is_told_from_one_that_does() {
    // Two looks double the p-value.
    check("idle_crowd_p", &crowd(0, 10), 2.0 * (2.0f64 / 3.0).powi(10), None);
    check("idle_crowd_p", &crowd(10, 0), 1.0, None);
    let honest = reading("idle_crowd_p", &crowd(10, 10)).expect("a crowd").value();
    assert!(honest > 0.9, "{honest}");
    check("crowd_click_share", &crowd(0, 10), 0.5, None);
    // However many conversions there are: a number that is too large is none.
    let large = reading("idle_crowd_p", &barren(40_000)).expect("crowds").value();
    assert!(large < 1e-9, "{large}");
    check_absent("idle_crowd_p", &crowd(0, 0), "the group has no converted clicks");
}

#[test]
fn amounts_are_judged_on_their_logarithm() {
    let of = |amounts: &[(i64, u64)]| Totals::of(&[], &[(M::AmountValues, amounts)], Vec::new());
    let two = of(&[(10_000_000, 1), (1_000_000_000, 1)]);
    let squared = 2.0 * (100f64.ln() / 2.0).powi(2);
    check("amount_log_mean", &two, 100.0, Some((squared, f64::INFINITY)));
    check("amount_log_sd", &two, squared.sqrt(), Some((0.5, f64::INFINITY)));
    check("amount_modal_share", &of(&[(5, 3), (7, 1)]), 0.75, None);
    check_absent("amount_log_sd", &of(&[(10_000_000, 9)]), "all amounts are equal");
    check("amount_log_mean", &of(&[(10_000_000, 10)]), 10.0, Some((2e-5, f64::INFINITY)));
}

#[test]
fn deposits_are_divided_by_registrations() {
    let measures = [(M::DepositsD7, 300_000_000), (M::DepositedD7, 4), (M::CohortD7, 30)];
    let totals = Totals::of(&measures, &[(M::AmountValues, &[(75_000_000, 4)])], Vec::new());
    check("d7_deposits_per_registration", &totals, 10.0, None);
    let (low, high) = reading("d7_deposits_per_registration", &totals).expect("deposits").printed();
    close(low, 10.0 / 2.664408, "low");
    close(high, 26.64408, "high");
    let none = counts(&[(M::CohortD30, 30)]);
    check_absent(
        "d30_deposits_per_registration",
        &none,
        "the group has no deposit that tells how large one is",
    );
}

/// One place with two characters, each twice: 1 bit and 1 / 8 nat of correction; one with a single character.
#[test]
fn ids_are_as_random_as_their_characters() {
    let places = [(97, 2), (98, 2), (1 << 21 | 120, 4)];
    let totals = Totals::of(&[(M::IdCount, 4)], &[(M::IdCharacters, &places)], Vec::new());
    let even = 2.0 * std::f64::consts::LOG2_E.powi(2) / 32.0;
    check(
        "id_entropy_bits",
        &totals,
        (1.0 + std::f64::consts::LOG2_E / 8.0) / 2.0,
        Some((even, f64::INFINITY)),
    );
    check_absent("id_entropy_bits", &counts(&[]), "the group has no characters of click IDs");
    let forms = Totals::of(&[], &[(M::IdForms, &[(1, 9), (2, 1)])], Vec::new());
    check("id_form_top_share", &forms, 0.9, None);
}

#[test]
fn earnings_are_measured_by_what_the_offer_pays() {
    let measures =
        [(M::MaturePayout, 30_000_000), (M::MaturePayoutPending, 30_000_000), (M::EarningConversions, 4)];
    let mut totals = counts(&measures);
    let offer = |name: &str| Some(name.to_owned());
    let context = Context {
        typical_payout: Some(5e6),
        typical_payout_of: [(offer("a"), 10e6), (offer("b"), 20e6)].into(),
        ..Context::default()
    };
    let mut earning = |of: &[(&str, i64)]| {
        totals.earning_of = of.iter().map(|(name, n)| (offer(name), *n)).collect();
        let group = Group { totals: &totals, context: &context };
        (find("earning_in_payouts").expect("declared").formula)(&group).expect("it earns").value()
    };
    close(earning(&[("a", 4)]), 1.5, "one offer");
    close(earning(&[("a", 2), ("b", 2)]), 1.0, "two offers");
    close(earning(&[("c", 4)]), 3.0, "an offer without a payout");
}

/// Nothing, one click, one key, one second, one day, no key twice, everything converted.
#[test]
fn no_group_makes_a_signal_infinite() {
    let hit = |at: u32| Hit {
        second: DAY_S,
        ip: 1,
        net: 1,
        agent: 1,
        asn: 1,
        flags: at as u8 & 1,
        ..Hit::default()
    };
    let own =
        |at: u32| Hit { second: DAY_S + at, ip: at.into(), net: at, agent: at, asn: at, ..Hit::default() };
    let logs = [vec![], vec![hit(1)], vec![hit(0); 300], (1..300).map(own).collect(), vec![hit(1); 50]];
    for log in logs {
        let n = log.len() as i64;
        let all: Vec<(M, i64)> = crate::measures::MEASURES.iter().map(|m| (m.id, n)).collect();
        let values: Vec<(i64, u64)> = if n == 0 { vec![] } else { vec![(1_000_000, n as u64)] };
        let of = |m: &crate::measures::Measure| (m.id, &values[..]);
        let lists: Vec<_> = crate::measures::MEASURES.iter().map(of).collect();
        let totals = Totals::of(&all, &lists, log);
        let context = Context { clicks_given: true, conversions_given: true, ..Context::default() };
        let row = Row::compute(&Group { totals: &totals, context: &context });
        let infinite = Reading::Absent(Absence::Nothing("finite value"));
        for (reading, signal) in row.readings.iter().zip(super::all()) {
            assert_ne!(*reading, infinite, "{} of {n}", signal.name);
        }
    }
}
