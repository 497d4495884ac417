//! Streams that are closed, full or gone, a current directory that was removed, and names that are
//! not UTF-8: through the real program.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::{Output, Stdio};

use crate::sandbox::{DEMO, Outcome, PROGRAM, Sandbox};

const TEXT_COMMANDS: [&[&str]; 5] = [
    &["--help"],
    &["-C", "demo", "list"],
    &["-C", "demo", "show", "server1", "--output=json"],
    &["-C", "demo", "snippet", "haproxy"],
    &["completions", "bash"],
];

/// A cluster that the real program made, for its clock is the real one.
fn demo() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.args(DEMO).run_program().product();
    sandbox
}

fn outcome(sandbox: &Sandbox, output: Output) -> Outcome<'_> {
    let status = output.status.code().expect("it ends by itself");
    Outcome::new(sandbox, status, &output.stdout, &output.stderr)
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let sandbox = demo();
    for args in TEXT_COMMANDS {
        let mut command = sandbox.args(args.to_vec()).command();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        outcome(&sandbox, child.wait_with_output().unwrap())
            .status(0)
            .stderr("");
    }
}

#[test]
fn a_pipe_to_head_ends_quietly() {
    let sandbox = demo();
    for args in TEXT_COMMANDS {
        let line = format!(
            "{PROGRAM} {} | head -c1; echo \" ${{PIPESTATUS[0]}}\"",
            args.join(" ")
        );
        let said = sandbox.tool("bash", &["-c", &line]);
        assert!(said.ends_with(" 0\n"), "{args:?}: {said}");
    }
}

#[test]
fn a_failure_keeps_its_status_when_nobody_reads() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.args(["-C", "nowhere", "list"]).command();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(66));
}

#[test]
fn init_is_done_even_when_nobody_reads_of_it() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.args(DEMO).command();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(sandbox.path("demo/ca/ca.key.pem").exists());
}

#[test]
fn a_full_device_on_standard_output_is_an_io_error() {
    let sandbox = demo();
    let before = sandbox.tree();
    for (args, what) in [
        (TEXT_COMMANDS[0], "print the help"),
        (TEXT_COMMANDS[1], "list the entries"),
        (TEXT_COMMANDS[2], "show `server1`"),
        (TEXT_COMMANDS[3], "print the lines for HAProxy"),
        (TEXT_COMMANDS[4], "print the completions"),
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut command = sandbox.args(args.to_vec()).command();
        let output = command
            .stdout(full)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        outcome(&sandbox, output).status(74).stderr(format!(
            "\
zpki: error: cannot {what}
  at: standard output
  because: no space left on device
  hint: make room where it is written to, or write it elsewhere
"
        ));
    }
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn without_standard_streams_the_work_is_done_all_the_same() {
    for closed in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
        let sandbox = Sandbox::new();
        let line = format!("exec {PROGRAM} {} {closed}", DEMO.join(" "));
        sandbox.tool("sh", &["-c", &line]);
        let tree = sandbox.tree().modes("demo");
        assert!(tree.contains("0600 ca/ca.key.pem\n"), "{closed}: {tree}");
        for file in ["zpki.toml", "ca/ca.cert.pem", "load-balancer/haproxy.cfg"] {
            let text = sandbox.read(format!("demo/{file}"));
            assert!(
                !text.contains("next:") && !text.contains("note:"),
                "{closed}: {file}"
            );
        }
    }
}

