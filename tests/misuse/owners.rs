//! Whose commands are run, and whose runs are finished: root works in PKI directories of others, and whoever
//! owns one puts there what he likes.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::geteuid;

use crate::e2e::process::find;
use crate::sandbox::{Outcome, PROGRAM, Sandbox};

const NOBODY: u32 = 65_534;
const OWED: &str = "demo/.zpki/pending/server1.1795737465-46c42c5d";
/// Every command that could run what is owed.
const WRITING: [&str; 7] = [
    "apply",
    "renew server1 --force",
    "rekey load-balancer --force",
    "ca renew --force",
    "crl",
    "revoke server2 --force --reason superseded",
    "server add server3=127.0.0.1:17012",
];

fn zpki<'a>(sandbox: &'a Sandbox, line: &str) -> Outcome<'a> {
    let words = ["-C", "demo"].into_iter().chain(line.split_whitespace());
    sandbox.args(words).run()
}

/// The real program, as nobody: its exit status, and what it says.
fn as_nobody(sandbox: &Sandbox, line: &str) -> (i32, String) {
    let ids = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    let mut command = Command::new("setpriv");
    command.args(ids).arg(PROGRAM).args(["-C", "demo"]);
    command.args(line.split_whitespace()).env_clear();
    let output = command.current_dir(sandbox.path("")).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    (output.status.code().unwrap(), said)
}

/// A PKI directory that root has given to nobody, which takes root.
fn of_nobody() -> Sandbox {
    assert!(geteuid().is_root(), "only root can be another user too");
    let sandbox = Sandbox::with_demo();
    sandbox.mode("", 0o755);
    fs::create_dir_all(sandbox.path(OWED).parent().unwrap()).unwrap();
    sandbox.mode("demo/.zpki/pending", 0o700);
    sandbox.tool("chown", &["-R", "65534:65534", "demo"]);
    sandbox
}

fn without_place(sandbox: &Sandbox, said: &str) -> String {
    said.replace(
        &format!("{}/", sandbox.path("demo").parent().unwrap().display()),
        "",
    )
}

/// What puts a file beside zpki.toml when it is run.
const EVIL: &str = "touch $ZPKI_DIR/ran";

fn put(sandbox: &Sandbox, command: &str, mode: u32) {
    sandbox.file(OWED, command).mode(OWED, mode);
    sandbox.mode("demo/.zpki/pending", 0o700);
    sandbox.mode("demo/.zpki", 0o700);
}

fn has_run(sandbox: &Sandbox) -> bool {
    sandbox.path("demo/ran").exists()
}

#[test]
fn root_runs_no_command_that_another_user_wrote() {
    let sandbox = of_nobody();
    put(&sandbox, EVIL, 0o500);
    chown(sandbox.path(OWED), Some(NOBODY), Some(NOBODY)).unwrap();
    let told = "warning: server1: a command that is owed is not run by this user: user 65534 has written it\n  \
                hint: `zpki apply` runs it when user 65534 starts it; if it is not wanted, remove \
                .zpki/pending/server1.1795737465-46c42c5d\n";
    for line in WRITING {
        let (status, [_, stderr]) = zpki(&sandbox, line).all();
        assert_eq!(status, 0, "{line}: {stderr}");
        assert!(stderr.contains(told), "{line}: {stderr}");
        assert!(!has_run(&sandbox), "{line}");
        assert_eq!(sandbox.read(OWED), EVIL, "{line}");
    }
    let (status, [_, stderr]) = zpki(&sandbox, "plan").all();
    assert_eq!((status, stderr.contains(told)), (0, true), "{stderr}");
    for line in ["check", "expiry"] {
        let (_, [stdout, stderr]) = zpki(&sandbox, line).all();
        let said = stdout + &stderr;
        assert!(said.contains("user 65534 has written it"), "{said}");
    }
    // It is nobody's own, and nobody runs it.
    let (status, said) = as_nobody(&sandbox, "apply");
    assert_eq!(status, 0, "{said}");
    assert!(
        said.contains(&format!("ran for server1: {EVIL}\n")),
        "{said}"
    );
    assert!(has_run(&sandbox) && !sandbox.path(OWED).exists());
}

