//! Where a new PKI directory is to be made, looked at before anything is made.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::Error;

/// A place for a PKI directory, as an absolute path without symbolic links.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    /// Nothing is there yet.
    Absent(PathBuf),
    /// A directory is there, which has none of our files.
    Present(PathBuf),
}

impl Target {
    /// Looks at `path`, which is absolute. `ours` are the names that must not be there.
    ///
    /// # Errors
    /// [`Error::Exists`] for something of that name within it, or when it is no directory itself;
    /// [`Error::DanglingLink`]; [`Error::Io`].
    pub fn survey(path: &Path, ours: &[&str]) -> Result<Self, Error> {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                let directory = resolved(path)?;
                match ours
                    .iter()
                    .map(|name| directory.join(name))
                    .find(|path| is_there(path))
                {
                    Some(path) => Err(Error::Exists { path }),
                    None => Ok(Self::Present(directory)),
                }
            }
            Ok(_) => Err(Error::Exists {
                path: path.to_owned(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound && is_there(path) => {
                Err(Error::DanglingLink {
                    path: path.to_owned(),
                })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Self::Absent(resolved(path)?))
            }
            Err(source) => Err(look(path, source)),
        }
    }

    /// Looks at `path`, which is absolute: nothing is there, or a directory with nothing in it.
    ///
    /// # Errors
    /// As [`Target::survey`] has them; [`Error::Exists`] for anything within it.
    pub fn survey_empty(path: &Path) -> Result<Self, Error> {
        let target = Self::survey(path, &[])?;
        if let Self::Present(directory) = &target {
            let mut entries = fs::read_dir(directory).map_err(|source| look(path, source))?;
            if let Some(entry) = entries.next() {
                let entry = entry.map_err(|source| look(path, source))?;
                return Err(Error::Exists { path: entry.path() });
            }
        }
        Ok(target)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Absent(path) | Self::Present(path) => path,
        }
    }
}

/// Whether two paths are one file.
#[must_use]
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// `path`, which is absolute, without symbolic links, as far as it exists. What is above a directory that
/// does not exist cannot be known.
///
/// # Errors
/// [`Error::Io`].
pub fn resolved(path: &Path) -> Result<PathBuf, Error> {
    match fs::canonicalize(path) {
        Ok(resolved) => Ok(resolved),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            match (path.parent(), path.file_name()) {
                (Some(parent), Some(name)) => Ok(resolved(parent)?.join(name)),
                _ => Err(look(path, error)),
            }
        }
        Err(error) => Err(look(path, error)),
    }
}

fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn look(path: &Path, source: io::Error) -> Error {
    Error::Io {
        action: "look at",
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_place_is_free_when_none_of_our_names_is_there() {
        let scratch = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(scratch.path()).unwrap();
        let survey = |name: &str| Target::survey(&scratch.path().join(name), &["ca", "zpki.toml"]);
        assert_eq!(survey("new").unwrap(), Target::Absent(root.join("new")));
        assert_eq!(
            survey("a/b/new").unwrap(),
            Target::Absent(root.join("a/b/new"))
        );
        fs::create_dir(root.join("old")).unwrap();
        fs::write(root.join("old/notes"), "").unwrap();
        assert_eq!(survey("old").unwrap(), Target::Present(root.join("old")));
        symlink("old", root.join("link")).unwrap();
        assert_eq!(survey("link").unwrap(), Target::Present(root.join("old")));
    }

    #[test]
    fn what_is_in_the_way_is_named() {
        let scratch = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(scratch.path()).unwrap();
        let message = |name: &str| {
            Target::survey(&root.join(name), &["ca"])
                .unwrap_err()
                .to_string()
        };
        fs::create_dir_all(root.join("pki/ca")).unwrap();
        fs::write(root.join("file"), "").unwrap();
        symlink("nowhere", root.join("dangling")).unwrap();
        let shown = |path: &str| root.join(path).display().to_string();
        assert_eq!(
            message("pki"),
            format!("`{}` already exists", shown("pki/ca"))
        );
        assert_eq!(
            message("file"),
            format!("`{}` already exists", shown("file"))
        );
        assert!(message("dangling").contains("symbolic link to something that does not exist"));
        assert!(message("file/below").contains("cannot look at"));
        for path in ["missing/..", "missing/../new"] {
            let shown = shown("missing/..");
            assert_eq!(message(path), format!("cannot look at `{shown}`"));
        }
    }

    #[test]
    fn one_file_has_many_paths() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("a");
        fs::write(&path, "").unwrap();
        assert!(is_same_file(&path, &scratch.path().join("./a")));
        assert!(!is_same_file(&path, &scratch.path().join("b")));
    }
}
