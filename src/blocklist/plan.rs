//! What a report would change on the lists. Pure: nothing is read or written here.

use super::report::{Group, Run, Volume};
use super::state::{Entry, Key, Kind, Left, Revision, cut};
use crate::base::error::{Error, Result};
use crate::base::time::{self, DAY, TimeFormat, TimeReader};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a plan is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// Days that an entry stays after it last matched: blocks, profit cuts, sources to scale.
    pub ttl_days: [u32; 3],
    /// The most entries that may be added in one step.
    pub max_new: usize,
    /// The largest part of the run's sources, clicks, spend and revenue that new entries may hold.
    pub max_source_share: f64,
    pub max_click_share: f64,
    pub max_spend_share: f64,
    pub max_revenue_share: f64,
    /// The largest part of a list that may go in one step.
    pub max_shrink: f64,
    /// Who is to blame.
    pub by: String,
}

impl Default for Options {
    /// Fraud stays two weeks, what loses money three days: prices change faster than people.
    fn default() -> Options {
        Options {
            ttl_days: [14, 3, 7],
            max_new: 50,
            max_source_share: 0.25,
            max_click_share: 0.25,
            max_spend_share: 0.25,
            max_revenue_share: 0.5,
            max_shrink: 0.5,
            by: "clickaudit".to_owned(),
        }
    }
}

/// No entry stays longer, however often it came back.
const LONGEST_DAYS: u32 = 90;
/// Below so many sources a share of them says nothing.
const FEW_SOURCES: usize = 20;
/// Below so many entries a list may shrink as it likes.
const SMALL_LIST: usize = 10;

/// What happens to one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    Add,
    /// It matched again and stays longer.
    Renew,
    /// It did not match; it stays as long as it was given.
    Keep,
    /// Its time has run out.
    Expire,
    /// It is protected now.
    Protect,
    /// It is in the report and no longer to be scaled, or it is on a list of sources to cut.
    Drop,
}

impl Change {
    /// Those that take an entry off its list, with what is said of it.
    pub const GONE: &[(Change, &str)] = &[
        (Change::Expire, "run out"),
        (Change::Protect, "protected now"),
        (Change::Drop, "no longer to be scaled"),
    ];
}

/// The changes and the state after them.
#[derive(Clone, Debug)]
pub struct Plan {
    pub before: u64,
    pub after: Revision,
    /// Every entry that stands before or after, with what happens to it and its traffic in the run.
    pub changes: Vec<(Change, Entry, Volume)>,
    /// The traffic of the whole run.
    pub total: Volume,
    pub sources: usize,
    pub currency: Option<String>,
    /// Why the plan must not be applied.
    pub brake: Option<String>,
}

/// Plans the step from a state to the next.
///
/// # Errors
/// The report is older than the list.
pub fn plan(
    before: &Revision,
    run: &Run,
    protected: &dyn Fn(&Entry) -> bool,
    options: &Options,
) -> Result<Plan> {
    if run.as_of < before.as_of {
        return Err(Error::input(format!(
            "the report reaches up to {}, the list to {}: it is older than what stands",
            run.as_of, before.as_of
        ))
        .help("use the newest report; to go back use `blocklist restore`"));
    }
    let shielded: BTreeSet<&Key> = run.groups.iter().filter(|g| g.protected).map(|g| &g.key).collect();
    let protected = &|entry: &Entry| protected(entry) || shielded.contains(&entry.key);
    let volumes: BTreeMap<&Key, Volume> = run.groups.iter().map(|g| (&g.key, g.volume)).collect();
    let seen: BTreeSet<&Key> = volumes.keys().copied().collect();
    let step = Step { run, seen, now: moment(&run.as_of)?, protected, options };
    let mut changes: Vec<(Change, Entry)> = Vec::new();
    // Sources to scale come last: who is cut is none.
    for list in Kind::ALL {
        let of_list = step.of_list(before, list, &cut(changes.iter().map(|(_, e)| e)))?;
        changes.extend(of_list);
    }
    let after = Revision {
        revision: before.revision + 1,
        as_of: run.as_of.clone(),
        report: run.digest.clone(),
        action: "apply".to_owned(),
        by: options.by.clone(),
        entries: changes.iter().map(|(_, entry)| entry.clone()).collect(),
        ..Revision::empty()
    };
    let told = |change: &Change, e: &Entry| *change != Change::Keep || !e.expired;
    let changes = changes.into_iter().filter(|(c, e)| told(c, e));
    let mut plan = Plan {
        before: before.revision,
        changes: changes
            .map(|(c, e)| (c, e.clone(), volumes.get(&e.key).copied().unwrap_or_default()))
            .collect(),
        after,
        total: run.groups.iter().map(|g| g.volume).sum(),
        sources: run.groups.len(),
        currency: run.currency.clone(),
        brake: None,
    };
    plan.brake = brake(&plan, options);
    Ok(plan)
}

