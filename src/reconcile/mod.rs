//! Two statements of the same conversions, held against each other: what both have, what one of them lacks, where
//! they differ, and what that is worth.
//!
//! Both are read as an audit reads its inputs. They meet by the ID that matches best; rows without an ID meet by
//! their circumstances and are marked. Every row of either side has exactly one class. Refuses to guess: IDs that
//! differ are two conversions, a clock is corrected only where most pairs agree, partial days are left out, and
//! columns that hardly match end the run.

mod class;
mod forward;

mod join;
mod json;
mod letter;
mod money;
mod output;
mod pairing;
mod period;
mod rows;
mod side;
mod text;
mod words;
mod workbook;

#[cfg(test)]
mod tests;

pub use class::{CLASSES, Class, ClassFacts, Difference, Differences};
pub use forward::{Sent, forward};
pub use join::Said;
pub use json::schema;
pub use money::{Account, Accounts, DIMENSIONS, Direction, Name, Sum};
pub use output::{FORMATS, Format, Output, check, files, stdout};
pub use pairing::Tolerance;
pub use side::Files;

use crate::base::column::Col;
use crate::base::error::{Error, Result};
use crate::base::money::Micro;
use crate::base::symbol::{Symbol, Symbols};
use crate::base::text::Text;
use crate::base::time::{SECOND, Zone};
use crate::clean::Status;
use crate::clean::statement::{self, Kind, Kinds, Money, Row, Statement};
use crate::clean::vocabulary::event as canonical;
use crate::ingest::{FileLedger, Perspective, StatusMeans};
use crate::matching::forwarded::{Forwarded, Limits};
use join::Join;
use money::Ledger;
use pairing::{Matched, NONE, Placed, Sides, Terms};
use period::{Days, Extent, Periods};
use side::Side;
use std::collections::{BTreeMap, BTreeSet};

/// Everything a reconciliation can be told.
pub struct Options {
    pub ours: Files,
    pub theirs: Files,
    pub join: Option<Said>,
    /// Only these events; all, if there is none.
    pub events: Vec<String>,
    /// Only rows of ours with one of these values.
    pub only: Vec<(Col, String)>,
    pub tolerance: Tolerance,
    /// Days are cut here.
    pub zone: Zone,
    /// First and last day, where they are said.
    pub days: (Option<i32>, Option<i32>),
    /// Postbacks that were forwarded to the traffic source: their files, and what is allowed of them.
    pub sent: Option<(Files, Limits)>,
    /// Whose statements they are, where the presets do not tell.
    pub perspectives: [Option<Perspective>; 2],
}

/// What became of one side's file.
pub struct FileLine {
    pub ledger: FileLedger,
    pub ours: bool,
}

/// Rows of one class, and what they are worth by the word of their own side.
pub struct Tally {
    pub class: Class,
    pub ours: u64,
    pub theirs: u64,
}

/// What a comparison came to.
pub struct Reconciliation {
    pub files: Vec<FileLine>,
    pub join: Join,
    /// Rows of the compared days with a usable ID on either side, and how many of them the other side has.
    pub joined: [(u64, u64); 2],
    pub direction: Direction,
    pub periods: Periods,
    pub zone: Zone,
    pub tolerance: Tolerance,
    /// By how many microseconds their clock is ahead of ours; corrected.
    pub ahead: i64,
    pub tallies: Vec<Tally>,
    /// Pairs that no ID ties.
    pub fallback: u64,
    /// Rows without an ID that more than one row of the other side would fit.
    pub ambiguous: [u64; 2],
    pub ledger: Ledger,
    /// What the traffic sources were told, where that was given.
    pub forwarded: Option<Forwarded>,
    /// What the reader must know.
    pub notes: Vec<String>,
    ours: Statement,
    theirs: Statement,
    kinds: Kinds,
    symbols: Symbols,
    matched: Matched,
}

/// One row of either side, or a pair, on which the statements disagree.
pub struct Item<'a> {
    pub class: Class,
    pub differences: Differences,
    pub ours: Option<View<'a>>,
    pub theirs: Option<View<'a>>,
    /// How many whole hours theirs is later, where it is so.
    pub hours: Option<i64>,
}

/// One row with its words.
pub struct View<'a> {
    row: &'a Row,
    kind: &'a Kind,
    symbols: &'a Symbols,
    id: &'a str,
    /// By our clock.
    pub time: i64,
}

