//! Which columns a file's rows become, and the builder that appends one validated row at a time.
//!
//! A row is checked as a whole before any of it is appended: a frame never holds half a row.

use super::brand::Brands;
use super::enrich::{Agent, DERIVED, Derived, Enrichment, Source};
use super::mapping::{Mapping, Shape, SideMapping};
use super::network::{address, network_key};
use super::offers::Offers;
use super::rates::{Rate, Rates};
use super::reject::Reason;
use super::sources::{Overlay, Picked, Sources};
use super::value;
use crate::base::column::{COLUMNS, Col, Kind};
use crate::base::money::{Mark, cost_parts, row_cap, to_parts};
use crate::base::networks::{neighbourhood, shown};
use crate::base::time::{Clock, DAY};
use hashbrown::HashMap;
use polars::prelude::*;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// A column of the intake: a canonical one, or what is found from the text of one or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    Value(Col),
    /// xxh3 of a key column's text: for joining and counting. Collisions are settled on the text.
    Key(Col),
    /// The key of the network of an address, /24 or /48; absent where the text is no address. Only
    /// [`Col::Ip`] has one.
    Net(Col),
    /// xxh3 of all mapped values of a row that has no click ID.
    Row,
    /// Whether the click ID or the source is a macro that was never replaced.
    Macro,
    /// Whether the row says anything in a column, where its text need not be kept. Only [`Col::Referrer`]
    /// and [`Col::UserAgent`] have one.
    Present(Col),
    /// Whether the keyword or the referrer of a click names a brand of the mapping; absent where neither
    /// says anything.
    Brand,
}

/// The fields that are a yes or no, apart from the canonical columns.
const FLAGS: [Field; 4] =
    [Field::Macro, Field::Present(Col::Referrer), Field::Present(Col::UserAgent), Field::Brand];

/// The columns that a tracker fills from macros.
const MACRO_COLUMNS: [Col; 2] = [Col::ClickId, Col::Source];

/// The columns in which a click may name a brand.
const BRAND_COLUMNS: [Col; 2] = [Col::Keyword, Col::Referrer];

impl Field {
    /// The column's name in the intake.
    pub fn name(self) -> PlSmallStr {
        match self {
            Field::Value(col) => PlSmallStr::from_static(col.name()),
            Field::Key(col) => PlSmallStr::from_string(format!("{}_key", col.name())),
            Field::Row => PlSmallStr::from_static("row_key"),
            Field::Macro => PlSmallStr::from_static("unexpanded_macro"),
            Field::Net(col) => PlSmallStr::from_string(format!("{}_net", col.name())),
            Field::Present(col) => PlSmallStr::from_string(format!("{}_present", col.name())),
            Field::Brand => PlSmallStr::from_static("brand_named"),
        }
    }

    /// The canonical columns whose text the field is made of; a row's key is made of all.
    pub fn origin(&self) -> &[Col] {
        match self {
            Field::Value(col) | Field::Key(col) | Field::Net(col) | Field::Present(col) => {
                std::slice::from_ref(col)
            }
            Field::Macro => &MACRO_COLUMNS,
            Field::Brand => &BRAND_COLUMNS,
            Field::Row => &[],
        }
    }

    /// Whether the field is a yes or no that [`Layout::flag`] finds.
    pub fn is_flag(self) -> bool {
        FLAGS.contains(&self)
    }
}

/// The 64-bit key of an ID, address or user agent: XXH3 with seed 0.
pub fn key(text: &[u8]) -> u64 {
    xxh3_64(text)
}

/// Some keys of one column.
pub type KeySet = hashbrown::HashSet<u64>;

/// What a file's fields become.
#[derive(Clone)]
pub struct Layout {
    pub shape: Shape,
    /// Fields of the header.
    pub width: usize,
    pub multiline: bool,
    pub side: SideMapping,
    /// Mapped columns and where they stand, in the order of [`Col`].
    pub places: BTreeMap<Col, usize>,
    pub constants: BTreeMap<Col, String>,
    /// Columns that the file does not have and that are found from others of its columns.
    pub derived: Vec<&'static Derived>,
    /// Where columns stand by traffic source.
    pub overlay: Option<Overlay>,
    /// What was agreed for each offer, where the file names offers and no models.
    pub terms: Option<Arc<Offers>>,
    /// The traffic sources, where costs are in their currencies.
    pub sellers: Option<Arc<Sources>>,
    pub enrichment: Arc<Enrichment>,
    pub currency: Option<String>,
    /// Amounts stay in the currency of their row, which is a column of its own.
    pub keeps_currencies: bool,
    pub rates: Arc<Rates>,
    /// Parts of a micro-unit that costs of clicks are kept in; 1 for other amounts and other shapes.
    pub cost_parts: i64,
    pub brands: Brands,
    /// Rows carry a key of their content because they have no click ID.
    pub row_key: bool,
    /// Names of all columns of the export, in its order; empty for a log.
    pub headers: Vec<String>,
    /// The fields that the audit reads; others are checked and not kept.
    pub wanted: Wanted,
}

