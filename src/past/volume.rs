//! How much a group usually sends: its share of all clicks, so that weekdays and holidays cancel out.
//!
//! Tonight's clicks are held against that share of tonight's total by a negative binomial distribution, whose
//! spread is found from all groups (statistics.md, 5.3).

use crate::base::stats::neg_binomial_at_least;
use serde::{Deserialize, Serialize};

/// The weight of tonight in the usual share (statistics.md, 5.3).
const WEIGHT: f64 = 0.1;
/// A burst is less likely than this and more than so many times the usual (statistics.md, 5.3).
const BURST_P: f64 = 1e-6;
const BURST_RATIO: f64 = 3.0;
/// Whose absence is told: nobody who sends a handful of clicks. Our choice: chance alone makes it nothing once in
/// five hundred million nights.
const MISSED: f64 = 20.0;
/// Nights before anything is said. Our choice: a working week.
const LEARNING: u32 = 5;

/// The usual volume of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    /// Usual share of all clicks.
    pub share: f64,
    /// Nights that it was learnt from.
    pub nights: u32,
}

/// What tonight's volume is beside the usual.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Beside {
    Usual,
    /// So many times the usual.
    Burst(f64),
    /// Nothing, where so many clicks are usual.
    Gone(f64),
}

impl Volume {
    /// The clicks that are usual for a total.
    pub fn usual(&self, total: u64) -> f64 {
        self.share * total as f64
    }

    /// Tonight beside the usual; `size` is that of the negative binomial.
    pub fn beside(&self, clicks: u64, total: u64, size: f64) -> Beside {
        let usual = self.usual(total);
        if self.nights < LEARNING || usual <= 0.0 {
            return Beside::Usual;
        }
        let ratio = clicks as f64 / usual;
        match clicks {
            0 if usual >= MISSED => Beside::Gone(usual),
            _ if ratio > BURST_RATIO && neg_binomial_at_least(clicks, usual, size) < BURST_P => {
                Beside::Burst(ratio)
            }
            _ => Beside::Usual,
        }
    }

    /// The usual volume after a night; a burst teaches nothing, and a night that nobody sent anything neither.
    pub fn after(&self, clicks: u64, total: u64, size: f64) -> Volume {
        let burst = matches!(self.beside(clicks, total, size), Beside::Burst(_));
        if total == 0 || burst {
            return *self;
        }
        let share = clicks as f64 / total as f64;
        // The first nights count alike; a running mean of one night would be that night.
        let weight = WEIGHT.max(1.0 / f64::from(self.nights + 1));
        Volume { share: self.share + weight * (share - self.share), nights: self.nights + 1 }
    }
}

/// The squared coefficient of variation beyond chance that one night shows: an estimate of 1 / size, winsorised.
pub fn extra_variation(volume: &Volume, clicks: u64, total: u64) -> Option<f64> {
    let usual = volume.usual(total);
    let informs = volume.nights >= LEARNING && usual >= 5.0;
    informs.then(|| (((clicks as f64 - usual).powi(2) - usual) / (usual * usual)).clamp(-1.0, 4.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(nights: u32) -> Volume {
        (0..nights).fold(Volume::default(), |volume, _| volume.after(100, 10_000, 10.0))
    }

    #[test]
    fn bursts_and_silence_are_told_apart_from_the_usual() {
        let volume = settled(10);
        assert!((volume.share - 0.01).abs() < 1e-12);
        assert_eq!(volume.beside(150, 10_000, 10.0), Beside::Usual);
        assert_eq!(volume.beside(900, 10_000, 10.0), Beside::Burst(9.0));
        assert_eq!(volume.beside(0, 10_000, 10.0), Beside::Gone(100.0));
        // Everybody sends nine times as much: no burst.
        assert_eq!(volume.beside(900, 90_000, 10.0), Beside::Usual);
    }

    #[test]
    fn the_tail_is_that_of_the_negative_binomial() {
        // By mpmath: at least 500 where 100 are usual has p = 6.09e-12 at size 10, and 5.41e-4 at size 2.
        assert!(matches!(settled(10).beside(500, 10_000, 10.0), Beside::Burst(_)));
        assert_eq!(settled(10).beside(500, 10_000, 2.0), Beside::Usual);
    }

    #[test]
    fn a_young_source_has_no_usual_volume_and_a_burst_teaches_nothing() {
        assert_eq!(settled(4).beside(9_000, 10_000, 10.0), Beside::Usual);
        let volume = settled(10);
        assert_eq!(volume.after(900, 10_000, 10.0), volume);
        assert_eq!(volume.after(0, 0, 10.0), volume);
    }

    #[test]
    fn extra_variation_is_that_beyond_chance() {
        let found = extra_variation(&settled(10), 130, 10_000).expect("settled");
        assert!((found - 0.08).abs() < 1e-9, "{found}");
        assert_eq!(extra_variation(&settled(2), 130, 10_000), None);
    }
}
