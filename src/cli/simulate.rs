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
use crate::simulate::mix::export::{Sheet, Stamp};
use crate::simulate::mix::{Fraud, Mix, Strength, World};
use crate::simulate::{Summary, Traffic};
use sheets::Sheets;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

mod sheets;

/// Clicks where none are asked for.
const CLICKS: u64 = 100_000;

/// What was planted; whoever finds it in a folder knows that the exports beside it were made up, too.
const PLANTED: &str = "planted.csv";
const PLANTED_BEGINS: &str = "source,kind,strength,what";

/// Writes the traffic, and says how to audit it.
///
/// # Errors
/// A flag says what cannot be made, the folder holds files of others, or it cannot be written.
pub fn run(args: SimulateArgs) -> Result<Exit> {
    let mix = args.mix.map(|name| mix(name, &args)).transpose()?;
    let sheets = match &mix {
        Some(_) => sheets::of_preset(args.preset.as_deref())?,
        None => {
            let [clicks, conversions] = Traffic::HEADERS.map(plain);
            Sheets::pair(clicks, conversions)
        }
    };
    spare(&args, &sheets)?;
    let summary = match mix {
        Some(mix) => write(&args, &sheets, |clicks, conversions, planted| {
            let pair = sheets.conversions.as_ref().zip(conversions);
            mix.write((&sheets.first, clicks), pair, planted)
        })?,
        None => write(&args, &sheets, |clicks, conversions, planted| {
            traffic(&args).write(clicks, conversions.expect("traffic is a pair"), planted)
        })?,
    };
    complain(&format!(
        "{}, {}, {}, {} of them with planted fraud\naudit it: {}",
        counted(summary.clicks, "click"),
        counted(summary.conversions, "conversion"),
        counted(summary.sources, "source"),
        summary.planted,
        sheets.command(&args.folder, args.format)
    ));
    Ok(Exit::Completed)
}

fn counted(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn traffic(args: &SimulateArgs) -> Traffic {
    if args.sample {
        Traffic::sample()
    } else {
        Traffic::bench(args.clicks.unwrap_or(CLICKS), args.conversions, args.seed)
    }
}

/// Writes the exports by `made`, what was planted, and how to read them.
fn write(
    args: &SimulateArgs,
    sheets: &Sheets,
    made: impl FnOnce(&mut dyn Write, Option<&mut dyn Write>, &mut dyn Write) -> io::Result<Summary>,
) -> Result<Summary> {
    let (folder, [first, second]) = (&args.folder, sheets.names());
    let mut clicks = Export::create(folder, first, args.format, &sheets.first)?;
    let conversions = sheets.conversions.as_ref();
    let mut conversions =
        conversions.map(|sheet| Export::create(folder, second, args.format, sheet)).transpose()?;
    let second = conversions.as_mut().map(|export| export as &mut dyn Write);
    let written = made(&mut clicks, second, &mut create(folder, PLANTED)?);
    let summary = written.map_err(|e| Error::writing(folder, e))?;
    clicks.finish()?;
    conversions.map_or(Ok(()), Export::finish)?;
    if let Some(map) = &sheets.map {
        let written = create(folder, sheets::MAP)?.write_all(map.as_bytes());
        written.map_err(|e| Error::writing(folder, e))?;
    }
    Ok(summary)
}

/// The sheet of a line of canonical names.
fn plain(header: &str) -> Sheet {
    Sheet::plain(&header.split(',').filter_map(Col::of).collect::<Vec<_>>())
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
        onset: onset(args)?,
        ..Mix::new(world, args.seed)
    })
}

/// Days before the fraud begins.
fn onset(args: &SimulateArgs) -> Result<u32> {
    if args.onset <= args.days {
        return Ok(args.onset - 1);
    }
    let help = format!("use a day from 1 to {}", args.days);
    Err(Error::usage(format!("--onset: the mix has no day {}", args.onset)).help(help))
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
    let known: Vec<&str> = Fraud::ALL.iter().map(|f| f.decl().name).collect();
    let kind = |name: &String| {
        Fraud::of(name).ok_or_else(|| {
            let near = nearest(name, known.iter().copied());
            let near = near.first().map_or(String::new(), |near| format!("did you mean `{near}`? "));
            Error::usage(format!("--kinds: there is no fraud `{name}`"))
                .help(format!("{near}there are {}, and `all`", known.join(", ")))
        })
    };
    names.iter().map(kind).collect()
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
            ExportFormat::Csv => create(folder, &file_name(name, format)).map(Export::Csv),
            ExportFormat::Parquet => {
                let path = folder.join(file_name(name, format));
                create(folder, &file_name(name, format))?;
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

/// Refuses a folder where files would be overwritten that no earlier run made.
fn spare(args: &SimulateArgs, sheets: &Sheets) -> Result<()> {
    let ours = || {
        let planted = File::open(args.folder.join(PLANTED));
        let mut head = vec![0; PLANTED_BEGINS.len()];
        planted.and_then(|mut file| file.read_exact(&mut head)).is_ok() && head == PLANTED_BEGINS.as_bytes()
    };
    let names = sheets.names().into_iter().take(sheets.count()).map(|name| file_name(name, args.format));
    let others = [PLANTED, sheets::MAP].into_iter().take(1 + usize::from(sheets.map.is_some()));
    let there: Vec<String> = names
        .chain(others.map(str::to_owned))
        .filter(|name| args.folder.join(name).symlink_metadata().is_ok())
        .collect();
    if there.is_empty() || args.force || ours() {
        return Ok(());
    }
    let message = format!(
        "{} holds {} that no earlier simulation wrote, as far as {PLANTED} tells",
        args.folder.display(),
        there.join(" and ")
    );
    Err(Error::usage(message).help("name a new folder, or overwrite what is there with --force"))
}

/// The file of an export.
fn file_name(name: &str, format: ExportFormat) -> String {
    match format {
        ExportFormat::Csv => format!("{name}.csv"),
        ExportFormat::Parquet => format!("{name}.parquet"),
    }
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
