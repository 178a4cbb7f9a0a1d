//! What changed from one run to the next: who is new, worse, better or cleared, with the money.
//!
//! A group that is not there any more has no verdict, and none is made up for it. Between two stored nights it is gone
//! as [`crate::history::Presence`] says; of two reports nothing else is known than that it is at watch or graver in the older one and
//! not in the newer.

use super::{Group, Key, Side};
use crate::base::error::{Error, Result};
use crate::base::money::Micro;
use crate::base::text::{Text, json_document};
use crate::base::unit::Unit;
use crate::history::NAMED_CLICKS;
use crate::report::Change;
use crate::verdicts::Verdict;
use serde_json::{Value, json as value};
use std::collections::BTreeSet;

/// Groups that are named under one heading; the JSON has all.
const SHOWN: usize = 30;
/// Cells of one part of a name, and of a reason.
const NAME: usize = 40;
const REASON: usize = 120;

/// One group that changed.
#[derive(Clone, Debug)]
pub struct Changed {
    pub key: Key,
    pub change: Change,
    /// None where the group was not there.
    pub from: Option<String>,
    pub to: String,
    pub group: Group,
}

/// One group that left.
#[derive(Clone, Debug)]
pub struct Gone {
    pub key: Key,
    /// Its verdict, or `sending a lot`.
    pub was: String,
    /// As it was.
    pub group: Group,
}

/// What changed between two runs.
#[derive(Clone, Debug)]
pub struct Changes {
    pub from: Option<String>,
    pub to: Option<String>,
    pub grain: Vec<String>,
    pub currency: Option<Text>,
    /// By change, then the gravest first, then by money at risk from large to small, then by key.
    pub changed: Vec<Changed>,
    /// Groups that send nothing any more and of whom anybody has to know.
    pub gone: Vec<Gone>,
    /// How many groups were not there before.
    pub arrived: u64,
    /// Those of them with many clicks and without a change of their own, by clicks from large to small.
    pub named: Vec<(Key, Group)>,
    pub notes: Vec<String>,
}

/// Compares two runs.
///
/// # Errors
/// Their groups are made of different columns.
pub fn changes(old: &Side, new: &Side) -> Result<Changes> {
    if old.grain != new.grain {
        let (old, new) = (old.grain.join(","), new.grain.join(","));
        return Err(Error::input(format!("one run is by {old}, the other by {new}"))
            .help("audit both with the same --by"));
    }
    let change = |(key, group): (&Key, &Group)| {
        let before = old.groups.get(key);
        let change = Change::between(before.map(of_word), of_word(group))?;
        let from = before.map(|group| group.verdict.clone());
        let group = Group { why: group.why(before), ..group.clone() };
        Some(Changed { key: key.clone(), change, from, to: group.verdict.clone(), group })
    };
    let mut changed: Vec<Changed> = new.groups.iter().filter_map(change).collect();
    changed.sort_by_key(|c| (c.change, of_word(&c.group), std::cmp::Reverse(c.group.at_risk), c.key.clone()));
    let gone = old.groups.iter().filter_map(|(key, group)| {
        Some(Gone { key: key.clone(), was: was(group, new.groups.get(key))?, group: group.clone() })
    });
    let arrived = || new.groups.iter().filter(|(key, _)| !old.groups.contains_key(*key));
    Ok(Changes {
        from: old.when.clone(),
        to: new.when.clone(),
        grain: new.grain.clone(),
        currency: new.currency.clone(),
        gone: gone.collect(),
        arrived: arrived().count() as u64,
        named: named(arrived(), &changed),
        changed,
        notes: notes(old, new),
    })
}

fn of_word(group: &Group) -> Verdict {
    Verdict::of(&group.verdict).unwrap_or(Verdict::Undecided)
}

/// What a group was that is gone; `None` where it is still there or nobody has to know.
fn was(group: &Group, now: Option<&Group>) -> Option<String> {
    let presence = |group: &Group| group.kept.as_ref().map(|kept| kept.presence);
    match (presence(group), now.map(presence)) {
        (Some(before), None) => Some(before.left(None)?.was(&group.verdict)),
        (Some(before), Some(Some(now))) => Some(before.left(Some(now))?.was(&group.verdict)),
        (None, None) => (of_word(group) <= Verdict::Watch).then(|| group.verdict.clone()),
        (_, Some(_)) => None,
    }
}

