//! Which preset and mapping reads which file of a run: what the user named, or what the header tells.
//!
//! Refuses to guess: a header that two presets claim, sides whose perspectives differ, and two systems' clocks
//! whose zones nobody stated are errors that say what to declare.

use super::detect::{self, Candidate, Verdict};
use super::mapping::{Mapping, MappingFile, Perspective, Said, Shape, StatusMeans, Times, ZoneFrom};
use super::preset::{self, GENERIC, Preset};
use crate::base::column::Col;
use crate::base::error::{Error, Result};
use crate::base::text::Text;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// How the files of a run are to be read.
#[derive(Clone)]
pub struct Plan {
    way: Way,
}

#[derive(Clone)]
enum Way {
    /// Every file by one mapping.
    Fixed(Arc<Mapping>),
    /// Every file by the preset named for its shape, or the one its header tells; the user's file over it.
    Chosen { named: BTreeMap<Shape, Named>, user: Box<MappingFile> },
}

/// A preset that the user named, and the export of it if he named that, too.
#[derive(Clone)]
struct Named {
    preset: &'static Preset,
    export: Option<String>,
}

/// A file of the run and how it is read.
#[derive(Clone, Copy, Debug)]
pub struct Chosen<'a> {
    pub path: &'a Path,
    pub shape: Shape,
    pub reading: &'a Reading,
}

/// How a file came to its preset.
#[derive(Clone, Debug)]
pub enum How {
    Named,
    /// By its header.
    Detected(Candidate),
    /// No preset claims its header and none was named: the obvious names.
    Fallback,
}

/// The mapping of one file.
#[derive(Clone, Debug)]
pub struct Reading {
    pub mapping: Arc<Mapping>,
    pub preset: String,
    /// The preset's name of this kind of file, if it is known.
    pub export: Option<String>,
    pub how: How,
}

impl Plan {
    /// A plan from what `--preset` says (`NAME`, or `SIDE=NAME` for one side) and the user's mapping.
    ///
    /// # Errors
    /// An unknown side or preset, a side that is named twice, or a fault of the mapping.
    pub fn new(presets: &[String], user: MappingFile) -> Result<Plan> {
        let of_user: Vec<String> = user.preset().map(str::to_owned).into_iter().collect();
        let said = if presets.is_empty() { &of_user } else { presets };
        let mut named = BTreeMap::new();
        let (of_a_side, of_all): (Vec<_>, Vec<_>) = said.iter().partition(|text| text.contains('='));
        for text in &of_all {
            let all = Shape::ALL.into_iter().map(|shape| Ok((shape, wanted(text)?)));
            named.extend(all.collect::<Result<Vec<_>>>()?);
        }
        let mut sides = BTreeSet::new();
        for text in &of_a_side {
            let (shape, name) = side(text)?;
            named.insert(shape, wanted(name)?);
            if !sides.insert(shape) {
                return Err(twice(shape.word()));
            }
        }
        if of_all.len() > 1 {
            return Err(twice("all files"));
        }
        Mapping::of(preset::named(GENERIC)?, None, &user)?;
        Ok(Plan { way: Way::Chosen { named, user: Box::new(user) } })
    }

    /// A plan that reads every file by one mapping.
    pub fn fixed(mapping: Mapping) -> Plan {
        Plan { way: Way::Fixed(Arc::new(mapping)) }
    }

    /// How a log of postbacks is read: by its tracker's parameters, with the scope of its transaction IDs.
    ///
    /// # Errors
    /// A fault of the user's mapping.
    pub fn log(&self) -> Result<Reading> {
        let mut mapping = match &self.way {
            Way::Fixed(mapping) => Mapping::clone(mapping),
            Way::Chosen { user, .. } => Mapping::of(preset::named(GENERIC)?, None, user)?,
        };
        mapping.transaction_scope = Some(mapping.postbacks.scope());
        let preset = mapping.name.clone();
        Ok(Reading { mapping: Arc::new(mapping), preset, export: None, how: How::Named })
    }

