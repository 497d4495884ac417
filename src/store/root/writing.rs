//! New files, which have their mode before they have their bytes: so a key is at no time readable by others.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use rustix::fs::{self, AtFlags, CWD, Mode, OFlags};

use super::owner::Heir;
use super::{
    Content, LONGEST, Root, by_descriptor, is_unknown, or_here, parent, set_mode_if_other,
};
use crate::store::error::Error;
use crate::store::fault::Step;

impl Root {
    /// Writes a file that must not exist, and that can be read again. It has its mode from the open, so
    /// that a key is at no time readable by others, and again after it, so that the umask takes nothing
    /// away, unless [`Root::probe_modes`] has shown that it does not.
    pub(in crate::store) fn write_new(
        &self,
        path: &Path,
        mode: u32,
        bytes: &[u8],
    ) -> Result<File, Error> {
        self.write_new_for(path, mode, None, bytes)
    }

    /// The same, with the owner and group of the directory it is in, as [`Root::write_stage_of`] gives them.
    pub(in crate::store) fn write_new_as_above(
        &self,
        path: &Path,
        mode: u32,
        bytes: &[u8],
    ) -> Result<File, Error> {
        let heir = self.heir(path)?;
        self.write_new_for(path, mode, heir, bytes)
    }

    /// The same, for `heir`, if there is to be an owner other than this process, who has it before a
    /// secret is in it.
    fn write_new_for(
        &self,
        path: &Path,
        mode: u32,
        heir: Option<Heir<'_>>,
        bytes: &[u8],
    ) -> Result<File, Error> {
        if bytes.len() > LONGEST {
            return Err(self.error("write", path, ErrorKind::FileTooLarge));
        }
        self.write_new_by(path, mode, heir, &mut |file| self.write_all(file, bytes))
    }

    fn write_new_by(
        &self,
        path: &Path,
        mode: u32,
        heir: Option<Heir<'_>>,
        write: &mut dyn FnMut(&mut File) -> io::Result<()>,
    ) -> Result<File, Error> {
        let mut file = self.create(path, Mode::from_raw_mode(mode))?;
        if let Some(heir) = heir {
            self.hand_over(&file, &heir, mode)?;
        }
        self.fill(&mut file, path, mode, write)?;
        Ok(file)
    }

