//! `clickaudit simulate`: labelled traffic into a folder; and the reference documentation.

use super::args::{ExportFormat, MixName, ReferenceArgs, SimulateArgs};
use super::complain;
use super::exit::Exit;
use crate::base::column::Col;
use crate::base::error::{Error, Result};
use crate::base::near::nearest;
use crate::base::time::TimeFormat;
use crate::base::unit::Unit;
use crate::ingest::export::{ParquetExport, Schema};
use crate::ingest::mapping::{Mapping, Shape, SideMapping, normalise};
use crate::simulate::mix::export::{CLICK_COLUMNS, CONVERSION_COLUMNS, Sheet, Stamp};
use crate::simulate::mix::{Fraud, Mix, Strength, World};
use crate::simulate::{Summary, Traffic};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Clicks where none are asked for.
const CLICKS: u64 = 100_000;

/// Writes the traffic.
///
/// # Errors
/// A flag says what cannot be made, or the folder cannot be written.
pub fn run(args: SimulateArgs) -> Result<Exit> {
    let summary = match args.mix {
        Some(name) => write_mix(&mix(name, &args)?, &args)?,
        None => write_traffic(&args)?,
    };
    complain(&format!(
        "{} clicks, {} conversions, {} sources, {} of them with planted fraud",
        summary.clicks, summary.conversions, summary.sources, summary.planted
    ));
    Ok(Exit::Completed)
}

fn write_traffic(args: &SimulateArgs) -> Result<Summary> {
    let traffic = if args.sample {
        Traffic::sample()
    } else {
        Traffic::bench(args.clicks.unwrap_or(CLICKS), args.conversions, args.seed)
    };
    let [clicks, conversions] = Traffic::HEADERS.map(plain);
    let mut clicks = Export::create(&args.folder, "clicks", args.format, &clicks)?;
    let mut conversions = Export::create(&args.folder, "conversions", args.format, &conversions)?;
    let written = traffic.write(&mut clicks, &mut conversions, &mut planted(&args.folder)?);
    let summary = written.map_err(|e| Error::writing(&args.folder, e))?;
    clicks.finish()?;
    conversions.finish()?;
    Ok(summary)
}

/// The sheet of a line of canonical names.
fn plain(header: &str) -> Sheet {
    Sheet::plain(&header.split(',').filter_map(Col::of).collect::<Vec<_>>())
}

fn write_mix(mix: &Mix, args: &SimulateArgs) -> Result<Summary> {
    let mapping = Mapping::build(args.preset.as_deref(), None)?;
    let bare = Mapping::build(None, None)?;
    let of = |shape: Shape| if maps(&mapping, shape) { &mapping } else { &bare };
    let (folder, format) = (&args.folder, args.format);
    if is_combined(&mapping) {
        let sheet = sheet(&mapping, Shape::Combined, &combined_columns());
        let mut rows = Export::create(folder, "combined", format, &sheet)?;
        let written = mix.write((&sheet, &mut rows), None, &mut planted(folder)?);
        let summary = written.map_err(|e| Error::writing(folder, e))?;
        return rows.finish().map(|()| summary);
    }
    let clicks = sheet(of(Shape::Clicks), Shape::Clicks, CLICK_COLUMNS);
    let conversions = sheet(of(Shape::Conversions), Shape::Conversions, CONVERSION_COLUMNS);
    let mut click_file = Export::create(folder, "clicks", format, &clicks)?;
    let mut conversion_file = Export::create(folder, "conversions", format, &conversions)?;
    let pair = Some((&conversions, &mut conversion_file as &mut dyn Write));
    let written = mix.write((&clicks, &mut click_file), pair, &mut planted(folder)?);
    let summary = written.map_err(|e| Error::writing(folder, e))?;
    click_file.finish()?;
    conversion_file.finish()?;
    Ok(summary)
}

// ---------------------------------------------------------------- what is asked for

fn mix(name: MixName, args: &SimulateArgs) -> Result<Mix> {
    let world = match name {
        MixName::Reference => World::Reference,
        MixName::World => World::Other,
    };
    let strength = args.strength.as_deref().map(|text| share("--strength", text, 0.01..=0.95)).transpose()?;
    Ok(Mix {
        sources: args.sources,
        clicks: args.clicks,
        days: args.days,
        fraud_share: share("--fraud-share", &args.fraud_share, 0.0..=1.0)?,
        strength: strength.map_or(Strength::Drawn, Strength::Fixed),
        kinds: kinds(&args.kinds)?,
        ..Mix::new(world, args.seed)
    })
}

fn share(flag: &str, text: &str, range: std::ops::RangeInclusive<f64>) -> Result<f64> {
    let share = Unit::Share.parse(text).map_err(|fault| Error::usage(format!("{flag}: {fault}")))?;
    if range.contains(&share) {
        return Ok(share);
    }
    let help = format!("use {:.0}% to {:.0}%", 100.0 * range.start(), 100.0 * range.end());
    Err(Error::usage(format!("{flag}: `{text}` cannot be made")).help(help))
}

