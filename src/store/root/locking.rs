//! Locks: a file's, and a directory's own.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use rustix::fs::{self, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::{Root, is_absent};
use crate::store::error::Error;
use crate::store::fault::Step;

impl Root {
    /// Opens a file for locking; `None` when there is none.
    pub(in crate::store) fn open_lock(&self, path: &Path) -> Result<Option<File>, Error> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match fs::openat(&self.directory, path, flags, Mode::empty()) {
            Ok(file) => Ok(Some(file.into())),
            Err(errno) if is_absent(&errno.into()) => Ok(None),
            Err(Errno::LOOP | Errno::NXIO) => Err(self.not_a_file(path)),
            Err(errno) => Err(self.error("open", path, errno)),
        }
    }

    /// Locks an open file without waiting.
    pub(in crate::store) fn lock(&self, file: &File) -> Result<(), TryLockError> {
        self.faults
            .strike(Step::Change)
            .map_err(TryLockError::Error)?;
        file.try_lock()?;
        self.faults.strike_late().map_err(TryLockError::Error)
    }

    /// Locks this directory for as long as it is open, without waiting; `false` when it is locked.
    pub(in crate::store) fn lock_here(&self) -> Result<bool, Error> {
        self.faults
            .strike(Step::Change)
            .and_then(|()| self.flock(FlockOperation::NonBlockingLockExclusive))
            .map_err(|source| self.unlockable(source))
    }

    /// Holds this directory for as long as it is open, together with whoever else does. The answer is what
    /// `alone` finds, which is asked while nobody else holds it; None when somebody does. Where it cannot be
    /// locked, as on NFS, nobody is taken to hold it.
    pub(in crate::store) fn hold<T>(
        &self,
        alone: impl FnOnce() -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let is_alone = self.flock(FlockOperation::NonBlockingLockExclusive);
        let found = is_alone.unwrap_or(true).then(alone).transpose();
        let _ = self.flock(FlockOperation::NonBlockingLockShared);
        found
    }

    /// Holds it no longer.
    pub(in crate::store) fn let_go(&self) {
        let _ = self.flock(FlockOperation::Unlock);
    }

    /// Whether somebody has locked this directory.
    pub(in crate::store) fn is_locked(&self) -> Result<bool, Error> {
        let is_free = self
            .flock(FlockOperation::NonBlockingLockShared)
            .map_err(|source| self.unlockable(source))?;
        if is_free {
            self.flock(FlockOperation::Unlock)
                .map_err(|source| self.unlockable(source))?;
        }
        Ok(!is_free)
    }

    fn flock(&self, operation: FlockOperation) -> io::Result<bool> {
        match fs::flock(&self.directory, operation) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    fn unlockable(&self, source: io::Error) -> Error {
        Error::LocksUnsupported {
            path: self.path.clone(),
            source,
        }
    }
}
