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
    /// Groups at watch or graver that are not in this run.
    gone: Vec<Gone>,
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
}

/// One group that is no longer there, with the verdict that it had.
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
    };
    Changed {
        since: news.since.as_deref().map(told),
        moved: news.moved.iter().map(moved).collect(),
        gone: news.gone.iter().map(|(of, verdict)| Gone { key: key(of), verdict: told(verdict) }).collect(),
        notes: news.notes.iter().map(|note| Text::of_user(note.as_str()).json()).collect(),
    }
}

/// Words of the earlier report, which may come from anywhere.
fn told(word: &str) -> String {
    Text::new(word).json()
}