    /// How rows are read that were written down here under the names of our columns: times in UTC, amounts with a
    /// point, nothing quoted.
    ///
    /// # Errors
    /// A fault of the user's mapping.
    pub fn own(&self, shape: Shape, columns: &[Col]) -> Result<Reading> {
        let mapping = match &self.way {
            Way::Fixed(mapping) => Mapping::clone(mapping),
            Way::Chosen { user, .. } => Mapping::of(preset::named(GENERIC)?, None, user)?,
        };
        let mapping = mapping.with_own_rows(shape, columns);
        let preset = mapping.name.clone();
        Ok(Reading { mapping: Arc::new(mapping), preset, export: None, how: How::Named })
    }

    /// The currency that amounts are reported in, if it was stated.
    pub fn currency(&self) -> Option<&str> {
        match &self.way {
            Way::Fixed(mapping) => mapping.currency.as_deref(),
            Way::Chosen { user, .. } => user.currency(),
        }
    }

    /// The zone that the user said times of this shape are of.
    pub fn time_zone(&self, shape: Shape) -> Option<&str> {
        match &self.way {
            Way::Fixed(_) => None,
            Way::Chosen { user, .. } => user.time_zone(shape),
        }
    }

    /// Whether amounts stay in the currency of their row.
    pub fn keeps_currencies(&self) -> bool {
        match &self.way {
            Way::Fixed(mapping) => mapping.keeps_currencies,
            Way::Chosen { user, .. } => user.keeps_currencies(),
        }
    }

    /// The same plan with amounts in this currency.
    pub fn in_currency(mut self, code: &str) -> Plan {
        match &mut self.way {
            Way::Fixed(mapping) => Arc::make_mut(mapping).currency = Some(code.to_owned()),
            Way::Chosen { user, .. } => {
                user.said(Said { currency: Some(code.to_owned()), ..Said::default() });
            }
        }
        self
    }

    /// The field separator that was stated for files of this shape.
    ///
    /// # Errors
    /// It is not one character.
    pub fn delimiter(&self, shape: Shape) -> Result<Option<u8>> {
        match &self.way {
            Way::Fixed(mapping) => Ok(mapping.side(shape).delimiter),
            Way::Chosen { named, user } => {
                let of_preset = || {
                    Ok(named.get(&shape).map(|n| n.preset.mapping.delimiter(shape)).transpose()?.flatten())
                };
                user.delimiter(shape)?.map_or_else(of_preset, |mark| Ok(Some(mark)))
            }
        }
    }

    /// How a file with this header is read.
    ///
    /// # Errors
    /// The header fits several presets, or belongs to another side.
    pub fn reading(&self, path: &Path, shape: Shape, headers: &[String]) -> Result<Reading> {
        let (named, user) = match &self.way {
            Way::Fixed(mapping) => {
                let preset = mapping.name.clone();
                return Ok(Reading { mapping: mapping.clone(), preset, export: None, how: How::Named });
            }
            Way::Chosen { named, user } => (named.get(&shape).filter(|n| n.reads(shape)), user),
        };
        if let Some(named) = named {
            return named.reading(shape, headers, user);
        }
        match detect::recognise(headers, shape)? {
            Verdict::Clear(candidate) => {
                let preset = preset::named(candidate.preset)?;
                let mapping = Arc::new(Mapping::of(preset, preset.export(shape, candidate.export), user)?);
                let export = Some(candidate.export.to_owned());
                Ok(Reading { mapping, preset: preset.name.clone(), export, how: How::Detected(candidate) })
            }
            Verdict::Ambiguous(candidates) => Err(ambiguous(path, shape, &candidates)),
            Verdict::Unclaimed => fallback(path, shape, headers, user),
        }
    }

