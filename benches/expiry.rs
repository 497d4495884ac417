//! What `zpki expiry` costs, beside the reading alone: `make bench`.
//!
//! Ten thousand files with a certificate each, warm, as they stand in a hundred directories. zpki runs as
//! a process that finds them, reads them and writes complete JSON; its limit is a loop in here that is
//! given their names and reads the same octets with as many threads, and nothing else. The two take
//! turns; medians are compared. Then ten times as many, which must cost ten times as much.
//!
//! Its exit status is 1 when a requirement is not met.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the doors of src/system.rs and src/scan/ are the program's, not its bench's"
)]

mod measure;

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rayon::prelude::*;
use rcgen::{CertificateParams, DnType, Issuer, KeyPair, SerialNumber};
use tempfile::TempDir;
use zpki::scan::threads;

use measure::{median, peak_memory, time};

const FILES: usize = 10_000;
const TIMES_MORE: usize = 10;
const DIRECTORIES: usize = 100;
const ROUNDS: usize = 15;
const ROUNDS_OF_MORE: usize = 3;

const ZPKI: &str = env!("CARGO_BIN_EXE_zpki");
const DISK: &str = env!("CARGO_TARGET_TMPDIR");

fn main() -> ExitCode {
    let certificates = make_certificates();
    let (few, files) = tree(&certificates, 1);
    let (taken, limit) = race(few.path(), &files);
    let rate = limit.as_secs_f64() / taken.as_secs_f64();
    println!(
        "zpki expiry --output json, {FILES} files, {:.1} MB, {} threads, {ROUNDS} rounds; medians",
        files.iter().map(|file| length(file)).sum::<u64>() as f64 / 1e6,
        threads(),
    );
    let (more, _) = tree(&certificates, TIMES_MORE);
    let many = median((0..ROUNDS_OF_MORE).map(|_| time(|| expiry(more.path()))));
    let times = many.as_secs_f64() / taken.as_secs_f64();
    let (memory, memory_of_more) = (
        peak_memory(&zpki(few.path())),
        peak_memory(&zpki(more.path())),
    );
    let verdicts = [
        row(
            &format!(
                "{:.1} ms; reading alone {:.1} ms: {rate:.2} of its rate",
                milliseconds(taken),
                milliseconds(limit)
            ),
            "at least 0.40",
            rate >= 0.4,
        ),
        row(
            &format!(
                "{} files: {:.1} ms, {times:.1} times as long",
                FILES * TIMES_MORE,
                milliseconds(many)
            ),
            "at most 11",
            times <= 11.0,
        ),
        row(
            &format!("memory: {memory:.1} MiB"),
            "below 32",
            memory < 32.0,
        ),
        row(
            &format!(
                "memory for {} files: {memory_of_more:.1} MiB",
                FILES * TIMES_MORE
            ),
            "at most 64",
            memory_of_more <= 64.0,
        ),
    ];
    if verdicts.contains(&false) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// The medians of zpki and of its limit, in turns.
fn race(directory: &Path, files: &[PathBuf]) -> (Duration, Duration) {
    let mut times = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        times.0.push(time(|| expiry(directory)));
        times.1.push(time(|| read_all(files)));
    }
    (median(times.0), median(times.1))
}

fn expiry(directory: &Path) {
    let status = zpki(directory).status().unwrap();
    assert!(status.success(), "{status}");
}

fn zpki(directory: &Path) -> Command {
    let mut command = Command::new(ZPKI);
    command
        .args(["expiry", "--output", "json"])
        .arg(directory)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit());
    command
}

/// Reads every file, with as many threads as zpki has.
fn read_all(files: &[PathBuf]) {
    let next = AtomicUsize::new(0);
    let take = || files.get(next.fetch_add(1, Ordering::Relaxed));
    thread::scope(|scope| {
        for _ in 0..threads() {
            scope.spawn(|| {
                let mut buffer = Vec::new();
                while let Some(path) = take() {
                    buffer.clear();
                    File::open(path).unwrap().read_to_end(&mut buffer).unwrap();
                    black_box(&buffer);
                }
            });
        }
    });
}

/// Certificates of one CA, all of one key.
fn make_certificates() -> Vec<String> {
    let key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(DnType::CommonName, "bench CA");
    let ca = Issuer::new(ca, KeyPair::generate().unwrap());
    let numbers = (0..FILES).into_par_iter();
    let certificates = numbers.map(|number| {
        let host = format!("server{number}.bench.internal");
        let mut params = CertificateParams::new([host]).unwrap();
        params.serial_number = Some(SerialNumber::from(number as u64 + 1));
        let name = &mut params.distinguished_name;
        name.push(DnType::CommonName, format!("server{number}"));
        name.push(DnType::OrganizationName, "bench");
        params.signed_by(&key, &ca).unwrap().pem()
    });
    certificates.collect()
}

/// A directory tree with each certificate `times` over, and the files in it.
fn tree(certificates: &[String], times: usize) -> (TempDir, Vec<PathBuf>) {
    let directory = tempfile::tempdir_in(DISK).unwrap();
    let mut files = Vec::new();
    for (number, certificate) in certificates.iter().cycle().take(FILES * times).enumerate() {
        let folder = directory
            .path()
            .join(format!("{}", number % (DIRECTORIES * times)));
        if number < DIRECTORIES * times {
            fs::create_dir(&folder).unwrap();
        }
        let file = folder.join(format!("{number}.pem"));
        fs::write(&file, certificate).unwrap();
        files.push(file);
    }
    (directory, files)
}

fn row(what: &str, requirement: &str, met: bool) -> bool {
    let verdict = if met { "ok" } else { "MISSED" };
    println!("{what:64}  {requirement:16}{verdict}");
    met
}

fn length(file: &Path) -> u64 {
    fs::metadata(file).unwrap().len()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
