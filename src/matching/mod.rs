//! Ties each conversion to its click and says what kind of conversion it is.
//!
//! Several clicks with one ID: the last click before the conversion wins. A conversion that matches nothing
//! is a signal, not a dropped row; where the loaded clicks do not reach back far enough, it is neither.

mod clicks;
mod facts;
pub mod forwarded;
pub mod gates;
mod terms;
mod transactions;

use crate::base::column::{Col, Grain};
use crate::base::error::Result;
use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::SECOND;
use crate::clean::{Cleaned, Conversion};
use crate::ingest::{Intake, Shape, Times, is_unexpanded_macro};
use clicks::{Click, Clicks, OlderClicks, Visitor};
pub use facts::{Facts, character_place, countries_differ};
use std::collections::{BTreeMap, BTreeSet};
use terms::Book;
pub use terms::{Agreed, Told as TermsTold};

/// Where a conversion's click was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    Matched,
    /// The click of this ID came after the conversion.
    BeforeClick,
    /// No loaded click has the ID although it must lie in the loaded span.
    Orphan,
    /// No loaded click has the ID, and the span is too short to tell.
    OutsideSpan,
    /// The click is older than the window and known from the index: it has a source and no time to conversion.
    OlderClick,
    /// The row has no click ID, or a macro in its place.
    WithoutId,
}

impl Class {
    /// The word of the reports.
    pub fn word(self) -> &'static str {
        match self {
            Class::Matched => "matched",
            Class::BeforeClick => "before_click",
            Class::Orphan => "orphan",
            Class::OutsideSpan => "outside_span",
            Class::OlderClick => "older_click",
            Class::WithoutId => "without_id",
        }
    }
}

/// A conversion with its click.
pub struct MatchedConversion {
    pub conversion: Conversion,
    pub class: Class,
    /// The text columns asked for: the click's where it is known, the conversion's own otherwise.
    pub columns: Vec<Symbol>,
    /// When the click happened, as far as it is known.
    pub click_time: Option<i64>,
    /// Whole seconds from click to conversion; absent where times are a batch upload's, and where several
    /// sources claim the click.
    pub ctit_s: Option<i64>,
    /// The first conversion of its event on its click.
    pub first_of_event: bool,
    /// The first conversion on its click whose event tells how long a visitor took.
    pub first_on_click: bool,
    /// Its time is that of an upload.
    pub batched: bool,
    /// The click has several conversions of this once-only event (set on the first of them).
    pub repeated_event: bool,
    /// The same transaction again, neither a retry nor an allowed update.
    pub replay: bool,
    /// A replay that another source had claimed before.
    pub shared: bool,
    /// What it is among the other conversions.
    pub facts: Facts,
    /// What the terms of its offer say of it.
    pub agreed: Agreed,
    origin: Option<Origin>,
}

/// What of a conversion's click its facts need.
struct Origin {
    time: i64,
    /// The click's own text columns.
    columns: Vec<Symbol>,
    visitor: Option<Visitor>,
}

impl Origin {
    fn of(click: &Click) -> Origin {
        Origin { time: click.time, columns: click.columns.clone(), visitor: click.visitor }
    }
}

/// All conversions that count, and the rest by reason.
pub struct Matched {
    pub conversions: Vec<MatchedConversion>,
    pub classes: BTreeMap<Class, u64>,
    /// Duplicate conversion rows by reason: same row, status update, retry.
    pub duplicates: BTreeMap<&'static str, u64>,
    pub replays: u64,
    /// Conversions whose times are a batch upload's.
    pub batched: u64,
    /// Conversions whose own source differs from their click's.
    pub source_conflicts: u64,
    /// Enough matched click IDs are there to learn which forms they have.
    pub forms_known: bool,
    /// What the terms of the offers came to.
    pub terms: TermsTold,
}

/// What matching needs to know besides the rows.
pub struct Options<'a> {
    /// The text columns that every conversion gets, the grain's among them.
    pub columns: &'a [Col],
    /// First and last loaded click.
    pub span: Option<(i64, i64)>,
    /// The moment the input reaches up to.
    pub as_of: i64,
}