impl View<'_> {
    /// The ID that joins it.
    pub fn id(&self) -> Option<Text> {
        (!self.id.is_empty()).then(|| Text::id(self.id))
    }

    pub fn event(&self) -> Option<Text> {
        self.name(self.kind.event)
    }

    pub fn status(&self) -> Option<Status> {
        self.kind.status
    }

    pub fn paid(&self) -> Option<Micro> {
        self.row.paid().map(Micro)
    }

    pub fn sale(&self) -> Option<Micro> {
        self.row.sale().map(Micro)
    }

    pub fn currency(&self) -> Option<Text> {
        self.name(self.kind.currency)
    }

    /// Network, offer, traffic source, source and country.
    pub fn place(&self) -> [Option<Text>; 5] {
        let k = self.kind;
        [k.network, k.offer, k.traffic_source, k.source, k.country].map(|symbol| self.name(symbol))
    }

    fn name(&self, symbol: Symbol) -> Option<Text> {
        self.symbols.text(symbol).map(Text::new)
    }
}

/// Reads both statements and compares them.
///
/// # Errors
/// A statement that cannot be read, columns that do not match, no day in common, an event that nobody has.
pub fn reconcile(options: &Options) -> Result<Reconciliation> {
    let (ours, theirs, join) = joined_sides(options)?;
    let Both { ours: mine, theirs: other, kinds, mut symbols, direction, says_events, files, mut notes } =
        Both::read(options, ours, theirs, &join)?;
    let asked = Asked::of(options, &mut symbols, [&mine, &other], &kinds)?;
    let open =
        |statement, ours: bool| decided(statement, &kinds, &asked, ours, says_events[usize::from(!ours)]);
    let terms = Terms {
        events: says_events == [true, true],
        unique: join.is_unique(),
        clocks: true,
        tolerance: options.tolerance,
    };
    let sides = Sides { ours: &mine, theirs: &other, kinds: &kinds, ahead: 0 };
    let met = meet(options, sides, terms, [open(&mine, true), open(&other, false)])?;
    let Met { matched, ahead, periods, fallback, clocks } = met;
    let sides = Sides { ahead, ..sides };
    let ledger = money::ledger(&sides, &matched, direction, &symbols);
    notes.extend((!clocks).then(|| OTHER_MOMENTS.to_owned()));
    Ok(Reconciliation {
        files,
        join,
        joined: [joined(&mine, &matched.ours, &other), joined(&other, &matched.theirs, &mine)],
        direction,
        periods,
        zone: options.zone,
        tolerance: options.tolerance,
        ahead,
        tallies: tallies(&matched),
        fallback,
        ambiguous: matched.ambiguous,
        ledger,
        forwarded: told(options)?,
        notes,
        ours: mine,
        theirs: other,
        kinds,
        symbols,
        matched,
    })
}

const OTHER_MOMENTS: &str = "the times of the two sides are not of the same moment: hours are not compared";

/// Both sides, read by the columns that join them.
fn joined_sides(options: &Options) -> Result<(Side, Side, Join)> {
    let (ours, theirs) = (Side::read(options.ours.clone())?, Side::read(options.theirs.clone())?);
    let mut join = join::choose(&ours, &theirs, options.join.as_ref())?;
    let [our_header, their_header] = join.headers.clone();
    let mut by = |side: Side, at: usize, header: Option<String>| match header {
        Some(header) => {
            join.columns[at] = Col::ClickId;
            side.by(&header)
        }
        None => Ok(side),
    };
    let (ours, theirs) = (by(ours, 0, our_header)?, by(theirs, 1, their_header)?);
    Ok((ours, theirs, join))
}

/// What the traffic sources were told, where that is given.
fn told(options: &Options) -> Result<Option<Forwarded>> {
    let sent = |(postbacks, limits): &(Files, Limits)| Sent {
        conversions: options.ours.clone(),
        postbacks: postbacks.clone(),
        limits: *limits,
    };
    options.sent.as_ref().map(|given| forward(&sent(given))).transpose()
}

