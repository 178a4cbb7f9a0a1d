//! What changed since the night before, or since an earlier run that was named.

use super::amount;
use super::outlook::Key;
use crate::base::column::Grain;
use crate::base::text::Text;
use crate::report::{self, News, Report};
use schemars::JsonSchema;
use serde::Serialize;

/// The changes since an earlier run.
#[derive(Serialize, JsonSchema)]
pub(super) struct Changed {
    /// The moment of the earlier run; null where it does not say.
    since: Option<String>,
    /// Groups with another verdict than then, at watch or graver then or now.
    moved: Vec<Moved>,
    /// Groups that send nothing any more: who was flagged and sent until then, who sent a lot; beside an earlier report
    /// who was at watch or graver and is not in this run.
    gone: Vec<Gone>,
    first_seen: FirstSeen,
    /// What a reader has to know about the comparison.
    notes: Vec<String>,
}

/// One group whose verdict changed.
#[derive(Serialize, JsonSchema)]
struct Moved {
    key: Key,
    /// new, worse, better or cleared.
    change: &'static str,
    /// The verdict then; null where the group was not there.
    from: Option<String>,
    to: String,
    money_at_risk: Option<String>,
    /// Why it has the verdict that it has now.
    why: Option<String>,
}

/// Groups that were not there then.
#[derive(Serialize, JsonSchema)]
struct FirstSeen {
    all: u64,
    /// Those with 100 clicks or more that are not among the moved.
    groups: Vec<First>,
}

/// One group that was not there then.
#[derive(Serialize, JsonSchema)]
struct First {
    key: Key,
    clicks: u64,
    verdict: String,
}

/// One group that is no longer there, with the verdict that it had, or `sending a lot`.
#[derive(Serialize, JsonSchema)]
struct Gone {
    key: Key,
    verdict: String,
}

pub(super) fn changed(report: &Report) -> Option<Changed> {
    report.news.as_ref().map(|news| of_news(news, &report.run.grain))
}

fn of_news(news: &News, grain: &Grain) -> Changed {
    let key = |key: &[Option<Text>]| {
        let columns = grain.columns().iter().zip(key);
        columns.map(|(column, part)| (column.name(), part.as_ref().map(Text::json))).collect()
    };
    let moved = |moved: &report::Moved| Moved {
        key: key(&moved.key),
        change: moved.change.word(),
        from: moved.from.as_deref().map(told),
        to: told(&moved.to),
        money_at_risk: amount(moved.at_risk),
        why: moved.why.as_deref().map(told),
    };
    let first =
        |of: &report::First| First { key: key(&of.key), clicks: of.clicks, verdict: told(&of.verdict) };
    Changed {
        since: news.since.as_deref().map(told),
        moved: news.moved.iter().map(moved).collect(),
        gone: news.gone.iter().map(|(of, verdict)| Gone { key: key(of), verdict: told(verdict) }).collect(),
        first_seen: FirstSeen {
            all: news.arrived.all,
            groups: news.arrived.named.iter().map(first).collect(),
        },
        notes: news.notes.iter().map(|note| Text::of_user(note.as_str()).json()).collect(),
    }
}

/// Words of the earlier report, which may come from anywhere.
fn told(word: &str) -> String {
    Text::new(word).json()
}
