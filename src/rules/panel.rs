//! Asks a rule about many groups at once.
//!
//! Most rules are silent about most groups, so what takes time is to find where they are not. A panel is up to 64
//! groups, one bit each. Samples and limits of a signal lie beside each other, so that a test runs along a column;
//! `all`, `any` and `not` are one operation on a word. Only where a rule is not silent, groups are looked at one
//! by one, for evidence and reasons.
//!
//! It refuses to have a meaning of its own: an answer is that of [`evaluate`](super::evaluate()), and in builds
//! with assertions every one is held against it.

use super::evaluate::{Look, View, ask, holds, look, told};
use super::model::{Limit, Node, Outcome, Rule, Test, Truth};
use crate::signals::{self, CONFIDENCE, Reading};
use std::cell::OnceCell;
use std::collections::BTreeMap;

/// Groups of a panel, one bit each.
type Bits = u64;

/// Groups that are asked together.
pub struct Panel<'v> {
    /// The groups, each with the caller's number.
    views: Vec<(usize, View<'v>)>,
    /// By the place of the signal, once a rule has asked for it.
    columns: Vec<OnceCell<Box<Column>>>,
    /// Where a rule fired in an earlier run and has not been cleared: there it is asked even if it is silent now.
    holding: BTreeMap<&'v str, Bits>,
}

/// What a condition says of the groups of a panel, in Kleene's strong logic: where it fires, and where it is not
/// silent. Between the two it is unknown.
#[derive(Clone, Copy)]
struct Looks {
    fires: Bits,
    not_silent: Bits,
}

impl Looks {
    const FIRES: Looks = Looks { fires: Bits::MAX, not_silent: Bits::MAX };
    const SILENT: Looks = Looks { fires: 0, not_silent: 0 };

    fn and(self, other: Looks) -> Looks {
        Looks { fires: self.fires & other.fires, not_silent: self.not_silent & other.not_silent }
    }

    fn or(self, other: Looks) -> Looks {
        Looks { fires: self.fires | other.fires, not_silent: self.not_silent | other.not_silent }
    }

    fn not(self) -> Looks {
        Looks { fires: !self.not_silent, not_silent: !self.fires }
    }

    fn at(self, place: usize) -> Look {
        match (self.fires >> place & 1, self.not_silent >> place & 1) {
            (1, _) => Look::Fires,
            (_, 1) => Look::Unknown,
            _ => Look::Silent,
        }
    }
}

/// One signal of all groups of a panel.
struct Column {
    present: Bits,
    /// The smallest sample among those present: most tests ask for less.
    least: u64,
    n: [u64; Panel::SIZE],
    low: [f64; Panel::SIZE],
    high: [f64; Panel::SIZE],
}

impl Column {
    fn of(views: &[(usize, View)], at: usize) -> Column {
        let (n, low, high) = ([0; Panel::SIZE], [0.0; Panel::SIZE], [0.0; Panel::SIZE]);
        let mut column = Column { present: 0, least: u64::MAX, n, low, high };
        for (place, (_, view)) in views.iter().enumerate() {
            let Reading::Present(estimate) = view.reading(at) else { continue };
            column.present |= 1 << place;
            column.least = column.least.min(estimate.n);
            column.n[place] = estimate.n;
            (column.low[place], column.high[place]) = estimate.printed();
        }
        column
    }

    /// Where the sample is smaller.
    fn below(&self, min_sample: u64) -> Bits {
        if self.least >= min_sample { 0 } else { bits(|at| self.n[at] < min_sample) }
    }

    /// Where the interval keeps to a limit; each limit has a loop of its own.
    fn within(&self, limit: Limit) -> Bits {
        let holds = |at: usize| holds(limit, || (self.low[at], self.high[at]));
        match limit {
            Limit::Above(_) => bits(holds),
            Limit::Below(_) => bits(holds),
            _ => bits(holds),
        }
    }
}

/// One bit for every place of a panel.
fn bits(of: impl Fn(usize) -> bool) -> Bits {
    (0..Panel::SIZE).fold(0, |bits, at| bits | Bits::from(of(at)) << at)
}

/// The places of the bits that are set, the lowest first.
fn places(mut bits: Bits) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(lowest)
    })
}

impl<'v> Panel<'v> {
    /// So many groups are asked together.
    pub const SIZE: usize = Bits::BITS as usize;

