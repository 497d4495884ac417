//! zpki stopped before each system call that changes the disk, killed or with an error of the disk's: nothing
//! is lost, nothing is half done, and the same command goes on from there.
//!
//! strace stops the real program. The harness finds the calls by counting them, so a call that a later
//! version makes is stopped at too. It counts in each thread of its own.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::e2e::process::{find, run, tool};
use crate::sandbox::PROGRAM;

/// What changes the disk; what reads it, and what a file is opened with, does not.
const CHANGING: &str = "fchmod,fchmodat,fchown,fchownat,fdatasync,fsetxattr,fsync,ftruncate,linkat,\
                        mkdirat,pwrite64,renameat,renameat2,setxattr,symlinkat,syncfs,unlinkat,write";

/// How a call is stopped.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Killed,
    Fails(&'static str),
}

const FAULTS: [Fault; 3] = [Fault::Killed, Fault::Fails("EIO"), Fault::Fails("ENOSPC")];

/// What is stopped: a command, in a directory that is as it was before each stop.
struct Scenario {
    directory: TempDir,
    command: Vec<String>,
}

impl Scenario {
    /// After `before`, each a command line in the PKI directory `demo`.
    fn new(before: &[&str], command: &str) -> Self {
        let scenario = Self {
            directory: tempfile::tempdir_in(memory()).unwrap(),
            command: words(command),
        };
        for command in before {
            let status = scenario.zpki(&words(command)).status().unwrap();
            assert!(status.success(), "{command}");
        }
        scenario.keep();
        scenario
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.directory.path().join(relative)
    }

    /// Keeps what there is now, to go back to.
    fn keep(&self) {
        let (kept, work) = (self.path("kept"), self.path("work"));
        let _ = fs::remove_dir_all(&kept);
        fs::create_dir_all(&work).unwrap();
        run(tool("cp").arg("-a").arg(&work).arg(&kept));
    }

    fn go_back(&self) {
        let (kept, work) = (self.path("kept"), self.path("work"));
        fs::remove_dir_all(&work).unwrap();
        run(tool("cp").arg("-a").arg(&kept).arg(&work));
    }

    /// A command line, in `work`. Its paths are the same in each round.
    fn zpki(&self, arguments: &[String]) -> Command {
        self.quiet(Command::new(PROGRAM), arguments)
    }

