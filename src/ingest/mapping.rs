//! What the columns of an export are called and how their text is read: presets and the user's mapping file.
//!
//! A mapping is loose while it is YAML ([`MappingFile`]) and strict afterwards ([`Mapping`]). Types, zones and
//! perspective come from here and are never guessed from the data.

use super::brand;
use super::enrich::Enrichment;
use super::offers::Offers;
use super::postback::{PostbackFile, Postbacks};
use super::preset::{self, Export, GENERIC, Preset};
use super::rates::Rates;
use super::sources::Sources;
use super::stated::{Stated, Stating};
use crate::base::column::{Col, Kind};
use crate::base::error::{Error, Result, read_small};
use crate::base::near::nearest;
use crate::base::time::{TimeFormat, TimeReader, Zone};
use crate::base::unit::Unit;
use crate::base::yaml;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

pub use crate::base::header::normalise;

/// Which side of the audit a file is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    #[default]
    Clicks,
    Conversions,
    /// Click rows with conversion columns.
    Combined,
    /// Already aggregated rows.
    Report,
    /// Cost by day and key.
    Costs,
}

impl Shape {
    pub const ALL: [Shape; 5] =
        [Shape::Clicks, Shape::Conversions, Shape::Combined, Shape::Report, Shape::Costs];

    /// The word of the command line, the mapping file and the reports.
    pub fn word(self) -> &'static str {
        match self {
            Shape::Clicks => "clicks",
            Shape::Conversions => "conversions",
            Shape::Combined => "combined",
            Shape::Report => "report",
            Shape::Costs => "costs",
        }
    }

    /// Whether the rows are clicks.
    pub fn is_of_clicks(self) -> bool {
        matches!(self, Shape::Clicks | Shape::Combined)
    }

    /// The columns without which such a file says nothing.
    pub fn required(self) -> &'static [Col] {
        match self {
            Shape::Clicks => &[Col::ClickTime],
            Shape::Conversions => &[Col::ConversionTime],
            Shape::Combined => &[Col::ClickTime, Col::ConversionTime],
            Shape::Report => &[Col::Clicks],
            Shape::Costs => &[Col::Day, Col::Cost],
        }
    }
}

/// Who looks at the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Perspective {
    /// Affiliate or agency: cost is the cost of clicks, revenue is the payout received.
    Buyer,
    /// Cost is the payout paid (and clicks bought), revenue comes from the advertiser.
    Network,
    /// Cost is the payout paid, revenue is the customer's value.
    Advertiser,
}

impl Perspective {
    pub const ALL: [Perspective; 3] = [Perspective::Buyer, Perspective::Network, Perspective::Advertiser];

    /// The word of the command line and the reports.
    pub fn word(self) -> &'static str {
        match self {
            Perspective::Buyer => "buyer",
            Perspective::Network => "network",
            Perspective::Advertiser => "advertiser",
        }
    }
}

/// How far a transaction ID is unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransactionScope {
    /// Unique within one click only.
    Click,
    /// Unique within one affiliate network.
    Network,
    Global,
}

/// Whether the status column holds a status or names the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusMeans {
    Status,
    Event,
}

/// What the times of conversions are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Times {
    /// When the visitor did it.
    Event,
    /// When the postback arrived; seconds to minutes later, as a rule.
    Receipt,
    /// When somebody approved it: says nothing about the visitor.
    Approval,
}

impl Times {
    /// The word of the mapping file and the reports.
    pub fn word(self) -> &'static str {
        match self {
            Times::Event => "event",
            Times::Receipt => "receipt",
            Times::Approval => "approval",
        }
    }
}

/// Who decides which zone an export's local times are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ZoneFrom {
    /// The format: it is always the same, or every time carries its own.
    Format,
    /// A setting of the account.
    Account,
    /// A choice made with every export.
    Export,
}

impl ZoneFrom {
    /// The word of the mapping file and the reports.
    pub fn word(self) -> &'static str {
        match self {
            ZoneFrom::Format => "format",
            ZoneFrom::Account => "account",
            ZoneFrom::Export => "export",
        }
    }
}

/// One header or several that may stand for it.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Names {
    One(String),
    Many(Vec<String>),
}

impl Names {
    /// All of them.
    pub fn list(&self) -> Vec<String> {
        match self {
            Names::One(name) => vec![name.clone()],
            Names::Many(names) => names.clone(),
        }
    }
}

