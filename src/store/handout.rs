//! Files for elsewhere: put into a directory that is not a PKI directory, all of them or none.
//!
//! What is issued stands in two places, and there is no journal for both. No certificate may be valid that
//! the inventory does not know, and no private key may be lost. So the files are staged first, and made
//! durable; then the PKI directory's own transaction is committed; then the files are renamed. A run that is
//! killed in between leaves its stages, in which the next one that is asked for the same files
//! [finds](Target::left) what it need not make again. While a run lives it holds the directory, for
//! one of another PKI directory may hand out into it too; what that has put there with the same bytes, such
//! as the trust bundle of one CA, is in its place.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::domain::progress::Progress;

use super::PRIVATE;
use super::create::nearest;
use super::error::Error;
use super::fault::Faults;
use super::file::File;
use super::journal::expect_replaceable;
use super::layout::SECRET;
use super::root::Root;
use super::stage::{self, Left};

/// A file to be put in place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outgoing {
    /// Its path is a name in the directory.
    pub file: File,
    /// Whether it may take the place of another.
    pub replace: bool,
}

/// What there is in a directory that files are to be put into.
#[derive(Debug)]
pub struct Target {
    /// None where there is no directory.
    root: Option<Root>,
    left: Left,
}

impl Target {
    /// The directory at `path`, which need not be there.
    ///
    /// # Errors
    /// [`Error::Io`], of `..` behind what is not there too: it could lead anywhere once that is made.
    pub fn at(path: &Path) -> Result<Self, Error> {
        match Root::open(path, &Faults::default()) {
            Ok(root) => {
                // Nothing is written by it.
                let left = stage::look(&root)?;
                let root = Some(root);
                Ok(Self { root, left })
            }
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                nearest(path, &Faults::default())?;
                Ok(Self {
                    root: None,
                    left: Left::new(),
                })
            }
            Err(error) => Err(error),
        }
    }

    /// The bytes of a file in it, through links; None when there is no such file.
    ///
    /// # Errors
    /// [`Error::NotAFile`]; [`Error::Io`].
    pub fn read(&self, name: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let root = self.root.as_ref();
        root.map_or(Ok(None), |root| root.read(name))
    }

    /// What a killed run was about to make a file of, one for each such run.
    ///
    /// # Errors
    /// [`Error::NotAFile`]; [`Error::Io`].
    pub fn left(&self, name: &Path) -> Result<Vec<Zeroizing<Vec<u8>>>, Error> {
        let (Some(root), Some(stages)) = (&self.root, self.left.get(name)) else {
            return Ok(Vec::new());
        };
        let found = stages.iter().map(|stage| root.read_own(stage));
        found.filter_map(Result::transpose).collect()
    }
}

/// Whether `path`, which need not be there, is in `directory`, or is it. Where `..` behind what is not there
/// leads cannot be known: [`Target::at`] refuses that.
#[must_use]
pub fn is_inside(path: &Path, directory: &Path) -> bool {
    let real = |path: &Path| path.ancestors().find_map(|it| fs::canonicalize(it).ok());
    let both = real(path).zip(real(directory));
    both.is_some_and(|(path, directory)| path.starts_with(&directory))
}

/// Files that are durable, but for their names. Dropped before they are put in [place](Self::place), they go.
#[derive(Debug)]
#[must_use = "dropped, the files go"]
pub struct Handout {
    root: Root,
    /// The files that are staged.
    staged: Vec<Staged>,
    /// What killed runs have left of the same files.
    left: Vec<PathBuf>,
    /// The directories that were made, each with the way from the one that was there before.
    made: Option<(Root, Vec<PathBuf>)>,
}

/// A file on its way.
#[derive(Debug)]
struct Staged {
    name: PathBuf,
    stage: PathBuf,
    replace: bool,
}

impl Handout {
    /// Writes `files` into `directory`, durably, under names that nobody reads. A directory that is missing
    /// is made, and those above it, as `mkdir -p` makes them; closed to others if there is a secret among
    /// the files.
    ///
    /// # Errors
    /// [`Error::Exists`] when something stands where a file is to be that replaces nothing;
    /// [`Error::Forbidden`], [`Error::Immutable`] and [`Error::Mounted`] when it could not be replaced;
    /// [`Error::Exchanging`]; [`Error::Path`]; [`Error::SameName`]; [`Error::Interrupted`]; [`Error::Io`].
    /// Nothing has changed then.
    pub fn stage(
        directory: &Path,
        files: &[Outgoing],
        progress: &dyn Progress,
    ) -> Result<Self, Error> {
        Self::stage_with(directory, files, progress, &Faults::default())
    }

