//! Private keys are never another's to read, not for an instant and whatever the umask: strace tells of every
//! system call that gives a file its name, its mode or its bytes, and the files are known by their contents.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::geteuid;

use crate::e2e::process::find;
use crate::sandbox::{PROGRAM, Sandbox};

/// What makes, fills, names, and opens to others.
const CALLS: &str = "open|openat|openat2|creat|mkdir|mkdirat|mknod|mknodat|rename|renameat|renameat2|\
                     link|linkat|chmod|fchmod|fchmodat|fchmodat2|setxattr|fsetxattr|\
                     write|writev|pwrite64|pwritev|pwritev2|sendfile|copy_file_range|splice";

/// What of a system call counts here, its paths absolute.
#[derive(Debug)]
enum Call {
    Opened { path: PathBuf, how: String },
    Made { path: PathBuf, mode: u32 },
    Filled { path: PathBuf, is_secret: bool },
    Named { from: PathBuf, to: PathBuf },
    Moded { path: PathBuf, mode: u32 },
}

/// Runs zpki in the sandbox with a umask that forbids nothing; what it did.
fn traced(sandbox: &Sandbox, arguments: &[&str], variables: &[(&str, &str)]) -> Vec<Call> {
    let traces = tempfile::tempdir().unwrap();
    let prefix = traces.path().join("trace");
    // zpki is not dumpable, so that only who is root, if of a namespace, sees what it hands to the kernel.
    let mut command = match geteuid().is_root() {
        true => Command::new(find("strace")),
        false => {
            let mut command = Command::new(find("unshare"));
            command.args(["--user", "--map-root-user", "--"]);
            command.arg(find("strace"));
            command
        }
    };
    command
        .args(["-ff", "-qq", "-y", "-s", "10000000", "-e", "signal=none"])
        .args(["-e", &format!("trace=/^({CALLS})$"), "-o"])
        .arg(&prefix)
        .args(["sh", "-c", r#"umask 000; exec "$0" "$@""#, PROGRAM])
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .env("PATH", std::env::var("PATH").unwrap())
        .env("TMPDIR", sandbox.path("tmp"))
        .current_dir(sandbox.path(""))
        .stdin(Stdio::null());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    let mut calls = Vec::new();
    for entry in fs::read_dir(traces.path()).unwrap() {
        let text = fs::read(entry.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&text);
        let mut thread = Thread {
            here: sandbox.path(""),
            open: BTreeMap::new(),
        };
        calls.extend(text.lines().filter_map(|line| thread.read(line)));
    }
    calls
}

/// What one thread has open.
struct Thread {
    here: PathBuf,
    open: BTreeMap<String, PathBuf>,
}

impl Thread {
    /// One line of strace's, of a call that succeeded.
    fn read(&mut self, line: &str) -> Option<Call> {
        let (name, rest) = line.split_once('(')?;
        let (arguments, result) = rest.rsplit_once(") = ")?;
        if result.starts_with('-') {
            return None;
        }
        let words: Vec<&str> = arguments.split(", ").collect();
        let octal = |word: &str| u32::from_str_radix(word, 8).unwrap_or_else(|_| panic!("{line}"));
        Some(match name {
            "open" | "openat" | "openat2" => {
                let (number, path) = described(result)?;
                self.open.insert(number.to_owned(), path.clone());
                Call::Opened {
                    path,
                    how: words[if name == "open" { 1.. } else { 2.. }].join(", "),
                }
            }
            "mkdir" => Call::Made {
                path: self.path("AT_FDCWD", words[0]),
                mode: octal(words[1]),
            },
            "mkdirat" => Call::Made {
                path: self.path(words[0], words[1]),
                mode: octal(words[2]),
            },
            "write" => Call::Filled {
                path: described(words[0])?.1,
                is_secret: is_secret(arguments),
            },
            "rename" | "link" => Call::Named {
                from: self.path("AT_FDCWD", words[0]),
                to: self.path("AT_FDCWD", words[1]),
            },
            "renameat" | "renameat2" | "linkat" => Call::Named {
                from: self.path(words[0], words[1]),
                to: self.path(words[2], words[3]),
            },
            "chmod" => Call::Moded {
                path: self.path("AT_FDCWD", words[0]),
                mode: octal(words[1]),
            },
            "fchmod" => Call::Moded {
                path: described(words[0])?.1,
                mode: octal(words[1]),
            },
            "fchmodat" | "fchmodat2" => Call::Moded {
                path: self.path(words[0], words[1]),
                mode: octal(words[2]),
            },
            _ => panic!("zpki has made no such call so far: {line}"),
        })
    }

    /// Where a name leads: from an open directory on, or to what is open.
    fn path(&self, directory: &str, quoted: &str) -> PathBuf {
        let name = quoted.trim_matches('"');
        if let Some(number) = name.strip_prefix("/proc/self/fd/") {
            return self.open[number].clone();
        }
        match described(directory) {
            Some((_, directory)) => directory.join(name),
            None => self.here.join(name),
        }
    }
}

/// `3</tmp/file>`: the number and the path. Of a file without a name it is one that nothing else has.
fn described(word: &str) -> Option<(&str, PathBuf)> {
    let (number, path) = word.split_once('<')?;
    let path = path.strip_suffix("(deleted)").unwrap_or(path);
    Some((number, path.strip_suffix('>')?.into()))
}

/// Whether there is a passphrase or a private key in it: in PEM, in PEM in base64 wherever that begins, or
/// in PKCS#12.
fn is_secret(written: &str) -> bool {
    let marks = [
        "PRIVATE KEY-----",
        "UFJJVkFURSBLRV",
        "BSSVZBVEUgS0VZ",
        "QUklWQVRFIEtFW",
        PFX,
        OLD,
        NEW,
    ];
    marks.iter().any(|mark| written.contains(mark))
}

/// The content type of what is in a PKCS#12 file behind its version, 3, as strace writes it (RFC 7292 4).
const PFX: &str = r"\2\1\0030\202";

/// Runs zpki and holds all that it does against the rules; how many names got a secret.
#[track_caller]
fn judge(sandbox: &Sandbox, arguments: &[&str], variables: &[(&str, &str)]) -> usize {
    let calls = traced(sandbox, arguments, variables);
    let root = sandbox.path("");
    let secret = secret(&calls, &root);
    for call in &calls {
        let place = format!("{arguments:?}: {call:?}");
        let is_secret = |path: &Path| secret.contains(path);
        match call {
            Call::Opened { path, how } if how.contains("O_CREAT") => {
                assert!(path.starts_with(&root), "{place}");
                // Not through a link, and not in the place of anything, secret or not.
                assert!(
                    how.contains("O_EXCL|") && how.contains("|O_NOFOLLOW"),
                    "{place}"
                );
                assert_eq!(mode_in(how) & widened(is_secret(path)), 0, "{place}");
            }
            // It has no name yet.
            Call::Opened { path, how } if how.contains("O_TMPFILE") => {
                assert_eq!(mode_in(how) & widened(is_secret(path)), 0, "{place}");
            }
            Call::Opened { path, how } if is_secret(path) => {
                assert!(how.starts_with("O_RDONLY"), "{place}");
            }
            Call::Moded { path, mode } => assert_eq!(mode & widened(is_secret(path)), 0, "{place}"),
            Call::Made { path, mode } => {
                let has_secrets = secret.iter().any(|it| it.parent() == Some(path));
                // All else in that one is public.
                let is_closed = has_secrets && !path.ends_with("ca");
                assert_eq!(mode & widened(is_closed), 0, "{place}");
            }
            _ => {}
        }
    }
    for path in secret.iter().filter(|path| path.exists()) {
        let above = path.ancestors().skip(1);
        for directory in above.take_while(|it| it.starts_with(&root)) {
            let mode = fs::metadata(directory).unwrap().permissions().mode();
            assert_eq!(mode & widened(false), 0, "{arguments:?}: {directory:?}");
        }
    }
    secret.len()
}

/// What a new file is opened with.
fn mode_in(how: &str) -> u32 {
    u32::from_str_radix(how.rsplit(", ").next().unwrap(), 8).unwrap()
}

/// The permissions that nobody but the owner may have.
fn widened(is_secret: bool) -> u32 {
    if is_secret { 0o077 } else { 0o022 }
}

/// Every name that a file with a secret in it has at any time.
fn secret(calls: &[Call], root: &Path) -> BTreeSet<PathBuf> {
    let filled = calls.iter().filter_map(|call| match call {
        Call::Filled {
            path,
            is_secret: true,
        } => Some(path.clone()),
        _ => None,
    });
    let mut secret: BTreeSet<PathBuf> = filled.collect();
    let is_state = |path: &Path| path.parent().is_some_and(|it| it.ends_with(".zpki"));
    let may_be = |path: &PathBuf| path.starts_with(root) && !is_state(path);
    assert!(secret.iter().all(may_be), "{secret:?}");
    loop {
        let named = calls.iter().filter_map(|call| match call {
            Call::Named { from, to } if secret.contains(from) => Some(to.clone()),
            _ => None,
        });
        let before = secret.len();
        let named: Vec<PathBuf> = named.collect();
        secret.extend(named);
        if secret.len() == before {
            return secret;
        }
    }
}

/// A PKI directory `demo` whose CA has a passphrase, made under the same umask and judged too.
fn judged_demo() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file("tmp/nothing", "").file("old", OLD);
    sandbox.mode("tmp", 0o700).mode("old", 0o600);
    let init = [
        "init",
        "new/demo",
        "--cluster=demo",
        "--server=server1=127.0.0.1:17010",
        "--server=server2=127.0.0.1:17011",
        "--client-certificate=required",
    ];
    // The CA's, the load-balancer's, and a key for each server.
    assert_eq!(judge(&sandbox, &init, &[PASSPHRASE]), 4);
    sandbox
}

const OLD: &str = "correct horse";
const NEW: &str = "battery staple";
const PASSPHRASE: (&str, &str) = ("ZPKI_CA_PASSPHRASE", OLD);

/// Runs each command line in turn; so many names, each of a stage or of a file, are to have a secret.
#[track_caller]
fn run(sandbox: &Sandbox, lines: &[(usize, &str)]) {
    for (names, line) in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let words = [&["-C", "new/demo"], &words[..]].concat();
        assert_eq!(judge(sandbox, &words, &[PASSPHRASE]), *names, "{line}");
    }
}

