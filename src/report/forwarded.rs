//! What the traffic sources were told of conversions, the same in the table of an audit and of a reconciliation.

use super::phrase::{count, counted};
use crate::base::text::Text;
use crate::matching::forwarded::{Forwarded, Told};

/// Cells of a name, and lines that are shown; the JSON has all.
const NAME: usize = 40;
const LINES: usize = 10;
const EVENTS: usize = 5;

/// One kind of fault: what it is called, and how many there are.
type Fault = (&'static str, fn(&Told) -> u64);

/// Every fault of forwarding, in the order in which it is told.
pub const FAULTS: [Fault; 7] = [
    ("not sent", |t| t.not_sent),
    ("late", |t| t.late),
    ("doubled", |t| t.doubled),
    ("wrong event", |t| t.wrong_event),
    ("wrong value", |t| t.wrong_value),
    ("rejected but sent", |t| t.rejected),
    ("of no known conversion", |t| t.unknown),
];

/// The lines of a table: a heading, one for each traffic source, and what is never sent.
pub fn lines(found: &Forwarded) -> Vec<String> {
    let join = found.join.as_ref().map_or(String::new(), |(ours, theirs)| {
        format!(" (joined by {} = {})", ours.term(NAME), theirs.term(NAME))
    });
    let mut lines = vec![format!("Postbacks forwarded to the traffic source{join}:")];
    lines.extend(found.told.iter().take(LINES).map(line));
    if found.told.len() > LINES {
        let more = (found.told.len() - LINES) as u64;
        lines.push(format!("  and {}", counted(more, "more traffic source", "more traffic sources")));
    }
    if !found.never_sent.is_empty() {
        let names: Vec<String> = found.never_sent.iter().take(EVENTS).map(|e| e.term(NAME)).collect();
        lines.push(format!("  never sent, and so not missed: {}", names.join(", ")));
    }
    lines
}

fn line(told: &Told) -> String {
    let name =
        told.traffic_source.as_ref().map_or("(no traffic source)".to_owned(), |name: &Text| name.term(NAME));
    let faults: Vec<String> = FAULTS
        .iter()
        .map(|(what, get)| (what, get(told)))
        .filter(|(_, n)| *n > 0)
        .map(|(what, n)| format!("{} {what}", count(n)))
        .collect();
    let faults = if faults.is_empty() { "all as it should be".to_owned() } else { faults.join(", ") };
    format!(
        "  {name}: {} for {}: {faults}",
        counted(told.postbacks, "postback", "postbacks"),
        counted(told.conversions, "conversion", "conversions")
    )
}
