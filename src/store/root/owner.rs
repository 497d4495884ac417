//! Whose a file is: what is new belongs to whom the file before it did, or the directory above it.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{self, AtFlags, Gid, Stat, Uid};

use super::{Root, enter, is_forbidden, parent};
use crate::store::error::Error;
use crate::store::fault::Step;

/// Who a file belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Owner {
    pub(super) user: u32,
    pub(super) group: u32,
}

impl Owner {
    pub(super) fn of(stat: &Stat) -> Self {
        Self {
            user: stat.st_uid,
            group: stat.st_gid,
        }
    }

    /// Whether this user or group can not read a file of `mode` that belongs to `other` instead. Root
    /// reads everything.
    pub(super) fn is_locked_out(self, other: Self, mode: u32) -> bool {
        let user = self.user != 0 && self.user != other.user;
        let group = mode & 0o040 != 0 && self.group != other.group;
        mode & 0o004 == 0 && (user || group)
    }
}

/// Whose file it shall be, and where it shall stand.
#[derive(Clone, Copy)]
pub(super) struct Heir<'a> {
    place: &'a Path,
    owner: Owner,
}

impl Root {
    /// Whose the file at `place` is, or would be.
    pub(super) fn heir<'a>(&self, place: &'a Path) -> Result<Option<Heir<'a>>, Error> {
        let owner = match self.stat(place, AtFlags::SYMLINK_NOFOLLOW)? {
            None => self.stat(parent(place), AtFlags::empty())?,
            found => found,
        };
        Ok(owner.map(|stat| Heir {
            place,
            owner: Owner::of(&stat),
        }))
    }

    /// Gives a file its owner and group, as far as this process may; one of them if not both.
    pub(super) fn hand_over(&self, file: &File, heir: &Heir<'_>, mode: u32) -> Result<(), Error> {
        let Heir { place, owner } = heir;
        let found = || fs::fstat(file).map(|stat| Owner::of(&stat));
        let error = |source: io::Error| self.error("set the owner of", place, source);
        if found().map_err(|errno| error(errno.into()))? == *owner {
            return Ok(());
        }
        let Err(refused) = self.chown(file, Some(owner.user), owner.group) else {
            return Ok(());
        };
        if !is_forbidden(&refused) {
            return Err(error(refused));
        }
        let _ = self.chown(file, None, owner.group);
        let found = found().map_err(|errno| error(errno.into()))?;
        if owner.is_locked_out(found, mode) {
            return Err(Error::Owner {
                path: self.shown(place),
                user: owner.user,
                group: owner.group,
            });
        }
        Ok(())
    }

    /// Gives a directory that this process has just made the owner and group of the one above it, if
    /// it may.
    pub(super) fn inherit_owner(&self, path: &Path, found: Owner) -> Result<(), Error> {
        let error = |source: io::Error| self.error("set the owner of", path, source);
        let Some(above) = self.stat(parent(path), AtFlags::empty())? else {
            return Ok(());
        };
        let owner = Owner::of(&above);
        if found == owner {
            return Ok(());
        }
        let made = enter(&self.directory, path).map_err(|errno| error(errno.into()))?;
        let stat = fs::fstat(&made).map_err(|errno| error(errno.into()))?;
        if Owner::of(&stat) == owner {
            return Ok(());
        }
        match self.chown(&made, Some(owner.user), owner.group) {
            Err(refused) if !is_forbidden(&refused) => Err(error(refused)),
            _ => Ok(()),
        }
    }

    pub(super) fn chown(&self, open: impl AsFd, user: Option<u32>, group: u32) -> io::Result<()> {
        let user = user.map(Uid::from_raw);
        self.attempt_as(Step::Own, || {
            fs::fchown(open, user, Some(Gid::from_raw(group)))
        })
    }
}