/// A fact that every preset states, if only by the word `unknown`.
pub struct Fact {
    /// The key of the mapping.
    pub name: &'static str,
    /// What is not known where it is not.
    pub summary: &'static str,
    stating: fn(&MappingFile) -> Stating,
}

impl Fact {
    /// How a mapping states the fact.
    pub fn of(&self, file: &MappingFile) -> Stating {
        (self.stating)(file)
    }
}

const fn fact(name: &'static str, summary: &'static str, stating: fn(&MappingFile) -> Stating) -> Fact {
    Fact { name, summary, stating }
}

/// All facts that are of a whole export; zone, format and meaning of times are of a side.
pub const FACTS: &[Fact] = &[
    fact("perspective", "whose money it is", |f| Stating::of_plain(&f.perspective)),
    fact("status_means", "whether the status column holds a status or the event", |f| {
        Stating::of_plain(&f.status_means)
    }),
    fact("statuses", "its words for statuses", |f| Stating::of(&f.statuses)),
    fact("once", "which events happen once", |f| Stating::of(&f.once)),
    fact("hit_type", "which clicks count", |f| Stating::of(&f.hit_type)),
    fact("transaction_scope", "within what a transaction ID is unique", |f| {
        Stating::of(&f.transaction_scope)
    }),
    fact("reuses_click_ids", "whether one click ID stands for several clicks", |f| {
        Stating::of(&f.reuses_click_ids)
    }),
    fact("drops_orphans", "whether it leaves out conversions without a click", |f| {
        Stating::of(&f.drops_orphans)
    }),
    fact("drops_duplicates", "whether it leaves out repeated conversions", |f| {
        Stating::of(&f.drops_duplicates)
    }),
    fact("bots_filtered", "whether it leaves out bots", |f| Stating::of(&f.bots_filtered)),
    fact("export_limits", "at how many rows an export is cut off", |f| Stating::of(&f.export_limits)),
];

/// How one side of an export is read, as it stands in YAML.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SideFile {
    columns: BTreeMap<String, Names>,
    constants: BTreeMap<String, String>,
    time_format: Option<Names>,
    time_zone: Option<String>,
    zone_from: Option<ZoneFrom>,
    times: Option<Times>,
    delimiter: Option<String>,
    decimal: Option<String>,
    thousands: Option<String>,
    multiline: Option<bool>,
    nulls: Option<Vec<String>>,
}

/// A mapping as it stands in YAML: a preset, a user's file, or the `mapping:` section of a project file.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MappingFile {
    name: Option<String>,
    about: Option<String>,
    preset: Option<String>,
    perspective: Option<Perspective>,
    currency: Option<String>,
    rates: BTreeMap<String, String>,
    rates_file: Option<Names>,
    /// Rates files of the command line.
    #[serde(skip)]
    more_rates: Vec<String>,
    status_means: Option<StatusMeans>,
    statuses: Option<Stated<BTreeMap<String, String>>>,
    events: BTreeMap<String, String>,
    once: Option<Stated<Vec<String>>>,
    main_event: Option<String>,
    hit_type: Option<Stated<String>>,
    join: Option<String>,
    transaction_scope: Option<Stated<TransactionScope>>,
    attribution_window: Option<String>,
    drops_orphans: Option<Stated<bool>>,
    drops_duplicates: Option<Stated<bool>>,
    reuses_click_ids: Option<Stated<bool>>,
    bots_filtered: Option<Stated<bool>>,
    export_limits: Option<Stated<Vec<u64>>>,
    brand_terms: Vec<String>,
    trusted: Vec<String>,
    columns: BTreeMap<String, Names>,
    time_format: Option<Names>,
    time_zone: Option<String>,
    zone_from: Option<ZoneFrom>,
    times: Option<Times>,
    delimiter: Option<String>,
    decimal: Option<String>,
    thousands: Option<String>,
    clicks: SideFile,
    conversions: SideFile,
    postbacks: PostbackFile,
    combined: SideFile,
    report: SideFile,
    costs: SideFile,
    /// Not of the file: what else the run was given.
    #[serde(skip)]
    enrichment: Arc<Enrichment>,
    /// Not of the file: every row keeps its own currency.
    #[serde(skip)]
    keeps_currencies: bool,
    #[serde(skip)]
    offers: Arc<Offers>,
    #[serde(skip)]
    sources: Arc<Sources>,
}

