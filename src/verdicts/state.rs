//! What a group is from night to night: ok, on watch, flagged, cooling; and why it changed.
//!
//! One night is not believed: who is to be blocked or held must look so on two of the last three nights. Evidence
//! that proves itself, and money that is lost anyway, act at once. Who was flagged is cleared by seven good nights
//! in a row, and a night without traffic is none: a blocked source always looks quiet. A group changes its standing
//! at most once a night, and every change keeps its reason (statistics.md, 5.4). Here are no files and no clock: a
//! night is a number.

use super::{Judged, Verdict};
use crate::base::time::show_day;
use crate::rules::{Action, Class};
use serde::{Deserialize, Serialize};

/// Nights of the last [`WINDOW`] on which a group must look bad before it is flagged (statistics.md, 5.4).
pub const NEEDED: usize = 2;
pub const WINDOW: usize = 3;
/// Good nights in a row that clear a flagged group (statistics.md, 5.4).
pub const CLEAR: u32 = 7;
/// Nights in a row without anything to see that end a watch. Our choice: the window of the flag.
const CALM: u32 = 3;
/// A good night has at least this part of the usual clicks, and a p-value above this where peers can be asked
/// (statistics.md, 5.4).
const EVIDENCE: f64 = 0.5;
const GOOD_P: f64 = 0.2;
/// Days without traffic after which a flagged group is looked at again (statistics.md, 5.4); what was cut because
/// it loses money is tried again sooner: an offer or a landing page changes in days.
const REVIEW: i32 = 30;
const REVIEW_PROFIT: i32 = 3;
/// The weight of tonight in the usual number of clicks.
const WEIGHT: f64 = 0.2;

/// Why a group that stands well is on watch all the same.
const STALE: &str = "the window looks bad by itself, but brought nothing new tonight";

/// Where a group stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    #[default]
    Ok,
    /// Looked at; nobody acts on it.
    Watch,
    /// Blocked or held.
    Flagged,
    /// Still blocked or held, and on its way out.
    Cooling,
}

impl Standing {
    /// The word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Standing::Ok => "ok",
            Standing::Watch => "watch",
            Standing::Flagged => "flagged",
            Standing::Cooling => "cooling",
        }
    }
}

/// What a flagged group is to be treated as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Block,
    Hold,
}

impl Level {
    fn of(verdict: Verdict) -> Option<Level> {
        match verdict {
            Verdict::Block => Some(Level::Block),
            Verdict::Hold => Some(Level::Hold),
            Verdict::Watch | Verdict::Clean | Verdict::Undecided => None,
        }
    }

    fn verdict(self) -> Verdict {
        match self {
            Level::Block => Verdict::Block,
            Level::Hold => Verdict::Hold,
        }
    }
}

/// What somebody decided by hand, until a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// `block`, `hold`, `watch` or `ok`.
    pub pinned: Pinned,
    /// The last day on which it holds, in days since 1970.
    pub until: i32,
    pub reason: String,
    pub by: String,
}

/// What a pin makes of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pinned {
    Block,
    Hold,
    Watch,
    Ok,
}

impl Pinned {
    pub const ALL: [Pinned; 4] = [Pinned::Block, Pinned::Hold, Pinned::Watch, Pinned::Ok];

    /// The word on the command line and in reports.
    pub fn word(self) -> &'static str {
        match self {
            Pinned::Block => "block",
            Pinned::Hold => "hold",
            Pinned::Watch => "watch",
            Pinned::Ok => "ok",
        }
    }
}

/// Where a group stands after a night, and all that the next night needs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub standing: Standing,
    /// Since which night, in days since 1970.
    pub since: i32,
    /// How a flagged or cooling group is treated.
    pub level: Option<Level>,
    /// It is flagged because it loses money, which accuses nobody.
    #[serde(default)]
    pub profit: bool,
    /// The last nights with traffic, the newest first: what each would have come to by itself.
    pub last: Vec<Option<Level>>,
    /// Good nights in a row, or nights in a row without anything to see.
    pub calm: u32,
    /// How often it was flagged.
    pub episodes: u32,
    /// Usual clicks of a night.
    pub usual: f64,
    pub first_seen: i32,
    /// The last night with traffic.
    pub last_seen: i32,
    /// Why it stands where it stands.
    pub reason: String,
}

/// What earlier nights make of a judged group.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// What the night by itself came to.
    pub tonight: Verdict,
    /// What was done about it after the night before; `None` where it was not there.
    pub before: Option<Verdict>,
    pub state: State,
    /// What somebody decided by hand and still holds, and what held on the night before.
    pub pin: Option<Pin>,
    pub pin_before: Option<Pin>,
    /// Habits that it left.
    pub alarms: Vec<String>,
    /// Clicks that are new tonight.
    pub new_clicks: u64,
}

