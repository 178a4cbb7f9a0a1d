//! What rate and earning to expect of each group, drawn towards its peers: for ranking and tables only.
//!
//! The top of a list by raw rates is made of groups with a handful of clicks; by these means it is made of good
//! ones (statistics.md, 4.2). Nothing is tested with them: see [`shrink`].

use super::profile::parallel;
use super::shrink::{self, Estimate, LogPrior, RatePrior};
use crate::base::stats::LogitBeta;
use std::collections::BTreeMap;

/// With fewer groups of its kind a group is drawn towards all.
const LEAST_KIN: usize = 20;

/// What is known of a group.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// What makes groups comparable: format, model and offer of most clicks.
    pub kind: &'a [Option<String>],
    /// Mature clicks that converted, and all mature clicks; at least one.
    pub converted: u64,
    pub clicks: u64,
    /// ln of what a converted click earned, in units of the currency, and the sampling variance of that.
    pub ln_earning: Option<(f64, f64)>,
}

/// What to expect of a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// The posterior mean of the conversion rate with its 95 % limits.
    pub cr: Estimate,
    /// Posterior mean of the rate times that of the earning, in units of the currency per click; `None` where
    /// no group of its kind earned anything.
    pub epc: Option<f64>,
}

/// How groups of one kind differ.
struct Prior {
    rate: RatePrior,
    earning: Option<LogPrior>,
}

/// What to expect of every group, in their order; `None` without mature clicks.
pub fn expected(records: &[Option<Record>], threads: usize) -> Vec<Option<Expected>> {
    let mut kinds: BTreeMap<&[Option<String>], Vec<&Record>> = BTreeMap::new();
    for record in records.iter().flatten() {
        kinds.entry(record.kind).or_default().push(record);
    }
    let all: Vec<&Record> = records.iter().flatten().collect();
    let of_all = prior(&all);
    let large = kinds.iter().filter(|(_, kin)| kin.len() >= LEAST_KIN);
    let priors: BTreeMap<&[Option<String>], Prior> =
        large.filter_map(|(kind, kin)| Some((*kind, prior(kin)?))).collect();
    parallel(threads, records.len(), |at| {
        let record = records[at].as_ref()?;
        Some(posterior(record, priors.get(record.kind).or(of_all.as_ref())?))
    })
}

fn prior(records: &[&Record]) -> Option<Prior> {
    let rates: Vec<(u64, u64)> = records.iter().map(|r| (r.converted, r.clicks)).collect();
    let earnings: Vec<(f64, f64)> = records.iter().filter_map(|r| r.ln_earning).collect();
    Some(Prior { rate: shrink::fit_rates(&rates)?, earning: shrink::fit_logs(&earnings) })
}

fn posterior(record: &Record, prior: &Prior) -> Expected {
    let quantile = |p: f64, a: f64, b: f64| 1.0 / (1.0 + (-LogitBeta::new(a, b).quantile(p)).exp());
    let cr = prior.rate.posterior(record.converted, record.clicks, quantile);
    let earning = prior.earning.map(|earning| earning.posterior(record.ln_earning));
    Expected { cr, epc: earning.map(|earning| shrink::epc(&cr, &earning)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: &[Option<String>], converted: u64, clicks: u64) -> Option<Record<'_>> {
        let ln_earning = (converted > 0).then(|| (2.0, 0.5 / converted as f64));
        Some(Record { kind, converted, clicks, ln_earning })
    }

    #[test]
    fn lucky_small_groups_are_drawn_towards_their_kind() {
        let kinds = [vec![Some("a".to_owned())], vec![Some("b".to_owned())]];
        let mut records: Vec<_> = (0..30).map(|i| record(&kinds[0], 15 + i, 1_000)).collect();
        records.extend((0..30).map(|i| record(&kinds[1], 150 + 5 * i, 1_000)));
        records.push(record(&kinds[0], 2, 5));
        records.push(None);
        let found = expected(&records, 2);
        let of = |at: usize| found[at].expect("it has clicks");
        assert!((0.02..0.06).contains(&of(60).cr.mean), "{:?}", of(60));
        assert!(of(60).cr.low < of(60).cr.mean && of(60).cr.mean < of(60).cr.high);
        assert!((0.1..0.3).contains(&of(45).cr.mean), "{:?}", of(45));
        let epc = of(60).epc.expect("its kind earns");
        assert!((epc / of(60).cr.mean - 2f64.exp()).abs() < 0.1, "{epc}");
        assert_eq!(found[61], None);
        assert_eq!(found, expected(&records, 1));
    }

    #[test]
    fn few_groups_and_no_conversions_are_defined() {
        let kind = [None];
        assert!(expected(&[], 3).is_empty());
        assert_eq!(expected(&[None], 3), [None]);
        let found = expected(&[record(&kind, 0, 10), record(&kind, 0, 1)], 1);
        assert!(found.iter().flatten().all(|e| e.cr.mean.is_finite() && e.cr.high.is_finite()), "{found:?}");
        assert!(found.iter().flatten().all(|e| e.epc.is_none()));
    }
}
