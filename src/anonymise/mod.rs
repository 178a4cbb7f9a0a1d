//! Exports that can be shown to others: the same columns, formats and relations, and nobody's IDs, addresses or
//! amounts.
//!
//! A file goes through byte by byte: header, separators, quotes, line ends and order stay, fields are replaced one at
//! a time by what their column is. The same value becomes the same one in every file of the same secret, so that the
//! files still join. Refuses what it cannot do field by field: Parquet, logs of postbacks, one array of JSON.

mod fields;
mod keyed;
mod lines;

pub use fields::UserAgents;

use crate::base::error::{Error, Result};
use crate::base::near::nearest;
use crate::base::privacy::Key;
use crate::ingest::detect::{self, RECOGNISED};
use crate::ingest::mapping::{MappingFile, normalise};
use crate::ingest::{Packer, Packing, Plan, Shape, SideMapping, expand, layout_of, packing, unpacked};
use fields::{Masker, Treatment, treatment};
use keyed::Secret;
use std::collections::BTreeSet;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

/// What is made anonymous, and how.
pub struct Options {
    /// Paths and patterns.
    pub files: Vec<String>,
    pub presets: Vec<String>,
    pub user: MappingFile,
    pub key: Key,
    /// Amounts are multiplied by a secret factor.
    pub scale: bool,
    pub user_agents: UserAgents,
    /// Headers of columns that stay as they are, and of those that are emptied.
    pub keep: Vec<String>,
    pub drop: Vec<String>,
}

/// One file that is to be made.
pub struct Work {
    pub path: PathBuf,
    shape: Shape,
    packing: Packing,
    side: SideMapping,
    delimiter: Option<u8>,
    names: Vec<String>,
    treatments: Vec<Treatment>,
}

/// What became of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub rows: u64,
    /// Lines that no row could be read from; everything in them was replaced.
    pub broken: u64,
}

/// What will be done to each file, before any of it is.
///
/// # Errors
/// A file that cannot be read or is of a kind that cannot be done, a header that nobody has, two files of one name.
pub fn plan(options: &Options) -> Result<Vec<Work>> {
    let plan = Plan::new(&options.presets, options.user.clone())?;
    let paths = expand(&options.files)?;
    let mut names = BTreeSet::new();
    for path in &paths {
        if !names.insert(path.file_name().map(ToOwned::to_owned)) {
            return Err(Error::usage(format!("two files are called {}", path.display()))
                .help("anonymise them into folders of their own; the same key keeps them together"));
        }
    }
    let works = paths.iter().map(|path| work(options, &plan, path)).collect::<Result<Vec<_>>>()?;
    refuse_unknown(options, &works)?;
    Ok(works)
}

fn work(options: &Options, plan: &Plan, path: &Path) -> Result<Work> {
    let packing = packing(path)?;
    refuse_packed(path, packing)?;
    let (delimiter, names) = layout_of(path, packing, plan.delimiter(Shape::Clicks)?)?;
    let shape = shape(&names)?;
    let reading = plan.reading(path, shape, &names)?;
    let side = reading.mapping.side(shape).clone();
    let mut treatments = vec![Treatment::Unknown; names.len()];
    for (col, at) in side.found(&names) {
        treatments[at] = treatment(col);
    }
    let said = |list: &[String], name: &str| list.iter().any(|wanted| normalise(wanted) == normalise(name));
    for (name, treatment) in names.iter().zip(&mut treatments) {
        if said(&options.keep, name) {
            *treatment = Treatment::Untouched;
        }
        if said(&options.drop, name) {
            *treatment = Treatment::Empty;
        }
    }
    Ok(Work { path: path.to_owned(), shape, packing, side, delimiter, names, treatments })
}

fn refuse_packed(path: &Path, packing: Packing) -> Result<()> {
    match packing {
        Packing::Parquet => Err(Error::input(format!(
            "{} is Parquet: it cannot be anonymised as it is",
            path.display()
        ))
        .help("export it as CSV or NDJSON first, for example with DuckDB: COPY (FROM 'FILE') TO 'FILE.csv'")),
        _ => Ok(()),
    }
}

/// What the header says that a file is; what it does not say is read as clicks or conversions.
fn shape(names: &[String]) -> Result<Shape> {
    let found = detect::detect(names, None)?;
    if let Some(best) = found.first().filter(|best| best.confidence >= RECOGNISED) {
        return Ok(best.shape);
    }
    let has = |words: &[&str]| names.iter().any(|name| words.contains(&normalise(name).as_str()));
    let converts =
        ["conversion_time", "conversion_id", "transaction_id", "txid", "payout", "event", "status"];
    Ok(if has(&converts) { Shape::Conversions } else { Shape::Clicks })
}

fn refuse_unknown(options: &Options, works: &[Work]) -> Result<()> {
    let all: BTreeSet<String> = works.iter().flat_map(|w| &w.names).map(|name| normalise(name)).collect();
    let unknown = options.keep.iter().chain(&options.drop).find(|name| !all.contains(&normalise(name)));
    let Some(name) = unknown else { return Ok(()) };
    let near = nearest(name, all.iter().map(String::as_str));
    let mean = near.first().map_or(String::new(), |near| format!("did you mean `{near}`? "));
    Err(Error::usage(format!("no file has a column `{name}`"))
        .help(format!("{mean}name a header of the files")))
}

/// What replaces the values of one run.
pub struct Anonymiser {
    masker: Masker,
}

impl Anonymiser {
    /// With the secret of the options.
    pub fn new(options: &Options) -> Anonymiser {
        let secret = Secret::new(options.key.bytes());
        Anonymiser { masker: Masker::new(secret, options.scale, options.user_agents) }
    }

    /// Writes the anonymous twin of a file, packed like it.
    ///
    /// # Errors
    /// The file cannot be read, or the sink takes no more.
    pub fn write(&mut self, work: &Work, sink: &mut dyn Write) -> Result<Counts> {
        let mut reader = BufReader::with_capacity(1 << 20, unpacked(&work.path, work.packing)?);
        let failed = |e| Error::output("the output cannot be written").because(e);
        let mut out = Packer::new(work.packing, sink).map_err(failed)?;
        let counts = match work.delimiter {
            Some(delimiter) => lines::delimited(work, delimiter, &mut reader, &mut out, &mut self.masker)?,
            None => lines::objects(work, &mut reader, &mut out, &mut self.masker)?,
        };
        out.finish().map_err(failed)?;
        Ok(counts)
    }
}

impl Work {
    /// The name of the file.
    pub fn name(&self) -> &Path {
        self.path.file_name().map_or(&self.path, Path::new)
    }

    /// What the file is read as.
    pub fn shape(&self) -> Shape {
        self.shape
    }
}
