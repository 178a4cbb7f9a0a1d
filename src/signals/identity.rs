//! Who is behind the clicks and conversions.

use super::spread;
use super::{Absence, Against, Estimate, Family, Group, IntervalKind, Link, Side, Signal, Suspicious};
use crate::base::stats;
use crate::base::unit::Unit;
use crate::measures::M;

/// The least part of the others' odds of converting that an honest crowd has.
const GRANTED_ODDS: f64 = 0.5;

/// The signals of this table.
pub const SIGNALS: &[Signal] = &[
    Signal {
        name: "distinct_ip_share",
        unit: Unit::Share,
        family: Family::Identity,
        side: Side::Click,
        suspicious: Suspicious::Low,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 100,
        sample: "clicks with an address",
        range: (0.0, 1.0),
        summary: "distinct addresses per click; 1 means that every click has its own",
        innocent: &["carriers and offices that share addresses", "visitors who click several times"],
        measures: &[M::Addresses, M::AddressedClicks],
        formula: |g| g.share(M::Addresses, M::AddressedClicks, "clicks with an address"),
    },
    Signal {
        name: "top_ip_share",
        unit: Unit::Share,
        family: Family::Identity,
        side: Side::Click,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Nothing,
        min_sample: 100,
        sample: "clicks with an address",
        range: (0.0, 1.0),
        summary: "clicks of the busiest address",
        innocent: &["a carrier gateway", "one large office"],
        measures: &[M::BusiestAddress, M::AddressedClicks],
        formula: |g| g.share(M::BusiestAddress, M::AddressedClicks, "clicks with an address"),
    },
    Signal {
        name: "conversion_distinct_ip_share",
        unit: Unit::Share,
        family: Family::Identity,
        side: Side::Conversion,
        suspicious: Suspicious::Low,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 20,
        sample: "conversions with an address",
        range: (0.0, 1.0),
        summary: "distinct addresses per conversion",
        innocent: &["households and carriers that share addresses", "several events of one player"],
        measures: &[M::ConversionAddresses, M::AddressedConversions],
        formula: |g| g.share(M::ConversionAddresses, M::AddressedConversions, "conversions with an address"),
    },
    Signal {
        name: "conversion_top_ip_share",
        unit: Unit::Share,
        family: Family::Identity,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Nothing,
        min_sample: 20,
        sample: "conversions with an address",
        range: (0.0, 1.0),
        summary: "conversions of the busiest address",
        innocent: &["a carrier gateway", "the advertiser's server in place of the visitor"],
        measures: &[M::BusiestConversionAddress, M::AddressedConversions],
        formula: |g| {
            g.share(M::BusiestConversionAddress, M::AddressedConversions, "conversions with an address")
        },
    },
    Signal {
        name: "ip_hhi",
        unit: Unit::Ratio,
        family: Family::Identity,
        side: Side::Click,
        suspicious: Suspicious::High,
        kind: IntervalKind::Normal,
        against: Against::Normal,
        min_sample: 100,
        sample: "clicks with an address",
        range: (0.0, 1.0),
        summary: "probability that two clicks of one day come from the same address",
        innocent: &[
            "a carrier that puts many customers behind one address",
            "an office, a campus or a café",
            "a privacy relay or VPN that many visitors use",
        ],
        measures: &[M::AddressPairs, M::AddressPairings, M::AddressedClicks],
        formula: |g| concentration(g, M::AddressPairs, M::AddressPairings, M::AddressedClicks),
    },
    Signal {
        name: "network_hhi",
        unit: Unit::Ratio,
        family: Family::Identity,
        side: Side::Click,
        suspicious: Suspicious::High,
        kind: IntervalKind::Normal,
        against: Against::Normal,
        min_sample: 100,
        sample: "clicks whose network is known",
        range: (0.0, 1.0),
        summary: "probability that two clicks of one day come from the same network (/24, /48)",
        innocent: &[
            "a carrier that puts many customers behind one address",
            "a town or country with one provider",
            "a privacy relay or VPN that many visitors use",
        ],
        measures: &[M::NetworkPairs, M::NetworkPairings, M::NetworkedClicks],
        formula: |g| concentration(g, M::NetworkPairs, M::NetworkPairings, M::NetworkedClicks),
    },
    Signal {
        name: "asn_hhi",
        unit: Unit::Ratio,
        family: Family::Identity,
        side: Side::Click,
        suspicious: Suspicious::High,
        kind: IntervalKind::Normal,
        against: Against::Normal,
        min_sample: 100,
        sample: "clicks with an autonomous system",
        range: (0.0, 1.0),
        summary: "probability that two clicks of one day come from the same autonomous system",
        innocent: &["a campaign for one carrier's customers", "a country with one large provider"],
        measures: &[M::AsnPairs, M::AsnPairings, M::AsnClicks],
        formula: |g| concentration(g, M::AsnPairs, M::AsnPairings, M::AsnClicks),
    },
    Signal {
        name: "agent_hhi",
        unit: Unit::Ratio,
        family: Family::Identity,
        side: Side::Click,
        suspicious: Suspicious::Either,
        kind: IntervalKind::Normal,
        against: Against::Normal,
        min_sample: 100,
        sample: "clicks with a user agent",
        range: (0.0, 1.0),
        summary: "probability that two clicks of one day have the same user agent",
        innocent: &[
            "browsers that no longer tell their model, such as Chrome's and Safari's",
            "an app whose built-in browser is the same for everybody",
            "a campaign for one system or device",
        ],
        measures: &[M::AgentPairs, M::AgentPairings, M::AgentClicks],
        formula: |g| concentration(g, M::AgentPairs, M::AgentPairings, M::AgentClicks),
    },
    Signal {
        name: "ip_entropy_norm",
        unit: Unit::Ratio,
        family: Family::Identity,
        side: Side::Click,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Normal,
        against: Against::Normal,
        min_sample: 100,
        sample: "clicks with an address",
        range: (0.0, f64::MAX),
        summary: "variety of the addresses: their entropy over the logarithm of the number of clicks, with allowance for addresses not met yet; 0 means one address",
        innocent: &[
            "a carrier that puts many customers behind one address",
            "visitors who click several times",
        ],
        measures: &[M::AddressMultiplicities, M::AddressedClicks],
        formula: |g| variety(g, M::AddressMultiplicities),
    },
    Signal {
        name: "agent_entropy_norm",
        unit: Unit::Ratio,
        family: Family::Identity,
        side: Side::Click,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Normal,
        against: Against::Normal,
        min_sample: 100,
        sample: "clicks with a user agent",
        range: (0.0, f64::MAX),
        summary: "variety of the user agents: their entropy over the logarithm of the number of clicks, with allowance for user agents not met yet; 0 means one user agent",
        innocent: &[
            "browsers that no longer tell their model, such as Chrome's and Safari's",
            "an app whose built-in browser adds its version or the handset",
            "a campaign for one system or device",
        ],
        measures: &[M::AgentMultiplicities, M::AgentClicks],
        formula: |g| variety(g, M::AgentMultiplicities),
    },
    Signal {
        name: "top_network_share",
        unit: Unit::Share,
        family: Family::Identity,
        side: Side::Click,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Nothing,
        min_sample: 100,
        sample: "clicks whose network is known",
        range: (0.0, 1.0),
        summary: "clicks of the busiest network (/24, /48)",
        innocent: &["a carrier gateway", "one large office", "a privacy relay or VPN that many visitors use"],
        measures: &[M::BusiestNetwork, M::NetworkedClicks],
        formula: |g| g.share(M::BusiestNetwork, M::NetworkedClicks, "clicks whose network is known"),
    },
    Signal {
        name: "agents_per_ip",
        unit: Unit::Ratio,
        family: Family::Identity,
        side: Side::Click,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Normal,
        against: Against::Normal,
        min_sample: 100,
        sample: "clicks with an address",
        range: (0.0, f64::MAX),
        summary: "distinct user agents over distinct addresses",
        innocent: &[
            "a carrier that puts many customers behind one address",
            "an app whose built-in browser is the same for everybody",
            "browsers that no longer tell their model",
        ],
        measures: &[M::Agents, M::Addresses, M::AddressedClicks],
        formula: agents_per_ip,
    },
    Signal {
        name: "distinct_agent_share",
        unit: Unit::Share,
        family: Family::Identity,
        side: Side::Click,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Share,
        against: Against::Nothing,
        min_sample: 100,
        sample: "clicks with a user agent",
        range: (0.0, 1.0),
        summary: "distinct user agents per click; it falls with the number of clicks by nature",
        innocent: &[],
        measures: &[M::Agents, M::AgentClicks],
        formula: |g| g.share(M::Agents, M::AgentClicks, "clicks with a user agent"),
    },
    Signal {
        name: "distinct_visitor_share",
        unit: Unit::Share,
        family: Family::Identity,
        side: Side::Click,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Share,
        against: Against::Nothing,
        min_sample: 100,
        sample: "clicks with an address",
        range: (0.0, 1.0),
        summary: "distinct pairs of address and user agent per click with an address; it falls with the number of clicks by nature",
        innocent: &[],
        measures: &[M::Visitors, M::AddressedClicks],
        formula: |g| g.share(M::Visitors, M::AddressedClicks, "clicks with an address"),
    },
    Signal {
        name: "known_bot_share",
        unit: Unit::Share,
        family: Family::Identity,
        side: Side::Click,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 100,
        sample: "clicks",
        range: (0.0, 1.0),
        summary: "clicks that the tracker marked as a bot's",
        innocent: &[
            "crawlers and link previews of messengers that follow every link",
            "scanners of mail and network security",
            "a rival's bot on the source's links",
        ],
        measures: &[M::BotClicks, M::Clicks],
        formula: bots,
    },
    Signal {
        name: "datacenter_share",
        unit: Unit::Share,
        family: Family::Identity,
        side: Side::Click,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 100,
        sample: "clicks",
        range: (0.0, 1.0),
        summary: "clicks from data centres",
        innocent: &[
            "VPNs and privacy relays",
            "offices that go out through a cloud",
            "browsers that load pages through their maker's servers to save data",
        ],
        measures: &[M::DatacenterClicks, M::Clicks],
        formula: |g| g.share(M::DatacenterClicks, M::Clicks, "clicks"),
    },
    Signal {
        name: "vpn_share",
        unit: Unit::Share,
        family: Family::Identity,
        side: Side::Click,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 100,
        sample: "clicks",
        range: (0.0, 1.0),
        summary: "clicks from exits of virtual private networks",
        innocent: &[
            "people who guard their privacy, or live where pages are blocked",
            "employees behind their company's network",
            "a list that is old or too wide",
        ],
        measures: &[M::VpnClicks, M::Clicks],
        formula: |g| g.share(M::VpnClicks, M::Clicks, "clicks"),
    },
    Signal {
        name: "tor_share",
        unit: Unit::Share,
        family: Family::Identity,
        side: Side::Click,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 100,
        sample: "clicks",
        range: (0.0, 1.0),
        summary: "clicks from exits of the Tor network",
        innocent: &["people who guard their privacy, or live where pages are blocked"],
        measures: &[M::TorClicks, M::Clicks],
        formula: |g| g.share(M::TorClicks, M::Clicks, "clicks"),
    },
    Signal {
        name: "crawler_share",
        unit: Unit::Share,
        family: Family::Identity,
        side: Side::Click,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 100,
        sample: "clicks",
        range: (0.0, 1.0),
        summary: "clicks whose user agent is on a list of crawlers",
        innocent: &[
            "crawlers and link previews of messengers that follow every link",
            "a pattern of the list that fits a browser",
        ],
        measures: &[M::CrawlerClicks, M::Clicks],
        formula: |g| g.share(M::CrawlerClicks, M::Clicks, "clicks"),
    },
    Signal {
        name: "headless_share",
        unit: Unit::Share,
        family: Family::Identity,
        side: Side::Click,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 100,
        sample: "clicks",
        range: (0.0, 1.0),
        summary: "clicks of browsers without a screen, as their user agents say",
        innocent: &["monitors and screenshot services that follow every link", "the operator's own tests"],
        measures: &[M::HeadlessClicks, M::Clicks],
        formula: |g| g.share(M::HeadlessClicks, M::Clicks, "clicks"),
    },
    Signal {
        name: "address_country_mismatch_share",
        unit: Unit::Share,
        family: Family::Identity,
        side: Side::Click,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 100,
        sample: "clicks whose two countries are known",
        range: (0.0, 1.0),
        summary: "clicks whose address is of another country than the export says",
        innocent: &[
            "two geolocation databases that differ or are of different age",
            "carriers whose addresses are registered abroad",
            "a country that the traffic source states from the user's profile",
        ],
        measures: &[M::AddressCountriesDiffer, M::AddressCountriesKnown],
        formula: |g| {
            g.share(
                M::AddressCountriesDiffer,
                M::AddressCountriesKnown,
                "clicks whose two countries are known",
            )
        },
    },
    Signal {
        name: "missing_user_agent_share",
        unit: Unit::Share,
        family: Family::Identity,
        side: Side::Click,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 100,
        sample: "clicks",
        range: (0.0, 1.0),
        summary: "clicks without a user agent",
        innocent: &[
            "an export that cuts or drops the column for part of the rows",
            "clicks that another server passes on",
        ],
        measures: &[M::AgentClicks, M::Clicks],
        formula: |g| g.rest(M::AgentClicks, M::Clicks, "clicks"),
    },
    Signal {
        name: "missing_referrer_share",
        unit: Unit::Share,
        family: Family::Identity,
        side: Side::Click,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 100,
        sample: "clicks",
        range: (0.0, 1.0),
        summary: "clicks without a referrer",
        innocent: &[
            "apps, messengers and mail, which send none",
            "pages that forbid it (Referrer-Policy)",
            "privacy settings of browsers",
        ],
        measures: &[M::ReferredClicks, M::Clicks],
        formula: |g| g.rest(M::ReferredClicks, M::Clicks, "clicks"),
    },
    Signal {
        name: "country_mismatch_share",
        unit: Unit::Share,
        family: Family::Identity,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 20,
        sample: "conversions whose two countries are known",
        range: (0.0, 1.0),
        summary: "conversions from another country than their click",
        innocent: &[
            "travellers and people near a border",
            "VPNs and privacy relays",
            "two geolocation databases that differ",
            "the country of the card or document in place of the visitor's",
        ],
        measures: &[M::CountriesDiffer, M::CountriesKnown],
        formula: |g| {
            g.share(M::CountriesDiffer, M::CountriesKnown, "conversions whose two countries are known")
        },
    },
    Signal {
        name: "neighbour_click_share",
        unit: Unit::Share,
        family: Family::Identity,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 20,
        sample: "conversions whose visitor is known",
        range: (0.0, 1.0),
        summary: "conversions whose click came at most 5 s after another source's click of the same visitor",
        innocent: &[
            "a carrier's address that many handsets of one model share",
            "a comparison page whose links open in several tabs",
            "coupon and cashback extensions that the visitor uses",
        ],
        measures: &[M::Neighbours, M::NeighboursKnown],
        formula: |g| g.share(M::Neighbours, M::NeighboursKnown, "conversions whose visitor is known"),
    },
    Signal {
        name: "crowd_network_count",
        unit: Unit::Count,
        family: Family::Identity,
        side: Side::Click,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Exact,
        against: Against::Nothing,
        min_sample: 0,
        sample: "clicks whose network is known",
        range: (0.0, f64::MAX),
        summary: "networks (/24, /48) that hold at least one in a hundred of the clicks, and twenty",
        innocent: &[],
        measures: &[M::CrowdNetworks, M::NetworkedClicks],
        formula: |g| g.exact_count(M::CrowdNetworks, M::NetworkedClicks),
    },
    Signal {
        name: "crowd_click_share",
        unit: Unit::Share,
        family: Family::Identity,
        side: Side::Click,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Share,
        against: Against::Nothing,
        min_sample: 100,
        sample: "clicks whose network is known",
        range: (0.0, 1.0),
        summary: "clicks in networks that hold at least one in a hundred of the clicks, and twenty",
        innocent: &[],
        measures: &[M::CrowdClicks, M::NetworkedClicks],
        formula: |g| g.share(M::CrowdClicks, M::NetworkedClicks, "clicks whose network is known"),
    },
    Signal {
        name: "idle_crowd_p",
        unit: Unit::Share,
        family: Family::Identity,
        side: Side::Click,
        suspicious: Suspicious::Low,
        kind: IntervalKind::Exact,
        against: Against::Itself,
        min_sample: 10,
        sample: "converted clicks",
        range: (0.0, 1.0),
        summary: "probability of so few conversions from the crowded networks, or of none from some of them, if their clicks had at least half the odds of converting that the others have",
        innocent: &[
            "an office or carrier where the page cannot be used",
            "a scanner of mail or network security that follows every link",
            "a rival's bot on the source's links",
        ],
        measures: &[M::CrowdClicks, M::CrowdConverted, M::CrowdSizes, M::ClicksThatConvert, M::Clicks],
        formula: idle_crowd,
    },
];

