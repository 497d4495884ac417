//! The system calls, relative to one open directory: each with its path in its error, each step
//! that changes the disk open to a test's fault.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::domain::digest::Digest;
use crate::x509::digest::sha256;

use super::PRIVATE;
use super::error::Error;
use super::fault::{Faults, Step};
use super::file::PUBLIC;
use super::layout::{PUBLIC as PUBLIC_FILE, SECRET as SECRET_FILE};

mod likeness;
mod locking;
mod owner;
mod permission;
mod removal;
mod sync;
mod writing;

use self::owner::Owner;

pub(super) use self::likeness::{Likeness, Owned};
pub(super) use self::permission::Standing;

/// A file is at most this long, 64 MiB: more than any that zpki writes, and less than would exhaust
/// the memory of a small machine.
pub(super) const LONGEST: usize = 64 << 20;

/// What writes the bytes of a file.
pub(super) type Content<'a> = &'a mut dyn FnMut(&mut dyn Write) -> io::Result<()>;

/// An open directory. It stays the same one when its path is renamed.
#[derive(Debug)]
pub(super) struct Root {
    path: PathBuf,
    directory: OwnedFd,
    faults: Faults,
    /// The bits of a mode that files and directories made below this one are known to keep.
    kept: Mode,
}

impl Root {
    pub(super) fn open(path: &Path, faults: &Faults) -> Result<Self, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match fs::open(or_here(path), flags, Mode::empty()) {
            Ok(directory) => Ok(Self::at(path.to_owned(), directory, faults)),
            Err(errno) => Err(Error::Io {
                action: "open",
                path: path.to_owned(),
                source: errno.into(),
            }),
        }
    }

    fn at(path: PathBuf, directory: OwnedFd, faults: &Faults) -> Self {
        Self {
            path,
            directory,
            faults: faults.clone(),
            kept: Mode::empty(),
        }
    }

    /// The directory at `path` below this one, which is no link.
    pub(super) fn enter(&self, path: &Path) -> Result<Self, Error> {
        match enter(&self.directory, path) {
            Ok(directory) => Ok(Self::at(self.shown(path), directory, &self.faults)),
            Err(errno) => Err(self.error("open", path, errno)),
        }
    }

    /// `path` as a person would give it.
    pub(super) fn shown(&self, path: &Path) -> PathBuf {
        self.path.join(path)
    }

    pub(super) fn error(
        &self,
        action: &'static str,
        path: &Path,
        source: impl Into<io::Error>,
    ) -> Error {
        Error::Io {
            action,
            path: self.shown(path),
            source: source.into(),
        }
    }

    /// What stands at `path`; a link is followed if `follow` says so.
    pub(super) fn stat(&self, path: &Path, follow: AtFlags) -> Result<Option<Stat>, Error> {
        match fs::statat(&self.directory, or_here(path), follow).map_err(io::Error::from) {
            Ok(stat) => Ok(Some(stat)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(self.error("read", path, error)),
        }
    }

    /// Why nothing new can be made at `path`, if something stands there.
    pub(super) fn occupant(&self, path: &Path) -> Result<Option<Error>, Error> {
        let Some(stat) = self.stat(path, AtFlags::SYMLINK_NOFOLLOW)? else {
            return Ok(None);
        };
        let link = FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
        let dangling = link && fs::statat(&self.directory, path, AtFlags::empty()).is_err();
        let path = self.shown(path);
        Ok(Some(if dangling {
            Error::DanglingLink { path }
        } else {
            Error::Exists { path }
        }))
    }

    /// The bytes of a regular file, through links.
    pub(super) fn read(&self, path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        self.read_with(path, OFlags::empty())
    }

    /// The bytes of a regular file that is not a link.
    pub(super) fn read_own(&self, path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        self.read_with(path, OFlags::NOFOLLOW)
    }

    /// The digest of a regular file that is not a link.
    pub(super) fn digest(&self, path: &Path) -> Result<Option<Digest>, Error> {
        let bytes = self.read_own(path)?;
        Ok(bytes.map(|bytes| sha256(&bytes)))
    }

    fn read_with(&self, path: &Path, flags: OFlags) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let Some((file, stat)) = self.open_file(path, flags)? else {
            return Ok(None);
        };
        match read_all(file, stat) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) => Err(self.error("read", path, error)),
        }
    }

    /// A regular file, open for reading, and what it is.
    fn open_file(&self, path: &Path, flags: OFlags) -> Result<Option<(File, Stat)>, Error> {
        // Without NONBLOCK, opening a FIFO would wait for its writer.
        let flags = flags | OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = match fs::openat(&self.directory, path, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::LOOP) if flags.contains(OFlags::NOFOLLOW) => {
                return Err(self.not_a_file(path));
            }
            // A socket, or a device that is not there.
            Err(Errno::NXIO) => return Err(self.not_a_file(path)),
            Err(errno) if is_absent(&errno.into()) => return Ok(None),
            Err(errno) => return Err(self.error("open", path, errno)),
        };
        let stat = fs::fstat(&file).map_err(|errno| self.error("read", path, errno))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(self.not_a_file(path));
        }
        Ok(Some((file, stat)))
    }

    fn not_a_file(&self, path: &Path) -> Error {
        Error::NotAFile {
            path: self.shown(path),
        }
    }

    /// The names in a directory, sorted; none when there is no directory.
    pub(super) fn list(&self, path: &Path) -> Result<Vec<OsString>, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = match fs::openat(&self.directory, or_here(path), flags, Mode::empty()) {
            Ok(directory) => directory,
            Err(errno) if is_absent(&errno.into()) => return Ok(Vec::new()),
            Err(errno) => return Err(self.error("list", path, errno)),
        };
        names(directory).map_err(|error| self.error("list", path, error))
    }

    /// Makes a directory with exactly this mode; `false` when there is one already.
    pub(super) fn make_directory(&self, path: &Path, mode: u32) -> Result<bool, Error> {
        if self.keeps(mode) {
            return self.mkdir(path, mode);
        }
        Ok(self.make_directory_if_absent(path, mode)?.is_some())
    }

    /// The same, with the owner and group of the directory above it, where this process may give it to
    /// them.
    pub(super) fn make_directory_as_above(&self, path: &Path, mode: u32) -> Result<bool, Error> {
        match self.make_directory_if_absent(path, mode)? {
            Some(made) => self.inherit_owner(path, Owner::of(&made)).map(|()| true),
            None => Ok(false),
        }
    }

    fn make_directory_if_absent(&self, path: &Path, mode: u32) -> Result<Option<Stat>, Error> {
        if !self.mkdir(path, mode)? {
            return Ok(None);
        }
        let mode = Mode::from_raw_mode(mode);
        self.attempt(|| set_directory_mode_if_other(&self.directory, path, mode))
            .map(Some)
            .map_err(|error| self.error("set the mode of", path, error))
            .inspect_err(|_| _ = self.remove_directory(path))
    }

    /// Finds out which bits of a mode are kept by all that is made below this directory, for the umask, or a
    /// default ACL, takes the same from each: directories and files are made at `probe`, with modes that
    /// most may read and modes that nobody else may. To be asked where all is made by this process, so that
    /// no directory has an ACL of its own.
    pub(super) fn probe_modes(&mut self, probe: &Path) -> Result<(), Error> {
        let mut seen = Vec::new();
        for mode in [PRIVATE, PUBLIC].map(Mode::from_raw_mode) {
            self.mkdir(probe, mode.as_raw_mode())?;
            seen.push((mode, self.stat(probe, AtFlags::SYMLINK_NOFOLLOW)?));
            self.remove_directory(probe)?;
        }
        for mode in [SECRET_FILE, PUBLIC_FILE].map(Mode::from_raw_mode) {
            drop(self.create(probe, mode)?);
            seen.push((mode, self.stat(probe, AtFlags::SYMLINK_NOFOLLOW)?));
            self.remove(probe)?;
        }
        let got = |stat: Option<Stat>| Some(Mode::from_raw_mode(stat?.st_mode));
        self.kept = kept(seen.into_iter().map(|(asked, stat)| (asked, got(stat))));
        Ok(())
    }

    /// Whether what is made with this mode has it, and nobody need look.
    fn keeps(&self, mode: u32) -> bool {
        self.kept.contains(Mode::from_raw_mode(mode))
    }

    /// The permission bits of a regular file or directory that is not a link.
    pub(super) fn mode(&self, path: &Path) -> Result<Option<u32>, Error> {
        let Some(stat) = self.stat(path, AtFlags::SYMLINK_NOFOLLOW)? else {
            return Ok(None);
        };
        if !has_a_mode(&stat) {
            return Err(self.not_a_file(path));
        }
        Ok(Some(stat.st_mode & 0o7777))
    }

    /// Sets the permission bits of a regular file or directory that is not a link, whether or not
    /// this process may read it.
    pub(super) fn set_mode(&self, path: &Path, mode: u32) -> Result<(), Error> {
        let error = |source: io::Error| self.error("set the mode of", path, source);
        let (open, stat) = open_path(&self.directory, path).map_err(|errno| error(errno.into()))?;
        if !has_a_mode(&stat) {
            return Err(self.not_a_file(path));
        }
        self.attempt(|| change_mode(&self.directory, path, &open, Mode::from_raw_mode(mode)))
            .map_err(error)
    }

    /// Makes a directory as `mkdir` does, its mode left to the umask, and never one that others may write to:
    /// they could put another directory in the place of what comes into it. `false` when there is one.
    pub(super) fn make_plain_directory(&self, path: &Path) -> Result<bool, Error> {
        self.mkdir(path, PUBLIC)
    }

    fn mkdir(&self, path: &Path, mode: u32) -> Result<bool, Error> {
        let mode = Mode::from_raw_mode(mode);
        match self.attempt(|| fs::mkdirat(&self.directory, path, mode)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(self.error("create", path, error)),
        }
    }

    /// A regular file that is not a link, open for reading.
    pub(super) fn open_own(&self, path: &Path) -> Result<Option<File>, Error> {
        let found = self.open_file(path, OFlags::NOFOLLOW)?;
        Ok(found.map(|(file, _)| file))
    }

    /// Whether what is `open` still is what stands at `path`.
    pub(super) fn is_at(&self, open: impl AsFd, path: &Path) -> Result<bool, Error> {
        let held = fs::fstat(open).map_err(|errno| self.error("read", path, errno))?;
        let there = self.stat(path, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(there.is_some_and(|there| (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)))
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> Result<(), Error> {
        self.attempt(|| fs::renameat(&self.directory, from, &self.directory, to))
            .map_err(|error| self.error("put in place", to, error))
    }

    /// Renames, replacing nothing; `false` when `to` is taken.
    pub(super) fn rename_new(&self, from: &Path, to: &Path) -> Result<bool, Error> {
        let here = &self.directory;
        let flags = RenameFlags::NOREPLACE;
        match self.attempt(|| fs::renameat_with(here, from, here, to, flags)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            // A file system that does not know NOREPLACE, such as NFS.
            Err(error) if is_unknown(&error) => {
                let free = self.occupant(to)?.is_none();
                if free {
                    self.rename(from, to)?;
                }
                Ok(free)
            }
            Err(error) => Err(self.error("put in place", to, error)),
        }
    }

    /// One step that changes the disk.
    fn attempt<T>(&self, call: impl FnOnce() -> rustix::io::Result<T>) -> io::Result<T> {
        self.attempt_as(Step::Change, call)
    }

    fn attempt_as<T>(
        &self,
        step: Step,
        call: impl FnOnce() -> rustix::io::Result<T>,
    ) -> io::Result<T> {
        self.faults.strike(step)?;
        let done = call()?;
        self.faults.strike_late()?;
        Ok(done)
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

/// The directory that `path` is in.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new(""))
}

/// The bits of [`PUBLIC`] that are kept, by what each mode that was asked for became. None when anything got
/// a bit that was not asked for, as where a file system has its own idea of modes: each is to be looked at
/// then.
fn kept(seen: impl IntoIterator<Item = (Mode, Option<Mode>)>) -> Mode {
    let all = Mode::from_raw_mode(PUBLIC);
    let narrowed = seen.into_iter().try_fold(all, |kept, (asked, got)| {
        let got = got.filter(|got| asked.contains(*got))?;
        Some(kept.difference(asked.difference(got)))
    });
    narrowed.unwrap_or(Mode::empty())
}

/// The empty path is the directory itself, which the system calls write as a dot.
fn or_here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    }
}