    fn stage_with(
        directory: &Path,
        files: &[Outgoing],
        progress: &dyn Progress,
        faults: &Faults,
    ) -> Result<Self, Error> {
        check_names(directory, files)?;
        let is_closed = files.iter().any(|outgoing| outgoing.file.mode == SECRET);
        let mut handout = Self::open(directory, is_closed, faults)?;
        let mut left = stage::left(&handout.root)?;
        let left = files.iter().filter_map(|it| left.remove(&it.file.path));
        handout.left = left.flatten().collect();
        // Nothing stands in the way in a directory that was just made.
        let is_new = handout.made.is_some();
        for Outgoing { file, replace } in files.iter().filter(|_| !is_new) {
            handout.expect_way(&file.path, *replace)?;
        }
        handout.write(files, progress)?;
        Ok(handout)
    }

    fn open(directory: &Path, is_closed: bool, faults: &Faults) -> Result<Self, Error> {
        let of = |root, made| Self {
            root,
            made,
            staged: Vec::new(),
            left: Vec::new(),
        };
        match Root::open(directory, faults) {
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
            opened => return Ok(of(opened?, None)),
        }
        let (base, way) = nearest(directory, faults)?;
        let mut made = Vec::new();
        let outcome =
            make(&base, &way, is_closed, &mut made).and_then(|()| Root::open(directory, faults));
        match outcome {
            Ok(root) => Ok(of(root, Some((base, made)))),
            Err(error) => {
                remove_directories(&base, &made);
                Err(error)
            }
        }
    }

    /// That a file can be put in its place: found out only after the commit, it would be too late.
    fn expect_way(&self, name: &Path, replace: bool) -> Result<(), Error> {
        match self.root.occupant(name)? {
            Some(occupant) if !replace => Err(occupant),
            Some(_) => expect_replaceable(&self.root, name),
            None => Ok(()),
        }
    }

    /// Writes every file under a name of its own, and makes it durable. One after the other, as all that is
    /// done here: threads that make or rename entries of one directory wait for each other.
    fn write(&mut self, files: &[Outgoing], progress: &dyn Progress) -> Result<(), Error> {
        progress.start("writing files", files.len());
        for Outgoing { file, replace } in files {
            progress.advance()?;
            let names = stage::names(&file.path);
            let write = |stage: &Path| self.root.write_new(stage, file.mode, &file.bytes);
            let (stage, _) = stage::make(&self.root, names, write)?;
            self.staged.push(Staged {
                name: file.path.clone(),
                stage,
                replace: *replace,
            });
        }
        if !self.root.sync_file_system()? {
            let stages: Vec<&Path> = self.staged.iter().map(|it| it.stage.as_path()).collect();
            self.root.sync_each(&Default::default(), &stages)?;
        }
        self.root.sync_directory(Path::new(""))
    }

    /// Puts the files in place, durably, and removes what killed runs have left of them.
    ///
    /// # Errors
    /// [`Error::NotInPlace`]: the stages of what is not in its place stay, for the next run.
    pub fn place(mut self) -> Result<(), Error> {
        let staged = std::mem::take(&mut self.staged);
        self.made = None;
        let renamed = staged.iter().try_for_each(|it| it.rename(&self.root));
        renamed.map_err(Error::not_in_place)?;
        for stage in &self.left {
            // A name that is looked at again with the next run.
            let _ = self.root.remove(stage);
        }
        let synced = self.root.sync_directory(Path::new(""));
        synced.map_err(Error::not_in_place)
    }
}

impl Staged {
    fn rename(&self, root: &Root) -> Result<(), Error> {
        if self.replace {
            return root.rename(&self.stage, &self.name);
        }
        if root.rename_new(&self.stage, &self.name)? {
            return Ok(());
        }
        // By another run in the last instant: a trust bundle that both needed.
        if is_same(root, &self.stage, &self.name) {
            return root.remove(&self.stage);
        }
        Err(Error::Exists {
            path: root.shown(&self.name),
        })
    }
}

/// Whether both are files with the same bytes.
fn is_same(root: &Root, one: &Path, other: &Path) -> bool {
    let digest = |path| root.digest(path).ok().flatten();
    digest(one).is_some_and(|one| digest(other) == Some(one))
}

impl Drop for Handout {
    fn drop(&mut self) {
        for staged in &self.staged {
            let _ = self.root.remove(&staged.stage);
        }
        if let Some((base, made)) = &self.made {
            remove_directories(base, made);
        }
    }
}