/// Both statements in memory, and what is known of them.
struct Both {
    ours: Statement,
    theirs: Statement,
    kinds: Kinds,
    symbols: Symbols,
    direction: Direction,
    /// Whether either side says what event a row is.
    says_events: [bool; 2],
    files: Vec<FileLine>,
    notes: Vec<String>,
}

impl Both {
    fn read(options: &Options, ours: Side, theirs: Side, join: &Join) -> Result<Both> {
        let (direction, money) = between(perspectives(options, &ours, &theirs));
        let (mut symbols, mut kinds) = (Symbols::default(), Kinds::default());
        let mine = statement::read(&ours.intake, join.columns[0], money[0], &mut symbols, &mut kinds)?;
        let other = statement::read(&theirs.intake, join.columns[1], money[1], &mut symbols, &mut kinds)?;
        let mut notes = notes(&|col| [ours.has(col), theirs.has(col)], &mine, &other);
        notes.extend(ours.intake.notes.iter().chain(&theirs.intake.notes).cloned());
        let says_events = [&ours, &theirs].map(says_events);
        let lines = |side: Side, ours: bool| {
            side.intake.files.into_iter().map(move |ledger| FileLine { ledger, ours })
        };
        let files = lines(ours, true).chain(lines(theirs, false)).collect();
        refuse_unnamed(options, says_events, &[&mine, &other], &kinds, &symbols)?;
        Ok(Both { ours: mine, theirs: other, kinds, symbols, direction, says_events, files, notes })
    }
}

/// What pairing came to.
struct Met {
    matched: Matched,
    ahead: i64,
    periods: Periods,
    /// Pairs that no ID ties.
    fallback: u64,
    /// The times of both sides are of the same moment.
    clocks: bool,
}

/// Lets the rows meet: by their IDs, then by their circumstances; corrects their clock before that.
fn meet(
    options: &Options,
    mut sides: Sides,
    mut terms: Terms,
    [ours, theirs]: [Vec<Option<Class>>; 2],
) -> Result<Met> {
    let mut matched = Matched::new(Placed::new(ours), Placed::new(theirs));
    let keyed = [pairing::keyed(sides.ours, &matched.ours), pairing::keyed(sides.theirs, &matched.theirs)];
    let distances = pairing::distances(&sides, &keyed[0], &keyed[1]);
    sides.ahead = period::ahead(&distances);
    terms.clocks = period::agree(&distances, sides.ahead);
    let periods = common_days(options, &sides, &matched, period::delay(&distances, sides.ahead))?;
    drop(distances);
    pairing::by_id(&sides, &terms, &keyed[0], &keyed[1], &mut matched);
    drop(keyed);
    let met = matched.pairs().count() as u64;
    pairing::by_circumstance(&sides, &terms, &periods, &mut matched);
    pairing::classify(&sides, &terms, &periods, &mut matched);
    leave_out(options, &periods, &sides, &mut matched);
    let fallback = matched.pairs().count() as u64 - met;
    Ok(Met { ahead: sides.ahead, clocks: terms.clocks, matched, periods, fallback })
}

// ---------------------------------------------------------------- whose money

/// The perspective of either side: what was said, or what its preset says.
fn perspectives(options: &Options, ours: &Side, theirs: &Side) -> [Perspective; 2] {
    let of = |said: Option<Perspective>, side: &Side| {
        said.or(side.mapping().perspective).unwrap_or(Perspective::Buyer)
    };
    [of(options.perspectives[0], ours), of(options.perspectives[1], theirs)]
}

/// Who claims, and which column of either side is the money that passes between them. An affiliate is paid by
/// whoever is the other side; a network by the advertiser.
fn between([ours, theirs]: [Perspective; 2]) -> (Direction, [Money; 2]) {
    use Perspective::{Advertiser, Buyer, Network};
    match (ours, theirs) {
        (Network, Advertiser) => (Direction::TheyOweUs, [Money::Revenue, Money::Payout]),
        (Advertiser, Network) => (Direction::WeOweThem, [Money::Payout, Money::Revenue]),
        (Network | Advertiser, Buyer) => (Direction::WeOweThem, [Money::Payout; 2]),
        _ => (Direction::TheyOweUs, [Money::Payout; 2]),
    }
}

// ---------------------------------------------------------------- what is asked for

/// Which rows are compared at all.
struct Asked {
    events: BTreeSet<Symbol>,
    only: Vec<(Col, BTreeSet<Symbol>)>,
}

