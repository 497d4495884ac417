//! Many files changed as one.
//!
//! 1. The intent is written: what is to be made, and under which names until it is committed.
//! 2. Missing directories are made, and each new file is written under a dot-name in its target's
//!    own directory, with its final mode, owner and group.
//! 3. All of that is made durable.
//! 4. The intent is renamed to the journal. This is the commit: a process killed before it has
//!    changed nothing, one killed after it has changed everything, for readers look through the
//!    journal, and the next writer carries it out.
//! 5. The files are renamed into place, that is made durable, and the journal is removed.
//!
//! Root makes changes in what it has given to others: `load-balancer/` to the user HAProxy is started
//! as, or the whole PKI directory to a user of its own. So a file keeps the owner and group of the
//! one it replaces, and what is new has those of the directory it is in. Where the process may not
//! give them, a file that everyone may read is written all the same; any other is refused before
//! anything has changed, for its reader would be locked out. Commands that are owed are the writer's own,
//! in any directory: nobody else runs them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::domain::digest::Digest;
use crate::domain::progress::Progress;

use super::error::Error;
use super::file::{Directory, File, Tree, check_path};
use super::generation;
use super::journal::{Journal, Step};
use super::layout::{self, EXECUTABLE};
use super::lock::Writer;
use super::root::Root;

/// From this many files on, threads pay for themselves.
const MANY: usize = 64;
/// What a thread takes from the others at a time: rayon's own, larger portions let all but one wait at
/// the end, where that one is held up by something else.
const AT_ONCE: usize = 4;

/// One change, together with what it was decided on: if that is no longer so, nothing happens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// Removes a file.
    Delete {
        /// Relative to the PKI directory.
        path: PathBuf,
        /// What is in it now.
        before: Digest,
    },
    /// Renames a file, keeping mode and owner; not from one file system to another.
    Move {
        /// Where it is, relative to the PKI directory.
        from: PathBuf,
        /// Where it shall be; nothing may stand there.
        to: PathBuf,
        /// What is in it now.
        before: Digest,
    },
    /// Renames a directory with everything in it; not from one file system to another.
    MoveDirectory {
        /// Where it is, relative to the PKI directory.
        from: PathBuf,
        /// Where it shall be; nothing may stand there.
        to: PathBuf,
    },
    /// Makes or replaces a file. Owner and group are those of the file that is replaced, or else of
    /// the directory; of a command that is owed, those of this process. Nothing else can be executed.
    Put {
        /// What it shall be.
        file: File,
        /// What is in it now; `None`: it must not exist.
        before: Option<Digest>,
    },
    /// Gives a file or directory other permission bits, and leaves it as it is.
    SetMode {
        /// Relative to the PKI directory.
        path: PathBuf,
        /// Its permission bits now.
        before: u32,
        /// What they shall be.
        mode: u32,
    },
}

/// All changes of one command. They happen together or not at all, and each path occurs once in
/// them: to keep the old file under another name while a new one takes its place, put both.
///
/// Whoever takes no snapshot, such as HAProxy, sees new files appear first, in no order, for nobody reads
/// them before something that is not new leads there; then what there was change in the order in which it is
/// given: a key and its certificate belong one right after the other, for in between they do not fit.
/// Modes are set when every file is in place.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Transaction {
    /// Those with a mode of their own, or empty; others that files need are made with mode 0755.
    /// Directories that exist stay as they are.
    pub directories: Vec<Directory>,
    /// In the order in which they are to be seen.
    pub changes: Vec<Change>,
}

impl From<Vec<Tree>> for Transaction {
    /// Makes all of each tree; none of their files may exist.
    fn from(trees: Vec<Tree>) -> Self {
        let mut transaction = Self::default();
        for Tree { directories, files } in trees {
            let put = |file| Change::Put { file, before: None };
            transaction.directories.extend(directories);
            transaction.changes.extend(files.into_iter().map(put));
        }
        transaction
    }
}

impl Writer {
    /// Makes all changes of `transaction`, durably, and unlocks. An interruption that `progress`
    /// reports is heeded up to the commit; it is told of one step for each file, and of one more.
    ///
    /// # Errors
    /// Nothing has changed then, except after [`Error::Unfinished`]: [`Error::Exists`],
    /// [`Error::DanglingLink`], [`Error::Changed`] and [`Error::NotAFile`] when a file is not what it
    /// was taken for; [`Error::Forbidden`], [`Error::Immutable`], [`Error::Mounted`] and [`Error::Owner`]
    /// when it may not be changed; [`Error::Path`]; [`Error::Twice`]; [`Error::Interrupted`]; [`Error::Io`].
    pub fn commit(self, transaction: &Transaction, progress: &dyn Progress) -> Result<(), Error> {
        self.stage(transaction, progress)?.commit()
    }

    /// Does everything up to the commit, for whoever has something to do besides before it.
    ///
    /// # Errors
    /// Those of [`Self::commit`], but for [`Error::Unfinished`]; nothing has changed then.
    pub fn stage(
        self,
        transaction: &Transaction,
        progress: &dyn Progress,
    ) -> Result<Staged, Error> {
        let journal = Journal::of(&self.root, transaction)?;
        journal.check(&self.root)?;
        let staged = Staged {
            is_open: !journal.is_empty(),
            writer: self,
            journal,
        };
        if staged.is_open {
            prepare(&staged.writer.root, &staged.journal, transaction, progress)?;
        }
        Ok(staged)
    }
}

/// A transaction of which everything is durable but the commit. Dropped without one, it has changed
/// nothing.
#[derive(Debug)]
#[must_use = "dropped, it has changed nothing"]
pub struct Staged {
    writer: Writer,
    journal: Journal,
    is_open: bool,
}

impl Staged {
    /// Makes all changes. No other run writes until this is dropped.
    ///
    /// # Errors
    /// Nothing has changed then, except after [`Error::Unfinished`]: [`Error::Io`].
    pub fn commit(&mut self) -> Result<(), Error> {
        if !self.is_open {
            return Ok(());
        }
        let root = &self.writer.root;
        self.journal.commit(root)?;
        self.is_open = false;
        self.journal.finish(root).map_err(Error::unfinished)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.is_open && Journal::is_uncommitted(&self.writer.root) {
            // Should this fail too, the intent stays, and the next writer does it.
            let _ = self.journal.undo(&self.writer.root);
        }
    }
}

