//! One writer at a time.
//!
//! The lock is advisory and belongs to the open file, so it dies with its process. The lock file is
//! neither renamed nor removed, with one exception: a writer that made `.zpki/` and committed
//! nothing takes both away again. So whoever gets a lock makes sure that the file it locked is
//! the one that stands there.
//!
//! Who waits does so in the kernel's queue, which as good as serves first whoever came first. Asking again
//! and again would let chance decide, and with a dozen others it passes over somebody for long.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::AtFlags;

use crate::domain::progress::Progress;

use super::error::Error;
use super::generation::GENERATION;
use super::journal::{self, INTENT, JOURNAL};
use super::root::Root;
use super::{PRIVATE, STATE, Store};

pub(super) const LOCK: &str = ".zpki/lock";
pub(super) const LOCK_MODE: u32 = 0o600;

/// How long to wait before anything else is looked at again: a lock file that is gone, an interruption.
const PAUSE: Duration = Duration::from_millis(20);

/// By when runs that make `.zpki/` and take it away again have got out of each other's way.
const SETTLED: Duration = Duration::from_secs(2);

/// The one writer of a PKI directory, until it is dropped.
#[derive(Debug)]
pub struct Writer {
    pub(super) root: Root,
    recovered: Option<Recovered>,
    /// Unlocked as the last thing, when [`Drop::drop`] has done its work.
    _lock: File,
}

/// What a writer found of an earlier run that was killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Recovered {
    /// A change that was committed: it is finished now.
    RolledForward,
    /// A change that was not committed: its traces are removed.
    ThrownAway,
}

impl Store {
    /// Whether a change is under way, or was when its run was killed: the next writer finishes it
    /// or throws it away.
    ///
    /// # Errors
    /// [`Error::Io`], also when `.zpki/` may not be entered.
    pub fn is_changing(&self) -> Result<bool, Error> {
        let root = match Root::open(&self.root, &self.faults) {
            Err(Error::Io { source, .. }) if is_no_directory(&source) => return Ok(false),
            root => root?,
        };
        let there = |path| root.stat(Path::new(path), AtFlags::SYMLINK_NOFOLLOW);
        Ok(there(INTENT)?.is_some() || there(JOURNAL)?.is_some())
    }

    /// Becomes the writer, as soon as no other run is; then finishes, or throws away, what a killed
    /// run has left. An interruption that `progress` reports ends the waiting.
    ///
    /// # Errors
    /// [`Error::Locked`] after `timeout`; [`Error::Interrupted`]; [`Error::LocksUnsupported`]; [`Error::Conflict`],
    /// [`Error::Lost`] and [`Error::Journal`] when an earlier change cannot be finished.
    pub fn lock(&self, timeout: Duration, progress: &dyn Progress) -> Result<Writer, Error> {
        let root = Root::open(&self.root, &self.faults)?;
        let started = Instant::now();
        let lock = loop {
            let attempt = make_lock(&root)
                .and_then(|()| try_lock(&root))
                .inspect_err(|_| abandon(&root))?;
            let waited = started.elapsed();
            match attempt {
                Attempt::Busy if waited < timeout => {
                    let left = timeout - waited;
                    if let Attempt::Held(lock) = in_turn(&root, left, progress)? {
                        break lock;
                    }
                }
                Attempt::Gone if waited < timeout.max(SETTLED) => thread::sleep(PAUSE),
                Attempt::Busy | Attempt::Gone => {
                    return Err(Error::Locked {
                        path: root.shown(Path::new(LOCK)),
                        waited: timeout,
                    });
                }
                Attempt::Held(lock) => break lock,
            }
            progress.check()?;
        };
        let mut writer = Writer {
            root,
            recovered: None,
            _lock: lock,
        };
        writer.recovered = journal::recover(&writer.root)?;
        Ok(writer)
    }
}

fn is_no_directory(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotADirectory | ErrorKind::NotFound)
}

impl Writer {
    /// What was left of an earlier run, and is in order now.
    #[must_use]
    pub fn recovered(&self) -> Option<Recovered> {
        self.recovered
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        remove_unused(&self.root);
    }
}

/// How an attempt to get the lock ended.
pub(super) enum Attempt {
    /// Another run has it.
    Busy,
    /// The lock file is not there (any more).
    Gone,
    /// It is ours until this file is closed.
    Held(File),
}