/// What one step rests on.
struct Step<'r> {
    run: &'r Run,
    /// Every group of the run.
    seen: BTreeSet<&'r Key>,
    now: i64,
    protected: &'r dyn Fn(&Entry) -> bool,
    options: &'r Options,
}

impl Step<'_> {
    /// What happens on one list, by key; `cut` are those on the lists before it.
    fn of_list(&self, before: &Revision, list: Kind, cut: &BTreeSet<&Key>) -> Result<Vec<(Change, Entry)>> {
        let no_scale = |key: &Key| list == Kind::Scale && cut.contains(key);
        let fits = |g: &&Group| g.listed == Some(list) && !g.protected && !no_scale(&g.key);
        let mut new: BTreeMap<&Key, &Group> =
            self.run.groups.iter().filter(fits).map(|g| (&g.key, g)).collect();
        let mut changes = Vec::new();
        for entry in before.entries.iter().filter(|e| e.list == list) {
            let unfit = no_scale(&entry.key) || list == Kind::Scale && self.seen.contains(&entry.key);
            changes.push(self.stay(entry, new.remove(&entry.key), unfit)?);
        }
        let fresh = new.into_values().map(|group| fresh(list, group, self.run, self.now, self.options));
        changes.extend(fresh.filter(|e| !(self.protected)(e)).map(|entry| (Change::Add, entry)));
        changes.sort_by(|a, b| a.1.key.cmp(&b.1.key));
        Ok(changes)
    }

    /// What becomes of an entry that was there: those that left stay to be counted. An `unfit` one leaves unless
    /// it matched.
    fn stay(&self, entry: &Entry, group: Option<&Group>, unfit: bool) -> Result<(Change, Entry)> {
        let mut next = entry.clone();
        let leave = |change, why| if entry.expired { (Change::Keep, why) } else { (change, why) };
        if (self.protected)(entry) {
            let (change, why) = leave(Change::Protect, Left::Protected);
            return Ok((change, next.off(why)));
        }
        let Some(group) = group else {
            return Ok(match () {
                () if entry.expired => (Change::Keep, next),
                () if unfit => (Change::Drop, next.off(Left::NotToScale)),
                () if moment(&entry.expires)? <= self.now => (Change::Expire, next.off(Left::RunOut)),
                () => (Change::Keep, next),
            });
        };
        let change = if entry.expired { Change::Add } else { Change::Renew };
        if entry.expired {
            (next.times, next.first_seen) = (entry.times + 1, self.run.as_of.clone());
            (next.expired, next.left) = (false, None);
            next.by.clone_from(&self.options.by);
        }
        (next.rule, next.title) = (group.rule.clone(), group.title.clone());
        next.last_match.clone_from(&self.run.as_of);
        next.expires = until(self.now, next.list, next.times, self.options);
        Ok((change, next))
    }
}

/// An earlier revision as it holds now: without what ran out since or is protected, by a list or by the state.
///
/// # Errors
/// A state with a moment that is none.
pub fn restore(
    now: &Revision,
    old: &Revision,
    protected: &dyn Fn(&Entry) -> bool,
    by: &str,
) -> Result<Revision> {
    let shielded = remembered(now);
    let mut entries = Vec::new();
    for entry in old.entries.iter().cloned() {
        entries.push(match () {
            () if protected(&entry) || shielded.contains(&entry.key) => entry.off(Left::Protected),
            () if !entry.expired && moment(&entry.expires)? <= moment(&now.as_of)? => entry.off(Left::RunOut),
            () => entry,
        });
    }
    let known: BTreeSet<(Kind, Key)> = entries.iter().map(|e| (e.list, e.key.clone())).collect();
    let others = now.entries.iter().filter(|e| !known.contains(&(e.list, e.key.clone())));
    entries.extend(others.filter(|e| e.left == Some(Left::Protected)).cloned());
    entries.sort_by(|a, b| (a.list, &a.key).cmp(&(b.list, &b.key)));
    Ok(Revision {
        revision: now.revision + 1,
        as_of: now.as_of.clone(),
        report: String::new(),
        action: format!("restore {}", old.revision),
        by: by.to_owned(),
        entries,
        ..Revision::empty()
    })
}

/// Whom the newest state knows to be protected: who left for that reason and has not come back.
fn remembered(now: &Revision) -> BTreeSet<&Key> {
    let back = |e: &&Entry| !now.entries.iter().any(|o| o.key == e.key && !o.expired);
    let left = now.entries.iter().filter(|e| e.left == Some(Left::Protected));
    left.filter(back).map(|e| &e.key).collect()
}

