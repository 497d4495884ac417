//! Whose a file is and who may read it, taken from one file and given to another; and what else files
//! need that belong to others.

use std::fs::{self as std_fs, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{self, AtFlags, Mode, OFlags, ResolveFlags, XattrFlags};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::owner::Owner;
use super::{ErrorKind, LONGEST, Root, enter, is_forbidden, read_all, set_mode_if_other};
use crate::store::error::Error;
use crate::store::fault::{Faults, Step};

/// A POSIX access control list, as acl(5) has it; the mode's group bits are its mask.
const ACL: Attribute = Attribute {
    name: "system.posix_acl_access",
    what: "access control list",
};
const LABEL: Attribute = Attribute {
    name: "security.selinux",
    what: "SELinux label",
};

/// The longest that Linux allows, XATTR_SIZE_MAX.
const LONGEST_ATTRIBUTE: usize = 64 << 10;

/// An extended attribute.
struct Attribute {
    name: &'static str,
    what: &'static str,
}

/// What is in a file, and the numeric user whom it belongs to.
pub(in crate::store) struct Owned {
    pub(in crate::store) user: u32,
    /// The permission bits.
    pub(in crate::store) mode: u32,
    /// Whether it has other names too.
    pub(in crate::store) is_linked: bool,
    pub(in crate::store) bytes: Zeroizing<Vec<u8>>,
}

/// Whose a file is, and who may read it.
#[derive(Clone, Debug)]
pub(in crate::store) struct Likeness {
    owner: Owner,
    mode: u32,
    acl: Option<Vec<u8>>,
    /// None: what the policy says for its directory.
    label: Option<Vec<u8>>,
}

impl Likeness {
    /// The owner and group of the file at `path`, through links, and this mode.
    pub(in crate::store) fn of_owner(path: &Path, mode: u32) -> Result<Self, Error> {
        let found = std_fs::metadata(path).map_err(|source| Error::Io {
            action: "read",
            path: path.to_owned(),
            source,
        })?;
        let (user, group) = (found.uid(), found.gid());
        Ok(Self::plain(Owner { user, group }, mode))
    }

    /// The same owner and group, for a directory that everyone may enter.
    pub(in crate::store) fn of_directory(&self) -> Self {
        Self::plain(self.owner, 0o755)
    }

    fn plain(owner: Owner, mode: u32) -> Self {
        Self {
            owner,
            mode,
            acl: None,
            label: None,
        }
    }
}

impl Root {
    /// The directory at `path`, which has no link in it: whoever may rename a directory of that path leads
    /// nobody elsewhere between a look at it and this.
    pub(in crate::store) fn open_unlinked(path: &Path, faults: &Faults) -> Result<Self, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match fs::openat2(
            fs::CWD,
            path,
            flags,
            Mode::empty(),
            ResolveFlags::NO_SYMLINKS,
        ) {
            Ok(directory) => Ok(Self::at(path.to_owned(), directory, faults)),
            // Linux before 5.6 has no such call, and containers of that time forbid it.
            Err(Errno::NOSYS | Errno::PERM) => Self::open(path, faults),
            Err(errno) => Err(Error::Io {
                action: "open",
                path: path.to_owned(),
                source: errno.into(),
            }),
        }
    }

    /// What the regular file at `path` is like; None when nothing stands there.
    pub(in crate::store) fn likeness(&self, path: &Path) -> Result<Option<Likeness>, Error> {
        let Some((file, stat)) = self.open_file(path, OFlags::NOFOLLOW)? else {
            return Ok(None);
        };
        let error = |errno: Errno| self.error("read", path, errno);
        Ok(Some(Likeness {
            owner: Owner::of(&stat),
            mode: stat.st_mode & 0o7777,
            acl: ACL.get(&file).map_err(error)?,
            label: LABEL.get(&file).map_err(error)?,
        }))
    }

    /// The owner and group of this directory, and this mode.
    pub(in crate::store) fn own_likeness(&self, mode: u32) -> Result<Likeness, Error> {
        let here = Path::new("");
        let stat = fs::fstat(&self.directory).map_err(|errno| self.error("read", here, errno))?;
        Ok(Likeness::plain(Owner::of(&stat), mode))
    }

    /// Writes the file that is to stand at `place` under the name `path`, which is zpki's alone, and
    /// makes it durable. From the first byte on it is its owner's, and nobody else may read it before
    /// it is like what it is to be.
    pub(in crate::store) fn write_stage_like(
        &self,
        path: &Path,
        place: &Path,
        likeness: &Likeness,
        bytes: &[u8],
    ) -> Result<(), Error> {
        if bytes.len() > LONGEST {
            return Err(self.error("write", place, ErrorKind::FileTooLarge));
        }
        let written = || self.write_new_like(path, place, likeness, bytes);
        let file = self.write_stage_with(path, written)?;
        self.sync_file(&file, path)
    }

    fn write_new_like(
        &self,
        path: &Path,
        place: &Path,
        likeness: &Likeness,
        bytes: &[u8],
    ) -> Result<File, Error> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let closed = Mode::from_raw_mode(0o600);
        let file = self
            .attempt(|| fs::openat(&self.directory, path, flags, closed))
            .map_err(|error| self.error("create", path, error))?;
        let mut file = File::from(file);
        let error = |source: io::Error| self.error("write", path, source);
        self.give(&file, place, likeness.owner)?;
        if likeness.label.is_some() {
            self.set_attribute(&file, place, &LABEL, likeness.label.as_deref())?;
        }
        if let Err(failure) = self.faults.strike(Step::Change) {
            file.write_all(&bytes[..bytes.len() / 2]).map_err(error)?;
            return Err(error(failure));
        }
        file.write_all(bytes).map_err(error)?;
        // A list that a directory hands down to what is made in it lets others in as soon as the mode does.
        self.set_attribute(&file, place, &ACL, likeness.acl.as_deref())?;
        let mode = Mode::from_raw_mode(likeness.mode);
        self.attempt(|| set_mode_if_other(&file, mode))
            .map_err(error)?;
        Ok(file)
    }

    /// Gives what is to stand at `place` to `owner`.
    fn give(&self, open: impl AsFd, place: &Path, owner: Owner) -> Result<(), Error> {
        let error = |source: io::Error| self.error("set the owner of", place, source);
        let stat = fs::fstat(&open).map_err(|errno| error(errno.into()))?;
        let found = Owner::of(&stat);
        if found == owner {
            return Ok(());
        }
        let user = (found.user != owner.user).then_some(owner.user);
        match self.chown(open, user, owner.group) {
            Err(refused) if is_forbidden(&refused) => Err(Error::Foreign {
                path: self.shown(place),
                user: owner.user,
                group: owner.group,
            }),
            given => given.map_err(error),
        }
    }

    fn set_attribute(
        &self,
        file: &File,
        place: &Path,
        attribute: &Attribute,
        value: Option<&[u8]>,
    ) -> Result<(), Error> {
        let error = |source: io::Error| Error::Attribute {
            path: self.shown(place),
            what: attribute.what,
            source,
        };
        let found = attribute.get(file).map_err(|errno| error(errno.into()))?;
        if found.as_deref() == value {
            return Ok(());
        }
        self.attempt_as(Step::Attribute, || match value {
            Some(value) => fs::fsetxattr(file, attribute.name, value, XattrFlags::empty()),
            None => fs::fremovexattr(file, attribute.name),
        })
        .map_err(error)
    }

    /// Makes a directory with exactly the mode and owner of `likeness`; `false` when there is one.
    pub(in crate::store) fn make_directory_like(
        &self,
        path: &Path,
        likeness: &Likeness,
    ) -> Result<bool, Error> {
        if !self.mkdir(path, likeness.mode)? {
            return Ok(false);
        }
        let error = |source: io::Error| self.error("set the mode of", path, source);
        let made: OwnedFd =
            enter(&self.directory, path).map_err(|errno| self.error("open", path, errno))?;
        self.give(&made, path, likeness.owner)?;
        self.attempt(|| fs::fchmod(&made, Mode::from_raw_mode(likeness.mode)))
            .map_err(error)?;
        Ok(true)
    }

    /// Gives the file at `from` a second name.
    pub(in crate::store) fn link(&self, from: &Path, to: &Path) -> Result<(), Error> {
        let here = &self.directory;
        self.attempt(|| fs::linkat(here, from, here, to, AtFlags::empty()))
            .map_err(|error| self.error("keep the old file as", to, error))
    }

    /// Whether both names are there and are the same file's.
    pub(in crate::store) fn is_one_file(&self, one: &Path, other: &Path) -> Result<bool, Error> {
        let one = self.stat(one, AtFlags::SYMLINK_NOFOLLOW)?;
        let other = self.stat(other, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(one
            .zip(other)
            .is_some_and(|(one, other)| (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)))
    }

    /// Whether anything, even a dangling link, stands at `path`.
    pub(in crate::store) fn is_taken(&self, path: &Path) -> Result<bool, Error> {
        Ok(self.stat(path, AtFlags::SYMLINK_NOFOLLOW)?.is_some())
    }

    /// The bytes of a regular file that is not a link, and whose they are.
    pub(in crate::store) fn read_owned(&self, path: &Path) -> Result<Option<Owned>, Error> {
        let Some((file, stat)) = self.open_file(path, OFlags::NOFOLLOW)? else {
            return Ok(None);
        };
        match read_all(file, stat) {
            Ok(bytes) => Ok(Some(Owned {
                user: stat.st_uid,
                mode: stat.st_mode & 0o7777,
                is_linked: stat.st_nlink > 1,
                bytes,
            })),
            Err(error) => Err(self.error("read", path, error)),
        }
    }
}

impl Attribute {
    /// None when it is not set, or the file system has none.
    fn get(&self, file: impl AsFd) -> rustix::io::Result<Option<Vec<u8>>> {
        let mut value = vec![0; LONGEST_ATTRIBUTE];
        match fs::fgetxattr(file, self.name, &mut value[..]) {
            Ok(length) => {
                value.truncate(length);
                Ok(Some(value))
            }
            Err(Errno::NODATA | Errno::NOTSUP) => Ok(None),
            Err(errno) => Err(errno),
        }
    }
}
