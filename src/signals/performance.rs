//! What the traffic cost and earned.

use super::{Absence, Against, Allowed, Estimate, Family, Group, IntervalKind, Side, Signal, Suspicious};
use crate::base::money::SCALE;
use crate::base::stats;
use crate::base::unit::Unit;
use crate::ingest::Perspective;
use crate::measures::M;

/// The signals of this table.
pub const SIGNALS: &[Signal] = &[
    Signal {
        name: "cost",
        unit: Unit::Money,
        family: Family::Performance,
        side: Side::Click,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Exact,
        against: Against::Nothing,
        min_sample: 0,
        sample: "clicks",
        range: (f64::MIN, f64::MAX),
        summary: "what the traffic cost: the clicks for a buyer, the payouts for a network or advertiser",
        innocent: &[],
        measures: &[M::Cost],
        formula: |g| g.money(g.cost(Span::Whole)?, M::Clicks),
    },
    Signal {
        name: "revenue",
        unit: Unit::Money,
        family: Family::Performance,
        side: Side::Conversion,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Exact,
        against: Against::Nothing,
        min_sample: 0,
        sample: "conversions",
        range: (f64::MIN, f64::MAX),
        summary: "what the approved conversions earned, less what was taken back",
        innocent: &[],
        measures: &[M::PayoutConfirmed, M::RevenueConfirmed],
        formula: |g| g.money(g.revenue(Span::Whole)?, M::Conversions),
    },
    Signal {
        name: "expected_revenue",
        unit: Unit::Money,
        family: Family::Performance,
        side: Side::Conversion,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Exact,
        against: Against::Nothing,
        min_sample: 0,
        sample: "conversions",
        range: (f64::MIN, f64::MAX),
        summary: "revenue, and pending amounts at the input's usual approval",
        innocent: &[],
        measures: &[M::PayoutConfirmed, M::PayoutPending],
        formula: expected_revenue,
    },
    Signal {
        name: "payout",
        unit: Unit::Money,
        family: Family::Performance,
        side: Side::Conversion,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Exact,
        against: Against::Nothing,
        min_sample: 0,
        sample: "conversions",
        range: (f64::MIN, f64::MAX),
        summary: "payout of approved conversions, less what was taken back",
        innocent: &[],
        measures: &[M::PayoutConfirmed],
        formula: |g| g.money(g.get(M::PayoutConfirmed)?, M::Conversions),
    },
    Signal {
        name: "profit",
        unit: Unit::Money,
        family: Family::Performance,
        side: Side::Conversion,
        suspicious: Suspicious::Low,
        kind: IntervalKind::Exact,
        against: Against::Nothing,
        min_sample: 0,
        sample: "conversions",
        range: (f64::MIN, f64::MAX),
        summary: "revenue less cost over the whole window, pending amounts not counted; of a cost file only the complete days",
        innocent: &["conversions that are still pending", "tests of a new source"],
        measures: &[M::Cost, M::CompleteCost, M::PayoutConfirmed, M::CompletePayout],
        formula: profit,
    },
    Signal {
        name: "epc",
        unit: Unit::Money,
        family: Family::Performance,
        side: Side::Conversion,
        suspicious: Suspicious::Either,
        kind: IntervalKind::Limits95,
        against: Against::Nothing,
        min_sample: 100,
        sample: "mature clicks",
        range: (f64::MIN, f64::MAX),
        summary: "revenue per mature click, from conversions within the maturity",
        innocent: &["a better or worse paid offer"],
        measures: &[M::MaturePayout, M::MatureClicks, M::EarningConversions],
        formula: epc,
    },
    Signal {
        name: "cpa",
        unit: Unit::Money,
        family: Family::Performance,
        side: Side::Conversion,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Limits95,
        against: Against::Nothing,
        min_sample: 1,
        sample: "converted clicks",
        range: (f64::MIN, f64::MAX),
        summary: "cost of mature clicks per converted click",
        innocent: &[],
        measures: &[M::MatureCost, M::ConvertedClicks, M::JudgedConverted],
        formula: cpa,
    },
    Signal {
        name: "cr",
        unit: Unit::Share,
        family: Family::Performance,
        side: Side::Conversion,
        suspicious: Suspicious::Either,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 100,
        sample: "mature clicks",
        range: (0.0, 1.0),
        summary: "mature clicks with at least one main event within the maturity",
        innocent: &["another offer or country", "clicks bought on another hit type"],
        measures: &[M::ConvertedClicks, M::MatureClicks],
        formula: |g| g.share(M::ConvertedClicks, M::MatureClicks, "mature clicks"),
    },
    Signal {
        name: "roi",
        unit: Unit::Ratio,
        family: Family::Performance,
        side: Side::Conversion,
        suspicious: Suspicious::Low,
        kind: IntervalKind::Limits95,
        against: Against::Nothing,
        min_sample: 5,
        sample: "conversions worth money",
        range: (-1000.0, f64::MAX),
        summary: "(revenue - cost) / cost of mature clicks, from conversions within the maturity; of a cost file only the complete days",
        innocent: &["conversions that are still pending", "tests of a new source"],
        measures: &[M::MatureCost, M::MaturePayout, M::JudgedPayout, M::EarningConversions, M::JudgedEarning],
        formula: roi,
    },
    Signal {
        name: "spend_in_payouts",
        unit: Unit::Ratio,
        family: Family::Performance,
        side: Side::Conversion,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Exact,
        against: Against::Nothing,
        min_sample: 0,
        sample: "mature clicks",
        range: (0.0, f64::MAX),
        summary: "cost of mature clicks in units of what their offer typically pays: how many conversions would pay for them",
        innocent: &[],
        measures: &[M::MatureCost, M::MatureClicks],
        formula: spend_in_payouts,
    },
    Signal {
        name: "break_even_p",
        unit: Unit::Share,
        family: Family::Performance,
        side: Side::Conversion,
        suspicious: Suspicious::Low,
        kind: IntervalKind::Exact,
        against: Against::Nothing,
        min_sample: 100,
        sample: "mature clicks",
        range: (0.0, 1.0),
        summary: "probability of so few conversions if the source just paid for itself (Poisson)",
        innocent: &["tiers of one offer that pay very differently", "conversions later than the maturity"],
        measures: &[M::MatureCost, M::EarningConversions, M::JudgedEarning, M::MatureClicks],
        formula: break_even,
    },
    Signal {
        name: "lander_click_share",
        unit: Unit::Share,
        family: Family::Performance,
        side: Side::Click,
        suspicious: Suspicious::Low,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 100,
        sample: "clicks",
        range: (0.0, 1.0),
        summary: "clicks that went through the landing page",
        innocent: &["campaigns without a landing page"],
        measures: &[M::LanderClicks, M::Clicks],
        formula: |g| g.share(M::LanderClicks, M::Clicks, "clicks"),
    },
    Signal {
        name: "earning_in_payouts",
        unit: Unit::Ratio,
        family: Family::Performance,
        side: Side::Conversion,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Limits95,
        against: Against::Nothing,
        min_sample: 5,
        sample: "conversions worth money",
        range: (f64::MIN, f64::MAX),
        summary: "what a conversion pays in units of what its offer typically pays; private rates are no fraud",
        innocent: &[],
        measures: &[M::MaturePayout, M::MatureRevenue, M::EarningConversions],
        formula: earning,
    },
    Signal {
        name: "payout_in_rates",
        unit: Unit::Ratio,
        family: Family::Performance,
        side: Side::Conversion,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Exact,
        against: Against::Nothing,
        min_sample: 0,
        sample: "conversions worth money whose payout was agreed",
        range: (f64::MIN, f64::MAX),
        summary: "what conversions pay in units of what the offers file says they should: above 1 a private rate, below 1 less than agreed",
        innocent: &[],
        measures: &[M::RatedPayout, M::AgreedPayout, M::Rated],
        formula: payout_in_rates,
    },
    Signal {
        name: "incentive_allowed_share",
        unit: Unit::Share,
        family: Family::Performance,
        side: Side::Click,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Exact,
        against: Against::Nothing,
        min_sample: 0,
        sample: "clicks and conversions of offers that say it",
        range: (0.0, 1.0),
        summary: "clicks and conversions for offers that allow rewarded traffic, by the offers file",
        innocent: &[],
        measures: &[M::Clicks, M::Conversions],
        formula: |g| g.allowed(|allowed| allowed.incentive),
    },
    Signal {
        name: "brand_allowed_share",
        unit: Unit::Share,
        family: Family::Performance,
        side: Side::Click,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Exact,
        against: Against::Nothing,
        min_sample: 0,
        sample: "clicks and conversions of offers that say it",
        range: (0.0, 1.0),
        summary: "clicks and conversions for offers that allow bidding on the advertiser's name, by the offers file",
        innocent: &[],
        measures: &[M::Clicks, M::Conversions],
        formula: |g| g.allowed(|allowed| allowed.brand),
    },
    Signal {
        name: "brand_click_share",
        unit: Unit::Share,
        family: Family::Performance,
        side: Side::Click,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 100,
        sample: "clicks",
        range: (0.0, 1.0),
        summary: "clicks on a brand term: people who were looking for the advertiser by name",
        innocent: &[
            "brand bidding that the advertiser allows",
            "a brand whose name is a common word",
            "reviews and coupons, which name the brand by nature",
        ],
        measures: &[M::BrandClicks, M::Clicks],
        formula: |g| g.share(M::BrandClicks, M::Clicks, "clicks"),
    },
    Signal {
        name: "brand_cr",
        unit: Unit::Share,
        family: Family::Performance,
        side: Side::Conversion,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 100,
        sample: "clicks on a brand term",
        range: (0.0, 1.0),
        summary: "clicks on a brand term with a conversion; such clicks convert without the source's help",
        innocent: &[],
        measures: &[M::BrandConverted, M::BrandClicks],
        formula: |g| g.share(M::BrandConverted, M::BrandClicks, "clicks on a brand term"),
    },
];

