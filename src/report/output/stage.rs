//! Beside the target first, then into place: what makes an output appear whole or not at all.
//!
//! What is guaranteed, also where the process is killed at any instant: a file is the old one or the new one,
//! never a part of either. A folder is the old one or the new one, never files of both; putting it into place
//! takes two renames, and a kill between them leaves the old folder under the name `.NAME.before`, from where the
//! next run to that folder brings it back. Several outputs of one run are renamed one after the other: a kill between
//! them leaves some new and some old, each whole; a manifest of the run, which is put into place after all of them,
//! then does not fit. Every folder ends with a [manifest](MANIFEST) of its files.
//! Nothing here follows a link, and no folder is replaced that no output has made. What a killed run left beside its
//! targets goes when the next run has put something there ([`stale`]).

use super::{folder, stale};
use crate::base::durable;
use crate::base::error::{Error, Result};
use crate::report::NamedFile;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Component, Path, PathBuf};
use tempfile::{Builder, NamedTempFile, TempDir, TempPath};

/// The list of a folder's files with their digests; by it a folder is known as one of ours.
pub const MANIFEST: &str = "manifest.json";

/// How the manifest of every folder begins.
const MADE_BY: &str = "{\n  \"made_by\": \"clickaudit\",";

/// Who may read an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    All,
    /// The owner only: personal values stand in it as they are.
    Owner,
}

impl Access {
    fn file(self) -> u32 {
        if self == Access::All { 0o644 } else { 0o600 }
    }

    fn folder(self) -> u32 {
        if self == Access::All { 0o755 } else { 0o700 }
    }
}

/// What waits beside its target, whole and flushed; it vanishes unless it is committed.
pub struct Staged {
    waiting: Waiting,
    pub path: PathBuf,
    pub seal: Seal,
}

enum Waiting {
    File(NamedTempFile),
    /// The handle keeps the folder claimed.
    Folder(TempDir, Option<fs::File>),
}

/// What a file is known by; a folder by its own manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    pub bytes: u64,
    pub blake3: String,
}

impl Seal {
    fn of(bytes: &[u8]) -> Seal {
        Seal { bytes: bytes.len() as u64, blake3: blake3::hash(bytes).to_hex().to_string() }
    }
}

impl Staged {
    /// Writes a file beside `path`.
    ///
    /// # Errors
    /// What `write` says, or the file cannot be written.
    pub fn file(
        path: &Path,
        access: Access,
        write: impl FnOnce(&mut dyn Write) -> Result<()>,
    ) -> Result<Staged> {
        let file = hidden(access.file()).tempfile_in(folder(path)).map_err(|e| Error::writing(path, e))?;
        stale::claim(file.as_file());
        let (file, seal) = filled(file, write).map_err(|e| about(path, e))?;
        file.as_file().sync_all().map_err(|e| Error::writing(path, e))?;
        Ok(Staged { waiting: Waiting::File(file), path: path.to_path_buf(), seal })
    }

    /// Writes a folder beside `path`: the files, and a manifest of them.
    ///
    /// # Errors
    /// The files cannot be written, or one has a name that could lead out of the folder.
    pub fn folder(path: &Path, access: Access, files: &[NamedFile]) -> Result<Staged> {
        let root = hidden(access.folder()).tempdir_in(folder(path)).map_err(|e| Error::writing(path, e))?;
        let claimed = stale::claimed(root.path());
        let manifest = NamedFile { name: MANIFEST.into(), bytes: manifest(files) };
        let seal = Seal::of(&manifest.bytes);
        for file in files.iter().chain([&manifest]) {
            let parts = Path::new(&file.name).components();
            if !parts.clone().all(|part| matches!(part, Component::Normal(_))) || parts.count() == 0 {
                return Err(Error::output(format!("`{}` is no name for a file", file.name.escape_debug())));
            }
            let place = path.join(&file.name);
            inside(&root.path().join(&file.name), access, &file.bytes)
                .map_err(|e| Error::writing(&place, e))?;
        }
        flush(root.path());
        Ok(Staged { waiting: Waiting::Folder(root, claimed), path: path.to_path_buf(), seal })
    }

    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        matches!(self.waiting, Waiting::Folder(..))
    }
}

