//! A disk beneath a run of the program, of which the power may be cut at any moment.
//!
//! It promises as little as POSIX does. What was done is in the kernel's memory, and any part of it may be on
//! disk, in any order, until a call has forced it there: fsync of a file its bytes, size and mode, and not its
//! name; fsync of a directory its entries and mode, and not what they lead to; syncfs everything. A name and
//! what it leads to, and the size of a file and its bytes, come to the disk apart from each other: so there are
//! empty files, and files of zeros. Two things are taken for granted, as file systems with a journal
//! give them: a rename happens as a whole, and a new inode has the mode that it was made with.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use super::image::{Image, Inode, Node};
use super::trace::{Call, Traced};

/// What the disk held at first, and what was done to it since.
pub(super) struct Disk {
    start: Image,
    pub(super) changes: Vec<Change>,
    /// The moments at which the power may be cut: after each call.
    pub(super) moments: Vec<usize>,
    /// Those at which something has been forced to the disk.
    syncs: BTreeSet<usize>,
    /// From when on the user has been told of the success.
    pub(super) told: usize,
    /// The files that were opened without a name, by what strace calls them.
    unnamed: BTreeMap<PathBuf, Inode>,
}

/// What comes to the disk as a whole.
pub(super) struct Change {
    pub(super) kind: Kind,
    path: PathBuf,
    done: usize,
    effects: Vec<Effect>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// The first half of the bytes that are written, or the second.
    Bytes(Half),
    Mode,
    Names,
    /// The size that a file has when half of the bytes are written, or all.
    Size(Half),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Half {
    First,
    Second,
}

struct Effect {
    what: What,
    /// From when on it survives.
    durable: Option<usize>,
}

enum What {
    Bytes {
        file: Inode,
        at: usize,
        bytes: Vec<u8>,
    },
    Entry {
        directory: Inode,
        name: OsString,
        inode: Option<Inode>,
    },
    Mode {
        inode: Inode,
        mode: u32,
    },
    Size {
        file: Inode,
        size: usize,
    },
}

impl Display for Change {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {}", self.kind, self.path.display())
    }
}

impl Change {
    /// Whether it had been made by then, and nothing had forced it to the disk.
    fn is_pending(&self, moment: usize) -> bool {
        let is_durable = |it: &Effect| it.durable.is_some_and(|durable| durable <= moment);
        self.done <= moment && !self.effects.iter().all(is_durable)
    }
}

impl Disk {
    /// The run of `calls` on `start`; syncs that are not `honoured` force nothing.
    pub(super) fn new(start: &Image, calls: &[Traced], honoured: fn(&Call) -> bool) -> Self {
        let mut disk = Self {
            start: start.clone(),
            changes: Vec::new(),
            moments: vec![0],
            syncs: BTreeSet::new(),
            told: calls.last().unwrap().ended + 1,
            unnamed: BTreeMap::new(),
        };
        // As the program sees it.
        let mut seen = start.clone();
        for Traced { began, ended, call } in calls {
            match call {
                Call::Say => disk.told = *ended,
                Call::Sync { .. } | Call::SyncAll if !honoured(call) => {}
                Call::Sync { path } => {
                    let inode = disk.find(path, &seen);
                    disk.sync(*began, *ended, |effect| effect.is_of(inode));
                }
                Call::SyncAll => disk.sync(*began, *ended, |_| true),
                change => disk.change(change, *ended, &mut seen),
            }
            disk.moments.push(*ended);
        }
        disk.moments.push(disk.told);
        disk.moments.sort_unstable();
        disk.moments.dedup();
        disk
    }

    fn sync(&mut self, began: usize, ended: usize, is_forced: impl Fn(&What) -> bool) {
        self.syncs.insert(ended);
        let before = self.changes.iter_mut().filter(|it| it.done < began);
        for effect in before.flat_map(|it| &mut it.effects) {
            if is_forced(&effect.what) {
                effect.durable.get_or_insert(ended);
            }
        }
    }

    fn change(&mut self, call: &Call, done: usize, seen: &mut Image) {
        match call {
            Call::Link { from, to } => {
                let inode = Some(self.find(from, seen));
                self.add(Kind::Names, to, done, vec![entry(seen, to, inode)], seen);
            }
            Call::MakeDirectory { path, mode } => {
                self.make(Node::directory(*mode), path, done, seen);
            }
            Call::Open { path, mode } => self.make(Node::file(*mode), path, done, seen),
            Call::OpenUnnamed { path, mode } => {
                let inode = self.add_inode(Node::file(*mode), seen);
                self.unnamed.insert(path.clone(), inode);
            }
            Call::Remove { path } => {
                self.add(Kind::Names, path, done, vec![entry(seen, path, None)], seen);
            }
            Call::Rename { from, to } => {
                let inode = Some(seen.find(from).unwrap());
                // Of two names of one file neither goes.
                if inode != seen.find(to) {
                    let entries = vec![entry(seen, from, None), entry(seen, to, inode)];
                    self.add(Kind::Names, to, done, entries, seen);
                }
            }
            Call::SetMode { path, mode } => {
                let (inode, mode) = (self.find(path, seen), *mode);
                self.add(
                    Kind::Mode,
                    path,
                    done,
                    vec![What::Mode { inode, mode }],
                    seen,
                );
            }
            Call::Write { path, bytes } => {
                let file = self.find(path, seen);
                let (first, second) = bytes.split_at(bytes.len() / 2);
                for (half, bytes) in [(Half::First, first), (Half::Second, second)] {
                    let at = seen.inodes[file].bytes().len();
                    let size = at + bytes.len();
                    let bytes = bytes.to_vec();
                    self.add(
                        Kind::Size(half),
                        path,
                        done,
                        vec![What::Size { file, size }],
                        seen,
                    );
                    let bytes = What::Bytes { file, at, bytes };
                    self.add(Kind::Bytes(half), path, done, vec![bytes], seen);
                }
            }
            Call::Say | Call::Sync { .. } | Call::SyncAll => unreachable!("it changes nothing"),
        }
    }

