//! The real program where people and machines run it: at a terminal that is a real pseudo-terminal,
//! without one, under signals, and on disks that refuse.

mod apply;
mod backup;
mod ca;
mod check;
mod config;
mod disk;
mod issue;
mod progress;
mod pty;
mod recording;
mod signals;
mod svg;
mod unattended;
mod wizard;
mod writing;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::geteuid;

use crate::e2e::process::tool;

/// The program under test.
const ZPKI: &str = env!("CARGO_BIN_EXE_zpki");

/// A command that dies with the test that starts it, in an environment that says nothing to zpki.
fn command(program: &str, directory: &Path) -> Command {
    let mut command = tool("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]);
    command.current_dir(directory).env("TERM", "xterm");
    let silent = [
        "NO_COLOR",
        "ZPKI_CA_PASSPHRASE",
        "ZPKI_CA_PASSPHRASE_FILE",
        "ZPKI_DIR",
    ];
    silent
        .iter()
        .for_each(|variable| _ = command.env_remove(variable));
    command
}

/// The beginning of a command that may mount what nobody else sees.
fn own_mounts() -> &'static [&'static str] {
    if geteuid().is_root() {
        &["unshare", "--mount", "--propagation", "private", "--"]
    } else {
        &["unshare", "--user", "--map-root-user", "--mount", "--"]
    }
}

/// Runs zpki without a terminal, to its end.
fn zpki(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = command(ZPKI, directory);
    command.args(arguments).stdin(Stdio::null());
    command.output().unwrap()
}

/// How a run ended: its exit status; `None` when a signal killed it.
fn status(output: &Output) -> Option<i32> {
    output.status.code()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Every name in `directory`, dot-names too, sorted.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    let mut names: Vec<String> = entries.map(|entry| name(entry.unwrap())).collect();
    names.sort();
    names
}

/// The arguments of an `init` that has nothing to ask, for so many servers.
fn init(target: &str, servers: usize) -> Vec<String> {
    let fixed = ["init", target, "--cluster=prod", "--no-ca-passphrase"];
    let server = |n: usize| format!("--server=s{n}=10.{}.{}.1:17010", n / 250, n % 250);
    let fixed = fixed.iter().map(ToString::to_string);
    fixed.chain((0..servers).map(server)).collect()
}

/// A PKI directory is whole: each of its certificates is listed as valid, and nothing of how it was
/// made is left.
fn assert_whole(directory: &Path, servers: usize) {
    let listed = zpki(directory, &["list"]);
    let table = String::from_utf8(listed.stdout.clone()).unwrap();
    assert_eq!(status(&listed), Some(0), "{}", stderr(&listed));
    let valid = table
        .lines()
        .filter(|line| line.contains(" valid "))
        .count();
    assert_eq!(valid, servers + 2, "{table}");
    assert_eq!(names(&directory.join(".zpki")), ["generation", "lock"]);
}
