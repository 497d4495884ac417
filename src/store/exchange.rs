//! Files that belong to others, wherever they are, replaced together or not at all, with a way back.
//!
//! There is no journal that all of them share, so each directory in which a file changes has a record of
//! the whole exchange, and the first of them decides:
//!
//! 1. The directories are locked, and everything is looked at: what is not as it was when it was read, or
//!    may not be replaced, is refused here.
//! 2. The record is written, in the deciding directory first. From here on a run that is killed is undone
//!    by the next one: [`recover`].
//! 3. Each new file is staged under a dot-name in its own directory, closed to others until it has the
//!    owner, label, access control list and mode that it shall have. Each old one gets a second name.
//! 4. The files are renamed into place, in the order in which they are given. This is [`begin`].
//! 5. [`InPlace::keep`] renames the record that decides. This is the commit: what is left to do then is to
//!    remove what is needed no more, and a later run does that too. [`InPlace::undo`] renames the old
//!    files back instead: the very same files, whatever was known of them.
//!
//! A reader of these files sees each of them as the old one or the new one, whole. Between the first rename
//! and the last it sees some of both: who needs them to fit gives them in an order that does.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::domain::digest::Digest;
use crate::x509::digest::sha256;

use super::error::Error;
use super::fault::Faults;
use super::root::{LONGEST, Likeness, Root};

mod backup;
mod place;
mod record;
mod recovery;
#[cfg(test)]
mod tests;
mod undo;

pub use self::backup::{Backup, backups};
pub use self::recovery::{Open, Outcome, Recovered, open_at, recover};

use self::place::{Place, Roots};
use self::record::{EXCHANGE, Entry, KEPT, Record};

/// The mode of a new file whose [`Access`] is [`Access::Kept`].
const PRIVATE_FILE: u32 = 0o600;

/// One file of an exchange.
pub struct Replacement {
    /// Where it is.
    pub path: PathBuf,
    /// What it held when it was read; None: nothing stood there.
    pub from: Option<Zeroizing<Vec<u8>>>,
    /// What it shall hold; None: it shall be gone.
    pub to: Option<Zeroizing<Vec<u8>>>,
    /// Whose it is and who may read it.
    pub access: Access,
    /// Whether the old file is kept beside it, as `NAME.zpki-TIME`, when the exchange is. In a directory
    /// that HAProxy loads whole (`crt`) that would be another certificate.
    pub has_backup: bool,
}

/// Whose a file is, and who may read it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Access {
    /// As of the file that is replaced: owner, group, mode, access control list, SELinux label. What is
    /// new belongs to whom its directory belongs to, who alone may read it.
    Kept,
    /// Somebody's from the first byte on, and no access control list.
    Like {
        /// The user and group whom this file, which is there already, belongs to.
        owner_of: PathBuf,
        /// The permission bits.
        mode: u32,
    },
}

/// What is done where a link leads out of its directory. Those that lead to another name in it are
/// followed, for what changes is where it is looked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Links {
    /// The file that it leads to is replaced, and the link stays.
    Followed,
    /// Nothing changes.
    Refused,
}

/// Files that were put in place. Dropped before they are [kept](Self::keep), they are taken back.
#[derive(Debug)]
#[must_use = "dropped, the files are taken back"]
pub struct InPlace {
    /// None: nothing changes, or that was decided.
    exchange: Option<Exchange>,
    /// The files of its record, as they were named.
    named: Vec<PathBuf>,
}

/// An exchange that this run holds the locks of.
#[derive(Debug)]
struct Exchange {
    record: Record,
    roots: Roots,
}

/// Puts all of `replacements` in place, durably. Those that change nothing are passed over.
///
/// Directories that are missing are made, with mode 0755 and the owner of what is put into them. `time`
/// is what the backups are named for.
///
/// # Errors
/// Everything is as it was then, but for [`Error::NotTakenBack`]. [`Error::Changed`] when a file is not
/// what it was when it was read; [`Error::Link`], [`Error::DanglingLink`], [`Error::NotAFile`],
/// [`Error::Mounted`], [`Error::SameName`]; [`Error::Foreign`], [`Error::Attribute`] and
/// [`Error::Forbidden`] when this user may not do it; [`Error::Exchanging`] when another run is at work;
/// [`Error::CutShort`] when one was killed and nobody called [`recover`]; [`Error::Io`].
pub fn begin(
    replacements: &[Replacement],
    time: OffsetDateTime,
    links: Links,
) -> Result<InPlace, Error> {
    begin_with(replacements, time, links, &Faults::default())
}

