//! Commands that are owed: `.zpki/pending/` has each in a file of its own. Root runs zpki in PKI
//! directories that belong to others, who can put what they like there; so a command is run by the user
//! who has written it, and by nobody else.

use std::fmt::{self, Display, Formatter};
use std::io::ErrorKind;
use std::path::Path;

use rustix::fs::AtFlags;
use zeroize::Zeroizing;

use super::error::Error;
use super::layout::COMMAND;
use super::root::{Owned, Root, parent};
use crate::domain::digest::Digest;
use crate::x509::digest::sha256;

/// What is in the file of a command.
#[derive(Debug)]
pub enum Command {
    /// The command. The user of this process has written it.
    Own(Zeroizing<Vec<u8>>),
    /// Something that this process is not to run.
    Foreign {
        /// Why.
        because: Foreign,
        /// What is in it, if it is a regular file that this process may read.
        digest: Option<Digest>,
    },
}

/// Why a command is not to be run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Foreign {
    /// Its file has a second name, and may be any file of this user's.
    Linked,
    /// Its file has these permission bits, and not [`COMMAND`].
    Mode(u32),
    /// Its file cannot be read, or is none, or a link is on its path.
    Unreadable(String),
    /// Its file belongs to this numeric user.
    User(u32),
}

impl Display for Foreign {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linked => f.write_str("it is a hard link"),
            Self::Mode(mode) => write!(f, "its mode is {mode:04o}, and not {COMMAND:04o}"),
            Self::Unreadable(because) => f.write_str(because),
            Self::User(user) => write!(f, "user {user} has written it"),
        }
    }
}

/// The command in the file at `path`; None when nothing stands there.
pub(super) fn read(root: &Root, path: &Path) -> Option<Command> {
    let (because, digest) = match read_unlinked(root, path) {
        Ok(None) => return None,
        Ok(Some(owned)) => match foreign(&owned) {
            None => return Some(Command::Own(owned.bytes)),
            Some(because) => (because, Some(sha256(&owned.bytes))),
        },
        Err(error) => (unreadable(root, path, error)?, None),
    };
    Some(Command::Foreign { because, digest })
}

/// A file, and whose it is. The directories above it are no links either, or a file of root's from
/// anywhere would be one of these.
fn read_unlinked(root: &Root, path: &Path) -> Result<Option<Owned>, Error> {
    let mut above = parent(path).iter().map(Path::new);
    let (Some(first), Some(name)) = (above.next(), path.file_name()) else {
        return root.read_owned(path);
    };
    let folder = above.try_fold(root.enter(first)?, |folder, name| folder.enter(name))?;
    folder.read_owned(Path::new(name))
}

/// The owner first: what is not this user's is not this user's to mend.
fn foreign(file: &Owned) -> Option<Foreign> {
    match file {
        Owned { user, .. } if !is_own(*user) => Some(Foreign::User(*user)),
        Owned {
            is_linked: true, ..
        } => Some(Foreign::Linked),
        Owned { mode, .. } if *mode != COMMAND => Some(Foreign::Mode(*mode)),
        _ => None,
    }
}

/// Why there is no reading it; None when it is gone.
fn unreadable(root: &Root, path: &Path, error: Error) -> Option<Foreign> {
    let kind = match &error {
        Error::Io { source, .. } => source.kind(),
        _ => ErrorKind::Other,
    };
    match kind {
        ErrorKind::NotFound => return None,
        ErrorKind::NotADirectory => {
            let because = "a directory on its path is a link".to_owned();
            return Some(Foreign::Unreadable(because));
        }
        _ => {}
    }
    let found = root.stat(path, AtFlags::SYMLINK_NOFOLLOW).ok().flatten();
    Some(match (kind, found) {
        (ErrorKind::PermissionDenied, Some(stat)) if !is_own(stat.st_uid) => {
            Foreign::User(stat.st_uid)
        }
        _ => Foreign::Unreadable(because(error)),
    })
}

/// Whose place it is is said beside it.
fn because(error: Error) -> String {
    match error {
        Error::Io { source, .. } => format!("it cannot be read: {source}"),
        Error::NotAFile { .. } => "it is not a regular file".to_owned(),
        error => error.to_string(),
    }
}

fn is_own(user: u32) -> bool {
    user == rustix::process::geteuid().as_raw()
}
