//! What can go wrong on disk.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::domain::progress::Interrupted;
use crate::domain::text::Plain;

use super::journal::INTENT;

/// Why something was not read or not written. Unless it is [`committed`](Error::committed) or
/// [`Error::NotTakenBack`], nothing of what was asked for has happened.
#[derive(Debug)]
pub enum Error {
    /// The new file would not have an attribute that guards the old one.
    Attribute {
        /// The file.
        path: PathBuf,
        /// What it has, such as `SELinux label`.
        what: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// The PKI directory changed again and again while it was read.
    Busy {
        /// The PKI directory.
        path: PathBuf,
    },
    /// A file is no longer what it was when the change was decided.
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A committed change of an earlier run cannot be finished: somebody has changed a file since.
    Conflict {
        /// The file, which is neither what it was nor what it is to become.
        path: PathBuf,
    },
    /// A killed run has left files of others half changed.
    CutShort {
        /// The directory that its record is in.
        path: PathBuf,
    },
    /// A symbolic link to nowhere stands where something is to be made.
    DanglingLink {
        /// The link.
        path: PathBuf,
    },
    /// Another run is changing files of others.
    Exchanging {
        /// A directory that both need.
        path: PathBuf,
    },
    /// Something stands where something new is to be made.
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// This user may not change a file, or what is in a directory.
    Forbidden {
        /// What was tried, such as `create`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The new file would belong to somebody else than the old one.
    Foreign {
        /// The file.
        path: PathBuf,
        /// The numeric user whom it has to belong to.
        user: u32,
        /// The numeric group.
        group: u32,
    },
    /// What a killed run has left is not for this user to act on.
    ForeignRun {
        /// The journal, or the intent.
        path: PathBuf,
        /// The numeric user whom it belongs to.
        user: u32,
    },
    /// What is to change has an attribute that lets nobody change it, not even root.
    Immutable {
        /// The file or directory.
        path: PathBuf,
    },
    /// The run was asked to end.
    Interrupted,
    /// The operating system refused.
    Io {
        /// What was tried, such as `write`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The journal of an earlier run cannot be read.
    Journal {
        /// The journal.
        path: PathBuf,
        /// What is wrong with it.
        because: String,
    },
    /// A file is a symbolic link that leads out of its directory.
    Link {
        /// The link.
        path: PathBuf,
        /// What it leads to.
        target: PathBuf,
    },
    /// Another run writes.
    Locked {
        /// The lock.
        path: PathBuf,
        /// For how long it was waited for.
        waited: Duration,
    },
    /// The file system has no locks that work.
    LocksUnsupported {
        /// The lock.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A committed change of an earlier run cannot be finished: what it was to put in place is gone
    /// or damaged.
    Lost {
        /// What is missing.
        path: PathBuf,
    },
    /// A rename cannot reach it, or replace it.
    Mounted {
        /// What is on a file system of its own.
        path: PathBuf,
    },
    /// A regular file was expected.
    NotAFile {
        /// What is something else: a directory, a symbolic link, a device.
        path: PathBuf,
    },
    /// The change of the PKI directory is committed, and files outside of it are not all in their place.
    NotInPlace {
        /// What stopped it.
        source: Box<Self>,
    },
    /// Files of others were changed, and could not be put back.
    NotTakenBack {
        /// What stopped it.
        source: Box<Self>,
    },
    /// The new file would not be its owner's, who could no longer read it.
    Owner {
        /// The file.
        path: PathBuf,
        /// The numeric user whom it belongs to, or the directory that it is new in.
        user: u32,
        /// The numeric group.
        group: u32,
    },
    /// A path that cannot be one of a PKI directory's, or of a file to hand out.
    Path {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        because: &'static str,
    },
    /// What says how to put files of others back cannot be used.
    Record {
        /// The record.
        path: PathBuf,
        /// What is wrong with it.
        because: String,
    },
    /// Two files of one run would be the same.
    SameName {
        /// The file.
        path: PathBuf,
    },
    /// A transaction has two changes of one path.
    Twice {
        /// The path.
        path: PathBuf,
    },
    /// The change is committed, and could not be carried out to its end. The next writer does that;
    /// readers see it done already.
    Unfinished {
        /// What stopped it.
        source: Box<Self>,
    },
}

/// What an error means to a caller, coarse enough for an exit status.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// The run was asked to end, and nothing was written.
    Interrupted,
    /// The disk failed, or is full.
    Io,
    /// Another run is at work.
    Locked,
    /// Permission is missing.
    Permission,
    /// It would have overwritten what is not zpki's to overwrite.
    Refused,
}

impl Error {
    /// What this error means, coarsely.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Busy { .. } | Self::Exchanging { .. } | Self::Locked { .. } => Kind::Locked,
            Self::Changed { .. }
            | Self::Conflict { .. }
            | Self::CutShort { .. }
            | Self::DanglingLink { .. }
            | Self::Exists { .. }
            | Self::Link { .. }
            | Self::Mounted { .. }
            | Self::NotAFile { .. }
            | Self::Path { .. }
            | Self::SameName { .. }
            | Self::Twice { .. } => Kind::Refused,
            Self::Interrupted => Kind::Interrupted,
            Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Kind::Permission
            }
            Self::Attribute { .. }
            | Self::Forbidden { .. }
            | Self::Foreign { .. }
            | Self::ForeignRun { .. }
            | Self::Immutable { .. }
            | Self::Owner { .. } => Kind::Permission,
            Self::Io { .. }
            | Self::Journal { .. }
            | Self::LocksUnsupported { .. }
            | Self::Lost { .. }
            | Self::NotInPlace { .. }
            | Self::NotTakenBack { .. }
            | Self::Record { .. }
            | Self::Unfinished { .. } => Kind::Io,
        }
    }