fn begin_with(
    replacements: &[Replacement],
    time: OffsetDateTime,
    links: Links,
    faults: &Faults,
) -> Result<InPlace, Error> {
    let wanted = replacements.iter().filter(|it| it.changes_something());
    let planned: Vec<_> = wanted
        .map(|replacement| Planned::of(replacement, links))
        .collect::<Result<_, _>>()?;
    if planned.is_empty() {
        return Ok(InPlace {
            exchange: None,
            named: Vec::new(),
        });
    }
    let exchange = Exchange::open(&planned, time, faults).map_err(Error::of_others)?;
    let likenesses = exchange.check(&planned).map_err(Error::of_others)?;
    exchange.write_first_record().map_err(Error::of_others)?;
    exchange.carry_out(&planned, &likenesses, faults)
}

impl Replacement {
    fn changes_something(&self) -> bool {
        let is_same = match (&self.from, &self.to) {
            (None, None) => true,
            (from, to) => from == to && self.access == Access::Kept,
        };
        !is_same
    }
}

/// A replacement, and where it takes place.
struct Planned<'a> {
    wanted: &'a Replacement,
    place: Place,
    before: Option<Digest>,
    after: Option<Digest>,
}

impl<'a> Planned<'a> {
    fn of(wanted: &'a Replacement, links: Links) -> Result<Self, Error> {
        let digest = |bytes: &Option<Zeroizing<Vec<u8>>>| bytes.as_ref().map(|it| sha256(it));
        Ok(Self {
            wanted,
            place: Place::of(&wanted.path, links)?,
            before: digest(&wanted.from),
            after: digest(&wanted.to),
        })
    }

    fn changed(&self) -> Error {
        Error::Changed {
            path: self.place.path(),
        }
    }

    /// Whether the file is what it was taken for, and can be replaced.
    fn check(&self, root: Option<&Root>) -> Result<(), Error> {
        if self.wanted.to.as_ref().is_some_and(|to| to.len() > LONGEST) {
            return Err(Error::Io {
                action: "write",
                path: self.place.path(),
                source: std::io::ErrorKind::FileTooLarge.into(),
            });
        }
        let name = &self.place.name;
        let stat = root.map(|root| root.stat(name, AtFlags::SYMLINK_NOFOLLOW));
        let (Some(root), Some(stat)) = (root, stat.transpose()?.flatten()) else {
            return match self.before {
                None => Ok(()),
                Some(_) => Err(self.changed()),
            };
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Error::NotAFile {
                path: self.place.path(),
            });
        }
        let found = root.standing(name, AtFlags::SYMLINK_NOFOLLOW)?;
        let here = root.standing(Path::new(""), AtFlags::empty())?;
        let both = found.zip(here);
        if both.is_none_or(|(found, here)| !found.is_on_mount_of(&here)) {
            return Err(Error::Mounted {
                path: self.place.path(),
            });
        }
        match root.digest(name)? == self.before {
            true => Ok(()),
            false => Err(self.changed()),
        }
    }

    /// What the new file is to be like; `above` is the nearest directory that is there.
    fn likeness(&self, above: &Root) -> Result<Likeness, Error> {
        match &self.wanted.access {
            Access::Like { owner_of, mode } => Likeness::of_owner(owner_of, *mode),
            Access::Kept if self.before.is_some() => above
                .likeness(&self.place.name)?
                .ok_or_else(|| self.changed()),
            Access::Kept => above.own_likeness(PRIVATE_FILE),
        }
    }
}

