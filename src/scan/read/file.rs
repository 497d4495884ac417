//! One file, read once.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::domain::expiry::ReadReason;

/// The longest file that is read when it was discovered: 16 MiB, a hundred times the largest
/// collection of CA certificates.
const LONGEST_DISCOVERED: u64 = 16 << 20;

/// The longest that is read when it was named: 1 GiB.
const LONGEST_NAMED: u64 = 1 << 30;

/// How much tells whether a file is one of certificates, and what a buffer has room for as a rule.
const BEGINNING: usize = 64 << 10;

/// What a buffer may keep from one file to the next.
const KEPT: usize = 1 << 20;

/// What came of one attempt.
pub(super) enum Look<'a> {
    Failed(ReadReason, String),
    /// There is nothing at this path.
    Gone,
    /// It was read.
    Read {
        /// What the file was like; None when it changed meanwhile.
        stamp: Option<Stamp>,
        bytes: &'a [u8],
    },
    /// Not worth a word.
    Skipped,
}

/// What differs when a file was replaced or written to. The time of the last change of its inode is
/// not in it: that changes when a file is renamed, which leaves its bytes alone.
#[derive(Eq, PartialEq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn new(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            length: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
        }
    }

    /// Whether what stands at `path` is still like this.
    pub(super) fn is_of(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|found| Self::new(&found) == *self)
    }
}

/// Reads the file at `path`. Whatever stands there, nothing waits, and no terminal or device is
/// taken over.
pub(super) fn look<'a>(path: &Path, is_named: bool, buffer: &'a mut Buffer) -> Look<'a> {
    try_look(path, is_named, buffer).unwrap_or_else(|error| look_failed(&error, is_named))
}

fn try_look<'a>(path: &Path, is_named: bool, buffer: &'a mut Buffer) -> io::Result<Look<'a>> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags.bits().cast_signed());
    let file = options.open(path)?;
    let found = file.metadata()?;
    read(file, &found, is_named, buffer)
}

/// Reads an open file that was `found` to be like this.
fn read<'a>(
    mut file: File,
    found: &Metadata,
    is_named: bool,
    buffer: &'a mut Buffer,
) -> io::Result<Look<'a>> {
    if !found.is_file() {
        return Ok(irregular(is_named, not_regular(found)));
    }
    let limit = if is_named {
        LONGEST_NAMED
    } else {
        LONGEST_DISCOVERED
    };
    let stamp = Stamp::new(found);
    let is_too_long = stamp.length > limit;
    // A file that grows past the limit as it is read shows it by one octet more.
    let most = if is_too_long {
        BEGINNING as u64
    } else {
        limit + 1
    };
    let bytes = buffer.fill(&mut file, stamp.length, most)?;
    if is_too_long || bytes.len() as u64 > limit {
        return Ok(too_long(is_named, limit, bytes));
    }
    let is_same = Stamp::new(&file.metadata()?) == stamp;
    Ok(Look::Read {
        stamp: is_same.then_some(stamp),
        bytes,
    })
}

fn look_failed(error: &io::Error, is_named: bool) -> Look<'static> {
    const NO_FILE: [i32; 2] = [Errno::NXIO.raw_os_error(), Errno::NODEV.raw_os_error()];
    let no_file = |number| NO_FILE.contains(&number);
    match error.kind() {
        ErrorKind::NotADirectory | ErrorKind::NotFound => Look::Gone,
        // A file of a network file system that was replaced.
        ErrorKind::StaleNetworkFileHandle => Look::Gone,
        ErrorKind::PermissionDenied => {
            Look::Failed(ReadReason::PermissionDenied, "permission denied".to_owned())
        }
        ErrorKind::InvalidFilename => {
            Look::Failed(ReadReason::WalkError, "the path is too long".to_owned())
        }
        _ if error.raw_os_error().is_some_and(no_file) => irregular(
            is_named,
            "is a socket or a device, not a regular file".to_owned(),
        ),
        _ => Look::Failed(ReadReason::ReadFailed, error.to_string()),
    }
}

fn irregular(is_named: bool, message: String) -> Look<'static> {
    if is_named {
        Look::Failed(ReadReason::NotRegular, message)
    } else {
        Look::Skipped
    }
}

fn too_long(is_named: bool, limit: u64, beginning: &[u8]) -> Look<'static> {
    if is_named || resembles_certificate(beginning) {
        let message = format!("is longer than {} MiB", limit >> 20);
        Look::Failed(ReadReason::TooLarge, message)
    } else {
        Look::Skipped
    }
}

/// Whether there may be certificates in a file that begins like this: PEM, or a DER sequence of more
/// than 255 octets.
pub(super) fn resembles_certificate(bytes: &[u8]) -> bool {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let beginning = &bytes[..bytes.len().min(BEGINNING)];
    matches!(beginning, [0x30, 0x82..=0x84, ..])
        || beginning.windows(BEGIN.len()).any(|window| window == BEGIN)
}

