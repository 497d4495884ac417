//! The two ends of an exchange, each of which can be gone to by any run and begun again.

use std::path::Path;

use super::Exchange;
use super::place::stage;
use super::record::{self, EXCHANGE, Entry, KEPT, NEW};
use crate::store::error::Error;
use crate::store::root::Root;

/// What puts a file back as it was.
#[derive(Debug)]
enum WayBack<'a> {
    /// It is as it was.
    Nothing,
    /// The old file has two names.
    RemoveName(&'a Path),
    /// It was made.
    RemoveFile,
    /// The old file has the other name only.
    Rename(&'a Path),
}

impl Exchange {
    /// Puts every file back; none, when somebody has changed one since.
    pub(super) fn undo(&self) -> Result<(), Error> {
        let mut ways = Vec::new();
        for entry in &self.record.files {
            let Some((root, name)) = self.find(&entry.path) else {
                continue;
            };
            ways.push((root, name, entry.way_back(root, name)?));
        }
        for (root, name, way) in ways.iter().rev() {
            way.go(root, name)?;
        }
        for (root, name, _) in &ways {
            root.remove(&stage(name))?;
        }
        self.roots.sync()?;
        self.remove_directories()?;
        self.close(EXCHANGE)
    }

    /// Removes what is needed no more when the files stay.
    pub(super) fn finish(&self) -> Result<(), Error> {
        self.decider()?.sync_directory(Path::new(""))?;
        for entry in self.record.files.iter().filter(|entry| !entry.has_backup) {
            if let (Some((root, _)), Some(old)) = (self.find(&entry.path), &entry.old) {
                root.remove(old)?;
            }
        }
        self.close(KEPT)
    }

    /// Removes the directories that were made, as far as nobody has put something into them.
    fn remove_directories(&self) -> Result<(), Error> {
        for path in self.record.made.iter().rev() {
            let Some((above, name)) = self.find(path) else {
                continue;
            };
            if let Some(root) = self.roots.get(path) {
                root.remove(Path::new(NEW))?;
                root.remove(Path::new(EXCHANGE))?;
            }
            above.remove_directory(name)?;
        }
        Ok(())
    }

    /// Removes the records, that which decides last.
    fn close(&self, last: &str) -> Result<(), Error> {
        let others = self.record.directories.iter().chain(&self.record.made);
        let others = others.filter(|path| **path != self.record.decider);
        for root in others.filter_map(|path| self.roots.get(path)) {
            record::remove(root, EXCHANGE)?;
        }
        record::remove(self.decider()?, last)
    }

    /// The directory that `path` is in, if it is there, and the name.
    fn find<'a>(&self, path: &'a Path) -> Option<(&Root, &'a Path)> {
        self.roots.of(path).ok()
    }
}

impl Entry {
    /// How to put it back, in whatever state a killed run has left it.
    fn way_back<'a>(&'a self, root: &Root, name: &Path) -> Result<WayBack<'a>, Error> {
        let Some(old) = &self.old else {
            return self.way_back_of_new(root, name);
        };
        if !root.is_taken(old)? {
            return Ok(WayBack::Nothing);
        }
        if root.is_one_file(old, name)? {
            return Ok(WayBack::RemoveName(old));
        }
        let found = root.digest(name)?;
        if found.is_none() || found == self.after {
            return self.rename_of(root, old);
        }
        match found == self.before {
            true => Ok(WayBack::Nothing),
            false => Err(self.conflict()),
        }
    }

    fn way_back_of_new<'a>(&'a self, root: &Root, name: &Path) -> Result<WayBack<'a>, Error> {
        let found = match root.is_taken(&stage(name))? {
            // What stands there has not come from its stage.
            true => None,
            false => root.digest(name)?,
        };
        match found {
            None => Ok(WayBack::Nothing),
            found if found == self.after => Ok(WayBack::RemoveFile),
            Some(_) => Err(self.conflict()),
        }
    }

    fn rename_of<'a>(&self, root: &Root, old: &'a Path) -> Result<WayBack<'a>, Error> {
        match root.digest(old)? == self.before {
            true => Ok(WayBack::Rename(old)),
            false => Err(Error::Lost {
                path: root.shown(old),
            }),
        }
    }

    fn conflict(&self) -> Error {
        Error::Conflict {
            path: self.path.clone(),
        }
    }
}

impl WayBack<'_> {
    fn go(&self, root: &Root, name: &Path) -> Result<(), Error> {
        match self {
            Self::Nothing => Ok(()),
            Self::RemoveName(old) => root.remove(old),
            Self::RemoveFile => root.remove(name),
            Self::Rename(old) => root.rename(old, name),
        }
    }
}
