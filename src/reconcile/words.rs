//! The sentence that says what a comparison came to, and the words that every output for people has in common.

use super::{Class, Direction, Reconciliation};
use crate::base::money::Micro;
use crate::base::text::Text;
use crate::base::time::{SECOND, show_day};
use crate::base::unit::Unit;
use crate::clean::vocabulary::EVENTS;

/// Cells of one name.
pub const NAME: usize = 40;

/// `12,345`.
pub fn count(n: u64) -> String {
    Unit::Count.format(n as f64)
}

/// `1,204.50`.
pub fn amount(amount: Micro) -> String {
    Unit::Money.format(amount.units())
}

/// `1,204.50 USD`.
pub fn money(amount: Micro, currency: Option<&Text>) -> String {
    let code = currency.map_or(" in an unknown currency".to_owned(), |c| format!(" {}", c.term(8)));
    format!("{}{code}", self::amount(amount))
}

/// `41 first deposits`, `3 of "level 5"`.
pub fn events(n: u64, event: Option<&Text>) -> String {
    let name = event.map_or("conversion".to_owned(), |e| e.term(NAME));
    let plural = if n == 1 { "" } else { "s" };
    match EVENTS.iter().any(|known| known.name == name) {
        true => format!("{} {}{plural}", count(n), name.replace('_', " ")),
        false => format!("{} of \"{name}\"", count(n)),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub fn listed(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// What the comparison came to, in one sentence.
pub fn sentence(found: &Reconciliation) -> String {
    let owed: Vec<String> = found.owed().iter().map(|(event, n)| events(*n, event.as_ref())).collect();
    let amounts = |get: &dyn Fn(&super::Account) -> i64| -> Vec<String> {
        let all = found.ledger.all.iter().map(|(currency, account)| (currency, get(account)));
        all.filter(|(_, micro)| *micro != 0).map(|(c, micro)| money(Micro(micro), c.as_ref())).collect()
    };
    let worth = amounts(&|a| a.missing.amount.0.saturating_add(a.refused.amount.0));
    let worth = if worth.is_empty() { String::new() } else { format!(", {}", listed(&worth)) };
    let missing = found.tally(Class::Missing);
    let (compared, differ) = found.disagreement();
    if differ == 0 {
        let all = amounts(&|a| a.ours.amount.0);
        let all = if all.is_empty() { String::new() } else { format!(", {}", listed(&all)) };
        return format!("the statements agree: {} conversions{all}", count(compared));
    }
    let theirs = found.direction == Direction::TheyOweUs;
    let (unknown, whose, to) =
        if theirs { (missing.theirs, "theirs", "us") } else { (missing.ours, "ours", "them") };
    let mut parts = vec![match (owed.is_empty(), theirs) {
        (true, true) => "they owe us no conversion".to_owned(),
        (true, false) => "they claim no conversion that we do not pay".to_owned(),
        (false, true) => format!("they owe us {}{worth}", listed(&owed)),
        (false, false) => format!("they claim {}{worth} that we do not have or do not pay", listed(&owed)),
    }];
    let less = amounts(&|a| a.underpaid.amount.0);
    let more = amounts(&|a| a.overpaid.amount.0);
    let payer = if theirs { "they pay" } else { "we pay" };
    if !less.is_empty() {
        parts.push(format!("{payer} {} less for what both have", listed(&less)));
    }
    if !more.is_empty() {
        parts.push(format!("{payer} {} more for what both have", listed(&more)));
    }
    let are = if unknown == 1 { "is" } else { "are" };
    parts.push(match unknown {
        0 => format!("none of {whose} is unknown to {to}"),
        n => format!("{} of {whose} {are} unknown to {to}", count(n)),
    });
    parts.join("; ")
}

/// `2 h`, `5 h 30 min`.
pub fn clock(seconds: i64) -> String {
    let (hours, minutes) = (seconds.abs() / 3_600, seconds.abs() / 60 % 60);
    match (hours, minutes) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// `their clock is 2 h ahead of ours: corrected`.
pub fn clocks(found: &Reconciliation) -> Option<String> {
    let seconds = found.ahead_s();
    let way = if seconds > 0 { "ahead of" } else { "behind" };
    (seconds != 0).then(|| format!("their clock is {} {way} ours: corrected", clock(seconds)))
}

/// First and last compared day.
pub fn days(found: &Reconciliation) -> (String, String) {
    let day = |time: i64| show_day(found.zone.day_and_hour(time).0);
    (day(found.periods.window.from), day(found.periods.window.to - SECOND))
}

/// `joined by click_id = sub3: 98.2% of ours with an ID, 99.0% of theirs`.
pub fn joined(found: &Reconciliation) -> String {
    let [ours, theirs] = found.joined.map(|(with_id, met)| match with_id {
        0 => "none".to_owned(),
        n => Unit::Share.format(met as f64 / n as f64),
    });
    format!(
        "joined by {} = {}: {ours} of ours with an ID, {theirs} of theirs",
        found.join.ours.term(NAME),
        found.join.theirs.term(NAME)
    )
}

/// How rows met that no ID ties, if any did.
pub fn fallback(found: &Reconciliation) -> Option<String> {
    let tolerance = found.tolerance;
    let [ours, theirs] = found.ambiguous;
    let mut parts = Vec::new();
    if found.fallback > 0 {
        let pairs = if found.fallback == 1 { "1 pair has" } else { "pairs have" };
        let pairs =
            if found.fallback == 1 { pairs.to_owned() } else { format!("{} {pairs}", count(found.fallback)) };
        parts.push(format!(
            "{pairs} no ID in common: matched by offer, time (±{}), amount (±{}) and country",
            Unit::Seconds.format(tolerance.time as f64 / SECOND as f64),
            amount(Micro(tolerance.amount))
        ));
    }
    if ours + theirs > 0 {
        parts.push(format!(
            "{} of ours and {} of theirs without an ID fit several rows and were not matched",
            count(ours),
            count(theirs)
        ));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}