/// Everything up to the commit.
fn prepare(
    root: &Root,
    journal: &Journal,
    transaction: &Transaction,
    progress: &dyn Progress,
) -> Result<(), Error> {
    journal.write_intent(root)?;
    for directory in &journal.directories {
        root.make_directory_as_above(&directory.path, directory.mode)?;
    }
    let stages = journal.steps.iter().filter_map(Step::stage);
    let files = transaction.changes.iter().filter_map(Change::file);
    let staged: Vec<_> = stages.zip(files).collect();
    progress.start("writing files", staged.len() + 1);
    for_each(&staged, |(stage, file)| {
        progress.advance()?;
        if layout::is_command(&file.path) {
            root.write_stage(stage, file.mode, &file.bytes)?;
        } else {
            let mode = file.mode & !EXECUTABLE;
            root.write_stage_of(stage, &file.path, mode, &file.bytes)?;
        }
        Ok(())
    })?;
    generation::prepare(root)?;
    journal.sync_stages(root)?;
    progress.advance()?;
    journal.check(root)
}

/// Does `work` for each of `items`, on all processors when they are many, until one fails.
pub(super) fn for_each<'a, T: Sync>(
    items: &'a [T],
    work: impl Fn(&'a T) -> Result<(), Error> + Sync + Send,
) -> Result<(), Error> {
    if items.len() < MANY {
        items.iter().try_for_each(work)
    } else {
        items.par_iter().with_max_len(AT_ONCE).try_for_each(work)
    }
}

impl Change {
    /// Where it is made; of what is moved, where that was.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Delete { path, .. } | Self::SetMode { path, .. } => path,
            Self::Move { from, .. } | Self::MoveDirectory { from, .. } => from,
            Self::Put { file, .. } => &file.path,
        }
    }

    fn file(&self) -> Option<&File> {
        match self {
            Self::Put { file, .. } => Some(file),
            Self::Delete { .. }
            | Self::Move { .. }
            | Self::MoveDirectory { .. }
            | Self::SetMode { .. } => None,
        }
    }

    /// Where something appears that needs a directory.
    pub(super) fn new_path(&self) -> Option<&Path> {
        match self {
            Self::Delete { .. } | Self::SetMode { .. } => None,
            Self::Move { to, .. } | Self::MoveDirectory { to, .. } => Some(to),
            Self::Put { file, .. } => Some(&file.path),
        }
    }
}