/// Over which clicks money is added up.
#[derive(Clone, Copy)]
enum Span {
    Whole,
    Mature,
    /// The whole, where a cost file gives the costs on the days that it is complete for.
    Complete,
    /// Mature clicks, where a cost file gives the costs on the days that it is complete for: later ones look
    /// as if they had cost nothing.
    Judged,
}

impl Group<'_> {
    /// Micro-units as a fact; resting on an allocated cost where cost is in it is marked by the caller.
    fn money(&self, micro: i64, sample: M) -> Result<Estimate, Absence> {
        let n = self.count(sample).or_else(|_| self.count(M::Clicks)).unwrap_or(0);
        let of_clicks = sample == M::Clicks && self.context.perspective == Some(Perspective::Buyer);
        Ok(Estimate::exact(micro as f64 / SCALE as f64, n).allocated(of_clicks && self.totals.cost_allocated))
    }

    /// The measure of a span: of whole and complete days, or of mature clicks and those of complete days. Without
    /// a cost file every day is complete.
    fn spanned(&self, span: Span, whole: [M; 2], mature: [M; 2]) -> Result<i64, Absence> {
        let complete = |[all, complete]: [M; 2]| self.totals.get(complete).map_or_else(|| self.get(all), Ok);
        match span {
            Span::Whole => self.get(whole[0]),
            Span::Mature => self.get(mature[0]),
            Span::Complete => complete(whole),
            Span::Judged => complete(mature),
        }
    }

    fn click_cost(&self, span: Span) -> Result<i64, Absence> {
        let cost = self.spanned(span, [M::Cost, M::CompleteCost], [M::MatureCost; 2])?;
        if self.get(M::CostedClicks)? == 0 { Err(Absence::Nothing("clicks with a cost")) } else { Ok(cost) }
    }

    fn confirmed_payout(&self, span: Span) -> Result<i64, Absence> {
        let whole = [M::PayoutConfirmed, M::CompletePayout];
        self.spanned(span, whole, [M::MaturePayout, M::JudgedPayout])
    }

    fn confirmed_revenue(&self, span: Span) -> Result<i64, Absence> {
        let whole = [M::RevenueConfirmed, M::CompleteRevenue];
        self.spanned(span, whole, [M::MatureRevenue, M::JudgedRevenue])
    }

    /// Conversions worth money on the days that are judged.
    fn judged_earning(&self) -> Result<u64, Absence> {
        let span = [M::EarningConversions, M::JudgedEarning];
        self.spanned(Span::Judged, span, span).map(|n| n.max(0) as u64)
    }

    /// Cost from the audit's perspective, micro-units.
    fn cost(&self, span: Span) -> Result<i64, Absence> {
        match self.perspective()? {
            Perspective::Buyer => self.click_cost(span),
            Perspective::Network => Ok(self.confirmed_payout(span)? + self.click_cost(span).unwrap_or(0)),
            Perspective::Advertiser => self.confirmed_payout(span),
        }
    }

    /// Revenue from the audit's perspective, micro-units. A buyer's is the payout; exports that call it
    /// revenue are read as such.
    fn revenue(&self, span: Span) -> Result<i64, Absence> {
        match self.perspective()? {
            Perspective::Buyer => self.confirmed_payout(span).or_else(|_| self.confirmed_revenue(span)),
            Perspective::Network | Perspective::Advertiser => self.confirmed_revenue(span),
        }
    }

    /// Mature revenue that is still pending, micro-units; 0 where nothing says so.
    fn pending(&self, span: Span) -> i64 {
        let buyer = self.context.perspective == Some(Perspective::Buyer);
        let of = |all, judged| self.spanned(span, [all; 2], [all, judged]).ok();
        let of_payout = of(M::MaturePayoutPending, M::JudgedPayoutPending).filter(|_| buyer);
        of_payout.or_else(|| of(M::MatureRevenuePending, M::JudgedRevenuePending)).unwrap_or(0)
    }

    /// Factor by which revenue may be larger or smaller: the number of conversions is Poisson, their amounts
    /// vary as they do over the whole input (delta method on the logarithm).
    fn revenue_factor(&self, conversions: u64) -> f64 {
        (stats::z(0.95) * ((1.0 + self.context.payout_cv2) / conversions.max(1) as f64).sqrt()).exp()
    }

    /// 95 % limits of mature revenue in units; in the upper one all that is pending is approved. Without a
    /// conversion the upper limit is that of a Poisson zero, -ln 0.025 = 3.69 typical payouts.
    fn revenue_limits(&self, span: Span, revenue: f64, conversions: u64) -> Result<(f64, f64), Absence> {
        if conversions == 0 {
            let typical = self.context.typical_payout.ok_or(Absence::Nothing("conversions worth money"))?;
            return Ok((0f64.min(revenue), revenue.max(-(0.025f64).ln() * typical / SCALE as f64)));
        }
        let factor = self.revenue_factor(conversions);
        let most = revenue + units(self.pending(span));
        let limits = [revenue / factor, revenue * factor, most / factor, most * factor];
        Ok(limits.into_iter().fold((revenue, revenue), |(low, high), v| (low.min(v), high.max(v))))
    }
}

