//! A transaction as it stands on disk, from which it can be thrown away or carried out to the end by
//! any run, however often that is interrupted too.
//!
//! It is written as `.zpki/intent` before the first stage is, and renamed to `.zpki/journal` when
//! every stage is durable: that rename is the commit.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType};
use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroizing;

use crate::domain::digest::Digest;
use crate::x509::digest::sha256;

use super::STATE;
use super::error::Error;
use super::file::{self, Directory};
use super::generation::{self, GENERATION};
use super::lock::Recovered;
use super::root::{Root, Standing, parent};
use super::transaction::{Change, Transaction, for_each};

pub(super) const INTENT: &str = ".zpki/intent";
pub(super) const JOURNAL: &str = ".zpki/journal";

/// There is no secret in it; and the owner of the PKI directory, who is not root, has to see what root does.
const MODE: u32 = 0o644;
const SCHEMA: u32 = 1;

/// Everything there is to do, in full: a later version of zpki may have to finish it.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Journal {
    schema: u32,
    /// Those that were missing, parents first.
    pub(super) directories: Vec<Directory>,
    pub(super) steps: Vec<Step>,
}

/// One change. Each path of a transaction is in one step only. Steps are done in their order.
#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub(super) enum Step {
    Delete {
        path: PathBuf,
        #[serde(deserialize_with = "digest")]
        before: Digest,
    },
    Move {
        from: PathBuf,
        to: PathBuf,
        #[serde(deserialize_with = "digest")]
        before: Digest,
    },
    MoveDirectory {
        from: PathBuf,
        to: PathBuf,
    },
    Put {
        path: PathBuf,
        stage: PathBuf,
        #[serde(deserialize_with = "optional_digest")]
        before: Option<Digest>,
        #[serde(deserialize_with = "digest")]
        after: Digest,
    },
    SetMode {
        path: PathBuf,
        before: u32,
        mode: u32,
    },
}

/// Directories in which something is to change, and what they are like.
type Above<'a> = HashMap<&'a Path, Standing>;

/// What a step does to the disk.
enum Action<'a> {
    MoveDirectory { from: &'a Path, to: &'a Path },
    Remove { path: &'a Path, before: Digest },
    Rename(Rename<'a>),
    SetMode(SetMode<'a>),
}

/// A rename, which is what a move is, and a put once its stage is written.
struct Rename<'a> {
    from: &'a Path,
    to: &'a Path,
    /// What is replaced.
    before: Option<Digest>,
    after: Digest,
}

/// New permission bits.
struct SetMode<'a> {
    path: &'a Path,
    before: u32,
    mode: u32,
}

/// Finishes what a killed run has committed, or removes what it has not.
///
/// # Errors
/// [`Error::ForeignRun`] when that was a run of neither this user nor root: root works in directories of
/// others, who can put a journal there by which it would change what they may not.
pub(super) fn recover(root: &Root) -> Result<Option<Recovered>, Error> {
    let path = Path::new(JOURNAL);
    if let Some(bytes) = read_trusted(root, path)? {
        Journal::parse(&bytes)
            .map_err(|because| unreadable(root, path, because))?
            .resume(root)?;
        return Ok(Some(Recovered::RolledForward));
    }
    let path = Path::new(INTENT);
    let Some(bytes) = read_trusted(root, path)? else {
        return Ok(None);
    };
    if is_torn(&bytes) {
        root.remove(path)?;
    } else {
        Journal::parse(&bytes)
            .map_err(|because| unreadable(root, path, because))?
            .undo(root)?;
    }
    Ok(Some(Recovered::ThrownAway))
}

/// The bytes of a file that this user has written, or root.
fn read_trusted(root: &Root, path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    const ROOT: u32 = 0;
    let Some(found) = root.read_owned(path)? else {
        return Ok(None);
    };
    let own = rustix::process::geteuid().as_raw();
    if ![ROOT, own].contains(&found.user) {
        return Err(Error::ForeignRun {
            path: root.shown(path),
            user: found.user,
        });
    }
    // It may be any file of theirs.
    if found.is_linked {
        return Err(unreadable(root, path, "it is a hard link".to_owned()));
    }
    Ok(Some(found.bytes))
}

