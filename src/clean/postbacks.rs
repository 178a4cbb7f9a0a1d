//! What a log says of the postback that brought a conversion, and which deliveries are of one postback.
//!
//! Equal requests are one postback. One that comes after a failure, or soon after it was taken, is a retry; one
//! that is taken again later, or again from a foreign sender, is a replay. Where a request names neither its
//! transaction nor its moment, two equal ones may be two conversions: they stay.

use super::conversions::{Conversion, Id};
use crate::base::time::DAY;
use std::collections::BTreeMap;

/// What a token or a signature came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    Good,
    Missing,
    Bad,
}

impl Proof {
    /// The proof that a word of three means: good, missing, bad.
    pub fn of(word: &str, words: &[&str; 3]) -> Option<Proof> {
        let at = words.iter().position(|w| w.eq_ignore_ascii_case(word.trim()))?;
        Some([Proof::Good, Proof::Missing, Proof::Bad][at])
    }
}

/// What is known of a conversion's postback; nothing where it did not come from a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Postback {
    pub request: Option<Id>,
    /// UTC microseconds.
    pub received: Option<i64>,
    /// Its place in its log.
    pub order: i64,
    pub http_status: Option<i64>,
    /// A page fired it: its address and IDs are the visitor's.
    pub from_browser: bool,
    pub sender_listed: Option<bool>,
    pub token: Option<Proof>,
    pub signature: Option<Proof>,
    pub macro_left: Option<bool>,
    /// It was delivered more than once.
    pub again: bool,
    /// It is a request that had been taken long before, or comes again from a foreign sender.
    pub replayed: bool,
}

impl Postback {
    /// Whether the server did not take it.
    pub fn failed(&self) -> bool {
        self.http_status.is_some_and(|status| !(100..400).contains(&status))
    }

    /// Takes another delivery of the same postback: what counts is the one that was taken.
    pub fn absorb(&mut self, later: Postback) {
        if self.failed() && !later.failed() && later.http_status.is_some() {
            let replayed = self.replayed;
            *self = Postback { replayed, ..later };
        }
        self.again = true;
    }
}

/// What a later delivery of a request is.
#[derive(PartialEq)]
enum Delivery {
    Retry,
    Replay,
    /// Another conversion, as far as the request can tell.
    Another,
}

/// Puts the deliveries of each postback together; rows that no log knows stay as they are.
pub fn deliveries(rows: Vec<Conversion>, duplicates: &mut BTreeMap<&'static str, u64>) -> Vec<Conversion> {
    let (mut logged, mut kept): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|row| row.postback.request.is_some());
    let order = |row: &Conversion| (received(row), !row.postback.failed(), row.postback.order, row.content);
    logged.sort_by(|a, b| (&a.postback.request, order(a)).cmp(&(&b.postback.request, order(b))));
    let mut last_received = 0;
    for mut row in logged {
        let received = received(&row);
        let earlier = kept.last_mut().filter(|k| k.postback.request == row.postback.request);
        match earlier.map(|k| (delivery(k, &row, last_received), k)) {
            Some((Delivery::Retry, earlier)) => {
                *duplicates.entry("retry").or_default() += 1;
                earlier.postback.absorb(row.postback);
            }
            Some((found, _)) => {
                row.postback.replayed = found == Delivery::Replay;
                kept.push(row);
            }
            None => kept.push(row),
        }
        last_received = received;
    }
    kept
}

fn received(row: &Conversion) -> i64 {
    row.postback.received.unwrap_or(row.time)
}

