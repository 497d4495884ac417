//! zpki stopped before each system call that changes the disk, killed or with an error of the disk's: nothing
//! is lost, nothing is half done, and the same command goes on from there.
//!
//! strace stops the real program. The harness finds the calls by recording them, so a call that a later
//! version makes is stopped at too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;

use tempfile::NamedTempFile;

use super::{
    ADD_SERVER, HAPROXY_CFG, INIT, ISSUE, ISSUE_OUT, REMOVE_SERVER, SERVER_CONF, Scenario, words,
};

/// What changes the disk.
const CHANGING: &str = "chmod,fchmod,fchmodat,fchown,fchownat,fdatasync,fsetxattr,fsync,ftruncate,linkat,mkdir,\
                        mkdirat,pwrite64,renameat,renameat2,setxattr,symlinkat,syncfs,unlink,unlinkat,write";
/// So does this one where it makes the file.
const OPENING: &str = "openat";

/// How a call is stopped.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    Killed,
    Fails(&'static str),
}

const FAULTS: [Fault; 3] = [Fault::Killed, Fault::Fails("EIO"), Fault::Fails("ENOSPC")];

impl Scenario {
    /// The calls that the command makes, each as the first, second and so on of its name. strace counts those of
    /// each name apart, and in each thread of its own.
    fn calls(&self) -> BTreeSet<(String, usize)> {
        let log = NamedTempFile::new().unwrap();
        let trace = format!("trace={OPENING},{CHANGING}");
        let arguments = ["-o", log.path().to_str().unwrap(), "-e", &trace];
        let status = self.strace(&arguments).status().unwrap();
        assert!(status.success(), "{:?}: {status}", self.command);
        let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
        let mut calls = BTreeSet::new();
        for line in fs::read_to_string(log.path()).unwrap().lines() {
            let (thread, line) = line.split_once(' ').unwrap();
            // The other lines are the second half of a call, a signal, or an end.
            let Some((name, arguments)) = line.trim_start().split_once('(') else {
                continue;
            };
            let makes = ["O_CREAT", "O_TMPFILE"]
                .iter()
                .any(|it| arguments.contains(it));
            let is_change = CHANGING.split(',').any(|it| it == name);
            if is_change || name == OPENING {
                let count = counts.entry((name.into(), thread.into())).or_default();
                *count += 1;
                if is_change || makes {
                    calls.insert((name.to_owned(), *count));
                }
            }
        }
        calls
    }

    /// Stops the command at the `at`th call of this name; None when no thread comes to it.
    pub(super) fn stop(&self, fault: Fault, call: &str, at: usize) -> Option<ExitStatus> {
        let inject = match fault {
            Fault::Killed => format!("inject={call}:signal=KILL:when={at}"),
            Fault::Fails(error) => format!("inject={call}:error={error}:when={at}"),
        };
        let log = NamedTempFile::new().unwrap();
        let trace = format!("trace={call}");
        let path = log.path().to_str().unwrap();
        let arguments = ["-o", path, "-e", &trace, "-e", &inject];
        let status = self.strace(&arguments).status().unwrap();
        let is_stopped = match fault {
            Fault::Killed => status.signal() == Some(9),
            Fault::Fails(_) => fs::read_to_string(path).unwrap().contains("(INJECTED)"),
        };
        is_stopped.then_some(status)
    }

    /// Stops the command at each call in each way, and that `at_least` so often. All that is asked for here is
    /// more than a thousand stops.
    fn stop_everywhere(&self, at_least: usize, judge: impl Fn(&Self, &str)) {
        self.go_back();
        let before = self.findings();
        let calls = self.calls();
        let after = self.findings();
        self.go_back();
        let mut stops = 0;
        for fault in FAULTS {
            for (call, at) in &calls {
                let status = self.stop(fault, call, *at);
                stops += usize::from(status.is_some());
                let place = format!("{:?}, {fault:?} at {call} {at}: {status:?}", self.command);
                let found = self.findings();
                assert!(found == before || found == after, "{place}: {found:?}");
                judge(self, &place);
                // It does what is left to do, or says that it is done.
                let again = self.zpki(&self.command).status().unwrap();
                let is_there = [Some(0), Some(73)].contains(&again.code());
                assert!(is_there, "{place}, and then {again}");
                assert_eq!(self.findings(), after, "{place}, and then");
                assert_eq!(self.left(), [""; 0].map(PathBuf::from), "{place}");
                self.serials();
                self.go_back();
            }
        }
        assert!(stops >= at_least, "{stops} of {calls:?}");
    }
}

fn stopped(before: &[&str], command: &str, at_least: usize) {
    Scenario::new(before, command).stop_everywhere(at_least, |_, _| ());
}

#[test]
fn init() {
    stopped(&[], INIT, 100);
}