    /// A new inode, and its name.
    fn make(&mut self, node: Node, path: &Path, done: usize, seen: &mut Image) {
        let inode = Some(self.add_inode(node, seen));
        self.add(
            Kind::Names,
            path,
            done,
            vec![entry(seen, path, inode)],
            seen,
        );
    }

    fn add_inode(&mut self, node: Node, seen: &mut Image) -> Inode {
        self.start.inodes.push(node.clone());
        seen.inodes.push(node);
        seen.inodes.len() - 1
    }

    fn find(&self, path: &Path, seen: &Image) -> Inode {
        let unnamed = self.unnamed.get(path).copied();
        unnamed.unwrap_or_else(|| seen.find(path).unwrap())
    }

    fn add(&mut self, kind: Kind, path: &Path, done: usize, whats: Vec<What>, seen: &mut Image) {
        whats.iter().for_each(|what| what.happen(seen));
        let effects = whats.into_iter().map(|what| Effect {
            what,
            durable: None,
        });
        self.changes.push(Change {
            kind,
            path: path.to_owned(),
            done,
            effects: effects.collect(),
        });
    }

    /// The changes that may be lost if the power is cut at this moment, with their indices.
    pub(super) fn pending(&self, moment: usize) -> impl Iterator<Item = (usize, &Change)> {
        let changes = self.changes.iter().enumerate();
        changes.filter(move |(_, change)| change.is_pending(moment))
    }

    /// Whether the call before this moment, or after it, forces something to the disk.
    pub(super) fn is_at_a_sync(&self, moment: usize) -> bool {
        let index = self.moments.iter().position(|it| *it == moment).unwrap();
        let next = self.moments.get(index + 1);
        self.syncs.contains(&moment) || next.is_none_or(|it| self.syncs.contains(it))
    }

    /// A cut at this moment, for people: where in the run, and what is lost.
    pub(super) fn shown(&self, moment: usize, survives: impl Fn(usize) -> bool) -> String {
        let (kept, lost): (Vec<_>, Vec<_>) = self
            .pending(moment)
            .partition(|(index, _)| survives(*index));
        let (all_but, them) = match kept.len() < lost.len() {
            true => ("lost all but", kept),
            false => ("kept all but", lost),
        };
        let them: Vec<_> = them.iter().map(|(_, it)| it.to_string()).collect();
        let last = self.changes.iter().rfind(|it| it.done <= moment);
        let last = last.map_or_else(|| "nothing".to_owned(), Change::to_string);
        format!("cut after {last}, {all_but} [{}]", them.join(", "))
    }

    /// What is there when the power is back: what was forced to the disk by `moment`, and of the pending
    /// changes those that `survives` says, by their indices.
    pub(super) fn after_cut(&self, moment: usize, survives: impl Fn(usize) -> bool) -> Image {
        let mut image = self.start.clone();
        let mut sizes = BTreeMap::new();
        for (index, change) in self.changes.iter().enumerate() {
            if change.done <= moment && (!change.is_pending(moment) || survives(index)) {
                for Effect { what, .. } in &change.effects {
                    match what {
                        What::Size { file, size } => _ = sizes.insert(*file, *size),
                        What::Bytes { file, .. } => _ = sizes.entry(*file).or_default(),
                        What::Entry { .. } | What::Mode { .. } => {}
                    }
                    what.happen(&mut image);
                }
            }
        }
        for (file, size) in sizes {
            image.inodes[file].bytes().resize(size, 0);
        }
        image
    }
}

/// That `path` leads to `inode`.
fn entry(seen: &Image, path: &Path, inode: Option<Inode>) -> What {
    let directory = seen.find(path.parent().unwrap()).unwrap();
    let name = path.file_name().unwrap().to_owned();
    What::Entry {
        directory,
        name,
        inode,
    }
}

impl What {
    /// Whether a sync of this file or directory forces it to the disk.
    fn is_of(&self, synced: Inode) -> bool {
        match self {
            Self::Bytes { file, .. } | Self::Size { file, .. } => *file == synced,
            Self::Entry { directory, .. } => *directory == synced,
            Self::Mode { inode, .. } => *inode == synced,
        }
    }

    fn happen(&self, image: &mut Image) {
        match self {
            Self::Bytes { file, at, bytes } => {
                let all = image.inodes[*file].bytes();
                let end = at + bytes.len();
                all.resize(end.max(all.len()), 0);
                all[*at..end].copy_from_slice(bytes);
            }
            Self::Entry {
                directory,
                name,
                inode,
            } => {
                let entries = image.inodes[*directory].entries();
                match inode {
                    Some(inode) => _ = entries.insert(name.clone(), *inode),
                    None => _ = entries.remove(name),
                }
            }
            Self::Mode { inode, mode } => image.inodes[*inode].mode = *mode,
            Self::Size { file, size } => image.inodes[*file].bytes().resize(*size, 0),
        }
    }
}
