//! An audit whose clicks are counted elsewhere: what is asked for, and in which order.
//!
//! First the rows that conversions name are fetched and read as an export; then, when the clock of the run is
//! known, the integer table. Everything between and after is that of any audit.

use super::{Clicks, Settings, click_fields, grains, placing};
use crate::base::column::{Col, Grain};
use crate::base::error::{Error, Result};
use crate::base::money::{NANO, cost_parts, row_cap};
use crate::engine::dialect::Dialect;
use crate::engine::{self, Counter, Tables, Wish};
use crate::ingest::{self, Field, Inputs, Intake, Shape, Wanted};
use crate::measures::portable::{Asked, distinct_cuts, peer_columns};
use crate::measures::{Clock, Counts, Cut, PEER_COLUMNS};
use crate::rules::RuleSet;
use std::collections::BTreeSet;

/// What a run asks for, before a click is read.
struct Ground {
    grains: Vec<Grain>,
    cuts: Vec<(Cut, Vec<usize>)>,
    columns: BTreeSet<Col>,
    peers: Vec<Col>,
    fields: Vec<Field>,
    hit_type: Option<String>,
    cost_parts: i64,
    cost_cap: i64,
    /// Click IDs that the conversions at hand name.
    ids: Vec<String>,
}

impl Ground {
    fn of(settings: &Settings, rules: &RuleSet, tables: &Tables) -> Result<Ground> {
        let grains = grains(settings, rules);
        let others = others(settings)?;
        let mut placed = placing(&grains);
        placed.extend(others.iter().flat_map(crate::measures::cost_columns));
        let fields = click_fields(&placed.into_iter().collect::<Vec<_>>());
        Ok(Ground {
            cuts: distinct_cuts(&rules.cuts(&grains)),
            columns: engine::columns(tables),
            peers: others.as_ref().map_or_else(|| PEER_COLUMNS.to_vec(), peer_columns),
            fields,
            hit_type: hit_type(settings)?,
            cost_parts: cost_parts(settings.plan.currency()),
            cost_cap: cost_cap(settings),
            ids: others.as_ref().map(ids).transpose()?.unwrap_or_default(),
            grains,
        })
    }

    fn wish(&self, clock: Clock, brings_ids: bool) -> Wish<'_> {
        Wish {
            asked: Asked {
                grains: &self.grains,
                cuts: &self.cuts,
                columns: &self.columns,
                peers: &self.peers,
            },
            fields: &self.fields,
            clock,
            hit_type: self.hit_type.clone(),
            cost_parts: self.cost_parts,
            cost_cap: self.cost_cap,
            brings_ids,
            span: None,
        }
    }
}

/// The largest cost of one click in units of the run's currency.
fn cost_cap(settings: &Settings) -> i64 {
    (row_cap(settings.plan.currency()) / NANO) as i64
}

/// The inputs that are at hand: conversions and costs; `None` if there are none.
fn others(settings: &Settings) -> Result<Option<Intake>> {
    let Inputs { files, postbacks, .. } = &settings.inputs;
    if files.is_empty() && postbacks.is_empty() {
        return Ok(None);
    }
    let inputs = Inputs { fetched: Vec::new(), ..settings.inputs.clone() };
    ingest::ingest(&inputs, &settings.plan, &Wanted::Everything, settings.threads).map(Some)
}

fn hit_type(settings: &Settings) -> Result<Option<String>> {
    Ok(settings.plan.own(Shape::Clicks, &[])?.mapping.hit_type.clone())
}

/// The click IDs that conversions name, each once.
fn ids(intake: &Intake) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    intake.conversions.scan(&[Field::Value(Col::ClickId)], None, &mut |batch| {
        let texts = batch.texts(Col::ClickId).into_iter().flat_map(|texts| texts.iter().flatten());
        ids.extend(texts.map(str::to_owned));
        Ok(())
    })?;
    Ok(engine::distinct(ids.into_iter()))
}

