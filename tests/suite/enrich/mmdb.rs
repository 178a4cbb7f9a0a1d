//! A writer of small databases in MaxMind's format (version 2.0), as plain as the format allows: records of 24
//! bits, no pointers, every network's data written again.

use std::net::IpAddr;

/// A value of the data section.
pub enum Value {
    Text(&'static str),
    Number(u32),
    Map(Vec<(&'static str, Value)>),
}

/// A value's type and size, then its bytes.
fn encode(value: &Value) -> Vec<u8> {
    match value {
        Value::Text(text) => {
            let mut bytes = control(2, text.len());
            bytes.extend(text.as_bytes());
            bytes
        }
        Value::Number(number) => {
            let significant: Vec<u8> = number.to_be_bytes().into_iter().skip_while(|b| *b == 0).collect();
            let mut bytes = control(6, significant.len());
            bytes.extend(significant);
            bytes
        }
        Value::Map(entries) => {
            let mut bytes = control(7, entries.len());
            for (key, value) in entries {
                bytes.extend(encode(&Value::Text(key)));
                bytes.extend(encode(value));
            }
            bytes
        }
    }
}

fn control(kind: u8, size: usize) -> Vec<u8> {
    if size < 29 { vec![kind << 5 | size as u8] } else { vec![kind << 5 | 29, (size - 29) as u8] }
}

/// What a half of a node leads to.
#[derive(Clone, Copy)]
enum Leaf {
    Nothing,
    Node(usize),
    Data(usize),
}

/// A database of networks, written as `192.0.2.0/24`, later ones inside earlier ones.
pub fn database(kind: &'static str, networks: &[(&str, Value)]) -> Vec<u8> {
    let mut nodes: Vec<[Leaf; 2]> = vec![[Leaf::Nothing; 2]];
    let mut data = Vec::new();
    for (network, value) in networks {
        let (address, length) = network.split_once('/').expect("a network");
        let (bits, length) = bits(address.parse().expect("an address"), length.parse().expect("a length"));
        let place = data.len();
        data.extend(encode(value));
        insert(&mut nodes, bits, length, Leaf::Data(place));
    }
    let count = nodes.len();
    let mut bytes = Vec::new();
    for leaf in nodes.iter().flatten() {
        let record = match leaf {
            Leaf::Nothing => count,
            Leaf::Node(at) => *at,
            Leaf::Data(place) => count + 16 + place,
        };
        bytes.extend(&(record as u32).to_be_bytes()[1..]);
    }
    bytes.extend([0; 16]);
    bytes.extend(data);
    bytes.extend(metadata(kind, count as u32));
    bytes
}

/// An address as the 128 bits of the tree: IPv4 lies in `::/96`.
fn bits(address: IpAddr, length: usize) -> (u128, usize) {
    match address {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)), length + 96),
        IpAddr::V6(v6) => (u128::from(v6), length),
    }
}

fn insert(nodes: &mut Vec<[Leaf; 2]>, bits: u128, length: usize, leaf: Leaf) {
    let side = |depth: usize| (bits >> (127 - depth) & 1) as usize;
    let mut at = 0;
    for depth in 0..length - 1 {
        at = match nodes[at][side(depth)] {
            Leaf::Node(next) => next,
            above => {
                nodes.push([above; 2]);
                let next = nodes.len() - 1;
                nodes[at][side(depth)] = Leaf::Node(next);
                next
            }
        };
    }
    nodes[at][side(length - 1)] = leaf;
}

fn metadata(kind: &'static str, nodes: u32) -> Vec<u8> {
    let mut bytes = b"\xab\xcd\xefMaxMind.com".to_vec();
    let entries = vec![
        ("database_type", Value::Text(kind)),
        ("description", Value::Map(vec![("en", Value::Text("made for a test"))])),
        ("node_count", Value::Number(nodes)),
    ];
    bytes.extend(control(7, 9));
    for (key, value) in entries {
        bytes.extend(encode(&Value::Text(key)));
        bytes.extend(encode(&value));
    }
    // 16-bit and 64-bit numbers and the empty list have types of their own.
    for (key, number) in [("record_size", 24u16), ("ip_version", 6), ("binary_format_major_version", 2)] {
        bytes.extend(encode(&Value::Text(key)));
        bytes.extend([5 << 5 | 2]);
        bytes.extend(number.to_be_bytes());
    }
    bytes.extend(encode(&Value::Text("binary_format_minor_version")));
    bytes.extend([5 << 5]);
    bytes.extend(encode(&Value::Text("build_epoch")));
    bytes.extend([8, 2]);
    bytes.extend(1_772_323_200u64.to_be_bytes());
    bytes.extend(encode(&Value::Text("languages")));
    bytes.extend([0, 4]);
    bytes
}