    /// Of at most [`Panel::SIZE`] groups, each with a number of the caller's.
    pub fn of(views: Vec<(usize, View<'v>)>) -> Panel<'v> {
        assert!(views.len() <= Panel::SIZE, "a panel has one bit for each group");
        let mut holding = BTreeMap::new();
        for (place, (_, view)) in views.iter().enumerate() {
            view.holding().for_each(|id| *holding.entry(id).or_default() |= 1 << place);
        }
        Panel { views, columns: signals::all().iter().map(|_| OnceCell::new()).collect(), holding }
    }

    /// The answers of a rule that are not silent, with the numbers of their groups, in the order of the panel.
    pub fn ask<'p, 'r: 'p>(
        &'p self,
        rule: &'r Rule,
    ) -> impl Iterator<Item = (usize, Outcome<'r>)> + use<'p, 'v, 'r> {
        let looks = self.look(&rule.when);
        let each = || self.views.iter().enumerate();
        debug_assert!(each().all(|(at, (_, view))| looks.at(at) == look(&rule.when, view)), "{}", rule.id);
        let holding = self.holding.get(rule.id.as_str()).copied().unwrap_or_default();
        let asked = places((looks.not_silent | holding) & self.everybody()).map(move |at| {
            let (number, view) = &self.views[at];
            (*number, told(rule, view, looks.at(at)))
        });
        asked.filter(|(_, outcome)| outcome.truth != Truth::Silent)
    }

    /// The bits that stand for a group.
    fn everybody(&self) -> Bits {
        Bits::MAX.checked_shr((Panel::SIZE - self.views.len()) as u32).unwrap_or(0)
    }

    fn look(&self, node: &Node) -> Looks {
        match node {
            Node::All(nodes) => self.all(nodes),
            Node::Any(nodes) => self.any(nodes),
            Node::Not(inner) => self.look(inner).not(),
            Node::Test(test) => self.test(test),
            _ => self.each(|view| look(node, view)),
        }
    }

    /// Until it is silent about everybody.
    fn all(&self, nodes: &[Node]) -> Looks {
        let mut looks = Looks::FIRES;
        for node in nodes {
            looks = looks.and(self.look(node));
            if looks.not_silent & self.everybody() == 0 {
                break;
            }
        }
        looks
    }

    /// Until it fires on everybody.
    fn any(&self, nodes: &[Node]) -> Looks {
        let mut looks = Looks::SILENT;
        for node in nodes {
            looks = looks.or(self.look(node));
            if !looks.fires & self.everybody() == 0 {
                break;
            }
        }
        looks
    }

    fn test(&self, test: &Test) -> Looks {
        let beyond = matches!(test.limit, Limit::Peers(_) | Limit::Past(_));
        if beyond || test.confidence != CONFIDENCE {
            return self.each(|view| ask(test, view).look());
        }
        let column = self.column(test.at);
        let (present, small) = (column.present, column.below(test.min_sample));
        match test.limit {
            Limit::Present(true) => Looks { fires: present & !small, not_silent: present },
            Limit::Present(false) => Looks { fires: !present, not_silent: !present | small },
            limit => {
                let known = present & !small;
                let fires = column.within(limit) & known;
                Looks { fires, not_silent: fires | !known }
            }
        }
    }

    fn column(&self, at: usize) -> &Column {
        self.columns[at].get_or_init(|| Box::new(Column::of(&self.views, at)))
    }

    fn each(&self, look: impl Fn(&View) -> Look) -> Looks {
        let mut looks = Looks::SILENT;
        for (place, (_, view)) in self.views.iter().enumerate() {
            let look = look(view);
            looks.fires |= Bits::from(look == Look::Fires) << place;
            looks.not_silent |= Bits::from(look != Look::Silent) << place;
        }
        looks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::past::{Held, Past};
    use crate::peers::{Direction, Pattern, Profile};
    use crate::rules::{Bar, Few, PastLimit, PeerLimit, evaluate};
    use crate::signals::{Absence, Estimate, Row};

    /// Readings on either side of every limit below, of several samples and kinds.
    fn rows(count: usize) -> Vec<Row> {
        let [short, orphans, clicks] = ["ctit_short_share", "orphan_share", "click_count"].map(signal);
        let row = |at: usize| {
            let (n, x) = (10 + (at * 7 % 40) as u64, (at * 5 % 10) as u64);
            let of_orphans = Reading::Present(Estimate::share(x, 3 * n));
            let of_clicks = Reading::Present(Estimate::exact((at % 3) as f64, n));
            let all = [
                (short, Reading::Present(Estimate::share(x, n))),
                (orphans, of_orphans),
                (clicks, of_clicks),
            ];
            let told = |(place, _): &(usize, _)| at >> place & 1 == 0 || at.is_multiple_of(5);
            let given: Vec<_> = all.into_iter().enumerate().filter(told).map(|(_, given)| given).collect();
            Row::of(&given, &Absence::NoClicks)
        };
        (0..count).map(row).collect()
    }

    fn signal(name: &str) -> &'static signals::Signal {
        signals::find(name).expect(name)
    }

    /// Every kind of leaf, most of them with several answers over [`rows`].
    fn leaves() -> Vec<Node> {
        let test =
            |name, limit, confidence, least| Node::Test(Test::new(signal(name), limit, confidence, least));
        let peers =
            |few| Limit::Peers(PeerLimit { direction: Direction::High, bar: Bar::Q(0.1), few, fixed: None });
        let past = Limit::Past(PastLimit { direction: Direction::High, ratio: 2.0, over_s: 86_400.0 });
        vec![
            test("ctit_short_share", Limit::Above(0.1), 0.95, 20),
            test("ctit_short_share", Limit::Above(0.1), 0.8, 20),
            test("ctit_short_share", Limit::Below(0.3), 0.95, 0),
            test("orphan_share", Limit::Between(0.01, 0.3), 0.95, 60),
            test("click_count", Limit::Equals(2.0), 0.95, 1),
            test("orphan_share", Limit::Present(true), 0.95, 50),
            test("orphan_share", Limit::Present(false), 0.95, 50),
            test("ctit_short_share", peers(Few::Fires), 0.95, 20),
            test("ctit_short_share", peers(Few::Unknown), 0.95, 20),
            test("orphan_share", past, 0.95, 20),
            Node::Significant(true),
            Node::Risk { above: 50.0, few: Few::Silent },
            Node::Pattern { pattern: Pattern::Replay, p: None },
        ]
    }

    /// All leaves alone, and all pairs of them in every way that conditions are put together.
    fn conditions() -> Vec<Node> {
        let not = |node: &Node| Node::Not(Box::new(node.clone()));
        let leaves = leaves();
        let mut conditions = leaves.clone();
        for a in &leaves {
            conditions.push(not(a));
            for b in &leaves {
                let both = vec![a.clone(), not(b), leaves[0].clone()];
                conditions.extend([Node::All(both.clone()), Node::Any(both)]);
                conditions.push(Node::All(vec![a.clone(), Node::Any(vec![b.clone(), leaves[2].clone()])]));
            }
        }
        conditions
    }

    #[test]
    fn a_panel_answers_as_each_group_alone() {
        let (nobody, mut seen) = (Profile::default(), [0; 3]);
        for size in [0, 1, 2, 63, 64] {
            let rows = rows(size);
            let views = || rows.iter().map(|row| View::new(row, &[], &nobody));
            let panel = Panel::of((7..).zip(views()).collect());
            for when in conditions() {
                let rule = Rule { when, ..Rule::sample("aaa") };
                let told: Vec<(usize, Outcome)> = panel.ask(&rule).collect();
                let alone = (7..).zip(views()).map(|(number, view)| (number, evaluate(&rule, &view)));
                let alone: Vec<_> = alone.filter(|(_, o)| o.truth != Truth::Silent).collect();
                assert_eq!(told.len(), alone.len(), "{:?}", rule.when);
                for ((a, told), (b, alone)) in told.iter().zip(&alone) {
                    assert_eq!((a, &told.truth), (b, &alone.truth), "{:?}", rule.when);
                    assert_eq!(told.evidence, alone.evidence, "{:?}", rule.when);
                }
                seen[0] += size - told.len();
                seen[1] += told.iter().filter(|(_, o)| o.truth == Truth::Fires).count();
                seen[2] += told.iter().filter(|(_, o)| o.truth != Truth::Fires).count();
            }
        }
        assert!(seen.iter().all(|n| *n > 1_000), "{seen:?}");
    }

    /// A rule that held in the run before and is silent now still fires, unless what ends it has come.
    #[test]
    fn what_holds_on_is_asked_though_it_is_silent() {
        let (rows, nobody) = (rows(3), Profile::default());
        let held = Held { fired: vec![true], holding: true };
        let past = Past { rules: [("aaa".to_owned(), held)].into(), ..Past::default() };
        let views = || {
            let view = |(at, row)| (at, View::new(row, &[], &nobody).with_past((at == 1).then_some(&past)));
            rows.iter().enumerate().map(view)
        };
        let (silent, fires) = (Node::Any(Vec::new()), Node::All(Vec::new()));
        for (clear, expected) in [(None, vec![]), (Some(silent.clone()), vec![1]), (Some(fires), vec![])] {
            let rule = Rule { when: silent.clone(), clear, ..Rule::sample("aaa") };
            let fired = |(_, outcome): &(usize, Outcome)| outcome.truth == Truth::Fires;
            let told: Vec<(usize, Outcome)> = Panel::of(views().collect()).ask(&rule).collect();
            assert!(told.iter().all(fired), "{told:?}");
            assert_eq!(told.iter().map(|(at, _)| *at).collect::<Vec<_>>(), expected);
            let alone = views().map(|(at, view)| (at, evaluate(&rule, &view))).filter(fired);
            assert_eq!(alone.map(|(at, _)| at).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn the_numbers_are_those_of_the_caller() {
        let (rows, nobody) = (rows(3), Profile::default());
        let numbered = [30, 10, 20].into_iter().zip(rows.iter().map(|row| View::new(row, &[], &nobody)));
        let rule = Rule { when: Node::Not(Box::new(Node::Any(Vec::new()))), ..Rule::sample("aaa") };
        let told: Vec<usize> = Panel::of(numbered.collect()).ask(&rule).map(|(number, _)| number).collect();
        assert_eq!(told, [30, 10, 20]);
    }
}
