//! Long work shows a bar at a terminal, and nothing elsewhere.
//!
//! On a fast machine nothing takes long: the program is stopped while it writes.

use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::tempdir;

use super::pty::{CTRL_C, Terminal, WIDE, at_terminal};
use super::{ZPKI, assert_whole, command, init, names};
use crate::e2e::process::DEADLINE;

/// So many that making them has not ended when the first folder is seen, on a busy machine either.
const SERVERS: usize = 2000;

const BAR: &str = "making keys and certificates [";

/// Makes `init` in `directory` take more than a second.
fn hold_up(directory: &Path, signal: impl Fn(Signal)) {
    stop(directory, &signal);
    signal(Signal::CONT);
}

/// Stops `init` in `directory` for more than a second.
fn stop(directory: &Path, signal: impl Fn(Signal)) {
    let first = directory.join(".zpki-init-0/servers");
    let start = Instant::now();
    while !first.exists() {
        assert!(start.elapsed() < DEADLINE, "there is no first folder");
        sleep(Duration::from_millis(1));
    }
    signal(Signal::STOP);
    sleep(Duration::from_millis(1100));
}

fn at_a_terminal(directory: &Path, more: &[&str]) -> Terminal {
    let mut command = at_terminal(directory);
    command.arg(ZPKI).args(init("demo", SERVERS)).args(more);
    Terminal::start(&mut command, WIDE)
}

#[test]
fn long_work_shows_a_bar_that_is_gone_at_the_end() {
    let dir = tempdir().unwrap();
    let mut terminal = at_a_terminal(dir.path(), &[]);
    hold_up(dir.path(), |signal| terminal.signal(signal));
    terminal.has_said(BAR);
    assert_eq!(terminal.end(), 0);
    assert!(!terminal.screen().contains(BAR), "{}", terminal.screen());
    let transcript = terminal.transcript();
    assert!(transcript.contains("\r\x1b[2Kmade the PKI of `prod` in "));
    assert_whole(&dir.path().join("demo"), SERVERS);
}

#[test]
fn ctrl_c_takes_the_bar_away() {
    let dir = tempdir().unwrap();
    let mut terminal = at_a_terminal(dir.path(), &[]);
    stop(dir.path(), |signal| terminal.signal(signal));
    // It goes on by small steps: once the bar is seen, it must not come to its end before the key.
    let start = Instant::now();
    while !terminal.transcript().contains(BAR) {
        assert!(start.elapsed() < DEADLINE, "there is no bar");
        terminal.signal(Signal::CONT);
        sleep(Duration::from_millis(2));
        terminal.signal(Signal::STOP);
        sleep(Duration::from_millis(20));
    }
    terminal.press(CTRL_C);
    terminal.signal(Signal::CONT);
    assert_eq!(terminal.end(), 130);
    assert_eq!(
        terminal.screen().trim_end(),
        "zpki: error: cannot make the PKI of `prod`\n  because: interrupted; nothing was left behind"
    );
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn there_is_no_bar_where_nothing_is_to_be_said() {
    let dir = tempdir().unwrap();
    let mut terminal = at_a_terminal(dir.path(), &["--quiet"]);
    hold_up(dir.path(), |signal| terminal.signal(signal));
    assert_eq!((terminal.end(), terminal.transcript()), (0, String::new()));
}

#[test]
fn there_is_no_bar_where_there_is_no_terminal() {
    let dir = tempdir().unwrap();
    let mut command = command(ZPKI, dir.path());
    command.args(init("demo", SERVERS)).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let process = Pid::from_child(&child);
    hold_up(dir.path(), |signal| kill_process(process, signal).unwrap());
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(said.starts_with("made the PKI of `prod` in "), "{said}");
    assert!(!said.contains('\x1b') && !said.contains(BAR), "{said}");
}

#[test]
fn short_work_shows_no_bar() {
    let dir = tempdir().unwrap();
    let flags = [
        "init",
        "demo",
        "--cluster=prod",
        "--no-ca-passphrase",
        "--server=a=10.0.0.1:1",
    ];
    let mut terminal = Terminal::zpki(dir.path(), &flags);
    assert_eq!(terminal.end(), 0);
    assert!(
        !terminal.transcript().contains('\x1b'),
        "{:?}",
        terminal.transcript()
    );
}