fn make(base: &Root, way: &Path, is_closed: bool, made: &mut Vec<PathBuf>) -> Result<(), Error> {
    let mut missing: Vec<_> = way.ancestors().filter(|it| *it != Path::new("")).collect();
    missing.reverse();
    for path in missing {
        let is_made = match is_closed && path == way {
            true => base.make_directory(path, PRIVATE)?,
            false => base.make_plain_directory(path)?,
        };
        if is_made {
            made.push(path.to_owned());
            base.sync_directory(super::root::parent(path))?;
        }
    }
    Ok(())
}

fn remove_directories(base: &Root, made: &[PathBuf]) {
    for path in made.iter().rev() {
        let _ = base.remove_directory(path);
    }
}

/// That each file has a name of its own, and nothing but a name.
fn check_names(directory: &Path, files: &[Outgoing]) -> Result<(), Error> {
    let mut seen = std::collections::HashSet::with_capacity(files.len());
    for path in files.iter().map(|outgoing| &outgoing.file.path) {
        if path.file_name() != Some(path.as_os_str()) {
            return Err(Error::Path {
                path: path.clone(),
                because: "is no name of a file",
            });
        }
        if !seen.insert(path) {
            let path = directory.join(path);
            return Err(Error::SameName { path });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::domain::progress::Quiet;

    use super::super::testing::listing;
    use super::*;

    fn files() -> [Outgoing; 2] {
        let outgoing = |name: &str, mode, text: &str| Outgoing {
            file: File::new(name, mode, text),
            replace: false,
        };
        [
            outgoing("a.key.pem", 0o600, "key"),
            outgoing("a.cert.pem", 0o644, "certificate"),
        ]
    }

    fn read(directory: &Path, name: &str) -> Option<Zeroizing<Vec<u8>>> {
        Target::at(directory)
            .unwrap()
            .read(Path::new(name))
            .unwrap()
    }

    fn found(directory: &Path) -> Vec<(String, String)> {
        listing(directory).into_iter().collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(name, is): &(&str, &str)| ((*name).to_owned(), (*is).to_owned());
        pairs.iter().map(owned).collect()
    }

    fn stage_files(directory: &Path, files: &[Outgoing]) -> Result<Handout, Error> {
        Handout::stage(directory, files, &Quiet)
    }

    #[test]
    fn what_is_placed_stays_and_what_is_dropped_goes() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("deep/out");
        drop(stage_files(&out, &files()).unwrap());
        assert_eq!(found(dir.path()), []);
        stage_files(&out, &files()).unwrap().place().unwrap();
        let in_place = [
            ("a.cert.pem", "0644 certificate"),
            ("a.key.pem", "0600 key"),
        ];
        assert_eq!(found(&out), pairs(&in_place));
        let key = read(&out, "a.key.pem").unwrap();
        assert_eq!(*key, b"key");
        assert_eq!(read(&out, "b.key.pem"), None);
        assert_eq!(read(&dir.path().join("none"), "b"), None);
    }

    #[test]
    fn nothing_is_replaced_that_is_not_to_be() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.cert.pem"), "old").unwrap();
        let before = found(dir.path());
        let mut files = files();
        let error = stage_files(dir.path(), &files).unwrap_err();
        assert!(matches!(error, Error::Exists { .. }), "{error}");
        assert_eq!(found(dir.path()), before);
        files[1].replace = true;
        drop(stage_files(dir.path(), &files).unwrap());
        assert_eq!(found(dir.path()), before);
        stage_files(dir.path(), &files).unwrap().place().unwrap();
        let in_place = [
            ("a.cert.pem", "0644 certificate"),
            ("a.key.pem", "0600 key"),
        ];
        assert_eq!(found(dir.path()), pairs(&in_place));
    }

    /// By a run of another PKI directory with the same CA.
    #[test]
    fn what_has_appeared_with_the_same_bytes_is_in_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let staged = [(), ()].map(|()| stage_files(dir.path(), &files()).unwrap());
        let in_place = [
            ("a.cert.pem", "0644 certificate"),
            ("a.key.pem", "0600 key"),
        ];
        for handout in staged {
            handout.place().unwrap();
        }
        assert_eq!(found(dir.path()), pairs(&in_place));
    }

    #[test]
    fn what_has_appeared_with_other_bytes_stays() {
        let dir = tempfile::tempdir().unwrap();
        let staged = stage_files(dir.path(), &files()).unwrap();
        fs::write(dir.path().join("a.cert.pem"), "other").unwrap();
        let error = staged.place().unwrap_err();
        assert!(error.committed(), "{error}");
        let text = |name| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(text("a.cert.pem"), "other");
        let target = Target::at(dir.path()).unwrap();
        let left = target.left(Path::new("a.cert.pem")).unwrap();
        assert_eq!(
            left.iter().map(|it| &***it).collect::<Vec<_>>(),
            [b"certificate"]
        );
        assert_eq!(text("a.key.pem"), "key");
    }

    #[test]
    fn a_failure_leaves_everything_as_it_was_or_what_the_next_run_needs() {
        for step in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let out = dir.path().join("out");
            fs::create_dir(&out).unwrap();
            fs::write(out.join("a.cert.pem"), "old").unwrap();
            let before = found(dir.path());
            let mut files = files();
            files[1].replace = true;
            let faults = Faults::fail_at(step, ErrorKind::StorageFull);
            match Handout::stage_with(&out, &files, &Quiet, &faults) {
                Ok(handout) => {
                    let placed = handout.place();
                    if !faults.struck() {
                        placed.unwrap();
                        assert!(step > 6, "{step}");
                        break;
                    }
                    assert!(placed.unwrap_err().committed());
                    let target = Target::at(&out).unwrap();
                    for file in files.map(|it| it.file) {
                        let mut there = target.left(&file.path).unwrap();
                        there.extend(target.read(&file.path).unwrap());
                        assert!(there.iter().any(|it| **it == *file.bytes), "step {step}");
                    }
                }
                Err(_) => assert_eq!(found(dir.path()), before, "step {step}"),
            }
        }
    }

    #[test]
    fn a_failure_leaves_no_directory() {
        for step in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let faults = Faults::fail_at(step, ErrorKind::StorageFull);
            let out = dir.path().join("deep/out");
            if let Ok(_staged) = Handout::stage_with(&out, &files(), &Quiet, &faults) {
                break;
            }
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "step {step}");
        }
    }

    #[test]
    fn what_a_killed_run_has_left_is_found_and_goes_with_the_next() {
        let dir = tempfile::tempdir().unwrap();
        for other in [".a.key.pem.tmp", ".a.key.pem.x.tmp", ".b.key.pem.7.tmp"] {
            fs::write(dir.path().join(other), "another's").unwrap();
        }
        let others = found(dir.path());
        fs::write(dir.path().join(".a.key.pem.7.tmp"), "left").unwrap();
        let target = Target::at(dir.path()).unwrap();
        let left = target.left(Path::new("a.key.pem")).unwrap();
        assert_eq!(left.iter().map(|it| &***it).collect::<Vec<_>>(), [b"left"]);
        assert!(target.left(Path::new("a.cert.pem")).unwrap().is_empty());
        stage_files(dir.path(), &files()).unwrap().place().unwrap();
        assert_eq!(found(dir.path()).len(), others.len() + 2);
        assert!(!dir.path().join(".a.key.pem.7.tmp").exists());
    }

    /// Of another PKI directory, whose lock says nothing here.
    #[test]
    fn the_stages_of_a_living_run_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let living = dir.path().join(".a.key.pem.7.tmp");
        fs::write(&living, "living").unwrap();
        let root = || Root::open(dir.path(), &Faults::default()).unwrap();
        let of_others = [root(), root()];
        assert!(
            stage::left(&of_others[0])
                .unwrap()
                .contains_key(Path::new("a.key.pem"))
        );
        assert!(stage::left(&of_others[1]).unwrap().is_empty());
        let left = || {
            let target = Target::at(dir.path()).unwrap();
            target.left(Path::new("a.key.pem")).unwrap().len()
        };
        assert_eq!(left(), 0);
        let mut files = files();
        stage_files(dir.path(), &files).unwrap().place().unwrap();
        assert_eq!(fs::read(&living).unwrap(), b"living");
        assert_eq!(found(dir.path()).len(), 3);
        // It is killed.
        drop(of_others);
        assert_eq!(left(), 1);
        files.iter_mut().for_each(|it| it.replace = true);
        let staged = stage_files(dir.path(), &files).unwrap();
        assert_eq!(left(), 0, "this one is at work");
        staged.place().unwrap();
        assert_eq!(found(dir.path()).len(), 2);
    }

    #[test]
    fn two_files_do_not_share_a_name() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = files();
        for path in ["a.key.pem", "../a", ".."] {
            files[1].file.path = path.into();
            let error = stage_files(dir.path(), &files).unwrap_err();
            let is_refused = match path {
                "a.key.pem" => matches!(error, Error::SameName { .. }),
                _ => matches!(error, Error::Path { .. }),
            };
            assert!(is_refused, "{error}");
        }
        assert_eq!(found(dir.path()), []);
    }
}
