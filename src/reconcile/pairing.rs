//! Which row of one statement is which of the other: rows in, a class for every row and a partner for most out.
//!
//! Rows meet by the text of one ID and by their event; keys only sort them. Rows that no ID ties may meet by offer,
//! time, amount and country, where exactly one candidate is there on either side, and are marked. What is done to one
//! side is done to the other: statements that change places get the same pairs. Refuses to overrule an ID: two IDs
//! that differ are two conversions.

use super::class::{Class, Difference, Differences};
use super::period::Periods;
use crate::base::symbol::Symbol;
use crate::base::time::SECOND;
use crate::clean::Status;
use crate::clean::statement::{Kind, Kinds, Row, Statement};

/// No partner.
pub const NONE: u32 = u32::MAX;

/// Same ID, but another event: the same conversion if it is not further away than this.
const SAME_ACT: i64 = 3_600 * SECOND;

/// A repeatable event again, with the same amounts and within this time, is one that was reported twice.
const SAME_MOMENT: i64 = 60 * SECOND;

/// Beyond so many possible pairs of one ID and event rows are paired in the order of time.
const MOST_PAIRS: usize = 4_096;

/// So many distances say what the clocks are like; they come in the order of keys, which is none.
const MOST_DISTANCES: usize = 1_000_000;

/// Whole hours are told of a pair up to this distance from them.
const HOUR_SLACK: i64 = 60 * SECOND;
const HOUR: i64 = 3_600 * SECOND;
const MOST_HOURS: i64 = 14;

/// How far apart what is the same may be.
#[derive(Clone, Copy, Debug)]
pub struct Tolerance {
    /// Micro-units by which amounts may differ.
    pub amount: i64,
    /// Microseconds by which rows that no ID ties may be apart.
    pub time: i64,
}

/// What is known of the two statements before rows meet.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Both sides say what event a row is.
    pub events: bool,
    /// The ID that joins is that of one conversion, not of a click that may have several.
    pub unique: bool,
    /// The times of both sides are of the same moment.
    pub clocks: bool,
    pub tolerance: Tolerance,
}

/// The two statements.
#[derive(Clone, Copy)]
pub struct Sides<'a> {
    pub ours: &'a Statement,
    pub theirs: &'a Statement,
    pub kinds: &'a Kinds,
    /// How far their clock is ahead of ours, in microseconds.
    pub ahead: i64,
}

impl<'a> Sides<'a> {
    /// The kind of a row of ours.
    pub fn our(&self, row: u32) -> (&'a Row, &'a Kind) {
        let row = &self.ours.rows[row as usize];
        (row, self.kinds.get(row.kind))
    }

    /// The kind of a row of theirs.
    pub fn their(&self, row: u32) -> (&'a Row, &'a Kind) {
        let row = &self.theirs.rows[row as usize];
        (row, self.kinds.get(row.kind))
    }

    /// When a row of theirs was, by our clock.
    pub fn their_time(&self, row: u32) -> i64 {
        self.theirs.rows[row as usize].time - self.ahead
    }

    fn apart(&self, ours: u32, theirs: u32) -> i64 {
        self.their_time(theirs) - self.ours.rows[ours as usize].time
    }
}

/// What became of one side's rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// `None` until it is decided.
    pub classes: Vec<Option<Class>>,
    pub partners: Vec<u32>,
}

impl Placed {
    /// A side of which some rows are decided already.
    pub fn new(classes: Vec<Option<Class>>) -> Placed {
        let partners = vec![NONE; classes.len()];
        Placed { classes, partners }
    }

    fn is_open(&self, row: u32) -> bool {
        self.classes[row as usize].is_none() && self.partners[row as usize] == NONE
    }

    fn open(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.classes.len() as u32).filter(|row| self.is_open(*row))
    }

    fn settle(&mut self, row: u32, class: Class) {
        self.classes[row as usize] = Some(class);
    }
}

/// What became of both sides' rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    pub ours: Placed,
    pub theirs: Placed,
    /// How the pair of a row of ours differs.
    pub differences: Vec<Differences>,
    /// Rows that could have met several without an ID, on either side.
    pub ambiguous: [u64; 2],
}

