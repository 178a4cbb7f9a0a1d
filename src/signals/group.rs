//! One group's measures and what holds for the whole input, as formulas read them.

use super::estimate::{Absence, Estimate};
use crate::base::column::Col;
use crate::base::stats;
use crate::ingest::Perspective;
use crate::measures::{M, Rows, Totals};
use std::collections::{BTreeMap, BTreeSet};

/// What holds for every group of an audit.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Whose money it is; without it no money signal.
    pub perspective: Option<Perspective>,
    /// The columns that are mapped, of clicks and of conversions.
    pub mapped: [BTreeSet<Col>; 2],
    pub clicks_given: bool,
    pub conversions_given: bool,
    /// Rows were aggregated before they came here.
    pub aggregated: bool,
    /// Only what an engine can count was counted.
    pub portable: bool,
    /// Click and conversion stand in one row.
    pub combined: bool,
    /// Conversions are tied to loaded clicks by their ID.
    pub joined: bool,
    /// The tracker drops conversions without a click before export.
    pub drops_orphans: bool,
    /// The tracker drops repeated conversions before export.
    pub drops_duplicates: bool,
    /// One click ID stands for several clicks by design.
    pub reuses_click_ids: bool,
    /// The tracker leaves bots out of its exports.
    pub bots_filtered: bool,
    /// Transaction IDs are unique beyond one click.
    pub true_transactions: bool,
    /// Median positive amount of a conversion, in micro-units: of all offers, and of each.
    pub typical_payout: Option<f64>,
    pub typical_payout_of: BTreeMap<Option<String>, f64>,
    /// Squared coefficient of variation of these amounts.
    pub payout_cv2: f64,
    /// Approved share of all due decisions.
    pub usual_approval: Option<f64>,
    /// What the terms of offers allow, where they say.
    pub allowed: BTreeMap<Option<String>, Allowed>,
}

/// What an offer allows; `None` where its terms do not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Rewarded traffic.
    pub incentive: Option<bool>,
    /// Bidding on the advertiser's name.
    pub brand: Option<bool>,
}

/// One group, ready for formulas.
pub struct Group<'a> {
    pub totals: &'a Totals,
    pub context: &'a Context,
}

impl Group<'_> {
    /// A count or sum.
    pub(super) fn get(&self, measure: M) -> Result<i64, Absence> {
        self.totals.get(measure).ok_or_else(|| self.why_missing(measure))
    }

    /// A count.
    pub(super) fn count(&self, measure: M) -> Result<u64, Absence> {
        self.get(measure).map(|v| v.max(0) as u64)
    }

    fn why_missing(&self, measure: M) -> Absence {
        let declared = measure.decl();
        match declared.rows {
            _ if self.context.aggregated => Absence::Aggregated,
            _ if self.context.portable && !declared.portable() => {
                Absence::Engine(declared.unportable().unwrap_or_default())
            }
            Rows::Clicks if !self.context.clicks_given => Absence::NoClicks,
            Rows::Conversions if !self.context.conversions_given => Absence::NoConversions,
            _ if measure == M::SurplusRows => {
                Absence::Fact("clicks have IDs: identical rows are told by them")
            }
            _ if declared.needs.is_empty() => Absence::Fact("the input cannot tell"),
            side => Absence::Columns(
                Some(side).filter(|_| !self.context.combined),
                self.missing(side, declared.needs),
            ),
        }
    }

    /// Those of the needed columns that no file of this side has.
    fn missing(&self, side: Rows, needs: &[Col]) -> Vec<Col> {
        let mapped = &self.context.mapped[side as usize];
        let missing: Vec<Col> = needs.iter().copied().filter(|c| !mapped.contains(c)).collect();
        if missing.is_empty() { needs.to_vec() } else { missing }
    }

    /// A fact with its sample size.
    pub(super) fn exact_count(&self, measure: M, sample: M) -> Result<Estimate, Absence> {
        Ok(Estimate::exact(self.get(measure)? as f64, self.count(sample)?))
    }

    /// `part` of `whole`, with the word for what is missing when there is nothing to divide by.
    pub(super) fn share(&self, part: M, whole: M, what: &'static str) -> Result<Estimate, Absence> {
        let (x, n) = (self.count(part)?, self.count(whole)?);
        if n == 0 { Err(Absence::Nothing(what)) } else { Ok(Estimate::share(x.min(n), n)) }
    }

    /// What is not `part` of `whole`.
    pub(super) fn rest(&self, part: M, whole: M, what: &'static str) -> Result<Estimate, Absence> {
        let (x, n) = (self.count(part)?, self.count(whole)?);
        if n == 0 { Err(Absence::Nothing(what)) } else { Ok(Estimate::share(n.saturating_sub(x), n)) }
    }

    /// Rows of the commonest value of a histogram.
    pub(super) fn modal(&self, histogram: M, what: &'static str) -> Result<Estimate, Absence> {
        self.get(histogram)?;
        let values = self.totals.values(histogram);
        let top = values.iter().map(|&(_, count)| count).max().ok_or(Absence::Nothing(what))?;
        Ok(Estimate::share(top, stats::size(&values)))
    }

    /// Whose money it is.
    pub(super) fn perspective(&self) -> Result<Perspective, Absence> {
        let unsaid = Absence::Fact("nobody said whose money it is (--perspective)");
        self.context.perspective.ok_or(unsaid)
    }
}
