//! What the peers of one signal do: the location of every peer group and the spread between honest sources
//! (statistics.md, sections 3 and 4.3).
//!
//! A group gives the location; the spread is pooled over all groups, since few groups are large enough to have one
//! of their own. Both are robust: a tenth of frauds moves them little.

use super::rate::Null;
use super::tree::Tree;
use crate::base::stats::{Residual, paule_mandel, weighted_median};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::f64::consts::FRAC_PI_2;

/// One value of one signal: of a source, or of one of its offers.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its narrowest peer group, a node of the tree.
    pub leaf: u32,
    /// What was seen.
    pub observation: Observation,
    /// How much it says about its peers: 1, or less where an account has many rows.
    pub vote: f64,
    /// Who owns it; rows of one account are not independent.
    pub account: u32,
    /// Whether it belongs to a source that the user knows to be honest.
    pub trusted: bool,
}

/// A value with its uncertainty. One fit holds one kind.
#[derive(Clone, Copy, Debug)]
pub enum Observation {
    /// `x` successes in `n` trials; an `x` above `n` counts as `n`.
    Rate {
        /// Successes.
        x: u64,
        /// Trials.
        n: u64,
    },
    /// A statistic on the real line.
    Normal {
        /// The value.
        y: f64,
        /// Its sampling variance.
        v: f64,
        /// The degrees of freedom of that variance; infinite where it is known.
        df: f64,
    },
}

/// The numbers of statistics.md, sections 3 and 4.3.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The spread between honest sources that is assumed until the data say otherwise: a standard deviation.
    pub prior_tau: f64,
    /// As many sources as the prior spread is worth.
    pub prior_weight: f64,
    /// The least spread: keeps trifles at huge counts from being significant.
    pub floor: f64,
    /// As many votes as the location of the wider group is worth.
    pub kappa: f64,
    /// The least number of rows of all groups together: the spread comes from them.
    pub min_rows: u32,
    /// The least number of peers in a group. Few of them locate it badly: that is part of the
    /// expectation.
    pub min_peers: u32,
    /// The least number of other accounts among them.
    pub min_accounts: u32,
    /// From this many informative trusted rows on, only they describe a group.
    pub min_trusted: u32,
    /// The spread between the groups inside a group that is assumed until the data say otherwise.
    pub prior_between: f64,
    /// As many groups as that is worth.
    pub between_weight: f64,
    /// Share of the median sampling variance below which no variance of a normal row is believed.
    pub variance_floor: f64,
}

impl Settings {
    /// For shares.
    pub const RATES: Settings = Settings {
        prior_tau: 0.35,
        prior_weight: 30.0,
        floor: 0.15,
        kappa: 10.0,
        min_rows: 40,
        min_peers: 5,
        min_accounts: 3,
        min_trusted: 5,
        prior_between: 0.5,
        between_weight: 3.0,
        variance_floor: 0.5,
    };
    /// For statistics on the real line.
    pub const NORMALS: Settings = Settings { floor: 0.10, ..Settings::RATES };
}

/// What the peers do.
#[derive(Clone, Debug)]
pub struct Fit {
    pub(super) groups: Vec<Group>,
    /// The spread between honest sources above the location, as a standard deviation.
    pub tau_high: f64,
    /// The same below it.
    pub tau_low: f64,
    /// The number of rows that say something.
    rows: u32,
    settings: Settings,
    /// The expected successes and failures from which on a row is informative.
    threshold: f64,
    /// The least sampling variance that is believed.
    least_variance: f64,
}

/// Why a row has no comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooFew {
    /// The row itself has no trials or no finite value.
    Value,
    /// The row's peer group is not in the tree.
    Group,
    /// Even the widest group has too few informative peers: so many beside the row.
    Peers(u32),
    /// Even the widest group has too few other accounts: so many.
    Accounts(u32),
}

/// One peer group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    parent: Option<u32>,
    depth: usize,
    /// The location, drawn towards the wider group's.
    pub eta: f64,
    /// The variance of the location.
    variance: f64,
    /// The variance between the groups inside.
    between: f64,
    /// The median of its own rows with its variance, and their votes. `None` without informative rows.
    own: Option<(f64, f64, f64)>,
    /// Whether trusted rows alone describe it.
    anchored: bool,
    /// Informative rows.
    peers: u32,
    /// Accounts among them.
    accounts: u32,
}