fn bots(group: &Group) -> Result<Estimate, Absence> {
    group.get(M::BotClicks)?;
    if group.context.bots_filtered {
        return Err(Absence::Preset("the tracker leaves bots out before export"));
    }
    group.share(M::BotClicks, M::Clicks, "clicks")
}

fn concentration(group: &Group, same: M, all: M, clicks: M) -> Result<Estimate, Absence> {
    let n = group.count(clicks)?;
    group.get(same)?;
    spread::concentration(&group.totals.daily(same), &group.totals.daily(all), n)
}

fn variety(group: &Group, multiplicities: M) -> Result<Estimate, Absence> {
    group.get(multiplicities)?;
    spread::entropy_norm(&group.totals.values(multiplicities))
}

/// Both numbers vary by no more than if keys came by chance: variance of the logarithm 1 / agents + 1 /
/// addresses, doubled for days that differ (statistics.md, 4.4).
fn agents_per_ip(group: &Group) -> Result<Estimate, Absence> {
    let (agents, addresses) = (group.count(M::Agents)? as f64, group.count(M::Addresses)? as f64);
    if agents == 0.0 || addresses == 0.0 {
        return Err(Absence::Nothing("clicks with both an address and a user agent"));
    }
    let v = 2.0 * (1.0 / agents + 1.0 / addresses);
    let n = group.count(M::AddressedClicks)?;
    Ok(Estimate::normal(Link::Log, (agents / addresses).ln(), v, f64::INFINITY, n))
}

