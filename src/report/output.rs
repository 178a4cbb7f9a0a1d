//! Outputs that appear whole or not at all.
//!
//! Everything is written beside its target first and flushed to the disk; only when all of it is there it is
//! renamed into place ([`stage`]). A failure leaves what stood before. A symlink is replaced, never followed;
//! devices, pipes, the run's own inputs and folders that were not made by an output are refused. Nothing is
//! printed: the bytes for stdout go back to the caller.

mod manifest;
mod stage;
mod stale;

pub use manifest::{Checked, Verified, run_id, schema, verify};

use super::{FORMATS, Format, Kind, Look, Rendered, Report, evidence, json, lists};
use crate::base::destination::Destination;
use crate::base::dialect::{DIALECTS, Dialect};
use crate::base::error::{Error, Result};
use crate::base::lists::{ListFile, emptied};
use crate::base::near::nearest;
use crate::base::privacy::Pii;
use crate::base::text::Text;
use manifest::{EntryKind, Sealed};
use stage::{Access, Staged};
use std::fs;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// One `-o FORMAT=PATH`.
#[derive(Clone)]
pub struct Output {
    pub format: &'static Format,
    /// How a list is written; other formats have none.
    pub dialect: Option<&'static Dialect>,
    /// Each file in the dialect of its traffic source, where that is known.
    pub own: bool,
    pub target: Target,
}

/// Where an output goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Stdout,
    File(PathBuf),
    /// A folder of its own, replaced as a whole.
    Folder(PathBuf),
    /// A list in several files, by columns in the path.
    Split(Destination),
}

impl Target {
    fn path(&self) -> Option<&Path> {
        match self {
            Target::Stdout | Target::Split(_) => None,
            Target::File(path) | Target::Folder(path) => Some(path),
        }
    }

    /// Where the files of a list go; on stdout the name does not matter.
    pub fn destination(&self) -> Destination {
        match self {
            Target::Split(destination) => destination.clone(),
            Target::File(path) | Target::Folder(path) => Destination::fixed(path),
            Target::Stdout => Destination::fixed(Path::new("-")),
        }
    }
}

/// What was done.
#[derive(Debug, Default)]
pub struct Written {
    /// The files and folders now in place.
    pub files: Vec<PathBuf>,
    /// Lists that were not written, with the reason; their files stand as they were.
    pub withheld: Vec<(String, String)>,
    /// What the lists could not hold: the list, the ID and the reason.
    pub refused: Vec<(String, Text, String)>,
}

impl Output {
    /// Parses `FORMAT=PATH`; `-` is stdout.
    ///
    /// # Errors
    /// An unknown format, with the nearest names, a missing path, or several files for stdout.
    pub fn parse(text: &str) -> Result<Output> {
        let (name, path) = text.split_once('=').unwrap_or((text, ""));
        let (format, dialect, own) = format(name)?;
        let target = match path {
            "" => return Err(without_path(text, name)),
            "-" if format.kind == Kind::Folder => return Err(several_files(name)),
            "-" => Target::Stdout,
            path if format.kind == Kind::Folder => Target::Folder(PathBuf::from(path)),
            path if format.list && path.contains('{') => {
                let split = Destination::parse(path).map_err(Error::usage);
                Target::Split(
                    split.map_err(|e| e.help("write a column of the groups, such as {traffic_source}"))?,
                )
            }
            path => Target::File(PathBuf::from(path)),
        };
        Ok(Output { format, dialect, own, target })
    }

    /// The name as it was asked for.
    pub fn name(&self) -> String {
        let dialect = self.dialect.map(|d| if self.own { OWN } else { d.name });
        dialect.map_or_else(|| self.format.name.to_owned(), |d| format!("{}:{d}", self.format.name))
    }
}

/// In place of a dialect: that of each file's traffic source, by the sources file.
pub const OWN: &str = "own";