impl Exchange {
    /// Locks the directories that are there, and says what is to be done.
    fn open(planned: &[Planned<'_>], time: OffsetDateTime, faults: &Faults) -> Result<Self, Error> {
        let mut files = BTreeSet::new();
        for path in planned.iter().map(|it| it.place.path()) {
            if files.contains(&path) {
                return Err(Error::SameName { path });
            }
            files.insert(path);
        }
        let directories = planned.iter().map(|it| it.place.existing());
        let roots = Roots::lock(directories, faults)?;
        for directory in roots.paths() {
            if let Some(path) = recovery::homes(directory).pop() {
                return Err(Error::CutShort { path });
            }
        }
        let entries = planned.iter().map(|it| Entry::of(it, &roots, time));
        let entries = entries.collect::<Result<_, _>>()?;
        let made = planned.iter().flat_map(|it| it.place.missing.iter());
        let record = Record::new(time, roots.paths(), made, entries);
        Ok(Self { record, roots })
    }

    /// Refuses what cannot be done, and says what the new files are to be like.
    fn check(&self, planned: &[Planned<'_>]) -> Result<Vec<Likeness>, Error> {
        let one = |it: &Planned<'_>| {
            it.check(self.roots.get(&it.place.directory))?;
            it.likeness(self.roots.at(it.place.existing())?)
        };
        planned.iter().map(one).collect()
    }

    fn write_first_record(&self) -> Result<(), Error> {
        let root = self.decider()?;
        self.record.write(root).inspect_err(|_| {
            // Nothing else is there yet.
            let _ = record::remove(root, EXCHANGE);
        })
    }

    fn decider(&self) -> Result<&Root, Error> {
        self.roots.at(&self.record.decider)
    }

    fn carry_out(
        mut self,
        planned: &[Planned<'_>],
        likenesses: &[Likeness],
        faults: &Faults,
    ) -> Result<InPlace, Error> {
        let outcome = self
            .prepare(planned, likenesses, faults)
            .and_then(|()| self.replace());
        match outcome {
            Ok(()) => Ok(InPlace {
                exchange: Some(self),
                named: planned.iter().map(|it| it.wanted.path.clone()).collect(),
            }),
            Err(error) => Err(self.give_up(error)),
        }
    }

    /// Puts everything back because of `error`.
    fn give_up(&self, error: Error) -> Error {
        match self.undo() {
            Ok(()) => error.of_others(),
            Err(undoing) => undoing.of_others().not_taken_back(),
        }
    }

    /// Everything but the renames.
    fn prepare(
        &mut self,
        planned: &[Planned<'_>],
        likenesses: &[Likeness],
        faults: &Faults,
    ) -> Result<(), Error> {
        for directory in &self.record.directories {
            if *directory != self.record.decider {
                self.record.write(self.roots.at(directory)?)?;
            }
        }
        for (it, likeness) in planned.iter().zip(likenesses) {
            for directory in &it.place.missing {
                self.make(directory, likeness, faults)?;
            }
            if let Some(bytes) = &it.wanted.to {
                let Place {
                    directory, name, ..
                } = &it.place;
                let root = self.roots.at(directory)?;
                root.write_stage_like(&place::stage(name), name, likeness, bytes)?;
            }
        }
        for entry in &self.record.files {
            let (root, name) = self.roots.of(&entry.path)?;
            if let Some(old) = &entry.old {
                root.link(name, old)?;
                if root.digest(old)? != entry.before {
                    return Err(entry.changed());
                }
            }
        }
        self.roots.sync()
    }

    /// Makes a directory that is missing, if an earlier file has not had it made.
    fn make(&mut self, path: &Path, likeness: &Likeness, faults: &Faults) -> Result<(), Error> {
        if self.roots.get(path).is_some() {
            return Ok(());
        }
        let (above, name) = self.roots.of(path)?;
        if !above.make_directory_like(name, &likeness.of_directory())? {
            return Err(Error::Changed {
                path: path.to_owned(),
            });
        }
        above.sync_directory(Path::new(""))?;
        self.roots.add(path, faults)?;
        self.record.write(self.roots.at(path)?)
    }

    /// The renames.
    fn replace(&self) -> Result<(), Error> {
        for entry in &self.record.files {
            let (root, name) = self.roots.of(&entry.path)?;
            let stage = place::stage(name);
            let Some(old) = &entry.old else {
                if !root.rename_new(&stage, name)? {
                    return Err(entry.changed());
                }
                continue;
            };
            // Only what can be put back is replaced.
            if !root.is_one_file(old, name)? || root.digest(name)? != entry.before {
                return Err(entry.changed());
            }
            match entry.after {
                Some(_) => root.rename(&stage, name)?,
                None => root.remove(name)?,
            }
        }
        self.roots.sync()
    }

    /// `named` are the files of the record, as they were named.
    fn keep(&self, named: &[PathBuf]) -> Result<Vec<Backup>, Error> {
        let committed = self
            .decider()
            .and_then(|root| root.rename(Path::new(EXCHANGE), Path::new(KEPT)));
        if let Err(error) = committed {
            return Err(self.give_up(error));
        }
        self.finish().map_err(Error::unfinished)?;
        let time = self.record.time;
        let files = self.record.files.iter().zip(named);
        let kept = files.filter(|(entry, _)| entry.has_backup);
        Ok(kept
            .filter_map(|(entry, named)| entry.backup(named, time))
            .collect())
    }
}

impl InPlace {
    /// Lets the files stay. The answer is where the old ones are, of which a backup was wanted.
    ///
    /// # Errors
    /// [`Error::Unfinished`] when the files stay, and what is needed no more could not be removed: a
    /// later [`recover`] does it. After any other the old files are back, but for
    /// [`Error::NotTakenBack`].
    pub fn keep(mut self) -> Result<Vec<Backup>, Error> {
        match self.exchange.take() {
            Some(exchange) => exchange.keep(&self.named),
            None => Ok(Vec::new()),
        }
    }

    /// Puts the old files back.
    ///
    /// # Errors
    /// [`Error::NotTakenBack`]: because of [`Error::Conflict`] when somebody has changed a file since, and
    /// all of them are as they were before the call; because of [`Error::Io`], and a later [`recover`]
    /// goes on with it.
    pub fn undo(mut self) -> Result<(), Error> {
        match self.exchange.take() {
            Some(exchange) => exchange
                .undo()
                .map_err(|error| error.of_others().not_taken_back()),
            None => Ok(()),
        }
    }
}

impl Drop for InPlace {
    fn drop(&mut self) {
        if let Some(exchange) = self.exchange.take() {
            // Should this fail, the record stays, and the next run does it.
            let _ = exchange.undo();
        }
    }
}
