//! `zpki config apply` at a terminal shows the change in colours, asks, and takes no for an answer.

use std::fs;

use tempfile::tempdir;

use super::pty::{CTRL_C, Terminal};
use super::{ZPKI, command, status};

const QUESTION: &str = "Change them? [y/N]";

/// As cats and editors would pass it on.
const EVIL: &str = "\u{1b}[2J\u{7}\u{7f}\u{9b}31m\u{202e}\u{61c}";

/// A patch in a pipe has every byte; at a terminal none acts on it.
#[test]
fn what_stands_in_the_files_does_not_act_on_the_terminal() {
    let dir = tempdir().unwrap();
    let init = super::init("demo", 1);
    assert_eq!(status(&super::zpki(dir.path(), &strs(&init))), Some(0));
    let text = format!("backend apps # {EVIL}\n\tserver s0 10.0.0.1:17010 check # {EVIL}\n");
    fs::write(dir.path().join("haproxy.cfg"), text).unwrap();
    let file = ["--haproxy=haproxy.cfg", "--backend=apps"];
    let diff = [&["-C", "demo", "config", "diff"], &file[..]].concat();
    let patch = super::zpki(dir.path(), &diff).stdout;
    assert!(String::from_utf8(patch).unwrap().contains(EVIL));

    let mut terminal = Terminal::zpki(dir.path(), &diff);
    assert_eq!(terminal.end(), 0);
    shows_no_evil(&terminal);
    // What the validator says is told, too.
    let validate = ["--validate", "cat haproxy.cfg; false"];
    let apply = [
        &["-C", "demo", "--yes", "config", "apply"],
        &file[..],
        &validate,
    ]
    .concat();
    let mut terminal = Terminal::zpki(dir.path(), &apply);
    assert_eq!(terminal.end(), 2);
    shows_no_evil(&terminal);
}

fn strs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// Colours are zpki's own.
fn shows_no_evil(terminal: &Terminal) {
    let transcript = terminal.transcript();
    assert!(
        transcript.contains(r"\u{1b}[2J\u{7}\u{7f}\u{9b}31m\u{202e}\u{61c}"),
        "{transcript}"
    );
    for evil in [
        "\u{1b}[2J",
        "\u{7}",
        "\u{7f}",
        "\u{9b}",
        "\u{202e}",
        "\u{61c}",
    ] {
        assert!(!transcript.contains(evil), "{transcript:?}");
    }
}

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
