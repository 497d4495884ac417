//! From what the user names to the files that are to be read, each once.
//!
//! A directory is read with everything below it, links to directories too. It is entered once for
//! each root, whatever number of links lead to it, so circles end; directories come before links to
//! them, so a file is called by the path that it is really at. Several are read at a time, by as many
//! threads as files are; nothing recurses.
//!
//! What only turned up is treated with more patience than what was named: a pipe, or a file that
//! goes away, is no error then.

use std::collections::hash_map::{Entry as MapEntry, HashMap};
use std::collections::{BTreeMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::read::ReadError;
use super::read::file::not_regular;
use super::readers;
use crate::domain::expiry::ReadReason;
use crate::domain::pattern::{Exclusion, Glob, Pattern, Progress};
use crate::domain::text::Quoted;

mod identity;

use identity::Entry;

/// What the user names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Root {
    /// A file, a directory, or, on the command line, a glob when nothing of this very name is there.
    pub path: PathBuf,
    /// What names it, such as `haproxy.cfg:41`; None for the command line.
    pub referenced_by: Option<String>,
}

/// A file that is to be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Source {
    /// The first path that leads to it: one that was named before one that was discovered, and then
    /// by the order of their octets.
    pub path: Box<Path>,
    /// The other paths to the same file: links, hard links, other roots.
    pub aliases: Vec<PathBuf>,
    /// The lines of configurations that name it or a directory above it, in the order of the roots,
    /// each once.
    pub referenced_by: Vec<String>,
    /// Whether it was named itself, and not found in a directory or by a glob.
    pub is_named: bool,
}

impl Root {
    /// Something on the command line.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            referenced_by: None,
        }
    }

    /// Something that a line of a configuration names.
    #[must_use]
    pub fn referenced(path: PathBuf, referenced_by: String) -> Self {
        Self {
            path,
            referenced_by: Some(referenced_by),
        }
    }
}

impl Source {
    /// A file that was named, by one path.
    #[must_use]
    pub fn named(path: PathBuf) -> Self {
        Self {
            path: path.into(),
            aliases: Vec::new(),
            referenced_by: Vec::new(),
            is_named: true,
        }
    }
}

/// What was found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Walk {
    /// The files, sorted by the octets of their paths.
    pub sources: Vec<Source>,
    /// What could not be looked at, sorted in the same way.
    pub errors: Vec<ReadError>,
    /// What was discovered and is no regular file, or was excluded; an excluded directory is one.
    pub skipped: usize,
}

/// Finds the files of `roots`, but those that are excluded.
///
/// What the command line names is not excluded, whatever its name, but what is below it can be;
/// what a configuration names can be, so that there is a way to be silent about it.
#[must_use]
pub fn walk(roots: &[Root], exclusions: &[Exclusion]) -> Walk {
    let named = grouped(roots);
    let mut walker = Walker {
        exclusions,
        root: 0,
        has_met_something: false,
        entries: Vec::new(),
        errors: Vec::new(),
        skipped: Vec::new(),
    };
    for (index, root) in named.iter().enumerate() {
        walker.root = index;
        walker.visit(root);
    }
    let references: Vec<_> = named.into_iter().map(|root| root.referenced_by).collect();
    walker.skipped.sort_unstable();
    walker.skipped.dedup();
    Walk {
        sources: identity::sources(walker.entries, &references),
        errors: merged(walker.errors, &references),
        skipped: walker.skipped.len(),
    }
}

/// A path that was named, perhaps several times.
struct Named<'a> {
    path: &'a Path,
    is_on_command_line: bool,
    referenced_by: Vec<&'a str>,
}

/// The roots, each path once, in the order in which they came.
fn grouped(roots: &[Root]) -> Vec<Named<'_>> {
    let mut named: Vec<Named<'_>> = Vec::new();
    let mut places: HashMap<&OsStr, usize> = HashMap::new();
    for root in roots {
        let place = match places.entry(root.path.as_os_str()) {
            MapEntry::Occupied(place) => *place.get(),
            MapEntry::Vacant(place) => {
                named.push(Named {
                    path: &root.path,
                    is_on_command_line: false,
                    referenced_by: Vec::new(),
                });
                *place.insert(named.len() - 1)
            }
        };
        match &root.referenced_by {
            Some(line) => named[place].referenced_by.push(line),
            None => named[place].is_on_command_line = true,
        }
    }
    named
}

