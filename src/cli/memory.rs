//! The memory that a run plans with, as people write it.

use crate::base::error::{Error, Result};

/// Unless said: what the smallest machines have that a network's day is audited on.
pub const DEFAULT: &str = "4GB";

/// Below this the limit would say nothing: what a run needs beside its clicks is more.
const LEAST: u64 = 64_000_000;

/// What a group may take in a whole audit: some 20 KB with comparisons and findings, and as much again for rows and
/// conversions of groups that have hardly any others (`bench/extremes.py`).
const OF_A_GROUP: u64 = 36_000;

/// Names of units, the longer ones first, and their bytes.
const UNITS: [(&str, u64); 8] = [
    ("gib", 1 << 30),
    ("mib", 1 << 20),
    ("gb", 1_000_000_000),
    ("mb", 1_000_000),
    ("tib", 1 << 40),
    ("tb", 1_000_000_000_000),
    ("g", 1_000_000_000),
    ("m", 1_000_000),
];

/// The bytes of a text such as `2GB`, `512 MiB` or `1.5g`.
///
/// # Errors
/// It is no size, or too small to hold to.
pub fn bytes(text: &str) -> Result<u64> {
    let lower = text.trim().to_ascii_lowercase();
    let unit = UNITS.iter().find_map(|(unit, bytes)| Some((lower.strip_suffix(unit)?, *bytes)));
    let number = unit.and_then(|(number, unit)| Some((number.trim().parse::<f64>().ok()?, unit)));
    let bytes = number.filter(|(number, _)| number.is_finite() && *number > 0.0 && *number < 1e6);
    let Some((number, unit)) = bytes else {
        return Err(Error::usage(format!("`{text}` is no amount of memory")).help("say 2GB, 512MB or 1.5GiB"));
    };
    let bytes = (number * unit as f64) as u64;
    if bytes < LEAST {
        return Err(Error::usage(format!("`{text}` is too little memory to audit anything"))
            .help("the least that can be kept to is 64MB"));
    }
    Ok(bytes)
}

/// The groups that a run may judge.
pub fn groups(limit: u64) -> usize {
    usize::try_from(limit / OF_A_GROUP).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_follow_the_memory() {
        assert_eq!((groups(4_000_000_000), groups(64_000_000)), (111_111, 1_777));
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, wanted) in [
            ("2GB", 2_000_000_000),
            ("512 MiB", 512 << 20),
            ("1.5g", 1_500_000_000),
            (" 64mib ", 64 << 20),
            ("1TiB", 1 << 40),
        ] {
            assert_eq!(bytes(text).unwrap(), wanted, "{text}");
        }
        assert_eq!(bytes(DEFAULT).unwrap(), 4_000_000_000);
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "2", "GB", "-1GB", "nan GB", "inf GB", "1e9TB", "2 KB", "1MB", "0GB", "2GBs"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
