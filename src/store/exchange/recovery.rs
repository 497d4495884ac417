//! Exchanges that a killed run has left.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::place::{self, Roots};
use super::record::{EXCHANGE, KEPT, NEW, Record};
use super::{Exchange, Links};
use crate::store::error::Error;
use crate::store::fault::Faults;
use crate::store::root::Root;

/// An exchange of a killed run that is in order now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Recovered {
    /// What has become of it.
    pub outcome: Outcome,
    /// The files that were changed together.
    pub files: Vec<PathBuf>,
    /// When it was begun.
    pub time: OffsetDateTime,
}

/// What has become of an exchange.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It had been kept, and the files are the new ones.
    Finished,
    /// It had not been kept, and the files are the old ones.
    TakenBack,
}

/// An exchange that can still be taken back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Open {
    /// A directory that it has a record in.
    pub directory: PathBuf,
    /// The files; none where the record may not be read by this user.
    pub files: Vec<PathBuf>,
    /// Whether its run is still at work, as far as can be seen.
    pub is_running: bool,
}

/// Puts in order what a killed run has left of exchanges in the directories of `files`, be they there
/// or not: whatever else was changed together with these files, too.
///
/// # Errors
/// [`Error::Exchanging`] when such a run is not dead; [`Error::Conflict`] when somebody has changed a file
/// since; [`Error::Lost`]; [`Error::Record`]; [`Error::Forbidden`]; [`Error::Io`].
pub fn recover(files: &[&Path]) -> Result<Vec<Recovered>, Error> {
    recover_with(files, &Faults::default())
}

pub(super) fn recover_with(files: &[&Path], faults: &Faults) -> Result<Vec<Recovered>, Error> {
    let mut recovered = Vec::new();
    for directory in directories(files)? {
        sweep(&directory, faults).map_err(Error::of_others)?;
        for home in homes(&directory) {
            recovered.extend(recover_in(&home, faults).map_err(Error::of_others)?);
        }
    }
    Ok(recovered)
}

/// An exchange in the directories of `files` that is under way, or that a killed run has left. Writes
/// nothing.
///
/// # Errors
/// [`Error::Record`]; [`Error::Forbidden`]; [`Error::Io`].
pub fn open_at(files: &[&Path]) -> Result<Option<Open>, Error> {
    for directory in directories(files)? {
        for home in homes(&directory) {
            if let Some(open) = open_in(&home).map_err(Error::of_others)? {
                return Ok(Some(open));
            }
        }
    }
    Ok(None)
}

/// Where exchanges of `files` may have left a record.
fn directories(files: &[&Path]) -> Result<BTreeSet<PathBuf>, Error> {
    let mut found = BTreeSet::new();
    for file in files {
        found.insert(place::nearest(file)?.0);
        // What a link leads to, if that is there.
        if let Ok(place) = place::Place::of(file, Links::Followed) {
            found.insert(place.existing().to_owned());
        }
    }
    Ok(found)
}

/// The directories that have a record of an exchange in `directory`: that one itself, and those above
/// it, which are where it stands when the exchange has just made `directory`.
pub(super) fn homes(directory: &Path) -> Vec<PathBuf> {
    let has_record = |above: &Path| {
        let names = [EXCHANGE, KEPT];
        names.iter().any(|name| is_there(&above.join(name)))
    };
    let above = directory.ancestors().filter(|above| has_record(above));
    let homes = above.filter(|above| *above == directory || has_made(above, directory));
    homes.map(Path::to_owned).collect()
}

/// Whether an exchange of this user has a record in `above`, by which `directory` was made.
fn has_made(above: &Path, directory: &Path) -> bool {
    let record =
        Root::open(above, &Faults::default()).and_then(|root| Record::read(&root, EXCHANGE));
    // What this user has not written, or may not read, did not make it.
    let record = record.ok().flatten();
    record.is_some_and(|record| record.made.iter().any(|made| made == directory))
}

