//! The lines of a blocklist, and the brakes that keep a bug or an attack from blocking the business.
//!
//! A list holds blocked groups only, none that is protected, and only IDs that no list format can mistake
//! for something else; what is left out is handed back with the reason. When a brake holds there is no
//! list at all, never a shortened one.

use super::{Judged, Verdict};
use crate::base::column::Col;
use crate::base::lists::Listed;
use crate::base::money::Micro;
use crate::base::networks;
use crate::base::text::Text;
use crate::base::unit::Unit;
use crate::rules::Class;
use std::collections::BTreeSet;

/// The largest part of the whole input that one run may block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Brake {
    pub max_source_share: f64,
    pub max_click_share: f64,
    /// Of the spend; where no cost is known and no click was read, of the payouts at stake.
    pub max_spend_share: f64,
    pub max_revenue_share: f64,
}

/// The whole input, of which a list blocks a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Whole {
    pub clicks: u64,
    pub spend: Option<Micro>,
    pub revenue: Option<Micro>,
}

impl Default for Brake {
    /// A quarter of any, half of the revenue: more is a fault of the input or the rules before it is fraud. What
    /// is faked is revenue first, so that a fraud holds more of it than of the clicks.
    fn default() -> Brake {
        let quarter = 0.25;
        Brake {
            max_source_share: quarter,
            max_click_share: quarter,
            max_spend_share: quarter,
            max_revenue_share: 0.5,
        }
    }
}

/// Below so many groups a share of them says nothing: one of three is a third.
const FEW_GROUPS: usize = 20;

/// Which blocked groups a list is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// Fraud, quality and data.
    Block,
    /// Cuts for profit, which accuse nobody.
    Profit,
}

/// The lines of one list.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Sorted, each once.
    pub ids: Vec<String>,
    /// Groups that could not be listed, with the reason; sorted.
    pub rejected: Vec<(Text, &'static str)>,
    /// The groups behind the IDs and behind what only some dialects hold, sorted.
    pub listed: Vec<Listed>,
    /// Why the IDs cannot stand on one list: they are of several traffic sources.
    pub mixed: Option<String>,
}

/// Why there is no list.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Braked(pub String);

/// Lists the blocked groups of a kind, those of the traffic source `list_for` if it is given. A line is
/// the values of the grain's columns without the traffic source, joined with `:`.
///
/// # Errors
/// A brake holds: more of the sources, the clicks, the spend or the revenue than it allows would be blocked; or
/// no group belongs to `list_for`.
pub fn listing(
    judged: &[Judged],
    kind: ListKind,
    list_for: Option<&str>,
    brake: &Brake,
    whole: &Whole,
) -> Result<Listing, Braked> {
    let scope = in_scope(judged, list_for)?;
    let blocked: Vec<&Judged> = scope.iter().copied().filter(|j| is_listed(j, kind)).collect();
    let protected: BTreeSet<String> = scope.iter().filter(|j| j.protected).map(|j| raw_line(j)).collect();
    let (mut listing, listed) = lines(&blocked, &protected);
    if list_for.is_none() {
        listing.mixed = mixed(&blocked, "blocked groups");
    }
    brake.check(&listed, judged, whole)?;
    Ok(listing)
}

/// The groups of one traffic source, or all.
pub(super) fn in_scope<'j, 'r>(
    judged: &'j [Judged<'r>],
    list_for: Option<&str>,
) -> Result<Vec<&'j Judged<'r>>, Braked> {
    let Some(name) = list_for else { return Ok(judged.iter().collect()) };
    let scope: Vec<&Judged> =
        judged.iter().filter(|j| traffic_source(j).flatten().is_some_and(|t| t.raw() == name)).collect();
    if scope.is_empty() && !judged.is_empty() {
        return Err(no_such_traffic_source(name, judged));
    }
    Ok(scope)
}

fn is_listed(judged: &Judged, kind: ListKind) -> bool {
    let profit = judged.class == Some(Class::Profit);
    judged.verdict == Verdict::Block && !judged.protected && profit == (kind == ListKind::Profit)
}

/// The traffic source that an ID is valid in; `None` where the grain has none.
fn traffic_source<'j>(judged: &'j Judged) -> Option<Option<&'j Text>> {
    let columns = judged.subject.grain.columns();
    let at = columns.iter().position(|c| *c == Col::TrafficSource).filter(|_| columns.len() > 1)?;
    Some(judged.subject.key.get(at).and_then(Option::as_ref))
}