/// Whether an intent was cut off as it was written. It is durable before anything else is made, so that it
/// is all that there is then; a whole one that says something unknown has stages.
fn is_torn(intent: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(intent).is_err()
}

fn unreadable(root: &Root, path: &Path, because: String) -> Error {
    Error::Journal {
        path: root.shown(path),
        because,
    }
}

impl Journal {
    /// What `transaction` comes to, with nothing written yet.
    pub(super) fn of(root: &Root, transaction: &Transaction) -> Result<Self, Error> {
        transaction.check_paths()?;
        let generation = generation::read(root)?;
        let new = transaction.changes.iter().filter_map(Change::new_path);
        let mut directories = Vec::new();
        let mut missing: HashSet<&Path> = HashSet::new();
        for (path, mode) in file::directories(&transaction.directories, new) {
            let below_missing = path.parent().is_some_and(|up| missing.contains(up));
            if below_missing || is_missing(root, path)? {
                missing.insert(path);
                directories.push(Directory {
                    path: path.to_owned(),
                    mode,
                });
            }
        }
        let step = |change: &Change| Step::of(change, generation);
        let mut steps: Vec<_> = transaction.changes.iter().map(step).collect();
        // A directory that is closed to this process must not be so before its files are in place.
        steps.sort_by_key(|step| step.mode_of().is_some());
        Ok(Self {
            schema: SCHEMA,
            directories,
            steps,
        })
    }

    /// The committed transaction that nobody has finished, if there is one.
    pub(super) fn load(root: &Root) -> Result<Option<Self>, Error> {
        let path = Path::new(JOURNAL);
        let Some(bytes) = root.read(path)? else {
            return Ok(None);
        };
        Self::parse(&bytes)
            .map(Some)
            .map_err(|because| unreadable(root, path, because))
    }

    /// The transaction that is being staged, as far as its intent is written.
    pub(super) fn intent(bytes: &[u8]) -> Option<Self> {
        Self::parse(bytes).ok()
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let journal: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if journal.schema != SCHEMA {
            return Err(format!("its schema is {}, not {SCHEMA}", journal.schema));
        }
        journal
            .paths()
            .try_for_each(file::check_path)
            .map_err(|error| error.to_string())?;
        Ok(journal)
    }

    /// Every path that is named, so that none leads out of the PKI directory.
    fn paths(&self) -> impl Iterator<Item = &Path> {
        let directories = self.directories.iter().map(|directory| &*directory.path);
        let steps = self.steps.iter().flat_map(|step| match step {
            Step::Delete { path, .. } | Step::SetMode { path, .. } => [Some(path), None],
            Step::Move { from, to, .. } | Step::MoveDirectory { from, to } => {
                [Some(from), Some(to)]
            }
            Step::Put { path, stage, .. } => [Some(path), Some(stage)],
        });
        directories.chain(steps.flatten().map(PathBuf::as_path))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.directories.is_empty() && self.steps.is_empty()
    }

    /// Refuses when a file is not what the transaction takes it for; and when this process may not do what
    /// is done after the commit, for found out only then, it would stop every later writer.
    pub(super) fn check(&self, root: &Root) -> Result<(), Error> {
        let changed = self.changed_directories();
        let mut above = HashMap::with_capacity(changed.len());
        for path in changed.keys().copied() {
            if let Some(found) = root.standing(path, AtFlags::empty())? {
                above.insert(path, found);
            }
        }
        for_each(&self.steps, |step| step.check(root, &above))?;
        for (path, found) in &above {
            root.expect_open(path, found, changed[path])?;
        }
        let number = Path::new(GENERATION);
        match root.standing(number, AtFlags::SYMLINK_NOFOLLOW)? {
            Some(_) => expect_movable(root, number, &above),
            None => Ok(()),
        }
    }