    /// Whether the change has happened all the same.
    #[must_use]
    pub fn committed(&self) -> bool {
        matches!(self, Self::NotInPlace { .. } | Self::Unfinished { .. })
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Attribute { .. } | Self::Forbidden { .. } | Self::Foreign { .. } => {
                "run as root, or as the user whom the file and its directory belong to".into()
            }
            Self::Busy { .. } | Self::Changed { .. } => "run the command again".into(),
            Self::Conflict { .. } => {
                "move it out of the way and run the command again, which finishes the change or takes it back".into()
            }
            Self::CutShort { .. } => {
                "run the command again, which takes back what the other run has left".into()
            }
            Self::DanglingLink { .. } => "remove the link, or make what it points to".into(),
            Self::Exchanging { .. } => "wait for the other run to end".into(),
            Self::Exists { .. } => "choose another place, or move it out of the way".into(),
            Self::ForeignRun { user, .. } => format!(
                "run `zpki apply` as user {user}, which finishes that run or takes it back"
            ),
            Self::Immutable { path } => format!(
                "take the attribute away with `chattr -i -a {}`, and run the command again",
                Plain(&path.to_string_lossy())
            ),
            Self::Interrupted => "nothing was changed; run the command again".into(),
            Self::Io { source, .. } => io_hint(source.kind()).into(),
            Self::Journal { path, .. } if path.ends_with(INTENT) => {
                "let the version of zpki that wrote it finish its run; or remove it, and the stages of that run, which are named `.NAME.zpki-NUMBER`: nothing of it is in place".into()
            }
            Self::Journal { path, .. } | Self::Lost { path } => format!(
                "restore {} from a backup; or remove the journal, `{STATE}/journal`, to keep every file as it is now",
                Shown(path),
                STATE = super::STATE,
            ),
            Self::Link { .. } => {
                "name the file that the link leads to, or have links followed with --follow".into()
            }
            Self::Locked { .. } => {
                "wait for the other run to end, or wait longer with --lock-timeout".into()
            }
            Self::LocksUnsupported { .. } => {
                "keep the directory on a file system with working locks, such as a local disk"
                    .into()
            }
            Self::Mounted { .. } => {
                "mount the whole directory, not a file or folder inside it".into()
            }
            Self::NotAFile { .. } => "put a regular file there, or move it out of the way".into(),
            Self::NotInPlace { source } => {
                // Another place would get another certificate.
                let first = match &**source {
                    Self::Exists { .. } => "move it out of the way".into(),
                    other => other.hint(),
                };
                format!(
                    "the same command again, into the same directory, puts them there; before that: {first}"
                )
            }
            Self::NotTakenBack { source } => format!(
                "some files may be new by now; the next run takes them back; before that: {}",
                source.hint()
            ),
            Self::Owner { .. } => {
                "run as root; or, if nobody else reads it, give it with `chown` to the user who runs zpki".into()
            }
            Self::Path { .. } => {
                "a path in a PKI directory is relative, without `..`, and UTF-8; that of a file to hand out is a name alone".into()
            }
            Self::Record { path, .. } => format!(
                "put the files of that run in order by hand, from what is beside them as `NAME.zpki-TIME`, and remove {}",
                Shown(path)
            ),
            Self::SameName { .. } => {
                "give each certificate another name, or its files another directory".into()
            }
            Self::Twice { .. } => {
                "give one of the two entries, or of their files, another name".into()
            }
            Self::Unfinished { source } => {
                format!(
                    "the next run that writes finishes the change; before that: {}",
                    source.hint()
                )
            }
        }
    }

    /// Marks what keeps files outside from their place when the PKI directory knows of them already.
    pub(super) fn not_in_place(self) -> Self {
        Self::NotInPlace {
            source: Box::new(self),
        }
    }

    /// Marks what stopped the files of others from being put back.
    pub(super) fn not_taken_back(self) -> Self {
        Self::NotTakenBack {
            source: Box::new(self),
        }
    }

    /// What it is when the file is somebody else's: whose permission is missing.
    pub(super) fn of_others(self) -> Self {
        match self {
            Self::Io {
                action,
                path,
                source,
            } if source.kind() == io::ErrorKind::PermissionDenied => Self::Forbidden {
                action,
                path,
                source,
            },
            other => other,
        }
    }

    /// Marks what stopped a change that is committed already.
    pub(super) fn unfinished(self) -> Self {
        Self::Unfinished {
            source: Box::new(self),
        }
    }
}