/// Why these groups cannot share a list, if they cannot: they are of several traffic sources; `what` they are is
/// said.
pub(super) fn mixed(groups: &[&Judged], what: &str) -> Option<String> {
    let found: BTreeSet<Option<&Text>> = groups.iter().filter_map(|j| traffic_source(j)).collect();
    (found.len() > 1).then(|| {
        format!(
            "the {what} belong to {} traffic sources ({}), and equal IDs of two of them would merge on \
             one list; say which one the list is for with --list-for, or write {{traffic_source}} into its path",
            found.len(),
            some_of(found)
        )
    })
}

fn no_such_traffic_source(name: &str, judged: &[Judged]) -> Braked {
    let found: BTreeSet<Option<&Text>> = judged.iter().filter_map(traffic_source).collect();
    let there = match found.len() {
        0 => "the audited groups have no traffic source".to_owned(),
        _ => format!("there are {}", some_of(found)),
    };
    Braked(format!("no audited group belongs to the traffic source {}; {there}", Text::new(name).term(40)))
}

/// The first few names for a message.
fn some_of(names: BTreeSet<Option<&Text>>) -> String {
    const SHOWN: usize = 5;
    let more = names.len().saturating_sub(SHOWN);
    let name = |t: Option<&Text>| t.map_or_else(|| "(none)".to_owned(), |t| t.term(40));
    let mut shown: Vec<String> = names.into_iter().take(SHOWN).map(name).collect();
    if more > 0 {
        shown.push(format!("{more} more"));
    }
    shown.join(", ")
}

/// Splits groups into the list and what a list cannot hold; also the groups listed.
pub(super) fn lines<'j, 'r>(
    groups: &[&'j Judged<'r>],
    protected: &BTreeSet<String>,
) -> (Listing, Vec<&'j Judged<'r>>) {
    let (mut ids, mut rejected, mut listed) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for &judged in groups {
        if protected.contains(&raw_line(judged)) {
            rejected.insert((Text::new(raw_line(judged)), "a protected group has the same ID"));
            continue;
        }
        listed.push(judged);
        match line(judged) {
            Ok(id) => drop(ids.insert(id)),
            Err(refused) => drop(rejected.insert(refused)),
        }
    }
    let mut entries: Vec<Listed> = listed.iter().map(|judged| entry(judged)).collect();
    entries.sort();
    let (ids, rejected) = (ids.into_iter().collect(), rejected.into_iter().collect());
    (Listing { ids, rejected, listed: entries, mixed: None }, listed)
}

/// A group as an entry of a list, whether a list can hold it or not.
pub fn entry(judged: &Judged) -> Listed {
    let columns = judged.subject.grain.columns().iter().map(|col| col.name().to_owned());
    Listed {
        key: columns.zip(judged.subject.key.iter().cloned()).collect(),
        rule: judged.findings.first().map(|f| f.rule.id.clone()).unwrap_or_default(),
    }
}

/// The values of a group as they stand in the data.
fn raw_line(judged: &Judged) -> String {
    let raw: Vec<&str> = ids(judged).into_iter().map(|(_, id)| id.map_or("", Text::raw)).collect();
    raw.join(":")
}

/// The line of a group, or its text with the reason why it has none.
fn line(judged: &Judged) -> Result<String, (Text, &'static str)> {
    let ids = ids(judged);
    let refuse = |why| (Text::new(raw_line(judged)), why);
    if ids.iter().any(|(_, id)| id.is_none()) {
        return Err(refuse("it has no ID"));
    }
    let parts: Option<Vec<String>> = ids.iter().map(|(col, id)| id.and_then(|id| part(*col, id))).collect();
    parts
        .map(|p| p.join(":"))
        .ok_or_else(|| refuse("the ID is a placeholder or holds characters that no list can hold"))
}

/// One value of a line: an ID, or an address in its column.
fn part(col: Col, id: &Text) -> Option<String> {
    match col {
        Col::Ip => networks::parse(id.raw()).map(|net| networks::shown(&net)),
        _ => id.list_id().map(str::to_owned),
    }
}

/// The values that make the line of a group.
fn ids<'j>(judged: &'j Judged) -> Vec<(Col, Option<&'j Text>)> {
    let columns = judged.subject.grain.columns();
    columns
        .iter()
        .zip(&judged.subject.key)
        .filter(|(col, _)| **col != Col::TrafficSource || columns.len() == 1)
        .map(|(col, value)| (*col, value.as_ref()))
        .collect()
}

