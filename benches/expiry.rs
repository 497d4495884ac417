//! What `zpki expiry` costs, beside the reading alone.
//!
//! Ten thousand files with a certificate each, warm, as they stand in a hundred directories. zpki runs as
//! a process that finds them, reads them and writes complete JSON; its limit is a loop in here that is
//! given their names and reads the same octets with as many threads, and nothing else. The two take
//! turns; medians are compared. Then ten times as many, which must cost ten times as much.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rayon::prelude::*;
use rcgen::{CertificateParams, DnType, Issuer, KeyPair, SerialNumber};
use tempfile::TempDir;
use zpki::scan::threads;

use crate::measure::{
    DISK, Row, Table, median, milliseconds, peak_memory, run, scratch, time, zpki,
};

const FILES: usize = 10_000;
const TIMES_MORE: usize = 10;
const DIRECTORIES: usize = 100;
const ROUNDS: usize = 15;
const ROUNDS_OF_MORE: usize = 3;

pub(crate) fn rows(table: &mut Table) {
    let certificates = make_certificates();
    let (few, files) = tree(&certificates, 1);
    let (taken, limit) = race(few.path(), &files);
    let rate = limit.as_secs_f64() / taken.as_secs_f64();
    let (more, _) = tree(&certificates, TIMES_MORE);
    let many = median((0..ROUNDS_OF_MORE).map(|_| time(|| expiry(more.path()))));
    let times = many.as_secs_f64() / taken.as_secs_f64();
    let memory = [few.path(), more.path()].map(|directory| peak_memory(&command(directory)));
    table.row(&Row {
        what: "expiry, 10,000 files, as JSON",
        zpki: milliseconds(taken),
        beside: format!("reading them alone: {}", milliseconds(limit)),
        ratio: format!("{rate:.2} of its rate"),
        required: Some(("at least 0.40", rate >= 0.4)),
    });
    table.row(&Row {
        what: "expiry, 100,000 files",
        zpki: milliseconds(many),
        beside: format!("10,000: {}", milliseconds(taken)),
        ratio: format!("{times:.1} times as long"),
        required: Some(("at most 11", times <= 11.0)),
    });
    table.row(&Row {
        what: "memory of that, 10,000 files",
        zpki: format!("{:.1} MiB", memory[0]),
        required: Some(("below 32", memory[0] < 32.0)),
        ..Row::default()
    });
    table.row(&Row {
        what: "memory of that, 100,000 files",
        zpki: format!("{:.1} MiB", memory[1]),
        required: Some(("at most 64", memory[1] <= 64.0)),
        ..Row::default()
    });
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
    run(&mut command(directory));
}

fn command(directory: &Path) -> Command {
    let mut command = zpki();
    command
        .args(["expiry", "--output", "json"])
        .arg(directory)
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
    let directory = scratch(DISK);
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