/// Tries to lock the lock file, without waiting.
pub(super) fn try_lock(root: &Root) -> Result<Attempt, Error> {
    let path = Path::new(LOCK);
    let Some(file) = root.open_lock(path)? else {
        return Ok(Attempt::Gone);
    };
    match root.lock(&file) {
        Ok(()) if root.is_at(&file, path)? => Ok(Attempt::Held(file)),
        Ok(()) => Ok(Attempt::Gone),
        Err(TryLockError::WouldBlock) => Ok(Attempt::Busy),
        Err(TryLockError::Error(source)) => Err(Error::LocksUnsupported {
            path: root.shown(path),
            source,
        }),
    }
}

/// Waits for the lock for at most `timeout`.
fn in_turn(root: &Root, timeout: Duration, progress: &dyn Progress) -> Result<Attempt, Error> {
    let path = Path::new(LOCK);
    let Some(file) = root.open_lock(path)? else {
        return Ok(Attempt::Gone);
    };
    match queue(file, File::lock, timeout, || Ok(progress.check()?))? {
        Some(file) if root.is_at(&file, path)? => Ok(Attempt::Held(file)),
        Some(_) => Ok(Attempt::Gone),
        None => Ok(Attempt::Busy),
    }
}

/// Keeps writers out until the answer is dropped, for a reader who would never see the directory at rest;
/// `None` when that could not be had within `timeout`, or not at all.
pub(super) fn keep_writers_out(root: &Root, timeout: Duration) -> Option<File> {
    let path = Path::new(LOCK);
    let file = root.open_own(path).ok()??;
    let file = queue(file, File::lock_shared, timeout, || Ok(())).ok()??;
    root.is_at(&file, path).ok()?.then_some(file)
}

/// Locks an open file by `lock`, which waits, for at most `timeout`, and asks `goes_on` now and then. No
/// system call does that: a thread waits, and when it is given up, it unlocks as soon as it has locked.
fn queue(
    file: File,
    lock: fn(&File) -> io::Result<()>,
    timeout: Duration,
    goes_on: impl Fn() -> Result<(), Error>,
) -> Result<Option<File>, Error> {
    let started = Instant::now();
    let (waiter, has_ended) = (thread::current(), Arc::new(AtomicBool::new(false)));
    let ended = Arc::clone(&has_ended);
    let waiting = thread::Builder::new().spawn(move || {
        let locked = lock(&file).map(|()| file);
        ended.store(true, Ordering::Release);
        waiter.unpark();
        locked
    });
    // Without a thread there is only asking again, and where the lock fails at once (ENOLCK).
    let Ok(waiting) = waiting else {
        thread::sleep(PAUSE.min(timeout));
        return Ok(None);
    };
    loop {
        let left = timeout.saturating_sub(started.elapsed());
        thread::park_timeout(PAUSE.min(left));
        if has_ended.load(Ordering::Acquire) {
            let locked = waiting.join().ok().and_then(Result::ok);
            if locked.is_none() {
                thread::sleep(PAUSE.min(left));
            }
            return Ok(locked);
        }
        if left.is_zero() {
            return Ok(None);
        }
        goes_on()?;
    }
}

/// Makes `.zpki/` and the lock file, if they are missing, for the owner of the PKI directory, who is to be
/// able to write there too. Whatever another run makes or takes away under our hands is fine: what stands
/// there afterwards is tried.
fn make_lock(root: &Root) -> Result<(), Error> {
    let lock = Path::new(LOCK);
    if root.stat(lock, AtFlags::SYMLINK_NOFOLLOW)?.is_some() {
        return Ok(());
    }
    let made = make_state(root).and_then(|()| root.write_new_as_above(lock, LOCK_MODE, b""));
    match made {
        Err(Error::Io { source, .. })
            if matches!(
                source.kind(),
                ErrorKind::AlreadyExists | ErrorKind::NotFound
            ) =>
        {
            Ok(())
        }
        made => made.map(|_| ()),
    }
}

fn make_state(root: &Root) -> Result<(), Error> {
    let state = Path::new(STATE);
    if root.make_directory_as_above(state, PRIVATE)? {
        return root.sync_directory(Path::new(""));
    }
    match root.occupant(state)? {
        Some(link @ Error::DanglingLink { .. }) => Err(link),
        _ => Ok(()),
    }
}