/// The canonical statuses, as [`crate::ingest`]'s right neighbour knows them; a test compares the two.
pub const STATUS_WORDS: [&str; 6] = ["pending", "approved", "rejected", "refund", "chargeback", "void"];

/// How one file's text becomes columns.
#[derive(Clone, Debug)]
pub struct SideMapping {
    /// Candidate headers of each canonical column, first wins; `true` where the user named them.
    pub columns: BTreeMap<Col, (Vec<String>, bool)>,
    pub constants: BTreeMap<Col, String>,
    pub time: TimeReader,
    /// Who decided the zone; [`ZoneFrom::Format`] where the user named it.
    pub zone_from: ZoneFrom,
    pub times: Times,
    pub delimiter: Option<u8>,
    pub decimal: u8,
    pub thousands: Option<u8>,
    pub multiline: bool,
    pub nulls: Vec<String>,
}

/// What an export is and means, after validation.
#[derive(Clone, Debug)]
pub struct Mapping {
    pub name: String,
    pub perspective: Option<Perspective>,
    pub currency: Option<String>,
    /// Amounts stay in the currency of their row, which is kept beside them.
    pub keeps_currencies: bool,
    pub rates: Arc<Rates>,
    pub status_means: StatusMeans,
    /// The export's own status words, lower case, by canonical name.
    pub statuses: BTreeMap<String, String>,
    pub events: BTreeMap<String, String>,
    pub once: Option<BTreeSet<String>>,
    pub main_event: Option<String>,
    pub hit_type: Option<String>,
    pub transaction_scope: Option<TransactionScope>,
    pub attribution_window_s: f64,
    pub drops_orphans: bool,
    pub drops_duplicates: bool,
    /// One ID stands for several clicks by design, such as the ID of an install.
    pub reuses_click_ids: bool,
    /// The tracker leaves bots out of its exports.
    pub bots_filtered: bool,
    pub export_limits: Vec<u64>,
    /// Words that only who owns the brand may bid on, as the user spells them; none twice however spelled.
    pub brand_terms: Vec<String>,
    /// Sources that may anchor the peer statistics: the exact text of `source`, or of
    /// `traffic_source/source`; none empty, none twice.
    pub trusted: Vec<String>,
    /// What columns are found from where an export has none.
    pub enrichment: Arc<Enrichment>,
    /// What was agreed for each offer.
    pub offers: Arc<Offers>,
    /// What differs from traffic source to traffic source.
    pub sources: Arc<Sources>,
    /// How logs of postbacks are read.
    pub postbacks: Postbacks,
    sides: BTreeMap<Shape, SideMapping>,
}

impl Mapping {
    /// The preset that the file or `preset` names, or else `generic`, overlaid by the file.
    ///
    /// # Errors
    /// An unknown preset, column, format or zone, with the nearest names.
    pub fn build(preset: Option<&str>, user: Option<MappingFile>) -> Result<Mapping> {
        let user = user.unwrap_or_default();
        let name = preset.or(user.preset.as_deref()).unwrap_or(GENERIC);
        Mapping::of(preset::named(name)?, None, &user)
    }

    /// A preset, overlaid by what is different in one of its exports, overlaid by the user's file.
    ///
    /// # Errors
    /// An unknown column, format or zone in the user's file, with the nearest names.
    pub fn of(preset: &Preset, export: Option<&Export>, user: &MappingFile) -> Result<Mapping> {
        let layers = [
            Layer { file: &preset.mapping, export: None },
            Layer { file: user, export: export.map(|e| (e.shape, &e.side)) },
        ];
        strict(preset.name.clone(), &layers)
    }

