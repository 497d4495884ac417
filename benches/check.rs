//! What `zpki check` costs, beside `openssl verify`.
//!
//! Ten thousand certificates below one intermediate CA, each in a file, each judged with its whole path.
//! openssl is started once and given all the files; zpki's library reads, parses and judges the same
//! files, on all processors, as `check` does with each. The two take turns; medians are compared.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rayon::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use time::OffsetDateTime;
use zpki::verify::path::Pool;
use zpki::verify::policy::Policy;
use zpki::verify::signatures::CheckedSignatures;
use zpki::verify::verdict::{Context, Outcome, judge};
use zpki::x509::path_certificate::PathCertificate;
use zpki::x509::pem;

use crate::measure::{MEMORY, Row, Table, median, scratch, time};

const CHECKS: usize = 10_000;
const ROUNDS: usize = 5;

pub(crate) fn rows(table: &mut Table) {
    let directory = scratch(MEMORY);
    let leaves = make_certificates(directory.path());
    let mut times = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        times.0.push(time(|| zpki(directory.path(), &leaves)));
        times.1.push(time(|| openssl(directory.path(), &leaves)));
    }
    let (zpki, openssl) = (median(times.0), median(times.1));
    let ratio = openssl.as_secs_f64() / zpki.as_secs_f64();
    table.row(&Row {
        what: "check, 10,000 certificates below an intermediate CA",
        zpki: format!("{:.0}/s", rate(zpki)),
        beside: format!("openssl verify: {:.0}/s", rate(openssl)),
        ratio: format!("{ratio:.1} times its rate"),
        required: Some(("at least 5", ratio >= 5.0)),
    });
}

fn rate(time: Duration) -> f64 {
    CHECKS as f64 / time.as_secs_f64()
}

/// What `check` does with a file, for each of them.
fn zpki(directory: &Path, leaves: &[PathBuf]) {
    let root = [read(&directory.join("root.pem"))];
    let intermediate = [read(&directory.join("intermediate.pem"))];
    let (trusted, sent) = (Pool::new(&root), Pool::new(&intermediate));
    let signatures = CheckedSignatures::default();
    let context = Context {
        sent: &sent,
        trusted: &trusted,
        crls: None,
        hosts: &[],
        at: OffsetDateTime::now_utc(),
        signatures: &signatures,
    };
    let accepted = leaves.par_iter().filter(|path| {
        let leaf = read(path);
        // The pools live longer than a leaf, and a path must not.
        let context = Context { ..context };
        judge(&leaf, Policy::HaproxyServer, &context).outcome() == Outcome::Accepted
    });
    assert_eq!(accepted.count(), CHECKS);
}

fn read(path: &Path) -> PathCertificate {
    let bytes = fs::read(path).unwrap();
    let block = pem::scan(&bytes).remove(0).unwrap();
    PathCertificate::from_der(&block.contents).unwrap()
}

fn openssl(directory: &Path, leaves: &[PathBuf]) {
    let names = leaves.iter().map(|path| path.file_name().unwrap());
    let status = Command::new("openssl")
        .current_dir(directory)
        .args(["verify", "-purpose", "sslserver", "-auth_level", "2"])
        .args(["-CAfile", "root.pem", "-untrusted", "intermediate.pem"])
        .args(names)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
}

/// A root, an intermediate and the certificates below it.
fn make_certificates(directory: &Path) -> Vec<PathBuf> {
    let write = |name: &str, text: String| {
        let path = directory.join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let (root_key, root) = (key(), ca("root"));
    write("root.pem", root.self_signed(&root_key).unwrap().pem());
    let root = Issuer::new(root, root_key);
    let (key_of_ca, intermediate) = (key(), ca("intermediate"));
    let certificate = intermediate.signed_by(&key_of_ca, &root).unwrap();
    write("intermediate.pem", certificate.pem());
    let intermediate = Issuer::new(intermediate, key_of_ca);
    let leaf_key = key();
    let leaves = (0..CHECKS).into_par_iter();
    leaves
        .map(|number| {
            let mut params =
                CertificateParams::new([format!("server{number}.bench.internal")]).unwrap();
            params
                .distinguished_name
                .push(DnType::CommonName, format!("server{number}"));
            params.is_ca = IsCa::ExplicitNoCa;
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            params.use_authority_key_identifier_extension = true;
            let certificate = params.signed_by(&leaf_key, &intermediate).unwrap();
            write(&format!("{number}"), certificate.pem())
        })
        .collect()
}

fn key() -> KeyPair {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap()
}

fn ca(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params
}
