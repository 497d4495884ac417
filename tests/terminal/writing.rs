//! Signals between two files: afterwards there is nothing or everything, and nothing in the way of
//! the next run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::tempdir;

use super::{ZPKI, assert_whole, command, init, names, status, stderr, zpki};
use crate::e2e::process::wait_for;

/// So many that writing them takes some hundred milliseconds.
const SERVERS: usize = 300;

/// How long after the first file the signal comes, in milliseconds: at once, and at moments that are
/// as good as random but the same in each run.
fn moments(seed: u64) -> impl Iterator<Item = Duration> {
    let random = std::iter::successors(Some(seed), |state| {
        let state = state ^ (state << 13);
        let state = state ^ (state >> 7);
        Some(state ^ (state << 17))
    });
    let random = random.skip(1).map(|state| state % 400);
    std::iter::once(0).chain(random).map(Duration::from_millis)
}

/// Starts `init`, and signals it some time after `first` has appeared; returns its exit status.
fn interrupted(directory: &Path, first: &str, after: Duration, signal: Signal) -> Option<i32> {
    let mut command = command(ZPKI, directory);
    command
        .args(init("demo", SERVERS))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child: Child = command.spawn().unwrap();
    let mut begun = || directory.join(first).exists() || child.try_wait().unwrap().is_some();
    wait_for(|| begun().then_some(()), || format!("{first} to appear"));
    sleep(after);
    // An error means that it has ended already, and been waited for.
    let _ = kill_process(Pid::from_child(&child), signal);
    child.wait().unwrap().code()
}

/// Everything below `directory` but `.zpki` itself whose name begins with a dot.
fn dot_names(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for name in names(directory) {
        let path = directory.join(&name);
        if name.starts_with('.') && name != ".zpki" {
            found.push(path.clone());
        }
        if fs::symlink_metadata(&path).unwrap().is_dir() {
            found.extend(dot_names(&path));
        }
    }
    found
}

fn init_again(directory: &Path, target: &str) -> Option<i32> {
    let arguments = init(target, 1);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = zpki(directory, &arguments);
    assert!(
        matches!(status(&output), Some(0 | 73)),
        "{}",
        stderr(&output)
    );
    status(&output)
}

#[test]
fn a_signal_between_two_files_leaves_nothing_or_everything() {
    let mut ended = Vec::new();
    for (signal, seed) in [(Signal::INT, 1), (Signal::TERM, 2), (Signal::HUP, 3)] {
        for after in moments(seed).take(3) {
            let dir = tempdir().unwrap();
            let status = interrupted(dir.path(), ".zpki-init-0", after, signal);
            if status == Some(0) {
                assert_eq!(names(dir.path()), ["demo"]);
                assert_whole(&dir.path().join("demo"), SERVERS);
            } else {
                assert_eq!(
                    status,
                    Some(128 + signal.as_raw()),
                    "{signal:?} after {after:?}"
                );
                assert_eq!(names(dir.path()), [""; 0]);
                assert_eq!(init_again(dir.path(), "demo"), Some(0));
            }
            ended.push(status);
        }
    }
    for status in [129, 130, 143] {
        assert!(
            ended.contains(&Some(status)),
            "none was interrupted: {ended:?}"
        );
    }
}

#[test]
fn a_signal_leaves_a_directory_that_was_there_as_it_was() {
    let mut ended = Vec::new();
    for after in moments(4).take(4) {
        let dir = tempdir().unwrap();
        let target = dir.path().join("demo");
        fs::create_dir(&target).unwrap();
        fs::write(target.join("notes"), "mine").unwrap();
        let status = interrupted(dir.path(), "demo/.zpki/lock", after, Signal::TERM);
        assert_eq!(fs::read_to_string(target.join("notes")).unwrap(), "mine");
        if status == Some(0) {
            assert_whole(&target, SERVERS);
        } else {
            assert_eq!(status, Some(143), "after {after:?}");
            assert_eq!(names(&target), ["notes"]);
        }
        ended.push(status);
    }
    assert!(
        ended.contains(&Some(143)),
        "none was interrupted: {ended:?}"
    );
}

#[test]
fn the_next_run_clears_up_after_one_that_was_killed() {
    let mut left = 0;
    for after in moments(5).take(4) {
        let dir = tempdir().unwrap();
        interrupted(dir.path(), ".zpki-init-0", after, Signal::KILL);
        if dir.path().join("demo").exists() {
            assert_whole(&dir.path().join("demo"), SERVERS);
        } else {
            assert_eq!(names(dir.path()), [".zpki-init-0"]);
            assert_eq!(init_again(dir.path(), "demo"), Some(0));
            assert_whole(&dir.path().join("demo"), 1);
            left += 1;
        }
        assert_eq!(names(dir.path()), ["demo"]);
    }
    assert!(left > 0, "none was killed before its end");
}

#[test]
fn the_next_run_finishes_or_undoes_one_that_was_killed_in_a_directory_that_was_there() {
    let mut undone = 0;
    for after in moments(6).take(6) {
        let dir = tempdir().unwrap();
        let target = dir.path().join("demo");
        fs::create_dir(&target).unwrap();
        fs::write(target.join("notes"), "mine").unwrap();
        interrupted(dir.path(), "demo/.zpki/lock", after, Signal::KILL);
        // 73: the change was committed, so the PKI of the killed run stands.
        if init_again(dir.path(), "demo") == Some(0) {
            assert_whole(&target, 1);
            undone += 1;
        } else {
            assert_whole(&target, SERVERS);
        }
        assert_eq!(fs::read_to_string(target.join("notes")).unwrap(), "mine");
        assert_eq!(dot_names(dir.path()), [""; 0].map(PathBuf::from));
    }
    assert!(undone > 0, "none was killed before its commit");
}
