//! The network that a visitor's address belongs to.
//!
//! One subscriber or one machine hall rarely keeps a single address: a robot that changes the last byte of
//! its address stays in its /24. The text must be an address and nothing else; what looks like one is not
//! repaired, since a guess would put strangers together.

use super::columns::key;
use std::net::IpAddr;

/// The key of the /24 of an IPv4 address, or the /48 of an IPv6 one: XXH3 of the network's 3 or 6 bytes. An
/// IPv4 address written as IPv6 (`::ffff:192.0.2.7`) counts as IPv4. `None` if the text is no address, or
/// the one that stands for none (`0.0.0.0`, `::`).
pub fn network_key(text: &[u8]) -> Option<u64> {
    match address(text)? {
        IpAddr::V4(v4) => Some(key(&v4.octets()[..3])),
        IpAddr::V6(v6) => Some(key(&v6.octets()[..6])),
    }
}

/// The address that a text is, an IPv4 address written as IPv6 as IPv4.
pub fn address(text: &[u8]) -> Option<IpAddr> {
    let address: IpAddr = std::str::from_utf8(text.trim_ascii()).ok()?.parse().ok()?;
    Some(address.to_canonical()).filter(|address| !address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, network: Option<&[u8]>) {
        assert_eq!(network_key(text.as_bytes()), network.map(key), "{text}");
    }

    #[test]
    fn an_ipv4_address_is_in_its_24() {
        for text in ["192.0.2.7", "192.0.2.255", " 192.0.2.0 ", "::ffff:192.0.2.7", "::FFFF:c000:0207"] {
            check(text, Some(&[192, 0, 2]));
        }
        check("192.0.3.7", Some(&[192, 0, 3]));
    }

    #[test]
    fn an_ipv6_address_is_in_its_48() {
        let network = [0x20, 0x01, 0x0d, 0xb8, 0, 0x0a];
        for text in ["2001:db8:a::1", "2001:0DB8:000a:ffff:1:2:3:4", "2001:db8:a:0:0:0:192.0.2.7"] {
            check(text, Some(&network));
        }
        check("2001:db8:b::1", Some(&[0x20, 0x01, 0x0d, 0xb8, 0, 0x0b]));
    }

    #[test]
    fn what_is_no_address_has_no_network() {
        let garbage = ["", " ", "null", "unknown", "1.2.3", "1.2.3.256", "1.2.3.x", "01.2.3.4", "16909060"];
        let more =
            ["1.2.3.4:80", "1.2.3.4, 5.6.7.8", "1.2.3.0/24", "[::1]", "fe80::1%eth0", ":::", "1.2.3.é"];
        let unspecified = ["0.0.0.0", "::", "::ffff:0.0.0.0"];
        for text in garbage.into_iter().chain(more).chain(unspecified) {
            check(text, None);
        }
        assert_eq!(network_key(&[0xff, b'1']), None);
    }
}
