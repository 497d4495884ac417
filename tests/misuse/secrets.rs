//! Secrets stay in zpki: no command that it runs, no other process, no core file and no log gets to see them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use rustix::process::geteuid;

use crate::config::{listening_cluster, rolling};
use crate::e2e::process::find;
use crate::sandbox::{Outcome, PROGRAM, Run, Sandbox};

const PASSPHRASE: &str = "correct horse";

/// Appends to `seen` what a command is given: environment, arguments, open files, and what is owed.
const LOOK: &str = "{ cat /proc/self/environ /proc/$$/cmdline; ls -l /proc/self/fd/; \
                    cat demo/.zpki/pending/* 2>/dev/null; echo; } | tr '\\0' '\\n' >> seen";

/// A PKI directory whose CA has a passphrase, which the file `passphrase` has too.
fn encrypted() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file("passphrase", PASSPHRASE);
    sandbox.mode("passphrase", 0o600);
    let init = "init demo --cluster demo --server server1=127.0.0.1:17010 --verbose";
    let run = sandbox
        .args(init.split(' '))
        .env("ZPKI_CA_PASSPHRASE", PASSPHRASE);
    says_nothing(run.run_program());
    sandbox
}

/// A run that succeeds, and neither of whose streams has a secret.
fn says_nothing(outcome: Outcome<'_>) {
    let (status, [stdout, stderr]) = outcome.all();
    assert_eq!(status, 0, "{stderr}");
    for said in [stdout, stderr] {
        assert!(!said.contains(PASSPHRASE), "{said}");
        assert!(!said.contains("PRIVATE KEY"), "{said}");
    }
}

/// The real program, with a PATH for the commands that it runs.
fn zpki<'a>(sandbox: &'a Sandbox, line: &str) -> Run<'a> {
    let run = sandbox.args(line.split(' ').map(|word| word.replace("LOOK", LOOK)));
    run.env("PATH", std::env::var("PATH").unwrap())
}

/// What so many commands have seen: no secret, and no file or directory that zpki has open.
fn seen(sandbox: &Sandbox, times: usize) {
    let seen = sandbox.read("seen");
    assert_eq!(seen.matches(" 0 -> /dev/null").count(), times, "{seen}");
    let open = format!(" -> {}", sandbox.path("").display());
    for secret in [PASSPHRASE, "PRIVATE KEY", "ZPKI_CA_PASSPHRASE", &open] {
        assert!(!seen.contains(secret), "{secret} in {seen}");
    }
    fs::remove_file(sandbox.path("seen")).unwrap();
}

/// Below the sandbox's directory a passphrase stands in the file that it was given in, and private keys in
/// files that their owner alone may read.
fn kept(sandbox: &Sandbox) {
    let mut keys = 0;
    visit(&sandbox.path(""), &mut |path| {
        let bytes = fs::read(path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(
            !text.contains(PASSPHRASE) || path.ends_with("passphrase"),
            "{path:?}"
        );
        if text.contains("PRIVATE KEY-----") {
            let mode = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{path:?}");
            keys += 1;
        }
    });
    assert!(keys > 2, "{keys}");
}

fn visit(directory: &Path, seen: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => visit(&path, seen),
            false => seen(&path),
        }
    }
}

#[test]
fn a_command_that_follows_a_change_sees_none() {
    let sandbox = encrypted();
    let passphrase = sandbox.path("passphrase");
    let change = "-C demo --verbose --output json rekey --all --force --exec LOOK";
    says_nothing(
        zpki(&sandbox, change)
            .env("ZPKI_CA_PASSPHRASE", PASSPHRASE)
            .run_program(),
    );
    seen(&sandbox, 2);
    let from_file = zpki(&sandbox, change).env("ZPKI_CA_PASSPHRASE_FILE", passphrase);
    says_nothing(from_file.run_program());
    seen(&sandbox, 2);
    let by_flag = format!("{change} --ca-passphrase-file passphrase");
    says_nothing(zpki(&sandbox, &by_flag).run_program());
    seen(&sandbox, 2);
    kept(&sandbox);
}

#[test]
fn the_commands_of_a_switch_see_none() {
    let (sandbox, _listeners) = listening_cluster();
    sandbox
        .file("passphrase", PASSPHRASE)
        .mode("passphrase", 0o600);
    let rolling = rolling("RESTART").join(" ");
    let rolling = rolling.replace("RESTART", "LOOK").replace("=true", "=LOOK");
    let change = format!("-C demo --yes --verbose config apply {rolling} --validate LOOK");
    let run = zpki(&sandbox, &change);
    let run = run
        .env("ZPKI_CA_PASSPHRASE", PASSPHRASE)
        .env("TMPDIR", sandbox.path(""));
    says_nothing(run.run_program());
    // One validation, and of each server a reload, a restart, a probe and a reload.
    seen(&sandbox, 9);
    kept(&sandbox);
}

/// Not root, who may look into everything.
fn unprivileged() -> Command {
    let mut command = Command::new(find("setpriv"));
    if geteuid().is_root() {
        command.args(["--bounding-set=-all", "--inh-caps=-all"]);
    }
    command.arg("--");
    command
}

/// The environment of a process can be read as long as its memory can: the passphrase is in both.
#[test]
fn no_process_of_the_same_user_looks_into_zpki() {
    let sandbox = encrypted();
    let control = "cat /proc/$PPID/environ > environ 2> refused";
    let look = |program: &[&str]| {
        let mut command = unprivileged();
        command
            .args(program)
            .env_clear()
            .current_dir(sandbox.path(""));
        command
            .env("ZPKI_CA_PASSPHRASE", PASSPHRASE)
            .env("PATH", std::env::var("PATH").unwrap());
        assert!(command.output().unwrap().status.success(), "{program:?}");
        (sandbox.read("environ"), sandbox.read("refused"))
    };
    let (environ, _) = look(&["sh", "-c", &format!("sh -c '{control}'; true")]);
    assert!(
        environ.contains(PASSPHRASE),
        "another program's can be read"
    );
    let control = format!("{control} || true");
    let rekey = [
        "-C", "demo", "rekey", "server1", "--force", "--exec", &control,
    ];
    let (environ, refused) = look(&[&[PROGRAM], &rekey[..]].concat());
    assert_eq!(environ, "");
    assert!(refused.contains("Permission denied"), "{refused}");
}

#[test]
fn a_process_that_crashes_leaves_no_core() {
    let sandbox = encrypted();
    let crash = |program: &[&str]| {
        let mut command = Command::new("sh");
        command
            .args(["-c", r#"ulimit -c unlimited && exec "$0" "$@""#])
            .args(program);
        command
            .env("ZPKI_CA_PASSPHRASE", PASSPHRASE)
            .current_dir(sandbox.path(""));
        let status = command.output().unwrap().status;
        assert_eq!(status.signal(), Some(6), "{program:?}: {status}");
        status.core_dumped()
    };
    assert!(
        crash(&["sh", "-c", "kill -ABRT $$"]),
        "another program does"
    );
    let rekey = [
        "-C",
        "demo",
        "rekey",
        "--force",
        "--exec",
        "kill -ABRT $PPID",
        "server1",
    ];
    assert!(!crash(&[&[PROGRAM], &rekey[..]].concat()));
}