fn io_hint(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::FileTooLarge => "a file may have at most 64 MiB",
        io::ErrorKind::NotADirectory => {
            "a part of the path is a file: choose another place, or move it out of the way"
        }
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::PermissionDenied => {
            "run as the owner of the PKI directory, or choose a place that you may write to"
        }
        io::ErrorKind::QuotaExceeded | io::ErrorKind::StorageFull => {
            "make room on the file system and run the command again"
        }
        io::ErrorKind::ReadOnlyFilesystem => "choose a file system that is mounted for writing",
        _ => "look into the system's log for what the file system says",
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute { path, what, .. } => {
                write!(f, "the {what} of {} cannot be kept", Shown(path))
            }
            Self::Busy { path } => write!(f, "{} keeps changing while it is read", Shown(path)),
            Self::Changed { path } => write!(f, "{} was changed by somebody else", Shown(path)),
            Self::Conflict { path } => write!(
                f,
                "{} was changed by hand, and the unfinished change of an earlier run would overwrite it",
                Shown(path)
            ),
            Self::CutShort { path } => write!(
                f,
                "an earlier run that changed files in {} was cut short",
                Shown(path)
            ),
            Self::DanglingLink { path } => write!(
                f,
                "{} is a symbolic link to something that does not exist",
                Shown(path)
            ),
            Self::Exchanging { path } => {
                write!(f, "another zpki is changing files in {}", Shown(path))
            }
            Self::Exists { path } => write!(f, "{} already exists", Shown(path)),
            Self::Foreign { path, user, group } => write!(
                f,
                "{} has to belong to user {user} and group {group}, and this process may not give it to them",
                Shown(path)
            ),
            Self::ForeignRun { path, user } => write!(
                f,
                "a run of user {user} has not come to its end ({}), and acting on what that user has written is for that user only",
                Shown(path)
            ),
            Self::Immutable { path } => write!(
                f,
                "{} is immutable or append-only, so that it cannot be changed",
                Shown(path)
            ),
            Self::Interrupted => write!(f, "interrupted"),
            Self::Forbidden { action, path, .. } | Self::Io { action, path, .. } => {
                write!(f, "cannot {action} {}", Shown(path))
            }
            Self::Journal { path, because } => write!(
                f,
                "the journal {} cannot be read: {}",
                Shown(path),
                Plain(because)
            ),
            Self::Link { path, target } => write!(
                f,
                "{} is a link out of its directory, to {}",
                Shown(path),
                Shown(target)
            ),
            Self::Locked { path, waited } => write!(
                f,
                "{} is held by another run (waited {} s)",
                Shown(path),
                waited.as_secs_f32()
            ),
            Self::LocksUnsupported { path, .. } => {
                write!(f, "the file system cannot lock {}", Shown(path))
            }
            Self::Lost { path } => write!(
                f,
                "{} is missing or damaged, and the unfinished change of an earlier run needs it",
                Shown(path)
            ),
            Self::Mounted { path } => write!(
                f,
                "{} is a mount of its own, so that it cannot be renamed or replaced",
                Shown(path)
            ),
            Self::NotAFile { path } => write!(f, "{} is not a regular file", Shown(path)),
            Self::NotInPlace { .. } => f.write_str(
                "the change is committed, but files outside of the PKI directory are not all in place",
            ),
            Self::NotTakenBack { .. } => write!(f, "the files could not be put back as they were"),
            Self::Owner { path, user, group } => write!(
                f,
                "{} has to belong to user {user} and group {group}, who could not read it otherwise",
                Shown(path)
            ),
            Self::Path { path, because } => write!(f, "the path {} {because}", Shown(path)),
            Self::Record { path, because } => write!(
                f,
                "the record {} of an unfinished change cannot be used: {}",
                Shown(path),
                Plain(because)
            ),
            Self::SameName { path } => {
                write!(f, "two of the files to be written are {}", Shown(path))
            }
            Self::Twice { path } => {
                write!(f, "the path {} is changed twice at once", Shown(path))
            }
            Self::Unfinished { .. } => write!(f, "the change is committed, but not finished"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Attribute { source, .. }
            | Self::Forbidden { source, .. }
            | Self::Io { source, .. }
            | Self::LocksUnsupported { source, .. } => Some(source),
            Self::NotInPlace { source }
            | Self::NotTakenBack { source }
            | Self::Unfinished { source } => Some(source),
            _ => None,
        }
    }
}

