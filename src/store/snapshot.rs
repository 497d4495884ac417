//! Reading, without a lock, one state of the PKI directory: that before a transaction or that after
//! it.
//!
//! The generation is compared before and after: if it has changed, so may have what was read, and it
//! is read again; where writers leave no time for that, they are kept out while it is. A committed
//! transaction that nobody has carried out yet (its process was killed, or is just about to) is read
//! as if it were: through its journal, the stages in place of the targets. What is only being staged
//! is hidden.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::{AtFlags, FileType};
use zeroize::Zeroizing;

use super::Store;
use super::command::{self, Command};
use super::error::Error;
use super::generation::GENERATION;
use super::journal::{INTENT, Journal, Step};
use super::lock;
use super::root::Root;

/// How often a read is begun before it is given up; the pauses between add up to some 4 s, longer than
/// any transaction needs for its renames.
const ATTEMPTS: u32 = 12;
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);

/// From this attempt on, writers are kept out: one after the other, they might change something in each.
const UNDISTURBED: u32 = 3;
/// How long to wait for those who come first: as long as writers do by default. If they change nothing
/// meanwhile, a read needs no turn.
const TURN: Duration = Duration::from_secs(30);

/// One state of a PKI directory, as long as [`Store::read`] runs.
#[derive(Debug)]
pub struct Snapshot {
    root: Root,
    /// Directories that a transaction which is not committed has made.
    hidden: HashSet<PathBuf>,
    /// Where a committed transaction that is not carried out has its files; `None`: gone.
    overlay: Overlay,
    /// The modes that such a transaction sets.
    modes: Modes,
}

/// What a file or directory is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Metadata {
    /// Neither a file nor anything else.
    pub is_directory: bool,
    /// The permission bits.
    pub mode: u32,
    /// The numeric user that owns it.
    pub owner: u32,
}

/// What stands at a path, itself and not what it leads to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FileKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link, a socket, a pipe or a device.
    Other,
}

impl Store {
    /// Reads one state with `read`, which is called again when the directory has changed meanwhile.
    /// Nobody is waited for, but where it changes all the time, and nothing is written.
    ///
    /// Who may not enter `.zpki/` (a user other than the owner, who reads the public files) gets no
    /// such promise: each file is whole, but two of them may be of different states.
    ///
    /// # Errors
    /// What `read` answers; [`Error::Busy`]; [`Error::Io`].
    pub fn read<T, E: From<Error>>(
        &self,
        mut read: impl FnMut(&Snapshot) -> Result<T, E>,
    ) -> Result<T, E> {
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                thread::sleep(SHORTEST_PAUSE * 2_u32.pow(attempt));
            }
            let root = Root::open(&self.root, &self.faults)?;
            let _undisturbed = match attempt {
                0..UNDISTURBED => None,
                UNDISTURBED.. => lock::keep_writers_out(&root, TURN),
            };
            let before = Moment::of(&root)?;
            let journal = permitted(Journal::load(&root))?;
            let (overlay, modes) = journal.map(overlay).unwrap_or_default();
            let snapshot = Snapshot {
                hidden: before.staged_directories(),
                overlay,
                modes,
                root,
            };
            let answer = read(&snapshot);
            // An error too may come from having read half of a change.
            if Moment::of(&snapshot.root)? == before {
                return answer;
            }
        }
        Err(E::from(Error::Busy {
            path: self.root.clone(),
        }))
    }
}

impl Snapshot {
    /// The bytes of a file; `None` when there is none.
    ///
    /// # Errors
    /// [`Error::NotAFile`]; [`Error::Io`].
    pub fn bytes(&self, path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        self.look(path, |path| self.root.read(path))
    }

    /// The bytes of a regular file that is not a link; `None` when there is none.
    ///
    /// # Errors
    /// [`Error::NotAFile`]; [`Error::Io`].
    pub fn own_bytes(&self, path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        self.look(path, |path| self.root.read_own(path))
    }

    /// The command in a file; `None` when nothing stands there.
    pub fn command(&self, path: &Path) -> Option<Command> {
        let read = |path: &Path| Ok(command::read(&self.root, path));
        self.look(path, read).ok().flatten()
    }

