//! What happens to files in host folders.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::select;

use super::Life;

/// Something that happens to one file, which a number names modulo how many there are.
#[derive(Clone, Debug)]
pub(super) struct Damage {
    file: usize,
    how: How,
}

#[derive(Clone, Debug)]
enum How {
    /// Something is appended.
    Append,
    Delete,
    /// Its whole host folder goes.
    DeleteFolder,
    Empty,
    /// One octet is another.
    Flip(usize),
    Mode(u32),
    /// What it was at some time before.
    Older(usize),
    /// What another file is.
    Other(usize),
    Truncate,
}

/// What can be said of a file before `apply`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// Something else than what it was.
    Changed,
    Deleted,
    /// A version that it had, or what another file is: it may be right.
    Plausible,
}

/// The files that are not what `apply` left.
#[derive(Debug, Default)]
pub(super) struct Damaged(BTreeMap<PathBuf, State>);

impl Damaged {
    pub(super) fn of(&self, path: &Path) -> Option<State> {
        self.0.get(path).copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

pub(super) fn damages() -> impl Strategy<Value = Damage> {
    let how = prop_oneof![
        Just(How::Append),
        Just(How::Delete),
        Just(How::DeleteFolder),
        Just(How::Empty),
        any::<usize>().prop_map(How::Flip),
        select(&[0o400, 0o600, 0o640, 0o644, 0o666, 0o755, 0o700][..]).prop_map(How::Mode),
        any::<usize>().prop_map(How::Older),
        any::<usize>().prop_map(How::Other),
        Just(How::Truncate),
    ];
    (any::<usize>(), how).prop_map(|(file, how)| Damage { file, how })
}

impl Life {
    pub(super) fn damage(&self, damage: &Damage, damaged: &mut Damaged) {
        let all = self.read();
        let is_theirs = |path: &Path| {
            let theirs = ["load-balancer", "servers", "clients", "ca/ca-file.pem"];
            theirs.iter().any(|it| path.starts_with(it)) && self.path("").join(path).is_file()
        };
        let files: Vec<_> = all.keys().filter(|path| is_theirs(path)).collect();
        let Some(path) = files.get(damage.file % files.len().max(1)) else {
            return;
        };
        let target = self.path("").join(path);
        let (_, bytes) = &all[*path];
        let mut put = |bytes: &[u8], state| {
            fs::write(&target, bytes).unwrap();
            damaged.0.insert((*path).clone(), state);
        };
        match damage.how {
            How::Append => put(&[bytes, &b"# by hand\n"[..]].concat(), State::Changed),
            How::Delete => {
                fs::remove_file(&target).unwrap();
                damaged.0.insert((*path).clone(), State::Deleted);
            }
            How::DeleteFolder => {
                let folder = path.parent().unwrap();
                if folder == Path::new("ca") {
                    return;
                }
                fs::remove_dir_all(target.parent().unwrap()).unwrap();
                let gone = files.iter().filter(|path| path.starts_with(folder));
                damaged
                    .0
                    .extend(gone.map(|path| ((*path).clone(), State::Deleted)));
            }
            How::Empty => put(&[], State::Changed),
            How::Flip(at) => {
                let mut bytes = bytes.clone();
                let count = bytes.len().max(1);
                if let Some(octet) = bytes.get_mut(at % count) {
                    *octet ^= 1;
                }
                put(&bytes, State::Changed);
            }
            How::Mode(mode) => {
                fs::set_permissions(&target, fs::Permissions::from_mode(mode)).unwrap();
            }
            How::Older(number) => {
                let versions = self.versions.get(*path).map_or(&[][..], Vec::as_slice);
                if let Some(version) = versions.get(number % versions.len().max(1)) {
                    put(version, State::Plausible);
                }
            }
            How::Other(number) => {
                let (_, other) = &all[files[number % files.len()]];
                put(other, State::Plausible);
            }
            How::Truncate => put(&bytes[..bytes.len() / 2], State::Changed),
        }
    }
}
