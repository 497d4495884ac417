//! Sixteen runs of zpki at once in one PKI directory, two thousand altogether: they issue, renew, revoke,
//! edit zpki.toml and read, each hand by its own choices and many of them the same names.
//!
//! Each run must do what it would do alone, and say so; a reader must see nothing that any one state does
//! not have. What is there in the end is judged by OpenSSL, against what the runs said.
//!
//! `SIDE_BY_SIDE_SEED` says which choices.

mod hand;
mod judge;

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::process::Output;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use self::hand::{Hand, Reported};
use crate::e2e::process::wait_for;
use crate::sandbox::Sandbox;

/// How many processes there are at once.
const HANDS: usize = 16;
/// How many each of them is, one after the other.
const RUNS: usize = 125;

/// The PKI directory `demo` that all work in.
struct Site {
    sandbox: Sandbox,
    /// Serial numbers that somebody may revoke.
    revocable: Mutex<Vec<String>>,
    /// Those that were there before.
    first: BTreeSet<String>,
    /// How many lines the log had before.
    lines: usize,
}

const INIT: &str = "init demo --cluster demo --server server1=127.0.0.1:17010 \
                    --server server2=127.0.0.1:17011 --server server3=127.0.0.1:17012 \
                    --server server4=127.0.0.1:17013 --no-ca-passphrase";

impl Site {
    fn new() -> Self {
        let sandbox = Sandbox::in_memory();
        sandbox.args(INIT.split(' ')).run_program().product();
        let settings = sandbox.read("demo/zpki.toml");
        let enabled = settings.replace("# enabled = false", "enabled = true");
        sandbox.file("demo/zpki.toml", enabled);
        sandbox
            .args(["-C", "demo", "apply"])
            .run_program()
            .product();
        let mut site = Self {
            lines: sandbox.read("demo/ca/log.jsonl").lines().count(),
            sandbox,
            revocable: Mutex::default(),
            first: BTreeSet::new(),
        };
        site.first = site.inventory().into_keys().collect();
        site
    }

    /// A command line, beside others.
    fn zpki(&self, line: &str) -> Output {
        let words = ["-C", "demo"].into_iter().chain(line.split(' '));
        self.sandbox.args(words).command().output().unwrap()
    }
}

#[test]
fn two_thousand_runs() {
    let site = Site::new();
    let seed = env::var("SIDE_BY_SIDE_SEED").map_or(1, |seed| seed.parse().unwrap());
    let reported: Vec<Reported> = thread::scope(|scope| {
        let site = &site;
        let hands = (0..HANDS).map(|number| {
            let hand = Hand::new(site, number, seed * HANDS as u64 + number as u64);
            scope.spawn(move || hand.work(RUNS))
        });
        let hands: Vec<_> = hands.collect();
        hands.into_iter().map(|hand| hand.join().unwrap()).collect()
    });
    site.judge(&reported);
}

/// Each verb that writes.
const WRITERS: [&str; 9] = [
    "apply",
    "ca renew --force",
    "crl",
    "issue app --role client",
    "rekey server1 --force",
    "renew server1 --force",
    "revoke server1 --force",
    "server add server5=127.0.0.1:17014",
    "server remove server2",
];

const READERS: [&str; 7] = [
    "check",
    "expiry",
    "export server1 --format key-cert",
    "list",
    "log",
    "plan --exit-code",
    "show server1",
];

#[test]
fn who_does_not_get_the_lock_in_time_has_written_nothing() {
    let site = Site::new();
    let before = site.sandbox.tree();
    let lock = File::open(site.sandbox.path("demo/.zpki/lock")).unwrap();
    lock.lock().unwrap();
    for reader in READERS {
        let output = site.zpki(reader);
        assert_eq!(output.status.code(), Some(0), "{reader}");
    }
    let refused = |line: &str, waited: &str| {
        let output = site.zpki(&format!("{line} --lock-timeout {waited}"));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(75), "{line}: {said}");
        let because = format!("is held by another run (waited {})", spaced(waited));
        assert!(said.contains(&because), "{line}: {said}");
        assert_eq!(output.stdout, b"", "{line}");
    };
    for line in WRITERS {
        refused(line, "0s");
    }
    let began = Instant::now();
    thread::scope(|scope| {
        for line in WRITERS {
            scope.spawn(move || refused(line, "1s"));
        }
    });
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert!(site.sandbox.tree() == before);
}