/// Which fields of the rows are kept in the intake.
#[derive(Clone, Debug)]
pub enum Wanted {
    Everything,
    Only(BTreeSet<Field>),
}

impl Wanted {
    /// Whether a field is kept.
    pub fn has(&self, field: Field) -> bool {
        match self {
            Wanted::Everything => true,
            Wanted::Only(fields) => fields.contains(&field),
        }
    }
}

impl Layout {
    /// The layout of a file whose columns stand at `places`.
    pub fn new(
        shape: Shape,
        mapping: &Mapping,
        places: BTreeMap<Col, usize>,
        width: usize,
        wanted: &Wanted,
    ) -> Layout {
        let side = mapping.side(shape).clone();
        let constants: BTreeMap<Col, String> = side
            .constants
            .iter()
            .filter(|(c, _)| !places.contains_key(c))
            .map(|(c, v)| (*c, v.clone()))
            .collect();
        let row_key = matches!(shape, Shape::Clicks | Shape::Combined) && !places.contains_key(&Col::ClickId);
        Layout {
            shape,
            width,
            multiline: side.multiline,
            derived: derived(shape, &mapping.enrichment, &places, &constants),
            enrichment: Arc::clone(&mapping.enrichment),
            overlay: None,
            terms: terms(mapping, &places, &constants),
            sellers: sellers(shape, mapping, &places),
            places,
            constants,
            currency: mapping.currency.clone(),
            keeps_currencies: mapping.keeps_currencies,
            rates: mapping.rates.clone(),
            brands: Brands::new(&mapping.brand_terms),
            row_key,
            cost_parts: if shape.is_of_clicks() { cost_parts(mapping.currency.as_deref()) } else { 1 },
            headers: Vec::new(),
            wanted: wanted.clone(),
            side,
        }
    }

    /// The same layout of a file with these headers, its columns read by traffic source.
    pub fn laid_over(mut self, headers: &[String], sources: &Sources) -> Layout {
        self.overlay = Overlay::of(sources, self.shape, headers, &self.places, &self.constants);
        self
    }

    /// Whether a column is read by traffic source.
    pub fn overlays(&self, col: Col) -> bool {
        self.overlay.as_ref().is_some_and(|overlay| overlay.has(col))
    }

    /// What else of a row is read, besides the mapped columns, to find columns.
    pub fn origins(&self) -> BTreeSet<usize> {
        let of_terms = self.terms.as_ref().and_then(|_| self.places.get(&Col::Offer).copied());
        self.overlay.iter().flat_map(Overlay::places).chain(of_terms).collect()
    }

    /// What of the sources and offers files decides what rows become; empty where neither does.
    pub fn told(&self) -> String {
        let overlay = self.overlay.as_ref().map(Overlay::told);
        let models = self.terms.as_ref().map(|terms| terms.models());
        let currencies = self.sellers.as_ref().map(|sellers| sellers.currencies());
        match (overlay, models, currencies) {
            (None, None, None) => String::new(),
            told => format!("{told:?}"),
        }
    }

    /// The currency of a row's traffic source, where rows are costs and have none of their own.
    pub fn currency_of(&self, traffic_source: &[u8]) -> Option<&str> {
        let name = std::str::from_utf8(traffic_source).ok()?;
        self.sellers.as_ref()?.of(name)?.currency.as_deref()
    }

    /// The canonical columns that rows of this file have.
    pub fn columns(&self) -> BTreeSet<Col> {
        let derived = self
            .derived
            .iter()
            .map(|d| d.col)
            .chain(self.overlay.iter().flat_map(|o| o.columns.iter().map(|c| c.0)));
        let derived = derived.chain(self.terms.iter().map(|_| Col::Model));
        self.places.keys().chain(self.constants.keys()).copied().chain(derived).collect()
    }

    /// Whether a column is found from others of the file's columns.
    pub fn derives(&self, col: Col) -> bool {
        self.derived.iter().any(|d| d.col == col)
    }

    /// The name in a Parquet export of a canonical column.
    pub fn header_of(&self, col: Col) -> Option<&str> {
        self.places.get(&col).and_then(|&at| self.headers.get(at)).map(String::as_str)
    }

