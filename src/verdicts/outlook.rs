//! What a group may cost or bring, and where to look again: estimates beside a verdict.
//!
//! They are for ranking, tables and a second look. No verdict rests on any of them.

use super::{Judged, Verdict};
use crate::base::money::Micro;
use crate::peers::anomaly::Odd;
use crate::peers::expected_loss::Loss;
use crate::peers::ranking::Expected;

/// What is estimated of one group.
#[derive(Clone, Debug, Default)]
pub struct Outlook {
    /// `None` where payouts are unknown or nothing was compared.
    pub loss: Option<Loss>,
    /// Payouts of exact replays: no estimate. `None` where transactions or payouts are unknown.
    pub recoverable_now: Option<Micro>,
    /// What was counted and may be claimed back; `None` where no single conversions are known.
    pub clawback: Option<Clawback>,
    pub expected: Option<Expected>,
    pub odd: Option<Odd>,
    pub shared: Option<Shared>,
    /// Clean, ordinary and profitable beyond the target: more of it may be bought.
    pub scalable: bool,
}

/// Conversions of a group that are wrong by count, not by estimate; each is in the first part that fits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clawback {
    /// The same transaction again.
    pub replays: Counted,
    /// Before the click they are attributed to.
    pub before_click: Counted,
    /// A once-only event again on the same click.
    pub repeats: Counted,
}

impl Clawback {
    /// All parts together.
    pub fn total(&self) -> Counted {
        [self.before_click, self.repeats].into_iter().fold(self.replays, Counted::and)
    }
}

/// Approved and pending conversions and what they pay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    pub count: u64,
    /// `None` where none of them has an amount.
    pub amount: Option<Micro>,
}

impl Counted {
    /// One more conversion.
    pub fn add(&mut self, amount: Option<Micro>) {
        *self = self.and(Counted { count: 1, amount });
    }

    fn and(self, other: Counted) -> Counted {
        let sum = |a: Micro, b: Micro| Micro(a.0.saturating_add(b.0));
        let amount = match (self.amount, other.amount) {
            (Some(a), Some(b)) => Some(sum(a, b)),
            (a, b) => a.or(b),
        };
        Counted { count: self.count + other.count, amount }
    }
}

/// A group's place in a cluster of sources that send the same visitors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Place among [`Resold`] clusters, from 0.
    pub cluster: usize,
    /// How many other sources send the same visitors.
    pub others: usize,
    /// The verdict on the cluster.
    pub verdict: Verdict,
}

/// Sources that send the same visitors under several names. This alone accuses nobody: zones of one site do so.
#[derive(Clone, Debug)]
pub struct Resold {
    /// The overlap of networks (Jaccard) in the weakest link, and the largest that was expected for a link. Or of
    /// clicks: what share of each comes from networks that are theirs alone.
    pub of_clicks: bool,
    pub overlap: f64,
    pub expected_overlap: f64,
    /// Two linked members share at least about so many networks.
    pub shared_networks: u64,
    /// The least agreement of user agents in a link; `None` where they are unknown.
    pub agents: Option<f64>,
    /// The strongest verdict of a member; clean only if all members are.
    pub verdict: Verdict,
    /// How many members have it.
    pub carried_by: usize,
    /// ln of the members' combined p.
    pub ln_p: Option<f64>,
    pub clicks: u64,
    /// Sums over the members of which it is known.
    pub cost: Option<Micro>,
    pub money_at_risk: Option<Micro>,
}

/// The verdict on several groups as one, and how many of them carry it: the strongest, but as long as nobody
/// can tell for one of them they are not clean.
pub fn verdict_on(members: &[&Judged]) -> (Verdict, usize) {
    let has = |verdict| members.iter().filter(|m| m.verdict == verdict).count();
    let strongest = members.iter().map(|m| m.verdict).min().unwrap_or(Verdict::Undecided);
    let undecided = strongest == Verdict::Clean && has(Verdict::Undecided) > 0;
    let verdict = if undecided { Verdict::Undecided } else { strongest };
    (verdict, has(verdict))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdicts::samples::group;
    use Verdict::{Block, Clean, Hold, Undecided, Watch};

    fn check(verdicts: &[Verdict], expected: (Verdict, usize)) {
        let groups: Vec<Judged> = verdicts.iter().map(|v| group(&["net", "z"], *v, None)).collect();
        assert_eq!(verdict_on(&groups.iter().collect::<Vec<_>>()), expected, "{verdicts:?}");
    }

    #[test]
    fn the_strongest_verdict_is_the_clusters() {
        check(&[Clean, Hold, Block, Hold], (Block, 1));
        check(&[Watch, Hold, Undecided, Hold], (Hold, 2));
        check(&[Clean, Clean], (Clean, 2));
        check(&[Clean, Undecided, Clean], (Undecided, 1));
        check(&[], (Undecided, 0));
    }
}