/// A format by its name; lists name their dialect behind a colon.
fn format(name: &str) -> Result<(&'static Format, Option<&'static Dialect>, bool)> {
    let list = |name: &str| Format::find(name).filter(|f| f.list);
    if let Some((format, dialect)) = name.split_once(':').and_then(|(name, d)| Some((list(name)?, d))) {
        let (own, dialect) = if dialect == OWN { (true, lists::PLAIN) } else { (false, dialect) };
        return Dialect::find(dialect)
            .map(|d| (format, Some(d), own))
            .ok_or_else(|| no_dialect(format.name, dialect));
    }
    let format = Format::find(name).ok_or_else(|| unknown(name))?;
    if format.list { Err(no_dialect(name, "")) } else { Ok((format, None, false)) }
}

fn no_dialect(format: &str, dialect: &str) -> Error {
    let all: Vec<&str> = DIALECTS.iter().map(|d| d.name).collect();
    let near = nearest(dialect, all.iter().copied());
    let help = near.first().map_or(String::new(), |near| format!("did you mean `{format}:{near}`? "));
    let what =
        if dialect.is_empty() { "has no dialect".to_owned() } else { format!("has no dialect `{dialect}`") };
    Error::usage(format!("the list `{format}` {what}")).help(format!(
        "{help}write `{format}:DIALECT`; the dialects are {}, and {OWN}: that of each traffic source",
        all.join(", ")
    ))
}

/// Whether an output shows single conversions, which an audit otherwise does not keep.
pub fn shows_conversions(outputs: &[Output]) -> bool {
    outputs.iter().any(|o| o.format.name == evidence::FORMAT.name)
}

fn unknown(name: &str) -> Error {
    let near = nearest(name, FORMATS.iter().map(|f| f.name));
    let all: Vec<&str> = FORMATS.iter().map(|f| f.name).collect();
    let help = match near.first() {
        Some(near) => format!("did you mean `{near}`? The formats are {}", all.join(", ")),
        None => format!("the formats are {}", all.join(", ")),
    };
    Error::usage(format!("there is no output format `{name}`")).help(help)
}

fn without_path(text: &str, name: &str) -> Error {
    Error::usage(format!("the output `{text}` has no path"))
        .help(format!("write `-o {name}=PATH`, or `-o {name}=-` for stdout"))
}

fn several_files(name: &str) -> Error {
    Error::usage(format!("`{name}` is a folder of files and cannot go to stdout"))
        .help(format!("write `-o {name}=FOLDER`"))
}

/// Checks the outputs of one run together, before any work is done; `beside` are files that are written, too, and
/// `read` files that the run reads.
///
/// # Errors
/// Two outputs to stdout or to one place, a target that is read, that is no regular file or no folder of an
/// output, or whose folder does not exist.
pub fn check(outputs: &[Output], beside: &[&Path], read: &[PathBuf]) -> Result<()> {
    if outputs.iter().filter(|o| o.target == Target::Stdout).count() > 1 {
        return Err(Error::usage("two outputs go to stdout").help("give all but one of them a path"));
    }
    let targets = || paths(outputs).chain(beside.iter().copied());
    spare(targets(), read)?;
    let mut places: Vec<PathBuf> = Vec::new();
    for path in targets() {
        let place = place(path)?;
        if let Some(other) = places.iter().find(|other| other.starts_with(&place) || place.starts_with(other))
        {
            return Err(two_in_one(path, *other == place));
        }
        places.push(place);
    }
    outputs.iter().try_for_each(fits)?;
    beside.iter().try_for_each(|path| regular(path))
}

fn two_in_one(path: &Path, same: bool) -> Error {
    let message = match same {
        true => format!("two outputs go to {}", path.display()),
        false => format!("{} and another output lie in one another", path.display()),
    };
    Error::usage(message).help("give each output a place of its own")
}

fn paths(outputs: &[Output]) -> impl Iterator<Item = &Path> {
    outputs.iter().filter_map(|o| o.target.path())
}

