//! What pkilint finds in every kind of certificate and CRL that zpki makes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use zpki::domain::name_constraints::NameConstraints;
use zpki::domain::revocation::{Revocation, RevocationReason};
use zpki::domain::serial_number::SerialNumber;
use zpki::domain::validity::Validity;
use zpki::x509::certificate::ParsedCertificate;
use zpki::x509::crl::{self, CrlTemplate};
use zpki::x509::issue::{Authority, RenewalTemplate};
use zpki::x509::passphrase::Passphrase;
use zpki::x509::pem::{self, Block};
use zpki::x509::private_key::PrivateKey;

use super::pki::{ALGORITHMS, PASSPHRASE, Pki, end_entities, small_cluster};
use crate::e2e::process::python;

/// What is found and stays, with the reason.
const RIGHT: [(&str, &str); 2] = [
    (
        "pkix.authority_key_id_extension_missing",
        "a self-signed CA may omit it (RFC 5280 4.2.1.1), and it names nothing but the certificate it stands in",
    ),
    (
        "pkix.invalid_domain_name_syntax",
        "a wildcard is no host name in RFC 5280, which leaves its meaning to others: RFC 6125 6.4.3 has it",
    ),
];

/// Certificates and CRLs of several CAs, in files, and what is found in them.
#[derive(Default)]
struct Lint {
    cas: Vec<Value>,
}

impl Lint {
    fn ca(&mut self, ca: PathBuf, certificates: &[PathBuf], crls: &[PathBuf]) {
        self.cas.push(json!([ca, certificates, crls]));
    }

    /// The ids of the findings of severity WARNING and above, each with the files that have it.
    fn findings(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut python = Command::new(python())
            .args(["-c", include_str!("lint.py")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = serde_json::to_vec(&self.cas).unwrap();
        python.stdin.take().unwrap().write_all(&input).unwrap();
        let output = python.wait_with_output().unwrap();
        assert!(output.status.success());
        let mut findings: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let [path, severity, id] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("{line}");
            };
            assert!(["FATAL", "ERROR", "WARNING"].contains(&severity), "{line}");
            let files = findings.entry(id.to_owned()).or_default();
            files.insert(path.to_owned());
        }
        findings
    }
}

#[test]
fn pkilint_finds_nothing_that_is_not_right() {
    let mut lint = Lint::default();
    let mut pkis = Vec::new();
    for algorithm in ALGORITHMS {
        let plain = Pki::of_algorithm(algorithm);
        let constrained = small_cluster("ecdsa-p256").replacen(
            "key_algorithm = \"ecdsa-p256\"",
            &format!(
                "key_algorithm = \"{algorithm}\"\npermitted_domains = [\"prod.internal\"]\n\
                 permitted_networks = [\"10.0.0.0/8\", \"fd00::/8\"]"
            ),
            1,
        );
        pkis.extend([plain, Pki::of(&constrained)]);
    }
    let domains_only = small_cluster("ecdsa-p256")
        .replace(", \"10.0.0.1\"]", "]")
        .replacen(
            "[load_balancer]",
            "permitted_domains = [\"prod.internal\"]\n\n[load_balancer]",
            1,
        );
    pkis.push(Pki::of(&domains_only));
    for pki in &pkis {
        let authority = authority(pki);
        let crls = [pki.path("ca/crl.pem"), with_every_reason(pki, &authority)];
        let files = [
            "load-balancer/key-cert.pem",
            "servers/server1/zato-server-cert.pem",
        ];
        lint.ca(
            pki.path("ca/ca.cert.pem"),
            &files.map(|it| pki.path(it)),
            &crls,
        );
        lint.ca(renewed(pki, &authority), &files.map(|it| pki.path(it)), &[]);
    }
    let cluster = Pki::of_cluster();
    let of_cluster: Vec<_> = end_entities()
        .iter()
        .map(|it| cluster.path(&it.certificate))
        .collect();
    lint.ca(cluster.path("ca/ca.cert.pem"), &of_cluster, &[]);

    let findings = lint.findings();
    let found: Vec<_> = findings.keys().map(String::as_str).collect();
    assert_eq!(found, RIGHT.map(|(id, _)| id), "{findings:#?}");
    let [cas, wildcards] = RIGHT.map(|(id, _)| &findings[id]);
    assert!(cas.iter().all(|path| path.contains("ca.cert")), "{cas:#?}");
    let wildcard = cluster.path("servers/ecdsa-p256/zato-server-cert.pem");
    assert_eq!(*wildcards, BTreeSet::from([wildcard.display().to_string()]));
}

/// It does find what is wrong: a certificate that another CA signed.
#[test]
fn pkilint_finds_what_is_wrong() {
    let [one, other] = ["ecdsa-p256", "ecdsa-p384"].map(Pki::of_algorithm);
    let mut lint = Lint::default();
    let certificate = other.path("servers/server1/zato-server-cert.pem");
    lint.ca(one.path("ca/ca.cert.pem"), &[certificate], &[]);
    let findings = lint.findings();
    assert!(
        findings.contains_key("pkix.signature_verification_failed"),
        "{findings:#?}"
    );
}

fn block(pki: &Pki, path: &str) -> Block {
    let bytes = fs::read(pki.path(path)).unwrap();
    pem::scan(&bytes).remove(0).unwrap()
}

fn authority(pki: &Pki) -> Authority {
    let certificate = block(pki, "ca/ca.cert.pem");
    let certificate = ParsedCertificate::from_der(&certificate.contents).unwrap();
    let passphrase = Passphrase::new(PASSPHRASE.to_owned().into()).unwrap();
    let key = block(pki, "ca/ca.key.pem");
    let key = PrivateKey::from_pem(&key, Some(&passphrase)).unwrap();
    Authority::new(certificate, key).unwrap()
}

fn validity() -> Validity {
    let now = OffsetDateTime::now_utc().truncate_to_second();
    Validity {
        not_before: now - Duration::HOUR,
        not_after: now + Duration::days(365),
    }
}

/// A CRL that has an entry for each reason.
fn with_every_reason(pki: &Pki, authority: &Authority) -> PathBuf {
    let template = CrlTemplate {
        updates: validity(),
        number: 1_800_000_000,
        revoked: (1..)
            .zip(RevocationReason::OFFERED)
            .map(|(number, reason)| Revocation {
                serial_number: SerialNumber::from_random([number; 16]),
                revoked_at: validity().not_before,
                reason,
            })
            .collect(),
    };
    let crl = authority.revocation_list(&template).unwrap();
    pki.put("every-reason.pem", &crl::to_pem(&crl))
}

/// The CA's next certificate.
fn renewed(pki: &Pki, authority: &Authority) -> PathBuf {
    let template = RenewalTemplate {
        serial_number: SerialNumber::from_random([7; 16]),
        validity: validity(),
        name_constraints: NameConstraints::default(),
    };
    let renewed = authority.renewed(&template).unwrap();
    pki.put("ca.cert.renewed.pem", &renewed.to_pem())
}
