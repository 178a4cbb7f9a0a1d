//! What the header line of a text table tells before anything else is known of it.
//!
//! Exports, tables of offers and tables of labels are read by this one guess and this one folding of names.

/// Separators of fields; of two that are as frequent the first is taken.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The separator that stands most often in the header, outside quotes.
pub fn separator(header: &[u8]) -> u8 {
    let count = |mark: u8| {
        let mut inside = false;
        header
            .iter()
            .filter(|&&b| {
                inside ^= b == b'"';
                b == mark && !inside
            })
            .count()
    };
    SEPARATORS.into_iter().rev().max_by_key(|&mark| count(mark)).unwrap_or(b',')
}

/// A header as names are compared: without a byte-order mark, in small letters, with underscores.
pub fn normalise(header: &str) -> String {
    let plain = header.trim().trim_start_matches('\u{feff}').to_lowercase();
    plain.chars().map(|c| if matches!(c, ' ' | '.' | '-') { '_' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_separator_is_the_most_frequent_outside_quotes() {
        for (header, mark) in [
            ("source,kind", b','),
            ("Source;Kind", b';'),
            ("a\tb\tc", b'\t'),
            ("a|b", b'|'),
            ("\"a;b;c\",d", b','),
            ("source", b','),
        ] {
            assert_eq!(separator(header.as_bytes()), mark, "{header}");
        }
    }

    #[test]
    fn names_are_compared_without_case_and_marks() {
        for name in ["\u{feff}Traffic Source", "traffic-source", " TRAFFIC.SOURCE "] {
            assert_eq!(normalise(name), "traffic_source");
        }
    }
}
