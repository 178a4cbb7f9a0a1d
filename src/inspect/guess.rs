//! What texts look like: for sentences that help to write a mapping, and for nothing else.
//!
//! Refuses to decide: an audit reads only what was declared.

use super::Misfit;
use crate::base::column::{Col, Kind};
use crate::base::text::Text;
use crate::base::time::{TimeFormat, TimeReader, Zone};
use crate::ingest::Sample;
use crate::ingest::mapping::SideMapping;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Formats that trackers and spreadsheets write times in, as a mapping declares them.
const FORMATS: &[&str] = &[
    "iso",
    "epoch_s",
    "epoch_ms",
    "epoch_us",
    "%Y-%m-%d %I:%M:%S %p",
    "%Y/%m/%d %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%d/%m/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p",
    "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M",
    "%m/%d/%y %H:%M",
    "%d/%m/%y %H:%M",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%d-%m-%Y %H:%M:%S",
    "%m-%d-%Y %H:%M:%S",
    "%d-%m-%Y %H:%M",
    "%m-%d-%Y %H:%M",
    "%d %b %Y %H:%M:%S",
    "%b %d, %Y %I:%M:%S %p",
    "%b %d, %Y %H:%M",
    "%a, %d %b %Y %H:%M:%S %z",
    "%Y%m%d%H%M%S",
];

/// What one field of the first rows says, where it says something.
pub fn texts(sample: &Sample, at: usize) -> impl Iterator<Item = &str> + Clone {
    sample.rows.iter().map(move |row| row[at].trim()).filter(|text| !text.is_empty())
}

/// What all of some texts look like, as a phrase; nothing where they look like any text.
pub fn kind<'t>(texts: impl Iterator<Item = &'t str> + Clone) -> Option<String> {
    texts.clone().next()?;
    let times = formats(texts.clone());
    if !times.is_empty() {
        let names: Vec<String> = times.iter().map(|name| format!("`{name}`")).collect();
        return Some(format!("a time, {}", names.join(" or ")));
    }
    let all = |is: &dyn Fn(&str) -> bool| texts.clone().all(is);
    let number = |t: &str| {
        t.bytes().any(|b| b.is_ascii_digit()) && t.bytes().all(|b| b.is_ascii_digit() || b".,-".contains(&b))
    };
    if all(&|t| t.parse::<IpAddr>().is_ok()) {
        return Some("an address".to_owned());
    }
    if all(&|t| number(t) && t.contains(['.', ','])) {
        return Some("an amount".to_owned());
    }
    None
}

/// The formats that fit every one of some texts.
fn formats<'t>(texts: impl Iterator<Item = &'t str> + Clone) -> Vec<&'static str> {
    let fits = |name: &&&str| {
        let format: TimeFormat = name.parse().expect("a format of the table");
        let reader = TimeReader { format, zone: Zone::UTC };
        texts.clone().all(|text| reader.read(text.as_bytes()).is_ok())
    };
    FORMATS.iter().filter(fits).copied().collect()
}

/// The time columns that hold texts of another format than was declared.
pub fn misfits(sample: &Sample, places: &BTreeMap<Col, usize>, side: &SideMapping) -> Vec<Misfit> {
    let times = places.iter().filter(|(col, _)| col.kind() == Kind::Time);
    times.filter_map(|(col, at)| misfit(sample, *col, *at, side)).collect()
}

fn misfit(sample: &Sample, col: Col, at: usize, side: &SideMapping) -> Option<Misfit> {
    let texts = || texts(sample, at).filter(|text| !side.nulls.iter().any(|null| null == text));
    let wrong = || texts().filter(|text| side.time.read(text.as_bytes()).is_err());
    let example = Text::new(wrong().next()?);
    Some(Misfit {
        col,
        seen: texts().count() as u64,
        wrong: wrong().count() as u64,
        example,
        fitting: formats(texts()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(texts: &[&str], looks: Option<&str>) {
        assert_eq!(kind(texts.iter().copied()).as_deref(), looks, "{texts:?}");
    }

    #[test]
    fn texts_look_like_what_all_of_them_are() {
        check(&["2026-03-02 10:00:00", "2026-03-02T10:00:00Z"], Some("a time, `iso`"));
        check(&["1772445600"], Some("a time, `epoch_s`"));
        check(&["3/2/2026 10:00", "3/13/2026 10:00"], Some("a time, `%m/%d/%Y %H:%M`"));
        check(&["3/2/2026 10:00", "3/12/2026 10:00"], Some("a time, `%m/%d/%Y %H:%M` or `%d/%m/%Y %H:%M`"));
        check(&["93.184.216.10", "2001:db8::1"], Some("an address"));
        check(&["1.50", "1,234.50", "-3.00"], Some("an amount"));
        check(&["12", "13"], None);
        check(&["2026-03-02 10:00:00", "soon"], None);
        check(&[], None);
    }
}