impl Brake {
    /// Holds when the listed groups are more than a limit's share of the whole.
    fn check(&self, listed: &[&Judged], all: &[Judged], whole: &Whole) -> Result<(), Braked> {
        let sum = |of: &dyn Fn(&Judged) -> i64| listed.iter().map(|j| i128::from(of(j))).sum::<i128>();
        let micro = |amount: Option<Micro>| amount.map_or(0, |m| m.0);
        if all.len() >= FEW_GROUPS {
            let groups = (listed.len() as f64, all.len() as f64);
            within("max_source_share", "groups", self.max_source_share, groups.0, groups.1)?;
        }
        let clicks: u128 = listed.iter().map(|j| u128::from(j.subject.clicks)).sum();
        within("max_click_share", "clicks", self.max_click_share, clicks as f64, whole.clicks as f64)?;
        let revenue = (sum(&|j| micro(j.subject.revenue).max(0)), micro(whole.revenue));
        within("max_revenue_share", "revenue", self.max_revenue_share, revenue.0 as f64, revenue.1 as f64)?;
        let (what, listed, total) = match (whole.spend, whole.clicks) {
            (None, 0) => {
                let all: i128 = all.iter().map(|j| i128::from(micro(j.subject.at_stake))).sum();
                ("payouts", sum(&|j| micro(j.subject.at_stake)), all)
            }
            _ => ("spend", sum(&|j| micro(j.subject.spend)), i128::from(micro(whole.spend))),
        };
        within("max_spend_share", what, self.max_spend_share, listed as f64, total as f64)
    }
}