impl From<Interrupted> for Error {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}

/// A path in backticks, whole, with nothing in it that a terminal would act on.
struct Shown<'a>(&'a Path);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", Plain(&self.0.to_string_lossy()))
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    fn io(kind: io::ErrorKind) -> Error {
        Error::Io {
            action: "write",
            path: "/pki/ca.pem\n".into(),
            source: kind.into(),
        }
    }

    #[test]
    fn the_operating_system_s_refusals_are_told_apart() {
        assert_eq!(io(io::ErrorKind::PermissionDenied).kind(), Kind::Permission);
        let full = io(io::ErrorKind::StorageFull);
        assert_eq!(full.kind(), Kind::Io);
        assert_eq!(full.to_string(), r"cannot write `/pki/ca.pem\n`");
        assert_eq!(full.source().unwrap().to_string(), "no storage space");
        assert_eq!(
            full.hint(),
            "make room on the file system and run the command again"
        );
    }

    /// Another place would get another certificate, and a path that is right needs no other form.
    #[test]
    fn a_hint_fits_the_reason() {
        let path = || PathBuf::from("out/ca.cert.pem");
        let hint = Error::Exists { path: path() }.not_in_place().hint();
        assert_eq!(
            hint,
            "the same command again, into the same directory, puts them there; before that: move it out of the way"
        );
        let hint = Error::Twice { path: path() }.hint();
        assert!(!hint.contains("relative"), "{hint}");
    }

    #[test]
    fn a_failure_after_the_commit_says_so_and_is_an_io_error() {
        let error = io(io::ErrorKind::PermissionDenied).unfinished();
        assert!(error.committed());
        assert_eq!(error.kind(), Kind::Io);
        assert_eq!(
            error.to_string(),
            "the change is committed, but not finished"
        );
        assert_eq!(
            error.source().unwrap().to_string(),
            r"cannot write `/pki/ca.pem\n`"
        );
        assert!(!io(io::ErrorKind::Other).committed());
    }
}
