//! Links, pipes, sockets and devices where zpki reads and writes: whatever they lead to stays as it is, and
//! nobody waits. The golden files have, for each, the exit status and what is said of it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::e2e::process::{find, run, tool};
use crate::sandbox::{PROGRAM, Sandbox, golden, without_serials};

/// Puts something at the second path, for which the directory of the victim is the first.
type Put = fn(&Path, &Path);

/// How often somebody tries to be faster.
const ATTEMPTS: usize = 20;

/// What stands in the way, and how it got there. A link to `/dev/zero` is a device without end.
const OBSTACLES: [(&str, Put); 7] = [
    ("link to a file", |victim, path| {
        symlink(victim.join("file"), path).unwrap()
    }),
    ("link to a directory", |victim, path| {
        symlink(victim, path).unwrap()
    }),
    ("dangling link", |victim, path| {
        symlink(victim.join("nothing"), path).unwrap()
    }),
    ("hard link", |victim, path| {
        fs::hard_link(victim.join("file"), path).unwrap()
    }),
    ("pipe", |_, path| _ = run(tool("mkfifo").arg(path))),
    ("socket", |_, path| _ = UnixListener::bind(path).unwrap()),
    ("device", |_, path| symlink("/dev/zero", path).unwrap()),
];

/// Where a command line meets each obstacle, in a directory that `make` has made.
fn told(make: impl Fn(&Sandbox), cases: &[(&str, &str)]) -> String {
    let mut text = String::new();
    let origin = Sandbox::in_memory();
    make(&origin);
    for (line, path) in cases {
        text += &format!("{path}: zpki {line}\n");
        for (kind, put) in OBSTACLES {
            let sandbox = Sandbox::in_memory();
            run(tool("cp")
                .arg("-a")
                .arg(origin.path("."))
                .arg(sandbox.path("")));
            let victim = sandbox.path("victim");
            fs::create_dir(&victim).unwrap();
            fs::write(victim.join("file"), "somebody else's\n").unwrap();
            sandbox.mode("victim/file", 0o640).mode("victim", 0o750);
            let before = sandbox.tree().modes("victim/file");
            let place = sandbox.path(path);
            if place.symlink_metadata().is_ok() {
                run(tool("rm").arg("-r").arg(&place));
            }
            put(&victim, &place);
            let (status, said) = ended(&sandbox, line);
            let case = format!("{kind} at {path}: {line}: {said}");
            assert!(STATUSES.contains(&status), "{status}: {case}");
            assert_eq!(sandbox.read("victim/file"), "somebody else's\n", "{case}");
            assert_eq!(sandbox.tree().modes("victim/file"), before, "{case}");
            let is_followed = fs::read_dir(&victim).unwrap().count() > 1;
            let followed = if is_followed { ", followed" } else { "" };
            text += &format!("  {kind}: {status}{followed} {}\n", reason(&said));
        }
    }
    text
}

/// Done; done, but for the command that should follow; refused for what was found, what is missing or in
/// the way, what fails, whose it is.
const STATUSES: [i32; 10] = [0, 1, 2, 3, 65, 66, 73, 74, 77, 78];

/// The exit status, and what was said. Whoever waits for a pipe is killed.
fn ended(sandbox: &Sandbox, line: &str) -> (i32, String) {
    let output = Command::new(find("timeout"))
        .args(["--signal=KILL", "20", PROGRAM])
        .args(line.split(' '))
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap())
        .env("TMPDIR", sandbox.path(""))
        .current_dir(sandbox.path(""))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let root = sandbox.path("").display().to_string();
    let said = without_serials(&said.replace(root.trim_end_matches('/'), "[root]"));
    (output.status.code().unwrap_or(-1), said)
}

/// The first reason of a refusal, and where it is.
fn reason(said: &str) -> String {
    let lines = said.lines().map(str::trim);
    let is_reason = |line: &&str| ["at: ", "because: "].iter().any(|it| line.starts_with(it));
    let reasons: Vec<&str> = lines.filter(is_reason).take(2).collect();
    reasons.join(", ")
}

fn demo(sandbox: &Sandbox) {
    let init = [
        "init",
        "demo",
        "--cluster=demo",
        "--server=server1=127.0.0.1:17010",
        "--server=server2=127.0.0.1:17011",
        "--client-certificate=required",
        "--no-ca-passphrase",
    ];
    sandbox.args(init).run_program().product();
}