#[test]
fn what_root_owes_waits_for_root_in_a_directory_of_another_user() {
    let sandbox = of_nobody();
    let hook = "cd $ZPKI_DIR/.. && test -e works && touch ran";
    let renew = ["renew", "server1", "--force", "--exec", hook];
    let renew = ["-C", "demo"].into_iter().chain(renew);
    let renew = sandbox.args(renew).command().output().unwrap();
    assert_eq!(renew.status.code(), Some(1));
    let pending = || fs::read_dir(sandbox.path("demo/.zpki/pending")).unwrap();
    let file = pending().next().unwrap().unwrap().path();
    let found = file.metadata().unwrap();
    assert_eq!((found.uid(), found.mode() & 0o7777), (0, 0o500));
    let certificate = "demo/servers/server1/zato-server-cert.pem";
    assert_eq!(sandbox.path(certificate).metadata().unwrap().uid(), NOBODY);
    // Who owns the directory works on in it, and is told.
    let name = file.file_name().unwrap().to_str().unwrap();
    for (line, expected) in [
        ("plan", 0),
        ("apply", 0),
        ("renew server2 --force --exec true", 0),
        ("check", 1),
        ("expiry", 1),
        ("server remove server1", 0),
        ("apply", 0),
    ] {
        let (status, said) = as_nobody(&sandbox, line);
        assert_eq!(status, expected, "{line}: {said}");
        assert!(said.contains("user 0 has written it"), "{line}: {said}");
        assert_eq!(pending().count(), 1, "{line}");
        assert_eq!(fs::read_to_string(&file).unwrap(), hook, "{line}");
    }
    sandbox.mode("", 0o777);
    let (status, said) = as_nobody(&sandbox, "backup demo.tar");
    assert_eq!(status, 1, "{said}");
    let left_out = format!(
        "warning: .zpki/pending/{name}: it is not in the backup: it cannot be read\n  \
         hint: remove it, or let the user whose command it is run `zpki apply`\n"
    );
    assert!(said.contains(&left_out), "{said}");
    // Without an entry it has no folder to work on.
    sandbox.file("works", "");
    let apply = sandbox.args(["-C", "demo", "apply"]).run_program();
    apply.stdout("unchanged\n").stderr(format!(
        "warning: server1: a command is owed, and is not run: zpki.toml has no such entry any more\n  \
         hint: remove .zpki/pending/{name}\n"
    ));
    assert!(!sandbox.path("ran").exists());
    let (status, said) = as_nobody(&sandbox, "server add server1=127.0.0.1:17010");
    assert_eq!(status, 0, "{said}");
    let apply = ["-C", "demo", "apply"];
    sandbox
        .args(apply)
        .run_program()
        .stdout(format!("unchanged\nran for server1: {hook}\n"));
    assert!(sandbox.path("ran").exists());
    assert_eq!(pending().count(), 0);
}

#[test]
fn what_another_user_owes_for_an_entry_goes_with_it() {
    let sandbox = of_nobody();
    put(&sandbox, EVIL, 0o500);
    chown(sandbox.path(OWED), Some(NOBODY), Some(NOBODY)).unwrap();
    zpki(&sandbox, "server remove server1").product();
    assert!(!sandbox.path(OWED).exists() && !has_run(&sandbox));
}

/// Applies, and holds that what is there instead of a command is not run, and stays.
fn is_not_run(sandbox: &Sandbox, because: &str) {
    let before = sandbox.tree();
    let told = format!(
        "warning: server1: a command that is owed is not run by this user: {because}\n  \
         hint: remove .zpki/pending/server1.1795737465-46c42c5d; if the command is wanted, run it by hand\n"
    );
    zpki(sandbox, "apply").stdout("unchanged\n").stderr(&told);
    zpki(sandbox, "plan").stdout("nothing to do\n").stderr(told);
    let (_, check) = zpki(sandbox, "check").answer();
    assert!(check.contains(because), "{check}");
    assert!(!has_run(sandbox), "{because}");
    assert_eq!(sandbox.tree().changes_since(&before, ""), [""; 0]);
}