    /// Whether rows of this file have a field.
    pub fn has(&self, field: Field) -> bool {
        let of_clicks = matches!(self.shape, Shape::Clicks | Shape::Combined);
        let placed = |col: &Col| self.places.contains_key(col);
        let exists = match field {
            Field::Value(Col::Currency) => self.keeps_currencies,
            Field::Value(col) => {
                let found =
                    self.derives(col) || self.overlays(col) || (col == Col::Model && self.terms.is_some());
                placed(&col) || self.constants.contains_key(&col) || found
            }
            Field::Key(col) => col.kind() == Kind::Key && (placed(&col) || self.derives(col)),
            Field::Net(col) => col == Col::Ip && placed(&col),
            Field::Row => self.row_key,
            Field::Macro => of_clicks,
            Field::Present(col) => field.is_flag() && placed(&col),
            Field::Brand => of_clicks && !self.brands.is_empty() && BRAND_COLUMNS.iter().any(placed),
        };
        exists && (field == Field::Row || self.wanted.has(field))
    }

    /// All fields that rows of this file have.
    pub fn fields(&self) -> Vec<Field> {
        let columns = COLUMNS.iter().flat_map(|c| [Field::Value(c.id), Field::Key(c.id)]);
        let others = [Field::Net(Col::Ip), Field::Row].into_iter().chain(FLAGS);
        columns.chain(others).filter(|field| self.has(*field)).collect()
    }

    /// A flag of one row, from the row's text in the mapped columns of [`Field::origin`].
    pub fn flag<'t>(&self, field: Field, mut texts: impl Iterator<Item = &'t [u8]>) -> Option<bool> {
        if field == Field::Macro {
            return Some(texts.any(value::is_unexpanded_macro));
        }
        let mut said = texts.filter(|text| !value::is_null(text, &self.side));
        match field {
            Field::Brand => {
                said.fold(None, |named, text| Some(named == Some(true) || self.brands.named_in(text)))
            }
            _ => Some(said.next().is_some()),
        }
    }

    /// The text of a row's column that stands at a place, unless its traffic source has it elsewhere.
    pub fn text_of<'t>(&'t self, col: Col, at: usize, text: &dyn Fn(usize) -> &'t [u8]) -> &'t [u8] {
        match self.overlay.as_ref().filter(|overlay| overlay.has(col)) {
            None => text(at),
            Some(overlay) => match overlay.text(col, text) {
                Some(Picked::Text(said)) => said,
                Some(Picked::Fixed(said)) => said.as_bytes(),
                None => &[],
            },
        }
    }

    /// The key of the network of an address.
    pub fn net(&self, text: &[u8]) -> Option<u64> {
        if value::is_null(text, &self.side) { None } else { network_key(text) }
    }

    /// The column that must not be empty in any row.
    pub fn time_column(&self) -> Option<Col> {
        match self.shape {
            Shape::Clicks | Shape::Combined => Some(Col::ClickTime),
            Shape::Conversions => Some(Col::ConversionTime),
            Shape::Costs => Some(Col::Day),
            Shape::Report => None,
        }
    }

    /// The rate of a row's currency, in capitals, on the row's day: `None` if it is ours or none is declared.
    ///
    /// # Errors
    /// A currency other than ours that has no rate.
    pub fn rate(&self, currency: &str, day: Option<i32>) -> std::result::Result<Option<Rate>, Reason> {
        match &self.currency {
            Some(ours) if ours != currency && !self.keeps_currencies => {
                self.rates.of(currency, ours, day).map(Some).ok_or(Reason::CurrencyWithoutRate)
            }
            _ => Ok(None),
        }
    }

    /// The column whose day decides the rates of a row.
    pub fn rate_column(&self) -> Option<Col> {
        self.time_column().or(Some(Col::Day))
    }

    /// The currency of a row: what its currency column says, or the marks beside its amounts; capitals.
    ///
    /// # Errors
    /// These contradict each other.
    pub fn row_currency(&self, said: &[u8], marks: &[Mark]) -> std::result::Result<Option<String>, Reason> {
        let said = said.trim_ascii();
        let by_mark = || {
            let ours = self.currency.as_deref().filter(|ours| marks.iter().all(|m| m.fits(ours)));
            marks.first().map(|mark| ours.unwrap_or(mark.code()).to_owned())
        };
        let said = (!said.is_empty()).then(|| String::from_utf8_lossy(said).to_uppercase());
        let currency = said.or_else(by_mark);
        match &currency {
            Some(code) if !marks.iter().all(|m| m.fits(code)) => Err(Reason::CurrencyConflict),
            _ => Ok(currency),
        }
    }

    /// An amount of a row as it is kept: in our currency, whole micro-units, costs of clicks in parts of them.
    ///
    /// # Errors
    /// It is larger than `cap`, what a row may carry in its own currency.
    pub fn kept(
        &self,
        col: Col,
        nano: i128,
        cap: i128,
        rate: Option<Rate>,
    ) -> std::result::Result<i64, Reason> {
        if nano.abs() > cap {
            return Err(Reason::AmountTooLarge);
        }
        let ours = rate.map_or(nano, |rate| value::exchanged(nano, rate));
        let parts = if col == Col::Cost { self.cost_parts } else { 1 };
        to_parts(ours, parts).ok_or(Reason::AmountTooLarge)
    }
}

