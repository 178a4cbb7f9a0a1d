//! From the strata of a grain to what peers say of every group (statistics.md, 4.7 to 4.9).

use super::combine::{all_of, cauchy, decibans, simes};
use super::contrast::{Contrast, contrasts};
use super::fdr::{self, guarded_cut};
use super::risk::{local_fdr, risk};
use super::standing::{Direction, Middle, Profile, Sides, Standing, Standings, TooFew, Versus};
use super::{patterns, places::Places};
use crate::measures::{GrainMeasures, M};
use crate::signals::{self, Context, Family, Signal, Suspicious};
use std::collections::BTreeMap;

/// Signals that rules may hold against peers, that are no part of a group's p by themselves. Distinct addresses
/// grow more slowly than clicks: large groups have a smaller share by nature. Carriers, offices and VPNs make
/// honest traffic as concentrated, and as foreign, as any farm's: that counts beside signs of other kinds only
/// (see [`patterns::joint`]). What a list or a user agent's own words say is as good as the list: rules ask it.
const NOT_COMBINED: [&str; 16] = [
    "address_country_mismatch_share",
    "agent_hhi",
    "asn_hhi",
    "click_loss_share",
    "conversion_distinct_ip_share",
    "country_mismatch_share",
    "crawler_share",
    "ctit_log_sd",
    "ctit_round_share",
    "distinct_ip_share",
    "headless_share",
    "id_entropy_bits",
    "ip_hhi",
    "network_hhi",
    "tor_share",
    "vpn_share",
];

/// Signals that rules may hold against peers on either side, of which only one side counts in a group's p. A high
/// conversion rate alone is what the best partner has: private rates, loyal customers, a page that filters
/// visitors. It accuses beside other signs only: cheap deposits that never come again (see [`patterns`]), or
/// conversions that are rejected. It is no decoy either: what rewarded players do would make decoys of frauds.
const ONE_SIDED: [(&str, Direction); 1] = [("cr", Direction::Low)];

/// The side of a signal that alone counts in a group's p, if only one of its suspicious sides does.
fn only_side(signal: &str) -> Option<Direction> {
    ONE_SIDED.iter().find(|(name, _)| *name == signal).map(|(_, side)| *side)
}

/// Fewer groups than this say nothing of how honest ones differ (see [`super::fit::Settings::min_rows`]): none of
/// them has a p-value, a risk, or significance.
const LEAST_GROUPS: usize = 40;

/// How groups are held against their peers.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The share of false accusations among all that is taken to be acceptable.
    pub fdr: f64,
    /// Sources that the user knows to be honest, as `source` or `traffic_source/source`.
    pub trusted: Vec<String>,
    /// Families that are left out, to see what they are worth.
    pub without: Vec<Family>,
    pub threads: usize,
}

/// What the comparison of a grain came to.
#[derive(Debug, Default)]
pub struct Compared {
    /// In the order of [`GrainMeasures::groups`].
    pub profiles: Vec<Profile>,
    pub summary: Summary,
}

/// What holds for the comparison as a whole.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Groups that could be compared in at least one signal.
    pub tested: usize,
    /// Groups that are significant, before the effect is asked for.
    pub significant: usize,
    /// The estimated share of ordinary groups.
    pub ordinary_share: Option<f64>,
    /// Decoys per discovery: an estimate of the false share that needs no model of honest sources.
    pub mirror_fdr: Option<f64>,
    /// The spread between honest groups by signal, below and above the location, on the fitted scale.
    pub spreads: BTreeMap<&'static str, (f64, f64)>,
}

/// Holds every group of a grain against its peers.
pub fn profiles(measures: &GrainMeasures, context: &Context, settings: &Settings) -> Compared {
    let places = Places::new(measures, &settings.trusted);
    let asked: Vec<&'static Signal> = signals::all()
        .iter()
        .copied()
        .filter(|s| s.against != signals::Against::Nothing && !settings.without.contains(&s.family))
        .collect();
    let contrasts = contrasts(&asked, measures, context, &places, settings.threads);
    let spreads = contrasts.iter().filter_map(|c| Some((c.signal.name, c.spread?))).collect();
    let evidence = |side: Side| -> Vec<Evidence> {
        parallel(settings.threads, measures.strata.len(), |at| Evidence::of(at, &contrasts, side))
    };
    let (strata, decoys) = (evidence(Side::Suspicious), evidence(Side::Opposite));
    let judge = Judge { measures, places: &places, contrasts, strata: &strata, decoys: &decoys };
    let mut compared = judge.compared(settings);
    compared.summary.spreads = spreads;
    compared
}

