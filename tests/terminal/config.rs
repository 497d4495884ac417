//! `zpki config apply` at a terminal shows the change in colours, asks, and takes no for an answer.

use std::fs;

use tempfile::tempdir;

use super::pty::{CTRL_C, Terminal};
use super::{ZPKI, command, status};

const QUESTION: &str = "Change them? [y/N]";

const HAPROXY: &str = "backend apps\n\tserver server1 127.0.0.1:17010 check\n";

#[test]
fn a_change_is_shown_and_made_when_it_is_confirmed() {
    let dir = tempdir().unwrap();
    let init = [
        "init",
        "demo",
        "--cluster=demo",
        "--server=server1=127.0.0.1:17010",
        "--no-ca-passphrase",
    ];
    let made = command(ZPKI, dir.path()).args(init).output().unwrap();
    assert_eq!(status(&made), Some(0));
    let file = dir.path().join("haproxy.cfg");
    fs::write(&file, HAPROXY).unwrap();
    let apply = [
        "-C",
        "demo",
        "config",
        "apply",
        "--haproxy=haproxy.cfg",
        "--backend=apps",
        "--validate=true",
    ];
    for (key, end) in [("n", 130), ("\r", 130), (CTRL_C, 130)] {
        let mut terminal = Terminal::zpki(dir.path(), &apply);
        terminal.press_at(QUESTION, key);
        assert_eq!(terminal.end(), end, "{key:?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), HAPROXY);
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);

    let mut terminal = Terminal::zpki(dir.path(), &apply);
    terminal.press_at(QUESTION, "y");
    assert_eq!(terminal.end(), 0);
    terminal.has_said("switch one server after the other");
    terminal.has_said("changed ");
    let transcript = terminal.transcript();
    assert!(
        transcript.contains("\u{1b}[31m-\tserver server1"),
        "{transcript}"
    );
    assert!(
        transcript.contains("\u{1b}[32m+\tserver server1"),
        "{transcript}"
    );
    assert!(
        fs::read_to_string(&file)
            .unwrap()
            .contains("verify required")
    );

    // What is as it should be needs no answer.
    let mut terminal = Terminal::zpki(dir.path(), &apply);
    assert_eq!(terminal.end(), 0);
    terminal.has_said("unchanged");
}