/// A row on the scale on which it is fitted.
#[derive(Clone, Copy, Debug)]
struct Point {
    leaf: u32,
    y: f64,
    v: f64,
    /// Trials; infinite for a normal row.
    trials: f64,
    vote: f64,
    account: u32,
    trusted: bool,
    informative: bool,
}

/// Expected successes and failures that make a row informative.
const INFORMATIVE: f64 = 3.0;
/// Where fewer than this share of the rows are informative, the best of them count as it.
const LEAST_SHARE: f64 = 0.3;
/// Where squared residuals are cut, in standard deviations.
const WINSOR: f64 = 1.5;
const ROUNDS: usize = 10;

/// Fits one signal over all groups of `tree`. The order of the rows does not matter; rows that say nothing (no
/// trials, no finite value, no vote, no group) are left out.
pub fn fit(rows: &[Row], tree: &Tree, settings: &Settings) -> Fit {
    let mut points = points(rows, tree, settings);
    let members = members(&points, tree);
    let mut fit = Fit::empty(tree, settings);
    fit.least_variance = least_variance(rows, settings);
    fit.locate(&points, &members);
    for _ in 0..ROUNDS {
        let before = (fit.tau_high, fit.tau_low);
        fit.choose_informative(&mut points);
        fit.locate(&points, &members);
        fit.count(&points, &members);
        fit.spread(&points);
        let moved = |old: f64, new: f64| (old * old - new * new).abs();
        if moved(before.0, fit.tau_high) + moved(before.1, fit.tau_low) < 1e-7 {
            break;
        }
    }
    fit.choose_informative(&mut points);
    fit.count(&points, &members);
    fit
}

/// The rows that say something, in an order that depends on their content only.
fn points(rows: &[Row], tree: &Tree, settings: &Settings) -> Vec<Point> {
    let least = least_variance(rows, settings);
    let mut points: Vec<Point> = rows.iter().filter_map(|row| Point::of(row, tree, least)).collect();
    points.sort_unstable_by(Point::order);
    points
}

/// The value and variance of a row on the fitted scale, and its trials. `None` where it says nothing.
pub(super) fn scale(observation: &Observation, least_variance: f64) -> Option<(f64, f64, f64)> {
    match *observation {
        Observation::Rate { n: 0, .. } => None,
        Observation::Rate { x, n } => {
            let (successes, failures) = (x.min(n) as f64 + 0.5, n.saturating_sub(x) as f64 + 0.5);
            Some(((successes / failures).ln(), 1.0 / successes + 1.0 / failures, n as f64))
        }
        Observation::Normal { y, v, .. } => {
            let usable = y.is_finite() && v.is_finite() && v >= 0.0 && y.abs() < 1e100 && v < 1e100;
            usable.then_some((y, v.max(least_variance), f64::INFINITY))
        }
    }
}

/// The floor of the sampling variances of normal rows: a share of their median.
fn least_variance(rows: &[Row], settings: &Settings) -> f64 {
    let variance = |row: &Row| match row.observation {
        Observation::Normal { .. } => scale(&row.observation, 0.0).map(|(_, v, _)| v),
        Observation::Rate { .. } => None,
    };
    let mut variances: Vec<f64> = rows.iter().filter_map(variance).collect();
    variances.sort_unstable_by(f64::total_cmp);
    settings.variance_floor * weighted_median(variances.iter().map(|&v| (v, 1.0))).unwrap_or(0.0)
}

impl Point {
    fn of(row: &Row, tree: &Tree, least_variance: f64) -> Option<Point> {
        let (y, v, trials) = scale(&row.observation, least_variance)?;
        let known = (row.leaf as usize) < tree.len() && row.vote > 0.0 && row.vote.is_finite();
        known.then_some(Point {
            leaf: row.leaf,
            y,
            v,
            trials,
            vote: row.vote,
            account: row.account,
            trusted: row.trusted,
            informative: true,
        })
    }

    /// Successes of a rate's row, from its logit with a half on both sides.
    fn successes(&self) -> f64 {
        ((self.trials + 1.0) / (1.0 + (-self.y).exp()) - 0.5).max(0.0)
    }

    fn failures(&self) -> f64 {
        self.trials - self.successes()
    }

    fn is_rate(&self) -> bool {
        self.trials.is_finite()
    }

    fn order(&self, other: &Point) -> Ordering {
        let floats = |p: &Point| [p.y, p.v, p.trials, p.vote];
        let rest = |p: &Point| (p.leaf, p.account, p.trusted);
        let pairs = floats(self).into_iter().zip(floats(other));
        let by_number = pairs.fold(Ordering::Equal, |order, (a, b)| order.then(a.total_cmp(&b)));
        by_number.then_with(|| rest(self).cmp(&rest(other)))
    }
}

