//! What `zpki list` costs after years.
//!
//! A thousand names and a hundred thousand certificates of theirs, each signed for itself and with
//! dates of its own, on a memory file system. zpki runs as a process that finds the newest of each
//! name and writes complete JSON.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rayon::prelude::*;
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose,
    SerialNumber,
};
use ring::digest::{SHA256, digest};
use serde_json::Value;
use time::OffsetDateTime;

use crate::measure::{
    MEMORY, Row, Table, init, median, milliseconds, peak_memory, scratch, time, zpki,
};

/// With the CA and the load-balancer a thousand names.
const SERVERS: usize = 998;
const NAMES: usize = SERVERS + 2;
const CERTIFICATES: usize = 100_000;
const ROUNDS: usize = 9;

pub(crate) fn rows(table: &mut Table) {
    let scratch = scratch(MEMORY);
    let directory = scratch.path().join("cluster");
    init(&directory, SERVERS);
    let newest = issued(&directory);
    add_older_ones(&directory, newest.keys());
    // What a host folder has would be listed, and the inventory not read.
    for folders in ["servers", "load-balancer"] {
        fs::remove_dir_all(directory.join(folders)).unwrap();
    }
    let taken = median((0..ROUNDS).map(|_| time(|| check(&directory, &newest))));
    let memory = peak_memory(&list(&directory));
    table.row(&Row {
        what: "list, 100,000 certificates of 1,000 names, as JSON",
        zpki: milliseconds(taken),
        required: Some(("below 1500 ms", taken < Duration::from_millis(1500))),
        ..Row::default()
    });
    table.row(&Row {
        what: "memory of that",
        zpki: format!("{memory:.1} MiB"),
        required: Some(("below 64", memory < 64.0)),
        ..Row::default()
    });
}

/// The one certificate of each name, by the name: its serial number.
fn issued(directory: &Path) -> BTreeMap<String, String> {
    let names = fs::read_dir(directory.join("ca/issued")).unwrap();
    names
        .map(|name| {
            let name = name.unwrap();
            let mut files = fs::read_dir(name.path()).unwrap();
            let file = files.next().unwrap().unwrap().path();
            assert!(files.next().is_none());
            let serial = file.file_stem().unwrap().to_str().unwrap().to_owned();
            (name.file_name().into_string().unwrap(), serial)
        })
        .collect()
}

/// Fills the inventory with certificates that are older, each by a different time.
fn add_older_ones<'a>(directory: &Path, names: impl Iterator<Item = &'a String>) {
    let names: Vec<&String> = names.collect();
    assert_eq!(names.len(), NAMES);
    let key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(DnType::CommonName, "bench CA");
    let ca = Issuer::new(ca, KeyPair::generate().unwrap());
    let now = OffsetDateTime::now_utc();
    (NAMES..CERTIFICATES).into_par_iter().for_each(|number| {
        let name = names[number % NAMES];
        let serial = digest(&SHA256, &number.to_be_bytes());
        let serial = &serial.as_ref()[..16];
        let host = format!("{name}.bench.internal");
        let mut params = CertificateParams::new([host]).unwrap();
        params.serial_number = Some(SerialNumber::from(serial.to_vec()));
        params.not_before = now - Duration::from_secs(86_400 + 7_919 * number as u64);
        params.not_after = params.not_before + Duration::from_secs(365 * 86_400);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.distinguished_name.push(DnType::CommonName, name);
        params
            .distinguished_name
            .push(DnType::OrganizationName, "bench");
        let hexadecimal: String = serial.iter().map(|octet| format!("{octet:02x}")).collect();
        let file = directory.join(format!("ca/issued/{name}/{hexadecimal}.pem"));
        fs::write(file, params.signed_by(&key, &ca).unwrap().pem()).unwrap();
    });
}

/// Lists, and holds that the newest of each name was listed.
fn check(directory: &Path, newest: &BTreeMap<String, String>) {
    let output = list(directory).output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let entries = report["entries"].as_array().unwrap();
    assert_eq!(entries.len(), NAMES);
    for entry in entries {
        let name = entry["name"].as_str().unwrap();
        let serial = entry["certificate"]["serialNumber"].as_str();
        assert_eq!(serial, Some(newest[name].as_str()), "{name}");
    }
}

fn list(directory: &Path) -> Command {
    let mut command = zpki();
    command
        .args(["list", "--output", "json", "-C"])
        .arg(directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    command
}
