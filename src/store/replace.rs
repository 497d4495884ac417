//! A file outside the PKI directory that zpki is to change: the CA's private key, where that is kept
//! elsewhere. It is replaced whole, with the mode and the owner that it has.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType};

use super::error::Error;
use super::fault::Faults;
use super::journal::expect_replaceable;
use super::root::Root;
use super::stage;
use crate::domain::digest::Digest;

/// What is to take the place of a file. Dropped before it [does](Self::put), it goes.
#[derive(Debug)]
#[must_use = "dropped, it goes"]
pub struct Replacement {
    root: Root,
    name: PathBuf,
    stage: Stage,
}

/// Where the new bytes are.
#[derive(Debug)]
enum Stage {
    Unnamed(File),
    Named(PathBuf),
    Gone,
}

/// Writes what is to be put in place of the file at `path`, durably, if that has the digest `before`. What
/// a symbolic link leads to is to be replaced, and the link stays. What killed runs have left beside it is
/// removed, if no other run is at work there.
///
/// # Errors
/// [`Error::Changed`] when something else is in it; [`Error::NotAFile`]; [`Error::Forbidden`],
/// [`Error::Immutable`] and [`Error::Mounted`] when it could not be replaced; [`Error::Exchanging`];
/// [`Error::Owner`] when the file would get another owner, who could or could not read it then;
/// [`Error::Io`]. Nothing has changed then.
pub fn stage(path: &Path, before: &Digest, bytes: &[u8]) -> Result<Replacement, Error> {
    stage_with(path, before, bytes, &Faults::default())
}

fn stage_with(
    path: &Path,
    before: &Digest,
    bytes: &[u8],
    faults: &Faults,
) -> Result<Replacement, Error> {
    let path = fs::canonicalize(path).map_err(|source| Error::Io {
        action: "open",
        path: path.to_owned(),
        source,
    })?;
    let not_a_file = || Error::NotAFile { path: path.clone() };
    let name = Path::new(path.file_name().ok_or_else(not_a_file)?);
    let root = Root::open(path.parent().unwrap_or_else(|| Path::new("/")), faults)?;
    let stat = root.stat(name, AtFlags::SYMLINK_NOFOLLOW)?;
    let stat = stat.ok_or_else(not_a_file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(not_a_file());
    }
    let changed = || Error::Changed { path: path.clone() };
    if root.digest(name)?.as_ref() != Some(before) {
        return Err(changed());
    }
    expect_replaceable(&root, name)?;
    for stage in stage::left(&root)?.remove(name).unwrap_or_default() {
        root.remove(&stage)?;
    }
    let mut replacement = Replacement {
        root,
        name: name.to_owned(),
        stage: Stage::Gone,
    };
    replacement.write(stat.st_mode & 0o7777, bytes)?;
    Ok(replacement)
}

impl Replacement {
    /// Where there is no file without a name, a run that is killed from here on leaves the bytes.
    fn write(&mut self, mode: u32, bytes: &[u8]) -> Result<(), Error> {
        let root = &self.root;
        if let Some(file) = root.write_unnamed_of(&self.name, mode, bytes)? {
            root.sync_file(&file, &self.name)?;
            self.stage = Stage::Unnamed(file);
            return Ok(());
        }
        let (stage, file) = stage::make(root, stage::names(&self.name), |stage| {
            root.write_new_of(stage, &self.name, mode, bytes)
        })?;
        let synced = root.sync_file(&file, &stage);
        self.stage = Stage::Named(stage);
        synced
    }

    /// Replaces the file.
    ///
    /// # Errors
    /// [`Error::Io`]; the old file is in its place then, and nothing beside it.
    pub fn put(mut self) -> Result<Replaced, Error> {
        if let Stage::Unnamed(file) = &self.stage {
            // A file takes another's place by its name only.
            let mut names = stage::names(&self.name);
            self.stage = loop {
                let stage = names.next().expect("there is always another number");
                if self.root.name_new(file, &stage)? {
                    break Stage::Named(stage);
                }
            };
        }
        if let Stage::Named(stage) = &self.stage {
            self.root.rename(stage, &self.name)?;
        }
        self.stage = Stage::Gone;
        Ok(Replaced(self))
    }
}

/// A file that was replaced.
#[derive(Debug)]
pub struct Replaced(Replacement);

