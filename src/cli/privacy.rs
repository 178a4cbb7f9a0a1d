//! `--pii`: what outputs show of personal values, and the secrets that hashing and anonymising need.
//!
//! The secret is made once per installation and belongs to its owner alone; without it tokens cannot be told from
//! random. It is never printed and never passed on the command line.

use super::args::PiiMode;
use crate::base::error::{Error, Result};
use crate::base::privacy::{Key, Pii};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The mode with its secret, which is made where there is none yet.
///
/// # Errors
/// The secret cannot be read or made, or others may read it.
pub fn pii(mode: Option<PiiMode>, key: Option<&Path>) -> Result<Pii> {
    match mode.unwrap_or(PiiMode::Mask) {
        PiiMode::Mask => Ok(Pii::Mask),
        PiiMode::Raw => Ok(Pii::Raw),
        PiiMode::Hash => HASHES.secret(key).map(Pii::Hash),
    }
}

/// What a secret is for: each use has its own.
pub struct Use {
    what: &'static str,
    flag: &'static str,
    name: &'static str,
}

/// The tokens of `--pii hash`.
const HASHES: Use = Use { what: "--pii hash", flag: "--pii-key", name: "pii.key" };

/// What `anonymise` puts in place of values.
pub const ANONYMISE: Use = Use { what: "anonymise", flag: "--key-file", name: "anonymise.key" };

impl Use {
    /// The secret of a file, or that of the installation; it is made where there is none yet.
    ///
    /// # Errors
    /// The secret cannot be read or made, or others may read it.
    pub fn secret(&self, file: Option<&Path>) -> Result<Key> {
        let path = file.map_or_else(|| self.usual_place(), |path| Ok(path.to_path_buf()))?;
        self.at(&path)
    }

    /// `$XDG_STATE_HOME/clickaudit/NAME`, or the same below `~/.local/state`.
    fn usual_place(&self) -> Result<PathBuf> {
        let folder = |name: &str| std::env::var_os(name).filter(|f| !f.is_empty()).map(PathBuf::from);
        let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")));
        let nowhere = || {
            Error::usage(format!("there is no place for the secret of {}", self.what))
                .help(format!("name one with {} FILE", self.flag))
        };
        Ok(state.ok_or_else(nowhere)?.join("clickaudit").join(self.name))
    }

    fn at(&self, path: &Path) -> Result<Key> {
        match File::open(path) {
            Ok(file) => self.read(path, file),
            Err(e) if e.kind() == io::ErrorKind::NotFound => self.make(path),
            Err(e) => Err(self.broken(path, "cannot be read").because(e)),
        }
    }

    fn broken(&self, path: &Path, what: &str) -> Error {
        Error::usage(format!("the secret of {}, {}, {what}", self.what, path.display()))
    }

    fn read(&self, path: &Path, file: File) -> Result<Key> {
        let open_to_others =
            others_may_read(&file).map_err(|e| self.broken(path, "cannot be read").because(e))?;
        if open_to_others {
            let help = format!("chmod 600, or name another file with {}", self.flag);
            return Err(self.broken(path, "may be read by others").help(help));
        }
        let mut bytes = Vec::new();
        let read = file.take(Key::LENGTH as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|e| self.broken(path, "cannot be read").because(e))?;
        let whole: [u8; Key::LENGTH] = bytes.try_into().map_err(|_| {
            let help = format!("name another file with {}; it is made if it is not there", self.flag);
            self.broken(path, "is not 32 bytes long").help(help)
        })?;
        Ok(Key::new(whole))
    }

    /// Makes a secret; of two runs that do so at once the first one's stands.
    fn make(&self, path: &Path) -> Result<Key> {
        let failed = |e| self.broken(path, "cannot be made").because(e);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let bytes = random().map_err(failed)?;
        match options.open(path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => self.at(path),
            Err(e) => Err(failed(e)),
            Ok(mut file) => {
                file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(failed)?;
                Ok(Key::new(bytes))
            }
        }
    }
}

#[cfg(unix)]
fn others_may_read(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(file.metadata()?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn others_may_read(_: &File) -> io::Result<bool> {
    Ok(false)
}

/// Bytes that nobody can guess, from the system.
#[cfg(unix)]
fn random() -> io::Result<[u8; Key::LENGTH]> {
    let mut bytes = [0; Key::LENGTH];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(not(unix))]
fn random() -> io::Result<[u8; Key::LENGTH]> {
    Err(io::Error::other("put 32 random bytes there yourself"))
}
