//! zpki stopped before each system call that changes the disk, killed or with an error of the disk's: nothing
//! is lost, nothing is half done, and the same command goes on from there.
//!
//! strace stops the real program. The harness finds the calls by counting them, so a call that a later
//! version makes is stopped at too. It counts in each thread of its own.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;

use tempfile::NamedTempFile;

use super::{
    ADD_SERVER, HAPROXY_CFG, INIT, ISSUE, ISSUE_OUT, REMOVE_SERVER, SERVER_CONF, Scenario,
};

/// What changes the disk; what reads it, and what a file is opened with, does not.
const CHANGING: &str = "fchmod,fchmodat,fchown,fchownat,fdatasync,fsetxattr,fsync,ftruncate,linkat,\
                        mkdirat,pwrite64,renameat,renameat2,setxattr,symlinkat,syncfs,unlinkat,write";

/// How a call is stopped.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    Killed,
    Fails(&'static str),
}

const FAULTS: [Fault; 3] = [Fault::Killed, Fault::Fails("EIO"), Fault::Fails("ENOSPC")];

impl Scenario {
    /// How many calls there are to stop at.
    fn calls(&self) -> usize {
        let log = NamedTempFile::new().unwrap();
        let trace = format!("trace={CHANGING}");
        let arguments = ["-o", log.path().to_str().unwrap(), "-e", &trace];
        let status = self.strace(&arguments).status().unwrap();
        assert!(status.success(), "{:?}: {status}", self.command);
        let calls = fs::read_to_string(log.path()).unwrap().lines().count();
        assert!(calls > 10, "{:?}: {calls}", self.command);
        calls
    }

    /// Stops the command at a call, one of `calls` and of those the `at`th.
    pub(super) fn stop(&self, fault: Fault, calls: &str, at: usize) -> ExitStatus {
        let inject = match fault {
            Fault::Killed => format!("inject={calls}:signal=KILL:when={at}"),
            Fault::Fails(error) => format!("inject={calls}:error={error}:when={at}"),
        };
        let trace = format!("trace={calls}");
        let arguments = ["-o", "/dev/null", "-e", &trace, "-e", &inject];
        self.strace(&arguments).status().unwrap()
    }

    /// Stops the command at each call in each way; how often it was stopped.
    fn stop_everywhere(&self, judge: impl Fn(&Self, &str)) -> usize {
        self.go_back();
        let before = self.findings();
        let calls = self.calls();
        let after = self.findings();
        self.go_back();
        let mut stops = 0;
        for fault in FAULTS {
            for call in 1..=calls {
                let status = self.stop(fault, CHANGING, call);
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
                assert_eq!(self.left(), [""; 0].map(PathBuf::from), "{place}");
                self.serials();
                self.go_back();
            }
        }
        stops
    }
}

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
    stopped(&[INIT], ADD_SERVER);
    stopped(&[INIT, ADD_SERVER], REMOVE_SERVER);
}

#[test]
fn renew_and_rekey() {
    stopped(&[INIT], "-C demo renew --all --force");
    stopped(&[INIT], "-C demo rekey --all --force");
}

#[test]
fn issue() {
    stopped(&[INIT], ISSUE);
    stopped(&[INIT], ISSUE_OUT);
}

#[test]
fn revoke() {
    stopped(&[INIT, ISSUE], "-C demo revoke app --force");
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
    let scenario = Scenario::config_apply();
    let names = [HAPROXY_CFG, SERVER_CONF];
    let texts = |scenario: &Scenario| names.map(|name| scenario.sandbox.read(name));
    let old = texts(&scenario);
    assert!(scenario.zpki(&scenario.command).status().unwrap().success());
    let new = texts(&scenario);
    assert!(old[0] != new[0] && old[1] != new[1]);
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
        let key = scenario.path("repo/zato-server-priv-key.pem");
        assert_eq!(key.exists(), found == new, "{place}");
    });
    assert!(stops > 100, "{stops}");
}

#[test]
fn the_passphrase_of_the_ca() {
    let scenario = Scenario::ca_passphrase();
    let stops = scenario.stop_everywhere(|scenario, place| {
        let key = scenario.sandbox.read("demo/ca/ca.key.pem");
        let is_whole = key.starts_with("-----BEGIN ") && key.ends_with("PRIVATE KEY-----\n");
        assert!(is_whole, "{place}");
    });
    assert!(stops > 30, "{stops}");
}