/// The groups that were not there before and have enough clicks to be looked at.
fn named<'s>(arrived: impl Iterator<Item = (&'s Key, &'s Group)>, changed: &[Changed]) -> Vec<(Key, Group)> {
    let told: BTreeSet<&Key> = changed.iter().map(|changed| &changed.key).collect();
    let looked_at = |(key, group): &(&Key, &Group)| group.clicks >= NAMED_CLICKS && !told.contains(key);
    let mut named: Vec<(Key, Group)> =
        arrived.filter(looked_at).map(|(key, group)| (key.clone(), group.clone())).collect();
    named.sort_by(|a, b| b.1.clicks.cmp(&a.1.clicks).then_with(|| a.0.cmp(&b.0)));
    named
}

fn notes(old: &Side, new: &Side) -> Vec<String> {
    let mut notes = Vec::new();
    if old.rules_digest != new.rules_digest {
        notes.push("the runs have different rules: what differs may be the rules".to_owned());
    }
    if old.currency != new.currency {
        notes.push("the runs are in different currencies".to_owned());
    }
    notes
}

impl Changes {
    /// The groups of one kind of change.
    fn of(&self, change: Change) -> Vec<&Changed> {
        self.changed.iter().filter(|c| c.change == change).collect()
    }

    /// Nothing that anybody has to know.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.gone.is_empty() && self.named.is_empty()
    }
}

/// The changes for people.
pub fn changes_text(changes: &Changes) -> String {
    let currency = changes.currency.as_ref().map_or(String::new(), |c| format!(" {}", c.term(8)));
    let when = |when: &Option<String>| Text::new(when.as_deref().unwrap_or("a report")).term(NAME);
    let mut out =
        format!("{} to {}, by {}\n", when(&changes.from), when(&changes.to), changes.grain.join(","));
    let counts = Change::ALL.map(|change| {
        let groups = changes.of(change);
        let risk = sum(groups.iter().filter_map(|c| c.group.at_risk));
        let risk = risk.map_or(String::new(), |m| format!(" ({}{currency} at risk)", money(m)));
        format!("{} {}{risk}", groups.len(), change.word())
    });
    out += &format!("{}\n", counts.join(" · "));
    for change in Change::ALL {
        section(&mut out, changes, change, &currency);
    }
    gone(&mut out, changes);
    first_seen(&mut out, changes, &currency);
    if !changes.notes.is_empty() {
        out += "\n";
    }
    changes.notes.iter().for_each(|note| out += &format!("note: {note}\n"));
    out
}

fn section(out: &mut String, changes: &Changes, change: Change, currency: &str) {
    let groups = changes.of(change);
    if groups.is_empty() {
        return;
    }
    *out += &format!("\n{}\n", change.word());
    for changed in groups.iter().take(SHOWN) {
        let from = changed.from.as_deref().unwrap_or("not there");
        let amounts = amounts(&changed.group, currency);
        *out += &format!("  {}: {from} to {} · {amounts}\n", name(&changed.key), changed.to);
        if let Some(why) = &changed.group.why {
            *out += &format!("    {}\n", Text::new(why.as_str()).term(REASON));
        }
    }
    more(out, groups.len());
}

fn gone(out: &mut String, changes: &Changes) {
    if changes.gone.is_empty() {
        return;
    }
    *out += "\ngone\n";
    for gone in changes.gone.iter().take(SHOWN) {
        *out += &format!("  {}: was {}\n", name(&gone.key), Text::new(gone.was.as_str()).term(NAME));
    }
    more(out, changes.gone.len());
}

/// Who was not there before: all of them as a number, and those with many clicks.
fn first_seen(out: &mut String, changes: &Changes, currency: &str) {
    if changes.arrived == 0 {
        return;
    }
    let (all, named) = (Unit::Count.format(changes.arrived as f64), changes.named.len());
    *out += &format!(
        "\nfirst seen: {all}; {named} of them with {NAMED_CLICKS} clicks or more and no change above\n"
    );
    for (key, group) in changes.named.iter().take(SHOWN) {
        *out += &format!("  {}: {} · {}\n", name(key), group.verdict, amounts(group, currency));
    }
    more(out, named);
}