    /// What a preset leaves unsaid of the times of one of its exports.
    pub fn unsaid_of_times(preset: &Preset, export: &Export) -> Vec<&'static str> {
        let user = MappingFile::default();
        let layers = [
            Layer { file: &preset.mapping, export: None },
            Layer { file: &user, export: Some((export.shape, &export.side)) },
        ];
        let parts = Parts::of(export.shape, &layers);
        let said = [
            ("time_format", parts.last(|s| &s.time_format, |f| &f.time_format).is_some()),
            ("time_zone", parts.last(|s| &s.time_zone, |f| &f.time_zone).is_some()),
            ("zone_from", parts.last(|s| &s.zone_from, |f| &f.zone_from).is_some()),
            ("times", parts.last(|s| &s.times, |f| &f.times).is_some()),
        ];
        said.into_iter().filter(|(_, said)| !said).map(|(name, _)| name).collect()
    }

    /// The same for files of this shape that have these columns under our own names.
    pub fn with_own_rows(mut self, shape: Shape, columns: &[Col]) -> Mapping {
        let side = self.sides.get_mut(&shape).expect("every shape has a side");
        side.columns = columns.iter().map(|col| (*col, (vec![col.name().to_owned()], true))).collect();
        side.constants.clear();
        side.nulls.clear();
        side.time = TimeReader { format: TimeFormat::Iso, zone: Zone::UTC };
        side.zone_from = ZoneFrom::Format;
        (side.delimiter, side.decimal, side.thousands) = (None, b'.', None);
        self
    }

    /// The part of the mapping for files of this shape.
    pub fn side(&self, shape: Shape) -> &SideMapping {
        &self.sides[&shape]
    }
}

impl MappingFile {
    /// The same for postbacks with this tracker's parameters.
    pub fn fired_for(&mut self, tracker: &str) {
        self.postbacks.fired_for(tracker);
    }

    /// Whether amounts stay in the currency of their row.
    pub fn keeps_currencies(&self) -> bool {
        self.keeps_currencies
    }

    /// The same with amounts that stay in the currency of their row.
    pub fn keep_currencies(&mut self) {
        self.keeps_currencies = true;
    }

    /// The preset that the file is laid over.
    pub fn preset(&self) -> Option<&str> {
        self.preset.as_deref()
    }

    /// The zone that the file says times of this shape are of.
    pub fn time_zone(&self, shape: Shape) -> Option<&str> {
        side_of(self, shape).time_zone.as_deref().or(self.time_zone.as_deref())
    }

    /// The currency that the file reports in.
    pub fn currency(&self) -> Option<&str> {
        self.currency.as_deref()
    }

    /// The perspective that the file states.
    pub fn perspective(&self) -> Option<Perspective> {
        self.perspective
    }

    /// The field separator of files of this shape, if the file states one.
    ///
    /// # Errors
    /// It is not one character.
    pub fn delimiter(&self, shape: Shape) -> Result<Option<u8>> {
        mark("delimiter", side_of(self, shape).delimiter.clone().or_else(|| self.delimiter.clone()))
    }

    /// Reads these headers of files of this shape under the names of other columns.
    pub fn lend(&mut self, shape: Shape, names: &[(String, Col)]) {
        let columns = &mut side_of_mut(self, shape).columns;
        for (header, col) in names {
            columns.insert(col.name().to_owned(), Names::One(header.clone()));
        }
    }

    /// Lays what the command line says over the file.
    pub fn said(&mut self, said: Said) {
        self.perspective = said.perspective.or(self.perspective);
        self.currency = said.currency.or(self.currency.take());
        self.main_event = said.main_event.or(self.main_event.take());
        self.trusted.extend(said.trusted);
        if let Some(enrichment) = said.enrichment {
            self.enrichment = enrichment;
        }
        self.offers = said.offers.unwrap_or_else(|| Arc::clone(&self.offers));
        self.sources = said.sources.unwrap_or_else(|| Arc::clone(&self.sources));
        self.more_rates.extend(said.rates);
        for (shape, zone) in said.time_zones {
            match shape {
                Some(shape) => side_of_mut(self, shape).time_zone = Some(zone),
                None => {
                    Shape::ALL.into_iter().for_each(|shape| side_of_mut(self, shape).time_zone = None);
                    self.time_zone = Some(zone);
                }
            }
        }
    }
}

/// What the command line says of the exports.
#[derive(Default)]
pub struct Said {
    pub perspective: Option<Perspective>,
    pub currency: Option<String>,
    pub main_event: Option<String>,
    pub trusted: Vec<String>,
    /// The user's own files about visitors.
    pub enrichment: Option<Arc<Enrichment>>,
    pub offers: Option<Arc<Offers>>,
    pub sources: Option<Arc<Sources>>,
    /// Rates files.
    pub rates: Vec<String>,
    /// Zones of all files, or of those of one shape.
    pub time_zones: Vec<(Option<Shape>, String)>,
}

/// Reads a user's mapping file.
///
/// # Errors
/// Unreadable files and every fault in them, with line and column.
pub fn load(path: &Path) -> Result<MappingFile> {
    let text = read_small(path, "mapping file")?;
    yaml::load(&text, &path.display().to_string()).map_err(|faults| {
        Error::usage(format!("{} is no valid mapping\n{}", path.display(), crate::base::diag::plain(&faults)))
    })
}

