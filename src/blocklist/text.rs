//! Plans, lists and their history in words for a terminal.

use super::plan::{Change, Plan};
use super::report::Volume;
use super::state::{Entry, Kind, Left, Revision, named};
use crate::base::money::Micro;
use crate::base::unit::Unit;

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
    let (new, gone) = (count(Change::Add), plan.gone(list));
    if new + gone + stay == 0 {
        return format!("\n{} list: empty\n", list.word());
    }
    let mut out = format!("\n{} list: +{new} -{gone} ={stay}\n", list.word());
    let gone = Change::GONE.iter().map(|(change, what)| (*change, '-', *what));
    let stay = [
        (Change::Renew, '=', "matched again"),
        (Change::Keep, '=', "without a new match, stay until they run out"),
    ];
    for (change, sign, what) in [(Change::Add, '+', "new")].into_iter().chain(gone).chain(stay) {
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
    format!("{}, {}, until {}{again}", why(entry), affected(volume, plan), &entry.expires)
}

/// The rule that put it there; a source to scale has none.
fn why(entry: &Entry) -> &str {
    if entry.rule.is_empty() { "clean, earns more than the target" } else { &entry.rule }
}

/// Clicks, spend and revenue, each with its share of the run.
fn affected(volume: &Volume, plan: &Plan) -> String {
    let share = |part: f64, whole: f64| {
        if whole > 0.0 { format!(" ({:.1} %)", 100.0 * part / whole) } else { String::new() }
    };
    let currency = plan.currency.as_ref().map_or(String::new(), |c| format!(" {c}"));
    let money = |what: &str, part: Micro, whole: Micro| {
        let amount = Unit::Money.format(part.units());
        format!("{what} {amount}{currency}{}", share(part.0 as f64, whole.0 as f64))
    };
    format!(
        "{} {}{}, {}, {}",
        Unit::Count.format(volume.clicks as f64),
        if volume.clicks == 1 { "click" } else { "clicks" },
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
                why(entry),
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
                    let left =
                        if sign == '-' { format!(": {}", left(revision, entry)) } else { String::new() };
                    out.push_str(&format!(
                        "  {sign} {:<6}  {name}  {}{left}\n",
                        entry.list.word(),
                        why(entry)
                    ));
                }
            }
        }
        before = Some(revision);
    }
    out
}

/// Why an entry that stood before is not on its list in this revision.
fn left(revision: &Revision, entry: &Entry) -> String {
    let same = |e: &&Entry| e.list == entry.list && e.key == entry.key;
    match revision.entries.iter().find(same) {
        Some(Entry { left: Some(why), .. }) => why.words().to_owned(),
        Some(Entry { expired: false, .. }) => Left::NotToScale.words().to_owned(),
        Some(_) => "off the list".to_owned(),
        None => format!("taken off by {}", crate::base::text::Text::new(revision.action.as_str()).term(NAME)),
    }
}

/// The entries that stand in `a` and not in `b`.
fn difference<'r>(a: &'r Revision, b: Option<&Revision>, id: Option<&str>) -> Vec<&'r Entry> {
    let stands = |r: &Revision, e: &Entry| r.standing(e.list).any(|o| o.key == e.key);
    let meant = |e: &&Entry| id.is_none_or(|id| e.key.values().flatten().any(|v| v == id));
    let standing = Kind::ALL.into_iter().flat_map(|list| a.standing(list));
    standing.filter(|e| b.is_none_or(|b| !stands(b, e))).filter(meant).collect()
}