    /// The directories that were there before and in which something appears, each with whether anything
    /// vanishes there, if only a stage.
    fn changed_directories(&self) -> HashMap<&Path, bool> {
        let new = self.directories.iter().map(|directory| &*directory.path);
        let new: HashSet<&Path> = new.collect();
        let mut changed = HashMap::from([(Path::new(STATE), true)]);
        for (path, vanishes) in self.steps.iter().flat_map(Step::entries) {
            let directory = parent(path);
            if !new.contains(directory) {
                *changed.entry(directory).or_default() |= vanishes;
            }
        }
        changed
    }

    /// Makes the intent durable. It belongs to the user of this process, in anybody's directory.
    pub(super) fn write_intent(&self, root: &Root) -> Result<(), Error> {
        let path = Path::new(INTENT);
        let bytes = self.bytes(root, path)?;
        let file = root.write_new(path, MODE, &bytes)?;
        root.sync_file(&file, path)?;
        root.sync_directory(Path::new(STATE))
    }

    fn bytes(&self, root: &Root, path: &Path) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(self).map_err(|error| root.error("write", path, error))
    }

    /// Makes everything but the renames durable.
    pub(super) fn sync_stages(&self, root: &Root) -> Result<(), Error> {
        let stages: Vec<_> = self.steps.iter().filter_map(Step::stage).collect();
        let mut directories = self.touched();
        directories.extend(self.directories.iter().map(|directory| &*directory.path));
        root.make_durable(&directories, &stages)
    }

    /// The commit: before it nothing has happened, from here on it will. A rename may answer an error and
    /// have happened: over NFS, a request whose answer is lost is sent again, and finds nothing to rename.
    pub(super) fn commit(&self, root: &Root) -> Result<(), Error> {
        let journal = Path::new(JOURNAL);
        let Err(error) = root.rename(Path::new(INTENT), journal) else {
            return Ok(());
        };
        match root.read_own(journal) {
            Ok(Some(found)) if *found == self.bytes(root, journal)? => Ok(()),
            _ => Err(error),
        }
    }

    /// Whether there is no journal for certain: one that stands needs what [`Journal::undo`] removes.
    pub(super) fn is_uncommitted(root: &Root) -> bool {
        let found = root.stat(Path::new(JOURNAL), AtFlags::SYMLINK_NOFOLLOW);
        matches!(found, Ok(None))
    }

    /// Removes every trace of a transaction that was not committed; the intent last, so that this
    /// can be done again.
    pub(super) fn undo(&self, root: &Root) -> Result<(), Error> {
        generation::discard(root)?;
        for stage in self.steps.iter().filter_map(Step::stage) {
            root.remove(stage)?;
        }
        for directory in self.directories.iter().rev() {
            root.remove_directory(&directory.path)?;
        }
        // What was in `.zpki/` must not come back without the intent, for nobody would look for it.
        let mut left = self.touched();
        left.insert(Path::new(STATE));
        for directory in &self.directories {
            left.remove(&*directory.path);
        }
        root.make_durable(&left, &[])?;
        root.remove(Path::new(INTENT))?;
        root.sync_directory(Path::new(STATE))
    }

    /// Carries out the transaction that this run has just committed. There is nothing to write: a
    /// disk that is full does not stop it.
    pub(super) fn finish(&self, root: &Root) -> Result<(), Error> {
        root.sync_directory(Path::new(STATE))?;
        generation::begin(root)?;
        self.carry_out(root, &self.steps.iter().collect::<Vec<_>>())?;
        generation::end(root)?;
        self.close(root, |_| true)
    }

    /// Carries out the rest of a transaction that a killed run has committed.
    fn resume(&self, root: &Root) -> Result<(), Error> {
        let pending = self.pending(root)?;
        root.sync_directory(Path::new(STATE))?;
        generation::bump(root)?;
        self.carry_out(root, &pending)?;
        generation::bump(root)?;
        generation::discard(root)?;
        // What somebody has removed since is nothing to make durable.
        self.close(root, |path| {
            !matches!(root.stat(path, AtFlags::SYMLINK_NOFOLLOW), Ok(None))
        })
    }

    fn carry_out(&self, root: &Root, steps: &[&Step]) -> Result<(), Error> {
        // Nobody reads what is new before something that is not leads there.
        let (new, others): (Vec<&Step>, Vec<&Step>) = steps.iter().partition(|step| step.is_new());
        for_each(&new, |step| step.apply(root))?;
        others.iter().try_for_each(|step| step.apply(root))
    }

    /// Ends a transaction that is carried out: makes that durable, and what was done in `.zpki/` too, for
    /// without the journal nobody would do it again.
    fn close(&self, root: &Root, is_there: impl Fn(&Path) -> bool) -> Result<(), Error> {
        let mut directories = self.touched();
        directories.retain(|path| is_there(path));
        directories.insert(Path::new(STATE));
        let modes = self.steps.iter().filter_map(Step::mode_of);
        let modes: Vec<_> = modes.filter(|path| is_there(path)).collect();
        root.make_durable(&directories, &modes)?;
        root.remove(Path::new(JOURNAL))?;
        root.sync_directory(Path::new(STATE))
    }

    /// The steps that a killed run has not done; or what stands in their way, before any is done.
    fn pending(&self, root: &Root) -> Result<Vec<&Step>, Error> {
        let mut pending = Vec::new();
        for step in &self.steps {
            if step.is_pending(root)? {
                pending.push(step);
            }
        }
        Ok(pending)
    }

    /// The directories in which something appears or vanishes.
    fn touched(&self) -> BTreeSet<&Path> {
        self.paths().filter_map(Path::parent).collect()
    }
}

