//! A copy of a file for another program to judge before the real one is written. It stands in a
//! directory of its own, which only this user can enter, and goes with it.

use std::ffi::OsStr;
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::{TempDir, TempPath};

use super::error::Error;
use super::fault::Faults;
use super::layout::{CLOSED_DIRECTORY, SECRET};
use super::root::Root;

/// A copy, until it is dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    _guard: Guard,
}

/// What goes with the copy.
#[derive(Debug)]
enum Guard {
    Directory { _directory: TempDir },
    File { _file: TempPath },
}

impl Scratch {
    /// `bytes` in a file called `name`, below the directory `above`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn new(above: &Path, name: &OsStr, bytes: &[u8]) -> Result<Self, Error> {
        let directory = tempfile::Builder::new()
            .prefix("zpki-")
            .permissions(Permissions::from_mode(CLOSED_DIRECTORY))
            .tempdir_in(above);
        let directory = directory.map_err(|source| Error::Io {
            action: "make a directory in",
            path: above.to_owned(),
            source,
        })?;
        let root = Root::open(directory.path(), &Faults::default())?;
        root.write_stage(Path::new(name), SECRET, bytes)?;
        Ok(Self {
            path: directory.path().join(name),
            _guard: Guard::Directory {
                _directory: directory,
            },
        })
    }

    /// `bytes` in a file in the directory of `original`, for a text whose meaning depends on that.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn beside(original: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let above = original.parent().unwrap_or_else(|| Path::new(""));
        let failed = |source| Error::Io {
            action: "make a file in",
            path: above.to_owned(),
            source,
        };
        // A dot, so that HAProxy does not load it with a whole directory.
        let file = tempfile::Builder::new().prefix(".zpki-").tempfile_in(above);
        let mut file = file.map_err(failed)?;
        file.write_all(bytes).map_err(failed)?;
        let file = file.into_temp_path();
        Ok(Self {
            path: file.to_path_buf(),
            _guard: Guard::File { _file: file },
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_copy_is_nobody_elses_and_goes() {
        let above = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(above.path(), OsStr::new("a b.cfg"), b"secret").unwrap();
        assert!(scratch.path().ends_with("a b.cfg"));
        assert_eq!(fs::read(scratch.path()).unwrap(), b"secret");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(scratch.path()), 0o600);
        assert_eq!(mode(scratch.path().parent().unwrap()), 0o700);
        drop(scratch);
        assert_eq!(fs::read_dir(above.path()).unwrap().count(), 0);
        let original = above.path().join("haproxy.cfg");
        let beside = Scratch::beside(&original, b"secret").unwrap();
        assert_eq!(beside.path().parent(), Some(above.path()));
        assert_eq!(mode(beside.path()), 0o600);
        drop(beside);
        assert_eq!(fs::read_dir(above.path()).unwrap().count(), 0);
        let nowhere = Scratch::new(&above.path().join("none"), OsStr::new("a"), b"");
        assert!(matches!(nowhere, Err(Error::Io { .. })));
    }
}
