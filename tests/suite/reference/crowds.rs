//! Who clicks: addresses, networks, user agents, and how alike they are.

use super::numbers::{Scale, binomial_at_least, chao_shen, entropy, even, normal, over_days};
use super::{Class, Click, Group, SECOND, Value, count_of, exact, most, share};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The /24 or /48 of an address; a text that is no address has none.
pub fn network(ip: &str) -> Option<Vec<u8>> {
    match ip.trim().parse::<IpAddr>().ok()?.to_canonical() {
        none if none.is_unspecified() => None,
        IpAddr::V4(v4) => Some(v4.octets()[..3].to_vec()),
        IpAddr::V6(v6) => Some(v6.octets()[..6].to_vec()),
    }
}

impl Click {
    fn network(&self) -> Option<Vec<u8>> {
        self.row.ip.as_deref().and_then(network)
    }
}

/// Whether two countries that are known and written alike differ.
fn foreign(one: &Option<String>, other: &Option<String>) -> Option<bool> {
    const UNKNOWN: [&str; 10] = ["xx", "zz", "t1", "a1", "a2", "ap", "eu", "unknown", "other", "n/a"];
    let known = |country: &Option<String>| {
        let name = country.as_ref()?.trim().to_lowercase();
        let name = if name == "uk" { "gb".to_owned() } else { name };
        Some(name).filter(|n| !n.is_empty() && !UNKNOWN.contains(&n.as_str()))
    };
    let (one, other) = (known(one)?, known(other)?);
    let kind = |name: &String| name.chars().count().min(4);
    (kind(&one) == kind(&other)).then_some(one != other)
}

/// A brand term in the keyword or the referrer, however it is spelled.
fn names_brand(c: &Click, terms: &[&str]) -> bool {
    let folded = |t: &str| {
        let t = t.to_lowercase().replace("%20", " ").replace("%2b", "+");
        t.replace([' ', '+', '-', '_', '.'], "")
    };
    let texts = [&c.row.keyword, &c.row.referrer];
    texts.into_iter().flatten().any(|t| terms.iter().any(|term| folded(t).contains(&folded(term))))
}

