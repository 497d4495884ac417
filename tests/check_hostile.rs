//! `zpki check` with what nobody sends in good faith: an answer in bounded time, and never a panic.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, GeneralSubtree, IsCa, Issuer, KeyPair,
    NameConstraints, SanType,
};
use time::macros::datetime;

use crate::oracle::cases::openssl_verify;
use crate::sandbox::{NOW, Sandbox};

/// For an unoptimised build on a busy machine; none takes a tenth of it.
const BOUND: Duration = Duration::from_secs(60);

/// A maker of certificates that all have the same key.
struct Maker(KeyPair);

impl Maker {
    fn new() -> Self {
        Self(KeyPair::generate().unwrap())
    }

    /// A CA's certificate, or an end entity's, signed by `issuer`.
    fn certificate(&self, params: &CertificateParams, issuer: &CertificateParams) -> String {
        let issuer = Issuer::from_params(issuer, &self.0);
        params.signed_by(&self.0, &issuer).unwrap().pem()
    }
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = NOW - time::Duration::DAY;
    params.not_after = datetime!(2049-01-01 0:00 UTC);
    params
}

fn ca(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

/// The first reason of the verdict on `leaf.pem`, with `sent.pem` behind it and `ca.pem` as trust
/// bundle. It is OpenSSL's.
#[track_caller]
fn first_reason(sandbox: &Sandbox) -> String {
    let start = Instant::now();
    let args = [
        "check",
        "leaf.pem",
        "--untrusted",
        "sent.pem",
        "--ca-file",
        "ca.pem",
    ];
    let json = ["--as", "haproxy-server", "--output", "json"];
    let (_, report) = sandbox.args([&args[..], &json].concat()).run().answer();
    assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let reason = &report["verdicts"][0]["reasons"][0];
    let number = reason["opensslError"].as_u64();
    let args = [
        "-purpose",
        "sslserver",
        "-untrusted",
        "sent.pem",
        "-CAfile",
        "ca.pem",
        "leaf.pem",
    ];
    assert_eq!(
        number.zip(reason["depth"].as_u64()),
        openssl_verify(&sandbox.path(""), NOW, &args)
    );
    reason["id"].as_str().unwrap().to_owned()
}

/// A file as long as no certificate is.
#[test]
fn a_file_of_100_mb() {
    let sandbox = Sandbox::with_demo();
    let file = std::fs::File::create(sandbox.path("long")).unwrap();
    file.set_len(100 << 20).unwrap();
    for args in [
        ["long", "demo/ca/ca.cert.pem"],
        ["demo/ca/ca.cert.pem", "long"],
    ] {
        let run = sandbox.args(["check", args[0], "--ca-file", args[1]]).run();
        run.status(3).stderr_with("because: file too large");
    }
}

#[test]
fn a_chain_of_10_000_certificates() {
    let sandbox = Sandbox::new();
    let maker = Maker::new();
    let mut issuer = ca("0");
    sandbox.file("ca.pem", maker.certificate(&issuer, &issuer));
    let mut chain = Vec::new();
    for number in 1..10_000 {
        let next = ca(&number.to_string());
        chain.push(maker.certificate(&next, &issuer));
        issuer = next;
    }
    sandbox.file("leaf.pem", maker.certificate(&params("leaf"), &issuer));
    sandbox.file("sent.pem", chain.concat());
    assert_eq!(first_reason(&sandbox), "chain-too-long");
}

/// Each CA has certified each other one, many times.
#[test]
fn loops_of_cross_signed_cas() {
    let sandbox = Sandbox::new();
    let maker = Maker::new();
    let names = ["a", "b", "c"];
    let mut sent = Vec::new();
    for _ in 0..100 {
        for name in names {
            for issuer in names.iter().filter(|issuer| **issuer != name) {
                sent.push(maker.certificate(&ca(name), &ca(issuer)));
            }
        }
    }
    sandbox
        .file("leaf.pem", maker.certificate(&params("leaf"), &ca("a")))
        .file("sent.pem", sent.concat())
        .file("ca.pem", maker.certificate(&ca("root"), &ca("root")));
    assert_eq!(first_reason(&sandbox), "chain-too-long");
}

/// So many certificates of one name that to try each path would take for ever.
#[test]
fn many_twins_on_each_level() {
    let sandbox = Sandbox::new();
    let maker = Maker::new();
    let mut sent = Vec::new();
    for level in 1..40 {
        for _ in 0..20 {
            let (own, above) = (level.to_string(), (level + 1).to_string());
            sent.push(maker.certificate(&ca(&own), &ca(&above)));
        }
    }
    sandbox
        .file("leaf.pem", maker.certificate(&params("leaf"), &ca("1")))
        .file("sent.pem", sent.concat())
        .file("ca.pem", maker.certificate(&ca("root"), &ca("root")));
    assert_eq!(first_reason(&sandbox), "issuer-missing");
}

#[test]
fn more_names_and_constraints_than_openssl_compares() {
    // 2^20 comparisons are its limit; the common name is a name too.
    assert_eq!(constrained(1_000, 1_000), "name-not-permitted");
    assert_eq!(constrained(1_024, 1_024), "too-many-names");
    assert_eq!(constrained(4_000, 4_000), "too-many-names");
}

/// The verdict on a leaf of so many names below a CA of so many constraints, none of which fits.
fn constrained(names: u32, constraints: u32) -> String {
    let sandbox = Sandbox::new();
    let maker = Maker::new();
    let mut root = ca("root");
    let subtree = |number| GeneralSubtree::DnsName(format!("{number}.example"));
    root.name_constraints = Some(NameConstraints {
        permitted_subtrees: (0..constraints).map(subtree).collect(),
        excluded_subtrees: Vec::new(),
    });
    let mut leaf = params("leaf");
    let name = |number| SanType::DnsName(format!("{number}.test").try_into().unwrap());
    leaf.subject_alt_names = (0..names).map(name).collect();
    sandbox
        .file("leaf.pem", maker.certificate(&leaf, &root))
        .file("sent.pem", maker.certificate(&root, &root))
        .file("ca.pem", maker.certificate(&root, &root));
    first_reason(&sandbox)
}

/// A CA that has signed itself.
fn with_a_ca() -> Sandbox {
    let sandbox = Sandbox::new();
    let maker = Maker::new();
    sandbox.file("ca.pem", maker.certificate(&ca("root"), &ca("root")));
    sandbox
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_bytes_are_refused_wherever_they_stand(
        bytes in prop::collection::vec(any::<u8>(), 0..2_000),
        as_der in any::<bool>(),
    ) {
        let sandbox = with_a_ca();
        let header = if as_der { [0x30, 0x82].as_slice() } else { &[] };
        sandbox.file("random", [header, &bytes].concat());
        for args in [
            ["random", "--ca-file", "ca.pem"].as_slice(),
            &["ca.pem", "--ca-file", "random"],
            &["ca.pem", "--ca-file", "ca.pem", "--crl-file", "random"],
        ] {
            let run = sandbox.args([&["check"], args].concat()).run();
            run.status(3).stderr_with("zpki: error: cannot check");
        }
    }

    #[test]
    fn a_certificate_with_octets_changed_has_a_verdict_or_none(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let sandbox = with_a_ca();
        let mut der = pem::parse(sandbox.read("ca.pem")).unwrap().into_contents();
        for (at, octet) in &changes {
            let at = at.index(der.len());
            der[at] = *octet;
        }
        sandbox.file("changed", der);
        for [file, ca_file] in [["changed", "ca.pem"], ["ca.pem", "changed"]] {
            let run = sandbox.args(["check", file, "--ca-file", ca_file, "-q"]).run();
            prop_assert!((0..=3).contains(&run.status_alone()));
        }
    }
}