/// What was noticed beside the rows themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Noticed {
    /// Rows by currency.
    pub currencies: BTreeMap<String, u64>,
    /// The rates that amounts were exchanged at, by currency.
    pub rates: BTreeMap<String, BTreeSet<Rate>>,
    /// Times that the clock of their zone shows twice.
    pub repeated_times: u64,
    /// Times that the clock of their zone never shows.
    pub skipped_times: u64,
}

impl Noticed {
    /// Adds what was noticed elsewhere.
    pub fn append(&mut self, other: Noticed) {
        for (code, rows) in other.currencies {
            self.see_currency(code, rows);
        }
        for (code, rates) in other.rates {
            self.rates.entry(code).or_default().extend(rates);
        }
        self.repeated_times += other.repeated_times;
        self.skipped_times += other.skipped_times;
    }

    /// Counts rows of a currency; hostile rows may name any number of them.
    pub fn see_currency(&mut self, code: String, rows: u64) {
        if rows > 0 && (self.currencies.len() < CURRENCIES || self.currencies.contains_key(&code)) {
            *self.currencies.entry(code).or_default() += rows;
        }
    }

    /// Counts a time.
    pub fn see_time(&mut self, clock: Clock) {
        self.repeated_times += u64::from(clock == Clock::Repeated);
        self.skipped_times += u64::from(clock == Clock::Skipped);
    }

    /// Keeps a rate that was used.
    pub fn see_rate(&mut self, code: &str, rate: Rate) {
        match self.rates.get_mut(code) {
            Some(rates) => drop(rates.insert(rate)),
            None => drop(self.rates.insert(code.to_owned(), BTreeSet::from([rate]))),
        }
    }
}

/// The columns that can be found where the file has none: its own column wins, and so does a constant.
fn derived(
    shape: Shape,
    enrichment: &Enrichment,
    places: &BTreeMap<Col, usize>,
    constants: &BTreeMap<Col, String>,
) -> Vec<&'static Derived> {
    let lacks = |d: &&Derived| !places.contains_key(&d.col) && !constants.contains_key(&d.col);
    let found = |d: &&Derived| enrichment.has(d.source) && places.contains_key(&d.source.origin());
    DERIVED.iter().filter(|d| d.fits(shape)).filter(lacks).filter(found).collect()
}

/// The offers' terms, if they say models and the file does not.
fn terms(
    mapping: &Mapping,
    places: &BTreeMap<Col, usize>,
    constants: &BTreeMap<Col, String>,
) -> Option<Arc<Offers>> {
    let has = |col: Col| places.contains_key(&col) || constants.contains_key(&col);
    let asked = mapping.offers.have_models() && places.contains_key(&Col::Offer) && !has(Col::Model);
    asked.then(|| Arc::clone(&mapping.offers))
}

/// The traffic sources, if the file is of costs without a currency of their own.
fn sellers(shape: Shape, mapping: &Mapping, places: &BTreeMap<Col, usize>) -> Option<Arc<Sources>> {
    let named = places.contains_key(&Col::TrafficSource) && !places.contains_key(&Col::Currency);
    (shape == Shape::Costs && named && !mapping.sources.is_empty()).then(|| Arc::clone(&mapping.sources))
}

/// Where a column's fields go; `None` for a field that is checked and not kept.
enum Slot {
    Text(Option<StringChunkedBuilder>),
    Key(Option<StringChunkedBuilder>, Option<Keys>),
    Integer(Option<PrimitiveChunkedBuilder<Int64Type>>),
}

type Keys = PrimitiveChunkedBuilder<UInt64Type>;

struct Cell {
    col: Col,
    at: usize,
    slot: Slot,
    /// The row's parsed value, for integer columns.
    parsed: Option<i64>,
    /// The row's amount in billionths of its own currency, for money.
    nano: Option<i128>,
}

/// A flag and the fields of a record that it is found in.
struct Flag {
    field: Field,
    at: Vec<(Col, usize)>,
    values: BooleanChunkedBuilder,
}

