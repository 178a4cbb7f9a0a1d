//! The intake of a run that remembers: exports that were read before are not read again, and the rows of a window
//! come from all of them.
//!
//! What such a run judges is what one run over the same rows would judge: every row of a window goes the same way
//! whether it was read tonight or a month ago. Refuses: kept rows that today's mapping would read otherwise.

use super::index::{IndexWriter, Older};
use super::mapping::{Mapping, Shape};
use super::open;
use super::parquet::IntakeWriter;
use super::plan::{Chosen, Plan, Reading};
use super::shelf::{self, Fresh, INDEX, INTAKE, Kept, Shelf, Stored, Way, Window, key_of, narrow, stem_of};
use super::table::{Part, Place};
use super::{FileLedger, Intake, Named, Target, stdin};
use crate::base::column::Col;
use crate::base::durable;
use crate::base::error::{Error, Result};
use crate::base::text::Text;
use crate::base::time::{DAY, SECOND};
use polars::prelude::DataFrame;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use tempfile::TempPath;

/// What a run that remembers knows besides its rows.
#[derive(Debug)]
pub struct Past {
    /// The store's folder, if this run may change it.
    pub folder: Option<PathBuf>,
    pub window: Window,
    pub fresh: Fresh,
    /// What earlier runs kept.
    pub known: Vec<Kept>,
    /// Clicks before the window.
    pub older: Older,
    /// Named exports without a row in the window.
    pub outside: usize,
    /// Kept exports whose rows would be in the window, had they not been pruned.
    pub pruned: usize,
}

impl Past {
    /// The export whose typed rows lie in a file of the store.
    pub fn kept(&self, path: &Path) -> Option<&Kept> {
        let folder = self.folder.as_ref()?;
        let lies = |kept: &&Kept| kept.intake.as_ref().is_some_and(|file| folder.join(&file.name) == path);
        self.known.iter().chain(&self.fresh.kept).find(lies)
    }
}

/// An export of the window, ready to be scanned.
struct Ready {
    ledger: FileLedger,
    part: Option<Part>,
    log: bool,
}

/// A named export and its place among what is kept.
struct Given<'n> {
    named: &'n Named,
    key: String,
    digest: String,
}

/// Reads what is new, and puts the window's rows into the intake.
///
/// # Errors
/// An export that cannot be read, rows that another mapping read, or a store that cannot be written.
pub fn read(intake: &mut Intake, shelf: &Shelf, plan: &Plan, named: &[Named], threads: usize) -> Result<()> {
    if !named.is_empty() {
        plan.settle(&named.iter().map(Named::chosen).collect::<Vec<_>>())?;
    }
    let given = given(intake, named)?;
    let mut reader = Reader { intake, shelf, threads, read: BTreeMap::new(), fresh: Fresh::default() };
    for one in &given {
        if reader.needs(one, |kept| !kept.pruned || kept.reach().is_some()) {
            reader.read(one)?;
        }
    }
    let window = shelf.wish.window(reader.newest()?);
    for one in &given {
        let gone = |kept: &Kept| !kept.pruned || matches!(window.part(kept), shelf::Part::Nothing);
        if reader.needs(one, gone) {
            reader.read(one)?;
        }
    }
    let Reader { read, mut fresh, .. } = reader;
    fresh.replaced = replaced(&shelf.kept, &fresh.kept);
    let known = || shelf.kept.iter().filter(|k| !fresh.replaced.contains(&k.key));
    let all: Vec<&Kept> = known().chain(&fresh.kept).collect();
    let mut past = Past {
        folder: shelf.changes.then(|| shelf.folder.clone()),
        window,
        known: known().cloned().collect(),
        older: older(shelf, &all, window)?,
        outside: 0,
        pruned: 0,
        fresh: Fresh::default(),
    };
    let choosing = Choosing {
        shelf,
        plan,
        given: &given,
        read,
        past: &mut past,
        foreign: BTreeSet::new(),
        readings: BTreeMap::new(),
    };
    let ready = choosing.all(&all)?;
    past.fresh = fresh;
    intake.past = Some(past);
    fill(intake, plan, ready)
}

