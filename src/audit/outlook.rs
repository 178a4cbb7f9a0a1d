//! The estimates beside the verdicts: clusters, money, what to expect, what is odd, what may be scaled.

use super::{clusters, losses};
use crate::measures::{GrainMeasures, M, Measures, Stratum};
use crate::peers::ranking::{Record, expected};
use crate::peers::{Profile, anomaly};
use crate::signals::{self, Context};
use crate::verdicts::{Judged, Resold, scalable};

/// Without a variance of its own an earning is taken to be known this well, as a squared relative error.
const LEAST_VARIATION: f64 = 1e-4;

/// Adds to the judged groups of the audited grain what is estimated of them; returns the clusters.
///
/// `groups` begin with those of the first grain, in its order.
pub fn attach(
    groups: &mut [Judged],
    measures: &Measures,
    context: &Context,
    target_roi: f64,
    threads: usize,
) -> Vec<Resold> {
    let grain = &measures.grains[0];
    let groups = &mut groups[..grain.groups.len()];
    let days = measures.days.map_or(1, |(first, last)| i64::from(last) - i64::from(first) + 1);
    let rates = expected(&records(grain, groups, context), threads);
    let profiles: Vec<&Profile> = groups.iter().map(|g| &g.subject.profile).collect();
    let odd = anomaly::odd(&profiles);
    for (at, ((group, expected), odd)) in groups.iter_mut().zip(rates).zip(odd).enumerate() {
        let recoverable_now = losses::recoverable(group, &grain.groups[at].totals);
        group.outlook.loss = losses::loss(group, days, recoverable_now);
        group.outlook.recoverable_now = recoverable_now;
        (group.outlook.expected, group.outlook.odd) = (expected, odd);
    }
    let resold = clusters::resold(grain, groups);
    groups.iter_mut().for_each(|group| group.outlook.scalable = scalable(group, target_roi));
    resold
}

/// Rates and earnings of the groups, as far as they have mature clicks.
fn records<'g>(grain: &'g GrainMeasures, groups: &[Judged], context: &Context) -> Vec<Option<Record<'g>>> {
    let mut main: Vec<Option<&Stratum>> = vec![None; groups.len()];
    let clicks = |s: &Stratum| s.totals.get(M::Clicks).unwrap_or(0);
    for stratum in &grain.strata {
        let best = &mut main[stratum.group];
        if best.is_none_or(|best| clicks(stratum) > clicks(best)) {
            *best = Some(stratum);
        }
    }
    let record = |(at, group): (usize, &Judged)| {
        let totals = &grain.groups[at].totals;
        let count = |m| totals.get(m).map(|n| n.max(0) as u64);
        let (converted, clicks) = (count(M::ConvertedClicks)?, count(M::MatureClicks).filter(|n| *n > 0)?);
        let kind = main[at].map_or(&[][..], |stratum| &stratum.key);
        Some(Record { kind, converted, clicks, ln_earning: ln_earning(group, converted, context) })
    };
    groups.iter().enumerate().map(record).collect()
}

/// ln of what a converted click earned, with its sampling variance: amounts vary as over the whole input, and
/// what is not approved earns nothing.
fn ln_earning(group: &Judged, converted: u64, context: &Context) -> Option<(f64, f64)> {
    let value = |name| {
        let estimate = group.subject.row.reading(signals::find(name)?).estimate()?;
        Some(estimate.value()).filter(|value| *value > 0.0)
    };
    let earning = value("epc")? / value("cr")?;
    let approved = context.usual_approval.filter(|share| *share > 0.0).unwrap_or(1.0);
    let variation = ((1.0 + context.payout_cv2) / approved - 1.0).max(LEAST_VARIATION);
    Some((earning.ln(), variation / converted as f64))
}