impl Step {
    fn of(change: &Change, generation: u64) -> Self {
        match change {
            Change::Delete { path, before } => Self::Delete {
                path: path.clone(),
                before: *before,
            },
            Change::Move { from, to, before } => Self::Move {
                from: from.clone(),
                to: to.clone(),
                before: *before,
            },
            Change::MoveDirectory { from, to } => Self::MoveDirectory {
                from: from.clone(),
                to: to.clone(),
            },
            Change::Put { file, before } => Self::Put {
                path: file.path.clone(),
                stage: stage_of(&file.path, generation),
                before: *before,
                after: sha256(&file.bytes),
            },
            Change::SetMode { path, before, mode } => Self::SetMode {
                path: path.clone(),
                before: *before,
                mode: *mode,
            },
        }
    }

    /// The names that appear or vanish, each with whether its directory loses one.
    fn entries(&self) -> impl Iterator<Item = (&Path, bool)> {
        let entries = match self {
            Self::Delete { path, .. } | Self::Put { path, .. } => [Some((path, true)), None],
            Self::Move { from, to, .. } | Self::MoveDirectory { from, to } => {
                [Some((from, true)), Some((to, false))]
            }
            Self::SetMode { .. } => [None, None],
        };
        let entries = entries.into_iter().flatten();
        entries.map(|(path, vanishes)| (path.as_path(), vanishes))
    }

    fn check(&self, root: &Root, above: &Above<'_>) -> Result<(), Error> {
        match self {
            Self::Delete { path, before } => expect(root, path, *before, above),
            Self::Move { from, to, before } => {
                expect(root, from, *before, above)?;
                expect_nothing(root, to)?;
                expect_one_mount(root, from, nearest(root, to)?)
            }
            Self::MoveDirectory { from, to } => {
                if !is_directory(root, from)? {
                    return Err(changed(root, from));
                }
                expect_nothing(root, to)?;
                expect_movable(root, from, above)?;
                expect_one_mount(root, from, nearest(root, to)?)?;
                // Its `..` changes.
                if parent(from) == parent(to) {
                    return Ok(());
                }
                root.expect_writable("move", from)
            }
            Self::Put { path, before, .. } => match before {
                Some(before) => expect(root, path, *before, above),
                None => expect_nothing(root, path),
            },
            Self::SetMode { path, before, .. } => {
                let found = root.standing(path, AtFlags::SYMLINK_NOFOLLOW)?;
                match (root.mode(path)?, found) {
                    (Some(mode), Some(found)) if mode == *before => {
                        root.expect_mode_settable(path, &found)
                    }
                    _ => Err(changed(root, path)),
                }
            }
        }
    }

