//! Who came and who left from one night to another: one definition for all that tell it.
//!
//! Nothing is judged here. A group that leaves has no verdict, and none is made up for it.

use super::record::Line;
use crate::verdicts::Standing;

/// A group that was never there before is named if it brings so many clicks. Our choice: below it hardly any rule on
/// clicks has the sample that it asks for.
pub const NAMED_CLICKS: u64 = 100;

/// Whether a group sends on a night, and who wants to know when it stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// It sent something that night.
    pub sends: bool,
    /// Somebody acts on it.
    pub flagged: bool,
    /// It has left its habits.
    pub alarmed: bool,
}

/// How a group left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Somebody acted on it, it sent until the night before, and nothing since.
    Flagged,
    /// It sends nothing where a lot was usual: that alarm is new.
    Stopped,
}

impl From<&Line> for Presence {
    fn from(line: &Line) -> Presence {
        Presence {
            sends: line.tonight.is_some(),
            flagged: line.state.standing >= Standing::Flagged,
            alarmed: !line.alarms.is_empty(),
        }
    }
}

impl Presence {
    /// How a group left since an earlier night, if anybody has to know. Who is not remembered any more sends nothing.
    pub fn left(self, now: Option<Presence>) -> Option<Left> {
        let now = now.unwrap_or(Presence { flagged: self.flagged, ..Presence::default() });
        match (now.sends, self.flagged && now.flagged) {
            (true, _) => None,
            (false, true) => self.sends.then_some(Left::Flagged),
            (false, false) => (now.alarmed && !self.alarmed).then_some(Left::Stopped),
        }
    }
}

impl Left {
    /// What a group was that left, given its verdict.
    pub fn was(self, verdict: &str) -> String {
        match self {
            Left::Flagged => verdict.to_owned(),
            Left::Stopped => "sending a lot".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `s` sends, `f` is flagged, `a` has left its habits; `-` is not there at all.
    fn check(before: &str, now: &str, expected: Option<Left>) {
        let of = |letters: &str| Presence {
            sends: letters.contains('s'),
            flagged: letters.contains('f'),
            alarmed: letters.contains('a'),
        };
        let now = (now != "-").then(|| of(now));
        assert_eq!(of(before).left(now), expected, "{before} {now:?}");
    }

    #[test]
    fn who_leaves_is_told_once() {
        check("sf", "f", Some(Left::Flagged));
        check("f", "f", None);
        check("sf", "-", Some(Left::Flagged));
        check("s", "a", Some(Left::Stopped));
        check("", "a", Some(Left::Stopped));
        check("a", "a", None);
        check("s", "", None);
        check("s", "-", None);
        check("sf", "sf", None);
        // It is looked at again: that is a change of its verdict.
        check("sf", "", None);
    }
}
