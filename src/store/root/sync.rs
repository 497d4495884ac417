//! What is there made durable.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags};

use super::{Root, is_unknown, or_here};
use crate::store::error::Error;
use crate::store::fault::Step;

impl Root {
    /// Makes the entries of one directory durable.
    pub(in crate::store) fn sync_directory(&self, path: &Path) -> Result<(), Error> {
        self.sync(&self.open_directory(path)?, path)
    }

    /// Makes an open file durable.
    pub(in crate::store) fn sync_file(&self, file: &File, path: &Path) -> Result<(), Error> {
        self.attempt_as(Step::Fsync, || fs::fsync(file))
            .map_err(|error| self.error("sync", path, error))
    }

    /// Makes `files`, and the entries of `directories`, durable: by one syncfs for each file system,
    /// which is far cheaper than an fsync for each file; and by those where there is no syncfs. What
    /// is new is to be named in full: with every directory that was made, and those they are in.
    pub(in crate::store) fn make_durable(
        &self,
        directories: &BTreeSet<&Path>,
        files: &[&Path],
    ) -> Result<(), Error> {
        if self.sync_file_systems(directories)? {
            Ok(())
        } else {
            self.sync_each(directories, files)
        }
    }

    /// Makes everything durable that is on the file system of this directory; `false` where there is
    /// no syncfs.
    pub(in crate::store) fn sync_file_system(&self) -> Result<bool, Error> {
        self.sync_file_systems(&BTreeSet::from([Path::new("")]))
    }

    /// Makes everything durable that is in this directory, all of it on one file system.
    pub(in crate::store) fn sync_contents(&self) -> Result<(), Error> {
        if self.sync_file_system()? {
            Ok(())
        } else {
            self.sync_below(Path::new(""))
        }
    }

    fn sync_below(&self, directory: &Path) -> Result<(), Error> {
        for name in self.list(directory)? {
            let path = directory.join(name);
            match self.stat(&path, AtFlags::SYMLINK_NOFOLLOW)? {
                Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                    self.sync_below(&path)?;
                }
                _ => self.sync_written(&path)?,
            }
        }
        self.sync_directory(directory)
    }

    fn sync_file_systems(&self, directories: &BTreeSet<&Path>) -> Result<bool, Error> {
        let mut synced = BTreeSet::new();
        for path in directories {
            // There may be thousands on the same file system.
            let stat = fs::statat(&self.directory, or_here(path), AtFlags::empty())
                .map_err(|errno| self.error("read", path, errno))?;
            if synced.insert(stat.st_dev) {
                let directory = self.open_directory(path)?;
                match self.attempt_as(Step::Syncfs, || fs::syncfs(&directory)) {
                    Err(error) if is_unknown(&error) => return Ok(false),
                    outcome => outcome.map_err(|error| self.error("sync", path, error))?,
                }
            }
        }
        Ok(true)
    }

    /// Makes `files`, and the entries of `directories`, durable one by one.
    pub(in crate::store) fn sync_each(
        &self,
        directories: &BTreeSet<&Path>,
        files: &[&Path],
    ) -> Result<(), Error> {
        let mut files = files.iter();
        files.try_for_each(|path| self.sync_written(path))?;
        let mut directories = directories.iter();
        directories.try_for_each(|path| self.sync_directory(path))
    }

    /// Makes a file durable that has been closed.
    fn sync_written(&self, path: &Path) -> Result<(), Error> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = fs::openat(&self.directory, path, flags, Mode::empty())
            .map_err(|errno| self.error("sync", path, errno))?;
        self.sync(&file, path)
    }

    fn open_directory(&self, path: &Path) -> Result<OwnedFd, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        fs::openat(&self.directory, or_here(path), flags, Mode::empty())
            .map_err(|errno| self.error("sync", path, errno))
    }

    fn sync(&self, open: &OwnedFd, path: &Path) -> Result<(), Error> {
        self.attempt_as(Step::Fsync, || fs::fsync(open))
            .map_err(|error| self.error("sync", path, error))
    }
}
