//! Files of anybody's, read so that nothing hangs and nothing is half.

use std::path::PathBuf;

use crate::domain::expiry::ReadReason;

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