/// The whole plan of a run as one query, or as a script that writes the result into a file or folder.
///
/// # Errors
/// Nobody said up to when the clicks reach, or inputs that cannot be read.
pub fn printed(
    settings: &Settings,
    rules: &RuleSet,
    tables: &Tables,
    dialect: &'static Dialect,
    into: Option<&str>,
) -> Result<String> {
    let clock = stated(settings)?;
    let ground = Ground::of(settings, rules, tables)?;
    if tables.conversions.is_none() {
        return Err(Error::usage("the printed queries need a table of conversions, or of their click IDs").help(
            "load the IDs beside the clicks and name the table: `tables: {conversions: {table: NAME, columns: \
             {click_id: COLUMN}}}`",
        ));
    }
    engine::refuse_unasked(tables, &ground.ids)?;
    engine::printed(tables, dialect, into, &ground.wish(clock, false))
}

/// The clock of a run that says up to when its clicks reach.
fn stated(settings: &Settings) -> Result<Clock> {
    let as_of = settings.as_of.ok_or_else(|| {
        Error::usage("nobody said up to when the clicks reach").help(
            "say --as-of, such as --as-of 2026-03-16: which clicks are old enough is part of the queries",
        )
    })?;
    Ok(clock_at(settings, as_of))
}

fn clock_at(settings: &Settings, as_of: i64) -> Clock {
    let maturity = (settings.maturity_s * crate::base::time::SECOND as f64) as i64;
    Clock { zone: settings.zone, as_of, maturity }
}

/// Fetches the rows that have to be read here, and lets the run count its clicks by `make`'s counter, which is told
/// the click IDs of the conversions at hand.
///
/// # Errors
/// Inputs that cannot be read, or an engine that fails.
pub fn fetch(
    settings: &mut Settings,
    rules: &RuleSet,
    tables: &Tables,
    make: impl FnOnce(Vec<String>) -> Result<Box<dyn Counter>>,
) -> Result<()> {
    let ground = Ground::of(settings, rules, tables)?;
    let counter = make(ground.ids.clone())?;
    if !counter.wants_ids() {
        engine::refuse_unasked(tables, &ground.ids)?;
    }
    settings.as_of = match (settings.as_of, counter.as_of()) {
        (Some(said), Some(of_result)) if said != of_result => {
            return Err(Error::usage("--as-of differs from that of the measures")
                .help("leave it out, or print the queries again and run them"));
        }
        (said, of_result) => said.or(of_result),
    };
    let clock = clock_at(settings, settings.as_of.unwrap_or(0));
    settings.inputs.fetched = counter.rows(&ground.wish(clock, counter.wants_ids()))?;
    settings.counting = Clicks::Elsewhere(counter);
    Ok(())
}

/// The integer table of a run whose clicks are counted elsewhere.
///
/// # Errors
/// The engine fails, or amounts turn out to be in a currency that nobody stated.
pub fn counts(
    settings: &Settings,
    intake: &Intake,
    grains: &[Grain],
    cuts: &[(usize, Cut)],
    fields: &[Field],
    clock: Clock,
) -> Result<Option<Counts>> {
    let Clicks::Elsewhere(counter) = &settings.counting else { return Ok(None) };
    let parts = cost_parts(settings.plan.currency());
    if parts != intake.cost_parts() {
        return Err(Error::usage(
            "the amounts are in a currency of small units, which decides how costs are added up",
        )
        .help("say it with --currency"));
    }
    let (columns, peers) = (engine::columns(counter.tables()), peer_columns(intake));
    let distinct = distinct_cuts(cuts);
    let wish = Wish {
        asked: Asked { grains, cuts: &distinct, columns: &columns, peers: &peers },
        fields,
        clock,
        hit_type: hit_type(settings)?,
        cost_parts: parts,
        cost_cap: cost_cap(settings),
        brings_ids: counter.wants_ids(),
        span: intake.span(Col::ClickTime).filter(|_| counter.as_of().is_none()),
    };
    counter.counts(&wish).map(Some)
}
