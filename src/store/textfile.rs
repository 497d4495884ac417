//! Metrics for node_exporter's textfile collector: one file, replaced at once.
//!
//! The collector drops a file whole when it may not read it or finds half a line, and serves an old
//! one for ever. So it must never see half a file, and a run that fails must leave the last good one.

use std::path::Path;

use rustix::fs::{AtFlags, FileType};

use super::error::Error;
use super::fault::Faults;
use super::root::Root;
use super::stage;

/// node_exporter runs as a user of its own.
const MODE: u32 = 0o644;

/// Puts `bytes` in place of the file at `path`, whatever the umask. A symbolic link there is replaced
/// and not followed. On failure what was there stays, and nothing is left beside it. What killed runs have
/// left of it goes, unless another one is at work in its directory.
///
/// # Errors
/// [`Error::NotAFile`] when something else than a file or a link stands there; [`Error::Io`]. When the
/// directory cannot be synced, the new file is in place all the same, and whole.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    write_with(path, bytes, &Faults::default())
}

fn write_with(path: &Path, bytes: &[u8], faults: &Faults) -> Result<(), Error> {
    let not_a_file = || Error::NotAFile {
        path: path.to_owned(),
    };
    let name = Path::new(path.file_name().ok_or_else(not_a_file)?);
    let root = Root::open(path.parent().unwrap_or_else(|| Path::new("")), faults)?;
    if let Some(stat) = root.stat(name, AtFlags::SYMLINK_NOFOLLOW)? {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile | FileType::Symlink => {}
            _ => return Err(not_a_file()),
        }
    }
    // What killed runs have left; where nobody can say what that is, the file is written all the same.
    let left = stage::left(&root).unwrap_or_default().remove(name);
    for stage in left.unwrap_or_default() {
        let _ = root.remove(&stage);
    }
    // Of this run alone: two at once, of a timer and of a person, must not put each other's half in place.
    let (stage, file) = stage::make(&root, stage::names(name), |stage| {
        root.write_new(stage, MODE, bytes)
    })?;
    root.sync_file(&file, &stage)
        .and_then(|()| root.rename(&stage, name))
        .inspect_err(|_| _ = root.remove(&stage))?;
    root.sync_directory(Path::new(""))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;
    use std::os::unix::fs::symlink;

    use super::super::testing::listing;
    use super::*;

    fn write_at(path: &Path, bytes: &[u8]) -> Result<(), Error> {
        write_with(path, bytes, &Faults::default())
    }

    #[test]
    fn the_file_is_replaced_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("zpki.prom");
        for text in ["a 1\n", "a 2\n"] {
            write_at(&path, text.as_bytes()).unwrap();
            let found: Vec<_> = listing(dir.path()).into_iter().collect();
            assert_eq!(found, [("zpki.prom".to_owned(), format!("0644 {text}"))]);
        }
    }

    #[test]
    fn a_failure_leaves_the_old_file_alone() {
        for step in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("zpki.prom");
            fs::write(&path, "old").unwrap();
            let faults = Faults::fail_at(step, ErrorKind::StorageFull);
            let written = write_with(&path, b"new", &faults);
            if !faults.struck() {
                written.unwrap();
                // Making it, writing it, its mode, making it durable, putting it in place.
                assert_eq!(step, 6);
                break;
            }
            written.unwrap_err();
            let found: Vec<_> = listing(dir.path()).into_keys().collect();
            assert_eq!(found, ["zpki.prom"], "step {step}");
            let is_in_place = step == 5;
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(text, if is_in_place { "new" } else { "old" }, "step {step}");
        }
    }

    #[test]
    fn what_a_killed_run_left_is_not_in_the_way() {
        for step in 0..6 {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("zpki.prom");
            fs::write(&path, "old").unwrap();
            write_with(&path, b"new", &Faults::crash_at(step)).unwrap_err();
            assert!(matches!(&*fs::read(&path).unwrap(), b"old" | b"new"));
            write_at(&path, b"newer").unwrap();
            let found: Vec<_> = listing(dir.path()).into_values().collect();
            assert_eq!(found, ["0644 newer"], "step {step}");
        }
    }

    #[test]
    fn what_killed_runs_left_goes_if_no_run_is_at_work() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("zpki.prom");
        let kept = [".other.prom.7.tmp", ".zpki.prom.tmp"];
        for name in [".zpki.prom.7.tmp", ".zpki.prom.7+1.tmp"]
            .iter()
            .chain(&kept)
        {
            fs::write(dir.path().join(name), "half").unwrap();
        }
        let at_work = Root::open(dir.path(), &Faults::default()).unwrap();
        at_work.hold().unwrap();
        write_at(&path, b"new").unwrap();
        assert_eq!(listing(dir.path()).len(), 5);
        drop(at_work);
        write_at(&path, b"newer").unwrap();
        let found: Vec<_> = listing(dir.path()).into_keys().collect();
        assert_eq!(found, [kept[0], kept[1], "zpki.prom"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "newer");
    }

    /// Of a process with the same number, in another container.
    #[test]
    fn the_half_of_another_run_is_neither_replaced_nor_put_in_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("zpki.prom");
        let stage = stage::names(Path::new("zpki.prom")).next().unwrap();
        fs::write(dir.path().join(&stage), "").unwrap();
        let at_work = Root::open(dir.path(), &Faults::default()).unwrap();
        at_work.hold().unwrap();
        write_at(&path, b"new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_to_string(dir.path().join(stage)).unwrap(), "");
        assert_eq!(listing(dir.path()).len(), 2);
    }

    #[test]
    fn a_planted_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("textfiles");
        fs::create_dir(&inner).unwrap();
        let victim = dir.path().join("victim");
        fs::write(&victim, "victim").unwrap();
        let path = inner.join("zpki.prom");
        let stage = stage::names(Path::new("zpki.prom")).next().unwrap();
        for link in [&path, &inner.join(stage)] {
            symlink(&victim, link).unwrap();
        }
        write_at(&path, b"new").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "victim");
        let found: Vec<_> = listing(&inner).into_iter().collect();
        assert_eq!(found, [("zpki.prom".to_owned(), "0644 new".to_owned())]);
    }

    #[test]
    fn only_a_file_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("zpki.prom");
        fs::create_dir(&path).unwrap();
        let error = write_at(&path, b"new").unwrap_err();
        assert!(matches!(error, Error::NotAFile { .. }), "{error}");
        assert_eq!(listing(dir.path()).len(), 1);
        let error = write_at(&dir.path().join("absent/zpki.prom"), b"new").unwrap_err();
        let absent = dir.path().join("absent");
        assert_eq!(
            error.to_string(),
            format!("cannot open `{}`", absent.display())
        );
    }
}
