//! `zpki backup` and `zpki restore`: what is restored is what was backed up, and what is damaged or
//! made to do harm leaves nothing behind.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::Value;

use crate::sandbox::{NOW, Outcome, PROGRAM, Sandbox};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Backup {
    schema: u32,
    at: String,
    changed: bool,
    status: String,
    directory: String,
    file: String,
    files: usize,
    octets: u64,
    ca_key: String,
    findings: Vec<Finding>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Finding {
    severity: String,
    id: String,
    about: String,
    why: String,
    next: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Restore {
    schema: u32,
    at: String,
    changed: bool,
    directory: String,
    cluster: Option<String>,
    files: usize,
    findings: Vec<Finding>,
    next_steps: Vec<NextStep>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NextStep {
    what: String,
    commands: Vec<String>,
}

/// A sandbox with a demo and a backup of it.
fn with_backup() -> Sandbox {
    let sandbox = Sandbox::with_demo();
    let run = sandbox
        .args(["-C", "demo", "backup", "demo.tar", "-q"])
        .run();
    run.stdout("");
    sandbox
}

/// Everything below a directory: its path, its mode, what is in it.
fn contents(sandbox: &Sandbox, directory: &str) -> Vec<(PathBuf, u32, Vec<u8>)> {
    let root = sandbox.path(directory);
    let mut found = Vec::new();
    let mut open = vec![root.clone()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let bytes = if metadata.is_dir() {
                open.push(path.clone());
                Vec::new()
            } else {
                fs::read(&path).unwrap()
            };
            let below = path.strip_prefix(&root).unwrap().to_owned();
            found.push((below, metadata.permissions().mode() & 0o7777, bytes));
        }
    }
    assert!(found.len() > 30, "{found:?}");
    found.sort();
    found
}

fn json<T: for<'a> Deserialize<'a>>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn what_is_restored_is_what_was_backed_up() {
    let sandbox = Sandbox::with_demo();
    sandbox.file("demo/.zpki/pending/server1.1", "reload");
    sandbox.mode("demo/.zpki/pending", 0o700);
    sandbox.mode("demo/.zpki/pending/server1.1", 0o600);
    sandbox.mode("demo/.zpki", 0o700);
    sandbox.file("demo/retired/old-0123/zato-server-cert.pem", "old");
    sandbox.mode("demo/retired/old-0123", 0o700);
    let run = sandbox.args(["-C", "demo", "backup", "demo.tar"]).run();
    let size = fs::metadata(sandbox.path("demo.tar")).unwrap().len();
    run.stdout(format!(
        "\
backed up [root]/demo to [root]/demo.tar: 25 files, {size} octets
it holds private keys, the CA's among them and not encrypted: whoever reads it can make certificates
"
    ));
    assert!(sandbox.tree().modes("").contains("0600 demo.tar\n"));
    sandbox.args(["restore", "demo.tar", "new/copy"]).run().stdout(
        "\
restored the PKI of `demo` in [root]/new/copy: 24 files

next:
  1. everything belongs to the user who ran this: give others what was theirs, such as its files to the user that starts HAProxy
       chown -R zato: [root]/new/copy/load-balancer
  2. see that all is well
       zpki -C [root]/new/copy check
",
    )
    .stderr(
        "\
warning: server1: a command was owed when the backup was made, and is not restored: reload
  hint: see what it does; if it is still wanted, run it by hand
",
    );
    let number = "demo/.zpki/generation";
    fs::write(
        sandbox.path(number),
        sandbox.read("new/copy/.zpki/generation"),
    )
    .unwrap();
    // All but the command, which whoever makes a backup does not decide on.
    fs::remove_dir_all(sandbox.path("demo/.zpki/pending")).unwrap();
    assert_eq!(contents(&sandbox, "new/copy"), contents(&sandbox, "demo"));

    // Said of both, the name of the directory apart.
    for command in ["check", "list", "expiry"] {
        let said = |directory: &str| {
            let args = ["-C", directory, command, "--output", "json"];
            let (status, text) = sandbox.args(args).run().answer();
            (status, text.replace(&format!("/{directory}"), "/DIR"))
        };
        assert_eq!(said("new/copy"), said("demo"), "{command}");
    }
}

#[test]
fn any_tar_can_list_and_check_a_backup() {
    let sandbox = with_backup();
    let listed = sandbox.tool("tar", &["-tf", "demo.tar"]);
    let names: Vec<&str> = listed.lines().collect();
    for name in [
        "zpki.toml",
        "ca/",
        "ca/ca.key.pem",
        "ca/issued/server1/",
        "ca/log.jsonl",
        "load-balancer/key-cert.pem",
        "servers/server2/server.conf",
    ] {
        assert!(names.contains(&name), "{name}: {listed}");
    }
    assert_eq!(names.last(), Some(&"SHA256SUMS"));
    assert!(!listed.contains(".zpki/"), "{listed}");
    fs::create_dir(sandbox.path("by-tar")).unwrap();
    sandbox.tool("tar", &["-xpf", "demo.tar", "-C", "by-tar"]);
    let check = "cd by-tar && sha256sum --strict --quiet -c SHA256SUMS && rm SHA256SUMS";
    sandbox.tool("sh", &["-c", check]);
    let mut ours = contents(&sandbox, "demo");
    ours.retain(|(path, ..)| !path.starts_with(".zpki"));
    assert_eq!(contents(&sandbox, "by-tar"), ours);
}

#[test]
fn the_reports_are_json_too() {
    let sandbox = Sandbox::with_demo();
    sandbox.file("demo/README", "ours");
    let backup = ["-C", "demo", "backup", "demo.tar", "--output", "json"];
    let (status, text) = sandbox.args(backup).run().answer();
    let report: Backup = json(&text);
    assert_eq!((status, report.schema, report.changed), (0, 1, true));
    assert_eq!(report.at, "2026-11-23T12:00:00Z");
    assert_eq!((&*report.status, &*report.ca_key), ("ok", "not-encrypted"));
    assert!(report.directory.ends_with("/demo"));
    assert!(report.file.ends_with("/demo.tar"), "{}", report.file);
    assert_eq!(report.files, 23);
    let size = fs::metadata(sandbox.path("demo.tar")).unwrap().len();
    assert_eq!(report.octets, size);
    let [finding] = &report.findings[..] else {
        panic!("{report:?}");
    };
    let Finding {
        severity,
        id,
        about,
        why,
        next,
    } = finding;
    assert_eq!(
        (&**severity, &**id, &**about, next),
        ("ok", "not-zpki-s", "README", &None)
    );
    assert!(why.contains("not in the backup"));

    let restore = ["-C", "copy", "restore", "demo.tar", "--output", "json"];
    let (status, text) = sandbox.args(restore).run().answer();
    let report: Restore = json(&text);
    assert_eq!((status, report.schema, report.changed), (0, 1, true));
    assert_eq!(report.at, "2026-11-23T12:00:00Z");
    assert!(report.directory.ends_with("/copy"));
    assert_eq!(
        (report.cluster.as_deref(), report.files),
        (Some("demo"), 23)
    );
    assert!(report.findings.is_empty());
    let [owners, check] = &report.next_steps[..] else {
        panic!("{report:?}");
    };
    assert!(owners.what.contains("belongs to the user"));
    assert!(owners.commands[0].starts_with("chown -R zato: "));
    assert!(check.what.contains("well"));
    assert!(check.commands[0].ends_with("/copy check"));
}

#[test]
fn a_file_that_exists_is_never_overwritten() {
    let sandbox = with_backup();
    symlink("nowhere", sandbox.path("dangling")).unwrap();
    fs::create_dir(sandbox.path("directory")).unwrap();
    let before = sandbox.tree();
    for (file, status, because) in [
        ("demo.tar", 73, "`[root]/demo.tar` already exists"),
        ("directory", 73, "`[root]/directory` already exists"),
        (
            "dangling",
            73,
            "`[root]/dangling` is a symbolic link to something that does not exist",
        ),
        ("missing/demo.tar", 74, "cannot open `[root]/missing`"),
        (
            "demo/zpki.toml",
            73,
            "`[root]/demo/zpki.toml` already exists",
        ),
    ] {
        let args = ["-C", "demo", "backup", file];
        let run = sandbox.args(args).run().status(status);
        run.stderr_with(because);
        assert_eq!(sandbox.tree(), before, "{file}");
    }
}

#[test]
fn what_is_no_pki_directory_is_not_backed_up() {
    let sandbox = Sandbox::with_demo();
    sandbox.file("empty/README", "");
    for directory in ["empty", "missing"] {
        let args = ["-C", directory, "backup", "x.tar"];
        let run = sandbox.args(args).run().status(66);
        run.stderr_with("because: this is no PKI directory: it has no zpki.toml");
    }
    fs::remove_file(sandbox.path("demo/ca/ca.cert.pem")).unwrap();
    let run = sandbox.args(["-C", "demo", "backup", "x.tar"]).run();
    run.status(65).stderr(
        "\
zpki: error: cannot back up the PKI directory
  at: [root]/demo/ca/ca.cert.pem
  because: nothing is there, and a backup without it could not be restored
  hint: put it there, from the CA's certificate in ca/issued/ca or from a backup
",
    );
    assert!(!sandbox.path("x.tar").exists());
    assert!(!sandbox.path("empty/.zpki").exists());
}

/// Other commands follow a link.
#[test]
fn what_a_backup_needs_is_to_be_a_regular_file() {
    for file in ["zpki.toml", "ca/ca.cert.pem"] {
        let place = format!("demo/{file}");
        for found in ["a directory", "a symbolic link or another special file"] {
            let sandbox = Sandbox::with_demo();
            let moved = sandbox.path("moved");
            fs::rename(sandbox.path(&place), &moved).unwrap();
            match found {
                "a directory" => fs::create_dir(sandbox.path(&place)).unwrap(),
                _ => symlink(moved, sandbox.path(&place)).unwrap(),
            }
            let before = sandbox.tree();
            let run = sandbox.args(["-C", "demo", "backup", "x.tar"]).run();
            run.status(65).stderr_with(&format!(
                "\
zpki: error: cannot back up the PKI directory
  at: [root]/{place}
  because: {found} is there, and a backup without it could not be restored
  hint: put a regular file in its place, such as a copy of what a symbolic link leads to
"
            ));
            assert_eq!(sandbox.tree(), before, "{file}: {found}");
        }
    }
}

#[test]
fn what_is_no_file_is_left_out_and_told() {
    let sandbox = Sandbox::with_demo();
    symlink("nowhere", sandbox.path("demo/ca/link")).unwrap();
    let _socket = UnixListener::bind(sandbox.path("demo/servers/socket")).unwrap();
    sandbox.file("demo/servers/server1/a\\b", "backslash");
    sandbox.file("demo/servers/server1/notes", "mine");
    sandbox.file("demo/ca/.swap", "an editor's");
    sandbox.file("demo/README", "ours");
    let quiet = ["-C", "demo", "backup", "demo.tar", "-q"];
    let why = "it is not in the backup: it is a symbolic link or another special file, not what it leads to";
    let hint = "  hint: put a regular file in its place, or back it up by other means";
    sandbox.args(quiet).run().status(1).stderr(format!(
        "\
warning: ca/link: {why}
{hint}
warning: servers/server1/a\\b: it is not in the backup: no backup can hold a name like this
  hint: rename it
warning: servers/socket: {why}
{hint}
"
    ));
    sandbox
        .args(["restore", "demo.tar", "copy", "-q"])
        .run()
        .stdout("");
    let copy = sandbox.tree().modes("copy");
    assert!(copy.contains("0644 servers/server1/notes\n"), "{copy}");
    for gone in ["README", "link", "socket", "swap", "a\\b"] {
        assert!(!copy.contains(gone), "{gone}: {copy}");
    }
}

/// Without them the restored directory could neither sign nor give HAProxy its CRLs.
#[test]
fn what_zpki_toml_names_in_the_directory_is_in_it() {
    let sandbox = Sandbox::with_demo();
    let text = sandbox.read("demo/zpki.toml");
    let text = text.replacen("[ca]\n", "[ca]\nkey_file = \"vault/deep/ca.key.pem\"\n", 1);
    let text = text.replace(
        "# extra_crls = [\"ca/root.crl.pem\"]",
        "extra_crls = [\"root.crl.pem\", \".hidden/crl\", \"../outside.crl\"]",
    );
    assert!(text.contains("root.crl.pem\", \".hidden"), "{text}");
    fs::write(sandbox.path("demo/zpki.toml"), text).unwrap();
    sandbox.file("demo/vault/deep/notes", "mine");
    sandbox.file("outside.crl", "outside");
    sandbox.file("demo/.hidden/crl", "hidden");
    let key = "demo/vault/deep/ca.key.pem";
    fs::rename(sandbox.path("demo/ca/ca.key.pem"), sandbox.path(key)).unwrap();
    sandbox.mode("demo/vault/deep", 0o700);
    fs::copy(
        sandbox.path("demo/ca/crl.pem"),
        sandbox.path("demo/root.crl.pem"),
    )
    .unwrap();
    let said = sandbox.args(["-C", "demo", "backup", "demo.tar"]).run();
    said.stdout_with("the CA's among them and not encrypted")
        .stderr("note: vault: it is not zpki's, and only what zpki.toml names is in the backup\n");
    let restored = sandbox.args(["restore", "demo.tar", "copy", "-q"]).run();
    restored.stdout("");
    assert_eq!(
        sandbox.tree().modes("copy/vault"),
        "0755 /\n0700 deep/\n0600 deep/ca.key.pem\n"
    );
    assert_eq!(
        sandbox.read("copy/vault/deep/ca.key.pem"),
        sandbox.read(key)
    );
    assert!(sandbox.path("copy/root.crl.pem").exists());
    assert!(!sandbox.path("copy/.hidden").exists());
    let renew = ["-C", "copy", "renew", "server1", "--force"];
    sandbox.args(renew).run().product();
}

/// Whoever makes a backup does not decide what is run where it is restored.
#[test]
fn commands_that_are_owed_are_told_and_not_restored() {
    let sandbox = Sandbox::with_demo();
    let renew = [
        "-C", "demo", "renew", "server1", "--force", "--exec", "exit 7",
    ];
    assert_eq!(sandbox.args(renew).run().status_alone(), 1);
    let backup = ["-C", "demo", "backup", "demo.tar", "-q"];
    sandbox.args(backup).run().stdout("");
    let listed = sandbox.tool("tar", &["-tf", "demo.tar"]);
    assert!(listed.contains("\n.zpki/pending/server1."), "{listed}");
    let told = "warning: server1: a command was owed when the backup was made, and is not restored: exit 7\n  \
                hint: see what it does; if it is still wanted, run it by hand\n";
    let restored = sandbox.args(["restore", "demo.tar", "copy", "-q"]).run();
    restored.stderr(told);
    assert!(!sandbox.path("copy/.zpki/pending").exists());
    let renew = ["-C", "copy", "renew", "server1", "--force"];
    let renewed = sandbox.args(renew).run().product();
    assert!(!renewed.contains("ran for"), "{renewed}");
    for command in ["apply", "plan", "check"] {
        let (_, [stdout, stderr]) = sandbox.args(["-C", "copy", command]).run().all();
        let said = stdout + &stderr;
        assert!(!said.contains("command"), "{said}");
    }
    let json = ["restore", "demo.tar", "other", "--output", "json"];
    let (_, text) = sandbox.args(json).run().answer();
    let report: Restore = self::json(&text);
    assert_eq!(report.findings[0].id, "hook-not-restored");
}

#[test]
fn how_the_ca_s_key_is_in_it_is_said() {
    let sandbox = Sandbox::new();
    sandbox.file("passphrase", "correct horse");
    sandbox.mode("passphrase", 0o600);
    let init = [
        "init",
        "demo",
        "--cluster=demo",
        "--server=server1=127.0.0.1:17010",
        "--ca-passphrase-file=passphrase",
        "-q",
    ];
    sandbox.args(init).run().stdout("");
    let said = |file: &str| {
        let (status, text) = sandbox.args(["-C", "demo", "backup", file]).run().answer();
        assert_eq!(status, 0);
        text.lines().nth(1).unwrap().to_owned()
    };
    assert_eq!(
        said("1.tar"),
        "it holds private keys: keep it as safe as the directory itself (the CA's key in it is encrypted)"
    );
    // One that was copied elsewhere and is still here.
    let settings = sandbox.read("demo/zpki.toml");
    let elsewhere = settings.replace("# key_file =", "key_file =");
    assert_ne!(elsewhere, settings);
    fs::write(sandbox.path("demo/zpki.toml"), elsewhere).unwrap();
    let key = sandbox.path("demo/ca/ca.key.pem");
    let encrypted = fs::read(&key).unwrap();
    let open = sandbox.read("demo/load-balancer/key-cert.pem");
    fs::write(&key, open).unwrap();
    assert_eq!(
        said("0.tar"),
        "it holds private keys, the CA's among them and not encrypted: whoever reads it can make certificates"
    );
    fs::write(&key, encrypted).unwrap();
    assert!(said("5.tar").ends_with("(the CA's key in it is encrypted)"));
    fs::remove_file(key).unwrap();
    let absent =
        "it holds private keys, but not the CA's, which is kept elsewhere: back that up too";
    assert_eq!(said("2.tar"), absent);
    // A zpki.toml with mistakes is backed up, and restored, as it is.
    fs::write(sandbox.path("demo/zpki.toml"), "[oops").unwrap();
    assert_eq!(said("3.tar"), absent);
    let (_, text) = sandbox.args(["restore", "3.tar", "copy"]).run().answer();
    assert!(
        text.starts_with("restored a PKI whose zpki.toml is wrong in "),
        "{text}"
    );
    assert_eq!(sandbox.read("copy/zpki.toml"), "[oops");
}

#[test]
fn standard_output_has_the_backup_and_nothing_else() {
    let sandbox = with_backup();
    let output = sandbox
        .args(["-C", "demo", "backup", "-"])
        .command()
        .stdout(Stdio::piped())
        .output()
        .unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("/demo to standard output: 23 files, "),
        "{said}"
    );
    sandbox.file("piped.tar", &output.stdout);
    let restored = sandbox.args(["restore", "-", "copy", "-q"]);
    restored.stdin(&output.stdout).run().stdout("");
    let number = sandbox.read("copy/.zpki/generation");
    fs::write(sandbox.path("demo/.zpki/generation"), number).unwrap();
    assert_eq!(contents(&sandbox, "copy"), contents(&sandbox, "demo"));

    let before = sandbox.tree();
    let args = ["-C", "demo", "backup", "-", "--output", "json"];
    sandbox.args(args).run().status(64).stderr(
        "\
zpki: error: cannot back up the PKI directory
  because: standard output has the backup, and can have no report as JSON too
  hint: name a file, or leave out --output
",
    );
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn what_was_not_written_is_not_said_to_be_backed_up() {
    let sandbox = Sandbox::with_demo();
    let before = sandbox.tree();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut backup = sandbox.args(["-C", "demo", "backup", "-"]).command();
    let output = backup.stdout(full).stderr(Stdio::piped()).output().unwrap();
    let status = output.status.code().unwrap();
    Outcome::new(&sandbox, status, &output.stdout, &output.stderr)
        .status(74)
        .stderr(
            "\
zpki: error: cannot back up the PKI directory
  at: standard output
  because: no space left on device
  hint: make room where it is written to, or write it elsewhere
",
        );
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn a_reader_that_goes_away_has_no_backup() {
    let sandbox = Sandbox::with_demo();
    // Longer than a pipe.
    sandbox.file("demo/ca/large", vec![b'x'; 1 << 20]);
    let demo = sandbox.path("demo");
    let script = format!(
        "'{PROGRAM}' -C '{}' backup - | head -c 10 >/dev/null; echo ${{PIPESTATUS[0]}}",
        demo.display()
    );
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "74\n");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("because: the reader went away"), "{said}");
    assert!(!said.contains("backed up"), "{said}");
}

#[test]
fn only_an_empty_place_is_restored_to() {
    let sandbox = with_backup();
    sandbox.file("full/.hidden", "");
    sandbox.file("file", "");
    symlink("nowhere", sandbox.path("dangling")).unwrap();
    let before = sandbox.tree();
    for (place, because) in [
        ("demo", "already exists"),
        ("full", "`[root]/full/.hidden` already exists"),
        ("file", "`[root]/file` already exists"),
        (
            "dangling",
            "is a symbolic link to something that does not exist",
        ),
    ] {
        let run = sandbox.args(["restore", "demo.tar", place]).run();
        run.status(73).stderr_with(because);
        assert_eq!(sandbox.tree(), before, "{place}");
    }
    let run = sandbox.args(["-C", "a", "restore", "demo.tar", "b"]).run();
    run.status(64)
        .stderr_with("because: the directory is given twice: b, -C a");
    assert_eq!(sandbox.tree(), before);

    fs::create_dir(sandbox.path("empty")).unwrap();
    sandbox.mode("empty", 0o750);
    sandbox
        .args(["restore", "demo.tar", "empty", "-q"])
        .run()
        .stdout("");
    let number = sandbox.read("empty/.zpki/generation");
    fs::write(sandbox.path("demo/.zpki/generation"), number).unwrap();
    assert_eq!(contents(&sandbox, "empty"), contents(&sandbox, "demo"));
    let tree = sandbox.tree();
    assert!(tree.modes("").contains("0750 empty/\n"));

    let again = sandbox.args(["restore", "demo.tar", "empty"]).run();
    again.status(73).stderr_with("already exists");
    assert_eq!(sandbox.tree(), tree);
}

#[test]
fn a_damaged_backup_leaves_nothing_behind() {
    let sandbox = with_backup();
    let whole = fs::read(sandbox.path("demo.tar")).unwrap();
    let key = whole
        .windows(14)
        .position(|it| it == b"ca/ca.key.pem\0")
        .unwrap();
    let mut damaged = whole.clone();
    damaged[key + 600] ^= 1;
    sandbox.file("damaged.tar", damaged);
    sandbox.file("cut-off.tar", &whole[..whole.len() / 2]);
    sandbox.file("cut-between.tar", &whole[..key]);
    sandbox.file("empty.tar", "");
    sandbox.file("text.tar", "not a backup".repeat(100));
    sandbox.file("zeros.tar", [0; 10_240]);
    fs::create_dir(sandbox.path("directory.tar")).unwrap();
    let before = sandbox.tree();
    let no = "because: it is no backup: not a POSIX tar archive, or damaged";
    for (file, status, because) in [
        (
            "damaged.tar",
            65,
            "because: `ca/ca.key.pem` is not what was backed up: its SHA-256 differs",
        ),
        ("cut-off.tar", 65, "because: it is cut off"),
        ("cut-between.tar", 65, "because: it is cut off"),
        ("empty.tar", 65, no),
        ("text.tar", 65, no),
        ("zeros.tar", 65, "because: it is cut off"),
        ("directory.tar", 66, "because: is a directory"),
        ("missing.tar", 66, "because: no such file or directory"),
    ] {
        let run = sandbox.args(["restore", file, "new/copy"]).run();
        run.status(status).stderr_with(because);
        assert_eq!(sandbox.tree(), before, "{file}");
    }
}

/// Made by a real tar, so that it is not our own idea of an attack.
#[test]
fn what_a_stranger_s_tar_holds_is_not_unpacked() {
    let sandbox = with_backup();
    fs::create_dir(sandbox.path("evil")).unwrap();
    symlink("/etc", sandbox.path("evil/ca")).unwrap();
    sandbox.file("evil/zpki.toml", "x");
    fs::hard_link(sandbox.path("evil/zpki.toml"), sandbox.path("evil/servers")).unwrap();
    for (archive, more) in [
        ("link.tar", &["ca"][..]),
        ("hard.tar", &["zpki.toml", "servers"]),
        ("out.tar", &["--transform=s,^,../../,", "zpki.toml"]),
        (
            "absolute.tar",
            &["-P", "--transform=s,^,/tmp/evil/,", "zpki.toml"],
        ),
        ("pax.tar", &["--format=pax", "zpki.toml"]),
        ("gnu.tar", &["--format=gnu", "zpki.toml"]),
    ] {
        let make = ["-C", "evil", "--format=ustar", "-cf", archive];
        sandbox.tool("tar", &[&make, more].concat());
    }
    let before = sandbox.tree();
    for archive in ["link", "hard", "out", "absolute", "pax", "gnu"] {
        let file = format!("{archive}.tar");
        let run = sandbox.args(["restore", &file, "copy"]).run();
        run.status(65)
            .stderr_with("hint: copy it again, or take another file that `zpki backup` made");
        assert_eq!(sandbox.tree(), before, "{archive}");
    }
}

/// A restored PKI goes on where the old one stood: the next change finds what it expects.
#[test]
fn numbers_and_serials_of_the_restored_pki_are_those_of_the_old_one() {
    let sandbox = with_backup();
    sandbox
        .args(["restore", "demo.tar", "copy", "-q"])
        .run()
        .stdout("");
    let crl = |directory: &str| {
        let file = format!("{directory}/ca/crl.pem");
        let args = ["crl", "-in", &file, "-noout", "-crlnumber", "-lastupdate"];
        sandbox.tool("openssl", &args)
    };
    assert_eq!(crl("copy"), crl("demo"));
    let serials = |directory: &str| -> Vec<Value> {
        let args = ["-C", directory, "list", "--output", "json"];
        let (_, text) = sandbox.args(args).run().answer();
        let report: Value = json(&text);
        let entries = report["entries"].as_array().unwrap().iter();
        entries
            .map(|entry| entry["certificate"]["serialNumber"].clone())
            .collect()
    };
    assert_eq!(serials("copy").len(), 4);
    assert_eq!(serials("copy"), serials("demo"));
    let verify = [
        "verify",
        "-crl_check",
        "-CAfile",
        "copy/ca/ca-file.pem",
        "-CRLfile",
        "copy/ca/crl.pem",
        "copy/servers/server1/zato-server-cert.pem",
    ];
    assert!(sandbox.tool("openssl", &verify).ends_with(": OK\n"));

    // It issues and revokes on from there, and what it says is judged by others.
    let old = serials("copy");
    for command in [
        "rekey server1 --force -q",
        "revoke server1 --superseded -q",
        "issue app --role client -q",
    ] {
        let args = [&["-C", "copy"], &command.split(' ').collect::<Vec<_>>()[..]].concat();
        let run = sandbox.args(args).now(NOW + time::Duration::DAY);
        assert_eq!(run.run().status_alone(), 0, "{command}");
    }
    let new = serials("copy");
    assert_eq!(new.iter().filter(|serial| old.contains(serial)).count(), 3);
    let number = |directory: &str| {
        let text = crl(directory);
        let number = text.split(['=', '\n']).nth(1).unwrap().to_owned();
        i64::from_str_radix(number.trim_start_matches("0x"), 16).unwrap()
    };
    assert!(number("copy") > number("demo"));
    let check = ["-C", "copy", "check", "--output=json"];
    let check = sandbox.args(check).now(NOW + time::Duration::DAY);
    let (status, text) = check.run().answer();
    assert_eq!(status, 0, "{text}");
    assert!(sandbox.tool("openssl", &verify).ends_with(": OK\n"));
}

#[test]
fn a_backup_waits_for_the_run_that_writes() {
    let sandbox = Sandbox::with_demo();
    let lock = sandbox.path("demo/.zpki/lock");
    let holder = Command::new("flock")
        .arg(&lock)
        .args(["sh", "-c", "echo held; exec cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut holder = holder;
    let mut held = [0; 5];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut held).unwrap();
    let args = ["-C", "demo", "backup", "demo.tar", "--lock-timeout", "0s"];
    let run = sandbox.args(args).run();
    run.status(75).stderr_with("is held by another run");
    assert!(!sandbox.path("demo.tar").exists());
    drop(holder.stdin.take());
    holder.wait().unwrap();
    let args = ["-C", "demo", "backup", "demo.tar", "-q"];
    sandbox.args(args).run().stdout("");
}
