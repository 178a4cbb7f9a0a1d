//! Rules: YAML files that say which signals accuse a group, how strongly, and what else could explain it.
//!
//! A file is read into a loose type ([`format`]), checked into the strict [`Rule`] ([`check`]) and only then
//! evaluated ([`evaluate`]), with three answers: fires, silent, unknown. All faults of all files are found at
//! once. Nothing here decides a verdict, and nothing compares point values: limits act on intervals.

mod check;
mod condition;
pub mod describe;
mod evaluate;
mod example;
mod format;
mod load;
mod model;
mod packs;
mod selftest;
mod skeleton;
mod tuning;

pub use check::check;
pub use evaluate::{View, evaluate};
pub use format::schema;
pub use load::{Refusal, builtin_files, read};
pub use model::{
    Action, Bar, Changed, Class, Evidence, Example, Expect, Few, LeftOut, Limit, Node, Outcome, Pack,
    PeerLimit, Rule, RuleFile, RuleSet, Status, Test, Truth, Why,
};
pub use packs::{PACKS, PackInfo};
pub use selftest::{TestResult, run_tests};
pub use skeleton::{FIRST_SIGNAL, skeleton};
pub use tuning::{Origin, RawOverride, Tuning};