    fn quiet(&self, mut command: Command, arguments: &[String]) -> Command {
        fs::create_dir_all(self.path("work")).unwrap();
        command
            .args(arguments)
            .current_dir(self.path("work"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    fn strace(&self, arguments: &[&str]) -> Command {
        let mut strace = Command::new(find("strace"));
        strace.args(["-f", "-qq"]).args(arguments).arg(PROGRAM);
        self.quiet(strace, &self.command)
    }

    /// How many calls there are to stop at.
    fn calls(&self) -> usize {
        let log = self.path("trace");
        let trace = format!("trace={CHANGING}");
        let arguments = ["-o", log.to_str().unwrap(), "-e", &trace];
        let status = self.strace(&arguments).status().unwrap();
        assert!(status.success(), "{:?}: {status}", self.command);
        let calls = fs::read_to_string(log).unwrap().lines().count();
        assert!(calls > 10, "{:?}: {calls}", self.command);
        calls
    }

    fn stop(&self, fault: Fault, call: usize) -> ExitStatus {
        let inject = match fault {
            Fault::Killed => format!("inject={CHANGING}:signal=KILL:when={call}"),
            Fault::Fails(error) => format!("inject={CHANGING}:error={error}:when={call}"),
        };
        let trace = format!("trace={CHANGING}");
        let arguments = ["-o", "/dev/null", "-e", &trace, "-e", &inject];
        self.strace(&arguments).status().unwrap()
    }

    /// What `check` says of the PKI directory; None where there is none.
    fn findings(&self) -> Option<BTreeSet<String>> {
        if !self.path("work/demo/zpki.toml").exists() {
            return None;
        }
        let check = ["-C", "demo", "check", "--output=json"].map(str::to_owned);
        let output = self.zpki(&check).stdout(Stdio::piped()).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap();
        let shown = |finding: &Value| format!("{} {}", finding["severity"], finding["id"]);
        Some(findings.iter().map(shown).collect())
    }

    /// Stops the command at each call in each way; how often it was stopped.
    fn stop_everywhere(&self, judge: impl Fn(&Self, &str)) -> usize {
        let before = self.findings();
        let calls = self.calls();
        let after = self.findings();
        self.go_back();
        let mut stops = 0;
        for fault in FAULTS {
            for call in 1..=calls {
                let status = self.stop(fault, call);
                let place = format!("{:?}, {fault:?} at {call}: {status}", self.command);
                match fault {
                    Fault::Killed if status.signal() != Some(9) => {
                        // No thread makes so many calls.
                        assert!(status.success(), "{place}");
                    }
                    _ => stops += 1,
                }
                let found = self.findings();
                assert!(found == before || found == after, "{place}: {found:?}");
                judge(self, &place);
                // It does what is left to do, or says that it is done.
                let again = self.zpki(&self.command).status().unwrap();
                let is_there = [Some(0), Some(73)].contains(&again.code());
                assert!(is_there, "{place}, and then {again}");
                assert_eq!(self.findings(), after, "{place}, and then");
                self.nothing_is_left(&place);
                self.every_serial_is_one();
                self.go_back();
            }
        }
        stops
    }

    /// No stage, no journal.
    fn nothing_is_left(&self, place: &str) {
        let mut left = Vec::new();
        visit(&self.path("work"), &mut |path| {
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            let is_state = path.components().any(|it| it.as_os_str() == ".zpki");
            let is_known = ["lock", "generation", ".zpki", "pending"].contains(&name);
            if (is_state && !is_known) || (!is_state && name.starts_with('.')) {
                left.push(path.to_owned());
            }
        });
        assert!(left.is_empty(), "{place}: {left:?}");
    }

    /// Each certificate of the inventory has a serial number of its own.
    fn every_serial_is_one(&self) {
        let mut serials = BTreeSet::new();
        visit(&self.path("work/demo/ca/issued"), &mut |path| {
            if path.extension().is_some_and(|it| it == "pem") {
                let serial = path.file_name().unwrap().to_owned();
                assert!(serials.insert(serial), "{}", path.display());
            }
        });
        assert!(!serials.is_empty());
    }
}

/// A file system in memory, where there is one: there are thousands of runs.
fn memory() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    }
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

fn visit(directory: &Path, seen: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        seen(&path);
        if path.is_dir() {
            visit(&path, seen);
        }
    }
}

const INIT: &str = "init demo --cluster demo --server server1=127.0.0.1:17010 \
                    --client-certificate required --no-ca-passphrase";

fn stopped(before: &[&str], command: &str) {
    let stops = Scenario::new(before, command).stop_everywhere(|_, _| ());
    assert!(stops > 30, "{stops}");
}

#[test]
fn init() {
    stopped(&[], INIT);
}

#[test]
fn apply() {
    let add = "-C demo server add server2=127.0.0.1:17011";
    stopped(&[INIT], add);
    stopped(&[INIT, add], "-C demo server remove server2");
}

#[test]
fn renew_and_rekey() {
    stopped(&[INIT], "-C demo renew --all --force");
    stopped(&[INIT], "-C demo rekey --all --force");
}

#[test]
fn issue() {
    stopped(&[INIT], "-C demo issue app --role client");
    stopped(
        &[INIT],
        "-C demo issue other --role server --host other.lan --out out",
    );
}

#[test]
fn revoke() {
    let issue = "-C demo issue app --role client";
    stopped(&[INIT, issue], "-C demo revoke app --force");
    stopped(&[INIT], "-C demo crl");
}

#[test]
fn the_ca() {
    stopped(&[INIT], "-C demo ca renew --force");
}

/// Each of the real files is the old one or the new one, and all that belong together are, once the next run
/// has begun.
#[test]
fn config_apply() {
    let scenario = Scenario::new(&[INIT], "");
    let file = |name: &str| scenario.path("work").join(name);
    fs::write(file("haproxy.cfg"), HAPROXY).unwrap();
    fs::create_dir(file("repo")).unwrap();
    fs::write(file("repo/server.conf"), SERVER_CONF).unwrap();
    scenario.keep();
    let command = "-C demo --yes config apply --install --haproxy haproxy.cfg --backend apps \
                   --server-conf server1=repo/server.conf --validate true";
    let scenario = Scenario {
        command: words(command),
        ..scenario
    };
    let names = ["haproxy.cfg", "repo/server.conf"];
    let texts = |scenario: &Scenario| {
        names.map(|name| fs::read_to_string(scenario.path("work").join(name)).unwrap())
    };
    let old = texts(&scenario);
    assert!(scenario.zpki(&scenario.command).status().unwrap().success());
    let new = texts(&scenario);
    assert!(old[0] != new[0] && old[1] != new[1]);
    scenario.go_back();
    let stops = scenario.stop_everywhere(|scenario, place| {
        let found = texts(scenario);
        for index in 0..names.len() {
            let is_whole = [&old[index], &new[index]].contains(&&found[index]);
            assert!(is_whole, "{place}: {}", names[index]);
        }
        // The next run takes back what was begun before it is told that nobody has confirmed.
        let unconfirmed = scenario.command.iter().filter(|it| *it != "--yes");
        let unconfirmed: Vec<String> = unconfirmed.cloned().collect();
        scenario.zpki(&unconfirmed).status().unwrap();
        let found = texts(scenario);
        assert!(found == old || found == new, "{place}: {found:?}");
        let key = scenario.path("work/repo/zato-server-priv-key.pem");
        assert_eq!(key.exists(), found == new, "{place}");
    });
    assert!(stops > 100, "{stops}");
}

const HAPROXY: &str = "backend apps\n    server server1 127.0.0.1:17010 check\n";

const SERVER_CONF: &str = "[main]\ngunicorn_bind=127.0.0.1:17010\n\n[crypto]\nuse_tls=False\n";

#[test]
fn the_passphrase_of_the_ca() {
    let scenario = Scenario::new(&[INIT], "");
    fs::write(scenario.path("work/new"), "secret\n").unwrap();
    scenario.keep();
    let command =
        words("-C demo ca passphrase --ca-passphrase-file new --new-ca-passphrase-file new");
    let scenario = Scenario {
        command,
        ..scenario
    };
    let key = |scenario: &Scenario| fs::read_to_string(scenario.path("work/demo/ca/ca.key.pem"));
    let stops = scenario.stop_everywhere(|scenario, place| {
        let key = key(scenario).unwrap();
        let is_whole = key.starts_with("-----BEGIN ") && key.ends_with("PRIVATE KEY-----\n");
        assert!(is_whole, "{place}");
    });
    assert!(stops > 30, "{stops}");
}