/// Takes back a lock that could not be made whole.
fn abandon(root: &Root) {
    match try_lock(root) {
        Ok(Attempt::Held(_lock)) => remove_unused(root),
        // Where nobody can have it, it is nobody's.
        Err(Error::LocksUnsupported { .. }) => remove_unused(root),
        Ok(Attempt::Gone) => _ = root.remove_directory(Path::new(STATE)),
        Ok(Attempt::Busy) | Err(_) => {}
    }
}

/// Leaves no `.zpki/` where nothing was ever committed: a refused `init` into an existing directory
/// leaves it as it was. To be called with the lock held.
fn remove_unused(root: &Root) {
    let absent = |path: &&str| {
        let found = root.stat(Path::new(path), AtFlags::SYMLINK_NOFOLLOW);
        matches!(found, Ok(None))
    };
    if [GENERATION, INTENT, JOURNAL].iter().all(absent) {
        let _ = root.remove(Path::new(LOCK));
        let _ = root.remove_directory(Path::new(STATE));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::symlink;
    use std::process::{Command, Stdio};
    use std::sync::Mutex;
    use std::sync::atomic::AtomicUsize;

    use crate::domain::progress::Quiet;
    use crate::store::error::Kind;
    use crate::store::fault::Faults;
    use crate::store::file::{File as NewFile, Tree};
    use crate::store::testing::{Listing, SOON, Until, listing};

    use super::*;

    #[test]
    fn a_change_under_way_is_seen_without_the_lock() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::at(&scratch.path().join("pki"));
        assert!(!store.is_changing().unwrap());
        fs::create_dir_all(scratch.path().join("pki/.zpki")).unwrap();
        assert!(!store.is_changing().unwrap());
        for name in ["intent", "journal"] {
            let path = scratch.path().join("pki/.zpki").join(name);
            fs::write(&path, "{}").unwrap();
            assert!(store.is_changing().unwrap(), "{name}");
            fs::remove_file(path).unwrap();
        }
    }

    fn tree(text: &str) -> Tree {
        Tree {
            directories: vec![],
            files: vec![NewFile::new(text, 0o644, text)],
        }
    }

    #[test]
    fn the_second_writer_waits_and_then_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let writer = store.lock(SOON, &Quiet).unwrap();
        let timeout = Duration::from_millis(100);
        let started = Instant::now();
        let error = store.lock(timeout, &Quiet).unwrap_err();
        assert!(started.elapsed() >= timeout);
        assert_eq!(error.kind(), Kind::Locked);
        assert_eq!(
            error.to_string(),
            format!(
                "`{}/.zpki/lock` is held by another run (waited 0.1 s)",
                dir.path().display()
            )
        );
        drop(writer);
        store.lock(SOON, &Quiet).unwrap();
    }

    #[test]
    fn an_interruption_ends_the_wait_for_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let _writer = store.lock(SOON, &Quiet).unwrap();
        let before = listing(dir.path());
        let started = Instant::now();
        let error = store
            .lock(Duration::from_secs(60), &Until::step(0))
            .unwrap_err();
        assert_eq!(error.kind(), Kind::Interrupted);
        assert!(started.elapsed() < SOON);
        assert_eq!(listing(dir.path()), before);
    }

    #[test]
    fn another_process_holds_the_lock_until_it_dies() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let writer = store.lock(SOON, &Quiet).unwrap();
        writer.commit(&vec![tree("first")].into(), &Quiet).unwrap();
        let mut child = Command::new("flock")
            .arg(dir.path().join(LOCK))
            .args(["sh", "-c", "echo held; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut held = [0; 5];
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut held)
            .unwrap();
        let error = store.lock(Duration::ZERO, &Quiet).unwrap_err();
        assert_eq!(error.kind(), Kind::Locked);
        // The end of its input ends `cat`, and so `flock`.
        drop(child.stdin.take());
        store.lock(Duration::from_secs(10), &Quiet).unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_writer_that_commits_nothing_leaves_no_directory() {
        let dir = tempfile::tempdir().unwrap();
        drop(Store::at(dir.path()).lock(SOON, &Quiet).unwrap());
        assert_eq!(listing(dir.path()), Listing::new());
    }

    #[test]
    fn the_lock_file_of_a_pki_directory_is_never_replaced() {
        use std::os::unix::fs::MetadataExt;

        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let lock = dir.path().join(LOCK);
        let commit = |text| {
            let writer = store.lock(SOON, &Quiet).unwrap();
            writer.commit(&vec![tree(text)].into(), &Quiet).unwrap();
            fs::metadata(&lock).unwrap().ino()
        };
        let inode = commit("first");
        assert_eq!(commit("second"), inode);
        drop(store.lock(SOON, &Quiet).unwrap());
        assert_eq!(fs::metadata(&lock).unwrap().ino(), inode);
    }

    #[test]
    fn writers_that_come_and_go_never_write_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let inside = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        // Each makes `.zpki/`, commits nothing, and takes it away.
                        let writer = store.lock(Duration::from_secs(60), &Quiet).unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(writer);
                    }
                });
            }
        });
        assert_eq!(listing(dir.path()), Listing::new());
    }

    #[test]
    fn who_waits_gets_the_lock_in_turn() {
        use std::os::unix::fs::MetadataExt;

        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let writer = store.lock(SOON, &Quiet).unwrap();
        writer.commit(&vec![tree("first")].into(), &Quiet).unwrap();
        let lock = File::open(dir.path().join(LOCK)).unwrap();
        // proc_locks(5): who waits has a line with an arrow.
        let inode = format!(":{} ", lock.metadata().unwrap().ino());
        let waiting = || {
            let locks = fs::read_to_string("/proc/locks").unwrap();
            let waits = |line: &&str| line.contains("-> FLOCK") && line.contains(&inode);
            locks.lines().filter(waits).count()
        };
        lock.lock().unwrap();
        let turns = Mutex::new(Vec::new());
        thread::scope(|scope| {
            let (store, turns) = (&store, &turns);
            for number in 0..16 {
                scope.spawn(move || {
                    let _writer = store.lock(Duration::from_secs(60), &Quiet).unwrap();
                    turns.lock().unwrap().push(number);
                });
                let began = Instant::now();
                while waiting() <= number {
                    assert!(began.elapsed() < Duration::from_secs(60), "{number}");
                    thread::sleep(Duration::from_millis(1));
                }
            }
            lock.unlock().unwrap();
        });
        assert_eq!(turns.into_inner().unwrap(), (0..16).collect::<Vec<_>>());
    }

    #[test]
    fn a_lock_that_fails_at_once_is_not_asked_for_without_a_pause() {
        let fails = |_: &File| Err(ErrorKind::Other.into());
        let file = || tempfile::tempfile().unwrap();
        for (timeout, pause) in [(SOON, PAUSE), (Duration::from_millis(1), Duration::ZERO)] {
            let started = Instant::now();
            let locked = queue(file(), fails, timeout, || Ok(())).unwrap();
            assert!(locked.is_none());
            assert!(started.elapsed() >= pause, "{:?}", started.elapsed());
            assert!(started.elapsed() < SOON);
        }
    }

    #[test]
    fn a_state_directory_that_is_a_dangling_link_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        symlink("nowhere", dir.path().join(STATE)).unwrap();
        let error = Store::at(dir.path()).lock(SOON, &Quiet).unwrap_err();
        assert!(matches!(error, Error::DanglingLink { .. }), "{error}");
    }

    #[test]
    fn a_file_system_without_locks_is_refused_and_left_as_it_was() {
        let refusal = (0..20).find_map(|step| {
            let dir = tempfile::tempdir().unwrap();
            let store = Store {
                root: dir.path().to_owned(),
                faults: Faults::fail_at(step, ErrorKind::Unsupported),
            };
            let error = store.lock(SOON, &Quiet).err()?;
            assert_eq!(listing(dir.path()), Listing::new(), "step {step}");
            matches!(error, Error::LocksUnsupported { .. }).then_some((dir, error))
        });
        let (dir, error) = refusal.unwrap();
        assert_eq!(error.kind(), Kind::Io);
        assert_eq!(
            error.to_string(),
            format!(
                "the file system cannot lock `{}/.zpki/lock`",
                dir.path().display()
            )
        );
    }

    #[test]
    fn a_missing_pki_directory_is_named_and_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing");
        let error = Store::at(&missing).lock(SOON, &Quiet).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot open `{}`", missing.display())
        );
        assert!(!missing.exists());
    }
}