fn units(micro: i64) -> f64 {
    micro as f64 / SCALE as f64
}

fn expected_revenue(group: &Group) -> Result<Estimate, Absence> {
    let buyer = group.perspective()? == Perspective::Buyer;
    let confirmed = group.revenue(Span::Whole)?;
    let of_payout = buyer && group.get(M::PayoutPending).is_ok();
    let pending = group.get(if of_payout { M::PayoutPending } else { M::RevenuePending })?;
    let usual = match (pending, group.context.usual_approval) {
        (0, _) => 1.0,
        (_, usual) => {
            usual.ok_or(Absence::Fact("no conversion is decided yet, so pending ones cannot be valued"))?
        }
    };
    Ok(Estimate::exact(units(confirmed) + units(pending) * usual, group.count(M::Conversions)?))
}

fn profit(group: &Group) -> Result<Estimate, Absence> {
    let profit = group.revenue(Span::Complete)?.saturating_sub(group.cost(Span::Complete)?);
    Ok(Estimate::exact(units(profit), group.count(M::Conversions)?).allocated(group.totals.cost_allocated))
}

fn epc(group: &Group) -> Result<Estimate, Absence> {
    let (clicks, conversions) = (group.count(M::MatureClicks)?, group.count(M::EarningConversions)?);
    if clicks == 0 {
        return Err(Absence::Nothing("mature clicks"));
    }
    let revenue = units(group.revenue(Span::Mature)?);
    let (low, high) = group.revenue_limits(Span::Mature, revenue, conversions)?;
    let per_click = |v: f64| v / clicks as f64;
    Ok(Estimate::limits(per_click(revenue), per_click(low), per_click(high), clicks))
}

