//! From what the user names to the files that are to be read, each once.

use std::path::PathBuf;

use super::read::ReadError;

/// What the user names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Root {
    /// A file, a directory, or a glob when nothing of this very name is there.
    pub path: PathBuf,
    /// What names it, such as `haproxy.cfg:41`; empty for the command line.
    pub referenced_by: Option<String>,
}

/// A file that is to be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Source {
    /// The first path that leads to it.
    pub path: Box<std::path::Path>,
    /// The other paths to the same file: links, hard links, other roots.
    pub aliases: Vec<PathBuf>,
    /// The lines of configurations that name it, in order, each once.
    pub referenced_by: Vec<String>,
    /// Whether it was named itself, and not found in a directory.
    pub is_named: bool,
}

/// What was found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Walk {
    /// The files, sorted by path.
    pub sources: Vec<Source>,
    /// What could not be looked at, sorted by path.
    pub errors: Vec<ReadError>,
    /// Files in directories that are no regular files, or were excluded.
    pub skipped: usize,
}