/// Where the file will really stand: its folder without links, and its own name.
fn place(path: &Path) -> Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| not_a_file(path))?;
    let folder = fs::canonicalize(folder(path)).map_err(|e| {
        Error::writing(path, e).help(format!("make the folder {} first", folder(path).display()))
    })?;
    let special = ["/dev", "/proc"].iter().any(|s| folder.starts_with(s)) && !folder.starts_with("/dev/shm");
    if special { Err(not_a_file(path)) } else { Ok(folder.join(name)) }
}

/// Refuses a target at which something else stands.
fn fits(output: &Output) -> Result<()> {
    match &output.target {
        Target::Stdout | Target::Split(_) => Ok(()),
        Target::File(path) => regular(path),
        Target::Folder(path) => stage::replaceable(path),
    }
}

fn regular(path: &Path) -> Result<()> {
    if fs::metadata(path).is_ok_and(|m| !m.is_file()) { Err(not_a_file(path)) } else { Ok(()) }
}

fn not_a_file(path: &Path) -> Error {
    Error::output(format!("cannot write {}: it is a folder, a device or a pipe", path.display()))
        .help("name a file, or write `-` for stdout")
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Everything one run writes.
pub struct Job<'a> {
    pub outputs: &'a [Output],
    /// A file besides the outputs: the rejected rows.
    pub rejects: Option<(&'a Path, Vec<u8>)>,
    /// Where the manifest of the run goes, which says what belongs together.
    pub manifest: Option<&'a Path>,
    /// How stdout looks; files are always plain.
    pub look: Look,
    /// Takes the bytes for stdout, piece by piece.
    pub print: &'a mut dyn FnMut(Kind, &[u8]) -> Result<()>,
}

/// Writes all outputs, or none: files and folders are staged, stdout is written, and only then is everything
/// renamed into place, in the order of the command line.
///
/// # Errors
/// [`check`]'s, an output that is an input of the run, or a file or stdout that cannot be written.
pub fn write(report: &Report, job: Job) -> Result<Written> {
    let mut written = Written::default();
    let mut staged = Vec::new();
    let mut stdout = None;
    spare_inputs(report, &job)?;
    let access = if matches!(report.run.pii, Pii::Raw) { Access::Owner } else { Access::All };
    let mut at_once =
        together(job.outputs).map(|pair| both(report, pair, access)).transpose()?.unwrap_or_default();
    for output in job.outputs {
        if let Some(at) = at_once.iter().position(|(of, _)| std::ptr::eq(*of, output)) {
            staged.push((output.name(), at_once.swap_remove(at).1));
            continue;
        }
        let of_output = match output.dialect {
            Some(dialect) => list(report, output, dialect, &mut staged, &mut written)?,
            None => document(report, output, job.look, access, &mut staged, &mut written)?,
        };
        stdout = of_output.or(stdout);
    }
    if let Some((path, bytes)) = &job.rejects {
        staged.push((REJECTS.to_owned(), Staged::file(path, access, |out| all(out, bytes))?));
    }
    let manifest = job.manifest.map(|path| manifest_of(report, path, &staged, &written)).transpose()?;
    if let Some((kind, rendered)) = stdout {
        show(report, rendered, &mut |bytes| (job.print)(kind, bytes))?;
    }
    written.files = stage::commit(staged.into_iter().map(|(_, staged)| staged).collect(), manifest)?;
    Ok(written)
}

/// What the file of rejected rows is called among the outputs.
const REJECTS: &str = "rejects";

/// What is staged, with the name of its output.
type Stage = Vec<(String, Staged)>;

fn manifest_of(report: &Report, path: &Path, staged: &Stage, written: &Written) -> Result<Staged> {
    let sealed = |(format, staged): &(String, Staged)| Sealed {
        format: format.clone(),
        path: staged.path.clone(),
        kind: if staged.is_folder() { EntryKind::Folder } else { EntryKind::File },
        seal: staged.seal.clone(),
    };
    let outputs: Vec<Sealed> = staged.iter().map(sealed).collect();
    let bytes = manifest::written(report, path, &outputs, &written.withheld)?;
    Staged::file(path, Access::All, |out| all(out, &bytes))
}

/// The JSON report and its lines, if both are made into files: a source is the same in both.
fn together(outputs: &[Output]) -> Option<(&Output, &Output)> {
    let file = |format: &Format| {
        outputs.iter().find(|o| o.format.name == format.name && matches!(o.target, Target::File(_)))
    };
    Some((file(&json::FORMAT)?, file(&json::LINES_FORMAT)?))
}

/// Stages both at once.
fn both<'o>(
    report: &Report,
    (document, lines): (&'o Output, &'o Output),
    access: Access,
) -> Result<Vec<(&'o Output, Staged)>> {
    let mut of_lines = None;
    let of_document = Staged::file(place_of(&document.target), access, |document| {
        let write = |lines: &mut dyn Write| json::write_both(report, document, lines);
        of_lines = Some(Staged::file(place_of(&lines.target), access, write)?);
        Ok(())
    })?;
    Ok([(document, of_document)].into_iter().chain(of_lines.map(|staged| (lines, staged))).collect())
}

