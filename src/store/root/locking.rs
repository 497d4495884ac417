//! Locks: a file's, and a directory's own.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{self, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::{Root, is_absent};
use crate::store::error::Error;
use crate::store::fault::Step;

/// For how long it is tried to hold a directory, and how often: who only looks locks it for an instant.
const SETTLED: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(2);

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

    /// What `ask` finds while nobody else holds this directory; None when somebody does. It is locked from
    /// then on, if nobody did: `ask` is to take no time, and [`Self::hold`] or [`Self::let_go`] to follow.
    /// Where it cannot be locked, as on NFS, nobody is taken to hold it.
    pub(in crate::store) fn while_alone<T>(
        &self,
        ask: impl FnOnce() -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let is_alone = self.flock(FlockOperation::NonBlockingLockExclusive);
        is_alone.unwrap_or(true).then(ask).transpose()
    }

    /// Holds this directory for as long as it is open, together with whoever else does. Who asks
    /// [while alone](Self::while_alone) locks it for an instant, which is waited for.
    ///
    /// # Errors
    /// [`Error::Exchanging`] when it stays locked, as by a run that changes files of others there.
    pub(in crate::store) fn hold(&self) -> Result<(), Error> {
        let started = Instant::now();
        // Not by a call that waits: anybody who may read the directory can lock it for ever.
        while let Ok(false) = self.flock(FlockOperation::NonBlockingLockShared) {
            if started.elapsed() >= SETTLED {
                return Err(Error::Exchanging {
                    path: self.path.clone(),
                });
            }
            thread::sleep(PAUSE);
        }
        Ok(())
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