fn enter(above: &OwnedFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    fs::openat(above, path, flags, Mode::empty())
}

/// To ask is cheaper than to set what is so already, which it is but for an unusual umask or ACL.
fn set_mode_if_other(file: &File, mode: Mode) -> rustix::io::Result<()> {
    if Mode::from_raw_mode(fs::fstat(file)?.st_mode) == mode {
        Ok(())
    } else {
        fs::fchmod(file, mode)
    }
}

/// The same for a directory below another. Whoever may write there can have put a link in its place by
/// now, which is not followed.
fn set_directory_mode_if_other(
    above: &OwnedFd,
    path: &Path,
    mode: Mode,
) -> rustix::io::Result<Stat> {
    let (open, stat) = open_path(above, path)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        return Err(Errno::NOTDIR);
    }
    if Mode::from_raw_mode(stat.st_mode) != mode {
        change_mode(above, path, &open, mode)?;
    }
    Ok(stat)
}

/// What stands at `path`, be it a link, whether or not this process may read it.
fn open_path(above: &OwnedFd, path: &Path) -> rustix::io::Result<(OwnedFd, Stat)> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = fs::openat(above, path, flags, Mode::empty())?;
    let stat = fs::fstat(&open)?;
    Ok((open, stat))
}

/// What an open file is reached by without its path.
fn by_descriptor(open: &impl AsRawFd) -> String {
    format!("/proc/self/fd/{}", open.as_raw_fd())
}