/// The points of each group and of the groups inside it, ascending.
fn members(points: &[Point], tree: &Tree) -> Vec<Vec<u32>> {
    let mut members = vec![Vec::new(); tree.len()];
    for (number, point) in (0u32..).zip(points) {
        for node in tree.upwards(point.leaf) {
            members[node as usize].push(number);
        }
    }
    members
}

impl Fit {
    fn empty(tree: &Tree, settings: &Settings) -> Fit {
        let group = |node: u32| Group {
            parent: tree.parent(node),
            depth: tree.depth(node),
            eta: 0.0,
            variance: 0.0,
            between: 0.0,
            own: None,
            anchored: false,
            peers: 0,
            accounts: 0,
        };
        Fit {
            groups: (0..tree.len() as u32).map(group).collect(),
            tau_high: settings.prior_tau.max(settings.floor),
            tau_low: settings.prior_tau.max(settings.floor),
            rows: 0,
            settings: *settings,
            threshold: INFORMATIVE,
            least_variance: 0.0,
        }
    }

    /// Expected successes or failures, whichever are fewer.
    fn information(&self, leaf: u32, trials: f64) -> f64 {
        let eta = self.groups[leaf as usize].eta;
        trials / (1.0 + eta.abs().exp())
    }

    fn is_informative(&self, leaf: u32, trials: f64) -> bool {
        trials.is_infinite() || self.information(leaf, trials) >= self.threshold
    }

    fn choose_informative(&mut self, points: &mut [Point]) {
        let mut information: Vec<f64> = points.iter().map(|p| self.information(p.leaf, p.trials)).collect();
        information.sort_unstable_by(|a, b| b.total_cmp(a));
        let least = (LEAST_SHARE * information.len() as f64).ceil() as usize;
        let best = least.checked_sub(1).map_or(INFORMATIVE, |last| information[last]);
        self.threshold = best.min(INFORMATIVE);
        for point in points.iter_mut() {
            point.informative = self.is_informative(point.leaf, point.trials);
        }
    }

    /// The locations of all groups from their rows, the widest first. Rows that are too small to tell how honest
    /// sources differ still tell where they stand: at rates near 0 and 1 there are no others.
    fn locate(&mut self, points: &[Point], members: &[Vec<u32>]) {
        let spread = self.tau_high.min(self.tau_low).powi(2);
        for (group, members) in self.groups.iter_mut().zip(members) {
            let all = members.iter().map(|&i| &points[i as usize]);
            let trusted = all.clone().filter(|p| p.trusted).count();
            group.anchored = trusted >= self.settings.min_trusted as usize;
            let located = all.filter(|p| p.trusted || !group.anchored);
            group.own = location(located, spread, group.eta);
        }
        self.measure_between();
        self.draw_together();
    }

    /// The variance between the groups inside each group: pooled over each depth, then drawn towards that pool.
    fn measure_between(&mut self) {
        let mut families: BTreeMap<u32, Vec<Residual>> = BTreeMap::new();
        for group in &self.groups {
            let (Some(parent), Some((eta, variance, _))) = (group.parent, group.own) else { continue };
            let whole = self.groups[parent as usize].own.map_or(eta, |own| own.0);
            let residual = Residual { square: (eta - whole).powi(2), variance, weight: 1.0 };
            families.entry(parent).or_default().push(residual);
        }
        families.retain(|_, residuals| residuals.len() > 1);
        let mut depths: BTreeMap<usize, Vec<Residual>> = BTreeMap::new();
        for (parent, residuals) in &families {
            depths.entry(self.groups[*parent as usize].depth).or_default().extend(residuals);
        }
        let weight = self.settings.between_weight;
        let shrunk = |residuals: Option<&Vec<Residual>>, towards: f64| {
            let residuals = residuals.map_or(&[][..], Vec::as_slice);
            let count = residuals.len() as f64;
            (count * paule_mandel(residuals, WINSOR) + weight * towards) / (count + weight)
        };
        let prior = self.settings.prior_between.powi(2);
        for (node, group) in (0u32..).zip(&mut self.groups) {
            group.between = shrunk(families.get(&node), shrunk(depths.get(&group.depth), prior));
        }
    }