/// Stages an output that is no list; what goes to stdout comes back.
fn document(
    report: &Report,
    output: &Output,
    look: Look,
    access: Access,
    staged: &mut Stage,
    written: &mut Written,
) -> Result<Option<(Kind, Rendered)>> {
    let look = if output.target == Target::Stdout { look } else { Look::PLAIN };
    let one = match ((output.format.render)(report, &look)?, &output.target) {
        (Rendered::Withheld(why), _) => {
            written.withheld.push((output.name(), why));
            return Ok(None);
        }
        (rendered, Target::Stdout) => return Ok(Some((output.format.kind, rendered))),
        (Rendered::Files(files), target) => Staged::folder(place_of(target), access, &files)?,
        (rendered, target) => Staged::file(place_of(target), access, |out| put(report, rendered, out))?,
    };
    staged.push((output.name(), one));
    Ok(None)
}

/// Stages the files of a list, each with one beside it for what it could not hold; what goes to stdout comes back.
fn list(
    report: &Report,
    output: &Output,
    dialect: &'static Dialect,
    staged: &mut Stage,
    written: &mut Written,
) -> Result<Option<(Kind, Rendered)>> {
    let destination = output.target.destination();
    let files = match lists::files(report, output.format.name, dialect, output.own, &destination) {
        Ok(files) => files,
        Err(why) => {
            written.withheld.push((output.name(), why));
            return Ok(None);
        }
    };
    if let Some(why) = emptied(&files, &report.lists.protected) {
        written.withheld.push((output.name(), why));
        return Ok(None);
    }
    let mut stdout = None;
    for file in files {
        let refused = file.refused.iter().map(|(id, why)| (output.name(), id.clone(), why.clone()));
        written.refused.extend(refused);
        if output.target == Target::Stdout {
            stdout = Some((output.format.kind, Rendered::Bytes(file.text.into_bytes())));
            continue;
        }
        staged.extend(list_files(report, &file)?.into_iter().map(|one| (output.name(), one)));
    }
    Ok(stdout)
}

fn list_files(report: &Report, file: &ListFile) -> Result<Vec<Staged>> {
    let files = lists::files_of(file);
    let inputs: Vec<PathBuf> = report.run.inputs.iter().map(|i| PathBuf::from(i.path.raw())).collect();
    spare(files.iter().map(|f| f.path.as_path()), &inputs)?;
    files.iter().map(staged_file).collect()
}

fn staged_file(file: &FileOf) -> Result<Staged> {
    fs::create_dir_all(folder(&file.path)).map_err(|e| Error::writing(&file.path, e))?;
    regular(&file.path)?;
    Staged::file(&file.path, Access::All, |out| all(out, &file.bytes))
}

