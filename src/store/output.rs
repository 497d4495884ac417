//! A file that the user asked for, outside the PKI directory: made whole or not at all, and never in
//! place of another.

use std::path::{Path, PathBuf};
use std::process;

use super::error::Error;
use super::fault::Faults;
use super::root::Root;

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
    let not_a_file = || Error::NotAFile {
        path: path.to_owned(),
    };
    let name = Path::new(path.file_name().ok_or_else(not_a_file)?);
    let root = Root::open(path.parent().unwrap_or_else(|| Path::new("")), faults)?;
    if let Some(occupant) = root.occupant(name)? {
        return is_there_already(&root, name, bytes, occupant);
    }
    let stage = stage(name);
    let placed = place(&root, &stage, name, mode, bytes);
    match placed {
        Ok(true) => root.sync_directory(Path::new("")).map(|()| true),
        Ok(false) => {
            root.remove(&stage)?;
            let path = path.to_owned();
            is_there_already(&root, name, bytes, Error::Exists { path })
        }
        Err(error) => {
            _ = root.remove(&stage);
            Err(error)
        }
    }
}

/// Whether what stands there is the same, so that nothing need be written.
fn is_there_already(
    root: &Root,
    name: &Path,
    bytes: &[u8],
    occupant: Error,
) -> Result<bool, Error> {
    match root.read(name)? {
        Some(found) if *found == bytes => Ok(false),
        _ => Err(occupant),
    }
}

fn place(root: &Root, stage: &Path, name: &Path, mode: u32, bytes: &[u8]) -> Result<bool, Error> {
    let file = root.write_stage(stage, mode, bytes)?;
    root.sync_file(&file, stage)?;
    root.rename_new(stage, name)
}

/// A name that HAProxy does not load, and that no other run has.
fn stage(name: &Path) -> PathBuf {
    format!(".{}.{}.tmp", name.display(), process::id()).into()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;
    use std::os::unix::fs::symlink;

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
                // Making it, writing it, its mode, making it durable, putting it in place.
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
}
