//! One of the two statements: its files, read as an audit reads them, in the currencies of their rows.

use crate::base::column::Col;
use crate::base::error::{Error, Result};
use crate::base::text::Text;
use crate::clean::statement::table;
use crate::ingest::detect::{self, RECOGNISED};
use crate::ingest::mapping::MappingFile;
use crate::ingest::{Guard, Inputs, Intake, Mapping, Plan, Shape, Wanted, expand, headers, ingest};
use std::collections::BTreeMap;
use std::path::Path;

/// Where a side's rows are, and what is known of them.
#[derive(Clone)]
pub struct Files {
    /// Whose it is, for messages: `ours` or `theirs`.
    pub word: &'static str,
    /// Paths and patterns.
    pub patterns: Vec<String>,
    pub presets: Vec<String>,
    pub user: MappingFile,
    pub guard: Guard,
    pub threads: usize,
}

/// A side that was read.
pub struct Side {
    pub files: Files,
    pub shape: Shape,
    pub intake: Intake,
}

impl Side {
    /// Reads all files of a side.
    ///
    /// # Errors
    /// A file that cannot be read, or is no statement of conversions; no usable row.
    pub fn read(files: Files) -> Result<Side> {
        let paths = expand(&files.patterns)?;
        let shape = match paths.first() {
            Some(first) => shape(&files, first)?,
            None => Shape::Conversions,
        };
        let mut user = files.user.clone();
        user.keep_currencies();
        let files = Files { user, ..files };
        let intake = read(&files, shape, files.patterns.clone(), files.user.clone(), &files.presets)?;
        let side = Side { files, shape, intake };
        side.refuse_nothing()?;
        Ok(side)
    }

    /// Rows that were read and not rejected.
    pub fn rows(&self) -> u64 {
        self.intake.files.iter().map(|f| f.rows - f.rejects.total()).sum()
    }

    fn refuse_nothing(&self) -> Result<()> {
        if self.rows() > 0 {
            return Ok(());
        }
        let read: u64 = self.intake.files.iter().map(|f| f.rows).sum();
        let name = Text::of_user(self.files.patterns.join(", ")).term(200);
        let message = match read {
            0 => format!("{name}: there are no rows, only a header"),
            n => format!("{name}: there is no usable row, all {n} were rejected"),
        };
        Err(Error::input(message).help("`clickaudit inspect FILE` says how its columns are read"))
    }

    /// The mapping of the first file.
    pub fn mapping(&self) -> &Mapping {
        &self.intake.files[0].reading.mapping
    }

    /// The header of the first file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn headers_of(&self) -> Result<Vec<String>> {
        headers(&self.intake.files[0].path, self.mapping().side(self.shape).delimiter, &self.files.guard)
    }

    /// Where the mapped columns stand among the headers.
    pub fn places(&self, headers: &[String]) -> BTreeMap<Col, usize> {
        self.mapping().side(self.shape).found(headers)
    }

    /// The first file again, with these headers in place of what the columns mean.
    ///
    /// # Errors
    /// A header is not there.
    pub fn under(&self, names: &[(String, Col)]) -> Result<Intake> {
        let first = self.intake.files[0].path.display().to_string();
        self.lent(vec![first], names)
    }

    /// The side again with a header in place of the click ID.
    ///
    /// # Errors
    /// The header is not there.
    pub fn by(self, header: &str) -> Result<Side> {
        let intake = self.lent(self.files.patterns.clone(), &[(header.to_owned(), Col::ClickId)])?;
        Ok(Side { intake, ..self })
    }

    fn lent(&self, paths: Vec<String>, names: &[(String, Col)]) -> Result<Intake> {
        let mut user = self.files.user.clone();
        user.lend(self.shape, names);
        let reading = &self.intake.files[0].reading;
        let preset = match &reading.export {
            Some(export) => format!("{}={}/{export}", self.shape.word(), reading.preset),
            None => format!("{}={}", self.shape.word(), reading.preset),
        };
        read(&self.files, self.shape, paths, user, &[preset])
    }

    /// Whether a column is there.
    pub fn has(&self, col: Col) -> bool {
        table(&self.intake).columns().contains(&col)
    }
}

fn read(
    files: &Files,
    shape: Shape,
    paths: Vec<String>,
    user: MappingFile,
    presets: &[String],
) -> Result<Intake> {
    let plan = Plan::new(presets, user)?;
    let inputs =
        Inputs { files: BTreeMap::from([(shape, paths)]), guard: files.guard.clone(), ..Inputs::default() };
    ingest(&inputs, &plan, &Wanted::Everything, files.threads)
}

/// A statement has conversions in its rows, with or without their clicks.
fn shape(files: &Files, first: &Path) -> Result<Shape> {
    let plan = Plan::new(&files.presets, files.user.clone())?;
    let headers = headers(first, plan.delimiter(Shape::Conversions)?, &files.guard)?;
    let found = detect::detect(&headers, None)?;
    let best = found.first().filter(|best| best.confidence >= RECOGNISED).map(|best| best.shape);
    match best {
        Some(Shape::Combined) => Ok(Shape::Combined),
        Some(shape @ (Shape::Report | Shape::Costs)) => {
            let name = Text::of_user(files.patterns.join(", ")).term(200);
            Err(Error::input(format!(
                "{name}: this is a {} file: it has no single conversions",
                shape.word()
            ))
            .help("export the conversions one by one; sums cannot say which of them are missing"))
        }
        _ => Ok(Shape::Conversions),
    }
}