fn inside(path: &Path, access: Access, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder(path))?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, access.file());
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A file without a name, for what is printed once it is whole.
///
/// # Errors
/// What `write` says, or there is no room.
pub fn scratch(write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<fs::File> {
    let file = tempfile::tempfile().map_err(|e| Error::output("cannot make a temporary file").because(e))?;
    filled(file, write).map(|(file, _)| file)
}

/// Bytes gathered before they are written.
const BUFFER: usize = 1 << 18;

fn filled<F: Write>(file: F, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<(F, Seal)> {
    let mut buffered = BufWriter::with_capacity(BUFFER, Sealing::of(file));
    write(&mut buffered)?;
    let sealing = buffered.into_inner().map_err(|e| super::failed(e.into_error()))?;
    let seal = Seal { bytes: sealing.bytes, blake3: sealing.digest.finalize().to_hex().to_string() };
    Ok((sealing.file, seal))
}

/// A sink that knows the seal of what went through it.
struct Sealing<F> {
    file: F,
    digest: blake3::Hasher,
    bytes: u64,
}

impl<F> Sealing<F> {
    fn of(file: F) -> Sealing<F> {
        Sealing { file, digest: blake3::Hasher::new(), bytes: 0 }
    }
}

impl<F: Write> Write for Sealing<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.digest.update(&bytes[..n]);
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Puts the path into the error of a sink.
fn about(path: &Path, error: Error) -> Error {
    Error { message: format!("cannot write {}: {}", path.display(), error.message), ..error }
}

/// How the names of files and folders that wait beside their targets begin.
pub const PREFIX: &str = ".clickaudit-out-";

/// Names and permissions of the files that stand only for a moment; those of a renamed file stay.
#[cfg_attr(not(unix), expect(unused_variables))]
fn hidden(mode: u32) -> Builder<'static, 'static> {
    let mut builder = Builder::new();
    builder.prefix(PREFIX).suffix(durable::SUFFIX);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    builder
}

/// The files of a folder.
#[derive(Debug, Serialize, Deserialize)]
pub struct FolderManifest {
    made_by: String,
    pub files: Vec<FileEntry>,
}

/// One file of a folder.
#[derive(Debug, Serialize, Deserialize)]
pub struct FileEntry {
    pub name: String,
    pub bytes: u64,
    pub blake3: String,
}

fn manifest(files: &[NamedFile]) -> Vec<u8> {
    let entry = |file: &NamedFile| {
        let Seal { bytes, blake3 } = Seal::of(&file.bytes);
        FileEntry { name: file.name.clone(), bytes, blake3 }
    };
    let mut files: Vec<FileEntry> = files.iter().map(entry).collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let manifest = FolderManifest { made_by: "clickaudit".to_owned(), files };
    let mut text = serde_json::to_string_pretty(&manifest).expect("names and numbers are plain JSON");
    text.push('\n');
    text.into_bytes()
}

/// Refuses a place at which something stands that is neither an empty folder nor one of ours. A folder that a
/// killed run left aside is brought back first.
///
/// # Errors
/// Something else stands there.
pub fn replaceable(path: &Path) -> Result<()> {
    let aside = aside(path);
    if fs::symlink_metadata(path).is_err() && aside.is_dir() {
        fs::rename(&aside, path).map_err(|e| Error::writing(path, e))?;
    }
    let foreign = match fs::symlink_metadata(path) {
        Err(_) => false,
        Ok(found) => !found.is_dir() || !(ours(path) || empty(path)),
    };
    if !foreign {
        return Ok(());
    }
    Err(Error::output(format!("{} was not made by this output and is not replaced", path.display()))
        .help("name a folder that does not exist yet"))
}

fn ours(path: &Path) -> bool {
    fs::read(path.join(MANIFEST)).is_ok_and(|bytes| bytes.starts_with(MADE_BY.as_bytes()))
}

fn empty(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

/// Where the old folder stands for the moment between two renames.
fn aside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    folder(path).join(format!(".{name}.before"))
}

/// What was put into place, and what stood there before.
struct Placed {
    path: PathBuf,
    before: Before,
}

enum Before {
    Nothing,
    /// A second name of the old file.
    File(TempPath, #[expect(dead_code, reason = "closing it gives the claim back")] Option<fs::File>),
    Folder(PathBuf),
}

/// Renames everything into place, the manifest of the run behind all the others; if one fails, those already
/// placed are taken back.
///
/// # Errors
/// Something cannot be renamed.
pub fn commit(staged: Vec<Staged>, manifest: Option<Staged>) -> Result<Vec<PathBuf>> {
    let mut placed: Vec<Placed> = Vec::new();
    staged.into_iter().try_for_each(|one| put(one, &mut placed))?;
    if let Some(manifest) = manifest {
        // What the manifest speaks of outlasts a power cut if the manifest does.
        placed.iter().for_each(|one| flush(folder(&one.path)));
        put(manifest, &mut placed)?;
    }
    let placed: Vec<PathBuf> = placed.into_iter().map(settle).collect();
    let folders: BTreeSet<&Path> = placed.iter().map(|path| folder(path)).collect();
    folders.into_iter().for_each(|folder| stale::sweep(folder, stale::YOUNG));
    Ok(placed)
}

fn put(one: Staged, placed: &mut Vec<Placed>) -> Result<()> {
    let path = one.path;
    let before = match one.waiting {
        Waiting::File(file) => put_file(file, &path),
        Waiting::Folder(dir, claimed) => put_folder(dir, claimed, &path),
    };
    match before {
        Ok(before) => placed.push(Placed { path, before }),
        Err(e) => {
            placed.drain(..).rev().for_each(take_back);
            return Err(Error::writing(&path, e));
        }
    }
    Ok(())
}

/// Renames one file into place and hands back what stood there.
fn put_file(file: NamedTempFile, path: &Path) -> io::Result<Before> {
    let before = keep(path)?;
    file.persist(path).map_err(|e| e.error)?;
    Ok(before)
}

/// A second name for the file or link at `path`; a copy where the file system has no second names.
fn keep(path: &Path) -> io::Result<Before> {
    if fs::symlink_metadata(path).is_err() {
        return Ok(Before::Nothing);
    }
    let second = |name: &Path| match fs::hard_link(path, name) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => fs::copy(path, name).map(drop),
        linked => linked,
    };
    hidden(Access::Owner.file()).make_in(folder(path), second).map(|file| {
        let kept = file.into_temp_path();
        let claimed = stale::claimed(&kept);
        Before::File(kept, claimed)
    })
}

/// Renames one folder into place; the old one stands aside until everything is in place.
fn put_folder(dir: TempDir, claimed: Option<fs::File>, path: &Path) -> io::Result<Before> {
    let aside = aside(path);
    let before = match fs::symlink_metadata(path) {
        Err(_) => Before::Nothing,
        Ok(_) => {
            let _ = fs::remove_dir_all(&aside);
            fs::rename(path, &aside)?;
            Before::Folder(aside)
        }
    };
    if let Err(e) = fs::rename(dir.path(), path) {
        if let Before::Folder(aside) = &before {
            fs::rename(aside, path)?;
        }
        return Err(e);
    }
    let _ = dir.keep();
    drop(claimed);
    Ok(before)
}

fn take_back(placed: Placed) {
    // The run already fails with the first error; a second one could only hide it.
    let _ = match placed.before {
        Before::File(before, _) => before.persist(&placed.path).map_err(|e| e.error),
        Before::Folder(before) => {
            fs::remove_dir_all(&placed.path).and_then(|()| fs::rename(before, &placed.path))
        }
        Before::Nothing if placed.path.is_dir() => fs::remove_dir_all(&placed.path),
        Before::Nothing => fs::remove_file(&placed.path),
    };
}

/// Makes the rename last through a power cut where folders can be flushed, and lets go of what stood before.
fn settle(placed: Placed) -> PathBuf {
    flush(folder(&placed.path));
    if let Before::Folder(before) = &placed.before {
        let _ = fs::remove_dir_all(before);
    }
    placed.path
}

/// Flushes a folder, where folders can be.
fn flush(folder: &Path) {
    if let Ok(folder) = fs::File::open(folder) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &TempDir) -> Vec<String> {
        let entry = |e: io::Result<fs::DirEntry>| e.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<String> = fs::read_dir(dir.path()).unwrap().map(entry).collect();
        names.sort();
        names
    }

    fn file(path: &Path) -> Staged {
        Staged::file(path, Access::All, |out| out.write_all(b"changed").map_err(|e| Error::writing(path, e)))
            .unwrap()
    }

    fn files(text: &str) -> Vec<NamedFile> {
        let file = |name: &str| NamedFile { name: name.into(), bytes: text.into() };
        vec![file("a.txt"), file("b/c.txt")]
    }

    #[test]
    fn a_rename_that_fails_takes_the_others_back() {
        let dir = TempDir::new().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("old"), "old").unwrap();
        commit(vec![Staged::folder(&at("pack"), Access::All, &files("old")).unwrap()], None).unwrap();
        fs::create_dir(at("folder")).unwrap();
        let pack = Staged::folder(&at("pack"), Access::All, &files("new")).unwrap();
        let fresh = Staged::folder(&at("fresh"), Access::All, &files("new")).unwrap();
        let staged = vec![file(&at("old")), pack, fresh, file(&at("new")), file(&at("folder"))];
        assert!(commit(staged, None).is_err());
        assert_eq!(names(&dir), ["folder", "old", "pack"]);
        assert_eq!(fs::read_to_string(at("old")).unwrap(), "old");
        assert_eq!(fs::read_to_string(at("pack").join("b/c.txt")).unwrap(), "old");
    }

    #[test]
    fn a_folder_is_replaced_as_a_whole() {
        let dir = TempDir::new().unwrap();
        let pack = dir.path().join("pack");
        commit(vec![Staged::folder(&pack, Access::All, &files("old")).unwrap()], None).unwrap();
        assert!(ours(&pack) && replaceable(&pack).is_ok());
        let one = vec![NamedFile { name: "d.txt".into(), bytes: b"new".to_vec() }];
        commit(vec![Staged::folder(&pack, Access::All, &one).unwrap()], None).unwrap();
        assert_eq!((names(&dir), pack.join("a.txt").exists()), (vec!["pack".to_owned()], false));
        let manifest = fs::read_to_string(pack.join(MANIFEST)).unwrap();
        let digest = blake3::hash(b"new").to_hex();
        assert!(manifest.contains("\"d.txt\"") && manifest.contains(digest.as_str()), "{manifest}");
    }

    #[test]
    fn a_folder_of_somebody_else_is_not_replaced() {
        let dir = TempDir::new().unwrap();
        assert!(replaceable(&dir.path().join("new")).is_ok() && replaceable(dir.path()).is_ok());
        fs::write(dir.path().join("precious"), "old").unwrap();
        assert!(replaceable(dir.path()).is_err());
        assert!(replaceable(&dir.path().join("precious")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn what_is_for_the_owner_is_for_nobody_else() {
        use std::os::unix::fs::PermissionsExt;
        let dir = TempDir::new().unwrap();
        let (one, pack) = (dir.path().join("one"), dir.path().join("pack"));
        let file = Staged::file(&one, Access::Owner, |_| Ok(())).unwrap();
        commit(vec![file, Staged::folder(&pack, Access::Owner, &files("x")).unwrap()], None).unwrap();
        for (path, mode) in [(&one, 0o600), (&pack, 0o700), (&pack.join("b/c.txt"), 0o600)] {
            let found = fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(found, mode, "{}", path.display());
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_a_folder_is_not_followed() {
        let dir = TempDir::new().unwrap();
        let (pack, link) = (dir.path().join("pack"), dir.path().join("link"));
        commit(vec![Staged::folder(&pack, Access::All, &files("old")).unwrap()], None).unwrap();
        std::os::unix::fs::symlink(&pack, &link).unwrap();
        assert!(replaceable(&link).is_err());
    }

    #[test]
    fn a_folder_left_aside_by_a_kill_comes_back() {
        let dir = TempDir::new().unwrap();
        let pack = dir.path().join("pack");
        commit(vec![Staged::folder(&pack, Access::All, &files("old")).unwrap()], None).unwrap();
        fs::rename(&pack, aside(&pack)).unwrap();
        assert!(replaceable(&pack).is_ok());
        assert_eq!(names(&dir), ["pack"]);
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let dir = TempDir::new().unwrap();
        for name in ["../x", "/etc/x", "a/../../x", "", ".", "a/.."] {
            let files = [NamedFile { name: name.into(), bytes: Vec::new() }];
            assert!(Staged::folder(&dir.path().join("pack"), Access::All, &files).is_err(), "{name}");
        }
        assert!(names(&dir).is_empty());
    }
}