#[test]
fn in_the_pki_directory() {
    let rekey = "-C demo rekey server1 load-balancer --force";
    let cases = [
        (rekey, "demo"),
        (rekey, "demo/zpki.toml"),
        (rekey, "demo/.zpki"),
        (rekey, "demo/.zpki/lock"),
        (rekey, "demo/.zpki/generation"),
        (rekey, "demo/.zpki/generation.begin"),
        (rekey, "demo/.zpki/intent"),
        (rekey, "demo/.zpki/journal"),
        (
            "-C demo rekey server1 --force --exec true",
            "demo/.zpki/pending",
        ),
        (rekey, "demo/ca"),
        (rekey, "demo/ca/ca.key.pem"),
        (rekey, "demo/ca/log.jsonl"),
        (rekey, "demo/ca/.log.jsonl.zpki-0"),
        (rekey, "demo/ca/issued"),
        (rekey, "demo/ca/issued/server1"),
        (rekey, "demo/load-balancer"),
        (rekey, "demo/load-balancer/key-cert.pem"),
        (rekey, "demo/load-balancer/.key-cert.pem.zpki-0"),
        (rekey, "demo/servers"),
        (rekey, "demo/servers/server1"),
        (rekey, "demo/servers/server1/zato-server-priv-key.pem"),
        (
            rekey,
            "demo/servers/server1/.zato-server-priv-key.pem.zpki-0",
        ),
        ("-C demo ca renew", "demo/ca/ca.cert.pem"),
        ("-C demo ca renew", "demo/ca/ca-file.pem"),
        (
            "-C demo ca renew",
            "demo/servers/server1/zato-server-ca-certs.pem",
        ),
        ("-C demo crl", "demo/ca/crl.pem"),
        ("-C demo apply", "demo/load-balancer/haproxy.cfg"),
        (
            "-C demo server add server3=127.0.0.1:17012",
            "demo/zpki.toml",
        ),
        (
            "-C demo server add server3=127.0.0.1:17012",
            "demo/servers/server3",
        ),
        ("-C demo server remove server2", "demo/retired"),
        ("-C demo issue batch --role client", "demo/clients"),
    ];
    golden("misuse/in_the_pki_directory", &told(demo, &cases));
}

#[test]
fn where_something_is_handed_out() {
    let make = |sandbox: &Sandbox| {
        demo(sandbox);
        sandbox
            .args(["-C", "demo", "backup", "demo.tar"])
            .run_program()
            .product();
        sandbox.file(
            "haproxy.cfg",
            "listen apps\n    server server1 127.0.0.1:17010 check\n",
        );
        fs::create_dir(sandbox.path("out")).unwrap();
        let server_conf = "[main]\ngunicorn_bind=127.0.0.1:17010\n\n[crypto]\nuse_tls=False\n";
        sandbox.file("server1/server.conf", server_conf);
    };
    let config = "-C demo --yes config apply --haproxy haproxy.cfg --backend apps --validate true";
    let install = "-C demo --yes config apply --install --server-conf server1=server1/server.conf";
    let cases = [
        (
            "init new --cluster x --server s=127.0.0.1:1 --no-ca-passphrase",
            "new",
        ),
        ("restore demo.tar new", "new"),
        ("-C demo backup new.tar", "new.tar"),
        (
            "-C demo export server1 --format key-cert --out key.pem",
            "key.pem",
        ),
        (
            "-C demo issue api --role server --host a.example --out out",
            "out",
        ),
        (
            "-C demo issue api --role server --host a.example --out out",
            "out/api.key.pem",
        ),
        (
            "-C demo issue api --role server --host a.example --out out --force",
            "out/api.key.pem",
        ),
        ("-C demo expiry --textfile out/zpki.prom", "out/zpki.prom"),
        (config, "haproxy.cfg"),
        (config, ".zpki-exchange"),
        (config, ".zpki-exchange-new"),
        (config, ".haproxy.cfg.zpki-new"),
        (install, "server1/server.conf"),
        (install, "server1/zato-server-priv-key.pem"),
        (install, "server1/.zato-server-priv-key.pem.zpki-new"),
    ];
    golden("misuse/where_something_is_handed_out", &told(make, &cases));
}

/// Somebody who may write in a host folder puts a link there as fast as they can, under the name of a stage
/// or under that of its file.
#[test]
fn swapped_in_while_zpki_writes() {
    for name in [".key-cert.pem.zpki-0", "key-cert.pem"] {
        let sandbox = Sandbox::in_memory();
        demo(&sandbox);
        sandbox
            .file("victim", "somebody else's\n")
            .mode("victim", 0o640);
        let folder = sandbox.path("demo/load-balancer");
        let swaps = attacked(&folder.join(name), &sandbox.path("victim"), || {
            // What the last attempt has led astray, into a link, would stop this one.
            drop(fs::remove_file(folder.join("key-cert.pem")));
            let (status, said) = ended(&sandbox, "-C demo rekey load-balancer --force");
            assert!(STATUSES.contains(&status), "{status}: {said}");
        });
        assert!(swaps > 100 * ATTEMPTS, "{swaps}");
        assert_eq!(sandbox.read("victim"), "somebody else's\n", "{name}");
        let mode = fs::metadata(sandbox.path("victim")).unwrap();
        assert_eq!(mode.permissions().mode() & 0o7777, 0o640, "{name}");
    }
}

/// Does `work` again and again while a link to `victim` comes and goes at `path`; how often it did.
fn attacked(path: &Path, victim: &Path, work: impl Fn()) -> usize {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let attacker = scope.spawn(|| {
            let mut swaps = 0;
            while !done.load(Ordering::Relaxed) {
                // Neither need succeed: zpki is at work there, too.
                swaps += usize::from(symlink(victim, path).is_ok());
                drop(fs::remove_file(path));
            }
            swaps
        });
        for _ in 0..ATTEMPTS {
            work();
        }
        done.store(true, Ordering::Relaxed);
        attacker.join().unwrap()
    })
}