fn delivery(earlier: &Conversion, later: &Conversion, last_received: i64) -> Delivery {
    let (a, b) = (&earlier.postback, &later.postback);
    let names_itself = |c: &Conversion| {
        c.once || c.transaction_id.is_some() || c.conversion_id.is_some() || c.time != received(c)
    };
    let foreign = b.sender_listed == Some(false) && a.sender_listed != Some(false);
    match () {
        () if a.failed() || b.failed() => Delivery::Retry,
        () if !names_itself(later) => Delivery::Another,
        () if foreign || received(later) - last_received > DAY => Delivery::Replay,
        () => Delivery::Retry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::symbol::Symbol;
    use crate::base::time::HOUR;
    use crate::clean::Status;
    use crate::clean::vocabulary::event;

    /// A delivery from `key=value` words: r(equest), at (hours of receipt), http, tx, e(vent), time (hours),
    /// listed.
    fn row(text: &str) -> Conversion {
        let word = |key: &str| text.split_whitespace().find_map(|w| w.strip_prefix(key)?.strip_prefix('='));
        let hours = |key| word(key).map(|w| (w.parse::<f64>().expect("hours") * HOUR as f64) as i64);
        let facts = event(word("e").unwrap_or("sale")).1;
        Conversion {
            conversion_id: None,
            transaction_id: word("tx").map(Id::new),
            click_id: Some(Id::new("c")),
            event: Symbol(1),
            once: facts.once,
            facts,
            status: Status::Approved,
            time: hours("time").or(hours("at")).unwrap_or(0),
            click_time: None,
            status_time: None,
            lock_time: None,
            payout: None,
            revenue: None,
            sale_amount: None,
            fraud_reason: Symbol::NONE,
            reject_class: None,
            player_id: None,
            ip: None,
            carried: Vec::new(),
            was_approved: false,
            scope: None,
            times: crate::ingest::Times::Event,
            as_of: 0,
            content: crate::ingest::key(text.as_bytes()),
            postback: Postback {
                request: word("r").map(Id::new),
                received: hours("at"),
                http_status: word("http").and_then(|w| w.parse().ok()),
                sender_listed: word("listed").map(|w| w == "yes"),
                ..Postback::default()
            },
        }
    }

    /// What is kept, in short: HTTP status, then `a` for delivered again and `r` for a replay.
    fn check(texts: &[&str], expected: &[&str], retries: u64) {
        for rows in [texts.to_vec(), texts.iter().rev().copied().collect()] {
            let mut duplicates = BTreeMap::new();
            let kept = deliveries(rows.into_iter().map(row).collect(), &mut duplicates);
            let mark = |yes, mark| if yes { mark } else { "" };
            let shown: Vec<String> = kept
                .iter()
                .map(|c| {
                    let p = &c.postback;
                    let http = p.http_status.map_or("-".to_owned(), |s| s.to_string());
                    format!("{http}{}{}", mark(p.again, "a"), mark(p.replayed, "r"))
                })
                .collect();
            assert_eq!(shown, expected, "{texts:?}");
            assert_eq!(duplicates.get("retry").copied().unwrap_or(0), retries, "{texts:?}");
        }
    }

    #[test]
    fn a_failure_that_is_retried_is_not_lost() {
        check(&["r=1 at=0 http=502", "r=1 at=90 http=200"], &["200a"], 1);
        check(&["r=1 at=0 http=502", "r=1 at=0 http=200"], &["200a"], 1);
        check(&["r=1 at=0 http=502", "r=1 at=1 http=0"], &["502a"], 1);
        check(&["r=1 at=0 http=200", "r=1 at=90 http=502"], &["200a"], 1);
        check(&["r=1 at=0 http=404"], &["404"], 0);
    }

    #[test]
    fn what_was_taken_comes_again_as_retry_or_replay() {
        check(&["r=1 tx=t at=0 http=200", "r=1 tx=t at=1 http=200"], &["200a"], 1);
        check(&["r=1 tx=t at=0 http=200", "r=1 tx=t at=25 http=200"], &["200", "200r"], 0);
        check(
            &["r=1 tx=t at=0 http=200", "r=1 tx=t at=20 http=302", "r=1 tx=t at=40 http=200"],
            &["200a"],
            2,
        );
        check(
            &["r=1 tx=t at=0 http=200 listed=yes", "r=1 tx=t at=1 http=200 listed=no"],
            &["200", "200r"],
            0,
        );
        check(&["r=1 e=lead at=0 http=200", "r=1 e=lead at=50 http=200"], &["200", "200r"], 0);
        check(&["r=1 time=0 at=1 http=200", "r=1 time=0 at=50 http=200"], &["200", "200r"], 0);
    }

    #[test]
    fn equal_requests_that_name_nothing_may_be_two_conversions() {
        check(&["r=1 at=0 http=200", "r=1 at=1 http=200"], &["200", "200"], 0);
        check(&["r=1 tx=t at=0 http=200", "r=2 tx=t at=1 http=200"], &["200", "200"], 0);
        check(&["tx=t at=0", "tx=t at=0"], &["-", "-"], 0);
    }
}