impl Transaction {
    /// That every path is one of a PKI directory's, and none is given twice.
    pub(super) fn check_paths(&self) -> Result<(), Error> {
        self.directories
            .iter()
            .try_for_each(|directory| check_path(&directory.path))?;
        let mut seen = HashSet::new();
        for change in &self.changes {
            let old = match change {
                Change::Delete { path, .. } | Change::SetMode { path, .. } => Some(path.as_path()),
                Change::Move { from, .. } | Change::MoveDirectory { from, .. } => {
                    Some(from.as_path())
                }
                Change::Put { .. } => None,
            };
            for path in old.into_iter().chain(change.new_path()) {
                check_path(path)?;
                if !seen.insert(path) {
                    return Err(Error::Twice {
                        path: path.to_owned(),
                    });
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
    use std::time::Duration;

    use tempfile::TempDir;

    use crate::domain::progress::Quiet;
    use crate::store::Store;
    use crate::store::error::Kind;
    use crate::store::fault::{Faults, Step as FaultyStep};
    use crate::store::lock::Recovered;
    use crate::store::testing::{Listing, SOON, Until, listing, visible};
    use crate::x509::digest::sha256;

    use super::*;

    /// A PKI directory in which one transaction has been committed.
    fn pki() -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        commit(&Store::at(dir.path()), &first()).unwrap();
        dir
    }

    fn first() -> Transaction {
        let files = vec![
            File::new("zpki.toml", 0o644, "old settings"),
            File::new("ca/crl.pem", 0o644, "old crl"),
            File::new("ca/log.jsonl", 0o640, "log"),
            File::new("ca/loose.pem", 0o666, "loose"),
            File::new("servers/server9/key.pem", 0o600, "key of 9"),
        ];
        vec![Tree::from(files)].into()
    }

    /// A bit of everything: a file replaced, new ones in new directories, one moved, one deleted, a
    /// directory moved with what is in it, modes of a file and of a directory set.
    fn second() -> Transaction {
        let put = |path: &str, mode, text: &str, before: Option<&str>| Change::Put {
            file: File::new(path, mode, text),
            before: before.map(|text| sha256(text.as_bytes())),
        };
        Transaction {
            directories: vec![
                directory("servers/server1", 0o700),
                directory("clients", 0o755),
            ],
            changes: vec![
                set_mode("ca", 0o755, 0o711),
                set_mode("ca/loose.pem", 0o666, 0o600),
                put("zpki.toml", 0o644, "new settings", Some("old settings")),
                put("servers/server1/key.pem", 0o600, "key", None),
                Change::Move {
                    from: "ca/crl.pem".into(),
                    to: "ca/previous/1/crl.pem".into(),
                    before: sha256(b"old crl"),
                },
                Change::Delete {
                    path: "ca/log.jsonl".into(),
                    before: sha256(b"log"),
                },
                Change::MoveDirectory {
                    from: "servers/server9".into(),
                    to: "retired/server9-01".into(),
                },
            ],
        }
    }

    fn set_mode(path: &str, before: u32, mode: u32) -> Change {
        Change::SetMode {
            path: path.into(),
            before,
            mode,
        }
    }

    fn directory(path: &str, mode: u32) -> Directory {
        Directory {
            path: path.into(),
            mode,
        }
    }

    fn after_first() -> Listing {
        listed(&[
            ("ca", "0755 directory"),
            ("ca/crl.pem", "0644 old crl"),
            ("ca/log.jsonl", "0640 log"),
            ("ca/loose.pem", "0666 loose"),
            ("servers", "0755 directory"),
            ("servers/server9", "0755 directory"),
            ("servers/server9/key.pem", "0600 key of 9"),
            ("zpki.toml", "0644 old settings"),
        ])
    }

    fn after_second() -> Listing {
        listed(&[
            ("ca", "0711 directory"),
            ("ca/loose.pem", "0600 loose"),
            ("ca/previous", "0755 directory"),
            ("ca/previous/1", "0755 directory"),
            ("ca/previous/1/crl.pem", "0644 old crl"),
            ("clients", "0755 directory"),
            ("retired", "0755 directory"),
            ("retired/server9-01", "0755 directory"),
            ("retired/server9-01/key.pem", "0600 key of 9"),
            ("servers", "0755 directory"),
            ("servers/server1", "0700 directory"),
            ("servers/server1/key.pem", "0600 key"),
            ("zpki.toml", "0644 new settings"),
        ])
    }

    fn listed(entries: &[(&str, &str)]) -> Listing {
        let owned = |(path, what): &(&str, &str)| ((*path).to_owned(), (*what).to_owned());
        entries.iter().map(owned).collect()
    }

    /// What `.zpki/` holds between transactions.
    fn state(root: &Path) -> Vec<String> {
        let mut paths: Vec<_> = listing(root).into_keys().collect();
        paths.retain(|path| path.starts_with(".zpki"));
        paths
    }

    fn commit(store: &Store, transaction: &Transaction) -> Result<(), Error> {
        store.lock(SOON, &Quiet)?.commit(transaction, &Quiet)
    }

    fn faulty(dir: &TempDir, faults: &Faults) -> Store {
        Store {
            root: dir.path().to_owned(),
            faults: faults.clone(),
        }
    }

    /// What a reader sees of the files that the transactions touch, with their modes.
    fn seen(store: &Store) -> Vec<Option<String>> {
        let paths = [
            "zpki.toml",
            "servers/server1/key.pem",
            "ca/crl.pem",
            "ca/previous/1/crl.pem",
            "ca/log.jsonl",
            "ca/loose.pem",
            "servers/server9/key.pem",
            "retired/server9-01/key.pem",
        ];
        store
            .read(|snapshot| {
                let text = |path: &str| {
                    let bytes = snapshot.bytes(Path::new(path))?;
                    let mode = snapshot.metadata(Path::new(path))?.map(|found| found.mode);
                    Ok(bytes.map(|bytes| {
                        let text = String::from_utf8(bytes.to_vec()).unwrap();
                        format!("{:04o} {text}", mode.unwrap())
                    }))
                };
                paths.into_iter().map(text).collect::<Result<_, Error>>()
            })
            .unwrap()
    }

    #[test]
    fn all_changes_happen_with_their_exact_modes() {
        let dir = pki();
        assert_eq!(visible(dir.path()), after_first());
        commit(&Store::at(dir.path()), &second()).unwrap();
        assert_eq!(visible(dir.path()), after_second());
        assert_eq!(
            state(dir.path()),
            [".zpki", ".zpki/generation", ".zpki/lock"]
        );
        let all = listing(dir.path());
        assert_eq!(all[".zpki"], "0700 directory");
        assert_eq!(all[".zpki/lock"], "0600 ");
        assert_eq!(all[".zpki/generation"], "0600 4\n");
    }

    #[test]
    fn many_files_are_written_by_several_threads() {
        let dir = tempfile::tempdir().unwrap();
        let file = |n: usize| File::new(format!("{}/{n}.pem", n % 7), 0o644, n.to_string());
        let tree = Tree {
            directories: vec![],
            files: (0..3 * MANY).map(file).collect(),
        };
        commit(&Store::at(dir.path()), &vec![tree].into()).unwrap();
        let found = visible(dir.path());
        assert_eq!(found.len(), 7 + 3 * MANY);
        assert_eq!(found["6/13.pem"], "0644 13");
    }

    #[test]
    fn a_directory_that_exists_keeps_its_mode() {
        let dir = pki();
        let transaction = Transaction {
            directories: vec![directory("ca", 0o700)],
            changes: vec![],
        };
        commit(&Store::at(dir.path()), &transaction).unwrap();
        assert_eq!(visible(dir.path()), after_first());
    }

    #[test]
    fn what_is_not_as_expected_is_refused_and_nothing_is_touched() {
        let put = |path: &str, before| Change::Put {
            file: File::new(path, 0o644, "new"),
            before,
        };
        let remove = |path: &str, text: &str| Change::Delete {
            path: path.into(),
            before: sha256(text.as_bytes()),
        };
        let to = |to: &str, text: &str| Change::Move {
            from: "zpki.toml".into(),
            to: to.into(),
            before: sha256(text.as_bytes()),
        };
        let cases = [
            (put("zpki.toml", None), "`PKI/zpki.toml` already exists"),
            (put("ca", None), "`PKI/ca` already exists"),
            (
                put("zpki.toml/file", None),
                "`PKI/zpki.toml` already exists",
            ),
            (
                put("zpki.toml", Some(sha256(b"other"))),
                "`PKI/zpki.toml` was changed by somebody else",
            ),
            (
                put("missing", Some(sha256(b"other"))),
                "`PKI/missing` was changed by somebody else",
            ),
            (
                put("ca", Some(sha256(b""))),
                "`PKI/ca` is not a regular file",
            ),
            (
                put("link", Some(sha256(b"old settings"))),
                "`PKI/link` is not a regular file",
            ),
            (put("link", None), "`PKI/link` already exists"),
            (
                put("dangling", None),
                "`PKI/dangling` is a symbolic link to something that does not exist",
            ),
            (
                put("dangling/file", None),
                "`PKI/dangling` is a symbolic link to something that does not exist",
            ),
            (
                remove("zpki.toml", "other"),
                "`PKI/zpki.toml` was changed by somebody else",
            ),
            (
                remove("missing", ""),
                "`PKI/missing` was changed by somebody else",
            ),
            (
                to("ca/crl.pem", "old settings"),
                "`PKI/ca/crl.pem` already exists",
            ),
            (
                to("new", "other"),
                "`PKI/zpki.toml` was changed by somebody else",
            ),
            (
                to("proc/file", "old settings"),
                "`PKI/zpki.toml` is a mount of its own, so that it cannot be renamed or replaced",
            ),
            (
                set_mode("zpki.toml", 0o600, 0o644),
                "`PKI/zpki.toml` was changed by somebody else",
            ),
            (
                set_mode("missing", 0o600, 0o644),
                "`PKI/missing` was changed by somebody else",
            ),
            (
                set_mode("link", 0o777, 0o644),
                "`PKI/link` is not a regular file",
            ),
            (
                put("../out", None),
                "the path `../out` leads out of the PKI directory",
            ),
            (
                to("zpki.toml", "old settings"),
                "the path `zpki.toml` is changed twice at once",
            ),
        ];
        let dir = pki();
        symlink("zpki.toml", dir.path().join("link")).unwrap();
        symlink("nowhere", dir.path().join("dangling")).unwrap();
        symlink("/proc", dir.path().join("proc")).unwrap();
        let before = listing(dir.path());
        for (change, message) in cases {
            let transaction = Transaction {
                directories: vec![directory("new/directory", 0o700)],
                changes: vec![put("new/directory/file", None), change],
            };
            let error = commit(&Store::at(dir.path()), &transaction).unwrap_err();
            let found = error
                .to_string()
                .replace(dir.path().to_str().unwrap(), "PKI");
            assert_eq!(found, message);
            assert_eq!(error.kind(), Kind::Refused, "{message}");
            assert!(!error.committed());
            assert_eq!(listing(dir.path()), before, "{message}");
        }
    }

    #[test]
    fn an_empty_transaction_writes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        commit(&Store::at(dir.path()), &Transaction::default()).unwrap();
        assert_eq!(listing(dir.path()), Listing::new());
    }

    #[test]
    fn an_interruption_at_any_step_leaves_everything_as_it_was() {
        let dir = pki();
        let before = listing(dir.path());
        let store = Store::at(dir.path());
        for step in 0..3 {
            let writer = store.lock(SOON, &Quiet).unwrap();
            let error = writer.commit(&second(), &Until::step(step)).unwrap_err();
            assert_eq!(error.kind(), Kind::Interrupted);
            assert_eq!(listing(dir.path()), before, "interrupted at {step}");
        }
        let writer = store.lock(SOON, &Quiet).unwrap();
        writer.commit(&second(), &Until::step(3)).unwrap();
        assert_eq!(visible(dir.path()), after_second());
    }

    #[test]
    fn an_interrupted_first_transaction_leaves_no_trace_of_zpki() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("notes.txt"), "mine").unwrap();
        let before = listing(dir.path());
        for step in 0..4 {
            let writer = Store::at(dir.path()).lock(SOON, &Quiet).unwrap();
            let error = writer.commit(&first(), &Until::step(step)).unwrap_err();
            assert_eq!(error.kind(), Kind::Interrupted);
            assert_eq!(listing(dir.path()), before, "interrupted at {step}");
        }
    }