/// What is opened like this has no fchmod; by its name in /proc it is reached without its path, at which
/// something else may stand by now. Where there is no /proc it is opened for reading, and compared.
fn change_mode(above: &OwnedFd, path: &Path, open: &OwnedFd, mode: Mode) -> rustix::io::Result<()> {
    match fs::chmod(by_descriptor(open), mode) {
        Err(Errno::NOENT) => {
            let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let readable = fs::openat(above, path, flags, Mode::empty())?;
            let (there, here) = (fs::fstat(&readable)?, fs::fstat(open)?);
            if (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino) {
                return Err(Errno::STALE);
            }
            fs::fchmod(&readable, mode)
        }
        changed => changed,
    }
}

/// Whether it is a file or directory, and no link or device.
fn has_a_mode(stat: &Stat) -> bool {
    matches!(
        FileType::from_raw_mode(stat.st_mode),
        FileType::Directory | FileType::RegularFile
    )
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotADirectory | ErrorKind::NotFound)
}

/// Whether this process may not do it: EPERM, and EINVAL for a user whom its namespace has not.
fn is_forbidden(error: &io::Error) -> bool {
    error.kind() == ErrorKind::PermissionDenied || is_unknown(error)
}

/// Whether the kernel, or the file system, does not know what was asked: ENOSYS, EOPNOTSUPP, EINVAL.
fn is_unknown(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidInput | ErrorKind::Unsupported
    )
}