/// Matches the conversions of an intake.
///
/// # Errors
/// The clicks cannot be read.
pub fn matching(
    intake: &Intake,
    cleaned: Cleaned,
    options: &Options,
    symbols: &mut Symbols,
) -> Result<Matched> {
    let by_id = intake.has(Shape::Clicks) && intake.clicks.columns().contains(&Col::ClickId);
    let clicks = if by_id {
        clicks::load(intake, &cleaned.conversions, options.columns, symbols)?
    } else {
        Clicks::default()
    };
    let sources = source_columns(options.columns);
    let book =
        Book::new(&intake.mapping.offers, intake.currency.as_deref(), &intake.mapping.rates, options.columns);
    let windows = windows(&cleaned.conversions, &book, window(intake), symbols);
    let finder = Finder {
        by_id,
        windows,
        turns: clicks.turns(&sources),
        clicks: &clicks,
        options,
        combined: intake.combined,
    };
    let older = OlderClicks::load(intake, &cleaned.conversions)?;
    let mut matched: Vec<MatchedConversion> = cleaned
        .conversions
        .into_iter()
        .enumerate()
        .map(|(at, c)| finder.find(at, c, &older, symbols))
        .collect();
    let mut duplicates = cleaned.duplicates;
    let source_conflicts = finder.conflicts(&matched, &sources);
    let unqualified = terms::disqualify(&mut matched, &book, symbols);
    transactions::settle(&mut matched, options.columns, &sources, &mut duplicates);
    let batched = transactions::drop_batch_times(&mut matched, options.columns, &sources);
    let told = terms::mark(&mut matched, &book, symbols);
    let setting =
        facts::Setting { columns: options.columns, sources: &sources, as_of: options.as_of, book: &book };
    let forms_known = facts::settle(&mut matched, &setting, intake, symbols)?;
    let mut classes = BTreeMap::new();
    for m in &matched {
        *classes.entry(m.class).or_default() += 1;
    }
    let replays = matched.iter().filter(|m| m.replay).count() as u64;
    let terms = TermsTold { unqualified, ..told };
    Ok(Matched {
        conversions: matched,
        classes,
        duplicates,
        replays,
        batched,
        source_conflicts,
        forms_known,
        terms,
    })
}

/// The attribution window in microseconds.
fn window(intake: &Intake) -> i64 {
    (intake.mapping.attribution_window_s * SECOND as f64) as i64
}

/// The attribution window of each conversion: its offer's, or the run's.
fn windows(conversions: &[Conversion], book: &Book, window: i64, symbols: &Symbols) -> Vec<i64> {
    let of = |c: &Conversion| {
        book.of(&c.carried, c.time, symbols).and_then(|terms| terms.window).unwrap_or(window)
    };
    conversions.iter().map(of).collect()
}

/// Where the columns that make a source stand among `columns`.
fn source_columns(columns: &[Col]) -> Vec<usize> {
    let grain = Grain::source();
    let wanted: BTreeSet<Col> = grain.columns().iter().copied().collect();
    (0..columns.len()).filter(|&i| wanted.contains(&columns[i])).collect()
}

/// Of several clicks with one ID the one whose time the report repeats: who sends clicks with a rival's IDs
/// cannot write the report.
fn told_click<'c>(conversion: &Conversion, clicks: &'c [Click]) -> Option<&'c Click> {
    let told = conversion.click_time.filter(|_| clicks.len() > 1)?;
    let second = |time: i64| time.div_euclid(SECOND);
    let at = clicks.partition_point(|c| second(c.time) < second(told));
    clicks.get(at).filter(|c| second(c.time) == second(told))
}

/// Finds the click of one conversion after another.
struct Finder<'a> {
    by_id: bool,
    clicks: &'a Clicks,
    /// [`Clicks::turns`].
    turns: Vec<u32>,
    options: &'a Options<'a>,
    /// The attribution window of each conversion.
    windows: Vec<i64>,
    combined: bool,
}