/// A file of this user's that somebody else renames or links to where commands are owed.
#[test]
fn no_other_file_is_a_command() {
    let sandbox = Sandbox::with_demo();
    let place = sandbox.path(OWED);
    for mode in [0o400, 0o600, 0o644, 0o700, 0o522, 0o4500] {
        put(&sandbox, EVIL, mode);
        is_not_run(&sandbox, &format!("its mode is {mode:04o}, and not 0500"));
        fs::remove_file(&place).unwrap();
    }
    sandbox.file("elsewhere/server1.1795737465-46c42c5d", EVIL);
    sandbox.mode("elsewhere/server1.1795737465-46c42c5d", 0o500);
    let script = sandbox.path("elsewhere/server1.1795737465-46c42c5d");
    fs::hard_link(&script, &place).unwrap();
    is_not_run(&sandbox, "it is a hard link");
    fs::remove_file(&place).unwrap();
    symlink(&script, &place).unwrap();
    is_not_run(&sandbox, "it is not a regular file");
    fs::remove_file(&place).unwrap();
    mkfifoat(CWD, &place, Mode::from_raw_mode(0o500)).unwrap();
    is_not_run(&sandbox, "it is not a regular file");
    fs::remove_file(&place).unwrap();
    fs::create_dir(&place).unwrap();
    is_not_run(&sandbox, "it is not a regular file");
    for (folder, to) in [("demo/.zpki/pending", "elsewhere"), ("demo/.zpki", "moved")] {
        let folder = sandbox.path(folder);
        let is_state = folder.ends_with(".zpki");
        if is_state {
            fs::remove_file(folder.join("pending")).unwrap();
            fs::rename(&folder, sandbox.path(to)).unwrap();
            fs::rename(sandbox.path("elsewhere"), sandbox.path("moved/pending")).unwrap();
        } else {
            fs::remove_dir_all(&folder).unwrap();
        }
        symlink(sandbox.path(to), &folder).unwrap();
        is_not_run(&sandbox, "a directory on its path is a link");
    }
    // One that is given now is told of as one that failed.
    let renew = ["renew", "server1", "--force", "--quiet", "--exec", EVIL];
    let renew = ["-C", "demo"].into_iter().chain(renew);
    let told = format!(
        "its new files are in place, and the command that should follow failed (it was not run: a \
         directory on its path is a link): {EVIL}\n"
    );
    sandbox.args(renew).run().status(1).stderr_with(&told);
    assert!(!has_run(&sandbox));
}

