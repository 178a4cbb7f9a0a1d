//! What holds for every group: facts of the mapping, the typical payout, the usual approval.

use crate::base::column::Col;
use crate::clean::Status;
use crate::ingest::{Intake, Offers, Shape, StatusMeans, TransactionScope};
use crate::matching::{Matched, MatchedConversion};
use crate::measures::{Clock, M, Measures};
use crate::signals::{Allowed, Context};
use std::collections::{BTreeMap, BTreeSet};

/// The context of an audit's signals.
pub fn of(
    intake: &Intake,
    matched: &Matched,
    measures: &Measures,
    offers: &[Option<String>],
    clock: Clock,
    portable: bool,
) -> Context {
    let mapping = &intake.mapping;
    let amounts = amounts(matched.conversions.iter());
    let true_scope =
        matches!(mapping.transaction_scope, Some(TransactionScope::Network | TransactionScope::Global));
    Context {
        perspective: mapping.perspective,
        mapped: mapped(intake),
        clicks_given: intake.has(Shape::Clicks) || intake.combined,
        conversions_given: intake.has(Shape::Conversions) || intake.combined,
        aggregated: intake.has(Shape::Report),
        portable,
        combined: intake.combined,
        joined: [&intake.clicks, &intake.conversions].iter().all(|t| t.columns().contains(&Col::ClickId)),
        drops_orphans: mapping.drops_orphans,
        drops_duplicates: mapping.drops_duplicates,
        reuses_click_ids: mapping.reuses_click_ids,
        bots_filtered: mapping.bots_filtered,
        true_transactions: true_scope && intake.conversions.columns().contains(&Col::TransactionId),
        typical_payout: median(&amounts).or_else(|| mean_of_report(intake, measures)),
        typical_payout_of: typical_by_offer(&matched.conversions, offers),
        payout_cv2: squared_variation(&amounts),
        usual_approval: usual_approval(&matched.conversions, clock),
        allowed: allowed(&intake.mapping.offers, measures, clock),
    }
}

/// The columns of clicks and of conversions; a status that is the event is both.
fn mapped(intake: &Intake) -> [BTreeSet<Col>; 2] {
    let clicks = intake.clicks.columns();
    let mut conversions = if intake.combined { clicks.clone() } else { intake.conversions.columns() };
    if intake.mapping.status_means == StatusMeans::Event && conversions.contains(&Col::Status) {
        conversions.insert(Col::Event);
    }
    conversions.extend(intake.mapping.offers.fills());
    [clicks, conversions]
}

/// What every offer that has rows allows, by the terms that hold at the end.
fn allowed(offers: &Offers, measures: &Measures, clock: Clock) -> BTreeMap<Option<String>, Allowed> {
    let groups = measures.grains.iter().flat_map(|g| &g.groups);
    let names: BTreeSet<&Option<String>> = groups.flat_map(|g| g.totals.rows_of.keys()).collect();
    let of = |name: &Option<String>| {
        let terms = offers.terms(name.as_deref()?, clock.as_of)?;
        Some((name.clone(), Allowed { incentive: terms.incentive, brand: terms.brand }))
    };
    if offers.is_empty() { BTreeMap::new() } else { names.into_iter().filter_map(of).collect() }
}

/// Positive amounts of conversions that are approved or may become so, sorted, in micro-units.
fn amounts<'a>(conversions: impl Iterator<Item = &'a MatchedConversion>) -> Vec<i64> {
    let worth = |m: &&MatchedConversion| matches!(m.conversion.status, Status::Approved | Status::Pending);
    let amount = |m: &MatchedConversion| m.conversion.payout.or(m.conversion.revenue).filter(|a| *a > 0);
    let mut amounts: Vec<i64> = conversions.filter(worth).filter_map(amount).collect();
    amounts.sort_unstable();
    amounts
}

/// What a conversion of an aggregated report pays on average, where it has any.
fn mean_of_report(intake: &Intake, measures: &Measures) -> Option<f64> {
    if !intake.has(Shape::Report) {
        return None;
    }
    let groups = || measures.grains.first().into_iter().flat_map(|g| &g.groups);
    let sum = |m: M| groups().filter_map(|g| g.totals.get(m)).fold(0i64, i64::saturating_add);
    let paid = sum(M::PayoutConfirmed).max(sum(M::RevenueConfirmed));
    let conversions = sum(M::Conversions);
    (paid > 0 && conversions > 0).then(|| paid as f64 / conversions as f64)
}

/// The typical amount of each offer; `offers` is that of each conversion.
fn typical_by_offer(
    conversions: &[MatchedConversion],
    offers: &[Option<String>],
) -> BTreeMap<Option<String>, f64> {
    let mut of_offer: BTreeMap<&Option<String>, Vec<&MatchedConversion>> = BTreeMap::new();
    for (offer, conversion) in offers.iter().zip(conversions) {
        of_offer.entry(offer).or_default().push(conversion);
    }
    let typical = |(offer, list): (&Option<String>, Vec<&MatchedConversion>)| {
        median(&amounts(list.into_iter())).map(|m| (offer.clone(), m))
    };
    of_offer.into_iter().filter_map(typical).collect()
}

fn median(sorted: &[i64]) -> Option<f64> {
    let middle = sorted.len().checked_sub(1)? / 2;
    Some((sorted[middle] as f64 + sorted[sorted.len() / 2] as f64) / 2.0)
}

/// Variance over squared mean. Sums of sorted whole numbers: the same for any order of rows.
fn squared_variation(sorted: &[i64]) -> f64 {
    let n = sorted.len() as f64;
    let sum: i128 = sorted.iter().map(|&a| i128::from(a)).sum();
    let squares: i128 = sorted.iter().map(|&a| i128::from(a) * i128::from(a)).sum();
    let mean = sum as f64 / n;
    if sum == 0 { 0.0 } else { ((squares as f64 / n) / (mean * mean) - 1.0).max(0.0) }
}

/// Approved share of all decisions that are due.
fn usual_approval(conversions: &[MatchedConversion], clock: Clock) -> Option<f64> {
    let due = |m: &&MatchedConversion| {
        m.facts.decision_due && m.click_time.unwrap_or(m.conversion.time) <= clock.mature_until()
    };
    let blamed = |m: &&MatchedConversion| !crate::measures::is_excused(m);
    let count = |status| {
        conversions.iter().filter(due).filter(blamed).filter(|m| m.conversion.status == status).count()
    };
    let (approved, rejected) = (count(Status::Approved), count(Status::Rejected));
    (approved + rejected > 0).then(|| approved as f64 / (approved + rejected) as f64)
}