fn cpa(group: &Group) -> Result<Estimate, Absence> {
    let span = [M::ConvertedClicks, M::JudgedConverted];
    let converted = group.spanned(Span::Judged, span, span)?.max(0) as u64;
    if converted == 0 {
        return Err(Absence::Nothing("converted clicks"));
    }
    let value = units(group.cost(Span::Judged)?) / converted as f64;
    let factor = (stats::z(0.95) / (converted as f64).sqrt()).exp();
    let (a, b) = (value / factor, value * factor);
    Ok(Estimate::limits(value, a.min(b), a.max(b), converted).allocated(group.totals.cost_allocated))
}

fn roi(group: &Group) -> Result<Estimate, Absence> {
    let (cost, conversions) = (units(group.cost(Span::Judged)?), group.judged_earning()?);
    if cost <= 0.0 {
        return Err(Absence::Nothing("cost of mature clicks"));
    }
    let revenue = units(group.revenue(Span::Judged)?);
    let (low, high) = group.revenue_limits(Span::Judged, revenue, conversions)?;
    let over_cost = |revenue: f64| ((revenue - cost) / cost).max(-1000.0);
    let estimate = Estimate::limits(over_cost(revenue), over_cost(low), over_cost(high), conversions);
    Ok(estimate.allocated(group.totals.cost_allocated))
}