    #[test]
    fn a_disk_that_fails_at_any_step_leaves_all_or_nothing() {
        let (mut undone, mut committed) = (0, 0);
        for step in 0.. {
            let dir = pki();
            let before = listing(dir.path());
            let faults = Faults::fail_at(step, ErrorKind::StorageFull);
            let outcome = commit(&faulty(&dir, &faults), &second());
            if !faults.struck() {
                outcome.unwrap();
                break;
            }
            match outcome {
                Ok(()) => panic!("step {step} failed and nobody noticed"),
                Err(error) if error.committed() => {
                    committed += 1;
                    assert_eq!(error.kind(), Kind::Io);
                    let left = dir.path().join(".zpki/journal").exists();
                    let writer = Store::at(dir.path()).lock(SOON, &Quiet).unwrap();
                    let recovered = left.then_some(Recovered::RolledForward);
                    assert_eq!(writer.recovered(), recovered);
                    assert_eq!(visible(dir.path()), after_second(), "step {step}");
                }
                Err(error) => {
                    undone += 1;
                    assert_eq!(error.kind(), Kind::Io);
                    assert_eq!(listing(dir.path()), before, "step {step}: {error}");
                }
            }
            assert!(state(dir.path()).len() <= 3, "step {step}");
        }
        assert!(undone > 10 && committed > 8, "{undone}, {committed}");
    }

