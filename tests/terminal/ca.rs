//! The passphrases of the CA's key, typed.

use std::fs;

use tempfile::tempdir;

use super::pty::{CTRL_C, Terminal};
use super::zpki;
use crate::e2e::process::{run, tool};

const OLD: &str = "/ca/ca.key.pem:";
const NEW: &str = "New passphrase of the CA's private key:";
const ONCE_MORE: &str = "Once more:";

#[test]
fn the_old_passphrase_is_asked_for_once_and_the_new_one_twice() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("old"), "old horse\n").unwrap();
    let init = [
        "init",
        "demo",
        "--cluster=demo",
        "--server=s1=127.0.0.1:17010",
        "--ca-passphrase-file=old",
    ];
    assert!(zpki(dir.path(), &init).status.success());
    let key = dir.path().join("demo/ca/ca.key.pem");
    let before = fs::read(&key).unwrap();
    let command = ["-C", "demo", "ca", "passphrase"];

    let mut terminal = Terminal::zpki(dir.path(), &command);
    terminal.answer(OLD, "wrong");
    assert_eq!(terminal.end(), 77);
    let mut terminal = Terminal::zpki(dir.path(), &command);
    terminal.answer(OLD, "old horse");
    terminal.press_at(NEW, CTRL_C);
    assert_eq!(terminal.end(), 130);
    assert_eq!(fs::read(&key).unwrap(), before);

    let mut terminal = Terminal::zpki(dir.path(), &command);
    terminal.answer(OLD, "old horse");
    terminal.answer(NEW, "new horse");
    terminal.answer(ONCE_MORE, "new house");
    terminal.answer(NEW, "new horse");
    terminal.answer(ONCE_MORE, "new horse");
    assert_eq!(terminal.end(), 0);
    assert!(terminal.screen().contains("changed the passphrase of "));
    assert!(!terminal.transcript().contains("horse"));
    run(tool("openssl")
        .args(["pkey", "-noout", "-passin", "pass:new horse", "-in"])
        .arg(&key));
}

#[test]
fn the_passphrase_of_an_imported_key_is_asked_for_and_then_a_new_one() {
    let dir = tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir(at("demo")).unwrap();
    let cluster =
        "[cluster]\nname = \"demo\"\n[[servers]]\nname = \"s1\"\naddress = \"127.0.0.1:17010\"\n";
    fs::write(at("demo/zpki.toml"), cluster).unwrap();
    run(tool("openssl")
        .args([
            "req",
            "-x509",
            "-days",
            "3650",
            "-subj",
            "/CN=Example",
            "-passout",
            "pass:old horse",
        ])
        .args(["-addext", "keyUsage=critical,keyCertSign,cRLSign"])
        .args(["-keyout", "ca.key", "-out", "ca.crt"])
        .current_dir(dir.path()));
    let mut terminal = Terminal::zpki(
        dir.path(),
        &["-C", "demo", "ca", "import", "ca.crt", "ca.key"],
    );
    terminal.answer("/ca.key:", "old horse");
    terminal.answer(NEW, "new horse");
    terminal.answer(ONCE_MORE, "new horse");
    assert_eq!(terminal.end(), 0);
    assert!(
        terminal
            .screen()
            .contains("/demo/ca/ca.key.pem (encrypted)")
    );
    assert!(!terminal.transcript().contains("horse"));
    run(tool("openssl")
        .args([
            "pkey",
            "-noout",
            "-passin",
            "pass:new horse",
            "-in",
            "demo/ca/ca.key.pem",
        ])
        .current_dir(dir.path()));
}
