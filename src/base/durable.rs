//! Files that last: written beside their place, flushed, renamed, and their folder flushed; and the lock that keeps
//! two runs from changing the same folder.
//!
//! A process that is killed leaves the old file or the new one, never a part of either, and perhaps a temporary
//! that [`sweep`] removes. Nothing here is undone: outputs that appear together are the business of
//! `report::output`.

use super::error::{Error, Fault, Result};
use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::{NamedTempFile, TempPath};

/// How temporaries begin and end; only the holder of a folder's lock removes them.
pub const PREFIX: &str = ".clickaudit-";
pub const SUFFIX: &str = ".tmp";

/// Between two attempts to get a lock.
const PAUSE: Duration = Duration::from_millis(50);

/// Held while a folder is changed; given back with the value, and with the process however that ends.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "closing the file gives the lock back")] File);

/// Keeps everybody else from changing a folder; `None` if somebody is and goes on for longer than `wait`.
///
/// # Errors
/// The folder cannot be written.
pub fn lock(folder: &Path, wait: Duration) -> Result<Option<Lock>> {
    let path = folder.join(".lock");
    let file = File::create(&path).map_err(|e| Error::writing(&path, e))?;
    let mut left = wait;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(Lock(file))),
            Err(TryLockError::Error(e)) => return Err(Error::writing(&path, e)),
            Err(TryLockError::WouldBlock) if left.is_zero() => return Ok(None),
            Err(TryLockError::WouldBlock) => {
                let pause = PAUSE.min(left);
                std::thread::sleep(pause);
                left -= pause;
            }
        }
    }
}

/// The error of a run that found a folder locked.
pub fn locked(folder: &Path) -> Error {
    Error::new(Fault::Locked, format!("another run is changing {}", folder.display()))
        .help("wait until it has ended, or let this run wait with --wait TIME")
}

/// A file for its owner that waits beside its place; it vanishes unless it is put there.
///
/// # Errors
/// The folder cannot be written.
pub fn beside(path: &Path) -> Result<NamedTempFile> {
    let made = tempfile::Builder::new().prefix(PREFIX).suffix(SUFFIX).tempfile_in(folder_of(path));
    made.map_err(|e| Error::writing(path, e))
}

/// A whole file that waits beside its place; it vanishes unless it is put there.
#[derive(Debug)]
pub struct Ready {
    temporary: TempPath,
    path: PathBuf,
}

/// Flushes a file that was written beside its place: only its name is left to change.
///
/// # Errors
/// The file cannot be flushed.
pub fn flush(file: NamedTempFile, path: &Path) -> Result<Ready> {
    let (file, temporary) = file.into_parts();
    file.sync_all().map_err(|e| Error::writing(path, e))?;
    Ok(Ready { temporary, path: path.to_owned() })
}

impl Ready {
    /// Puts the file into its place; it stays through a power cut.
    ///
    /// # Errors
    /// The file cannot be renamed.
    pub fn put(self) -> Result<()> {
        rename(self.temporary, &self.path).map_err(|e| Error::writing(&self.path, e))
    }
}

/// Flushes a file that was written beside its place and puts it there.
///
/// # Errors
/// The file cannot be flushed or renamed.
pub fn put(file: NamedTempFile, path: &Path) -> Result<()> {
    flush(file, path)?.put()
}

fn rename(temporary: TempPath, path: &Path) -> io::Result<()> {
    fs::rename(&temporary, path)?;
    // Nothing of that name is left to remove.
    let _ = temporary.keep();
    File::open(folder_of(path))?.sync_all()
}

/// The same for a temporary that others wrote.
///
/// # Errors
/// The file cannot be flushed or renamed.
pub fn settle(temporary: TempPath, path: &Path) -> Result<()> {
    let flushed = File::open(&temporary).and_then(|file| file.sync_all());
    flushed.and_then(|()| rename(temporary, path)).map_err(|e| Error::writing(path, e))
}

/// Writes a file whole or not at all.
///
/// # Errors
/// It cannot be written; what stood there stands.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = beside(path)?;
    let mut buffered = BufWriter::with_capacity(1 << 18, file.as_file_mut());
    buffered.write_all(bytes).and_then(|()| buffered.flush()).map_err(|e| Error::writing(path, e))?;
    drop(buffered);
    put(file, path)
}

/// Removes the temporaries that killed runs left in a folder, and flushes it. Whoever calls it holds the lock.
///
/// # Errors
/// The folder cannot be read or written.
pub fn sweep(folder: &Path) -> Result<()> {
    let entries = fs::read_dir(folder).map_err(|e| Error::reading(folder, e))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(PREFIX) && name.ends_with(SUFFIX) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a file that need not be there.
///
/// # Errors
/// It is there and stays.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::writing(path, e)),
        _ => Ok(()),
    }
}

/// Makes a folder that only its owner can read, with those above it.
///
/// # Errors
/// It cannot be made.
pub fn private_folder(path: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|e| Error::writing(path, e))
}

/// The folder that a path's last part lies in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .expect("the folder")
            .map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_for_its_owner() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("state.json");
        write(&path, b"old").expect("written");
        write(&path, b"new").expect("written");
        assert_eq!(fs::read(&path).expect("read"), b"new");
        assert_eq!(names(dir.path()), ["state.json"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).expect("metadata").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_file_that_is_not_put_into_place_vanishes() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("state.json");
        let ready = || flush(beside(&path).expect("a file"), &path).expect("flushed");
        drop(ready());
        assert!(names(dir.path()).is_empty());
        ready().put().expect("renamed");
        assert_eq!(names(dir.path()), ["state.json"]);
    }

    #[test]
    fn temporaries_of_killed_runs_go_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a folder");
        for name in [".clickaudit-x.tmp", ".lock", "clickaudit-x.tmp", "a.json"] {
            fs::write(dir.path().join(name), "").expect("written");
        }
        sweep(dir.path()).expect("swept");
        assert_eq!(names(dir.path()), [".lock", "a.json", "clickaudit-x.tmp"]);
    }

    #[test]
    fn a_lock_is_held_by_one_and_given_back() {
        let dir = tempfile::tempdir().expect("a folder");
        let none = Duration::ZERO;
        let first = lock(dir.path(), none).expect("a lock");
        assert!(first.is_some());
        assert!(lock(dir.path(), none).expect("no fault").is_none());
        drop(first);
        assert!(lock(dir.path(), none).expect("no fault").is_some());
    }

    #[test]
    fn who_waits_long_enough_gets_the_lock() {
        let dir = tempfile::tempdir().expect("a folder");
        let first = lock(dir.path(), Duration::ZERO).expect("a lock");
        std::thread::scope(|scope| {
            let second = scope.spawn(|| lock(dir.path(), Duration::from_secs(20)));
            std::thread::sleep(Duration::from_millis(120));
            drop(first);
            assert!(second.join().expect("no panic").expect("no fault").is_some());
        });
    }
}
