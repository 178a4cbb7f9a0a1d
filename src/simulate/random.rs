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

    /// True with this probability.
    pub fn happens(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// A number between the two.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// One of `items`, all alike; there is at least one.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }

    /// A standard normal deviate with its true tails (Marsaglia's polar method), where [`Rng::normal`] is not
    /// far enough out.
    pub fn gauss(&mut self) -> f64 {
        loop {
            let (u, v) = (self.uniform(-1.0, 1.0), self.uniform(-1.0, 1.0));
            let s = u * u + v * v;
            if s > 0.0 && s < 1.0 {
                return u * (-2.0 * ln(s) / s).sqrt();
            }
        }
    }

    /// Student's t with seven degrees of freedom, scaled to a standard deviation of one: heavy tails.
    pub fn t7(&mut self) -> f64 {
        let chi2: f64 = (0..7).map(|_| self.gauss()).map(|g| g * g).sum();
        self.gauss() / (chi2 / 7.0).sqrt() * (5.0f64 / 7.0).sqrt()
    }

    /// An exponential deviate with mean one.
    pub fn exponential(&mut self) -> f64 {
        -ln(1.0 - self.unit())
    }

    /// A Beta deviate with whole parameters: of two sums of exponential deviates, the share of the first.
    pub fn beta(&mut self, a: u32, b: u32) -> f64 {
        let mut sum = |n: u32| (0..n).map(|_| self.exponential()).sum::<f64>();
        let (x, y) = (sum(a), sum(b));
        x / (x + y)
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

/// The natural logarithm of a positive number, to about 15 digits: the exponent, and the series of the
/// inverse hyperbolic tangent for the rest.
pub fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let k = (bits >> 52 & 0x7ff) as i64 - 1022;
    let m = f64::from_bits(bits & !(0x7ff << 52) | 1022 << 52);
    // The series is short near one: m lies between the square roots of one half and of two.
    let (k, m) = if m < std::f64::consts::FRAC_1_SQRT_2 { (k - 1, 2.0 * m) } else { (k, m) };
    let s = (m - 1.0) / (m + 1.0);
    let series = (0..14).rev().fold(0.0, |sum, i| 1.0 / f64::from(2 * i + 1) + sum * s * s);
    k as f64 * std::f64::consts::LN_2 + 2.0 * s * series
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
    fn ln_agrees_with_the_standard_library() {
        for x in [1e-300, 1e-9, 0.3, 0.707, 0.7072, 1.0 + 1e-9, 1.5, 2.0, 1e6] {
            let off = (ln(x) - f64::ln(x)).abs() / f64::ln(x).abs();
            assert!(off < 1e-13, "ln({x}) is off by {off}");
        }
        assert_eq!(ln(1.0), 0.0);
    }

    #[test]
    fn heavy_and_bounded_laws_have_their_moments() {
        let mut rng = Rng::new(11);
        let mut moments = |draw: fn(&mut Rng) -> f64| {
            let draws: Vec<f64> = (0..40_000).map(|_| draw(&mut rng)).collect();
            let mean = draws.iter().sum::<f64>() / draws.len() as f64;
            let central = |k: i32| draws.iter().map(|d| (d - mean).powi(k)).sum::<f64>() / draws.len() as f64;
            (mean, central(2).sqrt(), central(4) / central(2).powi(2))
        };
        for (name, draw, mean, sd, kurtosis) in [
            ("gauss", Rng::gauss as fn(&mut Rng) -> f64, 0.0, 1.0, 2.8..3.2),
            ("t7", Rng::t7, 0.0, 1.0, 3.8..7.0),
            ("exponential", Rng::exponential, 1.0, 1.0, 7.5..10.5),
            ("beta", |r: &mut Rng| r.beta(2, 60), 2.0 / 62.0, 0.02226, 3.5..7.0),
        ] {
            let (m, s, k) = moments(draw);
            let close = (m - mean).abs() < 0.02 * sd + 0.01 * mean && (s / sd - 1.0).abs() < 0.03;
            assert!(close && kurtosis.contains(&k), "{name}: {m} {s} {k}");
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