    /// Draws every location towards that of the wider group. What is lost where the two really differ is part of
    /// the location's variance.
    fn draw_together(&mut self) {
        for node in 0..self.groups.len() {
            let group = self.groups[node];
            let wider = group.parent.map(|parent| &self.groups[parent as usize]);
            let (eta, variance) = match (group.own, wider) {
                (None, None) => (0.0, group.between),
                (None, Some(wider)) => (wider.eta, wider.variance + wider.between),
                (Some((eta, variance, _)), None) => (eta, variance),
                (Some((eta, variance, votes)), Some(wider)) => {
                    let own = votes / (votes + self.settings.kappa);
                    let other = wider.variance + wider.between;
                    let variance = own * own * variance + (1.0 - own).powi(2) * other;
                    (own * eta + (1.0 - own) * wider.eta, variance)
                }
            };
            (self.groups[node].eta, self.groups[node].variance) = (eta, variance);
        }
    }

    /// Counts the rows and accounts of each group.
    fn count(&mut self, points: &[Point], members: &[Vec<u32>]) {
        self.rows = points.len() as u32;
        for (group, members) in self.groups.iter_mut().zip(members) {
            let mut accounts: Vec<u32> = members.iter().map(|&i| points[i as usize].account).collect();
            group.peers = accounts.len() as u32;
            accounts.sort_unstable();
            accounts.dedup();
            group.accounts = accounts.len() as u32;
        }
    }

    /// The spread between honest sources on either side of their locations.
    fn spread(&mut self, points: &[Point]) {
        let chosen: Vec<Option<Level>> =
            (0..self.groups.len()).map(|leaf| self.level(leaf as u32, true)).collect();
        let (mut high, mut low) = (Vec::new(), Vec::new());
        for point in points.iter().filter(|p| p.informative) {
            let Some(level) = chosen[point.leaf as usize] else { continue };
            let group = &self.groups[level.node as usize];
            if group.anchored && !point.trusted {
                continue;
            }
            let distance = point.y - group.eta;
            // A row exactly at the location counts half on either side.
            let weight = if distance == 0.0 { 0.5 * point.vote } else { point.vote };
            let variance = point.v + level.unknown;
            let residual = Residual { square: distance * distance, variance, weight };
            high.extend((distance >= 0.0).then_some(residual));
            low.extend((distance <= 0.0).then_some(residual));
        }
        (self.tau_high, self.tau_low) = (self.shrunk_tau(&high), self.shrunk_tau(&low));
    }

    fn shrunk_tau(&self, residuals: &[Residual]) -> f64 {
        let Settings { prior_tau, prior_weight, floor, .. } = self.settings;
        let count: f64 = residuals.iter().map(|r| r.weight).sum();
        let sum = count * paule_mandel(residuals, WINSOR) + prior_weight * prior_tau * prior_tau;
        (sum / (count + prior_weight)).sqrt().max(floor)
    }

    /// The narrowest group above (or at) `leaf` with enough informative peers and accounts beside the row itself.
    fn level(&self, leaf: u32, counted: bool) -> Option<Level> {
        let own = u32::from(counted);
        let mut unknown = 0.0;
        let mut node = Some(leaf);
        while let Some(number) = node {
            let group = &self.groups[number as usize];
            if number != leaf {
                unknown += group.between;
            }
            let peers = group.peers.saturating_sub(own);
            let accounts = group.accounts.saturating_sub(own);
            if peers >= self.settings.min_peers && accounts >= self.settings.min_accounts {
                return Some(Level { node: number, peers, unknown });
            }
            node = group.parent;
        }
        None
    }

    /// The scale, the level and the expectation of a row; an error says why it has none.
    pub(super) fn expectation(&self, row: &Row) -> Result<Expectation, TooFew> {
        let (y, v, _) = scale(&row.observation, self.least_variance).ok_or(TooFew::Value)?;
        if row.leaf as usize >= self.groups.len() {
            return Err(TooFew::Group);
        }
        if self.rows < self.settings.min_rows {
            return Err(TooFew::Peers(self.rows));
        }
        let counted = row.vote > 0.0 && row.vote.is_finite();
        let level = self.level(row.leaf, counted).ok_or_else(|| self.shortage(row.leaf, counted))?;
        let group = &self.groups[level.node as usize];
        let extra = group.variance + level.unknown;
        let sd = |tau: f64| (tau * tau + extra).sqrt();
        let null = Null { eta: group.eta, above: sd(self.tau_high), below: sd(self.tau_low) };
        Ok(Expectation { y, v, node: level.node, peers: level.peers, null })
    }

