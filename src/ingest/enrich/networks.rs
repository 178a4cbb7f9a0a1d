//! Lists of networks and addresses as sorted ranges.

use crate::base::error::{Error, Result, read_small};
use crate::base::networks::{self, Network};
use crate::base::text::Text;
use std::net::IpAddr;
use std::path::Path;

/// So many wrong lines are told.
const TOLD: usize = 5;

/// Ranges of addresses of both kinds, first and last included.
#[derive(Debug, Default)]
pub struct Networks {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl Networks {
    /// Adds the ranges of a file: one network or address a line, `#` starts a comment.
    ///
    /// # Errors
    /// The file cannot be read, or the lines that are neither.
    pub fn read(&mut self, path: &Path) -> Result<()> {
        let text = read_small(path, "address list")?;
        let mut wrong: Vec<String> = Vec::new();
        let before = self.len();
        for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let entry = line.split(['#', ';']).next().unwrap_or_default().trim();
            if entry.is_empty() {
                continue;
            }
            match network(entry) {
                Ok(network) => self.add(network),
                Err(why) => {
                    wrong.push(format!("line {}: `{}` {why}", at + 1, Text::new(entry).term(60)));
                }
            }
        }
        match wrong.len() {
            0 if self.len() == before => {
                Err(Error::usage(format!("the address list {} is empty", path.display())))
            }
            0 => Ok(()),
            count => {
                let more =
                    if count > TOLD { format!("\n  and {} more", count - TOLD) } else { String::new() };
                wrong.truncate(TOLD);
                Err(Error::usage(format!(
                    "the address list {} has lines that are no network\n  {}{more}",
                    path.display(),
                    wrong.join("\n  ")
                ))
                .help("write 192.0.2.0/24, 2001:db8::/32 or a single address, one a line"))
            }
        }
    }

    fn add(&mut self, network: Network) {
        match network {
            Network::V4(net) => self.v4.push((net.network().into(), net.broadcast().into())),
            Network::V6(net) => self.v6.push((net.network().into(), net.broadcast().into())),
        }
    }

    /// Sorts the ranges and joins those that touch.
    pub fn merge(&mut self) {
        join(&mut self.v4, |end| end.checked_add(1));
        join(&mut self.v6, |end| end.checked_add(1));
    }

    /// Number of ranges.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Whether an address lies in one of the ranges.
    pub fn holds(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => within(&self.v4, u32::from(v4)),
            IpAddr::V6(v6) => within(&self.v6, u128::from(v6)),
        }
    }
}

fn network(entry: &str) -> std::result::Result<Network, &'static str> {
    let network = networks::of_any_form(entry).ok_or("is no network")?;
    if network.prefix_len() == 0 { Err("is every address there is") } else { Ok(network) }
}

fn join<T: Copy + Ord>(ranges: &mut Vec<(T, T)>, next: impl Fn(T) -> Option<T>) {
    ranges.sort_unstable();
    let mut joined: Vec<(T, T)> = Vec::with_capacity(ranges.len());
    for &(first, last) in ranges.iter() {
        match joined.last_mut() {
            Some(before) if next(before.1).is_none_or(|next| first <= next) => before.1 = before.1.max(last),
            _ => joined.push((first, last)),
        }
    }
    *ranges = joined;
}

fn within<T: Copy + Ord>(ranges: &[(T, T)], address: T) -> bool {
    let at = ranges.partition_point(|range| range.0 <= address);
    at > 0 && address <= ranges[at - 1].1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Networks> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        let mut networks = Networks::default();
        networks.read(file.path())?;
        networks.merge();
        Ok(networks)
    }

    #[test]
    fn networks_and_single_addresses_are_found() {
        let list = of(
            "\u{feff}# list\n192.0.2.0/25\n192.0.2.128/25 # the rest\n198.51.100.7\n2001:db8::/32 ; six\n\n\
                       ::ffff:203.0.113.0/120\n",
        );
        let list = list.expect("a list");
        assert_eq!(list.len(), 4);
        for (address, held) in [
            ("192.0.2.0", true),
            ("192.0.2.255", true),
            ("192.0.3.0", false),
            ("192.0.1.255", false),
            ("198.51.100.7", true),
            ("198.51.100.8", false),
            ("2001:db8:ffff::1", true),
            ("2001:db9::", false),
            ("203.0.113.9", true),
            ("0.0.0.0", false),
        ] {
            assert_eq!(list.holds(address.parse().expect("an address")), held, "{address}");
        }
    }

    #[test]
    fn wide_and_nested_networks_are_one_range() {
        let list =
            of("10.0.0.0/8\n10.1.0.0/16\n10.255.255.255\n255.255.255.255\n255.255.255.254").expect("a list");
        assert_eq!(list.v4, [(0x0a00_0000, 0x0aff_ffff), (0xffff_fffe, 0xffff_ffff)]);
    }

    #[test]
    fn wrong_lines_are_told_with_their_numbers() {
        let fault =
            of("192.0.2.0/24\nexample.net/33\nexample.org\n0.0.0.0/0\n").expect_err("three wrong lines");
        for part in
            ["line 2: `example.net/33`", "line 3: `example.org`", "line 4: `0.0.0.0/0` is every address"]
        {
            assert!(fault.message.contains(part), "{part}: {}", fault.message);
        }
        assert!(of("# nothing\n").expect_err("an empty list").message.contains("is empty"));
    }
}