    /// What holds for the whole run, from the readings of its files.
    ///
    /// # Errors
    /// Perspectives or hit types that differ, and clocks of several systems whose zones nobody stated.
    pub fn settle(&self, files: &[Chosen]) -> Result<Mapping> {
        let user = match &self.way {
            Way::Fixed(mapping) => return Ok(Mapping::clone(mapping)),
            Way::Chosen { user, .. } => user,
        };
        refuse_strange_clocks(files)?;
        let of = |shapes: &[Shape]| -> Vec<&Mapping> {
            files.iter().filter(|f| shapes.contains(&f.shape)).map(|f| &*f.reading.mapping).collect()
        };
        let clicks = of(&[Shape::Clicks, Shape::Combined]);
        let conversions = of(&[Shape::Conversions, Shape::Combined]);
        let any = |sides: &[&Mapping], says: fn(&Mapping) -> bool| sides.iter().any(|m| says(m));
        let mut run = Mapping::of(preset::named(GENERIC)?, None, user)?;
        run.perspective = perspective(files, user.perspective())?;
        run.hit_type = agreed(files, &[Shape::Clicks, Shape::Combined], "hit type", |m| m.hit_type.clone())?;
        run.hit_type = run.hit_type.filter(|word| clicks.is_empty() || may_be(&clicks, word));
        run.main_event = same(conversions.iter().map(|m| m.main_event.clone()));
        run.once = conversions.iter().filter_map(|m| m.once.clone()).reduce(|a, b| &a | &b);
        run.drops_orphans = any(&conversions, |m| m.drops_orphans);
        run.drops_duplicates = any(&conversions, |m| m.drops_duplicates);
        run.reuses_click_ids = any(&clicks, |m| m.reuses_click_ids);
        run.bots_filtered = any(&clicks, |m| m.bots_filtered);
        if any(&conversions, |m| m.status_means == StatusMeans::Event) {
            run.status_means = StatusMeans::Event;
        }
        if let Some(scope) = conversions.iter().map(|m| m.transaction_scope).min() {
            run.transaction_scope = scope;
        }
        let windows = conversions.iter().map(|m| m.attribution_window_s);
        run.attribution_window_s = windows.reduce(f64::max).unwrap_or(run.attribution_window_s);
        Ok(run)
    }
}

impl Named {
    /// Whether the preset has such files at all. A preset named for all files leaves others to their header.
    fn reads(&self, shape: Shape) -> bool {
        self.preset.exports_of(shape).next().is_some()
    }

    fn reading(&self, shape: Shape, headers: &[String], user: &MappingFile) -> Result<Reading> {
        let export = match &self.export {
            Some(name) => self.preset.export(shape, name),
            None => detect::export_of(self.preset, headers, shape),
        };
        let mapping = Arc::new(Mapping::of(self.preset, export, user)?);
        let preset = self.preset.name.clone();
        Ok(Reading { mapping, preset, export: export.map(|e| e.name.clone()), how: How::Named })
    }
}

/// The side and the preset of `SIDE=NAME`.
fn side(text: &str) -> Result<(Shape, &str)> {
    let (side, name) = text.split_once('=').unwrap_or_default();
    let shape = Shape::ALL.into_iter().find(|s| s.word() == side.trim());
    shape.map(|shape| (shape, name.trim())).ok_or_else(|| {
        let sides: Vec<&str> = Shape::ALL.iter().map(|s| s.word()).collect();
        Error::usage(format!("`{text}` names no preset of a side"))
            .help(format!("write --preset NAME or --preset SIDE=NAME; the sides are {}", sides.join(", ")))
    })
}