/// `1s` as zpki says it.
fn spaced(seconds: &str) -> String {
    seconds.replace('s', " s")
}

/// And what it writes is as of then: by an older instant it would look older than what others wrote while it
/// waited, and `check` would call it superseded.
#[test]
fn who_waits_gets_the_lock() {
    let site = Site::new();
    let mut unlocked = OffsetDateTime::UNIX_EPOCH;
    thread::scope(|scope| {
        // In here, so that a test that fails does not wait for those who wait for it.
        let lock = File::open(site.sandbox.path("demo/.zpki/lock")).unwrap();
        lock.lock().unwrap();
        let waiting: Vec<_> = (0..HANDS)
            .map(|number| {
                let line = format!("issue app{number} --role client --lock-timeout 5m");
                let site = &site;
                scope.spawn(move || site.zpki(&line).status.code())
            })
            .collect();
        wait_for(
            || (blocked(&lock) == HANDS).then_some(()),
            || format!("{HANDS} runs at the lock; there are {}", blocked(&lock)),
        );
        // So that it is another second than that in which the last of them began.
        thread::sleep(Duration::from_secs(1));
        assert_eq!(site.inventory().len(), site.first.len());
        unlocked = OffsetDateTime::now_utc();
        lock.unlock().unwrap();
        for waiting in waiting {
            assert_eq!(waiting.join().unwrap(), Some(0));
        }
    });
    assert_eq!(site.inventory().len(), site.first.len() + HANDS);
    for line in site
        .sandbox
        .read("demo/ca/log.jsonl")
        .lines()
        .skip(site.lines)
    {
        let line: Value = serde_json::from_str(line).unwrap();
        let at = OffsetDateTime::parse(line["at"].as_str().unwrap(), &Rfc3339).unwrap();
        assert!(at.unix_timestamp() >= unlocked.unix_timestamp(), "{line}");
    }
}

/// These have much to do before they are to write, and it is their turn that counts all the same.
#[test]
fn what_is_logged_is_as_of_the_turn_of_who_waits() {
    let site = Site::new();
    let init = "init other --cluster other --server s=127.0.0.1:1 --no-ca-passphrase";
    site.sandbox.args(init.split(' ')).run_program().product();
    site.sandbox.file("new", "secret\n");
    let lines = [
        "ca import other/ca/ca.cert.pem other/ca/ca.key.pem --force --no-ca-passphrase",
        "ca passphrase --new-ca-passphrase-file new",
    ];
    for line in lines {
        let unlocked = thread::scope(|scope| {
            let lock = File::open(site.sandbox.path("demo/.zpki/lock")).unwrap();
            lock.lock().unwrap();
            let waiting = scope.spawn(|| site.zpki(&format!("{line} --lock-timeout 5m")));
            wait_for(
                || (blocked(&lock) == 1).then_some(()),
                || format!("`{line}` at the lock"),
            );
            // So that it is another second than that in which it began.
            thread::sleep(Duration::from_secs(1));
            let unlocked = OffsetDateTime::now_utc().unix_timestamp();
            lock.unlock().unwrap();
            let output = waiting.join().unwrap();
            assert!(output.status.success(), "{line}: {output:?}");
            unlocked
        });
        let log = site.sandbox.read("demo/ca/log.jsonl");
        let last: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
        let at = OffsetDateTime::parse(last["at"].as_str().unwrap(), &Rfc3339).unwrap();
        assert!(at.unix_timestamp() >= unlocked, "{line}: {last}");
    }
}

/// How many wait for the lock on this file, by proc_locks(5): each has a line with an arrow, with the inode's
/// number behind that of its file system.
fn blocked(lock: &File) -> usize {
    let inode = format!(":{} ", lock.metadata().unwrap().ino());
    let locks = fs::read_to_string("/proc/locks").unwrap();
    let is_blocked = |line: &&str| line.contains("-> FLOCK") && line.contains(&inode);
    locks.lines().filter(is_blocked).count()
}