/// A file that a command makes beside the outputs of an audit.
#[derive(Debug)]
pub struct FileOf {
    pub path: PathBuf,
    pub bytes: Vec<u8>,
}

/// Puts files into place, all of them or none.
///
/// # Errors
/// One of them cannot be written.
pub fn put_files(files: &[FileOf]) -> Result<()> {
    let staged = files.iter().map(staged_file).collect::<Result<Vec<_>>>()?;
    stage::commit(staged, None).map(drop)
}

/// A file in the making: where it goes, and what writes it.
pub type Stream<'a> = (PathBuf, Box<dyn FnOnce(&mut dyn Write) -> Result<()> + 'a>);

/// Puts files into place that are written piece by piece, all of them or none.
///
/// # Errors
/// One of them cannot be written, or what writes it fails.
pub fn put_streams(files: Vec<Stream>) -> Result<()> {
    let mut staged = Vec::new();
    for (path, write) in files {
        fs::create_dir_all(folder(&path)).map_err(|e| Error::writing(&path, e))?;
        regular(&path)?;
        staged.push(Staged::file(&path, Access::All, write)?);
    }
    stage::commit(staged, None).map(drop)
}

fn place_of(target: &Target) -> &Path {
    target.path().expect("stdout was dealt with")
}

fn all(out: &mut dyn Write, bytes: &[u8]) -> Result<()> {
    out.write_all(bytes).map_err(failed)
}

/// What a renderer reports when its sink takes no more; the path stands in the error around it.
pub(super) fn failed(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::output("the output cannot be written").because(cause)
}

fn put(report: &Report, rendered: Rendered, out: &mut dyn Write) -> Result<()> {
    match rendered {
        Rendered::Bytes(bytes) => all(out, &bytes),
        Rendered::Streamed(write) => write(report, out),
        Rendered::Files(_) | Rendered::Withheld(_) => Ok(()),
    }
}

/// Bytes for stdout, in pieces of this size where they are streamed.
const PIECE: usize = 1 << 16;

/// Prints an output; one that is streamed is made whole first, on the disk, so that half of it never appears.
fn show(report: &Report, rendered: Rendered, print: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let Rendered::Streamed(write) = rendered else {
        return match rendered {
            Rendered::Bytes(bytes) => print(&bytes),
            _ => Ok(()),
        };
    };
    let mut whole = stage::scratch(|out| write(report, out))?;
    let (mut piece, unread) =
        (vec![0; PIECE], |e| Error::output("cannot read back a temporary file").because(e));
    whole.rewind().map_err(unread)?;
    loop {
        match whole.read(&mut piece).map_err(unread)? {
            0 => return Ok(()),
            n => print(&piece[..n])?,
        }
    }
}

fn spare_inputs(report: &Report, job: &Job) -> Result<()> {
    let inputs: Vec<PathBuf> = report.run.inputs.iter().map(|i| PathBuf::from(i.path.raw())).collect();
    let rejects = job.rejects.as_ref().map(|(path, _)| *path);
    spare(paths(job.outputs).chain(rejects).chain(job.manifest), &inputs)
}

