//! What changed since an earlier run: who is new, worse, better or cleared, and the money.
//!
//! Compared elsewhere; said here in the words of every output for people. What is gone has no verdict, and none is
//! made up for it.

use super::{Change, phrase};
use crate::base::money::Micro;
use crate::base::text::Text;

/// The changes since an earlier run.
#[derive(Clone, Debug, Default)]
pub struct News {
    /// The moment of the earlier run.
    pub since: Option<String>,
    /// By change, then the gravest first, then by money at risk.
    pub moved: Vec<Moved>,
    /// Groups that send nothing any more and of whom anybody has to know, with what they were.
    pub gone: Vec<(Vec<Option<Text>>, String)>,
    pub arrived: Arrived,
    /// What a reader has to know about the comparison.
    pub notes: Vec<String>,
}

/// Groups that were not there before.
#[derive(Clone, Debug, Default)]
pub struct Arrived {
    pub all: u64,
    /// Those with enough clicks to be looked at, and no change of their own; by clicks from large to small, then by key.
    pub named: Vec<First>,
}

/// A group on its first night.
#[derive(Clone, Debug)]
pub struct First {
    pub key: Vec<Option<Text>>,
    pub clicks: u64,
    pub verdict: String,
}

/// One group whose verdict changed.
#[derive(Clone, Debug)]
pub struct Moved {
    pub key: Vec<Option<Text>>,
    pub change: Change,
    /// None where the group was not there.
    pub from: Option<String>,
    pub to: String,
    pub at_risk: Option<Micro>,
    /// Why it has the verdict that it has now.
    pub why: Option<String>,
}

impl Arrived {
    /// Puts the named in order.
    pub fn of(all: u64, mut named: Vec<First>) -> Arrived {
        named.sort_by(|a, b| b.clicks.cmp(&a.clicks).then_with(|| a.key.cmp(&b.key)));
        Arrived { all, named }
    }
}

impl First {
    /// `608 clicks, undecided`.
    pub fn words(&self) -> String {
        let clicks = phrase::counted(self.clicks, "click", "clicks");
        format!("{clicks}, {}", Text::new(self.verdict.as_str()).term(20))
    }
}

impl News {
    /// The groups of one kind of change.
    pub fn of(&self, change: Change) -> impl Iterator<Item = &Moved> {
        self.moved.iter().filter(move |moved| moved.change == change)
    }

    /// `since 2026-03-14T…: 2 new (1,204.00 USD at risk), 1 worse, 0 better, 1 cleared, 1 gone, 3 first seen`;
    /// `currency` stands behind amounts.
    pub fn headline(&self, currency: &str) -> String {
        let since = self.since.as_deref().unwrap_or("the run before");
        let count = |change: Change| {
            let (n, at_risk) = (self.of(change).count(), phrase::sum(self.of(change).map(|m| m.at_risk)));
            let risk = at_risk
                .filter(|m| m.0 > 0)
                .map_or(String::new(), |sum| format!(" ({}{currency} at risk)", phrase::money(Some(sum))));
            format!("{} {}{risk}", phrase::count(n as u64), change.word())
        };
        let mut parts: Vec<String> = Change::ALL.map(count).to_vec();
        if !self.gone.is_empty() {
            parts.push(format!("{} gone", phrase::count(self.gone.len() as u64)));
        }
        if self.arrived.all > 0 {
            parts.push(format!("{} first seen", phrase::count(self.arrived.all)));
        }
        format!("since {}: {}", Text::new(since).term(40), parts.join(", "))
    }
}

impl Moved {
    /// `clean to block`.
    pub fn step(&self) -> String {
        format!(
            "{} to {}",
            Text::new(self.from.as_deref().unwrap_or("not there")).term(20),
            Text::new(self.to.as_str()).term(20)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::money::SCALE;

    #[test]
    fn the_headline_has_the_money_of_each_change() {
        let moved = |change, at_risk: i64| Moved {
            key: vec![],
            change,
            from: None,
            to: "block".to_owned(),
            at_risk: Some(Micro(at_risk * SCALE)),
            why: None,
        };
        let first = |name: &str, clicks| First {
            key: vec![Some(Text::new(name))],
            clicks,
            verdict: "clean".to_owned(),
        };
        let news = News {
            since: Some("2026-03-14".to_owned()),
            moved: vec![moved(Change::New, 5), moved(Change::New, 7), moved(Change::Cleared, 0)],
            gone: vec![(vec![], "hold".to_owned())],
            arrived: Arrived::of(9, vec![first("b", 100), first("c", 608), first("a", 100)]),
            notes: vec![],
        };
        let expected =
            "since 2026-03-14: 2 new (12.00 USD at risk), 0 worse, 0 better, 1 cleared, 1 gone, 9 first seen";
        assert_eq!(news.headline(" USD"), expected);
        assert_eq!(news.moved[0].step(), "not there to block");
        let named: Vec<&str> =
            news.arrived.named.iter().flat_map(|f| &f.key).flatten().map(Text::raw).collect();
        assert_eq!(
            (named, news.arrived.named[0].words().as_str()),
            (vec!["c", "a", "b"], "608 clicks, clean")
        );
    }
}