/// Runs `work` for every place below `count`, in order whatever the number of threads.
pub(super) fn parallel<T: Send>(threads: usize, count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let share = count.div_ceil(threads.max(1)).max(1);
    let work = &work;
    std::thread::scope(|scope| {
        let run = |first: usize| {
            scope.spawn(move || (first..(first + share).min(count)).map(work).collect::<Vec<T>>())
        };
        let running: Vec<_> = (0..count).step_by(share).map(run).collect();
        running.into_iter().flat_map(|r| r.join().expect("comparing does not panic")).collect()
    })
}

/// Which tails of the comparisons are put together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Suspicious,
    /// The other tail of signals of which only one is suspicious: honest groups reach both alike.
    Opposite,
}

/// The p-values of one stratum, put together.
struct Evidence {
    families: Vec<(Family, f64, usize)>,
    ln_p: Option<f64>,
}

impl Evidence {
    fn of(stratum: usize, contrasts: &[Contrast], side: Side) -> Evidence {
        let mut families: BTreeMap<Family, Vec<f64>> = BTreeMap::new();
        for contrast in contrasts.iter().filter(|c| !NOT_COMBINED.contains(&c.signal.name)) {
            let Some(Ok(found)) = contrast.of(stratum) else { continue };
            if let Some(p) = counted(contrast.signal, found, side) {
                families.entry(contrast.signal.family).or_default().push(p);
            }
        }
        let families: Vec<(Family, f64, usize)> =
            families.into_iter().filter_map(|(f, p)| Some((f, simes(&p)?, p.len()))).collect();
        let joint = if side == Side::Suspicious { Self::joint(stratum, contrasts) } else { None };
        let of_family = |(family, p, _): &(Family, f64, usize)| (*p, weight(*family));
        let weighted: Vec<(f64, f64)> =
            families.iter().map(of_family).chain(joint.map(|p| (p, ACCUSING))).collect();
        Evidence { ln_p: cauchy(&weighted), families }
    }

    /// The weak signs of patterns together: one more family.
    fn joint(stratum: usize, contrasts: &[Contrast]) -> Option<f64> {
        let ln_p = |name: &str, side: Direction| {
            let at = contrasts.binary_search_by_key(&name, |c| c.signal.name).ok()?;
            contrasts[at].of(stratum)?.ok()?.ln_p(side)
        };
        simes(&patterns::joint(&ln_p))
    }
}

/// What conversions say counts twice: clicks can be sent by anybody, and rates differ for many reasons.
const ACCUSING: f64 = 2.0;

/// The weight of a family in the group's p, set before any data are seen (statistics.md, 4.7).
fn weight(family: Family) -> f64 {
    match family {
        Family::Ctit | Family::Duplicates | Family::Quality | Family::Postbacks => ACCUSING,
        Family::Volume | Family::Performance | Family::Identity | Family::Rhythm | Family::Data => 1.0,
    }
}

/// ln p of what counts in a group's p.
fn counted(signal: &Signal, found: &Versus, side: Side) -> Option<f64> {
    match (only_side(signal.name), side) {
        (Some(only), Side::Suspicious) => found.ln_p(only),
        (Some(_), Side::Opposite) => None,
        (None, _) => tail(signal, found.sides, side),
    }
}

/// ln p of the tail that is asked for; that both tails were looked at costs a factor of 2.
fn tail(signal: &Signal, sides: Sides, side: Side) -> Option<f64> {
    match (signal.suspicious, side) {
        (Suspicious::High, Side::Suspicious) | (Suspicious::Low, Side::Opposite) => sides.of(Direction::High),
        (Suspicious::Low, Side::Suspicious) | (Suspicious::High, Side::Opposite) => sides.of(Direction::Low),
        (Suspicious::Either, Side::Suspicious) => Some((sides.least()? + std::f64::consts::LN_2).min(0.0)),
        _ => None,
    }
}

/// Everything that is known before groups are compared with each other.
struct Judge<'a> {
    measures: &'a GrainMeasures,
    places: &'a Places,
    contrasts: Vec<Contrast>,
    strata: &'a [Evidence],
    decoys: &'a [Evidence],
}

