//! A new PKI directory, complete from the first instant at which it can be seen: it is built under a
//! dot-name beside its place, and renamed once.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::progress::Progress;

use super::error::Error;
use super::fault::Faults;
use super::file::{self, Tree};
use super::generation::{FIRST, GENERATION};
use super::lock::{self, Attempt, LOCK, LOCK_MODE};
use super::root::Root;
use super::{PRIVATE, STATE};

/// Makes the directory `target` with `tree` in it, as [`build`] does; one step of `progress` for each file.
///
/// # Errors
/// Those of [`build`].
pub fn create(target: &Path, tree: &Tree, progress: &dyn Progress) -> Result<(), Error> {
    progress.start("writing files", tree.files.len() + 1);
    build(target, progress, |new| new.write(tree, progress))
}

/// Makes the directory `target` with what `fill` writes into it, durably; parents that are missing are
/// made as `mkdir -p` makes them. On an error or an interruption, which `progress` reports (one step
/// when all is written), everything that was made is removed.
///
/// # Errors
/// [`Error::Exists`] and [`Error::DanglingLink`] when something stands at `target`, which is never
/// replaced; [`Error::Interrupted`]; [`Error::LocksUnsupported`]; [`Error::Io`]; those of `fill`.
pub fn build<T, E: From<Error>>(
    target: &Path,
    progress: &dyn Progress,
    fill: impl FnOnce(&NewDirectory) -> Result<T, E>,
) -> Result<T, E> {
    build_with(target, progress, fill, &Faults::default())
}

fn build_with<T, E: From<Error>>(
    target: &Path,
    progress: &dyn Progress,
    fill: impl FnOnce(&NewDirectory) -> Result<T, E>,
    faults: &Faults,
) -> Result<T, E> {
    let mut site = Site::open(target, faults)?;
    site.make_parents()?;
    let new = NewDirectory::begin(site.claim()?)?;
    let filled = fill(&new)?;
    new.finish()?;
    progress.advance().map_err(Error::from)?;
    site.publish()?;
    Ok(filled)
}

/// A directory that is being made: nobody sees what is written to it before it is complete.
#[derive(Debug)]
pub struct NewDirectory {
    root: Root,
    made: Mutex<HashSet<OsString>>,
}

impl NewDirectory {
    /// In a stage that has nothing but its lock.
    fn begin(mut root: Root) -> Result<Self, Error> {
        root.probe_modes(&Path::new(STATE).join("probe"))?;
        root.write_new(Path::new(GENERATION), LOCK_MODE, FIRST)?;
        Ok(Self {
            root,
            made: Mutex::default(),
        })
    }

    /// Writes all of `tree`, one step of `progress` for each file. Many threads may write at once: each
    /// a tree of its own, for two that make entries in the same directory wait for each other.
    ///
    /// # Errors
    /// [`Error::Path`]; [`Error::Interrupted`]; [`Error::Io`].
    pub fn write(&self, tree: &Tree, progress: &dyn Progress) -> Result<(), Error> {
        let named = tree.directories.iter().map(|directory| &*directory.path);
        let files = tree.files.iter().map(|file| &*file.path);
        named.chain(files.clone()).try_for_each(file::check_path)?;
        let mut directories = file::directories(&tree.directories, files);
        {
            let made = self.made();
            directories.retain(|(path, _)| !made.contains(path.as_os_str()));
        }
        for (path, mode) in directories {
            // To make one twice does no harm, and is rare.
            self.root.make_directory(path, mode)?;
            self.made().insert(path.into());
        }
        tree.files.iter().try_for_each(|file| {
            progress.advance()?;
            self.root.write_new(&file.path, file.mode, &file.bytes)?;
            Ok(())
        })
    }

    fn made(&self) -> MutexGuard<'_, HashSet<OsString>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes everything durable that was written.
    fn finish(&self) -> Result<(), Error> {
        // It is to have its mode on disk before it has its name there.
        self.root.set_mode(Path::new("."), file::PUBLIC)?;
        self.root.sync_contents()
    }
}

/// After this many names, a directory that vanishes is no other run's doing.
const CLAIMS: u32 = 100;