/// Refuses targets that the run reads, and folders in which there is something that it reads.
fn spare<'p>(mut targets: impl Iterator<Item = &'p Path>, read: &[PathBuf]) -> Result<()> {
    let read: Vec<PathBuf> = read.iter().filter_map(|path| fs::canonicalize(path).ok()).collect();
    let reads = |place: PathBuf| read.iter().any(|path| path.starts_with(&place));
    match targets.find(|path| fs::canonicalize(path).is_ok_and(reads)) {
        Some(path) => Err(Error::usage(format!("the output {} is read by this run", path.display()))
            .help("give the output another name")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::Fault;
    use crate::report::{List, sample};
    use tempfile::TempDir;

    fn parse_error(text: &str) -> String {
        let error = Output::parse(text).err().expect("an error");
        assert_eq!(error.fault, Fault::Usage);
        format!("{error}; {}", error.help.as_deref().unwrap_or_default())
    }

    fn output(format: &str, path: &Path) -> Output {
        Output::parse(&format!("{format}={}", path.display())).unwrap()
    }

    fn names(dir: &TempDir) -> Vec<String> {
        let entry = |e: std::io::Result<fs::DirEntry>| e.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<String> = fs::read_dir(dir.path()).unwrap().map(entry).collect();
        names.sort();
        names
    }

    /// Writes as a run does and gives back what went to stdout.
    fn written(report: &Report, outputs: &[Output]) -> Result<(Written, Vec<u8>)> {
        check(outputs, &[], &[])?;
        let mut stdout = Vec::new();
        let mut print = |_: Kind, bytes: &[u8]| {
            stdout.extend_from_slice(bytes);
            Ok(())
        };
        let written = write(
            report,
            Job { outputs, rejects: None, manifest: None, look: Look::PLAIN, print: &mut print },
        )?;
        Ok((written, stdout))
    }

    fn run(outputs: &[Output]) -> Result<(Written, Vec<u8>)> {
        written(&sample::report(&sample::rules()), outputs)
    }

    #[test]
    fn a_full_stdout_and_rejects_that_are_read_change_no_file() {
        let dir = TempDir::new().unwrap();
        let old = dir.path().join("r.json");
        fs::write(&old, "old").unwrap();
        let outputs = [output("json", &old), Output::parse("csv=-").unwrap()];
        let mut full = |_: Kind, _: &[u8]| Err(Error::output("cannot write to stdout"));
        let rejects = dir.path().join("rejects.csv");
        let job = Job {
            outputs: &outputs,
            rejects: Some((&rejects, b"x".to_vec())),
            manifest: None,
            look: Look::PLAIN,
            print: &mut full,
        };
        assert!(write(&sample::report(&sample::rules()), job).is_err());
        assert_eq!((names(&dir), fs::read_to_string(&old).unwrap()), (vec!["r.json".into()], "old".into()));
        assert_eq!(check(&[], &[&old], std::slice::from_ref(&old)).unwrap_err().fault, Fault::Usage);
        assert_eq!(check(&outputs, &[&old], &[]).unwrap_err().fault, Fault::Usage);
    }

    #[test]
    fn an_output_is_a_format_and_a_path() {
        let output = Output::parse("blocklist:lines=a=b.txt").unwrap();
        assert_eq!(
            (output.name(), output.target),
            ("blocklist:lines".into(), Target::File("a=b.txt".into()))
        );
        assert!(parse_error("blocklist=x").contains("has no dialect; write `blocklist:DIALECT`"));
        assert!(parse_error("blocklist:linse=x").contains("did you mean `blocklist:lines`?"));
        assert!(parse_error("blocklist:lines={x").contains("is not closed"));
        assert_eq!(Output::parse("json=-").unwrap().target, Target::Stdout);
        let names: Vec<&str> = FORMATS.iter().map(|f| f.name).collect();
        let formats = format!("he formats are {}", names.join(", "));
        let error = parse_error("jsn=x");
        assert!(error.starts_with("there is no output format `jsn`; did you mean `"), "{error}");
        assert!(error.ends_with(&formats), "{error}");
        assert_eq!(
            parse_error("spreadsheet=x"),
            format!("there is no output format `spreadsheet`; t{formats}")
        );
        assert!(parse_error("evidence=-").contains("cannot go to stdout"));
        assert_eq!(Output::parse("evidence=x").unwrap().target, Target::Folder("x".into()));
        let expected = "the output `csv` has no path; write `-o csv=PATH`, or `-o csv=-` for stdout";
        assert_eq!(parse_error("csv"), expected);
        assert!(parse_error("csv=").contains("has no path"));
    }

    #[test]
    fn all_outputs_appear_and_nothing_else() {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("b.txt"), "old").unwrap();
        let outputs = [
            output("json", &dir.path().join("r.json")),
            output("blocklist:lines", &dir.path().join("b.txt")),
            Output::parse("table=-").unwrap(),
        ];
        let (written, stdout) = run(&outputs).unwrap();
        assert_eq!(names(&dir), ["b.txt", "r.json"]);
        assert_eq!(fs::read_to_string(dir.path().join("b.txt")).unwrap(), "pub10032\npub9\n");
        assert!(stdout.starts_with(b"clickaudit"));
        assert_eq!(written.files.len(), 2);
    }

    #[test]
    fn a_failed_output_leaves_all_files_as_they_were() {
        let dir = TempDir::new().unwrap();
        let old = dir.path().join("r.json");
        fs::write(&old, "old").unwrap();
        let missing = dir.path().join("no-such-folder").join("b.txt");
        let error = run(&[output("json", &old), output("csv", &missing)]).unwrap_err();
        assert_eq!(error.fault, Fault::Output);
        assert!(error.to_string().contains("no-such-folder"), "{error}");
        assert_eq!((names(&dir), fs::read_to_string(&old).unwrap()), (vec!["r.json".into()], "old".into()));
    }

    #[test]
    fn targets_that_are_no_files_are_refused() {
        let dir = TempDir::new().unwrap();
        let error = run(&[output("json", dir.path())]).unwrap_err();
        assert!(error.to_string().ends_with("it is a folder, a device or a pipe"), "{error}");
        assert!(run(&[output("json", Path::new(".."))]).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn devices_are_never_replaced() {
        for device in ["/dev/null", "/dev/stdout", "/proc/self/fd/1"] {
            assert!(check(&[output("json", Path::new(device))], &[], &[]).is_err(), "{device}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_symlink_is_replaced_and_never_followed() {
        let dir = TempDir::new().unwrap();
        let (precious, link) = (dir.path().join("precious"), dir.path().join("b.txt"));
        fs::write(&precious, "old").unwrap();
        std::os::unix::fs::symlink(&precious, &link).unwrap();
        run(&[output("blocklist:lines", &link)]).unwrap();
        assert_eq!(fs::read_to_string(&precious).unwrap(), "old");
        assert!(!fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(names(&dir), ["b.txt", "precious"]);
    }

    #[test]
    fn outputs_do_not_overwrite_each_other_or_an_input() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("x");
        let twice = [output("json", &path), output("csv", &dir.path().join(".").join("x"))];
        assert_eq!(check(&twice, &[], &[]).unwrap_err().fault, Fault::Usage);
        let stdout = [Output::parse("json=-").unwrap(), Output::parse("csv=-").unwrap()];
        assert_eq!(check(&stdout, &[], &[]).unwrap_err().to_string(), "two outputs go to stdout");
        fs::write(&path, "clicks").unwrap();
        let rules = sample::rules();
        let mut report = sample::report(&rules);
        report.run.inputs[0].path = Text::new(path.to_str().unwrap());
        assert_eq!(written(&report, &[output("csv", &path)]).unwrap_err().fault, Fault::Usage);
        assert_eq!(fs::read_to_string(&path).unwrap(), "clicks");
    }

    #[test]
    fn a_withheld_list_leaves_the_old_one() {
        let dir = TempDir::new().unwrap();
        let (list, json) = (dir.path().join("b.txt"), dir.path().join("r.json"));
        fs::write(&list, "old").unwrap();
        let rules = sample::rules();
        let mut report = sample::report(&rules);
        report.lists.block = List::Withheld("the brake".into());
        let outputs = [output("blocklist:lines", &list), output("json", &json)];
        let (written, _) = written(&report, &outputs).unwrap();
        assert_eq!(written.withheld, [("blocklist:lines".to_owned(), "the brake".to_owned())]);
        assert_eq!((fs::read_to_string(&list).unwrap(), written.files), ("old".into(), vec![json]));
    }
}
