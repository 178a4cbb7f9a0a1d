//! Conditions that can never hold: limits that exclude each other, wherever they stand.
//!
//! What must hold beside a branch of `any` is held against that branch, too: if no branch can hold, nothing can.
//! Refuses to compare more of one signal than a rule has any use for, so that a file made to hurt costs no time.

use super::model::{ColumnTest, Few, Limit, Node, Test};
use std::collections::BTreeMap;

/// Why these conditions cannot hold together, if so.
pub(super) fn contradiction(children: &[Node]) -> Option<String> {
    opposites(children).or_else(|| impossible(&Facts::default(), children))
}

/// Tests of one signal or column that are held against each other.
const MOST: usize = 64;
/// Branches whose reason is told.
const TOLD: usize = 3;

/// What must hold at once.
#[derive(Clone, Default)]
struct Facts<'n> {
    tests: BTreeMap<&'n str, Vec<&'n Test>>,
    columns: BTreeMap<&'n str, Vec<&'n ColumnTest>>,
}

impl<'n> Facts<'n> {
    /// Adds one, or says what of the others it excludes.
    fn add(&mut self, leaf: &'n Node) -> Option<String> {
        match leaf {
            Node::Test(test) => {
                let others = self.tests.entry(test.signal.name).or_default();
                let clash = others.iter().find(|other| excludes(other.limit, test.limit));
                let why = clash.map(|other| both(other, test));
                others.extend((others.len() < MOST).then_some(test));
                why
            }
            Node::Column(test) => {
                let others = self.columns.entry(test.column.name()).or_default();
                let clash = others.iter().find(|other| other.texts.is_disjoint(&test.texts));
                let why = clash.map(|other| neither(other, test));
                others.extend((others.len() < MOST).then_some(test));
                why
            }
            _ => None,
        }
    }
}

/// Why these cannot hold together beside what holds already.
fn impossible<'n>(held: &Facts<'n>, nodes: &'n [Node]) -> Option<String> {
    let (mut leaves, mut choices) = (Vec::new(), Vec::new());
    together(nodes, &mut leaves, &mut choices);
    let mut held = held.clone();
    if let Some(why) = leaves.into_iter().find_map(|leaf| held.add(leaf)) {
        return Some(why);
    }
    choices.into_iter().find_map(|branches| {
        let excluded = |branch| impossible(&held, std::slice::from_ref(branch));
        let whys: Option<Vec<String>> = branches.iter().map(excluded).collect();
        whys.filter(|whys| !whys.is_empty()).map(|whys| no_branch(&whys))
    })
}

/// What must hold at once, and the lists of which one must hold.
fn together<'n>(nodes: &'n [Node], leaves: &mut Vec<&'n Node>, choices: &mut Vec<&'n [Node]>) {
    for node in nodes {
        match node {
            Node::All(nodes) => together(nodes, leaves, choices),
            Node::Any(nodes) => choices.push(nodes),
            Node::Not(_) => {}
            leaf => leaves.push(leaf),
        }
    }
}

fn no_branch(whys: &[String]) -> String {
    let told = whys.iter().take(TOLD).cloned().collect::<Vec<_>>().join(", ");
    let more = whys.len().saturating_sub(TOLD);
    let more = if more > 0 { format!(", and so for {more} more") } else { String::new() };
    format!("none of `any` can hold beside the rest: {told}{more}")
}

/// `column source cannot be a and b at once`.
fn neither(a: &ColumnTest, b: &ColumnTest) -> String {
    let text = |test: &ColumnTest| match test.texts.len() {
        1 => test.texts.iter().map(|text| format!("`{text}`")).collect::<String>(),
        n => format!("one of {n} texts"),
    };
    format!("the column `{}` cannot be {} and {} at once", a.column, text(a), text(b))
}

/// Whether no interval can meet both limits.
fn excludes(a: Limit, b: Limit) -> bool {
    match (a, b) {
        (Limit::Above(low), Limit::Below(high)) | (Limit::Below(high), Limit::Above(low)) => low >= high,
        (Limit::Above(low), Limit::Between(_, high)) | (Limit::Between(_, high), Limit::Above(low)) => {
            low >= high
        }
        (Limit::Below(high), Limit::Between(low, _)) | (Limit::Between(low, _), Limit::Below(high)) => {
            low >= high
        }
        (Limit::Between(a, b), Limit::Between(c, d)) => a > d || c > b,
        (Limit::Equals(a), Limit::Equals(b)) => a != b,
        (Limit::Equals(fact), Limit::Above(low)) | (Limit::Above(low), Limit::Equals(fact)) => fact <= low,
        (Limit::Equals(fact), Limit::Below(high)) | (Limit::Below(high), Limit::Equals(fact)) => fact >= high,
        (Limit::Equals(fact), Limit::Between(low, high))
        | (Limit::Between(low, high), Limit::Equals(fact)) => fact < low || fact > high,
        (Limit::Present(false), other) | (other, Limit::Present(false)) => other != Limit::Present(false),
        (Limit::Peers(a), Limit::Peers(b)) => {
            a.direction != b.direction && a.few != Few::Fires && b.few != Few::Fires
        }
        _ => false,
    }
}