impl Judge<'_> {
    fn compared(mut self, settings: &Settings) -> Compared {
        let members = self.members();
        let combined = |of: &[Evidence]| -> Vec<Option<f64>> {
            members.iter().map(|strata| self.combined(strata, of)).collect()
        };
        let (up, down) = (combined(self.strata), combined(self.decoys));
        let tested: Vec<usize> = (0..up.len()).filter(|&at| up[at].is_some()).collect();
        let tested = if tested.len() < LEAST_GROUPS { Vec::new() } else { tested };
        let ln_p: Vec<f64> = tested.iter().filter_map(|&at| up[at]).collect();
        let mirrored: Vec<f64> = tested.iter().map(|&at| down[at].unwrap_or(0.0)).collect();
        let q: Vec<f64> = fdr::q_values(&ln_p);
        let guarded = guarded_cut(&ln_p, &mirrored, settings.fdr);
        let local = local_fdr(&ln_p);
        let mut ranked = ln_p.clone();
        ranked.sort_by(f64::total_cmp);
        let mut profiles: Vec<Profile> = members.iter().map(|strata| self.profile(strata, &ranked)).collect();
        for (place, &at) in tested.iter().enumerate() {
            let profile = &mut profiles[at];
            profile.ln_p = Some(ln_p[place]);
            profile.q = Some(q[place].exp());
            profile.risk = Some(risk(local.ln_lfdr[place]));
            let found = guarded.cut.is_some_and(|cut| ln_p[place] <= cut);
            profile.significant = found && profile.is_large(settings.fdr);
        }
        Compared {
            summary: Summary {
                tested: tested.len(),
                significant: guarded.cut.map_or(0, |cut| ln_p.iter().filter(|p| **p <= cut).count()),
                ordinary_share: (!tested.is_empty()).then_some(local.pi0),
                mirror_fdr: guarded.mirror_fdr,
                spreads: BTreeMap::new(),
            },
            profiles,
        }
    }

    /// The strata of each group.
    fn members(&self) -> Vec<Vec<usize>> {
        let mut members = vec![Vec::new(); self.measures.groups.len()];
        self.measures.strata.iter().enumerate().for_each(|(at, s)| members[s.group].push(at));
        members
    }

    /// ln p of a group: its strata's, weighted by what is paid for each.
    fn combined(&self, strata: &[usize], of: &[Evidence]) -> Option<f64> {
        let weighted: Vec<(f64, f64)> =
            strata.iter().filter_map(|&at| Some((of[at].ln_p?, self.weight(at)))).collect();
        cauchy(&weighted)
    }

    /// The payout of a stratum; where none is known its conversions count, then its clicks.
    fn weight(&self, stratum: usize) -> f64 {
        let totals = &self.measures.strata[stratum].totals;
        let known = |m: M| totals.get(m).filter(|n| *n > 0).map(|n| n as f64);
        let paid = known(M::PayoutConfirmed).unwrap_or(0.0) + known(M::PayoutPending).unwrap_or(0.0);
        let rows = known(M::Conversions).unwrap_or(0.0) + 0.01 * known(M::Clicks).unwrap_or(0.0);
        (if paid > 0.0 { paid / crate::base::money::SCALE as f64 } else { 0.0 }) + rows + 1e-9
    }

    /// What is known of one group; `ranked` are the ln p of all groups, the least first.
    fn profile(&mut self, strata: &[usize], ranked: &[f64]) -> Profile {
        let count = self.contrasts.len();
        let usual = (0..count).filter_map(|at| self.usual(at, strata)).collect();
        let standing = |at: usize| Some((self.contrasts[at].signal, self.standing(at, strata, ranked)?));
        let signals = Standings::in_order((0..count).filter_map(standing).collect());
        let mut families: BTreeMap<Family, Vec<(f64, f64)>> = BTreeMap::new();
        for &at in strata {
            for (family, p, _) in &self.strata[at].families {
                families.entry(*family).or_default().push((*p, self.weight(at)));
            }
        }
        let families = families.into_iter().filter_map(|(f, p)| Some((f, cauchy(&p)?))).collect();
        let patterns = patterns::found(&signals);
        Profile { signals, families, patterns, usual, ..Profile::default() }
    }

    /// How a signal of a group stands: in the stratum in which it differs most.
    fn standing(&mut self, contrast: usize, strata: &[usize], ranked: &[f64]) -> Option<Standing> {
        let found = &self.contrasts[contrast];
        let compared =
            strata.iter().filter_map(|&at| Some((shown_ln_p(found.signal, found.of(at)?.ok()?), at)));
        let Some((p, at)) = compared.reduce(|best, other| if other.0 < best.0 { other } else { best }) else {
            return self.lack(contrast, strata).map(|(why, _)| Standing::TooFew(why));
        };
        let contrast = &mut self.contrasts[contrast];
        let (family, versus) = (contrast.signal.family, contrast.take(at)?);
        let price = self.price(family, at, strata);
        let q = q_at((p + price.ln()).min(0.0), ranked);
        Some(Standing::Compared(Versus { q, decibans: decibans(p), ..versus }))
    }

    /// Why a signal of a group could not be compared: of the strata with a value the one that weighs most says it.
    fn lack(&self, contrast: usize, strata: &[usize]) -> Option<(TooFew, usize)> {
        let lacks = |&at: &usize| Some((self.contrasts[contrast].of(at)?.err()?, at));
        strata.iter().filter_map(lacks).max_by(|a, b| self.weight(a.1).total_cmp(&self.weight(b.1)))
    }

    /// What is usual of the offer of a group that has too few peers for a signal.
    fn usual(&self, contrast: usize, strata: &[usize]) -> Option<(&'static str, Middle)> {
        let found = &self.contrasts[contrast];
        let (TooFew::Peers, at) = self.lack(contrast, strata)? else { return None };
        Some((found.signal.name, found.usual(self.places.offers[at]?)?))
    }

    /// How many looks were taken before this one: signals of its family, families, strata.
    fn price(&self, family: Family, stratum: usize, strata: &[usize]) -> f64 {
        let families = &self.strata[stratum].families;
        let signals = families.iter().find(|(f, ..)| *f == family).map_or(1, |f| f.2);
        (signals * families.len().max(1) * strata.len()) as f64
    }
}