/// The preset of `NAME` or `NAME/EXPORT`.
fn wanted(text: &str) -> Result<Named> {
    let (name, export) = text.split_once('/').map_or((text, None), |(name, export)| (name, Some(export)));
    let preset = preset::named(name)?;
    let known = |export: &str| preset.exports.iter().any(|e| e.name == export);
    if let Some(export) = export.filter(|e| !known(e)) {
        let names: BTreeSet<&str> = preset.exports.iter().map(|e| e.name.as_str()).collect();
        return Err(Error::usage(format!("the preset `{name}` has no export `{export}`"))
            .help(format!("there are {}", names.into_iter().collect::<Vec<_>>().join(", "))));
    }
    Ok(Named { preset, export: export.map(str::to_owned) })
}

fn twice(what: &str) -> Error {
    Error::usage(format!("the preset of {what} is named twice")).help("keep one --preset for each side")
}

fn shown(path: &Path) -> String {
    Text::new(path.display().to_string()).term(200)
}

/// A candidate as it is told: `voluum (visits), has ..`.
fn told(candidate: &Candidate) -> String {
    format!("{} ({}: {})", candidate.preset, candidate.export, candidate.reasons.join("; "))
}

fn ambiguous(path: &Path, shape: Shape, candidates: &[Candidate]) -> Error {
    let all: Vec<String> = candidates.iter().map(told).collect();
    let first = &candidates[0];
    Error::input(format!("{}: the header fits several presets: {}", shown(path), all.join(" · "))).help(
        format!(
            "say which one it is: --preset {}={}/{}, or `preset:` in the project file",
            shape.word(),
            first.preset,
            first.export
        ),
    )
}

/// The obvious names, unless the header is plainly that of another side and the user names no column of it.
fn fallback(path: &Path, shape: Shape, headers: &[String], user: &MappingFile) -> Result<Reading> {
    let mapping = Mapping::of(preset::named(GENERIC)?, None, user)?;
    let by_user = mapping.side(shape).columns.values().any(|(_, by_user)| *by_user);
    let others = if by_user { Vec::new() } else { detect::detect(headers, None)? };
    if let Some(other) = others.first().filter(|c| c.confidence >= detect::RECOGNISED) {
        let (file, asked) = (other.shape.word(), shape.word());
        return Err(Error::input(format!(
            "{}: this is a {file} file of {} ({}), not a {asked} file",
            shown(path),
            other.preset,
            other.export
        ))
        .help(format!("give it as --{file}, or say --preset {asked}=generic")));
    }
    let preset = GENERIC.to_owned();
    Ok(Reading { mapping: Arc::new(mapping), preset, export: None, how: How::Fallback })
}

/// Whose money it is: the user's word, or what the trackers' presets state. The generic preset's word counts
/// only where no other is.
fn perspective(files: &[Chosen], said: Option<Perspective>) -> Result<Option<Perspective>> {
    let money = |f: &&Chosen| f.shape != Shape::Costs && f.reading.mapping.perspective.is_some();
    let stated: Vec<&Chosen> = files.iter().filter(money).collect();
    let trackers: Vec<&Chosen> = stated.iter().copied().filter(|f| f.reading.preset != GENERIC).collect();
    let asked = if trackers.is_empty() { &stated } else { &trackers };
    let first = asked.first().map(|f| (f, f.reading.mapping.perspective));
    let Some((first, perspective)) = first.filter(|_| said.is_none()) else { return Ok(said) };
    match asked.iter().find(|f| f.reading.mapping.perspective != perspective) {
        None => Ok(perspective),
        Some(other) => Err(Error::usage(format!(
            "{} is {}'s and {} is {}'s: whose money is it?",
            shown(first.path),
            perspective.map_or("nobody", Perspective::word),
            shown(other.path),
            other.reading.mapping.perspective.map_or("nobody", Perspective::word)
        ))
        .help("say --perspective buyer, network or advertiser: a wrong one turns the ROI upside down")),
    }
}

/// The one value of several files, if they have the same or none.
fn same<T: PartialEq>(values: impl Iterator<Item = Option<T>>) -> Option<T> {
    let mut values = values.flatten();
    let first = values.next()?;
    values.all(|v| v == first).then_some(first)
}