/// What one night says of a group.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// In days since 1970.
    pub night: i32,
    /// What the night by itself comes to; `None` without traffic.
    pub verdict: Option<Verdict>,
    /// The verdict that `verdict` would be, were it among the discoveries that a night may make on peers alone.
    pub unpaid: Option<Verdict>,
    /// The verdict that needs no second night, and whether it is about money.
    pub at_once: Option<Verdict>,
    pub profit: bool,
    /// ln p among peers.
    pub ln_p: Option<f64>,
    /// Clicks that are new tonight.
    pub clicks: u64,
    /// The strongest finding in words.
    pub finding: Option<String>,
    /// Habits that it left, and whatever else is to be looked at.
    pub watch: Option<String>,
}

impl Sight {
    /// What the findings of a group say; the caller adds the night, the news and the habits.
    pub fn of(judged: &Judged) -> Sight {
        let acts = |level: Verdict| {
            let settled = judged.findings.iter().filter(|f| f.confirmed || is_immediate(f));
            settled.map(|f| of_action(f.action)).find(|v| *v == Some(level)).flatten()
        };
        Sight {
            verdict: Some(judged.verdict),
            at_once: acts(Verdict::Block).or_else(|| acts(Verdict::Hold)),
            profit: judged.class == Some(Class::Profit),
            ln_p: judged.subject.profile.ln_p,
            finding: judged.findings.first().map(|f| f.title.clone()),
            ..Sight::default()
        }
    }

    fn bad(&self) -> Option<Level> {
        self.verdict.and_then(Level::of)
    }
}

/// Whether a finding acts on its first night: evidence that proves itself, and lost money.
fn is_immediate(finding: &super::Finding) -> bool {
    finding.rule.deterministic || finding.rule.class == Class::Profit
}

fn of_action(action: Action) -> Option<Verdict> {
    match action {
        Action::Block => Some(Verdict::Block),
        Action::Hold => Some(Verdict::Hold),
        Action::Watch | Action::Note => None,
    }
}

impl Kept {
    /// Why the group has its verdict.
    pub fn why(&self, verdict: Verdict) -> String {
        self.state.why(verdict, self.pin.as_ref(), self.pin_before.as_ref())
    }
}

impl State {
    /// Why a group has its verdict, given the pin that holds and the one of the night before; empty where nothing
    /// ever happened.
    pub fn why(&self, verdict: Verdict, pin: Option<&Pin>, before: Option<&Pin>) -> String {
        if let Some(pin) = pin {
            return pin.words();
        }
        // A night without news of its own counts for nothing, and the window is bad all the same.
        let stale = self.standing == Standing::Ok && verdict == Verdict::Watch;
        let reason = if stale { STALE } else { &self.reason };
        let parts = before.map(Pin::over).into_iter().chain((!reason.is_empty()).then(|| reason.to_owned()));
        parts.collect::<Vec<String>>().join("; ")
    }

    /// The state after a night.
    pub fn after(before: Option<&State>, sight: &Sight) -> State {
        let mut state = before.cloned().unwrap_or_else(|| State {
            since: sight.night,
            first_seen: sight.night,
            last_seen: sight.night,
            ..State::default()
        });
        state.remember(sight);
        let (standing, reason) = match state.standing {
            Standing::Ok => state.leave_ok(sight),
            Standing::Watch => state.leave_watch(sight),
            Standing::Flagged => state.leave_flagged(sight),
            Standing::Cooling => state.leave_cooling(sight),
        };
        state.stand(standing, reason, sight);
        state
    }

    /// What is kept of every night, whatever comes of it.
    fn remember(&mut self, sight: &Sight) {
        if sight.verdict.is_none() {
            return;
        }
        self.last.insert(0, sight.bad());
        self.last.truncate(WINDOW);
        self.calm = if self.is_calm(sight) {
            self.calm + 1
        } else if self.is_short(sight) {
            self.calm
        } else {
            0
        };
        self.last_seen = sight.night;
        // Whoever is blocked sends less and less; that is not what is usual.
        if self.level.is_none() {
            let clicks = sight.clicks as f64;
            self.usual = if self.usual > 0.0 { self.usual + WEIGHT * (clicks - self.usual) } else { clicks };
        }
    }

