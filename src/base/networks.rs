//! Networks of addresses, and lists of them: only what is out on the internet, in the fewest lines that say the
//! same. The only home of ipnet.
//!
//! Refuses to cover an address that was not asked for: networks merge only where together they are whole.

pub use ipnet::IpNet as Network;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The network that a text names: an address, or a network whose host bits are zero. An IPv4 address in IPv6
/// clothes is an IPv4 address.
pub fn parse(text: &str) -> Option<IpNet> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(IpNet::from(address.to_canonical()));
    }
    let net: IpNet = text.parse().ok()?;
    (net.trunc() == net).then_some(net)
}

/// The network that a text names in a list that somebody else wrote: host bits are cut off, and an IPv4 network
/// in IPv6 clothes is an IPv4 network, since addresses are asked about as IPv4.
pub fn of_any_form(text: &str) -> Option<IpNet> {
    let single = || text.parse::<IpAddr>().map(IpNet::from);
    let network = text.parse::<IpNet>().map(|net| net.trunc()).or_else(|_| single()).ok()?;
    let mapped = match network {
        IpNet::V6(net) if net.prefix_len() >= 96 => net.network().to_ipv4_mapped(),
        _ => None,
    };
    let plain = mapped.and_then(|v4| IpNet::new(v4.into(), network.prefix_len() - 96).ok());
    Some(plain.unwrap_or(network))
}

/// Blocks that no list may name, with what they are for (IANA special-purpose registries, RFC 6890).
const SPECIAL_V4: &[(&str, &str)] = &[
    ("0.0.0.0/8", "this network"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared by the customers of a carrier"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "protocol assignments"),
    ("192.0.2.0/24", "documentation"),
    ("192.88.99.0/24", "6to4 relays"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "benchmarks"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
];

/// The only IPv6 block that hosts on the internet have addresses of, and the exceptions in it.
const GLOBAL_V6: &str = "2000::/3";
const SPECIAL_V6: &[(&str, &str)] = &[
    ("2001::/23", "protocol assignments"),
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "6to4"),
    ("3fff::/20", "documentation"),
];

/// Why a network cannot be on a list, if it cannot: it touches a block that is not of the open internet.
pub fn special(net: &IpNet) -> Option<&'static str> {
    let touches = |block: &str| {
        let block: IpNet = block.parse().expect("the table holds networks");
        overlap(&block, net)
    };
    let named = |table: &'static [(&str, &str)]| {
        table.iter().find(|(block, _)| touches(block)).map(|(_, what)| *what)
    };
    match net {
        IpNet::V4(_) => named(SPECIAL_V4),
        IpNet::V6(_) if !global(net) => Some("not of the open internet"),
        IpNet::V6(_) => named(SPECIAL_V6),
    }
}

fn global(net: &IpNet) -> bool {
    GLOBAL_V6.parse::<IpNet>().expect("a network").contains(net)
}

/// Whether two networks share an address.
pub fn overlap(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

/// The fewest networks that hold these addresses and no other, none with a shorter prefix than the widest
/// allowed; IPv4 first, sorted.
pub fn aggregated(nets: &[IpNet], widest: Widest) -> Vec<IpNet> {
    let whole = IpNet::aggregate(&nets.to_vec());
    let mut parts: Vec<IpNet> = whole.iter().flat_map(|net| split(net, widest)).collect();
    parts.sort();
    parts.dedup();
    parts
}

/// The shortest prefix that a list may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Widest {
    pub v4: u8,
    pub v6: u8,
}

impl Widest {
    /// No wider than what one customer usually has: a /24 and a /48.
    pub const CUSTOMER: Widest = Widest { v4: 24, v6: 48 };

    /// Whether a network is no wider than this.
    pub fn allows(self, net: &IpNet) -> bool {
        net.prefix_len() >= self.of(net)
    }

    fn of(self, net: &IpNet) -> u8 {
        match net {
            IpNet::V4(_) => self.v4,
            IpNet::V6(_) => self.v6,
        }
    }
}