/// Exactly the limit is within it. The quotient of two whole numbers and a limit written with few digits
/// are both the nearest float, so that they compare as on paper.
fn within(name: &str, what: &str, limit: f64, part: f64, whole: f64) -> Result<(), Braked> {
    if whole <= 0.0 || part / whole <= limit {
        return Ok(());
    }
    let percent = |share| Unit::Share.format(share);
    Err(Braked(format!(
        "safety brake {name}: the list would block {} of all {what}, the limit is {}; look at the blocked \
         groups, protect those that are fine, and raise {name} if the rest is right",
        percent(part / whole),
        percent(limit)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::column::Grain;
    use crate::base::text::HOSTILE;
    use crate::rules::Rule;
    use crate::verdicts::Protect;
    use crate::verdicts::samples::{group, rule};
    use proptest::prelude::*;

    const OPEN: Brake =
        Brake { max_source_share: 1.0, max_click_share: 1.0, max_spend_share: 1.0, max_revenue_share: 1.0 };

    fn whole(clicks: u64, spend: Option<i64>) -> Whole {
        Whole { clicks, spend: spend.map(Micro), revenue: None }
    }

    /// Blocked groups of a fraud rule with these keys.
    fn blocked<'r>(rule: &'r Rule, keys: &[&[&str]]) -> Vec<Judged<'r>> {
        keys.iter().map(|key| group(key, Verdict::Block, Some(rule))).collect()
    }

    fn list(judged: &[Judged], list_for: Option<&str>) -> Result<Listing, Braked> {
        listing(judged, ListKind::Block, list_for, &OPEN, &whole(1_000_000, Some(1 << 50)))
    }

    fn ids(judged: &[Judged], list_for: Option<&str>) -> Vec<String> {
        list(judged, list_for).expect("no brake").ids
    }

    #[test]
    fn only_blocked_groups_are_listed_sorted_and_once() {
        let rule = rule("a", "block ctit_short_share");
        let mut all = blocked(&rule, &[&["net", "z2"], &["net", "z1"], &["net", "z2"]]);
        for verdict in [Verdict::Hold, Verdict::Watch, Verdict::Clean, Verdict::Undecided] {
            all.push(group(&["net", verdict.word()], verdict, Some(&rule)));
        }
        assert_eq!(ids(&all, None), ["z1", "z2"]);
    }

    #[test]
    fn profit_cuts_have_a_list_of_their_own() {
        let rules = [
            "block ctit_short_share",
            "block quality cr",
            "block data orphan_share",
            "block profit-class profit",
        ]
        .map(|case| rule("a", case));
        let all: Vec<Judged> = rules
            .iter()
            .zip(["z1", "z2", "z3", "z4"])
            .map(|(rule, id)| group(&["net", id], Verdict::Block, Some(rule)))
            .collect();
        let profit = listing(&all, ListKind::Profit, None, &OPEN, &whole(1_000_000, None)).expect("no brake");
        assert_eq!(
            (ids(&all, None), profit.ids),
            (vec!["z1".into(), "z2".into(), "z3".into()], vec!["z4".into()])
        );
    }

    #[test]
    fn a_protected_group_is_not_listed_nor_is_its_id() {
        let rule = rule("a", "block ctit_short_share");
        let mut all = blocked(&rule, &[&["net", "z1"], &["net", "z2"], &["", "z1"]]);
        all[0].protected = true;
        assert_eq!(ids(&all[..2], None), ["z2"]);
        let listing = list(&[all.remove(0), all.remove(1)], None).expect("no brake");
        assert_eq!(listing.ids, [""; 0]);
        assert_eq!(listing.rejected, [(Text::new("z1"), "a protected group has the same ID")]);
    }

    #[test]
    fn equal_ids_of_two_traffic_sources_do_not_merge() {
        let rule = rule("a", "block ctit_short_share");
        let all = blocked(&rule, &[&["one", "z1"], &["two", "z1"], &["two", "z2"], &["", "z3"]]);
        let why = list(&all, None).expect("no brake").mixed.expect("three traffic sources");
        assert!(why.contains("belong to 3 traffic sources ((none), one, two)"), "{why}");
        assert!(list(&all[..2], None).expect("no brake").mixed.is_some());
        assert!(list(&all[1..3], None).expect("no brake").mixed.is_none());
        assert_eq!(ids(&all[1..3], None), ["z1", "z2"]);
        assert_eq!(ids(&all, Some("two")), ["z1", "z2"]);
        assert_eq!(ids(&all, Some("one")), ["z1"]);
        let braked = list(&all, Some("tow")).expect_err("no such traffic source").to_string();
        assert!(braked.contains("no audited group belongs to the traffic source tow"), "{braked}");
        assert_eq!(ids(&[], Some("two")), [""; 0]);
    }

    #[test]
    fn a_line_joins_the_columns_below_the_traffic_source() {
        let rule = rule("a", "block ctit_short_share");
        let mut all = blocked(&rule, &[&["net", "z1", "s1"], &["net", "z1", ""], &["net", "z1", "a:b"]]);
        for judged in &mut all {
            judged.subject.grain = Grain::parse("source,sub_source").expect("a grain");
        }
        let listing = list(&all, None).expect("no brake");
        let left_out: Vec<&str> = listing.rejected.iter().map(|(text, _)| text.raw()).collect();
        assert_eq!((listing.ids, left_out), (vec!["z1:s1".to_owned()], vec!["z1:", "z1:a:b"]));
    }

    #[test]
    fn a_traffic_source_can_be_what_is_blocked() {
        let rule = rule("a", "block ctit_short_share");
        let mut all = blocked(&rule, &[&["one"], &["two"]]);
        for judged in &mut all {
            judged.subject.grain = Grain::parse("traffic_source").expect("a grain");
        }
        assert_eq!(ids(&all, None), ["one", "two"]);
    }

    #[test]
    fn hostile_ids_are_left_out_with_the_reason() {
        let rule = rule("a", "block ctit_short_share");
        let all: Vec<Judged> =
            HOSTILE.iter().map(|id| group(&["net", id], Verdict::Block, Some(&rule))).collect();
        let listing = list(&all, None).expect("no brake");
        assert_eq!(listing.ids, [""; 0]);
        assert_eq!(listing.rejected.len(), HOSTILE.len());
    }

    /// Whether a list of one blocked group is braked.
    fn braked(change: impl FnOnce(&mut Judged), clicks: u64, spend: Option<i64>) -> Option<String> {
        let rule = rule("a", "block ctit_short_share");
        let mut all = blocked(&rule, &[&["net", "z1"]]);
        all.push(group(&["net", "z2"], Verdict::Clean, None));
        change(&mut all[0]);
        let list = listing(&all, ListKind::Block, None, &Brake::default(), &whole(clicks, spend));
        list.err().map(|b| b.to_string())
    }

    #[test]
    fn the_click_brake_holds_above_its_limit_only() {
        let set = |clicks| move |j: &mut Judged| (j.subject.clicks, j.subject.spend) = (clicks, None);
        assert_eq!(braked(set(1_000), 4_000, None), None);
        let reason = braked(set(1_001), 4_000, None).expect("just above a quarter");
        assert!(reason.starts_with("safety brake max_click_share: the list would block 25.0"), "{reason}");
        assert_eq!(braked(set(0), 0, Some(0)), None);
    }

    #[test]
    fn the_spend_brake_holds_above_its_limit_only() {
        let set = |spend| move |j: &mut Judged| (j.subject.clicks, j.subject.spend) = (0, Some(Micro(spend)));
        assert_eq!(braked(set(250_000_000), 4_000, Some(1_000_000_000)), None);
        let reason = braked(set(250_000_001), 4_000, Some(1_000_000_000)).expect("just above a quarter");
        assert!(reason.starts_with("safety brake max_spend_share: the list would block 25.0"), "{reason}");
        assert_eq!(braked(set(250_000_001), 4_000, None), None);
    }

    #[test]
    fn without_clicks_and_cost_the_brake_is_on_the_payouts() {
        let set =
            |stake| move |j: &mut Judged| (j.subject.spend, j.subject.at_stake) = (None, Some(Micro(stake)));
        assert_eq!(braked(set(1_000_000_000 / 3), 0, None), None);
        let reason = braked(set(1_000_000_000 / 3 + 1), 0, None).expect("just above a quarter");
        assert!(reason.contains("of all payouts"), "{reason}");
    }

    #[test]
    fn the_brakes_on_sources_and_revenue_hold_above_their_limits_only() {
        let rule = rule("a", "block ctit_short_share");
        let mut all = blocked(&rule, &[&["net", "z1"]]);
        all.extend((1..FEW_GROUPS).map(|n| group(&["net", &format!("honest{n}")], Verdict::Clean, None)));
        all[0].subject.revenue = Some(Micro(500));
        let list = |brake: &Brake, revenue| {
            let whole = Whole { revenue: Some(Micro(revenue)), ..whole(0, None) };
            listing(&all, ListKind::Block, None, brake, &whole)
                .err()
                .map(|b| b.to_string())
                .unwrap_or_default()
        };
        assert_eq!(list(&Brake::default(), 1_000), "");
        assert!(list(&Brake::default(), 999).starts_with("safety brake max_revenue_share"));
        let narrow = Brake { max_source_share: 0.049, ..OPEN };
        assert!(list(&narrow, 1_000).starts_with("safety brake max_source_share"));
        let few = listing(&all[..FEW_GROUPS - 1], ListKind::Block, None, &narrow, &whole(0, None));
        assert!(few.is_ok(), "a share of few says nothing");
    }

    #[test]
    fn a_limit_written_in_decimals_is_met_exactly() {
        for hundredths in 1..100u64 {
            let limit = format!("0.{hundredths:02}").parse().expect("a number");
            assert_eq!(within("b", "clicks", limit, (hundredths * 7) as f64, 700.0), Ok(()), "{limit}");
            assert!(within("b", "clicks", limit, (hundredths * 7 + 1) as f64, 700.0).is_err(), "{limit}");
        }
    }

    /// The grammar of a line, written down a second time.
    fn fits_grammar(line: &str) -> bool {
        let id = |id: &str| {
            (1..=64).contains(&id.len())
                && id.as_bytes()[0].is_ascii_alphanumeric()
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        };
        line.split(':').all(id)
    }

    fn any_id() -> impl Strategy<Value = String> {
        prop_oneof!["[a-c]{1,2}", "[ -~\\n]{0,4}", any::<String>(), Just("x".repeat(65))]
    }

    fn any_group() -> impl Strategy<Value = (String, String, u8, bool)> {
        (prop_oneof!["", "one", "two"], any_id(), 0u8..5, any::<bool>())
    }

    proptest! {
        #[test]
        fn a_list_holds_nothing_else_than_blocked_ids(
            groups in prop::collection::vec(any_group(), 0..20),
            protected in "[a-c]|one:[a-c]|[a-c]\\*",
            list_for in prop::option::of("one|two"),
        ) {
            let rules = [rule("a", "block ctit_short_share"), rule("b", "block profit-class profit")];
            let protect = Protect::parse(&protected, "p").expect("one entry");
            let all: Vec<Judged> = groups.iter().map(|(network, id, verdict, fraud)| {
                let verdict = [Verdict::Block, Verdict::Hold, Verdict::Watch, Verdict::Clean, Verdict::Undecided]
                    [usize::from(*verdict)];
                let mut judged = group(&[network, id], verdict, Some(&rules[usize::from(!fraud)]));
                judged.protected = protect.covers(&judged.subject.grain, &judged.subject.key);
                judged
            }).collect();
            let Ok(listing) = list(&all, list_for.as_deref()) else { return Ok(()) };
            prop_assert!(listing.ids.is_sorted() && listing.ids.iter().all(|line| fits_grammar(line)));
            for line in &listing.ids {
                if listing.mixed.is_some() { continue }
                let same = || all.iter().filter(|j| j.subject.key[1].as_ref().is_some_and(|t| t.raw() == line));
                let meant = |j: &&Judged| list_for.is_none()
                    || j.subject.key[0].as_ref().map(Text::raw) == list_for.as_deref();
                prop_assert!(same().filter(meant).all(|j| !j.protected));
                prop_assert!(same().filter(meant).any(|j| j.verdict == Verdict::Block
                    && j.class == Some(Class::Fraud)));
            }
        }
    }
}
