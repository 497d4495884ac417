//! Disks and directories that refuse: the status says why, and nothing is left behind.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::geteuid;
use tempfile::tempdir;

use super::{ZPKI, assert_whole, command, init, names, own_mounts, status, stderr, zpki};
use crate::e2e::process::find;

/// `init` for one server.
fn arguments(target: &str) -> Vec<String> {
    init(target, 1)
}

/// A shell script whose `$@` is an `init`, under `program`.
fn script(directory: &Path, program: &[&str], script: &str, target: &str) -> Command {
    let mut command = command(program[0], directory);
    command.args(&program[1..]);
    command.args(["sh", "-c", script, "sh", ZPKI]);
    command.args(arguments(target)).stdin(Stdio::null());
    command
}

/// Mounts a file system of its own where nobody else sees it, with a directory `old` that has one
/// file, and runs `$@` there. Whatever is there then goes to standard output.
const ON_TMPFS: &str = r#"
    "$MOUNT" -t tmpfs -o "$OPTIONS" tmpfs . && cd "$PWD" && mkdir old && : >old/notes || exit 1
    [ -z "$AGAIN" ] || "$MOUNT" -o "$AGAIN" "$PWD" || exit 1
    "$@" >/dev/null
    status=$?
    find . -mindepth 1 | sort
    exit $status
"#;

/// Runs `init` on a file system with these options, mounted once more with those of `again`. Returns
/// how it ended, and the names of all that is there then.
fn on_tmpfs(options: &str, again: &str, target: &str) -> (Output, Vec<String>) {
    let dir = tempdir().unwrap();
    let mut command = script(dir.path(), own_mounts(), ON_TMPFS, target);
    command.env("MOUNT", find("mount"));
    command.env("OPTIONS", options).env("AGAIN", again);
    let output = command.output().unwrap();
    assert_ne!(status(&output), Some(1), "no tmpfs: {}", stderr(&output));
    assert_eq!(names(dir.path()), [""; 0], "the mount is seen outside");
    let listing = String::from_utf8(output.stdout.clone()).unwrap();
    (output, listing.lines().map(ToOwned::to_owned).collect())
}

const UNTOUCHED: [&str; 2] = ["./old", "./old/notes"];

/// Grows a file system until `init` fits; at each size before that it fails and leaves nothing.
fn grown_until_it_fits(target: &str, options: impl Fn(usize) -> String, because: &str) -> usize {
    for size in 1..200 {
        let (output, listing) = on_tmpfs(&options(size), "", target);
        if status(&output) == Some(0) {
            return size;
        }
        let said = stderr(&output);
        assert_eq!(status(&output), Some(74), "{}: {said}", options(size));
        assert!(said.contains(&format!("  because: {because}\n")), "{said}");
        assert_eq!(listing, UNTOUCHED, "{}: {said}", options(size));
    }
    panic!("it never fits");
}

const FULL: &str = "no space left on device";

#[test]
fn a_full_disk_leaves_nothing_of_a_new_directory() {
    let pages = |pages| format!("size={}k", 4 * pages);
    assert!(grown_until_it_fits("a/demo", pages, FULL) > 10);
}

#[test]
fn a_full_disk_leaves_an_old_directory_as_it_was() {
    let pages = |pages| format!("size={}k", 4 * pages);
    assert!(grown_until_it_fits("old", pages, FULL) > 10);
}

#[test]
fn a_disk_without_inodes_leaves_nothing_of_a_new_directory() {
    let inodes = |inodes| format!("nr_inodes={}", inodes + 3);
    assert!(grown_until_it_fits("a/demo", inodes, FULL) > 10);
}

#[test]
fn a_disk_without_inodes_leaves_an_old_directory_as_it_was() {
    let inodes = |inodes| format!("nr_inodes={}", inodes + 3);
    assert!(grown_until_it_fits("old", inodes, FULL) > 10);
}

#[test]
fn a_read_only_disk_is_an_io_error() {
    for target in ["a/demo", "old"] {
        let (output, listing) = on_tmpfs("size=1m", "remount,bind,ro", target);
        let said = stderr(&output);
        assert_eq!(status(&output), Some(74), "{said}");
        assert!(
            said.contains("  because: read-only file system\n"),
            "{said}"
        );
        assert_eq!(listing, UNTOUCHED);
    }
}

#[test]
fn a_directory_that_may_not_be_written_is_a_matter_of_permission() {
    let dir = tempdir().unwrap();
    let locked = dir.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, Permissions::from_mode(0o555)).unwrap();
    // Without its capabilities, root is held to modes like anyone else.
    let program: &[&str] = if geteuid().is_root() {
        &["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"]
    } else {
        &["env"]
    };
    for target in ["locked/demo", "locked/a/b/demo", "locked"] {
        let mut command = script(dir.path(), program, r#"exec "$@""#, target);
        let output = command.output().unwrap();
        let said = stderr(&output);
        assert_eq!(status(&output), Some(77), "{said}");
        assert!(said.contains("  because: permission denied\n"), "{said}");
        assert_eq!(names(&locked), [""; 0]);
    }
    assert_eq!(names(dir.path()), ["locked"]);
}

#[test]
fn a_limit_on_the_size_of_files_is_an_io_error_and_kills_nobody() {
    let dir = tempdir().unwrap();
    fs::create_dir(dir.path().join("old")).unwrap();
    for target in ["a/demo", "old"] {
        let mut command = script(dir.path(), &["env"], r#"ulimit -f 1; exec "$@""#, target);
        let output = command.output().unwrap();
        let said = stderr(&output);
        assert_eq!(status(&output), Some(74), "{said}");
        assert!(said.contains("  because: file too large\n"), "{said}");
        assert_eq!(names(dir.path()), ["old"]);
        assert_eq!(names(&dir.path().join("old")), [""; 0]);
    }
}

#[test]
fn another_run_in_the_directory_is_waited_for() {
    let dir = tempdir().unwrap();
    fs::create_dir_all(dir.path().join("demo/.zpki")).unwrap();
    let held = File::create(dir.path().join("demo/.zpki/lock")).unwrap();
    held.lock().unwrap();
    let mut arguments = arguments("demo");
    arguments.push("--lock-timeout=1s".to_owned());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = zpki(dir.path(), &arguments);
    let said = stderr(&output);
    assert_eq!(status(&output), Some(75), "{said}");
    assert!(
        said.contains("is held by another run (waited 1 s)\n"),
        "{said}"
    );
    assert_eq!(names(&dir.path().join("demo")), [".zpki"]);
    // It ends without having made anything.
    drop(held);
    let output = zpki(dir.path(), &arguments);
    assert_eq!(status(&output), Some(0), "{}", stderr(&output));
    assert_whole(&dir.path().join("demo"), 1);
}