/// The errors in order; what several roots lead to is said once.
fn merged(mut errors: Vec<(usize, ReadError)>, references: &[Vec<&str>]) -> Vec<ReadError> {
    errors.sort_by(|(_, a), (_, b)| {
        let paths = a.path.as_os_str().cmp(b.path.as_os_str());
        paths.then(a.reason.cmp(&b.reason))
    });
    let mut merged: Vec<ReadError> = Vec::new();
    for (root, mut error) in errors {
        match merged.last_mut() {
            Some(last) if (&last.path, last.reason) == (&error.path, error.reason) => {
                identity::refer(&mut last.referenced_by, &references[root]);
            }
            _ => {
                identity::refer(&mut error.referenced_by, &references[root]);
                merged.push(error);
            }
        }
    }
    merged
}

/// What of a directory is wanted.
#[derive(Clone, Copy)]
enum Selection<'a> {
    /// Everything.
    All,
    /// What goes on matching a glob.
    Matching(&'a Glob, Progress),
}

impl<'a> Selection<'a> {
    fn new(glob: &'a Glob, progress: Progress) -> Self {
        if glob.is_matched(progress) {
            Self::All
        } else {
            Self::Matching(glob, progress)
        }
    }

    fn is_all(self) -> bool {
        matches!(self, Self::All)
    }

    /// What is wanted of what has this name; None for nothing.
    fn enter(self, name: &OsStr) -> Option<Self> {
        match self {
            Self::All => Some(self),
            Self::Matching(glob, progress) => Some(Self::new(glob, glob.enter(progress, name)?)),
        }
    }

    fn only_name(self) -> Option<OsString> {
        match self {
            Self::All => None,
            Self::Matching(glob, progress) => glob.only_name(progress),
        }
    }

    fn progress(self) -> Option<Progress> {
        match self {
            Self::All => None,
            Self::Matching(_, progress) => Some(progress),
        }
    }
}

/// The directories that are still to be listed for a root.
#[derive(Default)]
struct Pending<'a> {
    /// By path; with what is wanted of each, and, if it was discovered, the device that it is on
    /// unless something is mounted there.
    directories: BTreeMap<(Reached, OsString), (Selection<'a>, Option<u64>)>,
    /// Device and inode of those that were listed, and what was wanted of them.
    listed: HashSet<(u64, u64, Option<Progress>)>,
}

/// A directory that is to be listed.
struct Directory<'a> {
    path: PathBuf,
    selection: Selection<'a>,
    /// The device that it is on unless something is mounted there, if it was discovered.
    expected: Option<u64>,
    /// None until it was listed; nor is one of which only a name is wanted.
    listing: Option<io::Result<Listing>>,
}

impl Directory<'_> {
    fn read(&mut self) {
        if self.selection.only_name().is_none() {
            self.listing = Some(Listing::read(&self.path, self.expected));
        }
    }
}

/// What is in a directory.
struct Listing {
    device: u64,
    inode: u64,
    /// Whether it is one in which the kernel shows itself, and is not looked into.
    is_kernels: bool,
    /// Path, kind and inode.
    entries: Vec<(PathBuf, FileType, u64)>,
    /// Why there are no more.
    error: Option<io::Error>,
}

impl Listing {
    fn read(path: &Path, expected: Option<u64>) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let directory = rustix::fs::open(or_here(path), flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&directory)?;
        let is_elsewhere = expected.is_some_and(|expected| expected != stat.st_dev);
        let mut listing = Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            is_kernels: is_elsewhere && is_kernels(&directory),
            entries: Vec::new(),
            error: None,
        };
        if listing.is_kernels {
            return Ok(listing);
        }
        for entry in Dir::new(directory)? {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    listing.error = Some(error.into());
                    break;
                }
            };
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                let path = below(path, name);
                let (kind, inode) = (entry.file_type(), entry.ino());
                listing.entries.push((path, kind, inode));
            }
        }
        Ok(listing)
    }
}

/// Directories that are listed at a time, which bounds the memory for their names.
const MOST_AT_A_TIME: usize = 64;

/// No device that there is: a link, and what was named, leads anywhere.
const ELSEWHERE: u64 = u64::MAX;

/// How a directory was come by. Links are followed last.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
enum Reached {
    Directly,
    ByLink,
}

struct Walker<'a> {
    exclusions: &'a [Exclusion],
    /// Which root is being visited.
    root: usize,
    /// Whether it led anywhere.
    has_met_something: bool,
    entries: Vec<Entry>,
    errors: Vec<(usize, ReadError)>,
    skipped: Vec<PathBuf>,
}

