//! The `openssl` command as the judge of what this layer writes, and as the maker of what it reads.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

/// Runs `openssl` with `input` on its stdin; answers with its stdout. It must succeed.
pub(crate) fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let output = run(arguments, input);
    assert!(
        output.status.success(),
        "openssl {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Whether `openssl` succeeds with `input` on its stdin.
pub(crate) fn openssl_succeeds(arguments: &[&str], input: &[u8]) -> bool {
    run(arguments, input).status.success()
}

fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tests need the openssl command: `make test` installs it");
    // openssl may end without reading all of it; its exit status tells what that means.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}