/// Collects rows of one chunk.
pub struct RowBuilder<'a> {
    layout: &'a Layout,
    cells: Vec<Cell>,
    currency_at: Option<usize>,
    flags: Vec<Flag>,
    /// Where the address stands, and the keys of its network.
    nets: Option<(usize, Keys)>,
    row_keys: Vec<u64>,
    found: FoundRows<'a>,
    /// The currency of every row, where rows keep their own.
    currencies: Option<StringChunkedBuilder>,
    noticed: Noticed,
    /// Which of the cells holds the day that rates are of.
    day_cell: Option<usize>,
    /// Which of the cells holds the time of the row.
    time_cell: Option<usize>,
    /// Where the traffic source stands, if the currency follows from it.
    seller_at: Option<usize>,
    tender: Tender,
    rows: usize,
}

/// What the amounts of a row are in. Mostly the row before had the same.
struct Tender {
    /// The text of the currency column; rows with marks beside their amounts are not remembered.
    text: Vec<u8>,
    code: Option<String>,
    day: Option<i32>,
    rate: Option<Rate>,
    cap: i128,
    /// Rows since the code changed.
    rows: u64,
}

impl Tender {
    /// Whether marks beside amounts said the currency.
    fn marked(&self) -> bool {
        self.text.is_empty() && self.code.is_some()
    }

    /// No currency is said: the amounts are in ours.
    fn ours(layout: &Layout) -> Tender {
        let cap = row_cap(layout.currency.as_deref());
        Tender { text: Vec::new(), code: None, day: None, rate: None, cap, rows: 0 }
    }
}

/// So many currencies of a chunk are told apart.
const CURRENCIES: usize = 50;