/// How many conversions would pay for the mature clicks. Only a buyer pays for clicks.
fn conversions_to_break_even(group: &Group) -> Result<f64, Absence> {
    if group.perspective()? != Perspective::Buyer {
        return Err(Absence::Fact("only a buyer pays for clicks"));
    }
    group.get(M::EarningConversions)?;
    let any = group.context.typical_payout.ok_or(Absence::Nothing("conversions worth money"))?;
    group.click_cost(Span::Mature)?;
    let typical = |offer: &Option<String>| group.context.typical_payout_of.get(offer).copied().unwrap_or(any);
    Ok(group.totals.mature_cost_of.iter().map(|(offer, cost)| *cost as f64 / typical(offer)).sum())
}

fn spend_in_payouts(group: &Group) -> Result<Estimate, Absence> {
    let value = conversions_to_break_even(group)?.max(0.0);
    Ok(Estimate::exact(value, group.count(M::MatureClicks)?).allocated(group.totals.cost_allocated))
}

fn break_even(group: &Group) -> Result<Estimate, Absence> {
    let expected = conversions_to_break_even(group)?;
    let p = stats::poisson_at_most(group.judged_earning()?, expected);
    let n = group.count(M::MatureClicks)?;
    if n == 0 {
        return Err(Absence::Nothing("mature clicks"));
    }
    Ok(Estimate::exact(p, n).allocated(group.totals.cost_allocated))
}

/// Mature revenue and what is pending over conversions, in typical payouts of each conversion's offer.
fn earning(group: &Group) -> Result<Estimate, Absence> {
    let of = |confirmed, pending| Ok(group.get(confirmed)?.saturating_add(group.get(pending)?));
    let paid = of(M::MaturePayout, M::MaturePayoutPending)
        .or_else(|_| of(M::MatureRevenue, M::MatureRevenuePending))?;
    let n = group.count(M::EarningConversions)?;
    let nothing = Absence::Nothing("conversions worth money");
    let any = group.context.typical_payout.filter(|_| n > 0).ok_or(nothing)?;
    let typical = |offer: &Option<String>| group.context.typical_payout_of.get(offer).copied().unwrap_or(any);
    let usual: f64 = group.totals.earning_of.iter().map(|(offer, n)| *n as f64 * typical(offer)).sum();
    let value = paid as f64 / usual;
    let factor = group.revenue_factor(n);
    let (a, b) = (value / factor, value * factor);
    Ok(Estimate::limits(value, a.min(b), a.max(b), n))
}

fn payout_in_rates(group: &Group) -> Result<Estimate, Absence> {
    group.agreed(M::Rated)?;
    let (paid, agreed) = (group.get(M::RatedPayout)?, group.get(M::AgreedPayout)?);
    if agreed <= 0 {
        return Err(Absence::Nothing("conversions worth money whose payout was agreed"));
    }
    Ok(Estimate::exact(paid as f64 / agreed as f64, group.count(M::Rated)?))
}

impl Group<'_> {
    /// The share of rows whose offer allows something, of those whose offer says so or not.
    fn allowed(&self, asked: fn(&Allowed) -> Option<bool>) -> Result<Estimate, Absence> {
        if self.context.allowed.is_empty() {
            return Err(NO_OFFERS);
        }
        let said = |(offer, n): (&Option<String>, &i64)| {
            self.context.allowed.get(offer).and_then(asked).map(|yes| (yes, (*n).max(0) as u64))
        };
        let said: Vec<(bool, u64)> = self.totals.rows_of.iter().filter_map(said).collect();
        let all: u64 = said.iter().map(|(_, n)| n).sum();
        let allowed: u64 = said.iter().filter(|(yes, _)| *yes).map(|(_, n)| n).sum();
        if all == 0 {
            return Err(Absence::Nothing("rows of offers that say whether it is allowed"));
        }
        Ok(Estimate::exact(allowed as f64 / all as f64, all))
    }

    /// A measure that only an offers file gives.
    pub(super) fn agreed(&self, measure: M) -> Result<i64, Absence> {
        self.totals.get(measure).ok_or(NO_OFFERS)
    }
}

const NO_OFFERS: Absence = Absence::Fact("no offers file says what was agreed");
