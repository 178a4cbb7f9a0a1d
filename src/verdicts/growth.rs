//! Which groups may be bought more of: clean, ordinary among their peers, and profitable beyond doubt.
//!
//! The list accuses nobody and cuts nothing, so that protected groups may be on it and no brake holds it.

use super::list::{Braked, Listing, in_scope, lines, one_traffic_source};
use super::{Judged, Verdict};
use crate::base::column::Grain;
use crate::rules::Action;
use crate::signals;
use std::collections::BTreeSet;

/// Fewer converted clicks are luck as likely as quality.
const LEAST_CONVERTED: f64 = 30.0;

/// Whether a group may be scaled: verdict clean, not significant among its peers, at least 30 converted clicks,
/// and the lower limit of its mature ROI is above the target. A cost that was allocated proves no profit, and
/// nobody buys more of visitors that a held source sends, too.
pub fn scalable(judged: &Judged, target_roi: f64) -> bool {
    let estimate = |name| signals::find(name).and_then(|s| judged.subject.row.reading(s).estimate());
    let converted = estimate("converted_click_count").map_or(0.0, |e| e.value());
    let above = estimate("roi").is_some_and(|roi| !roi.allocated && roi.printed().0 > target_roi);
    let bad_company = judged.outlook.shared.is_some_and(|shared| shared.verdict <= Verdict::Hold);
    let clean = judged.verdict == Verdict::Clean && !judged.subject.profile.significant;
    // Whose findings are suppressed is not bought more of without a look.
    let quiet = judged.idle.iter().all(|idle| idle.finding.action > Action::Hold);
    clean && quiet && !bad_company && converted >= LEAST_CONVERTED && above
}

/// Lists the scalable groups of a grain, those of the traffic source `list_for` if it is given.
///
/// # Errors
/// The groups belong to several traffic sources whose equal IDs would merge, or none belongs to `list_for`.
pub fn growth(judged: &[Judged], grain: &Grain, list_for: Option<&str>) -> Result<Listing, Braked> {
    let scope = in_scope(judged, list_for)?;
    let growing = |j: &&Judged| j.outlook.scalable && j.subject.grain == *grain;
    let growing: Vec<&Judged> = scope.into_iter().filter(growing).collect();
    if list_for.is_none() {
        one_traffic_source(&growing, "groups that may be scaled")?;
    }
    Ok(lines(&growing, &BTreeSet::new()).0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdicts::outlook::Shared;
    use crate::verdicts::samples::{group, row};

    fn grown(change: impl FnOnce(&mut Judged)) -> bool {
        let mut judged = group(&["net", "z1"], Verdict::Clean, None);
        judged.subject.row = row(&[("roi", 0.2), ("converted_click_count", 30.0)], false);
        change(&mut judged);
        scalable(&judged, 0.1)
    }

    #[test]
    fn clean_ordinary_and_profitable_groups_may_be_scaled() {
        assert!(grown(|_| ()));
        assert!(grown(|j| j.protected = true));
        for verdict in [Verdict::Block, Verdict::Hold, Verdict::Watch, Verdict::Undecided] {
            assert!(!grown(|j| j.verdict = verdict), "{verdict:?}");
        }
        assert!(!grown(|j| j.subject.profile.significant = true));
        assert!(!grown(|j| j.subject.row = row(&[("roi", 0.2), ("converted_click_count", 29.0)], false)));
        assert!(!grown(|j| j.subject.row = row(&[("roi", 0.1), ("converted_click_count", 30.0)], false)));
        assert!(!grown(|j| j.subject.row = row(&[("roi", 0.2), ("converted_click_count", 30.0)], true)));
        assert!(!grown(|j| j.subject.row = row(&[("converted_click_count", 30.0)], false)));
        let shared = |verdict| Some(Shared { cluster: 0, others: 1, verdict });
        assert!(!grown(|j| j.outlook.shared = shared(Verdict::Hold)));
        assert!(grown(|j| j.outlook.shared = shared(Verdict::Watch)));
    }

    #[test]
    fn the_list_is_sorted_and_of_one_traffic_source() {
        let all: Vec<Judged> = [["one", "z2"], ["one", "z1"], ["two", "z9"], ["one", "*"]]
            .iter()
            .map(|key| {
                let mut judged = group(key, Verdict::Clean, None);
                (judged.outlook.scalable, judged.protected) = (true, true);
                judged
            })
            .collect();
        let listing = growth(&all, &Grain::source(), Some("one")).expect("one traffic source");
        assert_eq!(listing.ids, ["z1", "z2"]);
        assert_eq!(listing.rejected.len(), 1);
        let braked = growth(&all, &Grain::source(), None).expect_err("two traffic sources").to_string();
        assert!(braked.starts_with("the groups that may be scaled belong to 2 traffic sources"), "{braked}");
        let other = Grain::parse("campaign").expect("a grain");
        assert_eq!(growth(&all, &other, None).expect("nothing to list"), Listing::default());
    }
}