/// The named exports with the digests of their bytes.
fn given<'n>(intake: &Intake, named: &'n [Named]) -> Result<Vec<Given<'n>>> {
    let of = |named: &'n Named| {
        let digest = open::digest(stdin::place(intake.stdin.as_deref(), &named.path))?.hex();
        let key = key_of(&named.way().name(), &digest);
        Ok(Given { named, key, digest })
    };
    named.iter().map(of).collect()
}

/// Reads exports for the first time.
struct Reader<'a> {
    intake: &'a Intake,
    shelf: &'a Shelf,
    threads: usize,
    /// By key.
    read: BTreeMap<String, (FileLedger, Option<Part>)>,
    fresh: Fresh,
}

impl Reader<'_> {
    /// Whether an export has to be read: nobody did, or what was kept of it is lost or not `enough`.
    fn needs(&self, given: &Given, enough: impl Fn(&Kept) -> bool) -> bool {
        let mapping = &given.named.reading.mapping;
        let kept = self.shelf.kept.iter().find(|k| k.key == given.key && k.is_in(mapping));
        !self.read.contains_key(&given.key) && !kept.is_some_and(|k| enough(k) && !self.shelf.heals(k))
    }

    fn read(&mut self, given: &Given) -> Result<()> {
        let (intake, named) = (self.intake, given.named);
        let stem = stem_of(&given.key, named.reading.mapping.currency.as_deref());
        let waiting = Waiting::new(self.shelf, &stem)?;
        let target = Target {
            rows: waiting.rows.0.to_path_buf(),
            index: named.shape.is_of_clicks().then(|| waiting.index.0.to_path_buf()),
            lasting: true,
            held: None,
        };
        let read = intake.read_file(named, &super::Wanted::Everything, self.threads, &target);
        let (ledger, layout) = read.map_err(|e| stdin::speaking(intake.stdin.as_deref(), e))?;
        if ledger.digest != given.digest {
            return Err(Error::input(format!("{} changed while it was read", named.path.display()))
                .help("let the export be written completely before it is audited"));
        }
        let place = stdin::place(intake.stdin.as_deref(), &named.path);
        let bytes = std::fs::metadata(place).map_err(|e| Error::reading(place, e))?.len();
        let headers = layout.as_ref().map_or(named.headers.clone(), |(l, _)| l.headers.clone());
        let way = Way { headers: &headers, ..named.way() };
        let mut kept =
            Kept::of(&ledger, &way, layout.as_ref().map(|(l, _)| l), (bytes, open::packing(place)?));
        kept.key.clone_from(&given.key);
        (kept.intake, kept.index) = waiting.settle(layout.is_some())?;
        let part = layout.zip(kept.intake.as_ref()).map(|((layout, _), stored)| Part {
            path: self.shelf.folder.join(&stored.name),
            layout,
            place: Place::Intake,
            file: 0,
            rows: None,
        });
        self.fresh.kept.push(kept);
        self.read.insert(given.key.clone(), (ledger, part));
        Ok(())
    }

    /// The newest row of everything that is known.
    fn newest(&self) -> Result<i64> {
        let nothing = || {
            Error::input("the store holds no rows and no file is named")
                .help("name the exports: clickaudit audit CLICKS CONVERSIONS --store FOLDER")
        };
        newest(self.shelf.kept.iter().chain(&self.fresh.kept)).ok_or_else(nothing)
    }
}

/// The newest row. A conversion that is dated later than any click could lead to moves nothing.
fn newest<'k>(kept: impl IntoIterator<Item = &'k Kept>) -> Option<i64> {
    let (mut clicks, mut conversions, mut days, mut reach) = (None, None, None, 0);
    for one in kept {
        clicks = clicks.max(one.span(Col::ClickTime).filter(|_| one.shape.is_of_clicks()).map(|s| s.1));
        conversions = conversions.max(one.span(Col::ConversionTime).map(|s| s.1));
        days = days.max(one.span(Col::Day).filter(|_| one.shape == Shape::Report).map(|s| s.1 + DAY - 1));
        reach = reach.max((one.attribution_window_s * SECOND as f64) as i64);
    }
    let latest = clicks.map_or(i64::MAX, |c: i64| c.saturating_add(reach));
    clicks.max(conversions.map(|c: i64| c.min(latest))).max(days)
}