    /// What stands at a path; `None` when there is nothing.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn kind(&self, path: &Path) -> Result<Option<FileKind>, Error> {
        let stat = self.look(path, |path| self.root.stat(path, AtFlags::SYMLINK_NOFOLLOW))?;
        Ok(
            stat.map(|stat| match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => FileKind::Directory,
                FileType::RegularFile => FileKind::File,
                _ => FileKind::Other,
            }),
        )
    }

    /// What a file or directory is, through links; `None` when there is none.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn metadata(&self, path: &Path) -> Result<Option<Metadata>, Error> {
        let stat = self.look(path, |path| self.root.stat(path, AtFlags::empty()))?;
        Ok(stat.map(|stat| {
            let found = stat.st_mode & 0o7777;
            let mode = match self.modes.get(path) {
                Some((before, mode)) if found == *before => *mode,
                _ => found,
            };
            Metadata {
                is_directory: FileType::from_raw_mode(stat.st_mode) == FileType::Directory,
                mode,
                owner: stat.st_uid,
            }
        }))
    }

    /// The names in a directory, sorted, without those that begin with a dot; none when there is no
    /// such directory. The empty path is the PKI directory itself.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn list(&self, directory: &Path) -> Result<Vec<OsString>, Error> {
        let mut names = match self.moved(directory) {
            Moved::No => self.root.list(directory)?,
            Moved::Away => Vec::new(),
            Moved::Here(first) => match self.root.list(&first)? {
                names if names.is_empty() => self.root.list(directory)?,
                names => names,
            },
        };
        names.retain(|name| !self.hidden.contains(&directory.join(name)));
        for (path, place) in &self.overlay {
            let Some(name) = path
                .file_name()
                .filter(|_| path.parent() == Some(directory))
            else {
                continue;
            };
            names.retain(|known| known != name);
            if place.is_some() {
                names.push(name.to_owned());
            }
        }
        names.retain(|name| !name.as_bytes().starts_with(b"."));
        names.sort_unstable();
        Ok(names)
    }

    /// Asks for `path` where it is now. A rename under way may take it from its first place to its
    /// last between two questions, but never back.
    fn look<T>(
        &self,
        path: &Path,
        ask: impl Fn(&Path) -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        if self.hidden.contains(path) {
            return Ok(None);
        }
        match self.moved(path) {
            Moved::Here(first) => match ask(&first)? {
                None => ask(path),
                found => Ok(found),
            },
            Moved::Away => Ok(None),
            Moved::No => ask(path),
        }
    }

    /// What a committed transaction that is not carried out does to `path`, by itself or with the
    /// directory that it is in.
    fn moved(&self, path: &Path) -> Moved {
        if self.overlay.is_empty() {
            return Moved::No;
        }
        for place in path.ancestors() {
            match self.overlay.get(place) {
                Some(None) => return Moved::Away,
                Some(Some(first)) => {
                    let rest = path.strip_prefix(place).unwrap_or(path);
                    let first = first.iter().chain(rest).collect();
                    return Moved::Here(first);
                }
                None => {}
            }
        }
        Moved::No
    }
}

/// Where a file or directory is to be looked for.
enum Moved {
    /// In its place.
    No,
    /// Nowhere: it is no more.
    Away,
    /// First in this place, then in its own.
    Here(PathBuf),
}

/// What is different whenever a change has begun to show.
#[derive(Eq, PartialEq)]
struct Moment {
    generation: Option<Zeroizing<Vec<u8>>>,
    intent: Option<Zeroizing<Vec<u8>>>,
}

impl Moment {
    fn of(root: &Root) -> Result<Self, Error> {
        Ok(Self {
            generation: permitted(root.read(Path::new(GENERATION)))?,
            intent: permitted(root.read(Path::new(INTENT)))?,
        })
    }

    /// None of them is made before the intent is whole.
    fn staged_directories(&self) -> HashSet<PathBuf> {
        let intent = self
            .intent
            .as_ref()
            .and_then(|bytes| Journal::intent(bytes));
        let directories = intent.map(|intent| intent.directories).unwrap_or_default();
        directories.into_iter().map(|made| made.path).collect()
    }
}

/// Where files are to be found; None: nowhere.
type Overlay = HashMap<PathBuf, Option<PathBuf>>;

/// Modes, each behind the one that it replaces.
type Modes = HashMap<PathBuf, (u32, u32)>;

/// Where the files of a committed transaction are to be found, and the modes that it sets.
fn overlay(journal: Journal) -> (Overlay, Modes) {
    let mut overlay = HashMap::new();
    let mut modes = HashMap::new();
    for step in journal.steps {
        match step {
            Step::Delete { path, .. } => {
                overlay.insert(path, None);
            }
            Step::Move { from, to, .. } | Step::MoveDirectory { from, to } => {
                overlay.insert(from.clone(), None);
                overlay.insert(to, Some(from));
            }
            Step::Put { path, stage, .. } => {
                overlay.insert(path, Some(stage));
            }
            Step::SetMode { path, before, mode } => {
                modes.insert(path, (before, mode));
            }
        }
    }
    (overlay, modes)
}

