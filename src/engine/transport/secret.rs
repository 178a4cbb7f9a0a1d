//! Passwords and tokens: they come from a file or the environment, are sent, and are never shown.

use crate::base::error::{Error, Result, read_small};
use std::fmt;
use std::path::Path;

/// A password with its user, or a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// Takes a secret; `place` says where it stood.
    ///
    /// # Errors
    /// It is empty, or has characters that cannot be sent.
    pub fn of(text: &str, place: &str) -> Result<Secret> {
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(Error::usage(format!("{place} is empty, and should hold a secret")));
        }
        if text.chars().any(char::is_control) {
            return Err(Error::usage(format!("{place} holds more than one line, or control characters"))
                .help("one line is expected: USER:PASSWORD for ClickHouse, the token for Spark"));
        }
        Ok(Secret(text.to_owned()))
    }

    /// Reads a secret from a file that nobody else may read.
    ///
    /// # Errors
    /// It cannot be read, others can read it, or it holds no secret.
    pub fn from_file(path: &Path) -> Result<Secret> {
        let text = read_small(path, "file with the secret")?;
        if read_by_others(path) {
            return Err(Error::usage(format!("others can read the secret in {}", path.display()))
                .help(format!("chmod 600 {}", path.display())));
        }
        Secret::of(&text, &path.display().to_string())
    }

    /// User and password; a text without a colon is a user without a password.
    pub(super) fn user_and_password(&self) -> (&str, &str) {
        self.0.split_once(':').unwrap_or((&self.0, ""))
    }

    /// The whole of it.
    pub(super) fn token(&self) -> &str {
        &self.0
    }
}

#[cfg(unix)]
fn read_by_others(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).is_ok_and(|meta| meta.mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn read_by_others(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_line_and_never_shown() {
        let secret = Secret::of("me:pa:ss\n", "the file").expect("a secret");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(secret.user_and_password(), ("me", "pa:ss"));
        for (text, expected) in
            [("", "x is empty"), ("\n", "x is empty"), ("a\r\nb", "x holds more"), ("a\0", "x holds more")]
        {
            let message = Secret::of(text, "x").expect_err("no secret").to_string();
            assert!(message.starts_with(expected), "{message}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let path = std::env::temp_dir().join(format!("clickaudit-secret-{}", std::process::id()));
        std::fs::write(&path, "me:pw\n").expect("a file");
        for (mode, allowed) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("a mode");
            assert_eq!(Secret::from_file(&path).is_ok(), allowed, "{mode:o}");
        }
        std::fs::remove_file(&path).expect("the file is there");
        assert!(Secret::from_file(&path).is_err());
    }
}