/// A file of the mapping; what comes later says more. The last layer is the user's.
struct Layer<'a> {
    file: &'a MappingFile,
    /// What an export of the layer below has different, laid under this one.
    export: Option<(Shape, &'a SideFile)>,
}

/// What the last layer that says it says.
fn last<T: Clone>(layers: &[Layer], get: impl Fn(&MappingFile) -> &Option<T>) -> Option<T> {
    layers.iter().rev().find_map(|layer| get(layer.file).clone())
}

/// What the last layer that speaks of a fact knows of it.
fn known<T: Clone>(layers: &[Layer], get: impl Fn(&MappingFile) -> &Option<Stated<T>>) -> Option<T> {
    last(layers, get).and_then(|fact| fact.value().cloned())
}

fn strict(preset: String, layers: &[Layer]) -> Result<Mapping> {
    let user = layers.last().expect("the user's layer is always there").file;
    let words = |get: fn(&MappingFile) -> Option<&BTreeMap<String, String>>| {
        let pairs = layers.iter().filter_map(|layer| get(layer.file)).flatten();
        pairs.map(|(word, means)| (word.to_lowercase(), means.clone())).collect::<BTreeMap<_, _>>()
    };
    let window = last(layers, |f| &f.attribution_window);
    let mut mapping = Mapping {
        name: user.name.clone().unwrap_or(preset),
        perspective: last(layers, |f| &f.perspective),
        currency: last(layers, |f| &f.currency).map(|code| code.to_uppercase()),
        keeps_currencies: user.keeps_currencies,
        rates: Arc::new(rates(user)?),
        status_means: last(layers, |f| &f.status_means).unwrap_or(StatusMeans::Status),
        statuses: statuses(words(|f| f.statuses.as_ref()?.value()))?,
        events: words(|f| Some(&f.events)),
        once: known(layers, |f| &f.once).map(|once| once.into_iter().collect()),
        main_event: last(layers, |f| &f.main_event),
        hit_type: known(layers, |f| &f.hit_type),
        transaction_scope: known(layers, |f| &f.transaction_scope),
        attribution_window_s: seconds(window.as_deref().unwrap_or("30d"))?,
        drops_orphans: known(layers, |f| &f.drops_orphans).unwrap_or(false),
        drops_duplicates: known(layers, |f| &f.drops_duplicates).unwrap_or(false),
        reuses_click_ids: known(layers, |f| &f.reuses_click_ids).unwrap_or(false),
        bots_filtered: known(layers, |f| &f.bots_filtered).unwrap_or(false),
        export_limits: known(layers, |f| &f.export_limits).unwrap_or_default(),
        brand_terms: brand_terms(&user.brand_terms)?,
        trusted: trusted(&user.trusted)?,
        enrichment: Arc::clone(&user.enrichment),
        offers: Arc::clone(&user.offers),
        sources: Arc::clone(&user.sources),
        postbacks: Postbacks::build(
            &user.postbacks,
            user.transaction_scope.as_ref().and_then(Stated::value).copied(),
        )?,
        sides: BTreeMap::new(),
    };
    for shape in Shape::ALL {
        mapping.sides.insert(shape, side_mapping(shape, layers)?);
    }
    if let Some(join) = &user.join {
        apply_join(&mut mapping, join)?;
    }
    Ok(mapping)
}

/// The right side of `statuses` is a closed set.
fn statuses(words: BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
    let unknown = words.values().find(|target| !STATUS_WORDS.contains(&target.as_str()));
    unknown.map_or(Ok(words.clone()), |target| {
        Err(Error::usage(format!("`{target}` is no status"))
            .help(format!("the statuses are {}", STATUS_WORDS.join(", "))))
    })
}

/// Words that are long enough to tell a brand, each once however it is spelled.
fn brand_terms(terms: &[String]) -> Result<Vec<String>> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for term in terms {
        let folded = brand::folded(term.as_bytes());
        if folded.chars().count() < brand::SHORTEST {
            return Err(Error::usage(format!("`{}` is no brand term", shown(term))).help(format!(
                "expected a word of at least {} letters or digits in brand_terms",
                brand::SHORTEST
            )));
        }
        if let Some(first) = seen.insert(folded, term) {
            let (first, again) = (shown(first), shown(term));
            return Err(Error::usage(format!("the brand terms `{first}` and `{again}` are the same word"))
                .help("case, spaces, dots, hyphens and underscores do not count; keep one of them"));
        }
    }
    Ok(terms.to_vec())
}