impl Walker<'_> {
    fn visit(&mut self, root: &Named<'_>) {
        let path = root.path;
        if !root.is_on_command_line && self.is_excluded(path) {
            return self.skip(path.to_owned());
        }
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                self.has_met_something = false;
                let mut pending = Pending::default();
                let expected = Some(ELSEWHERE);
                pending.add(path.to_owned(), Reached::Directly, Selection::All, expected);
                self.list_all(pending);
                if !self.has_met_something {
                    self.fail(path, ReadReason::NotFound, "went away".to_owned());
                }
            }
            Ok(found) if found.is_file() => self.take(path, &found, true),
            Ok(found) => self.fail(path, ReadReason::NotRegular, not_regular(&found)),
            Err(error) if is_nowhere(&error) && is_link(path) => {
                self.fail_at_link(path, ReadReason::NotFound, &error);
            }
            Err(error) if root.is_on_command_line && can_be_glob(path, &error) => self.expand(path),
            Err(error) => self.fail_with(path, &error),
        }
    }

    fn expand(&mut self, path: &Path) {
        let pattern = match Pattern::new(path.as_os_str()) {
            Ok(pattern) => pattern,
            Err(invalid) => {
                let message = format!("no such file or directory, and {invalid}");
                return self.fail(path, ReadReason::NotFound, message);
            }
        };
        self.has_met_something = false;
        for glob in pattern.globs() {
            let mut pending = Pending::default();
            let selection = Selection::new(glob, glob.start());
            self.look_at(&glob.base, selection, None, &mut pending);
            self.list_all(pending);
        }
        if !self.has_met_something {
            let message = "nothing matches this pattern".to_owned();
            self.fail(path, ReadReason::NotFound, message);
        }
    }

    fn list_all(&mut self, mut pending: Pending<'_>) {
        loop {
            let mut batch = pending.batch();
            if batch.is_empty() {
                return;
            }
            // A disk that is asked for one directory at a time is idle most of the time.
            if let [only] = &mut batch[..] {
                only.read();
            } else {
                readers::each(&mut batch, |(), directory| directory.read());
            }
            for directory in batch {
                self.enter(directory, &mut pending);
            }
        }
    }

    fn enter<'a>(&mut self, directory: Directory<'a>, pending: &mut Pending<'a>) {
        let Directory {
            path,
            selection,
            listing,
            ..
        } = directory;
        if let Some(name) = selection.only_name() {
            return self.look_below(below(&path, &name), &name, selection, pending);
        }
        let listing = match listing {
            Some(Ok(listing)) => listing,
            Some(Err(error)) if !is_nowhere(&error) => return self.fail_with(&path, &error),
            // It went away meanwhile.
            _ => return,
        };
        self.has_met_something |= selection.is_all();
        let identity = (listing.device, listing.inode, selection.progress());
        if !pending.listed.insert(identity) {
            return;
        }
        if listing.is_kernels {
            return self.skip(path);
        }
        for (path, kind, inode) in listing.entries {
            let name = path.file_name().unwrap_or_default();
            match kind {
                FileType::Symlink | FileType::Unknown => {
                    let name = name.to_owned();
                    self.look_below(path, &name, selection, pending);
                }
                kind => {
                    let Some(selection) = selection.enter(name) else {
                        continue;
                    };
                    if self.is_excluded(&path) {
                        self.skip(path);
                    } else if kind == FileType::Directory {
                        let expected = Some(listing.device);
                        pending.add(path, Reached::Directly, selection, expected);
                    } else if !selection.is_all() {
                        continue;
                    } else if kind == FileType::RegularFile {
                        let identity = (listing.device, inode);
                        self.entries.push(Entry::listed(path, identity, self.root));
                        self.has_met_something = true;
                    } else {
                        self.skip(path);
                    }
                }
            }
        }
        if let Some(error) = listing.error {
            self.fail_with(&path, &error);
        }
    }

    /// Looks at a name in a directory that does not say what it is.
    fn look_below<'a>(
        &mut self,
        path: PathBuf,
        name: &OsStr,
        selection: Selection<'a>,
        pending: &mut Pending<'a>,
    ) {
        let Some(selection) = selection.enter(name) else {
            return;
        };
        if self.is_excluded(&path) {
            self.skip(path);
        } else {
            self.look_at(&path, selection, Some(ELSEWHERE), pending);
        }
    }

    /// Looks at what was discovered, through links.
    fn look_at<'a>(
        &mut self,
        path: &Path,
        selection: Selection<'a>,
        device: Option<u64>,
        pending: &mut Pending<'a>,
    ) {
        match fs::metadata(or_here(path)) {
            Ok(found) if found.is_dir() => {
                pending.add(path.to_owned(), Reached::ByLink, selection, device);
            }
            Ok(_) if !selection.is_all() => {}
            Ok(found) if found.is_file() => self.take(path, &found, false),
            Ok(_) => self.skip(path.to_owned()),
            Err(error) if is_nowhere(&error) => {
                // What is no link has gone away meanwhile, or never was there.
                if selection.is_all() && is_link(path) {
                    self.fail_at_link(path, ReadReason::BrokenSymlink, &error);
                }
            }
            Err(error) => self.fail_with(path, &error),
        }
    }

    fn is_excluded(&self, path: &Path) -> bool {
        let mut exclusions = self.exclusions.iter();
        exclusions.any(|exclusion| exclusion.excludes(path))
    }

    fn take(&mut self, path: &Path, found: &Metadata, is_named: bool) {
        let identity = (found.dev(), found.ino());
        let entry = Entry::asked(path, identity, self.root, is_named);
        self.entries.push(entry);
        self.has_met_something = true;
    }

    fn skip(&mut self, path: PathBuf) {
        self.skipped.push(path);
        self.has_met_something = true;
    }

    fn fail(&mut self, path: &Path, reason: ReadReason, message: String) {
        let error = ReadError::new(path, reason, message);
        self.errors.push((self.root, error));
        self.has_met_something = true;
    }

    fn fail_with(&mut self, path: &Path, error: &io::Error) {
        let (reason, message) = match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => {
                (ReadReason::NotFound, "no such file or directory".to_owned())
            }
            ErrorKind::PermissionDenied => {
                (ReadReason::PermissionDenied, "permission denied".to_owned())
            }
            ErrorKind::InvalidFilename => {
                (ReadReason::WalkError, "the path is too long".to_owned())
            }
            _ => (ReadReason::WalkError, error.to_string()),
        };
        self.fail(path, reason, message);
    }

    /// A link to nothing. Whoever names one wants to know about what it should lead to; one that only
    /// turned up is a trace of something that is gone.
    fn fail_at_link(&mut self, path: &Path, reason: ReadReason, error: &io::Error) {
        let message = match fs::read_link(path) {
            _ if is_circle(error) => "is a link that leads back to itself".to_owned(),
            Ok(target) => format!(
                "is a link to {}, which is not there",
                Quoted(&target.to_string_lossy())
            ),
            Err(_) => "is a link to nothing".to_owned(),
        };
        self.fail(path, reason, message);
    }
}