/// Reads into room for the whole file, so that no reallocation leaves a copy of a key behind. A file
/// can grow as it is read.
fn read_all(file: File, stat: Stat) -> io::Result<Zeroizing<Vec<u8>>> {
    let size = usize::try_from(stat.st_size).unwrap_or(usize::MAX);
    if size > LONGEST {
        return Err(ErrorKind::FileTooLarge.into());
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(size + 1));
    file.take(LONGEST as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > LONGEST {
        return Err(ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

fn names(directory: OwnedFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in fs::Dir::new(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsStr::from_bytes(name).to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_known_only_where_nothing_is_added() {
        let kept = |got: [u32; 4]| {
            let mode = Mode::from_raw_mode;
            let asked = [0o700, 0o755, 0o600, 0o644].map(mode);
            kept(asked.into_iter().zip(got.map(|got| Some(mode(got))))).as_raw_mode()
        };
        for (got, expected) in [
            ([0o700, 0o755, 0o600, 0o644], 0o755),
            ([0o700, 0o750, 0o600, 0o640], 0o750),
            ([0o700, 0o700, 0o600, 0o600], 0o700),
            // Only files lose something, as by a mount option.
            ([0o700, 0o755, 0o600, 0o600], 0o711),
            ([0o700, 0o755, 0o644, 0o644], 0),
            ([0o755, 0o755, 0o600, 0o644], 0),
            ([0o700, 0o2755, 0o600, 0o644], 0),
        ] {
            assert_eq!(kept(got), expected, "{expected:o}");
        }
        assert_eq!(super::kept([(Mode::RWXU, None)]), Mode::empty());
    }

    #[test]
    fn without_noreplace_nothing_is_replaced_either() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("from"), "from").unwrap();
        std::fs::write(path("taken"), "taken").unwrap();
        for (to, free) in [("taken", false), ("free", true)] {
            let faults = Faults::fail_at(0, ErrorKind::InvalidInput);
            let root = Root::open(dir.path(), &faults).unwrap();
            let renamed = root.rename_new(Path::new("from"), Path::new(to)).unwrap();
            assert!(faults.struck());
            assert_eq!(renamed, free);
        }
        assert_eq!(std::fs::read_to_string(path("taken")).unwrap(), "taken");
        assert_eq!(std::fs::read_to_string(path("free")).unwrap(), "from");
        assert!(!path("from").exists());
    }

    #[test]
    fn a_tree_is_removed_and_not_what_its_links_point_to() {
        use std::os::unix::fs::symlink;

        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(path("tree/a/b")).unwrap();
        std::fs::create_dir(path("other")).unwrap();
        std::fs::write(path("other/file"), "").unwrap();
        std::fs::write(path("tree/a/b/file"), "").unwrap();
        symlink("../other", path("tree/link")).unwrap();
        symlink("other", path("link")).unwrap();
        let root = Root::open(dir.path(), &Faults::default()).unwrap();
        root.remove_tree(Path::new("tree"), Path::new("")).unwrap();
        let link = Path::new("link");
        root.remove_tree(link, Path::new("")).unwrap_err();
        root.enter(link).unwrap_err();
        assert_eq!(root.list(Path::new("")).unwrap(), ["link", "other"]);
        assert!(path("other/file").exists());
    }

    #[test]
    fn an_open_directory_stays_the_same_one_when_its_path_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(path("ours/stage")).unwrap();
        let root = Root::open(&path("ours"), &Faults::default()).unwrap();
        std::fs::rename(path("ours"), path("moved")).unwrap();
        std::fs::create_dir_all(path("ours/stage")).unwrap();
        let stage = root.enter(Path::new("stage")).unwrap();
        stage.write_new(Path::new("key"), 0o600, b"key").unwrap();
        assert!(path("moved/stage/key").exists());
        root.remove_tree(Path::new("stage"), Path::new("")).unwrap();
        assert!(!path("moved/stage").exists());
        assert!(path("ours/stage").exists());
    }

    #[test]
    fn a_file_that_is_too_long_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let file = File::create(&path).unwrap();
        let root = Root::open(dir.path(), &Faults::default()).unwrap();
        let kind = |error| match error {
            Error::Io { action, source, .. } => (action, source.kind()),
            other => panic!("{other}"),
        };
        file.set_len(1 << 40).unwrap();
        let refused = ("read", ErrorKind::FileTooLarge);
        assert_eq!(kind(root.read(Path::new("file")).unwrap_err()), refused);
        assert_eq!(kind(root.digest(Path::new("file")).unwrap_err()), refused);
        file.set_len(LONGEST as u64).unwrap();
        let bytes = root.read(Path::new("file")).unwrap().unwrap();
        assert_eq!(bytes.len(), LONGEST);
    }

    #[test]
    fn a_file_that_grows_as_it_is_read_is_not_read_without_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let file = File::open(&path).unwrap();
        let mut before = fs::fstat(&file).unwrap();
        before.st_size = 0;
        let error = read_all(file, before).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
    }

    #[test]
    fn a_file_that_could_not_be_read_again_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path(), &Faults::default()).unwrap();
        let bytes = vec![0; LONGEST + 1];
        let error = root
            .write_new(Path::new("file"), 0o600, &bytes)
            .unwrap_err();
        let path = dir.path().join("file");
        assert_eq!(
            error.to_string(),
            format!("cannot write `{}`", path.display())
        );
        assert!(!path.exists());
    }

    #[test]
    fn a_call_that_is_unknown_is_told_from_a_disk_that_fails() {
        for errno in [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP] {
            assert!(is_unknown(&errno.into()), "{errno}");
        }
        for errno in [Errno::DQUOT, Errno::IO, Errno::NOSPC, Errno::ROFS] {
            assert!(!is_unknown(&errno.into()), "{errno}");
        }
    }

    /// Between mkdir and chmod, in a directory that others may write to.
    #[test]
    fn a_link_in_the_place_of_a_new_directory_gives_nobody_elses_another_mode() {
        use std::os::unix::fs::{PermissionsExt, symlink};

        let dir = tempfile::tempdir().unwrap();
        let victim = dir.path().join("victim");
        std::fs::create_dir(&victim).unwrap();
        let mode = || std::fs::metadata(&victim).unwrap().permissions().mode();
        let before = mode();
        symlink(&victim, dir.path().join("made")).unwrap();
        let root = Root::open(dir.path(), &Faults::default()).unwrap();
        let wanted = Mode::from_raw_mode(0o2_711);
        let set = set_directory_mode_if_other(&root.directory, Path::new("made"), wanted);
        assert_eq!(set.unwrap_err(), Errno::NOTDIR);
        assert_eq!(mode(), before);
        set_directory_mode_if_other(&root.directory, Path::new("victim"), wanted).unwrap();
        assert_eq!(mode() & 0o7777, 0o2_711);
    }

    #[test]
    fn a_directory_whose_mode_cannot_be_set_does_not_stay() {
        let dir = tempfile::tempdir().unwrap();
        let faults = Faults::fail_at(1, ErrorKind::PermissionDenied);
        let root = Root::open(dir.path(), &faults).unwrap();
        let error = root.make_directory(Path::new("a"), 0o700).unwrap_err();
        let path = dir.path().join("a");
        assert_eq!(
            error.to_string(),
            format!("cannot set the mode of `{}`", path.display())
        );
        assert!(!path.exists());
    }
}
