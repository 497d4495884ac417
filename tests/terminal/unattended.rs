//! Without a terminal nobody is asked, whatever standard input holds.

use std::io::Write;
use std::process::Stdio;

use tempfile::tempdir;

use super::{ZPKI, command, names, status, stderr, zpki};

const NOBODY: &str = "zpki: error: cannot make a PKI\n  because: not given, and nobody can be asked: \
    --cluster NAME, --server NAME=ADDRESS (or --from-haproxy FILE), \
    --ca-passphrase-file FILE (or --no-ca-passphrase)\n  \
    hint: see `zpki init --help`, or run it on a terminal to be asked\n";

#[test]
fn an_empty_standard_input_is_not_asked() {
    let dir = tempdir().unwrap();
    let output = zpki(dir.path(), &["init", "demo"]);
    assert_eq!(
        (status(&output), stderr(&output)),
        (Some(64), NOBODY.to_owned())
    );
    assert_eq!(output.stdout, b"");
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn a_closed_standard_input_is_not_asked() {
    let dir = tempdir().unwrap();
    let mut command = command("/bin/sh", dir.path());
    command.args(["-c", r#"exec "$0" init demo <&-"#, ZPKI]);
    let output = command.output().unwrap();
    assert_eq!(
        (status(&output), stderr(&output)),
        (Some(64), NOBODY.to_owned())
    );
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn a_pipe_is_never_read_as_an_answer() {
    let dir = tempdir().unwrap();
    let mut command = command(ZPKI, dir.path());
    command.args(["init", "demo"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may have ended before it could take them.
    let _ = child.stdin.take().unwrap().write_all(&b"prod\n".repeat(20));
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (status(&output), stderr(&output)),
        (Some(64), NOBODY.to_owned())
    );
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn only_the_flags_that_are_missing_are_named() {
    let dir = tempdir().unwrap();
    let missing = |arguments: &[&str]| {
        let output = zpki(dir.path(), &[&["init", "demo"], arguments].concat());
        assert_eq!(status(&output), Some(64));
        let text = stderr(&output);
        let line = text.lines().nth(1).unwrap().to_owned();
        line.replace("  because: not given, and nobody can be asked: ", "")
    };
    let server = "--server=web1=10.0.0.1:17010";
    assert_eq!(missing(&[server, "--no-ca-passphrase"]), "--cluster NAME");
    assert_eq!(
        missing(&["--cluster=prod", "--no-ca-passphrase"]),
        "--server NAME=ADDRESS (or --from-haproxy FILE)"
    );
    assert_eq!(
        missing(&["--cluster=prod", server, "--yes"]),
        "--ca-passphrase-file FILE (or --no-ca-passphrase)"
    );
    assert_eq!(names(dir.path()), [""; 0]);
}
