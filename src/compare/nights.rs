//! What changed from one run to the next: who is new, worse, better or cleared, with the money.
//!
//! A group that is not there any more has no verdict, and none is made up for it: it is told as gone if anybody
//! acted on it.

use super::{Group, Key, Side};
use crate::base::error::{Error, Result};
use crate::base::money::Micro;
use crate::base::text::{Text, json_document};
use crate::base::unit::Unit;
use crate::report::Change;
use crate::verdicts::Verdict;
use serde_json::{Value, json as value};

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

/// What changed between two runs.
#[derive(Clone, Debug)]
pub struct Changes {
    pub from: Option<String>,
    pub to: Option<String>,
    pub grain: Vec<String>,
    pub currency: Option<Text>,
    /// By change, then the gravest first, then by money at risk from large to small, then by key.
    pub changed: Vec<Changed>,
    /// Groups at watch or graver that are not in the newer run at all.
    pub gone: Vec<(Key, Group)>,
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
    let of_word = |group: &Group| Verdict::of(&group.verdict).unwrap_or(Verdict::Undecided);
    let change = |(key, group): (&Key, &Group)| {
        let before = old.groups.get(key);
        let change = Change::between(before.map(of_word), of_word(group))?;
        let from = before.map(|group| group.verdict.clone());
        Some(Changed { key: key.clone(), change, from, to: group.verdict.clone(), group: group.clone() })
    };
    let mut changed: Vec<Changed> = new.groups.iter().filter_map(change).collect();
    changed.sort_by_key(|c| (c.change, of_word(&c.group), std::cmp::Reverse(c.group.at_risk), c.key.clone()));
    let acts =
        |(key, group): &(&Key, &Group)| !new.groups.contains_key(*key) && of_word(group) <= Verdict::Watch;
    let gone = old.groups.iter().filter(acts).map(|(key, group)| (key.clone(), group.clone())).collect();
    Ok(Changes {
        from: old.when.clone(),
        to: new.when.clone(),
        grain: new.grain.clone(),
        currency: new.currency.clone(),
        changed,
        gone,
        notes: notes(old, new),
    })
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
        self.changed.is_empty() && self.gone.is_empty()
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
    if !changes.gone.is_empty() {
        out += "\ngone\n";
        for (key, group) in changes.gone.iter().take(SHOWN) {
            out += &format!("  {}: was {}\n", name(key), group.verdict);
        }
        more(&mut out, changes.gone.len());
    }
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
    groups.extend(changes.gone.iter().map(|(key, of)| group(key, Some(&of.verdict), None, "gone", of)));
    let document = value!({
        "schema_version": 1,
        "from": changes.from, "to": changes.to,
        "currency": changes.currency.as_ref().map(Text::json),
        "changes": groups,
        "notes": changes.notes,
    });
    json_document(&format!("{document:#}")) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

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
        told.extend(changes.gone.iter().map(|(key, _)| format!("gone {}", name(key))));
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