/// Two files that wait in the store until they are whole.
struct Waiting {
    rows: (TempPath, PathBuf),
    index: (TempPath, PathBuf),
    folder: PathBuf,
}

impl Waiting {
    fn new(shelf: &Shelf, stem: &str) -> Result<Waiting> {
        let wait = |folder: &str| {
            let path = shelf.folder.join(folder).join(format!("{stem}.parquet"));
            Ok((durable::beside(&path)?.into_temp_path(), path))
        };
        Ok(Waiting { rows: wait(INTAKE)?, index: wait(INDEX)?, folder: shelf.folder.clone() })
    }

    /// Puts the files into place; those without a row vanish.
    fn settle(self, any: bool) -> Result<(Option<Stored>, Option<Stored>)> {
        let put = |(temporary, path): (TempPath, PathBuf)| {
            let filled = std::fs::metadata(&temporary).is_ok_and(|m| m.len() > 0);
            if !any || !filled {
                return Ok(None);
            }
            durable::settle(temporary, &path)?;
            stored(&self.folder, &path).map(Some)
        };
        Ok((put(self.rows)?, put(self.index)?))
    }
}

/// What the manifest says of a file of the store.
///
/// # Errors
/// It cannot be read.
pub fn stored(folder: &Path, path: &Path) -> Result<Stored> {
    let bytes = std::fs::metadata(path).map_err(|e| Error::reading(path, e))?.len();
    let name = path.strip_prefix(folder).unwrap_or(path).display().to_string();
    Ok(Stored { name, bytes, digest: open::digest(path)?.hex() })
}

/// Files of the same bytes, read otherwise than tonight.
fn replaced(known: &[Kept], fresh: &[Kept]) -> Vec<String> {
    let same = |k: &&Kept| fresh.iter().any(|f| f.digest == k.digest && f.shape == k.shape);
    known.iter().filter(same).map(|k| k.key.clone()).collect()
}

/// The index files with clicks that may still lead to conversions of the window.
fn older(shelf: &Shelf, all: &[&Kept], window: Window) -> Result<Older> {
    let before = |k: &&&Kept| k.span(Col::ClickTime).is_some_and(|span| span.0 < window.from);
    let lasts = |k: &&&Kept| k.index_until().is_some_and(|until| until >= window.from);
    let found = all.iter().filter(before).filter(lasts).filter_map(|k| Some((k, k.index.as_ref()?)));
    let files = found.map(|(kept, file)| there(shelf, kept, file)).collect::<Result<_>>()?;
    Ok(Older { files, before: window.from })
}

/// Where a file of the store lies.
///
/// # Errors
/// It does not, or is another one.
fn there(shelf: &Shelf, kept: &Kept, file: &Stored) -> Result<PathBuf> {
    let path = shelf.folder.join(&file.name);
    if file.lies_in(&shelf.folder) {
        return Ok(path);
    }
    let export = Text::new(kept.path.as_str()).term(80);
    let help = match kept.forgotten {
        0 => format!("name {export} again: it is read anew; or restore the file from a backup"),
        _ => {
            format!("restore it from a backup: rows of {export} were forgotten, so that it is not read anew")
        }
    };
    let message = format!("cannot read {}: it is not there as it was written", path.display());
    Err(Error::input(message).help(help))
}

/// Finds the exports with rows in the window.
struct Choosing<'a, 'n> {
    shelf: &'a Shelf,
    plan: &'a Plan,
    given: &'a [Given<'n>],
    /// What was read tonight, by key.
    read: BTreeMap<String, (FileLedger, Option<Part>)>,
    past: &'a mut Past,
    /// Exports that tonight's mapping would read otherwise.
    foreign: BTreeSet<String>,
    /// How exports of a shape and header are read, and the name of that way: most of a store's are alike.
    readings: BTreeMap<(Shape, Vec<String>), (Reading, String)>,
}