    /// The peers and accounts of the widest group, which were too few.
    fn shortage(&self, leaf: u32, counted: bool) -> TooFew {
        let own = u32::from(counted);
        let mut widest = leaf;
        while let Some(parent) = self.groups[widest as usize].parent {
            widest = parent;
        }
        let group = &self.groups[widest as usize];
        let peers = group.peers.saturating_sub(own);
        if peers < self.settings.min_peers {
            return TooFew::Peers(peers);
        }
        TooFew::Accounts(group.accounts.saturating_sub(own))
    }

    /// The location of a group on the fitted scale: a logit for rates. `None` for a group that is not in the tree.
    #[cfg(test)]
    pub fn location(&self, node: u32) -> Option<f64> {
        self.groups.get(node as usize).map(|group| group.eta)
    }
}

/// The group a row is compared with.
#[derive(Clone, Copy)]
struct Level {
    node: u32,
    peers: u32,
    /// The variance of the row's own group around that group's location, where it is a wider one.
    unknown: f64,
}

/// What a row is compared with.
pub(super) struct Expectation {
    pub y: f64,
    pub v: f64,
    pub node: u32,
    pub peers: u32,
    pub null: Null,
}

/// Where a group stands, the variance of that, and the votes for it; `eta` is where it was thought to stand.
fn location<'p>(
    points: impl Iterator<Item = &'p Point> + Clone,
    spread: f64,
    eta: f64,
) -> Option<(f64, f64, f64)> {
    let count = |of: fn(&Point) -> bool| points.clone().filter(|p| of(p)).count();
    let all = count(|_| true);
    match () {
        () if all == 0 => None,
        () if 2 * count(|p| p.is_rate() && p.successes() < 0.25) >= all => {
            pooled(points, spread, Point::successes)
        }
        () if 2 * count(|p| p.is_rate() && p.failures() < 0.25) >= all => {
            let (eta, variance, votes) = pooled(points, spread, Point::failures)?;
            Some((-eta, variance, votes))
        }
        () => median(points, spread, eta),
    }
}

/// How often a row's events may surpass what is expected of it before they are cut, and how many more.
const CUT: (f64, f64) = (3.0, 1.0);

/// The share of all trials of the points together: where most rows have no event at all, the median is that of
/// the ½ that stands in for none, and too high. A row has at most four times the median row's trials, so that no
/// giant says what is normal, and its events are cut at three times the expectation and one, so that no fraud
/// does. Variance: of the events as a count, and of honest rows that differ.
fn pooled<'p>(
    points: impl Iterator<Item = &'p Point> + Clone,
    spread: f64,
    events: fn(&Point) -> f64,
) -> Option<(f64, f64, f64)> {
    let usual = weighted_median(points.clone().map(|p| (p.trials, 1.0)))?;
    let weight = |p: &Point| p.vote * (4.0 * usual / p.trials).min(1.0);
    let trials: f64 = points.clone().map(|p| weight(p) * p.trials).sum();
    let cut = |p: &Point, share: f64| events(p).min(CUT.0 * share * p.trials + CUT.1);
    let sum = |share: f64| points.clone().map(|p| weight(p) * cut(p, share)).sum::<f64>();
    let found = (0..ROUNDS).fold(sum(1.0), |found, _| sum(found / trials));
    let squares: f64 = points.clone().map(|p| (weight(p) * p.trials).powi(2)).sum();
    let variance = 1.0 / (found + 0.5) + spread * squares / (trials * trials);
    let votes = points.map(|p| p.vote).sum();
    Some((((found + 0.5) / (trials - found + 0.5)).ln(), variance, votes))
}

/// The weighted median of the points, its variance `(π/2) / Σw`, and their votes.
///
/// A rate weighs by the variance it has under the location, not under itself: else a few rows with many events
/// would outweigh any number of rows without one.
fn median<'p>(
    points: impl Iterator<Item = &'p Point> + Clone,
    spread: f64,
    eta: f64,
) -> Option<(f64, f64, f64)> {
    let expected = |p: &Point| (2.0 + eta.exp() + (-eta).exp()) / p.trials;
    let variance = |p: &Point| if p.is_rate() { expected(p) } else { p.v };
    let weight = |p: &Point| p.vote / (variance(p) + spread).max(f64::MIN_POSITIVE);
    let eta = weighted_median(points.clone().map(|p| (p.y, weight(p))))?;
    let (weights, votes) = points.fold((0.0, 0.0), |(w, votes), p| (w + weight(p), votes + p.vote));
    Some((eta, FRAC_PI_2 / weights, votes))
}
