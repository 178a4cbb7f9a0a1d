//! The one integration-test binary: what no unit test can see.

mod bad_input;
mod bad_rules;
