//! The faults of statrs 0.19 that this project works around, each shown to exist (statistics.md 6.3).
//!
//! A test that fails here after an upgrade is good news: the hand-written replacement may go.

use statrs::distribution::{Beta, Cauchy, ContinuousCDF, Discrete, Gamma, Hypergeometric, Normal};
use statrs::function::beta::beta_reg;
use statrs::stats_tests::anderson_darling::anderson_darling;
use statrs::stats_tests::chisquare::chisquare;
use statrs::stats_tests::ks_test::{KSTwoSampleAlternativeMethod, ks_twosample};
use statrs::stats_tests::{Alternative, NaNPolicy, fishers_exact};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

#[test]
fn fishers_exact_two_sided_is_wrong_in_large_tables() {
    for (table, truth) in [([300, 9_700, 240, 9_760], 0.009_99), ([5_000, 95_000, 4_500, 95_500], 1.5e-7)] {
        let p = fishers_exact(&table, Alternative::TwoSided).expect("a table");
        assert!(p > 10.0 * truth, "{table:?}: {p}");
    }
}

#[test]
fn the_hypergeometric_probability_overflows() {
    assert!(Hypergeometric::new(2_000, 1_000, 1_000).expect("valid").pmf(500).is_nan());
}

#[test]
fn anderson_darling_gives_impossible_probabilities() {
    let p = |sample: &[f64]| anderson_darling(sample, &Normal::standard()).expect("a sample").1;
    assert!(!p(&[-1e3, 0.0, 0.1, 1e3]).is_finite(), "a distribution function of 0 and 1");
    let far: Vec<f64> = (0..200).map(|i| 3.0 + f64::from(i) * 0.01).collect();
    assert!(p(&far) > 1.0, "a statistic above 307");
}

#[test]
fn the_incomplete_beta_function_stops_short() {
    assert!((beta_reg(1e6, 1e6, 0.5) - 0.5).abs() > 0.005);
    assert!((beta_reg(5e6, 5e6, 0.5) - 0.5).abs() > 0.1);
    assert!((beta_reg(1e6, 9e6, 0.1) - 0.5001).abs() > 0.01);
}

#[test]
fn quantiles_of_tiny_shapes_are_wrong() {
    assert!(Gamma::new(0.01, 1.0).expect("valid").inverse_cdf(0.5) > 1e-20, "the truth is 4.5e-31");
    assert!(Beta::new(0.001, 10.0).expect("valid").inverse_cdf(0.5) > 1e-100, "the truth is 5.5e-303");
}

#[test]
fn the_tail_of_cauchy_vanishes() {
    assert_eq!(Cauchy::new(0.0, 1.0).expect("valid").sf(1e20), 0.0, "the truth is 3.2e-21");
}

#[test]
fn chisquare_takes_an_impossible_cell_for_evidence() {
    assert_eq!(chisquare(&[5, 5], Some(&[10.0, 0.0]), None).expect("equal sums").1, 0.0);
    assert!(chisquare(&[5, 5], Some(&[5.0, 5.1]), None).is_err(), "sums must agree");
}

/// The endless loop runs on in a thread of its own until the tests end.
#[test]
fn the_two_sample_test_never_ends_on_equal_constants() {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let method = KSTwoSampleAlternativeMethod::TwoSidedAsymptotic;
        let result = ks_twosample(vec![1.0; 5], vec![1.0; 5], method, NaNPolicy::Error);
        // Nobody listens any more if it ends late.
        let _ = sender.send(result.is_ok());
    });
    assert!(receiver.recv_timeout(Duration::from_millis(300)).is_err());
}