    /// Where the file is written before it is put in place.
    pub(super) fn stage(&self) -> Option<&Path> {
        match self {
            Self::Put { stage, .. } => Some(stage),
            Self::Delete { .. }
            | Self::Move { .. }
            | Self::MoveDirectory { .. }
            | Self::SetMode { .. } => None,
        }
    }

    /// Whether it makes a file where none was.
    fn is_new(&self) -> bool {
        matches!(self, Self::Put { before: None, .. })
    }

    /// What gets another mode and stays where it is.
    fn mode_of(&self) -> Option<&Path> {
        match self {
            Self::SetMode { path, .. } => Some(path),
            Self::Delete { .. }
            | Self::Move { .. }
            | Self::MoveDirectory { .. }
            | Self::Put { .. } => None,
        }
    }

    fn action(&self) -> Action<'_> {
        match self {
            Self::Delete { path, before } => Action::Remove {
                path,
                before: *before,
            },
            Self::Move { from, to, before } => Action::Rename(Rename {
                from,
                to,
                before: None,
                after: *before,
            }),
            Self::MoveDirectory { from, to } => Action::MoveDirectory { from, to },
            Self::Put {
                path,
                stage,
                before,
                after,
            } => Action::Rename(Rename {
                from: stage,
                to: path,
                before: *before,
                after: *after,
            }),
            Self::SetMode { path, before, mode } => Action::SetMode(SetMode {
                path,
                before: *before,
                mode: *mode,
            }),
        }
    }

    fn apply(&self, root: &Root) -> Result<(), Error> {
        match self.action() {
            Action::MoveDirectory { from, to } => match root.rename_new(from, to)? {
                true => Ok(()),
                false => Err(conflict(root, to)),
            },
            Action::Remove { path, .. } => root.remove(path),
            Action::Rename(rename) => rename.apply(root),
            Action::SetMode(SetMode { path, mode, .. }) => root.set_mode(path, mode),
        }
    }

    /// Whether this is still to be done, and nothing that somebody else wrote would be lost by it.
    fn is_pending(&self, root: &Root) -> Result<bool, Error> {
        match self.action() {
            Action::MoveDirectory { from, to } => {
                match (is_directory(root, from)?, is_directory(root, to)?) {
                    (true, false) => Ok(true),
                    (true, true) => Err(conflict(root, to)),
                    // Moved, or removed by hand since, from where it was or is to be.
                    (false, _) => Ok(false),
                }
            }
            Action::Remove { path, before } => match root.digest(path)? {
                Some(found) if found == before => Ok(true),
                Some(_) => Err(conflict(root, path)),
                None => Ok(false),
            },
            Action::Rename(rename) => rename.is_pending(root),
            // What is gone, or has been set by hand since, is nothing to be put right.
            Action::SetMode(SetMode { path, before, mode }) => {
                Ok(mode != before && root.mode(path)? == Some(before))
            }
        }
    }
}

impl Rename<'_> {
    fn apply(&self, root: &Root) -> Result<(), Error> {
        if self.before.is_some() {
            return root.rename(self.from, self.to);
        }
        if root.rename_new(self.from, self.to)? {
            return Ok(());
        }
        // Made by hand in the last instant; only the very same bytes are no loss.
        if root.digest(self.to)? == Some(self.after) {
            return root.remove(self.from);
        }
        Err(conflict(root, self.to))
    }

    fn is_pending(&self, root: &Root) -> Result<bool, Error> {
        let from = root.digest(self.from)?;
        let to = root.digest(self.to)?;
        if from.is_none() && to == Some(self.after) {
            return Ok(false);
        }
        if from != Some(self.after) {
            return Err(Error::Lost {
                path: root.shown(self.from),
            });
        }
        // Nothing at all is in nobody's way: what was moved aside by hand is safe.
        if to.is_none() || to == self.before || to == Some(self.after) {
            return Ok(true);
        }
        Err(conflict(root, self.to))
    }
}