/// The one value that all files of these shapes state; who states none agrees.
fn agreed(
    files: &[Chosen],
    shapes: &[Shape],
    what: &str,
    says: impl Fn(&Mapping) -> Option<String>,
) -> Result<Option<String>> {
    let stated = files.iter().filter(|f| shapes.contains(&f.shape));
    let stated: Vec<(&Path, String)> =
        stated.filter_map(|f| Some((f.path, says(&f.reading.mapping)?))).collect();
    let Some((path, first)) = stated.first() else { return Ok(None) };
    match stated.iter().find(|(_, value)| value != first) {
        None => Ok(Some(first.clone())),
        Some((other, value)) => Err(Error::usage(format!(
            "the {what} of {} is {first} and that of {} is {value}",
            shown(path),
            shown(other)
        ))
        .help("audit them in runs of their own, or say one for both in a mapping file")),
    }
}

/// Whether any of the files of clicks may have hits of this type: a file of another type alone is not empty.
fn may_be(clicks: &[&Mapping], hit_type: &str) -> bool {
    let constant =
        |m: &&&Mapping| m.side(Shape::Clicks).constants.get(&Col::HitType).is_none_or(|h| h == hit_type);
    clicks.iter().any(|m| constant(&m))
}

/// Two systems' clocks can be hours apart. Where one system wrote all files, an unknown zone moves days only.
fn refuse_strange_clocks(files: &[Chosen]) -> Result<()> {
    let timed = |f: &&Chosen| matches!(f.shape, Shape::Clicks | Shape::Conversions | Shape::Combined);
    let timed: Vec<&Chosen> = files.iter().filter(timed).collect();
    let systems: BTreeSet<&str> = timed.iter().map(|f| f.reading.preset.as_str()).collect();
    let Some(unknown) =
        timed.iter().find(|f| f.zone_from() != ZoneFrom::Format).filter(|_| systems.len() > 1)
    else {
        return Ok(());
    };
    let other = timed.iter().find(|f| f.reading.preset != unknown.reading.preset);
    Err(Error::usage(format!(
        "the times of {} are in a zone that {} decides, and {} is another system's: they may be hours apart",
        shown(unknown.path),
        unknown.zone_of(),
        other.map_or_else(String::new, |o| shown(o.path))
    ))
    .help(format!(
        "say the zone: `{}: {{time_zone: Europe/Berlin}}` in a mapping file, or --time-zone {}=Europe/Berlin",
        unknown.shape.word(),
        unknown.shape.word()
    )))
}

impl Chosen<'_> {
    fn zone_from(&self) -> ZoneFrom {
        self.reading.mapping.side(self.shape).zone_from
    }

    fn zone_of(&self) -> String {
        let preset = &self.reading.preset;
        match self.zone_from() {
            ZoneFrom::Export => format!("who exports it from {preset}"),
            _ => format!("the account at {preset}"),
        }
    }

    /// What the reader of the report must know of how the file was read.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let path = shown(self.path);
        if let How::Detected(candidate) = &self.reading.how {
            let why = candidate.reasons.join("; ");
            notes.push(format!("{path} is read as {} ({}): it {why}", candidate.preset, candidate.export));
        }
        let side = self.reading.mapping.side(self.shape);
        if let Ok(preset) = preset::named(&self.reading.preset) {
            notes.extend(preset.tell.iter().map(|told| format!("{path}: {told}")));
        }
        if side.zone_from != ZoneFrom::Format {
            notes.push(format!(
                "times of {path} without an offset are read as {}, but {} decides their zone: say it with --time-zone",
                side.time.zone.name(),
                self.zone_of()
            ));
        }
        if side.times == Times::Approval && self.shape != Shape::Clicks {
            notes.push(format!("the times of {path} are those of approval: its conversions have no CTIT"));
        }
        notes
    }
}
