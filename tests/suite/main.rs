//! The one integration-test binary: what no unit test can see.

mod bad_input;
mod bad_rules;
mod command;
mod detection;
mod documents;
mod explain;
mod fields;
mod fuzz;
mod gates;
mod hostile_rules;
mod incidents;
mod layers;
mod money;
mod outlook;
mod postbacks;
mod presets;
mod properties;
mod reference;
mod ruling;
mod runs;
mod sample;
mod shapes;