impl Matched {
    /// Two sides before any row has met another.
    pub fn new(ours: Placed, theirs: Placed) -> Matched {
        let differences = vec![Differences::default(); ours.classes.len()];
        Matched { ours, theirs, differences, ambiguous: [0; 2] }
    }

    fn join(&mut self, ours: u32, theirs: u32) {
        self.ours.partners[ours as usize] = theirs;
        self.theirs.partners[theirs as usize] = ours;
    }

    /// All pairs, in the order of our rows.
    pub fn pairs(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let partners = self.ours.partners.iter().enumerate();
        partners.filter(|(_, theirs)| **theirs != NONE).map(|(ours, theirs)| (ours as u32, *theirs))
    }
}

// ---------------------------------------------------------------- by ID

/// A row by the key of its ID.
pub type Keyed = (u64, u32);

/// The rows with a usable ID that are open, in the order of their keys.
pub fn keyed(statement: &Statement, placed: &Placed) -> Vec<Keyed> {
    let rows = || (0..).zip(&statement.rows).filter(|(at, row)| row.key != 0 && placed.is_open(*at));
    let mut keyed: Vec<Keyed> = Vec::with_capacity(rows().count());
    keyed.extend(rows().map(|(at, row)| (row.key, at)));
    keyed.sort_unstable();
    keyed
}

/// Hands the rows of both sides to `each` that have one key.
pub fn groups(ours: &[Keyed], theirs: &[Keyed], mut each: impl FnMut(&[Keyed], &[Keyed])) {
    let (mut ours, mut theirs) = (ours, theirs);
    while let Some(key) = [ours.first(), theirs.first()].into_iter().flatten().map(|k| k.0).min() {
        let (mine, rest) = ours.split_at(ours.iter().take_while(|k| k.0 == key).count());
        let (other, others) = theirs.split_at(theirs.iter().take_while(|k| k.0 == key).count());
        each(mine, other);
        (ours, theirs) = (rest, others);
    }
}

/// How far apart rows are whose ID stands once on either side, in microseconds; theirs less ours.
pub fn distances(sides: &Sides, ours: &[Keyed], theirs: &[Keyed]) -> Vec<i64> {
    let mut found = Vec::new();
    groups(ours, theirs, |mine, other| {
        if found.len() < MOST_DISTANCES
            && let ([(_, mine)], [(_, other)]) = (mine, other)
            && sides.ours.id(*mine) == sides.theirs.id(*other)
        {
            found.push(sides.apart(*mine, *other));
        }
    });
    found
}

/// Lets rows meet by their ID and event.
pub fn by_id(sides: &Sides, terms: &Terms, ours: &[Keyed], theirs: &[Keyed], matched: &mut Matched) {
    groups(ours, theirs, |mine, other| {
        if let ([(_, mine)], [(_, other)]) = (mine, other)
            && sides.ours.id(*mine) == sides.theirs.id(*other)
        {
            return one_id(sides, terms, &[*mine], &[*other], matched);
        }
        let mine: Vec<u32> = mine.iter().map(|k| k.1).collect();
        let other: Vec<u32> = other.iter().map(|k| k.1).collect();
        for (mine, other) in by_text(sides, mine, other) {
            one_id(sides, terms, &mine, &other, matched);
        }
    });
}

/// Rows of one key by the text of their ID: keys of different texts may be equal.
fn by_text(sides: &Sides, mut mine: Vec<u32>, mut other: Vec<u32>) -> Vec<(Vec<u32>, Vec<u32>)> {
    let our = |row: &u32| sides.ours.id(*row);
    let their = |row: &u32| sides.theirs.id(*row);
    let first = mine.first().map(our).or(other.first().map(their)).unwrap_or_default();
    if mine.iter().all(|row| our(row) == first) && other.iter().all(|row| their(row) == first) {
        return vec![(mine, other)];
    }
    let mut texts: Vec<&str> = mine.iter().map(our).chain(other.iter().map(their)).collect();
    texts.sort_unstable();
    texts.dedup();
    let part = |text: &&str| {
        let mine = mine.extract_if(.., |row| our(row) == *text).collect();
        let other = other.extract_if(.., |row| their(row) == *text).collect();
        (mine, other)
    };
    texts.iter().map(part).collect()
}

