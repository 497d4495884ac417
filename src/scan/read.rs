//! Files of anybody's, read so that nothing hangs and nothing is half.
//!
//! Files are replaced and rewritten while they are read. What came out of a file stands when the
//! file was the same before and after reading and made sense. Every other file is looked at again,
//! all of them together and only after the last one was read the first time: a pause for each would
//! make minutes of thousands of damaged files, which are damaged for good as a rule.

use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::decode::Damaged;
use super::readers;
use super::walk::Source;
use crate::domain::expiry::ReadReason;

pub(super) mod file;

use file::{Buffer, Look, Stamp};

/// How long a file that makes no sense may take to be written to its end.
const PAUSE: Duration = Duration::from_millis(50);

/// How often it is given that time.
const SECOND_LOOKS: usize = 2;

/// What could not be read, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReadError {
    /// The file or directory.
    pub path: PathBuf,
    /// The block, from 1, where only a block is meant.
    pub index: Option<usize>,
    /// The line, from 1.
    pub line: Option<usize>,
    /// Why.
    pub reason: ReadReason,
    /// The same in words, without path and line.
    pub message: String,
    /// The lines of configurations that name the file.
    pub referenced_by: Vec<String>,
}

impl ReadError {
    /// What the operating system says of a file that was named.
    #[must_use]
    pub fn of_io(source: &Source, error: &io::Error) -> Self {
        let (reason, message) = match error.kind() {
            io::ErrorKind::FileTooLarge => (ReadReason::TooLarge, "too large".to_owned()),
            io::ErrorKind::NotFound => {
                (ReadReason::NotFound, "no such file or directory".to_owned())
            }
            io::ErrorKind::PermissionDenied => {
                (ReadReason::PermissionDenied, "permission denied".to_owned())
            }
            _ => (ReadReason::ReadFailed, error.to_string()),
        };
        Self {
            referenced_by: source.referenced_by.clone(),
            ..Self::new(&source.path, reason, message)
        }
    }

    /// What is wrong with a part of a file.
    #[must_use]
    pub fn of_damaged(source: &Source, damaged: Damaged) -> Self {
        Self {
            path: source.path.to_path_buf(),
            index: damaged.index,
            line: damaged.line,
            reason: damaged.reason,
            message: damaged.message,
            referenced_by: source.referenced_by.clone(),
        }
    }

    /// What is wrong with a whole file or directory.
    pub(super) fn new(path: &Path, reason: ReadReason, message: String) -> Self {
        Self {
            path: path.to_owned(),
            index: None,
            line: None,
            reason,
            message,
            referenced_by: Vec::new(),
        }
    }
}

/// What came of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reading<T> {
    /// It was read, and this was made of it.
    Done(T),
    /// It could not be read.
    Failed(Box<ReadError>),
    /// It was discovered, and has gone away since.
    Gone,
    /// It was discovered, and is no regular file, or longer than 16 MiB and nothing like a
    /// certificate.
    Skipped,
}

/// Reads each of `sources` on one of a few threads, hands its bytes to `work` there, and returns what came
/// of each, in their order; when the iterator is there, everything was read. `makes_sense` says whether
/// `work` understood the bytes: if not, they may be half of a file.
///
/// Of a file that was named, 1 GiB is read at most, and 16 MiB of one that was discovered. The bytes
/// can be those of private keys: they are wiped afterwards, and `work` should keep none.
pub fn read_each<T: Send>(
    sources: Vec<Source>,
    work: impl Fn(&Source, &[u8]) -> T + Sync,
    makes_sense: impl Fn(&T) -> bool + Sync,
) -> impl Iterator<Item = (Source, Reading<T>)> {
    let mut slots: Vec<Slot<T>> = sources.iter().map(|_| Slot::default()).collect();
    for look in 0..=SECOND_LOOKS {
        let mut doubtful: Vec<(&Source, &mut Slot<T>)> = sources
            .iter()
            .zip(&mut slots)
            .filter(|(_, slot)| !matches!(slot.doubt, Doubt::None))
            .collect();
        if doubtful.is_empty() {
            break;
        }
        if look > 0 {
            thread::sleep(PAUSE);
        }
        readers::each(&mut doubtful, |buffer: &mut Buffer, (source, slot)| {
            slot.look(source, buffer, &work, &makes_sense);
        });
    }
    sources.into_iter().zip(slots).map(|(source, slot)| {
        let reading = slot.end(&source);
        (source, reading)
    })
}