    /// Nothing to see. A flagged group needs more than that: enough traffic, and ordinary among its peers.
    fn is_calm(&self, sight: &Sight) -> bool {
        let nothing = sight.bad().is_none() && sight.verdict != Some(Verdict::Watch) && sight.watch.is_none();
        let was_flagged = self.level.is_some();
        let ordinary = sight.ln_p.is_none_or(|ln_p| ln_p > GOOD_P.ln());
        let decided = sight.ln_p.is_some() || sight.verdict == Some(Verdict::Clean);
        nothing && (!was_flagged || (ordinary && decided && !self.is_short(sight)))
    }

    /// Too little traffic to be good or bad news.
    fn is_short(&self, sight: &Sight) -> bool {
        sight.bad().is_none() && (sight.clicks as f64) < EVIDENCE * self.usual
    }

    fn bad_nights(&self) -> usize {
        self.last.iter().flatten().count()
    }

    fn leave_ok(&self, sight: &Sight) -> (Standing, Option<String>) {
        if sight.at_once.is_some() || self.bad_nights() >= NEEDED {
            return (Standing::Flagged, Some(self.flag_reason(sight)));
        }
        match self.watch_reason(sight) {
            Some(reason) => (Standing::Watch, Some(reason)),
            None => (Standing::Ok, None),
        }
    }

    fn leave_watch(&self, sight: &Sight) -> (Standing, Option<String>) {
        if sight.at_once.is_some() || (sight.bad().is_some() && self.bad_nights() >= NEEDED) {
            return (Standing::Flagged, Some(self.flag_reason(sight)));
        }
        if self.calm >= CALM {
            return (Standing::Ok, Some(format!("{CALM} nights in a row with nothing to see")));
        }
        (Standing::Watch, self.watch_reason(sight))
    }

    fn leave_flagged(&self, sight: &Sight) -> (Standing, Option<String>) {
        if let Some(reason) = self.review(sight) {
            return (Standing::Watch, Some(reason));
        }
        if self.calm > 0 {
            return (Standing::Cooling, Some(format!("1 good night; {CLEAR} in a row clear it")));
        }
        let again = sight.bad().and(sight.finding.clone());
        (Standing::Flagged, again)
    }

    fn leave_cooling(&self, sight: &Sight) -> (Standing, Option<String>) {
        if let Some(reason) = self.review(sight) {
            return (Standing::Watch, Some(reason));
        }
        if sight.bad().is_some() {
            return (Standing::Flagged, Some(format!("again: {}", what(sight))));
        }
        if self.calm >= CLEAR {
            return (Standing::Ok, Some(format!("{CLEAR} good nights in a row")));
        }
        (Standing::Cooling, Some(format!("{} of {CLEAR} good nights", self.calm)))
    }

    /// Why a flagged group without traffic is looked at again, once it is time.
    fn review(&self, sight: &Sight) -> Option<String> {
        let days = sight.night - self.last_seen;
        let limit = if self.profit { REVIEW_PROFIT } else { REVIEW };
        (days >= limit).then(|| format!("no traffic for {days} days: it may be tried again"))
    }

    fn flag_reason(&self, sight: &Sight) -> String {
        let what = what(sight);
        if sight.at_once.is_some() {
            return format!("{what}; acts at once");
        }
        format!("{what}; {} of the last {} nights", self.bad_nights(), self.last.len())
    }

    fn watch_reason(&self, sight: &Sight) -> Option<String> {
        if sight.bad().is_some() {
            return Some(format!("{}; 1 night of {NEEDED}", what(sight)));
        }
        if let Some(unpaid) = sight.unpaid {
            let (what, word) = (what(sight), unpaid.word());
            return Some(format!(
                "{what}; would be {word} by itself, but is not among the discoveries a night may make on peers alone"
            ));
        }
        let watched = || (sight.verdict == Some(Verdict::Watch)).then(|| what(sight));
        sight.watch.clone().or_else(watched)
    }

    fn stand(&mut self, standing: Standing, reason: Option<String>, sight: &Sight) {
        self.treat(standing, sight);
        if standing != self.standing {
            self.episodes += u32::from(standing == Standing::Flagged && self.standing < Standing::Flagged);
            self.since = sight.night;
            if matches!(standing, Standing::Ok | Standing::Watch) {
                self.calm = 0;
            }
        }
        if let Some(reason) = reason {
            self.reason = reason;
        } else if standing != self.standing {
            self.reason.clear();
        }
        self.standing = standing;
    }

