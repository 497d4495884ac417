//! What `init`, `import` and `restore` write, all of it at once: a new directory is renamed into place,
//! one that exists gets one transaction.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::error::Error;
use crate::domain::progress::Quiet;
use crate::store::Store;
use crate::store::create::{build, create};
use crate::store::file::Tree;
use crate::store::target::Target;
use crate::system::System;

/// Takes what is to be written, from any thread.
pub(super) type Take<'a> = &'a (dyn Fn(Tree) -> Result<(), Error> + Sync);

/// Writes one tree.
pub(super) fn write(
    target: &Target,
    tree: Tree,
    lock_timeout: Duration,
    system: &System,
) -> Result<(), Error> {
    match target {
        Target::Absent(path) => Ok(create(path, &tree, &*system.progress)?),
        Target::Present(path) => commit(path, vec![tree], lock_timeout, system),
    }
}

/// Writes what `make` makes: into a new directory as it is made, so that little of it is in memory at a
/// time.
pub(super) fn write_as_made<T>(
    target: &Target,
    lock_timeout: Duration,
    system: &System,
    make: impl FnOnce(Take<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    match target {
        Target::Absent(path) => build(path, &*system.progress, |new| {
            // The steps are those of the making.
            make(&|tree| Ok(new.write(&tree, &Quiet)?))
        }),
        Target::Present(path) => {
            let trees = Mutex::new(Vec::new());
            let made = make(&|tree| {
                trees
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(tree);
                Ok(())
            })?;
            let trees = trees.into_inner().unwrap_or_else(PoisonError::into_inner);
            commit(path, trees, lock_timeout, system)?;
            Ok(made)
        }
    }
}

fn commit(
    directory: &Path,
    trees: Vec<Tree>,
    lock_timeout: Duration,
    system: &System,
) -> Result<(), Error> {
    let writer = Store::at(directory).lock(lock_timeout, &*system.progress)?;
    Ok(writer.commit(&trees.into(), &*system.progress)?)
}