fn split(net: &IpNet, widest: Widest) -> Vec<IpNet> {
    match net.subnets(widest.of(net)) {
        Ok(parts) if !widest.allows(net) => parts.collect(),
        _ => vec![*net],
    }
}

/// An address where the network is one, else the network with its prefix.
pub fn shown(net: &IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

/// The /24 or /48 that an address lies in.
pub fn neighbourhood(address: IpAddr) -> IpNet {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            IpNet::V4(Ipv4Net::new(v4, 24).map_or(Ipv4Net::from(Ipv4Addr::UNSPECIFIED), |n| n.trunc()))
        }
        IpAddr::V6(v6) => {
            IpNet::V6(Ipv6Net::new(v6, 48).map_or(Ipv6Net::from(Ipv6Addr::UNSPECIFIED), |n| n.trunc()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|t| parse(t).expect(t)).collect()
    }

    fn check(given: &[&str], expected: &[&str]) {
        let found: Vec<String> = aggregated(&nets(given), Widest::CUSTOMER).iter().map(shown).collect();
        assert_eq!(found, expected, "{given:?}");
    }

    #[test]
    fn networks_merge_only_where_they_are_whole() {
        check(&["8.8.8.0", "8.8.8.1"], &["8.8.8.0/31"]);
        check(&["8.8.8.1", "8.8.8.2"], &["8.8.8.1", "8.8.8.2"]);
        check(&["8.8.8.7", "8.8.8.7", "8.8.8.0/24"], &["8.8.8.0/24"]);
        check(&["8.8.8.0/24", "8.8.9.0/24"], &["8.8.8.0/24", "8.8.9.0/24"]);
        check(&["2a00::1", "8.8.8.8"], &["8.8.8.8", "2a00::1"]);
        check(&[], &[]);
    }

    #[test]
    fn only_addresses_and_clean_networks_are_read() {
        assert_eq!(parse("::ffff:8.8.8.8").map(|n| shown(&n)), Some("8.8.8.8".into()));
        for text in ["1.2.3.4/24", "8.8.8.", "08.8.8.8", "8.8.8.8/33", "8.8.8.8 ", "x", "", "1.2.3.4-1.2.3.9"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn networks_of_others_are_read_in_any_form() {
        for (text, shown_as) in [
            ("198.51.100.9/28", Some("198.51.100.0/28")),
            ("192.0.2.7", Some("192.0.2.7")),
            ("::ffff:203.0.113.0/120", Some("203.0.113.0/24")),
            ("::ffff:203.0.113.9", Some("203.0.113.9")),
            ("2001:db8::/32", Some("2001:db8::/32")),
            ("0.0.0.0/0", Some("0.0.0.0/0")),
            ("example.net/33", None),
            ("", None),
        ] {
            assert_eq!(of_any_form(text).map(|net| shown(&net)).as_deref(), shown_as, "{text}");
        }
    }

    #[test]
    fn what_is_not_out_on_the_internet_is_named() {
        for (text, why) in [
            ("10.1.2.3", Some("private")),
            ("100.100.1.1", Some("shared by the customers of a carrier")),
            ("0.0.0.0/0", Some("this network")),
            ("203.0.113.9", Some("documentation")),
            ("fe80::1", Some("not of the open internet")),
            ("::/0", Some("not of the open internet")),
            ("2001:db8::1", Some("documentation")),
            ("8.8.8.8", None),
            ("2a00:1450::1", None),
        ] {
            assert_eq!(special(&parse(text).expect(text)), why, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_cover_holds_what_was_asked_for_and_nothing_else(low in prop::collection::vec(0u8..64, 0..64)) {
            let asked: Vec<IpNet> = low.iter().map(|b| IpNet::from(IpAddr::from([8, 8, 8, *b]))).collect();
            let cover = aggregated(&asked, Widest { v4: 28, v6: 48 });
            prop_assert!(cover.iter().all(|net| net.prefix_len() >= 28));
            for last in 0..=255u8 {
                let address = IpAddr::from([8, 8, 8, last]);
                let covered = cover.iter().filter(|net| net.contains(&address)).count();
                prop_assert_eq!(covered, usize::from(low.contains(&last)));
            }
        }
    }
}
