//! The cells of incidents, from and in the accumulators.

use super::{Cell, Incident};
use crate::base::column::{Col, Grain};
use crate::base::symbol::Symbols;
use crate::measures::PEER_COLUMNS;
use crate::measures::accumulate::Accumulator;
use crate::measures::declared::{Filter, Kind, M, Measure, Number};
use crate::measures::grain::{GrainPass, OFFER};
use hashbrown::HashMap;

/// Where the network stands in [`PEER_COLUMNS`].
const NETWORK: usize = 4;
const _: () = assert!(matches!(PEER_COLUMNS[NETWORK], Col::Network));

/// The mature clicks of a grain by offer, network, source and day.
pub struct Table<'a> {
    /// Texts of every source's columns, sorted; cells name them by their place.
    pub sources: Vec<Vec<Option<&'a str>>>,
    /// Sorted.
    pub cells: Vec<Cell<'a>>,
}

impl<'a> Table<'a> {
    /// What the accumulators of a grain of sources, or of parts of them, hold.
    pub fn of(grain: &GrainPass, symbols: &'a Symbols) -> Table<'a> {
        let source = Grain::source();
        let at: Vec<usize> = (0..)
            .zip(grain.grain.columns())
            .filter(|(_, c)| source.columns().contains(c))
            .map(|(i, _)| i)
            .collect();
        let sides = [&grain.clicks, &grain.conversions];
        let placed = sides.map(|side| places(side, &at, symbols));
        let mut sources: Vec<Source> = placed.iter().flatten().map(|(_, source)| source.clone()).collect();
        sources.sort_unstable();
        sources.dedup();
        let mut sums: HashMap<At, (u64, u64)> = HashMap::new();
        for (side, placed) in sides.into_iter().zip(&placed) {
            add(side, placed, &sources, symbols, &mut sums);
        }
        let mut cells: Vec<Cell> = sums.into_iter().map(cell).collect();
        cells.sort_unstable();
        Table { sources, cells }
    }
}

/// Texts of the columns that make a source.
type Source<'a> = Vec<Option<&'a str>>;

/// An offer, a network, a source, and the day.
type At<'a> = (Option<&'a str>, Option<&'a str>, u32, i32);

fn cell<'a>(((offer, network, group, day), (clicks, converted)): (At<'a>, (u64, u64))) -> Cell<'a> {
    Cell { offer, network, group, day, clicks, converted }
}

/// Offer and source of every stratum; `at` is where the source's columns stand among the group's.
fn places<'a>(side: &Accumulator, at: &[usize], symbols: &'a Symbols) -> Vec<(Option<&'a str>, Source<'a>)> {
    let place = |stratum: u32| {
        let (group, own) = side.stratum_key(stratum);
        (symbols.text(own[OFFER]), at.iter().map(|at| symbols.text(group[*at])).collect())
    };
    (0..side.stratum_count() as u32).map(place).collect()
}

/// Adds one side's mature clicks or conversions.
fn add<'a>(
    side: &Accumulator,
    placed: &[(Option<&'a str>, Source<'a>)],
    sources: &[Source<'a>],
    symbols: &'a Symbols,
    sums: &mut HashMap<At<'a>, (u64, u64)>,
) {
    let number = |source| sources.binary_search(source).expect("every source is there") as u32;
    let numbers: Vec<u32> = placed.iter().map(|(_, source)| number(source)).collect();
    for at in 0..side.cell_count() {
        let counts = [M::MatureClicks, M::ConvertedClicks].map(|m| side.sum(at, m).max(0) as u64);
        if counts == [0, 0] {
            continue;
        }
        let cell = side.cell(at);
        let (offer, source) = (placed[cell.stratum as usize].0, numbers[cell.stratum as usize]);
        let sum = sums.entry((offer, symbols.text(cell.peer[NETWORK]), source, cell.day)).or_default();
        *sum = (sum.0 + counts[0], sum.1 + counts[1]);
    }
}

/// Takes out of a grain what its clicks on the days of incidents were to bring: these days are as good as
/// immature. What does not wait for a conversion stays.
pub fn forget(grain: &mut GrainPass, incidents: &[Incident], symbols: &Symbols) {
    for side in [&mut grain.clicks, &mut grain.conversions] {
        let waiting: Vec<M> = side.slots().iter().copied().filter(|m| waits(m.decl())).collect();
        for at in 0..side.cell_count() {
            let cell = side.cell(at);
            let offer = symbols.text(side.stratum_key(cell.stratum).1[OFFER]);
            let network = symbols.text(cell.peer[NETWORK]);
            if incidents.iter().any(|incident| incident.covers(offer, network, cell.day)) {
                waiting.iter().for_each(|m| side.add_to_cell(at, *m, -side.sum(at, *m)));
            }
        }
    }
}

/// Whether a measure counts what has had its time: without it the lost days would look like bad ones.
pub fn waits(measure: &Measure) -> bool {
    let waits = |filter: &Filter| {
        matches!(
            filter,
            Filter::Mature
                | Filter::InTime
                | Filter::DecisionDue
                | Filter::RegistrationDue
                | Filter::DepositDue
                | Filter::CohortD7
                | Filter::CohortD30
        )
    };
    let amounts = matches!(measure.kind, Kind::Sum(Number::SaleAmountD7 | Number::SaleAmountD30));
    amounts || measure.filters.iter().any(waits)
}
