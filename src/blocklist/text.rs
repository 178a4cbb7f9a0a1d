//! Plans, lists and their history in words for a terminal.

use super::plan::{Change, Plan};
use super::report::Volume;
use super::state::{Entry, Kind, Revision, named};
use crate::base::money::Micro;

/// Entries shown by name.
const SHOWN: usize = 10;
/// Cells of a name.
const NAME: usize = 48;

/// What a plan would do, list by list; the largest names first.
pub fn plan(plan: &Plan) -> String {
    let mut out =
        format!("revision {} -> {}, as of {}\n", plan.before, plan.after.revision, plan.after.as_of);
    for list in Kind::ALL {
        out.push_str(&of_list(plan, list));
    }
    if let Some(brake) = &plan.brake {
        out.push_str(&format!("cannot be applied: {brake}\n"));
    }
    out
}

fn of_list(plan: &Plan, list: Kind) -> String {
    let count = |change| plan.of(change, list).count();
    let stay = count(Change::Renew) + count(Change::Keep);
    let [new, gone, protected] = [Change::Add, Change::Expire, Change::Protect].map(count);
    if new + gone + protected + stay == 0 {
        return format!("\n{} list: empty\n", list.word());
    }
    let mut out = format!("\n{} list: +{new} -{} ={stay}\n", list.word(), gone + protected);
    for (change, sign, what) in [
        (Change::Add, '+', "new"),
        (Change::Expire, '-', "run out"),
        (Change::Protect, '-', "protected now"),
        (Change::Renew, '=', "matched again"),
        (Change::Keep, '=', "without a new match, stay until they run out"),
    ] {
        out.push_str(&of_change(plan, list, change, sign, what));
    }
    out
}

fn of_change(plan: &Plan, list: Kind, change: Change, sign: char, what: &str) -> String {
    let mut entries: Vec<&(Change, Entry, Volume)> = plan.of(change, list).collect();
    if entries.is_empty() {
        return String::new();
    }
    let volume: Volume = entries.iter().map(|(_, _, v)| *v).sum();
    let mut out = format!("  {sign} {} {what}: {}\n", entries.len(), affected(&volume, plan));
    entries.sort_by_key(|(_, e, v)| (std::cmp::Reverse((v.spend, v.clicks)), e.key.clone()));
    let shown = if change == Change::Keep { 0 } else { SHOWN };
    for (_, entry, volume) in entries.iter().take(shown) {
        out.push_str(&format!(
            "      {:<NAME$}  {}\n",
            named(&entry.key, &entry.grain).term(NAME),
            line(entry, volume, plan)
        ));
    }
    if shown > 0 && entries.len() > shown {
        out.push_str(&format!("      and {} more\n", entries.len() - shown));
    }
    out
}

fn line(entry: &Entry, volume: &Volume, plan: &Plan) -> String {
    let again = if entry.times > 1 { format!(", time {}", entry.times) } else { String::new() };
    format!("{}, {}, until {}{again}", entry.rule, affected(volume, plan), &entry.expires)
}

/// Clicks, spend and revenue, each with its share of the run.
fn affected(volume: &Volume, plan: &Plan) -> String {
    let share = |part: f64, whole: f64| {
        if whole > 0.0 { format!(" ({:.1} %)", 100.0 * part / whole) } else { String::new() }
    };
    let currency = plan.currency.as_ref().map_or(String::new(), |c| format!(" {c}"));
    let money = |what: &str, part: Micro, whole: Micro| {
        format!("{what} {part}{currency}{}", share(part.0 as f64, whole.0 as f64))
    };
    format!(
        "{} clicks{}, {}, {}",
        volume.clicks,
        share(volume.clicks as f64, plan.total.clicks as f64),
        money("spend", volume.spend, plan.total.spend),
        money("revenue", volume.revenue, plan.total.revenue)
    )
}

/// What stands on the lists.
pub fn state(revision: &Revision) -> String {
    let mut out = format!("revision {}, as of {}\n", revision.revision, revision.as_of);
    for list in Kind::ALL {
        for entry in revision.standing(list) {
            let name = named(&entry.key, &entry.grain).term(NAME);
            out.push_str(&format!(
                "{:<6}  {name:<NAME$}  {}  since {}, last match {}, until {}, by {}\n",
                list.word(),
                entry.rule,
                entry.first_seen,
                entry.last_match,
                entry.expires,
                crate::base::text::Text::new(entry.by.as_str()).term(NAME)
            ));
        }
    }
    out
}

/// What changed from revision to revision, oldest first; of one ID where one is named.
pub fn history(revisions: &[Revision], id: Option<&str>) -> String {
    let mut out = String::new();
    let mut before: Option<&Revision> = None;
    for revision in revisions {
        let (added, removed) = (
            difference(revision, before, id),
            before.map_or_else(Vec::new, |b| difference(b, Some(revision), id)),
        );
        if id.is_none() || !added.is_empty() || !removed.is_empty() {
            out.push_str(&format!(
                "revision {:>4}  {}  {}, by {}: +{} -{}\n",
                revision.revision,
                revision.as_of,
                crate::base::text::Text::new(revision.action.as_str()).term(NAME),
                crate::base::text::Text::new(revision.by.as_str()).term(NAME),
                added.len(),
                removed.len()
            ));
            for (sign, entries) in [('+', &added), ('-', &removed)] {
                for entry in entries.iter().take(SHOWN) {
                    let name = named(&entry.key, &entry.grain).term(NAME);
                    out.push_str(&format!("  {sign} {:<6}  {name}  {}\n", entry.list.word(), entry.rule));
                }
            }
        }
        before = Some(revision);
    }
    out
}

/// The entries that stand in `a` and not in `b`.
fn difference<'r>(a: &'r Revision, b: Option<&Revision>, id: Option<&str>) -> Vec<&'r Entry> {
    let stands = |r: &Revision, e: &Entry| r.standing(e.list).any(|o| o.key == e.key);
    let meant = |e: &&Entry| id.is_none_or(|id| e.key.values().flatten().any(|v| v == id));
    let standing = Kind::ALL.into_iter().flat_map(|list| a.standing(list));
    standing.filter(|e| b.is_none_or(|b| !stands(b, e))).filter(meant).collect()
}