    /// How a flagged group is treated: as it looked on two nights, or at once. It gets graver, never milder, until
    /// it is cleared.
    fn treat(&mut self, standing: Standing, sight: &Sight) {
        if standing < Standing::Flagged {
            (self.level, self.profit) = (None, false);
            return;
        }
        let blocks = self.last.iter().flatten().filter(|level| **level == Level::Block).count();
        let twice = if blocks >= NEEDED { Level::Block } else { Level::Hold };
        let once = sight.at_once.and_then(Level::of);
        let tonight =
            if standing == Standing::Flagged { once.map_or(twice, |l| l.min(twice)) } else { Level::Hold };
        let first = self.level.is_none();
        self.level = Some(self.level.map_or(tonight, |level| level.min(tonight)));
        if sight.bad().is_some() {
            self.profit = sight.profit && (first || self.profit);
        }
    }

    /// What is done about the group, given what the night by itself comes to.
    pub fn verdict(&self, tonight: Verdict) -> Verdict {
        match (self.standing, self.level) {
            (Standing::Flagged | Standing::Cooling, Some(level)) => level.verdict(),
            (Standing::Watch, _) => Verdict::Watch,
            _ if tonight <= Verdict::Watch => Verdict::Watch,
            _ => tonight,
        }
    }
}

fn what(sight: &Sight) -> String {
    sight.finding.clone().unwrap_or_else(|| "a verdict without findings".to_owned())
}

impl Pin {
    /// `pinned as ok until 2026-06-30 by ana: agreed with the network`; the last two are what somebody wrote.
    pub fn words(&self) -> String {
        let (word, until) = (self.pinned.word(), show_day(self.until));
        format!("pinned as {word} until {until} by {}: {}", self.by, self.reason)
    }

    /// The same once it holds no longer.
    pub fn over(&self) -> String {
        format!("no longer pinned as {}", self.pinned.word())
    }

    /// Whether it still holds on a night.
    pub fn holds(&self, night: i32) -> bool {
        night <= self.until
    }