/// Where a directory is being built. Dropped before it is published, it leaves nothing behind.
struct Site {
    /// The nearest directory above the target that was there before.
    base: Root,
    /// Relative to `base`, like the paths below.
    target: PathBuf,
    made: Vec<PathBuf>,
    stage: Option<Stage>,
}

/// The directory as it is built. Its lock is held: so another run knows that this one lives.
struct Stage {
    path: PathBuf,
    lock: File,
}

impl Site {
    fn open(target: &Path, faults: &Faults) -> Result<Self, Error> {
        let (base, target) = nearest(target, faults)?;
        match base.occupant(&target)? {
            Some(occupant) => Err(occupant),
            None => Ok(Self {
                base,
                target,
                made: Vec::new(),
                stage: None,
            }),
        }
    }

    fn parent(&self) -> &Path {
        self.target.parent().unwrap_or_else(|| Path::new(""))
    }

    fn make_parents(&mut self) -> Result<(), Error> {
        let mut missing: Vec<_> = self.parent().ancestors().map(Path::to_owned).collect();
        missing.pop();
        for path in missing.into_iter().rev() {
            if self.base.make_plain_directory(&path)? {
                let above = path.parent().unwrap_or_else(|| Path::new("")).to_owned();
                self.made.push(path);
                self.base.sync_directory(&above)?;
            } else if let Some(link @ Error::DanglingLink { .. }) = self.base.occupant(&path)? {
                return Err(link);
            }
        }
        Ok(())
    }

    /// Makes the stage under the first free name. One that a killed run has left is removed; so may
    /// ours be by another run before it is locked, and a parent that another run has made and given
    /// up.
    fn claim(&mut self) -> Result<Root, Error> {
        let mut number = 0;
        loop {
            let path = self.parent().join(format!(".zpki-init-{number}"));
            sweep(&self.base, &path);
            match self.base.make_directory(&path, PRIVATE) {
                Ok(true) => match lock_stage(&self.base, &path) {
                    Ok(Some((root, lock))) => {
                        self.stage = Some(Stage { path, lock });
                        return Ok(root);
                    }
                    Ok(None) => {}
                    Err(error) => {
                        let _ = remove(&self.base, &path);
                        return Err(error);
                    }
                },
                Ok(false) => {}
                Err(Error::Io { source, .. })
                    if source.kind() == ErrorKind::NotFound && number < CLAIMS =>
                {
                    self.make_parents()?;
                }
                Err(error) => return Err(error),
            }
            number += 1;
        }
    }

    /// Renames the stage into its place, if that is still free.
    fn publish(mut self) -> Result<(), Error> {
        let Some(stage) = &self.stage else {
            return Ok(());
        };
        if !self.base.rename_new(&stage.path, &self.target)? {
            return Err(Error::Exists {
                path: self.base.shown(&self.target),
            });
        }
        self.stage = None;
        self.made.clear();
        self.base
            .sync_directory(self.parent())
            .map_err(Error::unfinished)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(Stage { path, lock }) = self.stage.take() {
            let _ = remove(&self.base, &path);
            drop(lock);
            // On NFS and FUSE a file that is open goes from its directory only now.
            sweep(&self.base, &path);
        }
        for parent in self.made.iter().rev() {
            let _ = self.base.remove_directory(parent);
        }
    }
}