#[test]
fn apply() {
    stopped(&[INIT], ADD_SERVER, 100);
    stopped(&[INIT, ADD_SERVER], REMOVE_SERVER, 60);
}

#[test]
fn renew_and_rekey() {
    stopped(&[INIT], "-C demo renew --all --force", 70);
    stopped(&[INIT], "-C demo rekey --all --force", 80);
}

#[test]
fn issue() {
    stopped(&[INIT], ISSUE, 65);
    stopped(&[INIT], ISSUE_OUT, 65);
}

#[test]
fn revoke() {
    stopped(&[INIT, ISSUE], "-C demo revoke app --force", 50);
    stopped(&[INIT], "-C demo crl", 50);
}

#[test]
fn the_ca() {
    stopped(&[INIT], "-C demo ca renew --force", 70);
}

#[test]
fn ca_import() {
    let other = "init other --cluster other --server server1=127.0.0.1:17010 --no-ca-passphrase";
    let command = "-C demo ca import other/ca/ca.cert.pem other/ca/ca.key.pem --no-ca-passphrase \
                   --force";
    stopped(&[INIT, other], command, 60);
}

/// The new directory is whole, or not there.
#[test]
fn restore() {
    let before = [INIT, "-C demo backup demo.tar"];
    Scenario::new(&before, "restore demo.tar copy").stop_everywhere(60, |scenario, place| {
        if scenario.path("copy").exists() {
            let check = words("-C copy check");
            assert!(scenario.zpki(&check).status().unwrap().success(), "{place}");
        }
    });
}

/// What holds private keys, for a place of the user's where nothing comes back to tidy up: a file that is whole,
/// or none, and at no time another.
#[test]
fn what_is_for_elsewhere() {
    let cases = [
        ("demo.tar", "-C demo backup demo.tar", 190),
        (
            "key-cert.pem",
            "-C demo export server1 --format key-cert --out key-cert.pem",
            15,
        ),
    ];
    for (name, command, at_least) in cases {
        let scenario = Scenario::new(&[INIT], command);
        assert!(scenario.zpki(&scenario.command).status().unwrap().success());
        let size = fs::metadata(scenario.path(name)).unwrap().len();
        scenario.stop_everywhere(at_least, |scenario, place| {
            assert_eq!(scenario.left(), [""; 0].map(PathBuf::from), "{place}");
            if let Ok(found) = fs::metadata(scenario.path(name)) {
                assert_eq!(found.len(), size, "{place}");
            }
        });
    }
}

/// Each of the real files is the old one or the new one, and all that belong together are, once the next run
/// has begun.
#[test]
fn config_apply() {
    let scenario = Scenario::config_apply();
    let names = [HAPROXY_CFG, SERVER_CONF];
    let texts = |scenario: &Scenario| names.map(|name| scenario.sandbox.read(name));
    let old = texts(&scenario);
    assert!(scenario.zpki(&scenario.command).status().unwrap().success());
    let new = texts(&scenario);
    assert!(old[0] != new[0] && old[1] != new[1]);
    scenario.stop_everywhere(140, |scenario, place| {
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
        let key = scenario.path("repo/zato-server-priv-key.pem");
        assert_eq!(key.exists(), found == new, "{place}");
    });
    // Copies of haproxy.cfg that HAProxy was to check, where nobody else can enter.
    let left = scenario.temporary.tree().modes("");
    assert!(left.contains("/haproxy.cfg\n"), "{left}");
    for line in left.lines() {
        let is_directory = line.starts_with("0700 zpki-") && line.ends_with('/');
        let is_copy = line.starts_with("0600 zpki-") && line.ends_with("/haproxy.cfg");
        assert!(is_directory || is_copy, "{left}");
    }
}

#[test]
fn the_passphrase_of_the_ca() {
    Scenario::ca_passphrase().stop_everywhere(50, |scenario, place| {
        assert_whole(&scenario.sandbox.read("demo/ca/ca.key.pem"), place);
    });
}

/// Beside it there is no other, which might have no passphrase, but from when the new one is given a name to
/// when it takes the place of the old one.
#[test]
fn the_passphrase_of_the_ca_elsewhere() {
    Scenario::ca_passphrase_elsewhere().stop_everywhere(50, |scenario, place| {
        assert_whole(&scenario.sandbox.read("vault/key.pem"), place);
        let is_alone = fs::read_dir(scenario.path("vault")).unwrap().count() == 1;
        assert!(is_alone || place.contains("Killed at renameat"), "{place}");
    });
}

fn assert_whole(key: &str, place: &str) {
    let is_whole = key.starts_with("-----BEGIN ") && key.ends_with("PRIVATE KEY-----\n");
    assert!(is_whole, "{place}");
}