fn is_there(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

/// Removes what is left of a record that was not written to its end, before anything else was changed.
fn sweep(directory: &Path, faults: &Faults) -> Result<(), Error> {
    if is_there(&directory.join(NEW)) && homes(directory).is_empty() {
        let roots = Roots::lock([directory].into_iter(), faults)?;
        let root = roots.at(directory)?;
        if !root.is_taken(Path::new(EXCHANGE))? {
            root.remove(Path::new(NEW))?;
            root.sync_directory(Path::new(""))?;
        }
    }
    Ok(())
}

/// Where an exchange was when its run was killed.
enum State {
    Begun,
    Kept,
}

fn recover_in(home: &Path, faults: &Faults) -> Result<Option<Recovered>, Error> {
    // It has gone if it was made by an exchange that has been taken back just now.
    let record = match is_there(home) {
        true => read_any(&Root::open(home, faults)?)?,
        false => None,
    };
    let Some(record) = record else {
        return Ok(None);
    };
    let made = record.made.iter().filter(|path| is_there(path));
    let directories = record.directories.iter().chain(made);
    let roots = Roots::lock(directories.map(PathBuf::as_path), faults)?;
    // Another run may have put it in order meanwhile.
    if read_any(roots.at(home)?)?.as_ref() != Some(&record) {
        return Ok(None);
    }
    let state = state_of(&record, roots.at(&record.decider)?, home)?;
    let files = record.files.iter().map(|entry| entry.path.clone());
    let (files, time) = (files.collect(), record.time);
    let exchange = remaining(record, roots)?;
    let outcome = match state {
        State::Begun => {
            exchange.undo()?;
            Outcome::TakenBack
        }
        State::Kept => {
            exchange.finish()?;
            Outcome::Finished
        }
    };
    Ok(Some(Recovered {
        outcome,
        files,
        time,
    }))
}

/// What there is to do: nothing in a directory without the record, which is as it was, or in order
/// already. So nobody who keeps a record of root's has files changed where only root may write.
fn remaining(mut record: Record, mut roots: Roots) -> Result<Exchange, Error> {
    let mut held = BTreeSet::new();
    let mut others = Vec::new();
    for path in roots.paths() {
        match read_any(roots.at(path)?)? {
            Some(found) if found == record => _ = held.insert(path.to_owned()),
            Some(_) => others.push(path.to_owned()),
            None => {}
        }
    }
    others.iter().for_each(|path| roots.remove(path));
    let is_held = |path: &Path| path.parent().is_some_and(|parent| held.contains(parent));
    record.files.retain(|entry| is_held(&entry.path));
    record
        .made
        .retain(|path| held.contains(path) || is_held(path));
    Ok(Exchange { record, roots })
}

fn read_any(root: &Root) -> Result<Option<Record>, Error> {
    match Record::read(root, KEPT)? {
        None => Record::read(root, EXCHANGE),
        kept => Ok(kept),
    }
}

/// What the deciding directory says of the exchange whose record is in `home`.
fn state_of(record: &Record, decider: &Root, home: &Path) -> Result<State, Error> {
    for (name, state) in [(KEPT, State::Kept), (EXCHANGE, State::Begun)] {
        if Record::read(decider, name)?.as_ref() == Some(record) {
            return Ok(state);
        }
    }
    Err(Error::Record {
        path: home.join(EXCHANGE),
        because: format!(
            "what became of it should stand in {}",
            record.decider.join(EXCHANGE).display()
        ),
    })
}

fn open_in(home: &Path) -> Result<Option<Open>, Error> {
    let root = Root::open(home, &Faults::default())?;
    let open = |files| {
        Ok(Some(Open {
            directory: home.to_owned(),
            files,
            is_running: root.is_locked()?,
        }))
    };
    let record = match Record::read(&root, EXCHANGE) {
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::PermissionDenied => {
            return open(Vec::new());
        }
        record => record?,
    };
    let Some(record) = record else {
        return Ok(None);
    };
    if is_kept(&record)? {
        return Ok(None);
    }
    open(record.files.into_iter().map(|entry| entry.path).collect())
}

/// Whether the deciding directory says that the files stay.
fn is_kept(record: &Record) -> Result<bool, Error> {
    let root = match Root::open(&record.decider, &Faults::default()) {
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(false),
        root => root?,
    };
    Ok(Record::read(&root, KEPT)?.as_ref() == Some(record))
}