/// Source IDs that say something, each once.
fn trusted(ids: &[String]) -> Result<Vec<String>> {
    let mut seen = BTreeSet::new();
    for id in ids {
        if id.trim().is_empty() {
            return Err(Error::usage(format!("`{}` is no source", shown(id)))
                .help("expected a source's ID, or traffic_source/source, in trusted"));
        }
        if !seen.insert(id) {
            return Err(Error::usage(format!("the trusted source `{}` stands there twice", shown(id)))
                .help("keep one of them"));
        }
    }
    Ok(ids.to_vec())
}

fn rates(file: &MappingFile) -> Result<Rates> {
    let mut rates = Rates::constant(&file.rates)?;
    for path in file.rates_file.iter().flat_map(Names::list).chain(file.more_rates.iter().cloned()) {
        rates.add_file(Path::new(&path))?;
    }
    Ok(rates)
}

/// A duration such as `30d` in seconds; the unit must be said, since 24 may be hours or seconds.
///
/// # Errors
/// What was found and what was expected.
pub fn seconds(text: &str) -> Result<f64> {
    let wrong = || {
        Error::usage(format!("`{text}` is no duration")).help("say a number with its unit: 30m, 24h or 7d")
    };
    if !text.trim().ends_with(|c: char| c.is_ascii_alphabetic()) {
        return Err(wrong());
    }
    let seconds = Unit::Seconds.parse(text).map_err(|fault| Error::usage(fault.to_string()))?;
    if seconds > 0.0 && seconds < 1e9 { Ok(seconds) } else { Err(wrong()) }
}

fn side_of(file: &MappingFile, shape: Shape) -> &SideFile {
    match shape {
        Shape::Clicks => &file.clicks,
        Shape::Conversions => &file.conversions,
        Shape::Combined => &file.combined,
        Shape::Report => &file.report,
        Shape::Costs => &file.costs,
    }
}

fn side_of_mut(file: &mut MappingFile, shape: Shape) -> &mut SideFile {
    match shape {
        Shape::Clicks => &mut file.clicks,
        Shape::Conversions => &mut file.conversions,
        Shape::Combined => &mut file.combined,
        Shape::Report => &mut file.report,
        Shape::Costs => &mut file.costs,
    }
}

/// The parts of the layers that speak of files of one shape; what comes later says more.
struct Parts<'a> {
    /// Of each layer what it says of all files, then what it says of this shape.
    columns: Vec<(&'a BTreeMap<String, Names>, bool)>,
    /// What is said of this shape alone, and of all files; an export's own part says nothing of all.
    sides: Vec<(&'a SideFile, Option<&'a MappingFile>)>,
}

