//! `zpki apply` at a terminal asks for the passphrase of the CA's key, and only to sign.

use std::fs;

use tempfile::tempdir;

use super::pty::Terminal;
use super::{ZPKI, command, status};

const QUESTION: &str = "/demo/ca/ca.key.pem:";

#[test]
fn the_passphrase_is_asked_for_when_something_is_to_be_signed() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("passphrase"), "correct horse\n").unwrap();
    let init = [
        "init",
        "demo",
        "--cluster=demo",
        "--server=server1=127.0.0.1:17010",
        "--ca-passphrase-file=passphrase",
    ];
    let made = command(ZPKI, dir.path()).args(init).output().unwrap();
    assert_eq!(status(&made), Some(0));
    let apply = ["-C", "demo", "apply"];

    let mut terminal = Terminal::zpki(dir.path(), &apply);
    assert_eq!(terminal.end(), 0);
    assert_eq!(terminal.screen().trim_end(), "unchanged");

    let cluster_file = dir.path().join("demo/zpki.toml");
    let text = fs::read_to_string(&cluster_file).unwrap();
    fs::write(
        &cluster_file,
        text.replace(r#""127.0.0.1"]"#, r#""10.0.0.1"]"#),
    )
    .unwrap();
    let certificate = dir.path().join("demo/servers/server1/zato-server-cert.pem");
    let before = fs::read(&certificate).unwrap();

    let mut terminal = Terminal::zpki(dir.path(), &apply);
    terminal.press_at(QUESTION, "wrong\r");
    assert_eq!(terminal.end(), 77);
    terminal.has_said("wrong passphrase or damaged file");
    assert_eq!(fs::read(&certificate).unwrap(), before);

    let mut terminal = Terminal::zpki(dir.path(), &apply);
    terminal.press_at(QUESTION, "\x03");
    assert_eq!(terminal.end(), 130);
    assert_eq!(fs::read(&certificate).unwrap(), before);

    let mut terminal = Terminal::zpki(dir.path(), &apply);
    terminal.press_at(QUESTION, "\r");
    terminal.has_said("it is empty");
    terminal.press_at(QUESTION, "correct horse\r");
    assert_eq!(terminal.end(), 0);
    terminal.has_said("name added: 10.0.0.1");
    assert!(!terminal.transcript().contains("correct horse"));
    assert_ne!(fs::read(&certificate).unwrap(), before);

    let mut terminal = Terminal::zpki(
        dir.path(),
        &["--non-interactive", "-C", "demo", "renew", "--force"],
    );
    assert_eq!(terminal.end(), 64);
    terminal.has_said("nobody can be asked for its passphrase");
}
