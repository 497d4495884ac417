//! The disk: where everything lives, and how it changes all at once or not at all.
//!
//! A PKI directory is made by [`create::create`] and changed by a [`Writer`], of which there is one at a
//! time: it hands in a [`transaction::Transaction`], whose files appear together or not at all, whatever
//! stops the process or the machine. [`Store::read`] gives readers one state, never half of a change; they
//! lock only where writers leave them no time. Start reading at [`transaction`]; files that belong to
//! others, which are not in a PKI directory, are replaced by an [`exchange`].
//!
//! What zpki keeps for itself stands in `.zpki/`:
//!
//! ```text
//! lock         locked by the writer, or by readers to keep writers out; always empty
//! generation   a number, changed before a transaction's first rename and after its last
//! intent       the transaction that is being staged: thrown away if its writer dies
//! journal      the transaction that is committed: finished by the next writer if its own dies
//! ```

use std::path::{Path, PathBuf};

pub mod archive;
pub mod cluster_file;
pub mod command;
pub mod create;
pub mod error;
pub mod exchange;
mod fault;
pub mod file;
mod generation;
pub mod handout;
mod journal;
pub mod layout;
pub mod lock;
pub mod output;
pub mod replace;
mod root;
pub mod scratch;
pub mod snapshot;
mod stage;
pub mod target;
#[cfg(test)]
mod testing;
pub mod textfile;
pub mod transaction;

pub use self::error::Error;
pub use self::lock::Writer;
pub use self::snapshot::Snapshot;

use self::fault::Faults;

/// The directory, within a PKI directory, of what is zpki's own.
pub const STATE: &str = ".zpki";

/// The mode of [`STATE`], and of every directory that holds secrets.
const PRIVATE: u32 = 0o700;

/// A PKI directory on disk. Making one touches nothing.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    faults: Faults,
}

impl Store {
    /// The PKI directory at `root`, which need not exist yet.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            faults: Faults::default(),
        }
    }
}