#[test]
fn of_the_pki_directory() {
    let sandbox = judged_demo();
    let change = [
        (2, "server add server3=127.0.0.1:17012"),
        (8, "rekey --all --force"),
    ];
    run(&sandbox, &change);
    fs::remove_file(sandbox.path("new/demo/servers/server1/zato-server-priv-key.pem")).unwrap();
    let change = [
        (2, "apply --exec true"),
        (0, "server remove server3"),
        // HAProxy's file has the key beside the new certificate.
        (2, "renew --all --force"),
        (0, "ca renew"),
    ];
    run(&sandbox, &change);
    sandbox.file("new-one", NEW);
    sandbox.mode("new-one", 0o600);
    let change =
        "-C new/demo ca passphrase --ca-passphrase-file old --new-ca-passphrase-file new-one";
    let change: Vec<&str> = change.split(' ').collect();
    assert_eq!(judge(&sandbox, &change, &[]), 2);
}

#[test]
fn of_what_is_for_elsewhere() {
    let sandbox = judged_demo();
    sandbox.file(
        "list.csv",
        "name,role,hosts\none,client,one.example\ntwo,server,two.example\n",
    );
    sandbox.file("p12", "secret\n").mode("p12", 0o600);
    let made = [
        (2, "issue batch --role client"),
        (
            2,
            "issue api --role server --host api.example --out out/a/api",
        ),
        (4, "issue --from list.csv --out issued"),
        (
            2,
            "issue bag --role client --format p12 --p12-passphrase-file p12 --out bag",
        ),
        (2, "issue both --role client --format key-cert --out both"),
        (2, "export server1 --format key-cert --out key-cert.pem"),
        (2, "export server1 --format k8s-secret --out secret.yaml"),
        (
            2,
            "export server1 --format p12 --p12-passphrase-file p12 --out server1.p12",
        ),
        (2, "backup demo.tar"),
    ];
    run(&sandbox, &made);
    assert_eq!(
        judge(&sandbox, &["restore", "demo.tar", "again/demo"], &[]),
        5
    );
}

