//! Files for elsewhere: put into a directory that is not a PKI directory, all of them or none, and taken
//! back unless the caller keeps them.
//!
//! What is issued stands in two places, and there is no journal for both. So the files come first, for a
//! private key must not be lost: staged, durable, renamed. Then the PKI directory's own transaction is
//! committed; if it is not, the files go away again and what they have replaced comes back.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process;

use rustix::fs::AtFlags;
use zeroize::Zeroizing;

use crate::domain::progress::Progress;

use super::PRIVATE;
use super::create::nearest;
use super::error::Error;
use super::fault::Faults;
use super::file::File;
use super::layout::SECRET;
use super::root::Root;
use super::transaction::for_each;

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
pub struct Target(Option<Root>);

impl Target {
    /// The directory at `path`, which need not be there.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn at(path: &Path) -> Result<Self, Error> {
        match Root::open(path, &Faults::default()) {
            Ok(root) => Ok(Self(Some(root))),
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(Self(None)),
            Err(error) => Err(error),
        }
    }

    /// The bytes of a file in it, through links; None when there is no such file.
    ///
    /// # Errors
    /// [`Error::NotAFile`]; [`Error::Io`].
    pub fn read(&self, name: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        self.0.as_ref().map_or(Ok(None), |root| root.read(name))
    }
}

/// Files that were put in place. Dropped before they are [kept](Self::keep), they go, and what they have
/// replaced comes back.
#[derive(Debug)]
#[must_use = "dropped, the files are taken back"]
pub struct Handout {
    root: Root,
    stages: Vec<PathBuf>,
    placed: Vec<Placed>,
    /// The directories that were made, each with the way from the one that was there before.
    made: Option<(Root, Vec<PathBuf>)>,
}

/// A file in its place.
#[derive(Debug)]
struct Placed {
    name: PathBuf,
    /// Where the file is that stood there before.
    old: Option<PathBuf>,
}

impl Handout {
    /// Puts `files` into `directory`, durably. A directory that is missing is made, and those above it, as
    /// `mkdir -p` makes them; closed to others if there is a secret among the files.
    ///
    /// # Errors
    /// [`Error::Exists`] when something stands where a file is to be that replaces nothing;
    /// [`Error::SameName`]; [`Error::Interrupted`]; [`Error::Io`]. Nothing has
    /// changed then.
    pub fn write(
        directory: &Path,
        files: &[Outgoing],
        progress: &dyn Progress,
    ) -> Result<Self, Error> {
        Self::write_with(directory, files, progress, &Faults::default())
    }

    fn write_with(
        directory: &Path,
        files: &[Outgoing],
        progress: &dyn Progress,
        faults: &Faults,
    ) -> Result<Self, Error> {
        check_names(directory, files)?;
        let is_closed = files.iter().any(|outgoing| outgoing.file.mode == SECRET);
        let mut handout = Self::open(directory, is_closed, faults)?;
        let stages = files.iter().map(|it| beside(&it.file.path, "tmp"));
        handout.stages = stages.collect();
        handout.stage(files, progress)?;
        for (index, outgoing) in files.iter().enumerate() {
            let stage = handout.stages[index].clone();
            handout.place(&stage, outgoing)?;
        }
        handout.stages.clear();
        handout.root.sync_directory(Path::new(""))?;
        Ok(handout)
    }