impl<'n> Choosing<'_, 'n> {
    fn all(mut self, all: &[&Kept]) -> Result<Vec<Ready>> {
        let mut ready = Vec::new();
        for kept in all {
            ready.extend(self.of(kept)?);
        }
        if self.foreign.is_empty() { Ok(ready) } else { Err(otherwise(&self.foreign)) }
    }

    /// What the window has of one export: nothing, or its rows and the further names that it was given.
    fn of(&mut self, kept: &Kept) -> Result<Vec<Ready>> {
        let named: Vec<&Named> = self.given.iter().filter(|g| g.key == kept.key).map(|g| g.named).collect();
        let rows = match self.past.window.part(kept) {
            shelf::Part::Nothing => {
                self.past.outside += named.len();
                return Ok(Vec::new());
            }
            shelf::Part::Whole => None,
            shelf::Part::Some(rows) => Some(rows),
        };
        let Some((mut ledger, mut part)) = self.rows(kept, named.first().copied())? else {
            return Ok(Vec::new());
        };
        if let (Some(rows), Some(part)) = (rows, &mut part) {
            part.rows = Some(rows);
            narrow(&mut ledger, &part.path, &rows)?;
        }
        let again = named.iter().skip(1).map(|n| Ready::again(n, &ledger)).collect::<Vec<_>>();
        let first = Ready { ledger, part, log: kept.is_log() };
        Ok(std::iter::once(first).chain(again).collect())
    }

    /// The rows of an export: those read tonight, or those that are kept.
    fn rows(&mut self, kept: &Kept, named: Option<&'n Named>) -> Result<Option<(FileLedger, Option<Part>)>> {
        if kept.pruned {
            self.past.pruned += 1;
            return Ok(None);
        }
        if let Some(fresh) = self.read.remove(&kept.key) {
            return Ok(Some(fresh));
        }
        let (reading, way) = match named {
            Some(named) => (named.reading.clone(), kept.way_today(&named.reading.mapping)),
            None => self.reading(kept)?,
        };
        if kept.holds(&reading.mapping, &way) {
            return restored(self.shelf, kept, &reading, named).map(Some);
        }
        self.foreign.insert(kept.path.clone());
        Ok(None)
    }

    /// How a kept export would be read today. What an export is called does not matter to that.
    fn reading(&mut self, kept: &Kept) -> Result<(Reading, String)> {
        let of = |reading: Reading| {
            let way = kept.way_today(&reading.mapping);
            (reading, way)
        };
        if kept.is_log() {
            return self.plan.log().map(of);
        }
        let alike = (kept.shape, kept.headers.clone());
        if let Some(known) = self.readings.get(&alike) {
            return Ok(known.clone());
        }
        let found = of(self.plan.reading(Path::new(&kept.path), kept.shape, &kept.headers)?);
        self.readings.insert(alike, found.clone());
        Ok(found)
    }
}

impl Ready {
    /// The same bytes under another name; they count once.
    fn again(named: &Named, first: &FileLedger) -> Ready {
        let ledger = FileLedger::new(&named.path, named.shape, &named.reading);
        let ledger = FileLedger { digest: first.digest.clone(), ..ledger };
        Ready { ledger, part: None, log: named.log }
    }
}

fn restored(
    shelf: &Shelf,
    kept: &Kept,
    reading: &Reading,
    named: Option<&Named>,
) -> Result<(FileLedger, Option<Part>)> {
    let (mut ledger, layout) = kept.restore(reading)?;
    if let Some(named) = named {
        ledger.path.clone_from(&named.path);
    }
    let path = kept.intake.as_ref().map(|file| there(shelf, kept, file)).transpose()?;
    let part = path.map(|path| Part { path, layout, place: Place::Intake, file: 0, rows: None });
    Ok((ledger, part))
}

