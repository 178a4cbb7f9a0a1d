//! What earlier nights make of a run and its groups.

use crate::base::text::Text;
use crate::base::time::show_day;
use crate::report;
use crate::verdicts::{self, Verdict};
use schemars::JsonSchema;
use serde::Serialize;

/// The nights before this one.
#[derive(Serialize, JsonSchema)]
pub struct History {
    /// This night, and the one before.
    night: String,
    before: Option<String>,
    /// How many nights there are before this one.
    nights: usize,
    /// Flagged groups that sent nothing tonight: the values of the grain's columns, and what is still done.
    silent: Vec<Silent>,
    /// Groups that sent a lot and have stopped.
    gone: Vec<Vec<Option<String>>>,
}

/// A flagged group that sent nothing.
#[derive(Serialize, JsonSchema)]
pub struct Silent {
    key: Vec<Option<String>>,
    verdict: &'static str,
}

/// Where a group stands after all nights.
#[derive(Serialize, JsonSchema)]
pub struct Kept {
    /// What the night by itself came to; `verdict` is what is done after all nights.
    tonight: &'static str,
    /// The verdict of the night before; null where the group was not there.
    before: Option<&'static str>,
    /// new, worse, better or cleared; null where nothing changed.
    change: Option<&'static str>,
    /// ok, watch, flagged or cooling, since when, and why.
    standing: &'static str,
    since: String,
    reason: String,
    /// How often it was flagged.
    episodes: u32,
    first_seen: String,
    new_clicks: u64,
    /// Habits that it left.
    alarms: Vec<String>,
    pinned: Option<Pinned>,
}

/// What somebody decided by hand.
#[derive(Serialize, JsonSchema)]
pub struct Pinned {
    /// block, hold, watch or ok.
    r#as: &'static str,
    /// The last day on which it holds.
    until: String,
    by: String,
    reason: String,
}

fn key(key: &[Option<Text>]) -> Vec<Option<String>> {
    key.iter().map(|part| part.as_ref().map(Text::json)).collect()
}

pub fn history(history: &report::History) -> History {
    History {
        night: show_day(history.night),
        before: history.before.map(show_day),
        nights: history.nights,
        silent: history
            .silent
            .iter()
            .map(|(of, verdict)| Silent { key: key(of), verdict: verdict.word() })
            .collect(),
        gone: history.gone.iter().map(|of| key(of)).collect(),
    }
}

pub fn kept(kept: &verdicts::Kept, now: Verdict) -> Kept {
    Kept {
        tonight: kept.tonight.word(),
        before: kept.before.map(Verdict::word),
        change: report::Change::between(kept.before, now).map(report::Change::word),
        standing: kept.state.standing.word(),
        since: show_day(kept.state.since),
        reason: Text::new(kept.state.reason.as_str()).json(),
        episodes: kept.state.episodes,
        first_seen: show_day(kept.state.first_seen),
        new_clicks: kept.new_clicks,
        alarms: kept.alarms.clone(),
        pinned: kept.pin.as_ref().map(|pin| Pinned {
            r#as: pin.pinned.word(),
            until: show_day(pin.until),
            by: Text::of_user(pin.by.as_str()).json(),
            reason: Text::of_user(pin.reason.as_str()).json(),
        }),
    }
}
