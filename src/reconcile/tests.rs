//! Laws of the pairing: every row has one class, and statements that change places mirror theirs.

use super::class::Class;
use super::pairing::{self, Matched, NONE, Placed, Sides, Terms, Tolerance};
use super::period::{Periods, Span};
use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::{DAY, SECOND};
use crate::clean::Status;
use crate::clean::statement::{Kind, Kinds, Statement};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// A row in the making: ID, event, status, amount, seconds.
type Made = (u8, u8, u8, u8, u16);

const EVENTS: [(&str, bool); 3] = [("first_deposit", true), ("registration", true), ("deposit", false)];
const STATUSES: [Option<Status>; 4] =
    [None, Some(Status::Approved), Some(Status::Pending), Some(Status::Rejected)];

/// A small key makes rows of different IDs collide.
fn key_of(id: &str, weak: bool) -> u64 {
    let key = id.bytes().fold(7u64, |key, b| key.wrapping_mul(31).wrapping_add(u64::from(b)));
    if weak { key % 3 + 1 } else { key.max(1) }
}

fn statement(rows: &[Made], weak: bool, symbols: &mut Symbols, kinds: &mut Kinds) -> Statement {
    let mut statement = Statement::default();
    for (id, event, status, amount, second) in rows {
        let (event, once) = EVENTS[usize::from(event % 3)];
        let kind = Kind {
            event: symbols.of(event),
            once,
            status: STATUSES[usize::from(status % 4)],
            currency: symbols.of(if amount % 5 == 4 { "EUR" } else { "USD" }),
            network: Symbol::NONE,
            offer: symbols.of(["casino", "betting"][usize::from(amount % 2)]),
            traffic_source: Symbol::NONE,
            source: Symbol::NONE,
            country: Symbol::NONE,
        };
        let id = if *id == 0 { String::new() } else { format!("id{id}") };
        let key = if id.is_empty() { 0 } else { key_of(&id, weak) };
        let amounts = [(amount % 7 != 6).then(|| i64::from(*amount) * 1_000_000), None];
        let number = kinds.of(kind);
        statement.push(&id, key, i64::from(*second) * 40 * SECOND, amounts, number);
    }
    statement
}

fn matched(ours: &[Made], theirs: &[Made], weak: bool, unique: bool) -> (Matched, Statement, Statement) {
    let (mut symbols, mut kinds) = (Symbols::default(), Kinds::default());
    let mine = statement(ours, weak, &mut symbols, &mut kinds);
    let other = statement(theirs, weak, &mut symbols, &mut kinds);
    let terms = Terms {
        events: true,
        unique,
        clocks: true,
        tolerance: Tolerance { amount: 10_000, time: 300 * SECOND },
    };
    let window = Span { from: DAY / 4, to: 20 * DAY };
    let all = Span { from: 0, to: 31 * DAY };
    let periods = Periods { window, ours: all, theirs: all, delay: 0 };
    let sides = Sides { ours: &mine, theirs: &other, kinds: &kinds, ahead: 0 };
    let open = |rows: &[Made]| Placed::new(vec![None; rows.len()]);
    let mut matched = Matched::new(open(ours), open(theirs));
    let keyed = [pairing::keyed(&mine, &matched.ours), pairing::keyed(&other, &matched.theirs)];
    pairing::by_id(&sides, &terms, &keyed[0], &keyed[1], &mut matched);
    pairing::by_circumstance(&sides, &terms, &periods, &mut matched);
    pairing::classify(&sides, &terms, &periods, &mut matched);
    (matched, mine, other)
}

fn counted(placed: &Placed) -> BTreeMap<Class, usize> {
    let mut counts = BTreeMap::new();
    for class in &placed.classes {
        *counts.entry(class.expect("every row has a class")).or_default() += 1;
    }
    counts
}

fn rows() -> impl Strategy<Value = Vec<Made>> {
    prop::collection::vec((0..12u8, any::<u8>(), any::<u8>(), 0..9u8, any::<u16>()), 0..40)
}

proptest! {
    #[test]
    fn every_row_has_one_class_and_pairs_are_mutual(
        ours in rows(), theirs in rows(), weak in any::<bool>(), unique in any::<bool>()
    ) {
        let (matched, mine, other) = matched(&ours, &theirs, weak, unique);
        prop_assert_eq!(counted(&matched.ours).values().sum::<usize>(), ours.len());
        prop_assert_eq!(counted(&matched.theirs).values().sum::<usize>(), theirs.len());
        for (a, b) in matched.pairs() {
            prop_assert_eq!(matched.theirs.partners[b as usize], a);
            prop_assert_eq!(matched.ours.classes[a as usize], matched.theirs.classes[b as usize]);
            let (one, two) = (mine.id(a), other.id(b));
            prop_assert!(one.is_empty() || two.is_empty() || one == two, "{} met {}", one, two);
        }
        let met = |placed: &Placed| placed.partners.iter().filter(|p| **p != NONE).count();
        prop_assert_eq!(met(&matched.ours), met(&matched.theirs));
    }

    #[test]
    fn statements_that_change_places_mirror_their_classes(
        ours in rows(), theirs in rows(), unique in any::<bool>()
    ) {
        let (there, ..) = matched(&ours, &theirs, false, unique);
        let (back, ..) = matched(&theirs, &ours, false, unique);
        prop_assert_eq!(counted(&there.ours), counted(&back.theirs));
        prop_assert_eq!(counted(&there.theirs), counted(&back.ours));
    }

    #[test]
    fn keys_that_collide_change_nothing(ours in rows(), theirs in rows(), unique in any::<bool>()) {
        let (strong, ..) = matched(&ours, &theirs, false, unique);
        let (weak, ..) = matched(&ours, &theirs, true, unique);
        prop_assert_eq!(strong.ours, weak.ours);
        prop_assert_eq!(strong.theirs, weak.theirs);
    }

    #[test]
    fn a_statement_agrees_with_itself(ours in rows()) {
        let mut met = BTreeSet::new();
        let once = |row: &Made| row.0 > 0 && met.insert((row.0, row.1 % 3));
        let ours: Vec<Made> = ours.into_iter().filter(once).collect();
        let (matched, ..) = matched(&ours, &ours, false, false);
        let fine = |class: &Option<Class>| matches!(class, Some(Class::Equal | Class::PartialDay));
        prop_assert!(matched.ours.classes.iter().all(fine));
    }
}
