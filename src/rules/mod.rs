//! Rules: YAML files that say which signals accuse a group, how strongly, and what else could explain it.
//!
//! A file is read into a loose type ([`format`]), checked into the strict [`Rule`] ([`check`]) and only then
//! evaluated ([`evaluate`]), with three answers: fires, silent, unknown. All faults of all files are found at
//! once. Nothing here decides a verdict, and nothing compares point values: limits act on intervals.

mod check;
mod condition;
mod contradictions;
pub mod describe;
mod evaluate;
mod example;
mod format;
mod limits;
mod lists;
mod load;
mod message;
mod model;
mod mutants;
mod packs;
mod page;
mod panel;
mod params;
mod policies;
mod selftest;
mod skeleton;
mod tuning;

pub use check::check;
pub use evaluate::{View, evaluate};
pub use format::schema;
pub use load::{EXPECTED, EXPORTS, Refusal, builtin_files, read, read_with_tests};
pub use message::Message;
pub use model::{
    Action, Allowance, Bar, Changed, Class, ColumnTest, Evidence, Example, Expect, Few, LeftOut, Limit,
    Nights, Node, Outcome, Pack, Param, Part, PastLimit, PeerLimit, Rule, RuleFile, RuleSet, Runs, STDIN,
    Status, Test, Truth, Unread, Why,
};
pub use mutants::survivors;
pub use packs::{PACKS, PackInfo};
pub use page::{Page, faults, page};
pub use panel::Panel;
pub use params::Params;
pub use selftest::{TestResult, run_tests};
pub use skeleton::{FIRST_SIGNAL, skeleton};
pub use tuning::{Origin, RawOverride, Tuning};
