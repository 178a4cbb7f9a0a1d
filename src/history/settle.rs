//! One night after others: verdicts become standings, and the night leaves a record.

use super::memory::{Memory, Window, seen};
use super::record::{Found, Head, Line, Record};
use crate::base::column::Grain;
use crate::base::money::Micro;
use crate::past::{Held, Learnt, News, Pool, Tonight, learn};
use crate::peers::q_values;
use crate::rules::{Action, Class, Limit, Nights, Rule, Test};
use crate::signals;
use crate::verdicts::{Answers, Finding, Judged, Kept, Pin, Sight, Standing, State, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// Runs that a rule may ask about, at most.
const RUNS: usize = 30;
/// Groups that have sent nothing for so many days and are not flagged are forgotten.
const FORGOTTEN: i32 = 90;

/// The part of a run's false-discovery rate that one night may spend. A store asks anew every night, and whoever is
/// flagged once stays so for a week: at the whole rate sixty nights accused .8 % of honest sources (docs/validation.md).
pub const A_NIGHT: f64 = 0.3;

/// The texts of a group's columns.
type Key = Vec<Option<String>>;

/// What a night comes to after those before it.
#[derive(Clone, Debug, Default)]
pub struct Night {
    pub pool: Pool,
    /// Sorted by key; groups that sent nothing tonight are among them.
    pub lines: Vec<Line>,
}

impl Night {
    /// The record of the night.
    pub fn record(self, head: Head) -> Record {
        Record { head: Head { pool: self.pool, ..head }, lines: self.lines }
    }
}

/// Settles the verdicts of a grain's groups, in place.
///
/// Whoever is flagged already was accused on an earlier night. Tonight's accusations have to pay for themselves: on
/// peers alone a group is accused if it is a discovery at the level `fdr` among those that are not flagged. Otherwise
/// every night's old frauds would pay for new false ones, and in sixty nights that adds up.
pub fn settle(groups: &mut [Judged], grain: &Grain, memory: &Memory, window: Window, fdr: f64) -> Night {
    let mut audited: Vec<&mut Judged> = groups.iter_mut().filter(|g| g.subject.grain == *grain).collect();
    audited.sort_by_key(|g| key(g));
    let keys: Vec<Key> = audited.iter().map(|g| key(g)).collect();
    let known: BTreeSet<&Key> = keys.iter().collect();
    let absent: Vec<&Line> =
        memory.previous.iter().flat_map(|r| &r.lines).filter(|line| !known.contains(&line.key)).collect();
    let mut news: Vec<News> = audited
        .iter()
        .zip(&keys)
        .map(|(g, key)| memory.news_of(key, &g.subject.row, g.subject.clicks, window))
        .collect();
    news.resize(audited.len() + absent.len(), News::default());
    let before = keys.iter().map(|key| memory.line(key)).chain(absent.iter().copied().map(Some));
    let before: Vec<Option<&Line>> = before.collect();
    let (pool, learnt) = learnt(memory, &before, &news);
    let discovered = discovered(&audited, &before, fdr);

    let mut lines = Vec::with_capacity(news.len());
    let mut nights = before.into_iter().zip(news).zip(learnt);
    for ((judged, key), discovered) in audited.into_iter().zip(keys).zip(discovered) {
        let ((before, news), (habits, alarms)) = nights.next().expect("a night for every group");
        let seen = SeenTonight { news, habits, alarms, discovered };
        lines.push(present(judged, key, before, seen, memory, window));
    }
    for (((before, _), (habits, alarms)), _) in nights.zip(absent) {
        lines.extend(away(before.expect("it was there before"), habits, alarms, memory));
    }
    lines.sort_by(|a, b| a.key.cmp(&b.key));
    Night { pool, lines }
}

fn key(judged: &Judged) -> Key {
    judged.subject.texts().into_iter().map(|(_, text)| text).collect()
}

fn learnt(memory: &Memory, before: &[Option<&Line>], news: &[News]) -> (Pool, Vec<(Learnt, Vec<String>)>) {
    let start = Pool::default();
    let pool = memory.previous.as_ref().map_or(&start, |record| &record.head.pool);
    let tonight = before.iter().zip(news).map(|(before, news)| Tonight {
        before: before.map(|line| &line.habits),
        news,
        flagged: before.is_some_and(is_flagged),
    });
    let (pool, learnt) = learn(pool, &tonight.collect::<Vec<_>>());
    let words = |(learnt, alarms): (Learnt, Vec<crate::past::Alarm>)| {
        (learnt, alarms.iter().map(ToString::to_string).collect())
    };
    (pool, learnt.into_iter().map(words).collect())
}

fn is_flagged(line: &Line) -> bool {
    line.state.standing >= Standing::Flagged
}

/// Which groups may be accused on peers alone: those that are flagged already, and the discoveries among all others.
/// Who could not be compared is accused by fixed limits, for which nobody has to pay.
fn discovered(groups: &[&mut Judged], before: &[Option<&Line>], fdr: f64) -> Vec<bool> {
    let flagged = |at: usize| before[at].is_some_and(is_flagged);
    let ln_p = |at: usize| groups[at].subject.profile.ln_p;
    let asked: Vec<usize> = (0..groups.len()).filter(|at| !flagged(*at) && ln_p(*at).is_some()).collect();
    let q = q_values(&asked.iter().filter_map(|at| ln_p(*at)).collect::<Vec<f64>>());
    let mut discovered = vec![true; groups.len()];
    asked.iter().zip(q).for_each(|(at, ln_q)| discovered[*at] = ln_q <= fdr.ln());
    discovered
}

/// Whether a rule asks peers, so that its false alarms are those of a comparison.
fn asks_peers(rule: &Rule) -> bool {
    let beside = |test: &&Test| matches!(test.limit, Limit::Peers(_));
    rule.when.asks_of_the_whole() || rule.when.tests().iter().any(beside)
}

/// What the night by itself comes to, without accusations on peers alone that do not pay for themselves.
fn paid_for(judged: &Judged, discovered: bool) -> Verdict {
    let acts = |f: &&Finding| matches!(f.action, Action::Block | Action::Hold);
    let mut acting = judged.findings.iter().filter(acts).peekable();
    let on_peers_alone = acting.peek().is_some() && acting.all(|f| asks_peers(f.rule));
    if discovered || !on_peers_alone { judged.verdict } else { judged.verdict.max(Verdict::Watch) }
}

/// What was learnt about one group tonight.
struct SeenTonight {
    news: News,
    habits: Learnt,
    alarms: Vec<String>,
    discovered: bool,
}

/// Settles one group that is there tonight.
fn present(
    judged: &mut Judged,
    key: Key,
    before: Option<&Line>,
    seen_tonight: SeenTonight,
    memory: &Memory,
    window: Window,
) -> Line {
    let SeenTonight { news, habits, alarms, discovered } = seen_tonight;
    let (tonight, subject) = (judged.verdict, &judged.subject);
    // Without clicks in the input nobody can say whether there was traffic; rows of conversions are some.
    let silent = subject.clicks > 0 && news.clicks == 0 && before.is_some();
    let paid = paid_for(judged, discovered);
    let sight = Sight {
        night: memory.tonight,
        verdict: (!silent).then_some(paid),
        unpaid: (!silent && paid != tonight).then_some(tonight),
        clicks: if subject.clicks > 0 { news.clicks } else { 1 },
        watch: alarms.first().cloned(),
        ..Sight::of(judged)
    };
    let state = State::after(before.map(|line| &line.state), &sight);
    let pin = pin(memory, &key);
    let verdict = pin.as_ref().map_or(state.verdict(tonight), |pin| pin.verdict(tonight));
    judged.kept = Some(Box::new(Kept {
        tonight,
        before: before.and_then(|line| Verdict::of(&line.verdict)),
        state: state.clone(),
        pin: pin.clone(),
        pin_before: before.and_then(|line| line.pin.clone()),
        alarms: alarms.clone(),
        new_clicks: news.clicks,
    }));
    take(judged, verdict, &state);
    let all_is_new = memory.all_is_new(window);
    let news_of =
        |news: News| news.rates.into_iter().map(|(name, counts)| (name.to_owned(), counts)).collect();
    Line {
        verdict: verdict.word().to_owned(),
        tonight: (!silent).then(|| tonight.word().to_owned()),
        state,
        pin,
        clicks: judged.subject.clicks,
        new_clicks: news.clicks,
        spend: judged.subject.spend.map(|m| m.0),
        revenue: judged.subject.revenue.map(|m| m.0),
        at_risk: judged.money_at_risk.map(|m: Micro| m.0),
        score: judged.score(),
        significant: judged.subject.profile.significant,
        findings: judged.findings.iter().map(found).collect(),
        alarms,
        signals: signals::all()
            .iter()
            .filter_map(|s| Some((s.name.to_owned(), seen(&judged.subject.row, s)?)))
            .collect(),
        news: if all_is_new { BTreeMap::new() } else { news_of(news) },
        habits,
        rules: held(&judged.subject.answers, before),
        key,
    }
}

/// Gives a group the verdict that it has after all nights, and the class that decides which list it goes on.
fn take(judged: &mut Judged, verdict: Verdict, state: &State) {
    judged.verdict = verdict;
    judged.would_be = judged.would_be.min(verdict);
    if state.level.is_some() {
        let other = judged.class.filter(|class| *class != Class::Profit);
        judged.class = if state.profit { Some(Class::Profit) } else { other };
    }
}

fn pin(memory: &Memory, key: &Key) -> Option<Pin> {
    let of_group = memory.pins.iter().filter(|p| p.key == *key && p.pin.holds(memory.tonight));
    of_group.map(|p| p.pin.clone()).next_back()
}

fn found(finding: &Finding) -> Found {
    Found {
        rule: finding.rule.id.clone(),
        class: finding.rule.class.word().to_owned(),
        action: finding.action.word().to_owned(),
        title: finding.title.clone(),
    }
}

/// The answers of rules that ask about earlier runs.
fn held(answers: &Answers, before: Option<&Line>) -> BTreeMap<String, Held> {
    let asking = answers.asked.iter().filter(|rule| rule.runs.is_some() || rule.clear.is_some());
    let of_rule = |rule: &&Rule| {
        let outcome = answers.fired().find(|outcome| outcome.rule.id == rule.id);
        let mut fired = vec![outcome.is_some_and(|outcome| outcome.anew)];
        let earlier = before.and_then(|line| line.rules.get(&rule.id));
        fired.extend(earlier.into_iter().flat_map(|held| &held.fired).take(RUNS - 1));
        // What began holds only once it acts: a rule that still waits has nothing to be cleared of.
        let holding = outcome.is_some_and(|outcome| outcome.nights != Nights::Waiting);
        (rule.id.clone(), Held { fired, holding })
    };
    asking.map(of_rule).collect()
}

/// A group that was there before and sends nothing tonight.
fn away(before: &Line, habits: Learnt, alarms: Vec<String>, memory: &Memory) -> Option<Line> {
    let gone = memory.tonight - before.state.last_seen > FORGOTTEN;
    if gone && before.state.standing < Standing::Flagged {
        return None;
    }
    let sight = Sight { night: memory.tonight, watch: alarms.first().cloned(), ..Sight::default() };
    let state = State::after(Some(&before.state), &sight);
    let pin = pin(memory, &before.key);
    let verdict =
        pin.as_ref().map_or(state.verdict(Verdict::Undecided), |pin| pin.verdict(Verdict::Undecided));
    Some(Line {
        key: before.key.clone(),
        verdict: verdict.word().to_owned(),
        state,
        pin,
        alarms,
        habits,
        rules: before.rules.clone(),
        ..Line::default()
    })
}