/// The rows of one ID.
fn one_id(sides: &Sides, terms: &Terms, mine: &[u32], other: &[u32], matched: &mut Matched) {
    let event = |kind: &Kind| if terms.events { kind.event } else { Symbol::NONE };
    let our = |row: &u32| event(sides.our(*row).1);
    let their = |row: &u32| event(sides.their(*row).1);
    if let ([a], [b]) = (mine, other) {
        if our(a) == their(b) {
            return matched.join(*a, *b);
        }
    } else {
        let mut events: Vec<Symbol> = mine.iter().map(our).chain(other.iter().map(their)).collect();
        events.sort_unstable();
        events.dedup();
        for event in events {
            let mine: Vec<u32> = mine.iter().copied().filter(|row| our(row) == event).collect();
            let other: Vec<u32> = other.iter().copied().filter(|row| their(row) == event).collect();
            one_event(sides, terms, mine, other, matched);
        }
    }
    let mut open_ours = mine.iter().filter(|row| matched.ours.is_open(**row));
    let mut open_theirs = other.iter().filter(|row| matched.theirs.is_open(**row));
    if let (Some(a), None, Some(b), None) =
        (open_ours.next(), open_ours.next(), open_theirs.next(), open_theirs.next())
        && (terms.unique || sides.apart(*a, *b).abs() <= SAME_ACT)
    {
        matched.join(*a, *b);
    }
}

/// The rows of one ID and event: those that are most alike meet, and what is left over may be a double.
fn one_event(sides: &Sides, terms: &Terms, mut mine: Vec<u32>, mut other: Vec<u32>, matched: &mut Matched) {
    mine.sort_by_key(|row| (content(sides.our(*row).0), *row));
    other.sort_by_key(|row| (content(sides.their(*row).0), *row));
    for (a, b) in likeliest(sides, &mine, &other) {
        matched.join(mine[a], other[b]);
    }
    let our = |row: u32| (sides.our(row).0, sides.our(row).1.once);
    let their = |row: u32| (sides.their(row).0, sides.their(row).1.once);
    doubles(terms, &mine, &mut matched.ours, our);
    doubles(terms, &other, &mut matched.theirs, their);
}

/// What rows of one ID and event are told apart by.
fn content(row: &Row) -> (i64, Option<i64>, Option<i64>) {
    (row.time, row.paid(), row.sale())
}

/// Pairs of places, the most alike first; the same whichever side is ours.
fn likeliest(sides: &Sides, mine: &[u32], other: &[u32]) -> Vec<(usize, usize)> {
    if mine.len() * other.len() > MOST_PAIRS {
        return (0..mine.len().min(other.len())).map(|at| (at, at)).collect();
    }
    let mut possible = Vec::with_capacity(mine.len() * other.len());
    for (a, ours) in mine.iter().enumerate() {
        for (b, theirs) in other.iter().enumerate() {
            let ((one, our), (two, their)) = (sides.our(*ours), sides.their(*theirs));
            let unlike = [
                one.paid() != two.paid(),
                one.sale() != two.sale(),
                our.status != their.status,
                our.currency != their.currency,
            ];
            let unlike = unlike.iter().filter(|unlike| **unlike).count();
            let cost = (unlike, sides.apart(*ours, *theirs).abs());
            possible.push((cost, a + b, a.abs_diff(b), a, b));
        }
    }
    possible.sort_unstable();
    let (mut used, mut used_other) = (vec![false; mine.len()], vec![false; other.len()]);
    let mut pairs = Vec::new();
    for (.., a, b) in possible {
        if !used[a] && !used_other[b] {
            (used[a], used_other[b]) = (true, true);
            pairs.push((a, b));
        }
    }
    pairs
}