impl Replaced {
    /// Makes that durable.
    ///
    /// # Errors
    /// [`Error::Io`]; after a loss of power, the old file may be back.
    pub fn sync(&self) -> Result<(), Error> {
        self.0.root.sync_directory(Path::new(""))
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if let Stage::Named(stage) = &self.stage {
            let _ = self.root.remove(stage);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::super::fault::Step;
    use super::super::testing::listing;
    use super::*;
    use crate::x509::digest::sha256;

    fn replace(path: &Path, before: &Digest, bytes: &[u8]) -> Result<(), Error> {
        stage(path, before, bytes)?.put()?.sync()
    }

    fn with_key(mode: u32) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.key.pem");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    fn found(directory: &Path) -> Vec<(String, String)> {
        listing(directory).into_iter().collect()
    }

    #[test]
    fn it_is_replaced_with_its_mode() {
        for mode in [0o400, 0o600, 0o640] {
            let (dir, path) = with_key(mode);
            replace(&path, &sha256(b"old"), b"new").unwrap();
            let expected = ("ca.key.pem".to_owned(), format!("{mode:04o} new"));
            assert_eq!(found(dir.path()), [expected]);
        }
    }

    #[test]
    fn what_a_killed_run_has_left_goes() {
        let (dir, path) = with_key(0o600);
        let of_others = [".other.pem.1.tmp", ".ca.key.pem.tmp"];
        for name in [".ca.key.pem.1.tmp"].iter().chain(&of_others) {
            fs::write(dir.path().join(name), "key").unwrap();
        }
        replace(&path, &sha256(b"old"), b"new").unwrap();
        let names = found(dir.path()).into_iter().map(|it| it.0);
        let expected = [".ca.key.pem.tmp", ".other.pem.1.tmp", "ca.key.pem"];
        assert_eq!(names.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_stage_of_a_living_run_is_left_alone() {
        let (dir, path) = with_key(0o600);
        fs::write(dir.path().join(".ca.key.pem.1.tmp"), "living").unwrap();
        let of_others = Root::open(dir.path(), &Faults::default()).unwrap();
        let _ = stage::left(&of_others).unwrap();
        replace(&path, &sha256(b"old"), b"new").unwrap();
        let texts = found(dir.path()).into_iter().map(|it| it.1);
        assert_eq!(texts.collect::<Vec<_>>(), ["0644 living", "0600 new"]);
    }

    #[test]
    fn what_is_not_put_goes() {
        let (dir, path) = with_key(0o600);
        drop(stage(&path, &sha256(b"old"), b"new").unwrap());
        let expected = ("ca.key.pem".to_owned(), "0600 old".to_owned());
        assert_eq!(found(dir.path()), [expected]);
    }

    /// Nothing is removed after a crash, so that there must have been nothing.
    #[test]
    fn a_crash_before_it_is_put_leaves_nothing() {
        for step in 0.. {
            let (dir, path) = with_key(0o600);
            let faults = Faults::crash_at(step);
            let staged = stage_with(&path, &sha256(b"old"), b"new", &faults);
            if !faults.struck() {
                drop(staged.unwrap());
                // Making it, writing it, its mode, making it durable.
                assert_eq!(step, 4);
                break;
            }
            staged.unwrap_err();
            let expected = ("ca.key.pem".to_owned(), "0600 old".to_owned());
            assert_eq!(found(dir.path()), [expected], "step {step}");
        }
    }

    #[test]
    fn where_each_file_has_a_name_it_is_made_beside_its_place() {
        let (dir, path) = with_key(0o640);
        let faults = Faults::fail_every(Step::Unnamed, ErrorKind::Unsupported);
        let staged = stage_with(&path, &sha256(b"old"), b"new", &faults).unwrap();
        assert_eq!(found(dir.path()).len(), 2);
        staged.put().unwrap();
        let expected = ("ca.key.pem".to_owned(), "0640 new".to_owned());
        assert_eq!(found(dir.path()), [expected]);
    }

    #[test]
    fn what_a_link_leads_to_is_replaced() {
        let (dir, path) = with_key(0o600);
        let link = dir.path().join("link");
        symlink(&path, &link).unwrap();
        replace(&link, &sha256(b"old"), b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn what_somebody_else_has_written_stays() {
        let (dir, path) = with_key(0o600);
        let error = replace(&path, &sha256(b"older"), b"new").unwrap_err();
        assert!(matches!(error, Error::Changed { .. }), "{error}");
        let error = replace(dir.path(), &sha256(b"old"), b"new").unwrap_err();
        assert!(matches!(error, Error::NotAFile { .. }), "{error}");
        let absent = dir.path().join("absent");
        replace(&absent, &sha256(b"old"), b"new").unwrap_err();
        assert_eq!(
            found(dir.path()),
            [("ca.key.pem".to_owned(), "0600 old".to_owned())]
        );
    }

    #[test]
    fn a_failure_leaves_one_whole_file() {
        for step in 0.. {
            let (dir, path) = with_key(0o600);
            let faults = Faults::fail_at(step, ErrorKind::StorageFull);
            let written =
                stage_with(&path, &sha256(b"old"), b"new", &faults).and_then(|it| it.put()?.sync());
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(found(dir.path()).len(), 1, "step {step}");
            if !faults.struck() {
                written.unwrap();
                assert_eq!(text, "new");
                assert!(step > 3);
                break;
            }
            written.unwrap_err();
            assert!(text == "old" || text == "new", "step {step}");
        }
    }
}