/// The nearest directory above `target` that exists, and the way from there, which goes down only: what is
/// above a directory that does not exist cannot be known.
pub(super) fn nearest(target: &Path, faults: &Faults) -> Result<(Root, PathBuf), Error> {
    let exists = || Error::Exists {
        path: target.to_owned(),
    };
    for ancestor in target.ancestors().skip(1) {
        match Root::open(ancestor, faults) {
            Ok(root) => {
                let below = target.strip_prefix(ancestor).unwrap_or(target);
                let mut behind = below.components().skip(1);
                if behind.any(|part| part == Component::ParentDir) {
                    return Err(root.error("open", below, ErrorKind::NotFound));
                }
                let name = target.file_name().ok_or_else(exists)?;
                let parent = target.parent().unwrap_or(ancestor);
                let way = parent.strip_prefix(ancestor).unwrap_or(parent);
                return Ok((root, way.join(name)));
            }
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(exists())
}

/// Makes the stage's lock and takes it; `None` when another run has swept the stage away in between,
/// and perhaps made its own there.
fn lock_stage(base: &Root, path: &Path) -> Result<Option<(Root, File)>, Error> {
    let root = match make_lock(base, path) {
        Err(Error::Io { source, .. })
            if matches!(
                source.kind(),
                ErrorKind::AlreadyExists | ErrorKind::NotFound
            ) =>
        {
            return Ok(None);
        }
        made => made?,
    };
    match lock::try_lock(&root)? {
        Attempt::Held(lock) => Ok(Some((root, lock))),
        Attempt::Busy | Attempt::Gone => Ok(None),
    }
}

fn make_lock(base: &Root, path: &Path) -> Result<Root, Error> {
    let root = base.enter(path)?;
    root.make_directory(Path::new(STATE), PRIVATE)?;
    root.write_new(Path::new(LOCK), LOCK_MODE, b"")?;
    Ok(root)
}

/// Removes the stage of a run that was killed: one whose lock is free; or, when it was killed before
/// there was a lock, one that has nothing in it; or, when the power was lost and the lock with it, one that
/// has something in it.
fn sweep(base: &Root, path: &Path) {
    if let Ok(root) = base.enter(path) {
        sweep_away(&root, base, path);
    }
}

/// Removes the stage `root` from `path`, where another may stand by now: its run has put it in its place,
/// and one more has begun.
fn sweep_away(root: &Root, base: &Root, path: &Path) {
    // To be asked before the lock, which a living run has from before this until after it.
    let is_begun = is_begun(root);
    match lock::try_lock(root) {
        // Who has the lock of what stands there is alone with it.
        Ok(Attempt::Held(_lock)) => {
            if base.is_at(root, path).unwrap_or(false) {
                let _ = remove(base, path);
            }
        }
        Ok(Attempt::Gone) if is_begun => {
            // By now another run may have made its own stage at this path.
            let _ = root.remove_contents();
            let _ = base.remove_directory(path);
        }
        Ok(Attempt::Gone) => {
            let _ = root.remove_directory(Path::new(STATE));
            let _ = base.remove_directory(path);
        }
        Ok(Attempt::Busy) | Err(_) => {}
    }
}

/// Whether anything has been made in a stage but its lock.
fn is_begun(stage: &Root) -> bool {
    let has_others = |directory: &str, own: &str| {
        let names = stage.list(Path::new(directory)).unwrap_or_default();
        names
            .iter()
            .any(|name| Path::new(directory).join(name) != Path::new(own))
    };
    has_others("", STATE) || has_others(STATE, LOCK)
}

/// Removes a stage, its lock last: if this run is killed too, the next one knows what is left for what
/// it is.
fn remove(base: &Root, path: &Path) -> Result<(), Error> {
    base.remove_tree(path, Path::new(LOCK))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::process::Command;
    use std::sync::Barrier;
    use std::thread;

    use rustix::fs::{XattrFlags, setxattr};

    use crate::domain::progress::Quiet;
    use crate::store::Store;
    use crate::store::error::Kind;
    use crate::store::fault::Step;
    use crate::store::file::{Directory, File};
    use crate::store::testing::{Listing, SOON, Until, listing};

    use super::*;

    fn create_all_with(
        target: &Path,
        trees: &[Tree],
        progress: &dyn Progress,
        faults: &Faults,
    ) -> Result<(), Error> {
        let fill = |new: &NewDirectory| trees.iter().try_for_each(|tree| new.write(tree, progress));
        build_with(target, progress, fill, faults)
    }

    fn create_all(target: &Path, trees: &[Tree], progress: &dyn Progress) -> Result<(), Error> {
        create_all_with(target, trees, progress, &Faults::default())
    }

    /// Two trees, so that one makes what the other needs too.
    fn trees() -> [Tree; 2] {
        let directory = |path: &str, mode| Directory {
            path: path.into(),
            mode,
        };
        let common = Tree {
            directories: vec![directory("clients", 0o755), directory("servers", 0o755)],
            files: vec![
                File::new("zpki.toml", 0o644, "settings"),
                File::new("ca/log.jsonl", 0o640, "log"),
            ],
        };
        let server = Tree {
            directories: vec![directory("servers/server1", 0o700)],
            files: vec![File::new("servers/server1/key.pem", 0o600, "key")],
        };
        [common, server]
    }

    fn refused(target: &Path) -> (Kind, String) {
        let error = create_all(target, &trees(), &Quiet).unwrap_err();
        assert!(!error.committed());
        (error.kind(), error.to_string())
    }

    #[test]
    fn a_new_directory_is_complete_with_its_exact_modes() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a/b/demo");
        create_all(&target, &trees(), &Quiet).unwrap();
        let expected = [
            (".zpki", "0700 directory"),
            (".zpki/generation", "0600 0\n"),
            (".zpki/lock", "0600 "),
            ("ca", "0755 directory"),
            ("ca/log.jsonl", "0640 log"),
            ("clients", "0755 directory"),
            ("servers", "0755 directory"),
            ("servers/server1", "0700 directory"),
            ("servers/server1/key.pem", "0600 key"),
            ("zpki.toml", "0644 settings"),
        ];
        let owned = |(path, what): (&str, &str)| (path.to_owned(), what.to_owned());
        assert_eq!(listing(&target), Listing::from(expected.map(owned)));
        let parent = listing(&dir.path().join("a/b"));
        assert_eq!(parent["demo"], "0755 directory");
        assert!(parent.keys().all(|path| path.starts_with("demo")));
        let writer = Store::at(&target).lock(SOON, &Quiet).unwrap();
        assert_eq!(writer.recovered(), None);
    }

    /// The umask belongs to the process, so these tests run once more in processes of their own.
    #[test]
    fn the_umask_changes_nothing() {
        let tests = [
            "store::create::tests::a_new_directory_is_complete_with_its_exact_modes",
            "store::transaction::tests::all_changes_happen_with_their_exact_modes",
        ];
        for umask in ["000", "077", "027"] {
            let output = Command::new("sh")
                .args(["-c", r#"umask "$0" && exec "$@""#, umask])
                .arg(std::env::current_exe().unwrap())
                .arg("--exact")
                .args(tests)
                .output()
                .unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success(), "umask {umask}: {text}");
            assert!(text.contains("2 passed"), "umask {umask}: {text}");
        }
    }

    /// Where others would be taken from a mode, or added to it, than by the umask.
    #[test]
    fn a_default_acl_and_the_bits_of_the_directory_above_change_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let expected = listing_of_new(&path("plain"));
        for name in ["acl", "group"] {
            fs::create_dir(path(name)).unwrap();
        }
        // user::rwx, group::r-x, other::---, each as a tag, its bits and no id (acl(5)).
        let entries = [(1_u16, 7_u16), (4, 5), (0x20, 0)];
        let entry = |(tag, bits): (u16, u16)| {
            let halves = [tag.to_le_bytes(), bits.to_le_bytes(), [0xff; 2], [0xff; 2]];
            halves.concat()
        };
        let acl = [2_u32.to_le_bytes().to_vec(), entries.map(entry).concat()].concat();
        let flags = XattrFlags::empty();
        setxattr(path("acl"), "system.posix_acl_default", &acl, flags).unwrap();
        let mode = fs::Permissions::from_mode(0o2_775);
        fs::set_permissions(path("group"), mode).unwrap();
        for name in ["acl", "group"] {
            assert_eq!(listing_of_new(&path(name).join("demo")), expected, "{name}");
        }
    }

    fn listing_of_new(target: &Path) -> Listing {
        create_all(target, &trees(), &Quiet).unwrap();
        listing(target)
    }

    #[test]
    fn every_file_of_a_directory_is_written_however_its_path_is_spelt() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("demo");
        let paths = ["a/b/1", "c/1", "a//b/2", "top", "a/./b/3", "c/2", "a/4"];
        let files = paths.map(|path| File::new(path, 0o644, path));
        let tree = Tree {
            directories: Vec::new(),
            files: files.into(),
        };
        create_all(&target, &[tree], &Quiet).unwrap();
        for path in paths {
            assert_eq!(fs::read_to_string(target.join(path)).unwrap(), path);
        }
    }

    #[test]
    fn a_target_may_end_with_a_slash_or_a_dot() {
        let dir = tempfile::tempdir().unwrap();
        for (target, made) in [("a/", "a"), ("b/.", "b"), ("c/d/", "c/d")] {
            create_all(&dir.path().join(target), &trees(), &Quiet).unwrap();
            assert!(dir.path().join(made).join("zpki.toml").exists());
        }
    }

    #[test]
    fn whatever_stands_there_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("file"), "text").unwrap();
        fs::create_dir(path("directory")).unwrap();
        symlink("directory", path("link")).unwrap();
        symlink("nowhere", path("dangling")).unwrap();
        let before = listing(dir.path());
        let root = dir.path().display();
        for name in ["file", "directory", "link", "directory/."] {
            let name_shown = name.trim_end_matches("/.");
            let message = format!("`{root}/{name_shown}` already exists");
            assert_eq!(refused(&path(name)), (Kind::Refused, message));
        }
        for name in ["dangling", "dangling/below/demo"] {
            let message =
                format!("`{root}/dangling` is a symbolic link to something that does not exist");
            assert_eq!(refused(&path(name)), (Kind::Refused, message));
        }
        for name in [".", "..", "/"] {
            let message = format!("`{name}` already exists");
            assert_eq!(refused(Path::new(name)), (Kind::Refused, message));
        }
        let message = format!("cannot open `{root}/file`");
        assert_eq!(refused(&path("file/demo")), (Kind::Io, message));
        assert_eq!(listing(dir.path()), before);
    }

    #[test]
    fn an_interruption_at_any_step_leaves_nothing() {
        for step in 0..4 {
            let dir = tempfile::tempdir().unwrap();
            let target = dir.path().join("a/b/demo");
            let error = create_all(&target, &trees(), &Until::step(step)).unwrap_err();
            assert_eq!(error.kind(), Kind::Interrupted);
            assert_eq!(listing(dir.path()), Listing::new(), "step {step}");
        }
    }

    #[test]
    fn a_disk_that_fails_at_any_step_leaves_nothing_not_even_parents() {
        let mut unfinished = 0;
        for step in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let target = dir.path().join("a/b/demo");
            let faults = Faults::fail_at(step, ErrorKind::PermissionDenied);
            match create_all_with(&target, &trees(), &Quiet, &faults) {
                Err(error) if !error.committed() => {
                    assert!(matches!(error.kind(), Kind::Io | Kind::Permission));
                    assert_eq!(listing(dir.path()), Listing::new(), "step {step}: {error}");
                }
                // The last sync, after the rename.
                Err(_) => {
                    unfinished += 1;
                    assert_eq!(listing(&target).len(), 10, "step {step}");
                }
                Ok(()) => {
                    assert!(!faults.struck(), "step {step} failed and nobody noticed");
                    break;
                }
            }
        }
        assert_eq!(unfinished, 1);
    }

    #[test]
    fn a_file_system_that_cannot_be_synced_fails_and_leaves_nothing() {
        for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
            let dir = tempfile::tempdir().unwrap();
            let faults = Faults::fail_every(Step::Syncfs, kind);
            let target = dir.path().join("a/b/demo");
            let error = create_all_with(&target, &trees(), &Quiet, &faults).unwrap_err();
            assert!(!error.committed());
            assert_eq!(error.kind(), Kind::Io);
            let stage = dir.path().join("a/b/.zpki-init-0/");
            assert_eq!(
                error.to_string(),
                format!("cannot sync `{}`", stage.display())
            );
            assert_eq!(listing(dir.path()), Listing::new());
        }
    }

    #[test]
    fn without_syncfs_each_file_and_directory_is_synced() {
        for kind in [ErrorKind::InvalidInput, ErrorKind::Unsupported] {
            let dir = tempfile::tempdir().unwrap();
            let faults = Faults::fail_every(Step::Syncfs, kind);
            let target = dir.path().join("a/b/demo");
            create_all_with(&target, &trees(), &Quiet, &faults).unwrap();
            assert!(faults.struck());
            // One for everything that was made, and one for the directory that was there.
            assert_eq!(faults.fsyncs(), listing(dir.path()).len() + 1);
        }
    }

    #[test]
    fn a_crash_at_any_step_leaves_no_half_of_a_directory() {
        for step in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let target = dir.path().join("demo");
            let faults = Faults::crash_at(step);
            let _ = create_all_with(&target, &trees(), &Quiet, &faults);
            if !target.exists() {
                create_all(&target, &trees(), &Quiet).unwrap();
            }
            assert_eq!(listing(&target).len(), 10, "step {step}");
            if !faults.struck() {
                break;
            }
        }
    }

    #[test]
    fn the_stage_of_a_killed_run_is_removed_by_the_next() {
        let mut keys_left = 0;
        for step in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let target = dir.path().join("demo");
            let faults = Faults::crash_at(step);
            let _ = create_all_with(&target, &trees(), &Quiet, &faults);
            let key = dir.path().join(".zpki-init-0/servers/server1/key.pem");
            keys_left += usize::from(key.exists());
            create_all(&dir.path().join("other"), &trees(), &Quiet).unwrap();
            let names = fs::read_dir(dir.path()).unwrap();
            let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
            names.retain(|name| name != "demo");
            assert_eq!(names, ["other"], "step {step}");
            if !faults.struck() {
                break;
            }
        }
        assert!(keys_left > 0);
    }

    #[test]
    fn a_stage_whose_removal_was_killed_is_removed_by_the_next() {
        for step in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let stage = dir.path().join(".zpki-init-0");
            create_all(&dir.path().join("killed"), &trees(), &Quiet).unwrap();
            fs::rename(dir.path().join("killed"), &stage).unwrap();
            let faults = Faults::crash_at(step);
            let base = Root::open(dir.path(), &faults).unwrap();
            sweep(&base, Path::new(".zpki-init-0"));
            if !faults.struck() {
                assert!(!stage.exists());
                break;
            }
            create_all(&dir.path().join("demo"), &trees(), &Quiet).unwrap();
            assert!(!stage.exists(), "step {step}");
        }
    }

    #[test]
    fn a_stage_that_has_lost_its_lock_is_removed_by_the_next() {
        for lost in [LOCK, STATE] {
            let dir = tempfile::tempdir().unwrap();
            let stage = dir.path().join(".zpki-init-0");
            create_all(&dir.path().join("cut"), &trees(), &Quiet).unwrap();
            fs::rename(dir.path().join("cut"), &stage).unwrap();
            match lost {
                LOCK => fs::remove_file(stage.join(lost)).unwrap(),
                _ => fs::remove_dir_all(stage.join(lost)).unwrap(),
            }
            create_all(&dir.path().join("demo"), &trees(), &Quiet).unwrap();
            assert!(!stage.exists(), "{lost}");
        }
    }

    #[test]
    fn a_stage_that_is_published_as_it_is_looked_at_is_left_and_so_is_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let base = Root::open(dir.path(), &Faults::default()).unwrap();
        let stage = Path::new(".zpki-init-0");
        create_all(&path("first"), &trees(), &Quiet).unwrap();
        let expected = listing(&path("first"));
        let seen = base.enter(Path::new("first")).unwrap();
        create_all(&path("second"), &trees(), &Quiet).unwrap();
        fs::rename(path("second"), dir.path().join(stage)).unwrap();
        sweep_away(&seen, &base, stage);
        assert_eq!(listing(&path("first")), expected);
        assert_eq!(listing(&dir.path().join(stage)), expected);
        // The same one goes when it does stand there.
        sweep(&base, stage);
        assert_eq!(listing(dir.path()).len(), expected.len() + 1);
    }

    #[test]
    fn of_two_runs_for_one_target_one_wins_and_the_other_leaves_nothing() {
        for _ in 0..50 {
            let dir = tempfile::tempdir().unwrap();
            let target = dir.path().join("a/demo");
            let barrier = Barrier::new(2);
            let run = || {
                barrier.wait();
                create_all(&target, &trees(), &Quiet)
            };
            let outcomes = thread::scope(|scope| {
                let runs = [scope.spawn(run), scope.spawn(run)];
                runs.map(|run| run.join().unwrap())
            });
            let refused: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
            assert_eq!(refused.len(), 1, "{refused:?}");
            assert!(matches!(refused[0], Error::Exists { .. }), "{refused:?}");
            assert_eq!(listing(&dir.path().join("a")).len(), 11);
        }
    }
}