/// Two children of which one denies the other.
pub(super) fn opposites(children: &[Node]) -> Option<String> {
    let denied = |node: &Node| match node {
        Node::Not(inner) if children.contains(inner) => {
            Some("a condition and its `not` stand side by side".to_owned())
        }
        Node::Test(Test { signal, limit: Limit::Present(true), .. }) => {
            children.iter().find_map(|other| match other {
                Node::Test(t) if t.signal.name == signal.name && t.limit == Limit::Present(false) => {
                    Some(format!("`{}` is either present or absent", signal.name))
                }
                _ => None,
            })
        }
        _ => None,
    };
    children.iter().find_map(denied)
}

fn both(a: &Test, b: &Test) -> String {
    let text = |t: &Test| match t.limit {
        Limit::Present(_) => t.limit.text(t.signal.unit),
        Limit::Peers(_) => t.limit.word().to_owned(),
        _ => format!("{} {}", t.limit.word(), t.limit.text(t.signal.unit)),
    };
    format!("`{}` cannot be {} and {} at once", a.signal.name, text(a), text(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::column::Col;
    use crate::signals;
    use std::collections::BTreeSet;

    fn limits(text: &str) -> Vec<Limit> {
        let value = |v: Option<&str>| v.and_then(|v| v.parse().ok()).expect("a number");
        let limit = |t: &str| {
            let mut words = t.split_whitespace();
            match words.next() {
                Some("above") => Limit::Above(value(words.next())),
                Some("below") => Limit::Below(value(words.next())),
                Some("between") => Limit::Between(value(words.next()), value(words.next())),
                Some("present") => Limit::Present(true),
                _ => Limit::Present(false),
            }
        };
        text.split(" and ").map(limit).collect()
    }

    /// Whether the limits on one signal under one `all` contradict each other.
    #[track_caller]
    fn check(text: &str, expected: bool) {
        let signal = signals::find("cr").expect("declared");
        let test = |limit| Node::Test(Test::new(signal, limit, 0.95, 0));
        let mut nodes: Vec<Node> = limits(text).into_iter().map(test).collect();
        assert_eq!(contradiction(&nodes).is_some(), expected, "{text}");
        let last = nodes.pop().expect("a limit");
        nodes.push(Node::All(vec![Node::All(vec![last])]));
        assert_eq!(contradiction(&nodes).is_some(), expected, "nested {text}");
    }

    #[test]
    fn contradictions_are_seen() {
        check("above 0.6 and below 0.4", true);
        check("below 0.4 and above 0.4", true);
        check("above 0.4 and below 0.6", false);
        check("above 0.4 and above 0.6", false);
        check("above 0.4 and between 0.1 0.4", true);
        check("above 0.4 and between 0.1 0.5", false);
        check("below 0.4 and between 0.4 0.5", true);
        check("between 0.1 0.2 and between 0.3 0.4", true);
        check("between 0.1 0.3 and between 0.3 0.4", false);
        check("absent and above 0.1", true);
        check("present and above 0.1", false);
        check("absent and present", true);
        check("absent and absent", false);
    }

    fn test(name: &str, limit: Limit) -> Node {
        Node::Test(Test::new(signals::find(name).expect(name), limit, 0.95, 0))
    }

    fn column(text: &str) -> Node {
        let texts = BTreeSet::from([text.to_owned()]);
        Node::Column(ColumnTest { column: Col::Source, texts: texts.into() })
    }

    #[test]
    fn what_no_branch_can_meet_is_seen() {
        let (high, low, lower) =
            (test("cr", Limit::Above(0.2)), test("cr", Limit::Below(0.1)), test("cr", Limit::Below(0.05)));
        let other = test("epc", Limit::Above(1.0));
        let any = |nodes: &[&Node]| Node::Any(nodes.iter().copied().cloned().collect());
        let all = |nodes: &[&Node]| Node::All(nodes.iter().copied().cloned().collect());
        let never = |nodes: &[&Node]| contradiction(&nodes.iter().copied().cloned().collect::<Vec<_>>());
        let why = never(&[&high, &any(&[&low, &lower])]).expect("neither can hold");
        assert!(why.contains("none of `any` can hold") && why.contains("below 5%"), "{why}");
        assert_eq!(never(&[&high, &any(&[&low, &other])]), None);
        assert_eq!(never(&[&any(&[&low, &high]), &any(&[&high, &lower])]), None);
        assert!(never(&[&any(&[&low, &all(&[&lower, &other])]), &all(&[&other, &high])]).is_some());
        assert!(never(&[&high, &any(&[&low, &any(&[&lower, &all(&[&other, &low])])])]).is_some());
    }

    #[test]
    fn a_column_has_one_text() {
        let why = contradiction(&[column("a"), column("b")]).expect("two texts");
        assert_eq!(why, "the column `source` cannot be `a` and `b` at once");
        assert_eq!(contradiction(&[column("a"), column("a")]), None);
        assert!(contradiction(&[column("a"), Node::Any(vec![column("b"), column("c")])]).is_some());
        assert_eq!(contradiction(&[column("a"), Node::Any(vec![column("b"), column("a")])]), None);
    }

    #[test]
    fn many_tests_of_one_signal_cost_little() {
        let tests: Vec<Node> = (0..50_000).map(|_| test("cr", Limit::Above(0.2))).collect();
        assert_eq!(contradiction(&tests), None);
    }
}