impl<'a> Parts<'a> {
    fn of(shape: Shape, layers: &'a [Layer]) -> Parts<'a> {
        let mut parts = Parts { columns: Vec::new(), sides: Vec::new() };
        for (at, layer) in layers.iter().enumerate() {
            let by_user = at + 1 == layers.len();
            if let Some((_, side)) = layer.export.filter(|(of, _)| *of == shape) {
                parts.columns.push((&side.columns, false));
                parts.sides.push((side, None));
            }
            let side = side_of(layer.file, shape);
            parts.columns.extend([(&layer.file.columns, by_user), (&side.columns, by_user)]);
            parts.sides.push((side, Some(layer.file)));
        }
        parts
    }

    /// What is said last: of the side before all files, by a later layer before an earlier one.
    fn last<T: Clone>(
        &self,
        of_side: impl Fn(&SideFile) -> &Option<T>,
        of_all: impl Fn(&MappingFile) -> &Option<T>,
    ) -> Option<T> {
        let all = |file: &Option<&MappingFile>| file.and_then(|file| of_all(file).clone());
        self.sides.iter().rev().find_map(|(side, file)| of_side(side).clone().or_else(|| all(file)))
    }
}

fn side_mapping(shape: Shape, layers: &[Layer]) -> Result<SideMapping> {
    let parts = Parts::of(shape, layers);
    let (mut columns, mut constants) = (BTreeMap::new(), BTreeMap::new());
    for (canonical, headers, by_user) in
        parts.columns.iter().flat_map(|(names, by_user)| names.iter().map(move |(c, h)| (c, h, *by_user)))
    {
        columns.insert(column(canonical)?, (headers.list(), by_user));
    }
    for (canonical, value) in parts.sides.iter().flat_map(|(side, _)| &side.constants) {
        constants.insert(constant_column(canonical)?, value.clone());
    }
    let format = parts.last(|s| &s.time_format, |f| &f.time_format);
    let zone = parts.last(|s| &s.time_zone, |f| &f.time_zone);
    let user = layers.last().expect("the user's layer is always there").file;
    let by_user = side_of(user, shape).time_zone.is_some() || user.time_zone.is_some();
    let format_by_user = side_of(user, shape).time_format.is_some() || user.time_format.is_some();
    let zone_from = parts.last(|s| &s.zone_from, |f| &f.zone_from).filter(|_| !by_user);
    let nulls = parts.sides.iter().rev().find_map(|(side, _)| side.nulls.clone());
    Ok(SideMapping {
        columns,
        constants,
        time: TimeReader {
            format: format
                .map_or(Ok(TimeFormat::Iso), |names| time_format(&names, format_by_user))
                .map_err(Error::usage)?,
            zone: zone.as_deref().unwrap_or("UTC").parse::<Zone>().map_err(Error::usage)?,
        },
        zone_from: zone_from.unwrap_or(ZoneFrom::Format),
        times: parts.last(|s| &s.times, |f| &f.times).unwrap_or(Times::Event),
        delimiter: mark("delimiter", parts.last(|s| &s.delimiter, |f| &f.delimiter))?,
        decimal: mark("decimal", parts.last(|s| &s.decimal, |f| &f.decimal))?.unwrap_or(b'.'),
        thousands: mark("thousands", parts.last(|s| &s.thousands, |f| &f.thousands))?,
        multiline: parts.sides.iter().rev().find_map(|(side, _)| side.multiline).unwrap_or(false),
        nulls: nulls.unwrap_or_else(default_nulls),
    })
}

/// Formats of one column. That those of a preset can hold beside each other is a test's business, not every run's.
fn time_format(names: &Names, by_user: bool) -> std::result::Result<TimeFormat, String> {
    let formats: Vec<TimeFormat> =
        names.list().iter().map(|name| name.parse()).collect::<std::result::Result<_, String>>()?;
    if by_user {
        TimeFormat::refuse_doubt(&formats)
            .map_err(|why| format!("these time formats cannot hold beside each other: {why}"))?;
    }
    TimeFormat::any_of(formats)
}

fn default_nulls() -> Vec<String> {
    ["null", "NULL", "\\N"].into_iter().map(str::to_owned).collect()
}

fn mark(what: &str, text: Option<String>) -> Result<Option<u8>> {
    match text.as_deref() {
        None => Ok(None),
        Some("tab" | "\t") => Ok(Some(b'\t')),
        Some(one) if one.len() == 1 => Ok(Some(one.as_bytes()[0])),
        Some(other) => Err(Error::usage(format!("`{other}` is no {what}; expected one character or `tab`"))),
    }
}

/// A column that every row may have one text in.
fn constant_column(name: &str) -> Result<Col> {
    let col = column(name)?;
    if col.kind() == Kind::Text && col != Col::Currency {
        return Ok(col);
    }
    let help = if col == Col::Currency {
        "say `currency:` for the whole mapping"
    } else {
        "it must be a column of the export"
    };
    Err(Error::usage(format!("`{name}` cannot be a constant")).help(help))
}

/// The canonical column of this name.
fn column(name: &str) -> Result<Col> {
    Col::of(name).ok_or_else(|| {
        let near = nearest(name, crate::base::column::COLUMNS.iter().map(|c| c.name));
        let hint =
            if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) };
        Error::usage(format!("`{name}` is no canonical column{hint}"))
    })
}