/// Given how many of the group's clicks convert, those of its crowds are binomial: no peers are asked, and the
/// group's own offer, country and device cancel out. People behind one address convert like others; half of
/// the others' odds is granted for offices, VPNs and phones.
fn idle_crowd(group: &Group) -> Result<Estimate, Absence> {
    let (clicks, crowd) = (group.count(M::Clicks)?, group.count(M::CrowdClicks)?);
    let (converted, of_crowd) = (group.count(M::ClicksThatConvert)?, group.count(M::CrowdConverted)?);
    let others = clicks.saturating_sub(crowd);
    match () {
        () if converted == 0 => return Err(Absence::Nothing("converted clicks")),
        () if crowd == 0 => return Err(Absence::Nothing("networks that hold many of its clicks")),
        () if others == 0 => return Err(Absence::Nothing("clicks outside its crowded networks")),
        () => {}
    }
    let (granted, rest) = (GRANTED_ODDS * crowd as f64, others as f64);
    let of_others = converted.saturating_sub(of_crowd);
    let together = stats::binomial_at_least(of_others, converted, rest / (granted + rest));
    let barren = barren_networks(&group.totals.values(M::CrowdSizes), clicks, converted);
    // Two looks: at all crowded networks together, and at those without a single conversion.
    let p = (2.0 * together.min(barren)).clamp(f64::MIN_POSITIVE, 1.0);
    Ok(Estimate::exact(p, converted))
}