/// What came of a file so far.
struct Slot<T> {
    reading: Reading<T>,
    doubt: Doubt,
}

/// Whether a file is to be looked at again.
enum Doubt {
    /// It changed as it was read, or was not there, or was not looked at yet.
    Changing {
        /// Whether what was read will do all the same.
        may_stand: bool,
    },
    /// No.
    None,
    /// It made no sense, and was like this.
    Senseless(Box<Stamp>),
}

impl Doubt {
    /// A log that somebody writes to is nobody's certificate.
    fn changed(source: &Source, bytes: &[u8]) -> Self {
        Self::Changing {
            may_stand: !source.is_named && !file::resembles_certificate(bytes),
        }
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self {
            reading: Reading::Gone,
            doubt: Doubt::Changing { may_stand: false },
        }
    }
}

impl<T> Slot<T> {
    fn look(
        &mut self,
        source: &Source,
        buffer: &mut Buffer,
        work: impl Fn(&Source, &[u8]) -> T,
        makes_sense: impl Fn(&T) -> bool,
    ) {
        if let Doubt::Senseless(stamp) = &self.doubt
            && stamp.is_of(&source.path)
        {
            return;
        }
        (self.reading, self.doubt) = match file::look(&source.path, source.is_named, buffer) {
            Look::Failed(reason, message) => (failed(source, reason, message), Doubt::None),
            Look::Gone if source.is_named => {
                let message = "no such file or directory".to_owned();
                let doubt = Doubt::Changing { may_stand: true };
                (failed(source, ReadReason::NotFound, message), doubt)
            }
            Look::Gone => (Reading::Gone, Doubt::Changing { may_stand: true }),
            Look::Skipped => (Reading::Skipped, Doubt::None),
            Look::Read { stamp, bytes } => {
                let made = work(source, bytes);
                let doubt = match stamp {
                    None => Doubt::changed(source, bytes),
                    Some(stamp) if bytes.is_empty() || !makes_sense(&made) => {
                        Doubt::Senseless(Box::new(stamp))
                    }
                    Some(_) => Doubt::None,
                };
                (Reading::Done(made), doubt)
            }
        };
        buffer.trim();
    }

    /// What is said in the end.
    fn end(self, source: &Source) -> Reading<T> {
        match self.doubt {
            Doubt::Changing { may_stand: false } => {
                let message = "changes whenever it is read".to_owned();
                failed(source, ReadReason::ReadFailed, message)
            }
            _ => self.reading,
        }
    }
}

fn failed<T>(source: &Source, reason: ReadReason, message: String) -> Reading<T> {
    let mut error = ReadError::new(&source.path, reason, message);
    error.referenced_by.clone_from(&source.referenced_by);
    Reading::Failed(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_stops_changing_is_an_error_unless_it_is_somebodys_log() {
        let end = |is_named, bytes: &[u8]| {
            let source = Source {
                path: Path::new("file").into(),
                aliases: Vec::new(),
                referenced_by: vec!["h.cfg:1".to_owned()],
                is_named,
            };
            let slot = Slot {
                reading: Reading::Done(()),
                doubt: Doubt::changed(&source, bytes),
            };
            slot.end(&source)
        };
        assert_eq!(end(false, b"GET /"), Reading::Done(()));
        for (is_named, bytes) in [(true, &b"GET /"[..]), (false, b"-----BEGIN X")] {
            match end(is_named, bytes) {
                Reading::Failed(error) => {
                    assert_eq!(error.reason, ReadReason::ReadFailed);
                    assert_eq!(error.message, "changes whenever it is read");
                    assert_eq!(error.referenced_by, ["h.cfg:1"]);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
