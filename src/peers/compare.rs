//! Compares one row with what its peers do.

use super::fit::{Fit, Observation, Row, TooFew};
use super::rate::Tails;
use super::{normal, rate};

/// How a row stands against its peers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Versus {
    /// How unlikely it is on either side.
    pub tails: Tails,
    /// The group it was compared with.
    pub node: u32,
    /// Informative peers of that group beside the row itself.
    pub peers: u32,
    /// What is expected: a share for rates, the location for normals.
    pub expected: f64,
    /// The location on the fitted scale: the logit of `expected` for rates.
    pub eta: f64,
    /// The standard deviation of honest sources above the location, that of the location included.
    pub sd_high: f64,
    /// The same below it.
    pub sd_low: f64,
}

/// Compares one row with its peers; a function of its arguments alone.
///
/// The row is taken to be one of the fitted ones: it does not count among its own peers.
pub fn compare(row: &Row, fit: &Fit) -> Result<Versus, TooFew> {
    let found = fit.expectation(row)?;
    let null = &found.null;
    let (tails, expected) = match row.observation {
        Observation::Rate { x, n } => (rate::tails(x.min(n), n, null), expit(null.eta)),
        Observation::Normal { df, .. } => {
            let df = if df >= 1.0 { df } else { 1.0 };
            (normal::tails(found.y, found.v, df, null), null.eta)
        }
    };
    let (node, peers) = (found.node, found.peers);
    Ok(Versus { tails, node, peers, expected, eta: null.eta, sd_high: null.above, sd_low: null.below })
}

/// The limits between which a share of `n` trials is ordinary at the normal score `z` (statistics.md 4.5):
/// `expit(η ± z √(sd² + 1/(n μ (1−μ))))`. With both `sd` 0 it is the binomial funnel; `n` is at least 1.
pub fn funnel(eta: f64, sd_high: f64, sd_low: f64, n: u64, z: f64) -> (f64, f64) {
    let noise = 1.0 / (n as f64 * expit(eta) * expit(-eta));
    let limit = |sd: f64, z: f64| expit(eta + z * (sd * sd + noise).sqrt());
    (limit(sd_low, -z), limit(sd_high, z))
}

fn expit(eta: f64) -> f64 {
    1.0 / (1.0 + (-eta).exp())
}
