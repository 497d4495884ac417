//! What stands on disk of an exchange, from which any run of the same user can undo it or finish it,
//! however often that is interrupted too.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Planned;
use super::backup::{self, Backup};
use super::place::Roots;
use crate::domain::digest::Digest;
use crate::store::error::Error;
use crate::store::journal::optional_digest;
use crate::store::root::{Owned, Root};

/// The record of an exchange that can be undone.
pub(super) const EXCHANGE: &str = ".zpki-exchange";

/// That of one that is kept, in the deciding directory only.
pub(super) const KEPT: &str = ".zpki-exchange-kept";

/// Where a record is written before it is put in place.
pub(super) const NEW: &str = ".zpki-exchange-new";

/// It has digests of files that others may not read.
const MODE: u32 = 0o600;
const SCHEMA: u32 = 1;

/// The same in each directory of the exchange.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    schema: u32,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) time: OffsetDateTime,
    /// The directory that decides: its record is the first to come and the last to go.
    pub(super) decider: PathBuf,
    /// Those that were there, sorted.
    pub(super) directories: Vec<PathBuf>,
    /// Those that were missing, parents first.
    pub(super) made: Vec<PathBuf>,
    /// In the order in which they are replaced.
    pub(super) files: Vec<Entry>,
}

/// One file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) path: PathBuf,
    #[serde(deserialize_with = "optional_digest")]
    pub(super) before: Option<Digest>,
    #[serde(deserialize_with = "optional_digest")]
    pub(super) after: Option<Digest>,
    /// The second name of the old file, if there is one.
    pub(super) old: Option<PathBuf>,
    pub(super) has_backup: bool,
}

impl Entry {
    pub(super) fn of(
        planned: &Planned<'_>,
        roots: &Roots,
        time: OffsetDateTime,
    ) -> Result<Self, Error> {
        let Planned { place, wanted, .. } = planned;
        let old = match planned.before {
            None => None,
            Some(_) => {
                let root = roots.at(&place.directory).map_err(|_| planned.changed())?;
                let name = match wanted.has_backup {
                    true => backup::name(&place.name, time),
                    false => format!(".{}.zpki-old", place.name.display()),
                };
                Some(backup::free_name(root, &name)?)
            }
        };
        Ok(Self {
            path: place.path(),
            before: planned.before,
            after: planned.after,
            old,
            has_backup: wanted.has_backup,
        })
    }

    pub(super) fn changed(&self) -> Error {
        Error::Changed {
            path: self.path.clone(),
        }
    }

    /// Where the old file is kept, of the file that was `named` so.
    pub(super) fn backup(&self, named: &Path, time: OffsetDateTime) -> Option<Backup> {
        let old = self.old.as_ref()?;
        Some(Backup {
            of: named.to_owned(),
            path: self.path.with_file_name(old),
            time,
        })
    }
}

impl Record {
    /// What is to be done in `directories`, which are there and sorted.
    pub(super) fn new<'a>(
        time: OffsetDateTime,
        directories: impl Iterator<Item = &'a Path>,
        made: impl Iterator<Item = &'a PathBuf>,
        files: Vec<Entry>,
    ) -> Self {
        let directories: Vec<_> = directories.map(Path::to_owned).collect();
        let made: BTreeSet<_> = made.cloned().collect();
        Self {
            schema: SCHEMA,
            time,
            decider: directories.first().cloned().unwrap_or_default(),
            directories,
            made: made.into_iter().collect(),
            files,
        }
    }

    /// Writes it into one of its directories, durably.
    pub(super) fn write(&self, root: &Root) -> Result<(), Error> {
        let (new, path) = (Path::new(NEW), Path::new(EXCHANGE));
        let bytes = serde_json::to_vec(self).map_err(|error| root.error("write", path, error))?;
        let file = root.write_stage(new, MODE, &bytes)?;
        root.sync_file(&file, new)?;
        root.rename(new, path)?;
        root.sync_directory(Path::new(""))
    }

    /// The record of this name, if there is one. It has to be one that this user has written: root acts on
    /// it, and others may write into some of its directories.
    pub(super) fn read(root: &Root, name: &str) -> Result<Option<Self>, Error> {
        let path = Path::new(name);
        let refused = |because: String| Error::Record {
            path: root.shown(path),
            because,
        };
        let Some(Owned { user, bytes, .. }) = root.read_owned(path)? else {
            return Ok(None);
        };
        if user != rustix::process::geteuid().as_raw() {
            return Err(refused(format!(
                "user {user} has written it, and it is of use to that user only"
            )));
        }
        let record: Self =
            serde_json::from_slice(&bytes).map_err(|error| refused(error.to_string()))?;
        record.check().map_err(|because| refused(because.into()))?;
        Ok(Some(record))
    }

    /// That it is one that this version has written.
    fn check(&self) -> Result<(), &'static str> {
        let is_here = |path: &Path| {
            let directory = path.parent();
            let mut directories = self.directories.iter().chain(&self.made);
            path.file_name().is_some() && directories.any(|it| Some(it.as_path()) == directory)
        };
        let is_name = |old: &PathBuf| old.file_name() == Some(old.as_os_str());
        if self.schema != SCHEMA {
            return Err("it was written by another version of zpki");
        }
        let of_files = self.files.iter().map(|entry| entry.path.as_path());
        let mut paths = of_files.chain(self.made.iter().map(PathBuf::as_path));
        let is_sound = self.directories.contains(&self.decider)
            && self.directories.iter().all(|path| path.is_absolute())
            && paths.all(is_here)
            && self
                .files
                .iter()
                .all(|it| it.old.as_ref().is_none_or(is_name));
        match is_sound {
            true => Ok(()),
            false => Err("it names files that are in none of its directories"),
        }
    }
}

/// Removes the record of this name, and what of one is not in place yet, durably.
pub(super) fn remove(root: &Root, name: &str) -> Result<(), Error> {
    root.remove(Path::new(NEW))?;
    root.remove(Path::new(name))?;
    root.sync_directory(Path::new(""))
}
