//! `zpki issue` and `zpki export` at a terminal ask for the passphrase of a PKCS#12 file, twice.

use std::fs;

use tempfile::tempdir;

use super::pty::Terminal;
use super::{ZPKI, command, init, names, status};
use crate::e2e::process::tool;

#[test]
fn the_passphrase_of_pkcs12_is_asked_for_twice() {
    let dir = tempdir().unwrap();
    let made = command(ZPKI, dir.path()).args(init("demo", 1)).output();
    assert_eq!(status(&made.unwrap()), Some(0));
    let arguments = [
        "-C",
        "demo",
        "issue",
        "alice",
        "--role=client",
        "--out=out",
        "--format=p12",
    ];
    let mut terminal = Terminal::zpki(dir.path(), &arguments);
    let question = "Passphrase of the PKCS#12 file:";
    terminal.press_at(question, "\r");
    terminal.has_said("it is empty");
    terminal.press_at(question, "correct horse\r");
    terminal.press_at("Once more:", "correct horse\r");
    assert_eq!(terminal.end(), 0);
    assert!(!terminal.transcript().contains("correct horse"));
    assert_eq!(names(&dir.path().join("out")), ["alice.p12", "ca.cert.pem"]);
    fs::write(dir.path().join("passphrase"), "correct horse\n").unwrap();
    let read = tool("openssl")
        .args([
            "pkcs12",
            "-in",
            "out/alice.p12",
            "-passin",
            "file:passphrase",
        ])
        .args(["-nodes", "-out", "out.pem"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert_eq!(status(&read), Some(0));
}

#[test]
fn an_exported_pkcs12_file_needs_the_same() {
    let dir = tempdir().unwrap();
    let made = command(ZPKI, dir.path()).args(init("demo", 1)).output();
    assert_eq!(status(&made.unwrap()), Some(0));
    let arguments = [
        "-C",
        "demo",
        "export",
        "load-balancer",
        "--format=p12",
        "--out=a.p12",
    ];
    for said in ["wrote ", "unchanged: "] {
        let mut terminal = Terminal::zpki(dir.path(), &arguments);
        terminal.press_at("Passphrase of the PKCS#12 file:", "correct horse\r");
        terminal.press_at("Once more:", "correct horse\r");
        assert_eq!(terminal.end(), 0);
        assert!(terminal.transcript().contains(said));
    }
}
