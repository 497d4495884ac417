//! `zpki check` at a terminal draws the path, and marks the certificate at fault.

use tempfile::tempdir;

use super::pty::Terminal;
use super::{ZPKI, command, init, status, zpki};

#[test]
fn the_path_is_drawn_with_the_certificate_at_fault_marked() {
    let dir = tempdir().unwrap();
    let made = command(ZPKI, dir.path()).args(init("demo", 1)).output();
    assert_eq!(status(&made.unwrap()), Some(0));
    let file = "demo/servers/s0/zato-server-cert.pem";
    let arguments = [
        "check",
        file,
        "--ca-file",
        "demo/ca/ca-file.pem",
        "--host",
        "other.internal",
    ];
    let mut terminal = Terminal::zpki(dir.path(), &arguments);
    assert_eq!(terminal.end(), 2);
    let screen = terminal.screen();
    let drawn = screen
        .split_once("the path that HAProxy takes:\n")
        .unwrap()
        .1;
    let lines: Vec<&str> = drawn.lines().map(str::trim_end).collect();
    assert_eq!(lines.len(), 2, "{screen}");
    let leaf = format!("  0 O=prod,CN=s0, {file}:1  <- here");
    assert_eq!(lines[0], leaf);
    assert!(
        lines[1].starts_with("  1  \u{2514}\u{2500} O=prod,CN=prod cluster CA "),
        "{screen}"
    );
    assert!(
        lines[1].ends_with(" (trust anchor), demo/ca/ca-file.pem:1"),
        "{screen}"
    );

    // Elsewhere there are findings, and nothing else.
    let output = zpki(dir.path(), &arguments);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("the path"), "{text}");
    assert_eq!(text.lines().count(), 2, "{text}");
}