#[test]
fn of_a_ca_from_elsewhere() {
    let sandbox = judged_demo();
    let other = "init other --cluster other --no-ca-passphrase --server s=127.0.0.1:1";
    sandbox.args(other.split(' ')).run().product();
    let change = [
        (
            4,
            "ca import other/ca/ca.cert.pem other/ca/ca.key.pem --force",
        ),
        (2, "apply"),
    ];
    run(&sandbox, &change);
}

#[test]
fn of_the_real_configuration() {
    let sandbox = judged_demo();
    let configuration = "
        defaults
            timeout connect 1s
            timeout client 1s
            timeout server 1s

        listen apps
            bind 127.0.0.1:11223
            server server1 127.0.0.1:17010 check
            server server2 127.0.0.1:17011 check
";
    sandbox.file("lb/haproxy.cfg", configuration);
    for (name, port) in [("server1", 17010), ("server2", 17011)] {
        let text = format!("[main]\ngunicorn_bind=127.0.0.1:{port}\n\n[crypto]\nuse_tls=False\n");
        sandbox.file(format!("{name}/server.conf"), text);
    }
    let apply = "--yes config apply --install --haproxy lb/haproxy.cfg --backend apps
                 --server-conf server1=server1/server.conf --server-conf server2=server2/server.conf";
    let change = [
        (4, apply),
        (6, "rekey --all --force"),
        // The old key keeps a name too.
        (6, apply),
    ];
    run(&sandbox, &change);
}
