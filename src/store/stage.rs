//! The names under which a file outside a PKI directory is written, beside its place, before a rename puts
//! it there: `.NAME.PID.tmp`, or `.NAME.PID+N.tmp` where that is taken. No consumer reads them: HAProxy
//! passes over dot-files, and node_exporter over what does not end in `.prom`.
//!
//! A process in another container may have the same number. So a stage is never made over what is there: it
//! is made as a new file, under the first of the names that nothing has.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process;

use super::error::Error;
use super::root::Root;

/// What killed runs have left: for each file, under which names.
pub(super) type Left = BTreeMap<PathBuf, Vec<PathBuf>>;

/// The names that a run may choose from, and by which what a killed one has left is known.
pub(super) fn names(name: &Path) -> impl Iterator<Item = PathBuf> {
    let of = |end: String| format!(".{}.{}{end}.tmp", name.display(), process::id()).into();
    (0..).map(move |number| match number {
        0 => of(String::new()),
        _ => of(format!("+{number}")),
    })
}

/// The same, for which no run looks: where a file is made once, nobody can say that it is left.
pub(super) fn nobodys_names(name: &Path) -> impl Iterator<Item = PathBuf> {
    (0..).map(|number| format!(".{}.{}-{number}.tmp", name.display(), process::id()).into())
}

/// Makes a stage by `write`, which replaces nothing, under the first of `names` that is free; answers that
/// too. On an error nothing is left.
pub(super) fn make<T>(
    root: &Root,
    names: impl Iterator<Item = PathBuf>,
    mut write: impl FnMut(&Path) -> Result<T, Error>,
) -> Result<(PathBuf, T), Error> {
    let mut names = names;
    loop {
        let stage = names.next().expect("there is always another number");
        match write(&stage) {
            Ok(made) => return Ok((stage, made)),
            // It is that of another run, perhaps of a living one in another container.
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => {
                _ = root.remove(&stage);
                return Err(error);
            }
        }
    }
}

/// What there is under [`names`]; nothing when another run is at work there, whose stages they may be. From
/// here on this one is, for as long as the directory is open. Of two that ask at the same instant both may
/// be told of the same.
///
/// # Errors
/// [`Error::Exchanging`] when the directory stays locked; [`Error::Io`].
pub(super) fn left(root: &Root) -> Result<Left, Error> {
    let left = root.while_alone(|| list(root))?;
    root.hold()?;
    Ok(left.unwrap_or_default())
}

/// The same, for whoever writes nothing there.
pub(super) fn look(root: &Root) -> Result<Left, Error> {
    let left = root.while_alone(|| list(root));
    root.let_go();
    Ok(left?.unwrap_or_default())
}

fn list(root: &Root) -> Result<Left, Error> {
    let is_number = |text: &str| text.parse::<u32>().is_ok();
    let mut left = Left::new();
    for stage in root.list(Path::new(""))? {
        let name = stage.to_str().and_then(|stage| {
            let (name, process) = stage
                .strip_prefix('.')?
                .strip_suffix(".tmp")?
                .rsplit_once('.')?;
            let (process, number) = process.split_once('+').unwrap_or((process, "0"));
            (is_number(process) && is_number(number)).then_some(name)
        });
        if let Some(name) = name {
            left.entry(name.into()).or_default().push(stage.into());
        }
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::fault::Faults;
    use super::*;

    fn write(root: &Root, bytes: &[u8]) -> PathBuf {
        let names = names(Path::new("a.pem"));
        let made = make(root, names, |stage| root.write_new(stage, 0o600, bytes));
        made.unwrap().0
    }

    #[test]
    fn a_name_that_is_taken_is_left_to_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path(), &Faults::default()).unwrap();
        let stages = [write(&root, b"one"), write(&root, b"other")];
        for (stage, text) in stages.iter().zip(["one", "other"]) {
            assert_eq!(fs::read_to_string(dir.path().join(stage)).unwrap(), text);
        }
        let mut left = left(&root).unwrap();
        let mut known = left.remove(Path::new("a.pem")).unwrap();
        known.sort_by_key(|stage| stage.as_os_str().len());
        assert_eq!(known, stages);
        assert!(left.is_empty());
    }

    #[test]
    fn who_only_looks_keeps_nobody_from_holding_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let root = || Root::open(dir.path(), &Faults::default()).unwrap();
        let [looks, holds, third] = [root(), root(), root()];
        write(&holds, b"living");
        std::thread::scope(|scope| {
            let (holds, (is_locked, wait)) = (&holds, std::sync::mpsc::channel());
            let waits = scope.spawn(move || {
                wait.recv().unwrap();
                left(holds).unwrap()
            });
            let looked = looks.while_alone(|| {
                is_locked.send(()).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(50));
                Ok(())
            });
            assert!(looked.unwrap().is_some());
            looks.let_go();
            assert!(waits.join().unwrap().is_empty());
        });
        assert!(left(&third).unwrap().is_empty(), "one is at work");
        drop((holds, third));
        assert_eq!(look(&root()).unwrap().len(), 1);
    }

    #[test]
    fn a_directory_that_stays_locked_is_not_taken_to_be_held() {
        let dir = tempfile::tempdir().unwrap();
        let root = || Root::open(dir.path(), &Faults::default()).unwrap();
        let [exchanges, other] = [root(), root()];
        assert!(exchanges.lock_here().unwrap());
        assert!(matches!(left(&other), Err(Error::Exchanging { .. })));
        assert!(look(&other).unwrap().is_empty());
    }
}
