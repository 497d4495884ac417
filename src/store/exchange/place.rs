//! Where files are when links are followed, and the directories that they are in.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::Links;
use crate::store::error::Error;
use crate::store::fault::Faults;
use crate::store::root::Root;

/// For how long a lock is tried: a run that only looks holds it for an instant, and so does what another
/// one has just started. One that changes files may hold it for minutes, and is not waited for.
const SETTLED: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(20);

/// Where a file is or is to be.
#[derive(Debug)]
pub(super) struct Place {
    /// Absolute, without links as far as it is there.
    pub(super) directory: PathBuf,
    pub(super) name: PathBuf,
    /// What is to be made for it to have its directory, parents first.
    pub(super) missing: Vec<PathBuf>,
}

impl Place {
    pub(super) fn of(path: &Path, links: Links) -> Result<Self, Error> {
        let not_a_file = || Error::NotAFile {
            path: path.to_owned(),
        };
        let name = path.file_name().ok_or_else(not_a_file)?;
        let (existing, way) = nearest(path)?;
        if way != Path::new("") {
            return Self::in_missing(existing, &way, name.into());
        }
        let there = existing.join(name);
        if !fs::symlink_metadata(&there).is_ok_and(|found| found.is_symlink()) {
            return Ok(Self {
                directory: existing,
                name: name.into(),
                missing: Vec::new(),
            });
        }
        let target = match fs::canonicalize(&there) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(Error::DanglingLink { path: there });
            }
            target => target.map_err(|source| unreadable(&there, source))?,
        };
        let (Some(directory), Some(name)) = (target.parent(), target.file_name()) else {
            return Err(not_a_file());
        };
        if links == Links::Refused && directory != existing {
            return Err(Error::Link {
                path: there,
                target,
            });
        }
        Ok(Self {
            directory: directory.to_owned(),
            name: name.into(),
            missing: Vec::new(),
        })
    }

    fn in_missing(existing: PathBuf, way: &Path, name: PathBuf) -> Result<Self, Error> {
        let whole = existing.join(way);
        let mut directory = existing;
        let mut missing = Vec::new();
        for part in way.components() {
            let Component::Normal(part) = part else {
                return Err(unreadable(&whole, ErrorKind::NotFound.into()));
            };
            directory.push(part);
            missing.push(directory.clone());
        }
        Ok(Self {
            directory,
            name,
            missing,
        })
    }

    /// The file.
    pub(super) fn path(&self) -> PathBuf {
        self.directory.join(&self.name)
    }

    /// The nearest directory that is there already.
    pub(super) fn existing(&self) -> &Path {
        let first = self.missing.first().and_then(|path| path.parent());
        first.unwrap_or(&self.directory)
    }
}

/// The nearest directory above `path` that is there, without links, and the way from there to the one
/// that `path` is in.
pub(super) fn nearest(path: &Path) -> Result<(PathBuf, PathBuf), Error> {
    let parent = path.parent().unwrap_or_else(|| Path::new(""));
    for ancestor in parent.ancestors() {
        let here = match ancestor == Path::new("") {
            true => Path::new("."),
            false => ancestor,
        };
        match fs::canonicalize(here) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            found => {
                let found = found.map_err(|source| unreadable(here, source))?;
                let way = parent.strip_prefix(ancestor).unwrap_or(parent);
                return Ok((found, way.to_owned()));
            }
        }
    }
    Err(unreadable(path, ErrorKind::NotFound.into()))
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::Io {
        action: "open",
        path: path.to_owned(),
        source,
    }
}

/// Where a new file is written before it is put in place.
pub(super) fn stage(name: &Path) -> PathBuf {
    format!(".{}.zpki-new", name.display()).into()
}

/// Directories that this run has locked, by their paths.
#[derive(Debug)]
pub(super) struct Roots(BTreeMap<PathBuf, Root>);

impl Roots {
    /// Locks each of `directories`, in the order of their paths.
    pub(super) fn lock<'a>(
        directories: impl Iterator<Item = &'a Path>,
        faults: &Faults,
    ) -> Result<Self, Error> {
        let mut roots = Self(BTreeMap::new());
        let directories: std::collections::BTreeSet<_> = directories.collect();
        for directory in directories {
            roots.add(directory, faults)?;
        }
        Ok(roots)
    }

    /// Locks one more.
    pub(super) fn add(&mut self, directory: &Path, faults: &Faults) -> Result<(), Error> {
        let root = Root::open_unlinked(directory, faults)?;
        let started = Instant::now();
        while !root.lock_here()? {
            if started.elapsed() >= SETTLED {
                return Err(Error::Exchanging {
                    path: directory.to_owned(),
                });
            }
            thread::sleep(PAUSE);
        }
        self.0.insert(directory.to_owned(), root);
        Ok(())
    }

    /// Unlocks one.
    pub(super) fn remove(&mut self, directory: &Path) {
        self.0.remove(directory);
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
    }

    /// The directory at `path`; None when it is not there.
    pub(super) fn get(&self, path: &Path) -> Option<&Root> {
        self.0.get(path)
    }

    /// The directory at `path`, which is there.
    pub(super) fn at(&self, path: &Path) -> Result<&Root, Error> {
        self.get(path)
            .ok_or_else(|| unreadable(path, ErrorKind::NotFound.into()))
    }

    /// The directory that `path` is in, and its name there.
    pub(super) fn of<'a>(&self, path: &'a Path) -> Result<(&Root, &'a Path), Error> {
        let directory = path.parent().unwrap_or(path);
        let name = path.file_name().unwrap_or_default();
        Ok((self.at(directory)?, Path::new(name)))
    }

    /// Makes the entries of all of them durable.
    pub(super) fn sync(&self) -> Result<(), Error> {
        let mut roots = self.0.values();
        roots.try_for_each(|root| root.sync_directory(Path::new("")))
    }
}
