//! Which paths lead to the same file.

use std::fs;
use std::mem;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rayon::slice::ParallelSliceMut;

use super::Source;

/// A path that leads to a file.
pub(super) struct Entry {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
    /// Whether the file itself was asked for that, and not the directory. Directories may say what
    /// is not so: of a file that something is mounted on, and on some network file systems of every
    /// file.
    is_certain: bool,
    is_named: bool,
    root: usize,
}

impl Entry {
    /// A file as its directory lists it.
    pub(super) fn listed(path: PathBuf, identity: (u64, u64), root: usize) -> Self {
        Self {
            path,
            identity,
            is_certain: false,
            is_named: false,
            root,
        }
    }

    /// A file that was asked itself.
    pub(super) fn asked(path: &Path, identity: (u64, u64), root: usize, is_named: bool) -> Self {
        Self {
            path: path.into(),
            identity,
            is_certain: true,
            is_named,
            root,
        }
    }

    /// Asks the file itself. If it has gone away, reading it will tell.
    fn ascertain(&mut self) {
        if !self.is_certain
            && let Ok(found) = fs::metadata(&self.path)
        {
            self.identity = (found.dev(), found.ino());
        }
        self.is_certain = true;
    }
}

/// The files, each once, sorted by the octets of their paths. `references` are the lines that name
/// each root.
pub(super) fn sources(mut entries: Vec<Entry>, references: &[Vec<&str>]) -> Vec<Source> {
    sort(&mut entries);
    let mut were_asked = false;
    for same in entries.chunk_by_mut(is_same) {
        // Several roots may have led to the very same path, which needs no question.
        if same.iter().any(|entry| entry.path != same[0].path) {
            same.iter_mut().for_each(Entry::ascertain);
            were_asked = true;
        }
    }
    if were_asked {
        sort(&mut entries);
    }
    let mut sources: Vec<Source> = entries
        .chunk_by_mut(is_same)
        .map(|same| source(same, references))
        .collect();
    sources.par_sort_unstable_by(|a, b| a.path.as_os_str().cmp(b.path.as_os_str()));
    sources
}

fn is_same(a: &Entry, b: &Entry) -> bool {
    a.identity == b.identity
}

/// By file; then what was named before what was discovered, and by path.
fn sort(entries: &mut [Entry]) {
    entries.par_sort_unstable_by(|a, b| {
        let key = |entry: &Entry| (entry.identity, !entry.is_named);
        let by_path = || a.path.as_os_str().cmp(b.path.as_os_str());
        key(a).cmp(&key(b)).then_with(by_path)
    });
}

/// Takes the paths of one file out of their entries.
fn source(same: &mut [Entry], references: &[Vec<&str>]) -> Source {
    let is_named = same[0].is_named;
    let mut roots: Vec<usize> = same.iter().map(|entry| entry.root).collect();
    roots.sort_unstable();
    let mut referenced_by = Vec::new();
    roots
        .iter()
        .for_each(|root| refer(&mut referenced_by, &references[*root]));
    let mut paths = same.iter_mut().map(|entry| mem::take(&mut entry.path));
    let path = paths.next().unwrap_or_default();
    let mut aliases: Vec<PathBuf> = paths.filter(|alias| *alias != path).collect();
    aliases.sort_unstable();
    aliases.dedup();
    Source {
        path: path.into(),
        aliases,
        referenced_by,
        is_named,
    }
}

/// Adds the lines that are not there yet.
pub(super) fn refer(lines: &mut Vec<String>, more: &[&str]) {
    for line in more {
        if !lines.iter().any(|known| known == line) {
            lines.push((*line).to_owned());
        }
    }
}
