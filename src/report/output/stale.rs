//! What killed runs left beside their targets, and how the next run knows that nobody needs it.
//!
//! Every file and folder that waits beside its target is claimed: its maker holds a lock on it (`flock`), which ends
//! with the process, however that ends, and which processes of other containers see, too. Only what nobody claims is
//! removed, only under the names that outputs have, never through a link, and nothing that was made or linked a moment
//! ago: between making a file and claiming it there is one. Where a file system has no locks nothing is claimed and
//! nothing removed. Names of old files that a run keeps until all is in place are such files, too.

use super::stage::PREFIX;
use crate::base::durable;
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

/// What is younger is left alone. Our choice: far longer than it takes to claim a file.
pub const YOUNG: Duration = Duration::from_secs(60);

/// Keeps others from removing a file as long as the handle is open.
pub fn claim(file: &File) {
    // Where there are no locks nobody removes it either.
    #[cfg(unix)]
    let _ = file.try_lock();
    #[cfg(not(unix))]
    let _ = file;
}

/// A handle that keeps others from removing a file or a folder; `None` where it cannot be opened.
pub fn claimed(path: &Path) -> Option<File> {
    let file = File::open(path).ok()?;
    claim(&file);
    Some(file)
}

/// Removes what nobody claims and no run has touched for `young`. What cannot be removed stays: the outputs are in
/// place, and whoever reads them is not concerned.
#[cfg(unix)]
pub fn sweep(folder: &Path, young: Duration) {
    let Some(now) = now(folder) else { return };
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(PREFIX) && name.ends_with(durable::SUFFIX) {
            remove(&entry.path(), now, young);
        }
    }
}

#[cfg(not(unix))]
pub fn sweep(_: &Path, _: Duration) {}

/// The time by the clock of the file system, in seconds: something was just renamed in the folder.
#[cfg(unix)]
fn now(folder: &Path) -> Option<i64> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(folder).ok().map(|metadata| metadata.ctime())
}

#[cfg(unix)]
fn remove(path: &Path, now: i64, young: Duration) {
    use std::os::unix::fs::MetadataExt;
    let Ok(metadata) = fs::symlink_metadata(path) else { return };
    let old = now.saturating_sub(metadata.ctime()) >= young.as_secs() as i64;
    if !old || metadata.is_symlink() || !(metadata.is_file() || metadata.is_dir()) {
        return;
    }
    let Ok(file) = File::open(path) else { return };
    if file.try_lock().is_ok() {
        let _ = if metadata.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn left(dir: &TempDir, names: &[&str]) -> Vec<String> {
        let there = |name: &&&str| fs::symlink_metadata(dir.path().join(name)).is_ok();
        names.iter().filter(there).map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_nobody_claims_goes_and_nothing_else() {
        let dir = TempDir::new().unwrap();
        let at = |name: &str| dir.path().join(name);
        let names = [
            ".clickaudit-out-a.tmp",
            ".clickaudit-out-b.tmp",
            ".clickaudit-out-folder.tmp",
            ".clickaudit-out-held.tmp",
            ".clickaudit-out-link.tmp",
            ".clickaudit-x.tmp",
            ".clickaudit-out-a",
            "clickaudit-out-a.tmp",
            "report.json",
        ];
        for name in names {
            match name {
                ".clickaudit-out-folder.tmp" => {
                    fs::create_dir(at(name)).unwrap();
                    fs::write(at(name).join("x"), "").unwrap();
                }
                ".clickaudit-out-link.tmp" => {
                    std::os::unix::fs::symlink(at("report.json"), at(name)).unwrap()
                }
                name => fs::write(at(name), "").unwrap(),
            }
        }
        let held = [claimed(&at(".clickaudit-out-b.tmp")), claimed(&at(".clickaudit-out-held.tmp"))];
        assert!(held.iter().all(Option::is_some));
        sweep(dir.path(), YOUNG);
        assert_eq!(left(&dir, &names).len(), names.len(), "all of it is young");
        sweep(dir.path(), Duration::ZERO);
        assert_eq!(left(&dir, &names), [&names[1..2], &names[3..]].concat());
        drop(held);
        sweep(dir.path(), Duration::ZERO);
        assert_eq!(left(&dir, &names), &names[4..]);
    }

    #[test]
    fn a_folder_is_claimed_as_a_file_is() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join(".clickaudit-out-folder.tmp");
        fs::create_dir(&path).unwrap();
        let held = claimed(&path);
        sweep(dir.path(), Duration::ZERO);
        assert!(path.exists());
        drop(held);
        sweep(dir.path(), Duration::ZERO);
        assert!(!path.exists());
    }
}