/// The error of rows that this run's mapping would read otherwise.
fn otherwise(paths: &BTreeSet<String>) -> Error {
    let shown: Vec<String> = paths.iter().take(3).map(|p| Text::new(p.as_str()).term(80)).collect();
    let more = if paths.len() > 3 { format!(" and {} more", paths.len() - 3) } else { String::new() };
    Error::usage(format!(
        "the store holds rows that were read with another mapping: {}{more}",
        shown.join(", ")
    ))
    .help(
        "name these exports again, so that they are read anew; or use the mapping of then, or another store",
    )
}

/// Clicks with conversions, combined exports and aggregated ones cannot be judged together.
fn refuse_several_kinds(ready: &[Ready]) -> Result<()> {
    let has = |shapes: &[Shape]| ready.iter().any(|r| shapes.contains(&r.ledger.shape));
    let kinds = [has(&[Shape::Clicks, Shape::Conversions]), has(&[Shape::Combined]), has(&[Shape::Report])];
    if kinds.iter().filter(|kind| **kind).count() < 2 {
        return Ok(());
    }
    Err(Error::usage("the window holds clicks and conversions, combined or aggregated exports together")
        .help("keep a store for each kind"))
}

/// Puts the exports into the intake in the order of one run over all of them.
fn fill(intake: &mut Intake, plan: &Plan, mut ready: Vec<Ready>) -> Result<()> {
    if ready.is_empty() {
        return Err(Error::input("the store has no row in the window and no file is named")
            .help("name newer exports, or a longer --window"));
    }
    refuse_several_kinds(&ready)?;
    ready.sort_by(|a, b| {
        let place = |r: &Ready| (r.log, r.ledger.shape, r.ledger.path.clone());
        (place(a), a.part.is_none()).cmp(&(place(b), b.part.is_none()))
    });
    let chosen: Vec<Chosen> = ready
        .iter()
        .map(|r| Chosen { path: &r.ledger.path, shape: r.ledger.shape, reading: &r.ledger.reading })
        .collect();
    intake.mapping = plan.settle(&chosen)?;
    intake.notes = chosen.iter().flat_map(Chosen::notes).collect();
    for Ready { ledger, part, .. } in ready {
        intake.combined |= ledger.shape == Shape::Combined;
        let part = part.map(|part| Part { file: intake.files.len(), ..part });
        intake.keep(ledger, part);
    }
    Ok(())
}

/// Writers of one export's rows, and of its clicks by the hash of their ID.
pub struct Writers {
    rows: IntakeWriter,
    /// The rows so far, as long as they may stay in memory.
    held: Option<DataFrame>,
    /// How many more may; `None` once there is a file.
    room: Option<usize>,
    index: Option<IndexWriter>,
}

impl Writers {
    /// Writers of the files of a target.
    pub fn new(target: &Target) -> Writers {
        let rows = if target.lasting { IntakeWriter::lasting } else { IntakeWriter::new };
        let index = target.index.clone().map(IndexWriter::new);
        Writers { rows: rows(target.rows.clone()), held: None, room: target.held, index }
    }

    /// Adds some rows.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&mut self, frame: &DataFrame) -> Result<()> {
        if let Some(index) = self.index.as_mut().filter(|_| frame.height() > 0) {
            index.write(frame)?;
        }
        if let Some(room) = self.room.and_then(|room| room.checked_sub(frame.height())) {
            self.room = Some(room);
            match &mut self.held {
                Some(held) => drop(held.vstack_mut(frame).expect("frames of one layout")),
                None => self.held = Some(frame.clone()),
            }
            return Ok(());
        }
        self.room = None;
        self.held.take().map_or(Ok(()), |held| self.rows.write(&held))?;
        self.rows.write(frame)
    }

    /// Writes the footers; where the rows are.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn finish(self) -> Result<Place> {
        self.index.map_or(Ok(false), IndexWriter::finish)?;
        self.rows.finish()?;
        Ok(self.held.map_or(Place::Intake, Place::Memory))
    }
}

impl Named {
    /// How its rows come about.
    pub fn way(&self) -> Way<'_> {
        let mapping: &Mapping = &self.reading.mapping;
        Way { shape: self.shape, mapping, headers: &self.headers, log: self.log }
    }
}