/// What `.zpki/` holds, or nothing for those who may not enter it.
fn permitted<T>(found: Result<Option<T>, Error>) -> Result<Option<T>, Error> {
    match found {
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::PermissionDenied => Ok(None),
        found => found,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::fs::{CWD, Mode, mkfifoat};

    use crate::domain::progress::Quiet;
    use crate::store::error::Kind;
    use crate::store::fault::Faults;
    use crate::store::file::{File, Tree};
    use crate::store::generation;
    use crate::store::testing::SOON;
    use crate::store::transaction::{Change, Transaction};
    use crate::x509::digest::sha256;

    use super::*;

    fn commit(store: &Store, transaction: &Transaction) {
        let writer = store.lock(SOON, &Quiet).unwrap();
        writer.commit(transaction, &Quiet).unwrap();
    }

    fn text(snapshot: &Snapshot, path: &str) -> Result<Option<String>, Error> {
        let bytes = snapshot.bytes(Path::new(path))?;
        Ok(bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()))
    }

    /// Two files that always say the same.
    fn twins(old: Option<u32>, new: u32) -> Transaction {
        let put = |path| Change::Put {
            file: File::new(path, 0o644, new.to_string()),
            before: old.map(|old| sha256(old.to_string().as_bytes())),
        };
        Transaction {
            directories: vec![],
            changes: vec![put("a/one"), put("b/two")],
        }
    }

    #[test]
    fn what_changes_during_a_read_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        commit(&store, &twins(None, 0));
        let mut calls = 0;
        let seen = store.read(|snapshot| {
            let one = text(snapshot, "a/one")?;
            calls += 1;
            if calls < 3 {
                commit(&store, &twins(Some(calls - 1), calls));
            }
            Ok::<_, Error>((one, text(snapshot, "b/two")?))
        });
        assert_eq!(seen.unwrap(), (Some("2".into()), Some("2".into())));
        assert_eq!(calls, 3);
    }

    #[test]
    fn a_writer_that_dies_at_any_step_of_a_read_does_not_mix_two_states() {
        let mut new = 0;
        for step in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::at(dir.path());
            commit(&store, &twins(None, 0));
            let dying = Store {
                root: dir.path().to_owned(),
                faults: Faults::crash_at(step),
            };
            let mut calls = 0;
            let seen = store.read(|snapshot| {
                let one = text(snapshot, "a/one")?;
                calls += 1;
                if calls == 1 {
                    let writer = dying.lock(SOON, &Quiet);
                    let _ = writer.and_then(|writer| writer.commit(&twins(Some(0), 1), &Quiet));
                }
                Ok::<_, Error>((one, text(snapshot, "b/two")?))
            });
            let (one, two) = seen.unwrap();
            assert_eq!(one, two, "step {step}");
            new += usize::from(one.as_deref() == Some("1"));
            if !dying.faults.struck() {
                break;
            }
        }
        assert!(new > 5, "{new}");
    }

    #[test]
    fn an_error_during_a_change_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        commit(&store, &twins(None, 0));
        let mut calls = 0;
        let answer = store.read(|_| {
            calls += 1;
            if calls > 1 {
                return Ok(());
            }
            commit(&store, &twins(Some(0), 1));
            Err(Error::Interrupted)
        });
        answer.unwrap();
        assert_eq!(calls, 2);
    }

    #[test]
    fn a_directory_that_never_rests_is_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        commit(&store, &twins(None, 0));
        let root = Root::open(dir.path(), &Faults::default()).unwrap();
        let error = store.read(|_| generation::bump(&root)).unwrap_err();
        assert_eq!(error.kind(), Kind::Locked);
        assert_eq!(
            error.to_string(),
            format!("`{}` keeps changing while it is read", dir.path().display())
        );
    }

    #[test]
    fn a_read_ends_though_writers_leave_no_time_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        commit(&store, &twins(None, 0));
        let done = AtomicBool::new(false);
        let (seen, number) = thread::scope(|scope| {
            let writers = scope.spawn(|| {
                let mut number = 0;
                while !done.load(Ordering::SeqCst) {
                    commit(&store, &twins(Some(number), number + 1));
                    number += 1;
                }
                number
            });
            let seen = store.read(|snapshot| {
                let one = text(snapshot, "a/one")?;
                // Time for many changes.
                thread::sleep(Duration::from_millis(100));
                Ok::<_, Error>((one, text(snapshot, "b/two")?))
            });
            done.store(true, Ordering::SeqCst);
            (seen, writers.join().unwrap())
        });
        let (one, two) = seen.unwrap();
        assert_eq!(one, two);
        assert!(number > UNDISTURBED, "{number}");
    }

    #[test]
    fn readers_beside_a_writer_never_see_half_a_change() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        commit(&store, &twins(None, 0));
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !done.load(Ordering::SeqCst) {
                        let seen = store.read(|snapshot| {
                            let one = text(snapshot, "a/one")?;
                            thread::yield_now();
                            Ok::<_, Error>((one, text(snapshot, "b/two")?))
                        });
                        let (one, two) = seen.unwrap();
                        assert!(one.is_some());
                        assert_eq!(one, two);
                    }
                });
            }
            for number in 0..200 {
                commit(&store, &twins(Some(number), number + 1));
            }
            done.store(true, Ordering::SeqCst);
        });
    }

    #[test]
    fn reading_writes_nothing_and_needs_no_state_directory() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "text").unwrap();
        fs::write(dir.path().join(".hidden"), "").unwrap();
        fs::create_dir(dir.path().join("directory")).unwrap();
        let mode = fs::Permissions::from_mode(0o750);
        fs::set_permissions(dir.path().join("directory"), mode).unwrap();
        let store = Store::at(dir.path());
        let seen = store.read(|snapshot| {
            assert_eq!(text(snapshot, "file")?, Some("text".into()));
            assert_eq!(text(snapshot, "file/below")?, None);
            assert_eq!(text(snapshot, "missing")?, None);
            assert!(snapshot.list(Path::new("missing"))?.is_empty());
            let metadata = snapshot.metadata(Path::new("directory"))?.unwrap();
            assert!(metadata.is_directory);
            assert_eq!(metadata.mode, 0o750);
            snapshot.list(Path::new(""))
        });
        assert_eq!(seen.unwrap(), ["directory", "file"]);
        assert!(!dir.path().join(crate::store::STATE).exists());
    }

    #[test]
    fn what_is_no_file_is_refused_without_waiting_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        mkfifoat(CWD, &fifo, Mode::from_raw_mode(0o600)).unwrap();
        symlink("fifo", dir.path().join("link")).unwrap();
        for name in ["", "fifo", "link"] {
            let store = Store::at(dir.path());
            let path = Path::new(if name.is_empty() { "." } else { name });
            let error = store.read(|snapshot| snapshot.bytes(path)).unwrap_err();
            assert!(matches!(error, Error::NotAFile { .. }), "{error}");
        }
    }

    #[test]
    fn what_is_only_being_staged_is_not_seen() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        commit(&store, &twins(None, 0));
        let left = (0..).find_map(|step| {
            let faults = Faults::crash_at(step);
            let faulty = Store {
                root: dir.path().to_owned(),
                faults,
            };
            let tree = Tree {
                directories: vec![],
                files: vec![File::new("c/d/three", 0o644, "3")],
            };
            let writer = faulty.lock(SOON, &Quiet).ok()?;
            writer.commit(&vec![tree].into(), &Quiet).ok();
            let entries = fs::read_dir(dir.path().join("c/d")).ok()?;
            (entries.count() == 1).then_some(())
        });
        left.unwrap();
        let seen = store.read(|snapshot| {
            assert_eq!(snapshot.metadata(Path::new("c"))?, None);
            assert!(snapshot.list(Path::new("c"))?.is_empty());
            assert!(snapshot.list(Path::new("c/d"))?.is_empty());
            snapshot.list(Path::new(""))
        });
        assert_eq!(seen.unwrap(), ["a", "b"]);
    }

    #[test]
    fn who_may_not_enter_the_state_directory_reads_without_it() {
        let refused = |kind: ErrorKind| {
            permitted::<()>(Err(Error::Io {
                action: "open",
                path: GENERATION.into(),
                source: kind.into(),
            }))
        };
        assert_eq!(refused(ErrorKind::PermissionDenied).unwrap(), None);
        refused(ErrorKind::Other).unwrap_err();
    }

    #[test]
    fn a_link_is_read_through() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let tree = Tree {
            directories: vec![],
            files: vec![File::new("real", 0o644, "text")],
        };
        commit(&store, &vec![tree].into());
        symlink("real", dir.path().join("link")).unwrap();
        let seen = store.read(|snapshot| text(snapshot, "link"));
        assert_eq!(seen.unwrap(), Some("text".into()));
    }
}