/// Upper bound of the probability that crowded networks of so many clicks, weighted by what they were expected to
/// bring, have no conversion at all: an honest carrier among them does not hide three barren networks.
///
/// Chernoff's bound for Σ w over barren networks, w = −ln q, where q is a network's probability of none; that one
/// network has a conversion makes it no likelier for another (negative association), so the factors multiply.
fn barren_networks(sizes: &stats::Counted, clicks: u64, converted: u64) -> f64 {
    let weight = |size: i64| {
        let granted = GRANTED_ODDS * (size >> 32) as f64;
        let rest = (clicks as f64 - (size >> 32) as f64).max(0.0);
        -(converted as f64) * (-granted / (granted + rest)).ln_1p().max(-700.0)
    };
    let weights: Vec<(f64, f64, bool)> =
        sizes.iter().map(|&(size, n)| (weight(size), n as f64, size as u32 == 0)).collect();
    let seen: f64 = weights.iter().filter(|w| w.2).map(|(w, n, _)| w * n).sum();
    let bound = |theta: f64| {
        // (e^θw − 1) e^−w, where e^θw alone may be too large for a number.
        let factor = |(w, n, _): &(f64, f64, bool)| n * (((theta - 1.0) * w).exp() - (-w).exp()).ln_1p();
        (weights.iter().map(factor).sum::<f64>() - theta * seen).exp()
    };
    (1..=20).map(|step| bound(f64::from(step) / 20.0)).fold(1.0, f64::min)
}
