//! Which queries a run needs, in which form their results come, and the digest by which a result is known again.

use super::numbers::FAULTS;
use super::render::Sql;
use super::tables::Tables;
use crate::base::column::Col;
use crate::base::time::DAY;
use crate::ingest::{Field, key};
use crate::measures::portable::{Asked, COUNTED, Part, column, parts};
use crate::measures::{Clock, Cut};
use std::collections::BTreeSet;

/// The version of the results' form and of what they mean.
pub const VERSION: &str = "clickaudit-measures-2";

/// Where nobody knows yet from when clicks are, so long before the end of the run its zone's clock is followed;
/// clicks that are older have days by the offset of then. Every change of the clock is text in every query.
const YEARS_BEFORE: i64 = 3 * YEAR;
const YEAR: i64 = 366 * DAY;

/// What a query is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Which plan the result belongs to.
    Plan,
    /// The rows of the table, those without a fault, their first and last time, and the others by their fault.
    Rows,
    /// Clicks after duplicates were taken out: those that count, and others.
    Kept,
    /// IDs that stand under several sources.
    Conflicts,
    /// The rows whose IDs conversions name.
    Named,
    /// What else the visitors of these clicks clicked right before.
    Near,
    /// The conversions themselves.
    Conversions,
    Counted(Part),
}

/// One query of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// What its rows say in their first column.
    pub name: String,
    pub what: What,
}

/// How many texts and numbers a row of any result has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Width {
    pub texts: usize,
    pub numbers: usize,
}

/// Everything that decides the queries.
pub struct Plan<'a> {
    pub tables: &'a Tables,
    pub clock: Clock,
    pub cuts: &'a [(Cut, Vec<usize>)],
    parts: Vec<Part>,
    /// The columns by which rows of one click are told apart, in order.
    pub content: BTreeSet<Col>,
    /// Of the referrer only whether there is one is known.
    pub only_referred: bool,
    /// The text columns that counts are grouped by or look at.
    pub placing: Vec<Col>,
    pub hit_type: Option<String>,
    /// Parts of a micro-unit that costs are in.
    pub cost_parts: i64,
    /// The largest cost of one click, in units.
    pub cost_cap: i64,
    /// The run brings the click IDs of conversions along.
    pub brings_ids: bool,
    /// Offsets of the audit's zone from UTC.
    pub offsets: Vec<(i64, i64)>,
    pub width: Width,
    /// What the first row of a result says.
    pub stamp: Vec<String>,
}

/// What a plan is made from besides the tables.
pub struct Wish<'a> {
    pub asked: Asked<'a>,
    /// The fields of clicks that the run reads.
    pub fields: &'a [Field],
    pub clock: Clock,
    pub hit_type: Option<String>,
    pub cost_parts: i64,
    /// The largest cost of one click, in units.
    pub cost_cap: i64,
    pub brings_ids: bool,
    /// First and last click, if they are known.
    pub span: Option<(i64, i64)>,
}

impl<'a> Plan<'a> {
    /// The plan of a run.
    pub fn new(tables: &'a Tables, wish: &Wish<'a>) -> Plan<'a> {
        let parts = parts(&wish.asked);
        let mut placing: Vec<Col> = Vec::new();
        let of_cuts = wish.asked.cuts.iter().flat_map(|(cut, _)| cut.only.keys());
        let counted = COUNTED.map(column);
        for col in parts.iter().flat_map(|part| &part.columns).chain(of_cuts).chain(&counted) {
            if !placing.contains(col) {
                placing.push(*col);
            }
        }
        let (content, only_referred) = content(wish.fields);
        let usual = (wish.clock.as_of - YEARS_BEFORE, wish.clock.as_of + YEAR);
        let (from, until) = wish.span.map_or(usual, |(from, until)| (from, until + DAY));
        let mut plan = Plan {
            tables,
            clock: wish.clock,
            cuts: wish.asked.cuts,
            content,
            only_referred,
            placing,
            hit_type: wish.hit_type.clone(),
            cost_parts: wish.cost_parts,
            cost_cap: wish.cost_cap,
            brings_ids: wish.brings_ids,
            offsets: wish.clock.zone.offsets(from, until),
            width: width(tables, &parts),
            stamp: Vec::new(),
            parts,
        };
        plan.stamp = vec![VERSION.to_owned(), plan.digest(), plan.clock.as_of.to_string()];
        plan
    }

    /// The queries that need no clock: what conversions name, and what is known of rows.
    pub fn before(&self) -> Vec<Query> {
        // Conversions first: whatever else arrives meanwhile, the clicks that they name are asked for after them.
        let mut queries = Vec::new();
        if self.tables.conversions.as_ref().is_some_and(|table| !table.only_ids()) {
            queries.push(("conversions", What::Conversions));
        }
        queries.extend([("rows", What::Rows), ("kept", What::Kept), ("conflicts", What::Conflicts)]);
        queries.push(("named", What::Named));
        let clicks = &self.tables.clicks;
        if [Col::Ip, Col::UserAgent, Col::Source].iter().all(|col| clicks.has(*col)) {
            queries.push(("near", What::Near));
        }
        queries.into_iter().map(|(name, what)| Query { name: name.to_owned(), what }).collect()
    }

    /// The queries of the integer table.
    pub fn counts(&self) -> Vec<Query> {
        let query = |part: &Part| Query { name: part.name.clone(), what: What::Counted(part.clone()) };
        self.parts.iter().map(query).collect()
    }

    /// All queries, the stamp first.
    pub fn all(&self) -> Vec<Query> {
        let stamp = Query { name: "plan".to_owned(), what: What::Plan };
        std::iter::once(stamp).chain(self.before()).chain(self.counts()).collect()
    }

    /// What tells this plan from another: a digest of its text in one dialect, from which nothing is left out.
    fn digest(&self) -> String {
        let dialect = super::dialect::named("duckdb").expect("it is in the table");
        let sql = Sql { plan: self, dialect, before: None };
        let queries: Vec<Query> = self.before().into_iter().chain(self.counts()).collect();
        format!("{:016x}", key(sql.whole(&queries).as_bytes()))
    }
}

fn width(tables: &Tables, parts: &[Part]) -> Width {
    let rows = std::iter::once(&tables.clicks).chain(&tables.conversions);
    let rows = rows.map(|table| (table.texts().len(), Sql::numbers(table).len()));
    let parts = parts.iter().map(|part| (part.columns.len(), part.numbers().len()));
    // The stamp has three texts; of rows four numbers are known, and how many have which fault.
    let widest = |a: (usize, usize), b: (usize, usize)| (a.0.max(b.0), a.1.max(b.1));
    let (texts, numbers) = rows.chain(parts).fold((3, 4 + FAULTS.len()), widest);
    Width { texts, numbers }
}

/// The columns that a click's content is told by, and whether the referrer is among them as a yes or no only.
fn content(fields: &[Field]) -> (BTreeSet<Col>, bool) {
    let whole: BTreeSet<Col> = fields
        .iter()
        .filter_map(|field| match field {
            Field::Value(col) | Field::Key(col) => Some(*col),
            _ => None,
        })
        .filter(|col| ![Col::ClickId, Col::ClickTime].contains(col))
        .collect();
    let present = |field: &Field| matches!(field, Field::Present(Col::Referrer));
    let only_referred = fields.iter().any(present) && !whole.contains(&Col::Referrer);
    let referrer = only_referred.then_some(Col::Referrer);
    (whole.into_iter().chain(referrer).collect(), only_referred)
}