impl Revision {
    /// The state without those who are protected.
    pub fn without(self, protected: &dyn Fn(&Entry) -> bool) -> Revision {
        let entries =
            self.entries.into_iter().map(|e| if protected(&e) { e.off(Left::Protected) } else { e });
        Revision { entries: entries.collect(), ..self }
    }
}

fn fresh(list: Kind, group: &Group, run: &Run, now: i64, options: &Options) -> Entry {
    Entry {
        list,
        key: group.key.clone(),
        grain: run.grain.clone(),
        rule: group.rule.clone(),
        title: group.title.clone(),
        first_seen: run.as_of.clone(),
        last_match: run.as_of.clone(),
        expires: until(now, list, 1, options),
        times: 1,
        by: options.by.clone(),
        expired: false,
        left: None,
    }
}

/// Each time on the list is twice as long as the one before.
fn until(now: i64, list: Kind, times: u32, options: &Options) -> String {
    let first = options.ttl_days[list as usize];
    let days = first.saturating_mul(1 << (times - 1).min(16)).min(LONGEST_DAYS.max(first));
    time::show(now + i64::from(days) * DAY)
}

fn moment(text: &str) -> Result<i64> {
    let zone = "UTC".parse().map_err(Error::usage)?;
    let reader = TimeReader { format: TimeFormat::Iso, zone };
    reader.read(text.as_bytes()).map_err(|_| {
        let found = crate::base::text::Text::new(text).term(40);
        Error::input(format!("`{found}` is no moment such as 2026-03-15T23:59:52Z"))
    })
}

impl Plan {
    /// The changes of one kind on the lists of these kinds.
    pub fn of(&self, change: Change, list: Kind) -> impl Iterator<Item = &(Change, Entry, Volume)> {
        self.changes.iter().filter(move |(c, e, _)| *c == change && e.list == list)
    }

    /// How many entries leave a list.
    pub fn gone(&self, list: Kind) -> usize {
        Change::GONE.iter().map(|(change, _)| self.of(*change, list).count()).sum()
    }

    /// Whether any line of a list would be another.
    pub fn changes_a_list(&self) -> bool {
        self.changes.iter().any(|(c, _, _)| !matches!(c, Change::Keep | Change::Renew))
    }
}

/// The first limit that a list breaks; scale lists cut nobody off and have none.
fn brake(plan: &Plan, options: &Options) -> Option<String> {
    [Kind::Block, Kind::Profit]
        .into_iter()
        .find_map(|list| growth(plan, list, options).or_else(|| shrink(plan, list, options)))
}

fn growth(plan: &Plan, list: Kind, options: &Options) -> Option<String> {
    let new: Vec<Volume> = plan.of(Change::Add, list).map(|(_, _, volume)| *volume).collect();
    let word = list.word();
    if new.len() > options.max_new {
        return Some(format!(
            "safety brake max_new: the {word} list would get {} new entries, the limit is {}",
            new.len(),
            options.max_new
        ));
    }
    let added: Volume = new.iter().copied().sum();
    let money = |volume: &Volume| (volume.spend.0 as f64, volume.revenue.0 as f64);
    let ((spend, revenue), (all_spend, all_revenue)) = (money(&added), money(&plan.total));
    [
        ("max_source_share", "sources", options.max_source_share, new.len() as f64, plan.sources as f64),
        ("max_click_share", "clicks", options.max_click_share, added.clicks as f64, plan.total.clicks as f64),
        ("max_spend_share", "spend", options.max_spend_share, spend, all_spend),
        ("max_revenue_share", "revenue", options.max_revenue_share, revenue, all_revenue),
    ]
    .into_iter()
    .filter(|(name, ..)| *name != "max_source_share" || plan.sources >= FEW_SOURCES)
    .find(|(_, _, limit, part, whole)| *whole > 0.0 && part / whole > *limit)
    .map(|(name, what, limit, part, whole)| {
        format!(
            "safety brake {name}: new entries of the {word} list hold {:.1} % of all {what}, the limit is {:.1} %",
            100.0 * part / whole,
            100.0 * limit
        )
    })
}

fn shrink(plan: &Plan, list: Kind, options: &Options) -> Option<String> {
    let count = |change| plan.of(change, list).count();
    let gone = plan.gone(list);
    let before = gone + count(Change::Keep) + count(Change::Renew);
    let share = gone as f64 / before.max(1) as f64;
    (before >= SMALL_LIST && share > options.max_shrink).then(|| {
        format!(
            "safety brake max_shrink: {gone} of {before} entries would leave the {} list, the limit is {:.0} %",
            list.word(),
            100.0 * options.max_shrink
        )
    })
}