/// `conversions.sub1 = clicks.click_id`: the header that holds the click's ID on each side.
fn apply_join(mapping: &mut Mapping, join: &str) -> Result<()> {
    let bad = || Error::usage(format!("`{join}` is no join; expected `conversions.HEADER = clicks.HEADER`"));
    let (left, right) = join.split_once('=').ok_or_else(bad)?;
    for end in [left.trim(), right.trim()] {
        let (side, header) = end.split_once('.').ok_or_else(bad)?;
        let shape =
            [Shape::Clicks, Shape::Conversions].into_iter().find(|s| s.word() == side).ok_or_else(bad)?;
        let side = mapping.sides.get_mut(&shape).expect("every shape has a side");
        let headers =
            Col::of(header).filter(|c| c.kind() == Kind::Key).and_then(|c| side.columns.get(&c).cloned());
        let headers = headers.unwrap_or_else(|| (vec![header.to_owned()], true));
        side.columns.insert(Col::ClickId, headers);
    }
    Ok(())
}

/// A header as presets know it: letters and digits only, so that `postbackTimestamp`, `Postback timestamp` and
/// `postback_timestamp` are one.
pub fn folded(header: &str) -> String {
    header.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

impl SideMapping {
    /// Where the mapped columns that are there stand among `headers`; checks nothing.
    pub fn found(&self, headers: &[String]) -> BTreeMap<Col, usize> {
        let place = |(&col, (candidates, by_user)): (&Col, &(Vec<String>, bool))| {
            let spelt = || candidates.iter().find_map(|c| folded_position(headers, c)).filter(|_| !by_user);
            Some((col, candidates.iter().find_map(|c| position(headers, c)).or_else(spelt)?))
        };
        self.columns.iter().filter_map(place).collect()
    }

    /// Where each mapped column stands among `headers`.
    ///
    /// # Errors
    /// A header that the user named and that is not there, one that is there twice, or a required column
    /// that nothing is mapped to; with the nearest names.
    pub fn place(&self, shape: Shape, path: &Path, headers: &[String]) -> Result<BTreeMap<Col, usize>> {
        let places = self.found(headers);
        for (col, (candidates, by_user)) in &self.columns {
            match places.get(col) {
                Some(&at) => refuse_twice(path, headers, at)?,
                None if *by_user => return Err(missing(path, &candidates.join(" or "), headers)),
                None => {}
            }
        }
        for required in shape.required() {
            if !places.contains_key(required) && !self.constants.contains_key(required) {
                return Err(missing_column(shape, path, *required, self, headers));
            }
        }
        Ok(places)
    }
}

fn position(headers: &[String], name: &str) -> Option<usize> {
    let wanted = normalise(name);
    headers.iter().position(|h| h == name).or_else(|| headers.iter().position(|h| normalise(h) == wanted))
}

fn folded_position(headers: &[String], name: &str) -> Option<usize> {
    let wanted = folded(name);
    headers.iter().position(|h| folded(h) == wanted)
}

fn refuse_twice(path: &Path, headers: &[String], at: usize) -> Result<()> {
    if headers.iter().filter(|h| **h == headers[at]).count() < 2 {
        return Ok(());
    }
    let name = &headers[at];
    Err(Error::input(format!("{}: the header `{}` stands there twice", path.display(), shown(name)))
        .help("give each column a name of its own, or leave the surplus one out of the export"))
}

fn missing(path: &Path, wanted: &str, headers: &[String]) -> Error {
    let near = nearest(wanted, headers.iter().map(String::as_str));
    let hint = if near.is_empty() {
        format!("the columns are {}", list(headers))
    } else {
        format!("did you mean {}?", list(&near))
    };
    Error::input(format!("{}: there is no column `{wanted}`", path.display())).help(hint)
}

fn missing_column(shape: Shape, path: &Path, col: Col, side: &SideMapping, headers: &[String]) -> Error {
    let expected =
        side.columns.get(&col).map_or_else(|| col.name().to_owned(), |(names, _)| names.join(", "));
    let near = nearest(col.name(), headers.iter().map(String::as_str));
    let guess = if near.is_empty() { String::new() } else { format!(" (nearest: {})", list(&near)) };
    Error::input(format!(
        "{}: a {} file needs a column for {} ({}); expected one of: {expected}; found: {}{guess}",
        path.display(),
        shape.word(),
        col,
        col.decl().summary,
        list(headers)
    ))
    .help(format!(
        "name it in a mapping file: `{}: {{columns: {{{col}: YOUR_HEADER}}}}` with --map FILE",
        shape.word()
    ))
}

fn list<S: AsRef<str>>(names: &[S]) -> String {
    let shown: Vec<String> = names.iter().take(40).map(|n| shown(n.as_ref())).collect();
    shown.join(", ")
}

fn shown(header: &str) -> String {
    crate::base::text::Text::new(header).term(60)
}