impl Finder<'_> {
    fn find(
        &self,
        at: usize,
        conversion: Conversion,
        older: &OlderClicks,
        symbols: &mut Symbols,
    ) -> MatchedConversion {
        let (mut class, mut click) = self.class_and_click(&conversion, self.windows[at]);
        let unfound = matches!(class, Class::Orphan | Class::OutsideSpan);
        let id = conversion.click_id.as_ref().filter(|_| unfound);
        let older = id.and_then(|id| older.before(id, conversion.time, self.options.columns, symbols));
        if let Some(found) = &older {
            (class, click) = (Class::OlderClick, Some(found));
        }
        let click_time = click.map(|c| c.time).or(conversion.click_time);
        let seconds = |from: i64| (conversion.time - from).div_euclid(SECOND);
        let told = conversion.times != Times::Approval;
        let timed = class == Class::Matched && told && !self.contested(&conversion);
        let ctit_s = click_time.filter(|_| timed).map(seconds);
        MatchedConversion {
            columns: self.columns(&conversion, click),
            class,
            click_time,
            ctit_s,
            first_of_event: false,
            first_on_click: false,
            batched: false,
            repeated_event: false,
            replay: false,
            shared: false,
            facts: Facts::default(),
            agreed: Agreed::default(),
            origin: click.filter(|_| class != Class::OlderClick).map(Origin::of),
            conversion,
        }
    }

    fn class_and_click(&self, conversion: &Conversion, window: i64) -> (Class, Option<&Click>) {
        let id = conversion.click_id.as_ref().filter(|id| !is_unexpanded_macro(id.text.as_bytes()));
        if !self.by_id {
            return (self.class_by_own_time(conversion), None);
        }
        let Some(id) = id else { return (Class::WithoutId, None) };
        let clicks = self.clicks.of(id);
        if let Some(told) = told_click(conversion, clicks) {
            return (
                if told.time <= conversion.time { Class::Matched } else { Class::BeforeClick },
                Some(told),
            );
        }
        let before = clicks.partition_point(|c| c.time <= conversion.time);
        match (before, clicks.len()) {
            (_, 0) => (self.class_without_click(conversion, window), None),
            (0, _) => (Class::BeforeClick, Some(&clicks[0])),
            (n, _) => (Class::Matched, Some(&clicks[n - 1])),
        }
    }

    /// Whether sources differ over whose click this conversion's ID is, and the report does not tell.
    fn contested(&self, conversion: &Conversion) -> bool {
        let Some(id) = conversion.click_id.as_ref() else { return false };
        let range = self.clicks.range(id);
        let differ = range.len() > 1 && self.turns[range.start] != self.turns[range.end - 1];
        differ && told_click(conversion, self.clicks.of(id)).is_none()
    }

    /// A report that carries its own click time needs no clicks to match.
    fn class_by_own_time(&self, conversion: &Conversion) -> Class {
        match conversion.click_time {
            Some(click) if click <= conversion.time => Class::Matched,
            Some(_) => Class::BeforeClick,
            None if conversion.click_id.is_none() && !self.combined => Class::WithoutId,
            None => Class::OutsideSpan,
        }
    }

    fn class_without_click(&self, conversion: &Conversion, window: i64) -> Class {
        let Some((first, last)) = self.options.span else { return Class::OutsideSpan };
        let inside = match conversion.click_time {
            Some(click) => (first..=last).contains(&click),
            None => conversion.time - window >= first && conversion.time <= last,
        };
        if inside { Class::Orphan } else { Class::OutsideSpan }
    }

    fn columns(&self, conversion: &Conversion, click: Option<&Click>) -> Vec<Symbol> {
        let Some(click) = click else { return conversion.carried.clone() };
        let pick = |(own, theirs): (&Symbol, &Symbol)| if *theirs == Symbol::NONE { *own } else { *theirs };
        conversion.carried.iter().zip(&click.columns).map(pick).collect()
    }

    /// How many matched conversions name another source than their click does.
    fn conflicts(&self, matched: &[MatchedConversion], sources: &[usize]) -> u64 {
        let differs = |m: &&MatchedConversion| {
            let own = |i: &usize| m.conversion.carried[*i];
            sources.iter().any(|i| own(i) != Symbol::NONE && own(i) != m.columns[*i])
        };
        matched.iter().filter(|m| self.by_id && m.class == Class::Matched).filter(differs).count() as u64
    }
}