    fn open(directory: &Path, is_closed: bool, faults: &Faults) -> Result<Self, Error> {
        let of = |root, made| Self {
            root,
            made,
            stages: Vec::new(),
            placed: Vec::new(),
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

    /// Writes every file under a name of its own, and makes it durable.
    fn stage(&self, files: &[Outgoing], progress: &dyn Progress) -> Result<(), Error> {
        let staged: Vec<_> = self.stages.iter().zip(files).collect();
        progress.start("writing files", staged.len());
        for_each(&staged, |(stage, Outgoing { file, .. })| {
            progress.advance()?;
            self.root.write_stage(stage, file.mode, &file.bytes)?;
            Ok(())
        })?;
        if !self.root.sync_file_system()? {
            let stages: Vec<&Path> = self.stages.iter().map(PathBuf::as_path).collect();
            self.root.sync_each(&Default::default(), &stages)?;
        }
        Ok(())
    }

    fn place(&mut self, stage: &Path, outgoing: &Outgoing) -> Result<(), Error> {
        let name = &outgoing.file.path;
        let replaces =
            outgoing.replace && self.root.stat(name, AtFlags::SYMLINK_NOFOLLOW)?.is_some();
        let old = replaces.then(|| beside(name, "old"));
        if let Some(old) = &old {
            self.root.rename(name, old)?;
        }
        let placed = self.root.rename_new(stage, name);
        if let (Some(old), Err(_) | Ok(false)) = (&old, &placed) {
            self.root.rename(old, name)?;
        }
        if !placed? {
            return Err(Error::Exists {
                path: self.root.shown(name),
            });
        }
        let name = name.clone();
        self.placed.push(Placed { name, old });
        Ok(())
    }

    /// Lets the files stay, and removes those that they have replaced.
    pub fn keep(mut self) {
        for old in self.placed.drain(..).filter_map(|placed| placed.old) {
            // What stays of it has a dot-name, and the mode of a key.
            let _ = self.root.remove(&old);
        }
        self.made = None;
    }
}

impl Drop for Handout {
    fn drop(&mut self) {
        for Placed { name, old } in self.placed.drain(..).rev() {
            let _ = match old {
                Some(old) => self.root.rename(&old, &name),
                None => self.root.remove(&name),
            };
        }
        for stage in &self.stages {
            let _ = self.root.remove(stage);
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

/// A name that no consumer reads and no other run has: HAProxy passes over dot-files.
fn beside(name: &Path, what: &str) -> PathBuf {
    format!(".{}.{}.{what}", name.display(), process::id()).into()
}

#[cfg(test)]
mod tests {
    use std::fs;

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

    #[test]
    fn what_is_kept_stays_and_what_is_dropped_goes() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("deep/out");
        drop(Handout::write(&out, &files(), &Quiet).unwrap());
        assert_eq!(found(dir.path()), []);
        Handout::write(&out, &files(), &Quiet).unwrap().keep();
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
        let error = Handout::write(dir.path(), &files, &Quiet).unwrap_err();
        assert!(matches!(error, Error::Exists { .. }), "{error}");
        assert_eq!(found(dir.path()), before);
        files[1].replace = true;
        drop(Handout::write(dir.path(), &files, &Quiet).unwrap());
        assert_eq!(found(dir.path()), before);
        Handout::write(dir.path(), &files, &Quiet).unwrap().keep();
        let in_place = [
            ("a.cert.pem", "0644 certificate"),
            ("a.key.pem", "0600 key"),
        ];
        assert_eq!(found(dir.path()), pairs(&in_place));
    }

    #[test]
    fn a_failure_leaves_everything_as_it_was() {
        for step in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let out = dir.path().join("out");
            fs::create_dir(&out).unwrap();
            fs::write(out.join("a.cert.pem"), "old").unwrap();
            let before = found(dir.path());
            let mut files = files();
            files[1].replace = true;
            let faults = Faults::fail_at(step, ErrorKind::StorageFull);
            let written = Handout::write_with(&out, &files, &Quiet, &faults);
            if !faults.struck() {
                written.unwrap().keep();
                assert!(step > 6, "{step}");
                break;
            }
            drop(written);
            assert_eq!(found(dir.path()), before, "step {step}");
        }
    }

    #[test]
    fn a_failure_leaves_no_directory() {
        for step in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let faults = Faults::fail_at(step, ErrorKind::StorageFull);
            let out = dir.path().join("deep/out");
            let written = Handout::write_with(&out, &files(), &Quiet, &faults);
            if !faults.struck() {
                written.unwrap().keep();
                break;
            }
            written.unwrap_err();
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "step {step}");
        }
    }

    #[test]
    fn two_files_do_not_share_a_name() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = files();
        for path in ["a.key.pem", "../a", ".."] {
            files[1].file.path = path.into();
            let error = Handout::write(dir.path(), &files, &Quiet).unwrap_err();
            let is_refused = match path {
                "a.key.pem" => matches!(error, Error::SameName { .. }),
                _ => matches!(error, Error::Path { .. }),
            };
            assert!(is_refused, "{error}");
        }
        assert_eq!(found(dir.path()), []);
    }
}
