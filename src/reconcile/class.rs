//! What a row can come to, as a table: reports, documents and tests are loops over it.

/// What became of a row. Every row of either side has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    Equal,
    EventDiffers,
    StatusDiffers,
    CurrencyDiffers,
    PayoutDiffers,
    AmountDiffers,
    HoursDiffer,
    Missing,
    Doubled,
    OutsidePeriod,
    PartialDay,
    Superseded,
    NotAsked,
}

/// A class with its words.
pub struct ClassFacts {
    pub class: Class,
    /// The word of JSON and CSV.
    pub word: &'static str,
    /// For people; of a row of ours where the sides differ.
    pub ours: &'static str,
    pub theirs: &'static str,
    /// Of both sides in one line.
    pub both: &'static str,
    /// Whether the two statements disagree on such a row.
    pub disagrees: bool,
    pub summary: &'static str,
}

/// Every class, in the order of the reports.
pub const CLASSES: &[ClassFacts] = &[
    ClassFacts {
        class: Class::Equal,
        word: "equal",
        ours: "equal on both sides",
        theirs: "equal on both sides",
        both: "equal on both sides",
        disagrees: false,
        summary: "both sides have it, and agree in event, status, currency and amounts, as far as both say them",
    },
    ClassFacts {
        class: Class::Missing,
        word: "missing",
        ours: "missing with them",
        theirs: "missing with us",
        both: "missing with them / with us",
        disagrees: true,
        summary: "only one side has it, although it lies in the days that both cover",
    },
    ClassFacts {
        class: Class::StatusDiffers,
        word: "status_differs",
        ours: "status differs",
        theirs: "status differs",
        both: "status differs",
        disagrees: true,
        summary: "approved here, rejected or pending there",
    },
    ClassFacts {
        class: Class::PayoutDiffers,
        word: "payout_differs",
        ours: "payout differs",
        theirs: "payout differs",
        both: "payout differs",
        disagrees: true,
        summary: "both pay it, but not the same",
    },
    ClassFacts {
        class: Class::AmountDiffers,
        word: "amount_differs",
        ours: "amount differs",
        theirs: "amount differs",
        both: "amount differs",
        disagrees: true,
        summary: "what the customer paid or deposited is not the same",
    },
    ClassFacts {
        class: Class::CurrencyDiffers,
        word: "currency_differs",
        ours: "currency differs",
        theirs: "currency differs",
        both: "currency differs",
        disagrees: true,
        summary: "its amounts are in two currencies and are not compared",
    },
    ClassFacts {
        class: Class::EventDiffers,
        word: "event_differs",
        ours: "event differs",
        theirs: "event differs",
        both: "event differs",
        disagrees: true,
        summary: "the same ID within an hour, under another event on either side",
    },
    ClassFacts {
        class: Class::HoursDiffer,
        word: "hours_differ",
        ours: "time differs by whole hours",
        theirs: "time differs by whole hours",
        both: "time differs by whole hours",
        disagrees: true,
        summary: "equal, but for whole hours that the clocks of the two sides do not explain",
    },
    ClassFacts {
        class: Class::Doubled,
        word: "doubled",
        ours: "doubled with us",
        theirs: "doubled with them",
        both: "doubled with us / with them",
        disagrees: true,
        summary: "its side has the same conversion once more",
    },
    ClassFacts {
        class: Class::OutsidePeriod,
        word: "outside_period",
        ours: "outside their period",
        theirs: "outside our period",
        both: "outside their / our period",
        disagrees: false,
        summary: "the other statement does not cover its day",
    },
    ClassFacts {
        class: Class::PartialDay,
        word: "partial_day",
        ours: "on a partial day",
        theirs: "on a partial day",
        both: "on a partial day",
        disagrees: false,
        summary: "its day is covered in part only, at the edge of a statement: left out",
    },
    ClassFacts {
        class: Class::Superseded,
        word: "superseded",
        ours: "replaced by a later state",
        theirs: "replaced by a later state",
        both: "replaced by a later state",
        disagrees: false,
        summary: "an earlier state of a conversion that its side reports again under the same conversion ID",
    },
    ClassFacts {
        class: Class::NotAsked,
        word: "not_asked",
        ours: "not asked for",
        theirs: "not asked for",
        both: "not asked for",
        disagrees: false,
        summary: "left out by --event, --only, --from or --to",
    },
];

impl Class {
    /// The class's words.
    pub fn facts(self) -> &'static ClassFacts {
        CLASSES.iter().find(|facts| facts.class == self).expect("every class is in the table")
    }

    /// The word of JSON and CSV.
    pub fn word(self) -> &'static str {
        self.facts().word
    }
}

/// In what a pair differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    Event,
    Status,
    Currency,
    Payout,
    Amount,
    Hours,
    /// Not a difference: the pair has no ID in common.
    Fallback,
}

/// Every difference with its word and the class it makes; of several the first decides.
const DIFFERENCES: &[(Difference, &str, Class)] = &[
    (Difference::Event, "event", Class::EventDiffers),
    (Difference::Status, "status", Class::StatusDiffers),
    (Difference::Currency, "currency", Class::CurrencyDiffers),
    (Difference::Payout, "payout", Class::PayoutDiffers),
    (Difference::Amount, "amount", Class::AmountDiffers),
    (Difference::Hours, "hours", Class::HoursDiffer),
];

/// A set of differences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Differences(u8);

impl Differences {
    /// Adds one.
    pub fn add(&mut self, difference: Difference) {
        self.0 |= 1 << difference as u8;
    }

    /// Adds all of another set.
    pub fn merge(&mut self, other: Differences) {
        self.0 |= other.0;
    }

    /// Whether it is one of them.
    pub fn has(self, difference: Difference) -> bool {
        self.0 & (1 << difference as u8) != 0
    }

    /// The class of a pair with these.
    pub fn class(self) -> Class {
        let first = DIFFERENCES.iter().find(|(difference, ..)| self.has(*difference));
        first.map_or(Class::Equal, |(.., class)| *class)
    }

    /// Their words.
    pub fn words(self) -> Vec<&'static str> {
        DIFFERENCES.iter().filter(|(d, ..)| self.has(*d)).map(|(_, word, _)| *word).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_stands_in_the_table_once() {
        let mut words: Vec<&str> = CLASSES.iter().map(|c| c.word).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), CLASSES.len());
        for (difference, word, class) in DIFFERENCES {
            let mut set = Differences::default();
            set.add(*difference);
            assert_eq!((set.class(), set.words()), (*class, vec![*word]));
            assert!(class.facts().disagrees);
        }
    }

    #[test]
    fn of_several_differences_the_first_decides() {
        let mut set = Differences::default();
        assert_eq!(set.class(), Class::Equal);
        set.add(Difference::Fallback);
        assert_eq!((set.class(), set.words().len()), (Class::Equal, 0));
        set.add(Difference::Hours);
        set.add(Difference::Status);
        assert_eq!((set.class(), set.words()), (Class::StatusDiffers, vec!["status", "hours"]));
    }
}