impl<'a> Pending<'a> {
    /// The next directories to list: one that was reached by a link comes alone, for others lead to
    /// it perhaps.
    fn batch(&mut self) -> Vec<Directory<'a>> {
        let mut batch = Vec::new();
        while batch.len() < MOST_AT_A_TIME
            && let Some(next) = self.directories.first_entry()
        {
            let is_alone = next.key().0 == Reached::ByLink;
            if is_alone && !batch.is_empty() {
                break;
            }
            let ((_, path), (selection, expected)) = next.remove_entry();
            batch.push(Directory {
                path: path.into(),
                selection,
                expected,
                listing: None,
            });
            if is_alone {
                break;
            }
        }
        batch
    }

    fn add(
        &mut self,
        path: PathBuf,
        reached: Reached,
        selection: Selection<'a>,
        expected: Option<u64>,
    ) {
        let key = (reached, path.into_os_string());
        self.directories.insert(key, (selection, expected));
    }
}

/// Whether a path, or the target of a link, is not there.
fn is_nowhere(error: &io::Error) -> bool {
    let is_absent = matches!(error.kind(), ErrorKind::NotADirectory | ErrorKind::NotFound);
    is_absent || is_circle(error)
}

fn is_circle(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::LOOP.raw_os_error())
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink())
}

/// Whether a path is to be read as a pattern. Alternatives in braces make a name that is longer than
/// any file's.
fn can_be_glob(path: &Path, error: &io::Error) -> bool {
    let is_no_file = is_nowhere(error) || error.kind() == ErrorKind::InvalidFilename;
    is_no_file && Pattern::has_wildcard(path)
}

/// The empty path is the current directory, which the system calls write as a dot.
fn or_here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    }
}

/// `directory.join(name)` without room to grow.
fn below(directory: &Path, name: &OsStr) -> PathBuf {
    let mut path = PathBuf::with_capacity(directory.as_os_str().len() + 1 + name.len());
    path.push(directory);
    path.push(name);
    path
}

/// Whether a directory is one of those in which the kernel shows itself: reading their files has
/// effects, waits, or never ends.
fn is_kernels(directory: &OwnedFd) -> bool {
    // linux/magic.h: bpf, cgroup, cgroup2, debugfs, proc, securityfs, sysfs, tracefs.
    const KERNELS: [i64; 8] = [
        0xcafe_4a11,
        0x0027_e0eb,
        0x6367_7270,
        0x6462_6720,
        0x9fa0,
        0x7363_6673,
        0x6265_6572,
        0x7472_6163,
    ];
    rustix::fs::fstatfs(directory).is_ok_and(|found| KERNELS.contains(&found.f_type))
}
