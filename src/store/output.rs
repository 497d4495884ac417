//! A file that the user asked for, outside the PKI directory: made whole or not at all, and never in
//! place of another.
//!
//! Nothing comes back later to tidy up there, and the file may hold private keys. So it has no name while
//! it is made, and goes with the run that is killed meanwhile.

use std::path::Path;

use super::error::Error;
use super::fault::Faults;
use super::root::{Content, Root, parent};
use super::stage;

/// Makes the file at `path` with exactly this mode; `false` when it is there already with these bytes.
/// It has the mode before it has its name, so that a key is at no time readable by others.
///
/// # Errors
/// [`Error::Exists`] when something with other bytes stands there, which is never replaced;
/// [`Error::DanglingLink`]; [`Error::NotAFile`]; [`Error::Io`]. Nothing is left behind then, but for
/// a directory that cannot be synced: there the file is in place, and whole.
pub fn write(path: &Path, mode: u32, bytes: &[u8]) -> Result<bool, Error> {
    write_with(path, mode, bytes, &Faults::default())
}

fn write_with(path: &Path, mode: u32, bytes: &[u8], faults: &Faults) -> Result<bool, Error> {
    let place = Place::of(path, faults)?;
    let made = match place.occupant()? {
        Some(occupant) => Err(occupant),
        None => place.make(mode, &mut |out| out.write_all(bytes)),
    };
    match made {
        Ok(()) => Ok(true),
        // There already, or by now.
        Err(Error::Exists { .. })
            if place.root.read(place.name)?.is_some_and(|it| *it == bytes) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Where a file is to be made.
pub(super) struct Place<'a> {
    root: Root,
    name: &'a Path,
}

impl<'a> Place<'a> {
    pub(super) fn of(path: &'a Path, faults: &Faults) -> Result<Self, Error> {
        let name = path.file_name().ok_or_else(|| Error::NotAFile {
            path: path.to_owned(),
        })?;
        Ok(Self {
            root: Root::open(parent(path), faults)?,
            name: Path::new(name),
        })
    }

    /// Why nothing can be made here, if something stands here.
    pub(super) fn occupant(&self) -> Result<Option<Error>, Error> {
        self.root.occupant(self.name)
    }

    /// Makes the file, durably. On an error nothing is left, but for a directory that cannot be synced:
    /// there the file is in place, and whole.
    ///
    /// # Errors
    /// [`Error::Exists`] when something stands here by now; [`Error::Io`].
    pub(super) fn make(&self, mode: u32, content: Content<'_>) -> Result<(), Error> {
        let is_free = match self.make_unnamed(mode, content)? {
            Some(is_free) => is_free,
            None => self.make_staged(mode, content)?,
        };
        if !is_free {
            return Err(Error::Exists {
                path: self.root.shown(self.name),
            });
        }
        self.root.sync_directory(Path::new(""))
    }

    /// Whether the place was free; None where there is no file without a name.
    fn make_unnamed(&self, mode: u32, content: Content<'_>) -> Result<Option<bool>, Error> {
        let Some(file) = self.root.write_unnamed(self.name, mode, content)? else {
            return Ok(None);
        };
        self.root.sync_file(&file, self.name)?;
        self.root.name_new(&file, self.name).map(Some)
    }

    /// Whether the place was free. A run that is killed here leaves what it has written.
    fn make_staged(&self, mode: u32, content: Content<'_>) -> Result<bool, Error> {
        let names = stage::nobodys_names(self.name);
        let write = |stage: &Path| self.root.write_new_from(stage, mode, content);
        let (stage, file) = stage::make(&self.root, names, write)?;
        let placed = self
            .root
            .sync_file(&file, &stage)
            .and_then(|()| self.root.rename_new(&stage, self.name));
        if !matches!(placed, Ok(true)) {
            _ = self.root.remove(&stage);
        }
        placed
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;
    use std::os::unix::fs::symlink;

    use super::super::fault::Step;
    use super::super::testing::listing;
    use super::*;

    fn found(directory: &Path) -> Vec<(String, String)> {
        listing(directory).into_iter().collect()
    }

    #[test]
    fn it_is_made_once_and_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        let expected = [("key.pem".to_owned(), "0600 key".to_owned())];
        assert!(write(&path, 0o600, b"key").unwrap());
        assert_eq!(found(dir.path()), expected);
        assert!(!write(&path, 0o600, b"key").unwrap());
        let error = write(&path, 0o600, b"other").unwrap_err();
        assert!(matches!(error, Error::Exists { .. }), "{error}");
        assert_eq!(found(dir.path()), expected);
    }

    #[test]
    fn links_and_directories_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir(path("directory")).unwrap();
        fs::write(path("file"), "same").unwrap();
        symlink("file", path("link")).unwrap();
        symlink("nowhere", path("dangling")).unwrap();
        assert!(!write(&path("link"), 0o644, b"same").unwrap());
        let refused = |name: &str| write(&path(name), 0o644, b"other").unwrap_err();
        assert!(matches!(refused("link"), Error::Exists { .. }));
        assert!(matches!(refused("dangling"), Error::DanglingLink { .. }));
        assert!(matches!(refused("directory"), Error::NotAFile { .. }));
        assert!(matches!(refused("absent/file"), Error::Io { .. }));
        assert_eq!(fs::read(path("file")).unwrap(), b"same");
        assert!(!path("nowhere").exists());
    }

    #[test]
    fn a_failure_leaves_nothing_behind() {
        for step in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("file");
            let faults = Faults::fail_at(step, ErrorKind::StorageFull);
            let written = write_with(&path, 0o600, b"new", &faults);
            if !faults.struck() {
                assert!(written.unwrap());
                // Making it, writing it, its mode, making it durable, its name, making that durable.
                assert_eq!(step, 6);
                break;
            }
            written.unwrap_err();
            let is_in_place = step == 5;
            assert_eq!(
                found(dir.path()).len(),
                usize::from(is_in_place),
                "step {step}"
            );
        }
    }

    /// Nothing is removed after a crash, so that there must have been nothing.
    #[test]
    fn a_crash_leaves_nothing_behind() {
        for step in 0..5 {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("file");
            write_with(&path, 0o600, b"new", &Faults::crash_at(step)).unwrap_err();
            assert_eq!(found(dir.path()), [], "step {step}");
        }
    }

    #[test]
    fn where_each_file_has_a_name_it_is_made_beside_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let faults = Faults::fail_every(Step::Unnamed, ErrorKind::Unsupported);
        assert!(write_with(&path, 0o600, b"new", &faults).unwrap());
        assert!(faults.struck());
        let expected = [("file".to_owned(), "0600 new".to_owned())];
        assert_eq!(found(dir.path()), expected);
        let place = Place::of(&path, &faults).unwrap();
        let other = place.make(0o600, &mut |out| out.write_all(b"other"));
        assert!(matches!(other, Err(Error::Exists { .. })));
        assert_eq!(found(dir.path()), expected);
    }

    #[test]
    fn the_stage_of_another_run_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let place = Place::of(&path, &Faults::default()).unwrap();
        let others = stage::nobodys_names(place.name).next().unwrap();
        fs::write(dir.path().join(others), "half").unwrap();
        assert!(
            place
                .make_staged(0o600, &mut |out| out.write_all(b"new"))
                .unwrap()
        );
        let texts: Vec<_> = found(dir.path()).into_iter().map(|it| it.1).collect();
        assert_eq!(texts, ["0644 half", "0600 new"]);
    }

    #[test]
    fn where_each_file_has_a_name_a_failure_leaves_nothing_behind() {
        for step in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("file");
            let faults = Faults::fail_at(step, ErrorKind::StorageFull);
            let place = Place::of(&path, &faults).unwrap();
            let made = place.make_staged(0o600, &mut |out| out.write_all(b"new"));
            if !faults.struck() {
                assert!(made.unwrap());
                // Making it, writing it, its mode, making it durable, putting it in place.
                assert_eq!(step, 5);
                break;
            }
            made.unwrap_err();
            assert_eq!(found(dir.path()), [], "step {step}");
        }
    }
}