    /// A new file, its mode left to the umask.
    pub(super) fn create(&self, path: &Path, mode: Mode) -> Result<File, Error> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        self.attempt(|| fs::openat(&self.directory, path, flags, mode))
            .map(File::from)
            .map_err(|error| self.error("create", path, error))
    }

    fn fill(
        &self,
        file: &mut File,
        path: &Path,
        mode: u32,
        write: &mut dyn FnMut(&mut File) -> io::Result<()>,
    ) -> Result<(), Error> {
        let bits = Mode::from_raw_mode(mode);
        let set_mode = |file: &File| match self.keeps(mode) {
            true => Ok(()),
            false => self.attempt(|| set_mode_if_other(file, bits)),
        };
        write(file)
            .and_then(|()| set_mode(file))
            .map_err(|error| self.error("write", path, error))
    }

    /// Writes a file that has no name, and goes with this process unless [`Root::name_new`] gives it
    /// one; `path` is what it is for. None where there is no such file, as on NFS or FAT, or no /proc, by
    /// which it gets its name.
    pub(in crate::store) fn write_unnamed(
        &self,
        path: &Path,
        mode: u32,
        content: Content<'_>,
    ) -> Result<Option<File>, Error> {
        self.write_unnamed_for(path, mode, None, content)
    }

    /// The same in place of the file at `place`, with its owner and group: see [`Root::write_stage_of`].
    pub(in crate::store) fn write_unnamed_of(
        &self,
        place: &Path,
        mode: u32,
        bytes: &[u8],
    ) -> Result<Option<File>, Error> {
        let heir = self.heir(place)?;
        self.write_unnamed_for(place, mode, heir, &mut |out| out.write_all(bytes))
    }

    fn write_unnamed_for(
        &self,
        path: &Path,
        mode: u32,
        heir: Option<Heir<'_>>,
        content: Content<'_>,
    ) -> Result<Option<File>, Error> {
        let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
        let (here, bits) = (or_here(parent(path)), Mode::from_raw_mode(mode));
        let open = || fs::openat(&self.directory, here, flags, bits);
        let mut file = match self.attempt_as(Step::Unnamed, open) {
            Ok(file) => File::from(file),
            Err(error) if is_unknown(&error) || error.kind() == ErrorKind::IsADirectory => {
                return Ok(None);
            }
            Err(error) => return Err(self.error("create", path, error)),
        };
        if fs::stat(by_descriptor(&file)).is_err() {
            return Ok(None);
        }
        if let Some(heir) = heir {
            self.hand_over(&file, &heir, mode)?;
        }
        self.fill(&mut file, path, mode, &mut |file| {
            self.write_by(file, content)
        })?;
        Ok(Some(file))
    }

    /// Gives a file that was written without a name this one; `false` when it is taken.
    pub(in crate::store) fn name_new(&self, file: &File, path: &Path) -> Result<bool, Error> {
        let (open, here) = (by_descriptor(file), &self.directory);
        match self.attempt(|| fs::linkat(CWD, &open, here, path, AtFlags::SYMLINK_FOLLOW)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(self.error("put in place", path, error)),
        }
    }

    fn write_by(&self, file: &mut File, content: Content<'_>) -> io::Result<()> {
        self.faults.strike(Step::Change)?;
        content(file)?;
        self.faults.strike_late()
    }

    /// A disk that fails here has taken a part of the bytes.
    fn write_all(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.faults.strike(Step::Change) {
            file.write_all(&bytes[..bytes.len() / 2])?;
            return Err(error);
        }
        file.write_all(bytes)?;
        self.faults.strike_late()
    }

    /// Like [`Root::write_new`], for a name that is zpki's alone: what a killed run left there goes.
    pub(in crate::store) fn write_stage(
        &self,
        path: &Path,
        mode: u32,
        bytes: &[u8],
    ) -> Result<File, Error> {
        self.write_stage_with(path, || self.write_new(path, mode, bytes))
    }

    /// Like [`Root::write_new`], for what is too long to be held as one piece.
    pub(in crate::store) fn write_new_from(
        &self,
        path: &Path,
        mode: u32,
        content: Content<'_>,
    ) -> Result<File, Error> {
        self.write_new_by(path, mode, None, &mut |file| self.write_by(file, content))
    }

    /// Like [`Root::write_stage`], for the file at `place`: the stage gets the owner and group of that
    /// file, or those of its directory when there is no such file.
    ///
    /// Who is not root may be unable to give them. That is no harm to a file that everyone may read;
    /// of any other, somebody would be locked out who reads it now or is about to, so it is refused:
    /// [`Error::Owner`].
    pub(in crate::store) fn write_stage_of(
        &self,
        path: &Path,
        place: &Path,
        mode: u32,
        bytes: &[u8],
    ) -> Result<File, Error> {
        self.write_stage_with(path, || self.write_new_of(path, place, mode, bytes))
    }

    /// The same, for a name that must be free.
    pub(in crate::store) fn write_new_of(
        &self,
        path: &Path,
        place: &Path,
        mode: u32,
        bytes: &[u8],
    ) -> Result<File, Error> {
        let heir = self.heir(place)?;
        self.write_new_for(path, mode, heir, bytes)
    }

    pub(super) fn write_stage_with(
        &self,
        path: &Path,
        write: impl Fn() -> Result<File, Error>,
    ) -> Result<File, Error> {
        match write() {
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::AlreadyExists => {
                self.remove(path)?;
                write()
            }
            written => written,
        }
    }
}
