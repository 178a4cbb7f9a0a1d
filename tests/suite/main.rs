//! The one integration-test binary: what no unit test can see.

mod bad_input;
mod bad_rules;
mod blocklist;
mod command;
mod detection;
mod documents;
mod enrich;
mod explain;
mod fields;
mod fuzz;
mod gates;
mod hostile_rules;
mod incidents;
mod inspect;
mod layers;
mod money;
mod outlook;
mod postbacks;
mod presets;
mod privacy;
mod properties;
mod reference;
mod ruling;
mod runs;
mod sample;
mod shapes;