impl Group<'_> {
    pub fn crowd_signals(&self, all: &mut BTreeMap<&'static str, Option<Value>>) {
        let n = self.clicks.len();
        let given = |needs: &[&str], value: Option<Value>| value.filter(|_| self.with_clicks(needs));
        let part =
            |column: &str, test: &dyn Fn(&Click) -> bool| given(&[column], share(self.clicks_where(test), n));
        all.insert("known_bot_share", part("is_bot", &|c| c.row.is_bot == Some(true)));
        all.insert("datacenter_share", part("is_datacenter", &|c| c.row.is_datacenter == Some(true)));
        all.insert("vpn_share", part("is_vpn", &|c| c.row.is_vpn == Some(true)));
        all.insert("tor_share", part("is_tor", &|c| c.row.is_tor == Some(true)));
        all.insert("crawler_share", part("is_known_bot", &|c| c.row.is_known_bot == Some(true)));
        all.insert("headless_share", self.headless());
        let known = |c: &Click| foreign(&c.row.country, &c.row.click_country);
        let (two, abroad) =
            (self.clicks_where(|c| known(c).is_some()), self.clicks_where(|c| known(c) == Some(true)));
        all.insert(
            "address_country_mismatch_share",
            given(&["country", "click_country"], share(abroad, two)),
        );
        all.insert("missing_user_agent_share", part("user_agent", &|c| c.row.user_agent.is_none()));
        all.insert("missing_referrer_share", part("referrer", &|c| c.row.referrer.is_none()));
        let ip = |c: &Click| c.row.ip.clone();
        let agent = |c: &Click| c.row.user_agent.clone();
        all.insert("ip_hhi", given(&["ip"], self.concentration(ip)));
        all.insert("network_hhi", given(&["ip"], self.concentration(Click::network)));
        all.insert("agent_hhi", given(&["user_agent"], self.concentration(agent)));
        all.insert("asn_hhi", given(&["asn"], self.concentration(|c| c.row.asn.clone())));
        all.insert("ip_entropy_norm", given(&["ip"], self.variety(ip)));
        all.insert("agent_entropy_norm", given(&["user_agent"], self.variety(agent)));
        let (addresses, agents) = (self.counts(ip), self.counts(agent));
        let addressed = addresses.iter().sum();
        let distinct = share(agents.len(), agents.iter().sum());
        all.insert("distinct_agent_share", given(&["user_agent"], distinct));
        let visitors = self.counts(|c| c.row.ip.clone().zip(c.row.user_agent.clone())).len();
        all.insert("distinct_visitor_share", given(&["ip", "user_agent"], share(visitors, addressed)));
        let over = |a: usize, b: usize| {
            let v = 2.0 * (1.0 / a as f64 + 1.0 / b as f64);
            normal(Scale::Logarithm, (a as f64 / b as f64).ln(), v, addressed).filter(|_| a > 0 && b > 0)
        };
        all.insert("agents_per_ip", given(&["ip", "user_agent"], over(agents.len(), addresses.len())));
        let networks = self.counts(Click::network);
        let networked = networks.iter().sum();
        all.insert("top_network_share", given(&["ip"], share(most(&networks), networked)));
        let crowds = self.crowds();
        let crowded = crowds.values().sum();
        all.insert("crowd_network_count", given(&["ip"], exact(crowds.len() as f64, networked)));
        all.insert("crowd_click_share", given(&["ip"], share(crowded, networked)));
        all.insert("idle_crowd_p", given(&["ip", "click_id"], self.idle_crowd(&crowds)));
        self.brand_signals(all);
        all.insert("neighbour_click_share", self.neighbours());
        all.insert("country_mismatch_share", self.countries());
    }

    /// Where the export does not say which clicks are of browsers without a screen, their user agents do.
    fn headless(&self) -> Option<Value> {
        let n = self.clicks.len();
        if self.with_clicks(&["is_headless"]) {
            return share(self.clicks_where(|c| c.row.is_headless == Some(true)), n);
        }
        let says = |c: &Click| c.row.user_agent.as_deref().is_some_and(|agent| agent.contains("Headless"));
        share(self.clicks_where(says), n).filter(|_| self.with_clicks(&["user_agent"]))
    }

    fn counts<K: Ord>(&self, key: impl Fn(&Click) -> Option<K>) -> Vec<usize> {
        count_of(self.clicks.iter().filter_map(|c| key(c)))
    }

    /// The chance that two clicks of one local day have the same key.
    fn concentration<K: Ord>(&self, key: impl Fn(&Click) -> Option<K>) -> Option<Value> {
        let day = |c: &Click| {
            self.audit.facts.hours_in.local_hour(c.time.div_euclid(SECOND) * SECOND).div_euclid(24)
        };
        let keyed: Vec<(i64, K)> = self.clicks.iter().filter_map(|c| Some((day(c), key(c)?))).collect();
        let n = keyed.len();
        let days: BTreeSet<i64> = keyed.iter().map(|(day, _)| *day).collect();
        let pairs = |counts: &[usize]| counts.iter().map(|c| (c * (c - 1)) as f64).sum::<f64>();
        let of_day = |day: i64| {
            let counts = count_of(keyed.iter().filter(|(d, _)| *d == day).map(|(_, key)| key));
            vec![pairs(&counts), pairs(&[counts.iter().sum()])]
        };
        let days: Vec<Vec<f64>> = days.into_iter().map(of_day).filter(|d| d[1] > 0.0).collect();
        let (same, possible) =
            (days.iter().map(|d| d[0]).sum::<f64>(), days.iter().map(|d| d[1]).sum::<f64>());
        // One click more or less is all that n clicks can tell of a chance.
        let chance = |s: &[f64]| (s[0] / s[1] + 1.0 / (n * n) as f64).min(1.0);
        let h = chance(&[same, possible]);
        let least = 4.0 * (same / 2.0 + 1.0) / (possible * h).powi(2);
        let formula = least + 4.0 * (1.0 / h.sqrt() - 1.0) / n as f64;
        let (y, v) = over_days(&days, |s| chance(s).ln(), least, Some(formula))?;
        normal(Scale::OfShare, y, v, n)
    }

    /// Entropy over the logarithm of the number of clicks, with allowance for keys not met.
    fn variety<K: Ord>(&self, key: impl Fn(&Click) -> Option<K>) -> Option<Value> {
        let counts = self.counts(key);
        let n = counts.iter().sum::<usize>();
        if n < 2 {
            return None;
        }
        let (m, greatest) = (n as f64, (n as f64).ln());
        let once = counts.iter().filter(|c| **c == 1).count() as f64;
        let v = entropy(&counts).1 + even(counts.len(), m) + 2.0 / (m - once).max(1.0);
        normal(Scale::Plain, chao_shen(&counts) / greatest, 2.0 * v / greatest.powi(2), n)
    }

    /// Networks with at least one in a hundred of the clicks that have one, and twenty clicks.
    fn crowds(&self) -> BTreeMap<Vec<u8>, usize> {
        let mut sizes: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        self.clicks.iter().filter_map(|c| c.network()).for_each(|net| *sizes.entry(net).or_default() += 1);
        let all: usize = sizes.values().sum();
        sizes.retain(|_, clicks| *clicks >= 20 && *clicks * 100 >= all);
        sizes
    }

    /// Two looks at the crowded networks: at all together, and at those without a conversion. Half of the odds of
    /// the other clicks is granted to them.
    fn idle_crowd(&self, crowds: &BTreeMap<Vec<u8>, usize>) -> Option<Value> {
        let converting = |c: &&&Click| self.audit.converts(c);
        let of_network = |c: &&&Click| c.network().is_some_and(|net| crowds.contains_key(&net));
        let converted = self.clicks.iter().filter(converting).count();
        let in_crowds = self.clicks.iter().filter(converting).filter(of_network).count();
        let (crowded, clicks) = (crowds.values().sum::<usize>(), self.clicks.len());
        let told = self.audit.conversion_column("click_id");
        if !told || converted == 0 || crowded == 0 || crowded == clicks {
            return None;
        }
        let odds = |crowd: usize| 0.5 * crowd as f64 / (0.5 * crowd as f64 + (clicks - crowd) as f64);
        let together = binomial_at_least(converted - in_crowds, converted, 1.0 - odds(crowded));
        let conversions_of = |net: &Vec<u8>| {
            self.clicks.iter().filter(converting).filter(|c| c.network().as_ref() == Some(net)).count()
        };
        let none: Vec<(f64, bool)> = crowds
            .iter()
            .map(|(net, size)| (-(converted as f64) * (-odds(*size)).ln_1p(), conversions_of(net) == 0))
            .collect();
        let seen: f64 = none.iter().filter(|w| w.1).map(|w| w.0).sum();
        // Chernoff's bound at twenty places.
        let bound = |theta: f64| {
            let factor = |(w, _): &(f64, bool)| 1.0 - (-w).exp() + ((theta - 1.0) * w).exp();
            none.iter().map(factor).product::<f64>() * (-theta * seen).exp()
        };
        let barren = (1..=20).map(|i| bound(f64::from(i) / 20.0)).fold(1.0, f64::min);
        exact((2.0 * together.min(barren)).min(1.0), converted)
    }

    fn brand_signals(&self, all: &mut BTreeMap<&'static str, Option<Value>>) {
        let terms = &self.audit.facts.brand_terms;
        let given = |needs: &[&str], value: Option<Value>| {
            value.filter(|_| self.with_clicks(needs) && !terms.is_empty())
        };
        let brand = |c: &Click| names_brand(c, terms);
        let clicks = self.clicks_where(brand);
        all.insert("brand_click_share", given(&["keyword"], share(clicks, self.clicks.len())));
        let converted = share(self.clicks_where(|c| brand(c) && self.audit.converts(c)), clicks);
        let converted = converted.filter(|_| self.audit.conversion_column("click_id"));
        all.insert("brand_cr", given(&["keyword", "click_id"], converted));
    }

    /// Of the conversions whose click's visitor and source are known those whose visitor had clicked for another
    /// source at most 5 s before.
    fn neighbours(&self) -> Option<Value> {
        let visitor = |c: &Click| c.row.ip.clone().zip(c.row.user_agent.clone());
        let told = |c: &Click| visitor(c).is_some() && c.row.source.is_some();
        let after_another = |click: &Click| {
            let near = |c: &&Click| (0..=5 * SECOND).contains(&(click.time - c.time));
            let mut others = self.audit.clicks.iter().filter(|c| told(c) && visitor(c) == visitor(click));
            others.any(|c| near(&c) && c.key() != click.key())
        };
        let clicks: Vec<&Click> = self
            .conversions
            .iter()
            .filter(|c| c.class == Class::Matched)
            .filter_map(|c| c.click.as_ref())
            .filter(|c| told(c))
            .collect();
        let value = share(clicks.iter().filter(|c| after_another(c)).count(), clicks.len());
        value.filter(|_| self.with_conversions(&["click_id"]))
    }

    /// Of the conversions whose country and whose click's are known and written alike those where they differ.
    fn countries(&self) -> Option<Value> {
        let pair = |c: &&super::Conversion| foreign(&c.row.country, &c.click.as_ref()?.row.country);
        let pairs: Vec<bool> = self.conversions.iter().copied().filter_map(|c| pair(&c)).collect();
        let value = share(pairs.iter().filter(|differ| **differ).count(), pairs.len());
        value.filter(|_| self.with_conversions(&["country"]))
    }
}