impl<'a> RowBuilder<'a> {
    /// An empty builder with room for about `capacity` rows.
    pub fn new(layout: &'a Layout, capacity: usize) -> RowBuilder<'a> {
        let cell = |(&col, &at): (&Col, &usize)| Cell {
            col,
            at,
            slot: slot(&|f| layout.has(f), col, capacity),
            parsed: None,
            nano: None,
        };
        let kept = |col: Col| col != Col::Currency && !layout.overlays(col);
        let cells: Vec<Cell> = layout.places.iter().filter(|(c, _)| kept(**c)).map(cell).collect();
        let flag = |&field: &Field| Flag {
            field,
            at: field.origin().iter().filter_map(|c| Some((*c, *layout.places.get(c)?))).collect(),
            values: BooleanChunkedBuilder::new(field.name(), capacity),
        };
        let net = Field::Net(Col::Ip);
        let nets = |&at: &usize| layout.has(net).then(|| (at, Keys::new(net.name(), capacity)));
        RowBuilder {
            layout,
            time_cell: cells.iter().position(|c| Some(c.col) == layout.time_column()),
            seller_at: layout.sellers.as_ref().and_then(|_| layout.places.get(&Col::TrafficSource).copied()),
            day_cell: cells.iter().position(|c| Some(c.col) == layout.rate_column()),
            cells,
            currency_at: layout.places.get(&Col::Currency).copied(),
            flags: FLAGS.iter().filter(|f| layout.has(**f)).map(flag).collect(),
            nets: layout.places.get(&Col::Ip).and_then(nets),
            row_keys: Vec::new(),
            found: FoundRows::new(layout, capacity, &|_| true),
            currencies: layout.has(Field::Value(Col::Currency)).then(|| currencies(capacity)),
            noticed: Noticed::default(),
            tender: Tender::ours(layout),
            rows: 0,
        }
    }

    /// Appends a record whose width is right.
    ///
    /// # Errors
    /// Why the row is rejected; nothing of it is kept then.
    pub fn push(&mut self, record: &csv::StringRecord) -> std::result::Result<(), Reason> {
        let clocks = self.parse(record)?;
        for cell in &mut self.cells {
            cell.append(&record[cell.at], &self.layout.side);
        }
        self.tender.rows += 1;
        if let Some(currencies) = &mut self.currencies {
            currencies.append_option(self.tender.code.as_deref().or(self.layout.currency.as_deref()));
        }
        for clock in clocks {
            self.noticed.see_time(clock);
        }
        for Flag { field, at, values } in &mut self.flags {
            let texts =
                at.iter().map(|(col, at)| self.layout.text_of(*col, *at, &|at| record[at].as_bytes()));
            values.append_option(self.layout.flag(*field, texts));
        }
        if let Some((at, nets)) = &mut self.nets {
            nets.append_option(self.layout.net(record[*at].as_bytes()));
        }
        let time = self.time_cell.and_then(|at| self.cells[at].parsed);
        self.found.push(time, &|at| record[at].as_bytes());
        if self.layout.row_key {
            self.row_keys.push(row_key(self.layout.places.values().map(|&at| record[at].as_bytes())));
        }
        self.rows += 1;
        Ok(())
    }

    /// Parses every integer column and checks every key, so that a fault leaves no trace; tells times that the
    /// clock does not show once.
    fn parse(&mut self, record: &csv::StringRecord) -> std::result::Result<Vec<Clock>, Reason> {
        let (time_column, side) = (self.layout.time_column(), &self.layout.side);
        let (mut marks, mut clocks) = (Vec::new(), Vec::new());
        for cell in &mut self.cells {
            let text = record[cell.at].as_bytes();
            match (&cell.slot, cell.col.kind()) {
                (Slot::Integer(_), Kind::Money) => {
                    let amount = value::amount(text, side)?;
                    cell.nano = amount.map(|a| a.nano);
                    marks.extend(amount.and_then(|a| a.mark));
                }
                (Slot::Integer(_), Kind::Time) => {
                    let time = value::time(text, side)?;
                    cell.parsed = time.map(|(micros, _)| micros);
                    clocks.extend(time.map(|(_, clock)| clock).filter(|c| *c != Clock::Plain));
                }
                (Slot::Integer(_), kind) => cell.parsed = value::integer(kind, text, side)?,
                (Slot::Key(..), _) if memchr::memchr(0, text).is_some() => return Err(Reason::NulInKey),
                _ => {}
            }
            if time_column == Some(cell.col) && cell.parsed.is_none() {
                return Err(Reason::NoTime);
            }
        }
        self.tender(record, &marks)?;
        self.exchange()?;
        Ok(clocks)
    }

    /// Turns the amounts of the row into what is kept.
    fn exchange(&mut self) -> std::result::Result<(), Reason> {
        let Tender { cap, rate, .. } = self.tender;
        for cell in self.cells.iter_mut().filter(|c| c.col.kind() == Kind::Money) {
            cell.parsed = cell.nano.map(|nano| self.layout.kept(cell.col, nano, cap, rate)).transpose()?;
        }
        Ok(())
    }

    /// Finds what the amounts of the row are in.
    fn tender(&mut self, record: &csv::StringRecord, marks: &[Mark]) -> std::result::Result<(), Reason> {
        let by_seller = || {
            self.seller_at.and_then(|at| self.layout.currency_of(record[at].as_bytes())).map(str::as_bytes)
        };
        let text = self
            .currency_at
            .map(|at| record[at].as_bytes().trim_ascii())
            .or_else(by_seller)
            .unwrap_or_default();
        let day = self.day_cell.and_then(|at| self.cells[at].parsed).map(|t| t.div_euclid(DAY) as i32);
        let same = marks.is_empty() && text == self.tender.text && !self.tender.marked();
        if same && (self.tender.rate.is_none() || day == self.tender.day) {
            return Ok(());
        }
        let code = self.layout.row_currency(text, marks)?;
        let rate = code.as_ref().map_or(Ok(None), |code| self.layout.rate(code, day))?;
        if let Some((code, rate)) = code.as_ref().zip(rate) {
            self.noticed.see_rate(code, rate);
        }
        if code != self.tender.code {
            self.count_currency();
        }
        let cap = row_cap(code.as_deref().or(self.layout.currency.as_deref()));
        let rows = self.tender.rows;
        self.tender = Tender { text: text.to_vec(), code, day, rate, cap, rows };
        Ok(())
    }

    /// Adds the rows of the currency before to its count.
    fn count_currency(&mut self) {
        let rows = std::mem::take(&mut self.tender.rows);
        if let Some(code) = &self.tender.code {
            self.noticed.see_currency(code.clone(), rows);
        }
    }

    /// What was noticed beside the rows.
    pub fn take_noticed(&mut self) -> Noticed {
        self.count_currency();
        std::mem::take(&mut self.noticed)
    }

    /// The rows as a frame.
    pub fn finish(self) -> DataFrame {
        let rows = self.rows;
        let mut columns: Vec<Column> = self.cells.into_iter().flat_map(Cell::finish).collect();
        let constants = self.layout.constants.iter().filter(|(c, _)| self.layout.has(Field::Value(**c)));
        columns.extend(constants.map(|(col, text)| constant(*col, text, rows)));
        columns.extend(self.flags.into_iter().map(|f| f.values.finish().into_column()));
        columns.extend(self.nets.map(|(_, nets)| nets.finish().into_column()));
        columns.extend(self.found.finish());
        columns.extend(self.currencies.map(|c| c.finish().into_column()));
        if self.layout.row_key {
            columns.push(Series::new(Field::Row.name(), self.row_keys).into());
        }
        DataFrame::new(rows, columns).expect("all columns have one length and different names")
    }
}

/// The key of a whole row: of the text of all mapped columns, in the order of [`Col`].
pub fn row_key<'t>(texts: impl Iterator<Item = &'t [u8]>) -> u64 {
    let mut hash = Xxh3::new();
    for text in texts {
        hash.update(text);
        hash.update(&[0]);
    }
    hash.digest()
}

