//! Helpers of the tests: what a directory looks like, and progress that can be stopped.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::domain::progress::{Interrupted, Progress};
use std::time::Duration;

/// How long a test waits for a lock that nobody holds: a child that another test has just forked may
/// share it until it executes its program.
pub(super) const SOON: Duration = Duration::from_secs(5);

/// Every path below a directory, with its mode and what is in it.
pub(super) type Listing = BTreeMap<String, String>;

/// Everything below `root`, dot-names included.
pub(super) fn listing(root: &Path) -> Listing {
    let mut found = Listing::new();
    walk(root, Path::new(""), &mut found);
    found
}

/// Everything below `root` but `.zpki/`.
pub(super) fn visible(root: &Path) -> Listing {
    let mut found = listing(root);
    found.retain(|path, _| !path.starts_with(".zpki"));
    found
}

fn walk(root: &Path, below: &Path, found: &mut Listing) {
    for entry in fs::read_dir(root.join(below)).unwrap() {
        let entry = entry.unwrap();
        let path = below.join(entry.file_name());
        let metadata = entry.metadata().unwrap();
        let mode = metadata.permissions().mode() & 0o7777;
        let what = if metadata.is_dir() {
            walk(root, &path, found);
            format!("{mode:04o} directory")
        } else if metadata.is_symlink() {
            format!("link to {}", fs::read_link(entry.path()).unwrap().display())
        } else {
            let text = fs::read_to_string(entry.path()).unwrap();
            format!("{mode:04o} {text}")
        };
        found.insert(path.to_str().unwrap().to_owned(), what);
    }
}

/// Lets so many steps pass, and then is interrupted.
pub(super) struct Until(AtomicUsize);

impl Until {
    pub(super) fn step(steps: usize) -> Self {
        Self(AtomicUsize::new(steps))
    }
}

impl Progress for Until {
    fn start(&self, _: &'static str, _: usize) {}

    fn advance(&self) -> Result<(), Interrupted> {
        let left = |left: usize| left.checked_sub(1);
        match self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, left)
        {
            Ok(_) => Ok(()),
            Err(_) => Err(Interrupted),
        }
    }

    fn check(&self) -> Result<(), Interrupted> {
        match self.0.load(Ordering::SeqCst) {
            0 => Err(Interrupted),
            _ => Ok(()),
        }
    }
}