impl Asked {
    fn of(options: &Options, symbols: &mut Symbols, sides: [&Statement; 2], kinds: &Kinds) -> Result<Asked> {
        let events: Vec<Symbol> = options.events.iter().map(|word| symbols.of(&canonical(word).0)).collect();
        let there: BTreeSet<u32> = sides.iter().flat_map(|s| &s.rows).map(|row| row.kind).collect();
        let met: BTreeSet<Symbol> = there.into_iter().map(|kind| kinds.get(kind).event).collect();
        if let Some((word, _)) = options.events.iter().zip(&events).find(|(_, event)| !met.contains(event)) {
            let all: BTreeSet<String> =
                met.iter().filter_map(|event| symbols.text(*event)).map(|e| Text::new(e).term(40)).collect();
            let all: Vec<String> = all.into_iter().take(12).collect();
            return Err(Error::input(format!(
                "no row has the event `{}`",
                Text::of_user(word.as_str()).term(60)
            ))
            .help(format!("the events are {}", all.join(", "))));
        }
        let mut only: BTreeMap<Col, BTreeSet<Symbol>> = BTreeMap::new();
        for (col, value) in &options.only {
            only.entry(*col).or_default().insert(symbols.of(value));
        }
        Ok(Asked { events: events.into_iter().collect(), only: only.into_iter().collect() })
    }

    fn has(&self, kind: &Kind, ours: bool, says_events: bool) -> bool {
        let event = !says_events || self.events.is_empty() || self.events.contains(&kind.event);
        let named = |(col, names): &(Col, BTreeSet<Symbol>)| {
            let name = match col {
                Col::Network => kind.network,
                Col::Offer => kind.offer,
                Col::TrafficSource => kind.traffic_source,
                Col::Country => kind.country,
                _ => kind.source,
            };
            names.contains(&name)
        };
        event && (!ours || self.only.iter().all(named))
    }
}

/// The columns of `--only`.
pub const ONLY: [Col; 5] = [Col::Network, Col::Offer, Col::TrafficSource, Col::Source, Col::Country];

/// Whether a side says what event a row is: in a column of its own, or in that of the status.
fn says_events(side: &Side) -> bool {
    let mut mappings = side.intake.files.iter().map(|file| &file.reading.mapping);
    side.has(Col::Event)
        || side.has(Col::Status) && mappings.any(|mapping| mapping.status_means == StatusMeans::Event)
}

/// A side that does not say its events can be compared with one event of the other only.
fn refuse_unnamed(
    options: &Options,
    says: [bool; 2],
    sides: &[&Statement; 2],
    kinds: &Kinds,
    symbols: &Symbols,
) -> Result<()> {
    if says == [true, true] || !options.events.is_empty() {
        return Ok(());
    }
    for ((says, statement), (word, other)) in
        says.iter().zip(sides).zip([("our", "theirs"), ("their", "ours")])
    {
        let numbers: BTreeSet<u32> = statement.rows.iter().map(|row| row.kind).collect();
        let events: BTreeSet<Symbol> = numbers.into_iter().map(|kind| kinds.get(kind).event).collect();
        if *says && events.len() > 1 {
            let names: BTreeSet<String> =
                events.iter().filter_map(|e| symbols.text(*e)).map(|e| Text::new(e).term(40)).collect();
            let names: Vec<String> = names.into_iter().take(12).collect();
            return Err(Error::input(format!(
                "{word} statement has several events ({}), and {other} does not say which one it is about",
                names.join(", ")
            ))
            .help("say it with --event, or map the column of the other statement that has the event"));
        }
    }
    Ok(())
}

/// The classes that are known before rows meet.
fn decided(
    statement: &Statement,
    kinds: &Kinds,
    asked: &Asked,
    ours: bool,
    says_events: bool,
) -> Vec<Option<Class>> {
    let of = |row: &Row| (!asked.has(kinds.get(row.kind), ours, says_events)).then_some(Class::NotAsked);
    let mut classes: Vec<Option<Class>> = statement.rows.iter().map(of).collect();
    for row in &statement.superseded {
        classes[*row as usize] = Some(Class::Superseded);
    }
    classes
}