/// Marks what one side says twice: rows beyond the first of an ID that can have only one, and rows that repeat
/// another one of their side.
fn doubles<'a>(terms: &Terms, rows: &[u32], placed: &mut Placed, of: impl Fn(u32) -> (&'a Row, bool)) {
    let has_partner = |placed: &Placed, row: u32| placed.partners[row as usize] != NONE;
    let mut kept: Vec<u32> = rows.iter().copied().filter(|row| has_partner(placed, *row)).collect();
    for &row in rows {
        if has_partner(placed, row) {
            continue;
        }
        let (here, once) = of(row);
        let again = |earlier: &u32| {
            let there = of(*earlier).0;
            (there.paid(), there.sale()) == (here.paid(), here.sale())
                && (there.time - here.time).abs() <= SAME_MOMENT
        };
        let double = if terms.unique || once { !kept.is_empty() } else { kept.iter().any(again) };
        match double {
            true => placed.settle(row, Class::Doubled),
            false => kept.push(row),
        }
    }
}

// ---------------------------------------------------------------- without an ID

/// Lets rows meet that no ID ties, where one of the two has none and exactly one candidate is there on either side.
pub fn by_circumstance(sides: &Sides, terms: &Terms, periods: &Periods, matched: &mut Matched) {
    let inside = |time: i64| periods.window.holds(time);
    let mut ours: Vec<u32> =
        matched.ours.open().filter(|row| inside(sides.ours.rows[*row as usize].time)).collect();
    let mut theirs: Vec<u32> = matched.theirs.open().filter(|row| inside(sides.their_time(*row))).collect();
    ours.sort_by_key(|row| (sides.ours.rows[*row as usize].time, *row));
    theirs.sort_by_key(|row| (sides.their_time(*row), *row));
    let bare = |rows: &[u32], of: &Statement| -> Vec<u32> {
        rows.iter().copied().filter(|row| of.rows[*row as usize].key == 0).collect()
    };
    let (bare_ours, bare_theirs) = (bare(&ours, sides.ours), bare(&theirs, sides.theirs));
    let our_time = |row: u32| sides.ours.rows[row as usize].time;
    let alike = |a: u32, b: u32| alike(sides, terms, a, b);
    let of_ours = |row: u32| {
        let there = if sides.ours.rows[row as usize].key == 0 { &theirs } else { &bare_theirs };
        only(there, our_time(row), terms.tolerance.time, |b| sides.their_time(b), |b| alike(row, b))
    };
    let of_theirs = |row: u32| {
        let there = if sides.theirs.rows[row as usize].key == 0 { &ours } else { &bare_ours };
        only(there, sides.their_time(row), terms.tolerance.time, our_time, |a| alike(a, row))
    };
    let candidates: Vec<(u32, Only)> = ours.iter().map(|row| (*row, of_ours(*row))).collect();
    let several = |only: &Only| matches!(only, Only::Several);
    matched.ambiguous[0] = candidates.iter().filter(|(_, only)| several(only)).count() as u64;
    matched.ambiguous[1] = theirs.iter().filter(|row| several(&of_theirs(**row))).count() as u64;
    for (row, only) in candidates {
        if let Only::One(other) = only
            && of_theirs(other) == Only::One(row)
        {
            matched.join(row, other);
            matched.differences[row as usize].add(Difference::Fallback);
        }
    }
}

/// How many candidates there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Only {
    None,
    One(u32),
    Several,
}

/// The candidate among rows that are sorted by time.
fn only(rows: &[u32], time: i64, within: i64, at: impl Fn(u32) -> i64, fits: impl Fn(u32) -> bool) -> Only {
    let first = rows.partition_point(|row| at(*row) < time - within);
    let near = rows[first..].iter().take_while(|row| at(**row) <= time + within);
    let mut fitting = near.copied().filter(|row| fits(*row));
    match (fitting.next(), fitting.next()) {
        (None, _) => Only::None,
        (Some(one), None) => Only::One(one),
        _ => Only::Several,
    }
}

