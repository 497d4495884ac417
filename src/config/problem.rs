//! What is wrong with someone's configuration file, without an end to the reading: everything else
//! of the file is still read, and all problems come in one run.

use std::fmt::{self, Display, Formatter};

/// What was read, and what could not be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reading<T, R> {
    /// What was understood.
    pub value: T,
    /// The rest, in the order of the file.
    pub problems: Vec<Problem<R>>,
}

/// One thing that was not understood, or that the file's own program refuses. Its `Display` is the
/// reason; the place is for whoever knows the file's name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem<R> {
    /// The line, from 1.
    pub line: usize,
    /// The byte of the line that it begins at, from 1, where it has such a place.
    pub column: Option<usize>,
    /// The line without indentation and line end; what is not UTF-8 in it is replaced.
    pub text: String,
    /// What is wrong.
    pub reason: R,
}

impl<R: Display> Display for Problem<R> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl<R: fmt::Debug + Display> std::error::Error for Problem<R> {}

/// A line of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    /// Its number, from 1.
    pub(super) number: usize,
    /// Its bytes, without the line feed.
    pub(super) bytes: &'a [u8],
}

impl<'a> Line<'a> {
    /// The lines of `text`; the end of a file is no line.
    pub(super) fn all(text: &'a [u8]) -> impl Iterator<Item = Self> {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        text.split(|byte| *byte == b'\n')
            .zip(1..)
            .map(|(bytes, number)| Self { number, bytes })
    }

    /// What is wrong with it.
    pub(super) fn problem<R>(self, column: Option<usize>, reason: R) -> Problem<R> {
        Problem {
            line: self.number,
            column,
            text: String::from_utf8_lossy(self.bytes.trim_ascii()).into_owned(),
            reason,
        }
    }
}