/// Rows outside days that were said are not asked for.
fn leave_out(options: &Options, periods: &Periods, sides: &Sides, matched: &mut Matched) {
    let (from, to) = options.days;
    let outside =
        |time: i64| from.is_some() && time < periods.window.from || to.is_some() && time >= periods.window.to;
    let beyond = |class: &Option<Class>| matches!(class, Some(Class::OutsidePeriod | Class::PartialDay));
    for (row, class) in (0..).zip(&mut matched.ours.classes) {
        if beyond(class) && outside(sides.our(row).0.time) {
            *class = Some(Class::NotAsked);
        }
    }
    for (row, class) in (0..).zip(&mut matched.theirs.classes) {
        if beyond(class) && outside(sides.their_time(row)) {
            *class = Some(Class::NotAsked);
        }
    }
}

fn common_days(options: &Options, sides: &Sides, matched: &Matched, delay: i64) -> Result<Periods> {
    let open = |placed: &Placed, row: usize| placed.classes[row].is_none();
    let ours = sides.ours.rows.iter().enumerate().filter(|(at, _)| open(&matched.ours, *at));
    let ours = Extent::of(ours.map(|(_, row)| row.time));
    let theirs = sides.theirs.rows.iter().enumerate().filter(|(at, _)| open(&matched.theirs, *at));
    let theirs = Extent::of(theirs.map(|(_, row)| row.time - sides.ahead));
    let none =
        |word: &str| Error::input(format!("no row of {word} is asked for")).help("check --event and --only");
    let (ours, theirs) = (ours.ok_or_else(|| none("ours"))?, theirs.ok_or_else(|| none("theirs"))?);
    period::periods(ours, theirs, &Days(options.zone), options.days, delay)
}

// ---------------------------------------------------------------- what it came to

/// Rows of the compared days with an ID, and those of them that met another one with an ID.
fn joined(side: &Statement, placed: &Placed, other: &Statement) -> (u64, u64) {
    let compared = |class: &Option<Class>| {
        class.is_some_and(|class| class == Class::Equal || class.facts().disagrees && class != Class::Doubled)
    };
    let rows = side.rows.iter().zip(&placed.classes).zip(&placed.partners);
    let with_id = rows.filter(|((row, class), _)| row.key != 0 && compared(class));
    let meets = |partner: u32| partner != NONE && other.rows[partner as usize].key != 0;
    with_id.fold((0, 0), |(all, met), (_, partner)| (all + 1, met + u64::from(meets(*partner))))
}

fn tallies(matched: &Matched) -> Vec<Tally> {
    let mut counts: BTreeMap<Class, (u64, u64)> = BTreeMap::new();
    for class in matched.ours.classes.iter().flatten() {
        counts.entry(*class).or_default().0 += 1;
    }
    for class in matched.theirs.classes.iter().flatten() {
        counts.entry(*class).or_default().1 += 1;
    }
    let tally = |facts: &ClassFacts| {
        let (ours, theirs) = counts.get(&facts.class).copied().unwrap_or_default();
        Tally { class: facts.class, ours, theirs }
    };
    CLASSES.iter().map(tally).collect()
}

/// What was not compared, since a side does not say it.
fn notes(has: &dyn Fn(Col) -> [bool; 2], ours: &Statement, theirs: &Statement) -> Vec<String> {
    let mut notes = Vec::new();
    let money = |col: Col| has(col).iter().all(|there| *there);
    for (col, what) in [(Col::Status, "the status"), (Col::SaleAmount, "what the customer paid")] {
        match has(col) {
            [true, false] => notes.push(format!("{what} is not compared: theirs does not say it")),
            [false, true] => notes.push(format!("{what} is not compared: ours does not say it")),
            _ => {}
        }
    }
    if !money(Col::Payout) && !has(Col::Revenue).iter().any(|there| *there) {
        notes.push("money is not compared: one of the statements has no payout".to_owned());
    }
    for (side, statement) in [("ours", ours), ("theirs", theirs)] {
        if statement.clicks_only > 0 {
            notes.push(format!(
                "rows of {side} that are clicks without a conversion: {}",
                statement.clicks_only
            ));
        }
        let words: Vec<String> =
            statement.unknown_statuses.keys().take(5).map(|word| Text::new(word.as_str()).term(30)).collect();
        if !words.is_empty() {
            notes.push(format!("statuses of {side} that no vocabulary knows: {}", words.join(", ")));
        }
    }
    notes
}