#[test]
fn a_closed_standard_input_is_an_empty_one() {
    let sandbox = Sandbox::new();
    let before = sandbox.tree();
    let args = [&DEMO[..10], &["--ca-passphrase-file=-"]].concat();
    let line = format!("exec {PROGRAM} {} <&-", args.join(" "));
    let output = std::process::Command::new("sh")
        .args(["-c", &line])
        .current_dir(sandbox.path(""))
        .output()
        .unwrap();
    outcome(&sandbox, output).status(64).stderr(
        "\
zpki: error: cannot make the PKI of `demo`
  because: the passphrase from `-` is empty
  hint: put the passphrase on the first line; for a key without one, `init` has --no-ca-passphrase
",
    );
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn standard_input_is_read_as_a_stream() {
    let sandbox = demo();
    let mut command = sandbox.args(["show", "-", "--output=pem"]).command();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pem = sandbox.read("demo/ca/ca.cert.pem");
    let mut stdin = child.stdin.take().unwrap();
    let (first, second) = pem.split_at(100);
    stdin.write_all(first.as_bytes()).unwrap();
    stdin.flush().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    stdin.write_all(second.as_bytes()).unwrap();
    drop(stdin);
    let mut said = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(said, pem);
}

#[test]
fn a_current_directory_that_was_removed_counts_only_where_it_is_needed() {
    let sandbox = demo();
    let run = |args: &str| {
        fs::create_dir_all(sandbox.path("gone")).unwrap();
        let line = format!("cd gone && rmdir ../gone && exec {PROGRAM} {args}");
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &line]).current_dir(sandbox.path(""));
        outcome(&sandbox, command.output().unwrap())
    };
    let demo = sandbox.path("demo").display().to_string();
    assert!(
        run(&format!("-C {demo} list"))
            .product()
            .contains("server1")
    );
    let because = "  at: .
  because: the current directory was removed
  hint: check the path; file arguments are relative to the current directory
";
    run("list")
        .status(66)
        .stderr(format!("zpki: error: cannot list the entries\n{because}"));
    let init = format!("init pki {}", DEMO[2..].join(" "));
    let stderr = format!("zpki: error: cannot make the PKI of `demo`\n{because}");
    run(&init).status(66).stderr(stderr);
    assert!(run("--version").product().starts_with("zpki "));
}

#[test]
fn names_that_are_not_utf8_are_files_like_any_other() {
    let name = OsStr::from_bytes(b"gr\xfcn");
    let sandbox = Sandbox::new();
    let flags = ["--ca-file=/tls/ca.pem", "--crt=/tls/lb.pem"];
    let more = DEMO[2..].iter().chain(&flags).map(OsString::from);
    let args = || {
        [OsString::from("init"), name.to_owned()]
            .into_iter()
            .chain(more.clone())
    };
    let said = sandbox.args(args()).run_program().product();
    assert!(
        said.contains("/gr\u{fffd}n (the CA's private key"),
        "{said}"
    );

    let list = || [OsString::from("-C"), name.to_owned(), "list".into()];
    assert!(
        sandbox
            .args(list())
            .run_program()
            .product()
            .contains("server1")
    );
    let here = sandbox.args(["list"]).env("ZPKI_DIR", name);
    assert!(here.run_program().product().contains("server1"));
    fs::copy(
        sandbox.path(name).join("ca/ca.cert.pem"),
        sandbox.path(name).join("a.pem"),
    )
    .unwrap();
    fs::rename(
        sandbox.path(name).join("a.pem"),
        sandbox.path(OsStr::from_bytes(b"\xff.pem")),
    )
    .unwrap();
    let show = [
        OsString::from("show"),
        OsStr::from_bytes(b"\xff.pem").to_owned(),
    ];
    assert!(
        sandbox
            .args(show)
            .run_program()
            .product()
            .contains("CA:TRUE")
    );
    sandbox
        .args([
            OsString::from("show"),
            OsStr::from_bytes(b"\xfe").to_owned(),
        ])
        .run_program()
        .status(66)
        .stderr(
            "\
zpki: error: cannot show `\u{fffd}`
  at: \u{fffd}
  because: no such file or directory
  hint: check the path; file arguments are relative to the current directory
",
        );
}

#[test]
fn colour_is_for_terminals_or_by_request() {
    let sandbox = Sandbox::new();
    let run = |flags: &[&str]| sandbox.args([&["list"], flags].concat());
    let rest = "cannot list the entries
  at: [root]
  because: this is no PKI directory: it has no zpki.toml
  hint: name a PKI directory with -C or ZPKI_DIR, or make one with `zpki init`
";
    let plain = format!("zpki: error: {rest}");
    run(&[]).run_program().status(66).stderr(&plain);
    run(&["--color=never"])
        .run_program()
        .status(66)
        .stderr(&plain);
    let red = format!("zpki: \u{1b}[1m\u{1b}[31merror\u{1b}[0m: {rest}");
    run(&["--color=always"])
        .run_program()
        .status(66)
        .stderr(red);
}
