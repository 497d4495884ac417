//! A copy of a file for another program to judge before the real one is written. It stands in a
//! directory of its own, which only this user can enter, and goes with it.

use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::error::Error;
use super::fault::Faults;
use super::layout::{CLOSED_DIRECTORY, SECRET};
use super::root::Root;

/// A copy, until it is dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    _directory: TempDir,
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
            _directory: directory,
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
        let nowhere = Scratch::new(&above.path().join("none"), OsStr::new("a"), b"");
        assert!(matches!(nowhere, Err(Error::Io { .. })));
    }
}