impl Reconciliation {
    fn sides(&self) -> Sides<'_> {
        Sides { ours: &self.ours, theirs: &self.theirs, kinds: &self.kinds, ahead: self.ahead }
    }

    /// Rows of a class, on either side.
    pub fn tally(&self, class: Class) -> &Tally {
        self.tallies.iter().find(|t| t.class == class).expect("every class has a tally")
    }

    /// Conversions of the compared days, and those on which the sides disagree; a pair counts once.
    pub fn disagreement(&self) -> (u64, u64) {
        let alone = |class: Class| matches!(class, Class::Missing | Class::Doubled);
        let count = |t: &Tally| if alone(t.class) { t.ours + t.theirs } else { t.ours };
        let compared = self.tallies.iter().filter(|t| t.class == Class::Equal || t.class.facts().disagrees);
        let differ = self.tallies.iter().filter(|t| t.class.facts().disagrees);
        (compared.map(count).sum(), differ.map(count).sum())
    }

    /// Amounts in dispute, by currency.
    pub fn disputed(&self) -> BTreeMap<Option<Text>, Micro> {
        self.ledger.all.iter().map(|(currency, account)| (currency.clone(), account.disputed())).collect()
    }

    /// The claiming side's conversions that are missing or refused, by event.
    pub fn owed(&self) -> BTreeMap<Option<Text>, u64> {
        let mut owed: BTreeMap<Option<Text>, u64> = BTreeMap::new();
        for ((name, _), account) in &self.ledger.by[0] {
            let count = account.missing.count + account.refused.count;
            if count > 0 {
                *owed.entry(name[0].clone()).or_default() += count;
            }
        }
        owed
    }

    /// Everything on which the statements disagree: by class in the order of the table, then by time and ID.
    pub fn items(&self) -> impl Iterator<Item = Item<'_>> {
        let mut places: Vec<(usize, i64, bool, u32)> = Vec::new();
        let rank = |class: &Option<Class>| {
            CLASSES.iter().position(|facts| Some(facts.class) == *class && facts.disagrees)
        };
        let sides = self.sides();
        for (row, class) in (0..).zip(&self.matched.ours.classes) {
            places.extend(rank(class).map(|rank| (rank, sides.our(row).0.time, false, row)));
        }
        for (row, class) in (0..).zip(&self.matched.theirs.classes) {
            if self.matched.theirs.partners[row as usize] == NONE {
                places.extend(rank(class).map(|rank| (rank, sides.their_time(row), true, row)));
            }
        }
        let id = |place: &(usize, i64, bool, u32)| {
            if place.2 { self.theirs.id(place.3) } else { self.ours.id(place.3) }
        };
        places.sort_by(|a, b| (a.0, a.2, a.1, id(a), a.3).cmp(&(b.0, b.2, b.1, id(b), b.3)));
        places.into_iter().map(|(rank, _, theirs, row)| self.item(CLASSES[rank].class, theirs, row))
    }

    fn item(&self, class: Class, theirs: bool, row: u32) -> Item<'_> {
        if theirs {
            let theirs = Some(self.their_view(row));
            return Item { class, differences: Differences::default(), ours: None, theirs, hours: None };
        }
        let partner = self.matched.ours.partners[row as usize];
        let (ours, theirs) = (self.our_view(row), (partner != NONE).then(|| self.their_view(partner)));
        let differences = self.matched.differences[row as usize];
        let apart = theirs.as_ref().map(|theirs| theirs.time - ours.time);
        let hours = apart.filter(|_| differences.has(Difference::Hours)).and_then(pairing::hours);
        Item { class, differences, ours: Some(ours), theirs, hours }
    }

    fn our_view(&self, at: u32) -> View<'_> {
        let (row, kind) = self.sides().our(at);
        View { row, kind, symbols: &self.symbols, id: self.ours.id(at), time: row.time }
    }

    fn their_view(&self, at: u32) -> View<'_> {
        let sides = self.sides();
        let (row, kind) = sides.their(at);
        View { row, kind, symbols: &self.symbols, id: self.theirs.id(at), time: sides.their_time(at) }
    }

    /// The hours by which their clock is ahead.
    pub fn ahead_s(&self) -> i64 {
        self.ahead / SECOND
    }
}
