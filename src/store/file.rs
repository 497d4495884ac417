//! What is written: files and directories, each with its exact mode.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::{self, Debug, Formatter};
use std::ops::Deref;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::error::Error;

/// The mode of a directory that a file needs and nobody named.
pub(super) const PUBLIC: u32 = 0o755;

/// A directory to be made; one that is there stays as it is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// Relative to the PKI directory.
    pub path: PathBuf,
    /// Its exact mode, whatever the umask.
    pub mode: u32,
}

/// A file to be written.
#[derive(Clone, Eq, PartialEq)]
pub struct File {
    /// Relative to the PKI directory.
    pub path: PathBuf,
    /// Its exact mode, whatever the umask. The file never has a wider one, not for an instant.
    pub mode: u32,
    /// What is in it.
    pub bytes: Bytes,
}

/// What is in a file. Clones share it, for every host gets the same trust bundle; it is wiped from
/// memory in the end, for it may be a key.
#[derive(Clone, Eq, PartialEq)]
pub struct Bytes(Arc<Zeroizing<Vec<u8>>>);

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Zeroizing::new(bytes)))
    }
}

impl From<Zeroizing<Vec<u8>>> for Bytes {
    fn from(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(Arc::new(bytes))
    }
}

impl From<String> for Bytes {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<&str> for Bytes {
    fn from(text: &str) -> Self {
        text.as_bytes().to_vec().into()
    }
}

impl Debug for Bytes {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} octets", self.len())
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl File {
    /// A file with `bytes` in it.
    pub fn new(path: impl Into<PathBuf>, mode: u32, bytes: impl Into<Bytes>) -> Self {
        Self {
            path: path.into(),
            mode,
            bytes: bytes.into(),
        }
    }
}

impl Debug for File {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "File({:?}, {:o}, {:?})",
            self.path, self.mode, self.bytes
        )
    }
}

/// New files and directories. Directories that files need and `directories` does not name are made
/// with mode 0755.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tree {
    /// Those with a mode of their own, or empty.
    pub directories: Vec<Directory>,
    /// Each path once.
    pub files: Vec<File>,
}

impl From<Vec<File>> for Tree {
    fn from(files: Vec<File>) -> Self {
        Self {
            directories: Vec::new(),
            files,
        }
    }
}

/// The directories that `files` need and those named, parents first.
pub(super) fn directories<'a>(
    named: impl IntoIterator<Item = &'a Directory>,
    files: impl Iterator<Item = &'a Path>,
) -> Vec<(&'a Path, u32)> {
    let mut modes = BTreeMap::new();
    for parent in files.filter_map(Path::parent) {
        require(&mut modes, parent);
    }
    for directory in named {
        require(&mut modes, &directory.path);
        modes.insert(directory.path.as_os_str(), directory.mode);
    }
    let modes = modes.into_iter();
    modes.map(|(path, mode)| (Path::new(path), mode)).collect()
}

/// Notes `path` and its parents, up to one that is noted.
fn require<'a>(modes: &mut BTreeMap<&'a OsStr, u32>, path: &'a Path) {
    for directory in path.ancestors().map(Path::as_os_str) {
        if directory.is_empty() || modes.contains_key(directory) {
            break;
        }
        modes.insert(directory, PUBLIC);
    }
}

/// That `path` stays below the PKI directory and can stand in the journal.
pub(super) fn check_path(path: &Path) -> Result<(), Error> {
    let because = if path.as_os_str().is_empty() {
        "is empty"
    } else if path.to_str().is_none() {
        "is not UTF-8"
    } else if !path
        .components()
        .all(|component| matches!(component, Component::Normal(_)))
    {
        "leads out of the PKI directory"
    } else {
        return Ok(());
    };
    Err(Error::Path {
        path: path.to_owned(),
        because,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_bytes_are_not_shown() {
        let file = File::new("ca/ca.key.pem", 0o600, "secret");
        assert_eq!(
            format!("{file:?}"),
            r#"File("ca/ca.key.pem", 600, 6 octets)"#
        );
    }

    #[test]
    fn directories_come_parents_first_and_public_unless_named() {
        let named = [Directory {
            path: "servers/b".into(),
            mode: 0o700,
        }];
        let files = ["z", "servers/b/key", "servers/a/deep/key", "ca/cert"].map(Path::new);
        let found = directories(&named, files.into_iter());
        let expected = [
            ("ca", 0o755),
            ("servers", 0o755),
            ("servers/a", 0o755),
            ("servers/a/deep", 0o755),
            ("servers/b", 0o700),
        ];
        assert_eq!(found, expected.map(|(path, mode)| (Path::new(path), mode)));
    }

    #[test]
    fn a_path_that_leads_out_is_refused() {
        for (path, message) in [
            ("", "the path `` is empty"),
            (
                "/etc/passwd",
                "the path `/etc/passwd` leads out of the PKI directory",
            ),
            (
                "a/../../b",
                "the path `a/../../b` leads out of the PKI directory",
            ),
        ] {
            let error = check_path(Path::new(path)).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
        check_path(Path::new("ca/issued/server1/01.pem")).unwrap();
    }
}