/// The column of currencies, in the making.
pub fn currencies(capacity: usize) -> StringChunkedBuilder {
    StringChunkedBuilder::new(Field::Value(Col::Currency).name(), capacity)
}

/// A column with one text in every row.
pub fn constant(col: Col, text: &str, rows: usize) -> Column {
    Column::new_scalar(Field::Value(col).name(), Scalar::from(PlSmallStr::from(text)), rows)
}

fn slot(has: &dyn Fn(Field) -> bool, col: Col, capacity: usize) -> Slot {
    let (value, key) = (Field::Value(col), Field::Key(col));
    let texts = || has(value).then(|| StringChunkedBuilder::new(value.name(), capacity));
    let keys = || has(key).then(|| Keys::new(key.name(), capacity));
    match col.kind() {
        Kind::Text => Slot::Text(texts()),
        Kind::Key => Slot::Key(texts(), keys()),
        Kind::Time | Kind::Money | Kind::Count | Kind::Flag => {
            Slot::Integer(has(value).then(|| PrimitiveChunkedBuilder::new(value.name(), capacity)))
        }
    }
}

impl Cell {
    fn append(&mut self, text: &str, side: &SideMapping) {
        let present = || Some(text).filter(|t| !value::is_null(t.as_bytes(), side));
        match &mut self.slot {
            Slot::Text(Some(texts)) => texts.append_option(present()),
            Slot::Key(texts, keys) => {
                let present = present();
                if let Some(keys) = keys {
                    keys.append_option(present.map(|t| key(t.as_bytes())));
                }
                if let Some(texts) = texts {
                    texts.append_option(present);
                }
            }
            Slot::Integer(Some(values)) => values.append_option(self.parsed),
            Slot::Text(None) | Slot::Integer(None) => {}
        }
    }

    /// Appends what was found for a column that the file does not have.
    fn append_found(&mut self, found: &Found) {
        let text = found.text.as_deref();
        match &mut self.slot {
            Slot::Text(Some(texts)) => texts.append_option(text),
            Slot::Key(texts, keys) => {
                if let Some(keys) = keys {
                    keys.append_option(text.map(|t| key(t.as_bytes())));
                }
                if let Some(texts) = texts {
                    texts.append_option(text);
                }
            }
            Slot::Integer(Some(values)) => values.append_option(found.flag.map(i64::from)),
            Slot::Text(None) | Slot::Integer(None) => {}
        }
    }

    /// Whether anything is kept.
    fn is_kept(&self) -> bool {
        !matches!(self.slot, Slot::Text(None) | Slot::Key(None, None) | Slot::Integer(None))
    }

    fn finish(self) -> Vec<Column> {
        let is_time = self.col.kind() == Kind::Time;
        match self.slot {
            Slot::Text(texts) => texts.map(|t| t.finish().into_column()).into_iter().collect(),
            Slot::Key(texts, keys) => {
                let texts = texts.map(|t| t.finish().into_column());
                texts.into_iter().chain(keys.map(|k| k.finish().into_column())).collect()
            }
            Slot::Integer(values) => values.map(|v| integers(v.finish(), is_time)).into_iter().collect(),
        }
    }
}

fn integers(values: Int64Chunked, is_time: bool) -> Column {
    if is_time {
        values.into_datetime(TimeUnit::Microseconds, None).into_column()
    } else {
        values.into_column()
    }
}

/// What is found for one column of one row.
#[derive(Default)]
struct Found<'e> {
    text: Option<Cow<'e, str>>,
    flag: Option<bool>,
}

/// Where a column that is found comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// The visitor.
    Visitor(Source),
    /// The traffic source.
    Seller,
    /// The terms of the offer.
    Terms,
}

/// Collects the columns of a file that are found from its others.
pub struct FoundRows<'a> {
    layout: &'a Layout,
    cells: Vec<(Cell, From)>,
    offer_at: Option<usize>,
    ip_at: Option<usize>,
    agent_at: Option<usize>,
    /// User agents met in these rows.
    agents: HashMap<Box<[u8]>, Agent>,
}