/// Whether this side of a signal counts in a group's p at all.
fn counts(signal: &str, side: Direction) -> bool {
    only_side(signal).is_none_or(|only| only == side)
}

/// By how many standard deviations a signal lies on a side that counts in a group's p; `None` where none does.
/// Where both sides count, the distance has no sign.
pub fn suspicious_distance(signal: &Signal, versus: &Versus) -> Option<f64> {
    if NOT_COMBINED.contains(&signal.name) {
        return None;
    }
    match (only_side(signal.name), signal.suspicious) {
        (Some(Direction::Low), _) | (None, Suspicious::Low) => Some(-versus.z),
        (Some(Direction::High), _) | (None, Suspicious::High) => Some(versus.z),
        (None, Suspicious::Either) => Some(versus.z.abs()),
        (None, Suspicious::Neither) => None,
    }
}

/// ln p of a comparison; of one that is only shown the smaller tail.
fn shown_ln_p(signal: &Signal, versus: &Versus) -> f64 {
    let asked = tail(signal, versus.sides, Side::Suspicious);
    asked.or_else(|| versus.sides.least()).unwrap_or(0.0)
}

/// The q-value that a group with this p would have among all, ranked from the least on (Benjamini and Hochberg).
pub(super) fn q_at(ln_p: f64, ranked: &[f64]) -> f64 {
    let m = ranked.len().max(1) as f64;
    let rank = ranked.partition_point(|p| *p <= ln_p) as f64 + 1.0;
    (ln_p.exp() * m / rank).min(1.0)
}

impl Profile {
    /// Whether a signal that is part of the reason differs by enough to matter: a trifle at a huge count is
    /// significant, too.
    fn is_large(&self, fdr: f64) -> bool {
        let counted =
            |(signal, v): (&Signal, _)| Some(v).filter(|v: &&Versus| counts(signal.name, v.direction));
        let compared = || self.signals.compared().filter_map(counted);
        let reason = |v: &&Versus| v.q <= fdr;
        if compared().any(|v| reason(&v)) {
            return compared().filter(reason).any(|v| v.large);
        }
        compared().max_by(|a, b| a.decibans.total_cmp(&b.decibans)).is_some_and(|v| v.large)
    }

    /// The families that would each have made the group significant alone, strongest first.
    pub fn reasons(&self) -> Vec<Family> {
        let mut families = self.families.clone();
        families.sort_by(|a, b| a.1.total_cmp(&b.1));
        families.into_iter().map(|(family, _)| family).collect()
    }
}

/// Both conditions at once, for patterns (intersection-union test).
pub(super) fn both(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    all_of(&[a?, b?])
}

/// The direction of a comparison's smaller tail.
pub(super) fn direction(high: Option<f64>, low: Option<f64>) -> Direction {
    if high.unwrap_or(0.0) <= low.unwrap_or(0.0) { Direction::High } else { Direction::Low }
}
