//! The cells of incidents, from and in the accumulators.

use super::{Cell, Incident};
use crate::base::column::Col;
use crate::base::symbol::{Symbol, Symbols};
use crate::measures::PEER_COLUMNS;
use crate::measures::accumulate::Accumulator;
use crate::measures::declared::{Filter, Kind, M, Measure, Number};
use crate::measures::grain::{GrainPass, OFFER};
use hashbrown::HashMap;

/// Where the network stands in [`PEER_COLUMNS`].
const NETWORK: usize = 4;
const _: () = assert!(matches!(PEER_COLUMNS[NETWORK], Col::Network));

/// The mature clicks of a grain by offer, network, group and day.
#[derive(Debug, Default)]
pub struct Table<'a> {
    /// Texts of every group's columns, sorted; cells name groups by their place.
    pub groups: Vec<Vec<Option<&'a str>>>,
    /// Sorted.
    pub cells: Vec<Cell<'a>>,
}

/// An offer, a network, a group, and the day.
type At<'a> = (Option<&'a str>, Option<&'a str>, u32, i32);

impl<'a> Table<'a> {
    /// What a grain's accumulators hold.
    pub fn of(grain: &GrainPass, symbols: &'a Symbols) -> Table<'a> {
        let mut groups: Vec<Vec<Option<&str>>> = Vec::new();
        for side in [&grain.clicks, &grain.conversions] {
            let strata = 0..side.stratum_count() as u32;
            groups.extend(strata.map(|stratum| texts(&side.stratum_key(stratum).0, symbols)));
        }
        groups.sort_unstable();
        groups.dedup();
        let mut sums: HashMap<At, (u64, u64)> = HashMap::new();
        for side in [&grain.clicks, &grain.conversions] {
            add(side, &groups, symbols, &mut sums);
        }
        let cell = |((offer, network, group, day), (clicks, converted)): (At<'a>, (u64, u64))| Cell {
            offer,
            network,
            group,
            day,
            clicks,
            converted,
        };
        let mut cells: Vec<Cell> = sums.into_iter().map(cell).collect();
        cells.sort_unstable();
        Table { groups, cells }
    }
}

fn texts<'a>(list: &[Symbol], symbols: &'a Symbols) -> Vec<Option<&'a str>> {
    list.iter().map(|symbol| symbols.text(*symbol)).collect()
}

/// Adds one side's mature clicks or conversions.
fn add<'a>(
    side: &Accumulator,
    groups: &[Vec<Option<&'a str>>],
    symbols: &'a Symbols,
    sums: &mut HashMap<At<'a>, (u64, u64)>,
) {
    let place = |stratum: u32| {
        let (group, own) = side.stratum_key(stratum);
        let group = groups.binary_search(&texts(&group, symbols)).expect("every group is there");
        (symbols.text(own[OFFER]), group as u32)
    };
    let places: Vec<(Option<&str>, u32)> = (0..side.stratum_count() as u32).map(place).collect();
    for at in 0..side.cell_count() {
        let counts = [M::MatureClicks, M::ConvertedClicks].map(|m| side.sum(at, m).max(0) as u64);
        if counts == [0, 0] {
            continue;
        }
        let cell = side.cell(at);
        let (offer, group) = places[cell.stratum as usize];
        let sum = sums.entry((offer, symbols.text(cell.peer[NETWORK]), group, cell.day)).or_default();
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
