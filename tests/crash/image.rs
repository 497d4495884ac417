//! A directory and everything below it, as values: inodes, and the names that lead to them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use zpki::domain::digest::Digest;
use zpki::x509::digest::sha256;

/// The number of an inode: where it is in [`Image::inodes`].
pub(super) type Inode = usize;

/// The inode of the directory that an image is of.
const TOP: Inode = 0;

#[derive(Clone)]
pub(super) struct Image {
    pub(super) inodes: Vec<Node>,
}

#[derive(Clone)]
pub(super) struct Node {
    pub(super) mode: u32,
    pub(super) holds: Holds,
}

#[derive(Clone)]
pub(super) enum Holds {
    Bytes(Rc<Vec<u8>>),
    Entries(BTreeMap<OsString, Inode>),
}

impl Node {
    pub(super) fn file(mode: u32) -> Self {
        let holds = Holds::Bytes(Rc::default());
        Self { mode, holds }
    }

    pub(super) fn directory(mode: u32) -> Self {
        let holds = Holds::Entries(BTreeMap::new());
        Self { mode, holds }
    }

    pub(super) fn entries(&mut self) -> &mut BTreeMap<OsString, Inode> {
        match &mut self.holds {
            Holds::Entries(entries) => entries,
            Holds::Bytes(_) => panic!("a file has no entries"),
        }
    }

    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        match &mut self.holds {
            Holds::Bytes(bytes) => Rc::make_mut(bytes),
            Holds::Entries(_) => panic!("a directory has no bytes"),
        }
    }
}

impl Image {
    /// What is on disk.
    pub(super) fn read(top: &Path) -> Self {
        let mut image = Self { inodes: Vec::new() };
        image.read_below(top, &mut BTreeMap::new());
        image
    }

    fn read_below(&mut self, path: &Path, linked: &mut BTreeMap<u64, Inode>) -> Inode {
        let found = fs::symlink_metadata(path).unwrap();
        if let Some(inode) = linked.get(&found.ino()) {
            return *inode;
        }
        let (inode, mode) = (self.inodes.len(), found.mode() & 0o7777);
        linked.insert(found.ino(), inode);
        if found.is_dir() {
            self.inodes.push(Node::directory(mode));
            let names = fs::read_dir(path).unwrap();
            // So that the same directory has the same numbers in it.
            let names: BTreeSet<_> = names.map(|it| it.unwrap().file_name()).collect();
            for name in names {
                let below = self.read_below(&path.join(&name), linked);
                self.inodes[inode].entries().insert(name, below);
            }
        } else {
            assert!(found.is_file(), "{}", path.display());
            let bytes = Rc::new(fs::read(path).unwrap());
            let holds = Holds::Bytes(bytes);
            self.inodes.push(Node { mode, holds });
        }
        inode
    }

    /// Puts it on disk, in place of everything that is in the directory, which stays.
    pub(super) fn write(&self, top: &Path) {
        for entry in fs::read_dir(top).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => fs::remove_dir_all(path).unwrap(),
                false => fs::remove_file(path).unwrap(),
            }
        }
        let mut made: BTreeMap<Inode, PathBuf> = BTreeMap::new();
        self.walk(&mut |path, inode, node| {
            let path = top.join(path);
            match (&node.holds, made.get(&inode)) {
                (_, Some(other)) => return fs::hard_link(other, path).unwrap(),
                (Holds::Bytes(bytes), None) => fs::write(&path, bytes.as_slice()).unwrap(),
                (Holds::Entries(_), None) => fs::create_dir(&path).unwrap(),
            }
            fs::set_permissions(&path, Permissions::from_mode(node.mode)).unwrap();
            made.insert(inode, path);
        });
    }

    /// The same for images between which nothing differs that can be seen, and for no others.
    pub(super) fn digest(&self) -> Digest {
        let mut text = Vec::new();
        self.walk(&mut |path, inode, node| {
            let name = path.as_os_str().as_bytes();
            text.extend(format!("{name:?} {inode} {:o} ", node.mode).bytes());
            if let Holds::Bytes(bytes) = &node.holds {
                text.extend(format!("{} ", bytes.len()).bytes());
                text.extend(bytes.as_slice());
            }
        });
        sha256(&text)
    }

    /// Shows every name below the directory, parents first, and what it leads to.
    fn walk<'a>(&'a self, seen: &mut dyn FnMut(&Path, Inode, &'a Node)) {
        self.walk_below(Path::new(""), TOP, seen);
    }

    fn walk_below<'a>(
        &'a self,
        above: &Path,
        inode: Inode,
        seen: &mut dyn FnMut(&Path, Inode, &'a Node),
    ) {
        if let Holds::Entries(entries) = &self.inodes[inode].holds {
            for (name, &inode) in entries {
                let path = above.join(name);
                seen(&path, inode, &self.inodes[inode]);
                self.walk_below(&path, inode, seen);
            }
        }
    }

    /// The inode that a path leads to.
    pub(super) fn find(&self, path: &Path) -> Option<Inode> {
        path.iter()
            .try_fold(TOP, |inode, name| match &self.inodes[inode].holds {
                Holds::Entries(entries) => entries.get(name).copied(),
                Holds::Bytes(_) => None,
            })
    }
}
