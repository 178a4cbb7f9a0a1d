//! The field's words for events and statuses, and what follows from them.

/// What became of a conversion. The order is the rank that settles which status is the later one when
/// times do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// A word no vocabulary knows; its money counts as pending.
    Unknown,
    Pending,
    Approved,
    Rejected,
    Refund,
    Chargeback,
    /// A test, or marked as a duplicate by the exporter: worth nothing.
    Void,
}

/// Every status, its canonical word, and the words exports use for it (lower case).
pub const STATUSES: &[(Status, &str, &[&str])] = &[
    (
        Status::Pending,
        "pending",
        &["hold", "on_hold", "on hold", "new", "waiting", "processing", "open", "lead"],
    ),
    (
        Status::Approved,
        "approved",
        &[
            "approve",
            "confirmed",
            "accepted",
            "valid",
            "paid",
            "sale",
            "success",
            "complete",
            "completed",
            "locked",
        ],
    ),
    (
        Status::Rejected,
        "rejected",
        &[
            "reject",
            "declined",
            "trash",
            "invalid",
            "cancelled",
            "canceled",
            "fraud",
            "not_allowed",
            "disapproved",
        ],
    ),
    (Status::Refund, "refund", &["refunded", "returned"]),
    (Status::Chargeback, "chargeback", &["charge_back", "chargedback", "reversed"]),
    (Status::Void, "void", &["test", "duplicate", "scrubbed"]),
];

impl Status {
    /// The status a word means, in the generic vocabulary.
    pub fn of(word: &str) -> Status {
        let word = word.trim().to_lowercase();
        let known = STATUSES.iter().find(|(_, name, words)| *name == word || words.contains(&word.as_str()));
        known.map_or(Status::Unknown, |(status, _, _)| *status)
    }

    /// The canonical word.
    pub fn word(self) -> &'static str {
        STATUSES.iter().find(|(s, _, _)| *s == self).map_or("unknown", |(_, name, _)| name)
    }

    /// Whether a conversion may go from this status to `next`: the transitions that trackers document.
    pub fn may_become(self, next: Status) -> bool {
        use Status::{Approved, Chargeback, Pending, Refund, Rejected, Unknown};
        match self {
            Unknown | Pending => true,
            Approved => matches!(next, Rejected | Refund | Chargeback),
            Rejected => next == Approved,
            _ => false,
        }
    }
}

/// Words by which an anti-fraud service says that it found nothing.
pub const NOT_FLAGGED: &[&str] = &[
    "",
    "-",
    "0",
    "clean",
    "false",
    "n/a",
    "na",
    "nil",
    "no",
    "none",
    "not fraud",
    "not_fraud",
    "null",
    "ok",
    "passed",
];

/// Whether a service's word is a reason to take a conversion for fraud.
pub fn flags(word: &str) -> bool {
    !NOT_FLAGGED.contains(&word.trim().to_lowercase().as_str())
}

/// What is known of an event by its name.
#[derive(Clone, Copy, Debug)]
pub struct EventFacts {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    /// A player can do it once only.
    pub once: bool,
    /// A person needs at least so many seconds from the click; `None` where the event may come at any time.
    pub short_s: Option<i64>,
}

/// Seconds above which a conversion is late: 94 % of installs come within a day (AppsFlyer).
pub const LONG_S: i64 = 24 * 3_600;

/// Known events. Short limits: 10 s install (AppsFlyer, Branch), 15 s lead (Everflow), 30 s purchase.
pub const EVENTS: &[EventFacts] = &[
    EventFacts { name: "install", aliases: &["installs"], once: true, short_s: Some(10) },
    EventFacts {
        name: "registration",
        aliases: &["reg", "signup", "sign_up", "register"],
        once: true,
        short_s: Some(15),
    },
    EventFacts { name: "lead", aliases: &["leads"], once: true, short_s: Some(15) },
    EventFacts {
        name: "first_deposit",
        aliases: &["ftd", "first_time_deposit"],
        once: true,
        short_s: Some(30),
    },
    EventFacts { name: "sale", aliases: &["purchase", "order"], once: false, short_s: Some(30) },
    EventFacts { name: "conversion", aliases: &[], once: false, short_s: Some(10) },
    EventFacts { name: "deposit", aliases: &["dep", "second_deposit", "rdep"], once: false, short_s: None },
    EventFacts { name: "rebill", aliases: &["recurring", "renewal"], once: false, short_s: None },
    EventFacts { name: "chargeback", aliases: &[], once: false, short_s: None },
    EventFacts { name: "refund", aliases: &[], once: false, short_s: None },
];

/// A first deposit that is smaller than its offer asks for: no deposit that anybody is paid for.
pub const UNQUALIFIED: EventFacts =
    EventFacts { name: "unqualified_deposit", aliases: &[], once: true, short_s: Some(30) };

/// The facts of an event that no table knows.
pub const OTHER_EVENT: EventFacts = EventFacts { name: "", aliases: &[], once: false, short_s: Some(10) };

/// The canonical name and facts of an event word.
pub fn event(word: &str) -> (String, EventFacts) {
    let word = word.trim().to_lowercase();
    if word == UNQUALIFIED.name {
        return (word, UNQUALIFIED);
    }
    let known = EVENTS.iter().find(|e| e.name == word || e.aliases.contains(&word.as_str()));
    known.map_or((word, OTHER_EVENT), |facts| (facts.name.to_owned(), *facts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_once_and_belong_to_one_status() {
        let mut words: Vec<&str> =
            STATUSES.iter().flat_map(|(_, name, words)| words.iter().chain([name])).copied().collect();
        let count = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), count);
        assert_eq!(Status::of(" Confirmed "), Status::Approved);
        assert_eq!(Status::of("2"), Status::Unknown);
    }

    #[test]
    fn mappings_know_the_same_statuses() {
        let words: Vec<&str> = STATUSES.iter().map(|(_, name, _)| *name).collect();
        assert_eq!(words, crate::ingest::mapping::STATUS_WORDS);
    }

    #[test]
    fn a_service_that_found_nothing_flags_nothing() {
        for word in ["None", " 0 ", "not fraud", "OK"] {
            assert!(!flags(word), "{word}");
        }
        assert!(flags("ctit_anomalies") && flags("bots"));
        assert!(NOT_FLAGGED.is_sorted());
    }

    #[test]
    fn offers_know_the_same_events() {
        let names: Vec<&str> = EVENTS.iter().map(|e| e.name).collect();
        assert_eq!(names, crate::ingest::offers::EVENT_NAMES);
        assert_eq!(event(UNQUALIFIED.name).1.name, UNQUALIFIED.name);
    }

    #[test]
    fn events_have_one_name() {
        assert_eq!(event("FTD").0, "first_deposit");
        assert_eq!(event("Level 5").0, "level 5");
        let mut names: Vec<&str> =
            EVENTS.iter().flat_map(|e| e.aliases.iter().chain([&e.name])).copied().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