fn kinds(names: &[String]) -> Result<Vec<Fraud>> {
    if names == ["all"] {
        return Ok(Fraud::ALL.to_vec());
    }
    let known = || Fraud::ALL.iter().map(|f| f.decl().name);
    let kind = |name: &String| {
        Fraud::of(name).ok_or_else(|| {
            let near = nearest(name, known());
            let hint = if near.is_empty() { known().collect() } else { near };
            Error::usage(format!("--kinds: there is no fraud `{name}`"))
                .help(format!("the nearest: {}", hint.join(", ")))
        })
    };
    names.iter().map(kind).collect()
}

// ---------------------------------------------------------------- a preset's files

/// Whether the preset has rows with click and conversion in one, and no files of either.
fn is_combined(mapping: &Mapping) -> bool {
    maps(mapping, Shape::Combined) && !maps(mapping, Shape::Clicks) && !maps(mapping, Shape::Conversions)
}

/// Whether the preset reads files of this shape. Of a side that it does not have, obvious names are written.
fn maps(mapping: &Mapping, shape: Shape) -> bool {
    shape.required().iter().all(|col| mapping.side(shape).columns.contains_key(col))
}

/// A click with what is known of its conversion when the row is written.
fn combined_columns() -> Vec<Col> {
    CLICK_COLUMNS.iter().copied().chain([Col::Event, Col::ConversionTime]).collect()
}

/// The file that the preset reads: its first headers for the columns that can be made.
fn sheet(mapping: &Mapping, shape: Shape, can: &[Col]) -> Sheet {
    let side = mapping.side(shape);
    let mut columns: Vec<(Col, String)> = Vec::new();
    for &col in can {
        let free = |header: &&String| columns.iter().all(|(_, taken)| normalise(taken) != normalise(header));
        let header = side.columns.get(&col).and_then(|(headers, _)| headers.iter().find(free));
        columns.extend(header.map(|header| (col, header.clone())));
    }
    Sheet {
        columns,
        delimiter: side.delimiter.unwrap_or(b','),
        decimal: side.decimal,
        stamp: stamp(side),
        words: words(mapping),
    }
}

fn stamp(side: &SideMapping) -> Stamp {
    match &side.time.format.all()[0] {
        TimeFormat::Iso | TimeFormat::AnyOf(_) => Stamp::Iso,
        TimeFormat::EpochS => Stamp::EpochS,
        TimeFormat::EpochMs => Stamp::EpochMs,
        TimeFormat::EpochUs => Stamp::EpochUs,
        TimeFormat::Pattern(pattern) => Stamp::Pattern(pattern.clone()),
    }
}

/// The export's own word for each canonical one; of several the first in the alphabet.
fn words(mapping: &Mapping) -> BTreeMap<String, String> {
    let pairs = mapping.statuses.iter().chain(&mapping.events).rev();
    pairs.map(|(word, canonical)| (canonical.clone(), word.clone())).collect()
}

// ---------------------------------------------------------------- files

/// One export while it is written.
enum Export {
    Csv(File),
    Parquet(Box<ParquetExport>),
}

impl Export {
    fn create(folder: &Path, name: &str, format: ExportFormat, sheet: &Sheet) -> Result<Export> {
        match format {
            ExportFormat::Csv => create(folder, &format!("{name}.csv")).map(Export::Csv),
            ExportFormat::Parquet => {
                let path = folder.join(format!("{name}.parquet"));
                create(folder, &format!("{name}.parquet"))?;
                Ok(Export::Parquet(Box::new(ParquetExport::new(&path, schema(sheet)))))
            }
        }
    }

    /// Writes what is left of the file.
    fn finish(self) -> Result<()> {
        match self {
            Export::Csv(_) => Ok(()),
            Export::Parquet(export) => export.finish(),
        }
    }
}

impl Write for Export {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Export::Csv(file) => file.write(bytes),
            Export::Parquet(export) => export.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Export::Csv(file) => file.flush(),
            Export::Parquet(export) => export.flush(),
        }
    }
}

fn schema(sheet: &Sheet) -> Schema {
    Schema {
        columns: sheet.columns.clone(),
        delimiter: sheet.delimiter,
        decimal: sheet.decimal,
        time: match &sheet.stamp {
            Stamp::Iso => TimeFormat::Iso,
            Stamp::EpochS => TimeFormat::EpochS,
            Stamp::EpochMs => TimeFormat::EpochMs,
            Stamp::EpochUs => TimeFormat::EpochUs,
            Stamp::Pattern(pattern) => TimeFormat::Pattern(pattern.clone()),
        },
    }
}

fn planted(folder: &Path) -> Result<File> {
    create(folder, "planted.csv")
}

fn create(folder: &Path, name: &str) -> Result<File> {
    std::fs::create_dir_all(folder).map_err(|e| Error::writing(folder, e))?;
    let path = folder.join(name);
    File::create(&path).map_err(|e| Error::writing(&path, e))
}

/// Writes the generated documentation.
///
/// # Errors
/// The folder cannot be written.
pub fn reference(args: ReferenceArgs) -> Result<Exit> {
    for (name, text) in crate::reference::documents() {
        let path = args.folder.join(name);
        std::fs::write(&path, text).map_err(|e| Error::writing(&path, e))?;
    }
    Ok(Exit::Completed)
}
