//! Pure functions on numbers: intervals, tails, robust estimates. The only module that names `statrs`.
//!
//! A tail is carried as its logarithm wherever it may be tiny. What statrs 0.19 gets wrong is written by hand
//! here, and `faults` says when it has been mended.

mod beta;
mod diversity;
#[cfg(test)]
mod faults;
mod intervals;
mod quadrature;
mod robust;
mod samples;
mod tails;

pub use beta::LogitBeta;
pub use diversity::{
    Multiplicities, chao_shen_entropy, hhi_plug_in, hhi_unbiased, ln_hhi, plug_in_entropy, total,
};
pub use intervals::{clopper_pearson, jeffreys, poisson_limits, wilson, z};
pub use quadrature::{legendre_16, legendre_24, ln_one_minus_exp, ln_sum_exp};
pub use robust::{Residual, kappa, paule_mandel, weighted_median};
pub use samples::{Counted, entropy, quantile, size};
pub use tails::{
    beta_binomial_at_least, binomial_at_least, ln_beta, ln_binomial_at_least, ln_normal_sf,
    ln_poisson_at_least, ln_student_sf, neg_binomial_at_least, normal_score, normal_sf, poisson_at_least,
    poisson_at_most, student_sf,
};