impl<'a> FoundRows<'a> {
    /// An empty builder of those of the layout's derived columns of which `keep` keeps a field.
    pub fn new(layout: &'a Layout, capacity: usize, keep: &dyn Fn(Field) -> bool) -> FoundRows<'a> {
        let has = |field| layout.has(field) && keep(field);
        let cell = |col: Col, from: From| {
            let cell = Cell { col, at: 0, slot: slot(&has, col, capacity), parsed: None, nano: None };
            cell.is_kept().then_some((cell, from))
        };
        let visitors = layout.derived.iter().map(|d| (d.col, From::Visitor(d.source)));
        let sellers = layout.overlay.iter().flat_map(|o| o.columns.iter().map(|c| (c.0, From::Seller)));
        let terms = layout.terms.iter().map(|_| (Col::Model, From::Terms));
        let all = visitors.chain(sellers).chain(terms);
        let cells: Vec<(Cell, From)> = all.filter_map(|(col, from)| cell(col, from)).collect();
        let at = |origin: Col| {
            let asks = |from: &From| matches!(from, From::Visitor(source) if source.origin() == origin);
            layout.places.get(&origin).copied().filter(|_| cells.iter().any(|(_, from)| asks(from)))
        };
        FoundRows {
            layout,
            ip_at: at(Col::Ip),
            agent_at: at(Col::UserAgent),
            offer_at: layout.places.get(&Col::Offer).copied(),
            cells,
            agents: HashMap::new(),
        }
    }

    /// Whether there is nothing to find.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Appends a row with its time, given the text of a field by its place.
    pub fn push<'t>(&mut self, time: Option<i64>, text: &dyn Fn(usize) -> &'t [u8])
    where
        'a: 't,
    {
        if self.cells.is_empty() {
            return;
        }
        let layout = self.layout;
        let enrichment = &*layout.enrichment;
        let said = |at: usize| Some(text(at)).filter(|t| !value::is_null(t, &layout.side));
        let visitor = self.ip_at.and_then(said).and_then(address);
        let agent = self.agent_at.and_then(said).map(|text| agent(&mut self.agents, enrichment, text));
        let model = || {
            let offer = std::str::from_utf8(self.offer_at.and_then(said)?).ok()?;
            let terms = layout.terms.as_ref()?.terms(offer, time.unwrap_or(0))?;
            terms.model.map(|model| model.word())
        };
        for (cell, from) in &mut self.cells {
            let found = match from {
                From::Visitor(source) => find(enrichment, *source, visitor, agent),
                From::Seller => {
                    Found { text: seller_text(layout, cell.col, text).map(Cow::Borrowed), flag: None }
                }
                From::Terms => Found { text: model().map(Cow::Borrowed), flag: None },
            };
            cell.append_found(&found);
        }
    }

    /// The columns.
    pub fn finish(self) -> Vec<Column> {
        self.cells.into_iter().flat_map(|(cell, _)| cell.finish()).collect()
    }
}

fn agent(met: &mut HashMap<Box<[u8]>, Agent>, enrichment: &Enrichment, text: &[u8]) -> Agent {
    if let Some(agent) = met.get(text) {
        return *agent;
    }
    let agent = enrichment.agents().of(text);
    met.insert(text.into(), agent);
    agent
}

/// What a row's traffic source says of a column.
fn seller_text<'t>(layout: &'t Layout, col: Col, text: &dyn Fn(usize) -> &'t [u8]) -> Option<&'t str> {
    match layout.overlay.as_ref()?.text(col, text)? {
        Picked::Text(said) if value::is_null(said, &layout.side) => None,
        // The whole record was checked to be UTF-8, and fields are cut at ASCII marks.
        Picked::Text(said) => std::str::from_utf8(said).ok(),
        Picked::Fixed(said) => Some(said),
    }
}

/// What one source says of a visitor.
fn find<'e>(
    enrichment: &'e Enrichment,
    source: Source,
    visitor: Option<IpAddr>,
    agent: Option<Agent>,
) -> Found<'e> {
    let text = |text: Option<Cow<'e, str>>| Found { text, flag: None };
    let flag = |flag: Option<bool>| Found { text: None, flag };
    match source {
        Source::Countries => text(visitor.and_then(|v| enrichment.country(v)).map(Cow::Borrowed)),
        Source::Operators => text(visitor.and_then(|v| enrichment.operator(v)).map(Cow::Owned)),
        Source::List(kind) => flag(visitor.and_then(|v| enrichment.listed(kind, v))),
        Source::Neighbourhood => text(visitor.map(|v| Cow::Owned(shown(&neighbourhood(v))))),
        Source::Crawlers => flag(agent.and_then(|a| a.crawler)),
        Source::Family => text(agent.and_then(|a| a.family).map(Cow::Borrowed)),
        Source::System => text(agent.and_then(|a| a.os).map(Cow::Borrowed)),
        Source::Headless => flag(agent.map(|a| a.headless)),
    }
}