fn more(out: &mut String, n: usize) {
    if n > SHOWN {
        *out += &format!("  and {} more; --format json has all\n", n - SHOWN);
    }
}

fn amounts(group: &Group, currency: &str) -> String {
    let mut parts = vec![format!("{} clicks", Unit::Count.format(group.clicks as f64))];
    parts.extend(group.spend.map(|m| format!("{}{currency} spent", money(m))));
    parts.extend(group.at_risk.map(|m| format!("{}{currency} at risk", money(m))));
    parts.join(", ")
}

fn money(amount: Micro) -> String {
    Unit::Money.format(amount.units())
}

fn sum(amounts: impl Iterator<Item = Micro>) -> Option<Micro> {
    amounts.reduce(|a, b| Micro(a.0.saturating_add(b.0)))
}

fn name(key: &Key) -> String {
    let parts: Vec<String> = key.iter().flatten().map(|part| part.term(NAME)).collect();
    if parts.is_empty() { "(none)".to_owned() } else { parts.join("/") }
}

/// The changes for programs.
pub fn changes_json(changes: &Changes) -> String {
    let key = |key: &Key| -> Value {
        let columns = changes.grain.iter().zip(key);
        columns.map(|(name, part)| (name.clone(), value!(part.as_ref().map(Text::json)))).collect()
    };
    let group = |of: &Key, from: Option<&str>, to: Option<&str>, change: &str, group: &Group| {
        value!({
            "key": key(of), "change": change, "from": from, "to": to, "clicks": group.clicks,
            "spend": group.spend.map(Micro::to_cents), "revenue": group.revenue.map(Micro::to_cents),
            "money_at_risk": group.at_risk.map(Micro::to_cents),
            "why": group.why.as_ref().map(|why| Text::new(why.as_str()).json()),
        })
    };
    let changed = changes.changed.iter();
    let mut groups: Vec<Value> =
        changed.map(|c| group(&c.key, c.from.as_deref(), Some(&c.to), c.change.word(), &c.group)).collect();
    groups.extend(changes.gone.iter().map(|gone| {
        let mut told = group(&gone.key, Some(&gone.group.verdict), None, "gone", &gone.group);
        told["why"] = format!("it was {}", Text::new(gone.was.as_str()).json()).into();
        told
    }));
    let named = changes.named.iter().map(|(key, of)| group(key, None, Some(&of.verdict), "first_seen", of));
    let document = value!({
        "schema_version": 1,
        "from": changes.from, "to": changes.to,
        "currency": changes.currency.as_ref().map(Text::json),
        "changes": groups,
        "first_seen": {"all": changes.arrived, "groups": named.collect::<Vec<Value>>()},
        "notes": changes.notes,
    });
    json_document(&format!("{document:#}")) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Remembered;
    use crate::history::Presence;
    use crate::verdicts::{Pin, Pinned, State};

    fn side(groups: &[(&str, &str, i64)]) -> Side {
        let group = |&(name, verdict, risk): &(&str, &str, i64)| {
            let group = Group {
                verdict: verdict.to_owned(),
                fired: Default::default(),
                clicks: 10,
                spend: None,
                revenue: None,
                at_risk: Some(Micro(risk * 1_000_000)),
                why: Some("too fast".to_owned()),
                kept: None,
            };
            (vec![Some(Text::new(name))], group)
        };
        Side {
            grain: vec!["source".to_owned()],
            groups: groups.iter().map(group).collect(),
            ..Side::default()
        }
    }

    fn told(old: &[(&str, &str, i64)], new: &[(&str, &str, i64)]) -> String {
        let changes = changes(&side(old), &side(new)).expect("the same grain");
        let one = |c: &Changed| format!("{} {}", c.change.word(), c.key[0].as_ref().map_or("", |k| k.raw()));
        let mut told: Vec<String> = changes.changed.iter().map(one).collect();
        told.extend(changes.gone.iter().map(|gone| format!("gone {}", name(&gone.key))));
        told.join(", ")
    }

    #[test]
    fn changes_are_told_gravest_first() {
        let old =
            [("a", "clean", 0), ("b", "watch", 0), ("c", "block", 0), ("d", "hold", 0), ("e", "hold", 0)];
        let new = [
            ("a", "hold", 5),
            ("b", "block", 1),
            ("c", "hold", 1),
            ("d", "clean", 0),
            ("n", "block", 1),
            ("m", "block", 9),
            ("o", "clean", 0),
        ];
        assert_eq!(told(&old, &new), "new m, new n, new a, worse b, better c, cleared d, gone e");
        assert_eq!(told(&new, &new), "");
    }

    #[test]
    fn what_is_gone_and_what_is_undecided_is_not_called_better() {
        assert_eq!(told(&[("a", "watch", 0)], &[("a", "undecided", 0)]), "cleared a");
        assert_eq!(told(&[("a", "clean", 0)], &[]), "");
        assert_eq!(told(&[("a", "undecided", 0)], &[("a", "clean", 0)]), "");
    }

    /// A stored night of one group: verdict, whether it sends, and who pinned it.
    fn night(verdict: &str, sends: bool, pin: Option<Pin>) -> Side {
        let mut side = side(&[("a", verdict, 0)]);
        let group = side.groups.values_mut().next().expect("a group");
        let flagged = matches!(verdict, "block" | "hold");
        let state = State { reason: "too fast; 2 of the last 3 nights".to_owned(), ..State::default() };
        let presence = Presence { sends, flagged, alarmed: false };
        group.kept = Some(Box::new(Remembered { state, pin, presence }));
        side
    }

    #[test]
    fn a_pin_is_the_reason_while_it_holds_and_when_it_ends() {
        let pin =
            Pin { pinned: Pinned::Block, until: 20_530, reason: "seen".to_owned(), by: "ana".to_owned() };
        let (free, pinned) = (night("clean", true, None), night("block", true, Some(pin)));
        let why = |old, new| changes(old, new).expect("the same grain").changed.remove(0).group.why;
        assert_eq!(why(&free, &pinned).as_deref(), Some("pinned as block until 2026-03-18 by ana: seen"));
        let over = why(&pinned, &night("watch", true, None)).expect("a reason");
        assert!(over.starts_with("no longer pinned as block; "), "{over}");
    }

    #[test]
    fn a_night_without_traffic_is_gone_once() {
        let gone = |old: &Side, new: &Side| {
            let gone = changes(old, new).expect("the same grain").gone;
            gone.into_iter().map(|gone| gone.was).collect::<Vec<String>>()
        };
        let (sends, away) = (night("block", true, None), night("block", false, None));
        assert_eq!(gone(&sends, &away), ["block"]);
        assert!(gone(&away, &away).is_empty() && gone(&sends, &sends).is_empty());
        assert!(gone(&night("clean", true, None), &night("clean", false, None)).is_empty());
        assert_eq!(gone(&sends, &side(&[])), ["block"]);
    }

    #[test]
    fn who_was_never_there_is_counted_and_named_if_it_sends_much() {
        let mut new = side(&[("a", "clean", 0), ("b", "clean", 0), ("c", "block", 0)]);
        new.groups.values_mut().skip(1).for_each(|group| group.clicks = 608);
        let changes = changes(&side(&[]), &new).expect("the same grain");
        let text = changes_text(&changes);
        let told =
            "first seen: 3; 1 of them with 100 clicks or more and no change above\n  b: clean · 608 clicks";
        assert!(text.contains(told), "{text}");
        let document: Value = serde_json::from_str(&changes_json(&changes)).expect("JSON");
        assert_eq!(document["first_seen"]["all"], 3);
        assert_eq!(document["first_seen"]["groups"][0]["key"]["source"], "b");
    }

    #[test]
    fn the_text_has_the_money_and_the_json_has_all() {
        let changes =
            changes(&side(&[]), &side(&[("a", "block", 5), ("b", "hold", 2)])).expect("the same grain");
        let text = changes_text(&changes);
        assert!(text.contains("2 new (7.00 at risk) · 0 worse · 0 better · 0 cleared"), "{text}");
        assert!(text.contains("a: not there to block · 10 clicks, 5.00 at risk"), "{text}");
        let document: Value = serde_json::from_str(&changes_json(&changes)).expect("JSON");
        assert_eq!(document["changes"][1]["money_at_risk"], "2.00");
    }
}