/// What something is that is no regular file, in words.
pub(in crate::scan) fn not_regular(found: &Metadata) -> String {
    let kind = found.file_type();
    let what = if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    format!("is {what}, not a regular file")
}

/// Where the bytes of one file after the other stand. It is wiped before its memory is given back,
/// and never moved without that.
#[derive(Default)]
pub(super) struct Buffer(Zeroizing<Vec<u8>>);

impl Buffer {
    /// Reads a file that has this length, it is said, but no more than `most`.
    fn fill(&mut self, file: &mut File, length: u64, most: u64) -> io::Result<&[u8]> {
        let room = |octets: u64| usize::try_from(octets).unwrap_or(usize::MAX);
        let (length, most) = (room(length), room(most));
        self.grow(length.min(most).max(BEGINNING), 0);
        let mut filled = 0;
        // The end of a file of the length that was expected need not be asked for. What the kernel
        // makes up as it is read, as in /proc, says that it has no length.
        while filled < most && (filled != length || length == 0) {
            if filled == self.0.len() {
                self.grow(filled.saturating_mul(2).min(most), filled);
            }
            let end = self.0.len().min(most);
            match file.read(&mut self.0[filled..end]) {
                Ok(0) => break,
                Ok(octets) => filled += octets,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(&self.0[..filled])
    }

    /// Makes room, and keeps what is there already.
    fn grow(&mut self, room: usize, filled: usize) {
        if self.0.len() < room {
            let mut larger = Zeroizing::new(vec![0; room]);
            larger[..filled].copy_from_slice(&self.0[..filled]);
            self.0 = larger;
        }
    }

    /// Gives back what only a long file needed.
    pub(super) fn trim(&mut self) {
        if self.0.len() > KEPT {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_known_by_how_they_begin() {
        let late = [vec![b'x'; BEGINNING], b"-----BEGIN ".to_vec()].concat();
        for (bytes, expected) in [
            (&b""[..], false),
            (b"\x30", false),
            (b"\x30\x81", false),
            (b"\x30\x82", true),
            (b"\x30\x84\x00", true),
            (b"\x30\x85", false),
            (b"x\x30\x82", false),
            (b"text\n-----BEGIN X", true),
            (b"-----BEGIN", false),
            (&late, false),
            (&late[1024..], true),
        ] {
            assert_eq!(resembles_certificate(bytes), expected);
        }
    }

    #[test]
    fn a_file_is_read_whatever_length_it_was_said_to_have() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let bytes: Vec<u8> = (0..300_000_u32)
            .map(|number| number.to_le_bytes()[1])
            .collect();
        fs::write(&path, &bytes).unwrap();
        let mut buffer = Buffer::default();
        let mut fill = |length: u64, most: u64| {
            let mut file = File::open(&path).unwrap();
            buffer.fill(&mut file, length, most).unwrap().to_vec()
        };
        assert!(fill(0, 1 << 20) == bytes);
        assert!(fill(300_000, 1 << 20) == bytes);
        assert!(fill(1, 1 << 20) == bytes);
        assert!(fill(400_000, 1 << 20) == bytes);
        assert!(fill(1 << 40, 1 << 16) == bytes[..1 << 16]);
        assert!(fill(0, 100_000) == bytes[..100_000]);
    }

    #[test]
    fn a_file_that_changes_as_it_is_read_is_not_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let is_same = |change: fn(&Path)| {
            fs::write(&path, "old").unwrap();
            let file = File::open(&path).unwrap();
            let found = file.metadata().unwrap();
            change(&path);
            match read(file, &found, false, &mut Buffer::default()) {
                Ok(Look::Read { stamp, bytes }) => (stamp.is_some(), bytes.to_vec()),
                _ => panic!("not read"),
            }
        };
        let append = |path: &Path| fs::write(path, "newer").unwrap();
        assert_eq!(is_same(|_| ()), (true, b"old".to_vec()));
        assert_eq!(is_same(append), (false, b"newer".to_vec()));
        assert_eq!(
            is_same(|path| fs::write(path, "").unwrap()),
            (false, b"".to_vec())
        );
        let replace = |path: &Path| {
            let new = path.with_extension("new");
            fs::write(&new, "new").unwrap();
            fs::rename(new, path).unwrap();
        };
        assert_eq!(is_same(replace), (true, b"old".to_vec()));
        let touch = |path: &Path| {
            let file = File::options().append(true).open(path).unwrap();
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
        };
        assert_eq!(is_same(touch), (false, b"old".to_vec()));
    }

    #[test]
    fn what_the_kernel_makes_up_is_read() {
        let mut buffer = Buffer::default();
        match look(Path::new("/proc/self/status"), true, &mut buffer) {
            Look::Read { bytes, .. } => assert!(bytes.starts_with(b"Name:")),
            _ => panic!("not read"),
        }
    }
}