/// Whether two rows agree in all that both say, and both say what was promoted or paid.
fn alike(sides: &Sides, terms: &Terms, ours: u32, theirs: u32) -> bool {
    let ((one, our), (two, their)) = (sides.our(ours), sides.their(theirs));
    let same = |a: Symbol, b: Symbol| a == b || a == Symbol::NONE || b == Symbol::NONE;
    let near = |a: Option<i64>, b: Option<i64>| {
        a.zip(b).is_none_or(|(a, b)| a.abs_diff(b) <= terms.tolerance.amount.unsigned_abs())
    };
    let tells = (our.offer != Symbol::NONE && their.offer != Symbol::NONE)
        || one.paid().zip(two.paid()).is_some()
        || one.sale().zip(two.sale()).is_some();
    tells
        && (!terms.events || our.event == their.event)
        && same(our.offer, their.offer)
        && same(our.country, their.country)
        && same(our.currency, their.currency)
        && near(one.paid(), two.paid())
        && near(one.sale(), two.sale())
}

// ---------------------------------------------------------------- classes

/// Gives every row that is still open its class.
pub fn classify(sides: &Sides, terms: &Terms, periods: &Periods, matched: &mut Matched) {
    let pairs: Vec<(u32, u32)> = matched.pairs().collect();
    for (ours, theirs) in pairs {
        let found = differences(sides, terms, ours, theirs);
        let all = &mut matched.differences[ours as usize];
        all.merge(found);
        let times = [sides.ours.rows[ours as usize].time, sides.their_time(theirs)];
        let left_out = times.iter().all(|time| !periods.window.holds(*time));
        let class = if left_out { Class::PartialDay } else { all.class() };
        matched.ours.settle(ours, class);
        matched.theirs.settle(theirs, class);
    }
    let open: Vec<u32> = matched.ours.open().collect();
    for row in open {
        let class = periods.alone(sides.ours.rows[row as usize].time, &periods.theirs);
        matched.ours.settle(row, class);
    }
    let open: Vec<u32> = matched.theirs.open().collect();
    for row in open {
        let class = periods.alone(sides.their_time(row), &periods.ours);
        matched.theirs.settle(row, class);
    }
}

/// How a pair differs.
fn differences(sides: &Sides, terms: &Terms, ours: u32, theirs: u32) -> Differences {
    let ((one, our), (two, their)) = (sides.our(ours), sides.their(theirs));
    let mut found = Differences::default();
    if terms.events && our.event != their.event {
        found.add(Difference::Event);
    }
    let told = |status: Option<Status>| status.filter(|status| *status != Status::Unknown);
    if told(our.status).zip(told(their.status)).is_some_and(|(a, b)| a != b) {
        found.add(Difference::Status);
    }
    let both_pay = pays(our.status) && pays(their.status);
    let differ = |a: Option<i64>, b: Option<i64>| {
        let apart = |(a, b): (i64, i64)| a.abs_diff(b) > terms.tolerance.amount.unsigned_abs();
        both_pay && a.zip(b).is_some_and(apart)
    };
    if [our, their].iter().all(|kind| kind.currency != Symbol::NONE) && our.currency != their.currency {
        found.add(Difference::Currency);
    } else {
        if differ(one.paid(), two.paid()) {
            found.add(Difference::Payout);
        }
        if differ(one.sale(), two.sale()) {
            found.add(Difference::Amount);
        }
    }
    if terms.clocks && hours(sides.apart(ours, theirs)).is_some() {
        found.add(Difference::Hours);
    }
    found
}

/// Whether a conversion of this status is paid, or will be.
pub fn pays(status: Option<Status>) -> bool {
    matches!(status, None | Some(Status::Approved | Status::Pending | Status::Unknown))
}

/// The whole hours that two times are apart, if they are.
pub fn hours(apart: i64) -> Option<i64> {
    let hours = (apart + apart.signum() * HOUR / 2) / HOUR;
    let near = (apart - hours * HOUR).abs() <= HOUR_SLACK;
    (near && hours != 0 && hours.abs() <= MOST_HOURS).then_some(hours)
}
