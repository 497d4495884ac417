//! What this process may do to what stands in a directory, asked before it is tried.

use std::io::{self, ErrorKind};
use std::path::Path;

use rustix::fs::{self, Access, AtFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, capabilities};

use super::{Root, or_here};
use crate::store::error::Error;

/// What stands somewhere, as far as renaming, removing and chmod depend on it.
pub(in crate::store) struct Standing {
    /// The device, and the mount where Linux says it.
    mount: (u64, u64),
    user: u32,
    is_sticky: bool,
    is_immutable: bool,
    is_append_only: bool,
}

impl Standing {
    /// Whether a rename reaches one from the other. It fails between two mounts, and onto the root of one,
    /// such as a file that is bound into a container.
    pub(in crate::store) fn is_on_mount_of(&self, other: &Self) -> bool {
        self.mount == other.mount
    }
}

impl Root {
    /// What stands at `path`; a link is followed if `follow` says so.
    pub(in crate::store) fn standing(
        &self,
        path: &Path,
        follow: AtFlags,
    ) -> Result<Option<Standing>, Error> {
        // Linux before 5.8 does not say which mount it is; it leaves the device to tell mounts apart.
        let asked = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
        let Ok(found) = fs::statx(&self.directory, or_here(path), follow, asked) else {
            return self.standing_by_stat(path, follow);
        };
        let has = |attribute| found.stx_attributes.contains(attribute);
        Ok(Some(Standing {
            mount: (
                fs::makedev(found.stx_dev_major, found.stx_dev_minor),
                found.stx_mnt_id,
            ),
            user: found.stx_uid,
            is_sticky: is_sticky(found.stx_mode.into()),
            is_immutable: has(StatxAttributes::IMMUTABLE),
            is_append_only: has(StatxAttributes::APPEND),
        }))
    }

    /// The same where there is no statx: Linux before 4.11, and containers of that time.
    fn standing_by_stat(&self, path: &Path, follow: AtFlags) -> Result<Option<Standing>, Error> {
        Ok(self.stat(path, follow)?.map(|stat| Standing {
            mount: (stat.st_dev, 0),
            user: stat.st_uid,
            is_sticky: is_sticky(stat.st_mode),
            is_immutable: false,
            is_append_only: false,
        }))
    }

    /// That what is `found` at `path` can be renamed, replaced or removed, as far as that is up to itself and
    /// to the sticky bit of the directory `above` it.
    pub(in crate::store) fn expect_movable(
        &self,
        path: &Path,
        found: &Standing,
        above: &Standing,
    ) -> Result<(), Error> {
        self.expect_changeable(path, found)?;
        if above.is_sticky && !is_owner(found.user) && !is_owner(above.user) {
            let because = format!(
                "it belongs to user {}, in a directory with the sticky bit",
                found.user
            );
            return Err(self.forbidden("replace or move", path, because));
        }
        Ok(())
    }

    /// That what is `found` at `path` can get another mode.
    pub(in crate::store) fn expect_mode_settable(
        &self,
        path: &Path,
        found: &Standing,
    ) -> Result<(), Error> {
        self.expect_changeable(path, found)?;
        if !is_owner(found.user) {
            let because = format!("it belongs to user {}", found.user);
            return Err(self.forbidden("set the mode of", path, because));
        }
        Ok(())
    }

    /// That names can be made in the directory `found` at `path`, and, if it says so, taken away.
    pub(in crate::store) fn expect_open(
        &self,
        path: &Path,
        found: &Standing,
        vanishes: bool,
    ) -> Result<(), Error> {
        if found.is_immutable || vanishes && found.is_append_only {
            return Err(self.immutable(path));
        }
        self.expect_writable("change what is in", path)
    }

    /// That the directory at `path` may be written to, without which its `..` can change no more than what
    /// is in it.
    pub(in crate::store) fn expect_writable(
        &self,
        action: &'static str,
        path: &Path,
    ) -> Result<(), Error> {
        let access = Access::WRITE_OK | Access::EXEC_OK;
        match fs::accessat(&self.directory, or_here(path), access, AtFlags::EACCESS) {
            Err(Errno::ACCESS | Errno::PERM) => {
                let because = "this user may not write to that directory".to_owned();
                Err(self.forbidden(action, path, because))
            }
            Err(Errno::ROFS) => Err(self.error(action, path, Errno::ROFS)),
            // What is not there is somebody else's to tell; and where nobody can ask, it is tried.
            _ => Ok(()),
        }
    }

    fn expect_changeable(&self, path: &Path, found: &Standing) -> Result<(), Error> {
        if found.is_immutable || found.is_append_only {
            return Err(self.immutable(path));
        }
        Ok(())
    }

    fn immutable(&self, path: &Path) -> Error {
        Error::Immutable {
            path: self.shown(path),
        }
    }

    fn forbidden(&self, action: &'static str, path: &Path, because: String) -> Error {
        Error::Forbidden {
            action,
            path: self.shown(path),
            source: io::Error::new(ErrorKind::PermissionDenied, because),
        }
    }
}

/// Whether this process may do what is for the owner alone.
fn is_owner(user: u32) -> bool {
    let may_all = || {
        let own = capabilities(None);
        own.is_ok_and(|own| own.effective.contains(CapabilitySet::FOWNER))
    };
    rustix::process::geteuid().as_raw() == user || may_all()
}

fn is_sticky(mode: u32) -> bool {
    fs::Mode::from_raw_mode(mode).contains(fs::Mode::SVTX)
}
