//! `clickaudit anonymise`: exports that can be shown to others.

use super::args::{AgentMode, AnonymiseArgs};
use super::complain;
use super::exit::Exit;
use super::privacy::ANONYMISE;
use crate::anonymise::{self, Anonymiser, Counts, Options, UserAgents, Work};
use crate::base::error::{Error, Result};
use crate::ingest::mapping;
use crate::report::put_streams;
use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

/// Runs the command.
///
/// # Errors
/// Anything that keeps it from completing.
pub fn run(args: AnonymiseArgs) -> Result<Exit> {
    let options = options(&args)?;
    let works = anonymise::plan(&options)?;
    refuse_overwriting(&args.out, &works)?;
    let anonymiser = RefCell::new(Anonymiser::new(&options));
    let counts = RefCell::new(Vec::new());
    let stream = |work: &'_ Work| -> PathBuf { args.out.join(work.name()) };
    let files = works.iter().map(|work| {
        let (anonymiser, counts) = (&anonymiser, &counts);
        let write = move |out: &mut dyn std::io::Write| {
            let found = anonymiser.borrow_mut().write(work, out)?;
            counts.borrow_mut().push(found);
            Ok(())
        };
        (stream(work), Box::new(write) as Box<dyn FnOnce(&mut dyn std::io::Write) -> Result<()>>)
    });
    put_streams(files.collect())?;
    if !args.quiet {
        works.iter().zip(counts.borrow().iter()).for_each(|(work, found)| tell(&args.out, work, found));
    }
    Ok(Exit::Completed)
}

fn options(args: &AnonymiseArgs) -> Result<Options> {
    Ok(Options {
        files: args.files.clone(),
        presets: args.preset.clone(),
        user: args.map.as_deref().map(mapping::load).transpose()?.unwrap_or_default(),
        key: ANONYMISE.secret(args.key_file.as_deref())?,
        scale: args.scale_amounts,
        user_agents: match args.user_agents {
            AgentMode::Keep => UserAgents::Keep,
            AgentMode::Bucket => UserAgents::Bucket,
        },
        keep: args.keep.clone(),
        drop: args.drop.clone(),
    })
}

/// An original is never written over.
fn refuse_overwriting(out: &Path, works: &[Work]) -> Result<()> {
    let real = |path: &Path| fs::canonicalize(path).ok();
    let originals: Vec<Option<PathBuf>> = works.iter().map(|work| real(&work.path)).collect();
    let targets = works.iter().map(|work| out.join(work.name()));
    let hit = targets.into_iter().find(|target| real(target).is_some_and(|t| originals.contains(&Some(t))));
    hit.map_or(Ok(()), |target| {
        Err(Error::usage(format!("{} is an original", target.display()))
            .help("name another folder with --out"))
    })
}

fn tell(out: &Path, work: &Work, found: &Counts) {
    let target = out.join(work.name());
    let broken = match found.broken {
        0 => String::new(),
        n => format!(", {n} of them broken and replaced as a whole"),
    };
    complain(&format!("wrote {}: {} rows as {}{broken}", target.display(), found.rows, work.shape().word()));
}