    /// What is done about the group; `ok` leaves it at what little is known.
    pub fn verdict(&self, tonight: Verdict) -> Verdict {
        match self.pinned {
            Pinned::Block => Verdict::Block,
            Pinned::Hold => Verdict::Hold,
            Pinned::Watch => Verdict::Watch,
            Pinned::Ok => tonight.max(Verdict::Clean),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nights as letters: `B` block, `H` hold, `w` watch, `.` clean, `?` undecided, `-` no traffic, `!` a block that
    /// acts at once, `$` one for money, `c` left its habits, `s` clean with hardly any traffic.
    fn sight(letter: char, night: i32) -> Sight {
        let verdict = match letter {
            'B' | '!' | '$' => Some(Verdict::Block),
            'H' => Some(Verdict::Hold),
            'w' => Some(Verdict::Watch),
            '?' => Some(Verdict::Undecided),
            '-' => None,
            _ => Some(Verdict::Clean),
        };
        Sight {
            night,
            verdict,
            at_once: matches!(letter, '!' | '$').then_some(Verdict::Block),
            profit: letter == '$',
            clicks: if letter == 's' { 10 } else { 100 },
            finding: Some("too fast".to_owned()),
            watch: (letter == 'c').then(|| "left its past".to_owned()),
            ..Sight::default()
        }
    }

    fn states(nights: &str) -> Vec<State> {
        let mut states: Vec<State> = Vec::new();
        for (letter, night) in nights.chars().zip(100..) {
            states.push(State::after(states.last(), &sight(letter, night)));
        }
        states
    }

    /// The standing after every night: `o` ok, `w` watch, `B` or `H` flagged, `b` or `h` cooling.
    fn check(nights: &str, expected: &str) {
        let letter = |state: &State| match (state.standing, state.level) {
            (Standing::Ok, None) => 'o',
            (Standing::Watch, None) => 'w',
            (Standing::Flagged, Some(Level::Block)) => 'B',
            (Standing::Flagged, Some(Level::Hold)) => 'H',
            (Standing::Cooling, Some(Level::Block)) => 'b',
            (Standing::Cooling, Some(Level::Hold)) => 'h',
            other => panic!("{other:?}"),
        };
        let found: String = states(nights).iter().map(letter).collect();
        assert_eq!(found, expected, "{nights}");
    }

    #[test]
    fn two_nights_of_three_flag() {
        check("B", "w");
        check("BB", "wB");
        check("B.B", "wwB");
        check("B..B", "wwww");
        check("HB", "wH");
        check("HBB", "wHB");
        check("HH", "wH");
    }

    #[test]
    fn what_proves_itself_or_loses_money_acts_at_once() {
        check("!", "B");
        check(".$", "oB");
        check("w!", "wB");
    }

    #[test]
    fn seven_good_nights_in_a_row_clear() {
        check("BB.......", "wBbbbbbbo");
        check("BB......B.......", "wBbbbbbbBbbbbbbo");
        check("HH.......", "wHhhhhhho");
    }

    #[test]
    fn no_data_is_not_good_news() {
        check("BB-------", "wBBBBBBBB");
        check("BB...---....", "wBbbbbbbbbbo");
        check("BBsssssss", "wBBBBBBBB");
        check("BB???????", "wBBBBBBBB");
        check("B-B", "wwB");
    }

    #[test]
    fn a_blocked_source_is_looked_at_again_after_a_month() {
        let nights = format!("BB{}", "-".repeat(30));
        check(&nights, &format!("w{}w", "B".repeat(30)));
        check("$---", "BBBw");
    }

    #[test]
    fn a_watch_ends_after_three_calm_nights() {
        check("c...", "wwwo");
        check("w..w...", "wwwwwwo");
        check("c..c", "wwww");
    }

    #[test]
    fn a_source_that_is_bad_every_second_night_is_one_episode() {
        let all = states("B.B.B.B.B.B.B.B.B.B.");
        assert_eq!(all.last().expect("nights").episodes, 1);
        assert!(all[2..].iter().all(|s| s.standing >= Standing::Flagged));
    }

    #[test]
    fn at_most_one_change_a_night_and_every_change_has_its_reason() {
        let states = states("B!.......B..$-c.BB");
        for pair in states.windows(2) {
            if pair[0].standing != pair[1].standing {
                assert!(!pair[1].reason.is_empty(), "{:?}", pair[1]);
                assert_eq!(pair[1].since, pair[0].since.max(pair[1].since));
            }
        }
        assert_eq!(states[0].reason, "too fast; 1 night of 2");
        assert_eq!(states[1].reason, "too fast; acts at once");
        assert_eq!(states[8].reason, "7 good nights in a row");
    }

    #[test]
    fn the_same_night_again_changes_nothing() {
        let before = states("B.w").pop().expect("nights");
        let once = State::after(Some(&before), &sight('B', 103));
        assert_eq!(State::after(Some(&before), &sight('B', 103)), once);
    }

    #[test]
    fn a_verdict_follows_the_standing() {
        let of = |nights: &str, tonight| states(nights).pop().expect("nights").verdict(tonight);
        assert_eq!(of("B", Verdict::Block), Verdict::Watch);
        assert_eq!(of("BB", Verdict::Block), Verdict::Block);
        assert_eq!(of("BB.", Verdict::Clean), Verdict::Block);
        assert_eq!(of("?", Verdict::Undecided), Verdict::Undecided);
        assert_eq!(of(".", Verdict::Clean), Verdict::Clean);
    }

    #[test]
    fn what_a_night_cannot_pay_for_says_so() {
        let unpaid = Sight { unpaid: Some(Verdict::Hold), ..sight('w', 100) };
        let state = State::after(None, &unpaid);
        let expected = "too fast; would be hold by itself, but is not among the discoveries a night may make on peers \
                        alone";
        assert_eq!((state.standing, state.reason.as_str()), (Standing::Watch, expected));
        // Paid for on the next night it is a first bad night, and says that.
        assert_eq!(State::after(Some(&state), &sight('H', 101)).reason, "too fast; 1 night of 2");
    }

    #[test]
    fn a_verdict_has_a_reason_whoever_decided_it() {
        let pin =
            Pin { pinned: Pinned::Block, until: 20_523, reason: "agreed".to_owned(), by: "ana".to_owned() };
        let state = states("w...").pop().expect("nights");
        let calm = "3 nights in a row with nothing to see";
        let words = "pinned as block until 2026-03-11 by ana: agreed";
        assert_eq!(state.why(Verdict::Block, Some(&pin), None), words);
        assert_eq!(state.why(Verdict::Block, Some(&pin), Some(&pin)), words);
        let over = format!("no longer pinned as block; {calm}");
        assert_eq!(state.why(Verdict::Clean, None, Some(&pin)), over);
        assert_eq!(state.why(Verdict::Clean, None, None), calm);
        assert_eq!(state.why(Verdict::Watch, None, None), STALE);
        assert_eq!(State::default().why(Verdict::Clean, None, None), "");
    }

    #[test]
    fn a_pin_holds_until_its_day() {
        let pin = |pinned| Pin { pinned, until: 105, reason: "agreed".to_owned(), by: "ana".to_owned() };
        assert!(pin(Pinned::Ok).holds(105) && !pin(Pinned::Ok).holds(106));
        assert_eq!(pin(Pinned::Ok).verdict(Verdict::Block), Verdict::Clean);
        assert_eq!(pin(Pinned::Ok).verdict(Verdict::Undecided), Verdict::Undecided);
        assert_eq!(pin(Pinned::Block).verdict(Verdict::Clean), Verdict::Block);
    }
}