    #[test]
    fn a_first_transaction_that_fails_leaves_no_trace_of_zpki() {
        for step in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let faults = Faults::fail_at(step, ErrorKind::PermissionDenied);
            match commit(&faulty(&dir, &faults), &first()) {
                Err(error) if !error.committed() => {
                    assert_eq!(listing(dir.path()), Listing::new(), "step {step}: {error}");
                }
                Err(_) => {
                    drop(Store::at(dir.path()).lock(SOON, &Quiet).unwrap());
                    assert_eq!(visible(dir.path()), after_first(), "step {step}");
                }
                Ok(()) => {
                    assert!(!faults.struck(), "step {step} failed and nobody noticed");
                    break;
                }
            }
        }
    }

    #[test]
    fn a_file_system_that_cannot_be_synced_fails_and_changes_nothing() {
        let dir = pki();
        let before = visible(dir.path());
        let faults = Faults::fail_every(FaultyStep::Syncfs, ErrorKind::Other);
        let error = commit(&faulty(&dir, &faults), &second()).unwrap_err();
        assert!(!error.committed());
        assert_eq!(
            error.to_string(),
            format!("cannot sync `{}/`", dir.path().display())
        );
        assert_eq!(visible(dir.path()), before);
        let writer = Store::at(dir.path()).lock(SOON, &Quiet).unwrap();
        // The undoing could not be made durable either, so the next writer did it.
        assert_eq!(writer.recovered(), Some(Recovered::ThrownAway));
        assert_eq!(visible(dir.path()), before);
    }

    #[test]
    fn without_syncfs_each_file_and_directory_is_synced() {
        let dir = pki();
        let faults = Faults::fail_every(FaultyStep::Syncfs, ErrorKind::Unsupported);
        commit(&faulty(&dir, &faults), &second()).unwrap();
        assert!(faults.struck());
        assert_eq!(visible(dir.path()), after_second());
        // The intent; `.zpki/` as the intent, the journal, the journal with the new generation, and
        // nothing but that stands in it.
        let always = 1 + 4;
        // Two stages, the five directories that are made, and the root, `ca` and `servers` that were
        // there.
        let staged = 2 + 5 + 3;
        // Those directories in which something was put in place or was moved away from: all of them
        // but `clients`, which stays empty. And the file and the directory with another mode, of which
        // the directory is among those already, but is synced by itself.
        let in_place = 4 + 3 + 2;
        assert_eq!(faults.fsyncs(), always + staged + in_place);
    }

    #[test]
    fn a_crash_at_any_step_leaves_the_old_state_or_the_new_one() {
        let (mut old, mut new) = (0, 0);
        for step in 0.. {
            let dir = pki();
            let faults = Faults::crash_at(step);
            let outcome = commit(&faulty(&dir, &faults), &second());
            if !faults.struck() {
                outcome.unwrap();
                break;
            }
            let store = Store::at(dir.path());
            let before_recovery = seen(&store);
            let recovered = store.lock(SOON, &Quiet).unwrap().recovered();
            assert_eq!(seen(&store), before_recovery, "step {step}");
            assert_eq!(
                state(dir.path()),
                [".zpki", ".zpki/generation", ".zpki/lock"],
                "step {step}"
            );
            if visible(dir.path()) == after_first() {
                old += 1;
                assert_ne!(recovered, Some(Recovered::RolledForward));
                commit(&store, &second()).unwrap();
            } else {
                new += 1;
                assert_ne!(recovered, Some(Recovered::ThrownAway));
            }
            assert_eq!(visible(dir.path()), after_second(), "step {step}");
        }
        assert!(old > 10 && new > 8, "{old}, {new}");
    }

    #[test]
    fn a_crash_of_the_recovery_at_any_step_is_recovered_from() {
        for step in 0.. {
            let dir = pki();
            let faults = Faults::crash_at(step);
            let _ = commit(&faulty(&dir, &faults), &second());
            if !faults.struck() {
                break;
            }
            let expected = seen(&Store::at(dir.path()));
            for step_again in 0.. {
                let faults = Faults::crash_at(step_again);
                let outcome = faulty(&dir, &faults).lock(SOON, &Quiet).map(drop);
                assert_eq!(seen(&Store::at(dir.path())), expected);
                if !faults.struck() {
                    outcome.unwrap();
                    break;
                }
            }
            let found = visible(dir.path());
            assert!(
                found == after_first() || found == after_second(),
                "step {step}: {found:?}"
            );
        }
    }

    #[test]
    fn the_first_transaction_survives_a_crash_at_any_step() {
        for step in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let faults = Faults::crash_at(step);
            let _ = commit(&faulty(&dir, &faults), &first());
            if !faults.struck() {
                break;
            }
            drop(Store::at(dir.path()).lock(SOON, &Quiet).unwrap());
            let found = listing(dir.path());
            assert!(
                found.is_empty() || visible(dir.path()) == after_first(),
                "step {step}: {found:?}"
            );
        }
    }

    /// A directory whose writer died right after its commit.
    fn left_in_the_middle() -> TempDir {
        (0..)
            .find_map(|step| {
                let dir = pki();
                let _ = commit(&faulty(&dir, &Faults::crash_at(step)), &second());
                let committed = dir.path().join(".zpki/journal").exists();
                committed.then_some(dir)
            })
            .unwrap()
    }

    #[test]
    fn readers_see_a_committed_change_before_it_is_carried_out() {
        let dir = left_in_the_middle();
        let text = fs::read_to_string(dir.path().join("zpki.toml")).unwrap();
        assert_eq!(text, "old settings");
        let before = listing(dir.path());
        let expected = [
            Some("0644 new settings"),
            Some("0600 key"),
            None,
            Some("0644 old crl"),
            None,
            Some("0600 loose"),
            None,
            Some("0600 key of 9"),
        ];
        let store = Store::at(dir.path());
        assert_eq!(seen(&store), expected.map(|text| text.map(str::to_owned)));
        let list = |path| {
            store
                .read(|snapshot| snapshot.list(Path::new(path)))
                .unwrap()
        };
        assert_eq!(list("servers"), ["server1"]);
        assert_eq!(list("servers/server9"), [""; 0]);
        assert_eq!(list("retired"), ["server9-01"]);
        assert_eq!(list("retired/server9-01"), ["key.pem"]);
        let names = store.read(|snapshot| {
            let ca = snapshot.list(Path::new("ca"))?;
            let previous = snapshot.list(Path::new("ca/previous/1"))?;
            let server1 = snapshot.list(Path::new("servers/server1"))?;
            let key = snapshot.metadata(Path::new("servers/server1/key.pem"))?;
            assert_eq!(key.unwrap().mode, 0o600);
            assert_eq!(snapshot.metadata(Path::new("ca/crl.pem"))?, None);
            let mode = snapshot.metadata(Path::new("ca"))?.unwrap().mode;
            assert_eq!(mode, 0o711);
            Ok::<_, Error>([ca, previous, server1])
        });
        assert_eq!(
            names.unwrap(),
            [
                vec!["loose.pem", "previous"],
                vec!["crl.pem"],
                vec!["key.pem"]
            ]
        );
        assert_eq!(listing(dir.path()), before);
    }

    #[test]
    fn recovery_stops_at_a_file_that_somebody_has_changed() {
        let dir = left_in_the_middle();
        fs::write(dir.path().join("ca/log.jsonl"), "by hand").unwrap();
        let before = listing(dir.path());
        let store = Store::at(dir.path());
        let error = store.lock(SOON, &Quiet).unwrap_err();
        assert_eq!(
            error
                .to_string()
                .replace(dir.path().to_str().unwrap(), "PKI"),
            "`PKI/ca/log.jsonl` was changed by hand, and the unfinished change of an earlier run would overwrite it"
        );
        assert_eq!(error.kind(), Kind::Refused);
        assert!(!error.committed());
        assert_eq!(listing(dir.path()), before);

        let aside = dir.path().join("aside");
        fs::rename(dir.path().join("ca/log.jsonl"), &aside).unwrap();
        drop(store.lock(SOON, &Quiet).unwrap());
        fs::remove_file(aside).unwrap();
        assert_eq!(visible(dir.path()), after_second());
    }

    /// Recovers `dir` with syncfs and without.
    fn recover_each_way(leave: impl Fn(&TempDir)) -> [Listing; 2] {
        let without = Faults::fail_every(FaultyStep::Syncfs, ErrorKind::Unsupported);
        [Faults::default(), without].map(|faults| {
            let dir = left_in_the_middle();
            leave(&dir);
            let writer = faulty(&dir, &faults).lock(SOON, &Quiet).unwrap();
            assert_eq!(writer.recovered(), Some(Recovered::RolledForward));
            drop(writer);
            visible(dir.path())
        })
    }

    #[test]
    fn a_mode_that_somebody_has_set_since_stays() {
        let set = |dir: &TempDir| {
            let loose = dir.path().join("ca/loose.pem");
            fs::set_permissions(&loose, fs::Permissions::from_mode(0o640)).unwrap();
            let seen = seen(&Store::at(dir.path()));
            assert_eq!(seen[5].as_deref(), Some("0640 loose"));
        };
        let mut expected = after_second();
        expected.insert("ca/loose.pem".to_owned(), "0640 loose".to_owned());
        for found in recover_each_way(set) {
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn what_somebody_has_removed_since_gets_no_mode() {
        let remove = |dir: &TempDir| fs::remove_file(dir.path().join("ca/loose.pem")).unwrap();
        let mut expected = after_second();
        expected.remove("ca/loose.pem");
        for found in recover_each_way(remove) {
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_directory_that_somebody_has_removed_since_is_not_moved() {
        let mut expected = after_second();
        expected.retain(|path, _| !path.starts_with("retired/"));
        for found in recover_each_way(|dir| {
            fs::remove_dir_all(dir.path().join("servers/server9")).unwrap();
        }) {
            assert_eq!(found, expected);
        }
        expected.remove("retired");
        for found in recover_each_way(|dir| {
            fs::remove_dir_all(dir.path().join("servers/server9")).unwrap();
            fs::remove_dir_all(dir.path().join("retired")).unwrap();
        }) {
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_directory_in_the_way_of_one_that_is_moved_can_be_moved_out_of_it() {
        let dir = left_in_the_middle();
        let way = dir.path().join("retired/server9-01");
        fs::create_dir(&way).unwrap();
        let before = listing(dir.path());
        let store = Store::at(dir.path());
        let error = store.lock(SOON, &Quiet).unwrap_err();
        assert!(
            matches!(&error, Error::Conflict { path } if *path == way),
            "{error}"
        );
        assert_eq!(listing(dir.path()), before);
        fs::remove_dir(&way).unwrap();
        drop(store.lock(SOON, &Quiet).unwrap());
        assert_eq!(visible(dir.path()), after_second());
    }

    #[test]
    fn files_change_in_the_order_in_which_they_are_given_and_modes_after_them() {
        let names = ["z/key", "a/cert", "m", "b/chain"];
        let put = |name: &str, text: &str, before: Option<&str>| Change::Put {
            file: File::new(name, 0o644, text),
            before: before.map(|text| sha256(text.as_bytes())),
        };
        let old = Transaction {
            directories: vec![],
            changes: names.map(|name| put(name, "old", None)).into(),
        };
        let mut new = names.map(|name| put(name, "new", Some("old"))).to_vec();
        new.insert(1, set_mode("a", 0o755, 0o711));
        let new = Transaction {
            directories: vec![],
            changes: new,
        };
        let mut states = Vec::new();
        for step in 0.. {
            let dir = tempfile::tempdir().unwrap();
            commit(&Store::at(dir.path()), &old).unwrap();
            let faults = Faults::crash_at(step);
            let _ = commit(&faulty(&dir, &faults), &new);
            let found = visible(dir.path());
            let is_new = |name: &str| u8::from(found[name] == "0644 new");
            let mode = u8::from(found["a"] == "0711 directory");
            let [key, cert, m, chain] = names.map(is_new);
            states.push([key, cert, m, chain, mode]);
            if !faults.struck() {
                break;
            }
        }
        states.dedup();
        assert_eq!(
            states,
            [
                [0, 0, 0, 0, 0],
                [1, 0, 0, 0, 0],
                [1, 1, 0, 0, 0],
                [1, 1, 1, 0, 0],
                [1, 1, 1, 1, 0],
                [1, 1, 1, 1, 1],
            ]
        );
    }

    #[test]
    fn what_is_owed_is_noted_behind_the_door_of_zpki_s_own() {
        let dir = pki();
        let store = Store::at(dir.path());
        let pending = Path::new(layout::PENDING);
        let note = |text: &str, before: Option<&str>| Transaction {
            directories: vec![Directory {
                path: pending.to_owned(),
                mode: 0o700,
            }],
            changes: vec![Change::Put {
                file: File {
                    path: pending.join("server1"),
                    mode: 0o600,
                    bytes: text.into(),
                },
                before: before.map(|text| sha256(text.as_bytes())),
            }],
        };
        commit(&store, &note("reload", None)).unwrap();
        commit(&store, &note("restart", Some("reload"))).unwrap();
        let all = listing(dir.path());
        assert_eq!(all[".zpki"], "0700 directory");
        assert_eq!(all[".zpki/pending"], "0700 directory");
        assert_eq!(all[".zpki/pending/server1"], "0600 restart");
        let seen = store.read(|snapshot| {
            assert_eq!(
                snapshot.list(Path::new(""))?,
                ["ca", "servers", "zpki.toml"],
                "what is zpki's own is not shown"
            );
            snapshot.list(pending)
        });
        assert_eq!(seen.unwrap(), ["server1"]);

        let done = Transaction {
            directories: vec![],
            changes: vec![Change::Delete {
                path: pending.join("server1"),
                before: sha256(b"restart"),
            }],
        };
        commit(&store, &done).unwrap();
        let seen = store.read(|snapshot| snapshot.list(pending));
        assert_eq!(seen.unwrap(), [""; 0]);
        assert_eq!(visible(dir.path()), after_first());
    }

    #[test]
    fn what_is_owed_is_seen_through_the_journal_of_a_killed_run() {
        let pending = Path::new(layout::PENDING);
        let note = Transaction {
            directories: vec![directory(".zpki/pending", 0o700)],
            changes: vec![Change::Put {
                file: File::new(".zpki/pending/server1", 0o600, "reload"),
                before: None,
            }],
        };
        let (mut owed, mut not_owed) = (0, 0);
        for step in 0.. {
            let dir = pki();
            let faults = Faults::crash_at(step);
            let _ = commit(&faulty(&dir, &faults), &note);
            let store = Store::at(dir.path());
            let list = || store.read(|snapshot| snapshot.list(pending)).unwrap();
            let before = list();
            drop(store.lock(SOON, &Quiet).unwrap());
            assert_eq!(list(), before, "step {step}");
            owed += usize::from(before == ["server1"]);
            not_owed += usize::from(before.is_empty());
            if !faults.struck() {
                break;
            }
        }
        assert!(owed > 5 && not_owed > 5, "{owed}, {not_owed}");
    }

    #[test]
    fn recovery_replaces_nothing_that_has_appeared_since() {
        let dir = left_in_the_middle();
        let key = dir.path().join("servers/server1/key.pem");
        fs::write(&key, "another key").unwrap();
        let error = Store::at(dir.path()).lock(SOON, &Quiet).unwrap_err();
        assert!(
            matches!(&error, Error::Conflict { path } if *path == key),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&key).unwrap(), "another key");
    }

    #[test]
    fn recovery_stops_at_a_damaged_stage() {
        let dir = left_in_the_middle();
        let stage = dir.path().join(".zpki.toml.zpki-2");
        fs::write(&stage, "").unwrap();
        let before = listing(dir.path());
        let error = Store::at(dir.path()).lock(SOON, &Quiet).unwrap_err();
        assert!(
            matches!(&error, Error::Lost { path } if *path == stage),
            "{error}"
        );
        assert_eq!(listing(dir.path()), before);
    }

    #[test]
    fn a_journal_that_cannot_be_read_stops_everybody_and_stays() {
        let dir = pki();
        let journal = dir.path().join(".zpki/journal");
        let cases = [
            ("{", "EOF while parsing an object at line 1 column 1"),
            (
                r#"{"schema":2,"directories":[],"steps":[]}"#,
                "its schema is 2, not 1",
            ),
            (
                r#"{"schema":1,"directories":[{"path":"../x","mode":493}],"steps":[]}"#,
                "the path `../x` leads out of the PKI directory",
            ),
            (
                r#"{"schema":1,"directories":[],"steps":[{"change":"delete","path":"x","before":"f"}]}"#,
                "not a SHA-256 digest at line 1 column 82",
            ),
        ];
        let store = Store::at(dir.path());
        for (text, because) in cases {
            fs::write(&journal, text).unwrap();
            let before = listing(dir.path());
            let written = store.lock(SOON, &Quiet).unwrap_err();
            let read = store.read(|_| Ok::<_, Error>(())).unwrap_err();
            let path = journal.display();
            for error in [written, read] {
                assert_eq!(
                    error.to_string(),
                    format!("the journal `{path}` cannot be read: {because}")
                );
            }
            assert_eq!(listing(dir.path()), before);
        }
    }

    #[test]
    fn a_torn_intent_is_thrown_away() {
        let dir = pki();
        fs::write(dir.path().join(".zpki/intent"), r#"{"schema":1,"dir"#).unwrap();
        let writer = Store::at(dir.path()).lock(SOON, &Quiet).unwrap();
        assert_eq!(writer.recovered(), Some(Recovered::ThrownAway));
        assert_eq!(visible(dir.path()), after_first());
        assert!(!dir.path().join(".zpki/intent").exists());
    }

    /// It is whole, so that there may be stages, keys among them.
    #[test]
    fn an_intent_that_says_something_unknown_stops_writers_and_stays() {
        let intents = [
            (
                r#"{"schema":2,"directories":[],"steps":[]}"#,
                "its schema is 2, not 1",
            ),
            (
                r#"{"schema":2,"undo":[]}"#,
                "unknown field `undo`, expected one of `schema`, `directories`, `steps` at line 1 column 18",
            ),
        ];
        for (text, because) in intents {
            let dir = pki();
            let intent = dir.path().join(".zpki/intent");
            fs::write(&intent, text).unwrap();
            fs::write(dir.path().join("servers/.key.pem.zpki-2"), "key").unwrap();
            let before = listing(dir.path());
            let store = Store::at(dir.path());
            let error = store.lock(SOON, &Quiet).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "the journal `{}` cannot be read: {because}",
                    intent.display()
                )
            );
            assert!(error.hint().contains("finish"), "{}", error.hint());
            assert_eq!(listing(dir.path()), before);
            // Nothing of it is in place, so that there is nothing for readers to look through.
            store.read(|_| Ok::<_, Error>(())).unwrap();
        }
    }

    /// As a rename over NFS that is sent twice: the second one finds nothing to rename.
    #[test]
    fn a_step_that_happens_and_answers_an_error_takes_nothing_from_what_is_committed() {
        let mut committed = 0;
        for step in 0.. {
            let dir = pki();
            let faults = Faults::fail_late_at(step, ErrorKind::NotFound);
            let outcome = commit(&faulty(&dir, &faults), &second());
            if !faults.struck() {
                outcome.unwrap();
                assert_eq!(visible(dir.path()), after_second());
                break;
            }
            drop(Store::at(dir.path()).lock(SOON, &Quiet).unwrap());
            let is_committed = outcome.as_ref().map_or_else(Error::committed, |()| true);
            let expected = if is_committed {
                after_second()
            } else {
                after_first()
            };
            assert_eq!(visible(dir.path()), expected, "step {step}: {outcome:?}");
            assert_eq!(
                state(dir.path()),
                [".zpki", ".zpki/generation", ".zpki/lock"],
                "step {step}"
            );
            committed += usize::from(is_committed);
        }
        assert!(committed > 5, "{committed}");
    }

    /// What is handed out gets its names then.
    #[test]
    fn no_other_run_writes_before_what_is_committed_is_dropped() {
        let dir = pki();
        let store = Store::at(dir.path());
        let writer = store.lock(SOON, &Quiet).unwrap();
        let mut staged = writer.stage(&second(), &Quiet).unwrap();
        staged.commit().unwrap();
        assert_eq!(visible(dir.path()), after_second());
        let error = store.lock(Duration::ZERO, &Quiet).unwrap_err();
        assert_eq!(error.kind(), Kind::Locked);
        drop(staged);
        store.lock(SOON, &Quiet).unwrap();
        assert_eq!(visible(dir.path()), after_second());
    }

    #[test]
    fn a_file_that_appears_between_check_and_rename_is_not_replaced() {
        let dir = pki();
        let root = Root::open(dir.path(), &Faults::default()).unwrap();
        let transaction = Transaction {
            directories: vec![],
            changes: vec![Change::Put {
                file: File::new("new", 0o600, "ours"),
                before: None,
            }],
        };
        let journal = Journal::of(&root, &transaction).unwrap();
        prepare(&root, &journal, &transaction, &Quiet).unwrap();
        fs::write(dir.path().join("new"), "theirs").unwrap();
        journal.commit(&root).unwrap();
        let error = journal.finish(&root).unwrap_err();
        assert!(matches!(error, Error::Conflict { .. }), "{error}");
        assert_eq!(
            fs::read_to_string(dir.path().join("new")).unwrap(),
            "theirs"
        );
    }

    /// Some user and group that nobody runs as.
    const OTHER: (u32, u32) = (12_345, 54_321);

    fn give(path: &Path) {
        chown(path, Some(OTHER.0), Some(OTHER.1)).unwrap();
    }

    fn owner(path: &Path) -> (u32, u32) {
        let found = fs::symlink_metadata(path).unwrap();
        (found.uid(), found.gid())
    }

    #[test]
    fn a_replaced_file_keeps_its_owner_and_a_new_one_has_its_directory_s() {
        let dir = pki();
        let ours = owner(dir.path());
        for given in ["zpki.toml", "ca", ".zpki/generation"] {
            give(&dir.path().join(given));
        }
        let mut transaction = second();
        for path in ["ca/new", "ca/deep/new"] {
            transaction.changes.push(Change::Put {
                file: File::new(path, 0o600, "new"),
                before: None,
            });
        }
        commit(&Store::at(dir.path()), &transaction).unwrap();
        for (path, expected) in [
            ("zpki.toml", OTHER),
            ("ca/new", OTHER),
            ("ca/deep", OTHER),
            ("ca/deep/new", OTHER),
            (".zpki/generation", OTHER),
            // Moved, and in directories of ours.
            ("ca/previous/1/crl.pem", ours),
            ("servers", ours),
            ("servers/server1/key.pem", ours),
        ] {
            assert_eq!(owner(&dir.path().join(path)), expected, "{path}");
        }
        assert_eq!(visible(dir.path())["zpki.toml"], "0644 new settings");
    }

    #[test]
    fn a_command_is_its_writer_s_in_any_directory_and_nothing_else_can_be_executed() {
        let dir = pki();
        let ours = owner(dir.path());
        let pending = Path::new(layout::PENDING);
        fs::create_dir(dir.path().join(pending)).unwrap();
        give(&dir.path().join(pending));
        give(&dir.path().join("ca"));
        let put = |path: PathBuf| Change::Put {
            file: File::new(path, layout::COMMAND, "reload"),
            before: None,
        };
        let transaction = Transaction {
            directories: vec![],
            changes: vec![put(pending.join("server1.1")), put("ca/new".into())],
        };
        commit(&Store::at(dir.path()), &transaction).unwrap();
        let all = listing(dir.path());
        assert_eq!(all[".zpki/pending/server1.1"], "0500 reload");
        assert_eq!(owner(&dir.path().join(".zpki/pending/server1.1")), ours);
        assert_eq!(all["ca/new"], "0400 reload");
        assert_eq!(owner(&dir.path().join("ca/new")), OTHER);
    }

    /// Root makes them in a directory of somebody who is to renew there.
    #[test]
    fn what_is_zpki_s_own_is_the_owner_s_of_the_pki_directory() {
        let own = [".zpki", ".zpki/lock", ".zpki/generation"];
        let dir = tempfile::tempdir().unwrap();
        give(dir.path());
        commit(&Store::at(dir.path()), &first()).unwrap();
        for path in own {
            assert_eq!(owner(&dir.path().join(path)), OTHER, "{path}");
        }
        fs::remove_dir_all(dir.path().join(".zpki")).unwrap();
        commit(&Store::at(dir.path()), &second()).unwrap();
        for path in own {
            assert_eq!(owner(&dir.path().join(path)), OTHER, "{path}");
        }

        // A run that may give nothing away writes all the same what only it reads.
        let dir = tempfile::tempdir().unwrap();
        let ours = owner(dir.path());
        give(dir.path());
        let faults = Faults::forbid(FaultyStep::Own);
        drop(faulty(&dir, &faults).lock(SOON, &Quiet).unwrap());
        assert!(faults.struck());
        assert_eq!(listing(dir.path()), Listing::new());
        let open = vec![Tree::from(vec![File::new("open", 0o644, "")])];
        commit(&faulty(&dir, &faults), &open.into()).unwrap();
        for path in own {
            assert_eq!(owner(&dir.path().join(path)), ours, "{path}");
        }
    }

    #[test]
    fn a_killed_run_of_root_leaves_nothing_that_the_owner_cannot_read() {
        for step in 0.. {
            let dir = tempfile::tempdir().unwrap();
            give(dir.path());
            commit(&Store::at(dir.path()), &first()).unwrap();
            let faults = Faults::crash_at(step);
            let _ = commit(&faulty(&dir, &faults), &second());
            if !faults.struck() {
                break;
            }
            for name in ["intent", "journal"] {
                let path = dir.path().join(".zpki").join(name);
                if let Ok(found) = fs::metadata(&path) {
                    assert_eq!(found.permissions().mode() & 0o444, 0o444, "step {step}");
                }
            }
        }
    }

    /// A key of another user's, its group's too if it has 0640, replaced by a run to which the step
    /// is forbidden that gives it its owner.
    fn replaced_by_a_stranger(mode: u32, owner: (Option<u32>, Option<u32>)) -> Result<(), Error> {
        let dir = pki();
        let key = Transaction {
            directories: vec![],
            changes: vec![Change::Put {
                file: File::new("key", mode, "old"),
                before: None,
            }],
        };
        commit(&Store::at(dir.path()), &key).unwrap();
        chown(dir.path().join("key"), owner.0, owner.1).unwrap();
        let before = listing(dir.path());
        let renewal = Transaction {
            directories: vec![],
            changes: vec![Change::Put {
                file: File::new("key", mode, "new"),
                before: Some(sha256(b"old")),
            }],
        };
        let faults = Faults::forbid(FaultyStep::Own);
        let outcome = commit(&faulty(&dir, &faults), &renewal);
        assert!(faults.struck());
        let after = listing(dir.path());
        match &outcome {
            Ok(()) => assert_eq!(after["key"], format!("{mode:04o} new")),
            Err(_) => assert_eq!(after, before),
        }
        outcome.map_err(|error| match error {
            Error::Owner { path, user, group } => Error::Owner {
                path: path.strip_prefix(dir.path()).unwrap().to_owned(),
                user,
                group,
            },
            error => error,
        })
    }

    #[test]
    fn a_file_that_its_owner_could_no_longer_read_is_not_written() {
        let (user, group) = (Some(OTHER.0), Some(OTHER.1));
        for (mode, owner) in [
            (0o600, (user, None)),
            (0o600, (user, group)),
            (0o640, (user, None)),
            (0o640, (None, group)),
        ] {
            let error = replaced_by_a_stranger(mode, owner).unwrap_err();
            assert_eq!(
                error.kind(),
                Kind::Permission,
                "{mode:o} {owner:?}: {error}"
            );
            assert!(!error.committed());
        }
        let error = replaced_by_a_stranger(0o600, (user, group)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`key` has to belong to user 12345 and group 54321, who could not read it otherwise"
        );
        assert_eq!(
            error.hint(),
            "run as root; or, if nobody else reads it, give it with `chown` to the user who runs zpki"
        );
        // A group that may not read it loses nothing, and nobody does of what everyone may read.
        replaced_by_a_stranger(0o600, (None, group)).unwrap();
        replaced_by_a_stranger(0o644, (user, group)).unwrap();
    }

    #[test]
    fn a_stale_stage_is_replaced_and_its_mode_is_not_kept() {
        let dir = pki();
        let stale = dir.path().join(".zpki.toml.zpki-2");
        fs::write(&stale, "stale").unwrap();
        fs::set_permissions(&stale, fs::Permissions::from_mode(0o777)).unwrap();
        commit(&Store::at(dir.path()), &second()).unwrap();
        assert_eq!(visible(dir.path()), after_second());
    }
}
