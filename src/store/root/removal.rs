//! Files and directories taken away.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{self, AtFlags};

use super::{Root, enter, is_absent, names};
use crate::store::error::Error;

impl Root {
    /// Removes a file, if there is one.
    pub(in crate::store) fn remove(&self, path: &Path) -> Result<(), Error> {
        self.unlink(&self.directory, path, AtFlags::empty())
            .map_err(|error| self.error("remove", path, error))
    }

    /// Removes a directory, if there is one and it is empty.
    pub(in crate::store) fn remove_directory(&self, path: &Path) -> Result<(), Error> {
        match self.unlink(&self.directory, path, AtFlags::REMOVEDIR) {
            Err(error) if error.kind() != ErrorKind::DirectoryNotEmpty => {
                Err(self.error("remove", path, error))
            }
            _ => Ok(()),
        }
    }

    /// Removes a directory with everything in it, links and not what they point to. What is at `last`
    /// in it goes when all the rest has gone.
    pub(in crate::store) fn remove_tree(&self, path: &Path, last: &Path) -> Result<(), Error> {
        self.remove_all(&self.directory, path, last)
            .map_err(|error| self.error("remove", path, error))
    }

    /// Removes everything that is in this directory, links and not what they point to.
    pub(in crate::store) fn remove_contents(&self) -> Result<(), Error> {
        let here = Path::new("");
        self.empty(&self.directory, here)
            .map_err(|error| self.error("empty", here, error))
    }

    fn remove_all(&self, above: &OwnedFd, path: &Path, last: &Path) -> io::Result<()> {
        self.empty(&enter(above, path)?, last)?;
        self.unlink(above, path, AtFlags::REMOVEDIR)
    }

    fn empty(&self, directory: &OwnedFd, last: &Path) -> io::Result<()> {
        let mut names = names(directory.try_clone()?)?;
        names.sort_by_key(|name| last.iter().any(|part| part == name));
        for name in names.iter().map(Path::new) {
            match self.unlink(directory, name, AtFlags::empty()) {
                Err(error) if error.kind() == ErrorKind::IsADirectory => {
                    self.remove_all(directory, name, last)?;
                }
                removed => removed?,
            }
        }
        Ok(())
    }

    fn unlink(&self, above: &OwnedFd, path: &Path, flags: AtFlags) -> io::Result<()> {
        match self.attempt(|| fs::unlinkat(above, path, flags)) {
            Err(error) if is_absent(&error) => Ok(()),
            removed => removed,
        }
    }
}