/// Root would do what a journal says, wherever a link in the PKI directory leads.
#[test]
fn root_finishes_no_run_of_another_user() {
    let sandbox = of_nobody();
    sandbox.file("victim", "root's\n").mode("victim", 0o600);
    sandbox.tool("ln", &["-s", "..", "demo/out"]);
    let step = r#"{"change":"set-mode","path":"out/victim","before":384,"mode":438}"#;
    let journal = format!(r#"{{"schema":1,"directories":[],"steps":[{step}]}}"#);
    for name in ["journal", "intent"] {
        let path = format!("demo/.zpki/{name}");
        sandbox.file(&path, &journal).mode(&path, 0o600);
        sandbox.mode("demo/.zpki", 0o700);
        sandbox.tool("chown", &["-h", "65534:65534", &path]);
        let before = sandbox.tree();
        for line in ["apply", "renew server1 --force", "crl"] {
            let words = ["-C", "demo"].into_iter().chain(line.split(' '));
            let run = sandbox.args(words).run();
            assert_eq!(run.status_alone(), 77, "{line}");
            assert_eq!(sandbox.tree(), before, "{name}: {line}");
        }
        fs::remove_file(sandbox.path(&path)).unwrap();
    }
}

/// What root has begun in his directory the owner can see, and finish.
#[test]
fn the_owner_finishes_a_run_of_root() {
    let sandbox = of_nobody();
    let inject = "inject=renameat:signal=KILL:when=2";
    let words = ["-f", "-qq", "-o", "/dev/null", "-e", inject];
    let mut killed = Command::new(find("strace"));
    killed.args(words).arg(PROGRAM);
    killed.args(["-C", "demo", "renew", "server1", "--force"]);
    let status = killed
        .current_dir(sandbox.path(""))
        .output()
        .unwrap()
        .status;
    assert_eq!(status.signal(), Some(9));
    assert!(sandbox.path("demo/.zpki/journal").exists());
    for line in ["check", "plan --exit-code", "apply", "check"] {
        let (status, said) = as_nobody(&sandbox, line);
        assert_eq!(status, 0, "{line}: {said}");
    }
    assert!(!sandbox.path("demo/.zpki/journal").exists());
    let issued = fs::read_dir(sandbox.path("demo/ca/issued/server1")).unwrap();
    assert_eq!(issued.count(), 2);
}

/// A permission that is missing only after the commit would stop every later writer.
#[test]
fn what_this_user_may_not_change_is_told_before_anything_changes() {
    let cases: [(&[&str], &str, &str); 4] = [
        (
            &[
                "chmod 666 demo/ca/ca-file.pem",
                "chown 0:0 demo/ca/ca-file.pem",
            ],
            "apply",
            "cannot set the mode of `demo/ca/ca-file.pem`\n  because: it belongs to user 0\n",
        ),
        (
            &[
                "chown 0:65534 demo/servers/server2",
                "chmod 750 demo/servers/server2",
            ],
            "server remove server2",
            "cannot move `demo/servers/server2`\n  because: this user may not write to that directory\n",
        ),
        (
            &[
                "chown 0:0 demo/ca",
                "chmod 1777 demo/ca",
                "chown 0:0 demo/ca/crl.pem",
            ],
            "crl",
            "cannot replace or move `demo/ca/crl.pem`\n  because: it belongs to user 0, in a directory \
             with the sticky bit\n",
        ),
        (
            &["chown 0:0 demo/servers", "chmod 755 demo/servers"],
            "server remove server2",
            "cannot change what is in `demo/servers`\n  because: this user may not write to that \
             directory\n",
        ),
    ];
    for (preparations, line, told) in cases {
        let sandbox = of_nobody();
        for preparation in preparations {
            let words: Vec<_> = preparation.split(' ').collect();
            sandbox.tool(words[0], &words[1..]);
        }
        let before = sandbox.tree();
        let (status, said) = as_nobody(&sandbox, line);
        let said = without_place(&sandbox, &said);
        assert_eq!(status, 77, "{line}: {said}");
        assert!(said.contains(told), "{line}: {said}");
        assert!(
            said.contains("run as root, or as the user whom the file and its directory belong to"),
            "{line}: {said}"
        );
        assert_eq!(sandbox.tree(), before, "{line}");
        // Root may, and nothing stands in the way of it.
        zpki(&sandbox, line).status_alone();
        assert_ne!(sandbox.tree(), before, "{line}");
    }
}

#[test]
fn what_not_even_root_may_change_is_told_before_anything_changes() {
    for (attribute, path, line) in [
        (
            "+i",
            "demo/servers/server2/zato-server-cert.pem",
            "renew server2 --force",
        ),
        (
            "+a",
            "demo/servers/server2/zato-server-cert.pem",
            "renew server2 --force",
        ),
        ("+a", "demo/servers/server2", "renew server2 --force"),
        ("+i", "demo/servers/server2", "server remove server2"),
        ("+a", "demo/servers", "server remove server2"),
        ("+i", "demo/.zpki/generation", "renew server2 --force"),
    ] {
        let sandbox = Sandbox::with_demo();
        zpki(&sandbox, "renew server1 --force").status_alone();
        let before = sandbox.tree();
        sandbox.tool("chattr", &[attribute, path]);
        let (status, [_, said]) = zpki(&sandbox, line).all();
        let said = without_place(&sandbox, &said);
        let found = sandbox.tree();
        sandbox.tool("chattr", &["-i", "-a", path]);
        assert_eq!(status, 77, "{path}: {said}");
        let told = format!(
            "`{path}` is immutable or append-only, so that it cannot be changed\n  hint: take the \
             attribute away with `chattr -i -a {path}`"
        );
        assert!(said.contains(&told), "{said}");
        assert_eq!(found, before, "{path}");
        assert_eq!(zpki(&sandbox, line).status_alone(), 0);
    }
}
