//! Random draws that are the same on every platform.
//!
//! The sample data is compared byte by byte, so nothing here calls `ln`, `exp` or `cos` of the standard
//! library: their last bits differ between platforms. Only integers and the five exact IEEE 754 operations
//! are used.

/// The generator xoshiro256**, seeded by splitmix64 (Blackman and Vigna, "Scrambled linear pseudorandom
/// number generators", 2021; reference code at prng.di.unimi.it, public domain).
#[derive(Clone, Debug)]
pub struct Rng([u64; 4]);

/// One step of splitmix64: a bijection of 64-bit numbers that spreads neighbours apart.
pub fn mix(x: u64) -> u64 {
    let z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// The generator of this seed.
    pub fn new(seed: u64) -> Rng {
        let step = |k: u64| mix(seed.wrapping_add(k.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        Rng([step(0), step(1), step(2), step(3)])
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= shifted;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number in `0..n`; the bias of the multiplication is below `n` / 2^64.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// A number in `low..=high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1) as u64) as i64
    }

    /// True in `ppm` of a million cases.
    pub fn chance(&mut self, ppm: u64) -> bool {
        self.below(1_000_000) < ppm
    }

    /// One of `items`, by weight.
    pub fn weighted<'a, T>(&mut self, items: &'a [T], weight: impl Fn(&T) -> u64) -> &'a T {
        let mut at = self.below(items.iter().map(&weight).sum());
        for item in items {
            match at.checked_sub(weight(item)) {
                Some(rest) => at = rest,
                None => return item,
            }
        }
        unreachable!("the draw lies below the sum of the weights")
    }

    /// A number in `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A standard normal deviate as the sum of twelve uniform ones (Irwin and Hall); never beyond 6.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// A log-normal deviate, rounded down to a whole number.
    pub fn lognormal(&mut self, median: f64, sigma: f64) -> i64 {
        (median * exp(sigma * self.normal())) as i64
    }

    /// How many of `n` trials succeed: exact while at most 30 are expected, normal beyond.
    pub fn binomial(&mut self, n: u64, p: f64) -> u64 {
        if p > 0.5 {
            return n - self.binomial(n, 1.0 - p);
        }
        let mean = n as f64 * p;
        if mean > 30.0 {
            let drawn = mean + self.normal() * (mean * (1.0 - p)).sqrt();
            return (drawn.max(0.0).round() as u64).min(n);
        }
        self.binomial_by_inversion(n, p)
    }

    fn binomial_by_inversion(&mut self, n: u64, p: f64) -> u64 {
        let (mut density, mut rest) = (power(1.0 - p, n), self.unit());
        for k in 0..n {
            if rest < density {
                return k;
            }
            rest -= density;
            density *= (n - k) as f64 / (k + 1) as f64 * p / (1.0 - p);
        }
        n
    }
}

/// `base` to the power of `n`, by squaring.
fn power(mut base: f64, mut n: u64) -> f64 {
    let mut result = 1.0;
    while n > 0 {
        if n & 1 == 1 {
            result *= base;
        }
        base *= base;
        n >>= 1;
    }
    result
}

/// e to the power of `x` for `x` between -700 and 700, to about 15 digits: 2^k times a Taylor series.
pub fn exp(x: f64) -> f64 {
    let k = (x / std::f64::consts::LN_2).round();
    let r = x - k * std::f64::consts::LN_2;
    let series = (1..=16).rev().fold(1.0, |sum, i| 1.0 + sum * r / f64::from(i));
    series * f64::from_bits(((k as i64 + 1023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first outputs of splitmix64 for seed 0, from the reference code.
    #[test]
    fn the_generator_is_the_published_one() {
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(mix(0x9e37_79b9_7f4a_7c15), 0x6e78_9e6a_a1b9_65f4);
        let mut rng = Rng([1, 2, 3, 4]);
        let first: Vec<u64> = (0..4).map(|_| rng.bits()).collect();
        assert_eq!(first, [11520, 0, 1_509_978_240, 1_215_971_899_390_074_240]);
    }

    #[test]
    fn exp_agrees_with_the_standard_library() {
        for x in [-20.0, -1.0, -0.3, 0.0, 1e-9, 0.5, 1.0, 9.0, 40.0] {
            let relative = (exp(x) / f64::exp(x) - 1.0).abs();
            assert!(relative < 1e-14, "exp({x}) is off by {relative}");
        }
    }

    #[test]
    fn draws_have_their_mean_and_spread() {
        let mut rng = Rng::new(7);
        for (n, p) in [(10, 0.3), (5_000, 0.004), (5_000, 0.2), (300, 0.95)] {
            let draws: Vec<f64> = (0..20_000).map(|_| rng.binomial(n, p) as f64).collect();
            let mean = draws.iter().sum::<f64>() / draws.len() as f64;
            let variance = draws.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / draws.len() as f64;
            let (m, v) = (n as f64 * p, n as f64 * p * (1.0 - p));
            assert!(
                (mean - m).abs() < 0.05 * m && (variance - v).abs() < 0.06 * v,
                "{n} {p}: {mean} {variance}"
            );
        }
        let mut delays: Vec<i64> = (0..20_001).map(|_| rng.lognormal(180.0, 1.5)).collect();
        delays.sort_unstable();
        assert!((170..=190).contains(&delays[10_000]), "median {}", delays[10_000]);
    }
}