/// A dot-name in the target's own directory, since a rename cannot leave its file system. The
/// generation makes it unique to its transaction, so that a reader which still looks through an
/// older journal never takes the stage of a newer one for its own.
fn stage_of(path: &Path, generation: u64) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.zpki-{generation}"))
}

/// Whether a directory is there; a link to one is none.
fn is_directory(root: &Root, path: &Path) -> Result<bool, Error> {
    let found = root.stat(path, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(found.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory))
}

/// Whether a directory has to be made; an error when something else has its name.
fn is_missing(root: &Root, path: &Path) -> Result<bool, Error> {
    let Some(occupant) = root.occupant(path)? else {
        return Ok(true);
    };
    let found = root.stat(path, AtFlags::empty())?;
    match found.map(|stat| FileType::from_raw_mode(stat.st_mode)) {
        Some(FileType::Directory) => Ok(false),
        _ => Err(occupant),
    }
}

fn expect(root: &Root, path: &Path, before: Digest, above: &Above<'_>) -> Result<(), Error> {
    if root.digest(path)? == Some(before) {
        return expect_movable(root, path, above);
    }
    Err(changed(root, path))
}

/// That `path` can be renamed, replaced or removed where it is.
fn expect_movable(root: &Root, path: &Path, above: &Above<'_>) -> Result<(), Error> {
    let found = root.standing(path, AtFlags::SYMLINK_NOFOLLOW)?;
    let Some((found, above)) = found.zip(above.get(parent(path))) else {
        return Err(changed(root, path));
    };
    if !found.is_on_mount_of(above) {
        return Err(mounted(root, path));
    }
    root.expect_movable(path, &found, above)
}

/// The same of a file in the directory that is open.
pub(super) fn expect_replaceable(root: &Root, name: &Path) -> Result<(), Error> {
    let here = Path::new("");
    let above = root.standing(here, AtFlags::empty())?;
    expect_movable(
        root,
        name,
        &above.map(|found| (here, found)).into_iter().collect(),
    )
}

/// That `path` can be renamed into `directory`.
fn expect_one_mount(root: &Root, path: &Path, directory: &Path) -> Result<(), Error> {
    let found = root.standing(path, AtFlags::SYMLINK_NOFOLLOW)?;
    match found.zip(root.standing(directory, AtFlags::empty())?) {
        Some((found, above)) if found.is_on_mount_of(&above) => Ok(()),
        Some(_) => Err(mounted(root, path)),
        None => Err(changed(root, path)),
    }
}

fn changed(root: &Root, path: &Path) -> Error {
    Error::Changed {
        path: root.shown(path),
    }
}

fn mounted(root: &Root, path: &Path) -> Error {
    Error::Mounted {
        path: root.shown(path),
    }
}

/// The directory above `path` that is there already.
fn nearest<'a>(root: &Root, path: &'a Path) -> Result<&'a Path, Error> {
    let mut directory = parent(path);
    while root.stat(directory, AtFlags::empty())?.is_none() {
        directory = parent(directory);
    }
    Ok(directory)
}

fn expect_nothing(root: &Root, path: &Path) -> Result<(), Error> {
    root.occupant(path)?.map_or(Ok(()), Err)
}

fn conflict(root: &Root, path: &Path) -> Error {
    Error::Conflict {
        path: root.shown(path),
    }
}

fn digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse()
        .map_err(|_| D::Error::custom("not a SHA-256 digest"))
}

pub(super) fn optional_digest<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Digest>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| {
        text.parse()
            .map_err(|_| D::Error::custom("not a SHA-256 digest"))
    })
    .transpose()
}
