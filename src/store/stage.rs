//! The names under which a file outside a PKI directory is written, beside its place, before a rename puts
//! it there: `.NAME.PID.tmp`. No consumer reads them: HAProxy passes over dot-files, and node_exporter over
//! what does not end in `.prom`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process;

use super::error::Error;
use super::root::Root;

/// What killed runs have left: for each file, under which names.
pub(super) type Left = BTreeMap<PathBuf, Vec<PathBuf>>;

/// A name that no other run has, and by which what a killed one has left is known.
pub(super) fn of(name: &Path) -> PathBuf {
    format!(".{}.{}.tmp", name.display(), process::id()).into()
}

/// One of several that a run may choose from, and that no run looks for: where a file is made once, nobody
/// can say that it is left.
pub(super) fn numbered(name: &Path, number: usize) -> PathBuf {
    format!(".{}.{}-{number}.tmp", name.display(), process::id()).into()
}

/// What there is under names that [`of`] has made; nothing when another run is at work there, whose stages
/// they may be. From here on this one is, for as long as the directory is open.
pub(super) fn left(root: &Root) -> Result<Left, Error> {
    Ok(root.hold(|| list(root))?.unwrap_or_default())
}

fn list(root: &Root) -> Result<Left, Error> {
    let mut left = Left::new();
    for stage in root.list(Path::new(""))? {
        let name = stage.to_str().and_then(|stage| {
            let (name, process) = stage
                .strip_prefix('.')?
                .strip_suffix(".tmp")?
                .rsplit_once('.')?;
            process.parse::<u32>().is_ok().then_some(name)
        });
        if let Some(name) = name {
            left.entry(name.into()).or_default().push(stage.into());
        }
    }
    Ok(left)
}
